// Times as RFC 3339 with all nine digits.
#include "src/base/time_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace nohalt {
namespace {

TEST(TimeText, WritesNanosecondsInUtc) {
  EXPECT_EQ(rfc3339_utc(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(rfc3339_utc(951'782'400'000'000'001), "2000-02-29T00:00:00.000000001Z");
  EXPECT_EQ(rfc3339_utc(-1), "1969-12-31T23:59:59.999999999Z");
}

TEST(TimeText, HoldsAtTheBoundsOfItsRange) {
  EXPECT_EQ(rfc3339_utc(std::numeric_limits<std::int64_t>::max()),
            "2262-04-11T23:47:16.854775807Z");
  EXPECT_EQ(rfc3339_utc(std::numeric_limits<std::int64_t>::min() + 1),
            "1677-09-21T00:12:43.145224193Z");
}

TEST(TimeText, IsReadBackInEveryFormThatIsTaken) {
  EXPECT_EQ(parse_rfc3339("2000-02-29T00:00:00.000000001Z"), 951'782'400'000'000'001);
  EXPECT_EQ(parse_rfc3339("2000-02-29"), 951'782'400'000'000'000);
  EXPECT_EQ(parse_rfc3339("2000-02-29T00:01Z"), 951'782'460'000'000'000);
  EXPECT_EQ(parse_rfc3339("2000-02-29T00:01:02.5Z"), 951'782'462'500'000'000);
  EXPECT_EQ(parse_rfc3339(rfc3339_utc(-1)), -1);
}

TEST(TimeText, WhatIsNoTimeIsNone) {
  for (const char* text :
       {"", "2000", "2000-13-01", "2001-02-29", "2000-02-29T24:00Z", "2000-02-29T00:00:00",
        "2000-02-29T00:00:00+01:00", "2000-02-29Z", "2000-02-29T00:00:00.Z",
        "2000-02-29T00:00:00.1234567890Z", "-200-02-29", "0001-01-01", "9999-01-01"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

}  // namespace
}  // namespace nohalt
