"""TLS towards clients: modes, certificates, direct TLS, RELOAD, tickets, cancel, what is shown and logged."""

import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time

import psycopg
import pytest

from harness import wire
from harness.cluster import pw
from harness.owner import own
from harness.tlswire import ALPN, TlsClient, ask, client_context

MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


def conf(pki, mode="require", cert="good", ca=None, **more):
    out = {"client_tls_sslmode": mode, "client_tls_cert_file": pki.crt(cert), "client_tls_key_file": pki.file(cert + ".key")}
    if ca or mode.startswith("verify"):
        out["client_tls_ca_file"] = pki.crt(ca or "ca")
    out.update(more)
    return out


def ask_console(p, command):
    """Over the Unix socket, which needs no TLS."""
    with wire.Client(p.sock, "admin", "fynixpool", pw("admin")) as c:
        return c.ask(command)


def console(p, command):
    r = ask_console(p, command)
    assert r.error is None, r.error
    return r


def libpq(p, mode, pki, cert=None, **kw):
    """(over TLS?, None), or (None, the error)."""
    if cert:
        kw.update(sslcert=pki.crt(cert), sslkey=pki.file(cert + ".key"))
    else:
        kw.update(sslcert="/nonexistent", sslkey="/nonexistent")
    try:
        with psycopg.connect(host="localhost", hostaddr="127.0.0.1", port=p.port, user="app", dbname="db0", password=pw("app"),
                             sslmode=mode, sslrootcert=pki.crt(kw.pop("root", "ca")), connect_timeout=10, **kw) as c:
            assert c.execute("SELECT 41 + 1").fetchone() == (42,)
            return c.pgconn.ssl_in_use, None
    except psycopg.OperationalError as e:
        return None, str(e)


# what a client's sslmode comes to for each of ours: "plain", "tls", or part of the error
NO_TLS = "server does not support SSL"
REFUSED = "SSL required"
NO_CERT = "certificate required"
MATRIX = {
    "disable": ["plain", "plain", "plain", NO_TLS, NO_TLS, NO_TLS],
    "allow": ["plain", "plain", "tls", "tls", "tls", "tls"],
    "prefer": ["plain", "plain", "tls", "tls", "tls", "tls"],
    "require": [REFUSED, "tls", "tls", "tls", "tls", "tls"],
    "verify-ca": [REFUSED] + [NO_CERT] * 5,
    "verify-full": [REFUSED] + [NO_CERT] * 5,
}


@pytest.mark.parametrize("ours", MODES)
def test_mode_by_mode(pooler, pki, ours):
    p = pooler(**conf(pki, ours))
    for cert in (None, "app"):
        for theirs, want in zip(MODES, MATRIX[ours]):
            tls, error = libpq(p, theirs, pki, cert)
            if want == NO_CERT and cert:
                want = "tls"
            if want in ("plain", "tls"):
                assert (tls, error) == (want == "tls", None), (theirs, cert)
            else:
                assert error and want in error, (theirs, cert, tls, error)


@pytest.mark.parametrize("section, code", [("fynixpool", "28000"), ("pgbouncer", "08P01")])
def test_plain_login_where_tls_is_required(pooler, pki, section, code):
    p = pooler(section=section, **conf(pki))
    for user in ("app", "nobody-knows-him"):
        with pytest.raises(wire.PgError) as e:
            p.client(user)
        assert (e.value.code, e.value.text) == (code, "SSL required")
    with p.conn() as c:
        c.send(wire.request(wire.GSSENC_REQUEST))
        assert c.sock.recv(1) == b"N"
        c.send(wire.startup({"user": "app", "database": "db0"}))
        assert wire.fields(c.rest()[0].body)["M"] == "SSL required"
    with wire.Client(p.sock, "app", "db0", pw("app")) as c:      # TLS is not for Unix sockets
        assert c.value("SELECT 1") == "1"


def test_unix_socket_is_offered_none(pooler, pki):
    p = pooler(**conf(pki, "prefer"))
    with wire.Conn(p.sock) as c:
        assert ask(c.sock) == b"N"
        c.send(wire.startup({"user": "app", "database": "db0"}))
        c.until("Z")


