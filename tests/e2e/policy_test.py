"""Policy files in force on real processes: allowed, lowered, denied with the rule
named, and a bad file that denies everything."""

import hashlib
import json
import os
import shutil
import tempfile

import harness
from approval_test import ALICE, BOB
from harness import DENIED, DONE, INTERNAL, login, logins_can_be_set

SOURCE = "tests/targets/service.c"
LINE = harness.line_of(SOURCE, "the line most tests probe")
PLACE = f"service.c:{LINE}"
NOBODY = 65534
NOBODY_ELSE = 64913


def role(uid, may="[plan, log, snap]", more=""):
    return (f"version: 1\nsource_root: {harness.TOP}\nroles:\n  - name: test\n"
            f"    members: {{ users: [{uid}] }}\n    may: {may}\n"
            f"    where: {{ exe: [\"**/target_service\"], run_as: [{uid}] }}\n{more}")


class Policy(harness.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="nohalt-policy-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.user = {}
        self.uid = os.geteuid()
        self.wrapper = ()

    def as_user(self, uid):
        if self.uid != 0:
            self.skipTest("only root can start processes of another user")
        os.chown(self.folder, uid, uid)
        self.uid = uid
        self.wrapper = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
                        "env", f"XDG_STATE_HOME={self.folder}/state")

    def file(self, text, name="policy.yaml"):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chown(path, self.uid, -1)
        os.chmod(path, 0o644)
        return path

    def target(self):
        return harness.Target("service", 3, 100, wrapper=self.wrapper)

    def nohalt(self, *arguments):
        trail = os.path.join(self.folder, "audit.jsonl")
        return harness.run(*arguments, "--audit", trail, wrapper=self.wrapper)

    def log(self, target, policy, *more):
        return self.nohalt("log", "-p", target.pid, PLACE, "amount {amount}", "--hits", "2",
                           "--policy", policy, *more)

    def check_allowed_and_lowered(self):
        policy = self.file(role(self.uid, more="    limits: { hits_per_second: 5, lease: 20s }\n"))
        with self.target() as target:
            outcome = self.log(target, policy, "--limit", "50/s")
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertEqual(outcome.out.count("amount "), 2, outcome)
            self.assertIn("--limit 50/s was lowered to 5/s", outcome.err)
            self.assert_right_end(target)

    def test_a_role_allows_root_and_lowers_what_is_above(self):
        self.check_allowed_and_lowered()

    def test_a_role_allows_an_unprivileged_user_and_lowers_what_is_above(self):
        self.as_user(NOBODY)
        self.check_allowed_and_lowered()

    def check_denied(self, text, reason, line, *more, command=None):
        policy = self.file(text)
        with self.target() as target:
            before = harness.Footprint(target.pid)
            if command:
                outcome = self.nohalt(*command, "-p", target.pid, PLACE, "--policy", policy)
            else:
                outcome = self.log(target, policy, *more)
            self.assertEqual(outcome.status, DENIED, outcome)
            self.assertIn(reason, outcome.err)
            self.assertIn(f"policy.yaml:{line}", outcome.err)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_who_is_no_member_is_denied(self):
        self.check_denied(role(4711), "none of its members", 5)

    def test_an_unprivileged_user_who_is_no_member_is_denied(self):
        self.as_user(NOBODY)
        self.check_denied(role(0), "none of its members", 5)

    def test_a_right_that_the_role_does_not_give_is_denied(self):
        self.check_denied(role(self.uid), "snap-locals", 6, command=["snap"])

    def test_a_denied_source_is_denied(self):
        self.check_denied(role(self.uid, more="    sources: { deny: [\"tests/targets/**\"] }\n"),
                          "a source that is denied", 8)

    def test_a_missing_reason_is_denied_and_a_given_one_serves(self):
        text = role(self.uid, more="    require: { reason: true }\n")
        self.check_denied(text, "--reason", 8)
        with self.target() as target:
            outcome = self.log(target, self.file(text), "--reason", "a test")
            self.assertEqual(outcome.status, DONE, outcome)

    def test_a_deny_rule_beats_the_role(self):
        self.check_denied(role(self.uid) + "deny:\n  - name: never\n    functions: [do_job]\n",
                          "never", 9)

    def test_a_file_with_mistakes_denies_all_and_names_each(self):
        policy = self.file("version: 3\nroles:\n  - nam: x\n    may: [lgo]\n")
        with self.target() as target:
            for command in (["log", "-p", target.pid, PLACE, "x"], ["snap", "-p", target.pid, PLACE],
                            ["plan", "-p", target.pid, PLACE], ["ps"]):
                outcome = self.nohalt(*command, "--policy", policy)
                self.assertEqual(outcome.status, DENIED, outcome)
                for place in ("1:10", "3:5", "4:11"):
                    self.assertIn(f"policy.yaml:{place}: ", outcome.err)
            self.assert_right_end(target)

    def test_a_file_that_others_may_write_denies_all(self):
        policy = self.file(role(self.uid))
        os.chmod(policy, 0o666)
        with self.target() as target:
            outcome = self.log(target, policy)
            self.assertEqual(outcome.status, DENIED, outcome)
            self.assertIn("chmod go-w", outcome.err)

    def test_a_snapshot_of_a_named_value_shows_no_locals(self):
        policy = self.file(role(self.uid))
        with self.target() as target:
            outcome = self.nohalt("snap", "-p", target.pid, PLACE, "--capture", "amount",
                                  "--format", "json", "--policy", policy)
            self.assertEqual(outcome.status, DONE, outcome)
            values = outcome.records("snapshot")[0]["values"]
            shown = [name for name, value in values.items() if value.get("state") == "exact"]
            self.assertEqual(shown, ["amount"], values)

    def test_runs_share_what_a_user_may_probe_with(self):
        self.as_user(NOBODY_ELSE)  # whose runs are those of this test alone
        policy = self.file(role(self.uid, more="    limits: { user: { hits_per_second: 12 } }\n"))
        with self.target() as target, self.target() as other:
            trail = os.path.join(self.folder, "first.jsonl")
            with harness.Logging(target.pid, PLACE, "x", "--policy", policy, "--audit", trail,
                                 wrapper=self.wrapper) as first:
                first.wait_armed()
                outcome = self.log(other, policy)
                self.assertEqual(outcome.status, DONE, outcome)
                self.assertIn("at most 2/s", outcome.err)
                self.assertIn("what is left of this user of 12", outcome.err)
            outcome = self.log(other, policy)
            self.assertIn("at most 10/s", outcome.err)

    def test_the_trail_that_the_policy_names_is_written_whatever_audit_says(self):
        named = os.path.join(self.folder, "named.jsonl")
        policy = self.file(role(self.uid) + f"audit: {{ file: {named} }}\n")
        with self.target() as target:
            self.assertEqual(self.log(target, policy).status, DONE)
            for trail in (named, os.path.join(self.folder, "audit.jsonl")):
                with open(trail, encoding="utf-8") as lines:
                    events = [json.loads(line)["event"] for line in lines]
                self.assertIn("armed", events, trail)
                self.assertEqual(self.nohalt("audit", "verify", trail).status, DONE)
            os.remove(named)
            os.mkdir(named)
            outcome = self.log(target, policy)
            self.assertEqual(outcome.status, DENIED, outcome)
            self.assertIn(named, outcome.err)
            self.assert_right_end(target)

    def events(self, trail):
        return [json.loads(line)["event"] for line in harness.read(trail).splitlines()]

    def test_a_copy_that_fails_keeps_nothing_out_of_the_trail_that_the_policy_names(self):
        named = os.path.join(self.folder, "named.jsonl")
        copy = os.path.join(self.folder, "copy.jsonl")
        policy = self.file(role(self.uid) + f"audit: {{ file: {named} }}\n")
        with self.target() as target, harness.Logging(target.pid, PLACE, "x", "--policy", policy,
                                                      "--audit", copy) as log:
            log.wait_armed()
            os.remove(copy)
            os.mkdir(copy)
            self.assertEqual(log.stop().status, INTERNAL)
            events = self.events(named)
            self.assertIn("hit-summary", events)
            self.assertIn("disarmed", events)
            self.assert_right_end(target)

    def test_who_names_a_policy_that_is_no_good_is_in_the_trail_of_the_governing_one(self):
        if self.uid != 0:
            self.skipTest("only root can have a policy of the system")
        named = os.path.join(self.folder, "named.jsonl")
        policy = self.file(role(self.uid) + f"audit: {{ file: {named} }}\n")
        governed = ("unshare", "--mount", "sh", "-c",
                    'mount -t tmpfs none /etc && mkdir /etc/nohalt && '
                    'cp "$0" /etc/nohalt/policy.yaml && exec "$@"', policy)
        with self.target() as target:
            outcome = harness.run("log", "-p", target.pid, PLACE, "x", "--policy", policy + ".none",
                                  "--audit", os.path.join(self.folder, "audit.jsonl"),
                                  wrapper=governed)
            self.assertEqual(outcome.status, DENIED, outcome)
            self.assertIn("denied", self.events(named))
            self.assert_right_end(target)

    def test_of_an_inlined_caller_that_is_denied_only_the_name_is_shown(self):
        line = harness.line_of("tests/targets/scopes.c", "two names, two functions")
        policy = self.file(role(self.uid, may="[log, stack]",
                                more="    functions: { deny: [outer] }\n")
                           .replace("target_service", "target_scopes"))
        with harness.Target("scopes") as target:
            outcome = self.nohalt("log", "-p", target.pid, f"scopes.c:{line}", "{amount}", "--hits",
                                  "1", "--stack", "--format", "json", "--policy", policy)
            self.assertEqual(outcome.status, DONE, outcome)
            frames = outcome.records("log")[0]["frames"]
            self.assertEqual([frame["function"] for frame in frames[:3]],
                             ["inner", "outer", "main"])
            self.assertEqual([("file" in frame, "line" in frame) for frame in frames[:3]],
                             [(True, True), (False, False), (True, True)], frames)
            self.assert_right_end(target)

    def test_the_right_to_sweep_is_of_the_build_that_the_rule_names(self):
        with self.target() as target:
            before = harness.Footprint(target.pid)
            build_id = self.nohalt("ps", "-p", target.pid, "--format", "json").records()[0]["build_id"]
            with harness.Logging(target.pid, PLACE, "x") as log:
                log.wait_armed()
                log.process.kill()
                log.process.wait(10)
            other = self.file(f"version: 1\nroles:\n  - name: sweeper\n"
                              f"    members: {{ users: [{self.uid}] }}\n    may: [stop-all]\n"
                              f"    where: {{ build_id: [\"{'0' * 40}\"] }}\n")
            outcome = self.nohalt("sweep", "-p", target.pid, "--policy", other)
            self.assertEqual(outcome.status, DENIED, outcome)
            self.assertIn("build_id", outcome.err)
            right = self.file(harness.read(other).replace("0" * 40, build_id))
            outcome = self.nohalt("sweep", "-p", target.pid, "--policy", right)
            self.assertEqual(outcome.status, DONE, outcome)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_behind_sudo_the_probes_of_another_login_take_a_right(self):
        if not logins_can_be_set():
            self.skipTest("only root can log in as others")
        policy = self.file(role(ALICE).replace(f"users: [{ALICE}]", f"users: [{ALICE}, {BOB}]")
                           .replace(f"run_as: [{ALICE}]", "run_as: [0]") +
                           f"audit: {{ file: {self.folder}/audit.jsonl }}\n")
        os.chmod(self.folder, 0o755)

        def remove(uid, run):
            return harness.run("rm", run, "--policy", policy, wrapper=login(uid))

        with self.target() as target:
            with harness.Logging(target.pid, PLACE, "x", "--policy", policy,
                                 wrapper=login(ALICE)) as log:
                log.wait_armed()
                run = log.wait_records(1)[0]["probe"]
                outcome = remove(BOB, run)
                self.assertEqual(outcome.status, DENIED, outcome)
                self.assertIn("stop-all", outcome.err)
                self.assertIsNone(log.process.poll())
                self.assertEqual(remove(ALICE, run).status, DONE)
                self.assertEqual(log.finished().status, DONE)
            self.assert_right_end(target)

    def test_what_a_policys_own_rule_hides_is_nowhere_in_the_trail(self):
        secret = "ok_abcdefgh"
        policy = self.file(role(self.uid) +
                           'redact: { values: [{ name: our-key, pattern: "ok_[a-z]{8}" }] }\n')
        with self.target() as target:
            asked = ["log", "-p", target.pid, PLACE, f"{secret} {{amount}}", "--hits", "1",
                     "--if", f"amount != 1 || \"{secret}\" != \"x\"", "--reason", f"for {secret}",
                     "--ticket", secret]
            self.nohalt(*asked, "--policy", policy)
            self.nohalt("log", "-p", target.pid, PLACE, f"{secret} {{amount}}", "--hits", "1",
                        "--reason", secret, "--policy", policy)
            self.nohalt("audit", "show", "--ticket", secret,
                        "--policy", self.file(role(self.uid, may="[audit]") +
                                              "redact: { values: [{ name: our-key, "
                                              'pattern: "ok_[a-z]{8}" }] }\n'))
        trail = harness.read(os.path.join(self.folder, "audit.jsonl"))
        self.assertIn("requested", trail)
        self.assertIn("armed", trail)
        self.assertIn("[redacted:our-key]", trail)
        self.assertNotIn(secret, trail)

    def test_what_is_denied_at_once_names_its_rule_and_policy_in_the_trail(self):
        policy = self.file(role(4711))
        with self.target() as target:
            self.assertEqual(self.log(target, policy).status, DENIED)
        with open(policy, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        [denied] = [record for record in map(json.loads, harness.read(
            os.path.join(self.folder, "audit.jsonl")).splitlines()) if record["event"] == "denied"]
        self.assertEqual(denied["under"]["policy_hash"], digest)
        self.assertRegex(denied["under"]["rule"], r"^test \(.*policy\.yaml:5\)$")

    def test_a_denial_does_not_tell_where_a_global_is_declared(self):
        policy = self.file(role(self.uid, more="    sources: { deny: [\"tests/targets/**\"] }\n"))
        with self.target() as target:
            outcome = self.log(target, policy)
            self.assertEqual(outcome.status, DENIED, outcome)
            self.assertNotIn("targets/service", outcome.err)

    def build_id_denied(self, target):
        rows = self.nohalt("ps", "-p", target.pid, "--format", "json").records()
        build_id = rows[0]["build_id"]
        return build_id, self.file(role(self.uid, may="[plan, log, stop-all]") +
                                   f"deny:\n  - where: {{ build_id: [\"{build_id}\"] }}\n")

    def test_of_a_process_denied_by_its_build_id_nothing_is_told(self):
        with self.target() as target:
            build_id, policy = self.build_id_denied(target)
            for command in (("plan", "-p", target.pid, PLACE), ("ps", "-p", target.pid),
                            ("ps", "-p", target.pid, "--format", "json"),
                            ("policy", "explain", "-p", target.pid, "nowhere.c:1")):
                outcome = self.nohalt(*command, "--policy", policy)
                for told in (build_id, "target_service", "nowhere.c", "no-such-file"):
                    self.assertNotIn(told, outcome.out + outcome.err, command)

    def test_explain_tells_of_places_only_to_who_may_look(self):
        policy = self.file(role(self.uid, may="[audit]"))
        with self.target() as target:
            answers = [self.nohalt("policy", "explain", "-p", target.pid, place, "--may", "audit",
                                   "--policy", policy) for place in (PLACE, "nowhere.c:1")]
            self.assertEqual(answers[0].status, answers[1].status)
            self.assertEqual(answers[0].out + answers[0].err, answers[1].out + answers[1].err)

    def test_runs_of_others_are_listed_to_who_may_plan_there_and_else_counted(self):
        if not logins_can_be_set():
            self.skipTest("only root can log in as others")
        os.chmod(self.folder, 0o755)

        def policy(name, may):
            text = role(ALICE, may=may).replace(f"run_as: [{ALICE}]", "run_as: [0]")
            return self.file(f"audit: {{ file: {self.folder}/audit.jsonl }}\n" +
                             text.replace(f"users: [{ALICE}]", f"users: [{ALICE}, {BOB}]"), name)

        def rows(uid, name, may):
            outcome = harness.run("list", "-p", target.pid, "--policy", policy(name, may),
                                  wrapper=login(uid))
            self.assertEqual(outcome.status, DONE, outcome)
            return outcome.out.count(run), outcome.err

        with self.target() as target:
            with harness.Logging(target.pid, PLACE, "x", "--policy", policy("a.yaml", "[log]"),
                                 wrapper=login(ALICE)) as log:
                log.wait_armed()
                run = log.wait_records(1)[0]["probe"]
                self.assertEqual(rows(ALICE, "b.yaml", "[log]"), (1, ""))
                self.assertEqual(rows(BOB, "c.yaml", "[plan]"), (1, ""))
                count, said = rows(BOB, "d.yaml", "[log]")
                self.assertEqual(count, 0)
                self.assertIn("1 run(s) of others", said)
                self.assertNotIn(run, said)

    def test_reading_the_trail_takes_a_right(self):
        with self.target() as target:
            policy = self.file(role(self.uid))
            self.assertEqual(self.log(target, policy).status, DONE)
            outcome = self.nohalt("audit", "show", "--policy", policy)
            self.assertEqual(outcome.status, DENIED, outcome)
            self.assertEqual(outcome.out, "")
            self.assertIn("`audit`", outcome.err)
            policy = self.file(role(self.uid, may="[audit]"))
            outcome = self.nohalt("audit", "show", "--policy", policy)
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertIn("denied", outcome.out)

    def test_explain_weighs_every_rule_and_attaches_to_nothing(self):
        policy = self.file(role(self.uid) + "deny:\n  - name: never\n    functions: [other]\n")
        with self.target() as target:
            before = harness.Footprint(target.pid)
            outcome = self.nohalt("policy", "explain", "-p", target.pid, PLACE, "--policy", policy)
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertIn("allowed by test", outcome.out)
            self.assertIn("never", outcome.out)
            outcome = self.nohalt("policy", "explain", "-p", target.pid, PLACE, "--may", "raw",
                                  "--policy", policy)
            self.assertEqual(outcome.status, DENIED, outcome)
            self.assertIn("`raw`", outcome.out)
            self.assert_unharmed(before, target.pid)

    def test_check_names_every_mistake(self):
        self.assertEqual(self.nohalt("policy", "check", self.file(role(1))).status, DONE)
        outcome = self.nohalt("policy", "check", self.file("version: 1\nrols: []\nx: 1\n"))
        self.assertEqual(outcome.status, DENIED, outcome)
        self.assertEqual(len(outcome.out.splitlines()), 2, outcome)
        self.assertIn("2:1: There is no key \"rols\" here. Did you mean roles?", outcome.out)

    def test_test_names_the_cases_that_fail(self):
        self.file(role(1))
        cases = self.file("version: 1\npolicy: policy.yaml\ncases:\n"
                          "  - { name: no, who: { user: 2 }, process: {}, expect: deny }\n"
                          "  - { name: yes, who: { user: 2 }, process: {}, expect: allow }\n",
                          "cases.yaml")
        outcome = self.nohalt("policy", "test", cases)
        self.assertEqual(outcome.status, DENIED, outcome)
        self.assertIn("cases.yaml:5: yes: it is denied by test", outcome.out)
        self.assertIn("2 case(s), 1 failed", outcome.out)


if __name__ == "__main__":
    harness.main()
