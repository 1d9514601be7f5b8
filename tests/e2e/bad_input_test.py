"""What bad input gets: an error that names the thing, the reason and the next
step, the right exit status, and a target that nothing was done to."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile

import harness
from harness import DENIED, GONE, REFUSED, USAGE

SERVICE = "tests/targets/service.c"
LINE = harness.line_of(SERVICE, "the line most tests probe")
PLACE = f"service.c:{LINE}"
SHARE_LINE = harness.line_of(SERVICE, "double share =")

PTRACE_SEIZE, PTRACE_DETACH, PTRACE_INTERRUPT = 0x4206, 17, 0x4207
WALL = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Case(harness.TestCase):
    def check(self, pid, arguments, status, *words, **options):
        """Runs `log` with the arguments: it must fail with the status, say all
        of the words, and leave no trace."""
        outcome = harness.run("log", "-p", pid, *arguments, "--hits", "1", "--for", "5s", **options)
        self.assertEqual(outcome.status, status, outcome)
        self.assertEqual(outcome.out, "", outcome)
        for word in words:
            self.assertRegex(outcome.err, word)
        return outcome


class OnAService(Case):
    """Requests that are wrong about the program."""

    def setUp(self):
        self.target = harness.Target("service", 3, 100)
        self.addCleanup(self.target.__exit__)
        self.before = harness.Footprint(self.target.pid)

    def refuse(self, arguments, status, *words):
        outcome = self.check(self.target.pid, arguments, status, *words)
        self.assert_unharmed(self.before, self.target.pid)
        self.assert_right_end(self.target)
        return outcome

    def test_a_line_without_code_names_the_nearest_lines_that_have(self):
        comment = harness.line_of(SERVICE, "// A small service for the end-to-end tests")
        self.refuse([f"service.c:{comment}", "x"], USAGE, f"service.c:{comment}", "Nearest",
                    r"service\.c:\d\d\b")

    def test_a_file_that_is_not_there_is_named(self):
        self.refuse(["servize.c:12", "x"], USAGE, r"servize\.c")

    def test_a_function_that_is_not_there_is_named_with_near_names(self):
        self.refuse(["do_jib", "x"], USAGE, "do_jib", "do_job")

    def test_an_unknown_variable_is_named_with_near_names(self):
        self.refuse([PLACE, "{amuont}"], USAGE, "amuont", "amount")

    def test_an_unknown_member_is_named_with_near_names(self):
        self.refuse([PLACE, "{job->serail}"], USAGE, "serail", "serial")

    def test_an_optimised_out_variable_names_the_lines_where_it_is_there(self):
        """A message may hold it; a place may not depend on it."""
        self.refuse([f"service.c:{SHARE_LINE}", "x", "--if", "share > 1.0"], USAGE, "share",
                    "optimi[sz]ed out", str(LINE))

    def test_a_type_error_shows_where(self):
        outcome = self.refuse([PLACE, "{amount->name}"], USAGE, "amount")
        lines = outcome.err.splitlines()
        carets = [number for number, line in enumerate(lines) if line.strip(" ~^") == "" and "^" in line]
        self.assertEqual(len(carets), 1, outcome)
        shown, caret = lines[carets[0] - 1], lines[carets[0]]
        self.assertIn("amount->name", shown)
        self.assertLessEqual(shown.index("amount"), caret.index("^"))

    def test_an_open_brace_is_shown(self):
        self.refuse([PLACE, "job {amount"], USAGE, r"\{", r"brace|\}")

    def test_an_expression_that_would_write_is_refused(self):
        """A name and '=' only names a value; what else stands before '=' would be
        written to."""
        self.check(self.target.pid, [PLACE, "{job->state = 3}"], USAGE, "job->state = 3")
        self.refuse([PLACE, "x", "--if", "amount = 3"], USAGE, "amount = 3")

    def test_a_call_is_refused(self):
        self.refuse([PLACE, "{do_job(job, label, 1)}"], USAGE, "do_job")

    def test_a_unit_is_required(self):
        self.refuse([PLACE, "x", "--limit", "10"], USAGE, "--limit", "/s")

    def test_an_option_that_is_not_there_is_named(self):
        self.refuse([PLACE, "x", "--hitz", "3"], USAGE, "--hitz")


class OnOddPlaces(Case):
    def setUp(self):
        self.target = harness.Target("oddities")
        self.addCleanup(self.target.__exit__)
        self.before = harness.Footprint(self.target.pid)

    def tearDown(self):
        self.assert_unharmed(self.before, self.target.pid)
        self.assert_right_end(self.target)

    def test_a_site_that_cannot_be_patched_names_the_rule_and_the_nearest_that_can(self):
        line = harness.line_of("tests/targets/oddities.c", "so no jump fits")
        self.check(self.target.pid, [f"oddities.c:{line}", "x"], REFUSED, f"oddities.c:{line}",
                   r"\(([a-z]+-)+[a-z]+\)", rf"\b({line - 1}|{line + 1})\b")

    def test_an_ambiguous_file_name_lists_the_candidates(self):
        self.check(self.target.pid, ["part.c:5", "x"], USAGE, "left/part.c", "right/part.c")


class OnOddProcesses(Case):
    """Requests that are wrong about the process."""

    def test_a_pid_that_does_not_exist(self):
        child = subprocess.Popen(["true"])
        child.wait()
        self.check(child.pid, [PLACE, "x"], GONE, str(child.pid))

    def test_a_pid_that_is_no_number(self):
        self.check("redis", [PLACE, "x"], USAGE, "redis")

    def test_a_kernel_thread(self):
        if harness.read("/proc/2/comm") != "kthreadd\n":
            self.skipTest("no kernel threads are in sight here")
        self.check(2, [PLACE, "x"], REFUSED, "2")

    def test_a_program_without_debug_information(self):
        """Says which file, and of which build id, would help."""
        with harness.Target("stripped") as target:
            before = harness.Footprint(target.pid)
            notes = subprocess.check_output(["readelf", "-n", target.program], text=True)
            build_id = notes.split("Build ID:")[1].split()[0]
            self.check(target.pid, [PLACE, "x"], USAGE, "target_stripped", build_id, "--debug-dir")
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_a_process_of_another_user(self):
        if os.getuid() != 0:
            self.skipTest("only root can become another user")
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        tool = shutil.copy(harness.NOHALT, folder)
        home = os.path.join(folder, "home")
        os.mkdir(home)
        os.chown(home, 65534, 65534)
        with harness.Target("service") as target:
            before = harness.Footprint(target.pid)
            done = subprocess.run(
                ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", tool, "log", "-p",
                 str(target.pid), PLACE, "x", "--hits", "1"], stdin=subprocess.DEVNULL, cwd="/",
                capture_output=True, text=True, timeout=20, env={"HOME": home})
            self.assertEqual(done.returncode, DENIED, done)
            self.assertIn(str(target.pid), done.stderr)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_a_process_under_a_debugger(self):
        with harness.Target("service", 3, 100) as target:
            with traced(target.pid):
                before = harness.Footprint(target.pid)
                self.check(target.pid, [PLACE, "x"], REFUSED, str(target.pid), str(os.getpid()),
                           "traced")
                self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_a_thread_under_a_debugger(self):
        """One traced thread is enough to stay away."""
        with harness.Target("service", 3, 100) as target:
            worker = int(harness.tasks_of(target.pid)[-1])
            with traced(worker):
                self.check(target.pid, [PLACE, "x"], REFUSED, str(target.pid), str(os.getpid()),
                           "traced")
            self.assert_right_end(target)

    def test_a_stopped_process(self):
        with harness.Target("service", 3, 100) as target:
            os.kill(target.pid, signal.SIGSTOP)
            harness.wait_for(lambda: state_of(target.pid) == "T", "the target to stop")
            before = harness.Footprint(target.pid)
            self.check(target.pid, [PLACE, "x"], REFUSED, str(target.pid), "stopped")
            self.assertEqual(state_of(target.pid), "T")
            self.assert_unharmed(before, target.pid)
            os.kill(target.pid, signal.SIGCONT)
            self.assert_right_end(target)

    def test_a_frozen_process(self):
        mounts = [line.split() for line in harness.read("/proc/mounts").splitlines()]
        roots = [fields[1] for fields in mounts if fields[2] == "cgroup2"]
        if not roots:
            self.skipTest("no control groups of version 2 are mounted")
        group = f"{roots[0]}/nohalt-test-{os.getpid()}"
        try:
            os.mkdir(group)
        except OSError as error:
            self.skipTest(f"no control group can be made: {error}")
        self.addCleanup(os.rmdir, group)
        with harness.Target("service", 3, 100) as target:
            self.addCleanup(harness.end, target.process)
            write(f"{group}/cgroup.procs", target.pid)
            write(f"{group}/cgroup.freeze", 1)
            try:
                harness.wait_for(lambda: "frozen 1" in harness.read(f"{group}/cgroup.events"),
                                 "the target to freeze")
                self.check(target.pid, [PLACE, "x"], REFUSED, str(target.pid), "frozen")
            finally:
                write(f"{group}/cgroup.freeze", 0)
            self.assert_right_end(target)

    def test_a_process_of_32_bits(self):
        with harness.Target("tiny32") as target:
            self.check(target.pid, ["_start", "x"], REFUSED, str(target.pid), "32")
            self.assertTrue(target.alive())

    def test_a_process_under_a_seccomp_filter(self):
        line = harness.line_of("tests/targets/oddities.c", "seen += doubled;")
        with harness.Target("oddities", "seccomp") as target:
            before = harness.Footprint(target.pid)
            self.check(target.pid, [f"oddities.c:{line}", "x"], REFUSED, str(target.pid), "seccomp")
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)


@contextlib.contextmanager
def traced(tid):
    """This test's process is the thread's tracer, as a debugger would be."""
    if libc.ptrace(PTRACE_SEIZE, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    try:
        yield
    finally:  # only a stopped thread can be let go of
        libc.ptrace(PTRACE_INTERRUPT, tid, None, None)
        os.waitpid(tid, WALL)
        libc.ptrace(PTRACE_DETACH, tid, None, None)


def state_of(pid):
    return harness.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[0]


def write(path, value):
    with open(path, "w") as file:
        file.write(str(value))


if __name__ == "__main__":
    harness.main()
