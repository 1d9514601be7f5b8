// The load bias is what the kernel itself reports: the entry point it jumped to
// (AT_ENTRY) less the entry point in the ELF header. That holds for fixed and
// position-independent executables alike and needs no guess from the mappings.
#include "probes/engines/inline/executable.h"

#include <elf.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>

#include "probes/engines/inline/change_watch.h"
#include "probes/engines/inline/restartable.h"
#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::engines {

namespace {

Result<Elf64_Ehdr> read_header(pid_t pid, const target::Maps& maps, RuntimeAddress entry) {
  const target::Mapping* text = maps.find(entry);
  const auto refuse = [&] {
    return fail(
        ErrorCode::kRefused, "executable-not-mapped",
        "The text of process " + std::to_string(pid) + " is not mapped from its executable.",
        "Packed or self-replacing programs cannot be probed by this engine.");
  };
  if (text == nullptr || text->anonymous()) return refuse();
  NOHALT_TRY(const std::string image,
             read_file_start("/proc/" + std::to_string(pid) + "/exe", sizeof(Elf64_Ehdr)));
  Elf64_Ehdr header;
  if (image.size() < sizeof(header)) return refuse();
  std::memcpy(&header, image.data(), sizeof(header));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return refuse();
  return header;
}

}  // namespace

Result<RuntimeAddress> entry_point(std::string_view auxv) {
  for (std::size_t at = 0; at + sizeof(Elf64_auxv_t) <= auxv.size(); at += sizeof(Elf64_auxv_t)) {
    Elf64_auxv_t entry;
    std::memcpy(&entry, auxv.data() + at, sizeof(entry));
    if (entry.a_type == AT_ENTRY) return RuntimeAddress{entry.a_un.a_val};
  }
  return fail(ErrorCode::kRefused, "executable-not-mapped",
              "The kernel does not say where the target's program begins.",
              "Only processes started by execve can be probed.");
}

Result<MappedExecutable> locate_executable(pid_t pid, const target::Maps& maps,
                                           const symbols::DebugInfo& info) {
  NOHALT_TRY(const std::string auxv, read_file("/proc/" + std::to_string(pid) + "/auxv"));
  NOHALT_TRY(const RuntimeAddress entry, entry_point(auxv));
  NOHALT_TRY(const Elf64_Ehdr header, read_header(pid, maps, entry));
  MappedExecutable found;
  found.bias = {entry.value - header.e_entry};
  found.file = maps.find(entry)->file;
  for (const LinkRange& range : info.writable_segments()) {
    const auto parts = readable_parts(
        maps, {found.bias.to_runtime(range.begin), found.bias.to_runtime(range.end)});
    found.data.insert(found.data.end(), parts.begin(), parts.end());
  }
  return found;
}

std::vector<RuntimeRange> readable_parts(const target::Maps& maps, const RuntimeRange& range) {
  std::vector<RuntimeRange> parts;
  for (const target::Mapping& mapping : maps.all()) {
    if (!mapping.readable || mapping.shared || !mapping.range.overlaps(range)) continue;
    const RuntimeRange part{std::max(mapping.range.begin, range.begin),
                            std::min(mapping.range.end, range.end)};
    if (!parts.empty() && parts.back().end == part.begin)
      parts.back().end = part.end;
    else
      parts.push_back(part);
  }
  return parts;
}

Result<inline_sites::TargetTraits> read_traits(pid_t pid, const symbols::DebugInfo& info,
                                               LoadBias bias) {
  inline_sites::TargetTraits traits;
  const std::uint64_t caught = caught_signals(pid);
  traits.handles_memory_faults = (caught & (signal_bit(SIGSEGV) | signal_bit(SIGBUS))) != 0;
  traits.handles_arithmetic_faults = (caught & signal_bit(SIGFPE)) != 0;
  for (const char* mark : {"runtime.goexit", "__morestack"}) {
    if (info.resolve(mark).has_value()) traits.managed_stack = true;
  }
  NOHALT_TRY(traits.restartable_sequences, read_restartable_sequences(pid, info, bias));
  return traits;
}

}  // namespace nohalt::engines
