"""Random scripts: up to 12 messages over P B D E C H S Q F d c f, few names, few texts, and pieces cut anywhere.

make(seed) gives the same script for the same seed, everywhere. Names are few so that they collide; texts are few so that
sessions share them; many fail. Nothing that a script does can be seen by another session, so that PostgreSQL's answer
depends on the script alone.
"""

import random

from message import encode

MOST = 12
STATEMENTS = ("", "a", "b")
PORTALS = ("", "", "p")

# (weight, text): one statement each
TEXTS = [
    (5, b"SELECT 1"),
    (3, b"SELECT t FROM fixed WHERE id < 4 ORDER BY id"),
    (3, b"SELECT generate_series(1,5)"),
    (2, b""),
    (4, b"SELECT $1::int4 + 1"),
    (3, b"SELECT t FROM fixed WHERE id = $1"),
    (2, b"SELECT $1"),
    (2, b"INSERT INTO sink VALUES ($1, $2)"),
    (2, b"SELECT 10 / $1::int4"),
    (2, b"INSERT INTO sink VALUES (5)"),
    (1, b"INSERT INTO sink VALUES (5000000)"),
    (2, b"SELECT shout('n')"),
    (1, b"SELECT fail('f')"),
    (1, b"SELECT 1/0"),
    (1, b"SELEKT"),
    (1, b"SELECT nothing"),
    (1, b"SELECT 1; SELECT 2"),
    (2, b"COPY (SELECT generate_series(1,3)) TO STDOUT"),
    (1, b"COPY (SELECT 1/0) TO STDOUT"),
    (2, b"COPY sink FROM STDIN"),
    (1, b"COPY nowhere FROM STDIN"),
    (1, b"SELECT repeat('x', 9000)"),
    (1, b"SELECT 'caf\xc3\xa9'"),
    (1, b"SELECT 'broken \xc3'"),
]
BLOCKS = [(5, b"BEGIN"), (3, b"COMMIT"), (3, b"ROLLBACK"), (1, b"SAVEPOINT s"), (1, b"ROLLBACK TO s")]
RESETS = [(2, b"DEALLOCATE ALL"), (2, b"DISCARD ALL"), (1, b"deallocate  all"), (1, b"DISCARD PLANS"),
          (3, b"DEALLOCATE a"), (1, b'/* */ deallocate prepare "b" ;'), (1, b"deallocate B")]
MULTI = [
    (2, b"SELECT 1; SELECT 2"),
    (2, b"SELECT 1; SELECT 1/0; SELECT 2"),
    (1, b"BEGIN; SELECT 1; COMMIT"),
    (1, b"COPY (SELECT 1) TO STDOUT; SELECT 3"),
    (1, b"COPY sink FROM STDIN; SELECT 4"),
    (1, b"COPY sink FROM STDIN; COPY sink FROM STDIN"),
    (1, b"SELECT 1; DEALLOCATE ALL"),
]
MULTI_BLOCKS = [(1, b"BEGIN; SELECT 1"), (1, b"COMMIT; BEGIN"), (1, b"SELECT 1; COMMIT; SELECT 2"), (1, b"ROLLBACK; SELECT 1/0")]
OIDS = [(24, ()), (2, (23,)), (2, (25,)), (1, (0,)), (1, (23, 25)), (1, (4294967,))]
VALUES = [b"41", b"3", b"0", b"x", b"", None, b"\x00\x00\x00\x07"]
ROWS = [b"1\tx\n", b"2\ty\n", b"what\n", b"5000000\tz\n", b"3\t", b"z\n", b"\\.\n"]


def pick(rnd, weighted):
    at = rnd.randrange(sum(w for w, _ in weighted))
    for w, x in weighted:
        at -= w
        if at < 0:
            return x


