// The choice of windows: order, contents, and what it may not touch.

#include "probes/engines/inline/sites/window.h"

#include <gtest/gtest.h>

#include "tests/unit/inline_sites/code.h"

namespace nohalt::inline_sites {
namespace {

TEST(Window, PrefersAPlainJumpOverOneInstruction) {
  const TestCode code({0x48, 0xc7, 0xc0, 1, 0, 0, 0, 0xc3});
  const auto window = code.choose();
  ASSERT_TRUE(window);
  EXPECT_EQ(window->kind, WindowKind::kJump);
  EXPECT_EQ(window->changed, 5);
  EXPECT_EQ(window->relied, 5);
  ASSERT_EQ(window->displaced.size(), 1U);
  EXPECT_EQ(window->resume(), kEntry + 7);
}

TEST(Window, PunsOverAShortInstructionWithoutTouchingTheNext) {
  const TestCode code({0x48, 0x89, 0xc3, 0x48, 0x89, 0xd1, 0xc3});
  const auto window = code.choose();
  ASSERT_TRUE(window);
  EXPECT_EQ(window->kind, WindowKind::kPunnedJump);
  EXPECT_EQ(window->changed, 3);
  EXPECT_GE(window->relied, 5);
  EXPECT_EQ(window->resume(), kEntry + 3);
}

TEST(Window, PunsEvenOverOneByte) {
  const TestCode code({0x55, 0x48, 0x89, 0xe5, 0xc3});
  const auto window = code.choose();
  ASSERT_TRUE(window);
  EXPECT_EQ(window->changed, 1);
}

TEST(Window, KeepsOnlyTheFormsThatHaveRoom) {
  const TestCode code({0x48, 0x89, 0xc3, 0x48, 0x89, 0xd1, 0xc3});
  SiteContext context;
  context.placeable = [](const JumpForm& form, LinkAddress) { return form.prefix_count == 1; };
  const auto window = code.choose(0, context);
  ASSERT_TRUE(window);
  ASSERT_EQ(window->forms.size(), 1U);
  EXPECT_EQ(window->forms[0].prefix_count, 1);
  EXPECT_EQ(window->relied, 6);
}

TEST(Window, NeedsNoKnowledgeOfTheRestOfTheFunction) {
  TestCode code({0x48, 0x89, 0xc3, 0xff, 0xe0, 0x06, 0x06, 0x06});  // then an unknown jump, junk
  EXPECT_TRUE(code.choose());
}

TEST(Window, DisplacesReturnsJumpsAndCalls) {
  EXPECT_ALLOWED(refusal_at(TestCode({0xc3})));
  EXPECT_ALLOWED(refusal_at(TestCode({0xeb, 0xfe})));
  EXPECT_ALLOWED(refusal_at(TestCode({0x74, 0x00, 0xc3})));
  EXPECT_ALLOWED(refusal_at(TestCode({0xe3, 0x00, 0xc3})));
  EXPECT_ALLOWED(refusal_at(TestCode({0xff, 0xd0, 0xc3})));
  EXPECT_ALLOWED(refusal_at(TestCode({0xff, 0x15, 0, 0, 0, 0, 0xc3})));
}

TEST(Window, LetsTwoPunsShareTheBytesThatBothOnlyRead) {
  const TestCode code({0x48, 0x89, 0xc3, 0x48, 0x89, 0xd1, 0x90, 0x90, 0xc3});
  const ProbeBytes before{{kEntry - 4, kEntry - 1}, {kEntry - 4, kEntry}};
  SiteContext context;
  context.other_probes = std::span(&before, 1);
  EXPECT_TRUE(code.choose(0, context));
}

}  // namespace
}  // namespace nohalt::inline_sites
