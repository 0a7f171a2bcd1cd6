"""The login as an automaton, where test_vectors.py does not go: inside TLS, instead of a handshake, and while a server is awaited."""

import hashlib
import struct
import threading

import pytest

from harness import scram, wire
from harness.cluster import pw
from harness.owner import own
from harness.pooler import Pooler
from harness.tlswire import ALPN, FakeServer, TlsClient, ask, client_context
from harness.wire import cstr, msg, q, startup
from test_vectors import CANARY, STARTUP, unharmed

BODIES = (b"SELECT 1\0", b"", b"\0" * 40)
CONTEXT, DIRECT = client_context(), client_context(alpn=ALPN)
USERS = {"trust": "trusty", "password": "plainy", "md5": "mdfive", "scram-sha-256": "scrammy"}
PLUS, NORMAL = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"
GS2_PLUS = "p=tls-server-end-point,,"


@pytest.fixture(scope="module")
def p(top, pg, pki):
    """One pooler takes all of it, and in the end it is as it was."""
    with wire.Client(pg.sock, "postgres", "db0") as c:
        c.query("CREATE TABLE IF NOT EXISTS vector_canary(a int); GRANT ALL ON vector_canary TO PUBLIC")
    p = Pooler(pg, f"{top}/login-bytes", auth_type="hba", auth_hba_file="hba.conf", client_login_timeout=30, max_client_conn=1000,
               max_unauthenticated_percent=100, client_tls_sslmode="allow", client_tls_cert_file=pki.crt("good"),
               client_tls_key_file=pki.file("good.key"), log_connections=0, log_disconnections=0)
    with open(p.top + "/hba.conf", "w") as f:
        f.write("".join(f"host all {user} all {method}\n" for method, user in USERS.items()) + "host all all all scram-sha-256\n")
    own(p.top + "/hba.conf")
    p.start()
    for _ in range(20):
        p.client().quit()
        TlsClient(p.addr, password=pw("app"), context=CONTEXT).quit()
    yield from unharmed(p)


def tls(p, user="scrammy", direct=False):
    return TlsClient(p.addr, user, "db0", login=False, direct=direct, context=DIRECT if direct else CONTEXT)


def ends(c, what, data):
    """data brings nothing but at most one error, and the end."""
    try:
        c.send(data)
        msgs = c.rest(20)
    except (OSError, wire.Closed):
        msgs = []
    assert all(m.type == "E" for m in msgs) and len(msgs) <= 1, (what, wire.describe_msgs(msgs))
    c.close()


def exchange(c, mechanism=NORMAL, gs2="n,,", data=b"", user=""):
    """The first half of SCRAM; gives the exchange, and the server's message."""
    s = scram.Scram(pw("scrammy"), user=user, gs2=gs2)
    s.bound = gs2.encode() + data
    first = s.first()
    c.send(msg("p", cstr(mechanism) + struct.pack("!I", len(first)) + first))
    return s, c.recv()


def binding(c):
    return hashlib.sha256(c.sock.getpeercert(True)).digest()


# ---- T-LOGIN-MATRIX, the half inside TLS ----

@pytest.mark.parametrize("state", ["startup", "password", "md5", "scram-sha-256", "sasl-final", "plus-final"])
def test_T_LOGIN_MATRIX_inside_tls(p, state):
    """Every type byte in every state of the login, and a query behind it."""
    for kind in range(256):
        if state.endswith("final") and (kind % 2 == 0) != (state == "plus-final") and kind != ord("p"):
            continue        # the two see the same bytes: a half for each
        c = tls(p, USERS.get(state, "scrammy"))
        if state != "startup":
            c.send(startup({"user": c.user, "database": "db0"}))
            m = c.recv()
            assert m.type == "R"
        if state == "sasl-final":
            assert exchange(c)[1].type == "R"
        elif state == "plus-final":
            assert exchange(c, PLUS, GS2_PLUS, binding(c))[1].type == "R"
        ends(c, (state, kind), msg(bytes([kind]), BODIES[kind % 3]) + CANARY)


def test_every_first_byte_instead_of_a_handshake(p):
    """After our S, in the clear: not a handshake, never a login."""
    for kind in range(256):
        with p.conn() as c:
            assert ask(c.sock) == b"S"
            c.send(bytes([kind]) + b"\xff" * 30)
            got = b""
            try:
                while more := c.sock.recv(1000):
                    got += more
            except ConnectionError:
                pass
            assert got[:1] in (b"", b"\x15") and len(got) < 20, (kind, got)


