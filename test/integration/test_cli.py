"""The command line, the file, the environment, the process."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest

from harness import wire
from harness.cluster import pw
from harness.owner import OWNER, own, owner_name, root_run
from harness.pooler import BINARY, SECTION, Pooler, listens, sanitizer_env
from harness.wire import wait_until

compat = pytest.mark.compat


@pytest.fixture
def cold(maker, pg):
    """A pooler that has its files and is not running."""
    def make(**kw):
        return maker(pg, start=False, **kw)
    return make


def write(p, name, text):
    path = f"{p.top}/{name}"
    with open(path, "w") as f:
        f.write(text)
    own(path)
    return path


def check(p, text, *args, env=None):
    """fynixpool -t on this text: (status, everything it said)."""
    path = write(p, "try.ini", text)
    r = p.run("-t", *args, path, env=env)
    return r.returncode, r.stdout + r.stderr


# ---- words on the command line ----

@compat
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(cold, flag):
    r = cold().run(flag)
    assert r.returncode == 0 and "-d" in r.stdout and "-q" in r.stdout and "-u" in r.stdout
    assert len(r.stdout.splitlines()) >= 6


@compat
@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version_is_what_the_console_says(cold, flag):
    p = cold()
    r = p.run(flag)
    assert r.returncode == 0
    p.start()
    assert r.stdout.splitlines()[0] == p.show("VERSION")[0]["version"]


def test_version_under_the_name_pgbouncer(cold):
    """A symbolic link in PgBouncer's place: the first line is again what the console says."""
    p = cold(section="pgbouncer")
    link = f"{p.top}/pgbouncer"
    os.symlink(BINARY, link)
    r = subprocess.run([link, "--version"], stdout=subprocess.PIPE, text=True, env=sanitizer_env(), timeout=20)
    p.start()
    lines = r.stdout.splitlines()
    assert r.returncode == 0 and lines[0] == p.show("VERSION")[0]["version"]
    assert re.fullmatch(r"PgBouncer [\d.]+ \(fynixpool [\d.]+\)", lines[0])
    own_name = p.run("-V").stdout.splitlines()
    assert own_name[0].startswith("fynixpool ") and lines[0] in own_name[1], "and under our own name it is named, too"


def test_the_readmes_example_works_as_written(cold, pg):
    """Its two files and its commands; only the ports, the password and the database are those of here."""
    p = cold()
    with open(os.path.join(os.path.dirname(__file__), "../../README.md"), encoding="utf-8") as f:
        part = f.read().split("## Use it")[1].split("\n## ")[0]
    blocks = ["\n".join(line[4:] for line in b.splitlines()) + "\n"
              for b in re.findall(r"(?:^(?:    .*)?\n)+", part, re.M) if b.strip()]
    ini, users, commands = [b.strip("\n") + "\n" for b in blocks][:3]
    assert ini.startswith("[fynixpool]") and "port=5432" in ini and "shop =" in ini
    ini = ini.replace("port=5432", f"port={pg.port} dbname=db0")
    ini = ini.replace("[databases]", f"listen_port = {p.port}\nunix_socket_dir =\n[databases]").replace("alice", "app")
    write(p, "fynixpool.ini", ini)
    write(p, "userlist.txt", users.replace("alice", "app").replace("her password", pw("app")))
    words = [line.split("#")[0].split() for line in commands.splitlines()]
    assert [w[:2] for w in words[:2]] == [["fynixpool", "-t"], ["fynixpool", "-d"]]
    r = p.run(*words[0][1:])
    assert r.returncode == 0, r.stdout + r.stderr
    r = p.run(*words[1][1:])
    assert r.returncode == 0, r.stdout + r.stderr
    with open(p.top + "/fynixpool.pid") as f:
        pid = int(f.read())
    try:
        for w, sql in ((words[2], "SELECT 1"), (words[3], "SHOW STATE")):
            assert w[0] == "psql"
            argv = [x.replace("6432", str(p.port)).replace("alice", "app") for x in w]
            r = subprocess.run(argv + ["-X", "-c", sql], env=dict(sanitizer_env(), PGPASSWORD=pw("app")), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, stdin=subprocess.DEVNULL)
            assert r.returncode == 0, r.stdout
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: "configuration reloaded" in open(p.top + "/fynixpool.log").read(), 5)
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(p.top + "/fynixpool.pid"), 10, what="it ends and takes its pidfile along")
    assert "process down" in open(p.top + "/fynixpool.log").read()


