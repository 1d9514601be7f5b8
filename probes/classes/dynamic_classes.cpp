// A class has one vtable symbol, under which lie a table for the object and one for each
// base that has a vtable pointer of its own. Each has, before its first function, to which
// vtable pointers point, two words: how far from that base back to the object's beginning
// (the offset to top), and the class's typeinfo (0 without RTTI). That is how the tables
// are found, in the process's memory, where the linker has filled them in: nothing else
// in there is a pointer to the typeinfo. So both are known before any hit: what a vtable
// pointer says the object is, and where it then begins.
//
// A base that is only reached by virtual inheritance is not looked for in its heirs: where
// it is in them differs from class to class, and debug information does not show it there.
//
// Source: Itanium C++ ABI, section 2.5.
#include "probes/classes/dynamic_classes.h"

#include <algorithm>
#include <array>

namespace nohalt::classes {

using capture::DynamicClass;
using symbols::Member;
using symbols::strip_typedefs;
using symbols::Type;
using Kind = symbols::VtableSymbol::Kind;

namespace {

constexpr std::uint64_t kLargestTable = 64 * 1024;
constexpr int kMaxNesting = 64;
constexpr std::size_t kMostBases = 16;
constexpr std::size_t kMostVtables = 32;  // of one class, with those that are shown as it
constexpr std::string_view kSingleBase = "__cxxabiv1::__si_class_type_info";

bool has_virtual_bases(const Type& type, int nesting = 0) {
  return nesting > kMaxNesting || std::ranges::any_of(type.members, [&](const Member& member) {
           return member.is_base_class &&
                  (member.is_virtual_base ||
                   has_virtual_bases(*strip_typedefs(member.type), nesting + 1));
         });
}

// Where in the object parts of that class are, but for those below virtual bases.
void find_parts(const Type& object, const Type& part, std::uint64_t at, int nesting,
                std::vector<std::uint64_t>& found) {
  if (object.name == part.name) found.push_back(at);
  if (nesting > kMaxNesting) return;
  for (const Member& member : object.members)
    if (member.is_base_class && !member.is_virtual_base)
      find_parts(*strip_typedefs(member.type), part, at + member.byte_offset, nesting + 1, found);
}

}  // namespace

std::vector<std::uint64_t> DynamicClasses::words_of(const Vtable& table) const {
  std::vector<std::uint64_t> words(std::min(table.range.size(), kLargestTable) / 8);
  if (!read_(table.range.begin, std::as_writable_bytes(std::span(words)))) return {};
  return words;
}

// What the class's table has for its typeinfo, 0 without RTTI. Where there is no symbol for
// it, the table of the object itself tells, which comes first unless there are virtual bases.
std::optional<std::uint64_t> DynamicClasses::typeinfo_of(
    const Type& heir, std::span<const std::uint64_t> words) const {
  if (const Vtable* typeinfo = vtables_.of_class(heir.name, Kind::kTypeinfo, home_))
    return typeinfo->range.begin.value;
  const bool begins_with_own = words.size() >= 2 && words[0] == 0 && !has_virtual_bases(heir);
  return begins_with_own ? std::optional(words[1]) : std::nullopt;
}

std::vector<DynamicClass::Vtable> DynamicClasses::pointers_of(const Type& heir,
                                                              const Type& type) const {
  const Vtable* table = vtables_.of_class(heir.name, Kind::kVtable, home_);
  if (table == nullptr) return {};
  const std::vector<std::uint64_t> words = words_of(*table);
  const std::optional<std::uint64_t> typeinfo = typeinfo_of(heir, words);
  std::vector<std::uint64_t> parts;
  find_parts(heir, type, 0, 0, parts);
  std::vector<DynamicClass::Vtable> pointers;
  for (std::size_t i = 0; typeinfo && i + 1 < words.size(); ++i) {
    const std::uint64_t distance = 0 - words[i];
    if (words[i + 1] == *typeinfo && std::ranges::count(parts, distance) != 0)
      pointers.push_back({table->range.begin.value + 8 * (i + 2), distance});
  }
  return pointers;
}

// The typeinfo of the class's only base; null: it has none, or several.
const Vtable* DynamicClasses::base_of(RuntimeAddress typeinfo) const {
  std::array<std::uint64_t, 3> words{};
  if (!read_(typeinfo, std::as_writable_bytes(std::span(words)))) return nullptr;
  const Vtable* kind = vtables_.at({words[0]});
  if (kind == nullptr || kind->symbol->class_name != kSingleBase) return nullptr;
  const Vtable* base = vtables_.beginning_at({words[2]});
  return base != nullptr && base->symbol->kind == Kind::kTypeinfo ? base : nullptr;
}

void DynamicClasses::find_lines() {
  are_lines_found_ = true;
  for (const Vtable& table : vtables_.all()) {
    std::array<std::uint64_t, 2> head{};
    const bool counts = table.symbol->kind == Kind::kVtable && table.range.size() > sizeof head;
    if (!counts || !read_(table.range.begin, std::as_writable_bytes(std::span(head)))) continue;
    Line line{&table};
    RuntimeAddress typeinfo{head[1]};
    while (head[0] == 0 && line.bases.size() < kMostBases) {
      const Vtable* base = base_of(typeinfo);
      if (base == nullptr) break;
      line.bases.push_back(base);
      typeinfo = base->range.begin;
    }
    if (!line.bases.empty()) lines_.push_back(std::move(line));
  }
}

// Objects of classes that only symbols know are shown as the nearest of their bases that
// is known, where that is nearer than the pointer's own class.
void DynamicClasses::add_undescribed(const Type& type, std::vector<DynamicClass>& classes) {
  if (classes.empty()) return;
  if (!are_lines_found_) find_lines();
  std::map<std::string, std::size_t> by_name;
  for (std::size_t i = 0; i < classes.size(); ++i)
    by_name.emplace(symbols::comparable_name(classes[i].type->name), i);
  for (const Line& line : lines_) {
    if (by_name.contains(line.vtable->symbol->class_name)) continue;
    for (const Vtable* base : line.bases) {
      const auto known = by_name.find(base->symbol->class_name);
      if (known == by_name.end()) continue;
      // Of that name, but the library's own.
      if (vtables_.of_class(known->first, Kind::kTypeinfo, home_) != base) break;
      std::vector<DynamicClass::Vtable>& vtables = classes[known->second].vtables;
      const bool is_nearer = classes[known->second].type->name != type.name;
      // Along a line of single bases every part begins where the object does.
      if (is_nearer && vtables.size() < kMostVtables && vtables.front().distance == 0)
        vtables.push_back({line.vtable->range.begin.value + 16, 0});
      break;
    }
  }
}

const std::vector<DynamicClass>& DynamicClasses::of(const Type* type) {
  const auto [known, is_new] = known_.try_emplace(strip_typedefs(type));
  if (!is_new) return known->second;
  for (const Type* heir : info_.with_heirs(type)) {
    if (heir->byte_size == 0 || heir->is_declaration) continue;
    auto pointers = pointers_of(*heir, *known->first);
    if (!pointers.empty()) known->second.push_back({heir, std::move(pointers)});
  }
  add_undescribed(*known->first, known->second);
  return known->second;
}

}  // namespace nohalt::classes
