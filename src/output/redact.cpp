// A value's JSON is walked leaf by leaf, so that a rule never sees (or breaks)
// the punctuation between them. A card number may be kept as a number, and a text as a
// list of its characters.
//
// A message does not tell where in it a text was cut, by a limit or by its format, so
// what could have become a match is looked for in the value, and the value's text in the
// message. What is found there besides was put together from several values: then none
// of these is shown either.
#include "src/output/redact.h"

#include <utility>
#include <vector>

#include "src/base/utf8.h"
#include "src/output/json.h"

namespace nohalt::output {

namespace {

using policy::Ending;
using Counts = std::map<std::string, std::uint64_t>;

void add(Counts& to, const Counts& counts) {
  for (const auto& [rule, count] : counts) to[rule] += count;
}

std::string why(const Counts& matched) {
  std::string text = "it looks like";
  for (const auto& [rule, count] : matched) text += (text.ends_with("like") ? " " : ", ") + rule;
  return text;
}

// What a list of characters spells, which no rule would know one by one; empty: it is no
// such list.
std::string spelled_by(const Json& list) {
  std::string text;
  for (const Json& item : list) {
    const auto value = item.is_object() ? item.find("value") : item.end();
    const Json& number = item.is_object() && value != item.end() ? *value : item;
    if (!number.is_number_integer()) return {};
    const auto character = number.get<std::int64_t>();
    if (character < -128 || character > 0x10ffff) return {};
    text += character <= 255 ? std::string(1, static_cast<char>(character))
                             : utf8_of(static_cast<std::uint64_t>(character));
  }
  return text;
}

// One hit's search. Each function gives the rules that matched.
class Search {
 public:
  // A text that is shown otherwise in the message, in which something was hidden, and what
  // it became.
  using Replaced = std::pair<std::string, std::string>;

  Search(const policy::ValueRules& rules, const policy::HashKey& key) : rules_(rules), key_(key) {}

  [[nodiscard]] const std::vector<Replaced>& other_texts() const { return other_texts_; }

  Counts text(std::string& text, Ending ending) {
    policy::RedactedText redacted = rules_.redact(text, ending, &key_);
    if (redacted.counts.empty()) return {};
    other_texts_.emplace_back(text, redacted.text);
    text = std::move(redacted.text);
    return std::move(redacted.counts);
  }

  Counts json(Json& json, Ending ending) {
    if (json.is_object()) return object(json);
    if (json.is_array()) {
      if (Counts matched = characters(json, ending); !matched.empty()) return matched;
      Counts all;
      for (Json& item : json) add(all, this->json(item, Ending::kWhole));
      return all;
    }
    if (!json.is_string() && !json.is_number()) return {};
    std::string shown = json.is_string() ? json.get<std::string>() : json.dump();
    Counts matched = text(shown, ending);
    if (!matched.empty()) json = std::move(shown);
    return matched;
  }

 private:
  // The whole list goes, and the message that shows it.
  Counts characters(Json& json, Ending ending) {
    std::string spelled = spelled_by(json);
    const std::string before = spelled;
    Counts matched = text(spelled, ending);
    if (matched.empty()) return matched;
    std::string tags;
    for (const auto& [rule, count] : matched) tags += "[redacted:" + rule + "]";
    other_texts_.emplace_back(before, tags);
    json = std::move(tags);
    return matched;
  }

  Counts object(Json& json) {
    const Ending value_ending =
        json.value("state", Json()) == "truncated" ? Ending::kCut : Ending::kWhole;
    Counts all;
    for (auto& [name, item] : json.items())
      add(all, this->json(item, name == "value" ? value_ending : Ending::kWhole));
    // Only a node of a snapshot's tree has a text for its type: members are objects.
    if (all.empty() || !json.value("type", Json()).is_string()) return all;
    json["state"] = "redacted";
    json["why"] = why(all);
    return all;
  }

  const policy::ValueRules& rules_;
  const policy::HashKey& key_;
  std::vector<Replaced> other_texts_;
};

std::size_t times_in(std::string_view text, std::string_view part) {
  std::size_t times = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size()))
    ++times;
  return times;
}

// Where the message does not show each of the texts as it is (cut, padded), all of it goes.
// They are counted, since several values may have one text, or one may be part of another's.
void hide_in_message(std::string& message, const std::vector<Search::Replaced>& all) {
  const std::string shown = message;
  for (const auto& [before, after] : all) {
    std::size_t wanted = 0;
    for (const auto& other : all) wanted += times_in(other.first, before);
    if (times_in(shown, before) < wanted) message = after;
    for (std::size_t at = message.find(before); at != std::string::npos;
         at = message.find(before, at + after.size()))
      message.replace(at, before.size(), after);
  }
}

void redact_value(Value& value, Search& search, Counts& counts) {
  if (value.json.empty()) return;
  Json parsed = Json::parse(value.json, nullptr, false);
  if (parsed.is_discarded()) parsed = value.json;
  const Ending ending = value.state == "truncated" ? Ending::kCut : Ending::kWhole;
  const Counts matched = search.json(parsed, ending);
  if (matched.empty()) return;
  value.json = parsed.dump(-1, ' ', false, Json::error_handler_t::replace);
  value.state = "redacted";
  value.why = why(matched);
  add(counts, matched);
}

void withhold(Value& value, const Counts& joined) {
  if (value.json.empty() || value.state == "redacted") return;
  value.json.clear();
  value.state = "redacted";
  value.why = "in the message " + why(joined);
}

}  // namespace

bool is_hidden(Value value, const policy::ValueRules& rules) {
  static const policy::HashKey kForNobody;
  Search search(rules, kForNobody);
  Counts counts;
  redact_value(value, search, counts);
  return !counts.empty();
}

void ValueRedactor::redact(Hit& hit) {
  Search search(rules_, keys_[hit.probe]);
  std::vector<Search::Replaced> in_message;
  for (Value& value : hit.values) {
    const auto before = static_cast<std::ptrdiff_t>(search.other_texts().size());
    redact_value(value, search, counts_);
    if (value.in_message)
      in_message.insert(in_message.end(), search.other_texts().begin() + before,
                        search.other_texts().end());
  }
  hide_in_message(hit.message, in_message);
  const Counts joined = search.text(hit.message, Ending::kWhole);
  add(counts_, joined);
  for (Value& value : hit.values)
    if (!joined.empty() && value.in_message) withhold(value, joined);
  for (Frame& frame : hit.frames)
    for (Value& value : frame.values) redact_value(value, search, counts_);
}

}  // namespace nohalt::output
