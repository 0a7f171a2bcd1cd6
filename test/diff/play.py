"""Plays a script on a connection and writes down what comes back, block by block.

A script is played in several splits of the same bytes: a block at once, a message at a time, a byte at a time, and pieces
cut at random. What comes back must not depend on it.
"""

import random
import select
import struct
import time

from harness import wire
from harness.wire import Client

from message import encode

PAUSE = 0.003            # at a cut: long enough for the other side to read what came before
SILENCE = 0.06           # how long "nothing" is watched
PATIENCE = 5.0
SPLITS = ("whole", "messages", "bytes", "random")


class Line:
    """A logged-in client whose socket is read while it is written to."""

    def __init__(self, client):
        self.client = client
        self.pid = client.pid
        self.sock = client.sock
        self.sock.setblocking(False)
        self.buf = bytearray()
        self.at = 0
        self.closed = False

    def pull(self):
        """What is there; False when there was nothing."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.closed = True
        self.buf += data
        return True

    def message(self):
        """The next whole one that has come, or None."""
        if len(self.buf) - self.at < 5:
            return None
        size = struct.unpack_from("!I", self.buf, self.at + 1)[0] + 1
        if len(self.buf) - self.at < size:
            return None
        out = (chr(self.buf[self.at]), bytes(self.buf[self.at + 5:self.at + size]))
        self.at += size
        if self.at > 1 << 20:
            del self.buf[:self.at]
            self.at = 0
        return out

    def send(self, data):
        data = memoryview(data)
        end = time.monotonic() + PATIENCE
        while data and not self.closed:
            try:
                data = data[self.sock.send(data):]
            except BlockingIOError:
                select.select([self.sock], [self.sock], [], PATIENCE)
                self.pull()
                if time.monotonic() > end:
                    return False
            except OSError:
                return False      # what came before the end is still to be read
        return True

    def wait_until_read(self):
        """Until the other side has taken all that was sent to it; the machine may be busy."""
        end = time.monotonic() + PATIENCE
        port = self.sock.getsockname()[1]
        while not self.closed and time.monotonic() < end:
            with open("/proc/net/tcp") as f:
                others = [words for words in map(str.split, f) if words[2].endswith(f":{port:04X}")]
            # words[4]: what is to be sent, and what is to be read
            if all(words[4].endswith(":00000000") for words in others):
                return
            time.sleep(0.001)

    def take(self, count, patience=PATIENCE):
        """count messages, or what came until the end or until patience was over; then ("closed"…) or ("nothing"…) is last."""
        out = []
        end = time.monotonic() + patience
        while len(out) < count:
            m = self.message()
            if m:
                out.append(m)
                continue
            if self.closed:
                out.append(("closed", b""))
                break
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                out.append(("nothing", b""))
                break
            self.pull()
        return out

    def close(self):
        try:
            self.sock.send(wire.terminate())
        except OSError:
            pass
        self.sock.close()


def open_line(addr, user, database, password=None, params=()):
    return Line(Client(addr, user, database, password, params=params))


def pieces(block, split, seed):
    """[(bytes, pause after it)] or ("change",) or ("admin", sql) in the order of the block."""
    out, data, cut_in = [], [], None
    rnd = random.Random(seed)

    def flush(pause):
        whole = b"".join(data)
        if split == "whole" or not whole:
            parts = [whole]
        elif split == "messages":
            parts = list(data)
        elif split == "bytes":
            parts = [whole[i:i + 1] for i in range(len(whole))]
        else:
            cuts = sorted({rnd.randrange(len(whole)) for _ in range(rnd.randrange(1, 6))} - {0})
            parts = [whole[a:b] for a, b in zip([0] + cuts, cuts + [len(whole)])]
        data.clear()
        for i, p in enumerate(parts):
            if p:
                last = i == len(parts) - 1
                out.append(("bytes", p, "until read" if last and pause else not last and split == "random" and rnd.random() < 0.5))

    for step in block.steps:
        if step[0] == "send":
            b = encode(step[1])
            if cut_in is not None:
                data.append(b[:cut_in])
                flush(True)
                b = b[cut_in:]
                cut_in = None
            data.append(b)
        elif step[0] == "cut":
            if step[1] is None:
                flush(True)
            else:
                cut_in = step[1]
        else:
            flush(True)
            out.append(step)
    flush(False)
    return out


def play(line, script, mode, split, world, counts=True):
    """[[(type, body)…] for each block], ending early when the peer closes. counts=False: read until silence (to learn)."""
    got = []
    for n, block in enumerate(script.blocks):
        for piece in pieces(block, split, f"{script.name}/{n}"):
            if piece[0] == "bytes":
                line.send(piece[1])
                if piece[2] == "until read":
                    line.wait_until_read()
                if piece[2]:
                    time.sleep(PAUSE)
            elif piece[0] == "change":
                world.change_server()
            elif piece[0] == "wait":
                world.others_wait()
            elif piece[0] == "another":
                world.another(encode(piece[1]))
            elif piece[0] == "admin":
                world.admin(piece[1])
        want = block.want_in(mode)
        if not counts:
            msgs = line.take(1 << 30, 0.2)
            if len(msgs) > 1 and msgs[-1][0] == "nothing":
                msgs.pop()
        elif want == ["nothing"]:
            msgs = line.take(1, SILENCE)
        else:
            msgs = line.take(len(want))
        got.append(msgs)
        if msgs and msgs[-1][0] == "closed":
            break
    if not line.closed:
        line.send(wire.q("SELECT 'still in step'"))
        got.append(line.take(4))
    return got
