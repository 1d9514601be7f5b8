// Each check does what the engine will do, in small, and says what it found.
// Settings are read only to explain a refusal.
#include "src/session/machine_checks.h"

#include <cpuid.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>

#include "probes/target/user_sample.h"
#include "src/base/address.h"
#include "src/base/file.h"
#include "src/base/unique_fd.h"

namespace nohalt::session {

namespace {

using output::Check;
using output::CheckResult;

constexpr unsigned kMemfdExecutable = 0x10;  // MFD_EXEC, Linux 6.3

Check make(const char* name, bool good, std::string found_good, std::string found_bad,
           std::string advice) {
  return {name, good ? CheckResult::kOk : CheckResult::kFail,
          good ? std::move(found_good) : std::move(found_bad), good ? "" : std::move(advice)};
}

// The first line of a small file; empty where there is none.
std::string first_line(const std::string& path) {
  const auto content = read_file(path);
  return content ? content->substr(0, content->find('\n')) : std::string{};
}

int number_in(const std::string& path) {
  const std::string line = first_line(path);
  int value = -1;
  std::from_chars(line.data(), line.data() + line.size(), value);
  return value;
}

bool has_capability(unsigned capability) {
  const auto status = read_file("/proc/self/status");
  if (!status) return false;
  const std::size_t at = status->find("CapEff:\t");
  if (at == std::string::npos) return false;
  std::uint64_t set = 0;
  const char* begin = status->data() + at + 8;
  std::from_chars(begin, status->data() + status->size(), set, 16);
  return ((set >> capability) & 1) != 0;
}

// A child that may be traced, as the tool itself may not be; 0: none could be made.
pid_t make_traceable_child() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return 0;
  const UniqueFd its_word(ends[0]);
  UniqueFd word(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_DUMPABLE, 1);
    (void)!::write(word.get(), "", 1);
    ::pause();
    ::_exit(0);
  }
  word.reset();
  char said = 0;
  (void)!::read(its_word.get(), &said, 1);
  return std::max(child, 0);
}

// Takes hold of a child of our own and lets go.
Check check_ptrace() {
  const pid_t child = make_traceable_child();
  if (child == 0) return make("ptrace", false, "", "No child could be made to try it on.", "");
  const bool seized = ::ptrace(PTRACE_SEIZE, child, nullptr, nullptr) == 0;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return make("ptrace", seized, "Works on a child process.", "Is refused even on a child process.",
              "A container's seccomp profile may forbid it: run it with --cap-add SYS_PTRACE.");
}

Check check_process_vm() {
  const char source[] = "read me";
  char copy[sizeof(source)] = {};
  iovec to{copy, sizeof(copy)};
  iovec from{const_cast<char*>(source), sizeof(source)};
  const ssize_t n = ::process_vm_readv(::getpid(), &to, 1, &from, 1, 0);
  const bool good =
      n == static_cast<ssize_t>(sizeof(source)) && std::memcmp(copy, source, sizeof(copy)) == 0;
  return make("process-vm-readv", good, "Works.", "Is refused; values behind pointers need it.",
              "A container's seccomp profile may forbid it.");
}

