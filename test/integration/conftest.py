"""Fixtures. One PostgreSQL per pytest process, as many poolers as a test asks for, all of them looked at in the end."""

import os
import resource
import shutil

import pytest

from harness import cluster as cluster_mod
from harness import pki as pki_mod
from harness import pooler as pooler_mod
from harness import scratch
from harness import tlscluster


def pytest_configure(config):
    config.addinivalue_line("markers", "compat: PgBouncer behaves the same; also runs with FYNIXPOOL=/usr/sbin/pgbouncer")
    config.addinivalue_line("markers", "root: needs root, skipped without")
    config.addinivalue_line("markers", "rootlike: needs root, or a user namespace")
    config.addinivalue_line("markers", "long: takes more than ten seconds")
    if not pooler_mod.BINARY:
        raise pytest.UsageError("set FYNIXPOOL to the pooler's binary")
    if not os.access(pooler_mod.BINARY, os.X_OK):
        raise pytest.UsageError(f"FYNIXPOOL={pooler_mod.BINARY} cannot be run")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    scratch.begin(config)


def pytest_unconfigure(config):
    scratch.end(config)


def pytest_runtest_setup(item):
    if item.get_closest_marker("root") and os.getuid() != 0:
        pytest.skip("needs root")


def pytest_collection_modifyitems(config, items):
    if pooler_mod.STANDIN and not os.environ.get("FYNIX_TEST_ALL"):
        out = [i for i in items if not i.get_closest_marker("compat")]
        if out:
            config.hook.pytest_deselected(items=out)
            items[:] = [i for i in items if i.get_closest_marker("compat")]


@pytest.fixture(scope="session")
def top():
    """A short path (Unix socket names are short) that an unprivileged user may enter."""
    return scratch.folder()


@pytest.fixture(scope="session")
def pg(top):
    """The PostgreSQL that everyone shares. Nobody restarts it."""
    c = cluster_mod.Cluster(top + "/pg").start()
    try:
        c.prepare()
        yield c
    finally:
        c.stop("immediate")


@pytest.fixture(scope="session")
def _own_pg_base(top, pg):
    c = cluster_mod.Cluster(top + "/pg2").start()
    c.prepare()
    yield c
    c.stop("immediate")


@pytest.fixture
def own_pg(_own_pg_base):
    """A second PostgreSQL for tests that stop it or change its limits: own_pg.restart(max_connections=…)."""
    c = _own_pg_base
    if c.proc is None or c.max_connections != 300:
        c.restart(max_connections=300)
    yield c
    if c.proc is None:
        c.start()


@pytest.fixture
def maker(top, request):
    """pooler(cluster, **conf): a started pooler."""
    made = []

    def make(cluster, start=True, **kw):
        d = f"{top}/p{next(_counter)}"
        p = pooler_mod.Pooler(cluster, d, **kw)
        made.append(p)
        if start:
            p.start()
        return p

    yield make
    problems = []
    for p in made:
        try:
            p.stop()
        except AssertionError as e:
            problems.append(str(e))
    failed = getattr(request.node, "failed_call", False)
    if failed:
        for p in made:
            print(f"=== configuration\n{p.text()}\n{p.output()}")
    if not failed and not problems and not os.environ.get("FYNIX_TEST_KEEP"):
        for p in made:
            shutil.rmtree(p.top, ignore_errors=True)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def _count():
    n = 0
    while True:
        n += 1
        yield n


_counter = _count()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    out = yield
    if call.when == "call" and out.get_result().failed:
        item.failed_call = True


@pytest.fixture
def pooler(maker, pg):
    """pooler(**conf): a started pooler in front of the shared PostgreSQL."""
    def make(**kw):
        return maker(pg, **kw)
    return make


@pytest.fixture(scope="module")
def module_pooler(top, pg, request):
    """One pooler for a whole module; its configuration is the module's CONF (dict)."""
    p = pooler_mod.Pooler(pg, f"{top}/m{next(_counter)}", **getattr(request.module, "CONF", {})).start()
    yield p
    try:
        p.stop()
    except AssertionError as e:
        pytest.fail(str(e), pytrace=False)


@pytest.fixture(scope="session")
def pki(top):
    """Authorities and certificates of every kind."""
    return pki_mod.Pki(top + "/pki")


@pytest.fixture(scope="session")
def tlspg(top, pki):
    """A PostgreSQL that speaks TLS: tlspg.show(kind) says with which certificate."""
    c = tlscluster.TlsCluster(top + "/tlspg", pki).start()
    try:
        yield c.prepare()
    finally:
        c.stop("immediate")
