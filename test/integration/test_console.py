"""The console: every table with its exact columns, every command, who may use it, signals, and the arithmetic."""

import os
import signal
import subprocess
import time

import pytest

from harness import wire
from harness.owner import own, owner_run
from harness.pooler import ADMIN_DB, STANDIN, Pooler
from harness.ports import free_port
from harness.wire import extended, q, wait_until

compat = pytest.mark.compat

OID = {"t": 25, "T": 25, "i": 23, "q": 20, "N": 1700, "b": 17}


def cols(text):
    """'a t, b i' -> [(a, 25), (b, 23)]."""
    out = []
    for part in text.replace("\n", " ").split(","):
        name, kind = part.split()
        out.append((name, OID[kind]))
    return out


STATS = ["server_assignment_count", "xact_count", "query_count", "received", "sent", "xact_time", "query_time", "wait_time",
         "client_parse_count", "server_parse_count", "bind_count"]
CLIENTS = cols("""type t, user t, database t, replication t, state t, addr t, port i, local_addr t, local_port i, connect_time T,
    request_time T, wait i, wait_us i, close_needed i, ptr t, link t, remote_pid i, tls t, application_name t, prepared_statements i, id i""")

# PgBouncer 1.25's layout
TABLES = {
    "STATS": [("database", 25)] + [("total_" + n, 1700) for n in STATS] + [
        ("avg_" + {"received": "recv"}.get(n, n), 1700) for n in STATS],
    "STATS_TOTALS": [("database", 25)] + [({"received": "bytes_received", "sent": "bytes_sent"}.get(n, n), 1700) for n in STATS],
    "STATS_AVERAGES": [("database", 25)] + [({"received": "bytes_received", "sent": "bytes_sent", "client_parse_count": "avg_client_parse_count",
                                             "server_parse_count": "avg_server_parse_count", "bind_count": "avg_bind_count"}.get(n, n), 1700)
                                            for n in STATS],
    "TOTALS": cols("name t, value N"),
    "POOLS": cols("""database t, user t, cl_active i, cl_waiting i, cl_active_cancel_req i, cl_waiting_cancel_req i, sv_active i,
        sv_active_cancel i, sv_being_canceled i, sv_idle i, sv_used i, sv_tested i, sv_login i, maxwait i, maxwait_us i, pool_mode t,
        load_balance_hosts t"""),
    "CLIENTS": CLIENTS,
    "SERVERS": CLIENTS,
    "DATABASES": cols("""name t, host t, port i, database t, force_user t, pool_size i, min_pool_size i, reserve_pool_size i,
        server_lifetime i, pool_mode t, load_balance_hosts t, max_connections i, current_connections i, max_client_connections i,
        current_client_connections i, paused i, disabled i"""),
    "USERS": cols("""name t, pool_size t, reserve_pool_size t, pool_mode t, max_user_connections i, current_connections i,
        max_user_client_connections i, current_client_connections i"""),
    "LISTS": cols("list t, items i"),
    "CONFIG": cols("key t, value t, default t, changeable t"),
    "MEM": cols("name t, size i, used i, free i, memtotal i"),
    "VERSION": cols("version t"),
    "STATE": cols("key t, value t"),
}


@pytest.fixture(scope="module")
def mp(top, pg):
    """A pooler with one working client, and one waiting, for looking at."""
    p = Pooler(pg, f"{top}/console", pool_size=1, max_overflow=0, pool_timeout=300, stats_period=1, verbose=0).start()
    c = p.client(params={"application_name": "the-app"})
    c.query("BEGIN")
    c.query("SELECT 1")
    w = p.client()
    w.send(q("SELECT 1"))
    wait_until(lambda: p.pool()["cl_waiting"] == 1, 3)
    p.worker, p.waiter = c, w
    yield p
    c.close(), w.close()
    p.stop()


# ---- columns ----

@pytest.mark.parametrize("table", TABLES)
def test_columns_are_pgbouncers(mp, table):
    r = mp.console("SHOW " + table)
    assert [(c.name, c.oid) for c in r.columns] == TABLES[table]
    assert r.tag == "SHOW"
    for c in r.columns:
        assert (c.table, c.attnum, c.typmod, c.format) == (0, 0, -1, 0), c
        assert c.size == {25: -1, 1700: -1, 17: -1, 23: 4, 20: 8}[c.oid], c


# what Debian 12's PgBouncer (1.18) sends, and what of it has been renamed or moved since
DEBIAN = {
    "STATS": cols("""database t, total_xact_count N, total_query_count N, total_received N, total_sent N, total_xact_time N, total_query_time N,
        total_wait_time N, avg_xact_count N, avg_query_count N, avg_recv N, avg_sent N, avg_xact_time N, avg_query_time N, avg_wait_time N"""),
    "STATS_TOTALS": cols("database t, xact_count N, query_count N, bytes_received N, bytes_sent N, xact_time N, query_time N, wait_time N"),
    "STATS_AVERAGES": cols("database t, xact_count N, query_count N, bytes_received N, bytes_sent N, xact_time N, query_time N, wait_time N"),
    "TOTALS": cols("name t, value N"),
    "POOLS": cols("""database t, user t, cl_active i, cl_waiting i, cl_active_cancel_req i, cl_waiting_cancel_req i, sv_active i, sv_active_cancel i,
        sv_being_canceled i, sv_idle i, sv_used i, sv_tested i, sv_login i, maxwait i, maxwait_us i, pool_mode t"""),
    "CLIENTS": cols("""type t, user t, database t, state t, addr t, port i, local_addr t, local_port i, connect_time t, request_time t, wait i, wait_us i,
        close_needed i, ptr t, link t, remote_pid i, tls t, application_name t"""),
    "SERVERS": cols("""type t, user t, database t, state t, addr t, port i, local_addr t, local_port i, connect_time t, request_time t, wait i, wait_us i,
        close_needed i, ptr t, link t, remote_pid i, tls t, application_name t"""),
    "DATABASES": cols("""name t, host t, port i, database t, force_user t, pool_size i, min_pool_size i, reserve_pool i, pool_mode t, max_connections i,
        current_connections i, paused i, disabled i"""),
    "USERS": cols("name t, pool_mode t"),
    "LISTS": cols("list t, items i"),
    "CONFIG": cols("key t, value t, default t, changeable t"),
    "MEM": cols("name t, size i, used i, free i, memtotal i"),
    "VERSION": cols("version t"),
}
MOVED = {("DATABASES", "reserve_pool")}


