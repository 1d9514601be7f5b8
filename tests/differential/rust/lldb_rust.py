"""Run by LLDB in a process that it attached to: at each of some lines once, all arguments
and locals of the frame, as the trees of gdb_rust.py.

The environment has ORDER, JSON: {"pid", "file", "lines", "output"} (a path: one JSON
object a line).

LLDB takes Rust's DWARF for C++'s: an enum with data is a struct of a union `$variants$` of
what its DWARF calls variants, each with the `$discr$` that tells which is there. Texts,
slices and vectors are taken apart by their members.
"""

import json
import os
import re

import lldb

DEEPEST = 7
MOST = 200
LONGEST = 1 << 16
FLOATS = (lldb.eBasicTypeFloat, lldb.eBasicTypeDouble)
RECORDS = (lldb.eTypeClassStruct, lldb.eTypeClassClass, lldb.eTypeClassUnion)


def member(value, *names):
    for name in names:
        value = value.GetChildMemberWithName(name)
    return value


def pieces(value, kind):
    """Of a text, a slice or a vector: (pointer to the first item, how many)."""
    if kind in ("&str", "&mut str") or kind.startswith(("&[", "&mut [")):
        return member(value, "data_ptr"), member(value, "length").GetValueAsUnsigned()
    if kind == "alloc::string::String":
        value = member(value, "vec")
    elif not kind.startswith("alloc::vec::Vec<"):
        return None
    pointer = member(value, "buf", "ptr", "pointer", "pointer")
    return pointer, member(value, "len").GetValueAsUnsigned()


def text_at(process, address, size):
    raw, error = b"", lldb.SBError()
    if size > LONGEST:  # not there yet
        return None
    if size:
        raw = process.ReadMemory(address, size, error)
    try:
        return {"kind": "text", "value": raw.decode("utf-8")} if error.Success() else None
    except UnicodeDecodeError:
        return None


def shown(value, kind, depth):
    found = pieces(value, kind)
    if found is None or not found[0].IsValid():
        return None
    first, count = found
    begin, item = first.GetValueAsUnsigned(), first.GetType().GetPointeeType()
    if kind.endswith("str") or kind == "alloc::string::String":
        return text_at(value.GetProcess(), begin, count)
    items = [first.CreateValueFromAddress("item", begin + i * item.GetByteSize(), item)
             for i in range(min(count, MOST))]
    return {"kind": "array", "items": [tree(each, depth - 1) for each in items]}


def last_word(name):
    """`Ok` of `core::result::Result<a::B, c::D>::Ok<a::B, c::D>:64`."""
    kept, depth = "", 0
    for c in re.sub(r":\d+$", "", name):
        depth += (c == "<") - (c == ">")
        kept += c if depth == 0 and c != ">" else ""
    return kept.rsplit("::", 1)[-1]


def alternative(variants, depth):
    """Which variant is there: the one that is named by what its own `$discr$` holds, or the
    one that is named by nothing."""
    default = None
    for variant in variants.children:
        name = variant.GetName().removeprefix("$variant$")
        discriminant = member(variant, "$discr$")
        if not name:
            default = variant
        elif discriminant.IsValid() and int(name) == discriminant.GetValueAsUnsigned():
            default = variant
            break
    if default is None:
        return {"kind": "odd"}
    content = member(default, "value")
    return {"kind": "alternative", "name": last_word(content.GetTypeName()),
            "fields": tree(content, depth)}


def record(value, kind, depth):
    variants = member(value, "$variants$")
    if variants.IsValid():
        return alternative(variants, depth)
    if not all(child.GetName() for child in value.children):
        return {"kind": "odd"}  # one of type `()`
    node = {"kind": "struct",
            "fields": {child.GetName(): tree(child, depth) for child in value.children}}
    made = shown(value, kind, depth) if depth > 0 else None
    return {**node, "shown": made} if made else node


def pointer(value, depth):
    node = {"kind": "pointer", "address": value.GetValueAsUnsigned()}
    target = value.Dereference()
    if depth > 0 and node["address"] and target.IsValid() and target.GetError().Success():
        node["target"] = tree(target, depth - 1)
    return node


def scalar(value, kind):
    if kind.GetTypeClass() == lldb.eTypeClassEnumeration:
        return {"kind": "enum", "value": (value.GetValue() or "").rsplit("::", 1)[-1]}
    if kind.GetBasicType() in FLOATS:
        return {"kind": "float", "value": value.GetValue(), "size": kind.GetByteSize()}
    error = lldb.SBError()
    raw = value.GetData().ReadRawData(error, 0, kind.GetByteSize())
    if error.Fail():
        return {"kind": "gone"}
    signed = bool(kind.GetTypeFlags() & lldb.eTypeIsSigned)
    return {"kind": "integer", "value": str(int.from_bytes(raw, "little", signed=signed))}


def tree(value, depth):
    value = value.GetNonSyntheticValue()
    if not value.IsValid() or value.GetError().Fail():
        return {"kind": "gone", "why": str(value.GetError())}
    kind = value.GetType().GetCanonicalType()
    name, of = kind.GetUnqualifiedType().GetName() or "", kind.GetTypeClass()
    if kind.IsPointerType() or kind.IsReferenceType():
        node = pointer(value, depth)
    elif of == lldb.eTypeClassArray:
        node = {"kind": "array", "items": [tree(child, depth) for child in value.children[:MOST]]}
    elif of in RECORDS:
        node = record(value, name, depth)
    elif kind.GetByteSize() == 0:
        node = {"kind": "struct", "fields": {}}
    else:
        node = scalar(value, kind)
    return {**node, "type": name}


def view(frame):
    found = {}
    for value in frame.GetVariables(True, True, False, True):
        found.setdefault(value.GetName(), tree(value, DEEPEST))
    entry = frame.GetLineEntry()
    return {"values": found, "frames": [[frame.GetFunctionName() or "",
                                         entry.GetFileSpec().GetFilename() or "", entry.GetLine()]]}


def stop_at(target, process, file, line):
    point = target.BreakpointCreateByLocation(file, line)
    if point.GetNumLocations() == 0:
        return {"error": "LLDB finds no such line"}
    process.Continue()
    target.BreakpointDelete(point.GetID())
    thread = next((each for each in process
                   if each.GetStopReason() == lldb.eStopReasonBreakpoint), None)
    return view(thread.GetFrameAtIndex(0)) if thread else {"error": "LLDB stopped elsewhere"}


def main(debugger):
    order = json.loads(os.environ["ORDER"])
    debugger.SetAsync(False)
    target, error = debugger.CreateTarget(""), lldb.SBError()
    process = target.AttachToProcessWithID(debugger.GetListener(), order["pid"], error)
    if error.Fail():
        raise RuntimeError(error.GetCString())
    with open(order["output"], "w") as out:
        for line in order["lines"]:
            answer = stop_at(target, process, order["file"], line)
            print(json.dumps({"line": line, **answer}), file=out, flush=True)
    process.Detach()


def __lldb_init_module(debugger, _):
    main(debugger)
