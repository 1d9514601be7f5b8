"""Run by GDB, which it makes a servant: told by lines of JSON where to stop in a
process, it answers with what it sees there, and lets go of the process again.

Variables (set with -ex "python ..."): ORDERS and ANSWERS are open descriptors.
An order is {"pid", "places": {name: [address, ...]}, "hits", "end": function}:
at most `hits` stops of each place are looked at, until the function is reached.
Answered by "ready" once all breakpoints are set, then by a list of
{"place", "address", "values": {expression: {"kind", "value"}}}.
"""

import json
import os

import gdb

MAX_DEPTH, MAX_ITEMS = 2, 3


def is_byte(kind):
    return kind.code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR) and kind.sizeof == 1


def leaves(name, value, depth=0):
    """Yields (expression, kind, value or None) for all that can be compared."""
    if value.is_optimized_out:
        yield name, "scalar", None
        return
    try:
        yield from leaves_of_kind(name, value, value.type.strip_typedefs(), depth)
    except gdb.MemoryError:
        yield name, "unreadable", None


def leaves_of_kind(name, value, kind, depth):
    if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        yield from leaves(name, value.referenced_value(), depth)
    elif kind.code == gdb.TYPE_CODE_PTR:
        yield from of_pointer(name, value, kind.target().strip_typedefs(), depth)
    elif kind.code == gdb.TYPE_CODE_STRUCT and (kind.name or "").startswith("std::"):
        yield from of_text(name, value, kind.name.replace("__cxx11::", ""))
    elif kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        if depth < MAX_DEPTH:
            yield from members(name + ".", value, kind, depth + 1)
    elif kind.code == gdb.TYPE_CODE_ARRAY:
        yield from of_array(name, value, kind, depth)
    elif kind.code == gdb.TYPE_CODE_ENUM:
        shown = str(value).strip("()").replace("unknown: ", "")
        yield name, "enum", [int(value), shown.rsplit("::", 1)[-1], 8 * kind.sizeof]
    elif kind.code == gdb.TYPE_CODE_BOOL:
        yield name, "bool", int(value)
    elif kind.code == gdb.TYPE_CODE_FLT:
        shown = value.format_string()
        if "nan" in shown:
            shown = "-nan" if shown.startswith("-") else "nan"
        elif kind.sizeof <= 8:
            shown = repr(float(value))
        yield name, f"real{8 * kind.sizeof}", shown
    elif kind.code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR):
        yield name, "scalar", int(value)


def of_pointer(name, value, target, depth):
    if is_byte(target):
        text = value.string(encoding="latin-1", errors="strict") if int(value) else None
        yield name, "text" if int(value) else "null text", text
        return
    yield name, "pointer", hex(int(value))
    if target.code == gdb.TYPE_CODE_STRUCT and int(value) and depth < MAX_DEPTH:
        yield from members(name + "->", value.dereference(), target, depth + 1)


def of_text(name, value, kind):
    """Of the standard library's classes texts alone."""
    if kind.startswith("std::basic_string<char,"):
        data, size = value["_M_dataplus"]["_M_p"], int(value["_M_string_length"])
    elif kind.startswith("std::basic_string_view<char,"):
        data, size = value["_M_str"], int(value["_M_len"])
    else:
        return
    if 0 <= size < 4096:  # else it is not constructed yet
        yield name, "text", data.string(encoding="latin-1", length=size) if size else ""


def of_array(name, value, kind, depth):
    low, high = kind.range()
    if is_byte(kind.target().strip_typedefs()) and kind.target().strip_typedefs().is_signed:
        raw = bytes(int(value[i]) & 255 for i in range(low, high + 1))
        yield name, "text", raw.split(b"\0")[0].decode("latin-1")
    else:
        for i in range(low, min(high + 1, low + MAX_ITEMS)):
            yield from leaves(f"{name}[{i}]", value[i], depth + 1)


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
    """Every variable that a name means here: inner ones hide outer ones. Where an inlined
    call begins, GDB's frame is still the caller's; the block is the one that is entered."""
    found, block = {}, gdb.block_for_pc(frame.pc())
    while block is not None and not block.is_global and not block.is_static:
        for symbol in block:
            if (symbol.is_variable or symbol.is_argument) and symbol.print_name not in found:
                if symbol.symtab and not symbol.print_name.startswith("__"):
                    found[symbol.print_name] = symbol
        if block.function is not None:
            break
        block = block.superblock
    return found


def values_here():
    frame = gdb.newest_frame()
    values = {}
    for name, symbol in locals_of(frame).items():
        try:
            for expression, kind, shown in leaves(name, symbol.value(frame)):
                values[expression] = {"kind": kind, "value": shown}
        except (gdb.error, UnicodeDecodeError) as error:
            values[name] = {"kind": "error", "value": None, "error": str(error)}
    return values


def follow(order, answers):
    gdb.execute(f"attach {order['pid']}", to_string=True)
    points = {address: (place, gdb.Breakpoint(f"*{address:#x}", internal=True))
              for place, addresses in order["places"].items() for address in addresses}
    end = gdb.Breakpoint(order["end"], internal=True)
    answer(answers, "ready")
    stops, left = [], dict.fromkeys(order["places"], order["hits"])
    while True:
        gdb.execute("continue", to_string=True)
        address = gdb.newest_frame().pc()
        if end.hit_count or address not in points:
            break
        place = points[address][0]
        left[place] -= 1
        stops.append({"place": place, "address": address, "values": values_here()})
        if left[place] == 0:
            for other, point in points.values():
                point.enabled = point.enabled and other != place
    at_end = end.hit_count > 0
    for point in [end, *(point for _, point in points.values())]:
        point.delete()
    gdb.execute("detach", to_string=True)
    answer(answers, stops if at_end else f"stopped at {address:#x}")


def answer(answers, value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def main():
    gdb.execute("set pagination off")
    gdb.execute("set confirm off")
    gdb.execute("set displaced-stepping off")  # it would write to the page of `_start`
    with os.fdopen(ORDERS) as orders, os.fdopen(ANSWERS, "w") as answers:
        for line in orders:
            try:
                follow(json.loads(line), answers)
            except gdb.error as error:
                answer(answers, str(error))


main()
