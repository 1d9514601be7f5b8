// One request carried from admission to the last record. Each function runs a
// command to its end, writes data to stdout (or -o FILE) and talk to stderr,
// and returns the exit status (see exit_status in src/base/result.h).
//
// Threading: one command a process, called from main's thread.
#pragma once

#include "src/session/commands.h"

namespace nohalt::session {

[[nodiscard]] int run_log(const LogCommand& command);
[[nodiscard]] int run_trace(const TraceCommand& command);
[[nodiscard]] int run_show(const ShowCommand& command);
[[nodiscard]] int run_plan(const PlanCommand& command);
[[nodiscard]] int run_ps(const PsCommand& command);
[[nodiscard]] int run_sweep(const SweepCommand& command);
[[nodiscard]] int run_list(const ListCommand& command);
[[nodiscard]] int run_rm(const RmCommand& command);
[[nodiscard]] int run_audit(const AuditCommand& command);
[[nodiscard]] int run_requests(const RequestsCommand& command);
[[nodiscard]] int run_judge(const JudgeCommand& command);
[[nodiscard]] int run_policy(const PolicyCommand& command);
[[nodiscard]] int run_doctor(const DoctorCommand& command);

}  // namespace nohalt::session
