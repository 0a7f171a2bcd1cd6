"""Memory and rest of a pooler with many idle clients."""
import time

import proc
from load import Helper
from proc import BenchError
from window import measure

MOST_ROUNDS = 3     # memory hardly varies
QUICK_ROUNDS = 6    # so few rounds of the others, or fewer, are one of ours


def _one_round(bench, target, tls):
    """On a process of its own, because a pooler keeps memory that it once had: many clients log in, rest, run one
    query each, rest. Memory is the growth over the same process after one client that came, asked and left."""
    count = bench.idle_clients
    target.stop()
    target.start()
    first = Helper(bench, "idle", target.conninfo(tls), 1)
    first.expect("ready")
    first.tell("query", "done")
    first.finish()
    time.sleep(0.3)
    empty, cpu0 = proc.memory(target.pid), target.cpu()[0]
    clients = Helper(bench, "idle", target.conninfo(tls), count)
    clients.expect("ready")
    cpu1 = target.cpu()[0]
    time.sleep(1)
    login = proc.memory(target.pid)
    window = measure(bench, target, [clients.client], 2)
    clients.tell("query", "done")
    time.sleep(1)
    query = proc.memory(target.pid)
    figures = window.common(bench.server.connections_of(target.user))
    figures.pop("sys_share")
    alive = int(clients.tell("check", "alive")[0])
    if alive != count:
        raise BenchError("%s closed %d of %d idle clients" % (target.spec, count - alive, count))
    clients.finish()
    figures.update(mem_login=(login["Rss"] - empty["Rss"]) / count, mem_query=(query["Rss"] - empty["Rss"]) / count,
                   anon_query=(query["Anonymous"] - empty["Anonymous"]) / count,
                   cpu_login=(cpu1 - cpu0) / count / 1e3, cpu_idle=window.cpu_ns / 1e6 / window.seconds)
    return figures


def run(bench, targets, scenario, rounds):
    out = {t: [] for t in targets}
    for number in range(MOST_ROUNDS if rounds > QUICK_ROUNDS else 1):
        for t in bench.in_turn(targets, number):
            out[t].append(_one_round(bench, t, scenario.tls))
    return out
