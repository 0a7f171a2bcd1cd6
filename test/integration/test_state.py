"""T-VAR-02: forty things that make session state, in the three pool modes: what the next client of the same server finds.

follows   the pooler gives everybody his own: the next client never sees it, and its maker keeps it
ends      it ends with the transaction, whatever the mode
stays     in transaction and statement mode it belongs to the server and whoever comes next (as with every pooler that shares servers
          between transactions); session mode, and server_reset_query_always, clean it up
"""

import pytest

from harness.wire import bind, close, extended, parse, q, sync, wait_until

G = "SELECT current_setting('{}', true)"

# name, what makes it, how it is seen, what it was before, kind
MAKERS = [
    ("SET DateStyle", "SET DateStyle='German, DMY'", G.format("DateStyle"), "ISO, MDY", "follows"),
    ("SET TimeZone", "SET TimeZone='Asia/Tokyo'", G.format("TimeZone"), "UTC", "follows"),
    ("SET TIME ZONE", "SET TIME ZONE 'Europe/Paris'", G.format("TimeZone"), "UTC", "follows"),
    ("SET client_encoding", "SET client_encoding='LATIN1'", G.format("client_encoding"), "UTF8", "follows"),
    ("SET NAMES", "SET NAMES 'LATIN9'", G.format("client_encoding"), "UTF8", "follows"),
    ("SET IntervalStyle", "SET IntervalStyle='iso_8601'", G.format("IntervalStyle"), "postgres", "follows"),
    ("SET standard_conforming_strings", "SET standard_conforming_strings=off", G.format("standard_conforming_strings"), "on", "follows"),
    ("SET application_name", "SET application_name='mine'", G.format("application_name"), "", "follows"),
    ("SET default_transaction_read_only", "SET default_transaction_read_only=on", G.format("default_transaction_read_only"), "off", "follows"),
    ("set_config", "SELECT set_config('TimeZone','Asia/Tokyo',false)", G.format("TimeZone"), "UTC", "follows"),
    ("set_config in a function", "DO $$BEGIN PERFORM set_config('DateStyle','SQL, DMY',false); END$$", G.format("DateStyle"), "ISO, MDY", "follows"),
    ("UPDATE pg_settings", "UPDATE pg_settings SET setting='Asia/Tokyo' WHERE name='TimeZone'", G.format("TimeZone"), "UTC", "follows"),
    ("SET SESSION CHARACTERISTICS", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", G.format("default_transaction_read_only"), "off", "follows"),
    ("SET in a block", "BEGIN; SET TimeZone='Asia/Tokyo'; COMMIT", G.format("TimeZone"), "UTC", "follows"),
    ("SET LOCAL", "BEGIN; SET LOCAL TimeZone='Asia/Tokyo'; COMMIT", G.format("TimeZone"), "UTC", "ends"),
    ("SET LOCAL of another", "BEGIN; SET LOCAL work_mem='7MB'; COMMIT", G.format("work_mem"), "4MB", "ends"),
    ("SET rolled back", "BEGIN; SET TimeZone='Asia/Tokyo'; ROLLBACK", G.format("TimeZone"), "UTC", "ends"),
    ("SET of another rolled back", "BEGIN; SET work_mem='7MB'; ROLLBACK", G.format("work_mem"), "4MB", "ends"),
    ("SET TRANSACTION", "BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; COMMIT", G.format("transaction_isolation"), "read committed", "ends"),
    ("SET CONSTRAINTS", "BEGIN; SET CONSTRAINTS ALL DEFERRED; COMMIT", "SELECT 1", "1", "ends"),
    ("temporary table ON COMMIT DROP", "BEGIN; CREATE TEMP TABLE state_drop(n int) ON COMMIT DROP; COMMIT", "SELECT to_regclass('pg_temp.state_drop') IS NULL",
     "t", "ends"),
    ("advisory lock of a transaction", "BEGIN; SELECT pg_advisory_xact_lock(71); COMMIT",
     "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND objid=71", "0", "ends"),
    ("cursor", "BEGIN; DECLARE state_c CURSOR FOR SELECT 1; COMMIT", "SELECT count(*) FROM pg_cursors WHERE name='state_c'", "0", "ends"),
    ("SAVEPOINT", "BEGIN; SAVEPOINT a; SAVEPOINT b; COMMIT", "SELECT 1", "1", "ends"),
    ("SET search_path", "SET search_path='pg_catalog'", G.format("search_path"), '"$user", public', "stays"),
    ("SET statement_timeout", "SET statement_timeout='61s'", G.format("statement_timeout"), "0", "stays"),
    ("SET lock_timeout", "SET lock_timeout='61s'", G.format("lock_timeout"), "0", "stays"),
    ("SET work_mem", "SET work_mem='7MB'", G.format("work_mem"), "4MB", "stays"),
    ("SET client_min_messages", "SET client_min_messages='error'", G.format("client_min_messages"), "notice", "stays"),
    ("SET extra_float_digits", "SET extra_float_digits=0", G.format("extra_float_digits"), "1", "stays"),
    ("SET some.var", "SET fx.state='x'", "SELECT coalesce(current_setting('fx.state', true), '')", "", "stays"),
    ("SET ROLE", "SET ROLE app2", "SELECT current_user", "app", "stays"),
    ("temporary table", "CREATE TEMP TABLE state_t(n int)", "SELECT to_regclass('pg_temp.state_t') IS NULL", "t", "stays"),
    ("temporary sequence", "CREATE TEMP SEQUENCE state_s", "SELECT to_regclass('pg_temp.state_s') IS NULL", "t", "stays"),
    ("temporary view", "CREATE TEMP VIEW state_v AS SELECT 1", "SELECT to_regclass('pg_temp.state_v') IS NULL", "t", "stays"),
    ("SQL PREPARE", "PREPARE state_p AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE name='state_p'", "0", "stays"),
    ("advisory lock", "SELECT pg_advisory_lock(72)", "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND objid=72", "0", "stays"),
    ("LISTEN", "LISTEN state_channel", "SELECT count(*) FROM pg_listening_channels()", "0", "stays"),
    ("cursor WITH HOLD", "BEGIN; DECLARE state_h CURSOR WITH HOLD FOR SELECT 1; COMMIT", "SELECT count(*) FROM pg_cursors WHERE name='state_h'", "0", "stays"),
    ("seed of random()", "SELECT setseed(0.5)", "SELECT 1", "1", "ends"),
    ("SET SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION app2", "SELECT session_user", "app", "follows"),
]


@pytest.fixture
def super_pg(own_pg):
    own_pg.sql("ALTER ROLE app SUPERUSER")
    own_pg.kill_backends()
    yield own_pg
    own_pg.sql("ALTER ROLE app NOSUPERUSER")


def make(c, sql):
    """Block by block, message by message: statement mode is not asked for blocks."""
    for part in sql.split("; ") if sql.startswith("BEGIN") else [sql]:
        c.query(part)


def test_there_are_forty():
    assert len(MAKERS) >= 40 and len({m[0] for m in MAKERS}) == len(MAKERS)


@pytest.mark.parametrize("mode", ["session", "transaction", "statement", "transaction, reset always"])
def test_T_VAR_02(super_pg, maker, mode):
    always = mode.endswith("always")
    p = maker(super_pg, pool_mode=mode.split(",")[0], pool_size=1, max_overflow=0, server_reset_query_always=int(always))
    for name, sql, look, before, kind in MAKERS:
        if mode == "statement" and sql.startswith("BEGIN"):
            continue
        a = p.client()
        assert a.value(look) == before, name
        make(a, sql)
        if mode == "session":
            made = a.value(look)
            assert (made != before) == (kind != "ends"), name
            a.quit()
            wait_until(lambda: p.pool()["sv_idle"] == 1)
        b = p.client()
        found = b.value(look)
        clean = kind != "stays" or mode == "session" or always
        assert (found == before) == clean, (name, found)
        if kind == "follows" and mode != "session":
            assert a.value(look) != before, f"{name}: its maker has lost it"
            assert b.value(look) == before, name
        # the same again: what the maker has is not for b, however often they take turns
        if mode != "session":
            a.quit()
        b.quit()
        if not clean:
            super_pg.kill_backends()


def test_protocol_level_state(pooler):
    """Statements and portals of the protocol are the client's own in every mode."""
    for mode in ("session", "transaction", "statement"):
        p = pooler(pool_mode=mode, pool_size=2, max_overflow=0)
        a, b = p.client(), p.client()
        a.run(parse("SELECT 'a'", "s1"), sync())
        b.run(parse("SELECT 'b'", "s1"), sync())
        for _ in range(3):
            for c, text in ((a, "a"), (b, "b")):
                assert c.run(bind(stmt="s1"), b"E\0\0\0\x09\0\0\0\0\0", sync()).rows == [(text,)]
        assert not a.run(close("S", "s1"), sync()).error
        assert a.run(bind(stmt="s1"), sync()).error["C"] == "26000"
        assert b.run(bind(stmt="s1"), b"E\0\0\0\x09\0\0\0\0\0", sync()).rows == [("b",)]
        a.quit(), b.quit()


# ---- T-VAR-01: all that a server reports, five values each, many clients ----

REPORTED = {
    "application_name": ["", "one", "it's", 'a "b"', "back\\slash"],
    "client_encoding": ["UTF8", "LATIN1", "LATIN9", "WIN1252", "SQL_ASCII"],
    "DateStyle": ["ISO, MDY", "SQL, DMY", "German, DMY", "Postgres, YMD", "ISO, DMY"],
    "default_transaction_read_only": ["off", "on", "off", "on", "off"],
    "IntervalStyle": ["postgres", "iso_8601", "sql_standard", "postgres_verbose", "postgres"],
    "standard_conforming_strings": ["on", "off", "on", "off", "on"],
    "TimeZone": ["UTC", "Asia/Tokyo", "Europe/Paris", "America/New_York", "<+05:30>-5:30"],
}


def test_everything_that_is_reported_is_in_the_table(pooler):
    """A PostgreSQL that reports more must find its way into this test."""
    p = pooler()
    with p.client() as c:
        fixed = {"server_version", "server_encoding", "integer_datetimes", "is_superuser", "session_authorization", "in_hot_standby"}
        assert set(c.params) - fixed == set(REPORTED)
        assert len(c.params) == c.seq.count("S"), "each once"
        c.quit()


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 4])
def test_T_VAR_01_a_thousand_clients(pooler, workers):
    p = pooler(workers=workers, pool_size=3, max_overflow=0, max_client_conn=1100, max_unauthenticated_percent=100)
    names = list(REPORTED)
    look = "SELECT " + ", ".join(f"current_setting('{n}')" for n in names)
    default = [v[0] for v in REPORTED.values()]
    clients = []
    n = 250 if p.sanitized() else 1000
    for i in range(n):
        c = p.client(timeout=60)
        c.want = list(default)
        clients.append(c)
    for step in range(5):
        for i, c in enumerate(clients):
            if i % 3 == 0:
                continue  # never sets anything
            k = (i + step) % len(names)
            value = REPORTED[names[k]][(i // 7 + step) % 5]
            c.want[k] = value
            c.send(q(f"SET {names[k]} = E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"), extended(look))
        for i, c in enumerate(clients):
            if i % 3:
                r = c.result(2)
                assert not r.error, r.error
                assert list(r.rows[0]) == c.want, (step, i)
        for c in clients:
            c.send(q(look))
        for i, c in enumerate(clients):
            assert list(c.result().rows[0]) == c.want, (step, i)
    for c in clients:
        c.quit()
