// Every relocated instruction against the original: real instructions from
// programs on this machine, each run from several random states at its own place
// and relocated (near, and beyond the reach of direct jumps); all registers,
// flags, vector registers and memory must agree.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "probes/engines/inline/relocate/relocate.h"
#include "probes/engines/inline/sites/displaceable.h"
#include "tests/unit/inline_relocate/harness.h"
#include "tests/unit/inline_relocate/runnable.h"
#include "tests/unit/inline_sites/elf_functions.h"

namespace nohalt::inline_relocate {
namespace {

using inline_sites::decode;
using inline_sites::Flow;
using inline_sites::Instruction;
using inline_sites::MemoryUse;
using inline_sites::Operand;
using test::CpuState;
using test::Exit;
using test::Harness;
using test::Outcome;

using test::has_unplaceable_memory;
using test::is_short;
using test::kBranchDistance;
using test::unsafe_to_run;

constexpr std::int8_t kRcx = 1, kRsp = 4, kRbp = 5;
constexpr int kStates = 3;
constexpr std::uint64_t kStatusFlags = 0x8d5;  // CF PF AF ZF SF OF

class Differential {
 public:
  struct Counts {
    std::size_t compared = 0, faulted = 0, mismatched = 0, branches = 0, rip_relative = 0;
  };

  explicit Differential(Harness& harness) : harness_(harness) {}

  void check(std::span<const std::uint8_t> raw);
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] const std::string& first_mismatch() const { return first_mismatch_; }

 private:
  [[nodiscard]] std::optional<Instruction> adapt(std::span<const std::uint8_t> raw);
  [[nodiscard]] bool prepare(const Instruction& i);
  [[nodiscard]] bool place_operand(const Instruction& i, const Operand& operand);
  void note(const Instruction& i, const Outcome& was, const Outcome& is);

  std::uint64_t random() { return random_(); }
  std::uint64_t& reg(std::int8_t number) {
    return state_.general[static_cast<std::size_t>(number)];
  }
  void put(std::uint64_t address, std::uint64_t value) {
    const bool in_stack = address >= harness_.stack();
    const std::uint64_t at =
        in_stack ? Harness::kDataSize + (address - harness_.stack()) : address - harness_.data();
    if (at + sizeof value <= memory_.size()) std::memcpy(&memory_[at], &value, sizeof value);
  }

