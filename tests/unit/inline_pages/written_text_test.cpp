// Code that was written in place, put back where it still is, and found again when no
// more than a control page tells of it. What is there now may be anything.
#include "probes/engines/inline/pages/written_text.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>

#include "probes/engines/inline/pages/region.h"
#include "tests/unit/inline_pages/session.h"

// On a page of its own, with room for a jump.
asm(R"(
  .pushsection .text.in_place, "ax", @progbits
  .p2align 12
  .globl in_place_site
  .type in_place_site, @function
in_place_site:
  mov $1, %eax
  ret
  .p2align 12
  .popsection
)");
extern "C" int in_place_site();

namespace nohalt::inline_pages {
namespace {

using test::Shared;

const RuntimeAddress kSite{reinterpret_cast<std::uint64_t>(&in_place_site)};
constexpr std::uint8_t kTwo[] = {0xb8, 2, 0, 0, 0};
constexpr std::chrono::microseconds kHold{target::kLongestStandStill / 1000};

int call_on(Shared& shared) {
  shared.ready = 1;
  while (shared.go == 0) {
    shared.value = static_cast<std::uint64_t>(in_place_site());
    shared.other.fetch_add(1);
  }
  return 0;
}

std::uint64_t result_now(Session& session) {
  const std::uint64_t calls = session.child.shared().other;
  while (session.child.shared().other < calls + 2 && session.child.alive()) ::usleep(100);
  return session.child.shared().value;
}

// Where threads get no turn to stop, it is tried again.
template <class Try>
auto in_the_end(const Try& attempt) {
  constexpr int kTries = 20;
  auto done = attempt();
  for (int i = 1; i < kTries && !done; ++i) done = attempt();
  return done;
}

WrittenText write(Session& session, std::span<const std::uint8_t> bytes) {
  const auto page = prove_text_page(*session.process, session.lock->memory(), kSite);
  EXPECT_TRUE(page) << page.error().message;
  const auto text = text_for(*page, kSite, bytes);
  EXPECT_TRUE(text);
  target::StandStillOrder order;
  order.longest_hold = target::kLongestStandStill;
  order.text_patches[order.text_patch_count++] = patch_of(*text);
  EXPECT_TRUE(in_the_end([&] { return session.thread().stand_still(order); }));
  return *text;
}

PutBack put_back_all(Session& session, const WrittenText& text) {
  const auto back = in_the_end([&] { return put_back(session.thread(), {&text, 1}, kHold); });
  EXPECT_TRUE(back) << back.error().message;
  return *back;
}

TEST(WrittenText, RunsUntilItIsPutBack) {
  Session session(call_on);
  const WrittenText text = write(session, kTwo);
  EXPECT_EQ(result_now(session), 2U);
  EXPECT_EQ(prove_text_page(*session.process, session.lock->memory(), kSite).error().reason,
            "page-differs-from-file");
  const PutBack back = put_back_all(session, text);
  EXPECT_EQ(back.restored, 1U);
  EXPECT_TRUE(back.unloaded.empty() && back.left.empty());
  EXPECT_EQ(result_now(session), 1U);
  session.finish();
  EXPECT_TRUE(session.maps_as_before());
}

TEST(WrittenText, APageThatWasProbedBeforeIsProbedAgain) {
  Session session(call_on);
  for (int i = 0; i < 3; ++i) put_back_all(session, write(session, kTwo));
  EXPECT_TRUE(*has_private_copy(session.child.pid(), kSite));
  EXPECT_EQ(result_now(session), 1U);
  session.finish();
}

TEST(WrittenText, WhatAnotherToolHasChangedIsLeftToIt) {
  Session session(call_on);
  const WrittenText text = write(session, kTwo);
  constexpr std::uint8_t kThree[] = {3};
  ASSERT_TRUE(session.lock->memory().write(kSite + 1, std::as_bytes(std::span(kThree))));
  const PutBack back = put_back_all(session, text);
  EXPECT_EQ(back.restored, 0U);
  ASSERT_EQ(back.left.size(), 1U);
  EXPECT_NE(back.left[0].find("Another tool"), std::string::npos);
  EXPECT_EQ(result_now(session), 3U);
  session.finish();
}

// As dlclose does, and a dlopen of something else at the same place.
int unmap_when_asked(Shared& shared) {
  void* page = reinterpret_cast<void*>(kSite.value);
  shared.value = static_cast<std::uint64_t>(in_place_site());
  shared.ready = 1;
  while (shared.go == 0) ::usleep(500);
  ::munmap(page, kPageSize);
  shared.other = 1;
  while (shared.go == 1) ::usleep(500);
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  ::mmap(page, kPageSize, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  std::memcpy(page, kTwo, sizeof kTwo);
  shared.other = 2;
  while (shared.go == 2) ::usleep(500);
  return std::memcmp(page, kTwo, sizeof kTwo) == 0 ? 0 : 1;
}

void go_to(Session& session, int step) {
  session.child.shared().go = step;
  while (session.child.shared().other != static_cast<std::uint64_t>(step)) ::usleep(500);
}

TEST(WrittenText, WhatIsUnloadedIsNotWrittenTo) {
  Session session(unmap_when_asked);
  const WrittenText text = write(session, kTwo);
  for (const int step : {1, 2}) {
    go_to(session, step);
    const target::HoldReport before = session.thread().holds();
    const PutBack back = put_back_all(session, text);
    EXPECT_EQ(back.restored, 0U);
    EXPECT_EQ(back.unloaded, std::vector<std::string>{text.backing.path});
    EXPECT_TRUE(back.left.empty());
    EXPECT_EQ(session.thread().holds().count, before.count) << "nobody need be stopped for it";
    EXPECT_EQ(prove_text_page(*session.process, session.lock->memory(), kSite).error().reason,
              "not-code");
  }
  session.finish();
  session.child.shared().go = 3;
  EXPECT_EQ(session.child.join(), 0);
}

TEST(WrittenText, LongerThanThePageIsRefused) {
  Session session(call_on);
  const auto page = prove_text_page(*session.process, session.lock->memory(), kSite);
  ASSERT_TRUE(page);
  EXPECT_EQ(text_for(*page, kSite + (kPageSize - 4), kTwo).error().reason, "page-boundary");
}

runtime::ControlPage claims_of(RuntimeAddress page, RuntimeAddress site) {
  runtime::ControlPage claims{};
  claims.page_count = 1;
  claims.site_count = 1;
  claims.pages[0] = {page.value, kWrittenInPlace.value};
  claims.site_addresses[0] = site.value;
  return claims;
}

std::vector<WrittenText> found(Session& session, const runtime::ControlPage& claims,
                               std::vector<std::string>& left) {
  auto texts = find_written(*session.process, session.lock->memory(), claims, left);
  EXPECT_TRUE(texts) << texts.error().message;
  return *texts;
}

// A jump from the site to what is mapped there.
std::array<std::uint8_t, 5> jump_to(RuntimeAddress to) {
  std::array<std::uint8_t, 5> jump{0xe9};
  const auto distance = static_cast<std::uint32_t>(to.value - (kSite.value + 5));
  std::memcpy(jump.data() + 1, &distance, sizeof distance);
  return jump;
}

RuntimeAddress room_near(const Session& session) {
  RuntimeAddress at{page_floor(kSite.value) + (1 << 26)};
  while (session.before.overlaps({at, at + kPageSize})) at = at + (1 << 20);
  return at;
}

// Code named as nohalt's, as long as what is returned lives.
auto map_nine(Session& session, RuntimeAddress at) {
  // mov $9, %eax; ret
  constexpr std::uint8_t kNine[] = {0xb8, 9, 0, 0, 0, 0xc3};
  return RegionMapper(session.thread())
      .map_code(runtime::kCodeName, {at, at + kPageSize}, std::as_bytes(std::span(kNine)));
}

TEST(WrittenText, AJumpIntoNohaltsCodeIsFoundAndPutBack) {
  Session session(call_on);
  const RuntimeAddress code = room_near(session);
  const auto region = map_nine(session, code);
  ASSERT_TRUE(region) << region.error().message;
  const auto claims = claims_of(kSite, kSite);
  std::vector<std::string> left;
  EXPECT_TRUE(found(session, claims, left).empty()) << "nothing is written yet";
  write(session, jump_to(code));
  EXPECT_EQ(result_now(session), 9U);
  const auto texts = found(session, claims, left);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(put_back_all(session, texts[0]).restored, 1U);
  EXPECT_EQ(result_now(session), 1U);
}

// Another mapping by its rights, with the jump still in it.
int change_rights_when_asked(Shared& shared) {
  shared.value = static_cast<std::uint64_t>(in_place_site());
  shared.ready = 1;
  while (shared.go == 0) ::usleep(500);
  constexpr int kAll = PROT_READ | PROT_WRITE | PROT_EXEC;
  ::mprotect(reinterpret_cast<void*>(kSite.value), kPageSize, kAll);
  shared.other = 1;
  while (shared.go == 1) ::usleep(500);
  return in_place_site();
}

TEST(WrittenText, AMappingThatChangesItsRightsIsNotGone) {
  Session session(change_rights_when_asked);
  const RuntimeAddress code = room_near(session);
  const auto region = map_nine(session, code);
  ASSERT_TRUE(region) << region.error().message;
  const WrittenText text = write(session, jump_to(code));
  go_to(session, 1);
  const PutBack back = put_back_all(session, text);
  EXPECT_EQ(back.restored, 0U);
  EXPECT_TRUE(back.unloaded.empty());
  EXPECT_EQ(back.left.size(), 1U);
  std::vector<std::string> left;
  EXPECT_TRUE(found(session, claims_of(kSite, kSite), left).empty());
  EXPECT_EQ(left.size(), 1U);
  session.finish();
  session.child.shared().go = 2;
  EXPECT_EQ(session.child.join(), 9);
}

TEST(WrittenText, WhatElseIsChangedNearAJumpIsNotOurs) {
  Session session(call_on);
  const RuntimeAddress code = room_near(session);
  const auto region = map_nine(session, code);
  ASSERT_TRUE(region) << region.error().message;
  write(session, jump_to(code));
  constexpr std::uint8_t kBreakpoint[] = {0xcc};
  ASSERT_TRUE(session.lock->memory().write(kSite + 9, std::as_bytes(std::span(kBreakpoint))));
  std::vector<std::string> left;
  const auto texts = found(session, claims_of(kSite, kSite), left);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_EQ(texts[0].after.size(), 5U);
  EXPECT_EQ(put_back_all(session, texts[0]).restored, 1U);
  EXPECT_EQ(session.lock->memory().read_value<std::uint8_t>(kSite + 9).value(), 0xcc);
  EXPECT_EQ(result_now(session), 1U);
}

TEST(WrittenText, WhatLeadsElsewhereIsNotOurs) {
  Session session(call_on);
  write(session, kTwo);
  std::vector<std::string> left;
  EXPECT_TRUE(found(session, claims_of(kSite, kSite), left).empty());
  EXPECT_EQ(left.size(), 1U);
  EXPECT_EQ(result_now(session), 2U);
  session.finish();
}

TEST(WrittenText, ClaimsOfOtherPlacesComeToNothing) {
  Session session(call_on);
  std::vector<std::string> left;
  const RuntimeAddress stack{page_floor(reinterpret_cast<std::uint64_t>(&left))};
  for (const RuntimeAddress page : {stack, RuntimeAddress{0}, RuntimeAddress{kSite.value + 8},
                                    RuntimeAddress{~0ULL - kPageSize + 1}})
    EXPECT_TRUE(found(session, claims_of(page, page), left).empty());
  EXPECT_TRUE(found(session, claims_of(kSite, kSite + kPageSize), left).empty());
  EXPECT_TRUE(left.empty());
}

}  // namespace
}  // namespace nohalt::inline_pages
