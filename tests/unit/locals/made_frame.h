// A frame whose registers and stack are known to the byte, and types for what
// lies in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probes/stacks/hit_memory.h"
#include "probes/stacks/locals/value.h"

namespace nohalt::locals {

inline constexpr std::uint64_t kStack = 0x7ffe'0000'0000;
inline constexpr std::uint16_t kRbx = 3;
inline constexpr std::uint16_t kRdi = 5;

extern const symbols::Type kInt;   // 4 bytes, signed
extern const symbols::Type kLong;  // 8 bytes, signed
extern const symbols::Type kChar;
extern const symbols::Type kName;  // char [8]
extern const symbols::Type kCharPointer;
extern const symbols::Type kAccount;  // {long id; char password[8]; long limit;}
extern const symbols::Type kAccountPointer;

// A frame with rbx = 0xb0b, rdi lost, and a stack of words from kStack upward.
class MadeFrame {
 public:
  explicit MadeFrame(std::vector<std::uint64_t> words);

  [[nodiscard]] const stacks::Frame& frame() const { return frame_; }
  [[nodiscard]] stacks::HitMemory& memory() { return memory_; }
  // The value of a variable, where "password" is hidden.
  [[nodiscard]] values::Value value(const symbols::Variable& variable) const;

 private:
  std::vector<std::uint64_t> words_;
  stacks::UnwindImages images_;
  stacks::HitMemory memory_;
  stacks::Frame frame_;
};

[[nodiscard]] symbols::Variable variable(std::string name, const symbols::Type& type,
                                         symbols::Location location);
// So many bytes above the frame's rsp.
[[nodiscard]] symbols::Location above(std::uint64_t bytes);
[[nodiscard]] bool hides_password(std::string_view path, const symbols::Type& type);
// A word whose bytes are this text, and nulls.
[[nodiscard]] std::uint64_t word_of(const std::string& text);

}  // namespace nohalt::locals
