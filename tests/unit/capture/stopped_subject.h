// A real process stopped at one line, for programs to be interpreted against:
// its registers are the hit's context, its memory is what helpers read.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "probes/capture/capture.h"
#include "probes/language/scope.h"
#include "probes/program/interpreter.h"
#include "probes/runtime/layout.h"
#include "probes/symbols/debug_info.h"

namespace nohalt::test {

class StoppedSubject {
 public:
  // Runs the executable and stops it where the source says `PROBE marker`.
  // Ends the test with a failure where that cannot be had.
  StoppedSubject(const std::string& executable, const std::string& source,
                 const std::string& marker);
  ~StoppedSubject();
  StoppedSubject(const StoppedSubject&) = delete;
  StoppedSubject& operator=(const StoppedSubject&) = delete;

  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] const language::ScopeView& scope() const { return *scope_; }
  [[nodiscard]] const symbols::DebugInfo& debug() const { return *debug_; }
  [[nodiscard]] LoadBias bias() const { return bias_; }
  [[nodiscard]] int pid() const { return pid_; }
  // What the program said of itself: name=value lines.
  [[nodiscard]] const std::map<std::string, std::string>& said() const { return said_; }

  struct Run {
    program::Execution execution;
    std::vector<std::byte> body;
    std::vector<std::uint64_t> addresses;  // that were read
    bool token_taken = false;
    std::uint64_t frame = 0;  // of a call whose token was taken
    bool committed = false;
  };
  [[nodiscard]] Run run(const program::Program& program) const;

 private:
  void start(const std::string& executable);
  void stop_at(const std::string& location);
  void read_registers();

  int pid_ = -1;
  int output_ = -1;
  bool ready_ = false;
  std::unique_ptr<symbols::DebugInfo> debug_;
  std::unique_ptr<language::ScopeView> scope_;
  LoadBias bias_;
  runtime::HitContext context_{};
  std::uint64_t thread_pointer_ = 0;
  std::map<std::string, std::string> said_;
};

}  // namespace nohalt::test
