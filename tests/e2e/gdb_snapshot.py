"""Run by GDB on a stopped twin: stops once at PLACE and says, as one line of JSON,
what the EXPRESSIONS are there and which functions led there, up to main.

Variables (set with -ex "python ..."): PLACE, EXPRESSIONS.
"""

import json
import os

import gdb


def shown(expression):
    value = gdb.parse_and_eval(expression)
    if value.is_optimized_out:
        return None
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_PTR:
        return value.string()
    if kind.code == gdb.TYPE_CODE_ENUM:
        return str(value)
    return int(value)


def frames():
    frame = gdb.newest_frame()
    while frame is not None:
        place = frame.find_sal()
        file = os.path.basename(place.symtab.filename) if place.symtab else ""
        yield [frame.name(), file, place.line]
        if frame.name() == "main":
            return
        frame = frame.older()


gdb.execute("set pagination off")
gdb.execute("set debuginfod enabled off")
gdb.Breakpoint(PLACE, temporary=True)  # noqa: F821
print("waiting", flush=True)
gdb.execute("continue", to_string=True)
print(json.dumps({"values": {each: shown(each) for each in EXPRESSIONS},  # noqa: F821
                  "frames": list(frames())}), flush=True)
gdb.execute("detach", to_string=True)
