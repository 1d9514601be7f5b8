// A message template: `text {expr} {expr:spec} {name=expr} {{ }}`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probes/language/syntax.h"

namespace nohalt::language {

// [[fill]align][sign][#][0][width][.precision][type], as in std::format, where the type
// may also be the word `hex`. The spec `len` is none: {v:len} is read as {len(v)}.
struct FormatSpec {
  Span span;
  std::string fill;        // one code point; empty: a blank
  char align = '\0';       // < > ^ or none
  char sign = '\0';        // + - blank or none
  bool alternate = false;  // #
  bool zero = false;
  std::uint32_t width = 0;  // at most 256
  std::int32_t precision = -1;
  char type = '\0';     // x X o b B d c s e E f F g G a A p or none
  bool is_hex = false;  // the bytes of an array, a container or a text, two digits each
};

struct TemplateField {
  std::string name;  // given with `name=`, otherwise the expression as written
  SyntaxPtr expression;
  FormatSpec spec;
};

// Text, then a field, then text, ...: texts.size() == fields.size() + 1.
struct MessageTemplate {
  Source source;
  std::vector<std::string> texts;
  std::vector<TemplateField> fields;
};

// Errors (all with a caret): open-brace, stray-brace, empty-braces,
// malformed-spec, and the parser's.
[[nodiscard]] Result<MessageTemplate> parse_template(std::string text,
                                                     std::string what = "template");

}  // namespace nohalt::language
