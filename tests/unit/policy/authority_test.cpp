// The built-in policy: who may, who may not, and what a policy file that
// nobody can read does.
#include "policy/access/authority.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <type_traits>

namespace nohalt::policy {
namespace {

static_assert(!std::is_default_constructible_v<Grant>);
static_assert(!std::is_constructible_v<Grant, TargetFacts, std::string, Limits, std::string>,
              "only the Authority mints a Grant");
static_assert(!std::is_constructible_v<Admission, TargetFacts, std::string>);
static_assert(!std::is_default_constructible_v<Authority>);

PolicySources no_files() {
  PolicySources sources;
  sources.system = "/nonexistent/policy.yaml";
  sources.host = "/nonexistent/host.yaml";
  return sources;
}

Authority builtin() { return Authority::load(no_files()).value(); }

Caller caller(uid_t uid) {
  Caller c;
  c.uid = c.effective_uid = uid;
  return c;
}

TargetFacts target(std::array<uid_t, 4> uids) {
  TargetFacts facts;
  facts.identity = {42, 1000};
  facts.uids = uids;
  return facts;
}

Request request_for(const TargetFacts& facts, std::vector<AskedLimits> probes = {AskedLimits{}}) {
  Request request;
  request.target = facts;
  request.program_hash = "abcd";
  request.probes = std::move(probes);
  return request;
}

TEST(Authority, AdmitsOwnProcessesAndRootAdmitsAll) {
  EXPECT_TRUE(builtin().admit(caller(1000), target({1000, 1000, 1000, 1000})));
  EXPECT_TRUE(builtin().admit(caller(0), target({1000, 0, 33, 1000})));
}

TEST(Authority, DeniesWhereAnyOfTheFourUidsIsForeign) {
  for (std::size_t i = 0; i < 4; ++i) {
    std::array<uid_t, 4> uids{1000, 1000, 1000, 1000};
    uids[i] = 0;
    const auto admission = builtin().admit(caller(1000), target(uids));
    ASSERT_FALSE(admission) << i;
    EXPECT_EQ(admission.error().code, ErrorCode::kDenied);
    EXPECT_EQ(admission.error().reason, "not-your-process");
    EXPECT_NE(admission.error().message.find("built-in: own-processes"), std::string::npos);
  }
}

TEST(Authority, DeniesASetuidTool) {
  Caller c = caller(1000);
  c.effective_uid = 0;
  EXPECT_EQ(builtin().admit(c, target({1000, 1000, 1000, 1000})).error().reason,
            "changed-identity");
}

TEST(Authority, GrantHoldsWhatWasDecided) {
  TargetFacts facts = target({7, 7, 7, 7});
  const auto admission = builtin().admit(caller(7), facts);
  ASSERT_TRUE(admission);
  facts.build_id = "beef";
  const auto decision = builtin().decide(*admission, request_for(facts));
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->grant.target(), facts);
  EXPECT_EQ(decision->grant.program_hash(), "abcd");
  EXPECT_EQ(decision->grant.rule(), kOwnProcessesRule);
  EXPECT_EQ(decision->grant.limits().hits_per_second, 10U);
  EXPECT_TRUE(decision->notes.empty());
}

TEST(Authority, DeniesWhereTheTargetChangedAfterItWasAdmitted) {
  const TargetFacts facts = target({7, 7, 7, 7});
  const auto admission = builtin().admit(caller(7), facts);
  TargetFacts reused = facts;
  reused.identity.start_time += 1;
  EXPECT_EQ(builtin().decide(*admission, request_for(reused)).error().reason, "target-changed");
  TargetFacts other_user = facts;
  other_user.uids[3] = 0;
  EXPECT_EQ(builtin().decide(*admission, request_for(other_user)).error().reason, "target-changed");
}

TEST(Authority, SeveralProbesKeepTheirOwnLimitsUnderOneGrant) {
  AskedLimits slow;
  slow.hits_per_second = 5;
  AskedLimits fast;
  fast.hits_per_second = 500;
  fast.lease = std::chrono::hours{9};
  const TargetFacts facts = target({7, 7, 7, 7});
  const auto admission = builtin().admit(caller(7), facts);
  const auto decision = builtin().decide(*admission, request_for(facts, {slow, fast}));
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->probe_limits.at(0).hits_per_second, 5U);
  EXPECT_EQ(decision->probe_limits.at(1).hits_per_second, 500U);
  EXPECT_EQ(decision->probe_limits.at(1).lease, std::chrono::hours{1});
  EXPECT_EQ(decision->grant.limits().hits_per_second, 500U);
  ASSERT_EQ(decision->notes.size(), 1U);
  EXPECT_EQ(decision->notes.front(),
            "--for 9h was lowered to 1h, the most that the policy allows.");
}

