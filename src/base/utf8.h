// A character of Unicode as UTF-8 (RFC 3629).
#pragma once

#include <cstdint>
#include <string>

namespace nohalt {

// Empty for what is no Unicode scalar.
[[nodiscard]] std::string utf8_of(std::uint64_t code);

}  // namespace nohalt
