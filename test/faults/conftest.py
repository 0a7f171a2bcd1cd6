"""Fixtures: one fake PostgreSQL and one pooler for a module, and a client of another pool that must notice nothing."""

import os
import sys
import threading
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]

from harness import pooler as pooler_mod  # noqa: E402
from harness import scratch  # noqa: E402
from harness.wire import Client, PgError  # noqa: E402

import fakepg  # noqa: E402


def pytest_configure(config):
    if not pooler_mod.BINARY or not os.access(pooler_mod.BINARY, os.X_OK):
        raise pytest.UsageError("set FYNIXPOOL to the pooler's binary")
    scratch.begin(config)


def pytest_unconfigure(config):
    scratch.end(config)


class Bystander:
    """A client of another pool; asks all the time, and every answer must be its own."""

    def __init__(self, addr):
        self.addr, self.asked, self.slowest = addr, 0, 0.0
        self.trouble = None
        self.over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            c = Client(self.addr, "app", "good", timeout=20)
            while not self.over:
                self.asked += 1
                t = time.monotonic()
                got = c.value(f"SELECT bystander-{self.asked}")
                self.slowest = max(self.slowest, time.monotonic() - t)
                if got != f"bystander-{self.asked}":
                    raise AssertionError(f"asked for bystander-{self.asked}, got {got!r}")
                time.sleep(0.01)
            c.quit()
        except BaseException as e:
            self.trouble = f"{type(e).__name__} {e}"

    def check(self):
        assert self.trouble is None, f"the client of another pool: {self.trouble}"

    def stop(self):
        self.over = True
        self.thread.join(30)
        self.check()
        assert self.asked > 1


@pytest.fixture(scope="module")
def rig(request):
    """rig.pooler in front of rig.fake; every database name is a pool of its own with one connection."""
    class Rig:
        pass

    r = Rig()
    r.fake = fakepg.FakePG()
    r.conf = dict(databases={"*": ""}, workers=int(os.environ.get("FYNIX_WORKERS", "1")), pool_size=1, max_overflow=0, server_connect_timeout="3s", pool_timeout="6s",
                  server_login_retry="1s", max_client_conn=500, pool_pre_ping="off", max_unauthenticated_percent=100)
    r.conf.update(getattr(request.module, "CONF", {}))
    r.pooler = pooler_mod.Pooler(r.fake, scratch.folder() + "/p", **r.conf).start()
    r.bystander = Bystander(r.pooler.addr)
    yield r
    problems = []
    for end in (r.bystander.stop, r.pooler.stop):
        try:
            end()
        except AssertionError as e:
            problems.append(str(e))
    r.fake.stop()
    if r.fake.troubles:
        problems.append("fake server: " + "; ".join(r.fake.troubles[:5]))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture
def in_front_of(rig):
    """in_front_of(port): a pooler whose databases are all there."""
    made = []

    def make(port):
        made.append(pooler_mod.Pooler(rig.fake, f"{scratch.folder()}/f{len(made)}", **dict(rig.conf, databases={"*": f"port={port}"})).start())
        return made[-1]

    yield make
    for p in made:
        p.stop()


@pytest.fixture
def four_workers(rig):
    """Another pooler in front of rig.fake, with four workers whatever the run's number is."""
    p = pooler_mod.Pooler(rig.fake, scratch.folder() + "/w", **dict(rig.conf, workers=4)).start()
    yield p
    p.stop()


@pytest.fixture(autouse=True)
def unharmed(rig):
    """After every test: the pooler lives, and the other pool has noticed nothing."""
    yield
    assert rig.pooler.alive(), "the pooler has died\n" + rig.pooler.output()
    rig.bystander.check()
    asked = rig.bystander.asked
    end = time.monotonic() + 20
    while rig.bystander.asked < asked + 2:
        rig.bystander.check()
        assert time.monotonic() < end, "the client of another pool is not served any more"
        time.sleep(0.005)
