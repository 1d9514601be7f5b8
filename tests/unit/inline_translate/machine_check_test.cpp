// For each promise of the machine-code check the smallest body that breaks it.
#include "probes/engines/inline/translate/machine_check.h"

#include <asmjit/x86.h>
#include <gtest/gtest.h>

#include <functional>

namespace nohalt::inline_translate {
namespace {

namespace x86 = asmjit::x86;
using x86::eax, x86::rax, x86::rbp, x86::rbx, x86::rcx, x86::rdi, x86::rdx, x86::rsi, x86::rsp,
    x86::edx, x86::r10, x86::r11, x86::r12;
using As = x86::Assembler;
using Write = std::function<void(As&)>;

constexpr std::uint64_t kBase = 0x40000000;
constexpr std::int32_t kRspAtHit = offsetof(runtime::SavedRegisters, rsp);

Surroundings surroundings() {
  Surroundings result;
  result.load_address = {kBase};
  for (std::size_t at = 0; at < result.entries.size(); ++at)
    result.entries[at] = {kBase + 0x10000 + 64 * at};
  result.static_ranges.push_back({0x600000, 0x601000});
  return result;
}

std::uint64_t entry(RuntimeEntry which) { return surroundings().entry(which).value; }

Result<BodyFacts> check(const Write& write, bool has_xmm = false, bool is_admitted = false) {
  asmjit::CodeHolder holder;
  holder.init(asmjit::Environment(asmjit::Arch::kX64), kBase);
  As as(&holder);
  write(as);
  const asmjit::CodeBuffer& buffer = holder.textSection()->buffer();
  const std::span<const std::uint8_t> code(buffer.data(), buffer.size());
  return check_body(std::as_bytes(code),
                    {.record_size = 32, .has_xmm = has_xmm, .is_admitted = is_admitted},
                    surroundings());
}

// `inner` between a prologue, with the context in rbp and 24 bytes of frame,
// and an epilogue.
Write body(const Write& inner) {
  return [inner](As& as) {
    as.push(rbp);
    as.push(rbx);
    as.sub(rsp, 24);
    as.mov(rbp, rdi);
    inner(as);
    as.xor_(eax, eax);
    as.add(rsp, 24);
    as.pop(rbx);
    as.pop(rbp);
    as.ret();
  };
}

void call(As& as, RuntimeEntry which) {
  as.mov(rdi, rbp);
  as.call(entry(which));
}

// `inner` where the record is in rbx; it is abandoned afterwards.
Write body_with_record(const Write& inner) {
  return body([inner](As& as) {
    const asmjit::Label end = as.newLabel();
    call(as, RuntimeEntry::kTakeToken);
    as.test(rax, rax);
    as.jz(end);
    call(as, RuntimeEntry::kReserve);
    as.mov(rbx, rax);
    as.test(rbx, rbx);
    as.jz(end);
    inner(as);
    as.mov(rsi, rbx);
    call(as, RuntimeEntry::kAbandon);
    as.bind(end);
  });
}

void read_8(As& as, const Write& to_in_rsi, std::int32_t size = 8) {
  to_in_rsi(as);
  as.mov(edx, size);
  as.mov(rcx, 0x1234);
  call(as, RuntimeEntry::kReadUser);
}

void expect_accepted(const Write& write, bool has_xmm = false) {
  const auto facts = check(write, has_xmm);
  EXPECT_TRUE(facts) << facts.error().message;
}

void expect_rejected(std::string_view rule, const Write& write) {
  const auto facts = check(write);
  ASSERT_FALSE(facts) << rule;
  EXPECT_NE(facts.error().message.find("'" + std::string(rule) + "'"), std::string::npos)
      << rule << ": " << facts.error().message;
}

TEST(MachineCheck, AcceptsThePatternsOfTheTranslator) {
  expect_accepted(body([](As&) {}));
  expect_accepted(body_with_record([](As& as) {
    as.mov(x86::qword_ptr(rbx), rcx);
    as.mov(x86::byte_ptr(rbx, 31), 1);
    as.mov(x86::qword_ptr(rsp), rcx);
    as.mov(x86::qword_ptr(rsp, 16), rcx);
    as.mov(rcx, x86::qword_ptr(rbp, 128));
    read_8(as, [](As& a) { a.lea(rsi, x86::ptr(rbx, 24)); });
    read_8(as, [](As& a) { a.lea(rsi, x86::ptr(rsp, 16)); });
    as.mov(rcx, 0x600ff8);
    as.mov(rcx, x86::qword_ptr(rcx));
  }));
}

// `inner` after an admission, its answer in rax; behind `end` the record is released.
Write body_that_admits(const std::function<void(As&, asmjit::Label end)>& inner) {
  return body([inner](As& as) {
    const asmjit::Label end = as.newLabel();
    call(as, RuntimeEntry::kAdmit);
    inner(as, end);
    as.bind(end);
  });
}

void commit_from(As& as, const x86::Gp& record) {
  as.mov(rsi, record);
  call(as, RuntimeEntry::kCommit);
}

TEST(MachineCheck, AcceptsAGrantedTokenThatIsTestedAgain) {
  expect_accepted(body([](As& as) {
    const asmjit::Label end = as.newLabel();
    const asmjit::Label again = as.newLabel();
    call(as, RuntimeEntry::kTakeToken);
    as.test(rax, rax);
    as.jz(end);
    as.test(rax, rax);
    as.jz(again);
    as.bind(again);
    call(as, RuntimeEntry::kReserve);
    as.test(rax, rax);
    as.jz(end);
    as.mov(rsi, rax);
    call(as, RuntimeEntry::kAbandon);
    as.bind(end);
  }));
}

TEST(MachineCheck, AcceptsAnAdmissionThatIsToldApart) {
  const auto facts = check(body_that_admits([](As& as, asmjit::Label end) {
    as.cmp(rax, 1);
    as.jb(end);
    as.je(end);
    as.mov(rbx, rax);
    as.mov(x86::qword_ptr(rbx, 24), rcx);
    commit_from(as, rbx);
  }));
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_FALSE(facts->calls_runtime);
}

TEST(MachineCheck, RefusesARecordOfAnAdmissionNotToldApart) {
  const auto expect = [](std::string_view rule, const auto& tell) {
    expect_rejected(rule, body_that_admits([&](As& as, asmjit::Label end) {
                      tell(as, end);
                      as.mov(x86::qword_ptr(rax), rcx);
                      commit_from(as, rax);
                    }));
  };
  expect("store-elsewhere", [](As&, asmjit::Label) {});
  expect("store-elsewhere", [](As& as, asmjit::Label end) {
    as.cmp(rax, 1);
    as.jb(end);
  });
  expect("store-elsewhere", [](As& as, asmjit::Label end) {
    as.cmp(rax, 1);
    as.je(end);
  });
  expect("store-elsewhere", [](As& as, asmjit::Label end) {
    as.test(rax, rax);
    as.jz(end);
  });
  // Half of the answer, another limit, the other way.
  expect("store-elsewhere", [](As& as, asmjit::Label end) {
    as.cmp(eax, 1);
    as.jb(end);
    as.je(end);
  });
  expect("store-elsewhere", [](As& as, asmjit::Label end) {
    as.cmp(rax, 0);
    as.jb(end);
    as.je(end);
  });
  expect("store-elsewhere", [](As& as, asmjit::Label end) {
    const asmjit::Label go = as.newLabel();
    as.cmp(rax, 1);
    as.jb(end);
    as.je(go);
    as.jmp(end);
    as.bind(go);
  });
}

TEST(MachineCheck, RefusesToLeaveTheRecordOfAnAdmission) {
  expect_rejected("record-left", body_that_admits([](As&, asmjit::Label) {}));
  expect_rejected("record-left", body_that_admits([](As& as, asmjit::Label end) {
                    as.cmp(rax, 1);
                    as.jb(end);
                    as.je(end);
                  }));
}

TEST(MachineCheck, RefusesASecondAdmission) {
  const auto again = [](RuntimeEntry first, RuntimeEntry second) {
    return body([first, second](As& as) {
      call(as, first);
      call(as, second);
    });
  };
  expect_rejected("token-twice", again(RuntimeEntry::kAdmit, RuntimeEntry::kAdmit));
  expect_rejected("token-twice", again(RuntimeEntry::kTakeToken, RuntimeEntry::kAdmit));
  expect_rejected("token-twice", again(RuntimeEntry::kAdmit, RuntimeEntry::kTakeToken));
  expect_rejected("reserve-twice", again(RuntimeEntry::kAdmit, RuntimeEntry::kReserve));
}

TEST(MachineCheck, AcceptsTheTokenOfACallAndNoOtherBeside) {
  for (const RuntimeEntry which : {RuntimeEntry::kOpenCall, RuntimeEntry::kCloseCall}) {
    expect_accepted(body([which](As& as) {
      const asmjit::Label end = as.newLabel();
      as.mov(rsi, 16);
      call(as, which);
      as.test(rax, rax);
      as.jz(end);
      call(as, RuntimeEntry::kReserve);
      as.mov(rbx, rax);
      as.test(rbx, rbx);
      as.jz(end);
      as.mov(rsi, rbx);
      call(as, RuntimeEntry::kAbandon);
      as.bind(end);
    }));
    expect_rejected("token-twice", body([which](As& as) {
                      as.mov(rsi, 16);
                      call(as, which);
                      as.mov(rsi, 16);
                      call(as, which);
                    }));
    expect_rejected("call-frame", body([which](As& as) {
                      as.mov(rsi, rbp);
                      call(as, which);
                    }));
    expect_rejected("reserve-without-token", body([which](As& as) {
                      as.mov(rsi, 16);
                      call(as, which);
                      call(as, RuntimeEntry::kReserve);
                    }));
  }
}

TEST(MachineCheck, RefusesToReckonWithAnAdmission) {
  expect_rejected("record-not-checked",
                  body_that_admits([](As& as, asmjit::Label) { as.add(rax, 8); }));
  expect_rejected("pointer-stored", body_that_admits([](As& as, asmjit::Label) {
                    as.mov(x86::qword_ptr(rsp), rax);
                  }));
}

TEST(MachineCheck, GivesABodyForAdmittedHitsItsRecordOnce) {
  const auto admitted = [](const Write& inner) { return check(body(inner), false, true); };
  const auto is_refused = [](const Result<BodyFacts>& facts, std::string_view rule) {
    return !facts && facts.error().message.find("'" + std::string(rule) + "'") != std::string::npos;
  };
  EXPECT_TRUE(admitted([](As& as) {
    as.mov(x86::qword_ptr(rsi, 24), rcx);
    call(as, RuntimeEntry::kCommit);
  }));
  EXPECT_TRUE(is_refused(admitted([](As& as) { as.mov(x86::qword_ptr(rsi, 25), rcx); }),
                         "store-outside-record"));
  EXPECT_TRUE(is_refused(admitted([](As&) {}), "record-left"));
  EXPECT_TRUE(is_refused(admitted([](As& as) { call(as, RuntimeEntry::kAdmit); }), "token-twice"));
  EXPECT_TRUE(
      is_refused(admitted([](As& as) { call(as, RuntimeEntry::kReserve); }), "reserve-twice"));
  EXPECT_TRUE(is_refused(admitted([](As& as) {
                           call(as, RuntimeEntry::kCommit);
                           commit_from(as, rbx);
                         }),
                         "record-not-owned"));
  // A body that is not for admitted hits has nothing in rsi.
  expect_rejected("store-elsewhere", body([](As& as) { as.mov(x86::qword_ptr(rsi), rcx); }));
}

TEST(MachineCheck, TellsWhichRegistersABodyChanges) {
  const auto bit = [](std::size_t offset) { return 1U << offset / 8; };
  const auto facts = check(body([](As& as) {
    as.mov(x86::r9d, 1);
    as.xor_(r11, r11);
    as.mov(rcx, 2);
  }));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->registers, bit(offsetof(runtime::SavedRegisters, r9)) |
                                  bit(offsetof(runtime::SavedRegisters, r11)));
  EXPECT_FALSE(facts->calls_runtime);
  EXPECT_TRUE(check(body_with_record([](As&) {}))->calls_runtime);
}

TEST(MachineCheck, TellsTheStackABodyTakes) {
  const auto facts = check(body([](As&) {}));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->stack_bytes, 40U);
}

