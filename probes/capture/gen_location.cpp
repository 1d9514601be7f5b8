// The operations of a location (probes/symbols/location.h).
//
// They run on the program's stack, where each depth has a slot of its own: so every
// entry is in the same place on all ways that meet at an operation. Addresses that
// are a register and a constant (nearly all of them) take no slot at all.
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "probes/capture/generator.h"

namespace nohalt::capture {

using symbols::Op;
using symbols::OpKind;
using R = Register;

namespace {

std::unexpected<Error> malformed() {
  return fail(ErrorCode::kInternal, "malformed-location", "A variable's location makes no sense.");
}

std::optional<AluOp> alu_of(OpKind kind) {
  switch (kind) {
    case OpKind::kPlus:
      return AluOp::kAdd;
    case OpKind::kMinus:
      return AluOp::kSub;
    case OpKind::kMul:
      return AluOp::kMul;
    case OpKind::kAnd:
      return AluOp::kAnd;
    case OpKind::kOr:
      return AluOp::kOr;
    case OpKind::kXor:
      return AluOp::kXor;
    case OpKind::kShl:
      return AluOp::kShiftLeft;
    case OpKind::kShr:
      return AluOp::kShiftRight;
    case OpKind::kShra:
      return AluOp::kShiftRightSigned;
    default:
      return std::nullopt;
  }
}

std::optional<JumpOp> jump_of(OpKind kind) {
  switch (kind) {
    case OpKind::kEq:
      return JumpOp::kEqual;
    case OpKind::kNe:
      return JumpOp::kNotEqual;
    case OpKind::kLtSigned:
      return JumpOp::kSignedLess;
    case OpKind::kLeSigned:
      return JumpOp::kSignedLessEqual;
    case OpKind::kGtSigned:
      return JumpOp::kSignedGreater;
    case OpKind::kGeSigned:
      return JumpOp::kSignedGreaterEqual;
    default:
      return std::nullopt;
  }
}

}  // namespace

struct Generator::Words {
  // Where branches lead, by the index of the operation.
  struct Meeting {
    Code::Label label;
    std::size_t depth = 0;
  };
  std::vector<Dest> slots;
  std::size_t depth = 0;
  std::map<std::size_t, Meeting> meetings;

  [[nodiscard]] Dest top(std::size_t below = 0) const { return slots[depth - 1 - below]; }
};

Status Generator::operations(const std::vector<Op>& ops, const Miss& miss) {
  const auto asks = [](const Op& op) { return op.kind == OpKind::kThreadPointer; };
  if (!has_thread_pointer_ && std::ranges::any_of(ops, asks)) {
    miss.because(ValueState::kUnavailable,
                 "this machine does not let a thread ask where its own variables are");
    code_.jump(miss.label);
    return {};
  }
  if (const auto simple = simple_address(ops, bias_)) {
    if (!simple->number) {
      code_.mov(R::kR0, simple->offset);
      return {};
    }
    const auto offset = context_offset(*simple->number);
    if (!offset) return malformed();
    code_.load_context(R::kR0, *offset);
    if (simple->offset != 0) code_.alu(AluOp::kAdd, R::kR0, simple->offset);
    return {};
  }
  const StackScope scope(code_);
  Words words;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    NOHALT_CHECK(meet(i, words));
    if (ops[i].kind == OpKind::kSkip || ops[i].kind == OpKind::kBranch)
      NOHALT_CHECK(pass_over(ops[i], i + 1 + ops[i].value, words));
    else
      NOHALT_CHECK(operation(ops[i], words, miss));
  }
  NOHALT_CHECK(meet(ops.size(), words));
  if (words.depth == 0 || !words.meetings.empty()) return malformed();
  code_.load(Size::k8, R::kR0, words.top());
  return {};
}

// The ways that come together before the operation `at`.
Status Generator::meet(std::size_t at, Words& words) {
  if (const auto found = words.meetings.find(at); found != words.meetings.end()) {
    if (code_.reachable() && words.depth != found->second.depth) return malformed();
    words.depth = found->second.depth;
    code_.bind(found->second.label);
    words.meetings.erase(found);
  }
  return code_.reachable() ? Status{} : malformed();
}

Status Generator::pass_over(const Op& op, std::size_t to, Words& words) {
  const bool always = op.kind == OpKind::kSkip;
  if (!always) {
    if (words.depth == 0) return malformed();
    code_.load(Size::k8, R::kR0, words.top());
    --words.depth;
  }
  const auto [meeting, first] = words.meetings.try_emplace(to);
  if (first) meeting->second = {code_.label(), words.depth};
  if (meeting->second.depth != words.depth) return malformed();
  if (always)
    code_.jump(meeting->second.label);
  else
    code_.jump_if(JumpOp::kNotEqual, R::kR0, 0, meeting->second.label);
  return {};
}

