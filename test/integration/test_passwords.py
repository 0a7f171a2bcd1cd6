"""Passwords of other letters than ASCII's, from libpq through the pooler to PostgreSQL, on both legs by every method."""

import os
import subprocess

import pytest

from harness import scram, wire
from harness.owner import own
from harness.pooler import sanitizer_env

# in Unicode's normal form KC, or no Unicode at all: what SASLprep leaves as it is
PASSWORDS = {"latin": "größe", "kana": "パスワード", "face": "😀😀", "long": "ä" * 200, "blank": " a  b ", "quote": "a\"b'c\\d",
             "control": "a\tb\x7f", "latin1": b"gr\xf6\xdfe", "broken": b"a\xe2\x82", "surrogate": b"\xed\xa0\x80", "overlong": b"\xc0\xaf"}


@pytest.mark.parametrize("form", ["plain", "scram"])
@pytest.mark.parametrize("auth_type", ["plain", "md5", "scram-sha-256"])
def test_letters(pg, pooler, auth_type, form):
    p = pooler(auth_type=auth_type, start=False)
    lines = []
    for name, password in PASSWORDS.items():
        raw = password if isinstance(password, bytes) else password.encode()
        role, secret = f"letters_{name}", scram.secret(raw, salt=b"salt of letters!")
        pg.sql(f"DO $$BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$; ALTER ROLE {role} PASSWORD '{secret}'")
        kept = raw if form == "plain" else secret.encode()
        lines.append(b'"%s" "%s"\n' % (role.encode(), kept.replace(b'"', b'""')))
    with open(p.auth_file, "ab") as f:
        f.write(b"".join(lines))
    own(p.auth_file)
    p.start()
    for name, password in PASSWORDS.items():
        raw = password if isinstance(password, bytes) else password.encode()
        for given, may in ((raw, True), (raw[:-1], False)):
            env = {os.fsencode(k): os.fsencode(v) for k, v in sanitizer_env().items()}
            env[b"PGPASSWORD"] = given
            r = subprocess.run(["psql", "-XAtqw", "-h", "127.0.0.1", "-p", str(p.port), "-U", f"letters_{name}", "-d", "db0", "-c",
                                "SELECT current_user"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            if may:
                assert r.stdout == f"letters_{name}\n".encode(), (name, r.stderr)
            else:
                assert r.returncode and b"authentication failed" in r.stderr, (name, given, r)


# (what the role was given, what else fits it by SCRAM, a near miss); PostgreSQL makes the secret
PREPARED = {
    "decomposed": ("scho\u0308n", "sch\u00f6n", "schon"),
    "composed": ("sch\u00f6n", "scho\u0308n", "scho\u0308"),
    "ligature": ("\ufb01sh\u00aa", "fisha", "fish"),
    "roman": ("\u2168", "IX", "I"),
    "hyphen": ("I\u00adX\u00e9", "IXe\u0301", "IXe"),
    "blanks": ("a\u00a0\u3000b", "a  b", "a b"),
    "marks": ("q\u0307\u0323", "q\u0323\u0307", "q\u0307"),
    "order": ("\u05d0 \u05d1", "\u05d0\u2003\u05d1", "\u05d1 \u05d0"),
    # as they are
    "bidi": ("\u06271\u00aa", None, "\u06271a"),
    "new": ("\U0001f600\u00aa", None, "\U0001f600a"),
    "deprecated": ("a\u0340\u00aa", None, "\u00e0\u00aa"),
    "private": ("\u00aa\ue000", None, "a\ue000"),
}


def say(p, user, password):
    """None, or why psql did not get in."""
    env = {os.fsencode(k): os.fsencode(v) for k, v in sanitizer_env().items()}
    env[b"PGPASSWORD"] = password.encode()
    r = subprocess.run(["psql", "-XAtqw", "-h", "127.0.0.1", "-p", str(p.port), "-U", user, "-d", "db0", "-c", "SELECT 'in'"],
                       env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert r.returncode or r.stdout == b"in\n", r
    return r.stderr.decode() if r.returncode else None


def role_of(pg, name, how):
    role, given = f"prep_{name}_{how[:1]}", PREPARED[name][0]
    pg.sql(f"SET password_encryption='{how}'; DO $$BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$; "
           f"ALTER ROLE {role} PASSWORD '{given}'; RESET password_encryption")
    return role, pg.value(f"SELECT rolpassword FROM pg_authid WHERE rolname='{role}'")


@pytest.mark.parametrize("auth_type,kept", [("scram-sha-256", "plain"), ("scram-sha-256", "alike"), ("scram-sha-256", "secret"), ("plain", "secret"),
                                            ("md5", "secret"), ("trust", "alike")])
def test_prepared(pg, pooler, auth_type, kept):
    """SCRAM on both legs with passwords that SASLprep changes: as PostgreSQL itself takes them from libpq."""
    roles = {n: role_of(pg, n, "scram-sha-256") for n in PREPARED}
    p = pooler(auth_type=auth_type, userlist={
        role: {"plain": PREPARED[n][0], "alike": PREPARED[n][1] or PREPARED[n][0], "secret": secret}[kept] for n, (role, secret) in roles.items()})
    for name, (given, alike, wrong) in PREPARED.items():
        role = roles[name][0]
        for typed in (given, alike or given):
            assert say(p, role, typed) is None, (name, typed)
        if auth_type != "trust":
            assert "authentication failed" in say(p, role, wrong), name


def test_never_prepared(pg, pooler):
    """md5 takes the bytes, and so does a password that is compared with a password."""
    given, alike, _ = PREPARED["decomposed"]
    role, secret = role_of(pg, "decomposed", "md5")
    p = pooler(auth_type="md5", databases={"db0": "user=trusty"}, userlist={role: secret, "trusty": ""})
    assert say(p, role, given) is None and "authentication failed" in say(p, role, alike)
    p = pooler(auth_type="plain", databases={"db0": "user=trusty"}, userlist={role: given, "trusty": ""})
    assert say(p, role, given) is None and "authentication failed" in say(p, role, alike)


def test_prepared_for_servers(pg, pooler, tmp_path):
    """password= and password_file=."""
    role, _ = role_of(pg, "ligature", "scram-sha-256")
    given, alike, wrong = PREPARED["ligature"]
    p = pooler(auth_type="trust", userlist={"trusty": "", role: ""}, start=False)
    for name, password in (("given", given), ("alike", alike), ("wrong", wrong)):
        path = os.path.join(p.top, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(password + "\n")
        own(path)
        p.databases[f"f_{name}"] = f"dbname=db0 user={role} password_file={path}"
        p.databases[f"p_{name}"] = f"dbname=db0 user={role} password='{password}'"
    p.write()
    p.start()
    for name in ("f_given", "f_alike", "p_given", "p_alike"):
        with p.client("trusty", database=name) as c:
            assert c.value("SELECT session_user") == role
    for name in ("f_wrong", "p_wrong"):
        with pytest.raises(wire.PgError) as e:
            p.client("trusty", database=name).value("SELECT 1")
        assert "password authentication failed" in e.value.text, e.value.text
