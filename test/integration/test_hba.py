"""auth_type = hba and peer: rules of access, user name maps, first match, RELOAD, bad lines."""

import os
import pwd
import re
import subprocess
import threading
import time

import pytest

from harness import scram, wire
from harness.cluster import pw
from harness.owner import own
from harness.pooler import ADMIN_DB, BINARY

ME = pwd.getpwuid(os.getuid()).pw_name  # who the clients of these tests are
USERS = {"app": pw("app"), "app2": pw("app2"), "trusty": "", "admin": pw("admin"), "scrammy": scram.secret(pw("scrammy")),
         "mdfive": scram.md5_secret("mdfive", pw("mdfive")), ME: ""}
CONSOLE = f"host {ADMIN_DB},fynixpool,pgbouncer admin 127.0.0.1/32 scram-sha-256\n"


def put(p, name, text):
    with open(f"{p.top}/{name}", "w") as f:
        f.write(text)
    own(f"{p.top}/{name}")


def start(p):
    """... until both doors are open."""
    p.start()

    def is_open():
        try:
            wire.connect(p.sock).close()
            return True
        except OSError:
            return False
    wire.wait_until(is_open, what="the Unix socket")
    return p


@pytest.fixture
def ruled(pooler):
    """A pooler with rules; the console's own come behind those that are given."""
    def make(rules, ident=None, section="fynixpool", **conf):
        p = pooler(section=section, auth_type="hba", auth_hba_file="hba.conf", auth_ident_file="ident.conf" if ident else None,
                   userlist=USERS, databases={"db0": "user=trusty", "db1": "user=trusty"}, start=False, **conf)
        put(p, "hba.conf", rules + CONSOLE)
        if ident:
            put(p, "ident.conf", ident)
        return start(p)
    return make


def refused(p, user, database="db0", path=None, **kw):
    with pytest.raises(wire.PgError) as e:
        wire.Client(path or p.addr, user, database, kw.pop("password", pw(user)), **kw).quit()
    return e.value


def enters(p, user, database="db0", path=None, **kw):
    c = wire.Client(path or p.addr, user, database, kw.pop("password", pw(user)), **kw)
    assert c.value("SELECT current_user") == "trusty"
    c.quit()
    return c.auth


METHODS = [("trust", "app", [0]), ("password", "app", [3, 0]), ("password", "scrammy", [3, 0]), ("md5", "app", [5, 0]),
           ("md5", "mdfive", [5, 0]), ("md5", "scrammy", [10, 11, 12, 0]), ("scram-sha-256", "app", [10, 11, 12, 0]),
           ("scram-sha-256", "scrammy", [10, 11, 12, 0])]


@pytest.mark.parametrize("method,user,asked", METHODS, ids=[f"{m}-{u}" for m, u, _ in METHODS])
def test_method_of_the_rule_is_used(ruled, method, user, asked):
    p = ruled(f"host db0 {user} 127.0.0.1/32 {method}\n")
    assert enters(p, user) == asked
    if method != "trust":
        assert "authentication failed" in refused(p, user, password="wrong").text


def test_first_match_decides(ruled):
    p = ruled("host db0 app2 127.0.0.0/8 reject\n"
              "hostssl all all all trust\n"
              "hostgssenc all all all trust\n"
              "host db0 all 127.0.0.1 255.255.255.255 password\n"
              "host db0,db1 all 127.0.0.1/32 md5\n"
              "local all all reject\n")
    assert enters(p, "app") == [3, 0]
    assert enters(p, "app", "db1") == [5, 0]
    e = refused(p, "app2")
    assert e.fields["C"] == "28000"
    assert e.text == 'pg_hba.conf rejects connection for host "127.0.0.1", user "app2", database "db0", no encryption'
    assert enters(p, "app2", "db1") == [5, 0]
    assert refused(p, "app", path=p.sock).text == \
        'pg_hba.conf rejects connection for host "[local]", user "app", database "db0", no encryption'
    # nobody learns which users and databases there are
    for user, database in (("app", "nodb"), ("stranger", "nodb")):
        e = refused(p, user, database)
        assert e.fields["C"] == "28000" and e.severity == "FATAL"
        assert e.text == f'no pg_hba.conf entry for host "127.0.0.1", user "{user}", database "{database}", no encryption'
    p.log_has(r"login failed: db=db0 user=app2: hba.conf:1 rejects")
    p.log_has(r"login failed: db=nodb user=app: no line of auth_hba_file fits")
    assert p.show("VERSION")


