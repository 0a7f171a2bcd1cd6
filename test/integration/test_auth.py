"""Who gets in, who does not, and what they can tell from it."""

import hashlib
import random
import statistics
import struct
import time

import pytest

from harness import scram, wire
from harness.cluster import pw
from harness.pooler import ADMIN_DB, SECTION
from harness.wire import cstr, msg, q

TYPES = ["plain", "md5", "scram-sha-256"]
# of [pgbouncer], of [fynixpool]
CODES = {"database": ("08P01",) if SECTION == "pgbouncer" else ("3D000",)}
ASKS = {"plain": 3, "md5": 5, "scram-sha-256": 10}


def stored(user, form):
    return {"plain": pw(user), "md5": scram.md5_secret(user, pw(user)), "scram": scram.secret(pw(user))}[form]


def server_user(p):
    """Clients log in as anybody, servers as trusty: the two legs are tested apart."""
    return {"db0": "user=trusty"}


# ---- the client's leg ----

GOOD = [("plain", "plain", [3]), ("plain", "md5", [3]), ("plain", "scram", [3]),
        ("md5", "plain", [5]), ("md5", "md5", [5]), ("md5", "scram", [10, 11, 12]),
        ("scram-sha-256", "plain", [10, 11, 12]), ("scram-sha-256", "scram", [10, 11, 12])]


@pytest.mark.compat
@pytest.mark.parametrize("auth_type,form,asked", GOOD, ids=[f"{a}-stored-{f}" for a, f, _ in GOOD])
def test_right_password_enters_wrong_and_empty_do_not(pooler, auth_type, form, asked):
    p = pooler(auth_type=auth_type, databases=server_user(None), userlist={"u": stored("u", form), "trusty": "", "admin": pw("admin")})
    c = p.client("u")
    assert c.auth == asked + [0], c.auth
    assert c.value("SELECT current_user") == "trusty"
    # T-AUTH-11: a connection that is pooled already opens no door
    for wrong in ("wrong", "", pw("u") + "x", pw("u")[:-1], stored("u", "md5"), stored("u", "scram")):
        with pytest.raises((wire.PgError, wire.Closed)) as e:
            p.client("u", password=wrong)
        if isinstance(e.value, wire.PgError):
            assert "authentication failed" in e.value.text or "empty password" in e.value.text, e.value
            assert e.value.severity == "FATAL"
    assert c.value("SELECT 1") == "1"
    c.quit()
    # the console is no exception
    with pytest.raises((wire.PgError, wire.Closed)):
        p.admin(password="wrong")
    assert p.show("VERSION")


@pytest.mark.compat
def test_scram_cannot_be_proved_against_an_md5_secret(pooler):
    p = pooler(auth_type="scram-sha-256", databases=server_user(None), userlist={"u": stored("u", "md5"), "trusty": ""})
    with pytest.raises((wire.PgError, wire.Closed)):
        p.client("u")


def test_empty_stored_password_lets_nobody_in(pooler):
    """V-A20."""
    for auth_type in TYPES:
        p = pooler(auth_type=auth_type, databases=server_user(None), userlist={"u": "", "trusty": ""})
        for given in ("", "x"):
            with pytest.raises((wire.PgError, wire.Closed)):
                p.client("u", password=given)


@pytest.mark.compat
def test_trust_wants_a_known_name_and_no_password(pooler):
    p = pooler(auth_type="trust", databases=server_user(None), userlist={"u": "", "trusty": ""})
    c = p.client("u", password="whatever")
    assert c.auth == [0] and c.value("SELECT 1") == "1"
    with pytest.raises(wire.PgError) as e:
        p.client("stranger")
    assert "authentication failed" in e.value.text
    c.quit()


def failure(p, user, password, database="db0"):
    """What the refused one sees: message types, auth codes, and the error without the name in it."""
    c = wire.Client(p.addr, user, database, password, login=False)
    c.send(wire.startup({"user": user, "database": database}))
    try:
        c.login()
    except wire.PgError as e:
        rest = c.rest(5)
        assert not rest, wire.describe_msgs(rest)
        f = {k: v.replace(user, "USER") for k, v in e.fields.items()}
        return c.seq, tuple(c.auth), f
    finally:
        c.close()
    raise AssertionError(f"{user} with {password!r} got in")


