// Runs a capture program slowly and suspiciously: the oracle that the other
// executors are compared with. It trusts nothing the verifier says: every
// value carries where it came from, and every access, call and exit is checked
// as it happens, so that a program which breaks a rule in this very execution
// is found out even if the verifier let it pass.
//
// Pure but for the Environment's callbacks; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "probes/program/program.h"
#include "probes/program/verifier.h"

namespace nohalt::program {

// What surrounds an execution: the hit's context and the helpers.
class Environment {
 public:
  virtual ~Environment() = default;

  // The bytes of the HitContext: at least its registers, all of it where the
  // program needs xmm.
  virtual std::span<const std::byte> context() = 0;
  virtual bool take_token() = 0;
  // open_call or close_call.
  virtual bool take_call_token(Helper helper, std::uint64_t frame) = 0;
  // The record's body, exactly record_size bytes; empty: no free slot.
  virtual std::span<std::byte> reserve(std::uint32_t record_size) = 0;
  virtual void commit() = 0;
  virtual void abandon() = 0;
  virtual std::uint64_t thread_pointer() = 0;
  // One of the read helpers. `to` is all of the destination; `length` is that of
  // read_bytes. Returns what the helper returns (program.h).
  virtual std::int64_t read(Helper helper, std::span<std::byte> to, std::uint64_t from,
                            std::uint64_t length) = 0;
};

struct Execution {
  std::uint64_t result = 0;            // r0 at exit
  std::optional<Violation> violation;  // then result means nothing
  Cost cost;                           // of this execution
};

[[nodiscard]] Execution interpret(const Program& program, Environment& environment);

}  // namespace nohalt::program
