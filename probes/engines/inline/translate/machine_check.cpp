// One forward pass over the decoded instructions. Each register holds a value
// of known origin or a number; a jump's state waits at its target, which must
// be an instruction further on. Whatever is not recognised makes a number, and
// a number is good for nothing but to be stored, compared and passed as an
// address for the runtime to read.
#include "probes/engines/inline/translate/machine_check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "probes/engines/inline/translate/machine_code.h"
#include "probes/engines/inline/translate/machine_state.h"

namespace nohalt::inline_translate {
namespace {

using Kind = MachineValue::Kind;
using Reg = MachineRegister;
using Broken = std::optional<std::string_view>;

constexpr std::int64_t kMaxStack = 512;
constexpr std::int64_t kFar = std::int64_t{1} << 30;

class Checker {
 public:
  Checker(const BodyLimits& limits, const Surroundings& surroundings)
      : limits_(limits), surroundings_(surroundings) {}
  Result<BodyFacts> run(std::span<const std::byte> code);

 private:
  Broken step(const MachineInstruction& i);
  Broken move(const MachineInstruction& i);
  Broken add(const MachineInstruction& i);
  Broken arithmetic(const MachineInstruction& i);
  Broken divide(const MachineInstruction& i);
  Broken set_flags(const MachineInstruction& i);
  Broken push_or_pop(const MachineInstruction& i);
  Broken call(const MachineInstruction& i);
  Broken call_gate(RuntimeEntry entry);
  Broken call_release();
  Broken call_read();
  Broken give_back(const MachineInstruction& i) const;
  Broken store(const MachineInstruction& i);
  Broken may_write(const MachineValue& to, std::int64_t size) const;
  Broken load(const MachineInstruction& i, MachineValue& value);
  void note_context_word(std::size_t offset);
  [[nodiscard]] bool in_page(const MachineValue& from, std::int64_t size) const;
  [[nodiscard]] bool proven_mapped(const MachineValue& base, std::int64_t size) const;
  [[nodiscard]] bool has_fact(MachineFact::Kind kind, const MachineValue& of) const;
  Broken write(const MachineOperand& to, const MachineValue& value);
  Broken flow(const MachineInstruction& i);
  Broken jump_to(const MachineInstruction& i, const MachineState& state);

  // Where the caller's saved registers, or the return address, begin.
  [[nodiscard]] std::int64_t ceiling() const {
    return -8 * static_cast<std::int64_t>(state_.pushed.size());
  }
  [[nodiscard]] MachineValue operand_value(const MachineOperand& operand) const {
    if (operand.is_immediate()) return {Kind::kConstant, 0, operand.value};
    return state_[operand.reg];
  }

