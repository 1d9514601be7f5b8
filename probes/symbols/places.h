// From a LOCATION as a person writes it to places in the machine code. Internal.
//
// A line's places are chosen as GDB chooses breakpoint locations: of all
// statement rows of the line, the first of each block (function, inlined copy
// or inner block with symbols of its own), moved past the prologue where it
// lies inside one. A function's places are its body and the entry of each of
// its inlined copies.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "probes/symbols/debug_info.h"
#include "probes/symbols/name_index.h"
#include "probes/symbols/units.h"

namespace nohalt::symbols {

class Places {
 public:
  Places(const ElfImage& image, const Units& units) : image_(image), units_(units) {}

  [[nodiscard]] Result<ResolvedPlace> resolve(std::string_view location) const;
  [[nodiscard]] std::optional<LineSite> describe(LinkAddress pc) const;
  [[nodiscard]] std::vector<FunctionRange> functions() const;
  [[nodiscard]] std::vector<StatementRow> statements() const;
  [[nodiscard]] const NameIndex& names() const;

 private:
  [[nodiscard]] Result<std::uint32_t> find_file(std::string_view asked) const;
  [[nodiscard]] Result<ResolvedPlace> resolve_line(std::string_view file, std::uint32_t line) const;
  void add_line_sites(Unit& unit, std::uint32_t file, std::uint32_t line,
                      std::vector<LineSite>& sites) const;
  [[nodiscard]] std::unexpected<Error> no_code_on_line(std::uint32_t file,
                                                       std::uint32_t line) const;
  [[nodiscard]] Result<ResolvedPlace> resolve_function(std::string_view name,
                                                       std::optional<std::uint32_t> file) const;
  [[nodiscard]] std::unexpected<Error> no_such_function(std::string_view asked,
                                                        std::string_view base,
                                                        std::optional<std::uint32_t> file) const;
  void add_function_sites(Unit& unit, std::string_view name, std::optional<std::uint32_t> file,
                          std::vector<LineSite>& sites) const;
  [[nodiscard]] LineSite site_at(Unit& unit, const Function* function, LinkAddress pc) const;

  const ElfImage& image_;
  const Units& units_;
  mutable std::unique_ptr<NameIndex> names_;
};

}  // namespace nohalt::symbols
