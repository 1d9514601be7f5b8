// A part is found by the way to it: an element of an array of characters, what lies where a
// pointer to characters leads, moved or cast, or a member of a union that has text or
// other numbers as well.
#include "src/session/slices.h"

#include <algorithm>
#include <utility>

#include "probes/language/binder_impl.h"

namespace nohalt::session {

namespace {

using language::BoundExpression;
using language::Expr;
using language::ExprKind;
using language::ExprPtr;
using language::Type;
using symbols::strip_typedefs;

ExprPtr copy_of(const Expr& expr) {
  auto copy = std::make_unique<Expr>();
  copy->kind = expr.kind;
  copy->span = expr.span;
  copy->type = expr.type;
  copy->variable = expr.variable;
  copy->member = expr.member;
  copy->integer = expr.integer;
  copy->floating = expr.floating;
  copy->text = expr.text;
  copy->op = expr.op;
  for (const auto& operand : expr.operands) copy->operands.push_back(copy_of(*operand));
  return copy;
}

// Pointers that an expression makes are types of its own.
bool is_same(const Type* a, const Type* b) {
  return a == b ||
         (a != nullptr && b != nullptr && language::type_name(a) == language::type_name(b));
}

// In one scope.
bool is_same(const symbols::Variable* a, const symbols::Variable* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->name == b->name && is_same(a->type, b->type) && a->declared_file == b->declared_file &&
         a->declared_line == b->declared_line && a->scope_depth == b->scope_depth;
}

bool is_same(const Expr& a, const Expr& b) {
  return a.kind == b.kind && is_same(a.type, b.type) &&
         is_same(a.variable.get(), b.variable.get()) && a.member == b.member &&
         a.integer == b.integer && a.op == b.op && a.text == b.text &&
         std::ranges::equal(a.operands, b.operands,
                            [](const auto& x, const auto& y) { return is_same(*x, *y); });
}

// std::byte and its like.
bool is_byte(const Type* type) {
  const Type* real = strip_typedefs(type);
  return real->kind == symbols::TypeKind::kEnum && real->byte_size == 1;
}

bool leads_to_characters(const Type* type) {
  const Type* to = language::pointee(type);
  return to != nullptr && (language::text_unit(to) != 0 || is_byte(to));
}

constexpr int kMostSteps = 32;  // what is further in is malformed, or too deep to be shown

// In its own bytes.
bool has_characters(const Type* type, int steps = 0) {
  if (type == nullptr || steps > kMostSteps) return false;
  const Type* real = strip_typedefs(type);
  if (real->kind == symbols::TypeKind::kArray)
    return leads_to_characters(real) || has_characters(real->target, steps + 1);
  return std::ranges::any_of(real->members, [steps](const symbols::Member& member) {
    return !member.is_static && has_characters(member.type, steps + 1);
  });
}

bool has_numbers(const Type* type, int steps = 0) {
  if (type == nullptr || steps > kMostSteps) return false;
  const Type* real = strip_typedefs(type);
  if (real->kind == symbols::TypeKind::kArray) return has_numbers(real->target, steps + 1);
  if (language::is_arithmetic(real)) return real->byte_size > 1;
  return std::ranges::any_of(real->members, [steps](const symbols::Member& member) {
    return !member.is_static && has_numbers(member.type, steps + 1);
  });
}

// The union that it is a member of, beside others.
const Type* union_around(const Expr& expr) {
  if (expr.kind != ExprKind::kMember) return nullptr;
  const Type* outer = strip_typedefs(expr.operand().type);
  const bool is_one = outer->kind == symbols::TypeKind::kUnion && outer->discriminated == nullptr;
  return is_one ? outer : nullptr;
}

bool is_over_characters(const Expr& expr) {
  const Type* outer = union_around(expr);
  return outer != nullptr && !has_characters(expr.type) && has_characters(outer);
}

bool is_over_numbers(const Expr& expr) {
  const Type* outer = union_around(expr);
  return outer != nullptr &&
         std::ranges::any_of(outer->members, [&expr](const symbols::Member& member) {
           return &member != expr.member && has_numbers(member.type);
         });
}

ExprPtr load_of(const Expr& place) {
  auto load = std::make_unique<Expr>();
  load->kind = ExprKind::kLoad;
  load->span = place.span;
  load->type = place.type;
  load->operands.push_back(copy_of(place));
  return load;
}

bool is_pointer_step(const Expr& expr) {
  return language::is_pointer(expr.type) &&
         (expr.kind == ExprKind::kConvert || expr.kind == ExprKind::kOffset ||
          expr.kind == ExprKind::kAdvance);
}

// As much as is captured of one value, and of a text whose end nobody knows what is looked
// at: behind the part, where it is known, as much as tells that nothing begins there.
constexpr std::uint64_t kMostBytes = 4096;
constexpr std::uint64_t kBytesBehind = 64;
constexpr std::uint64_t kBytesOfUnknown = 256;

class Finder {
 public:
  // Whether what a text begins with, or has in it, is a part of it.
  enum class Tests { kAreParts, kAreWhole };
  Finder(const BoundExpression& value, Tests tests) : value_(value), tests_(tests) {}

