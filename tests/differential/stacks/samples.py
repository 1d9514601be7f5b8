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


def run_gdb(program, seconds, **order):
    order = {"entry": entry(program), "size": STACK, "below": RED_ZONE, "seconds": seconds,
             "values": not os.path.basename(program).startswith("calls"),
             "symbols": os.path.join(HERE, "..", "symbols"), **order}
    with tempfile.NamedTemporaryFile(suffix=".json") as output:
        order["output"] = output.name
        script = os.path.join(HERE, "gdb_stacks.py")
        gdb = harness.popen(["gdb", "-nx", "-batch", program, "-ex",
                             f"python ORDER = {order!r}; exec(open({script!r}).read())"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
        try:
            talk, _ = gdb.communicate(timeout=seconds + 60)
        finally:
            harness.end(gdb)
        text = output.read()
        if not text:
            raise AssertionError(f"GDB wrote nothing: {talk[-2000:]}")
        return json.loads(text)


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
