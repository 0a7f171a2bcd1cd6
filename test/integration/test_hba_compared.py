"""Rules of access, line by line and connection by connection, as PostgreSQL itself judges them."""

import itertools
import os
import pwd

import pytest

from harness import wire
from harness.cluster import USERS, pw
from harness.owner import own

ME = pwd.getpwuid(os.getuid()).pw_name

# a line, and whether PostgreSQL 15 and we are known to differ: None, or why
LINES = [
    ("local all all trust", None),
    ("local all all peer", None),
    ("local all all ident", "PostgreSQL takes it for peer, we say so"),
    ("local all all trust extra", None),
    ("local all all trust a=b", None),
    ("local all all", None),
    ("local all", None),
    ("local", None),
    ("lokal all all trust", None),
    ("LOCAL all all trust", None),
    ("\"local\" all all trust", "a quoted type: PostgreSQL takes it, we do not"),
    ("host all all trust", None),
    ("host all all 10.0.0.0/8 trust", None),
    ("host all all 10.0.0.0/33 trust", None),
    ("host all all 10.0.0.0/ trust", None),
    ("host all all 10.0.0.0/-1 trust", None),
    ("host all all 10.0.0.0 255.0.0.0 trust", None),
    ("host all all 10.0.0.0 trust", None),
    ("host all all 10.0.0.0 ::1 trust", None),
    ("host all all ::/0 trust", None),
    ("host all all ::1/129 trust", None),
    ("host all all ::1 ffff:: trust", None),
    ("host all all all trust", None),
    ("host all all samehost trust", None),
    ("host all all samenet trust", None),
    ("host all all 10.0.0.0/8 peer", None),
    ("host all all 10.0.0.0/8 Trust", None),
    ("host all all 10.0.0.0/8 trust,md5", None),
    ("host a,b c,d 10.0.0.0/8 md5", None),
    ("host \"a b\" \"c,d\" 10.0.0.0/8 md5", None),
    ("host a,b c 10.0.0.0/8,11.0.0.0/8 md5", None),
    ("host all all 10.0.0.0/8 md5 map=x", None),
    ("host all all 10.0.0.0/8 md5 clientcert=verify-ca", None),
    ("host all all 10.0.0.0/8 md5 \\\n# comment", None),
    ("host all all \\\n 10.0.0.0/8 \\\n md5", None),
    ("hostnossl all all 10.0.0.0/8 md5", None),
    ("hostnogssenc all all 10.0.0.0/8 md5", None),
    ("host all +all 10.0.0.0/8 md5", None),
    ("host sameuser,samerole,samegroup,replication all 10.0.0.0/8 reject", None),
    ("host all all 10.0.0.0/8 scram-sha-256 # comment", None),
    ("host all all 10.0.0.0/8 md5#comment", None),
    ("host all all 10.0.0.0/8 password # \"", None),
]


@pytest.fixture
def both(own_pg, pooler):
    """Puts the same rules before PostgreSQL and before us."""
    path = own_pg.data + "/pg_hba.conf"
    own_pg.more = {"max_wal_senders": 10, "wal_level": "replica"}
    own_pg.restart()
    with open(path) as f:
        before = f.read()
    secrets = dict(own_pg.sql("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin AND rolpassword IS NOT NULL"))
    own_pg.sql(f'CREATE ROLE "{ME}" LOGIN' if ME not in USERS + ["postgres"] else "SELECT 1")

    class Both:
        pg = own_pg

        def put(self, text, reload=True):
            with open(path, "w") as f:
                f.write("local all postgres trust\n" + text)
            if reload:
                mark = own_pg.value("SELECT pg_conf_load_time()")
                own_pg.sql("SELECT pg_reload_conf()")
                wire.wait_until(lambda: own_pg.value("SELECT pg_conf_load_time()") != mark, what="PostgreSQL's reload")

    yield Both(), secrets
    with open(path, "w") as f:
        f.write(before)
    if ME not in USERS + ["postgres"]:
        own_pg.sql(f'DROP ROLE "{ME}"')
    own_pg.more = {}
    own_pg.restart()