Status Generator::operation(const Op& op, Words& words, const Miss& miss) {
  switch (op.kind) {
    case OpKind::kRegister: {
      const auto offset = context_offset(op.number);
      if (!offset) return malformed();
      code_.load_context(R::kR0, *offset);
      return push(words);
    }
    case OpKind::kConstant:
      code_.mov(R::kR0, op.value);
      return push(words);
    case OpKind::kLinkAddress:
      code_.mov(R::kR0, op.value + bias_.value);
      return push(words);
    case OpKind::kThreadPointer:
      thread_pointer(miss);
      return push(words);
    case OpKind::kDup:
      return copy(0, words);
    case OpKind::kOver:
      return copy(1, words);
    case OpKind::kPick:
      return copy(op.value, words);
    case OpKind::kDrop:
    case OpKind::kSwap:
    case OpKind::kRot:
      return permute(op.kind, words);
    case OpKind::kDereference:
    case OpKind::kNot:
    case OpKind::kNeg:
    case OpKind::kAbs:
    case OpKind::kConvertUnsigned:
    case OpKind::kConvertSigned:
      return change_top(op, words, miss);
    default:
      return combine(op.kind, words, miss);
  }
}

// r0 = the thread pointer.
void Generator::thread_pointer(const Miss& miss) {
  miss.because(ValueState::kUnreadable, "this thread has no thread-local variables");
  code_.call(Helper::kThreadPointer);
  code_.jump_if(JumpOp::kEqual, R::kR0, 0, miss.label);
}

// r0 becomes the top.
Status Generator::push(Words& words) {
  if (words.depth == words.slots.size()) {
    NOHALT_TRY(const Dest slot, scratch(8));
    words.slots.push_back(slot);
  }
  ++words.depth;
  code_.store(Size::k8, words.top(), R::kR0);
  return {};
}

Status Generator::copy(std::uint64_t index, Words& words) {
  if (index >= words.depth) return malformed();
  code_.load(Size::k8, R::kR0, words.top(index));
  return push(words);
}

Status Generator::permute(OpKind kind, Words& words) {
  const std::size_t moved = kind == OpKind::kDrop ? 1 : kind == OpKind::kSwap ? 2 : 3;
  if (words.depth < moved) return malformed();
  if (kind == OpKind::kDrop) {
    --words.depth;
    return {};
  }
  // The top goes below the others.
  code_.load(Size::k8, R::kR0, words.top());
  for (std::size_t below = 0; below + 1 < moved; ++below) {
    code_.load(Size::k8, R::kR1, words.top(below + 1));
    code_.store(Size::k8, words.top(below), R::kR1);
  }
  code_.store(Size::k8, words.top(moved - 1), R::kR0);
  return {};
}

Status Generator::change_top(const Op& op, Words& words, const Miss& miss) {
  if (words.depth == 0) return malformed();
  const Dest top = words.top();
  if (op.kind == OpKind::kDereference) {
    if (op.size == 0 || op.size > 8) return malformed();
    code_.load(Size::k8, R::kR3, top);
    code_.store(Size::k8, top, 0);
    miss.because(ValueState::kUnreadable, "its location leads to memory that cannot be read");
    read(Helper::kReadUser, top, op.size, miss);
    return {};
  }
  code_.load(Size::k8, R::kR0, top);
  if (op.kind == OpKind::kNot) code_.alu(AluOp::kXor, R::kR0, ~0ULL);
  if (op.kind == OpKind::kNeg) code_.negate(R::kR0);
  if (op.kind == OpKind::kAbs) {
    const auto positive = code_.label();
    code_.jump_if(JumpOp::kSignedGreaterEqual, R::kR0, 0, positive);
    code_.negate(R::kR0);
    code_.bind(positive);
  }
  const bool converts = op.kind == OpKind::kConvertUnsigned || op.kind == OpKind::kConvertSigned;
  if (converts && op.size > 0 && op.size < 8)
    extend(op.size * 8U, op.kind == OpKind::kConvertSigned);
  code_.store(Size::k8, top, R::kR0);
  return {};
}

// The entry below the top becomes what it and the top give.
Status Generator::combine(OpKind kind, Words& words, const Miss& miss) {
  if (words.depth < 2) return malformed();
  code_.load(Size::k8, R::kR1, words.top());
  --words.depth;
  code_.load(Size::k8, R::kR0, words.top());
  if (kind == OpKind::kDivSigned || kind == OpKind::kModUnsigned) {
    miss.because(ValueState::kUnavailable, "its location divides by zero");
    const bool divides = kind == OpKind::kDivSigned;
    divide(divides ? AluOp::kDiv : AluOp::kMod, divides, miss.label);
  } else if (const auto op = alu_of(kind)) {
    if (*op == AluOp::kShiftLeft || *op == AluOp::kShiftRight || *op == AluOp::kShiftRightSigned)
      limit_shift(*op);
    code_.alu(*op, R::kR0, R::kR1);
  } else if (const auto jump = jump_of(kind)) {
    const auto yes = code_.label();
    code_.mov(R::kR2, 1);
    code_.jump_if(*jump, R::kR0, R::kR1, yes);
    code_.mov(R::kR2, std::uint64_t{0});
    code_.bind(yes);
    code_.mov(R::kR0, R::kR2);
  } else {
    return malformed();
  }
  code_.store(Size::k8, words.top(), R::kR0);
  return {};
}

// The instruction set takes the distance modulo 64; in a location all bits go.
void Generator::limit_shift(AluOp op) {
  const auto within = code_.label();
  code_.jump_if(JumpOp::kLess, R::kR1, 64, within);
  if (op != AluOp::kShiftRightSigned) code_.mov(R::kR0, std::uint64_t{0});
  code_.mov(R::kR1, 63);
  code_.bind(within);
}

}  // namespace nohalt::capture
