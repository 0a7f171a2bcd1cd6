"""Runs random scripts: each directly, then through the pooler, in several sessions at once that share few servers.

One thread, one poll. A session is a connection to PostgreSQL and one to the pooler; both live as long as PostgreSQL does not
close them. Every script leaves the session as new (grammar.ending), so scripts can follow each other.
"""

import collections
import select
import struct
import time

from harness import wire

import compare
import excuse
from grammar import MARK, STATEMENTS, Grammar
from message import encode, show
from play import PAUSE, open_line
from world import DATABASE, USER

HANG = 12.0
MARK_ROW = struct.pack("!Hi", 1, len(MARK)) + MARK       # without the server's pid, which was asked to count the changes


class Job:
    """One script, to be run once."""

    def __init__(self, seed, messages, end, cuts):
        self.seed, self.messages, self.end, self.cuts = seed, messages, end, cuts
        self.data = b"".join(map(encode, messages + end))
        self.wrong = None

    def pieces(self, is_cut):
        if not is_cut:
            return [(self.data, False)]
        at = [c for c in sorted(self.cuts) if c < len(self.data)]
        edges = [0] + at + [len(self.data)]
        return [(self.data[a:b], self.cuts.get(b, False)) for a, b in zip(edges, edges[1:])]


class Side:
    """One connection and how far it is in its script."""

    def __init__(self, addr):
        self.addr = addr
        self.line = open_line(addr, USER, DATABASE)
        self.got = []
        self.pid = None

    def begin(self, pieces):
        self.todo = collections.deque(pieces)
        self.got = []
        self.marked = self.over = self.hangs = False
        self.later = 0.0
        self.deadline = time.monotonic() + HANG
        self.push()

    def push(self):
        while self.todo and not self.line.closed:
            data, pause = self.todo.popleft()
            self.line.send(data)
            if pause:
                self.later = time.monotonic() + PAUSE
                return
        self.later = 0.0

    def read(self):
        """Take what has come; sets over at the mark's ReadyForQuery and at the end of the connection."""
        line = self.line
        while line.pull() and not line.closed:
            pass
        while not self.over:
            m = line.message()
            if m is None:
                if line.closed:
                    self.got.append(("closed", b""))
                    self.over = True
                return
            if m[0] == "D" and MARK in m[1]:
                self.marked = True
                self.pid = wire.row(m[1])[1]
                m = ("D", MARK_ROW)
            self.got.append(m)
            if self.marked and m[0] == "Z":
                self.over = True

    def is_late(self, now):
        if not self.over and now > self.deadline:
            self.hangs = self.over = True
            self.got.append(("nothing", b""))
            return True
        return False


class Session:
    def __init__(self, runner):
        self.runner = runner
        self.direct = self.pooled = self.at = None
        self.job = None
        self.open()

    def open(self):
        self.direct = Side(self.runner.direct.addr)
        self.pooled = Side(self.runner.pooled.addr)
        for s in (self.direct, self.pooled):
            s.session = self
            self.runner.watch(s)

    def reopen(self):
        for s in (self.direct, self.pooled):
            self.runner.unwatch(s)
            s.line.close()
        self.open()

    def begin(self, job):
        self.job = job
        self.at = self.direct
        self.direct.begin(job.pieces(False))

    def step(self):
        """The side that is at work is over: the other one, or the comparison."""
        if self.at is self.direct and not self.direct.hangs:
            # when PostgreSQL hangs up, everything goes in one piece: a late piece would be answered by a reset
            self.at = self.pooled
            before = self.pooled.pid
            self.pooled.begin(self.job.pieces(not self.direct.line.closed))
            self.before = before
            return
        self.judge()
        self.job = self.at = None
        if self.direct.line.closed or self.pooled.line.closed or self.direct.hangs or self.pooled.hangs:
            self.runner.reopened += 1
            self.reopen()

    def judge(self):
        r = self.runner
        want = compare.plain(self.direct.got, self.direct.line)
        got = compare.plain(self.pooled.got, self.pooled.line)
        r.done += 1
        for kind, body in want:
            r.kinds[kind] += 1
            if kind == "E":
                r.states[wire.fields(body).get("C")] += 1
        if self.before and self.pooled.pid != self.before:
            r.changes += 1
        bad = compare.same(want, got)
        if bad and not self.direct.hangs and r.excused(self.job, want, got, bad):
            return
        if self.direct.hangs:
            bad = (len(want), "PostgreSQL itself hangs; the script is wrong")
        if bad:
            self.job.wrong = (bad, want, got)
            r.failed(self.job)


