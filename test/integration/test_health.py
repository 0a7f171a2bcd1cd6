"""The components of the health score that need something to go wrong: pings, errors and timeouts, an unreachable server."""

import os
import signal
import time

import pytest

from harness import wire
from harness.wire import q, wait_until


def row(p, database="db0"):
    for r in p.show("HEALTH"):
        if r["database"] == database:
            return r
    return None


def whole(p):
    (r,) = [r for r in p.show("HEALTH") if r["database"] is None]
    return r


def test_a_server_that_does_not_answer_its_ping(pg, pooler):
    """A stopped backend: the ping fails, the client never notices, the score does."""
    p = pooler(pool_size=2, max_overflow=0, pre_ping_idle=0)
    c = p.client(timeout=30)
    pid = int(c.value("SELECT pg_backend_pid()"))
    os.kill(pid, signal.SIGSTOP)
    try:
        assert c.value("SELECT pg_backend_pid()") != str(pid)
        r = row(p)
        assert int(r["ping"]) < 50 and r["status"] == "critical" and "ping" in r["advice"], r
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: row(p)["ping"] == "100", 14, 0.3, "ten seconds later it is forgotten")
    c.quit()


@pytest.mark.parametrize("bad,low,high,status", [(1, 80, 99, "healthy"), (3, 60, 79, "warning"), (8, 0, 49, "critical")])
def test_timeouts_lower_the_errors(pooler, bad, low, high, status):
    """So many of about fifty requests end in query_timeout: five points for every percent."""
    p = pooler(pool_size=20, max_overflow=0, query_timeout=0.3)
    good = p.client()
    for _ in range(50 - bad):
        good.query("SELECT 1")
    victims = [p.client() for _ in range(bad)]
    for v in victims:
        v.send(q("SELECT pg_sleep(10)"))
    for v in victims:
        v.rest(5)
    r = row(p)
    assert low <= int(r["errors"]) <= high, r
    assert (r["status"], int(r["score"])) == (status, int(r["errors"])), r
    assert status == "healthy" or "timeout" in r["advice"], r
    good.quit()


def test_a_server_that_is_gone_scores_0_and_comes_back(own_pg, maker):
    p = maker(own_pg, pool_size=2, max_overflow=0, server_login_retry=1)
    c = p.client(timeout=30)
    c.query("SELECT 1")
    assert row(p)["score"] == "100" and whole(p)["score"] == "100"
    own_pg.stop()
    try:
        with pytest.raises((wire.PgError, wire.Closed)):
            c.query("SELECT 1")
            c.query("SELECT 1")
        wait_until(lambda: row(p)["score"] == "0", 4, 0.1)
        r = row(p)
        assert r["status"] == "critical" and "reach" in r["advice"], r
        assert whole(p)["score"] == "0" and whole(p)["advice"].startswith("db0/app: ")
    finally:
        own_pg.start()
    wait_until(lambda: row(p)["score"] == "100", 20, 0.2, "healthy again")
    assert whole(p)["score"] == "100"
    with p.client() as d:
        assert d.value("SELECT 1") == "1"
        d.quit()
    c.close()


def test_the_whole_is_the_worst_of_its_pools(pooler):
    p = pooler(pool_size=4, max_overflow=0, long_query_time=1)
    a, b = p.client(), p.client(database="db1")
    a.query("SELECT 1")
    b.query("BEGIN")
    wait_until(lambda: row(p, "db1")["score"] == "75", 4, 0.1)
    assert row(p)["score"] == "100"
    w = whole(p)
    assert w["score"] == "75" and w["status"] == "warning" and w["advice"].startswith("db1/app: "), w
    p.console("PAUSE db0")
    assert row(p)["score"] is None and row(p)["status"] == "paused" and whole(p)["score"] == "75"
    b.query("ROLLBACK")
    time.sleep(0.1)
    p.console("PAUSE db1")
    assert whole(p)["score"] is None and whole(p)["status"] == "paused"
    p.console("RESUME db0")
    p.console("RESUME db1")
    a.quit(), b.quit()


def test_a_status_line_each_period(pooler):
    p = pooler(stats_period=1, pool_size=4, max_overflow=0)
    with p.client() as c:
        c.query("SELECT 1")
        p.log_has(r"db0/app pool healthy \(score 100\): \d+ of 4 servers in use, 1 clients, 0 waiting; all is well", 5)
        c.quit()