  Harness& harness_;
  std::mt19937_64 random_{20240611};
  CpuState state_;
  std::vector<std::uint8_t> memory_ = std::vector<std::uint8_t>(2 * Harness::kDataSize);
  Counts counts_;
  std::string first_mismatch_;
};

std::optional<Instruction> Differential::adapt(std::span<const std::uint8_t> raw) {
  const auto i = decode(raw);
  if (!i) return i;
  return test::adapted(raw, harness_.original(), harness_.original() + i->length + kBranchDistance,
                       harness_.data() + Harness::kDataSize / 2);
}

bool Differential::place_operand(const Instruction& i, const Operand& o) {
  const std::uint64_t middle =
      harness_.data() + Harness::kDataSize / 2 + (random() % 4) * 64 + (random() % 8 == 0 ? 8 : 0);
  const auto disp = static_cast<std::uint64_t>(o.value);
  std::uint64_t address = middle;
  if (o.base == inline_sites::kRipRegister) {
    address = harness_.original() + i.length + static_cast<std::uint64_t>(i.relative);
  } else if (o.base == kRsp && i.memory != MemoryUse::kNone && i.flow == Flow::kIndirectCall) {
    if (o.value < 0 || o.value > 1024) return false;
    address = reg(kRsp) + disp;
  } else if (o.base >= 0 && o.index >= 0 && o.base != o.index) {
    reg(o.index) = random() % 16;
    reg(o.base) = middle - disp - reg(o.index) * o.scale;
  } else if (o.base >= 0) {
    const std::uint64_t parts = o.index == o.base ? 1U + o.scale : 1U;
    reg(o.base) = static_cast<std::uint64_t>(static_cast<std::int64_t>(middle - disp) /
                                             static_cast<std::int64_t>(parts));
    address = reg(o.base) * parts + disp;
  } else {
    reg(o.index) = static_cast<std::uint64_t>(static_cast<std::int64_t>(middle - disp) /
                                              static_cast<std::int64_t>(o.scale));
    address = reg(o.index) * o.scale + disp;
  }
  if (i.flow == Flow::kIndirectJump || i.flow == Flow::kIndirectCall) {
    put(address, Harness::exit_address(Exit::kBranch));
  }
  return true;
}

// A random state in which the instruction can run.
bool Differential::prepare(const Instruction& i) {
  for (auto& value : state_.general) value = random() >> (random() % 64);
  for (auto& vector : state_.vector) {
    for (std::size_t at = 0; at < vector.size(); at += 8) {
      const std::uint64_t value = random();
      std::memcpy(&vector[at], &value, sizeof value);
    }
  }
  for (std::size_t at = 0; at < memory_.size(); at += 8) {
    const std::uint64_t value = random();
    std::memcpy(&memory_[at], &value, sizeof value);
  }
  state_.flags = 0x202 | (random() & kStatusFlags);
  state_.mxcsr = 0x1f80;
  if (random() % 2 == 0) reg(kRcx) = random() % 3;  // for counted branches and repeats
  if (i.bytes[0] == 0xf2 || i.bytes[0] == 0xf3) reg(kRcx) = random() % 16;
  if (random() % 2 == 0) reg(2) = 0;  // so that some divisions succeed
  reg(kRsp) = harness_.stack() + Harness::kDataSize / 2;
  if (i.memory == MemoryUse::kStack) reg(kRbp) = harness_.stack() + Harness::kDataSize / 2 + 256;
  put(reg(kRsp), Harness::exit_address(Exit::kReturn));
  for (const Operand& o : i.operands) {
    if (o.kind == Operand::Kind::kMemory && !place_operand(i, o)) return false;
  }
  const Operand& first = i.operands[0];
  if (i.flow == Flow::kIndirectJump || i.flow == Flow::kIndirectCall) {
    if (first.kind == Operand::Kind::kRegister)
      reg(first.reg) = Harness::exit_address(Exit::kBranch);
  }
  return true;
}

void Differential::note(const Instruction& i, const Outcome& was, const Outcome& is) {
  ++counts_.mismatched;
  if (!first_mismatch_.empty()) return;
  first_mismatch_ = "bytes";
  char buffer[64];
  for (const std::uint8_t byte : i.code()) {
    std::snprintf(buffer, sizeof buffer, " %02x", byte);
    first_mismatch_ += buffer;
  }
  std::snprintf(buffer, sizeof buffer, ", signals %d %d, exits %u %u", was.signal, is.signal,
                was.state.exit, is.state.exit);
  first_mismatch_ += buffer;
  if (was.memory != is.memory) first_mismatch_ += ", memory differs";
  for (std::size_t r = 0; r < 16; ++r) {
    if (was.state.general[r] != is.state.general[r]) {
      first_mismatch_ += ", register " + std::to_string(r) + " differs";
    }
  }
}

void Differential::check(std::span<const std::uint8_t> raw) {
  const auto i = adapt(raw);
  if (!i || why_not_displaceable(*i, {}) || unsafe_to_run(*i) || has_unplaceable_memory(*i)) return;
  bool ran = false;
  for (int round = 0; round < kStates * 2; ++round) {
    const bool far = round % 2 == 1;
    if (far && i->rip_relative) continue;
    if (!prepare(*i)) return;
    const std::uint64_t destination = far ? harness_.far_code() : harness_.near_code();
    const auto moved = relocate(std::span(&*i, 1), {harness_.original()}, {destination});
    ASSERT_TRUE(moved) << describe(moved.error()).token;
    ASSERT_LE(moved->bytes.size(), largest_relocation(std::span(&*i, 1)));
    harness_.write_code(harness_.original(), i->code());
    harness_.write_exit(harness_.original() + i->length, Exit::kNext);
    harness_.write_exit(harness_.original() + i->length + kBranchDistance, Exit::kBranch);
    harness_.write_code(destination, moved->bytes);
    const Outcome was = harness_.run(state_, memory_, harness_.original());
    const Outcome is = harness_.run(state_, memory_, destination);
    if (!(was == is)) return note(*i, was, is);
    if (was.signal == 0) {
      ran = true;
      continue;
    }
  }
  ++(ran ? counts_.compared : counts_.faulted);
  if (ran && i->flow != Flow::kNext) ++counts_.branches;
  if (ran && i->rip_relative) ++counts_.rip_relative;
}

// Distances are rewritten for the test, so they do not make instructions distinct.
std::string shape(const Instruction& i) {
  auto bytes = i.bytes;
  if (i.rip_relative) std::fill_n(&bytes[i.modrm_offset + 1U], 4, std::uint8_t{0});
  std::size_t length = i.length;
  if (i.is_direct_branch()) length -= is_short(i) ? 1 : 4;
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)};
}

