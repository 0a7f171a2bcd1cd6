"""Who gets in and who does not: every way to prove it, in front of every kind of server, against the written rules in login.rules."""

import collections
import os
import pwd

import pytest

from harness import loginrules, scram, wire
from harness.cluster import pw
from harness.directory import BASE, Directory
from harness.knock import Knock
from harness.owner import own
from harness.pooler import Pooler
from test_pam import matrix as pam_matrix

ME = pwd.getpwuid(os.getuid()).pw_name     # who the clients of these tests are
STORED = ["none", "plain", "other-plain", "md5", "scram", "other-scram"]
ASKS = ["trust", "password", "md5", "md5scram", "scram"]
LINKS = {"tcp": "sslmode=disable", "tls": "sslmode=require", "strict": "sslmode=disable server_weak_auth=refuse",
         "bound": "sslmode=require require_auth=scram-sha-256 channel_binding=require"}
# in a group of cells: what is given, and is there a server connection already (if this user gets one at all)
TRIES = [("wrong", "first"), ("empty", "first"), ("right", "first"), ("right", "pooled"), ("wrong", "pooled"), ("empty", "pooled")]
UNASKED = [("wrong", "first"), ("right", "pooled"), ("empty", "pooled")]      # where nobody looks at what is given
BY_RULE = {"trust": ["plain", "tls", "direct"], "plain": ["plain", "tls", "direct"], "md5": ["plain", "tls", "direct"],
           "scram": ["plain", "tls", "direct"], "plus": ["tls", "direct", "plain"], "cert": ["tls", "direct", "plain"],
           "peer": ["unix", "plain"], "ldap": ["plain", "tls", "direct"], "pam": ["plain", "tls", "direct"], "reject": ["unix", "plain", "tls", "direct"]}
BY_QUERY = {m: BY_RULE[m] for m in ("trust", "plain", "md5", "scram", "plus", "cert", "peer")}
BY_TYPE = {"any": ["plain", "tls", "direct"], **{m: BY_RULE[m] for m in BY_RULE if m != "reject"}}
BY = {"rule": BY_RULE, "query": BY_QUERY, "type": BY_TYPE}
RULES = """\
host fynixpool admin all trust
host all /^trust_ all trust
host all /^plain_ all password
host all /^md5_ all md5
host all /^(scram|plus)_ all scram-sha-256
hostssl all /^cert_ all cert map=certs
local all /^peer_ peer map=os
local all /^reject_ reject
host all /^reject_ all reject
host all /^ldap_ all ldap
host all /^pam_ all pam
"""
JUDGED = ("ldap", "pam")      # elsewhere
MAPS = f"certs app /^cert_ok_\nos {ME} /^peer_ok_\n"
SERVER_RULES = "".join(f"host all +asks_{a} 127.0.0.1/32 {m}\n" for a, m in (
    ("trust", "trust"), ("password", "password"), ("md5", "md5"), ("md5scram", "md5"), ("scram", "scram-sha-256")))

Cell = collections.namedtuple("Cell", "by method way stored asks link given nth")


def groups(by, method):
    """One for each way in, secret and server that are tried together; every link comes with each of them."""
    ways = BY[by][method]
    for i, way in enumerate(ways):
        is_beside = way not in BY_RULE.get(method, ways)[:1] + ["tls", "direct"] and method in ("plus", "cert", "peer")
        for j, stored in enumerate(STORED + ["unknown"]):
            asks = ASKS if i == 0 else [ASKS[(i + j + k) % len(ASKS)] for k in ((0,) if method in JUDGED else (0, 1, 3))]
            if by != "rule" or stored == "unknown" and method not in JUDGED or is_beside or method == "reject":
                asks = [ASKS[(i + 2 * j) % len(ASKS)]]
            for a in asks:
                link = (i + j + ASKS.index(a)) % len(LINKS)
                yield way, stored, a, list(LINKS)[link]


def alone(cell):
    return cell.by == "type" and cell.method in ("cert", "peer")


def verdict(cell):
    return loginrules.verdict(alone(cell), cell.method, cell.way, cell.stored, cell.given, cell.asks, cell.link)


def cells(by, method):
    for group in groups(by, method):
        every = [Cell(by, method, *group, *t) for t in (UNASKED if method in ("trust", "any", "reject") else TRIES)]
        gets_in = any(verdict(c).where == "in" for c in every)
        for cell in every:
            if gets_in or cell.nth == "first":
                yield cell


# ---- names and secrets ----

