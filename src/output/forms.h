// Records in their two forms. Pure functions: what goes in has passed the value
// rules of redaction, what comes out is safe to show and ends in a newline.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "src/output/record.h"

namespace nohalt::output {

[[nodiscard]] std::string hit_json(const Origin& origin, const Hit& hit);
[[nodiscard]] std::string notice_json(const Origin& origin, const Notice& notice);
[[nodiscard]] std::string receipt_json(const Origin& origin, const Receipt& receipt);

// TIME thread[tid] function file:line  message  name=value
[[nodiscard]] std::string hit_text(const Hit& hit, bool colour);
[[nodiscard]] std::string notice_text(const Notice& notice, bool colour);
[[nodiscard]] std::string receipt_text(const Receipt& receipt);

// A snapshot as a debugger would show it: the place, then arguments and locals as
// trees, then the functions around and the stack.
struct SnapshotStyle {
  bool colour = false;
  bool types = false;  // each value with its type
};
// `json` is what hit_json gave, just now or long ago; a log record gives its line.
// Nothing: it is neither.
[[nodiscard]] std::optional<std::string> record_text(std::string_view json,
                                                     const SnapshotStyle& style);
// The frames of such a record, a line each; empty where it has none.
[[nodiscard]] std::string stack_text(std::string_view json, const SnapshotStyle& style);

}  // namespace nohalt::output
