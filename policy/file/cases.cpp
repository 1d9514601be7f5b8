// Accounts are numbered as they come up, so that a name is itself and no other.
#include "policy/file/cases.h"

#include <fmt/format.h>

#include <map>

#include "policy/file/cases_shape.h"
#include "policy/file/policy_shape.h"
#include "policy/file/reader.h"
#include "src/base/units.h"

namespace nohalt::policy {

namespace {

// Numbers for names, the same each time for the same name.
class Accounts {
 public:
  std::uint32_t id(const Principal& principal) {
    return principal.name.empty() ? principal.id : id(principal.name);
  }
  std::uint32_t id(const std::string& name) {
    if (name == "root") return 0;
    const auto [found, is_new] = known_.emplace(name, next_);
    if (is_new) ++next_;
    return found->second;
  }

 private:
  std::map<std::string, std::uint32_t> known_;
  std::uint32_t next_ = 3'000'000'000;  // beyond what a case would write as a number
};

Accounts& accounts() {
  thread_local Accounts all;
  return all;
}

class CaseDirectory final : public Directory {
 public:
  explicit CaseDirectory(bool reachable) : reachable_(reachable) {}
  Answer user(const std::string& name) const override { return answer(name); }
  Answer group(const std::string& name) const override { return answer(name); }

 private:
  Answer answer(const std::string& name) const {
    if (!reachable_) return {false, std::nullopt};
    return {true, accounts().id(name)};
  }
  bool reachable_;
};

// Reads what the shape could not tell of a text.
class CaseReader {
 public:
  explicit CaseReader(std::vector<Mistake>& mistakes) : mistakes_(mistakes) {}

  Case read(const Node& node) {
    Case one;
    one.line = node.line;
    one.name = node.find("name")->text;
    one.question = question(node);
    if (const Node* flag = node.find("accounts_unreachable"))
      one.has_reachable_directory = !truth_of(*flag);
    one.is_allowed = node.find("expect")->text == "allow";
    one.needs_approval = node.find("expect")->text == "approval";
    one.rule = text(node, "rule");
    one.because = text(node, "because");
    if (const Node* granted = node.find("granted")) {
      const AskedLimits wanted = amounts(*granted);
      one.granted.emplace();
      one.granted->hits_per_second = wanted.hits_per_second.value_or(0);
      one.granted->bytes_per_second = wanted.bytes_per_second.value_or(0);
      one.granted->lease = wanted.lease.value_or(std::chrono::milliseconds{0});
      one.granted->cpu_share = wanted.cpu_share.value_or(0);
      one.granted->hold = wanted.hold.value_or(std::chrono::microseconds{0});
      for (const Node& key : granted->keys) one.granted_keys.push_back(key.text);
    }
    return one;
  }

 private:
  static std::string text(const Node& node, std::string_view key) {
    const Node* found = node.find(key);
    return found == nullptr ? std::string{} : found->text;
  }
  static std::optional<std::string> perhaps(const Node& node, std::string_view key) {
    const Node* found = node.find(key);
    if (found == nullptr) return std::nullopt;
    return found->text;
  }

  template <auto kParse, class Value>
  void quantity(const Node& node, std::string_view key, Value& value) {
    const Node* found = node.find(key);
    if (found == nullptr) return;
    if (const auto read = kParse(found->text))
      value = *read;
    else
      mistakes_.push_back({found->line, found->column, read.error().message, read.error().hint});
  }

  AskedLimits amounts(const Node& node) {
    AskedLimits asked;
    if (const Node* rate = node.find("hits_per_second")) asked.hits_per_second = number_of(*rate);
    quantity<parse_size>(node, "bytes_per_second", asked.bytes_per_second);
    quantity<parse_duration>(node, "lease", asked.lease);
    quantity<parse_percent>(node, "cpu", asked.cpu_share);
    quantity<parse_duration>(node, "hold", asked.hold);
    return asked;
  }

  static Asker asker(const Node& who) {
    Asker asker;
    asker.uid = accounts().id(principal_of(*who.find("user")));
    if (const Node* login = who.find("login"))
      asker.login_uid = accounts().id(principal_of(*login));
    asker.groups.emplace();
    if (const Node* groups = who.find("groups"))
      for (const Node& group : groups->items)
        asker.groups->push_back(accounts().id(principal_of(group)));
    return asker;
  }

  static ProcessFacts process(const Node& node, uid_t otherwise) {
    ProcessFacts facts;
    facts.exe = perhaps(node, "exe");
    facts.build_id = perhaps(node, "build_id");
    facts.cgroup = perhaps(node, "cgroup");
    facts.container = perhaps(node, "container");
    if (const Node* env = node.find("env")) facts.env = texts_of(*env);
    const Node* elsewhere = node.find("elsewhere");
    facts.is_own_mount_namespace = elsewhere == nullptr || !truth_of(*elsewhere);
    facts.uids.fill(otherwise);
    if (const Node* run_as = node.find("run_as"))
      for (std::size_t i = 0; i < facts.uids.size(); ++i)
        facts.uids[i] =
            accounts().id(principal_of(run_as->items[std::min(i, run_as->items.size() - 1)]));
    return facts;
  }

