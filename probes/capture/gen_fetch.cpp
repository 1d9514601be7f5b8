// Addresses and the bytes behind them, wherever they lie.
#include <algorithm>
#include <cstddef>

#include "probes/capture/generator.h"
#include "probes/runtime/layout.h"

namespace nohalt::capture {

using R = Register;

Why why_unavailable(const symbols::Unavailable& unavailable) {
  switch (unavailable.why) {
    case symbols::UnavailableWhy::kOptimizedOut:
      return {ValueState::kOptimizedOut, ""};
    case symbols::UnavailableWhy::kEntryValue:
      return {ValueState::kOptimizedOut, "it was in a register of the caller"};
    case symbols::UnavailableWhy::kThreadLocal:
      return {ValueState::kUnavailable, unavailable.detail};
    case symbols::UnavailableWhy::kUnsupported:
      break;
  }
  return {ValueState::kUnavailable, unavailable.detail.empty()
                                        ? "its location is not covered"
                                        : "its location needs " + unavailable.detail};
}

Result<Dest> Generator::scratch(std::uint64_t size) {
  const auto taken = code_.take_stack(size);
  if (taken) return *taken;
  return fail(ErrorCode::kRefused, "expression-too-large",
              "The expression needs more than the 256 bytes of stack that a probe may use.",
              "Split it, or compare a shorter text.");
}

void Generator::read(Helper helper, Dest to, std::uint64_t size, const Miss& miss) {
  code_.point(R::kR1, to);
  code_.mov(R::kR2, size);
  code_.call(helper);
  code_.jump_if(JumpOp::kSignedLess, R::kR0, 0, miss.label);
}

// The sum of what the variable indexes add goes to r0.
Status Generator::indexes(const Spot& spot, const Miss& miss) {
  const StackScope scope(code_);
  NOHALT_TRY(const Dest sum, scratch(8));
  bool first = true;
  for (const Index& index : spot.indexes) {
    NOHALT_CHECK(value(*index.number, miss));
    if (index.count) {
      miss.because(ValueState::kUnavailable, "the index is outside the array");
      code_.jump_if(JumpOp::kGreaterEqual, R::kR0, *index.count, miss.label);
    }
    code_.alu(AluOp::kMul, R::kR0, index.stride);
    if (!first) {
      code_.load(Size::k8, R::kR1, sum);
      code_.alu(AluOp::kAdd, R::kR0, R::kR1);
    }
    first = false;
    if (&index != &spot.indexes.back()) code_.store(Size::k8, sum, R::kR0);
  }
  return {};
}

// r0 = where the spot's base is, without distance and indexes.
Status Generator::base_address(const Spot& spot, const Miss& miss) {
  if (spot.pointer != nullptr) {
    NOHALT_CHECK(value(*spot.pointer, miss));
    miss.because(ValueState::kUnreadable, spell(*spot.pointer) + " is null");
    code_.jump_if(JumpOp::kEqual, R::kR0, 0, miss.label);
    return check_object(spot.pointer->type, miss);
  }
  return operations(std::get<symbols::InMemory>(spot.variable->location).address, miss);
}

Status Generator::check_object(const Type* pointer, const Miss& miss) {
  const Type* object = language::pointee(pointer);
  const auto hidden =
      hidden_below_ && object != nullptr ? hidden_below_(object) : std::vector<HiddenObjects>();
  if (hidden.empty()) return {};
  const StackScope scope(code_);
  NOHALT_TRY(const Dest address, scratch(8));
  NOHALT_TRY(const Dest vptr, scratch(8));
  code_.store(Size::k8, address, R::kR0);
  code_.mov(R::kR3, R::kR0);
  miss.because(ValueState::kUnreadable, "the memory cannot be read");
  read(Helper::kReadUser, vptr, 8, miss);
  for (const HiddenObjects& objects : hidden) {
    miss.because(objects.why);
    for (const std::uint64_t vtable : objects.vtables) {
      code_.load(Size::k8, R::kR1, vptr);
      code_.jump_if(JumpOp::kEqual, R::kR1, vtable, miss.label);
    }
  }
  code_.load(Size::k8, R::kR0, address);
  return {};
}

Status Generator::check_variants(const Spot& spot, const Miss& miss) {
  for (auto variant = spot.variants.rbegin(); variant != spot.variants.rend(); ++variant) {
    const StackScope scope(code_);
    NOHALT_TRY(const Dest discriminant, scratch(8));
    if (!variant->guard) {
      miss.because(ValueState::kUnavailable, "which of its variants is there is not known");
      code_.jump(miss.label);
      return {};
    }
    const Guard& guard = *variant->guard;
    if (guard.values.empty()) continue;
    Spot place = spot;
    place.offset = guard.at;
    place.indexes.erase(place.indexes.begin(),
                        place.indexes.begin() + static_cast<std::ptrdiff_t>(variant->first_index));
    place.variants.clear();
    NOHALT_CHECK(fetch(place, {0, guard.size}, discriminant, miss));
    miss.because(ValueState::kUnavailable, "it is not " + variant->name + " here");
    const auto fits = code_.label();
    code_.load(size_of(guard.size), R::kR0, discriminant);
    for (const std::uint64_t value : guard.values)
      code_.jump_if(JumpOp::kEqual, R::kR0, value, guard.is_one_of ? fits : miss.label);
    if (guard.is_one_of) code_.jump(miss.label);
    code_.bind(fits);
  }
  return {};
}

Result<Helper> Generator::address(const Spot& spot, const Miss& miss) {
  NOHALT_CHECK(check_variants(spot, miss));
  const StackScope scope(code_);
  std::optional<Dest> extra;
  if (!spot.indexes.empty()) {
    NOHALT_TRY(extra, scratch(8));
    NOHALT_CHECK(indexes(spot, miss));
    code_.store(Size::k8, *extra, R::kR0);
  }
  NOHALT_CHECK(base_address(spot, miss));
  if (extra) {
    code_.load(Size::k8, R::kR1, *extra);
    code_.alu(AluOp::kAdd, R::kR0, R::kR1);
  }
  if (spot.offset != 0) code_.alu(AluOp::kAdd, R::kR0, spot.offset);
  code_.mov(R::kR3, R::kR0);
  if (spot.variable == nullptr) return Helper::kReadUser;
  const auto& memory = std::get<symbols::InMemory>(spot.variable->location);
  return memory.on_own_frame     ? Helper::kReadFrame
         : memory.in_static_data ? Helper::kReadStatic
                                 : Helper::kReadUser;
}

Status Generator::fetch(const Spot& spot, Extent extent, Dest to, const Miss& miss) {
  const bool in_memory =
      spot.pointer != nullptr || std::holds_alternative<symbols::InMemory>(spot.variable->location);
  if (!in_memory) {
    NOHALT_CHECK(check_variants(spot, miss));
    if (!spot.indexes.empty()) {
      miss.because(ValueState::kUnavailable, "an array in registers has constant indexes only");
      code_.jump(miss.label);
      return {};
    }
    return variable_bytes(spot.variable->location, {spot.offset + extent.begin, extent.size}, to,
                          miss);
  }
  Spot part = spot;
  part.offset += extent.begin;
  NOHALT_TRY(const Helper helper, address(part, miss));
  miss.because(ValueState::kUnreadable, "the memory cannot be read");
  read(helper, to, extent.size, miss);
  return {};
}

Status Generator::variable_bytes(const symbols::Location& location, Extent extent, Dest to,
                                 const Miss& miss) {
  const auto give_up = [&](const Why& why) {
    miss.because(why.state, why.text);
    code_.jump(miss.label);
  };
  if (const auto* missing = std::get_if<symbols::Unavailable>(&location)) {
    give_up(why_unavailable(*missing));
  } else if (const auto* memory = std::get_if<symbols::InMemory>(&location)) {
    NOHALT_CHECK(operations(memory->address, miss));
    code_.mov(R::kR3, R::kR0);
    if (extent.begin != 0) code_.alu(AluOp::kAdd, R::kR3, extent.begin);
    miss.because(ValueState::kUnreadable, "the memory cannot be read");
    read(memory->on_own_frame     ? Helper::kReadFrame
         : memory->in_static_data ? Helper::kReadStatic
                                  : Helper::kReadUser,
         to, extent.size, miss);
  } else if (const auto* in_register = std::get_if<symbols::InRegister>(&location)) {
    return register_bytes(in_register->number, extent, to, miss);
  } else if (const auto* computed = std::get_if<symbols::Computed>(&location)) {
    if (extent.begin + extent.size > 8) {
      give_up({ValueState::kUnavailable, "a computed value of more than 8 bytes is not covered"});
      return {};
    }
    NOHALT_CHECK(operations(computed->value, miss));
    if (extent.begin != 0) code_.alu(AluOp::kShiftRight, R::kR0, 8 * extent.begin);
    code_.store_low(to, R::kR0, extent.size);
  } else if (const auto* implicit = std::get_if<symbols::ImplicitBytes>(&location)) {
    if (extent.begin + extent.size > implicit->bytes.size()) {
      give_up({ValueState::kOptimizedOut, "only a part of it is known"});
      return {};
    }
    for (std::uint64_t i = 0; i < extent.size; ++i) {
      code_.store(Size::k1, to.plus(i),
                  static_cast<std::int32_t>(implicit->bytes[extent.begin + i]));
    }
  } else {
    return piece_bytes(std::get<symbols::InPieces>(location), extent, to, miss);
  }
  return {};
}

Status Generator::piece_bytes(const symbols::InPieces& pieces, Extent extent, Dest to,
                              const Miss& miss) {
  std::uint64_t begin = 0;
  std::uint64_t covered = 0;
  for (const symbols::Piece& piece : pieces.pieces) {
    const std::uint64_t end = begin + piece.bit_size / 8;
    const std::uint64_t first = std::max(begin, extent.begin);
    const std::uint64_t last = std::min(end, extent.begin + extent.size);
    if (first < last) {
      if (piece.bit_size % 8 != 0 || piece.bit_offset % 8 != 0 || piece.location.size() != 1) {
        miss.because(ValueState::kUnavailable, "a value in pieces of bits is not covered");
        code_.jump(miss.label);
        return {};
      }
      const Extent part{first - begin + piece.bit_offset / 8, last - first};
      NOHALT_CHECK(variable_bytes(piece.location[0], part, to.plus(first - extent.begin), miss));
      covered += last - first;
    }
    begin = end;
  }
  if (covered < extent.size) {
    miss.because(ValueState::kOptimizedOut, "only a part of it is known");
    code_.jump(miss.label);
  }
  return {};
}

Status Generator::register_bytes(std::uint16_t number, Extent extent, Dest to, const Miss& miss) {
  constexpr std::uint16_t kFirstXmm = 17;
  const bool xmm = number >= kFirstXmm && number < kFirstXmm + 16;
  const auto general = context_offset(number);
  const std::uint64_t width = xmm ? 16 : 8;
  if ((!xmm && !general) || extent.begin + extent.size > width) {
    miss.because(ValueState::kUnavailable, "this part of the register is not captured");
    code_.jump(miss.label);
    return {};
  }
  for (std::uint64_t done = 0; done < extent.size;) {
    const std::uint64_t at = extent.begin + done;
    const std::uint64_t part = std::min(extent.size - done, 8 - at % 8);
    const std::size_t lane = offsetof(runtime::HitContext, xmm) + 16U * (number - kFirstXmm);
    code_.load_context(R::kR0, xmm ? static_cast<std::int16_t>(lane + at / 8 * 8) : *general);
    if (at % 8 != 0) code_.alu(AluOp::kShiftRight, R::kR0, 8 * (at % 8));
    code_.store_low(to.plus(done), R::kR0, part);
    done += part;
  }
  return {};
}

}  // namespace nohalt::capture
