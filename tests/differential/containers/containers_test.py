"""Containers, smart pointers and what else the standard libraries have, as a snapshot
shows them, beside what the debuggers' own printers make of a twin of the same program
that is stopped at the same statement.

GDB walks with libstdc++'s printers, LLDB with its own formatters for either library. What
GDB dies of it is asked no more: it is started again without that.
Twins run without address randomisation and do the same, so that even addresses are
compared. Counted by container, each value of a kind (what lies inside counts with it):

  equal        both show the same, whole
  cut          the same as far as nohalt shows it, and nohalt says where it is cut
  only oracle  nohalt shows nothing, and says why
  no oracle    the debugger shows nothing to compare with
  DIFFERENT    a defect: the test fails

usage: containers_test.py SOURCE PROGRAM gdb|lldb LEAST
Fails where anything is different, or fewer than LEAST agree (equal or cut).
"""

import collections
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "e2e"), os.path.join(HERE, "..", "values")]

import harness
from judge import _unescaped as unescape_one
from normal import LONGEST, short_name

SHOWN = 20  # items, by default
VERDICTS = ("equal", "cut", "only oracle", "no oracle", "DIFFERENT")
LIMITS = re.compile(r"of \d+ shown|longer than|deeper than|there are more|too large|"
                    r"as much as one may|no room|larger than|--depth")


