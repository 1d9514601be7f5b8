"""Requests that wait for somebody else: who may approve them, what an approval is good
for, and what ends it. People are logins here: each is root with a login uid of their
own, as behind sudo."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from harness import DENIED, DONE, GONE, USAGE, login, logins_can_be_set

LINE = harness.line_of("tests/targets/service.c", "the line most tests probe")
PLACE = f"service.c:{LINE}"
STORE = "/var/lib/nohalt/requests"
NOBODY = 65534
ALICE, BOB, CAROL, MALLORY = 4001, 4002, 4003, 4004

POLICY = """version: 1
audit: {{ file: {trail} }}
roles:
  - name: oncall
    members: {{ users: [{alice}] }}
    may: [plan, log, snap{also}]
    where: {{ exe: ["**/target_service"], run_as: [0] }}
    require: {{ approvals: {needed} }}
{more}  - name: leads
    members: {{ users: [{bob}, {carol}] }}
    may: [plan, approve]
    where: {{ exe: ["**/target_service"], run_as: [0] }}
"""


@unittest.skipUnless(logins_can_be_set(), "only root can log in as others")
class Approval(harness.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="nohalt-approval-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        os.chmod(self.folder, 0o755)
        self.trail = os.path.join(self.folder, "audit.jsonl")
        self.write_policy()

    def write_policy(self, needed=1, more="", also=""):
        self.policy = os.path.join(self.folder, "policy.yaml")
        with open(self.policy, "w", encoding="utf-8") as out:
            out.write(POLICY.format(alice=ALICE, bob=BOB, carol=CAROL, needed=needed, more=more,
                                    also=also,
                                    trail=self.trail))

    def options(self):
        return ["--policy", self.policy]

    def nohalt(self, uid, *arguments, wrapper=()):
        return harness.run(*arguments, *self.options(), wrapper=(*wrapper, *login(uid)))

    def ask(self, target, *more, uid=ALICE):
        """A run that waits, and its request's id."""
        run = harness.Logging(target.pid, PLACE, "amount {amount}", "--hits", "2", *self.options(),
                              *more, wrapper=login(uid))
        self.addCleanup(run.__exit__)
        harness.wait_for(lambda: "sudo nohalt approve " in run.err or run.process.poll() is not None,
                         "the request")
        self.assertIsNone(run.process.poll(), run.err)
        return run, self.forget_later(run.err.split("sudo nohalt approve ")[1].split()[0])

    def forget_later(self, request):
        """The store is the machine's."""
        def forget():
            for name in sorted(os.listdir(STORE), key=lambda name: not name.endswith(".request")):
                if name.startswith(request):
                    os.unlink(os.path.join(STORE, name))
        self.addCleanup(forget)
        return request

    def events(self):
        return [record for record in map(json.loads, harness.read(self.trail).splitlines())
                if record["event"] != "checkpoint"]

    def names(self, run):
        return [event["event"] for event in self.events() if event.get("run") == run]

    def request(self, uid, request):
        outcome = self.nohalt(uid, "requests", request, "--format", "json")
        self.assertEqual(outcome.status, DONE, outcome)
        return json.loads(outcome.out)

    def waiting_in(self, target):
        outcome = self.nohalt(BOB, "requests", "--format", "json")
        self.assertEqual(outcome.status, DONE, outcome)
        found = [one for one in outcome.records("request") if one["pid"] == target.pid]
        return found[0] if found else None

    def check_refused(self, outcome, *texts, status=DENIED):
        self.assertEqual(outcome.status, status, outcome)
        for text in texts:
            self.assertIn(text, outcome.err)

    def approve(self, uid, request, *more):
        outcome = self.nohalt(uid, "approve", request, *more)
        self.assertEqual(outcome.status, DONE, outcome)
        return outcome


