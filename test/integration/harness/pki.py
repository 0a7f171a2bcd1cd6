"""Two authorities and certificates of every kind, good and bad, made with the openssl tool once for a run."""

import os
import ssl
import subprocess

from .owner import own

CNF = """\
[ca]
default_ca = it
[it]
dir = {top}
database = {top}/{ca}.index
serial = {top}/{ca}.serial
new_certs_dir = {top}/{ca}.certs
certificate = {top}/{ca}.crt
private_key = {top}/{ca}.key
default_md = sha256
default_days = 3650
default_crl_days = 3650
policy = anything
unique_subject = no
copy_extensions = none
[anything]
commonName = supplied
"""

SERVER = "extendedKeyUsage=serverAuth\n"
CLIENT = "extendedKeyUsage=clientAuth\n"
LOCAL = "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
LEAF = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"

# name: (authority, common name, extensions, from, until)
PAST, LONG_AGO, SOON = "20100101000000Z", "20000101000000Z", "20490101000000Z"
NOW, LATER = "20200101000000Z", "20480101000000Z"
KINDS = {
    "good": ("ca", "localhost", LEAF + SERVER + LOCAL, NOW, LATER),
    "good2": ("ca", "localhost", LEAF + SERVER + LOCAL, NOW, LATER),
    "expired": ("ca", "localhost", LEAF + SERVER + LOCAL, LONG_AGO, PAST),
    "early": ("ca", "localhost", LEAF + SERVER + LOCAL, LATER, SOON),
    "stranger": ("ca2", "localhost", LEAF + SERVER + LOCAL, NOW, LATER),
    "usage": ("ca", "localhost", LEAF + CLIENT + LOCAL, NOW, LATER),
    "cn": ("ca", "localhost", LEAF + SERVER, NOW, LATER),
    "san": ("ca", "localhost", LEAF + SERVER + "subjectAltName=DNS:elsewhere.example\n", NOW, LATER),
    "ip": ("ca", "nobody", LEAF + SERVER + "subjectAltName=IP:127.0.0.1\n", NOW, LATER),
    "otherip": ("ca", "nobody", LEAF + SERVER + "subjectAltName=IP:127.0.0.2\n", NOW, LATER),
    "wild": ("ca", "nobody", LEAF + SERVER + "subjectAltName=DNS:*\n", NOW, LATER),
    "wildpart": ("ca", "nobody", LEAF + SERVER + "subjectAltName=DNS:local*\n", NOW, LATER),
    "nul": ("ca", "localhostXevil", LEAF + SERVER, NOW, LATER),
    "revoked": ("ca", "localhost", LEAF + SERVER + LOCAL, NOW, LATER),
    "app": ("ca", "app", LEAF + CLIENT, NOW, LATER),
    "app_expired": ("ca", "app", LEAF + CLIENT, LONG_AGO, PAST),
    "app_early": ("ca", "app", LEAF + CLIENT, LATER, SOON),
    "app_stranger": ("ca2", "app", LEAF + CLIENT, NOW, LATER),
    "app_usage": ("ca", "app", LEAF + SERVER, NOW, LATER),
    "app_revoked": ("ca", "app", LEAF + CLIENT, NOW, LATER),
    "app_nul": ("ca", "appXevil", LEAF + CLIENT, NOW, LATER),
}
LINKS = 8  # authorities between the first one and the end of the long chain


def read(path, mode="r"):
    with open(path, mode) as f:
        return f.read()


def write(path, data, mode="w"):
    with open(path, mode) as f:
        f.write(data)


# ---- as much DER as it takes to put a NUL into a name and sign again ----

def der_split(data, at=0):
    """(where its contents begin, where it ends) of the element at at."""
    n = data[at + 1]
    if n < 0x80:
        return at + 2, at + 2 + n
    k = n & 0x7F
    return at + 2 + k, at + 2 + k + int.from_bytes(data[at + 2:at + 2 + k], "big")