class Comparison:
    """One value of the oracle with one node of a snapshot, leaf by leaf."""

    def __init__(self):
        self.verdicts = set()
        self.reasons = []

    def say(self, verdict, reason=""):
        self.verdicts.add(verdict)
        if reason:
            self.reasons.append(reason)

    def differ(self, path, seen, node):
        self.say("DIFFERENT", f"{path}: oracle {str(seen)[:200]}, nohalt {str(node)[:200]}")

    def result(self):
        """The worst that any part of it is."""
        for verdict in ("DIFFERENT", "only oracle", "cut", "no oracle"):
            if verdict in self.verdicts:
                return verdict
        return "equal"

    def compare(self, path, seen, node):
        if seen is None:
            return
        if seen[0] == "none":
            return self.say("no oracle", f"{path}: {seen[1]}")
        state, why = node.get("state", "exact"), node.get("why", "")
        if state not in ("exact", "truncated"):
            cut = LIMITS.search(why) is not None
            return self.say("cut" if cut else "only oracle", f"{path}: {state}: {why}")
        if state == "truncated":
            self.say("cut" if LIMITS.search(why) else "only oracle", f"{path}: {why}")
        if node.get("kind") == "struct" and seen[0] not in ("struct", "class"):
            return self.say("only oracle", f"{path}: shown as a plain struct")
        if node.get("kind") == "pointer" and seen[0] == "text":
            return self.say("only oracle", f"{path}: its text is not captured")
        return getattr(self, "see_" + seen[0])(path, seen, node, state == "truncated")

    def see_int(self, path, seen, node, _):
        if int(node["value"]) != seen[1]:
            self.differ(path, seen, node)

    def see_bool(self, path, seen, node, _):
        if node["value"] is not bool(seen[1]):
            self.differ(path, seen, node)

    def see_enum(self, path, seen, node, _):
        value, names = node["value"], self.enumerators
        if isinstance(value, str):
            value = sum(names[part] if part in names else int(part, 16)
                        for part in value.split(" | "))
        if value != seen[1]:
            self.differ(path, seen, node)

    # Those of the debuggees.
    enumerators = {"kRead": 1, "kWrite": 2, "kRun": 4, "kAppend": 64,
                   "kRed": 1, "kGreen": 2, "kBlue": 3}

    def see_real(self, path, seen, node, _):
        ours, theirs = float(node["value"]), float(seen[2])
        form = "f" if seen[1] == 4 else "d"
        if struct.pack(form, ours) != struct.pack(form, theirs):
            self.differ(path, seen, node)

    def see_text(self, path, seen, node, cut):
        if node.get("kind") != "text":
            # A fixed array of unsigned characters is a list of numbers for us.
            if node.get("kind") == "array" and seen[1] == 1:
                return
            return self.differ(path, seen, node)
        ours, theirs = text_bytes(node), as_utf8(seen[1], bytes.fromhex(seen[2]))
        if not (theirs.startswith(ours) and len(ours) > 0 if cut else ours == theirs):
            self.differ(path, as_utf8(seen[1], bytes.fromhex(seen[2])), node)

    def see_pointer(self, path, seen, node, _):
        if node["kind"] not in ("pointer", "text"):
            return self.differ(path, seen, node)
        value = node["value"]
        address = value["address"] if isinstance(value, dict) else value
        # LLDB gives the address of the whole object.
        distance = value["target"].get("distance", 0) if "target" in value else 0
        if node["kind"] == "pointer" and seen[1] not in (int(address, 16),
                                                         int(address, 16) - distance):
            return self.differ(path, seen, node)
        if isinstance(value, dict) and seen[2] is not None:
            self.compare(path + "->", seen[2], value["target"])

    def see_array(self, path, seen, node, cut, kinds=("array",)):
        if node.get("kind") not in kinds:
            return self.differ(path, seen, node)
        items = node["value"]
        if "size" in node and node["size"] != seen[1]:
            return self.differ(path + ".size", seen[1], node)
        if len(items) != seen[1] and not (cut and len(items) < seen[1]):
            return self.differ(path + ".items", seen, node)
        for i, (theirs, ours) in enumerate(zip(seen[2], items)):
            self.compare(f"{path}[{i}]", theirs, ours)

    def see_set(self, path, seen, node, cut):
        self.see_array(path, seen, node, cut, ("set",))

    def see_map(self, path, seen, node, cut):
        if node.get("kind") != "map":
            return self.differ(path, seen, node)
        items = node["value"]
        if node["size"] != seen[1] or (len(items) != seen[1] and not (cut and len(items) < seen[1])):
            return self.differ(path + ".size", seen[1], node)
        for i, (theirs, ours) in enumerate(zip(seen[2], items)):
            if "key" not in ours:
                self.compare(f"{path}[{i}]", theirs[1], ours)
                continue
            self.compare(f"{path}[{i}].key", theirs[0], ours["key"])
            self.compare(f"{path}[{i}].value", theirs[1], ours["value"])

    def see_struct(self, path, seen, node, _):
        if node.get("kind") != "struct":
            return self.differ(path, seen, node)
        for name, theirs in seen[1]:
            if name in node["value"]:
                self.compare(f"{path}.{name}", theirs, node["value"][name])
            else:
                self.say("only oracle", f"{path}.{name} is missing")

    def see_class(self, path, seen, node, _):
        ours = plain_type(node.get("dynamic_type", node["type"]))
        if ours.startswith("(anonymous") and plain_type(seen[1]) == node.get("declared_type"):
            return self.say("no oracle", f"{path}: LLDB does not find {ours}")
        if ours != plain_type(seen[1]):
            return self.differ(path, seen[1], node)
        if "dynamic_type" in node:
            return self.say("only oracle", f"{path}: only its base is shown")
        return self.compare(path, seen[2], node)

    def see_tuple(self, path, seen, node, _):
        if node.get("kind") != "tuple" or len(node["value"]) != len(seen[1]):
            return self.differ(path, seen, node)
        for i, (theirs, ours) in enumerate(zip(seen[1], node["value"])):
            self.compare(f"{path}<{i}>", theirs, ours)

    def see_optional(self, path, seen, node, cut):
        if node.get("kind") != "optional" or (len(node["value"]) != len(seen[1]) and not cut):
            return self.differ(path, seen, node)
        for theirs, ours in zip(seen[1], node["value"]):
            self.compare(path + "*", theirs, ours)

    def see_variant(self, path, seen, node, _):
        if node.get("kind") != "variant":
            return self.differ(path, seen, node)
        index = node["value"].get("index")
        if seen[1] is None or index is None:
            return None if seen[1] is index else self.differ(path, seen, node)
        if seen[1] not in (-1, index):  # LLDB does not say which
            return self.differ(path, seen, node)
        return self.compare(path + f"<{seen[1]}>", seen[2], node["value"]["item"])

    def see_smart(self, path, seen, node, _):
        if node.get("kind") != "smart_pointer" or int(node["value"]["address"], 16) != seen[1]:
            return self.differ(path, seen, node)
        counts = [node["value"].get("uses"), node["value"].get("watchers")]
        if seen[2] is not None and counts != seen[2]:
            return self.differ(path + " counts", seen[2], node)
        if "target" in node["value"]:
            self.compare(path + "->", seen[3], node["value"]["target"])
        elif seen[3] is not None:
            self.say("only oracle", f"{path}: not followed")

    def see_time(self, path, seen, node, _):
        if node.get("kind") not in ("duration", "time_point"):
            return self.differ(path, seen, node)
        self.compare(path, seen[1], {"value": node["value"]["count"]})

    def see_function(self, path, seen, node, _):
        if node.get("kind") != "function" or (node["value"]["address"] != "0x0") is not seen[1]:
            self.differ(path, seen, node)


