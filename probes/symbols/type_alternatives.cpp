// Structs with a variant part: what Rust makes of an enum with data. rustc writes a
// struct whose only child is the part, with one member in each variant; the
// discriminant may be a number of its own, or bytes of a field that has values to spare
// (a null box, 0x110000 as a char), which then say one variant each and stand for the
// field's own variant otherwise. What is written in another way is left unknown.
//
// Source: DWARF 5, section 5.7.10.
#include <algorithm>

#include "probes/symbols/type_reader.h"

namespace nohalt::symbols {

const Member* active_member(const Type& type, std::uint64_t discriminant) {
  if (type.discriminated == nullptr || !type.discriminated->is_known) return nullptr;
  const std::vector<Alternative>& alternatives = type.discriminated->alternatives;
  if (alternatives.size() != type.members.size()) return nullptr;
  const Member* otherwise = nullptr;
  for (std::size_t i = 0; i < alternatives.size(); ++i) {
    if (std::ranges::count(alternatives[i].values, discriminant) > 0) return &type.members[i];
    if (alternatives[i].is_default) otherwise = &type.members[i];
  }
  return otherwise;
}

void TypeReader::fill_alternatives(Entry& entry, Dwarf_Die part) {
  Type& type = entry.type;
  auto found = std::make_shared<Discriminated>();
  found->is_known = type.members.empty() && type.discriminated == nullptr;
  std::uint64_t bits = 0;
  if (const std::optional<Dwarf_Die> die = referenced(part, DW_AT_discr)) {
    found->discriminant = member_of(*die);
    std::optional<Dwarf_Die> of = referenced(*die, DW_AT_type);
    const int size = of ? dwarf_bytesize(&*of) : 0;
    bits = size > 0 ? static_cast<std::uint64_t>(size) * 8 : 0;
    found->is_known &= bits > 0 && bits <= 64 && !found->discriminant->bit_offset;
  }
  std::size_t defaults = 0;
  for_each_child(part, [&](Dwarf_Die variant) {
    if (dwarf_tag(&variant) != DW_TAG_variant) return true;
    Alternative alternative;
    alternative.is_default = !own_attribute(variant, DW_AT_discr_value).has_value();
    defaults += alternative.is_default ? 1 : 0;
    if (!alternative.is_default) {
      const auto value = unsigned_attribute(variant, DW_AT_discr_value);
      found->is_known &= value.has_value();
      alternative.values = {value.value_or(0) &
                            (bits < 64 ? (std::uint64_t{1} << bits) - 1 : ~std::uint64_t{0})};
    }
    found->is_known &= !own_attribute(variant, DW_AT_discr_list);
    const std::size_t before = type.members.size();
    for_each_child(variant, [&](Dwarf_Die child) {
      fill_member(entry, child);
      return true;
    });
    found->is_known &= type.members.size() == before + 1;
    if (type.members.size() > before) found->alternatives.push_back(std::move(alternative));
    return true;
  });
  found->is_known &= defaults <= 1 && found->alternatives.size() == type.members.size();
  found->is_known &= found->discriminant || type.members.size() <= 1;
  type.kind = TypeKind::kUnion;
  type.discriminated = std::move(found);
}

}  // namespace nohalt::symbols
