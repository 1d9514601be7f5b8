// A filter is a thread's own, handlers are all threads' together. A thread that
// ends while it is looked at has nothing to say.
#include "probes/engines/inline/change_watch.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <string>

#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::engines {

namespace {

bool is_filtered(pid_t pid, pid_t tid) {
  const auto status =
      read_file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/status");
  const std::string_view mode = status ? target::status_field(*status, "Seccomp") : "";
  return !mode.empty() && mode != "0";
}

}  // namespace

std::uint64_t caught_signals(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status");
  const std::string_view text = status ? target::status_field(*status, "SigCgt") : "";
  std::uint64_t mask = 0;
  std::from_chars(text.data(), text.data() + text.size(), mask, 16);
  return mask;
}

std::uint64_t faults_of(std::span<const inline_sites::Instruction> moved) {
  std::uint64_t faults = 0;
  for (const inline_sites::Instruction& instruction : moved) {
    if (instruction.memory != inline_sites::MemoryUse::kNone)
      faults |= signal_bit(SIGSEGV) | signal_bit(SIGBUS);
    if (instruction.has(inline_sites::Trait::kArithmeticFault)) faults |= signal_bit(SIGFPE);
  }
  return faults;
}

Change ChangeWatch::look() const {
  const auto threads = target::list_threads(pid_);
  if (threads && std::ranges::any_of(*threads, [&](pid_t tid) { return is_filtered(pid_, tid); }))
    return Change::kFiltered;
  return (caught_signals(pid_) & unhandled_) != 0 ? Change::kHandlesFaults : Change::kNone;
}

}  // namespace nohalt::engines
