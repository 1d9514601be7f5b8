#include "tests/differential/symbols/evaluate.h"

#include <algorithm>
#include <cstring>

namespace nohalt::symbols {

namespace {

constexpr std::uint64_t kLargestValue = 1U << 20U;

std::uint64_t extend(std::uint64_t value, std::uint8_t size, bool is_signed) {
  if (size == 0 || size >= 8) return value;
  const unsigned shift = 64U - 8U * size;
  value <<= shift;
  return is_signed ? static_cast<std::uint64_t>(static_cast<std::int64_t>(value) >> shift)
                   : value >> shift;
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
      return b >= 64 ? 0 : a << b;
    case OpKind::kShr:
      return b >= 64 ? 0 : a >> b;
    case OpKind::kShra:
      return static_cast<std::uint64_t>(sa >> std::min<std::uint64_t>(b, 63));
    case OpKind::kDivSigned:
      if (b == 0) return std::nullopt;
      return sb == -1 ? 0 - a : static_cast<std::uint64_t>(sa / sb);
    case OpKind::kModUnsigned:
      if (b == 0) return std::nullopt;
      return a % b;
    case OpKind::kEq:
      return a == b ? 1 : 0;
    case OpKind::kNe:
      return a != b ? 1 : 0;
    case OpKind::kLtSigned:
      return sa < sb ? 1 : 0;
    case OpKind::kLeSigned:
      return sa <= sb ? 1 : 0;
    case OpKind::kGtSigned:
      return sa > sb ? 1 : 0;
    case OpKind::kGeSigned:
      return sa >= sb ? 1 : 0;
    default:
      return std::nullopt;
  }
}

class Machine {
 public:
  explicit Machine(const MachineState& state) : state_(state) {}

  std::optional<std::uint64_t> run(std::span<const Op> ops) {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      if (ops[i].kind == OpKind::kSkip || ops[i].kind == OpKind::kBranch) {
        const std::optional<bool> taken = is_taken(ops[i]);
        if (!taken || ops[i].value > ops.size() - 1 - i) return std::nullopt;
        if (*taken) i += ops[i].value;
      } else if (!step(ops[i])) {
        return std::nullopt;
      }
    }
    if (stack_.empty()) return std::nullopt;
    return stack_.back();
  }

 private:
  bool step(const Op& op) {
    if (op.kind == OpKind::kRegister) {
      if (op.number >= state_.general.size()) return false;
      stack_.push_back(state_.general[op.number]);
      return true;
    }
    if (op.kind == OpKind::kConstant || op.kind == OpKind::kLinkAddress) {
      stack_.push_back(op.value + (op.kind == OpKind::kLinkAddress ? state_.load_bias : 0));
      return true;
    }
    return step_stack(op) || step_unary(op) || step_binary(op);
  }

  std::optional<bool> is_taken(const Op& op) {
    if (op.kind == OpKind::kSkip) return true;
    if (stack_.empty()) return std::nullopt;
    const bool taken = stack_.back() != 0;
    stack_.pop_back();
    return taken;
  }

  bool step_stack(const Op& op) {
    const std::size_t depth = stack_.size();
    const std::size_t index =
        op.kind == OpKind::kDup ? 0 : (op.kind == OpKind::kOver ? 1 : std::size_t{op.value});
    switch (op.kind) {
      case OpKind::kDup:
      case OpKind::kOver:
      case OpKind::kPick:
        if (index >= depth) return false;
        stack_.push_back(stack_[depth - 1 - index]);
        return true;
      case OpKind::kDrop:
        if (depth < 1) return false;
        stack_.pop_back();
        return true;
      case OpKind::kSwap:
        if (depth < 2) return false;
        std::swap(stack_[depth - 1], stack_[depth - 2]);
        return true;
      case OpKind::kRot:
        if (depth < 3) return false;
        std::rotate(stack_.end() - 3, stack_.end() - 1, stack_.end());
        return true;
      default:
        return false;
    }
  }

  bool step_unary(const Op& op) {
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
        top = static_cast<std::int64_t>(top) < 0 ? 0 - top : top;
        return true;
      case OpKind::kConvertSigned:
        top = extend(top, op.size, true);
        return true;
      case OpKind::kConvertUnsigned:
        top = extend(top, op.size, false);
        return true;
      case OpKind::kDereference: {
        std::array<std::uint8_t, 8> bytes{};
        if (op.size > 8 || !state_.read_memory(top, std::span(bytes).first(op.size))) return false;
        std::memcpy(&top, bytes.data(), 8);
        return true;
      }
      default:
        return false;
    }
  }

  bool step_binary(const Op& op) {
    if (stack_.size() < 2) return false;
    const std::uint64_t right = stack_.back();
    stack_.pop_back();
    const std::optional<std::uint64_t> result = apply(op.kind, stack_.back(), right);
    if (result) stack_.back() = *result;
    return result.has_value();
  }

  const MachineState& state_;
  std::vector<std::uint64_t> stack_;
};

