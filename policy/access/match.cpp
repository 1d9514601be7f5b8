// Each list is an "or", the conditions together are an "and"; kUnknown is carried
// through both as in Kleene's three-valued logic.
#include "policy/access/match.h"

#include <algorithm>

#include "policy/access/glob.h"

namespace nohalt::policy {

namespace {

Match either(Match a, Match b) {
  if (a == Match::kYes || b == Match::kYes) return Match::kYes;
  return a == Match::kUnknown || b == Match::kUnknown ? Match::kUnknown : Match::kNo;
}

Match both(Match a, Match b) {
  if (a == Match::kNo || b == Match::kNo) return Match::kNo;
  return a == Match::kUnknown || b == Match::kUnknown ? Match::kUnknown : Match::kYes;
}

Match as_match(bool holds) { return holds ? Match::kYes : Match::kNo; }

template <class Lookup>
Match is_principal(const Principal& principal, std::uint32_t id, Lookup lookup) {
  if (principal.name.empty()) return as_match(principal.id == id);
  const Directory::Answer answer = lookup(principal.name);
  if (!answer.is_known) return Match::kUnknown;
  return as_match(answer.id == id);
}

Match listed(const std::vector<Principal>& list, uid_t uid, const Directory& directory) {
  Match match = Match::kNo;
  for (const Principal& principal : list)
    match = either(match, is_principal(principal, uid, [&](const std::string& name) {
                     return directory.user(name);
                   }));
  return match;
}

Match run_as_matches(const std::vector<Principal>& list, const ProcessFacts& process,
                     const Directory& directory, Purpose purpose) {
  Match match = purpose == Purpose::kAllow ? Match::kYes : Match::kNo;
  for (const uid_t uid : process.uids) {
    const Match one = listed(list, uid, directory);
    match = purpose == Purpose::kAllow ? both(match, one) : either(match, one);
  }
  return match;
}

bool any_matches(const std::vector<std::string>& globs, const std::string& path) {
  return std::ranges::any_of(globs, [&](const auto& glob) { return path_matches(glob, path); });
}

Match path_listed(const std::vector<std::string>& globs, const std::optional<std::string>& path) {
  if (!path) return Match::kUnknown;
  return as_match(any_matches(globs, *path));
}

// The name of a file means something only where the same files are seen.
Match exe_matches(const std::vector<std::string>& globs, const ProcessFacts& process) {
  if (!process.is_own_mount_namespace.value_or(false)) return Match::kUnknown;
  return path_listed(globs, process.exe);
}

Match build_id_matches(const std::vector<std::string>& list, const ProcessFacts& process) {
  if (!process.build_id || process.build_id->empty()) return Match::kUnknown;
  return as_match(std::ranges::find(list, *process.build_id) != list.end());
}

Match env_matches(const std::vector<std::string>& list, const ProcessFacts& process) {
  if (!process.env) return Match::kUnknown;
  return as_match(std::ranges::any_of(*process.env, [&](const auto& label) {
    return std::ranges::find(list, label) != list.end();
  }));
}

Match container_matches(const std::vector<std::string>& globs, const ProcessFacts& process) {
  if (process.container && process.container->empty()) return Match::kNo;
  return path_listed(globs, process.container);
}

std::string unknown_or(Match match, const char* unknown, const char* otherwise) {
  return match == Match::kUnknown ? unknown : otherwise;
}

bool is_denied(const std::vector<std::string>& globs, const Place& place) {
  return std::ranges::any_of(globs, [&](const auto& glob) { return denies_place(glob, place); });
}

bool is_system_header(const std::string& path) {
  return path.starts_with("/usr/include/") || path.starts_with("/usr/lib/gcc/") ||
         path.starts_with("/usr/lib/llvm");
}

}  // namespace

Match members_match(const Members& members, const Asker& asker, const Directory& directory) {
  Match match = listed(members.users, asker.uid, directory);
  if (asker.uid == 0 && asker.login_uid)
    match = either(match, listed(members.users, *asker.login_uid, directory));
  if (members.groups.empty()) return match;
  if (!asker.groups) return either(match, Match::kUnknown);
  for (const Principal& group : members.groups)
    for (const gid_t gid : *asker.groups)
      match = either(match, is_principal(group, gid, [&](const std::string& name) {
                       return directory.group(name);
                     }));
  return match;
}

WhereMatch where_matches(const Where& where, const ProcessFacts& process,
                         const Directory& directory, Purpose purpose, Stage stage) {
  WhereMatch result;
  const auto weigh = [&](bool is_there, auto match_of, const char* unknown, const char* otherwise) {
    if (!is_there || result.match == Match::kNo) return;
    const Match match = match_of();
    const Match before = result.match;
    result.match = both(before, match);
    if (match != Match::kYes && (match == Match::kNo || before == Match::kYes))
      result.why = unknown_or(match, unknown, otherwise);
  };
  weigh(
      !where.exe.empty(), [&] { return exe_matches(where.exe, process); },
      "its program's path means nothing here: it is unknown, or of another mount namespace",
      "its program is none of `exe`");
  weigh(
      !where.run_as.empty(),
      [&] { return run_as_matches(where.run_as, process, directory, purpose); },
      "the users of `run_as` cannot be looked up", "not all it runs as is in `run_as`");
  weigh(
      !where.env.empty(), [&] { return env_matches(where.env, process); },
      "this host has no environment label (/etc/nohalt/host.yaml)",
      "this host is in none of `env`");
  weigh(
      !where.cgroup.empty(), [&] { return path_listed(where.cgroup, process.cgroup); },
      "its cgroup is unknown", "its cgroup is none of `cgroup`");
  weigh(
      !where.container.empty(), [&] { return container_matches(where.container, process); },
      "its container is unknown", "it is in none of `container`");
  const bool build_id_is_to_come = stage == Stage::kAdmit && !process.build_id;
  weigh(
      !where.build_id.empty() && !build_id_is_to_come,
      [&] { return build_id_matches(where.build_id, process); }, "its build id is unknown",
      "its build id is none of `build_id`");
  if (build_id_is_to_come && !where.build_id.empty() && purpose == Purpose::kDeny)
    return {Match::kNo, "its build id has not been read yet"};
  const bool is_pinned = !where.build_id.empty() || !where.container.empty();
  const bool is_elsewhere = !process.is_own_mount_namespace.value_or(false);
  if (purpose == Purpose::kAllow && is_elsewhere && !is_pinned)
    return {Match::kNo,
            "it is in another mount namespace, where `build_id` or `container` must tell"};
  return result;
}

std::optional<std::string> why_source_denied(const AllowDeny& sources, const SourceUse& use,
                                             const std::string& source_root) {
  // Which file it is must not be learnt from a denial.
  const Place place = place_in_tree(use.path, source_root);
  if (place.path.empty()) return "the source file of " + use.what + " is unknown";
  if (is_denied(sources.deny, place)) return use.what + " is in a source that is denied";
  const bool is_allowed = std::ranges::any_of(
      sources.allow, [&](const auto& glob) { return allows_place(glob, place); });
  if (sources.allow.empty() || is_allowed) return std::nullopt;
  if (use.kind == SourceUse::Kind::kType && is_system_header(place.whole)) return std::nullopt;
  return use.what + " is in a source that is not among the allowed ones";
}

std::optional<std::string> why_function_denied(const AllowDeny& functions, const SourceUse& use) {
  if (use.kind != SourceUse::Kind::kCode) return std::nullopt;
  if (use.function.empty()) return "the function of " + use.what + " is unknown";
  const auto any = [&](const std::vector<std::string>& globs) {
    return std::ranges::any_of(
        globs, [&](const auto& glob) { return function_matches(glob, use.function); });
  };
  if (any(functions.deny)) return "the function " + use.function + " is denied";
  if (functions.allow.empty() || any(functions.allow)) return std::nullopt;
  return "the function " + use.function + " is not among the allowed ones";
}

bool concerns(const DenyRule& rule, const SourceUse& use, const std::string& source_root) {
  if (!rule.functions.empty()) {
    if (use.kind != SourceUse::Kind::kCode) return false;
    const bool named =
        use.function.empty() || std::ranges::any_of(rule.functions, [&](const auto& glob) {
          return function_matches(glob, use.function);
        });
    if (!named) return false;
  }
  if (rule.sources.empty()) return true;
  const Place place = place_in_tree(use.path, source_root);
  return place.path.empty() || is_denied(rule.sources, place);
}

}  // namespace nohalt::policy
