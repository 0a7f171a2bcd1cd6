"""TLS towards PostgreSQL: modes, certificates, settings per database, RELOAD, direct TLS, cancel."""

import re
import shutil
import time

import pytest

from harness import wire
from harness.tlswire import ALPN, FakeServer, Peer, row, server_context

MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


SSL = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def outcome(p, database="db0", timeout=20):
    """tls or plain as PostgreSQL sees it, or what the client is told."""
    try:
        with p.client(database=database, timeout=timeout) as c:
            return "tls" if c.query(SSL).rows[0][0] == "t" else "plain"
    except wire.PgError as e:
        return e.text


def quick(**kw):
    """A refused login is told at once."""
    return {"server_login_retry": 0, "query_wait_timeout": 5, **kw}


# ---- mode against what the server has ----

# database: db0 takes both, db1 only TLS, db2 only plain
TABLE = {
    #              db0      db1      db2
    "disable":     ("plain", None, "plain"),
    "allow":       ("plain", "tls", "plain"),
    "prefer":      ("tls", "tls", "plain"),
    "require":     ("tls", "tls", None),
    "verify-ca":   ("tls", "tls", None),
    "verify-full": ("tls", "tls", None),
}


@pytest.mark.parametrize("mode", MODES)
def test_mode_by_mode(maker, tlspg, pki, mode):
    tlspg.show("good")
    p = maker(tlspg, **quick(server_tls_sslmode=mode, server_tls_ca_file=pki.crt("ca")))
    for database, want in zip(("db0", "db1", "db2"), TABLE[mode]):
        got = outcome(p, database)
        assert got == want if want else "pg_hba.conf rejects" in got, (database, got)
    tls = [r["tls"] for r in p.show("SERVERS") if r["database"] == "db0"]
    assert tls and all(bool(t) == (TABLE[mode][0] == "tls") for t in tls)
    if tls[0]:
        assert re.fullmatch(r"TLSv1\.3/TLS_AES_256_GCM_SHA384/ECDH=[\w.-]+", tls[0])


@pytest.mark.parametrize("mode", MODES)
def test_a_server_without_tls(pooler, pki, mode):
    p = pooler(**quick(server_tls_sslmode=mode, server_tls_ca_file=pki.crt("ca")))
    got = outcome(p)
    assert got == "plain" if mode in ("disable", "allow", "prefer") else "server refused SSL" in got, got


def test_a_unix_socket_has_none(maker, tlspg, pki):
    p = maker(tlspg, databases={"db0": f"host={tlspg.top}"}, **quick(server_tls_sslmode="require"))
    with p.client() as c:
        assert c.query(SSL).rows[0][0] == "f"


# ---- certificates ----

# what PostgreSQL shows: verify-ca, verify-full for host=localhost, verify-full for host=127.0.0.1; None: good
NAME = "hostname mismatch"
ADDRESS = "IP address mismatch"
CERTS = {
    "good": (None, None, None),
    "expired": ("certificate has expired",) * 3,
    "early": ("certificate is not yet valid",) * 3,
    "stranger": ("unable to get local issuer certificate",) * 3,
    "usage": ("unsuitable certificate purpose",) * 3,
    "cn": (None, None, ADDRESS),
    "san": (None, NAME, ADDRESS),
    "ip": (None, NAME, None),
    "otherip": (None, NAME, ADDRESS),
    "wild": (None, NAME, ADDRESS),
    "wildpart": (None, NAME, ADDRESS),
    "nul": (None, NAME, ADDRESS),
    "revoked": (None, None, None),
    "chain": (None, None, None),
}


@pytest.mark.parametrize("cert", list(CERTS))
def test_certificates(maker, tlspg, pki, cert):
    tlspg.show(cert)
    ways = ("server_tls_sslmode=verify-ca host=127.0.0.1", "sslmode=verify-full host=localhost", "sslmode=verify-full")
    names = [f"w{i}" for i in range(3)]
    p = maker(tlspg, databases={n: w + " dbname=db0" for n, w in zip(names, ways)}
              | {"any": "sslmode=require dbname=db0", "pref": "sslmode=prefer dbname=db0"},
              **quick(server_tls_ca_file=pki.crt("ca")))
    for name, want in zip(names, CERTS[cert]):
        got = outcome(p, name)
        assert got == "tls" if want is None else want in got, (name, got)
        if want:
            p.log_has("TLS handshake failed: .*" + want)
    assert outcome(p, "any") == outcome(p, "pref") == "tls"     # nobody has asked for a check


