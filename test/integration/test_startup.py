"""Startup parameters of all kinds: honoured, taken away for the next client, refused in PostgreSQL's words; RESET goes back to them."""

import random
import time

import pytest

from harness import wire
from harness.wire import extended, q

# what no server reports (PostgreSQL 15), with values as SHOW gives them
LOOSE = {
    "statement_timeout": ["0", "61s", "62s"],
    "lock_timeout": ["0", "63s", "64s"],
    "client_min_messages": ["notice", "warning", "log"],
    "search_path": ['"$user", public', "pg_catalog, public", 'public, "Odd Name", "it\'s", "q""q"'],
    "fx.var": [None, "x", "it's; \\ \"quoted\""],
    "work_mem": ["4MB", "5MB", "6MB"],
    "extra_float_digits": ["1", "2", "3"],
    "default_transaction_isolation": ["read committed", "serializable", "repeatable read"],
    "geqo": ["on", "off", "off"],
}


def see(names):
    return "SELECT " + ", ".join(f"current_setting('{n}', true)" for n in names)


def escape(value):
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def options(want, how):
    """The startup parameter options, in every way to write it."""
    forms = ["-c {}={}", "-c{}={}", "--{}={}"]
    return " ".join(forms[(how + i) % 3].format(n if (how + i) % 3 < 2 else n.replace("_", "-"), escape(v))
                    for i, (n, v) in enumerate(want.items()))


def is_same(got, want):
    return (got or None) == (want or None)


@pytest.mark.parametrize("workers", [1, 4])
def test_startup_parameters_are_honoured_and_taken_away(pooler, workers):
    rnd = random.Random(11)
    p = pooler(workers=workers, pool_size=2, max_overflow=0, ignore_startup_parameters="")
    names = list(LOOSE)
    clients = []
    for i in range(40):
        want = {n: rnd.choice(v[1:]) for n, v in LOOSE.items() if rnd.random() < 0.4} if i % 4 else {}
        params = {}
        if i % 2:
            params["options"] = options(want, i)
        else:
            params.update(want)
        c = p.client(params={k: v for k, v in params.items() if v})
        c.want = [want.get(n, LOOSE[n][0]) for n in names]
        assert not set(c.params) & set(names), "the server reports none of these"
        clients.append(c)
    for round_ in range(6):
        for c in clients:
            c.send(q(see(names)) if round_ % 2 else extended(see(names)))
        for i, c in enumerate(clients):
            r = c.result()
            assert not r.error, r.error
            for n, got, want in zip(names, r.rows[0], c.want):
                assert is_same(got, want), (i, n)
            assert "S" not in r.types
    for c in clients:
        c.quit()


def test_values_are_what_postgresql_makes_of_them(pooler, pg):
    p = pooler(pool_size=1, max_overflow=0)
    names = ["search_path", "statement_timeout", "work_mem", "DateStyle", "application_name", "TimeZone", "fx.var"]
    for params in ({"search_path": "Public,pg_catalog"}, {"search_path": ""}, {"search_path": '"Public"'}, {"statement_timeout": "1min"},
                   {"work_mem": "5120"}, {"datestyle": "iso,dmy"}, {"TIMEZONE": "europe/paris"}, {"options": "-c work-mem=7MB"},
                   {"options": "-c geqo=off --statement-timeout=5000"}, {"options": "-c fx.var=a\\ b\\\\c"}, {"options": "  "}):
        with pg.client(params=params) as d, p.client(params=params) as c:
            there, here = (x.query(see(names)).rows[0] for x in (d, c))
            assert [v or "" for v in here] == [v or "" for v in there]
            assert c.params == d.params, params
            d.quit(), c.quit()


