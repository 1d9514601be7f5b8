// Which pages hold anything, /proc/PID/pagemap tells (proc_pid_pagemap(5)); they are
// read by process_vm_readv(2), in pieces that overlap by a frame. Names are those in
// the string tables of the mapped ELF files (System V ABI, ch. 4).
#include "probes/target/saved_context.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "probes/target/stack_copy.h"
#include "probes/target/target_gone.h"
#include "probes/target/threads.h"
#include "src/base/file.h"
#include "src/base/unique_fd.h"

namespace nohalt::target {

namespace {

constexpr std::uint64_t kGiB = 1ULL << 30;
constexpr std::uint64_t kMostSearched = 4 * kGiB;
constexpr std::uint64_t kMostMapped = 1024 * kGiB;  // of which the pages are asked for
constexpr std::uint64_t kPiece = 4ULL << 20;
constexpr std::uint64_t kWord = sizeof(std::uint64_t);
constexpr std::uint64_t kOverlap = (kFrameWords - 1) * kWord;

std::string folder_of(pid_t pid) { return "/proc/" + std::to_string(pid); }

// --- whether it can be ---

bool catches_signals(pid_t pid) {
  const auto status = read_file(folder_of(pid) + "/status");
  if (!status) return true;
  const std::string_view text = status_field(*status, "SigCgt");
  std::uint64_t caught = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), caught, 16).ec != std::errc{})
    return true;
  constexpr std::uint64_t kOfTheCLibrary = 1ULL << 31 | 1ULL << 32;  // signals 32 and 33
  return (caught & ~kOfTheCLibrary) != 0;
}

bool is_c_library(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.starts_with("libc.so") || name.starts_with("libc-2.");
}

