// Probe files: what they may hold, and that a mistake in one names its place.
#include "probes/spec/probe_file.h"

#include <gtest/gtest.h>

#include <string>

namespace nohalt::spec {
namespace {

Result<std::vector<ProbeSpec>> parse(const std::string& yaml) {
  return parse_probe_file(yaml, "p.yaml", ProbeSpec{});
}

TEST(ProbeFile, ReadsEveryKey) {
  const auto probes = parse(
      "probes:\n"
      "  - at: orders.c:142\n"
      "    message: \"order {id}\"\n"
      "    if: total > 1000\n"
      "    capture: [order->lines, total]\n"
      "    limit: 5/s\n    hits: 3\n    for: 1m\n    cpu: 2%\n    depth: 4\n    stack: 9\n"
      "  - {at: cancel, message: x}\n");
  ASSERT_TRUE(probes) << probes.error().message;
  ASSERT_EQ(probes->size(), 2U);
  const ProbeSpec& first = probes->front();
  EXPECT_EQ(first.location, "orders.c:142");
  EXPECT_EQ(first.message, "order {id}");
  EXPECT_EQ(first.condition, "total > 1000");
  EXPECT_EQ(first.captures, (std::vector<std::string>{"order->lines", "total"}));
  EXPECT_EQ(first.limits.hits_per_second, 5U);
  EXPECT_EQ(first.limits.hits, 3U);
  EXPECT_EQ(first.limits.lease, std::chrono::minutes{1});
  EXPECT_DOUBLE_EQ(first.limits.cpu_share.value(), 0.02);
  EXPECT_EQ(first.size.depth, 4U);
  EXPECT_EQ(first.stack_frames, 9U);
  EXPECT_EQ(probes->back().limits, AskedLimits{});
}

TEST(ProbeFile, WhatAProbeDoesNotSayComesFromTheCommandLine) {
  ProbeSpec defaults;
  defaults.limits.hits_per_second = 7;
  const auto probes = parse_probe_file(
      "probes: [{at: f, message: m}, {at: g, message: m, limit: 9/s}]", "p.yaml", defaults);
  ASSERT_TRUE(probes);
  EXPECT_EQ(probes->at(0).limits.hits_per_second, 7U);
  EXPECT_EQ(probes->at(1).limits.hits_per_second, 9U);
}

TEST(ProbeFile, SnapshotsHaveNoMessage) {
  ProbeSpec defaults;
  defaults.kind = ProbeKind::kSnapshot;
  const auto probes = parse_probe_file("probes: [{at: f, stack: true}]", "p.yaml", defaults);
  ASSERT_TRUE(probes) << probes.error().message;
  EXPECT_EQ(probes->at(0).stack_frames, kMostFrames);
  const auto mistaken = parse_probe_file("probes: [{at: f, message: m}]", "p.yaml", defaults);
  ASSERT_FALSE(mistaken);
  EXPECT_NE(mistaken.error().message.find("no `message`"), std::string::npos);
}

TEST(ProbeFile, MistakesNameLineAndColumn) {
  struct Case {
    const char* yaml;
    const char* part;
  };
  for (const Case& c : {
           Case{"probes:\n  - at: f\n    message: m\n    limt: 5/s\n", "p.yaml:4:5: Unknown key"},
           {"probes:\n  - at: f\n    message: m\n    limit: 5\n", "p.yaml:4:12: \"5\" has no unit"},
           {"probes:\n  - message: m\n", "p.yaml:2:5: A probe needs `at`"},
           {"probes:\n  - at: f\n", "needs `message`"},
           {"probes: []\n", "from 1 to 64"},
           {"probes: 5\n", "must hold one key"},
           {"", "must hold one key"},
           {"probes: [{at: f, message: m}]\nprobe: 1\n", "must hold one key"},
           {"probes: [5]\n", "A probe is a map"},
           {"probes: [{at: [f], message: m}]\n", "Plain text"},
           {"probes: [{at: f, message: m, capture: x}]\n", "is a list"},
           {"probes: [{at: f, message: m, stack: 257}]\n", "p.yaml:1:37"},
           {"probes: [{[a]: f}]\n", "key must be plain text"},
           {"probes: [\n", "p.yaml:"},
           {"a: *nowhere\n", "p.yaml:1:"},
       }) {
    const auto probes = parse(c.yaml);
    ASSERT_FALSE(probes) << c.yaml;
    EXPECT_EQ(probes.error().code, ErrorCode::kUsage);
    EXPECT_EQ(probes.error().reason, "malformed-probe-file");
    EXPECT_NE(probes.error().message.find(c.part), std::string::npos) << probes.error().message;
  }
}

}  // namespace
}  // namespace nohalt::spec
