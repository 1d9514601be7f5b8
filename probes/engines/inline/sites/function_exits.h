// Where a function's calls begin and end, as a probe can see them: how to find the frame
// at a place, and the places at which a return's value is in its registers.
//
// A frame is named by the address above its return address: what rsp is when the call
// has returned. It is told by instructions alone, from the function's first one and back
// from its returns, where by the ABI rsp points at the return address.
//
// Threading: plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "probes/engines/inline/sites/function_code.h"

namespace nohalt::inline_sites {

struct FrameAt {
  bool by_rbp = false;  // else by rsp
  std::int64_t distance = 0;

  friend bool operator==(const FrameAt&, const FrameAt&) = default;
};

// At the instruction at `site`, where each call comes by exactly once: straight from the
// entry, and nothing of the function branches there again. Nothing where that is not so.
[[nodiscard]] std::optional<FrameAt> frame_at_entry(const FunctionCode& code, LinkAddress site);

// A place that every call which comes to the return passes, and no other.
struct ReturnSpot {
  LinkAddress pc;
  bool behind = false;  // the value is there once the instruction has run
  FrameAt frame;        // at that moment

  friend bool operator==(const ReturnSpot&, const ReturnSpot&) = default;
};

struct FunctionExit {
  LinkAddress at;                 // of the return instruction
  std::vector<ReturnSpot> spots;  // those with most room first
};

// Of this part of the function, by address.
[[nodiscard]] std::vector<FunctionExit> function_exits(const FunctionCode& code);

// How many jumps leave this part for another function, or may: calls that return from there.
// `parts` are the function's other parts.
[[nodiscard]] std::size_t count_tail_calls(const FunctionCode& code,
                                           const std::vector<LinkRange>& parts);

}  // namespace nohalt::inline_sites
