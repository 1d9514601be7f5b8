// All the code of one function as patching sees it: its instructions, which of
// their starts are certain, and where branches lead.
//
// Two kinds of certainty are kept apart. That an address *begins an
// instruction* is certain where the compiler says so (a line table row, the
// function's entry) or where control provably arrives from such a place. That
// *nothing branches* to an address needs far more: every byte of the function
// decoded, and every indirect jump's targets proven. A patch over one
// instruction needs only the first; everything else needs both.
//
// Threading: immutable once made.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "probes/engines/inline/sites/instruction.h"
#include "src/base/address.h"

namespace nohalt::inline_sites {

// Fills the whole span from the file's read-only data; false where it cannot.
using ReadData = std::function<bool(LinkAddress, std::span<std::uint8_t>)>;

struct FunctionInput {
  std::span<const std::uint8_t> text;     // section bytes; only read while decoding
  LinkAddress text_address;               // of text's first byte
  LinkRange range;                        // of the function (one contiguous part)
  std::vector<LinkAddress> known_starts;  // instruction starts that the compiler names
  // Landing pads, and branches from the function's other parts; whether there may be
  // more of these.
  std::vector<LinkAddress> branch_targets;
  bool may_be_entered_elsewhere = false;
  ReadData read_data;  // may be empty: no jump table is then proven
};

struct PlacedInstruction {
  LinkAddress address;
  Instruction instruction;
  bool certain = false;  // begins an instruction beyond doubt

  [[nodiscard]] LinkAddress end() const { return address + instruction.length; }
  [[nodiscard]] LinkAddress target() const {  // of a direct branch or RIP-relative operand
    return end() + static_cast<std::uint64_t>(instruction.relative);
  }
};

class FunctionCode {
 public:
  // Never fails: what could not be understood is told by the queries below.
  [[nodiscard]] static FunctionCode decode(const FunctionInput& input);

  [[nodiscard]] LinkRange range() const { return range_; }
  [[nodiscard]] std::span<const PlacedInstruction> instructions() const { return instructions_; }

  // The instruction whose start at `address` is certain, else null.
  [[nodiscard]] const PlacedInstruction* at(LinkAddress address) const;

  // The text's bytes from `address` on, a few past the function's end included.
  [[nodiscard]] std::span<const std::uint8_t> bytes_from(LinkAddress address) const;

  // Every byte is part of an instruction, padding included, and control cannot
  // run off the end.
  [[nodiscard]] bool complete() const { return complete_; }
  [[nodiscard]] bool has_unknown_indirect_jump() const { return unknown_indirect_jump_; }
  // That nothing branches to an address can be told: by what is known, all is.
  [[nodiscard]] bool all_branches_known() const {
    return complete_ && !unknown_indirect_jump_ && !may_be_entered_elsewhere_;
  }
  // Targets of direct branches that leave this part, in no order.
  [[nodiscard]] std::vector<LinkAddress> branches_out() const;
  // One that is not a tail call; where it leads may be outside this part.
  [[nodiscard]] bool has_indirect_jump() const;

  // All known branch targets inside the function, sorted; its entry is one.
  [[nodiscard]] std::span<const LinkAddress> branch_targets() const { return targets_; }
  // How many bytes behind the return at `address` are padding that nothing branches to: up
  // to the next branch target or instruction, or where the function ends, to the next
  // boundary at which code is aligned. That no other function lies there is for the caller
  // to see.
  [[nodiscard]] std::uint64_t padding_behind(LinkAddress address) const;
  // A known branch target in [range.begin, range.end).
  [[nodiscard]] bool branches_into(LinkRange range) const;

 private:
  void decode_linearly(std::span<const LinkAddress> known_starts);
  void mark_certain(std::span<const LinkAddress> known_starts);
  void collect_direct_targets(std::span<const LinkAddress> others);
  void prove_jump_tables(const ReadData& read_data);
  [[nodiscard]] bool ends_properly() const;
  [[nodiscard]] std::size_t index_of(LinkAddress address) const;
  bool add_target(LinkAddress target);

  LinkRange range_;
  std::vector<std::uint8_t> bytes_;  // from range_.begin, with a tail
  std::vector<PlacedInstruction> instructions_;
  std::vector<LinkAddress> targets_;
  bool complete_ = false;
  bool unknown_indirect_jump_ = false;
  bool may_be_entered_elsewhere_ = false;
};

}  // namespace nohalt::inline_sites
