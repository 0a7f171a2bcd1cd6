"""Protocol versions 3.0 and 3.2 on both legs, and cancel keys of every length."""

import itertools
import struct
import time

import pytest

from fakepg import PARAMETERS, Hanging, auth, fatal, key_bytes, key_data, negotiate, ready
from harness import wire
from harness.wire import Client, PgError, extended, q, send_cancel, wait_until

PID = 4711
V30, V32 = 0x30000, 0x30002
number = itertools.count(1)


def name():
    return f"v{next(number)}"


def cancelled(rig, h, db, proto, how=q):
    c = Client(rig.pooler.addr, "app", db, proto=proto, timeout=20)
    for _ in range(2):
        h.hangs.clear()
        c.send(how("SELECT hang"))
        assert h.hangs.wait(10)
        c.cancel()
        r = c.result()
        assert r.error["C"] == "57014" and r.status == "I", r.msgs
        assert c.value("SELECT after") == "after"
    c.quit()
    assert rig.fake.cancels == [struct.pack("!I", PID) + key_bytes(h.size)] * 2
    rig.fake.on_cancel = None


@pytest.mark.parametrize("proto", [V30, V32], ids=["client30", "client32"])
@pytest.mark.parametrize("size", [4, 5, 12, 32, 255, 256])
def test_server_speaks_3_2(rig, size, proto):
    """It is asked for 3.2, says nothing against it, and its key comes back whole in our cancel request."""
    db, h = name(), Hanging(rig, size)
    rig.fake.scripts[db] = h.script
    cancelled(rig, h, db, proto)
    assert [p.protocol for p in rig.fake.peers[db]] == [V32]


@pytest.mark.parametrize("proto", [V30, V32], ids=["client30", "client32"])
def test_server_negotiates_3_0(rig, proto):
    db, h = name(), Hanging(rig, 4, before=negotiate(V30))
    rig.fake.scripts[db] = h.script
    cancelled(rig, h, db, proto, how=extended)
    assert [p.protocol for p in rig.fake.peers[db]] == [V32]


REFUSALS = {
    "postgresql_9_2": lambda p: p.send(fatal("0A000", "unsupported frontend protocol 3.2: server supports 1.0 to 3.0")),
    "proxy": lambda p: p.send(fatal("08P01", "unsupported protocol version")),
    "no_word": lambda p: None,
    "reset": lambda p: p.abort(),
    "half_a_word": lambda p: p.send(fatal("0A000", "unsupported")[:11]),
    "and_more": lambda p: p.send(fatal("0A000", "unsupported"), auth(0), PARAMETERS, key_data(), ready()),
}


@pytest.mark.parametrize("proto", [V30, V32], ids=["client30", "client32"])
@pytest.mark.parametrize("how", REFUSALS)
def test_server_refuses_3_2(rig, how, proto):
    """It is asked again, for 3.0; the client notices nothing, and later connections do not ask for more."""
    db, h = name(), Hanging(rig)

    def script(peer):
        if peer.protocol == V32:
            REFUSALS[how](peer)
            return
        h.script(peer)

    rig.fake.scripts[db] = script
    cancelled(rig, h, db, proto)
    assert [p.protocol for p in rig.fake.peers[db]] == [V32, V30]
    rig.fake.newest(db).abort()
    c = Client(rig.pooler.addr, "app", db, proto=proto)
    wait_until(lambda: c.ask("SELECT again").rows == [("again",)], 5)
    c.quit()
    assert [p.protocol for p in rig.fake.peers[db]] == [V32, V30, V30]


def test_the_slot_of_a_refused_connection_is_awaited(rig):
    """The second connection is not made before the server has ended the first: it may have room for one only."""
    db, ended = name(), []

    def script(peer):
        if peer.protocol == V32:
            peer.send(fatal("0A000", "unsupported"))
            time.sleep(0.5)
            ended.append(time.monotonic())
            return
        ended.append(time.monotonic())
        peer.greet()
        peer.serve()

    rig.fake.scripts[db] = script
    c = Client(rig.pooler.addr, "app", db)
    assert c.value("SELECT x") == "x"
    c.quit()
    assert len(ended) == 2 and ended == sorted(ended)


@pytest.mark.parametrize("code", ["53300", "3D000", "28P01", "57P03"])
def test_other_errors_are_no_refusal(rig, code):
    db = name()
    rig.fake.scripts[db] = lambda p: p.send(fatal(code, f"told {code}"))
    with pytest.raises(PgError) as e:
        Client(rig.pooler.addr, "app", db, timeout=20)
    if code != "57P03":         # that one asks for patience
        assert "told " + code in str(e.value)
    assert {p.protocol for p in rig.fake.peers[db]} == {V32}


def test_what_the_second_attempt_is_told_is_what_counts(rig):
    db = name()
    rig.fake.scripts[db] = lambda p: p.send(fatal("08P01", "first") if p.protocol == V32 else fatal("3D000", "second"))
    with pytest.raises(PgError) as e:
        Client(rig.pooler.addr, "app", db, timeout=20)
    assert "second" in str(e.value)
    assert [p.protocol for p in rig.fake.peers[db]][:2] == [V32, V30]


