// All rules search the same text, so that one rule's mark never hides a match from
// another; matches that overlap are hidden as one, under the name of the first.
#include "policy/redaction/value_rules.h"

#include <re2/re2.h>
#include <sodium.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>

#include "policy/redaction/card_numbers.h"
#include "policy/redaction/entropy.h"
#include "policy/redaction/prefix_pattern.h"
#include "src/base/escape.h"

namespace nohalt::policy {

namespace {

struct Known {
  std::string_view name;
  bool is_builtin;
  const char* pattern;  // null: found by a function
};

constexpr Known kKnown[] = {
    {"private-key", true,
     R"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\sA-Za-z0-9+/=:,-]*?)"
     R"((?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z))"},
    {"jwt", true, R"(eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4})"},
    {"bearer-token", true,
     R"((?i:bearer|authorization:[ \t]*(?:basic|token))[ \t]+([A-Za-z0-9._~+/=-]{16,}))"},
    {"cloud-key", true,
     R"(\b(?:(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{35}|)"
     R"(gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,251}|)"
     R"(glpat-[A-Za-z0-9_-]{20,}|xox[abeprs]-[A-Za-z0-9-]{10,}|)"
     R"([sr]k_(?:live|test)_[A-Za-z0-9]{16,}|ya29\.[A-Za-z0-9_-]{20,}))"},
    {"email", true,
     R"([A-Za-z0-9._%+\x80-\xff-]+@[A-Za-z0-9\x80-\xff-]+(?:\.[A-Za-z0-9\x80-\xff-]+)*)"
     R"(\.[A-Za-z\x80-\xff]{2,})"},
    {"payment-card", true, nullptr},
    {"high-entropy", false, nullptr},
};

// Of a pattern with a group, what the first group matched.
std::vector<Span> find_pattern(const RE2& pattern, std::string_view text) {
  std::vector<Span> found;
  std::array<re2::StringPiece, 2> parts;
  const int wanted = pattern.NumberOfCapturingGroups() > 0 ? 2 : 1;
  const re2::StringPiece whole(text.data(), text.size());
  const auto span_of = [&](const re2::StringPiece& part) {
    const auto begin = static_cast<std::size_t>(part.data() - text.data());
    return Span{begin, begin + part.size()};
  };
  std::size_t at = 0;
  while (at < text.size() &&
         pattern.Match(whole, at, text.size(), RE2::UNANCHORED, parts.data(), wanted)) {
    const Span match = span_of(parts[0]);
    const bool has_part = wanted == 2 && parts[1].data() != nullptr;
    const Span hidden = has_part ? span_of(parts[1]) : match;
    if (hidden.end > hidden.begin) found.push_back(hidden);
    at = std::max(match.end, match.begin + 1);
  }
  return found;
}

RE2::Options options() {
  RE2::Options options(RE2::Latin1);
  options.set_log_errors(false);
  return options;
}

// Compiled when it is first asked for: of the patterns that a run has it uses few.
class LazyPattern {
 public:
  explicit LazyPattern(std::function<std::string()> text) : text_(std::move(text)) {}

  [[nodiscard]] const RE2& get() const {
    std::call_once(once_, [this] { compiled_.emplace(text_(), options()); });
    return *compiled_;
  }