# kind of the client's certificate: does it get in with client_tls_ca_file = ca (and the lists of both)?
CERTS = {None: False, "app": True, "app_expired": False, "app_early": False, "app_stranger": False, "app_usage": False,
         "app_chain": True, "app_nul": True, "app_revoked": True}


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_client_certificates(pooler, pki, mode):
    """With require they are asked for because a rule looks at them."""
    p = pooler(**conf(pki, mode, ca="ca", auth_type="hba", auth_hba_file="hba.conf"), start=False)
    with open(p.top + "/hba.conf", "w") as f:
        f.write("hostssl db1 all all scram-sha-256 clientcert=verify-ca\nhost all all all scram-sha-256\n")
    own(p.top + "/hba.conf")
    p.start()
    for cert, good in CERTS.items():
        tls, error = libpq(p, "require", pki, cert)
        want = True if good or (cert is None and mode == "require") else None
        assert tls == want, (cert, error)
    p.log_has("TLS handshake failed: .*certificate has expired")


def test_a_certificate_that_nobody_looks_at_is_not_asked_for(pooler, pki):
    p = pooler(**conf(pki, "require", ca="ca"))
    for cert in CERTS:
        assert libpq(p, "require", pki, cert) == (True, None), cert


def test_revoked_client(pooler, pki):
    p = pooler(**conf(pki, "verify-ca", client_tls_crl_file=pki.file("ca.crl")))
    assert libpq(p, "require", pki, "app") == (True, None)
    tls, error = libpq(p, "require", pki, "app_revoked")
    assert tls is None and "revoked" in error
    p.log_has("TLS handshake failed: .*certificate revoked")


