"""The audit trail of real runs: what it says, what is armed when it cannot be
written (nothing), and how it is read, shown whole and taken elsewhere."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unicodedata

import harness
from harness import DENIED, DONE, REFUSED, UNLIMITED, USAGE

LINE = harness.line_of("tests/targets/service.c", "the line most tests probe")
PLACE = f"service.c:{LINE}"

# Control, bidirectional, CSV, CEF, JSON and Markdown characters.
NASTY = "=cmd|' /C calc'!A0\n\r\t\x1b[2J\u202e\u2028\",\"}{\\|a=b CEF:0|x|<b>[l](u) `c` \x9b31m"


def log(trail, target, *arguments, **options):
    return harness.run("log", "-p", target.pid, PLACE, "{amount}", "--hits", 3, "--audit", trail,
                       *UNLIMITED, *arguments, **options)


def records(trail):
    return [json.loads(line) for line in harness.read(trail).splitlines()]


def events(trail):
    return [record["event"] for record in records(trail)]


class Audit(harness.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="nohalt-audit-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.trail = os.path.join(self.folder, "audit.jsonl")

    def audit(self, *arguments, **options):
        return harness.run("audit", *arguments, "--audit", self.trail, **options)

    def verdict(self, *arguments):
        outcome = self.audit("verify", *arguments, "--format", "json")
        return outcome.status, json.loads(outcome.out)

    def file(self, name):
        return os.path.join(self.folder, name)


class Trail(Audit):
    def test_a_run_leaves_a_signed_chain_that_says_what_was_done(self):
        with harness.Target("service", 2, 200) as target:
            outcome = log(self.trail, target, "--ticket", "INC-1", "--reason", "why")
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertEqual(events(self.trail),
                             ["requested", "armed", "hit-summary", "disarmed", "checkpoint"])
            armed = records(self.trail)[1]
            self.assertTrue(armed["what"]["places"][0].endswith(PLACE))
            status, verdict = self.verdict()
            self.assertEqual(status, DONE)
            self.assertTrue(verdict["chain"]["whole"])
            self.assertEqual(verdict["signed"]["up_to"], 5)
            self.assert_right_end(target)

    def test_runs_at_the_same_time_make_one_chain(self):
        with harness.Target("service", 2, 200) as one, harness.Target("service", 2, 200) as two:
            runs = [harness.Logging(target.pid, PLACE, "{amount}", "--audit", self.trail, "--hits",
                                    5, *UNLIMITED) for target in (one, two, one, two)]
            for run in runs:
                with run:
                    run.finished()
            self.assertEqual(self.verdict()[0], DONE)
            self.assertEqual(events(self.trail).count("requested"), 4)

    def test_reading_is_recorded_before_anything_is_shown(self):
        with harness.Target("service", 2, 200) as target:
            log(self.trail, target)
        shown = self.audit("show", "--user", "nobody-here")
        self.assertEqual((shown.status, shown.out), (DONE, ""), shown)
        read = [record for record in records(self.trail) if record["event"] == "audit-read"]
        self.assertEqual([record["what"]["read"] for record in read], ["show --user nobody-here"])
        before = harness.read(self.trail)
        self.verdict()
        self.assertEqual(harness.read(self.trail), before, "verify leaves the trail as it is")

    def test_who_names_the_person_for_a_place_and_for_a_process(self):
        with harness.Target("service", 2, 200) as target:
            log(self.trail, target, "--ticket", "INC-7")
            for question in ([PLACE], ["-p", target.pid]):
                outcome = self.audit("who", *question, "--format", "json")
                runs = outcome.records("audit-run")
                self.assertEqual(len(runs), 1, outcome)
                self.assertEqual(runs[0]["uid"], os.getuid())
                self.assertEqual(runs[0]["how"], "disarmed")
                self.assertEqual(runs[0]["ticket"], "INC-7")
                self.assertGreaterEqual(runs[0]["records"], 3)
            self.assertEqual(self.audit("who", "other.c:1", "--format", "json").out, "")

    def test_a_changed_record_is_named_and_fails_the_verdict(self):
        with harness.Target("service", 2, 200) as target:
            log(self.trail, target, "--reason", "curious")
        text = harness.read(self.trail)
        with open(self.trail, "w") as file:
            file.write(text.replace("curious", "careful", 1))
        outcome = self.audit("verify")
        self.assertEqual(outcome.status, REFUSED, outcome)
        self.assertIn("record 1 before it was changed", outcome.out)


class FailClosed(Audit):
    """No durable record, no probe."""

    def in_small_tmpfs(self, script):
        """Runs a shell script where $T is a trail on a file system of 32 KiB."""
        if os.getuid() != 0:
            self.skipTest("only root can mount")
        os.mkdir(self.file("small"))
        script = (f"mount -t tmpfs -o size=32k tmpfs {self.file('small')} || exit 77\n"
                  f"T={self.file('small')}/audit.jsonl\nF={self.file('small')}/filler\n"
                  f"N={harness.NOHALT}\n" + script)
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60,
                              env=harness.environment())
        if done.returncode == 77:
            self.skipTest("a tmpfs cannot be mounted here")
        return done

    def test_on_a_full_disk_nothing_is_armed_and_the_chain_goes_on_after_it(self):
        with harness.Target("service", 2, 200) as target:
            before = harness.Footprint(target.pid)
            probe = f"timeout 20 $N log -p {target.pid} {PLACE} x --hits 1 --audit $T"
            done = self.in_small_tmpfs(
                f"{probe} >&2 || exit 10\n"
                "dd if=/dev/zero of=$F bs=100 2>/dev/null\n"
                f"{probe} --reason \"$(printf %09000d 0)\" >&2; [ $? = {DENIED} ] || exit 11\n"
                f"{probe} --reason \"$(printf %09000d 0)\" >&2; [ $? = {DENIED} ] || exit 12\n"
                f"rm $F; {probe} >&2 || exit 13\n"
                "$N audit verify $T || exit 14\n")
            self.assertEqual(done.returncode, 0, done)
            self.assertIn("Without a record nothing is armed", done.stderr)
            self.assertIn("half-written", done.stdout)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_on_a_read_only_mount_nothing_is_armed(self):
        with harness.Target("service", 2, 200) as target:
            before = harness.Footprint(target.pid)
            done = self.in_small_tmpfs(
                f": >$T; chmod 600 $T; mount -o remount,ro {self.file('small')} || exit 77\n"
                f"exec timeout 20 $N log -p {target.pid} {PLACE} x --hits 1 --audit $T\n")
            self.assertEqual(done.returncode, DENIED, done)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_a_disk_that_fails_to_keep_the_record_arms_nothing(self):
        if shutil.which("strace") is None:
            self.skipTest("needs strace")
        with harness.Target("service", 2, 200) as target:
            before = harness.Footprint(target.pid)
            for number in (1, 2):
                with open(self.trail, "w"):
                    os.chmod(self.trail, 0o600)
                outcome = log(self.trail, target, wrapper=[
                    "strace", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e",
                    f"inject=fsync:error=EIO:when={number}"])
                self.assertEqual(outcome.status, DENIED, outcome)
                self.assertIn("fsync", outcome.err)
                self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def sweep(self, target):
        """Takes off what is left; a thread that gets no turn may keep code for a later sweep."""
        def is_clean():
            swept = harness.run("sweep", "-p", target.pid, "--audit", self.trail)
            self.assertEqual(swept.status, DONE, swept)
            return not harness.has_traces(target.pid)
        harness.wait_for(is_clean, "a clean target", every=0.1)

    def test_killed_at_any_write_or_sync_of_the_trail_it_left_no_probe_without_a_record(self):
        if shutil.which("strace") is None:
            self.skipTest("needs strace")
        with harness.Target("service", 2, 200) as target:
            armed = 0
            for call in ("write", "fsync"):
                for number in range(1, 6):
                    with open(self.trail, "w"):
                        os.chmod(self.trail, 0o600)
                    log(self.trail, target, "--format", "json", wrapper=[
                        "strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                        f"inject={call}:signal=KILL:when={number}"])
                    if harness.has_traces(target.pid):
                        armed += 1
                        self.assertIn("armed", events(self.trail))
                    self.sweep(target)
                    self.assertEqual(self.verdict()[0], DONE)
            self.assertGreater(armed, 0, "some kill came after arming")
            self.assert_right_end(target)


class OffHost(Audit):
    # Takes what nohalt sends to journald, in a mount namespace of its own.
    FAKE_JOURNALD = """