def test_revoked(maker, tlspg, pki):
    p = maker(tlspg, databases={"full": "sslmode=verify-full dbname=db0", "ca": "sslmode=verify-ca dbname=db0",
                                "nolist": "sslmode=verify-ca dbname=db0 server_tls_crl_file=''",
                                "other": f"sslmode=verify-ca dbname=db0 sslcrl={pki.file('ca2.crl')}"},
              **quick(server_tls_ca_file=pki.crt("ca"), server_tls_crl_file=pki.file("both.crl")))
    tlspg.show("revoked")
    assert "certificate revoked" in outcome(p, "full") and "certificate revoked" in outcome(p, "ca")
    assert outcome(p, "nolist") == "tls"
    assert "unable to get certificate CRL" in outcome(p, "other")
    tlspg.show("good")
    assert outcome(p, "full") == outcome(p, "ca") == "tls"


def test_the_systems_authorities_do_not_know_ours(maker, tlspg):
    tlspg.show("good")
    p = maker(tlspg, **quick(server_tls_sslmode="verify-ca"))
    assert "certificate verify failed" in outcome(p)


def test_prefer_goes_on_in_the_clear_where_nothing_was_promised(maker, tlspg, pki):
    """libpq's rule: prefer falls back when TLS cannot be had, require and more never do."""
    tlspg.show("good")
    p = maker(tlspg, databases={"soft": "sslmode=prefer server_tls_protocols=tlsv1.2 server_tls_ciphers=DHE-RSA-AES128-SHA dbname=db0",
                                "hard": "sslmode=require server_tls_protocols=tlsv1.2 server_tls_ciphers=DHE-RSA-AES128-SHA dbname=db0"},
              **quick())
    assert outcome(p, "soft") == "plain"
    p.log_has("TLS handshake failed: .*; going on in the clear")
    assert "TLS handshake failed" in outcome(p, "hard")


# ---- our own certificate; per database ----

def test_our_certificate_per_database(maker, tlspg, pki):
    tlspg.show("good")
    app = f"sslcert={pki.crt('app')} sslkey={pki.file('app.key')}"
    p = maker(tlspg, databases={
        "without": "dbname=db3", "with": "dbname=db3 " + app,
        "expired": f"dbname=db3 sslcert={pki.crt('app_expired')} sslkey={pki.file('app_expired.key')}",
        "chain": f"dbname=db3 server_tls_cert_file={pki.crt('app_chain')} server_tls_key_file={pki.file('app_chain.key')}",
        "global": "dbname=db0"}, **quick(server_tls_sslmode="require"))
    assert "certificate" in outcome(p, "without")
    assert outcome(p, "with") == "tls" == outcome(p, "chain") == outcome(p, "global")
    assert "certificate" in outcome(p, "expired") or "closed" in outcome(p, "expired")


def test_a_database_differs_from_the_rest(maker, tlspg, pki):
    tlspg.show("good")
    p = maker(tlspg, databases={
        "db0": "", "off": "dbname=db0 sslmode=disable", "full": f"dbname=db0 host=localhost sslmode=verify-full sslrootcert={pki.crt('ca')}",
        "wrong": f"dbname=db0 sslmode=verify-ca sslrootcert={pki.crt('ca2')}", "old": "dbname=db0 server_tls_protocols=tlsv1.2",
        "suite": "dbname=db0 server_tls13_ciphers=TLS_CHACHA20_POLY1305_SHA256"}, **quick(server_tls_sslmode="require"))
    assert [outcome(p, d) for d in ("db0", "off", "full", "old", "suite")] == ["tls", "plain", "tls", "tls", "tls"]
    assert "unable to get local issuer" in outcome(p, "wrong") or "self" in outcome(p, "wrong")
    tls = {r["database"]: r["tls"] for r in p.show("SERVERS")}
    assert tls["off"] == "" and tls["old"].startswith("TLSv1.2/") and "CHACHA20" in tls["suite"] and "AES_256" in tls["db0"]


