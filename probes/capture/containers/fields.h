// Finding the members of a library's class by name, wherever in its bases they are.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "probes/symbols/types.h"

namespace nohalt::capture::containers {

struct Field {
  std::uint64_t at = 0;                 // from the first byte of the object that was searched
  const symbols::Type* type = nullptr;  // typedefs stripped
  const symbols::Member* member = nullptr;
};

// The member at the end of the path: each step is looked for in the members, the bases
// and the unnamed members of the last.
[[nodiscard]] std::optional<Field> find_field(const symbols::Type* type,
                                              std::initializer_list<std::string_view> path);
// The same where the member has the shape that is expected, and lies within `type`.
[[nodiscard]] std::optional<Field> find_pointer(const symbols::Type* type,
                                                std::initializer_list<std::string_view> path);
[[nodiscard]] std::optional<Field> find_word(const symbols::Type* type,
                                             std::initializer_list<std::string_view> path);

// A class template of the standard library, by the name it has in the source.
struct LibraryName {
  enum class Library { kNone, kGnu, kLlvm };
  Library library = Library::kNone;
  std::string_view name;  // "vector"
};
[[nodiscard]] LibraryName library_name(std::string_view qualified);

// The type whose bytes have that size, or null: what can be an item.
[[nodiscard]] const symbols::Type* sized(const symbols::Type* type);

}  // namespace nohalt::capture::containers
