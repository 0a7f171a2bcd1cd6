"""The private PostgreSQL of one run, on a free loopback port, thrown away at the end."""
import glob
import os
import socket
import time

from proc import BenchError, cpu_ns, children, stat_ticks

DBNAME = "bench"
PASSWORD = "bench-password"
SUPERUSER = "bench_owner"

_SETTINGS = {
    "listen_addresses": "'127.0.0.1'", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
    "shared_buffers": "'256MB'", "wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "'4GB'",
    "checkpoint_timeout": "'1h'", "autovacuum": "off", "jit": "off", "log_min_messages": "fatal",
    "password_encryption": "'scram-sha-256'", "max_parallel_workers_per_gather": "0", "bgwriter_lru_maxpages": "0",
}

_KEYS = {"rsa": ["rsa:2048"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def find_bindir():
    for path in [os.environ.get("PGBINDIR", "")] + sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True):
        if os.access(os.path.join(path, "initdb"), os.X_OK):
            return path
    raise BenchError("no PostgreSQL server binaries found; set PGBINDIR")


class Server:
    def __init__(self, procs, tmp, auth, scale, max_connections):
        self.procs, self.tmp, self.auth, self.scale = procs, tmp, auth, scale
        self.max_connections = max_connections
        self.bindir = find_bindir()
        # by the kind of their key: certificate file, key file
        self.certificates = {kind: tuple(os.path.join(tmp, "server-%s.%s" % (kind, end)) for end in ("crt", "key"))
                             for kind in _KEYS}
        self.port = free_port()
        self.proc = None

    def tool(self, name):
        return os.path.join(self.bindir, name)

    def _make_certificates(self):
        for kind, (certificate, key) in self.certificates.items():
            self.procs.run(["openssl", "req", "-x509", "-newkey", *_KEYS[kind], "-nodes", "-days", "2", "-subj",
                            "/CN=localhost", "-keyout", key, "-out", certificate], unprivileged=True, cwd=self.tmp)
            os.chmod(key, 0o600)

    def start(self, users):
        self._make_certificates()
        data = os.path.join(self.tmp, "data")
        self.procs.run([self.tool("initdb"), "-D", data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8",
                        "--locale=C", "--no-sync"], unprivileged=True, cwd=self.tmp)
        with open(os.path.join(data, "pg_hba.conf"), "w") as f:
            f.write("local all %s trust\nhost all all 127.0.0.1/32 %s\n" % (SUPERUSER, self.auth))
        with open(os.path.join(data, "postgresql.auto.conf"), "a") as f:
            for name, value in _SETTINGS.items():
                f.write("%s = %s\n" % (name, value))
            f.write("ssl = on\nssl_cert_file = '%s'\nssl_key_file = '%s'\n" % self.certificates["rsa"])
            f.write("port = %d\nmax_connections = %d\nunix_socket_directories = '%s'\n"
                    % (self.port, self.max_connections, self.tmp))
        self.log = open(os.path.join(self.tmp, "postgres.log"), "wb")
        self.proc = self.procs.start([self.tool("postgres"), "-D", data], unprivileged=True, cwd=self.tmp,
                                     stdout=self.log, stderr=self.log)
        self.proc.is_postgres = True
        self._wait()
        self.sql("create database %s" % DBNAME, "postgres")
        for user in users:
            self.sql("create role %s login password '%s'; grant pg_read_all_data, pg_write_all_data to %s"
                     % (user, PASSWORD, user))
        self.procs.run([self.tool("pgbench"), "-i", "-q", "-s", str(self.scale)] + self._where(DBNAME))
        self.sql("create table copy_target (line text)")
        self.sql("grant all on all tables in schema public to public")
        self.sql("checkpoint")

    def _where(self, db):
        return ["-h", self.tmp, "-p", str(self.port), "-U", SUPERUSER, db]

    def _wait(self):
        for _ in range(300):
            if self.proc.poll() is not None:
                break
            try:
                self.sql("select 1", "postgres")
                return
            except BenchError:
                time.sleep(0.1)
        with open(self.log.name, errors="replace") as f:
            raise BenchError("PostgreSQL does not start:\n" + f.read()[-2000:])

    def sql(self, text, db=DBNAME):
        return self.procs.run([self.tool("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
                              + self._where(db) + ["-c", text]).strip()

    def connections_of(self, user):
        return int(self.sql("select count(*) from pg_stat_activity where usename = '%s'" % user))

    def wait_until_gone(self, user):
        """Until the backends of a user that has closed its connections are gone, so that they disturb nobody."""
        for _ in range(100):
            if self.connections_of(user) == 0:
                return
            time.sleep(0.1)
        raise BenchError("backends of %s do not end" % user)

    def cpu_ns(self):
        """CPU time of the postmaster and its children, ended ones included (those in 10 ms steps)."""
        pid = self.proc.pid
        ended = stat_ticks(pid)[2:]
        return cpu_ns(pid) + sum(cpu_ns(c) for c in children(pid)) \
            + sum(ended) * (10 ** 9 // os.sysconf("SC_CLK_TCK"))

    def version(self):
        return self.procs.run([self.tool("postgres"), "--version"]).strip()
