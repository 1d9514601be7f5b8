#include "probes/symbols/die.h"

#include <algorithm>
#include <filesystem>

namespace nohalt::symbols {

namespace {

constexpr std::size_t kMaxRanges = 100'000;

}  // namespace

std::optional<Dwarf_Attribute> own_attribute(Dwarf_Die die, unsigned code) {
  Dwarf_Attribute found;
  if (dwarf_attr(&die, code, &found) == nullptr) return std::nullopt;
  return found;
}

std::optional<Dwarf_Attribute> attribute(Dwarf_Die die, unsigned code) {
  Dwarf_Attribute found;
  if (dwarf_attr_integrate(&die, code, &found) == nullptr) return std::nullopt;
  return found;
}

std::optional<Dwarf_Die> referenced(Dwarf_Die die, unsigned code) {
  std::optional<Dwarf_Attribute> reference = attribute(die, code);
  if (!reference) return std::nullopt;
  Dwarf_Die target;
  if (dwarf_formref_die(&*reference, &target) == nullptr) return std::nullopt;
  return target;
}

std::optional<std::uint64_t> unsigned_attribute(Dwarf_Die die, unsigned code) {
  std::optional<Dwarf_Attribute> found = attribute(die, code);
  Dwarf_Word value = 0;
  if (!found || dwarf_formudata(&*found, &value) != 0) return std::nullopt;
  return value;
}

std::optional<std::int64_t> signed_attribute(Dwarf_Die die, unsigned code) {
  std::optional<Dwarf_Attribute> found = attribute(die, code);
  Dwarf_Sword value = 0;
  if (!found || dwarf_formsdata(&*found, &value) != 0) return std::nullopt;
  return value;
}

bool flag(Dwarf_Die die, unsigned code) {
  std::optional<Dwarf_Attribute> found = attribute(die, code);
  bool value = false;
  return found && dwarf_formflag(&*found, &value) == 0 && value;
}

const char* die_name(Dwarf_Die die) {
  std::optional<Dwarf_Attribute> found = attribute(die, DW_AT_name);
  return found ? dwarf_formstring(&*found) : nullptr;
}

std::optional<Dwarf_Die> abstract_origin(Dwarf_Die die) {
  std::optional<Dwarf_Attribute> reference = own_attribute(die, DW_AT_abstract_origin);
  Dwarf_Die target;
  if (!reference || dwarf_formref_die(&*reference, &target) == nullptr) return std::nullopt;
  return target;
}

Dwarf_Die declaration_of(Dwarf_Die die) {
  for (int hop = 0; hop < kMaxHops; ++hop) {
    std::optional<Dwarf_Attribute> reference = own_attribute(die, DW_AT_abstract_origin);
    if (!reference) reference = own_attribute(die, DW_AT_specification);
    Dwarf_Die target;
    if (!reference || dwarf_formref_die(&*reference, &target) == nullptr) return die;
    die = target;
  }
  return die;
}

std::string source_path(Dwarf_Die die, const char* raw) {
  std::filesystem::path path(raw);
  Dwarf_Die unit;
  if (path.is_relative() && dwarf_diecu(&die, &unit, nullptr, nullptr) != nullptr) {
    std::optional<Dwarf_Attribute> folder = own_attribute(unit, DW_AT_comp_dir);
    if (const char* text = folder ? dwarf_formstring(&*folder) : nullptr)
      path = std::filesystem::path(text) / path;
  }
  return path.lexically_normal().string();
}

std::string declared_file(Dwarf_Die die) { return file_named(die, DW_AT_decl_file); }

std::string file_named(Dwarf_Die die, unsigned code) {
  std::optional<Dwarf_Attribute> found = attribute(die, code);
  Dwarf_Word index = 0;
  Dwarf_Die unit;
  Dwarf_Half version = 0;
  if (!found || dwarf_formudata(&*found, &index) != 0 ||
      dwarf_cu_die(found->cu, &unit, &version, nullptr, nullptr, nullptr, nullptr, nullptr) ==
          nullptr)
    return {};
  // Index 0 is no file up to DWARF 4, and the unit's own from DWARF 5 on.
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  if ((index == 0 && version < 5) || dwarf_getsrcfiles(&unit, &files, &count) != 0 ||
      index >= count)
    return {};
  const char* raw = dwarf_filesrc(files, index, nullptr, nullptr);
  return raw == nullptr ? std::string{} : source_path(unit, raw);
}

std::vector<LinkRange> code_ranges(Dwarf_Die die, const ElfImage& image) {
  std::vector<LinkRange> ranges;
  Dwarf_Addr base = 0;
  Dwarf_Addr begin = 0;
  Dwarf_Addr end = 0;
  std::ptrdiff_t offset = 0;
  for (std::size_t i = 0; i < kMaxRanges; ++i) {
    offset = dwarf_ranges(&die, offset, &base, &begin, &end);
    if (offset <= 0) break;
    const LinkRange range{{begin}, {end}};
    if (begin < end && image.is_executable(range)) ranges.push_back(range);
  }
  return ranges;
}

bool contains(const std::vector<LinkRange>& ranges, LinkAddress pc) {
  return std::ranges::any_of(ranges, [pc](const LinkRange& range) { return range.contains(pc); });
}

}  // namespace nohalt::symbols
