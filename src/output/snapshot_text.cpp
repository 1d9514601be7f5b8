// The text form of a record that is there as JSON, so that one that was kept is
// shown as it would have been at once. The file may be anybody's: nothing in it is
// believed to be of the type that it should have, texts are made safe, and depth is
// bounded.
//
// A value goes on one line where it fits, otherwise one line a member.
#include <fmt/format.h>

#include <algorithm>

#include "src/base/escape.h"
#include "src/base/utf8.h"
#include "src/output/forms.h"
#include "src/output/json.h"

namespace nohalt::output {

namespace {

constexpr std::size_t kWidth = 96;
constexpr int kMaxDepth = 64;
constexpr int kMaxBrackets = 256;
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

// No record nests so deep; the JSON library copies what it has parsed by recursion.
bool is_too_deep(std::string_view json) {
  int depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') in_text = !in_text;
    if (in_text) {
      if (c == '\\') ++i;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (depth > kMaxBrackets) return true;
  }
  return false;
}

Json parsed(std::string_view json) {
  return is_too_deep(json) ? Json{} : Json::parse(json, nullptr, false);
}

// A backslash of the text's own becomes two, so that "\n" is never one thing for two.
std::string in_quotes(std::string_view text, bool is_escaped) {
  std::string shown = "\"";
  for (const char c : is_escaped ? make_printable(text) : escape_untrusted(text).text)
    shown += c == '"' ? "\\\"" : std::string(1, c);
  return shown + "\"";
}

// As the text of a log has them.
std::string in_bytes(std::string_view hex) {
  std::string shown = "<bytes";
  for (std::size_t i = 0; i < hex.size(); i += 2) shown += " " + make_printable(hex.substr(i, 2));
  return shown + ">";
}

class Tree {
 public:
  explicit Tree(const SnapshotStyle& style) : style_(style) {}

  // NAME = VALUE, newline included.
  [[nodiscard]] std::string named(const std::string& name, const Json& node, int indent) const {
    return labelled(name.empty() ? "" : make_printable(name) + " = ", node, indent, 0);
  }

 private:
  [[nodiscard]] std::string labelled(const std::string& label, const Json& node, int indent,
                                     int depth) const {
    const std::string front =
        std::string(static_cast<std::size_t>(indent), ' ') + type_of(node) + label;
    const std::string line = front + flat(node, depth);
    if (line.size() <= kWidth || !is_branch(node)) return line + "\n";
    return front + broken(node, indent, depth) + "\n";
  }

  [[nodiscard]] std::string type_of(const Json& node) const {
    const std::string type = style_.types ? text_of(node, "type") : std::string{};
    return type.empty() ? "" : "(" + type + ") ";
  }

  static bool is_branch(const Json& node) {
    const Json& value = part_of(node, "value");
    return value.is_structured() && !value.empty() && !is_leaf(node);
  }

  // A Rust enum with data: the variant that is there, with its fields.
  static bool is_alternative(const Json& node) {
    const Json& value = part_of(node, "value");
    return text_of(node, "kind") == "alternative" && value.is_object() && value.size() == 1;
  }

  static bool is_nothing(const Json& node) {
    const Json& value = part_of(node, "value");
    return value.is_structured() && value.empty();
  }

  // Rust numbers the fields of what has no names for them: __0, __1, ...
  static bool is_numbered(const Json& node) {
    const Json& value = part_of(node, "value");
    std::size_t number = 0;
    if (!value.is_object() || value.empty()) return false;
    return std::ranges::all_of(value.items(), [&number](const auto& item) {
      return item.key() == "__" + std::to_string(number++);
    });
  }

  static bool is_one_of(const Json& node, std::initializer_list<std::string_view> kinds) {
    return std::ranges::find(kinds, std::string_view{text_of(node, "kind")}) != kinds.end();
  }

  // An object that is one value for a reader.
  static bool is_leaf(const Json& node) {
    const bool leads_nowhere = is_one_of(node, {"smart_pointer"}) && only_item(node).is_null();
    return leads_nowhere || is_one_of(node, {"duration", "time_point", "function"});
  }

  // std::vector of std::__cxx11::vector<...>, HashMap of std::collections::hash::map::HashMap<...>,
  // and so for all of the libraries'; a name that the program gave it as it is.
  static std::string short_type(const Json& node) {
    constexpr std::string_view kConst = "const ";
    const std::string whole = text_of(node, "type");
    std::string type = whole.substr(whole.starts_with(kConst) ? kConst.size() : 0);
    for (const std::string_view rust : {"alloc::", "std::collections::", "hashbrown::"}) {
      if (!type.starts_with(rust) || type.find('<') == type.npos) continue;
      type.resize(type.find('<'));
      return type.substr(type.rfind(':') + 1);
    }
    if (!type.starts_with("std::")) return whole;
    type.resize(std::min(type.find('<'), type.size()));
    for (const std::string_view hidden : {"__cxx11::", "__1::", "__debug::"})
      if (const auto at = type.find(hidden); at != type.npos) type.erase(at, hidden.size());
    return type;
  }

