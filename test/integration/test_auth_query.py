"""auth_query: users who are not in auth_file are looked up on a server."""

import os
import pwd
import signal
import threading
import time

import pytest

from harness import scram, wire
from harness.cluster import pw
from harness.pooler import ADMIN_DB
from harness.tlswire import TlsClient, client_context
from harness.wire import wait_until

ME = pwd.getpwuid(os.getuid()).pw_name
LOOKUP = "SELECT * FROM authq.lookup($1)"
ODD = 'o"dd\'; user $1 \\'
USERS = {"q_scram": "scram-sha-256", "q_md5": "md5", ODD: "scram-sha-256"}


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.fixture(scope="module", autouse=True)
def roles(pg):
    """asker may call a function and read pg_authid; the users are in no auth_file."""
    if pg.sql("SELECT 1 FROM pg_roles WHERE rolname = 'asker'"):
        return
    pg.sql(f"CREATE ROLE asker LOGIN PASSWORD '{pw('asker')}'")
    for u, how in USERS.items():
        pg.sql(f"SET password_encryption = '{how}'")
        pg.sql(f"CREATE ROLE {quoted(u)} LOGIN PASSWORD {literal(pw(u))}")
    pg.sql("RESET password_encryption")
    pg.sql(f"CREATE ROLE q_late LOGIN PASSWORD '{pw('q_late')}' VALID UNTIL '2001-01-01'")
    pg.sql("CREATE ROLE q_empty LOGIN; CREATE ROLE q_team; CREATE ROLE q_inner IN ROLE q_team; GRANT q_inner TO q_scram")
    for d in ("db0", "db1"):
        with wire.Client(pg.sock, "postgres", d) as c:
            c.query("GRANT SELECT ON pg_authid TO asker;"
                    "CREATE SCHEMA authq; GRANT USAGE ON SCHEMA authq TO asker;"
                    "CREATE TABLE authq.calls(n text, at timestamptz DEFAULT clock_timestamp(), path text, app text);"
                    "CREATE TABLE authq.secrets(n text PRIMARY KEY, s text);"
                    "CREATE FUNCTION authq.lookup(u text) RETURNS TABLE(n text, s text) LANGUAGE plpgsql SECURITY DEFINER AS $$"
                    "BEGIN INSERT INTO authq.calls VALUES (u, clock_timestamp(), pg_catalog.current_setting('search_path'),"
                    "  pg_catalog.current_setting('application_name'));"
                    "RETURN QUERY SELECT rolname::text, rolpassword FROM pg_catalog.pg_authid WHERE rolname = u AND rolcanlogin"
                    "  UNION ALL SELECT t.n, t.s FROM authq.secrets t WHERE t.n = u; END$$")


class Calls:
    def __init__(self, pg, database="db0"):
        self.c = wire.Client(pg.sock, "postgres", database)
        self.c.query("TRUNCATE authq.calls, authq.secrets")

    def count(self, user=None):
        return int(self.c.value("SELECT count(*) FROM authq.calls" + (f" WHERE n = {literal(user)}" if user else "")))

    def put(self, user, secret):
        self.c.query(f"INSERT INTO authq.secrets VALUES ({literal(user)}, {'NULL' if secret is None else literal(secret)})"
                     " ON CONFLICT (n) DO UPDATE SET s = EXCLUDED.s")


@pytest.fixture
def calls(pg):
    c = Calls(pg)
    yield c
    c.c.quit()


def asking(**kw):
    """Settings: asker looks users up; auth_file has only asker and those of the console."""
    kw.setdefault("userlist", {u: pw(u) for u in ("asker", "admin", "stats")})
    return dict({"auth_type": "scram-sha-256", "auth_user": "asker", "auth_dbname": "db0"}, **kw)


def enters(p, user, database="db0", password=None, **kw):
    c = wire.Client(p.addr, user, database, pw(user) if password is None else password, **kw)
    assert c.value("SELECT current_user") == user
    c.quit()
    return c.auth


def refused(p, user, database="db0", password=None, **kw):
    with pytest.raises(wire.PgError) as e:
        wire.Client(p.addr, user, database, pw(user) if password is None else password, **kw).quit()
    return e.value


