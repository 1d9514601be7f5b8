// The bytes of an audit line: canonical, and safe whatever the texts in it are.
#include "policy/audit/line.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nohalt::policy {
namespace {

LineFrame frame() {
  LineFrame f;
  f.wall_ns = 1'000'000'001;
  f.boot_ms = 5;
  f.boot_id = "b";
  f.previous = std::string(64, '0');
  f.chain = std::string(64, '1');
  return f;
}

TEST(AuditLine, IsCanonicalByteForByte) {
  Event event;
  event.kind = EventKind::kArmed;
  event.run = "r1";
  event.who.uid = 1000;
  event.who.user = "alice";
  event.who.host = "h";
  event.target =
      TargetFacts{{42, 7}, {1000, 1000, 1000, 1000}, {}, 0, 0, "/usr/bin/x", "be", {}, {}};
  event.addresses = {0x7f00deadbeef};
  event.rule = "built-in: own-processes";
  event.asked = {AskedLimits{}};
  event.granted = {Limits{}};
  event.reason = "why";
  EXPECT_EQ(
      audit_line(event, frame()),
      R"({"boot_id":"b","boot_ms":5,"chain":")" + std::string(64, '1') +
          R"(","event":"armed","prev":")" + std::string(64, '0') +
          R"(","run":"r1","schema":1,"seq":1,"time":"1970-01-01T00:00:01.000000001Z",)"
          R"("under":{"asked":[{}],"granted":[{"bytes_per_second":262144,"cpu":"1%",)"
          R"("hits_per_second":10,"hold":"5ms","lease":"10m"}],"rule":"built-in: own-processes"},)"
          R"("what":{"addresses":["0x7f00deadbeef"],"build_id":"be","exe":"/usr/bin/x","pid":42,)"
          R"("start_time":7,"uid":1000},"who":{"host":"h","uid":1000,"user":"alice"},)"
          R"("why":{"reason":"why"}})");
}

TEST(AuditLine, TextOfOthersCannotForgeALineOrCarryASecret) {
  Event event;
  event.reason = "x\"}\n{\"event\":\"disarmed\"} \x1b[2J \xe2\x80\xae \xff card 4111111111111111";
  event.messages = {"mail a@example.org"};
  event.conditions = {"id == 4111111111111111"};
  event.who.user = "root\nx";
  event.target = TargetFacts{};
  event.target->exe_path = "/tmp/\n\"evil";
  const std::string line = audit_line(event, frame());
  for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20U);
  EXPECT_EQ(line.find("\xe2\x80\xae"), std::string::npos);
  EXPECT_EQ(line.find("4111"), std::string::npos);
  const auto parsed = nlohmann::json::parse(line);
  EXPECT_EQ(parsed["event"], "requested");
  EXPECT_EQ(parsed["what"]["messages"][0], "mail [redacted:email]");
  EXPECT_EQ(parsed["under"]["redactions"]["payment-card"], 2);
  EXPECT_EQ(parsed["under"]["redactions"]["email"], 1);
}

TEST(AuditLine, APolicysOwnRulesHoldForAllThatPeopleWrote) {
  ValueRules rules = ValueRules::builtin();
  ASSERT_TRUE(rules.add("our-key", "ok_[a-z]{8}"));
  constexpr const char* kSecret = "ok_abcdefgh";
  Event event;
  event.reason = event.ticket = event.read = kSecret;
  event.locations = event.messages = event.conditions = event.captures = {kSecret};
  event.left_behind = event.places = {kSecret};
  event.target = TargetFacts{};
  event.target->exe_path = kSecret;
  const std::string line = audit_line(event, frame(), rules);
  EXPECT_EQ(line.find(kSecret), std::string::npos) << line;
  EXPECT_EQ(nlohmann::json::parse(line)["under"]["redactions"]["our-key"], 10);
  EXPECT_NE(audit_line(event, frame()).find(kSecret), std::string::npos);
}

TEST(AuditLine, WhatLooksRandomIsHiddenInTextsAndNotInIdsAndNames) {
  ValueRules rules = ValueRules::builtin();
  ASSERT_TRUE(rules.add("high-entropy"));
  const std::string id = "0123456789abcdef0123456789abcdef01234567";
  Event event;
  event.run = event.rule = event.policy_hash = event.program_hash = event.output_digest = id;
  event.ticket = event.read = id;
  event.target = TargetFacts{};
  event.target->build_id = id;
  event.target->exe_path = "/store/" + id + "/bin/orders";
  event.reason = id;
  event.messages = {id};
  const auto parsed = nlohmann::json::parse(audit_line(event, frame(), rules));
  EXPECT_EQ(parsed["run"], id);
  EXPECT_EQ(parsed["under"]["policy_hash"], id);
  EXPECT_EQ(parsed["what"]["build_id"], id);
  EXPECT_EQ(parsed["what"]["exe"], event.target->exe_path);
  EXPECT_EQ(parsed["what"]["read"], id);
  EXPECT_EQ(parsed["why"]["ticket"], id);
  EXPECT_EQ(parsed["why"]["reason"], "[redacted:high-entropy]");
  EXPECT_EQ(parsed["what"]["messages"][0], "[redacted:high-entropy]");
}

TEST(AuditLine, NamesWhatWasCaptured) {
  Event event;
  event.captures = {"order.id", "note == \"a@example.org\""};
  const auto parsed = nlohmann::json::parse(audit_line(event, frame()));
  EXPECT_EQ(parsed["what"]["captures"][0], "order.id");
  EXPECT_EQ(parsed["what"]["captures"][1], "note == \"[redacted:email]\"");
}

TEST(AuditLine, NumbersBeyondWhatJsonHoldsExactlyAreText) {
  Event event;
  event.records = (1ULL << 53) - 1;
  event.bytes = 1ULL << 53;
  const auto parsed = nlohmann::json::parse(audit_line(event, frame()));
  EXPECT_EQ(parsed["left"]["records"], 9007199254740991U);
  EXPECT_EQ(parsed["left"]["bytes"], "9007199254740992");
}

}  // namespace
}  // namespace nohalt::policy
