"""No byte of what a policy hides leaves the process: not in messages, conditions, errors,
snapshots, core files, the audit or the memory that a probe's records pass through. And
what it does not hide is shown."""

import json
import os
import re
import shutil
import signal
import tempfile
import time

import harness
from harness import DENIED, DONE

SOURCE = "tests/targets/vault.cpp"
PLACE = f"vault.cpp:{harness.line_of(SOURCE, 'the line that is probed')}"
NOBODY = 65534

RULES = """redact:
  types: ["Secret<*>", "crypto::SealedShape"]
  sources: ["**/vault_auth.h"]
"""
STRICT = "redact: { mode: strict }\n"

# What somebody might try, of each kind of place.
HIDDEN = [
    "password", "password[0]", "password[1] + 0", "len(password)", "(char*)&password",
    "store.api_token", "store.session_key", "*store.session_key", "store.passwords",
    "len(store.passwords)", "store.credentials", "store.otp", "store.cookie", "store.blob",
    "store.blob.value", "sealed_blob", "sealed_blob.value", "store.master", "store.master.value",
    "store.master.serial", "customer->m_passwd", "customer->m_passwd[2]", "customer->stamp",
    "customer->stamp.value", "customer->pass", "customer->pass.number", "customer->pass.text",
    "overlay->password", "overlay->words[0]", "overlay->words", "*overlay", "sealed", "*sealed",
    "**sealed", "(*sealed)->value", "g_password", "t_token", "issued", "issued.number",
    "last_issued", "store.boxes", "(crypto::Master*)*sealed",
]
SHOWN = {
    "round": None, "total": None, "customer->limit": 1000, "customer->since": 1999,
    "counts[1]": 2, "store.ratio": 2.5, "shape->sides": None,
}


class Vault(harness.Target):
    """The program, and what it keeps, by kind."""

    def __init__(self, **options):
        super().__init__("vault", **options)
        self.kept = {}
        for line in self.process.stdout:
            if line == "end\n":
                break
            kind, text = line.split()
            self.kept.setdefault(kind, []).append(text)


def forms_of(secret):
    """As text, reversed, as numbers in its bytes, and any six letters of it."""
    raw = secret.encode()
    forms = {secret, secret[::-1], raw.hex()}
    for between in (",", ", "):
        forms.add(between.join(map(str, raw[:6])))
    forms.add(", ".join(f"{byte} '{chr(byte)}'" for byte in raw[:6]))
    forms |= {secret[at:at + 6] for at in range(len(secret) - 5)}
    for at in range(0, len(raw) - 7, 8):
        number = int.from_bytes(raw[at:at + 8], "little")
        forms |= {str(number), f"{number:x}", f"{number:X}"}
    return forms


