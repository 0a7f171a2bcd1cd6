"""Differences that random scripts meet, each a row of differences.tbl.

An error of the pooler's is excused when a rule says that this message may fail so, and everything else, also all that comes behind
it, is what PostgreSQL says to the script in which this one message fails: a Bind of a statement that nobody has stands in its
place. PostgreSQL is asked only when something differs.
"""

import re
import select
import time

from harness import wire

import compare
from message import encode

DEEPEST = 5              # so many messages of one script
FORGETS = (b"deallocateall", b"discardall")
FORGET_ONE = re.compile(rb"deallocate\s+(?:prepare\s+)?\"?([ab])\b", re.I)
FORGET = re.compile(rb"deallocate\s+all|discard\s+all", re.I)
HARMLESS = b"RESET geqo"
HARMLESS_ONE = b"SET geqo TO DEFAULT"
NOBODY = "\x01nobody{}"
IN_FAILED = "current transaction is aborted, commands ignored until end of transaction block"


def batch_begin(messages, i):
    """The number of the first message of the batch that number i is in."""
    while i and messages[i - 1][0] not in ("Sync", "Query"):
        i -= 1
    return i


def used(message):
    """The statement that it uses, or None."""
    if message[0] == "Bind":
        return message[2]
    return message[2] if message[:2] == ("Describe", "S") else None


def is_parsed(messages, name):
    return any(m[:2] == ("Parse", name) for m in messages)


def unnamed_lost(messages, i):
    """It was parsed in an earlier batch."""
    at = batch_begin(messages, i)
    if used(messages[i]) == "" and is_parsed(messages[:at], ""):
        return "26000", "unnamed prepared statement does not exist"


def refused_parse(messages, i):
    """A statement of an earlier batch, which this server has to parse first, and may not in a failed transaction."""
    name = used(messages[i])
    if name and is_parsed(messages[:batch_begin(messages, i)], name):
        return "25P02", IN_FAILED


def deallocated_late(messages, i):
    """Behind DEALLOCATE ALL, whose answer is not waited for: the names of before are still taken, and what is parsed may be gone with them."""
    texts = [m[2] for m in messages[:i] if m[0] == "Parse"]
    if not any(t.lower().replace(b" ", b"") in FORGETS for t in texts):
        return None
    if not any(m[0] == "Execute" for m in messages[:i]):
        return None
    if messages[i][0] == "Parse" and is_parsed(messages[:i], messages[i][1]) and messages[i][1]:
        return "42P05", f'prepared statement "{messages[i][1]}" already exists'
    if used(messages[i]):
        return "26000", f'prepared statement "{used(messages[i])}" does not exist'


def deallocated_early(messages, i):
    """DEALLOCATE of a name that was parsed behind its Bind only."""
    if messages[i][0] != "Execute":
        return None
    for m in messages[:i]:
        found = FORGET_ONE.search(m[2]) if m[0] == "Parse" else None
        name = found and found[1].decode().lower()
        if name and is_parsed(messages[:i], name):
            return "26000", f'prepared statement "{name}" does not exist'


RULES = {"deallocated-early": deallocated_early, "unnamed-lost": unnamed_lost, "refused-parse": refused_parse, "deallocated-late": deallocated_late}


def is_error(message, state, text):
    if message[0] != "E":
        return False
    f = wire.fields(message[1])
    return {k: f.get(k) for k in "SVCM"} == {"S": "ERROR", "V": "ERROR", "C": state, "M": text} and not set(f) & set("DHW")


def replaced(want, fakes):
    """PostgreSQL's errors about nobody's statements are the ones that are excused."""
    out = [next((error for name, error in fakes.items() if m[0] == "E" and isinstance(name, str) and name.encode() in m[1]), m) for m in want]
    tags = {b"RESET\0": fakes.get(HARMLESS), b"SET\0": fakes.get(HARMLESS_ONE)}
    return [("C", tags[m[1]]) if m[0] == "C" and tags.get(m[1]) else m for m in out]


