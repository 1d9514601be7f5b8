#include "tests/unit/runtime/programs.h"

#include <functional>
#include <initializer_list>

#include "probes/program/assembler.h"
#include "probes/runtime/layout.h"

namespace nohalt::testing {

namespace {

using program::Assembler;
using program::Helper;
using program::JumpOp;
using program::Outcome;
using program::Size;
using runtime::SavedRegisters;
using R = program::Register;

constexpr std::size_t kRdi = offsetof(SavedRegisters, rdi);

void load(Assembler& as, R to, std::size_t offset) {
  as.load(Size::k8, to, R::kR6, static_cast<std::int16_t>(offset));
}

void copy(Assembler& as, std::initializer_list<std::size_t> words) {
  std::int16_t to = 0;
  for (const std::size_t offset : words) {
    load(as, R::kR1, offset);
    as.store(Size::k8, R::kR7, to, R::kR1);
    to = static_cast<std::int16_t>(to + 8);
  }
}

// The context is in r6, the record's body in r7.
program::Program capturing(std::uint32_t size, const std::function<void(Assembler&)>& capture,
                           bool if_rdi = false) {
  Assembler as;
  const auto suppressed = as.new_label();
  const auto dropped = as.new_label();
  const auto no = as.new_label();
  as.mov(R::kR6, R::kR1);
  if (if_rdi) {
    load(as, R::kR1, kRdi);
    as.jump_if(JumpOp::kEqual, R::kR1, 0, no);
  }
  as.call(Helper::kTakeToken);
  as.jump_if(JumpOp::kEqual, R::kR0, 0, suppressed);
  as.call(Helper::kReserve);
  as.jump_if(JumpOp::kEqual, R::kR0, 0, dropped);
  as.mov(R::kR7, R::kR0);
  capture(as);
  as.mov(R::kR1, R::kR7);
  as.call(Helper::kCommit);
  as.exit(Outcome::kCommitted);
  as.bind(suppressed);
  as.exit(Outcome::kSuppressed);
  as.bind(dropped);
  as.exit(Outcome::kDropped);
  if (if_rdi) {
    as.bind(no);
    as.exit(Outcome::kNoMatch);
  }
  return {.code = as.finish().value(), .record_size = size};
}

}  // namespace

program::Program capture_words(bool if_rdi) {
  return capturing(
      24,
      [](Assembler& as) {
        copy(as, {kRdi, offsetof(SavedRegisters, rsi), offsetof(SavedRegisters, rdx)});
      },
      if_rdi);
}

program::Program capture_others() {
  return capturing(40, [](Assembler& as) {
    copy(as,
         {offsetof(SavedRegisters, rbx), offsetof(SavedRegisters, r8), offsetof(SavedRegisters, r9),
          offsetof(SavedRegisters, r10), offsetof(SavedRegisters, r11)});
  });
}

program::Program capture_pointee() {
  constexpr std::uint32_t kSize = 24;
  return capturing(kSize, [](Assembler& as) {
    load(as, R::kR3, kRdi);
    as.mov(R::kR1, R::kR7);
    as.mov(R::kR2, std::uint64_t{kSize});
    as.call(Helper::kReadUser);
  });
}

}  // namespace nohalt::testing
