"""auth_type = ldap, and the method ldap in auth_hba_file, against a real directory."""

import re
import signal
import time

import pytest

from harness import wire
from harness.cluster import pw
from harness.directory import BASE, Directory, Silent, person
from harness.owner import own
from harness.passwords import begins, enters, refused
from harness.pooler import ADMIN_DB
from test_secrecy import canary, no_trace

STRANGE = [" lead", "trail ", "#hash", "a,b", 'q"uote', "plus+", "<angle>", "semi;colon", "back\\slash", "eq=ual", "star*", "(paren)",
           "o'neil", "größe", "a/b", "*)(uid=*", "a)(|(uid=*)", "x,ou=robots"]
PEOPLE = {**{u: pw(u) for u in ("app", "app2", "admin", "mike")}, **{u: "pw-strange" for u in STRANGE}}
SIMPLE = f'ldapprefix="uid=" ldapsuffix=",ou=people,{BASE}"'
SEARCH = f'ldapbasedn="{BASE}" ldapbinddn="cn=searcher,{BASE}" ldapbindpasswd="pw-searcher"'
ANYBODY = "host all all all ldap "
SECRET, WRONG = canary("directory", 700), canary("wrong", 700)


@pytest.fixture(scope="module")
def directory(top, pki):
    more = person("twin", "pw-twin") + person("twin", "pw-twin", ou="robots") + person("robot", "pw-robot", ou="robots")
    d = Directory(top + "/ldap", dict(PEOPLE, canary=SECRET), pki, "good", more=more).start()
    yield d
    d.stop()


@pytest.fixture
def silent():
    s = Silent()
    yield s
    s.close()


@pytest.fixture
def ldap(pooler, directory):
    """A pooler that knows nobody itself; rules: auth_hba_file instead of auth_ldap_options."""
    def make(options=None, rules=None, section="fynixpool", start=True, **conf):
        args = {"userlist": {}, "databases": {"db0": "user=trusty", "db1": ""}, "section": section, "auth_failure_delay": 0}
        if options is not None:
            args["auth_ldap_options"] = options if "ldapserver" in options or "ldapurl" in options else at(directory, options)
        args.update({"auth_type": "hba", "auth_hba_file": "hba.conf"} if rules else {"auth_type": "ldap"})
        if section == "pgbouncer":
            del args["auth_failure_delay"]
        args.update(conf)
        p = pooler(start=False, **args)
        if rules:
            put(p, rules)
        return p.start() if start else p
    return make


def put(p, rules):
    with open(p.top + "/hba.conf", "w") as f:
        f.write(rules)
    own(p.top + "/hba.conf")


def at(directory, options):
    return f"ldapserver=127.0.0.1 ldapport={directory.port} {options}"


def same_for_all(p, sentence, code, passwords=("wrong",)):
    seen = set()
    for user in ("app", "nobody-at-all", "twin2", "*"):
        for password in passwords:
            e = refused(p, user, password)
            seen.add((e.fields["C"], e.text.replace(user, "USER"), e.severity, tuple(sorted(e.fields))))
    assert seen == {(code, sentence.replace("app", "USER"), "FATAL", tuple(sorted(e.fields)))}


@pytest.mark.parametrize("options", [SIMPLE, SEARCH], ids=["simple", "search"])
def test_right_wrong_empty_unknown(ldap, options):
    p = ldap(options)
    enters(p, "app")
    same_for_all(p, 'LDAP authentication failed for user "app"', "28000")
    # a bind with an empty password would be one as nobody, and succeed
    refused(p, "app", "")
    p.log_has("user=app: empty password")
    assert refused(p, "app", pw("app2")).fields["C"] == "28000"
    enters(p, "app2")
    # the console too; no log line contains a password
    assert p.show("VERSION")
    assert "pw-" not in p.log_text()


def test_words_of_pgbouncer(ldap):
    p = ldap(SIMPLE, section="pgbouncer")
    enters(p, "app")
    same_for_all(p, "LDAP authentication failed", "08P01")


