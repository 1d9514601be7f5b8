"""What a snapshot costs the thread that takes it, beside the stop that gdb makes
for the same picture of the same process: locals and stack.

The thread itself tells (snap_target.c): how long its call took with and without a
snapshot in it, and for how long it was stopped. A stop that gdb makes lasts from
its attaching to its detaching.
"""

import contextlib
import os
import subprocess
import time

import harness
from figures import at, tail, table
from started import Asked, machine

SOURCE = "tests/bench/peers/snap_target.c"
PROGRAM = os.path.join(harness.BUILD, "bench_snap_target")
PLACE = f"snap_target.c:{harness.line_of(SOURCE, 'the probed line')}"
STACK = "nohalt snap --depth 3 --stack (16 KiB of it)"
LOCALS = "nohalt snap --depth 3"
GDB = "gdb -batch -ex 'thread apply all bt full'"
HITS, ROUNDS, STOPS = 100, 3, 4


def calls_of(target):
    gap, *calls = map(int, target.ask("report").split())
    return gap, calls


class SnapTarget(Asked):
    def __init__(self):
        super().__init__(PROGRAM)


def undisturbed(target, seconds=1.0):
    target.ask("reset")
    time.sleep(seconds)
    return calls_of(target)[1]


def snapped(target, *options):
    """Nanoseconds of each call that a snapshot was taken in: those are the longest,
    since the others do no more than they always do."""
    target.ask("reset")
    outcome = harness.run("snap", "-p", target.pid, PLACE, "--depth", "3", *options, "--hits", HITS,
                          "--limit", "1000/s", "--cpu", "100%", "--format", "json", seconds=60)
    _, calls = calls_of(target)
    records = outcome.records("snapshot")
    if outcome.status != harness.DONE or len(records) != HITS:
        raise AssertionError(outcome)
    return sorted(calls)[-HITS:]


def stopped_by_gdb(target):
    target.ask("reset")
    subprocess.run(["gdb", "-batch", "-nx", "-p", str(target.pid), "-ex", "thread apply all bt full"],
                   check=True, timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    gap, calls = calls_of(target)
    return max(gap, max(calls))


def measure(columns, load):
    with SnapTarget() as target:
        calls = columns.setdefault(("the call alone", load), [])
        for _ in range(ROUNDS):
            calls += undisturbed(target)
            columns.setdefault((LOCALS, load), []).extend(snapped(target))
            columns.setdefault((STACK, load), []).extend(snapped(target, "--stack"))
        for _ in range(STOPS):
            columns.setdefault((GDB, load), []).append(stopped_by_gdb(target))


def run(with_nohalt):
    if not with_nohalt:
        return
    columns = {}
    with contextlib.ExitStack() as stack:
        stack.callback(show, columns)
        for load in ("idle", "loaded"):
            with machine(load == "loaded"):
                measure(columns, load)


def show(columns):
    print("What one call of the thread takes, nanoseconds: median / 99th percentile / worst, and the "
          "median above the call alone, as a ratio to the snapshot with its stack.\n")
    rows = []
    for (what, load), values in sorted(columns.items(), key=lambda item: item[0][1]):
        alone = at(columns[("the call alone", load)], 0.5)
        unit = at(columns.get((STACK, load), [alone + 1]), 0.5) - alone
        ratio = (at(values, 0.5) - alone) / max(unit, 1)
        rows.append([what, load, len(values), tail(values), f"{ratio:,.2f}"])
    print(table(["what", "machine", "calls", "nanoseconds", "ratio"], rows, left=2))
