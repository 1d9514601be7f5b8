// The value rules of redaction over a hit, in place: its message, and each text
// and number inside its values. A value in which something was hidden says so.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "src/output/record.h"

namespace nohalt::output {

// Adds to `counts`, by rule.
void redact_hit(Hit& hit, std::map<std::string, std::uint64_t>& counts);

}  // namespace nohalt::output
