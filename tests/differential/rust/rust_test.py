"""Snapshots of a Rust program beside GDB, which knows Rust's enums, and beside LLDB, on the
same process: every argument and local at sampled lines, not optimised and optimised, and
beside GDB the stack function by function. See compare.py for what is counted."""

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "e2e"))

import harness  # noqa: E402
from compare import DIFFERENT, EQUAL, NOT_COVERED, Comparison, steady  # noqa: E402

SOURCE = "tests/targets/rust/values.rs"
FUNCTIONS = ("scalars", "enums", "pointers", "containers", "hashes", "trees")
STEP = {"0": 20, "2": 10}  # every so many lines of a function; optimised code has fewer of them
LEVELS = ("0", "2")


def lines_of(function):
    """The numbers of the lines from a function's first to its last."""
    with open(os.path.join(harness.TOP, SOURCE)) as source:
        text = source.read().splitlines()
    first = next(i for i, line in enumerate(text, 1) if line.startswith(f"fn {function}("))
    last = next(i for i, line in enumerate(text[first:], first + 1) if line == "}")
    return range(first + 1, last)


def sampled(level):
    # Optimised code has no instruction of its own for the first of each two.
    lines = [harness.line_of(SOURCE, f"// {what} are set") + after
             for what in FUNCTIONS for after in (0, 1)]
    for function in FUNCTIONS:
        lines += list(lines_of(function))[::STEP[level]]
    lines.append(harness.line_of(SOURCE, "// inlined into its caller"))
    lines.append(harness.line_of(SOURCE, "// a method of its own"))
    return sorted(set(lines))


def plain(function):
    """Without generic arguments, which are spelled in more than one way."""
    kept, depth = "", 0
    for before, c in zip(" " + function, function):
        depth += c == "<"
        kept += c if depth == 0 else ""
        depth -= c == ">" and before != "-" and depth > 0
    return re.sub(r"\s+", "", kept)


def with_code(level):
    """Of the sampled lines those that have code, or the nearest that have; and the others."""
    found, refused, lines = [], {}, sampled(level)
    with harness.Target(f"rust_O{level}", 0) as target:
        asked = lines
        while asked:
            outcome = harness.run("plan", "-p", target.pid, *(f"values.rs:{line}" for line in asked),
                                  "--format", "json", seconds=60)
            asked = []
            for place in json.loads(outcome.out)["places"]:
                line = int(place["location"].split(":")[1])
                missing = [error["hint"] for error in place.get("errors", [])
                           if error["reason"] == "no-code-on-line"]
                if not missing:
                    found.append(line)
                    continue
                refused[line] = "has no code"
                asked += {int(number) for number in re.findall(r":(\d+)", missing[0])} - set(lines)
                lines += asked
    return sorted(set(found)), refused


def snapshots(target, lines):
    """line -> records of some hits, of those lines that can be probed."""
    found, refused = {}, {}
    for line in lines:
        place = f"values.rs:{line}"
        outcome = harness.run("snap", "-p", target.pid, place, "--format", "json", "--stack",
                              "--hits", "3", "--limit", "1000/s", "--for", "3s", "--cpu", "100%",
                              seconds=60)
        records = outcome.records("snapshot") if outcome.status == harness.DONE else []
        if records:
            found[line] = records
        else:
            reason = outcome.err.splitlines()[0] if outcome.err else "no hit"
            refused[line] = reason.split(": ", 1)[-1][:70]
    return found, refused


