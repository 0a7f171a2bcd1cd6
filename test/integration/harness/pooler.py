"""One pooler process with a generated configuration: fynixpool, or PgBouncer as a stand-in for compatible tests."""

import os
import re
import signal
import subprocess
import time

from . import wire
from .cluster import USERS, pw
from .owner import OWNER, own, owner_name, owner_run
from .ports import free_port

BINARY = os.environ.get("FYNIXPOOL", "")
STANDIN = os.path.basename(BINARY) == "pgbouncer"
WORKERS = os.environ.get("FYNIX_WORKERS")
ENGINE = os.environ.get("FYNIX_ENGINE")
ADMIN_DB = "pgbouncer" if STANDIN else "fynixpool"
SECTION = "pgbouncer" if STANDIN else "fynixpool"

# what a stand-in calls it, or None where it has no such thing
STANDIN_NAMES = {
    "pool_size": "default_pool_size", "pool_timeout": "query_wait_timeout", "pool_recycle": "server_lifetime",
    "max_overflow": None, "overflow_linger": None, "worker_threads": None, "io_engine": None, "pool_pre_ping": None,
    "pre_ping_idle": None, "session_attach": None, "long_query_time": None, "long_query_action": None, "auth_failure_delay": None, "allow_core_dump": None,
    "max_unauthenticated_address_percent": None, "max_unauthenticated_percent": None,
}

SUPPRESSIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tsan.supp")
TROUBLE = re.compile(r"ERROR: \w*Sanitizer|runtime error:|WARNING: ThreadSanitizer|SUMMARY: \w*Sanitizer|"
                     r"LeakSanitizer|CHECK failed|assertion failed|Assertion .* failed", re.I)


def sanitizer_env():
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("DB_", "PG", "FYNIXPOOL_")) and k != "DATABASE_URL"}
    for name, ours in (("ASAN_OPTIONS", "exitcode=77:detect_leaks=1:detect_stack_use_after_return=1:quarantine_size_mb=16"),
                       ("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=77"),
                       ("TSAN_OPTIONS", "exitcode=66:second_deadlock_stack=1:suppressions=" + SUPPRESSIONS)):
        env[name] = ours + (":" + env[name] if env.get(name) else "")
    env["LC_ALL"] = "C"
    return env


def listens(path):
    """Is somebody listening on this Unix socket? Without a connection, which tests would see; the file may be an old one."""
    with open("/proc/net/unix", errors="replace") as f:
        return any(line.split()[3] == "00010000" for line in f if line.endswith(" " + path + "\n"))


