// Paths are taken as they are named; nothing is made above what is missing.
#include "policy/audit/folder.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "src/base/escape.h"

namespace nohalt::policy {

Result<std::string> user_state_folder() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return std::string{state} + "/nohalt";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string{home} + "/.local/state/nohalt";
  return fail(ErrorCode::kDenied, "audit-unwritable",
              "There is no place for the audit trail and its key: neither XDG_STATE_HOME nor HOME "
              "is set.",
              "Set HOME or XDG_STATE_HOME.");
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status make_folder(const std::string& folder) {
  for (std::size_t at = folder.find('/', 1);; at = folder.find('/', at + 1)) {
    const std::string part = folder.substr(0, at);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      const int error_number = errno;
      return fail(ErrorCode::kDenied, "audit-unwritable",
                  "The folder " + escape_untrusted(part).text +
                      " of the audit trail cannot be made: " +
                      std::generic_category().message(error_number) + ".",
                  "Make it yours with mode 0700.");
    }
    if (at == std::string::npos) return {};
  }
}

}  // namespace nohalt::policy