class Runner:
    def __init__(self, direct, pooled, sessions):
        self.direct, self.pooled = direct, pooled
        self.poll = select.poll()
        self.sides = {}
        self.done = self.changes = self.reopened = 0
        self.kinds, self.states = collections.Counter(), collections.Counter()
        self.failures = []
        self.classes = collections.Counter()
        self.by_class = True
        self.excuses = collections.Counter()
        self.asker = excuse.Asker(lambda: Side(direct.addr))
        self.sessions = [Session(self) for _ in range(sessions)]

    def watch(self, side):
        fd = side.line.sock.fileno()
        self.sides[fd] = side
        self.poll.register(fd, select.POLLIN)

    def unwatch(self, side):
        fd = side.line.sock.fileno()
        self.poll.unregister(fd)
        del self.sides[fd]

    def excused(self, job, want, got, bad):
        """By a row of differences.tbl?"""
        if self.pooled.mode == "session":
            found = ["copy-behind"] if excuse.cut_off(want, got, bad[0]) else None
        else:
            found = excuse.excuse(self.asker.ask, job.messages + job.end, want, got, bad)
        self.excuses.update(found or [])
        return bool(found)

    def failed(self, job):
        """The first of each class is kept whole; of the others it is known that they are."""
        ident = likeness(job)
        self.classes[ident] += 1
        if self.classes[ident] == 1 or not self.by_class:
            self.failures.append(job)

    def run(self, jobs, most=1 << 60):
        """All jobs (an iterator), until so many have failed."""
        jobs = iter(jobs)
        more = True
        while True:
            for s in self.sessions:
                if s.job is None and more:
                    job = next(jobs, None)
                    if job is None or len(self.failures) >= most:
                        more = False
                    else:
                        s.begin(job)
            busy = [s for s in self.sessions if s.job]
            if not busy:
                return self.failures
            pausing = [s.at for s in busy if s.at.later]
            for fd, _ in self.poll.poll(PAUSE * 1000 if pausing else 1000):
                side = self.sides.get(fd)
                if side is None:
                    continue
                if side.session.at is side:
                    side.read()
                else:
                    self.strange(side)
            now = time.monotonic()
            for side in pausing:
                if not side.over and now >= side.later:
                    side.push()
            for s in busy:
                s.at.is_late(now)
                if s.at.over:
                    s.step()

    def strange(self, side):
        """Something comes while nobody has asked: an end is dealt with by the next script; bytes would be found by it too."""
        side.line.pull()
        if side.line.closed:
            self.poll.unregister(side.line.sock.fileno())
            self.poll.register(side.line.sock.fileno(), 0)

    def close(self):
        self.asker.close()
        for s in self.sessions:
            s.direct.line.close()
            s.pooled.line.close()


def likeness(job):
    """Failures that are probably one: what was wanted and what came there, without its texts."""
    (at, how), want, got = job.wrong

    def word(msgs):
        if at >= len(msgs):
            return "-"
        return " ".join(compare.lines([msgs[at]])[0].split()[:3]).split('"')[0]
    return how, word(want), word(got)


# ---- a failure, as small and as readable as possible ----

