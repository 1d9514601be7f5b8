// Grows a program statement by statement and keeps, beside it, what a correct
// compiler would know: which registers hold numbers, which bytes of the stack
// are written, whether the record is there. r6 is the context, r9 the record.
#include "tests/differential/program/generator.h"

#include <array>
#include <bitset>
#include <iterator>
#include <random>

#include "probes/program/assembler.h"
#include "tests/differential/program/model.h"

namespace nohalt::program_test {
namespace {

using program::AluOp;
using program::Assembler;
using program::Helper;
using program::JumpOp;
using program::Outcome;
using program::Register;
using program::Size;
using program::Width;

constexpr std::uint64_t kEdges[] = {0,
                                    1,
                                    2,
                                    7,
                                    31,
                                    32,
                                    33,
                                    63,
                                    64,
                                    0x7f,
                                    0x80,
                                    0xff,
                                    0x7fff,
                                    0xffff,
                                    0x7fffffff,
                                    0x80000000,
                                    0xffffffff,
                                    0x100000000,
                                    0x7fffffffffffffff,
                                    0x8000000000000000,
                                    0xffffffff80000000,
                                    0xffffffff7fffffff,
                                    0xfffffffffffffffe,
                                    0xffffffffffffffff};

constexpr AluOp kAluOps[] = {AluOp::kAdd, AluOp::kSub, AluOp::kMul,       AluOp::kDiv,
                             AluOp::kOr,  AluOp::kAnd, AluOp::kShiftLeft, AluOp::kShiftRight,
                             AluOp::kMod, AluOp::kXor, AluOp::kMove,      AluOp::kShiftRightSigned};
constexpr JumpOp kJumpOps[] = {
    JumpOp::kEqual,      JumpOp::kGreater,        JumpOp::kGreaterEqual,
    JumpOp::kAnyBitSet,  JumpOp::kNotEqual,       JumpOp::kLess,
    JumpOp::kLessEqual,  JumpOp::kSignedGreater,  JumpOp::kSignedGreaterEqual,
    JumpOp::kSignedLess, JumpOp::kSignedLessEqual};
constexpr Size kSizes[] = {Size::k1, Size::k2, Size::k4, Size::k8};
constexpr int kMaxDepth = 3;

bool is_shift(AluOp op) {
  return op == AluOp::kShiftLeft || op == AluOp::kShiftRight || op == AluOp::kShiftRightSigned;
}

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}
  program::Program run();

 private:
  struct Known {
    std::bitset<program::kRegisterCount> numbers;
    std::bitset<runtime::kMaxProgramStack> stack;
    bool has_record = false;
  };

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  template <class Range>
  auto pick(const Range& range) {
    return range[below(std::size(range))];
  }
  std::uint64_t value() { return below(3) == 0 ? random_() : pick(kEdges); }
  std::int32_t imm() { return static_cast<std::int32_t>(static_cast<std::uint32_t>(value())); }
  Width width() { return below(2) == 0 ? Width::k64 : Width::k32; }
  // Never r6, nor r9 when it holds the record.
  Register target() {
    constexpr Register kFree[] = {Register::kR0, Register::kR1, Register::kR2, Register::kR3,
                                  Register::kR4, Register::kR5, Register::kR7, Register::kR8};
    return pick(kFree);
  }
  Register number();
  void wrote(Register reg) { known_.numbers.set(static_cast<std::size_t>(reg)); }
  void clobber() {
    for (std::size_t reg = 0; reg <= 5; ++reg) known_.numbers.reset(reg);
  }

  void statements(std::uint64_t count, int depth);
  void statement(int depth);
  void arithmetic();
  void load();
  void store();
  void ask_for_token();
  void read();
  void ask_thread_pointer();
  void set_from();
  void branch(int depth);
  void jump_over(Assembler::Label label);
  void leave(Outcome outcome);

  std::mt19937_64 random_;
  Assembler as_;
  Known known_;
  program::Program program_;
};

// A register that holds a number; makes one where there is none.
Register Generator::number() {
  const std::size_t first = below(program::kRegisterCount);
  for (std::size_t at = 0; at < program::kRegisterCount; ++at) {
    const std::size_t reg = (first + at) % program::kRegisterCount;
    if (known_.numbers[reg]) return static_cast<Register>(reg);
  }
  const Register reg = target();
  as_.mov(reg, value());
  wrote(reg);
  return reg;
}

void Generator::arithmetic() {
  const Register dst = below(4) == 0 ? target() : number();
  if (!known_.numbers[static_cast<std::size_t>(dst)]) {
    if (below(2) == 0)
      as_.mov(dst, value());
    else
      as_.mov(dst, number());
    wrote(dst);
    return;
  }
  const AluOp op = pick(kAluOps);
  if (below(16) == 0) {
    as_.negate(dst, width());
  } else if (below(2) == 0) {
    as_.alu(op, dst, number(), width());
  } else {
    const Width wide = width();
    std::int32_t by = imm();
    if (is_shift(op)) by = static_cast<std::int32_t>(below(wide == Width::k64 ? 64 : 32));
    as_.alu(op, dst, by, wide);
  }
}

