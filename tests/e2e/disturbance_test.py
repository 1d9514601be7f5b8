"""Arming and disarming disturbs nobody: threads in every kind of blocking call,
which abort when one is interrupted, comes back early or transfers less.

NOHALT_LONG=1 does it a thousand times; NOHALT_ROUNDS says how often else."""

import os
import time

import harness
from harness import DONE, NO_HIT, REFUSED

PLACE = f"patience.c:{harness.line_of('tests/targets/patience.c', 'the probed line')}"
STOPPING_PLACE = ("patience.c:"
                  f"{harness.line_of('tests/targets/patience.c', 'the line that needs a stop')}")
ROUNDS = int(os.environ.get("NOHALT_ROUNDS", "1000" if "NOHALT_LONG" in os.environ else "200"))


class Disturbance(harness.TestCase):
    def check(self, outcome, wanted, target):
        """The target first: what nohalt made of its end is the lesser question."""
        if not target.alive():
            self.fail(f"the target was disturbed, status {target.process.returncode}: "
                      f"{target.process.stdout.read()}\nnohalt: {outcome}")
        self.assertIn(outcome.status, wanted, f"the target lives; nohalt: {outcome}")

    def arm_and_disarm(self, rounds, *mode):
        with harness.Target("patience", *mode) as target:
            before = harness.Footprint(target.pid)
            begin = time.monotonic()
            for _ in range(rounds):
                outcome = harness.run("log", "-p", target.pid, PLACE, "{number}", "--hits", "1",
                                      "--for", "5s", "--format", "json")
                self.check(outcome, (DONE, NO_HIT), target)
            print(f"{rounds} rounds in {time.monotonic() - begin:.0f} s")
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_beside_a_running_thread(self):
        self.arm_and_disarm(ROUNDS)

    def test_where_every_thread_waits(self):
        """Nobody runs, so somebody who waits must be borrowed: or refused, named."""
        with harness.Target("patience", "idle") as target:
            before = harness.Footprint(target.pid)
            for _ in range(max(1, ROUNDS // 20)):
                outcome = harness.run("log", "-p", target.pid, PLACE, "{number}", "--hits", "1",
                                      "--for", "5s")
                self.check(outcome, (DONE,), target)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def stop_all(self, target):
        return harness.run("log", "-p", target.pid, STOPPING_PLACE, "{number}", "--hits", "1",
                           "--for", "5s", "--allow-stop=40ms", "--format", "json")

    def test_where_all_threads_are_stopped(self):
        with harness.Target("patience", "steady") as target:
            before = harness.Footprint(target.pid)
            for _ in range(max(1, ROUNDS // 5)):
                outcome = self.stop_all(target)
                self.check(outcome, (DONE,), target)
                self.assertGreaterEqual(self.receipt_of(outcome)["holds"]["count"], 10)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_nobody_is_stopped_amid_a_transfer(self):
        with harness.Target("patience") as target:
            before = harness.Footprint(target.pid)
            for _ in range(max(1, ROUNDS // 200)):
                outcome = self.stop_all(target)
                self.check(outcome, (REFUSED,), target)
                self.assertIn("that a stop would cut short", outcome.err)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)


if __name__ == "__main__":
    harness.main()
