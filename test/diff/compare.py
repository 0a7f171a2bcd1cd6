"""What must be equal, and what need not be: every exception is a row of differences.tbl with its reason."""

import os
import re
import struct

from harness import wire
from message import reply

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "differences.tbl")
BUILT_IN = {"notify-pid", "own-error", "statement-blocks", "copy-intruder", "copy-behind", "refused-parse"}
BLOCKS = "transaction blocks not allowed in statement pooling mode"


def table():
    """{id: (where, what, why)}"""
    out = {}
    with open(TABLE, encoding="utf-8") as f:
        for line in f:
            line = line.strip()
            if line and not line.startswith("#"):
                ident, where, what, why = (p.strip() for p in line.split("|"))
                out[ident] = (where, what, why)
    return out


# ---- before comparing: what differs between any two connections ----

def own_pid(kind, body, line):
    """notify-pid: whether it is the session's own is what counts."""
    if kind == "A":
        (pid,) = struct.unpack_from("!I", body)
        return kind, (b"own\0" if pid == line.pid else b"any\0") + body[4:]
    return kind, body


def temp_oid(kind, body, line):
    """temp-oid: a temporary table has an oid of its own in every session."""
    if kind == "T":
        return kind, tuple(c._replace(table=bool(c.table)) for c in wire.columns(body))
    return kind, body


def plain(msgs, line, rules=()):
    out = []
    for kind, body in msgs:
        kind, body = own_pid(kind, body, line)
        if "temp-oid" in rules:
            kind, body = temp_oid(kind, body, line)
        out.append((kind, body))
    return out


def same_error(want, got):
    """own-error: one that the pooler says in PostgreSQL's place has no source position: F, L, R are compared only when it has any."""
    if want[0] != "E" or got[0] != "E":
        return False
    a, b = wire.fields(want[1]), wire.fields(got[1])
    if set(b) & {"F", "L", "R"}:
        return False
    return {k: v for k, v in a.items() if k not in "FLR"} == b


INTRUDER = re.compile(rb"unexpected message type 0x(..) during COPY from stdin")


def same_intruder(want, got):
    """copy-intruder: what we put in front of the client's message meets the COPY first: a Close or a Parse."""
    a, b = INTRUDER.search(want[1]), INTRUDER.search(got[1])
    return (want[0] == got[0] == "E" and a and b and b[1] in (b"43", b"50")
            and want[1].replace(a[0], b"") == got[1].replace(b[0], b""))


def same(want, got):
    """Two lists of messages; None or what is wrong at which place."""
    if want == got:
        return None
    for i in range(max(len(want), len(got))):
        if i >= len(got):
            return i, "is missing"
        if i >= len(want):
            return i, "is too much"
        if want[i] == got[i]:
            continue
        if same_error(want[i], got[i]) or same_intruder(want[i], got[i]):
            continue
        return i, "differs"
    return None


def blocks_refused(want, mode):
    """statement-blocks: in statement mode a transaction that stays open after a ReadyForQuery ends the session there instead.

    Gives want as it has to look then; whatever follows is not asked.
    """
    out = []
    for block in want:
        for i, (kind, body) in enumerate(block):
            if kind == "Z" and body != b"I":
                return out + [block[:i] + [("blocks", b"")]]
        out.append(block)
    return None


def is_refusal(msgs):
    """The FATAL, and the end."""
    if len(msgs) != 2 or msgs[0][0] != "E" or msgs[1][0] != "closed":
        return False
    f = wire.fields(msgs[0][1])
    return f.get("M") == BLOCKS and f.get("S") == "FATAL"


def lines(msgs):
    return [reply(k, b) if not (k == "T" and isinstance(b, tuple)) else "RowDescription " + " ".join(c.name for c in b)
            for k, b in msgs]


def side_by_side(want, got, at=None):
    out = []
    a, b = lines(want), lines(got)
    for i in range(max(len(a), len(b))):
        x, y = (a[i] if i < len(a) else "-"), (b[i] if i < len(b) else "-")
        mark = " " if i < len(want) and i < len(got) and want[i] == got[i] else "!"
        out.append(f"  {mark} {x:60.100s} | {y[:100]}")
    if at is not None and at < min(len(a), len(b)) and a[at] == b[at]:
        out.append(f"    bytes: {want[at]!r}\n       and {got[at]!r}")
    return "\n".join(out)