class Approving(Approval):
    def test_a_request_waits_and_is_armed_once_it_is_approved(self):
        with harness.Target("service", 2, 100) as target:
            before = harness.Footprint(target.pid)
            run, request = self.ask(target, "--reason", "totals are wrong", "--ticket", "INC-7")
            self.assertIn("oncall", run.err)
            self.assertIn("1 other person", run.err)
            self.assertFalse(harness.has_traces(target.pid))
            shown = self.nohalt(BOB, "requests")
            self.assertRegex(shown.out, rf"{request} +waiting +0/1 +30m .* {target.pid} .*"
                             rf"{PLACE} +INC-7 totals are wrong")
            approved = self.approve(BOB, request, "--reason", "go on")
            self.assertIn("amount {amount}", approved.out)
            outcome = run.finished()
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertEqual(len(outcome.records("log")), 2)
            self.assertEqual(self.request(BOB, request)["state"], "used")
            self.assertNotIn(request, self.nohalt(BOB, "requests").out)
            self.assertEqual(self.names(request),
                             ["requested", "approval-requested", "approved", "approval-used",
                              "armed", "hit-summary", "disarmed"])
            by = {event["event"]: event["who"].get("loginuid") for event in self.events()}
            self.assertEqual(by["approved"], BOB)
            self.assertEqual(by["approval-used"], ALICE)
            reasons = {event["event"]: event["why"].get("reason") for event in self.events()}
            self.assertEqual(reasons["approved"], "go on")
            self.check_refused(self.nohalt(CAROL, "approve", request), "was used by")
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_each_run_needs_an_approval_of_its_own(self):
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target)
            self.approve(BOB, request)
            self.assertEqual(run.finished().status, DONE)
            again, other = self.ask(target)
            self.assertNotEqual(other, request)
            self.assertEqual(again.stop().status, DONE)

    def test_as_many_people_must_approve_as_the_role_says(self):
        self.write_policy(needed=2)
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target)
            self.approve(BOB, request)
            self.approve(BOB, request)
            harness.wait_for(lambda: "1 of 2" in run.err, "the first approval to be told")
            self.assertEqual(self.request(BOB, request)["state"], "waiting")
            self.assertFalse(harness.has_traces(target.pid))
            self.approve(CAROL, request)
            self.assertEqual(run.finished().status, DONE)

    def test_snapshots_wait_too(self):
        self.write_policy(also=", snap-locals")
        with harness.Target("service", 2, 100) as target:
            snap = harness.popen([*login(ALICE), harness.NOHALT, "snap", "-p", str(target.pid),
                                  PLACE, *self.options()], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, env=harness.environment())
            waiting = harness.wait_for(lambda: self.waiting_in(target), "the request", every=0.1)
            self.forget_later(waiting["id"])
            self.assertEqual(waiting["probes"][0]["kind"], "snapshot")
            self.assertIn("snap-locals", waiting["rights"])
            self.approve(BOB, waiting["id"])
            out, err = snap.communicate(timeout=20)
            self.assertEqual(snap.returncode, DONE, err)
            self.assertIn("amount", out)


