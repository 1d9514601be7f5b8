#include "src/session/audit_trail.h"

#include "policy/access/authority.h"

namespace nohalt::session {

namespace {

Result<policy::Authority> policy_in_force(const CommonOptions& common) {
  return policy::Authority::load(policy::PolicySources::usual(common.policy_file));
}

// To name a file that is no good turns nobody away from the trail of the governing one.
Result<policy::Authority> policy_without_named() {
  return policy::Authority::load(policy::PolicySources::usual({}));
}

std::vector<policy::TrailName> names_under(const Result<policy::Authority>& authority,
                                           const CommonOptions& common) {
  std::vector<policy::TrailName> names;
  if (authority)
    for (const std::string& file : authority->audit_files()) names.push_back({file});
  else
    names.emplace_back();
  // A file of somebody's own is no evidence against them: root's is written as well.
  const bool is_behind_root = policy::person_behind_root().has_value();
  if (names.empty() && (common.audit_file.empty() || is_behind_root)) names.emplace_back();
  if (!common.audit_file.empty()) names.push_back({common.audit_file, true});
  return names;
}

}  // namespace

std::vector<policy::TrailName> trail_names(const CommonOptions& common) {
  auto authority = policy_in_force(common);
  return names_under(authority ? authority : policy_without_named(), common);
}

Result<policy::Trails> open_trail(const policy::Caller& caller, const CommonOptions& common) {
  auto authority = policy_in_force(common);
  policy::TrailOptions options;
  options.copy_every_record = common.audit_to_syslog;
  if (authority) options.policy_hash = authority->policy_hash();
  if (!authority) authority = policy_without_named();
  if (authority) options.value_rules = authority->value_rules();
  return policy::Trails::open(caller, names_under(authority, common), options);
}

Result<policy::TrailName> trail_to_read(const policy::Caller& caller, const CommonOptions& common,
                                        const std::string& file) {
  const std::vector<policy::TrailName> written = trail_names(common);
  policy::TrailName wanted = written.front();
  if (!common.audit_file.empty()) wanted = {common.audit_file, true};
  if (!file.empty()) wanted = {file, true};
  NOHALT_TRY(wanted.path, policy::Trail::path_of(caller, wanted.path));
  // To name what is written anyway asks for nothing of root's.
  for (const policy::TrailName& one : written) {
    const auto path = policy::Trail::path_of(caller, one.path);
    if (path && *path == wanted.path) wanted.is_persons = wanted.is_persons && one.is_persons;
  }
  return wanted;
}

Result<policy::PersonsPower> power_for(const policy::TrailName& name) {
  if (name.is_persons) return policy::PersonsPower::take();
  return policy::PersonsPower::none();
}

Result<policy::TrailReader> open_to_read(const policy::TrailName& name) {
  NOHALT_TRY([[maybe_unused]] const policy::PersonsPower power, power_for(name));
  return policy::TrailReader::open(name.path);
}

}  // namespace nohalt::session
