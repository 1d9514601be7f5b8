// The shape has been checked before, and the whole, so that what is here can only be
// absent, not wrong.
#include "policy/file/reader.h"

#include <algorithm>
#include <charconv>

#include "policy/file/policy_shape.h"
#include "policy/file/whole_check.h"
#include "src/base/escape.h"
#include "src/base/units.h"

namespace nohalt::policy {

namespace {

Position position_of(const Node& node) { return {node.line, node.column}; }

std::vector<Principal> principals_of(const Node& list) {
  std::vector<Principal> principals;
  for (const Node& item : list.items) principals.push_back(principal_of(item));
  return principals;
}

template <class Value, class Read>
void take(const Node& map, std::string_view key, Value& value, Read read) {
  if (const Node* node = map.find(key)) value = read(*node);
}
template <auto kParse>
auto quantity(const Node& node) {
  return *kParse(node.text);
}

Members members_of(const Node& node) {
  Members members;
  members.at = position_of(node);
  take(node, "users", members.users, principals_of);
  take(node, "groups", members.groups, principals_of);
  return members;
}

Where where_of(const Node& node) {
  Where where;
  where.at = position_of(node);
  take(node, "exe", where.exe, texts_of);
  take(node, "run_as", where.run_as, principals_of);
  take(node, "build_id", where.build_id, texts_of);
  take(node, "env", where.env, texts_of);
  take(node, "cgroup", where.cgroup, texts_of);
  take(node, "container", where.container, texts_of);
  return where;
}

AllowDeny allow_deny_of(const Node& node) {
  AllowDeny rules;
  rules.at = position_of(node);
  take(node, "allow", rules.allow, texts_of);
  take(node, "deny", rules.deny, texts_of);
  return rules;
}

RoleLimits limits_of(const Node& node) {
  RoleLimits limits;
  limits.at = position_of(node);
  take(node, "probes", limits.probes,
       [](const Node& n) { return static_cast<std::uint32_t>(number_of(n)); });
  take(node, "hits_per_second", limits.hits_per_second, number_of);
  take(node, "bytes_per_second", limits.bytes_per_second, quantity<parse_size>);
  take(node, "lease", limits.lease, quantity<parse_duration>);
  take(node, "cpu", limits.cpu_share, quantity<parse_percent>);
  take(node, "hold", limits.hold, quantity<parse_duration>);
  take(node, "snapshot", limits.snapshot_bytes, quantity<parse_size>);
  take(node, "resident", limits.resident_bytes, quantity<parse_size>);
  take(node, "target", limits.target, totals_of);
  take(node, "user", limits.user, totals_of);
  take(node, "host", limits.host, totals_of);
  take(node, "exceed", limits.refuse_excess, [](const Node& n) { return n.text == "refuse"; });
  return limits;
}

Requirements requirements_of(const Node& node) {
  Requirements require;
  require.at = position_of(node);
  take(node, "reason", require.reason, truth_of);
  take(node, "ticket", require.ticket, [](const Node& n) { return n.text; });
  take(node, "approvals", require.approvals,
       [](const Node& n) { return static_cast<std::uint32_t>(number_of(n)); });
  return require;
}

Role role_of(const Node& node) {
  Role role;
  role.at = position_of(node);
  role.name = node.find("name")->text;
  role.members = members_of(*node.find("members"));
  role.may = rights_of(*node.find("may"));
  role.may_at = position_of(*node.find("may"));
  role.where = where_of(*node.find("where"));
  take(node, "sources", role.sources, allow_deny_of);
  take(node, "functions", role.functions, allow_deny_of);
  take(node, "limits", role.limits, limits_of);
  take(node, "require", role.require, requirements_of);
  take(node, "until", role.until, [](const Node& n) { return parse_instant(n.text); });
  take(node, "until", role.until_at, position_of);
  take(node, "break_glass", role.break_glass, truth_of);
  return role;
}

DenyRule deny_rule_of(const Node& node, std::size_t number) {
  DenyRule rule;
  rule.at = position_of(node);
  rule.name = "deny-" + std::to_string(number);
  take(node, "name", rule.name, [](const Node& n) { return n.text; });
  take(node, "members", rule.members, members_of);
  take(node, "may", rule.may, rights_of);
  take(node, "where", rule.where, where_of);
  take(node, "sources", rule.sources, texts_of);
  take(node, "functions", rule.functions, texts_of);
  return rule;
}

RedactAction action_of(const Node& node) {
  if (node.text == "drop") return RedactAction::kDrop;
  return node.text == "hash" ? RedactAction::kHash : RedactAction::kMask;
}

// Each is the text itself, or a map with it under `key`.
std::vector<ReadRule> read_rules_of(const Node& list, std::string_view key) {
  std::vector<ReadRule> rules;
  for (const Node& item : list.items) {
    const Node* text = item.kind == Node::Kind::kMap ? item.find(key) : &item;
    ReadRule& rule = rules.emplace_back(ReadRule{text->text, {}, position_of(item)});
    take(item, "action", rule.action, action_of);
  }
  return rules;
}

ValueRule value_rule_of(const Node& node) {
  ValueRule rule{node.text, {}, {}, position_of(node)};
  take(node, "name", rule.name, [](const Node& n) { return n.text; });
  take(node, "pattern", rule.pattern, [](const Node& n) { return n.text; });
  take(node, "action", rule.action, action_of);
  return rule;
}

RedactRules redact_of(const Node& node) {
  RedactRules redact;
  redact.at = position_of(node);
  take(node, "mode", redact.mode, [](const Node& n) {
    return n.text == "strict" ? RedactMode::kStrict : RedactMode::kTargeted;
  });
  take(node, "mode", redact.mode_at, position_of);
  take(node, "action", redact.action, action_of);
  take(node, "names", redact.names, [](const Node& n) { return read_rules_of(n, "name"); });
  take(node, "types", redact.types, [](const Node& n) { return read_rules_of(n, "type"); });
  take(node, "sources", redact.sources, [](const Node& n) { return read_rules_of(n, "source"); });
  if (const Node* values = node.find("values"))
    for (const Node& value : values->items) redact.values.push_back(value_rule_of(value));
  return redact;
}

}  // namespace

std::uint64_t number_of(const Node& node) {
  std::uint64_t value = 0;
  std::from_chars(node.text.data(), node.text.data() + node.text.size(), value);
  return value;
}

bool truth_of(const Node& node) { return node.text[0] == 't' || node.text[0] == 'T'; }

// A text of digits is a number too, as in the user database's tools.
Principal principal_of(const Node& node) {
  Principal principal;
  const char* end = node.text.data() + node.text.size();
  const auto read = std::from_chars(node.text.data(), end, principal.id);
  if (read.ec != std::errc{} || read.ptr != end) principal.name = node.text;
  return principal;
}

Totals totals_of(const Node& node) {
  Totals totals;
  take(node, "probes", totals.probes,
       [](const Node& n) { return static_cast<std::uint32_t>(number_of(n)); });
  take(node, "hits_per_second", totals.hits_per_second, number_of);
  take(node, "bytes_per_second", totals.bytes_per_second, quantity<parse_size>);
  take(node, "cpu", totals.cpu_share, quantity<parse_percent>);
  return totals;
}

std::vector<Right> rights_of(const Node& list) {
  std::vector<Right> rights;
  for (const Node& item : list.items)
    if (const auto right = right_named(item.text)) rights.push_back(*right);
  return rights;
}

std::vector<std::string> texts_of(const Node& list) {
  std::vector<std::string> texts;
  for (const Node& item : list.items) texts.push_back(item.text);
  return texts;
}

ReadRules read_rules(const Node& root, std::string name) {
  ReadRules read;
  read.rules.file = std::move(name);
  read.mistakes = check_shape(root, policy_shape());
  check_whole(root, read.mistakes);
  in_file_order(read.mistakes);
  if (!read.mistakes.empty()) return read;
  Rules& rules = read.rules;
  take(root, "source_root", rules.source_root, [](const Node& n) { return n.text; });
  if (const Node* audit = root.find("audit")) rules.audit_file = audit->find("file")->text;
  if (const Node* roles = root.find("roles"))
    for (const Node& role : roles->items) rules.roles.push_back(role_of(role));
  if (const Node* deny = root.find("deny"))
    for (const Node& rule : deny->items)
      rules.deny.push_back(deny_rule_of(rule, rules.deny.size() + 1));
  take(root, "redact", rules.redact, redact_of);
  return read;
}

ReadRules read_rules(std::string_view yaml, std::string name) {
  ParsedTree tree = parse_tree(yaml);
  if (tree.mistakes.empty()) return read_rules(tree.root, std::move(name));
  ReadRules read;
  read.rules.file = std::move(name);
  read.mistakes = std::move(tree.mistakes);
  return read;
}

ReadHost read_host(std::string_view yaml) {
  ReadHost host;
  ParsedTree tree = parse_tree(yaml);
  host.mistakes = std::move(tree.mistakes);
  if (!host.mistakes.empty()) return host;
  host.mistakes = check_shape(tree.root, host_shape());
  if (host.mistakes.empty()) host.env = texts_of(*tree.root.find("env"));
  return host;
}

std::string mistake_text(const std::string& file, const Mistake& mistake) {
  std::string text = escape_untrusted(file).text;
  if (mistake.line != 0)
    text += ":" + std::to_string(mistake.line) + ":" + std::to_string(mistake.column);
  text += ": " + mistake.message;
  return mistake.hint.empty() ? text : text + " " + mistake.hint;
}

}  // namespace nohalt::policy
