// Names, members, elements: whatever has a spot in the target.
#include "probes/language/binder_impl.h"

namespace nohalt::language {

using symbols::Member;
using symbols::strip_typedefs;
using symbols::Variable;

namespace {

std::string did_you_mean(const std::vector<std::string>& names) {
  if (names.empty()) return {};
  std::string text = "Did you mean ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + ("'" + names[i] + "'");
  }
  return text + "?";
}

void collect_members(const Type* record, std::vector<std::string>& names, int depth) {
  for (const Member& member : strip_typedefs(record)->members) {
    if (!member.name.empty() && !member.is_base_class) names.push_back(member.name);
    const bool inside = member.name.empty() || member.is_base_class;
    if (inside && member.type != nullptr && depth < 8)
      collect_members(member.type, names, depth + 1);
  }
}

std::string lines_text(const std::vector<std::uint32_t>& lines) {
  std::string text;
  for (std::size_t i = 0; i < lines.size() && i < 8; ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(lines[i]);
  }
  return text + (lines.size() > 8 ? ", ..." : "");
}

std::vector<const Member*> find_member_within(const Type* record, std::string_view name,
                                              int depth) {
  const Type* real = strip_typedefs(record);
  if (!is_record(real) || depth > 16) return {};
  for (const Member& member : real->members) {
    if (member.name == name && !member.is_base_class) return {&member};
  }
  for (const Member& member : real->members) {
    if ((!member.name.empty() && !member.is_base_class) || member.type == nullptr) continue;
    auto rest = find_member_within(member.type, name, depth + 1);
    if (rest.empty()) continue;
    rest.insert(rest.begin(), &member);
    return rest;
  }
  return {};
}

}  // namespace

std::vector<const Member*> find_member(const Type* record, std::string_view name) {
  return find_member_within(record, name, 0);
}

Result<ExprPtr> Binder::any(const Syntax& syntax, const Type* hint) {
  switch (syntax.kind) {
    case SyntaxKind::kInteger: {
      // The first type that holds it (C17 6.4.4.1); decimal ones stay signed.
      const bool may_be_unsigned = syntax.is_unsigned || !syntax.is_decimal;
      const bool is_signed_int =
          !syntax.is_unsigned && syntax.minimum_size == 4 && syntax.integer <= 0x7fffffffU;
      const bool is_unsigned_int =
          may_be_unsigned && syntax.minimum_size == 4 && syntax.integer <= 0xffffffffU;
      const bool is_signed_long = !syntax.is_unsigned && syntax.integer >> 63 == 0;
      const Type* type = is_signed_int     ? types_.integer(4, true)
                         : is_unsigned_int ? types_.integer(4, false)
                                           : types_.integer(8, is_signed_long);
      auto expr = make(ExprKind::kInteger, syntax.span, type);
      expr->integer = syntax.integer;
      return expr;
    }
    case SyntaxKind::kFloating: {
      auto expr = make(ExprKind::kFloating, syntax.span, types_.floating(syntax.minimum_size));
      expr->floating = syntax.floating;
      return expr;
    }
    case SyntaxKind::kCharacter: {
      auto expr = make(ExprKind::kInteger, syntax.span, types_.character());
      expr->integer = syntax.integer;
      return expr;
    }
    case SyntaxKind::kString: {
      auto expr = make(ExprKind::kText, syntax.span, types_.text());
      expr->text = syntax.text;
      return expr;
    }
    case SyntaxKind::kTrue:
    case SyntaxKind::kFalse: {
      auto expr = make(ExprKind::kInteger, syntax.span, types_.boolean());
      expr->integer = syntax.kind == SyntaxKind::kTrue ? 1 : 0;
      return expr;
    }
    case SyntaxKind::kNull:
      return make(ExprKind::kInteger, syntax.span, types_.pointer_to(types_.void_type()));
    case SyntaxKind::kName:
      return name(syntax, hint);
    case SyntaxKind::kMember:
    case SyntaxKind::kArrow:
      return member(syntax);
    case SyntaxKind::kIndex:
      return index(syntax);
    case SyntaxKind::kSlice:
      return slice(syntax);
    case SyntaxKind::kDereference: {
      NOHALT_TRY(ExprPtr pointer, scalar(*syntax.operands[0]));
      return dereference(std::move(pointer), syntax.mark);
    }
    case SyntaxKind::kAddressOf:
      return address_of(syntax);
    case SyntaxKind::kBuiltin:
      break;
    case SyntaxKind::kBinary:
      return binary(syntax);
    case SyntaxKind::kConditional:
      return conditional(syntax);
    case SyntaxKind::kCast:
      return cast(syntax);
    case SyntaxKind::kLength:
      return length(syntax);
    case SyntaxKind::kTextTest:
      return text_test(syntax);
    case SyntaxKind::kNegate:
    case SyntaxKind::kPlus:
    case SyntaxKind::kNot:
    case SyntaxKind::kComplement:
      return unary(syntax);
  }
  const Type* integer = types_.integer(4, true);
  if (syntax.text == "pid") return make(ExprKind::kHitPid, syntax.span, integer);
  if (syntax.text == "tid") return make(ExprKind::kHitTid, syntax.span, integer);
  if (syntax.text == "line") {
    auto expr = make(ExprKind::kInteger, syntax.span, integer);
    expr->integer = scope_.line();
    return expr;
  }
  if (syntax.text == "func") {
    auto expr = make(ExprKind::kText, syntax.span, types_.text());
    expr->text = scope_.function();
    return expr;
  }
  return fail_at(source_, syntax.span, "unknown-name", "there is no '$" + syntax.text + "'",
                 "Known are $pid, $tid, $func and $line.");
}

