#include "policy/redaction/card_numbers.h"

#include <algorithm>
#include <string>

namespace nohalt::policy {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_joint(char c) { return c == ' ' || c == '-'; }

bool has_good_check_digit(std::string_view digits) {
  unsigned sum = 0;
  bool twice = false;
  for (auto at = digits.rbegin(); at != digits.rend(); ++at, twice = !twice) {
    unsigned digit = static_cast<unsigned>(*at - '0');
    if (twice) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 == 0;
}

struct Issuer {
  int first, last;  // ranges of the first four digits
  std::size_t shortest, longest;
};

// The prefixes, and the lengths in use under them.
constexpr Issuer kIssuers[] = {
    {4000, 4999, 13, 19}, {5100, 5599, 16, 16}, {2221, 2720, 16, 16}, {3400, 3499, 15, 15},
    {3700, 3799, 15, 15}, {6011, 6011, 16, 19}, {6440, 6599, 16, 19}, {3528, 3589, 16, 19},
    {3000, 3059, 14, 19}, {3600, 3699, 14, 19}, {3800, 3999, 14, 19}, {6200, 6299, 16, 19},
    {5000, 5099, 12, 19}, {5600, 5899, 12, 19}, {6300, 6399, 12, 19}, {6700, 6799, 12, 19}};

bool issues(const Issuer& issuer, std::string_view digits) {
  int prefix = 0;
  for (const char c : digits.substr(0, 4)) prefix = prefix * 10 + (c - '0');
  return prefix >= issuer.first && prefix <= issuer.last;
}

bool is_issued(std::string_view digits) {
  return std::ranges::any_of(kIssuers, [&](const Issuer& issuer) {
    return issues(issuer, digits) && digits.size() >= issuer.shortest &&
           digits.size() <= issuer.longest;
  });
}

bool has_issuer(const std::string& digits) {
  return std::ranges::any_of(kIssuers,
                             [&](const Issuer& issuer) { return issues(issuer, digits); });
}

constexpr std::size_t kLongestCard = 19;
// Of every group but the last: 4-4-4-4, 4-6-5, 8-8. Small numbers that stand in a row are no
// card, but for 4-3-3-3.
constexpr std::size_t kShortestGroup = 4;
constexpr std::size_t kShortestGroupOfOld = 3;
constexpr std::size_t kLengthOfOld = 13;

bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Where the address or other hexadecimal number ends that begins there (0x7f15ae403658);
// `at` itself: none does.
std::size_t hexadecimal_end(std::string_view text, std::size_t at) {
  const bool begins = text.substr(at).starts_with("0x") || text.substr(at).starts_with("0X");
  if (!begins || (at > 0 && is_alphanumeric(text[at - 1]))) return at;
  std::size_t end = at + 2;
  while (end < text.size() && is_alphanumeric(text[end])) ++end;
  return end;
}

// The groups of digits from `begin` on that single spaces or hyphens join, as
// many as could make one card.
std::vector<Span> groups_at(std::string_view text, std::size_t begin) {
  std::vector<Span> groups;
  std::size_t at = begin;
  while (groups.size() < kLongestCard && at < text.size() && is_digit(text[at]) &&
         hexadecimal_end(text, at) == at) {
    Span group{at, at};
    while (group.end < text.size() && is_digit(text[group.end])) ++group.end;
    groups.push_back(group);
    const bool joined = group.end < text.size() && is_joint(text[group.end]);
    at = joined ? group.end + 1 : text.size();
  }
  return groups;
}

// Nothing but [-+]D.D[e[-+]D] with its fraction from `at` to `end`, and no more digits than a
// number of 64 bits is written with.
bool is_one_number(std::string_view text, std::size_t at, std::size_t end) {
  constexpr std::size_t kMostDigits = 17;
  const auto is_digits = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, is_digit);
  };
  std::string_view whole = text.substr(0, at - 1);
  std::string_view rest = text.substr(end);
  if (whole.starts_with('-') || whole.starts_with('+')) whole.remove_prefix(1);
  if (!is_digits(whole) || whole.size() + end - at > kMostDigits) return false;
  if (rest.empty()) return true;
  if (!rest.starts_with('e')) return false;
  rest.remove_prefix(1);
  if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
  return is_digits(rest);
}

// Digits from `at` to `end` behind the point of a number below one (0.4532015112830366), and
// not behind another number or name with a point (user.7.4111111111111111).
bool is_fraction(std::string_view text, std::size_t at, std::size_t end) {
  if (at < 2 || text[at - 1] != '.') return false;
  if (is_one_number(text, at, end)) return true;
  if (text[at - 2] != '0') return false;
  const char before = at > 2 ? text[at - 3] : ' ';
  return !is_alphanumeric(before) && before != '.' && !text.substr(end).starts_with('.');
}

// Where the longest card ends that starts with the first of the groups.
std::optional<std::size_t> card_end(std::string_view text, const std::vector<Span>& groups) {
  std::optional<std::size_t> end;
  std::string digits;
  for (const Span& group : groups) {
    const std::size_t size = group.end - group.begin;
    digits += text.substr(group.begin, size);
    if (digits.size() > kLongestCard) break;
    if (digits.size() >= 12 && is_issued(digits) && has_good_check_digit(digits)) end = group.end;
    const bool is_old = groups[0].end - groups[0].begin == 4 && size == kShortestGroupOfOld &&
                        digits.size() < kLengthOfOld;
    if (size < kShortestGroup && !is_old) break;
  }
  return end;
}

}  // namespace

std::vector<Span> find_cards(std::string_view text) {
  std::vector<Span> cards;
  std::size_t at = 0;
  while (at < text.size()) {
    if (!is_digit(text[at])) {
      ++at;
      continue;
    }
    if (const std::size_t end = hexadecimal_end(text, at); end != at) {
      at = end;
      continue;
    }
    const std::vector<Span> groups = groups_at(text, at);
    const bool is_alone = groups.size() == 1;
    const auto end =
        is_alone && is_fraction(text, at, groups[0].end) ? std::nullopt : card_end(text, groups);
    if (end) cards.push_back({at, *end});
    at = end.value_or(groups.front().end);
  }
  return cards;
}

std::optional<std::size_t> find_cut_card(std::string_view text) {
  constexpr std::size_t kTellsTheIssuerOnly = 6;
  std::optional<std::size_t> begin;
  std::string digits;             // backwards
  std::size_t end = text.size();  // of a group
  if (end > 0 && is_joint(text[end - 1])) --end;
  const std::size_t last_end = end;
  while (end > 0 && is_digit(text[end - 1]) && digits.size() <= kLongestCard) {
    std::size_t at = end;
    for (; at > 0 && is_digit(text[at - 1]); --at) digits += text[at - 1];
    const bool is_last = end == last_end;
    if (!is_last && end - at < kShortestGroupOfOld) break;
    const bool may_be_card = digits.size() > kTellsTheIssuerOnly && digits.size() <= kLongestCard &&
                             has_issuer({digits.rbegin(), digits.rend()});
    if (may_be_card && !(is_last && is_fraction(text, at, end))) begin = at;
    end = at > 0 && is_joint(text[at - 1]) ? at - 1 : 0;
  }
  return begin;
}

bool is_of_card(char c) { return is_digit(c) || is_joint(c); }

bool may_begin_card(std::string_view text) {
  if (!text.empty() && is_joint(text.back())) text.remove_suffix(1);
  return !text.empty() && is_digit(text.back());
}

}  // namespace nohalt::policy