class Pooler:
    def __init__(self, cluster, top, databases=None, users=None, userlist=None, section=SECTION, raw=None, env=None,
                 workers=None, **conf):
        self.cluster = cluster
        self.top = str(top)
        os.makedirs(self.top, exist_ok=True)
        own(self.top)
        self.port = free_port()
        self.ini = self.top + "/pooler.ini"
        self.auth_file = self.top + "/userlist.txt"
        self.log = self.top + "/pooler.log"
        self.err = self.top + "/stderr.txt"
        self.pidfile = self.top + "/pooler.pid"
        self.section = section
        self.env = env or {}
        self.wrap = [] # what the binary is started by, if not directly
        self.raw = raw
        self.proc = None
        self.ended = None
        self.conf = {
            "listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": self.top,
            "auth_type": "trust", "auth_file": self.auth_file, "admin_users": "admin", "stats_users": "stats",
            "pool_mode": "transaction", "logfile": self.log, "pidfile": self.pidfile,
        }
        if not STANDIN:
            if workers:
                self.conf["worker_threads"] = workers
            elif WORKERS:
                self.conf["worker_threads"] = WORKERS
            if ENGINE:
                self.conf["io_engine"] = ENGINE
            if os.getuid() != 0:
                self.conf["allow_core_dump"] = 1        # or the tests could not look into its /proc
            # all clients of the tests have one address, and many of them are wrong
            self.conf.update(auth_failure_delay=0, max_unauthenticated_address_percent=100)
        self.conf.update(conf)
        self.databases = databases if databases is not None else {d: "" for d in ("db0", "db1", "db2", "db3")}
        self.users = users or {}
        if userlist is None:
            userlist = {u: pw(u) for u in USERS + ["admin", "stats"]}
        self.userlist = userlist
        self.write()

    # ---- configuration ----

    def line(self, db, value):
        """A [databases] value; host, port and dbname are added where missing."""
        keys = [p.split("=")[0] for p in value.split()]
        out = []
        if "host" not in keys:
            out.append("host=127.0.0.1")
        if "port" not in keys:
            out.append(f"port={self.cluster.port}")
        if "dbname" not in keys and db != "*":
            out.append(f"dbname={db}")
        return " ".join(out + [value]).strip()

    def text(self):
        if self.raw is not None:
            return self.raw
        out = [f"[{self.section}]"]
        for k, v in self.conf.items():
            if v is None:
                continue
            if STANDIN:
                k = STANDIN_NAMES.get(k, k)
                if k is None:
                    continue
            elif self.section == "pgbouncer" and k == "pool_size":
                k = "default_pool_size"
            out.append(f"{k} = {v}")
        out += ["", "[databases]"]
        out += [f"{d} = {self.line(d, v)}" for d, v in self.databases.items()]
        if self.users:
            out += ["", "[users]"]
            out += [f"{u} = {v}" for u, v in self.users.items()]
        return "\n".join(out) + "\n"

    def write(self):
        with open(self.auth_file + ".new", "w") as f:
            for u, p in self.userlist.items():
                # two secrets: a tuple
                secrets = [s.replace('"', '""') for s in (p if isinstance(p, tuple) else (p,))]
                f.write('"%s" "%s"\n' % (u.replace('"', '""'), '" or "'.join(secrets)))
        own(self.auth_file + ".new")
        os.chmod(self.auth_file + ".new", 0o600)
        os.rename(self.auth_file + ".new", self.auth_file)
        with open(self.ini + ".new", "w") as f:
            f.write(self.text())
        own(self.ini + ".new")
        os.rename(self.ini + ".new", self.ini)

    def set(self, **conf):
        """Change the file; call reload() afterwards."""
        self.conf.update(conf)
        self.write()

    # ---- life ----

    def run(self, *args, timeout=20, env=None):
        """The binary with these arguments, to its end."""
        e = sanitizer_env()
        e.update(self.env)
        e.update(env or {})
        return subprocess.run(owner_run([*self.wrap, BINARY, *args]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", timeout=timeout, cwd=self.top, env=e, stdin=subprocess.DEVNULL)

    def start(self, args=("-q",), wait=True):
        env = sanitizer_env()
        env.update(self.env)
        self.ended = None
        with open(self.err, "ab") as errf:
            self.proc = subprocess.Popen(owner_run([*self.wrap, BINARY, *args, self.ini]), stdout=errf, stderr=errf, cwd=self.top,
                                         env=env, stdin=subprocess.DEVNULL, start_new_session=True)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=20):
        end = time.monotonic() + seconds
        while True:
            try:
                self.conn().close()
                # its doors open one after the other
                if self.raw is None and self.conf["unix_socket_dir"] == self.top and not listens(self.sock):
                    raise ConnectionRefusedError(self.sock)
                return
            except OSError:
                if self.proc.poll() is not None:
                    raise RuntimeError(f"pooler ended with {self.proc.returncode} at start:\n{self.output()}\n{self.text()}")
                if time.monotonic() > end:
                    raise RuntimeError(f"pooler does not listen:\n{self.output()}\n{self.text()}")
                time.sleep(0.02)

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def signal(self, sig):
        self.proc.send_signal(sig)

    def reload(self):
        self.console("RELOAD")

    def wait_exit(self, seconds=10):
        self.proc.wait(seconds)
        return self.proc.returncode

    def output(self):
        out = ""
        for path in (self.err, self.log):
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    out += f"--- {os.path.basename(path)}\n{f.read()[-6000:]}\n"
        return out

    def log_text(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as f:
            return f.read()

    def log_has(self, pattern, seconds=3):
        return wire.wait_until(lambda: re.search(pattern, self.log_text()), seconds, what=f"log line {pattern!r}")

    def stop(self):
        """End it; complain about a crash, a sanitizer report, or an end it should not have come to."""
        if self.proc is None:
            return
        early = self.proc.poll()
        hung = False
        if early is None:
            self.proc.send_signal(signal.SIGTERM if STANDIN else signal.SIGQUIT)
            try:
                self.proc.wait(15)
            except subprocess.TimeoutExpired:
                hung = True
                self.proc.send_signal(signal.SIGABRT)
                try:
                    self.proc.wait(10)
                except subprocess.TimeoutExpired:
                    self.proc.kill()
                    self.proc.wait()
        code = self.proc.returncode
        self.proc = None
        problems = []
        if hung:
            problems.append("did not end within 15 s of SIGQUIT")
        elif early is not None and early != self.ended:
            problems.append(f"had ended by itself with status {early}")
        elif code not in (0, 1):
            problems.append(f"ended with status {code}")
        seen = ""
        for path in (self.err, self.log):
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    seen += f.read()
        found = TROUBLE.search(seen)
        if found:
            problems.append(f"reported {found.group(0)!r}")
            at = max(0, found.start() - 500)
            problems.append(seen[at:at + 6000])
        if problems:
            raise AssertionError("the pooler " + "; ".join(problems) + "\n" + self.output())

    def expect_exit(self, seconds=10):
        """A test that ends the pooler on purpose says so with this; gives the status."""
        self.ended = self.wait_exit(seconds)
        assert self.ended >= 0, f"died of signal {-self.ended}\n{self.output()}"
        return self.ended

    # ---- ways in ----

    @property
    def addr(self):
        return ("127.0.0.1", self.port)

    @property
    def sock(self):
        return f"{self.top}/.s.PGSQL.{self.port}"

    def conn(self, **kw):
        return wire.Conn(self.addr, **kw)

    def client(self, user="app", database="db0", password=None, **kw):
        return wire.Client(self.addr, user, database, pw(user) if password is None else password, **kw)

    def admin(self, user="admin", database=None, **kw):
        return self.client(user, database or ADMIN_DB, **kw)

    def console(self, command, user="admin"):
        c = self.admin(user)
        try:
            return c.query(command)
        finally:
            c.quit()

    def show(self, what, user="admin"):
        return self.console("SHOW " + what, user).dicts()

    def pool(self, database="db0", user="app"):
        """Its row in SHOW POOLS, numbers as int; None when there is none."""
        for r in self.show("POOLS"):
            if r["database"] == database and r["user"] == user:
                return {k: int(v) if v and v.lstrip("-").isdigit() else v for k, v in r.items()}
        return None

    def dsn(self, user="app", database="db0", **kw):
        more = "".join(f" {k}={v}" for k, v in kw.items())
        return f"host=127.0.0.1 port={self.port} user={user} dbname={database} password={pw(user)} sslmode=disable{more}"

    def psql(self, *args, user="app", database="db0", as_owner=False, timeout=60, stdin=None, host="127.0.0.1"):
        argv = ["psql", "-X", "-q", "-A", "-t", "-h", host, "-p", str(self.port), "-U", user, "-d", database, *args]
        env = dict(sanitizer_env(), PGPASSWORD=pw(user), PGCONNECT_TIMEOUT="10")
        return subprocess.run(owner_run(argv) if as_owner else argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=timeout, env=env, input=stdin, cwd=self.top)

    def pgbench(self, *args, user="app", database="db0", timeout=120):
        argv = [self.cluster.bin + "/pgbench", "-h", "127.0.0.1", "-p", str(self.port), "-U", user, *args, database]
        env = dict(sanitizer_env(), PGPASSWORD=pw(user))
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                              env=env, cwd=self.top)

    def rss_kb(self):
        with open(f"/proc/{self.proc.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def cpu(self):
        with open(f"/proc/{self.proc.pid}/stat") as f:
            p = f.read().rsplit(")", 1)[1].split()
        return (int(p[11]) + int(p[12])) / os.sysconf("SC_CLK_TCK")

    def sanitized(self):
        with open(f"/proc/{self.proc.pid}/maps") as f:
            text = f.read()
        return "asan" in text or "tsan" in text or "0x10007fff8000" in text

    def fds(self):
        return len(os.listdir(f"/proc/{self.proc.pid}/fd"))


__all__ = ["Pooler", "BINARY", "STANDIN", "ADMIN_DB", "SECTION", "OWNER", "owner_name"]
