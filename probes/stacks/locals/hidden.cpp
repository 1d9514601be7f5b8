#include "probes/stacks/locals/hidden.h"

#include "probes/capture/hidden.h"
#include "probes/capture/shape.h"
#include "probes/stacks/registers.h"

namespace nohalt::locals {

namespace {

using capture::Hole;

class Collector {
 public:
  Collector(const stacks::Frame& frame, const stacks::HitMemory& memory)
      : frame_(frame), memory_(memory) {}

  // `holes` are parts of the value that is at `location`.
  void add(const symbols::Location& location, const std::vector<Hole>& holes) {
    if (const auto* pieces = std::get_if<symbols::InPieces>(&location)) return add(*pieces, holes);
    if (!holes.empty()) add_registers(location);
    const auto* in_memory = std::get_if<symbols::InMemory>(&location);
    if (in_memory == nullptr) return;
    const auto address =
        stacks::evaluate(in_memory->address, frame_.registers, frame_.bias, memory_.reader());
    if (!address) return;
    for (const Hole& hole : holes)
      ranges_.push_back({{*address + hole.begin}, {*address + hole.end}});
  }

  [[nodiscard]] std::vector<RuntimeRange> take() { return std::move(ranges_); }
  [[nodiscard]] std::vector<HiddenRegister> take_registers() { return std::move(registers_); }

 private:
  // A piece that is touched is hidden as a whole.
  void add(const symbols::InPieces& pieces, const std::vector<Hole>& holes) {
    std::uint64_t at = 0;
    for (const symbols::Piece& piece : pieces.pieces) {
      const std::uint64_t size = (piece.bit_size + 7) / 8;
      for (const Hole& hole : holes)
        if (hole.begin < at + size && at < hole.end && !piece.location.empty())
          add(piece.location.front(), {{0, piece.bit_offset / 8 + size, {}}});
      at += size;
    }
  }

  void add_registers(const symbols::Location& location) {
    if (const auto* in_register = std::get_if<symbols::InRegister>(&location))
      registers_.push_back({in_register->number, false});
    if (const auto* computed = std::get_if<symbols::Computed>(&location))
      for (const symbols::Op& op : computed->value)
        if (op.kind == symbols::OpKind::kRegister) registers_.push_back({op.number, true});
  }

  const stacks::Frame& frame_;
  const stacks::HitMemory& memory_;
  std::vector<RuntimeRange> ranges_;
  std::vector<HiddenRegister> registers_;
};

Collector collect(std::span<const symbols::Variable> variables, const stacks::Frame& frame,
                  const capture::Redaction& redaction, const stacks::HitMemory& memory) {
  Collector collector(frame, memory);
  for (const symbols::Variable& variable : variables) {
    if (variable.type == nullptr) continue;
    const std::uint64_t size = symbols::strip_typedefs(variable.type)->byte_size;
    if (capture::why_hidden(variable, redaction)) {
      collector.add(variable.location, {{0, size, {}}});
    } else {
      collector.add(
          variable.location,
          capture::shape_of(variable.type, variable.name, {redaction, size, 0, false}).holes);
    }
  }
  return collector;
}

}  // namespace

std::vector<RuntimeRange> hidden_ranges(std::span<const symbols::Variable> variables,
                                        const stacks::Frame& frame,
                                        const capture::Redaction& redaction,
                                        const stacks::HitMemory& memory) {
  return collect(variables, frame, redaction, memory).take();
}

std::vector<HiddenRegister> hidden_registers(std::span<const symbols::Variable> variables,
                                             const stacks::Frame& frame,
                                             const capture::Redaction& redaction,
                                             const stacks::HitMemory& memory) {
  return collect(variables, frame, redaction, memory).take_registers();
}

}  // namespace nohalt::locals
