"""Every local in scope, as nohalt captures it, beside what GDB shows at the same
hit of the same thread.

nohalt arms its probes; then GDB attaches and sets its breakpoints on the very
statements that are probed, so that a thread stops in GDB first and runs into the
probe as GDB lets it go on. Nothing else of the target runs in between: what the two
see is the same moment, and has to be the same. (Where nohalt captures at another
instruction of the statement, its values still have to be those at the first.) One
message holds a limited number of expressions, so there are several rounds.

  equal          both show a value, and it is the same
  both without   both say that it is optimised out, or not readable
  only gdb       GDB shows a value, nohalt says why it does not
  only nohalt    the other way round
  not covered    nohalt refuses the place or the expression, by reason
  DIFFERENT      both show a value, and they differ: a defect

usage: values_test.py [SCALE [TITLE]]   SCALE 3 takes three times as many lines, TITLE is an
expression that names some of the debuggees. With NOHALT_LONG set all compilers and levels.
Fails where anything is different, or fewer are equal than LEAST says.
"""

import collections
import json
import os
import random
import re
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "e2e"))

import debuggees
import harness
from gdb_servant import Gdb
from harness import DONE, INTERNAL
from judge import judge
from places import APART, apart, plan, probe_file, root_of, rounds_of

HITS = 3
JUMP = 4  # bytes of a jump after its first
# Nine tenths of what is equal on the development machine.
LEAST = {"redis gcc -O0": 3100, "redis gcc -O1": 770, "redis gcc -O2": 980,
         "locals.c gcc -O0": 475, "locals.c gcc -O3": 360,
         "locals.c as a library clang-19 -O2": 355, "objects.cpp gcc -O2": 100,
         "objects.cpp clang-19 -O1": 185, "orders gcc -O0": 290,
         "orders clang-19 -O2 -flto": 190}
LEAST_OF_OTHERS = 70


class Refused(AssertionError):
    """Not armed."""


