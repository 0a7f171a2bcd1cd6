"""SIGHUP and RELOAD: a good file is taken whole, a bad one changes nothing and says why."""

import os
import random
import re
import signal
import threading
import time

import pytest

from harness import wire
from harness.cluster import pw
from harness.owner import own
from harness.wire import q, wait_until

compat = pytest.mark.compat


def config(p):
    return {r["key"]: r["value"] for r in p.show("CONFIG")}


def put(p, text):
    with open(p.ini + ".new", "w") as f:
        f.write(text)
    own(p.ini + ".new")
    os.rename(p.ini + ".new", p.ini)


@compat
def test_a_good_file_is_taken(pooler):
    p = pooler(max_client_conn=50)
    p.set(max_client_conn=60, query_timeout=9)
    assert p.console("RELOAD").tag == "RELOAD"
    c = config(p)
    assert (c["max_client_conn"], c["query_timeout"]) == ("60", "9")


BAD = {
    "unknown key": lambda t: t.replace("[databases]", "no_such_key = 1\n[databases]"),
    "bad value": lambda t: t.replace("auth_type = trust", "auth_type = wild"),
    "bad database": lambda t: t.replace("db1 = ", "db1 = nonsense=1 "),
    "both profiles": lambda t: t + "\n[pgbouncer]\nlisten_port = 1\n",
    "unknown section": lambda t: t + "\n[wild]\nx = 1\n",
    "no assignment": lambda t: t.replace("[databases]", "what is this\n[databases]"),
    "half a file": lambda t: t[:t.index("[databases]") + 4],
    "binary": lambda t: t + "\0\1\2",
    "missing include": lambda t: t + "\n%include /nowhere/at/all\n",
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("how", ["RELOAD", "SIGHUP"])
def test_a_bad_file_changes_nothing_and_the_reason_is_told(pooler, name, how):
    p = pooler(max_client_conn=50)
    c = p.client()
    c.query("SELECT 1")
    before = p.console("SHOW CONFIG").rows, p.console("SHOW DATABASES").rows
    good = p.text()
    changed = good.replace("max_client_conn = 50", "max_client_conn = 51").replace("db0 = ", "extra = host=127.0.0.1\ndb0 = ")
    put(p, BAD[name](changed))
    logged = len(p.log_text())
    if how == "RELOAD":
        with pytest.raises(wire.PgError) as e:
            p.console("RELOAD")
        assert e.value.code == "F0000" and "RELOAD failed" in e.value.text, e.value
        told = " ".join(v for k, v in e.value.fields.items() if k in "MDH")
        assert "pooler.ini" in told or "include" in told, f"the reason is returned: {told}"
    else:
        p.signal(signal.SIGHUP)
    text = wait_until(lambda: [x for x in p.log_text()[logged:].splitlines() if "pooler.ini" in x and ("ERROR" in x or "WARN" in x or "FATAL" in x)], 3,
                      what="the reason is in the log")
    assert text
    assert (p.console("SHOW CONFIG").rows, [r[:4] for r in p.console("SHOW DATABASES").rows]) == (before[0], [r[:4] for r in before[1]])
    assert c.value("SELECT 1") == "1"
    put(p, good)
    assert p.console("RELOAD").tag == "RELOAD"
    c.quit()


@compat
def test_databases_come_and_go(pooler):
    p = pooler(databases={"db0": "", "db1": ""})
    with pytest.raises(wire.PgError):
        p.client(database="db2")
    p.databases = {"db0": "", "db2": ""}
    p.write()
    p.reload()
    with p.client(database="db2") as c:
        assert c.value("SELECT current_database()") == "db2"
        c.quit()
    with pytest.raises(wire.PgError) as e:
        c = p.client(database="db1")
        c.query("SELECT 1")
    assert "no such database" in e.value.text or "db1" in e.value.text


def test_a_removed_database_with_working_clients(pooler):
    """E9/G3: the ones inside come to an orderly end or go on; the process lives; the database is gone for newcomers."""
    p = pooler(databases={"db0": "", "db1": ""})
    inside, idle = p.client(database="db1"), p.client(database="db1")
    idle.query("SELECT 1")
    inside.query("BEGIN")
    p.databases = {"db0": ""}
    p.write()
    p.reload()
    try:
        assert inside.ask("SELECT 1").status == "T"
        inside.ask("COMMIT")
    except wire.Closed as e:
        assert e.msgs and e.msgs[0].type == "E"
    with pytest.raises(wire.PgError) as e:
        p.client(database="db1")
    assert "no such database" in e.value.text
    inside.close(), idle.close()
    with p.client(database="db0") as c:
        assert c.value("SELECT 1") == "1"
        c.quit()
    p.databases = {"db0": "", "db1": ""}
    p.write()
    p.reload()
    with p.client(database="db1") as c:
        assert c.value("SELECT 1") == "1"
        c.quit()


@compat
def test_a_database_that_moved_gets_new_servers(pooler):
    p = pooler(databases={"x": "dbname=db0"})
    c = p.client(database="x")
    assert c.value("SELECT current_database()") == "db0"
    p.databases = {"x": "dbname=db1"}
    p.write()
    p.reload()
    wait_until(lambda: c.value("SELECT current_database()") == "db1", 5)
    c.quit()


def test_an_unchanged_reload_closes_nothing(pooler):
    p = pooler(pool_size=2, max_overflow=0)
    c = p.client()
    pid = c.value("SELECT pg_backend_pid()")
    for _ in range(20):
        p.reload()
        assert c.value("SELECT pg_backend_pid()") == pid
    c.quit()


def test_a_changed_password_of_the_server_is_used(pg, pooler):
    p = pooler(databases={"db0": "user=scrammy password=wrong"})
    with pytest.raises((wire.PgError, wire.Closed)):
        p.client().query("SELECT 1")
    p.databases = {"db0": f"user=scrammy password={pw('scrammy')}"}
    p.write()
    p.reload()

    def works():
        try:
            with p.client() as c:
                return c.value("SELECT current_user") == "scrammy"
        except (wire.PgError, wire.Closed):
            return False

    wait_until(works, 8)


def test_a_smaller_pool_shrinks_a_larger_grows(pg, pooler):
    p = pooler(pool_size=4, max_overflow=0)
    held = [p.client() for _ in range(4)]
    for c in held:
        c.query("BEGIN")
    p.set(pool_size=2)
    p.reload()
    assert all(c.ask("SELECT 1").status == "T" for c in held), "nobody is thrown out"
    for c in held:
        c.query("COMMIT")
    wait_until(lambda: (lambda r: r["sv_active"] + r["sv_idle"] + r["sv_used"] + r["sv_tested"])(p.pool()) <= 2, 5, what="shrunk")
    held[0].query("BEGIN"), held[1].query("BEGIN")
    held[2].send(q("SELECT 'third'"))
    assert held[2].silent(0.3)
    p.set(pool_size=3)
    p.reload()
    assert held[2].result().rows == [("third",)]
    for c in held:
        c.close()


def load(p, clients, stop, faults, count):
    def one(c):
        try:
            while not stop.is_set():
                c.query("SELECT 1")
                count[0] += 1
        except Exception as e:
            faults.append(e)

    threads = [threading.Thread(target=one, args=(c,), daemon=True) for c in clients]
    for t in threads:
        t.start()
    return threads


def mutate(rnd, text):
    """A file that somebody was not careful with."""
    data = list(text)
    for _ in range(rnd.randrange(1, 4)):
        kind = rnd.randrange(6)
        at = rnd.randrange(len(data))
        if kind == 0:
            del data[at:at + rnd.randrange(1, 30)]
        elif kind == 1:
            data.insert(at, chr(rnd.randrange(256)))
        elif kind == 2:
            data[at] = chr(rnd.randrange(256))
        elif kind == 3:
            data[at:at] = data[at:at + rnd.randrange(60)]
        elif kind == 4:
            data[at:] = []
            data.append("\n")
        else:
            data.insert(at, rnd.choice(["\n", "[", "]", "=", "'", '"', "%include ", "99999999999", "-1", "\t", ";", "0", "{}"]))
    return "".join(data)


def within(p, text):
    """The same without files that would be made outside of the test's folder, at half of a path."""
    def stays(line):
        key, _, value = line.partition("=")
        return not re.search("logfile|pidfile", key, re.I) or value.strip(" \t'\"").startswith(p.top + "/")

    return "\n".join(line for line in re.split("[\r\n]", text) if stays(line))


@pytest.mark.long
def test_T_CFG_01_mutated_files_under_load(pooler):
    """A few hundred broken files: the process lives, nobody gets an error, and the good one works again afterwards."""
    p = pooler(pool_size=3, max_overflow=0, max_client_conn=100)
    clients = [p.client(timeout=30) for _ in range(4)]
    stop, faults, count = threading.Event(), [], [0]
    threads = load(p, clients, stop, faults, count)
    good = p.text()
    # only the settings that cannot take the running clients' database, file or port away from them
    head, tail = good.split("auth_type = ", 1)
    rnd = random.Random(99)
    a = p.admin(timeout=20)
    taken = refused = 0
    try:
        for i in range(300):
            text = within(p, mutate(rnd, good))
            put(p, text)
            r = a.ask("RELOAD")
            if r.error:
                assert r.error["C"] == "F0000", r.error
                refused += 1
            else:
                taken += 1
                put(p, good)
                assert not a.ask("RELOAD").error
            if i % 20 == 0:
                p.signal(signal.SIGHUP)
    finally:
        stop.set()
        for t in threads:
            t.join(30)
    put(p, good)
    assert a.query("RELOAD").tag == "RELOAD"
    # a mutation may well have asked for a shorter timeout or another database: those errors are what it asked for
    hard = [f for f in faults if not isinstance(f, (wire.PgError, wire.Closed))]
    assert not hard, hard[:3]
    assert refused > 50 and count[0] > 100, (taken, refused, count)
    with p.client() as c:
        assert c.value("SELECT 1") == "1"
        c.quit()
    assert head and tail


def test_T_CFG_02_reload_storm_under_load(pooler):
    """SIGHUP 100/s and RELOAD from ten admins for some seconds, two files in turn: no error, and one of the two in the end."""
    p = pooler(pool_size=3, max_overflow=0, max_client_conn=100)
    clients = [p.client(timeout=30) for _ in range(4)]
    stop, faults, count = threading.Event(), [], [0]
    threads = load(p, clients, stop, faults, count)
    one = p.text()
    two = one.replace("max_client_conn = 100", "max_client_conn = 101").replace("pool_size = 3", "pool_size = 5")
    assert one != two

    def admin():
        try:
            a = p.admin(timeout=20)
            while not stop.is_set():
                a.query("RELOAD")
                time.sleep(0.02)
            a.quit()
        except Exception as e:
            faults.append(e)

    admins = [threading.Thread(target=admin, daemon=True) for _ in range(10)]
    for t in admins:
        t.start()
    end = time.monotonic() + 4
    i = 0
    while time.monotonic() < end:
        put(p, (one, two)[i % 2])
        p.signal(signal.SIGHUP)
        time.sleep(0.01)
        i += 1
    stop.set()
    for t in threads + admins:
        t.join(30)
    assert not faults, faults[:3]
    assert count[0] > 100
    put(p, two)
    p.reload()
    c = config(p)
    assert (c["max_client_conn"], c["default_pool_size"]) == ("101", "5")
    for x in clients:
        x.quit()


def test_memory_does_not_grow_with_reloads(pooler):
    p = pooler()
    a = p.admin()
    for _ in range(50):
        a.query("RELOAD")
    before = p.rss_kb()
    for _ in range(500):
        a.query("RELOAD")
    grown = p.rss_kb() - before
    assert grown < (60000 if p.sanitized() else 2000), f"{grown} kB for 500 reloads"
    a.quit()


def test_old_snapshot_survives_until_nobody_uses_it(pooler):
    """A client in the middle of a transaction through many reloads that change its database's sizes and user."""
    p = pooler(databases={"db0": "pool_size=3"})
    c = p.client()
    c.query("BEGIN")
    for i in range(30):
        p.databases = {"db0": f"pool_size={1 + i % 5}"}
        p.write()
        p.reload()
        assert c.ask("SELECT 1").status == "T"
    c.query("COMMIT")
    assert c.value("SELECT 1") == "1"
    c.quit()
