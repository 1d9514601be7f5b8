// A part of a text, by its first byte and the one after its last.
#pragma once

#include <cstddef>

namespace nohalt::policy {

struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;

  friend bool operator==(const Span&, const Span&) = default;
};

}  // namespace nohalt::policy
