// Addresses that cannot be mixed up. A LinkAddress is what the ELF file and
// its DWARF say; a RuntimeAddress is where that is in one running process.
// Neither can be dereferenced by the tool. A LoadBias turns one into the other.
#pragma once

#include <compare>
#include <cstdint>

namespace nohalt {

template <class Tag>
struct Address {
  std::uint64_t value = 0;

  friend constexpr auto operator<=>(Address, Address) = default;
  friend constexpr Address operator+(Address a, std::uint64_t bytes) { return {a.value + bytes}; }
  friend constexpr Address operator-(Address a, std::uint64_t bytes) { return {a.value - bytes}; }
  friend constexpr std::uint64_t operator-(Address a, Address b) { return a.value - b.value; }
};

using LinkAddress = Address<struct LinkTag>;
using RuntimeAddress = Address<struct RuntimeTag>;

// A half-open range of addresses [begin, end).
template <class A>
struct AddressRange {
  A begin;
  A end;

  friend constexpr bool operator==(const AddressRange&, const AddressRange&) = default;
  [[nodiscard]] constexpr std::uint64_t size() const { return end - begin; }
  [[nodiscard]] constexpr bool contains(A address) const {
    return begin <= address && address < end;
  }
  [[nodiscard]] constexpr bool overlaps(const AddressRange& other) const {
    return begin < other.end && other.begin < end;
  }
};
using LinkRange = AddressRange<LinkAddress>;
using RuntimeRange = AddressRange<RuntimeAddress>;

// Run-time minus link-time address of one mapped ELF file.
struct LoadBias {
  std::uint64_t value = 0;

  [[nodiscard]] constexpr RuntimeAddress to_runtime(LinkAddress a) const {
    return {a.value + value};
  }
  [[nodiscard]] constexpr LinkAddress to_link(RuntimeAddress a) const { return {a.value - value}; }
};

inline constexpr std::uint64_t kPageSize = 4096;
[[nodiscard]] constexpr std::uint64_t page_floor(std::uint64_t a) { return a & ~(kPageSize - 1); }
[[nodiscard]] constexpr std::uint64_t page_ceil(std::uint64_t a) {
  return page_floor(a + kPageSize - 1);
}

}  // namespace nohalt
