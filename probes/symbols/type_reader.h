// Turns type DIEs into Types, on demand: a type is built with everything that it
// reaches, once, and never changes afterwards. Internal.
#pragma once

#include <elfutils/libdw.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "probes/symbols/name_index.h"
#include "probes/symbols/types.h"
#include "probes/symbols/units.h"

namespace nohalt::symbols {

class TypeReader {
 public:
  // `names` is asked for the index only where a declaration must be completed.
  TypeReader(const Units& units, std::function<const NameIndex&()> names);

  [[nodiscard]] const Type* void_type() const { return void_; }
  // The type a DIE describes.
  [[nodiscard]] const Type* read(Dwarf_Die die);
  // The type that the DIE's DW_AT_type names; void where it names none.
  [[nodiscard]] const Type* type_of(Dwarf_Die die);
  // By name as C or C++ spells it; `unit` is looked in first. Null: none.
  [[nodiscard]] const Type* find(std::string_view name, Unit* unit);
  // Classes that are known without being described: those of the library that derive from
  // this one.
  [[nodiscard]] std::vector<const Type*> known_heirs(const Type& type);

 private:
  enum class State : std::uint8_t { kNew, kVisiting, kDone };

  // What naming needs beyond the Type itself.
  struct Entry {
    Type type;
    Dwarf_Die die{};
    std::string own_name;  // as the DIE says, qualified; empty when unnamed
    std::string prefix;    // "struct ", or the mark of a pointer, or the qualifier
    std::vector<const Type*> parameter_types;  // of a function type
    bool has_more_parameters = false;
    bool is_named_pointer = false;  // Rust names its pointers: "&u32"
    bool is_rust = false;           // of an array type: how it is spelled
    State state = State::kNew;
  };

  [[nodiscard]] Entry* entry_of(Dwarf_Die die);
  [[nodiscard]] Entry* entry_at(Dwarf_Die die, unsigned attribute);
  [[nodiscard]] Dwarf_Die completed(Dwarf_Die die);
  Entry& make(Dwarf_Die die, TypeKind kind);
  void settle();
  void fill(Entry& entry);
  void fill_base(Entry& entry);
  void fill_compound(Entry& entry);
  void fill_alternatives(Entry& entry, Dwarf_Die part);
  void fill_member(Entry& entry, Dwarf_Die die);
  void fill_template_types(Entry& entry, Dwarf_Die die);
  [[nodiscard]] Member member_of(Dwarf_Die die);
  void fill_enum(Entry& entry);
  void fill_array(Entry& entry);
  void fill_function(Entry& entry);
  void break_cycles(Entry& entry, int depth);
  void finish_sizes_and_names();
  [[nodiscard]] std::uint64_t size_of(const Type* type, int depth) const;
  [[nodiscard]] std::string spell(const Type* type, const std::string& inner, int depth) const;
  [[nodiscard]] const Type* find_plain(std::string_view name, Unit* unit);
  [[nodiscard]] const Type* pointer_to(const Type* target);
  // known_classes.cpp
  void complete_known(Type& type, std::string_view name);
  [[nodiscard]] const Type* known_class(std::string_view name);

  const Units& units_;
  std::function<const NameIndex&()> names_;
  std::deque<Entry> entries_;
  std::unordered_map<const void*, Entry*> by_die_;
  std::unordered_map<const Type*, Entry*> by_type_;
  std::vector<Entry*> unfilled_;
  std::vector<Entry*> fresh_;  // filled, not yet checked and named
  std::unordered_map<const Type*, const Type*> pointers_;
  std::map<std::string, const Type*, std::less<>> known_classes_;
  const Type* void_ = nullptr;
  const Type* plain_char_ = nullptr;
  const Type* unknown_ = nullptr;
};

}  // namespace nohalt::symbols
