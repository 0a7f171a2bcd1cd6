"""T-LEDGER: what was acknowledged is there once; what was not is there once or not at all; nothing is there twice."""

import random
import time

import pytest

from harness import wire
from harness.wire import bind, execute, extended, parse, q, sync


def insert(c, n):
    return f"INSERT INTO book VALUES ({c}, {n})"


# ways to write one row of the ledger: the bytes, and how many ReadyForQuery they give
WAYS = [
    lambda c, n: (q(insert(c, n)), 1),
    lambda c, n: (extended("INSERT INTO book VALUES ($1::int, $2::int)", [c, n]), 1),
    lambda c, n: (q("BEGIN") + q(insert(c, n)) + q("COMMIT"), 3),
    lambda c, n: (extended("BEGIN") + extended(insert(c, n)) + extended("COMMIT"), 3),
    lambda c, n: (parse("BEGIN") + bind() + execute() + parse(insert(c, n)) + bind() + execute() + parse("COMMIT") + bind() + execute() + sync(), 1),
    lambda c, n: (q(f"SELECT 1; {insert(c, n)}"), 1),
    lambda c, n: (q("COPY book FROM STDIN") + wire.copy_data(f"{c}\t{n}\n") + wire.copy_done(), 1),
]


def enter(p):
    end = time.monotonic() + 20
    while True:
        try:
            return p.client(timeout=30)
        except (wire.PgError, wire.Closed, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


@pytest.mark.compat
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("fault", ["none", "terminate", "restart"])
def test_T_LEDGER_01(own_pg, maker, workers, fault):
    """Servers killed at random, or PostgreSQL restarted, in the middle of everything."""
    p = maker(own_pg, workers=workers, pool_size=5, max_overflow=2, server_login_retry=1, pool_timeout=20)
    with wire.Client(own_pg.sock, "postgres", "db0") as c:
        c.query("DROP TABLE IF EXISTS book; CREATE TABLE book(c int, n int); GRANT ALL ON book TO PUBLIC")
    rnd = random.Random(workers)
    clients = [enter(p) for _ in range(24)]
    ack, unknown = set(), set()
    seq = 0
    lost = 0
    end = time.monotonic() + 4
    next_fault = time.monotonic() + 0.3
    while time.monotonic() < end:
        seq += 1
        sent = []
        for i, c in enumerate(clients):
            data, zs = WAYS[rnd.randrange(len(WAYS))](i, seq)
            try:
                c.send(data)
            except OSError:
                pass
            sent.append(zs)
        if fault != "none" and time.monotonic() > next_fault:
            if fault == "terminate":
                own_pg.kill_backends("usename='app' AND random() < 0.5")
                next_fault = time.monotonic() + 0.05
            else:
                own_pg.restart("immediate" if rnd.random() < 0.5 else "fast")
                next_fault = time.monotonic() + 0.9
        for i, c in enumerate(clients):
            try:
                msgs = c.until("Z", sent[i])
                r = wire.Result(msgs)
                if r.error or r.status != "I":
                    unknown.add((i, seq))
                    if r.status != "I":
                        c.ask("ROLLBACK")
                else:
                    ack.add((i, seq))
            except (wire.Closed, OSError):
                unknown.add((i, seq))
                lost += 1
                c.close()
                clients[i] = enter(p)
    for c in clients:
        c.close()
    time.sleep(0.3)
    with wire.Client(own_pg.sock, "postgres", "db0") as c:
        rows = [(int(a), int(b)) for a, b in c.query("SELECT c, n FROM book").rows]
    there = set(rows)
    assert len(rows) == len(there), f"written twice: {sorted(x for x in there if rows.count(x) > 1)[:5]}"
    assert not ack - there, f"acknowledged and not there: {sorted(ack - there)[:5]}"
    assert there <= ack | unknown
    if fault == "none":
        assert not unknown and not lost, "nothing was wrong with the server"
    assert len(ack) > 200
    print(f"{fault}: {len(ack)} acknowledged, {len(unknown)} unknown ({len(unknown & there)} of them there), {lost} connections lost")