UniqueFd open_file_of(pid_t pid, const Mapping& mapping) {
  std::array<char, 48> range{};
  std::snprintf(range.data(), range.size(), "%lx-%lx", mapping.range.begin.value,
                mapping.range.end.value);
  const auto open = [&](const std::string& path) {
    return UniqueFd(::open((folder_of(pid) + path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  };
  UniqueFd file = open(std::string("/map_files/") + range.data());
  if (!file.valid() && !mapping.deleted) file = open("/root" + mapping.path);
  return file;
}

bool read_at(int fd, std::uint64_t offset, void* to, std::size_t size) {
  const ssize_t n = ::pread(fd, to, size, static_cast<off_t>(offset));
  return n >= 0 && static_cast<std::size_t>(n) == size;
}

// True also where a table cannot be read, or where there are no names any more of
// what was linked in.
bool names_a_switch(int fd) {
  Elf64_Ehdr header{};
  if (!read_at(fd, 0, header.e_ident, SELFMAG)) return true;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (!read_at(fd, 0, &header, sizeof header) || header.e_shentsize != sizeof(Elf64_Shdr))
    return true;
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  if (!read_at(fd, header.e_shoff, sections.data(), sections.size() * sizeof(Elf64_Shdr)))
    return true;
  bool has_names = false;
  for (const Elf64_Shdr& section : sections) {
    has_names |= section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM;
    if (section.sh_type != SHT_STRTAB) continue;
    constexpr std::uint64_t kLargestTable = 256ULL << 20;
    std::string names(std::min(section.sh_size, kLargestTable), '\0');
    if (names.size() < section.sh_size ||
        !read_at(fd, section.sh_offset, names.data(), names.size()))
      return true;
    if (names.find("swapcontext") != std::string::npos ||
        names.find("setcontext") != std::string::npos)
      return true;
  }
  return !has_names;
}

// --- the search ---

// Runs of pages that are in memory or swapped out.
class Pages {
 public:
  [[nodiscard]] static Result<Pages> open(pid_t pid) {
    const std::string path = folder_of(pid) + "/pagemap";
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return fail_on_target("open", path, errno);
    return Pages(std::move(fd));
  }

  Status add(const RuntimeRange& range, std::vector<RuntimeRange>& runs) {
    constexpr std::uint64_t kHoldsSomething = 3ULL << 62;
    for (std::uint64_t at = range.begin.value; at < range.end.value;) {
      const std::uint64_t count =
          std::min<std::uint64_t>(entries_.size(), (range.end.value - at) / kPageSize);
      const ssize_t n = ::pread(fd_.get(), entries_.data(), count * kWord,
                                static_cast<off_t>(at / kPageSize * kWord));
      if (n <= 0) return fail_on_target("read", "the page map of the target", errno);
      const auto got = static_cast<std::size_t>(n) / kWord;
      for (std::size_t i = 0; i < got; ++i, at += kPageSize) {
        if ((entries_[i] & kHoldsSomething) == 0) continue;
        if (runs.empty() || runs.back().end.value != at) runs.push_back({{at}, {at}});
        runs.back().end = {at + kPageSize};
      }
    }
    return {};
  }

 private:
  explicit Pages(UniqueFd fd) : fd_(std::move(fd)), entries_(1ULL << 16) {}
  UniqueFd fd_;
  std::vector<std::uint64_t> entries_;
};

std::optional<std::string> too_large() {
  return "the target has too much memory to be searched for contexts that lead into it";
}

class Search {
 public:
  Search(pid_t pid, std::span<const RuntimeRange> code)
      : pid_(pid), code_(code), words_(kPiece / kWord) {}

  // The address of the interrupted pc in the first frame found in the run.
  Result<std::optional<RuntimeAddress>> in(const RuntimeRange& run,
                                           const std::function<Status()>& meanwhile) {
    for (std::uint64_t at = run.begin.value; at + kOverlap < run.end.value;) {
      NOHALT_CHECK(meanwhile());
      NOHALT_TRY(std::uint64_t got, read(at, std::min(at + kPiece, run.end.value)));
      const std::uint64_t next_page = page_floor(at + kOverlap) + kPageSize;
      if (got <= kOverlap) {
        NOHALT_TRY(got, read(at, next_page));
      }
      if (const auto found = in_words(std::span(words_).first(got / kWord)))
        return RuntimeAddress{at + *found * kWord};
      // A page that cannot be read was unmapped meanwhile.
      at = got > kOverlap ? at + got - kOverlap : next_page;
    }
    return std::nullopt;
  }

 private:
  // How many bytes could be read.
  Result<std::uint64_t> read(std::uint64_t begin, std::uint64_t end) {
    const iovec local{words_.data(), end - begin};
    const iovec remote{reinterpret_cast<void*>(begin), end - begin};
    const ssize_t n = ::process_vm_readv(pid_, &local, 1, &remote, 1, 0);
    if (n < 0 && errno != EFAULT) return fail_on_target("read", "the memory of the target", errno);
    return n < 0 ? 0 : static_cast<std::uint64_t>(n);
  }

  std::optional<std::size_t> in_words(std::span<const std::uint64_t> words) const {
    for (std::size_t i = 0; i + kFrameWords <= words.size(); ++i) {
      const std::uint64_t pc = words[i + kFramePc];
      const bool inside = std::ranges::any_of(
          code_, [pc](const RuntimeRange& range) { return range.contains({pc}); });
      if (inside && is_signal_frame(words.subspan(i).first<kFrameWords>())) return i + kFramePc;
    }
    return std::nullopt;
  }

  pid_t pid_;
  std::span<const RuntimeRange> code_;
  std::vector<std::uint64_t> words_;
};

}  // namespace

bool may_put_contexts_aside(pid_t pid, const Maps& maps) {
  if (!catches_signals(pid)) return false;
  std::vector<FileId> seen;
  for (const Mapping& mapping : maps.all()) {
    if (mapping.anonymous() || !mapping.executable || is_c_library(mapping.path)) continue;
    if (std::ranges::find(seen, mapping.file) != seen.end()) continue;
    seen.push_back(mapping.file);
    const UniqueFd file = open_file_of(pid, mapping);
    if (!file.valid() || names_a_switch(file.get())) return true;
  }
  return false;
}

Result<std::optional<std::string>> find_context_in(pid_t pid, std::span<const RuntimeRange> code,
                                                   const std::function<Status()>& meanwhile) {
  NOHALT_TRY(const Maps maps, read_maps(pid));
  NOHALT_TRY(Pages pages, Pages::open(pid));
  std::vector<RuntimeRange> runs;
  std::uint64_t mapped = 0;
  for (const Mapping& mapping : maps.all()) {
    if (mapping.shared || !mapping.writable || !mapping.readable) continue;
    mapped += mapping.range.size();
    if (mapped > kMostMapped) return too_large();
    NOHALT_CHECK(pages.add(mapping.range, runs));
    NOHALT_CHECK(meanwhile());
  }
  std::uint64_t held = 0;
  for (const RuntimeRange& run : runs) held += run.size();
  if (held > kMostSearched) return too_large();
  Search search(pid, code);
  for (const RuntimeRange& run : runs) {
    NOHALT_TRY(const auto found, search.in(run, meanwhile));
    if (!found) continue;
    std::array<char, 24> address{};
    std::snprintf(address.data(), address.size(), "0x%lx", found->value);
    return "a context that was put aside leads into it (the word at " +
           std::string(address.data()) + ")";
  }
  return std::nullopt;
}

}  // namespace nohalt::target