@compat
@pytest.mark.parametrize("args", [["-x", "file"], ["--no-such"], ["a", "b"]])
def test_wrong_usage_is_an_error(cold, args):
    r = cold().run(*args)
    assert r.returncode != 0 and r.stderr + r.stdout


def test_missing_file_is_an_error_that_names_it(cold):
    p = cold()
    r = p.run("-q", p.top + "/nowhere.ini")
    assert r.returncode != 0
    assert "nowhere.ini" in r.stdout + r.stderr


# ---- -t ----

GOOD = "[fynixpool]\nlisten_port = 7000\n[databases]\ndb0 = host=127.0.0.1\n"


def test_t_is_content_with_a_good_file(cold):
    status, said = check(cold(), GOOD)
    assert status == 0, said


def test_t_names_every_problem_with_file_and_line_at_once(cold):
    text = "\n".join([
        "[fynixpool]",                        # 1
        "listen_port = 7000",                 # 2
        "pool_sise = 5",                      # 3 unknown
        "max_client_conn = lots",             # 4 not a number
        "pool_mode = transactoin",            # 5 not a mode
        "query_timeout = 5parsecs",           # 6 unit
        "listen_port = 70000",                # 7 range
        "this is no assignment",              # 8
        "[databases]",                        # 9
        "db0 = hots=127.0.0.1",               # 10 unknown key
        "db1 = host=127.0.0.1 port=abc",      # 11
        "db2 = host='127.0.0.1",              # 12 quote
        "[users]",                            # 13
        "u = pool_mode=wild",                 # 14
        "[databasse]",                        # 15
    ]) + "\n"
    p = cold()
    status, said = check(p, text)
    assert status != 0
    for line in (3, 4, 5, 6, 7, 8, 10, 11, 12, 14, 15):
        assert re.search(rf"try\.ini:{line}: ", said), f"nothing about line {line}:\n{said}"
    for line in (1, 2, 9, 13):
        assert not re.search(rf"try\.ini:{line}: ", said), f"line {line} is fine:\n{said}"


@pytest.mark.parametrize("wrong,right", [("pool_sise", "pool_size"), ("max_overflw", "max_overflow"), ("listenport", "listen_port"),
                                         ("query_wait_timout", "query_wait_timeout"), ("default_poolsize", "default_pool_size")])
def test_unknown_key_is_told_the_nearest_name(cold, wrong, right):
    status, said = check(cold(), f"[fynixpool]\n{wrong} = 1\n[databases]\nx = host=127.0.0.1\n")
    assert status != 0 and wrong in said and right in said, said


def test_unknown_key_of_a_database_is_told_the_nearest_name(cold):
    status, said = check(cold(), "[fynixpool]\n[databases]\nx = hst=127.0.0.1\n")
    assert status != 0 and "hst" in said and re.search(r"\bhost\b", said), said


def test_both_profiles_are_refused_together(cold):
    status, said = check(cold(), "[fynixpool]\nlisten_port=7000\n[pgbouncer]\nlisten_port=7001\n[databases]\nx=host=127.0.0.1\n")
    assert status != 0 and "fynixpool" in said and "pgbouncer" in said and re.search(r"try\.ini:3", said), said


def test_an_error_keeps_it_from_starting(cold):
    p = cold()
    path = write(p, "bad.ini", p.text().replace("auth_type = trust", "auth_typ = trust"))
    r = p.run("-q", path)
    assert r.returncode != 0 and "auth_typ" in r.stderr + r.stdout + p.log_text()


