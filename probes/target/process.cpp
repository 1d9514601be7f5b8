// Reads /proc/PID: stat, status, exe, ns, task/*/status (proc(5)).
#include "probes/target/process.h"

#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "probes/target/target_gone.h"
#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::target {

namespace {

// Fields of /proc/PID/stat, counted from 1 as proc(5) does.
constexpr int kParentField = 4;
constexpr int kFlagsField = 9;
constexpr int kStartTimeField = 22;
constexpr int kHeapStartField = 47;
constexpr std::uint64_t kKernelThreadFlag = 0x00200000;  // PF_KTHREAD

std::unexpected<Error> no_such_process(pid_t pid) {
  return fail(ErrorCode::kTargetGone, "no-such-process",
              "There is no process " + std::to_string(pid) + ".",
              "`nohalt ps` lists the processes that may be probed.");
}

template <class T, std::size_t N>
void parse_ids(std::string_view text, std::array<T, N>& ids) {
  for (auto& id : ids) {
    while (!text.empty() && (text.front() == '\t' || text.front() == ' ')) text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc{}) return;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
}

int to_int(std::string_view text) {
  int value = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The last number of NSpid is the pid in the innermost namespace.
pid_t innermost_pid(std::string_view text) {
  return to_int(text.substr(text.find_last_of("\t ") + 1));
}

void read_executable(const std::string& folder, ProcessFacts& facts) {
  std::array<char, 4096> buffer{};
  const ssize_t n = ::readlink((folder + "/exe").c_str(), buffer.data(), buffer.size());
  if (n <= 0) return;
  facts.exe_path.assign(buffer.data(), static_cast<std::size_t>(n));
  const UniqueFd exe(::open((folder + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (!exe.valid() || ::fstat(exe.get(), &info) != 0) return;
  facts.exe_device = info.st_dev;
  facts.exe_inode = info.st_ino;
  std::array<unsigned char, EI_NIDENT> ident{};
  if (::pread(exe.get(), ident.data(), ident.size(), 0) == EI_NIDENT)
    facts.elf_class = ident[EI_CLASS];
}

void read_status(std::string_view status, ProcessFacts& facts) {
  facts.tracer = to_int(status_field(status, "TracerPid"));
  parse_ids(status_field(status, "Uid"), facts.uids);
  parse_ids(status_field(status, "Gid"), facts.gids);
  facts.namespace_pid = innermost_pid(status_field(status, "NSpid"));
}

// Each of them may be filtered, traced or have a shadow stack of its own.
void read_thread_status(std::string_view status, pid_t tid, ProcessFacts& facts) {
  facts.seccomp.push_back({tid, to_int(status_field(status, "Seccomp"))});
  if (facts.tracer == 0) facts.tracer = to_int(status_field(status, "TracerPid"));
  facts.shadow_stack |= names_shadow_stack(status);
}

Result<ProcessFacts> read_facts(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  const auto stat = read_file(folder + "/stat");
  const auto status = read_file(folder + "/status");
  if (!stat || !status) return no_such_process(pid);
  ProcessFacts facts;
  facts.state = parse_state(*stat);
  facts.parent = static_cast<pid_t>(parse_stat_field(*stat, kParentField));
  facts.kernel_thread = (parse_stat_field(*stat, kFlagsField) & kKernelThreadFlag) != 0;
  facts.heap_start = {parse_stat_field(*stat, kHeapStartField)};
  read_status(*status, facts);
  read_executable(folder, facts);
  NOHALT_TRY(const auto tids, list_threads(pid));
  for (const pid_t tid : tids) {
    const auto thread = read_file(folder + "/task/" + std::to_string(tid) + "/status");
    if (!thread && thread_lives(pid, tid)) return std::unexpected(thread.error());
    if (thread) read_thread_status(*thread, tid, facts);
  }
  return facts;
}

}  // namespace

bool names_shadow_stack(std::string_view status) {
  return status_field(status, "x86_Thread_features").find("shstk") != std::string_view::npos;
}

std::uint64_t parse_stat_field(std::string_view stat, int field) {
  const auto name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return 0;
  stat.remove_prefix(name_end + 1);
  constexpr int kFirstAfterName = 3;
  for (int i = kFirstAfterName; !stat.empty(); ++i) {
    const auto begin = stat.find_first_not_of(' ');
    if (begin == std::string_view::npos) return 0;
    stat.remove_prefix(begin);
    const auto word = stat.substr(0, stat.find(' '));
    if (i == field) {
      std::uint64_t value = 0;
      (void)std::from_chars(word.data(), word.data() + word.size(), value);
      return value;
    }
    stat.remove_prefix(word.size());
  }
  return 0;
}

Result<Process> Process::open(pid_t pid) {
  Process process;
  process.pidfd_ = UniqueFd(pid > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1);
  if (!process.pidfd_.valid()) return no_such_process(pid);
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return no_such_process(pid);
  process.identity_ = {pid, parse_stat_field(*stat, kStartTimeField)};
  NOHALT_CHECK(process.refresh());
  return process;
}

// A zombie counts as ended: its pidfd is readable.
Status Process::check_alive() const {
  pollfd ended{pidfd_.get(), POLLIN, 0};
  if (::poll(&ended, 1, 0) == 0) return {};
  return target_gone();
}

Status Process::refresh() {
  NOHALT_TRY(facts_, read_facts(pid()));
  return {};
}

}  // namespace nohalt::target
