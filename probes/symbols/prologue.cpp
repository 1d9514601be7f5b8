// The rules are those of GDB 13 on x86-64, so that `function` means the place
// where `break function` stops:
//  1. GCC code with location lists describes its variables from the first
//     instruction on: the entry is the place.
//  2. Clang marks the end of the prologue by a second line row.
//  3. Otherwise the frame set-up (endbr64; push %rbp; mov %rsp,%rbp) is stepped
//     over, and then the rest of the line that it belongs to.
// One departure: unoptimised GCC code without a frame pointer stores its
// arguments in the first line's code, where GDB stays at the entry and shows
// garbage; there the second line row is taken.
//
// Source: behaviour of GDB (symtab.c, amd64-tdep.c), described in its manual
// under "Set Breaks"; checked against it by tests/differential/symbols.
#include "probes/symbols/prologue.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace nohalt::symbols {

namespace {

bool is_gcc(const Unit& unit) { return unit.producer.starts_with("GNU "); }
bool is_llvm(const Unit& unit) { return unit.producer.find("clang") != std::string::npos; }
bool is_optimized(const Unit& unit) {
  const std::size_t at = unit.producer.find(" -O");
  return at != std::string::npos && unit.producer.substr(at, 4) != " -O0";
}

struct Rows {
  const LineTable& table;
  const Function& function;
  LinkRange piece;

  // True where the code at pc, inside this function, is an inlined copy's.
  [[nodiscard]] bool is_inlined(LinkAddress pc) const {
    return function.enclosing_function(function.innermost(pc)) != 0;
  }
};

bool has_two_rows_at(const LineTable& table, const LineRow& first) {
  return std::ranges::count_if(std::ranges::equal_range(table.rows(), first.pc, {}, &LineRow::pc),
                               [&](const LineRow& row) {
                                 return row.file == first.file && row.line != 0 && !row.is_end;
                               }) > 1;
}

// The end of the first line's code, going on over rows of smaller line numbers,
// which are instructions that the scheduler moved in. Absent: one line only.
std::optional<LinkAddress> second_line(const Rows& rows) {
  const LinkAddress entry = rows.piece.begin;
  const LineRow* first = rows.table.covering(entry);
  if (first == nullptr) return std::nullopt;
  if (has_two_rows_at(rows.table, *first)) return entry;
  LinkAddress end = rows.table.end_of_row(entry);
  if (end >= rows.piece.end || end <= entry) return std::nullopt;
  for (;;) {
    const LineRow* next = rows.table.covering(end);
    if (next == nullptr || next->line >= first->line || next->file != first->file) return end;
    if (rows.is_inlined(end)) return end;
    const LinkAddress after = rows.table.end_of_row(end);
    if (after <= end || after >= rows.piece.end) return end;
    first = next;
    end = after;
  }
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
  if (is_gcc(unit) && units.code(unit).has_location_lists()) return entry;
  const Rows rows{units.lines(unit), function, {entry, function.piece(entry).end}};
  LinkAddress pc = entry;
  if (is_llvm(unit)) {
    pc = second_line(rows).value_or(after_frame_setup(image, entry));
  } else {
    pc = after_frame_setup(image, entry);
    if (pc == entry && !is_optimized(unit)) pc = second_line(rows).value_or(entry);
  }
  const LineRow* row = rows.table.covering(pc);
  if (row == nullptr || row->pc == pc) return pc;
  const LinkAddress next = rows.table.end_of_row(pc);
  return next > pc && rows.piece.contains(next) ? next : pc;
}

}  // namespace nohalt::symbols
