"""Run by GDB: stops a program at given addresses and writes down, for each stop,
the registers, the bytes of the stack, and the frames as `bt` has them.

Variables (set with -ex "python ..."): ORDER is a dictionary:
  output     the file to write: first the process's mappings, then a list of stops
  addresses  link-time addresses, or run-time ones where the program has no bias
  hits       stops wanted at each of them
  often      addresses where all hits are wanted
  stops      stops wanted in all
  seconds    ends after this time
  size       bytes of stack to copy
  below      so many of them lie below rsp
  pid        attach to it, instead of starting the program
  threads    at one stop in ten look at so many other threads too
  symbols    the folder of gdb_variables.py
  skip       variables ("function line name") that are not read: GDB 13 dies of some that are
             in pieces or synthetic pointers. OUTPUT.at names the one that is being read
"""

import json
import sys
import time

import gdb

sys.path.insert(0, ORDER["symbols"])  # noqa: F821
import gdb_variables  # noqa: E402

REGISTERS = ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11",
             "r12", "r13", "r14", "r15", "rip"]
KEPT = ["rbx", "rbp", "rsp", "r12", "r13", "r14", "r15"]
MOST_FRAMES = 400


def registers():
    frame = gdb.newest_frame()
    return [int(frame.read_register(name)) & (1 << 64) - 1 for name in REGISTERS]


def mappings():
    with open(f"/proc/{gdb.selected_inferior().pid}/maps") as file:
        return file.read()


def stack_bytes(begin, size):
    """As many as are mapped."""
    for line in mappings().splitlines():
        low, high = (int(word, 16) for word in line.split()[0].split("-"))
        if low <= begin < high:
            return gdb.selected_inferior().read_memory(begin, min(size, high - begin)).tobytes()
    return b""


def kind_of(frame):
    if frame.type() == gdb.INLINE_FRAME:
        return "inlined"
    if frame.type() == gdb.TAILCALL_FRAME:
        return "tail call"
    return "signal" if frame.type() == gdb.SIGTRAMP_FRAME else "normal"


def register(frame, name):
    """None: GDB calls it not saved."""
    try:
        value = frame.read_register(name)
        return None if value.is_optimized_out else int(value) & (1 << 64) - 1
    except gdb.error:
        return None


def variables(frame):
    try:
        block = frame.block()
    except RuntimeError:
        return []
    return [[symbol.name, symbol.line, *seen(symbol, frame)]
            for symbol in gdb_variables.variables(block)]


def seen(symbol, frame):
    name = f"{frame.name()} {symbol.line} {symbol.name}"
    if name in ORDER["skip"]:
        return symbol.type.sizeof, "GDB dies of it", 0, []
    with open(ORDER["output"] + ".at", "w") as file:
        file.write(name)
    value = gdb_variables.seen(symbol, frame)
    return value


def describe(frame):
    sal, function = frame.find_sal(), frame.function()
    return {"kind": kind_of(frame), "pc": frame.pc(),
            "function": function.name if function else frame.name(), "line": sal.line,
            "file": sal.symtab.filename if sal.symtab else None, "debug": function is not None,
            "kept": [register(frame, name) for name in KEPT],
            "variables": [[name, line, size, state, [[at, data.hex()] for at, data in parts]]
                          for name, line, size, state, _, parts in variables(frame)]}


def hidden(frames, pc):
    """The inlined functions that begin at the very pc where the program stopped: GDB
    shows it as if they were not entered yet."""
    block, chain = gdb.block_for_pc(pc), []
    while block is not None and not block.is_global and not block.is_static:
        if block.function is not None:
            chain.append(block.function.name)
        block = block.superblock
    own = next((i for i, frame in enumerate(frames) if frame["kind"] != "inlined"), 0) + 1
    return chain[:max(0, len(chain) - own)]


def look(size):
    frame, frames, reason = gdb.newest_frame(), [], ""
    while frame is not None and len(frames) < MOST_FRAMES:
        frames.append(describe(frame))
        reason = gdb.frame_stop_reason_string(frame.unwind_stop_reason())
        frame = frame.older()
    values = registers()
    begin = values[7] - ORDER["below"]
    return {"registers": values, "begin": begin, "stack": stack_bytes(begin, size).hex(),
            "frames": frames, "hidden": hidden(frames, values[16]), "reason": reason}


def others(wanted):
    current = gdb.selected_thread()
    for thread in [t for t in gdb.selected_inferior().threads() if t != current][:wanted]:
        thread.switch()
        yield look(ORDER["size"])
    current.switch()


# Without displaced stepping: with it (GDB 13) a program that has breakpoints on
# entries of the PLT and several threads crashes.
def prepare():
    for setting in ("pagination off", "confirm off", "backtrace past-main on",
                    "backtrace past-entry on", "backtrace limit unlimited", "breakpoint pending off",
                    "print inferior-events off", "displaced-stepping off", "debuginfod enabled off"):
        gdb.execute("set " + setting, to_string=True)
    gdb.execute("maintenance set internal-error quit yes")
    gdb.execute("maintenance set internal-error corefile no")
    for number in ("SIGUSR1", "SIGUSR2", "SIGILL", "SIGPIPE"):
        gdb.execute(f"handle {number} nostop noprint pass", to_string=True)
    if "pid" in ORDER:
        gdb.execute(f"attach {ORDER['pid']}", to_string=True)
    else:
        gdb.execute("starti", to_string=True)


def bias():
    """Of the program, by the address of its entry that GDB now knows."""
    wanted = int(ORDER["entry"], 16)
    text = gdb.execute("info files", to_string=True)
    return int(text.split("Entry point:")[1].split()[0], 16) - wanted


def collect():
    prepare()
    load = bias()
    points = {}
    for address in ORDER["addresses"] + ORDER["often"]:
        points[address + load] = gdb.Breakpoint(f"*{address + load:#x}", internal=True)
    left = dict.fromkeys(points, ORDER["hits"])
    left.update({address + load: ORDER["stops"] for address in ORDER["often"]})
    stops, end = [], time.monotonic() + ORDER["seconds"]
    maps = ""
    while len(stops) < ORDER["stops"] and time.monotonic() < end and points:
        gdb.execute("continue", to_string=True)
        if not gdb.selected_inferior().pid:
            break
        pc = gdb.newest_frame().pc()
        if pc not in points:
            raise gdb.GdbError(gdb.execute("info program", to_string=True))
        maps = mappings()
        stops.append(look(ORDER["size"]))
        if len(stops) % 10 == 1:
            stops += others(ORDER["threads"])
        left[pc] -= 1
        if left[pc] == 0:
            points[pc].enabled = False
    with open(ORDER["output"], "w") as file:
        json.dump({"maps": maps, "stops": stops}, file)
    for point in points.values():
        point.delete()
    gdb.execute("detach" if "pid" in ORDER else "kill", to_string=True)


collect()
