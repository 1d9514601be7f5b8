// The command line: what each form means, and how every mistake is answered.
#include "src/cli/arguments.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace nohalt::cli {
namespace {

using session::DoctorCommand;
using session::EngineChoice;
using session::Format;
using session::JudgeCommand;
using session::LogCommand;
using session::PlanCommand;
using session::PsCommand;
using session::RequestsCommand;
using session::TraceCommand;
using Line = std::vector<std::string>;

Result<Request> parse(const Line& words, const Environment& environment = {}) {
  return parse_arguments(words, environment);
}

template <class Command>
Command parsed(const Line& words, const Environment& environment = {}) {
  auto request = parse(words, environment);
  if (!request) {
    ADD_FAILURE() << request.error().message << " / " << request.error().hint;
    return {};
  }
  if (!std::holds_alternative<Command>(*request)) {
    ADD_FAILURE() << "another command, number " << request->index();
    return {};
  }
  return std::get<Command>(*request);
}

TEST(Arguments, APlaceIsWaitedForOnlyWhereThatIsAskedFor) {
  EXPECT_TRUE(parsed<LogCommand>({"log", "-p", "1", "f", "m", "--pending"}).pending);
  EXPECT_TRUE(parsed<LogCommand>({"snap", "--pending", "-p", "1", "f"}).pending);
  EXPECT_FALSE(parsed<LogCommand>({"log", "-p", "1", "f", "m"}).pending);
  EXPECT_FALSE(parsed<LogCommand>({"snap", "-p", "1", "f"}).pending);
  EXPECT_FALSE(parse({"plan", "-p", "1", "f", "--pending"}));
}

TEST(Arguments, LogWithEveryOption) {
  const auto log = parsed<LogCommand>(
      {"log",       "-p",          "42",     "orders.c:142", "order {id}", "--if",
       "total > 1", "--limit",     "5/s",    "--hits",       "7",          "--for",
       "30s",       "--cpu",       "2%",     "--capture",    "a",          "--capture",
       "b->c",      "--depth",     "5",      "--reason",     "why",        "--ticket",
       "INC-1",     "--engine",    "inline", "--format",     "json",       "-o",
       "out",       "--policy",    "p",      "--audit",      "a",          "--debug-dir",
       "d1",        "--debug-dir", "d2"});
  EXPECT_EQ(log.pid, 42);
  ASSERT_EQ(log.probes.size(), 1U);
  const spec::ProbeSpec& probe = log.probes.front();
  EXPECT_EQ(probe.location, "orders.c:142");
  EXPECT_EQ(probe.message, "order {id}");
  EXPECT_EQ(probe.condition, "total > 1");
  EXPECT_EQ(probe.captures, (Line{"a", "b->c"}));
  EXPECT_EQ(probe.size.depth, 5U);
  EXPECT_EQ(probe.limits.hits_per_second, 5U);
  EXPECT_EQ(probe.limits.hits, 7U);
  EXPECT_EQ(probe.limits.lease, std::chrono::seconds{30});
  EXPECT_DOUBLE_EQ(probe.limits.cpu_share.value(), 0.02);
  EXPECT_EQ(log.engine, EngineChoice::kInline);
  EXPECT_EQ(log.reason, "why");
  EXPECT_EQ(log.ticket, "INC-1");
  EXPECT_EQ(log.common.format, Format::kJson);
  EXPECT_EQ(log.common.output_file, "out");
  EXPECT_EQ(log.common.policy_file, "p");
  EXPECT_EQ(log.common.audit_file, "a");
  EXPECT_EQ(log.common.debug_dirs, (Line{"d1", "d2"}));
}

TEST(Arguments, OptionsStandBeforeOrAfterTheCommand) {
  for (const Line& words : {Line{"-p", "42", "--limit", "5/s", "log", "f", "m"},
                            {"log", "-p42", "f", "--limit=5/s", "m"},
                            {"--limit", "5/s", "log", "f", "m", "--pid", "42"},
                            {"log", "-p", "42", "--limit", "5/s", "--", "f", "m"}}) {
    const auto log = parsed<LogCommand>(words);
    EXPECT_EQ(log.pid, 42);
    ASSERT_EQ(log.probes.size(), 1U);
    EXPECT_EQ(log.probes[0].location, "f");
    EXPECT_EQ(log.probes[0].message, "m");
    EXPECT_EQ(log.probes[0].limits.hits_per_second, 5U);
  }
}

TEST(Arguments, UnsetLimitsStayUnset) {
  const auto log = parsed<LogCommand>({"log", "-p", "1", "f", "m"});
  EXPECT_EQ(log.probes.at(0).limits, spec::AskedLimits{});
  EXPECT_EQ(log.probes.at(0).size, spec::CaptureSize{});
  EXPECT_EQ(log.engine, EngineChoice::kAuto);
}

TEST(Arguments, FunctionsMayBeCalledLikeCommands) {
  const auto log = parsed<LogCommand>({"log", "-p", "1", "list", "ps"});
  EXPECT_EQ(log.probes.at(0).location, "list");
  EXPECT_EQ(log.probes.at(0).message, "ps");
  EXPECT_EQ(parsed<PlanCommand>({"plan", "-p", "1", "plan", "log"}).probes.size(), 2U);
}

TEST(Arguments, MessagesArriveByteForByte) {
  for (const std::string message :
       {"{}", "[a,b]", "a,b", "{x:%d} $HOME 'q' \"d\"", " lead and trail ", "a\nb", "\xff", "%%",
        "x -- y", "-1 {x}", "--limit", "a;b#c", "'quoted'", "\"quoted\""}) {
    const auto log = parsed<LogCommand>({"log", "-p", "1", "--", "f", message});
    EXPECT_EQ(log.probes.at(0).message, message);
    const auto condition = parsed<LogCommand>({"log", "-p", "1", "f", "m", "--if", message});
    EXPECT_EQ(condition.probes.at(0).condition, message);
    const auto capture = parsed<LogCommand>({"log", "-p", "1", "f", "m", "--capture", message});
    EXPECT_EQ(capture.probes.at(0).captures, Line{message});
  }
}

TEST(Arguments, PlanTakesSeveralLocations) {
  const auto plan = parsed<PlanCommand>({"plan", "-p", "1", "a.c:1", "f", "--if", "x"});
  ASSERT_EQ(plan.probes.size(), 2U);
  EXPECT_EQ(plan.probes[1].location, "f");
  EXPECT_EQ(plan.probes[0].condition, "x");
  EXPECT_EQ(plan.probes[1].condition, "x");
}

TEST(Arguments, TheOtherCommands) {
  EXPECT_EQ(parsed<PsCommand>({"ps"}).pid, 0);
  EXPECT_EQ(parsed<PsCommand>({"ps", "-p", "3"}).pid, 3);
  EXPECT_EQ(parsed<session::SweepCommand>({"sweep", "-p", "3"}).pid, 3);
  EXPECT_EQ(parsed<session::ListCommand>({"list"}).pid, 0);
  EXPECT_EQ(parsed<session::RmCommand>({"rm", "4711-1"}).id, "4711-1");
  EXPECT_EQ(parsed<DoctorCommand>({"--format", "json", "doctor"}).common.format, Format::kJson);
}

TEST(Arguments, OptionsWinOverTheEnvironment) {
  const Environment environment{"env-policy", "env-audit", ""};
  EXPECT_EQ(parsed<DoctorCommand>({"doctor"}, environment).common.policy_file, "env-policy");
  EXPECT_EQ(parsed<DoctorCommand>({"doctor"}, environment).common.audit_file, "env-audit");
  EXPECT_EQ(parsed<DoctorCommand>({"doctor", "--audit", "x"}, environment).common.audit_file, "x");
}

TEST(Arguments, TraceTakesFunctionsAndFollowsNoPointersUnlessAsked) {
  const auto trace =
      parsed<TraceCommand>({"trace", "-p", "42", "quote", "price*", "--limit", "5/s"});
  EXPECT_EQ(trace.run.pid, 42);
  EXPECT_TRUE(trace.run.probes.empty());
  EXPECT_EQ(trace.functions, (std::vector<std::string>{"quote", "price*"}));
  EXPECT_EQ(trace.probe.kind, spec::ProbeKind::kCalls);
  EXPECT_EQ(trace.probe.size.depth, 1U);
  EXPECT_EQ(trace.probe.limits.hits_per_second, 5U);
  EXPECT_EQ(parsed<TraceCommand>({"trace", "-p", "42", "f", "--depth", "2"}).probe.size.depth, 2U);
}

TEST(Arguments, TraceNeedsAFunctionAndTakesNoCondition) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"trace", "-p", "42"}, {"trace", "-p", "42", ""}}) {
    const auto refused = parse(words);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, "missing-function");
  }
  const auto condition = parse({"trace", "-p", "42", "f", "--if", "n > 1"});
  ASSERT_FALSE(condition);
  EXPECT_EQ(condition.error().reason, "option-of-another-command");
}

