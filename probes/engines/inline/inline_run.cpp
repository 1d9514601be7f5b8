// Living with what was armed, and taking it off.
//
// Removal goes text first: from then on nobody comes in. The code stays until it
// is shown that no thread is in it or will return to it; where that cannot be
// shown in time it is kept, and named.
#include "probes/engines/inline/inline_run.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "probes/engines/inline/forked_children.h"
#include "probes/engines/inline/found_runs.h"
#include "probes/engines/inline/removal.h"
#include "probes/engines/inline/unloading.h"
#include "probes/target/attachable.h"
#include "probes/target/remote_thread.h"
#include "probes/target/target_lock.h"
#include "probes/target/watchdog.h"
#include "src/base/file.h"

namespace nohalt::engines {

namespace {

constexpr std::chrono::milliseconds kRemovalPatience{5000};
constexpr std::chrono::milliseconds kBetweenAttempts{50};
constexpr double kRefreshSeconds = 1.0;

// No probe has more than was granted, whatever the run asks for.
records::PumpLimits pump_limits(const RunToArm& run, const policy::Limits& limits) {
  records::PumpLimits pump;
  pump.lease_seconds = std::chrono::duration<double>(limits.lease).count();
  pump.cpu_fraction = limits.cpu_share;
  for (std::uint32_t i = 0; i < run.sites.size(); ++i) {
    const ProbeToArm& probe = run.probes[run.sites[i].probe];
    // Only the first site of a probe has a control block that is used.
    if (leader_of(run, run.sites[i].probe) != i)
      pump.sites.push_back({0, records::kNoTotal, 0});
    else
      pump.sites.push_back({std::min(probe.hits_per_second, limits.hits_per_second),
                            std::min(probe.bytes_per_second, limits.bytes_per_second),
                            probe.total_hits.value_or(records::kNoTotal)});
  }
  return pump;
}

bool has_ended(int pidfd) {
  pollfd watched{pidfd, POLLIN, 0};
  return ::poll(&watched, 1, 0) > 0;
}

std::chrono::nanoseconds ns(std::uint64_t count) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(count));
}

// The page is of the same file, place and rights as it was before. Whether it is
// one mapping with its neighbours again, other runs' pages may decide.
bool is_mapped_as_before(const target::Maps& before, const target::Maps& now, RuntimeAddress page) {
  const target::Mapping* then = before.find(page);
  const target::Mapping* at = now.find(page);
  return then != nullptr && at != nullptr && at->file == then->file && at->path == then->path &&
         at->offset + (page - at->range.begin) == then->offset + (page - then->range.begin) &&
         at->readable == then->readable && at->writable == then->writable &&
         at->executable == then->executable && at->shared == then->shared;
}

std::unexpected<Error> replaced_itself() {
  return fail(ErrorCode::kTargetGone, "target-gone", "The target replaced itself (execve).");
}

}  // namespace

std::uint64_t own_start_time() {
  constexpr int kStartTimeField = 22;
  const auto stat = read_file("/proc/self/stat");
  return stat ? target::parse_stat_field(*stat, kStartTimeField) : 0;
}

InlineRun::InlineRun(const target::Process& process, InstalledRun installed,
                     records::TscClock clock, const RunToArm& run, const policy::Limits& limits)
    : process_(process),
      installed_(std::move(installed)),
      clock_(clock),
      recorded_(run.probes.size()),
      pump_(installed_.region, clock_, pump_limits(run, limits)),
      reader_(installed_.region),
      threads_(process.pid(), process.facts().namespace_pid) {
  for (const SiteToArm& site : run.sites) {
    leaders_.push_back(leader_of(run, site.probe));
    probe_of_.push_back(site.probe);
    is_return_.push_back(site.role == SiteRole::kReturn);
  }
  for (std::uint32_t i = 0; i < run.probes.size(); ++i) probes_.push_back(leader_of(run, i));
  pump_.start(records::TscClock::now());
}

InlineRun::~InlineRun() { static_cast<void>(disarm()); }

