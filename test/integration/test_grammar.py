"""T-SYNC-02: random conversations, direct and through the pooler, must read the same; and whoever comes next finds a clean server."""

import os
import random

import pytest

from harness import wire
from harness.wire import (bind, close, copy_data, copy_done, copy_fail, describe, execute, flush, function_call, parse, q, sync)

SEEDS = int(os.environ.get("FYNIX_GRAMMAR_SEEDS", "250"))

SQL = ["SELECT 1", "SELECT 1/0", "SELEKT", "", "SELECT generate_series(1,5)", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO a",
       "INSERT INTO sink VALUES (5)", "INSERT INTO sink VALUES (5000000)", "SELECT shout('n')", "SELECT fail('f')", "COPY (SELECT generate_series(1,3)) TO STDOUT",
       "COPY (SELECT 1/0) TO STDOUT", "SELECT repeat('x', 20000)", "COPY sink FROM STDIN", "COPY nowhere FROM STDIN"]
MULTI = ["SELECT 1; SELECT 2", "BEGIN; SELECT 1", "SELECT 1; SELECT 1/0; SELECT 2", "COMMIT; BEGIN", "SELECT 1; COMMIT; SELECT 2",
         "COPY (SELECT 1) TO STDOUT; SELECT 3", "COPY sink FROM STDIN; SELECT 4", "COPY sink FROM STDIN; COPY sink FROM STDIN"]
MARK = "SELECT 'the very end'"


def message(rnd):
    kind = rnd.randrange(20)
    if kind < 3:
        return q(rnd.choice(SQL))
    if kind == 3:
        return q(rnd.choice(MULTI))
    if kind < 6:
        return parse(rnd.choice(SQL))
    if kind < 9:
        return bind(portal=rnd.choice(["", "", "a"]))
    if kind == 9:
        return describe(rnd.choice("PS"), rnd.choice(["", "", "a"]))
    if kind < 13:
        return execute(rnd.choice(["", "", "a"]), rnd.choice([0, 0, 1, 2]))
    if kind == 13:
        return close(rnd.choice("PS"), rnd.choice(["", "a"]))
    if kind == 14:
        return flush()
    if kind == 15:
        return function_call(1397, [rnd.choice(["-5", "x"])])
    if kind == 16:
        return rnd.choice([copy_data("1\tx\n"), copy_data("what\n"), copy_done(), copy_fail()])
    return sync()


def conversation(rnd):
    out = [message(rnd) for _ in range(rnd.randrange(2, 13))]
    # whatever is open, ends: a COPY, a batch, a transaction
    out += [copy_fail(), sync(), q("ROLLBACK"), q(MARK)]
    return out


def converse(client, data, cuts):
    """Send in pieces; read until the mark's ReadyForQuery or the end. What came, and whether it is still open."""
    at = 0
    for cut in cuts + [len(data)]:
        try:
            client.send(data[at:cut])
        except OSError:
            break
        at = cut
    out = []
    client.sock.settimeout(8)
    try:
        while True:
            m = client.recv()
            if m.type == "S":
                continue
            body = m.body
            if m.type == "T":
                body = tuple(c._replace(table=bool(c.table)) for c in wire.columns(m.body))
            out.append((m.type, body))
            if m.type == "D" and b"the very end" in m.body:
                out += [(x.type, x.body) for x in client.until("Z")]
                return out, True
    except wire.Closed:
        return out, False
    except wire.Timeout:
        raise AssertionError("hangs; had " + words(out))


def words(msgs):
    return wire.describe_msgs([wire.Msg(t, b if isinstance(b, bytes) else b"") for t, b in msgs])


@pytest.mark.parametrize("mode,workers", [("transaction", 1), ("session", 1), ("transaction", 4)])
def test_T_SYNC_02_random_conversations(pg, pooler, mode, workers):
    p = pooler(pool_mode=mode, workers=workers, pool_size=1, max_overflow=0, pool_timeout=7)
    first = int(os.environ.get("FYNIX_GRAMMAR_FIRST", "0"))
    for seed in range(first, first + SEEDS):
        rnd = random.Random(seed)
        data = b"".join(conversation(rnd))
        cuts = sorted(rnd.randrange(len(data)) for _ in range(rnd.choice([0, 0, 1, 5])))
        with pg.client("trusty") as d:
            want, want_open = converse(d, data, cuts)
        c = p.client("trusty")
        try:
            got, is_open = converse(c, data, cuts)
        except AssertionError as e:
            raise AssertionError(f"seed {seed}: {e}\nPostgreSQL: {words(want)} open={want_open}\nsent: {data!r}")
        if want_open:
            assert (is_open, got) == (True, want), f"seed {seed}\nPostgreSQL: {words(want)}\nhere:       {words(got)} open={is_open}\nsent: {data!r}"
        else:
            # PostgreSQL calls it lost synchronisation and closes: an error and the end here too
            assert not is_open and any(t == "E" for t, _ in got), f"seed {seed}\nPostgreSQL closes: {words(want)}\nhere: {words(got)} open={is_open}"
        c.close()
        with p.client("trusty") as f:
            f.settimeout(8)
            r = f.ask("SELECT 'next', pg_current_xact_id_if_assigned() IS NULL")
            assert r.types == "TDCZ" and r.status == "I" and r.rows == [("next", "t")], (seed, wire.describe_msgs(r.msgs))
            f.quit()


def test_T_SYNC_02_random_conversations_that_end_anywhere(pg, pooler):
    """The client goes away at a random byte of a random conversation; nothing it did not commit is committed, the follower is fine."""
    with wire.Client(pg.sock, "postgres", "db0") as a:
        a.query("CREATE TABLE IF NOT EXISTS oath(n int); TRUNCATE oath; GRANT ALL ON oath TO PUBLIC")
        p = pooler(workers=2, pool_size=1, max_overflow=0, pool_timeout=20)
        f = p.client("trusty", timeout=15)
        for seed in range(SEEDS * 2):
            rnd = random.Random(seed)
            parts = [m for m in conversation(rnd)[:-4] if b"COMMIT" not in m and b"ROLLBACK" not in m]
            data = q("BEGIN") + q("INSERT INTO oath VALUES (1)") + b"".join(parts)
            cut = rnd.randrange(len(q("BEGIN")), len(data) + 1)
            c = p.client("trusty")
            c.send(data[:cut])
            if seed % 3 == 0:
                c.silent(0.002)
            c.abort() if seed % 2 else c.close()
            r = f.ask("SELECT 'next', pg_current_xact_id_if_assigned() IS NULL")
            assert r.rows == [("next", "t")] and r.status == "I", (seed, cut, wire.describe_msgs(r.msgs), data)
        f.quit()
        assert a.value("SELECT count(*) FROM oath") == "0", "an INSERT behind BEGIN was committed without a COMMIT"