class Refusing(Approval):
    def test_nobody_approves_their_own(self):
        self.write_policy(also=", approve")
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target)
            self.check_refused(self.nohalt(ALICE, "approve", request), "nobody approves their own")
            self.assertFalse(harness.has_traces(target.pid))
            self.assertEqual(self.request(BOB, request)["state"], "waiting")
            denial = [event for event in self.events() if event["event"] == "denied"]
            self.assertEqual(denial[0]["why"]["denial"], "own-request")
            run.stop()

    def test_root_that_nobody_logged_in_as_cannot_be_told_apart(self):
        with open(self.policy, "a", encoding="utf-8") as out:
            out.write("  - name: root\n    members: { users: [0] }\n    may: [approve]\n"
                      "    where: { run_as: [0] }\n")
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target)
            self.check_refused(self.nohalt(None, "approve", request), "nobody approves their own")
            run.stop()

    def test_it_takes_the_right_to_approve_for_that_process(self):
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target)
            self.check_refused(self.nohalt(MALLORY, "approve", request), "not yours to see")
            self.check_refused(self.nohalt(MALLORY, "deny", request), "not yours to see")
            denials = [event["who"]["loginuid"] for event in self.events()
                       if event["event"] == "denied"]
            self.assertEqual(denials, [MALLORY, MALLORY])
            shown = self.nohalt(MALLORY, "requests")
            self.assertNotIn(request, shown.out)
            self.assertIn(request, self.nohalt(ALICE, "requests").out)
            self.check_refused(self.nohalt(ALICE, "deny", request), "`approve`")
            run.stop()

    def test_a_denied_request_is_not_armed_and_cannot_be_approved(self):
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target)
            self.assertEqual(self.nohalt(BOB, "deny", request, "--reason", "too broad").status, DONE)
            self.check_refused(run.finished(), "denied by", "too broad")
            self.check_refused(self.nohalt(CAROL, "approve", request), "is over")
            self.assertEqual(self.names(request)[:4],
                             ["requested", "approval-requested", "approval-denied", "denied"])

    def test_a_policy_that_changed_is_not_the_one_that_was_asked_under(self):
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target)
            self.write_policy(more="    limits: { hits_per_second: 100 }\n")
            self.check_refused(self.nohalt(BOB, "approve", request), "under another policy",
                               "--policy")
            run.stop()

    def test_a_policy_that_changes_after_the_approval_ends_it(self):
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target)
            os.kill(run.pid, signal.SIGSTOP)
            self.approve(BOB, request)
            self.write_policy(more="    limits: { hits_per_second: 100 }\n")
            os.kill(run.pid, signal.SIGCONT)
            self.check_refused(run.finished(), "the policy", "Ask again")
            self.assertEqual(self.request(BOB, request)["state"], "withdrawn")
            self.assertNotIn("armed", self.names(request))

    def test_another_run_cannot_pass_what_was_approved_for_a_first(self):
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target)
            os.kill(run.pid, signal.SIGSTOP)
            self.approve(BOB, request)
            other, _ = self.ask(target)
            time.sleep(1)
            self.assertFalse(harness.has_traces(target.pid))
            self.assertEqual(other.stop().status, DONE)
            os.kill(run.pid, signal.SIGCONT)
            self.assertEqual(run.finished().status, DONE)

    def test_without_root_there_is_nobody_to_ask(self):
        wrapper = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env",
                   f"XDG_STATE_HOME={self.folder}/state")
        text = harness.read(self.policy).replace(str(ALICE), str(NOBODY))
        with open(self.policy, "w", encoding="utf-8") as out:
            out.write(text.replace("run_as: [0]", f"run_as: [{NOBODY}]"))
        with open(self.trail, "w", encoding="utf-8"):
            os.chown(self.trail, NOBODY, NOBODY)
            os.chown(self.policy, NOBODY, NOBODY)
        os.chown(self.folder, NOBODY, NOBODY)
        with harness.Target("service", 2, 100, wrapper=wrapper) as target:
            outcome = harness.run("log", "-p", target.pid, PLACE, "x", *self.options(),
                                  "--audit", self.trail, wrapper=wrapper)
            self.check_refused(outcome, "requires the approval of 1 other person",
                               "kept by root alone", "sudo")


class Ending(Approval):
    def test_an_interrupt_withdraws_the_request(self):
        with harness.Target("service", 2, 100) as target:
            before = harness.Footprint(target.pid)
            run, request = self.ask(target)
            outcome = run.stop()
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertIn("is withdrawn", outcome.err)
            self.assertEqual(self.request(BOB, request)["state"], "withdrawn")
            self.assertEqual(self.names(request),
                             ["requested", "approval-requested", "approval-withdrawn"])
            self.check_refused(self.nohalt(BOB, "approve", request), "withdrawn")
            self.assert_unharmed(before, target.pid)

    def test_a_request_whose_run_was_killed_is_withdrawn_by_who_sees_it(self):
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target)
            run.process.kill()
            run.process.wait(10)
            self.check_refused(self.nohalt(BOB, "approve", request), "waits no longer")
            self.assertIn("approval-withdrawn", self.names(request))

    def test_a_request_ends_with_its_process(self):
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target)
            self.assertEqual(target.finish()[0], 0)
            self.assertEqual(run.finished().status, GONE)
            self.assertEqual(self.request(ALICE, request)["state"], "withdrawn")

    def test_there_is_no_request_of_a_name_that_is_none(self):
        for name in ("0123456789abcdef", "../../etc/passwd", ""):
            self.assertEqual(self.nohalt(BOB, "approve", name).status, USAGE)


