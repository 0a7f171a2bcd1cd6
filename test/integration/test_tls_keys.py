"""New keys (TLS 1.3 KeyUpdate) while much is under way, and nothing but new keys (T-NET-03, V-T09).

Python's ssl can't ask for new keys; OpenSSL, which it stands on, can."""

import contextlib
import ctypes
import select
import socket
import ssl
import time

import pytest

from harness import wire
from harness.tlswire import FakeServer, Stream, TlsClient, ask, client_context, row, server_context

MB = 1 << 20
LIBSSL = ctypes.CDLL("libssl.so.3")
LIBSSL.SSL_get_version.restype = ctypes.c_char_p
for f in ("SSL_get_version", "SSL_key_update", "SSL_do_handshake"):
    getattr(LIBSSL, f).argtypes = [ctypes.c_void_p] + [ctypes.c_int] * (f == "SSL_key_update")


def handle(tls):
    """The SSL of an ssl.SSLObject: in CPython's struct it stands behind the head and the reference to a socket."""
    ours = tls._sslobj
    return ctypes.c_void_p.from_address(id(ours) + object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p)).value


def new_keys(stream, back=True):
    """Puts a KeyUpdate in front of what is sent next; back: the peer is to change its keys as well."""
    ours = handle(stream.tls)
    assert LIBSSL.SSL_get_version(ours) == b"TLSv1.3" == stream.tls.version().encode()
    assert LIBSSL.SSL_key_update(ours, 1 if back else 0) == 1


def flood(stream, n):
    """n KeyUpdate, each of which asks for ours, as bytes."""
    for _ in range(n):
        new_keys(stream)
        assert LIBSSL.SSL_do_handshake(handle(stream.tls)) == 1
    return stream.outside.read()


def conf(pki, **more):
    return {"client_tls_sslmode": "prefer", "client_tls_cert_file": pki.crt("good"), "client_tls_key_file": pki.file("good.key"),
            "auth_type": "trust", "workers": 1, "pool_size": 2, "max_overflow": 0, **more}


def allowed(p, kb):
    return kb + (30000 if p.sanitized() else 0)


def login(p, database, **kw):
    """A client on a Stream of its own: TLS by hand, so that what goes out can be held and looked at.  None: not logged in."""
    sock = socket.create_connection(p.addr)
    for k, v in kw.items():
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, k), v)
    sock.settimeout(60)
    assert ask(sock) == b"S"
    s = Stream(sock, client_context()).handshake()
    if database:
        s.send(wire.startup({"user": "app", "database": database}))
        s.until(b"Z\0\0\0\5I")
    return s


def is_cut_off(sock, data, reads):
    """Sends it, reading meanwhile or not; the other side hangs up in the end."""
    sock.settimeout(20)
    try:
        for i in range(0, len(data), 16384):
            sock.sendall(data[i:i + 16384])
            if reads and select.select([sock], [], [], 0)[0] and not sock.recv(1 << 20):
                return True
        while sock.recv(1 << 20):
            pass
    except (ConnectionError, socket.timeout) as e:
        return isinstance(e, ConnectionError)
    return True


