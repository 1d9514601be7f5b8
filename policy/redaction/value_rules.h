// Secrets known by their look, in text that is about to be shown or kept: card
// numbers, tokens, keys, mail addresses, and the patterns of a policy.
//
// The last net, not the first: what names and types hide is never copied out of the
// target. Runs on finished text, and on the values that went into it.
//
// Patterns are RE2's, in Latin-1 mode, so that text which is not UTF-8 is searched
// too, and in time linear in the text; of one with a group only what the group matched
// is hidden. A text that was cut at a limit also hides what could have become a match,
// once that is longer than three bytes, and marks it with a question mark.
// Threading: immutable once built; every search is const.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/redaction/span.h"
#include "src/base/result.h"

namespace nohalt::policy {

// What stands in the place of a match.
enum class Action {
  kMask,  // [redacted:NAME]
  kDrop,  // nothing
  kHash,  // [redacted:NAME:0123456789ab], equal for equal matches under one key
};

// A key that nobody keeps: hashes under it cannot be tried elsewhere.
class HashKey {
 public:
  HashKey();                                                    // random
  [[nodiscard]] std::string hash(std::string_view text) const;  // 12 hex digits

 private:
  std::array<unsigned char, 32> key_{};
};

struct RedactedText {
  std::string text;
  std::map<std::string, std::uint64_t> counts;  // by rule: payment-card, jwt, our-key
};

enum class Ending { kWhole, kCut };  // cut: more came after it in the target

class ValueRules {
 public:
  // payment-card, jwt, email, private-key, cloud-key and bearer-token, masked.
  [[nodiscard]] static ValueRules builtin();

  // All names that `add` knows; high-entropy is not among the built-in rules, because
  // it hides what is random and no secret, such as build ids.
  [[nodiscard]] static std::vector<std::string_view> known();

  // A known rule, or one with a pattern of its own; of one that is there already the
  // action is changed. Two of one name with different patterns, as two policies may have
  // them, both hold. Errors of kind kUsage: unknown-value-rule, rule-exists (a known rule
  // has that name), bad-pattern.
  [[nodiscard]] Status add(std::string_view known_name, Action action = Action::kMask);
  [[nodiscard]] Status add(const std::string& name, const std::string& pattern,
                           Action action = Action::kMask);

  // Of all rules that are there already.
  void set_action(Action action);

  [[nodiscard]] std::vector<std::string_view> names() const;
  // Without high-entropy, which takes ids and hashes for secrets: for names of things.
  [[nodiscard]] ValueRules for_names() const;

  // Whether there is a rule of this name that leaves nothing in a match's place.
  [[nodiscard]] bool drops(std::string_view name) const;

  // Whether characters of `part` may be of a match in a text that has it there: then the
  // answer to whether a text does tells something of what is hidden.
  enum class Place { kBeginning, kAnywhere };
  [[nodiscard]] bool may_tell(std::string_view part, Place place) const;

  // Without a key, kHash is kMask.
  [[nodiscard]] RedactedText redact(std::string_view text, Ending ending = Ending::kWhole,
                                    const HashKey* key = nullptr) const;

 private:
  struct Rule;
  struct Match;
  [[nodiscard]] std::vector<Match> find(std::string_view text, Ending ending) const;

  std::vector<std::shared_ptr<const Rule>> rules_;
};

}  // namespace nohalt::policy
