"""Counts backends inside PostgreSQL as fast as it can, while a test does other things."""

import threading

from . import wire


class Sampler:
    def __init__(self, cluster, where="usename <> 'postgres'", group=None):
        self.client = wire.Client(cluster.sock, "postgres", "postgres")
        # what an earlier test has left is still ending
        where = f"({where}) AND backend_start > '{self.client.value('SELECT clock_timestamp()')}'"
        self.sql = (f"SELECT count(*) FROM pg_stat_activity WHERE backend_type='client backend' AND {where}" if not group else
                    f"SELECT coalesce(max(n), 0) FROM (SELECT count(*) n FROM pg_stat_activity WHERE backend_type='client backend' "
                    f"AND {where} GROUP BY {group}) x")
        self.most = 0
        self.samples = 0
        self.stop = threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def _run(self):
        while not self.stop.is_set():
            self.most = max(self.most, int(self.client.value(self.sql)))
            self.samples += 1
            self.stop.wait(0.0005)

    def __exit__(self, *a):
        self.stop.set()
        self.thread.join(10)
        self.client.close()
