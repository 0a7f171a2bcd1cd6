"""T-CAN-01: clients that never cancel beside clients that cancel all the time, on few servers; one thread, no threads' order."""

import heapq
import random
import selectors
import socket
import struct
import time

from . import wire
from .wire import extended, q


class Rider:
    """A client that has logged in, asks, and knows what must come back."""

    def __init__(self, storm, number, cancels):
        self.storm, self.number, self.cancels = storm, number, cancels
        rnd = storm.rnd
        self.c = wire.Client(storm.addr, "app", "db0", timeout=60, proto=rnd.choice((wire.PROTO_3_0, wire.PROTO_3_2)))
        self.c.sock.setblocking(False)
        self.buf = bytearray(self.c.buf[self.c.at:])
        self.asked = self.sent_at = 0
        self.busy = False

    def ask(self):
        self.asked += 1
        self.busy = True
        self.sent_at = time.monotonic()
        self.token = f"{self.number}-{self.asked}"
        self.rows, self.codes, self.ready = [], [], 0
        sleep = self.storm.takes if self.cancels else 0.001
        sql = f"SELECT '{self.token}', pg_sleep({sleep})"
        shape = self.storm.rnd.randrange(4)
        if shape == 0:
            out, self.want, self.owed = q(sql), 1, 1
        elif shape == 1:
            out, self.want, self.owed = extended(sql), 1, 1
        elif shape == 2:
            out, self.want, self.owed = q(sql) + extended(sql), 2, 2
        else:
            out, self.want, self.owed = q("BEGIN") + q(sql) + q("COMMIT"), 1, 3
        self.c.sock.send(out)
        if self.cancels and self.storm.rnd.random() < 0.8:
            self.storm.later(self.storm.rnd.uniform(0, 0.012), self.cancel)

    def cancel(self):
        if self.storm.open_cancels < 200:
            Cancel(self.storm, wire.cancel(self.c.pid, self.c.key), self.storm.rnd.random() < 0.7)

    def readable(self):
        data = self.c.sock.recv(65536)
        if not data:
            raise AssertionError(f"client {self.number} was disconnected, had asked for {self.token}")
        self.buf += data
        at = 0
        while len(self.buf) - at >= 5:
            (size,) = struct.unpack_from("!I", self.buf, at + 1)
            if len(self.buf) - at < size + 1:
                break
            self.message(chr(self.buf[at]), bytes(self.buf[at + 5:at + 1 + size]))
            at += size + 1
        del self.buf[:at]

    def message(self, kind, body):
        if kind == "D":
            (size,) = struct.unpack_from("!i", body, 2)
            self.rows.append(body[6:6 + size].decode())
        elif kind == "E":
            self.codes.append(wire.fields(body)["C"])
        elif kind == "Z":
            self.ready += 1
            if self.ready == self.owed:
                self.over(body)
        elif kind not in ("TCS12N" if self.cancels else "TCS12"):      # COMMIT after a BEGIN that was cancelled warns
            raise AssertionError(f"client {self.number}: message {kind} {body!r}")

    def over(self, status):
        self.busy = False
        storm = self.storm
        right = [self.token] * self.want
        if self.cancels and status == b"E" and self.codes and self.codes[-1] == "57014":
            # it was the COMMIT, or the ROLLBACK behind it, that was hit
            self.busy = True
            self.owed += 1
            self.c.sock.send(q("ROLLBACK"))
            return
        if status != b"I":
            raise AssertionError(f"client {self.number}: left in status {status}")
        if self.cancels:
            storm.cancelled += bool(self.codes)
            # what a cancelled transaction says at its end is no error; a statement behind the failed one is
            if set(self.codes) - {"57014", "25P02"} or (not self.codes and self.rows != right):
                raise AssertionError(f"canceller {self.number}: {self.codes} {self.rows}, asked for {right}")
            storm.asked += 1
        else:
            if self.codes or self.rows != right:
                storm.harmed.append((self.number, self.codes, self.rows, right))
            storm.served += 1
            storm.slowest = max(storm.slowest, time.monotonic() - self.sent_at)
        storm.later(storm.rnd.expovariate(1 / storm.think), self.ask)


class Cancel:
    def __init__(self, storm, packet, stays):
        self.storm, self.stays = storm, stays
        self.sock = socket.create_connection(storm.addr)
        self.sock.sendall(packet)
        storm.cancels += 1
        if not stays:
            self.sock.close()
            return
        self.sock.setblocking(False)
        storm.open_cancels += 1
        storm.selector.register(self.sock, selectors.EVENT_READ, self)

    def readable(self):
        try:
            data = self.sock.recv(1)
        except ConnectionResetError:
            data = b""
        assert data == b"", "a cancel request was answered"
        self.storm.open_cancels -= 1
        self.storm.selector.unregister(self.sock)
        self.sock.close()


class Storm:
    def __init__(self, addr, victims, cancellers, think, seed=1, takes=0.004):
        self.addr, self.think, self.takes = addr, think, takes      # seconds of a canceller's query
        self.rnd = random.Random(seed)
        self.selector = selectors.DefaultSelector()
        self.timers, self.order = [], 0
        self.open_cancels = self.cancels = self.cancelled = self.asked = self.served = 0
        self.slowest = 0.0
        self.harmed = []        # victims with an error or somebody else's rows
        self.riders = [Rider(self, i, i >= victims) for i in range(victims + cancellers)]
        for r in self.riders:
            self.selector.register(r.c.sock, selectors.EVENT_READ, r)

    def later(self, delay, what):
        self.order += 1
        heapq.heappush(self.timers, (time.monotonic() + delay, self.order, what))

    def run(self, seconds, quiet=30):
        """Until the first harm, or the time is over and all have their answers."""
        end = time.monotonic() + seconds
        for r in self.riders:
            self.later(self.rnd.uniform(0, self.think), r.ask)
        while not self.harmed:
            now = time.monotonic()
            if now > end:
                # nobody begins anew; what was begun comes to its end
                self.timers = [t for t in self.timers if t[2].__name__ == "cancel"]
                if not self.open_cancels and not any(r.busy for r in self.riders):
                    break
                assert now < end + quiet, f"{sum(r.busy for r in self.riders)} wait for ever"
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2]()
            wait = max(0.0, self.timers[0][0] - now) if self.timers else 0.05
            for key, _ in self.selector.select(min(wait, 0.05)):
                key.data.readable()
        for r in self.riders:
            r.c.sock.setblocking(True)
            r.c.quit()

    def report(self):
        return (f"{self.served} requests of those that never cancel (slowest {self.slowest:.2f} s), {self.asked} of those that do, "
                f"{self.cancels} cancel requests, {self.cancelled} requests cancelled, {len(self.harmed)} harmed")
