// A child's mappings name the memfd; its control page names the run.
#include "probes/engines/inline/forked_children.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "probes/engines/inline/found_runs.h"
#include "probes/target/memory_sharing.h"
#include "src/base/file.h"

namespace nohalt::engines {

namespace {

bool carries(pid_t pid, std::uint64_t generation) {
  const auto text = read_file(fmt::format("/proc/{}/maps", pid));
  if (!text || text->find(runtime::kControlName) == std::string::npos) return false;
  const auto maps = target::parse_maps(*text);
  const auto memory = target::Memory::open(pid);
  if (!maps || !memory) return false;
  const auto controls = find_controls(*maps, *memory);
  return std::any_of(controls.begin(), controls.end(), [&](const FoundControl& control) {
    return control.claims.generation == generation;
  });
}

}  // namespace

std::vector<pid_t> find_forked_children(pid_t pid, std::uint64_t generation) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t other = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), other);
    // The tool itself maps the control region too.
    if (parsed.ptr != name.data() + name.size() || other == pid || other == ::getpid()) continue;
    if (carries(other, generation) && !target::share_memory(pid, other)) children.push_back(other);
  }
  return children;
}

bool holds_our_descriptor(pid_t pid) {
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid), error)) {
    const auto link = std::filesystem::read_symlink(entry.path(), error);
    if (link.string().starts_with("/memfd:nohalt-")) return true;
  }
  return false;
}

bool overlaps_places(const RunPlaces& places, const RuntimeRange& range) {
  const auto meets = [&](const RuntimeRange& other) { return other.overlaps(range); };
  return meets(places.control) || std::any_of(places.chunks.begin(), places.chunks.end(), meets) ||
         std::any_of(places.pages.begin(), places.pages.end(),
                     [&](RuntimeAddress page) { return range.contains(page); });
}

}  // namespace nohalt::engines
