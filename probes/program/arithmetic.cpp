// Arithmetic of the instruction set; see the header.
#include "probes/program/arithmetic.h"

#include <type_traits>

namespace nohalt::program {
namespace {

template <class Word>
std::optional<Word> alu(AluOp op, Word dst, Word src) {
  using Signed = std::make_signed_t<Word>;
  constexpr Word kShiftMask = sizeof(Word) * 8 - 1;
  switch (op) {
    case AluOp::kAdd:
      return static_cast<Word>(dst + src);
    case AluOp::kSub:
      return static_cast<Word>(dst - src);
    case AluOp::kMul:
      return static_cast<Word>(dst * src);
    case AluOp::kDiv:
      return src == 0 ? Word{0} : static_cast<Word>(dst / src);
    case AluOp::kOr:
      return dst | src;
    case AluOp::kAnd:
      return dst & src;
    case AluOp::kShiftLeft:
      return static_cast<Word>(dst << (src & kShiftMask));
    case AluOp::kShiftRight:
      return static_cast<Word>(dst >> (src & kShiftMask));
    case AluOp::kNegate:
      return static_cast<Word>(Word{0} - dst);
    case AluOp::kMod:
      return src == 0 ? dst : static_cast<Word>(dst % src);
    case AluOp::kXor:
      return dst ^ src;
    case AluOp::kMove:
      return src;
    case AluOp::kShiftRightSigned:
      return static_cast<Word>(static_cast<Signed>(dst) >> (src & kShiftMask));
  }
  return std::nullopt;
}

template <class Word>
std::optional<bool> compare(JumpOp op, Word left, Word right) {
  using Signed = std::make_signed_t<Word>;
  const auto signed_left = static_cast<Signed>(left);
  const auto signed_right = static_cast<Signed>(right);
  switch (op) {
    case JumpOp::kEqual:
      return left == right;
    case JumpOp::kNotEqual:
      return left != right;
    case JumpOp::kGreater:
      return left > right;
    case JumpOp::kGreaterEqual:
      return left >= right;
    case JumpOp::kLess:
      return left < right;
    case JumpOp::kLessEqual:
      return left <= right;
    case JumpOp::kAnyBitSet:
      return (left & right) != 0;
    case JumpOp::kSignedGreater:
      return signed_left > signed_right;
    case JumpOp::kSignedGreaterEqual:
      return signed_left >= signed_right;
    case JumpOp::kSignedLess:
      return signed_left < signed_right;
    case JumpOp::kSignedLessEqual:
      return signed_left <= signed_right;
    case JumpOp::kAlways:
    case JumpOp::kCall:
    case JumpOp::kExit:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> evaluate_alu(AluOp op, Width width, std::uint64_t dst,
                                          std::uint64_t src) {
  if (width == Width::k64) return alu<std::uint64_t>(op, dst, src);
  return alu<std::uint32_t>(op, static_cast<std::uint32_t>(dst), static_cast<std::uint32_t>(src));
}

std::optional<bool> evaluate_jump(JumpOp op, Width width, std::uint64_t left, std::uint64_t right) {
  if (width == Width::k64) return compare<std::uint64_t>(op, left, right);
  return compare<std::uint32_t>(op, static_cast<std::uint32_t>(left),
                                static_cast<std::uint32_t>(right));
}

}  // namespace nohalt::program
