"""Limits on clients, ways to name a server, and what else a database's line may say."""

import subprocess
import time

import pytest

from harness import wire
from harness.cluster import pw
from harness.owner import owner_run
from harness.pooler import BINARY, sanitizer_env
from harness.wire import q, wait_until

compat = pytest.mark.compat


def refusal(p, *args, **kw):
    with pytest.raises(wire.PgError) as e:
        p.client(*args, **kw)
    assert e.value.severity == "FATAL"
    return e.value.text


def test_max_db_client_connections(pooler):
    p = pooler(databases={"db0": "max_db_client_connections=2", "db1": ""}, max_db_client_connections=3)
    held = [p.client(), p.client("app2")]
    assert "client connections exceeded (max_db_client_connections)" in refusal(p)
    held += [p.client(database="db1") for _ in range(3)]
    assert "max_db_client_connections" in refusal(p, database="db1")
    held[0].quit()
    wait_until(lambda: inside(p), 3)
    for c in held[1:]:
        c.quit()


def test_max_user_client_connections(pooler):
    p = pooler(users={"app": "max_user_client_connections=2"}, max_user_client_connections=3)
    held = [p.client(), p.client(database="db1")]
    assert "client connections exceeded (max_user_client_connections)" in refusal(p, database="db2")
    held += [p.client("app2") for _ in range(3)]
    assert "max_user_client_connections" in refusal(p, "app2")
    held[0].quit()
    wait_until(lambda: inside(p), 3)
    for c in held[1:]:
        c.quit()


def inside(p, *args):
    try:
        p.client(*args).quit()
        return True
    except wire.PgError:
        return False


def test_admins_are_exempt_from_database_and_user_limits(pooler):
    p = pooler(max_db_client_connections=1, max_user_client_connections=1)
    held = [p.admin() for _ in range(3)]
    for a in held:
        assert a.value("SHOW VERSION")
        a.quit()


def test_failed_logins_do_not_use_up_limits(pooler):
    """K10: counted down on every way out."""
    p = pooler(auth_type="scram-sha-256", max_client_conn=5, max_user_client_connections=3, max_db_client_connections=3)
    for i in range(40):
        with pytest.raises((wire.PgError, wire.Closed)):
            p.client(password="wrong") if i % 3 else p.client(database="nosuch")
        c = p.conn()
        c.send(wire.startup({"user": "app", "database": "db0"})[: 8 + i % 20])
        c.abort() if i % 2 else c.close()
    held = [wait_until(lambda: entered(p), 3) for _ in range(3)]
    for c in held:
        assert c.value("SELECT 1") == "1"
        c.quit()


def entered(p):
    try:
        return p.client()
    except wire.PgError:
        return None


def test_unauthenticated_connections_have_a_share_of_their_own(pooler):
    """A1: those who have not said who they are cannot keep the others out."""
    p = pooler(max_client_conn=40, max_unauthenticated_percent=25, client_login_timeout=20)
    silent = [p.conn() for _ in range(40)]
    time.sleep(0.2)
    c = None
    for _ in range(3):
        try:
            c = p.client(timeout=2)
            break
        except (wire.PgError, wire.Closed, wire.Timeout, OSError):
            pass
    before = len(silent)
    for s in silent:
        s.close()
    assert before == 40
    if c is None:
        # the share is full: that is allowed; but it must be free again at once
        c = wait_until(lambda: entered(p), 3)
    assert c.value("SELECT 1") == "1"
    c.quit()


