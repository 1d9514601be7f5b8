// How a hit gets in and out without a trace.
//
// Stack, from the red zone down: the HitContext, then what the body takes. All that
// is saved is in its place there from the beginning, so nothing is copied; rsp is
// not aligned, as general-register code has no need of it. Everything is stored
// above rsp at all times, so a signal handler may run at any instruction.
//
// Flags. pushfq and popfq cost as much as the rest of saving and restoring, so
// the arithmetic flags, which are all that this code, the body and the runtime
// can change (all are general-register code without std, cld, popf, sti or stac),
// go through lahf (SF ZF AF PF CF) and seto (OF), and come back through
// `add al, 127` (which overflows exactly where al was 1) and sahf (which leaves
// OF). DF, AC, TF, NT and the rest are never touched. Sources: Intel SDM volume
// 2, LAHF, SAHF, SETcc, ADD.
//
// Gates. In a real program the lines and pages of a hit are cold more often than
// not, and each costs more than a dozen instructions. So the way out comes first
// and in one piece: the probe's state, the process-wide gate and, where the program
// has no condition, the rate are asked when only rax, rdi and the flags are saved,
// from two lines of data; a hit that the rate forbids is counted in the line it has
// just read. All else lies behind the displaced code.
//
// Admission and commit. The body calls them as entries of the runtime, but the
// ones it is given are here (see straight_path.h): the few instructions of the usual
// case, with this site's constants in them, change three registers beyond rax and
// rdi where the runtime's own may change seven. So only those three are saved for a
// body that calls nothing else, and the others where the runtime is asked after all.
//
// What a hit costs is accounted by the runtime (see probes/runtime/injected/gate.cpp).
// Here one hit in 256 that end early is chosen to be timed, by the counter in which
// it is about to end.
#include "probes/engines/inline/trampoline/trampoline.h"

#include <asmjit/asmjit.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "probes/engines/inline/trampoline/straight_path.h"

namespace nohalt::inline_engine {

namespace {

using namespace asmjit::x86;  // register and memory operand names only
using runtime::HitContext;
using runtime::ProbeControl;
using runtime::ProbeState;
using runtime::SavedRegisters;
using runtime::SiteConstants;

constexpr int kRedZone = 128;
// Words of the context that stand for no register.
constexpr std::size_t kSavedFlags = offsetof(SavedRegisters, eflags);
constexpr std::size_t kEarlyTicks = offsetof(SavedRegisters, orig_rax);  // of a hit let out early
constexpr std::size_t kSavedRax = offsetof(SavedRegisters, rax);
constexpr std::size_t kSavedRdi = offsetof(SavedRegisters, rdi);

// The low byte of a counter that the next hit brings to a batch.
constexpr auto kCrossing = static_cast<std::int8_t>(runtime::kQuickBatch - 1);

enum class Outcome : int { kNoMatch = 0, kCommitted = 1 };  // as in program.h

// What the straight path changes, except rax and rdi, which are saved before there
// is a HitContext.
const SavedRegister kScratch[] = {
    {rcx, offsetof(SavedRegisters, rcx)},
    {rdx, offsetof(SavedRegisters, rdx)},
    {rsi, offsetof(SavedRegisters, rsi)},
};
// What the runtime's entries leave alone.
const SavedRegister kPreserved[] = {
    {r15, offsetof(SavedRegisters, r15)}, {r14, offsetof(SavedRegisters, r14)},
    {r13, offsetof(SavedRegisters, r13)}, {r12, offsetof(SavedRegisters, r12)},
    {rbp, offsetof(SavedRegisters, rbp)}, {rbx, offsetof(SavedRegisters, rbx)},
};

class Builder {
 public:
  Builder(const TrampolineSpec& spec, const BodyCode& needs)
      : spec_(spec),
        needs_(needs),
        xmm_count_(std::min(spec.xmm_count, needs.xmm_count)),
        path_(a_, spec, needs) {
    code_.init(asmjit::Environment::host(), spec.position.value);
    code_.setErrorHandler(&failures_);
    code_.attach(&a_);
    body_ = a_.newLabel();
    path_.begin();
    quick_out_ = a_.newLabel();
    time_hit_ = a_.newLabel();
    timed_ = a_.newLabel();
    full_ = a_.newLabel();
    rdi_out_ = a_.newLabel();
    time_early_ = a_.newLabel();
    settle_ = a_.newLabel();
    noted_ = a_.newLabel();
    settled_ = a_.newLabel();
    refused_ = a_.newLabel();
    finish_ = a_.newLabel();
  }

