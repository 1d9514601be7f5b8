"""Nanoseconds a hit: nohalt and its peers on the same line of the same program.

Each tool has a process of that program to itself. All are set up first and then
measured in turn, round after round, so that a figure and the in-source capture
that it is compared with are of the same moment. The cost of a hit is what a call
takes above the same call without any tool.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

import harness
from figures import MISSING, spread, table
from started import Asked, machine, running, start

SOURCE = "tests/bench/peers/hit_target.cpp"
PLACE = f"hit_target.cpp:{harness.line_of(SOURCE, 'the probed line')}"
PROGRAM = os.path.join(harness.BUILD, "bench_hit_target")
EMPTY, IN_SOURCE = "the call alone", "in-source capture by hand"
SCALARS, FALSE, STRING = (f"nohalt inline, {what}" for what in (
    "three scalars", "condition false", "one string through a pointer"))
AIMS = {SCALARS: "1.3 in-source", FALSE: "20 ns, or 0.5 of three scalars",
        STRING: "one system call"}
ROUNDS, SECONDS = 15, 75  # under each load, at most
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class HitTarget(Asked):
    def __init__(self, program=PROGRAM):
        super().__init__(program)
        self.calls = 0

    def measure(self, kind="plain", burst=128, rounds=16, pause_us=20_000):
        """The median of nanoseconds a call."""
        self.calls += burst * rounds
        return float(self.ask(f"{kind} {burst} {rounds} {pause_us}").split()[0])

    def wait_until_slower(self, nanoseconds, seconds=30):
        """A peer is armed when a call costs what only its hit can cost."""
        harness.wait_for(lambda: self.measure(burst=1, rounds=3, pause_us=1000) > nanoseconds,
                         "the peer to be armed", seconds, every=0.2)


@contextlib.contextmanager
def by_itself(kind):
    with HitTarget() as target:
        yield lambda: target.measure(kind)


@contextlib.contextmanager
def nohalt(message, *options):
    with HitTarget() as target, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records")
        with harness.Logging(target.pid, PLACE, message, "-o", path, *harness.UNLIMITED,
                             *options) as log:
            log.wait_armed()
            yield target.measure
            outcome = log.stop()
        if outcome.status not in (harness.DONE, harness.NO_HIT):
            raise AssertionError(outcome)
        with open(path) as file:
            receipt = json.loads(file.read().splitlines()[-1])
        check_all_recorded(receipt, target.calls)


def check_all_recorded(receipt, calls):
    """A hit that is dropped is cheap: a share of them too large would flatter."""
    lost = receipt["dropped"] + receipt["suppressed"]
    if receipt["hits"] < calls or lost > calls / 100:
        raise AssertionError(f"not every hit was recorded: {receipt}")


@contextlib.contextmanager
def kernel_uprobe(action):
    """On a copy of the program: such a probe is in every process of a file."""
    symbols = subprocess.check_output(["nm", PROGRAM], text=True)
    symbol = next(line.split()[2] for line in symbols.splitlines() if "5plainE" in line)
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(PROGRAM, folder)
        script = f"uprobe:{copy}:{symbol} {{ {action} }}"
        with HitTarget(copy) as target, running(["bpftrace", "-o", "/dev/null", "-e", script],
                                                **QUIET):
            target.wait_until_slower(500)
            yield target.measure


@contextlib.contextmanager
def lldb():
    name, line = PLACE.split(":")
    with HitTarget() as target:
        debugger = start(
            ["lldb-19", "--no-lldbinit", "-b", "-p", str(target.pid), "-o",
             f"breakpoint set -f {name} -l {line} --auto-continue true", "-o", "continue"], **QUIET)
        try:
            target.wait_until_slower(20_000)
            yield lambda: target.measure(burst=20, rounds=5, pause_us=1000)
        finally:
            # Its target's end ends it; killed first it would leave its breakpoint.
            harness.end(target.process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                debugger.wait(10)
            harness.end(debugger)


@contextlib.contextmanager
def lttng():
    """A user-space trace session of this run's own, in a private home."""
    home = tempfile.mkdtemp(prefix="nohalt-lttng-")
    environment = {**os.environ, "LTTNG_HOME": home, "HOME": home}
    session = f"nohalt-bench-{os.getpid()}"

    def command(*words):
        return subprocess.run(["lttng", *words], env=environment, check=True, timeout=30, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def succeeds(*words):
        with contextlib.suppress(subprocess.CalledProcessError):
            return command(*words)

    try:
        with running(["lttng-sessiond", "--no-kernel", "--quiet"], 20, env=environment, **QUIET):
            harness.wait_for(lambda: succeeds("list") is not None, "lttng's daemon", 20, every=0.2)
            command("create", session, "-o", os.path.join(home, "trace"))
            command("enable-event", "--userspace", "nohalt_bench:hit", "-s", session)
            command("start", session)
            with HitTarget() as target:
                harness.wait_for(
                    lambda: f"PID: {target.pid} " in (succeeds("list", "--userspace") or ""),
                    "the target to register with lttng", 20, every=0.2)
                yield lambda: target.measure("lttng")
            command("stop", session)
            check_size(os.path.join(home, "trace"), target.calls)
            command("destroy", session)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def check_size(trace, calls):
    words_of_an_event = 3 * 8
    listing = subprocess.run(["du", "-sb", trace], capture_output=True, text=True, check=True)
    if int(listing.stdout.split()[0]) < calls * words_of_an_event:
        raise AssertionError("lttng recorded less than it was given")


def rows_of(with_nohalt):
    rows = {EMPTY: lambda: by_itself("plain"), IN_SOURCE: lambda: by_itself("source")}
    if with_nohalt:
        rows |= {
            SCALARS: lambda: nohalt("{first} {second} {third}"),
            FALSE: lambda: nohalt("{first}", "--if", "first < 0"),
            STRING: lambda: nohalt("{text}"),
        }
    return rows | {
        "LTTng-UST static tracepoint": lttng,
        "kernel uprobe (bpftrace), values into a map": lambda: kernel_uprobe(
            "@first = arg0; @second = arg1; @third = arg0 * arg1;"),
        "kernel uprobe (bpftrace), values printed": lambda: kernel_uprobe(
            r'printf("%d %d %d\n", arg0, arg1, arg0 * arg1);'),
        "LLDB breakpoint, auto-continue": lldb,
    }


class Bench:
    """Every tool set up on a target of its own, to be measured in turn."""

    def __init__(self, with_nohalt):
        self.missing, self._measures, self._stacks = {}, {}, {}
        for name, row in rows_of(with_nohalt).items():
            stack = contextlib.ExitStack()
            with self._noting(name):
                self._measures[name] = stack.enter_context(row())
                self._stacks[name] = stack

    @contextlib.contextmanager
    def _noting(self, name):
        """A tool that is not there, or fails, is named and left out."""
        try:
            yield
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            self.missing[name] = str(error)

    def rounds(self):
        """{what: [nanoseconds a call, of each round]}"""
        columns = {name: [] for name in self._measures}
        deadline = time.monotonic() + SECONDS
        for _ in range(ROUNDS):
            if time.monotonic() > deadline:
                break
            for name, measure in self._measures.items():
                columns[name].append(measure())
        return columns

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for name, stack in self._stacks.items():
            with self._noting(name):
                stack.close()


def run(with_nohalt):
    columns = {}
    with Bench(with_nohalt) as bench:
        for load in ("idle", "loaded"):
            with machine(load == "loaded"):
                columns[load] = bench.rounds()
    show(columns, bench.missing)


def cells_of(column, name):
    """Of one row under one load: the cost, and its ratio to the in-source capture."""
    above = [value - empty for value, empty in zip(column[name], column[EMPTY])]
    if name == EMPTY:
        return [spread(column[name]), ""]
    sources = [value - empty for value, empty in zip(column[IN_SOURCE], column[EMPTY])]
    digits = 1 if name.startswith(("nohalt", "in-source")) else 0
    ratios = [value / source for value, source in zip(above, sources)]
    return [spread(above, digits), spread(ratios, 2 if digits else 0)]


def show(columns, missing):
    print(f"Nanoseconds a hit, and its ratio to the in-source capture of the same round: median "
          f"(10th to 90th percentile) of {len(columns['idle'][EMPTY])} and "
          f"{len(columns['loaded'][EMPTY])} rounds.\n")
    heads = ["what", "aim, at most", "idle, ns", "ratio", "loaded, ns", "ratio"]
    rows = [[name, AIMS.get(name, ""), *cells_of(columns["idle"], name),
             *cells_of(columns["loaded"], name)] for name in columns["idle"]]
    rows += [[name, "", MISSING, "", MISSING, ""] for name in missing
             if name not in columns["idle"]]
    print(table(heads, rows, left=2))
    for name, why in missing.items():
        print(f"{name}: {MISSING} or not to be trusted: {why}\n")