@pytest.mark.parametrize("workers", [1, 4])
def test_T_STORM_01_a_thousand_logins_at_once(pooler, workers):
    p = pooler(workers=workers, max_client_conn=1500, max_unauthenticated_percent=100, pool_size=5, max_overflow=0, auth_type="md5")
    conns = []
    for _ in range(1000):
        c = wire.Client(p.addr, "app", "db0", pw("app"), login=False, timeout=30)
        c.send(wire.startup({"user": "app", "database": "db0"}))
        conns.append(c)
    for c in conns:
        c.login()
    for c in conns:
        c.send(q("SELECT 1"))
    for c in conns:
        assert c.result().rows == [("1",)]
        c.quit()
    wait_until(lambda: {r["list"]: int(r["items"]) for r in p.show("LISTS")}["used_clients"] == 1, 5)


@pytest.mark.long
def test_T_FD_01_out_of_file_descriptors(maker, pg):
    """64 files, 200 clients: those inside go on, no spinning, and newcomers get in as soon as there is room."""
    p = maker(pg, start=False, workers=1, pool_size=2, max_overflow=0, max_client_conn=1000, max_unauthenticated_percent=100)
    with open(p.err, "ab") as err:
        p.proc = subprocess.Popen(["prlimit", "--nofile=64:64"] + owner_run([BINARY, "-q", p.ini]), cwd=p.top, env=sanitizer_env(),
                                  stdin=subprocess.DEVNULL, stdout=err, stderr=err)
    p.wait_ready()
    c = p.client()
    c.query("SELECT 1")
    crowd = []
    for _ in range(200):
        x = p.conn()
        x.send(wire.startup({"user": "app", "database": "db0"}))
        crowd.append(x)
    time.sleep(0.5)
    cpu, t = p.cpu(), time.monotonic()
    for _ in range(40):
        assert c.value("SELECT 1") == "1"
        time.sleep(0.05)
    used = (p.cpu() - cpu) / (time.monotonic() - t)
    assert used < 0.3, f"{used:.0%} of a core"
    for x in crowd:
        x.close()
    t = time.monotonic()
    d = wait_until(lambda: entered(p), 5)
    assert time.monotonic() - t < 3
    assert d.value("SELECT 1") == "1" and c.value("SELECT 1") == "1"
    c.quit(), d.quit()


# ---- what a line of [databases] may say ----

@compat
def test_star_takes_any_name(pooler):
    p = pooler(databases={"*": ""})
    for db in ("db0", "db3"):
        with p.client(database=db) as c:
            assert c.value("SELECT current_database()") == db
            c.quit()
    try:
        c = p.client(database="nowhere")
        text = c.ask("SELECT 1").error["M"]
    except wire.PgError as e:
        text = e.text
    except wire.Closed as e:
        text = wire.fields(e.msgs[0].body)["M"]
    assert 'database "nowhere" does not exist' in text


@compat
def test_server_over_a_unix_socket(pg, pooler):
    p = pooler(databases={"db0": f"host={pg.top}"})
    with p.client() as c:
        assert c.value("SELECT inet_client_addr() IS NULL") == "t"
        c.quit()


@compat
def test_server_by_name(pooler):
    p = pooler(databases={"db0": "host=localhost"})
    with p.client() as c:
        assert c.value("SELECT 1") == "1"
        c.quit()


@compat
def test_server_by_a_name_that_does_not_exist(pooler):
    p = pooler(databases={"db0": "host=no-such-host.invalid", "db1": ""}, server_login_retry=1, query_wait_timeout=3)
    with p.client(database="db1") as c:
        c.query("SELECT 1")
        try:
            r = p.client(timeout=8).ask("SELECT 1")
            assert r.error
        except (wire.PgError, wire.Closed):
            pass
        assert c.value("SELECT 1") == "1"
        c.quit()


@compat
def test_connect_query(pooler):
    p = pooler(databases={"db0": "connect_query='SELECT set_config(''my.mark'', ''yes'', false)'"})
    with p.client() as c:
        assert c.value("SELECT current_setting('my.mark')") == "yes"
        c.quit()


def test_connect_query_that_fails_is_logged_and_ignored(pooler):
    p = pooler(databases={"db0": "connect_query='SELECT 1/0'"})
    with p.client() as c:
        assert c.value("SELECT 1") == "1"
        c.quit()
    assert "division by zero" in p.log_text()


