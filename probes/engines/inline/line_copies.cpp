// Backward from each mark, instruction by instruction, until on every way a mark or the
// function's entry is met.
#include "probes/engines/inline/line_copies.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "probes/engines/inline/function_of_site.h"

namespace nohalt::engines {

namespace {

using inline_sites::Flow;
using inline_sites::FunctionCode;
using inline_sites::PlacedInstruction;
using symbols::LineRepeats;
using symbols::LineSite;
using symbols::StatementMark;

// Where control comes from to a mark of a statement.
enum class From : std::uint8_t {
  kOthers,  // another statement, or the function's entry: a new run of it
  kSame,    // a mark of the same statement: more of the same run
  kEither,
  kUnknown,
};

class WaysIn {
 public:
  WaysIn(const SiteFunction& function, std::span<const StatementMark> marks, LinkAddress entry)
      : code_(function.code), marks_(marks), entry_(entry), strange_(function.entered_from) {
    for (const PlacedInstruction& placed : code_.instructions()) {
      const auto& instruction = placed.instruction;
      if (instruction.falls_through()) before_[placed.end()].push_back(placed.address);
      if (instruction.is_direct_branch() && instruction.flow != Flow::kCall)
        before_[placed.target()].push_back(placed.address);
      if (instruction.flow == Flow::kIndirectJump) indirect_jumps_.push_back(placed.address);
    }
  }

  // To the mark with that number.
  [[nodiscard]] From to(std::size_t mark) const {
    if (code_.at(marks_[mark].pc) == nullptr) return From::kUnknown;
    if (const auto here = last_mark_at(marks_[mark].pc, mark))
      return *here ? From::kSame : From::kOthers;
    std::vector<LinkAddress> work;
    bool from_same = false;
    bool from_others = marks_[mark].pc == entry_;
    if (!add_ways_to(marks_[mark].pc, work)) return From::kUnknown;
    std::set<LinkAddress> seen;
    while (!work.empty()) {
      const LinkAddress at = work.back();
      work.pop_back();
      if (!seen.insert(at).second) continue;
      if (const auto passed = last_mark_at(at, marks_.size())) {
        (*passed ? from_same : from_others) = true;
        continue;
      }
      from_others |= at == entry_;
      if (!add_ways_to(at, work)) return From::kUnknown;
    }
    if (from_same && from_others) return From::kEither;
    return from_same ? From::kSame : From::kOthers;
  }

 private:
  // Whether the last mark at that address, of those before number `end`, is of the same
  // statement; absent: there is none.
  [[nodiscard]] std::optional<bool> last_mark_at(LinkAddress at, std::size_t end) const {
    const auto after = std::ranges::upper_bound(marks_.first(end), at, {}, &StatementMark::pc);
    if (after == marks_.begin() || (after - 1)->pc != at) return std::nullopt;
    return (after - 1)->is_same;
  }

  // The instructions that lead to `at`; false where there may be others.
  [[nodiscard]] bool add_ways_to(LinkAddress at, std::vector<LinkAddress>& work) const {
    if (std::ranges::find(strange_, at) != strange_.end()) return false;
    const auto known = before_.find(at);
    if (known != before_.end()) work.insert(work.end(), known->second.begin(), known->second.end());
    const auto targets = code_.branch_targets();
    const bool is_target = std::ranges::binary_search(targets, at);
    if (is_target) work.insert(work.end(), indirect_jumps_.begin(), indirect_jumps_.end());
    return at == entry_ || at != code_.range().begin;
  }

