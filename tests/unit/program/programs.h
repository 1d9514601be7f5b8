// Small programs for tests.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "probes/program/assembler.h"
#include "probes/program/interpreter.h"
#include "probes/program/program.h"

namespace nohalt::program {

using Write = std::function<void(Assembler&)>;

// A finished program of what `write` emits; no code where that was wrong.
inline Program assemble(const Write& write, std::uint32_t record_size = 64) {
  Assembler as;
  write(as);
  Program program;
  program.record_size = record_size;
  if (auto code = as.finish()) program.code = std::move(*code);
  return program;
}

// Token and record taken, `body` with the record in r9 and the context in r6,
// committed.
inline Program with_record(const Write& body, std::uint32_t record_size = 64) {
  return assemble(
      [&](Assembler& as) {
        const Assembler::Label suppressed = as.new_label();
        const Assembler::Label dropped = as.new_label();
        as.mov(Register::kR6, Register::kR1);
        as.call(Helper::kTakeToken);
        as.jump_if(JumpOp::kEqual, Register::kR0, 0, suppressed);
        as.call(Helper::kReserve);
        as.jump_if(JumpOp::kEqual, Register::kR0, 0, dropped);
        as.mov(Register::kR9, Register::kR0);
        body(as);
        as.mov(Register::kR1, Register::kR9);
        as.call(Helper::kCommit);
        as.exit(Outcome::kCommitted);
        as.bind(suppressed);
        as.exit(Outcome::kSuppressed);
        as.bind(dropped);
        as.exit(Outcome::kDropped);
      },
      record_size);
}

// Helpers that give and find whatever the test says.
class FakeEnvironment : public Environment {
 public:
  bool token = true;
  bool slot = true;
  std::vector<std::pair<Helper, std::uint64_t>> call_tokens;
  std::int64_t read_result = 0;
  std::byte fill{0x5a};
  runtime::HitContext hit{};
  std::vector<std::byte> body;
  int commits = 0;
  int abandons = 0;

  std::span<const std::byte> context() override { return std::as_bytes(std::span(&hit, 1)); }
  bool take_token() override { return token; }
  bool take_call_token(Helper helper, std::uint64_t frame) override {
    call_tokens.emplace_back(helper, frame);
    return token;
  }
  std::span<std::byte> reserve(std::uint32_t record_size) override {
    body.assign(record_size, std::byte{0xee});
    return slot ? std::span<std::byte>(body) : std::span<std::byte>();
  }
  void commit() override { ++commits; }
  void abandon() override { ++abandons; }
  std::uint64_t thread_pointer() override { return 0x7f0000001700; }
  std::int64_t read(Helper, std::span<std::byte> to, std::uint64_t, std::uint64_t) override {
    for (std::byte& byte : to) byte = fill;
    return read_result;
  }
};

}  // namespace nohalt::program
