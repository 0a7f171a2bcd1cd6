"""The language of the scripts (README.md describes it): text to a list of blocks.

A block is what is sent in one go and what has to come back before the next one. Lines say where something is wrong.
"""

import os
import re

from message import TYPES, encode

MODES = ("session", "transaction", "statement")
TOKEN = re.compile(r'\s*(?:((?:"(?:[^"\\]|\\.)*"(?:\*\d+)?\+?)+)|(\S+))')
PART = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\*(\d+))?\+?')
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)")
PLAIN = {"n": "\n", "t": "\t", "0": "\0"}


class Bad(Exception):
    pass


class Block:
    def __init__(self):
        self.steps = []      # ("send", message) ("cut", n or None) ("change",) ("wait",) ("another", message) ("admin", sql)
        self.want = []       # lines
        self.other = {}      # mode: (id of the difference, lines)

    def want_in(self, mode):
        return self.other[mode][1] if mode in self.other else self.want


class Script:
    def __init__(self, name, path):
        self.name, self.path = name, path
        self.about = []
        self.modes = MODES
        self.splits = None       # all that make sense
        self.each = None
        self.normalise = []
        self.blocks = []

    @property
    def is_small(self):
        return sum(len(encode(s[1])) for b in self.blocks for s in b.steps if s[0] == "send") <= 2500


def text_of(token):
    """A quoted token to bytes."""
    out = b""
    for m in PART.finditer(token):
        part = ESCAPE.sub(lambda e: chr(int(e[1][1:], 16)) if e[1][0] == "x" and len(e[1]) == 3 else PLAIN.get(e[1], e[1]),
                          m[1].encode("utf-8").decode("latin1"))
        out += part.encode("latin1") * int(m[2] or 1)
    return out


def tokens(line):
    out = []
    for m in TOKEN.finditer(line):
        out.append(text_of(m[1]) if m[1] is not None else m[2])
    return out


def name_of(word):
    return "" if word == "-" else word.decode() if isinstance(word, bytes) else word


def value_of(word):
    if word == "NULL":
        return None
    if isinstance(word, bytes):
        return word
    if word.startswith("hex:"):
        return bytes.fromhex(word[4:])
    return word.encode()


def pull(words, key):
    """Take key=… out of the words."""
    for w in words:
        if isinstance(w, str) and w.startswith(key + "="):
            words.remove(w)
            return w[len(key) + 1:]
    return None


def numbers(word):
    return tuple(int(x) for x in word.split(",")) if word else ()


def message_of(words):
    kind, words = words[0], words[1:]
    pad = pull(words, "pad")
    if kind in ("Query", "CopyData", "CopyFail", "Raw"):
        (data,) = words
        out = (kind, value_of(data))
    elif kind == "Parse":
        oids = tuple(TYPES[w] if w in TYPES else int(w) for w in words[2:])
        out = (kind, name_of(words[0]), words[1], oids)
    elif kind == "Bind":
        formats, results = numbers(pull(words, "formats")), numbers(pull(words, "results"))
        out = (kind, name_of(words[0]), name_of(words[1]), tuple(value_of(w) for w in words[2:]), formats, results)
    elif kind in ("Describe", "Close"):
        target, name = words
        if target not in ("S", "P"):
            raise Bad(f"{kind} of S or P, not {target}")
        out = (kind, target, name_of(name))
    elif kind == "Execute":
        out = (kind, name_of(words[0]), int(words[1]) if len(words) > 1 else 0)
    elif kind == "FunctionCall":
        out = (kind, int(words[0]), tuple(value_of(w) for w in words[1:]))
    elif kind in ("Sync", "Flush", "CopyDone", "Terminate"):
        if words:
            raise Bad(f"{kind} takes nothing")
        out = (kind,)
    else:
        raise Bad(f"no message is called {kind}")
    return padded(out, int(pad)) if pad else out


def padded(message, size):
    """The @ in its text becomes as many @ as make the whole message that long."""
    more = size - len(encode(message))
    if more < 0:
        raise Bad(f"is longer than {size} already")
    grown = tuple(grow(a, more) for a in message)
    if len(encode(grown)) != size:
        raise Bad("has not exactly one @ to fill")
    return grown


def grow(part, more):
    if isinstance(part, tuple):
        return tuple(grow(p, more) for p in part)
    return part.replace(b"@", b"@" * (more + 1), 1) if isinstance(part, bytes) else part


def unrolled(lines):
    """repeat N … end, with {i} for the number."""
    out = []
    at = 0
    while at < len(lines):
        number, line = lines[at]
        at += 1
        if line.startswith("repeat "):
            body = []
            while lines[at][1] != "end":
                body.append(lines[at])
                at += 1
            at += 1
            for i in range(int(line.split()[1])):
                out += [(n, x.replace("{i}", str(i))) for n, x in body]
        else:
            out.append((number, line))
    return out


def expand(text, n):
    def one(m):
        return str(n + int(m[1] or 0))
    return re.sub(r"\{N([+-]\d+)?\}", one, text)


def load(path):
    """The scripts of a file: one, or one for each number of its `each`."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    base = os.path.basename(path)[:-len(".script")]
    each = re.search(r"^each: (.*)$", text, re.M)
    if not each:
        return [parse(base, path, text)]
    out = []
    for n in each[1].split():
        out.append(parse(f"{base}-{n}", path, expand(text, int(n))))
        out[-1].each = int(n)
    return out


def parse(name, path, text):
    out = Script(name, path)
    out.text = text
    block = None             # the one being filled
    target = None            # where `<` lines go
    lines = [(i, x.strip()) for i, x in enumerate(text.split("\n"), 1)]
    for number, line in unrolled(lines):
        try:
            if not line:
                # an empty line ends a block
                block, target = (None, None) if not (block and block.want) else (block, block.want)
                continue
            if line.startswith("#"):
                if not out.blocks:
                    out.about.append(line[1:].strip())
                continue
            if re.match(r"(modes|splits|each|normalise): ", line):
                key, rest = line.split(": ", 1)
                if key == "modes":
                    out.modes = tuple(rest.split())
                    if set(out.modes) - set(MODES):
                        raise Bad(f"unknown mode in {rest}")
                elif key == "splits":
                    out.splits = rest.split()
                elif key == "normalise":
                    out.normalise = rest.split()
                continue
            if line.startswith("<"):
                if block is None:
                    raise Bad("an answer, but nothing was sent")
                if target is None:
                    target = block.want
                target.append(line[1:].strip())
                continue
            words = tokens(line)
            if words[0] == "in":
                at = words.index("because")
                lines_of = []
                for mode in words[1:at]:
                    block.other[mode] = (words[at + 1], lines_of)
                target = lines_of
                continue
            if block is None or target is not None:
                block, target = Block(), None
                out.blocks.append(block)
            if words[0] == "cut":
                block.steps.append(("cut", int(words[1]) if len(words) > 1 else None))
            elif words == ["change", "server"]:
                block.steps.append(("change",))
            elif words == ["others", "wait"]:
                block.steps.append(("wait",))
            elif words[0] == "another":
                block.steps.append(("another", message_of(words[1:])))
            elif words[0] == "admin":
                block.steps.append(("admin", words[1].decode()))
            else:
                block.steps.append(("send", message_of(words)))
        except (Bad, ValueError, IndexError, KeyError) as e:
            raise Bad(f"{path}:{number}: {line}: {e!r}")
    return out
