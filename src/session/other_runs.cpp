// Two sources: the ledger says what was granted, the processes say what is armed. A run
// that is armed and in no ledger that can be read has rates that nobody knows.
#include "src/session/other_runs.h"

#include <unistd.h>

#include <algorithm>

#include "policy/audit/folder.h"
#include "src/session/armed_processes.h"

namespace nohalt::session {

namespace {

Result<std::string> ledger_folder(const policy::Caller& caller) {
  if (caller.is_root()) return std::string{"/run/nohalt"};
  NOHALT_TRY(const std::string state, policy::user_state_folder());
  return state + "/run";
}

bool lives(const ProcessIdentity& tool) {
  const auto process = target::Process::open(tool.pid);
  return process && process->identity() == tool && process->check_alive();
}

void add(policy::Usage& usage, const policy::LedgerEntry& entry) {
  for (const policy::Limits& probe : entry.probes) {
    ++usage.probes;
    usage.hits_per_second += probe.hits_per_second;
    usage.bytes_per_second += probe.bytes_per_second;
    usage.cpu_share += probe.cpu_share;
  }
}

void add_unknown(policy::Usage& usage, const ArmedRun& armed) {
  usage.probes += static_cast<std::uint32_t>(armed.run.addresses.size());
  usage.has_rates = false;
}

// Behind sudo all are one user, and each is who logged in.
bool is_of(const policy::Caller& caller, const policy::LedgerEntry& entry) {
  return entry.uid == caller.uid || (entry.login_uid && entry.login_uid == caller.login_uid);
}

}  // namespace

Result<OtherRuns> OtherRuns::look(const Attachment& at) {
  OtherRuns others(at);
  if (at.authority.is_builtin()) return others;
  NOHALT_TRY(others.folder_, ledger_folder(at.caller));
  NOHALT_TRY(others.ledger_, policy::Ledger::open(others.folder_, lives));
  return others;
}

void OtherRuns::count(policy::Request& request) const {
  if (!ledger_ || !at_.authority.has_totals()) return;
  const auto runs = find_armed(0);
  if (!runs) return;
  policy::Usage target, user, host;
  for (const policy::LedgerEntry& entry : ledger_->entries()) {
    add(host, entry);
    if (entry.target == at_.process.identity()) add(target, entry);
    if (is_of(at_.caller, entry)) add(user, entry);
  }
  for (const ArmedRun& armed : *runs) {
    if (armed.run.inherited || !armed.run.tool_alive) continue;
    const auto is_entered = [&](const auto& entry) { return entry.tool == armed.run.tool; };
    if (std::ranges::any_of(ledger_->entries(), is_entered)) continue;
    add_unknown(host, armed);
    if (armed.row.pid == at_.process.pid()) add_unknown(target, armed);
    // Of a run that nobody is shown to have, it could be the caller.
    if (armed.row.user.empty() || armed.row.user == at_.caller.user) add_unknown(user, armed);
  }
  request.on_target = target;
  request.of_user = user;
  // Others' processes tell only root what is armed in them.
  if (at_.caller.is_root()) request.on_host = host;
}

Result<std::unique_ptr<policy::LedgerPlace>> OtherRuns::enter(const policy::Decision& decision) {
  if (!ledger_) return nullptr;
  NOHALT_TRY(const target::Process self, target::Process::open(::getpid()));
  NOHALT_CHECK(ledger_->enter({self.identity(), at_.process.identity(), at_.caller.uid,
                               at_.caller.login_uid, decision.probe_limits}));
  return std::make_unique<policy::LedgerPlace>(folder_, self.identity());
}

}  // namespace nohalt::session
