// The public face of the module: each question goes to the part that answers it. The
// parts are made, and the DWARF begun, with the first question that needs one.
#include "probes/symbols/debug_info.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "probes/symbols/call_frames.h"
#include "probes/symbols/call_sites.h"
#include "probes/symbols/class_index.h"
#include "probes/symbols/debug_file.h"
#include "probes/symbols/function_return.h"
#include "probes/symbols/function_symbols.h"
#include "probes/symbols/landing_pads.h"
#include "probes/symbols/locator.h"
#include "probes/symbols/place_tables.h"
#include "probes/symbols/places.h"
#include "probes/symbols/source_frames.h"
#include "probes/symbols/type_reader.h"
#include "probes/symbols/variables.h"

namespace nohalt::symbols {

namespace {

// What answers from the DWARF.
struct Parts {
  Parts(const ElfImage& program, Dwarf* dwarf, std::unique_ptr<Units> read)
      : units(std::move(read)),
        frames(program.elf(), dwarf),
        places(program, *units),
        names([this]() -> const NameIndex& { return places.names(); }),
        types(*units, names),
        classes(*units, types),
        variables(*units, frames, types, names, program.thread_local_distance()),
        calls(*units, variables, names) {}
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  std::unique_ptr<Units> units;
  CallFrames frames;
  Places places;
  std::function<const NameIndex&()> names;
  TypeReader types;
  ClassIndex classes;
  Variables variables;
  CallSites calls;
};

class DwarfDebugInfo final : public DebugInfo {
 public:
  DwarfDebugInfo(std::shared_ptr<DebugFile> file, std::string name)
      : file_(std::move(file)), name_(std::move(name)) {}

  // Errors: malformed-dwarf, at each call.
  Result<Parts*> parts() const {
    if (!is_read_) {
      is_read_ = true;
      if (Status status = read(); !status) damage_ = std::move(status.error());
    }
    if (damage_) return std::unexpected(*damage_);
    return parts_.get();
  }

  const std::string& build_id() const override { return program().build_id(); }
  const std::string& debug_file() const override { return file_->path(); }
  bool is_position_independent() const override { return program().is_position_independent(); }

  bool has_symbol(std::string_view name) const override { return program().has_symbol(name); }
  LinkAddress first_address() const override {
    const auto& segments = program().segments();
    return segments.empty() ? LinkAddress{} : segments.front().range.begin;
  }
  std::vector<LinkRange> writable_segments() const override {
    std::vector<LinkRange> ranges;
    for (const Segment& segment : program().segments())
      if (segment.writable) ranges.push_back(segment.range);
    return ranges;
  }

  Result<std::vector<std::uint8_t>> read_bytes(LinkAddress at, std::uint64_t size) const override {
    return program().read(at, size);
  }
  std::optional<LinkRange> section(std::string_view name) const override {
    const auto found = program().section(name);
    if (!found) return std::nullopt;
    return LinkRange{{found->address}, {found->address + found->bytes.size()}};
  }

  Result<ResolvedPlace> resolve(std::string_view location) const override {
    return locator_.resolve(location);
  }
  Result<std::vector<Variable>> variables_at(LinkAddress pc) const override {
    NOHALT_TRY(const Parts* all, parts());
    return all->variables.at(pc);
  }
  Result<std::vector<std::vector<Variable>>> variables_by_function(LinkAddress pc) const override {
    NOHALT_TRY(const Parts* all, parts());
    return all->variables.by_function(pc);
  }
  std::optional<Call> call(LinkAddress return_pc, LinkAddress callee_pc) const override {
    const auto all = parts();
    return all ? (*all)->calls.call(return_pc, callee_pc) : std::nullopt;
  }
  std::optional<FunctionReturn> function_return(LinkAddress pc) const override {
    const auto all = parts();
    if (!all) return std::nullopt;
    return read_function_return(*(*all)->units, (*all)->types, symbols(), pc);
  }
  bool is_between_functions(LinkRange range) const override {
    const auto all = parts();
    if (!all) return false;
    for (LinkAddress at = range.begin; at < range.end; at = at + 1)
      if ((*all)->units->function_at(at) != nullptr || !symbols().at(at).empty()) return false;
    return true;
  }
  Result<std::optional<Variable>> find_global(std::string_view name,
                                              LinkAddress pc) const override {
    NOHALT_TRY(const Parts* all, parts());
    return all->variables.global(name, pc);
  }
  const Type* find_type(std::string_view name, LinkAddress pc) const override {
    const auto all = parts();
    return all ? (*all)->types.find(name, (*all)->units->at(pc)) : nullptr;
  }

