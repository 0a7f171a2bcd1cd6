"""auth_query against servers that do not answer as they should: nobody gets in, nobody else is held up."""

import struct
import threading

import pytest

from fakepg import complete, data_row, error, fatal, notice, parameter, ready, row_description
from harness.wire import Client, Closed, Conn, PgError, msg, startup, wait_until

# trust: whoever is found is in
CONF = {"auth_user": "asker", "auth_query": "SELECT n, s FROM users WHERE n = $1", "auth_query_ttl": "1h", "client_login_timeout": "3s",
        "server_login_retry": "100ms"}
HEAD = msg("1") + msg("2") + row_description("n", "s")
NULL = struct.pack("!i", -1)


def rows(*values):
    return HEAD + b"".join(data_row(*v) for v in values) + complete(f"SELECT {len(values)}") + ready()


class Oracle:
    """The server of a database: asker's connections are answered with `reply`, all others are well-behaved."""

    def __init__(self, rig, database, reply, pieces=None, end=False):
        self.reply, self.pieces, self.end = reply, pieces, end
        self.asked, self.said, self.params = 0, [], []
        self.silent = threading.Event()
        rig.fake.scripts[database] = self.script

    def script(self, peer):
        if peer.params["user"] != "asker":
            peer.greet()
            peer.serve()
            return
        self.params.append(dict(peer.params))
        peer.greet()
        while True:
            m = peer.recv()
            self.said.append((m.type, m.body))
            if m.type == "X":
                return
            if m.type == "Q":
                peer.send(complete("DISCARD ALL") + ready())
            elif m.type == "S":
                self.asked += 1
                if not self.speak(peer):
                    return

    def speak(self, peer):
        out = self.reply(peer) if callable(self.reply) else self.reply
        if out is None:
            self.silent.set()
            return True
        for i in range(0, len(out), self.pieces or len(out) or 1):
            peer.send(out[i:i + (self.pieces or len(out))])
        return not self.end


def enters(rig, database, user="joe"):
    c = Client(rig.pooler.addr, user, database)
    assert c.value("SELECT mine") == "mine"
    c.quit()


def refused(rig, database, code, user="joe"):
    with pytest.raises(PgError) as e:
        enters(rig, database, user)
    assert e.value.code == code, e.value
    return e.value


def test_what_is_said_to_the_server(rig):
    o = Oracle(rig, "said", rows(("joe", "x")))
    c = Client(rig.pooler.addr, "joe", "said", params={"search_path": "evil", "application_name": "me", "options": "-c work_mem=1GB"})
    c.quit()
    assert o.params == [{"user": "asker", "database": "said", "search_path": "pg_catalog"}]
    wait_until(lambda: "Q" in [t for t, _ in o.said], what="the reset")
    assert [t for t, _ in o.said] == ["P", "B", "D", "E", "S", "Q"]
    assert b"$1" in o.said[0][1] and b"joe" not in o.said[0][1] and b"joe" in o.said[1][1]
    assert o.said[5][1] == b"DISCARD ALL\0"


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_in_pieces(rig, pieces):
    Oracle(rig, f"pieces{pieces}", notice("slow") + rows(("joe", "x")), pieces=pieces)
    enters(rig, f"pieces{pieces}")


def test_parameters_and_notices_in_between(rig):
    Oracle(rig, "between", msg("1") + notice("a") + msg("2") + row_description("n", "s") + parameter("TimeZone", "Mars") + data_row("joe", "x") +
           notice("b") + complete("SELECT 1") + ready())
    enters(rig, "between")


@pytest.mark.parametrize("cut", [0, 3, 5, 10, 20, 50, len(rows(("joe", "x"))) - 1])
def test_dies_in_the_middle(rig, cut):
    Oracle(rig, f"dies{cut}", rows(("joe", "x"))[:cut], end=True)
    e = refused(rig, f"dies{cut}", "08006")
    assert "authentication is not possible now" in e.text
    assert rig.pooler.log_has(f'dies{cut}/asker the secret of user "joe" could not be looked up')


def test_says_farewell_instead(rig):
    Oracle(rig, "farewell", fatal(), end=True)
    refused(rig, "farewell", "08006")


