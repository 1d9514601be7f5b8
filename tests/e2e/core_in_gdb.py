"""Run by GDB on a core file: says, as one line of JSON, which functions led there up to
main, and what their arguments and locals are. What cannot be read is null; a pointer is {"@": address} and the members of the struct that it leads to.
"""

import json

import gdb

MOST_MEMBERS = 64


def text_of(value):
    raw = value.bytes if hasattr(value, "bytes") else bytes(
        int(value[i]) & 255 for i in range(value.type.sizeof))
    return raw.split(b"\0")[0].decode("latin-1")


def shown(value, depth=3):
    try:
        if value.is_optimized_out:
            return None
        kind = value.type.strip_typedefs()
        if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
            return shown(value.referenced_value(), depth)
        if kind.code == gdb.TYPE_CODE_PTR:
            target = kind.target().strip_typedefs()
            if target.code == gdb.TYPE_CODE_INT and target.sizeof == 1:
                return value.string("latin-1")
            followed = {}
            if target.code == gdb.TYPE_CODE_STRUCT and depth > 0 and int(value) != 0:
                followed = shown(value.dereference(), depth - 1)
            return {"@": int(value), **(followed if isinstance(followed, dict) else {})}
        printer = gdb.default_visualizer(value)
        if printer is not None and printer.display_hint() == "string":
            content = printer.to_string()
            return content if isinstance(content, str) else content.value().string(
                length=content.length)
        if printer is not None:
            return [shown(item, depth - 1) for _, item in printer.children()]
        if kind.code == gdb.TYPE_CODE_STRUCT:
            return {field.name: shown(value[field], depth) for field in kind.fields()
                    if not field.is_base_class and field.name}
        if kind.code == gdb.TYPE_CODE_ARRAY:
            item = kind.target().strip_typedefs()
            if item.code == gdb.TYPE_CODE_INT and item.sizeof == 1 and item.is_signed:
                return text_of(value)
            first, last = kind.range()
            return [shown(value[i], depth) for i in range(first, min(last, MOST_MEMBERS) + 1)]
        return float(value) if kind.code == gdb.TYPE_CODE_FLT else int(value)
    except (gdb.error, gdb.MemoryError, UnicodeDecodeError):
        return None


def value_of(symbol, frame):
    try:
        return shown(symbol.value(frame))
    except (gdb.error, gdb.MemoryError):
        return None


def variables(frame):
    found = {}
    try:
        block = frame.block()
    except RuntimeError:  # there is no debug information
        return found
    while block is not None and not block.is_global and not block.is_static:
        for symbol in block:
            if symbol.is_variable or symbol.is_argument:
                found.setdefault(symbol.name, value_of(symbol, frame))
        if block.function is not None:
            break
        block = block.superblock
    return found


def frames():
    frame = gdb.newest_frame()
    while frame is not None:
        frame.select()
        yield {"function": frame.name(), "line": frame.find_sal().line,
               "values": variables(frame)}
        if frame.name() == "main":
            return
        frame = frame.older()


gdb.execute("set pagination off")
print("CORE " + json.dumps(list(frames())), flush=True)
