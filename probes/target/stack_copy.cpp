// The stacks' words by process_vm_readv(2), and the search in them.
#include "probes/target/stack_copy.h"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace nohalt::target {

namespace {

constexpr std::uint64_t kWord = sizeof(std::uint64_t);
constexpr std::uint64_t kLongestCopy = 1024 * 1024;
constexpr std::size_t kMostStacks = 4;

bool holds(const StackPart& stack, std::uint64_t address) {
  return address >= stack.begin.value && address <= stack.begin.value + stack.words.size_bytes();
}

}  // namespace

// A frame of the kernel's has the selector of 64-bit code with fs and gs zero,
// and flags as they are in every program: bit 1 always set, interrupts on.
bool is_signal_frame(std::span<const std::uint64_t, kFrameWords> words) {
  constexpr std::uint64_t kCodeFsGs = 0xffff'ffff'ffff;
  constexpr std::uint64_t kUserCode = 0x33;
  constexpr std::uint64_t kAlwaysSet = 0x202;
  constexpr std::uint64_t kAllFlags = 0x3f'ffff;
  const std::uint64_t flags = words[2];
  const std::uint64_t selectors = words[3];
  return (selectors & kCodeFsGs) == kUserCode && (flags & kAlwaysSet) == kAlwaysSet &&
         flags <= kAllFlags;
}

std::optional<RuntimeAddress> stack_not_seen(std::span<const StackPart> stacks) {
  for (const StackPart& stack : stacks) {
    for (std::size_t i = 0; i + kFrameWords <= stack.words.size(); ++i) {
      if (!is_signal_frame(stack.words.subspan(i).first<kFrameWords>())) continue;
      const std::uint64_t interrupted = stack.words[i];
      if (std::ranges::none_of(stacks,
                               [&](const auto& other) { return holds(other, interrupted); }))
        return RuntimeAddress{interrupted};
    }
  }
  return std::nullopt;
}

Whereabouts whereabouts(RuntimeAddress pc, std::span<const StackPart> stacks,
                        std::span<const RuntimeRange> code) {
  const auto in_code = [&](std::uint64_t address) {
    return std::ranges::any_of(
        code, [&](const RuntimeRange& range) { return range.contains({address}); });
  };
  if (in_code(pc.value)) return Whereabouts::kInside;
  for (const StackPart& stack : stacks) {
    for (std::size_t i = 0; i + kFrameWords <= stack.words.size(); ++i) {
      const auto frame = stack.words.subspan(i).first<kFrameWords>();
      if (is_signal_frame(frame) && in_code(frame[kFramePc])) return Whereabouts::kInside;
    }
  }
  const bool all_seen =
      !stacks.empty() && std::ranges::all_of(stacks, &StackPart::whole) && !stack_not_seen(stacks);
  return all_seen ? Whereabouts::kOutside : Whereabouts::kUnknown;
}

RuntimeAddress control_block(pid_t tid) {
  void* head = nullptr;
  std::size_t length = 0;
  if (::syscall(SYS_get_robust_list, tid, &head, &length) != 0) return {};
  return {reinterpret_cast<std::uint64_t>(head)};
}

StackCopy::StackCopy() : words_(kLongestCopy / kWord) { stacks_.reserve(kMostStacks); }

void StackCopy::take(pid_t tid, RuntimeAddress pc, RuntimeAddress stack_pointer) {
  pc_ = pc;
  control_block_ = control_block(tid);
  used_ = 0;
  stacks_.clear();
  std::optional<RuntimeAddress> next = stack_pointer;
  while (next && stacks_.size() < kMostStacks && add(tid, *next)) next = stack_not_seen(stacks_);
}

// False: nothing more can be told from going on.
bool StackCopy::add(pid_t tid, RuntimeAddress stack_pointer) {
  const std::uint64_t begin = stack_pointer.value & ~(kWord - 1);
  const std::uint64_t room = (words_.size() - used_) * kWord;
  const bool ends_at_block = control_block_.value > begin && control_block_.value - begin <= room;
  const std::uint64_t end = ends_at_block ? control_block_.value & ~(kWord - 1) : begin + room;
  // One range for each page: the kernel copies whole ranges, up to the first that
  // has an unreadable page.
  std::array<iovec, kLongestCopy / kPageSize + 1> pages;
  std::size_t count = 0;
  for (std::uint64_t at = begin; at < end && count < pages.size(); ++count) {
    const std::uint64_t next = std::min(page_floor(at) + kPageSize, end);
    pages[count] = {reinterpret_cast<void*>(at), next - at};
    at = next;
  }
  const iovec local{words_.data() + used_, end - begin};
  const ssize_t n = ::process_vm_readv(tid, &local, 1, pages.data(), count, 0);
  const std::size_t got = n <= 0 ? 0 : static_cast<std::size_t>(n) / kWord;
  const bool whole = got != 0 && (ends_at_block || got * kWord < end - begin);
  stacks_.push_back({{begin}, std::span(words_).subspan(used_, got), whole});
  used_ += got;
  return whole;
}

Whereabouts StackCopy::where(std::span<const RuntimeRange> code) const {
  return whereabouts(pc_, stacks_, code);
}

bool StackCopy::ends_at(RuntimeAddress end) const {
  const StackPart& stack = stacks_.front();
  return stack.whole && stack.begin + stack.words.size_bytes() == end;
}

}  // namespace nohalt::target
