// One forward pass over the decoded instructions. Each register holds a value
// of known origin or a number; a jump's state waits at its target, which must
// be an instruction further on. Whatever is not recognised makes a number, and
// a number is good for nothing but to be stored, compared and passed as an
// address for the runtime to read.
#include "probes/engines/inline/translate/machine_check.h"

#include <algorithm>
#include <string>

#include "probes/engines/inline/translate/machine_checker.h"

namespace nohalt::inline_translate {
namespace {

using Kind = MachineValue::Kind;

constexpr std::int64_t kMaxStack = 512;
constexpr std::int64_t kFar = std::int64_t{1} << 30;

}  // namespace

Result<BodyFacts> MachineChecker::run(std::span<const std::byte> code) {
  NOHALT_TRY(const std::vector<MachineInstruction> instructions,
             decode(code, surroundings_.load_address));
  state_ = machine_entry_state(symbols_, limits_.is_admitted);
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

Broken MachineChecker::step(const MachineInstruction& i) {
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
Broken MachineChecker::write(const MachineOperand& to, const MachineValue& value) {
  if (!to.is_register() || to.size < 4) return "partial-register";
  MachineValue kept = value;
  if (to.size == 4 && value.kind == Kind::kConstant)
    kept.offset = static_cast<std::int64_t>(static_cast<std::uint32_t>(value.offset));
  else if (to.size == 4 && is_pointer_like(value))
    return "half-of-a-pointer";
  else if (to.size == 4 && value.kind == Kind::kNumber)
    kept = symbols_.fresh();
  // A record that may not be one is not moved along; what says so would not say it.
  const bool may_be_none = kept.kind == Kind::kRecordOrNull || kept.kind == Kind::kAdmission;
  if (may_be_none && kept.offset != 0) return "record-not-checked";
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
  if (to.reg >= Reg::kR8 && to.reg <= Reg::kR11) note_changed(to.reg);
  state_[to.reg] = kept;
  return std::nullopt;
}

Broken MachineChecker::move(const MachineInstruction& i) {
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

Broken MachineChecker::add(const MachineInstruction& i) {
  const MachineOperand& to = i.operands[0];
  const MachineOperand& by = i.operands[1];
  if (!to.is_register() || i.operands[2].kind != MachineOperand::Kind::kNone) return "operand";
  const MachineValue left = state_[to.reg];
  const bool adds = i.operation == Operation::kAdd;
  state_.flags = {};
  if (by.is_immediate() && to.size == 8 && left.kind != Kind::kInPage &&
      left.kind != Kind::kToken && left.kind != Kind::kCallerSaved)
    return write(to, moved(left, adds ? by.value : -by.value));
  return arithmetic(i);
}

// What is not followed: the result is a number, and nothing but numbers may go
// into it.
Broken MachineChecker::arithmetic(const MachineInstruction& i) {
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

Broken MachineChecker::divide(const MachineInstruction& i) {
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

Broken MachineChecker::set_flags(const MachineInstruction& i) {
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

Broken MachineChecker::flow(const MachineInstruction& i) {
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

Broken MachineChecker::jump_to(const MachineInstruction& i, const MachineState& state) {
  if (!i.operands[0].is_immediate()) return "indirect-jump";
  const auto target = static_cast<std::uint64_t>(i.operands[0].value);
  const std::uint64_t from = surroundings_.load_address.value + i.offset;
  if (target <= from) return "backward-jump";
  const auto [waiting, is_new] = pending_.try_emplace(target, state);
  if (!is_new && !join(waiting->second, state, symbols_)) return "stack-differs-where-paths-join";
  return std::nullopt;
}

Result<BodyFacts> check_body(std::span<const std::byte> code, const BodyLimits& limits,
                             const Surroundings& surroundings) {
  return MachineChecker(limits, surroundings).run(code);
}

}  // namespace nohalt::inline_translate
