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
#include "probes/engines/inline/translate/emitter.h"

#include <limits>

#include "probes/engines/inline/translate/emitter_impl.h"

namespace nohalt::inline_translate {

Result<TranslatedBody> Emitter::run() {
  holder_.init(asmjit::Environment(asmjit::Arch::kX64), surroundings_.load_address.value);
  holder_.setErrorHandler(&errors_);
  holder_.attach(&as_);
  const std::vector<Instruction>& code = program_.code;
  labels_.resize(code.size());
  for (std::size_t at = 0; at < code.size(); ++at) {
    const Instruction& i = code[at];
    if (!program::is_conditional_jump(i) && i.opcode != program::kOpcodeJumpAlways) continue;
    asmjit::Label& label = labels_[target_of(i, at)];
    if (!label.isValid()) label = as_.newLabel();
  }
  find_admission();
  find_reached();
  plan_frame();
  prologue();
  for (std::size_t at = 0; at < code.size(); ++at) {
    if (!reached_[at]) continue;
    state_ = &verified_.before[at];
    if (labels_[at].isValid()) {
      as_.bind(labels_[at]);
      from_hit_rsp_ = {};
    }
    if (admits_at_once(at)) {
      if (at != admission_) admit(at);
      at += kAdmitLength - 1;
      from_hit_rsp_ = {};
      continue;
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
  body.is_admitted = admission_.has_value();
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
  if (admission_) as_.mov(kRecord, x86::rsi);
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
    const asmjit::Label target = labels_[target_of(i, at)];
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

Result<TranslatedBody> emit_body(const program::Program& program,
                                 const program::VerifiedProgram& verified,
                                 const Surroundings& surroundings) {
  return Emitter(program, verified, surroundings).run();
}

}  // namespace nohalt::inline_translate