@pytest.mark.parametrize("table", DEBIAN)
def test_columns_of_debians_pgbouncer_are_there_in_its_order(mp, table):
    """Ours are a superset, with the same types, of what the oldest PgBouncer in use sends."""
    mine = [(c.name, c.oid) for c in mp.console("SHOW " + table).columns]
    want = [c for c in DEBIAN[table] if (table, c[0]) not in MOVED]
    assert [c for c in mine if c in want] == want, (mine, want)


def test_what_is_written_here_about_debians_pgbouncer_is_so(pg, top):
    """Asked of the binary itself where there is one; otherwise of this file's own tables, which is weaker."""
    binary = "/usr/sbin/pgbouncer"
    if not os.access(binary, os.X_OK):
        assert all(set(n for n, _ in DEBIAN[t]) - {m for _, m in MOVED} <= set(n for n, _ in TABLES[t]) for t in DEBIAN)
        return
    d, port = top + "/debian", free_port()
    os.makedirs(d, exist_ok=True)
    own(d)
    with open(d + "/ini", "w") as f:
        f.write(f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\nunix_socket_dir=\nauth_type=any\nadmin_users=admin\n"
                f"[databases]\ndb0=host=127.0.0.1 port={pg.port} user=trusty\n")
    proc = subprocess.Popen(owner_run([binary, "-q", d + "/ini"]), cwd=d, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def reach():
        try:
            return wire.Client(("127.0.0.1", port), "admin", "pgbouncer")
        except OSError:
            return None

    try:
        a = wait_until(reach, 5)
        for t in DEBIAN:
            if a.value("SHOW VERSION").startswith("PgBouncer 1.18."):
                assert [(c.name, c.oid) for c in a.query("SHOW " + t).columns] == DEBIAN[t]
    finally:
        proc.terminate()
        proc.wait(10)


def test_totals_rows(mp):
    names = ["server_assignment_count", "xact_count", "query_count", "client_bytes", "server_bytes", "xact_time", "query_time", "wait_time",
             "ps_client_parse_count", "ps_server_parse_count", "ps_bind_count"]
    assert [r["name"] for r in mp.show("TOTALS")] == [p + n for p in ("total_", "avg_") for n in names]


def test_lists_rows(mp):
    assert [r["list"] for r in mp.show("LISTS")] == [
        "databases", "users", "peers", "pools", "peer_pools", "free_clients", "used_clients", "login_clients", "free_servers", "used_servers",
        "dns_names", "dns_zones", "dns_queries", "dns_pending"]


def test_state_rows(mp):
    assert mp.console("SHOW STATE").rows == [("active", "yes"), ("paused", "no"), ("suspended", "no")]


def test_mem_rows(mp):
    names = [r["name"] for r in mp.show("MEM")]
    for n in ("user_cache", "db_cache", "pool_cache", "server_cache", "client_cache", "iobuf_cache"):
        assert n in names


@compat
def test_config_rows(mp):
    """Every setting of PgBouncer is listed, in PgBouncer's order, those that are set with their value."""
    rows = mp.show("CONFIG")
    keys = [r["key"] for r in rows]
    for k in ("admin_users", "auth_type", "default_pool_size", "listen_port", "max_client_conn", "pool_mode", "query_timeout", "server_lifetime",
              "tcp_keepalive", "unix_socket_dir", "verbose"):
        assert k in keys
    byname = {r["key"]: r for r in rows}
    assert byname["listen_port"]["value"] == str(mp.port) and byname["listen_port"]["changeable"] == "no"
    assert byname["stats_period"] == {"key": "stats_period", "value": "1", "default": "60", "changeable": "yes"}
    theirs = [k for k in keys if k in ("admin_users", "auth_file", "default_pool_size", "listen_addr", "max_client_conn", "server_lifetime", "verbose")]
    assert theirs == sorted(theirs)


def test_config_lists_all_101_settings(mp):
    keys = [r["key"] for r in mp.show("CONFIG")]
    for k in ("application_name_add_host", "auth_hba_file", "auth_ldap_options", "cancel_wait_timeout", "client_tls13_ciphers", "disable_pqexec",
              "dns_max_ttl", "job_name", "max_db_client_connections", "max_prepared_statements", "peer_id", "pkt_buf", "query_wait_notify",
              "resolv_conf", "sbuf_loopcnt", "scram_iterations", "server_check_query", "server_fast_close", "server_round_robin",
              "server_tls_sslmode", "so_reuseport", "syslog_facility", "tcp_user_timeout", "track_extra_parameters", "transaction_timeout",
              "unix_socket_mode", "user"):
        assert k in keys, k
    assert {"max_overflow", "overflow_linger", "pool_pre_ping", "pre_ping_idle", "worker_threads", "long_query_time", "long_query_action"} <= set(keys)


# ---- rows ----

@compat
def test_pools_row(mp):
    r = mp.pool()
    assert (r["cl_active"], r["cl_waiting"], r["sv_active"], r["sv_idle"]) == (1, 1, 1, 0), r
    assert r["maxwait"] * 1000000 + r["maxwait_us"] > 0
    assert r["pool_mode"] == "transaction"
    # the console's own pool is a row as well
    names = [x["database"] for x in mp.show("POOLS")]
    assert "pgbouncer" in names or ADMIN_DB in names


def test_clients_rows(mp):
    rows = [r for r in mp.show("CLIENTS") if r["database"] == "db0"]
    assert sorted(r["state"] for r in rows) == ["active", "waiting"]
    a = [r for r in rows if r["state"] == "active"][0]
    assert (a["type"], a["user"], a["replication"], a["addr"], a["local_addr"], a["local_port"]) == (
        "C", "app", "none", "127.0.0.1", "127.0.0.1", str(mp.port))
    assert a["application_name"] == "the-app"
    assert int(a["port"]) == mp.worker.sock.getsockname()[1]
    time.strptime(a["connect_time"].rsplit(" ", 1)[0], "%Y-%m-%d %H:%M:%S")
    assert a["link"] and a["ptr"].startswith("0x")
    w = [r for r in rows if r["state"] == "waiting"][0]
    assert int(w["wait"]) * 1000000 + int(w["wait_us"]) > 0 and not w["link"]
    assert len({r["id"] for r in mp.show("CLIENTS")}) == len(mp.show("CLIENTS"))


def test_idle_clients_are_idle(pooler):
    p = pooler(pool_size=2, max_overflow=0)
    c = p.client()
    assert [r["state"] for r in p.show("CLIENTS") if r["database"] == "db0"] == ["idle"]
    c.query("SELECT 1")
    assert [r["state"] for r in p.show("CLIENTS") if r["database"] == "db0"] == ["idle"]
    c.quit()


def test_servers_rows(mp, pg):
    (s,) = [r for r in mp.show("SERVERS") if r["database"] == "db0"]
    assert (s["type"], s["user"], s["state"], s["addr"], s["port"]) == ("S", "app", "active", "127.0.0.1", str(pg.port))
    assert int(s["remote_pid"]) in pg.backends("usename='app'")
    (a,) = [r for r in mp.show("CLIENTS") if r["database"] == "db0" and r["state"] == "active"]
    assert s["link"] == a["ptr"] and a["link"] == s["ptr"]
    assert s["id"] != a["id"]


def test_databases_row(pooler):
    p = pooler(databases={"db0": "pool_size=7 min_pool_size=1 reserve_pool_size=2 pool_mode=session server_lifetime=99 max_db_connections=9 "
                                 "max_db_client_connections=11", "db1": "user=app2"})
    rows = {r["name"]: r for r in p.show("DATABASES")}
    r = rows["db0"]
    assert (r["host"], r["port"], r["database"], r["force_user"], r["pool_size"], r["min_pool_size"], r["reserve_pool_size"], r["server_lifetime"],
            r["pool_mode"], r["max_connections"], r["max_client_connections"], r["paused"], r["disabled"]) == (
        "127.0.0.1", str(p.cluster.port), "db0", None, "7", "1", "2", "99", "session", "9", "11", "0", "0")
    assert rows["db1"]["force_user"] == "app2" and rows["db1"]["pool_mode"] is None
    assert "pgbouncer" in rows or ADMIN_DB in rows
    with p.client() as c:
        c.query("SELECT 1")
        r = {r["name"]: r for r in p.show("DATABASES")}["db0"]
        assert (r["current_connections"], r["current_client_connections"]) == ("1", "1")
        c.quit()


def test_users_rows(pooler):
    p = pooler(users={"app": "pool_size=4 pool_mode=session max_user_connections=9", "app2": ""})
    with p.client() as c:
        c.query("SELECT 1")
        r = {r["name"]: r for r in p.show("USERS")}["app"]
        assert (r["pool_size"].strip(), r["pool_mode"], r["max_user_connections"], r["current_connections"], r["current_client_connections"]) == (
            "4", "session", "9", "1", "1")
        c.quit()


def test_users_that_never_logged_in_make_no_row(pooler):
    p = pooler(auth_type="scram-sha-256")
    with pytest.raises(wire.PgError):
        p.client("stranger", password="x")
    assert "stranger" not in [r["name"] for r in p.show("USERS")]


# ---- words ----

@compat
@pytest.mark.parametrize("text", ["show version", "SHOW VERSION;", "  ShOw   vErSiOn ; ", 'SHOW "version"', "SELECT version", "show\tversion\n"])
def test_ways_to_say_it(mp, text):
    r = mp.console(text)
    assert r.names == ["version"] and r.tag == "SHOW"


@compat
@pytest.mark.parametrize("text", ["bogus", "SHOW bogus", "", ";", "PAUSE a b c", "SHOW", "SET", "SET a", "KILL_CLIENT", "SELECT 1; SELECT 2",
                                  "x" * 1000, "SHOW " + "y" * 100, "SHOW 'version", "SHOW \"", "/* */", "SHOW -1", "KILL db0 db1"])
def test_what_it_does_not_understand_is_an_error_and_no_more(mp, text):
    a = mp.admin()
    r = a.ask(text)
    assert r.types == "EZ" and r.error["C"] == "08P01" and r.error["S"] == "ERROR", wire.describe_msgs(r.msgs)
    assert a.ask("SHOW VERSION").tag == "SHOW"
    a.quit()


@compat
def test_help_is_a_notice(mp):
    r = mp.console("SHOW HELP")
    assert r.types == "NCZ" and r.tag == "SHOW"
    n = r.notices[0]
    assert n["C"] == "00000" and n["M"] == "Console usage" and "PAUSE" in n["D"] and "RELOAD" in n["D"]


def test_help_names_everything(mp):
    text = mp.console("SHOW HELP").notices[0]["D"]
    for word in list(TABLES) + ["HEALTH", "LONG_QUERIES", "POOLS_EXTENDED", "WORKERS", "LOGINS", "LOGIN_ADDRESSES", "AUTH_CACHE", "AUTH_LOOKUPS", "MEM_EXTENDED", "SET", "PAUSE", "RESUME", "RECONNECT", "RELOAD", "KILL", "KILL_CLIENT",
                                "KILL_QUERY", "KILL_SERVER", "SHUTDOWN"]:
        assert word in text, word


@compat
def test_greeting(mp):
    a = mp.admin()
    assert a.params["server_version"].endswith("/bouncer")
    assert (a.params["client_encoding"], a.params["standard_conforming_strings"], a.params["DateStyle"], a.params["TimeZone"],
            a.params["is_superuser"]) == ("UTF8", "on", "ISO", "GMT", "on")
    a.quit()


@compat
def test_variables_that_drivers_ask_for(mp):
    a = mp.admin()
    for name, value in (("client_encoding", "UTF-8"), ("default_transaction_isolation", "read committed"), ("standard_conforming_strings", "on"),
                        ("datestyle", "ISO"), ("timezone", "GMT")):
        assert a.value("SHOW " + name) == value
        r = a.ask(f"SET {name} = 'x'")
        assert not r.error and r.notices[0]["M"] == "SET ignored"
    a.quit()


@compat
def test_extended_protocol_is_refused_or_works_but_never_hangs(mp):
    a = mp.admin()
    a.send(extended("SHOW VERSION"))
    try:
        kinds = "".join(m.type for m in a.until("Z"))
        assert "E" in kinds or "D" in kinds
    except wire.Closed as e:
        assert "E" in "".join(m.type for m in e.msgs)
    a.close()
    assert mp.show("VERSION")


def test_both_names_of_the_console(mp):
    for name in ("pgbouncer", "fynixpool"):
        a = mp.admin(database=name)
        assert a.value("SHOW VERSION")
        a.quit()


@compat
def test_psql_reads_the_console(mp):
    for table in ("POOLS", "CLIENTS", "STATS", "CONFIG"):
        r = mp.psql("-c", "SHOW " + table, user="admin", database=ADMIN_DB)
        assert r.returncode == 0 and r.stdout.count("\n") >= 1, r


# ---- who may ----

SHOWS = ["SHOW " + t for t in TABLES] + ["SHOW HELP", "SHOW HEALTH", "SHOW LONG_QUERIES", "SHOW POOLS_EXTENDED", "SHOW WORKERS", "SHOW LOGINS",
                                          "SHOW LOGIN_ADDRESSES", "SHOW AUTH_LOOKUPS", "SHOW MEM_EXTENDED"]
COMMANDS = ["RELOAD", "PAUSE", "PAUSE db3", "RESUME", "RECONNECT", "RECONNECT db3", "KILL db3", "KILL_CLIENT 999999", "KILL_QUERY 999999",
            "KILL_SERVER 999999", "SET query_timeout=0", "SHUTDOWN", "SHUTDOWN WAIT_FOR_CLIENTS", "SHUTDOWN WAIT_FOR_SERVERS"]


@pytest.mark.parametrize("command", [c for c in SHOWS])
@pytest.mark.parametrize("user", ["admin", "stats"])
def test_T_ADM_01_reading(mp, command, user):
    assert not mp.admin(user).ask(command).error


@pytest.mark.parametrize("command", COMMANDS)
def test_T_ADM_01_commanding_needs_admin(pooler, command):
    p = pooler()
    held = p.client()
    held.query("SELECT 1")
    a = p.admin("stats")
    r = a.ask(command)
    assert r.error and r.error["M"] == "admin access needed" and r.error["C"] == "08P01", (command, r.msgs)
    assert p.alive() and held.value("SELECT 1") == "1"
    assert p.console("SHOW STATE").rows[1] == ("paused", "no") if not STANDIN else True
    held.quit(), a.quit()


@compat
def test_T_ADM_01_others_do_not_get_in(mp):
    for user in ("app", "nobody", "trusty"):
        with pytest.raises(wire.PgError) as e:
            mp.admin(user)
        assert e.value.severity == "FATAL"


def test_T_ADM_03_no_secret_is_shown_anywhere(pooler):
    """Canary secrets in every place that takes one; none in any table."""
    p = pooler(databases={"db0": "user=app password=canary-db-secret", "db1": ""}, userlist={"app": "canary-file-secret", "admin": "canary-admin"})
    a = p.admin(password="canary-admin")
    for s in SHOWS:
        r = a.ask(s)
        assert not r.error
        assert b"canary" not in b"".join(m.body for m in r.msgs), s
    a.quit()


@compat
def test_unix_socket_same_uid_is_admin_without_a_password(pooler):
    """User pgbouncer, whatever auth_type says; another uid is not."""
    p = pooler(auth_type="scram-sha-256")
    r = p.psql("-c", "SHOW VERSION", user="pgbouncer", database="pgbouncer", as_owner=True, host=p.top)
    assert r.returncode == 0 and r.stdout.strip(), r
    r = p.psql("-c", "RELOAD", user="pgbouncer", database="pgbouncer", as_owner=True, host=p.top)
    assert r.returncode == 0, r
    r = p.psql("-c", "SHOW VERSION", user="pgbouncer", database="pgbouncer", as_owner=True, host="127.0.0.1")
    assert r.returncode != 0, "TCP is another matter"
    if os.getuid() == 0:
        with pytest.raises(wire.PgError):
            wire.Client(p.sock, "pgbouncer", "pgbouncer")


# ---- commands ----

@compat
def test_pause_waits_for_transactions_and_holds_new_queries(pg, pooler):
    p = pooler(pool_size=3, max_overflow=0)
    busy, other = p.client(), p.client()
    busy.query("BEGIN")
    a = p.admin()
    a.send(q("PAUSE"))
    assert a.silent(0.3), "a transaction is open"
    other.send(q("SELECT 'later'"))
    assert other.silent(0.3)
    assert busy.ask("SELECT 1").status == "T", "the open transaction goes on"
    pid = int(busy.value("SELECT pg_backend_pid()"))
    busy.query("COMMIT")
    r = a.result()
    assert r.tag == "PAUSE"
    assert other.silent(0.3)
    wait_until(lambda: pid not in pg.backends(), 3, what="paused means no server connections")
    r = a.query("RESUME")
    assert r.tag == "RESUME"
    assert other.result().rows == [("later",)]
    assert busy.value("SELECT 1") == "1"
    for c in (busy, other, a):
        c.quit()


@compat
def test_pause_and_resume_of_one_database(pooler):
    p = pooler(pool_size=2, max_overflow=0)
    with p.client(database="db0") as x, p.client(database="db1") as y:
        x.query("SELECT 1"), y.query("SELECT 1")
        assert p.console("PAUSE db0").tag == "PAUSE"
        assert {r["name"]: r["paused"] for r in p.show("DATABASES")}["db0"] == "1"
        x.send(q("SELECT 'x'"))
        assert x.silent(0.3)
        assert y.value("SELECT 1") == "1"
        assert p.console("RESUME db0").tag == "RESUME"
        assert x.result().rows == [("x",)]
        x.quit(), y.quit()


def test_state_while_paused(pooler):
    p = pooler()
    p.console("PAUSE")
    assert dict(p.console("SHOW STATE").rows) == {"active": "no", "paused": "yes", "suspended": "no"}
    p.console("RESUME")
    assert dict(p.console("SHOW STATE").rows) == {"active": "yes", "paused": "no", "suspended": "no"}


@compat
@pytest.mark.parametrize("command", ["PAUSE dne", "RESUME dne", "RECONNECT dne", "KILL dne"])
def test_commands_on_an_unknown_database(mp, command):
    with pytest.raises(wire.PgError) as e:
        mp.console(command)
    assert e.value.text == "no such database: dne" and e.value.code == "08P01"


@compat
def test_resume_without_pause_is_an_error(mp):
    with pytest.raises(wire.PgError) as e:
        mp.console("RESUME")
    assert e.value.code == "08P01" and "paused" in e.value.text


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_giving_up_a_waiting_pause(pooler, how):
    """Ctrl-C on a waiting console is RESUME; so is going away."""
    p = pooler(pool_size=2, max_overflow=0)
    busy, other = p.client(), p.client()
    busy.query("BEGIN")
    a = p.admin()
    a.send(q("PAUSE"))
    assert a.silent(0.2)
    if how == "cancel":
        a.cancel()
    a.close()
    assert wait_until(lambda: other.value("SELECT 'goes'"), 5) == "goes"
    busy.quit(), other.quit()


@compat
def test_reconnect_replaces_servers_without_an_error(pooler):
    p = pooler(pool_size=2, max_overflow=0)
    a, b = p.client(), p.client()
    a.query("BEGIN")
    b.query("BEGIN")
    pids = {c.value("SELECT pg_backend_pid()") for c in (a, b)}
    assert p.console("RECONNECT").tag == "RECONNECT"
    assert a.value("SELECT pg_backend_pid()") in pids, "not in a transaction"
    for c in (a, b):
        c.query("COMMIT")
    time.sleep(0.5)
    for c in (a, b):
        c.query("BEGIN")
    assert not pids & {c.value("SELECT pg_backend_pid()") for c in (a, b)}
    a.quit(), b.quit()


@compat
def test_kill_drops_clients_and_servers_of_a_database(pg, pooler):
    p = pooler(pool_size=2, max_overflow=0)
    a, b, c = p.client(), p.client(), p.client(database="db1")
    a.query("BEGIN")
    pid = int(a.value("SELECT pg_backend_pid()"))
    b.query("SELECT 1")
    c.query("SELECT 1")
    assert p.console("KILL db0").tag == "KILL"
    for x in (a, b):
        x.rest(3)
    wait_until(lambda: pid not in pg.backends(), 3)
    assert c.value("SELECT 1") == "1"
    assert {r["name"]: r["paused"] for r in p.show("DATABASES")}["db0"] == "1"
    p.console("RESUME db0")
    with p.client() as d:
        assert d.value("SELECT 1") == "1"
        d.quit()
    c.quit()


def ids(p, what, database="db0"):
    return [r["id"] for r in p.show(what) if r["database"] == database]


def test_kill_client(pooler):
    p = pooler(pool_size=2, max_overflow=0)
    a = p.client()
    (ida,) = ids(p, "CLIENTS")
    b = p.client()
    b.query("SELECT 1")
    a.query("BEGIN")
    assert p.console(f"KILL_CLIENT {ida}").tag == "KILL_CLIENT"
    msgs = a.rest(3)
    assert not msgs or msgs[0].type == "E" and "admin forced disconnect" in wire.fields(msgs[0].body)["M"]
    assert b.value("SELECT 1") == "1"
    for bad in ("999999", ida):
        with pytest.raises(wire.PgError) as e:
            p.console(f"KILL_CLIENT {bad}")
        assert e.value.text == "client not found" and e.value.code == "08P01"
    with pytest.raises(wire.PgError) as e:
        p.console("KILL_CLIENT abc")
    assert e.value.text == "invalid client pointer supplied" and e.value.code == "08P01"
    b.quit()


def test_kill_client_that_waits(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    a, b = p.client(), p.client()
    a.query("BEGIN")
    b.send(q("SELECT 1"))
    wait_until(lambda: p.pool()["cl_waiting"] == 1, 3)
    (idb,) = [r["id"] for r in p.show("CLIENTS") if r["state"] == "waiting"]
    p.console(f"KILL_CLIENT {idb}")
    b.rest(3)
    assert p.pool()["cl_waiting"] == 0
    assert a.ask("SELECT 1").status == "T"
    a.quit()


@pytest.mark.parametrize("by", ["id", "pid"])
def test_kill_server(pg, pooler, by):
    p = pooler(pool_size=2, max_overflow=0)
    a = p.client()
    pid = a.value("SELECT pg_backend_pid()")
    (s,) = [r for r in p.show("SERVERS") if r["database"] == "db0"]
    assert s["remote_pid"] == pid
    assert p.console(f"KILL_SERVER {s['id'] if by == 'id' else pid}").tag == "KILL_SERVER"
    wait_until(lambda: int(pid) not in pg.backends(), 3)
    assert a.value("SELECT pg_backend_pid()") != pid, "the client goes on with another"
    with pytest.raises(wire.PgError) as e:
        p.console("KILL_SERVER 99999999")
    assert e.value.code == "08P01" and "not found" in e.value.text
    with pytest.raises(wire.PgError):
        p.console("KILL_SERVER abc")
    a.quit()


def test_kill_server_in_use_tells_its_client(pg, pooler):
    p = pooler(pool_size=2, max_overflow=0)
    a = p.client()
    a.query("BEGIN")
    pid = a.value("SELECT pg_backend_pid()")
    a.send(q("SELECT pg_sleep(30)"))
    time.sleep(0.2)
    p.console(f"KILL_SERVER {pid}")
    m = a.recv()
    assert m.type == "E", m
    wait_until(lambda: int(pid) not in pg.backends(), 5)
    a.close()


@compat
@pytest.mark.parametrize("text", ["query_timeout=7", "query_timeout = 7", "query_timeout='7'", "query_timeout TO 7", "query_timeout to '7'"])
def test_set_acts_at_once(pooler, text):
    p = pooler()
    assert p.console("SET " + text).tag.startswith("SET")
    assert {r["key"]: r["value"] for r in p.show("CONFIG")}["query_timeout"] == "7"


@pytest.mark.parametrize("text", ["bogus=1", "listen_port=7000", "query_timeout=abc", "pool_mode=wild", "unix_socket_dir=/x", "default_pool_size=-x"])
def test_set_of_what_cannot_be_set_is_an_error(mp, text):
    with pytest.raises(wire.PgError) as e:
        mp.console("SET " + text)
    assert e.value.code == "08P01"


def test_set_pool_size_acts_on_those_who_wait(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    a, b = p.client(), p.client()
    a.query("BEGIN")
    b.send(q("SELECT 'now'"))
    assert b.silent(0.2)
    p.console("SET default_pool_size=2")
    assert b.result().rows == [("now",)]
    a.quit(), b.quit()


@compat
def test_set_admin_users_acts_at_once(pooler):
    p = pooler()
    p.console("SET admin_users='admin,app'")
    assert p.console("RELOAD", user="app").tag == "RELOAD"


@compat
def test_set_max_client_conn_acts_at_once(pooler):
    p = pooler()
    a = p.admin()
    a.query("SET max_client_conn=2")
    c = p.client()
    with pytest.raises(wire.PgError):
        p.client()
    a.query("SET max_client_conn=3")
    p.client().quit()
    c.quit(), a.quit()


# ---- our own tables ----

def test_pools_extended(mp):
    r = mp.console("SHOW POOLS_EXTENDED")
    assert r.names[:2] == ["database", "user"]
    row = [x for x in r.dicts() if x["database"] == "db0"][0]
    text = " ".join(row)
    for word in ("pool_size", "overflow", "max_overflow", "reuse", "wait"):
        assert word in text, (word, list(row))
    assert row["pool_size"] == "1" and row["max_overflow"] == "0"


def test_our_tables_answer_with_rows(mp):
    assert mp.show("HEALTH") and mp.show("POOLS_EXTENDED")


# ---- signals ----

@compat
def test_sighup_reloads(pooler):
    p = pooler()
    p.set(max_client_conn=77)
    p.signal(signal.SIGHUP)
    wait_until(lambda: {r["key"]: r["value"] for r in p.show("CONFIG")}["max_client_conn"] == "77", 3)


@compat
def test_sigusr1_pauses_and_sigusr2_resumes(pooler):
    p = pooler()
    c = p.client()
    c.query("SELECT 1")
    p.signal(signal.SIGUSR1)
    wait_until(lambda: {r["name"]: r["paused"] for r in p.show("DATABASES")}["db0"] == "1" if STANDIN else
               dict(p.console("SHOW STATE").rows)["paused"] == "yes", 3) if not STANDIN else time.sleep(0.5)
    c.send(q("SELECT 'after'"))
    assert c.silent(0.3)
    p.signal(signal.SIGUSR2)
    assert c.result().rows == [("after",)]
    c.quit()


@pytest.mark.parametrize("clients", [0, 3])
def test_sigquit_exits_at_once(pooler, clients):
    p = pooler()
    held = [p.client() for _ in range(clients)]
    for c in held:
        c.query("BEGIN")
    t = time.monotonic()
    p.signal(signal.SIGQUIT)
    p.expect_exit(5)
    assert time.monotonic() - t < 3
    assert not os.path.exists(p.pidfile)


@pytest.mark.parametrize("sig,command", [(signal.SIGTERM, None), (None, "SHUTDOWN WAIT_FOR_CLIENTS")])
def test_T_SHUT_01_wait_for_clients(pooler, sig, command):
    """SIGTERM: no new client, the old ones go on until they leave by themselves, then exit 0."""
    p = pooler(pool_size=2, max_overflow=0)
    c = p.client()
    c.query("SELECT 1")
    if sig:
        p.signal(sig)
    else:
        assert p.console(command).tag == "SHUTDOWN"
    wait_until(lambda: refused(p), 3, what="no new connections")
    for _ in range(5):
        assert c.value("SELECT 1") == "1"
        time.sleep(0.05)
    assert p.alive()
    a = wire.Client(p.sock, "admin", ADMIN_DB)
    assert a.value("SHOW VERSION"), "the console stays reachable on the Unix socket"
    with pytest.raises(wire.PgError) as e:
        a.query("RESUME")
    assert "shutting down" in e.value.text
    a.quit()
    c.quit()
    assert p.expect_exit(5) == 0
    assert not os.path.exists(p.sock) and not os.path.exists(p.pidfile)


def refused(p):
    try:
        p.conn().close()
        return False
    except ConnectionResetError:
        return False        # the door closed while we stood in it: what holds is what comes next
    except ConnectionRefusedError:
        return True


@pytest.mark.parametrize("sig,command", [(signal.SIGINT, None), (None, "SHUTDOWN WAIT_FOR_SERVERS")])
def test_T_SHUT_01_wait_for_servers(pooler, sig, command):
    """SIGINT: transactions end, then it exits, whoever is still connected."""
    p = pooler(pool_size=2, max_overflow=0)
    busy, idle = p.client(), p.client()
    idle.query("SELECT 1")
    busy.query("BEGIN")
    if sig:
        p.signal(sig)
    else:
        p.console(command)
    time.sleep(0.4)
    assert p.alive(), "a transaction is open"
    assert busy.ask("SELECT 1").status == "T"
    busy.query("COMMIT")
    assert p.expect_exit(5) == 0
    idle.rest(3)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_T_SHUT_01_second_signal_exits_at_once(pooler, sig):
    p = pooler()
    c = p.client()
    c.query("BEGIN")
    p.signal(sig)
    time.sleep(0.3)
    assert p.alive()
    p.signal(sig)
    p.expect_exit(3)


def test_T_SHUT_01_shutdown_at_once(pooler):
    p = pooler()
    c = p.client()
    c.query("BEGIN")
    a = p.admin()
    a.send(q("SHUTDOWN"))
    p.expect_exit(3)
    c.rest(3)


@compat
def test_no_clients_means_term_exits(pooler):
    p = pooler()
    p.signal(signal.SIGTERM)
    assert p.expect_exit(3) in ((0,) if not STANDIN else (0, 1))


def test_T_SIG_01_signals_under_load(pooler):
    """Hundreds of harmless signals while queries run: no error."""
    p = pooler(pool_size=2, max_overflow=0)
    clients = [p.client() for _ in range(4)]
    for i in range(200):
        p.signal((signal.SIGHUP, signal.SIGPIPE, signal.SIGWINCH, signal.SIGCHLD)[i % 4])
        for c in clients:
            c.send(q("SELECT 1"))
        for c in clients:
            assert c.result().rows == [("1",)]
    for c in clients:
        c.quit()


# ---- arithmetic (contract §13) ----

def stats(p, database="db0"):
    for r in p.show("STATS"):
        if r["database"] == database:
            return {k: int(v) for k, v in r.items() if k != "database"}
    return None


@compat
def test_counts_are_exact(pooler):
    p = pooler(pool_mode="session")
    for _ in range(4):
        with p.client() as c:
            c.query("SELECT 1")
            c.quit()
    with p.client() as c:
        for _ in range(2):
            c.query("BEGIN")
            for _ in range(3):
                c.query("SELECT 1")
            c.query("COMMIT")
        c.quit()
    s = wait_until(lambda: stats(p), 3)
    assert (s["total_xact_count"], s["total_query_count"]) == (6, 14)
    if not STANDIN:
        assert s["total_server_assignment_count"] == 5
        assert (s["total_client_parse_count"], s["total_server_parse_count"], s["total_bind_count"]) == (0, 0, 0)


def test_assignments_in_transaction_mode_are_transactions(pooler):
    p = pooler()
    with p.client() as c:
        for _ in range(10):
            c.query("SELECT 1")
        c.query("BEGIN")
        c.query("SELECT 1")
        c.query("COMMIT")
        c.run(extended("SELECT 1"))
        c.quit()
    s = stats(p)
    assert (s["total_server_assignment_count"], s["total_xact_count"], s["total_query_count"]) == (12, 12, 14), s


@compat
def test_bytes_and_times_are_counted(pooler):
    p = pooler()
    with p.client() as c:
        c.query("SELECT 1")
        before = stats(p)
        c.query("SELECT repeat('x', 100000)")
        c.query("SELECT pg_sleep(0.3)")
        after = stats(p)
        c.quit()
    d = {k: after[k] - before[k] for k in after}
    assert 100000 <= d["total_sent"] <= 101000, d
    assert 40 <= d["total_received"] <= 200, d
    assert 300000 <= d["total_query_time"] <= 900000, d
    assert 300000 <= d["total_xact_time"] <= 900000, d


@compat
def test_wait_time_is_counted(pooler):
    p = pooler(pool_size=1, max_overflow=0)
    a, b = p.client(), p.client()
    a.query("SELECT 1"), b.query("SELECT 1")
    before = stats(p)
    a.query("BEGIN")
    b.send(q("SELECT 1"))
    time.sleep(0.5)
    a.query("COMMIT")
    b.result()
    d = stats(p)["total_wait_time"] - before["total_wait_time"]
    assert 400000 <= d <= 1000000, d
    a.quit(), b.quit()


@compat
def test_averages_cover_the_last_period(pooler):
    p = pooler(stats_period=1)
    c = p.client()
    end = time.monotonic() + 2.6
    times = []
    while time.monotonic() < end:
        c.query("SELECT 1")
        times.append(time.monotonic())
        time.sleep(0.002)
    s = stats(p)
    asked = time.monotonic()
    # the period that was last is one of these seconds; a busy machine is not equally fast in all of them
    rates = [sum(last - 1 < t <= last for t in times) for last in (asked - 0.02 * i for i in range(70))]
    assert min(rates) * 0.8 - 2 < s["avg_query_count"] < max(rates) * 1.2 + 2, (min(rates), max(rates), s["avg_query_count"])
    assert min(rates) > 0
    time.sleep(2.2)
    assert stats(p)["avg_query_count"] <= 1
    c.quit()


def test_totals_are_sums(pooler):
    p = pooler()
    for db in ("db0", "db1"):
        with p.client(database=db) as c:
            for _ in range(5):
                c.query("SELECT 1")
            c.quit()
    t = {r["name"]: int(r["value"]) for r in p.show("TOTALS")}
    both = stats(p, "db0")["total_query_count"] + stats(p, "db1")["total_query_count"]
    assert both == 10 and t["total_query_count"] >= both


def test_totals_count_the_console(pooler):
    """§13: every admin command is one query and one transaction."""
    p = pooler()
    a = p.admin()
    first = {r[0]: int(r[1]) for r in a.query("SHOW TOTALS").rows}
    for _ in range(3):
        a.query("SHOW VERSION")
    second = {r[0]: int(r[1]) for r in a.query("SHOW TOTALS").rows}
    assert second["total_query_count"] - first["total_query_count"] == 4
    assert second["total_xact_count"] - first["total_xact_count"] == 4
    a.quit()


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_counts_are_exact_over_all_workers(pooler, workers):
    p = pooler(workers=workers, pool_size=4, max_overflow=2)
    clients = [p.client() for _ in range(20)]
    for i in range(25):
        for c in clients:
            c.send(q("SELECT 1") if i % 2 else extended("SELECT 1"))
        for c in clients:
            c.result()
    s = stats(p)
    assert (s["total_xact_count"], s["total_query_count"], s["total_server_assignment_count"]) == (500, 500, 500)
    lists = {r["list"]: int(r["items"]) for r in p.show("LISTS")}
    assert lists["used_clients"] == 21
    assert len([r for r in p.show("CLIENTS") if r["database"] == "db0"]) == 20
    for c in clients:
        c.quit()
    wait_until(lambda: {r["list"]: int(r["items"]) for r in p.show("LISTS")}["used_clients"] == 1, 5)


@compat
def test_stats_line_for_pgbadger(pooler):
    p = pooler(stats_period=1)
    with p.client() as c:
        c.query("SELECT 1")
        p.log_has(r"stats: \d+ xacts/s, \d+ queries/s, (\d+ client parses/s, \d+ server parses/s, \d+ binds/s, )?(\d+ client logins/s, )?"
                  r"in \d+ B/s, out \d+ B/s, xact \d+ us, query \d+ us, wait \d+ us", 5)
        c.quit()


@compat
def test_log_lines_that_tools_read(pooler):
    p = pooler(verbose=0)
    with p.client() as c:
        c.query("SELECT 1")
        c.quit()
    p.log_has(r"C-\S+: db0/app@127\.0\.0\.1:\d+ login attempt: db=db0 user=app tls=no")
    p.log_has(r"C-\S+: db0/app@127\.0\.0\.1:\d+ closing because: ")
    p.log_has(r"S-\S+: db0/app@127\.0\.0\.1:\d+ new connection to server \(from 127\.0\.0\.1:\d+\)")
    p.stop()


def test_admin_monkey_under_load(pooler):
    """T-ADM-02 in small: every harmless command, over and over, while queries run: they never fail."""
    import random
    import threading
    p = pooler(pool_size=3, max_overflow=0)
    stop, faults, n = threading.Event(), [], [0]

    def load(c):
        try:
            while not stop.is_set():
                c.query("SELECT 1")
                n[0] += 1
        except Exception as e:
            faults.append(e)

    clients = [p.client(timeout=30) for _ in range(6)]
    threads = [threading.Thread(target=load, args=(c,), daemon=True) for c in clients]
    for t in threads:
        t.start()
    rnd = random.Random(4)
    a = p.admin(timeout=30)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        command = rnd.choice(["PAUSE", "PAUSE db0", "RECONNECT", "RECONNECT db0", "RELOAD", "SHOW CLIENTS", "SHOW SERVERS", "SHOW POOLS",
                              "SET default_pool_size=2", "SET default_pool_size=4", "SHOW STATS", "SHOW LISTS"])
        r = a.ask(command)
        if command.startswith("PAUSE") and not r.error:
            a.ask("RESUME" + command[5:])
        time.sleep(0.005)
    a.ask("RESUME")
    stop.set()
    for t in threads:
        t.join(20)
    assert not faults, faults[:3]
    assert n[0] > 100
    a.quit()
