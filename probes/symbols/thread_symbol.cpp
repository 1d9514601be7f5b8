// Symbols are looked for where the loader looks, and in a program's own table, which one
// that is linked statically has alone.
//
// Source: System V ABI, ELF; x86-64 psABI for R_X86_64_TPOFF64.
#include "probes/symbols/thread_symbol.h"

#include <gelf.h>

#include "probes/symbols/elf_image.h"

namespace nohalt::symbols {

namespace {

constexpr std::size_t kMostWords = 256;

// Calls visit(header, data) for each section of that type.
template <class Visit>
void for_each_section(const ElfImage& image, std::uint32_t type, Visit&& visit) {
  Elf_Scn* scan = nullptr;
  while ((scan = elf_nextscn(image.elf(), scan)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(scan, &header) == nullptr || header.sh_type != type) continue;
    if (Elf_Data* data = elf_getdata(scan, nullptr)) visit(header, data);
  }
}

std::optional<std::uint64_t> offset_of(const ElfImage& image, const std::string& name,
                                       std::uint64_t size) {
  std::optional<std::uint64_t> found;
  const auto search = [&](const GElf_Shdr& header, Elf_Data* symbols) {
    GElf_Sym symbol;
    for (int i = 0; !found && gelf_getsym(symbols, i, &symbol) != nullptr; ++i) {
      if (GELF_ST_TYPE(symbol.st_info) != STT_TLS || symbol.st_shndx == SHN_UNDEF ||
          symbol.st_size != size)
        continue;
      const char* text = elf_strptr(image.elf(), header.sh_link, symbol.st_name);
      if (text != nullptr && name == text) found = symbol.st_value;
    }
  };
  for_each_section(image, SHT_DYNSYM, search);
  if (!found) for_each_section(image, SHT_SYMTAB, search);
  return found;
}

// Only words about the module's own block: what a symbol leads to may be another's.
std::vector<ThreadSymbol::Word> words_of(const ElfImage& image) {
  std::vector<ThreadSymbol::Word> words;
  for_each_section(image, SHT_RELA, [&](const GElf_Shdr&, Elf_Data* relocations) {
    GElf_Rela entry;
    for (int i = 0; words.size() < kMostWords && gelf_getrela(relocations, i, &entry) != nullptr;
         ++i) {
      if (GELF_R_TYPE(entry.r_info) == R_X86_64_TPOFF64 && GELF_R_SYM(entry.r_info) == 0)
        words.push_back({{entry.r_offset}, static_cast<std::uint64_t>(entry.r_addend)});
    }
  });
  return words;
}

}  // namespace

std::optional<ThreadSymbol> find_thread_symbol(const std::string& path, const std::string& name,
                                               std::uint64_t size) {
  const Result<ElfImage> image = ElfImage::open(path, path);
  if (!image) return std::nullopt;
  const auto offset = offset_of(*image, name, size);
  if (!offset) return std::nullopt;
  return ThreadSymbol{*offset, image->thread_local_distance(), words_of(*image)};
}

}  // namespace nohalt::symbols
