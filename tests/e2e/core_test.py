"""Core files of snapshots: GDB and LLDB show of them what the snapshot shows, and no
byte of what it hides is in them."""

import json
import os
import re
import stat
import subprocess
import unittest

import harness
import redis
from harness import DONE, USAGE

HERE = os.path.dirname(os.path.realpath(__file__))
LLDB = next((name for name in ("lldb-19", "lldb")
             if any(os.access(os.path.join(folder, name), os.X_OK)
                    for folder in os.environ["PATH"].split(":"))), None)


def core_path(name):
    return os.path.join(harness.environment()["XDG_STATE_HOME"], name + ".core")


def run(command, seconds=90):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=seconds, errors="replace")
    return done.stdout


def in_gdb(program, core):
    out = run(["gdb", "-nx", "-q", "-batch", "-iex", "set debuginfod enabled off",
               "-iex", "add-auto-load-safe-path /usr", "-x",
               os.path.join(HERE, "core_in_gdb.py"), program, core])
    lines = [line for line in out.splitlines() if line.startswith("CORE ")]
    if len(lines) != 1:
        raise AssertionError(f"GDB said: {out[-3000:]}")
    return json.loads(lines[0][5:])


def in_lldb(program, core):
    """[(function, line)] from innermost outward, and all that it said."""
    out = run([LLDB, "-x", "-b", "-c", core, program, "-o", "bt", "-o", "frame variable"])
    frames = re.findall(r"frame #\d+: 0x[0-9a-f]+ \S+`(.*?) at \S+?:(\d+)", out)
    return frames, out


def bare(function):
    """serve of serve(Account const*, ...), or of caller [inlined] serve(...)."""
    return re.sub(r"\(.*", "", function.split("`")[-1].replace("[inlined] ", "")).split(" ")[-1]


def plain(node):
    """A value of a snapshot's tree as core_in_gdb.py has them; Ellipsis: not to be
    compared."""
    if node.get("state", "exact") != "exact" or "value" not in node:
        return ...
    value, kind = node["value"], node.get("kind")
    if kind == "struct":
        return {name: plain(member) for name, member in value.items()}
    if kind in ("array", "set"):
        return [plain(item) for item in value]
    if kind == "pointer" and isinstance(value, dict):
        target = plain(value["target"])
        return {"@": int(value["address"], 16), **(target if isinstance(target, dict) else {})}
    if kind == "pointer":
        return {"@": int(value, 16)}
    if kind in ("integer", "char", "bool", "float"):
        return float(value) if kind == "float" else int(value)
    # Of bytes that are no characters each tells in its own way.
    return value if kind == "text" and value.isprintable() and "\\" not in value else ...


class CoreCase(harness.TestCase):
    compared = 0

    def compare(self, expected, got, where):
        if expected is ... or isinstance(expected, dict) != isinstance(got, dict):
            return
        if isinstance(expected, dict) and isinstance(got, dict):
            for name, member in expected.items():
                if name in got:
                    self.compare(member, got[name], f"{where}.{name}")
            return
        if isinstance(expected, list) and isinstance(got, list):
            for i, (left, right) in enumerate(zip(expected, got)):
                self.compare(left, right, f"{where}[{i}]")
            return
        self.assertEqual(str(got)[:200], str(expected)[:200], where)
        self.compared += 1

    def assert_debuggers_agree(self, record, program, core, least, lldb_loses_way=False):
        """GDB and LLDB show the snapshot's functions up to main, GDB its values too. LLDB
        may end early, as it does of the same program with all of its memory: it takes a
        function that is in two parts for one that has a frame pointer."""
        functions = [(bare(frame.get("function", "")), frame.get("line", 0))
                     for frame in record["frames"]]
        upto = [name for name, _ in functions].index("main") + 1
        gdb = in_gdb(program, core)
        self.assertEqual([(bare(frame["function"]), frame["line"]) for frame in gdb],
                         functions[:upto])
        self.compared = 0
        for i, frame in enumerate(gdb):
            values = record["values"] if i == 0 else record["frames"][i].get("values", {})
            for name, node in values.items():
                if name in frame["values"]:
                    self.compare(plain(node), frame["values"][name], f"#{i} {name}")
        self.assertGreaterEqual(self.compared, least)
        if LLDB:
            lldb, said = in_lldb(program, core)
            names = [bare(name) for name, _ in lldb][:upto]
            self.assertGreaterEqual(len(names), 1 if lldb_loses_way else upto, said)
            self.assertEqual(names, [name for name, _ in functions[:len(names)]], said)
        print(f"{upto} frames and {self.compared} values agree")


