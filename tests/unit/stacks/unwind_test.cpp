// One rule of unwinding a test, on stacks whose every word is known.
#include "probes/stacks/unwind.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/stacks/made_stack.h"

namespace nohalt::stacks {
namespace {

using Names = std::vector<std::string>;

const MadeStack& through_outer() {
  static const MadeStack kMade = MadeStack().push("in_outer").push(0xb0b).push("in_start");
  return kMade;
}

TEST(Unwind, WalksToTheOutermostFrame) {
  const Unwound unwound = walk(through_outer().captured_at("inner_pc"));
  EXPECT_EQ(unwound.ending, Ending::kOutermost);
  EXPECT_EQ(names(unwound), (Names{"inner", "outer", "_start"}));
  ASSERT_EQ(unwound.frames.size(), 3);
  EXPECT_EQ(unwound.frames[0].kind, FrameKind::kFirst);
  EXPECT_EQ(unwound.frames[1].kind, FrameKind::kNormal);
  EXPECT_EQ(unwound.frames[1].pc, at("in_outer"));
  EXPECT_EQ(unwound.frames[1].lookup_pc, at("in_outer") - 1);
  EXPECT_EQ(unwound.frames[1].link_pc.value + kBias, unwound.frames[1].lookup_pc.value);
  EXPECT_EQ(unwound.frames[0].cfa, RuntimeAddress{kStack + 8});
  EXPECT_EQ(unwound.frames[1].cfa, RuntimeAddress{kStack + 24});
  EXPECT_EQ(unwound.frames[1].module, made_program());
  EXPECT_EQ(unwound.frames[1].build_id.size(), 40);
}

TEST(Unwind, GivesEachFrameItsOwnRegisters) {
  const Unwound unwound = walk(through_outer().captured_at("inner_pc"));
  ASSERT_EQ(unwound.frames.size(), 3);
  constexpr std::size_t kRbx = 3;
  EXPECT_EQ(unwound.frames[1].registers[kRbx], 0x1111);
  EXPECT_EQ(unwound.frames[2].registers[kRbx], 0xb0b);
  EXPECT_EQ(unwound.frames[2].registers[kRsp], kStack + 24);
}

TEST(Unwind, TellsWhereRegistersAreKeptAndWhatLedFromFrameToFrame) {
  const Unwound unwound = walk(through_outer().captured_at("inner_pc"));
  ASSERT_EQ(unwound.frames.size(), 3);
  constexpr std::size_t kRbx = 3;
  EXPECT_EQ(unwound.frames[1].origins[kRbx], (Origin{Origin::Kind::kRegister, kRbx}));
  EXPECT_EQ(unwound.frames[2].origins[kRbx], (Origin{Origin::Kind::kStack, kStack + 8}));
  const auto guides = [&](const Origin& origin) {
    return std::ranges::find(unwound.guides, origin) != unwound.guides.end();
  };
  EXPECT_TRUE(guides({Origin::Kind::kRegister, kRsp}));
  EXPECT_TRUE(guides({Origin::Kind::kStack, kStack}));
  EXPECT_TRUE(guides({Origin::Kind::kStack, kStack + 16}));
  EXPECT_FALSE(guides({Origin::Kind::kStack, kStack + 8}));
  EXPECT_FALSE(guides({Origin::Kind::kRegister, kRbx}));
}

TEST(Unwind, TakesRegistersThatCallsDoNotPreserveForLost) {
  const Unwound unwound = walk(through_outer().captured_at("inner_pc"));
  ASSERT_EQ(unwound.frames.size(), 3);
  for (const std::size_t number : {0, 1, 2, 4, 5, 8, 9, 10, 11}) {
    EXPECT_TRUE(unwound.frames[0].registers[number]);
    EXPECT_FALSE(unwound.frames[1].registers[number]) << number;
  }
}

TEST(Unwind, SaysThatTheStackWasCutAndReadsNothingBeyond) {
  MadeStack stack;
  const Unwound unwound = walk(stack.push("in_outer").push(1).captured_at("inner_pc"));
  EXPECT_EQ(unwound.ending, Ending::kStackCut);
  EXPECT_EQ(names(unwound), (Names{"inner", "outer"}));
  EXPECT_EQ(walk(MadeStack().captured_at("inner_pc")).ending, Ending::kStackCut);
}

TEST(Unwind, SaysThatTheStackWasCutWhereARegisterOfTheNextFrameWasSavedBeyond) {
  // At `pop`'s successor the rule of rbp still names the word below rsp.
  MadeStack stack;
  CapturedStack captured = stack.push("in_framed").captured_at("in_framed");
  captured.registers[kPc] = at("in_framed").value + 1;
  const Unwound unwound = walk(captured);
  EXPECT_EQ(unwound.ending, Ending::kStackCut);
  EXPECT_EQ(unwound.frames.size(), 2);
}

TEST(Unwind, LooksACallThatEndsItsFunctionUpInThatFunction) {
  MadeStack stack;
  const Unwound unwound =
      walk(stack.push("behind_outer").push(1).push("in_start").captured_at("ends"));
  EXPECT_EQ(unwound.ending, Ending::kOutermost);
  EXPECT_EQ(names(unwound), (Names{"ends", "outer", "_start"}));
}

TEST(Unwind, GoesThroughASignalFrameToTheVeryInstructionThatWasInterrupted) {
  // Interrupted at the first instruction of `inner`, before which `outer` ends.
  MadeStack stack;
  stack.push("in_restorer").push("inner_pc").push(kStack + 24);
  stack.push("in_outer").push(0xb0b).push("in_start");
  const Unwound unwound = walk(stack.captured_at("inner_pc"));
  EXPECT_EQ(unwound.ending, Ending::kOutermost);
  EXPECT_EQ(names(unwound), (Names{"inner", "restorer", "inner", "outer", "_start"}));
  ASSERT_EQ(unwound.frames.size(), 5);
  EXPECT_EQ(unwound.frames[1].kind, FrameKind::kSignal);
  EXPECT_EQ(unwound.frames[2].kind, FrameKind::kNormal);
  EXPECT_EQ(unwound.frames[2].lookup_pc, unwound.frames[2].pc);
  EXPECT_EQ(unwound.frames[3].lookup_pc, unwound.frames[3].pc - 1);
}

TEST(Unwind, TakesASignalOnAnotherStackForACut) {
  MadeStack stack;
  stack.push("in_restorer").push("inner_pc").push(kStack - 0x10000);
  const Unwound unwound = walk(stack.captured_at("inner_pc"));
  EXPECT_EQ(unwound.ending, Ending::kStackCut);
  EXPECT_EQ(unwound.frames.size(), 3);
}

TEST(Unwind, DoesNotTakeAFunctionThatLosesRbpForTheOutermost) {
  MadeStack stack;
  const Unwound unwound = walk(stack.push("in_loses_rbp").push("in_start").captured_at("inner_pc"));
  EXPECT_EQ(names(unwound), (Names{"inner", "loses_rbp", "_start"}));
  ASSERT_EQ(unwound.frames.size(), 3);
  EXPECT_FALSE(unwound.frames[2].registers[kRbp]);
}

TEST(Unwind, TakesRbxForLostOnlyWhereTheFileSaysSo) {
  constexpr std::size_t kRbx = 3;
  for (const bool is_lost : {false, true}) {
    MadeStack stack;
    stack.push(is_lost ? "in_loses_rbx" : "in_loses_rbp").push("in_start");
    const Unwound unwound = walk(stack.captured_at("inner_pc"));
    ASSERT_EQ(unwound.frames.size(), 3);
    EXPECT_EQ(unwound.frames[1].registers[kRbx], 0x1111);
    EXPECT_EQ(unwound.frames[2].registers[kRbx].has_value(), !is_lost);
  }
}

TEST(Unwind, SaysUnreliableWhereTheNextFrameNeedsALostRegister) {
  MadeStack stack;
  stack.push("in_loses_rbp").push("in_framed").push(1).push(2);
  const Unwound unwound = walk(stack.captured_at("inner_pc"));
  EXPECT_EQ(unwound.ending, Ending::kUnreliable);
  EXPECT_EQ(names(unwound), (Names{"inner", "loses_rbp", "framed"}));
  EXPECT_FALSE(unwound.frames.back().cfa);
}

TEST(Unwind, GoesThroughFramesThatSaveVectorRegisters) {
  MadeStack stack;
  const Unwound unwound =
      walk(stack.push("in_keeps_vector").push(1).push("in_start").captured_at("inner_pc"));
  EXPECT_EQ(names(unwound), (Names{"inner", "keeps_vector", "_start"}));
  ASSERT_EQ(unwound.frames.size(), 3);
  EXPECT_EQ(unwound.frames[2].registers[12], kStack + 24 + 24);
}

TEST(Unwind, SaysUnreliableWhereAReturnAddressFollowsNoCall) {
  MadeStack stack;
  const Unwound unwound = walk(stack.push("in_inner").push("in_start").captured_at("inner_pc"));
  EXPECT_EQ(unwound.ending, Ending::kUnreliable);
  EXPECT_EQ(unwound.frames.size(), 1);
}

TEST(Unwind, SaysUnreliableWhereAReturnAddressIsNotCode) {
  for (const std::uint64_t word : {std::uint64_t{0}, std::uint64_t{1}, kStack, ~std::uint64_t{0}}) {
    const Unwound unwound = walk(MadeStack().push(word).captured_at("inner_pc"));
    EXPECT_EQ(unwound.ending, Ending::kUnreliable) << word;
    EXPECT_EQ(unwound.frames.size(), 1);
  }
}

TEST(Unwind, TakesANullReturnAddressWithANullRbpForTheOutermost) {
  CapturedStack captured = MadeStack().captured_at("inner_pc");
  const std::uint64_t null = 0;
  captured.bytes = std::as_bytes(std::span(&null, 1));
  captured.registers[kRbp] = 0;
  EXPECT_EQ(walk(captured).ending, Ending::kOutermost);
}

TEST(Unwind, SaysUnreliableWhereTheNextFrameWouldNotLieAbove) {
  MadeStack stack;
  stack.push("in_framed").push(1).push("in_start");
  CapturedStack captured = stack.captured_at("inner_pc");
  captured.registers[kRbp] = kStack - 16;  // so that `framed` would be at kStack
  const Unwound unwound = walk(captured);
  EXPECT_EQ(unwound.ending, Ending::kUnreliable);
  EXPECT_EQ(names(unwound), Names{"inner"});
}

TEST(Unwind, EndsWhereAFunctionHasNoInformation) {
  MadeStack stack;
  const Unwound unwound = walk(stack.push("in_bare").push("in_start").captured_at("inner_pc"));
  EXPECT_EQ(unwound.ending, Ending::kNoInformation);
  EXPECT_EQ(names(unwound), (Names{"inner", "bare"}));
  EXPECT_NE(unwound.why.find(made_program()), std::string::npos);
}

TEST(Unwind, StopsAtTheFrameLimit) {
  const Unwound unwound = walk(through_outer().captured_at("inner_pc"), {}, {.max_frames = 2});
  EXPECT_EQ(unwound.ending, Ending::kFrameLimit);
  EXPECT_EQ(unwound.frames.size(), 2);
}

TEST(Unwind, NeedsThePcAndTheStackPointer) {
  CapturedStack captured = through_outer().captured_at("inner_pc");
  captured.registers[kRsp].reset();
  const Result<Unwound> unwound = unwind(captured, made_images());
  ASSERT_FALSE(unwound.has_value());
  EXPECT_EQ(unwound.error().reason, "no-registers");
}

TEST(Unwind, TakesAProbesCodeForItsSite) {
  constexpr RuntimeAddress kProbe{0x9000'0000};
  CapturedStack captured = through_outer().captured_at("inner_pc");
  captured.registers[kPc] = kProbe.value;
  const auto as = [](bool is_as_at_site) {
    return [is_as_at_site](RuntimeAddress pc) -> std::optional<ProbeCode> {
      if (pc != kProbe) return std::nullopt;
      return ProbeCode{at("inner_pc"), is_as_at_site};
    };
  };
  const Unwound whole = walk(captured, {.probe_code = as(true)});
  EXPECT_EQ(names(whole), (Names{"inner", "outer", "_start"}));
  EXPECT_EQ(whole.frames[0].pc, at("inner_pc"));
  const Unwound partial = walk(captured, {.probe_code = as(false)});
  EXPECT_EQ(names(partial), Names{"inner"});
  EXPECT_EQ(partial.ending, Ending::kUnreliable);
}

}  // namespace
}  // namespace nohalt::stacks