void Generator::load() {
  const Register dst = target();
  if (below(2) == 0) {
    const std::uint64_t words = sizeof(runtime::SavedRegisters) / 8;
    std::uint64_t offset = 8 * below(words);
    while (!runtime::is_saved_register(offset)) offset = 8 * below(words);
    if (program_.needs_xmm && below(2) == 0)
      offset = offsetof(runtime::HitContext, xmm) + 8 * below(32);
    as_.load(Size::k8, dst, Register::kR6, static_cast<std::int16_t>(offset));
    wrote(dst);
    return;
  }
  const Size size = pick(kSizes);
  const std::uint64_t bytes = program::bytes_of(size);
  const std::uint64_t at = below(runtime::kMaxProgramStack - bytes + 1);
  for (std::uint64_t byte = at; byte < at + bytes; ++byte)
    if (!known_.stack[byte]) return;
  as_.load(size, dst, Register::kR10,
           static_cast<std::int16_t>(static_cast<std::int64_t>(at) - runtime::kMaxProgramStack));
  wrote(dst);
}

void Generator::store() {
  const Size size = pick(kSizes);
  const std::uint64_t bytes = program::bytes_of(size);
  Register base = Register::kR10;
  std::int64_t offset = 0;
  if (known_.has_record && program_.record_size >= bytes && below(3) != 0) {
    base = Register::kR9;
    offset = static_cast<std::int64_t>(below(program_.record_size - bytes + 1));
  } else {
    // Mostly the upper part, so that loads find something.
    const std::uint64_t at = runtime::kMaxProgramStack - bytes - below(below(2) == 0 ? 32 : 249);
    for (std::uint64_t byte = at; byte < at + bytes; ++byte) known_.stack.set(byte);
    offset = static_cast<std::int64_t>(at) - runtime::kMaxProgramStack;
  }
  const bool immediate = below(3) == 0;
  const Register source = immediate ? Register::kR0 : number();
  if (below(4) == 0) {
    // Through a pointer made for it.
    Register pointer = target();
    while (!immediate && pointer == source) pointer = target();
    const auto shift = static_cast<std::int32_t>(below(200)) - 100;
    as_.mov(pointer, base);
    as_.alu(AluOp::kAdd, pointer, shift);
    known_.numbers.reset(static_cast<std::size_t>(pointer));
    base = pointer;
    offset -= shift;
  }
  if (immediate)
    as_.store(size, base, static_cast<std::int16_t>(offset), imm());
  else
    as_.store(size, base, static_cast<std::int16_t>(offset), source);
}

// Puts an address worth reading into r3.
void Generator::set_from() {
  const TargetMemory& memory = TargetMemory::get();
  constexpr std::int16_t kRsp = offsetof(runtime::SavedRegisters, rsp);
  constexpr std::int16_t kRbp = offsetof(runtime::SavedRegisters, rbp);
  constexpr std::int16_t kRbx = offsetof(runtime::SavedRegisters, rbx);
  constexpr std::int16_t kBases[] = {kRsp, kRbp, kRbx};
  switch (below(4)) {
    case 0:
      as_.mov(Register::kR3, value());
      break;
    case 1:
      as_.mov(Register::kR3, reinterpret_cast<std::uint64_t>(memory.data) +
                                 below(TargetMemory::kStaticBytes + 16));
      break;
    default:
      as_.load(Size::k8, Register::kR3, Register::kR6, pick(kBases));
      as_.alu(AluOp::kAdd, Register::kR3, static_cast<std::int32_t>(below(600)) - 200);
      break;
  }
}

void Generator::ask_thread_pointer() {
  as_.call(Helper::kThreadPointer);
  clobber();
  wrote(Register::kR0);
}

// Of any hit, or of a call, whose frame is any number.
void Generator::ask_for_token() {
  const std::uint64_t which = below(4);
  if (which > 1) {
    as_.call(Helper::kTakeToken);
    return;
  }
  if (known_.numbers[7] && below(2) == 0)
    as_.mov(Register::kR1, Register::kR7);
  else
    as_.mov(Register::kR1, value());
  as_.call(which == 0 ? Helper::kOpenCall : Helper::kCloseCall);
}

