// Rust's maps and sets: hash tables (hashbrown's) and B-trees, by the names of their fields, which
// have been the same from 1.63 on; where they lie has not, and is taken from the debug
// information. A set is a map to nothing.
#include "probes/capture/containers/fields.h"
#include "probes/capture/containers/libraries.h"
#include "probes/language/type_rules.h"

namespace nohalt::capture::containers {

using symbols::strip_typedefs;
using symbols::TypeKind;

namespace {

constexpr std::uint64_t kPointer = 8;

// Of an array, as long as `count` items of that size.
std::optional<std::uint64_t> array_at(const Type* type, std::string_view name, std::uint64_t count,
                                      std::uint64_t size) {
  const auto field = find_field(type, {name});
  const bool fits = field && field->type->kind == TypeKind::kArray &&
                    field->type->element_count == count && field->type->byte_size == count * size &&
                    field->at + count * size <= type->byte_size;
  return fits ? std::optional(field->at) : std::nullopt;
}

// The field of fields that begins with that name, in as many wrappers as a library has.
std::optional<Field> raw_table(const Type* type) {
  Field at{0, type, nullptr};
  for (int nesting = 0; nesting < 4; ++nesting) {
    std::optional<Field> next;
    for (const std::string_view name : {"table", "map", "base"})
      if (!next) next = find_field(at.type, {name});
    if (!next) return std::nullopt;
    next->at += at.at;
    at = *next;
    if (at.type->name.starts_with("hashbrown::raw::RawTable<")) return at;
  }
  return std::nullopt;
}

std::optional<Container> btree(const Type* map, std::uint64_t at) {
  const auto root = find_pointer(map, {"root", "Some", "__0", "node", "pointer"});
  const auto height = find_word(map, {"root", "Some", "__0", "height"});
  const auto count = find_word(map, {"length"});
  const bool is_typed = map->template_types.size() >= 2 && sized(map->template_types[0]) != nullptr;
  if (!root || !height || !count || !is_typed) return std::nullopt;
  const Type* leaf = strip_typedefs(root->type->target);
  const auto parent = find_pointer(leaf, {"parent", "Some", "__0", "pointer"});
  const auto length = find_field(leaf, {"len"});
  const auto keys = find_field(leaf, {"keys"});
  if (!parent || !length || length->type->byte_size != 2 || !keys) return std::nullopt;
  const Type* inner = strip_typedefs(parent->type->target);
  BTree tree;
  tree.root_at = at + root->at;
  tree.height_at = at + height->at;
  tree.count_at = at + count->at;
  tree.length = length->at;
  tree.parent = parent->at;
  tree.capacity = keys->type->element_count.value_or(0);
  tree.key = map->template_types[0];
  tree.value = sized(map->template_types[1]);
  const auto keys_at = array_at(leaf, "keys", tree.capacity, strip_typedefs(tree.key)->byte_size);
  const auto values_at =
      array_at(leaf, "vals", tree.capacity, tree.value ? strip_typedefs(tree.value)->byte_size : 0);
  const auto children = array_at(inner, "edges", tree.capacity + 1, kPointer);
  const auto data = find_field(inner, {"data"});
  if (!keys_at || !children || (tree.value && !values_at)) return std::nullopt;
  if (tree.capacity == 0 || !data || data->at != 0 || data->type != leaf) return std::nullopt;
  tree.keys = *keys_at;
  tree.values = values_at.value_or(0);
  tree.children = *children;
  if (tree.value != nullptr) return Container{Items::Kind::kMap, nullptr, tree};
  return Container{Items::Kind::kSet, tree.key, tree};
}

}  // namespace

std::optional<Container> rust_hash(const Type* type, Items::Kind kind) {
  const auto table = raw_table(type);
  const bool is_typed = table && !table->type->template_types.empty();
  const Type* bucket = is_typed ? sized(table->type->template_types[0]) : nullptr;
  const auto control =
      table ? find_pointer(table->type, {"table", "ctrl", "pointer"}) : std::nullopt;
  const auto mask = table ? find_word(table->type, {"table", "bucket_mask"}) : std::nullopt;
  const auto count = table ? find_word(table->type, {"table", "items"}) : std::nullopt;
  if (bucket == nullptr || !control || !mask || !count) return std::nullopt;
  const auto key = find_field(bucket, {"__0"});
  if (!key || !find_field(bucket, {"__1"})) return std::nullopt;
  Table way;
  way.control_at = table->at + control->at;
  way.mask_at = table->at + mask->at;
  way.count_at = table->at + count->at;
  way.bucket = strip_typedefs(bucket)->byte_size;
  if (kind == Items::Kind::kMap) return Container{kind, bucket, way};
  way.item = key->at;
  const Type* item = sized(key->member->type);
  return item != nullptr ? std::optional(Container{kind, item, way}) : std::nullopt;
}

std::optional<Container> rust_btree(const Type* type, Items::Kind kind) {
  if (kind == Items::Kind::kMap) return btree(type, 0);
  const auto map = find_field(type, {"map"});
  return map ? btree(map->type, map->at) : std::nullopt;
}

}  // namespace nohalt::capture::containers
