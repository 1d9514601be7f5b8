// What an object may really be: the classes that a file's debug information has
// below its own, each with the vtable pointers that an object of it has.
//
// Threading: one thread at a time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "probes/capture/capture.h"
#include "probes/classes/vtables.h"
#include "probes/symbols/debug_info.h"

namespace nohalt::classes {

// Fills `to` with the process's bytes; false: they cannot be read.
using ReadMemory = std::function<bool(RuntimeAddress, std::span<std::byte>)>;

class DynamicClasses {
 public:
  // What it is made from must outlive it.
  DynamicClasses(const symbols::DebugInfo& info, const Vtables& vtables, ReadMemory read)
      : info_(info), vtables_(vtables), home_(vtables.file_of(info)), read_(std::move(read)) {}

  [[nodiscard]] const std::vector<capture::DynamicClass>& of(const symbols::Type* type);

 private:
  [[nodiscard]] std::vector<capture::DynamicClass::Vtable> pointers_of(
      const symbols::Type& heir, const symbols::Type& type) const;
  void add_undescribed(const symbols::Type& type, std::vector<capture::DynamicClass>& classes);
  [[nodiscard]] const Vtable* base_of(RuntimeAddress typeinfo) const;
  void find_lines();
  [[nodiscard]] std::vector<std::uint64_t> words_of(const Vtable& table) const;
  [[nodiscard]] std::optional<std::uint64_t> typeinfo_of(
      const symbols::Type& heir, std::span<const std::uint64_t> words) const;

  const symbols::DebugInfo& info_;
  const Vtables& vtables_;
  const stacks::Image* home_;
  ReadMemory read_;
  std::map<const symbols::Type*, std::vector<capture::DynamicClass>> known_;
  // A class that is not described, or perhaps is: its bases' typeinfos, nearest first.
  struct Line {
    const Vtable* vtable = nullptr;
    std::vector<const Vtable*> bases = {};
  };
  bool are_lines_found_ = false;
  std::vector<Line> lines_;
};

}  // namespace nohalt::classes
