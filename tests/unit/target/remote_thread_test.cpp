// Borrowing from live processes in every state a thread may be in.
#include "probes/target/remote_thread.h"

#include <gtest/gtest.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <thread>

#include "probes/target/threads.h"
#include "tests/unit/target/child.h"

namespace nohalt::target {
namespace {

using test::Child;
using test::Shared;

constexpr int kRounds = 5;

struct Opened {
  Process process;
  TargetLock lock;
};

Result<Opened> open_target(const Child& child) {
  NOHALT_TRY(auto process, Process::open(child.pid()));
  NOHALT_TRY(auto lock, TargetLock::acquire(process));
  return Opened{std::move(process), std::move(lock)};
}

// One whole session; what went wrong, or nothing.
std::string visit(const Opened& target) {
  auto thread = RemoteThread::borrow(target.process, target.lock);
  if (!thread) return thread.error().reason + ": " + thread.error().message;
  const auto pid = thread->raw_call(SYS_getpid, {});
  if (!pid || *pid != target.process.pid()) return "getpid gave another pid";
  const auto finished = thread->finish();
  return finished ? "" : finished.error().message;
}

int spin(Shared& shared) {
  shared.ready = 1;
  while (shared.go == 0) shared.value.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

TEST(RemoteThread, MakesCallsBesideARunningThreadAndLeavesNothing) {
  Child child(spin);
  child.wait_ready();
  const auto target = open_target(child);
  ASSERT_TRUE(target);
  const auto maps = read_maps(child.pid());
  for (int i = 0; i < kRounds; ++i) ASSERT_EQ(visit(*target), "");
  EXPECT_EQ(list_threads(child.pid())->size(), 1U);
  EXPECT_EQ(Process::open(child.pid())->facts().tracer, 0);
  EXPECT_EQ(*read_maps(child.pid()), *maps);
  child.shared().go = 1;
  EXPECT_EQ(child.join(), 0);
}

TEST(RemoteThread, HelperHasADescriptorTableOfItsOwn) {
  Child child(spin);
  child.wait_ready();
  const auto target = open_target(child);
  auto thread = RemoteThread::borrow(target->process, target->lock);
  ASSERT_TRUE(thread);
  const auto fd = thread->raw_call(SYS_eventfd2, {0, 0, 0, 0, 0, 0});
  ASSERT_TRUE(fd);
  EXPECT_EQ(*fd, 0);  // nothing is open in it, although the child has 0, 1 and 2
  EXPECT_TRUE(thread->finish());
}

// A sleep that is told by its result whether anything woke it but the stimulus.
struct Sleep {
  const char* name;
  int (*body)(Shared&);
};

int in_epoll(Shared& shared) {
  const int epoll = ::epoll_create1(0);
  shared.ready = 1;
  epoll_event event{};
  return ::epoll_wait(epoll, &event, 1, 1500) == 0 ? 0 : errno;
}
int in_poll(Shared& shared) {
  shared.ready = 1;
  return ::poll(nullptr, 0, 1500) == 0 ? 0 : errno;
}
int in_sigtimedwait(Shared& shared) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  shared.ready = 1;
  const timespec timeout{1, 500'000'000};
  return ::sigtimedwait(&set, nullptr, &timeout) < 0 && errno == EAGAIN ? 0 : 1;
}
int in_semtimedop(Shared& shared) {
  const int id = ::semget(IPC_PRIVATE, 1, 0600);
  shared.ready = 1;
  sembuf take{0, -1, 0};
  const timespec timeout{1, 500'000'000};
  const int result = ::semtimedop(id, &take, 1, &timeout) < 0 && errno == EAGAIN ? 0 : 1;
  ::semctl(id, 0, IPC_RMID);
  return result;
}
int in_recv(Shared& shared) {
  int ends[2];
  ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  const timeval timeout{1, 500'000};
  ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  shared.ready = 1;
  char byte = 0;
  return ::recv(ends[0], &byte, 1, 0) < 0 && errno == EAGAIN ? 0 : 1;
}
int in_futex(Shared& shared) {
  int word = 0;
  const timespec timeout{1, 500'000'000};
  shared.ready = 1;
  return ::syscall(SYS_futex, &word, FUTEX_WAIT, 0, &timeout) < 0 && errno == ETIMEDOUT ? 0 : 1;
}

class Asleep : public testing::TestWithParam<Sleep> {};

TEST_P(Asleep, IsNotDisturbed) {
  Child child(GetParam().body);
  child.wait_ready(true);
  const auto target = open_target(child);
  ASSERT_TRUE(target);
  for (int i = 0; i < kRounds && child.alive(); ++i) {
    const std::string wrong = visit(*target);
    EXPECT_TRUE(wrong.empty() || !child.alive()) << wrong;
  }
  EXPECT_EQ(child.join(), 0);
}

INSTANTIATE_TEST_SUITE_P(In, Asleep,
                         testing::Values(Sleep{"epoll", in_epoll}, Sleep{"poll", in_poll},
                                         Sleep{"sigtimedwait", in_sigtimedwait},
                                         Sleep{"semtimedop", in_semtimedop}, Sleep{"recv", in_recv},
                                         Sleep{"futex", in_futex}),
                         [](const auto& sleep) { return std::string(sleep.param.name); });

TEST(RemoteThread, ASleepEndsWhenItWouldHave) {
  Child child([](Shared& shared) {
    timespec begin{};
    timespec end{};
    ::clock_gettime(CLOCK_MONOTONIC, &begin);
    shared.ready = 1;
    const timespec length{3, 0};
    const int result = ::nanosleep(&length, nullptr);
    ::clock_gettime(CLOCK_MONOTONIC, &end);
    shared.value = static_cast<std::uint64_t>(end.tv_sec - begin.tv_sec) * 1000 +
                   static_cast<std::uint64_t>((end.tv_nsec - begin.tv_nsec) / 1'000'000);
    return result;
  });
  child.wait_ready(true);
  const auto target = open_target(child);
  ::usleep(2'000'000);
  EXPECT_EQ(visit(*target), "");
  EXPECT_EQ(child.join(), 0);
  EXPECT_GE(child.shared().value, 3000U);
  EXPECT_LT(child.shared().value, 5000U);  // begun anew it would have been five seconds
}

TEST(RemoteThread, AHalfDoneTransferIsLeftAlone) {
  Child child([](Shared& shared) {
    int ends[2];
    if (::pipe(ends) != 0) return 1;
    static char bytes[1 << 20];
    shared.ready = 1;
    return ::write(ends[1], bytes, sizeof bytes) == sizeof bytes ? 0 : 1;
  });
  child.wait_ready(true);
  const auto target = open_target(child);
  EXPECT_EQ(visit(*target).substr(0, 20), "no-borrowable-thread");
  EXPECT_TRUE(child.alive());
}

TEST(RemoteThread, AThreadWhoseCallsAreDispatchedIsNotBorrowed) {
  Child child([](Shared& shared) -> int {
    static char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    if (::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector) != 0)
      shared.other = 1;
    shared.ready = 1;
    while (true) ::pause();
  });
  child.wait_ready(true);
  if (child.shared().other != 0) GTEST_SKIP() << "no syscall user dispatch";
  auto target = open_target(child);
  EXPECT_EQ(visit(*target).substr(0, 21), "syscall-user-dispatch");
  EXPECT_TRUE(child.alive());
}

// Never leaves a restartable sequence: where the kernel aborts it, it enters anew.
[[noreturn]] void stay_in_sequence(void* area) {
  asm volatile(
      ".pushsection .data\n.balign 32\n7: .long 0, 0\n.quad 1f, 2f-1f, 3f\n.popsection\n"
      "4: leaq 7b(%%rip), %%rax\nmovq %%rax, 8(%0)\n"
      "1: pause\njmp 1b\n"
      "2: .byte 0x0f, 0xb9, 0x3d\n.long 0x53053053\n"
      "3: jmp 4b\n"
      :
      : "r"(area)
      : "rax", "memory");
  __builtin_unreachable();
}

// Keeps the calling thread on one processor, where there are several.
class OwnProcessor {
 public:
  explicit OwnProcessor(int number) {
    ::sched_getaffinity(0, sizeof(before_), &before_);
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(number, &only);
    ::sched_setaffinity(0, sizeof(only), &only);
  }
  OwnProcessor(const OwnProcessor&) = delete;
  OwnProcessor& operator=(const OwnProcessor&) = delete;
  ~OwnProcessor() { ::sched_setaffinity(0, sizeof(before_), &before_); }

