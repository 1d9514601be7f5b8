// `nohalt sweep`, `list` and `rm`: what is armed on this machine, and taking off
// what its own run cannot take off any more. What is about to be changed is in the
// audit trail before it is, and what came of it after.
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "policy/access/authority.h"
#include "probes/engines/inline/inline_engine.h"
#include "src/base/escape.h"
#include "src/output/inspection_report.h"
#include "src/output/talk.h"
#include "src/session/answer.h"
#include "src/session/armed_processes.h"
#include "src/session/audit_trail.h"
#include "src/session/session.h"
#include "src/session/target_facts.h"

namespace nohalt::session {

namespace {

struct Swept {
  std::string text;
  int status = 0;
};

// Rules by build id count too.
Status may(const policy::Authority& authority, const policy::Caller& caller,
           const target::Process& process, const std::vector<policy::Right>& rights) {
  NOHALT_TRY(const policy::Admission admission,
             authority.admit(caller, target_facts(process), rights));
  NOHALT_TRY([[maybe_unused]] const policy::Leave leave,
             authority.leave(admission, built_facts(process), {rights, {}, {}, {}}));
  return {};
}

// Behind sudo all are root, and each is who logged in.
bool is_of(const policy::Caller& caller, const ArmedRun& armed) {
  if (armed.row.user.empty() || armed.row.user != caller.user) return false;
  return !caller.is_root() || policy::login_uid_of(armed.run.tool.pid) == caller.login_uid;
}

// Who removes, and where it is written down.
class Remover {
 public:
  [[nodiscard]] static Result<Remover> open(const CommonOptions& options) {
    policy::Caller caller = policy::Caller::current();
    NOHALT_TRY(policy::Trails trail, open_trail(caller, options));
    return Remover(options, std::move(caller), std::move(trail));
  }

  // Takes off what dead runs left in a process.
  [[nodiscard]] Result<Swept> sweep(pid_t pid) const;
  // Asks a run's tool to take it off.
  [[nodiscard]] Status end_run(const ArmedRun& armed) const;

 private:
  Remover(const CommonOptions& options, policy::Caller caller, policy::Trails trail)
      : options_(options), caller_(std::move(caller)), trail_(std::move(trail)) {}

  [[nodiscard]] policy::Event event(policy::EventKind kind, const target::Process& process) const {
    policy::Event event;
    event.kind = kind;
    event.who = caller_;
    event.target = target_facts(process);
    return event;
  }

  // The probes of others, and those that nobody is shown to have, take a right. `rule`: what
  // the answer goes by.
  [[nodiscard]] Status admit(const target::Process& process, bool is_own, std::string& rule) const {
    std::vector<policy::Right> rights;
    if (!is_own) rights.push_back(policy::Right::kStopAll);
    NOHALT_TRY(const policy::Authority authority,
               policy::Authority::load(policy::PolicySources::usual(options_.policy_file)));
    const policy::TargetFacts facts = target_facts(process);
    rule = authority.deciding_rule(caller_, &facts, rights);
    return may(authority, caller_, process, rights);
  }

  // Only what policy admits and the trail holds is begun; what fails is noted.
  template <class Change>
  [[nodiscard]] auto removing(const target::Process& process, const engines::FoundRun& run,
                              bool is_own, const Change& change) const -> decltype(change()) {
    policy::Event noted = event(policy::EventKind::kRemovalRequested, process);
    noted.run = run.id;
    for (const RuntimeAddress address : run.addresses) noted.addresses.push_back(address.value);
    Status ready = admit(process, is_own, noted.rule);
    if (ready) NOHALT_CHECK(trail_.append(noted));
    auto result = ready ? change() : decltype(change())(std::unexpected(ready.error()));
    if (result) return result;
    noted.kind = policy::EventKind::kDenied;
    noted.denial = result.error().reason;
    NOHALT_CHECK(trail_.append(noted));
    return result;
  }