void Generator::read() {
  constexpr Helper kReads[] = {Helper::kReadFrame, Helper::kReadFrame, Helper::kReadStatic,
                               Helper::kReadUser,  Helper::kReadBytes, Helper::kReadString,
                               Helper::kReadStack, Helper::kTreeNext,  Helper::kReadWide,
                               Helper::kNextFull};
  constexpr std::uint64_t kUsual[] = {1, 2, 4, 8, 8, 16, 24};
  const Helper helper = pick(kReads);
  std::uint64_t size = below(4) == 0 ? 1 + below(48) : pick(kUsual);
  if (helper == Helper::kTreeNext) size = 8;
  std::uint64_t at = 0;
  const bool is_small = helper == Helper::kTreeNext && program_.record_size < size;
  const bool to_record = known_.has_record && !is_small && below(3) != 0;
  if (to_record) {
    if (size > program_.record_size) size = program_.record_size;
    at = below(program_.record_size - size + 1);
    as_.mov(Register::kR1, Register::kR9);
    as_.alu(AluOp::kAdd, Register::kR1, static_cast<std::int32_t>(at));
  } else {
    at = runtime::kMaxProgramStack - size - below(40);
    for (std::uint64_t byte = at; byte < at + size; ++byte) known_.stack.set(byte);
    as_.mov(Register::kR1, Register::kR10);
    as_.alu(AluOp::kAdd, Register::kR1,
            static_cast<std::int32_t>(at) - static_cast<std::int32_t>(runtime::kMaxProgramStack));
  }
  if (program::find_helper(static_cast<std::int32_t>(helper))->takes_length) {
    if (known_.numbers[7] && below(2) == 0)
      as_.mov(Register::kR4, Register::kR7);
    else
      as_.mov(Register::kR4, below(2) == 0 ? below(64) : value());
  }
  set_from();
  as_.mov(Register::kR2, size);
  as_.call(helper);
  clobber();
  if (below(3) != 0) wrote(Register::kR0);
  if (known_.numbers[0] && below(2) == 0) {
    as_.mov(Register::kR8, Register::kR0);
    wrote(Register::kR8);
  }
}

void Generator::jump_over(Assembler::Label label) {
  const JumpOp op = pick(kJumpOps);
  const Register left = number();
  if (below(2) == 0)
    as_.jump_if(op, left, number(), label, width());
  else
    as_.jump_if(op, left, imm(), label, width());
}

void Generator::leave(Outcome outcome) {
  if (known_.has_record) {
    as_.mov(Register::kR1, Register::kR9);
    as_.call(outcome == Outcome::kCommitted ? Helper::kCommit : Helper::kAbandon);
  }
  as_.exit(outcome);
}

void Generator::branch(int depth) {
  const Assembler::Label other = as_.new_label();
  jump_over(other);
  const Known before = known_;
  statements(1 + below(4), depth + 1);
  if (below(5) == 0) {
    leave(Outcome::kConditionUnavailable);
    as_.bind(other);
    known_ = before;
    return;
  }
  const Known after_first = known_;
  known_ = before;
  if (below(2) == 0) {
    const Assembler::Label end = as_.new_label();
    as_.jump(end);
    as_.bind(other);
    statements(below(4), depth + 1);
    as_.bind(end);
  } else {
    as_.bind(other);
  }
  known_.numbers &= after_first.numbers;
  known_.stack &= after_first.stack;
}

void Generator::statement(int depth) {
  switch (below(10)) {
    case 0:
    case 1:
    case 2:
      arithmetic();
      return;
    case 3:
    case 4:
      load();
      return;
    case 5:
    case 6:
      store();
      return;
    case 7:
      if (below(8) == 0)
        ask_thread_pointer();
      else
        read();
      return;
    default:
      if (depth < kMaxDepth) branch(depth);
      return;
  }
}

void Generator::statements(std::uint64_t count, int depth) {
  for (std::uint64_t at = 0; at < count; ++at) statement(depth);
}

program::Program Generator::run() {
  program_.record_size = static_cast<std::uint32_t>(1 + below(below(2) == 0 ? 32 : 400));
  program_.needs_xmm = below(4) == 0;
  as_.mov(Register::kR6, Register::kR1);
  statements(below(4) == 0 ? 0 : below(12), 0);

  const Assembler::Label suppressed = as_.new_label();
  const Assembler::Label dropped = as_.new_label();
  ask_for_token();
  clobber();
  as_.jump_if(JumpOp::kEqual, Register::kR0, 0, suppressed, width());
  statements(below(2) == 0 ? 0 : below(6), 0);
  as_.call(Helper::kReserve);
  clobber();
  as_.jump_if(JumpOp::kEqual, Register::kR0, 0, dropped);
  as_.mov(Register::kR9, Register::kR0);
  known_.has_record = true;
  statements(below(20), 0);
  leave(Outcome::kCommitted);
  known_.has_record = false;
  as_.bind(suppressed);
  as_.exit(Outcome::kSuppressed);
  as_.bind(dropped);
  as_.exit(Outcome::kDropped);
  if (auto code = as_.finish()) program_.code = std::move(*code);
  return std::move(program_);
}

}  // namespace

program::Program generate(std::uint64_t seed) { return Generator(seed).run(); }

std::span<const std::uint64_t> edge_values() { return kEdges; }

}  // namespace nohalt::program_test
