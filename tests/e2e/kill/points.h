// Which system calls of a run are to be met, and in which order.
#pragma once

#include <compare>
#include <cstddef>
#include <vector>

#include "tests/e2e/kill/traced_tool.h"

namespace nohalt::kill_test {

// The nth of such calls in a phase of a run.
struct Point {
  Call call;
  unsigned nth = 0;      // from 1
  bool usual = false;    // comes in every undisturbed run
  bool changes = false;  // not one that only looks, or concerns the caller alone
};

// First the first of each sort of call: all calls of a phase that only look are one
// sort, because the target is as the call before left it. Then the others that
// change something, then the others that look, each in an order of which every
// beginning spreads evenly over the run.
struct Points {
  std::vector<Point> list;
  std::size_t sorts = 0;     // so many at the beginning are each the first of its sort
  std::size_t changing = 0;  // in all
};

// Of the calls of undisturbed runs. The tool's count from its first write into the
// target to the end of its last tracer: before and after them it only reads, and
// writes its own files.
[[nodiscard]] Points points_of(const std::vector<std::vector<Call>>& runs, Role role);

}  // namespace nohalt::kill_test