  Result<Trampoline> build() {
    if (spec_.behind) NOHALT_CHECK(displace());
    save_and_ask_gates();
    if (needs_.is_admitted) ask_rate();
    leave();
    if (!spec_.behind) NOHALT_CHECK(displace());
    NOHALT_CHECK(resume());
    place_hit();
    path_.place_entries();
    NOHALT_CHECK(place_body());
    place_finish();
    path_.place_detours();
    if (needs_.is_admitted) {
      place_early_timing();
      place_settling();
    } else {
      place_timing();
    }
    path_.place_constants();
    return finish();
  }

 private:
  [[nodiscard]] int context_size() const {
    return static_cast<int>(offsetof(HitContext, xmm)) + static_cast<int>(xmm_count_) * 16;
  }
  // What rsp is moved by.
  [[nodiscard]] int frame_size() const { return kRedZone + context_size(); }
  [[nodiscard]] RuntimeAddress here() const { return spec_.position + a_.offset(); }

  void save_and_ask_gates() {
    a_.lea(rsp, ptr(rsp, -frame_size()));
    a_.mov(at(rsp, kSavedRax), rax);
    a_.lahf(ah);
    a_.seto(al);
    a_.mov(at(rsp, kSavedFlags), rax);
    a_.mov(rax, asmjit::imm(reinterpret_cast<std::uint64_t>(spec_.constants.probe)));
    a_.cmp(dword_ptr(rax, offsetof(ProbeControl, state)),
           asmjit::imm(static_cast<std::uint32_t>(ProbeState::kOn)));
    a_.jne(quick_out_);
    a_.mov(at(rsp, kSavedRdi), rdi);
    if (needs_.is_admitted) {
      a_.cmp(byte_ptr(rax, offsetof(ProbeControl, suppressed)), asmjit::imm(runtime::kTimedCount));
      a_.je(time_early_);
    }
    a_.mov(rdi, asmjit::imm(spec_.gate.value));
    a_.cmp(dword_ptr(rdi, offsetof(runtime::GatePage, open)), asmjit::imm(1));
    if (needs_.is_admitted) {
      a_.jne(rdi_out_);
    } else {
      a_.je(full_);
    }
  }

  // On with the hit, its number in rdi, where the rate allows it; else it is
  // counted, and rdi lost.
  void ask_rate() {
    a_.mov(rdi, at(rax, offsetof(ProbeControl, next_seq)));
    a_.cmp(rdi, at(rax, offsetof(ProbeControl, seq_limit)));
    a_.jb(full_);
    a_.mov(edi, asmjit::imm(1));
    a_.lock().xadd(at(rax, offsetof(ProbeControl, suppressed)), rdi);
    a_.cmp(dil, asmjit::imm(kCrossing));
    a_.je(settle_);
  }

  // rdtsc with rdx saved in rdi.
  void read_clock() {
    a_.mov(rdi, rdx);
    a_.rdtsc();
    a_.mov(rdx, rdi);
  }

  void place_early_timing() {
    a_.bind(time_early_);
    read_clock();
    a_.mov(dword_ptr(rsp, static_cast<int>(kEarlyTicks)), eax);
    a_.mov(rax, asmjit::imm(reinterpret_cast<std::uint64_t>(spec_.constants.probe)));
    a_.mov(rdi, asmjit::imm(spec_.gate.value));
    a_.cmp(dword_ptr(rdi, offsetof(runtime::GatePage, open)), asmjit::imm(1));
    a_.jne(rdi_out_);
    ask_rate();
    read_clock();
    a_.sub(eax, dword_ptr(rsp, static_cast<int>(kEarlyTicks)));
    a_.mov(edi, eax);
    a_.jmp(noted_);
  }

  // The books of hits that were let out early.
  void place_settling() {
    a_.bind(settle_);
    a_.xor_(edi, edi);
    a_.bind(noted_);
    a_.mov(dword_ptr(rsp, static_cast<int>(kEarlyTicks)), edi);
    save_scratch();
    path_.begin_context();
    a_.mov(esi, dword_ptr(rsp, static_cast<int>(kEarlyTicks)));
    a_.mov(rax, asmjit::imm(runtime::kLetOutEarly));
    a_.or_(rsi, rax);
    path_.call_finish();
    restore_scratch();
  }

  [[nodiscard]] bool wanted(std::size_t offset) const {
    return (needs_.registers & register_bit(offset)) != 0;
  }

  // What the straight path and, where it is called at once, the runtime may change.
  void save_scratch() {
    for (const auto& [reg, offset] : kScratch) a_.mov(at(rsp, offset), reg);
    for (const auto& [reg, offset] : kRuntimeScratch)
      if (path_.is_saved(offset)) a_.mov(at(rsp, offset), reg);
  }

