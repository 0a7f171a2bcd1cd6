"""T-DISC-01: a client is cut at every byte; whoever comes next finds a clean server."""

import struct
import time

import pytest

from harness import scram, wire
from harness.cluster import pw
from harness.wire import (bind, close, copy_data, copy_done, copy_fail, cstr, describe, execute, flush, function_call, msg,
                          parse, q, sync, terminate, wait_until)

compat = pytest.mark.compat

# What a Bind may carry: bytes that would be a query if framing were lost (T-SYNC-01).
EMBEDDED = q("INSERT INTO canary VALUES (1)") + q("COMMIT") + sync()

# Thirty kinds of message or of place for one; every one may be the last thing a client ever says, whole or in part.
KINDS = [
    ("query", q("SELECT 1")),
    ("empty query", q("")),
    ("two statements", q("SELECT 1;SELECT 2")),
    ("failing query", q("SELECT 1/0")),
    ("notice", q("SELECT shout('n')")),
    ("begin", q("BEGIN")),
    ("write in transaction", q("INSERT INTO ledger VALUES (1)")),
    ("query in transaction", q("SELECT 2")),
    ("error in transaction", q("SELECT 1/0")),
    ("query in failed transaction", q("SELECT 3")),
    ("rollback", q("ROLLBACK")),
    ("parse", parse("SELECT $1::text,generate_series(1,3)")),
    ("describe statement", describe("S")),
    ("bind", bind([EMBEDDED])),
    ("describe portal", describe("P")),
    ("execute with limit", execute(rows=1)),
    ("flush", flush()),
    ("execute the rest", execute()),
    ("close portal", close("P")),
    ("close statement", close("S")),
    ("sync", sync()),
    ("failing parse", parse("SELEKT")),
    ("skipped execute", execute()),
    ("sync after error", sync()),
    ("function call", function_call(1397, ["-5"])),
    ("copy out", q("COPY (SELECT 1) TO STDOUT")),
    ("copy in", q("COPY ledger FROM STDIN")),
    ("copy data that does not fit", copy_data("x\n")),
    ("copy done after error", copy_done()),
    ("copy in again", q("BEGIN;COPY ledger FROM STDIN")),
    ("copy data", copy_data("1\n")),
    ("copy fail", copy_fail("no")),
    ("end", q("ROLLBACK")),
    ("extended begin", parse("BEGIN") + bind() + execute() + sync()),
    ("extended write", parse("INSERT INTO ledger VALUES(2)") + bind() + execute()),
    ("terminate", terminate()),
]
SCRIPT = b"".join(m for _, m in KINDS)
assert len(KINDS) >= 30

NAMED = (parse("SELECT 1", "n") + bind((), "", "n") + execute() + sync() + q("SET work_mem='3MB'") + q("CREATE TEMP TABLE t(a int)")
         + q("DECLARE c CURSOR WITH HOLD FOR SELECT 1") + q("SELECT pg_advisory_lock(1)") + q("LISTEN x"))

CLEAN = ("SELECT '%s', pg_current_xact_id_if_assigned() IS NULL, now() = statement_timestamp(), "
         "(SELECT count(*) FROM pg_cursors), (SELECT count(*) FROM pg_prepared_statements WHERE name <> '')")
CLEAN_SESSION = CLEAN + (", current_setting('work_mem'), to_regclass('pg_temp.t') IS NULL, "
                         "(SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND pid=pg_backend_pid()), "
                         "(SELECT count(*) FROM pg_listening_channels())")


@pytest.fixture(scope="module", autouse=True)
def tables(pg):
    with wire.Client(pg.sock, "postgres", "db0") as c:
        c.query("CREATE TABLE IF NOT EXISTS canary(a int); CREATE TABLE IF NOT EXISTS ledger(a int); GRANT ALL ON canary, ledger TO PUBLIC")


def empty(pg):
    with wire.Client(pg.sock, "postgres", "db0") as c:
        canary, ledger = c.query("SELECT (SELECT count(*) FROM canary), (SELECT string_agg(a::text, ',') FROM ledger)").rows[0]
        c.query("TRUNCATE canary, ledger")
    assert canary == "0", "a query hidden in a bind value ran"
    assert ledger is None, f"something that was never committed was committed: {ledger[:100]}"


def kind_at(offset):
    at = 0
    for name, m in KINDS:
        if offset < at + len(m):
            return f"{name}+{offset - at}"
        at += len(m)
    return "whole"


