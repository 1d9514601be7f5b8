// One pass over the program, one short sequence an instruction.
//
// Where things live, so that a hit is few and plain instructions:
//   r0..r5  rax rsi rdx rcx r8 r9: where the runtime's entries, called with the
//           HitContext in rdi, expect their arguments
//   r6..r9  r12 r13 r14 r15
//   context rbp, record rbx, r10 the top of the frame at rsp
//   rdi r10 r11 are scratch, never live from one instruction to the next
// Pointers and constants are not in registers at all: the verifier knows them,
// so they are written into the instruction that uses them (see liveness.h).
//
// Reading the frame costs no call where the address is proven mapped: at or
// above the red zone below rsp, which the trampoline has written past, and
// within the frame or the page that rsp - 1 is in. Otherwise the runtime decides.
#include "probes/engines/inline/translate/emitter.h"

#include <asmjit/x86.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "probes/engines/inline/translate/liveness.h"
#include "probes/program/arithmetic.h"

namespace nohalt::inline_translate {
namespace {

namespace x86 = asmjit::x86;
using program::AluOp;
using program::Helper;
using program::Instruction;
using program::InstructionClass;
using program::JumpOp;
using program::ProgramState;
using program::RegisterState;
using Kind = RegisterState::Kind;

constexpr x86::Gp kMachine[program::kRegisterCount] = {x86::rax, x86::rsi, x86::rdx, x86::rcx,
                                                       x86::r8,  x86::r9,  x86::r12, x86::r13,
                                                       x86::r14, x86::r15, x86::rsp};
constexpr x86::Gp kContext = x86::rbp;
constexpr x86::Gp kRecord = x86::rbx;
constexpr x86::Gp kArgument = x86::rdi;
constexpr x86::Gp kScratch = x86::r11;
constexpr x86::Gp kScratch2 = x86::r10;
constexpr std::uint32_t kMaxPlainRead = 32;
constexpr std::uint64_t kCodeReach = (std::uint64_t{1} << 31) - (std::uint64_t{1} << 22);

bool fits_signed_32(std::uint64_t value) {
  return program::sign_extended(static_cast<std::int32_t>(static_cast<std::uint32_t>(value))) ==
         value;
}

RuntimeEntry entry_of(Helper helper) {
  switch (helper) {
    case Helper::kTakeToken:
      return RuntimeEntry::kTakeToken;
    case Helper::kReserve:
      return RuntimeEntry::kReserve;
    case Helper::kCommit:
      return RuntimeEntry::kCommit;
    case Helper::kAbandon:
      return RuntimeEntry::kAbandon;
    case Helper::kReadFrame:
      return RuntimeEntry::kReadFrame;
    case Helper::kReadStatic:
      return RuntimeEntry::kReadStatic;
    case Helper::kReadUser:
      return RuntimeEntry::kReadUser;
    case Helper::kReadBytes:
      return RuntimeEntry::kReadBytes;
    case Helper::kReadString:
      break;
  }
  return RuntimeEntry::kReadString;
}

x86::CondCode condition_of(JumpOp op) {
  switch (op) {
    case JumpOp::kEqual:
      return x86::CondCode::kEqual;
    case JumpOp::kGreater:
      return x86::CondCode::kUnsignedGT;
    case JumpOp::kGreaterEqual:
      return x86::CondCode::kUnsignedGE;
    case JumpOp::kLess:
      return x86::CondCode::kUnsignedLT;
    case JumpOp::kLessEqual:
      return x86::CondCode::kUnsignedLE;
    case JumpOp::kSignedGreater:
      return x86::CondCode::kSignedGT;
    case JumpOp::kSignedGreaterEqual:
      return x86::CondCode::kSignedGE;
    case JumpOp::kSignedLess:
      return x86::CondCode::kSignedLT;
    case JumpOp::kSignedLessEqual:
      return x86::CondCode::kSignedLE;
    case JumpOp::kAnyBitSet:
    case JumpOp::kNotEqual:
    case JumpOp::kAlways:
    case JumpOp::kCall:
    case JumpOp::kExit:
      break;
  }
  return x86::CondCode::kNotEqual;
}

x86::Gp sized(x86::Gp reg, std::uint32_t bytes) {
  if (bytes == 8) return reg.r64();
  if (bytes == 4) return reg.r32();
  if (bytes == 2) return reg.r16();
  return reg.r8();
}

// Keeps the first error, so that single instructions need no checks.
class FirstError : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error error, const char* /*message*/,
                   asmjit::BaseEmitter* /*origin*/) override {
    if (first == asmjit::kErrorOk) first = error;
  }
  asmjit::Error first = asmjit::kErrorOk;
};