  [[nodiscard]] Status record(const target::Process& process,
                              const engines::RecoverReport& report) const;
  CommonOptions options_;
  policy::Caller caller_;
  policy::Trails trail_;
};

// Remains whose control page is gone belong to a run that nobody can name.
Status Remover::record(const target::Process& process, const engines::RecoverReport& report) const {
  const std::vector<engines::FoundRun> nameless(1);
  for (const engines::FoundRun& run : report.runs.empty() ? nameless : report.runs) {
    policy::Event removed = event(policy::EventKind::kOrphanRemoved, process);
    removed.run = run.id;
    removed.left_behind = report.proof.left;
    for (const RuntimeAddress address : run.addresses) removed.addresses.push_back(address.value);
    NOHALT_CHECK(trail_.append(removed));
  }
  return {};
}

Result<Swept> Remover::sweep(pid_t pid) const {
  NOHALT_TRY(const target::Process process, target::Process::open(pid));
  NOHALT_TRY(const bool needed, engines::has_leftovers(process));
  if (!needed) return Swept{};
  NOHALT_TRY(const engines::RecoverReport report,
             removing(process, {}, false, [&] { return engines::recover(process); }));
  NOHALT_CHECK(record(process, report));
  Swept swept;
  swept.text = "pid " + std::to_string(pid) + ": removed what " +
               std::to_string(report.runs.size()) + " dead run(s) left; " +
               std::to_string(report.pages_restored) + " page(s) of code restored and proven\n";
  for (const std::string& left : report.proof.left) {
    swept.text += "pid " + std::to_string(pid) + ": " + escape_untrusted(left).text + "\n";
    swept.status = exit_status(ErrorCode::kInternal);
  }
  return swept;
}

// The run's own tool takes it off, proves it and writes its receipt.
Status Remover::end_run(const ArmedRun& armed) const {
  NOHALT_TRY(const target::Process process, target::Process::open(armed.row.pid));
  return removing(process, armed.run, is_of(caller_, armed), [&]() -> Status {
    NOHALT_TRY(const target::Process tool, open_tool(armed.run, process.pid()));
    if (::syscall(SYS_pidfd_send_signal, tool.pidfd(), SIGTERM, nullptr, 0) != 0)
      return fail_errno("pidfd_send_signal", "the run's tool", errno);
    return {};
  });
}

int show(output::Talk& talk, const Error& error) {
  talk.error(error);
  return exit_status(error.code);
}

// The only run with the id; a forked child's copy of it is none.
Result<ArmedRun> find_run(const std::string& id) {
  NOHALT_TRY(std::vector<ArmedRun> runs, find_armed(0));
  std::erase_if(runs,
                [&](const ArmedRun& armed) { return armed.run.id != id || armed.run.inherited; });
  const std::string shown = escape_untrusted(id).text;
  if (runs.empty())
    return fail(ErrorCode::kUsage, "no-such-run", "No run " + shown + " is armed.",
                "`nohalt list` shows the runs.");
  if (runs.size() > 1)
    return fail(ErrorCode::kRefused, "run-not-unique",
                "Processes " + std::to_string(runs[0].row.pid) + " and " +
                    std::to_string(runs[1].row.pid) + " both claim the run " + shown + ".",
                "One of them pretends; end the run's own tool instead.");
  return std::move(runs.front());
}

// Of others' runs only those in processes that one may plan for, or take them off.
Result<std::vector<output::ArmedRow>> visible_runs(const ListCommand& command,
                                                   std::size_t& hidden) {
  const policy::Caller caller = policy::Caller::current();
  NOHALT_TRY(const policy::Authority authority,
             policy::Authority::load(policy::PolicySources::usual(command.common.policy_file)));
  NOHALT_TRY(const std::vector<ArmedRun> runs, find_armed(command.pid));
  std::vector<output::ArmedRow> rows;
  for (const ArmedRun& armed : runs) {
    const auto process = target::Process::open(armed.row.pid);
    const auto may_do = [&](policy::Right right) {
      return process && may(authority, caller, *process, {right});
    };
    if (is_of(caller, armed) || may_do(policy::Right::kPlan) || may_do(policy::Right::kStopAll))
      rows.push_back(armed.row);
  }
  hidden = runs.size() - rows.size();
  return rows;
}

}  // namespace

int run_sweep(const SweepCommand& command) {
  output::Talk talk;
  const auto remover = Remover::open(command.common);
  if (!remover) return show(talk, remover.error());
  const std::vector<pid_t> pids =
      command.pid != 0 ? std::vector<pid_t>{command.pid} : processes_with_probes();
  std::string text;
  int status = 0;
  for (const pid_t pid : pids) {
    const auto swept = remover->sweep(pid);
    // Of all processes, some end while they are looked at.
    if (!swept && command.pid == 0 && !target::Process::open(pid)) continue;
    if (!swept) {
      status = show(talk, swept.error());
      continue;
    }
    text += swept->text;
    if (swept->status != 0) status = swept->status;
  }
  if (text.empty() && status == 0) text = "Nothing was left to remove.\n";
  const int written = write_answer(command.common, text);
  return status != 0 ? status : written;
}

int run_list(const ListCommand& command) {
  output::Talk talk;
  std::size_t hidden = 0;
  const auto rows = visible_runs(command, hidden);
  if (!rows) return show(talk, rows.error());
  if (hidden != 0)
    talk.say("nohalt: not shown: " + std::to_string(hidden) +
             " run(s) of others, in processes that you may not plan for\n");
  const bool json = command.common.format == Format::kJson;
  return write_answer(command.common, json ? output::armed_json(*rows) : output::armed_text(*rows));
}

int run_rm(const RmCommand& command) {
  output::Talk talk;
  const auto wanted = find_run(command.id);
  if (!wanted) return show(talk, wanted.error());
  if (wanted->row.state == "orphan") {
    SweepCommand sweep;
    sweep.common = command.common;
    sweep.pid = wanted->row.pid;
    return run_sweep(sweep);
  }
  const auto remover = Remover::open(command.common);
  if (!remover) return show(talk, remover.error());
  if (const Status asked = remover->end_run(*wanted); !asked) return show(talk, asked.error());
  return write_answer(command.common, "Run " + wanted->run.id +
                                          " was asked to end; its tool (pid " +
                                          std::to_string(wanted->row.tool_pid) + ") removes it.\n");
}

}  // namespace nohalt::session
