// Proves, before any executor sees it, that a capture program stays within its
// profile (program.h): it ends, it stores only to its own stack and to the
// record it reserved, it reads only what it may and only what was written, no
// pointer of the tool's leaves with the record, and the token, reserve and
// commit calls keep their order on every path.
//
// The proof also yields what an executor and a person want to know: the type
// and value of each register before each instruction, and the worst case.
//
// Pure; any thread.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "probes/program/opcode.h"
#include "probes/program/program.h"
#include "probes/program/rules.h"
#include "probes/runtime/layout.h"

namespace nohalt::program {

// What is known of a register.
struct RegisterState {
  enum class Kind : std::uint8_t {
    kUnusable,      // not written yet, or not the same on all paths
    kScalar,        // a number within [min, max]
    kContext,       // the HitContext, plus offset
    kStack,         // r10, plus offset
    kRecordOrNull,  // the result of reserve, not yet compared with zero
    kRecord,        // the record's body, plus offset
  };
  Kind kind = Kind::kUnusable;
  bool is_token = false;  // a scalar: the result of take_token
  std::int32_t offset = 0;
  std::uint64_t min = 0;
  std::uint64_t max = 0;

  [[nodiscard]] bool is_pointer() const { return kind > Kind::kScalar; }
  [[nodiscard]] std::optional<std::uint64_t> constant() const {
    if (kind != Kind::kScalar || min != max) return std::nullopt;
    return min;
  }
  friend bool operator==(const RegisterState&, const RegisterState&) = default;
};

// The worst case over all paths, each figure by itself.
struct Cost {
  std::uint32_t instructions = 0;
  std::uint32_t bytes_read = 0;     // of the target's memory, by helpers
  std::uint32_t bytes_written = 0;  // to the record and the program's stack
  std::uint32_t user_reads = 0;     // reads that cost a system call
  std::uint32_t frame_reads = 0;    // reads that cost one only where memory is not proven mapped

  friend bool operator==(const Cost&, const Cost&) = default;
};

// What is known before an instruction, whichever path led there.
struct ProgramState {
  std::array<RegisterState, kRegisterCount> registers;
  // Byte r10 - 1 - n has been written.
  std::bitset<runtime::kMaxProgramStack> stack_written;
  // What may have happened so far: sets, as paths join.
  enum Token : std::uint8_t { kNotTaken = 1, kTaken = 2, kGranted = 4, kDenied = 8 };
  enum Record : std::uint8_t { kNotReserved = 1, kUnchecked = 2, kOwned = 4, kGone = 8 };
  std::uint8_t token = kNotTaken;
  std::uint8_t record = kNotReserved;
  Cost cost;
};

struct VerifiedProgram {
  Cost cost;
  std::uint32_t stack_bytes = 0;     // below r10 that are used
  std::vector<ProgramState> before;  // one a slot; unused for a wide immediate's second
};

[[nodiscard]] std::expected<VerifiedProgram, Violation> verify(const Program& program);

}  // namespace nohalt::program
