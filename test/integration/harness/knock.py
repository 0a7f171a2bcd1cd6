"""One try to come in, and everything that can be seen of it from outside."""

import functools
import hashlib
import struct

from . import scram, wire
from .tlswire import ALPN, ask, client_context

WAYS = ("unix", "plain", "tls", "direct")     # how a client arrives
PLUS = "SCRAM-SHA-256-PLUS"
NORMAL = "SCRAM-SHA-256"


@functools.lru_cache(None)
def context(cert, is_direct):
    return client_context(cert=cert, alpn=ALPN if is_direct else None)


@functools.lru_cache(None)
def salted(password, salt, iterations):
    return hashlib.pbkdf2_hmac("sha256", password, salt, iterations)


class Exchange(scram.Scram):
    """SCRAM, whose derivation is done once for each password and salt, bound to the server's certificate if wanted."""

    def __init__(self, password, certificate=None, **kw):
        super().__init__(password, gs2="p=tls-server-end-point,," if certificate else "n,,", **kw)
        self.bound = self.gs2.encode() + (hashlib.sha256(certificate).digest() if certificate else b"")
        self.pbkdf2 = salted


class Knock(wire.Conn):
    """.seen: the messages that came; .error: fields of the error, if one ended it; .broken: the connection ended in another way."""

    def __init__(self, addr, user, database, password="", way="plain", plus=False, cert=None, timeout=15):
        self.user, self.database, self.password = user, database, password
        self.seen, self.auth = [], []
        self.error = self.broken = self.certificate = None
        self.is_in = False
        super().__init__(addr, timeout)
        try:
            if way == "tls":
                answer = ask(self.sock)
                assert answer == b"S", f"TLS was refused: {answer!r}"
            if way in ("tls", "direct"):
                self.sock = context(cert, way == "direct").wrap_socket(self.sock, server_hostname="localhost",
                                                                       suppress_ragged_eofs=False)
                self.certificate = self.sock.getpeercert(True)
            self.plus = plus
            self.send(wire.startup({"user": user, "database": database}))
            self.talk()
        except wire.Closed as e:
            self.broken = str(e)
        except wire.Timeout:
            self.broken = "hangs"
        except OSError as e:
            self.broken = f"{type(e).__name__}: {e}"
        if not self.is_in:
            self.close()

    def answer(self, code, body):
        if code == 3:
            return wire.password(self.password)
        if code == 5:
            inner = hashlib.md5((self.password + self.user).encode()).hexdigest()
            return wire.password("md5" + hashlib.md5(inner.encode() + body).hexdigest())
        if code == 10:
            # whoever insists on PLUS says so whether it was offered or not
            self.offered = body.rstrip(b"\0").decode().split("\0")
            self.scram = Exchange(self.password, self.certificate or b"none" if self.plus else None)
            first = self.scram.first()
            return wire.msg("p", wire.cstr(PLUS if self.plus else NORMAL) + struct.pack("!I", len(first)) + first)
        if code == 11:
            return wire.msg("p", self.scram.final(body))
        if code == 12:
            self.scram.check(body)
        return b""

    def talk(self):
        while True:
            m = self.recv()
            self.seen.append(m)
            if m.type == "R":
                (code,) = struct.unpack_from("!I", m.body)
                self.auth.append(code)
                self.send(self.answer(code, m.body[4:]))
            elif m.type == "E":
                self.error = wire.fields(m.body)
                rest = self.rest()
                self.seen += rest
                return
            elif m.type == "Z":
                self.is_in = True
                return

    def row(self, sql):
        self.send(wire.q(sql))
        r = wire.Result(self.until("Z"))
        if r.error:
            raise wire.PgError(r.error)
        return r.rows[0]

    def quit(self):
        self.send(wire.terminate())
        self.close()

    def transcript(self):
        """All that came, byte by byte, without what is chance and the names that were given."""
        out = []
        for m in self.seen:
            body = m.body
            if m.type == "R" and body[:4] == b"\0\0\0\x05":
                body = body[:4] + b"salt" + body[8:]
            if m.type == "R" and body[:4] == b"\0\0\0\x0b":
                parts = body[4:].split(b",")
                assert parts[0].startswith(b"r=" + self.scram.nonce.encode()) and parts[1].startswith(b"s=")
                parts[0], parts[1] = b"r=%d" % len(parts[0]), b"s=%d" % len(parts[1])
                body = body[:4] + b",".join(parts)
            for name in (self.user, self.database):
                body = body.replace(b'"%s"' % name.encode(), b'"NAME"')
            out.append((m.type, body))
        return out, self.broken

    def describe(self):
        if self.is_in:
            return "in"
        if self.error:
            return f"{self.error.get('C')} {self.error.get('M')}"
        return f"no answer ({self.broken})"
