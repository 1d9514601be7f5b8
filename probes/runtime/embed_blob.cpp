// A build tool: turns the linked runtime into a C++ source with its bytes and
// the offsets of its entry points, and fails the build where the code is not
// what may run inside a target: anything but one section of code, a relocation
// that is not relative to the code itself, or an entry that is missing.
//
// Source: System V ABI, ELF-64; x86-64 psABI for the relocation types.
#include <elf.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <expected>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

namespace {

using Failure = std::unexpected<std::string>;

// In RuntimeEntry order.
constexpr std::array kEntries = {"nohalt_take_token",     "nohalt_reserve",    "nohalt_admit",
                                 "nohalt_commit",         "nohalt_abandon",    "nohalt_read_frame",
                                 "nohalt_read_static",    "nohalt_read_user",  "nohalt_read_bytes",
                                 "nohalt_read_string",    "nohalt_read_stack", "nohalt_tree_next",
                                 "nohalt_thread_pointer", "nohalt_read_wide",  "nohalt_next_full",
                                 "nohalt_open_call",      "nohalt_close_call", "nohalt_finish"};

struct Image {
  std::vector<char> bytes;

  template <class T>
  [[nodiscard]] std::optional<T> at(std::uint64_t offset) const {
    if (offset > bytes.size() || sizeof(T) > bytes.size() - offset) return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  }
  [[nodiscard]] std::string text(std::uint64_t offset) const {
    return offset < bytes.size() ? std::string(bytes.data() + offset) : std::string();
  }
};

std::expected<std::vector<Elf64_Shdr>, std::string> sections_of(const Image& image) {
  const auto header = image.at<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return Failure("not an ELF file");
  std::vector<Elf64_Shdr> sections;
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    const auto section = image.at<Elf64_Shdr>(header->e_shoff + i * sizeof(Elf64_Shdr));
    if (!section) return Failure("truncated section table");
    sections.push_back(*section);
  }
  return sections;
}

std::expected<void, std::string> check_relocations(const Image& image, const Elf64_Shdr& section) {
  for (std::uint64_t at = 0; at < section.sh_size; at += sizeof(Elf64_Rela)) {
    const auto relocation = image.at<Elf64_Rela>(section.sh_offset + at);
    if (!relocation) return Failure("truncated relocations");
    const auto type = ELF64_R_TYPE(relocation->r_info);
    if (type != R_X86_64_PC32 && type != R_X86_64_PLT32)
      return Failure("relocation of type " + std::to_string(type) +
                     ": the runtime must not depend on where it is mapped");
  }
  return {};
}

// The index of .text, once everything else was found harmless.
std::expected<std::size_t, std::string> check_sections(const Image& image,
                                                       const std::vector<Elf64_Shdr>& sections) {
  const auto header = image.at<Elf64_Ehdr>(0);
  const std::uint64_t names = sections.at(header->e_shstrndx).sh_offset;
  std::size_t code = 0;
  for (std::size_t i = 1; i < sections.size(); ++i) {
    const Elf64_Shdr& section = sections[i];
    const std::string name = image.text(names + section.sh_name);
    if (section.sh_type == SHT_RELA) {
      if (auto checked = check_relocations(image, section); !checked)
        return Failure(checked.error());
    }
    if ((section.sh_flags & SHF_ALLOC) == 0 || section.sh_size == 0) continue;
    if (name != ".text" || (section.sh_flags & SHF_WRITE) != 0 || section.sh_addr != 0)
      return Failure("section " + name + " of " + std::to_string(section.sh_size) +
                     " bytes: the runtime must be code only");
    code = i;
  }
  if (code == 0) return Failure("no code");
  return code;
}

std::expected<std::vector<std::uint64_t>, std::string> entry_offsets(
    const Image& image, const std::vector<Elf64_Shdr>& sections) {
  std::vector<std::uint64_t> offsets;
  for (const char* entry : kEntries) {
    std::optional<std::uint64_t> found;
    for (const Elf64_Shdr& section : sections) {
      if (section.sh_type != SHT_SYMTAB) continue;
      const std::uint64_t names = sections.at(section.sh_link).sh_offset;
      for (std::uint64_t at = 0; at < section.sh_size; at += sizeof(Elf64_Sym)) {
        const auto symbol = image.at<Elf64_Sym>(section.sh_offset + at);
        if (symbol && image.text(names + symbol->st_name) == entry) found = symbol->st_value;
      }
    }
    if (!found) return Failure(std::string("no entry ") + entry);
    offsets.push_back(*found);
  }
  return offsets;
}

void write_source(std::ostream& out, const Image& image, const Elf64_Shdr& code,
                  const std::vector<std::uint64_t>& offsets) {
  out << "// Made by embed_blob from the linked runtime.\n"
         "#include \"probes/runtime/runtime_blob.h\"\n\n"
         "namespace nohalt::runtime {\n\nnamespace {\n\n"
         "constexpr unsigned char kCode[] = {";
  for (std::uint64_t i = 0; i < code.sh_size; ++i)
    out << (i % 16 == 0 ? "\n    " : " ")
        << static_cast<unsigned>(static_cast<unsigned char>(image.bytes[code.sh_offset + i]))
        << ",";
  out << "\n};\n\n}  // namespace\n\nconst RuntimeBlob& runtime_blob() {\n"
         "  static const RuntimeBlob blob{std::as_bytes(std::span(kCode)), {";
  for (std::uint64_t offset : offsets) out << offset << ", ";
  out << "}};\n  return blob;\n}\n\n}  // namespace nohalt::runtime\n";
}

std::expected<void, std::string> embed(const char* elf_path, const char* source_path) {
  std::ifstream in(elf_path, std::ios::binary);
  Image image{std::vector<char>(std::istreambuf_iterator<char>(in), {})};
  image.bytes.push_back('\0');
  const auto sections = sections_of(image);
  if (!sections) return Failure(sections.error());
  const auto code = check_sections(image, *sections);
  if (!code) return Failure(code.error());
  const auto offsets = entry_offsets(image, *sections);
  if (!offsets) return Failure(offsets.error());
  std::ofstream out(source_path);
  write_source(out, image, (*sections)[*code], *offsets);
  if (!out.flush()) return Failure(std::string("cannot write ") + source_path);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: embed_blob RUNTIME.elf OUT.cpp\n";
    return 2;
  }
  if (const auto done = embed(argv[1], argv[2]); !done) {
    std::cerr << "embed_blob: " << argv[1] << ": " << done.error() << "\n";
    return 1;
  }
  return 0;
}
