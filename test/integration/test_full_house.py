"""max_client_conn is reached: who stalls in its login makes room for a newcomer, and nobody else does."""

import socket
import ssl
import struct
import threading
import time

import pytest

from harness import scram, tlswire, wire
from harness.cluster import pw
from harness.wire import cstr, msg, wait_until

STORED = {"u": scram.secret(pw("u")), "v": scram.secret(pw("v")), "trusty": "", "admin": pw("admin"), "stats": pw("stats")}
LONG = wire.startup([("user", "u"), ("database", "db0"), ("application_name", "x" * 90)])
SAID = "login stalled, and another client needed the place (max_client_conn)"
FULL = "no more connections allowed (max_client_conn)"


def house(pooler, places, pki=None, **kw):
    conf = dict(auth_type="scram-sha-256", tcp_defer_accept=0, databases={"db0": "user=trusty"}, userlist=STORED, max_client_conn=places,
                client_login_timeout=600)
    if pki is not None:
        conf.update(client_tls_sslmode="allow", client_tls_cert_file=pki.crt("good"), client_tls_key_file=pki.file("good.key"))
    conf.update(kw)
    return pooler(**conf)


class Watch:
    """The console; it takes a place."""

    def __init__(self, p):
        self.c = p.admin()

    def logins(self, name):
        return int(self.c.ask("SHOW LOGINS").dicts()[0][name])


# ---- ways to stall: what is said, how many answers are waited for, what is said then ----

def nothing(p):
    return p.conn()


def half_startup(p):
    c = p.conn()
    c.send(wire.startup({"user": "u", "database": "db0"})[:-7])
    return c


def ssl_and_silence(p):
    c = p.conn()
    c.send(wire.request(wire.SSL_REQUEST))
    assert c.sock.recv(1) == b"S"
    return c


def secured_and_silence(p):
    return tlswire.TlsClient(p.addr, "u", "db0", pw("u"), login=False)


def no_proof(p):
    c = p.conn()
    c.send(wire.startup({"user": "u", "database": "db0"}))
    assert c.recv().type == "R"
    return c


