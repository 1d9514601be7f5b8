// The JSON form: the promised names in the promised order, exact texts, and
// nothing on the line that drives a terminal.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/base/escape.h"
#include "src/output/forms.h"
#include "tests/unit/output/samples.h"

namespace nohalt::output {
namespace {

using Parsed = nlohmann::ordered_json;

// One line, and on it nothing that drives a terminal or reorders text.
Parsed parse_line(const std::string& line) {
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const std::string text = line.substr(0, line.size() - 1);
  EXPECT_EQ(make_printable(text), text);
  return Parsed::parse(text);
}

TEST(JsonForm, AHitByteForByte) {
  EXPECT_EQ(
      hit_json(sample_origin(), sample_hit()),
      R"({"schema":1,"kind":"log","time":"1970-01-01T00:00:01.000000001Z","seq":3,"probe":"p1",)"
      R"("host":"h1","pid":4711,"tid":4712,"thread":"worker","exe":"/usr/bin/orders",)"
      R"("build_id":"beef","service":"orders","version":"1.2","file":"/src/orders.c","line":142,)"
      R"("function":"place","message":"order 17","values":{"id":{"type":"int","value":17,)"
      R"("state":"exact"},"total":{"type":"double","state":"optimized_out",)"
      R"("why":"no location here"}},"suppressed":5,"dropped":0,"engine":"inline"})"
      "\n");
}

TEST(JsonForm, WhatIsNotKnownIsAbsent) {
  Hit hit;
  hit.seq = 1;
  const Parsed record = parse_line(hit_json({}, hit));
  for (const char* name : {"tid", "thread", "file", "line", "values", "service", "encoding"})
    EXPECT_FALSE(record.contains(name)) << name;
}

TEST(JsonForm, HostileTextsArriveExactlyAndStayOnTheirLine) {
  Hit hit = sample_hit();
  hit.thread = hit.function = hit.file = hit.message = kHostile;
  hit.values = {{kHostile, kHostile, "exact", kHostile, Parsed(kHostile).dump(), false, false}};
  Origin origin = sample_origin();
  origin.exe = origin.service = kHostile;
  const Parsed record = parse_line(hit_json(origin, hit));
  EXPECT_EQ(record["kind"], "log");
  for (const char* name : {"thread", "function", "file", "message", "exe", "service"})
    EXPECT_EQ(record[name], kHostile) << name;
  EXPECT_EQ(record["values"][kHostile]["value"], kHostile);
}

TEST(JsonForm, TextThatIsNoUtf8IsEscapedAndSaysSo) {
  Hit hit = sample_hit();
  hit.message = "a\xff\\";
  hit.thread = "b\\c";
  const Parsed record = parse_line(hit_json(sample_origin(), hit));
  EXPECT_EQ(record["encoding"], "escaped");
  EXPECT_EQ(record["message"], "a\\xff\\\\");
  EXPECT_EQ(record["thread"], "b\\\\c");
}

TEST(JsonForm, NumbersThatReadersLoseAreText) {
  Hit hit = sample_hit();
  hit.seq = (1ULL << 53) - 1;
  hit.suppressed = 1ULL << 53;
  const Parsed record = parse_line(hit_json(sample_origin(), hit));
  EXPECT_EQ(record["seq"], 9007199254740991U);
  EXPECT_EQ(record["suppressed"], "9007199254740992");
}

TEST(JsonForm, AValueThatIsNoJsonIsShownAsText) {
  Hit hit = sample_hit();
  hit.values = {{"v", "t", "exact", "", "{broken", false, false}};
  EXPECT_EQ(parse_line(hit_json(sample_origin(), hit))["values"]["v"]["value"], "{broken");
}

TEST(JsonForm, TheReceiptHasCountsHoldsAndProof) {
  Receipt receipt;
  receipt.outcome = "hits-reached";
  receipt.lasted = std::chrono::milliseconds{1500};
  receipt.holds = 1;
  receipt.longest_hold = receipt.total_hold = std::chrono::nanoseconds{84'000};
  receipt.total = {10, 9, 8, 1, 0, 0, 142.26, 2000};
  receipt.text_restored = receipt.mappings_as_before = true;
  receipt.left = {"one trampoline: a thread was in it"};
  receipt.unloaded = {"/opt/libbonus.so"};
  const Parsed record = parse_line(receipt_json(sample_origin(), receipt));
  EXPECT_EQ(record["kind"], "receipt");
  EXPECT_EQ(record["hits"], 10);
  EXPECT_EQ(record["matched"], 9);
  EXPECT_EQ(record["suppressed"], 1);
  EXPECT_EQ(record["dropped"], 0);
  EXPECT_EQ(record["holds"], Parsed::parse(R"({"count":1,"longest_ns":84000,"total_ns":84000})"));
  EXPECT_EQ(record["cost"]["mean_ns"], 142.3);
  EXPECT_EQ(record["removal"]["text_restored"], true);
  EXPECT_EQ(record["removal"]["threads_as_before"], false);
  EXPECT_EQ(record["removal"]["left"].size(), 1U);
  EXPECT_EQ(record["removal"]["unloaded"], Parsed::parse(R"(["/opt/libbonus.so"])"));
  EXPECT_FALSE(record.contains("probes"));
}

TEST(JsonForm, ANoticeIsARecord) {
  const Parsed record = parse_line(notice_json(sample_origin(), {1, "lowered", kHostile, "p1"}));
  EXPECT_EQ(record["kind"], "notice");
  EXPECT_EQ(record["reason"], "lowered");
  EXPECT_EQ(record["message"], kHostile);
}

}  // namespace
}  // namespace nohalt::output