ODD = {
    "null name": (HEAD + msg("D", struct.pack("!H", 2) + NULL + struct.pack("!i", 1) + b"x") + complete("SELECT 1") + ready(), "58000"),
    "one column": (msg("1") + msg("2") + row_description("n") + data_row("joe") + complete("SELECT 1") + ready(), "58000"),
    "a row of three": (HEAD + data_row("joe", "x", "y") + complete("SELECT 1") + ready(), "58000"),
    "two rows": (rows(("joe", "x"), ("joe", "y")), "58000"),
    "two descriptions": (HEAD + row_description("n", "s") + data_row("joe", "x") + complete("SELECT 1") + ready(), None),
    "a cell beyond its row": (HEAD + msg("D", struct.pack("!H", 2) + struct.pack("!i", 3) + b"joe" + struct.pack("!i", 1000) + b"x") +
                              complete("SELECT 1") + ready(), "58000"),
    "bytes behind a row": (HEAD + data_row("joe", "x")[:1] + struct.pack("!I", len(data_row("joe", "x")) + 3) + data_row("joe", "x")[5:] + b"zzzz" +
                           complete("SELECT 1") + ready(), "58000"),
    "a NUL in the secret": (rows(("joe", b"x\0y")), "58000"),
    "a long secret": (rows(("joe", "x" * 3000)), "58000"),
    "a huge secret": (rows(("joe", "x" * 1000000)), "58000"),
    "no data": (msg("1") + msg("2") + msg("n") + complete("INSERT 0 1") + ready(), "58000"),
    "an error": (msg("1") + error("42P01", "no users here") + ready(), "58000"),
    "an open transaction": (HEAD + data_row("joe", "x") + complete("SELECT 1") + ready("T"), "58000"),
    "a failed one": (HEAD + data_row("joe", "x") + complete("SELECT 1") + ready("E"), "58000"),
    "bytes of no protocol": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "08006"),
    "a copy that nobody feeds": (msg("1") + msg("2") + msg("G", b"\0\0\0"), "08006"),
}


@pytest.mark.parametrize("pieces", [None, 3], ids=["whole", "pieces"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_answers(rig, odd, pieces):
    reply, code = ODD[odd]
    database = odd.replace(" ", "_") + str(pieces)
    if pieces and len(reply) > 10000:
        pieces = 1000
    Oracle(rig, database, reply, pieces=pieces)
    with pytest.raises((PgError, Closed)) as e:
        enters(rig, database)
    if code == "08006" and isinstance(e.value, PgError):
        # the time of the login may be over first
        assert e.value.code in ("08006", "08P01")
    elif code is not None:
        assert e.value.code == code
    assert rig.pooler.log_has(f'{database}/asker the secret of user "joe" could not be looked up')


def test_after_an_odd_answer_the_next_is_taken(rig):
    o = Oracle(rig, "learns", rows(("joe", "x"), ("joe", "y")))
    refused(rig, "learns", "58000")
    o.reply = rows(("joe", "x"))
    enters(rig, "learns")
    enters(rig, "learns")
    assert o.asked == 2


def test_silence_ends_with_the_login(rig):
    o = Oracle(rig, "silent", None)
    cs = []
    for _ in range(3):
        c = Conn(rig.pooler.addr)
        c.send(startup([("user", "joe"), ("database", "silent")]))
        cs.append(c)
    assert o.silent.wait(10)
    cs.pop().close()  # whoever was first to ask, or not
    for c in cs:
        m = c.until("E")[-1]
        assert m.type == "E" and (b"client_login_timeout" in m.body or b"08006" in m.body), m
        c.close()
    assert o.asked == 1
    wait_until(lambda: rig.pooler.show("AUTH_LOOKUPS")[0]["under_way"] == "0", what="the question is given up")
    o.reply = rows(("joe", "x"))
    # the connection that did not answer is cleaned or gone: a new question has its turn
    wait_until(lambda: came_in(rig, "silent"), 15, what="the way in")


def came_in(rig, database):
    try:
        enters(rig, database)
        return True
    except (PgError, Closed):
        return False


def test_whoever_leaves_does_not_matter(rig):
    gate = threading.Event()
    o = Oracle(rig, "leaves", lambda peer: rows(("joe", "x")) if gate.wait(10) else None)
    first = Conn(rig.pooler.addr)
    first.send(startup([("user", "joe"), ("database", "leaves")]))
    wait_until(lambda: o.asked == 1, what="the question")
    got = []
    t = threading.Thread(target=lambda: got.append(came_in(rig, "leaves")))
    t.start()
    wait_until(lambda: rig.pooler.show("AUTH_LOOKUPS")[0]["waiting"] == "2", what="a second that waits")
    first.close()
    gate.set()
    t.join(20)
    assert got == [True] and o.asked == 1