def leave(c, how):
    if how == "rst":
        c.abort()
    elif how == "read":
        c.sock.setblocking(False)
        try:
            c.sock.recv(65536)
        except (BlockingIOError, ConnectionResetError):
            pass
        c.close()
    else:
        c.close()


def check(follower, token, where):
    want = (token, "t", "t", "0", "0")
    try:
        r = follower.ask(CLEAN % token)
    except (wire.Closed, wire.Timeout) as e:
        raise AssertionError(f"cut at {where}: the follower got no answer: {e}")
    assert r.types == "TDCZ" and r.status == "I" and r.rows == [want], f"cut at {where}: {wire.describe_msgs(r.msgs)} {r.rows}"


@pytest.mark.parametrize("how", ["fin", "rst", "read"])
@pytest.mark.parametrize("workers", [1, 4])
def test_T_DISC_01_cut_at_every_byte(pg, pooler, workers, how):
    mine = pg.since()
    p = pooler(workers=workers, pool_size=1, max_overflow=0, pool_timeout=20, log_connections=0, log_disconnections=0)
    follower = p.client()
    for cut in range(len(SCRIPT) + 1):
        c = p.client()
        c.send(SCRIPT[:cut])
        leave(c, how)
        check(follower, f"token-{cut}", kind_at(cut))
    empty(pg)
    assert len(pg.backends(mine)) <= 1
    wait_until(lambda: p.pool()["cl_active"] + p.pool()["cl_waiting"] == 1, 5)
    follower.quit()


@pytest.mark.parametrize("workers", [1, 4])
def test_T_DISC_01_cut_at_every_message_after_its_reply(pg, pooler, workers):
    """The same, with the replies to everything before the cut read first where that is possible: the server is at rest."""
    p = pooler(workers=workers, pool_size=1, max_overflow=0, pool_timeout=20)
    follower = p.client()
    at = 0
    for name, m in KINDS:
        for cut in {at, at + 1, at + 4, at + 5, at + len(m) - 1, at + len(m)}:
            c = p.client()
            c.send(SCRIPT[:cut])
            time.sleep(0.004)
            leave(c, "read")
            check(follower, f"token-{cut}", kind_at(cut))
        at += len(m)
    empty(pg)
    follower.quit()


def test_T_DISC_01_session_mode_cut_at_every_byte(pg, pooler):
    """Session state of every kind: the follower finds none of it."""
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0, pool_timeout=20)
    script = NAMED + SCRIPT
    for cut in range(0, len(script) + 1):
        c = p.client()
        c.send(script[:cut])
        leave(c, ("fin", "rst", "read")[cut % 3])
        f = p.client()
        token = f"token-{cut}"
        try:
            r = f.ask(CLEAN_SESSION % token)
        except (wire.Closed, wire.Timeout) as e:
            raise AssertionError(f"cut at {cut}: the follower got no answer: {e}")
        assert r.rows == [(token, "t", "t", "0", "0", "4MB", "t", "0", "0")], (cut, r.rows, r.error)
        assert r.status == "I"
        f.quit()
    empty(pg)


