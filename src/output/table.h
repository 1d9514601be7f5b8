// Columns for people: each as wide as its widest cell, the last one free.
// Threading: pure functions.
#pragma once

#include <string>
#include <vector>

namespace nohalt::output {

using TableRow = std::vector<std::string>;

// Cells are made safe to show here. `indent` spaces stand before each line.
[[nodiscard]] std::string table_text(const std::vector<TableRow>& rows, std::size_t indent);

}  // namespace nohalt::output
