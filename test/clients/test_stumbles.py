"""Where clients stumble over other poolers. Every test is run against PostgreSQL itself, too: it must hold there."""

import psycopg
import pytest

from harness import scratch, wire
from harness.cluster import pw
from harness.pooler import Pooler
from harness.wire import bind, close, describe, execute, extended, flush, parse, sync

MODES = ("direct", "transaction", "session")
every_mode = pytest.mark.parametrize("mode", MODES)


class Way:
    """A way to PostgreSQL: directly, or through a pooler with one server (of session mode: five)."""

    def __init__(self, cluster, pooler, mode):
        self.cluster, self.pooler, self.mode = cluster, pooler, mode
        self.addr = pooler.addr if pooler else cluster.addr
        self.opened = []

    def client(self, user="app", database="db0", password=None, **kw):
        c = wire.Client(self.addr, user, database, pw(user) if password is None else password, **kw)
        self.opened.append(c)
        return c

    def psycopg(self, **kw):
        more = kw.pop("more", "")
        c = psycopg.connect(f"host=127.0.0.1 port={self.addr[1]} user=app password={pw('app')} dbname=db0 sslmode=disable {more}", autocommit=True, **kw)
        self.opened.append(c)
        return c

    def others(self):
        """Somebody else uses the server, with parameters of their own."""
        if self.mode == "transaction":
            with wire.Client(self.addr, "app", "db0", pw("app"), params={"TimeZone": "America/New_York", "DateStyle": "German, DMY", "application_name": "other",
                                                                     "client_encoding": "LATIN1", "IntervalStyle": "sql_standard"}) as c:
                c.query("SELECT 1")
                c.send(wire.terminate())


@pytest.fixture(scope="module")
def shared(pg, top):
    """One pooler for each mode, for all tests that want nothing special of it."""
    running = {}

    def get(mode):
        if mode not in running:
            running[mode] = Pooler(pg, scratch.folder(), **conf_of(mode)).start()
        return running[mode]

    yield get
    for p in running.values():
        p.stop()


def conf_of(mode):
    return dict(auth_type="scram-sha-256", pool_mode=mode, pool_size=5 if mode == "session" else 1, max_overflow=0)


@pytest.fixture
def way(pg, shared, maker):
    made = []

    def get(mode, own=False, **conf):
        p = None
        if mode != "direct":
            p = maker(pg, **dict(conf_of(mode), **conf)) if conf or own else shared(mode)
        made.append(Way(pg, p, mode))
        return made[-1]

    yield get
    for w in made:
        for c in w.opened:
            c.close()


# ---- the pid in BackendKeyData and in NotificationResponse ----

@pytest.mark.parametrize("mode", ["direct", "session"])
def test_in_session_mode_the_pid_is_the_servers_own(way, mode):
    w = way(mode)
    for _ in range(2):      # the second client gets the server of the first
        c = w.client()
        assert c.value("SELECT pg_backend_pid()") == str(c.pid)
        c.quit()


@pytest.mark.parametrize("mode", ["direct", "session"])
def test_notifications_carry_the_pid_that_the_client_knows(way, mode):
    w = way(mode)
    a, b = w.client(), w.client()
    a.query("LISTEN ch")
    for sender in (a, b):
        sender.query(f"NOTIFY ch, 'from {sender.pid}'")
        r = a.ask("SELECT 1")
        while "A" not in r.types and sender is b:
            r = a.ask("SELECT 1")
        heard = [m for m in r.msgs if m.type == "A"] or None
        if sender is a and heard is None:
            continue
        assert int.from_bytes(heard[0].body[:4], "big") == sender.pid
        assert heard[0].body[4:] == b"ch\0" + f"from {sender.pid}".encode() + b"\0"


@every_mode
def test_own_notification_carries_own_pid(way, mode):
    """LISTEN and NOTIFY in one transaction: the notification comes with its end, in every mode."""
    w = way(mode)
    c = w.client()
    c.query("BEGIN; LISTEN mine; NOTIFY mine, 'x'")
    r = c.query("COMMIT")
    heard = [m for m in r.msgs if m.type == "A"]
    assert len(heard) == 1, r.types
    assert int.from_bytes(heard[0].body[:4], "big") == c.pid


