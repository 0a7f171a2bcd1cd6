"""Replication connections: PostgreSQL's own tools through the pooler, and who may not."""

import os
import re
import signal
import subprocess
import time

import pytest

from harness import wire
from harness.cluster import Cluster, pw
from harness.owner import own, owner_run
from harness.pooler import sanitizer_env
from harness.wire import q, wait_until

HBA = """\
host replication app2 127.0.0.1/32 scram-sha-256
host replication app 127.0.0.1/32 scram-sha-256
"""


@pytest.fixture(scope="module")
def wal_pg(top):
    c = Cluster(top + "/walpg", hba=HBA, more={"wal_level": "logical", "max_wal_senders": 10, "max_replication_slots": 10,
                                               "wal_sender_timeout": "20s", "wal_keep_size": "32MB"}).start()
    try:
        c.prepare()
        c.sql("ALTER ROLE app2 REPLICATION")
        yield c
    finally:
        c.stop("immediate")


@pytest.fixture
def wal(wal_pg, maker):
    def make(**kw):
        kw.setdefault("databases", {"db0": "", "db1": "", "replication": ""})
        return maker(wal_pg, **kw)
    yield make
    wait_until(lambda: not senders(wal_pg), 8, what="no walsender stays behind")
    for (name,) in wal_pg.sql("SELECT slot_name FROM pg_replication_slots"):
        wal_pg.sql(f"SELECT pg_drop_replication_slot('{name}')")


def senders(pg):
    return [int(r[0]) for r in pg.sql("SELECT pid FROM pg_stat_activity WHERE backend_type='walsender'")]


def physical(p, user="app2", database="db0", **kw):
    kw.setdefault("params", {"replication": "true"})
    return p.client(user, database, **kw)


def logical(p, user="app2", database="db0", **kw):
    kw.setdefault("params", {"replication": "database"})
    return p.client(user, database, **kw)


def servers(p):
    return [r for r in p.show("SERVERS") if r["replication"] != "none"]


def tool(p, name, *args, user="app2", wait=True, stdout=subprocess.PIPE):
    argv = owner_run([f"{p.cluster.bin}/{name}", "-h", "127.0.0.1", "-p", str(p.port), "-U", user, "-w", *args])
    env = dict(sanitizer_env(), PGPASSWORD=pw(user), PGCONNECT_TIMEOUT="10")
    proc = subprocess.Popen(argv, stdout=stdout, stderr=subprocess.PIPE, text=True, env=env, cwd=p.top, start_new_session=True)
    if not wait:
        return proc
    out, err = proc.communicate(timeout=90)
    return proc.returncode, (out or "") + err


def end(proc, sig):
    """The tool, and whoever started it under its own user."""
    os.killpg(proc.pid, sig)
    proc.communicate(timeout=15)


# ---- the protocol ----

@pytest.mark.parametrize("section", ["fynixpool", "pgbouncer"])
@pytest.mark.parametrize("word", ["true", "on", "yes", "1", "database"])
def test_identify_system(wal, word, section):
    p = wal(section=section)
    c = p.client("app2", "db0", params={"replication": word, "application_name": "me", "options": "-c geqo=off"})
    r = c.query("IDENTIFY_SYSTEM")
    assert r.names == ["systemid", "timeline", "xlogpos", "dbname"]
    assert r.rows[0][0] == p.cluster.value("SELECT system_identifier::text FROM pg_control_system()")
    assert r.rows[0][3] == ("db0" if word == "database" else None)
    assert p.cluster.value("SELECT application_name FROM pg_stat_activity WHERE backend_type='walsender'") == "me"
    kind = "logical" if word == "database" else "physical"
    assert [(s["replication"], s["state"], s["application_name"]) for s in servers(p)] == [(kind, "active", "me")]
    (mine,) = [r for r in p.show("CLIENTS") if r["replication"] != "none"]
    assert (mine["replication"], mine["user"], mine["database"]) == (kind, "app2", "db0")
    assert mine["link"] == servers(p)[0]["ptr"]
    if word == "database":
        assert c.value("SHOW geqo") == "off", "options go to the server as they are"
        assert c.value("SELECT current_database()") == "db0"
    else:
        assert c.ask("SELECT 1").error["C"] in ("42601", "0A000", "55000")
    c.quit()
    wait_until(lambda: not senders(p.cluster), 4)
    wait_until(lambda: not servers(p), 2)


