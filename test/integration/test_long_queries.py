"""What runs too long is seen, named, counted, and can be ended without harm to anybody else."""

import re
import time

import pytest

from harness import wire
from harness.wire import extended, q, wait_until


def rows(p, seconds=None):
    return p.show("LONG_QUERIES" + (f" {seconds}" if seconds is not None else ""))


def row_with(p, text, seconds=None):
    for r in rows(p, seconds):
        if any(v and text in v for v in r.values()):
            return r
    return None


def field(row, *names):
    for n in names:
        if n in row:
            return row[n]
    raise AssertionError(f"none of {names} among {list(row)}")


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("how", ["simple", "extended"])
def test_point_3_a_sleeper_is_seen_and_killed_without_harm(pg, pooler, workers, how):
    """pg_sleep(3600) with long_query_time=1s: listed within two seconds, ended by KILL_QUERY, the server goes on."""
    p = pooler(workers=workers, pool_size=1, max_overflow=0, long_query_time="1s", pool_timeout=60)
    c, other = p.client(params={"application_name": "sleeper"}), p.client()
    c.query("SELECT 1")
    sql = "SELECT pg_sleep(3600) /* find me */"
    t = time.monotonic()
    c.send(q(sql) if how == "simple" else extended(sql))
    r = wait_until(lambda: row_with(p, "pg_sleep(3600)"), 4, 0.05, "in SHOW LONG_QUERIES")
    seen = time.monotonic() - t
    assert 0.9 <= seen <= 2.3, f"seen after {seen:.2f} s"
    pid = pg.backends("state='active' AND usename='app' AND query LIKE '%find me%'")[0]
    values = list(r.values())
    assert str(pid) in values and "db0" in values and "app" in values and "sleeper" in values, r
    assert any(v and "active" in v for v in values), r
    other.send(q("SELECT pg_backend_pid()"))
    assert other.silent(0.2)
    assert p.console(f"KILL_QUERY {pid}").tag == "KILL_QUERY"
    res = c.result()
    assert res.error and res.error["C"] == "57014", res.msgs
    o = other.result()
    assert not o.error and o.value == str(pid), "the next query on that server is not harmed"
    wait_until(lambda: not row_with(p, "pg_sleep(3600)"), 3, what="gone from the list")
    assert c.value("SELECT 2") == "2"
    c.quit(), other.quit()


def test_kill_query_by_client_id(pg, pooler):
    p = pooler(long_query_time=1)
    c = p.client()
    c.query("SELECT 1")
    c.send(q("SELECT pg_sleep(30)"))
    pg.wait_query("pg_sleep(30)")
    (ident,) = [r["id"] for r in p.show("CLIENTS") if r["database"] == "db0"]
    assert p.console(f"KILL_QUERY {ident}").tag == "KILL_QUERY"
    assert c.result().error["C"] == "57014"
    assert c.value("SELECT 1") == "1"
    c.quit()


@pytest.mark.parametrize("arg", ["999999999", "abc", "-1", "", "0"])
def test_kill_query_of_nobody_is_an_error(pooler, arg):
    p = pooler()
    with pytest.raises(wire.PgError) as e:
        p.console(f"KILL_QUERY {arg}")
    assert e.value.code == "08P01"


