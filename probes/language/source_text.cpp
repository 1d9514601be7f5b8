// The caret stands under a column, so the text is shown with one column for
// each code point: control bytes and broken UTF-8 become '?'.
#include "probes/language/source_text.h"

#include <algorithm>

#include "src/base/escape.h"

namespace nohalt::language {

namespace {

// At most this many bytes of text are shown on either side of the place.
constexpr std::size_t kShownBefore = 60;
constexpr std::size_t kShownAfter = 60;

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

std::string printable(std::string_view text) {
  const auto escaped = escape_untrusted(text);
  if (escaped.text == text) return std::string(text);
  std::string shown(text);
  const bool keep_high = is_utf8(text);
  for (char& byte : shown) {
    const auto value = static_cast<unsigned char>(byte);
    if (value < 0x20 || value == 0x7f || (value >= 0x80 && !keep_high)) byte = '?';
  }
  // What is still not kept by the escaper is bidirectional or a separator.
  if (keep_high && escape_untrusted(shown).text.find("\\u{") != std::string::npos) {
    for (char& byte : shown) {
      if (static_cast<unsigned char>(byte) >= 0x80) byte = '?';
    }
  }
  return shown;
}

std::size_t columns(std::string_view shown) {
  return static_cast<std::size_t>(
      std::count_if(shown.begin(), shown.end(), [](char c) { return !is_continuation(c); }));
}

}  // namespace

std::unexpected<Error> fail_at(const Source& source, Span span, std::string reason,
                               const std::string& problem, std::string hint, ErrorCode code) {
  const std::string_view text = source.text;
  const std::size_t place = std::min<std::size_t>(span.begin, text.size());
  std::size_t first = place > kShownBefore ? place - kShownBefore : 0;
  while (first < place && is_continuation(text[first])) ++first;
  std::size_t last = std::min(text.size(), place + kShownAfter);
  while (last < text.size() && is_continuation(text[last])) ++last;

  const std::string before =
      (first > 0 ? "..." : "") + printable(text.substr(first, place - first));
  const std::string after =
      printable(text.substr(place, last - place)) + (last < text.size() ? "..." : "");
  return fail(code, std::move(reason),
              source.what + ": " + problem + "\n  " + before + after + "\n  " +
                  std::string(columns(before), ' ') + "^",
              std::move(hint));
}

}  // namespace nohalt::language
