"""Much data over TLS on both legs: results, COPY, pipelines, readers that do not read."""

import hashlib
import select
import socket
import ssl
import struct
import threading
import time

import psycopg
import pytest

from harness import wire
from harness.cluster import pw
from harness.tlswire import TlsClient

LEGS = ["client", "server", "both"]


@pytest.fixture
def legs(maker, tlspg, pki):
    """legs(which, **conf) gives a pooler, and a way to make its clients."""
    def make(which, **kw):
        tlspg.show("good")
        c = {"server_tls_sslmode": "disable" if which == "client" else "verify-full", "server_tls_ca_file": pki.crt("ca")}
        if which != "server":
            c.update(client_tls_sslmode="require", client_tls_cert_file=pki.crt("good"), client_tls_key_file=pki.file("good.key"))
        p = maker(tlspg, **{**c, **kw})

        def client(**kw):
            if which == "server":
                c = wire.Client(p.addr, "app", "db0", pw("app"), timeout=60, **kw)
            else:
                c = TlsClient(p.addr, timeout=60, **kw)
            return c
        return p, client
    return make


@pytest.mark.parametrize("which", LEGS)
def test_big_results(legs, which):
    p, client = legs(which)
    with client() as c:
        for size in (1, 16383, 16384, 16385, 48 * 1024, 1000000, 20000000):
            c.send(wire.q(f"SELECT repeat('ab', {size}) || 'end', md5(repeat('ab', {size}) || 'end')"))
            text, md5 = c.result().rows[0]
            assert hashlib.md5(text.encode()).hexdigest() == md5, size
        r = c.query("SELECT i, repeat('x', i % 300) FROM generate_series(1, 50000) i")
        assert len(r.rows) == 50000 and all(int(i) % 300 == len(x) for i, x in r.rows)


@pytest.mark.parametrize("which", LEGS)
def test_copy(legs, which):
    p, client = legs(which)
    lines = "".join(f"{i}\t{'y' * (i % 500)}\n" for i in range(40000))
    with client() as c:
        c.query("DROP TABLE IF EXISTS copied_tls; CREATE TABLE copied_tls(i int, t text)")
        c.send(wire.q("COPY copied_tls FROM STDIN"))
        assert c.recv().type == "G"
        for i in range(0, len(lines), 30001):
            c.send(wire.copy_data(lines[i:i + 30001]))
        c.send(wire.copy_done())
        assert c.result().tag == "COPY 40000"
        c.send(wire.q("COPY (SELECT * FROM copied_tls ORDER BY i) TO STDOUT"))
        got = b"".join(m.body for m in c.until("Z") if m.type == "d")
        assert got.decode() == lines
        c.query("DROP TABLE copied_tls")


@pytest.mark.parametrize("which", LEGS)
def test_pipelines(legs, which):
    p, client = legs(which)
    with client() as c:
        n = 20000
        sender = threading.Thread(target=lambda: c.sock.sendall(b"".join(
            wire.extended("SELECT $1::text", [f"value {i}"]) for i in range(n)))) if which == "server" else None
        if sender:
            sender.start()
            got = [r for m in c.until("Z", n) if m.type == "D" for r in wire.row(m.body)]
            sender.join()
        else:      # one thread at a time may use an SSL object
            got = []
            for at in range(0, n, 500):
                c.sock.sendall(b"".join(wire.extended("SELECT $1::text", [f"value {i}"]) for i in range(at, at + 500)))
                got += [r for m in c.until("Z", 500) if m.type == "D" for r in wire.row(m.body)]
        assert got == [f"value {i}" for i in range(n)]


def test_psycopg_pipeline(legs):
    p, _ = legs("both")
    with psycopg.connect(host="127.0.0.1", port=p.port, user="app", dbname="db0", sslmode="require", autocommit=True) as c:
        with c.pipeline():
            cursors = [c.execute("SELECT %s::int, repeat('z', 200)", (i,)) for i in range(2000)]
        assert [x.fetchone()[0] for x in cursors] == list(range(2000))
        assert c.pgconn.ssl_in_use


