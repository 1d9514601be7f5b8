#include "probes/classes/vtables.h"

#include <algorithm>

namespace nohalt::classes {

using symbols::VtableSymbol;

void Vtables::read() const {
  if (std::exchange(is_read_, true)) return;
  for (const stacks::CodePlace& file : images_.files()) {
    for (const VtableSymbol& symbol : images_.table(file).vtables())
      all_.push_back(
          {&symbol,
           {file.bias.to_runtime(symbol.range.begin), file.bias.to_runtime(symbol.range.end)},
           file.image});
  }
  std::ranges::stable_sort(all_, {}, [](const Vtable& each) { return each.range.begin; });
  for (std::size_t i = 0; i < all_.size(); ++i) by_name_.emplace(all_[i].symbol->class_name, i);
}

// A file without a build id is told by being the first, which the program is.
const stacks::Image* Vtables::file_of(const symbols::DebugInfo& info) const {
  const std::vector<stacks::CodePlace> files = images_.files();
  if (info.build_id().empty()) return files.empty() ? nullptr : files.front().image;
  const auto own = std::ranges::find_if(files, [&](const stacks::CodePlace& file) {
    return images_.table(file).build_id() == info.build_id();
  });
  return own == files.end() ? nullptr : own->image;
}

const Vtable* Vtables::of_class(std::string_view class_name, VtableSymbol::Kind kind,
                                const stacks::Image* home) const {
  read();
  const Vtable* found = nullptr;
  bool is_ambiguous = false;
  const std::string name = symbols::comparable_name(class_name);
  const auto [begin, end] = by_name_.equal_range(name);
  for (auto each = begin; each != end; ++each) {
    const Vtable& table = all_[each->second];
    const bool is_own = home != nullptr && table.file == home;
    if (table.symbol->kind != kind || (!is_own && table.symbol->is_local)) continue;
    const bool found_own = found != nullptr && home != nullptr && found->file == home;
    if (found_own && !is_own) continue;
    is_ambiguous = found != nullptr && found_own == is_own;
    found = &table;
  }
  return is_ambiguous ? nullptr : found;
}

const std::vector<Vtable>& Vtables::all() const {
  read();
  return all_;
}

const Vtable* Vtables::beginning_at(RuntimeAddress address) const {
  read();
  const auto found = std::ranges::lower_bound(all_, address, {},
                                              [](const Vtable& each) { return each.range.begin; });
  return found != all_.end() && found->range.begin == address ? &*found : nullptr;
}

const Vtable* Vtables::at(RuntimeAddress vtable_pointer) const {
  read();
  auto after = std::ranges::upper_bound(all_, vtable_pointer, {},
                                        [](const Vtable& each) { return each.range.begin; });
  // A pointer past the last function of one may be where the next begins.
  while (after != all_.begin()) {
    --after;
    if (after->symbol->kind == VtableSymbol::Kind::kTypeinfo) continue;
    return after->range.contains(vtable_pointer) ? &*after : nullptr;
  }
  return nullptr;
}

}  // namespace nohalt::classes