def role_of(cell):
    """The role at the server; the user in auth_file too, but with auth_type = any, peer and cert."""
    method = cell.method + "_ok" if cell.method in ("cert", "peer") else cell.method     # the maps know these
    stored = "plain" if cell.method == "any" and cell.stored == "unknown" else cell.stored     # user= is somebody else
    return f"{method}_{stored.replace('-', '_')}_{cell.asks}"


# whose role it is shows at the server; a password for each would cost many derivations of keys
PASSWORD, OTHER = "one for all", "another one"
SAME_SALT, OTHER_SALT = scram.secret(PASSWORD, salt=b"salt-of-a-server"), scram.secret(PASSWORD, salt=b"salt-of-another-")


def user_of(cell):
    if alone(cell):
        name = ME if cell.method == "peer" else "app"
        return "ghost" if cell.stored == "unknown" else "somebody" if cell.given == "wrong" else name
    role = role_of(cell)
    if cell.method == "any" and cell.stored == "unknown":
        return "ghost"
    if cell.method in ("cert", "peer") and cell.given == "wrong":
        return role.replace("_ok_", "_no_", 1)
    return role


def stored_of(role, stored):
    """What auth_file has; other-plain is another password than the server's, other-scram the same one with another salt."""
    return {"none": "", "plain": PASSWORD, "other-plain": OTHER, "md5": scram.md5_secret(role, PASSWORD), "scram": SAME_SALT,
            "other-scram": OTHER_SALT}[stored]


def given_of(cell):
    right = OTHER if cell.stored == "other-plain" and cell.method not in JUDGED else PASSWORD
    return {"right": right, "wrong": right[:-1] + "~", "empty": ""}[cell.given]


# ---- the world ----

def roles():
    for by, methods in BY.items():
        for method in methods:
            for cell in cells(by, method):
                if cell.stored != "unknown" or method == "any" or method in JUDGED:
                    yield cell, role_of(cell)


@pytest.fixture(scope="module")
def judges(top):
    """A directory and a service of PAM that know everybody, by the password of the servers."""
    names = {m: {role for cell, role in roles() if cell.method == m} for m in JUDGED}
    pam = top + "/login-pam"
    os.mkdir(pam)
    put(pam + "/passwd", "".join(f"{name}:{PASSWORD}:fynixpool\n" for name in names["pam"]))
    put(pam + "/fynixpool", "auth required {0} passdb={1}/passwd\naccount required {0} passdb={1}/passwd\n".format(pam_matrix(), pam))
    own(pam)
    d = Directory(top + "/login-ldap", dict.fromkeys(names["ldap"], PASSWORD)).start()
    yield {"auth_pam_dir": pam,
           "auth_ldap_options": f'ldapserver=127.0.0.1 ldapport={d.port} ldapprefix="uid=" ldapsuffix=",ou=people,{BASE}"'}
    d.stop()


def put(path, text):
    with open(path, "w") as f:
        f.write(text)
    own(path)


@pytest.fixture(scope="module")
def server(tlspg):
    """PostgreSQL with a role for everybody; what it asks a role is a matter of the group."""
    tlspg.show("good")
    path = tlspg.data + "/pg_hba.conf"
    with open(path) as f:
        lines = f.read()
    with open(path, "w") as f:
        f.write(SERVER_RULES + lines)
    make = [f"CREATE ROLE asks_{a};" for a in ASKS]
    for role, cell in {role: cell for cell, role in roles()}.items():     # the same role, the same secret
        secret = stored_of(role, "md5" if cell.asks == "md5" else "scram")
        make.append(f"CREATE ROLE {role} LOGIN PASSWORD '{secret}' IN ROLE asks_{cell.asks};")
    make.append("CREATE ROLE matrix_asker LOGIN IN ROLE asks_trust;")
    tlspg.sql("".join(make) + "SELECT pg_reload_conf()")
    with wire.Client(tlspg.sock, "postgres", "db0") as c:
        rows = {u: stored_of(role_of(cell), cell.stored) for cell, role in roles() if cell.by == "query" and cell.stored != "unknown"
                for u in (role, user_of(cell))}
        c.query("CREATE TABLE public.login_secrets (name text, secret text); GRANT SELECT ON public.login_secrets TO matrix_asker;"
                "INSERT INTO public.login_secrets VALUES " + ",".join(f"('{u}', nullif('{x}', ''))" for u, x in rows.items()))
    return tlspg