class Core(CoreCase):
    PLACE = f"secrets.cpp:{harness.line_of('tests/targets/secrets.cpp', '  seen = result + note')}"

    def taken(self, target, name, *options):
        core = core_path(name)
        outcome = harness.run("snap", "-p", target.pid, self.PLACE, "-o", core, "--format", "json",
                              "--for", "20s", *options)
        self.assertEqual(outcome.status, DONE, outcome)
        record, = outcome.records("snapshot")
        return record, core, outcome

    def test_debuggers_show_what_the_snapshot_shows(self):
        for name in ("secrets", "secrets_O0"):
            with self.subTest(name), harness.Target(name) as target:
                before = harness.Footprint(target.pid)
                record, core, outcome = self.taken(target, name)
                self.assert_debuggers_agree(record, target.program, core, 20)
                self.assertIn(f"gdb {target.program} {core}", outcome.err)
                self.assert_unharmed(before, target.pid)
                self.assert_right_end(target)

    def test_no_byte_of_a_secret_is_in_it(self):
        for name in ("secrets", "secrets_O0"):
            with self.subTest(name), harness.Target(name) as target:
                _, core, _ = self.taken(target, name)
                with open(core, "rb") as file:
                    content = file.read()
                for kind in "lmoprtvw":
                    for secret in ("SEC-" + 3 * kind, "sec-" + 3 * kind, 3 * kind + "!"):
                        self.assertFalse(secret.encode() in content, secret)
                self.assertTrue(b"anna\0" in content)

    @unittest.skipUnless(LLDB, "there is no lldb")
    def test_lldb_shows_the_values(self):
        with harness.Target("secrets") as target:
            record, core, _ = self.taken(target, "lldb")
            _, said = in_lldb(target.program, core)
            for name in ("total", "opened", "ratio"):
                self.assertRegex(said, rf"\b{name} = {record['values'][name]['value']}\b")
            self.assertIn('"bob"', said)

    def test_what_is_hidden_cannot_be_read(self):
        with harness.Target("secrets_O0") as target:
            _, core, _ = self.taken(target, "hidden")
            said = run(["gdb", "-nx", "-q", "-batch", "-ex", "print session_token", "-ex",
                        "print account->password", "-ex", "print account->api_token", "-ex",
                        "print seen", target.program, core])
            self.assertRegex(said, "Cannot access memory at address 0x")
            self.assertIn("'*' <repeats 16 times>", said)
            self.assertIn("0x2a2a2a2a2a2a2a2a", said)
            # Not what the file has there at the beginning.
            self.assertNotRegex(said, r"\$\d+ = 0\n")

    def test_it_is_for_its_owner_alone(self):
        with harness.Target("secrets") as target:
            _, core, _ = self.taken(target, "mode")
            self.assertEqual(stat.S_IMODE(os.stat(core).st_mode), 0o600)

    def test_it_holds_one_hit(self):
        core = core_path("several")
        outcome = harness.run("snap", "-p", os.getpid(), "x.c:1", "--hits", "2", "-o", core)
        self.assertEqual(outcome.status, USAGE, outcome)
        self.assertIn("one hit", outcome.err)
        self.assertFalse(os.path.exists(core))

    def test_where_it_cannot_be_written_nothing_is_armed(self):
        with harness.Target("secrets") as target:
            before = harness.Footprint(target.pid)
            outcome = harness.run("snap", "-p", target.pid, self.PLACE, "-o",
                                  "/nonexistent/x.core")
            self.assertEqual(outcome.status, USAGE, outcome)
            self.assertNotIn("armed", outcome.err)
            self.assert_unharmed(before, target.pid)


class RedisCore(CoreCase):
    def test_a_command_of_redis_under_load_is_as_the_snapshot_shows_it(self):
        with redis.Server() as server:
            place = f"server.c:{server.line_of('server.c', '    c->cmd->proc(c);')}"
            load = harness.popen(
                [f"{server.folder}/redis-benchmark", "-p", str(server.port), "-n", "10000000",
                 "-c", "10", "-r", "1000", "-d", "16", "-t", "set", "-q"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            core = core_path("redis")
            try:
                outcome = harness.run("snap", "-p", server.pid, place, "-o", core, "--format",
                                      "json", "--cpu", "5%")
            finally:
                harness.end(load)
            self.assertEqual(outcome.status, DONE, outcome)
            record, = outcome.records("snapshot")
            self.assert_debuggers_agree(record, f"{server.folder}/redis-server", core, 50,
                                        lldb_loses_way=True)


if __name__ == "__main__":
    harness.main()
