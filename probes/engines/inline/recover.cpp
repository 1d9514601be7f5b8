// Taking off what a dead run left. The control page only says where to look; the
// pages prove themselves (pages/recover_page.h), and a range is unmapped only if
// the kernel's list names it as nohalt's, or, for the nameless gate page, shows
// the flag that nothing but such a page has.
#include <algorithm>

#include "probes/engines/inline/forked_children.h"
#include "probes/engines/inline/found_runs.h"
#include "probes/engines/inline/inline_engine.h"
#include "probes/engines/inline/pages/recover_page.h"
#include "probes/engines/inline/pages/region.h"
#include "probes/target/attachable.h"
#include "probes/target/drain.h"
#include "probes/target/remote_thread.h"
#include "probes/target/target_lock.h"

namespace nohalt::engines {

namespace {

using target::RemoteThread;

constexpr std::chrono::milliseconds kDrainPatience{2000};

class Sweeper {
 public:
  Sweeper(RemoteThread& thread, RecoverReport& report) : thread_(thread), report_(report) {}

  // Tells the run's tool, should it wake up again, that it has lost its run.
  void mark_removed(const FoundControl& control) {
    constexpr std::uint64_t kRemoved = 1;
    const RuntimeAddress flag = control.range.begin + offsetof(runtime::ControlPage, removed);
    static_cast<void>(thread_.memory().write(flag, std::as_bytes(std::span(&kRemoved, 1))));
  }

  void restore(RuntimeAddress page, RuntimeAddress slot) {
    const auto recovery = inline_pages::recover_page(thread_, page, slot);
    if (!recovery) {
      report_.proof.left.push_back(recovery.error().message);
    } else if (*recovery != inline_pages::Recovery::kWasOriginal) {
      ++report_.pages_restored;
    }
  }

  void free_slot(RuntimeAddress slot) {
    if (const Status removed = inline_pages::remove_slot(thread_, slot); !removed)
      report_.proof.left.push_back(removed.error().message);
  }

  // Code, gate and control region of a run whose text is restored.
  Status remove_regions(const FoundControl& control) {
    NOHALT_TRY(const target::Maps maps, target::read_maps(thread_.process().pid()));
    std::vector<RuntimeRange> code;
    for (std::uint32_t i = 0; i < control.claims.code_count; ++i)
      code.push_back({{control.claims.code[i].begin}, {control.claims.code[i].end}});
    std::erase_if(code, [&](const RuntimeRange& range) { return !is_ours(maps, range); });
    NOHALT_TRY(const bool empty, target::wait_until_left(thread_, code, kDrainPatience));
    if (!empty) {
      report_.proof.left.push_back(
          "The probe's code stays mapped, dormant: a thread may still be inside it. Run `nohalt "
          "sweep` again later.");
      return {};
    }
    for (const RuntimeRange& range : code) NOHALT_CHECK(inline_pages::unmap_range(thread_, range));
    NOHALT_CHECK(remove_gate(maps, {control.claims.gate_address}));
    return inline_pages::unmap_range(thread_, control.range);
  }

  // What is named as nohalt's although no control page tells of it.
  Status remove_nameless_rest() {
    NOHALT_TRY(const auto rest, inline_pages::find_leftovers(thread_.process(), thread_.memory()));
    for (const RuntimeAddress page : rest.swapped) restore(page, {});
    for (const RuntimeAddress slot : rest.slots) free_slot(slot);
    NOHALT_TRY(const target::Maps maps, target::read_maps(thread_.process().pid()));
    for (const target::Mapping& mapping : maps.all()) {
      const bool left = mapping.path == std::string("/memfd:") + runtime::kCodeName ||
                        mapping.path == std::string("/memfd:") + runtime::kControlName;
      if (!left) continue;
      const RuntimeRange code[] = {mapping.range};
      NOHALT_TRY(const bool empty, target::wait_until_left(thread_, code, kDrainPatience));
      if (empty) NOHALT_CHECK(inline_pages::unmap_range(thread_, mapping.range));
    }
    return {};
  }

 private:
  static bool is_ours(const target::Maps& maps, const RuntimeRange& range) {
    const target::Mapping* mapping = maps.find(range.begin);
    return mapping != nullptr && mapping->range == range && is_named_ours(*mapping);
  }

  Status remove_gate(const target::Maps& maps, RuntimeAddress gate) {
    const target::Mapping* mapping = maps.find(gate);
    if (mapping == nullptr || !mapping->anonymous() ||
        mapping->range != RuntimeRange{gate, gate + kPageSize})
      return {};
    NOHALT_TRY(const auto facts,
               target::read_mapping_facts(thread_.process().pid(), mapping->range.begin));
    constexpr std::string_view kWipeOnFork = "wf";
    if (!facts.has_flag(kWipeOnFork)) return {};
    return inline_pages::unmap_range(thread_, mapping->range);
  }

  RemoteThread& thread_;
  RecoverReport& report_;
};

// A second attempt may find what the first one began with.
void note_run(RecoverReport& report, const FoundRun& run) {
  const bool known = std::any_of(report.runs.begin(), report.runs.end(),
                                 [&](const FoundRun& other) { return other.id == run.id; });
  if (!known) report.runs.push_back(run);
}

Status sweep(RemoteThread& thread, std::string_view own, RecoverReport& report) {
  Sweeper sweeper(thread, report);
  NOHALT_TRY(const target::Maps maps, target::read_maps(thread.process().pid()));
  const auto controls = find_controls(maps, thread.memory());
  bool others_live = false;
  for (const FoundControl& control : controls) {
    // A forked child has the page of its parent's run, which is nothing to it.
    const bool foreign = control.claims.target_pid != thread.process().pid();
    if (!foreign && control.run.id != own && !is_orphan(control.run)) {
      others_live = true;
      continue;
    }
    note_run(report, control.run);
    if (!foreign) sweeper.mark_removed(control);
    for (std::uint32_t i = 0; i < control.claims.page_count; ++i)
      sweeper.restore({control.claims.pages[i].page}, {control.claims.pages[i].slot});
    if (report.proof.left.empty()) NOHALT_CHECK(sweeper.remove_regions(control));
  }
  return others_live || !report.proof.left.empty() ? Status{} : sweeper.remove_nameless_rest();
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
                    std::string_view own, RecoverReport& report) {
  NOHALT_TRY(RemoteThread thread, RemoteThread::borrow(process, lock));
  report.proof = {};
  const Status swept = sweep(thread, own, report);
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
        return control.claims.target_pid == process.pid() && !is_orphan(control.run);
      });
  return !all_live;
}

Result<RecoverReport> recover_with(const target::Process& process, std::string_view own) {
  NOHALT_TRY(const target::TargetLock lock, target::TargetLock::acquire(process));
  NOHALT_CHECK(target::check_attachable(process));
  RecoverReport report;
  Status recovered;
  for (int attempt = 0; attempt < kSessionAttempts; ++attempt) {
    recovered = recover_once(process, lock, own, report);
    if (recovered || !target::session_was_lost(recovered.error())) break;
  }
  if (!recovered) return std::unexpected(std::move(recovered).error());
  return report;
}

Result<RecoverReport> recover(const target::Process& process) { return recover_with(process, {}); }

}  // namespace nohalt::engines