TEST(Arguments, ASnapshotIsTakenOnceAndWithoutAStackUnlessAskedFor) {
  const auto snap = parsed<LogCommand>({"snap", "-p", "42", "orders.c:142"});
  ASSERT_EQ(snap.probes.size(), 1U);
  EXPECT_EQ(snap.probes[0].kind, spec::ProbeKind::kSnapshot);
  EXPECT_EQ(snap.probes[0].location, "orders.c:142");
  EXPECT_EQ(snap.probes[0].limits.hits, 1U);
  EXPECT_EQ(snap.probes[0].stack_frames, 0U);
  EXPECT_EQ(snap.common.format, Format::kText);
}

TEST(Arguments, AStackHasAllItsFramesUnlessANumberBoundsThem) {
  const auto frames = [](const Line& words) {
    return parsed<LogCommand>(words).probes.at(0).stack_frames;
  };
  EXPECT_EQ(frames({"snap", "-p", "1", "--stack", "f.c:1"}), 256U);
  EXPECT_EQ(frames({"snap", "-p", "1", "f.c:1", "--stack=5", "--hits", "3"}), 5U);
  EXPECT_EQ(frames({"log", "-p", "1", "f.c:1", "m"}), 0U);
  EXPECT_EQ(frames({"log", "-p", "1", "f.c:1", "m", "--stack=4"}), 4U);
}