def test_lines(both, pooler):
    """The same lines are wrong, under the same numbers."""
    pair, _ = both
    text = "".join(line + "\n" for line, why in LINES if why is None)
    pair.put(text, reload=False)
    theirs = {int(n) for (n,) in pair.pg.sql("SELECT line_number FROM pg_hba_file_rules WHERE error IS NOT NULL")}
    p = pooler(auth_type="hba", auth_hba_file="hba.conf", section="fynixpool", start=False)
    with open(p.top + "/hba.conf", "w") as f:
        f.write("local all postgres trust\n" + text)
    own(p.top + "/hba.conf")
    r = p.run("-t", p.ini)
    ours = {int(line.split(":")[1]) for line in (r.stdout + r.stderr).splitlines() if line.startswith("hba.conf:") and line.split(":")[1].isdigit() and "says more" not in line}
    lines = ["local all postgres trust"] + text.split("\n")
    assert ours == theirs, "\n".join(f"{n}: {lines[n - 1]} ({'we refuse' if n in ours else 'PostgreSQL refuses'})"
                                     for n in sorted(ours ^ theirs))
    assert len(theirs) > 12 and len(theirs) < len(LINES) - 12
    # what differs on purpose is an error of ours
    for line, why in LINES:
        if why is not None:
            with open(p.top + "/hba.conf", "w") as f:
                f.write(line + "\n")
            assert p.run("-t", p.ini).returncode != 0, line
    # as PgBouncer, and unlike PostgreSQL, we take cert in a line that is not for TLS alone; without TLS it refuses
    with open(p.top + "/hba.conf", "w") as f:
        f.write("host all all 10.0.0.0/8 cert\nhostssl all all 10.0.0.0/8 cert\n")
    assert p.run("-t", p.ini).returncode == 0


RULES = [
    "host all all 127.0.0.1/32 md5\n",
    "host db0 all 127.0.0.0/8 scram-sha-256\nhost all app 127.0.0.1 255.255.255.255 reject\nlocal all all peer\n",
    "host all app,app2 0.0.0.0/0 password\nhost all all ::/0 trust\n",
    "host db0,\"db1\" \"app\" all password\nlocal db0 all md5\n",
    "host \"all\" all all trust\nhost sameuser all all trust\nlocal all app reject\nlocal all all trust\n",
    "host all all samehost md5\n",
    "host all all 128.0.0.0/1 trust\nhost all all 126.0.0.0/7 password\n",
    "hostnossl db0 app all reject\nhost all all samenet password\nlocal all all reject\n",
    "host replication all all password\nlocal all,replication all trust\n",
    "host all all 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 trust\n",
    "hostgssenc all all all trust\nhostnogssenc db1 all all password\n",
    "# nothing\n",
]
ASKS = list(itertools.product(("tcp", "unix"), ("app", "app2", "mdfive", "scrammy", ME), ("db0", "db1"), (False, True)))


def outcome(target, way, user, database, is_replication):
    """The first thing that is asked for, or the refusal."""
    c = wire.Client(target.sock if way == "unix" else target.addr, user, database, pw(user), login=False)
    try:
        pairs = {"user": user, "database": database}
        if is_replication:
            pairs["replication"] = "true"
        c.send(wire.startup(pairs))
        m = c.recv()
        if m.type == "E":
            f = wire.fields(m.body)
            return f["S"], f["C"], f["M"]
        return m.type, m.body[:4].hex()
    finally:
        c.close()


def test_connections(both, pooler):
    pair, secrets = both
    p = pooler(auth_type="hba", auth_hba_file="hba.conf", section="fynixpool", start=False,
               userlist=dict(secrets, admin=pw("admin"), **{ME: ""}), databases={"db0": "user=trusty", "db1": "user=trusty"})
    console = "host fynixpool admin all md5\n"
    with open(p.top + "/hba.conf", "w") as f:
        f.write(console)
    own(p.top + "/hba.conf")
    p.start()
    wire.wait_until(lambda: os.path.exists(p.sock), what="the Unix socket")
    assert outcome(p, "tcp", "app", "db0", False)[0] == "FATAL"
    seen = set()
    for rules in RULES:
        pair.put(rules)
        with open(p.top + "/hba.conf", "w") as f:
            f.write(console + rules)
        p.reload()
        for ask in ASKS:
            theirs, ours = outcome(pair.pg, *ask), outcome(p, *ask)
            seen.add(theirs)
            if ask[3] and theirs == ("R", "00000000"):
                # let in by the rule; that the role may not stream is another matter, which we learn from PostgreSQL later
                assert ours[0] == "R" or "pg_hba.conf" not in ours[2], (rules, ask, ours)
                continue
            assert ours == theirs, (rules, ask)
    assert len(seen) > 20
