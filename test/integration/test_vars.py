"""T-VAR: reported parameters follow their client from server to server, and nobody else's."""

import random

import pytest

from harness import wire
from harness.wire import extended, q

NAMES = ["client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings", "application_name", "IntervalStyle"]
SEE = "SELECT " + ", ".join(f"current_setting('{n}')" for n in NAMES)

VALUES = {
    "client_encoding": ["UTF8", "LATIN1", "LATIN9"],
    "DateStyle": ["ISO, MDY", "SQL, DMY", "German, DMY", "Postgres, YMD"],
    "TimeZone": ["UTC", "Asia/Tokyo", "Europe/Paris", "America/New_York"],
    "standard_conforming_strings": ["on", "off"],
    "application_name": ["", "one", "two words", "it's", 'a "b"', "back\\slash", "$$;--"],
    "IntervalStyle": ["postgres", "iso_8601", "sql_standard"],
}


def choose(rnd):
    return {n: rnd.choice(v) for n, v in VALUES.items()}


@pytest.mark.parametrize("workers", [1, 4])
def test_T_VAR_01_every_client_sees_its_own_startup_values(pooler, workers):
    rnd = random.Random(5)
    p = pooler(workers=workers, pool_size=2, max_overflow=0)
    clients = []
    for i in range(60):
        want = choose(rnd) if i % 4 else {}
        c = p.client(params={k: v for k, v in want.items() if v})
        c.want = tuple(want.get(n, d) for n, d in zip(NAMES, ("UTF8", "ISO, MDY", "UTC", "on", "", "postgres")))
        for n, v in zip(NAMES, c.want):
            assert c.params[n] == v, n
        clients.append(c)
    for round_ in range(8):
        for c in clients:
            c.send(q(SEE) if round_ % 2 else extended(SEE))
        for c in clients:
            r = c.result()
            assert not r.error, r.error
            assert r.rows == [c.want]
            assert "S" not in r.types, "nothing of its own changed, so nothing is to be reported"
    for c in clients:
        c.quit()


@pytest.mark.parametrize("workers", [1, 4])
def test_T_VAR_01_what_a_client_sets_follows_it(pooler, workers):
    rnd = random.Random(6)
    p = pooler(workers=workers, pool_size=2, max_overflow=0)
    clients = [p.client() for _ in range(30)]
    for c in clients:
        c.have = dict(zip(NAMES, ("UTF8", "ISO, MDY", "UTC", "on", "", "postgres")))
    for round_ in range(60):
        c = rnd.choice(clients)
        n = rnd.choice(NAMES)
        v = rnd.choice(VALUES[n])
        # the way to write it must not depend on standard_conforming_strings
        lit = "E'" + v.replace("\\", "\\\\").replace("'", "\\'") + "'"
        how = round_ % 4
        if how == 0:
            c.query(f"SET {n} = {lit}")
            c.have[n] = v
        elif how == 1:
            c.query("BEGIN")
            c.query(f"SET {n} = {lit}")
            c.query("COMMIT")
            c.have[n] = v
        elif how == 2:
            c.query("BEGIN")
            c.query(f"SET {n} = {lit}")
            c.query("ROLLBACK")
        else:
            c.query("BEGIN")
            c.query(f"SET LOCAL {n} = {lit}")
            c.query("COMMIT")
        for x in clients:
            x.send(q(SEE))
        for x in clients:
            assert x.result().rows == [tuple(x.have[n] for n in NAMES)], (round_, n, v, how, x is c)
    for c in clients:
        c.quit()


VECTORS = ["'", "''", "\\", "\\'", "E'", "$$", ";--", "x\ny", "\"$user\", public", "\t", "%s%n", "${x}", "a=b", "x" * 60, "\x01", "ends\\",
           "'; DROP TABLE whoami; --", "\\'; DROP TABLE whoami; --"]


