// A record's body back into values. The body is hostile: every offset comes
// from the layout, every length and status in it is checked, and what does not
// add up is unavailable.
//
// Threading: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "probes/capture/layout.h"
#include "probes/language/binder.h"
#include "probes/records/values/value.h"
#include "probes/runtime/layout.h"

namespace nohalt::values {

// What the record's header says, for $pid and $tid.
struct HitFacts {
  std::int64_t pid = 0;
  std::int64_t tid = 0;
};

// What a record holds for unwinding.
struct HitStack {
  runtime::SavedRegisters registers{};  // those that a hit does not set are 0
  std::span<const std::byte> bytes;     // from capture::kBelowStack below rsp upward
};

// Nothing where the layout has no stack, or the body does not add up.
[[nodiscard]] std::optional<HitStack> stack_of(const capture::CaptureLayout& layout,
                                               std::span<const std::byte> body);

// One value for each of layout.values, in order. A body of another size than
// the layout's gives values that are all unavailable.
[[nodiscard]] std::vector<NamedValue> decode(const capture::CaptureLayout& layout,
                                             std::span<const std::byte> body,
                                             const HitFacts& facts);

// One expression over what the record holds of it: for a part of one of layout.values.
[[nodiscard]] Value value_of(const capture::CaptureLayout& layout, std::span<const std::byte> body,
                             const language::Expr& expr);

// The captured bytes of a value that has no computing in it; nothing where some are missing.
[[nodiscard]] std::optional<std::span<const std::byte>> bytes_of(
    const capture::CaptureLayout& layout, std::span<const std::byte> body,
    const language::Expr& value);

// The message: values[i] belongs to template.values[i].
[[nodiscard]] std::string render(const language::BoundTemplate& message,
                                 std::span<const NamedValue> values);

}  // namespace nohalt::values
