// Which libraries are linked is the word of the target's own headers: it decides
// only whether less is done to it.
//
// The kernel names protection keys in smaps alone, where it also counts each
// mapping's pages, and it lets nobody map memory meanwhile. So a process of some
// gigabytes is not asked (docs/threat-model.md says what that means), and nobody
// is on a processor without keys.
#include "probes/engines/inline/read_obstacles.h"

#include <asm/hwcap2.h>
#include <sys/auxv.h>

#include <charconv>

#include "probes/target/image.h"
#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::engines {

namespace {

constexpr std::uint64_t kMostResidentKiB = 2U << 20;

std::uint64_t to_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool processor_has_keys() {
  const auto cpus = read_file_start("/proc/cpuinfo", 16384);
  return cpus && cpus->find(" ospke") != std::string::npos;
}

Result<bool> has_protection_keys(pid_t pid) {
  if (!processor_has_keys()) return false;
  const std::string folder = "/proc/" + std::to_string(pid);
  NOHALT_TRY(const std::string status, read_file(folder + "/status"));
  if (to_number(target::status_field(status, "VmRSS")) > kMostResidentKiB) return false;
  NOHALT_TRY(const std::string smaps, read_file(folder + "/smaps"));
  return names_protection_key(smaps);
}

}  // namespace

bool names_protection_key(std::string_view smaps) {
  constexpr std::string_view kLine = "\nProtectionKey:";
  for (std::size_t at = smaps.find(kLine); at != std::string_view::npos;
       at = smaps.find(kLine, at + 1)) {
    if (to_number(smaps.substr(at + kLine.size())) != 0) return true;
  }
  return false;
}

Result<ReadObstacles> find_read_obstacles(const target::Process& process,
                                          const target::Maps& maps) {
  ReadObstacles found;
  NOHALT_TRY(const target::Memory memory, target::Memory::open(process.pid()));
  NOHALT_TRY(const target::Images images, target::Images::read(process.pid(), maps, memory));
  for (const target::Image& image : images.all()) {
    const std::string_view path = image.path;
    if (path.substr(path.rfind('/') + 1).starts_with("libseccomp.")) found.filter_library = path;
  }
  NOHALT_TRY(found.has_protection_keys, has_protection_keys(process.pid()));
  found.hides_thread_pointer = (::getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) == 0;
  return found;
}

Status check_reads(const ReadObstacles& obstacles, const program::Cost& cost) {
  if (cost.user_reads + cost.frame_reads == 0) return {};
  if (!obstacles.filter_library.empty())
    return fail(ErrorCode::kRefused, "may-add-filters",
                "The target links " + obstacles.filter_library +
                    ", so it may filter its system calls at any time, and a filter may kill it for "
                    "the call by which a probe reads memory.",
                "Capture only values that are in registers; `nohalt plan` shows what a capture "
                "costs.");
  if (obstacles.has_protection_keys)
    return fail(ErrorCode::kRefused, "protection-keys",
                "The target hides memory behind protection keys, so a probe does not read its "
                "memory.",
                "Capture only values that are in registers.");
  return {};
}

}  // namespace nohalt::engines
