// Values as the bytes that they are: arrays and containers of bytes, and texts.
//
// Threading: pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "probes/capture/layout.h"
#include "probes/language/bound.h"
#include "probes/records/values/value.h"

namespace nohalt::values {

// Whether a value of the type, or what it points to, has bytes to show: the binder does not
// know containers.
[[nodiscard]] bool is_of_bytes(const symbols::Type* type);

struct ValueBytes {
  std::string bytes;
  bool is_cut = false;  // there are more of them
};
// Of an array all that were captured, of a text its characters without the null. Nothing:
// some are missing. `value` is what was decoded of `root`.
[[nodiscard]] std::optional<ValueBytes> bytes_shown(const Value& value, const language::Expr& root,
                                                    const capture::CaptureLayout& layout,
                                                    std::span<const std::byte> body);

// Two lower-case digits for each byte, as a text in the value's place.
[[nodiscard]] Value as_hex(const Value& value, const ValueBytes& bytes);

}  // namespace nohalt::values
