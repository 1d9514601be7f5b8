// Changing the successor too: what the pairs of jumps promise, and that this
// processor keeps it.

#include "probes/engines/inline/sites/eviction.h"

#include <gtest/gtest.h>

#include <array>

#include "probes/engines/inline/sites/instruction.h"
#include "tests/unit/inline_sites/code.h"
#include "tests/unit/inline_sites/code_page.h"

namespace nohalt::inline_sites {
namespace {

// Behind the two instructions: bytes that must stay.
constexpr std::array<std::uint8_t, 16> kBehind = {0x55, 0x41, 0x57, 0x41, 0x56, 0x41, 0x55, 0x41,
                                                  0x54, 0x53, 0x48, 0x83, 0xec, 0x18, 0x31, 0xc0};

struct Landing {
  std::uint64_t first, second;
};

// The second lands near the code where its reach is wide, else as low as it can.
std::optional<Landing> landing_of(const Eviction& eviction, std::uint64_t at, std::uint8_t length) {
  const auto first = reachable(eviction.first, {at});
  const auto second = reachable(eviction.second, {at + length});
  if (!first || !second) return std::nullopt;
  const Spacing apart = spacing(eviction.second, {at + length});
  const bool wide = second->size() > (1ULL << 30);
  std::uint64_t where = wide ? at - (64ULL << 20) : second->begin.value;
  where += (apart.remainder - where) & (apart.alignment - 1);
  EXPECT_TRUE(second->contains({where}));
  return Landing{first->begin.value, where};
}

std::array<std::uint8_t, 6> returning(std::uint8_t value) {
  return {0xb8, value, 0, 0, 0, 0xc3};  // mov $value,%eax; ret
}

// Executes one pair; false where its landings cannot be mapped here.
bool executes(const Eviction& eviction, std::uint64_t at, std::uint8_t length,
              std::span<const std::uint8_t> original) {
  const auto landing = landing_of(eviction, at, length);
  if (!landing) return false;
  const CodePage first(page_floor(landing->first));
  const CodePage second(page_floor(landing->second));
  if (!first.holds(landing->first, 6) || !second.holds(landing->second, 6)) return false;
  CodePage::write(landing->first, returning(1));
  CodePage::write(landing->second, returning(2));
  CodePage::write(at, original);
  const auto one = encode_jump(eviction.first, {at}, {landing->first});
  const auto two = encode_jump(eviction.second, {at + length}, {landing->second});
  EXPECT_TRUE(one && two);
  if (!one || !two) return false;
  EXPECT_LE(one->size(), length);
  CodePage::write(at, *one);
  CodePage::write(at + length, *two);
  EXPECT_EQ(CodePage::call(at), 1);
  EXPECT_EQ(CodePage::call(at + length), 2);
  return true;
}

TEST(Eviction, BothJumpsLeadWhereTheyShould) {
  const CodePage page(0);
  ASSERT_TRUE(page.usable());
  const std::uint64_t at = page.address() + 256;
  int executed = 0;
  for (std::uint8_t length = 1; length <= 4; ++length) {
    for (std::uint8_t successor = 1; successor <= 8; ++successor) {
      std::vector<std::uint8_t> original(static_cast<std::size_t>(length + successor), 0x90);
      original.insert(original.end(), kBehind.begin(), kBehind.end());
      int here = 0;
      const auto run = [&](const Eviction& eviction) {
        if (executes(eviction, at, length, original)) ++here;
        return here >= 6;
      };
      (void)evictions(original, length, successor, at, 1, run);
      executed += here;
    }
  }
  EXPECT_GT(executed, 60);
}

TEST(Eviction, OffersLandingsAllOverTheReachForALongSuccessor) {
  std::vector<std::uint8_t> bytes(10, 0x90);
  bytes.insert(bytes.end(), kBehind.begin(), kBehind.end());
  const auto below = [](const Eviction& e) { return e.first.last() < -(1LL << 30); };
  const auto above = [](const Eviction& e) { return e.first.first() > (1LL << 30); };
  EXPECT_FALSE(evictions(bytes, 3, 7, 0x401000, 1, below).empty());
  EXPECT_FALSE(evictions(bytes, 3, 7, 0x401000, 1, above).empty());
}

TEST(Eviction, StaysOnItsPage) {
  std::vector<std::uint8_t> bytes(10, 0x90);
  bytes.insert(bytes.end(), kBehind.begin(), kBehind.end());
  EXPECT_TRUE(evictions(bytes, 3, 7, 0x401fff, 1, {}).empty());
  EXPECT_TRUE(evictions(bytes, 3, 7, 0x401ffd, 1, {}).empty());
  EXPECT_TRUE(evictions(bytes, 3, 7, 0x401ffb, 1, {}).empty());  // the second would cross
  EXPECT_FALSE(evictions(bytes, 3, 7, 0x401ff8, 1, {}).empty());
}

TEST(Eviction, IsChosenWhereAskedForAndNoPunHasRoom) {
  // mov %eax,%ebx; mov $1,%eax; ret, with room only at the low byte's other values.
  const TestCode code({0x89, 0xc3, 0xb8, 1, 0, 0, 0, 0xc3});
  SiteContext context;
  context.placeable = [](const JumpForm& form, LinkAddress at) {
    const auto reach = reachable(form, {at.value});
    return reach && RuntimeAddress{0x6000'0000} < reach->end;
  };
  EXPECT_FALSE(code.choose(0, context));
  context.allow_eviction = true;
  const auto window = code.choose(0, context);
  ASSERT_TRUE(window);
  EXPECT_EQ(window->kind, WindowKind::kEvicted);
  EXPECT_EQ(window->displaced.size(), 1U);
  EXPECT_EQ(window->successor.length, 5);
  EXPECT_EQ(window->resume(), kEntry + 2);
  EXPECT_LE(window->changed, 7);
}

TEST(Eviction, NeedsASuccessorThatMayBeDisplaced) {
  const TestCode code({0x89, 0xc3, 0xf0, 0x48, 0x0f, 0xb1, 0x0f, 0xc3});  // lock cmpxchg
  SiteContext context;
  context.allow_eviction = true;
  context.placeable = [](const JumpForm& form, LinkAddress) { return form.free_bytes == 4; };
  EXPECT_FALSE(code.choose(0, context));
}

}  // namespace
}  // namespace nohalt::inline_sites
