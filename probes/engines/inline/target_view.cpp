// Puts the view together from /proc.
#include "probes/engines/inline/target_view.h"

#include <charconv>
#include <string>
#include <string_view>

#include "probes/engines/inline/change_watch.h"
#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::engines {

namespace {

constexpr std::uint64_t kDefaultMmapMinAddr = 65536;

std::uint64_t to_number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The soft limit in "Max stack size   8388608   unlimited   bytes".
std::optional<std::uint64_t> stack_limit(std::string_view limits) {
  constexpr std::string_view kName = "Max stack size";
  const std::size_t line = limits.find(kName);
  if (line == std::string_view::npos) return std::nullopt;
  const std::size_t begin = limits.find_first_not_of(' ', line + kName.size());
  if (begin == std::string_view::npos || limits.substr(begin).starts_with("unlimited"))
    return std::nullopt;
  return to_number(limits.substr(begin));
}

const target::Mapping* named(const target::Maps& maps, std::string_view path) {
  for (const target::Mapping& mapping : maps.all())
    if (mapping.path == path) return &mapping;
  return nullptr;
}

std::uint64_t lowest_mappable_address() {
  const Result<std::string> text = read_file("/proc/sys/vm/mmap_min_addr");
  const std::uint64_t value = text ? to_number(*text) : 0;
  return value == 0 ? kDefaultMmapMinAddr : value;
}

}  // namespace

Result<inline_placement::AddressSpace> find_room(const target::Process& process,
                                                 const target::Maps& maps) {
  NOHALT_TRY(const std::string limits,
             read_file("/proc/" + std::to_string(process.pid()) + "/limits"));
  inline_placement::SpaceInput input;
  for (const target::Mapping& mapping : maps.all()) input.mapped.push_back(mapping.range);
  if (const RuntimeAddress start = process.facts().heap_start; start.value != 0) {
    const target::Mapping* heap = named(maps, "[heap]");
    input.heap = RuntimeRange{start, heap != nullptr ? heap->range.end : start};
  }
  if (const target::Mapping* stack = named(maps, "[stack]"); stack != nullptr)
    input.stack = stack->range;
  input.stack_limit = stack_limit(limits);
  input.mmap_min_addr = lowest_mappable_address();
  return inline_placement::AddressSpace(input);
}

Result<TargetView> look_at(const target::Process& process, std::span<const ProbedFile> files) {
  TargetView view;
  const pid_t pid = process.pid();
  NOHALT_TRY(view.maps, target::read_maps(pid));
  NOHALT_TRY(view.images, locate_images(pid, view.maps, files));
  NOHALT_TRY(const std::string status, read_file("/proc/" + std::to_string(pid) + "/status"));
  view.threads = static_cast<std::uint32_t>(to_number(target::status_field(status, "Threads")));
  view.caught_signals = caught_signals(pid);
  view.traits = read_traits(pid, files);
  NOHALT_TRY(view.space, find_room(process, view.maps));
  NOHALT_TRY(view.reads, find_read_obstacles(process, view.maps));
  return view;
}

}  // namespace nohalt::engines