def half_proof(p):
    c = no_proof(p)
    first = scram.Scram("x").first()
    c.send(msg("p", cstr("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
    assert c.recv().type == "R"
    return c


WAYS = [nothing, half_startup, ssl_and_silence, secured_and_silence, no_proof, half_proof]


def hear(c):
    """What there is to be read now; None: the connection is over."""
    c.sock.setblocking(False)
    try:
        return c.sock.recv(4096) or None
    except (BlockingIOError, ssl.SSLWantReadError):
        return b""
    except OSError:
        return None
    finally:
        c.sock.settimeout(20)


def ends(c):
    """The connection is over; what came before that."""
    got = [b""]

    def over():
        more = hear(c)
        got[0] += more or b""
        return more is None

    wait_until(over, 20)
    return got[0]


def is_alive(c):
    return hear(c) is not None


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("way", WAYS, ids=lambda f: f.__name__)
def test_the_stalled_make_room(pooler, pki, way, workers):
    """Each newcomer gets one place, that of whoever has been silent longest, wherever he is."""
    p = house(pooler, 9, pki, workers=workers, stalled_login_grace="500ms")
    w = Watch(p)
    crowd = []
    for _ in range(8):
        crowd.append(way(p))
        wait_until(lambda: w.logins("connected") == len(crowd), 10)
        time.sleep(0.02)        # so that it is clear who was first, on all clocks
    begun = time.monotonic()
    mine = [p.client("u")]
    took = time.monotonic() - begun
    assert took < 10, took      # the grace is half a second
    mine += [p.client("u") for _ in range(3)]
    for c in mine:
        assert c.value("SELECT 1") == "1"
    assert w.logins("stalled") == 4
    for c in crowd[:4]:
        got = ends(c)
        if way in (nothing, half_startup, no_proof, half_proof):
            assert b"53300" in got and SAID.encode() in got, got
    assert all(is_alive(c) for c in crowd[4:])
    assert p.log_text().count("closing because: " + SAID) == 4
    # who has logged in stays for ever
    mine += [p.client("u") for _ in range(4)]
    for c in crowd:
        c.close()
    wait_until(lambda: w.logins("connected") == 0, 10)
    assert w.logins("stalled") == 8
    with pytest.raises(wire.PgError) as e:
        p.client("v")
    assert (e.value.code, e.value.text) == ("53300", FULL)
    for c in mine:
        assert c.value("SELECT 2") == "2"
    mine.pop().quit()
    wait_until(lambda: can_enter(p), 10)
    assert w.logins("stalled") == 8
    for c in mine:
        c.quit()


def can_enter(p, user="u"):
    try:
        p.client(user).quit()
        return True
    except wire.PgError as e:
        assert e.text == FULL
        return False


def test_a_flood_of_the_silent(pooler):
    """More than have a place: those beyond take none, and wait for none."""
    p = house(pooler, 20, workers=2, stalled_login_grace="300ms")
    w = Watch(p)
    crowd = [p.conn() for _ in range(100)]
    wait_until(lambda: w.logins("connected") == 100, 20)
    mine = [p.client("u") for _ in range(19)]
    assert w.logins("stalled") == 19
    with pytest.raises(wire.PgError) as e:
        p.client("u")
    assert e.value.text == FULL
    for c in crowd:
        c.close()
    wait_until(lambda: w.logins("connected") == 0, 20)
    # the places were counted right all the time: nineteen are free again, and no more
    for c in mine:
        c.quit()
    wait_until(lambda: len(w.c.ask("SHOW CLIENTS").dicts()) == 1, 20)
    mine = [p.client("u") for _ in range(19)]
    with pytest.raises(wire.PgError) as e:
        p.client("u")
    assert e.value.text == FULL
    for c in mine:
        c.quit()


def test_off(pooler):
    p = house(pooler, 5, stalled_login_grace=0)
    w = Watch(p)
    crowd = [p.conn() for _ in range(4)]
    wait_until(lambda: w.logins("connected") == 4, 10)
    with pytest.raises(wire.PgError) as e:
        p.client("u")
    assert (e.value.code, e.value.text) == ("53300", FULL)
    p.set(stalled_login_grace="200ms")
    assert w.c.ask("RELOAD").tag == "RELOAD"
    p.client("u").quit()
    assert w.logins("stalled") == 1 and sum(is_alive(c) for c in crowd) >= 3
    for c in crowd:
        c.close()


def test_each_step_has_its_time(pooler):
    """Who came first and takes a step is silent from then on only; half a step is none."""
    p = house(pooler, 4, workers=1, stalled_login_grace="500ms")
    w = Watch(p)
    slow, silent, trickle = p.conn(), p.conn(), p.conn()
    wait_until(lambda: w.logins("connected") == 3, 10)
    trickle.send(LONG[:20])
    slow.send(wire.startup({"user": "u", "database": "db0"}))
    assert slow.recv().type == "R"
    trickle.send(LONG[20:40])
    mine = p.client("v")
    ends(silent)
    assert is_alive(slow) and is_alive(trickle)
    trickle.send(LONG[40:60])
    mine2 = p.client("v")
    ends(trickle)
    first = scram.Scram(pw("u")).first()
    slow.send(msg("p", cstr("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
    assert slow.recv().type == "R" and w.logins("stalled") == 2
    for c in (slow, mine, mine2):
        c.close()


def test_who_waits_for_us_is_not_stalled(pooler):
    """A login that auth_failure_delay holds up, and one whose password is looked up by a server that does not answer."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(8)
        p = house(pooler, 4, workers=1, stalled_login_grace="100ms", auth_user="trusty", auth_dbname="hole",
                  databases={"db0": "user=trusty", "hole": f"host=127.0.0.1 port={hole.getsockname()[1]} dbname=db0"})
        w = Watch(p)
        waiting = []
        for i in range(3):
            c = p.conn()
            c.send(wire.startup({"user": f"nobody{i}", "database": "db0"}))
            waiting.append(c)
        wait_until(lambda: w.logins("connected") == 3, 10)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            with pytest.raises(wire.PgError) as e:
                p.client("u")
            assert e.value.text == FULL
        assert all(is_alive(c) for c in waiting) and w.logins("stalled") == 0
        waiting.pop().close()
        wait_until(lambda: can_enter(p), 10)
        for c in waiting:
            c.close()


def test_a_cancel_needs_no_place(pooler, pg):
    p = house(pooler, 2, workers=2)
    w = Watch(p)
    c = p.client("u")
    c.send(wire.q("SELECT pg_sleep(60)"))
    pg.wait_query("pg_sleep(60)", 10)
    with wire.connect(p.addr) as s:
        s.sendall(wire.cancel(c.pid, c.key))
    assert [wire.fields(m.body)["C"] for m in c.until("Z") if m.type == "E"] == ["57014"]
    assert c.value("SELECT 1") == "1" and w.logins("stalled") == 0


def test_newcomers_who_leave_while_they_wait(pooler):
    """Their places are nobody's: not one is lost, and none is there twice."""
    p = house(pooler, 12, workers=4, stalled_login_grace="150ms")
    w = Watch(p)
    for turn in range(3):
        crowd = [p.conn() for _ in range(30)]
        wait_until(lambda: w.logins("connected") == 30, 20)
        hasty = []
        for i in range(40):
            c = p.conn()
            c.send(wire.startup({"user": "u", "database": "db0"}))
            hasty.append(c)
            if i % 2:
                hasty.pop(0).close()
        for c in hasty:
            time.sleep(0.005)
            c.close()
        for c in crowd:
            c.close()
        wait_until(lambda: w.logins("connected") == 0, 20)
        mine = [p.client("u") for _ in range(11)]
        assert not can_enter(p, "v")
        for c in mine:
            c.quit()
        wait_until(lambda: len(w.c.ask("SHOW CLIENTS").dicts()) == 1, 20)


STORM = 500


def storm_client(p, tls, gate, outcome):
    gate.wait()
    try:
        c = tlswire.TlsClient(p.addr, "u", "db0", pw("u")) if tls else p.client("u", timeout=120)
        assert c.value("SELECT 1") == "1"
        outcome.append(c)
    except Exception as e:      # noqa: BLE001: whatever it is, it counts
        outcome.append(e)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("workers", [1, 4])
def test_an_honest_storm(pooler, pki, workers, tls):
    """500 clients of one address at once, and nobody is refused or made to leave: what is in force is the defaults."""
    p = house(pooler, 600, pki, workers=workers, client_login_timeout=None, pool_size=4, max_overflow=0, pool_timeout=120, auth_failure_delay=None,
              max_unauthenticated_address_percent=None)
    w = Watch(p)
    gate, outcome = threading.Barrier(STORM), []
    threads = [threading.Thread(target=storm_client, args=(p, tls, gate, outcome)) for _ in range(STORM)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    wrong = [c for c in outcome if isinstance(c, Exception)]
    assert len(outcome) == STORM and wrong == [], wrong[:3]
    now = w.c.ask("SHOW LOGINS").dicts()[0]
    assert (now["refused"], now["refused_of_address"], now["stalled"], now["timed_out"], now["failed"]) == ("0",) * 5, now
    for c in outcome:
        c.close()
