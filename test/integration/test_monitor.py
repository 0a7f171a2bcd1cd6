"""The monitoring login: what a long query waits for, and what happens when the login does not work."""

import re
import socket
import threading
import time

import pytest

from harness import wire
from harness.ports import free_port
from harness.wire import q, wait_until

NEW = ("waiting_for_lock", "wait_event_type", "wait_event", "blocked_by")
OURS = "application_name = 'fynixpool monitor'"


@pytest.fixture(scope="module", autouse=True)
def roles(pg):
    """watcher may look, blind may log in only."""
    for name in ("watcher", "blind"):
        if not pg.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"):
            pg.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'canary-{name}'")
    pg.sql("GRANT pg_monitor TO watcher")
    with wire.Client(pg.sock, "postgres", "db0") as c:
        c.query("CREATE TABLE IF NOT EXISTS public.locked(id int PRIMARY KEY, n int);"
                "GRANT ALL ON public.locked TO PUBLIC;"
                "INSERT INTO public.locked SELECT g, 0 FROM generate_series(1, 9) g ON CONFLICT DO NOTHING")


def watching(**kw):
    return dict({"long_query_time": "1s", "monitor_user": "watcher", "monitor_password": "canary-watcher"}, **kw)


def row_of(p, text, seconds=None):
    for r in p.show("LONG_QUERIES" + (f" {seconds}" if seconds is not None else "")):
        if text in (r["query"] or ""):
            return r
    return None


def known(p, text, seconds=None):
    r = row_of(p, text, seconds)
    return r if r and r["waiting_for_lock"] is not None else None


def ours(pg):
    return pg.backends(OURS)


def no_connection(pg, p):
    """The pooler has ended; so have its connections."""
    p.stop()
    wait_until(lambda: not ours(pg), 5, what="no monitor connection is left")


@pytest.mark.parametrize("workers", [1, 4])
def test_a_query_behind_a_row_lock_names_its_blocker(pg, pooler, workers):
    p = pooler(workers=workers, pool_size=4, max_overflow=0, **watching())
    a, b = p.client(), p.client("app2", params={"application_name": "victim"})
    a.query("BEGIN")
    holder = a.value("SELECT pg_backend_pid()")
    a.query("UPDATE locked SET n = n + 1 WHERE id = 1")
    t = time.monotonic()
    b.send(q("UPDATE locked SET n = n + 1 WHERE id = 1 /* blocked */"))
    r = wait_until(lambda: (lambda x: x if x and x["blocked_by"] and "(" in x["blocked_by"] else None)(row_of(p, "blocked")),
                   5, 0.05, "blocked_by")
    assert time.monotonic() - t < 3.3, "one second to be long, two to be known"
    (ident,) = [c["id"] for c in p.show("CLIENTS") if c["user"] == "app"]
    assert re.fullmatch(rf"{holder} \(C-{ident} app@127\.0\.0\.1:\d+\)", r["blocked_by"]), r
    assert (r["waiting_for_lock"], r["wait_event_type"], r["state"]) == ("t", "Lock", "waiting for lock"), r
    assert r["wait_event"] in ("transactionid", "tuple"), r
    line = p.log_has(r"long query waits for a lock .*", 3).group(0)
    assert f"is blocked by {holder} (C-{ident} app@127.0.0.1:" in line, line
    # the one in front idles in its transaction and waits for nobody but its client
    r = wait_until(lambda: known(p, "SET n = n + 1 WHERE id = 1"), 4)
    rows = {x["server_pid"]: x for x in p.show("LONG_QUERIES")}
    assert rows[holder]["state"] == "idle in transaction" and rows[holder]["waiting_for_lock"] == "f", rows
    assert rows[holder]["wait_event"] == "ClientRead" and rows[holder]["blocked_by"] is None, rows
    time.sleep(1.5)
    assert len(re.findall("long query waits for a lock", p.log_text())) == 1, "named once"
    assert len(ours(pg)) == 1, "one connection for the database"
    a.query("ROLLBACK")
    assert not b.result().error
    a.quit(), b.quit()
    no_connection(pg, p)


