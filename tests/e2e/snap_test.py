"""Snapshots: all that is in scope at a line, with its types and states, and how
the program got there."""

import json
import os
import subprocess
import threading

import harness
import redis
from harness import DONE, NO_HIT, USAGE

SERVICE = "tests/targets/service.c"
SERVICE_PLACE = f"service.c:{harness.line_of(SERVICE, 'the line most tests probe')}"
NAMES = ["anna", "bruno", "chiara", "dario", "edith"]
SCOPES = "tests/targets/scopes.c"
SCOPES_LINE = harness.line_of(SCOPES, "two names, two functions")
SCOPES_PLACE = f"scopes.c:{SCOPES_LINE}"
CALLERS_PLACE = f"callers.c:{harness.line_of('tests/targets/callers.c', 'is not needed any more')}"


def snap(target, place, *options, **more):
    return harness.run("snap", "-p", target.pid, place, "--format", "json", *options, **more)


def plain(node):
    """A node of the tree as bare values; what is not there is its state."""
    if "value" not in node:
        return "<" + node["state"] + ">"
    value = node["value"]
    if isinstance(value, dict) and node["kind"] == "pointer":
        return plain(value["target"])
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


class Snap(harness.TestCase):
    def one(self, outcome):
        self.assertEqual(outcome.status, DONE, outcome)
        records = outcome.records("snapshot")
        self.assertEqual(len(records), 1, outcome)
        return records[0]

    def test_every_argument_and_local_is_there_with_its_type(self):
        with harness.Target("service", 3, 100) as target:
            before = harness.Footprint(target.pid)
            outcome = snap(target, SERVICE_PLACE)
            record = self.one(outcome)
            values = {name: plain(node) for name, node in record["values"].items()}
            serial = values["job"]["serial"]
            previous, owner = values["job"].pop("previous"), serial % 5
            self.assertEqual(previous, "0x0")
            self.assertEqual(values, {
                "job": {"serial": serial, "owner": {"name": NAMES[owner], "level": owner * 10},
                        "weight": serial * 0.25, "state": "kJobNew", "tag": f"t{serial % 1000}",
                        "low": serial & 31, "high": serial & 2047},
                "label": NAMES[owner], "amount": serial + 7, "square": (serial + 7) ** 2,
                "share": serial * 0.125})
            self.assertEqual({name: (node["role"], node["type"])
                              for name, node in record["values"].items()}, {
                "job": ("argument", "struct job *"), "label": ("argument", "const char *"),
                "amount": ("argument", "int64_t"), "square": ("local", "int64_t"),
                "share": ("local", "double")})
            self.assertEqual((record["function"], record["file"].split("/")[-1]),
                             ("do_job", "service.c"))
            self.assert_proven_clean(self.receipt_of(outcome))
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_inner_blocks_and_the_function_around_an_inlined_one_are_shown(self):
        with harness.Target("scopes") as target:
            record = self.one(snap(target, SCOPES_PLACE))
            inner, outer = record["frames"]
            self.assertEqual((inner["function"], inner["inlined"], inner["line"]),
                             ("inner", True, SCOPES_LINE))
            self.assertEqual((outer["function"], outer.get("inlined"), outer["line"]),
                             ("outer", None, harness.line_of(SCOPES, "= inner(visitor, seed + 1)")))
            around = {name: plain(node) for name, node in outer["values"].items()}
            seed = around["seed"]
            self.assertEqual(around["margin"], seed + 5)
            self.assertEqual(around["label"], f"round {seed % 1000}")
            values = {name: plain(node) for name, node in record["values"].items()}
            hidden = harness.line_of(SCOPES, "int64_t amount = n * 2;")
            self.assertEqual((values["amount"], values[f"amount@{hidden}"]),
                             ((seed + 1) * 3, (seed + 1) * 2))
            self.assertEqual(values["visitor"]["place"], {"x": seed, "y": -seed})
            self.assertEqual(record["values"]["n"]["state"], "optimized_out")
            self.assert_right_end(target)

    def test_a_secret_is_nowhere_in_what_is_kept(self):
        with harness.Target("scopes") as target:
            outcome = snap(target, SCOPES_PLACE, "--stack", "--depth", "8")
            record = self.one(outcome)
            self.assertEqual(plain(record["values"]["visitor"])["password"], "<redacted>")
            self.assertNotIn("hunter2", outcome.out + outcome.err)
            self.assert_right_end(target)

    def test_depth_bounds_what_is_followed_and_a_cycle_ends(self):
        def friends(record):
            node, count = record["values"]["visitor"], 0
            while isinstance(node["value"], dict):
                node, count = node["value"]["target"]["value"]["friend"], count + 1
            return count
        with harness.Target("scopes") as target:
            for depth in (1, 2, 5):
                record = self.one(snap(target, SCOPES_PLACE, "--depth", depth))
                self.assertEqual(friends(record), depth - 1)
            self.assert_right_end(target)

    def test_the_stack_leads_to_main(self):
        with harness.Target("scopes") as target:
            record = self.one(snap(target, SCOPES_PLACE, "--stack"))
            names = [frame.get("function") for frame in record["frames"]]
            self.assertEqual(names[:3], ["inner", "outer", "main"])
            self.assertEqual(record["frames"][2]["line"],
                             harness.line_of(SCOPES, "if (outer(&visitor, seed)"))
            self.assertEqual(record["stack_end"], "outermost")
            self.assert_right_end(target)

    def test_callers_show_their_locals_as_far_as_the_captured_stack_tells_them(self):
        with harness.Target("scopes") as target:
            record = self.one(snap(target, SCOPES_PLACE, "--stack"))
            main = record["frames"][2]["values"]
            seed = plain(record["frames"][1]["values"]["seed"])
            self.assertEqual((plain(main["wrong"]), plain(main["seed"])), (0, seed))
            self.assertEqual({node["role"] for node in main.values()}, {"local"})
            visitor = plain(main["visitor"])
            self.assertEqual((visitor["id"], visitor["name"], visitor["place"]),
                             (seed * 10, "anna", {"x": seed, "y": -seed}))
            self.assertEqual((visitor["friend"]["name"], visitor["friend"]["password"]),
                             ("anna", "<redacted>"))
            self.assert_right_end(target)

    def test_a_callers_secret_is_nowhere_in_what_is_kept(self):
        kept = os.path.join(harness.environment()["XDG_STATE_HOME"], "secrets.json")
        with harness.Target("scopes") as target:
            outcome = harness.run("snap", "-p", target.pid, SCOPES_PLACE, "--stack", "--depth", "8",
                                  "-o", kept)
            self.assertEqual(outcome.status, DONE, outcome)
            self.assert_right_end(target)
        text = harness.read(kept)
        main = json.loads(text.splitlines()[0])["frames"][2]["values"]
        self.assertEqual(plain(main["visitor"])["password"], "<redacted>")
        shown = harness.run("show", kept)
        for form in (text, shown.out, outcome.out, outcome.err,
                     harness.read(harness.environment()["NOHALT_AUDIT"])):
            self.assertNotIn("hunter2", form)
            self.assertNotIn(b"hunter2".hex(), form)

    def test_what_only_the_caller_knows_is_shown_as_an_entry_value(self):
        with harness.Target("callers") as target:
            for options in ([], ["--stack"]):
                record = self.one(snap(target, CALLERS_PLACE, *options))
                order = record["values"]["order"]
                if not options:
                    self.assertEqual(order["state"], "optimized_out")
                    continue
                self.assertEqual((order["state"], order["why"]), ("exact", "entry value"))
                self.assertEqual(plain(order) * 2, plain(record["values"]["result"]))
                main = record["frames"][2]["values"]
                self.assertEqual(plain(order), plain(main["round"]) + 3)
            self.assert_right_end(target)

    def test_a_pointer_to_a_function_names_it(self):
        with harness.Target("callers") as target:
            record = self.one(snap(target, CALLERS_PLACE, "--stack"))
            run = record["frames"][2]["values"]["handler"]["value"]["run"]
            self.assertEqual((run["kind"], run["symbol"]), ("pointer", "twice"))
            text = harness.run("snap", "-p", target.pid, CALLERS_PLACE, "--stack").out
            self.assertIn(f"run = {run['value']} <twice>", text)
            self.assert_right_end(target)

    def test_a_callers_secret_is_not_shown_under_another_name(self):
        with harness.Target("callers") as target:
            outcome = snap(target, CALLERS_PLACE, "--stack", "--depth", "8")
            serve = self.one(outcome)["frames"][1]["values"]
            self.assertEqual(serve["password"]["state"], "redacted")
            self.assertIn('"state": "redacted"', json.dumps(serve["text"]))
            self.assertNotIn("hunter2", outcome.out + outcome.err)
            self.assert_right_end(target)

    def test_a_number_bounds_the_frames(self):
        with harness.Target("service", 1, 100) as target:
            record = self.one(snap(target, SERVICE_PLACE, "--stack=2"))
            self.assertEqual([frame.get("function") for frame in record["frames"]], ["do_job", "work"])
            self.assertEqual(record["stack_end"], "frame-limit")
            self.assert_right_end(target)

    def test_several_snapshots_of_a_file_are_taken_once_each(self):
        probes = os.path.join(harness.environment()["XDG_STATE_HOME"], "probes.yaml")
        with open(probes, "w", encoding="utf-8") as file:
            file.write(f"probes:\n  - at: {SCOPES_PLACE}\n    stack: 2\n  - at: outer\n")
        with harness.Target("scopes") as target:
            outcome = harness.run("snap", "-p", target.pid, "-f", probes, "--format", "json")
            self.assertEqual(outcome.status, DONE, outcome)
            records = outcome.records("snapshot")
            self.assertEqual(sorted(record["function"] for record in records), ["inner", "outer"])
            ends = {record["function"]: record.get("stack_end") for record in records}
            self.assertEqual(ends, {"inner": "frame-limit", "outer": None})
            self.assert_right_end(target)

    def test_a_message_may_come_with_the_functions_that_led_there(self):
        with harness.Target("scopes") as target:
            for form in ("json", "text"):
                outcome = harness.run("log", "-p", target.pid, SCOPES_PLACE, "n {amount}", "--stack",
                                      "--hits", "1", "--format", form)
                self.assertEqual(outcome.status, DONE, outcome)
                if form == "json":
                    record = outcome.records("log")[0]
                    names = [frame.get("function") for frame in record["frames"]]
                    self.assertEqual((names[:3], record["stack_end"]),
                                     (["inner", "outer", "main"], "outermost"))
                    self.assertFalse(any("values" in frame for frame in record["frames"]))
                else:
                    lines = outcome.out.splitlines()
                    self.assertIn("n ", lines[0])
                    self.assertRegex(lines[1], rf"^    #0 +inner  scopes.c:{SCOPES_LINE}  \(inlined\)$")
                    self.assertRegex(lines[3], r"^    #2 +main  scopes.c:\d+$")
            self.assert_right_end(target)

    def test_what_is_captured_by_name_must_exist_and_is_shown(self):
        with harness.Target("service", 1, 100) as target:
            record = self.one(snap(target, SERVICE_PLACE, "--capture", "job->serial * 2"))
            twice = record["values"]["job->serial * 2"]
            self.assertEqual((twice["role"], twice["value"]),
                             ("capture", 2 * plain(record["values"]["job"])["serial"]))
            outcome = snap(target, SERVICE_PLACE, "--capture", "nothing_like_it")
            self.assertEqual(outcome.status, USAGE, outcome)
            self.assertIn("nothing_like_it", outcome.err)
            self.assert_right_end(target)

    def test_only_where_the_condition_holds_and_as_often_as_asked(self):
        with harness.Target("service", 2, 200) as target:
            outcome = snap(target, SERVICE_PLACE, "--if", "job->serial % 5 == 2", "--hits", "6",
                           *harness.UNLIMITED)
            self.assertEqual(outcome.status, DONE, outcome)
            records = outcome.records("snapshot")
            self.assertEqual([plain(record["values"]["label"]) for record in records],
                             ["chiara"] * 6)
            self.assert_right_end(target)

    def test_no_hit_is_said(self):
        with harness.Target("service", 1, 100) as target:
            outcome = snap(target, SERVICE_PLACE, "--if", "amount < 0", "--for", "1s")
            self.assertEqual(outcome.status, NO_HIT, outcome)
            self.assertEqual(outcome.records("snapshot"), [])
            self.assert_right_end(target)

    def test_a_kept_snapshot_is_shown_without_the_process(self):
        kept = os.path.join(harness.environment()["XDG_STATE_HOME"], "kept.json")
        with harness.Target("scopes") as target:
            outcome = harness.run("snap", "-p", target.pid, SCOPES_PLACE, "--stack", "-o", kept)
            self.assertEqual((outcome.status, outcome.out), (DONE, ""), outcome)
            self.assert_right_end(target)
        seed = json.loads(harness.read(kept).splitlines()[0])["frames"][1]["values"]["seed"]["value"]
        shown = harness.run("show", kept)
        self.assertEqual(shown.status, DONE, shown)
        for text in (f"scopes.c:{SCOPES_LINE}", "\n  arguments\n", "\n  locals\n", "\n  stack\n",
                     f"place = {{x = {seed}, y = {-seed}}}", 'name = "anna"', "mood = kBusy",
                     "password = <redacted: hidden by policy: name 'password' (built-in)>",
                     "n = <optimized out", "(inlined)"):
            self.assertIn(text, shown.out)
        typed = harness.run("show", "--types", kept)
        self.assertIn(f"(struct point) place = {{(int32_t) x = {seed}, (int32_t) y = {-seed}}}",
                      typed.out)

    def test_a_file_without_records_is_refused(self):
        outcome = harness.run("show", os.path.join(harness.TOP, SCOPES))
        self.assertEqual(outcome.status, USAGE, outcome)
        self.assertIn("no snapshot", outcome.err)

    def test_the_audit_trail_says_that_it_was_a_snapshot(self):
        with harness.Target("service", 1, 100) as target:
            self.one(snap(target, SERVICE_PLACE, "--reason", "looking"))
            lines = [json.loads(line)
                     for line in harness.read(harness.environment()["NOHALT_AUDIT"]).splitlines()]
            mine = [line for line in lines if line.get("what", {}).get("pid") == target.pid]
            self.assertEqual([line["event"] for line in mine],
                             ["requested", "armed", "hit-summary", "disarmed"])
            self.assertEqual({tuple(line["what"]["kinds"]) for line in mine}, {("snapshot",)})
            self.assertEqual(mine[2]["left"]["records"], 1)
            self.assert_right_end(target)


