// From a line or a function to its places in the machine code. Internal.
//
// A line's places are chosen as GDB chooses breakpoint locations: of all
// statement rows of the line, the first of each block (function, inlined copy
// or inner block with symbols of its own), moved past the prologue where it
// lies inside one. A function's places are its body and the entry of each of
// its inlined copies.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "probes/symbols/debug_info.h"
#include "probes/symbols/line_repeats.h"
#include "probes/symbols/name_index.h"
#include "probes/symbols/units.h"

namespace nohalt::symbols {

class Places {
 public:
  Places(const ElfImage& image, const Units& units)
      : image_(image), units_(units), repeats_(units) {}

  // `units`: those that have statements of the file, or the functions of the base name.
  // Errors: no-code-on-line.
  [[nodiscard]] Result<ResolvedPlace> on_line(std::string_view file, std::uint32_t line,
                                              std::span<const std::uint32_t> units) const;
  // `file`: where it must be written; absent: anywhere. No sites: none has code.
  [[nodiscard]] ResolvedPlace of_function(std::string_view name,
                                          const std::optional<std::string>& file,
                                          std::span<const std::uint32_t> units) const;
  // Without which it is not known what the program's functions are and where they are inlined.
  [[nodiscard]] std::vector<std::string> missing_files() const;
  [[nodiscard]] std::size_t unit_count() const { return units_.all().size(); }

  [[nodiscard]] std::optional<LineSite> describe(LinkAddress pc) const;
  [[nodiscard]] std::vector<FunctionRange> functions() const;
  [[nodiscard]] std::vector<StatementRow> statements() const;
  [[nodiscard]] const NameIndex& names() const;

 private:
  [[nodiscard]] std::optional<std::uint32_t> number_of(std::string_view file, Unit& unit) const;
  void add_line_sites(Unit& unit, std::uint32_t file, std::uint32_t line,
                      ResolvedPlace& place) const;
  // `rows`: of the line that was chosen in that function.
  void add_repeats(Unit& unit, const Function& function, const std::vector<LineRow>& rows,
                   Between between, ResolvedPlace& place) const;
  [[nodiscard]] std::unexpected<Error> no_code_on_line(std::string_view file, std::uint32_t line,
                                                       std::span<const std::uint32_t> units) const;
  void add_function_sites(Unit& unit, std::string_view name, const std::optional<std::string>& file,
                          ResolvedPlace& place) const;
  [[nodiscard]] LineSite site_at(Unit& unit, const Function* function, LinkAddress pc) const;

  const ElfImage& image_;
  const Units& units_;
  RepeatFinder repeats_;
  mutable std::unique_ptr<NameIndex> names_;
};

}  // namespace nohalt::symbols
