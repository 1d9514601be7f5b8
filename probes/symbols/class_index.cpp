// A class that several units define is one class; two that are alike only in name, in
// unnamed namespaces or of different sizes, are nobody's answer.
#include "probes/symbols/class_index.h"

#include <algorithm>

#include "probes/symbols/die.h"
#include "probes/symbols/name_index.h"
#include "probes/symbols/vtable_pointer.h"

namespace nohalt::symbols {

namespace {

constexpr std::size_t kMostHeirs = 256;
constexpr std::string_view kUnnamed = "(anonymous namespace)";

bool derives_from(const Type& type, const Type& base) {
  return std::ranges::any_of(type.members, [&](const Member& member) {
    return member.is_base_class && strip_typedefs(member.type)->name == base.name;
  });
}

std::optional<Dwarf_Die> base_of(Dwarf_Die inheritance) {
  std::optional<Dwarf_Die> base = referenced(inheritance, DW_AT_type);
  for (int hops = 0; base && hops < kMaxHops; ++hops) {
    const int tag = dwarf_tag(&*base);
    if (tag != DW_TAG_typedef && tag != DW_TAG_const_type) break;
    base = referenced(*base, DW_AT_type);
  }
  return base;
}

}  // namespace

bool has_vtable_pointer(const Type* type, int depth) {
  const Type* real = type == nullptr ? nullptr : strip_typedefs(type);
  if (real == nullptr || real->kind != TypeKind::kStruct || depth > kMaxDepth) return false;
  return std::ranges::any_of(real->members, [&](const Member& member) {
    // GCC only declares a base whose vtable is in another file.
    if (member.is_base_class)
      return member.is_virtual_base || strip_typedefs(member.type)->is_declaration ||
             has_vtable_pointer(member.type, depth + 1);
    return !member.is_static && member.name.starts_with("_vptr");
  });
}

void ClassIndex::build() {
  is_built_ = true;
  for (const std::unique_ptr<Unit>& unit : units_.all())
    if (!unit->is_c && !unit->is_rust) walk(unit->die, 0);
}

void ClassIndex::walk(Dwarf_Die parent, int depth) {
  if (depth > kMaxDepth) return;
  for_each_child(parent, [&](Dwarf_Die die) {
    const int tag = dwarf_tag(&die);
    const bool is_class = tag == DW_TAG_structure_type || tag == DW_TAG_class_type;
    if (is_class) add(die);
    if (is_class || tag == DW_TAG_namespace) walk(die, depth + 1);
    return true;
  });
}

void ClassIndex::add(Dwarf_Die die) {
  if (die_name(die) == nullptr || flag(die, DW_AT_declaration)) return;
  for_each_child(die, [&](Dwarf_Die child) {
    if (dwarf_tag(&child) != DW_TAG_inheritance) return true;
    const std::optional<Dwarf_Die> base = base_of(child);
    const char* name = base ? die_name(*base) : nullptr;
    if (name != nullptr) by_base_[std::string(base_name(name))].push_back(die);
    return true;
  });
}

void ClassIndex::join(Namesake& known, Dwarf_Die die) {
  Unit* unit = units_.of(die);
  if (known.unit == nullptr) {
    known = {types_.read(die), unit, false};
  } else {
    const bool is_other = known.unit != unit && known.type->name.contains(kUnnamed);
    const int size = dwarf_bytesize(&die);
    const bool is_alike = size > 0 && known.type->byte_size == static_cast<std::uint64_t>(size);
    known.is_ambiguous |= is_other || !is_alike;
  }
}

std::vector<const Type*> ClassIndex::with_heirs(const Type* type) {
  if (!is_built_) build();
  std::vector<const Type*> found = {strip_typedefs(type)};
  for (std::size_t i = 0; i < found.size() && found.size() < kMostHeirs; ++i) {
    const auto is_known = [&](const std::string& name) {
      return std::ranges::any_of(found, [&](const Type* other) { return other->name == name; });
    };
    const auto candidates = by_base_.find(base_name(found[i]->name));
    std::map<std::string, Namesake> by_name;
    if (candidates != by_base_.end())
      for (const Dwarf_Die die : candidates->second) join(by_name[units_.qualified_name(die)], die);
    for (const auto& [name, heir] : by_name) {
      const bool is_heir = !heir.is_ambiguous && derives_from(*heir.type, *found[i]);
      if (is_heir && !is_known(name)) found.push_back(heir.type);
    }
    for (const Type* heir : types_.known_heirs(*found[i]))
      if (!is_known(heir->name)) found.push_back(heir);
  }
  return found;
}

}  // namespace nohalt::symbols
