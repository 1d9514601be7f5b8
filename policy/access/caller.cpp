// Every fact is read on its own and left out where the system does not tell it.
#include "policy/access/caller.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <limits>
#include <vector>

#include "src/base/file.h"

namespace nohalt::policy {

namespace {

// loginuid and sessionid hold 4294967295 until a login sets them.
std::optional<std::uint32_t> read_audit_number(const std::string& path) {
  const auto content = read_file(path);
  if (!content) return std::nullopt;
  std::uint32_t value = 0;
  const char* end = content->data() + content->size();
  if (std::from_chars(content->data(), end, value).ec != std::errc{}) return std::nullopt;
  if (value == std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return value;
}

std::optional<std::vector<gid_t>> own_groups() {
  const int count = ::getgroups(0, nullptr);
  if (count < 0) return std::nullopt;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (::getgroups(count, groups.data()) != count) return std::nullopt;
  groups.push_back(::getgid());
  return groups;
}

std::string terminal_name() {
  std::array<char, 256> buffer{};
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::ttyname_r(fd, buffer.data(), buffer.size()) == 0) return buffer.data();
  return {};
}

std::string host_name() {
  std::array<char, 256> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0) return {};
  return buffer.data();
}

}  // namespace

std::optional<uid_t> login_uid_of(pid_t pid) {
  return read_audit_number("/proc/" + std::to_string(pid) + "/loginuid");
}

std::string user_name(uid_t uid) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return {};
  return found->pw_name;
}

Caller Caller::current() {
  Caller caller;
  caller.uid = ::getuid();
  caller.effective_uid = ::geteuid();
  caller.user = user_name(caller.uid);
  caller.login_uid = read_audit_number("/proc/self/loginuid");
  caller.session = read_audit_number("/proc/self/sessionid");
  caller.groups = own_groups();
  caller.tty = terminal_name();
  caller.host = host_name();
  return caller;
}

}  // namespace nohalt::policy
