// What one ELF file says of leaving a function: for a pc, how the caller's
// registers are had from this frame's. Public.
//
// Source: DWARF 5, section 6.4, and the Linux Standard Base on .eh_frame. Read
// by libdw from .eh_frame first, then from .debug_frame of the program or its
// separate debug file. A file without any debug information will do. Only headers are
// read at the start, everything else when it is first asked for.
//
// Threading: one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probes/symbols/debug_info.h"
#include "probes/symbols/location.h"
#include "probes/symbols/vtable_symbols.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::symbols {

// The registers that frames hand on: DWARF numbers 0 to 15, and the return address.
inline constexpr std::size_t kFrameRegisters = 17;
inline constexpr std::size_t kReturnColumn = 16;

enum class RuleKind : std::uint8_t {
  kUndefined,  // the caller's value is lost
  kUnknown,    // the rule is not one that this reader knows: lost to it
  kSame,       // the caller's value is still in the register
  kAtAddress,  // it was saved at the address that the program computes
  kComputed,   // it is what the program computes
};

struct RegisterRule {
  RuleKind kind = RuleKind::kUndefined;
  std::vector<Op> program;  // over this frame's registers
};

struct UnwindRow {
  std::vector<Op> cfa;
  std::array<RegisterRule, kFrameRegisters> registers;
  // The frame is what the kernel laid down for a signal: the caller was
  // interrupted, it did not call.
  bool is_signal_frame = false;
};

class UnwindTable {
 public:
  // Errors: those of opening an ELF file (not-elf, wrong-architecture, open).
  [[nodiscard]] static Result<std::unique_ptr<UnwindTable>> open(
      const std::string& path, const std::string& name, const std::vector<std::string>& debug_dirs);
  virtual ~UnwindTable() = default;

  // Absent: no entry covers pc, or it cannot be read.
  [[nodiscard]] virtual std::optional<UnwindRow> row_at(LinkAddress pc) const = 0;
  // A function is entered by a call that ends at pc: the bytes before it are one.
  [[nodiscard]] virtual bool follows_call(LinkAddress pc) const = 0;
  // The address that the file's byte at this offset is loaded to, where it is code.
  [[nodiscard]] virtual std::optional<LinkAddress> code_at(std::uint64_t file_offset) const = 0;
  // The file's bytes from this offset on, at most `size`, as far as they are loaded where
  // nobody writes, the linker neither; empty: they are not.
  [[nodiscard]] virtual std::vector<std::uint8_t> constants_at(std::uint64_t file_offset,
                                                               std::uint64_t size) const = 0;
  [[nodiscard]] virtual const std::string& build_id() const = 0;  // lower-case hex; may be empty
  // The function that the file's symbol tables name at pc; empty: none.
  [[nodiscard]] virtual std::string function_at(LinkAddress pc) const = 0;
  // The same of a function that begins at pc.
  [[nodiscard]] virtual std::string function_beginning_at(LinkAddress pc) const = 0;
  // What the same file's debug information says, read when first asked for: damage shows
  // with the first question. Errors: no-debug-info, build-id-mismatch.
  [[nodiscard]] virtual Result<std::unique_ptr<DebugInfo>> debug_info() const = 0;
  // Those that the file's symbol tables name, by address; read when first asked for.
  [[nodiscard]] virtual const std::vector<VtableSymbol>& vtables() const = 0;
};

}  // namespace nohalt::symbols
