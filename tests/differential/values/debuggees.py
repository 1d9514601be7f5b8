"""What the comparison runs: programs that do some work each time they are told to
go, and call a function at its end."""

import os
import re
import subprocess
import threading

import harness
import redis

HERE = os.path.dirname(os.path.realpath(__file__))

def statement_lines(program, source, first=1, last=1 << 30):
    """The lines of a source file that begin a statement, by the line table."""
    table = subprocess.check_output(["readelf", "--debug-dump=decodedline", program], text=True,
                                    errors="replace")
    name = os.path.basename(source)
    pattern = re.compile(rf"^{re.escape(name)}\s+(\d+)\s+0x[0-9a-f]+.*\bx\b", re.M)
    return [line for line in sorted({int(number) for number in pattern.findall(table)})
            if first <= line <= last]


class Program:
    """One of the debuggees of this folder."""

    end = "finished"
    sample = 16  # lines

    def __init__(self, source, level):
        name = source.split(".")[0]
        self.title = f"{source} -O{level}"
        self.source = os.path.join(HERE, source)
        self.path = os.path.join(harness.BUILD, f"values_{name}_O{level}")
        self.process = None

    def places(self):
        """Those of the functions that do the work."""
        lines = harness.read(self.source).splitlines()
        last = next(i for i, line in enumerate(lines, 1) if "Called before the work" in line)
        return [f"{os.path.basename(self.source)}:{line}"
                for line in statement_lines(self.path, self.source, last=last)]

    def start(self):
        """A new process that waits to be told to go; gives its pid."""
        self.process = harness.popen(["setarch", "-R", self.path], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError(f"{self.path} did not start")
        return self.process.pid

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def stop(self):
        harness.end(self.process)
        self.process.stdin.close()
        self.process.stdout.close()


class Redis:
    """Redis, told to go by a fixed list of commands."""

    end = "pingCommand"
    sample = 7
    RANGES = (("t_string.c", "void setGenericCommand(", 70), ("t_string.c", "void incrDecrCommand(", 40),
              ("t_hash.c", "void hsetCommand(", 30), ("t_list.c", "void pushGenericCommand(", 35))

    def __init__(self, level):
        self.level = level
        self.title = f"redis -O{level}"
        self.server = self.client = None
        self.path = os.path.join(redis.build(f"-O{level}"), "redis-server")

    def places(self):
        found = []
        for source, head, length in self.RANGES:
            text = harness.read(os.path.join(os.path.dirname(self.path), source)).splitlines()
            first = next(i for i, line in enumerate(text, 1) if line.startswith(head))
            found += [f"{source}:{line}" for line in
                      statement_lines(self.path, source, first, first + length)]
        return found

    def start(self):
        self.server = redis.Server(f"-O{self.level}", wrapper=("setarch", "-R"))
        self.client = self.server.client(patience=60)
        return self.server.pid

    def go(self):
        threading.Thread(target=self._send, daemon=True).start()

    def _send(self):
        call = self.client.call
        try:
            call("FLUSHALL")
            for n in range(3):
                call("SET", f"key-{n}", f"value-{n}")
                call("SET", f"key-{n}", f"value-{n}-again", "EX", "1000")
                call("INCRBY", "counter", 1000 + n)
                call("HSET", f"hash-{n % 2}", f"field-{n}", f"text-{n}", "other", n)
                call("LPUSH", "list", f"item-{n}", f"item-{n}-b")
            call("PING")
        except (ConnectionError, OSError):
            pass  # the process is ended once enough was seen

    def stop(self):
        self.server.__exit__()
        self.client.close()


def all_debuggees():
    for level in (0, 1, 2):
        yield Program("locals.c", level)
        yield Program("objects.cpp", level)
        yield Redis(level)