def test_password_of_the_client_logs_in_to_the_server(ldap, pg):
    """Where no secret is stored; app's is the same in the directory and in PostgreSQL, mike is not in PostgreSQL."""
    p = ldap(SIMPLE)
    enters(p, "app", database="db1", who="app")
    e = refused(p, "mike", pw("mike"), database="db1")
    assert "mike" in e.text and "authentication failed" in e.text
    # not for another user's pool, and not after a wrong one
    assert "authentication failed" in refused(p, "app", "wrong", database="db1").text
    enters(p, "app", database="db1", who="app")
    p.reload()
    enters(p, "app", database="db1", who="app")


def test_stored_secret_comes_before_the_password_of_the_client(ldap):
    # the directory's password of scrammy is not PostgreSQL's
    p = ldap(SIMPLE, userlist={"mike": "x", "app": "nonsense"})
    assert "authentication failed" in refused(p, "app", pw("app"), database="db1").text
    enters(p, "app")


@pytest.mark.parametrize("options", [SIMPLE, SEARCH], ids=["simple", "search"])
def test_names_with_a_meaning(ldap, directory, options):
    p = ldap(options)
    for user in STRANGE:
        enters(p, user, "pw-strange")
        refused(p, user, pw("app"))
    for user in ("*", "app)(uid=*", "*)(uid=app", "app,ou=people", f"app,ou=people,{BASE}", "ap*", "\\61pp", "app\\00",
                 "(uid=app)", "app)(objectClass=*", "|(uid=app)", "robot,ou=robots"):
        for password in (pw("app"), "pw-strange", "pw-robot"):
            assert refused(p, user, password).fields["C"] == "28000", user


def test_search_finds_exactly_one(ldap):
    p = ldap(SEARCH)
    assert "LDAP authentication failed" in refused(p, "twin", "pw-twin").text
    p.log_has(r"login failed: db=db0 user=twin: .*the filter \(uid=twin\) finds more than one")
    enters(p, "robot", "pw-robot")
    refused(p, "stranger", "x")
    p.log_has(r"user=stranger: .*the filter \(uid=stranger\) finds no user")
    refused(p, "robot", "x")
    p.log_has(r"user=robot: .*Invalid credentials")


def test_wrong_searcher_is_said(ldap):
    p = ldap(SEARCH.replace("pw-searcher", "pw-wrong"))
    assert "LDAP authentication failed" in refused(p, "app", pw("app")).text
    p.log_has(r"user=app: ldap://127.0.0.1:\d+: bind as ldapbinddn: Invalid credentials")
    assert "pw-wrong" not in p.log_text()


OPTIONS = [
    ("attribute", f'{SEARCH} ldapsearchattribute=mail', "app@example.net", "app"),
    ("filter", f'{SEARCH} ldapsearchfilter="(&(objectClass=inetOrgPerson)(|(cn=$username)(mail=$username)))"', "app@example.net", None),
    ("quoted names", f'"ldapprefix"="uid=", "ldapsuffix"=",ou=people,{BASE}"', "app", "robot"),
    ("anonymous search", f'ldapbasedn="ou=people,{BASE}"', "app", "robot"),
]


@pytest.mark.parametrize("name,options,user,stranger", OPTIONS, ids=[o[0] for o in OPTIONS])
@pytest.mark.parametrize("place", ["hba", "settings"])
def test_options(ldap, directory, name, options, user, stranger, place):
    if place == "settings":
        p = ldap(options)
    else:
        # there an option is one word, with quotes anywhere
        p = ldap(rules=ANYBODY + at(directory, options.replace('", "', '" "')) + "\n")
    enters(p, user, pw("app"))
    if stranger:
        refused(p, stranger, pw(stranger))


URLS = [("one", f"ou=people,{BASE}?uid?one", "app", "nobody"), ("sub", f"{BASE}?uid?sub", "robot", "nobody"),
        ("base", f"uid=app,ou=people,{BASE}?uid", "app", "mike"), ("one level up", f"{BASE}?uid?one", None, "app"),
        ("filter", f"{BASE}??sub?(%26(uid=$username)(ou:dn:=people))", "mike", "robot"),
        ("encoded", f"ou%3dpeople%2C{BASE}?uid?sub", "app", "robot")]


@pytest.mark.parametrize("name,url,user,stranger", URLS, ids=[u[0] for u in URLS])
def test_url(ldap, directory, name, url, user, stranger):
    p = ldap(rules=f'{ANYBODY} "ldapurl={directory.uri}/{url}" ldapbinddn="cn=searcher,{BASE}" ldapbindpasswd=pw-searcher\n')
    if user:
        enters(p, user)
    refused(p, stranger, pw(stranger))


