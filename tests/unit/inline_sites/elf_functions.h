// The functions of an ELF file on this machine, found without symbols through
// the table that stack unwinding uses (.eh_frame_hdr), for tests that need real
// machine code in quantity.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/address.h"
#include "src/base/file.h"

namespace nohalt::test {

class ElfFunctions {
 public:
  // Nothing where the file is not a 64-bit ELF file with the sections needed.
  static std::optional<ElfFunctions> open(const std::string& path) {
    auto content = read_file(path);
    if (!content || content->size() < sizeof(Elf64_Ehdr)) return std::nullopt;
    ElfFunctions file;
    file.bytes_.assign(content->begin(), content->end());
    if (!file.find_sections() || !file.read_functions()) return std::nullopt;
    return file;
  }

  [[nodiscard]] std::span<const std::uint8_t> text() const {
    return std::span(bytes_).subspan(text_.sh_offset, text_.sh_size);
  }
  [[nodiscard]] LinkAddress text_address() const { return {text_.sh_addr}; }
  // Those that lie in .text.
  [[nodiscard]] std::span<const LinkRange> functions() const { return functions_; }

  bool read(LinkAddress address, std::span<std::uint8_t> to) const {
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type != SHT_PROGBITS || (section.sh_flags & SHF_WRITE) != 0) continue;
      if (address.value < section.sh_addr ||
          address.value + to.size() > section.sh_addr + section.sh_size) {
        continue;
      }
      std::memcpy(to.data(), &bytes_[section.sh_offset + address.value - section.sh_addr],
                  to.size());
      return true;
    }
    return false;
  }

 private:
  template <class T>
  [[nodiscard]] T at(std::uint64_t offset) const {
    T value{};
    if (offset + sizeof value <= bytes_.size()) std::memcpy(&value, &bytes_[offset], sizeof value);
    return value;
  }

  bool find_sections() {
    const auto header = at<Elf64_Ehdr>(0);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) return false;
    for (unsigned i = 0; i < header.e_shnum; ++i) {
      sections_.push_back(at<Elf64_Shdr>(header.e_shoff + i * sizeof(Elf64_Shdr)));
    }
    if (header.e_shstrndx >= sections_.size()) return false;
    const std::uint64_t names = sections_[header.e_shstrndx].sh_offset;
    for (const Elf64_Shdr& section : sections_) {
      const char* begin = reinterpret_cast<const char*>(&bytes_[names + section.sh_name]);
      const std::string_view name(begin);
      if (name == ".text") text_ = section;
      if (name == ".eh_frame_hdr") unwind_table_ = section;
      if (name == ".eh_frame") unwind_ = section;
    }
    return text_.sh_size != 0 && unwind_table_.sh_size != 0 && unwind_.sh_size != 0;
  }

  // Header: version, three encodings, .eh_frame pointer, count, then pairs of
  // (function, description), each a distance from the table's start.
  bool read_functions() {
    const auto count = at<std::uint32_t>(unwind_table_.sh_offset + 8);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t entry = unwind_table_.sh_offset + 12 + i * 8ULL;
      const std::uint64_t begin = based(at<std::int32_t>(entry));
      const std::uint64_t description = based(at<std::int32_t>(entry + 4));
      const std::uint64_t offset = unwind_.sh_offset + description - unwind_.sh_addr;
      const auto size = at<std::uint32_t>(offset + 12);
      if (begin < text_.sh_addr || begin + size > text_.sh_addr + text_.sh_size || size == 0) {
        continue;
      }
      functions_.push_back({{begin}, {begin + size}});
    }
    return !functions_.empty();
  }
  [[nodiscard]] std::uint64_t based(std::int32_t distance) const {
    return unwind_table_.sh_addr + static_cast<std::uint64_t>(std::int64_t{distance});
  }

  std::vector<std::uint8_t> bytes_;
  std::vector<Elf64_Shdr> sections_;
  Elf64_Shdr text_{}, unwind_table_{}, unwind_{};
  std::vector<LinkRange> functions_;
};

}  // namespace nohalt::test
