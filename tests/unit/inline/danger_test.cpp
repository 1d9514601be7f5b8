// What forbids to read a process's memory, and what must end a probe.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "probes/engines/inline/change_watch.h"
#include "probes/engines/inline/read_obstacles.h"

namespace nohalt::engines {
namespace {

TEST(ReadObstacles, AProtectionKeyIsAnyButThatOfOrdinaryMemory) {
  EXPECT_FALSE(names_protection_key("VmFlags: rd\n10000-12000 rw-p\nProtectionKey:         0\n"));
  EXPECT_TRUE(
      names_protection_key("1-2 r--p\nProtectionKey:         0\n3-4 rw-p\n"
                           "ProtectionKey:        12\nVmFlags: rd\n"));
  EXPECT_FALSE(names_protection_key("1-2 r--p\nSize: 4 kB\n"));
}

std::string refusal(const ReadObstacles& obstacles, const program::Cost& cost) {
  const Status status = check_reads(obstacles, cost);
  return status ? "" : status.error().reason;
}

TEST(ReadObstacles, OnlyProgramsThatReadMemoryAreRefused) {
  const program::Cost registers_only{.instructions = 30, .bytes_written = 8};
  const program::Cost frame{.instructions = 30, .frame_reads = 1};
  const program::Cost pointer{.instructions = 30, .user_reads = 1};
  for (const auto& [obstacles, reason] :
       {std::pair{ReadObstacles{"/usr/lib/libseccomp.so.2", false}, "may-add-filters"},
        std::pair{ReadObstacles{"", true}, "protection-keys"}}) {
    EXPECT_EQ(refusal(obstacles, registers_only), "");
    EXPECT_EQ(refusal(obstacles, frame), reason);
    EXPECT_EQ(refusal(obstacles, pointer), reason);
  }
  EXPECT_EQ(refusal({}, pointer), "");
}

// A child that does one thing after the other, whenever it is told to.
class Child {
 public:
  template <class... Steps>
  explicit Child(Steps... steps) {
    if (::pipe(to_child_) != 0 || ::pipe(from_child_) != 0) return;
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::alarm(60);
    (act(steps), ...);
    ::pause();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    for (const int fd : {to_child_[0], to_child_[1], from_child_[0], from_child_[1]}) ::close(fd);
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Returns when the next step is done.
  void go_on() {
    char byte = 1;
    EXPECT_EQ(::write(to_child_[1], &byte, 1), 1);
    EXPECT_EQ(::read(from_child_[0], &byte, 1), 1);
  }

 private:
  template <class Step>
  void act(Step step) {
    char byte = 0;
    if (::read(to_child_[0], &byte, 1) != 1 || !step() || ::write(from_child_[1], &byte, 1) != 1)
      ::_exit(1);
  }

  int to_child_[2] = {-1, -1};
  int from_child_[2] = {-1, -1};
  pid_t pid_ = -1;
};

bool handle(int signal) {
  return ::signal(signal, [](int) { ::_exit(2); }) != SIG_ERR;
}

bool allow_all_by_filter() {
  sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog program{1, &allow};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(ChangeWatch, SeesAFilterThatComesLater) {
  Child child([] { return true; }, allow_all_by_filter);
  child.go_on();
  const ChangeWatch watch(child.pid(), 0, caught_signals(child.pid()));
  EXPECT_EQ(watch.look(), Change::kNone);
  child.go_on();
  EXPECT_EQ(watch.look(), Change::kFiltered);
}

TEST(ChangeWatch, SeesAHandlerForAFaultThatAMovedInstructionMayRaise) {
  Child child([] { return handle(SIGBUS); }, [] { return handle(SIGFPE); },
              [] { return handle(SIGSEGV); });
  child.go_on();
  const ChangeWatch watch(child.pid(), signal_bit(SIGSEGV) | signal_bit(SIGBUS),
                          caught_signals(child.pid()));
  EXPECT_EQ(watch.look(), Change::kNone) << "a handler that was there before";
  child.go_on();
  EXPECT_EQ(watch.look(), Change::kNone) << "for a fault that cannot be";
  child.go_on();
  EXPECT_EQ(watch.look(), Change::kHandlesFaults);
}

TEST(ChangeWatch, HasNothingToSayOfAProcessThatEnded) {
  const ChangeWatch watch(0x3fffffff, ~std::uint64_t{0}, 0);
  EXPECT_EQ(watch.look(), Change::kNone);
}

TEST(ChangeWatch, FaultsAreThoseOfTheInstructionsThatMove) {
  using inline_sites::decode;
  const auto faults = [](std::initializer_list<std::uint8_t> code) {
    const auto instruction = decode(std::vector<std::uint8_t>(code));
    EXPECT_TRUE(instruction);
    return faults_of(std::span(&*instruction, 1));
  };
  EXPECT_EQ(faults({0x48, 0x89, 0xc3}), 0U);  // mov %rax,%rbx
  EXPECT_EQ(faults({0x48, 0x8b, 0x03}), signal_bit(SIGSEGV) | signal_bit(SIGBUS));
  EXPECT_EQ(faults({0x48, 0xf7, 0xf9}), signal_bit(SIGFPE));  // idiv %rcx
}

}  // namespace
}  // namespace nohalt::engines
