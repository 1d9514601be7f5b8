"""Processes that are hard to touch: nohalt works on them without harm, or refuses
by name and leaves them as they were."""

import os
import re
import signal
import subprocess
import time

import harness
from harness import DONE, GONE, NO_HIT, REFUSED

SOURCE = "tests/targets/hazards.c"
PLACE = f"hazards.c:{harness.line_of(SOURCE, 'the probed line')}"
STOPPING_PLACE = f"hazards.c:{harness.line_of(SOURCE, 'the line that needs a stop')}"
# Its first instruction reads memory.
READING_PLACE = f"hazards.c:{harness.line_of(SOURCE, 'if (must_act)')}"


class Hazards(harness.TestCase):
    def target(self, mode):
        target = harness.Target("hazards", mode)
        self.addCleanup(target.__exit__)
        return target

    def log(self, target, *options, message="{number}", place=PLACE):
        return harness.run("log", "-p", target.pid, place, message, "--hits", "3", "--for", "5s",
                           "--format", "json", *options)

    def stop_all(self, target):
        return self.log(target, "--allow-stop=40ms", place=STOPPING_PLACE)

    def check_works(self, mode, log=None):
        target = self.target(mode)
        before = harness.Footprint(target.pid)
        outcome = (log or self.log)(target)
        self.assertEqual(outcome.status, DONE, outcome)
        self.assertEqual(len(outcome.records("log")), 3)
        self.assert_unharmed(before, target.pid)
        self.assert_right_end(target)

    def check_refused(self, target, before, outcome, word):
        self.assertEqual(outcome.status, REFUSED, outcome)
        self.assertRegex(outcome.err, re.compile(word, re.I))
        self.assert_unharmed(before, target.pid)
        self.assert_right_end(target)

    def test_a_process_like_any_other(self):
        self.check_works("plain")

    def test_no_new_executable_memory_is_allowed(self):
        self.check_works("mdwe")

    def test_all_threads_of_such_a_process_are_stopped(self):
        self.check_works("plain", self.stop_all)
        self.check_works("mdwe", self.stop_all)

    def test_nobody_is_stopped_beside_a_child_that_shares_the_memory(self):
        """A thread that is suspended in vfork cannot be looked at."""
        target = self.target("vfork")
        before = harness.Footprint(target.pid)
        for _ in range(5):
            outcome = self.stop_all(target)
            self.assertIn(outcome.status, (DONE, REFUSED), outcome)
        self.assert_unharmed(before, target.pid)
        self.assert_right_end(target)

    def test_it_replaces_itself_while_all_threads_are_stopped(self):
        target = self.target("exec")
        statuses = set()
        for _ in range(25):
            outcome = self.stop_all(target)
            self.assertIn(outcome.status, (DONE, GONE, REFUSED, NO_HIT), outcome)
            self.assertTrue(target.alive(), outcome)
            statuses.add(outcome.status)
        harness.wait_for(lambda: not harness.has_traces(target.pid), "the next image", 5)
        print(f"statuses met: {sorted(statuses)}")

    def test_a_thread_is_suspended_in_vfork(self):
        target = self.target("vfork")
        before = harness.Footprint(target.pid)
        for _ in range(5):
            outcome = self.log(target)
            self.assertIn(outcome.status, (DONE, REFUSED), outcome)
            if outcome.status == REFUSED:
                self.assertRegex(outcome.err, "vfork")
        self.assert_unharmed(before, target.pid)
        self.assert_right_end(target)

    def test_every_page_must_be_locked_and_none_may(self):
        target = self.target("mlock")
        before = harness.Footprint(target.pid)
        self.check_refused(target, before, self.log(target), "lock")

    def test_a_filter_kills_at_strange_calls(self):
        target = self.target("seccomp-kill")
        before = harness.Footprint(target.pid)
        self.check_refused(target, before, self.log(target), "seccomp")

    def check_change(self, mode, place, outcome_is, status):
        """Of a target that turns to something dangerous while it is probed."""
        target = self.target(mode)
        before = harness.Footprint(target.pid)
        with harness.Logging(target.pid, place, "was here", "--for", "60s") as log:
            log.wait_armed().wait_records(2)
            os.kill(target.pid, signal.SIGUSR1)
            outcome = log.finished()
        self.assertEqual(outcome.status, status, outcome)
        self.assertEqual([record["outcome"] for record in outcome.records("receipt")],
                         [outcome_is])
        self.assertEqual([record["reason"] for record in outcome.records("notice")], [outcome_is])
        self.assertTrue(target.alive())
        return target, before

    def test_a_filter_that_comes_later_ends_the_probe_and_it_stays_dormant(self):
        target, _ = self.check_change("filter-later", PLACE, "target-sandboxed",
                                      harness.INTERNAL)
        self.assertTrue(harness.is_patched(target.pid))
        self.assert_right_end(target)

    def test_a_fault_handler_that_comes_later_ends_the_probe(self):
        target, before = self.check_change("handle-later", READING_PLACE, "target-handles-faults",
                                           DONE)
        self.assert_unharmed(before, target.pid)
        self.assert_right_end(target)

    def test_a_target_that_may_filter_itself_later_is_read_by_registers_only(self):
        target = harness.Target("filterable", "plain")
        self.addCleanup(target.__exit__)
        before = harness.Footprint(target.pid)
        refused = self.log(target, message="{total}")
        outcome = self.log(target, message="{number}")
        self.assertEqual(outcome.status, DONE, outcome)
        self.check_refused(target, before, refused, "libseccomp")

    def test_a_read_might_sleep_for_ever(self):
        """Only captures that read memory: what is in registers may be had."""
        target = self.target("userfaultfd")
        before = harness.Footprint(target.pid)
        outcome = self.log(target, message="{number}")
        self.assertIn(outcome.status, (DONE, REFUSED), outcome)
        self.check_refused(target, before, self.log(target, message="{item->text}"), "userfaultfd")

    def test_another_tool_has_a_breakpoint_on_the_page(self):
        target = self.target("plain")
        address = self.address_of(target, "never")
        with open(f"/proc/{target.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(address)
            memory.write(b"\xcc")
        before = harness.Footprint(target.pid)
        self.check_refused(target, before, self.log(target), "differ|breakpoint|other")

    def test_another_tool_has_a_uprobe_on_the_page(self):
        if os.getuid() != 0:
            self.skipTest("only root can set a uprobe")
        target = self.target("plain")
        tracer = harness.popen(["bpftrace", "-p", str(target.pid), "-e",
                                f"uprobe:{target.program}:never {{ @ = count(); }}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(harness.end, tracer)
        clean = harness.text_hash(target.pid)
        harness.wait_for(lambda: harness.text_hash(target.pid) != clean or tracer.poll() is not None,
                         "the uprobe", 30)
        if tracer.poll() is not None:
            self.skipTest("bpftrace sets no uprobes here")
        before = harness.Footprint(target.pid)
        self.check_refused(target, before, self.log(target), "differ|breakpoint|other|uprobe")

    def test_no_thread_more_is_allowed(self):
        mounts = [line.split() for line in harness.read("/proc/mounts").splitlines()]
        group = next((f"{fields[1]}/nohalt-test-{os.getpid()}" for fields in mounts
                      if (fields[2] == "cgroup" and "pids" in fields[3].split(","))), None)
        if group is None:
            self.skipTest("no control group for pids is mounted")
        try:
            os.mkdir(group)
        except OSError as error:
            self.skipTest(f"no control group can be made: {error}")
        self.addCleanup(os.rmdir, group)
        target = self.target("plain")
        self.addCleanup(harness.end, target.process)
        for name, value in (("cgroup.procs", target.pid), ("pids.max", 1)):
            with open(f"{group}/{name}", "w") as file:
                file.write(str(value))
        before = harness.Footprint(target.pid)
        self.check_refused(target, before, self.log(target), "thread|pid")

    def test_it_replaces_itself_while_it_is_armed(self):
        """Each run meets another moment of a process that executes itself anew
        every 60 milliseconds or so."""
        target = self.target("exec")
        statuses = set()
        for _ in range(25):
            outcome = self.log(target)
            self.assertIn(outcome.status, (DONE, GONE, REFUSED, NO_HIT), outcome)
            self.assertTrue(target.alive(), outcome)
            statuses.add(outcome.status)
        harness.wait_for(lambda: not harness.has_traces(target.pid), "the next image", 5)
        print(f"statuses met: {sorted(statuses)}")

    def test_it_forks_while_it_is_armed(self):
        """The child records nothing, is named by the receipt, and can be swept."""
        target = self.target("fork")
        before = harness.Footprint(target.pid)
        with harness.Logging(target.pid, PLACE, "{number}", *harness.UNLIMITED) as log:
            log.wait_armed().wait_records(5)
            os.kill(target.pid, signal.SIGUSR1)
            child = int(target.process.stdout.readline())
            time.sleep(0.3)
            self.assertTrue(harness.has_traces(child), "nothing to show: the child has no probe")
            outcome = log.stop()
        self.assertEqual(outcome.status, DONE, outcome)
        numbers = [int(record["message"]) for record in outcome.records("log")]
        self.assertEqual(len(set(numbers)), len(numbers), "both processes recorded")
        left = self.receipt_of(outcome)["removal"]["left"]
        self.assertEqual(len(left), 1, outcome)
        self.assertIn(f"sweep -p {child}", left[0])
        self.assert_unharmed(before, target.pid)
        swept = harness.run("sweep", "-p", child)
        self.assertEqual(swept.status, DONE, swept)
        after = harness.Footprint(child)
        self.assertEqual((after.text, after.maps, after.tracer),
                         (before.text, before.maps, before.tracer))
        self.assertTrue(os.path.exists(f"/proc/{child}/exe"))
        self.assert_right_end(target)

    @staticmethod
    def address_of(target, symbol):
        symbols = subprocess.check_output(["nm", target.program], text=True)
        offset = next(int(line.split()[0], 16) for line in symbols.splitlines()
                      if line.split()[-1] == symbol)
        base = next(int(line.split("-")[0], 16) for line in harness.maps_of(target.pid)
                    if line.endswith(target.program))
        return offset if offset >= base else base + offset  # at a fixed address, or not


if __name__ == "__main__":
    harness.main()