TEST(Arguments, ACoreFileIsOfOneHitAndItsStack) {
  const auto snap = parsed<LogCommand>({"snap", "-p", "1", "f.c:1", "-o", "hit.core"});
  EXPECT_EQ(snap.core_file, "hit.core");
  EXPECT_EQ(snap.common.output_file, "");
  EXPECT_EQ(snap.common.format, Format::kText);
  EXPECT_EQ(snap.probes.at(0).stack_frames, 256U);
  const auto several = parse({"snap", "-p", "1", "f.c:1", "-o", "hit.core", "--hits", "2"});
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().reason, "one-hit-a-core-file");
}

TEST(Arguments, AFileHoldsSeveralSnapshotsEachTakenOnce) {
  const std::string path = testing::TempDir() + "/snapshots.yaml";
  std::ofstream(path) << "probes: [{at: f.c:1, stack: true}, {at: g, hits: 2, stack: 3}]\n";
  const auto snap = parsed<LogCommand>({"snap", "-p", "42", "-f", path});
  ASSERT_EQ(snap.probes.size(), 2U);
  EXPECT_EQ(snap.probes[0].kind, spec::ProbeKind::kSnapshot);
  EXPECT_EQ(snap.probes[0].limits.hits, 1U);
  EXPECT_EQ(snap.probes[0].stack_frames, 256U);
  EXPECT_EQ(snap.probes[1].limits.hits, 2U);
  EXPECT_EQ(snap.probes[1].stack_frames, 3U);
}

