// What descriptors of critical sections keep from being patched.
#include "probes/engines/inline/restartable.h"

#include <gtest/gtest.h>

#include <array>

namespace nohalt::engines {
namespace {

constexpr LoadBias kBias{0x10000};

TEST(Restartable, SectionAndSignatureAreKept) {
  const std::array<std::uint64_t, 8> descriptors = {
      0, 0x11000, 0x20, 0x12000,  // version and flags, start, length, abort
      0, 0x13000, 0x08, 0x14000};
  const auto ranges = restartable_ranges(std::as_bytes(std::span(descriptors)), kBias);
  const std::vector<LinkRange> expected = {
      {{0x1000}, {0x1020}}, {{0x1ffc}, {0x2000}}, {{0x3000}, {0x3008}}, {{0x3ffc}, {0x4000}}};
  EXPECT_EQ(ranges, expected);
}

TEST(Restartable, PaddingAndAPartAtTheEndAreNoDescriptors) {
  const std::array<std::uint64_t, 6> descriptors = {0, 0, 0, 0, 0, 0x11000};
  EXPECT_TRUE(restartable_ranges(std::as_bytes(std::span(descriptors)), kBias).empty());
}

}  // namespace
}  // namespace nohalt::engines
