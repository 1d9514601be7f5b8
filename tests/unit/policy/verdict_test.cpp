// The verdicts of a table (verdicts/cases.yaml), and what must hold of all.
#include "policy/access/verdict.h"

#include <gtest/gtest.h>

#include <random>

#include "policy/access/match.h"
#include "policy/file/cases.h"
#include "policy/file/reader.h"
#include "src/base/file.h"

namespace nohalt::policy {
namespace {

std::string content(const char* name) {
  return read_file(std::string{NOHALT_SOURCE_DIR} + "/tests/unit/policy/verdicts/" + name).value();
}

struct Table {
  Rules rules;
  std::vector<Case> cases;
};

const Table& table() {
  static const Table read = [] {
    ReadRules rules = read_rules(content("policy.yaml"), "policy.yaml");
    for (const Mistake& mistake : rules.mistakes)
      ADD_FAILURE() << mistake_text("policy.yaml", mistake);
    ReadCases cases = read_cases(content("cases.yaml"));
    for (const Mistake& mistake : cases.mistakes)
      ADD_FAILURE() << mistake_text("cases.yaml", mistake);
    return Table{std::move(rules.rules), std::move(cases.cases)};
  }();
  return read;
}

TEST(Verdicts, AreAsTheTableSays) {
  std::size_t allowed = 0;
  for (const Case& one : table().cases) {
    const CaseResult result = run_case(table().rules, one);
    EXPECT_EQ(result.failure, "") << "cases.yaml:" << one.line << ": " << one.name;
    EXPECT_FALSE(one.rule.empty()) << one.name;
    if (one.is_allowed) ++allowed;
  }
  EXPECT_GE(table().cases.size(), 150U);
  EXPECT_GE(allowed, 50U);
  EXPECT_LE(allowed, table().cases.size() - 50);
}

TEST(Verdicts, TellNotWhereAThingThatIsDeniedIsDeclared) {
  const AllowDeny denies{{}, {"src/auth/**"}, {}};
  const AllowDeny allows{{"src/orders/**"}, {}, {}};
  for (const auto kind : {SourceUse::Kind::kCode, SourceUse::Kind::kVariable}) {
    const SourceUse use{kind, "global limits", "/build/src/auth/keys.c", "f"};
    for (const AllowDeny* sources : {&denies, &allows}) {
      const auto why = why_source_denied(*sources, use, "/build");
      ASSERT_TRUE(why);
      EXPECT_TRUE(why->starts_with("global limits is in a source that is "));
      EXPECT_EQ(why->find("auth"), std::string::npos);
    }
  }
}

TEST(Verdicts, NameFileAndLineOfTheRule) {
  for (const Case& one : table().cases) {
    const Verdict verdict = run_case(table().rules, one).verdict;
    EXPECT_GT(verdict.at.line, 0) << one.name;
    const std::string text = rule_text(table().rules, verdict.rule, verdict.at);
    EXPECT_EQ(text, verdict.rule + " (policy.yaml:" + std::to_string(verdict.at.line) + ")");
    EXPECT_EQ(verdict.weighed.size(), table().rules.roles.size() + table().rules.deny.size());
    EXPECT_EQ(verdict.why.empty(), verdict.is_allowed) << one.name;
  }
}

TEST(Verdicts, WithoutRolesNothingIsAllowed) {
  Rules none;
  none.file = "policy.yaml";
  for (const Case& one : table().cases) {
    const Verdict verdict = run_case(none, one).verdict;
    EXPECT_FALSE(verdict.is_allowed) << one.name;
    EXPECT_EQ(verdict.reason, "no-role");
  }
}

// A deny rule put together at random out of parts of the table's policy.
DenyRule random_deny(std::mt19937_64& random) {
  const std::vector<Role>& roles = table().rules.roles;
  const auto any_role = [&]() -> const Role& { return roles[random() % roles.size()]; };
  DenyRule rule;
  rule.name = "random";
  rule.at = {1000, 1};
  do {
    if (random() % 2 == 0) rule.members = any_role().members;
    if (random() % 2 == 0) rule.where = any_role().where;
    if (random() % 3 == 0) rule.may = any_role().may;
    if (random() % 3 == 0) rule.sources = {random() % 2 == 0 ? "src/**" : "**"};
    if (random() % 3 == 0) rule.functions = {random() % 2 == 0 ? "orders::**" : "**"};
  } while (!rule.members && !rule.where && rule.may.empty() && rule.sources.empty() &&
           rule.functions.empty());
  return rule;
}

TEST(Verdicts, ADenyRuleMoreNeverAllowsMore) {
  std::mt19937_64 random(20261121);
  std::size_t denied_more = 0;
  for (int round = 0; round < 100; ++round) {
    Rules stricter = table().rules;
    stricter.deny.insert(
        stricter.deny.begin() + static_cast<std::ptrdiff_t>(random() % (stricter.deny.size() + 1)),
        random_deny(random));
    for (const Case& one : table().cases) {
      const bool before = run_case(table().rules, one).verdict.is_allowed;
      const bool after = run_case(stricter, one).verdict.is_allowed;
      ASSERT_TRUE(before || !after) << one.name;
      if (before && !after) ++denied_more;
    }
  }
  EXPECT_GT(denied_more, 0U);
}

template <class T>
void lower(std::optional<T>& limit, std::mt19937_64& random, T otherwise) {
  if (random() % 2 == 0) return;
  limit = static_cast<T>(limit.value_or(otherwise) / static_cast<T>(1 + random() % 4));
}

void lower(Totals& totals, std::mt19937_64& random) {
  lower(totals.probes, random, std::uint32_t{16});
  lower(totals.hits_per_second, random, std::uint64_t{1000});
  lower(totals.bytes_per_second, random, std::uint64_t{1024 * 1024});
  lower(totals.cpu_share, random, 0.5);
}

TEST(Verdicts, ALimitLoweredNeverRaisesOne) {
  std::mt19937_64 random(1121);
  std::size_t lowered_more = 0;
  for (int round = 0; round < 100; ++round) {
    Rules stricter = table().rules;
    for (Role& role : stricter.roles) {
      lower(role.limits.probes, random, std::uint32_t{8});
      lower(role.limits.hits_per_second, random, std::uint64_t{1000});
      lower(role.limits.bytes_per_second, random, std::uint64_t{1024 * 1024});
      lower(role.limits.cpu_share, random, 1.0);
      if (random() % 2 == 0) role.limits.lease = std::chrono::minutes{1 + random() % 10};
      if (random() % 2 == 0) role.limits.hold = std::chrono::microseconds{random() % 5000};
      for (Totals* totals : {&role.limits.target, &role.limits.user, &role.limits.host})
        lower(*totals, random);
    }
    for (const Case& one : table().cases) {
      const Verdict before = run_case(table().rules, one).verdict;
      const Verdict after = run_case(stricter, one).verdict;
      if (!after.is_allowed || before.rule != after.rule) continue;
      ASSERT_TRUE(before.is_allowed) << one.name;
      for (std::size_t i = 0; i < after.granted.size(); ++i) {
        ASSERT_LE(after.granted[i].hits_per_second, before.granted[i].hits_per_second) << one.name;
        ASSERT_LE(after.granted[i].bytes_per_second, before.granted[i].bytes_per_second);
        ASSERT_LE(after.granted[i].lease, before.granted[i].lease) << one.name;
        ASSERT_LE(after.granted[i].cpu_share, before.granted[i].cpu_share) << one.name;
        ASSERT_LE(after.granted[i].hold, before.granted[i].hold) << one.name;
        if (after.granted[i].hits_per_second < before.granted[i].hits_per_second) ++lowered_more;
      }
    }
  }
  EXPECT_GT(lowered_more, 0U);
}

// What a role lets be seen of values that nobody names is what it lets be named.
TEST(Verdicts, AFilterHidesWhatNamingWouldDeny) {
  const Rules& rules = table().rules;
  Case one = table().cases.front();
  ASSERT_TRUE(one.is_allowed);
  const CaseResult result = run_case(rules, one);
  for (const Case& other : table().cases) {
    if (other.question.uses.size() < 2) continue;
    const SourceUse& use = other.question.uses.back();
    Question asked = one.question;
    asked.uses.push_back(use);
    Case with_use = one;
    with_use.question = asked;
    const CaseResult named = run_case(rules, with_use);
    const SourceFilter filter = filter_of(rules, result.verdict.role, one);
    EXPECT_EQ(filter.hides(use), !named.verdict.is_allowed || named.verdict.rule != "oncall")
        << other.name;
  }
}

}  // namespace
}  // namespace nohalt::policy