def plain_type(name):
    """One way to write a class's name."""
    name = re.sub(r"^(const|volatile) ", "", name).replace("long unsigned int", "unsigned long")
    return re.sub(r"(?<=\d)[uUlL]+|\s(?=>)|\s+$", "", name)


def as_utf8(unit, raw):
    if unit == 2:
        return raw.decode("utf-16-le", "surrogatepass").encode("utf-8", "surrogatepass")
    if unit == 4:
        return raw.decode("utf-32-le", "surrogatepass").encode("utf-8", "surrogatepass")
    return raw


def text_bytes(node):
    text = node["value"]
    if node.get("encoding") != "escaped":
        return text.encode()
    parts = re.split(r"(\\(?:x[0-9a-f]{2}|u\{[0-9a-f]+\}|.))", text)
    # An escape of a byte gives that byte, of a character its UTF-8, as latin-1.
    return b"".join(unescape_one(re.fullmatch(r"\\(.*)", part)).encode("latin-1")
                    if part.startswith("\\") else part.encode() for part in parts)


class Twin:
    """A process that waits to be told to do its work."""

    def __init__(self, program):
        self.process = harness.popen(["setarch", "-R", program], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError(f"{program} did not start")
        self.pid = self.process.pid

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self):
        harness.end(self.process)
        self.process.stdin.close()
        self.process.stdout.close()


def places_of(source):
    return {line.split("// probed: ")[1].strip(): f"{os.path.basename(source)}:{number}"
            for number, line in enumerate(harness.read(source).splitlines(), 1)
            if "// probed: " in line}


def plan(program, places):
    """{place: addresses} of those that can be probed, and {place: why not}."""
    twin = Twin(program)
    outcome = harness.run("plan", "-p", twin.pid, *places.values(), "--format", "json")
    twin.end()
    known, refused = {}, {}
    for name, report in zip(places, json.loads(outcome.out)["places"]):
        sites = report.get("sites", [])
        errors = report.get("errors", []) + [r for site in sites for r in site.get("refusals", [])]
        if errors or not sites:
            refused[name] = errors[0]["reason"] if errors else "no site"
        else:
            known[name] = [int(site["address"], 16) for site in sites]
    return known, refused


MOST_DEATHS = 30


def debugger_values(oracle, program, places):
    skip = []
    while True:
        seen, reason = ask_debugger(oracle, program, places, skip)
        if seen is not None:
            return seen
        if reason in skip or len(skip) == MOST_DEATHS:
            raise AssertionError(f"{oracle} fails, at last at {reason}")
        skip.append(reason)


def ask_debugger(oracle, program, places, skip):
    """What it sees; or nothing, and what it died of."""
    twin = Twin(program)
    folder = tempfile.mkdtemp(dir=harness.environment()["XDG_STATE_HOME"])
    order = {"pid": twin.pid, "places": places, "skip": skip,
             "output": os.path.join(folder, "values")}
    if oracle == "gdb":
        command = ["gdb", "-nx", "-batch", program, "-ex",
                   f"python FOLDER = {HERE!r}; ORDER = {order!r}", "-x",
                   os.path.join(HERE, "gdb_values.py")]
    else:
        command = ["lldb-19", "-x", "-b", "-o",
                   f"command script import {os.path.join(HERE, 'lldb_values.py')}"]
    process = harness.popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, "ORDER": json.dumps(order)})
    try:
        harness.wait_for(lambda: os.path.exists(order["output"] + ".ready")
                         or process.poll() is not None, f"{oracle} to attach", 60)
        if process.poll() is None:
            twin.go()
        said, _ = process.communicate(timeout=120)
    finally:
        harness.end(process)
        twin.end()
    if os.path.exists(order["output"]):
        return json.loads(harness.read(order["output"])), ""
    if "internal-error" not in said or not os.path.exists(order["output"] + ".at"):
        raise AssertionError(f"{oracle} failed:\n{said[-2000:]}")
    return None, harness.read(order["output"] + ".at")


