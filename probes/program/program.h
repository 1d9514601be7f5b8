// A capture program: what runs at a hit. Its instruction set is eBPF (RFC 9669)
// in a narrow profile, so that one program has several executors (translated to
// x86-64 inside the target; in the kernel behind a uprobe; the interpreter here,
// which is the oracle of both).
//
// Profile:
//  - ALU and ALU64, JMP and JMP32 classes; LDX/STX/ST MEM of 1, 2, 4, 8 bytes
//    (v3; no sign-extending loads, no atomics); LD_IMM64 with src 0.
//  - forward jumps only; at most kMaxInstructions slots; at most 256 bytes of stack below r10.
//  - r1 on entry: the context (runtime::HitContext); only what the hit has saved
//    in it (is_saved_register), and with needs_xmm its xmm array, may be loaded,
//    8 bytes aligned at a time.
//  - stores go to the program's stack and to the reserved record's body only.
//  - calls: the Helpers below and nothing else.
//  - r0 at exit is an Outcome.
//  - no pointer is stored, compared (but the record with zero) or reckoned with
//    (but for adding and subtracting known constants); the record is not read.
//  - a token (take_token, open_call, close_call) at most once; reserve at most once, and only where
//  the token was
//    compared with zero and granted; the record is used only where it was
//    compared with zero, and committed or abandoned before exit.
//  - every instruction can be reached.
// Division by zero gives 0 and modulo by zero the dividend, as RFC 9669 says.
#pragma once

#include <cstdint>
#include <vector>

namespace nohalt::program {

// One 64-bit instruction slot, laid out as RFC 9669 section 3 says.
struct Instruction {
  std::uint8_t opcode = 0;
  std::uint8_t dst : 4 = 0;
  std::uint8_t src : 4 = 0;
  std::int16_t offset = 0;
  std::int32_t imm = 0;

  friend bool operator==(const Instruction&, const Instruction&) = default;
};
static_assert(sizeof(Instruction) == 8);

inline constexpr std::size_t kMaxInstructions = 16384;

// The functions a program may call. r1..r5 are arguments and clobbered; r0 is
// the result. `to` must point into the program's stack or the record's body with
// room for `size` (or `max`), both of which must be constants known to the
// verifier; `from` is any number: it is an address in the target, never
// dereferenced by the program itself. A negative result means unreadable.
// Whatever the result, all of `to` is defined: zeros where nothing was read.
// Reads of a known size are all or nothing; read_stack takes what is mapped, since
// nobody knows how deep a stack is.
// tree_next finds the node behind `from` in an ordered tree whose nodes know their parents
// (a red-black tree of either C++ library): the leftmost below its right, or the nearest
// above on whose left it is. `links` says where in a node these are. It takes no more than
// runtime::kTreeSteps reads, sees each link from both ends, and what does not fit counts as
// unreadable. Behind the last node is the tree's header.
// next_full says how many of `count` bytes at `from` come before the first whose top bit is
// clear: which bucket of a hash table (hashbrown's) is the next with something in it. It looks
// at no more than runtime::kTableSteps pieces of `size` bytes, and leaves zeros in `to`.
// thread_pointer is a number like any other, and nothing says that it leads to memory: a
// thread may have set it to anything. It is what the processor adds to %fs addresses, below
// which lie the thread's own copies of the executable's thread-local variables.
// open_call takes a token as take_token does and notes the call of `frame`, a number that tells
// the live calls of one function apart. A call that had the same frame is forgotten, with a token
// or without. close_call takes a token where the call of that frame was noted, forgets the call,
// and gives the hit the number that the call's beginning had.
enum class Helper : std::int32_t {
  kTakeToken = 1,       // ()                       1: go on; 0: suppressed, so exit
  kReserve = 2,         // ()                       the record's body (record_size bytes), or 0
  kCommit = 3,          // (body)
  kAbandon = 4,         // (body)
  kReadFrame = 5,       // (to, size, from)         0. `from` is likely on this stack
  kReadStatic = 6,      // (to, size, from)         0. `from` is in the executable's own data
  kReadUser = 7,        // (to, size, from)         0. anywhere; one system call
  kReadBytes = 8,       // (to, max, from, length)  min(length, max) bytes read
  kReadString = 9,      // (to, max, from)          length read, without the NUL; max: truncated
  kReadStack = 10,      // (to, max, from)          bytes read, up to the first that is not mapped
  kTreeNext = 11,       // (to, 8, from, links)     0. `to` gets the node's address
  kThreadPointer = 12,  // ()                   the thread's; 0: it has none
  kReadWide = 13,       // (to, max, from, unit)     as read_string; a character has `unit` bytes
  kNextFull = 14,       // (to, size, from, count)  bytes before the first full one
  kOpenCall = 15,       // (frame)                  a token, for a call that begins
  kCloseCall = 16,      // (frame)                  a token, for a call that ends
};

// The `links` of tree_next, from byte offsets in a node, which are 0, 8, 16 or 24.
[[nodiscard]] constexpr std::uint64_t tree_links(std::uint64_t left, std::uint64_t right,
                                                 std::uint64_t parent) {
  return left / 8 | right / 8 << 2 | parent / 8 << 4;
}

enum class Outcome : std::uint64_t {
  kNoMatch = 0,  // the condition was false
  kCommitted = 1,
  kSuppressed = 2,            // by the rate or the lease
  kDropped = 3,               // no free slot
  kConditionUnavailable = 4,  // a value of the condition could not be had
};

struct Program {
  std::vector<Instruction> code;
  std::uint32_t record_size = 0;  // bytes of the record's body
  bool needs_xmm = false;
};

}  // namespace nohalt::program
