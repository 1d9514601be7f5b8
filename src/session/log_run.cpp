// The phases of a log run; what ends it is told apart in ending_of and
// status_of.
#include "src/session/log_run.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

#include "src/base/escape.h"
#include "src/base/time_text.h"
#include "src/session/armed_probe.h"
#include "src/session/audit_trail.h"
#include "src/session/redaction.h"
#include "src/session/service_identity.h"
#include "src/session/session.h"

namespace nohalt::session {

namespace {

constexpr std::chrono::milliseconds kTick{25};
constexpr std::chrono::milliseconds kDrainPatience{2000};

std::string random_id() {
  std::random_device device;
  const std::uint64_t id = std::uint64_t{device()} << 32 | device();
  return fmt::format("{:016x}", id == 0 ? 1 : id);
}

// The function that this site of a probe is of: its sites stand behind its entry.
const TracedFunction& traced_at(const PreparedProbe& probe, std::size_t site) {
  const auto behind = std::ranges::upper_bound(probe.traced, site, {}, &TracedFunction::entry);
  return *std::prev(behind);
}

}  // namespace

LogRun::LogRun(const LogCommand& command, output::Talk& talk)
    : command_(command),
      talk_(talk),
      id_(random_id()),
      caller_(policy::Caller::current()),
      written_(command.probes.size()) {}

int LogRun::run() {
  const auto refuse = [&](const Error& error) {
    talk_.error(error);
    return exit_status(error.code);
  };
  auto trail = open_trail(caller_, command_.common);
  if (!trail) return refuse(trail.error());
  trail_ = std::move(*trail);
  if (const Status asked = trail_->append(event(policy::EventKind::kRequested)); !asked)
    return refuse(asked.error());

  Status ready = prepare_or_wait();
  if (ready && !withdrawn_) ready = decide();
  if (ready && withdrawn_) return 0;
  if (ready) ready = arm();
  if (!ready) {
    policy::Event denied = event(policy::EventKind::kDenied);
    denied.denial = ready.error().reason;
    if (denied.rule.empty()) denied.rule = rule_at_admission();
    if (const Status noted = trail_->append(denied); !noted) talk_.error(noted.error());
    return refuse(ready.error());
  }
  const Ending ending = follow();
  if (const Status finished = finish(ending); !finished) {
    talk_.error(finished.error());
    return exit_status(ErrorCode::kInternal);
  }
  if (!core_status_) return refuse(core_status_.error());
  return status_of(ending);
}

Status LogRun::prepare_all() {
  if (command_.engine == EngineChoice::kKernel)
    return fail(ErrorCode::kRefused, "engine-unavailable",
                "This version has the inline engine only.", "Leave --engine out.");
  NOHALT_TRY(at_, attach(caller_, command_.pid, command_.common, rights_for(command_.probes)));
  trail_->set_value_rules(at_->authority.value_rules());
  NOHALT_TRY(const engines::TargetView view, engines::look_at(at_->process, at_->modules.files()));
  NOHALT_TRY(classes_, ObjectClasses::open(*at_));
  NOHALT_TRY(permitted_, prepare_permitted(*at_, view, *classes_, command_.probes,
                                           {rights_for(command_.probes),
                                            {},
                                            command_.reason,
                                            command_.ticket,
                                            command_.break_glass}));
  for (const PreparedProbe& probe : permitted_->probes)
    if (!probe.armable()) return std::unexpected(refusal_of(probe, view));
  probes_ = std::move(permitted_->probes);
  redact_messages();
  return {};
}

// What a message says by itself. What is found in a hit's is then of its values.
void LogRun::redact_messages() {
  for (PreparedProbe& probe : probes_)
    for (PreparedSite& site : probe.sites)
      for (std::string& text : site.message.texts)
        text = at_->authority.value_rules().redact(text).text;
}

engines::RunToArm LogRun::run_to_arm() const {
  engines::RunToArm run;
  run.files = at_->modules.files();
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    engines::ProbeToArm probe;
    if (decision_) {
      probe.hits_per_second = decision_->probe_limits[i].hits_per_second;
      probe.bytes_per_second = decision_->probe_limits[i].bytes_per_second;
    }
    probe.total_hits = probes_[i].spec.limits.hits;
    // A call brings two records, and the entry's are those that are counted.
    const RecordBytes bytes = record_bytes(probes_[i]);
    if (bytes.of_returns != 0)
      probe.bytes_per_second =
          probe.bytes_per_second * bytes.of_entry / (bytes.of_entry + bytes.of_returns);
    run.probes.push_back(probe);
  }
  for (const SiteIndex& at : index_sites(probes_))
    run.sites.push_back({at.site->line, at.site->capture->program, at.probe_number,
                         stop_rule(probes_[at.probe_number].spec), at.site->chosen.image,
                         at.site->role, at.site->chosen.behind});
  return run;
}