def test_off_is_an_ordinary_client(wal):
    p = wal()
    for word in ("off", "false", "no", "0"):
        c = p.client("app2", "db0", params={"replication": word})
        assert c.value("SELECT 1") == "1" and not servers(p)
        c.quit()


def test_another_word_is_an_error(wal):
    p = wal()
    with pytest.raises(wire.PgError) as e:
        p.client("app2", "db0", params={"replication": "maybe"})
    assert e.value.code == "22023" and "replication" in e.value.text


def test_it_is_closed_and_never_shared(wal):
    p = wal(pool_size=3, max_overflow=0)
    seen = set()
    for _ in range(3):
        c = logical(p)
        seen.add(c.value("SELECT pg_backend_pid()"))
        d = p.client("app2")
        assert d.value("SELECT pg_backend_pid()") not in seen
        d.quit(), c.quit()
        wait_until(lambda: not senders(p.cluster), 4)
    assert len(seen) == 3


def test_state_of_the_session_is_kept_in_any_pool_mode(wal):
    for mode in ("transaction", "statement", "session"):
        p = wal(pool_mode=mode)
        c = logical(p)
        c.query("SET work_mem='3MB'")
        c.query("BEGIN")
        assert c.value("SHOW work_mem") == "3MB"
        c.query("COMMIT")
        assert c.value("SHOW work_mem") == "3MB"
        c.quit()


def test_timeouts_of_queries_are_not_for_replication(wal):
    p = wal(query_timeout=1, transaction_timeout=1, idle_transaction_timeout=1, client_idle_timeout=1, long_query_time=1)
    c = logical(p)
    p.reload()
    assert c.silent(1.7)
    c.query("CREATE_REPLICATION_SLOT s1 LOGICAL test_decoding")
    c.send(q("START_REPLICATION SLOT s1 LOGICAL 0/0"))
    assert c.recv().type == "W"
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        c.silent(0.5)
    c.send(wire.copy_done())
    types = [m.type for m in c.until("Z")]
    assert types[-2:] == ["C", "Z"] and "E" not in types
    c.quit()


def test_streaming_ends_and_the_session_goes_on(wal):
    p = wal()
    pg = p.cluster
    c = logical(p)
    r = c.query("CREATE_REPLICATION_SLOT s2 LOGICAL test_decoding")
    assert r.rows[0][0] == "s2"
    # once only: PostgreSQL 15 does not start a second logical stream on a connection
    c.send(q("START_REPLICATION SLOT s2 LOGICAL 0/0"))
    assert c.recv().type == "W"
    with wire.Client(pg.sock, "postgres", "db0") as d:
        d.query("INSERT INTO sink VALUES (5, 'seen')")
    text = ""
    while "INSERT: n[integer]:5" not in text:
        m = c.recv()
        assert m.type == "d"
        text += m.body[25:].decode(errors="replace") if m.body[:1] == b"w" else ""
    c.send(wire.copy_done())
    msgs = [m for m in c.until("Z") if m.type not in "dS"]
    assert [m.type for m in msgs] == list("cCCZ"), wire.describe_msgs(msgs)
    assert c.query("IDENTIFY_SYSTEM").rows
    assert c.value("SELECT 1") == "1"
    c.quit()


# ---- limits ----

