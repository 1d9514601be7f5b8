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
  bool is_of_program = false;  // else of a library
};

class Vtables {
 public:
  // `images` must outlive it.
  Vtables(const stacks::UnwindImages& images, std::string program_build_id)
      : images_(images), program_build_id_(std::move(program_build_id)) {}

  // The table of this kind that the class of this name has, which the program describes;
  // null: none, or nobody knows which. What a library has under a name for which the
  // program has one of its own may be another class, as two plugins' are; and a local
  // name is nobody else's.
  [[nodiscard]] const Vtable* of_class(std::string_view class_name,
                                       symbols::VtableSymbol::Kind kind) const;
  // The table that a vtable pointer points into; null: it points into none.
  [[nodiscard]] const Vtable* at(RuntimeAddress vtable_pointer) const;
  // The table or typeinfo that begins there; null: none does.
  [[nodiscard]] const Vtable* beginning_at(RuntimeAddress address) const;
  // By address, typeinfos too.
  [[nodiscard]] const std::vector<Vtable>& all() const;

 private:
  void read() const;

  const stacks::UnwindImages& images_;
  std::string program_build_id_;
  mutable bool is_read_ = false;
  mutable std::vector<Vtable> all_;  // by address
  mutable std::multimap<std::string_view, std::size_t> by_name_;
};

}  // namespace nohalt::classes
