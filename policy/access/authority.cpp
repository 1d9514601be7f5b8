// The built-in policy. Whatever cannot be looked at (a file that cannot be
// reached, a uid that differs) is taken for a no.
#include "policy/access/authority.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "policy/audit/digest.h"
#include "src/base/escape.h"

namespace nohalt::policy {

namespace {

// Stands for the built-in rules in the audit trail. Change the text with them.
constexpr std::string_view kBuiltinRules =
    "nohalt built-in policy 1: own processes; root: all; lease at most 1h; targeted redaction";

constexpr const char* kNoFilesHint =
    "This version knows only its built-in policy; use it on hosts where the built-in policy is "
    "enough and no policy file is installed.";

// Absent means that the name leads nowhere; anything else may hide a rule.
bool surely_absent(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) != 0 && errno == ENOENT;
}

Status refuse_policy_file(const std::string& path) {
  if (path.empty() || surely_absent(path)) return {};
  return fail(ErrorCode::kDenied, "policy-not-supported",
              "The policy file " + escape_untrusted(path).text +
                  " governs this run, and this version of nohalt cannot read policy files.",
              kNoFilesHint);
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
    : redaction_(RedactionRules::builtin()), policy_hash_(sha256_hex(kBuiltinRules)) {}

Result<Authority> Authority::load(const PolicySources& sources) {
  NOHALT_CHECK(refuse_policy_file(sources.system));
  if (!sources.named.empty() && surely_absent(sources.named))
    return fail(ErrorCode::kDenied, "policy-missing",
                "The policy file " + escape_untrusted(sources.named).text +
                    " is named but does not exist, so nothing is allowed.",
                "Take off --policy and NOHALT_POLICY to use the built-in policy.");
  NOHALT_CHECK(refuse_policy_file(sources.named));
  NOHALT_CHECK(refuse_policy_file(sources.user));
  return Authority{};
}

Result<Admission> Authority::admit(const Caller& caller, const TargetFacts& target) const {
  if (caller.uid != caller.effective_uid)
    return fail(ErrorCode::kDenied, "changed-identity",
                "nohalt runs with a real uid of " + std::to_string(caller.uid) +
                    " and an effective one of " + std::to_string(caller.effective_uid) +
                    rule_suffix(),
                "Do not install nohalt setuid; run it as the target's user or as root.");
  const auto differs = [&](uid_t uid) { return uid != caller.uid; };
  const auto foreign = std::ranges::find_if(target.uids, differs);
  if (!caller.is_root() && foreign != target.uids.end())
    return fail(ErrorCode::kDenied, "not-your-process",
                "Process " + std::to_string(target.identity.pid) + " has uid " +
                    std::to_string(*foreign) + " and you are uid " + std::to_string(caller.uid) +
                    rule_suffix(),
                "Run nohalt as the user of that process, or as root.");
  return Admission{target, std::string{kOwnProcessesRule}};
}

Result<Decision> Authority::decide(const Admission& admission, const Request& request) const {
  const TargetFacts& admitted = admission.target();
  if (admitted.identity != request.target.identity || admitted.uids != request.target.uids)
    return fail(ErrorCode::kDenied, "target-changed",
                "Process " + std::to_string(admitted.identity.pid) +
                    " is not what it was when it was admitted: its identity or its uids changed.",
                "Start again; if it happens again, the process changes its user.");
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
