// Signal handlers on alternate stacks, for children that have one run on top of
// what a test looks at.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstddef>

#include "tests/unit/target/child.h"

namespace nohalt::test {

inline Shared* in_handler = nullptr;  // the child's, for its handlers

// Tells that it runs by `value`, and stays until `other` is set.
inline void stay_in_handler(int) {
  in_handler->value = 1;
  while (in_handler->other == 0) {
  }
}
inline void sleep_in_handler(int) {
  in_handler->value = 1;
  while (in_handler->other == 0) ::pause();
}
inline void raise_second(int) { ::raise(SIGUSR2); }

inline void handle(int number, void (*handler)(int), int flags) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(number, &action, nullptr);
}

inline void use_alternate_stack() {
  static std::array<std::byte, 65536> memory;
  const stack_t stack{.ss_sp = memory.data(), .ss_flags = 0, .ss_size = memory.size()};
  ::sigaltstack(&stack, nullptr);
}

// SIGUSR1 is handled on the alternate stack.
inline void handle_aside(Shared& shared, void (*handler)(int)) {
  in_handler = &shared;
  use_alternate_stack();
  handle(SIGUSR1, handler, SA_ONSTACK);
}

// SIGUSR1 is handled on the thread's own stack, by a handler that is interrupted
// by another one on the alternate stack.
inline void handle_nested(Shared& shared, void (*handler)(int)) {
  in_handler = &shared;
  use_alternate_stack();
  handle(SIGUSR1, raise_second, 0);
  handle(SIGUSR2, handler, SA_ONSTACK);
}

inline void wait_for(const std::atomic<std::uint64_t>& value) {
  while (value == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace nohalt::test
