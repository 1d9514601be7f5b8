// Records as people look for them.
#include "policy/audit/entry.h"

#include <gtest/gtest.h>

#include "policy/audit/line.h"

namespace nohalt::policy {
namespace {

AuditEntry entry() {
  Event event;
  event.kind = EventKind::kArmed;
  event.run = "r";
  event.who.uid = 1000;
  event.who.user = "alice";
  event.target = TargetFacts{{42, 7}, {}, {}, 0, 0, "/usr/bin/orders", "be", {}, {}};
  event.locations = {"place_order"};
  event.places = {"/build/src/orders.c:142"};
  event.ticket = "INC-1";
  event.bytes = 1ULL << 60;
  LineFrame frame;
  frame.seq = 3;
  frame.wall_ns = 1'000'000'000;
  frame.previous = frame.chain = std::string(64, '0');
  return parse_entry(audit_line(event, frame)).value();
}

TEST(AuditEntry, HasWhatItsLineHas) {
  const AuditEntry found = entry();
  EXPECT_EQ(found.seq, 3U);
  EXPECT_EQ(found.event, "armed");
  EXPECT_EQ(found.user, "alice");
  EXPECT_EQ(found.pid, 42U);
  EXPECT_EQ(found.exe, "/usr/bin/orders");
  EXPECT_EQ(found.bytes, 1ULL << 60) << "beyond what JSON numbers hold";
  EXPECT_FALSE(found.records);
}

TEST(AuditEntry, OfALineThatIsNoRecordIsNone) {
  EXPECT_FALSE(parse_entry(""));
  EXPECT_FALSE(parse_entry("{}"));
  EXPECT_FALSE(parse_entry("\xff"));
}

TEST(AuditFilter, TakesWhatMatchesInAllThatIsGiven) {
  const AuditEntry found = entry();
  const auto matches = [&](auto set) {
    AuditFilter filter;
    set(filter);
    return filter.matches(found);
  };
  EXPECT_TRUE(matches([](auto&) {}));
  EXPECT_TRUE(matches([](auto& f) { f.user = "alice"; }));
  EXPECT_TRUE(matches([](auto& f) { f.user = "1000"; }));
  EXPECT_FALSE(matches([](auto& f) { f.user = "bob"; }));
  EXPECT_TRUE(matches([](auto& f) { f.pid = 42; }));
  EXPECT_FALSE(matches([](auto& f) { f.pid = 43; }));
  EXPECT_TRUE(matches([](auto& f) { f.exe = "orders"; }));
  EXPECT_TRUE(matches([](auto& f) { f.exe = "/usr/bin/orders"; }));
  EXPECT_FALSE(matches([](auto& f) { f.exe = "rders"; }));
  EXPECT_TRUE(matches([](auto& f) { f.ticket = "INC-1", f.run = "r", f.event = "armed"; }));
  EXPECT_FALSE(matches([](auto& f) { f.ticket = "INC-1", f.run = "x"; }));
  EXPECT_TRUE(matches([](auto& f) { f.since = "1970-01-01T00:00:01.000000000Z"; }));
  EXPECT_FALSE(matches([](auto& f) { f.until = "1970-01-01T00:00:01.000000000Z"; }));
  EXPECT_TRUE(matches([](auto& f) { f.place = "orders.c:142"; }));
  EXPECT_TRUE(matches([](auto& f) { f.place = "place_order"; }));
  EXPECT_FALSE(matches([](auto& f) { f.place = "orders.c:14"; }));
}

TEST(AuditFilter, PlacesAreTheSameWhereOnePathEndsInTheOther) {
  EXPECT_TRUE(is_same_place("a/b.c:1", "b.c:1"));
  EXPECT_TRUE(is_same_place("b.c:1", "/x/a/b.c:1"));
  EXPECT_FALSE(is_same_place("a/b.c:1", "c/b.c:1"));
  EXPECT_FALSE(is_same_place("ab.c:1", "b.c:1"));
  EXPECT_FALSE(is_same_place("b.c:1", "b.c:11"));
}

}  // namespace
}  // namespace nohalt::policy