// A core file is made of addresses, whatever else is in it.
Status LogRun::check_core() const {
  const policy::HideRule* strict = at_->authority.redaction().strict();
  if (command_.core_file.empty() || strict == nullptr) return {};
  return fail(ErrorCode::kDenied, "core-in-strict-mode",
              "A core file tells addresses, and the policy lets only numbers and truth values be "
              "seen (mode: strict, " +
                  strict->where + ").",
              "Leave -o FILE.core out; the snapshot itself shows what may be seen.");
}

Status LogRun::arm() {
  NOHALT_CHECK(check_core());
  NOHALT_TRY(auto sink, output::Sink::open(command_.common.output_file));
  if (!stop_) {
    NOHALT_TRY(StopRequest stop, StopRequest::watch());
    stop_.emplace(std::move(stop));
  }
  // Text of the target, which has no place in strict mode.
  const ServiceIdentity identity = at_->authority.redaction().strict() != nullptr
                                       ? ServiceIdentity{}
                                       : read_service_identity(command_.pid);
  writer_.emplace(std::move(sink), command_.common.format, command_.types,
                  output::Origin{id_, caller_.host, command_.pid, at_->facts.exe_path,
                                 at_->facts.build_id, identity.service, identity.version, "inline"},
                  at_->authority.value_rules(), talk_);
  if (!command_.core_file.empty()) {
    NOHALT_TRY(core_, CoreWriter::prepare(command_.core_file, command_.pid, at_->facts.exe_path));
  }
  if (decision_->breaks_glass) NOHALT_CHECK(raise_alarm());
  NOHALT_CHECK(trail_->append(event(policy::EventKind::kArmed)));
  NOHALT_TRY(armed_, engines::arm(decision_->grant, at_->process, run_to_arm(), {.run_id = id_}));
  started_ = std::chrono::steady_clock::now();
  sites_ = index_sites(probes_);
  maker_.emplace(
      command_.pid, id_, probes_,
      StackValues(classes_->images(), redaction_of(at_->authority.redaction(), &permitted_->leave),
                  permitted_->leave, at_->authority.value_rules()),
      classes_->vtables(), at_->authority.value_rules());
  calls_.emplace(
      [this](std::uint32_t probe, output::Hit hit) {
        ++written_[probe];
        writer_->hit(hit);
      },
      [this](std::uint64_t ticks) { return armed_->nanoseconds(ticks); });
  for (const std::string& note : decision_->notes) notice("limit-lowered", note);
  say_armed();
  warn_of_missed_sites();
  return {};
}

// So that nobody waits for a message without knowing whether the probe is on.
void LogRun::say_armed() {
  const auto lease =
      std::chrono::duration_cast<std::chrono::seconds>(decision_->grant.limits().lease);
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    const auto places = std::count_if(sites_.begin(), sites_.end(), [&](const SiteIndex& site) {
      return site.probe_number == i;
    });
    talk_.say(
        fmt::format("nohalt: armed {} in {} place{} of pid {}, at most {}/s; off by itself in {}\n",
                    make_printable(probes_[i].spec.location), places, places == 1 ? "" : "s",
                    command_.pid, decision_->probe_limits[i].hits_per_second, lease));
    say_traced(probes_[i]);
  }
}

// Which returns are not seen shows before the first call does.
void LogRun::say_traced(const PreparedProbe& probe) {
  for (const TracedFunction& each : probe.traced) {
    std::string line = each.returns == 0
                           ? "it has no return of its own"
                           : fmt::format("returns seen at {} of {} place{}", each.returns_seen,
                                         each.returns, each.returns == 1 ? "" : "s");
    if (each.returns_seen < each.returns) line += " (" + each.why_not_all + ")";
    if (each.tail_calls != 0)
      line +=
          fmt::format(", not where {} jump{} or may lead to another function, which returns for it",
                      each.tail_calls, each.tail_calls == 1 ? " leads" : "s lead");
    if (!each.why_no_value.empty()) line += "; its value is unavailable: " + each.why_no_value;
    const std::string file = each.file.substr(each.file.rfind('/') + 1);
    talk_.say(fmt::format("nohalt: {}:{}: {}\n", make_printable(file),
                          make_printable(each.function), make_printable(line)));
  }
  if (probe.inlined_copies != 0)
    talk_.say(fmt::format("nohalt: {}: {} inlined cop{}, which no call leads to, {} left out\n",
                          make_printable(probe.spec.location), probe.inlined_copies,
                          probe.inlined_copies == 1 ? "y" : "ies",
                          probe.inlined_copies == 1 ? "is" : "are"));
}

