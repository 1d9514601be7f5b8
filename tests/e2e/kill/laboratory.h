// A program that runs hot, and attempts at harming it through the tool: three
// probes are placed, served for a moment and removed, while something is done to
// one of the tool's processes.
#pragma once

#include <string>
#include <string_view>

#include "tests/e2e/kill/hot_target.h"
#include "tests/e2e/kill/traced_tool.h"

namespace nohalt::kill_test {

// A log at a place for which all threads have to be stopped.
inline constexpr std::string_view kStop = "stop";
// The same in a library that may be unloaded; so they are stopped to take it off, too.
inline constexpr std::string_view kLibrary = "library";
[[nodiscard]] inline bool stops_all(std::string_view command) {
  return command == kStop || command == kLibrary;
}

class Laboratory {
 public:
  // `command` is log, snap, kStop or kLibrary.
  Laboratory(std::string tool, std::string command, const std::string& spinner);
  Laboratory(const Laboratory&) = delete;
  Laboratory& operator=(const Laboratory&) = delete;
  ~Laboratory();

  // One run of the tool, and a sweep after it; what went wrong, or nothing. A
  // `patient` one holds a tool until its tracer has had enough of its silence.
  [[nodiscard]] std::string attempt(const Plan& plan, bool patient, Outcome& outcome);

  // What the tool, and the sweep, have said.
  [[nodiscard]] std::string said() const {
    return read_all(folder_ + "/said") + read_all(folder_ + "/swept");
  }

 private:
  [[nodiscard]] bool held_enough(Role role, bool patient, Clock::time_point since,
                                 std::string& wrong) const;
  [[nodiscard]] std::string wrong_afterwards(const Outcome& outcome) const;
  [[nodiscard]] bool sweep() const;
  [[nodiscard]] bool sweep_once() const;
  [[nodiscard]] bool asks_for_a_later_sweep() const;
  [[nodiscard]] bool stops_too_slowly() const;

  std::string folder_;
  std::string tool_;
  std::string command_;
  HotTarget target_;
};

}  // namespace nohalt::kill_test
