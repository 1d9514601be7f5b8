// Capture programs as a translator would make them, written by hand.
#include <asmjit/asmjit.h>

#include <cstring>

#include "probes/program/program.h"
#include "tests/unit/runtime/in_process_run.h"

namespace nohalt::testing {

namespace {

using namespace asmjit::x86;  // register and memory operand names only
using runtime::RuntimeEntry;
using runtime::SavedRegisters;

constexpr auto kTreeLinks = static_cast<int>(program::tree_links(0, 8, 16));
constexpr int kRdi = offsetof(SavedRegisters, rdi);
constexpr int kRsi = offsetof(SavedRegisters, rsi);
constexpr int kRdx = offsetof(SavedRegisters, rdx);
constexpr int kXmm = offsetof(runtime::HitContext, xmm);

class Body {
 public:
  Body(const InProcessRun& run, RuntimeAddress at) : run_(run) {
    code_.init(asmjit::Environment::host(), at.value);
    code_.attach(&a);
    out_ = a.newLabel();
    a.push(rbx);
    a.push(r12);
    a.sub(rsp, 8);
    a.mov(rbx, rdi);
  }
  void call(RuntimeEntry entry) {
    a.mov(rax, run_.entry(entry));
    a.call(rax);
  }
  void leave_with(int outcome) {
    a.mov(eax, outcome);
    a.jmp(out_);
  }
  // Leaves the record's body in r12.
  void admit_and_reserve() {
    const asmjit::Label admitted = a.newLabel();
    const asmjit::Label reserved = a.newLabel();
    call(RuntimeEntry::kTakeToken);
    a.test(rax, rax);
    a.jnz(admitted);
    leave_with(2);
    a.bind(admitted);
    a.mov(rdi, rbx);
    call(RuntimeEntry::kReserve);
    a.test(rax, rax);
    a.jnz(reserved);
    leave_with(3);
    a.bind(reserved);
    a.mov(r12, rax);
  }
  void capture(int from, int to) {
    a.mov(rcx, qword_ptr(rbx, from));
    a.mov(qword_ptr(r12, to), rcx);
  }
  void commit() {
    a.mov(rdi, rbx);
    a.mov(rsi, r12);
    call(RuntimeEntry::kCommit);
    leave_with(1);
  }
  void read(RuntimeEntry entry, int size) {
    a.mov(rdi, rbx);
    a.mov(rsi, r12);
    a.mov(edx, size);
    a.mov(rcx, qword_ptr(rbx, kRdi));
    a.mov(r8d, entry == RuntimeEntry::kTreeNext   ? kTreeLinks
               : entry == RuntimeEntry::kReadWide ? 4
                                                  : size);
    call(entry);
  }
  inline_engine::CodeBytes finish() {
    a.bind(out_);
    a.add(rsp, 8);
    a.pop(r12);
    a.pop(rbx);
    a.ret();
    return bytes();
  }
  inline_engine::CodeBytes bytes() {
    code_.flatten();
    code_.resolveUnresolvedLinks();
    const asmjit::CodeBuffer& buffer = code_.textSection()->buffer();
    inline_engine::CodeBytes bytes(buffer.size());
    std::memcpy(bytes.data(), buffer.data(), buffer.size());
    return bytes;
  }

 private:
  const InProcessRun& run_;
  asmjit::CodeHolder code_;
  asmjit::Label out_;

 public:
  Assembler a;
};

}  // namespace

inline_engine::CodeBytes capture_three(const InProcessRun& run, RuntimeAddress at) {
  Body body(run, at);
  body.admit_and_reserve();
  body.capture(kRdi, 0);
  body.capture(kRsi, 8);
  body.capture(kRdx, 16);
  body.commit();
  return body.finish();
}

inline_engine::CodeBytes capture_words(const InProcessRun& run, RuntimeAddress at, int offset,
                                       int words) {
  Body body(run, at);
  body.admit_and_reserve();
  for (int word = 0; word < words; ++word) body.capture(offset + word * 8, word * 8);
  body.commit();
  return body.finish();
}

inline_engine::CodeBytes capture_xmm(const InProcessRun& run, RuntimeAddress at) {
  return capture_words(run, at, kXmm, 4);
}

inline_engine::CodeBytes capture_through_pointer(const InProcessRun& run, RuntimeAddress at) {
  Body body(run, at);
  body.admit_and_reserve();
  body.read(RuntimeEntry::kReadUser, 24);
  body.commit();
  return body.finish();
}

inline_engine::CodeBytes clobber_everything(const InProcessRun& run, RuntimeAddress at) {
  Body body(run, at);
  Assembler& a = body.a;
  const asmjit::Label out = a.newLabel();
  a.add(rsp, 24);
  for (const Gp& reg : {rbx, rbp, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15})
    a.mov(reg, 0x5a5a5a5a5a5a5a5a);
  a.bind(out);
  a.mov(eax, 0x7fffffff);
  a.add(eax, 1);  // OF, SF, AF
  a.mov(eax, 0);
  a.ret();
  return body.bytes();
}

inline_engine::CodeBytes use_all_stack(const InProcessRun& run, RuntimeAddress at) {
  constexpr int kUsed = runtime::kMaxProgramStack - 24;  // three words are pushed already
  Body body(run, at);
  body.a.sub(rsp, kUsed / 16 * 16);
  for (int i = 0; i < kUsed / 16 * 16; i += 8) body.a.mov(qword_ptr(rsp, i), rbx);
  body.admit_and_reserve();
  for (const auto entry :
       {RuntimeEntry::kReadUser, RuntimeEntry::kReadFrame, RuntimeEntry::kReadStatic,
        RuntimeEntry::kReadBytes, RuntimeEntry::kReadString, RuntimeEntry::kReadStack,
        RuntimeEntry::kReadWide, RuntimeEntry::kThreadPointer})
    body.read(entry, 24);
  body.read(RuntimeEntry::kTreeNext, 8);
  body.read(RuntimeEntry::kNextFull, 24);
  body.a.add(rsp, kUsed / 16 * 16);
  body.commit();
  return body.finish();
}

}  // namespace nohalt::testing
