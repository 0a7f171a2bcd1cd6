"""session_attach = login: in session mode a client gets its server at login, and is told that server's own process id."""

import threading
import time

import pytest

from harness import wire
from harness.wire import q, wait_until


def notify_pid(c, channel):
    """The pid in the NotificationResponse of one's own NOTIFY."""
    c.query(f"LISTEN {channel}")
    c.send(q(f"NOTIFY {channel}, 'hello'"))
    for m in c.until("Z"):
        if m.type == "A":
            return int.from_bytes(m.body[:4], "big")
    m = c.recv()
    assert m.type == "A"
    return int.from_bytes(m.body[:4], "big")


@pytest.mark.parametrize("workers", [1, 4])
def test_the_pid_is_the_servers(pg, pooler, workers):
    p = pooler(pool_mode="session", workers=workers, pool_size=20, max_overflow=0)
    clients = [p.client(params={"application_name": f"c{i}"} if i % 2 else {}) for i in range(12)]
    assert len({c.pid for c in clients}) == 12
    for i, c in enumerate(clients):
        assert int(c.value("SELECT pg_backend_pid()")) == c.pid
        assert notify_pid(c, f"chan{i}") == c.pid
        assert c.value("SHOW application_name") == (f"c{i}" if i % 2 else "") == c.params["application_name"]
    # its own cancel key, whichever worker has it
    for c in clients:
        c.send(q("SELECT pg_sleep(30)"))
        pg.wait_query("pg_sleep(30)")
        c.cancel()
        assert c.result().error["C"] == "57014"
    # a wrong key does nothing
    c = clients[0]
    c.send(q("SELECT pg_sleep(0.5)"))
    wire.send_cancel(p.addr, c.pid, c.key ^ 1)
    wire.send_cancel(p.addr, clients[1].pid, c.key)
    assert not c.result().error
    for c in clients:
        c.quit()


def test_terminating_oneself_works(pooler):
    p = pooler(pool_mode="session", pool_size=3, max_overflow=0)
    a, b = p.client(), p.client()
    r = a.ask(f"SELECT pg_terminate_backend({b.pid})")
    assert r.value == "t"
    with pytest.raises(wire.Closed) as e:
        b.send(q("SELECT 1"))
        b.result()
    errors = [wire.fields(m.body) for m in e.value.msgs if m.type == "E"]
    assert errors and errors[0]["C"] == "57P01" and errors[0]["M"] == "terminating connection due to administrator command"
    # it is told without asking, as by PostgreSQL itself
    c = p.client()
    a.query(f"SELECT pg_terminate_backend({c.pid})")
    m = c.rest(timeout=5)
    assert [x.type for x in m] == ["E"] and wire.fields(m[0].body)["C"] == "57P01"
    a.quit()


def test_a_server_that_died_unseen_is_not_replaced(pooler, pg):
    """The client knows its pid: another server would make that a lie."""
    p = pooler(pool_mode="session", pool_size=3, max_overflow=0)
    a = p.client()
    pg.sql(f"SELECT pg_terminate_backend({a.pid})")
    with pytest.raises(wire.Closed):
        for _ in range(3):
            a.query("SELECT 1")
            time.sleep(0.1)


def test_state_at_login_and_the_next_client(pooler):
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0)
    pids = set()
    for i in range(5):
        c = p.client(params={"TimeZone": "Asia/Tokyo", "statement_timeout": "61s"} if i % 2 else {})
        assert p.pool()["cl_active"] == 1 and p.pool()["sv_active"] == 1
        assert c.value("SHOW TimeZone") == ("Asia/Tokyo" if i % 2 else "UTC") == c.params["TimeZone"]
        assert c.value("SHOW statement_timeout") == ("61s" if i % 2 else "0")
        c.query("CREATE TEMP TABLE mine(n int)")
        c.query("PREPARE x AS SELECT 1")
        pids.add(c.pid)
        c.quit()
        wait_until(lambda: p.pool()["sv_idle"] == 1)
    assert len(pids) == 1, "the server was kept"