  const FunctionCode& code_;
  std::span<const StatementMark> marks_;
  LinkAddress entry_;
  const std::vector<LinkAddress>& strange_;
  std::map<LinkAddress, std::vector<LinkAddress>> before_;
  std::vector<LinkAddress> indirect_jumps_;
};

// Adds, for the group's marks in one part of the function, where control comes from.
void judge_part(const symbols::DebugInfo& info, const LineRepeats& repeats, const LineSite& part,
                std::map<LinkAddress, From>& judged) {
  const LinkRange range = part.function_range;
  const auto begin = std::ranges::lower_bound(repeats.marks, range.begin, {}, &StatementMark::pc);
  const auto end = std::ranges::lower_bound(repeats.marks, range.end, {}, &StatementMark::pc);
  const std::span<const StatementMark> marks(begin, end);
  const auto function = function_of_site(info, part);
  if (!function || !function->code.all_branches_known()) {
    for (const StatementMark& mark : marks)
      if (mark.is_same) judged[mark.pc] = From::kUnknown;
    return;
  }
  const WaysIn ways(*function, marks, repeats.entry);
  for (std::size_t i = 0; i < marks.size(); ++i) {
    if (!marks[i].is_same) continue;
    const From from = ways.to(i);
    const auto [known, is_new] = judged.emplace(marks[i].pc, from);
    if (!is_new && known->second != from) known->second = From::kEither;
  }
}

std::map<LinkAddress, From> judge(const symbols::DebugInfo& info, const LineRepeats& repeats) {
  std::map<LinkAddress, From> judged;
  std::vector<LinkRange> parts;
  for (const auto* sites : {&repeats.sites, &repeats.others}) {
    for (const LineSite& site : *sites) {
      if (std::ranges::find(parts, site.function_range) != parts.end()) continue;
      parts.push_back(site.function_range);
      judge_part(info, repeats, site, judged);
    }
  }
  return judged;
}

// Where a jump leads to, a mark without code may have been passed or not.
bool is_ambiguous(const symbols::DebugInfo& info, const LineRepeats& repeats,
                  const LineSite& copy) {
  const bool is_hollow = std::ranges::any_of(repeats.marks, [&](const StatementMark& mark) {
    return mark.is_same && mark.is_hollow && mark.pc == copy.pc;
  });
  if (!is_hollow) return false;
  const auto function = function_of_site(info, copy);
  return !function || std::ranges::binary_search(function->code.branch_targets(), copy.pc);
}

// Copies of which nothing is left but the mark begin where another one does.
void add_empty_copies(const LineRepeats& repeats, std::vector<LinkAddress>& left_out) {
  std::set<LinkAddress> seen;
  for (const StatementMark& mark : repeats.marks)
    if (mark.is_same && !seen.insert(mark.pc).second) left_out.push_back(mark.pc);
}

// The beginning and the step of a loop over a range stand at one spot in the source, so the
// step looks like a copy of the beginning. It is where the loop's hidden variables are and
// the one that it declares is not.
bool is_loop_over_range(const symbols::DebugInfo& info, const LineRepeats& repeats) {
  const auto declares_range = [&](const LineSite& site) {
    const auto variables = info.variables_at(site.pc);
    if (!variables || variables->empty()) return false;
    const auto innermost = std::ranges::max(*variables, {}, &symbols::Variable::scope_depth);
    return std::ranges::any_of(*variables, [&](const symbols::Variable& variable) {
      return variable.name.starts_with("__for_") && variable.scope_depth == innermost.scope_depth;
    });
  };
  return std::ranges::any_of(repeats.sites, declares_range) ||
         std::ranges::any_of(repeats.others, declares_range);
}

}  // namespace

LineCopies copies_of(const symbols::DebugInfo& info, const LineRepeats& repeats) {
  LineCopies copies;
  if (repeats.marks.empty() || is_loop_over_range(info, repeats)) {
    for (const LineSite& other : repeats.others) copies.left_out.push_back(other.pc);
    return copies;
  }
  const std::map<LinkAddress, From> judged = judge(info, repeats);
  const bool are_copies =
      std::ranges::all_of(judged, [](const auto& each) { return each.second == From::kOthers; });
  if (are_copies) {
    for (const LineSite& copy : repeats.others) {
      if (is_ambiguous(info, repeats, copy))
        copies.left_out.push_back(copy.pc);
      else
        copies.sites.push_back(copy);
    }
    add_empty_copies(repeats, copies.left_out);
    return copies;
  }
  for (const LineSite& other : repeats.others)
    if (judged.at(other.pc) != From::kSame) copies.left_out.push_back(other.pc);
  return copies;
}

}  // namespace nohalt::engines
