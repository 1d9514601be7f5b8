// What must never be read: values by their names, by their types, by the source that
// declares them, and in strict mode all that is no number.
//
// A rule for names is a word or a run of words ("api key"): see names.h. A rule for types is a
// pattern for the whole name, or for what is left of it when namespaces in front are taken off:
// `Secret<*>` matches crypto::Secret<std::string>.
//
// Errs towards hiding: any part of a path that matches hides the whole
// (credentials->user is hidden by `credentials`).
// Threading: immutable once built; pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nohalt::policy {

struct HideRule {
  std::string pattern;             // as it is written, for people
  std::string where = "built-in";  // or file:line
  bool is_dropped = false;         // nothing stands in the place of what it hides
};

class RedactionRules {
 public:
  // The targeted rules that always hold.
  [[nodiscard]] static RedactionRules builtin();

  // Each rule: words separated by spaces, in lower case.
  explicit RedactionRules(const std::vector<std::string>& rules);

  void add_name(HideRule rule);
  void add_type(HideRule rule);  // `*` stands for any characters
  void add_source(HideRule rule, const std::string& source_root);
  void set_strict(std::string where);
  // Drops what the rules hide that are there already.
  void drop_all();

  // The rule that hides the path (a name, or an expression such as
  // `order->customer.m_passwd[3]`); null: none does.
  [[nodiscard]] const HideRule* match_name(std::string_view path) const;
  [[nodiscard]] bool matches_name(std::string_view path) const {
    return match_name(path) != nullptr;
  }
  [[nodiscard]] const HideRule* match_type(std::string_view name) const;
  // An unknown path, the empty one, matches every rule.
  [[nodiscard]] const HideRule* match_source(std::string_view path) const;
  [[nodiscard]] bool has_type_rules() const { return !types_.empty(); }
  [[nodiscard]] bool has_source_rules() const { return !sources_.empty(); }
  // In strict mode: only numbers and truth values may be read.
  [[nodiscard]] const HideRule* strict() const { return strict_ ? &*strict_ : nullptr; }

 private:
  struct NameRule : HideRule {
    std::string joined;  // its letters without spaces
  };
  struct SourceRule : HideRule {
    std::string source_root;
  };
  std::vector<NameRule> names_;
  std::vector<HideRule> types_;
  std::vector<SourceRule> sources_;
  std::optional<HideRule> strict_;
};

}  // namespace nohalt::policy
