// The way in, and what the libraries have in common.
#include "probes/capture/containers/recognise.h"

#include <charconv>

#include "probes/capture/containers/fields.h"
#include "probes/capture/containers/libraries.h"
#include "probes/language/type_rules.h"

namespace nohalt::capture::containers {

using symbols::strip_typedefs;
using Library = LibraryName::Library;

namespace {

const Type* structure(const Type* type) {
  const Type* real = type == nullptr ? nullptr : strip_typedefs(type);
  const bool fits = real != nullptr && real->kind == symbols::TypeKind::kStruct &&
                    !real->is_declaration && real->byte_size > 0;
  return fits ? real : nullptr;
}

}  // namespace

std::optional<std::uint64_t> last_argument(std::string_view qualified) {
  const std::size_t comma = qualified.rfind(',');
  if (comma == qualified.npos) return std::nullopt;
  std::string_view digits = qualified.substr(comma + 1);
  while (digits.starts_with(' ')) digits.remove_prefix(1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end != digits.data() ? std::optional(number) : std::nullopt;
}

std::optional<Items::Kind> tree_kind(std::string_view name) {
  if (name == "map" || name == "multimap") return Items::Kind::kMap;
  if (name == "set" || name == "multiset") return Items::Kind::kSet;
  return std::nullopt;
}

std::optional<Items::Kind> hash_kind(std::string_view name) {
  if (name == "unordered_map" || name == "unordered_multimap") return Items::Kind::kMap;
  if (name == "unordered_set" || name == "unordered_multiset") return Items::Kind::kSet;
  return std::nullopt;
}

std::optional<Container> owner_of(const Type* type, std::uint64_t pointer_at, const Type* pointer) {
  const bool several = !type->template_types.empty() &&
                       strip_typedefs(type->template_types[0])->kind == symbols::TypeKind::kArray;
  const Type* item = sized(pointer->target);
  return Container{Items::Kind::kPointer, item, Owner{pointer_at, several, {}}};
}

std::shared_ptr<const Container> recognise(const Type* type) {
  const Type* real = structure(type);
  if (real == nullptr) return nullptr;
  const LibraryName name = library_name(real->name);
  std::optional<Container> found;
  if (name.library == Library::kGnu) found = libstdcxx_container(name.name, real);
  if (name.library == Library::kLlvm) found = libcxx_container(name.name, real);
  // Rust has a module std too.
  if (!found) found = rust_container(real);
  return found ? std::make_shared<const Container>(std::move(*found)) : nullptr;
}

std::optional<Field> recognise_message(const Type* type) {
  const Type* real = structure(type);
  if (real == nullptr || real->name != "std::__cow_string") return std::nullopt;
  const auto pointer = find_pointer(real, {"_M_p"});
  const bool fits = pointer && pointer->type->target != nullptr &&
                    language::is_byte_char(strip_typedefs(pointer->type->target));
  return fits ? pointer : std::nullopt;
}

std::optional<Text> recognise_text(const Type* type) {
  const Type* real = structure(type);
  if (real == nullptr) return std::nullopt;
  const LibraryName name = library_name(real->name);
  if (name.library == Library::kGnu) return libstdcxx_text(name.name, real);
  if (name.library == Library::kLlvm) return libcxx_text(name.name, real);
  return rust_text(real);
}

}  // namespace nohalt::capture::containers