  void visit(const Expr& expr) {
    if (expr.kind == ExprKind::kElement) {
      if (leads_to_characters(expr.operand().type)) element(expr);
      add_numbers(expr.operand(1));
    }
    if (expr.kind == ExprKind::kConditional && language::is_pointer(expr.type))
      add_numbers(expr.operand(0));
    const bool is_part = tests_ == Tests::kAreParts && is_over_numbers(expr);
    if (is_part || is_over_characters(expr)) add(load_of(expr.operand()), {});
    if (tests_ == Tests::kAreParts && language::is_text_test(expr))
      add(copy_of(expr.operand()), {});
    if (expr.kind == ExprKind::kDereference || is_pointer_step(expr)) return behind(expr);
    for (const auto& operand : expr.operands) visit(*operand);
  }

  [[nodiscard]] std::vector<Slice> take() { return std::move(found_); }

 private:
  static std::uint64_t size_of(const Type* type) {
    return std::max<std::uint64_t>(strip_typedefs(type)->byte_size, 1);
  }

  void element(const Expr& expr) {
    Part part{.size = size_of(expr.type)};
    move(part, expr.operand(1), part.size);
    add_array(expr.operand(), std::move(part));
  }

  // What a pointer leads to, or the text that begins there, from each place on the way
  // where the pointer is one to characters.
  void behind(const Expr& expr) {
    Part part{.size = expr.kind == ExprKind::kDereference ? size_of(expr.type) : 1};
    const Expr* from = &expr;
    do {
      pass(part, *from);
      from = &from->operand();
      const bool is_kept = from->kind == ExprKind::kLoad || from->kind == ExprKind::kConvert;
      if (is_kept && leads_to_characters(from->type)) add_behind(*from, part);
      if (from->kind == ExprKind::kAddress && leads_to_characters(from->operand().type))
        add_array(from->operand(), part);
      if (from->kind == ExprKind::kAddress) add_numbers(*from);
    } while (is_pointer_step(*from));
    visit(*from);
  }

  void pass(Part& part, const Expr& step) {
    if (step.kind == ExprKind::kOffset) part.begin += step.integer;
    if (step.kind == ExprKind::kConvert && language::is_arithmetic(step.operand().type))
      add_numbers(step.operand());
    if (step.kind != ExprKind::kAdvance) return;
    move(part, step.operand(1), size_of(language::pointee(step.type)));
    add_numbers(step.operand(1));
    visit(step.operand(1));
  }

  // What an index is made of, or bytes are shown of: which element it is tells of it.
  void add_numbers(const Expr& index) {
    if (tests_ != Tests::kAreParts) return;
    if (index.kind == ExprKind::kLoad && language::is_arithmetic(index.type)) {
      add(copy_of(index), {});
      found_.back().is_number = true;
      return;
    }
    if (index.kind == ExprKind::kAddress) return add_numbers(*load_of(index.operand()));
    for (const auto& operand : index.operands) add_numbers(*operand);
  }

