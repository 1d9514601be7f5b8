"""How long it takes from the command to the probe that is armed, beside gdb's way to a
breakpoint at the same place: by line and by function, of redis and of a large C++ program,
which is nohalt itself.

Cold: no index is there, and the run makes it. Warm: an earlier run made it. The files
themselves are in the kernel's page cache in all cases.
"""

import contextlib
import os
import subprocess
import tempfile
import time

import harness
import redis
from figures import at, spread, table

ROUNDS = 9


def seconds_to_armed(pid, place, cache):
    begin = time.monotonic()
    tool = harness.popen([harness.NOHALT, "log", "-p", str(pid), place, "x", "--hits", "1", "--for",
                          "10s", "--allow-stop=20ms"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True,
                         env={**harness.environment(), "XDG_CACHE_HOME": cache})
    said = tool.stderr.readline()
    seconds = time.monotonic() - begin
    rest = tool.communicate(timeout=30)[1]
    if not said.startswith("nohalt: armed"):
        raise AssertionError(said + rest)
    return seconds


def seconds_of_gdb(pid, place):
    begin = time.monotonic()
    subprocess.run(["gdb", "-batch", "-nx", "-p", str(pid), "-ex", f"break {place}"], check=True,
                   timeout=120, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return time.monotonic() - begin


def measure(pid, place):
    columns = {"gdb": [], "cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as kept:
        seconds_to_armed(pid, place, kept)
        for _ in range(ROUNDS):
            columns["gdb"].append(seconds_of_gdb(pid, place))
            with tempfile.TemporaryDirectory() as empty:
                columns["cold"].append(seconds_to_armed(pid, place, empty))
            columns["warm"].append(seconds_to_armed(pid, place, kept))
    return columns


@contextlib.contextmanager
def targets():
    """(what, pid, place), of processes that run the place again and again."""
    tick = harness.line_of("probes/records/probe_pump.cpp", "if (!running_) return;")
    with redis.Server() as server, harness.Target("patience") as busy:
        tool = harness.Logging(busy.pid, "main", "x", "--for", "10m").wait_armed()
        cron = server.line_of("server.c", "/* Update the time cache. */") + 1
        yield [("redis", server.pid, f"server.c:{cron}"), ("redis", server.pid, "serverCron"),
               ("nohalt", tool.pid, f"probe_pump.cpp:{tick}"),
               ("nohalt", tool.pid, "ProbePump::tick")]
        tool.process.terminate()
        tool.finished()


def run(with_nohalt):
    if not with_nohalt:
        return
    rows = []
    with targets() as asked:
        for program, pid, place in asked:
            columns = measure(pid, place)
            gdb = at(columns["gdb"], 0.5)
            shown = [spread([1e3 * value for value in values], 0) for values in columns.values()]
            ratios = [f"{at(columns[name], 0.5) / gdb:.2f}" for name in ("cold", "warm")]
            rows.append([program, place, shown[0], shown[1], ratios[0], shown[2], ratios[1]])
    print("## From the command to the armed probe\n\nMilliseconds, and the ratio to gdb.\n")
    print(table(["program", "place", "gdb -batch -ex 'break …'", "cold", "ratio", "warm", "ratio"],
                rows, left=2), flush=True)
