// A person's words and places in them: what a message points its caret at.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "src/base/result.h"

namespace nohalt::language {

// Byte offsets [begin, end) into the source text.
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  friend constexpr bool operator==(Span, Span) = default;
};

// The text that an expression or a template stands in, and what messages call
// it ("template", "condition", "expression").
struct Source {
  std::string what;
  std::string text;

  [[nodiscard]] std::string_view at(Span span) const {
    return std::string_view(text).substr(span.begin, span.end - span.begin);
  }
};

// `what: problem`, the text, and a caret under the first byte of the span.
// Always a kUsage error unless `code` says otherwise.
[[nodiscard]] std::unexpected<Error> fail_at(const Source& source, Span span, std::string reason,
                                             const std::string& problem, std::string hint = {},
                                             ErrorCode code = ErrorCode::kUsage);

}  // namespace nohalt::language
