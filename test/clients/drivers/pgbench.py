"""pgbench in its three query modes, with its own tables and with scripts; nothing of what it did may be lost or doubled."""

import os
import re
import subprocess
import tempfile

from common import DATABASE, HOST, MODE, PASSWORD, PORT, USER, case, main, same

BINDIR = os.environ["CLIENT_BINDIR"]
# A thread for each client: pgbench prepares with calls that block, and a thread that waits for a server in one of its clients' names keeps
# the servers that its other clients have in their transactions.
CROWD = ("-c", "20", "-j", "20")


def pgbench(*args, scripts=()):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env.update(PGPASSWORD=PASSWORD, PGCONNECT_TIMEOUT="20", PGSSLMODE="disable")
    with tempfile.TemporaryDirectory() as d:
        argv = [BINDIR + "/pgbench", "-h", HOST, "-p", str(PORT), "-U", USER, *args]
        for i, s in enumerate(scripts):
            with open(f"{d}/{i}.sql", "w") as f:
                f.write(s)
            argv += ["-f", f"{d}/{i}.sql"]
        r = subprocess.run(argv + [DATABASE], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=100, cwd=d)
    return r.returncode, r.stdout


def numbers(out):
    done = re.search(r"number of transactions actually processed: (\d+)/(\d+)", out)
    failed = re.search(r"number of failed transactions: (\d+)", out)
    assert done and failed, out
    bad = [s for s in out.splitlines() if re.search("error|abort|fatal", s, re.I)]
    return [done.group(1), done.group(2), failed.group(1), bad]


def sql(text):
    r = subprocess.run(["psql", "-XAtq", "-h", HOST, "-p", str(PORT), "-U", USER, "-d", DATABASE, "-c", text], stdin=subprocess.DEVNULL,
                       env=dict(os.environ, PGPASSWORD=PASSWORD, PGSSLMODE="disable"), stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    return r.stdout.split()


SCRIPT = """\\set a random(1, 100000)
SELECT :a AS x \\gset
\\if :x <> :a
SELECT 1/0;
\\endif
BEGIN;
SELECT :a + 1;
SELECT :a * 2, 'text' AS t;
END;
"""

PIPELINE = """\\set a random(1, 100000)
\\startpipeline
SELECT :a;
SELECT :a + 1, 'x'::text;
BEGIN;
SELECT :a;
INSERT INTO counter AS c VALUES ('pgbench/MODE', 0) ON CONFLICT (name) DO UPDATE SET n = c.n + 1;
COMMIT;
SELECT 'last';
\\endpipeline
SELECT :a;
"""


def tpcb(mode):
    """The TPC-B of pgbench, and its books."""
    code, out = pgbench("-i", "-q", "-s", "1")
    same(code, 0)
    code, out = pgbench("-n", "-M", mode, *CROWD, "-t", "30")
    books = sql("SELECT sum(abalance) = (SELECT sum(tbalance) FROM pgbench_tellers) AND sum(abalance) = (SELECT sum(bbalance) FROM pgbench_branches)"
                " AND sum(abalance) = (SELECT sum(delta) FROM pgbench_history) FROM pgbench_accounts; SELECT count(*) FROM pgbench_history")
    return [code, numbers(out), books]


def scripts(mode):
    code, out = pgbench("-n", "-M", mode, *CROWD, "-t", "25", scripts=[SCRIPT])
    return [code, numbers(out)]


def pipelined(mode):
    before = int(sql(f"SELECT n FROM counter WHERE name = 'pgbench/{MODE}'")[0])
    code, out = pgbench("-n", "-M", mode, *CROWD, "-t", "20", scripts=[PIPELINE.replace("MODE", MODE)])
    after = int(sql(f"SELECT n FROM counter WHERE name = 'pgbench/{MODE}'")[0])
    return [code, numbers(out), after - before]


@case
def tpcb_simple(me):
    return tpcb("simple")


@case
def tpcb_extended(me):
    return tpcb("extended")


@case
def tpcb_prepared(me):
    return tpcb("prepared")


@case
def scripts_simple(me):
    return scripts("simple")


@case
def scripts_extended(me):
    return scripts("extended")


@case
def scripts_prepared(me):
    return scripts("prepared")


@case
def pipeline_extended(me):
    return pipelined("extended")


@case
def pipeline_prepared(me):
    return pipelined("prepared")


@case
def many_scripts_prepared(me):
    """More statements than one connection may keep prepared."""
    lots = ["".join(f"SELECT {i} + :client_id + {j};\n" for j in range(60)) for i in range(0, 400, 100)]
    code, out = pgbench("-n", "-M", "prepared", *CROWD, "-t", "4", scripts=lots)
    return [code, numbers(out)]


@case
def reconnecting(me):
    code, out = pgbench("-n", "-C", "-M", "prepared", *CROWD, "-t", "5", scripts=["SELECT 1;\n"])
    return [code, numbers(out)]


@case
def serialization_failures_are_tried_again(me):
    name = f"pgbench-retry/{MODE}"
    update = f"BEGIN ISOLATION LEVEL SERIALIZABLE;\nUPDATE counter SET n = n + 1 WHERE name = '{name}';\nEND;\n"
    sql(f"INSERT INTO counter VALUES ('{name}', 0) ON CONFLICT (name) DO UPDATE SET n = 0")
    code, out = pgbench("-n", "-M", "prepared", "-c", "8", "-j", "8", "-t", "10", "--max-tries=10000", scripts=[update])
    return [code, numbers(out), sql(f"SELECT n FROM counter WHERE name = '{name}'")]


# Its own clients are the users.
main("pgbench", users=1)
