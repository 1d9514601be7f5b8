// Lines, CSV and CEF. Each form has its own way to be broken out of: a terminal by
// control characters, a table by quotes and newlines, a spreadsheet by what looks
// like a formula (OWASP, "CSV Injection"), CEF by bars, equals signs and backslashes
// ("Implementing ArcSight CEF", revision 25).
#include "src/output/audit_forms.h"

#include <fmt/format.h>

#include <span>

#include "src/base/escape.h"
#include "src/base/time_text.h"

namespace nohalt::output {

namespace {

using policy::AuditEntry;

std::string joined(const std::vector<std::string>& texts, const char* between = "; ") {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : between) + text;
  return all;
}

std::string number_text(const std::optional<std::uint64_t>& number) {
  return number ? std::to_string(*number) : std::string{};
}

const std::vector<std::string>& where(const AuditEntry& entry) {
  return entry.places.empty() ? entry.locations : entry.places;
}

struct Column {
  const char* name;
  std::string (*text)(const AuditEntry&);
};

constexpr Column kColumns[] = {
    {"seq", [](const AuditEntry& e) { return std::to_string(e.seq); }},
    {"time", [](const AuditEntry& e) { return e.time; }},
    {"event", [](const AuditEntry& e) { return e.event; }},
    {"run", [](const AuditEntry& e) { return e.run; }},
    {"uid", [](const AuditEntry& e) { return number_text(e.uid); }},
    {"user", [](const AuditEntry& e) { return e.user; }},
    {"loginuid", [](const AuditEntry& e) { return number_text(e.login_uid); }},
    {"tty", [](const AuditEntry& e) { return e.tty; }},
    {"host", [](const AuditEntry& e) { return e.host; }},
    {"pid", [](const AuditEntry& e) { return number_text(e.pid); }},
    {"start_time", [](const AuditEntry& e) { return number_text(e.start_time); }},
    {"exe", [](const AuditEntry& e) { return e.exe; }},
    {"build_id", [](const AuditEntry& e) { return e.build_id; }},
    {"kinds", [](const AuditEntry& e) { return joined(e.kinds); }},
    {"locations", [](const AuditEntry& e) { return joined(e.locations); }},
    {"places", [](const AuditEntry& e) { return joined(e.places); }},
    {"messages", [](const AuditEntry& e) { return joined(e.messages); }},
    {"conditions", [](const AuditEntry& e) { return joined(e.conditions); }},
    {"rule", [](const AuditEntry& e) { return e.rule; }},
    {"policy_hash", [](const AuditEntry& e) { return e.policy_hash; }},
    {"reason", [](const AuditEntry& e) { return e.reason; }},
    {"ticket", [](const AuditEntry& e) { return e.ticket; }},
    {"denial", [](const AuditEntry& e) { return e.denial; }},
    {"records", [](const AuditEntry& e) { return number_text(e.records); }},
    {"bytes", [](const AuditEntry& e) { return number_text(e.bytes); }},
    {"digest", [](const AuditEntry& e) { return e.digest; }},
    {"left_behind", [](const AuditEntry& e) { return joined(e.left_behind); }},
    {"read", [](const AuditEntry& e) { return e.read; }},
};

// Also behind spaces, and in their full-width forms.
bool looks_like_formula(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  for (const std::string_view sign :
       {"=", "+", "-", "@", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20"})
    if (text.starts_with(sign)) return true;
  return false;
}

std::string csv_cell(const std::string& text) {
  const std::string safe = make_printable(text);
  std::string cell = looks_like_formula(safe) ? "\"'" : "\"";
  for (const char c : safe) cell += c == '"' ? std::string{"\"\""} : std::string{c};
  return cell + "\"";
}

std::string escaped(const std::string& text, std::string_view to_escape) {
  std::string out;
  for (const char c : make_printable(text)) {
    if (to_escape.find(c) != to_escape.npos) out += '\\';
    out += c;
  }
  return out;
}

int severity(std::string_view event) {
  if (event == "policy-changed") return 7;
  if (event == "denied") return 5;
  if (event == "armed" || event == "removal-requested") return 4;
  return event == "checkpoint" || event == "rotated" ? 1 : 3;
}

}  // namespace

std::string audit_text(const AuditEntry& entry) {
  std::vector<std::string> parts;
  const auto add = [&](const std::string& text) {
    if (!text.empty()) parts.push_back(text);
  };
  if (entry.pid) add("pid " + std::to_string(*entry.pid));
  add(entry.exe);
  add(joined(where(entry), " "));
  for (const std::string& message : entry.messages) add(message.empty() ? "" : "'" + message + "'");
  for (const std::string& condition : entry.conditions)
    add(condition.empty() ? "" : "if " + condition);
  for (const std::string& capture : entry.captures) add("captures " + capture);
  add(entry.denial);
  if (entry.records) add(std::to_string(*entry.records) + " record(s)");
  add(joined(entry.left_behind));
  add(entry.read);
  if (!entry.previous_policy_hash.empty())
    add("policy " + entry.policy_hash.substr(0, 12) + " after " +
        entry.previous_policy_hash.substr(0, 12));
  add(entry.ticket);
  add(entry.reason.empty() ? "" : "\"" + entry.reason + "\"");
  add(entry.run.empty() ? "" : "run " + entry.run);
  const std::string time = entry.time.size() > 19 ? entry.time.substr(0, 19) + "Z" : entry.time;
  const std::string user =
      entry.user.empty() && entry.uid ? std::to_string(*entry.uid) : entry.user;
  return make_printable(fmt::format("{:>6}  {:<20}  {:<17}  {:<8}  {}", entry.seq, time,
                                    entry.event, user, joined(parts, "  "))) +
         "\n";
}

std::string audit_csv_header() {
  std::string row;
  for (const Column& column : kColumns) row += (row.empty() ? "" : ",") + std::string{column.name};
  return row + "\n";
}

std::string audit_csv(const AuditEntry& entry) {
  std::string row;
  for (const Column& column : kColumns)
    row += (row.empty() ? "" : ",") + csv_cell(column.text(entry));
  return row + "\n";
}

std::string audit_cef(const AuditEntry& entry) {
  std::string line = fmt::format("CEF:0|nohalt|nohalt|1|{0}|{0}|{1}|", escaped(entry.event, "\\|"),
                                 severity(entry.event));
  const char* separator = "";
  const auto add = [&](const char* key, const std::string& text) {
    if (text.empty()) return;
    line += fmt::format("{}{}={}", separator, key, escaped(text, "\\="));
    separator = " ";
  };
  const auto add_labelled = [&](const char* key, const char* label, const std::string& text) {
    if (!text.empty()) add((std::string{key} + "Label").c_str(), label);
    add(key, text);
  };
  add("externalId", std::to_string(entry.seq));
  if (const auto time = parse_rfc3339(entry.time)) add("rt", std::to_string(*time / 1'000'000));
  add("dvchost", entry.host);
  add("suid", number_text(entry.uid));
  add("suser", entry.user);
  add("dpid", number_text(entry.pid));
  add("dproc", entry.exe);
  add("reason", entry.denial);
  add("msg", entry.reason);
  add("out", number_text(entry.bytes));
  add("cnt", number_text(entry.records));
  add_labelled("cs1", "ticket", entry.ticket);
  add_labelled("cs2", "run", entry.run);
  add_labelled("cs3", "place", joined(where(entry)));
  add_labelled("cs4", "rule", entry.rule);
  add_labelled("cs5", "message", joined(entry.messages));
  add_labelled("cs6", "read", entry.read);
  return line + "\n";
}

}  // namespace nohalt::output
