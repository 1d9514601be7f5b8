// Containers whose items lie side by side: in one row, in a row of bits, or in blocks.
#include <algorithm>

#include "probes/capture/writer.h"

namespace nohalt::capture {

using symbols::strip_typedefs;
using R = Register;

bool Writer::count_row(Walk& walk, const containers::Row& row, const Cursor& cursor) {
  const StackScope scope(code_);
  const std::uint64_t stride = strip_typedefs(walk.items.item)->byte_size;
  std::uint64_t first = row.begin_at;
  std::uint64_t last = row.begin_at;
  for (const auto& at : {row.end_at, row.count_at, row.limit_at}) {
    first = std::min(first, at.value_or(first));
    last = std::max(last, at.value_or(last));
  }
  const auto found = words(walk, first, last + 8 - first);
  if (!found) return false;
  const auto load = [&](Register to, std::uint64_t at) {
    code_.load(Size::k8, to, found->plus(at - first));
  };
  load(R::kR1, row.begin_at);
  if (row.behind != 0) code_.alu(AluOp::kAdd, R::kR1, row.behind);
  code_.store(Size::k8, cursor.at, R::kR1);
  if (row.end_at) {
    load(R::kR2, *row.end_at);
    code_.jump_if(JumpOp::kLess, R::kR2, R::kR1, walk.odd);
    if (row.limit_at) {
      load(R::kR3, *row.limit_at);
      code_.jump_if(JumpOp::kLess, R::kR3, R::kR2, walk.odd);
    }
    code_.alu(AluOp::kSub, R::kR2, R::kR1);
    code_.mov(R::kR3, R::kR2);
    code_.alu(AluOp::kMod, R::kR3, stride);
    code_.jump_if(JumpOp::kNotEqual, R::kR3, 0, walk.odd);
    code_.alu(AluOp::kDiv, R::kR2, stride);
  } else if (row.count_at) {
    load(R::kR2, *row.count_at);
  } else {
    code_.mov(R::kR2, row.fixed_count);
  }
  count_is(walk, R::kR2, cursor.left);
  return true;
}

bool Writer::walk(Walk& walk, const containers::Row& row) {
  const auto cursor = new_cursor();
  if (!cursor || !count_row(walk, row, *cursor)) return false;
  const Shape shape = slot_shape(walk, walk.items.item, walk.depth - 1);
  if (shape.holes.empty() && shape.leads.empty()) {
    row_at_once(walk, *cursor);
    return true;
  }
  const std::uint64_t stride = strip_typedefs(walk.items.item)->byte_size;
  each_slot(walk, *cursor, {}, [&](Node& slot, const Shape& inner, std::size_t number) {
    fill_slot(walk, slot, {.bytes = {}, .base = cursor->at}, inner, walk.depth - 1);
    write_walked(walk, number + 1);
    code_.load(Size::k8, R::kR1, cursor->at);
    code_.alu(AluOp::kAdd, R::kR1, stride);
    code_.store(Size::k8, cursor->at, R::kR1);
  });
  return true;
}

// Items of which nothing is hidden and which lead nowhere: one read takes them all.
void Writer::row_at_once(Walk& walk, const Cursor& cursor) {
  const std::uint64_t stride = strip_typedefs(walk.items.item)->byte_size;
  std::uint64_t most = walk.depth > 1 ? request_.limits.items : 0;
  most = std::min(most, request_.limits.aggregate_bytes / stride);
  auto data = space_.take(most * stride);
  while (!data && most > 0) data = space_.take((most /= 2) * stride);
  const auto all = code_.label();
  if (most > 0) {
    end(walk, status_of(kWhyHeader));
    const auto few = code_.label();
    code_.load(Size::k8, R::kR4, cursor.left);
    code_.jump_if(JumpOp::kLessEqual, R::kR4, most, few);
    code_.mov(R::kR4, most);
    code_.bind(few);
    code_.alu(AluOp::kMul, R::kR4, stride);
    code_.load(Size::k8, R::kR3, cursor.at);
    generator_.read(Helper::kReadBytes, body(*data), most * stride, {walk.done, nullptr});
  }
  for (std::uint64_t i = 0; i < most; ++i) {
    Node& slot = walk.items.slots.emplace_back();
    slot.kind = Node::Kind::kBytes;
    slot.type = walk.items.item;
    slot.data = *data + static_cast<std::uint32_t>(i * stride);
    slot.size = static_cast<std::uint32_t>(stride);
  }
  code_.load(Size::k8, R::kR1, cursor.left);
  code_.jump_if(JumpOp::kLessEqual, R::kR1, most, all);
  end(walk, kEndMore);
  write_walked(walk, most);
  code_.jump(walk.done);
  code_.bind(all);
  end(walk, kEndAll);
  code_.store(Size::k4, body(walk.items.walked), R::kR1);
}

bool Writer::count_bits(Walk& walk, const containers::BitRow& row, const Cursor& cursor) {
  const StackScope scope(code_);
  const std::uint64_t past =
      row.count_at ? *row.count_at + 8 : std::max(*row.end_at + 8, row.end_bits_at + 4);
  const auto found = words(walk, row.begin_at, past - row.begin_at);
  if (!found) return false;
  code_.load(Size::k8, R::kR1, *found);
  code_.store(Size::k8, cursor.at, R::kR1);
  if (row.count_at) {
    code_.load(Size::k8, R::kR2, found->plus(*row.count_at - row.begin_at));
  } else {
    code_.load(Size::k8, R::kR2, found->plus(*row.end_at - row.begin_at));
    code_.jump_if(JumpOp::kLess, R::kR2, R::kR1, walk.odd);
    code_.alu(AluOp::kSub, R::kR2, R::kR1);
    code_.alu(AluOp::kShiftLeft, R::kR2, 3);
    code_.load(Size::k4, R::kR1, found->plus(row.end_bits_at - row.begin_at));
    code_.alu(AluOp::kAdd, R::kR2, R::kR1);
  }
  count_is(walk, R::kR2, cursor.left);
  return true;
}

bool Writer::walk(Walk& walk, const containers::BitRow& row) {
  const auto cursor = new_cursor();
  if (!cursor || !count_bits(walk, row, *cursor)) return false;
  const std::uint64_t most = walk.depth > 1 ? request_.limits.items : 0;
  const auto data = space_.take((most + 7) / 8);
  if (!data) return false;
  walk.items.bits = *data;
  walk.items.bits_size = static_cast<std::uint32_t>((most + 7) / 8);
  const auto all = code_.label();
  end(walk, kEndMore);
  if (most > 0) {
    end(walk, status_of(kWhyHeader));
    const auto few = code_.label();
    code_.load(Size::k8, R::kR4, cursor->left);
    code_.jump_if(JumpOp::kLessEqual, R::kR4, most, few);
    code_.mov(R::kR4, most);
    code_.bind(few);
    code_.alu(AluOp::kAdd, R::kR4, 7);
    code_.alu(AluOp::kShiftRight, R::kR4, 3);
    code_.load(Size::k8, R::kR3, cursor->at);
    generator_.read(Helper::kReadBytes, body(*data), walk.items.bits_size, {walk.done, nullptr});
  }
  code_.load(Size::k8, R::kR1, cursor->left);
  code_.jump_if(JumpOp::kLessEqual, R::kR1, most, all);
  end(walk, kEndMore);
  write_walked(walk, most);
  code_.jump(walk.done);
  code_.bind(all);
  end(walk, kEndAll);
  code_.store(Size::k4, body(walk.items.walked), R::kR1);
  return true;
}

// The first item's address, and the pointer to its block.
bool Writer::place_blocks(Walk& walk, const containers::Blocks& blocks, const Cursor& cursor,
                          Dest map, Dest in_block) {
  const StackScope scope(code_);
  const std::uint64_t stride = strip_typedefs(walk.items.item)->byte_size;
  std::uint64_t first = blocks.map_at;
  std::uint64_t last = blocks.map_at;
  const auto needs = [&](std::uint64_t at) {
    first = std::min(first, at);
    last = std::max(last, at);
  };
  if (blocks.is_ranged) {
    for (const auto at : {blocks.first_at, blocks.first_block_at, blocks.past_at,
                          blocks.past_block_at, blocks.past_map_at})
      needs(at);
  } else {
    needs(blocks.start_at);
    needs(blocks.count_at);
  }
  const auto found = words(walk, first, last + 8 - first);
  if (!found) return false;
  const auto load = [&](Register to, std::uint64_t at) {
    code_.load(Size::k8, to, found->plus(at - first));
  };
  const auto distance = [&](Register from, std::uint64_t from_at, Register to,
                            std::uint64_t to_at) {
    load(from, from_at);
    load(to, to_at);
    code_.jump_if(JumpOp::kLess, to, from, walk.odd);
    code_.alu(AluOp::kSub, to, from);
  };
  if (!blocks.is_ranged) {
    load(R::kR2, blocks.start_at);
    code_.mov(R::kR3, R::kR2);
    code_.alu(AluOp::kMod, R::kR3, blocks.per_block);
    code_.store(Size::k8, in_block, R::kR3);
    code_.alu(AluOp::kDiv, R::kR2, blocks.per_block);
    code_.alu(AluOp::kShiftLeft, R::kR2, 3);
    load(R::kR1, blocks.map_at);
    code_.alu(AluOp::kAdd, R::kR1, R::kR2);
    code_.store(Size::k8, map, R::kR1);
    load(R::kR2, blocks.count_at);
    count_is(walk, R::kR2, cursor.left);
    return true;
  }
  distance(R::kR1, blocks.first_block_at, R::kR2, blocks.first_at);
  code_.alu(AluOp::kDiv, R::kR2, stride);
  code_.jump_if(JumpOp::kGreaterEqual, R::kR2, blocks.per_block, walk.odd);
  code_.store(Size::k8, in_block, R::kR2);
  distance(R::kR1, blocks.map_at, R::kR3, blocks.past_map_at);
  code_.store(Size::k8, map, R::kR1);
  code_.alu(AluOp::kShiftRight, R::kR3, 3);
  code_.alu(AluOp::kMul, R::kR3, blocks.per_block);
  distance(R::kR1, blocks.past_block_at, R::kR4, blocks.past_at);
  code_.alu(AluOp::kDiv, R::kR4, stride);
  code_.alu(AluOp::kAdd, R::kR3, R::kR4);
  code_.jump_if(JumpOp::kLess, R::kR3, R::kR2, walk.odd);
  code_.alu(AluOp::kSub, R::kR3, R::kR2);
  count_is(walk, R::kR3, cursor.left);
  return true;
}

bool Writer::walk(Walk& walk, const containers::Blocks& blocks) {
  const auto cursor = new_cursor();
  const auto map = code_.take_stack(8);
  const auto in_block = code_.take_stack(8);
  if (!cursor || !map || !in_block) return false;
  if (!place_blocks(walk, blocks, *cursor, *map, *in_block)) return false;
  const std::uint64_t stride = strip_typedefs(walk.items.item)->byte_size;
  const auto enter_block = [&] {
    code_.load(Size::k8, R::kR3, *map);
    generator_.read(Helper::kReadUser, cursor->at, 8, {walk.done, nullptr});
  };
  const auto add_to = [&](Dest word, std::uint64_t number) {
    code_.load(Size::k8, R::kR1, word);
    code_.alu(AluOp::kAdd, R::kR1, number);
    code_.store(Size::k8, word, R::kR1);
  };
  code_.store(Size::k8, cursor->at, 0);
  each_slot(walk, *cursor, {}, [&](Node& slot, const Shape& shape, std::size_t number) {
    const auto inside = code_.label();
    if (number == 0) {
      enter_block();
      code_.load(Size::k8, R::kR1, *in_block);
      code_.alu(AluOp::kMul, R::kR1, stride);
      code_.load(Size::k8, R::kR2, cursor->at);
      code_.alu(AluOp::kAdd, R::kR2, R::kR1);
      code_.store(Size::k8, cursor->at, R::kR2);
    } else {
      code_.load(Size::k8, R::kR1, *in_block);
      code_.jump_if(JumpOp::kLess, R::kR1, blocks.per_block, inside);
      code_.store(Size::k8, *in_block, 0);
      add_to(*map, 8);
      enter_block();
    }
    code_.bind(inside);
    fill_slot(walk, slot, {.bytes = {}, .base = cursor->at}, shape, walk.depth - 1);
    write_walked(walk, number + 1);
    add_to(*in_block, 1);
    add_to(cursor->at, stride);
  });
  return true;
}

}  // namespace nohalt::capture
