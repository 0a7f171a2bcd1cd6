"""Wire clients over TLS, a TLS stream whose records can be cut anywhere, and a server that does what a test says."""

import contextlib
import socket
import ssl
import struct
import threading

from . import wire
from .ports import free_port

ALPN = ["postgresql"]


def client_context(ca=None, cert=None, key=None, alpn=None, low=None, high=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    if ca:
        c.load_verify_locations(ca)
    if cert:
        c.load_cert_chain(cert, key or cert[:-4] + ".key")
    if alpn:
        c.set_alpn_protocols(alpn)
    if low:
        c.minimum_version = low
    if high:
        c.maximum_version = high
    return c


def server_context(cert, ca=None, alpn=None, high=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(cert, cert[:-4] + ".key")
    if ca:
        c.load_verify_locations(ca)
        c.verify_mode = ssl.CERT_REQUIRED
    if alpn:
        c.set_alpn_protocols(alpn)
    if high:
        c.maximum_version = high
    return c


def ask(sock):
    """SSLRequest; the one byte of the answer."""
    sock.sendall(wire.request(wire.SSL_REQUEST))
    return sock.recv(1)


class TlsClient(wire.Client):
    """A client that has logged in over TLS."""

    def __init__(self, addr, user="app", database="db0", password=None, context=None, direct=False, params=(), timeout=20,
                 login=True, proto=wire.PROTO_3_0, rcvbuf=None):
        super().__init__(addr, user, database, password, login=False, timeout=timeout)
        try:
            if rcvbuf:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            if not direct:
                answer = ask(self.sock)
                assert answer == b"S", f"TLS was refused: {answer!r}"
            self.sock = (context or client_context()).wrap_socket(self.sock, server_hostname="localhost",
                                                                  suppress_ragged_eofs=False)
            if login:
                pairs = [("user", user), ("database", database)]
                self.send(wire.startup(pairs + list(params), proto))
                self.login()
        except BaseException:
            self.close()
            raise

    def fill(self):
        try:
            super().fill()
        except ssl.SSLZeroReturnError:
            raise wire.Closed(why="close_notify")
        except ssl.SSLError as e:
            raise wire.Closed(why=f"TLS: {e}")


class Stream:
    """TLS over sock by hand: what is to be sent lies in bytes before it is, and the owner decides how they go."""

    def __init__(self, sock, context, server_side=False):
        self.sock = sock
        self.inside, self.outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inside, self.outside, server_side=server_side,
                                    server_hostname=None if server_side else "localhost")

    def push(self, step=None):
        data = self.outside.read()
        for i in range(0, len(data), step or max(1, len(data))):
            self.sock.sendall(data[i:i + (step or len(data))])

    def pull(self):
        data = self.sock.recv(65536)
        if data:
            self.inside.write(data)
        else:
            self.inside.write_eof()
        return len(data)

    def handshake(self, step=None):
        while True:
            try:
                self.tls.do_handshake()
                self.push(step)
                return self
            except ssl.SSLWantReadError:
                self.push(step)
                self.pull()

    def seal(self, data):
        """The ciphertext of data, as one write makes it."""
        self.tls.write(data)
        return self.outside.read()

    def send(self, data, step=None):
        self.tls.write(data)
        self.push(step)

    def recv(self, n=65536):
        while True:
            try:
                return self.tls.read(n)
            except ssl.SSLWantReadError:
                self.push()
                if not self.pull():
                    return b""
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def until(self, wanted):
        got = b""
        while wanted not in got:
            more = self.recv()
            assert more, f"ended without {wanted!r}: {got!r}"
            got += more
        return got


class FakeServer:
    """Calls script(peer) in a thread for each connection; what it notes stands in .seen."""

    def __init__(self, script):
        self.script = script
        self.seen = []
        self.errors = []
        self.port = free_port()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(50)
        self.socks = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.socks.append(s)
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        s.settimeout(20)
        try:
            self.script(Peer(self, s))
        except (OSError, EOFError):
            pass
        except Exception as e:
            self.errors.append(repr(e))
        finally:
            with contextlib.suppress(OSError):
                s.close()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.listener.close()
        for s in self.socks:
            with contextlib.suppress(OSError):
                s.close()
        if a[0] is None:
            assert not self.errors, self.errors


def row(text):
    return (wire.msg("T", struct.pack("!H", 1) + wire.cstr("a") + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0))
            + wire.msg("D", struct.pack("!Hi", 1, len(text)) + text) + wire.msg("C", wire.cstr("SELECT 1"))
            + wire.msg("Z", b"I"))


class Peer:
    """One connection to the fake server."""
    KEY = struct.pack("!II", 4711, 815)

    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.is_tls = False
        self.stream = None

    def note(self, *what):
        self.server.seen.append(what)

    def exact(self, n):
        out = b""
        while len(out) < n:
            more = self.stream.recv(n - len(out)) if self.stream else self.sock.recv(n - len(out))
            if not more:
                raise EOFError
            out += more
        return out

    def send(self, data):
        if self.stream:
            self.stream.send(data)
        else:
            self.sock.sendall(data)

    def packet(self):
        """One untyped packet: its code, and all of it."""
        (n,) = struct.unpack("!I", self.exact(4))
        body = self.exact(n - 4)
        return struct.unpack("!I", body[:4])[0], body

    def secure(self, context):
        self.stream = Stream(self.sock, context, server_side=True).handshake()
        self.is_tls = True
        self.note("tls", self.stream.tls.selected_alpn_protocol())

    def begin(self, context=None):
        """Reads up to the packet that says what the connection is for, agreeing to TLS when there is a context."""
        code, body = self.packet()
        while code in (wire.SSL_REQUEST, wire.GSSENC_REQUEST):
            if code == wire.SSL_REQUEST and context:
                self.note("asked")
                self.send(b"S")
                self.secure(context)
            else:
                self.send(b"N")
            code, body = self.packet()
        if code == wire.CANCEL_REQUEST:
            self.note("cancel", self.is_tls, body[4:])
        else:
            self.note("login", self.is_tls)
        return code

    def welcome(self):
        self.send(wire.msg("R", struct.pack("!I", 0)) + b"".join(
            wire.msg("S", wire.cstr(k) + wire.cstr(v)) for k, v in (
                ("server_version", "15.0"), ("client_encoding", "UTF8"), ("server_encoding", "UTF8"),
                ("DateStyle", "ISO, MDY"), ("TimeZone", "UTC"), ("standard_conforming_strings", "on"),
                ("application_name", ""))) + wire.msg("K", self.KEY) + wire.msg("Z", b"I"))

    def message(self):
        head = self.exact(5)
        return chr(head[0]), self.exact(struct.unpack("!I", head[1:])[0] - 4)

    def serve(self):
        """Each query is answered with one row of its own text."""
        while True:
            kind, body = self.message()
            if kind == "X":
                return
            if kind == "Q":
                self.send(row(body[:-1]))


def polite(context):
    """The script of a server that only speaks TLS and answers what it is asked."""
    def script(peer):
        if peer.begin(context) != wire.CANCEL_REQUEST:
            peer.welcome()
            peer.serve()
    return script
