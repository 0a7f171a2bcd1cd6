"""A TCP relay in front of PostgreSQL that can fall silent and can hold cancel requests back."""

import random
import socket
import struct
import threading
import time

from .ports import free_port
from .wire import CANCEL_REQUEST


class Relay:
    def __init__(self, addr):
        self.to = addr
        self.port = free_port()
        self.muted = threading.Event()      # connections made before this is set fall silent, and stay open
        self.hold_cancel = 0.0              # seconds between a CancelRequest's arrival and its delivery
        self.hold_eof = 0.0                 # seconds between PostgreSQL's closing of it and ours
        self.spread = 0.0                   # both of these: up to so much more, by chance
        self.hold_ready = 0.0               # seconds between the rest of an answer and its ReadyForQuery
        self.cancels = 0
        self.socks = []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(100)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(a, self.muted.is_set()), daemon=True).start()

    def _serve(self, a, late):
        try:
            first = a.recv(65536)
            if len(first) >= 16 and struct.unpack("!II", first[:8]) == (len(first), CANCEL_REQUEST):
                self.cancels += 1
                time.sleep(self.hold_cancel + random.uniform(0, self.spread))
                with socket.create_connection(self.to) as b:
                    b.sendall(first)
                    b.recv(1)
                time.sleep(self.hold_eof + random.uniform(0, self.spread))
                a.close()
                return
            b = socket.create_connection(self.to)
            b.sendall(first)
        except OSError:
            a.close()
            return
        self.socks += [a, b]
        for x, y in ((a, b), (b, a)):
            threading.Thread(target=self._pump, args=(x, y, late), daemon=True).start()

    def _pump(self, a, b, late):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                if self.muted.is_set() and not late:
                    continue
                if self.hold_ready and data[-6:-1] == b"Z\0\0\0\5" and len(data) > 6:
                    b.sendall(data[:-6])
                    time.sleep(self.hold_ready)
                    data = data[-6:]
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.listener.close()
        for s in self.socks:
            s.close()
