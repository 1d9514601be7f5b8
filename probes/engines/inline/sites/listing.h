// An instruction as text, for people. Nothing is decided by it.
//
// Threading: any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "src/base/address.h"

namespace nohalt::inline_sites {

// In AT&T syntax, as gdb and objdump show it, with branch targets and
// RIP-relative operands as they are for code at `address`: "mov 0x10(%rdi),%eax".
// Empty where the bytes do not decode.
[[nodiscard]] std::string listing(std::span<const std::uint8_t> code, RuntimeAddress address);

}  // namespace nohalt::inline_sites
