"""Places in libraries that the process opens and closes by itself: probed under a stop of all
threads, let go when the library goes, and waited for where it is yet to come."""

import os
import signal
import subprocess
import tempfile
import time

import harness
from harness import DENIED, DONE, GONE, NO_HIT, REFUSED, USAGE

SOURCES = os.path.join(harness.TOP, "tests/targets/libraries")
_folder = tempfile.TemporaryDirectory(prefix="nohalt-dlopen-")
HOST = os.path.join(_folder.name, "host")
PLUGIN = os.path.join(_folder.name, "libbonus.so")
VISITOR = os.path.join(_folder.name, "libvisitor.so")
FLAG = os.path.join(_folder.name, "flag")
STOP = "--allow-stop=40ms"
# Where a machine has far more to do than processors, threads may not stop in time.
PASSING = ("does not come to a stop in time", "takes longer than is allowed",
           "threads faster than they can be stopped", "the target has ended; the target runs on")


def setUpModule():
    def build(*arguments):
        subprocess.run(["g++", "-Og", "-g", "-std=c++20", *arguments], check=True, timeout=120,
                       cwd=SOURCES)
    build("-fPIC", "-shared", "-Wl,--build-id", "plugin.cpp", "-o", PLUGIN)
    build("-fPIC", "-shared", "-Wl,--build-id", "visitor.cpp", "-o", VISITOR)
    build("host.cpp", "-ldl", "-o", HOST)


def line(file, text):
    return f"{file}:{harness.line_of('tests/targets/libraries/' + file, text)}"


class Host(harness.Target):
    def __init__(self, mode=None, idle=0):
        self.say(mode)
        super().__init__(HOST, PLUGIN, VISITOR, FLAG, idle)
        if mode == "stay":
            self.wait_loaded()

    @staticmethod
    def say(mode):
        if mode is None:
            if os.path.exists(FLAG):
                os.remove(FLAG)
            return
        with open(FLAG + ".new", "w") as flag:
            flag.write(mode)
        os.rename(FLAG + ".new", FLAG)

    def child(self):
        self.process.send_signal(signal.SIGUSR1)
        children = f"/proc/{self.pid}/task/{self.pid}/children"
        return int(harness.wait_for(lambda: harness.read(children), "a child"))

    def is_loaded(self):
        return any(VISITOR in mapping for mapping in harness.maps_of(self.pid))

    def wait_loaded(self, loaded=True):
        harness.wait_for(lambda: self.is_loaded() == loaded, "the visitor does not come or go")


