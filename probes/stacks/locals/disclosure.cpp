#include "probes/stacks/locals/disclosure.h"

#include <algorithm>
#include <cstring>
#include <variant>

#include "probes/stacks/registers.h"

namespace nohalt::locals {

using stacks::Frame;
using stacks::Origin;
using values::Placed;

namespace {

constexpr std::array<bool, 8> kWholeWord = {true, true, true, true, true, true, true, true};
constexpr std::uint16_t kFirstVector = symbols::kFrameRegisters;
constexpr int kMostCalls = 64;  // that a value may be handed through

bool is_shown(const Placed& value, std::uint64_t at) {
  return std::ranges::any_of(
      value.shown, [at](const Placed::Part& part) { return part.begin <= at && at < part.end; });
}

}  // namespace

// Tells what the location of one value depends on, and what of it lies in registers.
class Disclosure::Teller {
 public:
  Teller(Disclosure& to, std::size_t frame, bool at_entry, const Placed& value)
      : to_(to), frame_(frame), at_entry_(at_entry), value_(value) {}

  void tell(const symbols::Location& location, std::uint64_t from, std::uint64_t size) {
    const bool any = std::ranges::any_of(value_.shown, [&](const Placed::Part& part) {
      return part.begin < part.end && part.begin < from + size && from < part.end;
    });
    if (any) std::visit([&](const auto& place) { tell_from(place, from, size); }, location);
  }

 private:
  void tell_from(const symbols::Unavailable&, std::uint64_t, std::uint64_t) {}
  void tell_from(const symbols::ImplicitBytes&, std::uint64_t, std::uint64_t) {}

  void tell_from(const symbols::InMemory& place, std::uint64_t from, std::uint64_t size) {
    follow(place.address, frame_, at_entry_);
    // The value as a whole is told by its own address.
    const auto address = is_piece_ ? to_.address_of(place, frame_) : std::nullopt;
    if (!address) return;
    for (std::uint64_t i = 0; i < size; ++i)
      if (from + i < value_.bytes.size() && is_shown(value_, from + i))
        to_.memory_image_.tell(*address + i, std::span(value_.bytes).subspan(from + i, 1));
    to_.memory_image_.object({*address, *address + size});
  }

  void tell_from(const symbols::InRegister& place, std::uint64_t from, std::uint64_t size) {
    const Frame& frame = to_.frames_[frame_];
    if (place.number >= kFirstVector) return tell_vector(place.number, from, size);
    if (at_entry_) return follow_entry(place.number, frame_, kMostCalls);
    if (!frame.registers[place.number]) return;
    std::array<bool, 8> which{};
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(size, which.size()); ++i)
      which[i] = is_shown(value_, from + i);
    to_.tell_word(frame.origins[place.number], *frame.registers[place.number], which);
  }

  // Calls do not keep them.
  void tell_vector(std::uint16_t number, std::uint64_t from, std::uint64_t size) {
    const std::size_t index = number - kFirstVector;
    if (frame_ != 0 || at_entry_ || index >= kVectorRegisters) return;
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(size, 16); ++i)
      if (from + i < value_.bytes.size() && is_shown(value_, from + i))
        to_.vectors_[index].tell(i, value_.bytes[from + i]);
  }

  // Any byte of it may come from any of what it is computed from.
  void tell_from(const symbols::Computed& place, std::uint64_t from, std::uint64_t size) {
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(size, 8); ++i)
      if (!is_shown(value_, from + i)) return;
    follow(place.value, frame_, at_entry_);
  }

  void tell_from(const symbols::InPieces& pieces, std::uint64_t from, std::uint64_t size) {
    is_piece_ = true;
    std::uint64_t at = from;
    for (const symbols::Piece& piece : pieces.pieces) {
      // Of what follows a piece of single bits the place is not known.
      if (piece.bit_size % 8 != 0 || at >= from + size) return;
      const std::uint64_t length = std::min(piece.bit_size / 8, from + size - at);
      if (piece.bit_offset == 0 && !piece.location.empty())
        tell(piece.location.front(), at, length);
      at += length;
    }
  }

  // The registers and the memory that a program needs.
  void follow(std::span<const symbols::Op> program, std::size_t index, bool at_entry,
              int calls_left = kMostCalls) {
    const Frame& frame = to_.frames_[index];
    for (const symbols::Op& op : program) {
      if (op.kind != symbols::OpKind::kRegister || op.number >= symbols::kFrameRegisters) continue;
      if (at_entry)
        follow_entry(op.number, index, calls_left);
      else if (frame.registers[op.number])
        to_.tell_word(frame.origins[op.number], *frame.registers[op.number], kWholeWord);
    }
    const auto read = to_.memory_.reader();
    const auto& registers = at_entry ? frame.at_entry : frame.registers;
    static_cast<void>(stacks::evaluate(program, registers, frame.bias,
                                       [&](std::uint64_t from, std::span<std::byte> to) {
                                         const bool is_known = read(from, to);
                                         if (is_known) to_.memory_image_.tell({from}, to);
                                         return is_known;
                                       }));
  }

  // What the caller passed in that register.
  void follow_entry(std::uint16_t number, std::size_t index, int calls_left) {
    const auto& call = to_.frames_[index].entered_by;
    if (!call || index + 1 >= to_.frames_.size() || calls_left == 0) return;
    for (const symbols::Call::Parameter& passed : call->parameters)
      if (passed.number == number) follow(passed.value, index + 1, passed.of_entry, calls_left - 1);
  }

  Disclosure& to_;
  std::size_t frame_;
  bool at_entry_;
  const Placed& value_;
  bool is_piece_ = false;
};

