"""Messages as tuples: ("Parse", name, text, oids) and so on; to bytes, and to the words of a script.

A message is (kind, arguments…). encode() gives what goes over the wire, show() the line of a script that reads the same.
reply() does it for what comes back: one line for each message.
"""

import struct

from harness import wire

TYPES = {"bool": 16, "bytea": 17, "char": 18, "name": 19, "int8": 20, "int2": 21, "int4": 23, "text": 25, "oid": 26, "json": 114,
         "float4": 700, "float8": 701, "unknown": 705, "int4[]": 1007, "text[]": 1009, "bpchar": 1042, "varchar": 1043,
         "date": 1082, "timestamptz": 1184, "numeric": 1700, "void": 2278, "uuid": 2950, "xid": 28}
TYPE_NAMES = {v: k for k, v in TYPES.items()}


def bind(portal, stmt, values, formats=(), results=()):
    body = wire.cstr(portal) + wire.cstr(stmt)
    body += struct.pack("!H", len(formats)) + b"".join(struct.pack("!h", f) for f in formats)
    body += struct.pack("!H", len(values))
    for v in values:
        body += struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v
    return wire.msg("B", body + struct.pack("!H", len(results)) + b"".join(struct.pack("!h", f) for f in results))


def function_call(oid, values):
    return wire.function_call(oid, values)


ENCODE = {
    "Query": lambda text: wire.msg("Q", text + b"\0"),
    "Parse": lambda name, text, oids=(): wire.parse(text, name, oids),
    "Bind": bind,
    "Describe": lambda kind, name: wire.describe(kind, name),
    "Execute": lambda portal, rows=0: wire.execute(portal, rows),
    "Close": lambda kind, name: wire.close(kind, name),
    "Sync": wire.sync,
    "Flush": wire.flush,
    "FunctionCall": function_call,
    "CopyData": wire.copy_data,
    "CopyDone": wire.copy_done,
    "CopyFail": lambda why: wire.msg("f", why + b"\0"),
    "Terminate": wire.terminate,
    "Raw": lambda data: data,
}


def encode(message):
    return ENCODE[message[0]](*message[1:])


# ---- words ----

ESCAPES = {0x0a: "\\n", 0x09: "\\t", 0x22: '\\"', 0x5c: "\\\\"}


def quote(data, limit=None):
    data = data if isinstance(data, bytes) else data.encode()
    if limit and len(data) > limit:
        return f"{quote(data[:16])}…({len(data)} bytes)"
    return '"' + "".join(ESCAPES.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in data) + '"'


def named(name):
    return name or "-"


def value(v):
    return "NULL" if v is None else quote(v)


def show(message):
    kind, args = message[0], message[1:]
    if kind == "Parse":
        words = [named(args[0]), quote(args[1])] + [TYPE_NAMES.get(o, str(o)) for o in (args[2] if len(args) > 2 else ())]
    elif kind == "Bind":
        words = [named(args[0]), named(args[1])] + [value(v) for v in args[2]]
        for key, formats in zip(("formats", "results"), args[3:]):
            if formats:
                words.append(f"{key}={','.join(map(str, formats))}")
    elif kind in ("Describe", "Close"):
        words = [args[0], named(args[1])]
    elif kind == "Execute":
        words = [named(args[0])] + ([str(args[1])] if len(args) > 1 and args[1] else [])
    elif kind == "FunctionCall":
        words = [str(args[0])] + [value(v) for v in args[1]]
    else:
        words = [quote(a) for a in args]
    return " ".join([kind] + words)


REPLIES = {"1": "ParseComplete", "2": "BindComplete", "3": "CloseComplete", "n": "NoData", "t": "ParameterDescription",
           "T": "RowDescription", "D": "DataRow", "C": "CommandComplete", "I": "EmptyQueryResponse", "s": "PortalSuspended",
           "E": "ErrorResponse", "N": "NoticeResponse", "Z": "ReadyForQuery", "S": "ParameterStatus", "A": "NotificationResponse",
           "V": "FunctionCallResponse", "G": "CopyInResponse", "H": "CopyOutResponse", "W": "CopyBothResponse",
           "d": "CopyData", "c": "CopyDone", "closed": "closed", "nothing": "nothing"}


def _values(body, at=0):
    (n,) = struct.unpack_from("!H", body, at)
    at += 2
    out = []
    for _ in range(n):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        out.append(None if size < 0 else body[at:at + size])
        at += max(size, 0)
    return out


def reply(kind, body):
    """One line of a script for a message that came; one whose inside is broken is shown as bytes."""
    try:
        return told(kind, body)
    except (struct.error, ValueError, IndexError):
        return f"{REPLIES.get(kind, '?' + kind)} broken {body!r}"


def told(kind, body):
    words = []
    if kind == "t":
        words = [TYPE_NAMES.get(o, str(o)) for (o,) in struct.iter_unpack("!I", body[2:])]
    elif kind == "T":
        words = [c.name + ":" + TYPE_NAMES.get(c.oid, str(c.oid)) + (":binary" if c.format else "") for c in wire.columns(body)]
    elif kind == "D":
        words = ["NULL" if v is None else quote(v, 72) for v in _values(body)]
    elif kind == "C":
        words = [quote(body[:-1])]
    elif kind in "EN":
        f = wire.fields(body)
        words = [f.get("S", "?"), f.get("C", "?"), quote(f.get("M", "?"), 200)]
    elif kind == "Z":
        words = [body.decode("latin1")]
    elif kind == "S":
        name, val = body.split(b"\0")[:2]
        words = [name.decode("latin1"), quote(val)]
    elif kind == "A":
        channel, payload = body[4:].split(b"\0")[:2]
        words = [body[:4].decode("latin1").strip("\0") or "?", channel.decode("latin1"), quote(payload)]
    elif kind == "V":
        (size,) = struct.unpack_from("!i", body)
        words = ["NULL" if size < 0 else quote(body[4:])]
    elif kind in "GHW":
        words = ["binary" if body[0] else "text", str(struct.unpack_from("!H", body, 1)[0])]
    elif kind == "d":
        words = [quote(body, 72)]
    return " ".join([REPLIES.get(kind, "?" + kind)] + words)