TEST(Arguments, AFileKeepsTheRecordOfASnapshotUnlessTextIsAskedFor) {
  const auto format = [](const Line& words) { return parsed<LogCommand>(words).common.format; };
  EXPECT_EQ(format({"snap", "-p", "1", "f.c:1", "-o", "kept"}), Format::kJson);
  EXPECT_EQ(format({"snap", "-p", "1", "f.c:1", "-o", "kept", "--format", "text"}), Format::kText);
}

TEST(Arguments, HelpAndVersionAreText) {
  EXPECT_EQ(parsed<TextToPrint>({"--version"}).text.substr(0, 7), "nohalt ");
  EXPECT_NE(parsed<TextToPrint>({"--help"}).text.find("nohalt doctor"), std::string::npos);
  EXPECT_EQ(parsed<TextToPrint>({"-h"}).text, parsed<TextToPrint>({"--help"}).text);
  for (const char* command : {"log", "snap", "trace", "show", "plan", "ps", "sweep", "list", "rm",
                              "requests", "approve", "deny", "doctor"}) {
    const std::string text = parsed<TextToPrint>({command, "--help"}).text;
    EXPECT_NE(text.find("Example:"), std::string::npos) << command;
    EXPECT_NE(text.find("  nohalt " + std::string{command}), std::string::npos) << command;
  }
}

TEST(Arguments, HelpFitsATerminal) {
  for (const Line& words : {Line{"--help"},
                            {"log", "--help"},
                            {"snap", "--help"},
                            {"trace", "--help"},
                            {"plan", "--help"},
                            {"approve", "--help"},
                            {"requests", "--help"},
                            {"deny", "--help"}}) {
    const std::string text = parsed<TextToPrint>(words).text;
    for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos;
         begin = end + 1)
      EXPECT_LE(end - begin, 80U) << text.substr(begin, end - begin);
  }
}

TEST(Arguments, ApprovalsAreAskedForGivenAndGoneWithout) {
  EXPECT_EQ(parsed<RequestsCommand>({"requests"}).id, "");
  EXPECT_EQ(parsed<RequestsCommand>({"requests", "a1"}).id, "a1");
  const auto approve = parsed<JudgeCommand>({"approve", "a1", "--reason", "fine"});
  EXPECT_EQ(approve.id, "a1");
  EXPECT_TRUE(approve.approves);
  EXPECT_EQ(approve.reason, "fine");
  EXPECT_FALSE(parsed<JudgeCommand>({"deny", "a1"}).approves);
  const Line urgent{"log", "-p", "1", "f", "m", "--break-glass", "--reason", "fire"};
  EXPECT_TRUE(parsed<LogCommand>(urgent).break_glass);
  EXPECT_FALSE(parsed<LogCommand>({"log", "-p", "1", "f", "m"}).break_glass);
}

struct Mistake {
  Line words;
  const char* reason;
  const char* part;  // of message and hint together
};

