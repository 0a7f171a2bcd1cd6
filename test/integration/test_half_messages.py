"""T-SYNC-01: whatever goes wrong while a client is in the middle of a message, the rest of that message is never taken for messages.

A Bind carries bytes that would be queries if its framing were lost. It is cut at every offset; then its server dies, its wait for a
server ends, its query is cancelled or takes too long, or PostgreSQL refuses what went before; then the rest of it is sent. What is
hidden in it must never run, and the client is either gone or in step.
"""

import struct
import time

import pytest

from harness import wire
from harness.wire import bind, cstr, execute, msg, parse, q, send_cancel, sync, wait_until

HIDDEN = q("INSERT INTO hidden VALUES (1)") + q("COMMIT") + sync() + wire.extended("INSERT INTO hidden VALUES (2)")
# one value, binary
BIND = {n: msg("B", cstr("") + cstr(s) + struct.pack("!HHHi", 1, 1, 1, len(HIDDEN)) + HIDDEN + struct.pack("!H", 0))
        for n, s in (("unnamed", ""), ("named", "named"))}
TEXT = "SELECT octet_length($1::bytea)"
SIZE = str(len(HIDDEN))


@pytest.fixture(scope="module", autouse=True)
def table(pg):
    with wire.Client(pg.sock, "postgres", "db0") as c:
        c.query("CREATE TABLE IF NOT EXISTS hidden(n int); TRUNCATE hidden; GRANT ALL ON hidden TO PUBLIC")


def nothing_ran(pg, where=""):
    with wire.Client(pg.sock, "postgres", "db0") as c:
        assert c.value("SELECT count(*) FROM hidden") == "0", f"a query hidden in a bind value ran {where}"


def first_part(c, name):
    """What comes before the Bind: the statement, prepared just now or long ago."""
    if name == "named":
        assert c.run(parse(TEXT, "named"), sync()).types == "1Z"
        return b""
    return parse(TEXT)


def the_rest(c, name, cut, gone_is_fine, syncs=1):
    """Send it; the client is in step, or it has been told why it was ended. True if it lives."""
    try:
        c.send(BIND[name][cut:] + execute() + sync() + q("SELECT 'after'"))
        msgs = c.until("Z", syncs + 1)
    except (wire.Closed, OSError) as e:
        assert gone_is_fine, f"cut at {cut}: {e}"
        return False
    answer = [m for m in msgs if m.type == "D"]
    assert answer and wire.row(answer[-1].body) == ("after",), (cut, wire.describe_msgs(msgs))
    assert len(answer) == 1 or wire.row(answer[0].body) == (SIZE,), (cut, wire.describe_msgs(msgs))
    return True


@pytest.mark.parametrize("name", BIND)
def test_T_SYNC_01_the_server_dies(own_pg, maker, name):
    """Its own farewell goes to the client; the rest of the Bind belongs to a request that is over."""
    p = maker(own_pg, workers=1, pool_size=1, max_overflow=0, pool_timeout=10, server_login_retry=0.1)
    with wire.Client(own_pg.sock, "postgres", "db0") as a:
        a.query("CREATE TABLE IF NOT EXISTS hidden(n int); TRUNCATE hidden; GRANT ALL ON hidden TO PUBLIC")
    lived = 0
    for cut in range(len(BIND[name]) + 1):
        c = p.client()
        c.send(first_part(c, name) + (parse("SELECT 1", "x") if name == "named" else b"") + BIND[name][:cut])
        if cut % 3:
            time.sleep(0.002)       # the server has had it, or has not
        own_pg.kill_backends("usename = 'app'")
        lived += the_rest(c, name, cut, True)
        c.close()
        if cut % 40 == 0:
            nothing_ran(own_pg, f"cut at {cut}")
    nothing_ran(own_pg)
    with p.client() as c:
        wait_until(lambda: not c.ask("SELECT 1").error, 5)
        c.quit()
    assert lived > len(BIND[name]) // 2, "most go on"
    print(f"T-SYNC-01 {name}: {lived} of {len(BIND[name]) + 1} clients went on")


