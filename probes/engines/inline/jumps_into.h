// Whether code of the target still leads into code of ours, whatever is known of where that
// was: the last look before ours is unmapped. What says where probes are lies in memory that
// the target may write.
#pragma once

#include <optional>
#include <span>

#include "probes/target/maps.h"
#include "probes/target/memory.h"
#include "probes/target/process.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::engines {

// Where something leads into one of the ranges: from code of ours that is not in one of them,
// or a jump in a page of a file's code that is no longer as the file has it, which is what
// becomes of a page that is written to. Copies of code in
// memory of no file are not looked at: of so many bytes some look like such a jump.
[[nodiscard]] Result<std::optional<RuntimeAddress>> find_jump_into(
    const target::Process& process, const target::Memory& memory, const target::Maps& maps,
    std::span<const RuntimeRange> ranges);

}  // namespace nohalt::engines
