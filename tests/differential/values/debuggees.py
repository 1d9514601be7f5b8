"""What the comparison runs: programs that do some work each time they are told to
go, and call a function at its end; each by several compilers and levels."""

import functools
import glob
import os
import re
import socket
import subprocess
import threading

import harness
import redis

HERE = os.path.dirname(os.path.realpath(__file__))
MADE = os.path.join(harness.BUILD, "values")


class Build:
    """A compiler and its flags."""

    def __init__(self, compiler, *flags):
        self.compiler, self.flags = compiler, flags

    def __str__(self):
        return " ".join((self.compiler, *self.flags))

    def make(self, name, sources, *words):
        """A program (or library) of the sources, made where it is older than they are."""
        path = os.path.join(MADE, f"{name} {self}".replace(" ", "_"))
        if os.path.exists(path) and all(os.path.getmtime(path) > os.path.getmtime(source)
                                        for source in sources):
            return path
        os.makedirs(MADE, exist_ok=True)
        command = [self.compiler, *self.flags, "-g"]
        if any(source.endswith(".cpp") for source in sources):
            # Without the word Clang leaves std::string to the library's debug information.
            command = {"gcc": ["g++"], "clang-19": ["clang++-19", "-fstandalone-debug"]}[
                self.compiler] + command[1:]
        subprocess.run([*command, *sources, *words, "-o", path + ".part"],
                       check=True, timeout=300)
        os.rename(path + ".part", path)
        return path


@functools.cache
def line_table(program):
    """{source file's name: its lines that begin a statement}."""
    table = subprocess.check_output(["readelf", "-W", "--debug-dump=decodedline", program], text=True,
                                    errors="replace")
    found = {}
    for name, line in re.findall(r"^(\S+)\s+(\d+)\s+0x[0-9a-f]+.*\bx\b", table, re.M):
        # Clang names a source from where it lies beside the folder it was called in.
        found.setdefault(os.path.basename(name), set()).add(int(line))
    return found


def statement_lines(program, source, first=1, last=1 << 30):
    name = os.path.basename(source)
    return [f"{name}:{line}" for line in sorted(line_table(program).get(name, ()))
            if first <= line <= last]


class Program:
    """One of the debuggees of this folder."""

    end = "finished"
    sample = 16  # lines

    def __init__(self, source, build):
        self.title = f"{source} {build}"
        self.source, self.build = os.path.join(HERE, source), build
        self.process = None

    def make(self):
        """The program, and the file that has the code."""
        self.path = self.code = self.build.make(os.path.basename(self.source), [self.source],
                                                "-fPIE", "-pie")

    def places(self):
        """Those of the functions that do the work."""
        lines = harness.read(self.source).splitlines()
        last = next(i for i, line in enumerate(lines, 1) if "Called before the work" in line)
        return statement_lines(self.code, self.source, last=last)

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


class Library(Program):
    """The same code in a shared library."""

    def __init__(self, source, build):
        super().__init__(source, build)
        self.title = f"{source} as a library {build}"

    def make(self):
        name = os.path.basename(self.source)
        self.code = self.build.make("lib" + name, [self.source], "-fPIC", "-shared", "-Dmain=begin")
        starter = os.path.join(HERE, "starter" + os.path.splitext(name)[1])
        self.path = self.build.make(name + " with", [starter, self.code], "-fPIE", "-pie")


class Worker:
    """A service that is told to go by one client, which sends it requests."""

    def go(self):
        threading.Thread(target=self._send, daemon=True).start()

    def _send(self):
        try:
            self.requests()
        except (ConnectionError, OSError):
            pass  # the process is ended once enough was seen