Result<ExprPtr> Binder::name(const Syntax& syntax, const Type* hint) {
  for (const Variable& local : scope_.locals()) {
    const bool has_it = local.is_nameless && !find_member(local.type, syntax.text).empty();
    if (local.name == syntax.text || has_it) return variable(syntax, local);
  }
  NOHALT_TRY(ExprPtr through_this, member_of_this(syntax));
  if (through_this) return through_this;
  NOHALT_TRY(const auto global, scope_.find_global(syntax.text));
  if (global) return variable(syntax, *global);
  if (ExprPtr constant = enumerator(syntax, hint)) return constant;
  return unknown_name(syntax);
}

Result<ExprPtr> Binder::variable(const Syntax& syntax, const Variable& found) {
  if (found.type == nullptr) {
    return fail_at(source_, syntax.span, "unsupported-type",
                   "the type of '" + syntax.text + "' is not known");
  }
  const auto* missing = std::get_if<symbols::Unavailable>(&found.location);
  if (missing != nullptr && !options_.allow_unavailable) {
    const bool gone = missing->why == symbols::UnavailableWhy::kOptimizedOut;
    const std::string problem =
        "'" + syntax.text + "' exists, but " +
        (gone ? "is optimised out here" : "its place here is not supported") +
        (gone || missing->detail.empty() ? "" : " (" + missing->detail + ")");
    return fail_at(source_, syntax.span, gone ? "optimized-out" : "unavailable-here", problem,
                   found.available_lines.empty()
                       ? "Choose another line of the function."
                       : "It is available at lines " + lines_text(found.available_lines) + ".");
  }
  auto expr = make(ExprKind::kVariable, syntax.span, found.type);
  expr->variable = std::make_shared<const Variable>(found);
  if (found.is_nameless) {
    const auto qualified = syntax.text.rfind("::");
    const bool is_plain = qualified == std::string::npos;
    return select(std::move(expr), syntax,
                  is_plain ? syntax.text : syntax.text.substr(qualified + 2));
  }
  if (strip_typedefs(found.type)->kind != TypeKind::kReference) return expr;
  const Type* referee = pointee(found.type);
  if (referee == nullptr) return mismatch(syntax.span, "this reference's type is not known");
  expr->type = types_.pointer_to(referee);
  return dereference(load(std::move(expr)), syntax.span);
}

Result<ExprPtr> Binder::member_of_this(const Syntax& syntax) {
  for (const Variable& local : scope_.locals()) {
    if (local.name != "this" || local.type == nullptr || pointee(local.type) == nullptr) continue;
    if (find_member(pointee(local.type), syntax.text).empty()) break;
    NOHALT_TRY(ExprPtr self, variable(syntax, local));
    NOHALT_TRY(ExprPtr object, dereference(load(std::move(self)), syntax.span));
    return select(std::move(object), syntax, syntax.text);
  }
  return ExprPtr();
}

