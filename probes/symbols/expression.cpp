// A DWARF expression is a postfix program (DWARF 5, sections 2.5 and 2.6), and
// so is a Location: translation goes operation by operation. Three things are
// worked out on the way:
//  - what it describes: memory, a register, a value, or pieces of these;
//  - the type of each stack entry. An untyped entry is a 64-bit word. A typed
//    one (DW_OP_convert, DW_OP_regval_type and kin) is kept as that word,
//    extended by its type's sign, and brought back to its size after each
//    operation, so that the plain 64-bit operations give the typed result;
//  - whether the address is plainly in this frame or in static data, where the
//    engine may read without asking the kernel.
// What cannot be said in a Location gives Unavailable, which names it.
#include "probes/symbols/expression.h"

#include <dwarf.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace nohalt::symbols {

namespace {

constexpr std::uint16_t kRbp = 6;
constexpr std::uint16_t kRsp = 7;
constexpr std::uint64_t kLastGeneral = 16;
constexpr std::uint64_t kLastVector = 32;

struct ValueType {
  std::uint8_t size = 8;
  bool is_signed = false;
  bool is_generic = true;
};

Unavailable unsupported(std::string detail) {
  return {UnavailableWhy::kUnsupported, std::move(detail)};
}

class Translator {
 public:
  explicit Translator(const ExpressionContext& context) : context_(context) {}

  Location run(std::span<const Dwarf_Op> ops);
  // The program that leaves an address, or absent.
  std::optional<std::vector<Op>> run_address(std::span<const Dwarf_Op> ops);

 private:
  void step(const Dwarf_Op& op);
  bool step_constant(const Dwarf_Op& op);
  bool step_register(const Dwarf_Op& op);
  bool step_stack(const Dwarf_Op& op);
  bool step_arithmetic(const Dwarf_Op& op);
  bool step_typed(const Dwarf_Op& op);
  bool step_special(const Dwarf_Op& op);

  void emit(OpKind kind, std::uint64_t value = 0) {
    program_.push_back({.kind = kind, .value = value});
  }
  void push_constant(std::uint64_t value, ValueType type = {});
  void push_register(std::uint64_t number);
  void push_plus(std::uint64_t addend);
  void push_base(const std::function<std::optional<std::vector<Op>>()>& base, const char* what);
  void push_address(const Dwarf_Op& op, bool is_address);
  void push_entry_value(const Dwarf_Op& op);
  void binary(OpKind kind);
  void compare(OpKind kind);
  void divide();
  void modulo();
  void shift_right(bool arithmetic);
  void normalize();
  void convert(const Dwarf_Op& op);
  std::optional<ValueType> type_of(const Dwarf_Op& op);
  void give_up(Unavailable why) {
    if (!failure_) failure_ = std::move(why);
  }
  bool need(std::size_t entries);

  Location finish();
  Location finish_address();
  void add_piece(std::uint64_t bits, std::uint64_t offset);
  void reset();

