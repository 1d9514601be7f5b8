// The forged frame is given to the kernel itself: a thread jumps into it and must
// arrive with every register as written.
#include <elf.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cstring>

#include "probes/target/image.h"
#include "probes/target/signal_frame.h"
#include "tests/unit/target/child.h"

namespace nohalt::target {
namespace {

std::vector<std::byte> plain_xstate() {
  std::vector<std::byte> bytes(832);
  const std::uint64_t features = 7;
  std::memcpy(bytes.data() + 464, &features, sizeof features);
  std::memcpy(bytes.data() + 512, &features, sizeof features);
  return bytes;
}

TEST(SignalFrame, LeavesTheRedZoneAlone) {
  user_regs_struct r{};
  r.rsp = 0x7ffd00001238;
  const auto frame = forge_signal_frame(r, plain_xstate(), 0, {{1}, {2}, {3}});
  ASSERT_TRUE(frame);
  EXPECT_LE(frame->stack_pointer.value + frame->bytes.size(), r.rsp - 128);
  EXPECT_EQ(frame->stack_pointer.value % 16, 0U);
}

TEST(SignalFrame, RefusesAVectorStateItDoesNotUnderstand) {
  auto xstate = plain_xstate();
  EXPECT_EQ(forge_signal_frame({}, std::span(xstate).first(512), 0, {}).error().reason,
            "unknown-vector-state");
  xstate[512 + 3] = std::byte{0xff};  // in use, but not among the features
  EXPECT_EQ(forge_signal_frame({}, xstate, 0, {}).error().reason, "unknown-vector-state");
}

struct Stopped {
  user_regs_struct registers{};
  std::vector<std::byte> xstate = std::vector<std::byte>(16384);
  std::uint64_t mask = 0;
};

Stopped look(pid_t pid) {
  Stopped s;
  ::ptrace(PTRACE_GETREGS, pid, nullptr, &s.registers);
  iovec io{s.xstate.data(), s.xstate.size()};
  ::ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &io);
  s.xstate.resize(io.iov_len);
  ::ptrace(PTRACE_GETSIGMASK, pid, sizeof s.mask, &s.mask);
  return s;
}

TEST(SignalFrame, BringsBackEveryRegisterTheMaskAndTheAlternateStack) {
  test::Child child([](test::Shared& shared) {
    static char alternate[16384];
    stack_t stack{alternate, 0, sizeof alternate};
    ::sigaltstack(&stack, nullptr);
    shared.ready = 1;
    while (shared.go == 0) shared.value.fetch_add(1, std::memory_order_relaxed);
    stack_t now{};
    ::sigaltstack(nullptr, &now);
    return now.ss_sp == alternate && now.ss_size == sizeof alternate && now.ss_flags == 0 ? 0 : 1;
  });
  child.wait_ready();
  const auto memory = Memory::open(child.pid());
  const auto maps = read_maps(child.pid());
  const auto images = Images::read(child.pid(), *maps, *memory);
  ASSERT_TRUE(images);
  const auto gadgets = find_gadgets(*images, *maps, *memory);
  ASSERT_TRUE(gadgets);
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, child.pid(), nullptr, nullptr), 0);
  ::ptrace(PTRACE_INTERRUPT, child.pid(), nullptr, nullptr);
  int status = 0;
  ::waitpid(child.pid(), &status, __WALL);
  const Stopped original = look(child.pid());

  Stopped wanted = original;
  wanted.registers.r15 = 0x1515151515151515;
  wanted.registers.rdx = 0xfeedfacecafebeef;
  wanted.registers.r11 = 0x1111;
  wanted.registers.rip = gadgets->syscall_ret.value;  // where a call stop shows the arrival
  wanted.registers.rax = SYS_getpid;
  wanted.mask = 1ULL << (SIGUSR1 - 1);
  wanted.xstate[160 + 9] = std::byte{0x77};  // xmm0
  wanted.xstate[512] |= std::byte{3};
  const auto frame = forge_signal_frame(wanted.registers, wanted.xstate, wanted.mask, *gadgets);
  ASSERT_TRUE(frame);
  ASSERT_TRUE(memory->write(frame->stack_pointer, frame->bytes));
  user_regs_struct way = original.registers;
  way.orig_rax = ~0ULL;
  way.rsp = frame->stack_pointer.value;
  way.rip = gadgets->syscall_ret.value + 2;
  ::ptrace(PTRACE_SETREGS, child.pid(), nullptr, &way);
  for (int stops = 0; stops < 3; ++stops) {  // into and out of rt_sigreturn; into getpid
    ::ptrace(PTRACE_SYSCALL, child.pid(), nullptr, nullptr);
    ::waitpid(child.pid(), &status, __WALL);
    ASSERT_TRUE(WIFSTOPPED(status)) << status;
  }
  const Stopped arrived = look(child.pid());
  EXPECT_EQ(arrived.registers.orig_rax, static_cast<unsigned long long>(SYS_getpid));
  EXPECT_EQ(arrived.registers.r15, wanted.registers.r15);
  EXPECT_EQ(arrived.registers.rdx, wanted.registers.rdx);
  EXPECT_EQ(arrived.registers.rsp, original.registers.rsp);
  EXPECT_EQ(arrived.registers.rbp, original.registers.rbp);
  EXPECT_EQ(arrived.mask, wanted.mask);
  EXPECT_EQ(arrived.xstate[160 + 9], std::byte{0x77});

  // Back to the loop by a plain restore, to let it look at its alternate stack.
  ::ptrace(PTRACE_SYSCALL, child.pid(), nullptr, nullptr);
  ::waitpid(child.pid(), &status, __WALL);
  user_regs_struct home = original.registers;
  home.orig_rax = ~0ULL;
  ::ptrace(PTRACE_SETREGS, child.pid(), nullptr, &home);
  child.shared().go = 1;
  ::ptrace(PTRACE_DETACH, child.pid(), nullptr, nullptr);
  EXPECT_EQ(child.join(), 0);
}

}  // namespace
}  // namespace nohalt::target
