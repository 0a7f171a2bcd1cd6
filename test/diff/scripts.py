"""Runs scripts: PostgreSQL must answer as the script says, and the pooler as PostgreSQL does."""

import glob
import itertools
import os
import re

from harness import wire

import compare
import language
from message import show
from play import SPLITS, open_line, play
from world import DATABASE, HERE, USER


RUN = itertools.count(1)


def load_all(names=()):
    out = []
    for path in sorted(glob.glob(HERE + "/scripts/*.script")):
        base = os.path.basename(path)[:-len(".script")]
        if not names or base in names:
            out += language.load(path)
    return out


def splits_of(script):
    return script.splits or [s for s in SPLITS if s != "bytes" or script.is_small]


def conversation(target, script, mode, split, counts=True):
    """One fresh connection, one run. Messages of each block, ready to be compared."""
    target.begin_script()
    try:
        line = open_line(target.addr, USER, DATABASE)
        try:
            got = play(line, script, mode, split, target, counts)
            return [compare.plain(b, line, script.normalise) for b in got]
        finally:
            line.close()
    finally:
        target.end_script()


def show_block(script, n):
    if n >= len(script.blocks):
        return "  the end: is it still in step?"
    out = []
    for step in script.blocks[n].steps:
        out.append("  " + (show(step[1])[:160] if step[0] == "send" else " ".join(str(x) for x in step if x is not None)))
    return "\n".join(out)


def against_script(script, got):
    """Is the answer of PostgreSQL the one that the script expects?"""
    for n, block in enumerate(script.blocks):
        have = compare.lines(got[n]) if n < len(got) else []
        if have != block.want:
            return (f"{script.name}: PostgreSQL does not answer as the script says, block {n + 1}\n{show_block(script, n)}\n"
                    + "\n".join(f"  script {w!r}\n  server {h!r}" for w, h in zip(block.want + ["-"] * 99, have + ["-"] * 99)
                                if w != h and (w, h) != ("-", "-")))
        if have and have[-1] == "closed":
            break
    return None


def check(script, direct, pooled, split):
    """None, or what is wrong."""
    if "{RUN}" in script.text:
        script = language.parse(script.name, script.path, script.text.replace("{RUN}", str(next(RUN))))
    try:
        return checked(script, direct, pooled, split)
    except (wire.Timeout, wire.Closed, wire.PgError, AssertionError) as e:
        pooled.begin_anew()
        return f"{script.name} in {pooled.mode} mode, split {split}: the clients beside it are not served: {e}"


def checked(script, direct, pooled, split):
    mode = pooled.mode
    want = conversation(direct, script, "direct", split)
    bad = against_script(script, want)
    if bad:
        return f"split {split}: {bad}"
    got = conversation(pooled, script, mode, split)
    head = f"{script.name} in {mode} mode, split {split}"
    refused = compare.blocks_refused(want, mode) if mode == "statement" else None
    if refused:
        last = len(refused) - 1
        before = refused[last][:-1]
        refused[last] = before
        have = [m for b in got[last:] for m in b]
        if have[:len(before)] != before or not compare.is_refusal(have[len(before):]):
            # everything up to the refused transaction must be there, then the refusal, then the end
            return (f"{head}: the transaction ought to be refused in block {last + 1}\n{show_block(script, last)}\n"
                    + compare.side_by_side(before, have))
        want = refused[:last]
        got = got[:last]
    for n, msgs in enumerate(want):
        have = got[n] if n < len(got) else []
        if n < len(script.blocks) and mode in script.blocks[n].other:
            ident, expected = script.blocks[n].other[mode]
            if compare.lines(have) != expected:
                return (f"{head}: not even the difference {ident} in block {n + 1}\n{show_block(script, n)}\n  expected {expected}\n  got      "
                        f"{compare.lines(have)}")
            continue
        bad = compare.same(msgs, have)
        if bad:
            return f"{head}: message {bad[0] + 1} {bad[1]} in block {n + 1}\n{show_block(script, n)}\n" + compare.side_by_side(msgs, have, bad[0])
    return None


def relative(line, n):
    """Numbers near that of `each`, as {N+…}."""
    def one(m):
        by = int(m[0]) - n
        return m[0] if abs(by) > 60 else "{N}" if by == 0 else f"{{N{by:+d}}}"
    return re.sub(r"\b\d+\b", one, line) if n else line


def write(script, direct):
    """Learn what PostgreSQL answers, and put it into the file; to be read before it is believed."""
    got = conversation(direct, script, "direct", "whole", counts=False)
    with open(script.path, encoding="utf-8") as f:
        old = f.read().split("\n")
    out, n, open_block = [], -1, False

    def answer():
        nonlocal open_block
        if open_block:
            msgs = got[n] if n < len(got) else []
            out.extend("< " + relative(x, script.each) for x in compare.lines(msgs))
            open_block = False

    skipping = False
    for text in old:
        t = text.strip()
        if t.startswith("in ") and " because " in t:
            answer()
            out.append(text)
            skipping = True
            continue
        if t.startswith("<"):
            if skipping:
                out.append(text)
            else:
                answer()
            continue
        if not t:
            # an empty line ends a block
            answer()
            skipping = False
            out.append(text)
            continue
        if t.startswith("#") or ": " in t.split('"')[0] and t.split(":")[0] in ("modes", "splits", "each", "normalise"):
            out.append(text)
            continue
        if not open_block:
            skipping = False
            n += 1
            open_block = True
        out.append(text)
    answer()
    with open(script.path, "w", encoding="utf-8") as f:
        f.write("\n".join(out).rstrip("\n") + "\n")
