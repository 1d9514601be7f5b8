// What an expression pushes untyped: constants, addresses, registers, bases, and
// the values that registers had on entry.
#include <dwarf.h>

#include "probes/symbols/expression_translator.h"

namespace nohalt::symbols {

namespace {

constexpr std::uint16_t kRbp = 6;
constexpr std::uint16_t kRsp = 7;

}  // namespace

void Translator::push_constant(std::uint64_t value, ValueType type) {
  emit(OpKind::kConstant, value);
  stack_.push_back(type);
}

void Translator::push_register(std::uint64_t number) {
  if (number > kLastGeneralRegister)
    return give_up(unsupported("register " + std::to_string(number)));
  program_.push_back({.kind = OpKind::kRegister, .number = static_cast<std::uint16_t>(number)});
  stack_.emplace_back();
}

void Translator::push_plus(std::uint64_t addend) {
  if (addend == 0) return;
  emit(OpKind::kConstant, addend);
  emit(OpKind::kPlus);
}

void Translator::push_base(const std::function<std::optional<std::vector<Op>>()>& base,
                           const char* what) {
  const std::optional<std::vector<Op>> ops = base ? base() : std::nullopt;
  if (!ops) return give_up(unsupported(std::string("no ") + what));
  starts_on_frame_ |= program_.empty();
  program_.insert(program_.end(), ops->begin(), ops->end());
  stack_.emplace_back();
}

void Translator::push_address(const Dwarf_Op& op, bool is_address) {
  std::uint64_t value = op.number;
  if (op.atom != DW_OP_addr) {
    Dwarf_Attribute target;
    Dwarf_Addr address = 0;
    Dwarf_Word word = 0;
    if (context_.attribute == nullptr ||
        dwarf_getlocation_attr(context_.attribute, &op, &target) != 0)
      return give_up(unsupported("address index"));
    if (dwarf_formaddr(&target, &address) == 0)
      value = address;
    else if (dwarf_formudata(&target, &word) == 0)
      value = word;
    else
      return give_up(unsupported("address index"));
  }
  emit(is_address ? OpKind::kLinkAddress : OpKind::kConstant, value);
  stack_.emplace_back();
}

// The top is an offset in the executable's block, which ends near the thread pointer.
void Translator::push_thread_local() {
  if (!need(1)) return;
  if (!context_.thread_locals)
    return give_up({UnavailableWhy::kThreadLocal, "it is thread-local, in a library"});
  emit(OpKind::kThreadPointer);
  emit(OpKind::kPlus);
  emit(OpKind::kConstant, *context_.thread_locals);
  emit(OpKind::kMinus);
}

// At a function's first instruction its entry values are where they were.
void Translator::push_entry_value(const Dwarf_Op& op) {
  Dwarf_Attribute inner;
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (context_.at_function_entry && context_.attribute != nullptr &&
      dwarf_getlocation_attr(context_.attribute, &op, &inner) == 0 &&
      dwarf_getlocation(&inner, &ops, &count) == 0 && count == 1) {
    if (ops->atom >= DW_OP_reg0 && ops->atom <= DW_OP_reg31)
      return push_register(static_cast<std::uint64_t>(ops->atom - DW_OP_reg0));
  }
  give_up({UnavailableWhy::kEntryValue, "needs the caller's frame"});
}

bool Translator::step_constant(const Dwarf_Op& op) {
  if (op.atom >= DW_OP_lit0 && op.atom <= DW_OP_lit31) {
    push_constant(static_cast<std::uint64_t>(op.atom - DW_OP_lit0));
    return true;
  }
  switch (op.atom) {
    case DW_OP_const1u:
    case DW_OP_const1s:
    case DW_OP_const2u:
    case DW_OP_const2s:
    case DW_OP_const4u:
    case DW_OP_const4s:
    case DW_OP_const8u:
    case DW_OP_const8s:
    case DW_OP_constu:
    case DW_OP_consts:
      push_constant(op.number);
      return true;
    case DW_OP_addr:
    case DW_OP_addrx:
    case DW_OP_GNU_addr_index:
      push_address(op, true);
      return true;
    case DW_OP_constx:
    case DW_OP_GNU_const_index:
      push_address(op, false);
      return true;
    default:
      return false;
  }
}

bool Translator::step_register(const Dwarf_Op& op) {
  const bool is_short = op.atom >= DW_OP_breg0 && op.atom <= DW_OP_breg31;
  if (is_short || op.atom == DW_OP_bregx) {
    const std::uint64_t number = is_short ? op.atom - std::uint64_t{DW_OP_breg0} : op.number;
    if (program_.empty()) {
      const std::optional<std::vector<Op>> cfa =
          number == kRbp && context_.cfa ? context_.cfa() : std::nullopt;
      starts_on_frame_ = number == kRsp || (cfa && cfa->front().kind == OpKind::kRegister &&
                                            cfa->front().number == kRbp);
    }
    push_register(number);
    push_plus(is_short ? op.number : op.number2);
    return true;
  }
  switch (op.atom) {
    case DW_OP_fbreg:
      push_base(context_.frame_base, "frame base");
      push_plus(op.number);
      return true;
    case DW_OP_call_frame_cfa:
      push_base(context_.cfa, "call frame information");
      return true;
    case DW_OP_plus_uconst:
      if (need(1)) push_plus(op.number);
      return true;
    default:
      return false;
  }
}

}  // namespace nohalt::symbols
