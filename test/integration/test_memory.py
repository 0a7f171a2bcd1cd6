"""SHOW MEM_EXTENDED: what memory is used for, held against what the system says; and nothing grows when clients come and go."""

import os

import pytest

from harness import wire
from harness.cluster import pw
from harness.tlswire import TlsClient
from harness.wire import bind, close, execute, extended, parse, q, send_cancel, sync, wait_until

COMINGS = int(os.environ.get("FYNIX_MEM_CLIENTS", "1000"))

# purposes; then what is no purpose of ours
PURPOSES = ["clients", "servers", "pools", "logins", "tls", "tls_kept", "parameters", "statements", "statement_texts", "queued", "buffers",
            "buffers_kept", "buffer_rings", "spares", "workers", "configuration", "statistics"]
OTHERS = ["other", "malloc_free", "resident", "idle", "allocations"]
EXTRAS = ("TimeZone", "Europe/Paris"), ("application_name", "counted")


def table(p):
    """The rows by purpose, numbers as int. Over the Unix socket: no TLS of its own."""
    with wire.Client(p.sock, "admin", "fynixpool", pw("admin")) as c:
        rows = c.query("SHOW MEM_EXTENDED").dicts()
        c.quit()
    return {r["purpose"]: {k: int(v) for k, v in r.items() if k != "purpose" and v is not None} for r in rows}


def tls_conf(pki):
    return {"client_tls_sslmode": "allow", "client_tls_cert_file": pki.crt("good"), "client_tls_key_file": pki.file("good.key")}


def test_rows_and_columns(pooler):
    p = pooler(workers=2, pool_size=3)
    with p.client(params=EXTRAS) as c:
        c.run(parse("SELECT 1", "mine"), bind(stmt="mine"), execute(), sync())
        wait_until(lambda: table(p)["logins"]["objects"] == 0)
        t = table(p)
        assert list(t) == PURPOSES + OTHERS
        for name, objects in (("clients", 1), ("servers", 1), ("pools", 1), ("logins", 0), ("tls", 0), ("parameters", 1),
                              ("statements", 2), ("statement_texts", 1), ("configuration", 1), ("workers", 2)):
            # the console's own client is among them
            more = {"clients": 1, "tls": 10**6}.get(name, 0)
            assert objects <= t[name]["objects"] <= objects + more, (name, t[name])
        for name in ("clients", "parameters", "statements"):
            assert t[name]["bytes"] >= t[name]["bytes_per_idle_client"] > 0, (name, t[name])
        for name in ("servers", "parameters", "statements"):
            assert t[name]["bytes"] >= t[name]["bytes_per_idle_server"] > 0, (name, t[name])
        assert t["idle"]["objects"] == 2
        assert t["idle"]["bytes"] == t["idle"]["bytes_per_idle_client"] + t["idle"]["bytes_per_idle_server"]
        for name in ("configuration", "statistics", "workers", "tls", "pools", "statement_texts"):
            assert t[name]["bytes"] > 100, (name, t[name])
        assert t["resident"]["bytes"] > sum(t[name]["bytes"] for name in ("clients", "servers", "configuration"))
        c.query("BEGIN")
        t = table(p)
        assert t["idle"]["objects"] == 0 and "bytes_per_idle_client" not in t["idle"] and "bytes_per_idle_server" not in t["idle"]
        c.query("COMMIT")
        c.quit()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_idle_clients_cost_what_the_table_says(pooler, pki, secure):
    """The growth of resident memory with the clients, which have all asked once, is what the table says of them."""
    p = pooler(workers=1, pool_size=2, max_client_conn=1000, **tls_conf(pki))
    count = 500

    def come():
        c = TlsClient(p.addr) if secure else p.client()
        c.query("SELECT 1")
        return c

    clients = [come() for _ in range(50)]
    wait_until(lambda: table(p)["idle"]["objects"] >= 51)
    before, rss = table(p), p.rss_kb() * 1024
    clients += [come() for _ in range(count)]
    after, grown = table(p), (p.rss_kb() * 1024 - rss) / count
    told = after["idle"]["bytes_per_idle_client"]
    owned = sum(after[n]["bytes"] - before[n]["bytes"] for n in PURPOSES) / count
    print(f"{grown:.0f} bytes of resident memory for each, {owned:.0f} by purpose, {told} by the mean of idle clients",
          {n: after[n]["bytes_per_idle_client"] for n in PURPOSES if after[n].get("bytes_per_idle_client")})
    assert after["idle"]["objects"] - before["idle"]["objects"] == count
    # what finds the clients grows in steps
    assert told * 0.95 <= owned <= told * 1.1 + 200, (told, owned)
    if not p.sanitized():
        assert told * 0.8 - 100 <= grown <= told * 1.25 + 200, (told, grown)
    for c in clients:
        c.quit()


def visit(p, i):
    """One client comes, does something, and goes."""
    kind = i % 20
    if kind in (0, 10):
        c = TlsClient(p.addr, params=EXTRAS)
        c.query("SELECT 1")
        return c.quit()
    c = p.client(params=EXTRAS if kind < 5 else ())
    if kind == 1:
        c.run(parse(f"SELECT {i % 50}", f"s{i}"), bind(stmt=f"s{i}"), execute(), sync())
    elif kind == 2:
        c.run(parse("SELECT $1::int", "mine"), bind(["1"], stmt="mine"), execute(), close("S", "mine"), sync())
        c.run(extended("SELECT 2"))
    elif kind == 3:
        c.query("SET TimeZone = 'Asia/Tokyo'")
    elif kind == 4:
        c.send(q("SELECT pg_sleep(0.2)"))
        send_cancel(p.addr, c.pid, c.key)
        c.result()  # a cancel that is there before the query has begun hits nothing
    elif kind == 5:
        c.send(q("SELECT repeat('x', 300000)"))
        return c.abort()
    elif kind == 6:
        c.send(parse("SELECT 1", "begun"))
        return c.abort()
    else:
        c.query("SELECT 1")
    c.quit()


def test_nothing_grows_when_clients_come_and_go(pooler, pki):
    """Statements, parameters, TLS, cancels, clients that leave in the middle of something."""
    p = pooler(workers=1, pool_size=4, log_connections=0, log_disconnections=0, reuse_unnamed_statements=0, **tls_conf(pki))

    def calm():
        wait_until(lambda: p.pool()["cl_active"] + p.pool()["cl_waiting"] + p.pool()["sv_active"] == 0, 20)
        return table(p)

    for i in range(COMINGS // 2):
        visit(p, i)
    before, rss = calm(), p.rss_kb()
    for i in range(COMINGS):
        visit(p, i)
    after = calm()
    print({n: after[n]["bytes"] - before[n]["bytes"] for n in PURPOSES + ["other", "resident"]}, p.rss_kb() - rss, "KiB")
    for name in ("clients", "pools", "logins", "tls", "queued", "buffers", "statement_texts"):
        assert after[name]["objects"] <= before[name]["objects"] + 2, (name, before[name], after[name])
    for name in ("clients", "logins", "tls", "statements", "statement_texts", "queued", "configuration"):
        assert after[name]["bytes"] <= before[name]["bytes"] + 16384, (name, before[name], after[name])
    assert after["other"]["bytes"] <= before["other"]["bytes"] + 65536
    if not p.sanitized():
        assert p.rss_kb() <= rss + 1024
