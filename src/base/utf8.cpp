#include "src/base/utf8.h"

namespace nohalt {

std::string utf8_of(std::uint64_t code) {
  const auto tail = [code](unsigned shift) {
    return static_cast<char>(0x80 | ((code >> shift) & 0x3f));
  };
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  if (surrogate || code > 0x10ffff) return {};
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xc0 | code >> 6), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xe0 | code >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | code >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace nohalt
