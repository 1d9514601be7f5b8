// What a borrowed thread and the helper thread need and that the target already
// has: two instruction sequences in its code, and a few words of memory that
// provably nobody uses.
//
// The instructions are `syscall; ret` and `pop %rax; ret`. With both, a chain of
// return addresses on a stack makes any system call lead to the next one, so a
// thread that is let go at any moment ends where it must (in rt_sigreturn for
// the borrowed thread, in exit for the helper) without the tool.
//
// The words lie in the tail of a needed library's last data page: the loader
// maps whole pages, the segment ends before the page does, and the tail is zero.
// Nobody may use it: the loader's own tail feeds its early allocator and musl
// gives all tails to malloc, so neither is taken; the executable's is taken only
// where the heap starts on a later page.
#pragma once

#include <array>
#include <cstdint>

#include "probes/target/image.h"
#include "probes/target/maps.h"
#include "probes/target/memory.h"

namespace nohalt::target {

struct Gadgets {
  RuntimeAddress syscall_ret;
  RuntimeAddress pop_rax_ret;
  RuntimeAddress restorer;  // the C library's return from signal handlers, or 0
};

inline constexpr std::uint64_t kScratchSize = 128;
// The helper's stack takes the first words; the rest is for short strings.
inline constexpr std::uint64_t kScratchTextOffset = 32;
inline constexpr std::uint64_t kScratchTextSize = kScratchSize - kScratchTextOffset;

// Reason "no-gadget".
[[nodiscard]] Result<Gadgets> find_gadgets(const Images& images, const Maps& maps,
                                           const Memory& memory);

// The words that lead a thread from `ret` to exit; the helper's stack.
[[nodiscard]] std::array<std::uint64_t, 3> exit_chain(const Gadgets& gadgets);

// Where the scratch words may lie: zero now, or holding what a killed run left.
// `heap_start` is field start_brk of /proc/PID/stat. Reason "no-scratch-memory".
[[nodiscard]] Result<RuntimeAddress> find_scratch(const Images& images, const Maps& maps,
                                                  const Memory& memory, RuntimeAddress heap_start);

}  // namespace nohalt::target
