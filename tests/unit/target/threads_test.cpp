#include "probes/target/threads.h"

#include <gtest/gtest.h>

#include "probes/target/process.h"

namespace nohalt::target {
namespace {

TEST(Threads, ReadsTheCallAThreadSleepsIn) {
  const auto call = parse_blocked_call("202 0x1 0x2 0x3 0x4 0x5 0xff 0x7ffd00 0x7f00aa\n");
  ASSERT_TRUE(call && *call);
  EXPECT_EQ((*call)->number, 202);
  EXPECT_EQ((*call)->arguments[5], 0xffU);
  EXPECT_EQ((*call)->stack_pointer.value, 0x7ffd00U);
  EXPECT_EQ((*call)->program_counter.value, 0x7f00aaU);
}

TEST(Threads, TellsRunningFromAsleepOutsideOfACall) {
  EXPECT_FALSE(parse_blocked_call("running\n")->has_value());
  EXPECT_EQ((*parse_blocked_call("-1 0x10 0x20\n"))->number, -1);
}

TEST(Threads, RefusesTextThatMakesNoSense) {
  for (const char* text : {"", "x", "1 2 3", "1 0x1 0x2"})
    EXPECT_FALSE(parse_blocked_call(text)) << text;
}

TEST(Threads, IsNotMisledByANameWithBrackets) {
  const std::string stat = "7 (a) R (b) S 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 1";
  EXPECT_EQ(parse_state(stat), 'S');
  EXPECT_EQ(parse_stat_field(stat, 22), 4242U);
  EXPECT_EQ(parse_stat_field(stat, 99), 0U);
}

TEST(Threads, FindsAFieldByItsWholeName) {
  const std::string status = "Name:\tUid:\nUid:\t1\t2\t3\t4\nSigBlk:\t00ff\n";
  EXPECT_EQ(status_field(status, "Uid"), "1\t2\t3\t4");
  EXPECT_EQ(status_field(status, "SigBlk"), "00ff");
  EXPECT_EQ(status_field(status, "Sig"), "");
}

TEST(Threads, AListingThatBreaksOffIsGoneOverAgain) {
  int passes = 0;
  const auto all = join_passes([&]() -> Result<std::vector<pid_t>> {
    ++passes;
    if (passes < 3) return std::vector<pid_t>{1};
    return std::vector<pid_t>{1, 2, 3};
  });
  EXPECT_EQ(all.value(), (std::vector<pid_t>{1, 2, 3}));
}

TEST(Threads, ThoseThatNeverComeToRestAreRefused) {
  pid_t newest = 0;
  const auto all =
      join_passes([&]() -> Result<std::vector<pid_t>> { return std::vector<pid_t>{1, ++newest}; });
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().reason, "threads-change");
}

}  // namespace
}  // namespace nohalt::target
