#include "probes/capture/numbers.h"

#include <algorithm>
#include <set>
#include <utility>

#include "probes/capture/containers/recognise.h"
#include "probes/language/binder_impl.h"

namespace nohalt::capture {

using language::Expr;
using language::ExprKind;
using symbols::strip_typedefs;
using symbols::Type;
using symbols::TypeKind;

namespace {

bool is_typed_place(const Expr& place);

// Of an array, from further in, and no further than its end.
bool is_slice(const Expr& pointer) {
  const Expr& first = pointer.operand();
  if (first.kind != ExprKind::kConvert || first.operand().kind != ExprKind::kAddress) return false;
  const Expr& array = first.operand().operand();
  const Type* whole = strip_typedefs(array.type);
  const Type* to = language::pointee(pointer.type);
  const Type* part = to == nullptr ? nullptr : strip_typedefs(to);
  const bool is_of_array = part != nullptr && whole->kind == TypeKind::kArray &&
                           part->kind == TypeKind::kArray && whole->target != nullptr &&
                           part->target == whole->target;
  if (!is_of_array) return false;
  const std::uint64_t size =
      whole->element_count.value_or(0) * strip_typedefs(whole->target)->byte_size;
  return part->byte_size <= size && pointer.integer <= size - part->byte_size &&
         is_typed_place(array);
}

// An address that leads to what its type says.
bool is_typed_pointer(const Expr& pointer) {
  switch (pointer.kind) {
    case ExprKind::kLoad:
    case ExprKind::kAddress:
      return is_typed_place(pointer.operand());
    case ExprKind::kConvert: {
      const Type* to = language::pointee(pointer.type);
      const Type* from = language::pointee(pointer.operand().type);
      return to != nullptr && from != nullptr && strip_typedefs(to) == strip_typedefs(from) &&
             is_typed_pointer(pointer.operand());
    }
    case ExprKind::kOffset:
      return is_slice(pointer);
    default:
      return false;
  }
}

bool is_inside_array(const Expr& element) {
  const auto count = strip_typedefs(element.operand().type)->element_count;
  if (!count) return false;
  const auto index = language::constant_integer(element.operand(1));
  return index ? *index < *count : reads_numbers(element.operand(1));
}

// Members of what has many items, or characters, tell how many.
bool tells_lengths(const Type* type) {
  if (containers::recognise_text(type)) return true;
  const auto container = containers::recognise(type);
  return container != nullptr && containers::has_many(container->kind);
}

bool is_typed_place(const Expr& place) {
  switch (place.kind) {
    case ExprKind::kVariable:
      return true;
    case ExprKind::kMember:
      return !tells_lengths(place.operand().type) && is_typed_place(place.operand());
    case ExprKind::kElement:
      return is_inside_array(place) && is_typed_place(place.operand());
    case ExprKind::kDereference:
      return is_typed_pointer(place.operand());
    default:
      return false;
  }
}

// Types that contain themselves are asked once.
class Search {
 public:
  bool find(const Type* type, Standing standing) {
    if (!has_parts(type)) return is_number(type, standing);
    const Type* real = strip_typedefs(type);
    if (containers::recognise_text(real) || !asked_.emplace(real, standing).second) return false;
    if (real->kind == TypeKind::kArray)
      return real->target != nullptr && find(real->target, Standing::kInRow);
    if (const auto container = containers::recognise(real)) return find(*container, standing);
    return std::ranges::any_of(real->members, [&](const symbols::Member& member) {
      return !member.is_static && member.type != nullptr && find(member.type, standing);
    });
  }

 private:
  bool find(const containers::Container& container, Standing standing) {
    if (container.kind == Items::Kind::kPointer) return false;
    if (containers::has_many(container.kind)) standing = Standing::kInRow;
    if (container.item != nullptr) return find(container.item, standing);
    if (const auto* tree = std::get_if<containers::BTree>(&container.way))
      return find(tree->key, standing) || (tree->value != nullptr && find(tree->value, standing));
    const auto* choice = std::get_if<containers::Choice>(&container.way);
    return choice == nullptr || std::ranges::any_of(choice->alternatives, [&](const Type* type) {
             return find(type, standing);
           });
  }

  std::set<std::pair<const Type*, Standing>> asked_;
};

}  // namespace

bool has_numbers(const Type* type, Standing standing) { return Search().find(type, standing); }

bool lies_in_row(const Expr& place) {
  if (place.kind == ExprKind::kElement) return true;
  return place.kind == ExprKind::kMember && lies_in_row(place.operand());
}

bool is_number(const Type* type, Standing standing) {
  if (language::text_unit(type) != 0) return false;
  const Type* real = strip_typedefs(type);
  switch (real->kind) {
    case TypeKind::kBool:
    case TypeKind::kFloat:
      return true;
    case TypeKind::kInteger:
      return real->byte_size > 1;
    case TypeKind::kEnum:
      return real->byte_size > 1 || (standing == Standing::kAlone && !real->enumerators.empty());
    default:
      return false;
  }
}

bool has_parts(const Type* type) {
  const Type* real = strip_typedefs(type);
  return real->kind == TypeKind::kArray || language::is_record(real);
}

bool reads_numbers(const Expr& value) {
  const auto all_operands = [&] {
    return std::ranges::all_of(value.operands,
                               [](const auto& operand) { return reads_numbers(*operand); });
  };
  switch (value.kind) {
    case ExprKind::kInteger:
    case ExprKind::kFloating:
    case ExprKind::kText:
    case ExprKind::kHitPid:
    case ExprKind::kHitTid:
      return true;
    case ExprKind::kLoad: {
      const bool in_row = lies_in_row(value.operand());
      const bool fits = has_parts(value.type) ||
                        is_number(value.type, in_row ? Standing::kInRow : Standing::kAlone);
      return fits && is_typed_place(value.operand());
    }
    case ExprKind::kConvert:
      return !language::is_pointer(value.type) && all_operands();
    case ExprKind::kNegate:
    case ExprKind::kNot:
    case ExprKind::kComplement:
    case ExprKind::kBinary:
    case ExprKind::kConditional:
      return all_operands();
    default:
      return false;
  }
}

}  // namespace nohalt::capture
