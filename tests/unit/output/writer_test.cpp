// A record's whole way: the value rules hold in both forms, and the digest is
// that of what was written.
#include "src/output/writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/base/file.h"
#include "tests/unit/output/samples.h"

namespace nohalt::output {
namespace {

using std::chrono::milliseconds;

class Written : public testing::Test {
 protected:
  ~Written() override { std::remove(path_.c_str()); }

  Writer writer(session::Format format) {
    return Writer(Sink::open(path_).value(), format, false, sample_origin(),
                  policy::ValueRules::builtin(), talk_);
  }
  std::string content() const { return read_file(path_).value(); }

  std::string path_ = testing::TempDir() + "nohalt-writer-" + std::to_string(::getpid());
  Talk talk_;
};

Hit with_secrets() {
  Hit hit = sample_hit();
  hit.message = "paid by 4111 1111 1111 1111";
  hit.values = {
      {"card", "long", "exact", "", "4111111111111111", false, true},
      {"who", "user", "exact", "", R"({"mails":["a@example.org",7],"n":1})", false, false},
      {"fine", "int", "exact", "", "41", false, false}};
  return hit;
}

TEST_F(Written, ValueRulesHideInMessagesAndInsideValues) {
  for (const session::Format format : {session::Format::kJson, session::Format::kText}) {
    Writer out = writer(format);
    out.hit(with_secrets());
    ASSERT_TRUE(out.drain(milliseconds{1000}));
    EXPECT_EQ(content().find("1111"), std::string::npos) << content();
    EXPECT_EQ(content().find("example.org"), std::string::npos) << content();
    EXPECT_EQ(out.redactions().at("payment-card"), 1U);
    EXPECT_EQ(out.redactions().at("email"), 1U);
  }
}

TEST_F(Written, AHiddenValueSaysWhy) {
  Writer out = writer(session::Format::kJson);
  out.hit(with_secrets());
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  const auto values = nlohmann::json::parse(content())["values"];
  EXPECT_EQ(values["card"]["state"], "redacted");
  EXPECT_EQ(values["card"]["why"], "it looks like payment-card");
  EXPECT_EQ(values["who"]["value"]["mails"][0], "[redacted:email]");
  EXPECT_EQ(values["who"]["value"]["n"], 1);
  EXPECT_EQ(values["fine"]["state"], "exact");
}

TEST_F(Written, AMessageThatShowsAPartOfASecretIsHiddenWhole) {
  Hit hit = sample_hit();
  hit.message = "paid by 4111 11";
  hit.values = {{"card", "char [20]", "exact", "", R"("4111 1111 1111 1111")", false, true}};
  Writer out = writer(session::Format::kJson);
  out.hit(hit);
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  EXPECT_EQ(nlohmann::json::parse(content())["message"], "[redacted:payment-card]");
}

TEST_F(Written, AMessageWithOneHiddenTextTwiceKeepsTheRest) {
  Hit hit = sample_hit();
  const std::string card = "4111 1111 1111 1111";
  for (const char* name : {"a", "b"})
    hit.values.push_back({name, "char [20]", "exact", "", "\"" + card + "\"", false, true});
  hit.values.push_back({"c", "char [40]", "exact", "", "\"" + card + " of bob\"", false, true});
  hit.message = "c " + card + " of bob, a " + card + ", b " + card + " for 41";
  Writer out = writer(session::Format::kJson);
  out.hit(hit);
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  EXPECT_EQ(nlohmann::json::parse(content())["message"],
            "c [redacted:payment-card] of bob, a [redacted:payment-card], b "
            "[redacted:payment-card] for 41");
}

TEST_F(Written, AMessageThatShowsAHiddenTextOnceWholeAndOnceCutIsHidden) {
  Hit hit = sample_hit();
  hit.message = "whole 4111 1111 1111 1111, cut 4111 1111 1";
  for (const char* name : {"a", "b"})
    hit.values.push_back({name, "char [20]", "exact", "", R"("4111 1111 1111 1111")", false, true});
  Writer out = writer(session::Format::kJson);
  out.hit(hit);
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  EXPECT_EQ(nlohmann::json::parse(content())["message"], "[redacted:payment-card]");
}

TEST_F(Written, ASecretPutTogetherInTheMessageIsHiddenInItsValuesToo) {
  Hit hit = sample_hit();
  hit.message = "paid by 4111 1111 1111 1111 for 41";
  hit.values = {{"a", "char [10]", "exact", "", R"("4111 1111")", false, true},
                {"b", "char [10]", "exact", "", R"("1111 1111")", false, true},
                {"other", "int", "exact", "", "41", false, false}};
  Writer out = writer(session::Format::kJson);
  out.hit(hit);
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  const auto record = nlohmann::json::parse(content());
  EXPECT_EQ(record["message"], "paid by [redacted:payment-card] for 41");
  for (const char* name : {"a", "b"}) {
    EXPECT_EQ(record["values"][name]["state"], "redacted");
    EXPECT_FALSE(record["values"][name].contains("value"));
  }
  EXPECT_EQ(record["values"]["other"]["value"], 41);
}

TEST_F(Written, ACutTextHidesInTheMessageWhatCouldHaveBecomeASecret) {
  Hit hit = sample_hit();
  hit.message = "token eyJhbGciOi... for 7";
  hit.values = {{"token", "char *", "truncated", "", R"("eyJhbGciOi")", false, true},
                {"id", "int", "exact", "", "7", false, true}};
  Writer out = writer(session::Format::kJson);
  out.hit(hit);
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  const auto record = nlohmann::json::parse(content());
  EXPECT_EQ(record["message"], "token [redacted:jwt?]... for 7");
  EXPECT_EQ(record["values"]["token"]["value"], "[redacted:jwt?]");
  EXPECT_EQ(record["values"]["token"]["state"], "redacted");
  EXPECT_EQ(record["values"]["id"]["state"], "exact");
}

TEST_F(Written, AMessageThatShowsACutTextInAnotherFormIsHiddenWhole) {
  Hit hit = sample_hit();
  hit.message = "token eyJhb";
  hit.values = {{"token", "char *", "truncated", "", R"("eyJhbGciOi")", false, true}};
  Writer out = writer(session::Format::kJson);
  out.hit(hit);
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  EXPECT_EQ(nlohmann::json::parse(content())["message"], "[redacted:jwt?]");
}

TEST_F(Written, ValueRulesHideWhatAListOfCharactersSpells) {
  std::string bare = "[";
  std::string tree = "[";
  for (const char c : std::string("4111111111111111")) {
    bare += (bare.size() > 1 ? "," : "") + std::to_string(int{c});
    tree += (tree.size() > 1 ? "," : "") + std::string(R"({"type":"char","kind":"char","value":)") +
            std::to_string(int{c}) + "}";
  }
  Hit hit = sample_hit();
  hit.message = "paid by [52 '4', 49 '1']";
  hit.values = {{"bare", "unsigned char [16]", "exact", "", bare + "]", false, true},
                {"tree", "std::vector<char>", "exact", "", tree + "]", false, false},
                {"fine", "int [3]", "exact", "", "[52,49,49]", false, false}};
  Writer out = writer(session::Format::kJson);
  out.hit(hit);
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  const auto record = nlohmann::json::parse(content());
  EXPECT_EQ(record["message"], "[redacted:payment-card]");
  EXPECT_EQ(record["values"]["bare"]["value"], "[redacted:payment-card]");
  EXPECT_EQ(record["values"]["bare"]["state"], "redacted");
  EXPECT_EQ(record["values"]["tree"]["value"], "[redacted:payment-card]");
  EXPECT_EQ(record["values"]["fine"]["value"].size(), 3U);
}

TEST_F(Written, ValueRulesHideWhatACutOrWideListMayHaveSpelled) {
  const auto list_of = [](std::u32string_view text) {
    std::string list = "[";
    for (const char32_t c : text)
      list += (list.size() > 1 ? "," : "") + std::to_string(static_cast<std::uint32_t>(c));
    return list + "]";
  };
  Hit hit = sample_hit();
  hit.values = {
      {"cut", "std::deque<char>", "truncated", "", list_of(U"anna@exam"), false, false},
      {"wide", "std::vector<char32_t>", "exact", "", list_of(U"anna@example.com \u20ac"), false,
       false},
      {"half", "std::vector<char16_t>", "exact", "", "[97,64,98,46,99,111,32,55357]", false, false},
      {"whole", "std::deque<char>", "exact", "", list_of(U"anna@exam"), false, false}};
  Writer out = writer(session::Format::kJson);
  out.hit(hit);
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  const auto record = nlohmann::json::parse(content());
  for (const char* hidden : {"cut", "wide", "half"})
    EXPECT_EQ(record["values"][hidden]["value"], "[redacted:email]") << hidden;
  EXPECT_EQ(record["values"]["whole"]["value"].size(), 9U);
}

TEST_F(Written, EachNodeOnTheWayToWhatIsHiddenSaysSo) {
  Hit hit = sample_hit();
  hit.is_snapshot = true;
  Value user{"user", "user", "exact", "", "", false, false};
  user.kind = "struct";
  user.json = R"({"id":{"type":"int","kind":"integer","value":1},)"
              R"("card":{"type":"long","kind":"integer","value":4111111111111111},)"
              R"("type":{"type":"char *","kind":"text","value":"to al","state":"truncated"}})";
  hit.values = {user};
  Writer out = writer(session::Format::kJson);
  out.hit(hit);
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  const auto shown = nlohmann::json::parse(content())["values"]["user"];
  EXPECT_EQ(shown["state"], "redacted");
  EXPECT_EQ(shown["value"]["card"]["state"], "redacted");
  EXPECT_EQ(shown["value"]["card"]["why"], "it looks like payment-card");
  EXPECT_EQ(shown["value"]["card"]["value"], "[redacted:payment-card]");
  EXPECT_FALSE(shown["value"]["id"].contains("state"));
  EXPECT_EQ(shown["value"]["type"]["state"], "truncated");
}

TEST_F(Written, TheReceiptIsTheLastRecordAndCarriesTheSaltOfTheDigest) {
  Writer out = writer(session::Format::kJson);
  out.hit(sample_hit());
  out.receipt({});
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  const std::string all = content();
  const std::size_t end_of_hit = all.find('\n') + 1;
  const auto receipt = nlohmann::json::parse(all.substr(end_of_hit));
  EXPECT_EQ(receipt["kind"], "receipt");
  EXPECT_EQ(
      policy::sha256_hex(receipt["output_salt"].get<std::string>() + all.substr(0, end_of_hit)),
      out.digest());
}

TEST_F(Written, InTextTheFileHoldsMessagesOnly) {
  Writer out = writer(session::Format::kText);
  out.hit(sample_hit());
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  EXPECT_EQ(content().find('\n'), content().size() - 1);
}

}  // namespace
}  // namespace nohalt::output
