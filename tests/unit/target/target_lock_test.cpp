// Who excludes whom from a target.
#include "probes/target/target_lock.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "tests/unit/target/child.h"

namespace nohalt::target {
namespace {

using test::Child;
using test::Shared;

int wait(Shared& shared) {
  shared.ready = 1;
  while (shared.go == 0) ::usleep(1000);
  return 0;
}

bool pidfds_are_files() {
  const UniqueFd own(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  struct statfs info{};
  return ::fstatfs(own.get(), &info) == 0 && info.f_type == 0x50494446;
}

std::string refusal(const Process& process) {
  const auto lock = TargetLock::acquire(process, std::chrono::milliseconds(50));
  return lock ? "" : lock.error().reason;
}

TEST(TargetLock, IsFreeAgainAfterItsHolder) {
  const Child child(wait);
  child.wait_ready();
  const auto process = Process::open(child.pid());
  {
    const auto lock = TargetLock::acquire(*process);
    ASSERT_TRUE(lock);
    EXPECT_EQ(refusal(*process), "target-locked");
  }
  EXPECT_EQ(refusal(*process), "");
}

// Sees the target through a mount of /proc of its own, as in a container.
int lock_through_other_mount(Shared& shared, pid_t target) {
  if (::unshare(CLONE_NEWNS) != 0) return 1;
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 1;
  if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) return 1;
  const auto process = Process::open(target);
  const auto lock = TargetLock::acquire(*process);
  shared.other = lock ? 1 : 0;
  return wait(shared);
}

TEST(TargetLock, HoldsThroughAnotherMountOfProc) {
  if (::getuid() != 0) GTEST_SKIP() << "mounting needs root";
  if (!pidfds_are_files()) GTEST_SKIP() << "pidfds of a process are one file since Linux 6.9";
  const Child child(wait);
  child.wait_ready();
  Child holder([&](Shared& shared) {
    const int result = lock_through_other_mount(shared, child.pid());
    shared.ready = 1;
    return result;
  });
  holder.wait_ready();
  if (holder.shared().other == 0) GTEST_SKIP() << "nothing can be mounted here";
  const auto process = Process::open(child.pid());
  EXPECT_EQ(refusal(*process), "target-locked");
  holder.shared().go = 1;
  EXPECT_EQ(holder.join(), 0);
  EXPECT_EQ(refusal(*process), "");
}

TEST(TargetLock, CannotBeHeldBySomebodyWhoMayNotTrace) {
  if (::getuid() != 0) GTEST_SKIP() << "becoming another user needs root";
  const Child child(wait);
  child.wait_ready();
  Child stranger([&](Shared& shared) {
    constexpr uid_t kNobody = 65534;
    if (::setresuid(kNobody, kNobody, kNobody) != 0) return 1;
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0));
    if (::flock(pidfd, LOCK_EX | LOCK_NB) != 0) return 1;
    return wait(shared);
  });
  stranger.wait_ready();
  const auto process = Process::open(child.pid());
  EXPECT_EQ(refusal(*process), "");
}

TEST(TargetLock, ItsHolderIsReadFromTheKernelsList) {
  constexpr std::string_view kLocks =
      "1: POSIX  ADVISORY  WRITE 11 08:01:784431 0 EOF\n"
      "2: -> FLOCK  ADVISORY  WRITE 12 00:05:784431 0 EOF\n"
      "3: FLOCK  ADVISORY  WRITE 13 00:05:784431 0 EOF\n";
  EXPECT_EQ(lock_holder(kLocks, 5, 784431), 13);
  EXPECT_EQ(lock_holder(kLocks, 5, 78443), 0);
  EXPECT_EQ(lock_holder("", 5, 784431), 0);
}

}  // namespace
}  // namespace nohalt::target
