"""A tool that is killed or stopped: its probes go dormant by themselves within
two seconds, and `sweep` leaves the target as it was."""

import os
import signal
import subprocess
import time

import harness
from harness import DONE, UNLIMITED

PLACE = f"service.c:{harness.line_of('tests/targets/service.c', 'the line most tests probe')}"
NEXT_SEQ = int(subprocess.check_output([os.path.join(harness.BUILD, "layout_offsets")]))


class Dormancy(harness.TestCase):
    def setUp(self):
        self.target = harness.Target("service", 8, 500)
        self.addCleanup(self.target.__exit__)
        self.before = harness.Footprint(self.target.pid)

    def control_region(self):
        """The start of the run's control region, as the target has it mapped."""
        for line in harness.maps_of(self.target.pid):
            if "nohalt-control" in line:
                begin = int(line.split("-")[0], 16)
                with open(f"/proc/{self.target.pid}/mem", "rb", buffering=0) as memory:
                    memory.seek(begin)
                    return memory.read(5 * 4096)
        self.fail("no control page is mapped")

    def recorded(self):
        """next_seq of the first probe: it grows with each admitted hit."""
        return int.from_bytes(self.control_region()[NEXT_SEQ:NEXT_SEQ + 8], "little")

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