TEST(Authority, DeniesMoreProbesThanTheRuleAllows) {
  const TargetFacts facts = target({7, 7, 7, 7});
  const auto admission = builtin().admit(caller(7), facts);
  EXPECT_TRUE(builtin().decide(*admission, request_for(facts, std::vector<AskedLimits>(8))));
  for (const std::size_t count : {0U, 9U})
    EXPECT_EQ(builtin()
                  .decide(*admission, request_for(facts, std::vector<AskedLimits>(count)))
                  .error()
                  .reason,
              "too-many-probes");
}

class PolicyFiles : public testing::Test {
 protected:
  PolicyFiles()
      : folder_(std::filesystem::temp_directory_path() /
                ("nohalt-policy-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~PolicyFiles() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string path(const char* name) const { return folder_ / name; }

  std::filesystem::path folder_;
};

TEST_F(PolicyFiles, AFileWithMistakesDeniesAllAndNamesEach) {
  std::ofstream(path("policy.yaml")) << "version: 2\nroels: []\n";
  for (auto member : {&PolicySources::named, &PolicySources::user}) {
    PolicySources sources = no_files();
    sources.*member = path("policy.yaml");
    const auto authority = Authority::load(sources);
    ASSERT_FALSE(authority);
    EXPECT_EQ(authority.error().code, ErrorCode::kDenied);
    EXPECT_EQ(authority.error().reason, "policy-malformed");
    EXPECT_NE(authority.error().message.find("policy.yaml:1:10: "), std::string::npos);
    EXPECT_NE(authority.error().message.find("policy.yaml:2:1: "), std::string::npos);
  }
}

TEST_F(PolicyFiles, AFileThatOthersMayWriteDeniesAll) {
  std::ofstream(path("policy.yaml")) << "version: 1\n";
  PolicySources sources = no_files();
  sources.named = path("policy.yaml");
  EXPECT_TRUE(Authority::load(sources));
  for (const mode_t mode : {0664, 0646}) {
    ASSERT_EQ(::chmod(sources.named.c_str(), mode), 0);
    EXPECT_EQ(Authority::load(sources).error().reason, "policy-writable");
  }
  ASSERT_EQ(::chmod(sources.named.c_str(), 0644), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  EXPECT_EQ(Authority::load(sources).error().reason, "policy-writable");
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
  ASSERT_EQ(::symlink("policy.yaml", path("link").c_str()), 0);
  sources.named = path("link");
  EXPECT_TRUE(Authority::load(sources));
}

TEST_F(PolicyFiles, WhatAFileHidesIsHiddenWithItsLineAndAction) {
  PolicySources sources = no_files();
  sources.named = path("policy.yaml");
  std::ofstream(sources.named) << "version: 1\nsource_root: /src\nredact:\n  mode: strict\n"
                                  "  names: [birth, { name: iban, action: drop }]\n"
                                  "  types: ['Secret<*>']\n  sources: [auth/**]\n";
  const auto authority = Authority::load(sources);
  ASSERT_TRUE(authority) << authority.error().message;
  const RedactionRules& rules = authority->redaction();
  EXPECT_EQ(rules.strict()->where, sources.named + ":4");
  EXPECT_EQ(rules.match_name("date_of_birth")->where, sources.named + ":5");
  EXPECT_FALSE(rules.match_name("date_of_birth")->is_dropped);
  EXPECT_TRUE(rules.match_name("iban")->is_dropped);
  EXPECT_EQ(rules.match_name("password")->where, "built-in");
  EXPECT_EQ(rules.match_type("a::Secret<int>")->where, sources.named + ":6");
  EXPECT_NE(rules.match_source("/src/auth/login.h"), nullptr);
  EXPECT_EQ(rules.match_source("/src/main.h"), nullptr);
}

TEST_F(PolicyFiles, TheSystemsFileAlwaysHasItsTrailWritten) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root's file can be the system's";
  EXPECT_TRUE(builtin().audit_files().empty());
  PolicySources sources = no_files();
  sources.named = path("policy.yaml");
  std::ofstream(sources.named) << "version: 1\n";
  EXPECT_TRUE(Authority::load(sources)->audit_files().empty());
  sources.system = path("system.yaml");
  std::ofstream(sources.system) << "version: 1\n";
  EXPECT_EQ(Authority::load(sources)->audit_files(), std::vector<std::string>{""});
  std::ofstream(sources.system) << "version: 1\naudit: { file: /s.jsonl }\n";
  std::ofstream(sources.named) << "version: 1\naudit: { file: /n.jsonl }\n";
  EXPECT_EQ(Authority::load(sources)->audit_files(),
            (std::vector<std::string>{"/s.jsonl", "/n.jsonl"}));
}

TEST_F(PolicyFiles, ARightOfAPersonNeedsNoProcess) {
  PolicySources sources = no_files();
  sources.named = path("policy.yaml");
  std::ofstream(sources.named) << R"(version: 1
roles:
  - name: reader
    members: { users: [7, 8] }
    may: [audit]
    where: { exe: [/usr/bin/orders], env: [prod] }
deny:
  - name: eight
    members: { users: [8] }
  - name: vault
    where: { exe: [/usr/bin/vault] }
)";
  const auto authority = Authority::load(sources);
  ASSERT_TRUE(authority) << authority.error().message;
  EXPECT_TRUE(authority->admit_person(caller(7), Right::kAudit));
  EXPECT_EQ(authority->admit_person(caller(7), Right::kApprove).error().reason, "right-missing");
  EXPECT_EQ(authority->admit_person(caller(8), Right::kAudit).error().reason, "denied-by-rule");
  EXPECT_EQ(authority->admit_person(caller(9), Right::kAudit).error().reason, "not-a-member");
  EXPECT_TRUE(builtin().admit_person(caller(9), Right::kAudit));
}

constexpr const char* kAllForSeven = R"(version: 1
roles:
  - name: seven
    members: { users: [7] }
    may: [plan, log]
    where: { run_as: [7], exe: ["**"] }
    limits: { hits_per_second: 5 }
)";

