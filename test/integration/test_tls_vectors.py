"""Bytes around and inside TLS that nobody ought to send (V-T01 … V-T09), and records cut in every way."""

import re
import socket
import ssl
import subprocess
import time

import pytest

from harness import wire
from harness.tlswire import ALPN, FakeServer, Stream, TlsClient, ask, client_context, row, server_context

LOGIN = wire.startup({"user": "app", "database": "db0"})


def conf(pki, mode="prefer", **more):
    return {"client_tls_sslmode": mode, "client_tls_cert_file": pki.crt("good"), "client_tls_key_file": pki.file("good.key"), **more}


def rest(s):
    out = b""
    try:
        while True:
            data = s.recv(65536)
            if not data:
                return out
            out += data
    except ConnectionError:
        return out


# ---- V-T01, V-T02: something comes with the question ----

@pytest.mark.parametrize("code", [wire.SSL_REQUEST, wire.GSSENC_REQUEST])
@pytest.mark.parametrize("behind", [LOGIN, b"\x16\x03\x01", b"X", wire.cancel(1, 1)])
def test_stuffing(pooler, pki, code, behind):
    p = pooler(**conf(pki))
    with p.conn() as c:
        c.send(wire.request(code) + behind)
        got = rest(c.sock)
        assert got[:1] == b"E" and b"data after an encryption request" in got and b"Z\0\0\0" not in got, got
    assert "login attempt" not in p.log_text()


def test_stuffing_after_the_answer(pooler, pki):
    """In the clear after S: not a handshake, and never a login."""
    p = pooler(**conf(pki))
    with p.conn() as c:
        assert ask(c.sock) == b"S"
        c.send(LOGIN)
        got = rest(c.sock)
        assert got[:1] in (b"", b"\x15"), got      # an alert
    assert "login attempt" not in p.log_text()
    p.log_has("TLS handshake failed")


# ---- V-T03, V-T04: asked again, asked wrong ----

def test_asked_again_and_again(pooler, pki):
    for tls in (True, False):
        p = pooler(**(conf(pki) if tls else {}))
        for first, second, more in ((wire.SSL_REQUEST, wire.SSL_REQUEST, False), (wire.GSSENC_REQUEST, wire.GSSENC_REQUEST, False),
                                    (wire.GSSENC_REQUEST, wire.SSL_REQUEST, True), (wire.SSL_REQUEST, wire.GSSENC_REQUEST, True)):
            with p.conn() as c:
                c.send(wire.request(first))
                answer = c.sock.recv(1)
                assert answer == (b"S" if tls and first == wire.SSL_REQUEST else b"N")
                if answer == b"S":
                    continue
                c.send(wire.request(second))
                got = c.sock.recv(1)
                assert got == ((b"S" if tls and second == wire.SSL_REQUEST else b"N") if more else b"E")
                if got == b"N":
                    c.send(wire.request(first))
                    assert c.sock.recv(1) == b"E"
        many = b"".join(wire.request(wire.SSL_REQUEST if i % 2 else wire.GSSENC_REQUEST) for i in range(100000))
        with p.conn() as c:
            try:
                c.send(many)
            except OSError:
                pass
            assert len(rest(c.sock)) < 500
        with p.client() as c:
            assert c.value("SELECT 1") == "1"


@pytest.mark.parametrize("code", [wire.SSL_REQUEST, wire.GSSENC_REQUEST])
@pytest.mark.parametrize("direct", [False, True])
def test_asked_inside(pooler, pki, code, direct):
    p = pooler(**conf(pki))
    with TlsClient(p.addr, login=False, direct=direct, context=client_context(alpn=ALPN)) as c:
        c.send(wire.request(code))
        m = c.recv()
        assert m.type == "E" and "asked for twice" in wire.fields(m.body)["M"]
        with pytest.raises(wire.Closed):
            c.recv()


@pytest.mark.parametrize("data", [b"\0\0\0\x09\x04\xd2\x16\x2f\0", b"\0\0\0\x0c\x04\xd2\x16\x2f\0\0\0\0"])
def test_question_of_another_length(pooler, pki, data):
    p = pooler(**conf(pki))
    with p.conn() as c:
        c.send(data)
        got = rest(c.sock)
        assert got[:1] in (b"", b"E"), got


def test_asked_after_the_startup(pooler, pki):
    p = pooler(auth_type="plain", **conf(pki))
    with p.conn() as c:
        c.send(LOGIN)
        assert c.recv().type == "R"
        c.send(wire.request(wire.SSL_REQUEST))
        got = rest(c.sock)
        assert got[:1] == b"E", got


# ---- V-T05, V-T06, V-T07: what a server answers ----