TEST(Arguments, EveryMistakeIsNamedWithTheNextStep) {
  for (const Mistake& m : {
           Mistake{{}, "missing-command", "nohalt --help"},
           {{"lgo"}, "unknown-command", "Did you mean log?"},
           {{"frobnicate"}, "unknown-command", "See nohalt --help."},
           {{"snap", "-p", "1"}, "missing-location", "nohalt snap -p PID orders.c:142"},
           {{"snap", "-p", "1", "f", "-f", "x"}, "too-many-arguments", "twice"},
           {{"snap", "-p", "1", "f", "--stack=0"}, "out-of-range", "--stack"},
           {{"snap", "-p", "1", "f", "--stack=x"}, "not-a-number", "--stack"},
           {{"show"}, "missing-file", "nohalt show before.json"},
           {{"stack", "-p", "1"}, "not-in-this-version", "plan, log"},
           {{"policy", "check"}, "missing-file", "team.yaml"},
           {{"approve"}, "missing-id", "nohalt requests"},
           {{"deny", ""}, "missing-id", "nohalt requests"},
           {{"approve", "a1", "b2"}, "too-many-arguments", "\"b2\""},
           {{"requests", "--reason", "x"}, "option-of-another-command", "--reason"},
           {{"log", "-p", "1", "f", "m", "--break-glass"}, "missing-reason", "--reason"},
           {{"plan", "-p", "1", "f", "--break-glass"},
            "option-of-another-command",
            "--break-glass"},
           {{"audit"}, "missing-verb", "show, who"},
           {{"audit", "verfy"}, "unknown-verb", "verify"},
           {{"audit", "who"}, "missing-place", "audit who"},
           {{"audit", "bundle", "-o", "f"}, "missing-ticket", "TICKET"},
           {{"audit", "bundle", "INC-1"}, "missing-output", "-o FILE"},
           {{"audit", "show", "a", "b"}, "too-many-arguments", "\"b\""},
           {{"audit", "show", "--since", "soon"}, "unknown-time", "2h"},
           {{"audit", "show", "--event", "shot"}, "unknown-event", "armed"},
           {{"audit", "show", "--format", "csv"}, "unknown-format", "text and json"},
           {{"audit", "export", "--format", "xml"}, "unknown-format", "csv and cef"},
           {{"audit", "verify", "--user", "x"}, "option-of-another-command", "--user"},
           {{"audit", "show", "--user", ""}, "empty-value", "--user"},
           {{"log", "-p", "1", "f", "m", "--since", "2h"}, "option-of-another-command", "--since"},
           {{"plan", "-p", "1", "f", "--stack=4"}, "option-of-another-command", "--stack"},
           {{"log", "-p", "1", "f", "m", "--limt", "5/s"}, "unknown-option", "mean --limit?"},
           {{"--limt=5/s", "log", "-p", "1", "f", "m"}, "unknown-option", "mean --limit?"},
           {{"log", "-p", "1", "f", "-> {x}"}, "unknown-option", "Write -- before"},
           {{"log", "-p", "1", "f", "two", "words"}, "too-many-arguments", "into quotes"},
           {{"ps", "x"}, "too-many-arguments", "\"x\""},
           {{"ps", "--limit", "5/s"}, "option-of-another-command", "ps takes"},
           {{"rm", "-p", "1", "x"}, "option-of-another-command", "rm does not take -p"},
           {{"log", "f", "m"}, "missing-pid", "nohalt ps"},
           {{"log", "-p", "1"}, "missing-location", "orders.c:142"},
           {{"log", "-p", "1", "f"}, "missing-message", "nohalt log -p PID f '"},
           {{"log", "-p", "1", "f", ""}, "missing-message", "needs a MESSAGE"},
           {{"plan", "-p", "1"}, "missing-location", "plan needs"},
           {{"rm"}, "missing-id", "nohalt list"},
           {{"log", "-p", "x", "f", "m"}, "not-a-number", "-p: \"x\""},
           {{"log", "-p", "0", "f", "m"}, "out-of-range", "-p"},
           {{"log", "-p", "1", "f", "m", "--limit", "10"}, "missing-unit", "--limit: \"10\""},
           {{"log", "-p", "1", "f", "m", "--for", "10min"}, "unknown-unit", "Write 10m."},
           {{"log", "-p", "1", "f", "m", "--cpu", "200%"}, "out-of-range", "--cpu"},
           {{"log", "-p", "1", "f", "m", "--limit", "1/s", "--limit", "2/s"},
            "option-given-twice",
            "--limit"},
           {{"log", "-p", "1", "-p", "2", "f", "m"}, "option-given-twice", "-p"},
           {{"log", "-p", "1", "f", "m", "--limit"}, "malformed-command-line", "--limit"},
           {{"doctor", "--format", "xml"}, "unknown-format", "text and json"},
           {{"log", "-p", "1", "f", "m", "--engine", "gdb"}, "unknown-engine", "kernel"},
           {{"log", "-p", "1", "f", "m", "--if", ""}, "empty-value", "--if"},
           {{"doctor", "-o", ""}, "empty-value", "--output"},
           {{"doctor", "--socket", "s"}, "not-in-this-version", "service"},
           {{"log", "-p", "1", "f", "m", "-f", "x"}, "too-many-arguments", "given twice"},
           {{"log", "-p", "1", "-f", "/nonexistent"}, "unreadable-probe-file", "No such file"},
       }) {
    const auto request = parse(m.words);
    std::string line;
    for (const std::string& word : m.words) line += word + " ";
    ASSERT_FALSE(request) << line;
    EXPECT_EQ(request.error().code, ErrorCode::kUsage) << line;
    EXPECT_EQ(request.error().reason, m.reason) << line << request.error().message;
    EXPECT_FALSE(request.error().hint.empty()) << line;
    const std::string said = request.error().message + " / " + request.error().hint;
    EXPECT_NE(said.find(m.part), std::string::npos) << line << ": " << said;
  }
}

