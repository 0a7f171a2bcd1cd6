"""auth_type = pam, and the method pam in auth_hba_file, with PAM's own modules and services in a folder of the tests."""

import glob
import os
import time

import pytest

from harness import wire
from harness.cluster import pw
from harness.owner import own
from harness.passwords import begins, enters, refused
from harness.pooler import ADMIN_DB

SERVICES = {
    "fynixpool": "auth required {matrix}\naccount required {matrix}\n",
    "pgbouncer": "auth required {matrix}\naccount required {matrix}\n",
    "other": "auth required {matrix}\naccount required pam_permit.so\n",
    "expired": "auth required {matrix}\naccount required pam_debug.so acct=acct_expired\n",
    "mustchange": "auth required {matrix}\naccount required pam_debug.so acct=new_authtok_reqd\n",
    "noaccount": "auth required {matrix}\naccount required pam_deny.so\n",
    "asks": "auth required {matrix} echo\naccount required pam_permit.so\n",
    "talks": "auth required {matrix} verbose\naccount required pam_permit.so\n",
    "hangs": "auth required pam_exec.so {top}/hang\naccount required pam_permit.so\n",
    "slow": "auth requisite pam_exec.so {top}/wait\nauth required {matrix}\naccount required pam_permit.so\n",
    "tells": "auth required pam_exec.so {top}/tell\nauth required {matrix}\naccount required pam_permit.so\n",
    "broken": "auth required no_such_module.so\n",
}
PEOPLE = [("app", pw("app"), "fynixpool"), ("app2", pw("app2"), "pgbouncer"), ("admin", pw("admin"), "fynixpool"), ("mike", "pw-mike", "none"),
          ("scrammy", "pw-elsewhere", "fynixpool"), ("odd $(x) `y`", "p:w"[:1] + "w $(x)", "fynixpool")]


def matrix():
    found = glob.glob("/usr/lib/*/pam_wrapper/pam_matrix.so") + glob.glob("/usr/lib*/pam_wrapper/pam_matrix.so")
    if not found:
        raise RuntimeError("pam_matrix.so not found: install Debian's package libpam-wrapper")
    return found[0]