 private:
  cpu_set_t before_{};
};

TEST(RemoteThread, AThreadInARestartableSequenceIsNotBorrowed) {
  if (__rseq_size == 0) GTEST_SKIP() << "the C library registers no area";
  const OwnProcessor here(0);
  Child child([](Shared& shared) -> int {
    const OwnProcessor there(1);
    ::setpriority(PRIO_PROCESS, 0, -20);  // where allowed, so that it keeps its processor
    shared.ready = 1;
    stay_in_sequence(static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset);
  });
  child.wait_ready();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until it is inside
  auto target = open_target(child);
  // The kernel throws a thread out of its sequence when it takes the processor from
  // it; one that is stopped on its way back in may be borrowed.
  std::string refused;
  for (int i = 0; i < 50 && !refused.starts_with("in-restartable-sequence"); ++i)
    refused = visit(*target);
  EXPECT_EQ(refused.substr(0, 23), "in-restartable-sequence");
  EXPECT_TRUE(child.alive());
}

TEST(RemoteThread, AnExecveIsNotHungAndEndsTheSession) {
  Child child([](Shared& shared) {
    shared.ready = 1;
    while (shared.go == 0) shared.value.fetch_add(1, std::memory_order_relaxed);
    ::execl("/bin/true", "true", nullptr);
    return 1;
  });
  child.wait_ready();
  const auto target = open_target(child);
  auto thread = RemoteThread::borrow(target->process, target->lock);
  ASSERT_TRUE(thread);
  child.shared().go = 1;
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(thread->raw_call(SYS_getpid, {}).error().code, ErrorCode::kTargetGone);
  EXPECT_FALSE(thread->finish());
}

TEST(RemoteThread, AThreadTooManyIsRefusedByName) {
  Child child([](Shared& shared) {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_NPROC, &none);
    // The limit does not bind root.
    constexpr uid_t kNobody = 65534;
    if (::getuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) return 1;
    return spin(shared);
  });
  child.wait_ready();
  const auto target = open_target(child);
  EXPECT_EQ(visit(*target).substr(0, 9), "pid-limit");
  EXPECT_TRUE(child.alive());
}

TEST(RemoteThread, SignalsThatComeMeanwhileAreDelivered) {
  static Shared* counts = nullptr;
  Child child([](Shared& shared) {
    counts = &shared;
    ::signal(SIGUSR1, [](int) { counts->other.fetch_add(1); });
    return spin(shared);
  });
  child.wait_ready();
  const auto target = open_target(child);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    auto thread = RemoteThread::borrow(target->process, target->lock);
    ASSERT_TRUE(thread);
    ::kill(child.pid(), SIGUSR1);
    while (child.shared().other < i && child.alive()) ::usleep(1000);
    EXPECT_TRUE(thread->finish());
  }
  child.shared().go = 1;
  EXPECT_EQ(child.join(), 0);
}

