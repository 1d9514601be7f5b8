"""The commands that touch nothing: plan, ps, doctor, list; and sweep with
nothing to sweep."""

import harness
from harness import DONE, REFUSED, USAGE

SOURCE = "tests/targets/service.c"
LINE = harness.line_of(SOURCE, "the line most tests probe")
PLACE = f"service.c:{LINE}"


class Commands(harness.TestCase):
    def test_plan_tells_sites_variables_and_verdict_and_touches_nothing(self):
        with harness.Target("service", 3, 100) as target:
            before = harness.Footprint(target.pid)
            outcome = harness.run("plan", "-p", target.pid, PLACE)
            self.assertEqual(outcome.status, DONE, outcome)
            for word in ("do_job", "amount", "label", "square", "inline"):
                self.assertIn(word, outcome.out)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_plan_of_a_place_that_cannot_be_patched_says_so(self):
        line = harness.line_of("tests/targets/oddities.c", "so no jump fits")
        with harness.Target("oddities") as target:
            outcome = harness.run("plan", "-p", target.pid, f"oddities.c:{line}")
            self.assertEqual(outcome.status, REFUSED, outcome)
            self.assertRegex(outcome.out + outcome.err, r"[a-z]+-[a-z-]+")
            self.assert_right_end(target)

    def test_ps_lists_what_may_be_probed_and_why_the_rest_may_not(self):
        with harness.Target("service", 3, 100) as good, harness.Target("tiny32") as small:
            outcome = harness.run("ps")
            self.assertEqual(outcome.status, DONE, outcome)
            lines = {line.split()[0]: line for line in outcome.out.splitlines() if line.split()}
            self.assertIn("target_service", lines[str(good.pid)])
            self.assertIn("32", lines[str(small.pid)])
            self.assert_right_end(good)

    def test_doctor_tells_what_works_here(self):
        outcome = harness.run("doctor")
        self.assertEqual(outcome.status, DONE, outcome)
        self.assertIn("ptrace", outcome.out.lower())

    def test_doctor_fails_where_probing_would(self):
        outcome = harness.run("doctor", "--policy", "/nonexistent.yaml")
        self.assertEqual(outcome.status, REFUSED, outcome)
        self.assertIn("/nonexistent.yaml", outcome.out)

    def test_sweep_with_nothing_to_sweep_is_success(self):
        self.assertEqual(harness.run("sweep").status, DONE)

    def test_no_command_and_an_unknown_command_are_usage_errors(self):
        self.assertEqual(harness.run().status, USAGE)
        outcome = harness.run("logg")
        self.assertEqual(outcome.status, USAGE)
        self.assertIn("logg", outcome.err)

    def test_help_and_version_are_success(self):
        self.assertIn("plan", harness.run("--help").out)
        self.assertEqual(harness.run("--help").status, DONE)
        self.assertEqual(harness.run("--version").status, DONE)


if __name__ == "__main__":
    harness.main()