TEST(MachineCheck, RejectsStoresOutsideFrameAndRecord) {
  const auto store = [](const x86::Mem& to) { return [to](As& as) { as.mov(to, rcx); }; };
  expect_rejected("store-outside-frame", body(store(x86::qword_ptr(rsp, 17))));
  expect_rejected("store-outside-frame", body(store(x86::qword_ptr(rsp, 24))));  // saved rbx
  expect_rejected("store-outside-frame", body(store(x86::qword_ptr(rsp, 40))));  // return address
  expect_rejected("store-outside-frame", body(store(x86::qword_ptr(rsp, -8))));
  expect_rejected("store-elsewhere", body(store(x86::qword_ptr(rbp))));  // the context
  expect_rejected("store-elsewhere", body(store(x86::qword_ptr(rcx))));
  expect_rejected("store-outside-record", body_with_record(store(x86::qword_ptr(rbx, 25))));
  expect_rejected("store-outside-record", body_with_record(store(x86::byte_ptr(rbx, -1))));
  expect_rejected("operand", body([](As& as) { as.add(x86::qword_ptr(rsp), 1); }));
}

TEST(MachineCheck, RejectsARecordThatWasNotCheckedOrIsGone) {
  expect_rejected("store-elsewhere", body([](As& as) {
                    const asmjit::Label end = as.newLabel();
                    call(as, RuntimeEntry::kTakeToken);
                    as.test(rax, rax);
                    as.jz(end);
                    call(as, RuntimeEntry::kReserve);
                    as.mov(x86::qword_ptr(rax), rcx);
                    as.bind(end);
                  }));
  expect_rejected("store-elsewhere", body([](As& as) {
                    const asmjit::Label end = as.newLabel();
                    call(as, RuntimeEntry::kTakeToken);
                    as.test(rax, rax);
                    as.jz(end);
                    call(as, RuntimeEntry::kReserve);
                    as.test(eax, eax);  // half of the pointer
                    as.jz(end);
                    as.mov(x86::qword_ptr(rax), rcx);
                    as.bind(end);
                  }));
  expect_rejected("store-elsewhere", body_with_record([](As& as) {
                    as.mov(rsi, rbx);
                    call(as, RuntimeEntry::kCommit);
                    as.mov(x86::qword_ptr(rbx), rcx);
                  }));
  expect_rejected("record-left", body([](As& as) {
                    const asmjit::Label end = as.newLabel();
                    call(as, RuntimeEntry::kTakeToken);
                    as.test(rax, rax);
                    as.jz(end);
                    call(as, RuntimeEntry::kReserve);
                    as.bind(end);
                  }));
}

