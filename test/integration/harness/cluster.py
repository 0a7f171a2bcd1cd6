"""One private PostgreSQL: own data directory, own port, every way to log in."""

import glob
import os
import shutil
import socket
import subprocess
import time

from . import wire
from .owner import owner_run, own
from .ports import free_port

USERS = ["app", "app2", "trusty", "plainy", "mdfive", "scrammy", "nobody"]
DATABASES = ["db0", "db1", "db2", "db3"]

HBA = """\
local all postgres trust
host all postgres 127.0.0.1/32 trust
host all trusty 127.0.0.1/32 trust
host all plainy 127.0.0.1/32 password
host all mdfive 127.0.0.1/32 md5
host all nobody 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
local all all scram-sha-256
"""


def bindir():
    found = os.environ.get("PG_BINDIR")
    if found:
        return found
    for d in sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[-2]), reverse=True):
        if os.path.exists(d + "/initdb"):
            return d
    raise RuntimeError("no PostgreSQL server programs found; set PG_BINDIR")


def pw(user):
    return "pw-" + user


class Cluster:
    def __init__(self, top, max_connections=300, reserved=3, template=None, more=None, hba=""):
        """more: settings of postgres; hba: lines in front of the others."""
        self.more = more or {}
        self.top = str(top)
        self.data = self.top + "/data"
        self.log = self.top + "/postgresql.log"
        self.bin = bindir()
        self.port = free_port()
        self.max_connections = max_connections
        self.reserved = reserved
        os.makedirs(self.top, exist_ok=True)
        own(self.top)
        if template:
            shutil.copytree(template.data, self.data, copy_function=shutil.copy2)
            pidfile = self.data + "/postmaster.pid"
            if os.path.exists(pidfile):
                os.unlink(pidfile)
            own(self.data, recurse=True)
        else:
            self.run([self.bin + "/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8",
                      "--locale=C.UTF-8"])
            with open(self.data + "/pg_hba.conf", "w") as f:
                f.write(hba + HBA)
        self._admin = None
        self.proc = None

    def run(self, argv):
        r = subprocess.run(owner_run(argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.top)
        if r.returncode:
            raise RuntimeError(f"{argv}: {r.stdout}")
        return r.stdout

    def start(self):
        opts = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.top,
            "max_connections": self.max_connections, "superuser_reserved_connections": self.reserved,
            "fsync": "off", "synchronous_commit": "on", "full_page_writes": "off", "shared_buffers": "32MB",
            "max_wal_senders": 0, "wal_level": "minimal", "autovacuum": "off", "log_connections": "on",
            "log_min_messages": "warning", "log_line_prefix": "%m [%p] %u@%d %e ", "timezone": "UTC",
            "password_encryption": "scram-sha-256", "ssl": "off", "jit": "off",
        }
        opts.update(self.more)
        argv = [self.bin + "/postgres", "-D", self.data] + [f"--{k}={v}" for k, v in opts.items()]
        self.logf = open(self.log, "ab")
        self.proc = subprocess.Popen(owner_run(argv), stdout=self.logf, stderr=self.logf, cwd=self.top,
                                     stdin=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + 30
        while True:
            try:
                self._admin = wire.Client(self.sock, "postgres", "postgres")
                return self
            except (OSError, wire.PgError, wire.Closed):
                if self.proc.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("PostgreSQL did not start:\n" + open(self.log).read()[-3000:])
                time.sleep(0.03)

    def prepare(self):
        """Roles, databases and the few tables that tests share. Once, on the template."""
        for u in USERS:
            if u == "mdfive":
                self.sql("SET password_encryption='md5'")
            self.sql(f"CREATE ROLE {u} LOGIN PASSWORD '{pw(u)}'")
            self.sql("RESET password_encryption")
        for d in DATABASES:
            self.sql(f"CREATE DATABASE {d}")
            with wire.Client(self.sock, "postgres", d) as c:
                c.query("GRANT ALL ON SCHEMA public TO PUBLIC;"
                        "CREATE TABLE public.whoami(db text); INSERT INTO whoami VALUES (current_database());"
                        "CREATE TABLE public.sink(n int CHECK (n < 1000000), t text);"
                        "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;"
                        "CREATE FUNCTION public.shout(t text) RETURNS text LANGUAGE plpgsql AS "
                        "$$BEGIN RAISE NOTICE '%', t; RETURN t; END$$;"
                        "CREATE FUNCTION public.fail(t text) RETURNS text LANGUAGE plpgsql AS "
                        "$$BEGIN RAISE EXCEPTION '%', t; END$$;")
        return self

    @property
    def sock(self):
        return f"{self.top}/.s.PGSQL.{self.port}"

    @property
    def addr(self):
        return ("127.0.0.1", self.port)

    def sql(self, text):
        """As superuser over the Unix socket; rows as tuples."""
        return self._admin.query(text).rows

    def value(self, text):
        return self.sql(text)[0][0]

    def client(self, user="app", database="db0", **kw):
        return wire.Client(self.addr, user, database, pw(user), **kw)

    def backends(self, where="true"):
        """pids of client backends that are not ours."""
        return [int(r[0]) for r in self.sql(
            "SELECT pid FROM pg_stat_activity WHERE backend_type='client backend' AND usename <> 'postgres' AND " + where)]

    def wait_query(self, text, seconds=3, step=0.02):
        """Until a backend is at work on it: a cancel that comes earlier is PostgreSQL's to forget."""
        wire.wait_until(lambda: self.backends(f"state='active' AND position($q${text}$q$ IN query) > 0"), seconds, step, text)

    def since(self):
        """A condition for backends(): those that begin from now on, and not what earlier tests have left."""
        return f"backend_start > '{self.value('SELECT clock_timestamp()')}'"

    def kill_backends(self, where="true"):
        """Terminate them and wait until they are gone: a query that meets a dying backend could not be saved by anybody."""
        pids = self.backends(where)
        self.sql("SELECT pg_terminate_backend(p) FROM unnest('{%s}'::int[]) p" % ",".join(map(str, pids)))
        end = time.monotonic() + 10
        while set(pids) & set(self.backends()):
            if time.monotonic() > end:
                raise RuntimeError("backends do not end")
        return len(pids)

    def log_text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def stop(self, mode="fast"):
        if not self.proc:
            return
        if self._admin:
            self._admin.close()
            self._admin = None
        import signal
        sig = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "smart": signal.SIGTERM}[mode]
        self.proc.send_signal(sig)
        try:
            self.proc.wait(20)
        except subprocess.TimeoutExpired:
            self.proc.send_signal(signal.SIGQUIT)
            self.proc.wait(10)
        self.logf.close()
        self.proc = None

    def restart(self, mode="fast", max_connections=None, reserved=None):
        self.stop(mode)
        if max_connections:
            self.max_connections = max_connections
        if reserved is not None:
            self.reserved = reserved
        return self.start()

    def is_listening(self):
        with socket.socket() as s:
            return s.connect_ex(self.addr) == 0