class Texts(Approval):
    def test_secrets_and_control_characters_stay_out(self):
        card = "4111 1111 1111 1111"
        with harness.Target("service", 2, 100) as target:
            run, request = self.ask(target, "--reason", f"card {card}\n\x1b[2Jx", "--ticket", "A\u202eB")
            for name in os.listdir(STORE):
                path = os.path.join(STORE, name)
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
                if name.startswith(request):
                    self.assertNotIn(card, harness.read(path))
            approved = self.approve(BOB, request, "--reason", f"fine {card}")
            for text in (self.nohalt(BOB, "requests").out, approved.out,
                         self.nohalt(BOB, "requests", request).out,
                         self.nohalt(BOB, "requests", "--format", "json").out,
                         harness.read(self.trail)):
                self.assertNotIn(card, text)
                self.assertNotIn("\x1b", text)
                self.assertNotIn("\u202e", text)
            self.assertEqual(run.finished().status, DONE)

    def test_what_is_damaged_in_the_store_is_named_and_left_aside(self):
        path = os.path.join(STORE, "abc123.request")
        os.makedirs(STORE, 0o700, exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write('{"id":"abc123","made":{"wa')
        self.addCleanup(os.unlink, path)
        os.chmod(path, 0o600)
        outcome = self.nohalt(BOB, "requests")
        self.assertEqual(outcome.status, DONE, outcome)
        self.assertIn("abc123.request", outcome.err)

    def test_explain_says_that_it_waits_for_approval(self):
        with harness.Target("service", 2, 100) as target:
            outcome = self.nohalt(ALICE, "policy", "explain", "-p", target.pid, PLACE)
            self.assertEqual(outcome.status, DENIED, outcome)
            self.assertIn("needs approval by 1 other person: oncall", outcome.out)


class BreakGlass(Approval):
    def log(self, target, *more):
        return self.nohalt(ALICE, "log", "-p", target.pid, PLACE, "x", "--hits", "1", *more)

    def test_a_role_that_may_goes_without_and_an_alarm_is_raised(self):
        self.write_policy(more="    break_glass: true\n")
        with harness.Target("service", 2, 100) as target:
            outcome = self.log(target, "--break-glass", "--reason", "it burns")
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertIn("without approval", outcome.err)
            run = self.events()[0]["run"]
            self.assertEqual(self.names(run),
                             ["requested", "glass-broken", "armed", "hit-summary", "disarmed"])
            broken = [event for event in self.events() if event["event"] == "glass-broken"][0]
            self.assertEqual(broken["why"]["reason"], "it burns")
            self.assertEqual(broken["who"]["loginuid"], ALICE)
            self.assertIn("audit", outcome.err)

    # Takes what is sent to journald, in a mount namespace of its own.
    JOURNAL = """
import os, socket, subprocess, sys
os.makedirs("/run/systemd/journal")
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/run/systemd/journal/socket")
log.setblocking(False)
status = subprocess.call(sys.argv[2:], timeout=30)
with open(sys.argv[1], "wb") as kept:
    try:
        while True:
            kept.write(log.recv(1 << 20) + b"\\n--\\n")
    except BlockingIOError:
        pass
sys.exit(status)
"""

    def test_the_alarm_goes_to_the_log_at_alert_priority(self):
        if os.path.exists("/run/systemd/journal") or os.path.exists("/dev/log"):
            self.skipTest("there is a journald or syslog here")
        self.write_policy(more="    break_glass: true\n")
        kept = os.path.join(self.folder, "kept")
        # The program's path counts in its own mount namespace only, so both are in one.
        apart = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh")
        with harness.Target("service", 2, 100, wrapper=apart) as target:
            inside = ("nsenter", "-t", str(target.pid), "-m", sys.executable, "-c", self.JOURNAL,
                      kept)
            outcome = self.nohalt(ALICE, "log", "-p", target.pid, PLACE, "x", "--hits", "1",
                                  "--break-glass", "--reason", "it burns", wrapper=inside)
            self.assertEqual(outcome.status, DONE, outcome)
        sent = harness.read(kept).split("\n--\n")
        alerts = [one for one in sent if "\nPRIORITY=1\n" in one]
        self.assertEqual(len(alerts), 1, sent)
        self.assertIn("NOHALT_EVENT=glass-broken", alerts[0])
        self.assertIn("SYSLOG_FACILITY=10", alerts[0])
        self.assertIn("it burns", alerts[0])

    def test_it_takes_a_reason(self):
        self.write_policy(more="    break_glass: true\n")
        with harness.Target("service", 2, 100) as target:
            self.check_refused(self.log(target, "--break-glass"), "--reason", status=USAGE)

    def test_a_role_that_may_not_is_denied_and_does_not_wait(self):
        with harness.Target("service", 2, 100) as target:
            self.check_refused(self.log(target, "--break-glass", "--reason", "it burns"),
                               "approval of 1 other person", "--break-glass")
            self.assertFalse(harness.has_traces(target.pid))


if __name__ == "__main__":
    harness.main()
