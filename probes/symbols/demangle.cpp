// A mangled name may refer to its own parts again and again, so that two hundred characters
// can stand for more text than a machine has memory. So libiberty hands the text over in
// pieces, and where there are too many it is left in the middle, by a jump: the demanglers are
// C and keep what they know on the stack (of a Rust name in Punycode a few bytes are lost).
//
// In one place it walks all that a name stands for without a piece: for the parameter pack of
// a pack expansion. Nearly all expand the parameter itself; where another one has many
// references, it is not asked.
//
// Source: Itanium C++ ABI, section 5.1; Rust RFC 2603.
#include "probes/symbols/demangle.h"

#include <libiberty/demangle.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <memory>
#include <string_view>

namespace nohalt::symbols {

namespace {

constexpr std::size_t kLongestMangled = 4096;
constexpr std::size_t kLongestSpelled = 64 * 1024;
constexpr std::ptrdiff_t kFewReferences = 16;
constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

struct Spelling {
  std::array<char, kLongestSpelled> text;
  std::size_t size = 0;
  std::jmp_buf too_long;
};

void add_piece(const char* piece, std::size_t size, void* spelling) {
  auto& to = *static_cast<Spelling*>(spelling);
  if (size > to.text.size() - to.size) std::longjmp(to.too_long, 1);
  std::copy_n(piece, size, to.text.begin() + static_cast<std::ptrdiff_t>(to.size));
  to.size += size;
}

using Demangle = int (*)(const char*, int, demangle_callbackref, void*);

// What add_piece may jump out of has nothing to destroy.
bool spell(Demangle demangle, const char* name, Spelling* to) {
  if (setjmp(to->too_long) != 0) return false;
  return demangle(name, DMGL_PARAMS | DMGL_TYPES, add_piece, to) != 0;
}

std::optional<std::string> spelling(Demangle demangle, const std::string& name) {
  if (name.size() > kLongestMangled) return std::nullopt;
  const auto to = std::make_unique_for_overwrite<Spelling>();
  if (!spell(demangle, name.c_str(), to.get())) return std::nullopt;
  return std::string(to->text.data(), to->size);
}

// Behind `Dp`: a parameter of the template, perhaps a reference or a pointer to it.
bool is_plain_pack(std::string_view pattern) {
  pattern.remove_prefix(std::min(pattern.find_first_not_of("ROKVP"), pattern.size()));
  if (!pattern.starts_with('T')) return false;
  pattern.remove_prefix(std::min(pattern.find_first_not_of(kDigits, 1), pattern.size()));
  return pattern.starts_with('_');
}

bool may_take_long(std::string_view name) {
  // Each reference ends in one.
  if (std::ranges::count(name, '_') <= kFewReferences) return false;
  for (std::size_t at = name.find("Dp"); at != name.npos; at = name.find("Dp", at + 2))
    if (!is_plain_pack(name.substr(at + 2))) return true;
  return false;
}

}  // namespace

std::optional<std::string> cpp_spelling(const std::string& name) {
  if (!name.starts_with("_Z") || may_take_long(name)) return std::nullopt;
  return spelling(cplus_demangle_v3_callback, name);
}

std::optional<std::string> rust_spelling(const std::string& name) {
  return spelling(rust_demangle_callback, name);
}

}  // namespace nohalt::symbols
