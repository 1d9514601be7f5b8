// Taking off what a dead run left. The control page only says where to look; the
// pages prove themselves (pages/recover_page.h), and a range is unmapped only if
// the kernel's list names it as nohalt's, or, for the nameless gate page, shows
// the flag that nothing but such a page has.
#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "probes/engines/inline/forked_children.h"
#include "probes/engines/inline/found_runs.h"
#include "probes/engines/inline/inline_engine.h"
#include "probes/engines/inline/pages/recover_page.h"
#include "probes/engines/inline/pages/written_text.h"
#include "probes/engines/inline/removal.h"
#include "probes/target/attachable.h"
#include "probes/target/remote_thread.h"
#include "probes/target/target_lock.h"
#include "probes/target/watchdog.h"

namespace nohalt::engines {

namespace {

using target::RemoteThread;

constexpr std::chrono::milliseconds kLeaseLapses{2000};
constexpr std::chrono::milliseconds kTick{20};

class Sweeper {
 public:
  Sweeper(RemoteThread& thread, RecoverReport& report, std::chrono::microseconds longest_hold)
      : thread_(thread), report_(report), longest_hold_(longest_hold) {}

  // Tells the run's tool, should it wake up again, that it has lost its run.
  void mark_removed(const FoundControl& control) {
    constexpr std::uint64_t kRemoved = 1;
    const RuntimeAddress flag = control.range.begin + offsetof(runtime::ControlPage, removed);
    static_cast<void>(thread_.memory().write(flag, std::as_bytes(std::span(&kRemoved, 1))));
  }

  // What the run has changed of the target's text.
  Status restore_text(const FoundControl& control) {
    for (std::uint32_t i = 0; i < control.claims.page_count; ++i)
      if (control.claims.pages[i].slot != inline_pages::kWrittenInPlace.value)
        restore({control.claims.pages[i].page}, {control.claims.pages[i].slot});
    std::vector<std::string>& left = report_.proof.left;
    NOHALT_TRY(const auto written, inline_pages::find_written(thread_.process(), thread_.memory(),
                                                              control.claims, left));
    NOHALT_TRY(const auto back, inline_pages::put_back(thread_, written, longest_hold_));
    left.insert(left.end(), back.left.begin(), back.left.end());
    report_.pages_restored += pages_of(written, back.restored);
    return {};
  }

  void restore(RuntimeAddress page, RuntimeAddress slot) {
    const auto recovery = inline_pages::recover_page(thread_, page, slot);
    if (!recovery) {
      report_.proof.left.push_back(recovery.error().message);
    } else if (*recovery == inline_pages::Recovery::kMovedBack ||
               *recovery == inline_pages::Recovery::kMappedFromFile) {
      ++report_.pages_restored;
    }
  }

  void free_slot(RuntimeAddress slot) {
    if (const Status removed = inline_pages::remove_slot(thread_, slot); !removed)
      report_.proof.left.push_back(removed.error().message);
  }

  // Code, gate and control region of a run whose text is restored.
  Status free_regions(const FoundControl& control) {
    RunRegions regions{{}, {control.claims.gate_address}, control.range};
    for (std::uint32_t i = 0; i < control.claims.code_count; ++i)
      regions.code.push_back({{control.claims.code[i].begin}, {control.claims.code[i].end}});
    NOHALT_TRY(const auto who, remove_regions(thread_, regions));
    if (who) report_.proof.left.push_back(code_stays(*who));
    return {};
  }

  // What is named as nohalt's although no control page tells of it.
  Status remove_nameless_rest() {
    NOHALT_TRY(const auto rest, inline_pages::find_leftovers(thread_.process(), thread_.memory()));
    for (const RuntimeAddress page : rest.swapped) restore(page, {});
    for (const RuntimeAddress slot : rest.slots) free_slot(slot);
    NOHALT_TRY(const target::Maps maps, target::read_maps(thread_.process().pid()));
    // All of the code or none: one part leads into another.
    RunRegions code;
    std::vector<RuntimeRange> controls;
    for (const target::Mapping& mapping : maps.all()) {
      if (mapping.path == std::string("/memfd:") + runtime::kCodeName)
        code.code.push_back(mapping.range);
      if (mapping.path == std::string("/memfd:") + runtime::kControlName)
        controls.push_back(mapping.range);
    }
    NOHALT_TRY(const auto who, remove_regions(thread_, code));
    if (who) {
      report_.proof.left.push_back(code_stays(*who));
      return {};
    }
    for (const RuntimeRange& control : controls)
      NOHALT_CHECK(remove_regions(thread_, {{}, {}, control}));
    return {};
  }