Disclosure::Disclosure(const stacks::Unwound& unwound, const stacks::CapturedStack& captured,
                       const stacks::HitMemory& memory)
    : frames_(unwound.frames), memory_(memory), guides_(unwound.guides) {
  const stacks::ReadMemory read = stacks::memory_of(captured);
  for (const Origin& guide : unwound.guides) {
    std::uint64_t word = 0;
    if (guide.kind == Origin::Kind::kRegister)
      word = frames_.front().registers[guide.at].value_or(0);
    else if (!read(guide.at, std::as_writable_bytes(std::span(&word, 1))))
      continue;
    tell_word(guide, word, kWholeWord);
  }
  tell_word({Origin::Kind::kRegister, stacks::kPc}, frames_.front().pc.value, kWholeWord);
}

std::optional<RuntimeAddress> Disclosure::address_of(const symbols::Location& location,
                                                     std::size_t frame) const {
  const auto* place = std::get_if<symbols::InMemory>(&location);
  if (place == nullptr) return std::nullopt;
  const Frame& of = frames_[frame];
  const auto address = stacks::evaluate(place->address, of.registers, of.bias, memory_.reader());
  return address ? std::optional(RuntimeAddress{*address}) : std::nullopt;
}

void Disclosure::tell(const symbols::Location& location, std::size_t frame,
                      const std::vector<Placed>& value, Registers registers) {
  if (value.empty()) return;
  for (const Placed& placed : value) tell_placed(placed);
  Teller(*this, frame, registers == Registers::kAtEntry, value.front())
      .tell(location, 0, value.front().bytes.size());
}

void Disclosure::tell_placed(const Placed& placed) {
  if (!placed.address) return;
  memory_image_.object({*placed.address, *placed.address + placed.bytes.size()});
  for (const Placed::Part& part : placed.shown)
    if (part.begin < part.end && part.end <= placed.bytes.size())
      memory_image_.tell(*placed.address + part.begin,
                         std::span(placed.bytes).subspan(part.begin, part.end - part.begin));
  for (const Placed::Part& part : placed.hidden)
    hide(RuntimeRange{*placed.address + part.begin, *placed.address + part.end});
}

void Disclosure::tell_word(const Origin& origin, std::uint64_t word, std::span<const bool> which) {
  const auto bytes = std::as_bytes(std::span(&word, 1));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (!which[i]) continue;
    if (origin.kind == Origin::Kind::kRegister) registers_[origin.at].tell(i, bytes[i]);
    if (origin.kind == Origin::Kind::kStack)
      memory_image_.tell(RuntimeAddress{origin.at} + i, bytes.subspan(i, 1));
  }
  if (origin.kind == Origin::Kind::kStack)
    memory_image_.object({{origin.at}, {origin.at + bytes.size()}});
}

void Disclosure::hide(const HiddenRegister& hidden, std::size_t frame) {
  if (hidden.number >= symbols::kFrameRegisters) return;
  const Origin& origin = frames_[frame].origins[hidden.number];
  if (hidden.is_computed_from && std::ranges::find(guides_, origin) != guides_.end()) return;
  if (origin.kind == Origin::Kind::kRegister) is_hidden_[origin.at] = true;
  if (origin.kind == Origin::Kind::kStack) hide(RuntimeRange{{origin.at}, {origin.at + 8}});
}

std::array<ToldRegister<8>, symbols::kFrameRegisters> Disclosure::registers() const {
  auto told = registers_;
  for (std::size_t i = 0; i < told.size(); ++i)
    if (is_hidden_[i]) told[i] = {};
  return told;
}

}  // namespace nohalt::locals
