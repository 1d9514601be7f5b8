// LLVM's standard library in its default ABI. Members and nodes are those that LLDB's
// formatters rely on (lldb/source/Plugins/Language/CPlusPlus). What may be empty lies in a
// __compressed_pair, whose first half is its first `__value_`.
#include "probes/capture/containers/fields.h"
#include "probes/capture/containers/libraries.h"
#include "probes/language/type_rules.h"

namespace nohalt::capture::containers {

using symbols::strip_typedefs;

namespace {

// The node type: what the allocator in the pair's second half makes.
const Type* allocated(const std::optional<Field>& pair, std::string_view node_name) {
  if (!pair || pair->type->template_types.size() < 2) return nullptr;
  const Type* allocator = strip_typedefs(pair->type->template_types[1]);
  if (allocator->template_types.empty()) return nullptr;
  const Type* node = strip_typedefs(allocator->template_types[0]);
  return node->name.starts_with(node_name) ? sized(node) : nullptr;
}

struct NodeItem {
  const Type* item = nullptr;
  std::uint64_t at = 0;
};

// Maps keep their pair in a wrapper.
std::optional<NodeItem> item_of(const Type* node) {
  const auto value = node == nullptr ? std::nullopt : find_field(node, {"__value_"});
  if (!value) return std::nullopt;
  NodeItem found{sized(value->member->type), value->at};
  const bool wrapped = value->type->name.starts_with("std::__1::__value_type<") ||
                       value->type->name.starts_with("std::__1::__hash_value_type<");
  if (wrapped) {
    const auto pair = find_field(value->type, {"__cc_"});
    if (!pair) return std::nullopt;
    found = {sized(pair->member->type), value->at + pair->at};
  }
  if (found.item == nullptr) return std::nullopt;
  if (found.at + strip_typedefs(found.item)->byte_size > node->byte_size) return std::nullopt;
  return found;
}

std::optional<Container> vector(const Type* type) {
  const auto begin = find_pointer(type, {"__begin_"});
  if (!begin) return std::nullopt;
  if (const auto count = find_word(type, {"__size_"})) {
    const Type* item = type->template_types.empty() ? nullptr : type->template_types[0];
    const bool holds_bits = item != nullptr && strip_typedefs(item)->name == "bool";
    if (!holds_bits) return std::nullopt;
    return Container{Items::Kind::kBits, item, BitRow{begin->at, {}, 0, count->at}};
  }
  const auto end = find_pointer(type, {"__end_"});
  const auto limit = find_pointer(type, {"__end_cap_", "__value_"});
  const Type* item = sized(begin->type->target);
  if (!end || !limit || item == nullptr) return std::nullopt;
  return Container{Items::Kind::kSequence, item, Row{begin->at, end->at, {}, 0, limit->at}};
}

std::optional<Container> span(const Type* type) {
  const auto begin = find_pointer(type, {"__data_"});
  const Type* item = begin ? sized(begin->type->target) : nullptr;
  if (item == nullptr) return std::nullopt;
  Row row{begin->at, {}, {}, 0, {}};
  if (const auto count = find_word(type, {"__size_"}))
    row.count_at = count->at;
  else if (const auto fixed = last_argument(type->name))
    row.fixed_count = *fixed;
  else
    return std::nullopt;
  return Container{Items::Kind::kSequence, item, row};
}

std::optional<Container> deque(const Type* type) {
  constexpr std::uint64_t kBlockBytes = 4096;
  constexpr std::uint64_t kLargeItem = 256;
  constexpr std::uint64_t kLargeItems = 16;  // in a block
  const auto map = find_pointer(type, {"__map_", "__begin_"});
  const auto start = find_word(type, {"__start_"});
  const auto count = find_word(type, {"__size_", "__value_"});
  if (!map || !start || !count || map->type->target == nullptr) return std::nullopt;
  const Type* block = strip_typedefs(map->type->target);
  const Type* item = block->kind == symbols::TypeKind::kPointer ? sized(block->target) : nullptr;
  if (item == nullptr) return std::nullopt;
  const std::uint64_t size = strip_typedefs(item)->byte_size;
  Blocks blocks;
  blocks.per_block = size < kLargeItem ? kBlockBytes / size : kLargeItems;
  blocks.map_at = map->at;
  blocks.start_at = start->at;
  blocks.count_at = count->at;
  return Container{Items::Kind::kSequence, item, blocks};
}

std::optional<Container> list(const Type* type) {
  const auto header = find_field(type, {"__end_"});
  const auto first = find_pointer(type, {"__end_", "__next_"});
  const auto count = find_word(type, {"__size_alloc_", "__value_"});
  if (!header || !first || !count) return std::nullopt;
  const Type* node = allocated(find_field(type, {"__size_alloc_"}), "std::__1::__list_node<");
  const auto item = item_of(node);
  const auto next = item ? find_pointer(node, {"__next_"}) : std::nullopt;
  if (!next) return std::nullopt;
  return Container{Items::Kind::kSequence, item->item,
                   Chain{first->at, count->at, header->at, next->at, item->at}};
}

std::optional<Container> chain(const std::optional<Field>& first, const Type* node,
                               std::optional<std::uint64_t> count_at, Items::Kind kind) {
  const auto item = first ? item_of(node) : std::nullopt;
  const auto next = item ? find_pointer(node, {"__next_"}) : std::nullopt;
  if (!next) return std::nullopt;
  return Container{kind, item->item, Chain{first->at, count_at, {}, next->at, item->at}};
}

std::optional<Container> forward_list(const Type* type) {
  return chain(find_pointer(type, {"__before_begin_", "__value_", "__next_"}),
               allocated(find_field(type, {"__before_begin_"}), "std::__1::__forward_list_node<"),
               {}, Items::Kind::kSequence);
}

std::optional<Container> hash(const Type* type, Items::Kind kind) {
  const auto count = find_word(type, {"__table_", "__p2_", "__value_"});
  if (!count) return std::nullopt;
  return chain(find_pointer(type, {"__table_", "__p1_", "__value_", "__next_"}),
               allocated(find_field(type, {"__table_", "__p1_"}), "std::__1::__hash_node<"),
               count->at, kind);
}

std::optional<Container> tree(const Type* type, Items::Kind kind) {
  const auto first = find_pointer(type, {"__tree_", "__begin_node_"});
  const auto header = find_field(type, {"__tree_", "__pair1_", "__value_"});
  const auto root = find_pointer(type, {"__tree_", "__pair1_", "__value_", "__left_"});
  const auto count = find_word(type, {"__tree_", "__pair3_", "__value_"});
  if (!first || !header || !root || !count) return std::nullopt;
  const Type* node = allocated(find_field(type, {"__tree_", "__pair1_"}), "std::__1::__tree_node<");
  const auto item = item_of(node);
  if (!item) return std::nullopt;
  const auto left = find_pointer(node, {"__left_"});
  const auto right = find_pointer(node, {"__right_"});
  const auto parent = find_pointer(node, {"__parent_"});
  if (!left || !right || !parent) return std::nullopt;
  return Container{
      kind, item->item,
      Tree{first->at, count->at, header->at, left->at, right->at, parent->at, item->at}};
}

std::optional<Container> optional(const Type* type) {
  const auto value = find_field(type, {"__val_"});
  const auto engaged = find_field(type, {"__engaged_"});
  if (!value || !engaged || engaged->type->byte_size != 1) return std::nullopt;
  const Type* item = sized(value->member->type);
  if (item == nullptr) return std::nullopt;
  return Container{Items::Kind::kOptional, item, Inside{value->at, engaged->at}};
}

std::optional<Container> variant(const Type* type) {
  const auto storage = find_field(type, {"__impl_", "__data"});
  const auto index = find_field(type, {"__impl_", "__index"});
  if (!storage || !index || !language::is_integral(index->type)) return std::nullopt;
  Choice choice{storage->at, index->at, index->type->byte_size, type->template_types};
  for (const Type* one : choice.alternatives) {
    if (sized(one) == nullptr || strip_typedefs(one)->byte_size > storage->type->byte_size)
      return std::nullopt;
  }
  if (choice.alternatives.empty()) return std::nullopt;
  return Container{Items::Kind::kVariant, nullptr, choice};
}

std::optional<Container> unique(const Type* type) {
  const auto pointer = find_pointer(type, {"__ptr_", "__value_"});
  return pointer ? owner_of(type, pointer->at, pointer->type) : std::nullopt;
}

std::optional<Container> shared(const Type* type) {
  const auto pointer = find_pointer(type, {"__ptr_"});
  const auto block = find_pointer(type, {"__cntrl_"});
  if (!pointer || !block) return std::nullopt;
  auto container = owner_of(type, pointer->at, pointer->type);
  const Type* counts = block->type->target;
  const auto uses = counts ? find_word(counts, {"__shared_owners_"}) : std::nullopt;
  const auto watchers = counts ? find_word(counts, {"__shared_weak_owners_"}) : std::nullopt;
  if (container && uses && watchers)
    std::get<Owner>(container->way).control = {block->at, uses->at, watchers->at, 8, 1};
  return container;
}

// The short form's length and the long form's mark share the first byte.
std::optional<Text> string(const Type* type) {
  const auto data = find_field(type, {"__r_", "__value_", "__s", "__data_"});
  const auto mark = find_field(type, {"__r_", "__value_", "__s", "__is_long_"});
  const auto short_length = find_field(type, {"__r_", "__value_", "__s", "__size_"});
  const auto pointer = find_pointer(type, {"__r_", "__value_", "__l", "__data_"});
  const auto length = find_word(type, {"__r_", "__value_", "__l", "__size_"});
  if (!data || !mark || !short_length || !pointer || !length) return std::nullopt;
  const bool is_usual = mark->member->bit_offset == 0U && mark->member->bit_size == 1 &&
                        short_length->member->bit_offset == 1U &&
                        short_length->member->bit_size == 7 && mark->at == short_length->at;
  const std::uint32_t unit = language::text_unit(pointer->type->target);
  if (!is_usual || unit == 0) return std::nullopt;
  return Text{pointer->at, length->at, true, data->at, mark->at, unit};
}

}  // namespace

std::optional<Container> libcxx_container(std::string_view name, const Type* type) {
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

std::optional<Text> libcxx_text(std::string_view name, const Type* type) {
  if (name == "basic_string") return string(type);
  if (name != "basic_string_view") return std::nullopt;
  const auto pointer = find_pointer(type, {"__data_"});
  const auto length = find_word(type, {"__size_"});
  const std::uint32_t unit = pointer ? language::text_unit(pointer->type->target) : 0;
  if (!length || unit == 0) return std::nullopt;
  return Text{.pointer_at = pointer->at, .length_at = length->at, .unit = unit};
}

}  // namespace nohalt::capture::containers