def test_kill_query_of_an_idle_client_harms_nothing(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    c, d = p.client(), p.client()
    c.query("SELECT 1")
    ident = [r["id"] for r in p.show("CLIENTS") if r["database"] == "db0"][0]
    for _ in range(20):
        a = p.admin()
        a.ask(f"KILL_QUERY {ident}")
        a.quit()
        assert not c.ask("SELECT pg_sleep(0.003)").error
        assert not d.ask("SELECT pg_sleep(0.003)").error
    c.quit(), d.quit()


def test_idle_in_transaction_is_seen(pooler):
    p = pooler(long_query_time=1)
    c = p.client()
    c.query("BEGIN")
    c.query("SELECT 'left lying'")
    r = wait_until(lambda: [x for x in rows(p) if any(v and "idle in transaction" in v for v in x.values())], 4)
    assert "db0" in r[0].values()
    c.query("COMMIT")
    wait_until(lambda: not rows(p), 3)
    c.quit()


def test_short_ones_are_not_listed(pooler):
    p = pooler(long_query_time=1)
    c = p.client()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        c.query("SELECT pg_sleep(0.2)")
        assert not rows(p)
    c.quit()


def test_a_threshold_of_ones_own(pooler):
    """SHOW LONG_QUERIES 2 with long_query_time=30."""
    p = pooler(long_query_time=30)
    c = p.client()
    c.send(q("SELECT pg_sleep(4) /* mine */"))
    time.sleep(1.2)
    assert not row_with(p, "mine") and not row_with(p, "mine", 3)
    assert row_with(p, "mine", 1)
    wait_until(lambda: row_with(p, "mine", 2), 3)
    assert not c.result().error
    c.quit()


def test_logged_once_per_crossing(pooler):
    p = pooler(long_query_time=1)
    c = p.client()
    for n in (1, 2):
        c.query(f"SELECT pg_sleep(3.2) /* crossing-{n} */")
        time.sleep(0.2)
        lines = [x for x in p.log_text().splitlines() if f"crossing-{n}" in x]
        assert len(lines) == 1, lines
        assert re.search(r"db0/app", lines[0]), lines[0]
    c.quit()


def test_counted(pooler):
    p = pooler(long_query_time=1)

    def count():
        row = [r for r in p.show("POOLS_EXTENDED") if r["database"] == "db0"]
        got = [int(v) for k, v in row[0].items() if "long" in k and v is not None and v.isdigit()] if row else []
        assert got or not row, f"no count of long queries among {list(row[0])}"
        return max(got) if got else 0

    c = p.client()
    c.query("SELECT 1")
    before = count()
    c.query("SELECT pg_sleep(2.2)")
    c.query("SELECT pg_sleep(2.2)")
    assert count() - before == 2
    c.quit()


@pytest.mark.parametrize("place", ["global", "database", "user"])
def test_action_cancel(pooler, place):
    kw = {"long_query_time": 1, "long_query_action": "cancel"}
    text = "long_query_time=1 long_query_action=cancel"
    p = pooler(**(kw if place == "global" else {"databases": {"db0": text, "db1": ""}} if place == "database" else {"users": {"app": text}}))
    c = p.client()
    t = time.monotonic()
    r = c.ask("SELECT pg_sleep(60)")
    assert r.error["C"] == "57014" and 0.9 < time.monotonic() - t < 3.5
    assert c.value("SELECT 1") == "1", "the client stays"
    other = {"database": ("app", "db1"), "user": ("app2", "db0")}.get(place)
    if other:
        with p.client(*other) as d:
            assert not d.ask("SELECT pg_sleep(2.5)").error
            d.quit()
    c.quit()


def test_action_terminate(pg, pooler):
    p = pooler(long_query_time=1, long_query_action="terminate")
    c = p.client()
    c.send(q("SELECT pg_sleep(60) /* term */"))
    t = time.monotonic()
    msgs = c.rest(6)
    assert 0.9 < time.monotonic() - t < 3.5
    assert msgs and msgs[0].type == "E", wire.describe_msgs(msgs)
    wait_until(lambda: not pg.backends("state='active' AND query LIKE '%/* term */%'"), 4)
    with p.client() as d:
        assert d.ask("SELECT 1").status == "I"
        d.quit()


def test_action_cancel_leaves_others_alone(pooler):
    """The follower on the same server is never the one that is hit."""
    p = pooler(pool_size=1, max_overflow=0, long_query_time=1, long_query_action="cancel", pool_timeout=60)
    c, d = p.client(), p.client()
    for _ in range(4):
        c.send(q("SELECT pg_sleep(60)"))
        time.sleep(0.05)
        d.send(q("SELECT pg_sleep(0.3), 'whole'"))
        assert c.result().error["C"] == "57014"
        assert d.result().rows == [("", "whole")]
    c.quit(), d.quit()


@pytest.mark.parametrize("workers", [1, 4])
def test_time_in_the_queue_is_not_time_of_the_query(pooler, workers):
    """A query that waited two seconds for a server and runs for 0.8 s is no long one."""
    p = pooler(workers=workers, pool_size=1, max_overflow=0, long_query_time=1, long_query_action="cancel", pool_timeout=60)
    a, b = p.client(), p.client()
    a.query("BEGIN")
    b.send(q("SELECT pg_sleep(0.8), 'whole' /* waited */"))
    for _ in range(8):
        a.query("SELECT pg_sleep(0.25)")
    a.query("COMMIT")
    r = b.result()
    assert not r.error, r.error
    assert r.rows == [("", "whole")]
    assert "/* waited */" not in p.log_text()
    a.quit(), b.quit()


def test_text_is_bounded_and_one_line_in_the_log(pooler):
    p = pooler(long_query_time=1)
    c = p.client()
    c.query("SELECT pg_sleep(2.2) /* start\n\x1b[31m " + "y" * 100000 + " */")
    lines = [x for x in p.log_text().splitlines() if "pg_sleep(2.2)" in x]
    assert len(lines) == 1 and len(lines[0]) < 10000 and "\x1b" not in lines[0]
    c.quit()


def test_literals_are_hidden_when_asked(pooler):
    p = pooler(long_query_time=1, query_text_hide_literals=1)
    c = p.client()
    c.send(q("SELECT pg_sleep(2.5), 'canary-literal', 987654321"))
    r = wait_until(lambda: row_with(p, "pg_sleep"), 4)
    assert not [v for v in r.values() if v and ("canary" in v or "987654321" in v)], r
    c.result()
    assert "canary-literal" not in p.log_text() and "987654321" not in p.log_text()
    c.quit()


# ---- health ----

def health(p, database="db0"):
    for r in p.show("HEALTH"):
        if r.get("database") == database:
            return r
    return None


def score(p, database="db0"):
    r = health(p, database)
    return None if r is None or r["score"] is None else float(r["score"])


def test_health_of_an_idle_pooler_is_100(pooler):
    p = pooler(pool_size=4, max_overflow=0)
    with p.client() as c:
        c.query("SELECT 1")
        assert score(p) == 100 and health(p)["status"] == "healthy"
        assert all(r["status"] == "healthy" for r in p.show("HEALTH") if r["score"] is not None)
        c.quit()


BANDS = {5: (99, 100, "healthy"), 6: (65, 75, "warning"), 8: (46, 52, "warning"), 9: (20, 30, "critical"), 10: (0, 3, "critical")}


@pytest.mark.long
def test_utilisation_bands(pooler):
    """u = in use / (pool_size + max_overflow) over ten seconds: 0.5 → 100, 0.6 → 70, 0.8 → 50, 0.9 → 25, 1 → 0."""
    p = pooler(pool_size=7, max_overflow=3, databases={f"of_{used}": "dbname=db0" for used in BANDS})
    held = [p.client(database=f"of_{used}") for used in BANDS for _ in range(used)]
    for c in held:
        c.query("BEGIN")
    for used, (low, high, status) in BANDS.items():
        wait_until(lambda: (lambda s: s is not None and low <= s <= high)(score(p, f"of_{used}")), 14, 0.3, f"a score of {low}..{high}")
    for used, (low, high, status) in BANDS.items():
        r = health(p, f"of_{used}")
        assert low <= float(r["score"]) <= high, r
        if used != 8:       # 50 is the border of two words
            assert r["status"] == status, r
    for c in held:
        c.query("ROLLBACK")
        c.quit()
    for used in BANDS:
        wait_until(lambda: score(p, f"of_{used}") == 100, 14, 0.3, "healthy again")


def test_a_paused_pool_has_no_score(pooler):
    p = pooler()
    with p.client() as c:
        c.query("SELECT 1")
        p.console("PAUSE db0")
        assert health(p)["score"] is None
        p.console("RESUME db0")
        assert health(p)["score"] is not None
        c.quit()


def test_waiting_lowers_the_score(pooler):
    p = pooler(pool_size=10, max_overflow=0, max_db_connections=1, pool_timeout=6)
    a, b = p.client(), p.client()
    a.query("BEGIN")
    b.send(q("SELECT 1"))
    wait_until(lambda: score(p) < 50, 6, 0.2, "the oldest wait against pool_timeout")
    a.query("COMMIT")
    b.result()
    a.quit(), b.quit()


def test_a_long_query_lowers_the_score(pooler):
    p = pooler(pool_size=10, max_overflow=0, long_query_time=1)
    c = p.client()
    c.query("SELECT 1")
    assert score(p) == 100
    c.send(q("SELECT pg_sleep(4)"))
    wait_until(lambda: score(p) < 100, 4, 0.1)
    c.result()
    c.quit()


def test_errors_of_login_lower_the_score(pooler):
    p = pooler(databases={"db0": "user=scrammy password=wrong", "db1": ""}, server_login_retry=1)
    with p.client(database="db1") as c:
        c.query("SELECT 1")
        try:
            p.client(database="db0").query("SELECT 1")
        except (wire.PgError, wire.Closed):
            pass
        low = [float(r["score"]) for r in p.show("HEALTH") if r.get("database") == "db0" and r["score"] is not None]
        assert low and min(low) < 50
        assert score(p, "db1") == 100
        c.quit()


def test_health_has_a_sentence_and_components(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    c = p.client()
    c.query("BEGIN")
    wait_until(lambda: (score(p) or 0) < 50, 14, 0.3)
    r = health(p)
    sentences = [v for v in r.values() if v and len(v.split()) >= 4]
    assert sentences, f"a sentence that says what to do: {r}"
    names = " ".join(r)
    for word in ("utili", "wait", "long", "memory"):
        assert word in names, (word, list(r))
    c.quit()


def test_status_change_is_logged(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    c = p.client()
    c.query("BEGIN")
    wait_until(lambda: (score(p) if score(p) is not None else 100) < 50, 14, 0.3)
    p.log_has(r"(?i)db0/app.*critical", 5)
    c.quit()
