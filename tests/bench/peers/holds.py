"""How long arming holds a thread of the target: nohalt beside debuggers that
attach and detach, at several numbers of threads.

Three accounts of the same armings, which should agree:
- the target's: the longest gap that one of its threads saw (hold_target.c), to
  be compared with as long a time in which nobody came;
- nohalt's: the longest hold in its receipt;
- the kernel's: when any thread was stopped for a tracer, by the scheduler's
  events (bpftrace). It alone sees threads that sleep through their hold. All
  stops of a thread are one hold, for between them it does its tracer's work,
  until it is interrupted again while it runs. What it saw it tells at the end:
  telling of a stop while it lasts would take as long as the stop.
"""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time

import harness
from figures import MISSING, tail, table
from started import Asked, machine, running

SOURCE = "tests/bench/peers/hold_target.c"
PROGRAM = os.path.join(harness.BUILD, "bench_hold_target")
PLACE = f"hold_target.c:{harness.line_of(SOURCE, 'the probed line')}"
THREADS = (1, 10, 100, 1000)
INTERRUPT = 0x4207  # PTRACE_INTERRUPT
TRACED = 8  # prev_state of a thread that stops for its tracer
# How often, and for how many seconds at most, each tool arms at each number of
# threads and load.
TIMES = {"nohalt": 40, "gdb": 4, "LLDB": 4}
SECONDS = {"nohalt": 18, "gdb": 6, "LLDB": 6}

WITNESS = """
tracepoint:sched:sched_switch /(args->prev_state & %d) && pid == %d/ {
  @since[args->prev_pid] = nsecs;
}
tracepoint:sched:sched_waking /@since[args->pid]/ {
  @stopped[args->pid, @since[args->pid]] = nsecs;
  delete(@since[args->pid]);
}
tracepoint:syscalls:sys_enter_ptrace /args->request == %d && !@since[args->pid]/ {
  @interrupted[args->pid, nsecs] = (uint64)0;
}
BEGIN { printf("watching\\n"); }
END { clear(@since); }
"""


class HoldTarget(Asked):
    def __init__(self, threads):
        super().__init__(PROGRAM, threads)

    def longest(self):
        """(gap, lateness) since the reset, in microseconds."""
        gap, late = self.ask("longest").split()
        return int(gap) / 1000, int(late) / 1000


class Witness:
    """The kernel's account of the stops of one process's threads."""

    def __init__(self, pid, stack):
        self._threads = set(map(int, harness.tasks_of(pid)))
        mount_tracefs()
        self._process = stack.enter_context(running(
            ["bpftrace", "-f", "json", "-e", WITNESS % (TRACED, pid, INTERRUPT)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "BPFTRACE_MAP_KEYS_MAX": "65536"}))
        for line in self._process.stdout:
            if "watching" in line:
                return
        raise AssertionError("bpftrace does not watch the scheduler here")

    def tell(self):
        """Ends it; gives (thread, when) of interrupts, (thread, begin, end) of stops, in ns of
        the monotonic clock."""
        self._process.send_signal(signal.SIGINT)
        patience = threading.Timer(60, self._process.kill)
        patience.start()
        lines = self._process.stdout.read().splitlines()
        patience.cancel()
        if self._process.wait() != 0:
            raise AssertionError("bpftrace did not tell what it saw")
        events = []
        for line in lines:
            for name, entries in (json.loads(line)["data"] if '"map"' in line else {}).items():
                for key, end in entries.items():
                    thread, begin = map(int, key.split(","))
                    # A thread that came after the watch began is the tool's own helper.
                    if thread in self._threads:
                        events.append((thread, begin) if name == "@interrupted" else (thread, begin, end))
        return events


def holds_of(events):
    """(begin, end) of holds, of (thread, when it was interrupted) and (thread, begin
    and end of a stop)."""
    holds, latest = [], {}
    for thread, begin, *end in sorted(events, key=lambda event: event[1]):
        if not end:
            latest.pop(thread, None)
        elif thread in latest:
            latest[thread][1] = end[0]
        else:
            latest[thread] = [begin, end[0]]
            holds.append(latest[thread])
    return holds


def mount_tracefs():
    if not os.path.exists("/sys/kernel/tracing/events"):
        subprocess.run(["mount", "-t", "tracefs", "nodev", "/sys/kernel/tracing"], check=True)


def by_nohalt(pid):
    """Gives the longest hold that the receipt tells, in microseconds."""
    outcome = harness.run("log", "-p", pid, PLACE, "{number}", "--hits", "1", "--format", "json",
                          seconds=30)
    if outcome.status != harness.DONE:
        raise AssertionError(outcome)
    return outcome.records("receipt")[0]["holds"]["longest_ns"] / 1000