TargetFacts placed_target() {
  TargetFacts facts = target({7, 7, 7, 7});
  facts.exe_path = "/usr/bin/orders";
  facts.is_own_mount_namespace = true;
  return facts;
}

TEST_F(PolicyFiles, ARoleAllowsAndLowers) {
  std::ofstream(path("policy.yaml")) << kAllForSeven;
  PolicySources sources = no_files();
  sources.named = path("policy.yaml");
  const auto authority = Authority::load(sources);
  ASSERT_TRUE(authority);
  const auto admission = authority->admit(caller(7), placed_target(), {Right::kLog});
  ASSERT_TRUE(admission) << admission.error().message;
  Request request = request_for(placed_target());
  request.asking.rights = {Right::kLog};
  request.probes[0].hits_per_second = 50;
  const auto decision = authority->decide(*admission, request);
  ASSERT_TRUE(decision) << decision.error().message;
  EXPECT_EQ(decision->probe_limits.at(0).hits_per_second, 5U);
  EXPECT_EQ(decision->notes.size(), 1U);
  EXPECT_EQ(decision->grant.rule(), "seven (" + path("policy.yaml") + ":3)");
  const auto missing = authority->admit(caller(7), placed_target(), {Right::kStack});
  EXPECT_EQ(missing.error().reason, "right-missing");
  EXPECT_NE(missing.error().message.find("policy.yaml:5"), std::string::npos);
  EXPECT_EQ(authority->admit(caller(8), placed_target()).error().reason, "not-a-member");
}

