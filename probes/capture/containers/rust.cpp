// Rust's standard library, by the layout of its fields (checked with 1.63; later ones put
// the buffer one field deeper). A slice is a fat pointer, a Vec a buffer with a length
// behind it. Names are those of the debug information: "alloc::vec::Vec<u32, ...>", "&[u8]".
#include "probes/capture/containers/fields.h"
#include "probes/capture/containers/libraries.h"
#include "probes/language/type_rules.h"

namespace nohalt::capture::containers {

using symbols::strip_typedefs;

namespace {

// The pointer that a buffer keeps, under as many wrappers of one field as it has.
std::optional<std::uint64_t> buffer_pointer(const Type* type, int depth) {
  const Type* real = strip_typedefs(type);
  if (real->kind == symbols::TypeKind::kPointer) return 0;
  if (real->kind != symbols::TypeKind::kStruct || depth == 0) return std::nullopt;
  for (const symbols::Member& member : real->members) {
    const bool leads_on =
        member.name == "ptr" || member.name == "pointer" || member.name == "inner";
    if (!leads_on || member.type == nullptr) continue;
    const auto at = buffer_pointer(member.type, depth - 1);
    return at ? std::optional(member.byte_offset + *at) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<Container> vector(const Type* type) {
  const auto buffer = find_field(type, {"buf"});
  const auto length = find_word(type, {"len"});
  const Type* item = type->template_types.empty() ? nullptr : sized(type->template_types[0]);
  const auto pointer = buffer ? buffer_pointer(buffer->type, 5) : std::nullopt;
  if (!pointer || !length || item == nullptr) return std::nullopt;
  const std::uint64_t begin = buffer->at + *pointer;
  if (begin + 8 > type->byte_size) return std::nullopt;
  return Container{Items::Kind::kSequence, item, Row{begin, {}, length->at, 0, {}}};
}

std::optional<Container> slice(const Type* type) {
  const auto begin = find_pointer(type, {"data_ptr"});
  const auto length = find_word(type, {"length"});
  const Type* item = begin ? sized(begin->type->target) : nullptr;
  if (!length || item == nullptr) return std::nullopt;
  return Container{Items::Kind::kSequence, item, Row{begin->at, {}, length->at, 0, {}}};
}

bool is_slice(std::string_view name) {
  for (const std::string_view front : {"&[", "&mut [", "*const [", "*mut [", "alloc::boxed::Box<["})
    if (name.starts_with(front)) return true;
  return false;
}

}  // namespace

std::optional<Container> rust_container(const Type* type) {
  if (std::string_view(type->name).starts_with("alloc::vec::Vec<")) return vector(type);
  return is_slice(type->name) ? slice(type) : std::nullopt;
}

std::optional<Text> rust_text(const Type* type) {
  if (!language::is_rust_text(type)) return std::nullopt;
  const language::StdStringLayout layout = language::std_string_layout(type);
  return Text{layout.pointer_offset, layout.length_offset, false, 0, 0};
}

}  // namespace nohalt::capture::containers