 private:
  std::function<std::string()> text_;
  mutable std::once_flag once_;
  mutable std::optional<RE2> compiled_;
};

std::shared_ptr<const LazyPattern> lazily(std::function<std::string()> text) {
  return std::make_shared<const LazyPattern>(std::move(text));
}

}  // namespace

HashKey::HashKey() { ::randombytes_buf(key_.data(), key_.size()); }

std::string HashKey::hash(std::string_view text) const {
  std::array<unsigned char, 16> digest{};
  ::crypto_generichash(digest.data(), digest.size(),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       key_.data(), key_.size());
  std::array<char, 13> hex{};
  ::sodium_bin2hex(hex.data(), hex.size(), digest.data(), hex.size() / 2);
  return hex.data();
}

struct ValueRules::Rule {
  std::string name;
  std::string pattern;  // of a policy's own
  Action action = Action::kMask;
  std::function<std::vector<Span>(std::string_view)> find;
  // Where what could have become a match begins in a text that was cut.
  std::function<std::optional<std::size_t>(std::string_view)> find_cut;
  // Whether a match may begin in the text and go on behind it, however little of it that is.
  std::function<bool(std::string_view)> may_go_on;
  std::function<bool(char)> may_have;  // in a match
};

struct ValueRules::Match {
  Span span;
  const Rule* rule = nullptr;
  bool unfinished = false;  // of a cut text: may be none
};

namespace {

auto finder_of(const std::string& pattern) {
  const auto compiled = lazily([pattern] { return pattern; });
  return [compiled](std::string_view text) { return find_pattern(compiled->get(), text); };
}

// Ends where the text does, and has a beginning of a match.
std::string beginning_at_end(const std::string& pattern) {
  const auto beginnings = prefix_pattern(pattern);
  return beginnings ? "(?:" + *beginnings + ")\\z" : "(?s:.*)\\z";
}

// Of a pattern whose beginnings cannot be told, all of a cut text might be one.
std::function<std::optional<std::size_t>(std::string_view)> cut_finder_of(
    const std::string& pattern) {
  const auto compiled = lazily([pattern] { return beginning_at_end(pattern); });
  return [compiled](std::string_view text) -> std::optional<std::size_t> {
    if (!compiled->get().ok()) return 0;
    constexpr std::size_t kTellsLittle = 3;
    const auto found = find_pattern(compiled->get(), text);
    if (found.empty() || text.size() - found.front().begin <= kTellsLittle) return std::nullopt;
    return found.front().begin;
  };
}

std::function<bool(std::string_view)> beginnings_of(const std::string& pattern) {
  const auto compiled = lazily([pattern] { return beginning_at_end(pattern); });
  return [compiled](std::string_view text) {
    return !compiled->get().ok() || !find_pattern(compiled->get(), text).empty();
  };
}

std::function<bool(char)> characters_of(const std::string& pattern) {
  const auto compiled = lazily([pattern] { return character_pattern(pattern).value_or("(?s:.)"); });
  return [compiled](char c) {
    // Of a character outside of ASCII a pattern may have all bytes as one.
    return static_cast<unsigned char>(c) >= 0x80 || !compiled->get().ok() ||
           RE2::FullMatch(re2::StringPiece(&c, 1), compiled->get());
  };
}

std::optional<std::size_t> cut_run(std::string_view text) {
  const auto runs = find_random(text);
  if (runs.empty() || runs.back().end != text.size()) return std::nullopt;
  return runs.back().begin;
}

}  // namespace

ValueRules ValueRules::builtin() {
  static const ValueRules kRules = [] {
    ValueRules rules;
    for (const Known& known : kKnown)
      if (known.is_builtin) (void)rules.add(known.name);
    return rules;
  }();
  return kRules;
}

std::vector<std::string_view> ValueRules::known() {
  std::vector<std::string_view> names;
  for (const Known& known : kKnown) names.push_back(known.name);
  return names;
}

Status ValueRules::add(std::string_view known_name, Action action) {
  const auto* known = std::ranges::find(kKnown, known_name, &Known::name);
  if (known == std::end(kKnown)) {
    std::string all;
    for (const Known& one : kKnown) all += (all.empty() ? "" : ", ") + std::string(one.name);
    return fail(ErrorCode::kUsage, "unknown-value-rule",
                "There is no value rule named '" + escape_untrusted(known_name).text + "'.",
                "Known: " + all + "; or give it a pattern of its own.");
  }
  auto rule = std::make_shared<Rule>(Rule{std::string(known_name), {}, action, {}, {}, {}, {}});
  if (known->pattern != nullptr) {
    rule->find = finder_of(known->pattern);
    rule->find_cut = cut_finder_of(known->pattern);
    rule->may_go_on = beginnings_of(known->pattern);
    rule->may_have = characters_of(known->pattern);
  } else if (known_name == "payment-card") {
    rule->find = find_cards;
    rule->find_cut = find_cut_card;
    rule->may_go_on = may_begin_card;
    rule->may_have = is_of_card;
  } else {
    rule->find = find_random;
    rule->find_cut = cut_run;
    rule->may_go_on = [](std::string_view text) { return is_of_run(text.back()); };
    rule->may_have = is_of_run;
  }
  std::erase_if(rules_, [&](const auto& one) { return one->name == known_name; });
  rules_.push_back(std::move(rule));
  return {};
}

Status ValueRules::add(const std::string& name, const std::string& pattern, Action action) {
  if (std::ranges::find(kKnown, name, &Known::name) != std::end(kKnown))
    return fail(ErrorCode::kUsage, "rule-exists",
                "There is a value rule named '" + escape_untrusted(name).text + "' already.",
                "Give the pattern another name.");
  const RE2 compiled(pattern, options());
  if (!compiled.ok() || compiled.Match("", 0, 0, RE2::ANCHOR_BOTH, nullptr, 0))
    return fail(
        ErrorCode::kUsage, "bad-pattern",
        "The pattern of value rule '" + escape_untrusted(name).text + "' " +
            (compiled.ok() ? "matches the empty text."
                           : "cannot be read: " + escape_untrusted(compiled.error()).text + "."),
        "Write it in RE2's syntax, so that it matches the secret and nothing else.");
  std::erase_if(rules_,
                [&](const auto& rule) { return rule->name == name && rule->pattern == pattern; });
  rules_.push_back(
      std::make_shared<Rule>(Rule{name, pattern, action, finder_of(pattern), cut_finder_of(pattern),
                                  beginnings_of(pattern), characters_of(pattern)}));
  return {};
}

void ValueRules::set_action(Action action) {
  for (auto& rule : rules_) {
    auto changed = std::make_shared<Rule>(*rule);
    changed->action = action;
    rule = std::move(changed);
  }
}

std::vector<std::string_view> ValueRules::names() const {
  std::vector<std::string_view> names;
  for (const auto& rule : rules_) names.push_back(rule->name);
  return names;
}

ValueRules ValueRules::for_names() const {
  ValueRules rules = *this;
  std::erase_if(rules.rules_, [](const auto& rule) { return rule->name == "high-entropy"; });
  return rules;
}

bool ValueRules::drops(std::string_view name) const {
  return std::ranges::any_of(rules_, [&](const auto& rule) {
    return rule->name == name && rule->action == Action::kDrop;
  });
}

std::vector<ValueRules::Match> ValueRules::find(std::string_view text, Ending ending) const {
  std::vector<Match> matches;
  for (const auto& rule : rules_) {
    for (const Span& span : rule->find(text)) matches.push_back({span, rule.get(), false});
    if (ending == Ending::kWhole) continue;
    if (const auto begin = rule->find_cut(text))
      matches.push_back({{*begin, text.size()}, rule.get(), true});
  }
  std::ranges::stable_sort(matches, {}, [](const Match& match) { return match.span.begin; });
  std::vector<Match> merged;
  for (const Match& match : matches) {
    if (merged.empty() || match.span.begin >= merged.back().span.end)
      merged.push_back(match);
    else
      merged.back().span.end = std::max(merged.back().span.end, match.span.end);
  }
  return merged;
}

// At a text's beginning only what goes on behind the part can be cut by it; anywhere else
// what began before it as well.
bool ValueRules::may_tell(std::string_view part, Place place) const {
  return part.empty() || std::ranges::any_of(rules_, [&](const auto& rule) {
           if (!rule->find(part).empty()) return true;
           if (place == Place::kBeginning) return rule->may_go_on(part);
           return rule->may_have(part.front()) || rule->may_have(part.back());
         });
}

RedactedText ValueRules::redact(std::string_view text, Ending ending, const HashKey* key) const {
  RedactedText redacted;
  std::size_t at = 0;
  for (const Match& match : find(text, ending)) {
    redacted.text += text.substr(at, match.span.begin - at);
    at = match.span.end;
    ++redacted.counts[match.rule->name];
    if (match.rule->action == Action::kDrop) continue;
    redacted.text += "[redacted:" + match.rule->name + (match.unfinished ? "?" : "");
    if (match.rule->action == Action::kHash && key != nullptr)
      redacted.text +=
          ":" + key->hash(text.substr(match.span.begin, match.span.end - match.span.begin));
    redacted.text += "]";
  }
  redacted.text += text.substr(at);
  return redacted;
}

}  // namespace nohalt::policy