TEST_F(PolicyFiles, ANamedPolicyOnlyNarrowsTheSystems) {
  if (::geteuid() != 0) GTEST_SKIP() << "the system's policy belongs to root";
  std::ofstream(path("system.yaml")) << kAllForSeven;
  std::ofstream(path("named.yaml"))
      << std::string(kAllForSeven)
             .replace(std::string(kAllForSeven).find("plan, log"), 9, "log, snap");
  PolicySources sources = no_files();
  sources.system = path("system.yaml");
  sources.named = path("named.yaml");
  const auto both = Authority::load(sources);
  ASSERT_TRUE(both);
  EXPECT_TRUE(both->admit(caller(7), placed_target(), {Right::kLog}));
  EXPECT_FALSE(both->admit(caller(7), placed_target(), {Right::kPlan}));
  EXPECT_FALSE(both->admit(caller(7), placed_target(), {Right::kSnap}));
}

TEST_F(PolicyFiles, TwoPoliciesMayNameTheirOwnRulesAlike) {
  if (::geteuid() != 0) GTEST_SKIP() << "the system's policy belongs to root";
  const std::string rule = "version: 1\nredact: { values: [{ name: our-key, pattern: ";
  std::ofstream(path("system.yaml")) << rule << "\"ok_[a-z]{8}\" }] }\n";
  std::ofstream(path("named.yaml")) << rule << "\"key-[0-9]{8}\" }] }\n";
  PolicySources sources = no_files();
  sources.system = path("system.yaml");
  for (const char* named : {"named.yaml", "system.yaml"}) {
    sources.named = path(named);
    const auto both = Authority::load(sources);
    ASSERT_TRUE(both) << both.error().message;
    EXPECT_EQ(both->value_rules().redact("ok_abcdefgh").text, "[redacted:our-key]");
  }
  sources.named = path("named.yaml");
  EXPECT_EQ(Authority::load(sources)->value_rules().redact("ok_abcdefgh key-12345678").text,
            "[redacted:our-key] [redacted:our-key]");
}

TEST_F(PolicyFiles, ANamedPolicyShowsNoMarkWhereTheSystemsDrops) {
  if (::geteuid() != 0) GTEST_SKIP() << "the system's policy belongs to root";
  std::ofstream(path("system.yaml"))
      << "version: 1\nredact: { values: [{ name: email, action: drop }] }\n";
  std::ofstream(path("named.yaml")) << "version: 1\nredact: { values: [email, jwt] }\n";
  PolicySources sources = no_files();
  sources.system = path("system.yaml");
  sources.named = path("named.yaml");
  const auto both = Authority::load(sources);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->value_rules().redact("to a@example.org.").text, "to .");
}

TEST_F(PolicyFiles, ADanglingLinkOrAnUnreachableFileMayHideARule) {
  ASSERT_EQ(::symlink("/nonexistent/target", path("link").c_str()), 0);
  std::ofstream(path("file")) << "";
  for (const std::string& system : {path("link"), path("file") + "/policy.yaml"}) {
    PolicySources sources = no_files();
    sources.system = system;
    EXPECT_EQ(Authority::load(sources).error().code, ErrorCode::kDenied) << system;
  }
}

TEST_F(PolicyFiles, ANamedPolicyThatIsMissingDeniesAll) {
  PolicySources sources = no_files();
  sources.named = path("nowhere.yaml");
  EXPECT_EQ(Authority::load(sources).error().reason, "policy-missing");
}

}  // namespace
}  // namespace nohalt::policy
