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

SOURCE = os.path.join(HERE, "copies.c")
MADE = os.path.join(harness.BUILD, "copies")
# Where several statements of one macro are on the line, its copies are not told apart.
OF_MACROS = ("kSteps", "kChecks")


def counted_lines():
    """[(line, the counter that tells how often it runs)]."""
    with open(SOURCE) as source:
        found = [(number, re.search(r"// counts (k\w+)", line))
                 for number, line in enumerate(source, 1)]
    return [(number, match[1]) for number, match in found if match]


def counters():
    with open(SOURCE) as source:
        names = re.search(r"enum \{(.*?)\}", source.read(), re.S)[1]
    return [name.strip() for name in names.split(",")]


class Program:
    def __init__(self, compiler, level):
        os.makedirs(MADE, exist_ok=True)
        path = os.path.join(MADE, f"copies_{compiler}{level}")
        subprocess.run([compiler, "-g", level, SOURCE, "-o", path], check=True, timeout=60)
        self.process = harness.popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True)
        self.pid = self.process.pid
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError(f"{path} did not start")

    def work(self):
        """How often each counter's lines ran."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return dict(zip(counters(), map(int, self.process.stdout.readline().split())))

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

    def compare(self, compiler, level, least):
        looked_at, exact = 0, 0
        with Program(compiler, level) as program:
            for line, counter in counted_lines():
                found = self.hits_of(program, f"copies.c:{line}")
                if found is None:
                    continue
                hits, ran, notes = found
                place = f"{compiler} {level} copies.c:{line}: {hits} hits of {ran[counter]}, {notes}"
                print(place)
                self.assertLessEqual(hits, ran[counter], place)
                if hits < ran[counter]:
                    self.assertTrue({"copies-not-probed", "site-missed"} & set(notes), place)
                looked_at += 1
                exact += hits == ran[counter] or counter in OF_MACROS
        self.assertGreater(looked_at, 15)
        self.assertGreaterEqual(exact * 100, least * looked_at, f"{exact} of {looked_at}")

    def test_gcc_marks_where_statements_begin_so_that_copies_are_probed(self):
        for level in ("-O1", "-O2", "-O3"):
            with self.subTest(level=level):
                self.compare("gcc", level, 100)

    def test_code_that_is_not_optimised_has_no_copies(self):
        for compiler in ("gcc", "clang-19"):
            with self.subTest(compiler=compiler):
                self.compare(compiler, "-O0", 100)

    def test_clang_does_not_mark_them_so_that_what_is_missed_is_said(self):
        for level in ("-O1", "-O2", "-O3"):
            with self.subTest(level=level):
                self.compare("clang-19", level, 20)


if __name__ == "__main__":
    harness.main()
