// The part of the runtime that nearly every admitted hit needs, written into its
// trampoline: the token and the slot, and the header of the record. The runtime's own
// code does the same for all cases; here is the one way through it that meets no
// obstacle, and at any (over the rate or past the lease, another thread was quicker,
// the slot is taken, the hit is one to be timed) the runtime is asked as if nothing
// had happened yet. No store but to the context comes before the locked
// instructions, each of which waits for all stores before it.
//
// For the files of the trampoline only.
#pragma once

#include <asmjit/x86.h>

#include "probes/engines/inline/trampoline/trampoline.h"

namespace nohalt::inline_engine {

struct SavedRegister {
  asmjit::x86::Gp reg;
  std::size_t offset;  // in SavedRegisters
};

// What the runtime may change and the straight path leaves alone.
inline const SavedRegister kRuntimeScratch[] = {
    {asmjit::x86::r11, offsetof(runtime::SavedRegisters, r11)},
    {asmjit::x86::r10, offsetof(runtime::SavedRegisters, r10)},
    {asmjit::x86::r9, offsetof(runtime::SavedRegisters, r9)},
    {asmjit::x86::r8, offsetof(runtime::SavedRegisters, r8)},
};

// Stack besides what the body and the runtime take: three return addresses, and the
// context's where the path is left.
inline constexpr int kPathStack = 4 * 8;

inline asmjit::x86::Mem at(const asmjit::x86::Gp& base, std::size_t offset) {
  return asmjit::x86::qword_ptr(base, static_cast<int>(offset));
}

class StraightPath {
 public:
  StraightPath(asmjit::x86::Assembler& a, const TrampolineSpec& spec, const BodyCode& needs)
      : a_(a), spec_(spec), needs_(needs) {}
  void begin();  // once `a` is attached

  // Entries as near as those that a body is given in the end.
  [[nodiscard]] static runtime::RuntimeEntries somewhere(const TrampolineSpec& spec);
  // For a body behind place_entries(), in code that begins at `base`.
  [[nodiscard]] runtime::RuntimeEntries entries(RuntimeAddress base) const;

  // One of kRuntimeScratch: in the context from the beginning of a hit.
  [[nodiscard]] bool is_saved(std::size_t offset) const {
    return needs_.calls_runtime || (needs_.registers & register_bit(offset)) != 0;
  }

  void begin_context();  // at rsp; changes rcx
  // With the probe in rax and the hit's number in rdi: goes on with the record's body
  // in rax, or goes to `refused`.
  void admit_here(asmjit::Label refused);
  void place_entries();
  void place_detours();
  void place_constants();
  // With the context at rsp and the outcome in rsi.
  void call_finish();

 private:
  void place_admit();
  void place_commit();
  void take_token(const asmjit::x86::Gp& number);
  void take_slot();
  void place_detours_of_admission();
  void call_runtime(const asmjit::x86::Gp& context, runtime::RuntimeEntry entry);
  void name_site(const asmjit::x86::Gp& context);
  void load_probe(const asmjit::x86::Gp& to);

  asmjit::x86::Assembler& a_;
  const TrampolineSpec& spec_;
  const BodyCode& needs_;
  asmjit::Label constants_;
  asmjit::Label admit_;
  asmjit::Label commit_;
  asmjit::Label ask_for_both_;
  asmjit::Label ask_for_slot_;
  asmjit::Label ask_to_commit_;
  asmjit::Label have_slot_;
  asmjit::Label refused_;
};

}  // namespace nohalt::inline_engine
