// Parses one expression: a C subset without calls, assignments or side effects.
//
// A parenthesised plain name followed by the start of an operand, as in
// `(size_t) n`, is a cast; before + - * & it is an operand, as in `(a) - b`.
#pragma once

#include "probes/language/lexer.h"
#include "probes/language/syntax.h"

namespace nohalt::language {

// Bounds on one expression, so that hostile input costs little.
inline constexpr std::size_t kMaxSourceBytes = 16 * 1024;
inline constexpr int kMaxNesting = 64;
inline constexpr int kMaxNodes = 512;

struct ParsedPart {
  SyntaxPtr root;
  std::uint32_t end = 0;  // where the first byte after the expression (and blanks) is
};

// The expression that is all of source.text.
[[nodiscard]] Result<SyntaxPtr> parse_expression(const Source& source);

// The expression that starts at `begin` and goes as far as it goes.
[[nodiscard]] Result<ParsedPart> parse_expression_at(const Source& source, std::uint32_t begin);

}  // namespace nohalt::language
