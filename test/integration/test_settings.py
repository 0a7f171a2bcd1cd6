"""Timeouts and limits at every level: global, database, user; both profiles; changed for clients that are connected already."""

import signal
import time

import pytest

from harness import wire
from harness.wire import extended, q, wait_until

PLACES = ["global", "database", "user"]


def at(place, **settings):
    """Keyword arguments for a pooler that has the settings at that place, with something else one level up."""
    text = " ".join(f"{k}={v}" for k, v in settings.items())
    if place == "global":
        return dict(settings)
    if place == "database":
        return {"databases": {"db0": text, "db1": ""}}
    return {"users": {"app": text}}


def move(p, place, **settings):
    """The same, of a pooler that runs; RELOAD makes it so."""
    text = " ".join(f"{k}={v}" for k, v in settings.items())
    if place == "global":
        p.conf.update(settings)
    elif place == "database":
        p.databases["db0"] = text
    else:
        p.users["app"] = text
    p.write()
    p.reload()


def farewell(c, seconds=6):
    """The FATAL error with which the peer leaves, and how long that took."""
    t = time.monotonic()
    msgs = c.rest(seconds)
    errors = [wire.fields(m.body) for m in msgs if m.type == "E"]
    return (errors[-1] if errors else {}), time.monotonic() - t


# ---- what is said, in the words and with the codes of each profile ----

