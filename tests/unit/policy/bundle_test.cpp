// A bundle: what is in it, what is not, and that it can be judged with nothing else.
#include "policy/audit/bundle.h"

#include <fstream>

#include "policy/audit/digest.h"
#include "tests/unit/policy/trail_fixture.h"

namespace nohalt::policy {
namespace {

class Bundle : public TrailTest {
 protected:
  void SetUp() override {
    const auto trail = open(path());
    const auto append = [&](EventKind kind, const char* run, const char* ticket,
                            const char* reason) {
      Event event;
      event.kind = kind;
      event.run = run;
      event.ticket = ticket;
      event.reason = reason;
      ASSERT_TRUE(trail->append(event));
    };
    append(EventKind::kRequested, "r0", "INC-1", "private of others");  // 1
    append(EventKind::kRequested, "r1", "INC-2", "ours");               // 2
    append(EventKind::kArmed, "r1", "INC-2", "ours");                   // 3
    append(EventKind::kArmed, "r2", "INC-3", "private of others");      // 4
    append(EventKind::kRemovalRequested, "r1", "", "");                 // 5
    append(EventKind::kDisarmed, "r1", "INC-2", "ours");                // 6, and 7 signs
    append(EventKind::kRequested, "r3", "INC-4", "private of others");  // 8
    ASSERT_TRUE(write(path("bundle")));
  }

  Status write(const std::string& to, const std::string& policy = "version: 1") const {
    const auto reader = TrailReader::open(path());
    const auto entries = entries_of_ticket(*reader, "INC-2");
    std::ofstream file(to);
    return write_bundle(*reader, {"INC-2", "t", {}, path(), {{sha256_hex("version: 1"), policy}}},
                        *entries, {"# page"}, options().key_folder,
                        [&](const std::string& line) -> Status {
                          file << line;
                          return {};
                        });
  }

  BundleReport judged(const std::string& text, const std::vector<KeptCheckpoint>& kept = {}) const {
    std::ofstream(path("copy")) << text;
    return verify_bundle(TrailReader::open(path("copy")).value(), kept).value();
  }
  std::string bundle() const { return content(path("bundle")); }
};

TEST_F(Bundle, HoldsWithNothingElseAtHand) {
  EXPECT_TRUE(looks_like_bundle(path("bundle")));
  EXPECT_FALSE(looks_like_bundle(path()));
  const BundleReport report = judged(bundle());
  EXPECT_TRUE(report.faults.empty());
  EXPECT_EQ(report.ticket, "INC-2");
  EXPECT_TRUE(report.chain.is_whole());
  EXPECT_EQ(report.chain.first_seq, 2U);
  EXPECT_EQ(report.chain.last_seq, 7U);
  EXPECT_EQ(report.chain.skipped, 1U);
  EXPECT_EQ(report.chain.signed_up_to(), 7U);
  EXPECT_EQ(report.sealed_by, public_key(options().key_folder).value());
}

TEST_F(Bundle, OfItsTicketHasWhatBelongsToItsRunsAndNothingOfOthers) {
  const std::string text = bundle();
  EXPECT_NE(text.find("removal-requested"), std::string::npos);
  EXPECT_EQ(text.find("private"), std::string::npos);
  EXPECT_EQ(text.find("INC-3"), std::string::npos);
  EXPECT_NE(text.find("version: 1"), std::string::npos);
}

TEST_F(Bundle, AgreesWithACheckpointKeptOffTheHostOverRecordsThatItDoesNotShow) {
  const auto kept = read_checkpoints(content(path()));
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(judged(bundle(), kept).chain.agreed_up_to, 7U);
}

TEST_F(Bundle, ThatWasChangedAnywhereShows) {
  const std::string good = bundle();
  for (std::size_t i = 0; i < good.size(); i += 3) {
    std::string changed = good;
    changed[i] = changed[i] == '5' ? '6' : '5';
    const BundleReport report = judged(changed);
    EXPECT_TRUE(!report.faults.empty() || !report.chain.is_whole()) << i;
  }
}

TEST_F(Bundle, ThatWasCutOrAddedToShows) {
  const std::string good = bundle();
  for (std::size_t end = good.find('\n'); end + 1 < good.size(); end = good.find('\n', end + 1))
    EXPECT_FALSE(judged(good.substr(0, end + 1)).faults.empty()) << end;
  EXPECT_FALSE(judged(good + "{\"timeline\":\"more\"}\n").faults.empty());
}

TEST_F(Bundle, ShowsThatAPolicysTextIsNotTheOneInForce) {
  ASSERT_TRUE(write(path("forged"), "version: 2"));
  EXPECT_EQ(judged(content(path("forged"))).faults.size(), 1U);
}

TEST_F(Bundle, SealedAnewByItsMakerCannotHideThatARecordWasChanged) {
  std::string trail = content(path());
  trail.replace(trail.find("ours"), 4, "mine");
  std::ofstream(path()) << trail;
  ASSERT_TRUE(write(path("forged")));
  const BundleReport report = judged(content(path("forged")));
  EXPECT_TRUE(report.faults.empty()) << "the seal is genuine";
  EXPECT_FALSE(report.chain.is_whole());
}

}  // namespace
}  // namespace nohalt::policy