class Redis(harness.TestCase):
    """What a snapshot of command execution shows against GDB's view of a twin that
    is stopped at the same place by the same command."""

    EXPRESSIONS = ["flags", "client_old_flags", "c->argc", "c->resp", "c->flags", "c->db->id",
                   "c->qb_pos", "c->querybuf", "c->conn->state", "c->cmd->declared_name",
                   "c->cmd->arity", "c->cmd->group", "c->cmd->flags", "real_cmd->declared_name",
                   "real_cmd->id"]

    def setUp(self):
        self.server, self.twin = redis.Server(), redis.Server()
        self.addCleanup(self.server.__exit__)
        self.addCleanup(self.twin.__exit__)
        self.place = f"server.c:{self.server.line_of('server.c', '    c->cmd->proc(c);')}"

    @staticmethod
    def soon(server):
        """Sends the one command from another thread, until it is answered."""
        def send():
            client = server.client(patience=30)
            client.call("SET", "key-1", "value-1")
            client.close()
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        return sender

    def gdb(self):
        script = os.path.join(os.path.dirname(os.path.realpath(__file__)), "gdb_snapshot.py")
        process = harness.popen(
            ["gdb", "-nx", "-q", "-batch", "-p", str(self.twin.pid),
             "-ex", f"python PLACE = {self.place!r}; EXPRESSIONS = {self.EXPRESSIONS!r}",
             "-x", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            stdin=subprocess.DEVNULL)
        timer = threading.Timer(60, harness.end, [process])
        timer.start()
        sender = None
        try:
            for line in process.stdout:
                if line.strip() == "waiting":
                    sender = self.soon(self.twin)
                if line.startswith('{"values"'):
                    return json.loads(line)
        finally:
            process.stdout.read()
            process.wait(20)
            process.stdout.close()
            timer.cancel()
            if sender:
                sender.join(20)
        self.fail("GDB did not stop there")

    def value(self, record, expression):
        """Follows c->db->id through the tree."""
        name, *steps = expression.split("->")
        node = record["values"][name]
        for step in steps:
            node = node["value"]["target"]["value"][step]
        return node

    def test_values_and_stack_are_those_of_gdb(self):
        process = harness.popen(
            [harness.NOHALT, "snap", "-p", str(self.server.pid), self.place, "--stack",
             "--format", "json", "--for", "30s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, text=True, env=harness.environment())
        harness.wait_for(lambda: harness.is_armed(self.server.pid), "the snapshot to be armed", 20)
        self.soon(self.server).join(20)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, DONE, err)
        record = json.loads(out.splitlines()[0])
        oracle = self.gdb()
        agreed = 0
        for expression, expected in oracle["values"].items():
            node = self.value(record, expression)
            if expected is None:
                self.assertEqual(node["state"], "optimized_out", expression)
            else:
                self.assertEqual(node["value"], expected, expression)
                agreed += 1
        self.assertGreaterEqual(agreed, 12)
        frames = [[frame.get("function"), os.path.basename(frame.get("file", "")),
                   frame.get("line", 0)]
                  for frame in record["frames"]]
        upto = [frame[0] for frame in frames].index("main") + 1
        self.assertEqual(frames[:upto], oracle["frames"])
        print(f"agreed with GDB: {agreed} values, {upto} frames")
        client = self.server.client()
        self.assertEqual(client.call("GET", "key-1"), b"value-1")
        client.close()

    def test_under_load_every_snapshot_is_of_a_command_that_was_sent(self):
        load = harness.popen(
            [f"{self.server.folder}/redis-benchmark", "-p", str(self.server.port), "-n",
             "10000000", "-c", "10", "-r", "1000", "-d", "16", "-t", "set", "-q"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        kept = os.path.join(harness.environment()["XDG_STATE_HOME"], "many.json")
        try:
            # A hundred in a second cost most of the one percent that a probe may take unasked.
            outcome = harness.run("snap", "-p", self.server.pid, self.place, "--stack", "--hits",
                                  "1000", "--limit", "100/s", "--cpu", "5%", "-o", kept, seconds=90)
            self.assertIsNone(load.poll(), "the load lost a request")
        finally:
            harness.end(load)
        outcome.out = harness.read(kept)
        self.assertEqual(outcome.status, DONE, outcome)
        records = outcome.records("snapshot")
        self.assertGreaterEqual(len(records), 1000)
        for record in records:
            self.assertEqual(self.value(record, "c->cmd->declared_name")["value"], "set")
            self.assertEqual(self.value(record, "c->argc")["value"], 3)
            names = [frame.get("function") for frame in record["frames"]]
            self.assertEqual((names[:2], "main" in names), (["call", "processCommand"], True))
        receipt = self.receipt_of(outcome)
        print(f"a snapshot: mean {receipt['cost']['mean_ns'] / 1000:.1f} us, "
              f"worst {receipt['cost']['worst_ns'] / 1000:.1f} us")


if __name__ == "__main__":
    harness.main()
