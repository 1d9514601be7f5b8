// Values by the evaluator, over nodes by the reader.
#include "probes/records/values/decode.h"

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

}  // namespace nohalt::values
