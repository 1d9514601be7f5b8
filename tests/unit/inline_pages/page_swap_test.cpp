// Swaps of a page under a running child, and all that must refuse one.
#include "probes/engines/inline/pages/page_swap.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>

#include "probes/engines/inline/pages/recover_page.h"
#include "probes/engines/inline/pages/region.h"
#include "tests/unit/inline_pages/session.h"

// On a page of its own; its immediate is at byte 1.
asm(R"(
  .pushsection .text.swapped, "ax", @progbits
  .p2align 12
  .fill 4096, 1, 0x90
  .globl swapped_site
  .type swapped_site, @function
swapped_site:
  mov $1, %eax
  ret
  .p2align 12
  .fill 4096, 1, 0x90
  .popsection
)");
extern "C" int swapped_site();

namespace nohalt::inline_pages {
namespace {

using test::Shared;

const RuntimeAddress kPage{reinterpret_cast<std::uint64_t>(&swapped_site)};

// Publishes what the function returns, and how often it was called.
int call_on(Shared& shared) {
  shared.value = static_cast<std::uint64_t>(swapped_site());
  shared.ready = 1;
  while (shared.go == 0) {
    shared.value = static_cast<std::uint64_t>(swapped_site());
    shared.other.fetch_add(1);
  }
  return 0;
}

std::uint64_t result_now(Session& session) {
  const std::uint64_t calls = session.child.shared().other;
  while (session.child.shared().other < calls + 2 && session.child.alive()) ::usleep(100);
  return session.child.shared().value;
}

Result<FilePage> prove(Session& session) {
  return prove_file_page(*session.process, session.lock->memory(), kPage);
}

SwappedPage swap(Session& session, int immediate) {
  const auto original = prove(session);
  EXPECT_TRUE(original) << original.error().message;
  PageBytes changed = original->bytes;
  std::memcpy(changed.data() + 1, &immediate, sizeof immediate);
  auto swapped = swap_in(session.thread(), *original, session.room(), changed);
  EXPECT_TRUE(swapped) << swapped.error().message;
  return *swapped;
}

TEST(PageSwap, TheChangedPageRunsUntilItIsTakenOut) {
  Session session(call_on);
  const SwappedPage page = swap(session, 2);
  EXPECT_EQ(result_now(session), 2U);
  EXPECT_TRUE(swap_out(session.thread(), page));
  EXPECT_EQ(result_now(session), 1U);
  session.finish();
  EXPECT_TRUE(session.maps_as_before());
}

TEST(PageSwap, AnOpenPageIsAsBeforeUntilItIsWrittenWhileNobodyRuns) {
  Session session(call_on);
  const auto original = prove(session);
  ASSERT_TRUE(original) << original.error().message;
  PageBytes final = original->bytes;
  constexpr std::uint8_t kTwo[] = {2, 0, 0, 0};
  std::memcpy(final.data() + 1, kTwo, sizeof kTwo);
  {
    auto open = swap_in_open(session.thread(), *original, session.room(), original->bytes, final);
    ASSERT_TRUE(open) << open.error().message;
    EXPECT_EQ(result_now(session), 1U);
    target::StandStillOrder order;
    order.longest_hold = target::kLongestStandStill;
    order.patches[order.patch_count++] = open->patch(kPage + 1, kTwo);
    ASSERT_TRUE(session.thread().stand_still(order));
    EXPECT_EQ(result_now(session), 2U);
    EXPECT_EQ(*open->content(), final);
    EXPECT_TRUE(open->seal());
    SwappedPage page = open->page();
    page.installed = final;
    EXPECT_TRUE(swap_out(session.thread(), page));
  }
  EXPECT_EQ(result_now(session), 1U);
  session.finish();
  EXPECT_TRUE(session.maps_as_before());
}

// The target takes its code away, whoever has swapped a page of it.
int unmap_when_asked(Shared& shared) {
  shared.value = static_cast<std::uint64_t>(swapped_site());
  shared.ready = 1;
  while (shared.go == 0) ::usleep(500);
  ::munmap(reinterpret_cast<void*>(kPage.value), kPageSize);
  shared.other = 1;
  for (;;) ::usleep(500);
}

TEST(PageSwap, APageThatTheTargetHasUnmappedIsGoneAndNothingIsLeft) {
  Session session(unmap_when_asked);
  const SwappedPage page = swap(session, 2);
  session.child.shared().go = 1;
  while (session.child.shared().other == 0) ::usleep(500);
  const auto out = swap_out(session.thread(), page);
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(*out, Recovery::kGone);
  session.finish();
  const target::Maps now = *target::read_maps(session.child.pid());
  EXPECT_EQ(now.find(page.parked), nullptr);
  EXPECT_EQ(now.find(page.parked + kPageSize), nullptr);
}

TEST(PageSwap, RecoveringAPageThatIsGoneIsNoFailure) {
  Session session(unmap_when_asked);
  const SwappedPage page = swap(session, 2);
  session.child.shared().go = 1;
  while (session.child.shared().other == 0) ::usleep(500);
  const auto recovery = recover_page(session.thread(), kPage, page.parked);
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_EQ(*recovery, Recovery::kGone);
  session.finish();
  EXPECT_EQ(target::read_maps(session.child.pid())->find(page.parked), nullptr);
}

TEST(PageSwap, TakingOutTwiceIsAsOnce) {
  Session session(call_on);
  const SwappedPage page = swap(session, 2);
  EXPECT_TRUE(swap_out(session.thread(), page));
  EXPECT_TRUE(swap_out(session.thread(), page));
  session.finish();
  EXPECT_TRUE(session.maps_as_before());
}

TEST(PageSwap, ATakenSlotIsRefusedAndKept) {
  Session session(call_on);
  const auto original = prove(session);
  ASSERT_TRUE(original);
  const RuntimeAddress taken = session.before.all().back().range.begin;
  EXPECT_EQ(swap_in(session.thread(), *original, taken, original->bytes).error().reason,
            "address-taken");
  session.finish();
  EXPECT_TRUE(session.maps_as_before());
}

TEST(PageSwap, AForeignBreakpointOnThePageIsRefused) {
  Session session(call_on);
  const auto was = *session.lock->memory().read_value<std::byte>(kPage + 100);
  const std::byte breakpoint[] = {std::byte{0xcc}};
  ASSERT_TRUE(session.lock->memory().write(kPage + 100, breakpoint));
  EXPECT_EQ(prove(session).error().reason, "page-differs-from-file");
  const std::byte original[] = {was};
  ASSERT_TRUE(session.lock->memory().write(kPage + 100, original));
  EXPECT_EQ(prove(session).error().reason, "page-modified");
}

TEST(PageSwap, AForeignBreakpointOnTheSwappedPageIsNotThrownAway) {
  Session session(call_on);
  const SwappedPage page = swap(session, 2);
  const auto was = *session.lock->memory().read_value<std::byte>(kPage + 100);
  const std::byte breakpoint[] = {std::byte{0xcc}};
  ASSERT_TRUE(session.lock->memory().write(kPage + 100, breakpoint));
  EXPECT_EQ(swap_out(session.thread(), page).error().reason, "page-changed-by-other");
  EXPECT_EQ(result_now(session), 2U);
  const std::byte original[] = {was};
  ASSERT_TRUE(session.lock->memory().write(kPage + 100, original));
  EXPECT_TRUE(swap_out(session.thread(), page));
  EXPECT_EQ(result_now(session), 1U);
}

TEST(PageSwap, ABreakpointThatCameToTheParkedPageGoesBackWithIt) {
  Session session(call_on);
  const SwappedPage page = swap(session, 2);
  const std::byte breakpoint[] = {std::byte{0xcc}};
  ASSERT_TRUE(session.lock->memory().write(page.parked + 100, breakpoint));
  EXPECT_TRUE(swap_out(session.thread(), page));
  EXPECT_EQ(result_now(session), 1U);
  EXPECT_EQ(session.lock->memory().read_value<std::byte>(kPage + 100), breakpoint[0]);
  session.finish();
}

TEST(PageSwap, AParkedPageThatWasRewrittenIsNotPutBack) {
  Session session(call_on);
  const SwappedPage page = swap(session, 2);
  const std::byte other[] = {std::byte{0x91}};
  ASSERT_TRUE(session.lock->memory().write(page.parked + 100, other));
  EXPECT_TRUE(swap_out(session.thread(), page));
  EXPECT_EQ(result_now(session), 1U);
  EXPECT_NE(session.lock->memory().read_value<std::byte>(kPage + 100), other[0]);
  session.finish();
}

TEST(PageSwap, LockedMemoryIsRefused) {
  Session session([](Shared& shared) {
    ::mlock(reinterpret_cast<void*>(&swapped_site), 2);
    return call_on(shared);
  });
  EXPECT_EQ(prove(session).error().reason, "locked-mapping");
}

TEST(PageSwap, ASealedMappingIsRefused) {
  constexpr long kMseal = 462;  // Linux 6.10; newer than the C library's header
  Session session([](Shared& shared) {
    shared.other = static_cast<std::uint64_t>(::syscall(kMseal, kPage.value, kPageSize, 0));
    return call_on(shared);
  });
  if (session.child.shared().other == ~0ULL) GTEST_SKIP() << "this kernel has no mseal";
  EXPECT_EQ(prove(session).error().reason, "sealed-mapping");
}

TEST(PageSwap, AChangeOfTheHelpersOwnInstructionsIsRefused) {
  Session session(call_on);
  const RuntimeAddress gadget = session.thread().gadgets().syscall_ret;
  const RuntimeAddress page{page_floor(gadget.value)};
  const auto original = prove_file_page(*session.process, session.lock->memory(), page);
  ASSERT_TRUE(original) << original.error().message;
  PageBytes changed = original->bytes;
  changed[gadget - page] ^= std::byte{1};
  EXPECT_EQ(swap_in(session.thread(), *original, session.room(), changed).error().reason,
            "page-holds-gadget");
  session.finish();
  EXPECT_TRUE(session.maps_as_before());
}

TEST(PageSwap, WhatIsNotCodeOfALastingImageIsRefused) {
  Session session(call_on);
  const auto at = [&](std::string_view path, bool executable) -> RuntimeAddress {
    for (const auto& mapping : session.before.all())
      if (mapping.path == path && mapping.executable == executable) return mapping.range.begin;
    return {};
  };
  const auto& memory = session.lock->memory();
  EXPECT_EQ(prove_file_page(*session.process, memory, at("[stack]", false)).error().reason,
            "not-code");
  EXPECT_EQ(prove_file_page(*session.process, memory, at("[vdso]", true)).error().reason,
            "not-a-lasting-image");
  EXPECT_EQ(prove_file_page(*session.process, memory, {0}).error().reason, "not-code");
}

TEST(RecoverPage, ALostParkedOriginalIsReplacedFromTheFile) {
  Session session(call_on);
  const SwappedPage page = swap(session, 2);
  ASSERT_TRUE(unmap_range(session.thread(), {page.parked, page.parked + kPageSize}));
  const auto recovery = recover_page(session.thread(), kPage, page.parked);
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_EQ(*recovery, Recovery::kMappedFromFile);
  EXPECT_EQ(result_now(session), 1U);
  const auto maps = target::read_maps(session.child.pid());
  const auto* now = maps->find(kPage);
  const auto* before = session.before.find(kPage);
  EXPECT_EQ(now->file, before->file);
  EXPECT_EQ(now->offset + (kPage - now->range.begin),
            before->offset + (kPage - before->range.begin));
}

TEST(RecoverPage, WithoutBeingToldOfTheSlotThePageComesFromTheFile) {
  Session session(call_on);
  const SwappedPage page = swap(session, 2);
  const auto left = find_leftovers(*session.process, session.lock->memory());
  ASSERT_TRUE(left);
  EXPECT_EQ(left->swapped, std::vector{kPage});
  const auto recovery = recover_page(session.thread(), kPage, {});
  ASSERT_TRUE(recovery);
  EXPECT_EQ(*recovery, Recovery::kMappedFromFile);
  EXPECT_TRUE(remove_slot(session.thread(), page.parked));
  EXPECT_EQ(result_now(session), 1U);
  session.finish();
}

TEST(RecoverPage, TextThatAnotherToolRewroteIsNotCalledRestored) {
  Session session(call_on);
  const std::byte other[] = {std::byte{0x91}};
  ASSERT_TRUE(session.lock->memory().write(kPage + 100, other));
  EXPECT_EQ(recover_page(session.thread(), kPage, {}).error().reason, "page-not-restored");
  EXPECT_EQ(session.lock->memory().read_value<std::byte>(kPage + 100), other[0]);
}

TEST(RecoverPage, ALonePageOfCodeThatNobodyClaimsIsLeftAlone) {
  Session session(call_on);
  const auto library = std::ranges::find_if(session.before.all(), [](const auto& mapping) {
    return mapping.executable && mapping.path.ends_with("libc.so.6");
  });
  ASSERT_NE(library, session.before.all().end());
  // As the one page of code of a second copy of a small library.
  const auto path = session.thread().put_text(library->path);
  ASSERT_TRUE(path);
  const auto fd = session.thread().call("open", SYS_open, {path->value, O_RDONLY, 0, 0, 0, 0});
  ASSERT_TRUE(fd);
  ASSERT_TRUE(session.thread().call(
      "mmap", SYS_mmap, {0, kPageSize, PROT_READ | PROT_EXEC, MAP_PRIVATE, *fd, library->offset}));
  const auto left = find_leftovers(*session.process, session.lock->memory());
  ASSERT_TRUE(left);
  EXPECT_TRUE(left->slots.empty());
}

TEST(RecoverPage, FalseClaimsChangeNothing) {
  Session session(call_on);
  for (const auto& mapping : session.before.all()) {
    (void)recover_page(session.thread(), mapping.range.begin, {});
    EXPECT_TRUE(remove_slot(session.thread(), mapping.range.begin)) << mapping.path;
  }
  EXPECT_EQ(*recover_page(session.thread(), {0x1000}, {}), Recovery::kGone);
  session.finish();
  EXPECT_TRUE(session.maps_as_before());
  EXPECT_EQ(result_now(session), 1U);
}

TEST(RecoverPage, AnotherFilesPageAtTheSlotIsNotTheOriginal) {
  Session session(call_on);
  const SwappedPage page = swap(session, 2);
  // Something else has taken the parked page's place, with a right look.
  ASSERT_TRUE(unmap_range(session.thread(), {page.parked, page.parked + kPageSize}));
  const PageBytes lie{};
  auto file = RemoteFile::create(session.thread(), "nohalt-page", lie, kPageSize, Content::kSealed);
  ASSERT_TRUE(file);
  ASSERT_TRUE(map_at(session.thread(), {page.parked, page.parked + kPageSize},
                     PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE,
                     static_cast<std::int64_t>(file->remote())));
  const auto recovery = recover_page(session.thread(), kPage, page.parked);
  ASSERT_TRUE(recovery);
  EXPECT_EQ(*recovery, Recovery::kMappedFromFile);
  EXPECT_EQ(result_now(session), 1U);
}

}  // namespace
}  // namespace nohalt::inline_pages
