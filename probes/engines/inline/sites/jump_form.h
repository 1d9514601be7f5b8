// The jumps that fit over one instruction, and where each can lead.
//
// A `jmp rel32` is e9 and four bytes, low byte first. Over an instruction of n
// bytes only n bytes may change: the rest of the distance is then whatever
// bytes follow, read as they are. The low bytes of the distance stay free, so
// one form reaches one contiguous range of trampoline addresses. Prefixes that
// mean nothing to a direct jump may stand before e9: they shift which of the
// following bytes are read, so each count of prefixes is another form.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "src/base/address.h"

namespace nohalt::inline_sites {

inline constexpr std::uint8_t kJumpLength = 5;
inline constexpr std::uint8_t kMaxJumpPrefixes = 3;

struct JumpForm {
  std::uint8_t prefix_count = 0;
  std::uint8_t free_bytes = 4;      // low bytes of the distance that may be chosen
  std::int32_t fixed_distance = 0;  // the distance with its free bytes zero
  // Of the free bytes, the lowest `given_bytes` must have the value `given`: a
  // neighbouring jump borrows them (eviction.h). Trampolines are then 256, 64 Ki
  // or 16 Mi apart.
  std::uint8_t given_bytes = 0;
  std::uint32_t given = 0;

  // Bytes that the processor reads, and those of them that change.
  [[nodiscard]] std::uint8_t length() const {
    return static_cast<std::uint8_t>(prefix_count + kJumpLength);
  }
  [[nodiscard]] std::uint8_t changed() const {
    return static_cast<std::uint8_t>(prefix_count + 1 + free_bytes);
  }
  // Lowest and highest trampoline address, as distances from the jump's address.
  [[nodiscard]] std::int64_t first() const;
  [[nodiscard]] std::int64_t last() const;
};

// The prefixes and the opcode.
[[nodiscard]] std::vector<std::uint8_t> jump_head(std::uint8_t prefix_count);

// All forms for an instruction of `instruction_length` bytes at the start of
// `bytes` (which go on past it), widest first. A form that would leave the page
// of `address`, or `bytes`, is left out.
[[nodiscard]] std::vector<JumpForm> jump_forms(std::span<const std::uint8_t> bytes,
                                               std::uint8_t instruction_length,
                                               std::uint64_t address);

// The trampoline addresses that the form reaches from a jump at `address`,
// clipped to user space; nothing where none is left. Where bytes are given, only
// those that spacing() allows.
[[nodiscard]] std::optional<RuntimeRange> reachable(const JumpForm& form, RuntimeAddress address);

// Trampolines for a jump at `address` stand at addresses that are `remainder`
// modulo `alignment`.
struct Spacing {
  std::uint64_t alignment = 1;
  std::uint64_t remainder = 0;
};
[[nodiscard]] Spacing spacing(const JumpForm& form, RuntimeAddress address);

// The bytes that change (form.changed() of them), or nothing where the
// trampoline is out of the form's reach.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> encode_jump(const JumpForm& form,
                                                                   RuntimeAddress address,
                                                                   RuntimeAddress trampoline);

}  // namespace nohalt::inline_sites
