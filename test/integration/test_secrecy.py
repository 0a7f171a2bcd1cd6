"""Passwords leave no trace: not in the log, on the console, in errors, in core dumps, nor in the memory of a process that has nothing to do.
And nobody but root looks into the process."""

import glob
import os
import re
import resource
import shutil
import subprocess
import time

import pytest

from harness import memory, scram, tlswire, wire
from harness.cluster import pw
from harness.owner import OWNER, owner_run
from harness.pooler import ADMIN_DB
from harness.wire import wait_until

TABLES = ["CLIENTS", "SERVERS", "SOCKETS", "ACTIVE_SOCKETS", "POOLS", "POOLS_EXTENDED", "DATABASES", "USERS", "CONFIG", "LISTS", "MEM", "STATS",
          "LOGINS", "LOGIN_ADDRESSES", "LONG_QUERIES", "HEALTH", "FDS", "STATE", "VERSION", "DNS_HOSTS", "PEERS", "WORKERS"]


def canary(what, before=0):
    """before: so many bytes that do not count in front of it, lest what comes later lies on it."""
    return "-" * before + f"KANARIE-{os.urandom(6).hex()}-{what}"


def bare(word):
    return word.lstrip("-")


def told(p):
    """All that the process says of itself."""
    out = [p.log_text(), p.output()]
    a = p.admin()
    for t in TABLES:
        r = a.ask("SHOW " + t)
        out.append(repr(r.msgs))
    a.quit()
    return "\n".join(out)


def in_text(text, words):
    return [w for w in words if bare(w) in text]


def idle(p):
    """Everything that was said has been dealt with: the last clients are gone."""
    wait_until(lambda: [r for r in p.console("SHOW CLIENTS").dicts() if r["database"] not in ("pgbouncer", "fynixpool")] == [], 10)


def no_trace(p, words, but=()):
    """words are nowhere; but: those that the configuration holds may be in memory, and nowhere else."""
    idle(p)
    said = told(p)
    assert in_text(said, list(words) + list(but)) == []
    for name in os.listdir(f"/proc/{p.proc.pid}/task"):
        assert "KANARIE" not in open(f"/proc/{p.proc.pid}/task/{name}/comm").read()
    for f in ("cmdline", "environ"):
        assert b"KANARIE" not in open(f"/proc/{p.proc.pid}/{f}", "rb").read()
    # servers that are on their way out still hold what they were made from
    end = time.monotonic() + 10
    while (found := memory.find(p.proc.pid, [bare(w).encode() for w in words])) and time.monotonic() < end:
        time.sleep(0.2)
    assert found == [], "\n".join(map(repr, found[:8]))


def refuse(p, user, password, **kw):
    with pytest.raises((wire.PgError, wire.Closed)) as e:
        p.client(user, password=password, **kw)
    return str(e.value)


class Secret:
    """A role of PostgreSQL's with a password that is a canary."""

    def __init__(self, pg, name, how="scram-sha-256"):
        self.name, self.password = name, canary(name, 700)
        pg.sql(f"SET password_encryption='{how}'")
        pg.sql(f"DROP ROLE IF EXISTS {name}")
        pg.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{self.password}'")
        pg.sql("RESET password_encryption")
        self.stored = pg.value(f"SELECT rolpassword FROM pg_authid WHERE rolname='{name}'")


def leave(p, c):
    c.value("SELECT 1")
    c.quit()