RunState InlineRun::state(records::Ticks now) const {
  if (replaced_itself_ || has_ended(process_.pidfd())) return RunState::kTargetGone;
  if (installed_.region.control().removed != 0) return RunState::kRemovedByOther;
  if (change_ == Change::kFiltered) return RunState::kTargetFiltered;
  if (change_ == Change::kHandlesFaults) return RunState::kTargetHandlesFaults;
  if (unloaded_) return RunState::kLibraryUnloaded;
  if (pump_.lease_over(now)) return RunState::kLeaseOver;
  const bool all_off = std::all_of(probes_.begin(), probes_.end(), [&](std::uint32_t leader) {
    return pump_.counters(leader).state == runtime::ProbeState::kSwitchedOffCpu;
  });
  return all_off ? RunState::kSwitchedOff : RunState::kRunning;
}

// The gate page goes with the address space; a sweep by another run takes it too,
// and says so first.
bool InlineRun::is_still_there() const {
  return installed_.region.control().removed != 0 ||
         installed_.memory.read_value<std::uint32_t>(installed_.places.gate).has_value();
}

// Dormant from now on, whatever the caller does next.
void InlineRun::look_for_changes() {
  if (change_ == Change::kNone) change_ = installed_.changes.look();
  if (change_ != Change::kNone) pump_.stop();
}

RunState InlineRun::tick(const std::function<void(const RawRecord&)>& sink) {
  const records::Ticks now = records::TscClock::now();
  if (now - refreshed_ > clock_.ticks(kRefreshSeconds)) {
    clock_.refresh();
    refreshed_ = now;
    replaced_itself_ = !disarmed_ && !is_still_there();
    if (!disarmed_) look_for_changes();
    unloaded_ = !disarmed_ && !replaced_itself_ && installed_.pages.empty() &&
                are_unloaded(process_, installed_.memory, installed_.texts);
  }
  if (!disarmed_) pump_.tick(now);
  read_ring(sink);
  return state(now);
}

void InlineRun::read_ring(const std::function<void(const RawRecord&)>& sink) {
  const auto alive = [this](std::uint32_t tid) {
    return threads_.to_tool(static_cast<pid_t>(tid)) != 0;
  };
  reader_.poll(alive, [&](records::RingRecord record) {
    const std::uint32_t site = record.site;
    // The time now: the record may be younger than this tick.
    const records::Ticks seen = records::TscClock::now();
    record.site = leaders_[site];
    const bool accepted = is_return_[site] ? pump_.accept_return(record, leaders_[site], seen)
                                           : pump_.accept(record, seen);
    if (!accepted) return;
    if (!is_return_[site]) ++recorded_[probe_of_[site]];
    RawRecord raw;
    raw.site = site;
    raw.tid = static_cast<std::uint32_t>(threads_.to_tool(static_cast<pid_t>(record.tid)));
    raw.seq = record.seq;
    raw.suppressed = record.suppressed;
    raw.dropped = record.dropped;
    raw.wall_ns = clock_.wall_ns(record.tsc);
    raw.ticks = record.tsc;
    raw.body = std::move(record.body);
    sink(raw);
  });
}

std::vector<ProbeCounters> InlineRun::counters() const {
  std::vector<ProbeCounters> all;
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    const records::ProbeCounters from = pump_.counters(probes_[i]);
    ProbeCounters to;
    to.hits = from.hits;
    to.matched = from.matched;
    to.suppressed = from.suppressed;
    to.dropped = from.dropped;
    to.recorded = recorded_[i];
    to.condition_unavailable = from.condition_unavailable;
    to.mean_cost_ns = from.mean_cost_ns;
    to.worst_cost_ns = from.worst_cost_ns;
    all.push_back(to);
  }
  for (std::size_t site = 0; site < is_return_.size(); ++site)
    if (is_return_[site]) all[probe_of_[site]].dropped += pump_.counters(site).dropped;
  return all;
}

HoldReport InlineRun::holds() const {
  const target::HoldReport& from = installed_.holds;
  return {static_cast<std::uint32_t>(from.count), ns(from.longest_ns), ns(from.total_ns)};
}

Result<RemovalProof> InlineRun::disarm() {
  RemovalProof proof;
  if (std::exchange(disarmed_, true)) return proof;
  pump_.stop();
  const target::BeforeOthers quickly;
  Status removed = remove(proof);
  const auto deadline = std::chrono::steady_clock::now() + kRemovalPatience;
  while (!removed && !is_gone() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kBetweenAttempts);
    removed = go_on_removing(proof);
  }
  if (removed) return proof;
  if (!is_gone()) {
    Error error = removed.error();
    if (error.code == ErrorCode::kRefused)
      error.hint = "The probe is dormant; `nohalt sweep` takes it off later.";
    return std::unexpected(std::move(error));
  }
  proof = {};
  proof.target_gone = true;
  return proof;
}

