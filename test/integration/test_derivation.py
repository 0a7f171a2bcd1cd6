"""SCRAM keys of many iterations: a helper thread computes them, and the worker does something else meanwhile."""

import os
import threading

import pytest

from harness import scram, wire
from harness.cluster import pw
from harness.wire import wait_until

STEEP = 100000          # the most that is accepted; above 4,096 a worker computes nothing itself
APP = pw("app")


def threads(p):
    return len(os.listdir(f"/proc/{p.proc.pid}/task"))


def refused(p, password, user="app"):
    with pytest.raises(wire.PgError) as e:
        p.client(user, password=password)
    return e.value


@pytest.fixture
def steep(pooler):
    """Its servers ask for little, or nothing is derived for them."""
    def make(stored, auth_type="scram-sha-256", **kw):
        people = {"app": stored, "app2": pw("app2"), "admin": scram.secret(pw("admin"))}
        return pooler(auth_type=auth_type, scram_iterations=STEEP, userlist=people, databases={"db0": f"user=trusty password={pw('trusty')}"},
                      **kw)
    return make


@pytest.mark.parametrize("stored", [APP, ("old password", APP), (APP, "old password"), (scram.secret("old password", STEEP), APP)],
                         ids=["one", "second", "first", "scram-and-plain"])
def test_scram(steep, stored):
    p = steep(stored)
    assert p.client().value("SELECT 1") == "1"
    assert p.client().value("SELECT 2") == "2"
    assert refused(p, "wrong").code == "28P01" and refused(p, "").code == "28P01"
    if isinstance(stored, tuple):
        assert p.client(password="old password").value("SELECT 3") == "3"
    assert p.client().value("SELECT 4") == "4"


def test_cleartext(steep):
    p = steep(scram.secret(APP, STEEP), "plain")
    before = threads(p)
    for _ in range(2):
        assert p.client().value("SELECT 1") == "1"
        assert refused(p, "wrong").code == "28P01"
    assert refused(p, "").code == "28P01" and refused(p, "wrong", "nobody-knows-him").code == "28P01"
    assert threads(p) > before


def test_server(pooler, pg):
    """The server's secret decides how much there is to compute; and a wrong password is refused by it, as ever."""
    pg.sql(f"CREATE ROLE steep LOGIN PASSWORD '{scram.secret('pw-steep', STEEP)}'")
    try:
        p = pooler(databases={"db0": "user=steep password=pw-steep", "db1": "user=steep password=wrong"}, pool_size=3)
        before = threads(p)
        crowd = [p.client() for _ in range(3)]
        for c in crowd:
            c.query("BEGIN")
        assert all(c.value("SELECT current_user") == "steep" for c in crowd)
        for c in crowd:
            c.quit()
        assert threads(p) > before
        with pytest.raises(wire.PgError) as e:
            p.client(database="db1").value("SELECT 1")
        assert "steep" in e.value.text
    finally:
        pg.kill_backends("usename = 'steep'")
        pg.sql("DROP ROLE steep")


def test_a_crowd(steep):
    """Twenty-four who want the same keys, and six with wrong passwords that have to be computed each by itself."""
    p = steep(scram.secret(APP, STEEP), "plain")
    errors = []

    def come(i):
        try:
            with p.client(password=APP if i % 5 else f"wrong {i}", timeout=60) as c:
                assert c.value(f"SELECT {i}") == str(i)
            assert i % 5
        except wire.PgError as e:
            if i % 5 or e.code != "28P01":
                errors.append(str(e))
        except Exception as e:
            errors.append(repr(e))

    crowd = [threading.Thread(target=come, args=(i,)) for i in range(30)]
    for t in crowd:
        t.start()
    for t in crowd:
        t.join()
    assert not errors


def stalled(p, password, user="app"):
    """A client that has just sent its password."""
    c = wire.Client(p.addr, user, "db0", password, login=False)
    c.send(wire.startup({"user": user, "database": "db0"}))
    c.until("R")
    c.send(wire.password(password))
    return c


def test_who_does_not_wait(steep):
    """They leave while their keys are being computed; nobody minds. And the login has its deadline meanwhile, RELOAD its way."""
    p = steep(scram.secret(APP, STEEP), "plain")
    for i in range(10):
        stalled(p, f"wrong {i}").close()
    p.reload()
    assert p.client(timeout=60).value("SELECT 1") == "1"
    wait_until(lambda: not [r for r in p.show("CLIENTS") if r["database"] == "db0"], 20, what="all have left")


def test_the_process_may_end_meanwhile(steep):
    p = steep(scram.secret(APP, STEEP), "plain")
    crowd = [stalled(p, f"wrong {i}") for i in range(20)]
    p.stop()
    for c in crowd:
        c.close()