TEST(MachineCheck, RejectsGatesOutOfOrder) {
  expect_rejected("reserve-without-token", body([](As& as) { call(as, RuntimeEntry::kReserve); }));
  expect_rejected("reserve-without-token", body([](As& as) {
                    call(as, RuntimeEntry::kTakeToken);
                    call(as, RuntimeEntry::kReserve);
                  }));
  expect_rejected("token-twice", body([](As& as) {
                    call(as, RuntimeEntry::kTakeToken);
                    call(as, RuntimeEntry::kTakeToken);
                  }));
  expect_rejected("reserve-twice",
                  body_with_record([](As& as) { call(as, RuntimeEntry::kReserve); }));
  expect_rejected("record-not-owned", body_with_record([](As& as) {
                    as.lea(rsi, x86::ptr(rbx, 8));
                    call(as, RuntimeEntry::kCommit);
                  }));
}

TEST(MachineCheck, RejectsWritesOfTheRuntimeOutsideFrameAndRecord) {
  const auto read = [](const Write& to, std::int32_t size) {
    return [to, size](As& as) { read_8(as, to, size); };
  };
  const Write to_record = [](As& as) { as.lea(rsi, x86::ptr(rbx, 24)); };
  const Write to_frame = [](As& as) { as.lea(rsi, x86::ptr(rsp, 16)); };
  expect_rejected("store-outside-record", body_with_record(read(to_record, 9)));
  expect_rejected("store-outside-frame", body(read(to_frame, 9)));
  expect_rejected("read-size", body(read(to_frame, 0)));
  expect_rejected("read-size", body([](As& as) {
                    as.lea(rsi, x86::ptr(rsp, 16));
                    as.mov(rdx, x86::qword_ptr(rbp));
                    call(as, RuntimeEntry::kReadUser);
                  }));
  expect_rejected("read-size", body([](As& as) {
                    as.lea(rsi, x86::ptr(rsp, 8));
                    as.mov(edx, 16);
                    call(as, RuntimeEntry::kTreeNext);
                  }));
  expect_rejected("read-size", body([](As& as) {
                    as.lea(rsi, x86::ptr(rsp, 8));
                    as.mov(edx, 72);
                    call(as, RuntimeEntry::kNextFull);
                  }));
  expect_rejected("store-elsewhere", body(read([](As& as) { as.mov(rsi, rbp); }, 8)));
  expect_rejected("store-elsewhere", body(read([](As& as) { as.mov(rsi, rcx); }, 8)));
}