import socket, subprocess, sys, os
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
os.makedirs("/run/systemd/journal")
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/run/systemd/journal/socket")
status = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, timeout=30).returncode
log.setblocking(False)
with open(sys.argv[1], "w") as kept:
    while True:
        try:
            datagram = log.recv(1 << 20).decode()
        except BlockingIOError:
            break
        kept.write(datagram.split("\\n")[0].removeprefix("MESSAGE=") + "\\n")
sys.exit(status)
"""

    def log_with_journald(self, target, kept, *arguments):
        if os.getuid() != 0:
            self.skipTest("only root can mount")
        done = subprocess.run(
            ["unshare", "-m", sys.executable, "-c", self.FAKE_JOURNALD, kept, harness.NOHALT,
             "log", "-p", str(target.pid), PLACE, "{amount}", "--hits", "2", "--audit",
             self.trail, *UNLIMITED, *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            env=harness.environment())
        self.assertEqual(done.returncode, DONE, done)

    def test_a_checkpoint_in_the_journal_shows_what_was_cut_or_written_anew(self):
        kept = self.file("kept")
        with harness.Target("service", 2, 200) as target:
            log(self.trail, target)
            whole = harness.read(self.trail)
            self.log_with_journald(target, kept)
        status, verdict = self.verdict("--checkpoint", kept)
        self.assertEqual((status, verdict["checkpoint"]["agrees_up_to"]), (DONE, 10))
        with open(self.trail, "w") as file:
            file.write(whole)
        status, verdict = self.verdict("--checkpoint", kept)
        self.assertEqual(status, REFUSED)
        self.assertTrue(verdict["chain"]["whole"], "the chain says nothing of a cut")
        self.assertIn("records 6 to 10 are missing", verdict["checkpoint"]["faults"][0])

    def test_every_record_goes_to_the_journal_where_asked(self):
        kept = self.file("kept")
        with harness.Target("service", 2, 200) as target:
            self.log_with_journald(target, kept, "--audit-syslog")
        self.assertEqual(harness.read(kept), harness.read(self.trail))

    def test_a_copy_that_was_asked_for_and_has_nowhere_to_go_is_a_denial(self):
        if os.path.exists("/run/systemd/journal/socket") or os.path.exists("/dev/log"):
            self.skipTest("there is a journald or syslog here")
        with harness.Target("service", 2, 200) as target:
            before = harness.Footprint(target.pid)
            outcome = log(self.trail, target, "--audit-syslog")
            self.assertEqual(outcome.status, DENIED, outcome)
            self.assert_unharmed(before, target.pid)

    def test_a_bundle_is_judged_without_the_host_and_tells_the_incident(self):
        bundle = self.file("INC-1.bundle")
        with harness.Target("service", 2, 200) as target:
            log(self.trail, target, "--ticket", "INC-1", "--reason", "ours")
            log(self.trail, target, "--ticket", "INC-2", "--reason", "theirs")
            log(self.trail, target, "--ticket", "INC-1", "--reason", "ours")
        page = self.audit("bundle", "INC-1", "-o", bundle)
        self.assertEqual(page.status, DONE, page)
        self.assertIn("# What was looked at for INC-1", page.out)
        self.assertNotIn("theirs", page.out + harness.read(bundle))
        self.assertEqual(os.stat(bundle).st_mode & 0o777, 0o600)
        self.assertIn("built-in policy", json.loads(harness.read(bundle).splitlines()[0])
                      ["policies"].popitem()[1])
        os.remove(self.trail)
        status, verdict = self.verdict(bundle)
        self.assertEqual(status, DONE, verdict)
        self.assertEqual(verdict["ticket"], "INC-1")
        self.assertGreater(verdict["chain"]["by_hash_alone"], 0)
        with open(bundle) as file:
            text = file.read()
        with open(bundle, "w") as file:
            file.write(text.replace("ours", "nice"))
        self.assertEqual(self.verdict(bundle)[0], REFUSED)

    def test_a_bundle_of_no_known_ticket_is_an_error(self):
        with harness.Target("service", 2, 200) as target:
            log(self.trail, target)
        self.assertEqual(self.audit("bundle", "INC-9", "-o", self.file("b")).status, USAGE)


class Injection(Audit):
    """Text of others changes no line, no field and no terminal."""

    def setUp(self):
        super().setUp()
        program = self.file('=x"\x1b[31m,\u202e|a=b\n')
        shutil.copy(os.path.join(harness.BUILD, "target_service"), program)
        with harness.Target(program, 2, 200) as target:
            outcome = log(self.trail, target, "--reason", NASTY,
                          f"--ticket=-{NASTY}")
            self.assertEqual(outcome.status, DONE, outcome)

    def assert_safe(self, text):
        for character in text.replace("\n", ""):
            self.assertNotIn(unicodedata.category(character), ("Cc", "Cf", "Zl", "Zp"), text)

    def test_in_what_people_read(self):
        for arguments in (["show"], ["show", "--format", "json"], ["who", PLACE], ["verify"]):
            outcome = self.audit(*arguments)
            self.assertEqual(outcome.status, DONE, outcome)
            self.assert_safe(outcome.out)
        shown = self.audit("show").out.splitlines()
        self.assertEqual(len(shown), events(self.trail).count("audit-read") + 3)

    def test_in_csv(self):
        count = len(records(self.trail))
        outcome = self.audit("export", "--format", "csv")
        self.assert_safe(outcome.out)
        rows = list(csv.reader(io.StringIO(outcome.out)))
        self.assertEqual(len(rows), count + 1)
        self.assertEqual({len(row) for row in rows}, {len(rows[0])})
        for row in rows[1:]:
            for cell in row:
                self.assertNotIn(cell[:1] or "x", "=+-@|%")

    def test_in_cef(self):
        count = len(records(self.trail))
        outcome = self.audit("export", "--format", "cef")
        self.assert_safe(outcome.out)
        lines = outcome.out.splitlines()
        self.assertEqual(len(lines), count)
        for line in lines:
            self.assertTrue(line.startswith("CEF:0|nohalt|nohalt|1|"))
            extension = line.split("|", 7)[7]
            bare = extension.replace("\\\\", "").replace("\\=", "")
            keys = [word.rsplit(" ", 1)[-1] for word in bare.split("=")[:-1]]
            self.assertEqual(len(keys), len(set(keys)), line)
            self.assertNotIn("a", keys)

    def test_in_the_page_of_a_bundle(self):
        ticket = next(record["why"]["ticket"] for record in records(self.trail))
        page = harness.run("audit", "--audit", self.trail, "bundle", "-o", self.file("bundle"),
                           "--", ticket)
        self.assertEqual(page.status, DONE, page)
        self.assert_safe(page.out)
        self.assertNotIn("<b>", page.out)
        self.assertNotRegex(page.out, r"(?<!\\)\[l(?<!\\)\]")

    def test_in_a_trail_that_someone_wrote_by_hand(self):
        with open(self.file("forged"), "w") as file:
            for line in harness.read(self.trail).splitlines():
                record = json.loads(line)
                record["who"]["user"] = NASTY
                record["what"] = {"exe": NASTY, "locations": [NASTY], "messages": [NASTY]}
                file.write(json.dumps(record, sort_keys=True, separators=(",", ":"),
                                      ensure_ascii=False) + "\n")
        for arguments in (["show"], ["show", "--format", "json"], ["export", "--format", "csv"],
                          ["export", "--format", "cef"], ["export"]):
            outcome = self.audit(*arguments[:1], self.file("forged"), *arguments[1:])
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertNotEqual(outcome.out, "")
            self.assert_safe(outcome.out)
        self.assertEqual(self.audit("verify", self.file("forged")).status, REFUSED)


if __name__ == "__main__":
    harness.main()