void LogRun::warn_of_missed_sites() {
  for (const PreparedProbe& probe : probes_) {
    for (const PlaceGap& gap : probe.gaps)
      notice(gap.reason, fmt::format("{}: {}", probe.spec.location, gap.text));
    for (const PreparedSite& site : probe.sites) {
      const engines::SitePlan& plan = site.chosen.plan;
      if (!plan.patchable())
        notice("site-missed",
               fmt::format("{}: one copy, in {}, is not probed: {}", probe.spec.location,
                           site.line.function, plan.refusal_text));
    }
  }
}

void LogRun::write_call(const engines::RawRecord& record) {
  const SiteIndex& at = sites_[record.site];
  CallRecord call{at.probe_number, record.seq, record.tid, 0, record.ticks, maker_->make(record)};
  std::memcpy(&call.frame, record.body.data() + at.site->capture->layout.frame, sizeof call.frame);
  const auto index = static_cast<std::size_t>(at.site - at.probe->sites.data());
  const TracedFunction& traced = traced_at(*at.probe, index);
  if (at.site->role == engines::SiteRole::kReturn) {
    if (!traced.why_no_value.empty())
      call.hit.call = output::CallEnd{true, "its value is unavailable: " + traced.why_no_value, 0};
    return calls_->end(std::move(call));
  }
  if (traced.returns_seen == 0)
    return calls_->begin_without_end(std::move(call), "none of its returns can be seen");
  calls_->begin(std::move(call));
}

void LogRun::write_hit(const engines::RawRecord& record) {
  if (sites_[record.site].probe->spec.kind == spec::ProbeKind::kCalls) return write_call(record);
  ++written_[sites_[record.site].probe_number];
  CoreContents contents;
  const policy::ValueRules& rules = at_->authority.value_rules();
  contents.value_rules = &rules;
  const bool wants_core = core_ && !core_->is_written() && core_status_;
  const output::Hit hit = maker_->make(record, wants_core ? &contents : nullptr);
  writer_->hit(hit);
  if (wants_core) write_core(hit, contents);
}

void LogRun::write_core(const output::Hit& hit, const CoreContents& contents) {
  const auto size = core_->write(hit, contents);
  if (!size) {
    core_status_ = std::unexpected(size.error());
    return;
  }
  const std::string core = make_printable(core_->path());
  const std::string exe = make_printable(at_->facts.exe_path);
  talk_.say(fmt::format(
      "nohalt: wrote {} ({} bytes), for: gdb {} {}, or: lldb -c {} {}\n"
      "nohalt: it holds what the snapshot shows; of the rest debuggers say that it cannot be read, "
      "or show bytes of 0x2a ('*')\n",
      core, *size, exe, core, core, exe));
}

LogRun::Ending LogRun::follow() {
  while (true) {
    const engines::RunState state = armed_->tick([this](const auto& record) { write_hit(record); });
    calls_->settle();
    const auto pumped = writer_->pump();
    if (!pumped) {
      talk_.error(pumped.error());
      return {"failed"};
    }
    if (*pumped == output::SinkState::kClosed) return {"output-closed"};
    if (all_hits_reached()) return {"hits-reached"};
    if (auto ending = ending_of(state)) return *ending;
    show_status();
    trail_->keep_signed();
    if (stop_->wait(kTick, at_->process.pidfd())) return {"interrupted"};
  }
}