def test_passwords_in_the_clear(pg, pooler, pki):
    """auth_type plain: the password comes over the wire, right and wrong, at once and in pieces, in the clear and over TLS, asked for and not."""
    u, m = Secret(pg, "kan_u"), Secret(pg, "kan_m", "md5")
    p = pooler(auth_type="plain", databases={"db0": "user=trusty"}, client_tls_sslmode="allow", tcp_defer_accept=0,
               client_tls_cert_file=pki.crt("good"), client_tls_key_file=pki.file("good.key"), auth_failure_delay="50ms",
               userlist={u.name: u.stored, m.name: m.stored, "trusty": "", "admin": pw("admin"), "stats": ""})
    words = [u.password, m.password]
    for s in (u, m):
        leave(p, p.client(s.name, password=s.password))
        leave(p, tlswire.TlsClient(p.addr, s.name, "db0", s.password))
        for n in (0, 700, 990, 5000, 30000):
            words.append(canary("wrong", n))
            error = refuse(p, s.name, words[-1])
            assert "KANARIE" not in error
            with pytest.raises((wire.PgError, wire.Closed)):
                tlswire.TlsClient(p.addr, s.name, "db0", words[-1])
    refuse(p, "nobody-is-it", u.password)
    # a byte at a time; together with the startup packet, while the login waits for its delay; and the half of one, then goodbye
    c = p.conn()
    c.send(wire.startup({"user": u.name, "database": "db0"}))
    assert c.recv().type == "R"
    for b in wire.password(u.password):
        c.send(bytes([b]))
    c.until("Z"), c.close()
    c = p.conn()
    c.send(wire.startup({"user": u.name, "database": "db0"}), wire.password(u.password))
    c.until("Z"), c.close()
    c = p.conn()
    c.send(wire.startup({"user": u.name, "database": "db0"}))
    assert c.recv().type == "R"
    c.send(wire.password(u.password)[:-4])
    time.sleep(0.1)
    c.close()
    # more than may come
    c = p.conn()
    c.send(wire.startup({"user": u.name, "database": "db0"}), b"p\x7f\xff\xff\xff" + u.password.encode())
    c.rest(5), c.close()
    # to the console
    refuse(p, "admin", words[0], database=ADMIN_DB)
    no_trace(p, words)


def test_passwords_that_are_prepared(pg, pooler):
    """SASLprep makes copies in three alphabets; libidn wipes none of its own."""
    words, wide = [], []
    # memory that was freed is to be had again, as it is without the sanitizer
    env = {"ASAN_OPTIONS": "exitcode=77:detect_leaks=1:quarantine_size_mb=0:thread_local_quarantine_size_kb=0"}
    p = pooler(auth_type="plain", databases={"db0": "user=trusty"}, auth_failure_delay=0, env=env,
               userlist={"u": scram.secret("n/a"), "trusty": "", "admin": pw("admin"), "stats": ""})
    for n in range(0, 980, 16):
        # the mark of the test lies in the middle: a list of free memory takes the first bytes
        words.append(canary(f"\u00f6\ufb01-{n}", n))
        refuse(p, "u", words[-1])
        wide.append(bare(words[-1]))
    no_trace(p, words + [w.replace("\ufb01", "fi") for w in words])
    assert memory.find(p.proc.pid, [w[:12].encode("utf-32-le") for w in wide]) == []


def test_proofs(pg, pooler, pki):
    """md5 and SCRAM: nothing of the password comes; what is derived from it in both directions goes on to the server."""
    u, m = Secret(pg, "kan_u"), Secret(pg, "kan_m", "md5")
    for auth_type, s in (("scram-sha-256", u), ("md5", m), ("md5", u)):
        p = pooler(auth_type=auth_type, databases={"db0": ""}, client_tls_sslmode="allow", client_tls_cert_file=pki.crt("good"),
                   client_tls_key_file=pki.file("good.key"), userlist={s.name: s.stored, "admin": pw("admin")})
        wrong = canary("wrong", 700)
        if (auth_type, s) != ("md5", m):
            leave(p, p.client(s.name, password=s.password))         # pass-through
            leave(p, tlswire.TlsClient(p.addr, s.name, "db0", s.password))
        refuse(p, s.name, wrong)
        no_trace(p, [s.password, wrong])
        p.stop()


def test_passwords_of_servers(pg, pooler):
    """password= in a line of a database: in memory as long as it stands there, gone after a RELOAD without it, said nowhere."""
    users = [Secret(pg, "kan_s"), Secret(pg, "kan_m", "md5")]
    old = [Secret(pg, "kan_o"), Secret(pg, "kan_p", "md5")]
    wrong = canary("wrong", 700)
    hba = pg.data + "/pg_hba.conf"
    before = open(hba).read()
    try:
        with open(hba, "w") as f:
            f.write("host all kan_o,kan_p 127.0.0.1/32 password\nhost all kan_m 127.0.0.1/32 md5\n" + before)
        pg.sql("SELECT pg_reload_conf()")
        lines = {s.name: f"user={s.name} password={s.password} dbname=db0" for s in users + old}
        lines["bad"] = f"user=kan_o password={wrong} dbname=db0"
        p = pooler(auth_type="trust", databases=dict(lines, db0="user=trusty"))
        for s in users + old:
            leave(p, p.client("app", s.name))
        refuse(p, "app", None, database="bad")
        words = [s.password for s in users + old] + [wrong]
        no_trace(p, [canary("none")], but=words)
        assert len(memory.find(p.proc.pid, [bare(w).encode() for w in words])) >= len(words)     # we do see what is there
        p.databases = {"db0": "user=trusty"}
        p.write()
        p.console("RELOAD")
        # idle servers of what is gone leave, and with them what they were made from
        wait_until(lambda: [r for r in p.console("SHOW SERVERS").dicts() if r["user"].startswith("kan_")] == [], 10)
        wait_until(lambda: not memory.find(p.proc.pid, [bare(w).encode() for w in words]), 10)
        no_trace(p, words)
    finally:
        with open(hba, "w") as f:
            f.write(before)
        pg.sql("SELECT pg_reload_conf()")


