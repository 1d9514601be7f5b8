#include "probes/target/debugger_view.h"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "probes/target/memory.h"
#include "src/base/file.h"

namespace nohalt::target {

namespace {

constexpr std::size_t kMostLibraries = 1024;
constexpr std::size_t kLongestName = 4096;
constexpr std::size_t kLargestDynamic = 64 * 1024;
constexpr std::size_t kMostHeaders = 64;

// Pointers of the target's are words here.
struct LoadedFile {
  std::uint64_t bias, name, dynamic, next, previous;
};
static_assert(offsetof(link_map, l_prev) == offsetof(LoadedFile, previous));
struct LoaderState {
  std::uint64_t version, first, breakpoint, state, base;
};
static_assert(sizeof(r_debug) == sizeof(LoaderState));

class Reader {
 public:
  Reader(const Memory& memory, DebuggerView& view) : memory_(memory), view_(view) {}

  void read_all(const Maps& maps) {
    // The program's headers, by which it is known again: what its file has there.
    const RuntimeAddress headers{page_floor(auxiliary(AT_PHDR))};
    const Mapping* mapping = maps.find(headers);
    if (mapping != nullptr && !mapping->anonymous() && !mapping->writable)
      static_cast<void>(keep(headers.value, kPageSize));
    const std::uint64_t debug = word_of_dynamic(DT_DEBUG);
    if (debug == 0) return;
    LoaderState state{};
    if (!read(debug, state)) return;
    std::uint64_t next = state.first;
    for (std::size_t i = 0; i < kMostLibraries && next != 0; ++i) {
      LoadedFile file{};
      if (!read(next, file)) return;
      read_name(file.name);
      next = file.next;
    }
  }

 private:
  [[nodiscard]] std::uint64_t auxiliary(std::uint64_t type) const {
    const auto found =
        std::ranges::find(view_.auxiliary, type, [](const auto& e) { return e.first; });
    return found == view_.auxiliary.end() ? 0 : found->second;
  }

  // Keeps what it reads.
  template <class T>
  bool read(std::uint64_t at, T& value) {
    const auto bytes = keep(at, sizeof value);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
    return !bytes.empty();
  }

  std::span<const std::byte> keep(std::uint64_t at, std::uint64_t size) {
    auto bytes = memory_.read({{at}, {at + size}});
    if (!bytes) return {};
    view_.memory.push_back({{at}, std::move(*bytes)});
    return view_.memory.back().bytes;
  }

  std::uint64_t word_of_dynamic(std::int64_t tag) {
    const std::uint64_t headers = auxiliary(AT_PHDR);
    const std::uint64_t count = std::min<std::uint64_t>(auxiliary(AT_PHNUM), kMostHeaders);
    std::uint64_t bias = 0;
    Elf64_Phdr dynamic{};
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto header = memory_.read_value<Elf64_Phdr>({headers + i * sizeof(Elf64_Phdr)});
      if (!header) return 0;
      if (header->p_type == PT_PHDR) bias = headers - header->p_vaddr;
      if (header->p_type == PT_DYNAMIC) dynamic = *header;
    }
    if (dynamic.p_memsz == 0 || dynamic.p_memsz > kLargestDynamic) return 0;
    const auto entries = keep(bias + dynamic.p_vaddr, dynamic.p_memsz);
    for (std::size_t at = 0; at + sizeof(Elf64_Dyn) <= entries.size(); at += sizeof(Elf64_Dyn)) {
      Elf64_Dyn entry{};
      std::memcpy(&entry, entries.data() + at, sizeof entry);
      if (entry.d_tag == tag) return entry.d_un.d_val;
    }
    return 0;
  }

  void read_name(std::uint64_t at) {
    std::uint64_t length = 0;
    while (length < kLongestName) {
      const auto byte = memory_.read_value<char>({at + length++});
      if (!byte || *byte == '\0') break;
    }
    static_cast<void>(keep(at, length));
  }

  const Memory& memory_;
  DebuggerView& view_;
};

Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> auxiliary_of(pid_t pid) {
  NOHALT_TRY(const std::string bytes, read_file("/proc/" + std::to_string(pid) + "/auxv"));
  std::vector<std::pair<std::uint64_t, std::uint64_t>> entries;
  for (std::size_t at = 0; at + 16 <= bytes.size(); at += 16) {
    std::pair<std::uint64_t, std::uint64_t> entry;
    std::memcpy(&entry.first, bytes.data() + at, 8);
    std::memcpy(&entry.second, bytes.data() + at + 8, 8);
    constexpr std::uint64_t kKept[] = {AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_ENTRY};
    if (std::ranges::find(kKept, entry.first) != std::end(kKept)) entries.push_back(entry);
  }
  return entries;
}

// What the file's headers say of the mapping that begins with them.
std::vector<Elf64_Phdr> headers_at(RuntimeAddress at, const Memory& memory) {
  std::vector<Elf64_Phdr> headers;
  const auto file = memory.read_value<Elf64_Ehdr>(at);
  if (!file || std::memcmp(file->e_ident, ELFMAG, SELFMAG) != 0) return headers;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(file->e_phnum, kMostHeaders); ++i)
    if (auto header = memory.read_value<Elf64_Phdr>(at + file->e_phoff + i * sizeof(Elf64_Phdr)))
      headers.push_back(*header);
  return headers;
}

// The loader has relocated the part of its data that is read-only afterwards: that is
// not what the file holds.
std::vector<Mapping> unchanged_parts(const Maps& maps, const Memory& memory) {
  std::vector<Mapping> parts;
  for (const Mapping& image : maps.all()) {
    if (image.anonymous() || image.deleted || image.offset != 0) continue;
    const auto headers = headers_at(image.range.begin, memory);
    const auto first = std::ranges::find(headers, Elf64_Word{PT_LOAD}, &Elf64_Phdr::p_type);
    if (first == headers.end()) continue;
    const RuntimeAddress base = image.range.begin - page_floor(first->p_vaddr);
    for (const Elf64_Phdr& header : headers) {
      if (header.p_type != PT_LOAD || (header.p_flags & PF_W) != 0) continue;
      const Mapping* part = maps.find(base + header.p_vaddr);
      if (part != nullptr && part->file == image.file && !part->writable) parts.push_back(*part);
    }
  }
  return parts;
}

}  // namespace

Result<DebuggerView> debugger_view(pid_t pid) {
  DebuggerView view;
  NOHALT_TRY(const Maps maps, read_maps(pid));
  NOHALT_TRY(view.auxiliary, auxiliary_of(pid));
  NOHALT_TRY(const Memory memory, Memory::open(pid));
  view.files = unchanged_parts(maps, memory);
  Reader(memory, view).read_all(maps);
  return view;
}

}  // namespace nohalt::target
