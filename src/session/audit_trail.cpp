#include "src/session/audit_trail.h"

#include "policy/access/authority.h"

namespace nohalt::session {

std::vector<std::string> trail_names(const CommonOptions& common) {
  std::vector<std::string> names;
  auto authority = policy::Authority::load(policy::PolicySources::usual(common.policy_file));
  // To name a file that is no good turns nobody away from the trail of the governing one.
  if (!authority) authority = policy::Authority::load(policy::PolicySources::usual({}));
  if (authority)
    names = authority->audit_files();
  else
    names.emplace_back();
  if (names.empty() || !common.audit_file.empty()) names.push_back(common.audit_file);
  return names;
}

Result<policy::Trails> open_trail(const policy::Caller& caller, const CommonOptions& common) {
  policy::TrailOptions options;
  options.copy_every_record = common.audit_to_syslog;
  return policy::Trails::open(caller, trail_names(common), options);
}

}  // namespace nohalt::session