def test_long_name(ldap, directory):
    ou = "o" * 300
    p = ldap(f'ldapprefix="uid=" ldapsuffix=",ou={ou},{BASE}"')
    refused(p, "app", pw("app"))
    p.log_has("user=app: .*Invalid credentials")


TLS = [("good", {}, True), ("starttls", {"ldaptls": 1}, True), ("unknown authority", {"ca": "ca2"}, False),
       ("starttls, unknown authority", {"ldaptls": 1, "ca": "ca2"}, False),
       ("starttls with a server that has none", {"ldaptls": 1, "plain": True}, False)]


@pytest.mark.parametrize("name,how,is_good", TLS, ids=[t[0] for t in TLS])
def test_tls(ldap, directory, pki, top, name, how, is_good):
    other = None
    if how.get("plain"):
        other = Directory(f"{top}/ldapplain", {"app": pw("app")}).start()
    port = other.port if other else directory.port if how.get("ldaptls") else directory.tls_port
    scheme = "" if how.get("ldaptls") else "ldapscheme=ldaps "
    try:
        p = ldap(f'ldapserver=127.0.0.1 {scheme}ldapport={port} ldaptls={how.get("ldaptls", 0)} {SIMPLE}',
                 auth_ldap_ca_file=pki.crt(how.get("ca", "ca")))
        if is_good:
            enters(p, "app")
            assert "LDAP authentication failed" in refused(p, "app", "wrong").text
        else:
            assert "LDAP authentication failed" in refused(p, "app", pw("app")).text
            p.log_has(r"user=app: ldaps?://.*(StartTLS|bind|connecting): ")
    finally:
        if other:
            other.stop()


@pytest.mark.parametrize("cert", ["expired", "stranger", "san", "otherip"])
@pytest.mark.parametrize("starts_tls", [0, 1], ids=["ldaps", "starttls"])
def test_bad_certificate(ldap, pki, top, cert, starts_tls):
    d = Directory(f"{top}/ldap-{cert}{starts_tls}", {"app": pw("app")}, pki, cert).start()
    scheme = f"ldapscheme=ldaps ldapport={d.tls_port}" if not starts_tls else f"ldaptls=1 ldapport={d.port}"
    try:
        # what the machine's own ldap.conf would allow does not count
        p = ldap(f"ldapserver=127.0.0.1 {scheme} {SIMPLE}", auth_ldap_ca_file=pki.crt("ca"), env={"LDAPTLS_REQCERT": "never"})
        refused(p, "app", pw("app"))
        assert "BIND" not in d.log_text()
    finally:
        d.stop()


def test_no_server(ldap, directory, silent):
    p = ldap(f"ldapserver=127.0.0.1 ldapport=1 {SIMPLE}")
    assert "LDAP authentication failed" in refused(p, "app", pw("app")).text
    p.log_has(r"user=app: ldap://127.0.0.1:1: bind: Can't contact LDAP server")
    # the second one of the list answers, also when the first takes the connection and says nothing
    for first in (1, silent.port):
        p.set(auth_ldap_options=f'ldapserver="127.0.0.1:{first} 127.0.0.1:{directory.port}" {SIMPLE}', client_login_timeout=4)
        wait_reload(p)
        enters(p, "app")
        assert "LDAP authentication failed" in refused(p, "app", "wrong").text
    assert silent.taken


@pytest.mark.parametrize("how", ["ldaps", "starttls"])
def test_server_that_is_silent_in_the_handshake(ldap, directory, pki, silent, how):
    silent.consents = how == "starttls"
    port, scheme = (directory.port, "ldaptls=1") if how == "starttls" else (directory.tls_port, "ldapscheme=ldaps")
    p = ldap(f'ldapserver="127.0.0.1:{silent.port} 127.0.0.1:{port}" {scheme} {SIMPLE}', auth_ldap_ca_file=pki.crt("ca"), client_login_timeout=3)
    before = p.cpu()
    enters(p, "app")
    assert silent.taken
    # it waited, and did not try again and again
    assert p.cpu() - before < 1


def wait_reload(p):
    before = p.log_text().count("reloaded")
    p.signal(signal.SIGHUP)
    wire.wait_until(lambda: p.log_text().count("reloaded") > before, 10, what="RELOAD")


