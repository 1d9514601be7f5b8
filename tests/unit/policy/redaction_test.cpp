// Which names hide, which do not; which texts hide, which do not.
#include <gtest/gtest.h>

#include "policy/redaction/names.h"
#include "policy/redaction/values.h"

namespace nohalt::policy {
namespace {

TEST(RedactionNames, HidesSecretsHoweverTheyAreSpelled) {
  const RedactionRules rules = RedactionRules::builtin();
  for (const char* name :
       {"password",      "PASSWORD",     "Password",     "user_password", "userPassword",
        "m_passwd",      "mPasswd",      "_passwd",      "__password__",  "password2",
        "password_1",    "old2password", "passwords",    "pass_word",     "dbPASSWORD",
        "PASSWORDhash",  "szPassword",   "k_secret",     "kSecret",       "secrets",
        "client_secret", "token",        "apiToken",     "API_TOKEN",     "tokens",
        "access_token_", "api_key",      "apiKey",       "APIKey",        "apikey",
        "APIKEY",        "m_apiKeys",    "x_api_key_id", "ApiKeyValue",   "private_key",
        "privateKey",    "PrivateKEY",   "privatekey",   "ssn",           "userSSN",
        "SSNValue",      "ssn4",         "credential",   "credentials",   "auth",
        "auth_header",   "authHeader",   "httpAuth",     "authorization", "pwd",
        "cookie",        "oauth2_token", "g_jwt"})
    EXPECT_TRUE(rules.matches_name(name)) << name;
}

TEST(RedactionNames, LeavesNearMissesAlone) {
  const RedactionRules rules = RedactionRules::builtin();
  for (const char* name : {"author",
                           "authors",
                           "authority_id",
                           "tokenizer",
                           "tokenize",
                           "secretary",
                           "passenger",
                           "pass",
                           "passed",
                           "password_less" + 9,
                           "compass",
                           "key",
                           "keys",
                           "api",
                           "api_version",
                           "keyapi",
                           "key_api",
                           "private",
                           "private_keyboard",
                           "m_private",
                           "ssnx",
                           "assn",
                           "classn",
                           "mssn",
                           "passwdx",
                           "accessKind",
                           "cookies_crumble" + 8,
                           "total",
                           "id",
                           "",
                           "_",
                           "42",
                           "cards",
                           "number",
                           "wordpass"})
    EXPECT_FALSE(rules.matches_name(name)) << name;
}

TEST(RedactionNames, AnyPartOfAPathHidesTheWhole) {
  const RedactionRules rules = RedactionRules::builtin();
  EXPECT_EQ(rules.match_name("order->customer.m_passwd[3]"), "passwd");
  EXPECT_EQ(rules.match_name("credentials->user"), "credential");
  EXPECT_EQ(rules.match_name("len(req.api.key)"), "api key");
  EXPECT_EQ(rules.match_name("a[i].token + 1"), "token");
  EXPECT_FALSE(rules.match_name("order->customer.name[3]"));
}

TEST(RedactionNames, LettersBeyondAsciiAreNoBoundary) {
  const RedactionRules rules = RedactionRules::builtin();
  EXPECT_FALSE(rules.matches_name("t\xc3\xb6ssn"));
  EXPECT_TRUE(rules.matches_name("t\xc3\xb6_ssn"));
}

TEST(RedactionNames, RulesOfAPolicyMatchTheSameWay) {
  const RedactionRules rules({"date of birth", ""});
  EXPECT_TRUE(rules.matches_name("m_dateOfBirth"));
  EXPECT_TRUE(rules.matches_name("dateofbirth"));
  EXPECT_FALSE(rules.matches_name("date_of_delivery"));
}

TEST(RedactionValues, HidesCardNumbersGroupedOrNot) {
  for (const char* card : {"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111",
                           "378282246310005", "3782 822463 10005", "5555555555554444",
                           "6011111111111117", "30569309025904", "4222222222222"}) {
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
}

TEST(RedactionValues, LeavesOtherNumbersAlone) {
  for (const char* text : {"4111111111111112",      // bad check digit
                           "1732185330000000006",   // a time in ns
                           "41111111111111111111",  // 20 digits
                           "4111  1111 1111 1111",  // two spaces: not one number
                           "0000000000000000",      // good check digit, no issuer
                           "order 17, total 1234.50 at 10:15:30.000000001"})
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

}  // namespace
}  // namespace nohalt::policy
