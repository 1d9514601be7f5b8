// The debuggee `places` while a test looks at it: started, ready, and ended with
// the object.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "probes/engines/inline/mapped_image.h"
#include "probes/symbols/debug_info.h"
#include "probes/target/process.h"

namespace nohalt::engines {

class Debuggee {
 public:
  // `argument` may be empty.
  explicit Debuggee(const std::string& argument = "");
  ~Debuggee();
  Debuggee(const Debuggee&) = delete;
  Debuggee& operator=(const Debuggee&) = delete;

  [[nodiscard]] const target::Process& process() const { return *process_; }
  [[nodiscard]] const symbols::DebugInfo& info() const { return *info_; }
  [[nodiscard]] std::vector<ProbedFile> files() const { return {{info_.get(), {}}}; }
  // The first line of a function of the debuggee.
  [[nodiscard]] symbols::LineSite site(const std::string& function) const;

 private:
  pid_t pid_ = -1;
  std::unique_ptr<target::Process> process_;
  std::unique_ptr<symbols::DebugInfo> info_;
};

}  // namespace nohalt::engines