@pytest.mark.parametrize("mode", ["direct", "session"])
def test_terminating_oneself_by_pid(way, mode):
    w = way(mode)
    c = w.client()
    c.send(wire.q(f"SELECT pg_terminate_backend({c.pid})"))
    last = [m for m in c.rest(10) if m.type == "E"][-1]
    f = wire.fields(last.body)
    assert (f["S"], f["C"], f["M"]) == ("FATAL", "57P01", "terminating connection due to administrator command")


# ---- RESET, DISCARD ALL ----

STARTUP = {"TimeZone": "Asia/Tokyo", "DateStyle": "SQL, DMY", "application_name": "mine", "IntervalStyle": "iso_8601", "client_encoding": "UTF8",
           "statement_timeout": "12345", "search_path": "other", "my.own": "started"}
SEE = "SELECT " + ", ".join(f"current_setting('{n}')" for n in STARTUP)
STARTED = ("Asia/Tokyo", "SQL, DMY", "mine", "iso_8601", "UTF8", "12345ms", "other", "started")
CHANGE = "; ".join(("SET TimeZone = 'Europe/Paris'", "SET DateStyle = 'Postgres, YMD'", "SET application_name = 'changed'", "SET IntervalStyle = 'postgres_verbose'",
                    "SET client_encoding = 'LATIN1'", "SET statement_timeout = 777", "SET search_path = 'public'", "SET my.own = 'changed'"))
RESETS = {
    "RESET ALL": "RESET ALL",
    "DISCARD ALL": "DISCARD ALL",
    "RESET each": "; ".join(f"RESET {n}" for n in STARTUP),
    "SET TO DEFAULT": "; ".join(f"SET {n} TO DEFAULT" for n in STARTUP),
}


@every_mode
@pytest.mark.parametrize("how", RESETS)
@pytest.mark.parametrize("extended_protocol", [False, True], ids=["simple", "extended"])
def test_reset_falls_back_to_the_startup_values(way, mode, how, extended_protocol):
    w = way(mode, own=True)
    c = w.client(params=STARTUP)
    assert c.query(SEE).rows == [STARTED]
    w.others()
    assert c.query(SEE).rows == [STARTED]
    c.query(CHANGE)
    w.others()
    seen = c.query(SEE).rows
    # smart tracking of every SET is another matter: here only those that the server reports
    assert seen[0][:5] == ("Europe/Paris", "Postgres, YMD", "changed", "postgres_verbose", "LATIN1")
    if extended_protocol:
        for statement in RESETS[how].split("; "):
            assert not c.run(extended(statement)).error
    else:
        for statement in RESETS[how].split("; ") if how == "SET TO DEFAULT" or how == "RESET each" else [RESETS[how]]:
            c.query(statement)
    assert c.query(SEE).rows == [STARTED]
    w.others()
    assert c.query(SEE).rows == [STARTED]


@every_mode
def test_a_reset_that_is_rolled_back(way, mode):
    w = way(mode, own=True)
    c = w.client(params=STARTUP)
    c.query("SET TimeZone = 'Europe/Paris'")
    c.query("BEGIN; RESET ALL")
    assert c.value("SHOW TimeZone") == "Asia/Tokyo"
    c.query("ROLLBACK")
    w.others()
    assert c.value("SHOW TimeZone") == "Europe/Paris"
    c.query("BEGIN; RESET TimeZone; COMMIT")
    w.others()
    assert c.value("SHOW TimeZone") == "Asia/Tokyo"


@every_mode
@pytest.mark.parametrize("extended_protocol", [False, True], ids=["simple", "extended"])
def test_a_local_default_is_the_startup_value(way, mode, extended_protocol):
    """SET LOCAL … TO DEFAULT, reported or not, holds to the end of the transaction and no longer."""
    w = way(mode, own=True)
    c = w.client(params=STARTUP)
    say = (lambda sql: c.run(extended(sql))) if extended_protocol else c.query
    see = "SELECT current_setting('TimeZone'), current_setting('statement_timeout'), current_setting('search_path')"
    start = c.query(see).rows
    c.query("SET TimeZone = 'Europe/Paris'")
    changed = c.query(see).rows
    assert changed != start
    for end in ("COMMIT", "ROLLBACK"):
        say("BEGIN")
        say("SET LOCAL statement_timeout = '77s'")
        say("SET LOCAL search_path = nowhere")
        for name in ("TimeZone", "statement_timeout", "search_path"):
            r = say(f"SET LOCAL {name} TO DEFAULT")
            assert not r.error
        assert c.query(see).rows == start
        say(end)
        assert c.query(see).rows == changed
        w.others()
        assert c.query(see).rows == changed
    c.query("SET LOCAL TimeZone TO DEFAULT")   # not in a transaction: a warning, and nothing else
    assert c.query(see).rows == changed


