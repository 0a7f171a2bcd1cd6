"""Protocol versions 3.0 and 3.2 on both legs, and cancel keys of every length."""

import itertools
import socket
import struct
import threading
import time

import pytest

from fakepg import PARAMETERS, Hanging, auth, complete, error, fatal, key_bytes, key_data, negotiate, ready
from harness import wire
from harness.wire import Client, PgError, bind, execute, extended, msg, parse, q, send_cancel, sync, wait_until

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


# ---- D3: what we say ourselves in front of a client's query is not cancelled ----

class Slow:
    """A script: what we set for a client is answered after a while, `SELECT hang` when a cancel has come. What ran when one came is
    written down, and ends with 57014."""

    def __init__(self, rig, patience=2):
        self.seconds, self.patience = 0.0, patience
        self.lock = threading.Lock()
        self.now = None
        self.struck = []
        self.begun, self.came, self.busy = threading.Event(), threading.Event(), threading.Event()
        rig.fake.cancels.clear()
        rig.fake.on_cancel = self.on_cancel

    def on_cancel(self):
        self.busy.wait(self.patience)       # the statement is in our socket already, but its thread may not have come to it
        with self.lock:
            self.struck.append(self.now)
            self.came.set()

    def run(self, sql, seconds):
        """Was it struck?"""
        with self.lock:
            self.now = sql
            self.came.clear()
            self.busy.set()
        self.begun.set()
        self.came.wait(seconds)
        with self.lock:
            self.now = None
            self.busy.clear()
            return self.came.is_set()

    def on_query(self, peer, sql):
        ours = sql == "" or sql.startswith(("SET", "RESET"))
        if not ours and sql != "SELECT hang":
            return False
        if self.run(sql, self.seconds if ours else 20):
            peer.send(error("57014", "canceling statement due to user request"))
        else:
            assert ours, "no cancel came"
            peer.send(complete("SET") if sql else msg("I"))
        if peer.got[-1].type == "Q":
            peer.send(ready(peer.status))
        return True

    def script(self, peer):
        peer.greet()
        peer.serve(self.on_query)


def two_who_differ(rig, slow):
    """Clients of one server; whenever they take turns, we set something."""
    db = name()
    rig.fake.scripts[db] = slow.script
    a = Client(rig.pooler.addr, "app", db, params={"work_mem": "5MB"}, timeout=20)
    b = Client(rig.pooler.addr, "app", db, params={"geqo": "off"}, timeout=20)
    assert b.value("SELECT b") == "b"
    slow.begun.clear()
    return a, b


@pytest.mark.parametrize("how", [q, extended], ids=["simple", "extended"])
def test_D3_cancel_waits_while_our_own_setting_runs(rig, how):
    slow = Slow(rig)
    a, b = two_who_differ(rig, slow)
    slow.seconds = 0.7
    for c, text in ((a, "5MB"), (b, "geqo"), (a, "5MB")):
        slow.begun.clear()
        t = time.monotonic()
        c.send(how("SELECT hang"))
        assert slow.begun.wait(10) and text in slow.now
        time.sleep(0.05)
        send_cancel(rig.pooler.addr, c.pid, c.key)      # until the cancel's end: it has waited as well
        assert time.monotonic() - t > 0.65, "it has not waited for the end of our setting"
        r = c.result()
        assert r.error["C"] == "57014" and r.types in ("EZ", "12TEZ") and r.status == "I", r.msgs
    assert slow.struck == ["SELECT hang"] * 3, "each has struck the client's query, none what we set"
    slow.seconds = 0
    assert a.value("SELECT a") == "a" and b.value("SELECT b") == "b"
    assert len(rig.fake.peers[a.database]) == 1, "the server was kept"
    rig.fake.on_cancel = None
    a.quit(), b.quit()


def test_D3_cancel_of_a_query_that_is_over_before_it_could_be_sent(rig):
    """It waited for our setting; when that is answered, so is the query. Whatever becomes of it, the next client is not hit."""
    slow = Slow(rig, patience=0)
    a, b = two_who_differ(rig, slow)
    slow.seconds = 0.3
    for _ in range(3):
        for c, other in ((a, b), (b, a)):
            slow.begun.clear()
            c.send(q("SELECT quick"))
            assert slow.begun.wait(10)
            send_cancel(rig.pooler.addr, c.pid, c.key, wait=False)
            other.send(q("SELECT other"))
            assert c.result().rows == [("quick",)]
            assert other.result().rows == [("other",)]
            c.send(q("SELECT again"))
            assert c.result().rows == [("again",)]
    assert set(slow.struck) <= {None}, slow.struck
    assert len(rig.fake.peers[a.database]) == 1
    rig.fake.on_cancel = None
    a.quit(), b.quit()


