// What one compilation unit says of its code: functions, the blocks and inlined
// copies inside them, and the names that enclose declarations. Read in one walk
// of the unit, when it is first asked for. Internal.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "probes/symbols/die.h"
#include "src/base/address.h"

namespace nohalt::symbols {

enum class ScopeKind : std::uint8_t { kFunction, kInlined, kBlock };

struct Scope {
  ScopeKind kind = ScopeKind::kBlock;
  Dwarf_Die die{};
  std::vector<LinkRange> ranges;
  std::size_t parent = 0;  // of the function itself: 0
  std::uint32_t depth = 0;
  bool declares_symbols = false;  // a block without any is no scope of its own to GDB
};

struct Function {
  std::vector<Scope> scopes;  // [0] is the function; a parent stands before its children

  [[nodiscard]] const Scope& self() const { return scopes.front(); }
  // The deepest scope that holds pc; 0 where none but the function does.
  [[nodiscard]] std::size_t innermost(LinkAddress pc) const;
  // The nearest scope, from `scope` outward, that is a function or inlined copy.
  [[nodiscard]] std::size_t enclosing_function(std::size_t scope) const;
  // The nearest scope outward that GDB would make a block of.
  [[nodiscard]] std::size_t enclosing_block(std::size_t scope) const;
  [[nodiscard]] LinkAddress entry() const;
  // The contiguous piece that holds pc.
  [[nodiscard]] LinkRange piece(LinkAddress pc) const;
};

// Where control enters a scope's code: DW_AT_entry_pc where it lies inside,
// else the beginning of its first range.
[[nodiscard]] LinkAddress entry_of(const Scope& scope);

class UnitCode {
 public:
  UnitCode(Dwarf_Die unit, const ElfImage& image, bool has_qualified_names);

  [[nodiscard]] const std::vector<Function>& functions() const { return functions_; }
  [[nodiscard]] const Function* function_at(LinkAddress pc) const;
  // True where any variable's location depends on pc (var-tracking was on).
  [[nodiscard]] bool has_location_lists() const { return has_location_lists_; }
  // "ns::Class::" before the name of a declaration; empty at the top.
  [[nodiscard]] const std::string& prefix_of(Dwarf_Die declaration) const;

 private:
  struct Place {
    std::size_t function = SIZE_MAX;
    std::size_t scope = 0;
    std::size_t prefix = 0;
    int depth = 0;
  };
  struct Piece {
    LinkRange range;
    std::size_t function;
  };

  void walk(Dwarf_Die parent, Place place);
  void visit(Dwarf_Die die, Place place);
  void visit_code(Dwarf_Die die, ScopeKind kind, Place place);
  void visit_symbol(Dwarf_Die die, const Place& place);
  [[nodiscard]] std::size_t enter_prefix(Dwarf_Die die, std::size_t prefix);
  void sort_pieces();

  const ElfImage& image_;
  bool has_qualified_names_;
  bool has_location_lists_ = false;
  std::vector<Function> functions_;
  std::vector<Piece> pieces_;
  std::vector<std::string> prefixes_;
  std::unordered_map<const void*, std::size_t> prefix_by_die_;
};

}  // namespace nohalt::symbols
