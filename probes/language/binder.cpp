// The doors of the binder, and its small parts.
#include "probes/language/binder.h"

#include "probes/language/binder_impl.h"
#include "probes/language/parser.h"

namespace nohalt::language {

using symbols::strip_typedefs;

ExprPtr Binder::make(ExprKind kind, Span span, const Type* type) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->span = span;
  expr->type = type;
  return expr;
}

ExprPtr Binder::load(ExprPtr place) {
  if (!place->is_place()) return place;
  auto expr = make(ExprKind::kLoad, place->span, place->type);
  expr->operands.push_back(std::move(place));
  return expr;
}

ExprPtr Binder::decay(ExprPtr value) {
  const bool array = strip_typedefs(value->type)->kind == TypeKind::kArray;
  if (!array || value->kind != ExprKind::kLoad) return value;
  auto expr = make(ExprKind::kAddress, value->span, types_.pointer_to(pointee(value->type)));
  expr->operands.push_back(std::move(value->operands[0]));
  return expr;
}

std::uint64_t fit_integer(std::uint64_t bits, const Type* type) {
  const Type* real = strip_typedefs(type);
  if (real->kind == TypeKind::kBool) return bits != 0 ? 1 : 0;
  if (real->byte_size == 0 || real->byte_size >= 8) return bits;
  const auto unused = static_cast<unsigned>(64 - 8 * real->byte_size);
  if (is_signed(real)) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(bits << unused) >> unused);
  }
  return bits << unused >> unused;
}

std::optional<std::uint64_t> constant_integer(const Expr& value) {
  if (value.kind == ExprKind::kInteger) return value.integer;
  if (value.operands.size() != 1 || !is_integral(value.type)) return std::nullopt;
  const auto inner = constant_integer(value.operand());
  if (!inner) return std::nullopt;
  switch (value.kind) {
    case ExprKind::kConvert:
      return fit_integer(*inner, value.type);
    case ExprKind::kNegate:
      return fit_integer(0 - *inner, value.type);
    case ExprKind::kComplement:
      return fit_integer(~*inner, value.type);
    default:
      return std::nullopt;
  }
}

ExprPtr Binder::convert(ExprPtr value, const Type* type) {
  const Type* from = strip_typedefs(value->type);
  const Type* to = strip_typedefs(type);
  const bool alike = from->kind == to->kind && from->byte_size == to->byte_size &&
                     is_signed(from) == is_signed(to) && from->target == to->target;
  if (alike) {
    if (value->kind == ExprKind::kInteger) value->type = type;
    return value;
  }
  if (value->kind == ExprKind::kInteger && (is_integral(to) || is_pointer(to))) {
    value->integer = fit_integer(value->integer, to);
    value->type = type;
    return value;
  }
  auto expr = make(ExprKind::kConvert, value->span, type);
  expr->operands.push_back(std::move(value));
  return expr;
}

ExprPtr Binder::promoted(ExprPtr value) {
  std::uint32_t bits = 0;
  if (value->kind == ExprKind::kLoad && value->operand().kind == ExprKind::kMember) {
    const symbols::Member& member = *value->operand().member;
    if (member.bit_offset) bits = member.bit_size;
  }
  return convert(std::move(value), types_.promote(value->type, bits));
}

ExprPtr Binder::is_true(ExprPtr value) {
  if (strip_typedefs(value->type)->kind == TypeKind::kBool) return value;
  const Span span = value->span;
  if (is_integral(value->type)) value = promoted(std::move(value));
  auto zero =
      make(is_floating(value->type) ? ExprKind::kFloating : ExprKind::kInteger, span, value->type);
  auto expr = make(ExprKind::kBinary, span, types_.boolean());
  expr->op = BinaryOp::kNotEqual;
  expr->operands.push_back(std::move(value));
  expr->operands.push_back(std::move(zero));
  return expr;
}

std::unexpected<Error> Binder::mismatch(Span span, const std::string& problem,
                                        std::string hint) const {
  return fail_at(source_, span, "type-mismatch", problem, std::move(hint));
}

std::unexpected<Error> Binder::needs_raw(Span span, const std::string& problem) const {
  return fail_at(source_, span, "needs-raw-right", problem, "This needs the policy right 'raw'.",
                 ErrorCode::kDenied);
}

Result<ExprPtr> Binder::value(const Syntax& syntax) {
  NOHALT_TRY(ExprPtr bound, any(syntax));
  return load(std::move(bound));
}

Result<ExprPtr> Binder::scalar(const Syntax& syntax, const Type* hint) {
  NOHALT_TRY(ExprPtr bound, any(syntax, hint));
  bound = decay(load(std::move(bound)));
  if (bound->kind == ExprKind::kText) {
    return mismatch(syntax.span, "text can only be compared with == and !=");
  }
  if (!is_scalar(bound->type)) {
    return mismatch(syntax.span,
                    "a value of type '" + type_name(bound->type) + "' is not a number or a pointer",
                    is_record(bound->type) ? "Choose one of its members." : "");
  }
  return bound;
}

Result<ExprPtr> Binder::truth(const Syntax& syntax) {
  NOHALT_TRY(ExprPtr bound, scalar(syntax));
  return is_true(std::move(bound));
}