@pytest.mark.parametrize("params", [
    {"TimeZone": "Mars/Olympus"}, {"client_encoding": "NO_SUCH"}, {"DateStyle": "wild"}, {"statement_timeout": "soon"},
    {"statement_timeout": "-5"}, {"no_such_parameter": "1"}, {"search_path": "a,,b"}, {"log_statement": "all"}, {"wal_level": "minimal"},
    {"max_connections": "5"}, {"options": "-c no_such=1"}, {"options": "-c statement_timeout=x"}, {"server_version": "8"},
    {"no such": "1"}, {"it's": "1"}, {"a\"b": "1"}, {"DEFAULT": "1"}, {"x" * 900: "1"}], ids=lambda p: str(p)[:40])
def test_what_postgresql_refuses_is_refused_with_its_own_error(pooler, pg, params):
    p = pooler(pool_size=1, max_overflow=0)
    with pytest.raises(wire.PgError) as there:
        pg.client(params=params)
    with pytest.raises(wire.PgError) as here:
        p.client(params=params)
    if params not in ({"server_version": "8"},):
        assert here.value.code == there.value.code, here.value
    # SET says it a little differently from the command line where a value can't be changed at all
    if here.value.code != "55P02":
        assert here.value.text.split(":")[0] == there.value.text.split(":")[0]
    assert here.value.severity == "FATAL"
    with p.client() as c:
        assert c.value("SELECT db FROM whoami") == "db0"
        c.quit()


def test_options_that_are_no_settings_are_refused(pooler):
    p = pooler()
    for text in ("-x", "-c", "-c novalue", "-c=", "-c =1", "--", "-d 5", "statement_timeout=1", "-c a.b=" + "x" * 3000):
        with pytest.raises(wire.PgError) as e:
            p.client(params={"options": text})
        assert "unsupported options startup parameter" in e.value.text


def test_ignored_parameters_are_dropped(pooler):
    p = pooler(pool_size=1, max_overflow=0, ignore_startup_parameters="statement_timeout, no_such, options")
    with p.client(params={"statement_timeout": "5000", "no_such": "1", "options": "rubbish", "work_mem": "5MB"}) as c:
        assert c.query(see(["statement_timeout", "work_mem"])).rows == [("0", "5MB")]
        c.quit()


def test_unicode_in_a_value(pooler, pg):
    p = pooler(pool_size=1, max_overflow=0)
    for v in ("größe", "日本", "a\u0007b\u007f"):
        with pg.client(params={"fx.var": v}) as d, p.client(params={"fx.var": v}) as c:
            assert c.value(see(["fx.var"])) == d.value(see(["fx.var"])) == v
            c.quit(), d.quit()
    with pytest.raises(wire.PgError):
        p.client(params=[("fx.var", b"\xff\xfe")])
    with p.client() as c:
        assert c.value("SELECT db FROM whoami") == "db0"
        c.quit()


def test_the_steady_state_sets_nothing(own_pg, maker):
    """Clients of one application, all with the same wishes: 0 SETs in 10,000 transactions."""
    params = {"TimeZone": "Asia/Tokyo", "statement_timeout": "30000", "options": "-c search_path=public -c fx.var=x"}
    own_pg.sql("ALTER ROLE app SET log_statement = 'all'")
    try:
        p = maker(own_pg, pool_size=1, max_overflow=0)
        clients = [p.client(params=params if i % 2 else dict(reversed(params.items()))) for i in range(10)]
        clients[0].query("SELECT 'warm'")
        before = len(own_pg.log_text())
        for round_ in range(50):
            for c in clients:
                c.send(b"".join(q("SELECT 1") for _ in range(20)))
            for c in clients:
                c.result(20)
        text = own_pg.log_text()[before:]
        assert text.count("statement: SELECT 1") == 10000
        assert "SET " not in text and "RESET" not in text and "set_config" not in text
        for c in clients:
            c.quit()
    finally:
        own_pg.sql("ALTER ROLE app RESET log_statement")


