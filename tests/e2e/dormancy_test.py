"""A tool that is killed or stopped: its probes go dormant by themselves within
two seconds, and `sweep` leaves the target as it was."""

import os
import signal
import time

import harness
from harness import DONE, UNLIMITED

PLACE = f"service.c:{harness.line_of('tests/targets/service.c', 'the line most tests probe')}"


class Dormancy(harness.TestCase):
    def setUp(self):
        self.target = harness.Target("service", 8, 500)
        self.addCleanup(self.target.__exit__)
        self.before = harness.Footprint(self.target.pid)

    def recorded(self):
        """next_seq of the first probe: it grows with each admitted hit."""
        return harness.control_word(self.target.pid, harness.control_offsets()[0], 8)

    def check_dormant(self, after):
        time.sleep(2.0)
        first = self.recorded()
        self.assertGreater(first, 0, "the counter was not found, so nothing is shown")
        time.sleep(0.5)
        self.assertEqual(self.recorded(), first, f"still recording two seconds after {after}")

    def check_swept(self):
        swept = harness.run("sweep")
        self.assertEqual(swept.status, DONE, swept)
        self.assert_unharmed(self.before, self.target.pid)
        self.assert_right_end(self.target)

    def test_a_killed_tool(self):
        with harness.Logging(self.target.pid, PLACE, "{amount}", *UNLIMITED) as log:
            log.wait_armed().wait_records(20)
            log.process.kill()
            log.process.wait(10)
            self.check_dormant("SIGKILL")
        self.check_swept()

    def test_a_stopped_tool(self):
        with harness.Logging(self.target.pid, PLACE, "{amount}", *UNLIMITED) as log:
            log.wait_armed().wait_records(20)
            os.kill(log.pid, signal.SIGSTOP)
            self.check_dormant("SIGSTOP")
            log.process.kill()
            log.process.wait(10)
        self.check_swept()

    def test_a_stopped_tool_that_goes_on_ends_properly(self):
        with harness.Logging(self.target.pid, PLACE, "{amount}", *UNLIMITED) as log:
            log.wait_armed().wait_records(20)
            os.kill(log.pid, signal.SIGSTOP)
            time.sleep(3)
            os.kill(log.pid, signal.SIGCONT)
            outcome = log.stop()
        self.assertEqual(outcome.status, DONE, outcome)
        self.assert_unharmed(self.before, self.target.pid)
        self.assert_right_end(self.target)

    def test_sweep_leaves_a_living_run_alone(self):
        with harness.Logging(self.target.pid, PLACE, "{amount}", *UNLIMITED) as log:
            log.wait_armed().wait_records(5)
            self.assertEqual(harness.run("sweep").status, DONE)
            count = len(log.lines())
            log.wait_records(count + 50)
            self.assertGreater(len(log.lines()), count + 49)
            self.assertEqual(log.stop().status, DONE)
        self.assert_unharmed(self.before, self.target.pid)


if __name__ == "__main__":
    harness.main()
