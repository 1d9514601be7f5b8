"""Far more computing threads than processors: nohalt gets its turn in time to arm
and to take all of it off again.

The number of threads can be set by NOHALT_THREADS."""

import os
import time

import harness
from harness import DONE

PLACE = f"crowd.c:{harness.line_of('tests/targets/crowd.c', 'the probed line')}"
THREADS = int(os.environ.get("NOHALT_THREADS", "300"))


class Crowd(harness.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root may go before others")

    def test_a_whole_run(self):
        # Reading symbols is done as an ordinary thread, whose turn comes every few
        # seconds here: that part is helped along, or it would be all of the test.
        with harness.Target("crowd", THREADS) as target:
            before = harness.Footprint(target.pid)
            begin = time.monotonic()
            outcome = harness.run("log", "-p", target.pid, PLACE, "{number}", "--hits", "3",
                                  "--format", "json", seconds=60,
                                  wrapper=["nice", "-n", "-15"])
            print(f"{THREADS} threads: {time.monotonic() - begin:.1f} s")
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertEqual(len(outcome.records("log")), 3)
            self.assert_proven_clean(self.receipt_of(outcome))
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)


if __name__ == "__main__":
    harness.main()
