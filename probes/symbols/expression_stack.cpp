// What an expression does with its stack and with the way through it.
#include <dwarf.h>

#include <algorithm>

#include "probes/symbols/expression_translator.h"

namespace nohalt::symbols {

bool Translator::need(std::size_t entries) {
  if (stack_.size() >= entries) return true;
  give_up_malformed();
  return false;
}

void Translator::copy_entry(OpKind kind, std::size_t index) {
  if (index >= stack_.size()) return give_up_malformed();
  emit(kind, kind == OpKind::kPick ? index : 0);
  stack_.push_back(stack_[stack_.size() - 1 - index]);
}

void Translator::dereference(std::uint64_t size) {
  if (!need(1)) return;
  if (size == 0 || size > 8) return give_up(unsupported("dereference size"));
  program_.push_back({.kind = OpKind::kDereference, .size = static_cast<std::uint8_t>(size)});
  stack_.back() = {};
}

bool Translator::step_stack(const Dwarf_Op& op) {
  const std::size_t depth = stack_.size();
  switch (op.atom) {
    case DW_OP_dup:
      copy_entry(OpKind::kDup, 0);
      return true;
    case DW_OP_over:
      copy_entry(OpKind::kOver, 1);
      return true;
    case DW_OP_pick:
      copy_entry(OpKind::kPick, op.number);
      return true;
    case DW_OP_drop:
      if (!need(1)) return true;
      emit(OpKind::kDrop);
      stack_.pop_back();
      return true;
    case DW_OP_swap:
      if (!need(2)) return true;
      emit(OpKind::kSwap);
      std::swap(stack_[depth - 1], stack_[depth - 2]);
      return true;
    case DW_OP_rot:
      if (!need(3)) return true;
      emit(OpKind::kRot);
      std::rotate(stack_.end() - 3, stack_.end() - 1, stack_.end());
      return true;
    case DW_OP_deref:
    case DW_OP_deref_size:
      dereference(op.atom == DW_OP_deref ? 8 : op.number);
      return true;
    default:
      return false;
  }
}

// Compilers branch forward, for the smaller of two numbers and the like. A loop
// (GCC writes one for the number of set bits) has no bound that is known here.
void Translator::branch(OpKind kind, const Dwarf_Op& op) {
  constexpr Dwarf_Word kSize = 3;  // the operation and its distance
  const auto distance = static_cast<std::int64_t>(op.number);
  if (distance < 0) return give_up(unsupported("a loop"));
  if (kind == OpKind::kBranch) {
    if (!need(1)) return;
    stack_.pop_back();
  }
  emit(kind);
  pending_.push_back({program_.size() - 1, op.offset + kSize + op.number, stack_});
  reachable_ = kind != OpKind::kSkip;
}

bool Translator::step_branch(const Dwarf_Op& op) {
  switch (op.atom) {
    case DW_OP_bra:
      branch(OpKind::kBranch, op);
      return true;
    case DW_OP_skip:
      branch(OpKind::kSkip, op);
      return true;
    default:
      return false;
  }
}

// Comes to the operation at `offset`, and so do the branches that lead to it.
void Translator::meet(Dwarf_Word offset) {
  for (const Pending& branch : pending_) {
    if (branch.target < offset) return give_up_malformed();
    if (branch.target > offset) continue;
    program_[branch.at].value = program_.size() - 1 - branch.at;
    if (reachable_ && stack_ != branch.stack)
      return give_up(unsupported("a stack that differs by the way taken"));
    stack_ = branch.stack;
    reachable_ = true;
  }
  std::erase_if(pending_, [&](const Pending& branch) { return branch.target == offset; });
  if (!reachable_) give_up_malformed();
}

}  // namespace nohalt::symbols
