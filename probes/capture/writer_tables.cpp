// Containers whose items lie in an array, though not one after the other: in a ring, and in
// the buckets of a hash table. In a table the control bytes are looked through by a helper
// that is bounded, so that a few items in many empty buckets are found, and a walk among
// ever more of them ends.
#include <algorithm>

#include "probes/capture/writer.h"
#include "probes/runtime/layout.h"

namespace nohalt::capture {

using symbols::strip_typedefs;
using R = Register;

bool Writer::count_ring(Walk& walk, const containers::Ring& ring, const Cursor& cursor, Dest first,
                        Dest capacity) {
  const StackScope scope(code_);
  const std::uint64_t last = ring.count_at.value_or(ring.past_at);
  const auto [low, high] = std::minmax({ring.begin_at, ring.capacity_at, ring.first_at, last});
  const auto found = words(walk, low, high + 8 - low);
  if (!found) return false;
  const auto word = [&](std::uint64_t at) { return found->plus(at - low); };
  code_.copy(cursor.at, word(ring.begin_at), 8);
  code_.copy(first, word(ring.first_at), 8);
  code_.copy(capacity, word(ring.capacity_at), 8);
  code_.load(Size::k8, R::kR1, word(ring.first_at));
  code_.load(Size::k8, R::kR2, word(last));
  code_.load(Size::k8, R::kR3, word(ring.capacity_at));
  if (ring.count_at) {
    const auto empty = code_.label();
    code_.jump_if(JumpOp::kGreater, R::kR2, R::kR3, walk.odd);
    code_.jump_if(JumpOp::kEqual, R::kR2, 0, empty);
    code_.jump_if(JumpOp::kGreaterEqual, R::kR1, R::kR3, walk.odd);
    code_.bind(empty);
  } else {
    code_.jump_if(JumpOp::kGreaterEqual, R::kR1, R::kR3, walk.odd);
    code_.jump_if(JumpOp::kGreaterEqual, R::kR2, R::kR3, walk.odd);
    code_.alu(AluOp::kSub, R::kR3, 1);
    code_.load(Size::k8, R::kR4, word(ring.capacity_at));
    code_.jump_if(JumpOp::kAnyBitSet, R::kR4, R::kR3, walk.odd);
    code_.alu(AluOp::kSub, R::kR2, R::kR1);
    code_.alu(AluOp::kAnd, R::kR2, R::kR3);
  }
  count_is(walk, R::kR2, cursor.left);
  return true;
}

void Writer::step_around(Dest number, Dest most) {
  const auto fits = code_.label();
  code_.load(Size::k8, R::kR1, number);
  code_.alu(AluOp::kAdd, R::kR1, 1);
  code_.load(Size::k8, R::kR2, most);
  code_.jump_if(JumpOp::kLess, R::kR1, R::kR2, fits);
  code_.mov(R::kR1, std::uint64_t{0});
  code_.bind(fits);
  code_.store(Size::k8, number, R::kR1);
}

bool Writer::walk(Walk& walk, const containers::Ring& ring) {
  const auto cursor = new_cursor();  // at: where the ring begins
  const auto number = code_.take_stack(8);
  const auto capacity = code_.take_stack(8);
  const auto place = code_.take_stack(8);
  if (!cursor || !number || !capacity || !place) return false;
  if (!count_ring(walk, ring, *cursor, *number, *capacity)) return false;
  const std::uint64_t stride = strip_typedefs(walk.items.item)->byte_size;
  each_slot(walk, *cursor, {}, [&](Node& slot, const Shape& shape, std::size_t done) {
    code_.load(Size::k8, R::kR1, *number);
    code_.alu(AluOp::kMul, R::kR1, stride);
    code_.load(Size::k8, R::kR2, cursor->at);
    code_.alu(AluOp::kAdd, R::kR1, R::kR2);
    code_.store(Size::k8, *place, R::kR1);
    fill_slot(walk, slot, {.bytes = {}, .base = *place}, shape, walk.depth - 1);
    write_walked(walk, done + 1);
    step_around(*number, *capacity);
  });
  return true;
}

bool Writer::walk(Walk& walk, const containers::Table& table) {
  const auto cursor = new_cursor();  // at: the bucket, as far down as its first byte
  const auto control = code_.take_stack(8);
  const auto buckets = code_.take_stack(8);
  const auto number = code_.take_stack(8);  // of the bucket to look at next
  if (!cursor || !control || !buckets || !number) return false;
  {
    const StackScope scope(code_);
    const auto [low, high] = std::minmax({table.control_at, table.mask_at, table.count_at});
    const auto found = words(walk, low, high + 8 - low);
    if (!found) return false;
    code_.copy(*control, found->plus(table.control_at - low), 8);
    code_.load(Size::k8, R::kR1, found->plus(table.mask_at - low));
    code_.load(Size::k8, R::kR2, found->plus(table.count_at - low));
    code_.mov(R::kR3, R::kR1);
    code_.alu(AluOp::kAdd, R::kR3, 1);
    code_.jump_if(JumpOp::kAnyBitSet, R::kR1, R::kR3, walk.odd);
    // One bucket at least is empty, or a search would not end.
    code_.jump_if(JumpOp::kGreater, R::kR2, R::kR1, walk.odd);
    code_.store(Size::k8, *buckets, R::kR3);
    code_.store(Size::k8, *number, 0);
    count_is(walk, R::kR2, cursor->left);
  }
  each_slot(walk, *cursor, {}, [&](Node& slot, const Shape& shape, std::size_t done) {
    {
      const StackScope scope(code_);
      const auto window = code_.take_stack(runtime::kTablePiece);
      const std::uint64_t piece = window ? runtime::kTablePiece : 8;
      code_.load(Size::k8, R::kR1, *number);
      code_.load(Size::k8, R::kR3, *control);
      code_.alu(AluOp::kAdd, R::kR3, R::kR1);
      code_.load(Size::k8, R::kR4, *buckets);
      code_.alu(AluOp::kSub, R::kR4, R::kR1);
      generator_.read(Helper::kNextFull, window.value_or(cursor->at), piece, {walk.done, nullptr});
      code_.load(Size::k8, R::kR1, *number);
      code_.alu(AluOp::kAdd, R::kR1, R::kR0);
      code_.load(Size::k8, R::kR2, *buckets);
      end(walk, status_of(kWhyDisagree));
      code_.jump_if(JumpOp::kGreaterEqual, R::kR1, R::kR2, walk.done);
      end(walk, status_of(kWhyApart));
      code_.jump_if(JumpOp::kGreaterEqual, R::kR0, piece * runtime::kTableSteps, walk.done);
      end(walk, status_of(kWhyLink));
    }
    code_.alu(AluOp::kAdd, R::kR1, 1);
    code_.store(Size::k8, *number, R::kR1);
    code_.alu(AluOp::kMul, R::kR1, table.bucket);
    code_.load(Size::k8, R::kR2, *control);
    code_.alu(AluOp::kSub, R::kR2, R::kR1);
    code_.store(Size::k8, cursor->at, R::kR2);
    fill_slot(walk, slot, {.bytes = {}, .base = cursor->at, .distance = table.item}, shape,
              walk.depth - 1);
    write_walked(walk, done + 1);
  });
  return true;
}

}  // namespace nohalt::capture
