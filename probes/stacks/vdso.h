// The code that the kernel maps into every process, as a file. Internal.
#pragma once

#include <cstddef>
#include <span>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::stacks {

// The given bytes, or, where there are none, the vdso that this process has.
[[nodiscard]] Result<UniqueFd> vdso_file(std::span<const std::byte> bytes);

}  // namespace nohalt::stacks
