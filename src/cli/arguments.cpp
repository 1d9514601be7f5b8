// What the sorted words mean: units read, defaults set, each command's own
// rules checked.
#include "src/cli/arguments.h"

#include <algorithm>
#include <utility>

#include "policy/access/persons_power.h"
#include "probes/spec/probe_file.h"
#include "src/base/escape.h"
#include "src/base/units.h"
#include "src/cli/audit_arguments.h"
#include "src/cli/grammar.h"
#include "src/cli/help.h"

namespace nohalt::cli {

namespace {

constexpr std::uint64_t kLargestPid = 4'194'304;  // PID_MAX_LIMIT of 64-bit Linux

std::unexpected<Error> usage(std::string reason, std::string message, std::string hint) {
  return fail(ErrorCode::kUsage, std::move(reason), std::move(message), std::move(hint));
}

// Reads one option's text; errors get the option's name in front.
template <class To, class Parser>
Status read_option(const Words& words, const std::string& name, To& to, Parser parse) {
  if (!words.has(name)) return {};
  auto value = parse(std::string_view{words.text(name)});
  if (!value) {
    Error error = std::move(value).error();
    error.message = (name == "pid" ? "-p" : "--" + name) + ": " + error.message;
    return std::unexpected(std::move(error));
  }
  to = std::move(*value);
  return {};
}

Result<session::Format> parse_format(std::string_view text) {
  if (text == "text") return session::Format::kText;
  if (text == "json") return session::Format::kJson;
  return usage("unknown-format", "\"" + escape_untrusted(text).text + "\" is not a format.",
               "Formats are text and json.");
}

Result<session::EngineChoice> parse_engine(std::string_view text) {
  if (text == "auto") return session::EngineChoice::kAuto;
  if (text == "inline") return session::EngineChoice::kInline;
  if (text == "kernel") return session::EngineChoice::kKernel;
  return usage("unknown-engine", "\"" + escape_untrusted(text).text + "\" is not an engine.",
               "Engines are auto, inline and kernel.");
}

Result<pid_t> parse_pid(std::string_view text) {
  NOHALT_TRY(const std::uint64_t pid, parse_count(text, "a process id", kLargestPid));
  return static_cast<pid_t>(pid);
}

Result<session::CommonOptions> read_common(const Words& words, const Environment& environment) {
  session::CommonOptions common;
  NOHALT_CHECK(read_option(words, "format", common.format, parse_format));
  for (const char* name : {"output", "policy", "audit"})
    if (words.has(name) && words.text(name).empty())
      return usage("empty-value", "--" + std::string{name} + " needs the name of a file.",
                   "See nohalt --help.");
  common.output_file = words.text("output");
  common.policy_file = words.has("policy") ? words.text("policy") : environment.policy;
  common.audit_file = words.has("audit") ? words.text("audit") : environment.audit;
  common.audit_to_syslog = words.has("audit-syslog");
  if (const auto found = words.options.find("debug-dir"); found != words.options.end())
    common.debug_dirs = found->second;
  if (words.has("socket") || !environment.socket.empty())
    return usage("not-in-this-version",
                 "The service behind --socket and NOHALT_SOCKET is not in this version of nohalt.",
                 "Take off --socket and NOHALT_SOCKET; nohalt then works by itself.");
  return common;
}

// --stack alone stands for all frames that the captured stack leads to.
Status read_stack(const Words& words, std::uint32_t& frames) {
  if (!words.has("stack")) return {};
  frames = spec::kMostFrames;
  if (words.text("stack") == "true") return {};
  std::uint64_t asked = 0;
  NOHALT_CHECK(read_option(words, "stack", asked, [](std::string_view text) {
    return parse_count(text, "a number of frames", spec::kMostFrames);
  }));
  frames = static_cast<std::uint32_t>(asked);
  return {};
}

// --allow-stop alone leaves the longest hold to the policy.
Status read_stop(const Words& words, spec::ProbeSpec& probe) {
  probe.allow_stop = words.has("allow-stop");
  if (!probe.allow_stop || words.text("allow-stop") == "true") return {};
  return read_option(words, "allow-stop", probe.limits.hold, parse_duration);
}

// What the options say of every probe of the run.
Result<spec::ProbeSpec> read_probe_options(const Words& words) {
  spec::ProbeSpec probe;
  probe.condition = words.text("if");
  if (words.has("if") && probe.condition.empty())
    return usage("empty-value", "--if needs an expression.", "Write for example: --if 'n > 3'");
  if (const auto found = words.options.find("capture"); found != words.options.end())
    probe.captures = found->second;
  NOHALT_CHECK(read_option(words, "depth", probe.size.depth, parse_depth));
  NOHALT_CHECK(read_option(words, "limit", probe.limits.hits_per_second, parse_rate));
  NOHALT_CHECK(read_option(words, "hits", probe.limits.hits, parse_hits));
  NOHALT_CHECK(read_option(words, "for", probe.limits.lease, parse_duration));
  NOHALT_CHECK(read_option(words, "cpu", probe.limits.cpu_share, parse_percent));
  NOHALT_CHECK(read_stack(words, probe.stack_frames));
  NOHALT_CHECK(read_stop(words, probe));
  return probe;
}

Result<pid_t> required_pid(const Words& words) {
  pid_t pid = 0;
  NOHALT_CHECK(read_option(words, "pid", pid, parse_pid));
  if (pid == 0)
    return usage("missing-pid", words.command + " needs -p PID, the process to look into.",
                 "nohalt ps lists the processes that may be probed.");
  return pid;
}

Result<std::vector<spec::ProbeSpec>> probes_of_file(const Words& words,
                                                    const spec::ProbeSpec& options) {
  const std::string path = words.text("file");
  if (!words.arguments.empty())
    return usage("too-many-arguments", "Probes are given twice: by -f and on the command line.",
                 "Use one of them.");
  auto content = policy::read_persons_file(path);
  if (!content)
    return usage("unreadable-probe-file", escape_untrusted(content.error().message).text + ".",
                 "Give -f the name of a YAML file with a list of probes.");
  return spec::parse_probe_file(*content, path, options);
}

// What goes round other people's leave says why.
Status read_why(const Words& words, session::LogCommand& command) {
  command.reason = words.text("reason");
  command.ticket = words.text("ticket");
  command.break_glass = words.has("break-glass");
  if (!command.break_glass || !command.reason.empty()) return {};
  return usage("missing-reason", "--break-glass needs --reason TEXT.",
               "Say what cannot wait for an approval; it is recorded and raises an alarm.");
}

Result<session::LogCommand> read_log(const Words& words, const Environment& environment) {
  session::LogCommand command;
  NOHALT_TRY(command.common, read_common(words, environment));
  NOHALT_TRY(command.pid, required_pid(words));
  NOHALT_CHECK(read_option(words, "engine", command.engine, parse_engine));
  NOHALT_CHECK(read_why(words, command));
  command.pending = words.has("pending");
  NOHALT_TRY(spec::ProbeSpec probe, read_probe_options(words));
  if (words.has("file")) {
    NOHALT_TRY(command.probes, probes_of_file(words, probe));
    return command;
  }
  const auto& arguments = words.arguments;
  if (arguments.empty() || arguments[0].empty())
    return usage("missing-location", "log needs a LOCATION and a MESSAGE.",
                 "Write for example: nohalt log -p PID orders.c:142 'order {id}'");
  if (arguments.size() < 2 || arguments[1].empty())
    return usage("missing-message", "log needs a MESSAGE after the LOCATION.",
                 "Write for example: nohalt log -p PID " + escape_untrusted(arguments[0]).text +
                     " 'reached, n is {n}'");
  probe.location = arguments[0];
  probe.message = arguments[1];
  command.probes.push_back(std::move(probe));
  return command;
}

// A core file is of one thread at one moment, and begins with its stack.
Status fit_core_file(session::LogCommand& command) {
  if (command.core_file.empty()) return {};
  spec::ProbeSpec& probe = command.probes.front();
  const bool is_snapshot = probe.kind == spec::ProbeKind::kSnapshot;
  if (command.probes.size() != 1 || !is_snapshot || probe.limits.hits != 1)
    return usage("one-hit-a-core-file", "A core file holds one hit of one snapshot point.",
                 "Take off --hits, or keep records: -o FILE.json.");
  if (probe.stack_frames == 0) probe.stack_frames = spec::kMostFrames;
  return {};
}

Result<session::LogCommand> read_snap(const Words& words, const Environment& environment) {
  session::LogCommand command;
  NOHALT_TRY(command.common, read_common(words, environment));
  if (command.common.output_file.ends_with(".core"))
    command.core_file = std::exchange(command.common.output_file, {});
  // A file keeps the record, which show turns into text.
  if (!command.common.output_file.empty() && !words.has("format"))
    command.common.format = session::Format::kJson;
  NOHALT_TRY(command.pid, required_pid(words));
  NOHALT_CHECK(read_option(words, "engine", command.engine, parse_engine));
  NOHALT_CHECK(read_why(words, command));
  command.types = words.has("types");
  command.pending = words.has("pending");
  NOHALT_TRY(spec::ProbeSpec probe, read_probe_options(words));
  probe.kind = spec::ProbeKind::kSnapshot;
  if (!probe.limits.hits) probe.limits.hits = 1;
  if (words.has("file")) {
    NOHALT_TRY(command.probes, probes_of_file(words, probe));
  } else if (words.arguments.empty() || words.arguments[0].empty()) {
    return usage("missing-location", "snap needs a LOCATION.",
                 "Write for example: nohalt snap -p PID orders.c:142");
  } else {
    probe.location = words.arguments[0];
    command.probes.push_back(std::move(probe));
  }
  NOHALT_CHECK(fit_core_file(command));
  return command;
}

// Pointers are shown as they are unless --depth says otherwise: a call is one line.
Result<session::TraceCommand> read_trace(const Words& words, const Environment& environment) {
  session::TraceCommand command;
  session::LogCommand& run = command.run;
  NOHALT_TRY(run.common, read_common(words, environment));
  NOHALT_TRY(run.pid, required_pid(words));
  NOHALT_CHECK(read_option(words, "engine", run.engine, parse_engine));
  NOHALT_CHECK(read_why(words, run));
  NOHALT_TRY(command.probe, read_probe_options(words));
  command.probe.kind = spec::ProbeKind::kCalls;
  if (!words.has("depth")) command.probe.size.depth = 1;
  command.functions = words.arguments;
  const bool has_empty = std::ranges::find(command.functions, "") != command.functions.end();
  if (command.functions.empty() || has_empty)
    return usage("missing-function", "trace needs a FUNCTION.",
                 "Write for example: nohalt trace -p PID quote 'order_*'");
  return command;
}

Result<session::ShowCommand> read_show(const Words& words, const Environment& environment) {
  session::ShowCommand command;
  NOHALT_TRY(command.common, read_common(words, environment));
  command.types = words.has("types");
  if (words.arguments.empty() || words.arguments[0].empty())
    return usage("missing-file", "show needs the FILE that snap -o FILE has kept.",
                 "Write for example: nohalt show before.json");
  command.file = words.arguments[0];
  return command;
}

Result<session::PlanCommand> read_plan(const Words& words, const Environment& environment) {
  session::PlanCommand command;
  NOHALT_TRY(command.common, read_common(words, environment));
  NOHALT_TRY(command.pid, required_pid(words));
  NOHALT_CHECK(read_option(words, "engine", command.engine, parse_engine));
  command.redaction = words.has("redaction");
  NOHALT_TRY(spec::ProbeSpec probe, read_probe_options(words));
  if (words.has("file")) {
    NOHALT_TRY(command.probes, probes_of_file(words, probe));
    return command;
  }
  // With a message as `log` would show it, without one as `snap` would.
  probe.message = words.text("message");
  if (command.redaction && probe.message.empty()) probe.kind = spec::ProbeKind::kSnapshot;
  for (const std::string& location : words.arguments) {
    if (location.empty()) break;
    probe.location = location;
    command.probes.push_back(probe);
  }
  if (command.probes.empty() || command.probes.size() != words.arguments.size())
    return usage("missing-location", "plan needs a LOCATION.",
                 "Write for example: nohalt plan -p PID orders.c:142");
  return command;
}

Result<session::RmCommand> read_rm(const Words& words, const Environment& environment) {
  session::RmCommand command;
  NOHALT_TRY(command.common, read_common(words, environment));
  if (words.arguments.empty() || words.arguments[0].empty())
    return usage("missing-id", "rm needs the ID of a run.", "nohalt list shows the IDs.");
  command.id = words.arguments[0];
  return command;
}

Result<session::AuditCommand> read_audit_command(const Words& words,
                                                 const Environment& environment) {
  Words of_all = words;
  if (is_audit_export(words)) of_all.options.erase("format");
  NOHALT_TRY(session::CommonOptions common, read_common(of_all, environment));
  return read_audit(words, std::move(common));
}

Result<session::PolicyCommand> read_policy(const Words& words, const Environment& environment) {
  session::PolicyCommand command;
  NOHALT_TRY(command.common, read_common(words, environment));
  const auto& arguments = words.arguments;
  const std::string action = arguments.empty() ? "" : arguments[0];
  if (action == "check" || action == "test") {
    if (arguments.size() != 2 || arguments[1].empty())
      return usage("missing-file", "policy " + action + " needs one FILE.",
                   "Write for example: nohalt policy " + action + " team.yaml");
    command.action =
        action == "check" ? session::PolicyAction::kCheck : session::PolicyAction::kTest;
    command.file = arguments[1];
    return command;
  }
  if (action != "explain")
    return usage("missing-action", "policy needs one of check, explain and test.",
                 "See nohalt policy --help.");
  command.action = session::PolicyAction::kExplain;
  NOHALT_TRY(command.pid, required_pid(words));
  command.locations.assign(arguments.begin() + 1, arguments.end());
  if (command.locations.empty())
    return usage("missing-location", "policy explain needs a LOCATION.",
                 "Write for example: nohalt policy explain -p PID orders.c:142");
  command.rights = words.text("may");
  command.reason = words.text("reason");
  command.ticket = words.text("ticket");
  NOHALT_TRY(const spec::ProbeSpec probe, read_probe_options(words));
  command.limits = probe.limits;
  return command;
}

Result<session::RequestsCommand> read_requests(const Words& words, const Environment& environment) {
  session::RequestsCommand command;
  NOHALT_TRY(command.common, read_common(words, environment));
  if (!words.arguments.empty()) command.id = words.arguments[0];
  return command;
}

Result<session::JudgeCommand> read_judge(const Words& words, const Environment& environment) {
  session::JudgeCommand command;
  NOHALT_TRY(command.common, read_common(words, environment));
  if (words.arguments.empty() || words.arguments[0].empty())
    return usage("missing-id", words.command + " needs the ID of a request.",
                 "nohalt requests shows the IDs.");
  command.id = words.arguments[0];
  command.approves = words.command == "approve";
  command.reason = words.text("reason");
  return command;
}

// ps, sweep and list: the common options and perhaps a process.
template <class Command>
Result<Request> read_with_pid(const Words& words, const Environment& environment) {
  Command command;
  NOHALT_TRY(command.common, read_common(words, environment));
  NOHALT_CHECK(read_option(words, "pid", command.pid, parse_pid));
  return Request{std::move(command)};
}

template <class Command>
Result<Request> as_request(Result<Command> command) {
  if (!command) return std::unexpected(std::move(command).error());
  return Request{std::move(*command)};
}

}  // namespace

Result<Request> parse_arguments(const std::vector<std::string>& words,
                                const Environment& environment) {
  NOHALT_TRY(const Words sorted, sort_words(words));
  const std::string& command = sorted.command;
  if (sorted.has("version")) return Request{TextToPrint{"nohalt " NOHALT_VERSION "\n"}};
  if (sorted.has("help"))
    return Request{TextToPrint{command.empty() ? general_help() : command_help(command)}};
  if (command == "log") return as_request(read_log(sorted, environment));
  if (command == "snap") return as_request(read_snap(sorted, environment));
  if (command == "trace") return as_request(read_trace(sorted, environment));
  if (command == "show") return as_request(read_show(sorted, environment));
  if (command == "plan") return as_request(read_plan(sorted, environment));
  if (command == "ps") return read_with_pid<session::PsCommand>(sorted, environment);
  if (command == "sweep") return read_with_pid<session::SweepCommand>(sorted, environment);
  if (command == "list") return read_with_pid<session::ListCommand>(sorted, environment);
  if (command == "rm") return as_request(read_rm(sorted, environment));
  if (command == "audit") return as_request(read_audit_command(sorted, environment));
  if (command == "policy") return as_request(read_policy(sorted, environment));
  if (command == "requests") return as_request(read_requests(sorted, environment));
  if (command == "approve" || command == "deny") return as_request(read_judge(sorted, environment));
  if (command == "doctor") {
    session::DoctorCommand doctor;
    NOHALT_TRY(doctor.common, read_common(sorted, environment));
    return Request{std::move(doctor)};
  }
  return usage("missing-command", "A command is missing.",
               "nohalt ps, plan, log, snap, trace, show, list, rm, sweep, audit, policy or doctor; "
               "nohalt --help shows them.");
}

}  // namespace nohalt::cli
