"""Logins whose password goes over as it is: password, pam, ldap."""

import pytest

from harness import wire
from harness.cluster import pw


def refused(p, user, password, database="db0"):
    with pytest.raises(wire.PgError) as e:
        wire.Client(p.addr, user, database, password, timeout=30).quit()
    return e.value


def enters(p, user, password=None, database="db0", who="trusty"):
    c = wire.Client(p.addr, user, database, pw(user) if password is None else password, timeout=30)
    assert c.value("SELECT current_user") == who
    assert c.auth == [3, 0]
    c.quit()


def begins(p, user, password=None, database="db0", more=()):
    """A login whose password has just been sent, with what else the client says at once."""
    c = wire.Conn(p.addr, timeout=30)
    c.send(wire.startup([("user", user), ("database", database)]))
    assert c.take(1)[0].type == "R"
    if password:
        c.send(wire.password(password), *more)
    return c
