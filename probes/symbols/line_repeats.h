// Code of a statement beside the place that was chosen for it: copies that the compiler made
// of it in the same block, and what else the line table gives to the line there. Internal.
//
// GCC (8 on, when it optimises) marks where statements begin: the rows with is_stmt are these
// marks, which keep their order and are copied with the code, so that one of the same line
// and column is the same statement. Other compilers, and unoptimised code, have a row that
// "begins a statement" wherever the line changes; there only runs of rows can be told apart.
// Unoptimised code is not copied but on ways out of a scope: a run without the column of the
// one that was chosen is another part of the line.
//
// What comes between two runs counts only where it is a statement of the same function or of
// one around it: code that is inlined into a statement is part of it.
//
// Source: GCC manual, -gstatement-frontiers; DWARF 5 section 6.2.2 for is_stmt.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "probes/symbols/debug_info.h"
#include "probes/symbols/units.h"

namespace nohalt::symbols {

// Which statements count as others.
enum class Between : std::uint8_t {
  kAnyStatement,      // of the function or of those around it
  kOutsideStatement,  // of those around it: what comes after is another call
};

// A group as LineRepeats has it, by addresses.
struct RepeatGroup {
  std::vector<LinkAddress> sites;
  std::vector<LinkAddress> others;
  std::vector<StatementMark> marks;
};

class RepeatFinder {
 public:
  explicit RepeatFinder(const Units& units) : units_(units) {}

  // `rows`: those of one line that were chosen in this function of the unit.
  [[nodiscard]] std::vector<RepeatGroup> find(Unit& unit, const Function& function,
                                              const std::vector<LineRow>& rows,
                                              Between between) const;

 private:
  // Where a function is declared.
  struct Owner {
    std::uint32_t file = 0;
    std::uint32_t line = 0;
    friend bool operator==(const Owner&, const Owner&) = default;
  };
  struct UnitLines {
    std::vector<LineRow> rows;
    std::map<std::uint32_t, std::vector<std::uint32_t>> declared;  // lines of functions, by file
    bool has_marks = false;
  };
  // One line as seen from one function or inlined copy.
  struct View {
    const UnitLines& lines;
    const Function& function;
    const std::vector<Owner>& owners;  // of the function's scopes
    const std::vector<LineRow>& rows;  // of the function
    LineRow row;
    bool is_optimised = false;
    std::size_t instance = 0;
    std::vector<Owner> around;  // whose statements come between
    std::vector<LinkAddress> chosen;
  };

  [[nodiscard]] const UnitLines& lines_of(Unit& unit) const;
  void add_declarations(Dwarf_Die parent, int depth, UnitLines& lines) const;
  [[nodiscard]] Owner declared_at(Dwarf_Die die) const;
  [[nodiscard]] std::vector<Owner> owners_of(const Function& function) const;
  [[nodiscard]] static std::vector<LineRow> rows_of(const UnitLines& lines,
                                                    const Function& function);
  [[nodiscard]] static Owner owner_of(const UnitLines& lines, const LineRow& row);
  [[nodiscard]] static std::size_t instance_of(const UnitLines& lines, const Function& function,
                                               const std::vector<Owner>& owners,
                                               const LineRow& row);
  [[nodiscard]] static bool is_line(const View& view, const LineRow& row);
  [[nodiscard]] static bool is_between(const View& view, const LineRow& row);
  [[nodiscard]] static RepeatGroup marked(const View& view);
  [[nodiscard]] static RepeatGroup unmarked(const View& view);

  const Units& units_;
  mutable std::unordered_map<const Unit*, std::unique_ptr<UnitLines>> known_;
};

}  // namespace nohalt::symbols
