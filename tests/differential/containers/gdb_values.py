"""Run by GDB in a stopped twin: the variables at the places asked for, by walking what
GDB's own pretty-printers give (children(), not their text).

Variables (set with -ex "python ..."): FOLDER, where normal.py is, and ORDER, a
dictionary of "pid", "places" {name: [address, ...]}, "skip" ["place variable", ...] and
"output", the file to write: {place: {variable: value}}. Creates "output" + ".ready" once it
may be told to go, and names in "output" + ".at" what it looks at: GDB 13 dies of some values
that are in pieces.
"""

import itertools
import json
import sys

import gdb

sys.path.insert(0, FOLDER)
sys.dont_write_bytecode = True
from normal import LONGEST, MOST, short_name  # noqa: E402

MAX_DEPTH = 7
COUNTED = 100_000  # what is half optimised out may say anything of its size


def counted(items):
    """The first of them, and how many there are."""
    first = list(itertools.islice(items, MOST))
    return len(first) + sum(1 for _ in itertools.islice(items, COUNTED)), first


def text_bytes(pointer, count, unit):
    raw = b""
    if count:
        size = min(int(count) * unit, LONGEST)
        raw = gdb.selected_inferior().read_memory(int(pointer), size).tobytes()
    return ["text", unit, raw.hex()]


def scalar(value, kind):
    if kind.code == gdb.TYPE_CODE_BOOL:
        return ["bool", int(value)]
    if kind.code == gdb.TYPE_CODE_ENUM:
        return ["enum", int(value)]
    if kind.code == gdb.TYPE_CODE_FLT:
        return ["real", kind.sizeof, value.format_string()]
    return ["int", int(value)]


def is_character(kind):
    return kind.code == gdb.TYPE_CODE_CHAR or kind.name in ("char", "wchar_t", "signed char")


def tells_its_class(kind):
    return kind.code == gdb.TYPE_CODE_STRUCT and any(
        (field.name or "").startswith("_vptr")
        or field.is_base_class and tells_its_class(field.type.strip_typedefs())
        for field in kind.fields())


def real_object(pointer):
    """What a pointer to an object with a vtable pointer leads to, as what it really is."""
    plainly = pointer.cast(pointer.type.strip_typedefs().target().strip_typedefs().pointer())
    whole = plainly.cast(plainly.dynamic_type).dereference()
    kind = whole.type.strip_typedefs()
    return ["class", str(kind.unqualified()), ["struct", members(whole, kind, 0)]]


def members(value, kind, depth):
    """Those of bases too."""
    found = []
    for field in kind.fields():
        if not hasattr(field, "bitpos") or not field.name or field.name.startswith("_vptr"):
            continue
        if field.is_base_class:
            base = field.type.strip_typedefs()
            found.append([field.name, ["struct", members(value[field], base, depth + 1)]])
        else:
            found.append([field.name, shown(value[field], depth + 1)])
    return found


def plain(value, kind, depth):
    """What the language has."""
    if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        if tells_its_class(kind.target().strip_typedefs()):
            return real_object(value.referenced_value().address)
        return shown(value.referenced_value(), depth)
    if kind.code == gdb.TYPE_CODE_PTR:
        target = kind.target().strip_typedefs()
        if is_character(target) and int(value):
            count = next(i for i in range(LONGEST) if int(value[i]) == 0)
            return text_bytes(value, count, target.sizeof)
        return ["pointer", int(value), pointed_to(value, depth)]
    if kind.code == gdb.TYPE_CODE_ARRAY:
        low, high = kind.range()
        target = kind.target().strip_typedefs()
        if is_character(target):
            count = next((i for i in range(high + 1) if int(value[i]) == 0), high + 1)
            return text_bytes(value.address, count, target.sizeof)
        size, items = counted(value[i] for i in range(low, high + 1))
        return ["array", size, [shown(item, depth + 1) for item in items]]
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        return ["struct", [[field.name, shown(value[field.name], depth + 1)]
                           for field in kind.fields()
                           if hasattr(field, "bitpos") and field.name and not field.is_base_class]]
    return scalar(value, kind)


def pointed_to(value, depth):
    target = value.type.strip_typedefs().target().strip_typedefs()
    if tells_its_class(target) and int(value):
        return real_object(value)
    can = target.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_INT, gdb.TYPE_CODE_FLT)
    return shown(value.dereference(), depth + 1) if can and int(value) else None


def by_hand(name, value, depth):
    """Of the library, where there is no printer for it."""
    if name == "array":
        if not any(field.name == "_M_elems" for field in value.type.strip_typedefs().fields()):
            return ["none", "no items"]
        if value["_M_elems"].type.strip_typedefs().code != gdb.TYPE_CODE_ARRAY:
            return ["array", 0, []]
        return shown(value["_M_elems"], depth)
    if name == "pair":
        return ["struct", [[half, shown(value[half], depth + 1)] for half in ("first", "second")]]
    if name == "duration":
        return ["time", scalar(value["__r"], value["__r"].type.strip_typedefs())]
    if name == "time_point":
        return by_hand("duration", value["__d"], depth)
    if name == "function":
        return ["function", int(value["_M_manager"]) != 0]
    if name == "__cow_string":
        return shown(value["_M_p"], depth)
    if name == "atomic_flag":
        return shown(value["_M_i"], depth)
    return None


