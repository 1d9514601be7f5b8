// Which locations count as the same, and which registers they rest on.
#include "probes/engines/inline/same_values.h"

#include <gtest/gtest.h>

namespace nohalt::engines {
namespace {

using symbols::Computed;
using symbols::ImplicitBytes;
using symbols::InMemory;
using symbols::InPieces;
using symbols::InRegister;
using symbols::Location;
using symbols::Op;
using symbols::OpKind;
using symbols::Unavailable;

constexpr std::uint16_t kDwarfRdi = 5;
constexpr std::uint16_t kRdi = 1U << 7;  // as instructions number it
constexpr std::uint16_t kDwarfXmm0 = 17;

Location near_register(std::uint16_t number, std::uint64_t distance) {
  const Op base{OpKind::kRegister, number, 0, 0};
  const Op constant{OpKind::kConstant, 0, 0, distance};
  return InMemory{{base, constant, {OpKind::kPlus, 0, 0, 0}}, true, false};
}

Location two_pieces(Location low, Location high) {
  return InPieces{{{32, 0, {std::move(low)}}, {32, 0, {std::move(high)}}}};
}

symbols::Variable variable(const std::string& name, Location location) {
  symbols::Variable made;
  made.name = name;
  made.location = std::move(location);
  return made;
}

inline_sites::Alternative after(std::uint16_t general_written, bool vector_written = false) {
  return {{0x1002}, general_written, vector_written};
}

TEST(SameValues, LocationsAreTheSameOnlyInEveryPart) {
  const std::vector<Location> all = {
      Unavailable{},
      InRegister{3},
      InRegister{4},
      near_register(7, 8),
      near_register(7, 16),
      near_register(6, 8),
      Computed{{{OpKind::kConstant, 0, 0, 1}}},
      Computed{{{OpKind::kConstant, 0, 0, 2}}},
      ImplicitBytes{{1}},
      ImplicitBytes{{2}},
      two_pieces(InRegister{3}, InRegister{4}),
      two_pieces(InRegister{3}, Unavailable{}),
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < all.size(); ++j)
      EXPECT_EQ(same_location(all[i], all[j]), i == j) << i << " and " << j;
  }
}

TEST(SameValues, WhyOneIsUnavailableDoesNotMatter) {
  EXPECT_TRUE(same_location(Unavailable{},
                            Unavailable{symbols::UnavailableWhy::kUnsupported, "something"}));
}

TEST(SameValues, DwarfNumbersBecomeThoseOfInstructions) {
  constexpr std::array<unsigned, 8> kExpected = {0, 2, 1, 3, 6, 7, 5, 4};
  for (std::uint16_t i = 0; i < kExpected.size(); ++i)
    EXPECT_EQ(registers_used(InRegister{i}).general, 1U << kExpected[i]);
  EXPECT_EQ(registers_used(InRegister{15}).general, 1U << 15);
  EXPECT_TRUE(registers_used(InRegister{kDwarfXmm0}).vector);
  EXPECT_EQ(registers_used(near_register(7, 8)).general, 1U << 4);
}

TEST(SameValues, PiecesRestOnTheRegistersOfAllOfThem) {
  const auto used = registers_used(two_pieces(InRegister{kDwarfXmm0}, near_register(5, 0)));
  EXPECT_TRUE(used.vector);
  EXPECT_EQ(used.general, kRdi);
}

TEST(SameValues, AreThoseThatNothingOverwrote) {
  const std::vector<symbols::Variable> here = {variable("a", InRegister{kDwarfRdi}),
                                               variable("b", InRegister{kDwarfXmm0})};
  EXPECT_TRUE(same_values(here, here, after(0xffff & ~kRdi)));
  EXPECT_FALSE(same_values(here, here, after(kRdi)));
  EXPECT_FALSE(same_values(here, here, after(0, true)));
}

TEST(SameValues, AreNotThoseOfAnotherScope) {
  const std::vector<symbols::Variable> here = {variable("a", InRegister{3})};
  const std::vector<symbols::Variable> shadowed = {variable("a", InRegister{6}), here[0]};
  const std::vector<symbols::Variable> moved = {variable("a", InRegister{6})};
  EXPECT_FALSE(same_values(here, shadowed, after(0)));
  EXPECT_FALSE(same_values(here, {}, after(0)));
  EXPECT_FALSE(same_values(here, moved, after(0)));
}

}  // namespace
}  // namespace nohalt::engines
