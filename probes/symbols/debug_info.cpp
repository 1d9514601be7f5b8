// The public face of the module: each question goes to the part that answers it.
#include "probes/symbols/debug_info.h"

#include <algorithm>

#include "probes/symbols/call_frames.h"
#include "probes/symbols/call_sites.h"
#include "probes/symbols/class_index.h"
#include "probes/symbols/debug_file.h"
#include "probes/symbols/landing_pads.h"
#include "probes/symbols/places.h"
#include "probes/symbols/source_frames.h"
#include "probes/symbols/type_reader.h"
#include "probes/symbols/variables.h"

namespace nohalt::symbols {

namespace {

class DwarfDebugInfo final : public DebugInfo {
 public:
  explicit DwarfDebugInfo(DebugFile file) : file_(std::move(file)) {}

  Status read_units() {
    NOHALT_TRY(units_, Units::read(file_.dwarf.get(), file_.program));
    frames_ = std::make_unique<CallFrames>(file_.program.elf(), file_.dwarf.get());
    places_ = std::make_unique<Places>(file_.program, *units_);
    const auto names = [this]() -> const NameIndex& { return places_->names(); };
    types_ = std::make_unique<TypeReader>(*units_, names);
    classes_ = std::make_unique<ClassIndex>(*units_, *types_);
    variables_ = std::make_unique<Variables>(*units_, *frames_, *types_, names,
                                             file_.program.thread_local_distance());
    calls_ = std::make_unique<CallSites>(*units_, *variables_, names);
    return {};
  }

  const std::string& build_id() const override { return file_.program.build_id(); }
  const std::string& debug_file() const override { return file_.path; }
  bool is_position_independent() const override { return file_.program.is_position_independent(); }

  std::vector<LinkRange> writable_segments() const override {
    std::vector<LinkRange> ranges;
    for (const Segment& segment : file_.program.segments())
      if (segment.writable) ranges.push_back(segment.range);
    return ranges;
  }

  Result<std::vector<std::uint8_t>> read_bytes(LinkAddress at, std::uint64_t size) const override {
    return file_.program.read(at, size);
  }
  std::optional<LinkRange> section(std::string_view name) const override {
    const auto found = file_.program.section(name);
    if (!found) return std::nullopt;
    return LinkRange{{found->address}, {found->address + found->bytes.size()}};
  }

  Result<ResolvedPlace> resolve(std::string_view location) const override {
    return places_->resolve(location);
  }
  Result<std::vector<Variable>> variables_at(LinkAddress pc) const override {
    return variables_->at(pc);
  }
  Result<std::vector<std::vector<Variable>>> variables_by_function(LinkAddress pc) const override {
    return variables_->by_function(pc);
  }
  std::optional<Call> call(LinkAddress return_pc, LinkAddress callee_pc) const override {
    return calls_->call(return_pc, callee_pc);
  }
  Result<std::optional<Variable>> find_global(std::string_view name,
                                              LinkAddress pc) const override {
    return variables_->global(name, pc);
  }
  const Type* find_type(std::string_view name, LinkAddress pc) const override {
    return types_->find(name, units_->at(pc));
  }

  std::vector<const Type*> with_heirs(const Type* type) const override {
    return classes_->with_heirs(type);
  }

  std::optional<std::vector<LinkAddress>> landing_pads(LinkRange function) const override {
    if (!pads_) pads_ = read_landing_pads(file_.program);
    if (!*pads_) return std::nullopt;
    const auto begin = std::ranges::lower_bound(**pads_, function.begin);
    const auto end = std::ranges::lower_bound(**pads_, function.end);
    if (begin >= end) return std::vector<LinkAddress>{};
    return std::vector<LinkAddress>(begin, end);
  }

  std::vector<FunctionRange> functions() const override { return places_->functions(); }
  std::vector<StatementRow> statements() const override { return places_->statements(); }
  std::optional<LineSite> describe(LinkAddress pc) const override { return places_->describe(pc); }
  std::vector<SourceFrame> source_frames(LinkAddress pc) const override {
    return read_source_frames(*units_, pc);
  }

 private:
  DebugFile file_;
  std::unique_ptr<Units> units_;
  std::unique_ptr<CallFrames> frames_;
  std::unique_ptr<Places> places_;
  std::unique_ptr<TypeReader> types_;
  std::unique_ptr<ClassIndex> classes_;
  std::unique_ptr<Variables> variables_;
  std::unique_ptr<CallSites> calls_;
  mutable std::optional<std::optional<std::vector<LinkAddress>>> pads_;
};

}  // namespace

Result<std::unique_ptr<DebugInfo>> DebugInfo::open(const std::string& path, const std::string& name,
                                                   const OpenOptions& options) {
  NOHALT_TRY(DebugFile file, open_debug_file(path, name, options.debug_dirs));
  auto info = std::make_unique<DwarfDebugInfo>(std::move(file));
  NOHALT_CHECK(info->read_units());
  return info;
}

const std::string& DebugInfo::debug_file() const {
  static const std::string kNone;
  return kNone;
}

std::optional<LinkRange> DebugInfo::section(std::string_view) const { return std::nullopt; }

std::optional<Call> DebugInfo::call(LinkAddress, LinkAddress) const { return std::nullopt; }

std::vector<const Type*> DebugInfo::with_heirs(const Type* type) const { return {type}; }

std::vector<SourceFrame> DebugInfo::source_frames(LinkAddress) const { return {}; }

}  // namespace nohalt::symbols
