// All threads of live processes stopped at once, in every state they may be in.
#include "probes/target/stand_still.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "probes/target/remote_thread.h"
#include "probes/target/threads.h"
#include "tests/unit/target/child.h"

// A loop behind the first instruction of its window, so that a thread is always
// between two of them, wherever the processor takes interrupts. It ends with an odd
// number, unless an instruction was run too often or not at all.
asm(R"(
  .pushsection .text
  .globl crowded_loop, crowded_begin, crowded_second, crowded_third, crowded_end
  .type crowded_loop, @function
crowded_loop:
  lock incq (%rsi)
  xor %eax, %eax
crowded_begin:
  inc %rax
crowded_second:
  inc %rax
crowded_third:
  inc %rax
crowded_end:
  cmpl $0, (%rdi)
  je crowded_second
  ret
  .globl moved_second, moved_third
moved_second:
  inc %rax
moved_third:
  inc %rax
  jmp crowded_end
  .popsection
)");
extern "C" std::uint64_t crowded_loop(const std::atomic<int>* over,
                                      std::atomic<std::uint64_t>* inside);
extern "C" const char crowded_begin, crowded_second, crowded_third, crowded_end, moved_second,
    moved_third;

namespace nohalt::target {
namespace {

using test::Child;
using test::Shared;

constexpr std::uint64_t kCrowdedSize = 14;  // of the loop, which is nearly all that is run

RuntimeAddress at(const char& label) { return {reinterpret_cast<std::uint64_t>(&label)}; }

// A session with a file that patches can be written to.
struct Session {
  explicit Session(const std::function<int(Shared&)>& body) : child(body) {
    child.wait_ready();
    process.emplace(std::move(*Process::open(child.pid())));
    lock.emplace(std::move(*TargetLock::acquire(*process)));
    auto borrowed = RemoteThread::borrow(*process, *lock);
    EXPECT_TRUE(borrowed) << borrowed.error().message;
    thread.emplace(std::move(*borrowed));
    holds_before = thread->holds();
    const auto name = thread->put_text("patched");
    const auto file = thread->raw_call(SYS_memfd_create, {name->value, 0, 0, 0, 0, 0});
    remote_file = static_cast<std::uint64_t>(*file);
    local_file.emplace(std::move(*thread->open_remote_descriptor(remote_file, O_RDWR)));
    EXPECT_EQ(::ftruncate(local_file->get(), 4096), 0);
  }

  // Four bytes at 100.
  [[nodiscard]] StandStillOrder order() const {
    StandStillOrder order;
    order.patches[0] = {remote_file, 100, 4, {}};
    std::ranges::fill(order.patches[0].bytes, std::byte{0x5a});
    order.patch_count = 1;
    order.longest_hold = kLongestStandStill;
    return order;
  }
  [[nodiscard]] bool is_written() const {
    std::uint32_t value = 0;
    return ::pread(local_file->get(), &value, sizeof value, 100) == 4 && value == 0x5a5a5a5a;
  }
  [[nodiscard]] std::uint64_t new_holds() const {
    return thread->holds().count - holds_before.count;
  }

