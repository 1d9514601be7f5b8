"""What every end-to-end test needs: start a target, run nohalt on it, read its
records, and show that a target is as it was before.

Everything waits for a bounded time, and only processes started here are ended,
by their pid.
"""

import atexit
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("NOHALT_BUILD", os.path.join(TOP, "build"))
NOHALT = os.environ.get("NOHALT_BINARY", os.path.join(BUILD, "nohalt"))
SKIPPED = 77  # what ctest takes for "skipped"

# Exit statuses of nohalt (README, "Exit status").
DONE, INTERNAL, USAGE, DENIED, REFUSED, GONE, NO_HIT = range(7)

# Limits that bound nothing, for tests that count every hit.
UNLIMITED = ["--limit", "100000000/s", "--cpu", "100%"]

_started = []


def _end_all():
    for process in _started:
        end(process)


atexit.register(_end_all)


def end(process):
    """Ends a process started here, if it still runs."""
    if process.poll() is not None:
        return
    process.kill()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        print(f"pid {process.pid} does not end", file=sys.stderr)


def popen(command, **options):
    process = subprocess.Popen(command, **options)
    _started.append(process)
    return process


def wait_for(condition, what, seconds=10.0, every=0.005):
    """The first true value of condition(); fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        time.sleep(every)


def read(path):
    with open(path) as file:
        return file.read()


# --- targets ---------------------------------------------------------------


class Target:
    """A debuggee of tests/targets: prints "ready" when it is up, and on SIGTERM
    checks itself and exits 0 when everything was right."""

    def __init__(self, name, *arguments, wrapper=(), environment=None):
        program = name if os.path.isabs(name) else os.path.join(BUILD, "target_" + name)
        self.program = program
        self.process = popen([*wrapper, program, *map(str, arguments)], stdout=subprocess.PIPE,
                             env={**os.environ, **(environment or {})}, text=True)
        self.pid = self.process.pid
        first = self.process.stdout.readline().strip()
        if first != "ready":
            raise AssertionError(f"{name} did not start: '{first}'")

    def alive(self):
        return self.process.poll() is None

    def finish(self, seconds=20):
        """Asks it to end and gives (exit status, what it printed)."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            text, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            end(self.process)
            raise AssertionError(f"target {self.pid} did not end on SIGTERM")
        return self.process.returncode, text

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.process.stdout.close()


def line_of(file, text):
    """The number of the only line of a file (from the top) that has the text."""
    with open(os.path.join(TOP, file)) as source:
        found = [number for number, line in enumerate(source, 1) if text in line]
    if len(found) != 1:
        raise AssertionError(f"{file}: {len(found)} lines have '{text}'")
    return found[0]


# --- what a process is, seen from outside ----------------------------------


def maps_of(pid):
    return read(f"/proc/{pid}/maps").splitlines()


def tasks_of(pid):
    return sorted(os.listdir(f"/proc/{pid}/task"))


def descriptors_of(pid):
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[number] = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            continue
    return found


def tracer_of(pid):
    return int(re.search(r"TracerPid:\s+(\d+)", read(f"/proc/{pid}/status"))[1])


def text_hash(pid):
    """SHA-256 of what the executable's code mappings hold now."""
    executable = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    digest = hashlib.sha256()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps_of(pid):
            fields = line.split(None, 5)
            if len(fields) == 6 and fields[5].startswith(executable) and "x" in fields[1]:
                begin, stop = (int(part, 16) for part in fields[0].split("-"))
                memory.seek(begin)
                digest.update(memory.read(stop - begin))
    return digest.hexdigest()


class Footprint:
    """What probing must leave as it was. `lively` leaves out what a busy target
    changes by itself: anonymous memory, threads and descriptors."""

    def __init__(self, pid, lively=False):
        self.text = text_hash(pid)
        lines = maps_of(pid)
        if lively:
            lines = [line for line in lines if "/" in line or line.split()[1][2] == "x"]
        self.maps = lines
        self.threads = [] if lively else tasks_of(pid)
        self.descriptors = {} if lively else descriptors_of(pid)
        self.tracer = tracer_of(pid)

    def differences(self, other):
        found = []
        if self.text != other.text:
            found.append("text differs")
        found += [f"mapping gone: {line}" for line in self.maps if line not in other.maps]
        found += [f"mapping new: {line}" for line in other.maps if line not in self.maps]
        if self.threads != other.threads:
            found.append(f"threads {self.threads} became {other.threads}")
        if self.descriptors != other.descriptors:
            found.append(f"descriptors {self.descriptors} became {other.descriptors}")
        if self.tracer != other.tracer:
            found.append(f"tracer {self.tracer} became {other.tracer}")
        return found


def is_patched(pid):
    """Whether a page of the executable's code is replaced by one of nohalt's."""
    return any("nohalt-page" in line and "x" in line.split()[1] for line in maps_of(pid))


@functools.cache
def control_offsets():
    """Of the first probe's next_seq and state, from the control region's start."""
    return [int(word) for word in
            subprocess.check_output([os.path.join(BUILD, "layout_offsets")]).split()]


def control_word(pid, offset, size):
    """A number in the run's control region, as the target has it mapped."""
    for line in maps_of(pid):
        if "nohalt-control" in line:
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                memory.seek(int(line.split("-")[0], 16) + offset)
                return int.from_bytes(memory.read(size), "little")
    return 0