class Emitter {
 public:
  Emitter(const program::Program& program, const program::VerifiedProgram& verified,
          const Surroundings& surroundings)
      : program_(program),
        verified_(verified),
        surroundings_(surroundings),
        live_after_(live_after(program, verified)) {}
  Result<TranslatedBody> run();

 private:
  void prologue();
  void epilogue();
  void plan_frame();
  void emit(const Instruction& i, std::size_t at);
  void load(const Instruction& i);
  void store(const Instruction& i);
  void alu(const Instruction& i);
  void alu_constant(AluOp op, bool wide, x86::Gp dst, std::uint64_t value);
  void alu_register(AluOp op, bool wide, x86::Gp dst, x86::Gp src);
  void shift_by_register(AluOp op, bool wide, x86::Gp dst, x86::Gp src);
  void divide(AluOp op, bool wide, x86::Gp dst, std::optional<std::uint64_t> by, x86::Gp src);
  void conditional_jump(const Instruction& i, asmjit::Label target);
  void call(const program::HelperSignature& helper, bool result_live);
  void call_entry(RuntimeEntry entry);
  void read(const program::HelperSignature& helper, bool result_live);
  [[nodiscard]] bool is_in_frame(std::uint32_t size) const;
  void frame_check(std::uint32_t size, asmjit::Label slow);
  void follow_hit_rsp(const Instruction& i);
  void copy_plainly(x86::Gp from, const RegisterState& to, std::uint32_t size, bool result_live);
  void move_constant(x86::Gp dst, std::uint64_t value);
  void materialise(unsigned number);
  [[nodiscard]] bool is_static(std::uint64_t from, std::uint64_t size) const;

  [[nodiscard]] x86::Mem place(const RegisterState& base, std::int32_t offset,
                               std::uint32_t size) const;
  [[nodiscard]] const RegisterState& state(unsigned number) const {
    return state_->registers[number];
  }

  const program::Program& program_;
  const program::VerifiedProgram& verified_;
  const Surroundings& surroundings_;
  std::vector<RegisterSet> live_after_;
  const ProgramState* state_ = nullptr;  // before the current instruction
  // Registers that hold rsp at the hit plus this, as far as straight-line code shows.
  std::array<std::optional<std::int64_t>, program::kRegisterCount> from_hit_rsp_;

  FirstError errors_;
  asmjit::CodeHolder holder_;
  x86::Assembler as_;
  std::vector<asmjit::Label> labels_;
  std::vector<x86::Gp> saved_;
  std::int32_t frame_ = 0;
};

