"""The scenarios, one row each, and the figures they yield, one row each. What runs them is load.py and idle.py."""
import idle
import load
import logins

PIPE_DEPTH = 20

# name: (heading, unit, which way is better or how rounds add up, digits)
FIGURES = {
    "cpu_tx": ("CPU/tx", "µs", "less", 2),
    "sys_share": ("in kernel", "%", None, 0),
    "tps": ("tx/s", "", "more", 0),
    "p50": ("p50", "µs", "less", 0),
    "p95": ("p95", "µs", "less", 0),
    "p99": ("p99", "µs", "less", 0),
    "added_p50": ("p50 added", "µs", "less", 1),
    "server_tx": ("server CPU/tx", "µs", "less", 1),
    "cpu_gb": ("CPU/GB", "ms", "less", 0),
    "rate": ("MB/s", "", "more", 0),
    "server_gb": ("server CPU/GB", "ms", "less", 0),
    "moved": ("GB in all", "", "sum", 2),
    "mem_login": ("B/client", "", "less", 0),
    "mem_query": ("after query", "", "less", 0),
    "anon_query": ("same, private", "", "less", 0),
    "cpu_login": ("CPU/login", "µs", "less", 1),
    "login_rate": ("logins/s", "", "more", 0),
    "cpu_idle": ("idle CPU", "ms/s", "less", 2),
    "conns": ("server conns", "", None, 0),
    "foreign": ("others' CPU", "%", None, 0),
}

TX = ("cpu_tx", "sys_share", "tps", "p50", "p95", "p99", "server_tx", "conns", "foreign")
ONE = ("cpu_tx", "sys_share", "tps", "p50", "p95", "p99", "added_p50", "server_tx", "conns", "foreign")
STREAM = ("cpu_gb", "sys_share", "rate", "server_gb", "moved", "conns", "foreign")
IDLE = ("mem_login", "mem_query", "anon_query", "cpu_login", "cpu_idle", "conns", "foreign")
LOGINS = ("cpu_login", "sys_share", "login_rate", "conns", "foreign")

PICK = "\\set aid random(1, 100000 * :scale)\n"
SELECT = "select abalance from pgbench_accounts where aid = :aid;\n"
ROWS = "select repeat('x', 1000) from generate_series(1, %d)"


PIPELINE = PICK + "\\startpipeline\n" + SELECT * PIPE_DEPTH + "\\endpipeline\n"
# one transaction in ten holds its server for some milliseconds
SHORT_AND_LONG = [(PICK + SELECT, 9), (PICK + "begin;\n" + SELECT + "select pg_sleep(0.005);\n" + SELECT + "end;\n", 1)]


def most(uring, libev=None):
    """A figure's highest allowed ratio to PgBouncer's, by engine."""
    return {"uring": uring, "libev": uring if libev is None else libev}


def least(two_workers=None, reuse=None):
    """A figure's lowest allowed ratio to PgBouncer's, for the targets that are asked."""
    return {"two_workers": two_workers, "reuse": reuse}


class Scenario:
    """`run(bench, targets, scenario, rounds)` gives {target: [figures of each round]}."""

    def __init__(self, name, what, run, figures, goals=None, limits=None, only_pools=False, tls=False, **opt):
        self.name, self.what, self.run, self.figures = name, what, run, figures
        self.goals = goals or {}        # figure: {what a target is judged as: the ratio ours / PgBouncer's to keep to}
        self.limits = limits or {}      # figure: the highest allowed value
        self.only_pools = only_pools    # without pooling it would need a server connection per client
        self.tls = tls                  # between the client and what it connects to
        self.opt = opt

    def suits(self, target):
        return (target.pools or not self.only_pools) and (target.ends_tls or not self.tls)


def _pgbench(name, what, goals=None, run=load.run_side_by_side, figures=TX, **opt):
    return Scenario(name, what, run, figures, goals, load=load.Pgbench, **opt)


def _stream(name, what, goals=None, **opt):
    return Scenario(name, what, load.run_side_by_side, STREAM, goals, load=load.Stream, clients=4, **opt)


def _logins(name, what, auth, goal, tls=False, count=320, **opt):
    """count: logins of a turn, which should take a tenth of a second at least."""
    return Scenario(name, what + ", %d clients that log in and leave" % logins.CLIENTS, logins.run, LOGINS,
                    {"cpu_login": most(goal)}, only_pools=True, tls=tls, auth=auth, count=count, **opt)