  static std::optional<Usage> usage(const Node* others, std::string_view of) {
    if (others == nullptr) return Usage{};
    const Node* found = others->find(of);
    if (found == nullptr) return std::nullopt;
    const Totals totals = totals_of(*found);
    return Usage{totals.probes.value_or(0), totals.hits_per_second.value_or(0),
                 totals.bytes_per_second.value_or(0), totals.cpu_share.value_or(0)};
  }

  static std::vector<SourceUse> uses(const Node& node) {
    std::vector<SourceUse> all;
    if (node.find("source") != nullptr || node.find("function") != nullptr)
      all.push_back(
          {SourceUse::Kind::kCode, "the place", text(node, "source"), text(node, "function")});
    if (const Node* sees = node.find("sees")) {
      for (const Node& item : sees->items) {
        const std::string& kind = item.find("kind")->text;
        all.push_back({kind == "code"       ? SourceUse::Kind::kCode
                       : kind == "variable" ? SourceUse::Kind::kVariable
                                            : SourceUse::Kind::kType,
                       "the " + kind, text(item, "path"), text(item, "function")});
      }
    }
    return all;
  }

  Question question(const Node& node) {
    Question question;
    question.stage = text(node, "stage") == "admit" ? Stage::kAdmit : Stage::kDecide;
    question.asker = asker(*node.find("who"));
    question.process = process(*node.find("process"), question.asker.uid);
    if (const Node* may = node.find("may")) question.rights = rights_of(*may);
    question.uses = uses(node);
    question.reason = text(node, "reason");
    question.ticket = text(node, "ticket");
    if (const Node* approvals = node.find("approvals"))
      question.approvals = static_cast<std::uint32_t>(number_of(*approvals));
    if (const Node* flag = node.find("break_glass")) question.breaks_glass = truth_of(*flag);
    question.now = parse_instant("2026-01-01T00:00:00Z").value();
    if (const Node* at = node.find("at")) question.now = *parse_instant(at->text);
    const Node* ask = node.find("ask");
    const Node* count = ask == nullptr ? nullptr : ask->find("probes");
    question.probes.assign(count == nullptr ? 1 : number_of(*count),
                           ask == nullptr ? AskedLimits{} : amounts(*ask));
    const Node* others = node.find("others");
    question.on_target = usage(others, "target");
    question.of_user = usage(others, "user");
    question.on_host = usage(others, "host");
    return question;
  }

  std::vector<Mistake>& mistakes_;
};

std::string compare_granted(const Case& one, const Limits& got) {
  const Limits& wanted = *one.granted;
  for (const std::string& key : one.granted_keys) {
    if (key == "hits_per_second" && got.hits_per_second != wanted.hits_per_second)
      return fmt::format("{} hits a second were granted", got.hits_per_second);
    if (key == "bytes_per_second" && got.bytes_per_second != wanted.bytes_per_second)
      return fmt::format("{} bytes a second were granted", got.bytes_per_second);
    if (key == "lease" && got.lease != wanted.lease)
      return fmt::format("a lease of {} was granted", duration_text(got.lease));
    if (key == "cpu" && percent_text(got.cpu_share) != percent_text(wanted.cpu_share))
      return fmt::format("{} of CPU was granted", percent_text(got.cpu_share));
    if (key == "hold" && got.hold != wanted.hold)
      return fmt::format("a hold of {} was granted", duration_text(got.hold));
  }
  return {};
}

}  // namespace

ReadCases read_cases(std::string_view yaml) {
  ReadCases read;
  const ParsedTree tree = parse_tree(yaml);
  read.mistakes = tree.mistakes;
  if (read.mistakes.empty()) read.mistakes = check_shape(tree.root, cases_shape());
  if (!read.mistakes.empty()) return read;
  read.policy = tree.root.find("policy")->text;
  CaseReader reader(read.mistakes);
  for (const Node& node : tree.root.find("cases")->items) read.cases.push_back(reader.read(node));
  return read;
}

CaseResult run_case(const Rules& rules, const Case& one) {
  const CaseDirectory directory(one.has_reachable_directory);
  CaseResult result{weigh(rules, one.question, directory), {}};
  const Verdict& verdict = result.verdict;
  const std::string rule = rule_text(rules, verdict.rule, verdict.at);
  if (verdict.is_allowed != one.is_allowed)
    result.failure = verdict.is_allowed ? "it is allowed by " + rule
                                        : "it is denied by " + rule + ": " + verdict.why;
  else if (one.needs_approval && verdict.needs_approvals == 0)
    result.failure = "it does not wait for approval: " + verdict.why;
  else if (!one.rule.empty() && verdict.rule != one.rule)
    result.failure = "the rule is " + rule;
  else if (!one.because.empty() && verdict.key != one.because)
    result.failure = "it is because of `" + verdict.key + "`: " + verdict.why;
  else if (one.granted && !verdict.granted.empty())
    result.failure = compare_granted(one, verdict.granted.front());
  return result;
}

SourceFilter filter_of(const Rules& rules, std::size_t role, const Case& one) {
  return {rules, role, one.question, CaseDirectory(one.has_reachable_directory)};
}

}  // namespace nohalt::policy
