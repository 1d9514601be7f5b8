// The variables in scope at a pc, and globals by name, with where they are. Internal.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "probes/symbols/call_frames.h"
#include "probes/symbols/debug_info.h"
#include "probes/symbols/name_index.h"
#include "probes/symbols/type_reader.h"
#include "probes/symbols/units.h"

namespace nohalt::symbols {

class Variables {
 public:
  Variables(const Units& units, const CallFrames& frames, TypeReader& types,
            std::function<const NameIndex&()> names, std::optional<std::uint64_t> thread_locals)
      : units_(units),
        frames_(frames),
        types_(types),
        names_(std::move(names)),
        thread_locals_(thread_locals) {}

  [[nodiscard]] Result<std::vector<Variable>> at(LinkAddress pc) const;
  [[nodiscard]] Result<std::vector<std::vector<Variable>>> by_function(LinkAddress pc) const;
  [[nodiscard]] std::optional<Variable> global(std::string_view name, LinkAddress pc) const;
  // An expression of a function at pc that yields a word. `of_entry`: as
  // Variable::at_entry is.
  [[nodiscard]] std::optional<std::vector<Op>> program_at(LinkAddress pc, Dwarf_Attribute attribute,
                                                          std::span<const Dwarf_Op> ops,
                                                          bool of_entry) const;

 private:
  // One function at one pc; the frame base and CFA are worked out at most once.
  struct Place {
    LinkAddress pc;
    const Function* function = nullptr;
    const LineTable* lines = nullptr;
    mutable std::optional<std::optional<std::vector<Op>>> frame_base = {};
    mutable std::optional<std::optional<std::vector<Op>>> cfa = {};
  };

  // At this pc; fails where no function is there.
  [[nodiscard]] Result<Place> place_at(LinkAddress pc) const;
  // From `scope` outward to the nearest function or inlined copy.
  [[nodiscard]] std::vector<Variable> of_function(const Place& place, std::size_t scope) const;
  void add_scope(const Place& place, Dwarf_Die scope, std::uint32_t depth, int nesting,
                 std::vector<Variable>& found) const;
  void add_abstract(const Place& place, Dwarf_Die scope, std::uint32_t depth, int nesting,
                    const std::unordered_set<const void*>& mentioned,
                    std::vector<Variable>& found) const;
  void add_variable(const Place& place, Dwarf_Die die, std::uint32_t depth,
                    std::vector<Variable>& found) const;
  [[nodiscard]] std::optional<Variable> describe(Dwarf_Die die, VariableKind kind) const;
  [[nodiscard]] Location location_of(const Place& place, Dwarf_Die die, const Type& type) const;
  // `of_entry`: over the registers as they were when the function was called.
  [[nodiscard]] Location evaluate(const Place& place, Dwarf_Attribute attribute,
                                  bool of_entry = false) const;
  [[nodiscard]] std::optional<std::vector<Op>> frame_base(const Place& place) const;
  [[nodiscard]] std::vector<std::uint32_t> available_lines(const Place& place, Dwarf_Die die) const;
  [[nodiscard]] std::optional<Variable> global_from(const NamedDie& named) const;

  const Units& units_;
  const CallFrames& frames_;
  TypeReader& types_;
  std::function<const NameIndex&()> names_;
  std::optional<std::uint64_t> thread_locals_;  // as ExpressionContext has it
};

// True where an expression is told by entry values and constants alone.
[[nodiscard]] bool is_told_by_entry_values(std::span<const Dwarf_Op> ops);

}  // namespace nohalt::symbols