def test_wrong_password_does_not_try_the_next_rule(ruled):
    p = ruled("host db0 app all password\nhost db0 all all trust\n")
    assert "password authentication failed" in refused(p, "app", password="wrong").text
    assert enters(p, "app") == [3, 0]
    assert enters(p, "app2", password="wrong") == [0]
    # trust wants a known name
    assert "authentication failed" in refused(p, "stranger").text


def test_words_of_pgbouncer(ruled):
    p = ruled("host db0 app2 all reject\nlocal all all peer\n", section="pgbouncer")
    e = refused(p, "app2")
    assert (e.fields["C"], e.text) == ("08P01", "login rejected")
    e = refused(p, "app")
    assert (e.fields["C"], e.text) == ("08P01", "no authentication method is found")
    e = refused(p, "app", path=p.sock)
    assert (e.fields["C"], e.text) == ("08P01", "unix socket login rejected")


def test_peer_and_maps(ruled):
    p = ruled("local db1 all peer map=m\nlocal all all peer\n",
              ident=f"m {ME} app\nm /^({ME[0]}).*$ \\1pp2x\nm nobodyelse scrammy\n")
    assert enters(p, ME, path=p.sock) == [0]
    e = refused(p, "app", path=p.sock)
    assert (e.fields["C"], e.text) == ("28000", 'Peer authentication failed for user "app"')
    p.log_has(f'peer: the system\'s user is "{ME}"')
    assert enters(p, "app", "db1", path=p.sock) == [0]
    for user in (ME, "scrammy", "app2"):
        assert "Peer authentication failed" in refused(p, user, "db1", path=p.sock).text
    # mapped, and yet not known
    assert "Peer authentication failed" in refused(p, ME[0] + "pp2x", "db1", path=p.sock).text
    p.log_has("no such user")


def test_psql_through_rules(ruled):
    p = ruled("local all all peer\nhost db0 app all scram-sha-256\nhost db0 all all reject\n")
    assert p.psql("-c", "SELECT 7").stdout == "7\n"
    r = p.psql("-c", "SELECT 7", user="app2")
    assert r.returncode != 0 and "pg_hba.conf rejects connection" in r.stderr
    r = p.psql("-c", "SELECT 7", user=ME, host=p.top)
    assert r.stdout == "7\n", r.stderr


def test_auth_type_peer(pooler):
    p = pooler(auth_type="peer", userlist=USERS, databases={"db0": "user=trusty"}, start=False, section="fynixpool")
    start(p)
    assert enters(p, ME, path=p.sock) == [0]
    assert "Peer authentication failed" in refused(p, "app", path=p.sock).text
    assert "Peer authentication failed" in refused(p, "app").text
    assert "Peer authentication failed" in refused(p, ME).text
    p.log_has("peer needs a connection over a Unix socket")


def test_samehost_and_regular_expressions(ruled):
    p = ruled("host db0 /^app\\d$ samehost password\nhost /^db[01]$ app samenet md5\n")
    assert enters(p, "app2") == [3, 0]
    assert enters(p, "app", "db1") == [5, 0]
    assert "no pg_hba.conf entry" in refused(p, "scrammy").text


def test_replication_has_its_keyword(ruled):
    p = ruled("host all app all password\nhost replication app2 all reject\n")
    e = refused(p, "app", params=(("replication", "true"),))
    assert e.text == 'no pg_hba.conf entry for replication connection from host "127.0.0.1", user "app", no encryption'
    e = refused(p, "app2", params=(("replication", "true"),))
    assert e.text == 'pg_hba.conf rejects replication connection for host "127.0.0.1", user "app2", no encryption'