@compat
def test_settings_of_a_database_reach_its_servers(pooler):
    p = pooler(databases={"db0": "timezone=Asia/Tokyo datestyle=SQL client_encoding=LATIN1"})
    with p.client() as c:
        assert c.query("SELECT current_setting('TimeZone')").value == "Asia/Tokyo"
        c.quit()


@compat
def test_own_reset_query_in_session_mode(pooler):
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0, server_reset_query="RESET work_mem")
    with p.client() as c:
        c.query("SET work_mem='3MB'")
        c.query("SET my.stays='yes'")
        c.quit()
    with p.client() as d:
        assert d.value("SHOW work_mem") == "4MB" and d.value("SHOW my.stays") == "yes"
        d.quit()


def test_reset_query_that_fails_closes_the_server(pooler):
    """C8."""
    p = pooler(pool_mode="session", pool_size=1, max_overflow=0, server_reset_query="SELECT 1/0")
    pids = set()
    for _ in range(3):
        with p.client() as c:
            pids.add(c.value("SELECT pg_backend_pid()"))
            c.quit()
        time.sleep(0.1)
    assert len(pids) == 3


@compat
def test_reset_query_always_in_transaction_mode(pooler):
    p = pooler(pool_size=1, max_overflow=0, server_reset_query_always=1)
    a, b = p.client(), p.client()
    a.query("SET work_mem='3MB'")
    assert b.value("SHOW work_mem") == "4MB"
    a.quit(), b.quit()


def test_query_wait_notify(pooler):
    p = pooler(pool_size=1, max_overflow=0, query_wait_notify=1, pool_timeout=20)
    a, b = p.client(), p.client()
    a.query("BEGIN")
    b.send(q("SELECT 'done'"))
    m = b.recv()
    assert m.type == "N" and "No server connection available" in wire.fields(m.body)["M"]
    a.query("COMMIT")
    r = b.result()
    assert r.rows == [("done",)] and not r.notices
    a.quit(), b.quit()


@compat
def test_clients_over_the_unix_socket(pooler):
    p = pooler(auth_type="scram-sha-256")
    c = wire.Client(p.sock, "app", "db0", pw("app"))
    assert c.value("SELECT 1") == "1"
    c.quit()
    with pytest.raises(wire.PgError):
        wire.Client(p.sock, "app", "db0", "wrong")


def test_listens_on_several_addresses(maker, pg):
    p = maker(pg, start=False, listen_addr="127.0.0.1, ::1, 127.0.0.2")
    p.start()
    for host in ("127.0.0.1", "::1", "127.0.0.2"):
        c = wire.Client((host, p.port), "app", "db0")
        assert c.value("SELECT 1") == "1"
        c.quit()


def test_star_listens_everywhere(maker, pg):
    p = maker(pg, listen_addr="*")
    for host in ("127.0.0.1", "::1"):
        c = wire.Client((host, p.port), "app", "db0")
        assert c.value("SELECT 1") == "1"
        c.quit()


def test_thousands_of_short_lives_leave_nothing(pooler):
    """Files, memory and counters after 3,000 connections."""
    p = pooler(pool_size=3, max_overflow=0, log_connections=0, log_disconnections=0)
    for i in range(200):
        with p.client() as c:
            c.query("SELECT 1")
    rss, fds = p.rss_kb(), p.fds()
    for i in range(3000):
        with p.client() as c:
            if i % 3:
                c.query("SELECT 1")
            if i % 2:
                c.quit()
    wait_until(lambda: p.fds() <= fds + 3, 5)
    assert p.rss_kb() - rss < (40000 if p.sanitized() else 1500), p.rss_kb() - rss
    wait_until(lambda: {r["list"]: int(r["items"]) for r in p.show("LISTS")}["used_clients"] == 1, 5)
