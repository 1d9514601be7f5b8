// Each state in which a process must not be touched, on a process that is in it.
#include "probes/target/attachable.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "probes/target/memory_sharing.h"
#include "probes/target/threads.h"
#include "src/base/file.h"
#include "tests/unit/target/child.h"

namespace nohalt::target {
namespace {

using test::Child;
using test::Shared;

int sleep_for_ever(Shared& shared) {
  shared.ready = 1;
  while (true) ::pause();
}

// The reason not to touch the process; empty: it may be.
std::string refusal_of(pid_t pid) {
  const auto process = Process::open(pid);
  if (!process) return process.error().reason;
  const Status status = check_attachable(*process);
  return status ? "" : status.error().reason;
}

// What a thing that takes a moment to begin is refused for.
std::string refusal_soon(pid_t pid) {
  std::string reason = refusal_of(pid);
  for (int i = 0; i < 2000 && reason.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    reason = refusal_of(pid);
  }
  return reason;
}

// Ends one that is no child of the test's.
class Stranger {
 public:
  explicit Stranger(pid_t pid) : pid_(pid) {}
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  ~Stranger() { ::kill(pid_, SIGKILL); }

 private:
  pid_t pid_;
};

TEST(Attachable, AnOrdinaryProcessMayBeTouched) {
  Child child(sleep_for_ever);
  child.wait_ready();
  EXPECT_EQ(refusal_of(child.pid()), "");
}

// In a child that its parent waits for: ends with the parent, even one that is gone already.
[[noreturn]] void pause_while_it_lives(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (::getppid() == parent) ::pause();
  ::_exit(0);
}

TEST(Attachable, OneThatWaitsForAVforkedChildMayNot) {
  Child child([](Shared& shared) {
    const pid_t self = ::getpid();
    shared.ready = 1;
    if (::syscall(SYS_clone, CLONE_VFORK | SIGCHLD, nullptr, nullptr, nullptr, nullptr) == 0)
      pause_while_it_lives(self);
    return 0;
  });
  child.wait_ready();
  EXPECT_EQ(refusal_soon(child.pid()), "mid-vfork");
}

TEST(Attachable, OneThatWaitsForAVforkedChildOfClone3MayNot) {
  Child child([](Shared& shared) {
    const pid_t self = ::getpid();
    shared.ready = 1;
    std::array<std::uint64_t, 8> arguments{CLONE_VFORK, 0, 0, 0, SIGCHLD};
    if (::syscall(SYS_clone3, arguments.data(), sizeof arguments) == 0) pause_while_it_lives(self);
    return 0;
  });
  child.wait_ready();
  EXPECT_EQ(refusal_soon(child.pid()), "mid-vfork");
}

int pause_in_shared_memory(void* where) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  *static_cast<std::atomic<std::uint64_t>*>(where) = static_cast<std::uint64_t>(::getpid());
  while (true) ::pause();
}

// Makes a process that shares the caller's memory.
bool share(Shared& shared, int flags) {
  constexpr std::size_t kStack = 1 << 16;
  auto* stack = static_cast<char*>(std::malloc(kStack));
  return ::clone(pause_in_shared_memory, stack + kStack, CLONE_VM | flags | SIGCHLD,
                 &shared.value) > 0;
}

std::uint64_t wait_for_value(Child& child) {
  while (child.shared().value == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return child.shared().value;
}

TEST(Attachable, OneThatSharesItsMemoryWithAChildMayNot) {
  Child child([](Shared& shared) { return share(shared, 0) ? sleep_for_ever(shared) : 1; });
  child.wait_ready();
  const Stranger partner(static_cast<pid_t>(wait_for_value(child)));
  EXPECT_EQ(refusal_of(child.pid()), "shares-memory");
}

TEST(Attachable, OneThatSharesItsMemoryWithASiblingMayNot) {
  Child child(
      [](Shared& shared) { return share(shared, CLONE_PARENT) ? sleep_for_ever(shared) : 1; });
  child.wait_ready();
  const auto sibling = static_cast<pid_t>(wait_for_value(child));
  EXPECT_EQ(refusal_of(child.pid()), "shares-memory");
  EXPECT_EQ(refusal_of(sibling), "shares-memory");
  ::kill(sibling, SIGKILL);
  ::waitpid(sibling, nullptr, 0);
  EXPECT_EQ(refusal_of(child.pid()), "");
}

// The kernel keeps the main thread as a zombie without memory.
TEST(Attachable, APartnerWhoseMainThreadHasEndedIsFound) {
  Child child([](Shared& shared) {
    constexpr std::size_t kStack = 1 << 16;
    auto* stack = static_cast<char*>(std::malloc(kStack));
    const auto body = [](void* where) {
      constexpr std::size_t kInnerStack = 1 << 16;
      auto* inner = static_cast<char*>(std::malloc(kInnerStack));
      ::clone(pause_in_shared_memory, inner + kInnerStack,
              CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_FILES, where);
      ::syscall(SYS_exit, 0);
      return 0;
    };
    ::clone(body, stack + kStack, CLONE_VM | SIGCHLD, &shared.value);
    return sleep_for_ever(shared);
  });
  child.wait_ready();
  const auto partner = static_cast<pid_t>(wait_for_value(child));
  const Stranger ended(partner);
  const auto state = [&] {
    return parse_state(read_file("/proc/" + std::to_string(partner) + "/stat").value_or(""));
  };
  while (state() != 'Z') std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(shares_memory_outside(child.pid()).value(), partner);
  EXPECT_TRUE(share_memory(child.pid(), partner));
}

TEST(Attachable, AForkedChildSharesNoMemoryWithItsParent) {
  Child child(sleep_for_ever);
  child.wait_ready();
  EXPECT_FALSE(share_memory(::getpid(), child.pid()));
}

// Only kcmp can tell that a memory is shared, and nobody but root may ask it of root's
// processes.
TEST(Attachable, WhereSharingCannotBeAskedItIsNotTakenForNone) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to have a process of another user";
  Child asker([](Shared& shared) {
    constexpr std::size_t kStack = 1 << 16;
    static std::array<char, kStack> stack;
    const pid_t partner =
        ::clone(pause_in_shared_memory, stack.data() + kStack, CLONE_VM | SIGCHLD, &shared.other);
    shared.value = static_cast<std::uint64_t>(partner);
    if (::setresuid(65534, 65534, 65534) != 0) return 2;
    const auto told = shares_memory_outside(::getpid());
    return !told && told.error().reason == "memory-sharing-unknown" ? 42 : 3;
  });
  const Stranger partner(static_cast<pid_t>(wait_for_value(asker)));
  EXPECT_EQ(asker.join(), 42);
}

TEST(Attachable, ATracedProcessMayNotAndTheTracersNameCannotForgeALine) {
  Child child(sleep_for_ever);
  child.wait_ready();
  Child tracer([&](Shared& shared) {
    ::prctl(PR_SET_NAME, "x\nnohalt: ok");
    if (::ptrace(PTRACE_SEIZE, child.pid(), nullptr, nullptr) != 0) return 1;
    return sleep_for_ever(shared);
  });
  tracer.wait_ready();
  const Status status = check_attachable(*Process::open(child.pid()));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, "traced");
  EXPECT_EQ(status.error().message.find('\n'), std::string::npos);
  EXPECT_NE(status.error().message.find("x\\nnohalt: ok"), std::string::npos);
}

