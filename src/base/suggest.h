// The name that was probably meant by a misspelt one.
// Threading: pure function.
#pragma once

#include <span>
#include <string_view>

namespace nohalt {

// The candidate nearest to `written` in edits (insert, delete, replace, swap
// of neighbours), if it is near enough to be worth naming; otherwise empty. A
// candidate that begins with `written` is near.
[[nodiscard]] std::string_view nearest(std::string_view written,
                                       std::span<const std::string_view> candidates);

}  // namespace nohalt