Result<TranslatedBody> Emitter::run() {
  holder_.init(asmjit::Environment(asmjit::Arch::kX64), surroundings_.load_address.value);
  holder_.setErrorHandler(&errors_);
  holder_.attach(&as_);
  const std::vector<Instruction>& code = program_.code;
  labels_.resize(code.size());
  for (std::size_t at = 0; at < code.size(); ++at) {
    const Instruction& i = code[at];
    if (!program::is_conditional_jump(i) && i.opcode != program::kOpcodeJumpAlways) continue;
    asmjit::Label& label = labels_[at + 1 + static_cast<std::size_t>(i.offset)];
    if (!label.isValid()) label = as_.newLabel();
  }
  plan_frame();
  prologue();
  for (std::size_t at = 0; at < code.size(); ++at) {
    state_ = &verified_.before[at];
    if (labels_[at].isValid()) {
      as_.bind(labels_[at]);
      from_hit_rsp_ = {};
    }
    emit(code[at], at);
    follow_hit_rsp(code[at]);
    if (code[at].opcode == program::kOpcodeLoadImmediate64) ++at;
  }
  const asmjit::CodeBuffer& buffer = holder_.textSection()->buffer();
  if (errors_.first != asmjit::kErrorOk || holder_.hasUnresolvedLinks() ||
      holder_.hasRelocEntries())
    return fail(ErrorCode::kInternal, "translation-failed",
                "The capture program could not be written as machine code.");
  TranslatedBody body;
  const auto* bytes = reinterpret_cast<const std::byte*>(buffer.data());
  body.code.assign(bytes, bytes + buffer.size());
  body.cost = verified_.cost;
  return body;
}

// Which registers must be kept for the caller, and how large the frame is.
void Emitter::plan_frame() {
  saved_ = {kContext};
  bool used[program::kRegisterCount] = {};
  for (std::size_t at = 0; at < program_.code.size(); ++at) {
    const Instruction& i = program_.code[at];
    for (unsigned number = 6; number <= 9; ++number)
      used[number] = used[number] || live_after_[at][number];
    if (i.opcode == program::kOpcodeCall && i.imm == static_cast<std::int32_t>(Helper::kReserve))
      used[0] = true;
    if (i.opcode == program::kOpcodeLoadImmediate64) ++at;
  }
  if (used[0]) saved_.push_back(kRecord);
  for (unsigned number = 6; number <= 9; ++number)
    if (used[number]) saved_.push_back(kMachine[number]);
  frame_ = static_cast<std::int32_t>((verified_.stack_bytes + 7) / 8 * 8);
  // Entries are called with rsp on a 16-byte boundary; a body begins 8 below one.
  const std::size_t below = 8 + 8 * saved_.size() + static_cast<std::size_t>(frame_);
  if (below % 16 != 0) frame_ += 8;
}

void Emitter::prologue() {
  for (const x86::Gp& reg : saved_) as_.push(reg);
  if (frame_ != 0) as_.sub(x86::rsp, frame_);
  as_.mov(kContext, kArgument);
}

void Emitter::epilogue() {
  if (frame_ != 0) as_.add(x86::rsp, frame_);
  for (std::size_t at = saved_.size(); at-- > 0;) as_.pop(saved_[at]);
  as_.ret();
}

x86::Mem Emitter::place(const RegisterState& base, std::int32_t offset, std::uint32_t size) const {
  const std::int32_t total = base.offset + offset;
  switch (base.kind) {
    case Kind::kContext:
      return x86::Mem(kContext, total, size);
    case Kind::kStack:
      return x86::Mem(x86::rsp, frame_ + total, size);
    default:
      return x86::Mem(kRecord, total, size);
  }
}

void Emitter::move_constant(x86::Gp dst, std::uint64_t value) {
  if (value == 0)
    as_.xor_(dst.r32(), dst.r32());
  else if (value <= std::numeric_limits<std::uint32_t>::max())
    as_.mov(dst.r32(), static_cast<std::uint32_t>(value));
  else
    as_.mov(dst.r64(), value);
}

// Puts a number where the machine expects it, if it is known and so not there yet.
void Emitter::materialise(unsigned number) {
  if (const auto value = state(number).constant()) move_constant(kMachine[number], *value);
}