class Comparison:
    def __init__(self, debuggee, scale=1):
        self.debuggee = debuggee
        self.places = scale * debuggee.sample
        self.counts = collections.Counter()
        self.different = []

    def run(self):
        self.debuggee.make()
        self.pid = self.debuggee.start()
        self.gdb = Gdb(self.debuggee.path)
        try:
            for batch in apart(self.choose()):
                batch = self.together(batch)
                self.discover(batch)
                for asked in rounds_of(batch):
                    try:
                        seen = self.watch(asked)
                    except Refused:
                        asked = {place: self.taken(place.name, expressions)
                                 for place, expressions in asked.items()}
                        seen = self.watch(asked)
                    self.compare(asked, *seen)
        finally:
            self.gdb.stop()
            self.debuggee.stop()

    def choose(self):
        """The places that can be probed, each once."""
        names = self.debuggee.places()
        sample = random.Random(20240229).sample(names, min(len(names), self.places))
        chosen, taken = [], set()
        for place in plan(self.pid, *sample):
            if set(place.reasons) == {"other-probe"}:  # those of this very plan
                (place,) = plan(self.pid, place.name)
            if place.reasons:
                self.counts[f"place not covered: {place.reasons[0]}"] += 1
            elif taken & set(place.variables):
                self.counts["place is another line's too"] += 1
            else:
                chosen.append(place)
                taken |= set(place.variables)
        return chosen

    def together(self, batch):
        """Those that can be probed at once, as they then are."""
        places = plan(self.pid, *(place.name for place in batch))
        for place in places:
            if place.reasons:
                self.counts[f"place not covered: {place.reasons[0]}"] += 1
        return [place for place in places if not place.reasons]

    def discover(self, places):
        """Finds the expressions of each place, and judges those that nohalt has not."""
        by_name = {place.name: place for place in places}
        stops, _ = self.watch({place: [] for place in places})
        for stop in stops:
            place = by_name[stop["place"]]
            known = place.variables[stop["address"]]
            names = [name for name, _ in place.expressions]
            for name, seen in stop["values"].items():
                variable = known.get(root_of(name))
                if place.is_captured(name):
                    if name not in names:
                        place.expressions.append((name, seen["kind"]))
                elif variable is None and seen["value"] is None:
                    self.counts["both without"] += 1  # nohalt does not list it
                elif variable is None:
                    self.counts["expression not covered: unknown to nohalt"] += 1
                elif variable["state"] == "available":
                    self.counts["expression not covered: gone in another copy of the line"] += 1
                else:
                    record = {"state": variable["state"], "why": variable.get("why", "")}
                    self.counts[judge(seen, record)] += 1
        reached = {stop["place"] for stop in stops}
        self.counts["lines"] += len(reached)
        self.counts["lines with a stop"] += sum(place.stops_threads for place in places
                                                if place.name in reached)
        self.counts["place never reached"] += len(places) - len(reached)

    def taken(self, name, expressions):
        """By halving, where some are refused, which are counted by reason."""
        words = [word for e in expressions for word in ("--capture", e)]
        outcome = harness.run("plan", "-p", self.pid, name, *words, "--format", "json")
        if outcome.status == DONE:
            return expressions
        if len(expressions) == 1:
            report = json.loads(outcome.out)
            errors = report.get("refusals", []) + report["places"][0].get("errors", [])
            errors += [e for site in report["places"][0].get("sites", [])
                       for e in site.get("refusals", [])]
            self.counts[f"expression not covered: {errors[0]['message']}"] += 1
            return []
        middle = len(expressions) // 2
        return self.taken(name, expressions[:middle]) + self.taken(name, expressions[middle:])

    def watch(self, asked):
        """Lets the debuggee do its work once, with probes on places that capture the
        expressions asked for. Gives what GDB sees and {place: nohalt's values}."""
        before = self.code_of(asked)
        with probe_file(asked) as file:
            with harness.Logging(self.pid, "-f", file.name, "--for", "5m",
                                 *harness.UNLIMITED) as log:
                self.wait_armed(log, len(asked))
                self.check_code(asked, before)
                stops = self.stops(asked)
                outcome = log.stop()
        self.renew(asked, outcome)
        receipt = outcome.records("receipt")[0]
        alone = [{"probe": receipt["run"], "location": next(iter(asked)).name}]
        names = {probe["probe"]: probe["location"] for probe in receipt.get("probes", alone)}
        records = collections.defaultdict(list)
        # Each copy of a line has a ring of its own.
        for record in sorted(outcome.records("log"), key=lambda record: record["seq"]):
            records[names[record["probe"]]].append(record.get("values", {}))
        for place in asked:
            seen = [stop for stop in stops if stop["place"] == place.name]
            hits = len(records[place.name])
            if hits < len(seen):  # there may be more after the end
                raise AssertionError(f"{place.name}: {hits} hits, GDB has {len(seen)}")
        return stops, records

    @staticmethod
    def wait_armed(log, count):
        """Every one of the probes: they are turned on one after the other."""
        harness.wait_for(lambda: log.err.count("nohalt: armed ") == count or
                         log.process.poll() is not None, "the probes to be armed", 60)
        if log.process.poll() is not None:
            raise Refused(log.finished())

    def renew(self, asked, outcome):
        """A new process where dormant code had to stay in the old one, or GDB has written to
        a page of the program's own, so that it is a private copy."""
        removal = outcome.records("receipt")[0]["removal"]
        stayed = outcome.status == INTERNAL and removal["text_restored"]
        if stayed or not all(place.has_page_replaced for place in asked):
            self.debuggee.stop()
            self.pid = self.debuggee.start()
        elif outcome.status != DONE:
            raise AssertionError(outcome)

    def stops(self, places):
        """What GDB sees while the debuggee does its work once."""
        self.gdb.ask(pid=self.pid, places={place.name: list(place.variables) for place in places},
                     hits=HITS, end=self.debuggee.end)
        if (answer := self.gdb.answer()) == "ready":
            self.debuggee.go()
            answer = self.gdb.answer()
        if not isinstance(answer, list):
            raise AssertionError(f"{self.debuggee.title}: {answer}")
        return answer

    def code_of(self, places):
        """{statement: the bytes around it}."""
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            return {address: os.pread(memory.fileno(), JUMP + APART, address - JUMP)
                    for place in places for address in place.variables}

    def check_code(self, places, before):
        """That the jump to the probe begins at the statement or after it: GDB, which
        writes to the statement's first byte, may not write into the middle of one."""
        for address, code in self.code_of(places).items():
            if code[:JUMP] != before[address][:JUMP] or code == before[address]:
                raise AssertionError(f"{address:#x}: {before[address].hex()} became {code.hex()}")

    def compare(self, asked, stops, records):
        for place, expressions in asked.items():
            seen = [stop["values"] for stop in stops if stop["place"] == place.name]
            for stop, record in zip(seen, records[place.name]):
                for name in [name for name in expressions if name in stop]:
                    verdict = judge(stop[name], record[name])
                    self.counts[verdict] += 1
                    if verdict == "DIFFERENT":
                        self.different.append(
                            f"{place.name} {name}: gdb {stop[name]}, nohalt {record[name]}")


def report(title, counts):
    print(title)
    for name, count in sorted(counts.items()):
        print(f"  {count:6} {name}")
    sys.stdout.flush()


COLUMNS = ("lines", "lines with a stop", "equal", "both without", "only gdb", "only nohalt",
           "DIFFERENT")


def row(title, counts):
    """One of the table in docs/benchmarks.md."""
    found = collections.Counter()
    for name, count in counts.items():
        name = "equal" if name.startswith("equal") else name.split(":")[0]
        found[name] += count
    return "| " + " | ".join([title, *(f"{found[name]:,}" for name in COLUMNS)]) + " |"


def main():
    whole = "NOHALT_LONG" in os.environ
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 2 if whole else 1
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    totals, rows, good = collections.Counter(), [], True
    for debuggee in debuggees.all_debuggees() if whole else debuggees.usual_debuggees():
        if not re.search(wanted, debuggee.title):
            continue
        began = time.monotonic()
        comparison = Comparison(debuggee, scale)
        comparison.run()
        report(f"{debuggee.title} ({time.monotonic() - began:.1f} s)", comparison.counts)
        rows.append(row(debuggee.title, comparison.counts))
        totals.update(comparison.counts)
        for line in comparison.different[:20]:
            print("  DIFFERENT", line)
        least = LEAST.get(debuggee.title, LEAST_OF_OTHERS)
        if comparison.different or comparison.counts["equal"] < least:
            good = False
            print(f"FAILED: {len(comparison.different)} differ; at least {least} must be equal")
    report("in all", totals)
    print("\n".join([row("in all", totals), *rows]))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