def put(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    own(path)


@pytest.fixture(scope="module")
def services(top):
    d = top + "/pam"
    os.mkdir(d)
    own(d)
    put(d + "/passwd", "".join(f"{u}:{p}:{s}\n" for u, p, s in PEOPLE))
    put(d + "/hang", f"#!/bin/sh\necho $$ >>{d}/hanging\nexec sleep 60\n", 0o755)
    put(d + "/wait", "#!/bin/sh\nexec sleep 0.3\n", 0o755)
    put(d + "/tell", f'#!/bin/sh\necho "$PAM_SERVICE/$PAM_USER/$PAM_RHOST/$PAM_TYPE" >>{d}/told\n', 0o755)
    for name, text in SERVICES.items():
        put(f"{d}/{name}", text.format(matrix=f"{matrix()} passdb={d}/passwd", top=d))
    yield d
    for pid in read(d + "/hanging").split():
        try:
            with open(f"/proc/{pid}/cmdline") as f:
                if f.read().startswith("sleep"):
                    os.kill(int(pid), 9)
        except OSError:
            pass


def read(path):
    if not os.path.exists(path):
        return ""
    with open(path) as f:
        return f.read()


@pytest.fixture
def pam(pooler, services):
    def make(rules=None, section="fynixpool", start=True, **conf):
        args = {"userlist": {}, "databases": {"db0": "user=trusty", "db1": ""}, "section": section, "auth_pam_dir": services,
                "auth_failure_delay": 0}
        args.update({"auth_type": "hba", "auth_hba_file": "hba.conf"} if rules else {"auth_type": "pam"})
        args.update(conf)
        p = pooler(start=False, **args)
        if rules:
            put(p.top + "/hba.conf", rules)
        return p.start() if start else p
    return make


def test_right_wrong_empty_unknown(pam):
    p = pam()
    enters(p, "app")
    enters(p, *[x for x in PEOPLE if "odd" in x[0]][0][:2])
    seen = set()
    for user, password in (("app", "wrong"), ("nobody-at-all", "wrong"), ("app", pw("app2")), ("app:", "x"), ("root", "root")):
        e = refused(p, user, password)
        seen.add((e.fields["C"], e.text.replace(f'"{user}"', '"USER"'), e.severity, tuple(sorted(e.fields))))
    assert len(seen) == 1 and 'PAM authentication failed for user "USER"' in str(seen) and "28000" in str(seen)
    refused(p, "app", "")
    p.log_has("user=app: empty password")
    p.log_has(r"user=app: PAM service fynixpool: authentication: Authentication failure")
    assert p.show("VERSION")
    assert "pw-" not in p.log_text()


def test_service_of_pgbouncer(pam):
    p = pam(section="pgbouncer")
    enters(p, "app2")
    # the service is another one: app's account is none of its own
    e = refused(p, "app", pw("app"))
    assert (e.fields["C"], e.text) == ("08P01", "PAM authentication failed")


def test_account_is_checked(pam):
    p = pam("host all app all pam pamservice=expired\nhost all app2 all pam pamservice=mustchange\nhost all mike all pam pamservice=noaccount\n"
            "host all scrammy all pam\n")
    for user, password in (("app", pw("app")), ("app2", pw("app2")), ("mike", "pw-mike")):
        right, wrong = refused(p, user, password), refused(p, user, "wrong")
        assert right.fields == wrong.fields
    p.log_has(r"user=app: PAM service expired: account: User account has expired")
    p.log_has(r"user=app2: PAM service mustchange: account: Authentication token is no longer valid")
    p.log_has(r"user=mike: PAM service noaccount: account: ")
    enters(p, "scrammy", "pw-elsewhere")
    # mike's account is for no service
    p = pam()
    refused(p, "mike", "pw-mike")


def test_password_of_the_client_logs_in_to_the_server(pam):
    p = pam()
    enters(p, "app", database="db1", who="app")
    # PAM's password is not PostgreSQL's
    assert "authentication failed" in refused(p, "scrammy", "pw-elsewhere", database="db1").text
    p = pam(userlist={"scrammy": pw("scrammy")})
    enters(p, "scrammy", "pw-elsewhere", database="db1", who="scrammy")


def test_conversation(pam):
    """Only questions for a password are answered; what is said besides is passed over."""
    p = pam("host all app all pam pamservice=asks\nhost all app2 all pam pamservice=talks\n")
    refused(p, "app", pw("app"))
    enters(p, "app2")
    refused(p, "app2", "wrong")


def test_rules(pam, services):
    p = pam(f"local all all pam\nhost {ADMIN_DB} admin all pam\nhost all app all pam pamservice=tells\nhost all app2 all pam pamservice=other\n"
            "host all mike all pam pamservice=tells pam_use_hostname=1\nhost all nobody all pam pamservice=nosuchservice\n"
            "host all scrammy all pam pamservice=broken\n")
    enters(p, "app")
    enters(p, "app2")
    enters(p, "mike", "pw-mike")
    told = read(services + "/told").split()
    assert told[0] == "tells/app/127.0.0.1/auth" and told[1].startswith("tells/mike/") and told[1] != "tells/mike//auth"
    for user in ("nobody", "scrammy"):
        refused(p, user, "pw-elsewhere")
    assert p.show("VERSION")
    c = wire.Client(p.sock, "app", "db0", pw("app"))
    assert c.auth == [3, 0]
    c.quit()


def test_service_that_hangs(pam, services):
    """Whoever waits is refused in time, others come in meanwhile, and the end does not wait."""
    p = pam("host all app2 all pam pamservice=hangs\nhost all all all pam\n", client_login_timeout=2)
    begun = time.monotonic()
    waiting = [begins(p, "app2", "x") for _ in range(8)]
    wire.wait_until(lambda: len(read(services + "/hanging").split()) >= 8, 15, what="modules that hang")
    for _ in range(3):
        enters(p, "app")
    for c in waiting:
        assert wire.fields(c.until("E")[-1].body)["S"] == "FATAL"
        c.close()
    assert time.monotonic() - begun < 20
    begun = time.monotonic()
    p.stop()
    assert time.monotonic() - begun < 5


def test_a_crowd_stalls_nobody(pam):
    p = pam("host all app2 all pam pamservice=slow\nhost all trusty all trust\n", userlist={"trusty": ""}, max_client_conn=400,
            max_unauthenticated_percent=100, databases={"db0": "user=trusty pool_size=5"})
    took = []
    with wire.Client(p.addr, "trusty", "db0") as c:
        crowd = [begins(p, "app2", pw("app2") if n % 2 else "wrong") for n in range(48)]
        for _ in range(300):
            begun = time.monotonic()
            assert c.value("SELECT 1") == "1"
            took.append((time.monotonic() - begun) * 1e3)
    took.sort()
    print(f"300 queries beside 48 logins of 0.3 s: median {took[150]:.2f} ms, p99 {took[297]:.2f} ms")
    # on a worker's loop each login would take 300 ms of it
    assert took[297] < 250
    for n, login in enumerate(crowd):
        last = login.until("Z" if n % 2 else "E")[-1]
        assert n % 2 or "PAM authentication failed" in wire.fields(last.body)["M"]
        login.close()


def test_bad_options_are_named(pam):
    for options, why in (("pamservice=a/b", "name of a file"), ("pam_use_hostname=yes", "0 or 1"), ("ldapserver=x", "not possible with the method pam")):
        p = pam(f"# one\nhost all all all pam {options}\n", start=False)
        r = p.run("-t", p.ini)
        assert r.returncode != 0 and "hba.conf:2: " in r.stderr and why in r.stderr, r.stderr
