"""The byte vectors of the failure catalogue: error and close, no crash, no growth, nothing runs that should not."""

import hashlib
import struct
import time

import pytest

from harness import scram, wire
from harness.cluster import pw
from harness.pooler import Pooler
from harness.wire import bind, cstr, msg, parse, q, startup, sync, terminate

CANARY = q("INSERT INTO vector_canary VALUES (1)")
MAX_PACKET = 1048576


def unharmed(p):
    """Hands the pooler to the tests; in the end no canary has run, and it is as it was."""
    before, fds = p.rss_kb(), p.fds()
    yield p
    problems = []
    try:
        with p.client() as c:
            assert c.value("SELECT count(*) FROM vector_canary") == "0", "a canary ran"
            c.quit()
        wire.wait_until(lambda: p.fds() <= fds + 4, 8, what=f"files closed again ({p.fds()} now, {fds} before)")
        grown = p.rss_kb() - before
        assert grown < (200000 if p.sanitized() else 12000), f"grew by {grown} kB"
    except AssertionError as e:
        problems.append(str(e))
    try:
        p.stop()
    except AssertionError as e:
        problems.append(str(e))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture(scope="module")
def vp(top, pg):
    """One pooler takes all of it, and in the end it is as it was."""
    with wire.Client(pg.sock, "postgres", "db0") as c:
        c.query("CREATE TABLE IF NOT EXISTS vector_canary(a int); GRANT ALL ON vector_canary TO PUBLIC")
    p = Pooler(pg, f"{top}/vectors", pool_size=2, max_overflow=0, client_login_timeout=5, pool_timeout=5, max_client_conn=500,
               auth_type="trust", databases={"db0": "", "*": ""}, log_connections=0, log_disconnections=0).start()
    for _ in range(50):
        with p.client() as c:
            c.query("SELECT 1")
            c.quit()
    yield from unharmed(p)


@pytest.fixture(scope="module")
def auth_poolers(top, pg):
    made = {a: Pooler(pg, f"{top}/va-{a}", auth_type=a, client_login_timeout=5, databases={"db0": ""}).start()
            for a in ("plain", "md5", "scram-sha-256")}
    yield made
    problems = []
    for p in made.values():
        try:
            p.stop()
        except AssertionError as e:
            problems.append(str(e))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def refused(p, data, prefix=b"", pieces=None, timeout=4):
    """The peer closes without having let anybody in; its messages."""
    c = p.conn(timeout=timeout)
    try:
        if prefix:
            c.send(prefix)
            assert c.recv_exact(1) == b"N"
        try:
            if pieces:
                for x in pieces:
                    c.send(x)
            else:
                c.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        t = time.monotonic()
        msgs = c.rest()
        assert time.monotonic() - t < timeout
        kinds = "".join(m.type for m in msgs)
        assert not set(kinds) & set("ZKSDTC"), f"let in: {wire.describe_msgs(msgs)}"
        assert not [m for m in msgs if m.type == "R" and m.body[:4] == bytes(4)]
        return msgs
    finally:
        c.close()


def packet(body, proto=wire.PROTO_3_0):
    body = struct.pack("!I", proto) + body
    return struct.pack("!I", len(body) + 4) + body


U = b"user\0app\0"
UD = U + b"database\0db0\0"

