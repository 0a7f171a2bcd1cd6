"""The scenarios, one row each, and the figures they yield, one row each. What runs them is load.py and idle.py."""
import idle
import load

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
    "cpu_idle": ("idle CPU", "ms/s", "less", 2),
    "conns": ("server conns", "", None, 0),
    "foreign": ("others' CPU", "%", None, 0),
}

TX = ("cpu_tx", "sys_share", "tps", "p50", "p95", "p99", "server_tx", "conns", "foreign")
ONE = ("cpu_tx", "sys_share", "tps", "p50", "p95", "p99", "added_p50", "server_tx", "conns", "foreign")
STREAM = ("cpu_gb", "sys_share", "rate", "server_gb", "moved", "conns", "foreign")
IDLE = ("mem_login", "mem_query", "anon_query", "cpu_login", "cpu_idle", "conns", "foreign")

PICK = "\\set aid random(1, 100000 * :scale)\n"
SELECT = "select abalance from pgbench_accounts where aid = :aid;\n"
ROWS = "select repeat('x', 1000) from generate_series(1, %d)"


class Scenario:
    """`run(bench, targets, scenario, rounds)` gives {target: [figures of each round]}."""

    def __init__(self, name, what, run, figures, goals=None, only_pools=False, **opt):
        self.name, self.what, self.run, self.figures = name, what, run, figures
        self.goals = goals or {}        # figure: highest allowed ratio ours / PgBouncer's
        self.only_pools = only_pools    # without pooling it would need a server connection per client
        self.opt = opt


SCENARIOS = [
    Scenario("simple", "pgbench -S, simple protocol, 32 clients", load.run_side_by_side, TX, {"cpu_tx": 1.0},
             load=load.Pgbench, clients=32, mode="simple", builtin=["-S"]),
    Scenario("extended", "pgbench -S, extended protocol, 32 clients", load.run_side_by_side, TX, {"cpu_tx": 1.0},
             load=load.Pgbench, clients=32, mode="extended", builtin=["-S"]),
    Scenario("prepared", "pgbench -S, prepared statements, 32 clients (PgBouncer before 1.21: extended)",
             load.run_side_by_side, TX, {"cpu_tx": 0.9}, load=load.Pgbench, clients=32, mode="prepared", builtin=["-S"]),
    Scenario("pipeline_prepared",
             "prepared statements, pipelines of %d selects, 16 clients (PgBouncer before 1.21: extended)" % PIPE_DEPTH,
             load.run_side_by_side, TX, load=load.Pgbench, clients=16, mode="prepared",
             script=PICK + "\\startpipeline\n" + SELECT * PIPE_DEPTH + "\\endpipeline\n"),
    Scenario("one", "pgbench -S, simple protocol, one client", load.run_side_by_side, ONE,
             load=load.Pgbench, clients=1, mode="simple", builtin=["-S"]),
    Scenario("many", "pgbench -S, simple protocol, 500 clients on 20 servers", load.run_side_by_side, TX,
             load=load.Pgbench, clients=500, mode="simple", builtin=["-S"]),
    Scenario("pipeline", "extended protocol, pipelines of %d selects (one tx = one pipeline), 16 clients" % PIPE_DEPTH,
             load.run_side_by_side, TX, {"cpu_tx": 0.5}, load=load.Pgbench, clients=16, mode="extended",
             script=PICK + "\\startpipeline\n" + SELECT * PIPE_DEPTH + "\\endpipeline\n"),
    Scenario("large1", "results of 1 MB (1,000 rows of 1,000 bytes), 4 clients", load.run_side_by_side, STREAM,
             {"cpu_gb": 0.45}, load=load.Stream, clients=4, sql=ROWS % 1000),
    Scenario("large10", "results of 10 MB (10,000 rows of 1,000 bytes), 4 clients", load.run_side_by_side, STREAM,
             {"cpu_gb": 0.45}, load=load.Stream, clients=4, sql=ROWS % 10000),
    Scenario("idle", "memory of idle clients", idle.run, IDLE, {"mem_login": 1.0, "mem_query": 1.0},
             only_pools=True),
    Scenario("tpcb", "pgbench TPC-B, simple protocol, 32 clients", load.run_one_by_one, TX,
             load=load.Pgbench, clients=32, mode="simple", builtin=["-b", "tpcb-like"]),
    Scenario("copyout", "COPY to stdout, 10 MB at a time, 4 clients", load.run_side_by_side, STREAM,
             load=load.Stream, clients=4, sql="copy (%s) to stdout" % (ROWS % 10000)),
    Scenario("copyin", "COPY from stdin, 10 MB at a time (rows dropped by WHERE), 4 clients", load.run_side_by_side,
             STREAM, load=load.Stream, clients=4, sql="copy copy_target from stdin where false", copy_in=10000000),
]
DEFAULT = ["simple", "extended", "prepared", "one", "many", "pipeline", "pipeline_prepared", "large1", "large10", "idle"]
QUICK = ["simple", "extended", "prepared", "one", "many", "pipeline", "large1", "idle"]
