"""For scripts that GDB runs: the variables of a frame, as bytes."""

import struct

import gdb

LARGEST = 512
MASK = (1 << 64) - 1
SCALARS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_ENUM,
           gdb.TYPE_CODE_PTR)


def scalar_bytes(value, kind):
    """A scalar's bytes, for values that are in no memory."""
    if kind.code == gdb.TYPE_CODE_FLT:
        if kind.sizeof not in (4, 8):
            return None
        return struct.pack("<f" if kind.sizeof == 4 else "<d", float(value))
    return (int(value) & ((1 << (8 * kind.sizeof)) - 1)).to_bytes(kind.sizeof, "little")


def leaves(value, offset):
    """Yields (offset, bytes) for each scalar of a value that is in no memory."""
    kind = value.type.strip_typedefs()
    if value.is_optimized_out:
        return
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        for field in kind.fields():
            is_plain = hasattr(field, "bitpos") and field.bitsize == 0
            if is_plain and not getattr(field, "artificial", False):
                yield from leaves(value[field], offset + field.bitpos // 8)
    elif kind.code == gdb.TYPE_CODE_ARRAY:
        low, high = kind.range()
        step = kind.target().sizeof
        for index in range(low, min(high + 1, low + 64)):
            yield from leaves(value[index], offset + (index - low) * step)
    elif kind.code in SCALARS or kind.code == gdb.TYPE_CODE_FLT:
        data = scalar_bytes(value, kind)
        if data is not None:
            yield offset, data


def describe(value):
    """(state, address or 0, parts) of one variable's value."""
    kind = value.type.strip_typedefs()
    if value.is_optimized_out:
        return "optimized-out", 0, []
    if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        target = value.referenced_value().address
        if target is None:
            return "optimized-out", 0, []
        return "value", 0, [(0, struct.pack("<Q", int(target) & MASK))]
    if value.address is not None:
        at = int(value.address) & MASK
        size = min(value.type.sizeof, LARGEST)
        return "value", at, [(0, bytes(gdb.selected_inferior().read_memory(at, size)))]
    parts = list(leaves(value, 0))
    return ("value", 0, parts) if parts else ("optimized-out", 0, [])


def variables(block):
    """The variables of this block and of those around it, up to the function or the
    inlined copy."""
    while block is not None and not block.is_global and not block.is_static:
        for symbol in block:
            is_constant = symbol.is_constant and symbol.type.code != gdb.TYPE_CODE_ENUM
            if (symbol.is_variable or symbol.is_argument or is_constant) and symbol.name:
                yield symbol
        if block.function is not None:
            return
        block = block.superblock


def seen(symbol, frame):
    """(size, state, address or 0, parts) of a variable."""
    size = 0
    try:
        size = symbol.type.sizeof
        value = symbol.value(frame) if symbol.needs_frame else symbol.value()
        size = value.type.sizeof
        return size, *describe(value)
    except (gdb.error, OverflowError):
        return size, "error", 0, []


def variable_line(symbol, frame):
    size, state, address, parts = seen(symbol, frame)
    text = " ".join(f"{offset}={data.hex()}" for offset, data in parts if data)
    return f"variable {symbol.name} {symbol.line} {size} {state} {address:x} {text}".rstrip()
