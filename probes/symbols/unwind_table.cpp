// libdw runs the call frame instructions; its rules come as DWARF expressions,
// which are translated as locations are. The psABI's defaults (which registers
// a call preserves) are libdw's own initial state, so that a register that the
// file does not mention is "same" where a callee has to keep it, else undefined
// (but see lost_rbx.h).
#include "probes/symbols/unwind_table.h"

#include <elfutils/libdw.h>

#include <algorithm>
#include <cstdlib>

#include "probes/symbols/debug_file.h"
#include "probes/symbols/expression.h"
#include "probes/symbols/function_symbols.h"
#include "probes/symbols/lost_rbx.h"

namespace nohalt::symbols {

namespace {

constexpr std::size_t kRax = 0;
constexpr std::size_t kRbx = 3;
constexpr std::size_t kLongestCall = 7;  // call *disp32(base,index,scale), by extended registers

struct FreeFrame {
  void operator()(Dwarf_Frame* frame) const { std::free(frame); }
};

struct EndCfi {
  void operator()(Dwarf_CFI* cfi) const { dwarf_cfi_end(cfi); }
};

// The length of `ff /2` with the form of address that its second byte names, or 0.
std::size_t indirect_call_length(std::uint8_t form, std::uint8_t index) {
  if ((form & 0x38U) != 0x10) return 0;
  const unsigned mode = form >> 6U;
  const unsigned base = form & 7U;
  if (mode == 3) return 2;
  const std::size_t with_index = base == 4 ? 3 : 2;
  if (mode == 1) return with_index + 1;
  if (mode == 2) return with_index + 4;
  const bool is_absolute = base == 5 || (base == 4 && (index & 7U) == 5);
  return is_absolute ? with_index + 4 : with_index;
}

RegisterRule rule_of(Dwarf_Frame* frame, int number, const std::vector<Op>& cfa) {
  Dwarf_Op storage[3];
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_register(frame, number, storage, &ops, &count) != 0)
    return {RuleKind::kUnknown, {}};
  if (count == 0) return {ops == nullptr ? RuleKind::kSame : RuleKind::kUndefined, {}};
  ExpressionContext context;
  context.cfa = [&cfa] { return std::optional(cfa); };
  Location location = translate_expression({ops, count}, context);
  if (auto* memory = std::get_if<InMemory>(&location))
    return {RuleKind::kAtAddress, std::move(memory->address)};
  if (auto* computed = std::get_if<Computed>(&location))
    return {RuleKind::kComputed, std::move(computed->value)};
  if (const auto* other = std::get_if<InRegister>(&location))
    return {RuleKind::kComputed, {{.kind = OpKind::kRegister, .number = other->number}}};
  return {RuleKind::kUnknown, {}};
}

std::optional<UnwindRow> row_from(Dwarf_CFI* cfi, LinkAddress pc) {
  Dwarf_Frame* raw = nullptr;
  if (cfi == nullptr || dwarf_cfi_addrframe(cfi, pc.value, &raw) != 0) return std::nullopt;
  const std::unique_ptr<Dwarf_Frame, FreeFrame> frame(raw);
  UnwindRow row;
  const int return_column = dwarf_frame_info(frame.get(), nullptr, nullptr, &row.is_signal_frame);
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (return_column < 0 || dwarf_frame_cfa(frame.get(), &ops, &count) != 0 || count == 0)
    return std::nullopt;
  std::optional<std::vector<Op>> cfa = translate_address({ops, count});
  if (!cfa) return std::nullopt;
  row.cfa = std::move(*cfa);
  for (std::size_t i = 0; i < kFrameRegisters; ++i) {
    const int number = i == kReturnColumn ? return_column : static_cast<int>(i);
    row.registers[i] = rule_of(frame.get(), number, row.cfa);
  }
  return row;
}

// One kind of table.
struct FrameRules {
  explicit FrameRules(Dwarf_CFI* table) : cfi(table) {}

  [[nodiscard]] std::optional<UnwindRow> row_at(LinkAddress pc) const {
    std::optional<UnwindRow> row = row_from(cfi, pc);
    if (!row) return std::nullopt;
    RegisterRule& rbx = row->registers[kRbx];
    if (rbx.kind == RuleKind::kUndefined && !lost_rbx.may_be_at(pc)) rbx.kind = RuleKind::kSame;
    return row;
  }

  Dwarf_CFI* cfi = nullptr;  // null: there is none
  LostRbx lost_rbx;
};

class CfiTable final : public UnwindTable {
 public:
  CfiTable(std::shared_ptr<DebugFile> file, std::string name)
      : file_(std::move(file)), name_(std::move(name)) {}

