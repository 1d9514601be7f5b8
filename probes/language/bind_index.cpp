// One of many: v[2], and some of many: v[2..5], as in Rust without the last.
#include <limits>

#include "probes/language/binder_impl.h"

namespace nohalt::language {

using symbols::strip_typedefs;

namespace {

bool is_array_place(const Expr& expr) {
  return expr.is_place() && strip_typedefs(expr.type)->kind == TypeKind::kArray;
}

}  // namespace

Result<ExprPtr> Binder::index(const Syntax& syntax) {
  NOHALT_TRY(ExprPtr object, any(*syntax.operands[0]));
  NOHALT_TRY(ExprPtr number, scalar(*syntax.operands[1]));
  if (!is_integral(number->type)) {
    return mismatch(syntax.operands[1]->span, "an index is an integer");
  }
  number = convert(promoted(std::move(number)), types_.integer(8, true));
  if (object->is_place() && strip_typedefs(object->type)->kind == TypeKind::kArray) {
    return element(std::move(object), std::move(number), syntax.operands[1]->span);
  }
  object = load(std::move(object));
  if (!is_pointer(object->type)) {
    return fail_at(source_, syntax.mark, "not-an-array",
                   "'" + type_name(object->type) + "' is not an array");
  }
  const auto constant = constant_integer(*number);
  if (constant == 0U) return dereference(std::move(object), syntax.mark);
  if (!options_.allow_raw) {
    return needs_raw(syntax.mark, "how far this pointer may be indexed is not known");
  }
  const Type* target = pointee(object->type);
  if (target == nullptr || strip_typedefs(target)->byte_size == 0) {
    return mismatch(syntax.mark, "the size of what this points to is not known");
  }
  auto moved = make(ExprKind::kAdvance, object->span, object->type);
  moved->operands.push_back(std::move(object));
  moved->operands.push_back(std::move(number));
  return dereference(std::move(moved), syntax.mark);
}

Result<ExprPtr> Binder::element(ExprPtr array, ExprPtr number, Span mark) {
  const Type* real = strip_typedefs(array->type);
  const Type* item = real->target;
  if (item == nullptr || strip_typedefs(item)->byte_size == 0) {
    return mismatch(mark, "the size of this array's elements is not known");
  }
  if (!real->element_count && !options_.allow_raw) {
    return needs_raw(mark, "the length of this array is not known");
  }
  const auto constant = constant_integer(*number);
  const bool outside = constant && real->element_count && *constant >= *real->element_count;
  if (outside && !options_.allow_raw) {
    return needs_raw(mark, "this index is outside the array, which has " +
                               std::to_string(*real->element_count) + " elements");
  }
  auto expr = make(ExprKind::kElement, array->span, item);
  expr->operands.push_back(std::move(array));
  expr->operands.push_back(std::move(number));
  return expr;
}

// An array by itself, that begins further in: what policy hides of the whole is hidden of it.
Result<ExprPtr> Binder::slice(const Syntax& syntax) {
  NOHALT_TRY(ExprPtr object, any(*syntax.operands[0]));
  NOHALT_TRY(const std::uint64_t begin, slice_end(*syntax.operands[1]));
  NOHALT_TRY(const std::uint64_t end, slice_end(*syntax.operands[2]));
  const Span ends{syntax.operands[1]->span.begin, syntax.operands[2]->span.end};
  if (end <= begin)
    return mismatch(ends, "nothing lies between these", "Write for example [0..4].");
  const bool is_array = is_array_place(*object);
  if (!is_array) object = load(std::move(object));
  const Type* item = is_array ? strip_typedefs(object->type)->target : pointee(object->type);
  if (!is_array && !is_pointer(object->type)) {
    return fail_at(
        source_, syntax.mark, "not-an-array", "'" + type_name(object->type) + "' is not an array",
        is_record(object->type) ? "Of a container the first 20 items are shown: {name}."
                                : "Only an array has parts that are named so: {items[1..3]}.");
  }
  const std::uint64_t size = item == nullptr ? 0 : strip_typedefs(item)->byte_size;
  if (size == 0) return mismatch(syntax.mark, "the size of its elements is not known");
  if (end > std::numeric_limits<std::int32_t>::max() / size)
    return mismatch(ends, "this is further than memory reaches");
  NOHALT_CHECK(check_slice(*object, begin, end, ends));
  const Type* part = types_.array_of(item, end - begin);
  if (is_array) object = address(std::move(object), syntax.span);
  auto first = make(ExprKind::kConvert, syntax.span, types_.pointer_to(part));
  first->operands.push_back(std::move(object));
  auto moved = make(ExprKind::kOffset, syntax.span, first->type);
  moved->integer = begin * size;
  moved->operands.push_back(std::move(first));
  auto place = make(ExprKind::kDereference, syntax.span, part);
  place->operands.push_back(std::move(moved));
  return place;
}

Result<std::uint64_t> Binder::slice_end(const Syntax& syntax) {
  NOHALT_TRY(const ExprPtr number, scalar(syntax));
  const auto constant = is_integral(number->type) ? constant_integer(*number) : std::nullopt;
  if (!constant)
    return mismatch(syntax.span, "this is no whole number", "Write for example [0..4].");
  return *constant;
}

Status Binder::check_slice(const Expr& object, std::uint64_t begin, std::uint64_t end,
                           Span ends) const {
  if (options_.allow_raw) return {};
  if (is_pointer(object.type)) {
    if (begin == 0 && end == 1) return {};
    return needs_raw(ends, "how far this pointer may be indexed is not known");
  }
  const auto count = strip_typedefs(object.type)->element_count;
  if (!count) return needs_raw(ends, "the length of this array is not known");
  if (end <= *count) return {};
  return needs_raw(ends,
                   "this goes beyond the array, which has " + std::to_string(*count) + " elements");
}

}  // namespace nohalt::language
