"""However a run ends, it takes its probes off, says so and tells by its exit
status how it went."""

import json
import os
import signal
import subprocess
import tempfile

import harness
from harness import DONE, GONE, NO_HIT, REFUSED

SOURCE = "tests/targets/service.c"
PLACE = f"service.c:{harness.line_of(SOURCE, 'the line most tests probe')}"


class Ending(harness.TestCase):
    def setUp(self):
        self.target = harness.Target("service", 4, 100)
        self.addCleanup(self.target.__exit__)
        self.before = harness.Footprint(self.target.pid)

    def check_clean(self):
        self.assert_unharmed(self.before, self.target.pid)
        self.assert_right_end(self.target)

    def check_signal(self, number):
        with harness.Logging(self.target.pid, PLACE, "{amount}") as log:
            log.wait_armed().wait_records(2)
            outcome = log.stop(number)
        self.assertEqual(outcome.status, DONE, outcome)
        self.receipt_of(outcome)
        self.check_clean()

    def test_sigint_disarms_and_is_success(self):
        self.check_signal(signal.SIGINT)

    def test_sigterm_disarms_and_is_success(self):
        self.check_signal(signal.SIGTERM)

    def test_sighup_disarms_and_is_success(self):
        self.check_signal(signal.SIGHUP)

    def test_a_second_ctrl_c_does_not_skip_removal(self):
        with harness.Logging(self.target.pid, PLACE, "{amount}") as log:
            log.wait_armed().wait_records(1)
            for _ in range(5):
                log.process.send_signal(signal.SIGINT)
            outcome = log.finished()
        self.assertEqual(outcome.status, DONE, outcome)
        self.check_clean()

    def test_a_full_disk_ends_the_run_and_the_receipt_goes_to_stderr(self):
        for form in "json", "text":
            command = [harness.NOHALT, "log", "-p", str(self.target.pid), PLACE, "{amount}",
                       "--format", form]
            with open("/dev/full", "w", encoding="utf-8") as full:
                outcome = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True,
                                         timeout=60, env=harness.environment(), check=False)
            self.assertEqual(outcome.returncode, 1, outcome.stderr)
            self.assertIn("No space left", outcome.stderr)
            self.assertIn("text, mappings, descriptors and threads are as before", outcome.stderr)
            self.assert_unharmed(self.before, self.target.pid)
        self.assert_right_end(self.target)

    def test_a_closed_stdout_disarms_and_is_success(self):
        command = [harness.NOHALT, "log", "-p", str(self.target.pid), PLACE, "{amount}",
                   "--limit", "100/s"]
        nohalt = harness.popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=harness.environment())
        self.assertTrue(nohalt.stdout.readline())
        nohalt.stdout.close()
        err = nohalt.stderr.read().decode()
        nohalt.stderr.close()
        self.assertEqual(nohalt.wait(20), DONE, err)
        self.check_clean()

    def test_the_lease_ends_it(self):
        outcome = harness.run("log", "-p", self.target.pid, PLACE, "{amount}", "--for", "2s",
                              "--format", "json")
        self.assertEqual(outcome.status, DONE, outcome)
        self.assertGreater(len(outcome.records("log")), 0)
        self.check_clean()

    def test_an_end_without_a_hit_is_told_apart(self):
        outcome = harness.run("log", "-p", self.target.pid, PLACE, "{amount}", "--for", "1s",
                              "--if", "amount < 0", "--format", "json")
        self.assertEqual(outcome.status, NO_HIT, outcome)
        self.assertEqual(outcome.records("log"), [])
        self.assertGreater(self.receipt_of(outcome)["hits"], 0)
        self.check_clean()

    def test_a_place_already_probed_is_refused_and_says_by_whom(self):
        with harness.Logging(self.target.pid, PLACE, "{amount}") as log:
            log.wait_armed().wait_records(1)
            second = harness.run("log", "-p", self.target.pid, PLACE, "{label}", "--hits", "1")
            self.assertEqual(second.status, REFUSED, second)
            self.assertIn(str(log.pid), second.err)
            count = len(log.records("log"))
            log.wait_records(count + 3)
            outcome = log.stop()
        self.assertEqual(outcome.status, DONE, outcome)
        self.check_clean()

    def test_rm_has_the_runs_own_tool_take_it_off(self):
        with harness.Logging(self.target.pid, PLACE, "{amount}") as log:
            log.wait_armed().wait_records(1)
            run = log.records("log")[0]["probe"]
            listed = harness.run("list", "--format", "json")
            rows = [row for row in listed.records("armed") if row["pid"] == self.target.pid]
            self.assertEqual([(row["id"], row["state"], row["tool_pid"]) for row in rows],
                             [(run, "running", log.pid)])
            self.assertTrue(0 < rows[0]["lease_left_ms"] <= 600_000, rows)
            self.assertRegex(harness.run("list").out, rf"{run} +\d+ +running +\d+s ")
            removed = harness.run("rm", run)
            self.assertEqual(removed.status, DONE, removed)
            outcome = log.finished()
        self.assert_proven_clean(self.receipt_of(outcome))
        with open(harness.environment()["NOHALT_AUDIT"]) as trail:
            events = [(line["event"], line["what"]["pid"]) for line in map(json.loads, trail)
                      if line.get("run") == run and "what" in line]
        self.assertIn(("removal-requested", self.target.pid), events)
        self.check_clean()

    def test_what_a_killed_run_left_is_refused_listed_and_swept_on_record(self):
        with harness.Logging(self.target.pid, PLACE, "{amount}") as log:
            log.wait_armed().wait_records(1)
            run = log.records("log")[0]["probe"]
            harness.end(log.process)

        def refused_for_what_is_left():
            # Until its lease has lapsed the run may only be out of sight.
            again = harness.run("log", "-p", self.target.pid, "--format", "json", PLACE, "{amount}")
            self.assertEqual(again.status, REFUSED, again)
            return "nohalt sweep" in again.err
        harness.wait_for(refused_for_what_is_left, "the dead run to be known as dead", every=0.2)
        removed = harness.run("rm", run)
        self.assertEqual(removed.status, DONE, removed)
        with open(harness.environment()["NOHALT_AUDIT"]) as trail:
            events = [line["event"] for line in map(json.loads, trail)
                      if line.get("what", {}).get("pid") == self.target.pid]
        self.assertEqual(events[-2:], ["removal-requested", "orphan-removed"], events)
        self.check_clean()

    def test_a_target_that_ends_is_told(self):
        with harness.Logging(self.target.pid, PLACE, "{amount}") as log:
            log.wait_armed().wait_records(1)
            self.assert_right_end(self.target)
            outcome = log.finished()
        self.assertEqual(outcome.status, GONE, outcome)

    def test_the_cpu_budget_switches_a_probe_off(self):
        with harness.Target("service", 4, 0) as busy:
            before = harness.Footprint(busy.pid)
            outcome = harness.run("log", "-p", busy.pid, PLACE, "{amount} {label} {job->tag}",
                                  "--limit", "100000000/s", "--cpu", "1%", "--for", "10s",
                                  "--format", "json")
            self.assertEqual(outcome.status, NO_HIT, outcome)
            self.assert_unharmed(before, busy.pid)
            self.assert_right_end(busy)

    def test_output_goes_to_the_file_asked_for(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.jsonl")
            outcome = harness.run("log", "-p", self.target.pid, PLACE, "{amount}", "--hits", 2,
                                  "--format", "json", "-o", path)
            self.assertEqual((outcome.status, outcome.out), (DONE, ""), outcome)
            with open(path) as file:
                written = harness.Outcome(0, file.read(), "")
        self.assertEqual(len(written.records("log")), 2)
        self.receipt_of(written)


if __name__ == "__main__":
    harness.main()
