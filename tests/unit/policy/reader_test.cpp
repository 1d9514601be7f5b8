// Policy files: what is read, and every way to get one wrong, with its place.
#include "policy/file/reader.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "policy/file/policy_shape.h"
#include "src/base/file.h"
#include "src/base/units.h"

namespace nohalt::policy {
namespace {

constexpr const char* kWhole = R"(version: 1
source_root: /build/orders
audit: { file: /var/log/nohalt/audit.jsonl }
roles:
  - name: oncall
    members: { users: [alice, 1001], groups: [sre] }
    may: [plan, log]
    where: { exe: ["/usr/bin/orders*"], run_as: [svc-orders], env: [prod], cgroup: ["/x/**"] }
    sources: { allow: ["src/**"], deny: ["src/auth/**"] }
    functions: { deny: ["auth::**"] }
    limits: { probes: 8, hits_per_second: 50, bytes_per_second: 256KiB, lease: 15m, cpu: 1%, hold: 5ms,
              snapshot: 16KiB, resident: 2GiB, exceed: refuse, host: { probes: 9, cpu: 2% } }
    require: { reason: true, ticket: "INC-[0-9]+", approvals: 1 }
    until: 2026-12-01T18:00:00+01:00
    break_glass: true
deny:
  - where: { exe: ["/usr/bin/vault*"] }
redact:
  mode: strict
  action: hash
  names: [our key]
  types: ["Secret<*>"]
  values: [jwt, { name: our-key, pattern: "ok_[A-Za-z0-9]{24}" }]
)";

std::vector<std::string> mistakes_of(std::string_view yaml) {
  std::vector<std::string> texts;
  for (const Mistake& mistake : read_rules(yaml, "p.yaml").mistakes)
    texts.push_back(mistake_text("p.yaml", mistake));
  return texts;
}

std::string only_mistake(std::string_view yaml) {
  const auto all = mistakes_of(yaml);
  EXPECT_EQ(all.size(), 1U) << yaml;
  return all.empty() ? "" : all.front();
}

// A role with one line in place of another.
std::string with(const std::string& line, const std::string& other) {
  std::string text = kWhole;
  const auto at = text.find(line);
  EXPECT_NE(at, std::string::npos) << line;
  return text.replace(at, line.size(), other);
}

TEST(Reader, ReadsAWholePolicy) {
  const ReadRules read = read_rules(kWhole, "p.yaml");
  ASSERT_EQ(mistakes_of(kWhole), std::vector<std::string>{});
  ASSERT_EQ(read.rules.roles.size(), 1U);
  const Role& role = read.rules.roles[0];
  EXPECT_EQ(role.name, "oncall");
  EXPECT_EQ(role.at.line, 5);
  EXPECT_EQ(role.members.users.at(0).name, "alice");
  EXPECT_EQ(role.members.users.at(1).id, 1001U);
  EXPECT_TRUE(role.members.users.at(1).name.empty());
  EXPECT_EQ(role.may, (std::vector{Right::kPlan, Right::kLog}));
  EXPECT_EQ(role.where.at.line, 8);
  EXPECT_EQ(role.sources->deny, std::vector<std::string>{"src/auth/**"});
  EXPECT_EQ(role.limits.bytes_per_second, 256U * 1024);
  EXPECT_EQ(role.limits.lease, std::chrono::minutes{15});
  EXPECT_EQ(role.limits.hold, std::chrono::milliseconds{5});
  EXPECT_TRUE(role.limits.refuse_excess);
  EXPECT_EQ(role.limits.host.probes, 9U);
  EXPECT_EQ(role.require.approvals, 1U);
  EXPECT_EQ(role.until, parse_instant("2026-12-01T17:00:00Z"));
  EXPECT_TRUE(role.break_glass);
  EXPECT_EQ(read.rules.deny.at(0).name, "deny-1");
  EXPECT_EQ(read.rules.redact.mode, RedactMode::kStrict);
  EXPECT_EQ(read.rules.redact.values.at(1).pattern, "ok_[A-Za-z0-9]{24}");
  EXPECT_EQ(read.rules.audit_file, "/var/log/nohalt/audit.jsonl");
}

TEST(Reader, NamesTheKeyThatWasMeant) {
  EXPECT_EQ(only_mistake(with("    where:", "    wher: {exe: [/a]}\n    where:")),
            "p.yaml:8:5: There is no key \"wher\" here. Did you mean where?");
  EXPECT_EQ(only_mistake(with("may: [plan, log]", "may: [plan, lgo]")),
            "p.yaml:7:17: \"lgo\" is not one of plan, log, snap, snap-locals, stack, deep, raw, "
            "debuginfo, approve, audit, stop-all. Did you mean log?");
}

TEST(Reader, FindsAllMistakesAtOnceInFileOrder) {
  const auto all = mistakes_of(
      "version: 2\n"
      "roles:\n"
      "  - name: a b\n"
      "    members: {}\n"
      "    may: []\n"
      "    limits: { lease: 10, cpu: 200%, probes: many, probes: 3 }\n"
      "  - name: x\n"
      "    members: { users: [null] }\n"
      "    may: [log]\n"
      "    where: { build_id: [12345678] }\n"
      "deny:\n"
      "  - name: x\n"
      "    sources: [src/../a]\n");
  const std::vector<std::string> starts{
      "p.yaml:1:10: This must be 1.",
      "p.yaml:3:5: The key `where` is missing.",
      "p.yaml:3:11: \"a b\" is not of the form",
      "p.yaml:4:14: At least one of these keys must be here: users, groups.",
      "p.yaml:5:10: An empty list",
      "p.yaml:6:22: \"10\" has no unit.",
      "p.yaml:6:31: \"200%\" is more than 100%.",
      "p.yaml:6:45: This must be a whole number from 1 to 64.",
      "p.yaml:6:51: The key \"probes\" stands here twice. It is first in line 6.",
      "p.yaml:8:24: ",
      "p.yaml:10:25: To YAML this is no text. Put it into quotes.",
      "p.yaml:12:11: There are two rules of the name x. The first is in line 7",
      "p.yaml:13:15: This pattern can match no path."};
  ASSERT_EQ(all.size(), starts.size()) << testing::PrintToString(all);
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_TRUE(all[i].starts_with(starts[i])) << all[i] << " is not " << starts[i];
}

TEST(Reader, RefusesWhatUnfolds) {
  EXPECT_EQ(mistakes_of("version: &a 1\nsource_root: *a\n").size(), 2U);
  EXPECT_EQ(only_mistake("version: !!int 1\n"), "p.yaml:1:10: A tag is not taken here.");
  EXPECT_EQ(only_mistake("version: 1\n<<: {roles: []}\n"),
            "p.yaml:2:1: There is no key \"<<\" here. The keys are version, source_root, audit, "
            "roles, deny, redact.");
  EXPECT_NE(only_mistake("version: 1\n---\nversion: 1\n").find("more than one document"),
            std::string::npos);
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'm'; ++c) {
    bomb += std::string{c} + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) bomb += std::string(i == 0 ? "*" : ",*") + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  EXPECT_FALSE(mistakes_of(bomb).empty());
}

