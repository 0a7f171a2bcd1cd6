"""In the steady state a transaction costs no memory and no change of what the kernel watches, on either engine.

Counted by a library that is preloaded, which sees all of malloc and what libev asks of the kernel, and by SHOW MEM_EXTENDED
(with a sanitizer, only that)."""

import mmap
import os
import struct
import subprocess
import time

import pytest

from harness import scratch
from harness.pooler import BINARY
from harness.tlswire import TlsClient
from harness.wire import bind, describe, execute, extended, parse, q, sync

HERE = os.path.dirname(os.path.abspath(__file__))
TRANSACTIONS = 2000
CLIENTS, SERVERS = 8, 3

SIMPLE = q("SELECT 1")
NAMED = bind(stmt="mine") + describe() + execute()
LOADS = {
    "simple": (SIMPLE, 1),
    "extended": (extended("SELECT 1"), 1),
    "prepared": (NAMED + sync(), 1),
    "pipelined": ((NAMED + sync()) * 10, 10),
    "batched": (NAMED * 10 + sync(), 1),
    "rows": (q("SELECT i, repeat('x', 100) FROM generate_series(1, 40) i"), 1),
}


def is_sanitized():
    with open(BINARY, "rb") as f:
        data = f.read()
    return b"__asan_init" in data or b"__tsan_init" in data


class Counts:
    """What the preloaded library has counted: since the last look."""

    NAMES = "malloc", "epoll_ctl", "timer"

    def __init__(self, folder):
        self.path = folder + "/counts"
        with open(self.path, "wb") as f:
            f.write(bytes(4096))
        os.chmod(self.path, 0o666)
        with open(self.path, "rb") as f:
            self.map = mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ)
        self.last = self.read()

    def read(self):
        return struct.unpack_from("=3Q", self.map)

    def since(self):
        now = self.read()
        out = dict(zip(self.NAMES, (n - b for n, b in zip(now, self.last))))
        self.last = now
        return out


@pytest.fixture(scope="module")
def library():
    out = scratch.folder() + "/counting.so"
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-o", out, HERE + "/tools/counting.c"], check=True)
    return out


def own_count(p):
    return next(int(r["objects"]) for r in p.show("MEM_EXTENDED") if r["purpose"] == "allocations")


def run(clients, batch, readys, transactions):
    """All ask, then all read: with fewer servers than clients, most of them wait."""
    for _ in range(transactions // (len(clients) * readys)):
        for c in clients:
            c.send(batch)
        for c in clients:
            c.until("Z", readys)


@pytest.mark.parametrize("engine", ["libev", "uring"])
@pytest.mark.parametrize("mode", ["transaction", "session", "tls"])
def test_no_memory_and_no_watching_per_transaction(pooler, pki, library, engine, mode):
    count = Counts(os.path.dirname(library))
    env = {} if is_sanitized() else {"LD_PRELOAD": library, "FX_COUNTS": count.path}
    p = pooler(workers=1, pool_mode="session" if mode == "session" else "transaction", pool_size=CLIENTS if mode == "session" else SERVERS,
               max_overflow=0, io_engine=engine, env=env, client_tls_sslmode="allow", client_tls_cert_file=pki.crt("good"),
               client_tls_key_file=pki.file("good.key"))
    clients = [TlsClient(p.addr, timeout=60) if mode == "tls" else p.client(timeout=60) for _ in range(CLIENTS)]
    if env:
        got = count.since()
        assert got["malloc"] > 1000 and got["epoll_ctl"] >= (CLIENTS if engine == "libev" else 0), got
    for c in clients:
        c.run(parse("SELECT 1", "mine"), sync())
    for name, (batch, readys) in LOADS.items():
        run(clients, batch, readys, TRANSACTIONS // 5)
        before = own_count(p)
        shown = own_count(p) - before  # what looking costs
        count.since()
        t = time.monotonic()
        run(clients, batch, readys, TRANSACTIONS)
        took = time.monotonic() - t
        got = count.since()
        got["own"] = own_count(p) - before - 2 * shown
        print(f"{engine} {mode} {name}: {TRANSACTIONS} transactions in {took:.2f} s: {got}")
        for what in got:
            # once a second the pools are looked at; OpenSSL lets go of its buffers between two records
            most = 20 + 40 * took + (7 * TRANSACTIONS if mode == "tls" and what in ("malloc", "own") else 0)
            assert got[what] < most, (name, what, got, took)
    for c in clients:
        c.quit()
