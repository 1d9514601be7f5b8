"""No byte of what a policy hides leaves the process: not in messages, conditions, errors,
snapshots, core files, the audit or the memory that a probe's records pass through. And
what it does not hide is shown."""

import json
import os
import re
import shutil
import signal
import subprocess
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
    "shape->sides", "(*shape).sides", "shape->sides + 1", "store.unseal._M_functor", "store.unseal._M_functor._M_pod_data[9]",
    "password[0..6]", "overlay->words[1..3]", "overlay->password[2..9]", "g_password[0..8]",
    "t_token[1..9]", "customer->m_passwd[0..6]", "store.session_key[0..6]",
    "store.anything._M_storage", "store.anything._M_storage._M_ptr",
]
SHOWN = {
    "round": None, "total": None, "customer->limit": 1000, "customer->since": 1999,
    "counts[1]": 2, "counts[0..3]": [1, 2, 3], "store.ratio": 2.5, "shape->sides": None,
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
                 "store.passwords", "sealed", "customer == 0", "neighbour == \"x\"",
                 "store.row", "store.row[1]", "store.row[1].b", "*store.row",
                 "card[0..4]", "store.digest[0..4]", "store.row[0..2]", "password[0..4]",
                 "store.list._M_impl._M_node._M_size", "store.list._M_impl", "store.notes",
                 "len(store.numbers)"]
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
            for expression in ("store.numbers", "store.many", "store.list"):
                outcome = self.log(vault, policy, f"{{value={expression}}}", "--format", "json")
                value = outcome.records("log")[0]["values"]["value"]
                self.assertIn(value["value"][1], (2, 5, 20), value)
                self.assertNotIn("size", value)
                self.assertNotIn("25", json.dumps([outcome.records("log")[0]["message"], value]))
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

    def test_parts_of_ordinary_bytes_are_shown_and_those_of_bytes_with_a_secret_are_not(self):
        policy = self.policy("")
        shown = {"store.digest[3]": 139, "store.digest[25]": 205, "store.digest[31]": 223,
                 "store.digest[round & 7]": None, "*(int*)&store.digest[28]": None,
                 "store.packet->data[3]": 77, "store.packet->data[20]": 0, "bytes[3]": 9,
                 "store.packet->data[round & 7]": None, "store.raw[2]": 77, "((Packet*)store.raw)->size": None, "store.plain[1]": ord("l"), "*store.plain": ord("p"),
                 "*(store.plain + (round & 3))": None,
                 "store.digest[0..3]": [130, 133, 136], "store.digest[29..32]": [217, 220, 223],
                 "store.raw[2..4]": [77, 0]}
        hidden = ["store.scan[2..4]", "store.scan[40..44]", "store.form.digits[0..4]", "card[1..5]",
                  "store.raw[300..304]", "store.letter[600..604]",
                  "store.scan[2]", "store.scan[41]", "store.scan[63]", "store.scan[round & 31]",
                  "*(long*)&store.scan[40]", "store.packet->data[300]", "store.packet->data[315]",
                  "store.packet->data[round | 255]", "store.packet->data[5000]",
                  "store.letter[600]", "store.letter[round & 1023]", "*(store.letter + 603)",
                  "*(long*)(store.letter + 600)", "store.plain[20]", "store.raw[310]", "*(long*)(store.raw + 300)"]
        with Vault() as vault:
            outcomes = []
            for expression in [*shown, *hidden]:
                outcome = self.log(vault, policy, f"{{value={expression}}}", "--format", "json")
                self.assertEqual(outcome.status, DONE, (expression, outcome))
                value = outcome.records("log")[0]["values"]["value"]
                state = "exact" if expression in shown else "redacted"
                self.assertEqual(value["state"], state, (expression, value))
                if shown.get(expression) is not None:
                    self.assertEqual(value["value"], shown[expression], expression)
                outcomes.append(outcome)
            plan = self.nohalt("plan", "-p", vault.pid, PLACE, "--policy", policy, "--message",
                               "{store.digest[3]}", "--redaction")
            self.assertEqual(plan.status, DONE, plan)
            self.assert_right_end(vault)

    def test_members_of_a_union_without_a_name_are_hidden_with_each_other(self):
        place = f"vault.cpp:{harness.line_of(SOURCE, 'the line over unions without a name')}"
        policy = self.policy("")
        with Vault() as vault:
            for expression in ["password_copy", "copied", "copied[1]", "password_copy[0]",
                               "copied[0..2]", "copied[0] + 1", "paid_by", "paid_parts[1]",
                               "paid_parts", "paid_parts[0] / 2"]:
                outcome = self.nohalt("log", "-p", vault.pid, place, f"{{value={expression}}}",
                                      "--hits", "1", "--policy", policy, "--format", "json")
                self.assertEqual(outcome.status, DONE, (expression, outcome))
                value = outcome.records("log")[0]["values"]["value"]
                self.assertEqual(value["state"], "redacted", (expression, value))
                self.assert_no_leak(self.everything(outcome), self.hidden_by(vault, "name"),
                                    expression)
            outcome = self.nohalt("snap", "-p", vault.pid, place, "--policy", policy,
                                  "--format", "json")
            self.assertEqual(outcome.status, DONE, outcome)
            values = outcome.records("snapshot")[0]["values"]
            unions = [value for name, value in values.items() if name.startswith("<anonymous>")]
            self.assertEqual([value["state"] for value in unions], ["redacted"] * 2, values)
            self.assert_no_leak(self.everything(outcome), self.hidden_by(vault, "name"), "a snapshot")
            self.assert_right_end(vault)

    def test_what_is_computed_from_a_number_that_a_rule_knows_is_hidden(self):
        policy = self.policy("")
        shown = {"store.large - 1": 1700000000123455, "store.large / 1000": 1700000000123,
                 "total - total": 0, "store.large == 5": False, "counts[store.large % 3]": None,
                 "round < 0 ? counts[store.untyped ? counts[store.large % 9999 + 9999] : 0] : 7": 7,
                 "*(store.large > 5 ? &counts[1] : &counts[2])": 2,
                 "store.ratio * 2": 5.0, "store.whole.number": 1700000000123456,
                 "store.whole.high": 1700000000123456 >> 32, "store.whole.halves[1]":
                 1700000000123456 >> 32, "store.whole.pair.second": 1700000000123456 >> 32}
        hidden = ["store.payee", "store.payee - 1", "store.payee / 10000", "-store.payee",
                  "(int)store.payee", "(double)store.payee", "store.payee > 5",
                  "store.payee == 5 ? 1 : 0", "total + store.payee % 100",
                  "store.payee >> 1", "store.payee_as_float", "store.payee_as_float / 2",
                  "!store.payee", "store.large - store.payee", "counts[store.payee % 3]",
                  "&counts[store.payee % 3]", "counts[(int)(store.payee >> 50)] + 1",
                  "store.digest[store.payee % 10]",
                  "*(store.payee > 5 ? &counts[1] : &counts[2])",
                  "(store.payee > 5 ? &counts[1] : &counts[2])[0]",
                  "(int*)((long)&counts + store.payee % 3)",
                  "*(int*)&store.payee", "*(short*)((long)&store.payee + 2)",
                  "counts[*(int*)&store.payee & 3]",
                  "store.split.number", "store.split.halves[0]", "store.split.halves[round & 1]",
                  "store.split.halves", "store.split.high", "store.split.low + 1",
                  "store.split.pair.second", "store.split"]
        with Vault() as vault:
            for expression in [*shown, *hidden]:
                outcome = self.log(vault, policy, f"{{value={expression}}}", "--format", "json")
                self.assertEqual(outcome.status, DONE, (expression, outcome))
                record = outcome.records("log")[0]
                value = record["values"]["value"]
                state = "exact" if expression in shown else "redacted"
                self.assertEqual(value["state"], state, (expression, value))
                if shown.get(expression) is not None:
                    self.assertEqual(value["value"], shown[expression], expression)
                self.assertNotIn("4111", json.dumps([record["message"], record["values"]]))
            self.assert_right_end(vault)

    def test_hex_and_tests_of_texts_hide_what_the_text_itself_would(self):
        policy = self.policy("redact: { values: [{ name: own, pattern: \"Z9[a-z]*\" }] }\n")
        shown = {"{store.digest:hex}": bytes(130 + 3 * i for i in range(32)).hex(),
                 "{store.plain:hex}": b"plain".hex(), "{neighbour:.4hex}": None,
                 "{store.plain:len}": 5, "{store.numbers:len}": 3,
                 "{starts_with(store.plain, \"pl\")}": True,
                 "{contains(store.plain, \"lan\")}": False}
        hidden = ["{card:hex}", "{store.scan:hex}", "{card:.8hex}", "{first:hex} {second:hex}",
                  "{first:hex} {second}", "{first:.9} {second:hex}",
                  "{starts_with(card, \"4\")}", "{contains(card, \"111\") ? 1 : 2}",
                  "{contains(card, \"x\") || total < 0}"]
        with Vault() as vault:
            for message, wanted in shown.items():
                outcome = self.log(vault, policy, message, "--format", "json")
                self.assertEqual(outcome.status, DONE, (message, outcome))
                [value] = outcome.records("log")[0]["values"].values()
                self.assertEqual(value["state"], "exact", (message, value))
                if wanted is not None:
                    self.assertEqual(value["value"], wanted, message)
            for message in hidden:
                outcome = self.log(vault, policy, message, "--format", "json")
                self.assertEqual(outcome.status, DONE, (message, outcome))
                record = outcome.records("log")[0]
                states = {value["state"] for value in record["values"].values()}
                self.assertIn("redacted", states, (message, record))
                said = json.dumps([record["message"], record["values"]])
                for part in ("4111", "4012", "1881", "8888"):
                    for form in (part, part.encode().hex()):
                        self.assertNotIn(form, said, message)
            for wrong in ("{total:hex}", "{store.numbers:hex}", "{customer:hex}", "{total:len}"):
                outcome = self.log(vault, policy, wrong)
                self.assertEqual(outcome.status, harness.USAGE, (wrong, outcome))
                self.assertIn("^", outcome.err, wrong)
            self.assert_right_end(vault)

    def test_conditions_do_not_let_anybody_guess_what_value_rules_hide(self):
        policy = self.policy("redact: { values: [{ name: own, pattern: \"Z9[a-z]+\" }] }\n")
        guesses = ["card == \"4111 1111 1111 1111\"", "card != \"4111111111111111\"",
                   "store.plain == \"Z9secret\"", "total > 5 || card == \"4111111111111111\"",
                   "total == 4111111111111111", "4111111111111111 == total",
                   "total == 4111111111111110 + 1", "total - (411111111111111 * 10 + 1) == 0",
                   "total < -(1 - 4111111111111112)"]
        parts = ["card[0] == '4'", "'4' == card[0]", "card[0] >= '4'", "!(card[0] == '4')",
                 "card[round & 7] == '4'", "store.scan[41] == 49", "store.plain[1] > 'a'",
                 "*(int*)&card > 5", "(char*)&card[4] == \" 1111\"", "card[0] - '4' == 0",
                 "card[0] / 13 == 4", "(card[0] == '4' ? total : 0) > 0", "card[0] == card[1]",
                 "*store.plain == 'p'", "*(store.plain + 1) == 'l'", "store.form.parts.head > 5",
                 "total > 5 && card[0] == '4'", "starts_with(card, \"4\")",
                 "contains(card, \"4111\")", "!starts_with(card, \"4111 \")",
                 "starts_with(store.plain, \"p\")", "contains(store.plain, \"lai\")",
                 "starts_with(store.plain, \"x:Z\")", "total > 5 || contains(card, \"1(\")",
                 "starts_with(&card[4], \" \")", "contains(store.plain, \"Z9secret\")"]
        harmless = ["card == \"x\"", "card[0] == 0", "card[0] < 31 || total < 0", "!card[0]",
                    "store.digest[3] == 7", "store.plain == \"x\"", "len(store.plain) > 99",
                    "(char*)store.untyped == \"x\"", "total < 5", "store.marker == \"4111\"",
                    "starts_with(store.plain, \"x:\")", "contains(card, \"(x)\")",
                    "starts_with(card, \"GET /\") || contains(store.plain, \"?\")"]
        with Vault() as vault:
            for condition in guesses + parts:
                outcome = self.log(vault, policy, "hit", "--if", condition)
                self.assertEqual(outcome.status, DENIED, (condition, outcome))
            for guess in guesses:
                outcome = self.log(vault, policy, f"{{{guess}}}")
                self.assertEqual(outcome.status, DENIED, (guess, outcome))
            for condition in harmless:
                outcome = self.log(vault, policy, "hit", "--if", condition, "--for", "100ms")
                self.assertEqual(outcome.status, harness.NO_HIT, (condition, outcome))
            self.assert_right_end(vault)

    def test_a_condition_on_an_object_of_a_hidden_class_does_not_fire(self):
        policy = self.policy(RULES)
        with Vault() as vault:
            outcome = self.log(vault, policy, "hit", "--if", "shape->sides > 0", "--for", "300ms")
            self.assertEqual(outcome.status, harness.NO_HIT, outcome)
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

    def test_what_is_dropped_leaves_no_trace_in_a_container(self):
        policy = self.policy("redact:\n  types: [{ type: \"Secret<*>\", action: drop }]\n")
        with Vault() as vault:
            message = "{numbers=store.sealed_by_number} a{one=store.one_of}b"
            outcome = self.log(vault, policy, message, "--format", "json")
            record = outcome.records("log")[0]
            self.assertEqual(record["message"], "{[1]} ab", record)
            self.assertEqual(record["values"]["numbers"]["value"], [{"key": 1}], record)
            self.assertEqual(set(record["values"]), {"numbers"}, record)
            self.assert_no_leak(self.everything(outcome), self.hidden_by(vault, "type"), "a drop")
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
            # Its own user, as whom the target runs too, may not look into it.
            for name in ("maps", "mem", "environ", "fd"):
                looked = subprocess.run([*wrapper, "cat" if name != "fd" else "ls",
                                         f"/proc/{tool.pid}/{name}"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, timeout=10)
                self.assertIn("Permission denied", looked.stderr, name)
            [row] = self.nohalt("list", "--policy", policy, wrapper=wrapper).out.splitlines()[1:]
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
