// After a hit the thread must not be able to tell that there was one.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/runtime/in_process_run.h"
#include "tests/unit/runtime/programs.h"

extern "C" {
// As register_harness.S lays it out.
struct MachineState {
  std::uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15;
  std::uint64_t flags;
  std::uint32_t mxcsr, pad;
  std::uint8_t ymm[16][32];
};
extern MachineState nohalt_test_in;
extern MachineState nohalt_test_out;
extern std::uint64_t nohalt_test_target;
extern char nohalt_test_back[];
void nohalt_test_run_state();
}
static_assert(sizeof(MachineState) == 656);

namespace nohalt {
namespace {

using testing::InProcessRun;

constexpr std::uint64_t kStatusFlags = 0x8d5;  // OF SF ZF AF PF CF
constexpr std::uint64_t kDirection = 0x400;
constexpr std::uint64_t kIdFlag = 1 << 21;

class Exactness : public ::testing::Test {
 protected:
  Exactness() : run_({{.body_size = 40, .hits_per_second = 1000}}), stack_(4096) {
    run_.open_wide();
  }

  // Far enough inside the stack, at any alignment a thread could have.
  void randomise(MachineState& state) {
    for (std::size_t i = 0; i < sizeof state; i += 8) {
      const std::uint64_t word = random_();
      std::memcpy(reinterpret_cast<char*>(&state) + i, &word, 8);
    }
    state.flags = 0x202 | (state.flags & (kStatusFlags | kDirection | kIdFlag));
    state.mxcsr = 0x1f80 | (state.mxcsr & 0xe03f);  // exceptions stay masked
    state.pad = 0;
    if (rdi_is_zero_) state.rdi = 0;
    state.rsp = reinterpret_cast<std::uint64_t>(stack_.data()) + 2048 + random_() % 64;
    for (auto& byte : stack_) byte = static_cast<std::uint8_t>(random_());
  }

  // Runs random states through the trampoline and reports the first difference.
  void expect_untouched(std::uint64_t trampoline, int rounds) {
    nohalt_test_target = trampoline;
    for (int round = 0; round < rounds; ++round) {
      randomise(nohalt_test_in);
      const std::vector<std::uint8_t> before = stack_;
      nohalt_test_run_state();
      ASSERT_EQ(0, std::memcmp(&nohalt_test_in, &nohalt_test_out, sizeof(MachineState)))
          << difference() << " in round " << round;
      const std::size_t kept =
          nohalt_test_in.rsp - 128 - reinterpret_cast<std::uint64_t>(stack_.data());
      ASSERT_TRUE(std::equal(before.begin() + static_cast<long>(kept), before.end(),
                             stack_.begin() + static_cast<long>(kept)))
          << "the red zone or what is above it, in round " << round;
      for (std::size_t i = 0; i < run_.tool_side().layout().sites[0].slot_count; ++i)
        std::memset(run_.tool_side().slot(0, i), 0, 8);
    }
  }

  static std::string difference() {
    for (std::size_t i = 0; i < sizeof(MachineState); i += 8)
      if (std::memcmp(reinterpret_cast<char*>(&nohalt_test_in) + i,
                      reinterpret_cast<char*>(&nohalt_test_out) + i, 8) != 0)
        return "word " + std::to_string(i / 8);
    return "none";
  }

  std::uint64_t trampoline(testing::BodyMaker body, std::uint32_t xmm_count = 0,
                           std::uint32_t body_stack = 32) {
    testing::TrampolineOptions options;
    options.xmm_count = xmm_count;
    options.body_stack = body_stack;
    options.displaced = {};
    options.resume = reinterpret_cast<std::uint64_t>(nohalt_test_back);
    return run_.add_trampoline(0, body, options);
  }

  std::uint64_t translated(const program::Program& program) {
    testing::TrampolineOptions options;
    options.displaced = {};
    options.resume = reinterpret_cast<std::uint64_t>(nohalt_test_back);
    return run_.add_program(0, program, options);
  }

  // One hit with random registers; the record's body as words.
  std::vector<std::uint64_t> one_record(std::uint64_t trampoline, std::size_t words) {
    nohalt_test_target = trampoline;
    randomise(nohalt_test_in);
    const std::uint64_t seq = run_.probe(0).next_seq;
    nohalt_test_run_state();
    std::vector<std::uint64_t> body(words);
    const std::uint64_t slot = seq % run_.tool_side().layout().sites[0].slot_count;
    std::memcpy(body.data(), run_.tool_side().slot(0, slot) + sizeof(runtime::RecordHeader),
                8 * words);
    return body;
  }

