// Calls of the runtime, and the reads that need none. Reading the frame costs no
// call where the address is proven mapped: at or above the red zone below rsp,
// which the trampoline has written past, and within the frame or the page that
// rsp - 1 is in. Otherwise the runtime decides.
#include <algorithm>

#include "probes/engines/inline/translate/emitter_impl.h"

namespace nohalt::inline_translate {
namespace {

constexpr std::uint32_t kMaxPlainRead = 32;
constexpr std::uint64_t kCodeReach = (std::uint64_t{1} << 31) - (std::uint64_t{1} << 22);

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
      return RuntimeEntry::kReadString;
    case Helper::kReadStack:
      return RuntimeEntry::kReadStack;
    case Helper::kTreeNext:
      return RuntimeEntry::kTreeNext;
    case Helper::kThreadPointer:
      return RuntimeEntry::kThreadPointer;
    case Helper::kReadWide:
      return RuntimeEntry::kReadWide;
    case Helper::kNextFull:
      return RuntimeEntry::kNextFull;
    case Helper::kOpenCall:
      return RuntimeEntry::kOpenCall;
    case Helper::kCloseCall:
      break;
  }
  return RuntimeEntry::kCloseCall;
}

}  // namespace

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
  if (helper.takes_frame) materialise(1);  // rsi, as the entry wants it
  call_entry(entry_of(helper.helper));
  if (helper.helper == Helper::kReserve) as_.mov(kRecord, x86::rax);
}

// Whether the next instructions ask for the token and, with no way in between,
// for the record, and do not look at r0 when they have neither: then one entry
// does for both.
bool Emitter::admits_at_once(std::size_t at) const {
  const std::vector<Instruction>& code = program_.code;
  const auto calls = [&](std::size_t slot, Helper helper) {
    return code[slot].opcode == program::kOpcodeCall &&
           code[slot].imm == static_cast<std::int32_t>(helper);
  };
  const auto leaves_at_zero = [&](std::size_t slot) {
    const Instruction& i = code[slot];
    return program::is_conditional_jump(i) && program::jump_op_of(i) == JumpOp::kEqual &&
           !program::source_is_register(i) && i.dst == 0 && i.imm == 0;
  };
  if (at + kAdmitLength > code.size() || !calls(at, Helper::kTakeToken)) return false;
  const bool is_straight = std::none_of(labels_.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                                        labels_.begin() + static_cast<std::ptrdiff_t>(at) + 4,
                                        [](const asmjit::Label& label) { return label.isValid(); });
  return is_straight && leaves_at_zero(at + 1) && calls(at + 2, Helper::kReserve) &&
         leaves_at_zero(at + 3) && !live_after_[at + 1][0] && !live_after_[at + 3][0];
}

bool Emitter::leaves_with(std::size_t at, program::Outcome outcome) const {
  const std::vector<Instruction>& code = program_.code;
  Instruction says;
  says.opcode =
      static_cast<std::uint8_t>(InstructionClass::kAlu64) | static_cast<std::uint8_t>(AluOp::kMove);
  says.imm = static_cast<std::int32_t>(outcome);
  return at + 1 < code.size() && code[at] == says && code[at + 1].opcode == program::kOpcodeExit;
}

// Nothing but arithmetic and loads before, and nothing done without it.
void Emitter::find_admission() {
  const std::vector<Instruction>& code = program_.code;
  std::size_t at = 0;
  while (at < code.size() && !program::is_jump_class(code[at]))
    at += code[at].opcode == program::kOpcodeLoadImmediate64 ? 2 : 1;
  if (at < code.size() && admits_at_once(at) &&
      leaves_with(target_of(code[at + 1], at + 1), program::Outcome::kSuppressed) &&
      leaves_with(target_of(code[at + 3], at + 3), program::Outcome::kDropped))
    admission_ = at;
}

void Emitter::find_reached() {
  const std::vector<Instruction>& code = program_.code;
  reached_.assign(code.size() + 1, false);
  reached_[0] = true;
  for (std::size_t at = 0; at < code.size(); ++at) {
    const Instruction& i = code[at];
    if (!reached_[at]) continue;
    const bool is_asked = admission_ && at >= *admission_ && at < *admission_ + kAdmitLength;
    const bool jumps = program::is_conditional_jump(i) || i.opcode == program::kOpcodeJumpAlways;
    if (jumps && !is_asked) reached_[target_of(i, at)] = true;
    if (i.opcode != program::kOpcodeJumpAlways && i.opcode != program::kOpcodeExit)
      reached_[at + 1] = true;
  }
}

void Emitter::admit(std::size_t at) {
  const std::vector<Instruction>& code = program_.code;
  call_entry(RuntimeEntry::kAdmit);
  as_.cmp(x86::rax, runtime::kNoSlot);
  as_.jb(labels_[target_of(code[at + 1], at + 1)]);
  as_.je(labels_[target_of(code[at + 3], at + 3)]);
  as_.mov(kRecord, x86::rax);
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
    if (is_in_red_zone(size)) {
      copy_plainly(x86::rcx, to, size, result_live);
      return;
    }
    page_check(size, slow);
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

// Whether r3 is known to point below rsp at the hit.
bool Emitter::is_in_red_zone(std::uint32_t size) const {
  const std::optional<std::int64_t> from = from_hit_rsp_[3];
  return from && *from >= -static_cast<std::int64_t>(kRedZone) && *from + std::int64_t{size} <= 0;
}

// Goes to `slow` unless [rcx, rcx + size) is in the page that was pushed onto last.
void Emitter::page_check(std::uint32_t size, asmjit::Label slow) {
  const x86::Mem rsp_at_hit(kContext,
                            static_cast<std::int32_t>(offsetof(runtime::SavedRegisters, rsp)), 8);
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

}  // namespace nohalt::inline_translate
