"""Our tree of a value beside a debugger's of the same one.

  equal        both say the same, down to what was captured
  not covered  we say that we do not have it (a state other than exact), or it does not
  DIFFERENT    both say something, and not the same: a defect
"""

EQUAL, NOT_COVERED, DIFFERENT = "equal", "not covered", "DIFFERENT"


SCALARS = ("bool", "char", "float", "integer", "text")


def steady(node, others):
    """The tree without the numbers and texts that were others at other hits: GDB stops
    at one of its own. Freed memory that optimised code still names is such a case."""
    if not isinstance(node, dict):
        return node
    if node.get("kind") in SCALARS and any(
            isinstance(other, dict) and other.get("value") != node.get("value") for other in others):
        return {"type": node.get("type"), "state": "unavailable", "why": "changes from hit to hit"}
    kept = {}
    for key, inner in node.items():
        twins = [other.get(key) for other in others if isinstance(other, dict)]
        if isinstance(inner, list):
            rows = [twin for twin in twins if isinstance(twin, list)]
            kept[key] = [steady(each, [row[i] for row in rows if i < len(row)])
                         for i, each in enumerate(inner)]
        else:
            kept[key] = steady(inner, twins)
    return kept


CELLS = ("core::cell::Cell<", "core::cell::UnsafeCell<", "core::mem::manually_drop::ManuallyDrop<",
         "core::sync::atomic::Atomic")


def content_of_cell(theirs):
    """We show what is in a cell for the cell."""
    while theirs["kind"] == "struct" and theirs.get("type", "").startswith(CELLS) and \
            len(theirs["fields"]) == 1:
        (theirs,) = theirs["fields"].values()
    return theirs


