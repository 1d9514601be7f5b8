"""The form in which debuggers' and nohalt's values are compared: plain lists that JSON
can hold, so that they can come out of a debugger's own Python.

  ["int", n]  ["real", bytes, text]  ["bool", n]  ["enum", n]  ["pointer", address]
  ["text", unit, hex]                  characters, as they lie in memory
  ["array", size, items]               of an array or a sequence; the first MOST items
  ["set", size, items]  ["map", size, [[key, value], ...]]
  ["struct", [[name, value], ...]]  ["tuple", items]
  ["optional", [] or [item]]  ["variant", index, item]  ["variant", None]
  ["smart", address, [uses, weak] or None, target or None]
  ["time", count]                      of a duration, or of a point in time
  ["function", is there]
  ["class", name, value]               of an object behind a pointer: what it really is
  ["none", why]                        the debugger does not show it
"""

MOST = 24  # more than nohalt shows of a container
LONGEST = 4096  # bytes of a text


def short_name(name):
    """"vector" of std::__1::vector<...>; "" of what is not the library's."""
    name = name.split("<")[0]
    return name.split("::")[-1] if name.startswith("std::") else ""
