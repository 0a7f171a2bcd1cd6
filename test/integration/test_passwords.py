"""Passwords of other letters than ASCII's, from libpq through the pooler to PostgreSQL, on both legs by every method."""

import os
import subprocess

import pytest

from harness import scram
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