  const ExpressionContext& context_;
  std::vector<Op> program_;
  std::vector<ValueType> stack_;
  std::optional<Unavailable> failure_;
  std::optional<Location> simple_;  // a register, bytes, or stack value
  bool starts_on_frame_ = false;
  std::vector<Piece> pieces_;
};

bool Translator::need(std::size_t entries) {
  if (stack_.size() >= entries) return true;
  give_up(unsupported("malformed expression"));
  return false;
}

void Translator::push_constant(std::uint64_t value, ValueType type) {
  emit(OpKind::kConstant, value);
  stack_.push_back(type);
}

void Translator::push_register(std::uint64_t number) {
  if (number > kLastGeneral) return give_up(unsupported("register " + std::to_string(number)));
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

bool Translator::step_stack(const Dwarf_Op& op) {
  const std::size_t depth = stack_.size();
  switch (op.atom) {
    case DW_OP_dup:
    case DW_OP_over:
    case DW_OP_pick: {
      const std::size_t index =
          op.atom == DW_OP_dup ? 0 : (op.atom == DW_OP_over ? 1 : std::size_t{op.number});
      if (index >= depth) return need(SIZE_MAX);
      emit(op.atom == DW_OP_dup ? OpKind::kDup
                                : (op.atom == DW_OP_over ? OpKind::kOver : OpKind::kPick),
           op.atom == DW_OP_pick ? index : 0);
      stack_.push_back(stack_[depth - 1 - index]);
      return true;
    }
    case DW_OP_drop:
      if (!need(1)) return true;
      emit(OpKind::kDrop);
      stack_.pop_back();
      return true;
    case DW_OP_swap:
      if (!need(2)) return true;
      emit(OpKind::kSwap);
      std::swap(stack_[depth - 1], stack_[depth - 2]);
      return true;
    case DW_OP_rot:
      if (!need(3)) return true;
      emit(OpKind::kRot);
      std::rotate(stack_.end() - 3, stack_.end() - 1, stack_.end());
      return true;
    case DW_OP_deref:
    case DW_OP_deref_size: {
      if (!need(1)) return true;
      const std::uint64_t size = op.atom == DW_OP_deref ? 8 : op.number;
      if (size == 0 || size > 8) {
        give_up(unsupported("dereference size"));
        return true;
      }
      program_.push_back({.kind = OpKind::kDereference, .size = static_cast<std::uint8_t>(size)});
      stack_.back() = {};
      return true;
    }
    default:
      return false;
  }
}

// Brings a typed result back to its size.
void Translator::normalize() {
  const ValueType type = stack_.back();
  if (type.is_generic || type.size >= 8) return;
  program_.push_back({.kind = type.is_signed ? OpKind::kConvertSigned : OpKind::kConvertUnsigned,
                      .size = type.size});
}

void Translator::binary(OpKind kind) {
  if (!need(2)) return;
  const ValueType right = stack_.back();
  stack_.pop_back();
  if (stack_.back().is_generic) stack_.back() = right;
  emit(kind);
  normalize();
}

// Comparisons are signed; unsigned 64-bit ones are made so by flipping the
// sign bits of both sides.
void Translator::compare(OpKind kind) {
  if (!need(2)) return;
  const ValueType type = stack_.back();
  const bool is_equality = kind == OpKind::kEq || kind == OpKind::kNe;
  if (!is_equality && !type.is_generic && !type.is_signed && type.size == 8) {
    for (int side = 0; side < 2; ++side) {
      emit(OpKind::kConstant, std::uint64_t{1} << 63U);
      emit(OpKind::kXor);
      emit(OpKind::kSwap);
    }
  }
  stack_.pop_back();
  stack_.back() = {};
  emit(kind);
}

void Translator::divide() {
  if (!need(2)) return;
  const ValueType type = stack_.back();
  if (!type.is_generic && !type.is_signed && type.size == 8)
    return give_up(unsupported("unsigned 64-bit division"));
  binary(OpKind::kDivSigned);
}

void Translator::modulo() {
  if (!need(2)) return;
  const ValueType type = stack_.back();
  if (type.is_generic || !type.is_signed) return binary(OpKind::kModUnsigned);
  // a - (a / b) * b
  for (const OpKind kind : {OpKind::kOver, OpKind::kOver, OpKind::kDivSigned, OpKind::kMul})
    emit(kind);
  binary(OpKind::kMinus);
}

void Translator::shift_right(bool arithmetic) {
  if (!need(2)) return;
  stack_.pop_back();
  const ValueType type = stack_.back();
  if (!type.is_generic && type.size < 8 && type.is_signed != arithmetic) {
    emit(OpKind::kSwap);
    program_.push_back({.kind = arithmetic ? OpKind::kConvertSigned : OpKind::kConvertUnsigned,
                        .size = type.size});
    emit(OpKind::kSwap);
  }
  emit(arithmetic ? OpKind::kShra : OpKind::kShr);
  normalize();
}

bool Translator::step_arithmetic(const Dwarf_Op& op) {
  switch (op.atom) {
    case DW_OP_plus:
      binary(OpKind::kPlus);
      return true;
    case DW_OP_minus:
      binary(OpKind::kMinus);
      return true;
    case DW_OP_mul:
      binary(OpKind::kMul);
      return true;
    case DW_OP_and:
      binary(OpKind::kAnd);
      return true;
    case DW_OP_or:
      binary(OpKind::kOr);
      return true;
    case DW_OP_xor:
      binary(OpKind::kXor);
      return true;
    case DW_OP_div:
      divide();
      return true;
    case DW_OP_mod:
      modulo();
      return true;
    case DW_OP_eq:
      compare(OpKind::kEq);
      return true;
    case DW_OP_ne:
      compare(OpKind::kNe);
      return true;
    case DW_OP_lt:
      compare(OpKind::kLtSigned);
      return true;
    case DW_OP_le:
      compare(OpKind::kLeSigned);
      return true;
    case DW_OP_gt:
      compare(OpKind::kGtSigned);
      return true;
    case DW_OP_ge:
      compare(OpKind::kGeSigned);
      return true;
    case DW_OP_shr:
      shift_right(false);
      return true;
    case DW_OP_shra:
      shift_right(true);
      return true;
    case DW_OP_shl:
      if (!need(2)) return true;
      stack_.pop_back();
      emit(OpKind::kShl);
      normalize();
      return true;
    case DW_OP_abs:
    case DW_OP_neg:
    case DW_OP_not:
      if (!need(1)) return true;
      emit(op.atom == DW_OP_abs ? OpKind::kAbs
                                : (op.atom == DW_OP_neg ? OpKind::kNeg : OpKind::kNot));
      normalize();
      return true;
    default:
      return false;
  }
}

std::optional<ValueType> Translator::type_of(const Dwarf_Op& op) {
  Dwarf_Die die;
  if (context_.attribute == nullptr || dwarf_getlocation_die(context_.attribute, &op, &die) != 0)
    return std::nullopt;
  const int size = dwarf_bytesize(&die);
  Dwarf_Attribute attribute;
  Dwarf_Word encoding = 0;
  if (size < 1 || size > 8 || dwarf_attr(&die, DW_AT_encoding, &attribute) == nullptr ||
      dwarf_formudata(&attribute, &encoding) != 0)
    return std::nullopt;
  switch (encoding) {
    case DW_ATE_signed:
    case DW_ATE_signed_char:
      return ValueType{static_cast<std::uint8_t>(size), true, false};
    case DW_ATE_unsigned:
    case DW_ATE_unsigned_char:
    case DW_ATE_boolean:
    case DW_ATE_address:
    case DW_ATE_UTF:
      return ValueType{static_cast<std::uint8_t>(size), false, false};
    default:
      return std::nullopt;
  }
}

void Translator::convert(const Dwarf_Op& op) {
  if (!need(1)) return;
  if (op.number == 0) {
    stack_.back() = {};
    return;
  }
  const std::optional<ValueType> type = type_of(op);
  if (!type) return give_up(unsupported("conversion to a type that is no integer"));
  stack_.back() = *type;
  normalize();
}

bool Translator::step_typed(const Dwarf_Op& op) {
  switch (op.atom) {
    case DW_OP_convert:
    case DW_OP_GNU_convert:
    case DW_OP_reinterpret:
    case DW_OP_GNU_reinterpret:
      convert(op);
      return true;
    case DW_OP_regval_type:
    case DW_OP_GNU_regval_type:
    case DW_OP_deref_type:
    case DW_OP_GNU_deref_type:
    case DW_OP_const_type:
    case DW_OP_GNU_const_type:
      break;
    default:
      return false;
  }
  const std::optional<ValueType> type = type_of(op);
  if (!type) {
    give_up(unsupported("a typed value that is no integer"));
    return true;
  }
  if (op.atom == DW_OP_regval_type || op.atom == DW_OP_GNU_regval_type) {
    push_register(op.number);
  } else if (op.atom == DW_OP_deref_type || op.atom == DW_OP_GNU_deref_type) {
    if (!need(1)) return true;
    program_.push_back({.kind = OpKind::kDereference, .size = type->size});
  } else {
    Dwarf_Attribute target;
    Dwarf_Block block{};
    if (dwarf_getlocation_attr(context_.attribute, &op, &target) != 0 ||
        dwarf_formblock(&target, &block) != 0 || block.length > 8) {
      give_up(unsupported("typed constant"));
      return true;
    }
    std::uint64_t value = 0;
    std::memcpy(&value, block.data, block.length);
    push_constant(value);
  }
  if (failure_) return true;
  stack_.back() = *type;
  normalize();
  return true;
}

// Operations that end a simple location, or that cannot be had at all.
bool Translator::step_special(const Dwarf_Op& op) {
  const bool is_short = op.atom >= DW_OP_reg0 && op.atom <= DW_OP_reg31;
  if (is_short || op.atom == DW_OP_regx) {
    const std::uint64_t number = is_short ? op.atom - std::uint64_t{DW_OP_reg0} : op.number;
    if (number > kLastVector)
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
      give_up({UnavailableWhy::kThreadLocal, "thread-local"});
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
  if (failure_ && op.atom != DW_OP_piece && op.atom != DW_OP_bit_piece) return;
  if (step_special(op) || step_constant(op) || step_register(op) || step_stack(op) ||
      step_arithmetic(op) || step_typed(op))
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
  if (simple_) return *simple_;
  if (program_.empty()) return Unavailable{};
  return finish_address();
}

void Translator::reset() {
  program_.clear();
  stack_.clear();
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
      in_register != nullptr && in_register->number <= kLastGeneral)
    return std::vector<Op>{{.kind = OpKind::kRegister, .number = in_register->number}};
  return std::nullopt;
}

}  // namespace

Location translate_expression(std::span<const Dwarf_Op> ops, const ExpressionContext& context) {
  return Translator(context).run(ops);
}

std::optional<std::vector<Op>> translate_address(std::span<const Dwarf_Op> ops,
                                                 const ExpressionContext& context) {
  return Translator(context).run_address(ops);
}

}  // namespace nohalt::symbols