def printed(name, printer, value, depth):
    hint = printer.display_hint() if hasattr(printer, "display_hint") else None
    if hint == "string":
        lazy = printer.to_string()
        if isinstance(lazy, gdb.Value):
            return plain(lazy, lazy.type.strip_typedefs(), depth)
        unit = lazy.type.strip_typedefs().target().sizeof
        if lazy.length < 0:
            raise gdb.error("a text of unknown length")
        return text_bytes(lazy.address, lazy.length, unit)
    children = printer.children() if hasattr(printer, "children") else iter(())
    if name == "optional":
        # Of a container in it the printer gives that one's children.
        payload = value["_M_payload"]
        if not bool(payload["_M_engaged"]):
            return ["optional", []]
        return ["optional", [shown(payload["_M_payload"]["_M_value"], depth + 1)]]
    if name == "variant":
        items = [shown(child, depth + 1) for _, child in children]
        return ["variant", int(value["_M_index"]), items[0]] if items else ["variant", None]
    if name == "tuple":
        return ["tuple", [shown(child, depth + 1) for _, child in children]]
    if name in ("unique_ptr", "shared_ptr", "weak_ptr"):
        return smart(name, children, value, depth)
    if name == "atomic":
        items = [shown(child, depth) for _, child in children]
        return items[0] if items else ["none", "GDB's printer gives no value"]
    if hint == "map":
        size, items = counted(child for _, child in children)
        pairs = zip(items[::2], items[1::2])
        return ["map", size // 2, [[shown(key, depth + 1), shown(item, depth + 1)]
                                   for key, item in pairs]]
    size, items = counted(child for _, child in children)
    kind = "set" if "set" in name else "array"
    return [kind, size, [shown(item, depth + 1) if isinstance(item, gdb.Value)
                         else ["bool", int(item)] for item in items]]


def smart(name, children, value, depth):
    pointers = [child for _, child in children]
    counts = None
    if not pointers:
        return ["smart", 0, None, None]
    if name != "unique_ptr":
        block = value["_M_refcount"]["_M_pi"]
        if int(block):
            uses = int(block["_M_use_count"])
            counts = [uses, int(block["_M_weak_count"]) - (uses > 0)]
    pointer = pointers[0]
    gone = name != "unique_ptr" and counts and counts[0] == 0
    return ["smart", int(pointer), counts, None if gone else pointed_to(pointer, depth)]


def shown(value, depth=0):
    if depth > MAX_DEPTH:
        return ["none", "deeper than is compared"]
    try:
        if value.is_optimized_out:
            return ["none", "optimised out"]
        kind = value.type.strip_typedefs()
        printer = gdb.default_visualizer(value)
        name = short_name(kind.name or "")
        if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
            found = by_hand(name, value, depth)
            if found is not None:
                return found
            if printer is not None:
                return printed(name, printer, value, depth)
        return plain(value, kind, depth)
    except (gdb.error, gdb.MemoryError, RuntimeError, StopIteration,
            TypeError) as error:
        return ["none", f"GDB: {error}"]


def looked_at(place, symbol, frame):
    name = f"{place} {symbol.print_name}"
    if name in ORDER["skip"]:
        return ["none", "GDB dies of it"]
    with open(ORDER["output"] + ".at", "w") as file:
        file.write(name)
    return shown(symbol.value(frame))


def variables(place):
    frame = gdb.newest_frame()
    found, block = {}, frame.block()
    while block is not None and not block.is_global and not block.is_static:
        for symbol in block:
            if (symbol.is_variable or symbol.is_argument) and symbol.print_name not in found:
                found[symbol.print_name] = looked_at(place, symbol, frame)
        if block.function is not None:
            break
        block = block.superblock
    return found


def main():
    gdb.execute("set pagination off")
    gdb.execute("set confirm off")
    gdb.execute("maintenance set internal-error quit yes")
    gdb.execute("maintenance set internal-error corefile no")
    gdb.execute(f"attach {ORDER['pid']}", to_string=True)
    points = {address: (place, gdb.Breakpoint(f"*{address:#x}", internal=True))
              for place, addresses in ORDER["places"].items() for address in addresses}
    open(ORDER["output"] + ".ready", "w").close()
    seen = {}
    while len(seen) < len(ORDER["places"]):
        gdb.execute("continue", to_string=True)
        if gdb.newest_frame().pc() not in points:
            break
        place = points[gdb.newest_frame().pc()][0]
        if place not in seen:
            seen[place] = variables(place)
    with open(ORDER["output"], "w") as file:
        json.dump(seen, file)


main()