ExprPtr Binder::enumerator(const Syntax& syntax, const Type* hint) {
  std::string_view last = syntax.text;
  const Type* type = hint;
  if (const auto colon = last.rfind("::"); colon != last.npos) {
    const std::string_view qualifier = last.substr(0, colon);
    last.remove_prefix(colon + 2);
    if (const Type* named = scope_.find_type(qualifier)) type = named;
  }
  if (type == nullptr || strip_typedefs(type)->kind != TypeKind::kEnum) return nullptr;
  for (const symbols::Enumerator& candidate : strip_typedefs(type)->enumerators) {
    if (candidate.name != last) continue;
    auto expr = make(ExprKind::kInteger, syntax.span, type);
    expr->integer = fit_integer(static_cast<std::uint64_t>(candidate.value), type);
    return expr;
  }
  return nullptr;
}

std::unexpected<Error> Binder::unknown_name(const Syntax& syntax) const {
  std::vector<std::string> known;
  for (const Variable& local : scope_.locals()) {
    if (local.is_nameless) {
      collect_members(local.type, known, 0);
      continue;
    }
    known.push_back(local.name);
    const bool self = local.name == "this" && local.type != nullptr;
    if (self && pointee(local.type) != nullptr) collect_members(pointee(local.type), known, 0);
  }
  return fail_at(source_, syntax.span, "unknown-name",
                 "there is no variable '" + syntax.text + "' here",
                 did_you_mean(near_names(syntax.text, known)));
}

Result<ExprPtr> Binder::member(const Syntax& syntax) {
  NOHALT_TRY(ExprPtr object, any(*syntax.operands[0]));
  const Span operator_span{syntax.mark.begin - (syntax.kind == SyntaxKind::kArrow ? 2U : 1U),
                           syntax.mark.begin};
  const bool points = is_pointer(object->type);
  const std::string type = type_name(object->type);
  if (syntax.kind == SyntaxKind::kArrow) {
    const bool array = strip_typedefs(object->type)->kind == TypeKind::kArray;
    if (!points && !array) {
      return fail_at(source_, operator_span, "not-a-pointer", "'" + type + "' is not a pointer",
                     is_record(object->type) ? "Use . instead of ->." : "");
    }
    NOHALT_TRY(object, dereference(decay(load(std::move(object))), operator_span));
  } else if (points && pointee(object->type) != nullptr && is_record(pointee(object->type))) {
    return fail_at(source_, operator_span, "not-a-record", "'" + type + "' is a pointer",
                   "Use -> instead of '.'.");
  }
  return select(std::move(object), syntax, syntax.text);
}

Result<ExprPtr> Binder::select(ExprPtr object, const Syntax& syntax, const std::string& name) {
  const Type* record = object->type;
  if (!is_record(record) || !object->is_place()) {
    return fail_at(source_, syntax.mark, "not-a-record",
                   "'" + type_name(record) + "' has no members");
  }
  const auto path = find_member(record, name);
  if (path.empty()) {
    if (strip_typedefs(record)->is_declaration) {
      return fail_at(source_, syntax.mark, "incomplete-type",
                     "the members of '" + type_name(record) + "' are not known in this program");
    }
    std::vector<std::string> known;
    collect_members(record, known, 0);
    return fail_at(source_, syntax.mark, "no-such-member",
                   "'" + type_name(record) + "' has no member '" + name + "'",
                   did_you_mean(near_names(name, known)));
  }
  for (const Member* step : path) {
    if (step->is_static) return static_member(record, syntax);
    if (step->is_virtual_base) {
      return fail_at(source_, syntax.mark, "virtual-base",
                     "members of virtual base classes cannot be read yet");
    }
    if (step->type == nullptr) {
      return fail_at(source_, syntax.mark, "unsupported-type", "this member's type is not known");
    }
    const auto& variants = strip_typedefs(object->type)->discriminated;
    if (variants != nullptr && !variants->is_known) {
      return fail_at(source_, syntax.mark, "variant-member",
                     "nothing says when '" + type_name(record) + "' is '" + step->name + "'",
                     "Show the whole value.");
    }
    auto outer = make(ExprKind::kMember, syntax.span, step->type);
    outer->member = step;
    outer->operands.push_back(std::move(object));
    object = std::move(outer);
  }
  if (strip_typedefs(object->type)->kind != TypeKind::kReference) return object;
  const Type* referee = pointee(object->type);
  if (referee == nullptr) return mismatch(syntax.mark, "this reference's type is not known");
  object->type = types_.pointer_to(referee);
  return dereference(load(std::move(object)), syntax.mark);
}