@every_mode
def test_reset_reports_what_changed(way, mode):
    """ParameterStatus for each parameter that the reset changes, with the client's own value."""
    w = way(mode, own=True)
    c = w.client(params=STARTUP)
    c.query("SET TimeZone = 'Europe/Paris'")
    r = c.query("RESET ALL")
    told = [tuple(m.body.split(b"\0")[:2]) for m in r.msgs if m.type == "S"]
    assert dict(told)[b"TimeZone"] == b"Asia/Tokyo"
    for n, v in told:
        assert v.decode() == c.value(f"SHOW {n.decode()}"), "nothing else is reported, or the last word is true"


# ---- parameters at startup ----

@every_mode
def test_startup_parameters_hold(way, mode):
    """Not only shown: they work."""
    w = way(mode)
    c = w.client(params={"statement_timeout": "150", "client_min_messages": "error", "options": "-c search_path=other,public -c some.var=it\\ is"})
    for _ in range(3):
        r = c.ask("SELECT pg_sleep(5)")
        assert (r.error["C"], r.error["M"]) == ("57014", "canceling statement due to statement timeout")
        w.others()
        r = c.ask("SELECT shout('x')")
        assert not r.error and not r.notices
        assert c.value("SELECT place FROM where_am_i") == "other"
        assert c.value("SELECT current_setting('some.var')") == "it is"
        w.others()
    d = w.client()
    r = d.ask("SELECT shout('x')")
    assert len(r.notices) == 1, "another client has none of it"
    assert d.value("SELECT place FROM where_am_i") == "public"
    assert d.value("SELECT current_setting('some.var', true)") in (None, "")
    assert d.value("SHOW statement_timeout") == "0"


@every_mode
def test_lock_timeout_at_startup(way, mode):
    w = way(mode, pool_size=3)
    a = w.client()
    a.query("BEGIN; LOCK TABLE numbered")
    b = w.client(params={"lock_timeout": "100"})
    r = b.ask("SELECT * FROM numbered")
    assert r.error["C"] == "55P03"
    a.query("ROLLBACK")


@every_mode
@pytest.mark.parametrize("name,value,code", [("statement_timeout", "soon", "22023"), ("no_such_parameter", "x", "42704"),
                                             ("log_statement", "all", "42501"), ("TimeZone", "Mars/Olympus", "22023"),
                                             ("client_encoding", "KLINGON", "22023"), ("wal_level", "minimal", "55P02")])
def test_startup_parameters_that_postgresql_refuses(way, mode, name, value, code):
    """The same SQLSTATE, at the latest with the first query; and the next client is not hurt."""
    w = way(mode)
    try:
        c = w.client(params={name: value})
        got = c.ask("SELECT 1").error
    except wire.PgError as e:
        got = e.fields
    assert got and got["C"] == code, got
    assert w.client().value("SELECT 1") == "1"


@every_mode
def test_parameters_are_reported_as_the_server_spells_them(way, mode):
    w = way(mode)
    c = w.client(params={"client_encoding": "utf8", "DateStyle": "iso", "TimeZone": "utc", "IntervalStyle": "POSTGRES", "standard_conforming_strings": "true",
                         "application_name": "Spelled"})
    got = {n: c.params.get(n) for n in ("client_encoding", "DateStyle", "TimeZone", "IntervalStyle", "standard_conforming_strings", "application_name")}
    assert got == {"client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC", "IntervalStyle": "postgres", "standard_conforming_strings": "on",
                   "application_name": "Spelled"}
    for n, v in got.items():
        assert c.value(f"SHOW {n}") == v


@every_mode
def test_all_parameters_are_reported_at_login(way, pg, mode):
    """The same names, with the same values, as PostgreSQL itself."""
    w = way(mode)
    direct = pg.client()
    assert w.client().params == direct.params
    direct.close()


# ---- a server that is terminated ----