def test_D3_cancel_that_waits_longer_than_it_may(rig):
    """cancel_wait_timeout: it is given up, and its sender is let go; the query was not hit, and the next cancel of it is."""
    slow = Slow(rig)
    a, b = two_who_differ(rig, slow)
    slow.seconds = 3
    a.send(q("SELECT hang"))
    assert slow.begun.wait(10)
    t = time.monotonic()
    send_cancel(rig.pooler.addr, a.pid, a.key)
    assert 1.7 < time.monotonic() - t < 2.9
    slow.seconds = 0
    wait_until(lambda: slow.now == "SELECT hang", 10)
    assert slow.struck == [] and a.silent(0.2)
    send_cancel(rig.pooler.addr, a.pid, a.key)
    assert a.result().error["C"] == "57014" and slow.struck == ["SELECT hang"]
    assert b.value("SELECT b") == "b"
    rig.fake.on_cancel = None
    a.quit(), b.quit()


def test_D3_cancel_while_the_server_is_tried_out(rig):
    """pool_pre_ping: the client waits meanwhile, so it is told at once; the test is not hit, and the server is there for the next."""
    slow = Slow(rig)
    db = name()
    rig.fake.scripts[db] = slow.script
    a, b = (Client(rig.pooler.addr, "app", db, timeout=20) for _ in range(2))
    assert a.value("SELECT a") == "a"
    rig.pooler.console("SET pre_ping_idle = 0")
    rig.pooler.console("SET pool_pre_ping = 1")
    try:
        time.sleep(0.1)
        slow.seconds = 1
        slow.begun.clear()
        peer = rig.fake.newest(db)
        a.send(q("SELECT must not run"))
        wait_until(lambda: slow.now is not None or any(m.body == b"SELECT must not run\0" for m in peer.got), 5)
        assert slow.now is not None, "the server was not tried out"
        t = time.monotonic()
        a.cancel()
        r = a.result()
        assert r.error["C"] == "57014" and r.types == "EZ" and time.monotonic() - t < 0.6
        assert b.value("SELECT b") == "b" and a.value("SELECT a") == "a"
    finally:
        rig.pooler.console("SET pool_pre_ping = 0")
        rig.pooler.console("SET pre_ping_idle = 1")
    assert slow.struck == [] and rig.fake.cancels == []
    assert not any(b"must not run" in m.body for m in peer.got)
    assert len(rig.fake.peers[db]) == 1
    rig.fake.on_cancel = None
    a.quit(), b.quit()


def test_D3_cancel_strikes_a_statement_that_we_prepare_again(rig):
    """A Parse of ours on a new server belongs to the client's Bind: a cancel ends both, as one error; nothing is remembered as there."""
    db = name()
    slow = Slow(rig)
    parses = []

    def script(peer):
        peer.greet()
        known = set()
        failed = False
        while True:
            m = peer.recv()
            if m.type == "X":
                return
            if m.type == "S":
                failed = False
                peer.send(ready())
            elif failed:
                continue
            elif m.type == "P":
                parses.append(m.body)
                failed = len(parses) == 2 and slow.run("parse", 20)
                peer.send(error("57014", "canceling statement due to user request") if failed else msg("1"))
                if not failed:
                    known.add(m.body.split(b"\0")[0])
            elif m.type == "B":
                failed = m.body.split(b"\0")[1] not in known
                peer.send(error("26000", "no such statement") if failed else msg("2"))
            elif m.type == "E":
                peer.send(complete("SELECT 0"))
            elif m.type == "Q":
                peer.send(complete("SELECT 0"), ready())

    rig.fake.scripts[db] = script
    c = Client(rig.pooler.addr, "app", db, timeout=20)
    assert c.run(parse("SELECT 1", "mine"), sync()).types == "1Z"
    assert c.run(bind(stmt="mine") + execute() + sync()).types == "2CZ"
    rig.fake.newest(db).sock.shutdown(socket.SHUT_RDWR)
    assert rig.fake.peers[db][0].is_gone.wait(5)
    time.sleep(0.2)
    c.send(bind(stmt="mine") + execute() + sync())
    assert slow.begun.wait(10)
    send_cancel(rig.pooler.addr, c.pid, c.key)
    r = c.result()
    assert r.error["C"] == "57014" and r.types == "EZ", r.msgs
    assert c.run(bind(stmt="mine") + execute() + sync()).types == "2CZ"
    assert len(parses) == 3 and len(set(parses)) == 1
    assert slow.struck == ["parse"]
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