class Comparison:
    """Counts leaves; a difference is kept with its path."""

    def __init__(self):
        self.counts = {EQUAL: 0, NOT_COVERED: 0, DIFFERENT: 0}
        self.differences = []
        self.uncovered = {}

    def say(self, verdict, path, ours=None, theirs=None):
        self.counts[verdict] += 1
        if verdict == DIFFERENT:
            self.differences.append(f"{path}: {str(ours)[:200]}  beside: {str(theirs)[:200]}")
        if verdict == NOT_COVERED:
            why = str(ours)
            self.uncovered[why] = self.uncovered.get(why, 0) + 1

    def value(self, path, ours, theirs):
        theirs = content_of_cell(theirs)
        state = ours.get("state", "exact")
        kind = theirs["kind"]
        if "value" not in ours:
            gone = state == "optimized_out"
            if gone and kind in ("gone", "odd"):
                return self.say(EQUAL, path)
            return self.say(NOT_COVERED, path, ours.get("why", state))
        if kind in ("gone", "odd"):
            # GDB gives up on the whole where one piece is gone.
            return self.say(NOT_COVERED, path, "the debugger: " + kind)
        if isinstance(ours["value"], str) and "[redacted:" in ours["value"]:
            # A random number may look like a card's.
            return self.say(NOT_COVERED, path, "hidden by a value rule")
        compare = getattr(self, "_" + ours["kind"], None)
        if compare is None:
            return self.say(NOT_COVERED, path, "kind " + ours["kind"])
        return compare(path, ours, theirs)

    def same(self, path, ours, theirs, equal):
        self.say(EQUAL if equal else DIFFERENT, path, ours, theirs)

    def _bool(self, path, ours, theirs):
        self.same(path, ours, theirs, str(int(ours["value"])) == theirs.get("value"))

    def _integer(self, path, ours, theirs):
        self.same(path, ours, theirs, str(ours["value"]) == theirs.get("value"))

    _char = _integer

    def _float(self, path, ours, theirs):
        theirs_value = float(theirs.get("value", "nan"))
        ours_value = float(ours["value"])
        if theirs.get("size") == 4:  # ours is the shortest text of a float
            equal = abs(ours_value - theirs_value) <= abs(theirs_value) * 1e-6
        else:
            equal = ours_value == theirs_value
        self.same(path, ours, theirs, equal)

    def _enum(self, path, ours, theirs):
        self.same(path, ours, theirs, str(ours["value"]) == theirs.get("value"))

    def _pointer(self, path, ours, theirs):
        value = ours["value"]
        if theirs["kind"] != "pointer":
            return self.same(path, ours, theirs, False)
        if isinstance(value, dict):
            if "target" in theirs and "value" in value["target"]:
                return self.value(path + "*", value["target"], theirs["target"])
            return self.say(NOT_COVERED, path, value["target"].get("why", "no target"))
        # What is made anew in each round may lie elsewhere.
        null = int(value, 16) == 0
        if int(value, 16) == theirs["address"]:
            return self.say(EQUAL, path)
        if null != (theirs["address"] == 0):
            return self.same(path, ours, theirs, False)
        return self.say(NOT_COVERED, path, "an address that moved")

    def _text(self, path, ours, theirs):
        text = theirs.get("shown", {}).get("value")
        if text is None:
            return self.say(NOT_COVERED, path, "the debugger shows no text")
        mine = ours["value"]
        if ours.get("state") == "truncated":
            return self.same(path, ours, theirs, text.startswith(mine))
        return self.same(path, ours, theirs, mine == text)

    def _struct(self, path, ours, theirs):
        if theirs["kind"] != "struct":
            return self.same(path, ours, theirs, False)
        fields = theirs["fields"]
        if set(fields) != set(ours["value"]):
            return self.same(path, sorted(ours["value"]), sorted(fields), False)
        if not fields:
            return self.say(EQUAL, path)
        for name, inner in ours["value"].items():
            self.value(f"{path}.{name}", inner, fields[name])

    def _alternative(self, path, ours, theirs):
        if theirs["kind"] == "struct" and len(theirs["fields"]) == 1:
            # GDB takes an enum of one variant for a struct.
            (name, fields), = theirs["fields"].items()
        elif theirs["kind"] == "alternative":
            name, fields = theirs["name"], theirs["fields"]
        else:
            return self.same(path, ours, theirs, False)
        (mine, inner), = ours["value"].items()
        if mine != name:
            return self.same(path, mine, name, False)
        return self.value(f"{path}.{name}", inner, fields)

    def nothing_in(self, path, ours):
        if ours.get("state") == "truncated":
            return self.say(NOT_COVERED, path, "no item shown")
        return self.say(EQUAL, path)

    def _map(self, path, ours, theirs):
        items = theirs.get("shown", {}).get("items")
        if items is None:
            return self.say(NOT_COVERED, path, "the debugger shows no items")
        pairs, mine = list(zip(items[::2], items[1::2])), ours["value"]
        if ours.get("state") == "truncated":
            pairs = pairs[:len(mine)]
        if len(pairs) != len(mine):
            return self.same(path, ours, theirs, False)
        if not mine:
            return self.nothing_in(path, ours)
        for number, (pair, (key, value)) in enumerate(zip(mine, pairs)):
            self.value(f"{path}[{number}].key", pair["key"], key)
            self.value(f"{path}[{number}].value", pair["value"], value)

    def _smart_pointer(self, path, ours, theirs):
        mine = ours["value"]
        pointer = theirs["fields"]["ptr"]["fields"]["pointer"]
        nowhere = pointer["address"] == 2**64 - 1
        if int(mine["address"], 16) != (0 if nowhere else pointer["address"]):
            return self.say(NOT_COVERED, path, "an address that moved")
        if nowhere:
            return self.say(EQUAL, path)
        box = pointer["target"]["fields"]
        uses, watchers = (int(content_of_cell(box[name])["value"]) for name in ("strong", "weak"))
        watchers -= 1 if uses else 0
        self.same(path, ours, theirs, (uses, watchers) == (mine["uses"], mine["watchers"]))
        if uses == 0:
            return self.same(path + "*", ours, theirs, "target" not in mine)
        if "target" not in mine:
            return self.say(NOT_COVERED, path + "*", ours.get("why", "no target"))
        return self.value(path + "*", mine["target"], box.get("value", box.get("data")))

    def _array(self, path, ours, theirs):
        shown = theirs.get("shown", theirs)
        if "items" not in shown:
            return self.say(NOT_COVERED, path, "the debugger shows no items")
        items, mine = shown["items"], ours["value"]
        if ours.get("state") == "truncated":
            items = items[:len(mine)]
        if len(items) != len(mine):
            return self.same(path, ours, theirs, False)
        if not mine:
            return self.nothing_in(path, ours)
        for number, (inner, other) in enumerate(zip(mine, items)):
            self.value(f"{path}[{number}]", inner, other)

    _set = _array