# ---- RELOAD ----

def pids(c):
    return c.value("SELECT pg_backend_pid()")


def test_reload_replaces_the_servers_of_changed_settings(maker, tlspg, pki):
    tlspg.show("good")
    ca = f"{tlspg.top}/ca-{time.time_ns()}.crt"
    shutil.copy(pki.crt("ca"), ca)
    p = maker(tlspg, databases={"a": f"dbname=db0 sslmode=verify-ca sslrootcert={ca}", "b": "dbname=db0 sslmode=require"}, **quick())
    with p.client(database="a") as a, p.client(database="b") as b:
        was = pids(a), pids(b)
        p.reload()
        time.sleep(0.2)
        assert (pids(a), pids(b)) == was          # nothing has changed
        shutil.copy(pki.crt("both"), ca)           # another content, the same name
        p.reload()
        wire.wait_until(lambda: pids(a) != was[0])
        assert pids(b) == was[1]
        with open(ca, "w") as f:
            f.write("-----BEGIN CERTIFICATE-----\nhalf")
        r = p.admin().ask("RELOAD")
        assert r.error and "TLS setup failed" in r.error["M"] + r.error.get("D", "") + p.log_text()
        now = pids(a)
        assert outcome(p, "a") == "tls" and pids(a) == now and pids(b) == was[1]
        shutil.copy(pki.crt("ca2"), ca)
        p.reload()
        p.databases["b"] = "dbname=db0 sslmode=disable"
        p.write()
        p.reload()
        wire.wait_until(lambda: outcome(p, "b") == "plain")
        a.send(wire.q("SELECT 1"))
        m = a.recv()
        assert m.type == "E" and "TLS handshake failed" in wire.fields(m.body)["M"]


# ---- cancel ----

def slow(c, pg):
    c.send(wire.q("SELECT pg_sleep(20)"))
    pg.wait_query("pg_sleep(20)")


@pytest.mark.parametrize("mode", ["allow", "prefer", "verify-full"])
def test_cancel_goes_over_tls(maker, tlspg, pki, mode):
    tlspg.show("good")
    p = maker(tlspg, **quick(server_tls_sslmode=mode, server_tls_ca_file=pki.crt("ca")))
    with p.client(database="db1") as c:
        slow(c, tlspg)
        c.cancel()
        assert c.result().error["C"] == "57014"
        assert c.query(SSL).rows[0][0] == "t"


def cancelled(p, server, n=1):
    """Asks something that is not answered, cancels it, and gives what the server saw."""
    with p.client(database="fake") as c:
        assert c.value("hello") == "hello"
        c.send(wire.q("wait"))
        wire.wait_until(lambda: ("wait",) in server.seen)
        try:
            c.cancel()
        except wire.Timeout:
            pass
        wire.wait_until(lambda: ("tried",) in server.seen or [s for s in server.seen if s[0] == "cancel"])
        time.sleep(0.3)
    return [s for s in server.seen if s[0] == "cancel"]


def waiting(context, on_cancel=None):
    """Answers every query but wait."""
    def script(peer):
        if peer.server.seen and ("wait",) in peer.server.seen and on_cancel:
            peer.note("tried")
            on_cancel(peer)
            return
        if peer.begin(context) == wire.CANCEL_REQUEST:
            return
        peer.welcome()
        while True:
            kind, body = peer.message()
            if kind == "X":
                return
            if body == b"wait\0":
                peer.note("wait")
            elif kind == "Q":
                peer.send(row(body[:-1]))
    return script


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-full"])
def test_no_cancel_key_goes_over_the_wire_in_the_clear(pooler, pki, mode):
    with FakeServer(waiting(server_context(pki.crt("good")))) as s:
        p = pooler(databases={"fake": f"port={s.port}"}, **quick(server_tls_sslmode=mode, server_tls_ca_file=pki.crt("ca")))
        assert cancelled(p, s) == [("cancel", True, Peer.KEY)]