@compat
def test_login_cut_at_every_byte(pooler):
    """Startup and SCRAM; nothing is left behind, and logins go on."""
    p = pooler(auth_type="scram-sha-256", pool_size=1, max_overflow=0)
    start = wire.request(wire.SSL_REQUEST) + wire.startup({"user": "app", "database": "db0", "application_name": "x"})
    for cut in range(len(start)):
        c = p.conn()
        c.send(start[:cut])
        c.abort() if cut % 2 else c.close()
    cut = 0
    while True:
        c = wire.Client(p.addr, "app", "db0", pw("app"), login=False)
        c.send(wire.startup({"user": "app", "database": "db0"}))
        c.recv()
        s = scram.Scram(pw("app"))
        first = s.first()
        one = msg("p", cstr("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first)
        c.send(one[:cut])
        if cut >= len(one):
            two = msg("p", s.final(c.recv().body[4:]))
            c.send(two[:cut - len(one)])
            if cut - len(one) > len(two):
                c.close()
                break
        c.abort() if cut % 2 else c.close()
        cut += 1
    wait_until(lambda: {r["list"]: r["items"] for r in p.show("LISTS")}["used_clients"] == "1" and
               {r["list"]: r["items"] for r in p.show("LISTS")}["login_clients"] == "0", 5, what="no client left")
    with p.client() as c:
        assert c.value("SELECT 1") == "1"
        c.quit()


def test_leaving_in_an_idle_transaction_keeps_the_server(pg, pooler):
    """Rule (ii): an open transaction at rest is rolled back and the server kept, rather than a new login for every lost client."""
    p = pooler(pool_size=1, max_overflow=0)
    pids = set()
    for _ in range(20):
        c = p.client()
        c.query("BEGIN")
        c.query("INSERT INTO ledger VALUES (1)")
        pids.add(c.value("SELECT pg_backend_pid()"))
        c.close()
    assert len(pids) <= 2, f"{len(pids)} servers for 20 clients that left in a transaction"
    empty(pg)


@pytest.mark.parametrize("how", ["simple", "extended"])
def test_a_cancelled_BEGIN_does_not_let_the_rest_of_the_pipeline_commit(pg, pooler, how):
    """A client leaves with BEGIN, INSERT under way. If our cancel hits the BEGIN alone, the INSERT would commit by itself;
    PostgreSQL, left in the same way, commits nothing."""
    p = pooler(pool_size=1, max_overflow=0)
    begin = "BEGIN /* " + "slow to read " * 80000 + "*/"
    for i in range(40):
        c = p.client()
        if how == "simple":
            c.send(q(begin) + q("INSERT INTO ledger VALUES (3)"))
        else:
            c.send(wire.extended(begin) + wire.extended("INSERT INTO ledger VALUES (4)"))
        c.abort() if i % 2 else c.close()
    with p.client() as f:
        f.settimeout(30)
        assert f.ask("SELECT 1").status == "I"
        f.quit()
    time.sleep(0.2)
    empty(pg)


def test_leaving_between_transactions_keeps_the_server(pooler):
    """Rule (iii)."""
    p = pooler(pool_size=1, max_overflow=0)
    pids = set()
    for i in range(30):
        c = p.client()
        pids.add(c.value("SELECT pg_backend_pid()"))
        c.abort() if i % 2 else c.close()
    assert len(pids) == 1


def test_leaving_with_a_long_query_running_frees_the_server_soon(pg, pooler):
    """The query is cancelled; the follower does not wait for its end."""
    p = pooler(pool_size=1, max_overflow=0)
    c = p.client()
    c.send(q("SELECT pg_sleep(60)"))
    wait_until(lambda: pg.backends("state='active' AND query LIKE '%pg_sleep(60)%' AND usename='app'"), 3)
    c.close()
    with p.client() as f:
        t = time.monotonic()
        assert f.value("SELECT 'here'") == "here"
        assert time.monotonic() - t < 5
        f.quit()
    wait_until(lambda: not pg.backends("state='active' AND query LIKE '%pg_sleep(60)%' AND usename='app'"), 5)


def test_leaving_in_the_middle_of_a_big_result_frees_the_server_soon(pg, pooler):
    p = pooler(pool_size=1, max_overflow=0)
    for i in range(3):
        c = p.client()
        c.send(q("SELECT repeat('x', 1000), generate_series(1, 100000000)"))
        for _ in range(50):
            c.recv()
        c.abort() if i % 2 else c.close()
        with p.client() as f:
            t = time.monotonic()
            assert f.value("SELECT 'here'") == "here"
            assert time.monotonic() - t < 5
            f.quit()
    wait_until(lambda: not pg.backends("state='active' AND usename='app'"), 5)


def test_slow_reader_does_not_fill_our_memory(pg, pooler):
    """T-MEM-01 in small: a client asks for 400 MB and reads nothing."""
    p = pooler(pool_size=3, max_overflow=0)
    c = p.client()
    c.query("SELECT 1")
    before = p.rss_kb()
    slow = [p.client() for _ in range(2)]
    for s in slow:
        s.send(q("SELECT repeat('x', 1000) FROM generate_series(1, 400000)"))
    time.sleep(1.5)
    grown = p.rss_kb() - before
    assert c.value("SELECT 1") == "1"
    assert grown < (60000 if p.sanitized() else 8000), f"{grown} kB"
    for s in slow:
        s.abort()
    c.quit()


def test_T_NET_03_pipelining_before_reading(pooler):
    """20 MB of queries before the first reply is read: no deadlock, and every reply in order."""
    p = pooler(pool_size=1, max_overflow=0)
    import threading
    c = p.client(timeout=60)
    n = 300
    pad = "x" * 70000
    done = threading.Event()

    def send():
        for i in range(n):
            c.send(q(f"SELECT {i}, '{pad}'"))
        done.set()

    t = threading.Thread(target=send, daemon=True)
    t.start()
    time.sleep(1)
    for i in range(n):
        r = c.result()
        assert r.rows[0][0] == str(i) and len(r.rows[0][1]) == 70000
    t.join(5)
    assert done.is_set()
    c.quit()
