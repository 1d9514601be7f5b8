"""Run by GDB for test_gdb_places: where `break LOCATION` would stop.

Environment: NOHALT_PLACES (file: one location a line), NOHALT_OUT (file: for
each, its addresses in hex, sorted; `none` where GDB refuses).
"""

import os

import gdb


def addresses(location):
    try:
        point = gdb.Breakpoint(location, internal=True)
    except gdb.error:
        return "none"
    found = sorted({place.address for place in point.locations})
    point.delete()
    return " ".join(f"{address:x}" for address in found) or "none"


def main():
    gdb.execute("set breakpoint pending off")
    with open(os.environ["NOHALT_PLACES"], encoding="utf-8") as places, open(
            os.environ["NOHALT_OUT"], "w", encoding="utf-8") as out:
        for line in places:
            out.write(addresses(line.rstrip("\n")) + "\n")


main()
