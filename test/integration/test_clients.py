"""Real clients: psycopg, psql and pgbench, the way people use them."""

import os
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest

from harness.cluster import pw
from harness.wire import wait_until

compat = pytest.mark.compat
pytestmark = compat


@pytest.fixture(params=["transaction", "session"])
def p(pooler, request):
    return pooler(pool_mode=request.param, pool_size=3, max_overflow=0, auth_type="scram-sha-256",
                  ignore_startup_parameters="extra_float_digits,options")


def connect(p, **kw):
    kw.setdefault("autocommit", True)
    kw.setdefault("prepare_threshold", None)        # named statements: not in transaction mode yet
    return psycopg.connect(p.dsn(), **kw)


def test_psycopg_queries_and_types(p):
    with connect(p) as c:
        assert c.execute("SELECT 1, 'a', NULL, %s::int, %s::text, %s::bytea", [5, "ü", b"\0\1"]).fetchone() == (1, "a", None, 5, "ü", b"\0\1")
        assert c.execute("SELECT ARRAY[1,2,3], '2020-01-02'::date").fetchone()[0] == [1, 2, 3]
        assert len(c.execute("SELECT generate_series(1, 5000)").fetchall()) == 5000


def test_psycopg_transactions(p):
    with connect(p, autocommit=False) as c:
        c.execute("CREATE TEMP TABLE t(a int) ON COMMIT DROP")
        c.execute("INSERT INTO t VALUES (1), (2)")
        with pytest.raises(psycopg.errors.DivisionByZero):
            with c.transaction():
                c.execute("SELECT 1/0")
        assert c.execute("SELECT sum(a) FROM t").fetchone() == (3,)
        c.rollback()
        assert c.execute("SELECT to_regclass('pg_temp.t')").fetchone() == (None,)


def test_psycopg_pipeline(p):
    with connect(p) as c:
        with c.pipeline():
            got = [c.execute("SELECT %s::int", [i]) for i in range(100)]
        assert [g.fetchone()[0] for g in got] == list(range(100))
        with pytest.raises(psycopg.errors.DivisionByZero):
            with c.pipeline():
                c.execute("SELECT 1")
                c.execute("SELECT 1/0")
                c.execute("SELECT 2")
        assert c.execute("SELECT 3").fetchone() == (3,)


def test_psycopg_copy(p):
    with connect(p, autocommit=False) as c:
        c.execute("CREATE TEMP TABLE t(a int, b text) ON COMMIT DROP")
        with c.cursor().copy("COPY t FROM STDIN") as copy:
            for i in range(10000):
                copy.write_row((i, f"row {i}"))
        with c.cursor().copy("COPY t TO STDOUT") as copy:
            assert sum(1 for _ in copy.rows()) == 10000
        c.rollback()
        with pytest.raises(psycopg.errors.QueryCanceled):
            with c.cursor().copy("COPY sink FROM STDIN") as copy:
                copy.write(b"1\tx\n")
                raise psycopg.errors.QueryCanceled("no")
        c.rollback()
        assert c.execute("SELECT 1").fetchone() == (1,)


def test_psycopg_server_side_cursor(p):
    with connect(p, autocommit=False) as c:
        with c.cursor(name="big") as cur:
            cur.itersize = 100
            cur.execute("SELECT generate_series(1, 1000)")
            assert sum(r[0] for r in cur) == 500500


def test_psycopg_notices_and_errors(p):
    with connect(p) as c:
        seen = []
        c.add_notice_handler(lambda d: seen.append(d.message_primary))
        c.execute("SELECT shout('hear')")
        assert seen == ["hear"]
        with pytest.raises(psycopg.errors.RaiseException) as e:
            c.execute("SELECT fail('told')")
        assert e.value.diag.message_primary == "told"


def test_psycopg_cancel(p):
    with connect(p) as c:
        t = threading.Timer(0.3, c.cancel)
        t.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            c.execute("SELECT pg_sleep(20)")
        assert c.execute("SELECT 1").fetchone() == (1,)


def test_psycopg_wrong_password(p):
    with pytest.raises(psycopg.OperationalError) as e:
        psycopg.connect(p.dsn().replace(pw("app"), "wrong"))
    assert "authentication failed" in str(e.value)


def test_psycopg_reads_the_console(p):
    import harness.pooler as hp
    with psycopg.connect(p.dsn("admin", hp.ADMIN_DB), autocommit=True, cursor_factory=psycopg.ClientCursor) as c:
        cur = c.execute("SHOW POOLS")
        assert cur.description[0].name == "database" and cur.fetchall()


def test_fifty_psycopg_threads(p):
    if p.conf["pool_mode"] == "session":
        p.console("SET query_wait_timeout=60")
    faults = []

    def one(n):
        try:
            with connect(p) as c:
                for i in range(10):
                    assert c.execute("SELECT %s::int, %s::int", [n, i]).fetchone() == (n, i)
        except Exception as e:
            faults.append(e)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not faults, faults[:3]