def der(tag, body):
    n = len(body)
    size = bytes([n]) if n < 0x80 else bytes([0x80 + (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + size + body


class Pki:
    def __init__(self, top):
        self.top = str(top)
        os.makedirs(self.top, exist_ok=True)
        for ca in ("ca", "ca2"):
            self.authority(ca)
        for name, (ca, cn, extensions, begin, end) in KINDS.items():
            self.make(name, ca, cn, extensions, begin, end)
        for name in ("nul", "app_nul"):
            self.put_nul(name)
        self.revoke("ca", "revoked", "app_revoked")
        self.crl("ca2")
        self.chain("chain", "localhost", SERVER + LOCAL)
        self.chain("app_chain", "app", CLIENT)
        write(self.top + "/both.crl", read(self.top + "/ca.crl") + read(self.top + "/ca2.crl"))
        write(self.top + "/both.crt", read(self.top + "/ca.crt") + read(self.top + "/ca2.crt"))
        for f in os.listdir(self.top):
            if f.endswith(".key"):
                os.chmod(f"{self.top}/{f}", 0o600)
        own(self.top, recurse=True)
        own(self.top)

    def run(self, *argv, stdin=None):
        r = subprocess.run(["openssl", *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.top, input=stdin)
        if r.returncode:
            raise RuntimeError(f"openssl {argv}: {r.stdout.decode(errors='replace')}")
        return r.stdout

    def key(self, name):
        self.run("ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", name + ".key")

    def books(self, ca):
        os.makedirs(f"{self.top}/{ca}.certs", exist_ok=True)
        write(f"{self.top}/{ca}.index", "")
        write(f"{self.top}/{ca}.serial", "1000\n")
        write(f"{self.top}/{ca}.cnf", CNF.format(top=self.top, ca=ca))

    def authority(self, ca):
        self.key(ca)
        write(f"{self.top}/{ca}.ext", "[req]\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\n[ext]\n" + AUTHORITY)
        self.run("req", "-x509", "-new", "-key", ca + ".key", "-out", ca + ".crt", "-days", "3650", "-subj",
                 f"/CN=authority {ca}", "-config", ca + ".ext")
        self.books(ca)

    def make(self, name, ca, cn, extensions, begin=NOW, end=LATER):
        self.key(name)
        write(f"{self.top}/{name}.ext", extensions)
        self.run("req", "-new", "-key", name + ".key", "-out", name + ".csr", "-subj", f"/CN={cn}")
        self.run("ca", "-batch", "-notext", "-config", ca + ".cnf", "-in", name + ".csr", "-out", name + ".crt",
                 "-startdate", begin, "-enddate", end, "-extfile", name + ".ext")

    def put_nul(self, name):
        """The X in its common name becomes a NUL, and the authority signs that."""
        self.run("x509", "-in", name + ".crt", "-outform", "DER", "-out", name + ".der")
        cert = read(f"{self.top}/{name}.der", "rb")
        inside, _ = der_split(cert)
        _, tbs_end = der_split(cert, inside)
        _, algorithm_end = der_split(cert, tbs_end)
        tbs = cert[inside:tbs_end].replace(b"Xevil", b"\0evil")
        assert tbs != cert[inside:tbs_end]
        signature = self.run("dgst", "-sha256", "-sign", "ca.key", stdin=tbs)
        whole = der(0x30, tbs + cert[tbs_end:algorithm_end] + der(0x03, b"\0" + signature))
        write(f"{self.top}/{name}.der", whole, "wb")
        self.run("x509", "-inform", "DER", "-in", name + ".der", "-out", name + ".crt")

    def revoke(self, ca, *names):
        for name in names:
            self.run("ca", "-config", ca + ".cnf", "-revoke", name + ".crt")
        self.crl(ca)

    def crl(self, ca):
        self.run("ca", "-config", ca + ".cnf", "-gencrl", "-out", ca + ".crl")

    def chain(self, name, cn, extensions):
        """Its file holds the certificate and LINKS authorities, each signed by the next, the last one by ca."""
        above, links = "ca", []
        for i in range(LINKS):
            link = f"{name}{i}"
            self.make(link, above, f"link {link}", AUTHORITY)
            self.books(link)
            links.insert(0, read(f"{self.top}/{link}.crt"))
            above = link
        self.make(name, above, cn, LEAF + extensions)
        write(f"{self.top}/{name}.crt", read(f"{self.top}/{name}.crt") + "".join(links))

    def file(self, name):
        return f"{self.top}/{name}"

    def crt(self, name):
        return f"{self.top}/{name}.crt"

    def der(self, name):
        """Its certificate, without the rest of its chain."""
        pem = read(self.crt(name))
        end = "-----END CERTIFICATE-----"
        return ssl.PEM_cert_to_DER_cert(pem[:pem.index(end)] + end)