POISON = b"POISONED"
HELLO = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"
ERROR = b"SFATAL\0VFATAL\0C57P03\0M" + POISON + b"\0\0"
ANSWERS = {
    "S with a login": b"S" + HELLO,
    "N with a login": b"N" + HELLO,
    "S with an S": b"SS",
    "an error": b"E" + (len(ERROR) + 4).to_bytes(4, "big") + ERROR,
    "an old error": b"E" + POISON + b"\n\0",
    "an error without its end": b"E" + POISON,
    "E": b"E",
    "NUL": b"\0",
    "G": b"G",
    "0xff": b"\xff",
    "a megabyte": b"A" * 1000000,
    "a handshake": b"\x16\x03\x03\0\x01\0",
}


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-full"])
def test_answers_of_a_server(pooler, pki, mode):
    answer = [b""]

    def script(peer):
        peer.packet()
        peer.sock.sendall(answer[0])
        more = peer.sock.recv(1000)
        if more:
            peer.note("spoke", more)

    with FakeServer(script) as s:
        p = pooler(databases={"fake": f"port={s.port}"}, server_login_retry=0, query_wait_timeout=5, server_tls_sslmode=mode,
                   server_tls_ca_file=pki.crt("ca"))
        for name, answer[0] in ANSWERS.items():
            with pytest.raises(wire.PgError) as e:
                p.client(database="fake")
            text = str(e.value.fields)
            assert POISON.decode() not in text, (name, text)
            assert "server sent more than its answer" in text or "did not understand" in text, (name, text)
            assert not s.seen, (name, s.seen)
        assert POISON.decode() not in p.log_text()


@pytest.mark.parametrize("mode", ["prefer", "require"])
def test_a_server_that_does_not_answer(pooler, mode):
    done = []

    def script(peer):
        peer.packet()
        if done:
            return
        peer.sock.recv(100)

    with FakeServer(script) as s:
        p = pooler(databases={"fake": f"port={s.port}"}, server_login_retry=0, server_connect_timeout=1, server_tls_sslmode=mode,
                   query_wait_timeout=10)
        with pytest.raises(wire.PgError) as e:
            p.client(database="fake")
        assert "timeout" in e.value.text
        done.append(1)
        with pytest.raises(wire.PgError) as e:
            p.client(database="fake")
        assert "closed the connection while TLS was agreed upon" in e.value.text


@pytest.mark.parametrize("where", ["hello", "half", "garbage"])
def test_a_handshake_that_breaks_off(pooler, pki, where):
    def script(peer):
        peer.packet()
        peer.sock.sendall(b"S")
        peer.sock.recv(5)
        if where == "half":
            peer.sock.sendall(b"\x16\x03\x03\0\x7a\x02\0")
        elif where == "garbage":
            peer.sock.sendall(bytes(range(256)) * 10)
            rest(peer.sock)

    with FakeServer(script) as s:
        p = pooler(databases={"fake": f"port={s.port}"}, server_login_retry=0, server_tls_sslmode="require", query_wait_timeout=5)
        for i in range(3):
            with pytest.raises(wire.PgError) as e:
                p.client(database="fake")
            assert "TLS" in e.value.text, e.value.text


# ---- V-T08: the end comes without a word ----

def test_server_ends_in_mid_message(pooler, pki):
    """J12: what was cut off is an error, and nobody gets the rest of somebody else's."""
    context = server_context(pki.crt("good"))
    notify = [False]

    def script(peer):
        peer.begin(context)
        peer.welcome()
        while True:
            kind, body = peer.message()
            if kind == "Q" and body == b"cut\0":
                peer.send(row(b"x" * 1000)[:500])
                if notify[0]:
                    try:
                        peer.stream.tls.unwrap()
                    except ssl.SSLError:
                        pass
                    peer.stream.push()
                return
            if kind == "Q":
                peer.send(row(body[:-1]))

    with FakeServer(script) as s:
        p = pooler(databases={"fake": f"port={s.port}"}, server_tls_sslmode="require")
        for notify[0] in (False, True):
            with p.client(database="fake") as c:
                assert c.value("a") == "a"
                c.send(wire.q("cut"))
                with pytest.raises(wire.Closed):
                    while c.recv().type != "Z":
                        pass
            with p.client(database="fake") as c:
                assert c.value("b") == "b"


def test_client_ends_in_mid_message(pooler, pki):
    p = pooler(**conf(pki))
    with p.client() as watch:
        watch.query("CREATE TABLE IF NOT EXISTS cut(a text); TRUNCATE cut")
        for notify in (False, True):
            c = TlsClient(p.addr)
            c.send(wire.q("COPY cut FROM STDIN"))
            assert c.recv().type == "G"
            c.send(wire.copy_data("line\n") + wire.copy_data("x" * 1000)[:300])
            time.sleep(0.1)
            if notify:
                c.sock.setblocking(False)
                try:
                    c.sock.unwrap()
                except (ssl.SSLError, OSError):
                    pass
            socket.socket(fileno=c.sock.detach()).close()
        wire.wait_until(lambda: p.pool()["sv_active"] == 0)
        assert watch.value("SELECT count(*) FROM cut") == "0"


# ---- V-T09: records ----

