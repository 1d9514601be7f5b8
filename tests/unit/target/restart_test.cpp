#include "probes/target/restart.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>

#include "probes/target/candidates.h"

namespace nohalt::target {
namespace {

user_regs_struct stopped_in(long call, long result) {
  user_regs_struct r{};
  r.orig_rax = static_cast<unsigned long long>(call);
  r.rax = static_cast<unsigned long long>(result);
  r.rip = 0x1002;
  return r;
}

BlockedCall blocked(long number, std::uint64_t fourth = 0) {
  BlockedCall call;
  call.number = number;
  call.arguments[3] = fourth;
  return call;
}

TEST(Restart, MakesTheKernelRestartCallsThatReturnEintr) {
  for (const long call : {SYS_epoll_wait, SYS_semop, SYS_rt_sigtimedwait, SYS_recvfrom})
    EXPECT_EQ(static_cast<long>(repair_after_stop(stopped_in(call, -EINTR)).rax), -514) << call;
}

TEST(Restart, LeavesOtherResultsAlone) {
  for (const auto& r : {stopped_in(SYS_epoll_wait, 3), stopped_in(SYS_close, -EINTR),
                        stopped_in(SYS_nanosleep, -516), stopped_in(-1, -EINTR)})
    EXPECT_EQ(repair_after_stop(r).rax, r.rax);
}

TEST(Restart, RewindsToTheInstructionOfTheCall) {
  for (const long code : {-512L, -513L, -514L, -516L}) {
    const auto r = rewind_call(stopped_in(SYS_poll, code));
    EXPECT_EQ(r.rip, 0x1000U);
    EXPECT_EQ(r.rax, static_cast<unsigned long long>(SYS_poll));
    EXPECT_FALSE(in_system_call(r));
  }
  EXPECT_EQ(rewind_call(stopped_in(SYS_read, 5)).rip, 0x1002U);
}

TEST(Restart, RanksCallsThatTheKernelRestartsFirstAndNeverTakesPartialTransfers) {
  const auto thread = [](pid_t tid, char state, std::optional<BlockedCall> call) {
    return ThreadState{tid, state, call};
  };
  const auto ranked = rank_candidates(
      {thread(1, 'S', blocked(SYS_read)), thread(2, 'S', blocked(SYS_epoll_wait)),
       thread(3, 'S', blocked(SYS_futex)), thread(4, 'R', std::nullopt),
       thread(5, 'S', blocked(SYS_write)), thread(6, 'D', std::nullopt),
       thread(7, 'S', blocked(SYS_recvfrom, MSG_WAITALL)), thread(8, 'T', std::nullopt)});
  std::vector<pid_t> order;
  for (const auto& candidate : ranked) order.push_back(candidate.tid);
  EXPECT_EQ(order, (std::vector<pid_t>{3, 4, 2, 1}));
}

}  // namespace
}  // namespace nohalt::target