  std::optional<UnwindRow> row_at(LinkAddress pc) const override {
    std::optional<UnwindRow> row = exceptions().row_at(pc);
    if (!row && has_debug_frames()) row = debug_frames().row_at(pc);
    if (row && row->registers[kRax].kind == RuleKind::kSame) row->registers[kRax] = {};
    return row;
  }

  // e8 rel32, or ff /2 with one of its forms of address (Intel SDM, volume 2, CALL).
  bool follows_call(LinkAddress pc) const override {
    std::vector<std::uint8_t> bytes;  // fewer where the segment begins
    for (std::size_t wanted = kLongestCall; bytes.empty() && wanted > 1; --wanted)
      if (wanted <= pc.value) bytes = program().read_up_to(pc - wanted, wanted);
    const std::size_t size = bytes.size();
    if (size >= 5 && bytes[size - 5] == 0xe8) return true;
    for (std::size_t length = 2; length <= size; ++length) {
      const std::uint8_t* at = bytes.data() + size - length;
      const std::uint8_t index = length > 2 ? at[2] : std::uint8_t{0};
      if (at[0] == 0xff && indirect_call_length(at[1], index) == length) return true;
    }
    return false;
  }

  std::optional<LinkAddress> code_at(std::uint64_t file_offset) const override {
    for (const Segment& segment : program().segments()) {
      if (!segment.executable || file_offset < segment.file_offset) continue;
      const std::uint64_t into = file_offset - segment.file_offset;
      if (into < segment.file_size) return segment.range.begin + into;
    }
    return std::nullopt;
  }

  std::vector<std::uint8_t> constants_at(std::uint64_t file_offset,
                                         std::uint64_t size) const override {
    for (const Segment& segment : program().segments()) {
      if (segment.writable || file_offset < segment.file_offset) continue;
      const std::uint64_t into = file_offset - segment.file_offset;
      if (into >= segment.file_size) continue;
      return program().read_up_to(segment.range.begin + into,
                                  std::min(size, segment.file_size - into));
    }
    return {};
  }

  const std::string& build_id() const override { return program().build_id(); }
  std::string function_at(LinkAddress pc) const override { return functions().at(pc); }
  std::string function_beginning_at(LinkAddress pc) const override {
    return functions().beginning_at(pc);
  }

  Result<std::unique_ptr<DebugInfo>> debug_info() const override {
    return debug_info_of(file_, name_);
  }

  const std::vector<VtableSymbol>& vtables() const override {
    if (!vtables_) {
      vtables_.emplace();
      if (file_->separate() != nullptr) add_vtables(file_->separate()->elf(), *vtables_);
      add_vtables(program().elf(), *vtables_);
    }
    return *vtables_;
  }

 private:
  [[nodiscard]] const ElfImage& program() const { return file_->program(); }

  const FrameRules& exceptions() const {
    if (!exceptions_) {
      owned_cfi_.reset(dwarf_getcfi_elf(program().elf()));
      exceptions_.emplace(owned_cfi_.get());
      exceptions_->lost_rbx.add(program(), ".eh_frame");
    }
    return *exceptions_;
  }

  bool has_debug_frames() const {
    const ElfImage* separate = file_->separate();
    const ElfImage& file = separate != nullptr ? *separate : program();
    return file.has_section(".debug_frame") || file.has_section(".zdebug_frame");
  }

  // Begun first: only then is a compressed section plain.
  const FrameRules& debug_frames() const {
    if (!debug_frames_) {
      Dwarf* dwarf = file_->dwarf();
      debug_frames_.emplace(dwarf == nullptr ? nullptr : dwarf_getcfi(dwarf));
      const ElfImage* separate = file_->separate();
      debug_frames_->lost_rbx.add(separate != nullptr ? *separate : program(), ".debug_frame");
    }
    return *debug_frames_;
  }

  const FunctionSymbols& functions() const {
    if (!functions_) {
      functions_.emplace();
      if (file_->separate() != nullptr) functions_->add(file_->separate()->elf());
      functions_->add(program().elf());
    }
    return *functions_;
  }

  std::shared_ptr<DebugFile> file_;
  std::string name_;
  mutable std::unique_ptr<Dwarf_CFI, EndCfi> owned_cfi_;
  mutable std::optional<FrameRules> exceptions_;
  mutable std::optional<FrameRules> debug_frames_;
  mutable std::optional<FunctionSymbols> functions_;
  mutable std::optional<std::vector<VtableSymbol>> vtables_;
};

}  // namespace

Result<std::unique_ptr<UnwindTable>> UnwindTable::open(const std::string& path,
                                                       const std::string& name,
                                                       const std::vector<std::string>& debug_dirs) {
  NOHALT_TRY(std::shared_ptr<DebugFile> file, DebugFile::open(path, name, debug_dirs));
  return std::make_unique<CfiTable>(std::move(file), name);
}

}  // namespace nohalt::symbols