SCENARIOS = [
    _pgbench("simple", "pgbench -S, simple protocol, 32 clients",
             {"cpu_tx": most(0.75, 0.95), "tps": least(two_workers=1.08)}, clients=32, mode="simple", builtin=["-S"]),
    _pgbench("extended", "pgbench -S, extended protocol, 32 clients",
             {"cpu_tx": most(0.70, 0.95), "tps": least(reuse=1.3)}, clients=32, mode="extended", builtin=["-S"]),
    _pgbench("prepared", "pgbench -S, prepared statements, 32 clients (PgBouncer before 1.21: extended)",
             {"cpu_tx": most(0.65, 0.90), "tps": least(two_workers=1.15)}, clients=32, mode="prepared", builtin=["-S"]),
    _pgbench("one", "pgbench -S, simple protocol, one client", {"added_p50": most(0.9, 1.0)}, figures=ONE,
             clients=1, mode="simple", builtin=["-S"]),
    _pgbench("many", "pgbench -S, simple protocol, 500 clients on 20 servers",
             {"cpu_tx": most(0.7, 0.9), "p99": most(1.0)}, clients=500, mode="simple", builtin=["-S"]),
    _pgbench("pipeline", "extended protocol, pipelines of %d selects (one tx = one pipeline), 16 clients" % PIPE_DEPTH,
             {"cpu_tx": most(0.5)}, clients=16, mode="extended", script=[(PIPELINE, 1)]),
    _pgbench("pipeline_prepared",
             "prepared statements, pipelines of %d selects, 16 clients (PgBouncer before 1.21: extended)" % PIPE_DEPTH,
             {"cpu_tx": most(0.5)}, clients=16, mode="prepared", script=[(PIPELINE, 1)]),
    _stream("large1", "results of 1 MB (1,000 rows of 1,000 bytes), 4 clients", {"cpu_gb": most(0.35, 0.4)},
            sql=ROWS % 1000),
    _stream("large10", "results of 10 MB (10,000 rows of 1,000 bytes), 4 clients", {"cpu_gb": most(0.3, 0.35)},
            sql=ROWS % 10000),
    _stream("copyout", "COPY to stdout, 10 MB at a time, 4 clients", {"cpu_gb": most(0.6)},
            sql="copy (%s) to stdout" % (ROWS % 10000)),
    _stream("copyin", "COPY from stdin, 10 MB at a time (rows dropped by WHERE), 4 clients",
            {"cpu_gb": most(0.35, 0.4)}, sql="copy copy_target from stdin where false", copy_in=10000000),
    _stream("large10_tls", "results of 10 MB over TLS, 4 clients", {"cpu_gb": most(0.45)}, tls=True, sql=ROWS % 10000),
    _pgbench("tls", "pgbench -S, simple protocol, TLS, 32 clients", {"cpu_tx": most(0.8, 0.95)}, tls=True,
             clients=32, mode="simple", builtin=["-S"]),
    Scenario("idle", "memory of idle clients", idle.run, IDLE, {"mem_login": most(1.0), "mem_query": most(1.0)},
             limits={"cpu_idle": 2.0}, only_pools=True),
    Scenario("idle_tls", "memory of idle clients over TLS", idle.run, IDLE,
             {"mem_login": most(1.0), "mem_query": most(1.0)}, limits={"cpu_idle": 2.0}, only_pools=True, tls=True),
    _logins("logins_trust", "trust", "trust", 0.9, count=3000),
    _logins("logins_scram", "SCRAM", "scram-sha-256", 0.8),
    _logins("logins_tls", "trust over TLS", "trust", 0.9, tls=True),
    _logins("logins_tls_ec", "trust over TLS, certificate of EC P-256", "trust", 0.9, tls=True, certificate="ec"),
    _logins("logins_tls_scram", "SCRAM over TLS", "scram-sha-256", 0.9, tls=True),
    # clients that need next to no time for their keys, as if they were many and elsewhere
    _logins("logins_scram_light", "SCRAM, secret of one iteration", "scram-sha-256", 0.8, count=1500, iterations=1),
    _logins("logins_tls_scram_light", "SCRAM over TLS, secret of one iteration", "scram-sha-256", 0.9, tls=True, iterations=1),
    _pgbench("tpcb", "pgbench TPC-B, simple protocol, 32 clients", run=load.run_one_by_one, clients=32,
             mode="simple", builtin=["-b", "tpcb-like"]),
    _pgbench("mix", "nine selects to one transaction of 5 ms and more, 200 clients on 20 servers",
             run=load.run_one_by_one, clients=200, mode="simple", script=SHORT_AND_LONG),
]
DEFAULT = [s.name for s in SCENARIOS]
QUICK = ["simple", "extended", "prepared", "one", "many", "pipeline", "large1", "idle"]
