"""The tag oracle: many clients, every byte that comes back carries a token of its client and request, or is wrong."""

import collections
import os
import random
import re
import select
import socket
import struct
import time

from . import wire
from .wire import copy_data, copy_done, extended, q

TOKEN = re.compile(rb"tk:\d+:\d+:[0-9a-f]{12}")


class Op:
    """What was sent and what has to come: a list of (type, token or None). 'E' ends nothing by itself; Z does."""
    __slots__ = ("token", "data", "want", "cancellable")

    def __init__(self, token, data, want, cancellable=False):
        self.token, self.data, self.want, self.cancellable = token, data, want, cancellable


def make(rnd, token):
    """One random request of one client. The token is part of every row, error, notice and COPY line it provokes."""
    t = token.decode()
    b = token
    kind = rnd.randrange(13)
    row = [("D", b)]
    if kind == 0:
        return Op(b, q(f"SELECT '{t}'"), ["T"] + row + ["C", "Z"])
    if kind == 1:
        return Op(b, q(f"SELECT '{t}', i FROM generate_series(1,5) i"), ["T"] + row * 5 + ["C", "Z"])
    if kind == 2:
        return Op(b, q(f"SELECT fail('{t}')"), ["T", ("E", b), "Z"])
    if kind == 3:
        return Op(b, q(f"SELECT shout('{t}')"), ["T", ("N", b)] + row + ["C", "Z"])
    if kind == 4:
        return Op(b, extended("SELECT $1::text", [t]), ["1", "2", "T"] + row + ["C", "Z"])
    if kind == 5:
        return Op(b, extended("SELECT fail($1)", [t]), ["1", "2", "T", ("E", b), "Z"])
    if kind == 6:
        return Op(b, extended("SELECT $1::text", [t]) + q(f"SELECT '{t}'") + extended("SELECT shout($1)", [t]),
                  ["1", "2", "T"] + row + ["C", "Z", "T"] + row + ["C", "Z", "1", "2", "T", ("N", b)] + row + ["C", "Z"])
    if kind == 7:
        return Op(b, q(f"COPY (SELECT '{t}' FROM generate_series(1,4)) TO STDOUT"), ["H"] + [("d", b)] * 4 + ["c", "C", "Z"])
    if kind == 8:
        return Op(b, q("COPY sink FROM STDIN") + copy_data(f"{t}\tx\n") + copy_done(), ["G", ("E", b), "Z"])
    if kind == 9:
        return Op(b, q("BEGIN") + q(f"SELECT '{t}'") + q("COMMIT") + q(f"SELECT '{t}'"),
                  ["C", "Z", "T"] + row + ["C", "Z", "C", "Z", "T"] + row + ["C", "Z"])
    if kind == 10:
        return Op(b, extended("BEGIN") + extended("SELECT fail($1)", [t]) + q(f"SELECT '{t}'") + q("ROLLBACK"),
                  ["1", "2", "n", "C", "Z", "1", "2", "T", ("E", b), "Z", ("E", None), "Z", "C", "Z"])
    if kind == 11:
        return Op(b, q(f"SELECT '{t}', pg_sleep(0.01)"), ["T"] + row + ["C", "Z"], True)
    return Op(b, extended(f"SELECT repeat($1, 300), '{t}'", [t]), ["1", "2", "T"] + row + ["C", "Z"])


