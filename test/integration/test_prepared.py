"""Prepared statements follow their client from server to server."""

import contextlib
import random
import struct
import threading
import time

import pytest

from harness import wire
from harness.relay import Relay
from harness.wire import bind, close, describe, execute, parse, q, sync, wait_until

OURS = "SELECT count(*) FROM pg_prepared_statements WHERE name ~ '^fx_[0-9a-f]{32}$'"


def use(name, values=(), end=True):
    return bind(values, stmt=name) + execute() + (sync() if end else b"")


def other_server(p, c, held):
    """A client that sits on the server that c would get next: c's next transaction runs on another one."""
    d = p.client()
    d.query("BEGIN")
    held.append(d)
    return d


def stats(p, database="db0"):
    return {r["database"]: r for r in p.show("STATS")}[database]


def test_a_statement_is_there_on_every_server(pooler):
    p = pooler(workers=1, pool_size=3, max_overflow=0)
    with p.client() as c:
        assert c.run(parse("SELECT $1::int * 2", "twice"), sync()).types == "1Z"
        pids, held = set(), []
        for i in range(3):
            c.query("BEGIN")
            pids.add(c.value("SELECT pg_backend_pid()"))
            assert c.run(use("twice", [i])).rows == [(str(2 * i),)]
            c.query("COMMIT")
            other_server(p, c, held)
            if len(held) == 3:
                break
        assert len(pids) >= 2
        for d in held:
            d.quit()


def test_one_text_is_parsed_once_per_server(pooler):
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    for i in range(20):
        with p.client() as c:
            assert c.run(parse("SELECT 7", f"mine{i}"), sync()).types == "1Z"
            for _ in range(50):
                assert c.run(use(f"mine{i}")).rows == [("7",)]
    row = stats(p)
    assert int(row["total_client_parse_count"]) == 20
    assert int(row["total_server_parse_count"]) == 1
    assert int(row["total_bind_count"]) == 1000


