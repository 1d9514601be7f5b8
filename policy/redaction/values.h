// Secrets known by their look, in text that is about to be shown or kept: card
// numbers, JSON web tokens, mail addresses. Each becomes [redacted:NAME].
//
// The last net, not the first: what names hide is never copied out of the
// target. Runs on finished text.
// Threading: pure function.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace nohalt::policy {

struct RedactedText {
  std::string text;
  std::map<std::string, std::uint64_t> counts;  // by rule: payment-card, jwt, email
};

[[nodiscard]] RedactedText redact_text(std::string_view text);

}  // namespace nohalt::policy
