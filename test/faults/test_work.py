"""A hostile server after the login: idle, in a transaction, and in the middle of an answer (V-B01 … V-B16).

What a client gets is always whole messages, then an error or the end; never a byte that came after the offence.
"""

import struct
import threading
import time

import pytest

from fakepg import (POISON, complete, data_row, error, fatal, notice, parameter, ready, row_description)
from harness.wire import Client, Closed, PgError, Timeout, bind, cstr, describe, execute, fields, msg, parse, q, sync

AFTER = data_row(POISON) + complete("SELECT 1") + ready()


def header(kind, size):
    return kind.encode() + struct.pack("!I", size & 0xFFFFFFFF)


def drain(c, seconds=5):
    """All that comes until the end of the connection or silence; and how it ended."""
    out = []
    c.sock.settimeout(seconds)
    try:
        while True:
            m = c.recv()
            out.append(m)
            assert POISON not in m.body, f"a foreign message: {m}"
            if m.type == "Z":
                return out, "ready"
    except Closed as e:
        assert "half" not in str(e), f"torn: {out} {e}"
        return out, "closed"
    finally:
        c.sock.settimeout(c.timeout)


# ---- idle ----

IDLE_ENDS = {
    "z": ready(),
    "z_twice": ready() + ready(),
    "z_bad": ready("x"),
    "z_4": msg("Z"),
    "row": data_row("x"),
    "description": row_description("x"),
    "complete": complete("SELECT 1"),
    "copy_in": msg("G", b"\0\0\0"), "copy_out": msg("H", b"\0\0\0"), "copy_both": msg("W", b"\0\0\0"),
    "copy_data": msg("d", b"x"), "copy_done": msg("c"),
    "parse_complete": msg("1"), "bind_complete": msg("2"), "close_complete": msg("3"), "suspended": msg("s"),
    "auth": msg("R", b"\0\0\0\0"), "key": msg("K", b"12345678"),
    "fatal": fatal(), "fatal_57p02": fatal("57P02", "crash of another server process"),
    "error": error("XX000", "an error for nobody"),
    "error_no_fields": msg("E", b"\0"), "error_empty": msg("E"), "error_1m": error("XX000", "M" * 1000000),
    "length_3": header("N", 3), "length_0": header("N", 0), "length_negative": header("N", -1),
    "length_huge": header("N", 0x7FFFFFFF),
    "s_no_nul": msg("S", b"abc"), "s_empty": msg("S"),
    "http": b"HTTP/1.1 200 OK\r\n\r\n",
}
IDLE_HALVES = {
    "header_1": b"N", "header_4": notice("x")[:4], "header_5": notice("x")[:5], "half_notice": notice("half")[:-5],
    "fatal_half": fatal()[:-3], "half_parameter": parameter("a", "b")[:-1],
}
IDLE_STAYS = {
    "notice": notice("for nobody"),
    "notification": msg("A", struct.pack("!I", 7) + b"channel\0POISON\0"),
    "parameter": parameter("client_encoding", "LATIN1"),
    "notices": notice("n" * 1000) * 1000,
    "notice_1m": notice("n" * 1000000),
}


def hang_up(peer):
    try:
        peer.sock.shutdown(2)
    except OSError:
        pass


@pytest.mark.parametrize("name", {**IDLE_ENDS, **IDLE_STAYS})
@pytest.mark.parametrize("then", ["stay", "go"])
def test_idle(rig, name, then):
    data = {**IDLE_ENDS, **IDLE_STAYS}[name]
    db = f"idle_{name}_{then}"
    c = Client(rig.pooler.addr, "app", db)
    assert c.value("SELECT first") == "first"
    peer = rig.fake.newest(db)
    peer.send(data)
    if then == "go":
        hang_up(peer)
    assert c.silent(0.05), "an idle client was told what an idle server said"
    for i in range(3):
        r = c.ask(f"SELECT next-{i}")
        assert r.error is None and r.types == "TDCZ" and r.value == f"next-{i}", r.msgs
    if name in IDLE_STAYS and then == "stay":
        assert len(rig.fake.peers[db]) == 1, "a server that did no wrong was left"
    c.quit()


@pytest.mark.parametrize("name", IDLE_HALVES)
def test_idle_half_and_gone(rig, name):
    c = Client(rig.pooler.addr, "app", "gone_" + name)
    assert c.value("SELECT first") == "first"
    peer = rig.fake.newest("gone_" + name)
    peer.send(IDLE_HALVES[name])
    time.sleep(0.02)
    hang_up(peer)
    assert c.silent(0.05)
    assert c.value("SELECT next") == "next"
    c.quit()


