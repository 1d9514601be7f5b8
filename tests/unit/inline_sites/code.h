// Small functions made of bytes, for tests.
#pragma once

#include <initializer_list>
#include <utility>
#include <vector>

#include "probes/engines/inline/sites/window.h"

namespace nohalt::inline_sites {

inline constexpr LinkAddress kEntry{0x401000};

// A function of these bytes at kEntry (or elsewhere), its text going on with
// `tail`.
struct TestCode {
  std::vector<std::uint8_t> text;
  FunctionInput input;
  FunctionCode code;

  explicit TestCode(std::initializer_list<std::uint8_t> body,
                    std::initializer_list<std::uint8_t> tail = {0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
                                                                0xcc, 0xcc},
                    LinkAddress at = kEntry)
      : text(body) {
    text.insert(text.end(), tail);
    input.text = text;
    input.text_address = at;
    input.range = {at, at + body.size()};
    code = FunctionCode::decode(input);
  }
  TestCode(const TestCode&) = delete;
  TestCode& operator=(const TestCode&) = delete;

  void decode_again() { code = FunctionCode::decode(input); }
  [[nodiscard]] auto choose(std::uint64_t offset = 0, const SiteContext& context = {}) const {
    return choose_window(code, input.range.begin + offset, context);
  }
};

// The refusal of a site as a number, or -1 where there is a window.
inline int refusal_at(const TestCode& code, std::uint64_t offset = 0, TargetTraits target = {}) {
  SiteContext context;
  context.target = std::move(target);
  const auto window = code.choose(offset, context);
  return window ? -1 : static_cast<int>(window.error());
}

#define EXPECT_REFUSED(expression, refusal) \
  EXPECT_EQ(expression, static_cast<int>(SiteRefusal::refusal))
#define EXPECT_ALLOWED(expression) EXPECT_EQ(expression, -1)

}  // namespace nohalt::inline_sites
