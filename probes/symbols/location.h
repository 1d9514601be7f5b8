// Where a variable is at one pc, reduced to what a capture program can do: a
// short postfix program over the registers at the hit, with frame base, CFA,
// location lists and static bases already resolved for that pc.
//
// Branches lead forward only, and the stack is as deep wherever two ways meet.
//
// Source: DWARF 5, sections 2.5 and 2.6; register numbers: x86-64 psABI,
// figure 3.36 (0 rax, 1 rdx, 2 rcx, 3 rbx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8-15
// r8-r15, 16 return address, 17-32 xmm0-15).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "src/base/address.h"

namespace nohalt::symbols {

enum class OpKind {
  kRegister,       // push register `number` (DWARF numbering) as it is at the hit
  kConstant,       // push `value`
  kLinkAddress,    // push `value`, a link address: add the load bias first
  kThreadPointer,  // push the thread pointer of the thread that hits: its FS base
  kPlus,
  kMinus,
  kMul,
  kAnd,
  kOr,
  kXor,
  kNot,
  kNeg,
  kShl,
  kShr,
  kShra,
  kDivSigned,
  kModUnsigned,
  kAbs,
  kEq,
  kNe,
  kLtSigned,
  kLeSigned,
  kGtSigned,
  kGeSigned,
  kDereference,      // replace the address on top by the `size` bytes there, zero-extended
  kConvertUnsigned,  // keep the low `size` bytes, zero-extended
  kConvertSigned,    // keep the low `size` bytes, sign-extended
  kSwap,
  kDup,
  kOver,
  kDrop,
  kRot,
  kPick,    // `value` is the index of kPick
  kSkip,    // pass over the next `value` operations
  kBranch,  // take the top away; where it is not zero, pass over the next `value` operations
};

struct Op {
  OpKind kind{};
  std::uint16_t number = 0;
  std::uint8_t size = 0;
  std::uint64_t value = 0;
};

// The value is in memory at the address that `address` computes.
struct InMemory {
  std::vector<Op> address;
  bool on_own_frame = false;    // relative to the frame base or stack pointer of this frame
  bool in_static_data = false;  // a plain link address in the module's own data
};

// The value is a register's low bytes (general or xmm).
struct InRegister {
  std::uint16_t number = 0;
};

// The value itself is what `value` computes (DW_OP_stack_value); it has no address.
struct Computed {
  std::vector<Op> value;
};

// The value is these bytes (DW_OP_implicit_value, DW_AT_const_value).
struct ImplicitBytes {
  std::vector<std::uint8_t> bytes;
};

struct Piece;
// The value is put together from pieces, in order of increasing address.
struct InPieces {
  std::vector<Piece> pieces;
};

enum class UnavailableWhy {
  kOptimizedOut,  // no location at this pc, or an empty one
  kEntryValue,    // needs the caller's frame (DW_OP_entry_value) and it cannot be had
  kThreadLocal,   // not in the executable's own block: nobody knows its place
  kUnsupported,   // an operation this reader does not cover: `detail` names it
};

struct Unavailable {
  UnavailableWhy why = UnavailableWhy::kOptimizedOut;
  std::string detail;
};

using Location = std::variant<Unavailable, InMemory, InRegister, Computed, ImplicitBytes, InPieces>;

struct Piece {
  std::uint64_t bit_size = 0;
  std::uint64_t bit_offset = 0;
  std::vector<Location> location;  // exactly one (a vector only to break the recursion)
};

}  // namespace nohalt::symbols