def test_roles_are_not_known(ruled):
    """Whether a line with +role fits is not known: it must not be passed over."""
    p = ruled("host db0 +staff all reject\nhost db0 all all trust\n")
    assert refused(p, "app").fields["C"] == "28000"
    p.log_has("whether the line fits is not known")
    p.log_has(r"hba.conf:1: \+role and samerole need auth_user")


def test_reload_swaps_the_rules_and_keeps_them_when_bad(ruled):
    p = ruled("host db0 app all password\n")
    c = p.client("app")
    assert "no pg_hba.conf entry" in refused(p, "app2").text
    put(p, "hba.conf", "host db0 app2 all password\n" + CONSOLE)
    p.reload()
    assert enters(p, "app2") == [3, 0]
    assert "no pg_hba.conf entry" in refused(p, "app").text
    assert c.value("SELECT 1") == "1"  # who is in stays in
    put(p, "hba.conf", "host db0 app all password\nhost db0 all all\n" + CONSOLE)
    with pytest.raises(wire.PgError) as e:
        p.reload()
    assert e.value.fields["C"] == "F0000"
    p.log_has(r"hba.conf:2: the line ends before a method")
    assert enters(p, "app2") == [3, 0]
    assert "no pg_hba.conf entry" in refused(p, "app").text
    os.unlink(p.top + "/hba.conf")
    with pytest.raises(wire.PgError):
        p.reload()
    assert enters(p, "app2") == [3, 0]
    # the console's SET does not read the file
    assert p.console("SET default_pool_size = 3")
    assert enters(p, "app2") == [3, 0]
    p.console("SET auth_type = md5")
    assert enters(p, "app") == [5, 0]
    c.quit()


BAD = "host db0 app all frust\nhost db0 app2 all trust\nlocal db0 all trust clientcert=verify-ca\n"


def test_bad_line_refuses_to_start(ruled, pooler):
    p = pooler(auth_type="hba", auth_hba_file="hba.conf", userlist=USERS, start=False, section="fynixpool")
    put(p, "hba.conf", BAD)
    for args in (("-t", p.ini), (p.ini,)):
        r = p.run(*args)
        assert r.returncode != 0
        out = r.stdout + r.stderr
        assert 'hba.conf:1: "frust" is no method; write trust' in out
        assert "hba.conf:3: the option clientcert is not possible in a line of this type" in out
        assert "hba.conf:2" not in out
    put(p, "hba.conf", "host db0 app all md5\n")
    r = p.run("-t", p.ini)
    assert r.returncode == 0, r.stderr


def test_bad_line_rejects_in_section_pgbouncer(ruled):
    """PgBouncer starts without the line; passing it over could let somebody in whom it was to keep out."""
    p = ruled(BAD + "host all all all trust\n", section="pgbouncer")
    p.log_has(r'hba.conf:1: "frust" is no method.*; the line rejects whomever it may mean')
    assert refused(p, "app").text == "login rejected"
    p.log_has("hba.conf:1 cannot be understood and rejects")
    assert enters(p, "app2") == [0]
    assert enters(p, "app", "db1") == [0]
    assert refused(p, "app2", path=p.sock).text == "login rejected"


def test_second_startup_message_changes_nobody(ruled):
    """T-LOGIN-02: rules and proof are for the name that was given first."""
    p = ruled("host db0 app all scram-sha-256\nhost db0 trusty all trust\n")
    for user in ("trusty", "app2"):
        c = p.conn()
        c.send(wire.startup({"user": "app", "database": "db0"}))
        assert c.recv().type == "R"
        c.send(wire.startup({"user": user, "database": "db0"}))
        m = c.recv()
        assert m.type == "E"
        c.close()


