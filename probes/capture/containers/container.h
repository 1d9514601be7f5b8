// What a container's bytes look like, in the few ways that containers are made:
// enough to walk one without knowing which library's it is.
//
// Offsets are in bytes; those named `..._at` count from the container's first byte,
// those in a node from the node's.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "probes/capture/layout.h"
#include "probes/symbols/types.h"

namespace nohalt::capture::containers {

using symbols::Type;

// Items side by side, from the one that a pointer leads to.
struct Row {
  std::uint64_t begin_at = 0;
  // How many: one of these three.
  std::optional<std::uint64_t> end_at;  // a pointer past the last
  std::optional<std::uint64_t> count_at;
  std::uint64_t fixed_count = 0;
  std::optional<std::uint64_t> limit_at;  // a pointer past the room; may be checked
  std::uint64_t behind = 0;               // so far behind the pointer the first one lies
};

// Bools in words, from the one that a pointer leads to.
struct BitRow {
  std::uint64_t begin_at = 0;
  // How many: a pointer to the last word in use and the bits in it, or a number.
  std::optional<std::uint64_t> end_at;
  std::uint64_t end_bits_at = 0;  // a u32
  std::optional<std::uint64_t> count_at;
};

// Nodes that each lead to the next.
struct Chain {
  std::uint64_t first_at = 0;  // the pointer to the first node
  std::optional<std::uint64_t> count_at;
  // The last node leads to this place in the container; absent: to nothing.
  std::optional<std::uint64_t> stop_at;
  std::uint64_t next = 0;
  std::uint64_t item = 0;
};

// An ordered tree whose nodes know their parents. The root's parent is a header in
// the container, whose left is the root (libc++), or which is its own root's parent
// and child (libstdc++).
struct Tree {
  std::uint64_t first_at = 0;  // the pointer to the leftmost node
  std::uint64_t count_at = 0;
  std::uint64_t stop_at = 0;  // the header
  // Pointers in a node, in its first 32 bytes.
  std::uint64_t left = 0;
  std::uint64_t right = 0;
  std::uint64_t parent = 0;
  std::uint64_t item = 0;
};

// Blocks of so many items each, from the one that a pointer's pointer leads to.
struct Blocks {
  std::uint64_t per_block = 1;
  std::uint64_t map_at = 0;  // pointer to the pointers to blocks
  // The first item's number in the first block, and how many there are ...
  std::uint64_t start_at = 0;
  std::uint64_t count_at = 0;
  // ... or, where `is_ranged`, pointers: the first item and its block, and past the last
  // item, its block, and the last block's pointer.
  bool is_ranged = false;
  std::uint64_t first_at = 0;
  std::uint64_t first_block_at = 0;
  std::uint64_t past_at = 0;
  std::uint64_t past_block_at = 0;
  std::uint64_t past_map_at = 0;
};

// Items side by side in a ring: the one behind the last place is in the first.
struct Ring {
  std::uint64_t begin_at = 0;     // pointer to the first place
  std::uint64_t capacity_at = 0;  // how many places there are
  std::uint64_t first_at = 0;     // the first item's number among them
  // How many: a number, or the place behind the last item, of so many as a power of two.
  std::optional<std::uint64_t> count_at;
  std::uint64_t past_at = 0;
};

// Items in the buckets of a hash table, which lie below its control bytes, the first one
// uppermost. A control byte whose top bit is clear says that its bucket is full.
struct Table {
  std::uint64_t control_at = 0;  // pointer to the control bytes
  std::uint64_t mask_at = 0;     // one less than there are buckets, a power of two
  std::uint64_t count_at = 0;
  std::uint64_t bucket = 0;  // its size
  std::uint64_t item = 0;    // in the bucket
};

// A tree whose nodes hold several keys, in order, and beside them as many values; one
// above the leaves has a child on either side of each. All leaves are equally deep.
struct BTree {
  std::uint64_t root_at = 0;    // pointer to the root
  std::uint64_t height_at = 0;  // of the root above the leaves
  std::uint64_t count_at = 0;
  // In a node; `children` only above the leaves.
  std::uint64_t length = 0;  // a u16
  std::uint64_t parent = 0;
  std::uint64_t children = 0;
  std::uint64_t keys = 0;
  std::uint64_t values = 0;
  std::uint64_t capacity = 0;
  const Type* key = nullptr;
  const Type* value = nullptr;  // null: a set
};

// One item in the container's own bytes, there where a byte is not 0.
struct Inside {
  std::uint64_t at = 0;
  std::uint64_t engaged_at = 0;
};

// One item of several types in the container's own bytes.
struct Choice {
  std::uint64_t at = 0;
  std::uint64_t index_at = 0;
  std::uint64_t index_size = 1;
  std::vector<const Type*> alternatives;
};

// A pointer to one item, perhaps with a control block that counts its owners. The
// owners have a share in watching: while there are any they count as one watcher.
struct Owner {
  std::uint64_t pointer_at = 0;
  bool has_more = false;  // the first of several, nobody knows how many
  struct Control {
    std::uint64_t pointer_at = 0;
    std::uint64_t uses = 0;      // in the control block
    std::uint64_t watchers = 0;  // in the control block
    std::uint64_t size = 4;      // of either
    std::uint64_t less = 0;      // what is stored is so much less than what is meant
  };
  std::optional<Control> control;
  std::uint64_t behind = 0;     // so far behind the pointer the item lies
  bool may_be_nowhere = false;  // a pointer of ones only leads to nothing
};

using Way =
    std::variant<Row, BitRow, Chain, Tree, Blocks, Ring, Table, BTree, Inside, Choice, Owner>;

struct Container {
  Items::Kind kind = Items::Kind::kSequence;
  // Null: several (Choice), in two parts (BTree), or one that nobody knows (void).
  const Type* item = nullptr;
  Way way;
};

// Not what is optional, one of several, or pointed to.
[[nodiscard]] constexpr bool has_many(Items::Kind kind) {
  return kind != Items::Kind::kOptional && kind != Items::Kind::kVariant &&
         kind != Items::Kind::kPointer;
}

// A text that is known by its length.
struct Text {
  std::uint64_t pointer_at = 0;
  std::uint64_t length_at = 0;
  // libc++'s string: a short one is in the object itself, from `short_at`, and the
  // byte `tag_at` is twice its length; a long one has that byte's lowest bit set.
  bool may_be_short = false;
  std::uint64_t short_at = 0;
  std::uint64_t tag_at = 0;
  std::uint32_t unit = 1;    // bytes of a character; lengths count characters
  std::uint64_t behind = 0;  // so far behind the pointer the first character lies
};

}  // namespace nohalt::capture::containers
