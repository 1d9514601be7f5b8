// Making text that nohalt did not write safe to show: whatever a target, a file
// or a person supplied must not drive a terminal, split a line or reorder text.
//
// Source: Unicode TR36 (bidirectional controls), ECMA-48 (control functions).
#pragma once

#include <string>
#include <string_view>

namespace nohalt {

struct EscapedText {
  std::string text;
  bool was_valid_utf8 = true;  // false: some bytes were written as \xNN
};

// Control characters, line and paragraph separators and bidirectional controls
// become \n, \t, \xNN or \u{N}; a backslash becomes two. Bytes that are not
// UTF-8 become \xNN. Everything else is kept.
[[nodiscard]] EscapedText escape_untrusted(std::string_view bytes);

// As escape_untrusted, but a backslash stays one, so that text which is already
// safe comes out as it was. For messages that hold escaped parts; what comes
// out cannot be read back.
[[nodiscard]] std::string make_printable(std::string_view bytes);

// A JSON text whose strings show none of the characters above: they become
// \uNNNN, which a JSON reader takes back to what they were. The text must be
// valid JSON in UTF-8.
[[nodiscard]] std::string escape_in_json(std::string_view json);

// True where the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no
// overlong forms).
[[nodiscard]] bool is_utf8(std::string_view bytes);

}  // namespace nohalt
