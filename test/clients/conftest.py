"""Fixtures: one PostgreSQL, one pooler for each mode, each client's program made once and run once for each mode."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]

from harness import cluster as cluster_mod  # noqa: E402
from harness import pooler as pooler_mod  # noqa: E402
from harness import scratch, wire  # noqa: E402
from harness.cluster import pw  # noqa: E402

import clients  # noqa: E402

USERS = {"transaction": 20, "direct": 5, "session": 5}
POOLERS = {
    "transaction": dict(pool_mode="transaction", pool_size=2, max_overflow=0),
    "session": dict(pool_mode="session", pool_size=100, max_overflow=0),
}
COMMON = dict(auth_type="scram-sha-256", max_client_conn=1000)

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE items(who text, n int CONSTRAINT small CHECK (n < 1000000), t text);
CREATE INDEX ON items(who);
CREATE TABLE counter(name text PRIMARY KEY, n int NOT NULL);
CREATE TABLE numbered(id serial PRIMARY KEY, who text UNIQUE, t text);
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC;
CREATE FUNCTION say_and_sleep(t text, seconds float8) RETURNS int LANGUAGE plpgsql AS
$$BEGIN RAISE NOTICE '%', t; PERFORM pg_sleep(seconds); RETURN 1; END$$;
CREATE SCHEMA other;
CREATE TABLE other.where_am_i AS SELECT 'other' AS place;
CREATE TABLE public.where_am_i AS SELECT 'public' AS place;
GRANT USAGE ON SCHEMA other TO PUBLIC;
GRANT SELECT ON other.where_am_i, public.where_am_i TO PUBLIC;
"""


def pytest_configure(config):
    if not pooler_mod.BINARY or not os.access(pooler_mod.BINARY, os.X_OK):
        raise pytest.UsageError("set FYNIXPOOL to the pooler's binary")
    scratch.begin(config)


def pytest_unconfigure(config):
    scratch.end(config)


@pytest.fixture(scope="session")
def top():
    return scratch.folder()


@pytest.fixture(scope="session")
def pg(top):
    c = cluster_mod.Cluster(top + "/pg").start()
    try:
        c.prepare()
        with wire.Client(c.sock, "postgres", "db0") as w:
            w.query(SCHEMA)
            for client in clients.SOURCES:
                for mode in ("direct", *POOLERS):
                    w.query(f"INSERT INTO counter VALUES ('{client}/{mode}', 0)")
        yield c
    finally:
        c.stop("immediate")


@pytest.fixture(scope="session")
def poolers(top, pg):
    """poolers(mode), started when first asked for; looked at in the end."""
    running = {}

    def get(mode):
        if mode not in running:
            conf = dict(COMMON, **POOLERS[mode])
            running[mode] = pooler_mod.Pooler(pg, f"{top}/{mode}", **conf).start()
        return running[mode]

    yield get
    problems = []
    for p in running.values():
        try:
            p.stop()
        except AssertionError as e:
            problems.append(str(e))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture(scope="session")
def programs(top):
    """programs(client): the command, made when first asked for. What cannot be made is an error each time it is asked for."""
    known = {}

    def get(client):
        if client not in known:
            try:
                known[client] = clients.command(client, top)
            except Exception as e:
                known[client] = e
        if isinstance(known[client], Exception):
            raise known[client]
        return known[client]

    return get


@pytest.fixture(scope="session")
def outcomes(pg, poolers, programs):
    """outcomes(client, mode): {case: Outcome}, run when first asked for."""
    known = {}

    def get(client, mode):
        if (client, mode) not in known:
            argv = programs(client)
            port = pg.port if mode == "direct" else poolers(mode).port
            target = dict(host="127.0.0.1", port=port, user="app", password=pw("app"), database="db0", bindir=pg.bin)
            known[client, mode] = clients.run(client, argv, mode, target, USERS[mode])
        return known[client, mode]

    return get


@pytest.fixture
def maker():
    """maker(cluster, **conf): a started pooler for one test."""
    started = []

    def make(cluster, **conf):
        p = pooler_mod.Pooler(cluster, scratch.folder(), **conf).start()
        started.append(p)
        return p

    yield make
    problems = []
    for p in started:
        try:
            p.stop()
        except AssertionError as e:
            problems.append(str(e))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.hookimpl(tryfirst=True)     # before pytest-xdist looks at the markers
def pytest_collection_modifyitems(items):
    """With pytest-xdist's --dist loadgroup: one client's cases stay together, since they come from one run."""
    for i in items:
        client = getattr(i, "callspec", None) and i.callspec.params.get("client")
        i.add_marker(pytest.mark.xdist_group(client or i.module.__name__))
