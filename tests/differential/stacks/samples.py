"""Where to stop a program, what GDB sees there, and what nohalt makes of it."""

import json
import os
import re
import subprocess
import tempfile

import harness

HERE = os.path.dirname(os.path.realpath(__file__))
STACK = 16 * 1024
RED_ZONE = 128


def entry(program):
    header = subprocess.check_output(["readelf", "-h", program], text=True)
    return re.search(r"Entry point address:\s+(0x[0-9a-f]+)", header)[1]


def statements(program, files):
    """Addresses of statements of these source files."""
    table = subprocess.check_output(["readelf", "--debug-dump=decodedline", program], text=True,
                                    errors="replace")
    found = re.findall(r"^(\S+)\s+\d+\s+(0x[0-9a-f]+).*\bx\b", table, re.M)
    return sorted({int(address, 16) for name, address in found if name in files})


def instructions(program, *sections):
    """Addresses of all instructions of the program's own functions in these sections."""
    wanted = [word for section in sections for word in ("-j", section)]
    text = subprocess.run(["objdump", "-d", *wanted, "--no-show-raw-insn", program], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    own = re.findall(r"^[0-9a-f]+ <((?!_start|_dl_|deregister|register_tm|__do_global|frame_dummy)"
                     r"[^>]+)>:\n((?:\s+[0-9a-f]+:.*\n)+)", text, re.M)
    return sorted(int(address, 16) for _, body in own
                  for address in re.findall(r"^\s+([0-9a-f]+):", body, re.M))


def entries(program, functions):
    table = subprocess.check_output(["nm", "-C", program], text=True)
    return [int(address, 16) for address, name in re.findall(r"^([0-9a-f]+) [tT] (\S+?)(?:\(|$)", table,
                                                             re.M) if name in functions]


MOST_DEATHS = 40


def run_gdb(program, seconds, **order):
    """What GDB sees. What it dies of it is asked no more: it is started again without that."""
    skip = []
    while True:
        seen, reason = run_gdb_once(program, seconds, skip=skip, **order)
        if seen is not None:
            return seen
        if reason in skip or len(skip) == MOST_DEATHS:
            raise AssertionError(f"GDB fails, at last at {reason}")
        skip.append(reason)


def run_gdb_once(program, seconds, **order):
    """What GDB sees; or nothing, and the variable that it died of."""
    order = {"entry": entry(program), "size": STACK, "below": RED_ZONE, "seconds": seconds,
             "symbols": os.path.join(HERE, "..", "symbols"), **order}
    with tempfile.TemporaryDirectory() as folder:
        order["output"] = os.path.join(folder, "stops")
        script = os.path.join(HERE, "gdb_stacks.py")
        gdb = harness.popen(["gdb", "-nx", "-batch", program, "-ex",
                             f"python ORDER = {order!r}; exec(open({script!r}).read())"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
        try:
            talk, _ = gdb.communicate(timeout=seconds + 60)
        finally:
            harness.end(gdb)
        if os.path.exists(order["output"]):
            return json.loads(harness.read(order["output"])), ""
        if "internal-error" not in talk or not os.path.exists(order["output"] + ".at"):
            raise AssertionError(f"GDB wrote nothing: {talk[-2000:]}")
        return None, harness.read(order["output"] + ".at")


def unwind(tool, seen, folder):
    """Ours: for each stop (ending, why, frames)."""
    with tempfile.NamedTemporaryFile("w", suffix=".maps") as maps:
        maps.write(seen["maps"])
        maps.flush()
        lines = [f"maps {maps.name}", f"folder {folder}"]
        for number, stop in enumerate(seen["stops"]):
            words = " ".join(f"{value:x}" for value in stop["registers"])
            lines.append(f"sample {number} {stop['begin']:x} {stop['stack'] or '-'} {words}")
        done = subprocess.run([tool], input="\n".join(lines) + "\n", stdout=subprocess.PIPE, text=True,
                              timeout=200, check=True)
    answers = []
    for line in done.stdout.splitlines():
        what, *fields = line.split("\t")
        if what == "ending":
            answers.append({"ending": fields[1], "why": fields[2], "frames": []})
        elif what == "variable":
            name, line_number, data, why = fields
            answers[-1]["frames"][-1]["variables"].append([name, int(line_number), data, why])
        else:
            kind, pc, function, file, line_number, module, *kept = fields
            answers[-1]["frames"].append({"kind": kind, "pc": int(pc, 16), "function": function,
                                          "file": file, "line": int(line_number), "module": module, "variables": [],
                                          "kept": [None if k == "-" else int(k, 16) for k in kept]})
    return answers
