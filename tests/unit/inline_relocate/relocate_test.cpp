// Relocation, byte by byte: what must hold whatever the instruction does when run.

#include "probes/engines/inline/relocate/relocate.h"

#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>

namespace nohalt::inline_relocate {
namespace {

using inline_sites::decode;
using inline_sites::Instruction;
using inline_sites::SiteRefusal;

constexpr RuntimeAddress kOriginal{0x5555'5555'5000};
constexpr RuntimeAddress kNear{0x5555'5000'0000};
constexpr RuntimeAddress kFar{0x7fff'0000'0000};

std::vector<Instruction> instructions(std::initializer_list<std::uint8_t> bytes) {
  std::vector<std::uint8_t> code(bytes);
  std::vector<Instruction> found;
  for (std::span<const std::uint8_t> rest(code); !rest.empty();) {
    const auto next = decode(rest);
    if (!next) return {};
    found.push_back(*next);
    rest = rest.subspan(next->length);
  }
  return found;
}

TEST(Relocate, GoesBackBehindTheWindow) {
  const auto code = instructions({0x90, 0x48, 0x89, 0xc3});  // nop; mov %rax,%rbx
  const auto moved = relocate(code, kOriginal, kNear);
  ASSERT_TRUE(moved);
  ASSERT_EQ(moved->bytes.size(), 9U);
  const auto back = decode(std::span(moved->bytes).subspan(4));
  ASSERT_TRUE(back);
  EXPECT_EQ((kNear + 9).value + static_cast<std::uint64_t>(back->relative), (kOriginal + 4).value);
}

TEST(Relocate, AddsNoWayBackAfterAJump) {
  const auto moved = relocate(instructions({0xff, 0xe0}), kOriginal, kNear);  // jmp *%rax
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->bytes, (std::vector<std::uint8_t>{0xff, 0xe0}));
}

TEST(Relocate, KeepsTheOriginalReturnAddressOfACall) {
  const auto moved = relocate(instructions({0xe8, 0, 1, 0, 0}), kOriginal, kNear);
  ASSERT_TRUE(moved);
  std::uint64_t pushed = 0;
  ASSERT_GT(moved->bytes.size(), sizeof pushed);
  std::memcpy(&pushed, &moved->bytes[moved->bytes.size() - sizeof pushed], sizeof pushed);
  EXPECT_EQ(pushed, (kOriginal + 5).value);
}

TEST(Relocate, GoesNowhereWhereSomethingElseFollows) {
  const auto moved = relocate(instructions({0x89, 0xf8, 0x5b}), kOriginal, kNear, false);
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->bytes, (std::vector<std::uint8_t>{0x89, 0xf8, 0x5b}));
}

TEST(Relocate, RefusesACallThatIsNotLast) {
  const auto moved = relocate(instructions({0xff, 0xd0, 0x90}), kOriginal, kNear);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error(), SiteRefusal::kCallNotLast);
}

TEST(Relocate, RefusesAnOperandOutOfReach) {
  const auto code = instructions({0x48, 0x8b, 0x05, 0, 1, 0, 0});  // mov x(%rip),%rax
  const auto moved = relocate(code, kOriginal, kFar);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error(), SiteRefusal::kRelocationOutOfReach);
}

TEST(Relocate, TellsFromWhereAnOperandIsInReach) {
  const auto code = instructions({0x48, 0x8b, 0x05, 0, 1, 0, 0});
  const auto reach = relocation_reach(code, kOriginal);
  ASSERT_TRUE(reach);
  EXPECT_TRUE(relocate(code, kOriginal, reach->begin));
  EXPECT_TRUE(relocate(code, kOriginal, reach->end - 1));
  EXPECT_FALSE(relocate(code, kOriginal, reach->begin - 64));
  EXPECT_FALSE(relocate(code, kOriginal, reach->end + 64));
}

}  // namespace
}  // namespace nohalt::inline_relocate