def tell(job, mode):
    (at, how), want, got = job.wrong
    out = [f"seed {job.seed}: message {at + 1} {how}"]
    offset = 0
    for n, m in enumerate(job.messages + job.end):
        if n == len(job.messages):
            out.append("  -- the ending")
        size = len(encode(m))
        cuts = [f"{c - offset}{' and a pause' if job.cuts[c] else ''}" for c in sorted(job.cuts) if offset < c <= offset + size]
        out.append(f"  {show(m)[:120]}" + (f"      # cut after byte {', '.join(cuts)}" if cuts else ""))
        offset += size
    out.append(f"  PostgreSQL{'':51s} | {mode} mode")
    return "\n".join(out) + "\n" + compare.side_by_side(want, got, at)


def fails(runner, job, noise, again=12):
    """Does it fail again in the same way, in the same company? The first failure, or None."""
    copies = [Job("try", job.messages, job.end, job.cuts) for _ in range(again)]
    company = []
    for c in copies:
        company += [c, next(noise)]
    runner.run(iter(company))
    return next((c for c in copies if c.wrong and likeness(c) == likeness(job)), None)


def trial(job, messages, cuts):
    out = Job("try", messages, job.end, cuts)
    out.wrong = job.wrong
    return out


def shrink(runner, job, noise, budget=80):
    """The same failure with fewer messages; the job itself if it does not happen again."""
    best = job
    for cuts in ({}, job.cuts):
        found = fails(runner, trial(job, job.messages, cuts), noise)
        if found:
            best = found
            break
    else:
        return job, False
    again = True
    while again and budget > 0:
        again = False
        for i in range(len(best.messages) - 1, -1, -1):
            budget -= 1
            less = best.messages[:i] + best.messages[i + 1:]
            found = fails(runner, trial(job, less, best.cuts), noise)
            if found:
                best, again = found, True
            if budget <= 0:
                break
    best.seed = job.seed
    return best, True


def run(world, args):
    """Failures, and a line about what was done."""
    grammar = Grammar(args.mode, ("",) if args.unnamed else STATEMENTS)
    pooled = world.pool(args.mode, args.sessions if args.mode == "session" else args.servers, "grammar-" + args.mode)
    runner = Runner(world.direct, pooled, args.sessions)
    seeds = (s for s in range(args.seed, args.seed + args.count) for _ in range(args.again))
    begun = time.monotonic()
    failures = list(runner.run((Job(s, *grammar.make(s)) for s in seeds), args.max_failures))
    classes = dict(runner.classes)
    runner.by_class = False
    took = time.monotonic() - begun
    told = (f"{args.mode} mode: {runner.done} scripts from seed {args.seed}, {sum(classes.values())} failed; {took:.1f} s, "
            f"{args.sessions} sessions on {pooled.pool_size} servers, another server after {runner.changes} scripts, "
            f"{runner.reopened} connections opened anew\n  differences: "
            + (", ".join(f"{k} {n}" for k, n in sorted(runner.excuses.items())) or "none"))
    if args.verbose:
        told += (f"\nreplies: {' '.join(f'{k}:{n}' for k, n in sorted(runner.kinds.items()))}"
                 f"\nerrors: {' '.join(f'{k}:{n}' for k, n in sorted(runner.states.items()))}")
    noise = (Job(s, *grammar.make(s)) for s in range(1 << 40, 1 << 41))
    for job in failures:
        small, again = (job, True) if getattr(args, "plain", False) else shrink(runner, job, noise)
        print(f"{classes[likeness(job)]} times: wanted {likeness(job)[1]!r}, got {likeness(job)[2]!r}\n{tell(small, args.mode)}")
        print(f"  (reduced from {len(job.messages)} messages)\n" if again else "  (did not fail again in the same company; as it was)\n")
    runner.close()
    args.kinds, args.states, args.changes, args.done, args.excuses = (
        runner.kinds, runner.states, runner.changes, runner.done, runner.excuses)
    return failures, told
