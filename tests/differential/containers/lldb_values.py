"""Run by LLDB in a stopped twin: the variables at the places asked for, by walking what
LLDB's formatters give as children. Only texts, which have none, are read from what it
prints of them.

The environment has ORDER, JSON as gdb_values.py takes it.
"""

import json
import os
import re
import sys

import lldb

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True
from normal import LONGEST, MOST, short_name  # noqa: E402

MAX_DEPTH = 7
ESCAPES = {"n": 10, "r": 13, "t": 9, "a": 7, "b": 8, "f": 12, "v": 11, "e": 27, "0": 0}
CHARACTERS = {lldb.eBasicTypeChar: 1, lldb.eBasicTypeSignedChar: 1, lldb.eBasicTypeChar8: 1,
              lldb.eBasicTypeChar16: 2, lldb.eBasicTypeChar32: 4, lldb.eBasicTypeWChar: 4,
              lldb.eBasicTypeSignedWChar: 4}
FLOATS = (lldb.eBasicTypeFloat, lldb.eBasicTypeDouble, lldb.eBasicTypeLongDouble)


def unescaped(summary):
    """The UTF-8 bytes of what stands between the quotes; None where it was cut."""
    match = re.fullmatch(r'\s*(?:u8|u|U|L)?"(.*)"', summary, re.S)
    if not match:
        return None

    def code(found):
        text = found[1]
        if text[0] in "xuU" and len(text) > 1:
            number = int(text[1:], 16)
            return bytes([number]) if text[0] == "x" else chr(number).encode("utf-8", "surrogatepass")
        return bytes([ESCAPES[text]]) if text in ESCAPES else text.encode()

    parts = re.split(r"(\\(?:x[0-9a-f]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.))", match[1],
                     flags=re.S)
    return b"".join(code([part, part[1:]]) if part.startswith("\\") and len(part) > 1
                    else part.encode("utf-8", "surrogatepass") for part in parts)


def text(value):
    summary = value.GetSummary()
    raw = unescaped(summary) if summary else b"" if summary == "" else None
    if raw is None:
        return ["none", f"LLDB prints {summary!r}"]
    return ["text", 0, raw[:LONGEST].hex()]


def children(value):
    count = value.GetNumChildren()
    return count, [value.GetChildAtIndex(i) for i in range(min(count, MOST))]


def scalar(value, kind):
    basic = kind.GetBasicType()
    if basic == lldb.eBasicTypeBool:
        return ["bool", value.GetValueAsUnsigned()]
    if kind.GetTypeClass() == lldb.eTypeClassEnumeration:
        return ["enum", value.GetValueAsUnsigned()]
    if basic in FLOATS:
        return ["real", kind.GetByteSize(), value.GetValue()]
    signed = kind.GetTypeFlags() & lldb.eTypeIsSigned
    return ["int", value.GetValueAsSigned() if signed else value.GetValueAsUnsigned()]


def tells_its_class(kind):
    return kind.GetTypeClass() in (lldb.eTypeClassStruct, lldb.eTypeClassClass) and \
        kind.IsPolymorphicClass()


def real_object(value):
    """What a pointer to an object with a vtable pointer leads to, as what it really is."""
    whole = value.GetDynamicValue(lldb.eDynamicDontRunTarget)
    whole = (whole if whole.IsValid() else value).Dereference()
    kind = whole.GetType().GetCanonicalType().GetUnqualifiedType()
    return ["class", kind.GetName(), plain(whole, kind, 0)]


def pointed_to(value, depth):
    target = value.GetType().GetCanonicalType().GetPointeeType().GetCanonicalType()
    classes = (lldb.eTypeClassStruct, lldb.eTypeClassClass, lldb.eTypeClassBuiltin)
    if tells_its_class(target) and value.GetValueAsUnsigned():
        return real_object(value)
    can = target.GetTypeClass() in classes and target.GetByteSize() > 0
    return shown(value.Dereference(), depth + 1) if can and value.GetValueAsUnsigned() else None


def smart(name, value, depth):
    pointer = value.GetChildAtIndex(0)
    counts = re.search(r"strong=(\d+) weak=(\d+)", value.GetSummary() or "")
    if not pointer.IsValid():
        return ["none", "LLDB shows no pointer"]
    if not pointer.GetType().GetCanonicalType().IsPointerType():
        return ["none", "LLDB's formatter gives no pointer"]
    address = pointer.GetValueAsUnsigned()
    if address == 0:
        return ["smart", 0, None, None]
    # Its weak count takes all owners together for one more that watches.
    uses = int(counts[1]) if counts else 0
    owners = [uses, int(counts[2]) - (uses > 0)] if counts else None
    gone = owners and owners[0] == 0
    return ["smart", address, owners, None if gone else pointed_to(pointer, depth)]


