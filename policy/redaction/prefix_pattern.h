// From a pattern to one that matches every beginning of what it matches, so that a
// text which was cut off can be asked: could what comes next have made a match?
//
// For a sequence e1 e2 ... the beginnings are those of e1, or e1 followed by those
// of the rest; a repetition e{m,n} gives e{0,n-1} and a beginning of e; what has no
// width gives nothing. RE2's syntax (re2/doc/syntax.txt) is read by itself, because
// RE2 keeps its own tree of it to itself.
//
// Threading: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nohalt::policy {

// Matches a little more than every beginning where a pattern looks around itself
// (\b, $). Absent: the pattern uses what is not read here.
[[nodiscard]] std::optional<std::string> prefix_pattern(std::string_view pattern);
// Matches each single character that a match may have in it, and perhaps more. Absent: as
// above.
[[nodiscard]] std::optional<std::string> character_pattern(std::string_view pattern);

}  // namespace nohalt::policy