std::array<char, 1 << 16> around;  // the alternate stack at its end

void handle_at_end_of(std::size_t size, void (*handler)(int)) {
  const stack_t stack{around.data() + around.size() - size, 0, size};
  ::sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK;
  ::sigaction(SIGUSR1, &action, nullptr);
  ::raise(SIGUSR1);
}

// What the kernel puts there for a handler: from one kilobyte to twelve, as the
// processor has vector registers.
std::size_t frame_size() {
  static const char* seen = nullptr;
  handle_at_end_of(around.size(),
                   [](int) { seen = static_cast<char*>(__builtin_frame_address(0)); });
  ::signal(SIGUSR1, SIG_DFL);
  const stack_t none{nullptr, SS_DISABLE, 0};
  ::sigaltstack(&none, nullptr);
  around.fill(0);
  return static_cast<std::size_t>(around.data() + around.size() - seen);
}

// Runs in a handler on an alternate stack of `size` bytes, and tells whether any
// below it was written.
int spin_in_handler(Shared& shared, std::size_t size) {
  static Shared* run = nullptr;
  run = &shared;
  handle_at_end_of(size, [](int) { (void)spin(*run); });
  return std::ranges::all_of(std::span(around).first(around.size() - size),
                             [](char c) { return c == 0; })
             ? 0
             : 1;
}

// Of so much room beyond the handler's frame.
constexpr std::size_t kTight = 600;
constexpr std::size_t kAmple = 30'000;
class InHandler : public testing::TestWithParam<std::size_t> {};

TEST_P(InHandler, NothingBelowTheSignalStackIsWritten) {
  const std::size_t size = frame_size() + GetParam();
  Child child([size](Shared& shared) { return spin_in_handler(shared, size); });
  child.wait_ready();
  const auto target = open_target(child);
  const std::string wrong = visit(*target);  // refused where there is no room
  if (GetParam() == kAmple) {
    EXPECT_EQ(wrong, "");
  }
  if (GetParam() == kTight) {
    EXPECT_EQ(wrong.substr(0, 13), "unusual-stack");
  }
  child.shared().go = 1;
  EXPECT_EQ(child.join(), 0);
}

INSTANTIATE_TEST_SUITE_P(Of, InHandler, testing::Values(kTight, 1600, 2600, kAmple));

}  // namespace
}  // namespace nohalt::target
