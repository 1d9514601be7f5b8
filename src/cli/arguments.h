// From the words of a command line to one of the session's commands. Looks at
// nothing but the words, the two environment variables and the file of -f.
//
// Errors are of kind kUsage; the hint names the option or command that was
// probably meant, or how to go on.
// Threading: no state.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "src/base/result.h"
#include "src/session/commands.h"

namespace nohalt::cli {

// --help and --version: written to stdout, and that is all.
struct TextToPrint {
  std::string text;
};

using Request = std::variant<TextToPrint, session::LogCommand, session::TraceCommand,
                             session::ShowCommand, session::PlanCommand, session::PsCommand,
                             session::SweepCommand, session::ListCommand, session::RmCommand,
                             session::DoctorCommand, session::AuditCommand, session::PolicyCommand,
                             session::RequestsCommand, session::JudgeCommand>;

// The values of NOHALT_POLICY, NOHALT_AUDIT and NOHALT_SOCKET; empty: not set.
struct Environment {
  std::string policy;
  std::string audit;
  std::string socket;
};

// `words`: the command line without the program's own name.
[[nodiscard]] Result<Request> parse_arguments(const std::vector<std::string>& words,
                                              const Environment& environment);

}  // namespace nohalt::cli
