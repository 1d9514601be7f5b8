// Numbers as the kernel writes them into its text files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nohalt::inline_pages {

// The number that the text begins with, after blanks; none for words such as "max".
[[nodiscard]] std::optional<std::uint64_t> to_number(std::string_view text, int base = 10);

[[nodiscard]] std::optional<std::uint64_t> number_in(const std::string& path);

}  // namespace nohalt::inline_pages
