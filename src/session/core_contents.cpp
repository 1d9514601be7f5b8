// The hit's own values are in its record, those of callers are decoded from the stack
// once more; both are asked where each byte that they show was.
#include "src/session/core_contents.h"

#include <cstring>

#include "probes/capture/spot.h"
#include "probes/records/values/placed.h"
#include "probes/stacks/locals/bytes.h"
#include "src/output/redact.h"
#include "src/session/object_names.h"
#include "src/session/shown_value.h"

namespace nohalt::session {

namespace {

using language::Expr;
using language::ExprKind;
using locals::Disclosure;
using symbols::Location;

// Of an object its members are judged by themselves.
values::IsShown shown_by(const CoreContents& hit, const capture::Redaction& redaction) {
  return [&](const values::Value& value) {
    if (value.vtable_pointer != 0) return !why_object_hidden(value, *hit.vtables, redaction);
    return !output::is_hidden(shown_value({"", value}, false), *hit.value_rules);
  };
}

class Gatherer {
 public:
  Gatherer(const CoreContents& hit, const StackOfHit& stack)
      : hit_(hit),
        stack_(stack),
        told_(stack.unwound, stack.captured, stack.memory),
        is_shown_(shown_by(hit, stack.rules.redaction)) {}

  void add_hit() {
    for (std::size_t i = 0; i < hit_.layout->values.size(); ++i) {
      if (hit_.left_out.contains(i)) continue;
      const language::BoundPtr& expression = hit_.layout->values[i];
      const auto found = hit_.layout->node_of.find(expression->root.get());
      if (found == hit_.layout->node_of.end() || expression->root->kind != ExprKind::kLoad)
        continue;
      const capture::Node& node = hit_.layout->nodes[found->second];
      add_place(node, expression->root->operand());
    }
  }

  void add_frames() {
    for (std::size_t i = 0; i < stack_.unwound.frames.size(); ++i) {
      for (const ScopeFrame& function : stack_.functions_of(stack_.unwound.frames[i]))
        for (const ScopeValue& value : function.values) {
          hide(value.variable, i);
          if (i > 0 || value.variable.at_entry) add_variable(value.variable, i);
        }
    }
    for (const RuntimeRange& range : stack_.hidden) told_.hide(range);
  }

  void take(CoreContents& contents) const {
    contents.registers = told_.registers();
    contents.vectors = told_.vectors();
    contents.memory = told_.memory();
  }

 private:
  void hide(const symbols::Variable& variable, std::size_t frame) {
    const auto hidden =
        locals::hidden_registers(std::span(&variable, 1), stack_.unwound.frames[frame],
                                 stack_.rules.redaction, stack_.memory);
    for (const locals::HiddenRegister& one : hidden) told_.hide(one, frame);
  }

  void add_variable(const symbols::Variable& variable, std::size_t frame) {
    const locals::ValueRecord record =
        locals::record_of(variable, stack_.unwound.frames[frame], stack_.memory, stack_.rules);
    const Location& location = record.is_entry_value ? *variable.at_entry : variable.location;
    const auto placed = values::place(record.node, told_.address_of(location, frame), record.body,
                                      stack_.rules.limits.items, is_shown_);
    told_.tell(
        location, frame, placed,
        record.is_entry_value ? Disclosure::Registers::kAtEntry : Disclosure::Registers::kOwn);
  }

  // The pointers on the way to the place are told with it, where they are variables.
  void add_place(const capture::Node& node, const Expr& place) {
    const capture::Spot spot = capture::flatten(place);
    const auto placed =
        values::place(node, address_of(spot), hit_.body, hit_.layout->max_items, is_shown_);
    const bool is_whole = spot.variable != nullptr && spot.offset == 0 && spot.bit_size == 0;
    static const Location kElsewhere = symbols::Unavailable{};
    const bool is_there = is_whole || (spot.variable != nullptr && address_of(spot));
    told_.tell(is_there ? spot.variable->location : kElsewhere, 0, placed);
    if (!placed.empty() && spot.pointer != nullptr) add_pointer(*spot.pointer);
  }

  void add_pointer(const Expr& pointer) {
    const symbols::Variable* variable = pointer_variable(pointer);
    if (variable == nullptr) return;
    const auto bytes =
        locals::bytes_of(variable->location, 8, stack_.unwound.frames[0], stack_.memory);
    if (!bytes.holes.empty()) return;
    const values::Placed word{
        told_.address_of(variable->location, 0), bytes.data, {{0, bytes.data.size()}}, {}};
    told_.tell(variable->location, 0, {word});
  }

  // Of the pointer that is simply a variable's value.
  static const symbols::Variable* pointer_variable(const Expr& pointer) {
    if (pointer.kind != ExprKind::kLoad || pointer.operand().kind != ExprKind::kVariable)
      return nullptr;
    return pointer.operand().variable.get();
  }

  std::optional<RuntimeAddress> address_of(const capture::Spot& spot) const {
    if (!spot.indexes.empty()) return std::nullopt;
    std::optional<RuntimeAddress> base;
    if (spot.variable != nullptr) base = told_.address_of(spot.variable->location, 0);
    if (spot.pointer != nullptr) {
      const symbols::Variable* variable = pointer_variable(*spot.pointer);
      if (variable == nullptr) return std::nullopt;
      const auto bytes =
          locals::bytes_of(variable->location, 8, stack_.unwound.frames[0], stack_.memory);
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data.data(), sizeof word);
      if (bytes.holes.empty()) base = RuntimeAddress{word};
    }
    return base ? std::optional(*base + spot.offset) : std::nullopt;
  }

  const CoreContents& hit_;
  const StackOfHit& stack_;
  Disclosure told_;
  values::IsShown is_shown_;
};

}  // namespace

void gather(CoreContents& contents, const StackOfHit& stack) {
  Gatherer gatherer(contents, stack);
  gatherer.add_hit();
  gatherer.add_frames();
  gatherer.take(contents);
}

}  // namespace nohalt::session