class Grammar:
    def __init__(self, mode="transaction", statements=STATEMENTS):
        self.statements = statements
        blocks = mode != "statement"
        self.texts = TEXTS + RESETS + (BLOCKS if blocks else [])
        self.multi = MULTI + (MULTI_BLOCKS if blocks else [])

    def parse(self, rnd, name=None):
        name = rnd.choice(self.statements) if name is None else name
        text = pick(rnd, self.texts)
        # what PostgreSQL keeps is the first text of a name, but for the unnamed
        if name == "" or name not in self.known:
            self.known[name] = text.count(b"$")
        return "Parse", name, text, pick(rnd, OIDS)

    def bind(self, rnd, name=None):
        """Mostly what fits the statement of that name, if there is one."""
        if name is None:
            name = rnd.choice(self.statements)
        if name not in self.known and self.known and rnd.random() < 0.8:
            name = rnd.choice(sorted(self.known))
        count = self.known.get(name, 0) if rnd.random() < 0.9 else rnd.randrange(3)
        values = VALUES if rnd.random() < 0.3 else VALUES[:2]
        formats = rnd.choice(((), (), (), (), (), (), (0,), (1,)))
        results = rnd.choice(((), (), (), (), (0,), (1,)))
        return "Bind", rnd.choice(PORTALS), name, tuple(rnd.choice(values) for _ in range(count)), formats, results

    def execute(self, rnd):
        return "Execute", rnd.choice(PORTALS), rnd.choice((0, 0, 0, 1, 2))

    def describe(self, rnd):
        kind = rnd.choice("SSP")
        return "Describe", kind, rnd.choice(self.statements if kind == "S" else PORTALS)

    def whole(self, rnd):
        """What a driver would send for one statement, or a part of it."""
        name = rnd.choice(self.statements)
        out = []
        if name not in self.known or rnd.random() < 0.25:
            out.append(self.parse(rnd, name))
        if rnd.random() < 0.3:
            out.append(("Describe", "S", name))
        if rnd.random() < 0.9:
            bind = self.bind(rnd, name)
            out.append(bind)
            if rnd.random() < 0.4:
                out.append(("Describe", "P", bind[1]))
            rows = rnd.choice((0, 0, 0, 0, 1, 2))
            out.append(("Execute", bind[1], rows))
            if rows and rnd.random() < 0.5:
                out.append(("Execute", bind[1], rows))
        if rnd.random() < 0.5:
            out.append(("Sync",))
        return out

    def single(self, rnd):
        kind = rnd.randrange(21)
        if kind < 3:
            return "Query", pick(rnd, self.texts)
        if kind == 3:
            return "Query", pick(rnd, self.multi)
        if kind < 6:
            return self.parse(rnd)
        if kind < 8:
            return self.bind(rnd)
        if kind == 8:
            return self.describe(rnd)
        if kind < 11:
            return self.execute(rnd)
        if kind < 13:
            target = rnd.choice("SSP")
            return "Close", target, rnd.choice(self.statements if target == "S" else PORTALS)
        if kind == 13:
            return "Flush",
        if kind == 14:
            return "FunctionCall", rnd.choice((1397, 1397, 4000000)), (rnd.choice((b"-5", b"x")),)
        if kind < 17:
            return rnd.choice((("CopyData", rnd.choice(ROWS)), ("CopyData", rnd.choice(ROWS)), ("CopyDone",), ("CopyFail", b"enough")))
        return "Sync",

    def copy(self, rnd):
        """A COPY from the client, mostly with what belongs to it."""
        text = rnd.choice((b"COPY sink FROM STDIN", b"COPY sink FROM STDIN", b"COPY nowhere FROM STDIN", b"COPY sink FROM STDIN; SELECT 4",
                           b"COPY sink FROM STDIN; COPY sink FROM STDIN"))
        if rnd.random() < 0.5:
            out = [("Query", text)]
        else:
            out = [("Parse", "", text, ()), ("Bind", "", "", (), (), ()), ("Execute", "", 0)]
            if rnd.random() < 0.4:
                out.append(rnd.choice((("Sync",), ("Flush",))))
        for _ in range(rnd.choice((1, 1, 2))):
            for _ in range(rnd.randrange(4)):
                out.append(("CopyData", rnd.choice(ROWS if rnd.random() < 0.4 else ROWS[:2])))
            if rnd.random() < 0.85:
                out.append(rnd.choice((("CopyDone",), ("CopyDone",), ("CopyDone",), ("CopyFail", b"enough"))))
        if rnd.random() < 0.6:
            out.append(("Sync",))
        return out

    def messages(self, rnd):
        self.known = {}
        out = []
        size = rnd.randrange(2, MOST + 1)
        while len(out) < size:
            how = rnd.random()
            if how < 0.5:
                out += self.whole(rnd)
            elif how < 0.58:
                out += self.copy(rnd)
            else:
                out.append(self.single(rnd))
                if out[-1][0] in ("Query", "Execute") and rnd.random() < 0.5:
                    # what belongs to a COPY
                    for _ in range(rnd.randrange(3)):
                        out.append(("CopyData", rnd.choice(ROWS)))
                    if rnd.random() < 0.5:
                        out.append(rnd.choice((("CopyDone",), ("CopyDone",), ("CopyFail", b"enough"))))
        return out[:size]

    def make(self, seed):
        rnd = random.Random(seed)
        messages = self.messages(rnd)
        end = ending(rnd)
        size = sum(len(encode(m)) for m in messages + end)
        cuts = {}
        for _ in range(rnd.choice((0, 0, 1, 1, 3, 8))):
            cuts[rnd.randrange(1, size)] = rnd.random() < 0.15
        if rnd.random() < 0.1:
            # a pause in front of each message: the pooler sees them one by one
            at = 0
            for m in messages:
                at += len(encode(m))
                cuts[at] = rnd.random() < 0.5
        return messages, end, cuts


MARK = b"the very end"


def ending(rnd):
    """Whatever is open ends: a COPY, a batch, a transaction, the names; then the mark that says all has been answered."""
    how = rnd.randrange(4)
    out = [("CopyFail", b"the end"), ("Sync",), ("Query", b"ROLLBACK")]
    if how == 0:
        out.append(("Query", b"DEALLOCATE ALL"))
    elif how == 1:
        out.append(("Query", b"DISCARD ALL"))
    else:
        out += [("Close", "S", "a"), ("Close", "S", "b")]
    return out + [("Close", "S", ""), ("Sync",), ("Query", b"SELECT '" + MARK + b"', pg_backend_pid()")]
