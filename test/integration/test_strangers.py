"""Before the login: limits of connections by address, waiting after wrong passwords, and one deadline over everything."""

import random
import socket
import struct
import threading
import time

import pytest

from harness import scram, tlswire, wire
from harness.cluster import pw
from harness.wire import cstr, msg, wait_until

FAR = "127.0.0.2"                   # another address of the same machine
STORED = {"u": scram.secret(pw("u")), "v": scram.secret(pw("v")), "trusty": "", "admin": pw("admin"), "stats": pw("stats")}


def strict(pooler, **kw):
    conf = dict(auth_type="scram-sha-256", tcp_defer_accept=0, databases={"db0": "user=trusty"}, userlist=STORED, auth_failure_delay=1,
                max_unauthenticated_address_percent=50)
    conf.update(kw)
    return pooler(**conf)


class From(wire.Client):
    """A client that comes from another address."""

    def __init__(self, address, p, user="u", password=None, **kw):
        self.came_from = (address, 0)
        near, wire.connect = wire.connect, self.connect
        try:
            super().__init__(p.addr, user, "db0", password if password is not None else pw(user), **kw)
        finally:
            wire.connect = near

    def connect(self, addr, timeout):
        s = socket.create_connection(addr, timeout, source_address=self.came_from)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s


def counts(p):
    return p.console("SHOW LOGINS").dicts()[0]


def addresses(p):
    return {r["address"]: (int(r["connected"]), int(r["failures"])) for r in p.console("SHOW LOGIN_ADDRESSES").dicts()}


def guess(p, times, where=FAR):
    for i in range(times):
        with pytest.raises(wire.PgError) as e:
            From(where, p, random.choice(["u", "nobody-is-it"]), "wrong")
        assert "authentication failed" in e.value.text


# ---- who says nothing ----

