// A value's JSON is walked leaf by leaf, so that a rule never sees (or breaks)
// the punctuation between them. A card number may be kept as a number.
#include "src/output/redact.h"

#include "policy/redaction/values.h"
#include "src/output/json.h"

namespace nohalt::output {

namespace {

using Counts = std::map<std::string, std::uint64_t>;

// The rules that matched.
Counts redact_leaf(Json& leaf) {
  if (leaf.is_structured()) {
    Counts all;
    for (Json& item : leaf)
      for (const auto& [rule, count] : redact_leaf(item)) all[rule] += count;
    return all;
  }
  if (!leaf.is_string() && !leaf.is_number_integer()) return {};
  policy::RedactedText redacted =
      policy::redact_text(leaf.is_string() ? leaf.get<std::string>() : leaf.dump());
  if (!redacted.counts.empty()) leaf = std::move(redacted.text);
  return std::move(redacted.counts);
}

void redact_value(Value& value, Counts& counts) {
  if (value.json.empty()) return;
  Json parsed = Json::parse(value.json, nullptr, false);
  if (parsed.is_discarded()) parsed = value.json;
  const Counts matched = redact_leaf(parsed);
  if (matched.empty()) return;
  value.json = parsed.dump(-1, ' ', false, Json::error_handler_t::replace);
  value.state = "redacted";
  value.why = "it looks like";
  for (const auto& [rule, count] : matched) {
    value.why += (value.why.ends_with("like") ? " " : ", ") + rule;
    counts[rule] += count;
  }
}

}  // namespace

void redact_hit(Hit& hit, Counts& counts) {
  policy::RedactedText message = policy::redact_text(hit.message);
  for (const auto& [rule, count] : message.counts) counts[rule] += count;
  hit.message = std::move(message.text);
  for (Value& value : hit.values) redact_value(value, counts);
  for (Frame& frame : hit.frames)
    for (Value& value : frame.values) redact_value(value, counts);
}

}  // namespace nohalt::output
