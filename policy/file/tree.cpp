// yaml-cpp tells its events to a handler that builds the tree on a stack of open
// nodes; what is not to be there is noted, and parsing goes on.
#include "policy/file/tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "src/base/escape.h"

namespace nohalt::policy {

namespace {

struct TooMuch {
  Mistake mistake;
};

class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(ParsedTree& tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    leaf(begin(mark, Node::Kind::kNull, "", anchor));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    note(mark, "An alias is not taken here.");
    leaf(begin(mark, Node::Kind::kNull, "", 0));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = begin(mark, Node::Kind::kText, tag, anchor);
    node.text = value;
    node.is_quoted = tag == "!";
    leaf(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(begin(mark, Node::Kind::kList, tag, anchor));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(begin(mark, Node::Kind::kMap, tag, anchor));
  }
  void OnMapEnd() override { close(); }

 private:
  static Mistake at(const YAML::Mark& mark, std::string message) {
    return {mark.line + 1, mark.column + 1, std::move(message), {}};
  }
  void note(const YAML::Mark& mark, std::string message) {
    tree_.mistakes.push_back(at(mark, std::move(message)));
  }

  Node begin(const YAML::Mark& mark, Node::Kind kind, const std::string& tag,
             YAML::anchor_t anchor) {
    if (++count_ > kMostNodes)
      throw TooMuch{
          at(mark, "The file holds more than " + std::to_string(kMostNodes) + " values.")};
    if (open_.size() >= kDeepest)
      throw TooMuch{at(mark, "Values are nested more than " + std::to_string(kDeepest) + " deep.")};
    if (anchor != 0) note(mark, "An anchor is not taken here.");
    if (!tag.empty() && tag != "?" && tag != "!") note(mark, "A tag is not taken here.");
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void open(Node node) { open_.push_back(std::move(node)); }
  void close() {
    Node node = std::move(open_.back());
    open_.pop_back();
    leaf(std::move(node));
  }

  // A finished node goes into the one that is open: in a map first a key, then its value.
  void leaf(Node node) {
    if (open_.empty()) {
      tree_.root = std::move(node);
      return;
    }
    Node& parent = open_.back();
    const bool is_key =
        parent.kind == Node::Kind::kMap && parent.keys.size() == parent.items.size();
    (is_key ? parent.keys : parent.items).push_back(std::move(node));
  }

  ParsedTree& tree_;
  std::vector<Node> open_;
  std::size_t count_ = 0;
};

void parse(std::string_view yaml, ParsedTree& tree) {
  std::istringstream stream{std::string{yaml}};
  YAML::Parser parser(stream);
  Builder builder(tree);
  if (!parser.HandleNextDocument(builder)) {
    tree.mistakes.push_back({0, 0, "The file is empty.", {}});
    return;
  }
  ParsedTree rest;
  Builder second(rest);
  if (parser.HandleNextDocument(second))
    tree.mistakes.push_back(
        {rest.root.line, rest.root.column, "The file holds more than one document.", {}});
}

}  // namespace

void in_file_order(std::vector<Mistake>& mistakes) {
  const auto before = [](const Mistake& a, const Mistake& b) {
    return std::pair{a.line, a.column} < std::pair{b.line, b.column};
  };
  std::ranges::stable_sort(mistakes, before);
}

const Node* Node::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size() && i < items.size(); ++i)
    if (keys[i].text == key) return &items[i];
  return nullptr;
}

ParsedTree parse_tree(std::string_view yaml) {
  ParsedTree tree;
  if (yaml.size() > kLargestRuleFile) {
    tree.mistakes.push_back({0, 0, "The file is larger than 256 KiB.", {}});
    return tree;
  }
  if (!is_utf8(yaml) || yaml.find('\0') != std::string_view::npos) {
    tree.mistakes.push_back({0, 0, "The file is not UTF-8 text.", {}});
    return tree;
  }
  try {
    parse(yaml, tree);
  } catch (const TooMuch& problem) {
    tree.mistakes.push_back(problem.mistake);
  } catch (const YAML::Exception& problem) {
    const bool is_placed = !problem.mark.is_null();
    tree.mistakes.push_back({is_placed ? problem.mark.line + 1 : 0,
                             is_placed ? problem.mark.column + 1 : 0,
                             "This is not YAML: " + escape_untrusted(problem.msg).text + ".",
                             {}});
  }
  return tree;
}

}  // namespace nohalt::policy
