// The order is the promise: policy first, then the process's own state, then
// its files.
#include "src/session/attach.h"

#include "probes/target/attachable.h"
#include "src/session/target_facts.h"

namespace nohalt::session {

Result<std::unique_ptr<Attachment>> attach(const policy::Caller& caller, pid_t pid,
                                           const CommonOptions& options) {
  NOHALT_TRY(policy::Authority authority,
             policy::Authority::load(policy::PolicySources::usual(options.policy_file)));
  NOHALT_TRY(target::Process process, target::Process::open(pid));
  policy::TargetFacts facts = target_facts(process);
  NOHALT_TRY(policy::Admission admission, authority.admit(caller, facts));
  NOHALT_CHECK(target::check_attachable(process));
  const std::string exe = "/proc/" + std::to_string(pid) + "/exe";
  NOHALT_TRY(auto info,
             symbols::DebugInfo::open(exe, facts.exe_path, {.debug_dirs = options.debug_dirs}));
  facts.build_id = info->build_id();
  return std::make_unique<Attachment>(Attachment{caller, std::move(authority), std::move(admission),
                                                 std::move(process), std::move(facts),
                                                 std::move(info)});
}

}  // namespace nohalt::session