def test_a_change_of_hands_costs_one_query(own_pg, maker):
    """With the values that differ and no others; and both in the log as PgBouncer words it."""
    own_pg.sql("ALTER ROLE app SET log_statement = 'all'")
    try:
        p = maker(own_pg, pool_size=1, max_overflow=0, verbose=2)
        a = p.client(params={"TimeZone": "Asia/Tokyo", "statement_timeout": "5s", "DateStyle": "ISO"})
        b = p.client(params={"TimeZone": "Asia/Tokyo", "application_name": "b"})
        for c in (a, b):
            c.query("SELECT 1")
        before = len(own_pg.log_text())
        for c in (a, b, b, a, a):
            c.query("SELECT 1")
        said = [line.split("statement: ")[1] for line in own_pg.log_text()[before:].split("\n") if "statement: " in line]
        sets = [s for s in said if s != "SELECT 1"]
        assert len(said) - len(sets) == 5 and len(sets) == 3, said
        assert all("TimeZone" not in s and "DateStyle" not in s for s in sets), sets
        p.log_has(r"varcache_apply: .*SET DateStyle='ISO'")
        p.log_has(r"varcache_set_canonical: setting DateStyle to its canonical version ISO -> ISO, MDY")
        a.quit(), b.quit()
    finally:
        own_pg.sql("ALTER ROLE app RESET log_statement")


@pytest.mark.parametrize("check,said", [("SELECT 'are you there'", ["SELECT 'are you there'"] * 5), ("<empty>", [""] * 5), ("", [])])
def test_server_check_query(own_pg, maker, check, said):
    own_pg.sql("ALTER ROLE app SET log_statement = 'all'")
    try:
        p = maker(own_pg, pool_size=1, max_overflow=0, pre_ping_idle=0, server_check_query=check)
        c = p.client()
        c.query("SELECT 'warm'")
        before = len(own_pg.log_text())
        for _ in range(5):
            c.query("SELECT 1")
        text = own_pg.log_text()[before:]
        lines = [line.split("statement: ")[1] for line in text.split("\n") if "statement: " in line]
        assert [s for s in lines if s == "SELECT 1"] == ["SELECT 1"] * 5
        assert [s for s in lines if s != "SELECT 1"] == said
        c.quit()
    finally:
        own_pg.sql("ALTER ROLE app RESET log_statement")


def test_a_role_at_login(own_pg, maker):
    """SET ROLE by the startup packet: this client's, and nobody else's; refused to who is no member."""
    own_pg.sql("GRANT app2 TO app")
    try:
        p = maker(own_pg, pool_size=1, max_overflow=0)
        a, b = p.client(params={"options": "-c role=app2"}), p.client()
        for _ in range(3):
            assert a.value("SELECT current_user") == "app2" and b.value("SELECT current_user") == "app"
        a.query("RESET ROLE")
        assert a.value("SELECT current_user") == "app2"
        a.quit(), b.quit()
        with pytest.raises(wire.PgError) as e:
            p.client(params={"role": "postgres"})
        assert e.value.code == "42501"
    finally:
        own_pg.sql("REVOKE app2 FROM app")


# ---- RESET ----

START = {"TimeZone": "Asia/Tokyo", "DateStyle": "SQL, DMY", "application_name": "mine", "statement_timeout": "61s", "search_path": "pg_catalog, public",
         "fx.var": "x"}
OTHER = {"TimeZone": "Europe/Paris", "DateStyle": "German, DMY", "application_name": "other", "statement_timeout": "5s", "search_path": "public",
         "fx.var": "y"}
SEE = see(START)


def has(c, want):
    got = dict(zip(START, c.query(SEE).rows[0]))
    assert got == want
    for n in ("TimeZone", "DateStyle", "application_name"):
        assert c.params[n] == want[n], n


def run(c, sql, how="simple"):
    c.send(q(sql) if how == "simple" else extended(sql))
    r = c.result()
    for m in r.msgs:
        if m.type == "S":
            k, v = m.body.split(b"\0")[:2]
            c.params[k.decode()] = v.decode()
    assert not r.error, r.error
    return r