  // What is said of a value before what it holds.
  static std::string head_of(const Json& node) {
    const Json& value = part_of(node, "value");
    if (is_one_of(node, {"array", "set", "map"})) {
      const std::string size = text_of(node, "size");
      if (size.empty()) return "";
      if (size == "0" && value.empty()) return short_type(node) + " (empty)";
      return short_type(node) + " of " + size + (size == "1" ? " item " : " items ");
    }
    const std::string state = text_of(node, "state");
    const bool exact = state.empty() || state == "exact";
    if (is_one_of(node, {"optional"}))
      return short_type(node) + (!value.empty() ? " = " : exact ? " (empty)" : "");
    if (is_one_of(node, {"variant"}))
      return short_type(node) +
             (value.empty() ? " (valueless)" : " [index " + text_of(value, "index") + "] = ");
    if (is_one_of(node, {"smart_pointer"})) return owner_of(node);
    if (is_alternative(node)) {
      const Json& fields = value.begin().value();
      return make_printable(value.begin().key()) +
             (is_nothing(fields) || is_numbered(fields) ? "" : " ");
    }
    return is_one_of(node, {"function"}) ? function_of(node) : class_of(node);
  }

  // What an object is that is of another class than its pointer says.
  static std::string class_of(const Json& node) {
    const std::string type = text_of(node, "type");
    const std::string real = text_of(node, "dynamic_type");
    if (!real.empty()) return real + ", of which " + type + " ";
    return text_of(node, "declared_type").empty() ? "" : type + " ";
  }

  static std::string owner_of(const Json& node) {
    const Json& value = part_of(node, "value");
    const std::string address = text_of(value, "address");
    const std::string uses = text_of(value, "uses");
    if (address == "0x0") return short_type(node) + " (null)";
    std::string text = short_type(node);
    if (!uses.empty()) text += " (use " + uses + ", weak " + text_of(value, "watchers") + ")";
    if (uses == "0") return text + " (expired)";
    return text + " -> " + (value.contains("target") ? "" : address);
  }

  static std::string function_of(const Json& node) {
    const std::string address = text_of(part_of(node, "value"), "address");
    const std::string symbol = text_of(node, "symbol");
    return short_type(node) +
           (address == "0x0" ? " (empty)" : " -> " + (symbol.empty() ? address : symbol));
  }

  // What is inside of a value that holds one, or null.
  static const Json& only_item(const Json& node) {
    const Json& value = part_of(node, "value");
    if (is_one_of(node, {"variant"})) return part_of(value, "item");
    if (is_alternative(node)) return value.begin().value();
    if (is_pointer(node) || is_one_of(node, {"smart_pointer"})) return part_of(value, "target");
    return value.is_array() && !value.empty() && is_one_of(node, {"optional"}) ? value[0]
                                                                               : part_of(node, "");
  }

  static std::string time_of(const Json& node) {
    const Json& value = part_of(node, "value");
    const Json& count = part_of(value, "count");
    if (const std::string time = text_of(value, "time"); !time.empty()) return time;
    const std::string number = count.is_object() ? state_of(count, false) : text_of(value, "count");
    return number + " " + text_of(value, "unit");
  }

  // The brackets around a value's parts.
  static std::pair<char, char> brackets_of(const Json& node) {
    const bool is_tuple = is_one_of(node, {"tuple"}) || is_numbered(node);
    if (is_tuple || text_of(node, "type") == "()") return {'(', ')'};
    const bool is_list = part_of(node, "value").is_array() && !is_one_of(node, {"set", "map"});
    return is_list ? std::pair{'[', ']'} : std::pair{'{', '}'};
  }

  // "name = " of a member, "[key] = " of a map's item.
  [[nodiscard]] std::string label(const Json& node, const std::string& name, const Json& inner,
                                  int depth) const {
    if (is_numbered(node)) return "";
    if (!part_of(node, "value").is_array()) return make_printable(name) + " = ";
    if (!is_entry(node, inner)) return "";
    return "[" + flat(inner["key"], depth + 1) + "] = ";
  }

  static bool is_entry(const Json& node, const Json& inner) {
    return is_one_of(node, {"map"}) && inner.is_object() && inner.contains("key");
  }

  // What stands where there is no value, or behind one that is not exact.
  static std::string state_of(const Json& node, bool is_there) {
    std::string state = text_of(node, "state");
    const std::string why = text_of(node, "why");
    if (state.empty() || state == "exact")
      return !is_there ? "<nothing>" : why.empty() ? "" : " <" + why + ">";
    std::ranges::replace(state, '_', ' ');
    return (is_there ? " <" : "<") + state + (why.empty() ? "" : ": " + why) + ">";
  }

  // Of Unicode: Rust's char, and C++'s wide ones.
  static bool is_wide(const Json& node) {
    const std::string type = text_of(node, "type");
    return type == "char" || type == "char32_t" || type == "char16_t" || type == "wchar_t";
  }

