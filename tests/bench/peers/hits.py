"""Nanoseconds a hit: nohalt and its peers on the same line of the same program."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

import harness

SOURCE = "tests/bench/peers/hit_target.cpp"
PLACE = f"hit_target.cpp:{harness.line_of(SOURCE, 'the probed line')}"
PROGRAM = os.path.join(harness.BUILD, "bench_hit_target")
EMPTY, IN_SOURCE = "the call alone", "in-source capture by hand"


class HitTarget:
    def __init__(self):
        self.process = harness.popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True, bufsize=1)
        self.pid = self.process.pid
        assert self.process.stdout.readline() == "ready\n"

    def measure(self, kind="plain", burst=128, rounds=200, pause_us=20_000):
        """(median, 10th, 90th percentile) of nanoseconds a call."""
        self.process.stdin.write(f"{kind} {burst} {rounds} {pause_us}\n")
        return tuple(float(word) for word in self.process.stdout.readline().split())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        harness.end(self.process)


def nohalt(message, *options):
    with HitTarget() as target, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records")
        with harness.Logging(target.pid, PLACE, message, "-o", path, *harness.UNLIMITED,
                             *options) as log:
            log.wait_armed()
            time.sleep(0.3)
            result = target.measure()
            outcome = log.stop()
        if outcome.status not in (harness.DONE, harness.NO_HIT):
            raise AssertionError(outcome)
        with open(path) as file:
            receipt = json.loads(file.read().splitlines()[-1])
        if receipt["dropped"] or receipt["suppressed"] or receipt["hits"] < 128 * 200:
            raise AssertionError(f"not every hit was recorded: {receipt}")
        return result


def kernel_uprobe(action):
    symbols = subprocess.check_output(["nm", PROGRAM], text=True)
    symbol = next(line.split()[2] for line in symbols.splitlines() if "5plainE" in line)
    program = f"uprobe:{PROGRAM}:{symbol} {{ {action} }}"
    with HitTarget() as target:
        tracer = harness.popen(["bpftrace", "-p", str(target.pid), "-o", "/dev/null", "-e", program],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until_slower(target, 500)
            return target.measure()
        finally:
            harness.end(tracer)


def wait_until_slower(target, nanoseconds, seconds=30):
    """A peer is armed when a call costs what only its hit can cost."""
    harness.wait_for(lambda: target.measure(burst=1, rounds=3, pause_us=1000)[0] > nanoseconds,
                     "the peer to be armed", seconds, every=0.2)


def lldb(*options):
    name, line = PLACE.split(":")
    with HitTarget() as target:
        # Ended by ending its target: killed by itself it would leave its breakpoint.
        debugger = harness.popen(
            ["lldb-19", "--no-lldbinit", "-b", "-p", str(target.pid), "-o",
             f"breakpoint set -f {name} -l {line} --auto-continue true " + " ".join(options), "-o",
             "continue"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            wait_until_slower(target, 20_000)
            return target.measure(burst=20, rounds=10, pause_us=1000)
        finally:
            harness.end(target.process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                debugger.wait(10)
            harness.end(debugger)


def lttng():
    """A user-space trace session of this run's own, in a private home."""
    home = tempfile.mkdtemp(prefix="nohalt-lttng-")
    environment = {**os.environ, "LTTNG_HOME": home, "HOME": home}
    session = f"nohalt-bench-{os.getpid()}"

    def command(*words):
        subprocess.run(["lttng", "--quiet", *words], env=environment, check=True, timeout=30,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    daemon = harness.popen(["lttng-sessiond", "--no-kernel", "--quiet"], env=environment,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        harness.wait_for(lambda: subprocess.run(
            ["lttng", "list"], env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode == 0, "lttng's daemon", 20, every=0.2)
        command("create", session, "-o", os.path.join(home, "trace"))
        command("enable-event", "--userspace", "nohalt_bench:hit", "-s", session)
        command("start", session)
        with HitTarget() as target:
            wait_until_registered(target, environment)
            result = target.measure("lttng")
        command("stop", session)
        listing = subprocess.run(["du", "-sb", os.path.join(home, "trace")], capture_output=True,
                                 text=True, check=True)
        if int(listing.stdout.split()[0]) < 128 * 200 * 24:
            raise AssertionError("lttng recorded less than it was given")
        command("destroy", session)
        return result
    finally:
        daemon.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(20)
        harness.end(daemon)
        shutil.rmtree(home, ignore_errors=True)


def wait_until_registered(target, environment):
    def registered():
        listing = subprocess.run(["lttng", "list", "--userspace"], env=environment,
                                 capture_output=True, text=True)
        return f"PID: {target.pid} " in listing.stdout
    harness.wait_for(registered, "the target to register with lttng", 20, every=0.2)


def plain(kind):
    with HitTarget() as target:
        return target.measure(kind)


def measure_all(with_nohalt):
    """{what: (median, p10, p90)}; a peer that cannot run is left out, and said."""
    rows = {EMPTY: lambda: plain("plain"), IN_SOURCE: lambda: plain("source")}
    if with_nohalt:
        rows |= {
            "nohalt inline, three scalars": lambda: nohalt("{first} {second} {third}"),
            "nohalt inline, condition false": lambda: nohalt("{first}", "--if", "first < 0"),
            "nohalt inline, one string": lambda: nohalt("{text}"),
        }
    rows |= {
        "LTTng-UST static tracepoint": lttng,
        "kernel uprobe, values into a map": lambda: kernel_uprobe(
            "@first = arg0; @second = arg1; @third = arg0 * arg1;"),
        "kernel uprobe, the values printed": lambda: kernel_uprobe(
            r'printf("%d %d %d\n", arg0, arg1, arg0 * arg1);'),
        "LLDB breakpoint, auto-continue": lldb,
        "LLDB, the three values printed": lambda: lldb('-C "frame variable first second third"'),
    }
    results = {}
    for name, row in rows.items():
        try:
            results[name] = row()
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            print(f"not measured: {name}: {error}", flush=True)
    return results


def show(results):
    """Costs are shown above the call alone, and as multiples of the in-source capture."""
    print("nanoseconds a hit, above the call itself: median (10th to 90th percentile)\n")
    print(f"| {'what':34} | {'idle':>30} | {'loaded':>30} | x in-source, idle | loaded |")
    print("| --- | ---: | ---: | ---: | ---: |")
    names = dict.fromkeys(name for column in results.values() for name in column)
    for name in names:
        cells, ratios = [], []
        for column in results.values():
            empty, source = column[EMPTY][0], column[IN_SOURCE][0]
            if name not in column:
                cells.append("not measured")
                ratios.append("")
                continue
            median, low, high = (value - (0 if name == EMPTY else empty) for value in column[name])
            cells.append(f"{median:,.1f} ({low:,.1f} to {high:,.1f})")
            ratios.append("" if name == EMPTY else f"{median / (source - empty):,.2f}")
        print(f"| {name:34} | {cells[0]:>30} | {cells[1]:>30} | {ratios[0]:>17} | {ratios[1]:>6} |")
    print(flush=True)
