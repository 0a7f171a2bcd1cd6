"""Ten thousand who stop in the middle of their login: what they cost, and that nobody waits for them. FYNIX_HALF_LOGINS=10000 is the figure
for the record; the memory is asserted without sanitizers only."""

import os
import socket
import struct
import time

import pytest

from harness import scram, tlswire, wire
from harness.cluster import pw
from harness.wire import cstr, msg, wait_until

MANY = int(os.environ.get("FYNIX_HALF_LOGINS", "400"))
WARM = 200
LIMIT = {"nothing": 2048, "half_startup": 2048, "half_proof": 2048}      # bytes each, before TLS
SLACK = 512 * 1024                  # what the process may have grown for other reasons
STORED = {"u": scram.secret(pw("u")), "trusty": "", "admin": pw("admin"), "stats": pw("stats")}


def hello():
    s = tlswire.Stream(None, tlswire.client_context())
    try:
        s.tls.do_handshake()
    except tlswire.ssl.SSLWantReadError:
        pass
    return s.outside.read()


def nothing():
    return b"", 0, b""


def half_startup():
    return wire.startup({"user": "u", "database": "db0", "application_name": "half"})[:-20], 0, b""


def ssl_request():
    return wire.request(wire.SSL_REQUEST), 1, b""


def half_hello():
    data = hello()
    return wire.request(wire.SSL_REQUEST), 1, data[:len(data) // 2]


def half_proof():
    """SCRAM: the client's first message is answered, its second does not come."""
    first = scram.Scram("x").first()
    ask = msg("p", cstr("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first)
    return wire.startup({"user": "u", "database": "db0"}), 5, ask


KINDS = [nothing, half_startup, ssl_request, half_hello, half_proof]


def stall(p, kind, n):
    """n connections that have said so much and no more; in steps, each waits for the answer that is due."""
    first, answer, second = kind()
    socks = []
    for _ in range(n):
        s = socket.create_connection(p.addr, 20)
        if first:
            s.sendall(first)
        if answer:
            s.settimeout(20)
            assert len(s.recv(4096)) >= answer
        if second:
            s.sendall(second)
        socks.append(s)
    return socks


def login_time(p):
    t = time.monotonic()
    p.client("u").quit()
    return time.monotonic() - t


def median(samples):
    return sorted(samples)[len(samples) // 2]


@pytest.mark.parametrize("kind", KINDS, ids=lambda f: f.__name__)
def test_half_logins_cost_little_and_delay_nobody(pooler, pki, kind):
    p = pooler(auth_type="scram-sha-256", databases={"db0": "user=trusty"}, userlist=STORED, workers=2, tcp_defer_accept=0,
               client_login_timeout=600, max_client_conn=2 * MANY + 1000, max_unauthenticated_percent=100,
               client_tls_sslmode="allow", client_tls_cert_file=pki.crt("good"), client_tls_key_file=pki.file("good.key"))
    keeper = p.admin()

    def connected():
        return int(keeper.ask("SHOW LOGINS").dicts()[0]["connected"])

    calm = [login_time(p) for _ in range(20)]
    held = stall(p, kind, WARM)                 # what comes once comes now
    wait_until(lambda: connected() == WARM, 20)
    before = p.rss_kb()
    held += stall(p, kind, MANY)
    wait_until(lambda: connected() == WARM + MANY, 60)
    grown = (p.rss_kb() - before) * 1024 / MANY
    crowded = [login_time(p) for _ in range(20)]
    text = (f"{kind.__name__}: {MANY} stalled, {grown:.0f} bytes each; login {median(calm) * 1e3:.1f} ms (worst {max(calm) * 1e3:.1f}), "
            f"beside them {median(crowded) * 1e3:.1f} ms (worst {max(crowded) * 1e3:.1f})")
    print(text)
    assert median(crowded) <= median(calm) + 0.1, text
    if not p.sanitized() and kind.__name__ in LIMIT:
        assert grown <= LIMIT[kind.__name__] + SLACK / MANY, text
    for s in held:
        s.close()
    wait_until(lambda: connected() == 0, 60)
    keeper.quit()
