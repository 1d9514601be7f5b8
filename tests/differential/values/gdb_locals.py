"""Run by GDB: stops at given addresses and writes down every local in scope,
one JSON object a stop.

Variables (set with -ex "python ..."): PLACES is a list of offsets from the load
address, HITS how many stops of each are written, OUT the file.
"""

import json

import gdb

MAX_DEPTH, MAX_ITEMS = 2, 3


def is_char(kind):
    name = kind.unqualified().name
    return kind.code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR) and name == "char"


def leaves(name, value, depth=0):
    """Yields (expression, kind, value or None) for all that can be compared."""
    if value.is_optimized_out:
        yield name, "scalar", None
        return
    kind = value.type.strip_typedefs()
    try:
        yield from leaves_of_kind(name, value, kind, depth)
    except gdb.MemoryError:
        yield name, "unreadable", None


def leaves_of_kind(name, value, kind, depth):
    if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        yield from leaves(name, value.referenced_value(), depth)
    elif kind.code == gdb.TYPE_CODE_PTR:
        target = kind.target().strip_typedefs()
        yield name, "text" if is_char(target) else "pointer", (
            value.string(encoding="latin-1", errors="strict") if is_char(target) and int(value)
            else hex(int(value)))
        if target.code == gdb.TYPE_CODE_STRUCT and int(value) and depth < MAX_DEPTH:
            yield from members(name + "->", value.dereference(), target, depth + 1)
    elif kind.code == gdb.TYPE_CODE_STRUCT and (kind.name or "").startswith("std::"):
        if "basic_string<char" in kind.name:
            data, size = value["_M_dataplus"]["_M_p"], int(value["_M_string_length"])
            if 0 <= size < 4096:  # else it is not constructed yet
                yield name, "text", data.string(encoding="latin-1", length=size)
    elif kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        if depth < MAX_DEPTH:
            yield from members(name + ".", value, kind, depth + 1)
    elif kind.code == gdb.TYPE_CODE_ARRAY:
        low, high = kind.range()
        if is_char(kind.target()):
            raw = bytes(int(value[i]) & 255 for i in range(low, high + 1))
            yield name, "text", raw.split(b"\0")[0].decode("latin-1")
        else:
            for i in range(low, min(high + 1, low + MAX_ITEMS)):
                yield from leaves(f"{name}[{i}]", value[i], depth + 1)
    elif kind.code == gdb.TYPE_CODE_ENUM:
        yield name, "enum", str(value).rsplit("::", 1)[-1]
    elif kind.code == gdb.TYPE_CODE_BOOL:
        yield name, "bool", bool(value)
    elif kind.code == gdb.TYPE_CODE_FLT:
        yield name, "real", value.format_string() if kind.sizeof > 8 else repr(float(value))
    elif kind.code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR):
        yield name, "char" if is_char(kind) else "scalar", int(value)


def members(prefix, value, kind, depth):
    """Those of the base classes too, under the object's own name."""
    for field in kind.fields():
        if not hasattr(field, "bitpos"):  # a static one
            continue
        if field.is_base_class:
            yield from members(prefix, value.cast(field.type), field.type.strip_typedefs(), depth)
        elif field.name:
            yield from leaves(prefix + field.name, value[field.name], depth)


def locals_of(frame):
    """Every variable that a name means here: inner ones hide outer ones."""
    found, block = {}, frame.block()
    while block is not None and not block.is_global and not block.is_static:
        for symbol in block:
            if (symbol.is_variable or symbol.is_argument) and symbol.print_name not in found:
                if symbol.symtab and not symbol.print_name.startswith("__"):
                    found[symbol.print_name] = symbol
        if block.function is not None:
            break
        block = block.superblock
    return found


def take(out, offset):
    frame = gdb.newest_frame()
    values = {}
    for name, symbol in locals_of(frame).items():
        try:
            value = symbol.value(frame)
            for expression, kind, shown in leaves(name, value):
                values[expression] = {"kind": kind, "value": shown}
        except (gdb.error, UnicodeDecodeError) as error:
            values[name] = {"kind": "error", "value": None, "error": str(error)}
    place = frame.find_sal()
    out.write(json.dumps({"offset": offset, "line": place.line, "function": frame.name(),
                          "inline": frame.type() == gdb.INLINE_FRAME, "values": values}) + "\n")


def load_address(program):
    mappings = gdb.execute("info proc mappings", to_string=True)
    return min(int(line.split()[0], 16) for line in mappings.splitlines() if line.endswith(program))


def main():
    gdb.execute("set pagination off")
    gdb.execute("set confirm off")
    base = load_address(gdb.current_progspace().filename)
    points = {}
    for offset in PLACES:
        points[base + offset] = [gdb.Breakpoint(f"*{base + offset:#x}", internal=True), offset, 0]
    with open(OUT, "w") as out:
        while any(point[2] < HITS for point in points.values()):
            try:
                gdb.execute("continue", to_string=True)
                pc = gdb.newest_frame().pc()
            except gdb.error as error:
                print(error)
                break
            if pc not in points:
                print("stopped elsewhere")
                break
            point = points[pc]
            take(out, point[1])
            point[2] += 1
            point[0].enabled = point[2] < HITS


main()
