// Threads are ranked by what a stop would cost them (restart.h).
#include "probes/target/candidates.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "src/base/file.h"

namespace nohalt::target {

namespace {

constexpr std::size_t kEnough = 4;
constexpr std::uint64_t kUserCode64 = 0x33;
constexpr int kGetSyscallUserDispatch = 0x4211;  // Linux 6.4; newer than the C library's header

Status refuse(const char* reason, const char* message) {
  return fail(ErrorCode::kRefused, reason, message,
              "Try again: another thread, or another moment, may do.");
}

// rseq(2): while rseq_cs names a section around pc, a detour would break it.
struct RseqSection {
  std::uint32_t version, flags;
  std::uint64_t start, length, abort;
};

// Asked for what is no registration, rseq(2) fails otherwise than a kernel without it.
bool kernel_has_rseq() { return ::syscall(SYS_rseq, nullptr, 0, 0, 0) == 0 || errno != ENOSYS; }

Status check_rseq(const Memory& memory, Tracees& tracees, pid_t tid, std::uint64_t pc) {
  __ptrace_rseq_configuration rseq{};
  if (!tracees.request(PTRACE_GET_RSEQ_CONFIGURATION, tid, sizeof rseq,
                       reinterpret_cast<std::uint64_t>(&rseq))) {
    if (!kernel_has_rseq()) return {};
    return refuse("restartable-sequence-unknown",
                  "The kernel does not say whether the thread is inside a restartable sequence.");
  }
  if (rseq.rseq_abi_pointer == 0) return {};  // the thread has registered none
  constexpr std::uint64_t kSectionPointer = 8;
  NOHALT_TRY(const auto at,
             memory.read_value<std::uint64_t>({rseq.rseq_abi_pointer + kSectionPointer}));
  if (at == 0) return {};
  const auto section = memory.read_value<RseqSection>({at});
  if (section && pc - section->start >= section->length) return {};
  return refuse("in-restartable-sequence", "The thread is inside a restartable sequence.");
}

// Kernels before 6.4 have no such question. What is dispatched arrives as SIGSYS,
// so a process that leaves that signal alone dispatches nothing.
bool catches_dispatch(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status");
  if (!status) return true;
  std::uint64_t caught = ~0ULL;
  const auto text = status_field(*status, "SigCgt");
  (void)std::from_chars(text.data(), text.data() + text.size(), caught, 16);
  return (caught >> (SIGSYS - 1) & 1) != 0;
}

Status check_dispatch(Tracees& tracees, pid_t pid, pid_t tid) {
  struct {
    std::uint64_t mode, selector, offset, length;
  } dispatch{};
  const auto known = tracees.request(kGetSyscallUserDispatch, tid, sizeof dispatch,
                                     reinterpret_cast<std::uint64_t>(&dispatch));
  if (known ? dispatch.mode == 0 : !catches_dispatch(pid)) return {};
  return refuse("syscall-user-dispatch", "The thread's system calls are handed to a handler.");
}

// A stack of a known sort: the main stack, one with a guard below it, or one
// that also holds the thread's control block (as the C library lays it out).
Status check_stack(const Maps& maps, const user_regs_struct& r, RuntimeAddress lowest) {
  const Mapping* stack = maps.find({r.rsp});
  if (stack == nullptr || lowest < stack->range.begin || !stack->writable || stack->shared)
    return refuse("unusual-stack", "The thread has too little room left on its stack.");
  const Mapping* below = maps.find(stack->range.begin - 1);
  const bool guarded = below != nullptr && !below->readable && !below->writable;
  const bool holds_control_block = stack->range.contains({r.fs_base}) && r.fs_base > r.rsp;
  if (stack->path == "[stack]" || (stack->anonymous() && (guarded || holds_control_block)))
    return {};
  return refuse("unusual-stack", "The thread runs on a stack of an unknown sort.");
}

// Where a signal frame lies in a stack's words, counted from its return address.
constexpr std::size_t kFrameFlags = 1;
constexpr std::size_t kFrameLink = 2;
constexpr std::size_t kFrameStackBase = 3;
constexpr std::size_t kFrameStackSize = 5;
constexpr std::size_t kFrameSegments = 24;
constexpr std::size_t kFrameWords = 40;

// The C library's return address alone may be a stale word; the words after it
// tell a frame that the kernel pushed.
bool is_signal_frame(std::span<const std::uint64_t> words, std::uint64_t restorer) {
  constexpr std::uint64_t kKnownFlags = 7;
  constexpr std::uint64_t kUserStack64 = 0x2b;
  return words[0] == restorer && words[kFrameFlags] <= kKnownFlags && words[kFrameLink] == 0 &&
         (words[kFrameSegments] & 0xffff) == kUserCode64 &&
         words[kFrameSegments] >> 48 == kUserStack64;
}

// The alternate stack that a handler runs on, which may be small and lie anywhere:
// nothing shows it from outside but what the kernel noted in the handler's frame.
Result<std::optional<RuntimeRange>> alternate_stack(const BorrowPlan& plan, const Maps& maps,
                                                    RuntimeAddress rsp, StackWords& words) {
  const Mapping* stack = maps.find(rsp);
  const std::uint64_t restorer = plan.gadgets.restorer.value;
  if (restorer == 0 || stack == nullptr) return std::nullopt;
  const RuntimeAddress from{(rsp.value + 7) & ~7ULL};
  words.resize(std::min(stack->range.end - from, kSignalFrameSearch) / sizeof(std::uint64_t));
  NOHALT_CHECK(plan.memory->read(from, std::as_writable_bytes(std::span(words))));
  for (std::size_t i = 0; i + kFrameWords <= words.size(); ++i) {
    const auto frame = std::span(words).subspan(i, kFrameWords);
    if (!is_signal_frame(frame, restorer)) continue;
    const RuntimeAddress base{frame[kFrameStackBase]};
    const RuntimeRange range{base, base + frame[kFrameStackSize]};
    return range.contains(rsp) ? std::optional(range) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::vector<Candidate> rank_candidates(const std::vector<ThreadState>& threads) {
  std::vector<Candidate> candidates;
  for (const auto& thread : threads) {
    if (thread.state != 'R' && thread.state != 'S') continue;
    const StopCost cost = thread.blocked ? stop_cost(*thread.blocked) : StopCost::kNone;
    if (cost != StopCost::kUnknown) candidates.push_back({thread.tid, cost});
  }
  // A thread that seems to run may be inside the kernel, half-way through a
  // transfer. One asleep in a call that the kernel itself restarts is sure.
  const auto rank = [](const Candidate& c) {
    return std::pair(c.cost != StopCost::kRestarts, c.cost);
  };
  std::ranges::stable_sort(candidates, {}, rank);
  std::erase_if(candidates, [](const Candidate& c) { return c.cost == StopCost::kPartial; });
  return candidates;
}

Result<std::vector<Candidate>> find_candidates(pid_t pid) {
  NOHALT_TRY(const auto tids, list_threads(pid));
  std::vector<ThreadState> threads;
  std::size_t sure = 0;
  for (const pid_t tid : tids) {
    auto thread = read_thread(pid, tid);
    if (!thread) continue;
    if (thread->blocked && stop_cost(*thread->blocked) == StopCost::kRestarts) ++sure;
    threads.push_back(std::move(*thread));
    if (sure >= kEnough) break;
  }
  return rank_candidates(threads);
}

Status check_stopped_thread(const BorrowPlan& plan, const Maps& maps, Tracees& tracees, pid_t tid,
                            const user_regs_struct& registers, RuntimeAddress lowest,
                            StackWords& words) {
  if (registers.cs != kUserCode64) return refuse("not-64-bit", "The thread runs 32-bit code.");
  NOHALT_CHECK(check_rseq(*plan.memory, tracees, tid, registers.rip));
  NOHALT_CHECK(check_dispatch(tracees, plan.pid, tid));
  NOHALT_TRY(const auto alternate, alternate_stack(plan, maps, {registers.rsp}, words));
  if (!alternate) return check_stack(maps, registers, lowest);
  if (alternate->contains(lowest)) return {};
  return refuse("unusual-stack", "The thread has too little room left on its signal stack.");
}

}  // namespace nohalt::target