def test_server_that_hangs(ldap, directory, silent):
    """Who waits for it is refused in time; whoever is judged elsewhere comes in meanwhile, and the end does not wait."""
    rules = (f"host all mike all ldap ldapserver=127.0.0.1 ldapport={silent.port} {SIMPLE}\n"
             f"host all robot all ldap ldapserver=127.0.0.1 ldapscheme=ldaps ldapport={silent.port} {SIMPLE}\n" + ANYBODY + at(directory, SIMPLE) + "\n")
    p = ldap(rules=rules, client_login_timeout=2)
    begun = time.monotonic()
    waiting = [begins(p, u, "secret") for u in ("mike", "robot") * 6]
    wire.wait_until(lambda: len(silent.taken) >= 12, 10, what="helpers at the silent server")
    for _ in range(3):
        enters(p, "app")
    for c in waiting[:6]:
        assert wire.fields(c.until("E")[-1].body)["S"] == "FATAL"
    assert 1.5 < time.monotonic() - begun < 15
    for c in waiting[:6]:
        c.close()
    # and some go away by themselves, some are there when it all ends
    for c in waiting[6:9]:
        c.abort()
    enters(p, "app2")
    p.set(client_login_timeout=60)
    wait_reload(p)
    n = len(silent.taken)
    again = begins(p, "mike", "secret")
    wire.wait_until(lambda: len(silent.taken) > n, 10, what="a helper at the silent server")
    begun = time.monotonic()
    p.stop()
    assert time.monotonic() - begun < 5
    again.close()


def test_what_comes_behind_the_password_waits(ldap):
    p = ldap(SIMPLE)
    with begins(p, "app", pw("app"), more=(wire.q("SELECT 7"), wire.q("SELECT 8"))) as c:
        kinds = [m.type for m in c.until("Z", 3)]
        assert kinds.count("Z") == 3 and kinds.count("D") == 2
    with begins(p, "app", "wrong", more=(wire.q("SELECT 7"),)) as c:
        assert [m.type for m in c.rest()] == ["E"]


@pytest.mark.parametrize("is_silent", [False, True], ids=["busy", "silent"])
def test_a_crowd_stalls_nobody(ldap, directory, silent, is_silent):
    port = silent.port if is_silent else directory.port
    p = ldap(rules=f"host all app2 all ldap ldapserver=127.0.0.1 ldapport={port} {SIMPLE}\nhost all trusty all trust\n", userlist={"trusty": ""},
             max_client_conn=600, max_unauthenticated_percent=100, databases={"db0": "user=trusty pool_size=5"})
    took = []
    with wire.Client(p.addr, "trusty", "db0") as c:
        crowd = [begins(p, "app2") for n in range(200)]
        for n, login in enumerate(crowd):
            login.send(wire.password(pw("app2") if n % 2 else "wrong"))
        for _ in range(500):
            begun = time.monotonic()
            assert c.value("SELECT 1") == "1"
            took.append((time.monotonic() - begun) * 1e3)
    took.sort()
    print(f"500 queries beside 200 logins: median {took[250]:.2f} ms, p99 {took[495]:.2f} ms")
    # a directory on a worker's loop would make it seconds
    assert took[495] < 500
    for n, login in enumerate(crowd):
        if not is_silent:
            last = login.until("Z" if n % 2 else "E")[-1]
            assert n % 2 or "LDAP authentication failed" in wire.fields(last.body)["M"]
        login.close()


def test_rules_choose(ldap, directory):
    p = ldap(at(directory, SIMPLE), rules=f"host db0 app all ldap\nhost db0 app2 all {'ldap ' + at(directory, SEARCH)}\nhost db0 mdfive all md5\n"
             f"host {ADMIN_DB} admin all ldap\n", userlist={"mdfive": pw("mdfive"), "app2": "other"})
    enters(p, "app")
    enters(p, "app2")
    refused(p, "app2", "other")
    with wire.Client(p.addr, "mdfive", "db0", pw("mdfive")) as c:
        assert c.auth == [5, 0]
    assert "no pg_hba.conf entry" in refused(p, "mike", pw("mike")).text
    assert p.show("VERSION")


