// A run that is armed: what was put into the target, and what keeps it alive.
// Made by arm(); see inline_engine.h for what its functions promise.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "policy/limits/limits.h"
#include "probes/engines/inline/change_watch.h"
#include "probes/engines/inline/code_image.h"
#include "probes/engines/inline/inline_engine.h"
#include "probes/engines/inline/pages/page_swap.h"
#include "probes/engines/inline/pages/written_text.h"
#include "probes/records/control_region.h"
#include "probes/records/probe_pump.h"
#include "probes/records/ring_reader.h"
#include "probes/records/tsc_clock.h"
#include "probes/target/heartbeat.h"
#include "probes/target/memory.h"
#include "probes/target/thread_numbers.h"

namespace nohalt::engines {

// The first site of a probe, by index into the run's sites.
[[nodiscard]] std::uint32_t leader_of(const RunToArm& run, std::uint32_t probe);

// As /proc/self/stat says.
[[nodiscard]] std::uint64_t own_start_time();

struct InstalledRun {
  // Of the address space that was patched: reads fail once the target called
  // execve or ended.
  target::Memory memory;
  records::ControlRegion region;
  UniqueFd control_lock;  // the region's file, locked by the tool
  RunPlaces places;
  std::vector<RuntimeAddress> addresses;
  std::vector<inline_pages::SwappedPage> pages;
  std::vector<inline_pages::WrittenText> texts;  // of libraries that may be unloaded
  std::chrono::microseconds longest_hold{0};     // where threads are stopped to take it off
  std::string id;
  target::Maps before;
  target::HoldReport holds;
  ChangeWatch changes;
};

class InlineRun final : public ArmedRun {
 public:
  InlineRun(const target::Process& process, InstalledRun installed, records::TscClock clock,
            const RunToArm& run, const policy::Limits& limits);
  ~InlineRun() override;
  InlineRun(const InlineRun&) = delete;
  InlineRun& operator=(const InlineRun&) = delete;

  [[nodiscard]] RunState tick(const std::function<void(const RawRecord&)>& sink) override;
  [[nodiscard]] std::vector<ProbeCounters> counters() const override;
  [[nodiscard]] HoldReport holds() const override;
  [[nodiscard]] double nanoseconds(std::uint64_t ticks) const override { return clock_.ns(ticks); }
  [[nodiscard]] const std::string& id() const override { return installed_.id; }
  [[nodiscard]] std::vector<RuntimeAddress> addresses() const override {
    return installed_.addresses;
  }
  [[nodiscard]] Result<RemovalProof> disarm() override;

 private:
  [[nodiscard]] RunState state(records::Ticks now) const;
  void look_for_changes();
  [[nodiscard]] bool is_still_there() const;
  [[nodiscard]] bool is_gone() const;
  [[nodiscard]] Status restore_text(target::RemoteThread& thread, RemovalProof& proof);
  void read_ring(const std::function<void(const RawRecord&)>& sink);
  [[nodiscard]] Status remove(RemovalProof& proof);
  [[nodiscard]] Status go_on_removing(RemovalProof& proof);
  [[nodiscard]] Status remove_code(target::RemoteThread& thread, RemovalProof& proof);
  void prove_removal(RemovalProof& proof) const;

  const target::Process& process_;
  InstalledRun installed_;
  records::TscClock clock_;
  std::vector<std::uint32_t> leaders_;   // of each site
  std::vector<bool> is_return_;          // of each site: it ends calls
  std::vector<std::uint32_t> probes_;    // leader of each probe
  std::vector<std::uint64_t> recorded_;  // by probe
  std::vector<std::uint32_t> probe_of_;  // of each site
  records::ProbePump pump_;
  records::RingReader reader_;
  target::ThreadNumbers threads_;
  records::Ticks refreshed_ = 0;
  bool replaced_itself_ = false;
  bool unloaded_ = false;  // all that it was in
  Change change_ = Change::kNone;
  bool disarmed_ = false;
};

}  // namespace nohalt::engines
