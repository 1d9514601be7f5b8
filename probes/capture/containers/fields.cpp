// Names are looked for depth first, so that of a pair's two halves that both have a
// member of the name the first counts.
#include "probes/capture/containers/fields.h"

#include "probes/language/type_rules.h"

namespace nohalt::capture::containers {

using symbols::Member;
using symbols::strip_typedefs;
using symbols::Type;
using symbols::TypeKind;

namespace {

constexpr int kMaxNesting = 24;

std::optional<Field> find_one(const Type* type, std::string_view name, int nesting) {
  const Type* real = strip_typedefs(type);
  if (real == nullptr || nesting > kMaxNesting) return std::nullopt;
  if (real->kind != TypeKind::kStruct && real->kind != TypeKind::kUnion) return std::nullopt;
  const auto reachable = [](const Member& member) {
    return !member.is_static && !member.is_virtual_base && member.type != nullptr;
  };
  for (const Member& member : real->members) {
    if (reachable(member) && !member.is_base_class && member.name == name)
      return Field{member.byte_offset, strip_typedefs(member.type), &member};
  }
  for (const Member& member : real->members) {
    const bool see_through = member.is_base_class || member.name.empty();
    if (!reachable(member) || !see_through) continue;
    if (auto found = find_one(member.type, name, nesting + 1)) {
      found->at += member.byte_offset;
      return found;
    }
  }
  return std::nullopt;
}

bool is_plain(const Field& field, const Type* whole) {
  return !field.member->bit_offset && field.type->byte_size == 8 &&
         field.at + 8 <= strip_typedefs(whole)->byte_size;
}

}  // namespace

std::optional<Field> find_field(const Type* type, std::initializer_list<std::string_view> path) {
  Field at{0, strip_typedefs(type), nullptr};
  for (const std::string_view name : path) {
    const auto next = find_one(at.type, name, 0);
    if (!next) return std::nullopt;
    at = {at.at + next->at, next->type, next->member};
  }
  return at.member == nullptr ? std::nullopt : std::optional(at);
}

std::optional<Field> find_pointer(const Type* type, std::initializer_list<std::string_view> path) {
  const auto field = find_field(type, path);
  if (!field || field->type->kind != TypeKind::kPointer || !is_plain(*field, type))
    return std::nullopt;
  return field;
}

std::optional<Field> find_word(const Type* type, std::initializer_list<std::string_view> path) {
  const auto field = find_field(type, path);
  if (!field || !language::is_integral(field->type) || !is_plain(*field, type)) return std::nullopt;
  return field;
}

LibraryName library_name(std::string_view qualified) {
  constexpr std::string_view kStd = "std::";
  LibraryName found;
  if (!qualified.starts_with(kStd) || !qualified.ends_with('>')) return found;
  std::string_view rest = qualified.substr(kStd.size());
  found.library = LibraryName::Library::kGnu;
  if (rest.starts_with("__1::")) {
    found.library = LibraryName::Library::kLlvm;
    rest.remove_prefix(5);
  } else if (rest.starts_with("__cxx11::")) {
    rest.remove_prefix(9);
  }
  // What has anything behind its arguments is a class within a class.
  const std::size_t open = rest.find('<');
  if (open == rest.npos) return {};
  int depth = 0;
  for (std::size_t i = open; i < rest.size(); ++i) {
    if (rest[i] == '<') ++depth;
    if (rest[i] == '>' && --depth == 0 && i + 1 != rest.size()) return {};
  }
  if (depth != 0) return {};
  found.name = rest.substr(0, open);
  return found;
}

const Type* sized(const Type* type) {
  const Type* real = type == nullptr ? nullptr : strip_typedefs(type);
  const bool has_bytes = real != nullptr && real->byte_size > 0 && !real->is_declaration &&
                         real->kind != TypeKind::kVoid && real->kind != TypeKind::kFunction;
  return has_bytes ? type : nullptr;
}

}  // namespace nohalt::capture::containers