@pytest.mark.parametrize("how", ["simple", "extended"])
@pytest.mark.parametrize("mode", ["transaction", "session", "statement"])
@pytest.mark.parametrize("name", list(START))
def test_reset_goes_back_to_the_startup_value(pooler, mode, name, how):
    p = pooler(pool_mode=mode, pool_size=1, max_overflow=0)
    c = p.client(params=START)
    lit = "'" + OTHER[name] + "'"
    has(c, START)
    run(c, f"SET {name} TO {lit}", how)
    if mode == "session" or name in c.params:
        has(c, dict(START, **{name: OTHER[name]}))
    run(c, f"RESET {name}", how)
    has(c, START)
    run(c, f"SET {name} TO {lit}", how)
    run(c, "RESET ALL", how)
    has(c, START)
    run(c, f"SET {name} TO {lit}", how)
    run(c, "DISCARD ALL", how)
    has(c, START)
    run(c, f"SET {name} TO {lit}", how)
    run(c, f"SET {name} TO DEFAULT", how)
    has(c, START)
    # the report comes before the ReadyForQuery, and its last word is the truth
    run(c, f"SET {name} TO {lit}", how)
    r = run(c, f"RESET {name}", how)
    assert r.types[-1] == "Z" and c.silent()
    c.quit()


@pytest.mark.parametrize("mode", ["transaction", "session", "statement"])
def test_reset_reports_what_it_changes_and_nothing_else(pooler, mode):
    """As without a pooler: one ParameterStatus for each parameter that has another value now, between the tag and ReadyForQuery."""
    p = pooler(pool_mode=mode, pool_size=1, max_overflow=0)
    c = p.client(params=START)
    for sql in ("RESET ALL", "DISCARD ALL", "RESET TimeZone", "SET TimeZone TO DEFAULT", "RESET ALL; RESET TimeZone"):
        for how in ("simple", "extended") if ";" not in sql and sql != "DISCARD ALL" else ("simple",):
            run(c, "SET TimeZone TO 'Europe/Paris'", how)
            r = run(c, sql, how)
            assert [m.body for m in r.msgs if m.type == "S"] == [b"TimeZone\0Asia/Tokyo\0"], (sql, how, wire.describe_msgs(r.msgs))
            assert r.types[-2:] == "SZ"
            has(c, START)
    run(c, "SET TimeZone TO 'Europe/Paris'")
    r = run(c, "RESET ALL; SET DateStyle TO 'German, DMY'")
    assert sorted(m.body for m in r.msgs if m.type == "S") == [b"DateStyle\0German, DMY\0", b"TimeZone\0Asia/Tokyo\0"], wire.describe_msgs(r.msgs)
    has(c, dict(START, DateStyle="German, DMY"))
    if mode != "statement":
        run(c, "BEGIN")
        assert [m.body for m in run(c, "SET TimeZone TO DEFAULT").msgs if m.type == "S"] == []
        assert [m.body for m in run(c, "RESET DateStyle").msgs if m.type == "S"] == [b"DateStyle\0SQL, DMY\0"]
        assert [m.body for m in run(c, "ROLLBACK").msgs if m.type == "S"] == [b"DateStyle\0German, DMY\0"]
        has(c, dict(START, DateStyle="German, DMY"))
    c.quit()


def test_a_parameter_that_is_set_is_not_taken_for_its_default(pooler):
    """Only one statement that says DEFAULT goes back to the startup value, and only its own parameter does."""
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0)
    c = p.client(params=START)
    run(c, "SET statement_timeout TO '5s'")
    for sql in ("SET fx.var TO DEFAULT", "SET fx.var TO 'default'", "SET fx.var TO x; SET fx.var TO 'y'"):
        run(c, sql)
        has(c, dict(START, statement_timeout="5s", **({} if sql.endswith("DEFAULT") else {"fx.var": "y" if ";" in sql else "default"})))
    run(c, "SET statement_timeout TO DEFAULT")
    has(c, dict(START, **{"fx.var": "y"}))
    run(c, "BEGIN")
    run(c, "SET fx.var TO DEFAULT")
    has(c, START)
    run(c, "ROLLBACK")
    has(c, dict(START, **{"fx.var": "y"}))
    c.quit()


