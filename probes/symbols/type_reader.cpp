// Building goes by worklist, not by recursion, because types refer to each other
// in circles and in long chains. When all that is reachable is filled in:
//  1. circles by value (a struct that holds itself; only damaged files have
//     them) are cut, so that whoever walks a Type by value ends;
//  2. sizes that follow from other sizes are set;
//  3. names are spelled, which needs the names of others.
// Source: DWARF 5, chapter 5.
#include "probes/symbols/type_reader.h"

#include <algorithm>

#include "probes/symbols/type_kinds.h"

namespace nohalt::symbols {

namespace {

constexpr int kMaxByValueDepth = 200;
constexpr int kMaxNameDepth = 40;
constexpr std::uint64_t kPointerSize = 8;

bool is_by_value(const Type& type) {
  return type.kind == TypeKind::kTypedef || type.kind == TypeKind::kArray ||
         type.kind == TypeKind::kEnum;
}

// The most significant of its bytes comes first (scalar_storage_order).
bool is_reversed(Dwarf_Die die) {
  return unsigned_attribute(die, DW_AT_endianity) == std::uint64_t{DW_END_big};
}

// Of floating-point numbers of 16 bytes only the name tells IEEE's (_Float128, real(16))
// from x87's.
bool is_quad(const Type& type, std::string_view name) {
  return type.kind == TypeKind::kFloat && type.byte_size == 16 &&
         (name.find("128") != name.npos || name.find("16") != name.npos);
}

}  // namespace

const Type* strip_typedefs(const Type* type) {
  while (type != nullptr && type->kind == TypeKind::kTypedef && type->target != nullptr)
    type = type->target;
  return type;
}

TypeReader::TypeReader(const Units& units, std::function<const NameIndex&()> names)
    : units_(units), names_(std::move(names)) {
  const auto add_plain = [this](TypeKind kind, const char* name) {
    Entry& entry = entries_.emplace_back();
    entry.type.kind = kind;
    entry.type.name = name;
    entry.own_name = name;
    by_type_.emplace(&entry.type, &entry);
    entry.type.byte_size = kind == TypeKind::kChar ? 1 : 0;
    entry.type.is_signed = kind == TypeKind::kChar;
    return &entry.type;
  };
  void_ = add_plain(TypeKind::kVoid, "void");
  plain_char_ = add_plain(TypeKind::kChar, "char");
  unknown_ = add_plain(TypeKind::kUnknown, "a type that contains itself");
}

const Type* TypeReader::read(Dwarf_Die die) {
  Entry* entry = entry_of(die);
  settle();
  return &entry->type;
}

const Type* TypeReader::type_of(Dwarf_Die die) {
  const std::optional<Dwarf_Die> target = referenced(die, DW_AT_type);
  return target ? read(*target) : void_;
}

// A declaration's definition, in a type unit or elsewhere in the file. Where
// definitions of that name differ in size, nobody knows which is meant.
Dwarf_Die TypeReader::completed(Dwarf_Die die) {
  if (!own_attribute(die, DW_AT_declaration)) return die;
  if (const std::optional<Dwarf_Die> unit_type = referenced(die, DW_AT_signature))
    return *unit_type;
  const std::string name = units_.qualified_name(die);
  if (name.empty()) return die;
  const TypeKind kind = kind_of_tag(dwarf_tag(&die));
  std::optional<Dwarf_Die> found;
  Unit* unit = units_.of(die);
  const std::string_view base =
      unit != nullptr && unit->is_c ? std::string_view(name) : base_name(name);
  for (const NamedDie& named : names_().find(base)) {
    Dwarf_Die candidate = named.die;
    if (named.kind != NameKind::kType || kind_of_tag(dwarf_tag(&candidate)) != kind) continue;
    if (units_.qualified_name(candidate) != name) continue;
    if (named.unit == unit) return candidate;
    if (found && dwarf_bytesize(&*found) != dwarf_bytesize(&candidate)) return die;
    if (!found) found = candidate;
  }
  return found.value_or(die);
}

TypeReader::Entry* TypeReader::entry_of(Dwarf_Die die) {
  if (const auto known = by_die_.find(die.addr); known != by_die_.end()) return known->second;
  Dwarf_Die definition = completed(die);
  if (definition.addr != die.addr) {
    Entry* entry = nullptr;
    if (const auto known = by_die_.find(definition.addr); known != by_die_.end())
      entry = known->second;
    else
      entry = &make(definition, kind_of_tag(dwarf_tag(&definition)));
    by_die_.emplace(die.addr, entry);
    return entry;
  }
  return &make(die, kind_of_tag(dwarf_tag(&die)));
}

TypeReader::Entry& TypeReader::make(Dwarf_Die die, TypeKind kind) {
  Entry& entry = entries_.emplace_back();
  entry.type.kind = kind;
  entry.die = die;
  by_die_.emplace(die.addr, &entry);
  by_type_.emplace(&entry.type, &entry);
  unfilled_.push_back(&entry);
  return entry;
}

TypeReader::Entry* TypeReader::entry_at(Dwarf_Die die, unsigned code) {
  const std::optional<Dwarf_Die> target = referenced(die, code);
  return target ? entry_of(*target) : nullptr;
}

void TypeReader::settle() {
  while (!unfilled_.empty()) {
    Entry* entry = unfilled_.back();
    unfilled_.pop_back();
    fill(*entry);
    fresh_.push_back(entry);
  }
  for (Entry* entry : fresh_) break_cycles(*entry, 0);
  finish_sizes_and_names();
  fresh_.clear();
}

void TypeReader::fill(Entry& entry) {
  Type& type = entry.type;
  entry.own_name = units_.qualified_name(entry.die);
  if (const int size = dwarf_bytesize(&entry.die); size > 0)
    type.byte_size = static_cast<std::uint64_t>(size);
  const Entry* target = entry_at(entry.die, DW_AT_type);
  type.target = target != nullptr ? &target->type : void_;
  switch (type.kind) {
    case TypeKind::kInteger:
      return fill_base(entry);
    case TypeKind::kEnum:
      return fill_enum(entry);
    case TypeKind::kPointer:
    case TypeKind::kReference:
      if (type.byte_size == 0) type.byte_size = kPointerSize;
      entry.is_named_pointer = !entry.own_name.empty();
      entry.prefix = pointer_mark(dwarf_tag(&entry.die));
      return;
    case TypeKind::kMemberPointer: {
      const Entry* owner = entry_at(entry.die, DW_AT_containing_type);
      entry.prefix = (owner != nullptr ? units_.qualified_name(owner->die) : "") + "::*";
      if (type.byte_size == 0)
        type.byte_size = type.target->kind == TypeKind::kFunction ? 2 * kPointerSize : kPointerSize;
      return;
    }
    case TypeKind::kArray:
      return fill_array(entry);
    case TypeKind::kStruct:
    case TypeKind::kUnion:
      return fill_compound(entry);
    case TypeKind::kTypedef:
      entry.prefix = qualifier_of(dwarf_tag(&entry.die));
      if (entry.prefix.empty()) type.declared_in = declared_file(entry.die);
      return;
    case TypeKind::kFunction:
      return fill_function(entry);
    default:
      type.target = nullptr;
      if (entry.own_name.empty())
        entry.own_name = "DWARF tag " + std::to_string(dwarf_tag(&entry.die));
      return;
  }
}

void TypeReader::fill_base(Entry& entry) {
  entry.type.target = nullptr;
  const BaseKind base = base_kind(unsigned_attribute(entry.die, DW_AT_encoding).value_or(0));
  entry.type.kind = base.kind;
  entry.type.is_signed = base.is_signed;
  if (is_reversed(entry.die) || is_quad(entry.type, entry.own_name))
    entry.type.kind = TypeKind::kUnknown;
  // Rust's type of nothing: a tuple without members, written as a number without bytes.
  if (entry.own_name == "()" && entry.type.byte_size == 0) entry.type.kind = TypeKind::kStruct;
}

void TypeReader::fill_enum(Entry& entry) {
  Type& type = entry.type;
  Unit* unit = units_.of(entry.die);
  entry.prefix = unit != nullptr && unit->is_c ? "enum " : "";
  type.declared_in = declared_file(entry.die);
  type.is_declaration = flag(entry.die, DW_AT_declaration);
  bool negative = false;
  for_each_child(entry.die, [&](Dwarf_Die child) {
    const char* name = die_name(child);
    if (dwarf_tag(&child) != DW_TAG_enumerator || name == nullptr) return true;
    type.enumerators.push_back({name, enumerator_value(child)});
    negative |= type.enumerators.back().value < 0;
    return true;
  });
  if (type.target == void_) type.target = nullptr;
  type.is_signed = negative;
}

void TypeReader::fill_compound(Entry& entry) {
  Type& type = entry.type;
  Unit* unit = units_.of(entry.die);
  type.target = nullptr;
  type.is_declaration = flag(entry.die, DW_AT_declaration);
  type.declared_in = declared_file(entry.die);
  if (unit == nullptr || unit->is_c || entry.own_name.empty())
    entry.prefix = type.kind == TypeKind::kUnion ? "union " : "struct ";
  if (entry.own_name.empty()) entry.own_name = "{...}";
  for_each_child(entry.die, [&](Dwarf_Die child) {
    if (dwarf_tag(&child) == DW_TAG_variant_part)
      fill_alternatives(entry, child);
    else
      fill_member(entry, child);
    fill_template_types(entry, child);
    return true;
  });
  std::ranges::stable_partition(type.members, &Member::is_base_class);
  if (type.is_declaration) complete_known(type, entry.own_name);
}

// A pack of parameters (variant<Ts...>) holds them as its children.
void TypeReader::fill_template_types(Entry& entry, Dwarf_Die die) {
  const auto add = [&](Dwarf_Die parameter) {
    if (dwarf_tag(&parameter) != DW_TAG_template_type_parameter) return true;
    const Entry* type = entry_at(parameter, DW_AT_type);
    entry.type.template_types.push_back(type != nullptr ? &type->type : void_);
    return true;
  };
  add(die);
  if (dwarf_tag(&die) == DW_TAG_GNU_template_parameter_pack) for_each_child(die, add);
}

void TypeReader::fill_member(Entry& entry, Dwarf_Die die) {
  const int tag = dwarf_tag(&die);
  if (tag != DW_TAG_member && tag != DW_TAG_inheritance && tag != DW_TAG_variable) return;
  entry.type.members.push_back(member_of(die));
}

Member TypeReader::member_of(Dwarf_Die die) {
  const int tag = dwarf_tag(&die);
  Member member;
  if (const char* name = die_name(die)) member.name = name;
  const Entry* target = entry_at(die, DW_AT_type);
  member.type = target != nullptr ? &target->type : void_;
  member.is_base_class = tag == DW_TAG_inheritance;
  member.is_static = tag == DW_TAG_variable || flag(die, DW_AT_external) ||
                     own_attribute(die, DW_AT_declaration).has_value();
  place_member(die, member);
  return member;
}

void TypeReader::fill_array(Entry& entry) {
  std::vector<std::optional<std::uint64_t>> counts;
  for_each_child(entry.die, [&](Dwarf_Die child) {
    const int tag = dwarf_tag(&child);
    if (tag == DW_TAG_subrange_type || tag == DW_TAG_enumeration_type)
      counts.push_back(dimension(child));
    return true;
  });
  if (counts.empty()) counts.emplace_back();
  // int a[2][3] is an array of two arrays of three: the inner ones have no DIE.
  const Type* element = entry.type.target;
  const Unit* unit = units_.of(entry.die);
  entry.is_rust = unit != nullptr && unit->is_rust;
  for (std::size_t i = counts.size(); i-- > 1;) {
    Entry& inner = entries_.emplace_back();
    inner.type.kind = TypeKind::kArray;
    inner.type.target = element;
    inner.type.element_count = counts[i];
    inner.is_rust = entry.is_rust;
    by_type_.emplace(&inner.type, &inner);
    fresh_.push_back(&inner);
    element = &inner.type;
  }
  entry.type.target = element;
  entry.type.element_count = counts.front();
}

void TypeReader::fill_function(Entry& entry) {
  for_each_child(entry.die, [&](Dwarf_Die child) {
    entry.has_more_parameters |= dwarf_tag(&child) == DW_TAG_unspecified_parameters;
    if (dwarf_tag(&child) != DW_TAG_formal_parameter) return true;
    const Entry* parameter = entry_at(child, DW_AT_type);
    entry.parameter_types.push_back(parameter != nullptr ? &parameter->type : void_);
    return true;
  });
}

void TypeReader::break_cycles(Entry& entry, int depth) {
  State& state = entry.state;
  if (state != State::kNew) return;
  state = State::kVisiting;
  const auto check = [&](const Type*& edge) {
    if (edge == nullptr) return;
    Entry& next = *by_type_.at(edge);
    if (next.state == State::kVisiting || depth > kMaxByValueDepth)
      edge = unknown_;
    else
      break_cycles(next, depth + 1);
  };
  if (is_by_value(entry.type)) check(entry.type.target);
  for (Member& member : entry.type.members)
    if (!member.is_static) check(member.type);
  state = State::kDone;
}

void TypeReader::finish_sizes_and_names() {
  for (Entry* entry : fresh_) entry->type.byte_size = size_of(&entry->type, 0);
  for (Entry* entry : fresh_) {
    if (entry->type.kind == TypeKind::kEnum && entry->type.target != nullptr)
      entry->type.is_signed |= strip_typedefs(entry->type.target)->is_signed;
    entry->type.name = spell(&entry->type, "", 0);
  }
}

std::uint64_t TypeReader::size_of(const Type* type, int depth) const {
  if (type == nullptr || type->byte_size != 0 || depth > kMaxByValueDepth)
    return type == nullptr ? 0 : type->byte_size;
  if (type->kind == TypeKind::kTypedef || type->kind == TypeKind::kEnum)
    return size_of(type->target, depth + 1);
  std::uint64_t size = 0;
  if (type->kind != TypeKind::kArray || !type->element_count ||
      __builtin_mul_overflow(*type->element_count, size_of(type->target, depth + 1), &size))
    return 0;
  return size;
}

// Spells a type around what is declared with it (`inner`), as C does.
std::string TypeReader::spell(const Type* type, const std::string& inner, int depth) const {
  if (depth > kMaxNameDepth || inner.size() > 1000) return "...";
  const Entry& entry = *by_type_.at(type);
  const auto is_postfix = [](const Type* target) {
    return target->kind == TypeKind::kArray || target->kind == TypeKind::kFunction;
  };
  switch (type->kind) {
    case TypeKind::kPointer:
    case TypeKind::kReference:
    case TypeKind::kMemberPointer: {
      if (entry.is_named_pointer) break;
      const std::string marked = entry.prefix + inner;
      return spell(type->target, is_postfix(type->target) ? "(" + marked + ")" : marked, depth + 1);
    }
    case TypeKind::kArray: {
      const std::string count = type->element_count ? std::to_string(*type->element_count) : "";
      if (entry.is_rust) return "[" + spell(type->target, "", depth + 1) + "; " + count + "]";
      return spell(type->target, inner + "[" + count + "]", depth + 1);
    }
    case TypeKind::kFunction: {
      std::string parameters;
      for (const Type* parameter : entry.parameter_types)
        parameters += (parameters.empty() ? "" : ", ") + spell(parameter, "", depth + 1);
      if (entry.has_more_parameters) parameters += parameters.empty() ? "..." : ", ...";
      return spell(type->target, inner + "(" + (parameters.empty() ? "void" : parameters) + ")",
                   depth + 1);
    }
    case TypeKind::kTypedef:
      if (entry.prefix.empty()) break;
      if (type->target->kind == TypeKind::kPointer)
        return spell(type->target, entry.prefix + (inner.empty() ? "" : " " + inner), depth + 1);
      return entry.prefix + " " + spell(type->target, inner, depth + 1);
    default:
      break;
  }
  const bool is_plain = type->kind == TypeKind::kTypedef || entry.is_named_pointer;
  const std::string name = (is_plain ? "" : entry.prefix) + entry.own_name;
  return inner.empty() ? name : name + " " + inner;
}

}  // namespace nohalt::symbols
