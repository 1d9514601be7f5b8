// Pure: registers in, bytes out.
#include "probes/target/signal_frame.h"

#include <cpuid.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace nohalt::target {

namespace {

constexpr std::uint64_t kRedZone = 128;
constexpr std::uint32_t kXstateMagic1 = 0x46505853;
constexpr std::uint32_t kXstateMagic2 = 0x46505845;
constexpr std::size_t kSoftwareReserved = 464;  // in the legacy area; XSAVE leaves it to software
constexpr std::size_t kXstateHeader = 512;      // XSTATE_BV is its first word
constexpr std::size_t kSmallestXstate = 576;
constexpr std::uint64_t kTileData = 1ULL << 18;  // AMX: not in a frame unless the thread uses it

// What the kernel reads, in its order (struct sigcontext_64).
struct MachineContext {
  std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
  std::uint64_t eflags;
  std::uint16_t cs, gs, fs, ss;
  std::uint64_t error, trap, old_mask, fault_address, xstate;
  std::uint64_t reserved[8];
};
static_assert(sizeof(MachineContext) == 256);

struct UserContext {
  std::uint64_t flags, link;
  std::uint64_t stack_base;
  std::int32_t stack_flags, stack_padding;
  std::uint64_t stack_size;
  MachineContext machine;
  std::uint64_t mask;
};
static_assert(sizeof(UserContext) == 304);

struct Frame {
  std::uint64_t chain[3];
  UserContext context;
};

struct SoftwareBytes {
  std::uint32_t magic1;
  std::uint32_t extended_size;
  std::uint64_t features;
  std::uint32_t xstate_size;
  std::uint32_t padding[7];
};
static_assert(sizeof(SoftwareBytes) == 48);

// rt_sigreturn would set the alternate signal stack from the frame. The mode is
// no valid one, so that call fails inside the kernel, which ignores it: the
// thread's own alternate stack stays as it is.
constexpr std::int32_t kKeepAlternateStack = 4;
// UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS
constexpr std::uint64_t kContextFlags = 1 | 2 | 4;

constexpr unsigned kFeatures = 63;

// Where each feature ends in the standard XSAVE layout. Asked for once: in a virtual
// machine the hypervisor answers, which takes longer than all of the rest here.
std::array<std::size_t, kFeatures> ask_for_feature_ends() {
  std::array<std::size_t, kFeatures> ends{};
  for (unsigned feature = 2; feature < kFeatures; ++feature) {
    unsigned bytes = 0;
    unsigned offset = 0;
    unsigned flags = 0;
    unsigned unused = 0;
    if (__get_cpuid_count(0xd, feature, &bytes, &offset, &flags, &unused) != 0)
      ends[feature] = std::size_t{bytes} + offset;
  }
  return ends;
}

std::size_t xsave_size(std::uint64_t features) {
  static const auto ends = ask_for_feature_ends();
  std::size_t size = kSmallestXstate;
  for (unsigned feature = 2; feature < kFeatures; ++feature)
    if ((features >> feature & 1) != 0) size = std::max(size, ends[feature]);
  return size;
}

MachineContext machine_context(const user_regs_struct& r, std::uint64_t xstate) {
  MachineContext m{};
  m.r8 = r.r8, m.r9 = r.r9, m.r10 = r.r10, m.r11 = r.r11;
  m.r12 = r.r12, m.r13 = r.r13, m.r14 = r.r14, m.r15 = r.r15;
  m.rdi = r.rdi, m.rsi = r.rsi, m.rbp = r.rbp, m.rbx = r.rbx;
  m.rdx = r.rdx, m.rax = r.rax, m.rcx = r.rcx, m.rsp = r.rsp;
  m.rip = r.rip, m.eflags = r.eflags;
  m.cs = static_cast<std::uint16_t>(r.cs), m.ss = static_cast<std::uint16_t>(r.ss);
  m.xstate = xstate;
  return m;
}

// Fills `into`, which is the state's size and the closing word's.
void put_xstate(std::span<const std::byte> xstate, std::uint64_t features,
                std::span<std::byte> into) {
  const std::size_t size = into.size() - sizeof kXstateMagic2;
  const SoftwareBytes software{kXstateMagic1,
                               static_cast<std::uint32_t>(into.size()),
                               features,
                               static_cast<std::uint32_t>(size),
                               {}};
  std::memcpy(into.data(), xstate.data(), size);
  std::memcpy(into.data() + kSoftwareReserved, &software, sizeof software);
  std::memcpy(into.data() + size, &kXstateMagic2, sizeof kXstateMagic2);
}

}  // namespace

Result<SignalFrame> forge_signal_frame(const user_regs_struct& registers,
                                       std::span<const std::byte> xstate, std::uint64_t mask,
                                       const Gadgets& gadgets, std::vector<std::byte> room) {
  std::uint64_t features = 0;
  std::uint64_t in_use = 0;
  if (xstate.size() >= kSmallestXstate) {
    std::memcpy(&features, xstate.data() + kSoftwareReserved, sizeof features);
    std::memcpy(&in_use, xstate.data() + kXstateHeader, sizeof in_use);
  }
  if ((in_use & kTileData) == 0) features &= ~kTileData;
  const std::size_t size = std::min(xsave_size(features), xstate.size());
  if (xstate.size() < kSmallestXstate || (features & 3) != 3 || (in_use & ~features) != 0)
    return fail(ErrorCode::kRefused, "unknown-vector-state",
                "The processor's vector state comes in a form that is not understood here.",
                "A kernel uprobe (bpftrace, perf probe) can still watch programs of this machine.");

  const std::size_t vector_size = size + sizeof kXstateMagic2;
  const std::uint64_t vector_at = (registers.rsp - kRedZone - vector_size) & ~63ULL;
  // The kernel itself wants no alignment of the frame; 16 keeps the look of one.
  const std::uint64_t frame_at = (vector_at - sizeof(Frame)) & ~15ULL;
  Frame frame{};
  frame.chain[0] = gadgets.pop_rax_ret.value;
  frame.chain[1] = SYS_rt_sigreturn;
  frame.chain[2] = gadgets.syscall_ret.value;
  frame.context.flags = kContextFlags;
  frame.context.stack_flags = kKeepAlternateStack;
  frame.context.machine = machine_context(registers, vector_at);
  frame.context.mask = mask;

  SignalFrame out{{frame_at}, std::move(room)};
  out.bytes.assign(vector_at - frame_at + vector_size, std::byte{0});
  std::memcpy(out.bytes.data(), &frame, sizeof frame);
  put_xstate(xstate, features, std::span(out.bytes).last(vector_size));
  return out;
}

}  // namespace nohalt::target