def test_authorities_are_named_only_to_be_asked_for(pooler, pki):
    """T-TLS: the list of authorities goes out only where certificates are asked for, and it is ours, not the system's."""
    def said(**kw):
        p = pooler(**conf(pki, **kw))
        r = subprocess.run(["openssl", "s_client", "-starttls", "postgres", "-connect", f"127.0.0.1:{p.port}"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
        names = re.findall(r"^CN = authority.*$", r.stdout.split("Acceptable client certificate CA names")[-1], re.M) \
            if "Acceptable client certificate CA names" in r.stdout else []
        (size,) = re.findall(r"SSL handshake has read (\d+) bytes", r.stdout)
        return names, int(size)

    for ca in (None, "ca"):
        names, size = said(mode="require", ca=ca)
        assert names == [] and size < 2000
    names, size = said(mode="verify-ca")
    assert names == ["CN = authority ca"] and size < 3000


# ---- direct TLS ----

def test_direct(pooler, pki):
    p = pooler(**conf(pki))
    with TlsClient(p.addr, direct=True, context=client_context(pki.crt("ca"), alpn=ALPN)) as c:
        assert c.sock.selected_alpn_protocol() == "postgresql"
        assert c.value("SELECT 1") == "1"
        c.send(wire.request(wire.SSL_REQUEST))
        assert c.rest() is not None
    with TlsClient(p.addr, direct=True, context=client_context(pki.crt("ca"), alpn=["h2", "postgresql"])) as c:
        assert c.value("SELECT 1") == "1"


@pytest.mark.parametrize("alpn", [None, ["h2"], ["http/1.1", "postgresqll", "postgres"]])
def test_direct_without_our_protocol(pooler, pki, alpn):
    """ALPACA: who does not say that PostgreSQL is meant is not let in, and is never answered inside TLS."""
    p = pooler(**conf(pki))
    got = b""
    try:
        with TlsClient(p.addr, direct=True, context=client_context(pki.crt("ca"), alpn=alpn), login=False) as c:
            assert alpn is None
            c.send(wire.startup({"user": "app", "database": "db0"}))
            got = c.sock.recv(100)
    except (ssl.SSLError, ConnectionError):
        pass
    assert got == b""
    p.log_has("without ALPN" if alpn is None else "TLS handshake failed: no application protocol")
    assert "login attempt" not in p.log_text()


def test_asked_for_tls_needs_no_alpn_but_not_another(pooler, pki):
    p = pooler(**conf(pki))
    with TlsClient(p.addr, context=client_context(pki.crt("ca"))) as c:
        assert c.value("SELECT 1") == "1"
    with pytest.raises(ssl.SSLError):
        TlsClient(p.addr, context=client_context(pki.crt("ca"), alpn=["h2"]))


def test_direct_where_tls_is_off(pooler):
    p = pooler()
    with pytest.raises((ssl.SSLError, OSError)):
        TlsClient(p.addr, direct=True, context=client_context(alpn=ALPN))
    assert p.client().value("SELECT 1") == "1"


# ---- versions ----

def test_versions(pooler, pki):
    p = pooler(**conf(pki))
    V = ssl.TLSVersion
    for v, name in ((V.TLSv1_2, "TLSv1.2"), (V.TLSv1_3, "TLSv1.3")):
        with TlsClient(p.addr, context=client_context(low=v, high=v)) as c:
            assert c.sock.version() == name and c.sock.compression() is None
            (row,) = [r for r in console(p, "SHOW CLIENTS").dicts() if r["user"] == "app"]
            assert row["tls"].startswith(name + "/"), row["tls"]
            assert row["tls"].split("/")[1] == c.sock.cipher()[0]
    old = client_context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = V.TLSv1, V.TLSv1_1
    with pytest.raises(ssl.SSLError):
        TlsClient(p.addr, context=old)
    p.set(client_tls_protocols="tlsv1.3")
    console(p, "RELOAD")
    with pytest.raises(ssl.SSLError):
        TlsClient(p.addr, context=client_context(high=V.TLSv1_2))
    with TlsClient(p.addr) as c:
        assert c.sock.version() == "TLSv1.3"


def test_shown_and_logged(pooler, pki):
    p = pooler(**conf(pki, "prefer"))
    with TlsClient(p.addr) as c, p.client("app2") as plain:
        rows = {r["user"]: r["tls"] for r in p.show("CLIENTS")}
        assert re.fullmatch(r"TLSv1\.3/TLS_AES_256_GCM_SHA384/ECDH=\w+", rows["app"]) and rows["app2"] == ""
        p.log_has(r"login attempt: db=db0 user=app tls=TLSv1\.3/TLS_AES_256_GCM_SHA384/ECDH=")
        p.log_has(r"login attempt: db=db0 user=app2 tls=no")
        assert c.value("SELECT 1") == plain.value("SELECT 1")


# ---- RELOAD ----

def shown(p):
    """The certificate that a new connection is shown."""
    with TlsClient(p.addr, login=False) as c:
        return c.sock.getpeercert(True)


def put(pki, p, cert, key=None):
    for name, ext in ((cert, "crt"), (key or cert, "key")):
        to = f"{p.top}/pair.{ext}"
        shutil.copy(pki.file(f"{name}.{ext}"), to + ".new")
        own(to + ".new")
        os.rename(to + ".new", to)


def test_reload(maker, pg, pki):
    p = maker(pg, start=False)
    put(pki, p, "good")
    pair = {"client_tls_cert_file": p.top + "/pair.crt", "client_tls_key_file": p.top + "/pair.key"}
    p.set(client_tls_sslmode="require", **pair)
    p.start()
    assert shown(p) == pki.der("good")
    old = TlsClient(p.addr)
    put(pki, p, "good2")
    assert shown(p) == pki.der("good")        # not before RELOAD
    assert ask_console(p, "RELOAD").error is None
    assert shown(p) == pki.der("good2")
    assert old.value("SELECT 1") == "1"

    def fails(why):
        error = ask_console(p, "RELOAD").error
        assert error, "RELOAD took it"
        text = error["M"] + error.get("D", "") + p.log_text()
        assert "TLS setup failed" in text and re.search(why, text), error
        assert shown(p) == pki.der("good2")
        assert old.value("SELECT 1") == "1"

    put(pki, p, "good", "good2")               # half of the new pair
    fails("does not belong to")
    put(pki, p, "good")
    with open(p.top + "/pair.crt", "r+") as f:  # half-written
        f.truncate(200)
    fails("cannot use certificate file")
    open(p.top + "/pair.crt", "w").close()
    fails("is empty")
    os.unlink(p.top + "/pair.crt")
    fails("No such file")
    put(pki, p, "good")
    with open(p.top + "/pair.key", "w") as f:
        f.write("-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----\n")
    fails("key file")
    put(pki, p, "good")
    assert ask_console(p, "RELOAD").error is None
    assert shown(p) == pki.der("good")
    assert old.value("SELECT 1") == "1"
    p.set(client_tls_sslmode="disable")
    assert ask_console(p, "RELOAD").error is None
    with p.conn() as c:
        assert ask(c.sock) == b"N"
    assert old.value("SELECT 1") == "1"


def test_bad_files_at_start(maker, pg, pki):
    half = pki.file("half.crl")
    with open(half, "w") as f:
        f.write(open(pki.file("ca.crl")).read() + open(pki.file("ca2.crl")).read()[:150])
    own(half)
    for change, why in (({"client_tls_key_file": "/nonexistent"}, "No such file"),
                        ({"client_tls_key_file": pki.file("good2.key")}, "does not belong"),
                        ({"client_tls_ca_file": pki.file("good.key")}, "no certificate in it"),
                        ({"client_tls_crl_file": pki.crt("ca"), "client_tls_ca_file": pki.crt("ca")}, "CRL file"),
                        ({"client_tls_crl_file": half, "client_tls_ca_file": pki.crt("ca")}, "CRL file"),
                        ({"client_tls_protocols": "tlsv1.1"}, "not secure"),
                        ({"client_tls_ciphers": "nonsense"}, "ciphers"),
                        ({"client_tls13_ciphers": "nonsense"}, "cipher suites"),
                        ({"client_tls_ecdhcurve": "nonsense"}, "curve"),
                        ({"client_tls_key_file": None}, "key")):
        p = maker(pg, start=False, **{**conf(pki), **change})
        r = p.run(p.ini)
        assert r.returncode == 1 and re.search(why, r.stderr + p.log_text()), (change, r.stderr, p.log_text())


# ---- resumption ----

def test_tickets_hold_for_all_workers_and_after_reload(pooler, pki, tmp_path):
    p = pooler(workers=4, **conf(pki, "require"))
    context = client_context(pki.crt("ca"), high=ssl.TLSVersion.TLSv1_2)

    def session(old=None):
        s = wire.connect(p.addr)
        assert ask(s) == b"S"
        s = context.wrap_socket(s, server_hostname="localhost", session=old)
        try:
            return s.session_reused, s.session
        finally:
            s.close()

    reused, ticket = session()
    assert not reused and ticket.has_ticket
    for i in range(12):
        assert session(ticket)[0], i
    p.set(client_tls_cert_file=pki.crt("good2"), client_tls_key_file=pki.file("good2.key"))
    console(p, "RELOAD")
    for i in range(12):
        assert session(ticket)[0], i

    saved = str(tmp_path / "ticket")      # TLS 1.3, with the openssl tool
    argv = ["openssl", "s_client", "-starttls", "postgres", "-connect", f"127.0.0.1:{p.port}", "-tls1_3"]

    def tool(*more):
        proc = subprocess.Popen([*argv, *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        body = struct.pack("!I", wire.PROTO_3_0) + b"user\0app\0database\0db0\0\0"
        proc.stdin.write(struct.pack("!I", len(body) + 4) + body)
        proc.stdin.flush()
        time.sleep(0.5)
        return proc.communicate(timeout=20)[0].decode(errors="replace")

    assert "Reused, TLSv1.3" not in tool("-sess_out", saved)
    for _ in range(6):
        assert "Reused, TLSv1.3" in tool("-sess_in", saved)


def test_a_ticket_is_worth_nothing_where_others_are_trusted(pooler, pki):
    """A session that was begun under one authority does not outlive it."""
    p = pooler(**conf(pki, "verify-ca", ca="both"))
    context = client_context(pki.crt("ca"), cert=pki.crt("app_stranger"), high=ssl.TLSVersion.TLSv1_2)

    def session(old=None):
        s = wire.connect(p.addr)
        assert ask(s) == b"S"
        with context.wrap_socket(s, server_hostname="localhost", session=old) as s:
            return s.session_reused, s.session

    _, ticket = session()
    assert session(ticket)[0]
    p.set(client_tls_ca_file=pki.crt("ca"))
    console(p, "RELOAD")
    with pytest.raises(ssl.SSLError):
        session(ticket)


# ---- cancel ----

def test_cancel_over_tls(pg, pooler, pki):
    p = pooler(**conf(pki))

    def cancel(c, way):
        s = wire.connect(p.addr)
        if way != "plain":
            if way == "asked":
                assert ask(s) == b"S"
            s = client_context(alpn=ALPN).wrap_socket(s, suppress_ragged_eofs=False)
        s.sendall(wire.cancel(c.pid, c.key))
        try:
            assert s.recv(1) == b""
        except (ssl.SSLEOFError, ConnectionResetError):
            pass
        s.close()

    for way in ("asked", "direct", "plain"):   # a key is as good without TLS: PostgreSQL takes it as well
        with TlsClient(p.addr) as c:
            c.send(wire.q("SELECT pg_sleep(20)"))
            pg.wait_query("pg_sleep(20)")
            cancel(c, way)
            assert c.result().error["C"] == "57014", way
            assert c.value("SELECT 1") == "1"


# ---- ends ----

def test_end_without_close_notify_is_quiet(pooler, pki):
    p = pooler(**conf(pki))
    for i in range(5):
        c = TlsClient(p.addr)
        assert c.value("SELECT 1") == "1"
        socket.socket(fileno=c.sock.detach()).close()
        c = TlsClient(p.addr, login=False)
        socket.socket(fileno=c.sock.detach()).close()
    with p.conn() as c:
        assert ask(c.sock) == b"S"
    wire.wait_until(lambda: [r["user"] for r in console(p, "SHOW CLIENTS").dicts()] == ["admin"])
    assert "unexpected eof while reading" not in p.log_text()
    assert "TLS handshake failed" not in p.log_text()


def test_we_say_close_notify(pooler, pki):
    p = pooler(**conf(pki))
    with TlsClient(p.addr, login=False) as c:
        c.send(wire.startup({"user": "app", "database": "no such database"}))
        with pytest.raises(wire.Closed) as e:
            while True:
                c.recv()
        assert "close_notify" in str(e.value) or "EOF)" in str(e.value), str(e.value)


def test_many_idle_clients_are_cheap(pooler, pki):
    """T-TLS J11."""
    p = pooler(workers=1, max_client_conn=1000, **conf(pki))
    context = client_context()
    hold = [TlsClient(p.addr, context=context) for _ in range(20)]
    before = p.rss_kb()
    hold += [TlsClient(p.addr, context=context) for _ in range(300)]
    each = (p.rss_kb() - before) / 300
    print(f"{each:.1f} KiB per idle TLS client")
    for c in hold:
        c.quit()
    if not p.sanitized():
        assert each < 20, each


# ---- rules of access ----

def test_hostssl_and_hostnossl(pooler, pki):
    p = pooler(auth_type="trust", **conf(pki, "prefer"))
    p.set(auth_type="hba", auth_hba_file=p.top + "/hba.conf")
    with open(p.top + "/hba.conf", "w") as f:
        f.write("local all all trust\nhostssl db0 all all trust\nhostnossl db0 all all reject\n"
                "hostnossl db1 all all trust\nhost db2 all all trust\n")
    console(p, "RELOAD")
    for database, tls, plain in (("db0", True, False), ("db1", False, True), ("db2", True, True), ("db3", False, False)):
        for word, connect, good in (("SSL encryption", lambda: TlsClient(p.addr, database=database), tls),
                                    ("no encryption", lambda: p.client(database=database), plain)):
            try:
                with connect() as c:
                    assert good and c.value("SELECT 1") == "1", database
            except wire.PgError as e:
                assert not good and e.text.endswith(word), (database, e)