def build(server, pki, judges, top, by, method):
    """A pooler for all cells of by and method (None: of all methods)."""
    ways = {w for ways in BY[by].values() for w in ways}
    databases, userlist = {"lookup": "dbname=db0 sslmode=disable"}, {"admin": pw("admin"), "matrix_asker": ""}
    for cell, role in roles():
        if cell.by == by != "query" and method in (None, cell.method):
            if cell.stored != "unknown":
                userlist[role] = stored_of(role, cell.stored)
                userlist[user_of(cell)] = stored_of(role, cell.stored) if not alone(cell) else ""
            if method == "any" or alone(cell):
                databases[database_of(cell)] = f"dbname=db0 user={role} " + LINKS[cell.link]
    for way in ways:
        for link, words in LINKS.items():
            databases[f"{way}_{link}"] = "dbname=db0 " + words
    conf = {"auth_type": "hba", "auth_hba_file": "hba.conf", "auth_ident_file": "ident.conf"}
    if by == "query":
        conf.update(auth_user="matrix_asker", auth_dbname="lookup", auth_query="SELECT name, secret FROM public.login_secrets WHERE name = $1")
    if by == "type":
        conf = {"auth_type": {"scram": "scram-sha-256", "plus": "scram-sha-256"}.get(method, method)}
    p = Pooler(server, top, databases=databases, userlist=userlist, pool_size=1, server_login_retry=3600, max_client_conn=1000,
               client_tls_sslmode="verify-ca" if (by, method) == ("type", "cert") else "allow", client_tls_ca_file=pki.crt("ca"),
               client_tls_cert_file=pki.crt("good"), client_tls_key_file=pki.file("good.key"), log_connections=0,
               log_disconnections=0, **judges, **conf)
    put(p.top + "/hba.conf", RULES)
    put(p.top + "/ident.conf", MAPS)
    p.start()
    wire.wait_until(lambda: is_open(p.sock), what="the Unix socket")
    return p


def is_open(path):
    try:
        wire.connect(path).close()
        return True
    except OSError:
        return False


def whole(server, pki, judges, top, by):
    p = build(server, pki, judges, f"{top}/login-{by}", by, None)
    yield p
    try:
        p.stop()
    except AssertionError as e:
        pytest.fail(str(e), pytrace=False)


@pytest.fixture(scope="module")
def ruled(server, pki, judges, top):
    yield from whole(server, pki, judges, top, "rule")


@pytest.fixture(scope="module")
def asking(server, pki, judges, top):
    yield from whole(server, pki, judges, top, "query")


@pytest.fixture
def typed(server, pki, judges, top):
    made = []

    def make(method):
        made.append(build(server, pki, judges, f"{top}/login-type-{method}", "type", method))
        return made[-1]
    yield make
    for p in made:
        try:
            p.stop()
        except AssertionError as e:
            pytest.fail(str(e), pytrace=False)


def database_of(cell):
    name = f"{cell.way}_{cell.link}"
    return name if cell.method != "any" and not alone(cell) else f"{name}_{role_of(cell)}"


class Log:
    """What PostgreSQL has logged since it was last asked."""

    def __init__(self, path):
        self.f = open(path, errors="replace")
        self.f.seek(0, os.SEEK_END)

    def logins(self, role):
        """(authorized, refused) of a role."""
        new = self.f.read()
        return new.count(f"connection authorized: user={role} "), new.count(f'password authentication failed for user "{role}"')


# ---- a cell ----

def expected_words(cell, outcome):
    code, sentence = loginrules.WORDS[outcome]
    return code, sentence.format(host="[local]" if cell.way == "unix" else "127.0.0.1", user=user_of(cell), role=role_of(cell),
                                 database=database_of(cell), encryption="SSL encryption" if cell.way in ("tls", "direct") else "no encryption")


def in_words(cell):
    leg = {"plain": "in the clear", "tls": "over TLS", "direct": "over direct TLS", "unix": "over the Unix socket"}[cell.way]
    by, where = ("auth_type" if cell.by == "type" else "a rule"), ("found by auth_query" if cell.by == "query" else "in auth_file")
    return (f"{cell.method} by {by}, {leg}, {cell.stored} {where}, {cell.given} password, "
            f"{cell.nth} connection, to a server that asks for {cell.asks} ({cell.link})")


def knock(p, pki, cell):
    cert = None
    if cell.method == "cert" and cell.given != "empty" and cell.way != "plain":
        cert = pki.crt("app")
    return Knock(p.sock if cell.way == "unix" else p.addr, user_of(cell), database_of(cell), given_of(cell), cell.way,
                 plus=cell.method == "plus", cert=cert)