void Emitter::emit(const Instruction& i, std::size_t at) {
  const bool dst_live = live_after_[at][i.dst];
  switch (program::class_of(i)) {
    case InstructionClass::kLoadImmediate:
      if (dst_live)
        move_constant(kMachine[i.dst], program::wide_immediate(i, program_.code[at + 1]));
      return;
    case InstructionClass::kLoad:
      if (dst_live) load(i);
      return;
    case InstructionClass::kStoreImmediate:
    case InstructionClass::kStore:
      store(i);
      return;
    case InstructionClass::kAlu32:
    case InstructionClass::kAlu64:
      if (dst_live) alu(i);
      return;
    case InstructionClass::kJump32:
    case InstructionClass::kJump64:
      break;
  }
  if (i.opcode == program::kOpcodeExit) {
    materialise(0);
    epilogue();
  } else if (i.opcode == program::kOpcodeCall) {
    call(*program::find_helper(i.imm), live_after_[at][0]);
  } else {
    const asmjit::Label target = labels_[at + 1 + static_cast<std::size_t>(i.offset)];
    if (i.opcode == program::kOpcodeJumpAlways)
      as_.jmp(target);
    else
      conditional_jump(i, target);
  }
}

void Emitter::load(const Instruction& i) {
  const std::uint32_t size = program::access_size_of(i);
  const x86::Mem from = place(state(i.src), i.offset, size);
  const x86::Gp dst = kMachine[i.dst];
  if (size == 8)
    as_.mov(dst, from);
  else if (size == 4)
    as_.mov(dst.r32(), from);
  else
    as_.movzx(dst.r32(), from);
}

void Emitter::store(const Instruction& i) {
  const std::uint32_t size = program::access_size_of(i);
  const x86::Mem to = place(state(i.dst), i.offset, size);
  std::optional<std::uint64_t> value = program::sign_extended(i.imm);
  if (program::class_of(i) == InstructionClass::kStore) value = state(i.src).constant();
  if (!value) {
    as_.mov(to, sized(kMachine[i.src], size));
  } else if (size < 8 || fits_signed_32(*value)) {
    const auto low = static_cast<std::int32_t>(static_cast<std::uint32_t>(*value));
    const int unused_bits = size < 4 ? static_cast<int>(32 - 8 * size) : 0;
    as_.mov(to, (low << unused_bits) >> unused_bits);
  } else {
    move_constant(kScratch, *value);
    as_.mov(to, kScratch);
  }
}

void Emitter::alu(const Instruction& i) {
  const AluOp op = program::alu_op_of(i);
  const bool wide = program::class_of(i) == InstructionClass::kAlu64;
  const program::Width width = wide ? program::Width::k64 : program::Width::k32;
  const x86::Gp dst = kMachine[i.dst];
  const bool by_register = program::source_is_register(i);
  const std::optional<std::uint64_t> source =
      by_register ? state(i.src).constant() : program::sign_extended(i.imm);
  const std::optional<std::uint64_t> left =
      op == AluOp::kMove ? std::optional<std::uint64_t>(0) : state(i.dst).constant();
  if (source && left) {
    move_constant(dst, *program::evaluate_alu(op, width, *left, *source));
  } else if (op == AluOp::kDiv || op == AluOp::kMod) {
    divide(op, wide, dst, source, by_register ? kMachine[i.src] : dst);
  } else if (source) {
    alu_constant(op, wide, dst, *source);
  } else {
    alu_register(op, wide, dst, kMachine[i.src]);
  }
}

void Emitter::alu_constant(AluOp op, bool wide, x86::Gp dst, std::uint64_t value) {
  const x86::Gp to = wide ? dst : dst.r32();
  const auto imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
  const auto count = static_cast<std::uint32_t>(value & (wide ? 63 : 31));
  switch (op) {
    case AluOp::kNegate:
      as_.neg(to);
      return;
    case AluOp::kShiftLeft:
    case AluOp::kShiftRight:
    case AluOp::kShiftRightSigned:
      // A count of zero still clears the high half.
      if (count == 0)
        as_.mov(to, to);
      else if (op == AluOp::kShiftLeft)
        as_.shl(to, count);
      else if (op == AluOp::kShiftRight)
        as_.shr(to, count);
      else
        as_.sar(to, count);
      return;
    default:
      break;
  }
  if (wide && !fits_signed_32(value)) {
    move_constant(kScratch, value);
    alu_register(op, wide, dst, kScratch);
    return;
  }
  switch (op) {
    case AluOp::kAdd:
      as_.add(to, imm);
      return;
    case AluOp::kSub:
      as_.sub(to, imm);
      return;
    case AluOp::kMul:
      as_.imul(to, to, imm);
      return;
    case AluOp::kOr:
      as_.or_(to, imm);
      return;
    case AluOp::kAnd:
      as_.and_(to, imm);
      return;
    default:
      as_.xor_(to, imm);
      return;
  }
}

