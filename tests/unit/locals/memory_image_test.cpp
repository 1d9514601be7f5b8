// What is told of memory is there, what is not is absent or marked, what is hidden is
// neither.
#include "probes/stacks/locals/memory_image.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace nohalt::locals {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// "1000:abc 2000:de"
std::string shown(const MemoryImage& image) {
  std::string all;
  for (const auto& segment : image.segments()) {
    all += (all.empty() ? "" : " ") + std::to_string(segment.begin.value) + ":";
    for (const std::byte byte : segment.bytes) all += static_cast<char>(byte);
  }
  return all;
}

TEST(MemoryImage, HoldsWhatIsToldByAddressAndNothingBetween) {
  MemoryImage image;
  image.tell({2000}, bytes("later"));
  image.tell({1000}, bytes("first"));
  EXPECT_EQ(shown(image), "1000:first 2000:later");
}

TEST(MemoryImage, JoinsWhatTouches) {
  MemoryImage image;
  image.tell({1003}, bytes("def"));
  image.tell({1000}, bytes("abc"));
  EXPECT_EQ(shown(image), "1000:abcdef");
}

TEST(MemoryImage, MarksWhatIsNotToldOfAnObject) {
  MemoryImage image;
  image.object({{1000}, {1008}});
  image.tell({1002}, bytes("cd"));
  EXPECT_EQ(shown(image), "1000:**cd****");
}

TEST(MemoryImage, KeepsWhatWasToldFirst) {
  MemoryImage image;
  image.tell({1002}, bytes("first"));
  image.tell({1000}, bytes("later"));
  EXPECT_EQ(shown(image), "1000:lafirst");
}

TEST(MemoryImage, HidesWhatIsToldBeforeAndAfter) {
  MemoryImage image;
  image.tell({1000}, bytes("secrets"));
  image.hide({{1001}, {1004}});
  image.tell({1002}, bytes("cret"));
  EXPECT_EQ(shown(image), "1000:s***ets");
}

TEST(MemoryImage, IsEmptyWhereOnlyHiddenThingsAre) {
  MemoryImage image;
  image.hide({{1000}, {1100}});
  EXPECT_TRUE(image.segments().empty());
}

TEST(MemoryImage, TakesNoRangeThatWraps) {
  MemoryImage image;
  image.tell({~0ULL}, bytes("wraps"));
  image.object({{100}, {50}});
  EXPECT_TRUE(image.segments().empty());
}

}  // namespace
}  // namespace nohalt::locals