@pytest.mark.compat
@pytest.mark.parametrize("auth_type", TYPES)
def test_unknown_user_looks_like_wrong_password(pooler, auth_type):
    """K1: text and sequence."""
    p = pooler(auth_type=auth_type)
    wrong = failure(p, "app", "wrong")
    assert failure(p, "stranger", "wrong") == wrong
    assert failure(p, "stranger", "wrong", "no_such_db") == wrong
    assert failure(p, "app", "wrong", "no_such_db") == wrong
    if SECTION == "pgbouncer":
        text = "SASL authentication failed" if auth_type == "scram-sha-256" else "password authentication failed"
        assert (wrong[2]["C"], wrong[2]["M"]) == ("08P01", text)
    else:
        assert (wrong[2]["C"], wrong[2]["M"]) == ("28P01", 'password authentication failed for user "USER"')
    assert wrong[1][0] == ASKS[auth_type]


@pytest.mark.parametrize("auth_type", TYPES)
def test_a_wrong_password_in_the_words_of_each_profile(pooler, auth_type):
    said = {}
    for section in ("fynixpool", "pgbouncer"):
        fields = failure(pooler(section=section, auth_type=auth_type), "app", "wrong")[2]
        said[section] = fields["S"], fields["C"], fields["M"]
    assert said["fynixpool"] == ("FATAL", "28P01", 'password authentication failed for user "USER"')
    assert said["pgbouncer"] == ("FATAL", "08P01", ("SASL" if auth_type == "scram-sha-256" else "password") + " authentication failed")


