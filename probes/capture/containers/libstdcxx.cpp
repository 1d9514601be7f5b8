// GCC's standard library. The members are those that its pretty-printers for GDB rely on
// (libstdc++-v3/python/libstdcxx/v6/printers.py), which are part of what it promises not
// to change. What a node is called is said by the allocator that makes it.
#include "probes/capture/containers/fields.h"
#include "probes/capture/containers/libraries.h"
#include "probes/language/type_rules.h"

namespace nohalt::capture::containers {

using symbols::strip_typedefs;

namespace {

constexpr std::uint64_t kDequeBlock = 512;

// The first type argument of a class template. GCC leaves those of a class out whose
// definition nothing needed; its base has them then.
const Type* argument(const Type* type, int nesting = 0) {
  const Type* real = type == nullptr ? nullptr : strip_typedefs(type);
  if (real == nullptr || nesting > 4) return nullptr;
  if (!real->template_types.empty()) return strip_typedefs(real->template_types[0]);
  for (const symbols::Member& base : real->members) {
    const Type* found = base.is_base_class ? argument(base.type, nesting + 1) : nullptr;
    if (found != nullptr) return found;
  }
  return nullptr;
}

// The node type: what the first base of the implementation allocates.
const Type* allocated(const Type* implementation, std::string_view node_name) {
  const Type* real = strip_typedefs(implementation);
  for (const symbols::Member& base : real->members) {
    if (!base.is_base_class || base.type == nullptr) continue;
    const Type* node = argument(base.type);
    const bool fits = node != nullptr && node->name.starts_with(node_name);
    if (fits && sized(node) != nullptr) return node;
  }
  return nullptr;
}

struct NodeItem {
  const Type* item = nullptr;
  std::uint64_t at = 0;
};

// A node keeps its item in a buffer that is a template of the item's type.
std::optional<NodeItem> item_of(const Type* node) {
  const auto buffer = node == nullptr ? std::nullopt : find_field(node, {"_M_storage"});
  if (!buffer || buffer->type->template_types.empty()) return std::nullopt;
  const Type* item = sized(buffer->type->template_types[0]);
  if (item == nullptr || buffer->at + strip_typedefs(item)->byte_size > node->byte_size)
    return std::nullopt;
  return NodeItem{item, buffer->at};
}

std::optional<Container> bits(const Type* type) {
  const auto begin = find_pointer(type, {"_M_impl", "_M_start", "_M_p"});
  const auto end = find_pointer(type, {"_M_impl", "_M_finish", "_M_p"});
  const auto left = find_field(type, {"_M_impl", "_M_finish", "_M_offset"});
  if (!begin || !end || !left || left->type->byte_size != 4) return std::nullopt;
  BitRow row{begin->at, end->at, left->at, {}};
  const Type* item = type->template_types.empty() ? nullptr : type->template_types[0];
  return Container{Items::Kind::kBits, item, row};
}

std::optional<Container> vector(const Type* type) {
  if (!find_field(type, {"_M_impl", "_M_start"})) return std::nullopt;
  const auto begin = find_pointer(type, {"_M_impl", "_M_start"});
  if (!begin) return bits(type);
  const auto end = find_pointer(type, {"_M_impl", "_M_finish"});
  const auto limit = find_pointer(type, {"_M_impl", "_M_end_of_storage"});
  const Type* item = sized(begin->type->target);
  if (!end || !limit || item == nullptr) return std::nullopt;
  return Container{Items::Kind::kSequence, item, Row{begin->at, end->at, {}, 0, limit->at}};
}

std::optional<Container> span(const Type* type) {
  const auto begin = find_pointer(type, {"_M_ptr"});
  const Type* item = begin ? sized(begin->type->target) : nullptr;
  if (item == nullptr) return std::nullopt;
  Row row{begin->at, {}, {}, 0, {}};
  if (const auto count = find_word(type, {"_M_extent", "_M_extent_value"}))
    row.count_at = count->at;
  else if (const auto fixed = last_argument(type->name))
    row.fixed_count = *fixed;
  else
    return std::nullopt;
  return Container{Items::Kind::kSequence, item, row};
}

std::optional<Container> deque(const Type* type) {
  const auto first = find_pointer(type, {"_M_impl", "_M_start", "_M_cur"});
  const auto block = find_pointer(type, {"_M_impl", "_M_start", "_M_first"});
  const auto map = find_pointer(type, {"_M_impl", "_M_start", "_M_node"});
  const auto past = find_pointer(type, {"_M_impl", "_M_finish", "_M_cur"});
  const auto past_block = find_pointer(type, {"_M_impl", "_M_finish", "_M_first"});
  const auto past_map = find_pointer(type, {"_M_impl", "_M_finish", "_M_node"});
  const Type* item = first ? sized(first->type->target) : nullptr;
  if (!block || !map || !past || !past_block || !past_map || item == nullptr) return std::nullopt;
  Blocks blocks;
  blocks.per_block = std::max<std::uint64_t>(1, kDequeBlock / strip_typedefs(item)->byte_size);
  blocks.map_at = map->at;
  blocks.is_ranged = true;
  blocks.first_at = first->at;
  blocks.first_block_at = block->at;
  blocks.past_at = past->at;
  blocks.past_block_at = past_block->at;
  blocks.past_map_at = past_map->at;
  return Container{Items::Kind::kSequence, item, blocks};
}

std::optional<Container> list(const Type* type) {
  const auto header = find_field(type, {"_M_impl", "_M_node"});
  const auto first = find_pointer(type, {"_M_impl", "_M_node", "_M_next"});
  const auto count = find_word(type, {"_M_impl", "_M_node", "_M_size"});
  const auto implementation = find_field(type, {"_M_impl"});
  if (!header || !first || !count) return std::nullopt;
  const Type* node = allocated(implementation->type, "std::_List_node<");
  const auto item = item_of(node);
  const auto next = item ? find_pointer(node, {"_M_next"}) : std::nullopt;
  if (!next) return std::nullopt;
  return Container{Items::Kind::kSequence, item->item,
                   Chain{first->at, count->at, header->at, next->at, item->at}};
}

std::optional<Container> forward_list(const Type* type) {
  const auto first = find_pointer(type, {"_M_impl", "_M_head", "_M_next"});
  const auto implementation = find_field(type, {"_M_impl"});
  if (!first) return std::nullopt;
  const Type* node = allocated(implementation->type, "std::_Fwd_list_node<");
  const auto item = item_of(node);
  const auto next = item ? find_pointer(node, {"_M_next"}) : std::nullopt;
  if (!next) return std::nullopt;
  return Container{Items::Kind::kSequence, item->item,
                   Chain{first->at, {}, {}, next->at, item->at}};
}

std::optional<Container> tree(const Type* type, Items::Kind kind) {
  const auto implementation = find_field(type, {"_M_t", "_M_impl"});
  const auto header = find_field(type, {"_M_t", "_M_impl", "_M_header"});
  const auto first = find_pointer(type, {"_M_t", "_M_impl", "_M_header", "_M_left"});
  const auto count = find_word(type, {"_M_t", "_M_impl", "_M_node_count"});
  if (!header || !first || !count) return std::nullopt;
  const Type* node = allocated(implementation->type, "std::_Rb_tree_node<");
  const auto item = item_of(node);
  if (!item) return std::nullopt;
  const auto left = find_pointer(node, {"_M_left"});
  const auto right = find_pointer(node, {"_M_right"});
  const auto parent = find_pointer(node, {"_M_parent"});
  if (!left || !right || !parent) return std::nullopt;
  return Container{
      kind, item->item,
      Tree{first->at, count->at, header->at, left->at, right->at, parent->at, item->at}};
}

std::optional<Container> hash(const Type* type, Items::Kind kind) {
  const auto table = find_field(type, {"_M_h"});
  const auto first = find_pointer(type, {"_M_h", "_M_before_begin", "_M_nxt"});
  const auto count = find_word(type, {"_M_h", "_M_element_count"});
  if (!first || !count) return std::nullopt;
  for (const symbols::Member& base : table->type->members) {
    if (!base.is_base_class || base.type == nullptr) continue;
    const Type* maker = strip_typedefs(base.type);
    if (!maker->name.starts_with("std::__detail::_Hashtable_alloc<")) continue;
    const Type* node = argument(argument(maker));
    if (node == nullptr || !node->name.starts_with("std::__detail::_Hash_node<")) continue;
    const auto item = sized(node) != nullptr ? item_of(node) : std::nullopt;
    const auto next = item ? find_pointer(node, {"_M_nxt"}) : std::nullopt;
    if (!next) return std::nullopt;
    return Container{kind, item->item, Chain{first->at, count->at, {}, next->at, item->at}};
  }
  return std::nullopt;
}

std::optional<Container> optional(const Type* type) {
  const auto value = find_field(type, {"_M_payload", "_M_payload", "_M_value"});
  const auto engaged = find_field(type, {"_M_payload", "_M_engaged"});
  if (!value || !engaged || engaged->type->byte_size != 1) return std::nullopt;
  const Type* item = sized(value->member->type);
  if (item == nullptr) return std::nullopt;
  return Container{Items::Kind::kOptional, item, Inside{value->at, engaged->at}};
}

std::optional<Container> variant(const Type* type) {
  const auto storage = find_field(type, {"_M_u"});
  const auto index = find_field(type, {"_M_index"});
  if (!storage || !index || !language::is_integral(index->type)) return std::nullopt;
  Choice choice{storage->at, index->at, index->type->byte_size, type->template_types};
  for (const Type* one : choice.alternatives) {
    if (sized(one) == nullptr || strip_typedefs(one)->byte_size > storage->type->byte_size)
      return std::nullopt;
  }
  if (choice.alternatives.empty()) return std::nullopt;
  return Container{Items::Kind::kVariant, nullptr, choice};
}

// The pointer is the first item of a tuple with the deleter.
std::optional<Container> unique(const Type* type) {
  const auto pair = find_field(type, {"_M_t", "_M_t"});
  if (!pair) return std::nullopt;
  for (const Type* level = pair->type; level != nullptr;) {
    const Type* next = nullptr;
    for (const symbols::Member& base : level->members) {
      if (!base.is_base_class || base.type == nullptr) continue;
      const Type* real = strip_typedefs(base.type);
      if (real->name.starts_with("std::_Head_base<0")) {
        const auto head = find_pointer(real, {"_M_head_impl"});
        if (!head) return std::nullopt;
        return owner_of(type, pair->at + base.byte_offset + head->at, head->type);
      }
      if (real->name.starts_with("std::_Tuple_impl<0") && base.byte_offset == 0) next = real;
    }
    level = next;
  }
  return std::nullopt;
}

std::optional<Container> shared(const Type* type) {
  const auto pointer = find_pointer(type, {"_M_ptr"});
  const auto block = find_pointer(type, {"_M_refcount", "_M_pi"});
  if (!pointer || !block) return std::nullopt;
  auto container = owner_of(type, pointer->at, pointer->type);
  const Type* counts = block->type->target;
  const auto uses = counts ? find_field(counts, {"_M_use_count"}) : std::nullopt;
  const auto watchers = counts ? find_field(counts, {"_M_weak_count"}) : std::nullopt;
  const bool known =
      uses && watchers && uses->type->byte_size == 4 && watchers->type->byte_size == 4;
  if (container && known)
    std::get<Owner>(container->way).control = {block->at, uses->at, watchers->at, 4, 0};
  return container;
}

}  // namespace

std::optional<Container> libstdcxx_container(std::string_view name, const Type* type) {
  if (name == "vector") return vector(type);
  if (name == "span") return span(type);
  if (name == "deque") return deque(type);
  if (name == "list") return list(type);
  if (name == "forward_list") return forward_list(type);
  if (name == "optional") return optional(type);
  if (name == "variant") return variant(type);
  if (name == "unique_ptr") return unique(type);
  if (name == "shared_ptr" || name == "weak_ptr") return shared(type);
  if (const auto kind = tree_kind(name)) return tree(type, *kind);
  if (const auto kind = hash_kind(name)) return hash(type, *kind);
  return std::nullopt;
}

std::optional<Text> libstdcxx_text(std::string_view name, const Type* type) {
  const bool view = name == "basic_string_view";
  if (!view && name != "basic_string") return std::nullopt;
  const auto pointer =
      view ? find_pointer(type, {"_M_str"}) : find_pointer(type, {"_M_dataplus", "_M_p"});
  const auto length = find_word(type, {view ? "_M_len" : "_M_string_length"});
  const std::uint32_t unit = pointer ? language::text_unit(pointer->type->target) : 0;
  if (!length || unit == 0) return std::nullopt;
  return Text{.pointer_at = pointer->at, .length_at = length->at, .unit = unit};
}

}  // namespace nohalt::capture::containers
