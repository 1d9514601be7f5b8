// Which names hide, which do not.
#include <gtest/gtest.h>

#include "policy/redaction/names.h"

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

}  // namespace
}  // namespace nohalt::policy
