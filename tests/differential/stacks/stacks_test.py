"""Backtraces from a hit's registers and 16 KiB of stack, beside GDB's at the same
stop of the same thread: function by function, with file and line, inlined frames
and signal frames too.

  frames equal   the same kind, pc, function, file and line
  registers equal  those that calls preserve, as each frame will find them again
  values equal   variables of callers, byte by byte as far as GDB shows them
  whole          walks that end where GDB's does
  stack cut      all of ours are GDB's, up to the end of the captured bytes
  GDB goes on    ours rightly ends before: see explained()
  DIFFERENT      anything else: a defect

usage: stacks_test.py UNWIND_SAMPLES PROGRAM...     (`redis` is redis -O2 under load)
"""

import collections
import os
import random
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "e2e"))

import harness  # noqa: E402
import redis  # noqa: E402
import samples  # noqa: E402

SEED = 20240229
# Where all ways of the debuggees meet.
EVERY_PATH = ("leaf", "on_signal", "shop::Guard::~Guard")
REDIS_FILES = {"ae.c", "ae_epoll.c", "dict.c", "db.c", "networking.c", "object.c", "sds.c", "server.c",
               "t_hash.c", "t_list.c", "t_set.c", "t_string.c", "t_zset.c", "util.c", "zmalloc.c",
               "connection.c", "listpack.c", "quicklist.c", "rio.c", "expire.c"}
REDIS_TESTS = "ping,set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset"


def plain(function):
    """A function's qualified name without parameters and template arguments, which
    compilers and GDB spell in ways of their own."""
    if not function or function == "-":
        return None
    # glibc's name for calls within itself, where GDB prefers the linker's name of a function.
    name = re.sub(r"^__GI_", "", function)
    name = name.replace("(anonymous namespace)", "{anonymous}").replace("operator()", "operator{}")
    name = re.sub(r"operator(<=>|<<=|>>=|<<|>>|<=|>=|->\*|->|<|>)", lambda m: f"operator{ord(m[1][0])}", name)
    kept, depth = "", 0
    for c in name:
        depth += c == "<"
        if depth == 0 and c == "(":
            break
        kept += c if depth == 0 else ""
        depth -= c == ">"
    return re.sub(r"\s+", "", kept)


def same_function(ours, theirs):
    a, b = plain(ours), plain(theirs)
    if a == b:
        return True
    # A lambda's class has no name: GDB takes the one in the linker's name of the function.
    if a == "operator{}" and "$_" in theirs:
        return theirs.split("::")[-1].startswith("operator()")
    # An inherited constructor: the compiler calls it by the class, GDB by the base class.
    if a and theirs.startswith("_Z"):
        return True  # GDB 13 cannot spell it
    return (a, b) == ("std::__uniq_ptr_data::__uniq_ptr_data", "std::__uniq_ptr_data::__uniq_ptr_impl")


def expected(stop):
    hidden = [{"kind": "inlined", "function": name, "pc": None, "file": None, "line": None,
               "debug": True, "kept": None, "variables": []} for name in stop["hidden"]]
    return hidden + [frame for frame in stop["frames"] if frame["kind"] != "tail call"]


def difference(ours, theirs):
    """What differs between two frames, or an empty text."""
    if ours["kind"] != theirs["kind"]:
        return "kind"
    if ours["kind"] != "inlined" and ours["pc"] != theirs["pc"]:
        return "pc"
    if theirs["kind"] == "signal":  # GDB gives it no function
        return ""
    if ours["function"] == "-" and (theirs["function"] or "").endswith("@plt"):
        return ""  # it has no symbol: GDB makes the name up from relocations
    if not same_function(ours["function"], theirs["function"]):
        return "function"
    if theirs["file"] is None or not theirs["debug"]:
        return ""
    if os.path.basename(ours["file"]) != os.path.basename(theirs["file"]) or \
            ours["line"] != theirs["line"]:
        return "line"
    return ""


def same_bytes(data, parts):
    """Bytes in hex, `..` where nohalt has none, against GDB's (offset, bytes)."""
    is_whole = True
    for offset, theirs in parts:
        ours = data[2 * offset:2 * offset + len(theirs)]
        for at in range(0, len(ours), 2):
            if ours[at:at + 2] == "..":
                is_whole = False
            elif ours[at:at + 2] != theirs[at:at + 2]:
                return "DIFFERENT"
    return "equal" if is_whole else "equal as far as captured"


def is_wrong_in_gdb(function, name, data):
    """GDB 13 takes the entry value of a function for that of another one, where it is asked for
    from a function that is inlined in it: for how many numbers paths.c searches in (5 to 7, and
    so does its source say) it shows half of an address."""
    return (function, name) == ("bsearch", "__nmemb") and int.from_bytes(bytes.fromhex(data), "little") < 32


def explained(ending, last, further):
    """Why it is right that ours ends before GDB's."""
    if ending == "no-information" and last in ("clone3", "-"):
        # glibc ends the call frame information before the system call, since in the new thread it
        # would be wrong. GDB takes the word at rsp, which is 0 there. Without libc's debug symbols
        # the function has no name.
        return True
    # Below the first function on a stack of its own stands glibc's __start_context, which has no
    # information. GDB goes on through it to words that are data.
    return ending == "unreliable" and last == "on_own_stack" and further[0]["function"] is None


def shown(frame):
    pc = f"{frame['pc']:#x}" if frame["pc"] is not None else "-"
    return f"{frame['kind']} {pc} {frame['function']} {frame['file']}:{frame['line']}"


