#include "policy/redaction/card_numbers.h"

#include <algorithm>
#include <string>

namespace nohalt::policy {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

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
    const bool joined =
        group.end < text.size() && (text[group.end] == ' ' || text[group.end] == '-');
    at = joined ? group.end + 1 : text.size();
  }
  return groups;
}

// Where the longest card ends that starts with the first of the groups.
std::optional<std::size_t> card_end(std::string_view text, const std::vector<Span>& groups) {
  std::optional<std::size_t> end;
  std::string digits;
  for (const Span& group : groups) {
    digits += text.substr(group.begin, group.end - group.begin);
    if (digits.size() > kLongestCard) break;
    if (digits.size() >= 12 && is_issued(digits) && has_good_check_digit(digits)) end = group.end;
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
    const auto end = card_end(text, groups);
    if (end) cards.push_back({at, *end});
    at = end.value_or(groups.front().end);
  }
  return cards;
}

std::optional<std::size_t> find_cut_card(std::string_view text) {
  constexpr std::size_t kTellsTheIssuerOnly = 6;
  std::optional<std::size_t> begin;
  std::string digits;  // backwards
  for (std::size_t at = text.size(); at > 0; --at) {
    const char c = text[at - 1];
    const bool joins = (c == ' ' || c == '-') && at < text.size() && is_digit(text[at]);
    if (!is_digit(c) && !joins) break;
    if (joins) continue;
    digits += c;
    if (digits.size() > kLongestCard) break;
    const bool starts_group = at == 1 || !is_digit(text[at - 2]);
    if (starts_group && digits.size() > kTellsTheIssuerOnly &&
        has_issuer({digits.rbegin(), digits.rend()}))
      begin = at - 1;
  }
  return begin;
}

}  // namespace nohalt::policy