def test_waiting_at_login(pooler):
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0, query_wait_timeout=1)
    a = p.client()
    start = time.monotonic()
    with pytest.raises(wire.PgError) as e:
        p.client()
    assert 0.9 < time.monotonic() - start < 3
    assert e.value.code == "53300" and e.value.severity == "FATAL" and "query_wait_timeout" in e.value.text and "pool_size 1" in e.value.text
    assert p.pool()["cl_waiting"] == 0
    # one that goes away is forgotten at once
    c = wire.Client(p.addr, "app", "db0", login=False)
    c.send(wire.startup({"user": "app", "database": "db0"}))
    wait_until(lambda: p.pool()["cl_waiting"] == 1)
    assert any(r["state"] == "waiting" for r in p.show("CLIENTS"))
    c.close()
    wait_until(lambda: p.pool()["cl_waiting"] == 0, seconds=0.7)
    # one that speaks before it is welcome is served in order
    c = wire.Client(p.addr, "app", "db0", login=False)
    c.send(wire.startup({"user": "app", "database": "db0"}) + q("SELECT 7"))
    wait_until(lambda: p.pool()["cl_waiting"] == 1)
    a.quit()
    c.login()
    assert c.result().value == "7" and c.pid
    c.quit()


def test_first_query_is_pgbouncers_way(pooler):
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0, session_attach="first_query")
    a, b = p.client(), p.client()
    a.query("SELECT 1")
    b.send(q("SELECT 2"))
    assert b.silent(0.3)
    a.quit()
    assert b.result().value == "2"
    b.quit()
    p.console("SET session_attach = 'login'")
    with p.client() as c:
        assert int(c.value("SELECT pg_backend_pid()")) == c.pid
        c.quit()


def test_transaction_mode_does_not_attach(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    a, b = p.client(), p.client()
    assert a.value("SELECT 1") == b.value("SELECT 1") == "1"
    a.quit(), b.quit()


@pytest.mark.parametrize("params,code", [({"TimeZone": "Mars/Olympus"}, "22023"), ({"no_such": "1"}, "42704")])
def test_a_refused_parameter_gives_the_server_back(pooler, params, code):
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0)
    for _ in range(3):
        with pytest.raises(wire.PgError) as e:
            p.client(params=params)
        assert e.value.code == code
    with p.client() as c:
        assert c.value("SELECT db FROM whoami") == "db0"
        c.quit()


def test_pause_and_shutdown_while_waiting(pooler):
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0)
    p.client().quit()
    wait_until(lambda: p.pool()["sv_idle"] == 1)
    p.console("PAUSE db0")
    got = []

    def login():
        try:
            got.append(p.client())
        except (wire.PgError, wire.Closed) as e:
            got.append(e)

    t = threading.Thread(target=login)
    t.start()
    wait_until(lambda: p.pool()["cl_waiting"] == 1)
    assert not got
    p.console("RESUME db0")
    t.join(5)
    assert int(got[0].value("SELECT pg_backend_pid()")) == got[0].pid
    t = threading.Thread(target=login)
    t.start()
    wait_until(lambda: p.pool()["cl_waiting"] == 1)
    with p.admin() as adm:
        adm.send(q("SHUTDOWN WAIT_FOR_SERVERS"))
        t.join(5)
        assert got[1].code == "57P01"
        got[0].quit()
        p.expect_exit()


# ---- login refusals of [fynixpool] ----

def refused(p, **kw):
    with pytest.raises(wire.PgError) as e:
        p.client(**kw)
    assert e.value.severity == "FATAL"
    return e.value.code


@pytest.mark.parametrize("auth", ["scram-sha-256", "md5", "plain"])
def test_login_refusals_carry_postgresqls_codes(pooler, auth):
    p = pooler(auth_type=auth, max_db_client_connections=1)
    assert refused(p, password="wrong") == "28P01"
    assert refused(p, user="stranger", password="x") == "28P01"
    assert refused(p, database="nowhere") == "3D000"
    with p.client() as c:
        assert refused(p) == "53300"
        c.quit()
    p.console("DISABLE db1")
    assert refused(p, database="db1") == "57P03"


def test_login_refusals_of_trust_and_of_the_server(pooler):
    p = pooler(max_client_conn=10, databases={"db0": "", "gone": "dbname=no_such_database"}, server_login_retry=0)
    assert refused(p, user="stranger") in ("28000", "28P01")
    assert refused(p, database="gone") == "3D000"
    assert refused(p, user="nobody") == "28000"
    clients = []
    with pytest.raises(wire.PgError) as e:
        while len(clients) <= 10:
            clients.append(p.client())
    assert e.value.code == "53300" and "max_client_conn" in e.value.text
    for c in clients:
        c.quit()
