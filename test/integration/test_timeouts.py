"""Every timeout at every place where it can be set."""

import time

import pytest

from harness import wire
from harness.pooler import STANDIN
from harness.wire import extended, q, wait_until

compat = pytest.mark.compat


def ended(c, first=None):
    """What the peer says until it closes: text of the errors; and how long that took."""
    t = time.monotonic()
    msgs = c.rest(8)
    text = " | ".join(wire.fields(m.body).get("M", "") for m in msgs if m.type == "E")
    return text, time.monotonic() - t


def where(name, value, place):
    """Keyword arguments for a pooler that has the option at that place."""
    if place == "global":
        return {name: value}
    if place == "database":
        return {"databases": {"db0": f"{name}={value}", "db1": ""}}
    return {"users": {"app": f"{name}={value}"}}


def bystander(p, place):
    """Somebody whom the option does not concern."""
    if place == "database":
        return p.client("app", "db1")
    if place == "user":
        return p.client("app2", "db0")
    return None


PLACES = ["global", pytest.param("database"), pytest.param("user")]
GLOBAL_ONLY_COMPAT = [pytest.param("global", marks=compat), "database", "user"]


@pytest.mark.parametrize("place", GLOBAL_ONLY_COMPAT)
@pytest.mark.parametrize("how", ["simple", "extended"])
def test_query_timeout(pg, pooler, place, how):
    p = pooler(**where("query_timeout", 1, place))
    other = bystander(p, place)
    new = pg.since()
    c = p.client()
    c.query("SELECT 1")
    if other:
        other.query("SELECT 1")
        other.send(q("SELECT pg_sleep(2.5), 'whole'"))
    c.send(q("SELECT pg_sleep(20)") if how == "simple" else extended("SELECT pg_sleep(20)"))
    text, took = ended(c)
    assert "query timeout" in text or "query_timeout" in text, text
    assert 0.7 < took < 3, took
    if other:
        assert other.result().rows == [("", "whole")]
        other.quit()
    if not STANDIN:
        wait_until(lambda: not pg.backends(f"state='active' AND query LIKE '%pg_sleep(20)%' AND {new}"), 4, what="the query does not go on in PostgreSQL")


def test_query_timeout_does_not_hit_an_idle_transaction(pooler):
    p = pooler(query_timeout=1)
    c = p.client()
    c.query("BEGIN")
    time.sleep(2.2)
    assert c.ask("SELECT 1").status == "T"
    c.quit()


def test_query_timeout_counts_one_query_not_the_transaction(pooler):
    p = pooler(query_timeout=1)
    c = p.client()
    c.query("BEGIN")
    for _ in range(5):
        c.query("SELECT pg_sleep(0.4)")
    c.query("COMMIT")
    c.quit()


@pytest.mark.parametrize("place", GLOBAL_ONLY_COMPAT)
def test_idle_transaction_timeout(pooler, place):
    p = pooler(pool_size=1, max_overflow=0, **where("idle_transaction_timeout", 1, place))
    c = p.client()
    c.query("BEGIN")
    text, took = ended(c)
    assert "idle transaction timeout" in text, text
    assert 0.7 < took < 3, took
    with p.client() as d:
        assert d.ask("SELECT 1").status == "I", "the follower finds no open transaction"
        d.quit()
    other = bystander(p, place)
    if other:
        other.query("BEGIN")
        time.sleep(1.8)
        assert other.ask("SELECT 1").status == "T"
        other.quit()


@compat
def test_idle_transaction_timeout_spares_a_running_query(pooler):
    p = pooler(idle_transaction_timeout=1)
    c = p.client()
    c.query("BEGIN")
    assert c.ask("SELECT pg_sleep(2.2)").status == "T"
    c.query("COMMIT")
    time.sleep(1.5)
    assert c.value("SELECT 1") == "1"
    c.quit()


@pytest.mark.parametrize("place", GLOBAL_ONLY_COMPAT)
def test_client_idle_timeout(pooler, place):
    p = pooler(**where("client_idle_timeout", 1, place))
    c = p.client()
    c.query("SELECT 1")
    text, took = ended(c)
    assert "client_idle_timeout" in text or not text
    assert 0.7 < took < 3, took
    other = bystander(p, place)
    if other:
        other.query("SELECT 1")
        time.sleep(1.8)
        assert other.value("SELECT 1") == "1"
        other.quit()


