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

}  // namespace
}  // namespace nohalt
