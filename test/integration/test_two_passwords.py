"""A password is replaced by another while everything goes on: two in auth_file, towards clients and towards PostgreSQL."""

import pytest

from harness import scram, wire

# an md5 secret proves nothing by SCRAM
PAIRS = [(a, f) for a in ("plain", "md5", "scram-sha-256") for f in ("plain", "md5", "scram") if (a, f) != ("scram-sha-256", "md5")]
SALT = b"0123456789abcdef"


def forms(user, old, new, form):
    if form == "plain":
        return new, old
    if form == "md5":
        return scram.md5_secret(user, new), scram.md5_secret(user, old)
    return scram.secret(new, salt=SALT), scram.secret(old, salt=SALT)


@pytest.mark.parametrize("auth_type,form", PAIRS)
def test_clients_come_in_by_either(pooler, auth_type, form):
    p = pooler(auth_type=auth_type, databases={"db0": "user=trusty"}, userlist={"u": forms("u", "old", "new", form), "trusty": ""})
    for given in ("new", "old", "new"):
        with p.client("u", password=given) as c:
            assert c.value("SELECT current_user") == "trusty"
    for given in ("older", "", "newold"):
        with pytest.raises((wire.PgError, wire.Closed)):
            p.client("u", password=given)


def test_rotation_without_a_failed_login(pooler, pg):
    """The order of the manual: the new one beside the old, then ALTER ROLE, then the old one goes."""
    pg.sql("CREATE ROLE turner LOGIN PASSWORD 'old-pw'")
    try:
        p = pooler(auth_type="scram-sha-256", userlist={"turner": "old-pw", "admin": "pw-admin"})

        def works(given):
            with p.client("turner", password=given) as c:
                assert c.value("SELECT current_user") == "turner"

        works("old-pw")
        p.userlist["turner"] = ("new-pw", "old-pw")
        p.write()
        p.reload()
        for given in ("old-pw", "new-pw"):
            works(given)
        pg.sql("ALTER ROLE turner PASSWORD 'new-pw'")
        p.console("RECONNECT")
        for given in ("old-pw", "new-pw"):
            works(given)
        p.userlist["turner"] = "new-pw"
        p.write()
        p.reload()
        works("new-pw")
        with pytest.raises(wire.PgError):
            works("old-pw")
    finally:
        p.stop()
        pg.sql("DROP ROLE turner")


def test_pass_through_of_two_secrets(pooler, pg):
    """Either client's key is kept for the server that has its secret; the other's login does not push it out."""
    old, new = scram.secret("old-pw", salt=SALT), scram.secret("new-pw", salt=SALT)
    pg.sql(f"CREATE ROLE passer LOGIN PASSWORD '{old}'")
    try:
        p = pooler(auth_type="scram-sha-256", pool_size=2, server_login_retry="100ms",
                   userlist={"passer": (new, old), "admin": "pw-admin"})

        def who(given):
            with p.client("passer", password=given) as c:
                return c.value("SELECT current_user")

        assert who("old-pw") == "passer"
        p.console("RECONNECT")
        assert who("new-pw") == "passer"
        pg.sql(f"ALTER ROLE passer PASSWORD '{new}'")
        p.console("RECONNECT")
        assert who("old-pw") == "passer"
        assert who("new-pw") == "passer"
    finally:
        p.stop()
        pg.sql("DROP ROLE passer")


def test_two_salts_are_an_error(pooler):
    p = pooler(start=False, userlist={"u": (scram.secret("a"), scram.secret("b"))})
    r = p.run("-t", p.ini)
    assert r.returncode == 1 and "differ in salt or iterations" in r.stderr


def test_the_log_says_which_part_of_a_secret_differs(pooler, pg):
    """The client gets in, its key does not get into PostgreSQL: the log says why, and the client gets one clear error."""
    ours = scram.secret("pw", salt=SALT)
    differ = {"salt": (scram.secret("pw", salt=b"another salt here"[:16]), "the salt differs"),
              "iterations": (scram.secret("pw", iterations=5000, salt=SALT), "iterations differ \\(5000 there, 4096 here\\)"),
              "key": (scram.secret("other", salt=SALT), "the StoredKey is not")}
    for name, (theirs, text) in differ.items():
        pg.sql(f"CREATE ROLE differ LOGIN PASSWORD '{theirs}'")
        p = pooler(auth_type="scram-sha-256", userlist={"differ": ours, "admin": "pw-admin"})
        try:
            with pytest.raises(wire.PgError) as e:
                p.client("differ", password="pw")
            assert e.value.code == "28P01" and "password authentication failed" in e.value.text, (name, e.value)
            assert p.log_has(f'the server has another secret of user "differ" than auth_file: .*{text}'), name
        finally:
            p.stop()
            pg.sql("DROP ROLE differ")
