// From one hit's registers and a copy of its stack to the frames that led there.
//
// It works on bytes and files only, after the hit: the process is not asked, and
// need not live. Rules come from the call frame information (CFI) of the files;
// there is no guessing by frame pointers, and no scanning. So a walk ends where
// its information does, and says why; a frame that is given was computed, step by
// step, from captured words alone.
//
// Why libdw and not libunwind: Debian's libunwind 1.6.2 has the search of an
// unwind table by foreign memory only as an undeclared symbol and reads no
// .debug_frame that way; where a function has lost rbp (.cfi_undefined) it takes it
// for the outermost one; it fails on frames that save a vector register or hold a
// value as an offset of the CFA; and where it finds no rule it goes on by rbp as if
// it had one. libdw says of each register whether it is saved, unchanged or lost.
//
// Source: DWARF 5, section 6.4 (CFI), 6.4.4 (call sites); GDB's order of checks
// (the CFA has to grow from frame to frame, but from a signal frame).
//
// Threading: one thread at a time with one UnwindImages.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "probes/stacks/images.h"
#include "probes/stacks/registers.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::stacks {

inline constexpr std::size_t kDefaultMaxFrames = 256;

// A copy of the stack begins so far below rsp: what is there is still the frame's
// own, and where an epilogue has taken back a register by `pop`, the rules go on
// naming the word that it was taken from.
inline constexpr std::uint64_t kRedZone = 128;

struct CapturedStack {
  Registers registers;         // rsp and the pc of the probed instruction among them
  RuntimeAddress stack_begin;  // of `bytes`: rsp - kRedZone
  std::span<const std::byte> bytes;
};

enum class FrameKind {
  kFirst,    // the one that was hit
  kNormal,   // it is in a call
  kSignal,   // what the kernel put there for a signal handler to return to
  kInlined,  // by symbolise() only: runs within the code of the next frame that is not
};

// Where a frame's register is kept while the functions that it called run.
struct Origin {
  enum class Kind {
    kNowhere,   // lost, or computed
    kRegister,  // still in the register with that number, at the hit
    kStack,     // in the word at that address
  };
  Kind kind = Kind::kNowhere;
  std::uint64_t at = 0;

  friend bool operator==(const Origin&, const Origin&) = default;
};
using Origins = std::array<Origin, symbols::kFrameRegisters>;

struct Frame {
  FrameKind kind = FrameKind::kNormal;
  RuntimeAddress pc;         // where it goes on
  RuntimeAddress lookup_pc;  // what it is doing: inside of the call, where it is in one
  std::optional<RuntimeAddress> cfa;
  Registers registers;  // its own, as it will find them when it goes on
  Origins origins;      // of those
  // Those that it was called with, and the call that told them; by find_entry_values() only.
  Registers at_entry;
  std::optional<symbols::Call> entered_by;
  std::string module;  // the file, as mapped; empty: not code of a known file
  std::string build_id;
  LinkAddress link_pc;  // lookup_pc, as the module's file names it
  LoadBias bias;
};

enum class Ending {
  kOutermost,      // the file says so, or the return address is null with a null rbp
  kStackCut,       // the next frame's words were not captured
  kNoInformation,  // no call frame information for the last frame's pc
  kUnreliable,     // what comes next is not what a caller can look like
  kFrameLimit,
};

struct Unwound {
  std::vector<Frame> frames;  // innermost first; at least one
  Ending ending = Ending::kOutermost;
  std::string why;  // one sentence; empty when it is the outermost
  // What told where the frames are: the registers at the hit, and the words of memory.
  std::vector<Origin> guides;
};

struct UnwindOptions {
  std::size_t max_frames = kDefaultMaxFrames;
};

// Reason "no-registers": without rsp or pc there is no stack to unwind.
[[nodiscard]] Result<Unwound> unwind(const CapturedStack& captured, const UnwindImages& images,
                                     const UnwindOptions& options = {});

// Reads from the captured bytes only: for the variables of any of the frames.
[[nodiscard]] ReadMemory memory_of(const CapturedStack& captured);

[[nodiscard]] const char* name_of(Ending ending);  // "outermost", "stack-cut", ...

}  // namespace nohalt::stacks
