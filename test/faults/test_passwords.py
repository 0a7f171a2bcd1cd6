"""Passwords for servers from files and programs: kept, asked for anew, refused, missing; and never in the log."""

import functools
import os
import stat
import threading
import time

import pytest

from fakepg import auth, error
from harness import scratch
from harness.wire import Client, Closed, PgError

CANARY = "canary-7Q"


@functools.cache
def folder():
    return scratch.folder()


def path(name):
    os.makedirs(folder(), mode=0o755, exist_ok=True)
    return os.path.join(folder(), name)


def write(name, text):
    with open(path(name) + ".new", "w") as f:
        f.write(text)
    os.chmod(path(name) + ".new", 0o644)
    os.rename(path(name) + ".new", path(name))


def wait_for(name, seconds=20):
    end = time.monotonic() + seconds
    while not os.path.exists(path(name)):
        assert time.monotonic() < end, name + " is not there"
        time.sleep(0.01)


def script(name, text):
    write(name, "#!/bin/sh\n" + text)
    os.chmod(path(name), stat.S_IRUSR | stat.S_IWUSR | stat.S_IXUSR | 0o055)
    return path(name)


class Case:
    """Databases whose server takes what is in takes; every password that was tried is noted."""

    def __init__(self, rig, databases, **conf):
        self.takes, self.tried = set(), []
        self.rig = rig
        self.lock = threading.Lock()
        self.databases = databases
        for name in databases:
            rig.fake.scripts[name] = self.serve

    def serve(self, peer):
        peer.send(auth(3))
        given = peer.recv().body.rstrip(b"\0").decode()
        with self.lock:
            self.tried.append(given)
        if given not in self.takes:
            peer.send(error("28P01", "not that one", "FATAL"))
            return
        peer.greet()
        peer.serve()


@pytest.fixture
def case(rig):
    """case(name=settings, ...): a pooler with these databases in front of the fake."""
    made = []

    def make(section=None, users=None, **databases):
        from harness import pooler as pooler_mod
        c = Case(rig, databases)
        conf = dict(rig.conf, databases=databases, users=users, server_login_retry="200ms", pool_size=5,
                    userlist={"app": "", "robot": "from-auth-file", "admin": "x", "stats": "x"})
        c.pooler = pooler_mod.Pooler(rig.fake, f"{scratch.folder()}/pw{len(made)}-{'-'.join(databases)}", **conf).start()
        made.append(c.pooler)
        return c

    yield make
    for p in made:
        assert CANARY not in p.log_text(), "a password is in the log"
        p.stop()


def ask(case, database):
    c = Client(case.pooler.addr, "app", database)
    value = c.value("SELECT in")
    c.quit()
    return value


def reconnect(case, database):
    case.pooler.console("RECONNECT " + database)
    for p in case.rig.fake.peers[database]:
        assert p.is_gone.wait(10)


def test_a_file_is_kept_and_read_again_when_the_server_refuses(case):
    write("f1", CANARY + "1\n")
    c = case(file1=f"user=robot password_file={path('f1')}")
    c.takes = {CANARY + "1"}
    assert ask(c, "file1") == "in"
    # not read: the old one still holds, and works
    write("f1", CANARY + "2")
    reconnect(c, "file1")
    assert ask(c, "file1") == "in"
    assert c.tried == [CANARY + "1"] * 2
    # refused: read, tried, and the client does not notice
    c.takes = {CANARY + "2"}
    reconnect(c, "file1")
    assert ask(c, "file1") == "in"
    assert c.tried == [CANARY + "1"] * 3 + [CANARY + "2"]
    assert c.pooler.log_has("trying the new password of user")


def test_ttl_and_reload(case):
    write("f2", CANARY + "1\r\n")
    c = case(ttl0=f"user=robot password_file={path('f2')} password_ttl=0", ttl300=f"user=robot password_file={path('f2')}")
    c.takes = {CANARY + "1", CANARY + "2"}
    assert ask(c, "ttl0") == ask(c, "ttl300") == "in"
    write("f2", CANARY + "2\r\n")
    for d in ("ttl0", "ttl300"):
        reconnect(c, d)
    c.tried.clear()
    assert ask(c, "ttl0") == "in"
    assert ask(c, "ttl300") == "in"
    assert c.tried == [CANARY + "2", CANARY + "1"]
    c.pooler.reload()
    reconnect(c, "ttl300")
    c.tried.clear()
    assert ask(c, "ttl300") == "in"
    assert c.tried == [CANARY + "2"]


def test_two_lines(case):
    write("f3", f"{CANARY}-new\n{CANARY}-old\n")
    c = case(lines=f"user=robot password_file={path('f3')}")
    c.takes = {CANARY + "-old"}
    assert ask(c, "lines") == "in"
    assert c.tried == [CANARY + "-new", CANARY + "-old"]
    c.tried.clear()
    reconnect(c, "lines")
    assert ask(c, "lines") == "in"
    assert c.tried == [CANARY + "-old"], "the one that works comes first"
    # both refused: never more than one extra try
    c.takes = set()
    c.tried.clear()
    reconnect(c, "lines")
    with pytest.raises(PgError) as e:
        ask(c, "lines")
    assert e.value.code == "28P01" and e.value.text == "not that one"
    assert c.tried[:2] == [CANARY + "-old", CANARY + "-new"]


def test_a_refused_password_that_stays_is_not_tried_again(case):
    write("f4", CANARY)
    c = case(same=f"user=robot password_file={path('f4')}")
    with pytest.raises(PgError) as e:
        ask(c, "same")
    assert e.value.code == "28P01" and e.value.text == "not that one"
    assert len(c.tried) == len(c.rig.fake.peers["same"])