  void move(Part& part, const Expr& number, std::uint64_t stride) {
    if (const auto constant = language::constant_integer(number)) {
      part.begin += *constant * stride;
      return;
    }
    // Moved twice: it may be anywhere.
    if (part.index != nullptr) part.size = Part::kAnySize;
    part.index = bound(copy_of(number));
    part.stride = stride;
  }

  void add_array(const Expr& array, Part part) {
    const Type* real = strip_typedefs(array.type);
    const std::uint64_t whole = real->element_count.value_or(0) * size_of(real->target);
    const bool is_inside = whole > 0 && (part.index != nullptr || part.begin + part.size <= whole);
    if (is_inside) return add(load_of(array), std::move(part));
    add_bytes(load_of(array), std::move(part));
  }

  // A character of a text is one of those before its null. Bytes have none.
  void add_behind(const Expr& pointer, Part part) {
    const Type* item = language::pointee(pointer.type);
    const bool is_text = language::text_unit(item) > 1 || language::is_signed(item);
    if (is_text && part.size <= size_of(item)) return add(copy_of(pointer), std::move(part));
    Expr place;
    place.kind = ExprKind::kDereference;
    place.span = pointer.span;
    place.type = pointer.type;
    place.operands.push_back(copy_of(pointer));
    add_bytes(load_of(place), std::move(part));
  }

  // Of what has no known end no more is looked at than the part needs. `load` is of what
  // it begins with, and has the type of an array of such or of a pointer to them.
  void add_bytes(ExprPtr load, Part part) {
    const Type* item = language::pointee(load->type);
    const std::uint64_t wanted = (part.begin + part.size + kBytesBehind + 63) / 64 * 64;
    const std::uint64_t room = part.index != nullptr
                                   ? kBytesOfUnknown
                                   : std::min(std::max(wanted, kBytesBehind), kMostBytes);
    load->type = value_.types->array_of(item, room / size_of(item));
    load->operands[0]->type = load->type;
    add(std::move(load), std::move(part), true);
  }

  language::BoundPtr bound(ExprPtr root) const {
    auto beside = std::make_shared<BoundExpression>();
    beside->name = value_.name;
    beside->source = value_.source;
    beside->types = value_.types;
    beside->root = std::move(root);
    return beside;
  }

  void add(ExprPtr text, Part part, bool may_go_on = false) {
    found_.push_back({{std::move(part)}, bound(std::move(text)), may_go_on});
  }

  const BoundExpression& value_;
  Tests tests_;
  std::vector<Slice> found_;
};

}  // namespace

std::size_t parts_in(const Expr& expr) {
  BoundExpression alone;
  alone.types = std::make_shared<language::TypeStore>();
  Finder finder(alone, Finder::Tests::kAreWhole);
  finder.visit(expr);
  return finder.take().size();
}

std::vector<Slice> slices_of(const std::vector<language::BoundPtr>& values) {
  std::vector<Slice> slices;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Finder finder(*values[i], Finder::Tests::kAreParts);
    finder.visit(*values[i]->root);
    for (Slice& found : finder.take()) {
      Part& part = found.parts[0];
      part.from_last = values.size() - 1 - i;
      const auto known = std::ranges::find_if(
          slices, [&](const Slice& one) { return is_same(*one.text->root, *found.text->root); });
      if (known == slices.end())
        slices.push_back(std::move(found));
      else
        known->parts.push_back(std::move(part));
    }
  }
  return slices;
}

std::vector<language::BoundPtr> beside(const std::vector<Slice>& slices) {
  std::vector<language::BoundPtr> all;
  for (const Slice& slice : slices) {
    all.push_back(slice.text);
    for (const Part& part : slice.parts)
      if (part.index != nullptr) all.push_back(part.index);
  }
  return all;
}

}  // namespace nohalt::session
