// Whether a thread can be inside certain code, told from its pc and its stack.
//
// It is if its pc lies there, or if a signal handler runs on top of code that
// does: then the interrupted pc stands in the signal frame, above the handler's
// stack pointer. So everything from the stack pointer up to the end of the stack
// that looks like such a frame is compared. A bare address says nothing: the code
// never leaves a return address of its own on the stack while it is not running,
// but what it once pushed stays in the dead part, and shows up again in any large
// frame that is laid over it and not filled. A handler may run on an alternate stack (sigaltstack):
// a frame tells the stack pointer it interrupted, and where that is on another stack, this one
// counts as well. What was not seen to its end says nothing.
//
// A stack ends at the first page that cannot be read, as the guard before
// another thread's stack is one, or before that at the thread's control block,
// which the C libraries lay above the stack. The list of robust locks is in it,
// and the kernel tells where (get_robust_list(2)).
//
// Source: Linux arch/x86/kernel/signal_64.c (struct rt_sigframe).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "src/base/address.h"

namespace nohalt::target {

enum class Whereabouts { kOutside, kInside, kUnknown };

// A stack from a stack pointer up.
struct StackPart {
  RuntimeAddress begin;
  std::span<const std::uint64_t> words;
  bool whole = false;  // up to the stack's end
};

// The registers in a signal frame, as far as they tell it: stack pointer, pc, flags,
// selectors. A context's copy has them in the same order.
inline constexpr std::size_t kFrameWords = 4;
inline constexpr std::size_t kFramePc = 1;
[[nodiscard]] bool is_signal_frame(std::span<const std::uint64_t, kFrameWords> words);

// `stacks`: the one the thread runs on, and those that signal frames lead to.
[[nodiscard]] Whereabouts whereabouts(RuntimeAddress pc, std::span<const StackPart> stacks,
                                      std::span<const RuntimeRange> code);

// A stack pointer that a signal frame tells of and that none of the stacks holds.
[[nodiscard]] std::optional<RuntimeAddress> stack_not_seen(std::span<const StackPart> stacks);

// An address in the thread's control block; 0 where the kernel was told of none.
[[nodiscard]] RuntimeAddress control_block(pid_t tid);

// A copy of what tells where a thread is. Copied while the thread cannot run,
// searched when it may again: the search is the longer part.
class StackCopy {
 public:
  StackCopy();

  void take(pid_t tid, RuntimeAddress pc, RuntimeAddress stack_pointer);
  [[nodiscard]] Whereabouts where(std::span<const RuntimeRange> code) const;
  // The stack it runs on ends there, since the next page cannot be read.
  [[nodiscard]] bool ends_at(RuntimeAddress end) const;

 private:
  bool add(pid_t tid, RuntimeAddress stack_pointer);

  RuntimeAddress pc_;
  RuntimeAddress control_block_;
  std::vector<std::uint64_t> words_;  // of all stacks, one behind the other
  std::size_t used_ = 0;              // of the words
  std::vector<StackPart> stacks_;
};

}  // namespace nohalt::target
