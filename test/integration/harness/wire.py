"""A PostgreSQL wire client that hides nothing: messages out, messages in, no opinion about either."""

import collections
import ctypes
import hashlib
import socket
import struct
import time

from .scram import Scram

PROTO_3_0 = 0x00030000
PROTO_3_2 = 0x00030002
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102

LIBC = ctypes.CDLL(None)

Msg = collections.namedtuple("Msg", "type body")


class Closed(Exception):
    """The peer closed; .msgs holds what came before."""

    def __init__(self, msgs=(), why="EOF"):
        super().__init__(f"connection closed ({why}) after {[m.type for m in msgs]}")
        self.msgs = list(msgs)


class Timeout(Exception):
    def __init__(self, msgs=()):
        super().__init__(f"nothing more came after {[m.type for m in msgs]}")
        self.msgs = list(msgs)


class PgError(Exception):
    def __init__(self, fields, msgs=()):
        super().__init__(f"{fields.get('S')} {fields.get('C')}: {fields.get('M')}")
        self.fields = fields
        self.code = fields.get("C")
        self.text = fields.get("M")
        self.severity = fields.get("S")
        self.msgs = list(msgs)


# ---- building messages ----

def cstr(s):
    return (s if isinstance(s, bytes) else s.encode()) + b"\0"


def msg(kind, body=b""):
    kind = kind if isinstance(kind, bytes) else kind.encode()
    return kind + struct.pack("!I", len(body) + 4) + body


def startup(params, proto=PROTO_3_0):
    """params: dict or list of pairs."""
    items = params.items() if isinstance(params, dict) else params
    body = struct.pack("!I", proto) + b"".join(cstr(k) + cstr(v) for k, v in items) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def request(code):
    return struct.pack("!II", 8, code)


def cancel(pid, key):
    """key: a number is the four bytes of protocol 3.0."""
    key = key if isinstance(key, bytes) else struct.pack("!I", key & 0xFFFFFFFF)
    return struct.pack("!III", 12 + len(key), CANCEL_REQUEST, pid & 0xFFFFFFFF) + key


def q(sql):
    return msg("Q", cstr(sql))


def parse(sql, name="", oids=()):
    return msg("P", cstr(name) + cstr(sql) + struct.pack("!H", len(oids)) + b"".join(struct.pack("!I", o) for o in oids))


def bind(values=(), portal="", stmt=""):
    body = cstr(portal) + cstr(stmt) + struct.pack("!HH", 0, len(values))
    for v in values:
        if v is None:
            body += struct.pack("!i", -1)
        else:
            v = v if isinstance(v, bytes) else str(v).encode()
            body += struct.pack("!i", len(v)) + v
    return msg("B", body + struct.pack("!H", 0))


def describe(kind="P", name=""):
    return msg("D", kind.encode() + cstr(name))


def execute(portal="", rows=0):
    return msg("E", cstr(portal) + struct.pack("!i", rows))


def close(kind="S", name=""):
    return msg("C", kind.encode() + cstr(name))


def sync():
    return msg("S")


def flush():
    return msg("H")


def terminate():
    return msg("X")


def copy_data(data):
    return msg("d", data if isinstance(data, bytes) else data.encode())


def copy_done():
    return msg("c")


def copy_fail(why="changed my mind"):
    return msg("f", cstr(why))


def password(text):
    return msg("p", cstr(text))


def function_call(oid, args):
    body = struct.pack("!IHHH", oid, 1, 0, len(args))
    for a in args:
        a = a if isinstance(a, bytes) else str(a).encode()
        body += struct.pack("!i", len(a)) + a
    return msg("F", body + struct.pack("!H", 0))


def extended(sql, values=(), name="", rows=0, end=None):
    return (parse(sql, name) + bind(values, stmt=name) + describe("P") + execute(rows=rows)
            + (sync() if end is None else end))


# ---- taking messages apart ----

def fields(body):
    """ErrorResponse / NoticeResponse."""
    out = {}
    for part in body.split(b"\0"):
        if part:
            out[chr(part[0])] = part[1:].decode(errors="replace")
    return out


def row(body):
    (n,) = struct.unpack_from("!H", body)
    at, out = 2, []
    for _ in range(n):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        if size < 0:
            out.append(None)
        else:
            out.append(body[at:at + size].decode(errors="replace"))
            at += size
    return tuple(out)


Column = collections.namedtuple("Column", "name table attnum oid size typmod format")


