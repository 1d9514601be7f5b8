// What the command line asks for, one plain struct a command. The parser in
// src/cli fills them, the session carries them out. Every unit has been read
// and every form checked; nothing has been looked at on the machine.
//
// Threading: plain values.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "policy/audit/entry.h"
#include "probes/spec/probe_spec.h"

namespace nohalt::session {

enum class Format { kText, kJson };

enum class EngineChoice { kAuto, kInline, kKernel };

// Taken by every command, before or after its name.
struct CommonOptions {
  Format format = Format::kText;
  std::string output_file;              // -o; empty: stdout
  std::string policy_file;              // --policy or NOHALT_POLICY; empty: not named
  std::string audit_file;               // --audit or NOHALT_AUDIT; empty: the usual place
  bool audit_to_syslog = false;         // --audit-syslog: a copy of every record
  std::vector<std::string> debug_dirs;  // --debug-dir, in the order given
};

// Of log and snap: the probes say which.
struct LogCommand {
  CommonOptions common;
  bool types = false;     // --types: snapshots show the type of each value
  std::string core_file;  // -o FILE.core: of the one hit of the one snapshot point
  pid_t pid = 0;
  std::vector<spec::ProbeSpec> probes;  // one, or those of -f FILE: all are armed or none
  EngineChoice engine = EngineChoice::kAuto;
  std::string reason;  // --reason
  std::string ticket;  // --ticket
  bool break_glass = false;
  bool pending = false;  // --pending: a place that is not there yet is waited for
};

// Calls of functions: a run of its own, like that of log.
struct TraceCommand {
  LogCommand run;                      // without probes
  spec::ProbeSpec probe;               // of each function, without its location
  std::vector<std::string> functions;  // names, or patterns with * and ?
};

struct PlanCommand {
  CommonOptions common;
  pid_t pid = 0;
  // One for each LOCATION (or those of -f FILE). The message may be empty; --if
  // and --capture are on every one of them.
  std::vector<spec::ProbeSpec> probes;
  EngineChoice engine = EngineChoice::kAuto;
  bool redaction = false;  // --redaction: what would leave, and what not
};

struct ShowCommand {
  CommonOptions common;
  bool types = false;
  std::string file;  // of records, as -o keeps them
};

struct PsCommand {
  CommonOptions common;
  pid_t pid = 0;  // 0: every process
};

struct SweepCommand {
  CommonOptions common;
  pid_t pid = 0;  // 0: every process
};

struct ListCommand {
  CommonOptions common;
  pid_t pid = 0;  // 0: every process
};

struct RmCommand {
  CommonOptions common;
  std::string id;  // as `list` shows it
};

enum class AuditVerb { kShow, kWho, kVerify, kExport, kBundle };

enum class ExportForm { kJson, kCsv, kCef };

struct AuditCommand {
  CommonOptions common;
  AuditVerb verb = AuditVerb::kShow;
  policy::AuditFilter filter;  // of show, export and who
  std::string file;            // show, export, verify: another trail or a bundle; empty: the usual
  std::string checkpoint;      // verify: the file of checkpoints kept off the host; empty: none
  ExportForm form = ExportForm::kJson;
};

enum class PolicyAction { kCheck, kExplain, kTest };

struct PolicyCommand {
  CommonOptions common;
  PolicyAction action = PolicyAction::kCheck;
  std::string file;  // of check and test
  // Of explain: what would be asked.
  pid_t pid = 0;
  std::vector<std::string> locations;
  std::string rights;  // --may, separated by commas; empty: log
  spec::AskedLimits limits;
  std::string reason;
  std::string ticket;
};

struct RequestsCommand {
  CommonOptions common;
  std::string id;  // empty: all
};

// approve or deny.
struct JudgeCommand {
  CommonOptions common;
  std::string id;
  bool approves = false;
  std::string reason;
};

struct DoctorCommand {
  CommonOptions common;
};

}  // namespace nohalt::session
