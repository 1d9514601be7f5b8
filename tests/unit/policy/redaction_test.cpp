// Which names hide, which do not.
#include <gtest/gtest.h>

#include "policy/redaction/redaction_rules.h"

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
  EXPECT_EQ(rules.match_name("order->customer.m_passwd[3]")->pattern, "passwd");
  EXPECT_EQ(rules.match_name("credentials->user")->pattern, "credential");
  EXPECT_EQ(rules.match_name("len(req.api.key)")->pattern, "api key");
  EXPECT_EQ(rules.match_name("a[i].token + 1")->pattern, "token");
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

}  // namespace
TEST(TypeRules, MatchWithAndWithoutNamespacesAndQualifiers) {
  RedactionRules rules({});
  rules.add_type({"Secret<*>"});
  rules.add_type({"crypto::Key"});
  for (const char* name :
       {"Secret<int>", "Secret<std::basic_string<char>>", "const Secret<int>", "a::b::Secret<c::D>",
        "volatile a::Secret<int>", "crypto::Key", "own::crypto::Key", "const volatile crypto::Key"})
    EXPECT_NE(rules.match_type(name), nullptr) << name;
  for (const char* name : {"Secrets<int>", "NotSecret<int>", "Holder<Secret<int>>", "Secret", "Key",
                           "crypto::Keys", "std::vector<crypto::Key>", ""})
    EXPECT_EQ(rules.match_type(name), nullptr) << name;
}

TEST(SourceRules, MatchBelowTheRootAndWhatIsUnknown) {
  RedactionRules rules({});
  rules.add_source({"src/auth/**", "p.yaml:3"}, "/build/orders");
  EXPECT_NE(rules.match_source("/build/orders/src/auth/login.h"), nullptr);
  EXPECT_NE(rules.match_source("/build/orders/src/x/../auth/login.h"), nullptr);
  EXPECT_NE(rules.match_source(""), nullptr);
  EXPECT_EQ(rules.match_source("/build/orders/src/orders.h"), nullptr);
  EXPECT_NE(rules.match_source("/other/src/auth/login.h"), nullptr);
  EXPECT_EQ(rules.match_source("/other/src/author/login.h"), nullptr);
}

TEST(RedactionRules, DropsOnlyWhatWasThereBefore) {
  RedactionRules rules({"password"});
  rules.drop_all();
  rules.add_name({"birth"});
  EXPECT_TRUE(rules.match_name("password")->is_dropped);
  EXPECT_FALSE(rules.match_name("birth")->is_dropped);
}

}  // namespace nohalt::policy