def test_t_does_not_start_anything(cold):
    p = cold()
    status, said = check(p, p.text())
    assert status == 0, said
    assert not os.path.exists(p.pidfile) and not os.path.exists(p.sock)


@pytest.mark.parametrize("name", ["pgbouncer", "fynixpool"])
def test_reserved_database_names(cold, name):
    status, said = check(cold(), f"[fynixpool]\n[databases]\n{name} = host=127.0.0.1\n")
    assert status != 0 and name in said and "try.ini:3" in said


def test_sample_of_pgbouncers_dialect_is_taken(cold):
    """§11: later keys win, empty values, comments, indentation, a section that comes twice, doubled quotes."""
    p = cold()
    userlist = write(p, "users.txt", '; a comment\n"u" "plain"\n"m" "md5d41d8cd98f00b204e9800998ecf8427e"\n"e" ""\n')
    os.chmod(userlist, 0o600)
    text = f"""; comment
# comment
[pgbouncer]
  listen_port = 7001
listen_port= 7002
listen_addr = *
pidfile =
unix_socket_dir =
auth_file = {userlist}
auth_type = md5
default_pool_size = 20
reserve_pool = 3
max_client_conn=100
server_reset_query = DISCARD ALL
ignore_startup_parameters = extra_float_digits, options
admin_users = a, b
stats_users = c
server_lifetime = 3600
query_wait_timeout = 1.5
verbose = 0

[databases]
db0 = host=127.0.0.1 port=5432 dbname='with ''quote'' in it' user=u password='p w'
* = host=127.0.0.1
  indented = host=127.0.0.1 connect_query='SELECT 1' pool_mode=session pool_size=5 reserve_pool=2
"quoted name" = host=127.0.0.1

[users]
test2 =
u = pool_mode=statement max_user_connections=5

[databases]
more = host=/tmp client_encoding=UTF8 datestyle=ISO timezone=UTC application_name=x
"""
    status, said = check(p, text)
    assert status == 0, said


# ---- units, includes, names ----

def config(p):
    return {r["key"]: r["value"] for r in p.show("CONFIG")}


@pytest.mark.parametrize("key,text,seconds", [
    ("query_timeout", "30s", 30), ("query_timeout", "5min", 300), ("query_timeout", "1500ms", 1.5), ("query_timeout", "2h", 7200),
    ("query_timeout", "1d", 86400), ("query_timeout", "45", 45), ("query_timeout", "0.5", 0.5), ("query_timeout", "30 s", 30)])
def test_times_with_units(pooler, key, text, seconds):
    p = pooler(**{key: text})
    assert float(config(p)[key]) == seconds


@pytest.mark.parametrize("text,size", [("64MB", 64 << 20), ("1kB", 1024), ("2048", 2048), ("1GB", 1 << 30)])
def test_sizes_with_units(pooler, text, size):
    p = pooler(max_packet_size=text)
    assert int(config(p)["max_packet_size"]) == size


@pytest.mark.parametrize("text", ["-1", "1x", "s", "1e400", "0x10", "1 2", "99999999999999999999", "nan", "inf", "--5", "5s5"])
def test_times_that_are_none(cold, text):
    status, said = check(cold(), f"[fynixpool]\nquery_timeout = {text}\n[databases]\nx = host=127.0.0.1\n")
    assert status != 0 and "try.ini:2" in said, said


def test_both_vocabularies_mean_the_same(pooler):
    """pool_size = default_pool_size, pool_recycle = server_lifetime, pool_timeout = query_wait_timeout."""
    a = config(pooler(pool_size=7, pool_recycle=77, pool_timeout=17))
    assert (a["default_pool_size"], a["server_lifetime"], a["query_wait_timeout"]) == ("7", "77", "17")
    b = config(pooler(default_pool_size=7, server_lifetime=77, query_wait_timeout=17))
    for k in ("default_pool_size", "server_lifetime", "query_wait_timeout"):
        assert a[k] == b[k]


