// The program that is probed, as seen from outside: whether it came to harm,
// whether its probes are dormant, and whether it is as it was before.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/kill/traced_tool.h"
#include "tests/targets/spinner.h"

namespace nohalt::kill_test {

// What a process must look like again afterwards.
struct Footprint {
  std::string maps;
  std::set<std::string> descriptors;
  std::set<std::string> threads;
  std::set<std::string> traced;  // threads
  std::string text;              // the bytes of all executable mappings of files

  friend bool operator==(const Footprint&, const Footprint&) = default;
};

class HotTarget {
 public:
  // Starts the spinner.
  HotTarget(const std::string& program, const std::string& folder);
  HotTarget(const HotTarget&) = delete;
  HotTarget& operator=(const HotTarget&) = delete;
  ~HotTarget();

  [[nodiscard]] std::string pid() const { return std::to_string(pid_); }

  // It lives and runs on, every result and register was right, and none of its
  // own threads is stopped for longer than a hold may take. What is wrong, or
  // nothing.
  [[nodiscard]] std::string harm() const;

  // Its threads are its own again: no other thread, and none is traced.
  [[nodiscard]] bool is_released() const;

  // Waits until its probes admit no hit any more, while it runs on; false if
  // they still do two seconds after `since`. True where there are none.
  [[nodiscard]] bool falls_dormant(Clock::time_point since) const;

  // What differs from before, or nothing. Waits a moment for the kernel to take
  // ended threads off its lists.
  [[nodiscard]] std::string difference() const;

 private:
  [[nodiscard]] Footprint look() const;
  [[nodiscard]] std::set<std::string> held_threads() const;
  [[nodiscard]] std::vector<std::uint64_t> admitted() const;
  [[nodiscard]] bool runs_on() const;
  [[nodiscard]] std::string folder() const { return "/proc/" + pid(); }

  pid_t pid_ = 0;
  targets::SpinnerStatus* status_ = nullptr;
  Footprint before_;
};

[[nodiscard]] std::string read_all(const std::string& path);

}  // namespace nohalt::kill_test
