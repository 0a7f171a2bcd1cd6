"""T-LEAK-01: no byte of one client ever reaches another."""

import os
import time

import pytest

from harness.oracle import Op, Oracle, make
from harness.sampler import Sampler
from harness.wire import extended, q, wait_until

REPLIES = int(os.environ.get("FYNIX_LEAK_REPLIES", "150000"))


@pytest.mark.compat
def test_the_oracle_itself(pg):
    """It finds no fault with PostgreSQL, and does find a foreign token."""
    o = Oracle(pg.addr, 60, seed=3, login=("trusty", "db0"))
    o.run(3000)
    assert not o.faults, o.faults[:3]
    assert o.left > 5 and o.cancels > 5
    r = o.riders[0]
    r.login, r.op, r.at = False, make(o.rnd, r.token()), 0
    r.on_message("D", b"\0\1\0\0\0\x14tk:1:2:0123456789ab")
    assert "FOREIGN TOKEN" in o.faults[0]


@pytest.mark.compat
def test_the_oracle_counts_cancels(pg):
    """Two cancels may hit one batch, the first of them sent for the request before; a third error is nobody's."""
    o = Oracle(pg.addr, 1, seed=3, login=("trusty", "db0"))
    r = o.riders[0]
    hit = b"SERROR\0C57014\0Mcanceling statement due to user request\0\0"
    r.login, r.cancels, r.at, r.seen = False, 2, 0, 0
    r.op = Op(b"tk:0:1:0123456789ab", q("BEGIN") + q("SELECT") + q("COMMIT"), ["C", "Z", "T", "C", "Z", "C", "Z"])
    for kind, body in (("E", hit), ("Z", b"I"), ("E", hit)):
        r.on_message(kind, body)
    assert not o.faults
    r.op, r.at = Op(b"tk:0:2:0123456789ab", q("SELECT"), ["T", "C", "Z"]), 0
    r.on_message("E", hit)
    assert "E where T was due" in o.faults[0]


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_T_LEAK_01_thousand_clients_eight_servers(pg, pooler, workers):
    """Unique tokens in every row, error, notice and COPY line; clients leave at random bytes and cancel at random times."""
    p = pooler(workers=workers, pool_size=8, max_overflow=0, max_client_conn=2000, pool_timeout=120, log_connections=0,
               log_disconnections=0)
    with Sampler(pg, "usename='app'") as s:
        o = Oracle(p.addr, 1000, seed=workers)
        t = time.monotonic()
        o.run(REPLIES // 3)
        took = time.monotonic() - t
    assert not o.faults, o.faults[:3]
    print(f"{o.replies} replies, {o.requests} requests, {o.left} left, {o.cancels} cancels, {took:.1f} s, at most {s.most} servers")
    assert o.replies >= REPLIES // 3 and o.left > 20 and o.cancels > 20
    assert s.most <= 8, s.most
    wait_until(lambda: p.pool()["cl_active"] + p.pool()["cl_waiting"] == 0, 10)


def test_T_LEAK_04_two_databases_with_the_same_everything(pooler):
    """Same table, same query, same names, different content."""
    p = pooler(pool_size=2, max_overflow=1, pool_timeout=60)
    clients = [p.client(database=f"db{i % 4}") for i in range(80)]
    for _ in range(40):
        for i, c in enumerate(clients):
            c.send(q("SELECT db FROM whoami") if i % 8 < 4 else extended("SELECT db FROM whoami"))
        for c in clients:
            assert c.result().rows == [(c.database,)]
    for c in clients:
        c.quit()
