"""PostgreSQL and the poolers that the differential tests compare, and the tricks of a script: another server, an administrator."""

import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]

from harness import cluster as cluster_mod  # noqa: E402
from harness import pooler as pooler_mod  # noqa: E402
from harness.owner import own  # noqa: E402
from harness.wire import Client, q, sync  # noqa: E402

USER, DATABASE = "trusty", "db0"
SETUP = ("CREATE TABLE public.fixed(id int PRIMARY KEY, t text);"
         "INSERT INTO fixed SELECT i, 'row ' || i FROM generate_series(1, 20) i;"
         "CREATE TABLE public.shifty(a int); INSERT INTO shifty VALUES (7);"
         "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;"
         f"ALTER ROLE {USER} SET log_min_messages = 'panic'")


class Direct:
    """PostgreSQL itself."""
    mode = "direct"

    def __init__(self, cluster):
        self.cluster = cluster

    @property
    def addr(self):
        return self.cluster.addr

    def change_server(self):
        pass

    def admin(self, sql):
        self.cluster.admin.query(sql)

    def begin_script(self):
        pass

    def end_script(self):
        pass

    def others_wait(self):
        pass

    def another(self, data):
        pass


class Pooled(Direct):
    """fynixpool in one mode. `addr` may be put behind something that sabotages it."""

    def __init__(self, cluster, top, mode, pool_size, **conf):
        super().__init__(cluster)
        self.mode = mode
        self.pool_size = pool_size
        self.pooler = pooler_mod.Pooler(cluster, f"{top}/{mode}", pool_mode=mode, pool_size=pool_size, max_overflow=0,
                                        pool_timeout=20, pool_pre_ping="off", query_wait_notify=0, **conf).start()
        self.address = self.pooler.addr
        self.holders = []
        self.busy = None

    @property
    def addr(self):
        return self.address

    def begin_script(self):
        """In a pool of two one server is held, so that the script has the other, until it asks for a change."""
        if self.mode == "session":
            return
        if not self.holders:
            self.holders = [Client(self.pooler.addr, USER, DATABASE) for _ in range(3)]
        self.waiting = False
        self.hold(0)

    def hold(self, n):
        # one statement that lasts holds a server in statement mode too
        holder = self.holders[n]
        if self.mode == "statement":
            holder.send(q("COPY sink FROM STDIN"))
            assert holder.recv().type == "G"
        else:
            holder.query("BEGIN")
        self.busy = n

    def let_go(self, n):
        holder = self.holders[n]
        if self.mode == "statement":
            from harness.wire import copy_done
            holder.send(copy_done())
            holder.result()
        else:
            holder.query("COMMIT")

    def change_server(self):
        if self.mode == "session":
            return
        before = self.busy
        self.hold(1 - before)
        self.let_go(before)

    def others_wait(self):
        """One more client asks: it must not be served, for the script has its server still."""
        if self.mode == "session":
            return
        self.holders[2].send(q("SELECT 'served'"))
        self.waiting = True
        assert self.holders[2].silent(0.1), "another client was served while the script needed its server"

    def another(self, data):
        """Another client's batch, on the server that the script has had until now."""
        if self.mode == "session":
            return
        self.holders[2].send(data + sync())
        while self.holders[2].recv().type != "Z":
            pass

    def end_script(self):
        if self.mode == "session":
            return
        if self.waiting:
            assert self.holders[2].result().value == "served"
        self.let_go(self.busy)

    def begin_anew(self):
        for h in self.holders:
            h.close()
        self.holders = []

    def stop(self):
        for h in self.holders:
            h.quit()
        self.pooler.stop()


class World:
    """Everything, from nothing; close() looks at what is left."""

    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="fxdf-", dir=os.environ.get("FYNIX_TEST_TMP", "/tmp"))
        os.chmod(self.top, 0o755)
        own(self.top)
        self.cluster = cluster_mod.Cluster(self.top + "/pg").start()
        self.cluster.prepare()
        self.cluster.admin = Client(self.cluster.sock, "postgres", DATABASE)
        self.cluster.admin.query(SETUP)
        self.direct = Direct(self.cluster)
        self.pooled = []

    def pool(self, mode, pool_size, name=None, **conf):
        p = Pooled(self.cluster, f"{self.top}/{name or len(self.pooled)}", mode, pool_size, **conf)
        self.pooled.append(p)
        return p

    def close(self):
        problems = []
        for p in self.pooled:
            try:
                p.stop()
            except (AssertionError, Exception) as e:
                problems.append(f"{p.mode}: {e}")
        self.cluster.admin.close()
        self.cluster.stop("immediate")
        if not problems and not os.environ.get("FYNIX_TEST_KEEP"):
            shutil.rmtree(self.top, ignore_errors=True)
        return problems
