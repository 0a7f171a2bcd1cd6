"""SCRAM-SHA-256-PLUS towards servers that do it right, and towards servers that do not."""

import base64
import hashlib
import os
import struct

import pytest

from harness import scram, wire
from harness.cluster import pw
from harness.tlswire import FakeServer, server_context
from harness.wire import cstr, msg

PLUS, NORMAL = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"
SALT = b"0123456789abcdef"


def auth(code, body=b""):
    return msg("R", struct.pack("!I", code) + body)


class Judge:
    """The server's side of SCRAM; first and final say otherwise what it would say."""

    def __init__(self, peer, offers, first=None, final=None):
        self.peer = peer
        peer.send(auth(10, b"".join(cstr(o) for o in offers) + b"\0"))
        kind, body = peer.message()
        assert kind == "p"
        mechanism, body = body.split(b"\0", 1)
        text = body[4:].decode()
        self.mechanism = mechanism.decode()
        gs2, bare = text[:text.index(",,") + 2], text[text.index(",,") + 2:]
        peer.note("first", self.mechanism, gs2)
        nonce = bare.split("r=")[1]
        said = f"r={nonce}srv,s={scram.b64(SALT)},i=4096"
        if first:
            said = first(nonce)
        peer.send(auth(11, said.encode()))
        kind, body = peer.message()
        assert kind == "p"
        without, proof = body.decode().rsplit(",p=", 1)
        bound = base64.b64decode(without.split(",")[0][2:])
        assert bound.startswith(gs2.encode()), bound
        salted = hashlib.pbkdf2_hmac("sha256", pw("app").encode(), SALT, 4096)
        key, signed = scram.h(salted, b"Client Key"), f"{bare},{said},{without}".encode()
        want = bytes(a ^ b for a, b in zip(key, scram.h(hashlib.sha256(key).digest(), signed)))
        peer.note("proof", base64.b64decode(proof) == want, bound[len(gs2):])
        signature = scram.h(scram.h(salted, b"Server Key"), signed)
        self.signed = signed
        last = b"v=" + scram.b64(signature).encode()
        if final:
            last = final(signature)
        if last is not None:
            peer.send(auth(12, last))


def tried(pooler, pki, offers, mode="prefer", cert="good", **say):
    """Gives (error or None, what the server has seen)."""
    context = server_context(pki.crt(cert))

    def script(peer):
        peer.begin(context)
        Judge(peer, offers, **say)
        peer.welcome()
        peer.serve()

    with FakeServer(script) as s:
        p = pooler(databases={"fake": f"port={s.port} sslmode=require channel_binding={mode}"}, workers=1, server_login_retry=60, query_wait_timeout=10)
        try:
            with p.client(database="fake") as c:
                assert c.value("hello") == "hello"
            error = None
        except wire.PgError as e:
            error = e.text
        p.stop()
        return error, [x for x in s.seen if x[0] in ("first", "proof")]


def hash_of(pki, cert):
    return hashlib.sha256(pki.der(cert)).digest()


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
def test_what_is_chosen(pooler, pki, mode):
    gs2 = "p=tls-server-end-point,,"
    error, seen = tried(pooler, pki, (PLUS, NORMAL), mode)
    if mode == "disable":
        assert error is None and seen == [("first", NORMAL, "n,,"), ("proof", True, b"")]
    else:
        assert error is None and seen == [("first", PLUS, gs2), ("proof", True, hash_of(pki, "good"))]
    error, seen = tried(pooler, pki, (NORMAL,), mode)
    if mode == "require":
        assert error == "channel binding required, but server does not offer it" and seen == []
    else:
        assert error is None and seen == [("first", NORMAL, "n,," if mode == "disable" else "y,,"), ("proof", True, b"")]
    error, seen = tried(pooler, pki, (PLUS,), mode)
    if mode == "disable":
        assert "none of the server's SASL authentication mechanisms are supported" in error and seen == []
    else:
        assert error is None and seen[0] == ("first", PLUS, gs2)


def test_the_certificate_that_was_shown_is_the_one_that_is_bound(pooler, pki):
    """Whoever shows one of his own in the middle gets a proof that is good for nobody else."""
    hashes = set()
    for cert in ("good", "good2", "stranger"):
        error, seen = tried(pooler, pki, (NORMAL, PLUS), cert=cert)
        assert error is None and seen[1] == ("proof", True, hash_of(pki, cert))
        hashes.add(seen[1][2])
    assert len(hashes) == 3


FIRSTS = {
    "nonce not ours": lambda n: f"r=x{n}srv,s={scram.b64(SALT)},i=4096",
    "nonce only ours": lambda n: f"r={n},s={scram.b64(SALT)},i=4096",
    "too many iterations": lambda n: f"r={n}srv,s={scram.b64(SALT)},i=2147483647",
    "no iterations": lambda n: f"r={n}srv,s={scram.b64(SALT)},i=0",
    "iterations beyond 2^32": lambda n: f"r={n}srv,s={scram.b64(SALT)},i=4294971392",
    "extension": lambda n: f"m=x,r={n}srv,s={scram.b64(SALT)},i=4096",
    "twice": lambda n: f"r={n}srv,r={n}srv,s={scram.b64(SALT)},i=4096",
    "no salt": lambda n: f"r={n}srv,s=,i=4096",
    "error": lambda n: "e=channel-bindings-dont-match",
}


@pytest.mark.parametrize("name", FIRSTS)
def test_wrong_first(pooler, pki, name):
    error, seen = tried(pooler, pki, (PLUS, NORMAL), "require", first=FIRSTS[name])
    assert error and [x[0] for x in seen] == ["first"], (error, seen)


FINALS = {
    "no word": lambda s: None,
    "error": lambda s: b"e=channel-bindings-dont-match",
    "another signature": lambda s: b"v=" + scram.b64(os.urandom(32)).encode(),
    "half of it": lambda s: b"v=" + scram.b64(s[:16]).encode(),
    "one bit": lambda s: b"v=" + scram.b64(bytes([s[0] ^ 1]) + s[1:]).encode(),
    "and more": lambda s: b"v=" + scram.b64(s).encode() + b",x=y",
    "empty": lambda s: b"",
}


@pytest.mark.parametrize("name", FINALS)
def test_wrong_final(pooler, pki, name):
    error, seen = tried(pooler, pki, (PLUS, NORMAL), "require", final=FINALS[name])
    assert error and seen[1][:2] == ("proof", True), (error, seen)
