// The links of a line without parsing it: the same as a JSON parser finds, and none
// in what is not whole.
#include "policy/audit/scan.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "policy/audit/line.h"

namespace nohalt::policy {
namespace {

std::string line() {
  Event event;
  event.kind = EventKind::kCheckpoint;
  event.reason = "\"},{[\\ \"prev\":\"x\"";
  event.policy_hash = "p";
  event.messages = {"{", "]"};
  LineFrame frame;
  frame.seq = 12;
  frame.boot_ms = 5;
  frame.boot_id = "b";
  frame.previous = std::string(64, 'a');
  frame.chain = std::string(64, 'c');
  frame.torn = std::string(64, 'd');
  frame.signature = {"key", "sig"};
  return audit_line(event, frame);
}

TEST(Scan, FindsWhatAParserFinds) {
  const std::string text = line();
  const auto fields = scan_line(text).value();
  const auto parsed = nlohmann::json::parse(text);
  EXPECT_EQ(fields.seq, parsed["seq"]);
  EXPECT_EQ(fields.boot_ms, parsed["boot_ms"]);
  EXPECT_EQ(fields.boot_id, parsed["boot_id"]);
  EXPECT_EQ(fields.previous, parsed["prev"]);
  EXPECT_EQ(fields.chain, parsed["chain"]);
  EXPECT_EQ(fields.torn, parsed["torn"]);
  EXPECT_EQ(fields.event, "checkpoint");
  EXPECT_EQ(fields.time, parsed["time"]);
  EXPECT_EQ(fields.policy_hash, "p");
  EXPECT_EQ(fields.key, "key");
  EXPECT_EQ(fields.signature, "sig");
  EXPECT_EQ(fields.signed_part, parsed["signed"].dump());
}

TEST(Scan, NoPrefixOfALineIsWholeAndNothingMayFollowIt) {
  const std::string text = line();
  for (std::size_t i = 0; i < text.size(); ++i) EXPECT_FALSE(scan_line(text.substr(0, i))) << i;
  EXPECT_FALSE(scan_line(text + " "));
  EXPECT_FALSE(scan_line(text + "}"));
}

TEST(Scan, WhatIsSignedIsTheLineWithoutItsSignature) {
  auto parsed = nlohmann::json::parse(line());
  parsed.erase("signed");
  EXPECT_TRUE(signed_message(line()).ends_with("\n" + parsed.dump()));
}

TEST(Scan, TakesNoNameTwiceAndNoneOutOfOrder) {
  const std::string hash = R"(")" + std::string(64, '0') + R"(")";
  const std::string good = R"({"chain":)" + hash + R"(,"prev":)" + hash + R"(,"seq":1})";
  EXPECT_TRUE(scan_line(good));
  EXPECT_FALSE(scan_line(R"({"chain":)" + hash + R"(,"prev":)" + hash + R"(,"seq":1,"seq":2})"));
  EXPECT_FALSE(scan_line(R"({"prev":)" + hash + R"(,"chain":)" + hash + R"(,"seq":1})"));
  EXPECT_FALSE(scan_line(R"({"chain":)" + hash + R"(,"prev":)" + hash + R"(,"seq":"1"})"));
  EXPECT_FALSE(scan_line(R"({"chain":)" + hash + R"(,"prev":)" + hash + R"(,"seq":0})"));
}

}  // namespace
}  // namespace nohalt::policy
