// Which texts hide, which do not; whole ones and cut ones.
#include "policy/redaction/value_rules.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include "policy/redaction/card_numbers.h"
#include "policy/redaction/prefix_pattern.h"

namespace nohalt::policy {
namespace {

RedactedText redact_text(std::string_view text) { return ValueRules::builtin().redact(text); }
std::string cut(std::string_view text) {
  return ValueRules::builtin().redact(text, Ending::kCut).text;
}

TEST(RedactionValues, HidesCardNumbersGroupedOrNot) {
  for (const char* card :
       {"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "378282246310005",
        "3782 822463 10005", "5555555555554444", "6011111111111117", "4222 222 222 222",
        "30569309025904", "4222222222222"}) {
    const RedactedText redacted = redact_text(std::string{"paid with "} + card + ", thanks");
    EXPECT_EQ(redacted.text, "paid with [redacted:payment-card], thanks") << card;
    EXPECT_EQ(redacted.counts.at("payment-card"), 1U);
  }
}

TEST(RedactionValues, FindsACardBesideOtherNumbers) {
  EXPECT_EQ(redact_text("order 17 4111 1111 1111 1111 7").text,
            "order 17 [redacted:payment-card] 7");
  EXPECT_EQ(redact_text("1-4111111111111111-4111111111111111").text,
            "1-[redacted:payment-card]-[redacted:payment-card]");
  EXPECT_EQ(redact_text("v1.4111 1111 1111 1111, .4111111111111111").text,
            "v1.[redacted:payment-card], .[redacted:payment-card]");
  for (const std::string before : {"user.7.", "v1.", "pan=4.", "1.5.", "a0.", "1.0.", "20."})
    EXPECT_EQ(redact_text(before + "4111111111111111").text, before + "[redacted:payment-card]");
  EXPECT_EQ(redact_text("0.4111111111111111.2").text, "0.[redacted:payment-card].2");
  EXPECT_EQ(cut("user.7.4111111111"), "[redacted:email?]");
  EXPECT_EQ(redact_text("41111111 11111111").text, "[redacted:payment-card]");
  EXPECT_EQ(redact_text("403650 3000044 0x7f15ae403650").text,
            "[redacted:payment-card] 0x7f15ae403650");
}

TEST(RedactionValues, LeavesOtherNumbersAlone) {
  for (const char* text :
       {"4111111111111112",                           // bad check digit
        "1732185330000000006",                        // a time in ns
        "41111111111111111111",                       // 20 digits
        "4111  1111 1111 1111",                       // two spaces: not one number
        "0000000000000000",                           // good check digit, no issuer
        "0x7f15ae403650 3000044",                     // an address beside a number
        "0x403650 3000044", "4 17 1234 5678 9012 4",  // small ones in a row
        "45 11 11 11 11 11 11 17", "ratio 0.4532015112830366", "-0.4111111111111111e3",
        "678.4976194816705", "-1.4111111111111111e-05", "451 111 111 111 111 117",
        "450 111 111 111 111 111", "order 17, total 1234.50 at 10:15:30.000000001"})
    EXPECT_EQ(redact_text(text).text, text);
}

TEST(RedactionValues, LongRunsOfDigitsTakeLinearTime) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "1 ";
  EXPECT_EQ(redact_text(text).text, text);
}

TEST(RedactionValues, HidesTokensAndMailAddresses) {
  EXPECT_EQ(redact_text("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_x;").text,
            "Bearer [redacted:jwt];");
  EXPECT_EQ(redact_text("to a.b+c@mail.example.org!").text, "to [redacted:email]!");
  EXPECT_EQ(redact_text("to \xff\xfe"
                        "a@example.org")
                .text,
            "to [redacted:email]");
  for (const char* text : {"user@host", "a @ b.c", "eyJhbGciOiJIUzI1NiJ9", "@example.org"})
    EXPECT_EQ(redact_text(text).text, text);
}

TEST(RedactionValues, HidesKeysOfKnownForms) {
  for (const char* key : {"AKIAIOSFODNN7EXAMPLE", "AIzaSyA1234567890abcdefghijklmnopqrstuv",
                          "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "glpat-abcdefghij0123456789",
                          "xoxb-123456789012-abcdef", "sk_live_abcdefghij0123456789"})
    EXPECT_EQ(redact_text(std::string{"key="} + key + "!").text, "key=[redacted:cloud-key]!")
        << key;
  EXPECT_EQ(redact_text("Authorization: Basic dXNlcjpwYXNzd29yZA==").text,
            "Authorization: Basic [redacted:bearer-token]");
  EXPECT_EQ(redact_text("x -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc+/=\n"
                        "-----END RSA PRIVATE KEY----- y")
                .text,
            "x [redacted:private-key] y");
  EXPECT_EQ(redact_text("-----BEGIN PRIVATE KEY-----\nMIIE").text, "[redacted:private-key]");
  for (const char* text : {"bearer of good news", "-----BEGIN CERTIFICATE-----", "AKIA",
                           "a basic "
                           "internationalization",
                           "ghp_short", "task_list_abcdefghijklmnopqrst"})
    EXPECT_EQ(redact_text(text).text, text);
}

TEST(RedactionValues, RandomTextIsHiddenOnlyWhereAsked) {
  const std::string key = "q7Rz0LmX2vTn8KcB4yHd1WfJ";
  EXPECT_EQ(redact_text(key).text, key);
  ValueRules rules = ValueRules::builtin();
  ASSERT_TRUE(rules.add("high-entropy"));
  EXPECT_EQ(rules.redact("k " + key + ".").text, "k [redacted:high-entropy].");
  EXPECT_EQ(rules.redact("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08").text,
            "[redacted:high-entropy]");
  for (const char* text : {"/usr/lib/x86_64-linux-gnu/libstdc++", "processCommandAndResetClient",
                           "2026-11-21T10:00:00", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                           "00000000000000000000000000000000000000"})
    EXPECT_EQ(rules.redact(text).text, text);
}

TEST(RedactionValues, PatternsOfAPolicyHideTheirGroup) {
  ValueRules rules = ValueRules::builtin();
  ASSERT_TRUE(rules.add("our-key", "ok_[A-Za-z0-9]{24}"));
  ASSERT_TRUE(rules.add("pin", "pin=([0-9]{4})"));
  const auto redacted = rules.redact("ok_abcdefghijklmnopqrstuvwx pin=1234");
  EXPECT_EQ(redacted.text, "[redacted:our-key] pin=[redacted:pin]");
  EXPECT_EQ(redacted.counts.at("pin"), 1U);
}

TEST(RedactionValues, TwoPatternsOfOneNameBothHoldAndTheSameOneCountsOnce) {
  ValueRules rules;
  ASSERT_TRUE(rules.add("pin", "pin=[0-9]{4}"));
  ASSERT_TRUE(rules.add("pin", "PIN:[0-9]{4}"));
  ASSERT_TRUE(rules.add("pin", "pin=[0-9]{4}", Action::kDrop));
  EXPECT_EQ(rules.names().size(), 2U);
  EXPECT_EQ(rules.redact("pin=1234 PIN:1234").text, " [redacted:pin]");
}

TEST(RedactionValues, NamesOfThingsAreNotTakenForRandomSecrets) {
  ValueRules rules = ValueRules::builtin();
  ASSERT_TRUE(rules.add("high-entropy"));
  ASSERT_TRUE(rules.add("our-key", "ok_[a-z]{8}"));
  const std::string id = "0123456789abcdef0123456789abcdef01234567";
  EXPECT_NE(rules.redact(id).text, id);
  EXPECT_EQ(rules.for_names().redact(id + " ok_abcdefgh").text, id + " [redacted:our-key]");
}

TEST(RedactionValues, MistakesInRulesAreNamed) {
  ValueRules rules = ValueRules::builtin();
  EXPECT_EQ(rules.add("paymentcard").error().reason, "unknown-value-rule");
  EXPECT_EQ(rules.add("jwt", "x").error().reason, "rule-exists");
  EXPECT_EQ(rules.add("a", "(").error().reason, "bad-pattern");
  EXPECT_EQ(rules.add("a", "x*").error().reason, "bad-pattern");
  EXPECT_EQ(rules.add("a", "(a)\\1").error().reason, "bad-pattern");
}

TEST(RedactionValues, MatchesThatOverlapAreHiddenAsOne) {
  ValueRules rules;
  ASSERT_TRUE(rules.add("left", "abcd"));
  ASSERT_TRUE(rules.add("right", "cdef"));
  const auto redacted = rules.redact("xabcdefx");
  EXPECT_EQ(redacted.text, "x[redacted:left]x");
}

TEST(RedactionValues, EqualSecretsHaveEqualHashesUnderOneKeyOnly) {
  ValueRules rules;
  ASSERT_TRUE(rules.add("email", Action::kHash));
  const HashKey one;
  const HashKey other;
  const auto at = [&](const char* mail, const HashKey* key) {
    return rules.redact(mail, Ending::kWhole, key).text;
  };
  EXPECT_EQ(at("a@example.org", &one), at("a@example.org", &one));
  EXPECT_NE(at("a@example.org", &one), at("b@example.org", &one));
  EXPECT_NE(at("a@example.org", &one), at("a@example.org", &other));
  EXPECT_EQ(at("a@example.org", nullptr), "[redacted:email]");
  EXPECT_EQ(at("a@example.org", &one).size(), std::string("[redacted:email:0123456789ab]").size());
}

TEST(RedactionValues, WhatIsDroppedLeavesNoMark) {
  ValueRules rules;
  ASSERT_TRUE(rules.add("email", Action::kDrop));
  const auto redacted = rules.redact("to a@example.org now");
  EXPECT_EQ(redacted.text, "to  now");
  EXPECT_EQ(redacted.counts.at("email"), 1U);
}

TEST(RedactionValues, ACutTextHidesWhatCouldHaveBecomeAMatch) {
  EXPECT_EQ(cut("paid with 4111 1111 11"), "paid with [redacted:payment-card?]");
  EXPECT_EQ(cut("4111 1111 1111 "), "[redacted:payment-card?]");
  EXPECT_EQ(find_cut_card("17 4111-1111-"), 3U);
  EXPECT_EQ(find_cut_card("ratio 0.45320151128"), std::nullopt);
  EXPECT_EQ(cut("token eyJhbGciOi"), "token [redacted:jwt?]");
  EXPECT_EQ(cut("to alice.b"), "to [redacted:email?]");
  EXPECT_EQ(cut("to alice@exam"), "to [redacted:email?]");
  EXPECT_EQ(cut("id AKIAIOSFO"), "id [redacted:cloud-key?]");
  EXPECT_EQ(cut("-----BEGIN PRIV"), "[redacted:private-key?]");
  EXPECT_EQ(cut("a@example.org, b"), "[redacted:email], b");
  for (const char* text :
       {"order 17, ", "99.5%, ", "(4111) ", "at 9999999999: ", "4 5 11 17 1 1 23 4 "})
    EXPECT_EQ(cut(text), text);
}

// Every beginning of every text that a pattern matches, by the way of RE2 itself.
TEST(PrefixPattern, MatchesEveryBeginning) {
  struct Case {
    const char* pattern;
    std::vector<std::string> matches;
  };
  const std::vector<Case> cases = {
      {"ok_[A-Za-z0-9]{4}", {"ok_ab12"}},
      {"a(?:bc|de)+f?", {"abcdebcf", "ade"}},
      {"(?i)key=([0-9]{2,4})x", {"KeY=123x", "key=12x"}},
      {"(?P<n>ab){2}c{0,3}d", {"ababd", "ababcccd"}},
      {"[]a^-]{3}\\x41\\.z", {"]^-A.z"}},
      {"[^[:digit:]\\]]x\\d\\pL", {"ax5q"}},
      {"^a.*b$", {"a12b", "ab"}},
      {"x{2,}y*?z", {"xxxxyyz", "xxz"}},
      {"\\ba(|b|cd)e\\b", {"ae", "acde"}},
  };
  for (const Case& one : cases) {
    const RE2 whole(one.pattern);
    const auto beginnings = prefix_pattern(one.pattern);
    ASSERT_TRUE(beginnings) << one.pattern;
    const RE2 prefix(*beginnings);
    ASSERT_TRUE(prefix.ok()) << *beginnings;
    for (const std::string& text : one.matches) {
      ASSERT_TRUE(RE2::FullMatch(text, whole)) << one.pattern << " " << text;
      for (std::size_t size = 0; size <= text.size(); ++size)
        EXPECT_TRUE(RE2::FullMatch(text.substr(0, size), prefix))
            << one.pattern << " " << text.substr(0, size);
      EXPECT_FALSE(RE2::FullMatch("~" + text, prefix)) << one.pattern;
    }
  }
}

TEST(PrefixPattern, WhatItCannotReadIsNotGuessed) {
  for (const char* pattern : {"a\\Qb\\E", "(a", "a)", "*a", "(?<x>a)", "[a", "a**"})
    EXPECT_FALSE(prefix_pattern(pattern)) << pattern;
  ValueRules rules;
  ASSERT_TRUE(rules.add("own", "\\Qabcd\\Eefgh"));
  EXPECT_EQ(rules.redact("some text", Ending::kCut).text, "[redacted:own?]");
}

TEST(ValueRules, NoBeginningOfAMatchCanBeTestedFor) {
  using Place = ValueRules::Place;
  const ValueRules rules = ValueRules::builtin();
  for (const char* secret : {"4111111111111111", "4111 1111 1111 1111", "alice@example.com",
                             "AKIAABCDEFGHIJKLMNOP", "eyJhbGciOiJIUzI1NiJ9.e30.abc",
                             "bearer abcdefghijklmnopqrst", "-----BEGIN PRIVATE KEY-----"})
    for (const std::string before : {"", "user:", "a=", "\"", "x "})
      for (std::size_t size = 1; size <= std::string_view(secret).size(); ++size) {
        const std::string part = before + std::string(secret).substr(0, size);
        EXPECT_TRUE(rules.may_tell(part, Place::kBeginning)) << part;
      }
  for (const char* harmless : {"user:", "GET /", "/api/v1/", "{\"id\":", "a, ", "cart(", "x=\""})
    EXPECT_FALSE(rules.may_tell(harmless, Place::kBeginning)) << harmless;
}

TEST(ValueRules, NoPartOfAMatchCanBeSearchedFor) {
  using Place = ValueRules::Place;
  ValueRules rules = ValueRules::builtin();
  ASSERT_TRUE(rules.add("high-entropy"));
  for (const std::string secret :
       {"4111 1111-1111 1111", "alice@example.com", "AKIAABCDEFGHIJKLMNOP", "e30.abc_",
        "-----BEGIN PRIVATE KEY-----\nMII=", "\xc3\xa9@b.de", "aB3+/_-"})
    for (std::size_t at = 0; at < secret.size(); ++at)
      for (const std::string& part : {secret.substr(at, 1), "(" + secret.substr(0, at + 1),
                                      secret.substr(at) + ")", secret.substr(at)})
        EXPECT_TRUE(rules.may_tell(part, Place::kAnywhere)) << part;
  EXPECT_TRUE(rules.may_tell("(4111111111111111)", Place::kAnywhere));
  for (const char* harmless : {"(timeout)", "\"error\"", "<b>", "[1]", "?q&", "(411)"})
    EXPECT_FALSE(rules.may_tell(harmless, Place::kAnywhere)) << harmless;
}

TEST(ValueRules, APatternOfAPolicyCountsForTestsToo) {
  using Place = ValueRules::Place;
  ValueRules rules;
  EXPECT_FALSE(rules.may_tell("anything", Place::kAnywhere));
  ASSERT_TRUE(rules.add("own", "(?i)q[^x]{2}\\("));
  for (const char* part : {"<q", "Q!", "(", "!q1"})
    EXPECT_TRUE(rules.may_tell(part, Place::kAnywhere)) << part;
  EXPECT_TRUE(rules.may_tell("<Q", Place::kBeginning));
  EXPECT_FALSE(rules.may_tell("<r", Place::kBeginning));
  ValueRules digits;
  ASSERT_TRUE(digits.add("own", "id-\\d{4}"));
  EXPECT_FALSE(digits.may_tell("apple", Place::kAnywhere));
  EXPECT_TRUE(digits.may_tell("apples and i", Place::kAnywhere));
  EXPECT_TRUE(digits.may_tell("7 apples", Place::kAnywhere));
  EXPECT_TRUE(digits.may_tell("<id-1234>", Place::kAnywhere));
  ValueRules unread;
  ASSERT_TRUE(unread.add("own", "\\Qabcd\\E"));
  EXPECT_TRUE(unread.may_tell("<", Place::kAnywhere));
  EXPECT_TRUE(unread.may_tell("<", Place::kBeginning));
}

}  // namespace
}  // namespace nohalt::policy