void Emitter::alu_register(AluOp op, bool wide, x86::Gp dst, x86::Gp src) {
  const x86::Gp to = wide ? dst : dst.r32();
  const x86::Gp from = wide ? src : src.r32();
  switch (op) {
    case AluOp::kMove:
      if (!wide || dst != src) as_.mov(to, from);
      return;
    case AluOp::kAdd:
      as_.add(to, from);
      return;
    case AluOp::kSub:
      as_.sub(to, from);
      return;
    case AluOp::kMul:
      as_.imul(to, from);
      return;
    case AluOp::kOr:
      as_.or_(to, from);
      return;
    case AluOp::kAnd:
      as_.and_(to, from);
      return;
    case AluOp::kXor:
      as_.xor_(to, from);
      return;
    default:
      shift_by_register(op, wide, dst, src);
      return;
  }
}

// The machine takes the count in cl, so rcx is set aside where it is not there.
void Emitter::shift_by_register(AluOp op, bool wide, x86::Gp dst, x86::Gp src) {
  const bool in_place = src == x86::rcx && dst != x86::rcx;
  const x86::Gp shifted = dst == x86::rcx ? kScratch : dst;
  if (!in_place) {
    as_.mov(kScratch, x86::rcx);
    if (src != x86::rcx) as_.mov(x86::ecx, src.r32());
  }
  const x86::Gp to = wide ? shifted : shifted.r32();
  if (op == AluOp::kShiftLeft)
    as_.shl(to, x86::cl);
  else if (op == AluOp::kShiftRight)
    as_.shr(to, x86::cl);
  else
    as_.sar(to, x86::cl);
  if (!in_place) as_.mov(x86::rcx, kScratch);
}

// The machine divides rdx:rax and traps on zero, so both are set aside and zero
// goes its own way: 0 for a quotient, the dividend for a remainder.
void Emitter::divide(AluOp op, bool wide, x86::Gp dst, std::optional<std::uint64_t> by,
                     x86::Gp src) {
  const x86::Gp divisor = wide ? kScratch : kScratch.r32();
  const asmjit::Label done = as_.newLabel();
  if (by && !wide) by = static_cast<std::uint32_t>(*by);
  if (by == 0U) {
    if (op == AluOp::kDiv)
      as_.xor_(dst.r32(), dst.r32());
    else
      as_.mov(wide ? dst : dst.r32(), wide ? dst : dst.r32());
    return;
  }
  if (by) {
    move_constant(kScratch, *by);
  } else {
    const asmjit::Label divides = as_.newLabel();
    as_.mov(divisor, wide ? src : src.r32());
    as_.test(divisor, divisor);
    as_.short_().jnz(divides);
    if (op == AluOp::kDiv)
      as_.xor_(dst.r32(), dst.r32());
    else
      as_.mov(wide ? dst : dst.r32(), wide ? dst : dst.r32());
    as_.short_().jmp(done);
    as_.bind(divides);
  }
  as_.mov(kScratch2, x86::rax);
  as_.mov(kArgument, x86::rdx);
  as_.mov(x86::rax, dst);
  as_.xor_(x86::edx, x86::edx);
  as_.div(divisor);
  as_.mov(kScratch, op == AluOp::kDiv ? x86::rax : x86::rdx);
  as_.mov(x86::rax, kScratch2);
  as_.mov(x86::rdx, kArgument);
  as_.mov(dst, kScratch);
  as_.bind(done);
}

