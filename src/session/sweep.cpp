// `nohalt sweep`, `list` and `rm`: what is armed on this machine, and taking off
// what its own run cannot take off any more.
#include <csignal>

#include "policy/access/authority.h"
#include "policy/audit/trail.h"
#include "probes/engines/inline/inline_engine.h"
#include "src/output/inspection_report.h"
#include "src/output/talk.h"
#include "src/session/answer.h"
#include "src/session/armed_processes.h"
#include "src/session/session.h"
#include "src/session/target_facts.h"

namespace nohalt::session {

namespace {

struct Swept {
  std::string text;
  int status = 0;
};

Status admit(const policy::Caller& caller, const CommonOptions& options,
             const target::Process& process) {
  NOHALT_TRY(const policy::Authority authority,
             policy::Authority::load(policy::PolicySources::usual(options.policy_file)));
  NOHALT_TRY([[maybe_unused]] const policy::Admission admission,
             authority.admit(caller, target_facts(process)));
  return {};
}

Status record(const policy::Trail& trail, const policy::Caller& caller,
              const target::Process& process, const engines::RecoverReport& report) {
  for (const engines::FoundRun& run : report.runs) {
    policy::Event event;
    event.kind = policy::EventKind::kOrphanRemoved;
    event.run = run.id;
    event.who = caller;
    event.target = target_facts(process);
    event.left_behind = report.proof.left;
    for (const RuntimeAddress address : run.addresses) event.addresses.push_back(address.value);
    NOHALT_CHECK(trail.append(event));
  }
  return {};
}

Result<Swept> sweep_one(const policy::Trail& trail, const policy::Caller& caller,
                        const CommonOptions& options, pid_t pid) {
  NOHALT_TRY(const target::Process process, target::Process::open(pid));
  NOHALT_TRY(const bool needed, engines::has_leftovers(process));
  if (!needed) return Swept{};
  NOHALT_CHECK(admit(caller, options, process));
  NOHALT_TRY(const engines::RecoverReport report, engines::recover(process));
  NOHALT_CHECK(record(trail, caller, process, report));
  Swept swept;
  swept.text = "pid " + std::to_string(pid) + ": removed what " +
               std::to_string(report.runs.size()) + " dead run(s) left; " +
               std::to_string(report.pages_restored) + " page(s) of code restored and proven\n";
  for (const std::string& left : report.proof.left) {
    swept.text += "pid " + std::to_string(pid) + ": " + left + "\n";
    swept.status = exit_status(ErrorCode::kInternal);
  }
  return swept;
}

}  // namespace

int run_sweep(const SweepCommand& command) {
  output::Talk talk;
  const policy::Caller caller = policy::Caller::current();
  const auto trail = policy::Trail::open(caller, command.common.audit_file);
  if (!trail) {
    talk.error(trail.error());
    return exit_status(trail.error().code);
  }
  const std::vector<pid_t> pids =
      command.pid != 0 ? std::vector<pid_t>{command.pid} : processes_with_probes();
  std::string text;
  int status = 0;
  for (const pid_t pid : pids) {
    const auto swept = sweep_one(*trail, caller, command.common, pid);
    // Of all processes, some end while they are looked at.
    if (!swept && command.pid == 0 && !target::Process::open(pid)) continue;
    if (!swept) {
      talk.error(swept.error());
      status = exit_status(swept.error().code);
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
  const auto rows = list_armed(command.pid);
  if (!rows) {
    talk.error(rows.error());
    return exit_status(rows.error().code);
  }
  const bool json = command.common.format == Format::kJson;
  return write_answer(command.common, json ? output::armed_json(*rows) : output::armed_text(*rows));
}

int run_rm(const RmCommand& command) {
  output::Talk talk;
  const auto rows = list_armed(0);
  const output::ArmedRow* wanted = nullptr;
  if (rows)
    for (const output::ArmedRow& row : *rows)
      if (row.id == command.id) wanted = &row;
  if (wanted == nullptr) {
    talk.error({ErrorCode::kUsage, "no-such-run", "No run " + command.id + " is armed.",
                "`nohalt list` shows the runs."});
    return exit_status(ErrorCode::kUsage);
  }
  if (wanted->state == "orphan") {
    SweepCommand sweep;
    sweep.common = command.common;
    sweep.pid = wanted->pid;
    return run_sweep(sweep);
  }
  // The run's own tool takes it off, proves it and writes its receipt.
  if (::kill(wanted->tool_pid, SIGTERM) != 0) {
    const Error error = fail_errno("kill", "the run's tool", errno).error();
    talk.error(error);
    return exit_status(error.code);
  }
  return write_answer(command.common, "Run " + command.id + " was asked to end; its tool (pid " +
                                          std::to_string(wanted->tool_pid) + ") removes it.\n");
}

}  // namespace nohalt::session
