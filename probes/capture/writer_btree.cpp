// A B-tree in order, from the leftmost leaf, without ever going back up: the way down is kept
// for as many levels as the items that are shown can need. That is few, because a node other
// than the root has at least five keys: the way from a leaf to the node above it is taken
// after 5 items, one level more after 35, another after 215. Each step down to a
// leaf is checked from both ends, by the child's own pointer to its parent; see Knuth, The Art of
// Computer Programming 6.2.4, for the tree, and library/alloc/src/collections/btree/node.rs for
// Rust's.
#include "probes/capture/hidden.h"
#include "probes/capture/writer.h"

namespace nohalt::capture {

using symbols::strip_typedefs;
using R = Register;

namespace {

constexpr std::size_t kFewestKeys = 5;
// Of a tree so high there are 3 million items at least.
constexpr std::size_t kMostHeight = 8;

// How many levels above the leaf it is at most that has the item with that number.
std::size_t levels_to(std::size_t number) {
  std::size_t levels = 0;
  for (std::size_t below = kFewestKeys; below <= number;
       below = below * (kFewestKeys + 1) + kFewestKeys)
    ++levels;
  return levels;
}

}  // namespace

bool Writer::count_btree(const Descent& descent, Dest height) {
  const StackScope scope(code_);
  const containers::BTree& tree = descent.tree;
  const auto [low, high] = std::minmax({tree.root_at, tree.height_at, tree.count_at});
  const auto found = words(descent.walk, low, high + 8 - low);
  if (!found) return false;
  code_.copy(descent.levels[0].node, found->plus(tree.root_at - low), 8);
  code_.copy(height, found->plus(tree.height_at - low), 8);
  for (const Descent::Level& level : descent.levels) code_.store(Size::k8, level.next, 0);
  for (std::size_t i = 1; i < descent.levels.size(); ++i)
    code_.store(Size::k8, descent.levels[i].node, 0);
  code_.load(Size::k8, R::kR2, found->plus(tree.count_at - low));
  count_is(descent.walk, R::kR2, descent.cursor.left);
  return true;
}

// From the node of that level to the child before its next key, which goes to the level below.
void Writer::go_down(const Descent& descent, std::size_t level) {
  const StackScope scope(code_);
  const Walk& walk = descent.walk;
  const Dest child = descent.levels[level - 1].node;
  code_.load(Size::k8, R::kR3, descent.levels[level].next);
  code_.alu(AluOp::kShiftLeft, R::kR3, 3);
  code_.load(Size::k8, R::kR1, descent.levels[level].node);
  code_.alu(AluOp::kAdd, R::kR3, R::kR1);
  code_.alu(AluOp::kAdd, R::kR3, descent.tree.children);
  generator_.read(Helper::kReadUser, child, 8, {walk.done, nullptr});
  check_parent(descent, level);
  code_.store(Size::k8, descent.levels[level - 1].next, 0);
}

// That the node below the one of that level knows it.
void Writer::check_parent(const Descent& descent, std::size_t level) {
  const Walk& walk = descent.walk;
  load_address({.bytes = {}, .base = descent.levels[level - 1].node}, descent.tree.parent);
  generator_.read(Helper::kReadUser, descent.value, 8, {walk.done, nullptr});
  end(walk, status_of(kWhyDisagree));
  code_.load(Size::k8, R::kR1, descent.value);
  code_.load(Size::k8, R::kR2, descent.levels[level].node);
  code_.jump_if(JumpOp::kNotEqual, R::kR1, R::kR2, walk.done);
  end(walk, status_of(kWhyLink));
}

// How many keys the node of that level has.
void Writer::measure(const Descent& descent, std::size_t level, Dest length) {
  const Walk& walk = descent.walk;
  code_.store(Size::k8, length, 0);
  load_address({.bytes = {}, .base = descent.levels[level].node}, descent.tree.length);
  generator_.read(Helper::kReadUser, length, 2, {walk.done, nullptr});
  end(walk, status_of(kWhyDisagree));
  code_.load(Size::k8, R::kR2, length);
  code_.jump_if(JumpOp::kGreater, R::kR2, descent.tree.capacity, walk.done);
  end(walk, status_of(kWhyLink));
}

void Writer::to_first_leaf(const Descent& descent, Dest height) {
  const auto leaf = code_.label();
  const auto& levels = descent.levels;
  const auto root = code_.label();
  const Walk& walk = descent.walk;
  code_.load(Size::k8, R::kR1, height);
  code_.jump_if(JumpOp::kEqual, R::kR1, 0, root);
  end(walk, status_of(kWhyApart));
  code_.jump_if(JumpOp::kGreater, R::kR1, kMostHeight, walk.done);
  end(walk, status_of(kWhyLink));
  for (std::size_t step = 0; step < kMostHeight; ++step) {
    for (std::size_t i = levels.size() - 1; i > 0; --i)
      code_.copy(levels[i].node, levels[i - 1].node, 8);
    load_address({.bytes = {}, .base = levels[0].node}, descent.tree.children);
    generator_.read(Helper::kReadUser, levels[0].node, 8, {walk.done, nullptr});
    code_.load(Size::k8, R::kR1, height);
    code_.jump_if(JumpOp::kEqual, R::kR1, step + 1, leaf);
  }
  code_.jump(walk.done);
  code_.bind(leaf);
  check_parent(descent, 1);
  code_.bind(root);
  measure(descent, 0, descent.length);
}

// Past the next key of that level.
void Writer::pass_key(const Descent& descent, std::size_t level) {
  const Dest next = descent.levels[level].next;
  code_.load(Size::k8, R::kR1, next);
  code_.alu(AluOp::kAdd, R::kR1, 1);
  code_.store(Size::k8, next, R::kR1);
}

// The item to be shown is that of the key that was passed last on that level.
void Writer::place_item(const Descent& descent, std::size_t level) {
  const auto place = [&](Dest to, const Type* type) {
    code_.load(Size::k8, R::kR1, descent.levels[level].next);
    code_.alu(AluOp::kSub, R::kR1, 1);
    code_.alu(AluOp::kMul, R::kR1, strip_typedefs(type)->byte_size);
    code_.load(Size::k8, R::kR2, descent.levels[level].node);
    code_.alu(AluOp::kAdd, R::kR1, R::kR2);
    code_.store(Size::k8, to, R::kR1);
  };
  place(descent.cursor.at, descent.tree.key);
  if (descent.tree.value != nullptr) place(descent.value, descent.tree.value);
}

// To the item with that number: in the leaf, or above it where the leaf has no more.
void Writer::to_next(const Descent& descent, std::size_t number) {
  const auto found = code_.label();
  const auto in_leaf = code_.label();
  const Walk& walk = descent.walk;
  code_.load(Size::k8, R::kR1, descent.levels[0].next);
  code_.load(Size::k8, R::kR2, descent.length);
  code_.jump_if(JumpOp::kLess, R::kR1, R::kR2, in_leaf);
  for (std::size_t level = 1; level <= levels_to(number); ++level) {
    const auto higher = code_.label();
    end(walk, status_of(kWhyDisagree));
    code_.load(Size::k8, R::kR1, descent.levels[level].node);
    code_.jump_if(JumpOp::kEqual, R::kR1, 0, walk.done);
    end(walk, status_of(kWhyLink));
    measure(descent, level, descent.value);
    code_.load(Size::k8, R::kR1, descent.levels[level].next);
    code_.jump_if(JumpOp::kGreaterEqual, R::kR1, R::kR2, higher);
    pass_key(descent, level);
    for (std::size_t down = level; down > 0; --down) go_down(descent, down);
    measure(descent, 0, descent.length);
    place_item(descent, level);
    code_.jump(found);
    code_.bind(higher);
  }
  end(walk, status_of(kWhyDisagree));
  code_.jump(walk.done);
  code_.bind(in_leaf);
  pass_key(descent, 0);
  place_item(descent, 0);
  code_.bind(found);
}

Writer::Part Writer::part_of(const Walk& walk, std::vector<Node>& slots, const Type* type,
                             const std::string& name) const {
  const std::string path = item_path(walk.lead.path, walk.items.kind) + name;
  if (const auto why = why_step_hidden(path, type, request_.redaction))
    return {slots, type, hidden_shape(type, path, *why)};
  const std::uint64_t size =
      std::min<std::uint64_t>(strip_typedefs(type)->byte_size, request_.limits.aggregate_bytes);
  return {slots, type, shape(type, path, size, walk.depth - 1, true)};
}

bool Writer::walk(Walk& walk, const containers::BTree& tree) {
  const auto cursor = new_cursor();
  const auto value = code_.take_stack(8);
  const auto length = code_.take_stack(8);
  if (!cursor || !value || !length) return false;
  Descent descent{walk, tree, *cursor, *value, *length, {}};
  const std::size_t levels = std::max<std::size_t>(levels_to(request_.limits.items), 1) + 1;
  while (descent.levels.size() < levels) {
    const auto node = code_.take_stack(8);
    const auto next = code_.take_stack(8);
    if (!node || !next) return false;
    descent.levels.push_back({*node, *next});
  }
  if (!count_btree(descent, *length)) return false;
  if (may_walk_on(walk)) {
    const auto empty = code_.label();
    code_.load(Size::k8, R::kR1, cursor->left);
    code_.jump_if(JumpOp::kEqual, R::kR1, 0, empty);
    end(walk, status_of(kWhyLink));
    to_first_leaf(descent, *length);
    code_.bind(empty);
  }
  const bool is_map = tree.value != nullptr;
  std::vector<Part> parts{part_of(walk, walk.items.slots, tree.key, is_map ? ".__0" : "")};
  if (is_map) parts.push_back(part_of(walk, walk.items.values, tree.value, ".__1"));
  each_item(walk, *cursor, {}, parts, [&](std::size_t number) {
    to_next(descent, number);
    const auto fill = [&](const Part& part, Dest base, std::uint64_t at) {
      const Source from{.bytes = {}, .base = base, .distance = at};
      fill_slot(walk, part.slots[number], from, part.shape, walk.depth - 1);
    };
    fill(parts[0], cursor->at, tree.keys);
    if (is_map) fill(parts[1], *value, tree.values);
    write_walked(walk, number + 1);
  });
  return true;
}

}  // namespace nohalt::capture