def columns(body):
    (n,) = struct.unpack_from("!H", body)
    at, out = 2, []
    for _ in range(n):
        end = body.index(b"\0", at)
        name = body[at:end].decode()
        out.append(Column(name, *struct.unpack_from("!IHIhih", body, end + 1)))
        at = end + 19
    return out


class Result:
    """Everything that came up to and including one ReadyForQuery."""

    def __init__(self, msgs):
        self.msgs = msgs
        self.rows, self.columns, self.tags, self.notices = [], [], [], []
        self.error = None
        self.status = None
        for m in msgs:
            if m.type == "D":
                self.rows.append(row(m.body))
            elif m.type == "T":
                self.columns = columns(m.body)
            elif m.type == "C":
                self.tags.append(m.body.rstrip(b"\0").decode())
            elif m.type == "N":
                self.notices.append(fields(m.body))
            elif m.type == "E" and self.error is None:
                self.error = fields(m.body)
            elif m.type == "Z":
                self.status = m.body.decode()

    @property
    def types(self):
        return "".join(m.type for m in self.msgs)

    @property
    def names(self):
        return [c.name for c in self.columns]

    @property
    def tag(self):
        return self.tags[-1] if self.tags else None

    @property
    def value(self):
        return self.rows[0][0]

    def dicts(self):
        return [dict(zip(self.names, r)) for r in self.rows]


