// A signal frame as the kernel would have pushed it, made by the tool.
//
// A stopped thread's registers, vector state and signal mask are laid out below
// its red zone in the form that rt_sigreturn reads. The thread is then pointed
// at a chain of return addresses in front of the frame that makes it call
// rt_sigreturn: it restores itself, bit for bit, whether or not the tool lives.
//
// Layout, upward from `stack_pointer`:
//   [pop_rax_ret][15][syscall_ret][ucontext: flags, link, stack, mcontext, mask] ... [xstate]
// The third word stands where the kernel puts the handler's return address.
//
// Sources: Linux arch/x86/kernel/signal_64.c and fpu/signal.c (frame checks),
// arch/x86/include/uapi/asm/sigcontext.h (layouts), Intel SDM vol. 1 ch. 13 (XSAVE).
#pragma once

#include <sys/user.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "probes/target/gadgets.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::target {

struct SignalFrame {
  RuntimeAddress stack_pointer;  // what the thread's rsp must be at the first `ret`
  std::vector<std::byte> bytes;  // to be written at stack_pointer
};

// `registers` is what the thread goes on with; `xstate` the NT_X86_XSTATE
// register set; `mask` its signal mask. Reason "unknown-vector-state" where the
// vector state is not in a form that is understood. `room` is taken for the bytes, so
// that with enough of it nothing has to be allocated while the thread is held.
[[nodiscard]] Result<SignalFrame> forge_signal_frame(const user_regs_struct& registers,
                                                     std::span<const std::byte> xstate,
                                                     std::uint64_t mask, const Gadgets& gadgets,
                                                     std::vector<std::byte> room = {});

}  // namespace nohalt::target