@pytest.mark.parametrize("how", ["refuses", "expired", "speaks"])
def test_a_cancel_is_as_safe_as_its_connection(pooler, pki, how):
    """Whoever stands in for the server when the cancel comes gets no key, and the client's request goes on."""
    def refuses(peer):
        peer.packet()
        peer.sock.sendall(b"N")
        rest = peer.sock.recv(100)
        if rest:
            peer.note("cancel", False, rest)

    def expired(peer):
        peer.begin(server_context(pki.crt("expired")))

    def speaks(peer):
        peer.packet()
        peer.sock.sendall(b"S" + b"more")
        rest = peer.sock.recv(100)
        if rest[:1] not in (b"", b"\x15", b"\x16"):
            peer.note("cancel", False, rest)

    with FakeServer(waiting(server_context(pki.crt("good")), {"refuses": refuses, "expired": expired, "speaks": speaks}[how])) as s:
        p = pooler(databases={"fake": f"port={s.port}"},
                   **quick(server_tls_sslmode="verify-ca", server_tls_ca_file=pki.crt("ca")))
        assert cancelled(p, s) == []
        assert p.alive()
        s.errors.clear()


# ---- direct TLS ----

def test_direct(pooler, pki):
    with FakeServer(polite_direct(server_context(pki.crt("good"), alpn=ALPN))) as s:
        p = pooler(databases={"fake": f"port={s.port} sslmode=verify-full host=localhost sslnegotiation=direct"},
                   **quick(server_tls_ca_file=pki.crt("ca")))
        with p.client(database="fake") as c:
            assert c.value("hello") == "hello"
        assert s.seen[0] == ("tls", "postgresql") and ("login", True) in s.seen and ("asked",) not in s.seen


def polite_direct(context):
    def script(peer):
        peer.secure(context)
        if peer.begin() != wire.CANCEL_REQUEST:
            peer.welcome()
            peer.serve()
    return script


@pytest.mark.parametrize("alpn", [None, ["h2"]])
def test_direct_to_a_server_of_another_kind(pooler, pki, alpn):
    with FakeServer(polite_direct(server_context(pki.crt("good"), alpn=alpn))) as s:
        p = pooler(databases={"fake": f"port={s.port} sslmode=require sslnegotiation=direct"}, **quick())
        assert "did not agree to ALPN" in outcome(p, "fake")
        assert ("login", True) not in s.seen
        s.errors.clear()


def test_direct_to_an_old_server(maker, tlspg, pki):
    """PostgreSQL before 17 takes it for a broken startup packet."""
    p = maker(tlspg, databases={"db0": "sslmode=require sslnegotiation=direct"}, **quick())
    got = outcome(p)
    assert "closed the connection" in got or "TLS handshake failed" in got


def test_weak_passwords_and_binding(maker, tlspg, pki):
    """What is withheld in the clear goes over TLS; a proof bound to the channel passes where one is required."""
    tlspg.show("good")
    p = maker(tlspg, **quick(), databases={
        "db0": "sslmode=require channel_binding=require require_auth=scram-sha-256",
        "db1": "sslmode=require dbname=db0 channel_binding=disable",
        "db2": "sslmode=disable dbname=db2 require_auth=!scram-sha-256",
        "db3": "host=%s dbname=db0 server_weak_auth=refuse channel_binding=require" % tlspg.top})
    assert outcome(p, "db0") == "tls"
    assert outcome(p, "db1") == "tls"
    assert "server requested SASL authentication" in outcome(p, "db2")
    assert "channel binding required" in outcome(p, "db3")


def test_direct_needs_require(maker, pg):
    p = maker(pg, start=False, databases={"db0": "sslmode=prefer sslnegotiation=direct"})
    r = p.run(p.ini)
    assert r.returncode == 1 and "direct needs server_tls_sslmode" in r.stderr + p.log_text()
