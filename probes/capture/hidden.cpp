// A step is judged by its path and type; an expression by all of its steps, and by what
// shares its bytes.
#include "probes/capture/hidden.h"

#include <algorithm>

#include "probes/capture/containers/erased.h"
#include "probes/capture/numbers.h"
#include "probes/capture/shape.h"
#include "probes/capture/spot.h"
#include "probes/language/binder_impl.h"

namespace nohalt::capture {

using symbols::strip_typedefs;

namespace {

// Where the place lies over a redacted sibling in a union on its path.
std::optional<Why> why_hidden_by_sibling(const Expr& place, const Redaction& redaction) {
  std::uint64_t begin = 0;
  std::uint64_t size = strip_typedefs(place.type)->byte_size;
  bool exact = true;
  for (const Expr* step = &place;
       step->kind == ExprKind::kMember || step->kind == ExprKind::kElement;
       step = &step->operand()) {
    if (step->kind == ExprKind::kElement) {
      const auto constant = language::constant_integer(step->operand(1));
      exact = exact && constant;
      if (constant) begin += *constant * strip_typedefs(step->type)->byte_size;
      continue;
    }
    begin += step->member->bit_offset ? *step->member->bit_offset / 8 : step->member->byte_offset;
    const Type* outer = strip_typedefs(step->operand().type);
    if (outer->kind != TypeKind::kUnion) continue;
    const auto steps = path_steps(step->operand());
    const ShapeRules rules{redaction, outer->byte_size, 0, false};
    for (const Hole& hole : shape_of(outer, steps.empty() ? "" : steps.back().path, rules).holes) {
      if (!exact || (hole.begin < begin + std::max<std::uint64_t>(size, 1) && begin < hole.end)) {
        return hole.why;
      }
    }
  }
  return std::nullopt;
}

// Bytes in which libstdc++ keeps an object of the type that their own type names: of a node
// of a list or tree, of what make_shared made, of what a future waits for.
bool is_storage(const Type& type) {
  const std::string_view name = type.name;
  return type.template_types.size() == 1 && (name.starts_with("__gnu_cxx::__aligned_membuf<") ||
                                             name.starts_with("__gnu_cxx::__aligned_buffer<"));
}

// Of bytes nobody can tell which are of a hidden member: they are hidden whole.
std::optional<Why> why_storage_hidden(const std::string& path, const Type* object,
                                      const Redaction& redaction) {
  if (auto why = why_step_hidden(path, object, redaction)) return why;
  const ShapeRules rules{redaction, strip_typedefs(object)->byte_size, 0, false};
  const Shape shape = shape_of(object, path, rules);
  return shape.holes.empty() ? std::nullopt : std::optional(shape.holes.front().why);
}

// In a place itself, or on the way to it.
bool reads_erased(const Expr& place) {
  if (place.kind == ExprKind::kMember && containers::is_erased(place.operand().type, *place.member))
    return true;
  const auto erased = containers::erased_bytes(place.type);
  return erased && erased->end == strip_typedefs(place.type)->byte_size;
}

// The same as why_hidden, but for what is no number.
std::optional<Why> why_ruled_out(const Expr& expr, const Redaction& redaction) {
  if (expr.kind == ExprKind::kVariable)
    if (auto why = why_hidden(*expr.variable, redaction)) return why;
  if (expr.is_place()) {
    auto steps = path_steps(expr);
    steps.push_back({steps.empty() ? "" : steps.back().path, expr.type});
    for (const PathStep& step : steps)
      if (auto why = why_step_hidden(step.path, step.type, redaction)) return why;
    if (redaction.rule && reads_erased(expr)) return kErased;
    if (auto why = why_hidden_by_sibling(expr, redaction)) return why;
  }
  for (const auto& operand : expr.operands)
    if (auto why = why_ruled_out(*operand, redaction)) return why;
  return std::nullopt;
}

}  // namespace

std::optional<Why> why_step_hidden(const std::string& path, const Type* type,
                                   const Redaction& redaction) {
  if (!redaction.rule) return std::nullopt;
  if (auto why = redaction.rule(path, *type)) return why;
  // Each alias on the way to the real type has a name that a rule may know.
  for (const Type* alias = type; alias->kind == TypeKind::kTypedef && alias->target != nullptr;) {
    alias = alias->target;
    if (auto why = redaction.rule(path, *alias)) return why;
  }
  const Type* real = strip_typedefs(type);
  return is_storage(*real) ? why_storage_hidden(path, real->template_types[0], redaction)
                           : std::nullopt;
}

std::optional<Why> why_hidden(const symbols::Variable& variable, const Redaction& redaction) {
  if (redaction.variable)
    if (auto why = redaction.variable(variable)) return why;
  return variable.type == nullptr ? std::nullopt
                                  : why_step_hidden(variable.name, variable.type, redaction);
}

std::optional<Why> why_hidden(const Expr& expr, const Redaction& redaction) {
  if (redaction.all_but_numbers && !reads_numbers(expr)) return redaction.all_but_numbers;
  return why_ruled_out(expr, redaction);
}

}  // namespace nohalt::capture
