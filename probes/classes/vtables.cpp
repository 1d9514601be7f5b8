#include "probes/classes/vtables.h"

#include <algorithm>

namespace nohalt::classes {

using symbols::VtableSymbol;

void Vtables::read() const {
  if (std::exchange(is_read_, true)) return;
  bool is_first = true;
  for (const stacks::CodePlace& file : images_.files()) {
    const symbols::UnwindTable& table = images_.table(file);
    const bool is_program =
        program_build_id_.empty() ? is_first : table.build_id() == program_build_id_;
    is_first = false;
    for (const VtableSymbol& symbol : table.vtables())
      all_.push_back(
          {&symbol,
           {file.bias.to_runtime(symbol.range.begin), file.bias.to_runtime(symbol.range.end)},
           is_program});
  }
  std::ranges::stable_sort(all_, {}, [](const Vtable& each) { return each.range.begin; });
  for (std::size_t i = 0; i < all_.size(); ++i) by_name_.emplace(all_[i].symbol->class_name, i);
}

const Vtable* Vtables::of_class(std::string_view class_name, VtableSymbol::Kind kind) const {
  read();
  const Vtable* found = nullptr;
  bool is_ambiguous = false;
  const std::string name = symbols::comparable_name(class_name);
  const auto [begin, end] = by_name_.equal_range(name);
  for (auto each = begin; each != end; ++each) {
    const Vtable& table = all_[each->second];
    const bool counts = table.is_of_program || !table.symbol->is_local;
    if (table.symbol->kind != kind || !counts) continue;
    if (found != nullptr && found->is_of_program && !table.is_of_program) continue;
    is_ambiguous = found != nullptr && found->is_of_program == table.is_of_program;
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
