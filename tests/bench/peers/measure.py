"""Runs the comparisons and prints their tables (see tests/bench/run)."""

import os
import platform
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "e2e"))

import harness
import hits
import holds
import snaps
import starts


def describe_machine():
    model = next((line.split(":", 1)[1].strip() for line in harness.read("/proc/cpuinfo").splitlines()
                  if line.startswith("model name")), "unknown processor")
    others = float(harness.read("/proc/loadavg").split()[0])
    print(f"{model}, {os.cpu_count()} processors, Linux {platform.release()}; load {others:.1f} "
          f"before the run.\n", flush=True)


def main():
    # So that what was started and set up is taken down on the way out.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    words = sys.argv[1:]
    with_nohalt = "--without-nohalt" not in words
    describe_machine()
    parts = {"hits": hits.run, "holds": holds.run, "snaps": snaps.run, "starts": starts.run}
    asked = [name for name in parts if name in words] or parts
    for name in asked:
        parts[name](with_nohalt)


if __name__ == "__main__":
    main()
