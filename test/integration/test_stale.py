"""A client that prepares gets what is there now, although its server has the same text from before a change of the table.

Its Parse is not sent to a server that has the statement; PostgreSQL finds only at the Bind that the old plan will not do."""

import pytest

from harness import wire
from harness.wire import bind, close, describe, execute, flush, parse, q, sync

TEXT = "SELECT * FROM stale"
FLUSHED = "wait for the answer so far"

# What a client says that has just come, and what PostgreSQL says to that.
WAYS = {
    "one batch": ([parse(TEXT, "s"), bind(stmt="s"), execute(), sync()], "12DCZ"),
    "rows described": ([parse(TEXT, "s"), bind(stmt="s"), describe("P"), execute(), sync()], "12TDCZ"),
    "statement described": ([parse(TEXT, "s"), describe("S", "s"), bind(stmt="s"), execute(), sync()], "1tT2DCZ"),
    "described first": ([parse(TEXT, "s"), describe("S", "s"), sync(), bind(stmt="s"), execute(), sync()], "1tTZ2DCZ"),
    "prepared first": ([parse(TEXT, "s"), sync(), bind(stmt="s"), execute(), sync()], "1Z2DCZ"),
    "flush behind Parse": ([parse(TEXT, "s"), flush(), FLUSHED, bind(stmt="s"), execute(), sync()], "12DCZ"),
    "another in front": ([parse("SELECT 7", "t"), parse(TEXT, "s"), bind(stmt="s"), execute(), sync()], "112DCZ"),
    "twice": ([parse(TEXT, "s"), parse(TEXT, "u"), bind(stmt="u"), execute(), bind(stmt="s"), execute(), sync()], "112DC2DCZ"),
}
UNNAMED = {
    "one batch": ([parse(TEXT), bind(), describe("P"), execute(), sync()], "12TDCZ"),
    "not described": ([parse(TEXT), bind(), execute(), sync()], "12DCZ"),
    "statement described": ([parse(TEXT), describe("S"), bind(), execute(), sync()], "1tT2DCZ"),
    "prepared first": ([parse(TEXT), sync(), bind(), execute(), sync()], "1Z2DCZ"),
    "flush behind Parse": ([parse(TEXT), flush(), FLUSHED, bind(), execute(), sync()], "12DCZ"),
}


def say(c, steps):
    """Each batch is answered before the next is sent."""
    msgs, batch = [], b""
    for step in steps:
        if step is FLUSHED:
            c.send(batch)
            msgs += c.until("1")
            batch = b""
            continue
        batch += step
        if step == sync():
            c.send(batch)
            msgs += c.until("Z")
            batch = b""
    return wire.Result(msgs)


@pytest.fixture
def table(pg):
    with pg.client() as c:
        c.query("DROP TABLE IF EXISTS stale; CREATE TABLE stale AS SELECT 1 AS a")
        yield c
        c.query("DROP TABLE stale")


@pytest.mark.parametrize("way", WAYS)
def test_a_new_client_gets_the_new_rows(pg, pooler, table, way):
    steps, types = WAYS[way]
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    with p.client() as c:
        assert c.run(parse(TEXT, "old"), bind(stmt="old"), execute(), sync()).rows == [("1",)]
        c.run(parse("SELECT 7", "seven"), sync())
    for i in range(3):
        table.query(f"ALTER TABLE stale ADD b{i} int DEFAULT {i}")     # on a connection that the pooler does not see
        want = ("1",) + tuple(str(k) for k in range(i + 1))
        for where in (pg, p):
            with where.client() as c:
                r = say(c, steps)
                assert r.types == types and set(r.rows) == {want}, r.msgs
                assert c.run(bind(stmt="s"), execute(), sync()).rows == [want]


@pytest.mark.parametrize("way", UNNAMED)
def test_unnamed_statements_that_are_reused(pg, pooler, table, way):
    steps, types = UNNAMED[way]
    p = pooler(workers=1, pool_size=1, max_overflow=0, reuse_unnamed_statements=1)
    with p.client() as c:
        for _ in range(3):
            assert c.run(wire.extended(TEXT)).rows == [("1",)]
    for i in range(3):
        table.query(f"ALTER TABLE stale ADD b{i} int DEFAULT {i}")
        want = ("1",) + tuple(str(k) for k in range(i + 1))
        for where in (pg, p):
            with where.client() as c:
                for _ in range(3):
                    r = say(c, steps)
                    assert r.types == types and r.rows == [want], r.msgs


def test_who_has_used_it_is_told(pooler, table):
    """Whoever has seen rows of it, or their description, may go by that: it hears of the change as from PostgreSQL, once."""
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    with p.client() as c, p.client() as d:
        assert c.run(parse(TEXT, "s"), bind(stmt="s"), execute(), sync()).rows == [("1",)]
        assert d.run(parse(TEXT, "s"), describe("S", "s"), sync()).types == "1tTZ"
        table.query("ALTER TABLE stale ADD b int DEFAULT 2")
        for x in (c, d):
            r = x.run(bind(stmt="s"), execute(), sync())
            assert r.error["C"] == "0A000", r.msgs
        assert c.run(close("S", "s"), parse(TEXT, "s"), bind(stmt="s"), execute(), sync()).rows == [("1", "2")]


def test_inside_a_transaction_it_is_told_once(pooler, table):
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    with p.client() as c:
        assert c.run(parse(TEXT, "old"), bind(stmt="old"), execute(), sync()).rows == [("1",)]
    table.query("ALTER TABLE stale ADD b int DEFAULT 2")
    with p.client() as c:
        c.query("BEGIN")
        r = c.run(parse(TEXT, "s"), bind(stmt="s"), execute(), sync())
        assert (r.types, r.error["C"], r.status) == ("1EZ", "0A000", "E"), r.msgs
        c.query("ROLLBACK")
        c.query("BEGIN")
        r = c.run(parse(TEXT, "s2"), bind(stmt="s2"), execute(), sync())
        assert (r.types, r.rows) == ("12DCZ", [("1", "2")]), r.msgs
        c.query("COMMIT")


@pytest.mark.parametrize("pipelined", [False, True])
def test_a_change_that_went_through_the_pooler_is_known(pooler, table, pipelined):
    """Then nothing has to be said anew: also inside a transaction, and in front of other requests, nobody hears of it."""
    p = pooler(workers=2, pool_size=2, max_overflow=0)
    with p.client() as c, p.client() as d:
        for x in (c, d):
            x.query("BEGIN")
        for x in (c, d):
            assert x.run(parse(TEXT, "old"), bind(stmt="old"), execute(), sync()).rows == [("1",)]
        for x in (c, d):
            x.query("COMMIT")
        c.query("ALTER TABLE stale ADD b int DEFAULT 2")
        use = parse(TEXT, "s") + bind(stmt="s") + execute() + sync()
        with p.client() as e, p.client() as f:
            for x in (e, f):
                if pipelined:
                    x.send(use, q("SELECT 3"))
                    assert "".join(m.type for m in x.until("Z", 2)) == "12DCZTDCZ"
                else:
                    x.query("BEGIN")
                    r = x.run(use)
                    assert r.rows == [("1", "2")], r.msgs
            for x in (e, f):
                x.query("ROLLBACK")
