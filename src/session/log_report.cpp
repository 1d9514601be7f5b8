// What a log run leaves behind: the receipt for the person, the events for the
// audit trail.
#include <fmt/format.h>

#include <algorithm>

#include "src/base/time_text.h"
#include "src/session/log_run.h"
#include "src/session/target_facts.h"

namespace nohalt::session {

output::Counters LogRun::total() const {
  output::Counters sum;
  double cost = 0;
  for (const engines::ProbeCounters& one : armed_->counters()) {
    sum.hits += one.hits;
    sum.matched += one.matched;
    sum.recorded += one.recorded;
    sum.suppressed += one.suppressed;
    sum.dropped += one.dropped;
    sum.condition_unavailable += one.condition_unavailable;
    cost += one.mean_cost_ns * static_cast<double>(one.recorded);
    sum.worst_cost_ns = std::max(sum.worst_cost_ns, one.worst_cost_ns);
  }
  if (sum.recorded != 0) sum.mean_cost_ns = cost / static_cast<double>(sum.recorded);
  return sum;
}

output::Receipt LogRun::receipt(const Ending& ending,
                                const Result<engines::RemovalProof>& proof) const {
  output::Receipt slip;
  slip.wall_ns = now_wall_ns();
  slip.outcome = ending.outcome;
  slip.lasted = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - started_);
  const engines::HoldReport holds = armed_->holds();
  slip.holds = holds.count;
  slip.longest_hold = holds.longest;
  slip.total_hold = holds.total;
  slip.total = total();
  const auto counters = armed_->counters();
  for (std::uint32_t i = 0; i < probes_.size() && probes_.size() > 1; ++i) {
    const engines::ProbeCounters& one = counters[i];
    slip.probes.push_back({probe_name(id_, i, probes_.size()),
                           probes_[i].spec.location,
                           {one.hits, one.matched, one.recorded, one.suppressed, one.dropped,
                            one.condition_unavailable, one.mean_cost_ns, one.worst_cost_ns}});
  }
  if (proof) {
    slip.target_gone = proof->target_gone;
    slip.text_restored = proof->text_restored;
    slip.mappings_as_before = proof->mappings_as_before;
    slip.descriptors_as_before = proof->descriptors_as_before;
    slip.threads_as_before = proof->threads_as_before;
    slip.left = proof->left;
    slip.unloaded = proof->unloaded;
    for (const pid_t child : proof->dormant_children)
      slip.left.push_back(fmt::format(
          "Process {0}, forked while the probe was armed, still carries it, dormant; `nohalt sweep "
          "-p {0}` takes it off.",
          child));
  } else {
    slip.left.push_back(proof.error().message);
  }
  slip.lowered = decision_->notes;
  return slip;
}

std::string LogRun::rule_at_admission() const {
  const auto authority =
      policy::Authority::load(policy::PolicySources::usual(command_.common.policy_file));
  const auto process = target::Process::open(command_.pid);
  if (!authority || !process) return {};
  const policy::TargetFacts facts = target_facts(*process);
  return authority->deciding_rule(caller_, &facts, rights_for(command_.probes));
}

policy::Event LogRun::event(policy::EventKind kind) const {
  policy::Event event;
  event.kind = kind;
  event.run = id_;
  event.who = caller_;
  for (const spec::ProbeSpec& probe : command_.probes) {
    event.kinds.emplace_back(kind_name(probe.kind));
    event.locations.push_back(probe.location);
    event.messages.push_back(probe.message);
    event.conditions.push_back(probe.condition);
    event.captures.insert(event.captures.end(), probe.captures.begin(), probe.captures.end());
  }
  event.asked = asked_limits(command_.probes, probes_);
  event.reason = command_.reason;
  event.ticket = command_.ticket;
  if (at_) {
    event.target = at_->facts;
    event.policy_hash = at_->authority.policy_hash();
    event.rule = at_->admission.rule();
  } else {
    const auto process = target::Process::open(command_.pid);
    event.target = process ? target_facts(*process) : policy::TargetFacts{};
    event.target->identity.pid = command_.pid;
  }
  if (decision_) {
    event.program_hash = decision_->grant.program_hash();
    event.rule = decision_->grant.rule();
    event.granted = decision_->probe_limits;
  }
  for (const SiteIndex& at : index_sites(probes_)) {
    event.addresses.push_back(at.site->chosen.bias.to_runtime(at.site->chosen.plan.patched).value);
    const std::string place = at.site->line.file + ":" + std::to_string(at.site->line.line);
    if (std::ranges::find(event.places, place) == event.places.end()) event.places.push_back(place);
  }
  return event;
}

Status LogRun::record_end(const Ending& ending, const output::Receipt& slip) {
  policy::Event summary = event(policy::EventKind::kHitSummary);
  summary.records = slip.total.recorded;
  summary.bytes = writer_->bytes_written();
  summary.output_digest = writer_->digest();
  summary.redactions = writer_->redactions();
  const Status summarised = trail_->append(summary);
  policy::Event end = event(ending.event);
  end.left_behind = slip.left;
  const Status ended = trail_->append(end);
  return summarised ? ended : summarised;
}

}  // namespace nohalt::session