Check check_memfd() {
  int fd = static_cast<int>(::syscall(SYS_memfd_create, "nohalt-check", kMemfdExecutable));
  if (fd < 0) fd = static_cast<int>(::syscall(SYS_memfd_create, "nohalt-check", 0U));
  const UniqueFd owner(fd);
  bool good = fd >= 0 && ::ftruncate(fd, static_cast<off_t>(kPageSize)) == 0;
  if (good) {
    void* page = ::mmap(nullptr, kPageSize, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    good = page != MAP_FAILED;
    if (good) ::munmap(page, kPageSize);
  }
  const int setting = number_in("/proc/sys/vm/memfd_noexec");
  return make(
      "memfd-exec", good, "Code can be mapped from a memfd.",
      "Code cannot be mapped from a memfd (vm.memfd_noexec is " + std::to_string(setting) + ").",
      "Set vm.memfd_noexec below 2: sysctl vm.memfd_noexec=1");
}

// As the swap of a code page does it: on a private mapping of a file.
bool can_park_a_file_page() {
  const UniqueFd exe(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!exe.valid()) return false;
  void* page = ::mmap(nullptr, kPageSize, PROT_READ | PROT_EXEC, MAP_PRIVATE, exe.get(), 0);
  if (page == MAP_FAILED) return false;
  // The address is given: the C library passes the register on as it finds it.
  void* parked = ::mremap(page, kPageSize, kPageSize, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, nullptr);
  ::munmap(page, kPageSize);
  if (parked == MAP_FAILED) return false;
  ::munmap(parked, kPageSize);
  return true;
}

bool refuses_taken_addresses() {
  void* taken = ::mmap(nullptr, kPageSize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (taken == MAP_FAILED) return false;
  void* second =
      ::mmap(taken, kPageSize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  const bool refused = second == MAP_FAILED;
  if (!refused && second != taken) ::munmap(second, kPageSize);
  ::munmap(taken, kPageSize);
  return refused;
}

bool wipes_on_fork() {
  void* page = ::mmap(nullptr, kPageSize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  const bool good = ::madvise(page, kPageSize, MADV_WIPEONFORK) == 0;
  ::munmap(page, kPageSize);
  return good;
}

bool has_processor_flag(std::string_view flag) {
  const auto info = read_file("/proc/cpuinfo");
  if (!info) return false;
  const std::size_t flags = info->find("\nflags");
  const std::string line = flags == std::string::npos
                               ? std::string{}
                               : info->substr(flags + 1, info->find('\n', flags + 1) - flags - 1);
  return (line + " ").find(" " + std::string{flag} + " ") != std::string::npos;
}

Check check_sampling() {
  const auto event = target::SampleEvent::open(::gettid());
  if (event)
    return {"sampling", CheckResult::kOk,
            "Running threads can be sampled: removing a probe stops none of them.", ""};
  return {"sampling", CheckResult::kWarn,
          event.error().message +
              " Removing a probe stops each thread that computes all the time once, briefly.",
          event.error().hint};
}

}  // namespace

Check judge_yama(int scope, bool may_trace_all) {
  if (scope <= 0) return {"yama", CheckResult::kOk, "Yama does not restrict tracing.", ""};
  if (scope >= 3)
    return {"yama", CheckResult::kFail, "kernel.yama.ptrace_scope is 3: nobody may trace anything.",
            "Only a reboot with another setting changes that."};
  const std::string found = "kernel.yama.ptrace_scope is " + std::to_string(scope);
  if (may_trace_all)
    return {"yama", CheckResult::kOk, found + "; CAP_SYS_PTRACE goes past it.", ""};
  return {"yama", CheckResult::kFail,
          found + (scope == 1 ? ": only child processes may be traced."
                              : ": only those with CAP_SYS_PTRACE may trace."),
          "Run nohalt as root, or as root: sysctl kernel.yama.ptrace_scope=0"};
}

std::vector<Check> check_access(const policy::Caller& caller) {
  const bool may_trace_all = has_capability(CAP_SYS_PTRACE);
  std::vector<Check> checks{check_ptrace()};
  checks.push_back(judge_yama(number_in("/proc/sys/kernel/yama/ptrace_scope"), may_trace_all));
  checks.push_back(
      may_trace_all
          ? Check{"processes", CheckResult::kOk, "Any process can be looked into.", ""}
          : Check{"processes", CheckResult::kWarn,
                  "Only processes of uid " + std::to_string(caller.uid) + " can be looked into.",
                  "Run nohalt as root for the others."});
  checks.push_back(check_process_vm());
  checks.push_back(check_sampling());
  return checks;
}

std::vector<Check> check_kernel() {
  utsname system{};
  ::uname(&system);
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  std::vector<Check> checks{{"kernel", CheckResult::kOk,
                             std::string{"Linux "} + system.release + " on " + system.machine, ""}};
  const char* newer = "A newer kernel has it; nohalt needs 5.13 or later.";
  checks.push_back(check_memfd());
  checks.push_back(make("mremap-dontunmap", can_park_a_file_page(),
                        "A page of code can be parked and moved back.",
                        "A page of code cannot be parked.", newer));
  checks.push_back(make("map-fixed-noreplace", refuses_taken_addresses(),
                        "Addresses in use are safe from us.",
                        "The kernel would let a mapping replace another.", newer));
  checks.push_back(make("pidfd", self.valid(), "Processes can be held by descriptor.",
                        "Processes cannot be held by descriptor.", newer));
  checks.push_back(make("wipe-on-fork", wipes_on_fork(), "Works.", "Is refused.", newer));
  return checks;
}

std::vector<Check> check_processor() {
  const std::string clock =
      first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool xsave = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_OSXSAVE) != 0;
  std::vector<Check> checks;
  checks.push_back(make("clock", clock == "tsc", "The kernel keeps time by the TSC.",
                        "The kernel keeps time by \"" + clock + "\", not by the TSC.",
                        "The inline engine needs clocksource tsc; on a virtual machine, ask for "
                        "an invariant TSC."));
  checks.push_back(make("xsave", xsave, "The processor's full state can be saved.",
                        "The processor or the kernel has no XSAVE.", "nohalt needs it."));
  checks.push_back({"shadow-stack", CheckResult::kOk,
                    has_processor_flag("user_shstk")
                        ? "Programs may use shadow stacks here; those that do are refused."
                        : "No program uses a shadow stack here.",
                    ""});
  return checks;
}

Check check_kernel_engine() {
  std::string missing;
  const auto need = [&missing](bool there, const char* what) {
    if (!there) missing += (missing.empty() ? "" : ", ") + std::string{what};
  };
  need(!first_line("/sys/bus/event_source/devices/uprobe/type").empty(), "uprobes");
  need(::access("/sys/kernel/tracing/events", F_OK) == 0 ||
           ::access("/sys/kernel/debug/tracing/events", F_OK) == 0,
       "tracefs");
  need(::access("/sys/kernel/btf/vmlinux", R_OK) == 0, "kernel type information (BTF)");
  need(has_capability(CAP_BPF) && has_capability(CAP_PERFMON), "CAP_BPF and CAP_PERFMON");
  const std::string later = "The kernel engine is not in this version. ";
  if (missing.empty())
    return {"kernel-engine", CheckResult::kOk, later + "All it needs is here.", ""};
  return {"kernel-engine", CheckResult::kWarn, later + "It would miss: " + missing + ".",
          "Nothing needs doing for the inline engine."};
}

}  // namespace nohalt::session
