"""Captures that follow bad pointers: each value says that it could not be read,
and the target lives."""

import harness
from harness import DONE, UNLIMITED

PLACE = f"garbage.c:{harness.line_of('tests/targets/garbage.c', 'the probed line')}"
UNREADABLE = ["null", "low", "wild", "unaligned", "unmapped", "kernel", "noncanonical", "last"]


class Garbage(harness.TestCase):
    def test_bad_pointers_are_unreadable_and_do_no_harm(self):
        with harness.Target("garbage") as target:
            before = harness.Footprint(target.pid, lively=True)  # a page of it comes and goes
            outcome = harness.run("log", "-p", target.pid, PLACE,
                                  "{kind}|{text}|{node->value}|{inner->next->value}|{inner->text}",
                                  "--for", "5s", "--format", "json", *UNLIMITED, seconds=40)
            self.assertEqual(outcome.status, DONE, outcome)
            by_kind = {}
            for record in outcome.records("log"):
                by_kind.setdefault(record["values"]["kind"]["value"], []).append(record)
            for kind in UNREADABLE:
                self.assertGreater(len(by_kind.get(kind, [])), 50, kind)
                for record in by_kind[kind]:
                    for name in ("text", "node->value", "inner->next->value", "inner->text"):
                        value = record["values"][name]
                        self.assertEqual(value["state"], "unreadable", (kind, name, value))
                        self.assertTrue(value["why"], (kind, name))
                        if kind == "null" and name.endswith("text"):
                            self.assertEqual(value["value"], "0x0")
                            self.assertRegex(value["why"], " is null$")
            for record in by_kind["good"]:
                self.assertEqual(record["message"].split("|")[1:], ["good", "42", "42", "good"])
            self.check_edge(by_kind["edge"])
            self.check_flicker(by_kind["flicker"])
            self.assert_unharmed(before, target.pid, lively=True)
            self.assert_right_end(target)

    def check_edge(self, records):
        """Four bytes, then an unmapped page: the text is never called exact."""
        for record in records:
            text = record["values"]["text"]
            self.assertIn(text["state"], ("truncated", "unreadable"))
            if text["state"] == "truncated":
                self.assertEqual(text["value"], "xxxx")
            self.assertEqual(record["values"]["node->value"]["state"], "unreadable")

    def check_flicker(self, records):
        """Mapped or not, and being filled: what was there at some moment, or unreadable."""
        for record in records:
            text = record["values"]["text"]
            self.assertIn(text["state"], ("exact", "unreadable"))
            if text["state"] == "exact":
                self.assertRegex(text["value"], r"^A{0,64}$")


if __name__ == "__main__":
    harness.main()
