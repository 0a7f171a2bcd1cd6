"""What was spent between two moments: by one target, by PostgreSQL, by everybody."""
import os
import time

import proc


class Window:
    def __init__(self, bench, target, clients):
        """`clients` are the processes that put the load on."""
        self.bench, self.target, self.clients = bench, target, clients

    def _others(self):
        return (proc.busy_ns(), self.bench.server.cpu_ns(), sum(proc.cpu_tree_ns(c.pid) for c in self.clients),
                sum(t.cpu()[0] for t in self.bench.targets if t is not self.target), proc.cpu_ns(os.getpid()))

    def open(self):
        self.others0 = self._others()
        self.cpu0 = self.target.cpu()
        self.t0 = time.time()

    def close(self):
        self.t1 = time.time()
        cpu1 = self.target.cpu()
        self.target.check_alive()
        busy, self.server_ns, *known = (b - a for a, b in zip(self.others0, self._others()))
        self.cpu_ns, user, system = (b - a for a, b in zip(self.cpu0, cpu1))
        self.seconds = self.t1 - self.t0
        self.sys_share = 100.0 * system / (user + system) if user + system > 0 else None
        foreign = busy - self.server_ns - self.cpu_ns - sum(known)
        self.foreign = max(0.0, 100.0 * foreign / (self.seconds * 1e9 * os.cpu_count()))
        return self

    def common(self, conns):
        """The figures that every kind of load has."""
        out = {"foreign": self.foreign, "conns": conns}
        if self.target.pid is not None:
            out["sys_share"] = self.sys_share
        return out


def measure(bench, target, clients, seconds):
    window = Window(bench, target, clients)
    window.open()
    time.sleep(seconds)
    return window.close()


def quiet_window(bench, take):
    """A window from `take()`; again if the machine was busy with something else, and the quietest of three counts."""
    tries = [take()]
    while len(tries) < 3 and tries[-1].foreign > bench.max_foreign:
        tries.append(take())
    bench.repeated += len(tries) - 1
    return min(tries, key=lambda w: w.foreign)
