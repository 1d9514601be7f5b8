"""Every local in scope, as nohalt shows it, beside what GDB shows at the same
instruction of a twin run.

GDB runs twice: what differs between its own two runs is not the same each time
and proves nothing. Everything else is sorted into:

  equal          both show a value, and it is the same
  both without   both say that it is optimised out, or not readable
  only gdb       GDB shows a value, nohalt says why it does not
  only nohalt    the other way round
  not covered    nohalt refuses the place or the expression, by reason
  DIFFERENT      both show a value, and they differ: a defect

usage: values_test.py [SHARE [TITLE]]   SHARE 1 takes every line, 3 a third of them
"""

import collections
import math
import json
import os
import random
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "e2e"))

import debuggees
import harness
from harness import DONE, NO_HIT

HITS = 3
ABSENT = ("optimized_out", "unreadable", "unavailable")


# --- what GDB sees -----------------------------------------------------------


def by_gdb(debuggee, offsets):
    """{offset: [stop, ...]}; a stop is {expression: {kind, value}}."""
    pid = debuggee.start()
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "stops")
        script = (f"PLACES = {offsets}; HITS = {HITS}; OUT = {out!r}; "
                  f"exec(open({os.path.join(HERE, 'gdb_locals.py')!r}).read())")
        gdb = harness.popen(["gdb", "-nx", "-batch", "-p", str(pid), "-ex", f"python {script}"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)
        try:
            harness.wait_for(lambda: os.path.exists(out) or gdb.poll() is not None,
                             "GDB to set its breakpoints", 60)
            debuggee.go()
            wait_until_idle(gdb, out)
        finally:
            debuggee.stop()  # which ends GDB's last `continue`
            _, errors = gdb.communicate(timeout=30)
            harness.end(gdb)
        stops = collections.defaultdict(list)
        if not os.path.exists(out) or b"Traceback" in errors:
            raise AssertionError(f"GDB failed: {errors.decode()}")
        for line in harness.read(out).splitlines():
            stop = json.loads(line)
            stops[stop["offset"]].append(stop["values"])
        return stops


def wait_until_idle(gdb, out, seconds=60):
    """Until GDB is done, or has written nothing for a while: its target waits."""
    deadline = time.monotonic() + seconds
    size, since = -1, time.monotonic()
    while gdb.poll() is None and time.monotonic() < deadline:
        now = os.path.getsize(out)
        if now != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > 3:
            return
        time.sleep(0.05)


def same_twice(first, second):
    """What two runs of GDB agree on; the rest is marked as differing by itself."""
    for offset, stops in first.items():
        for stop, other in zip(stops, second.get(offset, [])):
            for name, seen in stop.items():
                if other.get(name) != seen:
                    seen["kind"] = "varies"
    return first


# --- what nohalt sees --------------------------------------------------------


def plan(pid, place, *options):
    return harness.run("plan", "-p", pid, place, "--format", "json", *options)


def sites_of(outcome):
    """(offsets of the sites that can be probed, reasons why the others cannot)."""
    if not outcome.out.strip():
        reason = outcome.err.splitlines()[0] if outcome.err else "no output"
        return [], [reason]
    report = json.loads(outcome.out)
    offsets, reasons = [], [refusal["reason"] for refusal in report.get("refusals", [])]
    for place in report["places"]:
        reasons += [error["reason"] for error in place.get("errors", [])]
        for site in place.get("sites", []):
            refusals = [refusal["reason"] for refusal in site.get("refusals", [])]
            if refusals:
                reasons += refusals
            else:
                offsets.append(int(str(site["link_address"]), 0))
    return offsets, reasons


def supported(pid, place, expressions):
    """The expressions that nohalt takes at a place, by halving where it refuses."""
    if not expressions:
        return [], []
    options = [word for expression in expressions for word in ("--capture", expression)]
    outcome = plan(pid, place, *options)
    if outcome.status == DONE:
        return expressions, []
    if len(expressions) == 1:
        reason = (outcome.err or outcome.out).strip().splitlines()
        return [], [(expressions[0], reason[0] if reason else "refused")]
    middle = len(expressions) // 2
    good, bad = supported(pid, place, expressions[:middle])
    more_good, more_bad = supported(pid, place, expressions[middle:])
    return good + more_good, bad + more_bad


def by_nohalt(debuggee, place, expressions, hits):
    """One {expression: value record} for each hit, in order."""
    pid = debuggee.start()
    try:
        message = " ".join("{" + expression + "}" for expression in expressions)
        with harness.Logging(pid, place, message, "--hits", hits, "--for", "20s",
                             *harness.UNLIMITED) as log:
            log.wait_armed()
            debuggee.go()
            outcome = log.finished(40)
        if outcome.status not in (DONE, NO_HIT):
            raise AssertionError(outcome)
        return [record["values"] for record in outcome.records("log")]
    finally:
        debuggee.stop()


# --- the comparison ----------------------------------------------------------


MOST_EXPRESSIONS = 64  # of one message


def address_in(shown):
    """A pointer that was followed stands beside what it leads to; a text stands
    alone, without its address: None."""
    if isinstance(shown, dict):
        shown = shown.get("address", "")
    return shown if str(shown).startswith("0x") else None


def same(kind, gdb_value, shown):
    if kind == "scalar":
        return str(shown) == str(gdb_value)
    if kind == "char":
        return str(shown) == str(gdb_value) or shown == chr(gdb_value & 255)
    if kind == "real":
        ours, theirs = float(shown), float(gdb_value)
        return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    if kind == "pointer":
        return int(address_in(shown), 16) == int(gdb_value, 16)
    if kind == "enum":
        return str(shown).rsplit("::", 1)[-1] == gdb_value or str(shown) == gdb_value
    return shown == gdb_value


def judge(gdb_seen, record):
    """Which column one value falls into."""
    if gdb_seen["kind"] in ("varies", "error"):
        return "varies by itself"
    gdb_has = gdb_seen["value"] is not None
    state = record["state"]
    if state == "exact" and gdb_seen["kind"] == "pointer" and not address_in(record["value"]):
        return "text instead of an address"
    if state == "exact" and gdb_has:
        return "equal" if same(gdb_seen["kind"], gdb_seen["value"], record["value"]) else "DIFFERENT"
    if state == "exact":
        return "only nohalt"
    if state in ABSENT and not gdb_has:
        return "both without"
    return f"only gdb: {record.get('why', state)}"


class Comparison:
    def __init__(self, share):
        self.share = share
        self.random = random.Random(20240229)  # the same lines each time
        self.totals = collections.Counter()
        self.different = []

    def choose(self, debuggee):
        """Places with exactly one site that can be probed: {place: offset}."""
        lines = debuggee.lines()
        sample = sorted(self.random.sample(lines, max(1, len(lines) // self.share)))
        chosen, counts = {}, collections.Counter()
        pid = debuggee.start()
        try:
            for line in sample:
                place = f"{debuggee.source}:{line}"
                offsets, reasons = sites_of(plan(pid, place))
                if len(offsets) == 1 and not reasons:
                    chosen[place] = offsets[0]
                else:
                    counts[f"place not covered: {reasons[0] if reasons else 'several sites'}"] += 1
        finally:
            debuggee.stop()
        return chosen, counts

    def compare(self, debuggee):
        chosen, counts = self.choose(debuggee)
        offsets = list(chosen.values())
        stops = same_twice(by_gdb(debuggee, offsets), by_gdb(debuggee, offsets))
        for place, offset in chosen.items():
            if not stops.get(offset):
                counts["place never reached"] += 1
                continue
            self.compare_place(debuggee, place, stops[offset], counts)
        counts["lines"] = len([place for place in chosen if stops.get(chosen[place])])
        self.report(debuggee.title, counts)

    def compare_place(self, debuggee, place, stops, counts):
        expressions = list(dict.fromkeys(name for stop in stops for name in stop))
        pid = debuggee.start()
        try:
            good, bad = supported(pid, place, expressions)
        finally:
            debuggee.stop()
        counts["expression not covered: more than one message holds"] += len(
            good[MOST_EXPRESSIONS:])
        good = good[:MOST_EXPRESSIONS]
        for _, reason in bad:
            counts[f"expression not covered: {reason}"] += 1
        if not good:
            return
        records = by_nohalt(debuggee, place, good, len(stops))
        if len(records) != len(stops):
            self.different.append(f"{debuggee.title} {place}: {len(records)} hits, GDB {len(stops)}")
            counts["DIFFERENT"] += 1
            return
        for stop, record in zip(stops, records):
            for name in good:
                if name not in stop:
                    continue
                verdict = judge(stop[name], record[name])
                counts[verdict] += 1
                if verdict == "DIFFERENT":
                    self.different.append(f"{debuggee.title} {place} {name}: gdb {stop[name]}, "
                                          f"nohalt {record[name]}")

    def report(self, title, counts):
        print(title)
        for name, count in sorted(counts.items()):
            print(f"  {count:6} {name}")
        sys.stdout.flush()
        self.totals.update(counts)


def main():
    comparison = Comparison(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    for debuggee in debuggees.all_debuggees():
        if wanted in debuggee.title:
            comparison.compare(debuggee)
    comparison.report("in all", comparison.totals.copy())
    for line in comparison.different[:50]:
        print("DIFFERENT", line)
    enough = comparison.totals["equal"] > 100
    if not enough:
        print("too few values were compared to show anything")
    sys.exit(0 if enough and not comparison.different else 1)


if __name__ == "__main__":
    main()