  InProcessRun run_;
  std::vector<std::uint8_t> stack_;
  bool rdi_is_zero_ = false;
  std::uint64_t last_tsc_ = 0;
  std::mt19937_64 random_{20240611};
};

TEST_F(Exactness, FullHitLeavesEveryRegisterAndByte) {
  expect_untouched(trampoline(testing::capture_three), 5000);
}

TEST_F(Exactness, AdmittedHitLeavesEveryRegisterAndByte) {
  expect_untouched(translated(testing::capture_words()), 5000);
  EXPECT_EQ(run_.probe(0).next_seq, 5000u);
  EXPECT_GT(run_.probe(0).cost_samples, 64u);
}

TEST_F(Exactness, AdmittedHitThatCapturesOtherRegistersLeavesThem) {
  expect_untouched(translated(testing::capture_others()), 5000);
}

TEST_F(Exactness, AdmittedHitWithSystemCallLeavesEveryRegisterAndByte) {
  expect_untouched(translated(testing::capture_pointee()), 2000);
}

TEST_F(Exactness, HitWithConditionLeavesEveryRegisterAndByte) {
  const std::uint64_t entry = translated(testing::capture_words(true));
  expect_untouched(entry, 5000);
  EXPECT_EQ(run_.probe(0).next_seq, 5000u);
  run_.probe(0).seq_limit = 0;
  expect_untouched(entry, 2000);
  EXPECT_EQ(run_.probe(0).suppressed, 2000u);
}

TEST_F(Exactness, HitThatDoesNotMatchLeavesEveryRegisterAndByte) {
  rdi_is_zero_ = true;
  expect_untouched(translated(testing::capture_words(true)), 5000);
  EXPECT_EQ(run_.probe(0).unmatched, 5000u);
  EXPECT_GT(run_.probe(0).quick_cost_ticks, 0u);
  EXPECT_GT(run_.probe(0).cpu_ticks_used, 0u);
}

TEST_F(Exactness, HitsThatDoNotMatchAreChargedByTheBatch) {
  rdi_is_zero_ = true;
  const std::uint64_t entry = translated(testing::capture_words(true));
  run_.probe(0).unmatched = 128;  // none of the next is timed
  run_.probe(0).quick_cost_ticks = 10;
  expect_untouched(entry, 127);
  EXPECT_EQ(run_.probe(0).cpu_ticks_used, 0u);
  expect_untouched(entry, 1);
  EXPECT_EQ(run_.probe(0).cpu_ticks_used, 2560u);
}

// The slots that the first tries meet are taken, or all of those that are tried.
TEST_F(Exactness, HitThatFindsItsSlotTakenLeavesEveryRegisterAndByte) {
  for (const bool if_rdi : {false, true}) {
    const std::uint64_t entry = translated(testing::capture_words(if_rdi));
    for (const std::size_t taken : {1, 3, 8}) {
      const std::uint64_t first = run_.probe(0).next_seq;
      const std::uint64_t dropped = run_.probe(0).dropped;
      const std::size_t slots = run_.tool_side().layout().sites[0].slot_count;
      for (std::size_t i = 0; i < taken; ++i)
        run_.tool_side().slot(0, (first + i) % slots)[0] = std::byte{1};
      expect_untouched(entry, 1);
      EXPECT_EQ(run_.probe(0).next_seq, first + 1);
      EXPECT_EQ(run_.probe(0).dropped, dropped + (taken == 8 ? 1 : 0));
    }
  }
}

TEST_F(Exactness, AdmittedHitPastTheLeaseLeavesEveryRegisterAndByte) {
  for (const bool if_rdi : {false, true}) {
    run_.open_wide();
    const std::uint64_t entry = translated(testing::capture_words(if_rdi));
    run_.tool_side().control().lease_deadline_tsc = 1;
    expect_untouched(entry, 100);
    EXPECT_EQ(run_.probe(0).state, static_cast<std::uint32_t>(runtime::ProbeState::kLapsed));
  }
  EXPECT_EQ(run_.probe(0).next_seq, 0u);
}

TEST_F(Exactness, RecordIsTheSameWhicheverWayItIsAdmitted) {
  for (const bool if_rdi : {false, true}) {
    const std::uint64_t entry = translated(testing::capture_words(if_rdi));
    run_.probe(0).suppressed = 5;
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t seq = run_.probe(0).next_seq;
      const std::vector<std::uint64_t> body = one_record(entry, 3);
      const MachineState& in = nohalt_test_in;
      EXPECT_EQ(body, (std::vector{in.rdi, in.rsi, in.rdx}));
      runtime::RecordHeader header;
      std::byte* slot =
          run_.tool_side().slot(0, seq % run_.tool_side().layout().sites[0].slot_count);
      std::memcpy(static_cast<void*>(&header), slot, sizeof header);
      EXPECT_EQ(header.state, static_cast<std::uint32_t>(runtime::SlotState::kReady));
      EXPECT_EQ(header.owner_tid, static_cast<std::uint32_t>(gettid()));
      EXPECT_EQ(header.site, 0u);
      EXPECT_EQ(header.body_size, 40u);
      EXPECT_EQ(header.generation, run_.constants(0).generation);
      EXPECT_EQ(header.seq, seq);
      EXPECT_GT(header.tsc, last_tsc_);
      EXPECT_EQ(header.suppressed, 5u);
      EXPECT_EQ(header.dropped, 0u);
      last_tsc_ = header.tsc;
      std::memset(slot, 0, 8);
    }
  }
}

TEST_F(Exactness, AdmittedHitSeesTheRegistersOfTheSite) {
  const std::uint64_t entry = translated(testing::capture_others());
  const MachineState& in = nohalt_test_in;
  for (int i = 0; i < 200; ++i) {
    const std::vector<std::uint64_t> body = one_record(entry, 5);
    EXPECT_EQ(body, (std::vector{in.rbx, in.r8, in.r9, in.r10, in.r11}));
  }
}

TEST_F(Exactness, HitWithVectorCaptureLeavesEveryRegisterAndByte) {
  expect_untouched(trampoline(testing::capture_xmm, 16), 5000);
}

TEST_F(Exactness, HitWithSystemCallLeavesEveryRegisterAndByte) {
  expect_untouched(trampoline(testing::capture_through_pointer), 5000);
}

TEST_F(Exactness, BodyThatChangesEveryRegisterLeavesNone) {
  expect_untouched(trampoline(testing::clobber_everything), 5000);
}

TEST_F(Exactness, DormantProbeLeavesEveryRegisterAndByte) {
  run_.gate().open = 0;
  expect_untouched(trampoline(testing::capture_three), 2000);
  run_.gate().open = 1;
  run_.probe(0).state = 0;
  expect_untouched(trampoline(testing::capture_three), 2000);
  EXPECT_EQ(run_.probe(0).hits(), 0u);
}

TEST_F(Exactness, SuppressedHitLeavesEveryRegisterAndByte) {
  run_.probe(0).seq_limit = 0;
  expect_untouched(trampoline(testing::capture_three), 5000);
  EXPECT_EQ(run_.probe(0).suppressed, 5000u);
}

// The counters pass the hits that are timed and those that charge for the others.
TEST_F(Exactness, HitLetOutEarlyLeavesEveryRegisterAndByte) {
  const std::uint64_t entry = translated(testing::capture_words());
  run_.probe(0).seq_limit = 0;
  expect_untouched(entry, 5000);
  EXPECT_EQ(run_.probe(0).suppressed, 5000u);
  EXPECT_GT(run_.probe(0).quick_cost_ticks, 0u);
  EXPECT_GT(run_.probe(0).cpu_ticks_used, 0u);
  run_.probe(0).seq_limit = ~0ULL;
  expect_untouched(entry, 1000);
  EXPECT_EQ(run_.probe(0).next_seq, 1000u);
  run_.gate().open = 0;
  expect_untouched(entry, 1000);
  EXPECT_EQ(run_.probe(0).hits(), 6000u);
}

TEST_F(Exactness, HitsLetOutEarlyAreChargedByTheBatch) {
  const std::uint64_t entry = translated(testing::capture_words());
  run_.probe(0).seq_limit = 0;
  run_.probe(0).suppressed = 128;  // none of the next is timed
  run_.probe(0).quick_cost_ticks = 10;
  expect_untouched(entry, 127);
  EXPECT_EQ(run_.probe(0).cpu_ticks_used, 0u);
  expect_untouched(entry, 1);
  EXPECT_EQ(run_.probe(0).cpu_ticks_used, 2560u);
}

TEST_F(Exactness, ContextHoldsTheVectorRegistersAskedFor) {
  nohalt_test_target = trampoline(testing::capture_xmm, 2);
  randomise(nohalt_test_in);
  nohalt_test_run_state();
  const auto* body = run_.tool_side().slot(0, 0) + sizeof(runtime::RecordHeader);
  EXPECT_EQ(0, std::memcmp(body, nohalt_test_in.ymm[0], 16));
  EXPECT_EQ(0, std::memcmp(body + 16, nohalt_test_in.ymm[1], 16));
}

// All registers of the context, by a body that copies it into the record.
inline_engine::CodeBytes whole_context(const InProcessRun& run, RuntimeAddress at) {
  return testing::capture_words(run, at, 0, sizeof(runtime::SavedRegisters) / 8);
}

TEST_F(Exactness, ContextIsInTheOrderOfPtRegs) {
  InProcessRun run({{.body_size = sizeof(runtime::SavedRegisters), .hits_per_second = 1000}});
  run.open_wide();
  testing::TrampolineOptions options;
  options.displaced = {};
  options.resume = reinterpret_cast<std::uint64_t>(nohalt_test_back);
  options.site_address = 0x5566778899;
  nohalt_test_target = run.add_trampoline(0, whole_context, options);
  randomise(nohalt_test_in);
  nohalt_test_run_state();
  runtime::SavedRegisters regs;
  std::memcpy(&regs, run.tool_side().slot(0, 0) + sizeof(runtime::RecordHeader), sizeof regs);
  const MachineState& in = nohalt_test_in;
  const std::array seen = {regs.rax, regs.rbx, regs.rcx, regs.rdx, regs.rsi, regs.rdi,
                           regs.rbp, regs.rsp, regs.r8,  regs.r9,  regs.r10, regs.r11,
                           regs.r12, regs.r13, regs.r14, regs.r15, regs.rip};
  const std::array expected = {in.rax,
                               in.rbx,
                               in.rcx,
                               in.rdx,
                               in.rsi,
                               in.rdi,
                               in.rbp,
                               in.rsp,
                               in.r8,
                               in.r9,
                               in.r10,
                               in.r11,
                               in.r12,
                               in.r13,
                               in.r14,
                               in.r15,
                               std::uint64_t{0x5566778899}};
  EXPECT_EQ(seen, expected);
}

TEST_F(Exactness, HitStaysWithinItsShareOfTheStack) {
  nohalt_test_target = trampoline(testing::use_all_stack, 0, runtime::kMaxProgramStack);
  ASSERT_LE(run_.last_trampoline().stack_bytes, runtime::kMaxHitStack);
  std::size_t deepest = 0;
  for (int round = 0; round < 200; ++round) {
    randomise(nohalt_test_in);
    const std::vector<std::uint8_t> before = stack_;
    nohalt_test_run_state();
    std::size_t first = 0;
    while (before[first] == stack_[first]) ++first;
    const std::size_t red_zone =
        nohalt_test_in.rsp - 128 - reinterpret_cast<std::uint64_t>(stack_.data());
    deepest = std::max(deepest, red_zone - first);
    std::memset(run_.tool_side().slot(0, static_cast<std::size_t>(round) % 256), 0, 8);
  }
  EXPECT_LE(deepest, run_.last_trampoline().stack_bytes);
  RecordProperty("stack_bytes", static_cast<int>(deepest));
  EXPECT_GT(deepest, 500u) << "the paint did not catch the body's own stack";
}

TEST_F(Exactness, TrampolineIsNoLongerThanPromised) {
  const auto expect_short = [&] {
    EXPECT_LE(run_.last_trampoline().bytes.size(), inline_engine::kTrampolineOverhead);
  };
  trampoline(testing::clobber_everything, 16);
  expect_short();
  for (const auto& program : {testing::capture_words(), testing::capture_words(true),
                              testing::capture_others(), testing::capture_pointee()}) {
    translated(program);
    expect_short();
  }
}

TEST_F(Exactness, RefusesAHitThatNeedsTooMuchStack) {
  inline_engine::TrampolineSpec spec;
  spec.constants = run_.constants(0);
  spec.xmm_count = 16;
  spec.body = [](RuntimeAddress, const auto&) { return inline_engine::BodyCode(); };
  const auto built = inline_engine::build_trampoline(spec);
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().reason, "hit-stack");
}

TEST_F(Exactness, RefusesAPlaceOutOfAJumpsReach) {
  inline_engine::TrampolineSpec spec;
  spec.position = {0x10000};
  spec.resume = {0x7f0000000000};
  spec.constants = run_.constants(0);
  spec.body = [](RuntimeAddress, const auto&) { return inline_engine::BodyCode(); };
  spec.displaced = [](RuntimeAddress) { return inline_engine::CodeBytes(); };
  const auto built = inline_engine::build_trampoline(spec);
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().reason, "trampoline-range");
}

}  // namespace
}  // namespace nohalt
