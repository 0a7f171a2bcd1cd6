"""Ports outside the ephemeral range, so that no outgoing connection takes one between choice and use."""

import os
import random
import socket

_given = set()
_rand = random.Random(os.urandom(8))


def free_port():
    for _ in range(2000):
        port = _rand.randrange(20000, 32000)
        if port in _given:
            continue
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("no free port")
