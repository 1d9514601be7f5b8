"""Processes of this run, which end with it however it ends."""

import contextlib
import os
import subprocess

import harness


def start(command, **options):
    """Should this program be killed, the kernel ends what it started here."""
    return harness.popen(["setpriv", "--pdeathsig", "TERM", *command], **options)


@contextlib.contextmanager
def running(command, patience=10, **options):
    """Runs a command beside the block, and asks it to end after that."""
    process = start(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        harness.end(process)


class Asked:
    """A debuggee that answers a line on its stdin with a line on its stdout."""

    def __init__(self, program, *arguments):
        self.process = start([program, *map(str, arguments)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.pid = self.process.pid
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError(f"{program} did not start")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        return self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        harness.end(self.process)


@contextlib.contextmanager
def machine(loaded):
    """With a spinning process for each processor, or with none."""
    with contextlib.ExitStack() as stack:
        for _ in range(os.cpu_count() if loaded else 0):
            stack.enter_context(running(["sh", "-c", "ulimit -t 900; while :; do :; done"]))
        yield