  static std::string scalar(const Json& node) {
    const Json& value = part_of(node, "value");
    const std::string kind = text_of(node, "kind");
    if (!value.is_string()) {
      const std::string text = value.dump();
      const std::uint64_t code =
          kind == "char" && value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
      const bool is_letter = code >= 0x20 && code < 0x7f;
      const std::string letter = is_letter || (code >= 0x80 && is_wide(node)) ? utf8_of(code) : "";
      return letter.empty() ? text : fmt::format("{} '{}'", text, make_printable(letter));
    }
    const std::string& text = value.get_ref<const std::string&>();
    // A text that could not be had is shown by its address.
    const bool is_text = kind == "text" || (kind.empty() && text_of(node, "state").empty());
    const std::string symbol = text_of(node, "symbol");
    if (!symbol.empty()) return make_printable(text) + " <" + symbol + ">";
    if (kind == "bytes") return in_bytes(text);
    return is_text ? in_quotes(text, text_of(node, "encoding") == "escaped") : make_printable(text);
  }

  // The null pointer says by itself that it leads to no text.
  static bool is_null(const Json& node) {
    return is_one_of(node, {"pointer"}) && text_of(node, "value") == "0x0" &&
           text_of(node, "state") == "unreadable";
  }

  // A pointer with what it leads to.
  static bool is_pointer(const Json& node) {
    return text_of(node, "kind") == "pointer" && part_of(node, "value").is_object();
  }

  [[nodiscard]] std::string flat(const Json& node, int depth) const {
    const Json& value = part_of(node, "value");
    if (value.is_null()) return state_of(node, false);
    if (depth > kMaxDepth) return "...";
    if (!value.is_structured()) return scalar(node) + (is_null(node) ? "" : state_of(node, true));
    if (is_alternative(node) && is_nothing(only_item(node)))
      return head_of(node) + state_of(node, true);
    if (const Json& inner = only_item(node); !inner.is_null())
      return front_of(node) + type_of(inner) + flat(inner, depth + 1) + state_of(node, true);
    if (is_leaf(node))
      return (is_one_of(node, {"duration", "time_point"}) ? time_of(node) : head_of(node)) +
             state_of(node, true);
    if (value.empty() && !head_of(node).empty()) return head_of(node) + state_of(node, true);
    const auto [open, close] = brackets_of(node);
    std::string text = head_of(node) + open;
    const std::size_t begin = text.size();
    for (const auto& [name, inner] : value.items()) {
      if (text.size() > kWidth) return text;  // too long for a line, however it ends
      if (text.size() > begin) text += ", ";
      const Json& item = is_entry(node, inner) ? part_of(inner, "value") : inner;
      text += type_of(item) + label(node, name, inner, depth) + flat(item, depth + 1);
    }
    return text + close + state_of(node, true);
  }

  // What stands before the one value that it holds or leads to.
  static std::string front_of(const Json& node) {
    return is_pointer(node) ? text_of(part_of(node, "value"), "address") + " -> " : head_of(node);
  }

  [[nodiscard]] std::string broken(const Json& node, int indent, int depth) const {
    const Json& value = part_of(node, "value");
    if (depth > kMaxDepth) return "...";
    if (!is_branch(node)) return flat(node, depth);
    if (const Json& inner = only_item(node); !inner.is_null())
      return front_of(node) + type_of(inner) + broken(inner, indent, depth + 1) +
             state_of(node, true);
    const auto [open, close] = brackets_of(node);
    std::string text = head_of(node) + open + "\n";
    for (const auto& [name, inner] : value.items())
      text +=
          labelled(label(node, name, inner, depth),
                   is_entry(node, inner) ? part_of(inner, "value") : inner, indent + 2, depth + 1);
    return text + std::string(static_cast<std::size_t>(indent), ' ') + close + state_of(node, true);
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

// With the name of the error, which is what a person reads.
std::string error_number_text(const Json& node, const Tree& tree) {
  if (!node.is_object()) return {};
  std::string text = tree.named("errno", node, 2);
  const std::string name = text_of(node, "symbol");
  if (!name.empty()) text.insert(text.size() - 1, " (" + name + ")");
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
  text += error_number_text(part_of(record, "errno"), tree);
  section("stack", frames_text(record, tree));
  return text;
}

}  // namespace

std::optional<std::string> record_text(std::string_view json, const SnapshotStyle& style) {
  const Json record = parsed(json);
  const std::string kind = text_of(record, "kind");
  if (kind == "snapshot") return snapshot_text(record, style);
  if (kind == "log")
    return head_text(record, style) + "  " + text_of(record, "message") + "\n" +
           frames_text(record, Tree(style));
  return std::nullopt;
}

std::string stack_text(std::string_view json, const SnapshotStyle& style) {
  return frames_text(parsed(json), Tree(style));
}

}  // namespace nohalt::output
