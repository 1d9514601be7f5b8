// A whole run inside the test's own process: the control region, the gate, the
// runtime mapped r-x, and trampolines that the test may call as functions. The
// test is tool and target at once.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "probes/engines/inline/trampoline/trampoline.h"
#include "probes/program/program.h"
#include "probes/records/control_region.h"
#include "probes/records/probe_pump.h"
#include "probes/records/tsc_clock.h"
#include "probes/runtime/layout.h"

namespace nohalt::testing {

// Code whose bytes depend on where the runtime's entries are.
class InProcessRun;
using BodyMaker = inline_engine::CodeBytes (*)(const InProcessRun&, RuntimeAddress at);

struct TrampolineOptions {
  std::uint32_t xmm_count = 0;
  std::uint32_t body_stack = 32;
  std::uint32_t registers = inline_engine::kAllRegisters;
  inline_engine::CodeBytes displaced = {std::byte{0xc3}};  // ret: the trampoline is a function
  std::uint64_t resume = 0;                                // 0: the trampoline itself
  std::uint64_t site_address = 0x1234;
};

class InProcessRun {
 public:
  // Ends the test program where the system refuses.
  explicit InProcessRun(const std::vector<records::SiteNeeds>& sites);
  InProcessRun(const InProcessRun&) = delete;
  InProcessRun& operator=(const InProcessRun&) = delete;
  ~InProcessRun();

  [[nodiscard]] const records::ControlRegion& tool_side() const { return *tool_side_; }
  [[nodiscard]] runtime::ProbeControl& probe(std::size_t site) const {
    return target_side_->probe(site);
  }
  [[nodiscard]] runtime::GatePage& gate() const { return *gate_; }
  [[nodiscard]] runtime::SiteConstants constants(std::size_t site) const;
  [[nodiscard]] std::uint64_t entry(runtime::RuntimeEntry which) const;
  [[nodiscard]] runtime::RuntimeEntries entries() const;

  template <class Function>
  [[nodiscard]] Function function(runtime::RuntimeEntry which) const {
    return reinterpret_cast<Function>(entry(which));
  }

  // Where the next trampoline will be.
  [[nodiscard]] RuntimeAddress next() const { return next_; }
  // The entry of a new trampoline of the site.
  std::uint64_t add_trampoline(std::size_t site, BodyMaker body,
                               const TrampolineOptions& options = {});
  // The same with a capture program, translated as for a target.
  std::uint64_t add_program(std::size_t site, const program::Program& program,
                            const TrampolineOptions& options = {});
  [[nodiscard]] const inline_engine::Trampoline& last_trampoline() const { return last_; }

  // Open, on, no limits, no deadline: for tests that are not about the gates.
  void open_wide();

 private:
  void map_code();
  std::uint64_t add(std::size_t site, inline_engine::BodyAt body, const TrampolineOptions& options);

  UniqueFd control_fd_;
  std::unique_ptr<records::ControlRegion> tool_side_;
  std::unique_ptr<records::ControlRegion> target_side_;
  runtime::GatePage* gate_ = nullptr;
  std::byte* code_ = nullptr;           // r-x
  std::byte* writable_code_ = nullptr;  // the same memory, rw
  RuntimeAddress next_;
  inline_engine::Trampoline last_;
};

// Where glibc keeps the thread id, found by looking; the same in every thread.
[[nodiscard]] std::uint32_t tid_offset();

// Bodies -----------------------------------------------------------------------
// Admits, reserves, captures rdi, rsi and rdx as three words, commits.
inline_engine::CodeBytes capture_three(const InProcessRun& run, RuntimeAddress at);
// Admits, reserves, captures xmm0 and xmm1 as four words, commits.
inline_engine::CodeBytes capture_xmm(const InProcessRun& run, RuntimeAddress at);
// Admits, reserves, captures `words` words of the context from an offset, commits.
inline_engine::CodeBytes capture_words(const InProcessRun& run, RuntimeAddress at, int offset,
                                       int words);
// Reads 24 bytes at rdi through kReadUser into the record.
inline_engine::CodeBytes capture_through_pointer(const InProcessRun& run, RuntimeAddress at);
// Writes every general register it may, and the flags; kNoMatch.
inline_engine::CodeBytes clobber_everything(const InProcessRun& run, RuntimeAddress at);
// Touches all of the 256 bytes of stack it may have, then calls every entry.
inline_engine::CodeBytes use_all_stack(const InProcessRun& run, RuntimeAddress at);

}  // namespace nohalt::testing
