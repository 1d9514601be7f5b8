// The text of a snapshot: as a debugger would show it, whatever the record holds.
#include <gtest/gtest.h>

#include "src/base/escape.h"
#include "src/output/forms.h"
#include "tests/unit/output/samples.h"

namespace nohalt::output {
namespace {

constexpr const char* kPoint =
    R"({"x":{"type":"int","kind":"integer","value":3},"y":{"type":"int","state":"unreadable","why":"gone"}})";

Value value(const char* name, const char* type, const char* kind, const char* json,
            const char* role = "local") {
  Value value;
  value.name = name;
  value.type = type;
  value.kind = kind;
  value.json = json;
  value.role = role;
  return value;
}

Hit snapshot() {
  Hit hit = sample_hit();
  hit.is_snapshot = true;
  hit.message.clear();
  hit.values = {value("count", "int", "integer", "17", "argument"),
                value("name", "char *", "text", R"("a\"b")"),
                value("at", "struct point", "struct", kPoint)};
  Value gone = value("gone", "double", "", "");
  gone.state = "optimized_out";
  gone.why = "available at line 7";
  hit.values.push_back(gone);
  return hit;
}

std::string text_of(const Hit& hit, bool types = false) {
  return record_text(hit_json(sample_origin(), hit), {false, types}).value_or("nothing");
}

TEST(SnapshotText, ShowsArgumentsThenLocals) {
  EXPECT_EQ(text_of(snapshot()),
            "1970-01-01T00:00:01.000000001Z worker[4712] place  orders.c:142\n"
            "  arguments\n"
            "    count = 17\n"
            "  locals\n"
            "    name = \"a\\\"b\"\n"
            "    at = {x = 3, y = <unreadable: gone>}\n"
            "    gone = <optimized out: available at line 7>\n");
}

TEST(SnapshotText, ShowsANullTextAsItsAddressAlone) {
  Hit hit = snapshot();
  Value null = value("null", "char *", "pointer", R"("0x0")");
  null.state = "unreadable";
  null.why = "null is null";
  Value lost = null;
  lost.name = "lost";
  lost.json = R"("0x10")";
  lost.why = "the memory at lost cannot be read";
  hit.values = {null, lost};
  const std::string text = text_of(hit);
  EXPECT_NE(text.find("null = 0x0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("lost = 0x10 <unreadable: the memory at lost"), std::string::npos) << text;
}

TEST(SnapshotText, ShowsTypesOnRequest) {
  const std::string text = text_of(snapshot(), true);
  EXPECT_NE(text.find("(struct point) at = {(int) x = 3, (int) y = <unr"), std::string::npos)
      << text;
}

TEST(SnapshotText, BreaksWhatDoesNotFitOnALine) {
  Hit hit = snapshot();
  std::string members;
  for (int i = 0; i < 12; ++i)
    members += (i == 0 ? "" : ",") + ("\"member_" + std::to_string(i)) +
               R"(":{"type":"int","kind":"integer","value":1})";
  const std::string json =
      "{\"address\":\"0x10\",\"target\":{\"type\":\"struct wide\",\"kind\":"
      "\"struct\",\"value\":{" +
      members + "}}}";
  hit.values = {value("wide", "struct wide *", "pointer", json.c_str())};
  const std::string text = text_of(hit);
  EXPECT_NE(text.find("    wide = 0x10 -> {\n      member_0 = 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("      member_11 = 1\n    }\n"), std::string::npos) << text;
}

TEST(SnapshotText, ShowsFramesAndWhereTheyEnd) {
  Hit hit = snapshot();
  hit.frames.resize(2);
  hit.frames[0].function = "inner";
  hit.frames[0].is_inlined = true;
  hit.frames[1].function = "outer";
  hit.frames[1].file = "/src/orders.c";
  hit.frames[1].line = 90;
  hit.frames[1].values = {value("n", "int", "integer", "4", "argument")};
  hit.stack_end = "stack-cut";
  hit.stack_end_why = "The stack goes on.";
  EXPECT_NE(text_of(hit).find("  stack\n"
                              "    #0  inner  (inlined)\n"
                              "    #1  outer  orders.c:90\n"
                              "           n = 4\n"
                              "    The stack goes on.\n"),
            std::string::npos)
      << text_of(hit);
}

TEST(SnapshotText, HostileTextsDriveNothing) {
  Hit hit = snapshot();
  hit.thread = hit.function = hit.file = hit.stack_end_why = kHostile;
  hit.values = {value(kHostile, kHostile, "text", R"("\u001b[2J\n\u202e")")};
  const std::string text = text_of(hit, true);
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    EXPECT_EQ(make_printable(line), line);
  }
}

TEST(SnapshotText, WhatIsNoRecordHasNone) {
  for (const char* text :
       {"", "x", "[]", "null", "7", "{}", R"({"kind":"receipt"})", R"({"kind":7})"})
    EXPECT_FALSE(record_text(text, {})) << text;
}

TEST(SnapshotText, PartsOfAnotherTypeThanTheyShouldBeAreBorne) {
  for (
      const char* text :
      {R"({"kind":"snapshot","values":7,"frames":{},"line":[]})",
       R"({"kind":"snapshot","values":{"a":7,"b":[],"c":{"role":"local","kind":"pointer","value":{}},)"
       R"("d":{"role":"local","kind":"char","value":"x"},"e":{"role":"local","value":null}},)"
       R"("frames":[7,{"values":[1]}]})"})
    EXPECT_TRUE(record_text(text, {})) << text;
}

std::string nested(int levels) {
  std::string front =
      R"({"kind":"snapshot","values":{"a":{"role":"local","kind":"struct","value":{"m":)";
  std::string back;
  for (int i = 0; i < levels; ++i) {
    front += R"({"kind":"struct","value":{"m":)";
    back += "}}";
  }
  return front + "1" + back + R"(},"type":"t","x":1}},"y":1,"z":2})";
}

TEST(SnapshotText, ATreeWithoutEndIsCut) {
  const auto text = record_text(nested(100), {});
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("..."), text->npos);
}

TEST(SnapshotText, WhatNestsDeeperThanAnyRecordIsNone) {
  EXPECT_FALSE(record_text(nested(200'000), {}));
}

TEST(SnapshotText, ABracketInATextNestsNothing) {
  const std::string text(1000, '[');
  EXPECT_TRUE(record_text(R"({"kind":"snapshot","function":"\"\\\"{)" + text + R"("})", {}));
}

TEST(SnapshotText, ABackslashOfATextIsNoEscape) {
  Hit hit = snapshot();
  hit.values = {value("own", "char *", "text", R"("a\\nb")"),
                value("line", "char *", "text", R"("a\nb")")};
  Value escaped = value("bytes", "char *", "text", R"("a\\\\\\xff")");
  escaped.bytes_escaped = true;
  hit.values.push_back(escaped);
  const std::string text = text_of(hit);
  EXPECT_NE(text.find(R"(own = "a\\nb")"), text.npos) << text;
  EXPECT_NE(text.find(R"(line = "a\nb")"), text.npos) << text;
  EXPECT_NE(text.find(R"(bytes = "a\\\xff")"), text.npos) << text;
}

TEST(SnapshotText, AContainerIsNamedShortlyConstOrNot) {
  Hit hit = snapshot();
  hit.values = {value("a", "const std::vector<int, std::allocator<int> >", "array", "[]"),
                value("b", "std::__cxx11::list<int>", "array", "[]"),
                value("c", "const queue", "array", "[]")};
  for (Value& one : hit.values) one.size = 0;
  const std::string text = text_of(hit);
  EXPECT_NE(text.find("a = std::vector (empty)"), std::string::npos) << text;
  EXPECT_NE(text.find("b = std::list (empty)"), std::string::npos) << text;
  EXPECT_NE(text.find("c = const queue (empty)"), std::string::npos) << text;
}

TEST(SnapshotText, BytesAreNotTakenForANumber) {
  Hit hit = snapshot();
  hit.values = {value("half", "_Float16", "bytes", R"("003e")")};
  EXPECT_NE(text_of(hit).find("half = <bytes 00 3e>"), std::string::npos) << text_of(hit);
}

}  // namespace
}  // namespace nohalt::output
