// Runs put together from their records, and the page for a post-mortem.
#include <fmt/format.h>

#include "src/base/escape.h"
#include "src/output/audit_forms.h"
#include "src/output/json.h"
#include "src/output/table.h"

namespace nohalt::output {

namespace {

using policy::AuditEntry;

std::string words(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts)
    if (!text.empty()) all += (all.empty() ? "" : " ") + text;
  return all;
}

std::string where(const AuditEntry& entry) {
  return words(entry.places.empty() ? entry.locations : entry.places);
}

std::string person(const AuditEntry& entry) {
  if (!entry.user.empty()) return entry.user;
  return entry.uid ? "uid " + std::to_string(*entry.uid) : "?";
}

// To the second, as people tell times.
std::string clock(const std::string& time) {
  return time.size() > 19 ? time.substr(0, 10) + " " + time.substr(11, 8) : time;
}

// In a table of Markdown; nothing in it becomes a link, markup or HTML.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : make_printable(text)) {
    if (std::string_view{"\\`*_{}[]<>()#+!|~&$"}.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out.empty() ? " " : out;
}

std::string row(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& text : cells) line += " " + cell(text) + " |";
  return line;
}

std::string notes(const AuditEntry& entry) {
  std::vector<std::string> parts;
  parts.insert(parts.end(), entry.messages.begin(), entry.messages.end());
  for (const std::string& condition : entry.conditions)
    if (!condition.empty()) parts.push_back("if " + condition);
  if (!entry.denial.empty()) parts.push_back("denied: " + entry.denial);
  if (entry.records) parts.push_back(std::to_string(*entry.records) + " records");
  if (!entry.reason.empty()) parts.push_back("“" + entry.reason + "”");
  parts.insert(parts.end(), entry.left_behind.begin(), entry.left_behind.end());
  return words(parts);
}

bool is_end(std::string_view event) {
  return event == "disarmed" || event == "expired" || event == "orphan-removed" ||
         event == "denied";
}

}  // namespace

void RunCollector::take(const AuditEntry& entry) {
  if (entry.event == "armed" && index_.try_emplace(entry.run, runs_.size()).second) {
    runs_.push_back({entry, {}, {}, {}, {}, {}});
    return;
  }
  const auto found = index_.find(entry.run);
  if (found == index_.end()) return;
  AuditRun& run = runs_[found->second];
  if (entry.event == "hit-summary") {
    run.records = entry.records;
    run.bytes = entry.bytes;
    run.digest = entry.digest;
  }
  if (!is_end(entry.event)) return;
  run.ended = entry.event;
  run.ended_at = entry.time;
}

std::string audit_runs_text(const std::vector<AuditRun>& runs) {
  std::vector<TableRow> table{
      {"ARMED (UTC)", "ENDED", "HOW", "BY", "PID", "EXECUTABLE", "WHERE", "RECORDS", "RUN", "WHY"}};
  for (const AuditRun& run : runs) {
    const AuditEntry& armed = run.armed;
    table.push_back({clock(armed.time), clock(run.ended_at),
                     run.ended.empty() ? "no record of its end" : run.ended, person(armed),
                     armed.pid ? std::to_string(*armed.pid) : "", armed.exe, where(armed),
                     run.records ? std::to_string(*run.records) : "", armed.run,
                     words({armed.ticket, armed.reason})});
  }
  return table_text(table, 0);
}

std::string audit_runs_json(const std::vector<AuditRun>& runs) {
  std::string lines;
  for (const AuditRun& run : runs) {
    ObjectBuilder object;
    object.set("schema", 1);
    object.set("kind", "audit-run");
    object.text("run", run.armed.run);
    object.text("user", run.armed.user);
    if (run.armed.uid) object.number("uid", *run.armed.uid);
    if (run.armed.pid) object.number("pid", *run.armed.pid);
    object.text("exe", run.armed.exe);
    object.text("build_id", run.armed.build_id);
    object.texts("places", run.armed.places);
    object.texts("locations", run.armed.locations);
    object.texts("messages", run.armed.messages);
    object.text("armed", run.armed.time);
    object.text("ended", run.ended_at);
    object.text("how", run.ended);
    if (run.records) object.number("records", *run.records);
    if (run.bytes) object.number("bytes", *run.bytes);
    object.text("digest", run.digest);
    object.text("ticket", run.armed.ticket);
    object.text("reason", run.armed.reason);
    lines += json_line(object.finish());
  }
  return lines;
}

std::vector<std::string> audit_timeline(const std::string& ticket,
                                        const std::vector<AuditEntry>& entries) {
  std::vector<std::string> page{"# What was looked at for " + cell(ticket), ""};
  if (!entries.empty())
    page.push_back(fmt::format("Records {} to {} of the audit trail of {}. Times are UTC.",
                               entries.front().seq, entries.back().seq,
                               cell(entries.front().host)));
  page.insert(page.end(), {"", "| record | time | event | who | process | where | notes |",
                           "| --- | --- | --- | --- | --- | --- | --- |"});
  for (const AuditEntry& entry : entries)
    page.push_back(row({std::to_string(entry.seq), clock(entry.time), entry.event, person(entry),
                        words({entry.pid ? std::to_string(*entry.pid) : "", entry.exe}),
                        where(entry), notes(entry)}));
  page.insert(page.end(), {"", "## Runs", "",
                           "| run | who | from | to | how it ended | records | bytes | digest |",
                           "| --- | --- | --- | --- | --- | --- | --- | --- |"});
  RunCollector collector;
  for (const AuditEntry& entry : entries) collector.take(entry);
  for (const AuditRun& run : collector.runs())
    page.push_back(row({run.armed.run, person(run.armed), clock(run.armed.time),
                        clock(run.ended_at), run.ended.empty() ? "no record of its end" : run.ended,
                        run.records ? std::to_string(*run.records) : "",
                        run.bytes ? std::to_string(*run.bytes) : "", run.digest}));
  return page;
}

}  // namespace nohalt::output
