// The chain as bytes: what shows, what a power cut leaves, what does not pass.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/audit/digest.h"
#include "policy/audit/line.h"
#include "policy/audit/trail_end.h"
#include "policy/audit/verify.h"

namespace nohalt::policy {
namespace {

// What an append does, without a file.
void append_to(std::string& content, const std::string& run) {
  const TrailEnd end = read_trail_end(content);
  Event event;
  event.run = run;
  LineFrame frame;
  frame.seq = end.seq + 1;
  frame.previous = end.previous;
  frame.chain = end.chain;
  frame.torn = end.torn;
  if (end.needs_newline) content += '\n';
  content += audit_line(event, frame) + "\n";
}

std::string three_lines() {
  std::string content;
  for (const char* run : {"a", "b", "c"}) append_to(content, run);
  return content;
}

TEST(Sha256, IsTheOneOfFips180) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(OutputDigest, IsTheHashOfItsSaltAndTheBytesInOrder) {
  OutputDigest digest;
  digest.add("one ");
  digest.add("two");
  EXPECT_EQ(digest.hex(), sha256_hex(digest.salt() + "one two"));
  EXPECT_NE(OutputDigest{}.salt(), OutputDigest{}.salt());
}

TEST(Chain, HoldsForWhatWasAppended) {
  const ChainReport report = verify_chain(three_lines());
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(report.whole_lines, 3U);
  EXPECT_TRUE(verify_chain("").is_whole());
}

TEST(Chain, AnyChangedByteShows) {
  const std::string content = three_lines();
  const std::size_t last_line = content.rfind('\n', content.size() - 2) + 1;
  for (std::size_t i = 0; i < last_line; ++i) {
    std::string changed = content;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(verify_chain(changed).is_whole()) << i;
  }
}

TEST(Chain, ARemovedInsertedOrSwappedLineShows) {
  const std::string content = three_lines();
  const std::size_t first = content.find('\n') + 1;
  const std::size_t second = content.find('\n', first) + 1;
  const std::string a = content.substr(0, first);
  const std::string b = content.substr(first, second - first);
  const std::string c = content.substr(second);
  for (const std::string& bad : {b + c, a + c, a + c + b, b + a + c, a + b + b + c,
                                 a + "\n" + b + c, a + "garbage\n" + b + c})
    EXPECT_FALSE(verify_chain(bad).is_whole()) << bad;
}

TEST(Chain, GoesOnAfterAPowerCutAtAnyByte) {
  const std::string content = three_lines();
  for (std::size_t cut = 0; cut <= content.size(); ++cut) {
    std::string survived = content.substr(0, cut);
    append_to(survived, "d");
    append_to(survived, "e");
    const ChainReport report = verify_chain(survived);
    EXPECT_TRUE(report.is_whole()) << cut << ": " << report.faults.front();
    EXPECT_LE(report.torn_lines, 1U) << cut;
  }
}

TEST(Chain, GoesOnAfterTwoPowerCutsAndBlocksOfZeros) {
  std::string content = three_lines();
  content += std::string(700, '\0');
  append_to(content, "d");
  content.resize(content.size() - 40);  // d is half-written too
  append_to(content, "e");
  const ChainReport report = verify_chain(content);
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(report.whole_lines, 4U);
  EXPECT_EQ(report.torn_lines, 2U);
}

TEST(Chain, AClockThatStepsBackAndAnotherBootChangeNothing) {
  std::string content;
  TrailEnd end;
  for (const std::int64_t wall : {2'000'000'000, 1'000'000'000, 0}) {
    LineFrame frame;
    frame.seq = end.seq + 1;
    frame.previous = end.previous;
    frame.chain = end.chain;
    frame.wall_ns = wall;
    frame.boot_ms = static_cast<std::uint64_t>(wall) / 1000;
    frame.boot_id = std::to_string(wall);
    const std::string line = audit_line(Event{}, frame);
    end = end_after(end, line);
    content += line + "\n";
  }
  EXPECT_TRUE(verify_chain(content).is_whole());
}

TEST(Chain, TornBytesAreKeptAndVouchedFor) {
  std::string content = three_lines() + "{\"half";
  EXPECT_FALSE(verify_chain(content).is_whole()) << "nothing vouches for it yet";
  append_to(content, "d");
  ASSERT_TRUE(verify_chain(content).is_whole());
  content.replace(content.find("{\"half\n"), 6, "{\"hole");
  EXPECT_FALSE(verify_chain(content).is_whole());
}

TEST(Chain, ALineThatLostOnlyItsNewlineIsWhole) {
  std::string content = three_lines();
  content.pop_back();
  const TrailEnd end = read_trail_end(content);
  EXPECT_TRUE(end.needs_newline);
  EXPECT_TRUE(end.torn.empty());
}

}  // namespace
}  // namespace nohalt::policy
