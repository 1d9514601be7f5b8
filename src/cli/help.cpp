// The texts, as they appear. Kept under 80 columns.
#include "src/cli/help.h"

namespace nohalt::cli {

namespace {

constexpr std::string_view kGeneral =
    R"(nohalt shows values at a line of a running process, without stopping it.

  nohalt ps                             what can be probed, or why not
  nohalt plan  -p PID LOCATION...       what a probe would see; touches nothing
  nohalt log   -p PID LOCATION MESSAGE  write MESSAGE each time LOCATION runs
  nohalt snap  -p PID LOCATION          what is in scope there, once
  nohalt trace -p PID FUNCTION...       calls, with arguments and return value
  nohalt show  FILE                     a snapshot that was kept
  nohalt list                           what is armed
  nohalt rm    ID                       take off one run's probes
  nohalt sweep                          take off what a dead run left
  nohalt audit VERB                     who did what, and the proof of it
  nohalt policy check|explain|test      the rules, and what they say
  nohalt requests                       what waits for somebody's approval
  nohalt approve ID, nohalt deny ID     and what you say to it
  nohalt doctor                         what works here, and how to get the rest

Example: ten messages at most, then off by itself
  nohalt log -p $(pidof orders) orders.c:142 'order {id}: {total}' --hits 10

LOCATION  file.c:142, dir/file.c:142, function, file.c:function or Class::method
MESSAGE   text with {expression}, {expression:spec} or {name=expression}
Ctrl-C takes the probe off and prints the receipt.

Every command takes, before or after its name:
  --format text|json   how to write results (text)
  -o FILE              write results to FILE, not to stdout
  --debug-dir DIR      look for separate debug files here too; may be repeated
  --audit FILE         keep the audit trail here (or NOHALT_AUDIT)
  --audit-syslog       and copy each of its records to journald or syslog
  --policy FILE        the rules (or NOHALT_POLICY); see docs/policy.md
  --help, --version

nohalt COMMAND --help tells more.
Exit status: 0 done; 1 internal error, or removal failed; 2 usage or no such
place; 3 denied; 4 refused as unsafe; 5 process gone; 6 ended without a hit.
)";

constexpr std::string_view kLog = R"(nohalt log -p PID LOCATION MESSAGE [options]
nohalt log -p PID -f FILE [options]

Writes one line each time LOCATION runs, with the values of that moment. The
process is not stopped. Everything is taken off after --for, at --hits, on
Ctrl-C, or when its output is closed.

Example: only large orders, at most five messages a second, for one minute
  nohalt log -p 4711 orders.c:142 'order {order->id} costs {total}' \
      --if 'total > 1000' --limit 5/s --for 1m

  -p PID              the process; nohalt ps lists them
  --if EXPR           only where EXPR is true
  --limit N/s         messages a second; what is more is counted   (10/s)
  --hits N            end after N messages
  --for TIME          end after TIME, such as 30s, 10m, 1h         (10m)
  --cpu N%            of one CPU, that the probe may take          (1%)
  --capture EXPR      capture this as well; may be repeated
  --depth N           levels of members and pointers to follow     (3)
  --stack[=N]         below each message the functions that led there, at most
                      N, unwound from the registers and 16 KiB of the stack
  --reason TEXT       why, for the audit trail
  --ticket ID         which ticket, for the audit trail
  --allow-stop[=TIME] where there is no other way, stop all threads for a moment
                      to place it, at most so long                 (5ms)
  --pending           where no file of the process has LOCATION yet, wait until
                      it opens a library that has, at most --for; such a place
                      takes --allow-stop
  --break-glass       in an emergency, with --reason: without the approval that
                      it takes, where the role allows it; raises an alarm
  --engine auto|inline|kernel                                      (auto)
  -f FILE             several probes from a YAML file, all or none

In MESSAGE, {{ and }} stand for braces. Before a MESSAGE that begins with a
hyphen, write --. Not sure what is visible at a line? nohalt plan -p PID LINE
)";

constexpr std::string_view kSnap = R"(nohalt snap -p PID LOCATION [options]
nohalt snap -p PID -f FILE [options]

Captures every argument and local in scope when LOCATION runs, once, and shows
them as trees, with the functions that LOCATION is inlined into. The process is
not stopped.

