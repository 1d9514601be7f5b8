// Looks for byte sequences in mapped code and for zero tails of data pages.
#include "probes/target/gadgets.h"

#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

namespace nohalt::target {

namespace {

using namespace std::string_view_literals;
constexpr std::string_view kSyscallRet = "\x0f\x05\xc3"sv;
constexpr std::string_view kPopRaxRet = "\x58\xc3"sv;
constexpr std::string_view kRestorer = "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"sv;

bool complete(const Gadgets& found) {
  return found.syscall_ret.value != 0 && found.pop_rax_ret.value != 0;
}

// A piece at a time, because what is looked for mostly comes early, and a busy
// machine gives the tool little time.
constexpr std::uint64_t kPiece = 65536;

void search(const Mapping& mapping, const Memory& memory, Gadgets& found) {
  for (RuntimeAddress at = mapping.range.begin; at < mapping.range.end; at = at + kPiece) {
    const std::uint64_t left = mapping.range.end - at;
    constexpr std::uint64_t kOverlap = 16;
    const auto bytes = memory.read({at, at + std::min(left, kPiece + kOverlap)});
    if (!bytes) return;
    const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    const auto look = [&](std::string_view what, RuntimeAddress& to) {
      const auto where = to.value == 0 ? text.find(what) : std::string_view::npos;
      if (where != std::string_view::npos) to = at + where;
    };
    look(kSyscallRet, found.syscall_ret);
    look(kPopRaxRet, found.pop_rax_ret);
    look(kRestorer, found.restorer);
    if (complete(found) && found.restorer.value != 0) return;
  }
}

// Libraries first: probes are placed in the main executable, so its pages change.
int search_order(const Mapping& mapping, const Images& images) {
  if (!mapping.executable || !mapping.readable || mapping.writable) return -1;
  if (mapping.path == "[vdso]") return 2;
  if (mapping.anonymous()) return -1;
  const Image* image = images.of(mapping);
  if (image == nullptr) return -1;
  return image->main_executable ? 3 : 1;
}

// The tail of the last page of a writable segment, if there is room in it.
std::optional<RuntimeAddress> tail_of(const Image& image, const Segment& segment, const Maps& maps,
                                      RuntimeAddress heap_start) {
  if (!segment.writable || image.interpreter) return std::nullopt;
  const std::uint64_t end = image.bias.to_runtime(segment.memory.end).value;
  const std::uint64_t page_end = page_ceil(end);
  if (page_end - end < kScratchSize) return std::nullopt;
  if (image.main_executable && heap_start.value < page_end) return std::nullopt;
  const RuntimeAddress at{page_end - kScratchSize};
  const Mapping* mapping = maps.find(at);
  const bool usable = mapping != nullptr && mapping->readable && mapping->writable &&
                      !mapping->shared && !mapping->executable;
  return usable ? std::optional(at) : std::nullopt;
}

bool is_gadget(const Memory& memory, std::uint64_t address, std::string_view what) {
  std::array<char, 4> bytes{};
  return memory.read({address}, std::as_writable_bytes(std::span(bytes).first(what.size()))) &&
         std::string_view(bytes.data(), what.size()) == what;
}

// A killed run's exit chain (its gadgets may be others than ours) and its text.
bool left_by_killed_run(const std::array<std::uint64_t, kScratchSize / 8>& words,
                        const Memory& memory) {
  return words[1] == SYS_exit && is_gadget(memory, words[0], kPopRaxRet) &&
         is_gadget(memory, words[2], kSyscallRet);
}

bool unused(RuntimeAddress at, const Memory& memory) {
  const auto words = memory.read_value<std::array<std::uint64_t, kScratchSize / 8>>(at);
  if (!words) return false;
  return std::ranges::all_of(*words, [](std::uint64_t w) { return w == 0; }) ||
         left_by_killed_run(*words, memory);
}

}  // namespace

Result<Gadgets> find_gadgets(const Images& images, const Maps& maps, const Memory& memory) {
  Gadgets found;
  for (int order = 1; order <= 3; ++order)
    for (const auto& mapping : maps.all()) {
      if (search_order(mapping, images) != order) continue;
      search(mapping, memory, found);
      if (complete(found) && found.restorer.value != 0) return found;
    }
  if (complete(found)) return found;
  return fail(ErrorCode::kRefused, "no-gadget",
              "The target's code has no place that can lead a thread through a system call.",
              "A kernel uprobe (bpftrace, perf probe) can still watch this program.");
}

std::array<std::uint64_t, 3> exit_chain(const Gadgets& gadgets) {
  return {gadgets.pop_rax_ret.value, SYS_exit, gadgets.syscall_ret.value};
}

Result<RuntimeAddress> find_scratch(const Images& images, const Maps& maps, const Memory& memory,
                                    RuntimeAddress heap_start) {
  if (!images.page_ends_in_use()) {
    for (const bool main : {false, true})
      for (const auto& image : images.all())
        for (const auto& segment : image.segments) {
          if (image.main_executable != main) continue;
          const auto at = tail_of(image, segment, maps, heap_start);
          if (at && unused(*at, memory)) return *at;
        }
  }
  return fail(ErrorCode::kRefused, "no-scratch-memory",
              "No memory of the target is provably unused, so a helper thread has no stack.",
              "A kernel uprobe (bpftrace, perf probe) can still watch this program.");
}

}  // namespace nohalt::target