@compat
def test_client_idle_timeout_starts_again_with_every_query(pooler):
    p = pooler(client_idle_timeout=1)
    c = p.client()
    for _ in range(5):
        c.query("SELECT 1")
        time.sleep(0.5)
    c.query("SELECT pg_sleep(1.8)")
    c.quit()


@pytest.mark.parametrize("so_far", ["nothing", "half a startup", "ssl", "challenged"])
def test_client_login_timeout(pooler, so_far):
    p = pooler(client_login_timeout=1, auth_type="scram-sha-256", tcp_defer_accept=0)
    c = p.conn()
    start = wire.startup({"user": "app", "database": "db0"})
    if so_far == "half a startup":
        c.send(start[:11])
    elif so_far == "ssl":
        c.send(wire.request(wire.SSL_REQUEST))
        assert c.recv_exact(1) == b"N"
    elif so_far == "challenged":
        c.send(start)
        assert c.recv().type == "R"
    text, took = ended(c)
    assert "client_login_timeout" in text or (not text and so_far == "nothing"), text
    assert 0.6 < took < 3, took


def test_client_login_timeout_cannot_be_stretched_by_a_trickle(pooler):
    """T-SLOW-01 in small: a byte now and then does not buy time, and the files of those who go on talking are closed in the end."""
    p = pooler(client_login_timeout=1, max_client_conn=1000)
    with p.client() as d:
        d.value("SELECT 1")
        d.quit()
    files = p.fds()
    slow = [p.conn() for _ in range(100)]
    start = wire.startup({"user": "app", "database": "db0", "application_name": "x" * 200})
    t = time.monotonic()
    at = 0
    told = {}
    while time.monotonic() - t < 4 and len(told) < len(slow):
        for i, c in enumerate(slow):
            try:
                c.send(start[at:at + 1])
            except OSError:
                pass
            if i not in told and not c.silent(0.0005):
                told[i] = time.monotonic() - t
        at += 1
        with p.client() as d:
            assert d.value("SELECT 1") == "1"
            d.quit()
        time.sleep(0.05)
    assert len(told) == len(slow), f"{len(told)} of {len(slow)}"
    assert max(told.values()) < 3, max(told.values())
    wait_until(lambda: p.fds() <= files + 2, 8, 0.2, "files closed although the clients are still there")


@pytest.mark.parametrize("place", [pytest.param("global", marks=compat), "database", "user"])
def test_query_wait_timeout(pooler, place):
    p = pooler(pool_size=1, max_overflow=0, **where("query_wait_timeout", 1, place))
    a = p.client()
    a.query("BEGIN")
    b = p.client()
    t = time.monotonic()
    b.send(q("SELECT 1"))
    msgs = b.until("EZ")
    assert msgs[0].type == "E" and "query_wait_timeout" in wire.fields(msgs[0].body)["M"], wire.describe_msgs(msgs)
    assert 0.7 < time.monotonic() - t < 3
    assert a.ask("SELECT 1").status == "T"
    a.quit(), b.close()


def test_the_most_specific_place_wins(pooler):
    p = pooler(query_timeout=1, databases={"db0": "query_timeout=10", "db1": ""}, users={"app2": "query_timeout=20"})
    with p.client("app", "db0") as c, p.client("app2", "db1") as d:
        c.send(q("SELECT pg_sleep(2), 'db wins'"))
        d.send(q("SELECT pg_sleep(2), 'user wins'"))
        assert c.result().rows == [("", "db wins")]
        assert d.result().rows == [("", "user wins")]
        c.quit(), d.quit()
    c = p.client("app", "db1")
    c.send(q("SELECT pg_sleep(2)"))
    assert "query" in ended(c)[0]


def test_units_are_understood(pooler):
    p = pooler(query_timeout="800ms")
    c = p.client()
    c.send(q("SELECT pg_sleep(20)"))
    text, took = ended(c)
    assert 0.5 < took < 2.5 and "query" in text


@compat
def test_timeouts_can_be_changed_while_running(pooler):
    p = pooler()
    c = p.client()
    c.query("SELECT 1")
    p.console("SET query_timeout = 1")
    c.send(q("SELECT pg_sleep(20)"))
    text, took = ended(c)
    assert "query timeout" in text or "query_timeout" in text
    assert took < 4
