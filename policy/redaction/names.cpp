// Taking a name apart is most of it. Capitals are ambiguous where a run of
// them meets small letters: APIKey is API+Key, but PASSWORDhash is
// PASSWORD+hash. Both readings are tried, and either may match.
#include "policy/redaction/names.h"

#include <algorithm>
#include <utility>

#include "policy/access/glob.h"

namespace nohalt::policy {

namespace {

enum class Kind { kLower, kUpper, kOther };

// Where a run of capitals followed by a small letter is cut.
enum class Reading { kLastCapitalStartsWord, kCapitalsAreAWord };

Kind kind_of(char c) {
  if (c >= 'A' && c <= 'Z') return Kind::kUpper;
  // Letters beyond ASCII are never a boundary, so that they cannot split a word.
  if ((c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80) return Kind::kLower;
  return Kind::kOther;
}

// True where a word that holds text[i - 1] ends before text[i].
bool starts_word(std::string_view text, std::size_t i, Reading reading) {
  const Kind before = kind_of(text[i - 1]);
  const Kind here = kind_of(text[i]);
  if (before == Kind::kLower && here == Kind::kUpper) return true;
  const bool in_capitals = before == Kind::kUpper;
  if (reading == Reading::kLastCapitalStartsWord)
    return in_capitals && here == Kind::kUpper && i + 1 < text.size() &&
           kind_of(text[i + 1]) == Kind::kLower;
  return in_capitals && here == Kind::kLower && i >= 2 && kind_of(text[i - 2]) == Kind::kUpper;
}

std::vector<std::string> words_of(std::string_view text, Reading reading) {
  std::vector<std::string> words;
  bool open = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (kind_of(c) == Kind::kOther) {
      open = false;
      continue;
    }
    if (!open || starts_word(text, i, reading)) words.emplace_back();
    open = true;
    words.back() += kind_of(c) == Kind::kUpper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return words;
}

// A plural counts as its singular.
bool spells(std::string_view run, std::string_view joined) {
  return run == joined ||
         (run.size() == joined.size() + 1 && run.ends_with('s') && run.starts_with(joined));
}

bool any_run_spells(const std::vector<std::string>& words, std::string_view joined) {
  for (std::size_t first = 0; first < words.size(); ++first) {
    std::string run;
    for (std::size_t last = first; last < words.size(); ++last) {
      run += words[last];
      if (spells(run, joined)) return true;
      if (run.size() > joined.size()) break;
    }
  }
  return false;
}

}  // namespace

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
  const auto one = words_of(path, Reading::kLastCapitalStartsWord);
  const auto other = words_of(path, Reading::kCapitalsAreAWord);
  for (const NameRule& rule : names_)
    if (any_run_spells(one, rule.joined) || any_run_spells(other, rule.joined)) return &rule;
  return nullptr;
}

const HideRule* RedactionRules::match_type(std::string_view name) const {
  for (const HideRule& rule : types_)
    if (type_matches(rule.pattern, name)) return &rule;
  return nullptr;
}

const HideRule* RedactionRules::match_source(std::string_view path) const {
  for (const SourceRule& rule : sources_) {
    const std::string place = place_in_tree(path, rule.source_root);
    if (place.empty() || denies_place(rule.pattern, place)) return &rule;
  }
  return nullptr;
}

}  // namespace nohalt::policy
