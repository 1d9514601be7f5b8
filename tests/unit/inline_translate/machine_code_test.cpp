// The decoder names what generated code is made of and nothing else.
#include "probes/engines/inline/translate/machine_code.h"

#include <gtest/gtest.h>

namespace nohalt::inline_translate {
namespace {

std::vector<std::byte> bytes(const std::vector<int>& values) {
  std::vector<std::byte> result;
  for (const int value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

struct Decoded {
  std::vector<int> code;
  Operation operation;
  int operand;
  std::int64_t value;
  int size;
};

TEST(MachineCode, ReadsImmediatesAndDisplacementsWithTheirSign) {
  const Decoded cases[] = {
      {{0x48, 0x83, 0xec, 0x80}, Operation::kSub, 1, -128, 8},          // sub rsp, -128
      {{0x48, 0x81, 0xec, 0x80, 0, 0, 0}, Operation::kSub, 1, 128, 8},  // sub rsp, 128
      {{0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff}, Operation::kMove, 1, -1, 8},
      {{0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}, Operation::kMove, 1, 0x0807060504030201, 8},
      {{0x48, 0x8b, 0x45, 0xf8}, Operation::kMove, 1, -8, 8},   // mov rax, [rbp-8]
      {{0x88, 0x83, 0, 1, 0, 0}, Operation::kMove, 0, 256, 1},  // mov [rbx+256], al
      {{0x66, 0xc7, 0x03, 5, 0}, Operation::kMove, 0, 0, 2},    // mov word [rbx], 5
      {{0x48, 0x81, 0xf9, 0xbc, 0, 0, 0}, Operation::kCompare, 1, 0xbc, 8},
      {{0xe8, 0xfb, 0xff, 0xff, 0xff}, Operation::kCall, 0, 0x1000, 8},  // to itself
      {{0x74, 0x02}, Operation::kJumpEqual, 0, 0x1004, 8},
  };
  for (const Decoded& c : cases) {
    const auto code = decode(bytes(c.code), {0x1000});
    ASSERT_TRUE(code) << code.error().message;
    ASSERT_EQ(code->size(), 1U);
    const MachineOperand& operand = code->front().operands[static_cast<std::size_t>(c.operand)];
    EXPECT_EQ(code->front().operation, c.operation) << code->front().text;
    EXPECT_EQ(operand.value, c.value) << code->front().text;
    EXPECT_EQ(operand.size, c.size) << code->front().text;
  }
}

TEST(MachineCode, ReadsAllBytes) {
  const auto code = decode(bytes({0x55, 0x48, 0x89, 0xfd, 0x31, 0xc0, 0x5d, 0xc3}), {0x1000});
  ASSERT_TRUE(code);
  ASSERT_EQ(code->size(), 5U);
  EXPECT_EQ(code->back().offset, 7U);
  EXPECT_EQ(code->back().operation, Operation::kReturn);
}

TEST(MachineCode, RefusesWhatIsNotOnTheList) {
  const std::vector<int> refused[] = {
      {0x0f, 0x05},                    // syscall
      {0xcd, 0x80},                    // int 0x80
      {0xcc},                          // int3
      {0xf4},                          // hlt
      {0x0f, 0x0b},                    // ud2
      {0x90},                          // nop: nothing needs it
      {0xfa},                          // cli
      {0xfd},                          // std
      {0x9d},                          // popf
      {0x0f, 0x28, 0xc1},              // movaps xmm0, xmm1
      {0xf3, 0x0f, 0x7e, 0x00},        // movq xmm0, [rax]
      {0xd9, 0xe8},                    // fld1
      {0xc5, 0xf8, 0x77},              // vzeroupper
      {0x8e, 0xd8},                    // mov ds, eax
      {0x0f, 0x22, 0xc0},              // mov cr0, rax
      {0x0f, 0x30},                    // wrmsr
      {0x0f, 0x01, 0xf8},              // swapgs
      {0xf3, 0x48, 0x0f, 0xae, 0xd0},  // wrfsbase rax
      {0xf3, 0xa4},                    // rep movsb
      {0xaa},                          // stosb
      {0x48, 0x87, 0x03},              // xchg [rbx], rax
      {0xf0, 0x48, 0x01, 0x03},        // lock add [rbx], rax
      {0x64, 0x48, 0x89, 0x03},        // mov fs:[rbx], rax
      {0x67, 0x89, 0x03},              // mov [ebx], eax
      {0x48, 0x89, 0x04, 0x0b},        // mov [rbx + rcx], rax
      {0x48, 0x89, 0x05, 0, 0, 0, 0},  // mov [rip], rax
      {0x88, 0x63, 0x00},              // mov [rbx], ah
      {0xa3, 1, 2, 3, 4, 5, 6, 7, 8},  // mov [absolute], eax
      {0x66, 0xe8, 0, 0, 0, 0},        // call whose length depends on the processor
      {0x66, 0x89, 0xc8},              // mov ax, cx
      {0x2e, 0x48, 0x89, 0x03},        // segment prefix without effect
      {0x40, 0x48, 0x89, 0x03},        // two REX prefixes
      {0x66, 0x48, 0x89, 0x03},        // operand size twice
  };
  for (const auto& code : refused) {
    const auto decoded = decode(bytes(code), {0x1000});
    EXPECT_FALSE(decoded) << decoded->front().text;
    EXPECT_TRUE(decoded || decoded.error().reason == "machine-instruction");
  }
}

TEST(MachineCode, RefusesACutInstruction) {
  EXPECT_FALSE(decode(bytes({0x31, 0xc0, 0x48, 0xb8, 1, 2}), {0x1000}));
}

}  // namespace
}  // namespace nohalt::inline_translate
