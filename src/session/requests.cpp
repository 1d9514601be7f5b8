// `nohalt requests`, `approve` and `deny`: the side of those who are asked. A request
// is seen by who made it and by who may approve it. What lets something happen is in
// the audit trail before it is in the store; what ends a request, once it is known who
// ended it.
#include <fmt/format.h>

#include <algorithm>

#include "policy/access/authority.h"
#include "policy/approval/store.h"
#include "policy/audit/trails.h"
#include "probes/target/process.h"
#include "src/base/escape.h"
#include "src/output/request_report.h"
#include "src/output/talk.h"
#include "src/session/answer.h"
#include "src/session/audit_trail.h"
#include "src/session/session.h"
#include "src/session/target_facts.h"

namespace nohalt::session {

namespace {

using policy::EventKind;
using policy::KnownRequest;
using policy::RequestState;

bool is_open(const KnownRequest& known) {
  return known.state == RequestState::kWaiting || known.state == RequestState::kApproved;
}

// Of the very process, while it lives.
std::optional<policy::TargetFacts> facts_now(const policy::TargetFacts& asked) {
  const auto process = target::Process::open(asked.identity.pid);
  if (!process || process->identity() != asked.identity) return std::nullopt;
  policy::TargetFacts facts = target_facts(*process);
  facts.build_id = asked.build_id;
  return facts;
}

bool still_waits(const policy::ApprovalRequest& request) {
  const auto tool = target::Process::open(request.waits.pid);
  return tool && tool->identity() == request.waits;
}

class Approver {
 public:
  [[nodiscard]] static Result<Approver> open(const CommonOptions& common) {
    policy::Caller caller = policy::Caller::current();
    NOHALT_TRY(policy::RequestStore store, policy::RequestStore::open());
    NOHALT_TRY(policy::Authority authority,
               policy::Authority::load(policy::PolicySources::usual(common.policy_file)));
    NOHALT_TRY(policy::Trails trail, open_trail(caller, common));
    return Approver(std::move(caller), std::move(store), std::move(authority), std::move(trail));
  }

  // Those that still wait and may be seen; `damaged`: names of files that are none.
  [[nodiscard]] Result<std::vector<KnownRequest>> waiting(std::vector<std::string>& damaged) const;
  [[nodiscard]] Result<KnownRequest> find(const std::string& id) const;
  [[nodiscard]] Status judge(const JudgeCommand& command) const;
  [[nodiscard]] Result<policy::Moment> now() const { return store_.now(); }

 private:
  Approver(policy::Caller caller, policy::RequestStore store, policy::Authority authority,
           policy::Trails trail)
      : caller_(std::move(caller)),
        person_(policy::Person::of(caller_)),
        store_(std::move(store)),
        authority_(std::move(authority)),
        trail_(std::move(trail)) {}

  [[nodiscard]] Result<std::string> right_to_judge(const KnownRequest& known) const;
  [[nodiscard]] bool may_see(const KnownRequest& known) const {
    return !policy::is_surely_another(known.request.bound.by, person_) || right_to_judge(known);
  }
  [[nodiscard]] Result<KnownRequest> up_to_date(KnownRequest known) const;
  [[nodiscard]] Status end(const KnownRequest& known, RequestState state, EventKind kind,
                           const std::string& reason) const;
  [[nodiscard]] Result<KnownRequest> current(const std::string& id) const;
  [[nodiscard]] Status check_visible(const KnownRequest& known) const;
  [[nodiscard]] Status check_approvable(const KnownRequest& known) const;
  [[nodiscard]] Status judge(const KnownRequest& known, bool approves,
                             const std::string& reason) const;
  [[nodiscard]] policy::Event event(EventKind kind, const KnownRequest& known,
                                    const std::string& reason) const;

