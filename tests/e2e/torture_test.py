"""Probes armed and taken off for a minute in a process where everything
happens at once. The target checks each of its own results."""

import os
import time

import harness
from harness import DONE

SOURCE = "tests/targets/torture.c"
LOOP = f"torture.c:{harness.line_of(SOURCE, 'a store of seven bytes')}"
HANDLER = f"torture.c:{harness.line_of(SOURCE, 'probed line')}"
SECONDS = float(os.environ.get("NOHALT_TORTURE_SECONDS", "60"))


class Torture(harness.TestCase):
    def test_arming_and_disarming_for_a_minute(self):
        with harness.Target("torture", 64) as target:
            before = harness.Footprint(target.pid, lively=True)
            rounds = hits = left = 0
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline:
                place = LOOP if rounds % 3 != 2 else HANDLER
                message = "{step->input}" if place == LOOP else "{step->mark}"
                outcome = harness.run("log", "-p", target.pid, place, message, "--hits",
                                      1 + rounds % 7, "--for", "3s", "--limit", "1000/s",
                                      "--cpu", "100%", "--format", "json", seconds=40)
                self.assertEqual(outcome.status, DONE, outcome)
                self.assertTrue(target.alive())
                rounds += 1
                hits += len(outcome.records("log"))
                left += bool(self.receipt_of(outcome)["removal"].get("left"))
            self.assertGreaterEqual(rounds, 3, "each kind of place was armed")
            self.assertGreaterEqual(hits, rounds)
            self.assert_unharmed(before, target.pid, lively=True)
            if left:  # a machine too busy to see each of the threads outside in time, and said so
                swept = harness.run("sweep", "-p", target.pid, seconds=60)
                self.assertEqual(swept.status, DONE, swept)
            self.assertFalse(harness.has_traces(target.pid))
            self.assert_right_end(target)
            print(f"{rounds} rounds, {hits} messages, code left for the sweep {left} times")


if __name__ == "__main__":
    harness.main()
