// The program: words in, one command carried out, an exit status out.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "src/cli/arguments.h"
#include "src/output/sink.h"
#include "src/output/talk.h"
#include "src/session/session.h"

namespace {

using namespace nohalt;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : value;
}

// A standard stream that is closed would be taken by the next file opened, and
// talk would be written into it.
void open_standard_streams() {
  int fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = ::dup(fd);
  if (fd > STDERR_FILENO) ::close(fd);
}

// What a probe has seen is in the tool's memory, and in no core file of it. A program that
// takes core files is given one whatever the limit is, so the file is left without memory.
// Nobody but root may look into it or trace it, its own user's other programs neither: the
// target may be one of these. Last, since its own settings under /proc are root's then.
void keep_memory_to_itself() {
  // By whatever name the tool was called, other runs know it by this one.
  (void)::prctl(PR_SET_NAME, "nohalt");
  const rlimit none{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &none);
  const int filter = ::open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
  if (filter >= 0) {
    (void)!::write(filter, "0", 1);
    ::close(filter);
  }
  (void)::prctl(PR_SET_DUMPABLE, 0);
}

int print(const std::string& text) {
  auto sink = output::Sink::open({});
  if (!sink) return exit_status(sink.error().code);
  sink->put(text);
  const auto state = sink->drain(std::chrono::seconds{10});
  return state ? 0 : exit_status(state.error().code);
}

int run(const cli::Request& request) {
  return std::visit(
      [](const auto& command) {
        using Command = std::remove_cvref_t<decltype(command)>;
        if constexpr (std::is_same_v<Command, cli::TextToPrint>) return print(command.text);
        if constexpr (std::is_same_v<Command, session::LogCommand>)
          return session::run_log(command);
        if constexpr (std::is_same_v<Command, session::TraceCommand>)
          return session::run_trace(command);
        if constexpr (std::is_same_v<Command, session::ShowCommand>)
          return session::run_show(command);
        if constexpr (std::is_same_v<Command, session::PlanCommand>)
          return session::run_plan(command);
        if constexpr (std::is_same_v<Command, session::PsCommand>) return session::run_ps(command);
        if constexpr (std::is_same_v<Command, session::SweepCommand>)
          return session::run_sweep(command);
        if constexpr (std::is_same_v<Command, session::ListCommand>)
          return session::run_list(command);
        if constexpr (std::is_same_v<Command, session::RmCommand>) return session::run_rm(command);
        if constexpr (std::is_same_v<Command, session::AuditCommand>)
          return session::run_audit(command);
        if constexpr (std::is_same_v<Command, session::PolicyCommand>)
          return session::run_policy(command);
        if constexpr (std::is_same_v<Command, session::RequestsCommand>)
          return session::run_requests(command);
        if constexpr (std::is_same_v<Command, session::JudgeCommand>)
          return session::run_judge(command);
        if constexpr (std::is_same_v<Command, session::DoctorCommand>)
          return session::run_doctor(command);
      },
      request);
}

}  // namespace

int main(int count, char** words) {
  open_standard_streams();
  keep_memory_to_itself();
  // A reader that goes away is told by write's result.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of the write
  const cli::Environment environment{variable("NOHALT_POLICY"), variable("NOHALT_AUDIT"),
                                     variable("NOHALT_SOCKET")};
  const auto request = cli::parse_arguments(
      std::vector<std::string>(words + (count > 0 ? 1 : 0), words + count), environment);
  if (!request) {
    output::Talk{}.error(request.error());
    return exit_status(request.error().code);
  }
  return run(*request);
}
