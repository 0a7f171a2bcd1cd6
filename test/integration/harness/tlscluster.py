"""PostgreSQL that speaks TLS."""

import os
import shutil
import ssl

from . import cluster, wire
from .owner import own

# db0 takes both, db1 only TLS, db2 only what has none, db3 only whoever shows a certificate
HBA = """\
hostssl db1 all 127.0.0.1/32 scram-sha-256
hostnossl db1 all 127.0.0.1/32 reject
hostnossl db2 all 127.0.0.1/32 scram-sha-256
hostssl db2 all 127.0.0.1/32 reject
hostssl db3 app 127.0.0.1/32 cert
hostnossl db3 all 127.0.0.1/32 reject
"""


class TlsCluster(cluster.Cluster):
    """PostgreSQL with TLS, whose certificate can be another one from now on."""

    def __init__(self, top, pki):
        self.pki, self.top = pki, top
        os.makedirs(top, exist_ok=True)
        own(top)
        self.put("good")
        super().__init__(top, hba=HBA, more={
            "ssl": "on", "ssl_cert_file": top + "/server.crt", "ssl_key_file": top + "/server.key",
            "ssl_ca_file": pki.crt("ca")})

    def put(self, name):
        for ext in ("key", "crt"):
            to = f"{self.top}/server.{ext}"
            shutil.copy(self.pki.file(f"{name}.{ext}"), to + ".new")
            own(to + ".new")
            os.chmod(to + ".new", 0o600)
            os.rename(to + ".new", to)
        self.shows = name

    def show(self, name):
        if name == self.shows:
            return
        self.put(name)
        self.sql("SELECT pg_reload_conf()")
        want = self.pki.der(name)
        wire.wait_until(lambda: self.shown() == want, what=f"PostgreSQL shows {name}")

    def shown(self):
        with wire.Conn(self.addr) as c:
            c.send(wire.request(wire.SSL_REQUEST))
            assert c.sock.recv(1) == b"S"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            with context.wrap_socket(c.sock) as s:
                return s.getpeercert(True)