@every_mode
@pytest.mark.parametrize("when", ["running", "in a transaction", "copying in", "in a pipeline"])
def test_the_servers_last_words_are_passed_on(way, pg, mode, when):
    w = way(mode)
    c = w.client(params={"application_name": "victim"})
    if when == "running":
        c.send(wire.q("SELECT pg_sleep(30)"))
    elif when == "copying in":
        c.query("BEGIN")
        c.send(wire.q("COPY items FROM STDIN"))
        c.until("G")
    elif when == "in a pipeline":
        c.send(extended("SELECT 'first'", end=flush()), extended("SELECT pg_sleep(30)"))
        c.until("C")
    else:
        c.query("BEGIN")
    wire.wait_until(lambda: pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim' AND state <> 'idle'"), what="a victim")
    if mode == "transaction" and when in ("running", "in a pipeline"):
        # outside of a transaction the client is told, and goes on with another server
        last = c.until("Z")[-2:]
        assert (last[-1].type, last[-1].body) == ("Z", b"I")
        del last[-1]
        assert c.value("SELECT 'goes on'") == "goes on"
    else:
        last = c.rest(10)
    f = wire.fields(last[-1].body)
    assert (last[-1].type, f["S"], f["C"], f["M"]) == ("E", "FATAL", "57P01", "terminating connection due to administrator command"), wire.describe_msgs(last)


@every_mode
def test_other_ends_that_a_server_gives_a_reason_for(way, pg, mode):
    """idle_in_transaction_session_timeout: 25P03; transactions are not tried again by anybody."""
    w = way(mode)
    c = w.client(params={"idle_in_transaction_session_timeout": "200"})
    c.query("BEGIN")
    last = c.rest(10)
    f = wire.fields(last[-1].body)
    assert (f["S"], f["C"]) == ("FATAL", "25P03")


@every_mode
def test_a_driver_sees_admin_shutdown(way, pg, mode):
    w = way(mode)
    c = w.psycopg(more="application_name=victim2")
    c.execute("BEGIN")
    pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim2'")
    with pytest.raises(psycopg.OperationalError, match="terminating connection due to administrator command"):
        c.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        c.execute("SELECT 1")


# ---- refusals at login ----

def refused(w, **kw):
    with pytest.raises(wire.PgError) as e:
        w.client(**kw)
    return e.value.severity, e.value.code, e.value.text


def refused_at_last(w, **kw):
    """At login or with the first query; the fields of the last word."""
    try:
        c = w.client(**kw)
    except wire.PgError as e:
        return e.fields
    c.send(wire.q("SELECT 1"))
    return wire.fields([m for m in c.rest(15) if m.type == "E"][-1].body)


@every_mode
@pytest.mark.parametrize("method,user", [("scram-sha-256", "app"), ("md5", "mdfive"), ("plain", "plainy")])
def test_a_wrong_password(way, mode, method, user):
    w = way(mode, auth_type=method)
    severity, code, text = refused(w, user=user, password="wrong")
    assert (severity, code, text) == ("FATAL", "28P01", f'password authentication failed for user "{user}"')


@every_mode
@pytest.mark.parametrize("method", ["scram-sha-256", "md5", "plain"])
def test_a_user_that_nobody_knows(way, mode, method):
    """As with a wrong password: whether the user exists is not told."""
    w = way(mode, auth_type=method)
    known, unknown = refused(w, user="app", password="wrong"), refused(w, user="stranger", password="wrong")
    assert unknown[:2] == ("FATAL", "28P01")
    assert unknown[2].replace("stranger", "app") == known[2]


@every_mode
def test_a_database_that_does_not_exist(way, mode):
    w = way(mode)
    severity, code, text = refused(w, database="no_such")
    assert (severity, code) == ("FATAL", "3D000") and "no_such" in text


@every_mode
def test_a_database_that_only_the_server_knows_not_to_exist(way, pg, mode):
    w = way(mode, databases={"*": ""})
    assert refused(w, database="no_such") == ("FATAL", "3D000", 'database "no_such" does not exist')


@every_mode
def test_a_user_whom_the_servers_rules_reject(way, mode):
    """pg_hba.conf has the last word; at the latest with the first query."""
    got = refused_at_last(way(mode), user="nobody")
    assert (got["S"], got["C"]) == ("FATAL", "28000") and "rejects connection" in got["M"], got


@every_mode
def test_too_many_clients(way, own_limit, mode):
    """53300 from PostgreSQL's own limit for a role, from ours for clients."""
    if mode == "direct":
        w = way(mode)
    else:
        w = way(mode, max_client_conn=2)
    user = own_limit
    a, b = w.client(user=user), w.client(user=user)
    severity, code, text = refused(w, user=user)
    assert (severity, code) == ("FATAL", "53300"), text
    a.close()
    b.close()


@pytest.fixture
def own_limit(pg):
    pg.sql("ALTER ROLE app2 CONNECTION LIMIT 2")
    yield "app2"
    pg.sql("ALTER ROLE app2 CONNECTION LIMIT -1")


@pytest.mark.parametrize("mode", ["direct", "session", "transaction"])
def test_the_servers_refusal_is_passed_on(way, pg, mode):
    """A role that PostgreSQL does not let in: its own code reaches the client, at the latest with the first query."""
    pg.sql("ALTER ROLE app2 NOLOGIN")
    try:
        w = way(mode)
        got = refused_at_last(w, user="app2")
        assert (got["S"], got["C"], got["M"]) == ("FATAL", "28000", 'role "app2" is not permitted to log in')
    finally:
        pg.sql("ALTER ROLE app2 LOGIN")


# ---- prepared statements and SQL ----

def answer(r):
    """Types, rows and tags, and the SQLSTATE."""
    return r.types, r.rows, r.tags, r.error and r.error["C"]


def ask(c, *parts):
    return answer(c.run(*parts))


@every_mode
def test_deallocate_of_a_protocol_level_statement(way, mode):
    w = way(mode)
    c = w.client()
    assert ask(c, extended("SELECT 'one', $1::int", [1], name="s"))[1] == [("one", "1")]
    w.others()
    c.query("DEALLOCATE s")
    w.others()
    assert ask(c, bind([1], stmt="s"), execute(), sync()) == ("EZ", [], [], "26000")
    assert ask(c, extended("SELECT 'two', $1::text", ["x"], name="s"))[1] == [("two", "x")]
    w.others()
    assert ask(c, bind(["y"], stmt="s"), execute(), sync()) == ("2DCZ", [("two", "y")], ["SELECT 1"], None)


@every_mode
@pytest.mark.parametrize("how", ["DEALLOCATE ALL", "DISCARD ALL", "DEALLOCATE PREPARE ALL"])
def test_deallocate_of_everything(way, mode, how):
    w = way(mode)
    c, d = w.client(), w.client()
    for x in (c, d):
        for name in ("a", "b"):
            ask(x, parse(f"SELECT '{name}'", name), sync())
    c.query(how)
    assert ask(c, bind(stmt="a"), execute(), sync()) == ("EZ", [], [], "26000")
    assert ask(c, describe("S", "b"), sync()) == ("EZ", [], [], "26000")
    assert ask(d, bind(stmt="a"), execute(), sync()) == ("2DCZ", [("a",)], ["SELECT 1"], None), "another client's are its own"
    assert ask(c, extended("SELECT 'new'", name="a"))[1] == [("new",)]
    w.others()
    assert ask(c, bind(stmt="a"), execute(), sync())[1] == [("new",)]
    assert ask(d, bind(stmt="b"), execute(), sync())[1] == [("b",)]


@every_mode
def test_a_second_parse_after_close(way, mode):
    w = way(mode)
    c = w.client()
    for i in range(5):
        assert ask(c, parse(f"SELECT {i}", "s"), bind(stmt="s"), execute(), close("S", "s"), sync()) == ("12DC3Z", [(str(i),)], ["SELECT 1"], None)
    ask(c, parse("SELECT 'kept'", "s"), sync())
    w.others()
    assert ask(c, close("S", "s"), parse("SELECT 'other'", "s"), bind(stmt="s"), execute(), sync()) == ("312DCZ", [("other",)], ["SELECT 1"], None)
    assert ask(c, close("S", "never heard of"), sync()) == ("3Z", [], [], None)


@every_mode
def test_a_second_parse_without_close(way, mode):
    w = way(mode)
    c = w.client()
    ask(c, parse("SELECT 'first'", "s"), sync())
    w.others()
    assert ask(c, parse("SELECT 'second'", "s"), sync()) == ("EZ", [], [], "42P05")
    assert ask(c, bind(stmt="s"), execute(), sync())[1] == [("first",)]
    assert ask(c, parse("SELECT 'first'", "s"), sync()) == ("EZ", [], [], "42P05"), "the same text is no excuse"


@every_mode
def test_what_fails_to_parse_is_not_remembered(way, mode):
    w = way(mode)
    c = w.client()
    for _ in range(3):
        assert ask(c, parse("SELECT * FROM not_yet", "s"), bind(stmt="s"), execute(), sync()) == ("EZ", [], [], "42P01")
        assert ask(c, bind(stmt="s"), execute(), sync()) == ("EZ", [], [], "26000")
        w.others()
    assert ask(c, extended("SELECT 'good'", name="s"))[1] == [("good",)]


@every_mode
def test_statements_of_one_name_differ_between_clients(way, mode):
    w = way(mode)
    clients = [w.client() for _ in range(5)]
    for i, c in enumerate(clients):
        assert ask(c, parse(f"SELECT '{i}', $1::int", "S_1"), sync()) == ("1Z", [], [], None)
    for round_ in range(3):
        for i, c in enumerate(clients):
            assert ask(c, bind([round_], stmt="S_1"), execute(), sync())[1] == [(str(i), str(round_))]


@every_mode
def test_psycopg_deallocates_and_prepares_again(way, mode):
    """psycopg deallocates by SQL what it has prepared by protocol, and forgets all after a rollback."""
    w = way(mode)
    c = w.psycopg(prepare_threshold=0)
    c.prepared_max = 2
    for round_ in range(4):
        for i in range(5):
            assert c.execute(f"SELECT %s::int + {i}", (round_,)).fetchone() == (round_ + i,)
        w.others()
    for i in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            with c.transaction():
                c.execute("SELECT %s::int", (i,))
                c.execute("SELECT 1 / %s::int", (0,))
        w.others()
        assert c.execute("SELECT %s::int", (i,)).fetchone() == (i,)


@every_mode
def test_changed_result_type_for_one_who_has_described_it(way, pg, mode):
    """Who does not ask for a Describe now reads the rows as they were described before: nothing may be healed behind its back."""
    w = way(mode)
    c = w.client()
    with wire.Client(pg.sock, "postgres", "db0") as admin:
        admin.query("DROP TABLE IF EXISTS seen; CREATE TABLE seen AS SELECT 1 AS a; GRANT SELECT ON seen TO app")
        assert ask(c, parse("SELECT * FROM seen", "s"), describe("S", "s"), sync())[0] == "1tTZ"
        use = (bind(stmt="s"), execute(), sync())
        for _ in range(2):
            assert ask(c, *use)[1] == [("1",)]
        admin.query("ALTER TABLE seen ADD b text DEFAULT 'new'")
        assert ask(c, *use) == ("EZ", [], [], "0A000")
        assert ask(c, close("S", "s"), parse("SELECT * FROM seen", "s"), describe("S", "s"), sync())[0] == "31tTZ"
        assert ask(c, *use)[1] == [("1", "new")]
        admin.query("DROP TABLE seen")


@every_mode
def test_changed_result_type(way, pg, mode):
    """In transaction mode it is prepared anew, unseen. Inside of a transaction PostgreSQL's own error is passed on, and the next use is good."""
    w = way(mode)
    c = w.client()
    with wire.Client(pg.sock, "postgres", "db0") as admin:
        admin.query("DROP TABLE IF EXISTS plan; CREATE TABLE plan AS SELECT 1 AS a; GRANT SELECT ON plan TO app")
        use = (bind(stmt="s"), describe("P"), execute(), sync())
        assert ask(c, parse("SELECT * FROM plan", "s"), *use)[1] == [("1",)]
        admin.query("ALTER TABLE plan ADD b text DEFAULT 'new'")
        healed = ("2TDCZ", [("1", "new")], ["SELECT 1"], None)
        told = ("EZ", [], [], "0A000")
        assert ask(c, *use) in {"direct": [told], "session": [told, healed], "transaction": [healed]}[mode]
        if mode == "transaction":
            assert ask(c, *use) == healed
            c.query("BEGIN")
            admin.query("ALTER TABLE plan DROP b")
            assert ask(c, *use) == told
            c.query("ROLLBACK")
            assert ask(c, *use)[1] == [("1",)]
        admin.query("DROP TABLE plan")