def test_reload(ldap, directory, silent):
    p = ldap(SIMPLE)
    enters(p, "app")
    # a login that is under way is judged by what held when it began
    p.set(auth_ldap_options=f"ldapserver=127.0.0.1 ldapport={silent.port} {SIMPLE}", client_login_timeout=3)
    wait_reload(p)
    c = begins(p, "app")
    p.set(auth_ldap_options=at(directory, SIMPLE))
    wait_reload(p)
    c.send(wire.password(pw("app")))
    wire.wait_until(lambda: silent.taken, 10, what="the silent server")
    enters(p, "app")
    assert wire.fields(c.until("E")[-1].body)["S"] == "FATAL"
    c.close()
    # what is wrong leaves everything as it was
    p.set(auth_ldap_options="ldapserver=x")
    with pytest.raises(wire.PgError):
        p.reload()
    p.log_has(r"pooler.ini:\d+: auth_ldap_options: ldap needs ldapprefix")
    enters(p, "app")


BAD = [
    ("ldapserver=x", "ldap needs ldapprefix or ldapsuffix"),
    ("ldapprefix=x", "ldapserver is missing"),
    ("ldapserver=x ldapprefix=y ldapbasedn=z", "do not go with"),
    ("ldapserver=x ldapbasedn=z ldapsearchattribute=a ldapsearchfilter=(b=$username)", "do not go together"),
    ("ldapserver=x ldapbasedn=z ldapsearchfilter=(b=c)", "does not contain $username"),
    ("ldapserver=x ldapbasedn=z ldapsearchfilter=b=$username", "is no filter"),
    ("ldapserver=x ldapprefix=y ldapport=0", "ldapport is a number"),
    ("ldapserver=x ldapprefix=y ldapscheme=http", "ldap or ldaps"),
    ("ldapserver=x ldapprefix=y ldapscheme=ldaps ldaptls=1", "does not go with ldaps"),
    ("ldapserver=x ldapprefix=y ldaptls=yes", "0 or 1"),
    ("ldapurl=http://x/y", "begins with ldap://"),
    ("ldapserver=x/y ldapprefix=y", "no name of a host"),
    ('ldapserver=x ldapprefix="y', "quote is not closed"),
    ("ldapserver=x ldapprefix=y ldapserver=z", "twice"),
    ("ldapserver=x ldapwhatever=y", "no option"),
]


@pytest.mark.parametrize("options,why", BAD, ids=[b[0] for b in BAD])
def test_bad_options_are_named(ldap, options, why):
    p = ldap(options + " ldapserver=" if "ldapserver" not in options and "ldapurl" not in options else options, start=False)
    if "missing" in why:
        p.set(auth_ldap_options=options)
    r = p.run("-t", p.ini)
    assert r.returncode != 0 and re.search(r"pooler\.ini:\d+: auth_ldap_options: ", r.stderr) and why in r.stderr, r.stderr
    p = ldap(rules="# one\n" + ANYBODY + options + "\n", start=False)
    r = p.run("-t", p.ini)
    assert r.returncode != 0 and "hba.conf:2: " in r.stderr and why in r.stderr, r.stderr


def test_without_options(ldap):
    p = ldap(start=False)
    r = p.run("-t", p.ini)
    assert r.returncode != 0 and "auth_type = ldap needs auth_ldap_options" in r.stderr
    p = ldap(rules="\n" + ANYBODY + "\n", start=False)
    r = p.run("-t", p.ini)
    assert r.returncode != 0 and "hba.conf:2: the method ldap has no options here" in r.stderr


def test_options_are_not_shown(ldap):
    p = ldap(SEARCH)
    shown = {r["key"]: r["value"] for r in p.show("CONFIG")}
    assert "pw-searcher" not in str(shown)


@pytest.mark.root
@pytest.mark.parametrize("how", ["simple", "search", "ldaps"])
def test_passwords_leave_no_trace(ldap, directory, pki, how):
    """Neither with OpenLDAP, nor elsewhere. Where the server's login needs none of the client's."""
    if how == "ldaps":
        p = ldap(f"ldapserver=127.0.0.1 ldapscheme=ldaps ldapport={directory.tls_port} {SIMPLE}", auth_ldap_ca_file=pki.crt("ca"))
    else:
        p = ldap(SIMPLE if how == "simple" else SEARCH)
    enters(p, "canary", SECRET)
    refused(p, "canary", WRONG)
    no_trace(p, [SECRET, WRONG])