std::optional<LogRun::Ending> LogRun::ending_of(engines::RunState state) const {
  switch (state) {
    case engines::RunState::kRunning:
      return std::nullopt;
    case engines::RunState::kLeaseOver:
      return Ending{"lease-over", policy::EventKind::kExpired};
    case engines::RunState::kSwitchedOff:
      return Ending{"switched-off-by-cpu-budget"};
    case engines::RunState::kTargetGone:
      return Ending{"target-gone", policy::EventKind::kDisarmed, true};
    case engines::RunState::kRemovedByOther:
      return Ending{"removed-by-other"};
    case engines::RunState::kLibraryUnloaded:
      return Ending{"library-unloaded"};
    case engines::RunState::kTargetFiltered:
      return Ending{"target-sandboxed"};
    case engines::RunState::kTargetHandlesFaults:
      return Ending{"target-handles-faults"};
  }
  return std::nullopt;
}

bool LogRun::all_hits_reached() const {
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    const auto wanted = probes_[i].spec.limits.hits;
    if (!wanted || written_[i] < *wanted) return false;
  }
  return true;
}

int LogRun::status_of(const Ending& ending) const {
  if (ending.target_gone) return exit_status(ErrorCode::kTargetGone);
  if (ending.outcome == "failed") return exit_status(ErrorCode::kInternal);
  if (ending.outcome == "switched-off-by-cpu-budget") return exit_status(ErrorCode::kNoHit);
  const bool by_itself = ending.outcome != "hits-reached" && ending.outcome != "interrupted" &&
                         ending.outcome != "output-closed";
  const bool no_hit = std::all_of(written_.begin(), written_.end(), [](auto n) { return n == 0; });
  return by_itself && no_hit ? exit_status(ErrorCode::kNoHit) : 0;
}

Status LogRun::finish(const Ending& ending) {
  const auto proof = armed_->disarm();
  // What was captured before the text was restored.
  static_cast<void>(armed_->tick([this](const auto& record) { write_hit(record); }));
  calls_->finish();
  if (calls_->lone_ends() != 0)
    notice("returns-alone",
           fmt::format("{} return{} not shown: the record of the call's entry was lost",
                       calls_->lone_ends(), calls_->lone_ends() == 1 ? " is" : "s are"));
  const output::Receipt slip = receipt(ending, proof);
  explain(ending);
  writer_->receipt(slip);
  const auto drained = writer_->drain(kDrainPatience);
  const bool output_failed = !drained || ending.outcome == "failed";
  if (output_failed && command_.common.format == Format::kJson) writer_->say_receipt(slip);
  NOHALT_CHECK(record_end(ending, slip));
  if (!proof) return std::unexpected(proof.error());
  if (!drained) return std::unexpected(drained.error());
  // Children that were forked meanwhile are processes of their own: named, and
  // no failure to clean this one.
  const bool complete = proof->target_gone || (proof->text_restored && proof->left.empty());
  if (complete) return {};
  return fail(
      ErrorCode::kInternal, "removal-incomplete",
      "The probe is off, but not all of it could be removed; the receipt names what is left.",
      "Run `nohalt sweep -p " + std::to_string(command_.pid) + "` later.");
}

// What a person would not expect, and what to do about it.
void LogRun::explain(const Ending& ending) {
  if (ending.outcome == "switched-off-by-cpu-budget")
    notice(
        ending.outcome,
        "The probe cost more CPU than it may and was switched off. Narrow it with --if, or raise "
        "--cpu.");
  if (ending.outcome == "target-sandboxed")
    notice(ending.outcome,
           "The target put a thread under a system call filter, which may kill it for what a probe "
           "does, so the probe was switched off at once and is not taken out: it stays, dormant, "
           "until the target ends. Restart the target when it suits.");
  if (ending.outcome == "library-unloaded")
    notice(
        ending.outcome,
        "The process unloaded the library with the place, and the probe went with it. Should the "
        "library be loaded again, it is not probed: run the command again.");
  if (ending.outcome == "target-handles-faults")
    notice(ending.outcome,
           "The target installed a handler for faults that a moved instruction may raise, so the "
           "probe was taken off. Choose a line whose first instruction touches no memory.");
}

void LogRun::notice(const std::string& reason, const std::string& message) {
  writer_->notice(output::Notice{now_wall_ns(), reason, message, {}});
}

void LogRun::show_status() {
  if (!talk_.is_terminal()) return;
  const output::Counters sum = total();
  const auto lasted = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - started_);
  const auto lease = decision_->grant.limits().lease;
  talk_.status({sum.hits, sum.recorded, sum.suppressed, sum.dropped, lease - lasted});
}

int run_log(const LogCommand& command) {
  output::Talk talk;
  return LogRun(command, talk).run();
}

}  // namespace nohalt::session