Example: how we got to the first order over 1000, kept for later
  nohalt snap -p 4711 orders.c:142 --if 'total > 1000' --stack -o order.json
  nohalt show order.json

  -p PID              the process; nohalt ps lists them
  --stack[=N]         the functions that called it, at most N of them, and their
                      locals, from the registers and 16 KiB of the stack
  --depth N           levels of members and pointers to follow     (3)
  --capture EXPR      capture this as well; may be repeated
  --types             show the type of each value
  --if EXPR           only where EXPR is true
  --hits N            end after N snapshots                        (1)
  --limit N/s         snapshots a second; what is more is counted  (10/s)
  --for TIME          end after TIME, such as 30s, 10m, 1h         (10m)
  --cpu N%            of one CPU, that the probe may take          (1%)
  --reason TEXT       why, for the audit trail
  --ticket ID         which ticket, for the audit trail
  --allow-stop[=TIME] where there is no other way, stop all threads for a moment
                      to place it, at most so long                 (5ms)
  --pending           where no file of the process has LOCATION yet, wait until
                      it opens a library that has, at most --for; such a place
                      takes --allow-stop
  --break-glass       in an emergency, with --reason: without the approval that
                      it takes, where the role allows it; raises an alarm
  --engine auto|inline|kernel                                      (auto)
  -f FILE             several probes from a YAML file, all or none

-o FILE keeps JSON unless --format says text. -o FILE.core makes a core file of
the one hit for gdb and lldb: what the snapshot shows, and nothing else.
)";

constexpr std::string_view kTrace = R"(nohalt trace -p PID FUNCTION... [options]

Writes one line for each call of a FUNCTION when it returns: its arguments,
what it returned, and how long it took. The process is not stopped. Where not
all returns can be seen, the first lines say so, and so does each such call.

Example: five calls a second of quote and of all functions that begin with price
  nohalt trace -p 4711 quote 'price*' --limit 5/s

FUNCTION is function, file.c:function or Class::method. In a pattern * stands
for any characters but ::, ** for any, and ? for one.

  -p PID              the process; nohalt ps lists them
  --limit N/s         calls of a function a second, chosen as they begin (10/s)
  --hits N            end after N calls of each function
  --for TIME          end after TIME, such as 30s, 10m, 1h         (10m)
  --cpu N%            of one CPU, that each function's probe may take (1%)
  --depth N           levels of members and pointers to follow     (1)
  --reason TEXT       why, for the audit trail
  --ticket ID         which ticket, for the audit trail
  --break-glass       in an emergency, with --reason: without the approval that
                      it takes, where the role allows it; raises an alarm
  --engine auto|inline|kernel                                      (auto)
)";

constexpr std::string_view kShow = R"(nohalt show FILE [options]

Shows the snapshots and messages that -o FILE has kept, as they would have been
shown at once. Needs neither the process nor its files.

Example:
  nohalt show order.json

  --types             show the type of each value
)";

constexpr std::string_view kPlan = R"(nohalt plan -p PID LOCATION... [options]

Shows what a probe at LOCATION would meet: the places in the machine code,
inlined copies, each variable and its state there, how it would be armed or why
not. Reads the process's files only; changes and stops nothing.

Example:
  nohalt plan -p 4711 orders.c:142

  -p PID              the process; nohalt ps lists them
  --redaction         tell of each value whether it would leave the process, and
                      by which rule not: as snap would show it, or as log would
                      with --message
  --message TEXT      check this message there
  --if EXPR           check this condition there
  --capture EXPR      check this expression there; may be repeated
  --depth N           levels of members and pointers to follow     (3)
  --allow-stop        as log and snap take it; whether a place needs it is shown
                      either way
  --engine auto|inline|kernel                                      (auto)
  -f FILE             the probes of a YAML file
)";

constexpr std::string_view kPs = R"(nohalt ps [-p PID] [options]

Lists processes: whether each may be probed, and otherwise the reason.

Example:
  nohalt ps

  -p PID              only this one
)";

constexpr std::string_view kSweep = R"(nohalt sweep [-p PID] [options]

Takes off what runs that were killed have left in processes, and proves every
byte against the program's file. Probes of living runs are left alone.

Example:
  nohalt sweep

  -p PID              only this one
)";

constexpr std::string_view kList = R"(nohalt list [-p PID] [options]

