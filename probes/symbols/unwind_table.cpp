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

class CfiTable final : public UnwindTable {
 public:
  CfiTable(ElfImage program, std::optional<DebugFile> debug)
      : program_(std::move(program)), debug_(std::move(debug)) {
    exceptions_.reset(dwarf_getcfi_elf(program_.elf()));
    if (debug_) debug_cfi_ = dwarf_getcfi(debug_->dwarf.get());
    lost_rbx_.add(program_, ".eh_frame");
    lost_rbx_.add(program_, ".debug_frame");
    if (debug_ && debug_->separate) {
      lost_rbx_.add(*debug_->separate, ".debug_frame");
      functions_.add(debug_->separate->elf());
    }
    functions_.add(program_.elf());
  }

  std::optional<UnwindRow> row_at(LinkAddress pc) const override {
    std::optional<UnwindRow> row = row_from(exceptions_.get(), pc);
    if (!row) row = row_from(debug_cfi_, pc);
    if (!row) return std::nullopt;
    if (row->registers[kRax].kind == RuleKind::kSame) row->registers[kRax] = {};
    RegisterRule& rbx = row->registers[kRbx];
    if (rbx.kind == RuleKind::kUndefined && !lost_rbx_.may_be_at(pc)) rbx.kind = RuleKind::kSame;
    return row;
  }

  // e8 rel32, or ff /2 with one of its forms of address (Intel SDM, volume 2, CALL).
  bool follows_call(LinkAddress pc) const override {
    std::vector<std::uint8_t> bytes;  // fewer where the segment begins
    for (std::size_t wanted = kLongestCall; bytes.empty() && wanted > 1; --wanted)
      if (wanted <= pc.value) bytes = program_.read_up_to(pc - wanted, wanted);
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
    for (const Segment& segment : program_.segments()) {
      if (!segment.executable || file_offset < segment.file_offset) continue;
      const std::uint64_t into = file_offset - segment.file_offset;
      if (into < segment.file_size) return segment.range.begin + into;
    }
    return std::nullopt;
  }

  std::vector<std::uint8_t> constants_at(std::uint64_t file_offset,
                                         std::uint64_t size) const override {
    for (const Segment& segment : program_.segments()) {
      if (segment.writable || file_offset < segment.file_offset) continue;
      const std::uint64_t into = file_offset - segment.file_offset;
      if (into >= segment.file_size) continue;
      return program_.read_up_to(segment.range.begin + into,
                                 std::min(size, segment.file_size - into));
    }
    return {};
  }

  const std::string& build_id() const override { return program_.build_id(); }
  std::string function_at(LinkAddress pc) const override { return functions_.at(pc); }
  std::string function_beginning_at(LinkAddress pc) const override {
    return functions_.beginning_at(pc);
  }

  const std::vector<VtableSymbol>& vtables() const override {
    if (!vtables_) {
      vtables_.emplace();
      if (debug_ && debug_->separate) add_vtables(debug_->separate->elf(), *vtables_);
      add_vtables(program_.elf(), *vtables_);
    }
    return *vtables_;
  }

 private:
  ElfImage program_;
  std::optional<DebugFile> debug_;
  std::unique_ptr<Dwarf_CFI, EndCfi> exceptions_;
  Dwarf_CFI* debug_cfi_ = nullptr;  // owned by the Dwarf
  LostRbx lost_rbx_;
  FunctionSymbols functions_;
  mutable std::optional<std::vector<VtableSymbol>> vtables_;
};

}  // namespace

Result<std::unique_ptr<UnwindTable>> UnwindTable::open(const std::string& path,
                                                       const std::string& name,
                                                       const std::vector<std::string>& debug_dirs) {
  NOHALT_TRY(ElfImage program, ElfImage::open(path, name));
  Result<DebugFile> debug = open_debug_file(path, name, debug_dirs);
  return std::make_unique<CfiTable>(std::move(program),
                                    debug ? std::optional(std::move(*debug)) : std::nullopt);
}

}  // namespace nohalt::symbols
