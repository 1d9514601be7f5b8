// One ELF file, opened read only through libelf: what is loaded where, its
// bytes, its build id. Internal to the module.
//
// The file is read, not mapped: a file that is truncated while it is open gives
// an error instead of SIGBUS.
#pragma once

#include <gelf.h>
#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/base/address.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::symbols {

struct Segment {
  LinkRange range;
  std::uint64_t file_offset = 0;
  std::uint64_t file_size = 0;
  bool executable = false;
  bool writable = false;
};

struct DebugLink {
  std::string file;
  std::uint32_t crc = 0;
};

struct SectionBytes {
  std::uint64_t address = 0;
  std::span<const std::uint8_t> bytes;  // lives as long as the image
};

class ElfImage {
 public:
  // Only 64-bit little-endian x86-64 executables and shared objects.
  [[nodiscard]] static Result<ElfImage> open(const std::string& path, const std::string& name);

  [[nodiscard]] Elf* elf() const { return elf_.get(); }
  [[nodiscard]] const std::string& build_id() const { return build_id_; }
  [[nodiscard]] bool is_position_independent() const { return position_independent_; }
  [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }
  [[nodiscard]] bool is_executable(LinkRange range) const;
  // How far below the thread pointer the block of its thread-local variables begins, in
  // every thread. Absent: it has none, or is no program but a library, whose block may be
  // anywhere.
  [[nodiscard]] std::optional<std::uint64_t> thread_local_distance() const;

  [[nodiscard]] Result<std::vector<std::uint8_t>> read(LinkAddress at, std::uint64_t size) const;
  // Reads as many of `size` bytes as one segment holds from `at` on.
  [[nodiscard]] std::vector<std::uint8_t> read_up_to(LinkAddress at, std::uint64_t size) const;

  [[nodiscard]] std::optional<SectionBytes> section(std::string_view name) const;
  // The same without reading its bytes.
  [[nodiscard]] bool has_section(std::string_view name) const;
  [[nodiscard]] bool has_debug_info() const;
  [[nodiscard]] bool has_symbol(std::string_view name) const;
  [[nodiscard]] std::optional<DebugLink> debug_link() const;
  // Of the open file: which one it is, its size, its times.
  [[nodiscard]] struct stat facts() const;
  // CRC-32 of the whole file, as .gnu_debuglink uses it.
  [[nodiscard]] Result<std::uint32_t> crc() const;

 private:
  struct EndElf {
    void operator()(Elf* elf) const { elf_end(elf); }
  };

  ElfImage() = default;
  [[nodiscard]] Status read_headers(const std::string& name);
  [[nodiscard]] bool is_program() const;
  [[nodiscard]] Elf_Scn* find_section(std::string_view name, GElf_Shdr& header) const;

  UniqueFd fd_;
  std::unique_ptr<Elf, EndElf> elf_;
  std::vector<Segment> segments_;
  std::string build_id_;
  bool position_independent_ = false;
  std::optional<GElf_Phdr> thread_locals_;  // PT_TLS
};

}  // namespace nohalt::symbols
