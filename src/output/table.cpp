// Widths count code points, which is what most names take on a terminal.
#include "src/output/table.h"

#include <algorithm>

#include "src/base/escape.h"

namespace nohalt::output {

namespace {

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string table_text(const std::vector<TableRow>& rows, std::size_t indent) {
  std::vector<TableRow> safe = rows;
  std::vector<std::size_t> widths;
  for (TableRow& row : safe) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = make_printable(row[i]);
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  }
  std::string text;
  for (const TableRow& row : safe) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    while (line.ends_with(' ')) line.pop_back();
    text += line + "\n";
  }
  return text;
}

}  // namespace nohalt::output
