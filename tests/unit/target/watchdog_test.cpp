// What the watchdog ends, and going before other threads for a while.
#include "probes/target/watchdog.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>

#include "src/base/unique_fd.h"

namespace nohalt::target {
namespace {

TEST(BeforeOthers, IsOverWithTheObject) {
  const int policy = ::sched_getscheduler(0);
  const int nice = ::getpriority(PRIO_PROCESS, 0);
  {
    const BeforeOthers now;
    const bool realtime = ::sched_getscheduler(0) == (SCHED_RR | SCHED_RESET_ON_FORK);
    if (!realtime && ::getpriority(PRIO_PROCESS, 0) == nice)
      GTEST_SKIP() << "this user may not go before others";
  }
  EXPECT_EQ(::sched_getscheduler(0), policy);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), nice);
}

// A stand-in for a tracer that says nothing from now on.
class Silent : public testing::TestWithParam<HoldPhase> {
 protected:
  Silent() {
    void* page = ::mmap(nullptr, sizeof(Heartbeat), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    heartbeat_ = new (page) Heartbeat{};
    heartbeat_->phase = GetParam();
    heartbeat_->held_since = heartbeat_->beat = monotonic_ns();
    tracer_ = ::fork();
    if (tracer_ == 0)
      for (;;) ::pause();
  }
  ~Silent() override {
    ::kill(tracer_, SIGKILL);
    ::waitpid(watchdog_, nullptr, 0);
    ::munmap(heartbeat_, sizeof(Heartbeat));
  }
  Heartbeat* heartbeat_;
  pid_t tracer_;
  pid_t watchdog_ = 0;
};

TEST_P(Silent, TracerIsEndedInEveryPhase) {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, tracer_, 0)));
  const auto started = start_watchdog(fd.get(), *heartbeat_);
  ASSERT_TRUE(started.has_value());
  watchdog_ = *started;
  int status = 0;
  ASSERT_EQ(::waitpid(tracer_, &status, 0), tracer_);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_GT(monotonic_ns() - heartbeat_->beat, kLongestHold);
}

INSTANTIATE_TEST_SUITE_P(Watchdog, Silent,
                         testing::Values(HoldPhase::kNothing, HoldPhase::kSeizing,
                                         HoldPhase::kHolding, HoldPhase::kHelper));

}  // namespace
}  // namespace nohalt::target
