"""Probes at line after line of a program in which control arrives by exceptions,
longjmp, switched contexts and computed gotos, with leave to stop its threads. The
target checks each of its own results.

Some of its lines; with NOHALT_LONG=1 all of them."""

import os

import harness
from harness import DONE, INTERNAL, NO_HIT, REFUSED, USAGE

SOURCE = "tests/targets/leaps.cpp"
LONG = os.environ.get("NOHALT_LONG") == "1"


class Leaps(harness.TestCase):
    def lines(self, step):
        first = harness.line_of(SOURCE, "struct Counted {")
        with open(os.path.join(harness.TOP, SOURCE)) as source:
            last = len(source.readlines())
        return range(first, last, 1 if LONG else step)

    def probe(self, target, line):
        outcome = harness.run("log", "-p", target.pid, f"leaps.cpp:{line}", "{$line}", "--hits",
                              10, "--for", "1s", "--limit", "1000/s", "--cpu", "100%",
                              "--allow-stop", "--format", "json", seconds=60)
        self.assertTrue(target.alive(), (line, outcome))
        self.assertIn(outcome.status, (DONE, NO_HIT, USAGE, REFUSED, INTERNAL), (line, outcome))
        for record in outcome.records("log"):
            self.assertEqual(record["message"], str(record["line"]))
        if outcome.status == INTERNAL:
            self.assertTrue(self.receipt_of(outcome)["removal"].get("left"), (line, outcome))
            self.sweep_in_the_end(target)
        return outcome

    def sweep_in_the_end(self, target):
        """What a context leads into is kept until that context is over."""
        harness.wait_for(
            lambda: harness.run("sweep", "-p", target.pid, seconds=60).status == DONE,
            "the sweep", 60)

    def check(self, name, *, step, stops):
        hit = stopped = 0
        with harness.Target(name) as target:
            before = harness.Footprint(target.pid, lively=True)
            for line in self.lines(step):
                outcome = self.probe(target, line)
                hit += outcome.status == DONE
                if outcome.status in (DONE, NO_HIT):
                    # Two for the threads that are borrowed, and one more for each of all.
                    stopped += self.receipt_of(outcome)["holds"]["count"] > 2 + stops
            self.assert_unharmed(before, target.pid, lively=True)
            self.assertFalse(harness.has_traces(target.pid))
            self.assert_right_end(target)
        print(f"{name}: {len(self.lines(step))} lines, {hit} hit, {stopped} with a stop")
        self.assertGreaterEqual(hit, 5)
        if stops:
            self.assertGreaterEqual(stopped, 1)

    def test_beside_signals_and_switched_contexts(self):
        self.check("leaps", step=4, stops=0)

    def test_beside_signals_and_switched_contexts_as_clang_lays_it_out(self):
        self.check("leaps_clang", step=4, stops=0)

    def test_where_only_a_stop_will_do(self):
        self.check("leaps_calm", step=1, stops=3)

    def test_where_only_a_stop_will_do_as_clang_lays_it_out(self):
        self.check("leaps_calm_clang", step=1, stops=3)


if __name__ == "__main__":
    harness.main()
