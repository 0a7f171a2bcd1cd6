"""Back-pressure both ways: whoever is slow costs the others neither memory nor time.

The short forms are part of every run. The long ones are asked for:
FYNIX_MEM_SECONDS  how long T-MEM-01 reads slowly (default 8); FYNIX_MEM_MB what is offered (default 300)
FYNIX_BIG_MB       size of T-BIG-01's query through a made-up server (default 128)
"""

import os
import socket
import statistics
import struct
import threading
import time

import pytest

from harness import wire
from harness.ports import free_port
from harness.wire import extended, msg, q, wait_until

MB = 1 << 20
MEM_SECONDS = float(os.environ.get("FYNIX_MEM_SECONDS", "8"))
MEM_MB = int(os.environ.get("FYNIX_MEM_MB", "300"))
BIG_MB = int(os.environ.get("FYNIX_BIG_MB", "128"))


def limit(p, kb):
    """What the process may grow by: a sanitizer keeps what is freed for a while."""
    return kb + (30000 if p.sanitized() else 0)


class Peak:
    """The largest resident size while it runs, beyond what it was at first."""

    def __init__(self, p):
        self.p = p

    def __enter__(self):
        self.first = self.most = self.p.rss_kb()
        self.on = True
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while self.on:
            self.most = max(self.most, self.p.rss_kb())
            time.sleep(0.02)

    def __exit__(self, *a):
        self.on = False
        self.thread.join()
        self.growth = self.most - self.first


class Bystander:
    """Somebody who asks small things all the time, and how long the answers take."""

    def __init__(self, p, user="app2"):
        self.c = p.client(user, "db1")
        self.on = True
        self.took = []
        self.thread = threading.Thread(target=self.ask)
        self.thread.start()

    def ask(self):
        while self.on:
            t = time.monotonic()
            assert self.c.value("SELECT 1") == "1"
            self.took.append(time.monotonic() - t)
            time.sleep(0.003)

    def p99(self):
        took, self.took = self.took, []
        return statistics.quantiles(took, n=100)[98]

    def stop(self):
        self.on = False
        self.thread.join()
        self.c.quit()


def in_sockets(*ports):
    """Bytes that lie in the kernel on connections to these ports: on the way there, on the way back."""
    there = back = 0
    with open("/proc/net/tcp") as f:
        for line in f.readlines()[1:]:
            words = line.split()
            local, remote = (int(a.split(":")[1], 16) for a in words[1:3])
            sent, come = (int(n, 16) for n in words[4].split(":"))
            if words[3] != "01":        # ESTABLISHED
                continue
            if local in ports:
                there, back = there + come, back + sent
            elif remote in ports:
                there, back = there + sent, back + come
    return there, back


def slow_socket(c, size=65536):
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def read_slowly(c, seconds, per_second):
    """Bytes that were read."""
    end, got, start = time.monotonic() + seconds, 0, time.monotonic()
    while time.monotonic() < end:
        got += len(c.sock.recv(32768))
        ahead = got / per_second - (time.monotonic() - start)
        if ahead > 0:
            time.sleep(ahead)
    return got


@pytest.mark.long
@pytest.mark.parametrize("how", ["simple", "extended", "copy"])
def test_T_MEM_01_a_big_result_to_a_slow_reader(pooler, how):
    p = pooler(workers=1, pool_size=3, max_overflow=0)
    with p.client() as c:           # what is allocated once
        c.query("SELECT repeat('x', 8000) FROM generate_series(1, 2000)")
        c.quit()
    # the same of another pooler, at the same time: what the machine does to both is nobody's fault
    other, control = Bystander(p), Bystander(pooler(workers=1))
    time.sleep(2 if MEM_SECONDS < 60 else 30)
    calm = other.p99()
    rows = MEM_MB * MB // 8000
    sql = f"SELECT repeat('x', 8000) FROM generate_series(1, {rows})"
    c = p.client(timeout=30)
    slow_socket(c)
    c.send({"simple": q(sql), "extended": extended(sql), "copy": q(f"COPY ({sql}) TO STDOUT")}[how])
    read_slowly(c, 1, MB)
    other.p99(), control.p99()
    with Peak(p) as peak:
        got = read_slowly(c, MEM_SECONDS, MB)
    busy, elsewhere = other.p99(), control.p99()
    other.stop(), control.stop()
    assert got > 0.5 * MB * MEM_SECONDS, "it was read at that pace"
    print(f"T-MEM-01 {how}: {MEM_MB} MB offered, {got / MB:.1f} MB read in {MEM_SECONDS:.0f} s, growth {peak.growth} KiB, "
          f"p99 of another client {calm * 1e3:.2f} ms before, {busy * 1e3:.2f} ms meanwhile; of one at another pooler {elsewhere * 1e3:.2f}")
    assert peak.growth < limit(p, 1024), peak.growth
    assert busy < max(calm, elsewhere) * 3 + 0.02, (calm, busy, elsewhere)
    c.abort()
    t = time.monotonic()
    with p.client() as d:
        assert d.value("SELECT 1") == "1"
        d.quit()
    wait_until(lambda: p.pool()["sv_active"] + p.pool()["sv_being_canceled"] == 0, 6, what="its server is free again")
    print(f"T-MEM-01 {how}: its server was free {time.monotonic() - t:.2f} s after it had left")


