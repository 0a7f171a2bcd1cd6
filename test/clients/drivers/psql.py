"""psql, the way people use it: scripts, backslash commands, variables, COPY, interrupts."""

import os
import re
import signal
import subprocess
import tempfile

from common import DATABASE, HOST, MODE, PASSWORD, PORT, USER, case, main, same


def environment(me, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env.update(PGPASSWORD=PASSWORD, PGHOST=HOST, PGPORT=str(PORT), PGUSER=USER, PGDATABASE=DATABASE, PGCONNECT_TIMEOUT="20",
               PGSSLMODE="disable", PGAPPNAME=f"psql-{me.number}", TZ="UTC", LC_ALL="C.UTF-8", **more)
    return env


def psql(me, text, *args, **env):
    r = subprocess.run(["psql", "-X", *args], input=text, env=environment(me, **env), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True, timeout=60, cwd=tempfile.gettempdir())
    out = [r.returncode] + [s.replace(me.who, "WHO").replace(str(PORT), "PORT").splitlines() for s in (r.stdout, r.stderr)]
    return out


@case
def script(me):
    return psql(me, f"""
DELETE FROM items WHERE who = '{me.who}';
BEGIN;
INSERT INTO items VALUES ('{me.who}', 1, 'one'), ('{me.who}', 2, NULL);
SAVEPOINT s;
SELECT 1/0;
SELECT 'not now';
ROLLBACK TO s;
SELECT n, t FROM items WHERE who = '{me.who}' ORDER BY n;
COMMIT;
SELECT n FROM items WHERE who = '{me.who}' ORDER BY n \\gset last_
\\echo :last_n
SELECT count(*) AS c FROM items WHERE who = '{me.who}' \\gset
\\echo :c :ERROR :SQLSTATE :ROW_COUNT :LAST_ERROR_MESSAGE
ROLLBACK;
SELECT shout('heard');
\\errverbose
SELECT * FROM nowhere;
\\errverbose
""", "-q", "-a")


@case
def described(me):
    """What the backslash commands ask for."""
    return psql(me, r"""
\d items
\d+ numbered
\dt
\di
\df say_and_sleep
\dT mood
\dn
\dx
\l db0
\du app
\sf say_and_sleep
\dconfig statement_timeout
\conninfo
\z items
""")


@case
def parameters(me):
    return psql(me, r"""
SELECT $1 + $2 \gdesc
SELECT 1 AS a, 'x'::text AS b, NULL::mood AS c \gdesc
SELECT format('SELECT %s AS made', n) FROM generate_series(1, 3) n \gexec
SELECT n % 3 AS r, n % 2 AS c, n FROM generate_series(1, 6) n \crosstabview
SELECT 1 \; SELECT 2 \; SELECT 3;
SELECT 4 \gx
SELECT 5 AS five \g (format=csv)
\set who 'O''Brien'
SELECT :'who', :"who" FROM (SELECT 1 AS "O'Brien") x;
\encoding LATIN1
SHOW client_encoding;
\encoding
\encoding UTF8
SELECT 'ü€';
\echo :SERVER_VERSION_NAME :ENCODING :USER :DBNAME
""")


@case
def copying(me):
    lines = "".join(f"{me.who}\t{i}\trow {i}\n" for i in range(2000))
    return [psql(me, f"DELETE FROM items WHERE who = '{me.who}';\nCOPY items FROM STDIN;\n{lines}\\.\nSELECT count(*), sum(n) FROM items WHERE who = '{me.who}';\n"
                     f"COPY (SELECT n, t FROM items WHERE who = '{me.who}' AND n < 5 ORDER BY n) TO STDOUT WITH (FORMAT csv, HEADER);\n"),
            psql(me, lines, "-c", "\\copy items FROM pstdin"),
            psql(me, "", "-c", f"\\copy (SELECT n FROM items WHERE who = '{me.who}' AND n < 3 ORDER BY n) TO pstdout"),
            psql(me, "COPY items FROM STDIN;\nwrong\n\\.\nCOPY items FROM STDIN;\nx\t1000000\tx\n\\.\nCOPY nowhere FROM STDIN;\n\\.\nSELECT 'after';\n"),
            psql(me, "", "-c", "BEGIN; COPY (SELECT 1) TO STDOUT; COPY (SELECT 2) TO STDOUT; SELECT 3; COMMIT",
                 "-c", "COPY (SELECT 1/(3-n) FROM generate_series(1,5) n) TO STDOUT", "-c", "SELECT 'after'")]


@case
def errors_rolled_back_by_psql(me):
    """ON_ERROR_ROLLBACK: a savepoint of psql's own before each statement."""
    return psql(me, f"""
\\set ON_ERROR_ROLLBACK on
BEGIN;
DELETE FROM items WHERE who = '{me.who}';
INSERT INTO items VALUES ('{me.who}', 1);
INSERT INTO items VALUES ('{me.who}', 1000000);
INSERT INTO items VALUES ('{me.who}', 2);
COMMIT;
SELECT n FROM items WHERE who = '{me.who}' ORDER BY n;
\\set AUTOCOMMIT off
INSERT INTO items VALUES ('{me.who}', 3);
ROLLBACK;
SELECT count(*) FROM items WHERE who = '{me.who}';
""", "-v", "VERBOSITY=sqlstate")


@case
def stops_at_an_error(me):
    return [psql(me, "SELECT 1;\nSELECT 1/0;\nSELECT 2;\n", "-v", "ON_ERROR_STOP=1"),
            psql(me, "", "-1", "-c", "SELECT 1; SELECT 2; SELECT 1/0", "-c", "SELECT 2"),
            psql(me, "SELECT 1; SELECT 2;", "-1", "-f", "-")]


@case
def fetch_count(me):
    """A large result by cursor."""
    r = psql(me, "\\set FETCH_COUNT 100\nSELECT n, repeat('x', 30) FROM generate_series(1, 5000) n;\nSELECT 'after';\n", "-A", "-t")
    same(len(r[1]), 5001)
    return [r[0], r[1][-2:], r[2]]


@case
def large_objects(me):
    """lo_import and lo_export speak FunctionCall."""
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/in", "wb") as f:
            f.write(bytes(range(256)) * 1000)
        r = psql(me, f"\\lo_import {d}/in\n\\lo_export :LASTOID {d}/out\n\\lo_unlink :LASTOID\n", "-q")
        with open(d + "/out", "rb") as f:
            same(f.read(), bytes(range(256)) * 1000)
        return [r[0], [re.sub(r"\d+", "N", s) for s in r[1]], r[2]]


@case
def interrupted(me):
    """Ctrl-C cancels what runs, psql goes on."""
    p = subprocess.Popen(["psql", "-X", "-A", "-t"], env=environment(me), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    p.stdin.write("\\echo ready\nSELECT say_and_sleep('now', 30);\nSELECT 'after';\n")
    p.stdin.close()
    out = [p.stdout.readline(), p.stderr.readline()]
    p.send_signal(signal.SIGINT)
    # where in the function it was hit is chance
    out += [p.stdout.read(), [s for s in p.stderr.read().splitlines() if "ERROR" in s], p.wait(20)]
    return out


@case
def interrupted_in_copy(me):
    p = subprocess.Popen(["psql", "-X", "-A", "-t"], env=environment(me), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    p.stdin.write("COPY (SELECT 'row ' || n, repeat('x', 1000) FROM generate_series(1, 30000) n) TO STDOUT;\nSELECT 'after';\n")
    p.stdin.close()
    same(p.stdout.readline()[:6], "row 1\t")
    p.send_signal(signal.SIGINT)
    p.stdout.read()
    return [[s for s in p.stderr.read().splitlines() if "Cancel request" not in s], p.wait(20)]


@case
def options_in_the_environment(me):
    return psql(me, "SHOW work_mem;\nSHOW search_path;\nSELECT place FROM where_am_i;\nSHOW statement_timeout;\nSHOW client_min_messages;\nSELECT shout('not heard');\n",
                "-A", "-t", PGOPTIONS="-c work_mem=5MB -c search_path=other -c statement_timeout=54321 --client-min-messages=error")


@case
def ways_to_connect(me):
    out = []
    for dsn in (f"postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{DATABASE}?sslmode=prefer&application_name=u",
                f"host={HOST} port={PORT} user={USER} dbname={DATABASE} gssencmode=prefer sslmode=allow connect_timeout=10",
                f"host={HOST} port={PORT} user={USER} dbname={DATABASE} target_session_attrs=read-write",
                f"host={HOST},{HOST} port=1,{PORT} user={USER} dbname={DATABASE} target_session_attrs=primary keepalives_idle=10"):
        out.append(psql(me, "", "-A", "-t", "-c", "SELECT current_user, current_database()", dsn))
    out.append(psql(me, f"\\c {DATABASE}\nSELECT 'again';\n", "-q"))
    out.append(psql(me, "", f"host={HOST} port={PORT} user={USER} dbname={DATABASE} sslmode=require", "-c", "SELECT 1"))
    return out


@case(session=True)
def a_session(me):
    """Temporary tables, PREPARE, LISTEN, advisory locks, SET."""
    r = psql(me, f"""
CREATE TEMP TABLE mine AS SELECT {me.number} - {me.number} AS a;
SELECT * FROM mine;
PREPARE up (int) AS SELECT $1 + 1;
EXECUTE up (1);
DEALLOCATE up;
EXECUTE up (1);
SELECT pg_advisory_lock(77000 + {me.number});
SELECT pg_advisory_unlock(77000 + {me.number});
SET work_mem = '3MB';
SHOW work_mem;
DISCARD ALL;
SHOW work_mem;
LISTEN psql_{me.number};
NOTIFY psql_{me.number}, 'hello';
SELECT 'end';
""", "-q")
    r[1] = [re.sub(r"PID \d+|psql_\d+", "N", s) for s in r[1]]
    return r


main("psql")