  policy::Caller caller_;
  policy::Person person_;
  policy::RequestStore store_;
  policy::Authority authority_;
  policy::Trails trail_;
};

policy::Event Approver::event(EventKind kind, const KnownRequest& known,
                              const std::string& reason) const {
  const policy::BoundRequest& bound = known.request.bound;
  policy::Event event;
  event.kind = kind;
  event.run = known.request.id;
  event.who = caller_;
  event.target = bound.target;
  event.program_hash = bound.program_hash;
  for (const policy::ShownProbe& probe : bound.probes) {
    event.kinds.push_back(probe.kind);
    event.locations.push_back(probe.location);
    event.messages.push_back(probe.message);
    event.conditions.push_back(probe.condition);
    event.captures.insert(event.captures.end(), probe.captures.begin(), probe.captures.end());
  }
  event.rule = bound.rule;
  event.policy_hash = authority_.policy_hash();
  event.granted = bound.granted;
  event.reason = reason;
  event.ticket = bound.ticket;
  return event;
}

// The rule that gives it. The sources count too: who may not look at them may not let
// others do so.
Result<std::string> Approver::right_to_judge(const KnownRequest& known) const {
  const policy::BoundRequest& bound = known.request.bound;
  const policy::TargetFacts facts = facts_now(bound.target).value_or(bound.target);
  NOHALT_TRY(const policy::Admission admission,
             authority_.admit(caller_, facts, {policy::Right::kApprove}));
  policy::Asking asking;
  asking.rights = {policy::Right::kApprove};
  asking.uses = bound.uses;
  NOHALT_TRY([[maybe_unused]] const policy::Leave leave,
             authority_.leave(admission, facts, asking));
  return admission.rule();
}

Status Approver::end(const KnownRequest& known, RequestState state, EventKind kind,
                     const std::string& reason) const {
  NOHALT_TRY(const bool is_first, store_.close(known.request.id, state, person_, reason));
  return is_first ? trail_.append(event(kind, known, reason)) : Status{};
}

// What nobody waits for any more is ended by who sees it.
Result<KnownRequest> Approver::up_to_date(KnownRequest known) const {
  if (known.closing) return known;
  if (known.state == RequestState::kExpired) {
    NOHALT_CHECK(end(known, RequestState::kExpired, EventKind::kApprovalExpired, {}));
  } else if (!still_waits(known.request)) {
    NOHALT_CHECK(end(known, RequestState::kWithdrawn, EventKind::kApprovalWithdrawn,
                     "who asked waits no longer"));
  } else {
    return known;
  }
  return store_.find(known.request.id);
}

Result<KnownRequest> Approver::current(const std::string& id) const {
  NOHALT_TRY(KnownRequest found, store_.find(id));
  return up_to_date(std::move(found));
}

Result<std::vector<KnownRequest>> Approver::waiting(std::vector<std::string>& damaged) const {
  NOHALT_TRY(policy::KnownRequests known, store_.list());
  damaged = std::move(known.damaged);
  std::vector<KnownRequest> seen;
  for (KnownRequest& one : known.requests) {
    NOHALT_TRY(KnownRequest current, up_to_date(std::move(one)));
    if (is_open(current) && may_see(current)) seen.push_back(std::move(current));
  }
  return seen;
}

Status Approver::check_visible(const KnownRequest& known) const {
  if (may_see(known)) return {};
  return fail(ErrorCode::kDenied, "right-missing",
              "Request " + known.request.id + " is not yours to see.",
              "It takes a role with the right `approve` for that process and its sources.");
}

Result<KnownRequest> Approver::find(const std::string& id) const {
  NOHALT_TRY(KnownRequest known, current(id));
  NOHALT_CHECK(check_visible(known));
  return known;
}

Status Approver::check_approvable(const KnownRequest& known) const {
  const policy::BoundRequest& bound = known.request.bound;
  if (authority_.policy_hash() != bound.policy_hash)
    return fail(ErrorCode::kDenied, "approval-stale",
                "Request " + known.request.id +
                    " was made under another policy than the one in force for you.",
                "Name the policy that it was made under with --policy; if that has changed, they "
                "ask again.");
  const auto facts = facts_now(bound.target);
  if (!facts)
    return fail(ErrorCode::kTargetGone, "target-gone",
                "The process that request " + known.request.id + " is about has ended.",
                "Nothing is left to approve.");
  if (*facts == bound.target) return {};
  return fail(ErrorCode::kDenied, "target-changed",
              "The process that request " + known.request.id +
                  " is about is not what it was when it was made.",
              "They ask again; if it happens again, the process changes its user or program.");
}

Status Approver::judge(const KnownRequest& known, bool approves, const std::string& reason) const {
  NOHALT_TRY(const std::string rule, right_to_judge(known));
  if (!is_open(known))
    return fail(ErrorCode::kDenied, "request-ended",
                "Request " + known.request.id + " is over: " + policy::state_text(known) + ".",
                "Who asked may ask again.");
  if (approves) {
    NOHALT_CHECK(check_approvable(known));
    NOHALT_CHECK(policy::check_another(known.request, person_));
    policy::Event approved = event(EventKind::kApproved, known, reason);
    approved.rule = rule;
    NOHALT_CHECK(trail_.append(approved));
    return store_.approve(known, person_, reason);
  }
  return end(known, RequestState::kDenied, EventKind::kApprovalDenied, reason);
}

Status Approver::judge(const JudgeCommand& command) const {
  NOHALT_TRY(const KnownRequest known, current(command.id));
  const std::string reason = authority_.value_rules().redact(command.reason).text;
  Status judged = check_visible(known);
  if (judged) judged = judge(known, command.approves, reason);
  if (judged) return judged;
  policy::Event denied = event(EventKind::kDenied, known, reason);
  denied.denial = judged.error().reason;
  NOHALT_CHECK(trail_.append(denied));
  return judged;
}

int refuse(output::Talk& talk, const Error& error) {
  talk.error(error);
  return exit_status(error.code);
}

int show_one(const Approver& approver, const CommonOptions& common, const std::string& id,
             output::Talk& talk) {
  const auto known = approver.find(id);
  if (!known) return refuse(talk, known.error());
  const auto now = approver.now();
  if (!now) return refuse(talk, now.error());
  return write_answer(common, common.format == Format::kJson ? output::requests_json({*known})
                                                             : output::request_text(*known, *now));
}

}  // namespace

int run_requests(const RequestsCommand& command) {
  output::Talk talk;
  const auto approver = Approver::open(command.common);
  if (!approver) return refuse(talk, approver.error());
  if (!command.id.empty()) return show_one(*approver, command.common, command.id, talk);
  std::vector<std::string> damaged;
  const auto seen = approver->waiting(damaged);
  if (!seen) return refuse(talk, seen.error());
  const auto now = approver->now();
  if (!now) return refuse(talk, now.error());
  for (const std::string& name : damaged)
    talk.say(fmt::format("nohalt: {} in the folder of requests is damaged and left aside\n",
                         escape_untrusted(name).text));
  if (command.common.format == Format::kJson)
    return write_answer(command.common, output::requests_json(*seen));
  return write_answer(command.common, seen->empty() ? "No request that you may see waits.\n"
                                                    : output::requests_text(*seen, *now));
}

int run_judge(const JudgeCommand& command) {
  output::Talk talk;
  const auto approver = Approver::open(command.common);
  if (!approver) return refuse(talk, approver.error());
  if (const Status judged = approver->judge(command); !judged) return refuse(talk, judged.error());
  return show_one(*approver, command.common, command.id, talk);
}

}  // namespace nohalt::session
