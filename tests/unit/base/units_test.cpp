// Quantities: what is read, and how near misses are answered.
#include "src/base/units.h"

#include <gtest/gtest.h>

#include <string>

namespace nohalt {
namespace {

using std::chrono::milliseconds;

struct Good {
  const char* text;
  std::uint64_t value;
};

struct Bad {
  const char* text;
  const char* reason;
  const char* hint_part;  // what the hint must say
};

TEST(Units, ReadsDurations) {
  for (const Good& c : {Good{"1ms", 1},
                        {"250ms", 250},
                        {"30s", 30'000},
                        {"10m", 600'000},
                        {"1h", 3'600'000},
                        {"007s", 7000},
                        {"87600h", 315'360'000'000}}) {
    const auto read = parse_duration(c.text);
    ASSERT_TRUE(read) << c.text;
    EXPECT_EQ(read->count(), static_cast<std::int64_t>(c.value)) << c.text;
  }
}

TEST(Units, ReadsSizes) {
  for (const Good& c : {Good{"1B", 1}, {"16KiB", 16384}, {"2MiB", 2097152}})
    EXPECT_EQ(parse_size(c.text).value(), c.value) << c.text;
}

TEST(Units, ReadsRates) {
  for (const Good& c : {Good{"1/s", 1}, {"10/s", 10}, {"100000000/s", 100'000'000}})
    EXPECT_EQ(parse_rate(c.text).value(), c.value) << c.text;
}

TEST(Units, ReadsPercentages) {
  EXPECT_DOUBLE_EQ(parse_percent("1%").value(), 0.01);
  EXPECT_DOUBLE_EQ(parse_percent("0.5%").value(), 0.005);
  EXPECT_DOUBLE_EQ(parse_percent("100%").value(), 1.0);
}

template <class Parser>
void expect_refused(Parser parse, std::initializer_list<Bad> cases) {
  for (const Bad& c : cases) {
    const auto read = parse(c.text);
    ASSERT_FALSE(read) << c.text;
    EXPECT_EQ(read.error().code, ErrorCode::kUsage) << c.text;
    EXPECT_EQ(read.error().reason, c.reason) << c.text;
    EXPECT_NE(read.error().hint.find(c.hint_part), std::string::npos)
        << c.text << ": " << read.error().hint;
  }
}

TEST(Units, RefusesDurationsAndSaysWhatWasMeant) {
  expect_refused(parse_duration, {{"10", "missing-unit", "ms, s, m, h"},
                                  {"", "not-a-number", "10m"},
                                  {"m", "not-a-number", "10m"},
                                  {"-5m", "not-a-number", "10m"},
                                  {"+5m", "not-a-number", "10m"},
                                  {" 5m", "not-a-number", "10m"},
                                  {"5 m", "unknown-unit", "10m"},
                                  {"5m ", "unknown-unit", "10m"},
                                  {"10min", "unknown-unit", "Write 10m."},
                                  {"5S", "unknown-unit", "Write 5s."},
                                  {"1.5s", "not-a-number", "smaller unit"},
                                  {"1m30s", "unknown-unit", "10m"},
                                  {"0x10s", "unknown-unit", "10m"},
                                  {"0s", "out-of-range", "10m"},
                                  {"99999999999999999999h", "out-of-range", "10m"},
                                  {"18446744073709551615ms", "out-of-range", "10m"},
                                  {"87601h", "out-of-range", "10m"}});
}

TEST(Units, RefusesSizesAndSaysWhatWasMeant) {
  expect_refused(parse_size, {{"16", "missing-unit", "KiB"},
                              {"16KB", "unknown-unit", "Write 16KiB."},
                              {"1TiB", "unknown-unit", "GiB"},
                              {"17592186044416MiB", "out-of-range", "MiB"},
                              {"0B", "out-of-range", "MiB"}});
}

TEST(Units, RefusesRatesAndSaysWhatWasMeant) {
  expect_refused(parse_rate, {{"10", "missing-unit", "/s"},
                              {"10/m", "unknown-unit", "/s"},
                              {"10/sec", "unknown-unit", "Write 10/s."},
                              {"10s", "unknown-unit", "Write 10/s."},
                              {"0/s", "out-of-range", "/s"},
                              {"100000001/s", "out-of-range", "/s"}});
}

TEST(Units, RefusesPercentages) {
  expect_refused(parse_percent, {{"1", "missing-unit", "%"},
                                 {"0%", "out-of-range", "%"},
                                 {"100.1%", "out-of-range", "%"},
                                 {"1.2.3%", "not-a-number", "%"},
                                 {".5%", "not-a-number", "%"},
                                 {"nan%", "not-a-number", "%"},
                                 {"-1%", "not-a-number", "%"},
                                 {"1%%", "unknown-unit", "%"}});
}

TEST(Units, CountsTakeNoUnit) {
  EXPECT_EQ(parse_count("12", "a pid", 100).value(), 12U);
  expect_refused([](std::string_view t) { return parse_count(t, "a pid", 100); },
                 {{"12s", "not-a-number", "without a unit"},
                  {"-1", "not-a-number", "whole number"},
                  {"", "not-a-number", "whole number"},
                  {"0", "out-of-range", "1 to 100"},
                  {"101", "out-of-range", "1 to 100"},
                  {"18446744073709551616", "out-of-range", "1 to 100"}});
}

TEST(Units, MessagesCannotDriveATerminal) {
  const auto read = parse_duration("1\x1b[2J");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace nohalt