@pytest.mark.long
def test_T_NET_03_fifty_megabytes_with_new_keys_in_both_directions(maker, tlspg, pki):
    """The client sends 50 MB and does not read until nothing goes any more; every megabyte or so both peers want new keys, on both legs."""
    n, text = 5000, b"k" * 10000
    query, answer = wire.q(text.decode()), row(text)

    def script(peer):
        peer.begin(server_context(pki.crt("good")))
        peer.welcome()
        done = 0
        while True:
            kind, body = peer.message()
            if kind == "X":
                return
            if kind != "Q" or body[:-1] != text:
                peer.send(row(body[:-1]))
                continue
            done += 1
            if done % 100 == 50:
                new_keys(peer.stream)
            peer.send(answer)

    with FakeServer(script) as fake:
        p = maker(tlspg, **conf(pki, server_tls_sslmode="require",
                               databases={"fake": f"host=127.0.0.1 port={fake.port}"}))
        with TlsClient(p.addr, database="fake") as other:
            assert other.value("hello") == "hello"
            s = login(p, "fake", SO_RCVBUF=65536)
            before = p.rss_kb()
            s.sock.setblocking(False)
            out, said, heard, asked, moved, stuck = b"", 0, 0, 0, time.monotonic(), False
            most = before
            while heard < n * len(answer):
                if not out and said < n:
                    if said % 100 == 0:
                        new_keys(s)
                        asked += 1
                    out = s.seal(query * 10)
                    said += 10
                # until nothing has gone for a second it does not read
                r, w, _ = select.select([s.sock] if stuck else [], [s.sock] if out else [], [], 0.2)
                if w:
                    with contextlib.suppress(BlockingIOError):
                        out = out[s.sock.send(out):]
                        moved = time.monotonic()
                if r:
                    assert s.pull(), "the pooler has hung up"
                    moved = time.monotonic()
                    with contextlib.suppress(ssl.SSLWantReadError):
                        while True:
                            heard += len(s.tls.read(65536))
                    out += s.outside.read()
                if not w and not r and time.monotonic() - moved > 1:
                    assert not stuck or time.monotonic() - moved < 30, (said, heard)
                    if not stuck:
                        stuck = True
                        assert said < n, "somebody has taken it all in"
                        most = max(most, p.rss_kb())
                        assert other.value("still there") == "still there"
                        cpu = p.cpu()
                        time.sleep(0.5)
                        assert p.cpu() - cpu < 0.2, "it burns"
            most = max(most, p.rss_kb())
            assert said == n and heard == n * len(answer) and asked == n // 100
            assert most - before < allowed(p, 6144), most - before
            assert other.value("at last") == "at last"
            s.sock.close()


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("when", ["before login", "idle", "in a transaction"])
def test_nothing_but_new_keys_from_a_client(pooler, pki, when, reads):
    """It is cut off before it has cost much."""
    p = pooler(**conf(pki))
    with TlsClient(p.addr) as other:
        s = login(p, "db0" if when != "before login" else None)
        if when == "in a transaction":
            s.send(wire.q("BEGIN"))
            s.until(b"Z\0\0\0\5T")
        before = p.rss_kb()
        data = flood(s, 20000)
        assert len(data) > 400000
        assert is_cut_off(s.sock, data, reads)
        p.log_has("nothing but new keys|does not read them")
        assert other.value("SELECT 1") == "1"
        assert p.rss_kb() - before < allowed(p, 4096)
        wire.wait_until(lambda: p.pool()["sv_active"] == 0)


def test_nothing_but_new_keys_from_a_server(maker, tlspg, pki):
    """A server that does that is closed, and its client is told."""
    def script(peer):
        peer.begin(server_context(pki.crt("good")))
        peer.welcome()
        while True:
            kind, body = peer.message()
            if kind == "X":
                return
            if body != b"flood\0":
                peer.send(row(body[:-1]))
            elif not is_cut_off(peer.sock, flood(peer.stream, 20000), True):
                raise AssertionError("still there")
            else:
                return

    with FakeServer(script) as fake:
        p = maker(tlspg, **conf(pki, server_tls_sslmode="require", databases={"fake": f"host=127.0.0.1 port={fake.port}"}))
        with TlsClient(p.addr, database="fake") as c, TlsClient(p.addr, database="fake") as other:
            before = p.rss_kb()
            c.send(wire.q("flood"))
            assert c.until("EZ")[-1].type == "E"
            assert other.value("SELECT 1") == "SELECT 1"
            assert p.rss_kb() - before < allowed(p, 4096)


def test_new_keys_between_data_are_no_flood(pooler, pki):
    """Ten thousand of them, one with each request: nobody is cut off, and both directions have their new keys."""
    p = pooler(**conf(pki))
    s = login(p, "db0")
    one = wire.q("SELECT 'x'")
    for i in range(100):
        data = b""
        for _ in range(100):
            new_keys(s)
            data += s.seal(one)
        s.sock.sendall(data)
        got = b""
        while got.count(b"Z\0\0\0\5I") < 100:
            more = s.recv()
            assert more, "cut off"
            got += more
    s.sock.close()