@pytest.mark.parametrize("how", ["cancelled", "timeout"])
def test_T_SYNC_01_the_wait_ends(pg, pooler, how):
    """The client waits for a server with half a Bind; it is told that it waits no longer, and goes on behind its Sync."""
    p = pooler(workers=1, pool_size=1, max_overflow=0, query_wait_notify=0, pool_timeout=30 if how == "cancelled" else 0.1)
    holder = p.client()
    holder.query("BEGIN")
    step = 1 if how == "cancelled" else 5
    c = p.client()
    for cut in range(0, len(BIND["unnamed"]), step):
        c.send(parse(TEXT) + BIND["unnamed"][:cut])
        if how == "cancelled":
            wait_until(lambda: p.pool()["cl_waiting"] == 1, 3, 0.001)
            send_cancel(p.addr, c.pid, c.key)
        m = c.recv()
        assert m.type == "E", m
        c.send(BIND["unnamed"][cut:] + execute() + sync())
        msgs = c.until("Z")
        assert [m.type for m in msgs] == ["Z"], (cut, wire.describe_msgs(msgs))
        assert p.pool()["cl_waiting"] == 0
    holder.query("COMMIT")
    assert c.value("SELECT 'after'") == "after"
    nothing_ran(pg)
    c.quit(), holder.quit()


@pytest.mark.parametrize("name", BIND)
def test_T_SYNC_01_postgresql_refuses_what_came_before(pg, pooler, name):
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    c = p.client()
    first_part(c, name)
    for cut in range(len(BIND[name]) + 1):
        c.send(parse("SELEKT") + BIND[name][:cut])
        if cut % 2:
            assert c.recv().type == "E"
        c.send(BIND[name][cut:])
        if not cut % 2:
            assert c.recv().type == "E"
        r = c.run(execute(), sync())
        assert r.types == "Z", (cut, r.msgs)
    assert c.value("SELECT 'after'") == "after"
    nothing_ran(pg)
    c.quit()


@pytest.mark.parametrize("name", BIND)
def test_T_SYNC_01_the_query_takes_too_long(pg, pooler, name):
    """query_timeout ends the client; what it still sends is read by nobody."""
    p = pooler(workers=1, pool_size=10, max_overflow=0, query_timeout=0.3)
    whole, batch = BIND[name], 10
    for at in range(0, len(whole) + 1, batch):
        them = []
        for cut in range(at, min(at + batch, len(whole) + 1)):
            c = p.client()
            c.send(first_part(c, name) + (parse("SELECT 1", "x") if name == "named" else b"") + whole[:cut])
            them.append((cut, c))
        for cut, c in them:
            msgs = c.until("E")
            assert "timeout" in wire.fields(msgs[-1].body)["M"], wire.describe_msgs(msgs)
            try:
                c.send(whole[cut:] + execute() + sync() + q("INSERT INTO hidden VALUES (3)"))
                assert not c.rest(5)
            except OSError:
                pass
            c.close()
    nothing_ran(pg)
    with p.client() as c:
        assert c.value("SELECT 1") == "1"
        c.quit()


@pytest.mark.parametrize("name", BIND)
def test_T_SYNC_01_the_running_query_is_cancelled(pg, pooler, name):
    """A first statement of the batch runs and is cancelled while half a Bind has come."""
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    c = p.client()
    first_part(c, name)
    for cut in range(0, len(BIND[name]) + 1, 7):
        c.send(parse("SELECT pg_sleep(20)") + bind() + execute() + (parse(TEXT) if name == "unnamed" else b"") + BIND[name][:cut])
        pg.wait_query("pg_sleep(20)", step=0.002)
        send_cancel(p.addr, c.pid, c.key)
        msgs = c.until("E")
        assert wire.fields(msgs[-1].body)["C"] == "57014"
        c.send(BIND[name][cut:] + execute())
        assert c.run(sync()).types == "Z"
    assert c.value("SELECT 'after'") == "after"
    nothing_ran(pg)
    c.quit()


@pytest.mark.parametrize("length", [0, 3, 0x7FFFFFFF, 0xFFFFFFFF])
def test_T_SYNC_01_a_length_that_lies_ends_the_client(pg, pooler, length):
    """A Bind whose declared length is not its own: what follows is not looked at, or belongs to it."""
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    c = p.client()
    body = cstr("") + cstr("") + struct.pack("!HH", 0, 1)
    c.send(parse(TEXT) + b"B" + struct.pack("!I", length) + body + HIDDEN + sync())
    if length == 0x7FFFFFFF:
        c.silent(0.3)               # it waits for two gigabytes
        c.close()
    else:
        msgs = c.rest(5)
        assert any(m.type == "E" for m in msgs), wire.describe_msgs(msgs)
    with p.client() as d:
        assert d.value("SELECT 1") == "1"
        d.quit()
    nothing_ran(pg)
