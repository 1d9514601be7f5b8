// What single attributes and tags of type DIEs mean. Internal.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <optional>

#include "probes/symbols/types.h"

namespace nohalt::symbols {

// Base types come out as kInteger; base_kind() refines them.
[[nodiscard]] TypeKind kind_of_tag(int tag);

struct BaseKind {
  TypeKind kind = TypeKind::kUnknown;
  bool is_signed = false;
};
[[nodiscard]] BaseKind base_kind(std::uint64_t encoding);

[[nodiscard]] const char* qualifier_of(int tag);  // "const", ...; empty: none
[[nodiscard]] const char* pointer_mark(int tag);  // "*", "&", "&&"

[[nodiscard]] std::int64_t enumerator_value(Dwarf_Die die);
// The number of elements of a subrange, where it is constant.
[[nodiscard]] std::optional<std::uint64_t> dimension(Dwarf_Die die);
// Sets the member's offsets; its type's size must not be needed.
void place_member(Dwarf_Die die, Member& member);

}  // namespace nohalt::symbols
