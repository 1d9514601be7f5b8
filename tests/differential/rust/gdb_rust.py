"""Run by GDB on a process that it attached to: at each of LINES once, all arguments
and locals of the frame as a tree, and the functions that led there.

Variables (set with -ex "python ..."): FILE, LINES, OUT (a path: one JSON object a line).

A tree is {"kind": ..., "type": ..., ...}: GDB itself says which variant of an enum is
there; containers are taken apart by the printers that come with the compiler
(rust-gdb), where there is one, under "shown".
"""

import json
import os
import sys

import gdb

sys.path.insert(0, "/usr/lib/rustlib/etc")
import gdb_lookup  # noqa: E402

DEEPEST = 7
MOST = 200


def text_of(value, length):
    return gdb.selected_inferior().read_memory(int(value), length).tobytes() if length else b""


def integer(value, kind):
    """GDB makes no Python number of 16 bytes."""
    if kind.sizeof <= 8:
        return int(value)
    if value.address is None:
        raise gdb.error("16 bytes in registers")
    return int.from_bytes(text_of(value.address, kind.sizeof), "little",
                          signed=str(kind).startswith("i"))


def pointer(value, depth):
    node = {"kind": "pointer", "address": int(value)}
    if depth > 0 and int(value) != 0:
        try:
            target = value.dereference()
            target.fetch_lazy()
            node["target"] = tree(target, depth - 1)
        except gdb.error:
            pass
    return node


def shared(value):
    """What an Rc or Arc of a str or a slice holds, which no printer shows."""
    fat = value["ptr"]["pointer"]
    if "length" not in [field.name for field in fat.type.fields()]:
        return None
    box = fat["data_ptr"].dereference()
    inner = box["data"] if "data" in [field.name for field in box.type.fields()] else box["value"]
    length = int(fat["length"])
    if str(value.type).split("<", 1)[1].startswith("str"):
        return {"kind": "text", "value": text_of(inner.address, length).decode("utf-8")}
    return {"kind": "array", "items": [tree((inner.address + i).dereference(), 1)
                                       for i in range(length)]}


def shown(value, depth):
    """What the pretty-printer makes of a container."""
    if str(value.type).startswith(("alloc::rc::Rc<", "alloc::sync::Arc<")):
        return shared(value)
    printer = gdb.default_visualizer(value)
    if printer is None or not hasattr(printer, "display_hint"):
        return None
    hint = printer.display_hint()
    if hint == "string":
        text = printer.to_string()
        if hasattr(text, "length"):  # a lazy string
            text = text_of(text.address, text.length).decode("utf-8")
        return {"kind": "text", "value": str(text)}
    if hint in ("array", "map"):
        items = []
        for _, item in printer.children():
            if len(items) == MOST:
                break
            items.append(tree(item, depth - 1) if isinstance(item, gdb.Value) else None)
        return {"kind": hint, "items": items}
    return None


def record(value, depth):
    fields = [field for field in value.type.fields() if hasattr(field, "bitpos")]
    if any(field.artificial and field.name is None for field in fields):
        active = [field for field in fields if field.name is not None]
        if len(active) != 1:
            return {"kind": "odd"}
        return {"kind": "alternative", "name": active[0].name, "fields": tree(value[active[0]], depth)}
    return {"kind": "struct",
            "fields": {field.name or "": tree(value[field], depth) for field in fields}}


def tree(value, depth):
    try:
        if value.is_optimized_out:
            return {"kind": "gone"}
        kind = value.type.strip_typedefs()
        node = {"kind": "odd"}
        if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
            node = record(value, depth)
            if depth > 0 and node["kind"] == "struct":
                try:
                    made = shown(value, depth)
                except (gdb.error, RuntimeError, UnicodeError, TypeError, KeyError, ValueError):
                    made = None
                if made:
                    node["shown"] = made
        elif kind.code == gdb.TYPE_CODE_ARRAY:
            low, high = kind.range()
            node = {"kind": "array",
                    "items": [tree(value[i], depth) for i in range(low, min(high, low + MOST) + 1)]}
        elif kind.code in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_REF):
            node = pointer(value, depth)
        elif kind.code == gdb.TYPE_CODE_FLT:
            node = {"kind": "float", "value": repr(float(value)), "size": kind.sizeof}
        elif kind.code == gdb.TYPE_CODE_ENUM:
            node = {"kind": "enum", "value": str(value).rsplit("::", 1)[-1]}
        elif kind.sizeof == 0:
            node = {"kind": "struct", "fields": {}}
        elif kind.code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_CHAR):
            node = {"kind": "integer", "value": str(integer(value, kind))}
        node["type"] = str(value.type)
        return node
    except gdb.error as problem:
        return {"kind": "gone" if "optimized out" in str(problem) else "odd", "why": str(problem)}


def variables(frame):
    found = {}
    block = frame.block()
    while block is not None:
        for symbol in block:
            if (symbol.is_variable or symbol.is_argument) and symbol.name not in found:
                if symbol.addr_class == gdb.SYMBOL_LOC_STATIC:
                    continue
                try:
                    found[symbol.name] = tree(symbol.value(frame), DEEPEST)
                except gdb.error as problem:
                    found[symbol.name] = {"kind": "odd", "why": str(problem)}
        if block.function is not None:
            break
        block = block.superblock
    return found


def frames():
    frame = gdb.newest_frame()
    while frame is not None:
        place = frame.find_sal()
        file = os.path.basename(place.symtab.filename) if place.symtab else ""
        yield [frame.name() or "", file, place.line if place.symtab else 0]
        frame = frame.older()


gdb.pretty_printers.append(gdb_lookup.lookup)
gdb.execute("set pagination off")
gdb.execute("set debuginfod enabled off")
gdb.execute("set backtrace past-main on")
gdb.execute("set python print-stack full")
with open(OUT, "w") as out:  # noqa: F821
    for line in LINES:  # noqa: F821
        try:
            stop = gdb.Breakpoint(f"{FILE}:{line}", temporary=True)  # noqa: F821
            gdb.execute("continue", to_string=True)
            answer = {"line": line, "values": variables(gdb.selected_frame()),
                      "frames": list(frames())}
        except gdb.error as problem:
            answer = {"line": line, "error": str(problem)}
        print(json.dumps(answer), file=out, flush=True)
gdb.execute("detach", to_string=True)
