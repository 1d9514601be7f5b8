// Every question goes through weigh(), once for each file. The built-in policy has no
// rules to weigh and is asked only where there is no file.
#include "policy/access/authority.h"

#include <algorithm>

#include "policy/access/host.h"
#include "policy/limits/shares.h"

namespace nohalt::policy {

namespace {

std::unexpected<Error> denied(const Rules& rules, const Verdict& verdict) {
  std::string rule = rule_text(rules, verdict.rule, verdict.at);
  const bool is_role = verdict.reason != "denied-by-rule" && !verdict.rule.empty();
  std::string message = "Denied by " + rule + ": " + verdict.why + ".";
  if (is_role)
    message = "Denied: no rule allows it; nearest is " + rule + ", but " + verdict.why + ".";
  return fail(ErrorCode::kDenied, verdict.reason, std::move(message),
              verdict.hint.empty() ? "nohalt policy explain shows every rule that was weighed."
                                   : verdict.hint);
}

// The first run of 64 hex digits is how container runtimes name a container's cgroup.
std::optional<std::string> container_of(const std::optional<std::string>& cgroup) {
  if (!cgroup) return std::nullopt;
  constexpr std::size_t kIdLength = 64;
  std::size_t run = 0;
  for (std::size_t i = 0; i < cgroup->size(); ++i) {
    const char c = (*cgroup)[i];
    run = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? run + 1 : 0;
    if (run == kIdLength) return cgroup->substr(i + 1 - kIdLength, kIdLength);
  }
  return std::string{};
}

ProcessFacts facts_of(const TargetFacts& target) {
  constexpr std::string_view kDeleted = " (deleted)";
  ProcessFacts facts;
  std::string exe = target.exe_path;
  if (exe.ends_with(kDeleted)) exe.resize(exe.size() - kDeleted.size());
  if (exe.starts_with('/')) facts.exe = std::move(exe);
  facts.is_own_mount_namespace = target.is_own_mount_namespace;
  facts.uids = target.uids;
  if (!target.build_id.empty()) facts.build_id = target.build_id;
  facts.cgroup = target.cgroup;
  facts.container = container_of(target.cgroup);
  return facts;
}

Limits least_of(const Limits& a, const Limits& b) {
  Limits least = a;
  least.hits_per_second = std::min(a.hits_per_second, b.hits_per_second);
  least.bytes_per_second = std::min(a.bytes_per_second, b.bytes_per_second);
  least.lease = std::min(a.lease, b.lease);
  least.cpu_share = std::min(a.cpu_share, b.cpu_share);
  least.hold = std::min(a.hold, b.hold);
  least.probes = std::min(a.probes, b.probes);
  least.snapshot_bytes = std::min(a.snapshot_bytes, b.snapshot_bytes);
  return least;
}

Status check_identity(const Caller& caller) {
  if (caller.uid == caller.effective_uid) return {};
  return fail(ErrorCode::kDenied, "changed-identity",
              "nohalt runs with a real uid of " + std::to_string(caller.uid) +
                  " and an effective one of " + std::to_string(caller.effective_uid) + " (rule " +
                  std::string(kOwnProcessesRule) + ").",
              "Do not install nohalt setuid; run it as the target's user or as root.");
}

std::string rule_suffix() { return " (rule " + std::string{kOwnProcessesRule} + ")."; }

// The largest of each, so that the Grant covers every probe.
Limits covering(const Limits& a, const Limits& b) {
  Limits result = a;
  result.hits_per_second = std::max(a.hits_per_second, b.hits_per_second);
  result.bytes_per_second = std::max(a.bytes_per_second, b.bytes_per_second);
  result.lease = std::max(a.lease, b.lease);
  result.cpu_share = std::max(a.cpu_share, b.cpu_share);
  result.hold = std::max(a.hold, b.hold);
  return result;
}

}  // namespace

Question Authority::question(const Caller& caller, const TargetFacts& target) const {
  Question question;
  question.asker = asker_of(caller);
  question.process = facts_of(target);
  question.process.env = env_;
  question.now =
      std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  return question;
}

Question Authority::question(const Caller& caller, const Request& request) const {
  Question whole = question(caller, request.target);
  whole.rights = request.asking.rights;
  whole.uses = request.asking.uses;
  whole.reason = request.asking.reason;
  whole.ticket = request.asking.ticket;
  whole.breaks_glass = request.asking.breaks_glass;
  whole.probes = request.probes;
  whole.on_target = request.on_target;
  whole.of_user = request.of_user;
  whole.on_host = request.on_host;
  return whole;
}

Result<Admission> Authority::admit(const Caller& caller, const TargetFacts& target,
                                   const std::vector<Right>& rights) const {
  NOHALT_CHECK(check_identity(caller));
  std::string allowed;
  for (const Rules& rules : rules_) {
    Question asked = question(caller, target);
    asked.stage = Stage::kAdmit;
    asked.rights = rights;
    const Verdict verdict = weigh(rules, asked, HostDirectory{});
    if (!verdict.is_allowed) return denied(rules, verdict);
    allowed += (allowed.empty() ? "" : " and ") + rule_text(rules, verdict.rule, verdict.at);
  }
  if (!is_builtin()) return Admission{caller, target, allowed};
  const auto differs = [&](uid_t uid) { return uid != caller.uid; };
  const auto foreign = std::ranges::find_if(target.uids, differs);
  if (!caller.is_root() && foreign != target.uids.end())
    return fail(ErrorCode::kDenied, "not-your-process",
                "Process " + std::to_string(target.identity.pid) + " has uid " +
                    std::to_string(*foreign) + " and you are uid " + std::to_string(caller.uid) +
                    rule_suffix(),
                "Run nohalt as the user of that process, or as root.");
  return Admission{caller, target, std::string{kOwnProcessesRule}};
}

Status Authority::admit_person(const Caller& caller, Right right) const {
  NOHALT_CHECK(check_identity(caller));
  for (const Rules& rules : rules_) {
    Question asked = question(caller, TargetFacts{});
    asked.stage = Stage::kPerson;
    asked.rights = {right};
    const Verdict verdict = weigh(rules, asked, HostDirectory{});
    if (!verdict.is_allowed) return denied(rules, verdict);
  }
  return {};
}

std::string Authority::deciding_rule(const Caller& caller, const TargetFacts* target,
                                     const std::vector<Right>& rights) const {
  std::string allowed;
  for (const Rules& rules : rules_) {
    Question asked = question(caller, target == nullptr ? TargetFacts{} : *target);
    asked.stage = target == nullptr ? Stage::kPerson : Stage::kAdmit;
    asked.rights = rights;
    const Verdict verdict = weigh(rules, asked, HostDirectory{});
    const std::string rule = rule_text(rules, verdict.rule, verdict.at);
    if (!verdict.is_allowed) return rule;
    allowed += (allowed.empty() ? "" : " and ") + rule;
  }
  return is_builtin() ? std::string{kOwnProcessesRule} : allowed;
}

Result<Leave> Authority::leave(const Admission& admission, const TargetFacts& target,
                               const Asking& asking) const {
  Leave leave;
  const Request request{target, {}, {}, asking, {}, {}, {}};
  for (const Rules& rules : rules_) {
    const Question asked = question(admission.caller_, request);
    const HostDirectory directory;
    const Verdict verdict = weigh(rules, asked, directory);
    if (!verdict.is_allowed && verdict.needs_approvals == 0) return denied(rules, verdict);
    const Role& role = rules.roles[verdict.role];
    leave.parts_.push_back({SourceFilter(rules, verdict.role, asked, directory), role.may,
                            maxima_of(role.limits).snapshot_bytes, maxima_of(role.limits).probes});
  }
  return leave;
}

std::vector<Authority::Explained> Authority::explain(const Caller& caller, const Request& request,
                                                     Stage stage) const {
  std::vector<Explained> all;
  for (const Rules& rules : rules_) {
    Question asked = question(caller, request);
    asked.stage = stage;
    Verdict verdict = weigh(rules, asked, HostDirectory{});
    std::string rule = rule_text(rules, verdict.rule, verdict.at);
    all.push_back({rules.file, std::move(verdict), std::move(rule)});
  }
  return all;
}

Status Authority::check_same_target(const Admission& admission, const Request& request) const {
  const TargetFacts& admitted = admission.target();
  if (admitted.identity == request.target.identity && admitted.uids == request.target.uids)
    return {};
  return fail(ErrorCode::kDenied, "target-changed",
              "Process " + std::to_string(admitted.identity.pid) +
                  " is not what it was when it was admitted: its identity or its uids changed.",
              "Start again; if it happens again, the process changes its user.");
}

Result<Authority::Weighing> Authority::weigh_all(const Caller& caller, const Request& request,
                                                 std::size_t approvals) const {
  Weighing all;
  for (const Rules& rules : rules_) {
    Question asked = question(caller, request);
    asked.approvals = static_cast<std::uint32_t>(approvals);
    Verdict verdict = weigh(rules, asked, HostDirectory{});
    if (!verdict.is_allowed && verdict.needs_approvals == 0) return denied(rules, verdict);
    if (!verdict.is_allowed && !all.lacking) all.lacking = denied(rules, verdict).error();
    all.needed = std::max(all.needed, verdict.needs_approvals);
    all.breaks_glass = all.breaks_glass || verdict.breaks_glass;
    for (std::size_t i = 0; i < verdict.granted.size(); ++i) {
      if (i == all.granted.size()) all.granted.push_back(verdict.granted[i]);
      all.granted[i] = least_of(all.granted[i], verdict.granted[i]);
    }
    for (std::string& note : verdict.notes)
      if (std::ranges::find(all.notes, note) == all.notes.end())
        all.notes.push_back(std::move(note));
    const Position at = verdict.is_allowed ? verdict.at : rules.roles[verdict.role].at;
    all.rule += (all.rule.empty() ? "" : " and ") + rule_text(rules, verdict.rule, at);
  }
  return all;
}

Result<Decision> Authority::decide(const Admission& admission, const Request& request,
                                   const Approved* approved) const {
  NOHALT_CHECK(check_same_target(admission, request));
  if (is_builtin()) return decide_builtin(admission, request);
  const std::size_t approvals = approved == nullptr ? 0 : approved->approvals().size();
  NOHALT_TRY(Weighing all, weigh_all(admission.caller_, request, approvals));
  if (all.lacking) return std::unexpected(std::move(*all.lacking));
  if (all.granted.empty())
    return fail(ErrorCode::kDenied, "too-many-probes", "No probe is asked for.");
  if (approved != nullptr) {
    NOHALT_TRY(const BoundRequest now, to_approve(admission, request));
    NOHALT_CHECK(check_unchanged(approved->request(), now));
    const std::vector<Limits>& most = approved->request().bound.granted;
    for (std::size_t i = 0; i < all.granted.size() && i < most.size(); ++i)
      all.granted[i] = least_of(all.granted[i], most[i]);
  }
  Limits covered = all.granted.front();
  for (const Limits& limits : all.granted) covered = covering(covered, limits);
  return Decision{Grant{request.target, request.program_hash, covered, std::move(all.rule)},
                  std::move(all.granted), std::move(all.notes), all.breaks_glass};
}

Result<Decision> Authority::decide_builtin(const Admission& admission,
                                           const Request& request) const {
  const Limits maxima = builtin_maxima();
  if (request.probes.empty() || request.probes.size() > maxima.probes)
    return fail(ErrorCode::kDenied, "too-many-probes",
                std::to_string(request.probes.size()) +
                    " probes are asked for; the policy allows 1 to " +
                    std::to_string(maxima.probes) + rule_suffix(),
                "Arm them in several runs.");
  std::vector<Limits> probe_limits;
  std::vector<std::string> notes;
  for (const AskedLimits& asked : request.probes) {
    LoweredLimits lowered = lower_limits(asked, Limits{}, maxima);
    probe_limits.push_back(lowered.granted);
    for (std::string& note : lowered.notes)
      if (std::ranges::find(notes, note) == notes.end()) notes.push_back(std::move(note));
  }
  Limits all = probe_limits.front();
  for (const Limits& limits : probe_limits) all = covering(all, limits);
  return Decision{Grant{request.target, request.program_hash, all, admission.rule()},
                  std::move(probe_limits), std::move(notes)};
}

}  // namespace nohalt::policy
