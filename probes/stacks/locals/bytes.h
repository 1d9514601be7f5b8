// The bytes of a frame's variable, from that frame's registers and the memory that
// is known: a Location carried out on the tool's side, after the hit.
//
// Threading: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "probes/capture/layout.h"
#include "probes/stacks/hit_memory.h"
#include "probes/stacks/unwind.h"
#include "probes/symbols/debug_info.h"

namespace nohalt::locals {

struct Bytes {
  std::vector<std::byte> data;       // as many as were asked for; zeros in holes
  std::vector<capture::Hole> holes;  // sorted
};

[[nodiscard]] Bytes bytes_of(const symbols::Location& location, std::uint64_t size,
                             const stacks::Frame& frame, const stacks::HitMemory& memory);
// The same of a variable; of one that is an entry value (Variable::at_entry) only
// where the frame's are known.
struct VariableBytes {
  Bytes bytes;
  bool is_entry_value = false;
};
[[nodiscard]] VariableBytes bytes_of(const symbols::Variable& variable, std::uint64_t size,
                                     const stacks::Frame& frame, const stacks::HitMemory& memory);
// What is at an address.
[[nodiscard]] Bytes bytes_at(RuntimeAddress address, std::uint64_t size,
                             const stacks::HitMemory& memory);

}  // namespace nohalt::locals