def lookups(p):
    return {k: int(v) for k, v in p.show("AUTH_LOOKUPS")[0].items()}


# ---- who gets in ----

@pytest.mark.parametrize("auth_type", ["scram-sha-256", "md5", "plain"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_user_in_no_file(pooler, auth_type, workers):
    p = pooler(**asking(auth_type=auth_type), workers=workers)
    if auth_type == "plain":
        # the servers of its pool need a key that a plain password has not taught
        assert refused(p, "q_scram", password="wrong").code == "28P01"
    else:
        assert enters(p, "q_scram")[-1] == 0
        assert refused(p, "q_scram", password="wrong").code == "28P01"
        assert refused(p, "nobody here").code == "28P01"


def test_what_was_found_must_be_enough_for_the_server(pooler, pg):
    p = pooler(**asking(auth_type="md5"))
    e = refused(p, "q_md5")  # the proof was right, but PostgreSQL's pg_hba.conf wants SCRAM of this one
    assert e.code != "28P01" and "wrong password type" in e.text
    assert enters(p, "q_scram") == [10, 11, 12, 0]


@pytest.mark.parametrize("user", ["mdfive", "plainy"])
def test_secrets_of_every_kind(pooler, calls, user):
    """The pool of a user who was looked up logs in with what was found: an md5 hash, a plain password."""
    p = pooler(**asking(auth_type="md5", auth_query="SELECT $1::text, CASE $1::text WHEN 'plainy' THEN 'pw-plainy' ELSE "
                        "(SELECT rolpassword FROM pg_authid WHERE rolname = $1::text) END"))
    assert enters(p, user) == [5, 0]
    assert refused(p, user, password="wrong").code == "28P01"


def test_expired_and_without_a_secret(pooler):
    p = pooler(**asking())
    wrong = refused(p, "q_scram", password="wrong")
    for user in ("q_late", "q_empty", "q_team", "absent"):
        e = refused(p, user)
        assert (e.code, e.text.replace(user, "X")) == (wrong.code, wrong.text.replace("q_scram", "X"))


@pytest.mark.parametrize("auth_type", ["scram-sha-256", "md5", "plain"])
def test_nobody_learns_who_exists(pooler, auth_type):
    """The same messages in the same order for a wrong password and a user who is not there; again when both are kept."""
    p = pooler(**asking(auth_type=auth_type, auth_query_ttl="60s"))
    seen = set()
    for _ in range(2):
        for user in ("q_scram", "absent"):
            c = wire.Client(p.addr, user, "db0", "wrong", login=False)
            c.send(wire.startup([("user", user), ("database", "db0")]))
            with pytest.raises(wire.PgError) as e:
                c.login()
            seen.add((c.seq, tuple(c.auth), e.value.code, e.value.text.replace(user, "X")))
            c.close()
    assert len(seen) == 1


def test_in_pgbouncers_words(pooler):
    p = pooler(section="pgbouncer", **asking(auth_type="md5"))
    texts = {refused(p, u, password="wrong").text for u in ("q_scram", "absent", "q_late")}
    assert len(texts) == 1
    assert "password authentication failed" in texts.copy().pop() and "no such user" in texts.pop()
    assert p.log_has(r"login failed: db=db0 user=absent: no such user")


def test_auth_file_comes_first(pooler, calls):
    p = pooler(**asking(auth_query=LOOKUP, userlist={u: pw(u) for u in ("asker", "admin", "app")}))
    enters(p, "app")
    assert calls.count() == 0
    enters(p, "q_scram")
    assert calls.count() == 1


def test_names_are_parameters(pooler, calls):
    p = pooler(**asking(auth_query=LOOKUP))
    enters(p, ODD)
    for name in ("x' OR '1'='1", "$1", "\\'", "x" * 100, "a\\"):
        assert refused(p, name).code == "28P01"
        assert calls.count(name) == 1


def test_bytes_that_are_no_text(pooler):
    p = pooler(**asking())
    with wire.Conn(p.addr) as c:
        c.send(wire.startup([("user", "app"), ("database", "db0")]).replace(b"app\0", b"\xfe\xff\xfe\0"))
        ms = c.until("RE")
        assert ms[-1].type == "R"  # asked for a proof like anybody
    assert lookups(p)["failed"] == 0


def test_a_name_that_postgresql_cuts_off(pooler, pg):
    long = "q" * 63
    if not pg.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{long}'"):
        pg.sql(f"CREATE ROLE {long} LOGIN PASSWORD '{pw(long)}'")
    p = pooler(**asking())
    enters(p, long)
    assert refused(p, long + "x", password=pw(long)).code == "28P01"
    assert p.log_has("gave another one")


# ---- where and how it is asked ----

def test_nothing_of_the_client_is_set(pooler, calls):
    """CVE-2025-12819: what a client says at startup is nothing to the connection that asks."""
    p = pooler(**asking(auth_query=LOOKUP, track_extra_parameters="search_path"))
    enters(p, "q_scram", params={"search_path": "evil", "application_name": "me", "options": "-c search_path=evil"})
    calls.c.query("TRUNCATE authq.calls")
    refused(p, "absent", params={"search_path": "evil", "application_name": "me"})
    assert calls.c.query("SELECT DISTINCT path, app FROM authq.calls").rows == [("pg_catalog", "")]


def test_what_a_function_leaves_behind_is_gone(pooler, calls):
    calls.c.query("CREATE OR REPLACE FUNCTION authq.evil(u text) RETURNS TABLE(n text, s text) LANGUAGE plpgsql SECURITY DEFINER "
                  "AS $$BEGIN INSERT INTO authq.calls VALUES (u, clock_timestamp(), current_setting('search_path'), ''); "
                  "PERFORM set_config('search_path', 'authq, pg_catalog', false);"
                  "RETURN QUERY SELECT rolname::text, rolpassword FROM pg_catalog.pg_authid WHERE rolname = u; END$$")
    p = pooler(**asking(auth_query="SELECT * FROM authq.evil($1)"), workers=1)
    for user in ("q_scram", "absent", "absent2", ODD):
        (enters if user in USERS else refused)(p, user)
    assert {r[0] for r in calls.c.query("SELECT path FROM authq.calls").rows} == {"pg_catalog"}
    assert calls.count() == 4


def test_per_database(pooler, pg, calls):
    other = Calls(pg, "db1")
    p = pooler(**asking(auth_user=None, auth_dbname=None, databases={
        "db0": "auth_user=asker", "db1": f"auth_user=asker auth_query='{LOOKUP}'",
        "db2": f"auth_user=asker auth_dbname=db1 auth_query='{LOOKUP}'", "db3": "",
        "*": f"auth_user=asker auth_dbname=db1 auth_query='{LOOKUP}' dbname=db0"}))
    enters(p, "q_scram", "db0")
    assert (calls.count(), other.count()) == (0, 0)
    enters(p, "q_scram", "db1")
    enters(p, "q_scram", "db2")
    enters(p, "q_scram", "any")
    assert (calls.count(), other.count()) == (0, 1)  # the same question
    assert refused(p, "q_scram", "db3").code == "28P01"
    # the other way round: nobody is looked up for one of many
    p = pooler(**asking(databases={"db0": "", "db1": "auth_user=''"}))
    enters(p, "q_scram")
    assert refused(p, "q_scram", "db1").code == "28P01"
    assert p.show("AUTH_LOOKUPS")[0]["asked"] == "1"
    other.c.quit()


def test_global_auth_dbname_gives_way(pooler, pg, calls):
    other = Calls(pg, "db1")
    p = pooler(**asking(auth_dbname="db1", auth_query=LOOKUP, databases={"db0": "auth_dbname=db0", "db2": ""}))
    # db1 is no entry
    e = refused(p, "q_scram", "db2")
    assert e.code == "58000" and p.log_has('authentication database "db1" is not configured')
    enters(p, "q_scram", "db0")
    assert (calls.count(), other.count()) == (1, 0)
    other.c.quit()


def test_an_unknown_database_is_told_after_the_proof(pooler):
    p = pooler(**asking())
    assert refused(p, "q_scram", "nodb").code == "3D000"
    assert refused(p, "q_scram", "nodb", password="wrong").code == "28P01"


@pytest.mark.parametrize("section,code,text", [("fynixpool", "58000", "could not be looked up"), ("pgbouncer", "08P01", "bouncer config error")])
def test_reserved_and_disabled(pooler, section, code, text):
    p = pooler(section=section, **asking(auth_dbname=None, databases={"db0": "auth_dbname=pgbouncer", "db1": "auth_dbname=db2", "db2": ""}))
    e = refused(p, "q_scram", "db0")
    assert e.code == code and text in e.text
    assert p.log_has('cannot use the reserved "pgbouncer" database as an auth_dbname')
    p.console("DISABLE db2")
    e = refused(p, "q_scram", "db1")
    assert 'authentication database "db2" is disabled' in e.text


def test_reserved_as_the_global_one_is_no_configuration(pooler):
    p = pooler(**asking(auth_dbname="pgbouncer"), start=False)
    r = p.run("-t", p.ini)
    assert r.returncode != 0 and 'cannot use the reserved "pgbouncer" database as an auth_dbname' in r.stdout + r.stderr


def test_the_console_by_auth_query(pooler):
    p = pooler(**asking(admin_users="admin,q_scram"))
    with wire.Client(p.addr, "q_scram", ADMIN_DB, pw("q_scram")) as c:
        assert c.query("SHOW AUTH_CACHE").dicts()[0]["user"] == "q_scram"


def test_without_auth_dbname_the_console_knows_its_file_only(pooler):
    p = pooler(**asking(auth_dbname=None, admin_users="admin,q_scram"))
    assert refused(p, "q_scram", ADMIN_DB).code == "28P01"
    p = pooler(section="pgbouncer", **asking(auth_dbname=None, auth_type="md5"))
    assert refused(p, "q_scram", ADMIN_DB).text == "bouncer config error"
    assert p.log_has('cannot use the reserved "pgbouncer" database as an auth_dbname')


# ---- methods that need no secret ----

def test_trust_and_hba(pooler, pg):
    p = pooler(**asking(auth_type="trust"))
    assert "authentication failed" in refused(p, "absent").text
    c = wire.Client(p.addr, "trusty", "db0")  # the server trusts it, too
    assert c.value("SELECT current_user") == "trusty"
    c.quit()


def test_auth_user_without_a_password(pooler, pg):
    """trusty may ask without one, from nobody's file."""
    with wire.Client(pg.sock, "postgres", "db0") as c:
        c.query("GRANT SELECT ON pg_authid TO trusty")
    p = pooler(**asking(auth_user="trusty", userlist={"admin": pw("admin")}))
    enters(p, "q_scram")


def test_peer(pooler, calls):
    calls.put(ME, None)
    p = pooler(start=False, **asking(auth_type="peer", auth_query=LOOKUP, databases={"db0": "", "forced": "dbname=db0 user=trusty"}))
    p.start(wait=False)
    wait_until(lambda: reachable(p), what="the Unix socket")
    wire.Client(p.sock, ME, "forced").quit()
    calls.c.query("TRUNCATE authq.secrets")
    p.signal(signal.SIGHUP)
    wait_until(lambda: not peer_enters(p), what="the user who is gone")
    assert calls.count(ME) >= 2 and calls.count("app") == 0  # who fails by his own name is not looked up
    with pytest.raises(wire.PgError):
        wire.Client(p.sock, "app", "forced")
    assert calls.count("app") == 0


def reachable(p):
    try:
        wire.connect(p.sock).close()
        return True
    except OSError:
        return False


def peer_enters(p):
    try:
        wire.Client(p.sock, ME, "forced").quit()
        return True
    except wire.PgError as e:
        assert "Peer authentication failed" in e.text
        return False


def test_certificates(pooler, calls, pki):
    """The certificate says who it is, the server whether there is such a user."""
    conf = asking(auth_type="cert", auth_query=LOOKUP, auth_query_ttl="0", databases={"db0": "user=trusty"}, client_tls_sslmode="verify-full",
                  client_tls_key_file=pki.file("good.key"), client_tls_cert_file=pki.crt("good"), client_tls_ca_file=pki.crt("ca"))
    p = pooler(start=False, **conf)
    p.start(wait=False)

    def come(user="app"):
        context = client_context(pki.crt("ca"))
        context.load_cert_chain(pki.crt("app"), pki.file("app.key"))
        return TlsClient(p.addr, user, context=context)
    wait_until(lambda: wire_open(p), what="the door")
    come().quit()
    assert calls.count("app") == 1
    with pytest.raises(wire.PgError):
        come("app2")
    assert calls.count("app2") == 0
    calls.c.query("ALTER ROLE app NOLOGIN")
    try:
        with pytest.raises(wire.PgError):
            come()
    finally:
        calls.c.query("ALTER ROLE app LOGIN")


def wire_open(p):
    try:
        wire.connect(p.addr).close()
        return True
    except OSError:
        return False


# ---- roles ----

def rules(p, text):
    from harness.owner import own
    with open(f"{p.top}/hba.conf", "w") as f:
        f.write(text + f"host {ADMIN_DB},fynixpool,pgbouncer admin 127.0.0.1/32 scram-sha-256\n")
    own(f"{p.top}/hba.conf")


@pytest.mark.parametrize("ttl", ["60s", "0"])
def test_roles_in_rules(pooler, ttl):
    p = pooler(start=False, **asking(auth_type="hba", auth_hba_file="hba.conf", auth_query_ttl=ttl,
                                     databases={"db0": "", "q_team": "dbname=db0"}))
    rules(p, "host db0 +q_team 127.0.0.1/32 scram-sha-256\nhost samerole all 127.0.0.1/32 scram-sha-256\n")
    p.start()
    for _ in range(2):
        enters(p, "q_scram")  # by way of q_inner
        enters(p, "q_scram", "q_team")
        assert refused(p, ODD).code == "28000"
        assert refused(p, ODD, "q_team").code == "28000"
        assert refused(p, "absent").code == "28000"
    # ... and what is not refused by a rule is not looked up for its secret
    assert not [r for r in p.show("AUTH_CACHE") if r["answer"] != "roles" and r["user"] != "q_scram"]


def test_roles_without_anybody_to_ask(pooler):
    p = pooler(start=False, **asking(auth_user=None, auth_type="hba", auth_hba_file="hba.conf"))
    rules(p, "# nothing\nhost db0 +q_team 127.0.0.1/32 scram-sha-256\n")
    r = p.run("-t", p.ini)
    assert "hba.conf:2" in r.stdout + r.stderr and "+role and samerole need auth_user" in r.stdout + r.stderr
    p.start()
    assert refused(p, "q_scram").code == "28000"


# ---- what is kept ----

def test_two_hundred_logins_ask_once(pooler, calls):
    p = pooler(**asking(auth_query=LOOKUP, auth_query_ttl="60s", max_client_conn=1000, max_unauthenticated_percent=100), workers=2)
    conns = [wire.Conn(p.addr, timeout=30) for _ in range(200)]
    for c in conns:
        c.send(wire.startup([("user", "q_scram"), ("database", "db0")]))
    for c in conns:
        assert c.recv().type == "R"
        c.close()
    assert calls.count() == 1
    assert lookups(p)["asked"] == 1


def test_ttl_zero_asks_every_time(pooler, calls):
    p = pooler(section="pgbouncer", **asking(auth_query=LOOKUP))
    for n in range(1, 4):
        enters(p, "q_scram")
        assert calls.count() == n
    assert p.show("AUTH_CACHE") == []


@pytest.mark.parametrize("what", ["RELOAD", "RECONNECT"])
def test_forgotten(pooler, calls, what):
    p = pooler(**asking(auth_query=LOOKUP, auth_query_ttl="1h"))
    for _ in range(3):
        enters(p, "q_scram")
    assert calls.count() == 1
    p.console(what)
    enters(p, "q_scram")
    assert calls.count() == 2


def test_after_its_time_it_is_asked_again(pooler, calls):
    p = pooler(**asking(auth_query=LOOKUP, auth_query_ttl="100ms"))
    enters(p, "q_scram")
    wait_until(lambda: p.show("AUTH_CACHE") == [], what="the secret is dropped by itself")
    enters(p, "q_scram")
    assert calls.count() == 2


@pytest.fixture
def changing(calls):
    """A user of the table; the database forces another one upon the server."""
    calls.put("moving", "first")
    return asking(auth_query="SELECT * FROM authq.lookup($1)", auth_query_ttl="1h", databases={"db0": "", "forced": "dbname=db0 user=asker"})


def forced(p, password):
    c = wire.Client(p.addr, "moving", "forced", password)
    c.quit()


@pytest.mark.parametrize("auth_type", ["plain", "md5"])
def test_a_new_password_at_once(pooler, calls, changing, auth_type):
    """What is kept is old: the login that fails by it asks once more, and is judged once more."""
    p = pooler(**dict(changing, auth_type=auth_type))
    forced(p, "first")
    calls.put("moving", "second")
    with pytest.raises(wire.PgError):
        wire.Client(p.addr, "moving", "forced", "third").quit()
    wait_until(lambda: logs_in(p, "second"), what="the new one")
    with pytest.raises(wire.PgError):
        forced(p, "first")


def logs_in(p, password):
    try:
        forced(p, password)
        return True
    except wire.PgError:
        return False


@pytest.mark.parametrize("auth_type", ["plain", "md5"])
def test_the_first_login_with_the_new_password_succeeds(pooler, calls, changing, auth_type):
    p = pooler(**dict(changing, auth_type=auth_type))
    forced(p, "first")
    calls.put("moving", "second")
    wait_until(lambda: int(p.show("AUTH_CACHE")[0]["age_ms"]) > 1000, what="an answer that is a second old")
    forced(p, "second")
    assert calls.count("moving") == 2
    assert lookups(p)["rechecks"] == 1


def test_a_new_scram_secret_is_known_to_the_next_login(pooler, calls, changing):
    calls.put("moving", scram.secret("first"))
    p = pooler(**changing)
    forced(p, "first")
    calls.put("moving", scram.secret("second"))
    wait_until(lambda: int(p.show("AUTH_CACHE")[0]["age_ms"]) > 1000, what="an answer that is a second old")
    with pytest.raises(wire.PgError):
        forced(p, "second")
    wait_until(lambda: logs_in(p, "second"), what="the new one")
    assert calls.count("moving") == 2


def test_a_storm_of_wrong_passwords_asks_once_a_second(pooler, calls, changing):
    p = pooler(**dict(changing, auth_type="md5"))
    forced(p, "first")
    begin = time.monotonic()
    for user in ("moving", "absent"):
        for _ in range(50):
            with pytest.raises(wire.PgError):
                wire.Client(p.addr, user, "forced", "wrong").quit()
    assert calls.count() <= 2 + 2 * (time.monotonic() - begin + 1)


# ---- when it does not work ----

QUERIES = [("SELECT 1", "bind message supplies 1 parameter"), ("SELECT 'a', 'b', 'c', $1::text", "columns"), ("SELECT * FROM not_there WHERE n = $1", "does not exist"),
           ("SELECT $1::text, 'x' UNION ALL SELECT $1::text, 'y'", "more than one row"), ("SELECT NULL, $1::text", "null user name"),
           ("SELECT $1::text, repeat('x', 5000)", "too long"), ("SELECT $1::text, repeat('x', 5000000)", "too large"), ("LISTEN x", "bind message supplies 1 parameter")]


@pytest.mark.parametrize("section", ["fynixpool", "pgbouncer"])
def test_queries_that_cannot_be_right(pooler, section):
    p = pooler(section=section, **asking(databases={f"d{i}": f"dbname=db0 auth_query='{q.replace(chr(39), chr(39) * 2)}'"
                                                    for i, (q, _) in enumerate(QUERIES)} | {"db0": ""}))
    for i, (query, text) in enumerate(QUERIES):
        e = refused(p, "q_scram", f"d{i}")
        assert (e.code, e.text) == (("08P01", "bouncer config error") if section == "pgbouncer" else
                                    ("58000", "authentication is not possible: the user could not be looked up")), query
        assert p.log_has(text), query
    enters(p, "q_scram", "db0")
    assert [r["user"] for r in p.show("AUTH_CACHE")] == ([] if section == "pgbouncer" else ["q_scram"])


def test_a_row_of_nulls_is_nobody(pooler):
    p = pooler(**asking(auth_query="SELECT NULL, NULL WHERE $1::text IS NOT NULL"))
    assert refused(p, "q_scram").code == "28P01"
    assert p.show("AUTH_CACHE")[0]["answer"] == "no such user"


def test_another_name_is_no_answer(pooler):
    p = pooler(**asking(auth_query="SELECT 'app'::text, 'pw-app'::text WHERE $1::text IS NOT NULL"))
    assert refused(p, "q_scram", password="pw-app").code == "28P01"
    enters(p, "app", password="pw-app")


def test_a_slow_answer_holds_nobody_else(pooler, calls):
    p = pooler(**asking(auth_query="SELECT rolname, rolpassword FROM pg_authid, pg_sleep(CASE WHEN $1::text = 'q_scram' THEN 30 ELSE 0 END) "
                        "WHERE rolname = $1::text", client_login_timeout="2s"), workers=1)
    slow = [wire.Conn(p.addr) for _ in range(3)]
    for c in slow:
        c.send(wire.startup([("user", "q_scram"), ("database", "db0")]))
    wait_until(lambda: lookups(p)["waiting"] == 3, what="three wait for one answer")
    slow.pop().close()  # one leaves
    for _ in range(5):
        enters(p, ODD)
    for c in slow:
        m = c.until("E")[-1]
        assert m.type == "E" and (b"client_login_timeout" in m.body or b"08006" in m.body)
        c.close()
    wait_until(lambda: lookups(p)["under_way"] == 0, what="the question has ended")
    enters(p, ODD)


def test_the_server_is_down(maker, own_pg):
    own_pg.sql("DROP ROLE IF EXISTS asker")
    own_pg.sql(f"CREATE ROLE asker SUPERUSER LOGIN PASSWORD '{pw('asker')}'")
    for section, code in (("fynixpool", "08006"), ("pgbouncer", "08P01")):
        p = maker(own_pg, section=section, **asking(auth_type="md5", server_login_retry="100ms" if section == "fynixpool" else "0.1"))
        enters(p, "app")
        own_pg.stop("immediate")
        with wire.Conn(p.addr, timeout=20) as c:
            c.send(wire.startup([("user", "app2"), ("database", "db0")]))
            m = c.until("RE")[-1]
        assert m.type == "E" and wire.fields(m.body)["C"] == code, m
        own_pg.start()
        wait_until(lambda: wire_ok(p), 10, what="the way back")


def wire_ok(p):
    try:
        enters(p, "app2")
        return True
    except (wire.PgError, wire.Closed):
        return False


def test_wrong_password_of_auth_user(pooler):
    p = pooler(section="pgbouncer", **asking(auth_type="md5", userlist={"asker": "wrong", "admin": pw("admin")}))
    e = refused(p, "q_scram")
    assert e.code == "08P01" and "password authentication failed" in e.text
    assert p.log_has("server login failed: FATAL")


# ---- what is shown ----

def test_shown_to_whom_it_concerns_and_never_a_secret(pooler, calls):
    calls.put("plain canary", "canary-plain")
    p = pooler(**asking(auth_query=LOOKUP, auth_query_ttl="1h", verbose=2, databases={"db0": "", "forced": "dbname=db0 user=asker"}))
    wire.Client(p.addr, "plain canary", "forced", "canary-plain").quit()
    enters(p, "q_scram")
    refused(p, "absent")
    assert {r["user"]: r["answer"] for r in p.show("AUTH_CACHE")} == {"plain canary": "plain", "q_scram": "scram-sha-256",
                                                                      "absent": "no such user"}
    with pytest.raises(wire.PgError):
        p.show("AUTH_CACHE", user="stats")
    assert lookups(p)["kept"] == 3
    text = p.log_text() + "".join(str(p.show(t)) for t in ("AUTH_CACHE", "USERS", "CONFIG", "POOLS", "SERVERS", "CLIENTS"))
    assert "canary-plain" not in text and "SCRAM-SHA-256$" not in text


def test_pools_and_users(pooler):
    p = pooler(section="pgbouncer", **asking(auth_type="md5", userlist={"asker": pw("asker"), "admin": pw("admin")}))
    with wire.Client(p.addr, "q_scram", "db0", pw("q_scram")) as c, wire.Client(p.addr, "asker", "db0", pw("asker")) as d:
        c.value("SELECT 1")
        d.value("SELECT 1")
        rows = [(r["database"], r["user"]) for r in p.show("POOLS")]
        assert sorted(rows) == [("db0", "asker"), ("db0", "q_scram"), ("pgbouncer", "pgbouncer")]
        assert int(p.pool("db0", "asker")["sv_idle"]) == 2
        assert {r["list"]: r["items"] for r in p.show("LISTS")}["pools"] == "3"
        assert "q_scram" in [r["name"] for r in p.show("USERS")]
        assert len([r for r in p.show("SERVERS") if r["user"] == "asker"]) == 2
        refused(p, "absent")
        assert "absent" not in [r["name"] for r in p.show("USERS")]


def test_limits_count_those_who_were_looked_up(pooler):
    p = pooler(**asking(users={"q_scram": "max_user_client_connections=1"}))
    with wire.Client(p.addr, "q_scram", "db0", pw("q_scram")):
        assert "max_user_client_connections" in refused(p, "q_scram").text


def test_a_password_that_changes_is_used_for_new_servers(pooler, pg):
    pg.sql("DROP ROLE IF EXISTS q_turn")
    pg.sql("CREATE ROLE q_turn LOGIN PASSWORD 'one'")
    p = pooler(**asking(auth_query_ttl="0"))
    enters(p, "q_turn", password="one")
    pg.sql("ALTER ROLE q_turn PASSWORD 'two'")
    p.console("RECONNECT")
    enters(p, "q_turn", password="two")
    assert refused(p, "q_turn", password="one").code == "28P01"


# ---- over TLS, and several hosts ----

def test_asked_over_tls_as_the_database_says(maker, tlspg, pki):
    """The connection that asks goes as those of its entry: over TLS, with the checks of that entry, or not at all."""
    tlspg.show("good")
    tlspg.sql("DROP ROLE IF EXISTS asker")
    tlspg.sql(f"CREATE ROLE asker SUPERUSER LOGIN PASSWORD '{pw('asker')}'")
    p = maker(tlspg, **asking(auth_dbname=None, server_login_retry="100ms", server_tls_sslmode="verify-ca", server_tls_ca_file=pki.crt("ca"), databases={
        "db0": "", "full": "dbname=db0 host=localhost server_tls_sslmode=verify-full",
        "wrong": f"dbname=db0 server_tls_ca_file={pki.crt('ca2')}", "off": "dbname=db1 server_tls_sslmode=disable"}))
    for database in ("db0", "full"):
        enters(p, "app", database)
        tls = [r["tls"] for r in p.show("SERVERS") if r["database"] == database and r["user"] == "asker"]
        assert tls and all(t.startswith("TLSv1.3") for t in tls)
    for database in ("wrong", "off"):
        assert refused(p, "app", database).code == "08006"
    assert p.log_has("certificate verify failed")


def test_the_next_host_of_a_list(pooler):
    # nothing listens on 127.0.0.3: the next one is asked
    p = pooler(**asking(auth_dbname=None, databases={"db0": "host=127.0.0.3,127.0.0.1 load_balance_hosts=disable"}, server_login_retry="100ms"))
    enters(p, "q_scram")
    assert p.log_has("127.0.0.3:.*connect failed")
