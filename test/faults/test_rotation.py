"""Two valid passwords towards a server: the second is tried once, the one that works is remembered, and nobody is locked out."""

import threading

import pytest

from fakepg import auth, error
from harness.wire import Client, PgError

SALT = b"0123456789abcdef"

CONF = {
    "databases": {"one": "user=single", "*": "user=double"},
    "userlist": {"app": "pw-app", "double": ("pw-1", "pw-2"), "single": "pw-1", "admin": "x", "stats": "x"},
    "server_login_retry": "100ms",
}


class Judge:
    """A server that takes some passwords; notes what was tried, and how many connections there were at a time."""

    def __init__(self, rig, database, takes, how="password", code="28P01"):
        self.takes, self.how, self.code = set(takes), how, code
        self.tried, self.now, self.most = [], 0, 0
        self.lock = threading.Lock()
        rig.fake.scripts[database] = self.script

    def script(self, peer):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            self.judge(peer)
        finally:
            with self.lock:
                self.now -= 1

    def judge(self, peer):
        if self.how == "scram":
            given = self.by_scram(peer)
        else:
            peer.send(auth(3))
            given = peer.recv().body.rstrip(b"\0").decode()
        self.tried.append(given)
        if given not in self.takes:
            peer.send(error(self.code, 'password authentication failed for user "double"', "FATAL"))
            return
        peer.greet()
        peer.serve()

    def by_scram(self, peer):
        """Takes whichever of ours it is; the exchange is finished for the right one only."""
        password = sorted(self.takes)[0] if self.takes else "pw-0"
        real = peer.send
        held = []

        def hold(*parts):
            # the final message is not for somebody whose proof is wrong
            (held if parts[0][5:9] == b"\0\0\0\x0c" else []).append(parts)
            if parts[0][5:9] != b"\0\0\0\x0c":
                real(*parts)

        peer.send = hold
        peer.scram(password, salt=SALT)
        peer.send = real
        if not peer.proof_is_right:
            return "wrong"
        real(*held[0])
        return password


def ask(rig, database, user="app"):
    c = Client(rig.pooler.addr, user, database)
    value = c.value("SELECT in")
    c.quit()
    return value


def reconnect(rig, database, judge):
    rig.pooler.console("RECONNECT " + database)
    for p in rig.fake.peers[database]:
        assert p.is_gone.wait(10)
    judge.tried.clear()


def test_the_first_works(rig):
    j = Judge(rig, "first", ["pw-1"])
    assert ask(rig, "first") == "in"
    assert j.tried == ["pw-1"]


def test_the_second_works_and_is_remembered(rig):
    j = Judge(rig, "second", ["pw-2"])
    assert ask(rig, "second") == "in"
    assert j.tried == ["pw-1", "pw-2"] and j.most == 1, "the refused connection still held its slot"
    assert rig.pooler.log_has('server does not take one of two passwords of user "double"')
    reconnect(rig, "second", j)
    assert ask(rig, "second") == "in"
    assert j.tried == ["pw-2"], "the one that works comes first"
    # the other way round again, also after a reload of the same configuration
    j.takes = {"pw-1"}
    rig.pooler.reload()
    reconnect(rig, "second", j)
    assert ask(rig, "second") == "in"
    assert j.tried == ["pw-2", "pw-1"]


def test_neither_works(rig):
    j = Judge(rig, "neither", [])
    with pytest.raises(PgError) as e:
        ask(rig, "neither")
    assert e.value.code == "28P01" and "password authentication failed" in e.value.text
    # two for each connection, and no more connections than server_login_retry permits
    assert j.tried[:2] == ["pw-1", "pw-2"]
    assert len(j.tried) == len(rig.fake.peers["neither"])
    assert j.most == 1


def test_another_refusal_is_no_question_of_passwords(rig):
    j = Judge(rig, "expired", [], code="28000")
    with pytest.raises(PgError) as e:
        ask(rig, "expired")
    assert e.value.code == "28000"
    assert set(j.tried) == {"pw-1"}


def test_one_password_is_tried_once(rig):
    j = Judge(rig, "one", [])
    with pytest.raises(PgError):
        ask(rig, "one")
    assert set(j.tried) == {"pw-1"}


def test_scram(rig):
    j = Judge(rig, "scram", ["pw-2"], how="scram")
    assert ask(rig, "scram") == "in"
    assert j.tried == ["wrong", "pw-2"]


def test_the_pooler_is_not_played_with(rig):
    """A server that refuses one and then asks for nothing at all has not taken the other."""
    def script(peer):
        if len(rig.fake.peers["fickle"]) == 1:
            peer.send(auth(3))
            peer.recv()
            peer.send(error("28P01", "no", "FATAL"))
            return
        peer.greet()
        peer.serve()

    rig.fake.scripts["fickle"] = script
    assert ask(rig, "fickle") == "in"
    assert len(rig.fake.peers["fickle"]) == 2
