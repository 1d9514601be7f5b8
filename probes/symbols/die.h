// Small safe steps over libdw's debugging information entries (DIEs). Internal.
//
// DWARF is hostile input: libdw checks bounds, and these helpers add what keeps
// a walk finite: children are only followed forward in memory, references only
// a few hops, lists only so far.
#pragma once

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "probes/symbols/elf_image.h"
#include "src/base/address.h"

namespace nohalt::symbols {

inline constexpr int kMaxHops = 16;
inline constexpr int kMaxDepth = 128;

// The DIE's own attribute, or absent.
[[nodiscard]] std::optional<Dwarf_Attribute> own_attribute(Dwarf_Die die, unsigned code);
// The attribute here, or where abstract origin or specification lead.
[[nodiscard]] std::optional<Dwarf_Attribute> attribute(Dwarf_Die die, unsigned code);

[[nodiscard]] std::optional<Dwarf_Die> referenced(Dwarf_Die die, unsigned code);
[[nodiscard]] std::optional<std::uint64_t> unsigned_attribute(Dwarf_Die die, unsigned code);
[[nodiscard]] std::optional<std::int64_t> signed_attribute(Dwarf_Die die, unsigned code);
[[nodiscard]] bool flag(Dwarf_Die die, unsigned code);

// The name, through abstract origin and specification; null when unnamed.
[[nodiscard]] const char* die_name(Dwarf_Die die);
// Where abstract origin and specification end: the first declaration.
[[nodiscard]] Dwarf_Die declaration_of(Dwarf_Die die);
// The abstract instance, or absent.
[[nodiscard]] std::optional<Dwarf_Die> abstract_origin(Dwarf_Die die);

// A source file's name as libdw gives it, made absolute by the folder its unit
// was compiled in, and normalised.
[[nodiscard]] std::string source_path(Dwarf_Die die, const char* raw);
// The file that the attribute names by its number; empty: the DIE does not say.
[[nodiscard]] std::string file_named(Dwarf_Die die, unsigned code);
// The file that declares the DIE; empty: it does not say.
[[nodiscard]] std::string declared_file(Dwarf_Die die);

// The DIE's address ranges that lie in executable segments (code that the
// linker discarded is left at address 0 or at other places outside of them).
[[nodiscard]] std::vector<LinkRange> code_ranges(Dwarf_Die die, const ElfImage& image);

[[nodiscard]] bool contains(const std::vector<LinkRange>& ranges, LinkAddress pc);

// Calls visit(child) for each child; visit returns false to stop.
template <class Visit>
void for_each_child(Dwarf_Die parent, Visit&& visit) {
  Dwarf_Die child;
  if (dwarf_child(&parent, &child) != 0) return;
  for (;;) {
    if (!visit(child)) return;
    Dwarf_Die next;
    if (dwarf_siblingof(&child, &next) != 0) return;
    if (next.addr <= child.addr) return;
    child = next;
  }
}

}  // namespace nohalt::symbols
