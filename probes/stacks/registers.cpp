// The machine is DWARF's (DWARF 5, section 2.5): a stack of 64-bit words. The
// programs have no branches, so that each ends after as many steps as it is long.
#include "probes/stacks/registers.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace nohalt::stacks {

namespace {

using symbols::Op;
using symbols::OpKind;

std::uint64_t extend(std::uint64_t value, std::uint8_t size, bool is_signed) {
  if (size == 0 || size >= 8) return value;
  const unsigned shift = 64U - 8U * size;
  value <<= shift;
  return is_signed ? static_cast<std::uint64_t>(static_cast<std::int64_t>(value) >> shift)
                   : value >> shift;
}

std::optional<std::uint64_t> divide(std::uint64_t a, std::uint64_t b) {
  if (b == 0) return std::nullopt;
  const auto divisor = static_cast<std::int64_t>(b);
  // The one quotient that does not fit wraps.
  if (divisor == -1) return 0 - a;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(a) / divisor);
}

std::optional<std::uint64_t> apply(OpKind kind, std::uint64_t a, std::uint64_t b) {
  const auto sa = static_cast<std::int64_t>(a);
  const auto sb = static_cast<std::int64_t>(b);
  switch (kind) {
    case OpKind::kPlus:
      return a + b;
    case OpKind::kMinus:
      return a - b;
    case OpKind::kMul:
      return a * b;
    case OpKind::kAnd:
      return a & b;
    case OpKind::kOr:
      return a | b;
    case OpKind::kXor:
      return a ^ b;
    case OpKind::kShl:
      return b < 64 ? a << b : 0;
    case OpKind::kShr:
      return b < 64 ? a >> b : 0;
    case OpKind::kShra:
      return static_cast<std::uint64_t>(sa >> std::min<std::uint64_t>(b, 63));
    case OpKind::kDivSigned:
      return divide(a, b);
    case OpKind::kModUnsigned:
      return b == 0 ? std::nullopt : std::optional(a % b);
    case OpKind::kEq:
      return a == b;
    case OpKind::kNe:
      return a != b;
    case OpKind::kLtSigned:
      return sa < sb;
    case OpKind::kLeSigned:
      return sa <= sb;
    case OpKind::kGtSigned:
      return sa > sb;
    case OpKind::kGeSigned:
      return sa >= sb;
    default:
      return std::nullopt;
  }
}

class Machine {
 public:
  Machine(const Registers& registers, LoadBias bias, const ReadMemory& read)
      : registers_(registers), bias_(bias), read_(read) {}

  std::expected<std::uint64_t, Lacking> run(std::span<const Op> program) {
    while (!program.empty()) {
      const Op op = program.front();
      program = program.subspan(1);
      if (push(op) || permute(op) || change_top(op) || pass_over(op, program) || combine(op)) {
        if (lacking_) return std::unexpected(*lacking_);
      } else {
        return std::unexpected(Lacking::kMalformed);
      }
    }
    if (stack_.empty()) return std::unexpected(Lacking::kMalformed);
    return stack_.back();
  }

 private:
  bool push(const Op& op) {
    if (op.kind == OpKind::kConstant) {
      stack_.push_back(op.value);
    } else if (op.kind == OpKind::kLinkAddress) {
      stack_.push_back(bias_.to_runtime({op.value}).value);
    } else if (op.kind == OpKind::kThreadPointer) {
      lacking_ = Lacking::kThreadPointer;
    } else if (op.kind == OpKind::kRegister && op.number < registers_.size()) {
      if (!registers_[op.number]) lacking_ = Lacking::kRegister;
      stack_.push_back(registers_[op.number].value_or(0));
    } else {
      return false;
    }
    return true;
  }

  bool copy(std::uint64_t index) {
    if (index >= stack_.size()) return false;
    stack_.push_back(stack_[stack_.size() - 1 - index]);
    return true;
  }

  bool permute(const Op& op) {
    const std::size_t depth = stack_.size();
    switch (op.kind) {
      case OpKind::kDup:
        return copy(0);
      case OpKind::kOver:
        return copy(1);
      case OpKind::kPick:
        return copy(op.value);
      case OpKind::kDrop:
        if (depth > 0) stack_.pop_back();
        return depth > 0;
      case OpKind::kSwap:
        if (depth > 1) std::swap(stack_[depth - 1], stack_[depth - 2]);
        return depth > 1;
      case OpKind::kRot:
        if (depth > 2) std::rotate(stack_.end() - 3, stack_.end() - 1, stack_.end());
        return depth > 2;
      default:
        return false;
    }
  }

  bool change_top(const Op& op) {
    if (stack_.empty()) return false;
    std::uint64_t& top = stack_.back();
    switch (op.kind) {
      case OpKind::kNot:
        top = ~top;
        return true;
      case OpKind::kNeg:
        top = 0 - top;
        return true;
      case OpKind::kAbs:
        if (static_cast<std::int64_t>(top) < 0) top = 0 - top;
        return true;
      case OpKind::kConvertSigned:
      case OpKind::kConvertUnsigned:
        top = extend(top, op.size, op.kind == OpKind::kConvertSigned);
        return true;
      case OpKind::kDereference:
        return dereference(top, op.size);
      default:
        return false;
    }
  }

  bool dereference(std::uint64_t& top, std::uint8_t size) {
    std::array<std::byte, 8> bytes{};
    if (size == 0 || size > bytes.size()) return false;
    if (!read_(top, std::span(bytes).first(size))) lacking_ = Lacking::kMemory;
    std::memcpy(&top, bytes.data(), bytes.size());
    return true;
  }

  // Takes operations away from what is left.
  bool pass_over(const Op& op, std::span<const Op>& left) {
    const bool branches = op.kind == OpKind::kBranch;
    if ((!branches && op.kind != OpKind::kSkip) || op.value > left.size()) return false;
    if (branches && stack_.empty()) return false;
    if (!branches || stack_.back() != 0) left = left.subspan(op.value);
    if (branches) stack_.pop_back();
    return true;
  }

  bool combine(const Op& op) {
    if (stack_.size() < 2) return false;
    const std::uint64_t right = stack_.back();
    stack_.pop_back();
    const std::optional<std::uint64_t> result = apply(op.kind, stack_.back(), right);
    stack_.back() = result.value_or(0);
    return result.has_value();
  }

  const Registers& registers_;
  LoadBias bias_;
  const ReadMemory& read_;
  std::vector<std::uint64_t> stack_;
  std::optional<Lacking> lacking_;
};

}  // namespace

Registers registers_of(const runtime::SavedRegisters& saved) {
  return {saved.rax, saved.rdx, saved.rcx, saved.rbx, saved.rsi, saved.rdi,
          saved.rbp, saved.rsp, saved.r8,  saved.r9,  saved.r10, saved.r11,
          saved.r12, saved.r13, saved.r14, saved.r15, saved.rip};
}

std::expected<std::uint64_t, Lacking> evaluate(std::span<const symbols::Op> program,
                                               const Registers& registers, LoadBias bias,
                                               const ReadMemory& read) {
  return Machine(registers, bias, read).run(program);
}

}  // namespace nohalt::stacks
