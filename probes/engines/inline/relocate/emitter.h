// Appends x86-64 bytes for code that will stand at a given address. Jumps that
// do not reach go through a literal behind the code, so no register is touched.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/base/address.h"

namespace nohalt::inline_relocate {

// The distance from `from` to `to`, if 32 signed bits hold it.
[[nodiscard]] bool reaches(RuntimeAddress from, RuntimeAddress to);

class Emitter {
 public:
  explicit Emitter(RuntimeAddress start) : start_(start) {}

  [[nodiscard]] RuntimeAddress here() const { return start_ + bytes_.size(); }
  void bytes(std::span<const std::uint8_t> code);
  void byte(std::uint8_t value) { bytes_.push_back(value); }
  void dword(std::int32_t value);

  void jump(RuntimeAddress target);                             // jmp
  void jump_if(std::uint8_t condition, RuntimeAddress target);  // jcc; condition 0..15
  void push_constant(std::uint64_t value);                      // 8 bytes, one instruction

  // The code with its literals behind it.
  [[nodiscard]] std::vector<std::uint8_t> finish() &&;

 private:
  struct Literal {
    std::size_t distance_at;  // offset of the 4-byte distance that refers to it
    std::uint64_t value;
  };
  void distance_to(RuntimeAddress target);  // 4 bytes, counted from their end
  void through_literal(std::uint8_t modrm, std::uint64_t value);

  RuntimeAddress start_;
  std::vector<std::uint8_t> bytes_;
  std::vector<Literal> literals_;
};

}  // namespace nohalt::inline_relocate
