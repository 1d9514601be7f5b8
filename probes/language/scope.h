// What names mean at one pc.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "probes/symbols/debug_info.h"

namespace nohalt::language {

// An interface so that tests need no DWARF.
class ScopeView {
 public:
  virtual ~ScopeView() = default;
  // Arguments and locals, innermost scope first.
  [[nodiscard]] virtual const std::vector<symbols::Variable>& locals() const = 0;
  [[nodiscard]] virtual Result<std::optional<symbols::Variable>> find_global(
      std::string_view name) const = 0;
  [[nodiscard]] virtual const symbols::Type* find_type(std::string_view name) const = 0;
  [[nodiscard]] virtual std::string function() const = 0;
  [[nodiscard]] virtual std::uint32_t line() const = 0;
};

// The view of `debug` from the site. `debug` must outlive it. `known` are variables that
// the program has though its debug information may not know them.
[[nodiscard]] Result<std::unique_ptr<ScopeView>> scope_at(
    const symbols::DebugInfo& debug, const symbols::LineSite& site,
    std::vector<symbols::Variable> known = {});

// Up to three of the names that `name` may have been meant as, nearest first.
[[nodiscard]] std::vector<std::string> near_names(std::string_view name,
                                                  const std::vector<std::string>& known);

}  // namespace nohalt::language
