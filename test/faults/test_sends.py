"""One send per direction and turn of the loop, however many messages of it were rewritten: counted by the kernel at the other end."""

import socket
import struct

import pytest

from fakepg import complete, data_row, msg, ready
from harness import wire
from harness.wire import Client, bind, execute, parse, sync

ROUNDS = 50


def segments(sock):
    """Segments with data that this socket has received: on loopback one for each send of less than 64 KiB."""
    return struct.unpack_from("=I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), 152)[0]


def script(peer):
    """Answers a batch at its Sync, all at once."""
    peer.greet()
    out = b""
    while True:
        m = peer.recv()
        if m.type == "X":
            return
        if m.type == "S":
            peer.send(out + ready())
            out = b""
        elif m.type == "Q":
            peer.send(complete("SET") + ready())
        else:
            out += {"P": msg("1"), "B": msg("2"), "C": msg("3"), "E": data_row("x") + complete("SELECT 1")}[m.type]


@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
@pytest.mark.parametrize("depth", [1, 20])
def test_one_send_per_direction_and_turn(rig, depth, named):
    db = f"sends{depth}{named}"
    rig.fake.scripts[db] = script
    c = Client(rig.pooler.addr, "app", db, timeout=20)
    name = "mine" if named else ""
    c.run(parse("SELECT 1", name), sync())
    one = (b"" if named else parse("SELECT 1")) + bind(stmt=name) + execute()
    batch = one * depth + sync()
    c.run(batch)
    peer = rig.fake.newest(db)
    before = segments(peer.sock), segments(c.sock)
    for _ in range(ROUNDS):
        r = c.run(batch)
        assert r.error is None and len(r.rows) == depth
    there, here = segments(peer.sock) - before[0], segments(c.sock) - before[1]
    print(f"{db}: {there / ROUNDS} sends to the server, {here / ROUNDS} to the client for each batch of {depth}")
    assert ROUNDS <= there < ROUNDS * 1.2 and ROUNDS <= here < ROUNDS * 1.2, (there, here)
    c.quit()


def test_one_send_when_the_server_has_to_be_told_first(rig):
    """Statements that the server lacks: their Parse go out with the Bind that need them."""
    db = "sendsfirst"
    rig.fake.scripts[db] = script
    c = Client(rig.pooler.addr, "app", db, timeout=20)
    for i in range(20):
        c.run(parse(f"SELECT {i}", f"s{i}"), sync())
    rig.fake.newest(db).sock.shutdown(socket.SHUT_RDWR)
    assert rig.fake.peers[db][0].is_gone.wait(5)
    assert c.ask("SET x = 1").error is None
    peer = rig.fake.newest(db)
    before = segments(peer.sock), segments(c.sock)
    r = c.run(*(bind(stmt=f"s{i}") + execute() for i in range(20)), sync())
    assert len(r.rows) == 20 and [m.type for m in peer.got].count("P") == 20, wire.describe_msgs(r.msgs)
    assert segments(peer.sock) - before[0] <= 2 and segments(c.sock) - before[1] == 1
    c.quit()
