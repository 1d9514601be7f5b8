"""Run by GDB for test_gdb_values: runs the program, stops once at each given
address, and writes what GDB sees there; waits at each stop until the comparer,
which reads the same stopped process, has answered.

Environment: NOHALT_PLACES (file: one link address in hex a line), NOHALT_OUT and
NOHALT_IN (named pipes), NOHALT_BASE (link address of the first loaded page).

Lines written: "stop PC PID BIAS", "general 17 x HEX", "vector 16 x HEX",
"variable NAME LINE SIZE STATE ADDRESS [OFFSET=HEX...]", "go".
STATE is value, optimized-out or error. "exit" ends the run.
"""

import os
import struct

import gdb

GENERAL = ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"] + [
    f"r{n}" for n in range(8, 16)] + ["rip"]
LARGEST = 512
MASK = (1 << 64) - 1
SCALARS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_ENUM,
           gdb.TYPE_CODE_PTR)


def scalar_bytes(value, kind):
    """A scalar's bytes, for values that are in no memory."""
    if kind.code == gdb.TYPE_CODE_FLT:
        if kind.sizeof not in (4, 8):
            return None
        return struct.pack("<f" if kind.sizeof == 4 else "<d", float(value))
    return (int(value) & ((1 << (8 * kind.sizeof)) - 1)).to_bytes(kind.sizeof, "little")


def leaves(value, offset):
    """Yields (offset, bytes) for each scalar of a value that is in no memory."""
    kind = value.type.strip_typedefs()
    if value.is_optimized_out:
        return
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        for field in kind.fields():
            is_plain = hasattr(field, "bitpos") and field.bitsize == 0
            if is_plain and not getattr(field, "artificial", False):
                yield from leaves(value[field], offset + field.bitpos // 8)
    elif kind.code == gdb.TYPE_CODE_ARRAY:
        low, high = kind.range()
        step = kind.target().sizeof
        for index in range(low, min(high + 1, low + 64)):
            yield from leaves(value[index], offset + (index - low) * step)
    elif kind.code in SCALARS or kind.code == gdb.TYPE_CODE_FLT:
        data = scalar_bytes(value, kind)
        if data is not None:
            yield offset, data


def describe(value):
    """(state, address or 0, parts) of one variable's value."""
    kind = value.type.strip_typedefs()
    if value.is_optimized_out:
        return "optimized-out", 0, []
    if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        target = value.referenced_value().address
        if target is None:
            return "optimized-out", 0, []
        return "value", 0, [(0, struct.pack("<Q", int(target) & MASK))]
    if value.address is not None:
        at = int(value.address) & MASK
        size = min(value.type.sizeof, LARGEST)
        return "value", at, [(0, bytes(gdb.selected_inferior().read_memory(at, size)))]
    parts = list(leaves(value, 0))
    return ("value", 0, parts) if parts else ("optimized-out", 0, [])


def variables(pc, frame):
    """The variables of pc's blocks, innermost first, up to the function or the
    inlined copy."""
    block = gdb.block_for_pc(pc)
    while block is not None and not block.is_global and not block.is_static:
        for symbol in block:
            is_constant = symbol.is_constant and symbol.type.code != gdb.TYPE_CODE_ENUM
            if (symbol.is_variable or symbol.is_argument or is_constant) and symbol.name:
                yield symbol
        if block.function is not None:
            return
        block = block.superblock


def variable_line(symbol, frame):
    size = 0
    try:
        size = symbol.type.sizeof
        value = symbol.value(frame) if symbol.needs_frame else symbol.value()
        size = value.type.sizeof
        state, address, parts = describe(value)
    except (gdb.error, OverflowError):
        state, address, parts = "error", 0, []
    text = " ".join(f"{offset}={data.hex()}" for offset, data in parts if data)
    return f"variable {symbol.name} {symbol.line} {size} {state} {address:x} {text}".rstrip()


def vector_register(frame, number):
    halves = frame.read_register(f"xmm{number}")["v2_int64"]
    return b"".join((int(halves[i]) & MASK).to_bytes(8, "little") for i in range(2)).hex()


def report(out, bias):
    frame = gdb.newest_frame()
    pc = frame.pc()
    out.write(f"stop {pc - bias:x} {gdb.selected_inferior().pid} {bias:x}\n")
    out.write("general " + " ".join(
        f"{int(frame.read_register(name)) & MASK:x}" for name in GENERAL) + "\n")
    out.write("vector " + " ".join(vector_register(frame, n) for n in range(16)) + "\n")
    for symbol in variables(pc, frame):
        out.write(variable_line(symbol, frame) + "\n")
    out.write("go\n")
    out.flush()


def load_bias():
    pid = gdb.selected_inferior().pid
    program = os.path.realpath(f"/proc/{pid}/exe")
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            if line.rstrip().endswith(program):
                return int(line.split("-")[0], 16) - int(os.environ["NOHALT_BASE"], 16)
    raise gdb.GdbError("the program is not mapped")


def main():
    for command in ("set pagination off", "set confirm off", "set disable-randomization on",
                    "handle all nostop noprint pass", "handle SIGTRAP stop nopass",
                    "set breakpoint pending off", "set print thread-events off"):
        gdb.execute(command, to_string=True)
    gdb.execute("starti", to_string=True)
    bias = load_bias()
    with open(os.environ["NOHALT_PLACES"], encoding="utf-8") as places:
        waiting = {}
        for line in places:
            pc = int(line, 16) + bias
            waiting[pc] = gdb.Breakpoint(f"*{pc:#x}", internal=True)
    with open(os.environ["NOHALT_OUT"], "w", encoding="utf-8") as out, open(
            os.environ["NOHALT_IN"], encoding="utf-8") as answers:
        out.write(f"started {gdb.selected_inferior().pid}\n")
        out.flush()
        while waiting:
            try:
                gdb.execute("continue", to_string=True)
            except gdb.error:
                break
            if gdb.selected_inferior().pid == 0:
                break
            pc = gdb.newest_frame().pc()
            if pc not in waiting:
                continue
            waiting.pop(pc).delete()
            report(out, bias)
            if not answers.readline():
                break
        out.write("exit\n")
    if gdb.selected_inferior().pid != 0:
        gdb.execute("kill", to_string=True)


main()