  Child child;
  std::optional<Process> process;
  std::optional<TargetLock> lock;
  std::optional<RemoteThread> thread;
  std::optional<UniqueFd> local_file;
  std::uint64_t remote_file = 0;
  HoldReport holds_before;
};

std::string outcome(Session& session, const StandStillOrder& order) {
  const Status stood = session.thread->stand_still(order);
  return stood ? "done" : stood.error().reason;
}

// On a machine with far more to do than processors a thread may not get its turn to stop
// within the longest hold; then it has to be tried again.
std::string outcome_in_the_end(Session& session, const StandStillOrder& order) {
  constexpr int kTries = 20;
  std::string reason;
  for (int i = 0; i < kTries; ++i) {
    session.holds_before = session.thread->holds();
    reason = outcome(session, order);
    if (reason != "thread-does-not-stop" && reason != "hold-too-long") break;
  }
  return reason;
}

// So many threads that each run `body`; the child's result is the sum of theirs.
std::function<int(Shared&)> crowd(int count, int (*body)(Shared&)) {
  return [=](Shared& shared) {
    std::atomic<int> sum = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back([&] { sum += body(shared); });
    while (shared.other < static_cast<std::uint64_t>(count)) ::usleep(100);
    shared.ready = 1;
    for (std::thread& thread : threads) thread.join();
    return sum.load();
  };
}

int spin(Shared& shared) {
  ++shared.other;
  while (shared.go == 0) shared.value.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

// 1 where it was woken by anything but its time-out.
int wait_in_epoll(Shared& shared) {
  const int epoll = ::epoll_create1(0);
  ++shared.other;
  epoll_event event{};
  return ::epoll_wait(epoll, &event, 1, 1500) == 0 ? 0 : 1;
}

TEST(StandStill, EveryThreadIsHeldOnceAndGoesOn) {
  Session session(crowd(8, spin));
  ASSERT_EQ(outcome_in_the_end(session, session.order()), "done");
  EXPECT_TRUE(session.is_written());
  EXPECT_GE(session.new_holds(), 9U);
  EXPECT_EQ(session.new_holds() % 9, 0U) << "once a try";
  EXPECT_TRUE(session.thread->finish());
  EXPECT_EQ(Process::open(session.child.pid())->facts().tracer, 0);
  session.child.shared().go = 1;
  EXPECT_EQ(session.child.join(), 0);
}

TEST(StandStill, NoSleeperIsWoken) {
  Session session(crowd(8, wait_in_epoll));
  for (int i = 0; i < 5; ++i) ASSERT_EQ(outcome_in_the_end(session, session.order()), "done");
  EXPECT_TRUE(session.thread->finish());
  EXPECT_EQ(session.child.join(), 0);
}

int run_crowded(Shared& shared) { return crowded_loop(&shared.go, &shared.other) % 2 == 1 ? 0 : 1; }

StandStillOrder crowded_order(const Session& session) {
  StandStillOrder order = session.order();
  order.windows[0] = {at(crowded_begin) + 1, at(crowded_end)};
  order.window_count = 1;
  order.detours[0] = {at(crowded_second), at(moved_second)};
  order.detours[1] = {at(crowded_third), at(moved_third)};
  order.detour_count = 2;
  return order;
}

TEST(StandStill, WhoIsBetweenTwoInstructionsIsLedIntoTheirCopy) {
  Session session(crowd(8, run_crowded));
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(outcome_in_the_end(session, crowded_order(session)), "done");
  EXPECT_TRUE(session.is_written());
  EXPECT_TRUE(session.thread->finish());
  session.child.shared().go = 1;
  EXPECT_EQ(session.child.join(), 0) << "each round was run whole";
}

// Never where it would run half of the window's instructions in their new form.
TEST(StandStill, WithoutACopyWhoIsInTheWindowForbidsIt) {
  Session session(crowd(1, run_crowded));
  StandStillOrder order = crowded_order(session);
  order.windows[0].end = at(crowded_begin) + kCrowdedSize;
  order.detour_count = 0;
  EXPECT_EQ(outcome_in_the_end(session, order), "handler-in-window");
  EXPECT_FALSE(session.is_written());
  EXPECT_TRUE(session.thread->finish());
  session.child.shared().go = 1;
  EXPECT_EQ(session.child.join(), 0);
}

std::atomic<int>* over = nullptr;
std::atomic<int>* entered = nullptr;

void wait_in_handler(int, siginfo_t*, void* context) {
  const auto pc = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
  const auto offset = static_cast<std::uint64_t>(pc) - at(crowded_begin).value;
  if (offset >= kCrowdedSize) return;
  entered->store(1);
  while (over->load() == 0) ::usleep(1000);
}

TEST(StandStill, AHandlerOnTopOfTheWindowForbidsIt) {
  Session session([](Shared& shared) {
    over = &shared.go;
    static std::atomic<int> in;
    entered = &in;
    struct sigaction action {};
    action.sa_sigaction = wait_in_handler;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGUSR1, &action, nullptr);
    std::thread interrupted([&] { crowded_loop(&shared.go, &shared.other); });
    while (in == 0) {
      ::pthread_kill(interrupted.native_handle(), SIGUSR1);
      ::usleep(1000);
    }
    shared.ready = 1;
    interrupted.join();
    return 0;
  });
  StandStillOrder order = crowded_order(session);
  order.windows[0] = {at(crowded_begin), at(crowded_begin) + kCrowdedSize};
  EXPECT_EQ(outcome_in_the_end(session, order), "handler-in-window");
  EXPECT_FALSE(session.is_written());
  EXPECT_TRUE(session.thread->finish());
  session.child.shared().go = 1;
  EXPECT_EQ(session.child.join(), 0);
}

// It has received a part of what it waits for, and would have to say so.
TEST(StandStill, NobodyIsStoppedWhileAThreadIsInATransfer) {
  Session session([](Shared& shared) {
    int ends[2];
    ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    std::thread receiver([&] {
      char bytes[10];
      shared.value = static_cast<std::uint64_t>(::recv(ends[0], bytes, sizeof bytes, MSG_WAITALL));
    });
    (void)!::write(ends[1], "12345", 5);
    for (int left = 5; left != 0; ::usleep(1000)) ::ioctl(ends[0], FIONREAD, &left);
    shared.ready = 1;
    while (shared.go == 0) ::usleep(1000);
    (void)!::write(ends[1], "67890", 5);
    receiver.join();
    return shared.value == 10 ? 0 : 1;
  });
  EXPECT_EQ(outcome(session, session.order()), "thread-in-transfer");
  EXPECT_EQ(session.new_holds(), 0U);
  EXPECT_TRUE(session.thread->finish());
  session.child.shared().go = 1;
  EXPECT_EQ(session.child.join(), 0);
}

TEST(StandStill, AHoldLongerThanAllowedChangesNothing) {
  Session session(crowd(8, spin));
  StandStillOrder order = session.order();
  order.longest_hold = 1000;
  EXPECT_FALSE(session.thread->stand_still(order));
  EXPECT_FALSE(session.is_written());
  EXPECT_TRUE(session.thread->finish());
  session.child.shared().go = 1;
  EXPECT_EQ(session.child.join(), 0);
}

// Threads come and go while they are asked to stop.
// One of several threads replaces the program as soon as it is let.
int replace_itself(Shared& shared) {
  if (shared.other.fetch_add(1) != 0) {
    for (;;) shared.value.fetch_add(1, std::memory_order_relaxed);
  }
  while (shared.go == 0) std::this_thread::yield();
  ::execl("/bin/sleep", "sleep", "60", nullptr);
  return 1;
}

// Whatever moment of the execve a step meets, and whatever it was about to use.
TEST(StandStill, AnExecveMeanwhileIsTheEndOfTheTarget) {
  constexpr int kMoments = 5;
  for (int moment = 0; moment < kMoments; ++moment) {
    Session session(crowd(4, replace_itself));
    session.child.shared().go = 1;
    std::this_thread::sleep_for(std::chrono::microseconds(moment * 250));
    std::string met;
    for (int i = 0; i < 1000 && met != "target-gone"; ++i) {
      met = outcome(session, session.order());
      ASSERT_NE(met, "system-call-failed") << "moment " << moment;
    }
    EXPECT_EQ(met, "target-gone");
    EXPECT_TRUE(session.child.alive());
  }
}

TEST(StandStill, NewThreadsAreStoppedToo) {
  Session session([](Shared& shared) {
    const auto make = [&] {
      while (shared.go == 0) std::thread([&] { shared.value.fetch_add(1); }).join();
    };
    std::thread one(make);
    std::thread two(make);
    shared.ready = 1;
    one.join();
    two.join();
    return 0;
  });
  for (int i = 0; i < 30; ++i) {
    const std::string reason = outcome_in_the_end(session, session.order());
    ASSERT_TRUE(reason == "done" || reason == "threads-change") << reason;
  }
  EXPECT_TRUE(session.is_written());
  EXPECT_TRUE(session.thread->finish());
  session.child.shared().go = 1;
  EXPECT_EQ(session.child.join(), 0);
}

}  // namespace
}  // namespace nohalt::target
