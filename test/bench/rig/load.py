"""Loads that run for a while: pgbench and the large-result helper. All targets of a scenario have theirs running at the
same time, but only one of them is ever let go; the others stand still. So the targets take turns within a second or
two, and what the machine does meanwhile (clock rate, neighbours on the host) hits all of them alike."""
import glob
import os
import signal
import subprocess
import time

from proc import BenchError
from server import DBNAME, PASSWORD
from window import measure, quiet_window

SETTLE = 0.12       # seconds from letting a load go to the window
GB = 1e9


def percentile(ordered, p):
    return ordered[min(len(ordered) - 1, int(len(ordered) * p))]


class Pgbench:
    """One pgbench against one target. Standing still is SIGSTOP: what is under way is answered and waits."""

    def __init__(self, bench, target, scenario):
        self.bench, self.target, self.scenario = bench, target, scenario
        self.spans = []     # (let go, stopped), wall clock
        self.prefix = os.path.join(bench.tmp, "log_%s" % target.user)

    def start(self):
        bench, opt = self.bench, self.scenario.opt
        argv = [bench.server.tool("pgbench"), "-h", "127.0.0.1", "-p", str(self.target.port), "-U", self.target.user,
                "-n", "-c", str(opt["clients"]), "-j", str(min(opt["clients"], 2)), "-M",
                self.target.pgbench_mode(opt["mode"]), "-T", "36000",
                "-l", "--log-prefix", self.prefix] + self._what() + [DBNAME]
        env = dict(os.environ, PGPASSWORD=PASSWORD, PGSSLMODE="require" if self.scenario.tls else "disable",
                   PGGSSENCMODE="disable")
        self.client = bench.procs.start(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.go_time = time.time()
        self._wait_for_log()
        self.hold()

    def _what(self):
        opt = self.scenario.opt
        if "script" not in opt:
            return opt["builtin"]
        files = []
        for number, (text, weight) in enumerate(opt["script"]):
            path = os.path.join(self.bench.tmp, "script%d.sql" % number)
            with open(path, "w") as f:
                f.write(text)
            files += ["-f", "%s@%d" % (path, weight)]
        return files + ["-s", str(self.bench.server.scale)]

    def _wait_for_log(self):
        """pgbench logs nothing before all its clients have logged in; a little later all of them are at work."""
        for _ in range(1200):
            if self.client.poll() is not None:
                self._fail()
            if any(os.path.getsize(path) > 0 for path in glob.glob(self.prefix + ".*")):
                time.sleep(0.3)
                return
            time.sleep(0.05)
        raise BenchError("%s through %s: no transaction within a minute" % (self.scenario.name, self.target.spec))

    def _fail(self, output=None):
        raise BenchError("pgbench through %s: status %s\n%s" % (
            self.target.spec, self.client.returncode, output or self.client.communicate()[0][-2000:]))

    def go(self):
        self.go_time = time.time()
        self.client.send_signal(signal.SIGCONT)

    def hold(self):
        self.client.send_signal(signal.SIGSTOP)
        self.spans.append((self.go_time, time.time()))
        time.sleep(0.02)
        if self.client.poll() is not None:
            self._fail()

    def finish(self):
        """Lets pgbench end in order, as when its own -T is over, and reads its log."""
        self.client.send_signal(signal.SIGCONT)
        self.client.send_signal(signal.SIGALRM)
        output = self.client.communicate()[0]
        self.bench.procs.live.remove(self.client)
        if self.client.returncode != 0 or "failed transactions: 0 " not in output or "aborted" in output:
            self._fail(output[-2000:])
        self.log, clients = [], set()
        for path in glob.glob(self.prefix + ".*"):
            with open(path, "rb") as f:
                for line in f:
                    v = line.split()
                    self.log.append((int(v[4]) + int(v[5]) * 1e-6, int(v[2])))
                    clients.add(v[0])
            os.unlink(path)
        self.log.sort()
        if len(clients) < self.scenario.opt["clients"]:
            raise BenchError("%s through %s: only %d of %d clients ever finished a transaction" % (
                self.scenario.name, self.target.spec, len(clients), self.scenario.opt["clients"]))

    def figures(self, window):
        """Counts what ended in the window; the latencies are of those that were also begun since the last standstill."""
        go = max(g for g, _ in self.spans if g <= window.t0)
        ended = [(end, us) for end, us in self.log if window.t0 <= end < window.t1]
        latencies = sorted(us for end, us in ended if end - us * 1e-6 >= go)
        if not latencies:
            raise BenchError("%s through %s: no transaction in a window of %.1f s" % (
                self.scenario.name, self.target.spec, window.seconds))
        out = dict(tps=len(ended) / window.seconds, server_tx=window.server_ns / len(ended) / 1e3,
                   p50=percentile(latencies, 0.50), p95=percentile(latencies, 0.95), p99=percentile(latencies, 0.99))
        if self.target.pid is not None:
            out["cpu_tx"] = window.cpu_ns / len(ended) / 1e3
        return out


class Helper:
    """A client of our own that obeys lines on its standard input and answers each with one line."""

    def __init__(self, bench, name, *args):
        self.bench = bench
        self.client = bench.procs.start([bench.tool(name)] + [str(a) for a in args], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def expect(self, answer):
        line = self.client.stdout.readline().split()
        if not line or line[0] != answer:
            raise BenchError("client helper: %s" % (" ".join(line) or self.client.communicate()[1]))
        return line[1:]

    def tell(self, word, answer):
        self.client.stdin.write(word + "\n")
        self.client.stdin.flush()
        return self.expect(answer)

    def finish(self):
        out, err = self.client.communicate()
        self.bench.procs.live.remove(self.client)
        if self.client.returncode != 0:
            raise BenchError("client helper: status %d: %s" % (self.client.returncode, err.strip() or out))


class Stream:
    """The large-result helper against one target. It stands still between two results."""

    def __init__(self, bench, target, scenario):
        self.bench, self.target, self.scenario = bench, target, scenario
        self.marks = []     # (wall clock, bytes so far)

    def start(self):
        opt = self.scenario.opt
        self.helper = Helper(self.bench, "stream", self.target.conninfo(self.scenario.tls), opt["clients"], opt["sql"],
                             *([opt["copy_in"]] if "copy_in" in opt else []))
        self.client = self.helper.client
        self.helper.expect("ready")

    def go(self):
        self.helper.tell("go", "gone")

    def hold(self):
        self.helper.tell("hold", "held")

    def mark(self):
        self.marks.append(tuple(float(x) for x in self.helper.tell("mark", "mark")))

    def finish(self):
        self.helper.finish()

    def figures(self, window):
        (time0, bytes0), (time1, bytes1) = (min(self.marks, key=lambda m: abs(m[0] - t)) for t in (window.t0, window.t1))
        moved, rate = bytes1 - bytes0, (bytes1 - bytes0) / (time1 - time0)
        if moved <= 0:
            raise BenchError("%s through %s: nothing moved" % (self.scenario.name, self.target.spec))
        # The marks lie a moment beside the window's ends: what counts is the rate.
        volume = rate * window.seconds / GB
        out = dict(moved=moved / GB, rate=rate / 1e6, server_gb=window.server_ns / 1e6 / volume)
        if self.target.pid is not None:
            out["cpu_gb"] = window.cpu_ns / 1e6 / volume
        return out


def _take_window(bench, target, load):
    load.go()
    time.sleep(SETTLE)
    mark = getattr(load, "mark", lambda: None)
    mark()
    window = measure(bench, target, [load.client], bench.seconds)
    mark()
    load.hold()
    return window


def _start(bench, target, scenario):
    load = scenario.opt["load"](bench, target, scenario)
    load.start()
    return load


def run_side_by_side(bench, targets, scenario, rounds):
    loads = {t: _start(bench, t, scenario) for t in targets}
    windows = {t: [] for t in targets}
    conns = {}
    for number in range(rounds):
        for t in bench.in_turn(targets, number):
            windows[t].append(quiet_window(bench, lambda: _take_window(bench, t, loads[t])))
    for t in targets:
        conns[t] = bench.server.connections_of(t.user)
        loads[t].finish()
    return {t: [dict(loads[t].figures(w), **w.common(conns[t])) for w in windows[t]] for t in targets}


def run_one_by_one(bench, targets, scenario, rounds):
    """For loads that hold locks in the server while they stand still: each round of each is a run of its own."""
    out = {t: [] for t in targets}
    for number in range(rounds):
        for t in bench.in_turn(targets, number):
            load = _start(bench, t, scenario)
            window = quiet_window(bench, lambda: _take_window(bench, t, load))
            conns = bench.server.connections_of(t.user)
            load.finish()
            out[t].append(dict(load.figures(window), **window.common(conns)))
            if not t.pools:
                bench.server.wait_until_gone(t.user)
    return out
