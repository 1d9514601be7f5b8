"""Variables that each thread has its own of, errno among them: in programs of all kinds, at
every place that the linker may give them, beside what each thread says of itself and what
GDB says of all."""

import os
import re
import subprocess
import tempfile

import harness
from harness import DONE, USAGE

SOURCE = os.path.join(harness.TOP, "tests/targets/threadlocal.c")
PLACE = f"threadlocal.c:{harness.line_of('tests/targets/threadlocal.c', 'the probed line')}"
NAMES = ["anna", "bruno", "chiara", "dario"]
EXPRESSIONS = ["number", "&counter", "where", "counter", "session.id", "session.name",
               "current->id", "current->next->id", "wide", "last", "calls", "errno", "&session",
               "&wide", "&last", "&errno"]
MESSAGE = " ".join("{%s}" % expression for expression in EXPRESSIONS)
THREADS = 3

_folder = tempfile.TemporaryDirectory(prefix="nohalt-threads-")


def built(*command, libraries=()):
    program = os.path.join(_folder.name, f"program{len(os.listdir(_folder.name))}")
    subprocess.run([*command, "-g", SOURCE, "-o", program, "-pthread", *libraries], check=True,
                   timeout=120)
    return program


def gdb_addresses(pid, names):
    """{thread: {name: address}} of those that GDB knows, of a process that it stops."""
    commands = ["set pagination off", "set print thread-events off", *(
        f"thread apply all -s -q printf \"{name} %d %lx\\n\", $_gthread, &{name}"
        for name in names), "info threads"]
    said = subprocess.run(
        ["gdb", "-nx", "-batch", "-p", str(pid), *(part for command in commands
                                                   for part in ("-ex", command))],
        capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL).stdout
    threads = {int(number): int(tid) for number, tid in
               re.findall(r"^[* ]+(\d+) .*?LWP (\d+)", said, re.M)}
    found = {}
    for name, number, address in re.findall(r"^(\w+) (\d+) ([0-9a-f]+)$", said, re.M):
        found.setdefault(threads[int(number)], {})[name] = int(address, 16)
    return found


