"""Who rides which server, who waits, and how many there are."""

import random
import re
import signal
import socket
import threading
import time

import pytest

from harness import wire
from harness.cluster import pw
from harness.ports import free_port
from harness.relay import Relay
from harness.sampler import Sampler
from harness.wire import extended, q, wait_until

compat = pytest.mark.compat
SLOT_ERRORS = ("too many clients", "remaining connection slots", "too many connections")


def hold(p, count, **kw):
    """count clients, each inside a transaction; all of them have a server when this returns."""
    out = []
    for _ in range(count):
        c = p.client(**kw)
        c.query("BEGIN")
        out.append(c)
    return out


def warm(p, count, **kw):
    """Make the pool open count servers and let go of them."""
    for c in hold(p, count, **kw):
        c.query("COMMIT")
        c.quit()


def servers(p, database="db0", user="app"):
    r = p.pool(database, user)
    return sum(v for k, v in r.items() if k in ("sv_active", "sv_idle", "sv_used", "sv_tested", "sv_login", "sv_active_cancel", "sv_being_canceled"))


# ---- host lists ----

OVER_TCP = "SELECT inet_server_addr() IS NOT NULL"


@pytest.mark.parametrize("how,expected", [("", "ftft"), ("load_balance_hosts=disable", "tttt")])
@compat
def test_hosts_are_taken_in_turn_or_one_until_it_fails(pg, pooler, how, expected):
    p = pooler(workers=1, pool_size=4, max_overflow=0, databases={"db0": f"host=127.0.0.1,{pg.top} {how}"})
    clients = hold(p, 4)
    assert "".join(sorted(c.value(OVER_TCP) for c in clients)) == "".join(sorted(expected))
    for c in clients:
        c.query("COMMIT")
        c.quit()


@pytest.mark.parametrize("workers", [1, 4])
def test_load_balance_hosts_disable_goes_on_when_a_host_fails(pg, pooler, workers):
    """Nobody listens on 127.0.0.2: found out once, the client notices nothing, and the next ones do not try it again."""
    p = pooler(workers=workers, pool_size=4, max_overflow=0, server_login_retry=15,
               databases={"db0": f"host=127.0.0.2,{pg.top},127.0.0.1 load_balance_hosts=disable"})
    clients = []
    for _ in range(4):
        clients += hold(p, 1)
        assert clients[-1].value(OVER_TCP) == "f"
    assert len(re.findall("S-.* closing because: connect failed", p.log_text())) == 1, p.log_text()
    for c in clients:
        c.query("COMMIT")
        c.quit()


def test_all_hosts_of_a_list_are_tried_before_a_client_is_refused(pooler):
    p = pooler(pool_size=4, max_overflow=0, databases={"db0": "host=127.0.0.2,127.0.0.3,127.0.0.4"})
    with pytest.raises(wire.PgError):
        p.client().query("SELECT 1")
    assert len(re.findall("S-.* closing because: connect failed", p.log_text())) == 3, p.log_text()


def test_reload_of_load_balance_hosts_replaces_servers(pg, pooler):
    p = pooler(pool_size=1, max_overflow=0, databases={"db0": f"host=127.0.0.1,{pg.top}"})
    with p.client() as c:
        before = c.value("SELECT pg_backend_pid()")
        p.databases["db0"] += " load_balance_hosts=disable"
        p.write()
        p.reload()
        wait_until(lambda: c.value("SELECT pg_backend_pid()") != before, 5)
        c.quit()


# ---- reuse ----

@compat
def test_one_server_serves_one_after_another(pooler):
    p = pooler(pool_size=5, max_overflow=0)
    pids = set()
    for _ in range(20):
        with p.client() as c:
            for _ in range(10):
                pids.add(c.value("SELECT pg_backend_pid()"))
            c.quit()
    assert len(pids) == 1


def test_reuse_ratio_is_shown_and_high(pooler):
    p = pooler(pool_size=5, max_overflow=0)
    with p.client() as c:
        for _ in range(200):
            c.query("SELECT 1")
        c.quit()
    row = [r for r in p.show("POOLS_EXTENDED") if r["database"] == "db0" and r["user"] == "app"][0]
    ratio = [float(v) for k, v in row.items() if "reuse" in k and v is not None]
    assert ratio, f"no reuse figure among {list(row)}"
    assert ratio[0] >= 0.95 if ratio[0] <= 1 else ratio[0] >= 95, row