TEST(MachineCheck, RejectsLoadsThatMayFault) {
  const auto load = [](const x86::Mem& from) { return [from](As& as) { as.mov(rcx, from); }; };
  expect_rejected("load-not-proven-mapped", body(load(x86::qword_ptr(rcx))));
  expect_rejected("context-load", body(load(x86::qword_ptr(rbp, 168))));
  expect_rejected("context-load", body(load(x86::qword_ptr(rbp, -8))));
  expect_rejected("context-load", body(load(x86::qword_ptr(rbp, 4))));
  expect_rejected("context-load",
                  body(load(x86::qword_ptr(rbp, offsetof(runtime::SavedRegisters, eflags)))));
  expect_rejected("context-load", body(load(x86::qword_ptr(rbp, 256))));
  expect_accepted(body(load(x86::qword_ptr(rbp, 256))), true);
  expect_rejected("stack-load", body(load(x86::qword_ptr(rsp, -8))));
  expect_rejected("load-not-proven-mapped", body_with_record(load(x86::qword_ptr(rbx))));
  expect_rejected("load-not-proven-mapped", body([](As& as) {
                    as.mov(rcx, 0x600ff9);
                    as.mov(rcx, x86::qword_ptr(rcx));
                  }));
}

TEST(MachineCheck, AcceptsLoadsFromTheRedZoneAndNotBeside) {
  const auto load_at = [](std::int32_t from_rsp) {
    return body([=](As& as) {
      as.mov(rcx, x86::qword_ptr(rbp, kRspAtHit));
      as.mov(rdx, x86::qword_ptr(rcx, from_rsp));
    });
  };
  expect_accepted(load_at(-128));
  expect_accepted(load_at(-8));
  expect_rejected("load-not-proven-mapped", load_at(-129));
  expect_rejected("load-not-proven-mapped", load_at(-7));
}