def test_T_PREP_01_same_name_many_texts_types_and_clients(pooler):
    """A hundred clients, fifty names, twenty texts: they collide on purpose, texts and types differ; every row tells whose it is."""
    p = pooler(workers=2, pool_size=4, max_overflow=0, query_wait_notify=0)
    texts = [(f"SELECT '{t}:' || $1::text", ()) for t in range(15)] + [("SELECT $1", (oid,)) for oid in (23, 20, 25, 1043, 701)]
    wrong = []

    def client(n):
        rnd = random.Random(n)
        try:
            with p.client(timeout=60) as c:
                mine = {}
                for _ in range(60):
                    name = f"s{int(rnd.random() ** 2 * 50)}"
                    if name in mine and rnd.random() < 0.3:
                        if c.run(close("S", name), sync()).types != "3Z":
                            wrong.append("close")
                        del mine[name]
                    if name not in mine:
                        sql, oids = rnd.choice(texts)
                        if c.run(parse(sql, name, oids), sync()).types != "1Z":
                            wrong.append("parse")
                        mine[name] = sql
                    value = str(rnd.randrange(1000))
                    want = mine[name].split("'")[1] + value if "'" in mine[name] else value
                    got = c.run(use(name, [value])).rows
                    if got != [(want,)]:
                        wrong.append((name, mine[name], want, got))
        except BaseException as e:
            wrong.append(f"{type(e).__name__} {e}")

    threads = [threading.Thread(target=client, args=(n,)) for n in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[:5]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_T_PREP_02_eviction_inside_pipelines(pooler, most):
    """Fifty statements through a server that may have one, two or three."""
    p = pooler(workers=1, pool_size=2, max_overflow=0, max_prepared_statements=most)
    rnd = random.Random(most)
    with p.client() as c, p.client() as d:
        for x in (c, d):
            x.send(b"".join(parse(f"SELECT {i}", f"n{i}") for i in range(50)) + sync())
            assert x.result().types == "1" * 50 + "Z"
        for _ in range(30):
            for x in (c, d):
                order = [rnd.randrange(50) for _ in range(20)]
                x.send(b"".join(use(f"n{i}", end=False) for i in order) + sync())
                assert x.result().rows == [(str(i),) for i in order]
        assert int(c.value(OURS)) <= most


def test_T_PREP_03_failed_parse_is_not_remembered(pooler):
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    with p.client() as c:
        c.query("DROP TABLE IF EXISTS comes_later")
        for _ in range(2):
            assert c.run(parse("SELECT a FROM comes_later", "late"), sync()).error["C"] == "42P01"
        c.query("CREATE TABLE comes_later(a int)")
        assert c.run(parse("SELECT a FROM comes_later", "late"), sync()).types == "1Z"
        assert c.run(use("late")).types == "2CZ"
        c.query("BEGIN")
        assert c.ask("SELECT 1/0").error
        assert c.run(parse("SELECT 1", "in_failed"), sync()).error["C"] == "25P02"
        c.query("ROLLBACK")
        assert c.run(use("in_failed")).error["C"] == "26000"
        assert c.run(parse("SELECT 1", "in_failed"), sync()).types == "1Z"
        c.query("DROP TABLE comes_later")


def test_T_PREP_04_lone_describe_on_another_server(pooler):
    """JDBC prepares, and describes later."""
    p = pooler(workers=1, pool_size=2, max_overflow=0)
    held = []
    with p.client() as c:
        assert c.run(parse("SELECT $1::int AS number", "j"), sync()).types == "1Z"
        other_server(p, c, held)
        assert c.run(describe("S", "j"), sync()).types == "tTZ"
        held[0].quit()


CLOSES = {
    "and_gone": [parse("SELECT 1", "n") + close("S", "n") + sync(), use("n")],
    "unknown": [close("S", "nobody") + close("P", "nobody") + sync()],
    "unnamed": [parse("SELECT 1") + close("S") + sync(), bind() + execute() + sync()],
    "unnamed_in_another_batch": [parse("SELECT 1") + sync(), close("S") + sync(), bind() + execute() + sync()],
    "twice": [parse("SELECT 1", "n") + sync(), close("S", "n") + close("S", "n") + sync(), use("n")],
    "name_again": [parse("SELECT 1", "n") + sync(), close("S", "n") + parse("SELECT 2", "n") + use("n"), use("n")],
    "name_again_same_text": [parse("SELECT 1", "n") + sync(), close("S", "n") + parse("SELECT 1", "n") + use("n"), use("n")],
    "portal_only": [parse("SELECT generate_series(1,3)", "n") + bind([], "p", "n") + execute("p", 1) + close("P", "p") + execute("p") + sync(),
                    use("n")],
    "portal_of_the_same_name": [parse("SELECT 1", "n") + bind([], "n", "n") + close("P", "n") + sync(), use("n")],
    "other_portal": [parse("SELECT 1", "n") + bind([], "p", "n") + close("P", "other") + execute("p") + sync()],
    "with_an_open_portal": [parse("SELECT generate_series(1,3)", "n") + bind([], "p", "n") + execute("p", 1) + close("S", "n") + execute("p")
                            + sync(), use("n")],
    "after_an_error": [parse("SELECT 1", "n") + sync(), parse("SELEKT") + close("S", "n") + sync(), use("n")],
    "before_an_error": [parse("SELECT 1", "n") + sync(), close("S", "n") + parse("SELEKT") + sync(), use("n")],
    "in_a_failed_transaction": [parse("SELECT 1", "n") + sync(), q("BEGIN"), q("SELECT 1/0"), close("S", "n") + sync(), q("ROLLBACK"),
                                use("n")],
    "rolled_back": [parse("SELECT 1", "n") + sync(), q("BEGIN"), close("S", "n") + sync(), q("ROLLBACK"), use("n")],
    "of_a_commit": [parse("COMMIT", "n") + sync(), q("BEGIN"), bind(stmt="n") + execute() + close("S", "n") + sync(), use("n")],
    "flushed": [parse("SELECT 1", "n") + close("S", "n") + wire.flush() + sync(), use("n")],
    "forty": [b"".join(parse(f"SELECT {i}", f"n{i}") for i in range(40)) + b"".join(close("S", f"n{i}") for i in range(0, 40, 2)) + sync()]
             + [use(f"n{i}") for i in range(40)],
}


@pytest.mark.parametrize("mode", ["transaction", "session", "statement"])
@pytest.mark.parametrize("most", [2, 200])
def test_T_PREP_05_close_as_postgresql_does(pg, pooler, mode, most):
    p = pooler(workers=1, pool_mode=mode, pool_size=1, max_overflow=0, max_prepared_statements=most)
    for name, steps in CLOSES.items():
        if mode == "statement" and q("BEGIN") in steps:
            continue
        answers = []
        for where in (pg, p):
            with where.client() as c:
                answers.append([wire.describe_msgs(c.run(s).msgs) for s in steps])
        assert answers[1] == answers[0], name


def test_T_PREP_05_closed_by_one_and_kept_for_the_others(pooler):
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    with p.client() as c, p.client() as d:
        for x, mine in ((c, "of_c"), (d, "of_d")):
            assert x.run(parse("SELECT 5", mine), sync()).types == "1Z"
        assert c.run(close("S", "of_c"), sync()).types == "3Z"
        assert c.value(OURS) == "1", "the server keeps it"
        assert d.run(use("of_d")).rows == [("5",)]
        assert c.run(use("of_c")).error["C"] == "26000"
        assert d.run(close("S", "of_c"), sync()).types == "3Z", "nobody's name of mine"
        assert d.run(use("of_d")).rows == [("5",)]
    assert int(stats(p)["total_server_parse_count"]) == 1


def test_errors_name_the_clients_statement(pooler):
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    with p.client() as c:
        c.run(parse("SELECT 1", "S1"), sync())
        for _ in range(2):
            r = c.run(parse("SELECT 2", "S1"), sync())
            assert r.error["C"] == "42P05" and r.error["M"] == 'prepared statement "S1" already exists', r.msgs
        assert c.run(use("S1")).rows == [("1",)]
        r = c.run(use("nobody"))
        assert r.error["C"] == "26000" and r.error["M"] == 'prepared statement "nobody" does not exist'
        # behind our back, so that only the server knows
        c.query("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
        c.query("BEGIN")
        r = c.run(use("S1"))
        assert r.error["C"] == "26000" and r.error["M"] == 'prepared statement "S1" does not exist', r.msgs
        c.query("ROLLBACK")
        assert c.run(use("S1")).rows == [("1",)]


@pytest.mark.parametrize("how", ["DEALLOCATE ALL", "DISCARD ALL", "deallocate /* all? */ all;", "SELECT 1; DEALLOCATE ALL"])
def test_T_PREP_06_all_are_deallocated(pooler, how):
    """The command's tag decides."""
    p = pooler(workers=1, pool_size=2, max_overflow=0)
    with p.client() as c, p.client() as d:
        for x in (c, d):
            x.run(parse("SELECT 5", "five"), sync())
        c.query(how)
        assert c.run(use("five")).error["C"] == "26000"
        assert d.run(use("five")).rows == [("5",)]
        assert c.run(parse("SELECT 6", "five"), sync()).types == "1Z"
        assert c.run(use("five")).rows == [("6",)]


@pytest.mark.parametrize("extended", [False, True])
def test_one_is_deallocated_by_sql(pooler, extended):
    p = pooler(workers=1, pool_size=2, max_overflow=0)
    with p.client() as c, p.client() as d:
        for x in (c, d):
            x.run(parse("SELECT 5", "Five"), sync())
        for i in range(3):
            sql = 'DEALLOCATE PREPARE "Five"'
            r = c.run(wire.extended(sql)) if extended else c.ask(sql)
            assert not r.error, r.msgs
            assert "DEALLOCATE" in wire.describe_msgs(r.msgs)
            assert c.run(use("Five")).error["C"] == "26000"
            assert d.run(use("Five")).rows == [("5",)]
            assert c.run(parse(f"SELECT {i}", "Five"), sync()).types == "1Z"
            assert c.run(use("Five")).rows == [(str(i),)]


def test_T_PREP_07_changed_result_is_healed_only_for_who_asks(pooler):
    """Unseen where the client asks for the description, told where it goes by an older one, once where rows were written."""
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    with p.client() as c:
        c.query("DROP TABLE IF EXISTS shape")
        c.query("CREATE TABLE shape(a int)")
        c.run(parse("INSERT INTO shape VALUES (1) RETURNING *", "ins"), sync())
        assert c.run(use("ins")).rows == [("1",)]
        c.query("ALTER TABLE shape ADD b int DEFAULT 2")
        r = c.run(use("ins"))
        assert r.error["C"] == "0A000", r.msgs
        r = c.run(bind([], stmt="ins") + describe("P") + execute() + sync())
        assert not r.error and r.rows == [("1", "2")], r.msgs
        c.query("ALTER TABLE shape ADD d int DEFAULT 3")
        r = c.run(bind([], stmt="ins") + describe("P") + execute() + sync())
        assert not r.error and r.types == "2TDCZ" and r.rows == [("1", "2", "3")], r.msgs
        c.query("BEGIN")
        c.query("ALTER TABLE shape DROP d")
        r = c.run(bind([], stmt="ins") + describe("P") + execute() + sync())
        assert r.error["C"] == "0A000" and r.status == "E"
        c.query("ROLLBACK")
        assert c.value("SELECT count(*) FROM shape") == "3"
        c.query("DROP TABLE shape")


def test_T_PREP_07_shapes_change_under_load(pooler):
    """A column comes and goes while twelve clients read: who asks for the description gets rows of that very shape and never an error;
    who goes by an older one is told so or gets rows that fit it."""
    p = pooler(workers=2, pool_size=3, max_overflow=0, query_wait_notify=0)
    wrong, told = [], []
    over = threading.Event()
    with p.client() as c:
        c.query("DROP TABLE IF EXISTS moves")
        c.query("CREATE TABLE moves(a int)")
        c.query("INSERT INTO moves VALUES (1)")

    def read(n):
        rnd = random.Random(n)
        try:
            with p.client(timeout=60) as c:
                c.run(parse("SELECT * FROM moves", "m"), sync())
                shape = None
                while not over.is_set():
                    inside = rnd.random() < 0.2
                    if inside:
                        c.query("BEGIN")
                    asks = shape is None or rnd.random() < 0.7
                    r = c.run(bind(stmt="m") + (describe("P") if asks else b"") + execute() + sync())
                    if r.error:
                        told.append(r.error["C"])
                        if r.error["C"] != "0A000" or (asks and not inside):
                            wrong.append((r.error, asks, inside))
                    else:
                        shape = len(r.columns) if asks else shape
                        if len(r.rows) != 1 or (asks and len(r.rows[0]) != shape):
                            wrong.append((r.rows, shape, asks))
                    if inside:
                        c.query("ROLLBACK")
        except BaseException as e:
            wrong.append(f"{type(e).__name__} {e}")

    threads = [threading.Thread(target=read, args=(n,)) for n in range(12)]
    for t in threads:
        t.start()
    with p.client(timeout=60) as c:
        for _ in range(25):
            c.query("ALTER TABLE moves ADD b int DEFAULT 2")
            time.sleep(0.02)
            c.query("ALTER TABLE moves DROP b")
            time.sleep(0.02)
        over.set()
        for t in threads:
            t.join()
        c.query("DROP TABLE moves")
    assert not wrong, wrong[:5]


def pid(c):
    return c.value("SELECT pg_backend_pid()")


@contextlib.contextmanager
def sit_on(p, taken):
    """Somebody is in a transaction on the server with this pid: whoever comes gets another one."""
    held = []
    while not held or pid(held[-1]) != taken:
        held.append(p.client())
        held[-1].query("BEGIN")
    for d in held[:-1]:
        d.query("ROLLBACK")
        d.quit()
    yield
    held[-1].query("ROLLBACK")
    held[-1].quit()


ALTERED = ("EZ", "0A000", "cached plan must not change result type", "RevalidateCachedQuery")


def refused(r):
    return r.types, r.error["C"], r.error["M"], r.error.get("R")


def split(c, data, cut):
    for i in range(0, len(data), cut or len(data)):
        c.send(data[i:i + (cut or len(data))])
    return c.result()


# what the other server knows of the statement when the described client comes to it
KNOWS = {
    "nothing": lambda d: None,
    "old and described": lambda d: d.run(parse("INSERT INTO shape VALUES (1) RETURNING *", "theirs"), describe("S", "theirs"), sync()),
    "old and used": lambda d: d.run(parse("INSERT INTO shape VALUES (1) RETURNING *", "theirs"), bind([], stmt="theirs"), execute(), sync()),
}


@pytest.mark.parametrize("how", ["statement", "portal"])
@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("knows", KNOWS)
def test_described_rows_never_change_unseen(pooler, knows, cut, how):
    """A client that goes by a description hears of a change on whatever server it is, before anything was executed; and can begin anew."""
    p = pooler(workers=1, pool_size=2, max_overflow=0)
    text = "INSERT INTO shape VALUES (1) RETURNING *"
    with p.client() as c, p.client() as d:
        c.query("DROP TABLE IF EXISTS shape; CREATE TABLE shape(a int)")
        home = pid(c)
        with sit_on(p, home):
            away = pid(d)
            KNOWS[knows](d)
        with sit_on(p, away):
            assert pid(c) == home
            if how == "statement":
                r = c.run(parse(text, "s"), describe("S", "s"), sync())
            else:
                r = c.run(parse(text, "s"), bind([], stmt="s"), describe("P"), execute(), sync())
            assert not r.error
            assert c.run(use("s")).rows == [("1",)]
        rows = int(c.value("SELECT count(*) FROM shape"))
        c.query("ALTER TABLE shape ADD b int DEFAULT 2")
        with sit_on(p, home):
            assert pid(c) == away
            for _ in range(2):
                assert refused(split(c, use("s"), cut)) == ALTERED
            assert c.value("SELECT count(*) FROM shape") == str(rows)
            c.query("BEGIN")
            assert refused(split(c, use("s"), cut)) == ALTERED
            assert c.ask("SELECT 1").error["C"] == "25P02"
            c.query("ROLLBACK")
            assert c.value("SELECT count(*) FROM shape") == str(rows)
        # asked for a description together with the use nothing is lost, on both
        r = c.run(bind([], stmt="s") + describe("P") + execute() + sync())
        assert (r.types, r.rows) == ("2TDCZ", [("1", "2")])
        assert split(c, use("s"), cut).rows == [("1", "2")]
        with sit_on(p, home):
            assert split(c, use("s"), cut).rows == [("1", "2")]
        c.query("DROP TABLE shape")


@pytest.mark.parametrize("workers", [1, 2])
def test_who_prepares_again_gets_the_new_rows(pooler, workers):
    """After the error a driver closes its statement and parses the same text: once is enough, whatever other servers still have of it."""
    p = pooler(workers=workers, pool_size=2, max_overflow=0)
    text = "SELECT * FROM shape"
    with p.client() as c, p.client() as d:
        c.query("DROP TABLE IF EXISTS shape; CREATE TABLE shape AS SELECT 1 AS a")
        for round_ in range(3):
            want = ("1",) + ("2",) * round_
            pids = set()
            for x in (c, d):    # each on a server of its own, at the same time
                x.query("BEGIN")
                pids.add(pid(x))
                assert x.run(parse(text, f"s{round_}"), describe("S", f"s{round_}"), sync()).types == "1tTZ"
                assert x.run(use(f"s{round_}")).rows == [want]
            assert len(pids) == 2
            for x in (c, d):
                x.query("COMMIT")
            c.query(f"ALTER TABLE shape ADD b{round_} int DEFAULT 2")
            want += ("2",)
            with sit_on(p, min(pids)):
                assert refused(c.run(use(f"s{round_}"))) == ALTERED
            with sit_on(p, max(pids)):
                r = c.run(wire.close("S", f"s{round_}"), parse(text, f"t{round_}"), bind([], stmt=f"t{round_}"), describe("P"), execute(), sync())
                assert (r.types, r.rows) == ("312TDCZ", [want]), r.msgs
            for taken in pids:
                with sit_on(p, taken):
                    assert c.run(use(f"t{round_}")).rows == [want]
        c.query("DROP TABLE shape")


def test_same_rows_cost_one_look_for_each_server(pooler):
    """Nothing has changed, or another table of the same form is there now: nobody hears of it, and PostgreSQL parses no more than before."""
    p = pooler(workers=1, pool_size=2, max_overflow=0)
    with p.client() as c:
        c.query("DROP TABLE IF EXISTS shape; CREATE TABLE shape AS SELECT 1 AS a, 'x'::text AS b")
        assert c.run(parse("SELECT * FROM shape", "s"), describe("S", "s"), sync()).types == "1tTZ"
        pids = set()
        with p.client() as d:
            for x in (c, d):
                x.query("BEGIN")
                pids.add(pid(x))
            for x in (c, d):
                x.query("ROLLBACK")
        for taken in pids:
            with sit_on(p, taken):
                assert c.run(use("s")).rows == [("1", "x")]
        c.query("DROP TABLE shape; CREATE TABLE shape AS SELECT 2 AS a, 'y'::text AS b")
        before = stats(p)["total_server_parse_count"]
        for _ in range(20):
            for taken in pids:
                with sit_on(p, taken):
                    assert c.run(use("s")).rows == [("2", "y")]
                    c.query("BEGIN")
                    assert c.run(bind([], stmt="s"), describe("P"), execute(), bind([], stmt="s"), execute(), sync()).rows == [("2", "y")] * 2
                    assert c.run(use("s")).rows == [("2", "y")]
                    c.query("ROLLBACK")
        assert stats(p)["total_server_parse_count"] == before
        c.query("DROP TABLE shape")


@pytest.mark.parametrize("size", [4095, 4096, 4097, 16383, 16384, 16385, 65535, 65536, 65537, 1 << 20, 1 << 24])
def test_T_PREP_08_sizes(pooler, size):
    """Text, name and value around every buffer's size, in pieces as well."""
    p = pooler(workers=1, pool_size=2, max_overflow=0)
    text = "SELECT length('" + "x" * (size - 40) + "') + $1::int"
    with p.client() as c:
        m = parse(text, "big") + bind(["1"], stmt="big") + execute() + sync()
        assert c.run(m).rows == [(str(size - 39),)]
        value = "y" * size
        c.run(parse("SELECT length($1::text)", "len"), sync())
        m = use("len", [value])
        for cut in (3, 5, 6, 9, 12, size // 2):
            c.send(m[:cut])
            c.send(m[cut:])
            assert c.result().rows == [(str(size),)]
        name = "n" * min(size, 60)
        c.run(parse("SELECT 9", name), sync())
        assert c.run(use(name)).rows == [("9",)]


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_messages_in_pieces(module_pooler, cut):
    whole = parse("SELECT $1::int", "pieces") + bind(["4"], stmt="pieces") + describe("S", "pieces") + execute() + close("S", "pieces") + sync()
    with module_pooler.client() as c:
        for at in range(0, len(whole), cut):
            c.send(whole[at:at + cut])
        r = c.result()
        assert r.types == "12tTDC3Z" and r.rows == [("4",)], r.msgs


def test_unnamed_is_ones_own(pooler):
    """What another client left as the unnamed statement is never run; one's own is there even after a change of server."""
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    with p.client() as c, p.client() as d:
        assert c.run(parse("SELECT 'c'"), describe("S"), sync()).types == "1tTZ"
        assert d.run(bind(), execute(), sync()).error["C"] == "26000"
        assert d.run(parse("SELECT 'd'"), sync()).types == "1Z"
        for x, mine in ((c, "c"), (d, "d"), (c, "c"), (c, "c"), (d, "d")):
            assert x.run(bind(), execute(), sync()).rows == [(mine,)]
        c.query("SELECT 1")
        assert c.run(bind(), execute(), sync()).error["C"] == "26000"


def test_T_SYNC_03_errors_at_each_place_of_a_pipeline(pooler):
    """After each, every statement is what it should be."""
    p = pooler(workers=1, pool_size=2, max_overflow=0, max_prepared_statements=6)
    rnd = random.Random(7)
    with p.client() as c:
        known = {}
        for at in range(200):
            out, want, failed = b"", 0, False
            syncs = set(rnd.sample(range(200), rnd.randrange(6)))
            for i in range(200):
                name, sync_here = f"p{rnd.randrange(12)}", i in syncs
                kind = rnd.choice("PBC")
                if i == at:
                    out += parse("SELEKT", "bad")
                    failed = True
                elif kind == "P" and name not in known:
                    out += parse(f"SELECT {i}", name)
                    if not failed:
                        known[name] = i
                elif kind == "C":
                    out += close("S", name)
                    if not failed:
                        known.pop(name, None)
                elif name in known:
                    out += use(name, end=False)
                if sync_here:
                    out += sync()
                    want += 1
                    failed = False
            c.send(out + sync())
            c.until("Z", want + 1)
            for name, value in known.items():
                assert c.run(use(name)).rows == [(str(value),)], (at, name)
            for name in {f"p{i}" for i in range(12)} - set(known):
                assert c.run(use(name)).error["C"] == "26000", (at, name)


def test_T_LEDGER_05_named_commit_under_eviction_loses_nothing(pooler):
    """BEGIN and COMMIT are named statements that are evicted all the time."""
    p = pooler(workers=2, pool_size=3, max_overflow=0, max_prepared_statements=1)
    with p.client() as c:
        c.query("DROP TABLE IF EXISTS ledger5")
        c.query("CREATE TABLE ledger5(k text)")
    told = []

    def client(n):
        with p.client() as c:
            for name, sql in (("b", "BEGIN"), ("i", "INSERT INTO ledger5 VALUES ($1)"), ("c", "COMMIT"), ("r", "ROLLBACK")):
                c.run(parse(sql, name), sync())
            for i in range(40):
                key = f"{n}.{i}"
                for name, values in (("b", []), ("i", [key]), ("r" if i % 4 == 3 else "c", [])):
                    r = c.run(use(name, values))
                    assert not r.error, r.msgs
                if i % 4 != 3:
                    told.append(key)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    with p.client() as c:
        assert sorted(r[0] for r in c.query("SELECT k FROM ledger5").rows) == sorted(told)
        c.query("DROP TABLE ledger5")


def test_killed_idle_servers_are_not_noticed(own_pg, maker):
    """T-SRV-01 with statements: the request moves, and is prepared anew where it goes."""
    p = maker(own_pg, workers=1, pool_size=4, max_overflow=0)
    with p.client() as c:
        c.run(parse("SELECT $1::int", "k"), sync())
        for i in range(60):
            if i % 10 == 0:
                own_pg.kill_backends("usename = 'app'")
            r = c.run(use("k", [i]))
            assert r.rows == [(str(i),)], r.msgs


@pytest.mark.parametrize("cut", [3, 5, 9])
def test_what_came_in_pieces_and_has_to_wait_is_not_forgotten(pooler, cut):
    """Found by the simulator: no byte came after it, and nobody looked at it again."""
    p = pooler(workers=1, pool_size=2, max_overflow=0)
    last = q("DEALLOCATE n")
    with p.client() as c:
        c.run(parse("SELECT 0", "n"), sync())
        c.send(q("SELECT pg_sleep(0.3)"), close("S", "n"), parse("SELECT 1", "n"), sync())
        time.sleep(0.1)
        c.send(last[:cut])
        time.sleep(0.1)
        c.send(last[cut:])
        assert "".join(m.type for m in c.until("Z", 3)) == "TDCZ31ZCZ"
        assert c.run(use("n")).error["C"] == "26000"


def test_deallocate_behind_a_close_that_is_skipped(pooler):
    """Found by the simulator: what a name stands for can't be told before that is answered."""
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    with p.client() as c:
        c.run(parse("SELECT 1", "n"), sync())
        c.send(execute("nobody"), close("S", "n"), sync(), parse("DEALLOCATE n"), bind(), execute(), sync())
        assert "".join(m.type for m in c.until("Z", 2)) == "EZ12CZ"
        assert c.run(use("n")).error["C"] == "26000"


@pytest.mark.parametrize("text, types", [("SELECT 2, 3", "2DC12TDCZ"), ("SET application_name = x", "2DC12nCSZ")])
def test_the_rows_of_an_unnamed_statement_are_not_those_of_a_named_one(pooler, text, types):
    """Found by the simulator: Describe of the unnamed portal was taken for one of the statement that was bound to it before."""
    p = pooler(workers=1, pool_size=2, max_overflow=0)
    with p.client() as c:
        home = pid(c)
        c.run(parse("SELECT 1 AS a", "n"), sync())
        r = c.run(bind(stmt="n"), execute(), parse(text), bind(), describe("P"), execute(), sync())
        assert sorted(r.types) == sorted(types)
        with sit_on(p, home):
            r = c.run(use("n"))
            assert r.rows == [("1",)], r.msgs


def test_errors_of_another_take_no_statement_away(pooler):
    """Found by the simulator: a client leaves before its error comes, and the next one's 26000 was taken for that."""
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    with p.client() as c:
        c.run(parse("SELECT $1::int", "n"), sync())
        d = p.client()
        d.run(parse("SELECT $1::int", "m"), sync())
        d.send(q("SELECT pg_sleep(0.3)"), use("m", ["no number"]))
        time.sleep(0.1)
        d.close()
        assert c.run(bind(stmt="nobody"), sync()).error["C"] == "26000"
        assert c.run(close("S", "n"), parse("SELECT $1::int", "n"), sync()).types == "31Z"
        assert c.run(use("n", [7])).rows == [("7",)]


def test_healing_keeps_the_order(pg, pooler):
    """Found by the simulator: what is said while the stale statement is healed was done before it, and then once more."""
    with Relay(pg.addr) as relay:
        p = pooler(workers=1, pool_size=1, max_overflow=0, databases={"db0": f"port={relay.port}"})
        with p.client() as c:
            c.query("DROP TABLE IF EXISTS heal_order")
            c.query("CREATE TABLE heal_order(k int)")
            c.run(parse("SELECT * FROM heal_order", "n"), sync())
            assert c.run(bind(stmt="n"), describe("P"), execute(), sync()).types == "2TCZ"
            c.query("ALTER TABLE heal_order ADD COLUMN l int")
            relay.hold_ready = 0.4
            c.send(bind(stmt="n"), describe("P"), execute(), sync())
            time.sleep(0.1)
            c.send(q("INSERT INTO heal_order VALUES (1)"))
            assert "".join(m.type for m in c.until("Z", 2)) == "2TCZCZ"
            relay.hold_ready = 0
            assert c.value("SELECT count(*) FROM heal_order") == "1"
            c.query("DROP TABLE heal_order")


def test_unnamed_outlives_errors_and_servers(own_pg, maker):
    p = maker(own_pg, workers=1, pool_size=2, max_overflow=0)
    with p.client() as c:
        c.run(parse("BEGIN", "b"), parse("ROLLBACK", "r"), parse("SELECT 1/$1::int", "n"), sync())
        c.run(use("b"))
        assert c.run(parse("SELECT 5"), sync()).types == "1Z"
        assert c.run(use("n", [0])).error["C"] == "22012"
        c.run(use("r"))
        own_pg.kill_backends("usename = 'app'")
        assert c.run(bind(), execute(), sync()).rows == [("5",)]
        for _ in range(10):
            assert c.run(parse("SELECT 6"), sync()).types == "1Z"
            own_pg.kill_backends("usename = 'app'")
            assert c.run(bind(), execute(), sync()).types == "2DCZ"


def test_memory_of_statements_is_bounded(pooler):
    p = pooler(workers=1, pool_size=1, max_overflow=0, max_statement_memory="1MB")
    with p.client() as c, p.client() as d:
        c.send(b"".join(parse(f"SELECT '{i}" + "z" * 8000 + "'", f"m{i}") for i in range(200)) + sync())
        last = c.rest()[-1]
        assert wire.fields(last.body)["C"] == "53200" and "max_statement_memory" in wire.fields(last.body)["M"]
        assert d.run(parse("SELECT 1", "fits"), sync()).types == "1Z"
        assert d.run(use("fits")).rows == [("1",)]


def test_what_will_not_fit_is_refused_when_it_is_announced(pooler):
    """A Parse, which must be seen whole, does not take memory from others until there is none."""
    p = pooler(workers=1, pool_size=1, max_overflow=0, max_statement_memory="1MB")
    with p.client() as c:
        c.send(b"P" + struct.pack("!I", 1100000) + b"name")
        assert wire.fields(c.rest()[-1].body)["C"] == "53200"
    with p.client() as d:
        assert d.value("SELECT 1") == "1"


def test_zero_passes_names_through(pooler):
    p = pooler(workers=1, pool_size=1, max_overflow=0, max_prepared_statements=0)
    with p.client() as c:
        assert c.run(parse("SELECT 1", "raw"), sync()).types == "1Z"
        assert c.value("SELECT name FROM pg_prepared_statements") == "raw"
        c.query("DEALLOCATE raw")


def test_shown_on_the_console(pooler):
    p = pooler(workers=1, pool_size=1, max_overflow=0)
    with p.client() as c:
        for i in range(3):
            c.run(parse("SELECT 1", f"x{i}") + parse(f"SELECT {i}", f"y{i}"), sync())
        wait_until(lambda: [r["prepared_statements"] for r in p.show("CLIENTS") if r["database"] == "db0"] == ["6"])
        assert [r["prepared_statements"] for r in p.show("SERVERS") if r["database"] == "db0"] == ["3"]


def test_disable_pqexec(pooler):
    p = pooler(workers=1, pool_size=1, max_overflow=0, disable_pqexec=1)
    with p.client() as c:
        assert c.run(wire.extended("SELECT 1")).rows == [("1",)]
        c.send(q("SELECT 1"))
        last = c.rest()[-1]
        assert last.type == "E" and "PQexec disallowed" in wire.fields(last.body)["M"]
    assert p.show("VERSION"), "the console has nothing but simple queries"


# ---- reuse_unnamed_statements ----

REUSE = dict(workers=1, pool_size=1, max_overflow=0, reuse_unnamed_statements=1)


def test_reuse_answers_as_without(pooler):
    """Each batch, first, second and third time, answers as it does without the setting."""
    batches = [
        wire.extended("SELECT $1::int + 1 AS n", ["4"]),
        parse("SELECT $1::int") + describe("S") + sync(),
        parse("SELECT 1/$1::int") + bind(["0"]) + describe("P") + execute() + sync(),
        wire.extended("SELEKT"),
        wire.extended("SELECT a FROM no_such_table"),
        parse("SELECT 5") + bind() + execute() + sync() + bind() + execute() + sync(),
        parse("SELECT 5") + sync() + bind() + describe("P") + execute() + sync(),
        parse("SELECT 6") + close("S") + bind() + execute() + sync(),
        parse("SELECT 7") + sync() + q("SELECT 8") + bind() + execute() + sync(),
        parse("SELECT $1", oids=[23]) + describe("S") + bind(["9"]) + execute() + sync(),
        parse("SELECT $1", oids=[25]) + describe("S") + bind(["9"]) + execute() + sync(),
        q("BEGIN") + q("SELECT 1/0") + wire.extended("SELECT $1::int + 1 AS n", ["4"]) + wire.extended("ROLLBACK"),
    ]

    def answers(p):
        out = []
        with p.client() as c:
            for b in batches * 4:
                c.send(b)
                syncs = b.count(sync()) + b.count(b"Q\0\0\0")
                out.append(wire.describe_msgs(c.until("Z", syncs)))
        return out

    assert answers(pooler(**REUSE)) == answers(pooler(workers=1, pool_size=1, max_overflow=0))


def test_reuse_parses_a_text_once_it_is_seen_again(pooler):
    p = pooler(**REUSE)
    for _ in range(3):
        with p.client() as c:
            for i in range(100):
                assert c.run(wire.extended("SELECT $1::int", [i])).rows == [(str(i),)]
                assert c.run(wire.extended(f"SELECT {i} + $1::int", [1])).rows == [(str(i + 1),)]
    row = stats(p)
    assert int(row["total_server_parse_count"]) <= 101


def test_reuse_follows_over_servers(pooler):
    p = pooler(**dict(REUSE, pool_size=2))
    with p.client() as c, p.client() as d:
        for _ in range(3):
            assert c.run(wire.extended("SELECT 'mine'")).rows == [("mine",)]
        assert c.run(parse("SELECT 'mine'"), sync()).types == "1Z"
        d.query("BEGIN")
        assert c.run(bind(), execute(), sync()).rows == [("mine",)]
        d.query("COMMIT")
