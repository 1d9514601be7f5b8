// What a log run asks of policy, and the way round by other people's approval.
#include <fmt/format.h>

#include "src/session/approval_wait.h"
#include "src/session/log_run.h"

namespace nohalt::session {

namespace {

policy::ShownProbe shown(const spec::ProbeSpec& probe) {
  return {kind_name(probe.kind), probe.location, probe.message,
          probe.condition,       probe.captures, probe.limits.hits.value_or(0),
          probe.stack_frames};
}

}  // namespace

policy::Request LogRun::request() const {
  policy::Request request;
  request.target = at_->facts;
  request.program_hash = engines::program_hash(run_to_arm());
  request.probes = asked_limits(command_.probes, probes_);
  request.asking = permitted_->asking;
  for (const spec::ProbeSpec& probe : command_.probes) request.shown.push_back(shown(probe));
  return request;
}

Status LogRun::grant(const policy::Approved* approved) {
  policy::Request asked = request();
  NOHALT_TRY(OtherRuns others, OtherRuns::look(*at_));
  others.count(asked);
  NOHALT_TRY(decision_, at_->authority.decide(at_->admission, asked, approved));
  NOHALT_TRY(ledger_place_, others.enter(*decision_));
  return {};
}

Result<policy::BoundRequest> LogRun::to_approve() const {
  policy::Request asked = request();
  NOHALT_TRY(const OtherRuns others, OtherRuns::look(*at_));
  others.count(asked);
  return at_->authority.to_approve(at_->admission, asked);
}

Status LogRun::decide() {
  const Status granted = grant(nullptr);
  const bool waits = !granted && granted.error().reason == "approval-required";
  return waits && !command_.break_glass ? decide_with_others() : granted;
}

// Half an hour may go by. So all is looked at anew before the approval is used: the
// rules, the process, the program and its places.
Status LogRun::decide_with_others() {
  NOHALT_TRY(const policy::BoundRequest bound, to_approve());
  if (!stop_) {
    NOHALT_TRY(StopRequest stop, StopRequest::watch());
    stop_.emplace(std::move(stop));
  }
  NOHALT_TRY(const auto wait,
             ApprovalWait::begin({id_, caller_, *trail_, talk_,
                                  [this](policy::EventKind kind) { return event(kind); },
                                  command_.common.policy_file},
                                 bound));
  NOHALT_TRY(const bool approved, wait->wait(*stop_, at_->process.pidfd()));
  withdrawn_ = !approved;
  if (withdrawn_) return {};
  NOHALT_CHECK(prepare_anew());
  NOHALT_TRY(const policy::BoundRequest now, to_approve());
  NOHALT_TRY(const policy::Approved used, wait->claim(now));
  return grant(&used);
}

Status LogRun::raise_alarm() {
  NOHALT_TRY(const bool was_sent, trail_->append_alert(event(policy::EventKind::kGlassBroken)));
  talk_.say("nohalt: armed without approval, by --break-glass; the audit trail has it\n");
  if (!was_sent)
    talk_.say("nohalt: neither journald nor syslog took the alarm: only the audit trail has it\n");
  return {};
}

}  // namespace nohalt::session
