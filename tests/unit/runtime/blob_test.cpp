// The very bytes that run in a target: every instruction is looked at.
#include <capstone/capstone.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "probes/runtime/runtime_blob.h"

namespace nohalt {
namespace {

constexpr std::uint64_t kBase = 0x100000;

struct Decoded {
  std::uint64_t address;
  unsigned id;
  unsigned size;
  std::string text;
  std::vector<cs_x86_op> operands;
  std::vector<std::uint8_t> groups;
};

std::vector<Decoded> decode(std::span<const std::byte> code) {
  csh handle = 0;
  EXPECT_EQ(cs_open(CS_ARCH_X86, CS_MODE_64, &handle), CS_ERR_OK);
  cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
  cs_insn* found = nullptr;
  const std::size_t count = cs_disasm(handle, reinterpret_cast<const std::uint8_t*>(code.data()),
                                      code.size(), kBase, 0, &found);
  std::vector<Decoded> decoded;
  for (std::size_t i = 0; i < count; ++i) {
    const cs_x86& x86 = found[i].detail->x86;
    decoded.push_back(
        {found[i].address,
         found[i].id,
         found[i].size,
         std::string(found[i].mnemonic) + " " + found[i].op_str,
         {x86.operands, x86.operands + x86.op_count},
         {found[i].detail->groups, found[i].detail->groups + found[i].detail->groups_count}});
  }
  cs_free(found, count);
  cs_close(&handle);
  return decoded;
}

class Blob : public ::testing::Test {
 protected:
  std::span<const std::byte> code_ = runtime::runtime_blob().code;
  std::vector<Decoded> instructions_ = decode(code_);

  [[nodiscard]] static bool in_group(const Decoded& instruction, std::uint8_t group) {
    return std::ranges::find(instruction.groups, group) != instruction.groups.end();
  }
};

TEST_F(Blob, DecodesWhole) {
  std::size_t size = 0;
  for (const Decoded& instruction : instructions_) size += instruction.size;
  EXPECT_EQ(size, code_.size());
}

// Registers wider than the general ones, string instructions (the direction flag
// is the target's), and all that changes flags other than the arithmetic ones.
TEST_F(Blob, KeepsToGeneralRegistersAndArithmeticFlags) {
  for (const Decoded& instruction : instructions_) {
    for (const std::uint8_t group : {X86_GRP_FPU, X86_GRP_MMX, X86_GRP_SSE1, X86_GRP_SSE2,
                                     X86_GRP_AVX, X86_GRP_PRIVILEGE, X86_GRP_IRET})
      EXPECT_FALSE(in_group(instruction, group)) << instruction.text;
    for (const cs_x86_op& operand : instruction.operands) {
      const bool wide =
          operand.type == X86_OP_REG && operand.reg >= X86_REG_ST0 && operand.reg <= X86_REG_ZMM31;
      EXPECT_FALSE(wide) << instruction.text;
    }
    EXPECT_EQ(instruction.text.find("rep"), std::string::npos) << instruction.text;
    for (const unsigned id : {X86_INS_STD, X86_INS_CLD, X86_INS_POPFQ, X86_INS_CLI, X86_INS_STI,
                              X86_INS_STAC, X86_INS_CLAC, X86_INS_INT, X86_INS_INT3, X86_INS_UD2,
                              X86_INS_HLT, X86_INS_WRFSBASE, X86_INS_XGETBV, X86_INS_CPUID})
      EXPECT_NE(instruction.id, id) << instruction.text;
  }
}

TEST_F(Blob, BranchesOnlyWithinItself) {
  for (const Decoded& instruction : instructions_) {
    if (!in_group(instruction, X86_GRP_JUMP) && !in_group(instruction, X86_GRP_CALL)) continue;
    ASSERT_EQ(instruction.operands.at(0).type, X86_OP_IMM) << instruction.text;
    const auto target = static_cast<std::uint64_t>(instruction.operands[0].imm);
    EXPECT_TRUE(std::ranges::any_of(instructions_, [&](const Decoded& other) {
      return other.address == target;
    })) << instruction.text;
  }
}

TEST_F(Blob, MakesNoSystemCallButReadingItself) {
  std::size_t calls = 0;
  for (std::size_t i = 0; i < instructions_.size(); ++i) {
    if (instructions_[i].id != X86_INS_SYSCALL) continue;
    ++calls;
    // The number is set in the straight line before.
    bool number_set = false;
    for (std::size_t back = 1; back <= 24 && back <= i && !number_set; ++back) {
      const Decoded& earlier = instructions_[i - back];
      if (in_group(earlier, X86_GRP_JUMP) || in_group(earlier, X86_GRP_CALL)) continue;
      if (earlier.id == X86_INS_MOV && earlier.operands[0].type == X86_OP_REG &&
          (earlier.operands[0].reg == X86_REG_EAX || earlier.operands[0].reg == X86_REG_RAX)) {
        EXPECT_EQ(earlier.operands[1].type, X86_OP_IMM) << earlier.text;
        EXPECT_EQ(earlier.operands[1].imm, 310) << earlier.text;
        number_set = true;
      }
    }
    EXPECT_TRUE(number_set);
  }
  EXPECT_GE(calls, 1u);
  for (const Decoded& instruction : instructions_) EXPECT_NE(instruction.id, X86_INS_SYSENTER);
}

TEST_F(Blob, RefersToNoAddressOfItsOwn) {
  for (const Decoded& instruction : instructions_) {
    for (const cs_x86_op& operand : instruction.operands) {
      const bool own = operand.type == X86_OP_MEM && operand.mem.segment == X86_REG_INVALID &&
                       (operand.mem.base == X86_REG_RIP || (operand.mem.base == X86_REG_INVALID &&
                                                            operand.mem.index == X86_REG_INVALID));
      EXPECT_FALSE(own) << instruction.text;
    }
  }
}

TEST_F(Blob, EveryEntryIsAnInstructionsStart) {
  for (const std::uint32_t offset : runtime::runtime_blob().offsets)
    EXPECT_TRUE(std::ranges::any_of(instructions_, [&](const Decoded& instruction) {
      return instruction.address == kBase + offset;
    }));
}

}  // namespace
}  // namespace nohalt