class Leaks(harness.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="nohalt-leak-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.trail = os.path.join(self.folder, "audit.jsonl")

    def policy(self, redact, uid=None):
        uid = os.geteuid() if uid is None else uid
        path = os.path.join(self.folder, "policy.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write("version: 1\nroles:\n  - name: test\n"
                      f"    members: {{ users: [{uid}] }}\n"
                      "    may: [plan, log, snap, snap-locals, stack, raw]\n"
                      f"    where: {{ exe: [\"**/target_vault\"], run_as: [{uid}] }}\n" + redact)
        os.chown(path, uid, -1)
        os.chmod(path, 0o644)
        return path

    def nohalt(self, *arguments, **options):
        return harness.run(*arguments, "--audit", self.trail, **options)

    def assert_no_leak(self, text, secrets, what):
        for secret in secrets:
            for form in forms_of(secret):
                self.assertNotIn(form, text, f"{what} has {form} of {secret}")

    def hidden_by(self, vault, *kinds):
        return [secret for kind in kinds for secret in vault.kept[kind]]

    def everything(self, *outcomes):
        """All that they wrote, to streams and into the folder."""
        text = "".join(outcome.out + outcome.err for outcome in outcomes)
        for root, _, names in os.walk(self.folder):
            for name in names:
                with open(os.path.join(root, name), "rb") as file:
                    text += file.read().decode("latin-1")
        return text

    def log(self, vault, policy, message, *more, seconds=60):
        return self.nohalt("log", "-p", vault.pid, PLACE, message, "--hits", "2", "--policy",
                           policy, *more, seconds=seconds)

    def test_messages_show_nothing_that_names_types_and_sources_hide(self):
        policy = self.policy(RULES)
        with Vault() as vault:
            outcomes = []
            for expression in HIDDEN:
                outcome = self.log(vault, policy, f"is {{{expression}}}.", "--format", "json")
                outcomes.append(outcome)
                if outcome.status == DONE:
                    record = outcome.records("log")[0]
                    states = [value["state"] for value in record["values"].values()]
                    self.assertEqual(states, ["redacted"], (expression, record))
            refused = [(expression, outcome.err.splitlines()[:1])
                       for expression, outcome in zip(HIDDEN, outcomes) if outcome.status != DONE]
            print(f"{len(HIDDEN)} expressions, {len(refused)} of them refused", flush=True)
            self.assertEqual(refused, [])
            self.assert_no_leak(self.everything(*outcomes),
                                self.hidden_by(vault, "name", "type", "source"), "a message")
            self.assert_right_end(vault)

    def test_what_lies_deep_or_in_a_librarys_storage_is_hidden_by_name(self):
        policy = self.policy("")
        with Vault() as vault:
            outcomes = [self.log(vault, policy, f"{{value={expression}}}", *more)
                        for expression in ("store.nest", "*store.shared._M_refcount._M_pi",
                                           "store.shared._M_refcount._M_pi", "store")
                        for more in ([], ["--format", "json"])]
            outcomes.append(self.nohalt("snap", "-p", vault.pid, PLACE, "--policy", policy,
                                        "--capture", "store.nest", "--depth", "6"))
            for outcome in outcomes:
                self.assertEqual(outcome.status, DONE, outcome)
            self.assertIn("_Sp_counted_ptr_inplace<Account", outcomes[2].out)
            self.assert_no_leak(self.everything(*outcomes), self.hidden_by(vault, "name"),
                                "a message")
            self.assert_right_end(vault)

    def test_a_rule_for_sources_hides_nothing_that_the_compiler_made(self):
        policy = self.policy(RULES)
        place = f"vault.cpp:{harness.line_of(SOURCE, 'the line in a member function')}"
        with Vault() as vault:
            outcome = self.nohalt("snap", "-p", vault.pid, place, "--policy", policy, "--capture",
                                  "this->ratio", "--format", "json")
            [record] = outcome.records("snapshot")
            self.assertEqual(record["values"]["this->ratio"]["value"], 2.5, record)
            self.assertNotIn("source", record["values"]["this"].get("why", ""), record)
            self.assertNotIn("hidden", json.dumps(record["errno"]))
            self.assert_right_end(vault)

    def test_conditions_may_not_name_what_is_hidden(self):
        policy = self.policy(RULES)
        with Vault() as vault:
            outcomes = []
            for expression in ("password[0] == 'a'", "customer->stamp.value > 5",
                               "issued.number == 1", "last_issued != 0", "sealed != 0",
                               "store.api_token == \"x\"", "overlay->words[0] > 0",
                               "store.master.serial == 77"):
                outcome = self.log(vault, policy, "hit", "--if", expression)
                self.assertEqual(outcome.status, DENIED, (expression, outcome))
                self.assertIn("The condition names a value that policy hides", outcome.err, expression)
                outcomes.append(outcome)
            self.assert_no_leak(self.everything(*outcomes),
                                self.hidden_by(vault, "name", "type", "source"), "an error")
            self.assert_right_end(vault)

    def test_snapshots_and_core_files_show_nothing_that_is_hidden(self):
        policy = self.policy(RULES)
        with Vault() as vault:
            outcomes = []
            for more in (["--format", "json"], [], ["--types"],
                         ["-o", os.path.join(self.folder, "kept.json"), "--format", "json"],
                         ["-o", os.path.join(self.folder, "hit.core")],
                         ["--depth", "6", "--format", "json"]):
                outcome = self.nohalt("snap", "-p", vault.pid, PLACE, "--stack=8", "--policy",
                                      policy, *more, seconds=60)
                self.assertEqual(outcome.status, DONE, outcome)
                outcomes.append(outcome)
            self.assert_no_leak(self.everything(*outcomes),
                                self.hidden_by(vault, "name", "type", "source"), "a snapshot")
            [record] = outcomes[0].records("snapshot")
            self.assertIn("name 'password' (built-in)", json.dumps(record))
            self.assertIn(f"type 'Secret<*>' ({policy}:", json.dumps(record))
            self.assertIn(f"source '**/vault_auth.h' ({policy}:", json.dumps(record))
            self.assert_right_end(vault)

    def ring_of(self, vault):
        """The bytes of the run's records, as they lie in the target."""
        [line] = [line for line in harness.maps_of(vault.pid)
                  if "nohalt-control" in line and "rw-s" in line]
        begin, end = (int(part, 16) for part in line.split()[0].split("-"))
        with open(f"/proc/{vault.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(begin)
            return memory.read(end - begin).decode("latin-1"), line.split()[0]

    def test_records_in_the_target_hold_nothing_that_names_types_and_sources_hide(self):
        policy = self.policy(RULES)
        with Vault() as vault:
            path = os.path.join(self.folder, "out.json")
            with open(path, "w", encoding="utf-8") as out:
                tool = harness.popen(
                    [harness.NOHALT, "snap", "-p", str(vault.pid), PLACE, "--hits", "100000",
                     "--limit", "50/s", "--policy", policy, "--audit", self.trail, "--format",
                     "json"], stdout=out, stderr=out, env=harness.environment())
            harness.wait_for(lambda: os.path.getsize(path) > 0, "a record", 30)
            marker = vault.kept["marker"][0]
            found = False
            for _ in range(50):
                tool.send_signal(signal.SIGSTOP)
                time.sleep(0.1)
                ring, place = self.ring_of(vault)
                self.assert_no_leak(ring, self.hidden_by(vault, "name", "type", "source"),
                                    "the ring")
                found = found or marker in ring
                tool.send_signal(signal.SIGCONT)
                if found:
                    break
                time.sleep(0.05)
            self.assertTrue(found, "no record was seen in the ring")
            smaps = harness.read(f"/proc/{vault.pid}/smaps")
            flags = smaps[smaps.index(place):].split("VmFlags:")[1].splitlines()[0].split()
            self.assertIn("dd", flags, "the ring is in core dumps")
            tool.send_signal(signal.SIGINT)
            self.assertEqual(tool.wait(30), DONE)
            self.assert_no_leak(self.everything(),
                                self.hidden_by(vault, "name", "type", "source"), "a snapshot")
            self.assert_right_end(vault)

    def test_strict_mode_lets_numbers_and_truth_values_out_and_no_text(self):
        policy = self.policy(STRICT)
        texts = ["store.marker._M_string_length", "neighbour", "neighbour[0]", "*store.marker", "store.marker", "len(neighbour)",
                 "len(store.marker)", "*(long*)&neighbour", "*(long*)neighbour", "card[3]", "&round",
                 "customer", "customer->kind", "store.session_key", "*(int*)&neighbour[4]",
                 "store.passwords", "sealed", "customer == 0", "neighbour == \"x\""]
        with Vault() as vault:
            outcomes = []
            for expression in texts:
                outcome = self.log(vault, policy, f"is {{{expression}}}.", "--format", "json")
                outcomes.append(outcome)
                if outcome.status != DONE:
                    continue
                for value in outcome.records("log")[0]["values"].values():
                    self.assertEqual(value["state"], "redacted", (expression, value))
            for expression, expected in SHOWN.items():
                outcome = self.log(vault, policy, f"{{value={expression}}}", "--format", "json")
                self.assertEqual(outcome.status, DONE, outcome)
                value = outcome.records("log")[0]["values"]["value"]
                self.assertEqual(value["state"], "exact", (expression, value))
                if expected is not None:
                    self.assertEqual(value["value"], expected, expression)
                self.assertNotIn("thread", outcome.records("log")[0])
                outcomes.append(outcome)
            for condition in ("neighbour[0] == 'x'", "store.marker == \"x\"", "customer != 0",
                              "len(store.marker) > 3"):
                outcome = self.log(vault, policy, "hit", "--if", condition)
                self.assertEqual(outcome.status, DENIED, (condition, outcome))
                outcomes.append(outcome)
            for expression in ("store.nest", "*store.shared._M_refcount._M_pi"):
                outcomes.append(self.log(vault, policy, f"is {{{expression}}}."))
                self.assertEqual(outcomes[-1].status, DONE, outcomes[-1])
            for more in (["--format", "json"], [], ["--depth", "6", "--types"]):
                outcome = self.nohalt("snap", "-p", vault.pid, PLACE, "--stack=8", "--policy",
                                      policy, *more, seconds=60)
                self.assertEqual(outcome.status, DONE, outcome)
                outcomes.append(outcome)
            core = self.nohalt("snap", "-p", vault.pid, PLACE, "--stack", "--policy", policy, "-o",
                               os.path.join(self.folder, "hit.core"))
            self.assertEqual(core.status, DENIED, core)
            self.assertIn("A core file tells addresses", core.err)
            numbers = [secret for secret in vault.kept["type"] + vault.kept["source"]
                       if len(secret) == 8]
            texts = [secret for kind in vault.kept for secret in vault.kept[kind]
                     if secret not in numbers]
            self.assert_no_leak(self.everything(*outcomes, core), texts, "strict mode")
            self.assert_right_end(vault)

    def test_a_part_of_a_text_that_a_rule_knows_is_hidden_and_so_is_one_put_together(self):
        policy = self.policy("redact: { values: [{ name: own, pattern: \"Z9[a-z]*\" }] }\n")
        with Vault() as vault:
            for message in ("{card[3]}", "{card[0] + 1}", "{card:.4}", "{card[0]:c}{card[1]:c}",
                            "{first} {second}", "{first:.9} {second}", "{store.form.parts.head}",
                            "{store.form.parts}", "{store.form}", "{*(long*)&card}",
                            "{*(long*)card}", "{*(char*)store.untyped}",
                            "{((char*)store.untyped)[3]}", "{*(long*)(char*)store.untyped}"):
                outcome = self.log(vault, policy, message, "--format", "json")
                self.assertEqual(outcome.status, DONE, outcome)
                record = outcome.records("log")[0]
                for name, value in record["values"].items():
                    self.assertEqual(value["state"], "redacted", (message, name, value))
                head = str(int.from_bytes(b"4111 111", "little"))
                for part in ("4111", "4012", "1881", "8888", head):
                    self.assertNotIn(part, json.dumps([record["message"], record["values"]]),
                                     (message, record))
            outcome = self.log(vault, policy, "{neighbour[1]} {neighbour:.3} {first}", "--format",
                               "json")
            values = outcome.records("log")[0]["values"]
            self.assertEqual({value["state"] for value in values.values()}, {"exact"}, values)
            said = self.log(vault, policy, "ask ops@example.com {neighbour}", "--format", "json")
            [value] = said.records("log")[0]["values"].values()
            self.assertEqual(value["state"], "exact", said)
            self.assertIn("[redacted:email] " + vault.kept["marker"][0],
                          said.records("log")[0]["message"])
            snap = self.nohalt("snap", "-p", vault.pid, PLACE, "--policy", policy, "--capture",
                               "store.form", "--stack=3")
            self.assertEqual(snap.status, DONE, snap)
            self.assertNotIn(str(int.from_bytes(b"4111 111", "little")), snap.out)
            self.assert_right_end(vault)

    def test_a_text_is_captured_once_for_all_its_parts(self):
        policy = self.policy("")
        with Vault() as vault:
            sizes = []
            for count in (1, 20):
                message = " ".join(f"{{store.plain[{i}]}}" for i in range(count))
                plan = self.nohalt("plan", "-p", vault.pid, PLACE, "--policy", policy, "--message",
                                   message, "--format", "json")
                [site] = json.loads(plan.out)["places"][0]["sites"]
                sizes.append(site["worst_case"]["record_bytes"])
            self.assertLess(sizes[1], 2 * sizes[0], sizes)
            self.assert_right_end(vault)

    def test_what_is_dropped_is_not_mentioned_and_what_is_hashed_can_be_told_equal(self):
        policy = self.policy("redact:\n  names: [{ name: neighbour, action: drop }]\n"
                             "  values: [{ name: payment-card, action: hash }]\n")
        with Vault() as vault:
            outcome = self.log(vault, policy, "a{neighbour}b {card}", "--format", "json")
            records = outcome.records("log")
            self.assertEqual(set(records[0]["values"]), {"card"}, outcome)
            found = re.fullmatch(r"ab (\[redacted:payment-card:[0-9a-f]{12}\])",
                                 records[0]["message"])
            self.assertTrue(found, records[0])
            self.assertEqual(records[0]["message"], records[1]["message"])
            other = self.log(vault, policy, "{card}", "--format", "json").records("log")[0]
            self.assertNotEqual(other["message"], found[1])
            self.assert_right_end(vault)

    def test_a_plan_tells_what_would_leave_and_what_not_and_why(self):
        policy = self.policy(RULES)
        with Vault() as vault:
            command = ["plan", "-p", vault.pid, PLACE, "--redaction", "--policy", policy]
            outcome = self.nohalt(*command, "--format", "json")
            self.assertEqual(outcome.status, DONE, outcome)
            [site] = json.loads(outcome.out)["places"][0]["sites"]
            values = {value["name"]: value for value in site["values"]}
            self.assertEqual(values["round"]["state"], "leaves", values)
            self.assertEqual(values["password"]["state"], "hidden")
            self.assertIn("name 'password' (built-in)", values["password"]["why"])
            self.assertEqual(values["customer"]["state"], "partly")
            hidden = {part["path"]: part["why"] for part in values["customer"]["hidden"]}
            paths = ", ".join(hidden)
            for path in ("customer.m_passwd", "customer.stamp", "customer.pass"):
                self.assertIn(path, paths)
            self.assertIn("payment-card", json.loads(outcome.out)["value_rules"])
            text = self.nohalt(*command, "--message", "{round} {password}")
            self.assertRegex(text.out, r"round +\S.* leaves")
            self.assertRegex(text.out, r"password +char \[24\] +hidden +hidden by policy: name")
            self.assert_no_leak(self.everything(outcome, text),
                                self.hidden_by(vault, "name", "type", "source"), "a plan")
            self.assert_right_end(vault)

    def test_a_core_of_the_tool_has_no_memory_and_its_user_can_end_it(self):
        if os.geteuid() != 0:
            self.skipTest("only root can start processes of another user")
        os.chown(self.folder, NOBODY, NOBODY)
        wrapper = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env",
                   f"XDG_STATE_HOME={self.folder}/state")
        policy = self.policy(RULES, NOBODY)
        with Vault(wrapper=wrapper) as vault:
            with open(os.path.join(self.folder, "err"), "w", encoding="utf-8") as err:
                tool = harness.popen([*wrapper, harness.NOHALT, "log", "-p", str(vault.pid), PLACE,
                                      "{round}", "--policy", policy, "--audit", self.trail],
                                     stdout=err, stderr=err, env=harness.environment())
            harness.wait_for(lambda: harness.is_patched(vault.pid) or tool.poll() is not None,
                             "the probe", 30)
            self.assertIsNone(tool.poll(), harness.read(os.path.join(self.folder, "err")))
            self.assertEqual(int(harness.read(f"/proc/{tool.pid}/coredump_filter"), 16), 0)
            self.assertRegex(harness.read(f"/proc/{tool.pid}/limits"), r"core file size +0 +0 ")
            [row] = harness.run("list", wrapper=wrapper).out.splitlines()[1:]
            self.assertRegex(row, rf"{vault.pid} +running .*nobody\[{tool.pid}\]")
            ended = self.nohalt("rm", row.split()[0], "--policy", policy, wrapper=wrapper)
            self.assertEqual(ended.status, DONE, ended)
            self.assertEqual(tool.wait(30), DONE)
            doctor = harness.run("doctor", wrapper=wrapper)
            self.assertRegex(doctor.out, r"ok +ptrace ")
            self.assert_right_end(vault)


class Ordinary(harness.TestCase):
    """The opposite: what is no secret is not hidden."""

    PROGRAMS = {"service": "service.c", "secrets_O0": "secrets.cpp"}

    def test_ordinary_locals_are_not_hidden(self):
        shown, hidden = 0, []
        for name, file in self.PROGRAMS.items():
            path = os.path.join(harness.TOP, "tests/targets", file)
            with open(path, encoding="utf-8") as source:
                lines = len(source.readlines())
            with harness.Target(name) as target:
                places = [f"{file}:{line}" for line in range(1, lines + 1)]
                outcome = harness.run("plan", "-p", target.pid, *places, "--redaction", "--format",
                                      "json", seconds=120)
                for place in json.loads(outcome.out)["places"]:
                    for site in place.get("sites", []):
                        for value in site.get("values", []):
                            if value["state"] in ("leaves", "partly"):
                                shown += 1
                            if value["state"] == "hidden":
                                hidden.append(value["name"])
        known = {"secret", "token_text", "session_token", "password", "api_token"}
        false = [name for name in hidden if name not in known]
        print(f"{shown + len(hidden)} values at all lines, {len(hidden)} hidden, "
              f"{len(false)} of them falsely ({sorted(set(false))}): "
              f"{100 * len(false) / max(shown, 1):.2f} %", flush=True)
        self.assertGreater(shown, 100)
        self.assertEqual(false, [])


if __name__ == "__main__":
    harness.main()
