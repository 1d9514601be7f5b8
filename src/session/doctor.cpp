// `nohalt doctor`: what works on this machine, and what to do about the rest.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "policy/access/authority.h"
#include "policy/access/persons_power.h"
#include "policy/audit/key.h"
#include "policy/audit/trail.h"
#include "src/output/talk.h"
#include "src/session/answer.h"
#include "src/session/audit_trail.h"
#include "src/session/machine_checks.h"
#include "src/session/session.h"

namespace nohalt::session {

namespace {

using output::Check;
using output::CheckResult;

Check check_policy(const CommonOptions& common) {
  const auto authority = policy::Authority::load(policy::PolicySources::usual(common.policy_file));
  if (!authority)
    return {"policy", CheckResult::kFail, authority.error().message, authority.error().hint};
  if (!authority->is_builtin())
    return {"policy", CheckResult::kOk,
            fmt::format("In force: {}.", fmt::join(authority->files(), " and ")), ""};
  return {"policy", CheckResult::kOk,
          "The built-in policy holds: own processes, root all, a lease of at most 1h.", ""};
}

Check check_binding(const policy::Caller& caller) {
  return {"policy-binds-tool", CheckResult::kWarn,
          "Policy binds this tool only: who may trace a process can also look into it without "
          "nohalt.",
          caller.is_root() ? "Keep root and CAP_SYS_PTRACE to those who are trusted with the data."
                           : "Set kernel.yama.ptrace_scope=2 where that is too much."};
}

Check check_audit(const CommonOptions& common, const policy::Caller& caller) {
  std::string paths;
  for (const policy::TrailName& name : trail_names(common)) {
    policy::TrailOptions options;
    options.is_persons = name.is_persons;
    const auto path = policy::Trail::check(caller, name.path, options);
    if (!path) return {"audit", CheckResult::kFail, path.error().message, path.error().hint};
    paths += (paths.empty() ? "" : " and ") + *path;
  }
  return {"audit", CheckResult::kOk, "The audit trail is " + paths + ".", ""};
}

Check check_signing_key(const policy::Caller& caller) {
  const auto folder = policy::usual_key_folder(caller);
  if (!folder)
    return {"signing-key", CheckResult::kFail, folder.error().message, folder.error().hint};
  if (::access(folder->c_str(), F_OK) != 0 || ::access((*folder + "/audit.key").c_str(), F_OK) != 0)
    return {"signing-key", CheckResult::kOk,
            "The key that signs the audit trail will be made in " + *folder + ".", ""};
  const auto key = policy::public_key(*folder);
  if (!key) return {"signing-key", CheckResult::kFail, key.error().message, key.error().hint};
  return {"signing-key", CheckResult::kOk, "The audit trail is signed as " + *key + ".", ""};
}

// As far as the person may see.
bool is_folder(const std::string& path) {
  const auto power = policy::PersonsPower::take();
  struct stat status{};
  return power && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

Check check_debug_folders(const CommonOptions& common) {
  std::string there;
  std::string missing;
  std::vector<std::string> folders = common.debug_dirs;
  folders.emplace_back("/usr/lib/debug");
  for (const std::string& folder : folders) {
    std::string& list = is_folder(folder) ? there : missing;
    list += (list.empty() ? "" : ", ") + folder;
  }
  if (missing.empty())
    return {"debug-folders", CheckResult::kOk, "Debug files are looked for in " + there + ".", ""};
  return {"debug-folders", CheckResult::kWarn, "There is no folder " + missing + ".",
          "Programs built with -g need none; for others install their -dbgsym packages or name a "
          "folder with --debug-dir."};
}

}  // namespace

int run_doctor(const DoctorCommand& command) {
  const policy::Caller caller = policy::Caller::current();
  std::vector<Check> checks;
  const auto add = [&checks](std::vector<Check> more) {
    for (Check& check : more) checks.push_back(std::move(check));
  };
  add(check_access(caller));
  add(check_kernel());
  add(check_processor());
  add({check_kernel_engine(), check_audit(command.common, caller), check_signing_key(caller),
       check_policy(command.common), check_binding(caller), check_debug_folders(command.common)});
  const bool json = command.common.format == Format::kJson;
  const bool colour = command.common.output_file.empty() && output::stdout_takes_colour();
  const int written = write_answer(
      command.common, json ? output::checks_json(checks) : output::checks_text(checks, colour));
  const bool failed = std::any_of(checks.begin(), checks.end(), [](const Check& check) {
    return check.result == CheckResult::kFail;
  });
  return failed ? exit_status(ErrorCode::kRefused) : written;
}

}  // namespace nohalt::session