def is_armed(pid):
    """The code is patched and the first probe turned on: from now on hits count."""
    return is_patched(pid) and control_word(pid, control_offsets()[1], 4) != 0


def has_traces(pid):
    return any("nohalt" in line for line in maps_of(pid))


# --- nohalt ----------------------------------------------------------------

_state = tempfile.mkdtemp(prefix="nohalt-e2e-")
atexit.register(shutil.rmtree, _state, True)


def environment():
    """Keeps the tests' audit lines out of the machine's own trail."""
    return {**os.environ, "XDG_STATE_HOME": _state, "LC_ALL": "C.UTF-8",
            "NOHALT_AUDIT": os.path.join(_state, "audit.jsonl")}


def _be_nobodys_root():
    """Behind sudo the tests' files would be opened as who logged in; they are root's."""
    try:
        with open("/proc/self/loginuid", "w") as own:
            own.write("4294967295")
    except OSError:
        pass


if os.geteuid() == 0:
    _be_nobodys_root()


def login(uid):
    """Runs a command as root that logged in as somebody, as behind sudo; None: nobody logged
    in. No trail is named to it: it would be opened with that person's rights."""
    if uid is None:
        return ()
    return ("sh", "-c", 'unset NOHALT_AUDIT; echo "$0" > /proc/self/loginuid && exec "$@"',
            str(uid))


def logins_can_be_set():
    return os.geteuid() == 0 and subprocess.run(
        [*login(65534), "true"], stderr=subprocess.DEVNULL, timeout=10).returncode == 0


class Outcome:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def records(self, kind=None):
        found = [json.loads(line) for line in self.out.splitlines()]
        return [record for record in found if kind is None or record["kind"] == kind]

    def __repr__(self):
        return f"exit {self.status}\nstdout: {self.out[-2000:]}\nstderr: {self.err[-2000:]}"


def run(*arguments, seconds=30, wrapper=(), **options):
    """Runs nohalt to its end."""
    command = [*wrapper, NOHALT, *map(str, arguments)]
    process = popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                    stdin=subprocess.DEVNULL, env=environment(), **options)
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"{command} ran longer than {seconds} s\n{out[-1000:]}\n{err[-1000:]}")
    return Outcome(process.returncode, out, err)


class Logging:
    """`nohalt log --format json` in the background."""

    def __init__(self, pid, *arguments, wrapper=()):
        self.target = pid
        command = [*wrapper, NOHALT, "log", "-p", str(pid), "--format", "json", *map(str, arguments)]
        self.process = popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             stdin=subprocess.DEVNULL, env=environment())
        self.pid = self.process.pid
        self._out, self._err = bytearray(), bytearray()
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self._out), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self._err), daemon=True)]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream, into):
        while chunk := os.read(stream.fileno(), 1 << 16):
            into += chunk

    @property
    def err(self):
        return bytes(self._err).decode()

    def wait_armed(self, seconds=15):
        def armed():
            if self.process.poll() is not None:
                raise AssertionError(f"ended before it was armed: {self.finished()}")
            return is_armed(self.target)
        wait_for(armed, "the probe to be armed", seconds)
        return self

    def lines(self):
        """The whole lines that have come so far."""
        return bytes(self._out).decode().splitlines() if self._out.endswith(b"\n") else (
            bytes(self._out).decode().split("\n")[:-1])

    def records(self, kind=None):
        found = [json.loads(line) for line in self.lines()]
        return [record for record in found if kind is None or record["kind"] == kind]

    def wait_records(self, count, seconds=15):
        wait_for(lambda: len(self.lines()) >= count or self.process.poll() is not None,
                 f"{count} records", seconds, every=0.02)
        return self.records()

    def finished(self, seconds=20):
        """Waits for its end by itself."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            end(self.process)
            raise AssertionError(f"nohalt did not end in {seconds} s: {self.err[-1000:]}")
        for reader in self._readers:
            reader.join(5)
        return Outcome(self.process.returncode, bytes(self._out).decode(), self.err)

    def stop(self, number=signal.SIGINT, seconds=20):
        self.process.send_signal(number)
        return self.finished(seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        for reader in self._readers:
            reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()


# --- tests -----------------------------------------------------------------


class TestCase(unittest.TestCase):
    def assert_unharmed(self, before, pid, lively=False):
        """Nothing of the target differs from the footprint taken before."""
        self.assertEqual(before.differences(Footprint(pid, lively)), [])

    def assert_right_end(self, target):
        status, text = target.finish()
        self.assertEqual(status, 0, f"the target found itself wrong: {text}")

    def assert_proven_clean(self, receipt):
        """The receipt's own proof that the target is as before."""
        self.assertEqual(receipt["removal"], {
            "text_restored": True, "mappings_as_before": True, "descriptors_as_before": True,
            "threads_as_before": True})

    def receipt_of(self, outcome):
        receipts = outcome.records("receipt")
        self.assertEqual(len(receipts), 1, outcome)
        self.assertEqual(json.loads(outcome.out.splitlines()[-1])["kind"], "receipt", outcome)
        return receipts[0]


def main():
    """Runs the calling script's tests; exits 77 when every one was skipped."""
    program = unittest.main(verbosity=2, exit=False)
    result = program.result
    if not result.wasSuccessful() or result.testsRun == 0:
        sys.exit(1)
    sys.exit(SKIPPED if len(result.skipped) == result.testsRun else 0)
