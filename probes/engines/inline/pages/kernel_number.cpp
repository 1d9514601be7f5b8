#include "probes/engines/inline/pages/kernel_number.h"

#include <charconv>

#include "src/base/file.h"

namespace nohalt::inline_pages {

std::optional<std::uint64_t> to_number(std::string_view text, int base) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  text.remove_prefix(begin);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> number_in(const std::string& path) {
  const auto text = read_file(path);
  return text ? to_number(*text) : std::nullopt;
}

}  // namespace nohalt::inline_pages