STARTUP = {
    "V-S01": bytes.fromhex("00000000"),
    "V-S02": bytes.fromhex("00000004"),
    "V-S02 5": bytes.fromhex("00000005") + b"x",
    "V-S03": bytes.fromhex("00000007000300"),
    "V-S04": bytes.fromhex("8000000000030000"),
    "V-S05": bytes.fromhex("FFFFFFFF00030000"),
    "V-S06": bytes.fromhex("7FFFFFFF00030000"),
    "V-S07": struct.pack("!II", 10001, wire.PROTO_3_0) + b"x" * 9993,
    "V-S07 1M": struct.pack("!II", 1000001, wire.PROTO_3_0),
    "V-S08 no end": packet(UD),
    "V-S08 value not ended": packet(b"user\0app"),
    "V-S08 name not ended": packet(b"user"),
    "V-S09 key without value": packet(b"user\0"),
    "V-S09 second key without value": packet(UD + b"application_name\0\0"),
    "V-S10 rest after end": packet(UD + b"\0rest"),
    "V-S10 zeroes after end": packet(UD + b"\0\0\0\0"),
    "V-S11 nothing": packet(b""),
    "V-S11 no user": packet(b"database\0db0\0\0"),
    "V-S11 empty list": packet(b"\0"),
    "V-S11 empty user": packet(b"user\0\0database\0db0\0\0"),
    "V-S11 5000 parameters": packet(UD + b"".join(b"p%d\0x\0" % i for i in range(5000)) + b"\0"),
    "V-S11 1000 parameters": packet(UD + b"".join(b"q%d\0\0" % i for i in range(1000)) + b"\0"),
    "V-S13 v2": struct.pack("!II", 296, 0x00020000) + b"db0".ljust(64, b"\0") + b"app".ljust(32, b"\0") + bytes(192),
    "V-S13 v1": packet(UD + b"\0", 0x00010000),
    "V-S13 v4": packet(UD + b"\0", 0x00040000),
    "V-S13 0": packet(UD + b"\0", 0),
    "V-S13 1234.0000": packet(UD + b"\0", 0x04D20000),
    "V-S13 1234.5681": packet(UD + b"\0", 0x04D21631),
    "V-S15 http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "V-S16 tls": bytes.fromhex("16030100c8010000c40303") + bytes(197),
    "V-S17 ssh": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "V-T04 ssl 9": struct.pack("!II", 9, wire.SSL_REQUEST) + b"x",
    "V-T04 ssl 12": struct.pack("!II", 12, wire.SSL_REQUEST) + b"xxxx",
    "V-T04 gss 9": struct.pack("!II", 9, wire.GSSENC_REQUEST) + b"x",
    "V-T01 ssl and startup": wire.request(wire.SSL_REQUEST) + packet(UD + b"\0"),
    "V-T02 gss and startup": wire.request(wire.GSSENC_REQUEST) + packet(UD + b"\0"),
    "zeroes": bytes(64),
    "ones": b"\xff" * 64,
    "A-S": b"A" * 64,
}



def strip_n(p, data, prefix=b"", one_by_one=False):
    """Like refused, but an N answer (to an encryption request) may come first."""
    c = p.conn(timeout=4)
    try:
        if prefix:
            c.send(prefix)
            assert c.recv_exact(1) == b"N"
        try:
            if one_by_one:
                for i in range(len(data)):
                    c.send(data[i:i + 1])
            else:
                c.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        got = b""
        try:
            while True:
                x = c.sock.recv(65536)
                if not x:
                    break
                got += x
        except ConnectionResetError:
            pass
        except TimeoutError:
            raise AssertionError(f"not closed within 4 s; got {got!r}")
        got = got[1:] if got[:1] == b"N" and got[1:2] in (b"", b"E") else got
        assert got == b"" or got[:1] == b"E", got
        if got:
            (size,) = struct.unpack_from("!I", got, 1)
            assert size + 1 == len(got), got
            f = wire.fields(got[5:])
            assert f.get("S") == "FATAL" and len(f.get("C", "")) == 5 and f.get("M"), f
    finally:
        c.close()


@pytest.mark.parametrize("name", STARTUP)
def test_startup(vp, name):
    strip_n(vp, STARTUP[name])


@pytest.mark.parametrize("name", [n for n in STARTUP if "V-T0" not in n])
def test_startup_after_ssl_request(vp, name):
    strip_n(vp, STARTUP[name], wire.request(wire.SSL_REQUEST))


@pytest.mark.parametrize("name", [n for n in STARTUP if len(STARTUP[n]) < 400 and n[:5] not in ("V-T01", "V-T02")])
def test_startup_split_at_every_byte(vp, name):
    strip_n(vp, STARTUP[name], one_by_one=True)


def test_V_S11_names_given_twice(pg, vp):
    """Refused, or taken the way PostgreSQL takes it; never one name for the proof and another for the work."""
    for body in (b"user\0app\0user\0app2\0database\0db0\0\0", b"user\0app\0database\0db0\0database\0db1\0\0"):
        c = wire.Client(vp.addr, "app", "db0", login=False)
        c.send(packet(body))
        try:
            c.login()
        except (wire.PgError, wire.Closed):
            continue
        got = c.query("SELECT current_user, current_database()").rows[0]
        assert got in ((("app2", "db0"),) if body.count(b"user\0") == 2 else (("app", "db1"),)), got
        c.quit()


OPTIONS = ["-c=", "-c", "-c ", "-c a", "--", "--=", "--=x", "-c =x", "-c a=b\\", "\\", "\\ ", " ", "-", "-x", "-c a=b -c", "--a", "-ca", "=", "-c a=b=c",
           "-c search_path=evil", "-csearch_path=evil", "--search-path=evil", "-c\tsearch_path=evil", "-c \\=x", "-c ''=x", "-c a= -c =b",
           "\\ " * 4500, "-c " * 3000, "-" * 9000, "=" * 9000, "-c a=" + "b" * 9000, "\x7f\xff".encode("latin1").decode("latin1")]