TEST(Reader, RefusesWhatIsTooLargeOrTooDeep) {
  EXPECT_EQ(only_mistake(std::string(kLargestRuleFile + 1, ' ')),
            "p.yaml: The file is larger than 256 KiB.");
  EXPECT_NE(only_mistake(std::string(400, '[')).find("nested more than"), std::string::npos);
  std::string many = "roles: [";
  for (std::size_t i = 0; i <= kMostNodes; ++i) many += "a,";
  EXPECT_NE(only_mistake(many + "a]").find("more than 20000 values"), std::string::npos);
  EXPECT_EQ(only_mistake(""), "p.yaml: The file is empty.");
  EXPECT_EQ(only_mistake("\xff\xfe"), "p.yaml: The file is not UTF-8 text.");
  EXPECT_EQ(only_mistake("- a\n"), "p.yaml:1:1: This must be a map of keys and values.");
  EXPECT_NE(only_mistake("version: [1\n").find("This is not YAML"), std::string::npos);
}

TEST(Reader, RefusesEachWrongValue) {
  const std::pair<const char*, const char*> changes[] = {
      {"source_root: /build/orders", "source_root: build"},
      {"reason: true", "reason: yes"},
      {"reason: true", "reason: \"true\""},
      {"ticket: \"INC-[0-9]+\"", "ticket: \"INC-[0-9\""},
      {"approvals: 1", "approvals: -1"},
      {"approvals: 1", "approvals: 1.5"},
      {"hits_per_second: 50", "hits_per_second: 50/s"},
      {"hits_per_second: 50", "hits_per_second: 0"},
      {"256KiB", "256KB"},
      {"exceed: refuse", "exceed: deny"},
      {"until: 2026-12-01T18:00:00+01:00", "until: 2026-02-30T18:00:00Z"},
      {"until: 2026-12-01T18:00:00+01:00", "until: tomorrow"},
      {"exe: [\"/usr/bin/vault*\"]", "exe: [vault]"},
      {"exe: [\"/usr/bin/vault*\"]", "exe: /usr/bin/vault"},
      {"names: [our key]", "names: [Our-Key]"},
      {"pattern: \"ok_[A-Za-z0-9]{24}\"", "pattern: \"(\""},
      {"values: [jwt,", "values: [jwts,"},
      {"env: [prod]", "env: prod"},
      {"users: [alice, 1001]", "users: [alice, -1]"},
      {"users: [alice, 1001]", "users: [alice bob]"}};
  for (const auto& [line, other] : changes) EXPECT_NE(only_mistake(with(line, other)), "") << other;
}

