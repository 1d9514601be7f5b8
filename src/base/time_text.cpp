// Calendar arithmetic by std::chrono; only the layout is ours.
#include "src/base/time_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace nohalt {

namespace {

// Takes `digits` digits from the front.
bool take_number(std::string_view& text, std::size_t digits, std::int64_t& number) {
  if (text.size() < digits) return false;
  const char* end = text.data() + digits;
  if (text.front() == '-' || std::from_chars(text.data(), end, number).ptr != end) return false;
  text.remove_prefix(digits);
  return true;
}

bool take_char(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

bool take_fraction(std::string_view& text, std::int64_t& nanoseconds) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 9 || !take_number(text, digits, nanoseconds)) return false;
  for (std::size_t i = digits; i < 9; ++i) nanoseconds *= 10;
  return true;
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  std::int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, fraction = 0;
  if (!take_number(text, 4, year) || !take_char(text, '-') || !take_number(text, 2, month) ||
      !take_char(text, '-') || !take_number(text, 2, day))
    return std::nullopt;
  if (!text.empty()) {
    if (!take_char(text, 'T') || !take_number(text, 2, hour) || !take_char(text, ':') ||
        !take_number(text, 2, minute))
      return std::nullopt;
    if (take_char(text, ':') && !take_number(text, 2, second)) return std::nullopt;
    if (take_char(text, '.') && !take_fraction(text, fraction)) return std::nullopt;
    if (text != "Z") return std::nullopt;
  }
  const year_month_day date{std::chrono::year{static_cast<int>(year)},
                            std::chrono::month{static_cast<unsigned>(month)},
                            std::chrono::day{static_cast<unsigned>(day)}};
  // The years that an int64 of nanoseconds holds for sure.
  if (!date.ok() || year < 1678 || year > 2261 || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  const nanoseconds when = sys_days{date}.time_since_epoch() + hours{hour} + minutes{minute} +
                           seconds{second} + nanoseconds{fraction};
  return when.count();
}

std::string rfc3339_utc(std::int64_t wall_ns) {
  using namespace std::chrono;
  // An int64 of nanoseconds spans the years 1677 to 2262, so no bound is needed.
  const sys_time<nanoseconds> when{nanoseconds{wall_ns}};
  const auto day = floor<days>(when);
  const year_month_day date{day};
  const hh_mm_ss time{when - day};
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%09lldZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
                static_cast<long long>(time.subseconds().count()));
  return buffer.data();
}

std::int64_t now_wall_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace nohalt