@pytest.mark.parametrize("i", range(len(OPTIONS)))
def test_V_S12_options(vp, i):
    """An answer at once, of whatever kind, and next to no CPU."""
    cpu = vp.cpu()
    c = wire.Client(vp.addr, "app", "db0", login=False)
    c.send(packet(UD + b"options\0" + OPTIONS[i].encode("latin1") + b"\0\0"))
    t = time.monotonic()
    try:
        c.login()
        assert c.ask("SELECT 1").status == "I"
    except wire.PgError as e:
        assert e.severity == "FATAL"
    except wire.Closed as e:
        assert e.msgs == [] or e.msgs[-1].type == "E"
    assert time.monotonic() - t < 2
    assert vp.cpu() - cpu < 0.3
    c.close()


@pytest.mark.parametrize("value", ["true", "on", "yes", "1", "database", "garbage", "false", "0", "", "x" * 5000])
def test_V_S14_replication(vp, value):
    c = wire.Client(vp.addr, "app", "db0", login=False)
    c.send(startup([("user", "app"), ("database", "db0"), ("replication", value)]))
    try:
        c.login()
        if value not in ("false", "0"):
            c.ask("IDENTIFY_SYSTEM")
    except (wire.PgError, wire.Closed):
        pass
    c.close()
    with vp.client() as d:
        assert d.value("SELECT 1") == "1"
        d.quit()


def test_V_S18_connect_and_close_is_no_news(pooler):
    p = pooler()
    for i in range(50):
        c = p.conn()
        c.abort() if i % 2 else c.close()
    time.sleep(0.2)
    assert not [x for x in p.log_text().splitlines() if any(w in x for w in ("WARN", "ERROR", "FATAL"))]
    p.client().quit()


@pytest.mark.parametrize("what", ["application_name", "user", "database"])
def test_V_S19_control_characters_do_not_reach_the_log(pooler, what):
    """T-LOG-01: one record, one line, nothing a terminal would obey, no format."""
    evil = "x\n2099-01-01 00:00:00.000 UTC [1] LOG forged\r\x1b[31m%n%s%n\x01\x80"
    p = pooler(databases={"db0": "", "*": ""})
    pairs = {"user": "app", "database": "db0", "application_name": "a"}
    pairs[what] = evil
    for auth in ("trust", "scram-sha-256"):
        c = p.conn()
        c.send(startup(pairs))
        try:
            c.until("ZE")
        except wire.Closed:
            pass
        c.close()
    c = p.client()
    c.ask("SELECT fail('%s')" % evil.replace("\x80", ""))
    c.quit()
    time.sleep(0.1)
    data = open(p.log, "rb").read()
    assert not any(b in data for b in (b"\x1b", b"\r", b"\x01", b"\x80")), "raw control characters"
    assert not [x for x in data.split(b"\n") if x.startswith(b"2099")], "a forged line"


@pytest.mark.parametrize("size", [63, 64, 65, 128, 1000, 9900])
@pytest.mark.parametrize("what", ["user", "database"])
def test_V_S20_long_names_with_a_star_database(vp, what, size):
    """CVE-2012-4575: an error for this client; life goes on."""
    pairs = {"user": "app", "database": "db0"}
    pairs[what] = "n" * size
    c = vp.conn(timeout=5)
    c.send(startup(pairs))
    try:
        msgs = c.until("ZE")
        if msgs[-1].type == "Z":
            c.send(q("SELECT 1"))
            msgs = c.until("EZ")
            assert msgs[0].type == "E"
    except wire.Closed:
        assert size > 1000 or size > 63
    c.close()
    with vp.client() as d:
        assert d.value("SELECT 1") == "1"
        d.quit()


def test_V_T03_alternating_requests_are_cut_short(vp):
    """At most one of each is answered."""
    c = vp.conn()
    answered = 0
    try:
        for i in range(1000):
            c.send(wire.request(wire.SSL_REQUEST if i % 2 else wire.GSSENC_REQUEST))
            if c.recv_exact(1) != b"N":
                break
            answered += 1
    except (wire.Closed, OSError):
        pass
    assert answered <= 2, answered
    c.close()
    c = vp.conn()
    try:
        c.send(b"".join(wire.request(wire.SSL_REQUEST if i % 2 else wire.GSSENC_REQUEST) for i in range(200000)))
    except OSError:
        pass
    c.close()


@pytest.mark.parametrize("code", [wire.SSL_REQUEST, wire.GSSENC_REQUEST, wire.CANCEL_REQUEST])
@pytest.mark.parametrize("auth", ["plain", "md5", "scram-sha-256"])
def test_V_T04_requests_in_the_middle_of_the_login(auth_poolers, auth, code):
    p = auth_poolers[auth]
    c = p.conn(timeout=4)
    c.send(startup({"user": "app", "database": "db0"}))
    assert c.recv().type == "R"
    c.send(wire.request(code))
    msgs = c.rest()
    assert all(m.type == "E" for m in msgs), msgs
    c.close()