RUNNING = [
    # setting, what the client does, text, SQLSTATE in [fynixpool]
    ("query_timeout", lambda c: c.send(q("SELECT pg_sleep(20)")), "query timeout", "57014"),
    ("query_timeout", lambda c: c.send(extended("SELECT pg_sleep(20)")), "query timeout", "57014"),
    ("transaction_timeout", lambda c: c.query("BEGIN"), "transaction timeout", "25P04"),
    ("transaction_timeout", lambda c: c.send(q("BEGIN; SELECT pg_sleep(20)")), "transaction timeout", "25P04"),
    ("idle_transaction_timeout", lambda c: c.query("BEGIN"), "idle transaction timeout", "25P03"),
    ("client_idle_timeout", lambda c: c.query("SELECT 1"), "client_idle_timeout", "57P05"),
]
IDS = ["query", "query-ext", "xact-idle", "xact-busy", "idle-xact", "client-idle"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("section", ["fynixpool", "pgbouncer"])
@pytest.mark.parametrize("case", RUNNING, ids=IDS)
def test_timeouts_say_what_they_are(pg, pooler, case, section, place):
    name, act, text, code = case
    p = pooler(section=section, pool_size=2, **at(place, **{name: 1}))
    other = p.client("app2", "db1") if place != "global" else None
    if other:
        other.query("BEGIN")
    c = p.client()
    act(c)
    e, took = farewell(c)
    assert (e["S"], e["M"]) == ("FATAL", text)
    assert e["C"] == ("08P01" if section == "pgbouncer" else code)
    assert 0.7 < took < 2.5, took
    assert text in p.log_text()
    if other:
        assert other.ask("SELECT 1").status == "T", "nobody else is concerned"
        other.quit()
    wait_until(lambda: not pg.backends("state <> 'idle' AND usename='app'"), 4, what="nothing goes on in PostgreSQL")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("section", ["fynixpool", "pgbouncer"])
def test_query_wait_timeout_and_notify(pooler, section, place):
    p = pooler(section=section, pool_size=1, max_overflow=0 if section == "fynixpool" else None,
               **at(place, query_wait_timeout=2, query_wait_notify=1))
    a, b = p.client(), p.client()
    a.query("BEGIN")
    t = time.monotonic()
    b.send(q("SELECT 1"))
    m = b.recv()
    took = time.monotonic() - t
    assert m.type == "N" and 0.8 < took < 1.6, (m.type, took)
    assert wire.fields(m.body)["M"] == "No server connection available in postgres backend, client being queued"
    m = b.recv()
    took = time.monotonic() - t
    f = wire.fields(m.body)
    assert m.type == "E" and 1.7 < took < 3, (m.type, took)
    if section == "pgbouncer":
        assert (f["S"], f["C"], f["M"]) == ("FATAL", "08P01", "query_wait_timeout")
        b.rest(3)
    else:
        assert (f["S"], f["C"]) == ("ERROR", "53300") and f["M"].startswith("query_wait_timeout: waited 2 s")
        assert b.until("Z")[-1].body == b"I", "the session goes on"
        a.query("COMMIT")
        assert b.value("SELECT 2") == "2"
        b.quit()
    a.quit()


def test_the_wait_is_the_query_s_time_in_pgbouncer_only(pooler):
    for section, ends in (("pgbouncer", True), ("fynixpool", False)):
        p = pooler(section=section, pool_size=1, max_overflow=None if ends else 0, query_timeout=1, query_wait_timeout=30)
        a, b = p.client(), p.client()
        a.query("BEGIN")
        b.send(q("SELECT 'late'"))
        if ends:
            e, took = farewell(b)
            assert (e["C"], e["M"]) == ("08P01", "query_timeout") and took < 2.5
            assert a.ask("SELECT 1").status == "T"
        else:
            assert b.silent(2.2)
            a.query("COMMIT")
            assert b.result().rows == [("late",)]
        a.quit(), b.close()


def test_zero_in_a_narrower_place_turns_it_off(pooler):
    p = pooler(query_timeout=1, idle_transaction_timeout=1, query_wait_timeout=1, transaction_timeout=1, client_idle_timeout=1, pool_size=2,
               max_overflow=0, users={"app": "query_timeout=0 idle_transaction_timeout=0 query_wait_timeout=0 transaction_timeout=0 "
                                             "client_idle_timeout=0"})
    a, b, c, d = p.client(), p.client(), p.client(), p.client()
    d.query("SELECT 1")
    a.query("BEGIN")
    b.send(q("SELECT pg_sleep(2.2), 'whole'"))
    c.send(q("SELECT 3"))
    assert b.result().rows == [("", "whole")]
    assert c.result().rows == [("3",)]
    assert a.ask("SELECT 1").status == "T"
    for x in (a, b, c, d):
        assert x.ask("SELECT 1").error is None
        x.quit()


@pytest.mark.parametrize("name", ["query_timeout", "transaction_timeout", "idle_transaction_timeout", "client_idle_timeout",
                                  "query_wait_timeout"])
def test_user_over_database_over_global(pooler, name):
    """Three clients that do the same; each is ended by the narrowest of its settings, and by nothing else."""
    p = pooler(databases={"db0": f"{name}=2", "db1": ""}, users={"app2": f"{name}=3"}, pool_size=3, max_overflow=0, **{name: 1})
    held = []
    if name == "query_wait_timeout":
        for who in (("app", "db1"), ("app", "db0"), ("app2", "db0")):
            for _ in range(3):
                held.append(p.client(*who))
                held[-1].query("BEGIN")
    them = [p.client("app", "db1"), p.client("app", "db0"), p.client("app2", "db0")]
    t = time.monotonic()
    for c in them:
        c.send(q({"query_timeout": "SELECT pg_sleep(20)", "query_wait_timeout": "SELECT 1",
                  "client_idle_timeout": "SELECT 1"}.get(name, "BEGIN")))
    took = []
    for c in them:
        c.settimeout(8)
        while c.recv().type != "E":
            pass
        took.append(time.monotonic() - t)
        c.close()
    for i, s in enumerate(took):
        assert i + 0.7 < s < i + 2, took
    for c in held:
        c.close()


def test_query_wait_notify_user_over_database_over_global(pooler):
    """Three that wait; each is told after the narrowest of its settings; 0 in the narrowest place: never."""
    p = pooler(databases={"db0": "query_wait_notify=2", "db1": ""}, users={"app2": "query_wait_notify=3", "trusty": "query_wait_notify=0"},
               pool_size=1, max_overflow=0, query_wait_notify=1, query_wait_timeout=20)
    who = (("app", "db1"), ("app", "db0"), ("app2", "db0"), ("trusty", "db1"))
    held, them = [p.client(*w) for w in who], [p.client(*w) for w in who]
    for c in held:
        c.query("BEGIN")
    t = time.monotonic()
    for c in them:
        c.send(q("SELECT 1"))
    for i, c in enumerate(them[:3]):
        assert c.recv().type == "N"
        assert i + 0.8 < time.monotonic() - t < i + 1.8
    assert them[3].silent(0.5)
    for c in held:
        c.query("COMMIT")
    for c in them:
        assert c.result().rows == [("1",)]
        c.quit()
    bye(held)


# ---- for clients that are connected, and in the middle of what it is about ----

DOING = {
    "query_timeout": (lambda c: c.send(q("SELECT pg_sleep(20)")), "query timeout"),
    "transaction_timeout": (lambda c: c.query("BEGIN"), "transaction timeout"),
    "idle_transaction_timeout": (lambda c: c.query("BEGIN"), "idle transaction timeout"),
    "client_idle_timeout": (lambda c: c.query("SELECT 1"), "client_idle_timeout"),
}


@pytest.mark.parametrize("place", PLACES + ["SET"])
@pytest.mark.parametrize("name", list(DOING))
@pytest.mark.parametrize("before", [0, 60])
def test_a_timeout_reaches_clients_that_are_in_it(pooler, name, place, before):
    act, text = DOING[name]
    p = pooler(**{name: before})
    c = p.client()
    act(c)
    time.sleep(0.7)
    if place == "SET":
        p.console(f"SET {name} = 1")
    else:
        move(p, place, **{name: 1})
    e, took = farewell(c)
    assert e["M"] == text
    assert took < 1.6, f"the time that had passed counts: {took}"


@pytest.mark.parametrize("name", list(DOING))
def test_a_longer_timeout_gives_more_time(pooler, name):
    act, text = DOING[name]
    p = pooler(**{name: 1})
    c = p.client()
    act(c)
    p.console(f"SET {name} = 60")
    assert c.silent(2)
    p.console(f"SET {name} = 0")
    assert c.silent(1)
    p.console(f"SET {name} = 2.5")
    e, took = farewell(c)
    assert e["M"] == text and took < 1.5, took


def test_waiting_clients_hear_of_a_new_wait_timeout(pooler):
    p = pooler(pool_size=1, max_overflow=0, query_wait_timeout=60, query_wait_notify=0)
    a, b = p.client(), p.client()
    a.query("BEGIN")
    b.send(q("SELECT 1"))
    assert b.silent(0.7)
    p.console("SET query_wait_timeout = 1")
    m = b.recv()
    assert m.type == "E" and "query_wait_timeout" in wire.fields(m.body)["M"]
    a.quit(), b.close()


def test_query_timeout_is_for_each_query_of_a_pipeline(pooler):
    """Ten queries of 0.3 s in one write, and a limit of 1 s for each; then one too long in the middle."""
    p = pooler(query_timeout=1)
    c = p.client()
    c.send(b"".join(extended("SELECT pg_sleep(0.3)") for _ in range(10)))
    assert [m.type for m in c.until("Z", 10)].count("D") == 10
    c.send(extended("SELECT pg_sleep(0.3)") * 3 + extended("SELECT pg_sleep(20)") + extended("SELECT 1"))
    t = time.monotonic()
    c.until("Z", 3)
    e, _ = farewell(c)
    assert e["M"] == "query timeout" and 1.6 < time.monotonic() - t < 3.2


def test_query_timeout_ends_a_batch_that_is_never_synced(pg, pooler):
    p = pooler(query_timeout=1, pool_size=1, max_overflow=0)
    c = p.client()
    c.send(extended("SELECT 1", end=wire.flush()))
    c.until("C")
    e, took = farewell(c)
    assert e["M"] == "query timeout" and took < 2
    with p.client() as d:
        assert d.value("SELECT 1") == "1"
        d.quit()


# ---- servers ----

def pids(clients):
    out = []
    for c in clients:
        out.append(c.value("SELECT pg_backend_pid()"))
    return out


@pytest.mark.parametrize("rr", [0, 1])
def test_server_round_robin(pooler, rr):
    p = pooler(workers=1, pool_size=3, max_overflow=0, server_round_robin=rr, pre_ping_idle=60)
    them = [p.client() for _ in range(3)]
    for c in them:
        c.query("BEGIN")
    for c in them:
        c.query("COMMIT")
    seen = pids(them[:1] * 9)
    if rr:
        assert len(set(seen)) == 3 and seen[:3] == seen[3:6] == seen[6:], "in turn"
        p.console("SET server_round_robin = 0")
        assert len(set(pids(them[:1] * 6))) == 1
    else:
        assert len(set(seen)) == 1, "the warmest"
        p.console("SET server_round_robin = 1")
        assert len(set(pids(them[:1] * 6))) == 3
    for c in them:
        c.quit()


@pytest.mark.parametrize("fast", [0, 1])
def test_server_fast_close_while_the_session_is_idle(pg, pooler, fast):
    p = pooler(pool_mode="session", server_fast_close=fast)
    c = p.client()
    pid = c.value("SELECT pg_backend_pid()")
    p.console("RECONNECT")
    if fast:
        e, took = farewell(c)
        assert (e["C"], e["M"]) == ("57P01", "database configuration changed") and took < 2
        wait_until(lambda: int(pid) not in pg.backends(), 3)
    else:
        assert c.silent(1.2)
        assert c.value("SELECT pg_backend_pid()") == pid
        c.quit()
        wait_until(lambda: int(pid) not in pg.backends(), 3)


def test_server_fast_close_waits_for_the_end_of_the_transaction(pooler):
    p = pooler(pool_mode="session", server_fast_close=1)
    c = p.client()
    c.query("BEGIN")
    p.console("RECONNECT")
    assert c.silent(1.2)
    assert c.ask("SELECT 1").status == "T"
    c.send(q("COMMIT"))
    msgs = c.rest(3)
    assert [m.type for m in msgs[:2]] == ["C", "Z"] and "configuration changed" in wire.describe_msgs(msgs)


def test_server_fast_close_means_nothing_in_transaction_mode(pooler):
    p = pooler(server_fast_close=1)
    c = p.client()
    pid = c.value("SELECT pg_backend_pid()")
    p.console("RECONNECT")
    assert c.value("SELECT pg_backend_pid()") != pid
    c.quit()


def test_settings_of_servers_reach_living_pools(pooler):
    """What a server connection takes from the settings is changed by SET without closing it."""
    p = pooler(workers=1, pool_mode="session", pool_size=1, max_overflow=0)
    with p.client() as c:
        pid = c.value("SELECT pg_backend_pid()")
        c.quit()
    p.console("SET server_reset_query = 'SET work_mem=''7MB'''")
    with p.client() as c:
        assert c.value("SELECT pg_backend_pid()") == pid
        c.quit()
    with p.client() as c:
        assert c.value("SELECT pg_backend_pid()") == pid
        assert c.value("SHOW work_mem") == "7MB"
        c.quit()


# ---- pools that nobody uses ----

def pools(p):
    return {(r["database"], r["user"]) for r in p.show("POOLS")}


@pytest.mark.parametrize("workers", [1, 4])
def test_pool_idle_timeout(pooler, workers):
    p = pooler(workers=workers, pool_idle_timeout=1, server_idle_timeout=1)
    for _ in range(6):
        with p.client() as c:
            c.query("SELECT 1")
            c.quit()
    keeps = p.client("app2")
    keeps.query("SELECT 1")
    counted = {r["database"]: int(r["total_query_count"]) for r in p.show("STATS")}["db0"]
    assert counted == 7
    assert ("db0", "app") in pools(p)
    wait_until(lambda: ("db0", "app") not in pools(p), 6, 0.1, "the pool is gone")
    wait_until(lambda: "cleaning up idle pool" in p.log_text(), 2)
    assert p.log_text().count("cleaning up idle pool") == 1
    assert ("db0", "app2") in pools(p), "one with a client stays"
    for _ in range(2 * workers):
        with p.client() as c:
            c.query("SELECT 1")
            c.quit()
    assert {r["database"]: int(r["total_query_count"]) for r in p.show("STATS")}["db0"] == counted + 2 * workers, "it goes on counting"
    keeps.quit()


def test_pool_idle_timeout_spares_pools_with_a_minimum(pooler):
    p = pooler(workers=1, pool_idle_timeout=1, server_idle_timeout=1, databases={"db0": "min_pool_size=1", "db1": ""})
    for db in ("db0", "db1"):
        with p.client(database=db) as c:
            c.query("SELECT 1")
            c.quit()
    wait_until(lambda: ("db1", "app") not in pools(p), 6, 0.1)
    time.sleep(1.5)
    assert ("db0", "app") in pools(p)


def test_pool_idle_timeout_off(pooler):
    p = pooler(workers=1, server_idle_timeout=0.5)
    with p.client() as c:
        c.query("SELECT 1")
        c.quit()
    time.sleep(3)
    assert ("db0", "app") in pools(p)


def test_autodb_idle_timeout(pooler):
    p = pooler(workers=2, autodb_idle_timeout=1, server_idle_timeout=0.5, databases={"*": "", "db0": ""})
    for db in ("db0", "db1", "db2"):
        with p.client(database=db) as c:
            c.query("SELECT 1")
            c.quit()
    p.console("PAUSE db2")

    def known():
        return {r["name"] for r in p.show("DATABASES")}

    assert {"db0", "db1", "db2"} <= known()
    wait_until(lambda: "db1" not in known(), 6, 0.1, "the automatic database is forgotten")
    assert ("db1", "app") not in pools(p)
    time.sleep(1)
    assert {"db0", "db2"} <= known(), "one that is in the file, and one that somebody has paused, are not"
    p.console("RESUME db2")
    wait_until(lambda: "db2" not in known(), 6, 0.1)
    with p.client(database="db1") as c:
        assert c.value("SELECT current_database()") == "db1", "and comes back when it is asked for"
        c.quit()
    assert "db1" in known()


def test_pools_come_and_go_under_load(pooler):
    """Pools are cleared away in the very moment in which clients come."""
    p = pooler(workers=4, pool_idle_timeout="1ms", server_idle_timeout="1ms", server_lifetime=0, pool_size=2, max_overflow=0)
    end = time.monotonic() + 6
    n = 0
    while time.monotonic() < end:
        them = [p.client(u, d) for u in ("app", "app2") for d in ("db0", "db1", "db2")]
        for c in them:
            c.send(q("SELECT 1"))
        for c in them:
            assert c.result().rows == [("1",)]
            n += 1
            c.quit()
        time.sleep(0.4)
    total = sum(int(r["total_query_count"]) for r in p.show("STATS") if r["database"] in ("db0", "db1", "db2"))
    assert total in (0, n) or total < n
    assert p.log_text().count("cleaning up idle pool") > 3


# ---- limits ----

def many(p, n, user="app", database="db0"):
    """n transactions that are asked for at once; how many get a server within a second, and the clients."""
    them = [p.client(user, database) for _ in range(n)]
    for c in them:
        c.send(q("BEGIN"))
    end = time.monotonic() + 1
    got = 0
    for c in them:
        if not c.silent(max(0.01, end - time.monotonic())):
            got += 1
    return got, them


def bye(them):
    for c in them:
        c.close()


@pytest.mark.parametrize("place", PLACES)
def test_pool_size(pooler, place):
    wide = {} if place == "global" else {"default_pool_size": 5}
    p = pooler(max_overflow=0, **wide, **at(place, pool_size=2))
    got, them = many(p, 4)
    assert got == 2
    bye(them)
    if place != "global":
        got, them = many(p, 4, "app2", "db1")
        assert got == 4
        bye(them)


@pytest.mark.parametrize("place", PLACES)
def test_max_overflow(pooler, place):
    p = pooler(default_pool_size=1, **({} if place == "global" else {"max_overflow": 0}), **at(place, max_overflow=2))
    got, them = many(p, 4)
    assert got == 3
    bye(them)
    if place != "global":
        got, them = many(p, 4, "app2", "db1")
        assert got == 1
        bye(them)


@pytest.mark.parametrize("place", PLACES)
def test_reserve_pool_size(pooler, place):
    p = pooler(default_pool_size=1, max_overflow=0, reserve_pool_timeout=0.3, **at(place, reserve_pool_size=1))
    got, them = many(p, 3)
    assert got == 2
    bye(them)
    if place != "global":
        got, them = many(p, 3, "app2", "db1")
        assert got == 1
        bye(them)


@pytest.mark.parametrize("place", PLACES)
def test_min_pool_size(pooler, place):
    p = pooler(max_overflow=0, **at(place, min_pool_size=3))
    for who in (("app", "db0"), ("app2", "db1")):
        with p.client(*who) as c:
            c.query("SELECT 1")
            c.quit()
    wait_until(lambda: p.pool("db0", "app")["sv_idle"] == 3, 5)
    other = p.pool("db1", "app2")["sv_idle"]
    assert other == (3 if place == "global" else 1)


def test_min_pool_size_of_a_forced_user_needs_no_client(pg, pooler):
    since = pg.since()
    p = pooler(databases={"db0": "user=app password=pw-app min_pool_size=2", "db1": "min_pool_size=2"})
    wait_until(lambda: len(pg.backends(since)) == 2, 5)
    time.sleep(1)
    assert len(pg.backends(since)) == 2 and pools(p) >= {("db0", "app")}


def test_min_pool_size_evicts_nobody(pooler):
    p = pooler(workers=1, databases={"db0": "min_pool_size=3 max_db_connections=2"}, users={"app2": "min_pool_size=0"})
    them = [p.client("app2") for _ in range(2)]
    for c in them:
        c.query("BEGIN")
    for c in them:
        c.query("COMMIT")
    a = p.client("app")
    a.query("SELECT 1")       # takes one place: somebody waits for it
    time.sleep(2.5)
    assert p.log_text().count("closing because: evicted") == 1, "none for the sake of a minimum"
    a.quit(), bye(them)


@pytest.mark.parametrize("place", ["global", "database"])
def test_max_db_connections(pooler, place):
    p = pooler(default_pool_size=5, max_overflow=0, **at(place, max_db_connections=3))
    got, them = many(p, 2)
    more, others = many(p, 3, "app2", "db0")
    assert got + more == 3, "over all users"
    bye(them + others)


@pytest.mark.parametrize("place", ["global", "user"])
def test_max_user_connections(pooler, place):
    p = pooler(default_pool_size=5, max_overflow=0, **at(place, max_user_connections=3))
    got, them = many(p, 2)
    more, others = many(p, 3, "app", "db1")
    assert got + more == 3, "over all databases"
    bye(them + others)


LIMITS = [("max_client_conn", "global"), ("max_db_client_connections", "global"), ("max_db_client_connections", "database"),
          ("max_user_client_connections", "global"), ("max_user_client_connections", "user")]


@pytest.mark.parametrize("section", ["fynixpool", "pgbouncer"])
@pytest.mark.parametrize("name,place", LIMITS)
def test_client_limits(pooler, name, place, section):
    p = pooler(section=section, **at(place, **{name: 2}))
    them = [p.client(), p.client()]
    with pytest.raises(wire.PgError) as e:
        p.client()
    assert name in e.value.text and e.value.severity == "FATAL"
    assert e.value.code == ("08P01" if section == "pgbouncer" else "53300")
    if place == "database":
        p.client("app", "db1").quit()
    elif place == "user":
        p.client("app2", "db0").quit()
    bye(them)
    wait_until(lambda: inside(p), 3, what="it counts down")


@pytest.mark.parametrize("name,place", LIMITS)
def test_client_limits_by_reload(pooler, name, place):
    """A higher limit lets people in at once; a lower one throws nobody out."""
    p = pooler(**at(place, **{name: 2}))
    them = [p.client(), p.client()]
    assert not inside(p)
    change(p, place, **{name: 4})
    them += [wait_until(lambda: entered(p), 3), p.client()]
    change(p, place, **{name: 1})
    for c in them:
        assert c.value("SELECT 1") == "1"
    assert not inside(p)
    bye(them)


def change(p, place, **settings):
    """As move(), but the console may be out of reach, too."""
    if "max_client_conn" not in settings:
        move(p, place, **settings)
        return
    reloads = p.log_text().count("RELOAD") + p.log_text().count("SIGHUP")
    p.set(**settings)
    p.signal(signal.SIGHUP)
    wait_until(lambda: p.log_text().count("RELOAD") + p.log_text().count("SIGHUP") > reloads, 3)
    time.sleep(0.3)


def entered(p):
    try:
        return p.client()
    except wire.PgError:
        return None


def inside(p):
    c = entered(p)
    if c:
        c.quit()
    return c is not None


@pytest.mark.parametrize("place", PLACES)
def test_pool_size_by_reload(pooler, place):
    p = pooler(max_overflow=0, query_wait_timeout=30, **at(place, pool_size=1))
    got, them = many(p, 3)
    assert got == 1
    move(p, place, pool_size=3)
    for c in them:
        c.settimeout(3)
        c.result()
    bye(them)


def test_max_packet_size(pooler):
    p = pooler(max_packet_size=10000)
    c = p.client()
    assert c.value("SELECT length('%s')" % ("x" * 9000)) == "9000"
    c.send(q("SELECT '%s'" % ("x" * 10000)))
    e, _ = farewell(c)
    assert e["C"] == "08P01" and "length" in e["M"]
    p.console("SET max_packet_size = 100000")
    with p.client() as c:
        assert c.value("SELECT length('%s')" % ("x" * 50000)) == "50000"
        c.quit()


def test_max_packet_size_of_servers(pooler):
    p = pooler(max_packet_size=10000)
    with p.client() as c:
        assert len(c.value("SELECT repeat('x', 9000)")) == 9000
        c.send(q("SELECT repeat('x', 11000)"))
        e, _ = farewell(c)
        assert e["C"] in ("08P01", "08006")
    assert "more than max_packet_size" in p.log_text()
    p.console("SET max_packet_size = 100000")
    with p.client() as c:
        assert len(c.value("SELECT repeat('x', 50000)")) == 50000
        c.quit()


def test_nothing_here_is_announced_as_missing(pooler):
    """Settings that are in effect give no warning."""
    p = pooler(pool_idle_timeout=5, autodb_idle_timeout=7, server_round_robin=1, server_fast_close=1, query_wait_notify=3,
               databases={"db0": "query_wait_notify=1 min_pool_size=1"}, users={"app": "query_wait_notify=2 min_pool_size=1"})
    assert "not in effect" not in p.log_text() + p.output()