TEST(Reader, ReadsTheHostsLabels) {
  EXPECT_EQ(read_host("version: 1\nenv: [prod, eu]\n").env,
            (std::vector<std::string>{"prod", "eu"}));
  EXPECT_FALSE(read_host("env: [prod]\n").mistakes.empty());
  EXPECT_FALSE(read_host("version: 1\nenvs: [prod]\n").mistakes.empty());
}

TEST(Schema, IsTheOneThatTheReaderGoesBy) {
  const std::string path = std::string{NOHALT_SOURCE_DIR} + "/docs/policy.schema.json";
  const auto published = read_file(path);
  if (published && *published == policy_json_schema()) return;
  std::ofstream("policy.schema.json") << policy_json_schema();
  ADD_FAILURE() << path << " is not what the reader goes by. What it should be is now in "
                << "policy.schema.json, where this test runs.";
}

// A pattern of the schema and the function that reads the value take the same texts.
TEST(Schema, PatternsTakeWhatIsRead) {
  const nlohmann::json limits = nlohmann::json::parse(
      policy_json_schema())["properties"]["roles"]["items"]["properties"]["limits"]["properties"];
  const auto takes = [&](const char* key, const std::string& text) {
    return RE2::FullMatch(text, limits[key]["pattern"].get<std::string>());
  };
  for (const std::string number : {"", "0", "1", "10", "007", "1.5", "-1", "99999999999999999999"})
    for (const std::string unit :
         {"", "ms", "s", "m", "h", "d", "B", "KiB", "MiB", "GiB", "KB", "%"}) {
      const std::string text = number + unit;
      // Size and share are bounded, which a pattern cannot say.
      EXPECT_TRUE(!parse_duration(text) || takes("lease", text)) << text;
      EXPECT_TRUE(!parse_size(text) || takes("snapshot", text)) << text;
      EXPECT_TRUE(!parse_percent(text) || takes("cpu", text)) << text;
      if (number.size() < 4 && number.find('.') == std::string::npos) {
        EXPECT_EQ(takes("lease", text), parse_duration(text).has_value()) << text;
        EXPECT_EQ(takes("snapshot", text), parse_size(text).has_value()) << text;
      }
    }
}

}  // namespace
TEST(Reader, ReadsAnActionForOneRule) {
  const ReadRules read = read_rules(
      "version: 1\n"
      "redact:\n"
      "  action: hash\n"
      "  names: [birth, { name: api key, action: drop }]\n"
      "  types: [{ type: 'Secret<*>', action: mask }]\n"
      "  sources: [src/auth/**, { source: src/keys/*, action: drop }]\n"
      "  values: [email, { name: jwt, action: drop }, { name: own, pattern: o+k }]\n",
      "p.yaml");
  ASSERT_TRUE(read.mistakes.empty()) << mistake_text("p.yaml", read.mistakes[0]);
  const RedactRules& redact = read.rules.redact;
  EXPECT_EQ(redact.action, RedactAction::kHash);
  EXPECT_EQ(redact.names.at(0).pattern, "birth");
  EXPECT_FALSE(redact.names.at(0).action);
  EXPECT_EQ(redact.names.at(1).pattern, "api key");
  EXPECT_EQ(redact.names.at(1).action, RedactAction::kDrop);
  EXPECT_EQ(redact.names.at(1).at.line, 4);
  EXPECT_EQ(redact.types.at(0).action, RedactAction::kMask);
  EXPECT_EQ(redact.sources.at(1).pattern, "src/keys/*");
  EXPECT_EQ(redact.values.at(1).name, "jwt");
  EXPECT_EQ(redact.values.at(1).action, RedactAction::kDrop);
  EXPECT_TRUE(redact.values.at(1).pattern.empty());
  EXPECT_EQ(redact.values.at(2).pattern, "o+k");
}

TEST(Reader, RefusesRulesThatCannotBeKept) {
  const auto mistake = [](const std::string& rule) {
    return only_mistake("version: 1\nredact:\n  " + rule + "\n");
  };
  EXPECT_NE(mistake("names: [{ name: pin, action: hash }]").find("not one of drop, mask"),
            std::string::npos);
  EXPECT_NE(mistake("values: [{ name: own }]").find("needs a `pattern`"), std::string::npos);
  EXPECT_NE(mistake("values: [{ name: jwt, pattern: x }]").find("has a pattern already"),
            std::string::npos);
  EXPECT_NE(mistake("sources: [{ source: a//b }]").find("can match no path"), std::string::npos);
  EXPECT_NE(mistake("types: [{ action: drop }]").find("`type` is missing"), std::string::npos);
}

}  // namespace nohalt::policy