def test_defaults_of_the_two_profiles(pg, pooler):
    ours = config(pooler(pool_mode=None, auth_type=None))
    assert (ours["default_pool_size"], ours["max_overflow"], ours["server_lifetime"], ours["query_wait_timeout"], ours["pool_mode"],
            ours["long_query_time"], ours["overflow_linger"]) == ("20", "30", "3600", "30", "transaction", "30", "5")
    theirs = config(pooler(section="pgbouncer", pool_mode=None, auth_type="trust"))
    assert (theirs["default_pool_size"], theirs["max_client_conn"], theirs["query_wait_timeout"], theirs["pool_mode"],
            theirs["server_idle_timeout"], theirs["reserve_pool_timeout"]) == ("20", "100", "120", "session", "600", "5")
    assert "max_overflow" not in theirs, "SHOW CONFIG of the [pgbouncer] profile has PgBouncer's rows and no others"


@compat
def test_include(cold, pg):
    p = cold()
    write(p, "sizes.ini", "max_client_conn = 123\n")
    write(p, "dbs.ini", f"[databases]\nincluded = host=127.0.0.1 port={pg.port} dbname=db1\n")
    p.raw = p.text().replace("[databases]", f"%include {p.top}/sizes.ini\n[databases]", 1) + f"\n%include {p.top}/dbs.ini\n"
    p.write()
    p.start()
    assert config(p)["max_client_conn"] == "123"
    with p.client(database="included") as c:
        assert c.value("SELECT current_database()") == "db1"
        c.quit()


def test_problems_in_included_files_name_that_file(cold):
    p = cold()
    write(p, "inner.ini", "\n\nno_such_key = 1\n")
    status, said = check(p, f"[fynixpool]\n%include {p.top}/inner.ini\n[databases]\nx = host=127.0.0.1\n")
    assert status != 0 and "inner.ini:3: " in said, said
    write(p, "loop.ini", f"%include {p.top}/loop.ini\n")
    status, said = check(p, f"[fynixpool]\n%include {p.top}/loop.ini\n[databases]\nx = host=127.0.0.1\n")
    assert status != 0 and "loop.ini" in said
    status, said = check(p, f"[fynixpool]\n%include {p.top}/nowhere.ini\n[databases]\nx = host=127.0.0.1\n")
    assert status != 0 and "nowhere.ini" in said and "try.ini:2" in said


# ---- environment ----

def test_environment_is_understood_and_lower_than_the_file(cold):
    p = cold(pool_size=None)
    p.env = {"DB_POOL_SIZE": "7", "DB_MAX_OVERFLOW": "4", "DB_POOL_RECYCLE": "1800", "DB_POOL_PRE_PING": "false"}
    p.start()
    c = config(p)
    assert (c["default_pool_size"], c["max_overflow"], c["server_lifetime"]) == ("7", "4", "1800")
    assert c["pool_pre_ping"] in ("0", "no", "false", "off")
    p.stop()
    p.set(pool_size=9)
    p.start()
    assert config(p)["default_pool_size"] == "9", "the file wins"


def test_bad_environment_is_an_error_that_names_the_variable(cold):
    p = cold()
    status, said = check(p, GOOD, env={"DB_POOL_SIZE": "many"})
    assert status != 0 and "DB_POOL_SIZE" in said, said


