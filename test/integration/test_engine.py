"""io_engine: what the workers do their I/O with, and what happens where io_uring can't be had."""

import os
import re

import pytest

from harness.refuse import forbid_uring, lock_at_most
from harness.wire import wait_until

STARTED = re.compile(r"LOG process up: .* workers, (io_uring|libev), listening on port")
INSTEAD = re.compile(r"LOG io_engine = auto takes libev, not io_uring: (.+)")


@pytest.fixture
def cold(maker, pg):
    def make(wrap=(), **kw):
        p = maker(pg, start=False, **kw)
        p.wrap = list(wrap)
        return p
    return make


def engine_of(p):
    """What the log and SHOW WORKERS say, which must be the same; and it works."""
    p.log_has(STARTED.pattern, 20)
    said = STARTED.findall(p.log_text())
    shown = [r["engine"] for r in p.show("WORKERS")]
    assert len(said) == 1 and len(shown) == int(p.conf["worker_threads"]) and set(shown) == set(said)
    c = p.client()
    assert c.value("select 41 + 1") == "42"
    assert len(c.value("select repeat('x', 300000)")) == 300000
    c.quit()
    return said[0]


def refusal(p):
    """Why it does not start; None: it does."""
    p.start(wait=False)
    wait_until(lambda: not p.alive() or STARTED.search(p.log_text()), 20, what="a start or an end")
    if STARTED.search(p.log_text()):
        return None
    assert p.expect_exit() == 1
    why, = re.findall(r"FATAL io_engine = uring can't be had here: (.+)", p.log_text())
    return why


def test_libev(cold):
    p = cold(io_engine="libev", worker_threads=2).start()
    assert engine_of(p) == "libev" and not INSTEAD.search(p.log_text())


def test_auto_takes_io_uring_where_it_can_be_had(cold):
    """Both know, by the same trial."""
    why = refusal(cold(io_engine="uring", worker_threads=2))
    p = cold(io_engine=None, worker_threads=2).start()
    instead = INSTEAD.findall(p.log_text())
    if why is None:
        assert engine_of(p) == "io_uring" and not instead
    else:
        assert engine_of(p) == "libev" and instead == [why]


def test_uring_is_taken_at_its_word(cold):
    p = cold(io_engine="uring", worker_threads=3)
    if refusal(p) is None:
        assert engine_of(p) == "io_uring"
    else:
        assert not STARTED.search(p.log_text())


def test_auto_where_io_uring_is_forbidden(cold):
    p = cold(forbid_uring(), io_engine="auto", worker_threads=2).start()
    assert engine_of(p) == "libev"
    why, = INSTEAD.findall(p.log_text())
    assert why == "built without liburing" or ("io_uring_setup" in why and "container forbids it" in why)


def test_uring_where_io_uring_is_forbidden(cold):
    """Nothing is started in its place, and nothing is left of the attempt."""
    why = refusal(p := cold(forbid_uring(), io_engine="uring", worker_threads=2))
    assert why == "built without liburing" or ("io_uring_setup" in why and "container forbids it" in why)
    assert not STARTED.search(p.log_text()) and not os.path.exists(p.pidfile)
    p.wrap = []
    p.set(io_engine="libev")
    assert engine_of(p.start()) == "libev"


def test_auto_without_memory_to_lock(cold):
    p = cold(lock_at_most(4096), io_engine="auto", worker_threads=2).start()
    assert engine_of(p) == "libev" and len(INSTEAD.findall(p.log_text())) == 1


def test_auto_with_too_few_rings_for_its_workers(cold):
    """A ring or two could be had (if nobody else has any), but sixteen can't; all workers run on the same engine."""
    p = cold(lock_at_most(512 * 1024), io_engine="auto", worker_threads=16).start()
    assert engine_of(p) == "libev" and len(INSTEAD.findall(p.log_text())) == 1


def test_a_reload_does_not_change_it(cold):
    p = cold(io_engine="libev", worker_threads=2).start()
    p.set(io_engine="uring")
    p.reload()
    assert {r["engine"] for r in p.show("WORKERS")} == {"libev"}
    assert p.log_has("io_engine")
