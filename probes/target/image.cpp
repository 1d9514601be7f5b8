// Reads program headers and the dynamic section of each mapped ELF file from
// memory, and follows DT_NEEDED from the main executable (System V ABI, ch. 5).
#include "probes/target/image.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

namespace nohalt::target {

namespace {

constexpr std::size_t kMostHeaders = 64;
constexpr std::size_t kMostDynamicEntries = 512;
constexpr std::size_t kLongestName = 256;

// One mapped file, before it is known whether it stays.
struct Candidate {
  Image image;
  std::string soname;
  std::string interpreter;
  std::vector<std::string> needed;
};

std::string read_text(const Memory& memory, RuntimeAddress from) {
  std::array<std::byte, kLongestName> buffer{};
  // Near the end of a mapping less than the whole can be read.
  std::size_t room = std::min<std::size_t>(kLongestName, kPageSize - from.value % kPageSize);
  if (!memory.read(from, std::span(buffer).first(room))) return {};
  if (room < kLongestName) (void)memory.read(from + room, std::span(buffer).subspan(room));
  std::string text;
  for (const std::byte b : buffer) {
    if (b == std::byte{0}) return text;
    text.push_back(static_cast<char>(b));
  }
  return {};
}

void read_dynamic(const Memory& memory, RuntimeAddress at, Candidate& candidate) {
  std::vector<std::uint64_t> needed_offsets;
  std::optional<std::uint64_t> soname_offset;
  std::uint64_t strings = 0;
  for (std::size_t i = 0; i < kMostDynamicEntries; ++i) {
    const auto entry = memory.read_value<Elf64_Dyn>(at + i * sizeof(Elf64_Dyn));
    if (!entry || entry->d_tag == DT_NULL) break;
    if (entry->d_tag == DT_STRTAB) strings = entry->d_un.d_ptr;
    if (entry->d_tag == DT_NEEDED) needed_offsets.push_back(entry->d_un.d_val);
    if (entry->d_tag == DT_SONAME) soname_offset = entry->d_un.d_val;
  }
  // glibc's loader writes run-time addresses over link-time ones; others do not.
  if (strings < candidate.image.bias.value) strings += candidate.image.bias.value;
  if (soname_offset) candidate.soname = read_text(memory, {strings + *soname_offset});
  for (const auto offset : needed_offsets)
    candidate.needed.push_back(read_text(memory, {strings + offset}));
}

std::optional<Candidate> read_candidate(const Mapping& first, const Memory& memory) {
  const auto header = memory.read_value<Elf64_Ehdr>(first.range.begin);
  if (!header || !std::equal(header->e_ident, header->e_ident + SELFMAG, ELFMAG) ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64 ||
      header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > kMostHeaders)
    return std::nullopt;
  std::vector<Elf64_Phdr> headers(header->e_phnum);
  if (!memory.read(first.range.begin + header->e_phoff, std::as_writable_bytes(std::span(headers))))
    return std::nullopt;
  Candidate candidate;
  candidate.image.path = first.path;
  candidate.image.file = first.file;
  for (const auto& h : headers)
    if (h.p_type == PT_LOAD && page_floor(h.p_offset) == 0) {
      candidate.image.bias = {first.range.begin.value - page_floor(h.p_vaddr)};
      break;
    }
  for (const auto& h : headers) {
    const RuntimeAddress at = candidate.image.bias.to_runtime({h.p_vaddr});
    if (h.p_type == PT_LOAD)
      candidate.image.segments.push_back({{{h.p_vaddr}, {h.p_vaddr + h.p_memsz}},
                                          h.p_offset,
                                          (h.p_flags & PF_W) != 0,
                                          (h.p_flags & PF_X) != 0});
    if (h.p_type == PT_INTERP) candidate.interpreter = read_text(memory, at);
    if (h.p_type == PT_DYNAMIC) read_dynamic(memory, at, candidate);
  }
  return candidate;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Its code begins where its headers want it, so that this is no other part of the file, and
// no file that is merely read. What a probe put in place of a page is of another file.
bool is_loaded(const Candidate& candidate, const Maps& maps) {
  const Image& image = candidate.image;
  return std::ranges::any_of(image.segments, [&](const Segment& segment) {
    const RuntimeAddress begin = image.bias.to_runtime({page_floor(segment.memory.begin.value)});
    const Mapping* at = maps.find(begin);
    if (!segment.executable || at == nullptr || !at->executable) return false;
    return at->path.starts_with("/memfd:") ||
           (at->file == image.file &&
            at->offset + (begin - at->range.begin) == page_floor(segment.file_offset));
  });
}

// The candidate that satisfies a DT_NEEDED name; null where several would: one of them
// came by dlopen, and nobody knows which.
Candidate* find_needed(std::vector<Candidate>& candidates, const std::string& name) {
  Candidate* found = nullptr;
  for (auto& candidate : candidates) {
    if (candidate.soname != name && base_name(candidate.image.path) != base_name(name)) continue;
    if (found != nullptr) return nullptr;
    found = &candidate;
  }
  return found;
}

std::vector<Candidate> read_candidates(const Maps& maps, const Memory& memory) {
  std::vector<Candidate> candidates;
  for (const auto& mapping : maps.all()) {
    if (mapping.anonymous() || mapping.offset != 0 || !mapping.readable) continue;
    auto candidate = read_candidate(mapping, memory);
    if (candidate && is_loaded(*candidate, maps)) candidates.push_back(std::move(*candidate));
  }
  return candidates;
}

std::string executable_path(pid_t pid) {
  std::array<char, 4096> buffer{};
  const std::string link = "/proc/" + std::to_string(pid) + "/exe";
  const ssize_t n = ::readlink(link.c_str(), buffer.data(), buffer.size());
  std::string path(buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
}

}  // namespace

Result<Images> Images::read(pid_t pid, const Maps& maps, const Memory& memory) {
  auto candidates = read_candidates(maps, memory);
  const std::string exe = executable_path(pid);
  const auto main = std::ranges::find(
      candidates, exe, [](const Candidate& c) -> const std::string& { return c.image.path; });
  if (main == candidates.end())
    return fail(ErrorCode::kRefused, "no-executable-image",
                "The target's main executable is not mapped as an x86-64 ELF file.",
                "Programs that unmap or rewrite themselves cannot be probed.");
  main->image.main_executable = true;
  Images images;
  images.page_ends_in_use_ = main->interpreter.find("ld-musl") != std::string::npos;
  std::vector<Candidate*> queue{&*main};
  if (auto* loader = find_needed(candidates, main->interpreter);
      loader && !main->interpreter.empty()) {
    loader->image.interpreter = true;
    queue.push_back(loader);
  }
  for (std::size_t i = 0; i < queue.size(); ++i)
    for (const auto& name : queue[i]->needed)
      if (auto* found = find_needed(candidates, name);
          found && std::ranges::find(queue, found) == queue.end())
        queue.push_back(found);
  for (const auto* candidate : queue) images.images_.push_back(candidate->image);
  return images;
}

const Image* Images::of(const Mapping& mapping) const {
  for (const auto& image : images_) {
    if (mapping.file != image.file || mapping.path != image.path) continue;
    for (const auto& segment : image.segments) {
      const RuntimeRange range{image.bias.to_runtime({page_floor(segment.memory.begin.value)}),
                               image.bias.to_runtime({page_ceil(segment.memory.end.value)})};
      if (range.overlaps(mapping.range)) return &image;
    }
  }
  return nullptr;
}

bool Images::is_page_of(const Mapping& mapping) const {
  return !mapping.anonymous() && std::ranges::any_of(images_, [&](const Image& image) {
    return image.file == mapping.file && image.path == mapping.path;
  });
}

}  // namespace nohalt::target
