// Pure: tables of system call numbers.
#include "probes/target/restart.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace nohalt::target {

namespace {

// The kernel's codes in rax of a thread that is about to restart a call.
constexpr long kRestartSys = -512;
constexpr long kRestartNoIntr = -513;
constexpr long kRestartNoHand = -514;
constexpr long kRestartBlock = -516;

constexpr std::uint64_t kSyscallInstructionSize = 2;

constexpr std::array kRestarting = {
    SYS_futex,         SYS_nanosleep, SYS_clock_nanosleep, SYS_poll,
    SYS_ppoll,         SYS_select,    SYS_pselect6,        SYS_pause,
    SYS_rt_sigsuspend, SYS_wait4,     SYS_waitid,          SYS_restart_syscall,
    SYS_msgrcv,        SYS_msgsnd,    SYS_flock,           SYS_fcntl,
    SYS_accept,        SYS_accept4,   SYS_mq_timedreceive, SYS_mq_timedsend};

constexpr std::array kRepairable = {SYS_epoll_wait,   SYS_epoll_pwait,  SYS_epoll_pwait2,
                                    SYS_semop,        SYS_semtimedop,   SYS_rt_sigtimedwait,
                                    SYS_io_getevents, SYS_io_pgetevents};

constexpr std::array kPlainReads = {SYS_read, SYS_recvfrom, SYS_recvmsg};

// Can return EINTR with nothing done where the socket has a time-out.
constexpr std::array kRepairableWithTimeout = {SYS_read, SYS_recvfrom, SYS_recvmsg, SYS_accept,
                                               SYS_accept4};

constexpr std::array kTransfers = {SYS_write,    SYS_pread64,         SYS_pwrite64, SYS_readv,
                                   SYS_writev,   SYS_preadv,          SYS_pwritev,  SYS_preadv2,
                                   SYS_pwritev2, SYS_sendto,          SYS_sendmsg,  SYS_sendmmsg,
                                   SYS_recvmmsg, SYS_sendfile,        SYS_splice,   SYS_tee,
                                   SYS_vmsplice, SYS_copy_file_range, SYS_getrandom};

template <std::size_t N>
bool among(const std::array<long, N>& numbers, long number) {
  return std::ranges::find(numbers, number) != numbers.end();
}

template <std::size_t N>
constexpr std::array<long, N> as_long(const std::array<int, N>& numbers) {
  std::array<long, N> out{};
  std::ranges::copy(numbers, out.begin());
  return out;
}

bool waits_for_all(const BlockedCall& call) {
  const std::size_t flags = call.number == SYS_recvfrom ? 3 : 2;
  return call.number != SYS_read && (call.arguments[flags] & MSG_WAITALL) != 0;
}

}  // namespace

StopCost stop_cost(const BlockedCall& call) {
  if (call.number < 0) return StopCost::kUnknown;
  if (among(as_long(kRestarting), call.number)) return StopCost::kRestarts;
  if (among(as_long(kRepairable), call.number)) return StopCost::kRepaired;
  if (among(as_long(kPlainReads), call.number))
    return waits_for_all(call) ? StopCost::kPartial : StopCost::kReads;
  return among(as_long(kTransfers), call.number) ? StopCost::kPartial : StopCost::kUnknown;
}

user_regs_struct repair_after_stop(const user_regs_struct& registers) {
  user_regs_struct repaired = registers;
  const auto number = static_cast<long>(registers.orig_rax);
  const bool repairable =
      among(as_long(kRepairable), number) || among(as_long(kRepairableWithTimeout), number);
  if (in_system_call(registers) && static_cast<long>(registers.rax) == -EINTR && repairable)
    repaired.rax = static_cast<unsigned long long>(kRestartNoHand);
  return repaired;
}

user_regs_struct rewind_call(const user_regs_struct& registers) {
  user_regs_struct rewound = repair_after_stop(registers);
  const auto result = static_cast<long>(rewound.rax);
  if (in_system_call(rewound) && (result == kRestartSys || result == kRestartNoIntr ||
                                  result == kRestartNoHand || result == kRestartBlock)) {
    rewound.rax = rewound.orig_rax;
    rewound.rip -= kSyscallInstructionSize;
  }
  rewound.orig_rax = ~0ULL;
  return rewound;
}

}  // namespace nohalt::target
