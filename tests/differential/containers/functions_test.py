"""What a std::function calls, as a snapshot names it. No debugger has a printer for it, so
it is compared with what the debuggee's source says.

usage: functions_test.py SOURCE PROGRAM
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "e2e"), os.path.join(HERE, "..", "values")]

from containers_test import places_of, snapshot

WANTED = {
    "none": r"",
    "plain": r"\(anonymous namespace\)::doubled\(int\)",
    # GCC's and Clang's names of the lambda.
    "lambda": r"\(anonymous namespace\)::functions\(int\)::(\{lambda\(int\)#1\}|\$_\d+)",
}


def main():
    source, program = sys.argv[1:3]
    values = snapshot(program, places_of(source)["functions"])["values"]
    failed = False
    for name, wanted in WANTED.items():
        node = values[name]
        if "value" not in node:
            print(f"  {name}: {node['state']}")
            continue
        symbol = node.get("symbol", "")
        good = re.fullmatch(wanted, symbol) and (node["value"]["address"] == "0x0") is (not wanted)
        print(f"  {name}: {symbol or 'empty'}{'' if good else ' FAILED: ' + str(node)}")
        failed |= not good
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
