// From operation to operation, and what the whole of them describes.
#include "probes/symbols/expression.h"

#include <dwarf.h>

#include <algorithm>

#include "probes/symbols/expression_translator.h"

namespace nohalt::symbols {

// Operations that end a simple location, or that cannot be had at all.
bool Translator::step_special(const Dwarf_Op& op) {
  const bool is_short = op.atom >= DW_OP_reg0 && op.atom <= DW_OP_reg31;
  if (is_short || op.atom == DW_OP_regx) {
    const std::uint64_t number = is_short ? op.atom - std::uint64_t{DW_OP_reg0} : op.number;
    if (number > kLastVectorRegister)
      give_up(unsupported("register " + std::to_string(number)));
    else
      simple_ = InRegister{static_cast<std::uint16_t>(number)};
    return true;
  }
  switch (op.atom) {
    case DW_OP_nop:
    case DW_OP_GNU_uninit:
      return true;
    case DW_OP_stack_value:
      if (need(1)) simple_ = Computed{program_};
      return true;
    case DW_OP_implicit_value: {
      Dwarf_Block block{};
      if (context_.attribute == nullptr ||
          dwarf_getlocation_implicit_value(context_.attribute, &op, &block) != 0)
        give_up(unsupported("implicit value"));
      else
        simple_ = ImplicitBytes{{block.data, block.data + block.length}};
      return true;
    }
    case DW_OP_piece:
      add_piece(op.number * 8, 0);
      return true;
    case DW_OP_bit_piece:
      add_piece(op.number, op.number2);
      return true;
    case DW_OP_entry_value:
    case DW_OP_GNU_entry_value:
      push_entry_value(op);
      return true;
    case DW_OP_GNU_parameter_ref:
      give_up({UnavailableWhy::kEntryValue, "needs the caller's frame"});
      return true;
    case DW_OP_form_tls_address:
    case DW_OP_GNU_push_tls_address:
      push_thread_local();
      return true;
    case DW_OP_implicit_pointer:
    case DW_OP_GNU_implicit_pointer:
      give_up(unsupported("synthetic pointer"));
      return true;
    default:
      return false;
  }
}

void Translator::step(const Dwarf_Op& op) {
  if (!failure_) meet(op.offset);
  if (failure_ && op.atom != DW_OP_piece && op.atom != DW_OP_bit_piece) return;
  if (step_special(op) || step_branch(op) || step_constant(op) || step_register(op) ||
      step_stack(op) || step_arithmetic(op) || step_typed(op))
    return;
  give_up(unsupported("DWARF operation " + std::to_string(op.atom)));
}

Location Translator::finish_address() {
  if (stack_.empty()) return unsupported("malformed expression");
  const bool is_plain = std::ranges::all_of(program_, [](const Op& op) {
    return op.kind == OpKind::kRegister || op.kind == OpKind::kConstant ||
           op.kind == OpKind::kLinkAddress || op.kind == OpKind::kPlus;
  });
  const auto is_link = [](const Op& op) { return op.kind == OpKind::kLinkAddress; };
  const bool is_static =
      is_plain && is_link(program_.front()) &&
      std::ranges::none_of(program_, [](const Op& op) { return op.kind == OpKind::kRegister; });
  const auto registers =
      std::ranges::count_if(program_, [](const Op& op) { return op.kind == OpKind::kRegister; });
  return InMemory{.address = program_,
                  .on_own_frame = is_plain && starts_on_frame_ && registers == 1 &&
                                  std::ranges::none_of(program_, is_link),
                  .in_static_data = is_static};
}

Location Translator::finish() {
  if (failure_) return *failure_;
  if (!pending_.empty()) return unsupported("malformed expression");
  if (simple_) return *simple_;
  if (program_.empty()) return Unavailable{};
  return finish_address();
}

void Translator::reset() {
  program_.clear();
  stack_.clear();
  pending_.clear();
  reachable_ = true;
  failure_.reset();
  simple_.reset();
  starts_on_frame_ = false;
}

void Translator::add_piece(std::uint64_t bits, std::uint64_t offset) {
  pieces_.push_back({.bit_size = bits, .bit_offset = offset, .location = {finish()}});
  reset();
}

Location Translator::run(std::span<const Dwarf_Op> ops) {
  for (const Dwarf_Op& op : ops) step(op);
  if (pieces_.empty()) return finish();
  return InPieces{std::move(pieces_)};
}

std::optional<std::vector<Op>> Translator::run_address(std::span<const Dwarf_Op> ops) {
  const Location location = run(ops);
  if (const auto* in_memory = std::get_if<InMemory>(&location)) return in_memory->address;
  // A CFA rule may end in DW_OP_stack_value, a frame base may be a register.
  if (const auto* computed = std::get_if<Computed>(&location)) return computed->value;
  if (const auto* in_register = std::get_if<InRegister>(&location);
      in_register != nullptr && in_register->number <= kLastGeneralRegister)
    return std::vector<Op>{{.kind = OpKind::kRegister, .number = in_register->number}};
  return std::nullopt;
}

Location translate_expression(std::span<const Dwarf_Op> ops, const ExpressionContext& context) {
  return Translator(context).run(ops);
}

std::optional<std::vector<Op>> translate_address(std::span<const Dwarf_Op> ops,
                                                 const ExpressionContext& context) {
  return Translator(context).run_address(ops);
}

}  // namespace nohalt::symbols