def test_it_counts_and_may_take_the_place_of_an_idle_server(wal):
    p = wal(workers=2, pool_size=2, max_overflow=0)
    them = [p.client("app2") for _ in range(2)]
    for x in them:
        x.query("BEGIN")
    for x in them:
        x.query("COMMIT")
    c = physical(p)
    assert c.query("IDENTIFY_SYSTEM").rows
    assert "closing because: evicted" in p.log_text()
    assert p.pool("db0", "app2")["sv_idle"] == 1 and p.pool("db0", "app2")["sv_active"] == 1
    d = [p.client("app2") for _ in range(2)]
    for x in d:
        x.send(q("BEGIN"))
    assert sum(not x.silent(0.3) for x in d) == 1, "one place is left"
    for x in d + them:
        x.close()
    c.quit()


@pytest.mark.parametrize("limit", ["pool_size", "max_db_connections", "max_user_connections"])
def test_it_waits_for_a_place(wal, limit):
    kw = {"pool_size": 1} if limit == "pool_size" else {"pool_size": 5, limit: 1}
    p = wal(max_overflow=0, query_wait_timeout=1, **kw)
    a = p.client("app2")
    a.query("BEGIN")
    t = time.monotonic()
    with pytest.raises(wire.PgError) as e:
        physical(p)
    assert 0.7 < time.monotonic() - t < 3 and e.value.code == "53300" and limit in e.value.text, e.value
    assert p.pool("db0", "app2")["sv_active"] == 1
    p.console("SET query_wait_timeout = 10")
    c = wire.Client(p.addr, "app2", "db0", login=False)
    c.send(wire.startup({"user": "app2", "database": "db0", "replication": "true"}))
    time.sleep(0.5)
    a.query("COMMIT")
    c.until("Z")
    assert c.query("IDENTIFY_SYSTEM").rows
    b = p.client("app2", timeout=30)
    b.send(q("SELECT 'after'"))
    assert b.silent(0.7)
    c.quit()
    assert b.result().rows == [("after",)]
    a.quit(), b.quit()


