#include "probes/engines/inline/pages/region.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cstring>

#include "tests/unit/inline_pages/session.h"

namespace nohalt::inline_pages {
namespace {

using test::Shared;

int spin(Shared& shared) {
  shared.ready = 1;
  while (shared.go == 0) shared.value.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

constexpr std::array kCode = {std::byte{0xc3}, std::byte{0x90}};

TEST(Region, CodeIsExecutableAndCanNeverBeWritten) {
  Session session(spin);
  const RuntimeRange range{session.room(), session.room() + kPageSize};
  auto code = RegionMapper(session.thread()).map_code("nohalt-code", range, kCode);
  ASSERT_TRUE(code) << code.error().message;
  const auto maps = target::read_maps(session.child.pid());
  const auto* mapping = maps->find(range.begin);
  ASSERT_NE(mapping, nullptr);
  EXPECT_TRUE(mapping->executable && mapping->readable && !mapping->writable);
  EXPECT_EQ(mapping->path, "/memfd:nohalt-code");
  EXPECT_EQ(*session.lock->memory().read_value<std::byte>(range.begin), kCode[0]);
  EXPECT_LT(::pwrite(code->file().get(), "x", 1, 0), 0);
  EXPECT_LT(::ftruncate(code->file().get(), 0), 0);
}

TEST(Region, ControlMemoryIsSharedAndKeepsItsSize) {
  Session session(spin);
  const RuntimeRange range{session.room(), session.room() + 2 * kPageSize};
  auto control = RegionMapper(session.thread()).map_control("nohalt-control", range);
  ASSERT_TRUE(control) << control.error().message;
  EXPECT_EQ(::pwrite(control->file().get(), "hello", 5, kPageSize), 5);
  EXPECT_EQ(*session.lock->memory().read_value<char>(range.begin + kPageSize + 4), 'o');
  EXPECT_LT(::ftruncate(control->file().get(), 0), 0);
}

TEST(Region, GoesAwayUnlessKept) {
  Session session(spin);
  {
    EXPECT_TRUE(RegionMapper(session.thread()).map_gate(session.room()));
  }
  session.finish();
  EXPECT_TRUE(session.maps_as_before());
}

TEST(Region, NeverReplacesWhatIsThere) {
  Session session(spin);
  for (const auto& mapping : session.before.all()) {
    if (mapping.range.begin.value >> 47 != 0) continue;  // [vsyscall]
    const auto gate = RegionMapper(session.thread()).map_gate(mapping.range.begin);
    EXPECT_EQ(gate ? "" : gate.error().reason, "address-taken") << mapping.path;
  }
  session.finish();
  EXPECT_TRUE(session.maps_as_before());
}

TEST(Region, AForkedChildFindsTheGateZero) {
  Session session([](Shared& shared) {
    shared.ready = 1;
    while (shared.go == 0) shared.value.fetch_add(1, std::memory_order_relaxed);
    const auto* gate = reinterpret_cast<const int*>(shared.other.load());
    const bool here = *gate == 1;
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(*gate);
    int status = 0;
    ::waitpid(pid, &status, 0);
    return here && WIFEXITED(status) ? WEXITSTATUS(status) : 99;
  });
  auto gate = RegionMapper(session.thread()).map_gate(session.room());
  ASSERT_TRUE(gate);
  const int open = 1;
  ASSERT_TRUE(session.lock->memory().write(session.room(), std::as_bytes(std::span(&open, 1))));
  gate->keep();
  session.finish();
  session.child.shared().other = session.room().value;
  session.child.shared().go = 1;
  EXPECT_EQ(session.child.join(), 0);
}

TEST(Region, WorksWhereNoMemoryMayBecomeExecutable) {
  constexpr int kSetMdwe = 65;  // PR_SET_MDWE, Linux 6.3
  Session session([](Shared& shared) {
    shared.other = static_cast<std::uint64_t>(::prctl(kSetMdwe, 1, 0, 0, 0));
    return spin(shared);
  });
  if (session.child.shared().other != 0) GTEST_SKIP() << "this kernel has no PR_SET_MDWE";
  const RuntimeRange range{session.room(), session.room() + kPageSize};
  EXPECT_TRUE(RegionMapper(session.thread()).map_code("nohalt-code", range, kCode));
}

}  // namespace
}  // namespace nohalt::inline_pages
