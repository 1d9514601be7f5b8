// Which rules are in force: the files are found, read, trusted and proven whole, and what
// they hide is added up. Whatever cannot be looked at is taken for a no.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "policy/access/authority.h"
#include "policy/access/host.h"
#include "policy/access/persons_power.h"
#include "policy/audit/digest.h"
#include "policy/file/reader.h"
#include "policy/file/trusted.h"
#include "src/base/escape.h"

namespace nohalt::policy {

namespace {

// Stands for the built-in rules in the audit trail. Change the text with them.
constexpr std::string_view kBuiltinRules =
    "nohalt built-in policy 1: own processes; root: all; lease at most 1h; targeted redaction";

// Absent means that the name leads nowhere; anything else may hide a rule.
bool surely_absent(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) != 0 && errno == ENOENT;
}

std::string in_quotes_path(const std::string& path) { return escape_untrusted(path).text; }

// All of them, so that a file is put right at once.
std::unexpected<Error> malformed(const std::string& path, const std::vector<Mistake>& mistakes) {
  constexpr std::size_t kMostShown = 50;
  std::string message = in_quotes_path(path) + " has " + std::to_string(mistakes.size()) +
                        (mistakes.size() == 1 ? " mistake" : " mistakes") +
                        ", so nothing is allowed:";
  for (std::size_t i = 0; i < mistakes.size() && i < kMostShown; ++i)
    message += "\n  " + mistake_text(path, mistakes[i]);
  return fail(ErrorCode::kDenied, "policy-malformed", std::move(message),
              "Put it right; nohalt policy check FILE shows whether it is.");
}

std::string place_of(const Rules& rules, Position at) {
  return rules.file + ":" + std::to_string(at.line);
}

Action action_of(RedactAction action) {
  switch (action) {
    case RedactAction::kDrop:
      return Action::kDrop;
    case RedactAction::kHash:
      return Action::kHash;
    case RedactAction::kMask:
      break;
  }
  return Action::kMask;
}

}  // namespace

PolicySources PolicySources::usual(std::string named) {
  PolicySources sources;
  sources.named = std::move(named);
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  if (config != nullptr && config[0] == '/')
    sources.user = std::string{config} + "/nohalt/policy.yaml";
  else if (home != nullptr && home[0] == '/')
    sources.user = std::string{home} + "/.config/nohalt/policy.yaml";
  return sources;
}

Authority::Authority()
    : redaction_(RedactionRules::builtin()),
      text_(kBuiltinRules),
      policy_hash_(sha256_hex(text_)) {}

Result<Authority> Authority::load(const PolicySources& sources) {
  Authority authority;
  std::vector<uid_t> owners{0};
  authority.is_governed_ = !surely_absent(sources.system);
  if (authority.is_governed_) NOHALT_CHECK(authority.add_file(sources.system, owners));
  if (const uid_t own = ::geteuid(); own != 0) owners.push_back(own);
  if (!sources.named.empty()) {
    NOHALT_TRY([[maybe_unused]] const PersonsPower power, PersonsPower::take());
    if (surely_absent(sources.named))
      return fail(ErrorCode::kDenied, "policy-missing",
                  "The policy file " + in_quotes_path(sources.named) +
                      " is named but does not exist, so nothing is allowed.",
                  "Take off --policy and NOHALT_POLICY to go without it.");
    NOHALT_CHECK(authority.add_file(sources.named, owners));
  } else if (authority.is_builtin() && !sources.user.empty() && !surely_absent(sources.user)) {
    NOHALT_CHECK(authority.add_file(sources.user, owners));
  }
  if (!authority.is_builtin() && !surely_absent(sources.host))
    NOHALT_CHECK(authority.add_host(sources.host));
  return authority;
}

Status Authority::add_file(const std::string& path, const std::vector<uid_t>& owners) {
  NOHALT_TRY(const std::string content, read_trusted(path, owners, kLargestRuleFile));
  ReadRules read = read_rules(content, in_quotes_path(path));
  if (!read.mistakes.empty()) return malformed(path, read.mistakes);
  NOHALT_CHECK(add_redaction(read.rules));
  text_ = is_builtin() ? content : text_ + "\n---\n" + content;
  policy_hash_ = sha256_hex(text_);
  rules_.push_back(std::move(read.rules));
  return {};
}

// Each file adds to what is hidden. One that comes second only narrows: a hash tells more
// than a mask, and a mask more than nothing.
Status Authority::add_redaction(const Rules& rules) {
  const RedactRules& redact = rules.redact;
  if (redact.action == RedactAction::kDrop) redaction_.drop_all();
  const auto hide_rule = [&](const ReadRule& rule) {
    return HideRule{
        rule.pattern, place_of(rules, rule.at),
        rule.action.value_or(redact.action.value_or(RedactAction::kMask)) == RedactAction::kDrop};
  };
  for (const ReadRule& rule : redact.names) redaction_.add_name(hide_rule(rule));
  for (const ReadRule& rule : redact.types) redaction_.add_type(hide_rule(rule));
  for (const ReadRule& rule : redact.sources)
    redaction_.add_source(hide_rule(rule), rules.source_root);
  if (redact.mode == RedactMode::kStrict) redaction_.set_strict(place_of(rules, redact.mode_at));
  const auto narrowed = [&](const ValueRule* rule) {
    const auto stated = rule != nullptr && rule->action ? rule->action : redact.action;
    const Action action = action_of(stated.value_or(RedactAction::kMask));
    return action == Action::kHash && !rules_.empty() ? Action::kMask : action;
  };
  if (redact.action && (rules_.empty() || *redact.action == RedactAction::kDrop))
    value_rules_.set_action(narrowed(nullptr));
  for (const ValueRule& rule : redact.values) {
    const bool keeps_drop = !rules_.empty() && value_rules_.drops(rule.name);
    const Action action = keeps_drop ? Action::kDrop : narrowed(&rule);
    NOHALT_CHECK(rule.pattern.empty() ? value_rules_.add(std::string_view{rule.name}, action)
                                      : value_rules_.add(rule.name, rule.pattern, action));
  }
  return {};
}

Status Authority::add_host(const std::string& path) {
  NOHALT_TRY(const std::string content, read_trusted(path, {0}, kLargestRuleFile));
  ReadHost host = read_host(content);
  if (!host.mistakes.empty()) return malformed(path, host.mistakes);
  env_ = std::move(host.env);
  return {};
}

std::vector<std::string> Authority::audit_files() const {
  std::vector<std::string> files;
  if (is_governed_) files.push_back(rules_.front().audit_file);
  for (std::size_t i = is_governed_ ? 1 : 0; i < rules_.size(); ++i)
    if (!rules_[i].audit_file.empty()) files.push_back(rules_[i].audit_file);
  return files;
}

std::vector<std::string> Authority::files() const {
  std::vector<std::string> files;
  for (const Rules& rules : rules_) files.push_back(rules.file);
  return files;
}

bool Authority::has_totals() const {
  return std::ranges::any_of(rules_, [](const Rules& rules) {
    return std::ranges::any_of(rules.roles, [](const Role& role) {
      const RoleLimits& limits = role.limits;
      return limits.target.is_limited() || limits.user.is_limited() || limits.host.is_limited();
    });
  });
}

}  // namespace nohalt::policy
