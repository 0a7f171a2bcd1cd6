"""A directory (slapd) of its own: its files in one folder, on loopback, as whoever runs the tests."""

import os
import shutil
import socket
import subprocess
import threading
import time

from .owner import own, owner_run
from .ports import free_port

BASE = "dc=example,dc=net"
SCHEMA, MODULES = "/etc/ldap/schema", "/usr/lib/ldap"
CONF = """\
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
modulepath {modules}
moduleload back_mdb
{tls}
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
rootpw root
directory {top}/db
maxsize 10485760
access to attrs=userPassword by anonymous auth by * none
access to * by dn="cn=searcher,{base}" read by anonymous {anonymous} by * none
"""


def binary():
    for path in ("/usr/sbin/slapd", "/usr/local/sbin/slapd", "/usr/lib/openldap/slapd"):
        if os.access(path, os.X_OK):
            return path
    raise RuntimeError("slapd not found: install Debian's package slapd")


def escaped(value):
    """As RFC 4514 wants it in a name."""
    return "".join(c if c.isalnum() else "".join("\\%02x" % b for b in c.encode()) for c in value)


def encoded(text):
    """One line of LDIF."""
    import base64
    return base64.b64encode(text.encode()).decode()


def person(uid, password, ou="people", cn=None):
    dn = f"uid={escaped(uid)},ou={ou},{BASE}"
    return (f"dn:: {encoded(dn)}\nobjectClass: inetOrgPerson\nuid:: {encoded(uid)}\ncn:: {encoded(cn or uid)}\nsn: x\n"
            f"mail:: {encoded(uid + '@example.net')}\nuserPassword:: {encoded(password)}\n\n")


class Directory:
    """people: {name: password}. cert: a certificate of pki, for ldaps and StartTLS."""

    def __init__(self, top, people, pki=None, cert=None, anonymous="read", more=""):
        self.top, self.port, self.tls_port, self.proc = str(top), free_port(), free_port() if cert else None, None
        os.makedirs(self.top + "/db")
        # a copy: an AppArmor profile for the installed one would keep it out of our folder
        shutil.copy(binary(), self.top + "/slapd")
        tls = ""
        if cert:
            tls = (f"TLSCACertificateFile {pki.crt('ca')}\nTLSCertificateFile {pki.crt(cert)}\n"
                   f"TLSCertificateKeyFile {pki.file(cert + '.key')}")
        with open(self.top + "/slapd.conf", "w") as f:
            f.write(CONF.format(schema=SCHEMA, modules=MODULES, tls=tls, base=BASE, top=self.top, anonymous=anonymous))
        with open(self.top + "/people.ldif", "w") as f:
            f.write(f"dn: {BASE}\nobjectClass: domain\ndc: example\n\n")
            for ou in ("people", "robots"):
                f.write(f"dn: ou={ou},{BASE}\nobjectClass: organizationalUnit\nou: {ou}\n\n")
            f.write(f"dn: cn=searcher,{BASE}\nobjectClass: person\ncn: searcher\nsn: x\nuserPassword: pw-searcher\n\n")
            f.write("".join(person(u, p) for u, p in people.items()) + more)
        own(self.top, recurse=True)
        own(self.top)
        # the name of the program is part of the command
        r = subprocess.run(owner_run([self.top + "/slapd", "-Tadd", "-f", self.top + "/slapd.conf", "-l", self.top + "/people.ldif"]),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if r.returncode:
            raise RuntimeError(f"slapadd: {r.stdout}")

    @property
    def uri(self):
        return f"ldap://127.0.0.1:{self.port}"

    def start(self):
        uris = self.uri + (f" ldaps://127.0.0.1:{self.tls_port}" if self.tls_port else "")
        with open(self.top + "/log", "ab") as log:
            self.proc = subprocess.Popen(owner_run([self.top + "/slapd", "-h", uris, "-f", self.top + "/slapd.conf", "-d", "stats"]),
                                         stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.top, start_new_session=True)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return self
            except OSError:
                if self.proc.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("slapd did not start:\n" + open(self.top + "/log").read()[-3000:])
                time.sleep(0.02)

    def stop(self):
        if self.proc is None:
            return
        self.proc.terminate()
        try:
            self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        self.proc = None

    def log_text(self):
        with open(self.top + "/log", errors="replace") as f:
            return f.read()


class Silent:
    """Takes connections and says nothing, ever; or consents to StartTLS and then says nothing."""

    def __init__(self):
        self.consents = False
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.sock.getsockname()[1]
        self.taken = []
        self.thread = threading.Thread(target=self.take, daemon=True)
        self.thread.start()

    def take(self):
        while True:
            try:
                self.taken.append(self.sock.accept()[0])
                if self.consents:
                    self.taken[-1].recv(4096)
                    # the answer to message 1: extended response, success
                    self.taken[-1].send(bytes.fromhex("300c02010178070a010004000400"))
            except OSError:
                return

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join(5)
        for s in self.taken:
            s.close()
