// Values by the evaluator, over nodes by the reader.
#include "probes/records/values/decode.h"

#include <cstring>

#include "probes/records/values/evaluator.h"

namespace nohalt::values {

std::vector<NamedValue> decode(const capture::CaptureLayout& layout,
                               std::span<const std::byte> body, const HitFacts& facts) {
  std::vector<NamedValue> values;
  const bool whole = body.size() == layout.record_size;
  for (const language::BoundPtr& expression : layout.values) {
    NodeReader reader(whole ? body : std::span<const std::byte>(), layout.max_items);
    Evaluator evaluator(layout, reader, facts);
    values.push_back({expression->name, evaluator.value(*expression->root)});
  }
  return values;
}

Value value_of(const capture::CaptureLayout& layout, std::span<const std::byte> body,
               const language::Expr& expr) {
  NodeReader reader(body.size() == layout.record_size ? body : std::span<const std::byte>(),
                    layout.max_items);
  return Evaluator(layout, reader, {}).value(expr);
}

std::optional<std::span<const std::byte>> bytes_of(const capture::CaptureLayout& layout,
                                                   std::span<const std::byte> body,
                                                   const language::Expr& value) {
  const auto found = layout.node_of.find(&value);
  if (found == layout.node_of.end() || body.size() != layout.record_size) return std::nullopt;
  return NodeReader(body, layout.max_items).whole_bytes(layout.nodes[found->second]);
}

std::optional<HitStack> stack_of(const capture::CaptureLayout& layout,
                                 std::span<const std::byte> body) {
  if (!layout.stack || body.size() != layout.record_size) return std::nullopt;
  const capture::StackLayout& at = *layout.stack;
  HitStack stack;
  std::uint32_t length = 0;
  std::memcpy(&stack.registers, body.data() + at.registers, sizeof stack.registers);
  std::memcpy(&length, body.data() + at.length, sizeof length);
  if (length > at.size) return std::nullopt;
  stack.registers.orig_rax = stack.registers.cs = stack.registers.eflags = stack.registers.ss = 0;
  stack.bytes = body.subspan(at.data, length);
  return stack;
}

}  // namespace nohalt::values