@pytest.mark.parametrize("encoding", ["UTF8", "SJIS", "BIG5", "GBK", "GB18030", "UHC", "JOHAB", "LATIN1"])
def test_V_G_quoting(pooler, encoding):
    """V-G01…G05: values that are dangerous to quote, with client encodings whose second bytes look like quotes."""
    p = pooler(pool_size=1, max_overflow=0)
    other = p.client()
    for v in VECTORS:
        c = wire.Client(p.addr, "app", "db0", params=[("application_name", v), ("client_encoding", encoding)])
        got = c.query("SELECT encode(convert_to(current_setting('application_name'), 'UTF8'), 'hex'), db FROM whoami").rows[0]
        # PostgreSQL itself replaces what is not printable ASCII in application_name
        clean = "".join(ch if 32 <= ord(ch) < 127 else "?" for ch in v)[:63]
        assert bytes.fromhex(got[0]).decode() == clean, (v, got)
        assert got[1] == "db0"
        assert other.value("SHOW application_name") == ""
        c.quit()
    # a multibyte character whose tail is a quote or a backslash, as bytes
    for tail in (b"\x83\x5c", b"\xb5\x5c", b"\x81\x27", b"\x81\x30\x81\x5c"):
        c = wire.Client(p.addr, "app", "db0", login=False)
        c.send(wire.startup([("user", "app"), ("database", "db0"), ("client_encoding", encoding), (b"application_name", b"x" + tail + b"; --")]))
        try:
            c.login()
            assert c.value("SELECT db FROM whoami") == "db0"
        except (wire.PgError, wire.Closed):
            pass
        c.close()
        assert other.value("SELECT db FROM whoami") == "db0"
        # the same in a parameter that no server reports: taken as these bytes, or refused
        c = wire.Client(p.addr, "app", "db0", login=False)
        c.send(wire.startup([("user", "app"), ("database", "db0"), ("client_encoding", encoding), (b"fx.v", b"x" + tail + b"'; --")]))
        try:
            c.login()
            assert c.value("SELECT encode(current_setting('fx.v')::bytea, 'hex')") == (b"x" + tail + b"'; --").hex()
        except wire.PgError as e:
            assert e.code == "22021"
        c.close()
        assert other.value("SELECT db FROM whoami") == "db0"
        assert (other.value("SELECT current_setting('fx.v', true)") or "") == ""
    for v in VECTORS:
        with p.client(params=[("fx.v", v), ("client_encoding", encoding), ("search_path", '"%s", public' % v.replace('"', '""'))]) as c:
            assert c.value("SELECT current_setting('fx.v')") == v
            assert c.value("SELECT db FROM whoami") == "db0"
            c.quit()
    other.quit()


def test_a_wrong_value_is_told_to_the_one_who_gave_it(pooler):
    """And the server stays good for the others."""
    p = pooler(pool_size=1, max_overflow=0)
    other = p.client()
    assert other.value("SELECT 1") == "1"
    for name, value in (("client_encoding", "NO_SUCH"), ("TimeZone", "Mars/Olympus"), ("DateStyle", "wild")):
        try:
            c = p.client(params={name: value})
            r = c.ask("SELECT 1")
            assert r.error, f"{name}={value} was taken"
            c.close()
        except (wire.PgError, wire.Closed):
            pass
        assert other.value("SHOW TimeZone") == "UTC"
    other.quit()


def test_C2_steady_state_sets_nothing(own_pg, maker):
    """Two clients with different values that use the server in turns: a SET at each change, none while one goes on alone."""
    own_pg.sql("ALTER ROLE app SET log_statement = 'all'")
    try:
        p = maker(own_pg, pool_size=1, max_overflow=0)
        a = p.client(params={"TimeZone": "Asia/Tokyo", "DateStyle": "SQL, DMY"})
        a.query("SELECT 'warm'")
        before = len(own_pg.log_text())
        for i in range(50):
            a.query(f"SELECT {i} /* steady */")
        text = own_pg.log_text()[before:]
        assert text.count("/* steady */") == 50
        assert "SET " not in text and "set_config" not in text, text[:2000]
        a.quit()
    finally:
        own_pg.sql("ALTER ROLE app RESET log_statement")


def test_session_mode_resets_to_the_next_clients_values(pooler):
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0)
    a = p.client(params={"TimeZone": "Asia/Tokyo"})
    a.query("SET DateStyle='German'")
    assert a.query("SELECT current_setting('TimeZone')").value == "Asia/Tokyo"
    a.quit()
    b = p.client(params={"application_name": "b"})
    assert b.query(SEE).rows == [("UTF8", "ISO, MDY", "UTC", "on", "b", "postgres")]
    b.quit()


def test_defaults_of_role_and_database_are_reported(own_pg, maker):
    """What the server itself says at its login is what a client without wishes is told and gets."""
    own_pg.sql("ALTER ROLE app SET TimeZone='Asia/Tokyo'; ALTER DATABASE db1 SET DateStyle='German'")
    try:
        p = maker(own_pg, pool_size=1, max_overflow=0)
        with p.client(database="db1") as c, p.client("app2", "db1") as d:
            assert c.params["TimeZone"] == "Asia/Tokyo" == c.value("SHOW TimeZone")
            assert c.params["DateStyle"] == "German, DMY" == c.value("SHOW DateStyle")
            assert d.params["TimeZone"] == "UTC" == d.value("SHOW TimeZone")
            c.quit(), d.quit()
    finally:
        own_pg.sql("ALTER ROLE app RESET TimeZone; ALTER DATABASE db1 RESET DateStyle")
