// The rules, so that `function` means the place where GDB's `break function`
// stops:
//  1. Clang marks the end of the prologue in the line table. Up to there its
//     frame base is not yet what the DWARF says, whatever the optimisation.
//  2. GCC code with location lists describes its variables from the first
//     instruction on: the entry is the place.
//  3. Otherwise the frame set-up (endbr64; push %rbp; mov %rsp,%rbp) is stepped
//     over, and then the rest of the line that it belongs to.
// Departures: GDB 13 looks for the mark only where the producer begins with
// "clang", which Debian's does not. And unoptimised code without a frame pointer stores its
// arguments in the first line's code, where GDB stays at the entry and shows garbage; there the
// second line row is taken.
//
// Source: behaviour of GDB 13 (its manual, "Set Breaks"; checked against it by
// tests/differential/symbols); DWARF 5 section 6.2.2 for prologue_end.
#include "probes/symbols/prologue.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace nohalt::symbols {

namespace {

// GCC writes its options into the producer; clang marks the body itself.
bool is_optimized(const Unit& unit) {
  const std::size_t at = unit.producer.find(" -O");
  return at != std::string::npos && unit.producer.substr(at, 4) != " -O0";
}

bool has_two_rows_at(const LineTable& table, const LineRow& first) {
  return std::ranges::count_if(std::ranges::equal_range(table.rows(), first.pc, {}, &LineRow::pc),
                               [&](const LineRow& row) {
                                 return row.file == first.file && row.line != 0 && !row.is_end;
                               }) > 1;
}

std::optional<LinkAddress> marked_body(const LineTable& table, LinkRange piece) {
  for (auto row = std::ranges::lower_bound(table.rows(), piece.begin, {}, &LineRow::pc);
       row != table.rows().end() && row->pc < piece.end; ++row)
    if (row->is_prologue_end && row->line != 0) return row->pc;
  return std::nullopt;
}

std::optional<LinkAddress> second_line(const LineTable& table, LinkRange piece) {
  const LineRow* first = table.covering(piece.begin);
  if (first == nullptr) return std::nullopt;
  if (has_two_rows_at(table, *first)) return piece.begin;
  const LinkAddress end = table.end_of_row(piece.begin);
  return end > piece.begin && end < piece.end ? std::optional(end) : std::nullopt;
}

// One past `mov %rsp,%rbp`, or the entry where there is no frame pointer.
LinkAddress after_frame_setup(const ElfImage& image, LinkAddress entry) {
  const std::vector<std::uint8_t> code = image.read_up_to(entry, 16);
  std::size_t at = 0;
  const auto skip = [&](std::initializer_list<std::uint8_t> bytes) {
    if (at + bytes.size() > code.size() ||
        !std::equal(bytes.begin(), bytes.end(), code.begin() + static_cast<std::ptrdiff_t>(at)))
      return false;
    at += bytes.size();
    return true;
  };
  skip({0xf3, 0x0f, 0x1e, 0xfa});
  if (!skip({0x55}) && !skip({0x40, 0x55})) return entry;
  if (!skip({0x48, 0x89, 0xe5}) && !skip({0x48, 0x8b, 0xec})) return entry;
  return entry + at;
}

}  // namespace

LinkAddress body_of(const ElfImage& image, const Units& units, Unit& unit,
                    const Function& function) {
  const LinkAddress entry = function.entry();
  const LineTable& lines = units.lines(unit);
  const LinkRange piece{entry, function.piece(entry).end};
  if (const std::optional<LinkAddress> marked = marked_body(lines, piece)) return *marked;
  if (units.code(unit).has_location_lists()) return entry;
  LinkAddress pc = after_frame_setup(image, entry);
  if (pc == entry && !is_optimized(unit)) pc = second_line(lines, piece).value_or(entry);
  const LineRow* row = lines.covering(pc);
  if (row == nullptr || row->pc == pc) return pc;
  const LinkAddress next = lines.end_of_row(pc);
  return next > pc && piece.contains(next) ? next : pc;
}

}  // namespace nohalt::symbols