def test_a_proof_that_fails_is_no_refusal(rig):
    """Once the server has begun to talk about the proof, the version was to its taste."""
    db = name()

    def script(peer):
        peer.send(auth(3))
        peer.recv()
        peer.send(fatal("08P01", "no such thing"))

    rig.fake.scripts[db] = script
    with pytest.raises(PgError):
        Client(rig.pooler.addr, "app", db, timeout=20)
    assert {p.protocol for p in rig.fake.peers[db]} == {V32}


def test_T_CAN_02_server_is_held_until_the_cancels_end_of_file(rig):
    """The query is over long before; nobody gets the server before the cancel's connection has ended."""
    db, h = name(), Hanging(rig, 32, hold=0.8)
    rig.fake.scripts[db] = h.script
    a, b = (Client(rig.pooler.addr, "app", db, timeout=20) for _ in range(2))
    for _ in range(2):
        h.hangs.clear()
        a.send(q("SELECT hang"))
        assert h.hangs.wait(10)
        t = time.monotonic()
        send_cancel(rig.pooler.addr, a.pid, a.key, wait=False)
        assert a.result().error["C"] == "57014"
        assert time.monotonic() - t < 0.6
        assert b.value("SELECT b") == "b"
        assert time.monotonic() - t > 0.75, "the server was given away while a cancel was on its way"
    rig.fake.on_cancel = None
    a.quit(), b.quit()
    assert len(rig.fake.peers[db]) == 1


def test_T_CAN_02_cancel_that_does_not_end_costs_the_server(rig):
    """cancel_wait_timeout: the server is closed rather than given to somebody whom the cancel could still hit."""
    db, h = name(), Hanging(rig, hold=5)
    rig.fake.scripts[db] = h.script
    a, b = (Client(rig.pooler.addr, "app", db, timeout=20) for _ in range(2))
    a.send(q("SELECT hang"))
    assert h.hangs.wait(10)
    t = time.monotonic()
    send_cancel(rig.pooler.addr, a.pid, a.key, wait=True)       # its sender waits no longer than that either
    assert 1.7 < time.monotonic() - t < 4
    assert a.result().error["C"] == "57014"
    assert b.value("SELECT b") == "b"
    assert 1.7 < time.monotonic() - t < 4
    assert len(rig.fake.peers[db]) == 2
    rig.fake.on_cancel = None
    a.quit(), b.quit()


def test_many_cancels_of_one_query_are_few_connections(rig):
    """The cap: one on its way to a server, one that waits for its end; whoever asks more often shares them."""
    db, h = name(), Hanging(rig, hold=0.5)
    rig.fake.scripts[db] = h.script
    c = Client(rig.pooler.addr, "app", db, timeout=20)
    c.send(q("SELECT hang"))
    assert h.hangs.wait(10)
    others = [wire.connect(rig.pooler.addr) for _ in range(100)]
    for s in others:
        s.sendall(wire.cancel(c.pid, c.key))
    for s in others:
        assert s.recv(1) == b""
        s.close()
    assert c.result().error["C"] == "57014"
    assert 1 <= len(rig.fake.cancels) <= 2
    assert c.value("SELECT after") == "after"
    rig.fake.on_cancel = None
    c.quit()


def test_a_second_cancel_waits_for_the_first_and_reaches_the_next_statement(rig):
    """Two statements in one go: the cancel that was asked for first is still on its way when the second one runs."""
    db, h = name(), Hanging(rig, hold=0.4)
    rig.fake.scripts[db] = h.script
    c = Client(rig.pooler.addr, "app", db, timeout=20)
    c.send(q("SELECT hang"), q("SELECT hang"))
    for n in (1, 2):
        wait_until(lambda: h.hung == n, 10)
        send_cancel(rig.pooler.addr, c.pid, c.key, wait=False)
        assert c.result().error["C"] == "57014"
    assert len(rig.fake.cancels) == 2
    assert c.value("SELECT after") == "after"
    rig.fake.on_cancel = None
    c.quit()


def test_V_C01_V_C04_wrong_keys_of_3_2_reach_nobody(rig):
    db, h = name(), Hanging(rig, 32)
    rig.fake.scripts[db] = h.script
    c = Client(rig.pooler.addr, "app", db, proto=V32, timeout=20)
    d = Client(rig.pooler.addr, "app", db, proto=V30, timeout=20)
    c.send(q("SELECT hang"))
    assert h.hangs.wait(10)
    flipped = bytes([c.key[0] ^ 1]) + c.key[1:]
    for key in (flipped, c.key[:4], c.key[:31], c.key + b"\0", c.key + bytes(224), bytes(32), b"\xff" * 256, key_bytes(32)):
        send_cancel(rig.pooler.addr, c.pid, key)
    for pid in (0, PID, d.pid, c.pid ^ 1, 0xFFFFFFFF):
        send_cancel(rig.pooler.addr, pid, c.key)
    send_cancel(rig.pooler.addr, c.pid, d.key)
    time.sleep(0.2)
    assert rig.fake.cancels == [] and not h.came.is_set()
    send_cancel(rig.pooler.addr, c.pid, c.key)
    assert c.result().error["C"] == "57014"
    rig.fake.on_cancel = None
    c.quit(), d.quit()


CONF = dict(cancel_wait_timeout="2s")
