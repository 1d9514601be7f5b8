// A role's conditions are weighed in one order, and the first that fails is what
// is said of it: so the role that failed latest came nearest.
#include "policy/access/verdict.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "policy/access/match.h"
#include "policy/limits/shares.h"

namespace nohalt::policy {

namespace {

// How a role failed. `step` grows with what it has passed.
struct Failure {
  int step = 0;
  std::string key;
  Position at;
  std::string reason;
  std::string why;
  std::string hint;
};

std::string deny_why(const DenyRule& rule, const Question& question, const Directory& directory,
                     const std::string& root) {
  if (rule.members && members_match(*rule.members, question.asker, directory) == Match::kNo)
    return "who asks is none of its members";
  const auto is_asked = [&](Right right) {
    return std::ranges::find(rule.may, right) != rule.may.end();
  };
  if (!rule.may.empty() && std::ranges::none_of(question.rights, is_asked))
    return "none of its rights is asked for";
  const bool is_of_processes = rule.where || !rule.sources.empty() || !rule.functions.empty();
  if (question.stage == Stage::kPerson && is_of_processes) return "it is about processes";
  if (rule.where) {
    const WhereMatch where =
        where_matches(*rule.where, question.process, directory, Purpose::kDeny, question.stage);
    if (where.match == Match::kNo) return where.why;
  }
  if (rule.sources.empty() && rule.functions.empty()) return {};
  if (question.stage == Stage::kAdmit) return "what is looked at is not known yet";
  const auto is_concerned = [&](const SourceUse& use) { return concerns(rule, use, root); };
  if (std::ranges::none_of(question.uses, is_concerned))
    return "nothing that it names is looked at";
  return {};
}

class RoleWeigher {
 public:
  RoleWeigher(const Rules& rules, const Role& role, const Question& question,
              const Directory& directory)
      : rules_(rules), role_(role), question_(question), directory_(directory) {}

  // Absent: the role allows.
  std::optional<Failure> failure() {
    for (auto step : {&RoleWeigher::members, &RoleWeigher::where, &RoleWeigher::until,
                      &RoleWeigher::may, &RoleWeigher::sources, &RoleWeigher::require,
                      &RoleWeigher::limits, &RoleWeigher::approvals}) {
      ++step_;
      if (auto failed = (this->*step)()) return failed;
    }
    return std::nullopt;
  }
  SharedLimits take_granted() { return std::move(granted_); }
  // Only approvals are missing.
  [[nodiscard]] bool waits() const { return waits_; }
  [[nodiscard]] bool breaks_glass() const { return breaks_glass_; }

 private:
  Failure fails(std::string key, Position at, std::string reason, std::string why,
                std::string hint = {}) const {
    return {step_, std::move(key), at, std::move(reason), std::move(why), std::move(hint)};
  }
  [[nodiscard]] bool is_complete() const { return question_.stage == Stage::kDecide; }

  std::optional<Failure> members() {
    const Match match = members_match(role_.members, question_.asker, directory_);
    if (match == Match::kYes) return std::nullopt;
    return fails("members", role_.members.at, "not-a-member",
                 match == Match::kUnknown ? "its members cannot be looked up"
                                          : "who asks is none of its members");
  }

  std::optional<Failure> where() {
    if (question_.stage == Stage::kPerson) return std::nullopt;
    const WhereMatch match =
        where_matches(role_.where, question_.process, directory_, Purpose::kAllow, question_.stage);
    if (match.match == Match::kYes) return std::nullopt;
    return fails("where", role_.where.at, "not-this-process", match.why);
  }

  std::optional<Failure> until() {
    if (!role_.until || question_.now < *role_.until) return std::nullopt;
    return fails("until", role_.until_at, "grant-ended", "it has ended");
  }

  std::optional<Failure> may() {
    for (const Right right : question_.rights)
      if (!includes(role_.may, right))
        return fails("may", role_.may_at, "right-missing",
                     "it does not give the right `" + std::string{right_name(right)} + "`");
    return std::nullopt;
  }

  std::optional<Failure> sources() {
    if (!is_complete()) return std::nullopt;
    for (const SourceUse& use : question_.uses) {
      if (role_.sources)
        if (auto why = why_source_denied(*role_.sources, use, rules_.source_root))
          return fails("sources", role_.sources->at, "source-denied", *why);
      if (role_.functions)
        if (auto why = why_function_denied(*role_.functions, use))
          return fails("functions", role_.functions->at, "function-denied", *why);
    }
    return std::nullopt;
  }

  // To look at files takes neither a reason nor a ticket, nor anybody's approval.
  [[nodiscard]] bool is_arming() const {
    static constexpr Right kArming[] = {Right::kLog, Right::kSnap, Right::kSnapLocals,
                                        Right::kStack, Right::kDeep};
    return std::ranges::any_of(question_.rights, [](Right right) {
      return std::ranges::find(kArming, right) != std::end(kArming);
    });
  }

  std::optional<Failure> require() {
    if (!is_complete() || !is_arming()) return std::nullopt;
    const Requirements& needed = role_.require;
    if (needed.reason && question_.reason.empty())
      return fails("require", needed.at, "reason-required", "it requires a reason",
                   "Say why with --reason TEXT.");
    if (!needed.ticket.empty() && !RE2::FullMatch(question_.ticket, needed.ticket))
      return fails("require", needed.at, "ticket-required",
                   "it requires a ticket of the form " + needed.ticket,
                   "Name the ticket with --ticket ID.");
    return std::nullopt;
  }