TEST(Attachable, AStoppedProcessMayNot) {
  Child child(sleep_for_ever);
  child.wait_ready();
  ::kill(child.pid(), SIGSTOP);
  EXPECT_EQ(refusal_soon(child.pid()), "stopped");
}

TEST(Attachable, OneThatServesPageFaultsMayNot) {
  Child child([](Shared& shared) {
    if (::syscall(SYS_userfaultfd, O_CLOEXEC) < 0) shared.other = 1;
    return sleep_for_ever(shared);
  });
  child.wait_ready();
  if (child.shared().other != 0) GTEST_SKIP() << "no leave for userfaultfd";
  EXPECT_EQ(refusal_of(child.pid()), "userfaultfd");
}

TEST(Attachable, AnotherUsersProcessMayNot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  Child child(sleep_for_ever);
  child.wait_ready();
  Child asker([&](Shared&) {
    if (::setresuid(65534, 65534, 65534) != 0) return 2;
    return refusal_of(child.pid()) == "not-permitted" ? 42 : 3;
  });
  EXPECT_EQ(asker.join(), 42);
}

// With too few descriptors nothing can be read; nothing may then be taken for fine.
TEST(Attachable, WhatCannotBeReadIsNotTakenForFine) {
  Child child([](Shared& shared) {
    if (::syscall(SYS_userfaultfd, O_CLOEXEC) < 0) shared.other = 1;
    return sleep_for_ever(shared);
  });
  child.wait_ready();
  if (child.shared().other != 0) GTEST_SKIP() << "no leave for userfaultfd";
  const pid_t pid = child.pid();
  Child asker([pid](Shared&) {
    for (rlim_t most = 3; most < 64; ++most) {
      const rlimit few{most, 64};
      if (::setrlimit(RLIMIT_NOFILE, &few) != 0 || refusal_of(pid).empty()) return 1;
    }
    return refusal_of(pid) == "userfaultfd" ? 42 : 2;
  });
  EXPECT_EQ(asker.join(), 42);
}

TEST(Attachable, AShadowStackOfAnyThreadRefuses) {
  EXPECT_TRUE(names_shadow_stack("Name:\tx\nx86_Thread_features:\tshstk wrss \nThreads:\t1\n"));
  EXPECT_FALSE(names_shadow_stack("Name:\tshstk\nx86_Thread_features:\t\nThreads:\t1\n"));
  ProcessFacts facts;
  facts.state = 'S';
  facts.elf_class = 2;
  ASSERT_TRUE(check_facts(facts, 1));
  facts.shadow_stack = true;
  EXPECT_EQ(check_facts(facts, 1).error().reason, "shadow-stack");
}

TEST(Attachable, AMappedFileThatMayBeSlowIsFoundByItsDevice) {
  Mapping mapping;
  mapping.file = {0, 53, 7};
  const Maps maps({mapping});
  EXPECT_EQ(slow_mapping(maps, "36 35 0:53 / /mnt rw - fuse.sshfs host rw\n"), "fuse.sshfs");
  EXPECT_EQ(slow_mapping(maps, "36 35 0:53 / /mnt rw shared:1 - nfs4 host rw\n"), "nfs4");
  EXPECT_EQ(slow_mapping(maps, "36 35 0:54 / /mnt rw - nfs4 host rw\n"), std::nullopt);
  EXPECT_EQ(slow_mapping(maps, "36 35 0:53 / /mnt rw - ext4 /dev/x rw\n"), std::nullopt);
}

}  // namespace
}  // namespace nohalt::target
