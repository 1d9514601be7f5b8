// Names, and for each the units that have it: the sources of a file's code, or its
// functions. Flat, so that it is written to a file and read from one as it is. Internal.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nohalt::symbols {

class NameTable {
 public:
  using Names = std::map<std::string, std::vector<std::uint32_t>, std::less<>>;

  // `units` of a name: increasing, each once, less than `unit_count`.
  NameTable(const Names& names, std::size_t unit_count);
  // What bytes() gave; absent: these are other bytes.
  [[nodiscard]] static std::optional<NameTable> read(std::string_view bytes);
  [[nodiscard]] std::string bytes() const;

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  // In alphabetical order.
  [[nodiscard]] std::string_view name(std::size_t index) const;
  [[nodiscard]] std::span<const std::uint32_t> units(std::size_t index) const;
  // Of the units that have the name; empty: none has.
  [[nodiscard]] std::span<const std::uint32_t> find(std::string_view name) const;
  // How many units the file has.
  [[nodiscard]] std::size_t unit_count() const { return unit_count_; }

 private:
  struct Entry {
    std::uint32_t name_end = 0;  // in text_; begins where the one before ends
    std::uint32_t units_end = 0;
  };
  NameTable() = default;
  [[nodiscard]] bool is_sound() const;

  std::size_t unit_count_ = 0;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> units_;
  std::string text_;
};

}  // namespace nohalt::symbols