@pytest.mark.parametrize("cut", [1, 4, 5, 6, -1])
@pytest.mark.parametrize("name", ["notice", "parameter"])
def test_idle_half_and_rest(rig, name, cut):
    """A server is taken while half a message of its own has come: the rest is not taken for a part of the answer."""
    piece = {"notice": notice("POISON"), "parameter": parameter("some_name", "POISON")}[name]
    db = f"rest_{name}_{cut}"

    def on_query(peer, sql):
        if sql == "SELECT second":
            peer.send(piece[cut:])
        return False

    def script(peer):
        peer.greet()
        peer.serve(on_query)

    rig.fake.scripts[db] = script
    c = Client(rig.pooler.addr, "app", db)
    assert c.value("SELECT first") == "first"
    rig.fake.newest(db).send(piece[:cut])
    time.sleep(0.02)
    r = c.ask("SELECT second")
    # one whose header was seen while nobody rode is nobody's; before that nobody can know
    want = ["TDCZ"] if cut < 0 or cut > 4 else ["TDCZ", {"notice": "N", "parameter": "S"}[name] + "TDCZ"]
    assert r.types in want and r.value == "second", r.msgs
    c.quit()


def test_idle_every_type(rig):
    c = Client(rig.pooler.addr, "app", "idle_types")
    for t in range(256):
        assert c.value(f"SELECT before-{t}") == f"before-{t}"
        n = len(rig.fake.peers["idle_types"])
        rig.fake.newest("idle_types").send(msg(bytes([t]), b"abc\0def\0"))
        time.sleep(0.002)
        assert c.value(f"SELECT after-{t}") == f"after-{t}"
        grew = len(rig.fake.peers["idle_types"]) > n
        assert grew == (bytes([t]) not in b"NSAE"), (t, grew)
    c.quit()


@pytest.mark.parametrize("name,piece", [("notice", notice("n" * 100)), ("notification", msg("A", b"\0\0\0\1ch\0x\0")),
                                        ("parameter", parameter("some_name", "some value"))])
