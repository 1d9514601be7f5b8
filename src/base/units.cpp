// Each parser splits the text into digits and the rest, and looks the rest up
// in a table of its units; what is not in the table is answered with the unit
// that was probably meant.
#include "src/base/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <string>

#include "src/base/escape.h"

namespace nohalt {

namespace {

constexpr std::uint64_t kLargestRate = 100'000'000;
constexpr std::uint64_t kMillisecondsInTenYears = 10ULL * 365 * 24 * 3600 * 1000;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// A way of writing a unit that is not one of ours, and the one that is meant.
struct NearMiss {
  std::string_view written;
  std::string_view meant;
};

constexpr std::array kDurationUnits{Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000},
                                    Unit{"h", 3'600'000}};
constexpr std::array kDurationNearMisses{
    NearMiss{"sec", "s"},   NearMiss{"secs", "s"},    NearMiss{"second", "s"},
    NearMiss{"min", "m"},   NearMiss{"mins", "m"},    NearMiss{"minute", "m"},
    NearMiss{"hr", "h"},    NearMiss{"hour", "h"},    NearMiss{"hours", "h"},
    NearMiss{"msec", "ms"}, NearMiss{"minutes", "m"}, NearMiss{"seconds", "s"},
    NearMiss{"S", "s"},     NearMiss{"M", "m"},       NearMiss{"H", "h"},
    NearMiss{"MS", "ms"}};

constexpr std::array kSizeUnits{Unit{"B", 1}, Unit{"KiB", 1024}, Unit{"MiB", 1024 * 1024},
                                Unit{"GiB", 1024 * 1024 * 1024}};
constexpr std::array kSizeNearMisses{
    NearMiss{"b", "B"},    NearMiss{"bytes", "B"}, NearMiss{"K", "KiB"},  NearMiss{"k", "KiB"},
    NearMiss{"KB", "KiB"}, NearMiss{"kB", "KiB"},  NearMiss{"kb", "KiB"}, NearMiss{"kib", "KiB"},
    NearMiss{"M", "MiB"},  NearMiss{"MB", "MiB"},  NearMiss{"mb", "MiB"}, NearMiss{"mib", "MiB"},
    NearMiss{"G", "GiB"},  NearMiss{"GB", "GiB"},  NearMiss{"gb", "GiB"}};

constexpr std::array kRateUnits{Unit{"/s", 1}};
constexpr std::array kRateNearMisses{NearMiss{"/sec", "/s"}, NearMiss{"/second", "/s"},
                                     NearMiss{"s", "/s"},    NearMiss{"hz", "/s"},
                                     NearMiss{"Hz", "/s"},   NearMiss{"ps", "/s"}};

// What a quantity is called and how a good one looks.
struct Form {
  std::string_view what;
  std::string_view explanation;
  std::span<const Unit> units;
  std::span<const NearMiss> near_misses;
};

constexpr Form kDuration{"duration", "A duration is a number and one of ms, s, m, h, such as 10m.",
                         kDurationUnits, kDurationNearMisses};
constexpr Form kSize{"size", "A size is a number and one of B, KiB, MiB, GiB, such as 16KiB.",
                     kSizeUnits, kSizeNearMisses};
constexpr Form kRate{"rate", "A rate is a number and /s, such as 10/s.", kRateUnits,
                     kRateNearMisses};
constexpr Form kPercent{
    "percentage", "A percentage is a number and %, such as 1% or 0.5%.", {}, {}};

std::string quoted(std::string_view text) { return "\"" + escape_untrusted(text).text + "\""; }

std::unexpected<Error> refuse(std::string reason, std::string_view text, std::string_view problem,
                              const Form& form, std::string_view advice = {}) {
  std::string hint{advice};
  if (!hint.empty()) hint += " ";
  hint += form.explanation;
  return fail(ErrorCode::kUsage, std::move(reason), quoted(text) + " " + std::string{problem},
              std::move(hint));
}

struct Split {
  std::string_view number;
  std::string_view unit;
};

// The leading digits (and point, for a percentage) and what follows them.
Split split_number(std::string_view text, bool with_point) {
  const auto in_number = [&](char c) { return (c >= '0' && c <= '9') || (with_point && c == '.'); };
  const auto end = std::ranges::find_if_not(text, in_number);
  const auto length = static_cast<std::size_t>(end - text.begin());
  return {text.substr(0, length), text.substr(length)};
}

std::optional<std::uint64_t> to_number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

Result<std::uint64_t> unknown_unit(std::string_view text, std::string_view unit, const Form& form) {
  if (unit.starts_with('.') && unit.size() > 1)
    return refuse("not-a-number", text, "has a fraction; only whole numbers are taken here.", form,
                  "Use a smaller unit.");
  for (const NearMiss& miss : form.near_misses) {
    if (miss.written != unit) continue;
    const std::string advice = "Write " + std::string{text.substr(0, text.size() - unit.size())} +
                               std::string{miss.meant} + ".";
    return refuse("unknown-unit", text, "has a unit that nohalt does not know.", form, advice);
  }
  return refuse("unknown-unit", text, "has a unit that nohalt does not know.", form);
}

Result<std::uint64_t> parse_with_unit(std::string_view text, const Form& form,
                                      std::uint64_t largest) {
  const Split split = split_number(text, false);
  if (split.number.empty())
    return refuse("not-a-number", text, "is not a " + std::string{form.what} + ".", form);
  if (split.unit.empty()) return refuse("missing-unit", text, "has no unit.", form);
  const auto unit = std::ranges::find(form.units, split.unit, &Unit::name);
  if (unit == form.units.end()) return unknown_unit(text, split.unit, form);
  const auto number = to_number(split.number);
  if (!number || *number > largest / unit->factor)
    return refuse("out-of-range", text, "is too large.", form);
  if (*number == 0) return refuse("out-of-range", text, "must be more than zero.", form);
  return *number * unit->factor;
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  NOHALT_TRY(const std::uint64_t value, parse_with_unit(text, kDuration, kMillisecondsInTenYears));
  return std::chrono::milliseconds{static_cast<std::int64_t>(value)};
}

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, kSize, std::uint64_t{1} << 50);
}