Write page_read(std::int32_t minus, std::int32_t last, std::int32_t limit, std::int32_t at) {
  return body([=](As& as) {
    const asmjit::Label slow = as.newLabel();
    as.mov(rcx, x86::qword_ptr(rbp, 32));
    as.mov(r11, x86::qword_ptr(rbp, kRspAtHit));
    as.sub(r11, minus);
    as.lea(r10, x86::ptr(rcx, last));
    as.xor_(r10, r11);
    as.cmp(r10, limit);
    as.ja(slow);
    as.xor_(r11, rcx);
    as.cmp(r11, 4095);
    as.ja(slow);
    as.mov(rdx, x86::qword_ptr(rcx, at));
    as.bind(slow);
  });
}

TEST(MachineCheck, RejectsAPageTestThatLetsTooMuchThrough) {
  expect_accepted(page_read(1, 7, 4095, 0));
  expect_accepted(page_read(1, 15, 4095, 8));
  expect_rejected("load-not-proven-mapped", page_read(1, 6, 4095, 0));
  expect_rejected("load-not-proven-mapped", page_read(1, 7, 4096, 0));
  expect_rejected("load-not-proven-mapped", page_read(1, 7, 4095, 1));
  expect_rejected("load-not-proven-mapped", page_read(1, 4103, 4095, 0));
  expect_rejected("load-not-proven-mapped", page_read(0, 7, 4095, 0));
}