namespace {

// A spec's type letter against the value's type.
bool spec_suits(const FormatSpec& spec, const Expr& root) {
  const std::string_view integer = "xXobBdc";
  const std::string_view floating = "eEfFgGaA";
  const char letter = spec.type;
  const bool text = root.kind == ExprKind::kText || is_textual(root.type);
  if (is_floating(root.type)) return letter == '\0' || floating.find(letter) != floating.npos;
  if (spec.precision >= 0 && !text) return false;
  if (letter == '\0') return true;
  if (text && letter == 's') return true;
  if (is_pointer(root.type)) return letter == 'x' || letter == 'X' || letter == 'p';
  if (!is_integral(root.type)) return letter == 's' && !is_pointer(root.type);
  const TypeKind kind = strip_typedefs(root.type)->kind;
  if (letter == 's') return kind == TypeKind::kBool || kind == TypeKind::kEnum;
  return integer.find(letter) != integer.npos;
}

// Whether the bytes of a container are what its items are is found out where it is captured.
bool hex_suits(const FormatSpec& spec, const Expr& root) {
  const Type* item = pointee(root.type);
  if (spec.sign != '\0' || spec.alternate || spec.zero) return false;
  if (root.kind == ExprKind::kText || is_std_string(root.type)) return true;
  // Where bytes end that a pointer leads to nobody says, but for those of a text.
  if (is_pointer(root.type)) return item != nullptr && is_byte_char(item) && is_signed(item);
  if (root.kind != ExprKind::kLoad) return false;
  return is_record(root.type) || (item != nullptr && is_byte(item));
}

bool numbers_only(const FormatSpec& spec) {
  return spec.sign != '\0' || spec.alternate || spec.zero;
}

Status check_spec(const Source& source, const FormatSpec& spec, const Expr& root) {
  const bool ok = spec.is_hex
                      ? hex_suits(spec, root)
                      : spec_suits(spec, root) && (!numbers_only(spec) || is_scalar(root.type));
  if (ok) return {};
  if (spec.is_hex) return wrong_hex(source, spec, root);
  return fail_at(
      source, spec.span, "wrong-spec",
      "this format does not suit a value of type '" + type_name(root.type) + "'",
      "Integers take d x X o b c, floating-point numbers e f g a, text s, pointers x p.");
}

}  // namespace

std::unexpected<Error> wrong_hex(const Source& source, const FormatSpec& spec, const Expr& root) {
  return fail_at(source, spec.span, "wrong-spec",
                 "hex does not suit a value of type '" + type_name(root.type) + "'",
                 "It takes an array or a container of bytes, or a text of one-byte characters; an "
                 "integer takes x.");
}

namespace {

Result<BoundPtr> finish(const Source& source, std::shared_ptr<TypeStore> types, ExprPtr root,
                        std::string name) {
  auto bound = std::make_shared<BoundExpression>();
  bound->name = std::move(name);
  bound->source = source;
  bound->root = std::move(root);
  bound->types = std::move(types);
  return bound;
}

}  // namespace

Result<BoundPtr> bind(const Source& source, const Syntax& syntax, const ScopeView& scope,
                      const BindOptions& options, std::string name) {
  auto types = std::make_shared<TypeStore>();
  Binder binder(source, scope, options, *types);
  NOHALT_TRY(ExprPtr root, binder.value(syntax));
  return finish(source, std::move(types), std::move(root), std::move(name));
}

Result<BoundPtr> bind_expression(const std::string& text, const ScopeView& scope,
                                 const BindOptions& options, const std::string& what) {
  const Source source{what, text};
  NOHALT_TRY(const SyntaxPtr syntax, parse_expression(source));
  return bind(source, *syntax, scope, options, text);
}

Result<BoundPtr> bind_condition(const std::string& text, const ScopeView& scope,
                                const BindOptions& options) {
  const Source source{"condition", text};
  NOHALT_TRY(const SyntaxPtr syntax, parse_expression(source));
  auto types = std::make_shared<TypeStore>();
  Binder binder(source, scope, options, *types);
  NOHALT_TRY(ExprPtr root, binder.truth(*syntax));
  return finish(source, std::move(types), std::move(root), text);
}

Result<BoundTemplate> bind_template(const std::string& text, const ScopeView& scope,
                                    const BindOptions& options) {
  NOHALT_TRY(MessageTemplate parsed, parse_template(text));
  BoundTemplate result;
  result.texts = std::move(parsed.texts);
  for (TemplateField& field : parsed.fields) {
    NOHALT_TRY(BoundPtr value, bind(parsed.source, *field.expression, scope, options, field.name));
    NOHALT_CHECK(check_spec(parsed.source, field.spec, *value->root));
    result.values.push_back(std::move(value));
    result.specs.push_back(std::move(field.spec));
  }
  return result;
}

BoundPtr bind_variable(const symbols::Variable& variable) {
  auto place = std::make_unique<Expr>();
  place->kind = ExprKind::kVariable;
  place->type = variable.type;
  place->variable = std::make_shared<const symbols::Variable>(variable);
  auto types = std::make_shared<TypeStore>();
  const Type* real = strip_typedefs(variable.type);
  if (real->kind == TypeKind::kReference && real->target != nullptr) {
    auto pointer = std::make_unique<Expr>();
    pointer->kind = ExprKind::kLoad;
    pointer->type = types->pointer_to(real->target);
    place->type = pointer->type;
    pointer->operands.push_back(std::move(place));
    place = std::make_unique<Expr>();
    place->kind = ExprKind::kDereference;
    place->type = real->target;
    place->operands.push_back(std::move(pointer));
  }
  auto bound = std::make_shared<BoundExpression>();
  bound->name = variable.name;
  bound->source = {"variable", variable.name};
  bound->root = std::make_unique<Expr>();
  bound->root->kind = ExprKind::kLoad;
  bound->root->type = place->type;
  bound->root->operands.push_back(std::move(place));
  bound->types = std::move(types);
  return bound;
}

}  // namespace nohalt::language
