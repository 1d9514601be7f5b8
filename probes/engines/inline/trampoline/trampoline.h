// The code a patched site jumps to: it saves the thread's registers, asks the
// gates, runs the capture program's machine code, restores every register, runs
// the displaced instruction and goes back.
//
// The bytes are for one address, contain their own constants (SiteConstants) and
// are never written again: they are mapped r-x.
// Threading: plain functions on plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "probes/runtime/layout.h"
#include "probes/runtime/runtime_blob.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::inline_engine {

using CodeBytes = std::vector<std::byte>;

// Makes code for the address it is given.
using CodeAt = std::function<Result<CodeBytes>(RuntimeAddress)>;

// Every word of SavedRegisters that a hit sets.
inline constexpr std::uint32_t kAllRegisters = (1U << 21) - 1;

[[nodiscard]] constexpr std::uint32_t register_bit(std::size_t offset_in_saved_registers) {
  return 1U << (offset_in_saved_registers / sizeof(std::uint64_t));
}

// The capture program as x86-64: a function of HitContext* (rdi) that returns its
// Outcome in rax. It may change flags and every general register but rsp (see
// `registers`). Of rsp's alignment it knows nothing: that is the site's.
struct BodyCode {
  BodyCode() = default;
  BodyCode(CodeBytes code) : bytes(std::move(code)) {}  // of which nothing more is known

  CodeBytes bytes;
  // Below the return address, without what runtime entries take when called.
  std::uint32_t stack_bytes = runtime::kMaxProgramStack;
  // Bit i: it reads word i of SavedRegisters, or changes that register. rax, rcx,
  // rdx, rsi and rdi may be changed, and rsp read, without being named. What is
  // not named is not in the context: each store saved is a store less that the
  // next locked instruction waits for.
  std::uint32_t registers = kAllRegisters;
  // It calls entries of the runtime other than kAdmit and kCommit, which may
  // change r8 to r11 too.
  bool calls_runtime = true;
  // It asks neither for the token nor for the slot: only a hit that has both comes
  // to it, with the record's body in rsi. One that the rate forbids is let out before
  // anything else is done for it.
  bool is_admitted = false;
  std::uint32_t xmm_count =
      16;  // it reads none of xmm(xmm_count) and above; see also TrampolineSpec
};
// Makes a body for an address, that calls these entries.
using BodyAt = std::function<Result<BodyCode>(RuntimeAddress, const runtime::RuntimeEntries&)>;

struct TrampolineSpec {
  RuntimeAddress position;          // where the bytes will be; also the entry
  RuntimeAddress site;              // the probed address, as the capture program sees rip
  RuntimeAddress gate;              // the GatePage in the target
  runtime::RuntimeEntries entries;  // in the target
  runtime::SiteConstants constants;
  // Called twice: for what the body needs, and for where it is. The answers differ
  // in addresses only.
  BodyAt body;
  std::uint32_t xmm_count = 0;  // at most so many of xmm0.. are saved for the body: 0 to 16
  // The displaced instruction(s), which run with all registers as at the site.
  CodeAt displaced;
  RuntimeAddress resume;  // where to go on after them
  // The displaced instruction comes first, and then the hit: `site` is then `resume`.
  bool behind = false;
};

struct Trampoline {
  CodeBytes bytes;
  RuntimeAddress displaced;       // where the displaced code begins
  std::uint32_t stack_bytes = 0;  // worst case below the red zone, at most kMaxHitStack
};

// Refuses with "hit-stack" where a hit would take more than kMaxHitStack, and
// with "trampoline-range" where `resume` is out of a jump's reach.
[[nodiscard]] Result<Trampoline> build_trampoline(const TrampolineSpec& spec);

// What a trampoline takes at most, besides its body: for whoever lays them out.
inline constexpr std::size_t kTrampolineOverhead = 1536;

}  // namespace nohalt::inline_engine
