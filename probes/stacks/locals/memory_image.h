// Parts of a process's memory as another tool is to see them: bytes that may be told,
// and where they lie. All else is absent, or, within an object that is shown in part,
// one byte that says so.
//
// Why not zeros: a debugger shows a zero as a null pointer, an empty text, a count of
// nothing, all of which a reader believes. kWithheld makes texts of asterisks,
// pointers that lead nowhere, and numbers (0x2a2a2a2a) that are known again.
//
// Threading: a plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "src/base/address.h"

namespace nohalt::locals {

inline constexpr std::byte kWithheld{0x2a};

class MemoryImage {
 public:
  struct Segment {
    RuntimeAddress begin;
    std::vector<std::byte> bytes;
  };

  // Where something was told before, that stands.
  void tell(RuntimeAddress at, std::span<const std::byte> bytes);
  // What lies here is shown as a whole, also where not all of it is told.
  void object(const RuntimeRange& range);
  // Whatever is told of it: before, and after.
  void hide(const RuntimeRange& range) { hidden_.push_back(range); }

  // By address, apart from each other.
  [[nodiscard]] std::vector<Segment> segments() const;

 private:
  std::vector<Segment> told_;
  std::vector<RuntimeRange> objects_;  // what is told among them
  std::vector<RuntimeRange> hidden_;
};

}  // namespace nohalt::locals