@pytest.mark.parametrize("which", LEGS)
def test_a_reader_that_does_not_read(legs, which):
    """T-NET-01 over TLS: what is not read stays with PostgreSQL; memory is bounded, others go on, and nothing is lost."""
    p, client = legs(which, workers=1)
    with client() as other:
        assert other.value("SELECT 1") == "1"
        slow = client()
        slow.send(wire.q("SELECT i, repeat('s', 1000) FROM generate_series(1, 100000) i"))
        time.sleep(0.7)
        before = p.rss_kb()
        for _ in range(5):
            assert other.value("SELECT 1") == "1"
            time.sleep(0.2)
        cpu = p.cpu()
        time.sleep(1)
        assert p.cpu() - cpu < 0.2, "spins while its client does not read"
        assert p.rss_kb() - before < 4096 + (24576 if p.sanitized() else 0)
        r = slow.result()
        assert [int(i) for i, _ in r.rows] == list(range(1, 100001))
        slow.close()


@pytest.mark.parametrize("which", LEGS)
def test_a_server_that_does_not_read(legs, which):
    """The client sends a COPY faster than PostgreSQL takes it, which waits for a lock."""
    p, client = legs(which, workers=1)
    with client() as holder, client() as c:
        holder.query("DROP TABLE IF EXISTS locked; CREATE TABLE locked(t text)")
        c.query("CREATE TABLE IF NOT EXISTS locked2(t text); CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql "
                "AS $$BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END$$; "
                "CREATE OR REPLACE TRIGGER hold BEFORE INSERT ON locked2 FOR EACH ROW EXECUTE FUNCTION hold()")
        holder.query("BEGIN; SELECT pg_advisory_xact_lock(42)")
        c.send(wire.q("COPY locked2 FROM STDIN"))
        assert c.recv().type == "G"
        before = p.rss_kb()
        data = wire.copy_data(("q" * 999 + "\n") * 16)
        sent = 0
        c.sock.settimeout(1)
        try:
            while sent < 3000:
                c.sock.sendall(data)
                sent += 1
        except (socket.timeout, TimeoutError):
            pass
        assert sent < 3000, "48 MB went into the pooler"
        assert p.rss_kb() - before < 6144 + (24576 if p.sanitized() else 0)
        assert holder.value("SELECT 1") == "1"
        c.abort() if which == "server" else socket.socket(fileno=c.sock.detach()).close()
        holder.query("COMMIT")
        wire.wait_until(lambda: holder.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0", 20)
        holder.query("DROP TABLE locked, locked2; DROP FUNCTION hold()")


def test_both_ways_at_once(legs):
    """H4: a client that pipelines much and reads nothing until all is said."""
    p, client = legs("both", workers=1)
    with client() as c:
        n = 3000
        batch = b"".join(wire.q(f"SELECT {i}, repeat('m', 1500)") for i in range(n))
        c.sock.settimeout(0.0)
        raw, got, at = bytearray(), 0, 0
        while got < n:
            if at < len(batch):
                try:
                    at += c.sock.send(batch[at:at + 16000])
                    continue
                except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    pass
            try:
                data = c.sock.recv(65536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                assert select.select([c.sock], [], [], 20)[0], f"stuck at {got} of {n}, {at} of {len(batch)} sent"
                continue
            assert data
            raw += data
            while len(raw) >= 5:
                (size,) = struct.unpack_from("!I", raw, 1)
                if len(raw) < size + 1:
                    break
                got += raw[0] == ord("Z")
                del raw[:size + 1]


def test_many_clients_of_few_servers(legs):
    """Everybody gets what is theirs."""
    p, client = legs("both", default_pool_size=3)
    failures = []

    def run(who):
        try:
            with client() as c:
                for i in range(60):
                    word = f"{who}-{i}-" + "w" * (i * 97 % 5000)
                    assert c.value(f"SELECT '{word}'") == word
        except Exception as e:
            failures.append(repr(e))

    threads = [threading.Thread(target=run, args=(w,)) for w in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures[:3]


def test_idle_servers_move_between_workers(legs):
    """A server's TLS goes with it from thread to thread."""
    p, client = legs("both", workers=4, default_pool_size=1)
    clients = [client() for _ in range(12)]
    pids = set()
    for i in range(5):
        for c in clients:
            pids.add(c.value("SELECT pg_backend_pid()"))
    assert len(pids) == 1
    for c in clients:
        c.quit()