class Orders(Worker):
    """The example service, with one thread that serves: it closes a connection at its end."""

    end = "-qualified close"
    sample = 20
    SOURCES = sorted(set(glob.glob(os.path.join(harness.TOP, "examples", "orders", "*.cpp"))) -
                     {os.path.join(harness.TOP, "examples", "orders", "load.cpp")})

    def __init__(self, build):
        self.title, self.build = f"orders {build}", build
        self.process = None

    def make(self):
        self.path = self.build.make("orders", self.SOURCES, "-std=c++20", "-pthread", "-fPIE", "-pie",
                                    "-I", harness.TOP)

    def places(self):
        """Not those of its beginning and end."""
        server = os.path.join(harness.TOP, "examples", "orders", "server.cpp")
        spans = {"main.cpp": (0, 0), "server.cpp": (harness.line_of(server, "void Server::watch"),
                                                    harness.line_of(server, "void Server::run"))}
        return [place for source in self.SOURCES for place in
                statement_lines(self.path, source, *spans.get(os.path.basename(source), ()))]

    def start(self):
        self.process = harness.popen(["setarch", "-R", self.path, "--threads", "1"],
                                     stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[-1])
        return self.process.pid

    def requests(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            for n in range(4):
                items = ",".join(f"sku{n + i}-{'x' * i * 9}:{n * 7 + i}:{n * 130 + i}"
                                 for i in range(1, n + 2))
                self.ask(connection, "POST /orders", f"user=user{n // 2}&tier={'gold' if n % 2 else ''}"
                                                     f"&items={items}")
                self.ask(connection, f"GET /orders/{n}")
            self.ask(connection, "GET /nothing")

    def ask(self, connection, what, body=""):
        connection.sendall(f"{what} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        if not connection.recv(65536):
            raise ConnectionError("orders closed the connection")

    def stop(self):
        harness.end(self.process)
        self.process.stdout.close()


class Redis(Worker):
    """Redis, told to go by a fixed list of commands."""

    end = "pingCommand"
    sample = 7
    # Functions that nothing but a command runs, and their length at least.
    RANGES = (("t_string.c", "void setGenericCommand(", 70), ("t_string.c", "void incrDecrCommand(", 40),
              ("t_hash.c", "void hsetCommand(", 30), ("t_list.c", "void pushGenericCommand(", 35),
              ("t_zset.c", "void zaddGenericCommand(", 120), ("t_zset.c", "int zsetAdd(", 100),
              ("server.c", "void call(", 100), ("db.c", "robj *lookupKey(", 40),
              ("object.c", "robj *tryObjectEncoding(", 60), ("t_set.c", "int setTypeAdd(", 30),
              ("networking.c", "void addReplyBulk(", 20), ("t_hash.c", "int hashTypeSet(", 50))

    def __init__(self, build):
        self.build = build
        self.title = f"redis {build}"
        self.server = self.client = None

    def make(self):
        self.words = [*self.build.flags, self.build.compiler]
        self.path = os.path.join(redis.build(*self.words), "redis-server")

    def places(self):
        found = []
        for source, head, length in self.RANGES:
            text = harness.read(os.path.join(os.path.dirname(self.path), source)).splitlines()
            first = next(i for i, line in enumerate(text, 1)
                         if line.startswith(head) and not line.endswith(";"))
            found += statement_lines(self.path, source, first, first + length)
        return found

    def start(self):
        self.server = redis.Server(*self.words, wrapper=("setarch", "-R"))
        self.client = self.server.client(patience=60)
        return self.server.pid

    def requests(self):
        call = self.client.call
        call("FLUSHALL")
        for n in range(3):
            call("SET", f"key-{n}", f"value-{n}")
            call("SET", f"key-{n}", f"value-{n}-again", "EX", "1000")
            call("INCRBY", "counter", 1000 + n)
            call("HSET", f"hash-{n % 2}", f"field-{n}", f"text-{n}", "other", n)
            call("LPUSH", "list", f"item-{n}", f"item-{n}-b")
            call("ZADD", "ranking", "GT", "CH", 1.5 * n, f"member-{n % 2}", -n, "last")
            call("SADD", "set", n, f"text-{n % 2}")
            call("GET", f"key-{n}")
        call("PING")

    def stop(self):
        self.server.__exit__()
        self.client.close()


def usual_debuggees():
    """Some of each, which take two minutes together."""
    for level in ("-O0", "-O1", "-O2"):
        yield Redis(Build("gcc", level))
    yield from (Program("locals.c", Build("gcc", "-O0")), Program("locals.c", Build("gcc", "-O3")),
                Library("locals.c", Build("clang-19", "-O2")),
                Program("objects.cpp", Build("gcc", "-O2")),
                Program("objects.cpp", Build("clang-19", "-O1")),
                Orders(Build("gcc", "-O0")), Orders(Build("clang-19", "-O2", "-flto")))


def all_debuggees():
    for compiler in ("gcc", "clang-19"):
        for flags in (("-O0",), ("-O1",), ("-O2",), ("-O3",), ("-O2", "-flto")):
            build = Build(compiler, *flags)
            yield from (Program("locals.c", build), Program("objects.cpp", build),
                        Library("locals.c", build), Library("objects.cpp", build), Orders(build))
            if (compiler, flags) != ("clang-19", ("-O1",)):
                yield Redis(build)
