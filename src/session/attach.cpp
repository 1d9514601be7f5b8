// The order is the promise: policy first, then the process's own state, then
// its files.
#include "src/session/attach.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "policy/access/persons_power.h"
#include "policy/file/trusted.h"
#include "probes/target/attachable.h"
#include "src/base/escape.h"
#include "src/session/target_facts.h"

namespace nohalt::session {

namespace {

// Debug files say where values are: those that root does not keep take a right.
std::vector<policy::Right> rights_of_folders(const policy::Authority& authority,
                                             const std::vector<std::string>& paths) {
  if (authority.is_builtin()) return {};
  for (const std::string& path : paths)
    if (!policy::check_trusted(path, {0})) return {policy::Right::kDebuginfo};
  return {};
}

}  // namespace

Status may_look_into(const std::vector<std::string>& debug_dirs) {
  NOHALT_TRY([[maybe_unused]] const auto power, policy::PersonsPower::take());
  for (const std::string& folder : debug_dirs)
    if (::faccessat(AT_FDCWD, folder.c_str(), R_OK | X_OK, AT_EACCESS) != 0 && errno == EACCES)
      return fail(
          ErrorCode::kDenied, "debug-folder-not-yours",
          "You may not look into " + escape_untrusted(folder).text + ", which --debug-dir names.",
          "Name a folder that you may read without sudo.");
  return {};
}

Result<std::unique_ptr<Attachment>> attach(const policy::Caller& caller, pid_t pid,
                                           const CommonOptions& options,
                                           std::vector<policy::Right> rights) {
  NOHALT_TRY(policy::Authority authority,
             policy::Authority::load(policy::PolicySources::usual(options.policy_file)));
  NOHALT_TRY(target::Process process, target::Process::open(pid));
  policy::TargetFacts facts = target_facts(process);
  std::vector<policy::Right> extra = rights_of_folders(authority, options.debug_dirs);
  rights.insert(rights.end(), extra.begin(), extra.end());
  NOHALT_TRY(policy::Admission admission, authority.admit(caller, facts, rights));
  NOHALT_CHECK(may_look_into(options.debug_dirs));
  NOHALT_CHECK(target::check_attachable(process));
  const std::string exe = "/proc/" + std::to_string(pid) + "/exe";
  NOHALT_TRY(auto info,
             symbols::DebugInfo::open(exe, facts.exe_path, {.debug_dirs = options.debug_dirs}));
  facts.build_id = info->build_id();
  if (!info->debug_file().empty() && extra.empty())
    extra = rights_of_folders(authority, {info->debug_file()});
  NOHALT_TRY(Modules modules, Modules::open(process, *info, facts.exe_path, options.debug_dirs));
  for (Module& module : modules.all())
    if (!module.info().debug_file().empty())
      module.extra_rights = rights_of_folders(authority, {module.info().debug_file()});
  return std::make_unique<Attachment>(
      Attachment{caller, std::move(authority), std::move(admission), std::move(process),
                 std::move(facts), std::move(info), std::move(extra), std::move(modules)});
}

}  // namespace nohalt::session