def differs_from_file(pid, path):
    """Whether any byte of a library's code is not what its file says."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, open(path, "rb") as file:
        for line in harness.maps_of(pid):
            fields = line.split(None, 5)
            if len(fields) < 6 or fields[5] != path or "x" not in fields[1]:
                continue
            begin, end = (int(part, 16) for part in fields[0].split("-"))
            memory.seek(begin)
            file.seek(int(fields[2], 16))
            try:
                live = memory.read(end - begin)
            except OSError:  # it was unloaded meanwhile
                continue
            is_same = live == file.read(end - begin).ljust(end - begin, b"\0")
            if not is_same and line in harness.maps_of(pid):
                return True
    return False


class Dlopen(harness.TestCase):
    def run_until_it_stops(self, *arguments, **options):
        """Tried again where the machine did not let the threads stop in time."""
        for _ in range(10):
            outcome = harness.run(*arguments, **options)
            if not any(text in outcome.err for text in PASSING):
                break
        return outcome

    def log(self, target, *arguments, **options):
        return self.run_until_it_stops("log", "-p", target.pid, *arguments, "--limit", "500/s",
                                       "--cpu", "100%", "--format", "json", **options)

    def assert_nothing_left(self, target):
        self.assertEqual([line for line in harness.maps_of(target.pid) if "memfd:nohalt" in line], [])
        for library in (PLUGIN, VISITOR):
            self.assertFalse(differs_from_file(target.pid, library), library)
        outcome = harness.run("sweep", "-p", target.pid, seconds=60)
        self.assertEqual((outcome.status, outcome.out.strip()), (DONE, "Nothing was left to remove."))

    def test_a_place_in_a_plugin_is_probed_under_a_stop_and_off_without_a_trace(self):
        with Host() as target:
            before = harness.Footprint(target.pid)
            for _ in range(3):
                outcome = self.log(target, "bonus", "{amount}", "--hits", 20, STOP)
                self.assertEqual(outcome.status, DONE, outcome)
                for record in outcome.records("log"):
                    self.assertEqual(record["values"]["amount"]["value"] % 10, 0)
                    self.assertEqual(record["module"], PLUGIN)
                receipt = self.receipt_of(outcome)
                self.assert_proven_clean(receipt)
                self.assertGreaterEqual(receipt["holds"]["count"], 2 * 4, "stopped twice")
                self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_without_leave_to_stop_it_is_refused_with_what_it_would_take(self):
        with Host() as target:
            before = harness.Footprint(target.pid)
            outcome = self.log(target, "bonus", "{amount}")
            self.assertEqual(outcome.status, REFUSED, outcome)
            self.assertIn("may-be-unloaded", outcome.err)
            self.assertRegex(outcome.err, r"--allow-stop .* 4 threads for about \d+ us")
            plan = harness.run("plan", "-p", target.pid, "bonus")
            self.assertRegex(plan.out, r"with a stop: 4 threads .*takes --allow-stop")
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_a_hold_that_is_too_short_is_denied(self):
        with Host(idle=100) as target:
            before = harness.Footprint(target.pid)
            outcome = self.log(target, "bonus", "{amount}", "--allow-stop=1ms")
            self.assertEqual(outcome.status, DENIED, outcome)
            self.assertIn("hold", outcome.err)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_a_snapshot_of_a_plugin_shows_its_locals(self):
        with Host("stay") as target:
            outcome = self.run_until_it_stops("snap", "-p", target.pid,
                                              line("visitor.cpp", "the visitor's line"), STOP)
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertIn("doubled = ", outcome.out)
            self.assert_right_end(target)

    def test_a_library_that_goes_takes_its_probe_along(self):
        with Host("stay") as target:
            with harness.Logging(target.pid, "visit", "{amount}", STOP) as log:
                log.wait_records(3)
                target.say(None)
                outcome = log.finished(30)
            self.assertEqual(outcome.status, DONE, outcome)
            receipt = self.receipt_of(outcome)
            self.assertEqual(receipt["outcome"], "library-unloaded")
            self.assertEqual(receipt["removal"].pop("unloaded"), [VISITOR])
            self.assert_proven_clean(receipt)
            self.assertFalse(target.is_loaded())
            self.assert_nothing_left(target)
            self.assert_right_end(target)

    def test_a_library_that_came_again_is_clean_and_no_longer_probed(self):
        with Host("stay") as target:
            with harness.Logging(target.pid, "visit", "{amount}", STOP) as log:
                log.wait_records(3)
                # Stopped, it sees neither the end nor the new beginning.
                log.process.send_signal(signal.SIGSTOP)
                target.say(None)
                target.wait_loaded(False)
                target.say("stay")
                target.wait_loaded()
                log.process.send_signal(signal.SIGCONT)
                outcome = log.finished(30)
            self.assertEqual(self.receipt_of(outcome)["removal"]["unloaded"], [VISITOR], outcome)
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertTrue(target.is_loaded())
            again = self.log(target, "visit", "{amount}", "--hits", 5, STOP)
            self.assertEqual(again.status, DONE, again)
            self.assert_nothing_left(target)
            self.assert_right_end(target)

    def test_a_child_that_was_forked_meanwhile_is_named_and_swept(self):
        with Host("stay") as target:
            with harness.Logging(target.pid, "visit", "{amount}", STOP) as log:
                log.wait_records(3)
                child = target.child()
                outcome = log.stop()
            self.assertIn(f"sweep -p {child}", self.receipt_of(outcome)["removal"]["left"][0])
            self.assertFalse(differs_from_file(target.pid, VISITOR))
            self.assertTrue(differs_from_file(child, VISITOR))
            swept = self.run_until_it_stops("sweep", "-p", child, seconds=60)
            self.assertEqual(swept.status, DONE, swept)
            self.assertFalse(differs_from_file(child, VISITOR))
            self.assertEqual([line for line in harness.maps_of(child) if "memfd:nohalt" in line], [])
            self.assert_right_end(target)

    def test_what_a_killed_tool_left_is_swept(self):
        for goes in (False, True):
            with self.subTest(goes=goes), Host("stay") as target:
                before = harness.Footprint(target.pid)
                with harness.Logging(target.pid, "visit", "{amount}", STOP) as log:
                    log.wait_records(3)
                    log.process.kill()
                    log.process.wait(10)
                if goes:
                    target.say(None)
                    target.wait_loaded(False)
                outcome = self.run_until_it_stops("sweep", "-p", target.pid, seconds=60)
                self.assertEqual(outcome.status, DONE, outcome)
                self.assertIn(f"{0 if goes else 1} page(s) of code restored", outcome.out)
                if not goes:
                    self.assert_unharmed(before, target.pid)
                self.assert_nothing_left(target)
                self.assert_right_end(target)

    def test_code_that_is_jumped_into_stays_whatever_the_control_page_says(self):
        """The target may write it, so a sweep looks at the code itself before it unmaps."""
        for offset in (0, 8):
            with self.subTest(offset=offset), Host("stay") as target:
                with harness.Logging(target.pid, "visit", "{amount}", STOP) as log:
                    log.wait_records(3)
                    log.process.kill()
                    log.process.wait(10)
                [control] = [line.split("-")[0] for line in harness.maps_of(target.pid)
                             if "memfd:nohalt" in line and " rw-s " in line]
                with open(f"/proc/{target.pid}/mem", "r+b", buffering=0) as memory:
                    memory.seek(int(control, 16) + offset)
                    memory.write(bytes(4))
                outcome = self.run_until_it_stops("sweep", "-p", target.pid, seconds=60)
                self.assertRegex(outcome.out + outcome.err, "still jumps into it")
                self.assertTrue(any("memfd:nohalt" in line
                                    for line in harness.maps_of(target.pid)), outcome)
                self.assert_right_end(target)

    def test_nothing_breaks_while_libraries_come_and_go(self):
        for mode in ("loop", "linger"):
            with self.subTest(mode=mode), Host(mode) as target:
                end = time.monotonic() + 20
                armed = {"bonus": 0, "visit": 0}
                while time.monotonic() < end:
                    for place, more in (("bonus", ()), ("visit", ("--pending",))):
                        outcome = harness.run("log", "-p", target.pid, place, "{amount}", "--hits", 3,
                                              "--for", "1s", STOP, "--format", "json", *more)
                        self.assertIn(outcome.status, (DONE, REFUSED, NO_HIT), outcome)
                        receipts = outcome.records("receipt")
                        armed[place] += len(receipts)
                        for receipt in receipts:
                            receipt["removal"].pop("unloaded", None)
                            self.assert_proven_clean(receipt)
                self.assertGreater(armed["bonus"], 0)
                if mode == "linger":
                    self.assertGreater(armed["visit"], 0)
                self.assert_nothing_left(target)
                self.assert_right_end(target)


class Pending(harness.TestCase):
    def pending(self, target, *arguments):
        return harness.Logging(target.pid, *arguments, STOP, "--pending")

    def wait_until_it_waits(self, log):
        harness.wait_for(lambda: "waiting until" in log.err, "it does not wait")

    def test_it_is_armed_when_the_library_comes(self):
        for place in ("visit", line("visitor.cpp", "the visitor's line"), "libvisitor!visit"):
            with self.subTest(place=place), Host() as target:
                with self.pending(target, place, "at {amount}", "--hits", 3) as log:
                    self.wait_until_it_waits(log)
                    target.say("stay")
                    outcome = log.finished(60)
                if not any(text in outcome.err for text in PASSING):
                    self.assertEqual(outcome.status, DONE, outcome)
                    self.assertEqual(len(outcome.records("log")), 3)
                self.assert_right_end(target)

    def test_what_is_there_already_is_armed_at_once(self):
        with Host("stay") as target:
            with self.pending(target, "visit", "{amount}", "--hits", 3) as log:
                outcome = log.finished(60)
            self.assertNotIn("waiting until", outcome.err)
            self.assert_right_end(target)

    def test_ctrl_c_ends_the_wait(self):
        with Host() as target:
            before = harness.Footprint(target.pid)
            with self.pending(target, "visit", "{amount}") as log:
                self.wait_until_it_waits(log)
                log.process.send_signal(signal.SIGINT)
                outcome = log.finished(20)
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertIn("nothing was armed", outcome.err)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_the_wait_ends_with_the_process(self):
        with Host() as target:
            with self.pending(target, "visit", "{amount}") as log:
                self.wait_until_it_waits(log)
                target.process.kill()
                outcome = log.finished(20)
            self.assertEqual(outcome.status, GONE, outcome)

    def test_the_wait_ends_in_time(self):
        with Host() as target:
            with self.pending(target, "visit", "{amount}", "--for", "1s") as log:
                outcome = log.finished(30)
            self.assertEqual(outcome.status, NO_HIT, outcome)
            self.assertIn("--for says how long", outcome.err)
            self.assert_right_end(target)

    def test_what_could_only_be_refused_is_not_waited_for(self):
        with Host() as target:
            outcome = harness.run("log", "-p", target.pid, "visit", "{amount}", "--pending")
            self.assertEqual(outcome.status, REFUSED, outcome)
            self.assertIn("Add --allow-stop.", outcome.err)
            self.assert_right_end(target)

    def test_other_mistakes_are_not_waited_out(self):
        with Host() as target:
            for place, message in (("host.cpp:1", "x"), ("work", "{nothing_of_the_kind}")):
                outcome = harness.run("log", "-p", target.pid, place, message, STOP, "--pending")
                self.assertEqual(outcome.status, USAGE, outcome)
            self.assert_right_end(target)

    def test_a_wrong_message_is_said_when_the_place_is_there(self):
        with Host() as target:
            with self.pending(target, "visit", "{nothing_of_the_kind}") as log:
                self.wait_until_it_waits(log)
                target.say("stay")
                outcome = log.finished(60)
            self.assertEqual(outcome.status, USAGE, outcome)
            self.assert_right_end(target)

    def test_without_it_the_error_tells_of_it(self):
        with Host() as target:
            outcome = harness.run("log", "-p", target.pid, "visit", "{amount}")
            self.assertEqual(outcome.status, USAGE, outcome)
            self.assertIn("--pending", outcome.err)
            self.assert_right_end(target)

    def test_the_trail_tells_that_it_waited(self):
        with Host() as target:
            with self.pending(target, "visit", "{amount}", "--for", "1s") as log:
                log.finished(30)
            shown = harness.run("audit", "show", "-p", target.pid)
            self.assertIn("waiting", shown.out)
            self.assertIn("not-loaded-in-time", shown.out)
            self.assert_right_end(target)


if __name__ == "__main__":
    harness.main()
