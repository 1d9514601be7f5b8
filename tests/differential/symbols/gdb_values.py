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
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from gdb_variables import MASK, variable_line, variables  # noqa: E402

GENERAL = ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"] + [
    f"r{n}" for n in range(8, 16)] + ["rip"]


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
    for symbol in variables(gdb.block_for_pc(pc)):
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
