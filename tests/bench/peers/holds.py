"""How long arming holds a thread of the target: nohalt beside debuggers that
attach and detach, at several numbers of threads.

Two witnesses. The kernel: its scheduler's events tell when a thread of the
target stops as a traced one and when it is woken again (bpftrace). And the
target: one thread of it spins, and keeps the longest gap it saw.
"""

import contextlib
import os
import subprocess
import threading
import time

import harness

SOURCE = "tests/bench/peers/hold_target.c"
PLACE = f"hold_target.c:{harness.line_of(SOURCE, 'the probed line')}"
PROGRAM = os.path.join(harness.BUILD, "bench_hold_target")
THREADS = (1, 10, 100, 1000)
TRACED = 8  # prev_state of a thread that stops for its tracer

WITNESS = """
tracepoint:sched:sched_switch /(args->prev_state & %d) && pid == %d/ {
  @since[args->prev_pid] = nsecs;
}
tracepoint:sched:sched_waking /@since[args->pid]/ {
  printf("%%d %%lld\\n", args->pid, nsecs - @since[args->pid]);
  delete(@since[args->pid]);
}
BEGIN { printf("watching\\n"); }
END { clear(@since); }
"""


class HoldTarget:
    def __init__(self, threads):
        self.process = harness.popen([PROGRAM, str(threads)], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True, bufsize=1)
        self.pid = self.process.pid
        assert self.process.stdout.readline() == "ready\n"

    def ask(self, word):
        self.process.stdin.write(word + "\n")
        return self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        harness.end(self.process)


class Witness:
    """The kernel's account of the holds of one process's threads."""

    def __init__(self, pid):
        self._threads = set(harness.tasks_of(pid))
        self._holds, self._ready = [], threading.Event()
        mount_tracefs()
        self.process = harness.popen(["bpftrace", "-B", "line", "-e", WITNESS % (TRACED, pid)],
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                     env={**os.environ, "BPFTRACE_MAP_KEYS_MAX": "65536"})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(30):
            raise AssertionError("bpftrace does not watch the scheduler here")

    def _read(self):
        for line in self.process.stdout:
            if line == "watching\n":
                self._ready.set()
                continue
            words = line.split()
            # A thread that came after the watch began is the tool's own helper.
            if len(words) == 2 and words[0] in self._threads:
                self._holds.append(int(words[1]) / 1000)

    def take(self):
        """The holds since the last call, in microseconds."""
        time.sleep(0.3)  # the events are on their way
        taken, self._holds = self._holds, []
        return taken

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        harness.end(self.process)


def mount_tracefs():
    if not os.path.exists("/sys/kernel/tracing/events"):
        subprocess.run(["mount", "-t", "tracefs", "nodev", "/sys/kernel/tracing"], check=True)


def by_nohalt(pid):
    outcome = harness.run("log", "-p", pid, PLACE, "{number}", "--hits", "1", seconds=60)
    if outcome.status != harness.DONE:
        raise AssertionError(outcome)


def by_gdb(pid):
    subprocess.run(["gdb", "-batch", "-nx", "-p", str(pid), "-ex", "detach"], check=True, timeout=120,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def by_lldb(pid):
    subprocess.run(["lldb-19", "--no-lldbinit", "-b", "-p", str(pid), "-o", "detach"], check=True,
                   timeout=120, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def measure(threads, attach, times):
    """For each attach: (longest hold by the kernel, threads held, longest gap
    by the target, the target's longest gap in as long a time of quiet), times
    in microseconds."""
    results = []
    with HoldTarget(threads) as target, Witness(target.pid) as witness:
        attach(target.pid)  # once before, so that files are in the page cache
        witness.take()
        for _ in range(times):
            target.ask("reset")
            begin = time.monotonic()
            attach(target.pid)
            took = time.monotonic() - begin
            gap = float(target.ask("longest")) / 1000
            holds = witness.take()
            target.ask("reset")
            time.sleep(took)
            quiet = float(target.ask("longest")) / 1000
            results.append((max(holds, default=0.0), len(holds), gap, quiet))
    return results


def measure_all(with_nohalt):
    tools = {"gdb": (by_gdb, 3), "LLDB": (by_lldb, 3)}
    if with_nohalt:
        tools = {"nohalt": (by_nohalt, 20)} | tools
    results = {}
    for threads in THREADS:
        for tool, (attach, times) in tools.items():
            try:
                results[tool, threads] = measure(threads, attach, times)
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                print(f"not measured: {tool} at {threads} threads: {error}", flush=True)
    return results


def show(results):
    print("longest hold of any thread while attaching or arming, microseconds\n")
    print("| tool | threads | machine | median by the kernel | worst | threads held | "
          "median gap in the target | the same without |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for load, column in results.items():
        for (tool, threads), rows in column.items():
            longest, held, gap, quiet = (sorted(row[i] for row in rows) for i in range(4))
            middle = len(rows) // 2
            print(f"| {tool} | {threads} | {load} | {longest[middle]:,.0f} | {longest[-1]:,.0f} | "
                  f"{held[middle]} | {gap[middle]:,.0f} | {quiet[middle]:,.0f} |")
    print(flush=True)
