// Every single change, removal, swap and cut in a trail of 10,000 records is found,
// and named. A fault once found stays, so it is enough to look at the lines around
// a change: the verifier is copied as it stands before them.
#include <random>

#include "policy/audit/digest.h"
#include "policy/audit/key.h"
#include "policy/audit/trail_end.h"
#include "tests/unit/policy/trail_fixture.h"

namespace nohalt::policy {
namespace {

constexpr std::size_t kRecords = 10'000;

class Tampering : public TrailTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(ensure_key(options().key_folder));
    TrailEnd end;
    for (std::size_t i = 1; i <= kRecords; ++i) {
      Event event;
      event.kind = i % 1000 == 0 ? EventKind::kCheckpoint : EventKind::kArmed;
      event.run = std::to_string(i);
      event.who.user = "alice";
      LineFrame frame;
      frame.seq = i;
      frame.previous = end.previous;
      frame.chain = end.chain;
      if (event.kind == EventKind::kCheckpoint)
        frame.signature =
            sign(options().key_folder, signed_message(audit_line(event, frame))).value();
      lines_.push_back(audit_line(event, frame));
      end = end_after(end, lines_.back());
    }
    kept_ = read_checkpoints(lines_.back());
    ASSERT_EQ(kept_.size(), 1U);
  }

  // The verifier as it stands before each line, handed to `look`.
  template <class Look>
  void at_each_line(const Look& look) {
    ChainVerifier verifier(kept_);
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      look(i, verifier);
      verifier.take(lines_[i], where(i));
    }
    const ChainReport report = verifier.finish();
    EXPECT_TRUE(report.is_whole());
    EXPECT_EQ(report.agreed_up_to, kRecords);
    EXPECT_EQ(report.signed_up_to(), kRecords);
  }

  static std::string where(std::size_t i) { return "line " + std::to_string(i + 1); }

  // What is found once the lines from `next` on follow; two tell of those before.
  std::string found(ChainVerifier& verifier, std::size_t next) const {
    const bool to_the_end = next + 3 >= lines_.size();
    for (std::size_t i = next; i < std::min(next + 3, lines_.size()); ++i)
      verifier.take(lines_[i], where(i));
    const ChainReport report = verifier.finish();
    std::string text;
    for (const std::string& fault : report.faults) text += fault + "\n";
    if (to_the_end)
      for (const std::string& fault : report.checkpoint_faults) text += fault + "\n";
    return text;
  }

  static bool names(const std::string& text, std::size_t index) {
    return text.find("record " + std::to_string(index + 1)) != text.npos ||
           text.find("this record, " + std::to_string(index + 1)) != text.npos;
  }

  std::vector<std::string> lines_;
  std::vector<KeptCheckpoint> kept_;
};

TEST_F(Tampering, EveryChangedRecordIsFoundAndNamed) {
  std::mt19937_64 random(7);
  at_each_line([&](std::size_t i, const ChainVerifier& before) {
    std::string changed = lines_[i];
    const std::size_t at = random() % changed.size();
    changed[at] = changed[at] == '1' ? '2' : '1';
    ChainVerifier verifier = before;
    verifier.take(changed, where(i));
    const std::string text = found(verifier, i + 1);
    ASSERT_TRUE(names(text, i)) << "record " << i + 1 << ", byte " << at << ":\n" << text;
  });
}

TEST_F(Tampering, EveryRecordThatWasReplacedByAnotherPersonsIsFoundAndNamed) {
  at_each_line([&](std::size_t i, const ChainVerifier& before) {
    std::string changed = lines_[i];
    const std::size_t at = changed.find("alice");
    changed.replace(at == changed.npos ? changed.find("\"uid\":0") + 6 : at, 1, "7");
    ChainVerifier verifier = before;
    verifier.take(changed, where(i));
    const std::string text = found(verifier, i + 1);
    ASSERT_TRUE(names(text, i)) << "record " << i + 1 << ":\n" << text;
  });
}

TEST_F(Tampering, EveryRemovedRecordIsFoundAndNamed) {
  at_each_line([&](std::size_t i, const ChainVerifier& before) {
    ChainVerifier verifier = before;
    const std::string text = found(verifier, i + 1);
    ASSERT_TRUE(names(text, i)) << "record " << i + 1 << ":\n" << text;
  });
}

TEST_F(Tampering, EveryRecordThatStandsTwiceIsFoundAndNamed) {
  at_each_line([&](std::size_t i, const ChainVerifier& before) {
    ChainVerifier verifier = before;
    verifier.take(lines_[i], where(i));
    verifier.take(lines_[i], where(i));
    const std::string text = found(verifier, i + 1);
    ASSERT_TRUE(names(text, i)) << "record " << i + 1 << ":\n" << text;
  });
}

TEST_F(Tampering, EverySwapOfNeighboursIsFoundAndNamed) {
  at_each_line([&](std::size_t i, const ChainVerifier& before) {
    if (i + 1 == lines_.size()) return;
    ChainVerifier verifier = before;
    verifier.take(lines_[i + 1], where(i));
    verifier.take(lines_[i], where(i + 1));
    const std::string text = found(verifier, i + 2);
    ASSERT_TRUE(names(text, i) && names(text, i + 1)) << "record " << i + 1 << ":\n" << text;
  });
}

TEST_F(Tampering, EverySwapOfTwoRecordsFarApartIsFound) {
  std::mt19937_64 random(8);
  at_each_line([&](std::size_t i, const ChainVerifier& before) {
    const std::size_t other = random() % lines_.size();
    if (other == i) return;
    ChainVerifier verifier = before;
    verifier.take(lines_[other], where(i));
    const std::string text = found(verifier, i + 1);
    ASSERT_TRUE(names(text, other)) << "record " << i + 1 << ":\n" << text;
  });
}

TEST_F(Tampering, EveryCutIsFoundByTheCheckpointAndBeforeItTheChainSaysNothing) {
  at_each_line([&](std::size_t i, const ChainVerifier& before) {
    ChainVerifier verifier = before;
    const ChainReport report = verifier.finish();
    ASSERT_TRUE(report.is_whole());
    ASSERT_EQ(report.checkpoint_faults.size(), 1U);
    const std::string missing = i + 1 == kRecords
                                    ? "record 10000 is missing"
                                    : "records " + std::to_string(i + 1) + " to 10000 are missing";
    ASSERT_NE(report.checkpoint_faults[0].find(missing), std::string::npos)
        << report.checkpoint_faults[0];
  });
}

TEST_F(Tampering, ARewrittenEndWithAWholeChainIsFoundByTheCheckpoint) {
  std::string content;
  for (std::size_t i = 0; i < 5000; ++i) content += lines_[i] + "\n";
  const std::string from = lines_[4999];
  TrailEnd end = end_after({}, from);
  ChainVerifier verifier(kept_);
  for (std::size_t i = 0; i < 5000; ++i) verifier.take(lines_[i], where(i));
  for (std::size_t i = 5000; i < kRecords; ++i) {
    LineFrame frame;
    frame.seq = i + 1;
    frame.previous = end.previous;
    frame.chain = end.chain;
    const std::string line = audit_line(Event{}, frame);
    verifier.take(line, where(i));
    end = end_after(end, line);
  }
  const ChainReport report = verifier.finish();
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(report.agreed_up_to, 0U);
  ASSERT_EQ(report.checkpoint_faults.size(), 1U);
}

}  // namespace
}  // namespace nohalt::policy
