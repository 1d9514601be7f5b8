"""Runs the comparisons and prints their tables (see tests/bench/run)."""

import contextlib
import os
import platform
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "e2e"))

import harness
import hits
import holds


@contextlib.contextmanager
def machine(loaded):
    """With as many spinning processes as processors, or with none."""
    spinners = []
    if loaded:
        spinners = [harness.popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count())]
    try:
        yield
    finally:
        for spinner in spinners:
            harness.end(spinner)


def describe_machine():
    model = next((line.split(":", 1)[1].strip() for line in harness.read("/proc/cpuinfo").splitlines()
                  if line.startswith("model name")), "unknown processor")
    print(f"{model}, {os.cpu_count()} processors, Linux {platform.release()}\n", flush=True)


def main():
    words = sys.argv[1:]
    with_nohalt = "--without-nohalt" not in words
    describe_machine()
    if "holds" not in words:
        results = {}
        for loaded in (False, True):
            with machine(loaded):
                results["loaded" if loaded else "idle"] = hits.measure_all(with_nohalt)
        hits.show(results)
    if "hits" not in words:
        results = {}
        for loaded in (False, True):
            with machine(loaded):
                results["loaded" if loaded else "idle"] = holds.measure_all(with_nohalt)
        holds.show(results)


if __name__ == "__main__":
    main()