class ThreadLocals(harness.TestCase):
    def values_of(self, target, hits=100):
        """What nohalt shows of hits in all threads, as plain values with the thread."""
        before = harness.Footprint(target.pid)
        outcome = harness.run("log", "-p", target.pid, PLACE, MESSAGE, "--hits", hits,
                              "--limit", "200/s", "--cpu", "100%", "--format", "json")
        self.assertEqual(outcome.status, DONE, outcome)
        self.assert_proven_clean(self.receipt_of(outcome))
        self.assert_unharmed(before, target.pid)
        found = []
        for record in outcome.records("log"):
            self.assertEqual({value["state"] for value in record["values"].values()}, {"exact"},
                             record)
            values = {name: value["value"] for name, value in record["values"].items()}
            found.append((record["tid"], values))
        self.assertEqual(len(found), hits)
        return found

    def check(self, *compiler):
        with harness.Target(built(*compiler), THREADS) as target:
            found = self.values_of(target)
            seen = gdb_addresses(target.pid, ["counter", "session", "wide", "last", "errno"])
            for tid, values in found:
                number = values["number"]
                self.assertEqual(values["&counter"], values["where"])
                self.assertEqual(values["counter"], number * 3)
                self.assertEqual(values["session.id"], number // 1000000)
                self.assertEqual(values["session.name"], NAMES[values["session.id"] % 4])
                self.assertEqual(values["current->id"], values["session.id"])
                self.assertEqual(values["current->next->id"], values["session.id"])
                self.assertEqual(values["wide"], "wide")
                self.assertEqual(values["last"], ord("a") + number % 26)
                self.assertGreater(values["calls"], 0)
                self.assertEqual(values["errno"], number % 40)
                for name, address in seen.get(tid, {}).items():
                    self.assertEqual(int(values["&" + name], 16), address, f"GDB's &{name}")
            compared = sum(len(names) for names in seen.values())
            threads = {tid for tid, _ in found}
            print(f"{' '.join(compiler)}: {len(found)} hits in {len(threads)} threads, "
                  f"{compared} addresses as GDB has them")
            self.assertGreaterEqual(len(threads), 2)
            self.assertGreaterEqual(compared, 4 * (THREADS + 1))
            self.assert_right_end(target)

    def test_of_a_program_that_is_not_optimised(self):
        self.check("gcc", "-O0")

    def test_of_one_that_is(self):
        self.check("gcc", "-O2")

    def test_of_one_at_a_fixed_address(self):
        self.check("gcc", "-O2", "-no-pie", "-fno-pie", "-gdwarf-4")

    def test_of_one_with_an_aligned_variable(self):
        self.check("gcc", "-O2", "-DALIGNED=64")

    def test_of_one_with_a_block_of_pages(self):
        self.check("gcc", "-O1", "-DALIGNED=4096")

    def test_of_clang(self):
        self.check("clang-19", "-O0", "-fPIE", "-pie")

    def test_of_clang_optimised(self):
        self.check("clang-19", "-O2", "-DALIGNED=32", "-gdwarf-4")

    def test_of_one_that_is_linked_statically(self):
        self.check("gcc", "-O2", "-static")

    def test_of_one_that_is_linked_statically_and_aligned(self):
        self.check("gcc", "-O2", "-static", "-DALIGNED=128")

    def test_a_library_s_variable_is_refused_by_name(self):
        library = os.path.join(_folder.name, "libelsewhere.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], check=True,
                       input="__thread int elsewhere = 9;", text=True, timeout=60)
        program = built("gcc", "-O2", "-DWITH_LIBRARY",
                        libraries=[library, f"-Wl,-rpath,{_folder.name}"])
        with harness.Target(program) as target:
            outcome = harness.run("log", "-p", target.pid, PLACE, "{elsewhere}")
            self.assertEqual(outcome.status, USAGE, outcome)
            self.assertIn("elsewhere", outcome.err)
            self.assert_right_end(target)

    def test_a_condition_may_ask_for_them(self):
        with harness.Target(built("gcc", "-O2"), THREADS) as target:
            outcome = harness.run("log", "-p", target.pid, PLACE, "{session.id} {errno}", "--if",
                                  "session.id == 3 && errno > 20 && current->id == 3", "--hits",
                                  10, "--cpu", "100%", "--format", "json")
            self.assertEqual(outcome.status, DONE, outcome)
            for record in outcome.records("log"):
                values = {name: value["value"] for name, value in record["values"].items()}
                self.assertEqual(values["session.id"], 3)
                self.assertGreater(values["errno"], 20)
            self.assert_right_end(target)

    def test_a_snapshot_shows_the_error_by_its_name_and_hides_what_policy_hides(self):
        with harness.Target(built("gcc", "-O2"), THREADS) as target:
            outcome = harness.run("snap", "-p", target.pid, PLACE, "--capture", "session", "--if",
                                  "errno == 2", "--cpu", "100%", "--format", "json")
            self.assertEqual(outcome.status, DONE, outcome)
            record = outcome.records("snapshot")[0]
            self.assertEqual(record["errno"], {"type": "int", "kind": "integer", "value": 2,
                                               "symbol": "ENOENT", "state": "exact"})
            session = record["values"]["session"]
            self.assertEqual(session["role"], "capture")
            self.assertEqual(session["value"]["password"]["state"], "redacted")
            self.assertNotIn("hidden!", outcome.out)
            self.assertIn("calls", record["values"])
            text = harness.run("snap", "-p", target.pid, PLACE, "--if", "errno == 2", "--cpu",
                               "100%")
            self.assertIn("\n  errno = 2 (ENOENT)\n", text.out, text)
            self.assert_right_end(target)

    def test_probing_does_not_change_errno(self):
        # The target sets it, runs the probed line, and counts where it differs after.
        with harness.Target(built("gcc", "-O0"), THREADS) as target:
            outcome = harness.run("snap", "-p", target.pid, PLACE, "--hits", 300, "--limit",
                                  "1000/s", "--cpu", "100%", "--stack", "--format", "json",
                                  seconds=60)
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertEqual(len(outcome.records("snapshot")), 300)
            self.assert_right_end(target)


if __name__ == "__main__":
    harness.main()
