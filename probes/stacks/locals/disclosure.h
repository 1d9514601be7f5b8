// What of a hit's registers and memory another tool may be told, so that it finds the
// frames and the values that a snapshot shows, and nothing else: the words that lead
// from frame to frame, the bytes that the shown values are made of, and those that say
// where these are. Whatever holds something that policy hides is not told, for whatever
// purpose it would be.
//
// Threading: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "probes/records/values/placed.h"
#include "probes/stacks/hit_memory.h"
#include "probes/stacks/locals/hidden.h"
#include "probes/stacks/locals/memory_image.h"
#include "probes/stacks/unwind.h"
#include "probes/symbols/debug_info.h"

namespace nohalt::locals {

inline constexpr std::size_t kVectorRegisters = 16;

// A register of which not each byte may be told; those that may not are kWithheld.
template <std::size_t kSize>
struct ToldRegister {
  ToldRegister() { bytes.fill(kWithheld); }
  void tell(std::size_t at, std::byte byte) {
    bytes[at] = byte;
    is_any_told = true;
  }

  std::array<std::byte, kSize> bytes;
  bool is_any_told = false;
};

class Disclosure {
 public:
  // Of frames with their registers at entry, where these are known. All must outlive it.
  Disclosure(const stacks::Unwound& unwound, const stacks::CapturedStack& captured,
             const stacks::HitMemory& memory);

  // Where a variable of a frame is; none: not in memory.
  [[nodiscard]] std::optional<RuntimeAddress> address_of(const symbols::Location& location,
                                                         std::size_t frame) const;
  // What a value of that location is made of, as values::place() gives it. Its registers
  // are those that the frame has, or those that its function was called with.
  enum class Registers { kOwn, kAtEntry };
  void tell(const symbols::Location& location, std::size_t frame,
            const std::vector<values::Placed>& value, Registers registers = Registers::kOwn);

  void hide(const RuntimeRange& range) { memory_image_.hide(range); }
  // Of that frame. What leads to other frames is told nevertheless where a hidden value
  // is only computed from it: an address, then.
  void hide(const HiddenRegister& hidden, std::size_t frame);

  [[nodiscard]] std::vector<MemoryImage::Segment> memory() const {
    return memory_image_.segments();
  }
  // By DWARF number, the pc last, as they were at the hit.
  [[nodiscard]] std::array<ToldRegister<8>, symbols::kFrameRegisters> registers() const;
  [[nodiscard]] const std::array<ToldRegister<16>, kVectorRegisters>& vectors() const {
    return vectors_;
  }

 private:
  class Teller;

  void tell_word(const stacks::Origin& origin, std::uint64_t word, std::span<const bool> which);
  void tell_placed(const values::Placed& placed);

  const std::vector<stacks::Frame>& frames_;
  const stacks::HitMemory& memory_;
  MemoryImage memory_image_;
  std::array<ToldRegister<8>, symbols::kFrameRegisters> registers_;
  std::array<bool, symbols::kFrameRegisters> is_hidden_{};
  std::vector<stacks::Origin> guides_;
  std::array<ToldRegister<16>, kVectorRegisters> vectors_;
};

}  // namespace nohalt::locals