def test_database_url_alone_is_enough(pg, top):
    """No file at all."""
    p = Pooler(pg, f"{top}/url-{os.getpid()}")
    env = dict(sanitizer_env(), DATABASE_URL=f"postgresql://app:{pw('app')}@127.0.0.1:{pg.port}/db0", FYNIXPOOL_LISTEN_PORT=str(p.port),
               FYNIXPOOL_UNIX_SOCKET_DIR=p.top, FYNIXPOOL_LISTEN_ADDR="127.0.0.1", DB_POOL_SIZE="3")
    from harness.owner import owner_run
    with open(p.err, "wb") as err:
        p.proc = subprocess.Popen(owner_run([BINARY]), env=env, cwd=p.top, stdout=err, stderr=err, stdin=subprocess.DEVNULL)
    p.wait_ready()
    with p.client() as c:
        assert c.query("SELECT current_database(), current_user").rows == [("db0", "app")]
        c.quit()
    with pytest.raises(wire.PgError):
        p.client(password="wrong")
    p.stop()


# ---- the process ----

@compat
def test_pidfile_is_there_while_it_runs(cold):
    p = cold()
    p.start()
    assert int(wait_until(lambda: open(p.pidfile).read(), 3)) == p.proc.pid
    p.stop()
    assert not os.path.exists(p.pidfile)


@compat
def test_pidfile_of_a_living_process_keeps_a_second_from_starting(cold):
    p = cold()
    p.start()
    r = p.run("-q", p.ini)
    assert r.returncode != 0
    assert p.alive() and int(open(p.pidfile).read()) == p.proc.pid
    p.client().quit()


def test_stale_or_empty_pidfile_is_taken_over(cold):
    """M2."""
    p = cold()
    for text in ("999999\n", "", "garbage\n"):
        path = write(p, "pooler.pid", text)
        assert path == p.pidfile
        p.start()
        assert int(open(p.pidfile).read()) == p.proc.pid
        p.stop()


@compat
def test_stale_unix_socket_is_taken_over(cold):
    p = cold()
    p.start()
    p.signal(signal.SIGKILL)
    p.ended = p.proc.wait(5)
    p.proc = None
    assert os.path.exists(p.sock)
    if os.path.exists(p.pidfile):
        os.unlink(p.pidfile)
    # io_uring's sockets outlive their process for a moment
    wait_until(lambda: not listens(p.sock) and not reachable(p), 10)
    p.start()
    c = wire.Client(p.sock, "app", "db0")
    assert c.value("SELECT 1") == "1"
    c.quit()


@compat
def test_d_goes_to_the_background(cold):
    p = cold()
    r = p.run("-d", p.ini)
    assert r.returncode == 0, r
    pid = int(wait_until(lambda: os.path.exists(p.pidfile) and open(p.pidfile).read().strip(), 5))
    try:
        wait_until(lambda: reachable(p), 5)
        with p.client() as c:
            assert c.value("SELECT 1") == "1"
            c.quit()
        stat = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        assert int(stat[3]) != os.getsid(0), "its own session"
        for fd in (0, 1, 2):
            assert not os.readlink(f"/proc/{pid}/fd/{fd}").startswith(("/dev/pts", "/dev/tty"))
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: gone(pid), 10)
    assert not os.path.exists(p.pidfile)


def reachable(p):
    try:
        p.conn().close()
        return True
    except OSError:
        return False


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.root
@compat
def test_u_changes_the_user(cold):
    p = cold()
    r = subprocess.Popen([BINARY, "-q", "-u", owner_name(), p.ini], env=sanitizer_env(), cwd=p.top, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=open(p.err, "ab"))
    p.proc = r
    p.wait_ready()
    status = open(f"/proc/{r.pid}/status").read()
    assert re.search(rf"^Uid:\t{OWNER.pw_uid}\t{OWNER.pw_uid}\t{OWNER.pw_uid}\t{OWNER.pw_uid}$", status, re.M), status
    assert re.search(rf"^Gid:\t{OWNER.pw_gid}\t{OWNER.pw_gid}\t{OWNER.pw_gid}\t{OWNER.pw_gid}$", status, re.M), status
    assert re.search(r"^CapEff:\t0+$", status, re.M)
    with p.client() as c:
        assert c.value("SELECT 1") == "1"
        c.quit()