  // The record's body, of a hit that is admitted, stays in rax.
  void save_for_body() {
    for (const auto& [reg, offset] : kPreserved)
      if (wanted(offset)) a_.mov(at(rsp, offset), reg);
    if (wanted(offsetof(SavedRegisters, rsp))) {
      a_.lea(rcx, ptr(rsp, frame_size()));
      a_.mov(at(rsp, offsetof(SavedRegisters, rsp)), rcx);
    }
    if (wanted(offsetof(SavedRegisters, rip))) {
      a_.mov(rcx, asmjit::imm(spec_.site.value));
      a_.mov(at(rsp, offsetof(SavedRegisters, rip)), rcx);
    }
    for (std::uint32_t i = 0; i < xmm_count_; ++i)
      a_.movups(xmmword_ptr(rsp, static_cast<int>(offsetof(HitContext, xmm) + i * 16)), xmm(i));
  }

  // All that the gates let through.
  void place_hit() {
    a_.bind(full_);
    save_scratch();
    path_.begin_context();
    if (needs_.is_admitted)
      path_.admit_here(refused_);
    else
      choose_timing();
    save_for_body();
    run_body();
    restore_preserved();
    a_.bind(refused_);
    restore_scratch();
  }

  // Whether the hit may turn out to be one that is not admitted, and is to be timed.
  void choose_timing() {
    a_.cmp(byte_ptr(rax, offsetof(ProbeControl, unmatched)), asmjit::imm(runtime::kTimedCount));
    a_.je(time_hit_);
    a_.cmp(byte_ptr(rax, offsetof(ProbeControl, suppressed)), asmjit::imm(runtime::kTimedCount));
    a_.je(time_hit_);
    a_.bind(timed_);
  }

  void place_timing() {
    a_.bind(time_hit_);
    a_.rdtsc();
    a_.shl(rdx, asmjit::imm(32));
    a_.or_(rax, rdx);
    a_.mov(at(rsp, offsetof(HitContext, tsc_entry)), rax);
    a_.jmp(timed_);
  }

  // A committed hit is in the books already, one that does not match is entered
  // here; all others are for kFinish.
  void run_body() {
    static_assert(static_cast<int>(Outcome::kNoMatch) == 0);
    if (needs_.is_admitted) a_.mov(rsi, rax);
    a_.mov(rdi, rsp);
    a_.call(body_);
    a_.cmp(eax, asmjit::imm(static_cast<int>(Outcome::kCommitted)));
    if (needs_.is_admitted) {
      a_.jne(finish_);
    } else {
      a_.je(settled_);
      a_.test(eax, eax);
      a_.jnz(finish_);
      a_.cmp(at(rsp, offsetof(HitContext, tsc_entry)), asmjit::imm(0));
      a_.jne(finish_);
      count_unmatched();
    }
    a_.bind(settled_);
  }

  void count_unmatched() {
    a_.mov(rcx, asmjit::imm(reinterpret_cast<std::uint64_t>(spec_.constants.probe)));
    a_.mov(edx, asmjit::imm(1));
    a_.lock().xadd(at(rcx, offsetof(ProbeControl, unmatched)), rdx);
    a_.mov(rax, asmjit::imm(runtime::kLetOutEarly));
    a_.cmp(dl, asmjit::imm(kCrossing));
    a_.je(finish_);
  }

  // rax: what to say to kFinish.
  void place_finish() {
    a_.bind(finish_);
    a_.mov(rsi, rax);
    path_.call_finish();
    a_.jmp(settled_);
  }

  void restore_scratch() {
    for (const auto& [reg, offset] : kScratch) a_.mov(reg, at(rsp, offset));
    for (const auto& [reg, offset] : kRuntimeScratch)
      if (path_.is_saved(offset)) a_.mov(reg, at(rsp, offset));
    a_.jmp(rdi_out_);
  }

  void restore_preserved() {
    for (const auto& [reg, offset] : kPreserved)
      if (wanted(offset)) a_.mov(reg, at(rsp, offset));
  }

  void leave() {
    a_.bind(rdi_out_);
    a_.mov(rdi, at(rsp, kSavedRdi));
    a_.bind(quick_out_);
    a_.mov(rax, at(rsp, kSavedFlags));
    a_.add(al, asmjit::imm(127));
    a_.sahf(ah);
    a_.mov(rax, at(rsp, kSavedRax));
    a_.lea(rsp, ptr(rsp, frame_size()));
  }

