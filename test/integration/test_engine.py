"""io_engine: what the workers do their I/O with, and what happens where io_uring can't be had."""

import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.refuse import forbid_uring, lock_at_most
from harness.tlswire import ask, client_context
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


# ---- how long a worker is busy at a stretch ----

def shake_hands(p, context, stop):
    """Milliseconds of pure work for a worker, one after the other."""
    while not stop.is_set():
        try:
            with socket.create_connection(p.addr, timeout=20) as s:
                assert ask(s) == b"S"
                context.wrap_socket(s).close()
        except OSError:
            pass


def stop_until(p, seconds, done):
    """Stops the process for so long, again and again, until done(): only a stop that met the worker at work counts."""
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end, p.show("WORKERS")
        os.kill(p.proc.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(p.proc.pid, signal.SIGCONT)
        time.sleep(0.01)


@pytest.mark.parametrize("engine", ["libev", "auto"])
def test_the_longest_turn_is_known(cold, pki, engine):
    """A worker that is kept from its work for 0.12 s in the middle of a turn says so, in the table for good and in the log."""
    p = cold(io_engine=engine, worker_threads=1, stats_period=1, client_tls_sslmode="allow", client_tls_cert_file=pki.crt("good"),
             client_tls_key_file=pki.file("good.key")).start()
    told = re.compile(r"WARNING worker 0 was busy for (\d+) ms with (\d+) events, all its connections waited")
    stop, seen, begun = threading.Event(), [], time.monotonic()

    def row():
        r, = p.show("WORKERS")
        seen.append({k: int(r[k]) for k in ("longest_turn_us", "longest_turn_events", "recent_turn_us", "recent_turn_events")})
        return seen[-1]

    with ThreadPoolExecutor(2) as pool:
        guests = [pool.submit(shake_hands, p, client_context(), stop) for _ in range(2)]
        try:
            wait_until(lambda: row()["longest_turn_us"] > 0, 20, what="work")
            stop_until(p, 0.12, lambda: row()["longest_turn_us"] >= 120_000)
        finally:
            stop.set()
        for g in guests:
            g.result()
    p.log_has(told.pattern)
    lines = [int(ms) for ms, _ in told.findall(p.log_text())]
    assert min(lines) >= 100 and len(lines) <= 1 + (time.monotonic() - begun) // 10
    longest = row()["longest_turn_us"]
    assert seen[-1]["longest_turn_events"] >= 1
    # what was long ago is not recent any more
    wait_until(lambda: row()["recent_turn_us"] < longest, 30, what="another period")
    assert all(a["longest_turn_us"] <= b["longest_turn_us"] for a, b in zip(seen, seen[1:]))
    assert all(0 <= r["recent_turn_us"] <= r["longest_turn_us"] for r in seen)
