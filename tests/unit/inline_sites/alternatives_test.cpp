// Other instructions of the same statement: only where they run exactly when the
// first does and see the same memory.

#include "probes/engines/inline/sites/alternatives.h"

#include <gtest/gtest.h>

#include "tests/unit/inline_sites/code.h"

namespace nohalt::inline_sites {
namespace {

std::vector<std::uint64_t> offsets(const TestCode& code, std::uint64_t statement_size) {
  const LinkRange statement{kEntry, kEntry + statement_size};
  std::vector<std::uint64_t> found;
  for (const auto& alternative : alternative_sites(code.code, kEntry, std::span(&statement, 1))) {
    found.push_back(alternative.pc - kEntry);
  }
  return found;
}

TEST(Alternatives, FollowStraightLineCodeWithinTheStatement) {
  const TestCode code({0x89, 0xc3, 0x89, 0xd1, 0x89, 0xc3, 0xc3});
  EXPECT_EQ(offsets(code, 6), (std::vector<std::uint64_t>{2, 4}));
  EXPECT_EQ(offsets(code, 4), (std::vector<std::uint64_t>{2}));
}

TEST(Alternatives, NameTheRegistersWrittenOnTheWay) {
  const TestCode code({0x89, 0xc3, 0x66, 0x0f, 0xef, 0xc0, 0xc3});  // mov to rbx; pxor
  const LinkRange statement{kEntry, kEntry + 7};
  const auto found = alternative_sites(code.code, kEntry, std::span(&statement, 1));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].general_written, 1U << 3);
  EXPECT_FALSE(found[0].vector_written);
  EXPECT_TRUE(found[1].vector_written);
}

TEST(Alternatives, EndAtAStore) {
  const TestCode code({0x89, 0xc3, 0x89, 0x07, 0x89, 0xc3, 0xc3});  // mov %eax,(%rdi)
  EXPECT_EQ(offsets(code, 6), (std::vector<std::uint64_t>{2}));
}

TEST(Alternatives, EndAtAnyBranchOrCall) {
  EXPECT_EQ(offsets(TestCode({0xff, 0xd0, 0x89, 0xc3, 0xc3}), 5), (std::vector<std::uint64_t>{}));
  EXPECT_EQ(offsets(TestCode({0x74, 0x02, 0x89, 0xc3, 0xc3}), 5), (std::vector<std::uint64_t>{}));
}

TEST(Alternatives, EndWhereALoopEdgeEnters) {
  const TestCode code({0x89, 0xc3, 0x89, 0xd1, 0x75, 0xfc, 0xc3});  // jne back to 2
  EXPECT_EQ(offsets(code, 7), (std::vector<std::uint64_t>{}));
}

TEST(Alternatives, EndWhereAnotherPartOfTheFunctionComesBack) {
  TestCode code({0x89, 0xc3, 0x89, 0xd1, 0x89, 0xc3, 0xc3});
  // jmp to the last mov, from 0x100 bytes further on
  const TestCode cold({0xe9, 0xff, 0xfe, 0xff, 0xff}, {}, kEntry + 0x100);
  EXPECT_EQ(cold.code.branches_out(), std::vector{kEntry + 4});
  code.input.branch_targets = cold.code.branches_out();
  code.decode_again();
  EXPECT_EQ(offsets(code, 6), (std::vector<std::uint64_t>{2}));
}

TEST(Alternatives, AreNoneWhereAnotherPartMayComeBackAnywhere) {
  EXPECT_TRUE(TestCode({0x90, 0xff, 0xe0}).code.has_indirect_jump());  // jmp *%rax
  EXPECT_FALSE(TestCode({0xff, 0x25, 0, 0, 0, 0}).code.has_indirect_jump());
  TestCode code({0x89, 0xc3, 0x89, 0xd1, 0x89, 0xc3, 0xc3});
  code.input.may_be_entered_elsewhere = true;
  code.decode_again();
  EXPECT_TRUE(offsets(code, 6).empty());
}

TEST(Alternatives, AreNoneWhereBranchesMayBeMissed) {
  EXPECT_TRUE(offsets(TestCode({0x89, 0xc3, 0x89, 0xc3, 0xff, 0xe0}), 4).empty());
  EXPECT_TRUE(offsets(TestCode({0x89, 0xc3, 0x89, 0xc3, 0x06}), 4).empty());
}

}  // namespace
}  // namespace nohalt::inline_sites
