// Two records become one call, or it is said that they do not.
#include "src/session/call_joiner.h"

#include <gtest/gtest.h>

namespace nohalt::session {
namespace {

class Joiner : public ::testing::Test {
 protected:
  static CallRecord record(std::uint64_t seq, std::uint64_t ticks, std::string message,
                           std::uint64_t frame = 0x1000, std::uint32_t tid = 7) {
    CallRecord made;
    made.seq = seq;
    made.tid = tid;
    made.frame = frame;
    made.ticks = ticks;
    made.hit.message = std::move(message);
    return made;
  }
  static CallRecord exit_of(std::uint64_t seq, std::uint64_t ticks, std::uint64_t frame = 0x1000,
                            std::uint32_t tid = 7) {
    CallRecord made = record(seq, ticks, "42", frame, tid);
    output::Value& value = made.hit.values.emplace_back();
    value.name = "f";
    value.json = "42";
    value.in_message = true;
    return made;
  }

  std::vector<output::Hit> calls_;
  CallJoiner joiner_{[this](std::uint32_t, output::Hit hit) { calls_.push_back(std::move(hit)); },
                     [](std::uint64_t ticks) { return static_cast<double>(ticks) / 2; }};
};

TEST_F(Joiner, EntryAndReturnBecomeOneCall) {
  joiner_.begin(record(3, 100, "f(n=1)"));
  EXPECT_EQ(joiner_.waiting(), 1U);
  joiner_.end(exit_of(3, 300));
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_EQ(calls_[0].message, "f(n=1) = 42");
  ASSERT_TRUE(calls_[0].call && calls_[0].call->is_seen);
  EXPECT_EQ(calls_[0].call->elapsed_ns, 100);
  ASSERT_EQ(calls_[0].values.size(), 1U);
  EXPECT_EQ(calls_[0].values[0].role, "return");
  EXPECT_EQ(calls_[0].values[0].name, "return");
}

TEST_F(Joiner, TheReturnMayBeReadFirst) {
  joiner_.end(exit_of(3, 300));
  joiner_.settle();
  joiner_.begin(record(3, 100, "f()"));
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_TRUE(calls_[0].call->is_seen);
  EXPECT_EQ(joiner_.lone_ends(), 0U);
}

TEST_F(Joiner, RecordsOfDifferentFramesThreadsOrOrderAreNoCall) {
  joiner_.begin(record(1, 100, "a()"));
  joiner_.end(exit_of(1, 200, 0x2000));
  joiner_.end(exit_of(1, 200, 0x1000, 8));
  joiner_.end(exit_of(1, 50));
  EXPECT_TRUE(calls_.empty());
  EXPECT_EQ(joiner_.lone_ends(), 3U);
  joiner_.finish();
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_FALSE(calls_[0].call->is_seen);
}

TEST_F(Joiner, ACallWhoseFrameIsAnothersIsOverOnceItsReturnHadTimeToShow) {
  joiner_.begin(record(1, 100, "first()"));
  joiner_.begin(record(2, 200, "second()"));
  joiner_.settle();
  EXPECT_TRUE(calls_.empty());
  joiner_.settle();
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_EQ(calls_[0].message, "first()");
  EXPECT_FALSE(calls_[0].call->is_seen);
  EXPECT_FALSE(calls_[0].call->why.empty());
  joiner_.end(exit_of(2, 300));
  EXPECT_EQ(calls_.size(), 2U);
  EXPECT_TRUE(calls_[1].call->is_seen);
}

TEST_F(Joiner, ALateReturnStillFindsItsCall) {
  joiner_.begin(record(1, 100, "first()"));
  joiner_.begin(record(2, 200, "second()"));
  joiner_.settle();
  joiner_.end(exit_of(1, 150));
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_TRUE(calls_[0].call->is_seen);
}

TEST_F(Joiner, OtherThreadsAndFramesEndNothing) {
  joiner_.begin(record(1, 100, "a()"));
  joiner_.begin(record(2, 200, "b()", 0x900));
  joiner_.begin(record(3, 300, "c()", 0x1000, 8));
  for (int i = 0; i < 5; ++i) joiner_.settle();
  EXPECT_TRUE(calls_.empty());
  EXPECT_EQ(joiner_.waiting(), 3U);
}

TEST_F(Joiner, AtTheEndWhatIsOpenIsTold) {
  joiner_.begin(record(1, 100, "a()"));
  joiner_.end(exit_of(9, 100));
  joiner_.finish();
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_FALSE(calls_[0].call->is_seen);
  EXPECT_EQ(joiner_.waiting(), 0U);
  EXPECT_EQ(joiner_.lone_ends(), 1U);
}

TEST_F(Joiner, ACallWithoutReturnsIsShownAtOnce) {
  joiner_.begin_without_end(record(1, 100, "a()"), "none can be seen");
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_EQ(calls_[0].call->why, "none can be seen");
}

TEST_F(Joiner, AReturnOfNothingAddsNothing) {
  joiner_.begin(record(1, 100, "a()"));
  joiner_.end(record(1, 200, ""));
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_EQ(calls_[0].message, "a()");
  EXPECT_TRUE(calls_[0].values.empty());
}

}  // namespace
}  // namespace nohalt::session