def test_psql_script(p):
    script = Path(p.top) / "s.sql"
    script.write_text("""\\set ON_ERROR_STOP on
BEGIN;
CREATE TEMP TABLE t(a int, b text) ON COMMIT DROP;
\\copy t FROM STDIN
1\tone
2\ttwo
\\.
SELECT count(*) FROM t;
SAVEPOINT s;
\\set ON_ERROR_STOP off
SELECT 1/0;
\\set ON_ERROR_STOP on
ROLLBACK TO s;
\\copy (SELECT * FROM t ORDER BY a) TO STDOUT
COMMIT;
SELECT 'done';
""")
    r = p.psql("-f", str(script))
    assert r.returncode == 0, r
    assert r.stdout.split() == ["2", "1", "one", "2", "two", "done"], r


def test_psql_backslash_commands(p):
    for command in ("\\d", "\\dt", "\\l", "\\df shout", "\\conninfo"):
        r = p.psql("-c", command)
        assert r.returncode == 0, r


def test_psql_urls_and_options(p):
    env = dict(os.environ, PGPASSWORD=pw("app"))
    for dsn in (f"postgresql://app@127.0.0.1:{p.port}/db0?sslmode=prefer", f"host={p.top} port={p.port} user=app dbname=db0",
                f"host=127.0.0.1 port={p.port} user=app dbname=db0 sslmode=allow gssencmode=prefer application_name=x client_encoding=UTF8",
                f"host=127.0.0.1 port={p.port} user=app dbname=db0 sslmode=disable keepalives=0 target_session_attrs=read-write"):
        r = subprocess.run(["psql", "-XAtqc", "SELECT 1", dsn], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
        assert (r.returncode, r.stdout.strip()) == (0, "1"), (dsn, r)


def test_sslmode_require_is_refused_by_the_client(p):
    env = dict(os.environ, PGPASSWORD=pw("app"))
    r = subprocess.run(["psql", "-XAtqc", "SELECT 1", f"host=127.0.0.1 port={p.port} user=app dbname=db0 sslmode=require"], env=env,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
    assert r.returncode == 2 and "SSL" in r.stderr


def test_pgbench_modes(p):
    for mode in ("simple", "extended", "prepared"):
        sql = p.top + "/q.sql"
        with open(sql, "w") as f:
            f.write("\\set a random(1, 1000)\nSELECT :a;\nBEGIN;\nSELECT :a + 1;\nEND;\n")
        r = p.pgbench("-n", "-f", sql, "-M", mode, "-c", "3", "-T", "1")
        assert r.returncode == 0 and "failed transactions: 0 " in r.stdout and "ERROR" not in r.stdout, (mode, r.stdout)


def test_pgbench_prepared_parses_nothing_in_the_steady_state(pooler):
    """64 clients on 8 servers, all with statements of their own: once every server has them, PostgreSQL parses less than one in a
    thousand transactions. FYNIX_PGBENCH_SECONDS: how long."""
    p = pooler(pool_size=8, max_overflow=0, query_wait_notify=0)
    sql = p.top + "/q.sql"
    with open(sql, "w") as f:
        f.write("\\set a random(1, 1000)\nBEGIN;\nSELECT :a;\nSELECT :a + 1;\nSELECT t FROM sink WHERE n = :a;\nEND;\n")
    seconds = int(os.environ.get("FYNIX_PGBENCH_SECONDS", "4"))

    def counts():
        row = {r["database"]: r for r in p.show("STATS_TOTALS")}["db0"]
        return int(row["xact_count"]), int(row["server_parse_count"])

    seen = []
    timer = threading.Timer(1.5, lambda: seen.append(counts()))
    timer.start()
    r = p.pgbench("-n", "-f", sql, "-M", "prepared", "-c", "64", "-j", "64", "-T", str(seconds))
    timer.join()
    assert r.returncode == 0 and "failed transactions: 0 " in r.stdout and "ERROR" not in r.stdout, r.stdout
    xacts, parses = (b - a for a, b in zip(seen[0], counts()))
    print(f"pgbench prepared: {parses} server parses in {xacts} transactions of the steady state; {counts()} in all")
    assert xacts > 500 and parses < 0.001 * xacts + 1, (parses, xacts)


def test_pgbench_reconnecting(p):
    sql = p.top + "/q.sql"
    with open(sql, "w") as f:
        f.write("SELECT 1;\n")
    # its one thread waits for a login and serves nobody meanwhile: with session_attach = login that needs a server for each
    users = "3" if p.conf["pool_mode"] == "session" else "10"
    r = p.pgbench("-n", "-C", "-f", sql, "-c", users, "-T", "1")
    assert r.returncode == 0 and "failed transactions: 0 " in r.stdout, r.stdout
    wait_until(lambda: p.pool()["cl_active"] == 0, 5)