Result<ExprPtr> Binder::static_member(const Type* record, const Syntax& syntax) {
  NOHALT_TRY(const auto global,
             scope_.find_global(strip_typedefs(record)->name + "::" + syntax.text));
  if (global) return variable(syntax, *global);
  return fail_at(source_, syntax.mark, "unavailable-here",
                 "the static member '" + syntax.text + "' has no place in this program");
}

namespace {

// True where the pointer comes out of a union in which something that is no
// pointer lies over it: following it would make a pointer of any number.
bool is_from_mixed_union(const Expr& pointer) {
  if (pointer.kind == ExprKind::kConvert || pointer.kind == ExprKind::kOffset) {
    return is_from_mixed_union(pointer.operand());
  }
  if (pointer.kind != ExprKind::kLoad) return false;
  const Expr* place = &pointer.operand();
  for (; place->kind == ExprKind::kMember || place->kind == ExprKind::kElement;
       place = &place->operand()) {
    if (place->kind != ExprKind::kMember) continue;
    const Type* record = strip_typedefs(place->operand().type);
    if (record->kind != TypeKind::kUnion || record->discriminated != nullptr) continue;
    for (const Member& member : record->members) {
      if (member.type != nullptr && !is_pointer(member.type)) return true;
    }
  }
  return false;
}

}  // namespace

Result<ExprPtr> Binder::dereference(ExprPtr pointer, Span mark) {
  if (!is_pointer(pointer->type)) {
    return fail_at(source_, mark, "not-a-pointer",
                   "'" + type_name(pointer->type) + "' is not a pointer");
  }
  const Type* target = pointee(pointer->type);
  const Type* real = target == nullptr ? nullptr : strip_typedefs(target);
  if (real == nullptr || real->kind == TypeKind::kVoid) {
    return mismatch(mark, "what a 'void *' points to has no type",
                    "Give it one with a cast, as in ((struct thing *)p)->member.");
  }
  if (real->kind == TypeKind::kFunction) return mismatch(mark, "a function has no value to read");
  if (is_from_mixed_union(*pointer) && !options_.allow_raw) {
    return needs_raw(mark, "this pointer shares its bytes in a union with something that is none");
  }
  // Deref of an address is the place itself.
  if (pointer->kind == ExprKind::kAddress && pointer->operand().type == target) {
    return std::move(pointer->operands[0]);
  }
  if (pointer->kind == ExprKind::kAddress && pointee(pointer->operand().type) == target &&
      strip_typedefs(pointer->operand().type)->kind == TypeKind::kArray) {
    return element(std::move(pointer->operands[0]),
                   make(ExprKind::kInteger, mark, types_.integer(8, true)), mark);
  }
  auto expr = make(ExprKind::kDereference, pointer->span, target);
  expr->operands.push_back(std::move(pointer));
  return expr;
}

Result<ExprPtr> Binder::address_of(const Syntax& syntax) {
  NOHALT_TRY(ExprPtr place, any(*syntax.operands[0]));
  if (!place->is_place()) return mismatch(syntax.mark, "this has no address");
  if (place->kind == ExprKind::kMember && place->member->bit_offset) {
    return mismatch(syntax.mark, "a bitfield has no address");
  }
  return address(std::move(place), syntax.span);
}

ExprPtr Binder::address(ExprPtr place, Span span) {
  if (place->kind == ExprKind::kDereference) return std::move(place->operands[0]);
  auto expr = make(ExprKind::kAddress, span, types_.pointer_to(place->type));
  expr->operands.push_back(std::move(place));
  return expr;
}

}  // namespace nohalt::language
