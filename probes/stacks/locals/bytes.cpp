// What cannot be had is a hole that says why; nothing takes its place.
#include "probes/stacks/locals/bytes.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "probes/capture/capture.h"
#include "probes/capture/holes.h"
#include "probes/capture/shape.h"
#include "probes/stacks/registers.h"

namespace nohalt::locals {

using capture::Hole;
using capture::ValueState;
using capture::Why;
using stacks::Lacking;

namespace {

constexpr std::uint64_t kLargestPiece = 4096;

constexpr std::array<const char*, symbols::kFrameRegisters> kNames = {
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
    "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip"};

const Why kElsewhere = {ValueState::kUnavailable, "lies outside of the captured stack"};

Why why_lacking(Lacking lacking) {
  switch (lacking) {
    case Lacking::kRegister:
      return {ValueState::kUnavailable, "its place is told by a register that calls do not keep"};
    case Lacking::kThreadPointer:
      return {ValueState::kUnavailable, "thread-local variables lie outside of the captured stack"};
    case Lacking::kMemory:
      return {ValueState::kUnavailable,
              "its place is told by memory outside of the captured stack"};
    case Lacking::kMalformed:
      break;
  }
  return {ValueState::kUnavailable, "its location makes no sense"};
}

Why why_lost(std::uint16_t number) {
  const std::string name = number < kNames.size()
                               ? kNames[number]
                               : "xmm" + std::to_string(number - symbols::kFrameRegisters);
  return {ValueState::kUnavailable, "it was in " + name + ", which calls do not keep"};
}

Bytes nothing(std::uint64_t size, Why why) {
  return {std::vector<std::byte>(size), {{0, size, std::move(why)}}};
}

// The first bytes of the value; what is beyond them is not known.
Bytes first_bytes(std::span<const std::byte> known, std::uint64_t size) {
  Bytes bytes{std::vector<std::byte>(size), {}};
  const std::size_t there = std::min<std::size_t>(known.size(), size);
  std::copy_n(known.begin(), there, bytes.data.begin());
  if (there < size)
    bytes.holes.push_back({there, size, {ValueState::kOptimizedOut, "only a part of it is known"}});
  return bytes;
}

Bytes word_bytes(std::uint64_t word, std::uint64_t size) {
  return first_bytes(std::as_bytes(std::span(&word, 1)), size);
}

class Reader {
 public:
  Reader(const stacks::Registers& registers, LoadBias bias, const stacks::HitMemory& memory)
      : registers_(registers), bias_(bias), memory_(memory) {}

  Bytes read(const symbols::Location& location, std::uint64_t size) const {
    return std::visit([&](const auto& place) { return read_from(place, size); }, location);
  }

 private:
  std::expected<std::uint64_t, Lacking> run(std::span<const symbols::Op> program) const {
    return stacks::evaluate(program, registers_, bias_, memory_.reader());
  }

  Bytes read_from(const symbols::Unavailable& place, std::uint64_t size) const {
    return nothing(size, capture::why_unavailable(place));
  }

  Bytes read_from(const symbols::InMemory& place, std::uint64_t size) const {
    const auto address = run(place.address);
    return address ? bytes_at({*address}, size, memory_)
                   : nothing(size, why_lacking(address.error()));
  }

  Bytes read_from(const symbols::InRegister& place, std::uint64_t size) const {
    if (place.number >= registers_.size() || !registers_[place.number])
      return nothing(size, why_lost(place.number));
    return word_bytes(*registers_[place.number], size);
  }

  Bytes read_from(const symbols::Computed& place, std::uint64_t size) const {
    const auto word = run(place.value);
    return word ? word_bytes(*word, size) : nothing(size, why_lacking(word.error()));
  }

  Bytes read_from(const symbols::ImplicitBytes& place, std::uint64_t size) const {
    return first_bytes(std::as_bytes(std::span(place.bytes)), size);
  }

  Bytes read_from(const symbols::InPieces& place, std::uint64_t size) const {
    Bytes whole{std::vector<std::byte>(size), {}};
    std::uint64_t at = 0;
    for (const symbols::Piece& piece : place.pieces) {
      if (at >= size) break;
      const std::uint64_t length = std::min(piece.bit_size / 8, size - at);
      put(piece, at, length, whole);
      // Of what follows a piece of single bits the place is not known.
      if (piece.bit_size % 8 != 0) break;
      at += length;
    }
    if (at < size) whole.holes.push_back({at, size, {ValueState::kOptimizedOut, ""}});
    capture::tidy(whole.holes);
    return whole;
  }

  void put(const symbols::Piece& piece, std::uint64_t at, std::uint64_t length,
           Bytes& whole) const {
    const std::uint64_t skip = piece.bit_offset / 8;
    if (piece.bit_offset % 8 != 0 || skip > kLargestPiece || piece.location.empty()) {
      whole.holes.push_back(
          {at, at + length, {ValueState::kUnavailable, "its location needs single bits"}});
      return;
    }
    const Bytes part = read(piece.location.front(), skip + length);
    std::copy_n(part.data.begin() + static_cast<std::ptrdiff_t>(skip), length,
                whole.data.begin() + static_cast<std::ptrdiff_t>(at));
    for (const Hole& hole : part.holes) {
      if (hole.end <= skip) continue;
      whole.holes.push_back(
          {at + std::max(hole.begin, skip) - skip, at + hole.end - skip, hole.why});
    }
  }

  const stacks::Registers& registers_;
  LoadBias bias_;
  const stacks::HitMemory& memory_;
};

}  // namespace

Bytes bytes_at(RuntimeAddress address, std::uint64_t size, const stacks::HitMemory& memory) {
  Bytes bytes{std::vector<std::byte>(size), {}};
  const std::uint64_t known = memory.read(address, bytes.data);
  for (const auto& part : memory.hidden(address, known))
    bytes.holes.push_back({part.begin, part.end, {ValueState::kRedacted, "hidden by policy"}});
  if (known < size) bytes.holes.push_back({known, size, kElsewhere});
  capture::tidy(bytes.holes);
  return bytes;
}

Bytes bytes_of(const symbols::Location& location, std::uint64_t size, const stacks::Frame& frame,
               const stacks::HitMemory& memory) {
  return Reader(frame.registers, frame.bias, memory).read(location, size);
}

VariableBytes bytes_of(const symbols::Variable& variable, std::uint64_t size,
                       const stacks::Frame& frame, const stacks::HitMemory& memory) {
  if (variable.at_entry) {
    Bytes bytes = Reader(frame.at_entry, frame.bias, memory).read(*variable.at_entry, size);
    if (capture::gaps_between(bytes.holes, size).size() > 0) return {std::move(bytes), true};
  }
  return {bytes_of(variable.location, size, frame, memory), false};
}

}  // namespace nohalt::locals
