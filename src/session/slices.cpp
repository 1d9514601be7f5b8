// A part is found by the way to it: an element of an array of characters, or what lies
// where a pointer to characters leads, moved or cast.
#include "src/session/slices.h"

#include <utility>

#include "src/output/redact.h"
#include "src/session/shown_value.h"

namespace nohalt::session {

namespace {

using language::BoundExpression;
using language::Expr;
using language::ExprKind;
using language::ExprPtr;

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

bool leads_to_characters(const Expr& expr) {
  const language::Type* to = language::pointee(expr.type);
  return to != nullptr && language::text_unit(to) != 0;
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
    const bool is_element = expr.kind == ExprKind::kElement && leads_to_characters(expr.operand());
    if (is_element) add(expr.operand());
    const bool is_moved = expr.kind == ExprKind::kDereference || is_pointer_step(expr);
    if (is_moved && expr.operand().kind == ExprKind::kLoad && leads_to_characters(expr.operand()))
      add(expr.operand().operand());
    for (const auto& operand : expr.operands) visit(*operand);
  }

  [[nodiscard]] std::vector<language::BoundPtr> take() { return std::move(found_); }

 private:
  void add(const Expr& place) {
    auto text = std::make_shared<BoundExpression>();
    text->name = value_.name;
    text->source = value_.source;
    text->types = value_.types;
    text->root = std::make_unique<Expr>();
    text->root->kind = ExprKind::kLoad;
    text->root->span = place.span;
    text->root->type = place.type;
    text->root->operands.push_back(copy_of(place));
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

void hide(values::Value& value, std::string why, std::string rule) {
  values::Value hidden;
  hidden.type = value.type;
  hidden.state = values::ValueState::kRedacted;
  hidden.why = std::move(why);
  hidden.rule = std::move(rule);
  value = std::move(hidden);
}

}  // namespace

std::vector<language::BoundPtr> texts_behind(const BoundExpression& value) {
  Finder finder(value);
  finder.visit(*value.root);
  return finder.take();
}

void hide_slices(const std::vector<Slice>& slices, std::vector<values::NamedValue>& values,
                 const policy::ValueRules& rules) {
  if (slices.empty()) return;
  const std::size_t asked = values.size() - slices.size();
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const values::NamedValue& text = values[asked + i];
    values::Value& part = values[asked - 1 - slices[i].from_last].value;
    if (!part.is_there()) continue;
    if (!is_seen_whole(text.value))
      hide(part, "the text that it is a part of cannot be seen whole", "part");
    else if (output::is_hidden(shown_value(text, false), rules))
      hide(part, "it is a part of a text that a rule hides", "part");
  }
  values.resize(asked);
}

}  // namespace nohalt::session
