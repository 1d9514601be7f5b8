// Each reason to refuse a place, shown by the smallest code that has it; and the
// neighbouring case that is allowed, where there is one.

#include "probes/engines/inline/sites/refusal.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/unit/inline_sites/code.h"

namespace nohalt::inline_sites {
namespace {

constexpr std::uint8_t kRet = 0xc3;

TEST(SiteRefusal, EveryReasonHasItsOwnWords) {
  std::set<std::string_view> tokens;
  for (const RefusalText& text : all_refusals()) {
    EXPECT_TRUE(tokens.insert(text.token).second) << text.token;
    EXPECT_EQ(text.token.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), std::string_view::npos);
    EXPECT_TRUE(text.sentence.ends_with('.')) << text.token;
    EXPECT_TRUE(text.hint.ends_with('.')) << text.token;
    EXPECT_EQ(to_error(text.refusal).reason, text.token);
    EXPECT_EQ(to_error(text.refusal).code, ErrorCode::kRefused);
  }
}

TEST(SiteRefusal, Misaligned) {
  const TestCode code({0x48, 0xc7, 0xc0, 1, 0, 0, 0, kRet});  // mov $1,%rax; ret
  EXPECT_REFUSED(refusal_at(code, 1), kMisaligned);
  EXPECT_REFUSED(refusal_at(code, 100), kMisaligned);
}

TEST(SiteRefusal, UnknownOpcode) {
  const TestCode code({0x06, 0x90, 0x90, 0x90, kRet});  // push es: not in 64-bit mode
  EXPECT_REFUSED(refusal_at(code), kUnknownOpcode);
}

TEST(SiteRefusal, SystemCalls) {
  EXPECT_REFUSED(refusal_at(TestCode({0x0f, 0x05, 0x90, 0x90, 0x90, kRet})), kSystemCall);
  EXPECT_REFUSED(refusal_at(TestCode({0x0f, 0x34, 0x90, 0x90, 0x90, kRet})), kSystemCall);
  EXPECT_REFUSED(refusal_at(TestCode({0xcd, 0x80, 0x90, 0x90, 0x90, kRet})), kSystemCall);
}

TEST(SiteRefusal, Traps) {
  EXPECT_REFUSED(refusal_at(TestCode({0xcc, 0x90, 0x90, 0x90, 0x90, kRet})), kTrap);
  EXPECT_REFUSED(refusal_at(TestCode({0xf1, 0x90, 0x90, 0x90, 0x90, kRet})), kTrap);
  EXPECT_REFUSED(refusal_at(TestCode({0x0f, 0x0b, 0x90, 0x90, 0x90, kRet})), kTrap);
}

TEST(SiteRefusal, PrivilegedInstructions) {
  EXPECT_REFUSED(refusal_at(TestCode({0xf4, 0x90, 0x90, 0x90, 0x90, kRet})), kPrivileged);  // hlt
  EXPECT_REFUSED(refusal_at(TestCode({0xec, 0x90, 0x90, 0x90, 0x90, kRet})), kPrivileged);  // in
  EXPECT_REFUSED(refusal_at(TestCode({0x0f, 0x01, 0xf8, 0x90, 0x90, kRet})),
                 kPrivileged);  // swapgs
}

TEST(SiteRefusal, Evex) {
  EXPECT_REFUSED(refusal_at(TestCode({0x62, 0xf1, 0x7c, 0x48, 0x28, 0xc1, kRet})), kEvex);
}

TEST(SiteRefusal, LockPrefix) {
  EXPECT_REFUSED(refusal_at(TestCode({0xf0, 0x48, 0x0f, 0xb1, 0x0f, kRet})), kLock);
  EXPECT_ALLOWED(refusal_at(TestCode({0x48, 0x0f, 0xb1, 0x4f, 0x08, kRet})));  // without: cmpxchg
}

TEST(SiteRefusal, Transactions) {
  EXPECT_REFUSED(refusal_at(TestCode({0xc7, 0xf8, 0, 0, 0, 0, kRet})), kTransaction);  // xbegin
  EXPECT_REFUSED(refusal_at(TestCode({0x0f, 0x01, 0xd5, 0x90, 0x90, kRet})), kTransaction);  // xend
}

TEST(SiteRefusal, ExceptionMasking) {
  EXPECT_REFUSED(refusal_at(TestCode({0x8e, 0xd0, 0x90, 0x90, 0x90, kRet})), kExceptionMasking);
  EXPECT_REFUSED(refusal_at(TestCode({0x9d, 0x90, 0x90, 0x90, 0x90, kRet})), kExceptionMasking);
  EXPECT_REFUSED(refusal_at(TestCode({0xfb, 0x90, 0x90, 0x90, 0x90, kRet})), kExceptionMasking);
}

TEST(SiteRefusal, FarTransfers) {
  EXPECT_REFUSED(refusal_at(TestCode({0xcb, 0x90, 0x90, 0x90, 0x90, kRet})), kFarTransfer);
  EXPECT_REFUSED(refusal_at(TestCode({0x48, 0xcf, 0x90, 0x90, 0x90, kRet})), kFarTransfer);
  EXPECT_REFUSED(refusal_at(TestCode({0xff, 0x28, 0x90, 0x90, 0x90, kRet})), kFarTransfer);
  EXPECT_REFUSED(refusal_at(TestCode({0xff, 0x18, 0x90, 0x90, 0x90, kRet})), kFarTransfer);
}

TEST(SiteRefusal, OperandSizeBranch) {
  EXPECT_REFUSED(refusal_at(TestCode({0x66, 0xe9, 0, 0, 0, 0, kRet})), kOddBranch);
  EXPECT_REFUSED(refusal_at(TestCode({0x66, 0xc3, 0x90, 0x90, 0x90, kRet})), kOddBranch);
  // With REX.W the prefix means nothing: calls for thread-local storage have both.
  EXPECT_ALLOWED(refusal_at(TestCode({0x66, 0x48, 0xe8, 0, 0, 0, 0, kRet})));
}

TEST(SiteRefusal, StackOperand) {
  EXPECT_REFUSED(refusal_at(TestCode({0xff, 0x54, 0x24, 0xf8, 0x90, kRet})), kStackOperand);
  EXPECT_REFUSED(refusal_at(TestCode({0xff, 0x54, 0xc4, 0x08, 0x90, kRet})), kStackOperand);
  EXPECT_REFUSED(refusal_at(TestCode({0xff, 0xd4, 0x90, 0x90, 0x90, kRet})), kStackOperand);
  EXPECT_ALLOWED(refusal_at(TestCode({0xff, 0x94, 0x24, 8, 0, 0, 0, kRet})));  // call *8(%rsp)
}

TEST(SiteRefusal, ShadowStackPointer) {
  EXPECT_REFUSED(refusal_at(TestCode({0xf3, 0x48, 0x0f, 0x1e, 0xc8, kRet})), kShadowStackPointer);
  EXPECT_REFUSED(refusal_at(TestCode({0xf3, 0x48, 0x0f, 0xae, 0xe8, kRet})), kShadowStackPointer);
}

TEST(SiteRefusal, MemoryFaultHandler) {
  TargetTraits target;
  target.handles_memory_faults = true;
  const TestCode load({0x48, 0x8b, 0x84, 0x24, 8, 0, 0, 0, kRet});  // mov 8(%rsp),%rax
  EXPECT_REFUSED(refusal_at(load, 0, target), kMemoryFaultHandler);
  EXPECT_REFUSED(refusal_at(load, 8, target), kMemoryFaultHandler);      // ret reads the stack
  const TestCode no_memory({0x48, 0x8d, 0x84, 0x24, 8, 0, 0, 0, kRet});  // lea
  EXPECT_ALLOWED(refusal_at(no_memory, 0, target));
  const TestCode padding({0x66, 0x0f, 0x1f, 0x44, 0, 0, kRet});  // nop names memory only
  EXPECT_ALLOWED(refusal_at(padding, 0, target));
}

TEST(SiteRefusal, ArithmeticFaultHandler) {
  TargetTraits target;
  target.handles_arithmetic_faults = true;
  const TestCode divide({0x48, 0xf7, 0xf9, 0x90, 0x90, kRet});
  EXPECT_REFUSED(refusal_at(divide, 0, target), kArithmeticFaultHandler);
  const TestCode add({0xf2, 0x0f, 0x58, 0xc1, 0x90, kRet});  // addsd
  EXPECT_REFUSED(refusal_at(add, 0, target), kArithmeticFaultHandler);
  const TestCode move({0x66, 0x44, 0x0f, 0x6f, 0xc1, kRet});  // movdqa
  EXPECT_ALLOWED(refusal_at(move, 0, target));
}

TEST(SiteRefusal, RestartableSequence) {
  const TestCode code({0xb8, 1, 0, 0, 0, 0xb8, 2, 0, 0, 0, 0xb8, 3, 0, 0, 0, kRet});
  TargetTraits target;
  target.restartable_sequences = {{kEntry + 5, kEntry + 10}};
  EXPECT_ALLOWED(refusal_at(code, 0, target));
  EXPECT_REFUSED(refusal_at(code, 5, target), kRestartableSequence);
  EXPECT_ALLOWED(refusal_at(code, 10, target));
}

TEST(SiteRefusal, ManagedStack) {
  TargetTraits target;
  target.managed_stack = true;
  EXPECT_REFUSED(refusal_at(TestCode({0xb8, 1, 0, 0, 0, kRet}), 0, target), kManagedStack);
}

TEST(SiteRefusal, CrossesPage) {
  // mov $imm32,%eax with its last byte on the next page.
  const TestCode code({0xb8, 1, 0, 0, 0, kRet}, {0x90, 0x90, 0x90, 0x90}, {0x401ffc});
  EXPECT_REFUSED(refusal_at(code), kCrossesPage);
  // A pun whose borrowed bytes are there: the page is swapped whole, so no.
  const TestCode pun({0x89, 0xc3, 0x90, 0x90, 0x90, 0x90, kRet}, {}, {0x401ffc});
  SiteContext context;
  EXPECT_FALSE(pun.choose(0, context));
}

TEST(SiteRefusal, OtherProbe) {
  const TestCode code({0x48, 0x89, 0xc3, 0xb8, 1, 0, 0, 0, kRet});  // mov; mov $1,%eax
  const ProbeBytes second{{kEntry + 3, kEntry + 8}, {kEntry + 3, kEntry + 8}};
  SiteContext context;
  context.other_probes = std::span(&second, 1);
  const auto window = code.choose(0, context);  // its pun would borrow the other's bytes
  ASSERT_FALSE(window);
  EXPECT_EQ(window.error(), SiteRefusal::kOtherProbe);
  const ProbeBytes pun{{kEntry, kEntry + 3}, {kEntry, kEntry + 5}};
  context.other_probes = std::span(&pun, 1);
  EXPECT_EQ(code.choose(3, context).error(), SiteRefusal::kOtherProbe);  // and the other way round
}

TEST(SiteRefusal, OverlappingCode) {
  // jmp into the middle of the mov: code that is read in two ways.
  const TestCode code({0xeb, 0x01, 0xb8, 0x90, 0x90, 0x90, 0x90, kRet});
  EXPECT_REFUSED(refusal_at(code, 2), kOverlappingCode);
}

TEST(SiteRefusal, NoTrampolineRoom) {
  const TestCode code({0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, kRet});
  SiteContext context;
  context.placeable = [](const JumpForm&, LinkAddress) { return false; };
  const auto window = code.choose(0, context);
  ASSERT_FALSE(window);
  EXPECT_EQ(window.error(), SiteRefusal::kNoTrampolineRoom);
}

}  // namespace
}  // namespace nohalt::inline_sites