def gdb_view(target, lines):
    with tempfile.NamedTemporaryFile("r", suffix=".json") as out:
        settings = f"FILE = 'values.rs'; LINES = {lines!r}; OUT = {out.name!r}"
        process = harness.popen(
            ["gdb", "-nx", "-q", "-batch", "-p", str(target.pid), "-ex", f"python {settings}",
             "-x", os.path.join(HERE, "gdb_rust.py")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said, _ = process.communicate(timeout=240)
        answers = [json.loads(line) for line in out.read().splitlines()]
    if len(answers) != len(lines):
        raise AssertionError(f"GDB answered {len(answers)} of {len(lines)}: {said[-1500:]}")
    return {answer["line"]: answer for answer in answers}


def lldb_view(target, lines):
    with tempfile.NamedTemporaryFile("r", suffix=".json") as out:
        order = {"pid": target.pid, "file": "values.rs", "lines": lines, "output": out.name}
        process = harness.popen(
            ["lldb-19", "-x", "-b", "-o",
             f"command script import {os.path.join(HERE, 'lldb_rust.py')}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "ORDER": json.dumps(order)})
        said, _ = process.communicate(timeout=240)
        answers = [json.loads(line) for line in out.read().splitlines()]
    if len(answers) != len(lines):
        raise AssertionError(f"LLDB answered {len(answers)} of {len(lines)}: {said[-1500:]}")
    return {answer["line"]: answer for answer in answers}


class Frames:
    def __init__(self):
        self.equal = self.whole = self.stacks = 0
        self.differences = []

    def compare(self, line, record, theirs):
        ours = [[frame.get("function", ""), os.path.basename(frame.get("file", "")),
                 frame.get("line", 0)] for frame in record["frames"]]
        self.stacks += 1
        for number, (mine, other) in enumerate(zip(ours, theirs)):
            if plain(mine[0]) != plain(other[0]) or mine[1:] != other[1:]:
                self.differences.append(f"line {line} #{number}: {mine}  GDB: {other}")
                return
            self.equal += 1
        self.whole += len(ours) == len(theirs)


def debuggers_of(which):
    """LLDB, which knows fewer of Rust's types, looks at all only in the long run."""
    both = which == 0 or "NOHALT_LONG" in os.environ
    return {"GDB": gdb_view, "LLDB": lldb_view} if both else {"GDB": gdb_view}


def count(refusals, reasons):
    for reason in reasons:
        refusals[reason] = refusals.get(reason, 0) + 1


class Rust(harness.TestCase):
    maxDiff = None

    def test_every_local_and_the_stack_are_those_of_gdb_and_lldb(self):
        rows, differences, uncovered, refusals = [], [], {}, {}
        # Most of a snapshot's time is waiting, so the processes are looked at side by side.
        with ThreadPoolExecutor(len(LEVELS) * 3) as pool:
            places = dict(zip(LEVELS, pool.map(with_code, LEVELS)))
            runs = [(level, which, places[level][0]) for level in LEVELS for which in range(3)]
            seen = list(pool.map(self.look, *zip(*runs)))
        for _, without_code in places.values():
            count(refusals, without_code.values())
        for (level, which, _), (refused, records, compared) in zip(runs, seen):
            count(refusals, refused.values())
            for debugger, (values, frames) in compared.items():
                rows.append((f"-C opt-level={level}", which, debugger, len(records),
                             *(values.counts[what] for what in (EQUAL, NOT_COVERED, DIFFERENT)),
                             f"{frames.whole}/{frames.stacks}", frames.equal))
                differences += [f"O{level} {which} {debugger}: {each}"
                                for each in values.differences + frames.differences]
                for why, number in values.uncovered.items():
                    uncovered[why] = uncovered.get(why, 0) + number
        self.report(rows, uncovered, refusals)
        self.assertEqual(differences, [])
        for row in rows:
            self.assertGreater(row[4], 100, "too few values were compared")

    def look(self, level, which, lines):
        with harness.Target(f"rust_O{level}", which) as target:
            records, refused = snapshots(target, lines)
            compared = {name: self.compare(records, view(target, sorted(records)), name)
                        for name, view in debuggers_of(which).items()}
            self.assert_right_end(target)
        return refused, records, compared

    def compare(self, records, oracle, debugger):
        values, frames = Comparison(), Frames()
        for line, (record, *others) in records.items():
            theirs = oracle[line]
            self.assertNotIn("error", theirs, f"line {line}")
            # Where an inlined call begins at the same address GDB does not enter it, or
            # goes to another line.
            if record["line"] != line or theirs["frames"][0][2] != line:
                continue
            for name, node in record.get("values", {}).items():
                if "@" in name:
                    continue  # hidden by another of its name
                oracles = theirs["values"].get(name, {"kind": "odd"})
                # Another copy of the line has variables of its own.
                again = [other["values"][name] for other in others if name in other["values"]]
                values.value(f"line {line} {name}", steady(node, again), oracles)
            if debugger == "GDB":
                frames.compare(line, record, theirs["frames"])
        return values, frames

    @staticmethod
    def report(table, uncovered, refusals):
        print("\n| build | which | beside | lines | equal | not covered | DIFFERENT | whole stacks | "
              "frames equal |")
        for row in table:
            print("| " + " | ".join(map(str, row)) + " |")
        for why, count in sorted(uncovered.items(), key=lambda item: -item[1])[:20]:
            print(f"  not covered {count:5}: {why}")
        for why, count in sorted(refusals.items(), key=lambda item: -item[1])[:10]:
            print(f"  no snapshot {count:5}: {why}")


if __name__ == "__main__":
    harness.main()
