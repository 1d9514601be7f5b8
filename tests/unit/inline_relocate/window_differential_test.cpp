// Real instructions that a jump may cover together against their moved copy, from the
// first and from each place between them, which is where a thread may be led over. All
// registers, flags, vector registers and memory must agree.

#include <gtest/gtest.h>

#include <iostream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "probes/engines/inline/relocate/relocate.h"
#include "probes/engines/inline/sites/displaceable.h"
#include "probes/engines/inline/sites/jump_form.h"
#include "tests/unit/inline_relocate/harness.h"
#include "tests/unit/inline_relocate/runnable.h"
#include "tests/unit/inline_sites/elf_functions.h"

namespace nohalt::inline_relocate {
namespace {

using inline_sites::decode;
using inline_sites::Flow;
using inline_sites::Instruction;
using test::CpuState;
using test::Exit;
using test::Harness;
using test::Outcome;

constexpr std::size_t kRsp = 4;
constexpr int kStates = 3;

class WindowDifferential {
 public:
  explicit WindowDifferential(Harness& harness) : harness_(harness) {}

  void check(const std::vector<Instruction>& window);

  std::size_t compared = 0;  // runs that went through
  std::size_t faulted = 0;   // alike
  std::size_t windows = 0;
  std::string mismatch;

 private:
  void set_state();
  void compare(std::uint64_t original, std::uint64_t moved, const std::vector<Instruction>& window);

  Harness& harness_;
  std::mt19937_64 random_{20261121};
  CpuState state_;
  std::vector<std::uint8_t> memory_ = std::vector<std::uint8_t>(2 * Harness::kDataSize);
};

// Registers point into the data, or are small, so that most operands exist.
void WindowDifferential::set_state() {
  const std::uint64_t middle = harness_.data() + Harness::kDataSize / 2;
  for (auto& value : state_.general)
    value = random_() % 3 == 0 ? random_() % 64 : middle + 8 * (random_() % 32);
  for (auto& vector : state_.vector)
    for (auto& byte : vector) byte = static_cast<std::uint8_t>(random_());
  for (auto& byte : memory_) byte = static_cast<std::uint8_t>(random_());
  state_.flags = 0x202 | (random_() & 0x8d5);
  state_.mxcsr = 0x1f80;
  state_.general[kRsp] = harness_.stack() + Harness::kDataSize / 2;
  const std::uint64_t back = Harness::exit_address(Exit::kReturn);
  std::memcpy(&memory_[Harness::kDataSize + Harness::kDataSize / 2], &back, sizeof back);
}

void WindowDifferential::compare(std::uint64_t original, std::uint64_t moved,
                                 const std::vector<Instruction>& window) {
  const Outcome was = harness_.run(state_, memory_, original);
  const Outcome is = harness_.run(state_, memory_, moved);
  ++(was.signal == 0 ? compared : faulted);
  if (was == is || !mismatch.empty()) return;
  for (const Instruction& i : window) {
    for (const std::uint8_t byte : i.code()) mismatch += std::to_string(byte) + " ";
    mismatch += "; ";
  }
}

void WindowDifferential::check(const std::vector<Instruction>& window) {
  std::size_t length = 0;
  for (const Instruction& i : window) length += i.length;
  const std::uint64_t exit = harness_.original() + length + test::kBranchDistance;
  std::vector<Instruction> here;
  std::vector<std::size_t> starts;
  std::size_t at = 0;
  for (const Instruction& i : window) {
    const auto adapted = test::adapted(i.code(), harness_.original() + at, exit,
                                       harness_.data() + Harness::kDataSize / 2);
    if (!adapted) return;
    here.push_back(*adapted);
    starts.push_back(at);
    harness_.write_code(harness_.original() + at, adapted->code());
    at += i.length;
  }
  harness_.write_exit(harness_.original() + length, Exit::kNext);
  harness_.write_exit(exit, Exit::kBranch);
  ++windows;
  for (const std::uint64_t destination : {harness_.near_code(), harness_.far_code()}) {
    const auto moved = relocate(here, {harness_.original()}, {destination});
    if (!moved) continue;  // what is relative to rip, from afar
    ASSERT_LE(moved->bytes.size(), largest_relocation(here));
    ASSERT_EQ(moved->starts.size(), here.size());
    harness_.write_code(destination, moved->bytes);
    for (int round = 0; round < kStates; ++round) {
      set_state();
      for (std::size_t i = 0; i < here.size(); ++i)
        compare(harness_.original() + starts[i], destination + moved->starts[i], here);
    }
  }
}

bool can_be_run(const Instruction& i) {
  const bool indirect = i.flow == Flow::kIndirectJump || i.flow == Flow::kIndirectCall;
  return !indirect && !why_not_displaceable(i, {}) && !test::unsafe_to_run(i) &&
         !test::has_unplaceable_memory(i);
}

// What a jump over the first of `text` would cover; empty where that is one
// instruction, or what cannot be run here.
std::vector<Instruction> window_at(std::span<const std::uint8_t> text) {
  std::vector<Instruction> window;
  std::size_t length = 0;
  while (length < inline_sites::kJumpLength) {
    const auto i = decode(text.subspan(length));
    const bool goes_on =
        window.empty() || (window.back().falls_through() && window.back().flow != Flow::kCall);
    if (!i || !goes_on || !can_be_run(*i)) return {};
    window.push_back(*i);
    length += i->length;
  }
  return window.size() > 1 ? window : std::vector<Instruction>{};
}

std::string shape_of(const std::vector<Instruction>& window) {
  std::string shape;
  for (const Instruction& i : window) shape.append(i.bytes.begin(), i.bytes.begin() + i.length);
  return shape;
}

TEST(Relocate, WindowsOfRealInstructionsDoTheSameElsewhereFromEachStart) {
  Harness harness;
  if (!harness.usable()) GTEST_SKIP() << "no AVX, or no executable memory";
  WindowDifferential differential(harness);
  std::set<std::string> seen;
  constexpr std::size_t kMostWindows = 20'000;
  for (const char* path : {"/bin/bash", "/lib/x86_64-linux-gnu/libc.so.6"}) {
    const auto file = test::ElfFunctions::open(path);
    if (!file) continue;
    for (const LinkRange& range : file->functions()) {
      auto text = file->text().subspan(range.begin - file->text_address(), range.size());
      while (!text.empty() && seen.size() < kMostWindows) {
        const auto i = decode(text);
        if (!i) break;
        const auto window = window_at(text);
        if (!window.empty() && seen.insert(shape_of(window)).second) differential.check(window);
        text = text.subspan(i->length);
      }
    }
  }
  std::cout << differential.windows << " windows, " << differential.compared << " runs compared, "
            << differential.faulted << " faulted, alike\n";
  EXPECT_EQ(differential.mismatch, "");
  EXPECT_GT(differential.windows, 5'000U);
  EXPECT_GT(differential.compared, 50'000U);
}

}  // namespace
}  // namespace nohalt::inline_relocate