@pytest.mark.long
@pytest.mark.parametrize("how", ["simple", "extended", "one batch"])
def test_T_NET_03_fifty_megabytes_by_a_client_that_does_not_read(pooler, pg, how):
    p = pooler(workers=1, pool_size=2, max_overflow=0)
    n, width = 53000, 1000
    pad = "-" * (width - 60)

    def one(i):
        sql = f"SELECT {i}, repeat('y', {width}) --{pad}"
        return q(sql) if how == "simple" else extended(sql, end=b"" if how == "one batch" and i % 500 else None)

    with p.client() as w:
        for i in range(200):
            w.query("SELECT repeat('y', 5000)")
        w.send(one(500))
        answer = sum(5 + len(m.body) for m in w.until("Z") if how != "one batch" or m.type != "Z")     # in bytes
        w.quit()
    c = p.client(timeout=60)
    slow_socket(c)
    other, control = Bystander(p), Bystander(pooler(workers=1))
    time.sleep(1)
    calm = other.p99()
    control.p99()
    whole = b"".join(one(i) for i in range(1, n + 1))
    view, at = memoryview(whole), 0
    with Peak(p) as peak:
        c.sock.setblocking(False)
        quiet = 0
        while at < len(whole) and quiet < 40:       # until nothing has gone for two seconds
            try:
                at += c.sock.send(view[at:at + 65536])
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.05)
        stuck = at
        there, back = in_sockets(p.port, pg.port)
        # of the requests: what neither waits in a socket nor has been answered into one
        held = stuck - there - back * len(whole) / (n * answer)
        busy, elsewhere = other.p99(), control.p99()
        c.sock.setblocking(True)
        c.sock.settimeout(60)
        writer = threading.Thread(target=lambda: c.sock.sendall(view[at:]))
        writer.start()
        seen = 0
        while seen < n:
            m = c.recv()
            if m.type == "D":
                seen += 1
                assert wire.row(m.body) == (str(seen), "y" * width)
            assert m.type != "E", wire.fields(m.body)
        writer.join()
    assert c.until("Z")[-1].body == b"I"
    other.stop(), control.stop()
    print(f"T-NET-03 {how}: {len(whole) / MB:.0f} MB of requests, {stuck / MB:.1f} MB taken before the client read, {held / MB:.2f} MB of it in no socket, growth {peak.growth} "
          f"KiB, p99 of another {calm * 1e3:.2f} / {busy * 1e3:.2f} ms")
    assert stuck < len(whole) and held < MB, "somebody has taken it all in"
    assert peak.growth < limit(p, 4096), peak.growth
    assert busy < max(calm * 3, elsewhere * 1.5) + 0.03, (calm, busy, elsewhere)
    c.abort()


@pytest.mark.parametrize("how", ["simple", "extended"])
def test_T_BIG_01_a_query_of_64_megabytes(pooler, how):
    p = pooler(workers=1, pool_size=2, max_overflow=0)
    with p.client() as w:
        w.query("SELECT 1 /*%s*/" % ("x" * MB))
        w.quit()
    c = p.client(timeout=60)
    text = "SELECT 'through' /*%s*/" % ("x" * (64 * MB))
    with Peak(p) as peak:
        c.send(q(text) if how == "simple" else extended(text))
        assert c.result().rows == [("through",)]
    print(f"T-BIG-01 {how}: growth {peak.growth} KiB")
    assert peak.growth < limit(p, 2048), peak.growth
    assert c.value("SELECT 2") == "2"
    c.quit()


def test_T_BIG_01_refused_where_max_packet_size_says_so(pooler):
    p = pooler(workers=1, max_packet_size="16MB")
    c = p.client(timeout=20)
    with Peak(p) as peak:
        try:
            c.send(q("SELECT 1 /*%s*/" % ("x" * (64 * MB))))
        except OSError:
            pass
        try:
            assert "length" in wire.fields(c.rest(5)[-1].body)["M"]
        except (IndexError, OSError):
            pass
    assert "invalid message length" in p.log_text()
    assert peak.growth < limit(p, 1024), peak.growth


