#include "probes/symbols/name_table.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace nohalt::symbols {

namespace {

template <class T>
void append(std::string& bytes, const T* from, std::size_t count) {
  bytes.append(reinterpret_cast<const char*>(from), count * sizeof(T));
}

// Takes `count` items off the front; false: there are fewer.
template <class Items>
bool take(std::string_view& bytes, std::uint64_t count, Items& items) {
  const std::size_t item = sizeof(typename Items::value_type);
  if (count > bytes.size() / item) return false;
  items.resize(count);
  if (count != 0) std::memcpy(items.data(), bytes.data(), count * item);
  bytes.remove_prefix(count * item);
  return true;
}

}  // namespace

NameTable::NameTable(const Names& names, std::size_t unit_count) : unit_count_(unit_count) {
  for (const auto& [name, units] : names) {
    text_ += name;
    units_.insert(units_.end(), units.begin(), units.end());
    entries_.push_back(
        {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(units_.size())});
  }
}

std::string NameTable::bytes() const {
  const std::array<std::uint64_t, 4> counts = {unit_count_, entries_.size(), units_.size(),
                                               text_.size()};
  std::string bytes;
  append(bytes, counts.data(), counts.size());
  append(bytes, entries_.data(), entries_.size());
  append(bytes, units_.data(), units_.size());
  return bytes + text_;
}

std::optional<NameTable> NameTable::read(std::string_view bytes) {
  std::vector<std::uint64_t> counts;
  NameTable table;
  if (!take(bytes, 4, counts) || !take(bytes, counts[1], table.entries_) ||
      !take(bytes, counts[2], table.units_) || !take(bytes, counts[3], table.text_))
    return std::nullopt;
  table.unit_count_ = counts[0];
  if (!bytes.empty() || !table.is_sound()) return std::nullopt;
  return table;
}

bool NameTable::is_sound() const {
  Entry last;
  for (const Entry& entry : entries_) {
    if (entry.name_end < last.name_end || entry.units_end <= last.units_end) return false;
    last = entry;
  }
  if (last.name_end != text_.size() || last.units_end != units_.size()) return false;
  for (std::size_t i = 1; i < entries_.size(); ++i)
    if (name(i - 1) >= name(i)) return false;
  return std::ranges::all_of(units_, [this](std::uint32_t unit) { return unit < unit_count_; });
}

std::string_view NameTable::name(std::size_t index) const {
  const std::size_t begin = index == 0 ? 0 : entries_[index - 1].name_end;
  return std::string_view(text_).substr(begin, entries_[index].name_end - begin);
}

std::span<const std::uint32_t> NameTable::units(std::size_t index) const {
  const std::size_t begin = index == 0 ? 0 : entries_[index - 1].units_end;
  return std::span(units_).subspan(begin, entries_[index].units_end - begin);
}

std::span<const std::uint32_t> NameTable::find(std::string_view asked) const {
  std::size_t begin = 0;
  for (std::size_t end = size(); begin < end;) {
    const std::size_t middle = begin + (end - begin) / 2;
    if (name(middle) < asked)
      begin = middle + 1;
    else
      end = middle;
  }
  if (begin == size() || name(begin) != asked) return {};
  return units(begin);
}

}  // namespace nohalt::symbols
