"""A cancel that comes too late for the client's RESET: what we say behind it, to set the client's startup values, is not hit."""

import itertools
import threading

import pytest

from fakepg import complete, error, ready
from harness import wire
from harness.wire import Client, bind, execute, parse, q, sync

CONF = dict(databases=dict({"*": ""}, **{f"{mode}{i}": f"pool_mode={mode}" for i in range(40) for mode in ("session", "statement")}),
            cancel_wait_timeout="3s")
RESETS = {"DISCARD ALL": "DISCARD ALL", "RESET ALL": "RESET", "RESET work_mem": "RESET", "SET work_mem TO DEFAULT": "SET",
          "SET LOCAL work_mem TO DEFAULT": "SET"}
serial = itertools.count()


class Late:
    """A script: what resets is done when a cancel request has come, and is not hit by it; whatever begins before that one's
    connection is closed is hit. let_go() closes it."""

    def __init__(self, rig):
        self.rig = rig
        self.came, self.over = threading.Event(), threading.Event()
        self.struck = []
        self.is_open = False
        rig.fake.cancels.clear()
        rig.fake.on_cancel = self.on_cancel

    def on_cancel(self):
        self.is_open = True
        self.came.set()
        self.over.wait(20)
        self.is_open = False

    def let_go(self):
        self.over.set()

    def on_query(self, peer, sql):
        word = sql.split(" ")[0].strip(";")
        is_reset = sql in RESETS
        if is_reset:
            assert self.came.wait(20), "no cancel came"
        elif self.is_open:
            self.struck.append(sql)
        if self.is_open and not is_reset:
            peer.send(error("57014", "canceling statement due to user request"))
            if peer.status == "T":
                peer.status = "E"
        elif is_reset:
            peer.send(complete(RESETS[sql]))
        elif word in ("SET", "RESET"):
            peer.send(complete(word))
        else:
            return False
        if peer.got[-1].type == "Q":
            peer.send(ready(peer.status))
        return True

    def script(self, peer):
        peer.greet()
        peer.serve(self.on_query)

    def said(self, db):
        """What the one server of this database was told by Query or Parse."""
        (peer,) = self.rig.fake.peers[db]
        texts = [m.body.split(b"\0") for m in peer.got if m.type in "QP"]
        return [(t[0] or t[1]).decode() for t in texts]


def extended(sql):
    return parse(sql) + bind() + execute() + sync()


def name(mode="transaction"):
    return f"{mode}{next(serial)}"


def client(rig, db, late, **params):
    rig.fake.scripts[db] = late.script
    return Client(rig.pooler.addr, "app", db, params=dict({"work_mem": "5MB"}, **params), timeout=20)


def cancel(rig, c):
    s = wire.connect(rig.pooler.addr)
    s.sendall(wire.cancel(c.pid, c.key))
    return s


@pytest.mark.parametrize("reset", [r for r in RESETS if "LOCAL" not in r])
@pytest.mark.parametrize("how", [q, extended], ids=["simple", "extended"])
@pytest.mark.parametrize("mode", ["transaction", "statement", "session"])
def test_what_comes_behind_a_reset_waits_for_the_cancel(rig, mode, how, reset):
    """Answered and done; the next request is not sent before the cancel is over, and then behind the client's own value."""
    db, late = name(mode), Late(rig)
    c = client(rig, db, late)
    assert c.value("SELECT before") == "before"
    c.send(how(reset))
    s = cancel(rig, c)
    r = c.result()
    assert r.error is None and r.status == "I" and r.tags == [RESETS[reset]], r.msgs
    c.send(how("SELECT after"), how("SELECT more"))
    assert c.silent(0.1) and late.said(db)[-1] == reset
    late.let_go()
    assert c.result().rows == [("after",)] and c.result().rows == [("more",)]
    said = late.said(db)
    assert said[said.index(reset) + 1:] == ["SET \"work_mem\"=E'5MB';", "SELECT after", "SELECT more"]
    assert late.struck == [] and s.recv(1) == b""
    assert c.value("SELECT last") == "last" and late.said(db)[-2:] == ["SELECT more", "SELECT last"]
    rig.fake.on_cancel = None
    c.quit()


@pytest.mark.parametrize("reset", [r for r in RESETS if not r.startswith("DISCARD")])
@pytest.mark.parametrize("how", [q, extended], ids=["simple", "extended"])
def test_in_a_transaction_block_nothing_fails(rig, how, reset):
    """What we say there could not be repeated: the block would have failed."""
    db, late = name(), Late(rig)
    c = client(rig, db, late)
    assert c.run(q("BEGIN")).status == "T"
    c.send(how(reset))
    s = cancel(rig, c)
    assert c.result().status == "T"
    c.send(how("SELECT after"))
    assert c.silent(0.1)
    late.let_go()
    r = c.result()
    assert r.rows == [("after",)] and r.status == "T"
    assert c.run(q("COMMIT")).status == "I" and c.value("SELECT last") == "last"
    said = [t for t in late.said(db)[late.said(db).index(reset) + 1:] if not t.startswith("SELECT")]
    assert said == [f"SET {'LOCAL ' if 'LOCAL' in reset else ''}\"work_mem\"=E'5MB';", "COMMIT"]
    assert late.struck == [] and s.recv(1) == b""
    rig.fake.on_cancel = None
    c.quit()


@pytest.mark.parametrize("waits", [False, True], ids=["idle", "with-a-request"])
@pytest.mark.parametrize("begin", [False, True], ids=["outside", "in-a-block"])
def test_a_client_that_leaves_meanwhile(rig, begin, waits):
    """The next one gets the server with its own value, and after the cancel only."""
    db, late = name(), Late(rig)
    c, other = client(rig, db, late), client(rig, db, late, work_mem="7MB")
    assert other.value("SELECT other") == "other" and c.value("SELECT c") == "c"
    if begin:
        assert c.run(q("BEGIN")).status == "T"
    c.send(q("RESET work_mem"))
    s = cancel(rig, c)
    assert c.result().error is None
    if waits:
        c.send(q("SELECT never"))
        assert c.silent(0.1)
    c.close()
    other.send(q("SELECT next"))
    assert other.silent(0.1)
    late.let_go()
    assert other.result().rows == [("next",)]
    said = late.said(db)[late.said(db).index("RESET work_mem") + 1:]
    assert "SELECT never" not in said and said[-2:] == ["SET \"work_mem\"=E'7MB';", "SELECT next"], said
    assert late.struck == [] and s.recv(1) == b""
    rig.fake.on_cancel = None
    other.quit()


def test_a_cancel_that_does_not_end(rig):
    """It is given up after cancel_wait_timeout: the client goes on then, and on a server that the cancel does not know."""
    db, late = name(), Late(rig)
    c = client(rig, db, late)
    c.send(q("RESET work_mem"))
    s = cancel(rig, c)
    assert c.result().error is None
    c.send(q("SELECT after"))
    assert c.silent(0.1)
    late.is_open = False           # both servers are one script
    assert s.recv(1) == b""        # given up
    assert c.result().rows == [("after",)]
    assert len(rig.fake.peers[db]) == 2
    late.let_go()
    rig.fake.on_cancel = None
    c.quit()
