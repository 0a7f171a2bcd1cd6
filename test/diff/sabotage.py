"""A relay in front of the pooler that lies, in one way at a time: what the comparison is worth is what it finds of it.

Each lie is made to every STEP-th message that it fits, after the login.
"""

import socket
import struct
import threading

from harness.ports import free_port

STEP = 3


def body_with(body, old, new):
    return body.replace(old, new, 1) if old in body else body + b"\0"


# name: (type of message it fits, the message -> what goes on instead)
LIES = {
    "a CommandComplete is lost": ("C", lambda m: []),
    "a ReadyForQuery comes twice": ("Z", lambda m: [m, m]),
    "a ReadyForQuery is lost": ("Z", lambda m: []),
    "a ReadyForQuery says T": ("Z", lambda m: [("Z", b"T" if m[1] == b"I" else b"I")]),
    "a row is changed": ("D", lambda m: [("D", m[1][:-1] + bytes([m[1][-1] ^ 1]))]),
    "a row comes twice": ("D", lambda m: [m, m]),
    "an error has another text": ("E", lambda m: [("E", body_with(m[1], b"does not", b"did  not"))]),
    "an error has another line": ("E", lambda m: [("E", m[1].replace(b"\0L", b"\0L1", 1))]),
    "an error is a notice": ("E", lambda m: [("N", m[1])]),
    "a notice is lost": ("N", lambda m: []),
    "a BindComplete is a ParseComplete": ("2", lambda m: [("1", b"")]),
    "a CloseComplete is lost": ("3", lambda m: []),
    "a ParseComplete comes twice": ("1", lambda m: [m, m]),
    "a format is another": ("T", lambda m: [("T", m[1][:-1] + b"\1")]),
    "a NoData is lost": ("n", lambda m: []),
    "a parameter's type is another": ("t", lambda m: [("t", m[1] + b"\0")]),
    "a notice of our own": ("Z", lambda m: [("N", b"SNOTICE\0C00000\0Mhello\0\0"), m]),
    "the answers stop": ("C", lambda m: None),
    "the connection ends": ("C", lambda m: "end"),
}


class Liar:
    def __init__(self, addr, lie):
        self.to = addr
        self.type, self.lie = LIES[lie] if lie else (None, None)
        self.told = 0
        self.port = free_port()
        self.socks = []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(50)
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def addr(self):
        return ("127.0.0.1", self.port)

    def accept(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            b = socket.create_connection(self.to)
            self.socks += [a, b]
            for s in (a, b):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.up, args=(a, b), daemon=True).start()
            threading.Thread(target=self.down, args=(b, a), daemon=True).start()

    def up(self, client, server):
        try:
            while True:
                data = client.recv(65536)
                if not data:
                    break
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def down(self, server, client):
        buf, logged_in, seen, silent = b"", False, 0, False
        try:
            while True:
                data = server.recv(65536)
                if not data:
                    break
                buf += data
                out = b""
                while len(buf) >= 5:
                    size = struct.unpack_from("!I", buf, 1)[0] + 1
                    if len(buf) < size:
                        break
                    m = (chr(buf[0]), buf[5:size])
                    buf = buf[size:]
                    go = [m]
                    if logged_in and m[0] == self.type:
                        seen += 1
                        if seen % STEP == 0:
                            go = self.lie(m)
                            self.told += 1
                    logged_in = logged_in or m[0] == "Z"
                    if go == "end":
                        client.sendall(out)
                        client.shutdown(socket.SHUT_RDWR)
                        return
                    silent = silent or go is None
                    if not silent:
                        out += b"".join(t.encode() + struct.pack("!I", len(b) + 4) + b for t, b in go)
                client.sendall(out)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()
        for s in self.socks:
            s.close()


def failures_behind(direct, pooled, lie, seeds):
    """Random scripts through a relay that lies: the first failures, and how many lies were told."""
    import many
    from grammar import Grammar
    liar = Liar(pooled.pooler.addr, lie)
    grammar = Grammar("session")
    hang, many.HANG = many.HANG, 1.0
    pooled.address = liar.addr
    try:
        runner = many.Runner(direct, pooled, 4)
        found = runner.run((many.Job(s, *grammar.make(s)) for s in seeds), 3)
        runner.close()
    finally:
        many.HANG = hang
        pooled.address = pooled.pooler.addr
        liar.close()
    return found, liar.told
