// What a capture must never read, and why. Whoever makes it knows the rules; capturing
// asks, for every step on the way to a value and for every part of one.
//
// Threading: as its functions.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "probes/capture/layout.h"
#include "probes/symbols/debug_info.h"

namespace nohalt::capture {

struct Redaction {
  using Rule = std::function<std::optional<Why>(std::string_view path, const symbols::Type& type)>;

  Redaction() = default;
  Redaction(Rule hides) : rule(std::move(hides)) {}
  // Of a test that tells no more than whether.
  template <class Test>
    requires std::is_same_v<std::invoke_result_t<Test, std::string_view, const symbols::Type&>,
                            bool>
  Redaction(Test hides)
      : rule([hides = std::move(hides)](std::string_view path,
                                        const symbols::Type& type) -> std::optional<Why> {
          if (!hides(path, type)) return std::nullopt;
          return Why{ValueState::kRedacted, "hidden by policy"};
        }) {}

  // Asked with each step of the path ("user.password", base classes and anonymous members
  // left out) and its type, and once more for each type that a typedef stands for. Null:
  // no rule.
  Rule rule;
  // Asked for each variable that is named or shown. Null: no rule.
  std::function<std::optional<Why>(const symbols::Variable& variable)> variable;
  // Why nothing but numbers and truth values may be read: see numbers.h. Absent: it may.
  std::optional<Why> all_but_numbers;
};

}  // namespace nohalt::capture