def challenge(p, user):
    c = wire.Client(p.addr, user, "db0", login=False)
    c.send(wire.startup({"user": user, "database": "db0"}))
    assert c.recv().type == "R"
    first = scram.Scram("x").first()
    c.send(msg("p", cstr("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
    m = c.recv()
    c.close()
    assert m.type == "R"
    return dict(a.split("=", 1) for a in m.body[4:].decode().split(","))


def test_mock_scram_challenge_looks_real(pooler):
    """K1: same iterations, a salt of the same size that is the same every time and differs between names."""
    p = pooler(auth_type="scram-sha-256", userlist={"u": stored("u", "scram"), "trusty": ""})
    real, a1, a2, b = (challenge(p, u) for u in ("u", "alice", "alice", "bob"))
    assert challenge(p, "u")["s"] == real["s"]
    assert a1["s"] == a2["s"] and a1["s"] != b["s"]
    assert len(a1["s"]) == len(real["s"]) and a1["i"] == real["i"] == "4096"
    assert len(a1["r"]) == len(real["r"]) and a1["r"] != a2["r"]


def test_mock_scram_salt_of_plain_secrets_is_stable_too(pooler):
    """A name whose secret we derive ourselves must not stand out by a salt that changes."""
    p = pooler(auth_type="scram-sha-256")
    assert (challenge(p, "app")["s"] == challenge(p, "app")["s"]) == (challenge(p, "ghost")["s"] == challenge(p, "ghost")["s"])
    assert challenge(p, "app")["i"] == challenge(p, "ghost")["i"]
    assert len(challenge(p, "app")["s"]) == len(challenge(p, "ghost")["s"])


def test_T_AUTH_20_unknown_user_takes_as_long_as_wrong_password(pooler):
    """Short form: of 150 tries each, in pairs of neighbours, the median difference is within 20 % or 0.3 ms (test/timing/unknown-user is the long
    one). In pairs, because a machine may be three times slower from one second to the next."""
    p = pooler(auth_type="scram-sha-256", userlist={"u": stored("u", "scram"), "trusty": ""})
    times = {"u": [], "stranger": []}

    def once(user):
        c = wire.Client(p.addr, user, "db0", login=False)
        c.send(wire.startup({"user": user, "database": "db0"}))
        c.recv()
        s = scram.Scram("wrong")
        first = s.first()
        t = time.perf_counter()
        c.send(msg("p", cstr("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
        m = c.recv()
        t1 = time.perf_counter() - t
        final = s.final(m.body[4:])
        t = time.perf_counter()
        c.send(msg("p", final))
        assert c.recv().type == "E"
        times[user].append(t1 + time.perf_counter() - t)
        c.close()

    chance = random.Random(20)
    for _ in range(150):
        for user in chance.sample(("u", "stranger"), 2):    # so that neither is always the same worker's
            once(user)
    a, b = (statistics.median(times[u]) for u in ("u", "stranger"))
    apart = statistics.median(x - y for x, y in zip(times["u"], times["stranger"]))
    assert abs(apart) < max(0.2 * max(a, b), 0.0003), (apart, a, b)


@pytest.mark.compat
@pytest.mark.parametrize("auth_type", ["trust"] + TYPES)
def test_missing_database_is_revealed_only_after_the_proof(pooler, auth_type):
    p = pooler(auth_type=auth_type)
    with pytest.raises(wire.PgError) as e:
        p.client("app", "nosuchdb")
    assert e.value.text == "no such database: nosuchdb" and e.value.code in CODES["database"] and e.value.severity == "FATAL"
    if auth_type != "trust":
        assert "no such database" not in failure(p, "app", "wrong", "nosuchdb")[2]["M"]


@pytest.mark.compat
def test_T_AUTH_12_md5_response_cannot_be_replayed(pooler):
    p = pooler(auth_type="md5")
    inner = hashlib.md5((pw("app") + "app").encode()).hexdigest()
    answer, salts = None, set()
    for i in range(3):
        c = wire.Client(p.addr, "app", "db0", login=False)
        c.send(wire.startup({"user": "app", "database": "db0"}))
        m = c.recv()
        salts.add(m.body[4:8])
        if answer is None:
            answer = "md5" + hashlib.md5(inner.encode() + m.body[4:8]).hexdigest()
        c.send(wire.password(answer))
        m = c.recv()
        if i == 0:
            assert m.type == "R" and m.body == b"\0\0\0\0"
        else:
            assert m.type == "E"
        c.close()
    assert len(salts) == 3


# ---- identity cannot be swapped half-way ----

@pytest.mark.parametrize("database", ["db0", "nosuchdb", ADMIN_DB])
@pytest.mark.parametrize("step", ["asked", "first", "final"])
@pytest.mark.parametrize("auth_type", TYPES)
def test_T_LOGIN_02_second_startup_message(pooler, auth_type, step, database):
    """V-A13: while the proof of one user is on its way, the name cannot become another's."""
    if auth_type != "scram-sha-256" and step == "first":
        step = "asked_after_ssl"
    p = pooler(auth_type=auth_type)
    c = wire.Client(p.addr, "app", database, pw("app"), login=False)
    if step == "asked_after_ssl":
        c.send(wire.request(wire.SSL_REQUEST))
        assert c.recv_exact(1) == b"N"
    c.send(wire.startup({"user": "app", "database": database}))
    m = c.recv()
    assert m.type == "R"
    again = wire.startup({"user": "admin", "database": ADMIN_DB})
    proof = b""
    if auth_type == "plain":
        proof = wire.password(pw("app"))
    elif auth_type == "md5":
        inner = hashlib.md5((pw("app") + "app").encode()).hexdigest()
        proof = wire.password("md5" + hashlib.md5(inner.encode() + m.body[4:8]).hexdigest())
    else:
        s = scram.Scram(pw("app"))
        first = s.first()
        first_msg = msg("p", cstr("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first)
        if step in ("first", "final"):
            c.send(first_msg)
            m = c.recv()
            assert m.type == "R"
            proof = msg("p", s.final(m.body[4:]))
        else:
            proof = first_msg
    if step == "final":
        c.send(proof + again + q("SHOW VERSION") + q("SELECT current_user"))
    else:
        c.send(again + proof + q("SHOW VERSION") + q("SELECT current_user"))
    msgs = c.rest(5)
    kinds = "".join(m.type for m in msgs)
    assert "D" not in kinds and "T" not in kinds, wire.describe_msgs(msgs)
    if step != "final":
        assert not any(m.type == "R" and m.body[:4] == b"\0\0\0\0" for m in msgs), wire.describe_msgs(msgs)
        assert "Z" not in kinds
    assert p.show("VERSION"), "the pooler lives"


# ---- the server's leg ----

@pytest.mark.compat
@pytest.mark.parametrize("user,form", [("trusty", "plain"), ("plainy", "plain"), ("mdfive", "plain"), ("mdfive", "md5"), ("scrammy", "plain")])
def test_login_to_server(pooler, user, form):
    """With what the auth_file holds."""
    p = pooler(userlist={user: stored(user, form)})
    with p.client(user) as c:
        assert c.value("SELECT current_user") == user
        c.quit()


@pytest.mark.compat
@pytest.mark.parametrize("user", ["trusty", "plainy", "mdfive", "scrammy"])
@pytest.mark.parametrize("auth_type", ["trust"] + TYPES)
def test_every_client_method_meets_every_server_method(pooler, auth_type, user):
    p = pooler(auth_type=auth_type)
    with p.client(user) as c:
        assert c.value("SELECT current_user") == user
        c.quit()


@pytest.mark.compat
@pytest.mark.parametrize("user", ["plainy", "mdfive", "scrammy"])
def test_server_refuses_our_password_in_its_own_words(pg, pooler, user):
    p = pooler(userlist={user: "not-it"})
    with pg.client("scrammy") as d:
        d.quit()
    with pytest.raises(wire.PgError) as want:
        wire.Client(pg.addr, user, "db0", "not-it")
    assert want.value.text in first_error(p, user, "db0")


@pytest.mark.compat
def test_server_refuses_by_hba_in_its_own_words(pooler):
    p = pooler()
    text = first_error(p, "nobody", "db0")
    assert "pg_hba.conf rejects connection" in text


@pytest.mark.compat
def test_server_has_no_such_database_in_its_own_words(pooler):
    p = pooler(databases={"gone": "dbname=really_gone"})
    assert 'database "really_gone" does not exist' in first_error(p, "app", "gone")


def first_error(p, user, database):
    try:
        c = p.client(user, database)
    except wire.PgError as e:
        return e.text
    try:
        return c.ask("SELECT 1").error["M"]
    except wire.Closed as e:
        return wire.fields(e.msgs[0].body)["M"]
    finally:
        c.close()


@pytest.mark.compat
def test_forced_user_of_a_database(pooler):
    p = pooler(databases={"db0": f"user=app2 password={pw('app2')}"})
    with p.client("app") as a, p.client("scrammy") as b:
        assert a.value("SELECT current_user") == "app2"
        assert b.value("SELECT current_user") == "app2"
        a.quit(), b.quit()
    assert p.pool("db0", "app2")["sv_idle"] == 1


@pytest.mark.compat
def test_auth_file_is_read_again_on_reload(pooler):
    p = pooler(auth_type="scram-sha-256", databases=server_user(None))
    with pytest.raises(wire.PgError):
        p.client("app", password="new-one")
    p.userlist["app2"] = "new-one"
    p.userlist["brandnew"] = "bn"
    p.write()
    p.reload()
    with p.client("app2", password="new-one") as c, p.client("brandnew", password="bn") as d:
        assert c.value("SELECT 1") == d.value("SELECT 1") == "1"
        c.quit(), d.quit()
    with pytest.raises(wire.PgError):
        p.client("app2")


@pytest.mark.compat
@pytest.mark.parametrize("name", ["x' OR '1'='1", "$1", "\\'", 'quo"te', "sp ace", "x" * 63, "tail\x5c", "ümlaut"])
def test_odd_names_are_only_names(pooler, name):
    """T-AUTH-08 and V-S20, as far as files go."""
    p = pooler(auth_type="scram-sha-256", databases=server_user(None), userlist={name: "odd", "trusty": "", "admin": pw("admin")})
    with p.client(name, password="odd") as c:
        assert c.value("SELECT 1") == "1"
        c.quit()
    with pytest.raises(wire.PgError):
        p.client(name + "x", password="odd")


@pytest.mark.compat
def test_passwords_are_in_no_log(pooler):
    """L2."""
    p = pooler(auth_type="plain", verbose=3, userlist={"scrammy": "canary-scrammy", "plainy": pw("plainy"), "admin": pw("admin")})
    with pytest.raises(wire.PgError):
        p.client("scrammy", password="canary-wrong")
    with p.client("plainy") as c:
        c.query("SELECT 1")
        c.quit()
    p.console("SHOW CONFIG")
    text = p.log_text() + open(p.err).read()
    assert "canary-" not in text and pw("plainy") not in text