@pytest.mark.parametrize("direct", [False, True])
def test_startup_inside_tls(p, direct):
    """V-S01 … V-S17 once more, and byte by byte: each in a record of its own."""
    for name, data in STARTUP.items():
        ends(tls(p, direct=direct), name, data)
        if len(data) < 70 and not direct:
            c = tls(p)
            try:
                for i in range(len(data)):
                    c.send(data[i:i + 1])
            except OSError:
                pass
            ends(c, name, b"")


# ---- channel binding: what is said, what is bound, and what the proof is about ----

def bindings(real):
    other = hashlib.sha256(b"another certificate").digest()
    yield True, PLUS, GS2_PLUS, real, None
    yield True, NORMAL, "n,,", b"", None
    # somebody has taken PLUS away from what we offered; said one thing and meant another
    yield False, NORMAL, "y,,", b"", None
    yield False, NORMAL, GS2_PLUS, real, None
    yield False, PLUS, "n,,", b"", None
    yield False, PLUS, "y,,", b"", None
    for kind in ("tls-unique", "tls-exporter", "", "TLS-SERVER-END-POINT", "tls-server-end-poin", "tls-server-end-pointx", "x" * 3000):
        yield False, PLUS, f"p={kind},,", real, None
    for gs2 in ("p=tls-server-end-point,a=root,", "p=tls-server-end-point,a=,", "p=tls-server-end-point", "p=tls-server-end-point,", "p,,", "P=tls-server-end-point,,"):
        yield False, PLUS, gs2, real, None
    # the proof is right, but not about this certificate
    for data in (other, real[:-1], real + b"\0", b"", b"\0" * 32, real[::-1], real * 2, hashlib.sha1(real).digest(), b"x" * 2000):
        yield False, PLUS, GS2_PLUS, data, None
    # c= says something else than the first message did
    for header in (b"n,,", b"y,,", b"", b"p=tls-unique,," + real, b"n,," + real):
        yield False, PLUS, GS2_PLUS, real, header
    for header in (b"y,,", b"", GS2_PLUS.encode() + real, b"n,,x", b"n,a=root,"):
        yield False, NORMAL, "n,,", b"", header


def test_channel_bindings(p):
    """V-A04, V-A12, K2: whoever proves his password with all this right but one thing stays outside."""
    with tls(p) as c:
        all_of_them = list(bindings(binding(c)))
    seen = [0, 0]
    for may, mechanism, gs2, data, header in all_of_them:
        c = tls(p)
        c.send(startup({"user": "scrammy", "database": "db0"}))
        m = c.recv()
        assert m.body[4:] == cstr(PLUS) + cstr(NORMAL) + b"\0"
        s, m = exchange(c, mechanism, gs2, data)
        what = (mechanism, gs2[:50], data[:40], header)
        if m.type == "R":
            if header is not None:
                s.bound = header
            c.send(msg("p", s.final(m.body[4:])))
            m = c.recv()
        if may:
            assert m.type == "R" and m.body[:4] == b"\0\0\0\x0c", (what, m)
            s.check(m.body[4:])
            c.until("Z")
        else:
            assert m.type == "E" and c.rest() == [], (what, m)
        seen[may] += 1
        c.close()
    assert seen == [36, 2]


def test_plus_needs_tls(p):
    """V-A03; and y says the truth where nothing was offered."""
    for may, mechanism, gs2 in ((True, NORMAL, "n,,"), (True, NORMAL, "y,,"), (False, PLUS, GS2_PLUS), (False, NORMAL, GS2_PLUS), (False, PLUS, "n,,")):
        with wire.Client(p.addr, "scrammy", "db0", login=False) as c:
            c.send(startup({"user": "scrammy", "database": "db0"}))
            assert c.recv().body[4:] == cstr(NORMAL) + b"\0"
            s, m = exchange(c, mechanism, gs2, b"x" * 32 if "p=" in gs2 else b"")
            if m.type == "R":
                c.send(msg("p", s.final(m.body[4:])))
                m = c.recv()
            assert (m.type == "R") == may, (mechanism, gs2, m)


@pytest.mark.parametrize("name", [b"", b"*", b"scrammy", b"admin", b"=2C=3D", b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"n" * 3000, "ﬁ\u00ad".encode()])
def test_the_name_in_scram_is_nobody(p, name):
    """PostgreSQL takes no notice of it, and so do we: who one is was said in the startup packet."""
    with wire.Client(p.addr, "scrammy", "db0", login=False) as c:
        c.send(startup({"user": "scrammy", "database": "db0"}))
        c.recv()
        s = scram.Scram(pw("scrammy"))
        s.bare = "n=%s,r=%s" % (name.decode("latin1"), s.nonce)
        first = (s.gs2 + s.bare).encode("latin1")
        c.send(msg("p", cstr(NORMAL) + struct.pack("!I", len(first)) + first))
        m = c.recv()
        assert m.type == "R", m
        c.send(msg("p", final_latin1(s, m.body[4:])))
        assert c.recv().type == "R"
        c.until("Z")
        assert c.value("SELECT current_user") == "scrammy"


