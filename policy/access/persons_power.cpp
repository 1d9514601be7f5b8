// System calls and not the C library's functions: those change all threads, and an
// effective uid is a thread's own to the kernel. With it goes every effective capability;
// the saved uid stays root's, which is what lets both come back.
#include "policy/access/persons_power.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "policy/access/caller.h"
#include "src/base/file.h"

namespace nohalt::policy {

namespace {

constexpr gid_t kNoGroup = 65534;
constexpr uid_t kLeaveUid = static_cast<uid_t>(-1);
constexpr gid_t kLeaveGid = static_cast<gid_t>(-1);

// Another effective uid gives the process back to core dumps, where the system says so
// (fs.suid_dumpable); it stays as closed as it was.
bool set_uid(uid_t uid) {
  const bool was_closed = ::prctl(PR_GET_DUMPABLE) == 0;
  const bool is_set = ::syscall(SYS_setresuid, kLeaveUid, uid, kLeaveUid) == 0;
  if (was_closed) static_cast<void>(::prctl(PR_SET_DUMPABLE, 0));
  return is_set;
}
bool set_gid(gid_t gid) { return ::syscall(SYS_setresgid, kLeaveGid, gid, kLeaveGid) == 0; }
bool set_groups(const std::vector<gid_t>& groups) {
  return ::syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
}

struct Login {
  gid_t gid = kNoGroup;
  std::vector<gid_t> groups;
  std::string home;
};

// Of whom the user database knows nothing is in no group.
Login login_of(uid_t uid) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return {};
  Login login{found->pw_gid, {}, found->pw_dir};
  int count = 0;
  static_cast<void>(::getgrouplist(found->pw_name, found->pw_gid, nullptr, &count));
  login.groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  if (::getgrouplist(found->pw_name, found->pw_gid, login.groups.data(), &count) < 0)
    login.groups.clear();
  login.groups.resize(std::min(login.groups.size(), static_cast<std::size_t>(std::max(count, 0))));
  return login;
}

bool own_groups(std::vector<gid_t>& groups) {
  const int count = ::getgroups(0, nullptr);
  if (count < 0) return false;
  groups.resize(static_cast<std::size_t>(count));
  return ::getgroups(count, groups.data()) == count;
}

}  // namespace

std::optional<uid_t> person_behind_root() {
  if (::geteuid() != 0) return std::nullopt;
  if (const uid_t real = ::getuid(); real != 0) return real;
  const auto login = login_uid_of(::getpid());
  return login && *login != 0 ? login : std::nullopt;
}

Result<PersonsPower> PersonsPower::take() {
  PersonsPower power;
  const auto person = person_behind_root();
  if (!person) return power;
  Login login = login_of(*person);
  power.gid_ = ::getegid();
  // Groups first, while there is the right to; what was changed is given back by the end.
  if (own_groups(power.groups_)) {
    power.is_changed_ = true;
    power.home_ = std::move(login.home);
    if (set_groups(login.groups) && set_gid(login.gid) && set_uid(*person) &&
        ::geteuid() == *person)
      return power;
  }
  return fail(ErrorCode::kDenied, "no-power-of-yours",
              "Behind sudo, files that are named are opened as who logged in (uid " +
                  std::to_string(*person) + "), and the system does not let nohalt do so.",
              "Leave the files out, or run nohalt with CAP_SETUID and CAP_SETGID.");
}

PersonsPower::PersonsPower(PersonsPower&& other) noexcept
    : is_changed_(std::exchange(other.is_changed_, false)),
      gid_(other.gid_),
      groups_(std::move(other.groups_)),
      home_(std::move(other.home_)) {}

// What fails here leaves less power and never more. The caller's errno is a file's.
PersonsPower::~PersonsPower() {
  if (!is_changed_) return;
  const int error_number = errno;
  static_cast<void>(set_uid(0) && set_gid(gid_) && set_groups(groups_));
  errno = error_number;
}

Result<std::string> read_persons_file(const std::string& path) {
  NOHALT_TRY([[maybe_unused]] const PersonsPower power, PersonsPower::take());
  return read_file(path);
}

Result<std::string> read_persons_file_start(const std::string& path, std::size_t limit) {
  NOHALT_TRY([[maybe_unused]] const PersonsPower power, PersonsPower::take());
  return read_file_start(path, limit);
}

}  // namespace nohalt::policy
