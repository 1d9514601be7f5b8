// `nohalt audit`: reading the trail. What is read is noted in the trail first; where
// that cannot be done nothing is shown. Verifying shows no record and is not noted:
// it must leave what it judges as it is.
#include <algorithm>
#include <array>

#include "policy/access/authority.h"
#include "policy/audit/bundle.h"
#include "policy/audit/digest.h"
#include "policy/audit/key.h"
#include "policy/audit/trail.h"
#include "policy/audit/verify.h"
#include "src/base/escape.h"
#include "src/base/time_text.h"
#include "src/output/audit_forms.h"
#include "src/output/talk.h"
#include "src/session/answer.h"
#include "src/session/audit_trail.h"
#include "src/session/session.h"

namespace nohalt::session {

namespace {

using policy::AuditEntry;
using policy::AuditFilter;

std::string filter_text(const AuditFilter& filter) {
  std::string text;
  const auto add = [&text](const char* name, const std::string& value) {
    if (!value.empty()) text += std::string{" "} + name + " " + value;
  };
  add("--user", filter.user);
  add("-p", filter.pid ? std::to_string(*filter.pid) : "");
  add("--exe", filter.exe);
  add("--since", filter.since);
  add("--until", filter.until);
  add("--ticket", filter.ticket);
  add("--run", filter.run);
  add("--event", filter.event);
  add("", filter.place);
  return text;
}

std::string_view verb_name(AuditVerb verb) {
  constexpr std::array<std::string_view, 5> kNames{"show", "who", "verify", "export", "bundle"};
  return kNames[static_cast<std::size_t>(verb)];
}

// What is read, as it stood before the reading was noted; only a bundle takes the
// note's own checkpoint in, which signs all that it holds.
struct OpenedTrail {
  policy::Caller caller;
  policy::Trails trails;
  policy::TrailReader reader;
  policy::TrailName name;
};

// Where a policy is in force, to read takes a right of it. `rule`: what the answer goes by.
Status admit_reader(const AuditCommand& command, const policy::Caller& caller, std::string& rule) {
  NOHALT_TRY(const policy::Authority authority,
             policy::Authority::load(policy::PolicySources::usual(command.common.policy_file)));
  if (!authority.is_builtin())
    rule = authority.deciding_rule(caller, nullptr, {policy::Right::kAudit});
  return authority.admit_person(caller, policy::Right::kAudit);
}

Result<OpenedTrail> open_noted(const AuditCommand& command) {
  policy::Caller caller = policy::Caller::current();
  NOHALT_TRY(policy::Trails trails, open_trail(caller, command.common));
  policy::Event read;
  read.kind = policy::EventKind::kAuditRead;
  read.who = caller;
  read.read = std::string{verb_name(command.verb)} + filter_text(command.filter);
  if (!command.file.empty()) read.read += " " + command.file;
  if (const Status admitted = admit_reader(command, caller, read.rule); !admitted) {
    read.kind = policy::EventKind::kDenied;
    read.denial = admitted.error().reason;
    NOHALT_CHECK(trails.append(read));
    return std::unexpected(admitted.error());
  }
  NOHALT_TRY(policy::TrailName name, trail_to_read(caller, command.common, command.file));
  NOHALT_TRY(policy::TrailReader reader, open_to_read(name));
  NOHALT_CHECK(trails.append(read));
  if (command.verb == AuditVerb::kBundle) {
    NOHALT_TRY(reader, open_to_read(name));
  }
  return OpenedTrail{std::move(caller), std::move(trails), std::move(reader), std::move(name)};
}

// Hands on each record that is asked for, in order.
template <class Take>
Status for_each_entry(const policy::TrailReader& reader, const AuditFilter& filter,
                      const Take& take) {
  Status taken;
  NOHALT_CHECK(reader.read([&](const policy::TrailLine& line) {
    if (!taken || line.is_continued) return;
    const auto entry = policy::parse_entry(line.bytes);
    if (entry && filter.matches(*entry)) taken = take(*entry, line.bytes);
  }));
  return taken;
}

std::string json_of(std::string_view line) { return escape_in_json(line) + "\n"; }

// Checkpoints and the seams between files are shown only where they are asked for.
bool is_of_the_trail(const AuditEntry& entry) {
  return entry.event == "checkpoint" || entry.event == "rotated";
}

Status show(const AuditCommand& command) {
  NOHALT_TRY(const OpenedTrail opened, open_noted(command));
  NOHALT_TRY(LongAnswer answer, LongAnswer::open(command.common));
  const bool json = command.common.format == Format::kJson;
  NOHALT_CHECK(for_each_entry(opened.reader, command.filter,
                              [&](const AuditEntry& entry, std::string_view line) -> Status {
                                if (command.filter.event.empty() && is_of_the_trail(entry))
                                  return {};
                                return answer.put(json ? json_of(line) : output::audit_text(entry));
                              }));
  return answer.finish();
}

Status export_records(const AuditCommand& command) {
  NOHALT_TRY(const OpenedTrail opened, open_noted(command));
  NOHALT_TRY(LongAnswer answer, LongAnswer::open(command.common));
  const auto in_form = [&](const AuditEntry& entry, std::string_view line) {
    if (command.form == ExportForm::kCsv) return output::audit_csv(entry);
    if (command.form == ExportForm::kCef) return output::audit_cef(entry);
    return json_of(line);
  };
  if (command.form == ExportForm::kCsv) NOHALT_CHECK(answer.put(output::audit_csv_header()));
  NOHALT_CHECK(for_each_entry(opened.reader, command.filter,
                              [&](const AuditEntry& entry, std::string_view line) {
                                return answer.put(in_form(entry, line));
                              }));
  return answer.finish();
}

// The place is asked of `armed` only; the records of its end name the run.
Status who(const AuditCommand& command) {
  NOHALT_TRY(const OpenedTrail opened, open_noted(command));
  output::RunCollector collector;
  NOHALT_CHECK(for_each_entry(opened.reader, {}, [&](const AuditEntry& entry, auto) -> Status {
    if (entry.event != "armed" || command.filter.matches(entry)) collector.take(entry);
    return {};
  }));
  const bool json = command.common.format == Format::kJson;
  NOHALT_TRY(LongAnswer answer, LongAnswer::open(command.common));
  NOHALT_CHECK(answer.put(json ? output::audit_runs_json(collector.runs())
                               : output::audit_runs_text(collector.runs())));
  return answer.finish();
}

// Texts of the policies that the records name, where their files still hold them.
std::map<std::string, std::string> policies_of(const AuditCommand& command,
                                               const std::vector<AuditEntry>& entries) {
  const auto authority =
      policy::Authority::load(policy::PolicySources::usual(command.common.policy_file));
  const auto is_named = [&](const AuditEntry& entry) {
    return entry.policy_hash == authority->policy_hash();
  };
  if (!authority || std::ranges::none_of(entries, is_named)) return {};
  return {{authority->policy_hash(), authority->text()}};
}

// Sealed by who may write the trail: root's key vouches for nothing that others may write.
Status write_bundle_of(const OpenedTrail& opened, const policy::BundleHead& head,
                       const std::vector<AuditEntry>& entries,
                       const std::vector<std::string>& timeline, const policy::PutLine& put) {
  NOHALT_TRY(const policy::PersonsPower power, power_for(opened.name));
  NOHALT_TRY(const std::string folder, policy::usual_key_folder(opened.caller, power));
  NOHALT_CHECK(policy::ensure_key(folder));
  return policy::write_bundle(opened.reader, head, entries, timeline, folder, put);
}

Status bundle(const AuditCommand& command) {
  NOHALT_TRY(const OpenedTrail opened, open_noted(command));
  const std::string& ticket = command.filter.ticket;
  NOHALT_TRY(const std::vector<AuditEntry> entries,
             policy::entries_of_ticket(opened.reader, ticket));
  if (entries.empty())
    return fail(ErrorCode::kUsage, "no-such-ticket",
                "No record of the trail has the ticket " + escape_untrusted(ticket).text + ".",
                "nohalt audit show lists the records with their tickets.");
  const policy::BundleHead head{ticket, rfc3339_utc(now_wall_ns()), opened.caller,
                                opened.reader.path(), policies_of(command, entries)};
  const std::vector<std::string> timeline = output::audit_timeline(ticket, entries);
  NOHALT_TRY(LongAnswer file, LongAnswer::open(command.common));
  const auto put = [&](const std::string& line) { return file.put(line); };
  NOHALT_CHECK(write_bundle_of(opened, head, entries, timeline, put));
  NOHALT_CHECK(file.finish());
  NOHALT_TRY(LongAnswer page, LongAnswer::open({}));
  for (const std::string& line : timeline) NOHALT_CHECK(page.put(line + "\n"));
  return page.finish();
}

Result<std::vector<policy::KeptCheckpoint>> kept_checkpoints(const std::string& path) {
  if (path.empty()) return std::vector<policy::KeptCheckpoint>{};
  const auto content = policy::read_persons_file(path);
  if (!content)
    return fail(ErrorCode::kUsage, "unreadable-checkpoint",
                make_printable(content.error().message) + ".",
                "Name a file of checkpoints, such as journalctl -t nohalt -o cat gives.");
  auto kept = policy::read_checkpoints(*content);
  if (!kept.empty()) return kept;
  return fail(ErrorCode::kUsage, "no-checkpoint",
              "There is no checkpoint in " + make_printable(path) + ".",
              "Name a file of checkpoints, such as journalctl -t nohalt -o cat gives.");
}

bool looks_like_bundle(const policy::TrailName& name) {
  const auto power = power_for(name);
  return power && policy::looks_like_bundle(name.path);
}

Result<output::AuditVerdict> judge(const AuditCommand& command) {
  const policy::Caller caller = policy::Caller::current();
  output::AuditVerdict verdict;
  NOHALT_TRY(const policy::TrailName name, trail_to_read(caller, command.common, command.file));
  verdict.path = name.path;
  NOHALT_TRY(const auto kept, kept_checkpoints(command.checkpoint));
  verdict.compared = !kept.empty();
  NOHALT_TRY(const policy::TrailReader reader, open_to_read(name));
  verdict.files = reader.files();
  if (const auto folder = policy::usual_key_folder(caller))
    verdict.own_key = policy::public_key(*folder).value_or("");
  if (!looks_like_bundle(name)) {
    NOHALT_TRY(verdict.chain, policy::verify_trail(reader, kept));
    return verdict;
  }
  NOHALT_TRY(policy::BundleReport report, policy::verify_bundle(reader, kept));
  verdict.chain = std::move(report.chain);
  verdict.ticket = std::move(report.ticket);
  verdict.sealed_by = std::move(report.sealed_by);
  verdict.bundle_faults = std::move(report.faults);
  return verdict;
}

Status verify(const AuditCommand& command, bool& holds) {
  NOHALT_TRY(const output::AuditVerdict verdict, judge(command));
  holds = verdict.holds();
  NOHALT_TRY(LongAnswer answer, LongAnswer::open(command.common));
  NOHALT_CHECK(answer.put(command.common.format == Format::kJson
                              ? output::audit_verdict_json(verdict)
                              : output::audit_verdict_text(verdict)));
  return answer.finish();
}

}  // namespace

int run_audit(const AuditCommand& command) {
  bool holds = true;
  Status done;
  switch (command.verb) {
    case AuditVerb::kShow:
      done = show(command);
      break;
    case AuditVerb::kWho:
      done = who(command);
      break;
    case AuditVerb::kExport:
      done = export_records(command);
      break;
    case AuditVerb::kBundle:
      done = bundle(command);
      break;
    case AuditVerb::kVerify:
      done = verify(command, holds);
      break;
  }
  if (!done) {
    output::Talk{}.error(done.error());
    return exit_status(done.error().code);
  }
  return holds ? 0 : exit_status(ErrorCode::kRefused);
}

}  // namespace nohalt::session