def test_idle_flood(rig, name, piece):
    """Ten megabytes at idle: no growth, and the worker's other clients are served (V-B14)."""
    db = "flood_" + name
    c = Client(rig.pooler.addr, "app", db)
    assert c.value("SELECT a") == "a"
    peer = rig.fake.newest(db)
    block = piece * (65536 // len(piece))
    peer.send(block * 16)
    assert c.value("SELECT b") == "b"
    before = rig.pooler.rss_kb()
    for _ in range(10):
        peer.send(block * 16)
    assert c.value("SELECT c") == "c"
    grown = rig.pooler.rss_kb() - before
    assert grown < 8192, f"{grown} kB more"
    assert len(rig.pooler.log_text()) < 4000000, "a peer fills the log"
    c.quit()


def test_parameter_names_flood(rig):
    """A hundred thousand names: what is kept is bounded, in bytes and in time (V-B03)."""
    c = Client(rig.pooler.addr, "app", "names")
    assert c.value("SELECT a") == "a"
    peer = rig.fake.newest("names")
    flood = b"".join(parameter(f"name_{i}", "v") for i in range(100000))
    peer.send(flood)
    assert c.value("SELECT b") == "b"
    before, cpu, log = rig.pooler.rss_kb(), rig.pooler.cpu(), len(rig.pooler.log_text())
    peer.send(flood)
    assert c.value("SELECT c") == "c"
    assert rig.pooler.rss_kb() - before < 8192
    assert rig.pooler.cpu() - cpu < 20
    assert len(rig.pooler.log_text()) - log < 100000, "a peer fills the log"
    c.quit()


# ---- linked, nothing owed ----

@pytest.mark.parametrize("name", {**IDLE_ENDS, **IDLE_HALVES})
def test_in_transaction(rig, name):
    """The client's transaction is gone: it is told so, or its connection ends."""
    db = "xact_" + name
    c = Client(rig.pooler.addr, "app", db)
    assert c.query("BEGIN").status == "T"
    peer = rig.fake.newest(db)
    peer.send({**IDLE_ENDS, **IDLE_HALVES}[name])
    time.sleep(0.03)        # it must be read before the client asks again
    if name in IDLE_HALVES or name == "length_huge":
        hang_up(peer)
    try:
        c.send(q("SELECT more"))
    except OSError:
        pass
    if name in ("half_notice", "header_5", "length_huge"):
        # the notice is the client's, and half of it has been passed on: nothing can be said after that
        with pytest.raises(Closed):
            while True:
                c.recv()
        return
    got, end = drain(c)
    errors = [fields(m.body) for m in got if m.type == "E"]
    if end == "ready":
        # an error that nobody asked for is passed on by nobody: the transaction stands
        assert name.startswith("error") and got[-1].body == b"T", got
    else:
        assert len(errors) == 1 and errors[0]["S"] == "FATAL" and len(errors[0]["C"]) == 5, got
        assert not [m for m in got if m.type == "D"], got
    c.close()
    f = Client(rig.pooler.addr, "app", db)
    assert f.value("SELECT follower") == "follower"
    f.quit()


# ---- in the middle of an answer ----

T1, D1 = row_description("text"), data_row("mine")
WORK = {
    "z_bad_status": (T1 + D1 + complete("SELECT 1"), ready("x")),
    "z_0_status": (T1 + D1 + complete("SELECT 1"), ready("\0")),
    "z_length_4": (T1 + D1, msg("Z")),
    "z_length_6": (T1 + D1, msg("Z", b"II")),
    "e_length_3": (T1, header("E", 3)),
    "d_length_0": (T1 + D1, header("D", 0)),
    "d_length_negative": (T1 + D1, header("D", -1)),
    "copy_both": (b"", msg("W", b"\0\0\0")),
    "complete_100k": (T1 + D1, msg("C", b"x" * 100000 + b"\0")),
    "auth": (T1 + D1, msg("R", b"\0\0\0\0")),
    "auth_99": (b"", msg("R", b"\0\0\0\x63")),
    "key": (T1 + D1, msg("K", b"12345678")),
    "negotiate": (T1, msg("v", b"\0\0\0\0\0\0\0\0")),
    "parse_complete": (T1 + D1, msg("1")),
    "bind_complete": (T1 + D1, msg("2")),
    "close_complete": (b"", msg("3")),
    "suspended": (T1 + D1, msg("s")),
    "no_data": (b"", msg("n")),
    "parameter_description": (b"", msg("t", b"\0\0")),
    "function_response": (b"", msg("V", b"\xff\xff\xff\xff")),
    "s_no_nul": (T1 + D1, msg("S", b"abc")),
    "s_three": (T1, msg("S", b"a\0b\0c\0")),
    "type_0": (T1 + D1, msg(b"\0", b"x")),
    "type_255": (T1 + D1, msg(b"\xff", b"x")),
    "frontend_q": (b"", q("SELECT 1")),
    "http": (b"", b"HTTP/1.1 500 Internal Server Error\r\n\r\n"),
}


def offend(rig, db, good, bad, cuts):
    """The server sends good + bad + AFTER, cut at the given places."""
    def on_query(peer, sql):
        if not sql.startswith("SELECT offend"):
            return False
        whole = good + bad + AFTER
        at = 0
        for cut in sorted(set(cuts)) + [len(whole)]:
            peer.send(whole[at:cut])
            at = cut
            if cut < len(whole):
                time.sleep(0.004)
        return True

    def script(peer):
        peer.greet()
        peer.serve(on_query)

    rig.fake.scripts[db] = script


def check_offence(rig, db, good, how):
    c = Client(rig.pooler.addr, "app", db)
    assert c.value("SELECT first") == "first"
    c.send(q("SELECT offend") if how == "simple" else parse("SELECT offend") + bind() + execute() + sync())
    got, end = drain(c)
    assert end == "closed", got
    assert got and got[-1].type == "E", f"no error: {got}"
    e = fields(got[-1].body)
    assert e["S"] == "FATAL" and len(e["C"]) == 5, e
    return got[:-1]


def split(data):
    out = []
    while data:
        n = 1 + struct.unpack_from("!I", data, 1)[0]
        out.append(data[:n])
        data = data[n:]
    return out


@pytest.mark.parametrize("name", WORK)
def test_offence(rig, name):
    """At once, byte by byte at the offence, and cut inside the message before: what came before it is forwarded whole."""
    good, bad = WORK[name]
    n = len(good)
    for i, cuts in enumerate(([], [n], [n + 1], [n + 4], [n + 5], [max(0, n - 3)], [max(0, n - 3), n + 2], range(n, n + 6))):
        db = f"work_{name}_{i}"
        offend(rig, db, good, bad, cuts)
        got = check_offence(rig, db, good, "simple")
        assert [msg(m.type, m.body) for m in got] == split(good)[:len(got)], f"cuts {list(cuts)}: {got}"
        f = Client(rig.pooler.addr, "app", db)
        assert f.value("SELECT follower") == "follower"
        f.quit()


@pytest.mark.parametrize("name,good,bad", [
    ("description", msg("1") + msg("2"), row_description("x")),
    ("parse_twice", msg("1"), msg("1")),
    ("swapped", b"", msg("2") + msg("1")),
    ("row_first", msg("1"), data_row("x")),
    ("ready_first", msg("1"), ready()),
    ("close", msg("1") + msg("2"), msg("3")),
    ("complete_twice", msg("1") + msg("2") + D1 + complete("SELECT 1"), complete("SELECT 1")),
    ("empty_twice", msg("1") + msg("2") + msg("I"), msg("I")),
])
def test_offence_extended(rig, name, good, bad):
    db = "ext_" + name
    offend(rig, db, good, bad, [])
    got = check_offence(rig, db, good, "extended")
    # what is wrong may only be seen at the second of two messages
    assert [msg(m.type, m.body) for m in got] == split(good + bad)[:len(got)], got


@pytest.mark.parametrize("name,data", [
    ("row_65535", T1 + msg("D", b"\xff\xff")), ("row_minus_2", T1 + msg("D", struct.pack("!Hi", 1, -2))),
    ("row_2_31", T1 + msg("D", struct.pack("!HI", 1, 0x80000000))), ("row_empty", T1 + msg("D")),
    ("description_65535", msg("T", b"\xff\xff")), ("description_empty", msg("T")),
    ("complete_no_nul", T1 + D1 + msg("C", b"SELECT 1")), ("complete_empty", T1 + msg("C")),
    ("error_no_fields", msg("E", b"\0")), ("error_empty", msg("E")), ("error_1m", error("22012", "M" * 1000000)),
    ("error_no_end", msg("E", b"SERROR\0C22012\0Mopen")), ("notice_empty", msg("N") + T1 + D1 + complete("SELECT 1")),
    ("notice_4m", notice("n" * 4000000) + T1 + D1 + complete("SELECT 1")),
    ("notification_short", msg("A") + T1 + D1 + complete("SELECT 1")),
    ("error_in_rows", T1 + D1 + error("22012", "late")), ("two_errors", error("22012", "one") + error("22012", "two")),
])
def test_not_ours_to_judge(rig, name, data):
    """The inside of a row is the client's affair: it gets what the server said, byte by byte, and the session goes on."""
    db = "inside_" + name

    def on_query(peer, sql):
        if sql != "SELECT inside":
            return False
        peer.send(data + ready())
        return True

    def script(peer):
        peer.greet()
        peer.serve(on_query)

    rig.fake.scripts[db] = script
    c = Client(rig.pooler.addr, "app", db)
    c.send(q("SELECT inside"))
    got, end = drain(c)
    assert end == "ready" and b"".join(msg(m.type, m.body) for m in got) == data + ready()
    assert c.value("SELECT after") == "after"
    assert len(rig.fake.peers[db]) == 1
    c.quit()


@pytest.mark.parametrize("then", ["complete", "error"])
def test_copy_in_not_asked_for(rig, then):
    """CopyInResponse to a SELECT: the client ends it as it likes; one that goes away leaves a clean server (V-B07)."""
    db = "copyin_" + then

    def on_query(peer, sql):
        if sql != "SELECT copy":
            return False
        peer.send(msg("G", b"\0\0\0"))
        m = peer.recv()
        while m.type not in "cf":
            m = peer.recv()
        peer.send(error("57014", "COPY failed") if m.type == "f" else complete("COPY 0"), ready())
        return True

    def script(peer):
        peer.greet()
        peer.serve(on_query)

    rig.fake.scripts[db] = script
    c = Client(rig.pooler.addr, "app", db)
    c.send(q("SELECT copy"))
    assert c.recv().type == "G"
    if then == "error":
        c.close()
    else:
        c.send(msg("c"))
        got, end = drain(c)
        assert [m.type for m in got] == ["C", "Z"]
        c.quit()
    f = Client(rig.pooler.addr, "app", db)
    assert f.value("SELECT follower") == "follower"
    f.quit()


@pytest.mark.parametrize("when", ["before", "description", "row", "half_row", "complete", "half_header", "half_ready"])
@pytest.mark.parametrize("how", ["fatal", "eof", "fatal_eof"])
def test_farewell(rig, when, how):
    """57P01 or the end in every phase of an answer (V-B15, V-B09)."""
    db = f"farewell_{when}_{how}"
    prefix = {"before": b"", "description": T1, "row": T1 + D1, "half_row": T1 + D1[:-2], "complete": T1 + D1 + complete("SELECT 1"),
              "half_header": T1 + D1 + b"C\0\0", "half_ready": T1 + D1 + complete("SELECT 1") + ready()[:-1]}[when]
    def on_query(peer, sql):
        if sql != "SELECT bye":
            return False
        peer.send(prefix)
        time.sleep(0.01)
        if how != "eof" and not when.startswith("half"):
            peer.send(fatal())
        if how != "fatal" or when.startswith("half"):
            raise Closed()
        peer.linger(2)
        raise Closed()

    def script(peer):
        peer.greet()
        peer.serve(on_query)

    rig.fake.scripts[db] = script
    c = Client(rig.pooler.addr, "app", db)
    assert c.value("SELECT first") == "first"
    c.send(q("SELECT bye"))
    out, torn = [], False
    try:
        while True:
            out.append(c.recv())
            if out[-1].type == "Z":
                break
    except Closed as e:
        torn = "half" in str(e)
    raw = b"".join(msg(m.type, m.body) for m in out)
    if when == "half_row":
        assert torn, "half a row was completed by something"
    else:
        assert not torn, out
        errors = [m for m in out if m.type == "E"]
        assert len(errors) == 1, out
        whole = b"".join(split_whole(prefix))
        assert raw.startswith(whole), (raw, whole)
    c.close()
    f = Client(rig.pooler.addr, "app", db)
    assert f.value("SELECT follower") == "follower"
    f.quit()


def split_whole(data):
    out = []
    while len(data) >= 5:
        n = 1 + struct.unpack_from("!I", data, 1)[0]
        if len(data) < n:
            break
        out.append(data[:n])
        data = data[n:]
    return out


def test_fatal_between_cancel_and_reply(rig):
    db = "cancelled"
    begun = threading.Event()

    def on_query(peer, sql):
        if sql != "SELECT slow":
            return False
        begun.set()
        peer.linger(10)
        return True

    def script(peer):
        rig.fake.on_cancel = lambda: peer.send(fatal())
        peer.greet()
        peer.serve(on_query)

    rig.fake.scripts[db] = script
    c = Client(rig.pooler.addr, "app", db)
    c.send(q("SELECT slow"))
    assert begun.wait(10)
    c.cancel()
    got, end = drain(c)
    rig.fake.on_cancel = None
    assert [m.type for m in got if m.type == "E"] == ["E"], got
    assert fields(got[0].body)["C"] == "57P01"
    c.close()
    rig.fake.scripts.pop(db)
    f = Client(rig.pooler.addr, "app", db)
    assert f.value("SELECT follower") == "follower"
    f.quit()


def test_big_row_declared_and_never_sent(rig):
    """Two gigabytes are declared: nothing is sized by that (V-B05)."""
    db = "declared"

    def on_query(peer, sql):
        if sql != "SELECT big":
            return False
        peer.send(T1 + header("D", 0x7FFFFF00) + b"x" * 100000)
        time.sleep(0.2)
        raise Closed()

    def script(peer):
        peer.greet()
        peer.serve(on_query)

    rig.fake.scripts[db] = script
    before = rig.pooler.rss_kb()
    c = Client(rig.pooler.addr, "app", db)
    c.send(q("SELECT big"))
    with pytest.raises(Closed):
        while True:
            c.recv()
    assert rig.pooler.rss_kb() - before < 8192
    c.close()


def test_client_that_does_not_read(rig):
    """A server that sends without end to a client that does not read: the pooler stops reading, memory is bounded."""
    db = "endless"

    def on_query(peer, sql):
        if sql != "SELECT endless":
            return False
        row = data_row("x" * 8000) * 16
        peer.send(T1)
        peer.sock.settimeout(3)
        for _ in range(2000):
            peer.send(row)
        return True

    def script(peer):
        peer.greet()
        peer.serve(on_query)

    rig.fake.scripts[db] = script
    before = rig.pooler.rss_kb()
    c = Client(rig.pooler.addr, "app", db)
    c.send(q("SELECT endless"))
    time.sleep(1.5)
    grown = rig.pooler.rss_kb() - before
    c.close()
    assert grown < 16384, f"{grown} kB more"
