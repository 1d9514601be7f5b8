// What approvals bind, which count, and how a request is written down.
#include "policy/approval/request.h"

#include <gtest/gtest.h>

#include <functional>

#include "policy/approval/codec.h"
#include "tests/unit/approval/made_request.h"

namespace nohalt::policy {
namespace {

RequestState state(const ApprovalRequest& request, const std::vector<Approval>& approvals,
                   const Moment& now) {
  return state_of(request, approvals, {}, now);
}

TEST(RequestTest, waits_thirty_minutes_and_no_longer) {
  const ApprovalRequest request = made_request("1");
  EXPECT_EQ(state(request, {}, at_minute(30)), RequestState::kWaiting);
  EXPECT_EQ(state(request, {}, at_minute(31)), RequestState::kExpired);
}

TEST(RequestTest, an_approval_counts_fifteen_minutes) {
  const ApprovalRequest request = made_request("1");
  const std::vector<Approval> given{approval_of(request, 1001, 2)};
  EXPECT_EQ(state(request, given, at_minute(17)), RequestState::kApproved);
  EXPECT_EQ(state(request, given, at_minute(18)), RequestState::kWaiting);
}

TEST(RequestTest, an_approval_of_the_last_minute_still_counts_for_its_own_time) {
  const ApprovalRequest request = made_request("1");
  const std::vector<Approval> given{approval_of(request, 1001, 30)};
  EXPECT_EQ(state(request, given, at_minute(45)), RequestState::kApproved);
  EXPECT_EQ(state(request, given, at_minute(46)), RequestState::kExpired);
  const std::vector<Approval> late{approval_of(request, 1001, 31)};
  EXPECT_EQ(state(request, late, at_minute(31)), RequestState::kExpired);
}

TEST(RequestTest, a_wall_clock_set_back_makes_nothing_live_longer) {
  const ApprovalRequest request = made_request("1");
  Moment now = at_minute(31);
  now.wall_ns = request.made.wall_ns - 3'600'000'000'000;
  EXPECT_EQ(state(request, {}, now), RequestState::kExpired);
  now = at_minute(20);
  now.wall_ns = at_minute(3).wall_ns;
  EXPECT_EQ(state(request, {approval_of(request, 1001, 2)}, now), RequestState::kWaiting);
}

TEST(RequestTest, a_boot_clock_that_lies_is_checked_by_the_walls) {
  const ApprovalRequest request = made_request("1");
  Moment now = at_minute(31);
  now.boot.ms = request.made.boot.ms + 1;
  EXPECT_EQ(state(request, {}, now), RequestState::kExpired);
  now = at_minute(1);
  now.boot.ms = request.made.boot.ms - 1;
  EXPECT_EQ(state(request, {}, now), RequestState::kExpired);
}

TEST(RequestTest, nothing_outlives_a_boot) {
  const ApprovalRequest request = made_request("1");
  EXPECT_EQ(state(request, {}, at_minute(1, "next")), RequestState::kExpired);
  EXPECT_EQ(state(request, {approval_of(request, 1001, 0)}, at_minute(1, "next")),
            RequestState::kExpired);
}

TEST(RequestTest, ones_own_approval_does_not_count) {
  const ApprovalRequest request = made_request("1");
  EXPECT_TRUE(counting(request, {approval_of(request, 1000, 1)}, at_minute(1)).empty());
}

TEST(RequestTest, needs_as_many_people_as_the_rule_says) {
  const ApprovalRequest request = made_request("1", 3);
  std::vector<Approval> given{approval_of(request, 1001, 1), approval_of(request, 1001, 2),
                              approval_of(request, 1002, 2)};
  EXPECT_EQ(counting(request, given, at_minute(3)).size(), 2U);
  EXPECT_EQ(state(request, given, at_minute(3)), RequestState::kWaiting);
  given.push_back(approval_of(request, 1003, 3));
  EXPECT_EQ(state(request, given, at_minute(3)), RequestState::kApproved);
  EXPECT_EQ(state(request, given, at_minute(18)), RequestState::kWaiting);
}

TEST(RequestTest, an_approval_of_something_else_does_not_count) {
  const ApprovalRequest request = made_request("1");
  Approval other = approval_of(request, 1001, 1);
  other.digest[0] ^= 1;
  EXPECT_TRUE(counting(request, {other}, at_minute(1)).empty());
}

TEST(RequestTest, stays_as_it_ended) {
  const ApprovalRequest request = made_request("1");
  const Closing denied{RequestState::kDenied, person(1001), at_minute(1), ""};
  EXPECT_EQ(state_of(request, {approval_of(request, 1002, 1)}, denied, at_minute(2)),
            RequestState::kDenied);
}

struct Change {
  const char* name;
  std::function<void(BoundRequest&)> make;
};

const Change kChanges[] = {
    {"who asks", [](BoundRequest& b) { b.by.login_uid = 1001; }},
    {"who asks", [](BoundRequest& b) { b.by.uid = 1; }},
    {"the process", [](BoundRequest& b) { b.target.identity.pid = 43; }},
    {"the process", [](BoundRequest& b) { b.target.identity.start_time += 1; }},
    {"the process", [](BoundRequest& b) { b.target.uids[1] = 0; }},
    {"the process", [](BoundRequest& b) { b.target.exe_inode = 9; }},
    {"the process", [](BoundRequest& b) { b.target.build_id = "0123abce"; }},
    {"the code that would run or its places", [](BoundRequest& b) { b.program_hash = "ab"; }},
    {"the probes", [](BoundRequest& b) { b.probes[0].location = "orders.c:143"; }},
    {"the probes", [](BoundRequest& b) { b.probes[0].message = "order {key}"; }},
    {"the probes", [](BoundRequest& b) { b.probes[0].condition.clear(); }},
    {"the probes", [](BoundRequest& b) { b.probes[0].captures.push_back("key"); }},
    {"the probes", [](BoundRequest& b) { b.probes[0].hits = 0; }},
    {"the probes", [](BoundRequest& b) { b.probes[0].stack = 64; }},
    {"the rights that it takes", [](BoundRequest& b) { b.rights.push_back(Right::kRaw); }},
    {"the sources that it looks at", [](BoundRequest& b) { b.uses[0].path = "/build/key.c"; }},
    {"the reason", [](BoundRequest& b) { b.reason = "because"; }},
    {"the ticket", [](BoundRequest& b) { b.ticket = "INC-8"; }},
    {"the rule that serves", [](BoundRequest& b) { b.rule = "another"; }},
    {"how many must approve", [](BoundRequest& b) { b.needed = 2; }},
    {"the policy", [](BoundRequest& b) { b.policy_hash = "bc"; }},
};

TEST(RequestTest, every_part_of_it_is_bound_and_named) {
  const BoundRequest approved = made_bound();
  EXPECT_TRUE(changed_since(approved, made_bound()).empty());
  for (const Change& change : kChanges) {
    BoundRequest now = made_bound();
    change.make(now);
    EXPECT_EQ(changed_since(approved, now), std::vector<std::string>{change.name});
    EXPECT_NE(binding_digest(now), binding_digest(approved)) << change.name;
  }
}

TEST(RequestTest, limits_are_bound_as_the_most) {
  BoundRequest now = made_bound();
  now.granted[0].hits_per_second = 1;
  EXPECT_TRUE(changed_since(made_bound(), now).empty());
  EXPECT_NE(binding_digest(now), binding_digest(made_bound()));
}

TEST(RequestTest, a_process_may_be_moved) {
  BoundRequest now = made_bound();
  now.target.cgroup = "/elsewhere";
  EXPECT_TRUE(changed_since(made_bound(), now).empty());
}

TEST(RequestTest, is_read_back_as_it_was_written) {
  ApprovalRequest request = made_request("0123456789abcdef", 2);
  const auto read = decode_request(encode(request));
  ASSERT_TRUE(read);
  EXPECT_EQ(encode(*read), encode(request));
  EXPECT_EQ(read->bound.target, request.bound.target);
  EXPECT_EQ(read->bound.granted[0].lease, request.bound.granted[0].lease);
  const Approval approval = approval_of(request, 1001, 3);
  EXPECT_EQ(decode_approval(encode(approval))->given, approval.given);
  const Closing closing{RequestState::kWithdrawn, {7, {}, "x"}, at_minute(2), "y"};
  EXPECT_EQ(encode(*decode_closing(encode(closing))), encode(closing));
}

TEST(RequestTest, no_part_of_one_is_one) {
  const std::string whole = encode(made_request("1"));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_request(whole.substr(0, size))) << size;
  const std::string approval = encode(approval_of(made_request("1"), 1, 1));
  for (std::size_t size = 0; size < approval.size(); ++size)
    EXPECT_FALSE(decode_approval(approval.substr(0, size))) << size;
}

TEST(RequestTest, what_was_changed_in_its_file_is_none) {
  std::string text = encode(made_request("1"));
  const std::size_t at = text.find("order {id}");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 10, "order {ID}");
  EXPECT_FALSE(decode_request(text));
}

TEST(RequestTest, members_of_a_wrong_type_make_it_none) {
  const std::string text = encode(Closing{RequestState::kDenied, person(1), at_minute(0), "x"});
  for (const auto& [from, to] : {std::pair{"\"state\":2", "\"state\":6"},
                                 {"\"state\":2", "\"state\":-1"},
                                 {"\"state\":2", "\"state\":\"2\""},
                                 {"\"uid\":0", "\"uid\":-1"},
                                 {"\"uid\":0", "\"uid\":4294967296"},
                                 {"\"reason\":\"x\"", "\"reason\":1"}}) {
    std::string changed = text;
    const std::size_t at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    changed.replace(at, std::string_view{from}.size(), to);
    EXPECT_FALSE(decode_closing(changed)) << to;
  }
}

}  // namespace
}  // namespace nohalt::policy
