"""What is compared: a way for a client to reach the server. Each has a user of its own inside PostgreSQL, so that its
server connections can be counted there."""
import base64
import hashlib
import hmac
import os
import re
import shutil
import socket
import time

import proc
from proc import BenchError
from server import DBNAME, PASSWORD, free_port

POOL_SIZE = 20
MAX_CLIENTS = 12000


def scram_secret(password, iterations):
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    parts = [base64.b64encode(b).decode() for b in (
        salt, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))]
    return "SCRAM-SHA-256$%d:%s$%s:%s" % (iterations, *parts)


class Target:
    """`spec` is what the user asked for: NAME or NAME:key=value,… (settings added to the target's own section)."""
    pools = False       # shares POOL_SIZE server connections between its clients
    ends_tls = True     # speaks TLS itself when asked
    judged_as = ()      # which goals of a scenario are its own
    auth = None         # of its clients; None: as everywhere in the run
    iterations = 4096   # of its secrets, with SCRAM
    certificate = "rsa" # its key's kind: of rig/server.py's certificates
    pid = None          # of the process between client and server; None for direct

    def __init__(self, bench, spec, number):
        self.bench, self.spec = bench, spec
        self.name, _, settings = spec.partition(":")
        self.settings = dict(s.split("=", 1) for s in settings.split(",")) if settings else {}
        self.user = "bench_u%d" % number
        self.dir = os.path.join(bench.tmp, "target%d" % number)
        self.process = None
        self.port = None
        self.log = None

    def find(self):
        """Says why this target cannot run, or None."""
        return None

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        self.bench.procs.own(path)
        return path

    def start(self):
        os.makedirs(self.dir, exist_ok=True)
        self.bench.procs.own(self.dir)
        self.port = free_port()
        self.log = os.path.join(self.dir, "output.log")
        with open(self.log, "ab") as out:
            self.process = self.bench.procs.start(self.command(), unprivileged=True, cwd=self.dir, stdout=out,
                                                  stderr=out)
        self.pid = self.process.pid
        self._wait()

    def _wait(self):
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise BenchError("%s does not start\n%s" % (self.spec, self.last_words()))

    def last_words(self):
        text = ""
        for name in ("output.log", "log"):
            try:
                with open(os.path.join(self.dir, name), errors="replace") as f:
                    text += f.read()[-1500:]
            except OSError:
                pass
        return text

    def check_alive(self):
        if self.process is not None and self.process.poll() is not None:
            raise BenchError("%s ended by itself, status %d\n%s"
                             % (self.spec, self.process.returncode, self.last_words()))

    def stop(self):
        if self.process is not None:
            self.bench.procs.stop(self.process)
            self.process = self.pid = None

    def conninfo(self, tls=False):
        return "host=127.0.0.1 port=%d user=%s dbname=%s password=%s sslmode=%s gssencmode=disable" \
            % (self.port, self.user, DBNAME, PASSWORD, "require" if tls else "disable")

    def cpu(self):
        """(total ns, user ticks, system ticks) since its start."""
        if self.pid is None:
            return (0, 0, 0)
        return (proc.cpu_tree_ns(self.pid),) + proc.stat_ticks(self.pid)[:2]

    def version(self):
        return ""

    def pgbench_mode(self, mode):
        """As which -M this target can serve the scenario's."""
        return mode


class Direct(Target):
    def start(self):
        self.port = self.bench.server.port


class Pooler(Target):
    pools = True
    section = {}

    def _users(self):
        """With SCRAM of its own a target has the secret as PostgreSQL stores it: from a password PgBouncer would derive the
        keys anew at each login."""
        secret = scram_secret(PASSWORD, self.iterations) if self.auth == "scram-sha-256" else PASSWORD
        return '"%s" "%s"\n' % (self.user, secret)

    def ini(self, own):
        """`own` are the keys in which the poolers differ; all else is the same for both."""
        bench = self.bench
        certificate, key = bench.server.certificates[self.certificate]
        keys = {
            "listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": self.dir,
            "auth_type": self.auth or bench.auth, "auth_file": self.write("userlist.txt", self._users()),
            "admin_users": "bench_admin", "pool_mode": "transaction", "max_client_conn": MAX_CLIENTS,
            "logfile": os.path.join(self.dir, "log"), "pidfile": os.path.join(self.dir, "pid"),
            "client_tls_sslmode": "allow", "client_tls_cert_file": certificate,
            "client_tls_key_file": key, "server_tls_sslmode": "disable",
        }
        keys.update(own)
        keys.update(self.settings)
        text = "[%s]\n" % self.section + "".join("%s = %s\n" % kv for kv in keys.items())
        text += "\n[databases]\n%s = host=127.0.0.1 port=%d dbname=%s\n" % (DBNAME, bench.server.port, DBNAME)
        return self.write("%s.ini" % self.section, text)