class Comparison:
    def __init__(self, title):
        self.title = title
        self.counts = collections.Counter()
        self.different = []

    def add(self, stop, answer):
        self.counts["stops"] += 1
        theirs, ours = expected(stop), answer["frames"]
        self.counts["tail calls that only GDB tells of"] += \
            sum(frame["kind"] == "tail call" for frame in stop["frames"])
        for i, (a, b) in enumerate(zip(ours, theirs)):
            what = difference(a, b)
            if what:
                return self.differ(f"{what} of #{i}", shown(a), shown(b), stop, answer)
            self.counts["frames equal"] += 1
            if not self.same_registers(a["kept"], b["kept"]):
                return self.differ(f"registers of #{i}", a["kept"], b["kept"], stop, answer)
            self.counts[f"frames equal, {a['kind']}"] += a["kind"] != "normal"
            if i > 0:
                self.compare_variables(a, b, stop, answer)
        self.counts[f"ended: {answer['ending']}"] += 1
        if len(ours) == len(theirs):
            return None
        if answer["ending"] == "stack-cut" and len(ours) < len(theirs):
            return None
        if explained(answer["ending"], ours[-1]["function"], theirs[len(ours):]):
            self.counts["GDB goes on where no caller is known"] += 1
            return None
        return self.differ("length", f"{len(ours)} frames, {answer['ending']}: {answer['why']}",
                           f"{len(theirs)} frames, {stop['reason']}", stop, answer)

    def compare_variables(self, ours, theirs, stop, answer):
        left = list(ours["variables"])
        for name, line, size, state, parts in theirs["variables"]:
            match = next((each for each in left if each[:2] == [name, line]), None)
            if match:
                left.remove(match)
            _, _, data, why = match or (name, line, "..", "not listed")
            is_there = data.replace(".", "") != ""
            if state != "value" and not is_there:
                self.counts["values of neither"] += 1
            elif state != "value":
                self.counts[f"values only nohalt has (GDB: {state})"] += 1
            elif not is_there:
                self.counts[f"values only GDB has ({why})"] += 1
            else:
                verdict = same_bytes(data, parts)
                if verdict == "DIFFERENT" and is_wrong_in_gdb(ours["function"], name, data):
                    verdict = "as the program has them, but GDB does not"
                self.counts["values " + verdict] += 1
                if verdict == "DIFFERENT":
                    self.differ(f"value of {name} in {ours['function']}", data, parts, stop, answer)
        if theirs["variables"]:
            self.counts["values that only nohalt lists"] += sum(each[2].replace(".", "") != "" for each in left)

    def same_registers(self, ours, theirs):
        """Those that the frame will find again, for the values of its variables."""
        for a, b in zip(ours, theirs or []):
            if a is not None and b is not None:
                self.counts["registers equal"] += a == b
                if a != b:
                    return False
            elif a != b:
                self.counts["registers that only " + ("nohalt has" if b is None else "GDB has")] += 1
        return True

    def differ(self, what, ours, theirs, stop, answer):
        self.counts["DIFFERENT"] += 1
        self.different.append((what, ours, theirs, stop, answer))

    def report(self):
        print(self.title)
        for name, count in self.counts.items():
            if count:
                print(f"  {count:6} {name}")
        for what, ours, theirs, stop, answer in self.different[:12]:
            print(f"  DIFFERENT {what}: nohalt {ours} | gdb {theirs}")
            if os.environ.get("STACKS_VERBOSE"):
                print(*("      nohalt " + shown(f) for f in answer["frames"]), sep="\n")
                print(*("      gdb    " + shown(f) for f in expected(stop)), sep="\n")
        sys.stdout.flush()


def compare_program(tool, program):
    choice = samples.instructions(program, ".text")
    addresses = random.Random(SEED).sample(choice, min(len(choice), 260))
    addresses += samples.instructions(program, ".plt", ".plt.sec")
    seen = samples.run_gdb(program, 25, addresses=addresses, often=samples.entries(program, EVERY_PATH), hits=2,
                   stops=500, threads=2)
    comparison = Comparison(os.path.basename(program))
    for stop, answer in zip(seen["stops"], samples.unwind(tool, seen, "-"), strict=True):
        comparison.add(stop, answer)
    return comparison


class Load:
    """redis-benchmark, again and again until it is told to stop."""

    def __init__(self, server):
        self.server, self.ended = server, False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        end = time.monotonic() + 90
        program = os.path.join(self.server.folder, "redis-benchmark")
        while not self.ended and time.monotonic() < end:
            self.process = harness.popen([program, "-p", str(self.server.port), "-n", "20000", "-c", "4",
                                          "-t", REDIS_TESTS, "-q"], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
            self.process.wait(100)

    def stop(self):
        self.ended = True
        harness.end(self.process)
        self.thread.join(20)


def compare_redis(tool):
    with redis.Server("-O2") as server:
        program = os.path.join(server.folder, "redis-server")
        choice = samples.statements(program, REDIS_FILES)
        addresses = random.Random(SEED).sample(choice, 1200)
        load = Load(server)
        try:
            seen = samples.run_gdb(program, 30, addresses=addresses, often=[], hits=2, stops=400, threads=3,
                           pid=server.pid)
        finally:
            load.stop()
        comparison = Comparison("redis -O2 under load")
        answers = samples.unwind(tool, seen, f"/proc/{server.pid}")
        for stop, answer in zip(seen["stops"], answers, strict=True):
            comparison.add(stop, answer)
        return comparison


def main():
    tool, *programs = sys.argv[1:]
    good = True
    for program in programs:
        began = time.monotonic()
        comparison = compare_redis(tool) if program == "redis" else compare_program(tool, program)
        comparison.title += f" ({time.monotonic() - began:.1f} s)"
        comparison.report()
        if comparison.different or comparison.counts["stops"] < 50:
            good = False
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