def test_rules_change_while_clients_log_in(ruled):
    """Each login is judged by one set of rules or the other, never by a mixture, and nobody is in the way of anybody."""
    rules = ["host db0 app all password\nlocal all all peer\n", "host db0 /^ap.$ 127.0.0.0/8 md5\nhost db0 app all trust\nlocal all all reject\n"]
    p = ruled(rules[0], workers=2)
    stop, seen, wrong = threading.Event(), set(), []

    def log_in():
        while not stop.is_set():
            try:
                seen.add(tuple(enters(p, "app")))
            except Exception as e:  # pylint: disable=broad-except
                wrong.append(e)

    def log_in_as_peer():
        while not stop.is_set():
            try:
                seen.add(tuple(["peer"] + enters(p, ME, path=p.sock)))
            except wire.PgError as e:
                seen.add(e.text)

    threads = [threading.Thread(target=t) for t in (log_in, log_in, log_in_as_peer)]
    for t in threads:
        t.start()
    admin = p.admin()
    for i in range(60):
        put(p, "hba.conf.new", rules[(i + 1) % 2] + CONSOLE)
        os.rename(p.top + "/hba.conf.new", p.top + "/hba.conf")
        admin.query("RELOAD")
        time.sleep(0.02)
    stop.set()
    for t in threads:
        t.join()
    admin.quit()
    assert not wrong, wrong[:3]
    assert seen == {(3, 0), (5, 0), ("peer", 0),
                    f'pg_hba.conf rejects connection for host "[local]", user "{ME}", database "db0", no encryption'}, seen


SLOW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pwd.h>
#include <unistd.h>
int getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t n, struct passwd **out)
{
	int (*real)(uid_t, struct passwd *, char *, size_t, struct passwd **) = dlsym(RTLD_NEXT, "getpwuid_r");

	usleep(3000000);
	return real(uid, pw, buf, n, out);
}
"""


@pytest.fixture
def slow_system(top):
    """The environment of a process for which every look-up of a user takes three seconds."""
    with open(top + "/slow.c", "w") as f:
        f.write(SLOW)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", top + "/slow.so", top + "/slow.c", "-ldl"], check=True)
    os.chmod(top + "/slow.so", 0o755)
    # a sanitizer's runtime insists on being the first
    runtime = re.findall(r"(/\S*lib[at]san\S*)", subprocess.run(["ldd", BINARY], stdout=subprocess.PIPE, text=True, check=True).stdout)
    return {"LD_PRELOAD": " ".join(runtime + [top + "/slow.so"])}


def test_slow_directory_holds_up_nobody_else(ruled, slow_system):
    p = ruled("local all all peer\nhost db0 app all password\n", workers=1, env=slow_system)
    assert enters(p, "app") == [3, 0]
    began, took, other = time.monotonic(), [], []

    def log_in_as_peer():
        took.append(enters(p, ME, path=p.sock))
        took.append(time.monotonic() - began)

    t = threading.Thread(target=log_in_as_peer)
    t.start()
    gone = wire.Client(p.sock, ME, "db0", login=False)
    gone.send(wire.startup({"user": ME, "database": "db0"}))
    time.sleep(0.2)
    gone.close()
    while time.monotonic() - began < 2.2:
        at = time.monotonic()
        assert enters(p, "app") == [3, 0]
        other.append(time.monotonic() - at)
    t.join()
    assert took[0] == [0] and took[1] >= 2.9, took
    assert len(other) > 3 and max(other) < 2, other
    # it is remembered
    at = time.monotonic()
    assert enters(p, ME, path=p.sock) == [0]
    assert time.monotonic() - at < 2


def test_login_timeout_while_the_system_is_asked(ruled, slow_system):
    p = ruled("local all all peer\n", workers=1, env=slow_system, client_login_timeout=1)
    assert "client_login_timeout" in refused(p, ME, path=p.sock).text
    time.sleep(2.5)
    assert enters(p, ME, path=p.sock) == [0]


def test_words_before_the_answer(ruled, slow_system):
    """What a client says before it is let in waits, and is done afterwards."""
    p = ruled("local all all peer\n", workers=1, env=slow_system)
    c = wire.Client(p.sock, ME, "db0", login=False)
    c.send(wire.startup({"user": ME, "database": "db0"}) + wire.q("SELECT 11"))
    c.login()
    assert c.result().value == "11"
    c.quit()