  std::optional<Failure> limits() {
    if (!is_complete()) return std::nullopt;
    const SharedUsage usage{question_.on_target, question_.of_user, question_.on_host};
    std::optional<std::chrono::milliseconds> left;
    if (role_.until) left = *role_.until - question_.now;
    granted_ = share_limits(role_.limits, question_.probes, usage, left);
    if (granted_.refusal.empty()) return std::nullopt;
    return fails("limits", role_.limits.at, "limit-exceeded", granted_.refusal, granted_.hint);
  }

  // Last, so that nobody is asked to approve what would not be allowed even then.
  std::optional<Failure> approvals() {
    const std::uint32_t needed = role_.require.approvals;
    if (!is_complete() || !is_arming() || question_.approvals >= needed) return std::nullopt;
    breaks_glass_ = role_.break_glass && question_.breaks_glass && !question_.reason.empty();
    if (breaks_glass_) return std::nullopt;
    waits_ = true;
    return fails("require", role_.require.at, "approval-required",
                 "it requires the approval of " + people_text(needed), hint_without_approval());
  }

  [[nodiscard]] std::string hint_without_approval() const {
    if (role_.break_glass)
      return "In an emergency --break-glass --reason TEXT goes without, and raises an alarm.";
    if (question_.breaks_glass) return "This role does not allow --break-glass: ask without it.";
    return {};
  }

  const Rules& rules_;
  const Role& role_;
  const Question& question_;
  const Directory& directory_;
  int step_ = 0;
  SharedLimits granted_;
  bool waits_ = false;
  bool breaks_glass_ = false;
};

void weigh_deny_rules(const Rules& rules, const Question& question, const Directory& directory,
                      Verdict& verdict) {
  for (const DenyRule& rule : rules.deny) {
    const std::string why = deny_why(rule, question, directory, rules.source_root);
    const std::string text = rule_text(rules, rule.name, rule.at);
    const bool denies = why.empty();
    verdict.weighed.push_back(
        {denies ? Weighed::Outcome::kDenies : Weighed::Outcome::kStandsAside, text,
         denies ? "all that it names is so, or is not known to be otherwise" : why});
    if (!denies || !verdict.rule.empty()) continue;
    verdict.rule = rule.name;
    verdict.at = rule.at;
    verdict.reason = "denied-by-rule";
    verdict.why = "a deny rule forbids it";
  }
}

void grant(SharedLimits granted, std::size_t role, Verdict& verdict) {
  verdict.role = role;
  verdict.granted = std::move(granted.probes);
  verdict.notes = std::move(granted.notes);
}

}  // namespace

std::string people_text(std::uint32_t count) {
  return std::to_string(count) + (count == 1 ? " other person" : " other people");
}

Verdict weigh(const Rules& rules, const Question& question, const Directory& directory) {
  Verdict verdict;
  weigh_deny_rules(rules, question, directory, verdict);
  const bool is_denied = !verdict.rule.empty();
  int nearest = 0;
  for (std::size_t i = 0; i < rules.roles.size(); ++i) {
    const Role& role = rules.roles[i];
    RoleWeigher weigher(rules, role, question, directory);
    const auto failed = weigher.failure();
    const std::string text = rule_text(rules, role.name, role.at);
    Weighed::Outcome outcome = Weighed::Outcome::kAllows;
    if (failed) outcome = Weighed::Outcome::kStandsAside;
    if (weigher.waits()) outcome = Weighed::Outcome::kNeedsApproval;
    verdict.weighed.push_back({outcome, text, failed ? failed->why : std::string{}});
    if (is_denied || verdict.is_allowed) continue;
    if (failed) {
      if (failed->step <= nearest) continue;
      nearest = failed->step;
      verdict.rule = role.name;
      verdict.key = failed->key;
      verdict.at = failed->at.line != 0 ? failed->at : role.at;
      verdict.reason = failed->reason;
      verdict.why = failed->why;
      verdict.hint = failed->hint;
      if (weigher.waits()) {
        verdict.needs_approvals = role.require.approvals;
        grant(weigher.take_granted(), i, verdict);
      }
      continue;
    }
    grant(weigher.take_granted(), i, verdict);
    verdict.is_allowed = true;
    verdict.rule = role.name;
    verdict.at = role.at;
    verdict.needs_approvals = 0;
    verdict.breaks_glass = weigher.breaks_glass();
    verdict.key = verdict.reason = verdict.why = verdict.hint = {};
  }
  if (!verdict.is_allowed && verdict.rule.empty()) {
    verdict.reason = "no-role";
    verdict.why = "it has no role, and what no role allows is denied";
  }
  return verdict;
}

std::string rule_text(const Rules& rules, const std::string& rule, Position at) {
  if (rules.file.empty()) return "built-in: " + rule;
  const std::string place = at.line == 0 ? rules.file : rules.file + ":" + std::to_string(at.line);
  return rule.empty() ? place : rule + " (" + place + ")";
}

SourceFilter::SourceFilter(const Rules& rules, std::size_t role, const Question& question,
                           const Directory& directory)
    : source_root_(rules.source_root),
      sources_(rules.roles[role].sources),
      functions_(rules.roles[role].functions) {
  for (DenyRule rule : rules.deny) {
    if (rule.sources.empty() && rule.functions.empty()) continue;
    Question about = question;
    about.uses.clear();
    DenyRule rest = rule;
    rest.sources.clear();
    rest.functions.clear();
    if (deny_why(rest, about, directory, rules.source_root).empty())
      denials_.push_back(std::move(rule));
  }
}

bool SourceFilter::hides(const SourceUse& use) const {
  if (sources_ && why_source_denied(*sources_, use, source_root_)) return true;
  if (functions_ && why_function_denied(*functions_, use)) return true;
  return std::ranges::any_of(
      denials_, [&](const DenyRule& rule) { return concerns(rule, use, source_root_); });
}

}  // namespace nohalt::policy