def by_debugger(*command):
    def attach(pid):
        subprocess.run([*command, "-p", str(pid)], check=True, timeout=60, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return attach


TOOLS = {"nohalt": by_nohalt,
         "gdb": by_debugger("gdb", "-batch", "-nx", "-ex", "detach"),
         "LLDB": by_debugger("lldb-19", "--no-lldbinit", "-b", "-o", "detach")}


class Cell:
    """What was seen of one tool at one number of threads under one load, in
    microseconds, one number an arming."""

    def __init__(self):
        self.gaps, self.late, self.quiet_gaps, self.quiet_late = [], [], [], []
        self.told, self.by_kernel, self.held, self.failure = [], [], [], None
        self.when = []  # (begin, end) of each arming, in ns of the monotonic clock

    def arm(self, attach, target):
        target.ask("reset")
        begin = time.monotonic_ns()
        told = attach(target.pid)
        self.when.append((begin, time.monotonic_ns()))
        gap, late = target.longest()
        target.ask("reset")
        time.sleep((time.monotonic_ns() - begin) / 1e9)
        quiet_gap, quiet_late = target.longest()
        self.gaps.append(gap)
        self.late.append(late)
        self.quiet_gaps.append(quiet_gap)
        self.quiet_late.append(quiet_late)
        if told is not None:
            self.told.append(told)

    def hear(self, events):
        """Takes the kernel's account, of which each arming has its part: no stop of another
        tool's belongs to a hold of this one."""
        for begin, end in self.when:
            own = [event for event in events if begin <= event[1] <= end]
            lengths = [(to - since) / 1000 for since, to in holds_of(own)]
            self.by_kernel.append(max(lengths, default=0.0))
            self.held.append(len(lengths))


def measure(cells, threads, load, tools):
    """Fills the cells of one number of threads and one load, the tools in turn."""
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(HoldTarget(threads))
        witness = None
        with contextlib.suppress(AssertionError, OSError, subprocess.SubprocessError):
            witness = Witness(target.pid, stack)
        spent = dict.fromkeys(tools, 0.0)
        for turn in range(max(TIMES.values())):
            for tool in tools:
                cell = cells.setdefault((tool, threads, load), Cell())
                every = max(TIMES.values()) // TIMES[tool]
                if turn % every or spent[tool] > SECONDS[tool] or cell.failure:
                    continue
                begin = time.monotonic()
                try:
                    cell.arm(TOOLS[tool], target)
                except (AssertionError, OSError, subprocess.SubprocessError) as error:
                    cell.failure = str(error)
                spent[tool] += time.monotonic() - begin
        if witness is None:
            return
        with contextlib.suppress(AssertionError):
            events = witness.tell()
            for tool in tools:
                cells[tool, threads, load].hear(events)


def run(with_nohalt):
    tools = [tool for tool in TOOLS if with_nohalt or tool != "nohalt"]
    cells = {}
    try:
        for load in ("idle", "loaded"):
            with machine(load == "loaded"):
                for threads in THREADS:
                    measure(cells, threads, load, tools)
    finally:
        show(cells)


def show(cells):
    print("The longest hold of any thread while arming and disarming (attaching and detaching), "
          "microseconds: median / 99th percentile / worst.\n")
    heads = ["tool", "threads", "machine", "armings", "longest hold, by the kernel",
             "holds", "longest hold, by the receipt", "gap seen by a busy thread",
             "the same, nobody there", "lateness of sleeping threads", "the same, nobody there"]
    rows = []
    measured = [item for item in cells.items() if item[1].gaps]
    for (tool, threads, load), cell in sorted(measured, key=lambda item: (
            list(TOOLS).index(item[0][0]), item[0][2], item[0][1])):
        told = tail(cell.told) if tool == "nohalt" else ""
        held = f"{sorted(cell.held)[len(cell.held) // 2]}" if cell.held else MISSING
        sleepers = [tail(cell.late), tail(cell.quiet_late)] if threads > 1 else ["", ""]
        rows.append([tool, threads, load, len(cell.gaps), tail(cell.by_kernel), held, told,
                     tail(cell.gaps), tail(cell.quiet_gaps), *sleepers])
    print(table(heads, rows))
    for (tool, threads, load), cell in cells.items():
        if cell.failure:
            print(f"{tool} at {threads} threads, {load}: {cell.failure}\n")
