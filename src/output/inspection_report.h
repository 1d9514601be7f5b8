// What `nohalt ps`, `list` and `doctor` found.
// Threading: plain values; the functions are pure.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace nohalt::output {

struct ProcessRow {
  pid_t pid = 0;
  std::string user;
  std::string exe;
  std::string build_id;
  bool has_debug_info = false;
  std::string refusal;       // stable token; empty: it can be probed
  std::string refusal_text;  // one sentence
};
[[nodiscard]] std::string processes_text(const std::vector<ProcessRow>& rows);
[[nodiscard]] std::string processes_json(const std::vector<ProcessRow>& rows);

// One run that is armed, or what a dead one left.
struct ArmedRow {
  std::string id;
  pid_t pid = 0;
  std::string exe;
  pid_t tool_pid = 0;
  std::string user;   // who runs the tool
  std::string state;  // running, dormant, orphan, unproven
  std::vector<std::uint64_t> addresses;
  std::int64_t lease_left_ms = 0;
};
[[nodiscard]] std::string armed_text(const std::vector<ArmedRow>& rows);
[[nodiscard]] std::string armed_json(const std::vector<ArmedRow>& rows);

enum class CheckResult { kOk, kWarn, kFail };
struct Check {
  std::string name;  // stable token
  CheckResult result = CheckResult::kOk;
  std::string found;   // one sentence
  std::string advice;  // what to do; empty where nothing needs doing
};
[[nodiscard]] std::string checks_text(const std::vector<Check>& checks, bool colour);
[[nodiscard]] std::string checks_json(const std::vector<Check>& checks);

}  // namespace nohalt::output
