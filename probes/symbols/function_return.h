// What a function returns, by its declaration. Internal.
#pragma once

#include <optional>

#include "probes/symbols/debug_info.h"
#include "probes/symbols/function_symbols.h"
#include "probes/symbols/type_reader.h"
#include "probes/symbols/units.h"

namespace nohalt::symbols {

[[nodiscard]] std::optional<FunctionReturn> read_function_return(const Units& units,
                                                                 TypeReader& types,
                                                                 const FunctionSymbols& symbols,
                                                                 LinkAddress pc);

}  // namespace nohalt::symbols
