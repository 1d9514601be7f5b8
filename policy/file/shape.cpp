// One walk over tree and shape side by side; a node of the wrong kind ends the
// walk there and nowhere else.
#include "policy/file/shape.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>

#include "src/base/escape.h"
#include "src/base/suggest.h"

namespace nohalt::policy {

namespace {

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  const bool is_long = text.size() > kLongest;
  return "\"" + escape_untrusted(text.substr(0, kLongest)).text + (is_long ? "..." : "") + "\"";
}

std::string list_of(const std::vector<std::string_view>& words) {
  std::string list;
  for (const std::string_view word : words) list += (list.empty() ? "" : ", ") + std::string{word};
  return list;
}

// Compiled once for each of the few patterns that shapes have.
const RE2& compiled(std::string_view pattern) {
  thread_local std::map<std::string_view, std::unique_ptr<RE2>> known;
  auto& entry = known[pattern];
  if (!entry) entry = std::make_unique<RE2>(pattern);
  return *entry;
}

class Checker {
 public:
  explicit Checker(std::vector<Mistake>& mistakes) : mistakes_(mistakes) {}

  void check(const Node& node, const Shape& shape) {
    switch (shape.kind) {
      case Shape::Kind::kMap:
        return map(node, shape);
      case Shape::Kind::kList:
        return list(node, shape);
      case Shape::Kind::kText:
        return text(node, shape);
      case Shape::Kind::kNumber:
        return number(node, shape);
      case Shape::Kind::kTruth:
        if (node.kind != Node::Kind::kText || plain_kind(node) != PlainKind::kTruth)
          note(node, "This must be true or false.");
        return;
      case Shape::Kind::kTextOrNumber:
        return node.kind == Node::Kind::kText && plain_kind(node) == PlainKind::kNumber
                   ? number(node, shape)
                   : text(node, shape);
      case Shape::Kind::kTextOrMap:
        return node.kind == Node::Kind::kMap ? map(node, shape) : text(node, shape);
    }
  }

 private:
  void note(const Node& at, std::string message, std::string hint = {}) {
    mistakes_.push_back({at.line, at.column, std::move(message), std::move(hint)});
  }

  void map(const Node& node, const Shape& shape) {
    if (node.kind != Node::Kind::kMap) return note(node, "This must be a map of keys and values.");
    for (std::size_t i = 0; i < node.keys.size(); ++i) entry(node, i, shape);
    for (const Key& key : shape.keys)
      if (key.is_required && node.find(key.name) == nullptr)
        note(node, "The key `" + std::string{key.name} + "` is missing.", std::string{key.about});
    const auto is_there = [&](std::string_view key) { return node.find(key) != nullptr; };
    if (!shape.at_least_one.empty() && std::ranges::none_of(shape.at_least_one, is_there))
      note(node, "At least one of these keys must be here: " + list_of(shape.at_least_one) + ".");
  }

  void entry(const Node& node, std::size_t i, const Shape& shape) {
    const Node& key = node.keys[i];
    if (key.kind != Node::Kind::kText) return note(key, "A key must be plain text.");
    const auto same = [&](const Node& other) { return other.text == key.text; };
    const auto first = std::ranges::find_if(node.keys, same);
    if (first - node.keys.begin() < static_cast<std::ptrdiff_t>(i))
      return note(key, "The key " + quoted(key.text) + " stands here twice.",
                  "It is first in line " + std::to_string(first->line) + ".");
    const auto known = std::ranges::find(shape.keys, key.text, &Key::name);
    if (known != shape.keys.end()) return check(node.items[i], *known->shape);
    std::vector<std::string_view> names;
    for (const Key& each : shape.keys) names.push_back(each.name);
    const std::string_view near = nearest(key.text, names);
    note(key, "There is no key " + quoted(key.text) + " here.",
         near.empty() ? "The keys are " + list_of(names) + "."
                      : "Did you mean " + std::string{near} + "?");
  }

  void list(const Node& node, const Shape& shape) {
    if (node.kind != Node::Kind::kList)
      return note(node, "This must be a list.", "Write for example: [one, two]");
    if (node.items.empty()) note(node, "An empty list says nothing; leave its key out.");
    for (const Node& item : node.items) check(item, *shape.item);
  }