TEST(MachineCheck, RejectsDivisionsThatMayTrap) {
  const auto divide = [](bool tests, bool clears) {
    return body([=](As& as) {
      const asmjit::Label zero = as.newLabel();
      as.mov(r11, x86::qword_ptr(rbp));
      as.mov(rax, x86::qword_ptr(rbp, 8));
      as.mov(rdx, x86::qword_ptr(rbp, 16));
      if (tests) {
        as.test(r11, r11);
        as.jz(zero);
      }
      if (clears) as.xor_(edx, edx);
      as.div(r11);
      as.bind(zero);
    });
  };
  expect_accepted(divide(true, true));
  expect_rejected("division-by-zero", divide(false, true));
  expect_rejected("division-may-overflow", divide(true, false));
}

TEST(MachineCheck, RejectsBranchesThatAreNotForwardToAnInstruction) {
  expect_rejected("backward-jump", body([](As& as) {
                    const asmjit::Label back = as.newLabel();
                    as.bind(back);
                    as.jmp(back);
                  }));
  expect_rejected("jump-between-instructions", body([](As& as) {
                    as.test(rcx, rcx);
                    as.jz(kBase + 200);
                  }));
  expect_rejected("indirect-jump", body([](As& as) { as.jmp(rcx); }));
  expect_rejected("unreachable", [](As& as) {
    as.ret();
    as.ret();
  });
  expect_rejected("falls-off-the-end", [](As& as) { as.xor_(eax, eax); });
}

TEST(MachineCheck, RejectsCallsOfAnythingButEntriesAsTheyExpect) {
  const auto call_at = [](std::uint64_t target) {
    return body([=](As& as) {
      as.mov(rdi, rbp);
      as.call(target);
    });
  };
  expect_rejected("call-target", call_at(entry(RuntimeEntry::kReadUser) + 1));
  expect_rejected("call-target", call_at(entry(RuntimeEntry::kFinish)));
  expect_rejected("call-target", body([](As& as) {
                    as.mov(rdi, rbp);
                    as.call(rax);
                  }));
  expect_rejected("call-context", body([](As& as) {
                    as.mov(rdi, x86::qword_ptr(rbp));
                    as.call(entry(RuntimeEntry::kTakeToken));
                  }));
  expect_rejected("call-stack-alignment", [](As& as) {
    as.call(entry(RuntimeEntry::kTakeToken));
    as.ret();
  });
}

TEST(MachineCheck, RejectsACallerLeftWithoutItsRegistersOrStack) {
  expect_rejected("return-registers", [](As& as) {
    as.xor_(x86::ebx, x86::ebx);
    as.ret();
  });
  expect_rejected("return-registers", [](As& as) {
    as.push(rbp);
    as.push(rbx);
    as.pop(rbp);
    as.pop(rbx);
    as.ret();
  });
  expect_rejected("return-stack", [](As& as) {
    as.push(rbp);
    as.ret();
  });
  expect_rejected("return-stack", [](As& as) {
    as.sub(rsp, 8);
    as.ret();
  });
  expect_rejected("stack-pointer", [](As& as) {
    as.add(rsp, 8);
    as.ret();
  });
  expect_rejected("stack-pointer", [](As& as) {
    as.mov(rsp, rcx);
    as.ret();
  });
  expect_rejected("stack-pointer", [](As& as) {
    as.sub(rsp, 4096);
    as.add(rsp, 4096);
    as.ret();
  });
  expect_rejected("operand", [](As& as) { as.ret(8); });
}

TEST(MachineCheck, RejectsPointersThatWouldLeave) {
  for (const x86::Gp& reg : {rsp, rbp, r12})
    expect_rejected("pointer-stored",
                    body_with_record([reg](As& as) { as.mov(x86::qword_ptr(rbx), reg); }));
  expect_rejected("pointer-arithmetic", body([](As& as) { as.xor_(rbp, rcx); }));
  expect_rejected("half-of-a-pointer", body([](As& as) { as.mov(x86::ecx, x86::ebp); }));
}

TEST(MachineCheck, RejectsPartsOfRegisters) {
  expect_rejected("partial-register", body([](As& as) { as.mov(x86::cl, x86::dl); }));
}

}  // namespace
}  // namespace nohalt::inline_translate
