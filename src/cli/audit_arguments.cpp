// Each verb with the options that it takes; all else follows from the table.
#include "src/cli/audit_arguments.h"

#include <algorithm>
#include <array>
#include <span>

#include "policy/audit/event.h"
#include "src/base/escape.h"
#include "src/base/suggest.h"
#include "src/base/time_text.h"
#include "src/base/units.h"

namespace nohalt::cli {

namespace {

using session::AuditVerb;

constexpr std::uint64_t kLargestPid = 4'194'304;

struct VerbWords {
  std::string_view name;
  AuditVerb verb;
  std::string_view options;  // beside those that every command takes
};

constexpr std::string_view kFilters = " pid user exe since until ticket run event ";

constexpr std::array<VerbWords, 5> kVerbs{{{"show", AuditVerb::kShow, kFilters},
                                           {"who", AuditVerb::kWho, " pid user exe since until "},
                                           {"verify", AuditVerb::kVerify, " checkpoint "},
                                           {"export", AuditVerb::kExport, kFilters},
                                           {"bundle", AuditVerb::kBundle, " "}}};

constexpr std::array<const char*, 9> kOptions{"pid",    "user", "exe",   "since",     "until",
                                              "ticket", "run",  "event", "checkpoint"};

std::unexpected<Error> usage(std::string reason, std::string message, std::string hint) {
  return fail(ErrorCode::kUsage, std::move(reason), std::move(message), std::move(hint));
}

std::string in_quotes(std::string_view text) { return "\"" + escape_untrusted(text).text + "\""; }

Result<VerbWords> read_verb(const Words& words) {
  constexpr const char* kHint =
      "audit show, who, verify, export or bundle; see nohalt audit --help.";
  if (words.arguments.empty())
    return usage("missing-verb", "audit needs to be told what to do.", kHint);
  const std::string& name = words.arguments[0];
  const auto found = std::ranges::find(kVerbs, name, &VerbWords::name);
  if (found != kVerbs.end()) return *found;
  std::vector<std::string_view> names;
  for (const VerbWords& verb : kVerbs) names.push_back(verb.name);
  const std::string_view near = nearest(name, names);
  return usage("unknown-verb", "audit cannot " + in_quotes(name) + ".",
               near.empty() ? kHint : "Did you mean audit " + std::string{near} + "?");
}

Status check_options(const Words& words, const VerbWords& verb) {
  for (const std::string_view option : kOptions) {
    const std::string name{option};
    if (!words.has(name)) continue;
    const std::string shown = name == "pid" ? "-p" : "--" + name;
    if (verb.options.find(" " + name + " ") == std::string_view::npos)
      return usage("option-of-another-command",
                   "audit " + std::string{verb.name} + " does not take " + shown + ".",
                   "See nohalt audit --help.");
    if (words.text(name).empty())
      return usage("empty-value", shown + " needs a value.", "See nohalt audit --help.");
  }
  return {};
}

// A time, or how long ago.
Status read_time(const Words& words, const char* name, std::string& to) {
  if (!words.has(name)) return {};
  const std::string text = words.text(name);
  if (const auto time = parse_rfc3339(text)) {
    to = rfc3339_utc(*time);
    return {};
  }
  if (const auto ago = parse_duration(text)) {
    to = rfc3339_utc(now_wall_ns() - std::chrono::nanoseconds{*ago}.count());
    return {};
  }
  return usage("unknown-time", "--" + std::string{name} + ": " + in_quotes(text) + " is no time.",
               "Write how long ago (2h), a day (2026-01-31) or a time in UTC "
               "(2026-01-31T10:15:00Z).");
}

Status read_event(const Words& words, std::string& to) {
  if (!words.has("event")) return {};
  to = words.text("event");
  std::vector<std::string_view> names;
  for (const policy::EventKind kind : policy::kAllEvents) names.push_back(policy::event_name(kind));
  if (std::ranges::find(names, to) != names.end()) return {};
  std::string list;
  for (const std::string_view name : names) list += (list.empty() ? "" : ", ") + std::string{name};
  return usage("unknown-event", "--event: " + in_quotes(to) + " is no event.",
               "Events are " + list + ".");
}

Result<policy::AuditFilter> read_filter(const Words& words) {
  policy::AuditFilter filter;
  if (words.has("pid")) {
    auto pid = parse_count(words.text("pid"), "a process id", kLargestPid);
    if (!pid) return usage(pid.error().reason, "-p: " + pid.error().message, pid.error().hint);
    filter.pid = *pid;
  }
  filter.user = words.text("user");
  filter.exe = words.text("exe");
  filter.ticket = words.text("ticket");
  filter.run = words.text("run");
  NOHALT_CHECK(read_time(words, "since", filter.since));
  NOHALT_CHECK(read_time(words, "until", filter.until));
  NOHALT_CHECK(read_event(words, filter.event));
  return filter;
}

Result<session::ExportForm> read_export_form(const Words& words) {
  const std::string text = words.text("format");
  if (!words.has("format") || text == "json") return session::ExportForm::kJson;
  if (text == "csv") return session::ExportForm::kCsv;
  if (text == "cef") return session::ExportForm::kCef;
  return usage("unknown-format", in_quotes(text) + " is not a format of audit export.",
               "Formats are json, csv and cef.");
}

// What stands behind the verb.
Status take_argument(const std::string& text, session::AuditCommand& command) {
  switch (command.verb) {
    case AuditVerb::kShow:
    case AuditVerb::kExport:
    case AuditVerb::kVerify:
      command.file = text;
      return {};
    case AuditVerb::kWho:
      command.filter.place = text;
      if (text.empty() && !command.filter.pid)
        return usage("missing-place", "audit who needs -p PID or a place.",
                     "Write for example: nohalt audit who orders.c:142");
      return {};
    case AuditVerb::kBundle:
      command.filter.ticket = text;
      if (text.empty())
        return usage("missing-ticket", "audit bundle needs a TICKET.",
                     "Write for example: nohalt audit bundle INC-42 -o INC-42.bundle");
      if (command.common.output_file.empty())
        return usage("missing-output", "audit bundle needs -o FILE: stdout gets its timeline.",
                     "Write for example: nohalt audit bundle INC-42 -o INC-42.bundle");
      return {};
  }
  return {};
}

}  // namespace

bool is_audit_export(const Words& words) {
  return words.command == "audit" && !words.arguments.empty() && words.arguments[0] == "export";
}

Result<session::AuditCommand> read_audit(const Words& words, session::CommonOptions common) {
  NOHALT_TRY(const VerbWords verb, read_verb(words));
  NOHALT_CHECK(check_options(words, verb));
  session::AuditCommand command;
  command.common = std::move(common);
  command.verb = verb.verb;
  NOHALT_TRY(command.filter, read_filter(words));
  command.checkpoint = words.text("checkpoint");
  if (verb.verb == AuditVerb::kExport) {
    NOHALT_TRY(command.form, read_export_form(words));
  }
  NOHALT_CHECK(take_argument(words.arguments.size() > 1 ? words.arguments[1] : "", command));
  return command;
}

}  // namespace nohalt::cli