  const BodyLimits& limits_;
  const Surroundings& surroundings_;
  SymbolSource symbols_;
  MachineState state_;
  bool reached_ = true;  // whether state_ is that before the next instruction
  std::map<std::uint64_t, MachineState> pending_;  // by address
  BodyFacts facts_;
};

MachineValue moved(MachineValue value, std::int64_t by) {
  value.offset = static_cast<std::int64_t>(static_cast<std::uint64_t>(value.offset) +
                                           static_cast<std::uint64_t>(by));
  return value;
}

// a - b as the machine reckons: numbers wrap, and so do what is added to them.
std::uint64_t difference(std::int64_t a, std::int64_t b) {
  return static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b);
}

bool is_pointer_like(const MachineValue& value) { return !value.is_number(); }

Result<BodyFacts> Checker::run(std::span<const std::byte> code) {
  NOHALT_TRY(const std::vector<MachineInstruction> instructions,
             decode(code, surroundings_.load_address));
  state_ = machine_entry_state(symbols_);
  const auto refuse = [](std::string_view rule, std::size_t offset, const std::string& text) {
    return fail(ErrorCode::kInternal, "machine-check",
                "The generated code breaks the rule '" + std::string(rule) + "' at byte " +
                    std::to_string(offset) + " (" + text + ").",
                "This is a defect in nohalt; please report it.");
  };
  for (const MachineInstruction& i : instructions) {
    const std::uint64_t address = surroundings_.load_address.value + i.offset;
    if (const auto waiting = pending_.find(address); waiting != pending_.end()) {
      if (!reached_)
        state_ = waiting->second;
      else if (!join(state_, waiting->second, symbols_))
        return refuse("stack-differs-where-paths-join", i.offset, i.text);
      pending_.erase(waiting);
      reached_ = true;
    }
    if (!reached_) return refuse("unreachable", i.offset, i.text);
    Broken broken = step(i);
    if (!broken) broken = flow(i);
    if (broken) return refuse(*broken, i.offset, i.text);
    ++facts_.instructions;
  }
  if (reached_) return refuse("falls-off-the-end", code.size(), "end");
  if (!pending_.empty())
    return refuse("jump-between-instructions",
                  pending_.begin()->first - surroundings_.load_address.value, "jump target");
  return facts_;
}

Broken Checker::step(const MachineInstruction& i) {
  switch (i.operation) {
    case Operation::kMove:
    case Operation::kMoveZeroExtend:
      return move(i);
    case Operation::kLoadAddress:
      if (!i.operands[0].is_register() || !i.operands[1].is_memory()) return "operand";
      return write(i.operands[0], moved(state_[i.operands[1].reg], i.operands[1].value));
    case Operation::kAdd:
    case Operation::kSub:
      return add(i);
    case Operation::kAnd:
    case Operation::kOr:
    case Operation::kXor:
    case Operation::kMultiply:
    case Operation::kNegate:
    case Operation::kShiftLeft:
    case Operation::kShiftRight:
    case Operation::kShiftRightSigned:
      return arithmetic(i);
    case Operation::kDivide:
      return divide(i);
    case Operation::kCompare:
    case Operation::kTest:
      return set_flags(i);
    case Operation::kPush:
    case Operation::kPop:
      return push_or_pop(i);
    case Operation::kCall:
      return call(i);
    case Operation::kReturn:
      return give_back(i);
    default:
      return std::nullopt;  // jumps: see flow()
  }
}

// Every write to a register. Half a register's write clears the other half.
Broken Checker::write(const MachineOperand& to, const MachineValue& value) {
  if (!to.is_register() || to.size < 4) return "partial-register";
  MachineValue kept = value;
  if (to.size == 4 && value.kind == Kind::kConstant)
    kept.offset = static_cast<std::int64_t>(static_cast<std::uint32_t>(value.offset));
  else if (to.size == 4 && is_pointer_like(value))
    return "half-of-a-pointer";
  else if (to.size == 4 && value.kind == Kind::kNumber)
    kept = symbols_.fresh();
  // A record that may be null is not moved along; its null would not be null.
  if (kept.kind == Kind::kRecordOrNull && kept.offset != 0) return "record-not-checked";
  const bool is_far = kept.offset > kFar || kept.offset < -kFar;
  const bool has_bounds =
      kept.kind == Kind::kStack || kept.kind == Kind::kContext || kept.kind == Kind::kRecord;
  if (has_bounds && is_far) return "pointer-too-far";
  if (to.reg == Reg::kRsp) {
    const bool in_frame = kept.kind == Kind::kStack && kept.offset <= ceiling() &&
                          kept.offset >= -kMaxStack && kept.offset % 8 == 0;
    if (!in_frame) return "stack-pointer";
    facts_.stack_bytes = std::max(facts_.stack_bytes, static_cast<std::uint32_t>(-kept.offset));
  }
  state_[to.reg] = kept;
  return std::nullopt;
}

Broken Checker::move(const MachineInstruction& i) {
  const MachineOperand& to = i.operands[0];
  const MachineOperand& from = i.operands[1];
  if (to.is_memory()) return i.operation == Operation::kMove ? store(i) : Broken("operand");
  MachineValue value = symbols_.fresh();
  if (from.is_memory()) {
    if (const Broken broken = load(i, value)) return broken;
  } else if (i.operation == Operation::kMove) {
    value = operand_value(from);
  } else {
    return "operand";
  }
  return write(to, value);
}

void Checker::note_context_word(std::size_t offset) {
  constexpr std::size_t kXmm = offsetof(runtime::HitContext, xmm);
  if (offset < kXmm)
    facts_.registers |= 1U << offset / sizeof(std::uint64_t);
  else
    facts_.xmm_count =
        std::max(facts_.xmm_count, static_cast<std::uint32_t>((offset - kXmm) / 16 + 1));
}

Broken Checker::load(const MachineInstruction& i, MachineValue& value) {
  const MachineOperand& memory = i.operands[1];
  const MachineValue from = moved(state_[memory.reg], memory.value);
  const std::int64_t size = memory.size;
  switch (from.kind) {
    case Kind::kContext: {
      const bool general =
          from.offset >= 0 && from.offset + size <= std::int64_t{sizeof(runtime::SavedRegisters)};
      const bool vector = limits_.has_xmm &&
                          from.offset >= std::int64_t{offsetof(runtime::HitContext, xmm)} &&
                          from.offset + size <= std::int64_t{sizeof(runtime::HitContext)};
      if (size != 8 || from.offset % 8 != 0 || (!general && !vector)) return "context-load";
      note_context_word(static_cast<std::size_t>(from.offset));
      if (from.offset == std::int64_t{offsetof(runtime::SavedRegisters, rsp)})
        value = {Kind::kNumber, kHitRspSymbol, 0};
      return std::nullopt;
    }
    case Kind::kStack:
      if (from.offset < state_[Reg::kRsp].offset || from.offset + size > ceiling())
        return "stack-load";
      return std::nullopt;
    default:
      if (!proven_mapped(from, size)) return "load-not-proven-mapped";
      return std::nullopt;
  }
}

bool Checker::has_fact(MachineFact::Kind kind, const MachineValue& of) const {
  return std::ranges::find(state_.facts, MachineFact{kind, of.symbol, of.offset, 0}) !=
         state_.facts.end();
}

// Whether bytes at or before the first and at or after the last are in the one
// page, less than a page apart: then so is all between.
bool Checker::in_page(const MachineValue& from, std::int64_t size) const {
  const auto is_about = [&](const MachineFact& fact) {
    return fact.kind == MachineFact::Kind::kInPage && fact.symbol == from.symbol;
  };
  for (const MachineFact& low : state_.facts)
    for (const MachineFact& high : state_.facts) {
      if (!is_about(low) || !is_about(high)) continue;
      const std::uint64_t lead = difference(from.offset, low.offset);
      const std::uint64_t span = difference(high.offset, low.offset);
      if (lead < kPageSize && span < kPageSize &&
          lead + static_cast<std::uint64_t>(size - 1) <= span)
        return true;
    }
  return false;
}

bool Checker::proven_mapped(const MachineValue& base, std::int64_t size) const {
  if (base.kind == Kind::kConstant) {
    const auto address = static_cast<std::uint64_t>(base.offset);
    const bool is_static = std::ranges::any_of(surroundings_.static_ranges, [&](const auto& range) {
      return address >= range.begin && address < range.end &&
             static_cast<std::uint64_t>(size) <= range.end - address;
    });
    if (is_static) return true;
  }
  const MachineValue from = as_number(base);
  if (from.kind != Kind::kNumber) return false;
  if (in_page(from, size)) return true;
  constexpr auto kBelow = static_cast<std::int64_t>(kRedZone);
  const std::int64_t last = std::int64_t{surroundings_.frame_bytes} - size;
  if (from.symbol == kHitRspSymbol && from.offset >= -kBelow && from.offset <= last) return true;
  return std::ranges::any_of(state_.facts, [&](const MachineFact& fact) {
    if (fact.kind != MachineFact::Kind::kFromHitRsp || fact.symbol != from.symbol) return false;
    // fact: 0 <= u <= limit for u = symbol + fact.offset - rsp, so the load
    // begins at rsp - 128 + u + lead.
    const std::uint64_t lead =
        difference(from.offset, fact.offset) + static_cast<std::uint64_t>(kBelow);
    const std::uint64_t room = static_cast<std::uint64_t>(kBelow) + surroundings_.frame_bytes;
    return lead <= room && fact.limit <= room &&
           fact.limit + lead + static_cast<std::uint64_t>(size) <= room;
  });
}

Broken Checker::may_write(const MachineValue& to, std::int64_t size) const {
  if (to.kind == Kind::kRecord) {
    if (to.offset < 0 || to.offset + size > std::int64_t{limits_.record_size})
      return "store-outside-record";
    return std::nullopt;
  }
  if (to.kind != Kind::kStack) return "store-elsewhere";
  if (to.offset < state_[Reg::kRsp].offset || to.offset + size > ceiling())
    return "store-outside-frame";
  return std::nullopt;
}

Broken Checker::store(const MachineInstruction& i) {
  const MachineOperand& memory = i.operands[0];
  const MachineOperand& from = i.operands[1];
  if (from.is_register() && is_pointer_like(state_[from.reg])) return "pointer-stored";
  return may_write(moved(state_[memory.reg], memory.value), memory.size);
}

Broken Checker::add(const MachineInstruction& i) {
  const MachineOperand& to = i.operands[0];
  const MachineOperand& by = i.operands[1];
  if (!to.is_register() || i.operands[2].kind != MachineOperand::Kind::kNone) return "operand";
  const MachineValue left = state_[to.reg];
  const bool adds = i.operation == Operation::kAdd;
  state_.flags = {};
  if (by.is_memory()) {
    // The one form in use: a number minus rsp at the hit.
    MachineValue value;
    if (adds || to.size != 8 || by.size != 8 || !left.is_number()) return "operand";
    if (const Broken broken = load(i, value)) return broken;
    if (value != MachineValue{Kind::kNumber, kHitRspSymbol, 0}) return "operand";
    const MachineValue from = as_number(left);
    return write(to, {Kind::kFromHitRsp, from.symbol, from.offset});
  }
  if (by.is_immediate() && to.size == 8 && left.kind != Kind::kInPage &&
      left.kind != Kind::kToken && left.kind != Kind::kCallerSaved)
    return write(to, moved(left, adds ? by.value : -by.value));
  return arithmetic(i);
}

// What is not followed: the result is a number, and nothing but numbers may go
// into it.
Broken Checker::arithmetic(const MachineInstruction& i) {
  const MachineOperand& to = i.operands[0];
  if (!to.is_register()) return "operand";
  state_.flags = {};
  const bool clears = i.operation == Operation::kXor && i.operands[1].is_register() &&
                      i.operands[1].reg == to.reg && i.operands[1].size == to.size;
  if (clears) return write(to, {Kind::kConstant, 0, 0});
  const MachineValue left = state_[to.reg];
  MachineValue result = symbols_.fresh();
  for (const MachineOperand& operand : i.operands) {
    if (operand.is_memory()) return "operand";
    if (!operand.is_register()) continue;
    const MachineValue value = state_[operand.reg];
    if (is_pointer_like(value)) return "pointer-arithmetic";
  }
  if (i.operation == Operation::kXor && i.operands[1].is_register() && to.size == 8) {
    const MachineValue right = state_[i.operands[1].reg];
    const MachineValue page{Kind::kNumber, kHitRspSymbol, -1};
    const MachineValue in_page = as_number(left == page ? right : left);
    if (left == page || right == page) result = {Kind::kInPage, in_page.symbol, in_page.offset};
  }
  if (i.operation == Operation::kMultiply && !i.operands[1].is_register()) return "operand";
  return write(to, result);
}

Broken Checker::divide(const MachineInstruction& i) {
  const MachineOperand& by = i.operands[0];
  if (!by.is_register() || by.size < 4) return "operand";
  const MachineValue divisor = state_[by.reg];
  if (state_[Reg::kRdx] != MachineValue{Kind::kConstant, 0, 0}) return "division-may-overflow";
  if (!state_[Reg::kRax].is_number()) return "pointer-arithmetic";
  bool not_zero = false;
  if (divisor.kind == Kind::kConstant)
    not_zero = by.size == 8 ? divisor.offset != 0 : static_cast<std::uint32_t>(divisor.offset) != 0;
  if (divisor.is_number() && !not_zero)
    not_zero = has_fact(MachineFact::Kind::kNotZero4, as_number(divisor)) ||
               (by.size == 8 && has_fact(MachineFact::Kind::kNotZero8, as_number(divisor)));
  if (!not_zero) return "division-by-zero";
  state_.flags = {};
  state_[Reg::kRax] = symbols_.fresh();
  state_[Reg::kRdx] = symbols_.fresh();
  return std::nullopt;
}

Broken Checker::set_flags(const MachineInstruction& i) {
  const MachineOperand& left = i.operands[0];
  const MachineOperand& right = i.operands[1];
  if (!left.is_register() || right.is_memory() || left.size < 4) return "operand";
  state_.flags = {};
  MachineFlags flags;
  flags.size = left.size;
  flags.value = state_[left.reg];
  if (i.operation == Operation::kTest && right.is_register() && right.reg == left.reg)
    flags.kind = MachineFlags::Kind::kZeroTest;
  if (i.operation == Operation::kCompare && right.is_immediate() && right.value >= 0) {
    flags.kind = MachineFlags::Kind::kComparison;
    flags.limit = static_cast<std::uint64_t>(right.value);
  }
  state_.flags = flags;
  return std::nullopt;
}

Broken Checker::push_or_pop(const MachineInstruction& i) {
  const MachineOperand& operand = i.operands[0];
  if (!operand.is_register() || operand.size != 8 || operand.reg == Reg::kRsp) return "operand";
  MachineOperand rsp = operand;
  rsp.reg = Reg::kRsp;
  // Only what belongs to the caller is pushed, only before the frame is made.
  if (state_[Reg::kRsp].offset != ceiling()) return "push-or-pop-within-frame";
  if (i.operation == Operation::kPush) {
    const auto number = static_cast<std::uint32_t>(operand.reg);
    if (state_[operand.reg] != MachineValue{Kind::kCallerSaved, number, 0}) return "push";
    state_.pushed.push_back(operand.reg);
    return write(rsp, moved(state_[Reg::kRsp], -8));
  }
  if (state_.pushed.empty()) return "pop";
  const auto number = static_cast<std::uint32_t>(state_.pushed.back());
  state_.pushed.pop_back();
  state_[operand.reg] = {Kind::kCallerSaved, number, 0};
  return write(rsp, moved(state_[Reg::kRsp], 8));
}

Broken Checker::call(const MachineInstruction& i) {
  const MachineValue target = operand_value(i.operands[0]);
  if (i.operands[0].is_memory() || target.kind != Kind::kConstant) return "call-target";
  const auto last_program_entry = static_cast<std::size_t>(RuntimeEntry::kReadString);
  std::size_t which = 0;
  while (which <= last_program_entry &&
         surroundings_.entries[which].value != static_cast<std::uint64_t>(target.offset))
    ++which;
  if (which > last_program_entry) return "call-target";
  const auto entry = static_cast<RuntimeEntry>(which);
  if (state_[Reg::kRdi] != MachineValue{Kind::kContext, 0, 0}) return "call-context";
  if (state_[Reg::kRsp].offset % 16 != -8) return "call-stack-alignment";

  Broken broken;
  MachineValue result = symbols_.fresh();
  if (entry == RuntimeEntry::kTakeToken || entry == RuntimeEntry::kReserve) {
    broken = call_gate(entry);
    result = {entry == RuntimeEntry::kTakeToken ? Kind::kToken : Kind::kRecordOrNull, 0, 0};
  } else if (entry == RuntimeEntry::kCommit || entry == RuntimeEntry::kAbandon) {
    broken = call_release();
  } else {
    broken = call_read();
  }
  if (broken) return broken;
  for (const Reg clobbered : {Reg::kRax, Reg::kRcx, Reg::kRdx, Reg::kRsi, Reg::kRdi, Reg::kR8,
                              Reg::kR9, Reg::kR10, Reg::kR11})
    state_[clobbered] = symbols_.fresh();
  state_[Reg::kRax] = result;
  state_.flags = {};
  return std::nullopt;
}

Broken Checker::call_gate(RuntimeEntry entry) {
  if (entry == RuntimeEntry::kTakeToken) {
    if (state_.token != MachineState::kNotTaken) return "token-twice";
    state_.token = MachineState::kTaken;
    return std::nullopt;
  }
  if (state_.record != MachineState::kNotReserved) return "reserve-twice";
  if (state_.token != MachineState::kGranted) return "reserve-without-token";
  state_.record = MachineState::kUnchecked;
  return std::nullopt;
}

Broken Checker::call_release() {
  if (state_[Reg::kRsi] != MachineValue{Kind::kRecord, 0, 0}) return "record-not-owned";
  state_.record = MachineState::kGone;
  for (MachineValue& value : state_.registers)
    if (value.kind == Kind::kRecord) value = symbols_.fresh();
  return std::nullopt;
}

Broken Checker::call_read() {
  const MachineValue size = state_[Reg::kRdx];
  const bool known = size.kind == Kind::kConstant && size.offset > 0 &&
                     size.offset <= std::int64_t{runtime::kMaxRecordBody};
  if (!known) return "read-size";
  return may_write(state_[Reg::kRsi], size.offset);
}

Broken Checker::give_back(const MachineInstruction& i) const {
  if (i.operands[0].kind != MachineOperand::Kind::kNone) return "operand";
  if (!state_.pushed.empty() || state_[Reg::kRsp].offset != 0) return "return-stack";
  for (const Reg reg : {Reg::kRbx, Reg::kRbp, Reg::kR12, Reg::kR13, Reg::kR14, Reg::kR15})
    if (state_[reg] != MachineValue{Kind::kCallerSaved, static_cast<std::uint32_t>(reg), 0})
      return "return-registers";
  if ((state_.record & (MachineState::kUnchecked | MachineState::kOwned)) != 0)
    return "record-left";
  return std::nullopt;
}

Broken Checker::flow(const MachineInstruction& i) {
  if (i.operation == Operation::kReturn) {
    reached_ = false;
    return std::nullopt;
  }
  if (i.operation == Operation::kJump) {
    reached_ = false;
    return jump_to(i, state_);
  }
  if (!is_conditional(i.operation)) return std::nullopt;
  MachineState taken = state_;
  learn(taken, i.operation, true);
  learn(state_, i.operation, false);
  return jump_to(i, taken);
}

Broken Checker::jump_to(const MachineInstruction& i, const MachineState& state) {
  if (!i.operands[0].is_immediate()) return "indirect-jump";
  const auto target = static_cast<std::uint64_t>(i.operands[0].value);
  const std::uint64_t from = surroundings_.load_address.value + i.offset;
  if (target <= from) return "backward-jump";
  const auto [waiting, is_new] = pending_.try_emplace(target, state);
  if (!is_new && !join(waiting->second, state, symbols_)) return "stack-differs-where-paths-join";
  return std::nullopt;
}

}  // namespace

Result<BodyFacts> check_body(std::span<const std::byte> code, const BodyLimits& limits,
                             const Surroundings& surroundings) {
  return Checker(limits, surroundings).run(code);
}

}  // namespace nohalt::inline_translate