def not_yet_forgotten(messages, i, want, at):
    """DEALLOCATE ALL whose answer the client has not waited for: what it sends behind may still find its statements.

    Gives the script in which nothing is deallocated there, and the tag that it was answered with.
    """
    m = messages[i]
    if m[0] not in ("Query", "Parse") or at >= len(want) or want[at][0] != "E" or wire.fields(want[at][1]).get("C") != "26000":
        return None
    text = text_of(m)
    found = FORGET.search(text)
    if not found or not any(used(x) or (x[0] == "Query" and FORGET_ONE.search(x[1])) for x in messages[i + 1:]):
        return None
    tag = b" ".join(found[0].upper().split()) + b"\0"
    return messages[:i] + [with_text(m, text.replace(found[0], HARMLESS))] + messages[i + 1:], tag


def text_of(message):
    return {"Query": message[1:2], "Parse": message[2:3]}.get(message[0], (b"",))[0]


def with_text(message, text):
    return ("Query", text) if message[0] == "Query" else (*message[:2], text, *message[3:])


def still_there(messages, i, want, at):
    """DEALLOCATE of one name behind that of all, whose answer the client has not waited for: it finds the name."""
    if at >= len(want) or want[at][0] != "E" or wire.fields(want[at][1]).get("C") != "26000":
        return None
    if not FORGET_ONE.search(text_of(messages[i])) or not any(FORGET.search(text_of(m)) for m in messages[:i]):
        return None
    return messages[:i] + [with_text(messages[i], HARMLESS_ONE)] + messages[i + 1:]


def cut_off(want, got, at):
    """copy-behind: PostgreSQL fails a COPY from the client, and the pooler ends the connection behind that."""
    kinds = [m[0] for m in want[:at]]
    if "G" not in kinds or "E" not in kinds[kinds.index("G"):]:
        return False
    rest = got[at:]
    if rest and rest[0][0] == "E" and wire.fields(rest[0][1]).get("S") == "FATAL":
        rest = rest[1:]
    return rest == [("closed", b"")]


def excuse(ask, messages, want, got, bad, fakes=()):
    """The ids of what explains got, or None. ask(messages): what PostgreSQL says; bad: the first difference."""
    at = bad[0]
    if len(fakes) == DEEPEST or at >= len(got):
        return None
    if cut_off(want, got, at):
        return ["copy-behind"]
    tries = []
    for i in range(len(messages)):
        late = not_yet_forgotten(messages, i, want, at)
        if late and HARMLESS not in fakes:
            tries.append(("deallocated-late", late[0], {HARMLESS: late[1]}))
        gone = still_there(messages, i, want, at)
        if gone and HARMLESS_ONE not in fakes and got[at] == ("C", b"DEALLOCATE\0"):
            tries.append(("deallocated-late", gone, {HARMLESS_ONE: b"DEALLOCATE\0"}))
        for ident, rule in RULES.items():
            expected = rule(messages, i)
            if expected is None or not is_error(got[at], *expected):
                continue
            name = NOBODY.format(len(fakes))
            tries.append((ident, messages[:i] + [("Bind", "", name, (), (), ())] + messages[i + 1:], {name: got[at]}))
    for ident, changed, more in tries:
        more = {**dict(fakes), **more}
        now = replaced(ask(changed), more)
        worse = compare.same(now, got)
        if worse is None:
            return [ident]
        if worse[0] > at:
            behind = excuse(ask, changed, now, got, worse, more)
            if behind:
                return [ident] + behind
    return None


class Asker:
    """A connection to PostgreSQL for these questions."""

    def __init__(self, open_side):
        self.open_side = open_side
        self.side = None

    def ask(self, messages):
        if self.side is None or self.side.line.closed:
            self.side = self.open_side()
        side = self.side
        side.begin([(b"".join(map(encode, messages)), False)])
        while not side.over:
            select.select([side.line.sock], [], [], 0.2)
            side.read()
            side.is_late(time.monotonic())
        out = compare.plain(side.got, side.line)
        if side.hangs:
            self.close()
        return out

    def close(self):
        if self.side:
            self.side.line.close()
        self.side = None
