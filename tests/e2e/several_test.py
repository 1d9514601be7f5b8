"""Places where only a jump over several instructions fits, for which all threads of
the target are stopped for a moment: nearly all of them run just these instructions.

The largest number of threads can be set by NOHALT_THREADS."""

import os
import re
import tempfile

import harness
from harness import DENIED, DONE, REFUSED

PLACE = f"several.c:{harness.line_of('tests/targets/several.c', 'the probed line')}"
MOST_THREADS = int(os.environ.get("NOHALT_THREADS", "300"))

POLICY = """
version: 1
roles:
  - name: careful
    members: { users: [%d] }
    may: [plan, log]
    where: { exe: ["**/target_several"] }
    limits: { hold: %s, hits_per_second: 100000000, cpu: 100%% }
"""


class Several(harness.TestCase):
    def log(self, target, *options, hits=50, **how):
        """As often as the machine is too busy: a thread may not get its turn to stop."""
        for _ in range(20):
            outcome = self.log_once(target, *options, hits=hits, **how)
            busy = re.search("thread-does-not-stop|hold-too-long|come to a stop in time|"
                             "takes longer than is allowed", outcome.err)
            if outcome.status != REFUSED or not busy:
                break
        return outcome

    def log_once(self, target, *options, hits, **how):
        return harness.run("log", "-p", target.pid, PLACE, "{value} {other}", "--hits", hits,
                           "--for", "20s", "--format", "json", "--limit", "1000/s", "--cpu", "100%", *options, **how)

    def check_values(self, outcome, hits=50):
        self.assertEqual(outcome.status, DONE, outcome)
        records = outcome.records("log")
        self.assertEqual(len(records), hits)
        for record in records:
            value, other = map(int, record["message"].split())
            self.assertEqual(other, 5 - 2 * value)

    def test_without_leave_it_is_refused_and_says_what_would_do(self):
        with harness.Target("several", 4) as target:
            before = harness.Footprint(target.pid)
            outcome = self.log(target)
            self.assertEqual(outcome.status, REFUSED, outcome)
            self.assertRegex(outcome.err, r"needs-stop")
            self.assertRegex(outcome.err, r"--allow-stop .* 5 threads for about \d+ us")
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_the_plan_tells_of_the_stop(self):
        with harness.Target("several", 4) as target:
            outcome = harness.run("plan", "-p", target.pid, PLACE, "--format", "json")
            self.assertEqual(outcome.status, DONE, outcome)
            site = outcome.records("plan")[0]["places"][0]["sites"][0]
            self.assertEqual(site["window"], "several-instructions")
            self.assertEqual(site["stop"]["threads"], 5)
            self.assertGreater(site["stop"]["expected_hold_ns"], 0)
            text = harness.run("plan", "-p", target.pid, PLACE).out
            self.assertRegex(text, "with a stop: 5 threads .*takes --allow-stop")

    def test_values_and_results_stay_right(self):
        with harness.Target("several", 4) as target:
            before = harness.Footprint(target.pid)
            for _ in range(8):
                outcome = self.log(target, "--allow-stop=40ms")
                self.check_values(outcome)
                self.assertGreaterEqual(self.receipt_of(outcome)["holds"]["count"], 5)
                self.assert_proven_clean(self.receipt_of(outcome))
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_handlers_run_on_top_of_the_window(self):
        with harness.Target("several", 4, "signals") as target:
            before = harness.Footprint(target.pid)
            armed = 0
            for _ in range(12):
                outcome = self.log(target, "--allow-stop=40ms")
                if outcome.status == REFUSED:
                    self.assertRegex(outcome.err, "signal handler runs on top|cannot be seen to its end")
                    continue
                self.check_values(outcome)
                armed += 1
            print(f"armed in {armed} of 12 rounds, handlers in the way in the others")
            self.assertGreater(armed, 0)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_however_many_threads(self):
        for threads in (1, 64, MOST_THREADS):
            if threads > 100 and os.geteuid() != 0:
                continue  # only root may go before others
            with self.subTest(threads=threads), harness.Target("several", threads) as target:
                before = harness.Footprint(target.pid)
                outcome = self.log(target, "--allow-stop=40ms", hits=3, seconds=200,
                                   wrapper=["nice", "-n", "-15"] if threads > 100 else ())
                self.check_values(outcome, 3)
                holds = self.receipt_of(outcome)["holds"]
                print(f"{threads} threads: {holds['count']} holds, "
                      f"longest {holds['longest_ns'] / 1e6:.2f} ms")
                self.assertGreater(holds["count"], threads)
                self.assert_unharmed(before, target.pid)
                self.assert_right_end(target)

    def test_the_policy_bounds_the_hold(self):
        with harness.Target("several", 100) as target, tempfile.TemporaryDirectory() as folder:
            before = harness.Footprint(target.pid)
            policy = os.path.join(folder, "policy.yaml")
            for hold, status in (("40ms", DONE), ("1ms", DENIED)):
                with open(policy, "w") as file:
                    file.write(POLICY % (os.geteuid(), hold))
                outcome = self.log(target, "--allow-stop=40ms", "--policy", policy, hits=3)
                self.assertEqual(outcome.status, status, outcome)
            self.assertRegex(outcome.err, "hold-limit.*careful|careful.*hold")
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)


if __name__ == "__main__":
    harness.main()
