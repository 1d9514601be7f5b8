// The trail as a file: made for its owner alone, safe among many writers, and
// refused wherever it is not a plain file of ours.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "policy/audit/trails.h"
#include "tests/unit/policy/trail_fixture.h"

namespace nohalt::policy {
namespace {

class TrailFile : public TrailTest {
 protected:
  void expect_refused(const std::string& path, const char* part) {
    const auto trail = open(path);
    ASSERT_FALSE(trail) << path;
    EXPECT_EQ(trail.error().code, ErrorCode::kDenied);
    EXPECT_EQ(trail.error().reason, "audit-unwritable");
    EXPECT_NE(trail.error().message.find(part), std::string::npos) << trail.error().message;
  }
};

TEST_F(TrailFile, IsMadeForItsOwnerAlone) {
  ASSERT_TRUE(open(path()));
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(TrailFile, TheUsualFolderOfAUserIsMade) {
  ASSERT_EQ(::setenv("XDG_STATE_HOME", path("a/b").c_str(), 1), 0);
  Caller user;
  user.uid = user.effective_uid = 1000;
  const auto trail = Trail::open(user, "", {});
  ::unsetenv("XDG_STATE_HOME");
  ASSERT_TRUE(trail) << trail.error().message;
  EXPECT_EQ(trail->path(), path("a/b/nohalt/audit.jsonl"));
  struct stat status{};
  ASSERT_EQ(::stat(path("a/b/nohalt").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
}

TEST_F(TrailFile, ACheckMakesNothing) {
  EXPECT_EQ(Trail::check(Caller{}, path()).value(), path());
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_FALSE(Trail::check(Caller{}, path("missing/audit.jsonl")));
  ASSERT_EQ(::symlink("/dev/null", path("link").c_str()), 0);
  EXPECT_FALSE(Trail::check(Caller{}, path("link")));
}

TEST_F(TrailFile, AppendsOneWholeChain) {
  const auto trail = open(path(), Caller::current());
  ASSERT_TRUE(trail);
  Event event;
  event.who = Caller::current();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(trail->append(event));
  const ChainReport report = verify_chain(content(path()));
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(report.whole_lines, 3U);
}

TEST_F(TrailFile, ManyProcessesMakeOneChain) {
  constexpr int kWriters = 8;
  constexpr int kEach = 20;
  std::vector<pid_t> children;
  for (int i = 0; i < kWriters; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto trail = open(path());
      bool good = trail.has_value();
      for (int n = 0; good && n < kEach; ++n) good = trail->append(Event{}).has_value();
      ::_exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const ChainReport report = verify_chain(content(path()));
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(report.whole_lines, static_cast<std::uint64_t>(kWriters * kEach));
}

TEST_F(TrailFile, GoesOnBehindAHalfWrittenLine) {
  const auto trail = open(path());
  ASSERT_TRUE(trail->append(Event{}));
  ASSERT_EQ(::truncate(path().c_str(), static_cast<off_t>(std::filesystem::file_size(path()) - 20)),
            0);
  ASSERT_TRUE(trail->append(Event{}));
  const ChainReport report = verify_chain(content(path()));
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(report.torn_lines, 1U);
}

TEST_F(TrailFile, BeginsAnewWhereItsFileWasMovedAway) {
  const auto trail = open(path());
  ASSERT_TRUE(trail->append(Event{}));
  std::filesystem::rename(path(), path("old.jsonl"));
  ASSERT_TRUE(trail->append(Event{}));
  EXPECT_EQ(verify_chain(content(path())).whole_lines, 1U);
  EXPECT_EQ(verify_chain(content(path("old.jsonl"))).whole_lines, 1U);
}

TEST_F(TrailFile, RefusesWhatIsNotAPlainFileOfItsOwner) {
  ASSERT_TRUE(open(path("real")));
  ASSERT_EQ(::symlink(path("real").c_str(), path("link").c_str()), 0);
  expect_refused(path("link"), "symbolic link");
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  expect_refused(path("pipe"), "not a regular file");
  expect_refused("/dev/null", "not a regular file");
  expect_refused(path("missing/audit.jsonl"), "No such file");
  expect_refused(folder_, "directory");
  ASSERT_EQ(::link(path("real").c_str(), path("second").c_str()), 0);
  expect_refused(path("real"), "more than one name");
  ASSERT_EQ(::unlink(path("second").c_str()), 0);
  ASSERT_EQ(::chmod(path("real").c_str(), 0666), 0);
  expect_refused(path("real"), "others may write");
}

TEST_F(TrailFile, AFullDiskIsADenialAndTheChainGoesOnAfterIt) {
  const auto trail = open(path());
  ASSERT_TRUE(trail->append(Event{}));
  const std::size_t size = std::filesystem::file_size(path());
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit room{size + 30, size + 30};
    ::setrlimit(RLIMIT_FSIZE, &room);
    const auto appended = trail->append(Event{});
    ::_exit(!appended && appended.error().reason == "audit-unwritable" ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_TRUE(trail->append(Event{}));
  const ChainReport report = verify_chain(content(path()));
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(report.torn_lines, 1U);
}

TEST_F(TrailFile, OneOfSeveralThatCannotBeWrittenKeepsNothingOutOfTheOthers) {
  const std::vector<std::string> names{path("first"), path("second"), path("third")};
  const auto trails = Trails::open(Caller{}, {{names[0]}, {names[1]}, {names[2]}}, options());
  ASSERT_TRUE(trails) << trails.error().message;
  std::filesystem::remove(names[1]);
  std::filesystem::create_directory(names[1]);
  const Status appended = trails->append(Event{});
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().reason, "audit-unwritable");
  EXPECT_EQ(verify_chain(content(names[0])).whole_lines, 1U);
  EXPECT_EQ(verify_chain(content(names[2])).whole_lines, 1U);
}

}  // namespace
}  // namespace nohalt::policy