@compat
def test_pools_are_per_database_and_user(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    seen = {}
    for db in ("db0", "db1"):
        for user in ("app", "app2"):
            with p.client(user, db) as c:
                pid, d, u = c.query("SELECT pg_backend_pid(), current_database(), current_user").rows[0]
                assert (d, u) == (db, user)
                seen[pid] = (db, user)
                assert c.value("SELECT db FROM whoami") == db
                c.quit()
    assert len(seen) == 4


# ---- exact limits ----

def bench_ready(pg):
    if pg.value("SELECT count(*) FROM pg_database WHERE datname='bench'") == "0":
        pg.sql("CREATE DATABASE bench OWNER app")
        import subprocess
        subprocess.run([pg.bin + "/pgbench", "-i", "-q", "-s", "1", "-h", "127.0.0.1", "-p", str(pg.port), "-U", "app", "bench"],
                       check=True, env={"PGPASSWORD": pw("app"), "PATH": "/usr/bin:/bin"}, stderr=subprocess.DEVNULL)
    pg.sql("CHECKPOINT")


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("clients", [1, 32, 500])
@pytest.mark.parametrize("mode", ["simple", "extended"])
@pytest.mark.parametrize("load", ["select", "tpcb"])
def test_T_SRV_03_pgbench_at_the_exact_budget(own_pg, maker, workers, clients, mode, load):
    """max_connections leaves room for pool_size + max_overflow and not for one more."""
    base, over = 4, 3
    bench_ready(own_pg)
    budget = base + over + 1 + 2          # the reserved slot, our own two sessions
    if own_pg.max_connections != budget:
        own_pg.restart(max_connections=budget, reserved=1)
    before = len(own_pg.log_text())
    p = maker(own_pg, workers=workers, pool_size=base, max_overflow=over, overflow_linger="1s", max_client_conn=600,
              databases={"bench": ""})
    with Sampler(own_pg, "usename='app'") as s:
        args = ["-n", "-M", mode, "-c", str(clients), "-j", "1", "-T", "1"] + (["-S"] if load == "select" else [])
        r = p.pgbench(*args, database="bench")
    assert r.returncode == 0, r.stdout
    assert "number of failed transactions: 0 " in r.stdout, r.stdout
    assert "aborted" not in r.stdout and "ERROR" not in r.stdout and "FATAL" not in r.stdout, r.stdout
    assert s.samples > 20
    assert s.most <= base + over, f"{s.most} of {base + over}"
    log = own_pg.log_text()[before:]
    assert not [x for x in SLOT_ERRORS if x in log], log[-2000:]


@compat
def test_limit_holds_and_the_rest_wait(pooler):
    p = pooler(pool_size=3, max_overflow=0)
    held = hold(p, 3)
    waiting = [p.client() for _ in range(4)]
    for c in waiting:
        c.send(q("SELECT pg_backend_pid()"))
    wait_until(lambda: p.pool()["cl_waiting"] == 4, 3)
    assert p.pool()["sv_active"] == 3 and p.pool()["cl_active"] == 3
    assert all(c.silent(0.05) for c in waiting)
    held[0].query("COMMIT")
    for c in waiting:
        assert c.result().types == "TDCZ"
    wait_until(lambda: p.pool()["cl_waiting"] == 0, 3)
    assert servers(p) == 3
    for c in held + waiting:
        c.quit()


@compat
def test_sizes_of_database_and_user_override(pooler):
    p = pooler(pool_size=5, max_overflow=0, databases={"db0": "pool_size=2", "db1": "", "db2": "pool_size=3"},
               users={"app": "max_user_connections=100"})
    for db, n in (("db0", 2), ("db1", 5), ("db2", 3)):
        held = hold(p, n, database=db)
        c = p.client(database=db)
        c.send(q("SELECT 1"))
        assert c.silent(0.3), db
        held[0].query("COMMIT")
        assert c.result().rows == [("1",)]
        assert servers(p, db) == n
        for x in held + [c]:
            x.quit()


def test_size_of_a_user_wins_over_the_database(pooler):
    p = pooler(pool_size=5, max_overflow=0, databases={"db0": "pool_size=4"}, users={"app": "pool_size=2"})
    held = hold(p, 2)
    c = p.client()
    c.send(q("SELECT 1"))
    assert c.silent(0.3)
    assert servers(p) == 2
    for x in held + [c]:
        x.close()


# ---- overflow ----

def test_overflow_opens_at_once_and_closes_after_lingering(pg, pooler):
    mine = pg.since()
    p = pooler(pool_size=2, max_overflow=2, overflow_linger="1s", pool_timeout="20s")
    t = time.monotonic()
    held = hold(p, 4)
    assert time.monotonic() - t < 2, "overflow must not wait"
    fifth = p.client()
    fifth.send(q("SELECT 'fifth'"))
    assert fifth.silent(0.5), "2 + 2 is the limit"
    r = p.pool()
    assert r["sv_active"] == 4 and r["cl_waiting"] == 1
    for c in held:
        c.query("COMMIT")
    assert fifth.result().rows == [("fifth",)]
    assert servers(p) == 4
    t = time.monotonic()
    wait_until(lambda: servers(p) == 2, 5, what="overflow closed")
    assert time.monotonic() - t > 0.5, "it lingers"
    time.sleep(1.5)
    assert servers(p) == 2, "the base stays"
    assert len(pg.backends(mine)) == 2
    for c in held + [fifth]:
        c.quit()


def test_overflow_in_use_is_not_closed(pooler):
    p = pooler(pool_size=1, max_overflow=1, overflow_linger="200ms")
    a, b = hold(p, 2)
    time.sleep(1)
    assert a.value("SELECT 1") == b.value("SELECT 1") == "1"
    for c in (a, b):
        c.query("COMMIT")
        c.quit()
    wait_until(lambda: servers(p) == 1, 5)


def test_overflow_is_shown(pooler):
    p = pooler(pool_size=1, max_overflow=2)
    held = hold(p, 3)
    row = [r for r in p.show("POOLS_EXTENDED") if r["database"] == "db0" and r["user"] == "app"][0]
    used = [int(v) for k, v in row.items() if "overflow" in k and v is not None and v.isdigit()]
    assert 2 in used, row
    for c in held:
        c.quit()


# ---- reserve, minimum, age ----

@compat
def test_reserve_opens_only_after_the_wait(pooler):
    p = pooler(pool_size=1, max_overflow=0, reserve_pool_size=1, reserve_pool_timeout=1)
    (a,) = hold(p, 1)
    b = p.client()
    t = time.monotonic()
    b.query("BEGIN")
    took = time.monotonic() - t
    assert 0.8 <= took <= 3, took
    c = p.client()
    c.send(q("SELECT 1"))
    assert c.silent(1.6), "one in reserve, not two"
    assert len([x for x in p.log_text().splitlines() if "reserve_pool" in x]) == 1
    for x in (a, b, c):
        x.quit()


@compat
def test_min_pool_size_is_filled_and_kept(pooler):
    p = pooler(pool_size=5, max_overflow=0, min_pool_size=3, server_idle_timeout=1)
    c = p.client()
    c.query("SELECT 1")
    wait_until(lambda: servers(p) >= 3, 6, what="filled to min_pool_size")
    time.sleep(2.5)
    assert servers(p) == 3
    c.quit()


def test_min_pool_size_is_kept_without_clients(pooler):
    p = pooler(pool_size=5, max_overflow=0, min_pool_size=2, server_idle_timeout=1)
    with p.client() as c:
        c.query("SELECT 1")
        c.quit()
    wait_until(lambda: servers(p) == 2, 6)
    time.sleep(3)
    assert servers(p) == 2


@compat
def test_idle_servers_are_closed_after_server_idle_timeout(pg, pooler):
    mine = pg.since()
    p = pooler(pool_size=4, max_overflow=0, server_idle_timeout=1)
    warm(p, 4)
    wait_until(lambda: servers(p) == 0, 6, what="all closed")
    wait_until(lambda: not pg.backends(mine), 3)


@compat
def test_servers_are_recycled_but_never_in_use(pooler):
    p = pooler(pool_size=1, max_overflow=0, pool_recycle=1)
    c = p.client()
    first = c.value("SELECT pg_backend_pid()")
    c.query("BEGIN")
    held = c.value("SELECT pg_backend_pid()")
    time.sleep(3)
    assert c.value("SELECT pg_backend_pid()") == held, "not while in use"
    c.query("COMMIT")
    wait_until(lambda: c.value("SELECT pg_backend_pid()") != first, 6, 0.2, "a new server")
    c.quit()


def test_recycling_does_not_let_the_pool_dip(pg, pooler):
    """Under steady use, and with room for one more, a replacement comes before the old one goes."""
    mine = pg.since()
    p = pooler(pool_size=4, max_overflow=2, pool_recycle=2)
    warm(p, 4)
    clients = [p.client() for _ in range(4)]
    first, worst, slow = set(pg.backends(mine)), 99, 0.0
    assert len(first) == 4
    begin = time.monotonic()
    # on a busy machine as long as it takes
    while time.monotonic() < begin + 7 or (first & set(pg.backends(mine)) and time.monotonic() < begin + 30):
        for c in clients:
            c.send(q("SELECT pg_backend_pid(), pg_sleep(0.002)"))
        t = time.monotonic()
        for c in clients:
            r = c.result()
            assert not r.error, r.error
        slow = max(slow, time.monotonic() - t)
        worst = min(worst, len(pg.backends(mine)))
    assert not first & set(pg.backends(mine)), "every one was replaced at least once"
    assert worst >= 4, f"dipped to {worst}"
    assert slow < 1, slow
    for c in clients:
        c.quit()


# ---- a dead server is never handed out ----

@pytest.mark.parametrize("workers", [1, 2, 4])
def test_T_SRV_01_all_idle_servers_killed_then_a_thousand_queries(pg, pooler, workers):
    p = pooler(workers=workers, pool_size=10, max_overflow=0)
    clients = [p.client() for _ in range(10)]
    for round_ in range(5):
        for c in clients:
            c.query("BEGIN")
        for c in clients:
            c.query("COMMIT")
        assert pg.kill_backends("usename='app'") >= 5
        sent = 0
        while sent < 1000:
            for i, c in enumerate(clients):
                c.send(q("SELECT 1") if i % 2 else extended("SELECT 1"))
            for c in clients:
                r = c.result()
                assert not r.error, (round_, sent, r.error)
                assert r.rows == [("1",)]
                sent += 1
    for c in clients:
        c.quit()


def test_T_SRV_01_killed_between_two_queries_of_one_client(pg, pooler):
    p = pooler(pool_size=1, max_overflow=0)
    c = p.client()
    for _ in range(200):
        pid = c.value("SELECT pg_backend_pid()")
        pg.kill_backends(f"pid={pid}")
        r = c.ask("SELECT pg_backend_pid()")
        assert not r.error, r.error
        assert r.value != pid
    c.quit()


def test_pre_ping_replaces_a_server_that_went_mute(pg, pooler):
    """A server that no longer answers, without closing: the client is served by another, and does not notice."""
    with Relay(pg.addr) as relay:
        p = pooler(pool_size=2, max_overflow=0, pre_ping_idle=0, server_connect_timeout=2, databases={"db0": f"port={relay.port}"})
        c = p.client()
        first = c.value("SELECT pg_backend_pid()")
        relay.muted.set()
        c.settimeout(15)
        t = time.monotonic()
        r = c.ask("SELECT pg_backend_pid()")
        assert not r.error, r.error
        assert r.value != first
        assert time.monotonic() - t < 12
        c.quit()


# ---- waiting ----

@compat
def test_pool_timeout_ends_the_wait_with_its_name(pooler):
    p = pooler(pool_size=1, max_overflow=0, pool_timeout=1)
    (a,) = hold(p, 1)
    b = p.client()
    t = time.monotonic()
    text = error_of(b, "SELECT 1")
    assert "query_wait_timeout" in text, text
    assert 0.7 <= time.monotonic() - t <= 3
    assert a.value("SELECT 1") == "1"
    a.quit(), b.close()


def error_of(c, sql):
    """The first error's text, whether or not the connection goes with it."""
    try:
        r = c.ask(sql)
        assert r.error, f"expected an error, got {wire.describe_msgs(r.msgs)}"
        return " | ".join(v for k, v in r.error.items() if k in "MDH")
    except wire.Closed as e:
        errors = [wire.fields(m.body) for m in e.msgs if m.type == "E"]
        assert errors, e
        return " | ".join(v for k, v in errors[0].items() if k in "MDH")


@pytest.mark.parametrize("kw,limit", [
    ({"pool_size": 1, "max_overflow": 0}, "pool_size"),
    ({"pool_size": 5, "max_overflow": 0, "max_db_connections": 1}, "max_db_connections"),
    ({"pool_size": 5, "max_overflow": 0, "max_user_connections": 1}, "max_user_connections"),
])
def test_pool_timeout_says_which_limit_held_it(pooler, kw, limit):
    p = pooler(pool_timeout=1, **kw)
    (a,) = hold(p, 1)
    b = p.client()
    text = error_of(b, "SELECT 1")
    assert "query_wait_timeout" in text and limit in text, text
    a.quit(), b.close()


@compat
def test_max_client_conn(pooler):
    p = pooler(max_client_conn=5)
    held = [p.client() for _ in range(5)]
    with pytest.raises(wire.PgError) as e:
        p.client()
    assert e.value.text.startswith("no more connections allowed (max_client_conn)") and e.value.code in ("08P01", "53300")
    held.pop().quit()
    c = wait_until(lambda: enter(p), 3)
    assert c.value("SELECT 1") == "1"
    for x in held + [c]:
        x.quit()


def enter(p):
    try:
        return p.client()
    except wire.PgError:
        return None


@pytest.mark.parametrize("workers", [1, 4])
def test_max_client_conn_is_exact_in_a_storm(pooler, workers):
    """60 logins at once, 20 allowed: 20 get in, 40 are told why."""
    p = pooler(workers=workers, max_client_conn=20, max_unauthenticated_percent=100)
    conns = [p.conn() for _ in range(60)]
    for c in conns:
        c.send(wire.startup({"user": "app", "database": "db0"}))
    inside = refused = 0
    for c in conns:
        try:
            kinds = [m.type for m in c.until("ZE")]
        except wire.Closed as e:
            raise AssertionError(f"closed without a word: {e}")
        inside += kinds[-1] == "Z"
        refused += kinds[-1] == "E"
    assert (inside, refused) == (20, 40)
    for c in conns:
        c.close()


@compat
def test_max_db_connections_over_users_of_one_database(pg, pooler):
    p = pooler(pool_size=5, max_overflow=0, max_db_connections=2)
    with Sampler(pg, "usename <> 'postgres' AND datname='db0'") as s:
        c = p.client("app2")
        c.query("SELECT 1")
        a, b = hold(p, 2, user="app")
        c.send(q("SELECT current_user"))
        assert c.silent(0.4)
        a.query("COMMIT")
        # the idle server of the other user makes room
        assert c.result().rows == [("app2",)]
        with p.client("app2", "db1") as d:
            assert d.value("SELECT 1") == "1"
            d.quit()
    assert s.most <= 2
    for x in (a, b, c):
        x.quit()


@compat
def test_max_user_connections_over_databases_of_one_user(pg, pooler):
    p = pooler(pool_size=5, max_overflow=0, max_user_connections=2)
    with Sampler(pg, "usename='app'") as s:
        c = p.client("app", "db1")
        c.query("SELECT 1")
        a, b = hold(p, 2, database="db0")
        c.send(q("SELECT current_database()"))
        assert c.silent(0.4)
        a.query("COMMIT")
        assert c.result().rows == [("db1",)]
        with p.client("app2", "db0") as d:
            assert d.value("SELECT 1") == "1"
            d.quit()
    assert s.most <= 2
    for x in (a, b, c):
        x.quit()


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_max_db_connections_exact_under_load_of_several_users(own_pg, maker, workers):
    """Four pools of one database fight for three servers; PostgreSQL has room for no fourth."""
    budget = 3 + 1 + 2
    if own_pg.max_connections != budget:
        own_pg.restart(max_connections=budget, reserved=1)
    before = len(own_pg.log_text())
    p = maker(own_pg, workers=workers, pool_size=5, max_overflow=5, max_db_connections=3, pool_timeout=20)
    users = ["app", "app2", "scrammy", "plainy"]
    with Sampler(own_pg, "datname='db0' AND usename <> 'postgres'") as s:
        clients = [p.client(u) for u in users for _ in range(4)]
        done = dict.fromkeys(users, 0)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            for c in clients:
                c.send(q("SELECT current_user, pg_sleep(0.001)"))
            for c in clients:
                r = c.result()
                assert not r.error, r.error
                assert r.rows[0][0] == c.user
                done[c.user] += 1
        for c in clients:
            c.quit()
    assert s.most <= 3
    assert min(done.values()) > 3, done
    log = own_pg.log_text()[before:]
    assert not [x for x in SLOT_ERRORS if x in log], log[-2000:]


@pytest.mark.parametrize("workers", [pytest.param(1, marks=compat), 2, 4])
def test_T_FAIR_01_first_come_first_served(pg, pooler, workers):
    """30 waiters on one server, over all workers, each in line (and 5 ms old) before the next one comes."""
    pg_seq(pg)
    p = pooler(workers=workers, pool_size=1, max_overflow=0, pool_timeout=20)
    (a,) = hold(p, 1)
    waiting = [p.client() for _ in range(30)]
    for n, c in enumerate(waiting, 1):
        c.send(q("SELECT nextval('fifo')"))
        wait_until(lambda n=n: p.pool()["cl_waiting"] == n, 10)
        time.sleep(0.005)
    a.query("COMMIT")
    order = [int(c.result().value) for c in waiting]
    assert order == sorted(order), order
    for c in waiting + [a]:
        c.quit()


def test_T_FAIR_01_first_come_first_served_within_one_turn(pg, pooler):
    """As above with one worker, which finds all the arrivals at once when it wakes up."""
    pg_seq(pg)
    p = pooler(workers=1, pool_size=1, max_overflow=0, pool_timeout=20)
    (a,) = hold(p, 1)
    waiting = [p.client() for _ in range(50)]
    for seed in range(5):
        random.Random(seed).shuffle(waiting)
        time.sleep(0.1)  # the worker rests
        p.signal(signal.SIGSTOP)
        wait_until(lambda: "T (stopped)" in open(f"/proc/{p.proc.pid}/status").read(), 5)
        for c in waiting:
            c.send(q("SELECT nextval('fifo')"))
        p.signal(signal.SIGCONT)
        wait_until(lambda: p.pool()["cl_waiting"] == len(waiting), 10)
        a.query("COMMIT")
        order = [int(c.result().value) for c in waiting]
        assert order == sorted(order), order
        a.query("BEGIN")
    for c in waiting + [a]:
        c.quit()


def pg_seq(pg):
    with wire.Client(pg.sock, "postgres", "db0") as c:
        c.query("CREATE SEQUENCE IF NOT EXISTS fifo; GRANT ALL ON SEQUENCE fifo TO PUBLIC")


def test_waiting_client_that_leaves_is_removed_at_once(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    (a,) = hold(p, 1)
    gone = [p.client() for _ in range(5)]
    for c in gone:
        c.send(q("SELECT 1"))
    last = p.client()
    last.send(q("SELECT 'last'"))
    wait_until(lambda: p.pool()["cl_waiting"] == 6, 3)
    for i, c in enumerate(gone):
        c.abort() if i % 2 else c.close()
    wait_until(lambda: p.pool()["cl_waiting"] == 1, 1, what="the ones that left are out of the queue")
    a.query("COMMIT")
    assert last.result().rows == [("last",)]
    a.quit(), last.quit()


@pytest.mark.parametrize("workers", [1, 4])
def test_T_SRV_04_nobody_waits_beside_an_idle_server(pg, pooler, workers):
    """One server, 200 waiters that come and go, the server killed now and then: all who stay are served."""
    p = pooler(workers=workers, pool_size=1, max_overflow=0, pool_timeout=30, max_client_conn=500)
    rnd = random.Random(5)
    for _ in range(3):
        clients = [p.client() for _ in range(200)]
        for c in clients:
            c.send(q("SELECT 1"))
        for c in rnd.sample(clients, 50):
            c.abort()
            clients.remove(c)
        pg.kill_backends("usename='app' AND state='idle'")
        for c in clients:
            c.settimeout(20)
            c.result()
            c.quit()
        wait_until(lambda: p.pool()["cl_waiting"] == 0, 3)


# ---- modes ----

@compat
def test_statement_mode_refuses_transaction_blocks(pooler):
    p = pooler(pool_mode="statement", pool_size=2, max_overflow=0)
    c = p.client()
    assert c.value("SELECT 1") == "1"
    assert "transaction blocks not allowed in statement pooling mode" in error_of(c, "BEGIN")
    c.close()
    with p.client() as d:
        assert d.ask("SELECT 2").status == "I"
        assert d.run(extended("SELECT 3")).rows == [("3",)]
        d.quit()


@compat
def test_session_mode_keeps_the_server_and_resets_it(pooler):
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0, session_attach="first_query")
    c = p.client()
    pid = c.value("SELECT pg_backend_pid()")
    c.query("SET work_mem='3MB'")
    c.query("CREATE TEMP TABLE mine(a int)")
    c.query("SELECT pg_advisory_lock(7)")
    c.query("LISTEN chan")
    c.run(wire.parse("SELECT 1", "keep"), wire.sync())
    assert c.value("SELECT pg_backend_pid()") == pid
    other = p.client()
    other.send(q("SELECT pg_backend_pid()"))
    assert other.silent(0.3), "the first still has it, outside any transaction"
    c.quit()
    assert other.result().value == pid
    assert other.value("SHOW work_mem") == "4MB"
    assert other.value("SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND pid=pg_backend_pid()") == "0"
    assert other.value("SELECT count(*) FROM pg_prepared_statements") == "0"
    assert other.value("SELECT count(*) FROM pg_listening_channels()") == "0"
    assert other.value("SELECT to_regclass('pg_temp.mine') IS NULL") == "t"
    other.quit()


@compat
def test_mode_of_database_and_user_override(pooler):
    p = pooler(pool_mode="transaction", pool_size=1, max_overflow=0, databases={"db0": "pool_mode=session", "db1": ""},
               users={"app2": "pool_mode=session"}, session_attach="first_query")
    for user, db, mode in (("app", "db0", "session"), ("app", "db1", "transaction"), ("app2", "db1", "session")):
        a = p.client(user, db)
        a.query("SELECT 1")
        b = p.client(user, db)
        b.send(q("SELECT 1"))
        assert b.silent(0.3) == (mode == "session"), (user, db)
        assert p.pool(db, user)["pool_mode"] == mode
        a.quit(), b.quit()


@compat
def test_transaction_mode_gives_the_server_back_at_the_border(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    a, b = p.client(), p.client()
    for _ in range(20):
        a.query("BEGIN")
        b.send(q("SELECT 2"))
        assert a.value("SELECT 1") == "1"
        a.query("COMMIT")
        assert b.result().rows == [("2",)]
    a.quit(), b.quit()


# ---- PostgreSQL goes away ----

def test_server_restart_idle_clients_do_not_notice(own_pg, maker):
    p = maker(own_pg, pool_size=5, max_overflow=0, server_login_retry=1)
    clients = [p.client() for _ in range(20)]
    for c in clients:
        c.query("SELECT 1")
    for how in ("fast", "immediate"):
        own_pg.restart(how)
        for c in clients:
            again(c)
    for c in clients:
        c.quit()


def again(c, seconds=10):
    """Ask until it works, on the same connection; errors are allowed, a closed connection is not."""
    end = time.monotonic() + seconds
    while True:
        r = c.ask("SELECT 'back'")
        if not r.error:
            assert r.rows == [("back",)]
            return
        assert r.status == "I"
        assert time.monotonic() < end, r.error
        time.sleep(0.05)


def score(p, database="db0"):
    for r in p.show("HEALTH"):
        if r.get("database") == database:
            return None if r["score"] is None else float(r["score"])
    return None


def test_server_restart_under_load_recovers_and_health_follows(own_pg, maker):
    p = maker(own_pg, pool_size=5, max_overflow=0, server_login_retry=1, pool_timeout=10)
    idle = [p.client() for _ in range(10)]
    for c in idle:
        c.query("SELECT 1")
    stop, stats, lock = threading.Event(), {"ok": 0, "error": 0, "closed": 0}, threading.Lock()

    def load():
        c = None
        while not stop.is_set():
            kind = "ok"
            try:
                c = c or p.client()
                if c.ask("SELECT 1").error:
                    kind = "error"
                    time.sleep(0.02)
            except (wire.Closed, wire.PgError, OSError):
                kind, c = "closed", None
                time.sleep(0.02)
            with lock:
                stats[kind] += 1
        if c:
            c.quit()

    threads = [threading.Thread(target=load, daemon=True) for _ in range(12)]
    for t in threads:
        t.start()
    try:
        wait_until(lambda: stats["ok"] > 200, 10)
        assert score(p) > 0
        own_pg.stop("fast")
        wait_until(lambda: score(p) == 0, 10, what="SHOW HEALTH at 0 while the server is gone")
        own_pg.start()
        before = stats["ok"]
        wait_until(lambda: stats["ok"] > before + 200, 15, what="load runs again")
        wait_until(lambda: (score(p) or 0) >= 50, 40, 0.2, what="health is back")
    finally:
        stop.set()
        for t in threads:
            t.join(15)
    for c in idle:
        again(c)
        c.quit()


def test_server_down_fails_at_once_and_probing_goes_on(own_pg, maker):
    p = maker(own_pg, pool_size=5, max_overflow=0, server_login_retry=1, pool_timeout=30)
    with p.client() as c:
        c.query("SELECT 1")
        c.quit()
    own_pg.stop("fast")
    try:
        t = time.monotonic()
        for _ in range(4):
            text = try_one(p)
            assert text and ("connect failed" in text or "refused" in text), text
        assert time.monotonic() - t < 6
    finally:
        own_pg.start()
    wait_until(lambda: try_one(p) is None, 5, 0.1, "probing goes on")


def try_one(p):
    """None if a new client can run a query, else the error."""
    try:
        c = p.client()
    except wire.PgError as e:
        return e.text
    try:
        r = c.ask("SELECT 1")
        return r.error["M"] if r.error else None
    except wire.Closed as e:
        return wire.fields(e.msgs[0].body)["M"] if e.msgs else "closed"
    finally:
        c.close()


def test_server_down_all_waiting_clients_are_told_at_once(own_pg, maker):
    """Four wait; one failed attempt answers all of them, with PostgreSQL's or the system's own words."""
    p = maker(own_pg, pool_size=1, max_overflow=0, server_login_retry=5, pool_timeout=30)
    (a,) = hold(p, 1)
    waiting = [p.client() for _ in range(4)]
    for c in waiting:
        c.send(q("SELECT 1"))
    wait_until(lambda: p.pool()["cl_waiting"] == 4, 3)
    t = time.monotonic()
    own_pg.stop("immediate")
    try:
        for c in waiting:
            try:
                m = c.recv()
            except wire.Closed as e:
                raise AssertionError(f"closed without a word: {e}")
            # which of these depends on the moment of its end at which PostgreSQL was asked
            text = wire.fields(m.body)["M"] if m.type == "E" else ""
            assert any(w in text for w in ("refused", "connect failed", "closed the connection", "shutting down", "reset by peer")), m
        assert time.monotonic() - t < 4
    finally:
        own_pg.start()
    a.close()


def test_wrong_server_password_fails_all_waiters_after_one_attempt(own_pg, maker):
    p = maker(own_pg, pool_size=1, max_overflow=0, server_login_retry=10, userlist={"app": "wrong", "admin": pw("admin")})
    before = own_pg.log_text().count("password authentication failed")
    for _ in range(4):
        assert "password authentication failed" in try_one(p)
    assert own_pg.log_text().count("password authentication failed") - before <= 2


def test_server_connect_timeout(pooler):
    """A server that accepts and says nothing."""
    with socket.socket() as mute:
        port = free_port()
        mute.bind(("127.0.0.1", port))
        mute.listen(20)
        p = pooler(server_connect_timeout=1, databases={"db0": f"port={port}"}, pool_timeout=20)
        t = time.monotonic()
        assert try_one(p)
        assert time.monotonic() - t < 5
        p.log_has("connect timeout|server_connect_timeout")


def test_server_dies_in_the_middle_of_a_query(pg, pooler):
    """The one whose query it was is told; the next query of everybody works."""
    p = pooler(pool_size=1, max_overflow=0)
    a, b = p.client(), p.client()
    pid = a.value("SELECT pg_backend_pid()")
    a.send(q("SELECT pg_sleep(30)"))
    b.send(q("SELECT 'b'"))
    wait_until(lambda: p.pool()["cl_waiting"] == 1, 3)
    pg.sql(f"SELECT pg_terminate_backend({pid})")
    m = a.until("E")[-1]
    assert wire.fields(m.body)["C"] in ("57P01", "08006", "08P01", "08003"), m
    assert b.result().rows == [("b",)]
    a.close(), b.quit()


def test_server_dies_in_the_middle_of_a_transaction(pg, pooler):
    """Never silently continued on another server."""
    p = pooler(pool_size=2, max_overflow=0)
    a = p.client()
    a.query("BEGIN")
    pid = a.value("SELECT pg_backend_pid()")
    pg.sql(f"SELECT pg_terminate_backend({pid})")
    time.sleep(0.1)
    try:
        r = a.ask("SELECT 'must not run'")
        assert r.error and not r.rows
    except (wire.Closed, OSError) as e:
        assert not [m for m in getattr(e, "msgs", []) if m.type == "D"]
    a.close()
    with p.client() as c:
        assert c.ask("SELECT 1").status == "I"
        c.quit()


# ---- crowds ----

@pytest.mark.parametrize("workers", [1, 2, 4])
def test_five_hundred_clients_share_eight_servers(pg, pooler, workers):
    p = pooler(workers=workers, pool_size=5, max_overflow=3, max_client_conn=600, pool_timeout=30)
    with Sampler(pg, "usename='app'") as s:
        clients = [p.client() for _ in range(500)]
        for i, c in enumerate(clients):
            c.send(q(f"SELECT {i}"))
        for i, c in enumerate(clients):
            c.settimeout(30)
            assert c.result().rows == [(str(i),)]
        for c in clients:
            c.quit()
    assert s.most <= 8
    wait_until(lambda: p.pool()["cl_active"] == 0 and p.pool()["cl_waiting"] == 0, 5)