EvaluatedBytes all_known(std::span<const std::uint8_t> bytes, std::uint64_t size) {
  EvaluatedBytes value{.bytes = {bytes.begin(), bytes.end()},
                       .known = std::vector<bool>(bytes.size(), true),
                       .address = {}};
  value.bytes.resize(size, 0);
  value.known.resize(size, false);
  return value;
}

std::optional<EvaluatedBytes> evaluate_register(const InRegister& in_register, std::uint64_t size,
                                                const MachineState& state) {
  if (in_register.number >= 17) {
    const std::size_t index = in_register.number - 17U;
    if (index >= state.vector.size()) return std::nullopt;
    return all_known(state.vector[index], size);
  }
  std::array<std::uint8_t, 8> bytes{};
  std::memcpy(bytes.data(), &state.general[in_register.number], 8);
  return all_known(bytes, size);
}

std::optional<EvaluatedBytes> evaluate_memory(const InMemory& in_memory, std::uint64_t size,
                                              const MachineState& state) {
  const std::optional<std::uint64_t> address = Machine(state).run(in_memory.address);
  if (!address) return std::nullopt;
  std::vector<std::uint8_t> bytes(size);
  if (!state.read_memory(*address, bytes)) return std::nullopt;
  EvaluatedBytes value = all_known(bytes, size);
  value.address = address;
  return value;
}

bool bit_of(const std::vector<std::uint8_t>& bytes, std::uint64_t bit) {
  return ((bytes[bit / 8] >> (bit % 8)) & 1U) != 0;
}

std::optional<EvaluatedBytes> evaluate_pieces(const InPieces& in_pieces, std::uint64_t size,
                                              const MachineState& state) {
  EvaluatedBytes value{.bytes = std::vector<std::uint8_t>(size, 0),
                       .known = std::vector<bool>(size, true),
                       .address = {}};
  std::uint64_t at = 0;
  for (const Piece& piece : in_pieces.pieces) {
    const std::uint64_t bits = std::min(piece.bit_size, size * 8 - std::min(at, size * 8));
    const std::uint64_t needed = (piece.bit_offset + bits + 7) / 8;
    std::optional<EvaluatedBytes> part;
    if (needed <= kLargestValue) part = evaluate(piece.location.front(), needed, state);
    for (std::uint64_t i = 0; i < bits; ++i, ++at) {
      const std::uint64_t from = piece.bit_offset + i;
      if (!part || !part->known[from / 8])
        value.known[at / 8] = false;
      else if (bit_of(part->bytes, from))
        value.bytes[at / 8] |= static_cast<std::uint8_t>(1U << (at % 8));
    }
  }
  for (; at < size * 8; ++at) value.known[at / 8] = false;
  const bool has_any = std::ranges::find(value.known, true) != value.known.end();
  return has_any ? std::optional(std::move(value)) : std::nullopt;
}

}  // namespace

std::optional<EvaluatedBytes> evaluate(const Location& location, std::uint64_t size,
                                       const MachineState& state) {
  if (size > kLargestValue) return std::nullopt;
  if (const auto* memory = std::get_if<InMemory>(&location))
    return evaluate_memory(*memory, size, state);
  if (const auto* in_register = std::get_if<InRegister>(&location))
    return evaluate_register(*in_register, size, state);
  if (const auto* pieces = std::get_if<InPieces>(&location))
    return evaluate_pieces(*pieces, size, state);
  if (const auto* implicit = std::get_if<ImplicitBytes>(&location))
    return all_known(
        std::span(implicit->bytes).first(std::min<std::size_t>(implicit->bytes.size(), size)),
        size);
  if (const auto* computed = std::get_if<Computed>(&location)) {
    const std::optional<std::uint64_t> word = Machine(state).run(computed->value);
    if (!word) return std::nullopt;
    std::array<std::uint8_t, 8> bytes{};
    std::memcpy(bytes.data(), &*word, 8);
    return all_known(std::span(bytes).first(std::min<std::uint64_t>(8, size)), size);
  }
  return std::nullopt;
}

}  // namespace nohalt::symbols