def look_inside(k, cell, backends):
    """It got in: as whom, and on which connection of the server?"""
    pid, who, is_tls = k.row("SELECT pg_backend_pid(), current_user, (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())")
    k.quit()
    key = (role_of(cell), database_of(cell))
    if who != role_of(cell):
        return f"is {who} at the server"
    if (is_tls == "t") != (cell.link in ("tls", "bound")):
        return f"with TLS to the server: {is_tls}"
    if backends.setdefault(key, pid) != pid:
        return "got a second server connection"
    return None


def judge(k, cell, want, log, backends):
    """What is wrong with this cell, or None."""
    role = role_of(cell)
    # a refusal is remembered and not asked for again, by server_login_retry
    key = (role, database_of(cell))
    is_new = key not in backends
    if (want.where == "in") != k.is_in:
        if k.is_in:
            k.close()
        return k.describe()
    said = ("-", "the TLS handshake fails") if k.broken and "TLS" in k.broken else None
    if k.error:
        said = k.error["C"], k.error["M"]
    if want.where == "in":
        trouble = look_inside(k, cell, backends)
    else:
        code, sentence = expected_words(cell, want.outcome)
        trouble = None
        if said is None or said[0] != code or not (said[1] == sentence or sentence.endswith(" ...") and said[1].startswith(sentence[:-3])):
            trouble = k.describe()
    authorized, refused = log.logins(role)
    if want.outcome == "no-proof":
        authorized = 0     # such a server has nothing to refuse
    if want.outcome == "wrong-there":
        backends[key] = None
    if (authorized, refused) != (int(is_new and want.where == "in"), int(is_new and want.outcome == "wrong-there")):
        trouble = f"{trouble or 'so'}, but the server has seen {authorized} logins and refused {refused}"
    return trouble


def run(p, pki, server, by, method):
    log, backends, same, wrong, n = Log(server.log), {}, {}, [], 0
    for cell in cells(by, method):
        n += 1
        want = verdict(cell)
        k = knock(p, pki, cell)
        trouble = judge(k, cell, want, log, backends)
        if trouble:
            text = "in" if want.where == "in" else " ".join(expected_words(cell, want.outcome)) + f" (the {want.where}'s leg)"
            wrong.append(f"{in_words(cell)}\n    is: {trouble}\n    must be: {text}, login.rules:{','.join(map(str, want.lines))}")
        elif want.where == "client":
            # whoever is refused for the same reason sees the same bytes; but md5 becomes SCRAM where that is stored
            key = cell.way, want.outcome, cell.method == "md5" and cell.stored.endswith("scram")
            seen = k.transcript()
            first, other = same.setdefault(key, (seen, cell))
            if first != seen:
                wrong.append(f"{in_words(cell)}\n    shows {seen}\n    but {in_words(other)}\n    shows {first}")
    assert not wrong, f"{len(wrong)} of {n} cells are wrong:\n" + "\n".join(wrong[:12])
    return n


@pytest.mark.parametrize("method", BY_RULE)
def test_by_rule(ruled, server, pki, method):
    run(ruled, pki, server, "rule", method)
    ruled.console("RECONNECT")


@pytest.mark.parametrize("method", BY_QUERY)
def test_by_rule_looked_up(asking, server, pki, method):
    """Users in no auth_file: what auth_query finds counts the same."""
    run(asking, pki, server, "query", method)
    asking.console("RECONNECT")


@pytest.mark.parametrize("method", BY_TYPE)
def test_by_auth_type(typed, server, pki, method):
    run(typed(method), pki, server, "type", method)


def test_the_table_is_whole():
    """Enough cells, every value with every one of another column, and no line that decides nothing."""
    every = [c for by, methods in BY.items() for m in methods for c in cells(by, m)]
    assert len(every) == len(set(every)) >= 2000
    used = {line for c in every for line in verdict(c).lines}
    lines = {r.line for s in loginrules.SECTIONS.values() for r in s}
    assert lines == used, f"login.rules: lines that no cell needs: {sorted(lines - used)}"
    for m in ("trust", "plain", "md5", "scram"):
        mine = [c for c in every if c.method == m and c.stored != "unknown"]
        for a, b in (("way", "link"), ("way", "asks"), ("way", "stored"), ("stored", "asks"), ("stored", "link"), ("asks", "link"),
                     ("given", "way"), ("given", "stored"), ("given", "asks"), ("given", "link")):
            pairs = {(getattr(c, a), getattr(c, b)) for c in mine}
            missing = {(x, y) for x in {x for x, _ in pairs} for y in {y for _, y in pairs}} - pairs
            assert not missing, (m, a, b, missing)