@pytest.mark.parametrize("name", list(START))
def test_reset_in_a_transaction(pooler, name):
    p = pooler(pool_size=1, max_overflow=0)
    other = p.client()
    c = p.client(params=START)
    lit = "'" + OTHER[name] + "'"
    for end in ("COMMIT", "ROLLBACK"):
        run(c, "BEGIN")
        run(c, f"SET {name} TO {lit}")
        run(c, f"RESET {name}")
        # nothing of ours may count as the transaction's first query
        run(c, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        has(c, START)
        run(c, end)
        assert other.query(see(["TimeZone", "statement_timeout", "fx.var"])).rows[0][:2] == ("UTC", "0")
        has(c, START)
    run(c, "BEGIN")
    run(c, "SAVEPOINT a")
    run(c, f"SET {name} TO {lit}")
    run(c, "SAVEPOINT b")
    run(c, f"RESET {name}")
    has(c, START)
    run(c, "ROLLBACK TO b")
    has(c, dict(START, **{name: OTHER[name]}))
    run(c, "ROLLBACK")
    has(c, START)
    # a block that fails after the RESET
    run(c, "BEGIN")
    run(c, f"RESET {name}")
    assert c.ask("SELECT 1/0").error["C"] == "22012"
    run(c, "ROLLBACK")
    has(c, START)
    # and one whose RESET is in the same message as the error
    assert c.ask(f"RESET {name}; SELECT 1/0").error["C"] == "22012"
    has(c, START)
    other.quit(), c.quit()


@pytest.mark.parametrize("name", ["TimeZone", "statement_timeout"])
def test_reset_without_the_text(pooler, name):
    """Nothing is known of the statement but its tag."""
    p = pooler(pool_size=1, max_overflow=0, query_text_size=0)
    c = p.client(params=START)
    for sql in (f"RESET {name}", "RESET ALL", "DISCARD ALL"):
        run(c, f"SET {name} TO '{OTHER[name]}'")
        run(c, sql)
        has(c, START)
    run(c, "BEGIN")
    run(c, f"RESET {name}")
    has(c, START)
    run(c, "COMMIT")
    has(c, START)
    c.quit()


def test_leaving_between_a_reset_and_its_end(pooler):
    """A client that is gone in the middle leaves a server of which nobody knows what was set there: the next is served right."""
    p = pooler(pool_size=1, max_overflow=0)
    for i in range(10):
        c = p.client(params=START)
        run(c, "BEGIN")
        c.send(q("RESET ALL") + (q("SELECT 1") if i % 2 else b"") + (b"Q\0\0" if i % 3 == 0 else b""))
        time.sleep(0.01 * (i % 3))
        c.abort()
        for params in ({}, {"fx.var": "z"}, START):
            with p.client(params=params) as d:
                got = d.query(see(["statement_timeout", "fx.var", "TimeZone"])).rows[0]
                assert (got[0], got[1] or None, got[2]) == (params.get("statement_timeout", "0"), params.get("fx.var"), params.get("TimeZone", "UTC"))
                d.quit()


def test_reset_leaves_alone_what_was_set_since(pooler):
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0)
    c = p.client(params=START)
    run(c, "SET statement_timeout='5s'; SET TimeZone='Europe/Paris'; SET DateStyle='German'")
    run(c, "RESET DateStyle")
    has(c, dict(START, statement_timeout="5s", TimeZone="Europe/Paris"))
    run(c, "RESET TimeZone;")
    has(c, dict(START, statement_timeout="5s"))
    run(c, 'reset /* x */ "statement_timeout" ; -- y')
    has(c, START)
    c.quit()