def of_library(name, value, depth):
    if name in ("basic_string", "basic_string_view"):
        return text(value)
    if name in ("unique_ptr", "shared_ptr", "weak_ptr"):
        return smart(name, value, depth)
    if name in ("__cow_string", "__libcpp_refstring", "duration", "time_point", "function", "atomic_flag"):
        return ["none", "LLDB gives no children"]
    if name == "monostate":
        return ["struct", []]
    count, items = children(value)
    if name == "pair":
        return ["struct", [[item.GetName(), shown(item, depth + 1)] for item in items]]
    items = [shown(item, depth + 1) for item in items]
    named = [value.GetChildAtIndex(i).GetName() or "" for i in range(min(count, 1))]
    if named and not re.match(r"\[|Value|__cc_|value", named[0]):
        return ["none", f"LLDB has no formatter: {named[0]}"]
    if name == "optional":
        return ["optional", items]
    if name == "variant":
        return ["variant", -1, items[0]] if items else ["variant", None]
    if name == "tuple":
        return ["tuple", items]
    if name == "atomic":
        return items[0] if items else ["none", "LLDB gives no value"]
    if "map" in name:
        pairs = [[item[1][0][1], item[1][1][1]] if item[0] == "struct" and len(item[1]) == 2
                 else item for item in items]
        return ["map", count, pairs]
    return ["set" if "set" in name else "array", count, items]


def plain(value, kind, depth):
    type_class = kind.GetTypeClass()
    if type_class == lldb.eTypeClassReference:
        if tells_its_class(kind.GetDereferencedType().GetCanonicalType()):
            return real_object(value)
        return shown(value.Dereference(), depth)
    if type_class == lldb.eTypeClassPointer:
        target = kind.GetPointeeType().GetCanonicalType().GetUnqualifiedType()
        if target.GetBasicType() in CHARACTERS and value.GetValueAsUnsigned():
            return text(value)
        return ["pointer", value.GetValueAsUnsigned(), pointed_to(value, depth)]
    if type_class == lldb.eTypeClassArray:
        element = kind.GetArrayElementType().GetCanonicalType().GetUnqualifiedType()
        if element.GetBasicType() in CHARACTERS:
            return text(value)
        count, items = children(value)
        return ["array", count, [shown(item, depth + 1) for item in items]]
    if type_class in (lldb.eTypeClassStruct, lldb.eTypeClassClass, lldb.eTypeClassUnion):
        return ["struct", [[item.GetName(), shown(item, depth + 1)]
                           for item in children(value)[1] if item.GetName()]]
    return scalar(value, kind)


def shown(value, depth=0):
    if depth > MAX_DEPTH:
        return ["none", "deeper than is compared"]
    if not value.IsValid() or value.GetError().Fail():
        return ["none", f"LLDB: {value.GetError().GetCString()}"]
    kind = value.GetType().GetCanonicalType().GetUnqualifiedType()
    name = short_name(kind.GetName() or "")
    if kind.IsPointerType() or kind.IsReferenceType() or tells_its_class(kind):
        name = ""
    return of_library(name, value, depth) if name else plain(value, kind, depth)


def variables(frame):
    found = {}
    for value in frame.GetVariables(True, True, False, True):
        found.setdefault(value.GetName(), shown(value))
    return found


def main(debugger):
    order = json.loads(os.environ["ORDER"])
    debugger.SetAsync(False)
    debugger.HandleCommand("settings set target.max-children-count 4000")
    debugger.HandleCommand("settings set target.max-string-summary-length 4096")
    target, error = debugger.CreateTarget(""), lldb.SBError()
    process = target.AttachToProcessWithID(debugger.GetListener(), order["pid"], error)
    if error.Fail():
        raise RuntimeError(error.GetCString())
    points = {}
    for place, addresses in order["places"].items():
        for address in addresses:
            target.BreakpointCreateByAddress(address)
            points[address] = place
    open(order["output"] + ".ready", "w").close()
    seen = {}
    while len(seen) < len(order["places"]):
        process.Continue()
        thread = next((t for t in process if t.GetStopReason() == lldb.eStopReasonBreakpoint), None)
        if thread is None or thread.GetFrameAtIndex(0).GetPC() not in points:
            break
        frame = thread.GetFrameAtIndex(0)
        seen.setdefault(points[frame.GetPC()], variables(frame))
    with open(order["output"], "w") as file:
        json.dump(seen, file)
    process.Kill()


def __lldb_init_module(debugger, _):
    main(debugger)
