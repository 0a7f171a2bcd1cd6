"""SCRAM-SHA-256, client role, written out step by step so that tests can break any step."""

import base64
import hashlib
import hmac
import os


def h(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def b64(data):
    return base64.b64encode(data).decode()


def pbkdf2(password, salt, iterations):
    return hashlib.pbkdf2_hmac("sha256", password, salt, iterations)


class Scram:
    def __init__(self, password, user="", nonce=None, gs2="n,,"):
        self.password = password.encode() if isinstance(password, str) else password
        self.user = user
        self.gs2 = gs2
        self.nonce = nonce or b64(os.urandom(18))
        self.bare = f"n={user},r={self.nonce}"
        self.bound = gs2.encode()      # and the data of a channel binding
        self.pbkdf2 = pbkdf2

    def first(self):
        return (self.gs2 + self.bare).encode()

    def final(self, server_first):
        """Take the server's first message; give (without-proof, proof)."""
        text = server_first.decode()
        attrs = dict(part.split("=", 1) for part in text.split(","))
        self.server_nonce = attrs["r"]
        assert self.server_nonce.startswith(self.nonce) and self.server_nonce != self.nonce
        self.iterations = int(attrs["i"])
        self.salt = base64.b64decode(attrs["s"])
        salted = self.pbkdf2(self.password, self.salt, self.iterations)
        client_key = h(salted, b"Client Key")
        stored_key = hashlib.sha256(client_key).digest()
        self.without_proof = f"c={b64(self.bound)},r={self.server_nonce}"
        auth = f"{self.bare},{text},{self.without_proof}".encode()
        proof = bytes(a ^ b for a, b in zip(client_key, h(stored_key, auth)))
        self.server_signature = h(h(salted, b"Server Key"), auth)
        self.proof = proof
        return f"{self.without_proof},p={b64(proof)}".encode()

    def check(self, server_final):
        assert server_final.decode() == "v=" + b64(self.server_signature), "wrong server signature"


def secret(password, iterations=4096, salt=None):
    """The stored form, as PostgreSQL keeps it in pg_authid and a userlist may hold it."""
    salt = salt or os.urandom(16)
    password = password if isinstance(password, bytes) else password.encode()
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
    stored = hashlib.sha256(h(salted, b"Client Key")).digest()
    return f"SCRAM-SHA-256${iterations}:{b64(salt)}${b64(stored)}:{b64(h(salted, b'Server Key'))}"


def md5_secret(user, password):
    return "md5" + hashlib.md5((password + user).encode()).hexdigest()
