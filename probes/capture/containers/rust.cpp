// Rust's standard library, by the names of its fields (checked with 1.63; later ones put
// the buffer one field deeper, and count a VecDeque's items). A slice is a fat pointer, a Vec a
// buffer with a length behind it. Names are those of the debug information: "alloc::vec::Vec<u32,
// ...>", "&[u8]".
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

// A number of 8 bytes, bare or as the one field of a type of its own.
std::optional<std::uint64_t> capacity(const Type* buffer) {
  for (const auto& path : {std::vector<std::string_view>{"cap"}, {"inner", "cap"}}) {
    const Type* type = buffer;
    std::uint64_t at = 0;
    for (const std::string_view step : path) {
      const auto field = type ? find_field(type, {step}) : std::nullopt;
      type = field ? field->type : nullptr;
      at += field ? field->at : 0;
    }
    if (type != nullptr && type->byte_size == 8) return at;
  }
  return std::nullopt;
}

std::optional<Container> ring(const Type* type) {
  const auto buffer = find_field(type, {"buf"});
  const auto pointer = buffer ? buffer_pointer(buffer->type, 5) : std::nullopt;
  const auto places = buffer ? capacity(buffer->type) : std::nullopt;
  const auto head = find_word(type, {"head"});
  const auto tail = find_word(type, {"tail"});
  const auto length = find_word(type, {"len"});
  const Type* item = type->template_types.empty() ? nullptr : sized(type->template_types[0]);
  if (!pointer || !places || !head || !tail == !length || item == nullptr) return std::nullopt;
  Ring way;
  way.begin_at = buffer->at + *pointer;
  way.capacity_at = buffer->at + *places;
  way.first_at = tail ? tail->at : head->at;
  if (length) way.count_at = length->at;
  way.past_at = head->at;
  if (std::max(way.begin_at, way.capacity_at) + 8 > type->byte_size) return std::nullopt;
  return Container{Items::Kind::kSequence, item, way};
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
  const auto is_a = [&](std::string_view front) { return type->name.starts_with(front); };
  if (is_a("alloc::vec::Vec<")) return vector(type);
  if (is_a("alloc::collections::vec_deque::VecDeque<")) return ring(type);
  if (is_a("std::collections::hash::map::HashMap<") || is_a("hashbrown::map::HashMap<"))
    return rust_hash(type, Items::Kind::kMap);
  if (is_a("std::collections::hash::set::HashSet<") || is_a("hashbrown::set::HashSet<"))
    return rust_hash(type, Items::Kind::kSet);
  if (is_a("alloc::collections::btree::map::BTreeMap<")) return rust_btree(type, Items::Kind::kMap);
  if (is_a("alloc::collections::btree::set::BTreeSet<")) return rust_btree(type, Items::Kind::kSet);
  if (is_a("alloc::rc::") || is_a("alloc::sync::")) return rust_owner(type);
  return is_slice(type->name) ? slice(type) : std::nullopt;
}

std::optional<Text> rust_text(const Type* type) {
  if (auto shared = rust_shared_text(type)) return shared;
  if (!language::is_rust_text(type)) return std::nullopt;
  const language::StdStringLayout layout = language::std_string_layout(type);
  return Text{layout.pointer_offset, layout.length_offset, false, 0, 0};
}

}  // namespace nohalt::capture::containers
