"""A place where two neighbouring instructions become jumps, under threads that
run both and branch to the second."""

import harness
from harness import DONE, UNLIMITED


class Eviction(harness.TestCase):
    def test_values_and_results_stay_right(self):
        with harness.Target("evicted") as target:
            before = harness.Footprint(target.pid)
            self.assertIn("evicted", harness.run("plan", "-p", target.pid, "rounds").out)
            for _ in range(8):
                outcome = harness.run("log", "-p", target.pid, "rounds", "{value} {count} {sum}",
                                      "--hits", 50, "--format", "json", *UNLIMITED)
                self.assertEqual(outcome.status, DONE, outcome)
                for record in outcome.records("log"):
                    value, count, total = map(int, record["message"].split())
                    self.assertEqual((count, total), (1 + value % 3, 7))
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)


if __name__ == "__main__":
    harness.main()