def reset(s):
    """Ends it so that the kernel keeps nothing of it, accepted or not."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def test_silence_is_the_kernels_as_long_as_the_setting_says(pooler):
    p = strict(pooler, tcp_defer_accept=1)

    def connected():
        return int(counts(p)["connected"])

    def comes():
        """How many there are that have not logged in when one has come and said nothing."""
        s = socket.create_connection(p.addr, 5)
        p.client("u").quit()        # has come after it
        there = connected()
        reset(s)
        wait_until(lambda: connected() == 0)
        return there

    assert comes() == 0
    p.console("SET tcp_defer_accept = 0")
    assert comes() == 1
    p.set(tcp_defer_accept=1)
    p.console("RELOAD")
    assert comes() == 0
    # not for ever: here until the handshake's answer is repeated, after a second or three
    p.console("SET tcp_defer_accept = 2")
    start = time.monotonic()
    s = socket.create_connection(p.addr, 5)
    wait_until(lambda: connected() == 1, 20)
    assert time.monotonic() - start > 0.5
    s.close()


# ---- limits ----

@pytest.mark.parametrize("workers", [1, 2])
def test_one_address_cannot_take_the_place_of_all_strangers(pooler, workers):
    p = strict(pooler, workers=workers, max_client_conn=100, max_unauthenticated_percent=20, client_login_timeout=60)
    keeper = p.admin()
    crowd, refused = [], []
    for _ in range(40):
        s = socket.create_connection(p.addr, 10, source_address=(FAR, 0))
        crowd.append(s)
    for s in crowd:
        s.setblocking(False)
    # ten of them may stay; the rest is told so and closed, and counts nowhere
    wait_until(lambda: int(keeper.ask("SHOW LOGINS").dicts()[0]["refused_of_address"]) == 30, 20)
    for s in crowd:
        try:
            refused.append(s.recv(1000))
        except BlockingIOError:
            pass
    assert len(refused) == 30 and all(b"53300" in r and b"max_unauthenticated_address_percent" in r for r in refused), refused[:3]
    now = keeper.ask("SHOW LOGINS").dicts()[0]
    assert (now["connected"], now["max_connected"], now["max_of_address"], now["refused"]) == ("10", "20", "10", "0"), now
    with pytest.raises((wire.PgError, wire.Closed)):
        From(FAR, p)
    # everybody else comes in, whoever has logged in counts no more, and a place that is left is free at once
    others = [p.client("u") for _ in range(30)]
    assert keeper.ask("SHOW LOGINS").dicts()[0]["connected"] == "10"
    for s in crowd:
        s.close()
    wait_until(lambda: keeper.ask("SHOW LOGINS").dicts()[0]["connected"] == "0", 20)
    From(FAR, p).quit()
    for c in others + [keeper]:
        c.quit()


def test_off_in_the_other_profile(pooler):
    p = pooler(section="pgbouncer", auth_type="md5", userlist={"u": "x", "admin": pw("admin")}, auth_failure_delay=None,
               max_unauthenticated_address_percent=None, tcp_defer_accept=0, max_client_conn=60)
    crowd = [p.conn() for _ in range(50)]
    for _ in range(8):
        with pytest.raises(wire.PgError):
            p.client("u", password="wrong")
    now = p.console("SHOW LOGINS").dicts()[0]
    assert (now["max_connected"], now["max_of_address"], now["refused"], now["delayed"], now["failed"]) == (None, None, "0", "0", "8"), now
    for c in crowd:
        c.close()


def test_limits_follow_a_reload(pooler):
    p = strict(pooler, max_client_conn=100, max_unauthenticated_percent=20)
    assert counts(p)["max_of_address"] == "10"
    p.set(max_unauthenticated_address_percent=100, auth_failure_delay=0)
    p.console("RELOAD")
    assert counts(p)["max_of_address"] is None
    guess(p, 8)
    assert counts(p)["delayed"] == "0"


# ---- waiting ----

def test_wrong_passwords_make_their_address_wait_and_nobody_else(pooler):
    p = strict(pooler, auth_failure_delay="400ms")
    guess(p, 10)
    now = counts(p)
    assert now["failed"] == "10" and now["delayed"] == "7", now
    # of 400 ms: 1/8 + 1/4 + 1/2 + 1 + 1 + 1 + 1
    assert now["delayed_us"] == "1950000", now
    assert addresses(p)[FAR][1] >= 9
    # a right password is never refused there, be it of that user or of another; it waits, and no longer than that
    before = time.monotonic()
    for user in ("u", "v"):
        From(FAR, p, user).quit()
    assert time.monotonic() - before >= 0.8
    now = counts(p)
    assert now["delayed"] == "9" and now["delayed_us"] == "2750000" and now["failed"] == "10", now
    # another address does not notice, not even with the very same user
    for user in ("u", "v"):
        p.client(user).quit()
    assert counts(p)["delayed"] == "9"
    assert p.log_has(f"3 wrong passwords from {FAR}: logins from there wait up to 50 ms")
    assert p.log_has(f"6 wrong passwords from {FAR}: logins from there wait up to 400 ms")
    assert p.log_text().count("wrong passwords from") == 2


def test_a_few_mistakes_cost_nothing(pooler):
    p = strict(pooler)
    guess(p, 3)
    assert counts(p)["delayed"] == "0"


def test_waiting_tells_nothing(pooler):
    """Not one byte comes during the wait; what the client has sent meanwhile is not lost; who leaves in it is forgotten."""
    p = strict(pooler, auth_type="plain", auth_failure_delay=1, client_login_timeout=60)
    guess(p, 6)
    a = From(FAR, p, "u", login=False)
    a.send(wire.startup({"user": "u", "database": "db0"}), wire.password(pw("u")))     # does not wait to be asked
    b = From(FAR, p, "u", login=False)
    b.send(wire.startup({"user": "u", "database": "db0"}))
    wait_until(lambda: counts(p)["delayed"] == "5", 10)
    b.close()
    a.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        a.sock.recv(1)
    a.settimeout(10)
    codes = [m.body[:4] for m in a.until("Z") if m.type == "R"]
    assert codes == [struct.pack("!I", 3), struct.pack("!I", 0)] and a.value("SELECT 1") == "1"
    a.quit()


def test_the_wait_leaves_time_for_the_login(pooler):
    p = strict(pooler, auth_failure_delay=60, client_login_timeout=4)
    guess(p, 6)
    From(FAR, p).quit()
    # a quarter of the deadline at most: 1/8 + 1/4 + 1/2 + 1 of it
    assert counts(p)["delayed_us"] == "1875000", counts(p)


# ---- one deadline ----

def trickle(sock, data, enough):
    """A byte now and then, for ever."""
    i = 0
    try:
        while not enough.is_set():
            sock.sendall(data[i % len(data):i % len(data) + 1])
            i += 1
            enough.wait(0.05)
    except OSError:
        pass


def slowly(sock, data):
    """Trickles from another thread and reads here until the end; what came, and after how long."""
    enough, got, begin = threading.Event(), b"", time.monotonic()
    t = threading.Thread(target=trickle, args=(sock, data, enough))
    t.start()
    sock.settimeout(30)
    try:
        while True:
            more = sock.recv(4096)
            if not more:
                break
            got += more
    except ConnectionError:
        pass
    finally:
        enough.set()
        t.join()
    return got, time.monotonic() - begin


def hello():
    s = tlswire.Stream(None, tlswire.client_context())
    try:
        s.tls.do_handshake()
    except tlswire.ssl.SSLWantReadError:
        pass
    return s.outside.read()


LONG = wire.startup([("user", "u"), ("database", "db0"), ("application_name", "x" * 9000)])


def at_startup(p, s):
    s.sendall(LONG[:8])
    return LONG[8:]


def at_tls_hello(p, s):
    assert tlswire.ask(s) == b"S"
    data = hello()
    return data + b"\x00" * 9000


def at_direct_hello(p, s):
    return b"\x16\x03\x01\x3f\xf0\x01\x00\x3f\xec\x03\x03" + b"\x00" * 9000


def at_proof(p, s):
    s.sendall(wire.startup({"user": "u", "database": "db0"}))
    first = scram.Scram("x").first()
    s.sendall(msg("p", cstr("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
    return b"p" + struct.pack("!I", 900) + b"c=biws,r=" + b"x" * 9000


@pytest.mark.parametrize("phase", [at_startup, at_tls_hello, at_direct_hello, at_proof], ids=lambda f: f.__name__)
def test_one_deadline_however_the_bytes_come(pooler, pki, phase):
    p = strict(pooler, client_login_timeout=1, client_tls_sslmode="allow", client_tls_cert_file=pki.crt("good"),
               client_tls_key_file=pki.file("good.key"), auth_failure_delay=0)
    begin = time.monotonic()
    with wire.connect(p.addr) as s:
        data = phase(p, s)
        got, _ = slowly(s, data)
    took = time.monotonic() - begin
    assert took >= 0.95, (took, got)        # it was the deadline and nothing else
    assert p.log_has("closing because: client_login_timeout")
    if phase in (at_startup, at_proof):
        assert b"client_login_timeout" in got, got
    assert counts(p)["timed_out"] == "1"


def test_one_deadline_over_all_phases(pooler, pki):
    """Some of it in each phase, none of them too long by itself: the sum counts."""
    p = strict(pooler, client_login_timeout=2, client_tls_sslmode="allow", client_tls_cert_file=pki.crt("good"),
               client_tls_key_file=pki.file("good.key"), auth_failure_delay=0)
    c = tlswire.TlsClient(p.addr, "u", "db0", pw("u"), login=False)     # TLS is done
    time.sleep(0.8)
    c.send(wire.startup({"user": "u", "database": "db0"}))
    m = c.recv()
    assert m.type == "R" and counts(p)["timed_out"] == "0"
    time.sleep(0.8)
    first = scram.Scram(pw("u")).first()
    c.send(msg("p", cstr("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
    assert c.recv().type == "R"
    wait_until(lambda: counts(p)["timed_out"] == "1", 20)
    assert wire.fields(c.recv().body)["M"] == "client_login_timeout"
    c.close()
