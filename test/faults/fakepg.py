"""A PostgreSQL that says what it is told to: scripts by database name, well-behaved where no script is given.

A script is a function of a Peer; it runs in the connection's own thread, after the StartupMessage has been read.
What a well-behaved one answers to `SELECT text` is one row with that text, so that every reply names its request.
"""

import socket
import struct
import threading
import time

from harness.scram import h, b64
from harness.wire import Conn, Closed, Timeout, cstr, msg

import base64
import hashlib
import hmac
import os

POISON = b"POISON-POISON-POISON"


def auth(code, body=b""):
    return msg("R", struct.pack("!I", code) + body)


def ready(status="I"):
    return msg("Z", status.encode())


def parameter(name, value):
    return msg("S", cstr(name) + cstr(value))


def error(code, text, severity="ERROR", kind="E", more=b""):
    return msg(kind, b"S" + cstr(severity) + b"V" + cstr(severity) + b"C" + cstr(code) + b"M" + cstr(text) + more + b"\0")


def notice(text):
    return error("00000", text, "NOTICE", "N")


def fatal(code="57P01", text="terminating connection due to administrator command"):
    return error(code, text, "FATAL")


def row_description(*names):
    return msg("T", struct.pack("!H", len(names)) + b"".join(cstr(n) + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0) for n in names))


def data_row(*values):
    out = struct.pack("!H", len(values))
    for v in values:
        v = v if isinstance(v, bytes) else v.encode()
        out += struct.pack("!i", len(v)) + v
    return msg("D", out)


def complete(tag):
    return msg("C", cstr(tag))


PARAMETERS = b"".join(parameter(n, v) for n, v in (
    ("server_version", "15.0 (fake)"), ("server_encoding", "UTF8"), ("client_encoding", "UTF8"), ("DateStyle", "ISO, MDY"),
    ("TimeZone", "UTC"), ("standard_conforming_strings", "on"), ("integer_datetimes", "on"), ("is_superuser", "off"),
    ("session_authorization", "app"), ("application_name", "")))


def key_bytes(size=4):
    return bytes(range(1, 256))[:size] + b"x" * max(0, size - 255)


def key_data(size=4, pid=4711):
    return msg("K", struct.pack("!I", pid) + key_bytes(size))


def negotiate(version=0x30000, *options):
    return msg("v", struct.pack("!II", version, len(options)) + b"".join(cstr(o) for o in options))