def test_a_row_of_64_megabytes(pooler):
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    c = p.client(timeout=60)
    c.query("SELECT repeat('z', 1000000)")
    with Peak(p) as peak:
        c.send(q(f"SELECT repeat('z', {64 * MB})"))
        r = c.result()
    assert len(r.value) == 64 * MB
    assert peak.growth < limit(p, 2048), peak.growth
    c.quit()


class Deaf:
    """A made-up PostgreSQL: logs everybody in, and reads queries only while it is told to."""

    def __init__(self):
        self.port = free_port()
        self.sock = socket.create_server(("127.0.0.1", self.port))
        self.listens = threading.Event()
        self.got = 0
        self.on = True
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.on:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def exactly(self, s, n):
        out = b""
        while len(out) < n:
            d = s.recv(n - len(out))
            if not d:
                raise EOFError
            out += d
        return out

    def serve(self, s):
        try:
            (n,) = struct.unpack("!I", self.exactly(s, 4))
            while self.exactly(s, n - 4) == wire.request(wire.SSL_REQUEST)[4:]:
                s.sendall(b"N")
                (n,) = struct.unpack("!I", self.exactly(s, 4))
            s.sendall(msg("R", struct.pack("!I", 0)) + msg("S", b"client_encoding\0UTF8\0") + msg("S", b"server_version\0" b"15.0\0")
                      + msg("K", struct.pack("!II", 4711, 1)) + msg("Z", b"I"))
            while True:
                head = self.exactly(s, 5)
                (n,) = struct.unpack("!I", head[1:])
                left = n - 4
                while left:
                    if left > 4096:
                        self.listens.wait()
                    d = s.recv(min(left, 1 << 20))
                    if not d:
                        return
                    left -= len(d)
                    self.got += len(d)
                if head[:1] == b"Q":
                    s.sendall(msg("C", b"SELECT 0\0") + msg("Z", b"I"))
        except (EOFError, OSError):
            pass

    def stop(self):
        self.on = False
        self.sock.close()


@pytest.fixture
def deaf():
    d = Deaf()
    yield d
    d.stop()


def test_a_server_that_does_not_read_holds_its_client_back(pooler, deaf):
    p = pooler(workers=1, databases={"db0": f"port={deaf.port}", "db1": ""}, pool_size=2, max_overflow=0, server_check_query="")
    other, control = Bystander(p), Bystander(pooler(workers=1))
    c = p.client(timeout=60)
    c.ask("SELECT 1")
    time.sleep(1)
    calm = other.p99()
    control.p99()
    whole = q("SELECT '%s'" % ("x" * (BIG_MB * MB)))
    view, at = memoryview(whole), 0
    with Peak(p) as peak:
        c.sock.setblocking(False)
        quiet = 0
        while at < len(whole) and quiet < 30:
            try:
                at += c.sock.send(view[at:at + 262144])
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.05)
        stuck = at
        busy, elsewhere = other.p99(), control.p99()
        deaf.listens.set()
        c.sock.setblocking(True)
        c.sock.settimeout(60)
        c.sock.sendall(view[at:])
        assert c.result().tag == "SELECT 0"
    other.stop(), control.stop()
    assert deaf.got >= BIG_MB * MB
    print(f"T-BIG-01 made-up server: {BIG_MB} MB, {stuck / MB:.1f} MB taken while it did not read, growth {peak.growth} KiB, "
          f"p99 {calm * 1e3:.2f} / {busy * 1e3:.2f} ms")
    assert stuck < 20 * MB
    assert peak.growth < limit(p, 1024), peak.growth
    assert busy < max(calm * 3, elsewhere * 1.5) + 0.03, (calm, busy, elsewhere)
    c.quit()


@pytest.mark.long
def test_many_slow_readers_at_once(pooler):
    """Forty results that nobody reads: each costs a bounded buffer."""
    p = pooler(workers=2, pool_size=40, max_overflow=0)
    them = [p.client(timeout=30) for _ in range(40)]
    for c in them:
        slow_socket(c)
    for c in them:
        c.query("SELECT repeat('x', 100000)")
    with Peak(p) as peak:
        for c in them:
            c.send(q("SELECT repeat('x', 8000) FROM generate_series(1, 4000)"))
        time.sleep(4)
    assert peak.growth < limit(p, 40 * 512), peak.growth
    with p.client("app2", "db1") as d:
        assert d.value("SELECT 1") == "1"
        d.quit()
    for c in them[:5]:
        assert len(c.result().rows) == 4000
    for c in them:
        c.abort()
