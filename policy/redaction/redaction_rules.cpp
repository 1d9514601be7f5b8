#include "policy/redaction/redaction_rules.h"

#include <utility>

#include "policy/access/glob.h"
#include "policy/redaction/names.h"

namespace nohalt::policy {

RedactionRules::RedactionRules(const std::vector<std::string>& rules) {
  for (const std::string& words : rules) add_name({words});
}

void RedactionRules::add_name(HideRule rule) {
  std::string joined = rule.pattern;
  std::erase(joined, ' ');
  if (!joined.empty()) names_.push_back({std::move(rule), std::move(joined)});
}

void RedactionRules::add_type(HideRule rule) { types_.push_back(std::move(rule)); }

void RedactionRules::add_source(HideRule rule, const std::string& source_root) {
  sources_.push_back({std::move(rule), source_root});
}

void RedactionRules::set_strict(std::string where) {
  if (!strict_) strict_ = HideRule{"strict", std::move(where)};
}

void RedactionRules::drop_all() {
  const auto drop = [](auto& rules) {
    for (HideRule& rule : rules) rule.is_dropped = true;
  };
  drop(names_);
  drop(types_);
  drop(sources_);
  if (strict_) strict_->is_dropped = true;
}

RedactionRules RedactionRules::builtin() {
  return RedactionRules({"password",
                         "passwd",
                         "passphrase",
                         "passcode",
                         "pwd",
                         "secret",
                         "token",
                         "ssn",
                         "api key",
                         "private key",
                         "access key",
                         "signing key",
                         "session key",
                         "encryption key",
                         "credential",
                         "creds",
                         "auth",
                         "authorization",
                         "bearer",
                         "cookie",
                         "jwt",
                         "otp",
                         "cvv",
                         "cvc",
                         "credit card",
                         "card number",
                         "social security"});
}

const HideRule* RedactionRules::match_name(std::string_view path) const {
  const NameWords words(path);
  for (const NameRule& rule : names_)
    if (words.spell(rule.joined)) return &rule;
  return nullptr;
}

const HideRule* RedactionRules::match_type(std::string_view name) const {
  for (const HideRule& rule : types_)
    if (type_matches(rule.pattern, name)) return &rule;
  return nullptr;
}

const HideRule* RedactionRules::match_source(std::string_view path) const {
  for (const SourceRule& rule : sources_) {
    const Place place = place_in_tree(path, rule.source_root);
    if (place.path.empty() || denies_place(rule.pattern, place)) return &rule;
  }
  return nullptr;
}

}  // namespace nohalt::policy
