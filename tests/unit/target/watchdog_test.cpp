// Going before other threads for a while.
#include "probes/target/watchdog.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

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

}  // namespace
}  // namespace nohalt::target