class PgBouncer(Pooler):
    section = "pgbouncer"

    def find(self):
        self.binary = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path="/usr/sbin:" + os.environ["PATH"])
        return None if self.binary else "no pgbouncer found; set PGBOUNCER"

    def command(self):
        own = {"default_pool_size": POOL_SIZE, "reserve_pool_size": 0}
        if self._keeps_statements():
            own["max_prepared_statements"] = 200
        return [self.binary, "-q", self.ini(own)]

    def version(self):
        return self.bench.procs.run([self.binary, "-V"]).splitlines()[0]

    def _keeps_statements(self):
        return tuple(int(n) for n in re.findall(r"\d+", self.version())[:2]) >= (1, 21)

    def pgbench_mode(self, mode):
        """Before 1.21 it loses a named statement with the transaction."""
        return "extended" if mode == "prepared" and not self._keeps_statements() else mode


class HAProxy(Target):
    ends_tls = False

    def find(self):
        self.binary = os.environ.get("HAPROXY") or shutil.which("haproxy", path="/usr/sbin:" + os.environ["PATH"])
        return None if self.binary else "no haproxy found; set HAPROXY"

    def command(self):
        config = """global
	maxconn %d
	nbthread %s
defaults
	mode tcp
	timeout connect 5s
	timeout client 1h
	timeout server 1h
listen postgresql
	bind 127.0.0.1:%d
	server one 127.0.0.1:%d
""" % (MAX_CLIENTS // 8, self.settings.get("nbthread", 1), self.port, self.bench.server.port)
        return [self.binary, "-db", "-f", self.write("haproxy.cfg", config)]

    def version(self):
        return self.bench.procs.run([self.binary, "-v"]).splitlines()[0].split(" - ")[0]


class Fynixpool(Pooler):
    section = "fynixpool"
    engine = {}

    def find(self):
        self.binary = os.path.join(self.bench.tmp, "fynixpool")
        if os.path.exists(self.binary):
            return None
        top = os.path.join(os.path.dirname(__file__), "..", "..", "..")
        given = os.environ.get("FYNIXPOOL")
        for path in [given] if given else ["fynixpool", os.path.join(top, "fynixpool")]:
            if os.path.isfile(path) and os.access(path, os.X_OK):
                # A copy: a rebuild during the run does not change what is measured, and any user can read it.
                shutil.copy(path, self.binary)
                os.chmod(self.binary, 0o755)
                self.bench.note("fynixpool binary", os.path.abspath(path))
                self._look_inside()
                return None
        return "no fynixpool binary at %s; set FYNIXPOOL=/path/to/fynixpool" % (given or "./fynixpool")

    def _look_inside(self):
        with open(self.binary, "rb") as f:
            found = re.search(rb"__(asan|tsan|msan)_init", f.read())
        if found:
            self.bench.note("WARNING", "this fynixpool is built with a sanitizer (%s): its figures say nothing"
                            % found.group(1).decode())

    def command(self):
        return [self.binary, "-q",
                self.ini({"worker_threads": 1, "pool_size": POOL_SIZE, "max_overflow": 0, **self.engine})]

    def version(self):
        return self.bench.procs.run([self.binary, "-V"]).splitlines()[0]


class FynixpoolLibev(Fynixpool):
    engine = {"io_engine": "libev"}
    judged_as = ("libev",)


class FynixpoolUring(Fynixpool):
    engine = {"io_engine": "uring"}
    judged_as = ("uring",)


class FynixpoolTwo(Fynixpool):
    engine = {"worker_threads": 2}
    judged_as = ("two_workers",)


class FynixpoolReuse(Fynixpool):
    engine = {"reuse_unnamed_statements": "on"}
    judged_as = ("reuse",)


KINDS = {"direct": Direct, "pgbouncer": PgBouncer, "haproxy": HAProxy, "fynixpool": Fynixpool,
         "fynixpool-libev": FynixpoolLibev, "fynixpool-uring": FynixpoolUring, "fynixpool-two": FynixpoolTwo,
         "fynixpool-reuse": FynixpoolReuse}


def make(bench, spec, number):
    kind = KINDS.get(spec.partition(":")[0])
    if kind is None:
        raise BenchError("unknown target %s; known: %s" % (spec, ", ".join(KINDS)))
    if ":" in spec and not all("=" in s for s in spec.partition(":")[2].split(",")):
        raise BenchError("target %s: settings are written key=value,key=value" % spec)
    return kind(bench, spec, number)
