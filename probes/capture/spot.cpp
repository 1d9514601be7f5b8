// Flattening walks from the place inward to its base, summing distances.
#include "probes/capture/spot.h"

#include <array>
#include <bit>

#include "probes/language/binder_impl.h"

namespace nohalt::capture {

using symbols::InMemory;
using symbols::Op;
using symbols::OpKind;
using symbols::strip_typedefs;

namespace {

void flatten_into(const Expr& place, Spot& spot);

bool is_of_variant(const Expr& member) {
  return strip_typedefs(member.operand().type)->discriminated != nullptr;
}

void flatten_member(const Expr& place, Spot& spot) {
  const std::uint64_t within = spot.offset;
  const std::size_t first_index = spot.indexes.size();
  const std::size_t before = spot.variants.size();
  const bool is_guarded = is_of_variant(place);
  if (is_guarded) {
    const Type* enumeration = strip_typedefs(place.operand().type);
    auto guard = guard_of(*enumeration, *place.member);
    spot.variants.push_back({std::move(guard), first_index, place.member->name});
  }
  flatten_into(place.operand(), spot);
  if (is_guarded && spot.variants[before].guard)
    spot.variants[before].guard->at += spot.offset - within;
}

void flatten_into(const Expr& place, Spot& spot) {
  switch (place.kind) {
    case ExprKind::kVariable:
      spot.variable = place.variable.get();
      return;
    case ExprKind::kDereference:
      spot.pointer = &place.operand();
      return;
    case ExprKind::kMember:
      if (!place.member->bit_offset) spot.offset += place.member->byte_offset;
      flatten_member(place, spot);
      return;
    case ExprKind::kElement: {
      const std::uint64_t stride = strip_typedefs(place.type)->byte_size;
      if (const auto constant = language::constant_integer(place.operand(1))) {
        spot.offset += *constant * stride;
      } else {
        spot.indexes.push_back(
            {&place.operand(1), stride, strip_typedefs(place.operand().type)->element_count});
      }
      flatten_into(place.operand(), spot);
      return;
    }
    default:
      return;
  }
}

}  // namespace

std::optional<Guard> guard_of(const Type& real, const symbols::Member& member) {
  const symbols::Discriminated* enumeration = real.discriminated.get();
  if (enumeration == nullptr || !enumeration->is_known ||
      enumeration->alternatives.size() != real.members.size())
    return std::nullopt;
  if (!enumeration->discriminant) return Guard{};
  const auto index = static_cast<std::size_t>(&member - real.members.data());
  Guard guard{enumeration->discriminant->byte_offset,
              strip_typedefs(enumeration->discriminant->type)->byte_size,
              enumeration->alternatives[index].values, true};
  if (!std::has_single_bit(guard.size) || guard.size > 8) return std::nullopt;
  if (!enumeration->alternatives[index].is_default) return guard;
  guard.is_one_of = false;
  for (const symbols::Alternative& other : enumeration->alternatives)
    guard.values.insert(guard.values.end(), other.values.begin(), other.values.end());
  return guard;
}

Spot flatten(const Expr& place) {
  Spot spot;
  spot.type = place.type;
  spot.size = strip_typedefs(place.type)->byte_size;
  if (place.kind == ExprKind::kMember && place.member->bit_offset) {
    const std::uint64_t bit = *place.member->bit_offset;
    spot.offset = bit / 8;
    spot.bit_offset = static_cast<std::uint32_t>(bit % 8);
    spot.bit_size = place.member->bit_size;
    spot.size = (spot.bit_offset + spot.bit_size + 7) / 8;
  }
  flatten_into(place, spot);
  return spot;
}

std::optional<SimpleAddress> simple_address(const std::vector<Op>& ops, LoadBias bias) {
  std::vector<SimpleAddress> stack;
  for (const Op& op : ops) {
    switch (op.kind) {
      case OpKind::kRegister:
        stack.push_back({op.number, 0});
        break;
      case OpKind::kConstant:
        stack.push_back({std::nullopt, op.value});
        break;
      case OpKind::kLinkAddress:
        stack.push_back({std::nullopt, op.value + bias.value});
        break;
      case OpKind::kPlus:
      case OpKind::kMinus: {
        if (stack.size() < 2) return std::nullopt;
        const SimpleAddress right = stack.back();
        stack.pop_back();
        SimpleAddress& left = stack.back();
        const bool minus = op.kind == OpKind::kMinus;
        if (right.number && (left.number || minus)) return std::nullopt;
        if (right.number) left.number = right.number;
        left.offset = minus ? left.offset - right.offset : left.offset + right.offset;
        break;
      }
      default:
        return std::nullopt;
    }
  }
  if (stack.size() != 1) return std::nullopt;
  return stack[0];
}

std::optional<std::int16_t> context_offset(std::uint16_t dwarf_register) {
  // rax rdx rcx rbx rsi rdi rbp rsp r8..r15, in a struct pt_regs.
  constexpr std::array<std::int16_t, 16> kOffsets = {80, 96, 88, 40, 104, 112, 32, 152,
                                                     72, 64, 56, 48, 24,  16,  8,  0};
  if (dwarf_register >= kOffsets.size()) return std::nullopt;
  return kOffsets[dwarf_register];
}

namespace {

std::string location_key(const symbols::Location& location);

std::string ops_key(const std::vector<symbols::Op>& ops) {
  std::string key;
  for (const symbols::Op& op : ops) {
    key += " " + std::to_string(static_cast<int>(op.kind)) + "," + std::to_string(op.number) + "," +
           std::to_string(op.size) + "," + std::to_string(op.value);
  }
  return key;
}

std::string location_key(const symbols::Location& location) {
  if (const auto* memory = std::get_if<symbols::InMemory>(&location))
    return "m" + ops_key(memory->address);
  if (const auto* in = std::get_if<symbols::InRegister>(&location))
    return "r" + std::to_string(in->number);
  if (const auto* computed = std::get_if<symbols::Computed>(&location))
    return "c" + ops_key(computed->value);
  std::string key = std::to_string(location.index());
  if (const auto* implicit = std::get_if<symbols::ImplicitBytes>(&location))
    for (const std::uint8_t byte : implicit->bytes) key += " " + std::to_string(byte);
  if (const auto* pieces = std::get_if<symbols::InPieces>(&location)) {
    for (const symbols::Piece& piece : pieces->pieces) {
      key += " " + std::to_string(piece.bit_size) + ":" + std::to_string(piece.bit_offset);
      for (const symbols::Location& inner : piece.location) key += "(" + location_key(inner) + ")";
    }
  }
  return key;
}

// One function may be inlined in itself, so that a name and its line are not enough.
std::string variable_key(const symbols::Variable& variable) {
  return location_key(variable.location) + "." + variable.name + "@" +
         std::to_string(variable.declared_line) + "." + std::to_string(variable.scope_depth) + "." +
         std::to_string(static_cast<int>(variable.kind));
}

// Everything that decides a value, spelled out; empty where it cannot be.
std::string value_key(const Expr& expr) {
  std::string inner;
  switch (expr.kind) {
    case ExprKind::kVariable:
      return "v" + variable_key(*expr.variable);
    case ExprKind::kInteger:
      return "i" + std::to_string(expr.integer);
    case ExprKind::kMember:
      inner = is_of_variant(expr) ? "" : value_key(expr.operand());
      return inner.empty() || expr.member->bit_offset
                 ? ""
                 : inner + "+" + std::to_string(expr.member->byte_offset);
    case ExprKind::kDereference:
    case ExprKind::kLoad:
    case ExprKind::kAddress:
    case ExprKind::kConvert:
      // A conversion between pointers changes nothing; others are left out.
      if (expr.kind == ExprKind::kConvert &&
          (!language::is_pointer(expr.type) || !language::is_pointer(expr.operand().type))) {
        return "";
      }
      inner = value_key(expr.operand());
      if (inner.empty()) return "";
      return (expr.kind == ExprKind::kDereference ? "*("
              : expr.kind == ExprKind::kLoad      ? "l("
              : expr.kind == ExprKind::kAddress   ? "a("
                                                  : "c(") +
             inner + ")";
    case ExprKind::kElement:
      inner = value_key(expr.operand());
      if (inner.empty() || !language::constant_integer(expr.operand(1))) return "";
      return inner + "[" + std::to_string(*language::constant_integer(expr.operand(1))) + "/" +
             std::to_string(strip_typedefs(expr.type)->byte_size) + "]";
    default:
      return "";
  }
}

}  // namespace

std::string base_key(const Spot& spot, LoadBias bias) {
  if (!spot.indexes.empty() || !spot.variants.empty()) return "";
  if (spot.pointer != nullptr) {
    const std::string key = value_key(*spot.pointer);
    return key.empty() ? "" : "p" + key;
  }
  const auto* memory = std::get_if<InMemory>(&spot.variable->location);
  if (memory == nullptr) return "";
  const auto simple = simple_address(memory->address, bias);
  if (!simple || !simple->number) return "";
  return "r" + std::to_string(*simple->number) + (memory->on_own_frame ? "f" : "u");
}

std::uint64_t base_distance(const Spot& spot, LoadBias bias) {
  if (spot.pointer != nullptr) return spot.offset;
  const auto& memory = std::get<InMemory>(spot.variable->location);
  return spot.offset + simple_address(memory.address, bias)->offset;
}

std::string spell(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kVariable:
      return expr.variable->name;
    case ExprKind::kMember: {
      const Expr& object = expr.operand();
      if (expr.member->name.empty() || expr.member->is_base_class) return spell(object);
      if (object.kind == ExprKind::kDereference) {
        return spell(object.operand()) + "->" + expr.member->name;
      }
      return spell(object) + "." + expr.member->name;
    }
    case ExprKind::kDereference:
      return "*" + spell(expr.operand());
    case ExprKind::kElement: {
      const auto constant = language::constant_integer(expr.operand(1));
      return spell(expr.operand()) + "[" + (constant ? std::to_string(*constant) : "...") + "]";
    }
    case ExprKind::kLoad:
    case ExprKind::kConvert:
    case ExprKind::kOffset:
    case ExprKind::kAdvance:
      return spell(expr.operand());
    case ExprKind::kAddress:
      return "&" + spell(expr.operand());
    default:
      return "the pointer";
  }
}

std::vector<PathStep> path_steps(const Expr& expr) {
  if (expr.kind == ExprKind::kVariable) return {{expr.variable->name, expr.variable->type}};
  if (expr.operands.empty()) return {};
  auto steps = path_steps(expr.operand());
  const bool named =
      expr.kind == ExprKind::kMember && !expr.member->name.empty() && !expr.member->is_base_class;
  if (named) {
    const std::string before = steps.empty() ? "" : steps.back().path + ".";
    steps.push_back({before + expr.member->name, expr.type});
  } else if (!steps.empty()) {
    steps.push_back({steps.back().path, expr.type});
  }
  return steps;
}

}  // namespace nohalt::capture