void Emitter::conditional_jump(const Instruction& i, asmjit::Label target) {
  const JumpOp op = program::jump_op_of(i);
  const bool wide = program::class_of(i) == InstructionClass::kJump64;
  const bool is_record = state(i.dst).is_pointer();
  const x86::Gp machine = is_record ? kRecord : kMachine[i.dst];
  const x86::Gp left = wide ? machine : machine.r32();
  const bool by_register = program::source_is_register(i);
  std::optional<std::uint64_t> right =
      by_register ? state(i.src).constant() : program::sign_extended(i.imm);
  if (right && !wide)
    right = program::sign_extended(static_cast<std::int32_t>(static_cast<std::uint32_t>(*right)));
  const bool short_constant = right && fits_signed_32(*right);
  x86::Gp other = by_register ? kMachine[i.src] : kScratch;
  if (right && !short_constant) {
    move_constant(kScratch, *right);
    other = kScratch;
  }
  if (!wide) other = other.r32();

  if (op == JumpOp::kAnyBitSet) {
    if (short_constant)
      as_.test(left, static_cast<std::int32_t>(*right));
    else
      as_.test(left, other);
  } else if (short_constant && *right == 0) {
    as_.test(left, left);
  } else if (short_constant) {
    as_.cmp(left, static_cast<std::int32_t>(*right));
  } else {
    as_.cmp(left, other);
  }
  as_.j(condition_of(op), target);
}

void Emitter::call_entry(RuntimeEntry entry) {
  const std::uint64_t target = surroundings_.entry(entry).value;
  const std::uint64_t from = surroundings_.load_address.value;
  const std::uint64_t distance = target > from ? target - from : from - target;
  as_.mov(kArgument, kContext);
  if (distance < kCodeReach) {
    as_.call(target);
  } else {
    move_constant(x86::rax, target);
    as_.call(x86::rax);
  }
}

void Emitter::call(const program::HelperSignature& helper, bool result_live) {
  if (helper.writes_memory) {
    read(helper, result_live);
    return;
  }
  if (helper.takes_body) as_.mov(x86::rsi, kRecord);
  call_entry(entry_of(helper.helper));
  if (helper.helper == Helper::kReserve) as_.mov(kRecord, x86::rax);
}

bool Emitter::is_static(std::uint64_t from, std::uint64_t size) const {
  return std::ranges::any_of(surroundings_.static_ranges, [&](const runtime::StaticRange& range) {
    return from >= range.begin && from < range.end && size <= range.end - from;
  });
}

void Emitter::read(const program::HelperSignature& helper, bool result_live) {
  const RegisterState& to = state(1);
  const auto size = static_cast<std::uint32_t>(*state(2).constant());
  const std::optional<std::uint64_t> from = state(3).constant();
  materialise(3);
  const bool is_plain = size <= kMaxPlainRead;
  if (helper.helper == Helper::kReadStatic && is_plain && from && is_static(*from, size)) {
    copy_plainly(x86::rcx, to, size, result_live);
    return;
  }
  const asmjit::Label slow = as_.newLabel();
  const asmjit::Label done = as_.newLabel();
  if (helper.helper == Helper::kReadFrame && is_plain && !from) {
    if (is_in_frame(size)) {
      copy_plainly(x86::rcx, to, size, result_live);
      return;
    }
    frame_check(size, slow);
    copy_plainly(x86::rcx, to, size, result_live);
    as_.short_().jmp(done);
    as_.bind(slow);
  }
  if (helper.takes_length) materialise(4);
  as_.lea(x86::rsi, place(to, 0, 0));
  move_constant(x86::rdx, size);
  call_entry(entry_of(helper.helper));
  as_.bind(done);
}