Lists what is armed, where, by whom and until when.

Example:
  nohalt list

  -p PID              only in this process
)";

constexpr std::string_view kRm = R"(nohalt rm ID [options]

Takes off the probes of one run. nohalt list shows the IDs.

Example:
  nohalt rm 4711-1
)";

constexpr std::string_view kAudit =
    R"(nohalt audit show   [FILE] [filters]      what was asked for and done
nohalt audit who    FILE:LINE | -p PID    who probed this, when and why
nohalt audit verify [FILE] [--checkpoint FILE]
nohalt audit export [FILE] [filters] --format json|csv|cef
nohalt audit bundle TICKET -o FILE        all of an incident, in one file

Reads the audit trail; reading is recorded in it too. verify says three things
apart: whether the chain of records is whole, up to where it is signed, and up to
where it agrees with a checkpoint that was kept off the host. It takes a bundle
too, anywhere, without the host. bundle writes the incident's timeline, as
Markdown, to stdout.

Example: everything that alice did in the last day
  nohalt audit show --user alice --since 24h

  --user NAME         or a uid
  -p PID              of the process that was probed
  --exe PATH          its whole path, or the last part of it
  --since, --until    how long ago (2h), a day, or a time: 2026-01-31T10:15:00Z
  --ticket ID, --run ID
  --event NAME        requested, denied, armed, hit-summary, disarmed, expired, ...
  --checkpoint FILE   of checkpoints, as journald or syslog kept them
)";

constexpr std::string_view kPolicy = R"(nohalt policy check FILE
nohalt policy explain -p PID LOCATION... [options]
nohalt policy test FILE

check finds all mistakes of a policy file. explain says what the rules in force
say of a probe, and what each of them says; it attaches to nothing. test holds a
policy to a file of cases, each a question with the verdict that is expected.

Example:
  nohalt policy explain -p 4711 orders.c:142 --may snap,stack

  -p PID              the process; nohalt ps lists them
  --may RIGHT,...     what would be done there                     (log)
  --limit N/s, --for TIME, --cpu N%, --reason TEXT, --ticket ID   as for log

Exit status: 0 no mistake, allowed, as expected; 3 otherwise.
)";

constexpr std::string_view kRequests = R"(nohalt requests [ID] [options]

Lists the requests that wait for approval on this host and are yours, or that
you may approve. With an ID: all that an approval of it would allow, or what
became of it. Needs root.

Example:
  nohalt requests
)";

constexpr std::string_view kApprove = R"(nohalt approve ID [options]

Lets the run go on that waits with this request. You approve what is shown: this
program at these places of this process, for this person, under this policy. It
counts for 15 minutes and for one run. Nobody approves their own: people are
told apart by their logins, so log in as yourself and use sudo. It takes a role
with the right `approve` for that process.

Example:
  nohalt approve 0123456789abcdef --reason 'looked at it with Ines'

  --reason TEXT       why, for the audit trail
)";

constexpr std::string_view kDeny = R"(nohalt deny ID [options]

Ends a request for approval, so that nobody can approve it any more. It takes a
role with the right `approve` for that process.

Example:
  nohalt deny 0123456789abcdef --reason 'log the id, not the whole order'

  --reason TEXT       why: who asked is told
)";

constexpr std::string_view kDoctor = R"(nohalt doctor [options]

Checks what nohalt needs from this machine, and says what to do about the rest.
Changes nothing.

Example:
  nohalt doctor
)";

}  // namespace

std::string general_help() { return std::string{kGeneral}; }

std::string command_help(std::string_view command) {
  struct Entry {
    std::string_view name;
    std::string_view text;
  };
  static constexpr Entry kEntries[] = {
      {"log", kLog},         {"snap", kSnap},   {"trace", kTrace},   {"show", kShow},
      {"plan", kPlan},       {"ps", kPs},       {"sweep", kSweep},   {"list", kList},
      {"rm", kRm},           {"audit", kAudit}, {"policy", kPolicy}, {"requests", kRequests},
      {"approve", kApprove}, {"deny", kDeny},   {"doctor", kDoctor}};
  for (const Entry& entry : kEntries) {
    if (entry.name != command) continue;
    return std::string{entry.text} + "\nOptions that every command takes: see nohalt --help.\n";
  }
  return {};
}

}  // namespace nohalt::cli
