#include "probes/symbols/vtable_symbols.h"

#include <gelf.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "probes/symbols/demangle.h"

namespace nohalt::symbols {

namespace {

constexpr std::size_t kMaxSymbols = 4'000'000;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

void replace_words(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    const bool begins = at == 0 || !is_word(text[at - 1]);
    const std::size_t end = at + from.size();
    if (begins && (end == text.size() || !is_word(text[end]))) text.replace(at, from.size(), to);
  }
}

// `3ul` is 3.
void drop_suffixes(std::string& text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool begins = std::isdigit(static_cast<unsigned char>(text[at])) != 0 &&
                        (at == 0 || !is_word(text[at - 1]));
    if (!begins) continue;
    const std::size_t end = std::min(text.find_first_not_of("0123456789", at), text.size());
    const std::size_t past = std::min(text.find_first_not_of("uUlL", end), text.size());
    if (past == text.size() || !is_word(text[past])) text.erase(end, past - end);
    at = end - 1;
  }
}

void drop_spaces(std::string& text) {
  std::string kept;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool parts_words =
        !kept.empty() && is_word(kept.back()) && i + 1 < text.size() && is_word(text[i + 1]);
    if (text[i] != ' ' || parts_words) kept += text[i];
  }
  text = std::move(kept);
}

std::optional<VtableSymbol> read_name(const char* mangled) {
  using Kind = VtableSymbol::Kind;
  struct Form {
    std::string_view begin;
    std::string_view spelled;
    Kind kind;
  };
  static constexpr std::array<Form, 3> kForms = {
      {{"_ZTV", "vtable for ", Kind::kVtable},
       {"_ZTC", "construction vtable for ", Kind::kConstruction},
       {"_ZTI", "typeinfo for ", Kind::kTypeinfo}}};
  std::string name(mangled, std::min<std::size_t>(std::string_view(mangled).find('@'),
                                                  std::string_view(mangled).size()));
  const auto form =
      std::ranges::find_if(kForms, [&](const Form& each) { return name.starts_with(each.begin); });
  if (form == kForms.end()) return std::nullopt;
  const auto text = cpp_spelling(name);
  if (!text || !text->starts_with(form->spelled)) return std::nullopt;
  VtableSymbol symbol;
  symbol.kind = form->kind;
  symbol.shown_name = text->substr(form->spelled.size());
  if (symbol.kind == Kind::kConstruction) {
    const std::size_t in = symbol.shown_name.find("-in-");
    if (in == symbol.shown_name.npos) return std::nullopt;
    symbol.within = symbol.shown_name.substr(in + 4);
    symbol.shown_name.resize(in);
  }
  symbol.class_name = comparable_name(symbol.shown_name);
  return symbol;
}

void add_table(Elf* elf, Elf_Scn* table, std::vector<VtableSymbol>& vtables) {
  GElf_Shdr header;
  Elf_Data* data = elf_getdata(table, nullptr);
  if (data == nullptr || gelf_getshdr(table, &header) == nullptr) return;
  const std::size_t count = std::min(data->d_size / sizeof(Elf64_Sym), kMaxSymbols);
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
    if (GELF_ST_TYPE(symbol.st_info) != STT_OBJECT || symbol.st_shndx == SHN_UNDEF) continue;
    const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
    const std::uint64_t end = symbol.st_value + symbol.st_size;
    if (name == nullptr || end <= symbol.st_value) continue;
    auto found = read_name(name);
    if (!found) continue;
    found->range = {{symbol.st_value}, {end}};
    found->is_local = GELF_ST_BIND(symbol.st_info) == STB_LOCAL;
    vtables.push_back(std::move(*found));
  }
}

}  // namespace

std::string comparable_name(std::string_view class_name) {
  std::string text(class_name);
  // As GCC's debug information has them, as the demangler has them.
  static constexpr std::array<std::array<std::string_view, 2>, 6> kOrders = {
      {{"long long unsigned int", "unsigned long long"},
       {"long unsigned int", "unsigned long"},
       {"short unsigned int", "unsigned short"},
       {"long long int", "long long"},
       {"long int", "long"},
       {"short int", "short"}}};
  for (const auto& [from, to] : kOrders) replace_words(text, from, to);
  drop_suffixes(text);
  drop_spaces(text);
  return text;
}

void add_vtables(Elf* elf, std::vector<VtableSymbol>& vtables) {
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    if (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM)
      add_table(elf, section, vtables);
  }
  const auto order = [](const VtableSymbol& a, const VtableSymbol& b) {
    if (a.range.begin != b.range.begin) return a.range.begin < b.range.begin;
    if (a.is_local != b.is_local) return b.is_local;
    return a.shown_name < b.shown_name;
  };
  std::ranges::sort(vtables, order);
  const auto [end, last] =
      std::ranges::unique(vtables, [](const VtableSymbol& a, const VtableSymbol& b) {
        return a.range.begin == b.range.begin && a.shown_name == b.shown_name && a.kind == b.kind;
      });
  vtables.erase(end, last);
}

}  // namespace nohalt::symbols
