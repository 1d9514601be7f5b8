"""A redis-server with debug information, and a client of its own: small enough
to know exactly which commands were sent."""

import os
import socket
import subprocess
import tempfile
import shutil

import harness


def build(*words):
    """The folder of redis's programs; built on first use. The words are the script's."""
    script = os.path.join(harness.TOP, "tests", "targets", "redis", "build")
    done = subprocess.run([script, *words], stdout=subprocess.PIPE, text=True, timeout=900,
                          check=True)
    return done.stdout.splitlines()[-1]


class Client:
    """Speaks RESP on one connection (the Redis serialisation protocol)."""

    def __init__(self, port, patience=10):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        self._file = self._socket.makefile("rwb")

    def close(self):
        self._file.close()
        self._socket.close()

    def send(self, *words):
        parts = [f"*{len(words)}\r\n".encode()]
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            parts += [f"${len(word)}\r\n".encode(), word, b"\r\n"]
        self._file.write(b"".join(parts))

    def receive(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("redis closed the connection")
        mark, rest = line[:1], line[1:-2]
        if mark == b"$":
            size = int(rest)
            return None if size < 0 else self._file.read(size + 2)[:-2]
        if mark == b":":
            return int(rest)
        if mark == b"*":
            return [self.receive() for _ in range(int(rest))]
        if mark == b"-":
            raise RuntimeError(rest.decode())
        return rest

    def call(self, *words):
        self.send(*words)
        self._file.flush()
        return self.receive()

    def pipeline(self, commands):
        """Sends all of them, then reads all replies."""
        for words in commands:
            self.send(*words)
        self._file.flush()
        return [self.receive() for _ in commands]


class Server:
    def __init__(self, *words, wrapper=(), options=()):
        self.folder = build(*words)
        self._scratch = tempfile.mkdtemp(prefix="nohalt-redis-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = harness.popen(
            [*wrapper, os.path.join(self.folder, "redis-server"), "--port", str(self.port), "--bind",
             "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self._scratch, *options],
            stdout=subprocess.DEVNULL)
        self.pid = self.process.pid
        harness.wait_for(self._answers, "redis to answer", 20)

    def _answers(self):
        try:
            client = Client(self.port)
        except OSError:
            return False
        try:
            return client.call("PING") == b"PONG"
        finally:
            client.close()

    def source(self, name):
        return os.path.join(self.folder, name)

    def line_of(self, name, text):
        return harness.line_of(self.source(name), text)

    def client(self, patience=10):
        return Client(self.port, patience)

    def benchmark(self, requests, clients=20, tests="set", pipeline=1):
        """Requests a second, as redis-benchmark measures them."""
        done = subprocess.run(
            [os.path.join(self.folder, "redis-benchmark"), "-p", str(self.port), "-n",
             str(requests), "-c", str(clients), "-t", tests, "-P", str(pipeline), "--csv"],
            stdout=subprocess.PIPE, text=True, timeout=120, check=True)
        return [float(line.split(",")[1].strip('"')) for line in done.stdout.splitlines()[1:]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        harness.end(self.process)
        shutil.rmtree(self._scratch, ignore_errors=True)