def test_reset_in_pipelines(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    c = p.client(params=START)
    for _ in range(5):
        run(c, "SET TimeZone='Europe/Paris'")
        # in one go: what is behind a RESET in the same pipeline can't be kept from seeing it, what follows can
        c.send(q("RESET TimeZone"), q("SELECT 2"), extended("SELECT 3"))
        r = c.result(3)
        assert not r.error
        assert [x for x in r.rows] == [("2",), ("3",)]
        for m in r.msgs:
            if m.type == "S":
                k, v = m.body.split(b"\0")[:2]
                c.params[k.decode()] = v.decode()
        has(c, START)
    c.quit()


@pytest.mark.parametrize("text", ["SET TimeZone TO DEFAULT", "SET TimeZone = DEFAULT", "SET SESSION timezone TO default;", "SET TIME ZONE DEFAULT",
                                  "SET TIME ZONE LOCAL", "RESET TIME ZONE", "SELECT set_config('TimeZone', 'Asia/Tokyo', false)"])
def test_other_words_for_reset(pooler, text):
    p = pooler(pool_size=1, max_overflow=0)
    c = p.client(params=START)
    run(c, "SET TimeZone='Europe/Paris'")
    run(c, text)
    has(c, START)
    c.quit()


def test_session_authorization_does_not_leak(own_pg, maker):
    """A superuser who becomes somebody else stays that on every server, and the next client is itself."""
    own_pg.sql("ALTER ROLE app SUPERUSER")
    try:
        p = maker(own_pg, pool_size=1, max_overflow=0)
        a, b = p.client(), p.client()
        a.query("SET SESSION AUTHORIZATION app2")
        for _ in range(3):
            assert b.value("SELECT session_user||current_user") == "appapp"
            assert a.value("SELECT session_user||current_user") == "app2app2"
        a.query("RESET SESSION AUTHORIZATION")
        assert a.value("SELECT session_user") == b.value("SELECT session_user") == "app"
        a.quit(), b.quit()
    finally:
        own_pg.sql("ALTER ROLE app NOSUPERUSER")


def test_read_only_default_does_not_leak(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    a, b = p.client(), p.client()
    a.query("SET default_transaction_read_only = on")
    for _ in range(3):
        b.query("DELETE FROM sink WHERE n = -1")
        assert a.ask("DELETE FROM sink WHERE n = -1").error["C"] == "25006"
    a.quit(), b.quit()


def test_a_changed_default_on_the_server_reaches_clients_without_wishes(own_pg, maker):
    """connect_query, and what [databases] says, are the base that RESET and clients without wishes get."""
    p = maker(own_pg, pool_size=1, max_overflow=0, databases={
        "db0": "client_encoding=LATIN1 datestyle='SQL, DMY' timezone='Asia/Tokyo' application_name=ours",
        "db1": "connect_query='SET TimeZone TO ''Europe/Paris'''"})
    names = ["client_encoding", "DateStyle", "TimeZone", "application_name"]
    a, b = p.client(), p.client(params={"TimeZone": "UTC", "application_name": "b"})
    for _ in range(2):
        assert a.query(see(names)).rows == [("LATIN1", "SQL, DMY", "Asia/Tokyo", "ours")]
        assert b.query(see(names)).rows == [("LATIN1", "SQL, DMY", "UTC", "b")]
    assert a.params["TimeZone"] == "Asia/Tokyo" and b.params["TimeZone"] == "UTC"
    c, d = p.client(database="db1"), p.client(database="db1", params={"TimeZone": "UTC"})
    for _ in range(2):
        assert c.value("SHOW TimeZone") == "Europe/Paris" == c.params["TimeZone"]
        assert d.value("SHOW TimeZone") == "UTC"
    for x in (a, b, c, d):
        x.quit()


def test_application_name_add_host(pooler):
    p = pooler(pool_size=1, max_overflow=0, application_name_add_host=1)
    with p.client(params={"application_name": "mine"}) as c, p.client() as d:
        host, port = c.sock.getsockname()
        assert c.value("SHOW application_name") == f"mine - {host}:{port}" == c.params["application_name"]
        host, port = d.sock.getsockname()
        assert d.value("SELECT application_name FROM pg_stat_activity WHERE pid=pg_backend_pid()") == f"app - {host}:{port}"
        c.quit(), d.quit()


def test_login_notify_message(pooler):
    p = pooler(login_notify_message="maintenance at noon")
    with p.client() as c:
        assert [n["M"] for n in c.notices] == ["maintenance at noon"]
        assert c.notices[0]["S"] == "NOTICE" and c.seq.endswith("NZ")
        c.quit()
    p.console("SET login_notify_message = ''")
    with p.client() as c:
        assert c.notices == []
        c.quit()


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("reset", ["DISCARD ALL", "RESET ALL", "RESET statement_timeout", "SELECT 'nothing'", ""])
def test_server_reset_query_and_startup_parameters(own_pg, maker, mode, reset):
    """Whatever the operator's query does to them, everybody has his own values."""
    p = maker(own_pg, pool_mode=mode, pool_size=1, max_overflow=0, server_reset_query=reset, server_reset_query_always=1)
    for _ in range(3):
        for params in ({"statement_timeout": "61s", "fx.var": "x", "TimeZone": "Asia/Tokyo"}, {}, {"statement_timeout": "61s"}, {"fx.var": "z"}):
            with p.client(params=params) as c:
                for _ in range(2):
                    got = c.query(see(["statement_timeout", "fx.var", "TimeZone"])).rows[0]
                    assert (got[0], got[1] or None, got[2]) == (params.get("statement_timeout", "0"), params.get("fx.var"),
                                                                 params.get("TimeZone", "UTC"))
                c.quit()


# ---- the profile [pgbouncer] ----

@pytest.mark.compat
def test_pgbouncer_profile_refuses_what_it_does_not_track(pooler):
    p = pooler(section="pgbouncer")
    for params, text in (({"statement_timeout": "5"}, "unsupported startup parameter: statement_timeout"),
                         ({"options": "-c statement_timeout=5"}, "unsupported startup parameter in options: statement_timeout"),
                         ({"search_path": "x"}, "unsupported startup parameter: search_path")):
        with pytest.raises(wire.PgError) as e:
            p.client(params=params)
        assert e.value.code == "08P01" and e.value.text == text
    with p.client(params={"TimeZone": "Asia/Tokyo", "datestyle": "ISO, DMY", "client_encoding": "LATIN1"}) as c:
        assert c.query(see(["TimeZone", "DateStyle", "client_encoding"])).rows == [("Asia/Tokyo", "ISO, DMY", "LATIN1")]
        c.quit()


def test_pgbouncer_profile_tracks_extra_parameters(pooler):
    p = pooler(section="pgbouncer", track_extra_parameters="IntervalStyle, default_transaction_read_only", default_pool_size=1)
    a, b = p.client(params={"IntervalStyle": "iso_8601"}), p.client()
    a.query("SET default_transaction_read_only = on")
    for _ in range(2):
        assert b.query(see(["IntervalStyle", "default_transaction_read_only"])).rows == [("postgres", "off")]
        assert a.query(see(["IntervalStyle", "default_transaction_read_only"])).rows == [("iso_8601", "on")]
    a.quit(), b.quit()
    p = pooler(section="pgbouncer", track_extra_parameters="", default_pool_size=1)
    with pytest.raises(wire.PgError, match="unsupported startup parameter: IntervalStyle"):
        p.client(params={"IntervalStyle": "iso_8601"})