 private:
  static std::uint32_t pages_of(std::span<const inline_pages::WrittenText> texts,
                                std::uint32_t restored) {
    std::set<std::uint64_t> pages;
    for (const inline_pages::WrittenText& text : texts) pages.insert(page_floor(text.at.value));
    return std::min(restored, static_cast<std::uint32_t>(pages.size()));
  }

  RemoteThread& thread_;
  RecoverReport& report_;
  std::chrono::microseconds longest_hold_;
};

// A second attempt may find what the first one began with.
void note_run(RecoverReport& report, const FoundRun& run) {
  const bool known = std::any_of(report.runs.begin(), report.runs.end(),
                                 [&](const FoundRun& other) { return other.id == run.id; });
  if (!known) report.runs.push_back(run);
}

Status sweep(RemoteThread& thread, std::string_view own, std::chrono::microseconds longest_hold,
             RecoverReport& report) {
  Sweeper sweeper(thread, report, longest_hold);
  NOHALT_TRY(const target::Maps maps, target::read_maps(thread.process().pid()));
  const auto controls = find_controls(maps, thread.memory());
  bool others_live = false;
  for (const FoundControl& control : controls) {
    const bool foreign = !is_of(control, thread.process());
    if (!foreign && control.run.id != own && !is_orphan(control.run)) {
      others_live = true;
      continue;
    }
    note_run(report, control.run);
    if (!foreign) sweeper.mark_removed(control);
    NOHALT_CHECK(sweeper.restore_text(control));
    if (report.proof.left.empty()) NOHALT_CHECK(sweeper.free_regions(control));
  }
  return others_live || !report.proof.left.empty() ? Status{} : sweeper.remove_nameless_rest();
}

// A tool that is not to be found may only be out of sight, in another pid
// namespace; then it renews its lease. One that is dead lets it lapse.
Status wait_for_leases(const target::Process& process) {
  const auto deadline = std::chrono::steady_clock::now() + kLeaseLapses;
  while (std::chrono::steady_clock::now() < deadline) {
    NOHALT_TRY(const auto runs, find_runs(process));
    const bool waiting = std::any_of(runs.begin(), runs.end(), [](const FoundRun& run) {
      return !run.tool_alive && !is_orphan(run);
    });
    if (!waiting) break;
    std::this_thread::sleep_for(kTick);
  }
  return {};
}

Status prove_recovery(const target::Process& process, const target::TargetLock& lock,
                      RecoverReport& report) {
  NOHALT_TRY(const target::Maps maps, target::read_maps(process.pid()));
  report.proof.mappings_as_before =
      report.proof.left.empty() &&
      (report.runs.empty() || find_controls(maps, lock.memory()).empty());
  report.proof.text_restored = report.proof.left.empty();
  report.proof.descriptors_as_before = !holds_our_descriptor(process.pid());
  report.proof.threads_as_before = true;
  return {};
}

Status recover_once(const target::Process& process, const target::TargetLock& lock,
                    std::string_view own, std::chrono::microseconds longest_hold,
                    RecoverReport& report) {
  NOHALT_TRY(RemoteThread thread, RemoteThread::borrow(process, lock, &report.holds));
  report.proof = {};
  const Status swept = sweep(thread, own, longest_hold, report);
  const Status finished = thread.finish();
  report.holds.add(thread.holds());
  NOHALT_CHECK(swept);
  NOHALT_CHECK(finished);
  return prove_recovery(process, lock, report);
}

}  // namespace

Result<bool> has_leftovers(const target::Process& process) {
  NOHALT_TRY(const target::Maps maps, target::read_maps(process.pid()));
  const bool named = std::any_of(maps.all().begin(), maps.all().end(), is_named_ours);
  if (!named) return false;
  NOHALT_TRY(const target::Memory memory, target::Memory::open(process.pid()));
  const auto controls = find_controls(maps, memory);
  const bool all_live =
      !controls.empty() &&
      std::all_of(controls.begin(), controls.end(), [&](const FoundControl& control) {
        return is_of(control, process) && control.run.tool_alive && !is_orphan(control.run);
      });
  return !all_live;
}

Result<RecoverReport> recover_with(const target::Process& process, std::string_view own,
                                   std::chrono::microseconds longest_hold) {
  const target::BeforeOthers quickly;
  NOHALT_CHECK(wait_for_leases(process));
  NOHALT_TRY(const target::TargetLock lock, target::TargetLock::acquire(process));
  NOHALT_CHECK(target::check_detachable(process));
  RecoverReport report;
  Status recovered;
  for (int attempt = 0; attempt < kSessionAttempts; ++attempt) {
    recovered = recover_once(process, lock, own, longest_hold, report);
    if (recovered || !target::session_was_lost(recovered.error())) break;
  }
  if (!recovered) return std::unexpected(std::move(recovered).error());
  return report;
}

Result<RecoverReport> recover(const target::Process& process) { return recover_with(process, {}); }

}  // namespace nohalt::engines