TEST(Arguments, MistakesCannotDriveATerminal) {
  for (const Line& words : {Line{"\x1b[2J"},
                            {"log", "--\x1b[2J"},
                            {"log", "-p", "\x1b[2J", "f", "m"},
                            {"log", "-p", "1", "\x1b[2J"},
                            {"ps", "\x1b[2J"}}) {
    const auto request = parse(words);
    ASSERT_FALSE(request);
    EXPECT_EQ((request.error().message + request.error().hint).find('\x1b'), std::string::npos);
  }
}

TEST(Arguments, ProbesOfAFileGetTheOptionsOfTheCommandLine) {
  const std::string path = testing::TempDir() + "nohalt-probes-" + std::to_string(::getpid());
  std::ofstream(path) << "probes:\n - {at: f, message: m}\n - {at: g, message: n, limit: 3/s}\n";
  const auto log = parsed<LogCommand>({"log", "-p", "1", "-f", path, "--limit", "2/s"});
  std::remove(path.c_str());
  ASSERT_EQ(log.probes.size(), 2U);
  EXPECT_EQ(log.probes[0].limits.hits_per_second, 2U);
  EXPECT_EQ(log.probes[1].limits.hits_per_second, 3U);
}

TEST(Arguments, AuditShowWithEveryFilter) {
  const auto show = parsed<session::AuditCommand>(
      {"audit", "show", "old.jsonl", "--user", "alice", "-p", "42", "--exe", "/usr/bin/orders",
       "--since", "2026-01-31", "--until", "2026-02-01T10:15:00Z", "--ticket", "INC-1", "--run",
       "r", "--event", "armed"});
  EXPECT_EQ(show.verb, session::AuditVerb::kShow);
  EXPECT_EQ(show.file, "old.jsonl");
  EXPECT_EQ(show.filter.user, "alice");
  EXPECT_EQ(show.filter.pid, 42U);
  EXPECT_EQ(show.filter.exe, "/usr/bin/orders");
  EXPECT_EQ(show.filter.since, "2026-01-31T00:00:00.000000000Z");
  EXPECT_EQ(show.filter.until, "2026-02-01T10:15:00.000000000Z");
  EXPECT_EQ(show.filter.ticket, "INC-1");
  EXPECT_EQ(show.filter.run, "r");
  EXPECT_EQ(show.filter.event, "armed");
}

TEST(Arguments, AuditVerbsTakeWhatTheyNeed) {
  EXPECT_EQ(parsed<session::AuditCommand>({"audit", "who", "a.c:1"}).filter.place, "a.c:1");
  EXPECT_EQ(parsed<session::AuditCommand>({"audit", "who", "-p", "7"}).filter.pid, 7U);
  EXPECT_EQ(parsed<session::AuditCommand>({"audit", "verify", "f", "--checkpoint", "c"}).checkpoint,
            "c");
  EXPECT_EQ(parsed<session::AuditCommand>({"audit", "export", "--format", "cef"}).form,
            session::ExportForm::kCef);
  EXPECT_EQ(parsed<session::AuditCommand>({"audit", "bundle", "T", "-o", "f"}).filter.ticket, "T");
  EXPECT_TRUE(parsed<DoctorCommand>({"doctor", "--audit-syslog"}).common.audit_to_syslog);
}

}  // namespace
}  // namespace nohalt::cli