void Emitter::follow_hit_rsp(const Instruction& i) {
  constexpr auto kWhere = static_cast<std::int32_t>(offsetof(runtime::SavedRegisters, rsp));
  std::optional<std::int64_t>& dst = from_hit_rsp_[i.dst];
  const bool is_move = program::alu_op_of(i) == AluOp::kMove;
  const bool is_sum = program::alu_op_of(i) == AluOp::kAdd && !program::source_is_register(i);
  switch (program::class_of(i)) {
    case InstructionClass::kLoad: {
      const bool is_rsp =
          state(i.src).kind == Kind::kContext && state(i.src).offset + i.offset == kWhere;
      dst = is_rsp ? std::optional<std::int64_t>(0) : std::nullopt;
      return;
    }
    case InstructionClass::kAlu64:
      if (is_move && program::source_is_register(i))
        dst = from_hit_rsp_[i.src];
      else if (is_sum && dst)
        *dst += i.imm;
      else
        dst.reset();
      return;
    case InstructionClass::kAlu32:
    case InstructionClass::kLoadImmediate:
      dst.reset();
      return;
    case InstructionClass::kJump64:
      if (i.opcode != program::kOpcodeCall) return;
      for (unsigned number = 0; number <= 5; ++number) from_hit_rsp_[number].reset();
      return;
    default:
      return;
  }
}

// Whether r3 is known to point into the frame of the hit.
bool Emitter::is_in_frame(std::uint32_t size) const {
  const std::optional<std::int64_t> from = from_hit_rsp_[3];
  return from && *from >= -static_cast<std::int64_t>(kRedZone) &&
         *from + std::int64_t{size} <= std::int64_t{surroundings_.frame_bytes};
}

// Goes to `slow` unless [rcx, rcx + size) is proven mapped.
void Emitter::frame_check(std::uint32_t size, asmjit::Label slow) {
  const x86::Mem rsp_at_hit(kContext,
                            static_cast<std::int32_t>(offsetof(runtime::SavedRegisters, rsp)), 8);
  const auto reach = std::int64_t{surroundings_.frame_bytes} + std::int64_t{kRedZone} - size;
  if (surroundings_.frame_bytes != 0 && reach >= 0) {
    as_.lea(kScratch2, x86::Mem(x86::rcx, static_cast<std::int32_t>(kRedZone)));
    as_.sub(kScratch2, rsp_at_hit);
    as_.cmp(kScratch2, static_cast<std::int32_t>(reach));
    as_.short_().ja(slow);
    return;
  }
  constexpr std::int32_t kInPage = static_cast<std::int32_t>(kPageSize - 1);
  as_.mov(kScratch, rsp_at_hit);
  as_.sub(kScratch, 1);
  as_.lea(kScratch2, x86::Mem(x86::rcx, static_cast<std::int32_t>(size - 1)));
  as_.xor_(kScratch2, kScratch);
  as_.cmp(kScratch2, kInPage);
  as_.short_().ja(slow);
  if (size == 1) return;
  as_.xor_(kScratch, x86::rcx);
  as_.cmp(kScratch, kInPage);
  as_.short_().ja(slow);
}

void Emitter::copy_plainly(x86::Gp from, const RegisterState& to, std::uint32_t size,
                           bool result_live) {
  std::uint32_t done = 0;
  while (done < size) {
    std::uint32_t chunk = 8;
    while (chunk > size - done) chunk /= 2;
    const auto offset = static_cast<std::int32_t>(done);
    const x86::Mem source(from, offset, chunk);
    if (chunk >= 4)
      as_.mov(sized(kArgument, chunk), source);
    else
      as_.movzx(kArgument.r32(), source);
    as_.mov(place(to, offset, chunk), sized(kArgument, chunk));
    done += chunk;
  }
  if (result_live) as_.xor_(x86::eax, x86::eax);
}

}  // namespace

Result<TranslatedBody> emit_body(const program::Program& program,
                                 const program::VerifiedProgram& verified,
                                 const Surroundings& surroundings) {
  return Emitter(program, verified, surroundings).run();
}

}  // namespace nohalt::inline_translate
