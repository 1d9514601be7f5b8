// The text form of a record that is there as JSON, so that one that was kept is
// shown as it would have been at once. The file may be anybody's: nothing in it is
// believed to be of the type that it should have, texts are made safe, and depth is
// bounded.
//
// A value goes on one line where it fits, otherwise one line a member.
#include <fmt/format.h>

#include <algorithm>

#include "src/base/escape.h"
#include "src/output/forms.h"
#include "src/output/json.h"

namespace nohalt::output {

namespace {

constexpr std::size_t kWidth = 96;
constexpr int kMaxDepth = 64;
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";

std::string text_of(const Json& object, std::string_view key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  if (found == object.end()) return {};
  if (found->is_string()) return make_printable(found->get<std::string>());
  return found->is_number() ? found->dump() : std::string{};
}

bool flag_of(const Json& object, std::string_view key) {
  if (!object.is_object()) return false;
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

const Json& part_of(const Json& object, std::string_view key) {
  static const Json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

std::string in_quotes(std::string_view text) {
  std::string shown = "\"";
  for (const char c : make_printable(text)) shown += c == '"' ? "\\\"" : std::string(1, c);
  return shown + "\"";
}

class Tree {
 public:
  explicit Tree(const SnapshotStyle& style) : style_(style) {}

  // NAME = VALUE, newline included.
  [[nodiscard]] std::string named(const std::string& name, const Json& node, int indent,
                                  int depth = 0) const {
    const std::string front = std::string(static_cast<std::size_t>(indent), ' ') + type_of(node) +
                              (name.empty() ? "" : make_printable(name) + " = ");
    const std::string line = front + flat(node, depth);
    if (line.size() <= kWidth || !is_branch(node)) return line + "\n";
    return front + broken(node, indent, depth) + "\n";
  }

 private:
  [[nodiscard]] std::string type_of(const Json& node) const {
    const std::string type = style_.types ? text_of(node, "type") : std::string{};
    return type.empty() ? "" : "(" + type + ") ";
  }

  static bool is_branch(const Json& node) {
    const Json& value = part_of(node, "value");
    return value.is_structured() && !value.empty();
  }

  // What stands where there is no value, or behind one that is not exact.
  static std::string state_of(const Json& node, bool is_there) {
    std::string state = text_of(node, "state");
    if (state.empty() || state == "exact") return is_there ? "" : "<nothing>";
    std::ranges::replace(state, '_', ' ');
    const std::string why = text_of(node, "why");
    return (is_there ? " <" : "<") + state + (why.empty() ? "" : ": " + why) + ">";
  }

  static std::string scalar(const Json& node) {
    const Json& value = part_of(node, "value");
    const std::string kind = text_of(node, "kind");
    if (!value.is_string()) {
      const std::string text = value.dump();
      const bool letter = kind == "char" && value.is_number_integer() &&
                          value.get<std::int64_t>() >= 0x20 && value.get<std::int64_t>() < 0x7f;
      return letter ? fmt::format("{} '{}'", text, static_cast<char>(value.get<std::int64_t>()))
                    : text;
    }
    const std::string& text = value.get_ref<const std::string&>();
    // A text that could not be had is shown by its address.
    const bool is_text = kind == "text" || (kind.empty() && text_of(node, "state").empty());
    return is_text ? in_quotes(text) : make_printable(text);
  }

  // A pointer with what it leads to.
  static bool is_pointer(const Json& node) {
    return text_of(node, "kind") == "pointer" && part_of(node, "value").is_object();
  }

  [[nodiscard]] std::string flat(const Json& node, int depth) const {
    const Json& value = part_of(node, "value");
    if (value.is_null()) return state_of(node, false);
    if (depth > kMaxDepth) return "...";
    if (!value.is_structured()) return scalar(node) + state_of(node, true);
    if (is_pointer(node)) {
      const Json& target = part_of(value, "target");
      return text_of(value, "address") + " -> " + type_of(target) + flat(target, depth + 1) +
             state_of(node, true);
    }
    std::string text = value.is_array() ? "[" : "{";
    for (const auto& [name, inner] : value.items()) {
      if (text.size() > kWidth) return text;  // too long for a line, however it ends
      if (text.size() > 1) text += ", ";
      text += type_of(inner);
      if (value.is_object()) text += make_printable(name) + " = ";
      text += flat(inner, depth + 1);
    }
    return text + (value.is_array() ? "]" : "}") + state_of(node, true);
  }

  [[nodiscard]] std::string broken(const Json& node, int indent, int depth) const {
    const Json& value = part_of(node, "value");
    if (depth > kMaxDepth) return "...";
    if (!is_branch(node)) return flat(node, depth);
    if (is_pointer(node)) {
      const Json& target = part_of(value, "target");
      return text_of(value, "address") + " -> " + type_of(target) +
             broken(target, indent, depth + 1) + state_of(node, true);
    }
    std::string text = value.is_array() ? "[\n" : "{\n";
    for (const auto& [name, inner] : value.items())
      text += named(value.is_array() ? "" : name, inner, indent + 2, depth + 1);
    text += std::string(static_cast<std::size_t>(indent), ' ') + (value.is_array() ? "]" : "}");
    return text + state_of(node, true);
  }

  const SnapshotStyle& style_;
};

std::string place_text(const Json& object) {
  const std::string file = text_of(object, "file");
  std::string text = text_of(object, "function");
  if (text.empty()) text = "??";
  if (!file.empty())
    text += "  " + file.substr(file.rfind('/') + 1) + ":" + text_of(object, "line");
  if (const std::string module = text_of(object, "module"); !module.empty())
    text += "  in " + module.substr(module.rfind('/') + 1);
  if (flag_of(object, "inlined")) text += "  (inlined)";
  if (flag_of(object, "signal")) text += "  (signal handler called)";
  return text;
}

std::string head_text(const Json& record, const SnapshotStyle& style) {
  std::string text{style.colour ? kDim : ""};
  text += text_of(record, "time") + " " + text_of(record, "thread");
  if (const std::string tid = text_of(record, "tid"); !tid.empty()) text += "[" + tid + "]";
  text += " " + place_text(record);
  return text + std::string{style.colour ? kPlain : ""};
}

std::string values_text(const Json& values, std::string_view role, const Tree& tree, int indent) {
  std::string text;
  if (!values.is_object()) return text;
  for (const auto& [name, value] : values.items())
    if (text_of(value, "role") == role) text += tree.named(name, value, indent);
  return text;
}

std::string frames_text(const Json& record, const Tree& tree) {
  const Json& frames = part_of(record, "frames");
  std::string text;
  if (!frames.is_array()) return text;
  std::size_t number = 0;
  for (const Json& frame : frames) {
    text += fmt::format("    #{:<3}{}\n", number++, place_text(frame));
    for (const std::string_view role : {"argument", "local"})
      text += values_text(part_of(frame, "values"), role, tree, 11);
  }
  if (const std::string why = text_of(record, "stack_end_why"); !why.empty())
    text += "    " + why + "\n";
  return text;
}

std::string snapshot_text(const Json& record, const SnapshotStyle& style) {
  const Tree tree(style);
  std::string text = head_text(record, style) + "\n";
  const auto section = [&](const char* title, const std::string& body) {
    if (!body.empty()) text += fmt::format("  {}\n{}", title, body);
  };
  const Json& values = part_of(record, "values");
  section("arguments", values_text(values, "argument", tree, 4));
  section("locals", values_text(values, "local", tree, 4));
  section("captured", values_text(values, "capture", tree, 4));
  section("stack", frames_text(record, tree));
  return text;
}

}  // namespace

std::optional<std::string> record_text(std::string_view json, const SnapshotStyle& style) {
  const Json record = Json::parse(json, nullptr, false);
  const std::string kind = text_of(record, "kind");
  if (kind == "snapshot") return snapshot_text(record, style);
  if (kind == "log") return head_text(record, style) + "  " + text_of(record, "message") + "\n";
  return std::nullopt;
}

}  // namespace nohalt::output