def final_latin1(s, server_first):
    """As Scram.final, where the first message is no UTF-8."""
    s.final(server_first)
    salted = s.pbkdf2(s.password, s.salt, s.iterations)
    key = scram.h(salted, b"Client Key")
    signed = s.bare.encode("latin1") + b"," + server_first + b"," + s.without_proof.encode()
    proof = bytes(a ^ b for a, b in zip(key, scram.h(hashlib.sha256(key).digest(), signed)))
    return f"{s.without_proof},p={scram.b64(proof)}".encode()


# ---- proved, and waiting for the first server ----

def test_every_byte_while_a_server_is_awaited(pooler):
    """What comes too early is kept, and nothing of it is looked at before there is a welcome."""
    go, answer = threading.Event(), []

    def script(peer):
        peer.begin()
        go.wait(60)
        if answer[0] == "error":
            peer.send(msg("E", b"SFATAL\0VFATAL\0C53300\0Mfull\0\0"))
        else:
            peer.welcome()
            peer.serve()

    with FakeServer(script) as s:
        p = pooler(databases={"slow": f"port={s.port} sslmode=disable"}, pool_size=1, max_overflow=0, server_login_retry=60, max_client_conn=1000,
                   max_unauthenticated_percent=100, server_connect_timeout=60, pool_timeout=60, query_wait_notify=0, log_connections=0, log_disconnections=0)
        for answer[:] in (["welcome"],):
            clients = []
            for kind in range(256):
                c = p.conn(timeout=30)
                c.send(startup({"user": "app", "database": "slow"}) + msg(bytes([kind]), BODIES[kind % 2]) + q("canary"))
                clients.append(c)
            wire.wait_until(lambda: len([r for r in p.show("CLIENTS") if r["database"] == "slow"]) == 256, 30, what="all of them inside")
            for c in clients:
                assert c.silent(0.001)
            flood = p.conn()
            flood.sock.setblocking(False)
            before, sent = p.rss_kb(), 0
            flood.sock.send(startup({"user": "app", "database": "slow"}))
            try:
                while sent < 50000000:
                    sent += flood.sock.send(q("x" * 1000) * 100)
            except BlockingIOError:
                pass
            assert sent < 50000000 and p.rss_kb() - before < 8192 + (24576 if p.sanitized() else 0)
            flood.close()
            go.set()
            for kind, c in enumerate(clients):
                msgs = c.until("ZE")
                assert msgs[-1].type == "Z" and msgs[0].type == "R", (kind, wire.describe_msgs(msgs))
            # served in turn; each gets what it would have got a moment later
            for kind, c in enumerate(clients):
                if bytes([kind]) in b"PBDECHdcfF":      # no answer is owed for these before a Sync, or by this fake at all
                    c.close()
                    continue
                try:
                    msgs = c.until("DE")
                except wire.Closed as e:
                    msgs = e.msgs
                assert all(m.type in "TDEI" for m in msgs), (kind, wire.describe_msgs(msgs))
                assert kind in (ord("Q"), ord("S"), ord("X")) or msgs[-1].type == "E", (kind, wire.describe_msgs(msgs))
                c.close()
        p.stop()


def test_a_server_that_does_not_come(pooler):
    """… and when it does not come, all of them are told."""
    go = threading.Event()

    def script(peer):
        peer.begin()
        go.wait(60)
        peer.send(msg("E", b"SFATAL\0VFATAL\0C53300\0Mfull\0\0"))

    with FakeServer(script) as s:
        p = pooler(databases={"slow": f"port={s.port} sslmode=disable"}, pool_size=1, max_overflow=0, server_login_retry=60, max_client_conn=1000,
                   max_unauthenticated_percent=100, server_connect_timeout=60, pool_timeout=60)
        clients = []
        for kind in range(256):
            c = p.conn(timeout=30)
            c.send(startup({"user": "app", "database": "slow"}) + msg(bytes([kind]), BODIES[kind % 3]) + q("canary"))
            clients.append(c)
        wire.wait_until(lambda: len([r for r in p.show("CLIENTS") if r["database"] == "slow"]) == 256, 30, what="all of them inside")
        go.set()
        for kind, c in enumerate(clients):
            msgs = c.rest()
            assert [m.type for m in msgs] == ["E"] and wire.fields(msgs[0].body)["M"] == "full", (kind, wire.describe_msgs(msgs))
            c.close()
