"""fynixpool auth-test: every step is told, and the status is that of the whole."""

import os
import subprocess

import pytest

from harness import scram
from harness.cluster import pw
from harness.owner import own, owner_run
from harness.pooler import BINARY, sanitizer_env


def ask(p, *args, password=None):
    """(status, lines of stdout, stderr)"""
    r = subprocess.run(owner_run([BINARY, "auth-test", *args, p.ini]), input="" if password is None else password + "\n", text=True,
                       capture_output=True, timeout=60, env=sanitizer_env(), cwd=p.top)
    assert "Sanitizer" not in r.stderr, r.stderr
    assert password is None or len(password) < 4 or password not in r.stdout + r.stderr
    return r.returncode, r.stdout, r.stderr


@pytest.fixture
def cold(maker, pg):
    return lambda **kw: maker(pg, start=False, **kw)


@pytest.mark.parametrize("auth_type", ["plain", "md5", "scram-sha-256"])
def test_through(cold, auth_type):
    p = cold(auth_type=auth_type)
    status, out, err = ask(p, "-d", "db0", "app", password=pw("app"))
    assert status == 0, out + err
    assert f"ok  auth_type decides: {auth_type}" in out
    assert "--  auth_file has a password of the user" in out
    assert f"ok  the client's proof is taken ({auth_type})" in out
    assert '--  for user "app" at the server, auth_file is what counts' in out
    assert 'lets user "app" in to database "db0" (no TLS)' in out
    assert out.endswith("This user gets through.\n")
    # the other half is told in any case
    status, out, err = ask(p, "-d", "db0", "app", password="wrong-password")
    assert status == 1 and "no  the client is refused: wrong password" in out and "ok  PostgreSQL" in out
    status, out, err = ask(p, "-d", "db0", "app")
    assert status == 1 and "no  a password is asked for, and none was given" in out
    status, out, err = ask(p, "-d", "db0", "stranger", password="x")
    assert status == 1 and "does not have the user" in out


@pytest.mark.parametrize("auth_type", ["plain", "md5", "scram-sha-256"])
def test_either_password_of_a_rotation(cold, auth_type):
    p = cold(auth_type=auth_type, databases={"db0": "user=trusty"}, userlist={"app": ("the-old-one", "the-new-one"), "trusty": ""})
    for password in ("the-old-one", "the-new-one"):
        status, out, err = ask(p, "-d", "db0", "app", password=password)
        assert status == 0 and f"ok  the client's proof is taken ({auth_type})" in out, out + err
    status, out, err = ask(p, "-d", "db0", "app", password="neither-of-them")
    assert status == 1 and "no  the client is refused: wrong password" in out


def test_pass_through_and_what_differs(cold, pg):
    stored = pg.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")[0][0]
    p = cold(auth_type="scram-sha-256", userlist={"app": stored, "app2": scram.secret(pw("app2"))})
    status, out, err = ask(p, "-d", "db0", "app", password=pw("app"))
    assert status == 0, out + err
    assert "auth_file has a SCRAM secret (4096 iterations) of the user" in out
    status, out, err = ask(p, "-d", "db0", "app2", password=pw("app2"))
    assert status == 1 and "ok  the client's proof is taken" in out
    assert "no  the server does not let the pooler in: password authentication failed" in out
    assert "the salt differs" in err


def test_rules(cold):
    p = cold(auth_type="hba")
    with open(p.top + "/hba.conf", "w") as f:
        f.write("host db0 app 10.0.0.0/8 scram-sha-256\nhostssl all all all trust\nlocal all all md5\nhost all all 192.0.2.0/24 reject\n")
    own(p.top + "/hba.conf")
    p.set(auth_hba_file=p.top + "/hba.conf")
    for args, password, status, text in (
            (["--address", "10.1.1.1"], pw("app"), 0, "hba.conf:1 decides: scram-sha-256"),
            (["--address", "11.1.1.1", "--tls"], None, 0, "hba.conf:2 decides: trust"),
            (["--address", "local"], pw("app"), 0, "hba.conf:3 decides: md5"),
            (["--address", "192.0.2.7"], None, 1, "hba.conf:4 rejects"),
            ([], None, 1, "no line of auth_hba_file fits")):
        got, out, err = ask(p, "-d", "db0", *args, "app", password=password)
        assert got == status and text in out, (args, out, err)


def test_what_the_server_may_ask(cold, pg):
    p = cold(auth_type="trust", databases={"db0": "require_auth=none", "db1": "port=1", "db2": "user=nobody2 password=x"})
    status, out, err = ask(p, "-d", "db0", "app")
    assert status == 1 and 'authentication method requirement "none" failed' in out
    status, out, err = ask(p, "-d", "db1", "app")
    assert status == 1 and "no  the server does not let the pooler in: connect failed: Connection refused" in out
    status, out, err = ask(p, "-d", "db2", "app")
    assert status == 1 and 'for user "nobody2" at the server, password= of the database is what counts' in out and "SQLSTATE 28P01" in out
    status, out, err = ask(p, "-d", "nowhere", "app")
    assert status == 1 and '[databases] has no "nowhere"' in out
    status, out, err = ask(p, "-d", "fynixpool", "admin")
    assert status == 0 and "the console: the user is in admin_users" in out


def test_who_would_be_looked_up(cold):
    p = cold(auth_type="scram-sha-256", auth_user="admin", userlist={"admin": "x"})
    status, out, err = ask(p, "-d", "db0", "app", password=pw("app"))
    assert status == 0 and "auth_query would be asked" in out and "what was typed is what counts" in out, out + err
    status, out, err = ask(p, "-d", "db0", "app", password="wrong-password")
    assert status == 1 and "SQLSTATE 28P01" in out


def test_a_password_command(cold):
    p = cold(auth_type="trust", databases={"db0": "user=app password_command='/bin/echo %s'" % pw("app"),
                                           "db1": "user=app password_command='/bin/sh -c ''echo sealed >&2; exit 3'''"})
    status, out, err = ask(p, "-d", "db0", "app")
    assert status == 0 and "password_command is what counts" in out, out + err
    status, out, err = ask(p, "-d", "db1", "app")
    assert status == 1 and "password_command ended with status 3" in out and "password_command says: sealed" in err


def test_the_command_line(cold):
    p = cold()
    for args, text in ((["auth-test", "app"], "needs a user"), (["auth-test", "--address", "host.example", "app", p.ini], "no numeric address"),
                       (["auth-test", "app", p.ini, "more"], "needs a user"), (["auth-test", "--no-such", "app"], "auth-test --help"),
                       (["auth-test"], 'auth-test')):
        r = p.run(*args)
        assert r.returncode == 1 and text in r.stderr, (args, r.stderr)
    r = p.run("auth-test", "--help")
    assert r.returncode == 0 and "auth-test follows one user" in r.stdout
    assert not os.path.exists(p.pidfile)