def snapshot(program, place, *options):
    """The one record that the twin's first run of the place gives."""
    twin = Twin(program)
    process = harness.popen(
        [harness.NOHALT, "snap", "-p", str(twin.pid), place, "--format", "json", "--for", "30s",
         *harness.UNLIMITED, *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        env=harness.environment())
    try:
        harness.wait_for(lambda: harness.is_armed(twin.pid) or process.poll() is not None,
                         f"{place} to be armed", 20)
        twin.go()
        out, err = process.communicate(timeout=40)
    finally:
        harness.end(process)
        twin.end()
    if process.returncode != harness.DONE:
        raise AssertionError(f"{place}: {err}")
    return next(record for record in map(json.loads, out.splitlines())
                if record["kind"] == "snapshot")


COUNTED = ("array", "set", "map", "text")
# Plain arrays are counted by their type; such a list, and an array of nothing, says nothing.
NOT_COUNTED = re.compile(r"forward_list|, 0U?L?>|\[|\*|&")


def lengths(program, place, record):
    """What len() says of those that say how many they are, and of texts."""
    names = [name for name, node in record.get("values", {}).items()
             if node.get("kind") in COUNTED and node["state"] in ("exact", "truncated")
             and not NOT_COUNTED.search(node["type"]) and name.isidentifier()]
    if not names:
        return {}
    options = [option for name in names for option in ("--capture", f"len({name})")]
    values = snapshot(program, place, *options)["values"]
    return {name: values[f"len({name})"] for name in names}


def compare_length(theirs, ours):
    """An error in one sentence, or nothing."""
    if theirs[0] == "text":
        size = len(theirs[2]) // 2
        known = size < LONGEST and theirs[1] != 0  # LLDB does not say how wide its characters were
        count = size // max(theirs[1], 1)
    else:
        known, count = theirs[0] in ("array", "set", "map"), theirs[1]
    if not known or ours.get("state") != "exact":
        return None
    return None if int(ours["value"]) == count else f"len() is {ours['value']}, not {count}"


def container_of(node):
    """What the row of the table is called."""
    name = short_name(node["type"].removeprefix("const ").rstrip(" &"))
    return {"": node.get("kind", "?"), "basic_string": "string",
            "basic_string_view": "string_view"}.get(name, name)


def compare_all(seen, records, counted, table, talk):
    for place, values in seen.items():
        for name, theirs in values.items():
            ours = records[place].get("values", {}).get(name)
            comparison = Comparison()
            if ours is None:
                comparison.say("only oracle", f"{name} is not in the snapshot")
            elif theirs[0] == "none":
                comparison.say("no oracle", f"{name}: {theirs[1]}")
            else:
                comparison.compare(name, theirs, ours)
                if name in counted[place]:
                    wrong = compare_length(theirs, counted[place][name])
                    table["len()"]["DIFFERENT" if wrong else "equal"] += 1
                    if wrong:
                        comparison.say("DIFFERENT", f"{name}: oracle says that {wrong}")
            verdict = comparison.result()
            table[container_of(ours) if ours else "?"][verdict] += 1
            if verdict != "equal":
                talk[verdict].append(f"{place}: {comparison.reasons[0]}")
            if verdict == "DIFFERENT":
                for reason in comparison.reasons:
                    if ": oracle " in reason:
                        print(f"  DIFFERENT {place} {reason}")


def report(title, table, talk, refused):
    print(f"{title}\n  {'':18}" + "".join(f"{verdict:>13}" for verdict in VERDICTS))
    for name, counts in sorted(table.items()):
        print(f"  {name:18}" + "".join(f"{counts[verdict] or '':>13}" for verdict in VERDICTS))
    total = sum(table.values(), collections.Counter())
    print(f"  {'in all':18}" + "".join(f"{total[verdict]:>13}" for verdict in VERDICTS))
    for verdict in ("only oracle", "no oracle"):
        for line in sorted(set(talk[verdict])):
            print(f"    {verdict}: {line}")
    for place, reason in refused.items():
        print(f"    place not covered: {place}: {reason}")
    sys.stdout.flush()
    return total


def main():
    source, program, oracle, least = sys.argv[1:5]
    places, refused = plan(program, places_of(source))
    names = places_of(source)
    records = {name: snapshot(program, names[name], "--depth", "6") for name in places}
    counted = {name: lengths(program, names[name], records[name]) for name in places}
    seen = debugger_values(oracle, program, places)
    table, talk = collections.defaultdict(collections.Counter), collections.defaultdict(list)
    compare_all(seen, records, counted, table, talk)
    total = report(f"{os.path.basename(program)} beside {oracle}", table, talk, refused)
    if set(seen) != set(places):
        print(f"FAILED: {oracle} did not stop at {sorted(set(places) - set(seen))}")
        sys.exit(1)
    good = total["equal"] + total["cut"]
    if total["DIFFERENT"] or good < int(least):
        print(f"FAILED: {total['DIFFERENT']} differ; {good} agree, at least {least} must")
        sys.exit(1)


if __name__ == "__main__":
    main()
