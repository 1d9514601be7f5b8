// The event's attributes and the layout of its record.
#include "probes/target/user_sample.h"

#include <asm/perf_regs.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

namespace nohalt::target {

namespace {

constexpr std::uint64_t kPeriod = 1'000'000;       // ns of processor time
constexpr std::size_t kRingSize = 16 * kPageSize;  // a record is shorter than 64 KiB
constexpr std::uint32_t kMostOfStack = kRingSize - 128;

// What stands before the stack in a record, in this order, as kSampleType and
// kRegisters ask for it (registers by ascending number).
struct RecordHead {
  perf_event_header header;
  std::uint64_t address;
  std::uint32_t pid, tid;
  std::uint64_t register_abi;
  std::uint64_t stack_pointer, pc;
  std::uint64_t stack_size;  // of the room for it; what was copied stands behind
};
static_assert(sizeof(RecordHead) == 56);
static_assert(PERF_REG_X86_SP < PERF_REG_X86_IP);
constexpr std::uint64_t kSampleType =
    PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
constexpr std::uint64_t kRegisters = 1ULL << PERF_REG_X86_SP | 1ULL << PERF_REG_X86_IP;

perf_event_attr attributes() {
  perf_event_attr event{};
  event.size = sizeof event;
  event.type = PERF_TYPE_SOFTWARE;
  event.config = PERF_COUNT_SW_CPU_CLOCK;
  event.sample_period = kPeriod;
  event.sample_type = kSampleType;
  event.sample_regs_user = kRegisters;
  event.sample_stack_user = kMostOfStack;
  event.exclude_kernel = 1;
  event.exclude_hv = 1;
  return event;
}

}  // namespace

Result<SampleEvent> SampleEvent::open(pid_t tid) {
  perf_event_attr event = attributes();
  UniqueFd fd(
      static_cast<int>(::syscall(SYS_perf_event_open, &event, tid, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!fd.valid() && errno == ESRCH)
    return fail(ErrorCode::kTargetGone, "no-such-thread",
                "There is no thread " + std::to_string(tid) + ".");
  if (!fd.valid() && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
    return fail_errno("perf_event_open", "thread " + std::to_string(tid), errno);
  if (!fd.valid())
    return fail(ErrorCode::kDenied, "no-sampling",
                "The kernel does not let running threads be sampled: " +
                    std::string(std::strerror(errno)) + ".",
                "Lower kernel.perf_event_paranoid to 2, grant CAP_PERFMON, or allow "
                "perf_event_open in the container's seccomp profile.");
  void* ring =
      ::mmap(nullptr, kPageSize + kRingSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (ring == MAP_FAILED) return fail_errno("mmap", "a ring of samples", errno);
  return SampleEvent(std::move(fd), ring);
}

SampleEvent::SampleEvent(SampleEvent&& other) noexcept
    : fd_(std::move(other.fd_)), ring_(std::exchange(other.ring_, nullptr)) {}

SampleEvent::~SampleEvent() {
  if (ring_ != nullptr) ::munmap(ring_, kPageSize + kRingSize);
}

bool SampleEvent::ready() const {
  auto* control = static_cast<perf_event_mmap_page*>(ring_);
  return std::atomic_ref(control->data_head).load(std::memory_order_acquire) != 0;
}

std::optional<UserSample> SampleEvent::sample() const {
  if (!ready()) return std::nullopt;
  const auto* record = static_cast<const std::byte*>(ring_) + kPageSize;
  RecordHead head;
  std::memcpy(&head, record, sizeof head);
  if (head.header.type != PERF_RECORD_SAMPLE || head.register_abi != PERF_SAMPLE_REGS_ABI_64 ||
      head.stack_size == 0 || head.stack_size > kMostOfStack)
    return std::nullopt;
  std::uint64_t copied = 0;
  std::memcpy(&copied, record + sizeof head + head.stack_size, sizeof copied);
  if (copied > head.stack_size) return std::nullopt;
  const auto* words = reinterpret_cast<const std::uint64_t*>(record + sizeof head);
  return UserSample{static_cast<pid_t>(head.pid),
                    {head.pc},
                    {head.stack_pointer},
                    {words, copied / sizeof(std::uint64_t)},
                    copied == head.stack_size};
}

std::uint64_t SampleEvent::ran_ns() const {
  std::uint64_t count = 0;
  return ::read(fd_.get(), &count, sizeof count) == sizeof count ? count : 0;
}

}  // namespace nohalt::target