Result<std::uint64_t> parse_rate(std::string_view text) {
  return parse_with_unit(text, kRate, kLargestRate);
}

Result<double> parse_percent(std::string_view text) {
  const Split split = split_number(text, true);
  double value = 0;
  const char* end_of_digits = split.number.data() + split.number.size();
  const auto [end, error] = std::from_chars(split.number.data(), end_of_digits, value);
  const bool number =
      error == std::errc{} && end == end_of_digits && !split.number.starts_with('.');
  if (!number) return refuse("not-a-number", text, "is not a percentage.", kPercent);
  if (split.unit.empty()) return refuse("missing-unit", text, "has no unit.", kPercent);
  if (split.unit != "%")
    return refuse("unknown-unit", text, "has a unit that nohalt does not know.", kPercent);
  if (value <= 0) return refuse("out-of-range", text, "must be more than zero.", kPercent);
  if (value > 100) return refuse("out-of-range", text, "is more than 100%.", kPercent);
  return value / 100;
}

Result<std::uint64_t> parse_count(std::string_view text, std::string_view what,
                                  std::uint64_t largest) {
  const Split split = split_number(text, false);
  const auto number = to_number(split.number);
  const bool digits_only = !split.number.empty() && split.unit.empty();
  if (!digits_only)
    return fail(ErrorCode::kUsage, "not-a-number",
                quoted(text) + " is not " + std::string{what} + ".",
                "Give a whole number without a unit.");
  if (!number || *number == 0 || *number > largest)
    return fail(ErrorCode::kUsage, "out-of-range",
                quoted(text) + " is out of range for " + std::string{what} + ".",
                "Give a number from 1 to " + std::to_string(largest) + ".");
  return *number;
}

Result<std::uint64_t> parse_hits(std::string_view text) {
  return parse_count(text, "a number of hits", 1'000'000'000'000);
}

Result<std::uint32_t> parse_depth(std::string_view text) {
  NOHALT_TRY(const std::uint64_t depth, parse_count(text, "a depth", 16));
  return static_cast<std::uint32_t>(depth);
}

}  // namespace nohalt