  void text(const Node& node, const Shape& shape) {
    if (node.kind != Node::Kind::kText)
      return note(node, "This must be a text.", std::string{shape.expected});
    if (shape.check != nullptr)
      if (const Status fine = shape.check(node.text); !fine)
        return note(node, fine.error().message, fine.error().hint);
    if (plain_kind(node) != PlainKind::kText)
      return note(node, "To YAML this is no text.", "Put it into quotes.");
    if (!shape.words.empty() && std::ranges::find(shape.words, node.text) == shape.words.end()) {
      const std::string_view near = nearest(node.text, shape.words);
      return note(node, quoted(node.text) + " is not one of " + list_of(shape.words) + ".",
                  near.empty() ? "" : "Did you mean " + std::string{near} + "?");
    }
    if (!shape.pattern.empty() && !RE2::FullMatch(node.text, compiled(shape.pattern)))
      note(node, quoted(node.text) + " is not of the form that belongs here.",
           std::string{shape.expected});
  }

  void number(const Node& node, const Shape& shape) {
    std::uint64_t value = 0;
    const char* end = node.text.data() + node.text.size();
    const bool is_number =
        node.kind == Node::Kind::kText && !node.is_quoted &&
        std::from_chars(node.text.data(), end, value) == std::from_chars_result{end, std::errc{}};
    const bool is_plain = is_number && (node.text == "0" || !node.text.starts_with('0'));
    if (is_plain && value >= shape.least && value <= shape.most) return;
    const std::string range = shape.least == shape.most
                                  ? std::to_string(shape.least)
                                  : "a whole number from " + std::to_string(shape.least) + " to " +
                                        std::to_string(shape.most);
    note(node, "This must be " + range + ".", std::string{shape.expected});
  }

  std::vector<Mistake>& mistakes_;
};

}  // namespace

Shape text_shape(std::string_view pattern, std::string_view expected,
                 Status (*check)(std::string_view)) {
  Shape shape;
  shape.pattern = pattern;
  shape.expected = expected;
  shape.check = check;
  return shape;
}

Shape word_shape(std::vector<std::string_view> words) {
  Shape shape;
  shape.words = std::move(words);
  return shape;
}

Shape number_shape(std::uint64_t least, std::uint64_t most) {
  Shape shape;
  shape.kind = Shape::Kind::kNumber;
  shape.least = least;
  shape.most = most;
  return shape;
}

Shape truth_shape() {
  Shape shape;
  shape.kind = Shape::Kind::kTruth;
  return shape;
}

Shape list_shape(const Shape* item) {
  Shape shape;
  shape.kind = Shape::Kind::kList;
  shape.item = item;
  return shape;
}

Shape map_shape(std::vector<Key> keys, std::vector<std::string_view> at_least_one) {
  Shape shape;
  shape.kind = Shape::Kind::kMap;
  shape.keys = std::move(keys);
  shape.at_least_one = std::move(at_least_one);
  return shape;
}

// YAML 1.2.2, 10.3.2 ("core schema": tag resolution).
PlainKind plain_kind(const Node& node) {
  static const RE2 kNull("null|Null|NULL|~|");
  static const RE2 kTruth("true|True|TRUE|false|False|FALSE");
  static const RE2 kNumber(
      R"([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)"
      R"(|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))");
  if (node.kind == Node::Kind::kNull) return PlainKind::kNull;
  if (node.is_quoted) return PlainKind::kText;
  if (RE2::FullMatch(node.text, kNull)) return PlainKind::kNull;
  if (RE2::FullMatch(node.text, kTruth)) return PlainKind::kTruth;
  if (RE2::FullMatch(node.text, kNumber)) return PlainKind::kNumber;
  return PlainKind::kText;
}

std::vector<Mistake> check_shape(const Node& root, const Shape& shape) {
  std::vector<Mistake> mistakes;
  Checker(mistakes).check(root, shape);
  in_file_order(mistakes);
  return mistakes;
}

}  // namespace nohalt::policy