def test_a_blocker_that_is_none_of_ours(pg, pooler):
    p = pooler(**watching())
    with pg.client() as outside:
        outside.query("BEGIN")
        holder = outside.value("SELECT pg_backend_pid()")
        outside.query("LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
        c = p.client()
        c.send(q("SELECT count(*) FROM locked /* shut out */"))
        r = wait_until(lambda: (lambda x: x if x and x["blocked_by"] else None)(row_of(p, "shut out")), 5, 0.05)
        assert r["blocked_by"] == holder and r["wait_event"] == "relation", r
        outside.query("ROLLBACK")
        assert not c.result().error
        c.quit()
        outside.quit()


def test_a_chain_of_waiting_queries(pg, pooler):
    p = pooler(**watching())
    cs = [p.client() for _ in range(4)]
    cs[0].query("BEGIN")
    pid0 = cs[0].value("SELECT pg_backend_pid()")
    cs[0].query("UPDATE locked SET n = n WHERE id = 2")
    for i, c in enumerate(cs[1:], 1):
        c.send(q(f"UPDATE locked SET n = n WHERE id = 2 /* chain-{i} */"))
        time.sleep(0.2)
    got = wait_until(lambda: (lambda x: x if all(r and r["blocked_by"] for r in x) else None)(
        [row_of(p, f"chain-{i}") for i in (1, 2, 3)]), 5, 0.05)
    assert got[0]["blocked_by"].startswith(pid0 + " ")
    assert got[1]["blocked_by"].startswith(got[0]["server_pid"] + " ")
    cs[0].query("ROLLBACK")
    for c in cs[1:]:
        assert not c.result().error
    for c in cs:
        c.quit()


def test_what_waits_for_no_lock(pooler):
    p = pooler(**watching())
    c = p.client()
    c.send(q("SELECT pg_sleep(4) /* sleeper */"))
    r = wait_until(lambda: known(p, "sleeper"), 4, 0.05)
    assert [r[n] for n in NEW] == ["f", "Timeout", "PgSleep", None] and r["state"] == "active", r
    c.result()
    wait_until(lambda: not row_of(p, "sleeper"), 2)
    assert "waits for a lock" not in p.log_text()
    c.quit()


def test_a_threshold_of_ones_own_is_asked_about(pg, pooler):
    """SHOW LONG_QUERIES 0.2 with long_query_time=30: the second look knows."""
    p = pooler(**watching(long_query_time=30))
    c = p.client()
    c.send(q("SELECT pg_sleep(6) /* early */"))
    time.sleep(1.5)
    assert not ours(pg), "nobody has asked, nothing is long"
    assert row_of(p, "early", 0.2)["waiting_for_lock"] is None
    r = wait_until(lambda: known(p, "early", 0.2), 3)
    assert r["wait_event"] == "PgSleep", r
    c.result()
    c.quit()
    no_connection(pg, p)


def test_without_a_login_the_columns_are_empty(pg, pooler):
    p = pooler(long_query_time="1s")
    c = p.client()
    c.send(q("SELECT pg_sleep(3) /* unwatched */"))
    r = wait_until(lambda: row_of(p, "unwatched"), 4)
    time.sleep(1.2)
    r = row_of(p, "unwatched")
    assert [r[n] for n in NEW] == [None] * 4 and r["state"] == "active", r
    assert not ours(pg)
    c.result()
    c.quit()


@pytest.mark.long
def test_open_only_while_there_is_something_to_ask(pg, pooler):
    p = pooler(pool_size=5, **watching(databases={"db0": "", "db1": "", "db2": ""}))
    c, d = p.client(), p.client(database="db1")
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        c.query("SELECT pg_sleep(0.1)")
        assert not ours(pg), "no long query, no connection"
    c.send(q("SELECT pg_sleep(3) /* one */"))
    d.send(q("SELECT pg_sleep(3) /* two */"))
    most = 0
    end = time.monotonic() + 2.9
    while time.monotonic() < end:
        most = max(most, len(ours(pg)))
        time.sleep(0.05)
    assert most == 2, f"one for each database that has something, not {most}"
    asked = pg.sql(f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND state = 'idle'")
    assert asked == [("2",)]
    # beside the pools: no SHOW counts them
    assert sum(int(r["cl_active"]) for r in p.show("POOLS") if r["database"] in ("db0", "db1")) == 2
    assert not [r for r in p.show("SERVERS") if "monitor" in (r["application_name"] or "")]
    c.result(), d.result()
    t = time.monotonic()
    wait_until(lambda: not ours(pg), 25, 0.2, "closed after a while")
    assert time.monotonic() - t > 8
    c.quit(), d.quit()


@pytest.mark.long
@pytest.mark.parametrize("case", ["password", "role", "privilege"])
def test_a_login_that_does_not_work_harms_nobody(pg, pooler, case):
    login = {"password": ("watcher", "canary-wrong"), "role": ("nosuchrole", "canary-wrong"),
             "privilege": ("blind", "canary-blind")}[case]
    said = {"password": "password authentication failed", "role": "password authentication failed",
            "privilege": "GRANT pg_monitor"}[case]
    p = pooler(**watching(monitor_user=login[0], monitor_password=login[1]))
    c, d = p.client(), p.client()
    c.send(q("SELECT pg_sleep(13) /* long */"))
    wait_until(lambda: row_of(p, "/* long */"), 4)
    p.log_has(re.escape(said), 4)
    end = time.monotonic() + 8
    while time.monotonic() < end:
        r = row_of(p, "/* long */")
        assert r and [r[n] for n in NEW] == [None] * 4, r
        assert d.value("SELECT 1") == "1"
        time.sleep(0.2)
    assert not c.result().error
    lines = [x for x in p.log_text().splitlines() if "monitor login" in x]
    assert len(lines) == 1 and said in lines[0] and 'database "db0"' in lines[0], lines
    assert p.pool()["cl_active"] == 2
    c.quit(), d.quit()
    p.stop()
    assert "canary" not in p.output()


def test_passwords_are_shown_nowhere(pooler):
    p = pooler(verbose=3, **watching(databases={"db0": "", "db1": "monitor_user=watcher monitor_password=canary-watcher"}))
    c = p.client(database="db1")
    c.send(q("SELECT pg_sleep(2.5) /* x */"))
    wait_until(lambda: known(p, "/* x */"), 4)
    row = {r["key"]: r["value"] for r in p.show("CONFIG")}
    assert row["monitor_user"] == "watcher" and row["monitor_password"] is None
    p.console("SET monitor_password = 'canary-set'")
    for what in ("CONFIG", "DATABASES", "SERVERS", "LONG_QUERIES", "USERS", "MEM"):
        assert "canary" not in str(p.show(what)), what
    c.result()
    c.quit()
    p.stop()
    assert "canary" not in p.output()


def test_per_database(pg, pooler):
    """Another role for one database, none for another, the global one for the rest."""
    p = pooler(**watching(monitor_user="nosuchrole", monitor_password="x",
                          databases={"db0": "monitor_user=watcher monitor_password=canary-watcher",
                                     "db1": "monitor_user=''", "db2": ""}))
    cs = [p.client(database=f"db{i}") for i in range(3)]
    for i, c in enumerate(cs):
        c.send(q(f"SELECT pg_sleep(4) /* in-{i} */"))
    wait_until(lambda: known(p, "in-0"), 4)
    p.log_has('monitor login for database "db2".*password authentication failed', 3)
    assert row_of(p, "in-1")["waiting_for_lock"] is None and row_of(p, "in-2")["waiting_for_lock"] is None
    assert 'monitor login for database "db1"' not in p.log_text()
    for c in cs:
        c.result()
        c.quit()


def test_the_password_of_auth_file(pooler):
    from harness.cluster import USERS, pw
    users = {u: pw(u) for u in USERS + ["admin", "stats"]}
    p = pooler(userlist=dict(users, watcher="canary-watcher"), **watching(monitor_password=None))
    c = p.client()
    c.send(q("SELECT pg_sleep(3.5) /* from the file */"))
    wait_until(lambda: known(p, "from the file"), 4)
    c.result()
    c.quit()


@pytest.mark.long
def test_a_new_password_takes_effect_at_reload(pg, pooler):
    p = pooler(**watching(monitor_password="wrong"))
    c = p.client()
    c.send(q("SELECT pg_sleep(18) /* patient */"))
    p.log_has("monitor login.*password authentication failed", 4)
    p.set(monitor_password="canary-watcher")
    p.reload()
    wait_until(lambda: known(p, "patient"), 13, 0.1, "the next attempt after the failure")
    p.log_has("monitor login for database \"db0\" works again", 1)
    c.cancel()
    assert c.result().error["C"] == "57014"
    c.quit()


class Hole:
    """Passes on what is connected already; swallows whoever comes after dig()."""

    def __init__(self, to):
        self.to, self.port, self.dug, self.swallowed, self.socks = to, free_port(), False, 0, []
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            self.socks.append(a)
            if self.dug:
                self.swallowed += 1
                continue
            b = socket.create_connection(self.to)
            self.socks.append(b)
            for x, y in ((a, b), (b, a)):
                threading.Thread(target=self.pump, args=(x, y), daemon=True).start()

    @staticmethod
    def pump(x, y):
        try:
            while data := x.recv(65536):
                y.sendall(data)
            y.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def dig(self):
        self.dug = True

    def close(self):
        self.listener.close()
        for s in self.socks:
            s.close()


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 4])
def test_a_black_hole_stalls_nobody(pg, pooler, workers):
    hole = Hole(pg.addr)
    names = {n: f"port={hole.port} dbname=db{i % 4}" for i, n in enumerate(["db0", "x1", "x2", "x3", "x4", "x5"])}
    p = pooler(workers=workers, pool_size=3, max_overflow=0, **watching(databases=dict(names, direct="dbname=db1")))
    slow, quick = [p.client(database=n) for n in names], p.client()
    other = p.client(database="direct")
    quick.query("BEGIN")
    other.query("SELECT 1")
    for c in slow:
        c.query("SELECT 1")
    hole.dig()
    for c in slow:
        c.send(q("SELECT pg_sleep(9) /* dark */"))
    wait_until(lambda: hole.swallowed >= 4, 5, what="the monitoring login goes astray")
    admin = p.admin()
    worst_show = worst_query = 0
    limit = 0.5 if p.sanitized() else 0.1
    end = time.monotonic() + 4
    while time.monotonic() < end:
        t = time.monotonic()
        rows = admin.query("SHOW LONG_QUERIES").dicts()
        worst_show = max(worst_show, time.monotonic() - t)
        dark = [r for r in rows if "dark" in r["query"]]
        assert len(dark) == 6 and all(r[n] is None for r in dark for n in NEW)
        t = time.monotonic()
        assert quick.value("SELECT 1") == "1" and other.value("SELECT 1") == "1"
        worst_query = max(worst_query, time.monotonic() - t)
        time.sleep(0.02)
    assert worst_show < limit and worst_query < limit, (worst_show, worst_query)
    p.log_has("monitor login for database .* no answer in time", 4)
    # and the end does not wait for it either
    t = time.monotonic()
    p.stop()
    assert time.monotonic() - t < (6 if limit > 0.1 else 2)
    hole.close()


@pytest.mark.long
def test_a_full_postgresql_is_no_error_for_clients(own_pg, maker):
    """Every connection that PostgreSQL allows is the pool's."""
    own_pg.restart(max_connections=4, reserved=0)
    try:
        own_pg.sql("CREATE ROLE watcher LOGIN PASSWORD 'canary-watcher' IN ROLE pg_monitor")
        p = maker(own_pg, pool_size=3, max_overflow=0, **watching())
        cs = [p.client() for _ in range(3)]
        for c in cs:
            c.query("BEGIN")
        cs[0].send(q("SELECT pg_sleep(4) /* in the crowd */"))
        p.log_has("monitor login for database \"db0\".*too many clients", 5)
        assert row_of(p, "in the crowd")["waiting_for_lock"] is None
        for _ in range(20):
            assert cs[1].value("SELECT 1") == "1"
        assert not cs[0].result().error
        for c in cs:
            c.query("ROLLBACK")
            c.quit()
        assert len(own_pg.backends()) <= 3
        p.stop()
    finally:
        own_pg.sql("DROP ROLE IF EXISTS watcher")
        own_pg.restart(max_connections=300, reserved=3)