class Rider:
    """One client of the oracle. Every third cancels now and then; the others never do and must never be hit."""

    def __init__(self, oracle, number):
        self.oracle, self.number = oracle, number
        self.request = 0
        self.sock = None
        self.connect()

    def connect(self):
        self.buf = b""
        self.op = None
        self.at = 0
        self.cancels = 0            # sent for this connection; from the first on, any request of it may be hit
        self.hits = 0               # errors they brought
        self.key = None
        self.login = True
        self.out = b""
        self.sock = socket.create_connection(self.oracle.addr, 20)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(wire.startup({"user": self.oracle.login[0], "database": self.oracle.login[1]}))
        self.sock.setblocking(False)
        self.oracle.add(self)

    def leave(self, rst):
        self.oracle.drop(self)
        if rst:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def token(self):
        self.request += 1
        return b"tk:%d:%d:%s" % (self.number, self.request, os.urandom(6).hex().encode())

    def start(self):
        """The next request; or a part of one, and goodbye."""
        o, rnd = self.oracle, self.oracle.rnd
        op = make(rnd, self.token())
        chance = rnd.random()
        if chance < o.leave_chance:
            cut = rnd.randrange(len(op.data) + 1)
            self.send(op.data[:cut])
            o.left += 1
            self.leave(rnd.random() < 0.5)
            self.connect()
            return
        self.op, self.at, self.seen = op, 0, 0
        self.send(op.data)
        if self.number % 3 == 0 and rnd.random() < o.cancel_chance * (10 if op.cancellable else 1):
            self.cancels += 1
            o.cancels += 1
            try:
                s = socket.create_connection(o.addr, 5)
                s.sendall(wire.cancel(*self.key))
                o.cancel_socks.append(s)
                if len(o.cancel_socks) > 40:
                    o.cancel_socks.popleft().close()
            except OSError:
                pass

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError) as e:
            self.oracle.fail(self, f"cannot send: {e}")

    def on_readable(self):
        try:
            data = self.sock.recv(262144)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self.oracle.fail(self, f"closed by the pooler; had {self.buf[:200]!r}")
            return
        self.buf += data
        at = 0
        while len(self.buf) - at >= 5:
            (size,) = struct.unpack_from("!I", self.buf, at + 1)
            if len(self.buf) - at < size + 1:
                break
            kind = chr(self.buf[at])
            body = self.buf[at + 5:at + 1 + size]
            at += size + 1
            self.on_message(kind, body)
            if self.oracle.faults:
                return
        self.buf = self.buf[at:]

    def on_message(self, kind, body):
        o = self.oracle
        if self.login:
            if kind == "K":
                self.key = struct.unpack("!II", body)
            elif kind == "E":
                o.fail(self, f"refused: {wire.fields(body)}")
            elif kind == "Z":
                self.login = False
                self.start()
            return
        if kind == "S":
            return
        if self.op is None:
            o.fail(self, f"{kind} without a request: {body[:200]!r}")
            return
        op = self.op
        for found in TOKEN.findall(body):
            if found != op.token:
                o.fail(self, f"FOREIGN TOKEN {found!r} in {kind} of {op.token!r}")
                return
        if kind == "E" and self.hits < self.cancels and b"C57014\0" in body:
            # what was cancelled yields its error; the rest of its batch goes on from the next ReadyForQuery
            self.hits += 1
            if op.want[self.at] is None:
                return      # a second one, late, in what the first has shaken up already
            while op.want[self.at] != "Z":
                self.at += 1
            if len([w for w in op.want[self.at:] if w == "Z"]) > 1:
                # a transaction may now be failed: only count what is left
                op.want = op.want[:self.at] + [None] * 10000
            return
        if op.want[self.at] is None:
            self.loose(kind, body)
            return
        want = op.want[self.at]
        need = None
        if isinstance(want, tuple):
            want, need = want
        if kind != want:
            o.fail(self, f"{kind} where {want} was due ({self.at} of {op.want}) for {op.data[:120]!r}: {body[:300]!r}")
            return
        if need is not None:
            if need not in body:
                o.fail(self, f"{kind} without its token {need!r}: {body[:200]!r}")
                return
            o.replies += 1
        self.at += 1
        if self.at == len(op.want):
            if body != b"I":
                o.fail(self, f"ends in state {body!r}")
                return
            self.finish()

    def loose(self, kind, body):
        """After a cancel inside a batch: the number of ReadyForQuery still has to be right."""
        op = self.op
        if kind == "Z":
            self.seen += 1
            if self.done_z() == self.total_z(op):
                if body != b"I":
                    self.send(q("ROLLBACK"))
                    op.data += q("ROLLBACK")
                    return
                self.finish()

    def total_z(self, op):
        at, n = 0, 0
        while at < len(op.data):
            n += op.data[at:at + 1] in (b"Q", b"S")
            at += 1 + struct.unpack_from("!I", op.data, at + 1)[0]
        return n

    def done_z(self):
        return len([w for w in self.op.want[:self.at] if w == "Z"]) + self.seen

    def finish(self):
        self.op = None
        self.oracle.requests += 1
        if not self.oracle.stopping:
            self.start()


class Oracle:
    def __init__(self, addr, clients, seed=1, leave_chance=0.02, cancel_chance=0.03, login=("app", "db0")):
        self.addr, self.login = addr, login
        self.rnd = random.Random(seed)
        self.leave_chance, self.cancel_chance = leave_chance, cancel_chance
        self.poll = select.epoll()
        self.by_fd = {}
        self.faults = []
        self.replies = self.requests = self.left = self.cancels = 0
        self.cancel_socks = collections.deque()
        self.stopping = False
        self.riders = [Rider(self, i) for i in range(clients)]

    def add(self, r):
        self.by_fd[r.sock.fileno()] = r
        self.poll.register(r.sock.fileno(), select.EPOLLIN)

    def drop(self, r):
        fd = r.sock.fileno()
        self.poll.unregister(fd)
        del self.by_fd[fd]

    def fail(self, rider, why):
        self.faults.append(f"client {rider.number} request {rider.request}: {why}")

    def run(self, replies, quiet=30, limit=3600):
        """Until so many tagged replies have come, then until everybody is done. Faults are in .faults."""
        end = time.monotonic() + limit
        last, seen = time.monotonic(), 0
        while not self.faults:
            now = time.monotonic()
            if self.replies >= replies or now > end:
                self.stopping = True
            if self.stopping and all(r.op is None and not r.login for r in self.riders):
                break
            for fd, _ in self.poll.poll(0.5):
                r = self.by_fd.get(fd)
                if r:
                    r.on_readable()
                if self.faults:
                    break
            if self.replies != seen:
                seen, last = self.replies, now
            elif now - last > quiet:
                stuck = [r for r in self.riders if r.op is not None or r.login]
                self.faults.append(f"nothing came for {quiet} s; {len(stuck)} wait, first: client {stuck[0].number} login={stuck[0].login} "
                                   f"op={stuck[0].op and stuck[0].op.data[:100]!r} at {stuck[0].at} cancels={stuck[0].cancels}")
        for r in self.riders:
            r.sock.close()
        for s in self.cancel_socks:
            s.close()
        self.poll.close()
