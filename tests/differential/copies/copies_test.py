#!/usr/bin/env python3
"""How often a line is hit beside how often it ran, as the program itself counted, where
compilers unroll and copy code: never more often, and where less often, it is said."""

import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "e2e"))

import harness

MADE = os.path.join(harness.BUILD, "copies")
SOURCES = ("copies.c", "copies.cpp")
# Where several statements of one macro are on the line, its copies are not told apart.
OF_MACROS = (["kSteps"], ["kChecks"])
# The beginning and the step of a loop over a range look like copies, and where code that is
# unrolled stands with them its copies are not told apart from those.
OF_RANGES = (["kRange"], ["kContinue"])
# Clang computes a part of the line once for two ways out of the scope, ahead of both, and a
# debugger stops there too.
MOVED_AHEAD = (["kScope"],)


def counted_lines(source):
    """[(line, the counters whose sum tells how often it runs)]."""
    lines = harness.read(os.path.join(HERE, source)).splitlines()
    found = [(number, re.search(r"// counts ([\w ]+)", line)) for number, line in enumerate(lines, 1)]
    return [(number, match[1].split()) for number, match in found if match]


def counters(source):
    names = re.search(r"enum \{(.*?)\}", harness.read(os.path.join(HERE, source)), re.S)[1]
    return [name.strip() for name in names.split(",")]


class Program:
    def __init__(self, source, compiler, flags):
        os.makedirs(MADE, exist_ok=True)
        self.source = source
        path = os.path.join(MADE, f"{source} {compiler} {flags}".replace(" ", "_"))
        if source.endswith(".cpp"):
            compiler = {"gcc": "g++", "clang-19": "clang++-19"}[compiler]
        subprocess.run([compiler, "-g", *flags.split(), os.path.join(HERE, source), "-o", path],
                       check=True, timeout=120)
        self.process = harness.popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True)
        self.pid = self.process.pid
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError(f"{path} did not start")

    def work(self):
        """How often each counter's lines ran."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return dict(zip(counters(self.source), map(int, self.process.stdout.readline().split())))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        harness.end(self.process)
        self.process.stdin.close()
        self.process.stdout.close()


class Copies(harness.TestCase):
    def hits_of(self, program, location):
        """(hits, how often its lines ran, reasons of the notices); None where it has no code."""
        with harness.Logging(program.pid, location, "-", "--allow-stop",
                             *harness.UNLIMITED) as log:
            try:
                log.wait_armed()
            except AssertionError:
                if log.finished().status not in (harness.USAGE, harness.REFUSED):
                    raise
                return None
            ran = program.work()
            outcome = log.stop()
        receipt = self.receipt_of(outcome)
        self.assertEqual((receipt["suppressed"], receipt["dropped"]), (0, 0))
        return receipt["hits"], ran, [note["reason"] for note in outcome.records("notice")]

    def compare(self, compiler, flags, least):
        for source in SOURCES:
            with self.subTest(source=source, flags=flags), Program(source, compiler,
                                                                   flags) as program:
                self.compare_lines(program, f"{compiler} {flags}", least)

    def compare_lines(self, program, build, least):
        looked_at, exact = 0, 0
        for line, names in counted_lines(program.source):
            found = self.hits_of(program, f"{program.source}:{line}")
            if found is None:
                continue
            hits, ran, notes = found
            expected = sum(ran[name] for name in names)
            place = f"{build} {program.source}:{line}: {hits} hits of {expected}, {notes}"
            print(place)
            if not (build.startswith("clang") and names in MOVED_AHEAD):
                self.assertLessEqual(hits, expected, place)
            if hits < expected:
                self.assertTrue({"copies-not-probed", "site-missed"} & set(notes), place)
            looked_at += 1
            unrolled_range = names in OF_RANGES and ("-O3" in build or "-funroll" in build)
            exact += hits == expected or names in OF_MACROS or unrolled_range
        self.assertGreater(looked_at, 15)
        self.assertGreaterEqual(exact * 100, least * looked_at, f"{exact} of {looked_at}")

    def test_gcc_marks_where_statements_begin_so_that_copies_are_probed(self):
        for flags in ("-O1", "-Os", "-O2", "-O3", "-O2 -funroll-all-loops"):
            self.compare("gcc", flags, 100)

    def test_code_that_is_not_optimised_has_no_copies(self):
        for compiler in ("gcc", "clang-19"):
            self.compare(compiler, "-O0", 100)

    def test_clang_does_not_mark_them_so_that_what_is_missed_is_said(self):
        for flags in ("-O1", "-O2", "-O3"):
            self.compare("clang-19", flags, 10)


if __name__ == "__main__":
    harness.main()