@pytest.mark.rootlike
@compat
def test_root_is_refused(cold):
    """An ordinary user is root in a user namespace of his own."""
    p = cold()
    r = subprocess.run(root_run([BINARY, "-q", p.ini]), env=sanitizer_env(), cwd=p.top, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=10)
    assert r.returncode != 0
    assert "root" in r.stdout + r.stderr + p.log_text()


@compat
def test_port_taken_is_an_error_that_names_it(cold, pg):
    p = cold(listen_port=pg.port, unix_socket_dir="")
    r = p.run("-q", p.ini)
    assert r.returncode != 0
    assert str(pg.port) in r.stdout + r.stderr + p.log_text()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_door_of_one_that_is_about_to_end_is_waited_for(cold, kind):
    """With io_uring, the sockets of a process that was killed outlive it by milliseconds: it may be started again at once."""
    p = cold()
    other = socket.socket(socket.AF_INET if kind == "tcp" else socket.AF_UNIX)
    if kind == "tcp":
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind(("127.0.0.1", p.port) if kind == "tcp" else p.sock)
    if kind == "unix":
        os.chmod(p.sock, 0o777)
    other.listen()
    p.start(wait=False)
    p.log_has(r"127\.0\.0\.1:\d+.* in use; trying for 2 s" if kind == "tcp" else r"\.s\.PGSQL\.\d+ is in use.*; trying for 2 s", 10)
    assert p.alive()
    other.close()
    p.wait_ready()
    for at in (p.sock, ("127.0.0.1", p.port)):
        with wire.Client(at, "app", "db0") as c:
            assert c.value("SELECT 1") == "1"
            c.quit()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_killed_one_is_followed_at_once(cold, kind):
    p = cold()
    p.start()
    for _ in range(5):
        p.signal(signal.SIGKILL)
        p.proc.wait(5)
        p.start(wait=False)
        wait_until(lambda: answers(p, p.sock if kind == "unix" else ("127.0.0.1", p.port)), 20)
        assert p.alive(), p.log_text()


def answers(p, at):
    try:
        with wire.Client(at, "app", "db0") as c:
            return c.value("SELECT 1") == "1"
    except (OSError, wire.Closed):
        return False


def test_unix_socket_has_its_mode_from_the_start(cold):
    p = cold(unix_socket_mode="0700")
    p.start()
    assert os.stat(p.sock).st_mode & 0o777 == 0o700


@compat
def test_sockets_and_pidfile_go_with_it(cold):
    p = cold()
    p.start()
    assert os.path.exists(p.sock)
    p.stop()
    assert not os.path.exists(p.pidfile)


def test_unix_socket_file_goes_with_it(cold):
    p = cold()
    p.start()
    p.stop()
    assert not os.path.exists(p.sock)


@compat
def test_log_file_is_opened_anew_on_reload(cold):
    p = cold()
    p.start()
    os.rename(p.log, p.log + ".1")
    p.reload()
    with p.client() as c:
        c.query("SELECT 1")
        c.quit()
    wait_until(lambda: os.path.exists(p.log) and os.path.getsize(p.log) > 0, 5)


def test_shipped_sample_file_is_good(cold):
    """etc/fynixpool.ini of the source tree, where the tests run from one."""
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "etc")
    found = [os.path.join(d, f) for d, _, fs in os.walk(top) for f in fs if f.endswith(".ini")]
    assert found, "no sample file in etc/"
    p = cold()
    for path in found:
        text = open(path).read()
        text = re.sub(r"(?m)^(auth_file\s*=\s*).*$", rf"\g<1>{p.auth_file}", text)
        text = re.sub(r"(?m)^(logfile|pidfile|unix_socket_dir)(\s*=\s*).*$", r"\1\2", text)
        status, said = check(p, text)
        assert status == 0, said


def test_startup_is_quick(cold):
    p = cold()
    t = time.monotonic()
    p.start()
    assert time.monotonic() - t < (5 if p.sanitized() else 1)


assert SECTION
