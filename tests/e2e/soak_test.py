"""Random lines of redis, armed and disarmed while it serves redis-benchmark and is
checked by its own test suite: the suite passes, and nothing of redis grows.

NOHALT_LONG=1 goes on for an hour; NOHALT_SOAK says for how many seconds else, and
NOHALT_SEED which lines are taken.
"""

import collections
import os
import random
import re
import subprocess
import threading
import time

import harness
import redis
from harness import DONE, NO_HIT, REFUSED, USAGE

SECONDS = int(os.environ.get("NOHALT_SOAK", "3600" if "NOHALT_LONG" in os.environ else "60"))
SEED = int(os.environ.get("NOHALT_SEED", time.time_ns() % 1_000_000))
# Those of its tests whose verdicts hang neither on how fast the machine is nor on what
# other clients do.
SUITE = ["type/string", "type/incr", "type/set", "type/hash", "keyspace"]
# Where half of the lines are taken, for probes that are hit.
BUSY = ["server.c", "networking.c", "db.c", "dict.c", "t_string.c", "ae.c"]
PASS_SECONDS = 180
LOAD = "set,get,incr,lpush,rpop,sadd,hset,spop,zadd,mset"


def statements(program, folder):
    """Every line with a statement, of sources that no library has one of the same name of."""
    text = subprocess.check_output(["objdump", "--dwarf=decodedline", program], text=True)
    libraries = os.walk(os.path.join(folder, "..", "deps"))
    own = set(os.listdir(folder)) - {name for _, _, names in libraries for name in names}
    found = re.findall(r"^(\S+\.c)\s+(\d+)\s+0x.*\sx$", text, re.MULTILINE)
    return sorted({(file, int(line)) for file, line in found if file in own})


def mapped_kib(pid):
    """But for the heap, which redis's own malloc may not give back."""
    size = 0
    for line in harness.maps_of(pid):
        begin, end = (int(word, 16) for word in line.split()[0].split("-"))
        size += 0 if line.endswith("[heap]") else (end - begin) // 1024
    return size


class Service:
    """Redis under load, and under its own tests, until it is told to end."""

    def __init__(self, server):
        self.server = server
        self.passes, self.failure = 0, ""
        self._settings = self._all_settings()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._check, self._load)]

    def _all_settings(self):
        client = self.server.client()
        words = client.call("CONFIG", "GET", "*")
        client.close()
        return dict(zip(words[::2], words[1::2]))

    def _undo_settings(self):
        """The suite leaves some as it needed them, and does not pass again with these."""
        client = self.server.client()
        for name, _ in self._all_settings().items() - self._settings.items():
            client.call("CONFIG", "SET", name, self._settings[name])
        client.close()

    def suite(self):
        """One pass; gives what it printed where a test failed."""
        self._undo_settings()
        words = [word for unit in SUITE for word in ("--single", f"unit/{unit}")]
        done = subprocess.run(
            ["./runtest", "--host", "127.0.0.1", "--port", str(self.server.port), "--tags",
             "-slow -needs:repl", *words], cwd=os.path.dirname(self.server.folder), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=PASS_SECONDS)
        passed = done.returncode == 0 and "All tests passed without errors" in done.stdout
        return "" if passed else done.stdout[-3000:]

    def _check(self):
        while not self._over.is_set() and not self.failure:
            self.failure = self.suite()
            self.passes += not self.failure

    def _load(self):
        while not self._over.is_set():
            self.server.benchmark(10_000, 8, LOAD)
            time.sleep(0.5)  # two processors have more to do

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(PASS_SECONDS)


class Figures:
    """What must stay flat, taken while redis is idle and empty."""

    def __init__(self, server):
        client = server.client()
        client.call("FLUSHALL")
        harness.wait_for(lambda: b"connected_clients:1\r" in client.call("INFO", "clients"),
                         "the others to be gone")
        pid = server.pid
        self.mappings = len(harness.maps_of(pid))
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        self.threads = len(harness.tasks_of(pid))
        self.mapped_kib = mapped_kib(pid)
        used = re.search(rb"used_memory:(\d+)", client.call("INFO", "memory"))
        self.allocated_kib = int(used[1]) // 1024
        client.close()

    def __repr__(self):
        return ", ".join(f"{value} {name}" for name, value in vars(self).items())


class Soak(harness.TestCase):
    def probe(self, pid, place, choose):
        """Arms and disarms once; gives how that ended."""
        kind = choose.choice(("log", "log", "log", "snap"))
        words = [kind, "-p", pid, place, *(["{$func} {$tid}"] if kind == "log" else []), "--hits",
                 choose.choice((1, 10, 100)), "--for", f"{choose.choice((50, 300, 1000))}ms",
                 "--limit", "1000/s", "--cpu", "20%", "--format", "json"]
        words += choose.choice(([], ["--allow-stop=40ms"]))
        words += choose.choice(([], [], ["--stack=4"]))
        outcome = harness.run(*words)
        # All of the line's statements are empty, or are a merged function's.
        if outcome.status == USAGE:
            self.assertRegex(outcome.err, "has no code|is of no function", words)
            return USAGE
        self.assertIn(outcome.status, (DONE, NO_HIT, REFUSED), (words, outcome))
        if outcome.status != REFUSED:
            self.assert_proven_clean(self.receipt_of(outcome))
        return outcome.status

    def test_redis_stays_right_and_flat_under_probes_at_random_lines(self):
        choose = random.Random(SEED)
        ends = collections.Counter()
        program = os.path.join(redis.build(), "redis-server")
        places = statements(program, os.path.dirname(program))
        print(f"seed {SEED}", flush=True)
        busy = [place for place in places if place[0] in BUSY]
        with redis.Server(options=("--enable-debug-command", "yes")) as server:
            service = Service(server)
            alone = service.suite()
            self.assertFalse(alone, f"it fails without a probe: {alone}")
            server.benchmark(10_000, 8, LOAD)
            before, footprint = Figures(server), harness.Footprint(server.pid, lively=True)
            end = time.monotonic() + SECONDS
            with service:
                while time.monotonic() < end and not service.failure:
                    file, line = choose.choice(choose.choice((places, busy)))
                    ends[self.probe(server.pid, f"{file}:{line}", choose)] += 1
            after = Figures(server)
            print(f"{sum(ends.values())} probes in {SECONDS} s: {ends[DONE]} hit, "
                  f"{ends[NO_HIT]} not hit, {ends[REFUSED]} refused, {ends[USAGE]} without code; "
                  f"{service.passes} passes of "
                  f"the suite\nbefore: {before}\nafter: {after}", flush=True)
            self.assertFalse(service.failure, service.failure)
            self.assertGreater(service.passes, 0)
            self.assertGreater(ends[DONE], 0)
            self.assert_unharmed(footprint, server.pid, lively=True)
            self.assertEqual(after.threads, before.threads)
            self.assertEqual(after.descriptors, before.descriptors)
            self.assertEqual(after.mappings, before.mappings)
            self.assertEqual(after.mapped_kib, before.mapped_kib)
            self.assertLess(after.allocated_kib, before.allocated_kib + 4096)


if __name__ == "__main__":
    harness.main()