@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_byte_by_byte(pooler, pki, direct, version):
    """Every byte of the ciphertext in a segment of its own, from the first one on."""
    p = pooler(**conf(pki))
    s = wire.connect(p.addr)
    if not direct:
        assert ask(s) == b"S"
    t = Stream(s, client_context(alpn=ALPN, low=version, high=version)).handshake(step=1)
    t.send(LOGIN, step=1)
    t.until(b"Z\0\0\0\x05I")
    t.send(wire.q("SELECT 'good bye'"), step=1)
    t.until(b"good bye")
    s.close()


def test_a_record_for_each_byte(pooler, pki):
    p = pooler(**conf(pki))
    s = wire.connect(p.addr)
    assert ask(s) == b"S"
    t = Stream(s, client_context()).handshake()
    for data in (LOGIN, wire.q("SELECT 'good bye'") * 3):
        s.sendall(b"".join(t.seal(data[i:i + 1]) for i in range(len(data))))
    got = b""
    while got.count(b"good bye") < 3:
        got += t.recv()
    s.close()


def test_a_hundred_messages_in_a_record(pooler, pki):
    """H5: what OpenSSL has read already makes no event."""
    p = pooler(**conf(pki))
    for n in (1, 99, 100, 101, 500):
        with TlsClient(p.addr) as c:
            one = wire.q(f"SELECT '{'x' * 100}'")
            batch = one * n
            assert n > 100 or len(batch) <= 16384
            c.sock.sendall(batch)
            r = c.result(n)
            assert len(r.rows) == n


def test_login_and_pipeline_in_one_flight(pooler, pki):
    """A client that does not wait for its welcome: kept, and answered."""
    p = pooler(**conf(pki))
    with TlsClient(p.addr, login=False) as c:
        c.send(LOGIN + b"".join(wire.q(f"SELECT {i}") for i in range(200)))
        r = wire.Result(c.until("Z", 201))
        assert [x[0] for x in r.rows] == [str(i) for i in range(200)]


def tool(p, *more):
    return subprocess.Popen(["openssl", "s_client", "-starttls", "postgres", "-connect", f"127.0.0.1:{p.port}", *more],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_new_keys_again_and_again(pooler, pki):
    """A flood of KeyUpdate that asks for ours: bounded, and the rest of the worker's clients live on."""
    p = pooler(workers=1, **conf(pki))
    with TlsClient(p.addr) as other:
        before = p.rss_kb()
        proc = tool(p, "-tls1_3")
        time.sleep(0.5)
        for _ in range(300):       # one letter at a time, or it would be data
            try:
                proc.stdin.write(b"K\n")
                proc.stdin.flush()
            except BrokenPipeError:
                break
            time.sleep(0.002)
        assert other.value("SELECT 1") == "1"
        out = proc.communicate(timeout=20)[0]
        assert b"KEYUPDATE" in out
        assert p.rss_kb() - before < 8192 + (24576 if p.sanitized() else 0)


def test_no_renegotiation(pooler, pki):
    p = pooler(**conf(pki))
    proc = tool(p, "-tls1_2")
    time.sleep(0.5)
    proc.stdin.write(b"R\n")
    proc.stdin.flush()
    time.sleep(0.5)
    out = proc.communicate(timeout=20)[0].decode(errors="replace")
    assert "RENEGOTIATING" in out and re.search("no renegotiation|unexpected message|wrong version|handshake failure", out), out[-500:]
    with TlsClient(p.addr) as c:
        assert c.value("SELECT 1") == "1"


def test_garbage_in_the_middle(pooler, pki):
    p = pooler(**conf(pki))
    for junk in (b"\0" * 100, b"\x17\x03\x03\xff\xff" + b"x" * 100, b"\x17\x03\x03\0\x30" + b"y" * 0x30, b"\x15\x03\x03\0\x02\x02\x28",
                 LOGIN, b"\x14\x03\x03\0\x01\x01" * 50):
        c = TlsClient(p.addr)
        c.query("BEGIN")
        raw = socket.socket(fileno=c.sock.detach())
        raw.settimeout(10)
        raw.sendall(junk)
        rest(raw)
        raw.close()
    wire.wait_until(lambda: p.pool()["sv_active"] == 0)
    with TlsClient(p.addr) as c:
        assert c.value("SELECT 1") == "1"


def test_no_error_of_another_connection(pooler, pki):
    """J13: OpenSSL's queue of errors is the thread's; what one client does wrong is not the next one's end."""
    p = pooler(workers=1, **conf(pki))
    with TlsClient(p.addr) as c:
        for _ in range(30):
            with p.conn() as bad:
                assert ask(bad.sock) == b"S"
                bad.send(b"\x16\x03\x01\0\x04junk" * 3)
                rest(bad.sock)
            assert c.value("SELECT 1") == "1"


def test_a_client_that_stalls_in_its_handshake(pooler, pki):
    p = pooler(client_login_timeout=1, **conf(pki))
    with p.conn() as c:
        assert ask(c.sock) == b"S"
        begin = time.monotonic()
        rest(c.sock)
        assert 0.5 < time.monotonic() - begin < 4
