"""A logpoint on a small service: every message right, every count right."""

import re

import harness
from harness import DONE, UNLIMITED

SOURCE = "tests/targets/service.c"
LINE = harness.line_of(SOURCE, "the line most tests probe")
PLACE = f"service.c:{LINE}"
NAMES = ["anna", "bruno", "chiara", "dario", "edith"]


class Log(harness.TestCase):
    def test_messages_carry_the_values_of_their_own_job(self):
        message = ("{job->serial} {amount} {label} {job->owner->name} {job->owner->level} "
                   "{job->tag} {job->state} {job->low} {job->high} {tag=job->tag}")
        with harness.Target("service", 4, 200) as target:
            before = harness.Footprint(target.pid)
            outcome = harness.run("log", "-p", target.pid, PLACE, message, "--hits", 200,
                                  "--format", "json", *UNLIMITED)
            self.assertEqual(outcome.status, DONE, outcome)
            records = outcome.records("log")
            self.assertEqual(len(records), 200)
            for record in records:
                serial = int(record["message"].split()[0])
                owner = serial % 5
                self.assertEqual(
                    record["message"],
                    f"{serial} {serial + 7} {NAMES[owner]} {NAMES[owner]} {owner * 10} "
                    f"t{serial % 1000} kJobNew {serial & 31} {serial & 2047} t{serial % 1000}")
                self.assertEqual(record["values"]["tag"]["value"], f"t{serial % 1000}")
                self.assertEqual(record["values"]["tag"]["state"], "exact")
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_a_record_says_where_and_when_it_was_taken(self):
        with harness.Target("service", 3, 100, environment={
                "OTEL_SERVICE_NAME": "jobs",
                "OTEL_RESOURCE_ATTRIBUTES": "service.version=9.1"}) as target:
            outcome = harness.run("log", "-p", target.pid, PLACE, "{amount}", "--hits", 20,
                                  "--format", "json", *UNLIMITED)
            self.assertEqual(outcome.status, DONE, outcome)
            threads = {int(tid) for tid in harness.tasks_of(target.pid)}
            records = outcome.records("log")
            self.assertEqual([record["seq"] for record in records], list(
                range(records[0]["seq"], records[0]["seq"] + 20)))
            for record in records:
                self.assertEqual(record["schema"], 1)
                self.assertEqual(record["pid"], target.pid)
                self.assertIn(record["tid"], threads)
                self.assertEqual(record["exe"], target.program)
                self.assertTrue(record["file"].endswith("service.c"))
                self.assertEqual(record["line"], LINE)
                self.assertEqual(record["function"], "do_job")
                self.assertEqual(record["service"], "jobs")
                self.assertEqual(record["version"], "9.1")
                self.assertEqual(record["engine"], "inline")
                self.assertRegex(record["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")

    def test_every_hit_is_counted(self):
        """3000 jobs from four threads: as many hits, matches and messages."""
        with harness.Target("service", 4, 400, 3000) as target:
            with harness.Logging(target.pid, PLACE, "{job->serial}", *UNLIMITED) as log:
                log.wait_armed()
                harness.wait_for(lambda: not self._working(target), "the last job", 60)
                outcome = log.stop()
            self.assertEqual(outcome.status, DONE, outcome)
            serials = sorted(int(record["message"]) for record in outcome.records("log"))
            receipt = self.receipt_of(outcome)
            # Jobs before arming are not seen; from the first one seen on, all are.
            self.assertEqual(serials[-50:], list(range(2951, 3001)))
            late = [serial for serial in serials if serial > serials[0] + 8]
            self.assertEqual(late, list(range(late[0], 3001)))
            self.assertEqual(receipt["hits"], len(serials))
            self.assertEqual(receipt["matched"], len(serials))
            self.assertEqual((receipt["suppressed"], receipt["dropped"]), (0, 0))
            self.assert_right_end(target)

    @staticmethod
    def _working(target):
        return len(harness.tasks_of(target.pid)) > 1

    def test_a_condition_lets_only_its_jobs_through(self):
        with harness.Target("service", 4, 400) as target:
            outcome = harness.run("log", "-p", target.pid, PLACE, "{job->serial} {label}",
                                  "--if", 'job->serial % 10 == 3 && label == "dario"',
                                  "--hits", 30, "--format", "json", *UNLIMITED)
            self.assertEqual(outcome.status, DONE, outcome)
            for record in outcome.records("log"):
                serial, label = record["message"].split()
                self.assertEqual(int(serial) % 10, 3)
                self.assertEqual(label, "dario")
            receipt = self.receipt_of(outcome)
            self.assertGreater(receipt["hits"], receipt["matched"])
            self.assert_right_end(target)

    def test_the_rate_is_kept_and_the_rest_counted(self):
        # One thread at full speed: whatever a hit costs, it cannot use more than one CPU.
        with harness.Target("service", 1, 0) as target:
            outcome = harness.run("log", "-p", target.pid, PLACE, "{amount}", "--limit", "20/s",
                                  "--for", "4s", "--cpu", "100%", "--format", "json")
            self.assertEqual(outcome.status, DONE, outcome)
            messages = outcome.records("log")
            receipt = self.receipt_of(outcome)
            self.assertGreaterEqual(len(messages), 40)
            self.assertLessEqual(len(messages), 20 * 4 + 20)
            self.assertGreater(receipt["suppressed"], 0)
            self.assertEqual(receipt["matched"],
                             len(messages) + receipt["suppressed"] + receipt["dropped"])
            self.assert_right_end(target)

    def test_a_function_is_a_place(self):
        with harness.Target("service", 2, 100) as target:
            outcome = harness.run("log", "-p", target.pid, "do_job", "{amount} {label}",
                                  "--hits", 5, "--format", "json")
            self.assertEqual(outcome.status, DONE, outcome)
            for record in outcome.records("log"):
                amount, label = record["message"].split()
                self.assertEqual(label, NAMES[(int(amount) - 7) % 5])
            self.assert_right_end(target)

    def test_text_shows_one_message_a_line_and_the_receipt_apart(self):
        with harness.Target("service", 2, 100) as target:
            outcome = harness.run("log", "-p", target.pid, PLACE, "job {job->serial}", "--hits", 3)
            self.assertEqual(outcome.status, DONE, outcome)
            lines = outcome.out.splitlines()
            self.assertEqual(len(lines), 3, outcome)
            for line in lines:
                self.assertRegex(line, r"job \d+$")
                self.assertNotIn("\x1b", line)
            self.assertRegex(outcome.err, re.compile("hits", re.I))
            self.assertIn(f"armed {PLACE} in 1 place of pid {target.pid}, at most 10/s", outcome.err)

    def test_the_receipt_tells_the_hold_and_proves_the_removal(self):
        with harness.Target("service", 8, 100) as target:
            outcome = harness.run("log", "-p", target.pid, PLACE, "{amount}", "--hits", 3,
                                  "--format", "json")
            receipt = self.receipt_of(outcome)
            self.assertEqual(receipt["outcome"], "hits-reached")
            self.assertGreaterEqual(receipt["holds"]["count"], 1)
            self.assertGreater(receipt["holds"]["longest_ns"], 0)
            self.assertGreaterEqual(receipt["holds"]["total_ns"], receipt["holds"]["longest_ns"])
            self.assertGreater(receipt["cost"]["mean_ns"], 0)
            self.assert_proven_clean(receipt)
            self.assert_right_end(target)


if __name__ == "__main__":
    harness.main()
