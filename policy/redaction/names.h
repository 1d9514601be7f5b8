// Names as rules see them: as words.
//
// A name is taken apart into words at underscores, dots, arrows, digits and changes of
// case, and a rule matches where the words of a run, written together, spell it. So
// `api key` matches api_key, apiKey, APIKey, apikey and m_apiKeys, and `auth` matches
// auth_header but not author.
//
// Threading: immutable once built.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nohalt::policy {

class NameWords {
 public:
  // Of a name, or an expression such as `order->customer.m_passwd[3]`.
  explicit NameWords(std::string_view name);

  // Whether a run of them, written together, is `joined` or its plural.
  [[nodiscard]] bool spell(std::string_view joined) const;

 private:
  // Capitals can be read in two ways.
  std::vector<std::string> one_;
  std::vector<std::string> other_;
};

}  // namespace nohalt::policy