TEST(Relocate, RealInstructionsDoTheSameElsewhere) {
  Harness harness;
  if (!harness.usable()) GTEST_SKIP() << "no AVX, or no executable memory";
  Differential differential(harness);
  std::set<std::string> seen;
  for (const char* path :
       {"/bin/bash", "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6",
        "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/lib/x86_64-linux-gnu/libcrypto.so.3"}) {
    const auto file = test::ElfFunctions::open(path);
    if (!file) continue;
    for (const LinkRange& range : file->functions()) {
      auto text = file->text().subspan(range.begin - file->text_address(), range.size());
      while (!text.empty()) {
        const auto i = decode(text);
        if (!i) break;
        if (seen.insert(shape(*i)).second) differential.check(text.first(i->length));
        text = text.subspan(i->length);
      }
    }
  }
  const auto& counts = differential.counts();
  std::cout << seen.size() << " distinct instructions found, " << counts.compared << " compared ("
            << counts.branches << " branches, " << counts.rip_relative << " RIP-relative), "
            << counts.faulted << " only ever faulted, alike\n";
  EXPECT_EQ(counts.mismatched, 0U) << differential.first_mismatch();
  EXPECT_GT(counts.compared, 5'000U);
  EXPECT_GT(counts.branches, 40U);
  EXPECT_GT(counts.rip_relative, 100U);
}

// Forms that compilers rarely emit, so the programs above may lack them.
TEST(Relocate, RareFormsDoTheSameElsewhere) {
  Harness harness;
  if (!harness.usable()) GTEST_SKIP() << "no AVX, or no executable memory";
  Differential differential(harness);
  const std::vector<std::vector<std::uint8_t>> forms = {
      {0xe2, 0x05},                       // loop
      {0xe1, 0x05},                       // loope
      {0xe0, 0x05},                       // loopne
      {0xe3, 0x05},                       // jrcxz
      {0x67, 0xe3, 0x05},                 // jecxz
      {0x67, 0xe2, 0x05},                 // loop on ecx
      {0xff, 0x54, 0x24, 0x08},           // call *8(%rsp)
      {0xff, 0x14, 0x24},                 // call *(%rsp)
      {0xff, 0x94, 0x24, 0x80, 0, 0, 0},  // call *128(%rsp)
      {0x41, 0xff, 0x14, 0x24},           // call *(%r12)
      {0x41, 0xff, 0x54, 0x24, 0x10},     // call *16(%r12)
      {0xff, 0x15, 0, 0, 0, 0},           // call *x(%rip)
      {0xff, 0x25, 0, 0, 0, 0},           // jmp *x(%rip)
      {0x3e, 0xff, 0xd0},                 // notrack call *%rax
      {0x3e, 0xff, 0xe1},                 // notrack jmp *%rcx
      {0xff, 0x64, 0x24, 0x08},           // jmp *8(%rsp)
      {0x41, 0xff, 0xd3},                 // call *%r11
      {0xc2, 0x10, 0x00},                 // ret $16
      {0xf3, 0xc3},                       // rep ret
      {0xf2, 0xe8, 0, 0, 0, 0},           // bnd call
      {0x66, 0x48, 0xe8, 0, 0, 0, 0},     // padded call of thread-local storage
      {0xff, 0x35, 0, 0, 0, 0},           // push x(%rip)
      {0x8f, 0x05, 0, 0, 0, 0},           // pop x(%rip)
      {0x6a, 0xff},
      {0x68, 1, 2, 3, 4},  // push imm
      {0xc8, 0x10, 0, 0},
      {0xc9},  // enter, leave
      {0x54},
      {0x5c},
      {0x9c},                                         // push rsp, pop rsp, pushf
      {0x66, 0x0f, 0x3a, 0x0f, 0x05, 0, 0, 0, 0, 7},  // palignr $7, x(%rip): bytes follow
      {0xc7, 0x05, 0, 0, 0, 0, 5, 6, 7, 8},           // movl $imm, x(%rip)
      {0x48, 0x8d, 0x05, 0, 0, 0, 0},                 // lea x(%rip)
      {0xf3, 0x0f, 0x1e, 0xfa},                       // endbr64
  };
  for (const auto& form : forms) {
    const std::size_t before = differential.counts().compared;
    differential.check(form);
    EXPECT_EQ(differential.counts().compared, before + 1)
        << "form " << &form - forms.data() << " " << differential.first_mismatch();
  }
  for (std::uint8_t condition = 0; condition < 16; ++condition) {
    differential.check(std::vector<std::uint8_t>{static_cast<std::uint8_t>(0x70 | condition), 0});
    differential.check(
        std::vector<std::uint8_t>{0x0f, static_cast<std::uint8_t>(0x80 | condition), 0, 0, 0, 0});
  }
  EXPECT_EQ(differential.counts().compared, forms.size() + 32);
  EXPECT_EQ(differential.counts().mismatched, 0U) << differential.first_mismatch();
}

}  // namespace
}  // namespace nohalt::inline_relocate
