#include "probes/symbols/function_symbols.h"

#include <gelf.h>

#include <algorithm>

#include "probes/symbols/demangle.h"

namespace nohalt::symbols {

namespace {

constexpr std::size_t kMaxSymbols = 4'000'000;
constexpr int kMaxOverlaps = 16;  // aliases, and functions within functions

std::size_t leading_underscores(const std::string& name) {
  return std::min(name.find_first_not_of('_'), name.size());
}

// As C++ or Rust spells it; as it is, where it is no mangled name. Rust's older names are C++
// names but for the hash at their end, so Rust is asked first. Versions of a name
// ("memcpy@@GLIBC_2.14") are the linker's business.
std::string spelled(const std::string& versioned) {
  const std::string name = versioned.substr(0, versioned.find('@'));
  if (auto rust = rust_spelling(name)) return *rust;
  return cpp_spelling(name).value_or(name);
}

}  // namespace

void FunctionSymbols::add(Elf* elf) {
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    if (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM) add_table(elf, section);
  }
}

void FunctionSymbols::add_table(Elf* elf, Elf_Scn* table) {
  GElf_Shdr header;
  Elf_Data* data = elf_getdata(table, nullptr);
  if (data == nullptr || gelf_getshdr(table, &header) == nullptr) return;
  const std::size_t count = std::min(data->d_size / sizeof(Elf64_Sym), kMaxSymbols);
  for (std::size_t i = 0; i < count && symbols_.size() < kMaxSymbols; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
    const int type = GELF_ST_TYPE(symbol.st_info);
    const std::uint64_t end = symbol.st_value + symbol.st_size;
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol.st_shndx == SHN_UNDEF) continue;
    const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (end <= symbol.st_value || name == nullptr || *name == '\0') continue;
    symbols_.push_back({.range = {{symbol.st_value}, {end}},
                        .name = name,
                        .global = GELF_ST_BIND(symbol.st_info) == STB_GLOBAL});
  }
  sorted_ = false;
}

bool FunctionSymbols::is_better(const Symbol& a, const Symbol& b) {
  if (a.range.begin != b.range.begin) return a.range.begin > b.range.begin;
  if (a.global != b.global) return a.global;
  const std::size_t ours = leading_underscores(a.name);
  const std::size_t theirs = leading_underscores(b.name);
  if (ours != theirs) return ours < theirs;
  return a.name < b.name;
}

void FunctionSymbols::sort() const {
  if (sorted_) return;
  std::ranges::sort(symbols_, [](const Symbol& a, const Symbol& b) { return is_better(b, a); });
  sorted_ = true;
}

const FunctionSymbols::Symbol* FunctionSymbols::find(LinkAddress pc) const {
  sort();
  auto after = std::ranges::upper_bound(symbols_, pc, {},
                                        [](const Symbol& symbol) { return symbol.range.begin; });
  for (int step = 0; step < kMaxOverlaps && after != symbols_.begin(); ++step) {
    --after;
    if (after->range.contains(pc)) return &*after;
  }
  return nullptr;
}

std::string FunctionSymbols::at(LinkAddress pc) const {
  const Symbol* found = find(pc);
  return found == nullptr ? std::string{} : spelled(found->name);
}

std::string FunctionSymbols::beginning_at(LinkAddress pc) const {
  const Symbol* found = find(pc);
  return found == nullptr || found->range.begin != pc ? std::string{} : spelled(found->name);
}

}  // namespace nohalt::symbols
