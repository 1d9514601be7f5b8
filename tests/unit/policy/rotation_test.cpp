// One chain over several files: that rotation breaks nothing, whoever writes at the
// same time and wherever it is cut short.
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <iostream>

#include "tests/unit/policy/trail_fixture.h"

namespace nohalt::policy {
namespace {

Event denied() {
  Event event;
  event.kind = EventKind::kDenied;
  event.policy_hash = "p";
  return event;
}

class Rotation : public TrailTest {
 protected:
  Result<Trail> small(std::uint64_t bytes = 4000) const {
    TrailOptions small = options();
    small.rotation.bytes = bytes;
    return Trail::open(Caller{}, path(), small);
  }
};

TEST_F(Rotation, GoesOnInAnotherFileWithOneChain) {
  const auto trail = small();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(trail->append(denied()));
  EXPECT_GT(trail_files(path()).size(), 3U);
  for (const std::string& file : trail_files(path()))
    EXPECT_LT(std::filesystem::file_size(file), 6000U) << file;
  const ChainReport report = verified(path());
  EXPECT_TRUE(report.is_whole()) << report.faults.front();
  EXPECT_EQ(report.first_seq, 1U);
  EXPECT_EQ(report.whole_lines, report.last_seq);
  EXPECT_EQ(report.signed_up_to(), report.last_seq);
}

TEST_F(Rotation, SignsAFileBeforeItIsClosedAndNamesItInTheNext) {
  const auto trail = small(1);
  Event armed;
  armed.kind = EventKind::kArmed;
  ASSERT_TRUE(trail->append(armed));
  ASSERT_TRUE(trail->append(armed));
  const auto files = trail_files(path());
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0], path() + ".000000000002");
  EXPECT_NE(content(files[0]).find(R"("event":"checkpoint")"), std::string::npos);
  const std::string first = content(path()).substr(0, content(path()).find('\n'));
  EXPECT_NE(first.find(R"("event":"rotated")"), std::string::npos);
  EXPECT_NE(first.find(R"("previous_file":"audit.jsonl.000000000002")"), std::string::npos);
}

TEST_F(Rotation, IsDueByTheAgeOfTheFirstRecordToo) {
  TrailOptions young = options();
  young.rotation.age = std::chrono::hours{0};
  const auto trail = Trail::open(Caller{}, path(), young);
  ASSERT_TRUE(trail->append(denied()));
  ASSERT_TRUE(trail->append(denied()));
  EXPECT_EQ(trail_files(path()).size(), 2U);
}

TEST_F(Rotation, LosesNothingOfManyWritersAtOnce) {
  constexpr int kWriters = 6;
  constexpr int kEach = 25;
  std::vector<pid_t> children;
  for (int i = 0; i < kWriters; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto trail = small(2000);
      bool good = trail.has_value();
      for (int n = 0; good && n < kEach; ++n) {
        Event event;
        event.kind = EventKind::kArmed;
        const Status appended = trail->append(event);
        good = appended.has_value();
        if (!good) std::cerr << appended.error().message << "\n";
      }
      ::_exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const ChainReport report = verified(path());
  EXPECT_TRUE(report.is_whole()) << report.faults.front();
  std::size_t armed = 0;
  for (const std::string& file : trail_files(path())) {
    const std::string text = content(file);
    for (std::size_t at = 0; (at = text.find(R"("event":"armed")", at)) != text.npos; ++at) ++armed;
  }
  EXPECT_EQ(armed, static_cast<std::size_t>(kWriters * kEach));
}

TEST_F(Rotation, CutShortAfterTheSecondNameIsTakenBack) {
  ASSERT_TRUE(open(path())->append(denied()));
  std::filesystem::create_hard_link(path(), path("audit.jsonl.000000000002"));
  std::ofstream(path("audit.jsonl.new")) << "what was being written";
  EXPECT_EQ(trail_files(path()).size(), 1U) << "one file by two names";
  const auto trail = small(1);
  ASSERT_TRUE(trail);
  ASSERT_TRUE(trail->append(denied()));
  const ChainReport report = verified(path());
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(report.last_seq, 5U);
  EXPECT_FALSE(std::filesystem::exists(path("audit.jsonl.new")));
}

TEST_F(Rotation, ThatCannotBeDoneLeavesTheTrailInItsFile) {
  ASSERT_TRUE(open(path())->append(denied()));
  std::filesystem::create_directory(path("audit.jsonl.new"));
  const auto trail = small(1);
  ASSERT_TRUE(trail->append(denied()));
  EXPECT_EQ(trail_files(path()).size(), 1U);
  EXPECT_TRUE(verified(path()).is_whole());
}

TEST_F(Rotation, OnAFullDiskLeavesAChainThatGoesOn) {
  ASSERT_TRUE(open(path())->append(denied()));
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const auto trail = small(1);
    const rlimit room{300, 300};  // too small for the first line of another file
    ::setrlimit(RLIMIT_FSIZE, &room);
    const auto appended = trail->append(denied());
    ::_exit(!appended && appended.error().reason == "audit-unwritable" ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(std::filesystem::exists(path("audit.jsonl.new")));
  ASSERT_TRUE(open(path())->append(denied()));
  EXPECT_TRUE(verified(path()).is_whole());
  EXPECT_EQ(verified(path()).last_seq, 4U);
}

TEST_F(Rotation, AFileThatIsMissingInTheMiddleShows) {
  const auto trail = small();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(trail->append(denied()));
  const auto files = trail_files(path());
  std::filesystem::remove(files[1]);
  const ChainReport report = verified(path());
  ASSERT_EQ(report.faults.size(), 1U);
  EXPECT_NE(report.faults[0].find("are missing"), std::string::npos) << report.faults[0];
  std::filesystem::remove(files[0]);
  EXPECT_TRUE(verified(path()).is_whole()) << "the oldest files may be elsewhere";
  EXPECT_TRUE(verified(path()).goes_on);
}

TEST_F(Rotation, ATrailThatBeganAnewBesideOldFilesShows) {
  const auto trail = small();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(trail->append(denied()));
  std::filesystem::remove(path());
  ASSERT_TRUE(open(path())->append(denied()));
  EXPECT_FALSE(verified(path()).is_whole());
}

}  // namespace
}  // namespace nohalt::policy
