// `nohalt ps`: what can be probed, and why the rest cannot.
#include "src/output/talk.h"
#include "src/session/answer.h"
#include "src/session/attach.h"
#include "src/session/process_list.h"
#include "src/session/session.h"

namespace nohalt::session {

namespace {

Result<std::vector<output::ProcessRow>> rows_for(const PsCommand& command) {
  NOHALT_TRY(const policy::Authority authority,
             policy::Authority::load(policy::PolicySources::usual(command.common.policy_file)));
  NOHALT_CHECK(may_look_into(command.common.debug_dirs));
  return list_processes(authority, policy::Caller::current(),
                        {command.pid, command.common.debug_dirs});
}

}  // namespace

int run_ps(const PsCommand& command) {
  const auto rows = rows_for(command);
  if (!rows) {
    output::Talk{}.error(rows.error());
    return exit_status(rows.error().code);
  }
  const bool json = command.common.format == Format::kJson;
  return write_answer(command.common,
                      json ? output::processes_json(*rows) : output::processes_text(*rows));
}

}  // namespace nohalt::session
