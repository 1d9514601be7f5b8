// A program in assembler whose frames are known to the byte, and stacks put
// together by hand that were left by it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probes/stacks/unwind.h"

namespace nohalt::stacks {

inline constexpr std::uint64_t kBias = 0x1000'0000;
inline constexpr std::uint64_t kText = 0x401000;  // link address of the text, at offset 0x1000
inline constexpr std::uint64_t kStack = 0x7ffe'0000'0000;

// The program's path; see made_stack.cpp for its functions.
[[nodiscard]] const std::string& made_program();
// A label's address in the made process.
[[nodiscard]] RuntimeAddress at(const std::string& label);
// Its mappings: the program's text.
[[nodiscard]] target::Mapping text_of(const std::string& program);

// Words that grow from rsp upward.
class MadeStack {
 public:
  MadeStack& push(std::uint64_t word) {
    words_.push_back(word);
    return *this;
  }
  MadeStack& push(const std::string& label) { return push(at(label).value); }
  // As captured where the thread is at `label`; as long as this stack lives.
  [[nodiscard]] CapturedStack captured_at(const std::string& label) const;

 private:
  std::vector<std::uint64_t> words_;
};

[[nodiscard]] UnwindImages made_images(ImageOptions options = {});
// Walks with made_images(); fails the test where that is an error.
[[nodiscard]] Unwound walk(const CapturedStack& captured, ImageOptions options = {},
                           UnwindOptions unwind_options = {});
[[nodiscard]] std::vector<std::string> names(const Unwound& unwound);

}  // namespace nohalt::stacks
