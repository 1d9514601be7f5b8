#include "policy/file/whole_check.h"

#include <algorithm>
#include <map>
#include <string>

#include "policy/access/glob.h"
#include "policy/redaction/value_rules.h"
#include "src/base/escape.h"

namespace nohalt::policy {

namespace {

class WholeCheck {
 public:
  explicit WholeCheck(std::vector<Mistake>& mistakes) : mistakes_(mistakes) {}

  void check(const Node& root) {
    for (const char* list : {"roles", "deny"}) {
      const Node* rules = root.find(list);
      if (rules == nullptr) continue;
      for (const Node& rule : rules->items) {
        name(rule);
        sources(rule);
      }
    }
    const Node* redact = root.find("redact");
    if (redact == nullptr) return;
    if (const Node* list = redact->find("sources"))
      for (const Node& rule : list->items)
        if (const Node* text = rule.kind == Node::Kind::kMap ? rule.find("source") : &rule)
          glob(*text);
    if (const Node* list = redact->find("values"))
      for (const Node& rule : list->items) value_rule(rule);
  }

 private:
  void name(const Node& rule) {
    const Node* name = rule.find("name");
    if (name == nullptr || name->text.empty()) return;
    const auto [first, is_new] = lines_.emplace(name->text, name->line);
    if (!is_new)
      mistakes_.push_back(
          {name->line, name->column,
           "There are two rules of the name " + escape_untrusted(name->text).text + ".",
           "The first is in line " + std::to_string(first->second) +
               "; verdicts must tell them apart."});
  }

  void sources(const Node& rule) {
    const Node* found = rule.find("sources");
    if (found == nullptr) return;
    if (found->kind == Node::Kind::kList) return globs(*found);
    for (const Node& list : found->items) globs(list);
  }

  void globs(const Node& list) {
    for (const Node& each : list.items) glob(each);
  }

  void glob(const Node& glob) {
    const std::string& text = glob.text;
    if (normalised(text) == text) return;
    mistakes_.push_back({glob.line, glob.column, "This pattern can match no path.",
                         "Paths are without ., .. and doubled or last slashes; for all files in "
                         "a folder write folder/**."});
  }

  // A rule is one of those that are known, or has a pattern.
  void value_rule(const Node& rule) {
    if (rule.kind != Node::Kind::kMap) return;
    const Node* name = rule.find("name");
    if (name == nullptr) return;
    const auto known = ValueRules::known();
    const bool is_known = std::ranges::find(known, name->text) != known.end();
    if (is_known != (rule.find("pattern") != nullptr)) return;
    mistakes_.push_back({name->line, name->column,
                         is_known ? "This rule is known, and has a pattern already."
                                  : "No rule of this name is known, so it needs a `pattern`.",
                         is_known ? "Give the pattern another name." : ""});
  }

  std::vector<Mistake>& mistakes_;
  std::map<std::string, int> lines_;
};

}  // namespace

void check_whole(const Node& root, std::vector<Mistake>& mistakes) {
  WholeCheck(mistakes).check(root);
}

}  // namespace nohalt::policy
