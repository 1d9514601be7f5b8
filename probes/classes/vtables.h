// The vtables of a process, as the symbols of its files name them: which class an
// object's vtable pointer stands for.
//
// What is known is what was mapped when the files were opened; of a library that is
// loaded later nothing is.
// Threading: one thread at a time.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "probes/stacks/images.h"
#include "probes/symbols/vtable_symbols.h"
#include "src/base/address.h"

namespace nohalt::classes {

struct Vtable {
  const symbols::VtableSymbol* symbol = nullptr;
  RuntimeRange range;
  const stacks::Image* file = nullptr;  // that it is in
};

class Vtables {
 public:
  // `images` must outlive it.
  explicit Vtables(const stacks::UnwindImages& images) : images_(images) {}

  // The file that this debug information is of; null: none of these.
  [[nodiscard]] const stacks::Image* file_of(const symbols::DebugInfo& info) const;
  // The table of this kind that the class of this name has, which the file `home`
  // describes; null: none, or nobody knows which. What another file has under a name for
  // which `home` has one of its own may be another class, as two plugins' are; and a local
  // name is nobody else's.
  [[nodiscard]] const Vtable* of_class(std::string_view class_name,
                                       symbols::VtableSymbol::Kind kind,
                                       const stacks::Image* home) const;
  // The table that a vtable pointer points into; null: it points into none.
  [[nodiscard]] const Vtable* at(RuntimeAddress vtable_pointer) const;
  // The table or typeinfo that begins there; null: none does.
  [[nodiscard]] const Vtable* beginning_at(RuntimeAddress address) const;
  // By address, typeinfos too.
  [[nodiscard]] const std::vector<Vtable>& all() const;

 private:
  void read() const;

  const stacks::UnwindImages& images_;
  mutable bool is_read_ = false;
  mutable std::vector<Vtable> all_;  // by address
  mutable std::multimap<std::string_view, std::size_t> by_name_;
};

}  // namespace nohalt::classes