def test_a_dropped_user_is_forgotten(pg, pooler):
    """A plain secret of auth_file, used for clients and for servers, and a mistake in the file."""
    u, v = Secret(pg, "kan_u"), Secret(pg, "kan_v")
    for auth_type in ("plain", "md5", "scram-sha-256"):
        keep = {"trusty": "", "admin": pw("admin"), "app": pw("app")}
        p = pooler(auth_type=auth_type, databases={"db0": ""}, userlist=dict(keep, **{u.name: u.password, v.name: v.password}))
        leave(p, p.client(u.name, password=u.password))
        no_trace(p, [canary("none")], but=[u.password, v.password])
        p.userlist = dict(keep, **{v.name: v.password})
        p.write()
        p.console("RELOAD")
        p.console("KILL db0"), p.console("RESUME db0")          # its idle servers
        wait_until(lambda: [r for r in p.console("SHOW SERVERS").dicts() if r["user"] == u.name] == [], 10)
        p.console("RELOAD")
        no_trace(p, [u.password], but=[v.password])
        with open(p.auth_file, "a") as f:
            f.write(f'"{v.name} "{v.password}"\n"broken" "{v.password}\n')
        a = p.admin()
        assert "KANARIE" not in repr(a.ask("RELOAD").msgs)
        a.quit()
        no_trace(p, [u.password], but=[v.password])
        p.stop()


# ---- who may look ----

def status(p, name):
    for line in open(f"/proc/{p.proc.pid}/status"):
        if line.startswith(name + ":"):
            return line.split()[1]


@pytest.mark.root
def test_only_root_looks_into_the_process(pooler):
    p = pooler(allow_core_dump=0)
    peek = owner_run(["cat", f"/proc/{p.proc.pid}/environ"])
    assert os.stat(f"/proc/{p.proc.pid}/environ").st_uid == 0
    assert subprocess.run(peek, capture_output=True).returncode != 0
    limits = open(f"/proc/{p.proc.pid}/limits").read()
    assert re.search(r"Max core file size +0 +0 ", limits), limits
    assert p.console("SHOW CONFIG").dicts() and int(status(p, "VmLck")) >= 4
    q = pooler(allow_core_dump=1)
    assert os.stat(f"/proc/{q.proc.pid}/environ").st_uid == OWNER.pw_uid
    peek[-1] = f"/proc/{q.proc.pid}/environ"
    assert subprocess.run(peek, capture_output=True).returncode == 0


def test_without_leave_to_lock_memory_one_warning(pooler):
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    p = pooler(start=False, io_engine="libev", userlist={f"u{i}": "SCRAM-SHA-256$4096:" + "x" * 90 for i in range(2000)} | {"admin": pw("admin"), "app": pw("app")})
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, hard))
    try:
        p.start()
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))
    assert p.client("app").value("SELECT 1") == "1"
    p.console("RELOAD")
    assert p.log_text().count("are not locked in memory") == 1
    assert status(p, "VmLck") == "0"


def test_a_core_holds_no_password(pg, pooler):
    """Where there is no gcore, and under a sanitizer (its cores are as large as the disk), the memory that a core would be made of is looked at."""
    u = Secret(pg, "kan_u")
    p = pooler(auth_type="plain", databases={"db0": "user=trusty"}, userlist={u.name: u.stored, "trusty": "", "admin": pw("admin")})
    leave(p, p.client(u.name, password=u.password))
    if p.sanitized() or not shutil.which("gcore") or not OWNER:
        no_trace(p, [u.password])
        return
    subprocess.run(["gcore", "-o", p.top + "/core", str(p.proc.pid)], check=True, capture_output=True)
    core, = glob.glob(p.top + "/core*")
    with open(core, "rb") as f:
        data = f.read()
    os.unlink(core)
    # the secrets of the configuration are kept out of it as well
    assert len(data) > 100000 and bare(u.password).encode() not in data and pw("admin").encode() not in data