// Whatever a step met, it may have been the end of the process or the new program
// of an execve.
bool InlineRun::is_gone() const {
  if (has_ended(process_.pidfd())) return true;
  const auto read = installed_.memory.read_value<std::uint8_t>(installed_.addresses[0]);
  // A library that was unloaded is not there either, but that is said otherwise.
  return !read && read.error().code == ErrorCode::kTargetGone;
}

Status InlineRun::remove(RemovalProof& proof) {
  NOHALT_CHECK(process_.check_alive());
  NOHALT_TRY(const target::TargetLock lock, target::TargetLock::acquire(process_));
  // Another run may have swept this one while the lock was waited for.
  if (!is_still_there()) return replaced_itself();
  if (installed_.region.control().removed != 0) {
    prove_removal(proof);
    return {};
  }
  // What has changed since arming, a system call filter above all, may forbid it.
  NOHALT_CHECK(target::check_detachable(process_));
  NOHALT_TRY(target::RemoteThread thread,
             target::RemoteThread::borrow(process_, lock, &installed_.holds));
  const Status text = restore_text(thread, proof);
  const Status code = text && proof.left.empty() ? remove_code(thread, proof) : Status{};
  const Status finished = thread.finish();
  installed_.holds.add(thread.holds());
  NOHALT_CHECK(text);
  NOHALT_CHECK(code);
  NOHALT_CHECK(finished);
  // Of what runs now instead, nothing can be proven.
  if (is_gone()) return replaced_itself();
  prove_removal(proof);
  return {};
}

Status InlineRun::restore_text(target::RemoteThread& thread, RemovalProof& proof) {
  for (const inline_pages::SwappedPage& page : installed_.pages) {
    const auto out = inline_pages::swap_out(thread, page);
    if (!out)
      proof.left.push_back(out.error().message);
    else if (*out == inline_pages::Recovery::kGone)
      proof.unloaded.push_back(page.original.backing.path);
  }
  NOHALT_TRY(auto back, inline_pages::put_back(thread, installed_.texts, installed_.longest_hold));
  proof.left.insert(proof.left.end(), back.left.begin(), back.left.end());
  proof.unloaded.insert(proof.unloaded.end(), back.unloaded.begin(), back.unloaded.end());
  return {};
}

// Nothing is known of how far the first attempt came, so what is there now decides.
Status InlineRun::go_on_removing(RemovalProof& proof) {
  NOHALT_TRY(RecoverReport report, recover_with(process_, installed_.id, installed_.longest_hold));
  installed_.holds.add(report.holds);
  proof = {};
  proof.left = std::move(report.proof.left);
  prove_removal(proof);
  return {};
}

Status InlineRun::remove_code(target::RemoteThread& thread, RemovalProof& proof) {
  const RunPlaces& places = installed_.places;
  NOHALT_TRY(const auto who, remove_regions(thread, {places.chunks, places.gate, places.control}));
  if (who) proof.left.push_back(code_stays(*who));
  return {};
}

void InlineRun::prove_removal(RemovalProof& proof) const {
  const auto maps = target::read_maps(process_.pid());
  if (maps) {
    const bool none_named =
        std::none_of(maps->all().begin(), maps->all().end(), [&](const target::Mapping& mapping) {
          return is_named_ours(mapping) && overlaps_places(installed_.places, mapping.range);
        });
    proof.text_restored =
        std::all_of(installed_.pages.begin(), installed_.pages.end(),
                    [&](const auto& page) {
                      return is_mapped_as_before(installed_.before, *maps, page.original.page) ||
                             maps->find(page.original.page) == nullptr;
                    }) &&
        none_installed(installed_.texts, *maps, installed_.memory);
    proof.mappings_as_before = proof.text_restored && none_named;
  }
  proof.descriptors_as_before = !holds_our_descriptor(process_.pid());
  // finish() has seen the helper's task directory go.
  proof.threads_as_before = true;
  proof.dormant_children =
      find_forked_children(process_.pid(), installed_.region.layout().generation);
}

}  // namespace nohalt::engines
