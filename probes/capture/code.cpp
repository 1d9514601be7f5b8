// Each method is one instruction or a few, and nothing where nothing arrives.
#include "probes/capture/code.h"

#include <algorithm>
#include <array>

#include "probes/runtime/layout.h"

namespace nohalt::capture {

namespace {

bool fits(std::uint64_t value) {
  const auto number = static_cast<std::int64_t>(value);
  return number >= INT32_MIN && number <= INT32_MAX;
}
std::int32_t low(std::uint64_t value) { return static_cast<std::int32_t>(value); }
std::int16_t offset16(std::int32_t offset) { return static_cast<std::int16_t>(offset); }

// The largest power of two up to 8 that is not above `left`.
std::uint64_t step_for(std::uint64_t left) {
  return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

}  // namespace

Size size_of(std::uint64_t bytes) {
  return bytes == 8 ? Size::k8 : bytes == 4 ? Size::k4 : bytes == 2 ? Size::k2 : Size::k1;
}

Code::Label Code::label() {
  labels_.push_back({assembler_.new_label(), false});
  return {labels_.size() - 1};
}

void Code::bind(Label label) {
  if (!labels_[label.index].wanted) return;
  assembler_.bind(labels_[label.index].real);
  reachable_ = true;
}

void Code::jump(Label target) {
  if (!reachable_) return;
  labels_[target.index].wanted = true;
  assembler_.jump(labels_[target.index].real);
  reachable_ = false;
}

void Code::jump_if(JumpOp op, Register left, Register right, Label target, Width width) {
  if (!reachable_) return;
  labels_[target.index].wanted = true;
  assembler_.jump_if(op, left, right, labels_[target.index].real, width);
}

void Code::jump_if(JumpOp op, Register left, std::uint64_t right, Label target) {
  if (!reachable_) return;
  if (!fits(right)) {
    assembler_.mov(Register::kR5, right);
    jump_if(op, left, Register::kR5, target);
    return;
  }
  labels_[target.index].wanted = true;
  assembler_.jump_if(op, left, low(right), labels_[target.index].real);
}

void Code::mov(Register dst, Register src) {
  if (reachable_ && dst != src) assembler_.mov(dst, src);
}
void Code::mov(Register dst, std::uint64_t value) {
  if (reachable_) assembler_.mov(dst, value);
}
void Code::alu(AluOp op, Register dst, Register src, Width width) {
  if (reachable_) assembler_.alu(op, dst, src, width);
}
void Code::alu(AluOp op, Register dst, std::uint64_t value) {
  if (!reachable_) return;
  if (fits(value)) {
    assembler_.alu(op, dst, low(value));
  } else {
    assembler_.mov(Register::kR5, value);
    assembler_.alu(op, dst, Register::kR5);
  }
}
void Code::alu32(AluOp op, Register dst, std::int32_t value) {
  if (reachable_) assembler_.alu(op, dst, value, Width::k32);
}
void Code::negate(Register dst) {
  if (reachable_) assembler_.negate(dst);
}
void Code::load(Size size, Register dst, Dest from) {
  if (reachable_) assembler_.load(size, dst, from.base, offset16(from.offset));
}
void Code::load_context(Register dst, std::int16_t offset) {
  if (reachable_) assembler_.load(Size::k8, dst, kContext, offset);
}
void Code::store(Size size, Dest to, Register src) {
  if (reachable_) assembler_.store(size, to.base, offset16(to.offset), src);
}
void Code::store(Size size, Dest to, std::int32_t value) {
  if (reachable_) assembler_.store(size, to.base, offset16(to.offset), value);
}
void Code::call(Helper helper) {
  if (reachable_) assembler_.call(helper);
}
void Code::exit(Outcome outcome) {
  if (reachable_) assembler_.exit(outcome);
  reachable_ = false;
}

void Code::point(Register dst, Dest dest) {
  mov(dst, dest.base);
  if (dest.offset != 0) {
    alu(AluOp::kAdd, dst, static_cast<std::uint64_t>(static_cast<std::int64_t>(dest.offset)));
  }
}

void Code::store_low(Dest to, Register src, std::uint64_t size) {
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t step = step_for(size - done);
    store(size_of(step), to.plus(done), src);
    done += step;
    if (done < size) alu(AluOp::kShiftRight, src, 8 * step);
  }
}

void Code::copy(Dest to, Dest from, std::uint64_t size) {
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t step = step_for(size - done);
    load(size_of(step), Register::kR0, from.plus(done));
    store(size_of(step), to.plus(done), Register::kR0);
    done += step;
  }
}

void Code::zero(Dest to, std::uint64_t size) {
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t step = step_for(size - done);
    store(size_of(step), to.plus(done), 0);
    done += step;
  }
}

std::optional<Dest> Code::take_stack(std::uint64_t size) {
  const auto bytes = static_cast<std::int32_t>((std::min<std::uint64_t>(size, 4096) + 7) & ~7ULL);
  if (used_ + bytes > static_cast<std::int32_t>(runtime::kMaxProgramStack)) return std::nullopt;
  used_ += bytes;
  return Dest{kStack, -used_};
}

}  // namespace nohalt::capture