  Status displace() {
    result_.displaced = here();
    NOHALT_TRY(const CodeBytes displaced, spec_.displaced(here()));
    a_.embed(displaced.data(), displaced.size());
    return {};
  }

  Status resume() {
    constexpr std::int64_t kJumpSize = 5;
    const std::int64_t distance =
        static_cast<std::int64_t>(spec_.resume.value - here().value) - kJumpSize;
    if (distance != static_cast<std::int32_t>(distance))
      return fail(ErrorCode::kRefused, "trampoline-range",
                  "The trampoline is too far from the place it goes back to.",
                  "Try another line: no memory within 2 GiB of this one is free.");
    const auto relative = static_cast<std::int32_t>(distance);
    std::uint8_t jump[kJumpSize] = {0xe9};
    std::memcpy(jump + 1, &relative, sizeof relative);
    a_.embed(jump, sizeof jump);
    return {};
  }

  Status place_body() {
    a_.align(asmjit::AlignMode::kCode, 16);
    a_.bind(body_);
    NOHALT_TRY(const BodyCode body, spec_.body(here(), path_.entries(spec_.position)));
    if (body.registers != needs_.registers || body.stack_bytes != needs_.stack_bytes ||
        body.calls_runtime != needs_.calls_runtime || body.is_admitted != needs_.is_admitted)
      return fail(ErrorCode::kInternal, "trampoline-body",
                  "A capture program's machine code is not the same at two addresses.");
    a_.embed(body.bytes.data(), body.bytes.size());
    return {};
  }

  Result<Trampoline> finish() {
    code_.flatten();
    if (code_.resolveUnresolvedLinks() != asmjit::kErrorOk || code_.hasUnresolvedLinks() ||
        failed())
      return fail(ErrorCode::kInternal, "trampoline-assembly", "A trampoline cannot be assembled.");
    const asmjit::CodeBuffer& buffer = code_.textSection()->buffer();
    result_.bytes.resize(buffer.size());
    std::memcpy(result_.bytes.data(), buffer.data(), buffer.size());
    result_.stack_bytes = hit_stack();
    return std::move(result_);
  }

 public:
  [[nodiscard]] std::uint32_t hit_stack() const {
    return static_cast<std::uint32_t>(context_size() + kPathStack) + needs_.stack_bytes +
           runtime::kRuntimeStack;
  }

 private:
  // asmjit reports the first refused instruction only to a handler.
  class Failures : public asmjit::ErrorHandler {
   public:
    void handleError(asmjit::Error, const char*, asmjit::BaseEmitter*) override { any = true; }
    bool any = false;
  };
  [[nodiscard]] bool failed() const { return failures_.any; }

  const TrampolineSpec& spec_;
  const BodyCode& needs_;
  const std::uint32_t xmm_count_;
  asmjit::CodeHolder code_;
  Failures failures_;
  Assembler a_;
  StraightPath path_;
  asmjit::Label body_;
  asmjit::Label quick_out_;
  asmjit::Label time_hit_;
  asmjit::Label timed_;
  asmjit::Label full_;
  asmjit::Label rdi_out_;  // all but flags, rax and rdi are as they were
  asmjit::Label time_early_;
  asmjit::Label settle_;  // a batch of hits that were let out early is to be charged
  asmjit::Label noted_;   // edi: what one of them cost
  asmjit::Label settled_;
  asmjit::Label refused_;  // only what the straight path may change was saved
  asmjit::Label finish_;
  Trampoline result_;
};

Status check(const TrampolineSpec& spec, std::uint32_t stack) {
  const SiteConstants& site = spec.constants;
  const bool sane = spec.xmm_count <= 16 && (site.slot_mask & (site.slot_mask + 1)) == 0 &&
                    site.slot_mask <= INT32_MAX && site.slot_size <= INT32_MAX &&
                    site.slot_size % runtime::kCacheLine == 0 &&
                    site.body_size + sizeof(runtime::RecordHeader) <= site.slot_size;
  if (!sane)
    return fail(ErrorCode::kInternal, "trampoline-spec", "A trampoline's constants contradict.");
  if (stack > runtime::kMaxHitStack)
    return fail(ErrorCode::kRefused, "hit-stack",
                "A hit would take " + std::to_string(stack) + " bytes of the target's stack.",
                "Capture fewer values at once.");
  return {};
}

}  // namespace

Result<Trampoline> build_trampoline(const TrampolineSpec& spec) {
  NOHALT_TRY(const BodyCode needs, spec.body(spec.position, StraightPath::somewhere(spec)));
  Builder builder(spec, needs);
  NOHALT_CHECK(check(spec, builder.hit_stack()));
  return builder.build();
}

}  // namespace nohalt::inline_engine