class Peer(Conn):
    """One connection of the pooler's to us."""

    def __init__(self, fake, sock):
        self.fake = fake
        self.addr, self.timeout, self.sock = None, 30, sock
        self.buf, self.at = bytearray(), 0
        sock.settimeout(30)
        self.got = []          # every message that came, in order
        self.status = "I"
        self.params = {}
        self.is_gone = threading.Event()

    @property
    def database(self):
        return self.params.get("database", self.params.get("user"))

    def read_startup(self):
        """False: it was a cancel request.  TLS is refused."""
        (size,) = struct.unpack("!I", self.recv_exact(4))
        body = self.recv_exact(size - 4)
        (code,) = struct.unpack_from("!I", body)
        if code == 80877103:
            self.send(b"N")
            return self.read_startup()
        self.protocol = code
        if code == 80877102:
            self.fake.cancels.append(body[4:])
            return False
        parts = body[4:].split(b"\0")
        self.params = {k.decode(): v.decode() for k, v in zip(parts[::2], parts[1::2]) if k}
        return True

    def recv(self):
        m = super().recv()
        self.got.append(m)
        return m

    def greet(self, status="I"):
        """A login without a proof."""
        self.send(auth(0), PARAMETERS, key_data(), ready(status))

    def linger(self, seconds=5):
        """Wait for the pooler to go; what it says is in got."""
        try:
            self.rest(seconds)
        except (Closed, Timeout):
            pass

    def answer(self, sql):
        word = sql.split(" ")[0].upper().rstrip(";")
        if word in ("BEGIN", "COMMIT", "ROLLBACK"):
            self.status = "T" if word == "BEGIN" else "I"
            return complete(word)
        text = sql[7:] if word == "SELECT" else sql
        return row_description("text") + data_row(text) + complete("SELECT 1")

    def serve(self, on_query=None):
        """Well-behaved until the pooler goes. on_query(peer, sql) may answer in our place: True when it did."""
        statement = ""
        while True:
            m = self.recv()
            if m.type == "X":
                return
            if m.type == "Q":
                sql = m.body.rstrip(b"\0").decode(errors="replace")
                if on_query is not None and on_query(self, sql):
                    continue
                if sql == "":
                    self.send(msg("I"), ready(self.status))
                else:
                    self.send(self.answer(sql), ready(self.status))
            elif m.type == "P":
                statement = m.body.split(b"\0")[1].decode()
                if not statement.startswith("SELECT offend"):
                    self.send(msg("1"))
            elif m.type in "BD" and statement.startswith("SELECT offend"):
                pass
            elif m.type == "B":
                self.send(msg("2"))
            elif m.type == "D":
                self.send(row_description("text"))
            elif m.type == "E":
                if on_query is not None and on_query(self, statement):
                    continue
                a = self.answer(statement)
                self.send(a[a.index(b"D\0\0"):] if b"D\0\0" in a else a)
            elif m.type == "C":
                self.send(msg("3"))
            elif m.type == "S":
                self.send(ready(self.status))

    # ---- SCRAM, server role; every text may be replaced ----

    def scram(self, password, first=None, final=None, iterations=4096, salt=None, nonce=None):
        """Ask for SCRAM and prove ourselves. first(client_nonce) and final(signature) give texts of their own."""
        self.send(auth(10, b"SCRAM-SHA-256\0\0"))
        m = self.recv()
        bare = m.body[len(b"SCRAM-SHA-256\0") + 4:].decode()[3:]
        client_nonce = bare.split("r=")[1]
        salt = salt or os.urandom(16)
        server_first = f"r={client_nonce}{nonce or 'srv'},s={b64(salt)},i={iterations}"
        if first is not None:
            server_first = first(client_nonce)
        self.send(auth(11, server_first if isinstance(server_first, bytes) else server_first.encode()))
        m = self.recv()
        text = m.body.decode()
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
        signed = f"{bare},{server_first},{text[:text.rindex(',p=')]}".encode()
        signature = h(h(salted, b"Server Key"), signed)
        client_key = h(salted, b"Client Key")
        proof = base64.b64decode(text[text.rindex(",p=") + 3:])
        want = bytes(a ^ b for a, b in zip(client_key, h(hashlib.sha256(client_key).digest(), signed)))
        self.proof_is_right = hmac.compare_digest(proof, want)
        self.signature = signature
        if final is not None:
            server_final = final(signature)
            if server_final is not None:
                self.send(auth(12, server_final))
        else:
            self.send(auth(12, b"v=" + b64(signature).encode()))


class FakePG:
    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(256)
        self.port = self.listener.getsockname()[1]
        self.scripts = {}      # database -> script
        self.peers = {}        # database -> every Peer there was
        self.cancels = []
        self.on_cancel = None
        self.troubles = []     # what a script complained about
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.run, args=(sock,), daemon=True).start()

    def run(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(self, sock)
        try:
            if not peer.read_startup():
                if self.on_cancel is not None:
                    self.on_cancel()
                return
            self.peers.setdefault(peer.database, []).append(peer)
            script = self.scripts.get(peer.database)
            if script is None:
                peer.greet()
                peer.serve()
            else:
                script(peer)
        except (Closed, Timeout, OSError):
            pass
        except Exception as e:      # a mistake in a script must not look like a peer's death
            self.troubles.append(f"{peer.database}: {type(e).__name__} {e}")
        finally:
            peer.is_gone.set()
            peer.close()

    def newest(self, database, seconds=5):
        """The live connection that was made last."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            live = [p for p in self.peers.get(database, []) if not p.is_gone.is_set()]
            if live:
                return live[-1]
            time.sleep(0.01)
        raise AssertionError(f"no connection to {database}")

    def stop(self):
        self.listener.close()


class Hanging:
    """A script: `SELECT hang` is answered when a cancel request has come. hold: how long that one's connection stays open."""

    def __init__(self, rig, size=4, before=b"", hold=0):
        self.rig, self.size, self.before, self.hold = rig, size, before, hold
        self.came = threading.Event()
        self.hangs = threading.Event()
        self.hung = 0
        rig.fake.cancels.clear()
        rig.fake.on_cancel = self.on_cancel

    def on_cancel(self):
        self.came.set()
        time.sleep(self.hold)

    def on_query(self, peer, sql):
        if sql != "SELECT hang":
            return False
        self.hung += 1
        self.hangs.set()
        assert self.came.wait(20), "no cancel came"
        self.came.clear()
        peer.send(error("57014", "canceling statement due to user request"))
        if peer.got[-1].type == "Q":        # else the Sync gets it
            peer.send(ready(peer.status))
        return True

    def script(self, peer):
        peer.send(self.before, auth(0), PARAMETERS, key_data(self.size), ready())
        peer.serve(self.on_query)
