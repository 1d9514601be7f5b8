// See the header. The order of the gates and what each means: gate.cpp and slot.cpp
// of the injected runtime, which these few instructions must not differ from.
#include "probes/engines/inline/trampoline/straight_path.h"

namespace nohalt::inline_engine {

namespace {

using namespace asmjit::x86;  // register and memory operand names only
using runtime::HitContext;
using runtime::ProbeControl;
using runtime::RecordHeader;
using runtime::RuntimeEntry;
using runtime::SiteConstants;
using runtime::SlotState;

constexpr std::size_t kHeader = sizeof(RecordHeader);

template <class T>
asmjit::Imm address_of(const volatile T& place) {
  return asmjit::imm(reinterpret_cast<std::uint64_t>(&place));
}

// Of a field, from the body that follows the header.
Mem header(std::size_t field) {
  return qword_ptr(rsi, static_cast<int>(field) - static_cast<int>(kHeader));
}

}  // namespace

void StraightPath::begin() {
  for (asmjit::Label* label : {&constants_, &admit_, &commit_, &ask_for_both_, &ask_for_slot_,
                               &ask_to_commit_, &have_slot_})
    *label = a_.newLabel();
}

runtime::RuntimeEntries StraightPath::somewhere(const TrampolineSpec& spec) {
  runtime::RuntimeEntries entries = spec.entries;
  entries[static_cast<std::size_t>(RuntimeEntry::kAdmit)] = spec.position;
  entries[static_cast<std::size_t>(RuntimeEntry::kCommit)] = spec.position + 1;
  return entries;
}

runtime::RuntimeEntries StraightPath::entries(RuntimeAddress base) const {
  const auto place_of = [&](const asmjit::Label& label) {
    return base + a_.code()->labelOffset(label);
  };
  runtime::RuntimeEntries entries = spec_.entries;
  if (!needs_.is_admitted)
    entries[static_cast<std::size_t>(RuntimeEntry::kAdmit)] = place_of(admit_);
  entries[static_cast<std::size_t>(RuntimeEntry::kCommit)] = place_of(commit_);
  return entries;
}

void StraightPath::load_probe(const Gp& to) { a_.mov(to, address_of(*spec_.constants.probe)); }

void StraightPath::name_site(const Gp& context) {
  a_.lea(rcx, ptr(constants_));
  a_.mov(at(context, offsetof(HitContext, site)), rcx);
}

// What the runtime finds in the context; where it is hardly ever asked, only then.
void StraightPath::begin_context() {
  if (needs_.calls_runtime) name_site(rsp);
  if (needs_.calls_runtime || !needs_.is_admitted)
    a_.mov(at(rsp, offsetof(HitContext, tsc_entry)), asmjit::imm(0));
}

// Takes the probe in rsi; leaves the hit's number in rax and the time in rsi.
void StraightPath::take_token(const Gp& number) {
  a_.rdtsc();
  a_.shl(rdx, asmjit::imm(32));
  a_.or_(rdx, rax);
  a_.mov(rax, address_of(spec_.constants.control->lease_deadline_tsc));
  a_.cmp(rdx, qword_ptr(rax));
  a_.jae(ask_for_both_);
  a_.mov(rax, number);
  a_.lea(rcx, ptr(rax, 1));
  a_.lock().cmpxchg(at(rsi, offsetof(ProbeControl, next_seq)), rcx);
  a_.jne(ask_for_both_);
  a_.mov(rsi, rdx);
}

// Takes the hit's number in rax; leaves the slot in rcx.
void StraightPath::take_slot() {
  const SiteConstants& site = spec_.constants;
  a_.mov(ecx, eax);
  a_.and_(ecx, asmjit::imm(site.slot_mask));
  a_.imul(rcx, rcx, asmjit::imm(site.slot_size));
  a_.mov(rdx, address_of(*site.slots));
  a_.add(rcx, rdx);
  a_.mov(edx, asmjit::imm(static_cast<std::uint32_t>(SlotState::kBusy)));
  if (site.tid_offset != 0) {
    Mem tid = ptr_abs(site.tid_offset, 4);
    tid.setSegment(fs);
    a_.mov(eax, tid);
    a_.shl(rax, asmjit::imm(32));
    a_.or_(rdx, rax);
  }
  a_.xor_(eax, eax);
  a_.lock().cmpxchg(qword_ptr(rcx), rdx);
  a_.jne(ask_for_slot_);
  a_.bind(have_slot_);
  a_.mov(at(rcx, offsetof(RecordHeader, tsc)), rsi);
}

void StraightPath::admit_here(asmjit::Label refused) {
  refused_ = refused;
  a_.mov(rsi, rax);
  take_token(rdi);
  take_slot();
  a_.mov(at(rcx, offsetof(RecordHeader, seq)), rdi);
  a_.lea(rax, ptr(rcx, kHeader));
}

// rdi: the context. rax: the record's body, kNotAdmitted or kNoSlot.
void StraightPath::place_admit() {
  a_.align(asmjit::AlignMode::kCode, 16);
  a_.bind(admit_);
  load_probe(rsi);
  a_.mov(rcx, at(rsi, offsetof(ProbeControl, next_seq)));
  a_.cmp(rcx, at(rsi, offsetof(ProbeControl, seq_limit)));
  a_.jae(ask_for_both_);
  take_token(rcx);
  a_.mov(at(rdi, offsetof(HitContext, seq)), rax);
  take_slot();
  a_.mov(rax, at(rdi, offsetof(HitContext, seq)));
  a_.mov(at(rcx, offsetof(RecordHeader, seq)), rax);
  a_.lea(rax, ptr(rcx, kHeader));
  a_.ret();
}

void StraightPath::place_entries() {
  if (!needs_.is_admitted) place_admit();
  place_commit();
}

// rdi: the context; rsi: the record's body.
void StraightPath::place_commit() {
  const SiteConstants& site = spec_.constants;
  constexpr auto kOneIn = static_cast<int>(runtime::kAccountedOneIn);
  a_.align(asmjit::AlignMode::kCode, 16);
  a_.bind(commit_);
  a_.mov(rdx, header(offsetof(RecordHeader, seq)));
  a_.cmp(rdx, asmjit::imm(kOneIn));
  a_.jb(ask_to_commit_);
  a_.test(dl, asmjit::imm(kOneIn - 1));
  a_.jz(ask_to_commit_);
  if (needs_.calls_runtime) {
    a_.cmp(at(rdi, offsetof(HitContext, tsc_entry)), asmjit::imm(0));
    a_.jl(ask_to_commit_);  // kSlowHit
  }
  a_.mov(rax, asmjit::imm(std::uint64_t{site.body_size} << 32 | site.site));
  a_.mov(header(offsetof(RecordHeader, site)), rax);
  a_.mov(rax, asmjit::imm(site.generation));
  a_.mov(header(offsetof(RecordHeader, generation)), rax);
  load_probe(rcx);
  a_.mov(rax, at(rcx, offsetof(ProbeControl, suppressed)));
  a_.mov(header(offsetof(RecordHeader, suppressed)), rax);
  a_.mov(rax, at(rcx, offsetof(ProbeControl, dropped)));
  a_.mov(header(offsetof(RecordHeader, dropped)), rax);
  Mem state = header(offsetof(RecordHeader, state));
  state.setSize(4);
  a_.mov(state, asmjit::imm(static_cast<std::uint32_t>(SlotState::kReady)));
  a_.ret();
}

// Calls the runtime for code in which only some of what it may change is saved.
void StraightPath::call_runtime(const Gp& context, RuntimeEntry entry) {
  for (const auto& [reg, offset] : kRuntimeScratch)
    if (!is_saved(offset)) a_.mov(at(context, offset), reg);
  if (!needs_.calls_runtime) name_site(context);
  if (!needs_.calls_runtime && needs_.is_admitted)
    a_.mov(at(context, offsetof(HitContext, tsc_entry)), asmjit::imm(0));
  if (context == rsp)
    a_.mov(rdi, rsp);
  else
    a_.push(context);
  a_.mov(rax, asmjit::imm(spec_.entries[static_cast<std::size_t>(entry)].value));
  a_.call(rax);
  if (context != rsp) a_.pop(context);
  for (const auto& [reg, offset] : kRuntimeScratch)
    if (!is_saved(offset)) a_.mov(reg, at(context, offset));
}

void StraightPath::call_finish() { call_runtime(rsp, RuntimeEntry::kFinish); }

// The runtime's admission, from which the path is joined again where there is a slot.
void StraightPath::place_detours_of_admission() {
  const Gp& context = needs_.is_admitted ? rsp : rdi;
  const asmjit::Label asked = a_.newLabel();
  const asmjit::Label out = needs_.is_admitted ? refused_ : a_.newLabel();
  a_.bind(ask_for_slot_);
  a_.mov(at(context, offsetof(HitContext, tsc_begin)), rsi);
  if (needs_.is_admitted) a_.mov(at(context, offsetof(HitContext, seq)), rdi);
  call_runtime(context, RuntimeEntry::kReserve);
  a_.cmp(rax, asmjit::imm(1));
  a_.adc(rax, asmjit::imm(0));  // null becomes kNoSlot
  a_.jmp(asked);
  a_.bind(ask_for_both_);
  call_runtime(context, RuntimeEntry::kAdmit);
  a_.bind(asked);
  a_.cmp(rax, asmjit::imm(runtime::kNoSlot));
  a_.jbe(out);
  a_.lea(rcx, ptr(rax, -static_cast<int>(kHeader)));
  a_.mov(rsi, at(context, offsetof(HitContext, tsc_begin)));
  if (needs_.is_admitted) a_.mov(rdi, at(context, offsetof(HitContext, seq)));
  a_.jmp(have_slot_);
  if (needs_.is_admitted) return;
  a_.bind(out);
  a_.ret();
}

void StraightPath::place_detours() {
  place_detours_of_admission();
  a_.bind(ask_to_commit_);
  a_.mov(rax, header(offsetof(RecordHeader, tsc)));
  a_.mov(at(rdi, offsetof(HitContext, tsc_begin)), rax);
  a_.mov(at(rdi, offsetof(HitContext, seq)), rdx);
  call_runtime(rdi, RuntimeEntry::kCommit);
  a_.ret();
}

void StraightPath::place_constants() {
  a_.align(asmjit::AlignMode::kZero, runtime::kCacheLine);
  a_.bind(constants_);
  a_.embed(&spec_.constants, sizeof spec_.constants);
}

}  // namespace nohalt::inline_engine