def test_it_gets_a_place_in_a_pool_that_never_rests(wal):
    p = wal(workers=2, pool_size=2, max_overflow=0, query_wait_timeout=8)
    bench = subprocess.Popen([p.cluster.bin + "/pgbench", "-n", "-h", "127.0.0.1", "-p", str(p.port), "-U", "app2", "-c", "8", "-j", "2",
                              "-T", "6", "-f", "/dev/stdin", "db0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, env=dict(sanitizer_env(), PGPASSWORD=pw("app2")), cwd=p.top)
    bench.stdin.write("SELECT 1;\n")
    bench.stdin.close()
    time.sleep(1)
    c = physical(p, timeout=10)
    assert c.query("IDENTIFY_SYSTEM").rows
    c.quit()
    out = bench.stdout.read()
    bench.wait(30)
    assert bench.returncode == 0 and "failed transactions: 0" in out, out


def test_a_client_that_leaves_while_it_waits(wal):
    p = wal(pool_size=1, max_overflow=0)
    a = p.client("app2")
    a.query("BEGIN")
    for _ in range(5):
        c = wire.Client(p.addr, "app2", "db0", login=False)
        c.send(wire.startup({"user": "app2", "database": "db0", "replication": "true"}))
        time.sleep(0.12)
        c.abort()
    a.query("COMMIT")
    b = p.client("app2")
    assert b.value("SELECT 1") == "1"
    assert not servers(p)
    a.quit(), b.quit()


# ---- who may not ----

@pytest.mark.parametrize("section", ["fynixpool", "pgbouncer"])
def test_a_user_without_the_right(wal, section):
    p = wal(section=section)
    for params in ({"replication": "true"}, {"replication": "database"}):
        with pytest.raises(wire.PgError) as e:
            p.client("app", "db0", params=params)
        if section == "pgbouncer":
            assert (e.value.code, e.value.text) == ("08P01", "login failed")
        else:
            assert e.value.code == "42501" and "replication" in e.value.text
    assert "server login failed: FATAL" in p.log_text()
    c = p.client("app", "db0")
    assert c.value("SELECT 1") == "1", "others are not punished for it"
    c.quit()


def test_refused_by_pg_hba(wal):
    p = wal()
    with pytest.raises(wire.PgError) as e:
        physical(p, "trusty")
    assert e.value.code == "28000" and "pg_hba.conf" in e.value.text


def test_wrong_password_for_the_pooler(wal):
    p = wal(auth_type="scram-sha-256")
    with pytest.raises(wire.PgError) as e:
        physical(p, password="no")
    assert e.value.code == "28P01"
    assert not senders(p.cluster)


def test_databases_that_do_not_exist(wal):
    p = wal(databases={"db0": "", "gone": "dbname=nowhere"})
    with pytest.raises(wire.PgError) as e:
        physical(p, database="nosuch")
    assert "no such database" in e.value.text
    with pytest.raises(wire.PgError) as e:
        logical(p, database="gone")
    assert e.value.code == "3D000"
    c = physical(p, database="gone")
    assert c.query("IDENTIFY_SYSTEM").rows, "PostgreSQL does not look at the name"
    c.quit()


def test_not_on_the_console(wal):
    p = wal()
    with pytest.raises(wire.PgError):
        p.admin(params={"replication": "true"})


# ---- ends in the middle ----

def stream(p, slot):
    c = logical(p)
    c.query(f"CREATE_REPLICATION_SLOT {slot} LOGICAL test_decoding")
    c.send(q(f"START_REPLICATION SLOT {slot} LOGICAL 0/0"))
    assert c.recv().type == "W"
    return c


@pytest.mark.parametrize("how", ["close", "abort", "terminate", "half a message"])
def test_a_client_that_goes_takes_its_server_along(wal, how):
    p = wal()
    c = stream(p, "s3")
    assert len(senders(p.cluster)) == 1
    if how == "terminate":
        c.send(wire.terminate())
    if how == "half a message":
        c.send(b"d\0\0\4\0abc")
    c.abort() if how == "abort" else c.close()
    wait_until(lambda: not senders(p.cluster), 4, what="the server connection is gone")
    wait_until(lambda: not servers(p), 2)


def test_a_server_that_goes_takes_its_client_along(wal):
    p = wal()
    c = stream(p, "s4")
    p.cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type='walsender'")
    msgs = c.rest(4)
    assert any(m.type == "E" and wire.fields(m.body)["C"] == "57P01" for m in msgs), wire.describe_msgs(msgs)


def test_KILL_CLIENT(wal):
    p = wal()
    c = stream(p, "s5")
    (mine,) = [r for r in p.show("CLIENTS") if r["replication"] != "none"]
    p.console(f"KILL_CLIENT {mine['id']}")
    c.rest(4)
    wait_until(lambda: not senders(p.cluster), 4)


def test_a_reload_leaves_it_alone(wal):
    p = wal()
    c = logical(p, params={"replication": "database", "application_name": "own", "client_encoding": "LATIN1"})
    p.console("SET server_lifetime = 5")
    p.reload()
    assert servers(p)[0]["close_needed"] == "0"
    assert c.value("SHOW client_encoding") == "LATIN1"
    c.quit()


def test_a_slow_reader_costs_no_memory(wal):
    p = wal()
    pg = p.cluster
    c = stream(p, "s6")
    c.query  # noqa: B018
    before = p.rss_kb()
    with wire.Client(pg.sock, "postgres", "db0", timeout=60) as d:
        d.query("INSERT INTO sink SELECT 1, repeat('x', 8000) FROM generate_series(1, 8000)")
    time.sleep(3)
    assert p.rss_kb() - before < (40000 if p.sanitized() else 3000), p.rss_kb() - before
    seen = 0
    while seen < 8000:
        m = c.recv()
        seen += m.type == "d" and b"INSERT:" in m.body
    c.close()


# ---- the tools ----

def test_pg_basebackup(wal):
    p = wal()
    d = p.top + "/base"
    code, out = tool(p, "pg_basebackup", "-D", d, "--checkpoint=fast", "-X", "stream", "-v")
    assert code == 0, out
    assert os.path.exists(d + "/PG_VERSION") and os.path.exists(d + "/backup_manifest")
    r = subprocess.run(owner_run([p.cluster.bin + "/pg_verifybackup", d]), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert r.returncode == 0, r.stdout
    code, out = tool(p, "pg_basebackup", "-D", p.top + "/tar", "--checkpoint=fast", "-Ft", "-X", "fetch", "-z")
    assert code == 0, out


def test_pg_basebackup_stopped_in_the_middle(wal):
    p = wal()
    proc = tool(p, "pg_basebackup", "-D", p.top + "/slow", "--checkpoint=fast", "-r", "64k", wait=False)
    wait_until(lambda: senders(p.cluster), 10)
    time.sleep(0.5)
    end(proc, signal.SIGKILL)
    wait_until(lambda: not senders(p.cluster), 8, what="the backup has ended in PostgreSQL")


def test_pg_receivewal(wal):
    p = wal()
    pg = p.cluster
    d = p.top + "/wal"
    os.mkdir(d)
    own(d)
    code, out = tool(p, "pg_receivewal", "-D", d, "--slot=rw", "--create-slot")
    assert code == 0, out
    proc = tool(p, "pg_receivewal", "-D", d, "--slot=rw", "--synchronous", wait=False)
    wait_until(lambda: senders(pg), 10)
    for _ in range(2):
        pg.sql("SELECT pg_logical_emit_message(false, 'x', repeat('y', 100000)); SELECT pg_switch_wal()")
    wait_until(lambda: [f for f in os.listdir(d) if re.fullmatch("[0-9A-F]{24}", f)], 30, what="a whole segment has come")
    assert proc.poll() is None
    end(proc, signal.SIGINT)
    wait_until(lambda: not senders(pg), 8)


def test_pg_recvlogical(wal):
    p = wal()
    pg = p.cluster
    code, out = tool(p, "pg_recvlogical", "-d", "db0", "--slot=rl", "--create-slot", "-P", "test_decoding")
    assert code == 0, out
    proc = tool(p, "pg_recvlogical", "-d", "db0", "--slot=rl", "--start", "-f", "-", "-F", "1", wait=False)
    wait_until(lambda: senders(pg), 10)
    with wire.Client(pg.sock, "postgres", "db0") as d:
        d.query("INSERT INTO sink VALUES (77, 'through the pool')")
    text = ""
    while "through the pool" not in text:
        text += proc.stdout.readline()
    end(proc, signal.SIGINT)
    code, out = tool(p, "pg_recvlogical", "-d", "db0", "--slot=rl", "--drop-slot")
    assert code == 0, out


def test_create_subscription(wal, wal_pg):
    """A subscriber that is another database of the same cluster."""
    p = wal()
    with wire.Client(wal_pg.sock, "postgres", "db0", timeout=30) as pub, wire.Client(wal_pg.sock, "postgres", "db1", timeout=30) as sub:
        pub.query("CREATE TABLE told(n int PRIMARY KEY); GRANT SELECT ON told TO PUBLIC; INSERT INTO told VALUES (1)")
        sub.query("CREATE TABLE told(n int PRIMARY KEY)")
        pub.query("CREATE PUBLICATION pub FOR TABLE told")
        pub.query("SELECT pg_create_logical_replication_slot('sub', 'pgoutput')")
        try:
            sub.query(f"CREATE SUBSCRIPTION sub CONNECTION '{p.dsn('app2')}' PUBLICATION pub WITH (create_slot=false, slot_name='sub')")
            pub.query("INSERT INTO told VALUES (2)")
            wait_until(lambda: sub.query("SELECT n FROM told ORDER BY n").rows == [("1",), ("2",)], 20, 0.2)
        finally:
            sub.query("ALTER SUBSCRIPTION sub DISABLE")
            wait_until(lambda: not senders(wal_pg), 15)
            sub.query("ALTER SUBSCRIPTION sub SET (slot_name=NONE)")
            sub.query("DROP SUBSCRIPTION sub")
            sub.query("DROP TABLE told")
            pub.query("DROP PUBLICATION pub; DROP TABLE told")
