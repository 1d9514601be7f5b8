// From a role that waits for approval to a Grant, and what stands in the way.
#include "policy/access/authority.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "policy/approval/store.h"
#include "tests/unit/approval/made_request.h"

namespace nohalt::policy {
namespace {

constexpr std::string_view kPolicy = R"(version: 1
roles:
  - name: oncall
    members: { users: [4001] }
    may: [plan, log]
    where: { run_as: [7] }
    limits: { hits_per_second: 100 }
    require: { approvals: 1 }
    break_glass: true
)";

constexpr std::string_view kOpenRole = R"(  - name: free
    members: { users: [4001] }
    may: [plan, log]
    where: { run_as: [7] }
    limits: { hits_per_second: 1 }
)";

static_assert(!std::is_constructible_v<Approved, ApprovalRequest, std::vector<Approval>>,
              "only the store shows an approval");

class ApprovalAuthorityTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string made = std::filesystem::temp_directory_path() / "nohalt-approved-XXXXXX";
    ASSERT_NE(::mkdtemp(made.data()), nullptr);
    folder_ = made;
    write(kPolicy);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(std::string_view policy) const { std::ofstream(folder_ / "policy.yaml") << policy; }

  [[nodiscard]] Authority authority() const {
    PolicySources sources;
    sources.system = "/nonexistent/policy.yaml";
    sources.host = "/nonexistent/host.yaml";
    sources.named = folder_ / "policy.yaml";
    return Authority::load(sources).value();
  }
  [[nodiscard]] RequestStore store() const {
    return RequestStore::open({folder_ / "store" / "requests", ::geteuid(),
                               [] { return Result<Moment>(at_minute(1)); }})
        .value();
  }
  static TargetFacts target() {
    TargetFacts facts;
    facts.identity = {42, 1000};
    facts.uids = {7, 7, 7, 7};
    facts.exe_path = "/usr/bin/orders";
    facts.is_own_mount_namespace = true;
    return facts;
  }
  static Request request(std::uint64_t hits_per_second = 50) {
    Request request;
    request.target = target();
    request.program_hash = "aa";
    request.probes.emplace_back();
    request.probes[0].hits_per_second = hits_per_second;
    request.asking.rights = {Right::kLog};
    request.asking.reason = "why";
    request.shown = {{"log", "orders.c:142", "{id} 4111 1111 1111 1111", "", {}}};
    return request;
  }
  static Admission admission(const Authority& authority) {
    Caller alice;
    alice.login_uid = 4001;
    return authority.admit(alice, target(), {Right::kLog}).value();
  }
  [[nodiscard]] Approved approve(const Authority& authority, const Request& asked) const {
    ApprovalRequest made{"a1", at_minute(0), "host", {99, 1}, {}, {}};
    made.bound = authority.to_approve(admission(authority), asked).value();
    made.digest = binding_digest(made.bound);
    EXPECT_TRUE(store().add(made));
    EXPECT_TRUE(store().approve(*store().find("a1"), person(4002), ""));
    return store().claim("a1", made.bound).value();
  }

  std::filesystem::path folder_;
};

TEST_F(ApprovalAuthorityTest, looks_first_and_then_waits) {
  const Authority rules = authority();
  EXPECT_TRUE(rules.leave(admission(rules), target(), request().asking));
  const auto refused = rules.decide(admission(rules), request());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "approval-required");
  EXPECT_NE(refused.error().hint.find("--break-glass"), std::string::npos);
}

TEST_F(ApprovalAuthorityTest, shows_people_what_they_approve_without_secrets) {
  const Authority rules = authority();
  const BoundRequest bound = rules.to_approve(admission(rules), request()).value();
  EXPECT_EQ(bound.needed, 1U);
  EXPECT_EQ(bound.by.login_uid, 4001U);
  EXPECT_EQ(bound.rule, "oncall (" + (folder_ / "policy.yaml").string() + ":3)");
  EXPECT_EQ(bound.policy_hash, rules.policy_hash());
  ASSERT_EQ(bound.granted.size(), 1U);
  EXPECT_EQ(bound.granted[0].hits_per_second, 50U);
  EXPECT_EQ(bound.probes[0].message, "{id} [redacted:payment-card]");
}

TEST_F(ApprovalAuthorityTest, grants_what_was_approved) {
  const Authority rules = authority();
  const Approved approved = approve(rules, request());
  const auto decision = rules.decide(admission(rules), request(), &approved);
  ASSERT_TRUE(decision) << decision.error().message;
  EXPECT_EQ(decision->probe_limits[0].hits_per_second, 50U);
  EXPECT_FALSE(decision->breaks_glass);
}

TEST_F(ApprovalAuthorityTest, grants_no_more_than_was_approved) {
  const Authority rules = authority();
  const Approved approved = approve(rules, request(5));
  const auto decision = rules.decide(admission(rules), request(90), &approved);
  ASSERT_TRUE(decision) << decision.error().message;
  EXPECT_EQ(decision->probe_limits[0].hits_per_second, 5U);
}

TEST_F(ApprovalAuthorityTest, grants_nothing_else_than_was_approved) {
  const Authority rules = authority();
  const Approved approved = approve(rules, request());
  Request other = request();
  other.program_hash = "ab";
  const auto refused = rules.decide(admission(rules), other, &approved);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "approval-stale");
  EXPECT_NE(refused.error().message.find("the code that would run"), std::string::npos);
}

TEST_F(ApprovalAuthorityTest, grants_nothing_under_another_policy) {
  const Approved approved = approve(authority(), request());
  write(std::string{kPolicy} + "source_root: /build\n");
  const Authority rules = authority();
  const auto refused = rules.decide(admission(rules), request(), &approved);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "approval-stale");
  EXPECT_NE(refused.error().message.find("the policy"), std::string::npos);
}

TEST_F(ApprovalAuthorityTest, a_role_that_needs_nobody_serves_before_one_that_waits) {
  write(std::string{kPolicy} + std::string{kOpenRole});
  const Authority rules = authority();
  const auto decision = rules.decide(admission(rules), request());
  ASSERT_TRUE(decision) << decision.error().message;
  EXPECT_EQ(decision->probe_limits[0].hits_per_second, 1U);
  EXPECT_EQ(rules.to_approve(admission(rules), request())->needed, 0U);
}

TEST_F(ApprovalAuthorityTest, broken_glass_goes_without_and_says_so) {
  const Authority rules = authority();
  Request urgent = request();
  urgent.asking.breaks_glass = true;
  const auto decision = rules.decide(admission(rules), urgent);
  ASSERT_TRUE(decision) << decision.error().message;
  EXPECT_TRUE(decision->breaks_glass);
  urgent.asking.reason.clear();
  EXPECT_EQ(rules.decide(admission(rules), urgent).error().reason, "approval-required");
}

TEST_F(ApprovalAuthorityTest, what_is_denied_for_another_reason_waits_for_nobody) {
  const Authority rules = authority();
  Request other = request();
  other.asking.rights = {Right::kSnap};
  EXPECT_EQ(rules.to_approve(admission(rules), other).error().reason, "right-missing");
}

}  // namespace
}  // namespace nohalt::policy
