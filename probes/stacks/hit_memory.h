// What is known of a process's memory as it was at a hit: the captured bytes of
// the stack, and what its files say where nobody writes. The process itself is
// not asked: it has gone on.
//
// Parts may be hidden: what lies there is not given to anybody, under whatever
// name it is asked for.
//
// Threading: one thread at a time. What it is made from must outlive it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "probes/stacks/images.h"
#include "probes/stacks/unwind.h"
#include "src/base/address.h"

namespace nohalt::stacks {

class HitMemory {
 public:
  HitMemory(const CapturedStack& captured, const UnwindImages& images)
      : captured_(captured), images_(images) {}

  void hide(RuntimeRange range) { hidden_.push_back(range); }

  // Fills `to` from its beginning on, as far as that is known, and gives how far.
  // Hidden bytes count as known, and come as zeros.
  [[nodiscard]] std::size_t read(RuntimeAddress from, std::span<std::byte> to) const;
  // The parts of this range that are hidden, as distances from its beginning.
  struct Part {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  [[nodiscard]] std::vector<Part> hidden(RuntimeAddress from, std::uint64_t size) const;

  // For the programs of locations: all of it known, and nothing hidden, or no.
  [[nodiscard]] ReadMemory reader() const;

 private:
  CapturedStack captured_;
  const UnwindImages& images_;
  std::vector<RuntimeRange> hidden_;
};

}  // namespace nohalt::stacks
