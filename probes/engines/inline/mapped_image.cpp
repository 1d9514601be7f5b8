// The program's load bias is what the kernel itself reports: the entry point it jumped
// to (AT_ENTRY) less the entry point in the ELF header. That holds for fixed and
// position-independent executables alike and needs no guess from the mappings. A
// library's was found by its mappings, and is only looked at again.
#include "probes/engines/inline/mapped_image.h"

#include <elf.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "probes/engines/inline/change_watch.h"
#include "probes/engines/inline/restartable.h"
#include "probes/target/image.h"
#include "probes/target/memory.h"
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

Result<MappedImage> locate_program(pid_t pid, const target::Maps& maps) {
  NOHALT_TRY(const std::string auxv, read_file("/proc/" + std::to_string(pid) + "/auxv"));
  NOHALT_TRY(const RuntimeAddress entry, entry_point(auxv));
  NOHALT_TRY(const Elf64_Ehdr header, read_header(pid, maps, entry));
  MappedImage found;
  found.bias = {entry.value - header.e_entry};
  found.file = maps.find(entry)->file;
  found.is_lasting = true;
  return found;
}

// A file that is loaded twice (dlmopen) has two places for everything in it, and nobody
// knows which is meant. That it is read somewhere else, as a data file is, says nothing.
bool is_loaded_twice(const target::Maps& maps, const target::FileId& file) {
  const auto has_twin = [&](const target::Mapping& code) {
    return code.executable && code.file == file &&
           std::ranges::any_of(maps.all(), [&](const target::Mapping& other) {
             return other.executable && other.file == file && other.offset == code.offset &&
                    other.range.begin != code.range.begin;
           });
  };
  return std::ranges::any_of(maps.all(), has_twin);
}

// The file that is mapped at what the library's first byte is loaded to.
MappedImage locate_library(const target::Maps& maps, const ProbedFile& library,
                           const target::Images& lasting) {
  const target::Mapping* start = maps.find(library.bias->to_runtime(library.info->first_address()));
  MappedImage found;
  found.bias = *library.bias;
  found.is_mapped = start != nullptr && !start->anonymous() && !is_loaded_twice(maps, start->file);
  if (!found.is_mapped) return found;
  found.file = start->file;
  const target::Image* image = lasting.of(*start);
  found.is_lasting = image != nullptr && image->bias.value == found.bias.value;
  return found;
}

std::vector<RuntimeRange> data_of(const target::Maps& maps, const symbols::DebugInfo& info,
                                  LoadBias bias) {
  std::vector<RuntimeRange> data;
  for (const LinkRange& range : info.writable_segments()) {
    const auto parts =
        readable_parts(maps, {bias.to_runtime(range.begin), bias.to_runtime(range.end)});
    data.insert(data.end(), parts.begin(), parts.end());
  }
  return data;
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

Result<std::vector<MappedImage>> locate_images(pid_t pid, const target::Maps& maps,
                                               std::span<const ProbedFile> files) {
  NOHALT_TRY(const target::Memory memory, target::Memory::open(pid));
  std::optional<target::Images> lasting;
  std::vector<MappedImage> images;
  for (const ProbedFile& file : files) {
    MappedImage image;
    if (file.bias) {
      if (!lasting) {
        NOHALT_TRY(lasting, target::Images::read(pid, maps, memory));
      }
      image = locate_library(maps, file, *lasting);
    } else {
      NOHALT_TRY(image, locate_program(pid, maps));
    }
    image.info = file.info;
    if (image.is_lasting) image.data = data_of(maps, *file.info, image.bias);
    if (image.is_mapped) {
      auto sequences = read_restartable_sequences(memory, *file.info, image.bias);
      if (sequences)
        image.restartable_sequences = std::move(*sequences);
      else if (image.is_lasting)
        return std::unexpected(std::move(sequences).error());
      else
        image.is_mapped = false;  // unloaded meanwhile
    }
    images.push_back(std::move(image));
  }
  return images;
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

inline_sites::TargetTraits read_traits(pid_t pid, std::span<const ProbedFile> files) {
  inline_sites::TargetTraits traits;
  const std::uint64_t caught = caught_signals(pid);
  traits.handles_memory_faults = (caught & (signal_bit(SIGSEGV) | signal_bit(SIGBUS))) != 0;
  traits.handles_arithmetic_faults = (caught & signal_bit(SIGFPE)) != 0;
  for (const ProbedFile& file : files)
    for (const char* mark : {"runtime.goexit", "__morestack"})
      if (file.info->has_symbol(mark)) traits.managed_stack = true;
  return traits;
}

}  // namespace nohalt::engines