def connect(addr, timeout=10):
    if isinstance(addr, str):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(addr)
    else:
        s = socket.create_connection(addr, timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.settimeout(timeout)
    return s


class Conn:
    """A socket that speaks in messages. No login of its own."""

    def __init__(self, addr, timeout=10):
        self.addr = addr
        self.timeout = timeout
        self.sock = connect(addr, timeout)
        self.buf = bytearray()
        self.at = 0

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()

    def send(self, *parts):
        self.sock.sendall(b"".join(parts))

    def fill(self):
        try:
            data = self.sock.recv(262144)
        except (ConnectionResetError, BrokenPipeError):
            raise Closed(why="RST")
        except socket.timeout:
            raise Timeout()
        if not data:
            raise Closed(why=f"EOF, {len(self.buf) - self.at} bytes of a half message" if len(self.buf) > self.at else "EOF")
        if self.at:
            del self.buf[:self.at]
            self.at = 0
        self.buf += data

    def recv_exact(self, n):
        while len(self.buf) - self.at < n:
            self.fill()
        out = bytes(self.buf[self.at:self.at + n])
        self.at += n
        return out

    def recv(self):
        while len(self.buf) - self.at < 5:
            self.fill()
        (size,) = struct.unpack_from("!I", self.buf, self.at + 1)
        while len(self.buf) - self.at < size + 1:
            self.fill()
        kind = chr(self.buf[self.at])
        body = bytes(self.buf[self.at + 5:self.at + 1 + size])
        self.at += size + 1
        return Msg(kind, body)

    def until(self, stop="Z", count=1):
        """Messages up to and including the count-th of a type in stop."""
        out = []
        try:
            while count:
                m = self.recv()
                out.append(m)
                if m.type in stop:
                    count -= 1
        except (Closed, Timeout) as e:
            e.msgs = out
            e.args = (f"{type(e).__name__} while waiting for {stop!r}; had {describe_msgs(out)}",)
            raise
        return out

    def take(self, count):
        """Exactly count messages."""
        out = []
        try:
            for _ in range(count):
                out.append(self.recv())
        except (Closed, Timeout) as e:
            e.msgs = out
            e.args = (f"{type(e).__name__} with {len(out)} of {count}: {describe_msgs(out)}",)
            raise
        return out

    def rest(self, timeout=None):
        """Messages until the peer closes. Timeout if it does not."""
        if timeout:
            self.sock.settimeout(timeout)
        out = []
        try:
            while True:
                out.append(self.recv())
        except Closed:
            return out
        except Timeout as e:
            e.msgs = out
            e.args = (f"peer did not close; had {describe_msgs(out)}",)
            raise

    def silent(self, seconds=0.2):
        """True if nothing comes and the peer stays connected for so long."""
        if len(self.buf) > self.at:
            return False
        self.sock.settimeout(seconds)
        try:
            self.fill()
            return False
        except Timeout:
            return True
        except Closed:
            return False
        finally:
            self.sock.settimeout(self.timeout)

    def settimeout(self, seconds):
        self.timeout = seconds
        self.sock.settimeout(seconds)

    def close(self):
        self.sock.close()

    def abort(self):
        """Close with RST, at once, also while another thread waits for it.

        close() alone would not end a connection that a thread is polling, and with the descriptor's number given to the next
        socket that thread would go on polling the wrong one; connect() to AF_UNSPEC resets the connection itself.
        """
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        LIBC.connect(self.sock.fileno(), struct.pack("H14x", socket.AF_UNSPEC), 16)
        self.sock.close()


def describe_msgs(msgs):
    out = []
    for m in msgs:
        if m.type in "EN":
            f = fields(m.body)
            out.append(f"{m.type}({f.get('C')} {f.get('M')})")
        elif m.type in "CZ":
            out.append(f"{m.type}({m.body.rstrip(bytes(1)).decode(errors='replace')})")
        else:
            out.append(m.type)
    return "[" + " ".join(out) + "]"


class Client(Conn):
    """A connection that has logged in."""

    def __init__(self, addr, user, database, password=None, params=(), timeout=10, proto=PROTO_3_0, login=True):
        super().__init__(addr, timeout)
        self.user, self.database, self.password = user, database, password
        self.params = {}
        self.notices = []
        self.pid = self.key = None
        self.seq = ""          # message types of the login, in order
        self.auth = []         # authentication codes asked for
        if login:
            pairs = [("user", user)]
            if database is not None:
                pairs.append(("database", database))
            pairs += list(params.items() if isinstance(params, dict) else params)
            try:
                self.send(startup(pairs, proto))
                self.login()
            except BaseException:
                self.close()
                raise

    def login(self):
        """From the first reply to ReadyForQuery. Raises PgError when refused."""
        scram = None
        while True:
            m = self.recv()
            self.seq += m.type
            if m.type == "R":
                (code,) = struct.unpack_from("!I", m.body)
                self.auth.append(code)
                if code == 0:
                    pass
                elif code == 3:
                    self.send(password(self.password or ""))
                elif code == 5:
                    inner = hashlib.md5(((self.password or "") + self.user).encode()).hexdigest()
                    self.send(password("md5" + hashlib.md5(inner.encode() + m.body[4:8]).hexdigest()))
                elif code == 10:
                    assert b"SCRAM-SHA-256\0" in m.body[4:], m
                    scram = Scram(self.password or "")
                    first = scram.first()
                    self.send(msg("p", cstr("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
                elif code == 11:
                    self.send(msg("p", scram.final(m.body[4:])))
                elif code == 12:
                    scram.check(m.body[4:])
                else:
                    raise AssertionError(f"authentication request {code}")
            elif m.type == "E":
                raise PgError(fields(m.body), [m])
            elif m.type == "S":
                k, v = m.body.split(b"\0")[:2]
                self.params[k.decode()] = v.decode()
            elif m.type == "K":
                (self.pid,), self.key = struct.unpack_from("!I", m.body), m.body[4:]
                if len(self.key) == 4:
                    (self.key,) = struct.unpack("!I", self.key)
            elif m.type == "N":
                self.notices.append(fields(m.body))
            elif m.type == "v":
                self.negotiate = m.body
            elif m.type == "Z":
                return

    def result(self, count=1):
        return Result(self.until("Z", count))

    def ask(self, sql):
        """Simple query; the result whatever it is. Closed when the peer goes."""
        self.send(q(sql))
        return self.result()

    def query(self, sql):
        """Simple query that has to work."""
        r = self.ask(sql)
        if r.error:
            raise PgError(r.error, r.msgs)
        return r

    def run(self, *parts):
        """Extended messages ending in a Sync."""
        self.send(*parts)
        return self.result()

    def value(self, sql):
        return self.query(sql).value

    def cancel(self):
        send_cancel(self.addr, self.pid, self.key)

    def quit(self):
        try:
            self.send(terminate())
        except OSError:
            pass
        self.close()


def send_cancel(addr, pid, key, wait=True, timeout=10):
    """One CancelRequest; waits for the peer's EOF as libpq does."""
    s = connect(addr, timeout)
    try:
        s.sendall(cancel(pid, key))
        if wait:
            assert s.recv(1) == b""
    except ConnectionResetError:
        pass
    finally:
        s.close()


def wait_until(test, seconds=5, step=0.02, what=None):
    """Poll test() until it gives something true; that is the result."""
    end = time.monotonic() + seconds
    while True:
        got = test()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what or test}; last: {got!r}")
        time.sleep(step)