@pytest.mark.parametrize("text,why", [(None, "cannot be read: No such file"), ("", "has no password in its first line"),
                                      ("\n" + CANARY, "has no password in its first line"), ("a\nb\n" + CANARY, "has more than two lines"),
                                      (CANARY + "\0x", "has a NUL byte in it"), (CANARY * 3000, "is too long"),
                                      ("SCRAM-SHA-256$" + CANARY, "has a malformed SCRAM secret in it")])
def test_files_that_are_wrong(case, text, why):
    name = "w%d" % len(why)
    if text is not None:
        write(name, text)
    elif os.path.exists(path(name)):
        os.unlink(path(name))
    c = case(wrong=f"user=robot password_file={path(name)}")
    with pytest.raises(PgError) as e:
        ask(c, "wrong")
    assert e.value.code == "08001" and e.value.text.startswith("no password for the server: password_file") and why in e.value.text
    assert c.pooler.log_has(why)
    assert c.tried == []
    # repaired: the next attempt finds it
    c.takes = {CANARY}
    write(name, CANARY)
    end = time.monotonic() + 20
    while True:
        try:
            assert ask(c, "wrong") == "in"
            return
        except PgError:     # server_login_retry
            assert time.monotonic() < end
            time.sleep(0.05)


def test_a_file_that_goes_leaves_what_was_known(case):
    write("f5", CANARY)
    c = case(gone=f"user=robot password_file={path('f5')} password_ttl=0")
    c.takes = {CANARY}
    assert ask(c, "gone") == "in"
    os.unlink(path("f5"))
    reconnect(c, "gone")
    assert ask(c, "gone") == "in"
    assert c.pooler.log_has("cannot be read: No such file")


def test_a_program(case):
    prog = script("p1", f'echo "$FYNIXPOOL_USER $FYNIXPOOL_DATABASE $FYNIXPOOL_HOST" "$@" >> {path("p1.ran")}\ncat {path("p1.pw")}\n')
    write("p1.pw", CANARY + "1")
    c = case(prog=f"user=robot password_command='{prog} one ''two words'' \"$HOME;id\"'")
    c.takes = {CANARY + "1"}
    assert ask(c, "prog") == "in"
    with open(path("p1.ran")) as f:
        assert f.read() == "robot prog 127.0.0.1 one two words $HOME;id\n"
    write("p1.pw", CANARY + "2")
    c.takes = {CANARY + "2"}
    reconnect(c, "prog")
    assert ask(c, "prog") == "in"
    with open(path("p1.ran")) as f:
        assert len(f.readlines()) == 2
    assert c.tried == [CANARY + "1", CANARY + "1", CANARY + "2"]


def test_a_program_runs_once_for_many(case):
    """Five connections at a time, one run; they wait for it and nobody else does."""
    prog = script("p2", f"echo x >> {path('p2.ran')}\nwhile [ ! -e {path('p2.go')} ]; do sleep 0.05; done\necho {CANARY}\n")
    c = case(many=f"user=robot password_command={prog}", other="")
    c.takes = {CANARY}
    c.rig.fake.scripts.pop("other", None)
    got = []
    threads = [threading.Thread(target=lambda: got.append(ask(c, "many"))) for _ in range(5)]
    for t in threads:
        t.start()
    wait_for("p2.ran")
    assert ask(c, "other") == "in"
    assert got == []
    write("p2.go", "")
    for t in threads:
        t.join(20)
    assert got == ["in"] * 5
    with open(path("p2.ran")) as f:
        assert f.read() == "x\n"


def test_a_program_that_fails(case):
    prog = script("p3", f"echo {CANARY}\necho 'the vault is sealed' >&2\nexit 4\n")
    c = case(fails=f"user=robot password_command={prog}")
    with pytest.raises(PgError) as e:
        ask(c, "fails")
    assert e.value.code == "08001" and e.value.text == "no password for the server: password_command ended with status 4"
    assert c.pooler.log_has("password_command says: the vault is sealed")
    assert c.tried == []


def test_a_program_that_hangs(case):
    """server_connect_timeout is 3 s here: three quarters of it."""
    prog = script("p4", f"echo {CANARY}\nexec sleep 60\n")
    c = case(hangs=f"user=robot password_command={prog}")
    with pytest.raises(PgError) as e:
        ask(c, "hangs")
    assert e.value.code == "08001" and "password_command did not end in time" in e.value.text


def test_the_user_has_it(case):
    """[users] counts where the database says nothing, and before auth_file."""
    write("f6", CANARY + "-user")
    write("f7", CANARY + "-db")
    c = case(users={"robot": f"password_file={path('f6')}"}, plain="user=robot", own=f"user=robot password_file={path('f7')}",
             fixed=f"user=robot password={CANARY}-fixed")
    c.takes = {CANARY + "-user", CANARY + "-db", CANARY + "-fixed"}
    for d in ("plain", "own", "fixed"):
        assert ask(c, d) == "in"
    assert c.tried == [CANARY + "-user", CANARY + "-db", CANARY + "-fixed"]


def test_the_pooler_ends_while_a_program_runs(case):
    prog = script("p5", f"echo > {path('p5.ran')}\nexec sleep 2\n")
    c = case(ends=f"user=robot password_command={prog}")
    client = threading.Thread(target=lambda: pytest.raises((PgError, Closed), ask, c, "ends"))
    client.start()
    wait_for("p5.ran")
    c.pooler.stop()
    client.join(20)
