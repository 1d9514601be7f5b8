"""A logpoint on a live redis: every message is checked against the commands
that this test's own clients sent."""

import collections
import re
import subprocess
import threading

import harness
import redis
from harness import DONE, UNLIMITED

MESSAGE = "{(char*)key->ptr} {(char*)val->ptr} {found}"


class Redis(harness.TestCase):
    def setUp(self):
        self.server = redis.Server()
        self.addCleanup(self.server.__exit__)
        self.before = harness.Footprint(self.server.pid, lively=True)
        self.place = f"t_string.c:{self.set_line()}"

    def set_line(self):
        """The line of setGenericCommand that is about to store the value."""
        with open(self.server.source("t_string.c")) as file:
            lines = file.read().splitlines()
        begin = next(i for i, line in enumerate(lines) if line.startswith("void setGenericCommand("))
        return next(i + 1 for i in range(begin, len(lines)) if "setKey(c,c->db,key,val" in lines[i])

    def send(self, client_number, count, batch=100):
        """SETs numbered keys; gives the messages that they must lead to."""
        client = self.server.client()
        sent = []
        for first in range(0, count, batch):
            pairs = [(f"key-{client_number}-{n}", f"value-{client_number}-{n}-" + "x" * (n % 60))
                     for n in range(first, first + batch)]
            replies = client.pipeline([("SET", *pair) for pair in pairs])
            self.assertEqual(set(replies), {b"OK"})
            sent += [f"{key} {value} 0" for key, value in pairs]
        client.close()
        return sent

    def check_end(self, lively=True):
        self.assert_unharmed(self.before, self.server.pid, lively)
        client = self.server.client()
        self.assertEqual(client.call("GET", "key-0-7"), b"value-0-7-" + b"x" * 7)
        client.close()

    def test_every_command_is_seen_once_and_right(self):
        sent = []
        with harness.Logging(self.server.pid, self.place, MESSAGE, *UNLIMITED) as log:
            log.wait_armed()
            senders = [threading.Thread(target=lambda n=n: sent.extend(self.send(n, 2000)))
                       for n in range(4)]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join(60)
            outcome = log.stop()
        self.assertEqual(outcome.status, DONE, outcome)
        receipt = self.receipt_of(outcome)
        self.assertEqual(len(sent), 8000)
        self.assertEqual(receipt["hits"], len(sent))
        self.assertEqual((receipt["matched"], receipt["suppressed"]), (len(sent), 0))
        got = collections.Counter(record["message"] for record in outcome.records("log"))
        self.assertEqual(got - collections.Counter(sent), collections.Counter(), "not sent like that")
        self.assertEqual(sum(got.values()), len(sent) - receipt["dropped"])
        self.check_end()

    def test_under_redis_benchmark_at_fifty_a_second(self):
        self.send(0, 100)
        load = harness.popen(
            [f"{self.server.folder}/redis-benchmark", "-p", str(self.server.port), "-n", "10000000",
             "-c", "20", "-r", "100000", "-d", "16", "-t", "set", "-q"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            outcome = harness.run("log", "-p", self.server.pid, self.place, MESSAGE, "--limit",
                                  "50/s", "--for", "6s", "--format", "json", seconds=40)
        finally:
            harness.end(load)
        self.assertEqual(outcome.status, DONE, outcome)
        messages = outcome.records("log")
        self.assertGreaterEqual(len(messages), 50 * 4)
        self.assertLessEqual(len(messages), 50 * 7)
        for record in messages:
            self.assertTrue(re.fullmatch(r"key:\d{12} \S{16} [01]", record["message"]), record)
        receipt = self.receipt_of(outcome)
        self.assertGreater(receipt["suppressed"], 1000)
        self.check_end()

    def test_a_condition_on_a_text_finds_its_key(self):
        with harness.Logging(self.server.pid, self.place, MESSAGE, "--if",
                             '(char*)key->ptr == "key-0-77"', *UNLIMITED) as log:
            log.wait_armed()
            self.send(0, 500)
            outcome = log.stop()
        self.assertEqual(outcome.status, DONE, outcome)
        self.assertEqual([record["message"] for record in outcome.records("log")],
                         ["key-0-77 value-0-77-" + "x" * 17 + " 0"])
        self.assertEqual(self.receipt_of(outcome)["hits"], 500)
        self.check_end()


if __name__ == "__main__":
    harness.main()