  std::vector<const Type*> with_heirs(const Type* type) const override {
    const auto all = parts();
    return all ? (*all)->classes.with_heirs(type) : std::vector{type};
  }

  std::optional<std::vector<LinkAddress>> landing_pads(LinkRange function) const override {
    if (!pads_) pads_ = read_landing_pads(program());
    if (!*pads_) return std::nullopt;
    const auto begin = std::ranges::lower_bound(**pads_, function.begin);
    const auto end = std::ranges::lower_bound(**pads_, function.end);
    if (begin >= end) return std::vector<LinkAddress>{};
    return std::vector<LinkAddress>(begin, end);
  }

  std::vector<FunctionRange> functions() const override {
    const auto all = parts();
    return all ? (*all)->places.functions() : std::vector<FunctionRange>{};
  }
  std::vector<StatementRow> statements() const override {
    const auto all = parts();
    return all ? (*all)->places.statements() : std::vector<StatementRow>{};
  }
  std::optional<LineSite> describe(LinkAddress pc) const override {
    const auto all = parts();
    return all ? (*all)->places.describe(pc) : std::nullopt;
  }
  std::vector<SourceFrame> source_frames(LinkAddress pc) const override {
    const auto all = parts();
    return all ? read_source_frames(*(*all)->units, pc) : std::vector<SourceFrame>{};
  }

 private:
  [[nodiscard]] const ElfImage& program() const { return file_->program(); }

  const FunctionSymbols& symbols() const {
    if (symbols_) return *symbols_;
    symbols_.emplace();
    symbols_->add(program().elf());
    Dwarf* dwarf = file_->dwarf();
    if (dwarf != nullptr && dwarf_getelf(dwarf) != program().elf())
      symbols_->add(dwarf_getelf(dwarf));
    return *symbols_;
  }

  Status read() const {
    Dwarf* dwarf = file_->dwarf();
    if (dwarf == nullptr) {
      return fail(ErrorCode::kUsage, "malformed-dwarf",
                  "The debug information of " + name_ + " cannot be read.",
                  "Rebuild the program, or supply an undamaged debug file.");
    }
    NOHALT_CHECK(file_->check_shared());
    NOHALT_TRY(std::unique_ptr<Units> units, Units::read(dwarf, program()));
    parts_ = std::make_unique<Parts>(program(), dwarf, std::move(units));
    return {};
  }

  std::shared_ptr<DebugFile> file_;
  std::string name_;
  mutable PlaceTables tables_{*file_, [this]() -> Result<const Units*> {
                                NOHALT_TRY(const Parts* all, parts());
                                return all->units.get();
                              }};
  Locator locator_{tables_, [this]() -> Result<const Places*> {
                     NOHALT_TRY(const Parts* all, parts());
                     return &all->places;
                   }};
  mutable bool is_read_ = false;
  mutable std::optional<Error> damage_;
  mutable std::unique_ptr<Parts> parts_;
  mutable std::optional<std::optional<std::vector<LinkAddress>>> pads_;
  mutable std::optional<FunctionSymbols> symbols_;
};

}  // namespace

Result<std::unique_ptr<DebugInfo>> debug_info_of(std::shared_ptr<DebugFile> file,
                                                 const std::string& name) {
  NOHALT_CHECK(file->check());
  return std::make_unique<DwarfDebugInfo>(std::move(file), name);
}

Result<std::unique_ptr<DebugInfo>> DebugInfo::open(const std::string& path, const std::string& name,
                                                   const OpenOptions& options) {
  NOHALT_TRY(std::shared_ptr<DebugFile> file, DebugFile::open(path, name, options.debug_dirs));
  NOHALT_CHECK(file->check());
  auto info = std::make_unique<DwarfDebugInfo>(std::move(file), name);
  NOHALT_CHECK(info->parts());
  return info;
}

const std::string& DebugInfo::debug_file() const {
  static const std::string kNone;
  return kNone;
}

std::optional<LinkRange> DebugInfo::section(std::string_view) const { return std::nullopt; }

std::optional<Call> DebugInfo::call(LinkAddress, LinkAddress) const { return std::nullopt; }

std::optional<FunctionReturn> DebugInfo::function_return(LinkAddress) const { return std::nullopt; }

bool DebugInfo::is_between_functions(LinkRange) const { return false; }

std::vector<const Type*> DebugInfo::with_heirs(const Type* type) const { return {type}; }

std::vector<SourceFrame> DebugInfo::source_frames(LinkAddress) const { return {}; }

}  // namespace nohalt::symbols
