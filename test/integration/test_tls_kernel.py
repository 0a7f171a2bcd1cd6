"""The way out by kernel TLS: the same bytes for everybody, and it is used where it is offered.

Few machines offer it: `test/vm/run -m aesni_intel -m tls` has the kernel for it. Everywhere else these tests show that nothing depends on it.
"""

import errno
import hashlib
import re
import socket
import ssl

import pytest

from harness import wire
from harness.tlswire import TlsClient, client_context
from harness.wire import bind, describe, execute, parse, q, sync
from test_tls_clients import conf, console

V = ssl.TLSVersion
TCP_ULP = 31


def is_offered():
    with socket.socket() as s:
        try:
            s.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        except OSError as e:
            if e.errno != errno.ENOTCONN:
                return False
    with open("/proc/crypto") as f:
        return re.search(r"^name +: gcm\(aes\)\n(.+\n)*?priority +: [2-9]\d\d", f.read(), re.M) is not None


def taken(p):
    return sum(int(r["kernel_tls"]) for r in console(p, "SHOW WORKERS").dicts())


@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3], ids=["tls12", "tls13"])
def test_it_is_used_where_it_is_offered(pooler, pki, version):
    p = pooler(**conf(pki))
    for n in range(1, 4):
        with TlsClient(p.addr, context=client_context(low=version, high=version)) as c:
            assert c.value("SELECT 1") == "1"
            assert taken(p) == (n if is_offered() else 0)
            c.quit()
    p.set(kernel_tls=0)
    console(p, "RELOAD")
    with TlsClient(p.addr, context=client_context(low=version, high=version)) as c:
        assert c.value("SELECT 1") == "1"
    assert taken(p) == (3 if is_offered() else 0)


def test_a_cipher_that_the_kernel_does_not_take(pooler, pki):
    p = pooler(**conf(pki, client_tls_ciphers="ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA384", client_tls_protocols="tlsv1.2"))
    with TlsClient(p.addr) as c:
        assert c.value("SELECT 1") == "1" and "SHA384" in c.sock.cipher()[0]
    assert taken(p) == 0


@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3], ids=["tls12", "tls13"])
@pytest.mark.parametrize("rcvbuf,rows", [(None, 300000), (4096, 3000)])
def test_every_byte(pooler, pki, version, rcvbuf, rows):
    """All sizes around a record, in one piece and in many, and for a client that the kernel keeps waiting."""
    p = pooler(**conf(pki), pool_size=2, workers=2)
    with TlsClient(p.addr, context=client_context(low=version, high=version), rcvbuf=rcvbuf) as c:
        for n in [0, 1, 16383, 16384, 16385, 50000] + [300000] * (rcvbuf is None):
            assert c.value(f"SELECT repeat('x', {n})") == "x" * n
        c.send(b"".join(parse(f"SELECT repeat('{i % 10}', {i * 37})") + bind() + describe() + execute() for i in range(100)) + sync())
        got = [m.body for m in c.until("Z") if m.type == "D"]
        assert [r[6:] for r in got] == [str(i % 10).encode() * (i * 37) for i in range(100)]
        c.send(q(f"COPY (SELECT g, md5(g::text) FROM generate_series(1, {rows}) g) TO STDOUT"))
        got = hashlib.md5()
        for m in c.until("Z"):
            if m.type == "d":
                got.update(m.body)
        lines = (f"{g}\t{hashlib.md5(str(g).encode()).hexdigest()}\n" for g in range(1, rows + 1))
        assert got.hexdigest() == hashlib.md5("".join(lines).encode()).hexdigest()
        c.quit()


def test_towards_the_server(maker, tlspg, pki):
    tlspg.show("good")
    p = maker(tlspg, server_tls_sslmode="verify-full", server_tls_ca_file=pki.crt("ca"), databases={"db1": "host=localhost dbname=db0"})
    with p.client(database="db1") as c:
        assert c.value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "t"
        for n in [1, 16384, 200000]:
            assert c.value(f"SELECT length('{'y' * n}')") == str(n)
        c.query("DROP TABLE IF EXISTS kernel_sink")
        c.query("CREATE TABLE kernel_sink(k text)")
        c.send(q("COPY kernel_sink FROM STDIN"))
        c.until("G")
        for i in range(200):
            c.send(wire.copy_data(f"{i}".rjust(9999, ".") + "\n"))
        c.send(wire.copy_done())
        c.until("Z")
        assert c.value("SELECT count(*) || ' ' || sum(length(k)) || ' ' || sum(ltrim(k, '.')::int) FROM kernel_sink") == f"200 {200 * 9999} {199 * 100}"
        c.query("DROP TABLE kernel_sink")
    assert (taken(p) > 0) == is_offered()


def test_the_end_is_said(pooler, pki):
    """A close_notify comes before the end, however it comes about."""
    p = pooler(**conf(pki))
    with TlsClient(p.addr) as c:
        assert c.value("SELECT 1") == "1"
        c.send(b"?\0\0\0\4")
        with pytest.raises(wire.Closed) as e:
            while True:
                c.recv()
        assert "(EOF)" in str(e.value)      # a cut would be "TLS: ..."


def test_a_session_is_taken_up(pooler, pki):
    """The ticket comes when the kernel has the keys already."""
    p = pooler(**conf(pki))
    context, ticket = client_context(), None
    for turn in range(3):
        s = wire.connect(p.addr)
        s.sendall(wire.request(wire.SSL_REQUEST))
        assert s.recv(1) == b"S"
        with context.wrap_socket(s, session=ticket) as t:
            assert t.session_reused == (turn > 0)
            t.sendall(wire.startup({"user": "nobody", "database": "db0"}))
            assert t.recv(1) in (b"R", b"E")
            ticket = t.session