# ---- T-LOGIN-MATRIX ----

def enter_state(p, state):
    """A connection that has come so far in its login."""
    c = wire.Client(p.addr, "app", "db0", pw("app"), login=False, timeout=4)
    if state == "connected":
        return c
    if state == "ssl":
        c.send(wire.request(wire.SSL_REQUEST))
        assert c.recv_exact(1) == b"N"
        return c
    c.send(startup({"user": "app", "database": "db0"}))
    assert c.recv().type == "R"
    if state == "sasl-final":
        s = scram.Scram(pw("app"))
        first = s.first()
        c.send(msg("p", cstr("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
        assert c.recv().type == "R"
    return c


STATES = [("trust", "connected"), ("trust", "ssl"), ("plain", "asked"), ("md5", "asked"), ("scram-sha-256", "asked"), ("scram-sha-256", "sasl-final")]


@pytest.mark.parametrize("auth,state", STATES, ids=[f"{a}-{s}" for a, s in STATES])
def test_T_LOGIN_MATRIX(vp, auth_poolers, auth, state):
    """Every type byte in every state of the login, with three bodies, and a query behind each: closed, nobody in, nothing run."""
    p = vp if auth == "trust" else auth_poolers[auth]
    for kind in range(256):
        for body in (b"", b"SELECT 1\0", b"\0" * 40):
            c = enter_state(p, state)
            try:
                c.send(msg(bytes([kind]), body) + CANARY)
                msgs = c.rest()
            except (BrokenPipeError, ConnectionResetError):
                msgs = []
            assert all(m.type == "E" for m in msgs), (kind, body, wire.describe_msgs(msgs))
            assert len(msgs) <= 1, (kind, wire.describe_msgs(msgs))
            c.close()
    assert p.show("VERSION")


# ---- authentication ----

def sasl_first(mech=b"SCRAM-SHA-256\0", data=None, length=None):
    data = scram.Scram(pw("app")).first() if data is None else data
    return msg("p", mech + struct.pack("!I", len(data) if length is None else length & 0xFFFFFFFF) + data)


N = b"rOprNGfwEbeRWgbNEkqO"
FIRSTS = {
    "V-A01": msg("p", b"SCRAM-SHA-256\0" + b"\xff\xff\xff\xff"),
    "V-A01 with data": sasl_first(length=0xFFFFFFFF),
    "V-A02 0": sasl_first(length=0),
    "V-A02 1": sasl_first(length=1),
    "V-A02 max": sasl_first(length=0x7FFFFFFF),
    "V-A02 min": sasl_first(length=0x80000000),
    "V-A02 one more": sasl_first(length=len(scram.Scram("x").first()) + 1),
    "V-A02 one less": sasl_first(length=len(scram.Scram("x").first()) - 1),
    "V-A02 no length": msg("p", b"SCRAM-SHA-256\0"),
    "V-A02 half a length": msg("p", b"SCRAM-SHA-256\0\0\0"),
    "V-A03 unknown": sasl_first(b"SCRAM-SHA-1\0"),
    "V-A03 prefix": sasl_first(b"SCRAM-SHA-25\0"),
    "V-A03 longer": sasl_first(b"SCRAM-SHA-2566\0"),
    "V-A03 no NUL": msg("p", b"SCRAM-SHA-256"),
    "V-A03 empty": sasl_first(b"\0"),
    "V-A03 plus": sasl_first(b"SCRAM-SHA-256-PLUS\0", b"p=tls-server-end-point,,n=,r=" + N),
    "V-A04 empty nonce": sasl_first(data=b"n,,n=,r="),
    "V-A04 no r": sasl_first(data=b"n,,n="),
    "V-A04 only gs2": sasl_first(data=b"n,,"),
    "V-A04 p=x": sasl_first(data=b"p=x,,n=,r=" + N),
    "V-A04 p": sasl_first(data=b"p,,n=,r=" + N),
    "V-A04 authzid": sasl_first(data=b"n,a=root,n=,r=" + N),
    "V-A04 m": sasl_first(data=b"n,,m=ext,n=,r=" + N),
    "V-A04 z flag": sasl_first(data=b"z,,n=,r=" + N),
    "V-A04 nonce with NUL": sasl_first(data=b"n,,n=,r=a\0b"),
    "V-A04 nonce with 7F": sasl_first(data=b"n,,n=,r=a\x7fb"),
    "V-A04 nonce with space": sasl_first(data=b"n,,n=,r=a b"),
    "V-A04 nonce with high bit": sasl_first(data=b"n,,n=,r=a\xc3\xa4b"),
    "V-A04 extra attribute cut": sasl_first(data=b"n,,n=,r=" + N + b",x"),
    "V-A04 one comma": sasl_first(data=b"n,n=,r=" + N),
    "V-A04 no comma": sasl_first(data=b"n"),
    "V-A04 empty": sasl_first(data=b""),
    "V-A04 only commas": sasl_first(data=b",,,,"),
    "V-A04 swapped": sasl_first(data=b"n,,r=" + N + b",n="),
    "V-A04 big": sasl_first(data=b"n,,n=,r=" + b"x" * 60000),
    "V-A16 two": sasl_first() + sasl_first(),
    "V-A17 70k": msg("p", b"x" * 70000 + b"\0"),
    "empty": msg("p"),
}


@pytest.mark.parametrize("name", FIRSTS)
def test_scram_first(auth_poolers, name):
    p = auth_poolers["scram-sha-256"]
    c = enter_state(p, "asked")
    try:
        c.send(FIRSTS[name] + CANARY)
    except OSError:
        pass
    msgs = c.rest()
    assert all(m.type == "E" or (m.type == "R" and m.body[:4] == struct.pack("!I", 11)) for m in msgs), wire.describe_msgs(msgs)
    c.close()


def finals(s, good):
    """Variations of a client-final-message that must not be taken; good is the one that would be."""
    c = b"c=" + scram.b64(b"n,,").encode()
    r = b"r=" + s.server_nonce.encode()
    p64 = scram.b64(s.proof).encode()
    p = b"p=" + p64
    yield "V-A05 no r", c + b"," + p
    yield "V-A05 no r 44", b"c=biws,p=" + b"A" * 43 + b"="
    yield "V-A06 no c", r + b"," + p
    yield "V-A07 no p", c + b"," + r
    yield "V-A07 empty p", c + b"," + r + b",p="
    yield "V-A08 c twice", c + b"," + c + b"," + r + b"," + p
    yield "V-A08 r twice", c + b"," + r + b"," + r + b"," + p
    yield "V-A08 p twice", c + b"," + r + b"," + p + b"," + p
    yield "V-A08 swapped", r + b"," + c + b"," + p
    yield "V-A08 p first", p + b"," + c + b"," + r
    yield "V-A09 truncated", c + b"," + r[:-1] + b"," + p
    yield "V-A09 longer", c + b"," + r + b"x," + p
    yield "V-A09 only ours", c + b",r=" + s.nonce.encode() + b"," + p
    yield "V-A09 empty", c + b",r=," + p
    yield "V-A09 other", c + b",r=" + N + b"," + p
    for size in (0, 1, 31, 33, 64, 45000):
        yield f"V-A10 {size}", c + b"," + r + b",p=" + scram.b64((s.proof * 1500)[:size]).encode()
    yield "V-A10 not base64", c + b"," + r + b",p=" + b"!" * 44
    yield "V-A10 unpadded", c + b"," + r + b"," + p.rstrip(b"=")
    last = p64[-2:-1]
    abc = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    yield "V-A10 not canonical", c + b"," + r + b",p=" + p64[:-2] + abc[abc.index(last) | 1:][:1] + b"="
    yield "V-A10 with newline", c + b"," + r + b",p=" + p64[:20] + b"\n" + p64[20:]
    yield "V-A11 garbage", good + b"garbage"
    yield "V-A11 attribute", good + b",x=y"
    yield "V-A11 NUL", good + b"\0"
    yield "V-A11 NUL more", good + b"\0more"
    for other in (b"y,,", b"p=tls-server-end-point,,", b"n,a=x,", b""):
        yield f"V-A12 {other!r}", b"c=" + scram.b64(other).encode() + b"," + r + b"," + p
    yield "flipped bit", c + b"," + r + b",p=" + scram.b64(bytes([s.proof[0] ^ 1]) + s.proof[1:]).encode()
    yield "empty", b""
    yield "commas", b",,,,,"
    yield "just c", b"c"
    yield "just c=", b"c="
    yield "again the first", s.first()
    yield "500 k", b"c=" + b"x" * 500000


def test_scram_final(auth_poolers):
    p = auth_poolers["scram-sha-256"]
    seen = 0
    names = None
    i = 0
    while names is None or i < len(names):
        c = enter_state(p, "asked")
        s = scram.Scram(pw("app"))
        c.send(sasl_first(data=s.first()))
        m = c.recv()
        good = s.final(m.body[4:])
        made = list(finals(s, good))
        names = [x[0] for x in made]
        name, data = made[i]
        if name == "V-A10 not canonical" and data == good:
            i += 1
            continue
        try:
            c.send(msg("p", data) + CANARY)
        except OSError:
            pass
        msgs = c.rest()
        assert all(m.type == "E" for m in msgs), f"{name}: {wire.describe_msgs(msgs)}"
        c.close()
        seen += 1
        i += 1
    assert seen >= 38
    with p.client() as c:
        assert c.value("SELECT 1") == "1"
        c.quit()


def md5_answer(salt, user="app"):
    inner = hashlib.md5((pw(user) + user).encode()).hexdigest()
    return "md5" + hashlib.md5(inner.encode() + salt).hexdigest()


def test_V_A17_V_A18_password_messages(auth_poolers):
    """Lengths around every plausible buffer; md5 answers of the wrong shape."""
    sizes = [0, 1, *range(995, 1026), *range(4095, 4098), 8191, 8192, 65535, 65536, 70000]
    for auth in ("plain", "md5"):
        p = auth_poolers[auth]
        bodies = [b"x" * n + b"\0" for n in sizes] + [b"", b"x", pw("app").encode(), b"\0" + pw("app").encode() + b"\0", pw("app").encode() + b"\0\0",
                                                      pw("app").encode() + b"\0rest"]
        for body in bodies:
            c = enter_state(p, "asked")
            try:
                c.send(msg("p", body) + CANARY)
                msgs = c.rest()
            except (BrokenPipeError, ConnectionResetError):
                msgs = []
            assert all(m.type == "E" for m in msgs), (auth, len(body), body[:20], wire.describe_msgs(msgs))
            c.close()
    p = auth_poolers["md5"]
    for change in (lambda a: a[:-1], lambda a: a + "0", lambda a: a[:-2], lambda a: a[3:], lambda a: "MD5" + a[3:], lambda a: a[:3] + "0" * 32,
                   lambda a: "md5" + hashlib.md5((pw("app") + "app").encode()).hexdigest(), lambda a: pw("app")):
        c = wire.Client(p.addr, "app", "db0", login=False, timeout=4)
        c.send(startup({"user": "app", "database": "db0"}))
        m = c.recv()
        c.send(wire.password(change(md5_answer(m.body[4:8]))) + CANARY)
        msgs = c.rest()
        assert all(m.type == "E" for m in msgs), wire.describe_msgs(msgs)
        c.close()


def test_V_A16_query_sent_before_the_login_is_over(auth_poolers):
    """A right password and a query in one segment: the query may run after the login, never before; a wrong one never."""
    p = auth_poolers["plain"]
    c = enter_state(p, "asked")
    c.send(wire.password("wrong") + CANARY + sync())
    msgs = c.rest()
    assert [m.type for m in msgs] == ["E"], wire.describe_msgs(msgs)
    c = enter_state(p, "asked")
    c.send(wire.password(pw("app")) + q("SELECT 'after'"))
    kinds = ""
    try:
        while kinds.count("Z") < 2:
            kinds += c.recv().type
        assert kinds.index("Z") < kinds.index("T")
    except wire.Closed:
        assert "D" not in kinds
    c.close()


# ---- framing after login ----

def fate(client, data, canary=None):
    """What comes of data: messages until ReadyForQuery answers the canary, or the end."""
    try:
        client.send(data)
        client.send(q("SELECT 'canary'"))
    except (BrokenPipeError, ConnectionResetError):
        pass
    out = []
    client.sock.settimeout(4)
    try:
        while True:
            m = client.recv()
            out.append(m)
            if m.type == "D" and b"canary" in m.body:
                client.until("Z")
                return out, True
    except wire.Closed:
        return out, False
    except wire.Timeout:
        raise AssertionError(f"hangs; had {wire.describe_msgs(out)}")


LENGTHS = {
    "V-L01": bytes.fromhex("5100000003"),
    "V-L01 0": bytes.fromhex("5100000000"),
    "V-L03": bytes.fromhex("5180000000"),
    "V-L04": bytes.fromhex("51FFFFFFFF"),
    "V-L04 d": bytes.fromhex("64FFFFFFFF"),
    "V-L05": bytes.fromhex("507FFFFFFF"),
    "V-L05 B": bytes.fromhex("427FFFFFFF"),
    "V-L01 S": bytes.fromhex("5300000003"),
    "V-L01 X": bytes.fromhex("5800000002"),
    "V-L06 more": b"Q" + struct.pack("!I", MAX_PACKET + 6),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_impossible_lengths_are_an_error_and_the_end(pooler, name):
    p = pooler(max_packet_size=MAX_PACKET, pool_size=1, max_overflow=0)
    c = p.client()
    c.query("SELECT 1")
    out, canary = fate(c, LENGTHS[name])
    assert not canary
    assert out and out[-1].type == "E" and wire.fields(out[-1].body)["S"] == "FATAL", wire.describe_msgs(out)
    c.close()
    with p.client() as d:
        assert d.ask("SELECT 1").types == "TDCZ"
        d.quit()


@pytest.mark.parametrize("size", [MAX_PACKET - 2, MAX_PACKET - 1])
def test_V_L06_the_largest_packet_passes(pooler, size):
    p = pooler(max_packet_size=MAX_PACKET)
    with p.client() as c:
        sql = "SELECT 1 --"
        data = q(sql + "x" * (size - 5 - len(sql)))
        assert struct.unpack("!I", data[1:5])[0] == size
        c.send(data)
        assert c.result().rows == [("1",)]
        c.quit()


def test_V_L07_headers_in_pieces(vp):
    c = vp.client()
    data = q("SELECT 'whole'") + wire.extended("SELECT 'whole'")
    for size in (1, 2, 3, 4, 5, 6, 7):
        for i in range(0, len(data), size):
            c.send(data[i:i + size])
        for _ in range(2):
            assert c.result().rows == [("whole",)]
    c.quit()


@pytest.mark.parametrize("kind", ["Q", "B", "d", "P", "D", "C"])
def test_V_L08_a_gigabyte_announced_and_never_sent(vp, kind):
    """32 MB of it come, then the client dies: memory stays, the server is not left with half a message."""
    before = vp.rss_kb()
    c = vp.client()
    c.query("SELECT 1")
    try:
        c.send(kind.encode() + struct.pack("!I", 1 << 30))
        block = b"x" * 1048576
        for _ in range(32):
            c.send(block)
    except OSError:
        pass
    grown = vp.rss_kb() - before
    c.abort()
    assert grown < (150000 if vp.sanitized() else 8000), f"{grown} kB"
    with vp.client() as d:
        d.settimeout(10)
        assert d.ask("SELECT 1").types == "TDCZ"
        d.quit()


def p_raw(body):
    return msg("P", body)


FRAMES = {
    "V-F01 no NUL": msg("Q", b"SELECT 1"),
    "V-F01 empty body": msg("Q", b""),
    "V-F01 inner NUL": msg("Q", b"SELECT 1\0SELECT 2\0"),
    "V-F02 65535 params": p_raw(b"\0SELECT 1\0\xff\xff") + sync(),
    "V-F02 params short": p_raw(b"\0SELECT $1\0\0\x02\0\0\0\x17") + sync(),
    "V-F02 no count": p_raw(b"\0SELECT 1\0") + sync(),
    "V-F02 no NUL": p_raw(b"\0SELECT 1") + sync(),
    "V-F02 empty": p_raw(b"") + sync(),
    "V-F02 trailing": p_raw(b"\0SELECT 1\0\0\0rest") + sync(),
    "V-F03 65535 formats": parse("SELECT 1") + msg("B", b"\0\0\xff\xff") + sync(),
    "V-F03 65535 values": parse("SELECT 1") + msg("B", b"\0\0\0\0\xff\xff") + sync(),
    "V-F03 length -2": parse("SELECT $1::text") + msg("B", b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0") + sync(),
    "V-F03 length max": parse("SELECT $1::text") + msg("B", b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0") + sync(),
    "V-F03 beyond": parse("SELECT $1::text") + msg("B", b"\0\0\0\0\0\x01\0\0\0\x09abc") + sync(),
    "V-F03 trailing": parse("SELECT 1") + msg("B", b"\0\0\0\0\0\0\0\0rest") + sync(),
    "V-F03 empty": parse("SELECT 1") + msg("B", b"") + sync(),
    "V-F03 no NUL": parse("SELECT 1") + msg("B", b"abc") + sync(),
    "V-F04 close X": msg("C", b"Xa\0") + sync(),
    "V-F04 describe X": msg("D", b"Xa\0") + sync(),
    "V-F04 close no NUL": msg("C", b"Pa") + sync(),
    "V-F04 describe no NUL": msg("D", b"Pa") + sync(),
    "V-F04 close empty": msg("C") + sync(),
    "V-F04 describe empty": msg("D") + sync(),
    "V-F05 no rows": parse("SELECT 1") + bind() + msg("E", b"\0") + sync(),
    "V-F05 no NUL": parse("SELECT 1") + bind() + msg("E", b"a") + sync(),
    "V-F05 empty": parse("SELECT 1") + bind() + msg("E") + sync(),
    "V-F05 -1": parse("SELECT 1") + bind() + msg("E", b"\0\xff\xff\xff\xff") + sync(),
    "V-F06 65535 args": msg("F", struct.pack("!IHH", 1397, 0, 65535)),
    "V-F06 length -2": msg("F", struct.pack("!IHHi", 1397, 0, 1, -2)),
    "V-F06 short": msg("F", b"\0\0"),
    "V-F06 empty": msg("F"),
    "V-F07 d": msg("d", b"x"),
    "V-F07 c": msg("c"),
    "V-F07 f": msg("f", b"x\0"),
    "V-F07 f no NUL": msg("f", b"x"),
    "V-F08 p": msg("p", b"secret\0"),
    "V-F09 00": msg(b"\0", b"x"),
    "V-F09 m": msg("m", b"x"),
    "V-F09 z": msg("z", b"x"),
    "V-F09 ff": msg(b"\xff", b"x"),
    "V-F09 !": msg("!", b"x"),
    "V-F10 X body": msg("X", b"bye"),
    "V-F10 X more": terminate() + q("SELECT 'not any more'"),
    "V-F10 S body": msg("S", b"body"),
    "V-F10 H body": msg("H", b"body") + sync(),
    "V-F12 empty": q(""),
    "V-F12 semicolon": q(";"),
    "V-F12 comment": q("/* */"),
}
# where the connection goes with the message, whatever PostgreSQL does
CLOSE_ALLOWED = "E"


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("name", FRAMES)
def test_framing(pg, pooler_modes, mode, name):
    """As PostgreSQL answers it, or an error and the end; and the next client finds a server in order."""
    p = pooler_modes[mode]
    with pg.client() as d:
        want, want_alive = fate(d, FRAMES[name])
    c = p.client()
    c.query("SELECT 1")
    got, alive = fate(c, FRAMES[name])
    same = alive == want_alive and [m.type for m in got] == [m.type for m in want]
    closed = not alive and (not got or got[-1].type == "E" or "V-F10 X" in name)
    assert same or closed, f"PostgreSQL: {wire.describe_msgs(want)} alive={want_alive}; here: {wire.describe_msgs(got)} alive={alive}"
    if closed and not same and want_alive:
        assert got and got[-1].type == "E", "closed without a word"
    c.close()
    with p.client() as d:
        d.settimeout(8)
        assert d.ask("SELECT 1").types == "TDCZ"
        d.quit()


@pytest.fixture(scope="module")
def pooler_modes(top, pg):
    made = {m: Pooler(pg, f"{top}/vf-{m}", pool_mode=m, pool_size=1, max_overflow=0, pool_timeout=6).start()
            for m in ("transaction", "session")}
    yield made
    problems = []
    for p in made.values():
        try:
            p.stop()
        except AssertionError as e:
            problems.append(str(e))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.mark.parametrize("held", ["idle", "in transaction", "in copy"])
def test_every_type_byte_after_login(pg, pooler_modes, held):
    """256 types with an empty body, in three situations: never a hang, never a follower that suffers."""
    p = pooler_modes["transaction"]
    for kind in range(256):
        c = p.client()
        c.send(q("SELECT 1" if held == "idle" else "BEGIN" if held == "in transaction" else "COPY sink FROM STDIN"))
        c.until("ZG")
        try:
            c.send(msg(bytes([kind])) + terminate())
            c.rest(5)
        except (BrokenPipeError, ConnectionResetError):
            pass
        c.close()
        with p.client() as d:
            d.settimeout(8)
            r = d.ask("SELECT 'next'")
            assert r.types == "TDCZ" and r.status == "I", (kind, wire.describe_msgs(r.msgs))
            d.quit()


def test_V_F13_a_hundred_thousand_syncs_without_reading(vp):
    before = vp.rss_kb()
    c = vp.client(timeout=30)
    c.query("SELECT 1")
    c.send(sync() * 100000)
    time.sleep(0.3)
    assert vp.rss_kb() - before < (150000 if vp.sanitized() else 16000)
    msgs = c.until("Z", 100000)
    assert len(msgs) == 100000
    assert c.value("SELECT 1") == "1"
    c.quit()


def test_random_bytes_at_every_stage(vp, auth_poolers):
    """Not a fuzzer, only its first minute."""
    import random
    rnd = random.Random(77)
    for i in range(300):
        stage = i % 4
        if stage == 0:
            c = vp.conn(timeout=8)
        elif stage == 1:
            c = vp.client()
        elif stage == 2:
            c = enter_state(auth_poolers["scram-sha-256"], "asked")
        else:
            c = enter_state(auth_poolers["md5"], "asked")
        data = bytes(rnd.getrandbits(8) for _ in range(rnd.randrange(1, 60)))
        if stage == 1 and i % 8 < 4:
            data = b"".join(msg(bytes([rnd.choice(b"QPBEDCSHFdcfpX")]), bytes(rnd.getrandbits(8) for _ in range(rnd.randrange(0, 20))))
                            for _ in range(6))
        try:
            c.send(data)
        except OSError:
            pass
        c.abort() if i % 3 else c.close()
    for p in (vp, *auth_poolers.values()):
        with p.client() as d:
            d.settimeout(10)
            assert d.ask("SELECT 1").types == "TDCZ"
            d.quit()
