// The walks from item to item. Whatever the links say, there are no more steps than slots,
// so a circle of links ends like everything else; and where a count and the links do not
// agree, that is said.
#include <algorithm>

#include "probes/capture/writer.h"

namespace nohalt::capture {

using symbols::strip_typedefs;
using R = Register;

bool Writer::may_walk_on(const Walk& walk) const {
  return walk.depth > 1 && walk.items.slots.size() < request_.limits.items && may_go_on();
}

void Writer::each_slot(Walk& walk, const Cursor& cursor, const Ending& ending, const Step& step) {
  const Shape shape = slot_shape(walk, walk.items.item, walk.depth - 1);
  each_item(walk, cursor, ending, {{walk.items.slots, walk.items.item, shape}},
            [&](std::size_t number) { step(walk.items.slots[number], shape, number); });
}

bool Writer::new_item(const Walk& walk, const std::vector<Part>& parts) {
  const std::size_t number = walk.items.slots.size();
  for (const Part& part : parts) {
    if (new_slot(walk, part) != nullptr) continue;
    for (const Part& made : parts) made.slots.resize(number);
    return false;
  }
  return true;
}

// Calls step(number) for each item there is room for, past the point where the item count is
// known to reach it. Then says how the walk ended: at `finish`, all items were come to.
void Writer::each_item(Walk& walk, const Cursor& cursor, const Ending& ending,
                       const std::vector<Part>& parts, const ItemStep& step) {
  const std::size_t most = request_.limits.items;
  const auto finish = code_.label();
  const auto early = code_.label();
  const auto leave_at_end = [&](std::size_t number) {
    if (ending.is_counted) {
      code_.load(Size::k8, R::kR1, cursor.left);
      code_.jump_if(JumpOp::kLessEqual, R::kR1, number, finish);
    }
    if (ending.kind == Ending::kNone) return;
    load_stop(walk, ending);
    code_.load(Size::k8, R::kR1, cursor.at);
    code_.jump_if(JumpOp::kEqual, R::kR1, R::kR3, ending.is_counted ? early : finish);
  };
  end(walk, status_of(kWhyLink));
  for (const Part& part : parts) part.slots.reserve(most);
  while (may_walk_on(walk)) {
    const std::size_t number = walk.items.slots.size();
    // A few items that are whole say more than many that are cut short.
    const auto has_room = [&](const Part& part) { return has_room_for(part.type, part.shape); };
    if (number > 0 && !std::ranges::all_of(parts, has_room)) break;
    const Share share(*this, most - number, Share::Of::kAllButRoom);
    if (!new_item(walk, parts)) break;
    ++leads_followed_;
    leave_at_end(number);
    step(number);
  }
  const std::size_t slots = walk.items.slots.size();
  if (ending.is_counted) {
    code_.load(Size::k8, R::kR1, cursor.left);
    code_.jump_if(JumpOp::kLessEqual, R::kR1, slots, finish);
  } else {
    leave_at_end(slots);
  }
  end(walk, kEndMore);
  code_.jump(walk.done);
  code_.bind(early);
  end(walk, status_of(kWhyDisagree));
  code_.jump(walk.done);
  code_.bind(finish);
  if (ending.is_counted && ending.kind != Ending::kNone) {
    end(walk, status_of(kWhyDisagree));
    load_stop(walk, ending);
    code_.load(Size::k8, R::kR1, cursor.at);
    code_.jump_if(JumpOp::kNotEqual, R::kR1, R::kR3, walk.done);
  }
  end(walk, kEndAll);
}

// r3 = where the last item leads.
void Writer::load_stop(const Walk& walk, const Ending& ending) {
  if (ending.kind == Ending::kNull)
    code_.mov(R::kR3, std::uint64_t{0});
  else
    load_address(walk.from, ending.stop_at);
}

bool Writer::walk(Walk& walk, const containers::Chain& chain) {
  const auto cursor = new_cursor();
  if (!cursor || (chain.stop_at && !walk.from.base)) return false;
  {
    const StackScope scope(code_);
    const std::uint64_t count_at = chain.count_at.value_or(chain.first_at);
    const std::uint64_t first = std::min(chain.first_at, count_at);
    const auto found = words(walk, first, std::max(chain.first_at, count_at) + 8 - first);
    if (!found) return false;
    code_.copy(cursor->at, found->plus(chain.first_at - first), 8);
    if (chain.count_at) {
      code_.load(Size::k8, R::kR2, found->plus(count_at - first));
      count_is(walk, R::kR2, cursor->left);
    } else {
      walk.items.count = kNowhere;
      begun(walk);
    }
  }
  Ending ending{chain.count_at.has_value(), Ending::kNull, 0};
  if (chain.stop_at) ending = {ending.is_counted, Ending::kPlace, *chain.stop_at};
  const std::uint64_t node_size = chain.item + strip_typedefs(walk.items.item)->byte_size;
  each_slot(walk, *cursor, ending, [&](Node& slot, const Shape& shape, std::size_t number) {
    const StackScope scope(code_);
    const auto window = node_size <= kInnerWindow ? code_.take_stack(node_size) : std::nullopt;
    Source item{.bytes = {}, .base = cursor->at, .distance = chain.item};
    if (window) {
      item.bytes = window->plus(chain.item);
      code_.load(Size::k8, R::kR3, cursor->at);
      generator_.read(Helper::kReadUser, *window, node_size, {walk.done, nullptr});
    }
    fill_slot(walk, slot, item, shape, walk.depth - 1);
    write_walked(walk, number + 1);
    if (window) {
      code_.copy(cursor->at, window->plus(chain.next), 8);
    } else {
      load_address({.bytes = {}, .base = cursor->at}, chain.next);
      generator_.read(Helper::kReadUser, cursor->at, 8, {walk.done, nullptr});
    }
  });
  return true;
}

bool Writer::walk(Walk& walk, const containers::Tree& tree) {
  const auto cursor = new_cursor();
  if (!cursor || !walk.from.base) return false;
  {
    const StackScope scope(code_);
    const std::uint64_t first = std::min(tree.first_at, tree.count_at);
    const auto found = words(walk, first, std::max(tree.first_at, tree.count_at) + 8 - first);
    if (!found) return false;
    code_.copy(cursor->at, found->plus(tree.first_at - first), 8);
    code_.load(Size::k8, R::kR2, found->plus(tree.count_at - first));
    count_is(walk, R::kR2, cursor->left);
  }
  const std::uint64_t links = program::tree_links(tree.left, tree.right, tree.parent);
  each_slot(walk, *cursor, {true, Ending::kPlace, tree.stop_at},
            [&](Node& slot, const Shape& shape, std::size_t number) {
              const Source item{.bytes = {}, .base = cursor->at, .distance = tree.item};
              fill_slot(walk, slot, item, shape, walk.depth - 1);
              write_walked(walk, number + 1);
              code_.load(Size::k8, R::kR3, cursor->at);
              code_.mov(R::kR4, links);
              generator_.read(Helper::kTreeNext, cursor->at, 8, {walk.done, nullptr});
            });
  return true;
}

}  // namespace nohalt::capture
