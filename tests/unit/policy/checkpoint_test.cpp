// Checkpoints: when they are written, what they are worth, and that the key is made
// once and for its owner alone.
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/audit/scan.h"
#include "tests/unit/policy/trail_fixture.h"

namespace nohalt::policy {
namespace {

std::vector<std::string> lines_of(const std::string& content) {
  std::vector<std::string> lines;
  for (std::size_t at = 0, end = 0; (end = content.find('\n', at)) != content.npos; at = end + 1)
    lines.push_back(content.substr(at, end - at));
  return lines;
}

std::vector<std::string> events_of(const std::string& content) {
  std::vector<std::string> events;
  for (const std::string& line : lines_of(content))
    events.emplace_back(scan_line(line).value().event);
  return events;
}

Event of(EventKind kind) {
  Event event;
  event.kind = kind;
  return event;
}

class Checkpoint : public TrailTest {};

TEST_F(Checkpoint, FollowsTheLastRecordOfARun) {
  const auto trail = open(path());
  for (const EventKind kind : {EventKind::kRequested, EventKind::kArmed, EventKind::kDisarmed})
    ASSERT_TRUE(trail->append(of(kind)));
  EXPECT_EQ(events_of(content(path())),
            (std::vector<std::string>{"requested", "armed", "disarmed", "checkpoint"}));
  const ChainReport report = verified(path());
  EXPECT_TRUE(report.is_whole());
  ASSERT_EQ(report.signed_by.size(), 1U);
  EXPECT_EQ(report.signed_by[0].key, public_key(options().key_folder).value());
  EXPECT_EQ(report.signed_up_to(), 4U);
  EXPECT_TRUE(report.signature_faults.empty());
}

TEST_F(Checkpoint, FollowsEachThousandthRecord) {
  const auto trail = open(path());
  for (int i = 0; i < 1001; ++i) ASSERT_TRUE(trail->append(of(EventKind::kArmed)));
  const auto events = events_of(content(path()));
  EXPECT_EQ(std::ranges::count(events, "checkpoint"), 1);
  EXPECT_EQ(events[1000], "checkpoint");
}

TEST_F(Checkpoint, FollowsARecordWhoseWriterWasKilled) {
  TrailOptions soon = options();
  soon.longest_unsigned = std::chrono::milliseconds{0};
  const auto trail = Trail::open(Caller{}, path(), soon);
  ASSERT_TRUE(trail->append(of(EventKind::kArmed)));
  ASSERT_TRUE(trail->append(of(EventKind::kRequested)));
  EXPECT_EQ(events_of(content(path())),
            (std::vector<std::string>{"armed", "requested", "checkpoint"}));
}

TEST_F(Checkpoint, IsWrittenWhileARunIsQuietAndOnlyOnce) {
  TrailOptions soon = options();
  soon.longest_unsigned = std::chrono::milliseconds{1};
  auto trail = Trail::open(Caller{}, path(), soon);
  ASSERT_TRUE(trail->append(of(EventKind::kArmed)));
  for (int i = 0; i < 3; ++i) {
    ::usleep(2000);
    trail->keep_signed();
  }
  EXPECT_EQ(events_of(content(path())), (std::vector<std::string>{"armed", "checkpoint"}));
}

TEST_F(Checkpoint, IsOfNoWorthWhereAnyOfItIsChanged) {
  const auto trail = open(path());
  ASSERT_TRUE(trail->append(of(EventKind::kDenied)));
  const std::string good = content(path());
  const std::size_t begin = good.find('\n') + 1;
  ASSERT_EQ(verify_chain(good).signed_up_to(), 2U);
  for (std::size_t i = begin; i + 1 < good.size(); ++i) {
    std::string changed = good;
    changed[i] = changed[i] == '7' ? '8' : '7';
    EXPECT_EQ(verify_chain(changed).signed_up_to(), 0U) << i;
  }
}

TEST_F(Checkpoint, SaysByWhichKeyAfterTheKeyWasLost) {
  ASSERT_TRUE(open(path())->append(of(EventKind::kDenied)));
  std::filesystem::remove(folder_ / "key" / "audit.key");
  ASSERT_TRUE(open(path())->append(of(EventKind::kDenied)));
  const ChainReport report = verified(path());
  ASSERT_EQ(report.signed_by.size(), 2U);
  EXPECT_EQ(report.signed_by[0].last, 2U);
  EXPECT_EQ(report.signed_by[1].first, 4U);
  EXPECT_NE(report.signed_by[0].key, report.signed_by[1].key);
}

TEST_F(Checkpoint, KeptElsewhereShowsHowFarTheTrailIsTheSame) {
  const auto trail = open(path());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(trail->append(of(EventKind::kDenied)));
  const auto lines = lines_of(content(path()));
  const auto kept =
      read_checkpoints("Nov 21 11:00:00 host nohalt[7]: " + lines[3] + "\nother talk {}\n");
  ASSERT_EQ(kept.size(), 1U);
  const auto report = verify_trail(TrailReader::open(path()).value(), kept).value();
  EXPECT_EQ(report.agreed_up_to, 4U);
  EXPECT_TRUE(report.checkpoint_faults.empty());
}

TEST_F(Checkpoint, KeptElsewhereShowsATrailThatWasWrittenAnewAndSignedAnew) {
  ASSERT_TRUE(open(path())->append(of(EventKind::kDenied)));
  const auto kept = read_checkpoints(content(path()));
  ASSERT_EQ(kept.size(), 1U);
  std::filesystem::remove(path());
  ASSERT_TRUE(open(path())->append(of(EventKind::kDenied)));
  const auto report = verify_trail(TrailReader::open(path()).value(), kept).value();
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(report.signed_up_to(), 2U);
  EXPECT_EQ(report.agreed_up_to, 0U);
  ASSERT_EQ(report.checkpoint_faults.size(), 1U);
  EXPECT_NE(report.checkpoint_faults[0].find("written anew"), std::string::npos);
}

TEST_F(Checkpoint, ThatIsForgedIsToldAndNotCompared) {
  ASSERT_TRUE(open(path())->append(of(EventKind::kDenied)));
  std::string forged = lines_of(content(path()))[1];
  forged.replace(forged.find("\"seq\":2"), 7, "\"seq\":9");
  const auto report =
      verify_trail(TrailReader::open(path()).value(), read_checkpoints(forged)).value();
  ASSERT_EQ(report.checkpoint_faults.size(), 1U);
  EXPECT_NE(report.checkpoint_faults[0].find("signature"), std::string::npos);
}

TEST_F(Checkpoint, KeyIsForItsOwnerAloneAndSoIsItsFolder) {
  ASSERT_TRUE(open(path()));
  struct stat status{};
  ASSERT_EQ(::stat((folder_ / "key/audit.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  ASSERT_EQ(::stat((folder_ / "key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
}

TEST_F(Checkpoint, WithoutAKeyThatCanBeTrustedThereIsNoTrail) {
  ASSERT_TRUE(open(path()));
  const std::string key = folder_ / "key/audit.key";
  const auto refused = [&] {
    const auto trail = open(path());
    return !trail && trail.error().reason == "audit-unwritable";
  };
  ASSERT_EQ(::chmod(key.c_str(), 0640), 0);
  EXPECT_TRUE(refused());
  ASSERT_EQ(::chmod(key.c_str(), 0600), 0);
  EXPECT_FALSE(refused());
  ASSERT_EQ(::truncate(key.c_str(), 10), 0);
  EXPECT_TRUE(refused());
  std::filesystem::remove(key);
  ASSERT_EQ(::symlink("/dev/zero", key.c_str()), 0);
  EXPECT_TRUE(refused());
}

TEST_F(Checkpoint, KeyIsMadeOnceByManyAtOnce) {
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(open(path())->append(of(EventKind::kDenied)) ? 0 : 1);
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(verified(path()).signed_by.size(), 1U);
}

TEST_F(Checkpoint, APolicyThatIsNotTheLastOneIsToldBeforeTheRecord) {
  const auto trail = open(path());
  Event event = of(EventKind::kDenied);
  for (const char* policy : {"p1", "p1", "", "p2", "p2"}) {
    event.policy_hash = policy;
    ASSERT_TRUE(trail->append(event));
  }
  std::vector<std::string> events = events_of(content(path()));
  std::erase(events, "checkpoint");
  EXPECT_EQ(events, (std::vector<std::string>{"denied", "denied", "denied", "policy-changed",
                                              "denied", "denied"}));
  const auto changed = nlohmann::json::parse(lines_of(content(path()))[6]);
  EXPECT_EQ(changed["under"]["policy_hash"], "p2");
  EXPECT_EQ(changed["under"]["previous_policy_hash"], "p1");
}

}  // namespace
}  // namespace nohalt::policy
