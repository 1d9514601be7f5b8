#include "probes/symbols/call_frames.h"

#include <cstdlib>

#include "probes/symbols/expression.h"

namespace nohalt::symbols {

namespace {

struct FreeFrame {
  void operator()(Dwarf_Frame* frame) const { std::free(frame); }
};

std::optional<std::vector<Op>> cfa_from(Dwarf_CFI* cfi, LinkAddress pc) {
  Dwarf_Frame* raw = nullptr;
  if (cfi == nullptr || dwarf_cfi_addrframe(cfi, pc.value, &raw) != 0) return std::nullopt;
  const std::unique_ptr<Dwarf_Frame, FreeFrame> frame(raw);
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_cfa(frame.get(), &ops, &count) != 0 || count == 0) return std::nullopt;
  return translate_address({ops, count});
}

}  // namespace

CallFrames::CallFrames(Elf* program, Dwarf* dwarf)
    : exceptions_(dwarf_getcfi_elf(program)), debug_(dwarf_getcfi(dwarf)) {}

std::optional<std::vector<Op>> CallFrames::cfa_at(LinkAddress pc) const {
  std::optional<std::vector<Op>> cfa = cfa_from(exceptions_.get(), pc);
  return cfa ? cfa : cfa_from(debug_, pc);
}

}  // namespace nohalt::symbols
