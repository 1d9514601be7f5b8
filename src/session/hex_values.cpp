#include "src/session/hex_values.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "probes/records/values/format.h"
#include "probes/records/values/hex.h"
#include "src/session/slices.h"

namespace nohalt::session {

namespace {

using AllBytes = std::vector<std::optional<values::ValueBytes>>;

bool is_known(const values::ValueBytes& bytes, const policy::ValueRules& rules) {
  const auto ending = bytes.is_cut ? policy::Ending::kCut : policy::Ending::kWhole;
  return !rules.redact(bytes.bytes, ending).counts.empty();
}

// As the message would show a text, and as if nulls were no characters.
std::string up_to_null(const std::string& bytes) { return bytes.substr(0, bytes.find('\0')); }
std::string without_nulls(std::string bytes) {
  std::erase(bytes, '\0');
  return bytes;
}

// Whether a rule knows what the message would be with the bytes as they are, and not
// without them.
bool makes_known(const language::BoundTemplate& message, const AllBytes& bytes,
                 std::span<const values::NamedValue> values, const policy::ValueRules& rules) {
  std::string with_texts;
  std::string with_all;
  std::string without;
  for (std::size_t i = 0; i < message.texts.size(); ++i) {
    std::string plain;
    if (i < values.size() && !bytes[i])
      plain = values::formatted(values[i].value, message.specs[i]);
    const bool has_bytes = i < values.size() && bytes[i];
    with_texts += message.texts[i] + (has_bytes ? up_to_null(bytes[i]->bytes) : plain);
    with_all += message.texts[i] + (has_bytes ? without_nulls(bytes[i]->bytes) : plain);
    without += message.texts[i] + (has_bytes ? std::string(1, '\0') : plain);
  }
  const auto known = rules.redact(without).counts;
  return rules.redact(with_texts).counts != known || rules.redact(with_all).counts != known;
}

}  // namespace

Status check_hex(const language::BoundTemplate& message) {
  for (std::size_t i = 0; i < message.values.size(); ++i) {
    const language::Expr& root = *message.values[i]->root;
    const bool is_wrong = message.specs[i].is_hex && root.kind != language::ExprKind::kText &&
                          !values::is_of_bytes(root.type);
    if (is_wrong) return language::wrong_hex(message.values[i]->source, message.specs[i], root);
  }
  return {};
}

void show_hex(const language::BoundTemplate& message, const capture::CaptureLayout& layout,
              std::span<const std::byte> body, std::span<values::NamedValue> values,
              const policy::ValueRules& rules) {
  AllBytes bytes(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    values::Value& value = values[i].value;
    if (!message.specs[i].is_hex || !value.is_there()) continue;
    bytes[i] = values::bytes_shown(value, *message.values[i]->root, layout, body);
    if (!bytes[i]) {
      values::Value missing;
      missing.type = value.type;
      missing.why = "not all of its bytes are there";
      value = std::move(missing);
    } else if (is_known(*bytes[i], rules)) {
      hide_part(value, "a rule hides the text that these bytes are");
      bytes[i].reset();
    }
  }
  const bool is_hex = std::ranges::any_of(bytes, [](const auto& each) { return each.has_value(); });
  const bool hides = is_hex && makes_known(message, bytes, values, rules);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (hides && values[i].value.is_there())
      hide_part(values[i].value, "a rule hides a text that the message would have");
    else if (bytes[i])
      values[i].value = values::as_hex(values[i].value, *bytes[i]);
  }
}

}  // namespace nohalt::session
