// A place to run machine code that may be wrong: a child process in which every
// region the code may touch ends at an unmapped page, all but its stack and its
// record is read-only, and the record is there only between reserve and its
// release. What is outside shows as a fault or as a changed byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "probes/engines/inline/translate/machine_check.h"

namespace nohalt::program_test {

class Sandbox {
 public:
  Sandbox();
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  [[nodiscard]] bool ready() const { return base_ != nullptr; }
  // For code that is to run here.
  [[nodiscard]] inline_translate::Surroundings surroundings() const;
  // Runs the code in a child, once for each way the gates can go, over made-up
  // registers that follow from the seed. Empty: it kept within its bounds;
  // otherwise what it did.
  std::string run(std::span<const std::byte> code, const inline_translate::BodyLimits& limits,
                  std::uint64_t seed);

 private:
  std::byte* base_ = nullptr;
  std::byte* writable_code_ = nullptr;
};

}  // namespace nohalt::program_test
