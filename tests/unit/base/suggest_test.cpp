// Near names: worth naming or not.
#include "src/base/suggest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace nohalt {
namespace {

constexpr std::array<std::string_view, 5> kNames{"--limit", "--hits", "--if", "--for", "--format"};

TEST(Suggest, NamesWhatIsNear) {
  EXPECT_EQ(nearest("--limt", kNames), "--limit");
  EXPECT_EQ(nearest("--lmiit", kNames), "--limit");
  EXPECT_EQ(nearest("--hit", kNames), "--hits");
  EXPECT_EQ(nearest("--form", kNames), "--for");
  EXPECT_EQ(nearest("--fromat", kNames), "--format");
}

TEST(Suggest, LeavesAloneWhatIsNot) {
  EXPECT_EQ(nearest("--verbose", kNames), "");
  EXPECT_EQ(nearest("", kNames), "");
  EXPECT_EQ(nearest(std::string(100'000, 'x'), kNames), "");
}

}  // namespace
}  // namespace nohalt
