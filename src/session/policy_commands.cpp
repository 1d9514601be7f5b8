// `nohalt policy check`, `explain` and `test`. None of them touches a process;
// explain reads its files.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/access/persons_power.h"
#include "policy/file/cases.h"
#include "policy/file/reader.h"
#include "policy/file/trusted.h"
#include "src/base/escape.h"
#include "src/output/talk.h"
#include "src/session/answer.h"
#include "src/session/other_runs.h"
#include "src/session/permission.h"
#include "src/session/session.h"
#include "src/session/target_facts.h"

namespace nohalt::session {

namespace {

using Json = nlohmann::ordered_json;

struct Answer {
  std::string text;
  Json json;
  bool is_good = true;
};

Answer mistakes_of(const std::string& file, const std::vector<policy::Mistake>& mistakes) {
  Answer answer;
  answer.json = Json{{"file", file}, {"mistakes", Json::array()}};
  for (const policy::Mistake& mistake : mistakes) {
    answer.text += policy::mistake_text(file, mistake) + "\n";
    answer.json["mistakes"].push_back({{"line", mistake.line},
                                       {"column", mistake.column},
                                       {"message", mistake.message},
                                       {"hint", mistake.hint}});
  }
  answer.is_good = mistakes.empty();
  return answer;
}

Result<std::string> read_named(const std::string& file) {
  auto content = policy::read_persons_file_start(file, policy::kLargestRuleFile + 1);
  if (content) return content;
  return fail(ErrorCode::kUsage, "unreadable-rule-file",
              make_printable(content.error().message) + ".",
              "Name a file that is there and that you may read.");
}

Result<Answer> check(const PolicyCommand& command) {
  NOHALT_TRY(const std::string content, read_named(command.file));
  const policy::ReadRules read = policy::read_rules(content, command.file);
  Answer answer = mistakes_of(command.file, read.mistakes);
  if (!answer.is_good) return answer;
  answer.text = fmt::format("{}: no mistakes; {} role(s), {} deny rule(s)\n",
                            escape_untrusted(command.file).text, read.rules.roles.size(),
                            read.rules.deny.size());
  return answer;
}

Result<Answer> test(const PolicyCommand& command) {
  NOHALT_TRY(const std::string content, read_named(command.file));
  const policy::ReadCases cases = policy::read_cases(content);
  if (!cases.mistakes.empty()) return mistakes_of(command.file, cases.mistakes);
  const std::string folder = command.file.substr(0, command.file.rfind('/') + 1);
  const std::string file = cases.policy.starts_with('/') ? cases.policy : folder + cases.policy;
  NOHALT_TRY(const std::string yaml, read_named(file));
  const policy::ReadRules read = policy::read_rules(yaml, file);
  if (!read.mistakes.empty()) return mistakes_of(file, read.mistakes);
  Answer answer;
  answer.json =
      Json{{"file", command.file}, {"cases", cases.cases.size()}, {"failed", Json::array()}};
  for (const policy::Case& one : cases.cases) {
    const std::string failure = policy::run_case(read.rules, one).failure;
    if (failure.empty()) continue;
    answer.is_good = false;
    answer.text += fmt::format("{}:{}: {}: {}.\n", escape_untrusted(command.file).text, one.line,
                               escape_untrusted(one.name).text, make_printable(failure));
    answer.json["failed"].push_back({{"line", one.line}, {"name", one.name}, {"why", failure}});
  }
  answer.text +=
      fmt::format("{} case(s), {} failed\n", cases.cases.size(), answer.json["failed"].size());
  return answer;
}

Result<std::vector<policy::Right>> read_rights(const std::string& list) {
  std::vector<policy::Right> rights;
  std::size_t at = 0;
  while (at <= list.size()) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    const std::string name = list.substr(at, end - at);
    const auto right = policy::right_named(name);
    if (!right)
      return fail(ErrorCode::kUsage, "unknown-right",
                  "There is no right \"" + escape_untrusted(name).text + "\".",
                  "nohalt policy --help shows how --may is written.");
    rights.push_back(*right);
    at = end + 1;
  }
  return rights;
}

void add_verdict(const policy::Authority::Explained& one, Answer& answer) {
  const policy::Verdict& verdict = one.verdict;
  if (verdict.is_allowed)
    answer.text += "allowed by " + one.rule + "\n";
  else if (verdict.needs_approvals != 0)
    answer.text += fmt::format("needs approval by {}: {}\n",
                               policy::people_text(verdict.needs_approvals), one.rule);
  else
    answer.text += "denied by " + one.rule + ": " + verdict.why + "\n";
  Json json{{"file", one.file},        {"allowed", verdict.is_allowed}, {"rule", verdict.rule},
            {"line", verdict.at.line}, {"reason", verdict.reason},      {"why", verdict.why},
            {"notes", verdict.notes},  {"weighed", Json::array()}};
  for (const std::string& note : verdict.notes) answer.text += "  " + note + "\n";
  for (const policy::Weighed& weighed : verdict.weighed) {
    const char* said = "stands aside";
    if (weighed.outcome == policy::Weighed::Outcome::kAllows) said = "allows";
    if (weighed.outcome == policy::Weighed::Outcome::kDenies) said = "denies";
    if (weighed.outcome == policy::Weighed::Outcome::kNeedsApproval) said = "needs approval";
    answer.text += fmt::format("  {} {}{}{}\n", weighed.rule, said, weighed.why.empty() ? "" : ": ",
                               make_printable(weighed.why));
    json["weighed"].push_back({{"rule", weighed.rule}, {"said", said}, {"why", weighed.why}});
  }
  if (verdict.needs_approvals != 0) json["needs_approvals"] = verdict.needs_approvals;
  answer.json["verdicts"].push_back(std::move(json));
  if (!verdict.is_allowed) answer.is_good = false;
}

// What is built in has one rule.
Answer explain_builtin(const policy::Authority& authority, const policy::Caller& caller,
                       const policy::TargetFacts& facts) {
  const auto admission = authority.admit(caller, facts);
  Answer answer;
  answer.is_good = admission.has_value();
  answer.text =
      admission ? "allowed by " + admission->rule() + "\n" : admission.error().message + "\n";
  answer.json["verdicts"] = Json::array(
      {{{"allowed", answer.is_good}, {"rule", std::string{policy::kOwnProcessesRule}}}});
  return answer;
}

// Whether it goes with looking at a process's files, so that what is in them may be told.
bool is_of_looking(policy::Right right) {
  using policy::Right;
  return right == Right::kPlan || right == Right::kLog || right == Right::kSnap ||
         right == Right::kSnapLocals || right == Right::kStack || right == Right::kDeep;
}

// The sources of the places are asked for only where who asks, which process and build
// and what for have not decided already, so that nothing is learnt of what is denied.
Result<Answer> explain(const PolicyCommand& command) {
  NOHALT_TRY(const auto rights, read_rights(command.rights.empty() ? "log" : command.rights));
  NOHALT_TRY(const policy::Authority authority,
             policy::Authority::load(policy::PolicySources::usual(command.common.policy_file)));
  NOHALT_TRY(const target::Process process, target::Process::open(command.pid));
  const policy::Caller caller = policy::Caller::current();
  policy::Request request;
  request.target = target_facts(process);
  if (authority.is_builtin()) return explain_builtin(authority, caller, request.target);
  request.asking = {rights, {}, command.reason, command.ticket};
  policy::Stage stage = policy::Stage::kAdmit;
  if (std::ranges::any_of(rights, is_of_looking) &&
      authority.admit(caller, request.target, rights)) {
    stage = policy::Stage::kDecide;
    NOHALT_TRY(const auto at, attach(caller, command.pid, command.common, rights));
    request.target = at->facts;
    std::vector<spec::ProbeSpec> specs;
    for (const std::string& location : command.locations) {
      spec::ProbeSpec spec;
      spec.location = location;
      spec.limits = command.limits;
      specs.push_back(std::move(spec));
    }
    const bool may_look = authority.leave(at->admission, at->facts, request.asking).has_value();
    if (Status found = may_look ? add_sites(*at, specs, request.asking) : Status{}; !found) {
      found.error().hint = "nohalt plan shows what is there.";
      return std::unexpected(found.error());
    }
    request.probes = asked_limits(specs, {});
    NOHALT_TRY(const OtherRuns others, OtherRuns::look(*at));
    others.count(request);
  }
  Answer answer;
  answer.json = Json{{"pid", command.pid}, {"verdicts", Json::array()}};
  for (const auto& one : authority.explain(caller, request, stage)) add_verdict(one, answer);
  return answer;
}

}  // namespace

int run_policy(const PolicyCommand& command) {
  output::Talk talk;
  const auto answer = command.action == PolicyAction::kCheck     ? check(command)
                      : command.action == PolicyAction::kExplain ? explain(command)
                                                                 : test(command);
  if (!answer) {
    talk.error(answer.error());
    return exit_status(answer.error().code);
  }
  const bool is_json = command.common.format == Format::kJson;
  const int written = write_answer(
      command.common, is_json ? escape_in_json(answer->json.dump()) + "\n" : answer->text);
  if (written != 0) return written;
  return answer->is_good ? 0 : exit_status(ErrorCode::kDenied);
}

}  // namespace nohalt::session
