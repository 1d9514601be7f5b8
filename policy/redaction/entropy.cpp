#include "policy/redaction/entropy.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace nohalt::policy {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

double bits_a_character(std::string_view run) {
  std::array<std::size_t, 256> counts{};
  for (const char c : run) ++counts[static_cast<unsigned char>(c)];
  double bits = 0;
  for (const std::size_t count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(run.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

bool looks_random(std::string_view run) {
  constexpr std::size_t kShortest = 20;
  constexpr std::size_t kShortestHex = 32;
  constexpr double kRandom = 4.0;
  constexpr double kRandomHex = 3.0;
  if (std::ranges::all_of(run, is_hex))
    return run.size() >= kShortestHex && bits_a_character(run) >= kRandomHex;
  return run.size() >= kShortest && std::ranges::any_of(run, is_digit) &&
         std::ranges::any_of(run, is_lower) && std::ranges::any_of(run, is_upper) &&
         bits_a_character(run) >= kRandom;
}

}  // namespace

bool is_of_run(char c) {
  return is_digit(c) || is_lower(c) || is_upper(c) || c == '+' || c == '/' || c == '_' || c == '-';
}

std::vector<Span> find_random(std::string_view text) {
  std::vector<Span> found;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = at;
    while (end < text.size() && is_of_run(text[end])) ++end;
    if (looks_random(text.substr(at, end - at))) found.push_back({at, end});
    at = std::max(end, at + 1);
  }
  return found;
}

}  // namespace nohalt::policy
