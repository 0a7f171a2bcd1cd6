"""Console commands that the other files leave out: DISABLE, WAIT_CLOSE, SUSPEND, numbers that mean two things, both profiles."""

import threading
import time

import pytest

from harness import wire
from harness.wire import q, wait_until


def test_disable_refuses_newcomers_only(pooler):
    p = pooler()
    a = p.client()
    a.query("SELECT 1")
    assert p.console("DISABLE db0").tag == "DISABLE"
    assert {r["name"]: r["disabled"] for r in p.show("DATABASES")}["db0"] == "1"
    with pytest.raises(wire.PgError) as e:
        p.client()
    assert 'database "db0" is disabled' in e.value.text
    with pytest.raises(wire.PgError) as e:
        p.client(user="app2")
    assert "is disabled" in e.value.text, "a user whose pool does not exist yet"
    assert a.value("SELECT 1") == "1"
    assert p.console("ENABLE db0").tag == "ENABLE"
    with p.client() as b:
        assert b.value("SELECT 1") == "1"
        b.quit()
    for bad in ("DISABLE", "DISABLE dne", "DISABLE fynixpool"):
        with pytest.raises(wire.PgError):
            p.console(bad)
    a.quit()


@pytest.mark.parametrize("workers", [1, 4])
def test_wait_close_answers_when_the_old_servers_are_gone(pooler, workers):
    p = pooler(workers=workers, pool_size=4, max_overflow=0)
    held = [p.client() for _ in range(3)]
    for c in held:
        c.query("BEGIN")
    assert p.console("WAIT_CLOSE").tag == "WAIT_CLOSE", "nothing to wait for"
    p.console("RECONNECT db0")
    assert [r["close_needed"] for r in p.show("SERVERS")] == ["1"] * 3
    a = p.admin(timeout=10)
    a.send(q("WAIT_CLOSE db0"))
    for c in held:
        assert a.silent(0.25)
        c.query("COMMIT")
    assert a.result().tag == "WAIT_CLOSE"
    a.quit()
    for c in held:
        assert c.value("SELECT 1") == "1"
        c.quit()


def test_wait_close_can_be_given_up(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    c = p.client()
    c.query("BEGIN")
    p.console("RECONNECT")
    a = p.admin()
    a.send(q("WAIT_CLOSE"))
    assert a.silent(0.2)
    a.cancel()
    assert a.result().error["C"] == "57014"
    assert a.value("SHOW VERSION")
    c.query("COMMIT")
    c.quit(), a.quit()


def test_canceled_pause_says_so_and_the_console_goes_on(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    c = p.client()
    c.query("BEGIN")
    a = p.admin()
    a.send(q("PAUSE db0"))
    assert a.silent(0.2)
    assert {r["name"]: r["paused"] for r in p.show("DATABASES")}["db0"] == "1"
    a.cancel()
    assert a.result().error["C"] == "57014"
    assert {r["name"]: r["paused"] for r in p.show("DATABASES")}["db0"] == "0"
    a.send(q("PAUSE"))
    assert a.silent(0.2)
    assert p.console("RESUME").tag == "RESUME"
    assert a.result().error["C"] == "08P01", "somebody else has ended it"
    c.query("COMMIT")
    assert a.query("PAUSE").tag == "PAUSE"
    with pytest.raises(wire.PgError) as e:
        a.query("PAUSE")
    assert "already" in e.value.text
    assert a.query("RESUME").tag == "RESUME"
    c.quit(), a.quit()


def test_a_pool_made_while_its_database_is_paused_is_paused(pooler):
    p = pooler(pool_size=2, max_overflow=0)
    p.console("PAUSE db0")
    got = []
    t = threading.Thread(target=lambda: got.append(p.client(user="app2").value("SELECT 1")), daemon=True)
    t.start()
    time.sleep(0.5)
    assert not got and not [r for r in p.show("SERVERS")]
    p.console("RESUME db0")
    t.join(5)
    assert got == ["1"]


def test_suspend_is_refused(pooler):
    p = pooler()
    with pytest.raises(wire.PgError) as e:
        p.console("SUSPEND")
    assert e.value.code == "08P01" and "not supported" in e.value.text
    assert dict(p.console("SHOW STATE").rows)["suspended"] == "no"


def test_kill_query_of_one_that_waits(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    a, b = p.client(), p.client()
    a.query("BEGIN")
    b.send(q("SELECT 1"))
    (ident,) = wait_until(lambda: [r["id"] for r in p.show("CLIENTS") if r["state"] == "waiting"], 3)
    assert p.console(f"KILL_QUERY {ident}").tag == "KILL_QUERY"
    assert b.result().error["C"] == "57014"
    a.query("COMMIT")
    assert b.value("SELECT 'goes on'") == "goes on"
    with pytest.raises(wire.PgError) as e:
        p.console(f"KILL_QUERY id {ident}")
    assert "runs no query" in e.value.text
    a.quit(), b.quit()


def test_kill_query_says_what_it_looks_for(pg, pooler):
    p = pooler()
    c = p.client()
    pid = c.value("SELECT pg_backend_pid()")
    c.send(q("SELECT pg_sleep(30)"))
    wait_until(lambda: int(pid) in pg.backends("state='active' AND usename='app'"), 3)
    for wrong in (f"KILL_QUERY id {pid}", "KILL_QUERY pid 999999999", f"KILL_QUERY nonsense {pid}", f"KILL_SERVER id {pid}"):
        with pytest.raises(wire.PgError):
            p.console(wrong)
    assert p.console(f"KILL_QUERY pid {pid}").tag == "KILL_QUERY"
    assert c.result().error["C"] == "57014"
    c.quit()


def test_readers_see_no_literals(pooler):
    """What runs is for everybody on the console, what is in it for administrators."""
    p = pooler()
    c = p.client()
    c.send(q("SELECT pg_sleep(3), 'canary'"))
    wait_until(lambda: p.show("LONG_QUERIES 0"), 3)
    assert "canary" in p.show("LONG_QUERIES 0")[0]["query"]
    text = p.show("LONG_QUERIES 0", user="stats")[0]["query"]
    assert "canary" not in text and text.startswith("SELECT pg_sleep(")
    c.close()


@pytest.mark.parametrize("text", ["SHOW LONG_QUERIES x", "SHOW LONG_QUERIES -1", "SHOW POOLS 5", "SHOW FDS 1"])
def test_show_with_a_wrong_argument(pooler, text):
    p = pooler()
    with pytest.raises(wire.PgError) as e:
        p.console(text)
    assert e.value.code == "08P01"


def test_fds_are_for_administrators(pooler):
    p = pooler()
    assert p.console("SHOW FDS").tag == "SHOW"
    with pytest.raises(wire.PgError) as e:
        p.console("SHOW FDS", user="stats")
    assert e.value.text == "admin access needed"


def test_the_version_of_the_other_profile(pooler):
    """Exporters and drivers find a PgBouncer they know."""
    p = pooler(section="pgbouncer")
    a = p.admin()
    assert a.value("SHOW VERSION").startswith("PgBouncer 1.25.")
    assert a.params["server_version"].startswith("1.25.")
    assert a.ask("BOGUS").error["C"] == "08P01"
    a.quit()


def test_many_consoles_at_once(pooler):
    p = pooler(workers=4)
    consoles = [p.admin(timeout=20) for _ in range(20)]
    for _ in range(20):
        for a in consoles:
            a.send(q("SHOW CLIENTS"))
        for a in consoles:
            assert len([r for r in a.result().dicts() if r["database"] == "pgbouncer"]) == 20
    for a in consoles:
        a.quit()
