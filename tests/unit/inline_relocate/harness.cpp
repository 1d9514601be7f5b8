// The memory and the signals around harness_enter.S. Faults are expected (random
// registers divide by zero and miss their alignment): they end the run and are
// part of its outcome.

#include "tests/unit/inline_relocate/harness.h"

#include <sys/mman.h>
#include <ucontext.h>
#include <xmmintrin.h>

#include <csetjmp>
#include <csignal>
#include <cstring>

extern "C" {
void harness_enter(nohalt::test::CpuState* state, const void* entry);
void harness_exit_next();
void harness_exit_branch();
void harness_exit_return();
}

namespace nohalt::test {
namespace {

constexpr std::uint64_t kFarDistance = 16ULL << 30;
constexpr std::size_t kArenaSize = 8 * Harness::kCodeSize;
constexpr std::array kFaults = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

sigjmp_buf resume;
volatile int fault_signal;
volatile std::uint64_t fault_address;

void on_fault(int signal, siginfo_t* info, void*) {
  fault_signal = signal;
  // Only for memory faults is the address not the instruction's own.
  const bool memory = signal == SIGSEGV || signal == SIGBUS;
  fault_address = memory ? reinterpret_cast<std::uint64_t>(info->si_addr) : 0;
  siglongjmp(resume, 1);
}

void* at_address(std::uint64_t address) { return reinterpret_cast<void*>(address); }

std::uint64_t map(std::uint64_t hint, std::size_t size, int protection) {
  void* at = mmap(at_address(hint), size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? 0 : reinterpret_cast<std::uint64_t>(at);
}

}  // namespace

Harness::Harness() : signal_stack_(64 * 1024) {
  constexpr int kExecutable = PROT_READ | PROT_WRITE | PROT_EXEC;
  arena_ = map(0, kArenaSize, PROT_NONE);
  if (arena_ == 0) return;
  far_ = map(arena_ - kFarDistance, kCodeSize, kExecutable);
  if (far_ == 0 || mprotect(at_address(arena_), 2 * kCodeSize, kExecutable) != 0) return;
  if (mprotect(at_address(data()), kDataSize, PROT_READ | PROT_WRITE) != 0) return;
  if (mprotect(at_address(stack()), kDataSize, PROT_READ | PROT_WRITE) != 0) return;
  stack_t alternate{};
  alternate.ss_sp = signal_stack_.data();
  alternate.ss_size = signal_stack_.size();
  sigaltstack(&alternate, nullptr);
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int signal : kFaults) sigaction(signal, &action, nullptr);
  usable_ = __builtin_cpu_supports("avx") != 0;
}

Harness::~Harness() {
  for (const int signal : kFaults) std::signal(signal, SIG_DFL);
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  sigaltstack(&none, nullptr);
  if (arena_ != 0) munmap(at_address(arena_), kArenaSize);
  if (far_ != 0) munmap(at_address(far_), kCodeSize);
}

void Harness::write_code(std::uint64_t at, std::span<const std::uint8_t> code) {
  std::memcpy(at_address(at), code.data(), code.size());
}

std::uint64_t Harness::exit_address(Exit exit) {
  switch (exit) {
    case Exit::kNext:
      return reinterpret_cast<std::uint64_t>(&harness_exit_next);
    case Exit::kBranch:
      return reinterpret_cast<std::uint64_t>(&harness_exit_branch);
    case Exit::kReturn:
      return reinterpret_cast<std::uint64_t>(&harness_exit_return);
  }
  return 0;
}

void Harness::write_exit(std::uint64_t at, Exit exit) {
  std::array<std::uint8_t, 14> code = {0xff, 0x25};  // jmp *0(%rip), the address behind it
  const std::uint64_t target = exit_address(exit);
  std::memcpy(&code[6], &target, sizeof target);
  write_code(at, code);
}

Outcome Harness::run(const CpuState& state, std::span<const std::uint8_t> memory,
                     std::uint64_t entry) {
  std::memcpy(at_address(data()), memory.data(), kDataSize);
  std::memcpy(at_address(stack()), memory.data() + kDataSize, kDataSize);
  Outcome outcome;
  outcome.state = state;
  fault_signal = 0;
  if (sigsetjmp(resume, 1) == 0) {
    harness_enter(&outcome.state, at_address(entry));
  } else {
    outcome.state = state;
    outcome.signal = fault_signal;
    outcome.fault_address = fault_address;
    _mm_setcsr(0x1f80);
    __asm__ volatile("fninit");
  }
  outcome.memory.resize(2 * kDataSize);
  std::memcpy(outcome.memory.data(), at_address(data()), kDataSize);
  std::memcpy(outcome.memory.data() + kDataSize, at_address(stack()), kDataSize);
  return outcome;
}

}  // namespace nohalt::test
