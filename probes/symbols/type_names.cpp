// Finding a type by the name a person writes in a cast.
#include <algorithm>
#include <array>

#include "probes/symbols/type_kinds.h"
#include "probes/symbols/type_reader.h"

namespace nohalt::symbols {

namespace {

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

bool take_word(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word) || (text.size() > word.size() && text[word.size()] != ' '))
    return false;
  text = trim(text.substr(word.size()));
  return true;
}

// The spellings that compilers give to the integer type that a person wrote,
// in any order of its words. Empty: the words are no integer type.
std::vector<std::string_view> integer_spellings(std::string_view text) {
  int longs = 0;
  bool is_unsigned = false;
  bool is_signed = false;
  bool is_short = false;
  bool is_int = false;
  bool is_char = false;
  while (!text.empty()) {
    if (take_word(text, "long"))
      ++longs;
    else if (take_word(text, "unsigned"))
      is_unsigned = true;
    else if (take_word(text, "signed"))
      is_signed = true;
    else if (take_word(text, "short"))
      is_short = true;
    else if (take_word(text, "int"))
      is_int = true;
    else if (take_word(text, "char"))
      is_char = true;
    else
      return {};
  }
  if (is_char) return {is_unsigned ? "unsigned char" : (is_signed ? "signed char" : "char")};
  if (!is_short && longs == 0)
    return is_unsigned || is_signed || is_int
               ? std::vector<std::string_view>{is_unsigned ? "unsigned int" : "int"}
               : std::vector<std::string_view>{};
  if (is_short)
    return is_unsigned ? std::vector<std::string_view>{"short unsigned int", "unsigned short"}
                       : std::vector<std::string_view>{"short int", "short"};
  if (longs == 1)
    return is_unsigned ? std::vector<std::string_view>{"long unsigned int", "unsigned long"}
                       : std::vector<std::string_view>{"long int", "long"};
  return is_unsigned ? std::vector<std::string_view>{"long long unsigned int", "unsigned long long"}
                     : std::vector<std::string_view>{"long long int", "long long"};
}

}  // namespace

const Type* TypeReader::pointer_to(const Type* target) {
  const Type*& known = pointers_[target];
  if (known != nullptr) return known;
  Entry& entry = entries_.emplace_back();
  entry.type.kind = TypeKind::kPointer;
  entry.type.byte_size = 8;
  entry.type.target = target;
  entry.prefix.push_back('*');
  entry.state = State::kDone;
  by_type_.emplace(&entry.type, &entry);
  entry.type.name = spell(&entry.type, "", 0);
  return known = &entry.type;
}

const Type* TypeReader::find(std::string_view name, Unit* unit) {
  name = trim(name);
  if (name.size() > 500) return nullptr;
  if (name.ends_with('*')) {
    name.remove_suffix(1);
    const Type* target = find(name, unit);
    return target == nullptr ? nullptr : pointer_to(target);
  }
  while (take_word(name, "const") || take_word(name, "volatile")) {
  }
  if (name == "void") return void_;
  for (const std::string_view spelling : integer_spellings(name))
    if (const Type* type = find_plain(spelling, unit)) return type;
  return find_plain(name, unit);
}

// In the unit itself the first match counts. Elsewhere all must agree in size.
const Type* TypeReader::find_plain(std::string_view name, Unit* unit) {
  const bool is_struct = take_word(name, "struct") || take_word(name, "class");
  const bool is_union = !is_struct && take_word(name, "union");
  const bool is_enum = !is_struct && !is_union && take_word(name, "enum");
  const bool is_tagged = is_struct || is_union || is_enum;
  std::optional<NamedDie> best;
  int best_rank = -1;
  bool disagree = false;
  for (const NamedDie& named : names_().find(base_name(name))) {
    Dwarf_Die die = named.die;
    if (named.kind != NameKind::kType) continue;
    const TypeKind kind = kind_of_tag(dwarf_tag(&die));
    if (is_tagged &&
        kind != (is_struct ? TypeKind::kStruct : (is_union ? TypeKind::kUnion : TypeKind::kEnum)))
      continue;
    if (!matches_qualified(units_.qualified_name(die), name)) continue;
    const bool is_plain = kind == TypeKind::kTypedef || kind == TypeKind::kInteger;
    const int rank = (named.unit == unit ? 2 : 0) + (is_plain ? 1 : 0);
    if (rank == best_rank && rank < 2)
      disagree |= read(best->die)->byte_size != read(die)->byte_size;
    if (rank <= best_rank) continue;
    best = named;
    best_rank = rank;
    disagree = false;
  }
  return best && !disagree ? read(best->die) : nullptr;
}

}  // namespace nohalt::symbols
