"""Whether nohalt's value and GDB's are the same, each in its own spelling."""

import decimal
import re
import struct

ABSENT = ("optimized_out", "unreadable", "unavailable", "redacted")


def text_of(record):
    """As GDB gives it: one character a byte."""
    text = record["value"]
    if record.get("encoding") == "escaped":
        return re.sub(r"\\(x[0-9a-f]{2}|u\{[0-9a-f]+\}|.)|[^\0-\x7f]", _unescaped, text)
    return text.encode().decode("latin-1")


def _unescaped(match):
    code = match[1]
    if code is None:
        return match[0].encode().decode("latin-1")
    if code[0] == "x" and len(code) == 3:
        return chr(int(code[1:], 16))
    if code[0] == "u" and len(code) > 1:
        return chr(int(code[2:-1], 16)).encode().decode("latin-1")
    return {"n": "\n", "t": "\t", "r": "\r"}.get(code, code)


def address_in(shown):
    """A pointer that was followed stands beside what it leads to."""
    return int(shown["address"] if isinstance(shown, dict) else shown, 16)


def same_real(bits, gdb_value, shown):
    if "nan" in gdb_value or "nan" in str(shown):
        return gdb_value == str(shown)
    if bits == 32:
        return struct.pack("f", float(shown)) == struct.pack("f", float(gdb_value))
    if bits == 64:
        return struct.pack("d", float(shown)) == struct.pack("d", float(gdb_value))
    # GDB prints 18 digits of a long double.
    ours, theirs = decimal.Decimal(str(shown)), decimal.Decimal(gdb_value)
    if ours.is_infinite() or theirs.is_infinite():
        return ours == theirs
    return abs(ours - theirs) <= abs(theirs) * decimal.Decimal("1e-17")


def same(kind, gdb_value, record):
    shown = record["value"]
    if kind == "text":
        ours = text_of(record)
        if record["state"] == "truncated":
            return gdb_value.startswith(ours) and len(gdb_value) >= len(ours) > 0
        return ours == gdb_value
    if kind == "pointer":
        return address_in(shown) == int(gdb_value, 16)
    if kind == "enum":
        number, name, bits = gdb_value
        # GDB takes an enum without a negative name for unsigned, whatever it is made of.
        return str(shown) == name or (isinstance(shown, int) and (shown - number) % (1 << bits) == 0)
    if kind == "bool":
        return shown == gdb_value  # not yet constructed it may be any number
    if kind.startswith("real"):
        return same_real(int(kind[4:]), gdb_value, shown)
    return str(shown) == str(gdb_value)


def judge(seen, record):
    """Which column one value falls into."""
    kind, value, state = seen["kind"], seen["value"], record["state"]
    if kind == "error":
        return "GDB fails: " + seen["error"]
    if kind == "null text" and state != "redacted":
        null = state == "unreadable" and record["value"] == "0x0" and record["why"].endswith("null")
        return "equal" if null else "DIFFERENT"
    if state in ABSENT:
        return "both without" if value is None else f"only gdb: {record.get('why', state)}"
    if value is None:
        return "only nohalt"
    if not same(kind, value, record):
        return "DIFFERENT"
    return "equal" if state == "exact" else "equal as far as captured"
