// Jumps over one instruction: where they can lead, and that this processor goes
// where the arithmetic says, prefixes or not.

#include "probes/engines/inline/sites/jump_form.h"

#include <gtest/gtest.h>

#include <array>

#include "probes/engines/inline/sites/instruction.h"
#include "tests/unit/inline_sites/code_page.h"

namespace nohalt::inline_sites {
namespace {

// mov %rax,%rbx; mov %rdx,%rcx; ...
const std::vector<std::uint8_t> kBytes = {0x48, 0x89, 0xc3, 0x48, 0x89, 0xd1, 0x55, 0x41, 0x57};

TEST(JumpForm, OverFiveBytesReachesAllOfTwoGigabytes) {
  const auto forms = jump_forms(kBytes, 5, 0x1000);
  ASSERT_EQ(forms.size(), 1U);
  EXPECT_EQ(forms[0].first(), 5 + std::int64_t{INT32_MIN});
  EXPECT_EQ(forms[0].last(), 5 + std::int64_t{INT32_MAX});
}

TEST(JumpForm, OverThreeBytesIsBoundByTheTwoThatFollow) {
  const auto forms = jump_forms(kBytes, 3, 0x1000);
  ASSERT_EQ(forms.size(), 3U);
  const std::int64_t fixed = static_cast<std::int32_t>(0x8948'0000);
  EXPECT_EQ(forms[0].first(), 5 + fixed);
  EXPECT_EQ(forms[0].last(), 5 + fixed + 0xffff);
  EXPECT_EQ(forms[1].changed(), 3);
  EXPECT_EQ(forms[1].first(), 6 + std::int64_t{static_cast<std::int32_t>(0xd189'4800)});
  EXPECT_EQ(forms[2].first(), forms[2].last());  // nothing left to choose
}

TEST(JumpForm, StaysOnItsPage) {
  EXPECT_TRUE(jump_forms(kBytes, 3, 0x1ffc).empty());
  EXPECT_EQ(jump_forms(kBytes, 3, 0x1ffb).size(), 1U);
}

TEST(JumpForm, NeedsTheBytesThatItBorrows) {
  EXPECT_TRUE(jump_forms(std::span(kBytes).first(4), 3, 0x1000).empty());
}

TEST(JumpForm, IsClippedToUserSpace) {
  const auto forms = jump_forms(kBytes, 3, 0x401000);
  EXPECT_FALSE(reachable(forms[0], {0x401000}));  // 2 GiB below a low address
  EXPECT_TRUE(reachable(forms[0], {0x5555'5555'5000}));
}

TEST(JumpForm, RefusesATrampolineOutOfItsReach) {
  const auto forms = jump_forms(kBytes, 3, 0x5555'5555'5000);
  const auto range = *reachable(forms[0], {0x5555'5555'5000});
  EXPECT_TRUE(encode_jump(forms[0], {0x5555'5555'5000}, range.begin));
  EXPECT_TRUE(encode_jump(forms[0], {0x5555'5555'5000}, range.end - 1));
  EXPECT_FALSE(encode_jump(forms[0], {0x5555'5555'5000}, range.end));
  EXPECT_FALSE(encode_jump(forms[0], {0x5555'5555'5000}, range.begin - 1));
}

// Each form is executed: a punned jump over an instruction of each length, to the
// first and the last address that it reaches.
TEST(JumpForm, LeadsWhereItSaysOnThisProcessor) {
  CodePage page(0);
  ASSERT_TRUE(page.usable());
  const std::uint64_t at = page.address() + 64;
  constexpr std::array<std::uint8_t, 6> kReturnSeven = {0xb8, 7, 0, 0, 0, 0xc3};  // mov $7; ret
  int executed = 0;
  for (std::uint8_t length = 1; length <= 8; ++length) {
    // The bytes that follow choose how far: keep it about a GiB below.
    std::vector<std::uint8_t> bytes(16, std::uint8_t{0xc1});
    for (const JumpForm& form : jump_forms(bytes, length, at)) {
      for (const std::int64_t distance : {form.first(), form.last()}) {
        const std::uint64_t landing = at + static_cast<std::uint64_t>(distance);
        CodePage trampoline(page_floor(landing));
        if (!trampoline.holds(landing, kReturnSeven.size())) continue;
        CodePage::write(landing, kReturnSeven);
        const auto jump = encode_jump(form, {at}, {landing});
        ASSERT_TRUE(jump);
        CodePage::write(at, bytes);
        CodePage::write(at, *jump);
        EXPECT_EQ(CodePage::call(at), 7)
            << "length " << int{length} << ", prefixes " << int{form.prefix_count};
        const auto read_back = decode(std::span(reinterpret_cast<std::uint8_t*>(at), 16));
        ASSERT_TRUE(read_back);
        EXPECT_EQ(read_back->length, form.length());
        EXPECT_EQ(read_back->relative + read_back->length, distance);
        ++executed;
      }
    }
  }
  EXPECT_GE(executed, 8);
}

}  // namespace
}  // namespace nohalt::inline_sites
