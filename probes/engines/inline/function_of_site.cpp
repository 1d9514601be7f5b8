#include "probes/engines/inline/function_of_site.h"

#include <algorithm>
#include <span>
#include <utility>

namespace nohalt::engines {

namespace {

using inline_sites::FunctionCode;
using inline_sites::FunctionInput;
using inline_sites::ReadData;

// Bytes past a function's end that a punned jump may borrow.
constexpr std::uint64_t kTail = 16;

ReadData reader(const symbols::DebugInfo& info) {
  return [&info](LinkAddress at, std::span<std::uint8_t> to) {
    const auto bytes = info.read_bytes(at, to.size());
    if (!bytes || bytes->size() != to.size()) return false;
    std::copy(bytes->begin(), bytes->end(), to.begin());
    return true;
  };
}

// What leads from another part of the function into the one that `input` is for:
// compilers put what runs seldom elsewhere (.text.unlikely), and it comes back.
void add_branches_from(const symbols::DebugInfo& info, const LinkRange& part,
                       FunctionInput& input) {
  const auto text = info.read_bytes(part.begin, part.size());
  FunctionInput other;
  if (text) other.text = *text;
  other.text_address = part.begin;
  other.range = part;
  const FunctionCode code = FunctionCode::decode(other);
  if (!text || !code.complete() || code.has_indirect_jump()) input.may_be_entered_elsewhere = true;
  for (const LinkAddress target : code.branches_out())
    if (input.range.contains(target)) input.branch_targets.push_back(target);
}

}  // namespace

Result<SiteFunction> function_of_site(const symbols::DebugInfo& info,
                                      const symbols::LineSite& site) {
  const LinkRange range = site.function_range;
  auto text = info.read_bytes(range.begin, range.size() + kTail);
  if (!text) {
    NOHALT_TRY(auto exact, info.read_bytes(range.begin, range.size()));
    text = std::move(exact);
  }
  FunctionInput input;
  input.text = *text;
  input.text_address = range.begin;
  input.range = range;
  input.known_starts = {site.pc};
  auto pads = info.landing_pads(range);
  if (pads)
    input.branch_targets = std::move(*pads);
  else
    input.may_be_entered_elsewhere = true;
  for (const LinkRange& part : site.other_pieces) add_branches_from(info, part, input);
  input.read_data = reader(info);
  return SiteFunction{FunctionCode::decode(input), std::move(input.branch_targets)};
}

}  // namespace nohalt::engines
