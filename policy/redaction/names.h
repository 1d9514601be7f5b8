// Which names stand for secrets. A rule is a word or a run of words ("api
// key"); a name is taken apart into words at underscores, dots, arrows, digits
// and changes of case, and a rule matches where the words of a run, written
// together, spell it. So `api key` matches api_key, apiKey, APIKey, apikey and
// m_apiKeys, and `auth` matches auth_header but not author.
//
// Errs towards hiding: any part of a path that matches hides the whole
// (credentials->user is hidden by `credentials`).
// Threading: immutable; pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nohalt::policy {

class RedactionRules {
 public:
  // The targeted rules that always hold.
  [[nodiscard]] static RedactionRules builtin();

  // Each rule: words separated by spaces, in lower case.
  explicit RedactionRules(const std::vector<std::string>& rules);

  void add(const std::string& words);

  // The rule that hides the path (a name, or an expression such as
  // `order->customer.m_passwd[3]`), in its own words; absent: none does.
  [[nodiscard]] std::optional<std::string_view> match_name(std::string_view path) const;
  [[nodiscard]] bool matches_name(std::string_view path) const {
    return match_name(path).has_value();
  }

 private:
  struct Rule {
    std::string words;   // as it is written, for people
    std::string joined;  // its letters without spaces
  };
  std::vector<Rule> rules_;
};

}  // namespace nohalt::policy
