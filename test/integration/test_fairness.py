"""Many clients, few servers, more workers than there are cores: everybody gets their turn, whatever worker they are on."""

import os
import select
import socket
import time

import pytest

from harness.wire import q, startup

CLIENTS, SERVERS = 500, 20
ROUNDS = int(os.environ.get("FYNIX_FAIR_ROUNDS", "12"))


class Crowd:
    """Clients that ask again as soon as they have their answer; time is counted in answers, so a slow machine does no harm."""

    def __init__(self, addr, count):
        self.poll = select.epoll()
        self.socks = {}
        self.answers = {}
        self.asked_at = {}
        self.waits = []
        login = startup([("user", "app"), ("database", "db0")])
        for _ in range(count):
            s = socket.create_connection(addr)
            s.settimeout(30)
            s.sendall(login)
            got = b""
            while not got.endswith(b"Z\0\0\0\5I"):
                got += s.recv(65536)
            self.socks[s.fileno()] = s
            self.answers[s.fileno()] = 0
            self.poll.register(s, select.EPOLLIN)

    def run(self, answers):
        query, done, bytes_of = q("SELECT 1"), 0, {fd: b"" for fd in self.socks}
        for fd, s in self.socks.items():
            s.sendall(query)
            self.asked_at[fd] = 0
        while done < answers:
            ready = self.poll.poll(30)
            assert ready, "nobody is served any more"
            for fd, _ in ready:
                got = self.socks[fd].recv(4096)
                assert got, "a client was thrown out"
                bytes_of[fd] += got
                if not bytes_of[fd].endswith(b"Z\0\0\0\5I"):
                    continue
                assert bytes_of[fd][:1] == b"T", bytes_of[fd]
                bytes_of[fd] = b""
                done += 1
                self.answers[fd] += 1
                self.waits.append(done - self.asked_at[fd])
                self.socks[fd].sendall(query)
                self.asked_at[fd] = done
        # who waits now has waited, too
        self.waits += [done - at for at in self.asked_at.values()]

    def close(self):
        for s in self.socks.values():
            s.close()


@pytest.mark.parametrize("workers", [1, 4, 8, 16])
def test_the_longest_wait_is_not_many_times_the_median(pg, pooler, workers):
    p = pooler(workers=workers, pool_size=SERVERS, max_overflow=0, max_client_conn=1000, pool_timeout=120)
    crowd = Crowd(p.addr, CLIENTS)
    t = time.monotonic()
    crowd.run(CLIENTS * ROUNDS)
    took = time.monotonic() - t
    waits = sorted(crowd.waits)
    median, longest = waits[len(waits) // 2], waits[-1]
    least, most = min(crowd.answers.values()), max(crowd.answers.values())
    handovers = sum(int(r["handovers"]) for r in p.show("POOLS_EXTENDED"))
    print(f"{workers} workers: {CLIENTS * ROUNDS / took:.0f} tx/s, waits in answers of others: median {median}, 99 % {waits[len(waits) * 99 // 100]}, "
          f"longest {longest}; answers to one client {least} to {most}; {handovers} hand-overs")
    assert CLIENTS // 2 <= median <= CLIENTS * 2
    assert longest <= 6 * median, (median, longest)
    assert least * 3 >= ROUNDS and most <= ROUNDS * 3, (least, most)
    assert pg.backends() and handovers >= (workers > 1)
    crowd.close()
