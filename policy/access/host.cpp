// The databases may lie on the network: no answer is not the answer "no".
#include "policy/access/host.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace nohalt::policy {

namespace {

constexpr std::size_t kFirstRoom = 16 * 1024;
constexpr std::size_t kMostRoom = 16 * 1024 * 1024;

// Calls with more room until the entry fits.
template <class Entry, class Call>
int look_up(Entry& entry, Entry*& found, std::vector<char>& room, Call call) {
  int error = ERANGE;
  for (std::size_t size = kFirstRoom; error == ERANGE && size <= kMostRoom; size *= 4) {
    room.resize(size);
    error = call(&entry, room.data(), room.size(), &found);
  }
  return error;
}

// How getpwnam_r says that there is no such entry differs by source: see its manual.
bool says_no(int error) { return error == 0 || error == ENOENT || error == ESRCH; }

std::optional<std::vector<gid_t>> groups_of(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> room;
  const int error =
      look_up(entry, found, room, [uid](auto... rest) { return ::getpwuid_r(uid, rest...); });
  if (found == nullptr) return says_no(error) ? std::optional(std::vector<gid_t>{}) : std::nullopt;
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (::getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count) < 0) return std::nullopt;
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

}  // namespace

Directory::Answer HostDirectory::user(const std::string& name) const {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> room;
  const int error = look_up(entry, found, room,
                            [&name](auto... rest) { return ::getpwnam_r(name.c_str(), rest...); });
  if (found != nullptr) return {true, entry.pw_uid};
  return {says_no(error), std::nullopt};
}

Directory::Answer HostDirectory::group(const std::string& name) const {
  struct ::group entry{};
  struct ::group* found = nullptr;
  std::vector<char> room;
  const int error = look_up(entry, found, room,
                            [&name](auto... rest) { return ::getgrnam_r(name.c_str(), rest...); });
  if (found != nullptr) return {true, entry.gr_gid};
  return {says_no(error), std::nullopt};
}

Asker asker_of(const Caller& caller) {
  Asker asker;
  asker.uid = caller.uid;
  asker.login_uid = caller.login_uid;
  asker.groups = caller.groups;
  if (caller.uid != 0 || !caller.login_uid || *caller.login_uid == 0 || !asker.groups) return asker;
  const auto more = groups_of(*caller.login_uid);
  if (more)
    asker.groups->insert(asker.groups->end(), more->begin(), more->end());
  else
    asker.groups.reset();
  return asker;
}

}  // namespace nohalt::policy
