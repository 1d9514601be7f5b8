// Calendar arithmetic by std::chrono; only the layout is ours.
#include "src/base/time_text.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace nohalt {

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
