// Which real instructions can be run in this process, and leading their distances to
// places that exist here.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "probes/engines/inline/sites/instruction.h"
#include "tests/unit/inline_relocate/harness.h"

namespace nohalt::test {

inline constexpr std::int32_t kBranchDistance = 0x40;  // to the exit for taken branches

// Not repeatable, or would take this process with them (fs base, protection
// keys, segments, port and machine state).
inline bool unsafe_to_run(const inline_sites::Instruction& i) {
  const auto code = i.code().subspan(i.prefix_length);
  if (code[0] == 0x8e) return true;
  if (code[0] != 0x0f || code.size() < 2) return false;
  switch (code[1]) {
    case 0x01:
    case 0x31:
    case 0xa2:
      return true;  // system group, rdtsc, cpuid
    case 0xae:
      return true;  // fs base, fences, xsave and kin
    case 0xc7:
      return i.bytes[i.modrm_offset] >= 0xc0;  // rdrand, rdseed, rdpid
    default:
      return false;
  }
}

inline bool has_unplaceable_memory(const inline_sites::Instruction& i) {
  return std::any_of(i.operands.begin(), i.operands.end(), [&](const inline_sites::Operand& o) {
    if (o.kind != inline_sites::Operand::Kind::kMemory) return false;
    if (o.segment || o.base == inline_sites::kOtherRegister ||
        o.index == inline_sites::kOtherRegister) {
      return true;
    }
    return o.base < 0 && o.index < 0;
  });
}

// A direct branch whose distance is one byte.
inline bool is_short(const inline_sites::Instruction& i) {
  return i.flow == inline_sites::Flow::kCounted || (i.opcode() & 0xf0) == 0x70 ||
         i.opcode() == 0xeb;
}

// As it would stand at `at`: distances lead to the exit at `exit`, or to the data.
inline std::optional<inline_sites::Instruction> adapted(std::span<const std::uint8_t> raw,
                                                        std::uint64_t at, std::uint64_t exit,
                                                        std::uint64_t data) {
  const auto i = inline_sites::decode(raw);
  if (!i) return i;
  auto bytes = i->bytes;
  const std::uint64_t end = at + i->length;
  if (i->rip_relative) {
    const auto distance = static_cast<std::int32_t>(data - end);
    std::memcpy(&bytes[i->modrm_offset + 1U], &distance, sizeof distance);
  } else if (i->is_direct_branch()) {
    const auto distance = static_cast<std::int32_t>(exit - end);
    if (is_short(*i)) {
      bytes[i->length - 1U] = static_cast<std::uint8_t>(distance);
    } else {
      std::memcpy(&bytes[i->length - 4U], &distance, sizeof distance);
    }
  }
  return inline_sites::decode(std::span(bytes).first(i->length));
}

}  // namespace nohalt::test
