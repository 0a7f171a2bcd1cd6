"""A pooler that has nothing to do costs next to nothing, and is wide awake at once when there is something."""

import os
import time

import pytest

from harness import wire
from harness.wire import q, wait_until

REST = 2.5  # after so long without work everything rests


def sleeps(p):
    """How often each thread has gone to sleep."""
    out = {}
    for t in os.listdir(f"/proc/{p.proc.pid}/task"):
        with open(f"/proc/{p.proc.pid}/task/{t}/status") as f:
            out[t] = int(next(line for line in f if line.startswith("voluntary_ctxt_switches")).split()[1])
    return out


def is_tsan(p):
    with open(f"/proc/{p.proc.pid}/maps") as f:
        return "libtsan" in f.read()


@pytest.mark.parametrize("workers", [1, 4])
def test_threads_sleep_for_about_a_second(pooler, workers):
    """With clients and servers that idle; and with clients that were never anything else."""
    p = pooler(workers=workers, pool_size=5)
    for count in (20, 0):
        clients = [p.client() for _ in range(20)]
        for c in clients[:count]:
            c.query("SELECT 1")
        time.sleep(REST)
        before = sleeps(p)
        time.sleep(5)
        rates = sorted((n - before[t]) / 5 for t, n in sleeps(p).items())
        if is_tsan(p):
            rates.pop()  # the sanitizer's own thread
        assert rates[-1] <= 2.2, rates
        for c in clients:
            c.quit()


@pytest.mark.parametrize("workers", [1, 4])
def test_a_long_query_after_a_rest_is_seen_in_time(pooler, workers):
    p = pooler(workers=workers, long_query_time=1)
    with p.client() as c:
        c.query("SELECT 1")
        for _ in range(2):
            time.sleep(REST)
            told = p.log_text().count("long query: active")
            t = time.monotonic()
            c.send(q("SELECT pg_sleep(3)"))
            wait_until(lambda: p.log_text().count("long query: active") > told, 4)
            assert 0.9 <= time.monotonic() - t <= 2.3
            assert not c.result().error
        c.quit()


def test_a_transaction_beyond_its_time_after_a_rest_is_ended_in_time(pooler):
    p = pooler(transaction_timeout=1)
    c = p.client()
    c.query("SELECT 1")
    time.sleep(REST)
    t = time.monotonic()
    c.query("BEGIN")
    with pytest.raises(wire.Closed):
        while True:
            c.recv()
    assert 0.9 <= time.monotonic() - t <= 2.3


def test_the_status_after_a_rest_is_told_in_time(pooler):
    """A client waits for the pool's only server, for up to pool_timeout: the status says so before that is over."""
    p = pooler(pool_size=1, max_overflow=0, pool_timeout=6)
    a, b = p.client(), p.client()
    a.query("SELECT 1")
    time.sleep(REST)
    a.query("BEGIN")
    b.send(q("SELECT 1"))
    p.log_has(r"db0/app pool (warning|critical)", 5.5)
    a.query("COMMIT")
    assert not b.result().error
    a.quit(), b.quit()


def test_idle_servers_retire_in_time_while_the_worker_rests(pg, pooler):
    p = pooler(pool_size=5, server_idle_timeout=4)
    with p.client() as c:
        pid = int(c.value("SELECT pg_backend_pid()"))
        t = time.monotonic()
        wait_until(lambda: pid not in pg.backends(), 8)
        assert 3.5 <= time.monotonic() - t <= 6
        c.quit()
