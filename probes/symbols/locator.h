// From a LOCATION as a person writes it to the file or function that is meant, and what to
// say where there is none. Internal.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "probes/symbols/debug_info.h"
#include "probes/symbols/place_tables.h"
#include "probes/symbols/places.h"

namespace nohalt::symbols {

class Locator {
 public:
  using OpenPlaces = std::function<Result<const Places*>()>;
  // `places` is asked only where the tables know the name. `tables` must outlive it.
  Locator(PlaceTables& tables, OpenPlaces places) : tables_(tables), places_(std::move(places)) {}

  [[nodiscard]] Result<ResolvedPlace> resolve(std::string_view location) const;

 private:
  [[nodiscard]] Result<std::string> find_file(std::string_view asked) const;
  [[nodiscard]] Result<ResolvedPlace> resolve_line(std::string_view asked,
                                                   std::uint32_t line) const;
  [[nodiscard]] Result<ResolvedPlace> resolve_function(
      std::string_view asked, const std::optional<std::string>& file) const;
  // Errors: unfit-index, where the table cannot be of this file.
  [[nodiscard]] Result<const Places*> places(const NameTable& table) const;
  [[nodiscard]] Result<ResolvedPlace> resolve_once(std::string_view location) const;

  PlaceTables& tables_;
  OpenPlaces places_;
};

}  // namespace nohalt::symbols
