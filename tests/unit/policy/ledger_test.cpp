// What running tools were granted, as several processes count it at once.
#include "policy/limits/ledger.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace nohalt::policy {
namespace {

bool everyone_lives(const ProcessIdentity&) { return true; }

class LedgerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "nohalt-ledger-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<Ledger> open(const Lives& lives = everyone_lives) { return Ledger::open(folder_, lives); }

  static LedgerEntry entry_of(pid_t tool, std::uint64_t hits_per_second) {
    LedgerEntry entry;
    entry.tool = {tool, 7};
    entry.target = {4711, 8};
    entry.uid = 1000;
    entry.probes.emplace_back().hits_per_second = hits_per_second;
    return entry;
  }

  std::string folder_;
};

TEST_F(LedgerTest, gives_what_was_entered_to_whoever_comes_next) {
  LedgerEntry entry = entry_of(1, 20);
  entry.login_uid = 1001;
  entry.probes.front().cpu_share = 0.005;
  ASSERT_TRUE(open()->enter(entry));
  const auto next = open();
  ASSERT_TRUE(next) << next.error().message;
  ASSERT_EQ(next->entries().size(), 1U);
  const LedgerEntry& found = next->entries().front();
  EXPECT_EQ(found.tool, entry.tool);
  EXPECT_EQ(found.target, entry.target);
  EXPECT_EQ(found.uid, 1000U);
  EXPECT_EQ(found.login_uid, entry.login_uid);
  ASSERT_EQ(found.probes.size(), 1U);
  EXPECT_EQ(found.probes.front().hits_per_second, 20U);
  EXPECT_DOUBLE_EQ(found.probes.front().cpu_share, 0.005);
}

TEST_F(LedgerTest, counts_nobody_who_is_gone) {
  ASSERT_TRUE(open()->enter(entry_of(1, 20)));
  ASSERT_TRUE(open()->enter(entry_of(2, 30)));
  const auto next = open([](const ProcessIdentity& tool) { return tool.pid != 1; });
  ASSERT_TRUE(next);
  ASSERT_EQ(next->entries().size(), 1U);
  EXPECT_EQ(next->entries().front().tool.pid, 2);
}

TEST_F(LedgerTest, has_one_entry_of_a_tool) {
  ASSERT_TRUE(open()->enter(entry_of(1, 20)));
  ASSERT_TRUE(open()->enter(entry_of(1, 30)));
  const auto next = open();
  ASSERT_EQ(next->entries().size(), 1U);
  EXPECT_EQ(next->entries().front().probes.front().hits_per_second, 30U);
}

TEST_F(LedgerTest, a_place_takes_its_own_entry_out_and_no_other) {
  ASSERT_TRUE(open()->enter(entry_of(1, 20)));
  ASSERT_TRUE(open()->enter(entry_of(2, 30)));
  {
    const LedgerPlace place(folder_, {1, 7});
  }
  const auto next = open();
  ASSERT_EQ(next->entries().size(), 1U);
  EXPECT_EQ(next->entries().front().tool.pid, 2);
}

TEST_F(LedgerTest, what_cannot_be_read_is_not_taken_for_nothing) {
  std::ofstream(folder_ + "/grants") << "{\"tool\":[1,7],\"uid\"";
  const auto ledger = open();
  ASSERT_FALSE(ledger);
  EXPECT_EQ(ledger.error().reason, "ledger-unusable");
  EXPECT_EQ(ledger.error().code, ErrorCode::kDenied);
}

TEST_F(LedgerTest, refuses_a_folder_that_others_may_write) {
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  const auto ledger = open();
  ASSERT_FALSE(ledger);
  EXPECT_EQ(ledger.error().reason, "ledger-unusable");
}

// Each child takes a share only while fewer than three are taken.
TEST_F(LedgerTest, gives_no_more_than_there_is_to_runs_that_start_together) {
  constexpr int kRuns = 12;
  std::vector<pid_t> children;
  for (int i = 0; i < kRuns; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto ledger = open();
      const bool is_granted = ledger && ledger->entries().size() < 3 &&
                              ledger->enter(entry_of(100 + i, 10)).has_value();
      ::_exit(is_granted ? 0 : 1);
    }
    children.push_back(child);
  }
  int granted = 0;
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) ++granted;
  }
  EXPECT_EQ(granted, 3);
  EXPECT_EQ(open()->entries().size(), 3U);
}

}  // namespace
}  // namespace nohalt::policy
