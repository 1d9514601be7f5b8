// Tokens and mail addresses are regular, so RE2 (linear time) finds them, in
// Latin-1 mode so that text which is not UTF-8 is searched too.
//
// Card numbers are not: the check digit (ISO/IEC 7812-1 annex B, Luhn) decides,
// and one in ten of all numbers has a good one. The issuer's prefix and length
// are asked for as well, so that timestamps and ids are left alone. Digits may
// be grouped by single spaces or hyphens, and a group that is no part of the
// card ("order 17 4111 1111 1111 1111") may stand before or after it: every run
// of whole groups is tried.
#include "policy/redaction/values.h"

#include <re2/re2.h>

#include <optional>
#include <vector>

namespace nohalt::policy {

namespace {

struct Group {
  std::size_t begin;
  std::size_t end;
};

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

// Prefix ranges over the first four digits, and the lengths in use under them.
bool is_issued(std::string_view digits) {
  struct Issuer {
    int first, last;
    std::size_t shortest, longest;
  };
  static constexpr Issuer kIssuers[] = {
      {4000, 4999, 13, 19}, {5100, 5599, 16, 16}, {2221, 2720, 16, 16}, {3400, 3499, 15, 15},
      {3700, 3799, 15, 15}, {6011, 6011, 16, 19}, {6440, 6599, 16, 19}, {3528, 3589, 16, 19},
      {3000, 3059, 14, 19}, {3600, 3699, 14, 19}, {3800, 3999, 14, 19}, {6200, 6299, 16, 19},
      {5000, 5099, 12, 19}, {5600, 5899, 12, 19}, {6300, 6399, 12, 19}, {6700, 6799, 12, 19}};
  int prefix = 0;
  for (const char c : digits.substr(0, 4)) prefix = prefix * 10 + (c - '0');
  for (const Issuer& issuer : kIssuers)
    if (prefix >= issuer.first && prefix <= issuer.last && digits.size() >= issuer.shortest &&
        digits.size() <= issuer.longest)
      return true;
  return false;
}

constexpr std::size_t kLongestCard = 19;

// The groups of digits from `begin` on that single spaces or hyphens join, as
// many as could make one card.
std::vector<Group> groups_at(std::string_view text, std::size_t begin) {
  std::vector<Group> groups;
  std::size_t at = begin;
  while (groups.size() < kLongestCard && at < text.size() && is_digit(text[at])) {
    Group group{at, at};
    while (group.end < text.size() && is_digit(text[group.end])) ++group.end;
    groups.push_back(group);
    const bool joined =
        group.end < text.size() && (text[group.end] == ' ' || text[group.end] == '-');
    at = joined ? group.end + 1 : text.size();
  }
  return groups;
}

// Where the longest card ends that starts with the first of the groups.
std::optional<std::size_t> card_end(std::string_view text, const std::vector<Group>& groups) {
  std::optional<std::size_t> end;
  std::string digits;
  for (const Group& group : groups) {
    digits += text.substr(group.begin, group.end - group.begin);
    if (digits.size() > kLongestCard) break;
    if (digits.size() >= 12 && is_issued(digits) && has_good_check_digit(digits)) end = group.end;
  }
  return end;
}

void redact_cards(RedactedText& redacted) {
  const std::string text = std::move(redacted.text);
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    if (!is_digit(text[at])) {
      out += text[at++];
      continue;
    }
    const std::vector<Group> groups = groups_at(text, at);
    const auto end = card_end(text, groups);
    if (end) {
      out += "[redacted:payment-card]";
      ++redacted.counts["payment-card"];
    } else {
      out.append(text, at, groups.front().end - at);
    }
    at = end.value_or(groups.front().end);
  }
  redacted.text = std::move(out);
}

void redact_pattern(RedactedText& redacted, const RE2& pattern, const std::string& name) {
  const int count = RE2::GlobalReplace(&redacted.text, pattern, "[redacted:" + name + "]");
  if (count > 0) redacted.counts[name] += static_cast<std::uint64_t>(count);
}

}  // namespace

RedactedText redact_text(std::string_view text) {
  static const RE2 kToken(R"(eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4})", RE2::Latin1);
  static const RE2 kMail(
      R"([A-Za-z0-9._%+\x80-\xff-]+@[A-Za-z0-9\x80-\xff-]+(?:\.[A-Za-z0-9\x80-\xff-]+)*)"
      R"(\.[A-Za-z\x80-\xff]{2,})",
      RE2::Latin1);
  RedactedText redacted{std::string{text}, {}};
  redact_pattern(redacted, kToken, "jwt");
  redact_pattern(redacted, kMail, "email");
  redact_cards(redacted);
  return redacted;
}

}  // namespace nohalt::policy
