#include "probes/symbols/line_table.h"

#include <algorithm>
#include <unordered_map>

#include "probes/symbols/die.h"

namespace nohalt::symbols {

namespace {

struct RawRow {
  LineRow row;
  bool has_discriminator = false;
};

// Feeds rows in order and keeps what GDB would keep.
class RowFilter {
 public:
  explicit RowFilter(std::vector<LineRow>& rows) : rows_(rows) {}

  void add(const RawRow& raw) {
    const LineRow& row = raw.row;
    if (row.is_end) {
      drop_empty_rows(row.pc);
      if (!rows_.empty() && !rows_.back().is_end) rows_.push_back(row);
      in_sequence_ = false;
      return;
    }
    const bool file_changed = !in_sequence_ || row.file != last_file_;
    if (row.line != last_line_) line_has_discriminator_ = false;
    line_has_discriminator_ |= raw.has_discriminator;
    const bool ignored = row.line != 0 && in_sequence_ && file_changed && row.pc == last_pc_ &&
                         !row.is_statement && statement_here_;
    if (row.line == 0) {
      rows_.push_back(row);
    } else if (!ignored) {
      if (file_changed) drop_empty_rows(row.pc);
      if (file_changed || row.line != last_line_ || !line_has_discriminator_) rows_.push_back(row);
      last_file_ = row.file;
      last_line_ = row.line;
    }
    if (!in_sequence_ || row.pc != last_pc_) statement_here_ = false;
    statement_here_ |= row.is_statement;
    last_pc_ = row.pc;
    in_sequence_ = true;
  }

 private:
  void drop_empty_rows(LinkAddress pc) {
    if (!in_sequence_) return;
    while (!rows_.empty() && rows_.back().pc == pc && !rows_.back().is_end &&
           rows_.back().file == last_file_)
      rows_.pop_back();
  }

  std::vector<LineRow>& rows_;
  bool in_sequence_ = false;
  bool statement_here_ = false;
  bool line_has_discriminator_ = false;
  std::uint32_t last_file_ = 0;
  std::uint32_t last_line_ = 0;
  LinkAddress last_pc_;
};

class FileCache {
 public:
  FileCache(Dwarf_Die unit, FileNames& names) : unit_(unit), names_(names) {}

  std::uint32_t index(Dwarf_Line* line) {
    const char* raw = dwarf_linesrc(line, nullptr, nullptr);
    if (raw == nullptr) raw = "";
    const auto [known, is_new] = known_.try_emplace(raw, 0);
    if (is_new) known->second = names_.intern(source_path(unit_, raw));
    return known->second;
  }

 private:
  Dwarf_Die unit_;
  FileNames& names_;
  std::unordered_map<const char*, std::uint32_t> known_;
};

std::optional<RawRow> read_row(Dwarf_Line* line, FileCache& files) {
  Dwarf_Addr pc = 0;
  int number = 0;
  int column = 0;
  bool is_statement = false;
  bool is_prologue_end = false;
  bool is_end = false;
  unsigned discriminator = 0;
  if (line == nullptr || dwarf_lineaddr(line, &pc) != 0 || dwarf_lineno(line, &number) != 0 ||
      dwarf_linecol(line, &column) != 0 || dwarf_linebeginstatement(line, &is_statement) != 0 ||
      dwarf_lineprologueend(line, &is_prologue_end) != 0 ||
      dwarf_lineendsequence(line, &is_end) != 0 ||
      dwarf_linediscriminator(line, &discriminator) != 0)
    return std::nullopt;
  return RawRow{.row = {.pc = {pc},
                        .line = number > 0 ? static_cast<std::uint32_t>(number) : 0,
                        .file = is_end ? 0 : files.index(line),
                        .column = column > 0 ? static_cast<std::uint32_t>(column) : 0,
                        .is_statement = is_statement,
                        .is_prologue_end = is_prologue_end,
                        .is_end = is_end},
                .has_discriminator = discriminator != 0};
}

}  // namespace

std::uint32_t FileNames::intern(std::string path) {
  const auto [known, is_new] =
      index_.try_emplace(std::move(path), static_cast<std::uint32_t>(names_.size()));
  if (is_new) names_.push_back(&known->first);
  return known->second;
}

std::vector<LineRow> unfiltered_rows(Dwarf_Die unit, const std::vector<LinkRange>& ranges,
                                     FileNames& names) {
  Dwarf_Lines* lines = nullptr;
  std::size_t count = 0;
  std::vector<LineRow> rows;
  if (ranges.empty() || dwarf_getsrclines(&unit, &lines, &count) != 0) return rows;
  FileCache files(unit, names);
  for (std::size_t i = 0; i < count; ++i) {
    const std::optional<RawRow> raw = read_row(dwarf_onesrcline(lines, i), files);
    if (raw && !raw->row.is_end && raw->row.line != 0 && contains(ranges, raw->row.pc))
      rows.push_back(raw->row);
  }
  return rows;
}

LineTable::LineTable(Dwarf_Die unit, const std::vector<LinkRange>& ranges, FileNames& names) {
  Dwarf_Lines* lines = nullptr;
  std::size_t count = 0;
  if (ranges.empty() || dwarf_getsrclines(&unit, &lines, &count) != 0) return;
  FileCache files(unit, names);
  RowFilter filter(rows_);
  rows_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::optional<RawRow> raw = read_row(dwarf_onesrcline(lines, i), files);
    if (!raw) continue;
    const LinkAddress last_byte{raw->row.pc.value - (raw->row.is_end ? 1 : 0)};
    if (contains(ranges, last_byte)) filter.add(*raw);
  }
  for (const LineRow& row : rows_)
    if (row.is_statement && row.line != 0 && !row.is_end) files_.push_back(row.file);
  std::ranges::sort(files_);
  files_.erase(std::ranges::unique(files_).begin(), files_.end());
}

const LineRow* LineTable::covering(LinkAddress pc) const {
  auto row = std::ranges::upper_bound(rows_, pc, {}, &LineRow::pc);
  do {
    if (row == rows_.begin()) return nullptr;
    --row;
    if (row->is_end) return nullptr;
  } while (row->line == 0);
  if (row->is_statement) return &*row;
  for (auto earlier = row; earlier != rows_.begin();) {
    --earlier;
    if (earlier->pc != row->pc || earlier->line == 0 || earlier->is_end) break;
    if (earlier->is_statement) return &*earlier;
  }
  return &*row;
}

LinkAddress LineTable::end_of_row(LinkAddress pc) const {
  auto row = std::ranges::upper_bound(rows_, pc, {}, &LineRow::pc);
  while (row != rows_.end() && row->line == 0 && !row->is_end) ++row;
  return row == rows_.end() ? pc : row->pc;
}

LinkRange LineTable::statement(const LineRow& row) const {
  auto next = std::ranges::upper_bound(rows_, row.pc, {}, &LineRow::pc);
  while (next != rows_.end() && !next->is_end && !next->is_statement && next->line == row.line &&
         next->file == row.file)
    ++next;
  return {row.pc, next == rows_.end() ? row.pc : next->pc};
}

}  // namespace nohalt::symbols
