// A part is found by the way to it: an element of an array of characters, what lies where a
// pointer to characters leads, moved or cast, or a member of a union that has text as well.
#include "src/session/slices.h"

#include <algorithm>
#include <utility>

#include "src/output/redact.h"
#include "src/session/shown_value.h"

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

bool leads_to_characters(const Type* type) {
  const Type* to = language::pointee(type);
  return to != nullptr && language::text_unit(to) != 0;
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

bool is_over_characters(const Expr& expr) {
  if (expr.kind != ExprKind::kMember || has_characters(expr.type)) return false;
  const Type* outer = strip_typedefs(expr.operand().type);
  return outer->kind == symbols::TypeKind::kUnion && outer->discriminated == nullptr &&
         has_characters(outer);
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

class Finder {
 public:
  explicit Finder(const BoundExpression& value) : value_(value) {}

  void visit(const Expr& expr) {
    if (expr.kind == ExprKind::kElement && leads_to_characters(expr.operand().type))
      add(load_of(expr.operand()));
    if (is_over_characters(expr)) add(load_of(expr.operand()));
    if (expr.kind == ExprKind::kDereference || is_pointer_step(expr)) behind(expr.operand());
    for (const auto& operand : expr.operands) visit(*operand);
  }

  [[nodiscard]] std::vector<language::BoundPtr> take() { return std::move(found_); }

 private:
  void behind(const Expr& pointer) {
    const bool is_moved = pointer.kind == ExprKind::kLoad || pointer.kind == ExprKind::kConvert;
    if (is_moved && leads_to_characters(pointer.type)) add(copy_of(pointer));
    if (pointer.kind == ExprKind::kAddress && leads_to_characters(pointer.operand().type))
      add(load_of(pointer.operand()));
  }

  void add(ExprPtr root) {
    auto text = std::make_shared<BoundExpression>();
    text->name = value_.name;
    text->source = value_.source;
    text->types = value_.types;
    text->root = std::move(root);
    found_.push_back(std::move(text));
  }

  const BoundExpression& value_;
  std::vector<language::BoundPtr> found_;
};

// A list of characters that is cut may hold anything.
bool is_seen_whole(const values::Value& text) {
  if (text.kind == values::Value::Kind::kPointer)
    return !text.target.empty() && text.target[0].kind == values::Value::Kind::kText;
  if (text.kind == values::Value::Kind::kText) return true;
  return text.is_there() && text.state == values::ValueState::kExact;
}

void hide(values::Value& value, std::string why) {
  values::Value hidden;
  hidden.type = value.type;
  hidden.state = values::ValueState::kRedacted;
  hidden.why = std::move(why);
  hidden.rule = "part";
  value = std::move(hidden);
}

}  // namespace

std::vector<Slice> slices_of(const std::vector<language::BoundPtr>& values) {
  std::vector<Slice> slices;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Finder finder(*values[i]);
    finder.visit(*values[i]->root);
    for (language::BoundPtr& text : finder.take()) {
      const std::size_t from_last = values.size() - 1 - i;
      const auto known = std::ranges::find_if(
          slices, [&](const Slice& one) { return is_same(*one.text->root, *text->root); });
      if (known == slices.end())
        slices.push_back({{from_last}, std::move(text)});
      else
        known->from_last.push_back(from_last);
    }
  }
  return slices;
}

void hide_slices(const std::vector<Slice>& slices, std::vector<values::NamedValue>& values,
                 const policy::ValueRules& rules) {
  if (slices.empty()) return;
  const std::size_t asked = values.size() - slices.size();
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const values::NamedValue& text = values[asked + i];
    const bool is_whole = is_seen_whole(text.value);
    if (is_whole && !output::is_hidden(shown_value(text, false), rules)) continue;
    for (const std::size_t from_last : slices[i].from_last)
      if (values::Value& part = values[asked - 1 - from_last].value; part.is_there())
        hide(part, is_whole ? "it is a part of a text that a rule hides"
                            : "the text that it is a part of cannot be seen whole");
  }
  values.resize(asked);
}

void hide_overlaid(values::Value& value, const policy::ValueRules& rules) {
  for (auto& [name, member] : value.members) hide_overlaid(member, rules);
  for (values::Value& item : value.items) hide_overlaid(item, rules);
  for (values::Value& target : value.target) hide_overlaid(target, rules);
  if (!value.is_union || value.members.size() < 2) return;
  const auto is_known = [&](const auto& member) {
    return output::is_hidden(shown_value({"", member.second}, false), rules);
  };
  if (std::ranges::any_of(value.members, is_known))
    hide(value, "a rule hides one of its members, which share their bytes");
}

}  // namespace nohalt::session
