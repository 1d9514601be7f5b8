"""Containers that are changed while they are captured: the target lives and stays right,
every walk ends, and what did not fit together is marked."""

import collections
import json
import re

import harness
from harness import DONE

CHURN = "tests/targets/churn.cpp"
PLACE = f"churn.cpp:{harness.line_of(CHURN, 'what is in stock here is being changed')}"
CHANGING = "being changed"
ITEMS = 20


def nodes_of(node):
    """All nodes in a tree of values."""
    if isinstance(node, dict):
        if "state" in node:
            yield node
        for inner in node.values():
            yield from nodes_of(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from nodes_of(inner)


class Containers(harness.TestCase):
    def check(self, target, command, *options):
        before = harness.Footprint(target.pid, lively=True)
        outcome = harness.run(command, "-p", target.pid, PLACE, *options, "--cpu", "100%", "--format",
                              "json", seconds=60)
        self.assertEqual(outcome.status, DONE, outcome)
        self.assert_proven_clean(self.receipt_of(outcome))
        self.assertTrue(target.alive())
        self.assert_unharmed(before, target.pid, lively=True)
        return outcome

    def test_snapshots_of_what_is_being_changed_end_and_are_marked(self):
        with harness.Target("churn") as target:
            outcome = self.check(target, "snap", "--hits", 400, "--limit", "200/s")
            records = outcome.records("snapshot")
            self.assertEqual(len(records), 400)
            whys = collections.Counter()
            for record in records:
                for node in nodes_of(record["values"]):
                    whys[re.sub(r"\d+", "N", node.get("why", ""))] += 1
                    if isinstance(node.get("value"), list):
                        self.assertLessEqual(len(node["value"]), ITEMS)
            marked = sum(count for why, count in whys.items() if CHANGING in why)
            print(f"400 snapshots of changing containers, {marked} marks:", dict(whys))
            self.assertGreater(marked, 0)
            self.assert_right_end(target)

    def test_messages_with_what_is_being_changed_end(self):
        with harness.Target("churn") as target:
            outcome = self.check(target, "log", "torn {stock.torn} tree {stock.tree}", "--hits",
                                 200, "--limit", "200/s")
            records = outcome.records("log")
            self.assertEqual(len(records), 200)
            torn = [record for record in records if CHANGING in json.dumps(record)]
            self.assertGreater(len(torn), 0)
            self.assert_right_end(target)


if __name__ == "__main__":
    harness.main()
