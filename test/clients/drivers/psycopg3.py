"""psycopg 3: every way it talks to a server, with threads and with asyncio."""

import asyncio
import datetime
import decimal
import threading
import time
import uuid

import psycopg
from psycopg import pq
from psycopg.rows import dict_row
from psycopg.types.json import Json, Jsonb

from common import DATABASE, HOST, MODE, PASSWORD, PORT, USER, case, fails, main, same

DSN = f"host={HOST} port={PORT} user={USER} password={PASSWORD} dbname={DATABASE} sslmode=disable connect_timeout=20"
UTC = datetime.timezone.utc


def connect(**kw):
    kw.setdefault("autocommit", True)
    dsn = kw.pop("dsn", DSN)
    return psycopg.connect(dsn, **kw)


def run_and_cancel(conn, run, cancel):
    """run() in this thread; cancel() as soon as the server says that it runs."""
    began = threading.Event()
    conn.add_notice_handler(lambda d: began.set())
    t = threading.Thread(target=lambda: (began.wait(30), cancel()))
    t.start()
    e = fails(psycopg.errors.QueryCanceled, run)
    t.join()
    return [e.sqlstate, e.diag.message_primary, e.diag.severity]


@case
def connecting(me):
    with connect(dsn=DSN + f" application_name=app-{me.number}") as c:
        i = c.info
        same(c.execute("SHOW application_name").fetchone(), (f"app-{me.number}",))
        out = {n: i.parameter_status(n) for n in ("server_version", "server_encoding", "client_encoding", "DateStyle", "TimeZone",
                                                  "integer_datetimes", "standard_conforming_strings", "is_superuser",
                                                  "session_authorization", "IntervalStyle", "in_hot_standby")}
        out["own"] = i.parameter_status("application_name") == f"app-{me.number}"
        out["version"] = i.server_version
        out["status"] = [i.status.name, i.transaction_status.name]
    out["closed"] = c.closed
    return out


TYPED = """SELECT %(i)s::int, %(b)s::bigint, %(n)s::numeric, %(f)s::float8, %(t)s::text, %(y)s::bytea, %(z)s::timestamptz,
 %(d)s::date, %(v)s::interval, %(j)s::json, %(k)s::jsonb, %(a)s::int[], %(s)s::text[], %(u)s::uuid, %(o)s::bool,
 %(x)s::text, %(e)s::mood"""
VALUES = dict(i=-2147483648, b=2**63 - 1, n=decimal.Decimal("123456789012345678901234567890.0123456789"), f=0.1, t="ü€𝄞'\\\"",
              y=bytes(range(256)), z=datetime.datetime(2020, 2, 29, 12, 34, 56, 789012, UTC), d=datetime.date(1, 1, 1),
              v=datetime.timedelta(days=-3, seconds=4), j=Json({"a": [1, None, "ü"]}), k=Jsonb({"b": {"c": 1.5}}), a=[1, None, 3],
              s=["x", 'y"z', "", None], u=uuid.UUID(int=2**127 + 5), o=True, x=None, e="happy")


def types(binary, threshold):
    with connect(prepare_threshold=threshold) as c:
        cur = c.cursor(binary=binary)
        for _ in range(3):
            cur.execute(TYPED, VALUES)
            row = cur.fetchone()
            want = [v.obj if isinstance(v, (Json, Jsonb)) else v for v in VALUES.values()]
            if binary:
                want[-1] = b"happy"     # psycopg has no binary form of an enum
            same(row, tuple(want))
        return {"row": row, "columns": [(d.name, d.type_code, d.internal_size) for d in cur.description]}


@case
def types_text(me):
    return types(False, None)


@case
def types_text_prepared(me):
    return types(False, 0)


@case
def types_binary(me):
    return types(True, None)


@case
def types_binary_prepared(me):
    return types(True, 0)


@case
def prepare_by_default(me):
    """The sixth time a statement becomes a prepared one."""
    with connect() as c:
        out = []
        for i in range(12):
            out.append(c.execute("SELECT %s::int + 1, %s::text", (i, f"{me.number}")).fetchone()[0])
        return out


@case
def prepare_at_once(me):
    with connect(prepare_threshold=0) as c:
        for i in range(20):
            same(c.execute("SELECT %s::int, %s::text", (i, me.who)).fetchone(), (i, me.who))
            same(c.execute("SELECT %s::text || 'x'", (me.who,)).fetchone(), (me.who + "x",))


@case
def prepare_many(me):
    """More statements than the client keeps: it deallocates by SQL what it has prepared by protocol."""
    with connect(prepare_threshold=0) as c:
        c.prepared_max = 3
        for round_ in range(3):
            for i in range(10):
                same(c.execute(f"SELECT %s::int + {i}", (round_,)).fetchone(), (round_ + i,))


@case
def prepare_more_than_the_pooler_keeps(me):
    with connect(prepare_threshold=0) as c:
        c.prepared_max = 1000
        for round_ in range(2):
            for i in range(210):
                same(c.execute(f"SELECT %s::int + {i} + {me.number}", (round_,)).fetchone(), (round_ + i + me.number,))


@case
def prepare_in_transaction_and_roll_back(me):
    """After a rollback psycopg forgets: DEALLOCATE ALL."""
    with connect(autocommit=False, prepare_threshold=0) as c:
        for i in range(4):
            same(c.execute("SELECT %s::int", (i,)).fetchone(), (i,))
            c.rollback()
            same(c.execute("SELECT %s::int", (i,)).fetchone(), (i,))
            c.commit()


@case
def prepare_a_wrong_one(me):
    with connect(prepare_threshold=0) as c:
        out = []
        for i in range(3):
            e = fails(psycopg.errors.UndefinedTable, c.execute, "SELECT * FROM not_there WHERE a = %s", (i,))
            out.append([e.sqlstate, str(e)])
            same(c.execute("SELECT %s::int", (i,)).fetchone(), (i,))
            e = fails(psycopg.errors.DivisionByZero, c.execute, "SELECT 1 / %s::int", (0,))
            out.append([e.sqlstate, str(e)])
            same(c.execute("SELECT 1 / %s::int", (1,)).fetchone(), (1,))
        return out


@case
def executemany(me):
    with connect() as c:
        cur = c.cursor()
        cur.execute("DELETE FROM items WHERE who = %s", (me.who,))
        cur.executemany("INSERT INTO items VALUES (%s, %s, %s)", [(me.who, i, f"t{i}") for i in range(200)])
        same(cur.rowcount, 200)
        cur.executemany("SELECT n FROM items WHERE who = %s AND n = %s", [(me.who, i) for i in range(50)], returning=True)
        out = []
        while True:
            out.append(cur.fetchone()[0])
            if not cur.nextset():
                break
        same(out, list(range(50)))
        return c.execute("SELECT count(*), sum(n), min(t), max(t) FROM items WHERE who = %s", (me.who,)).fetchone()


@case
def pipeline(me):
    with connect() as c:
        with c.pipeline():
            got = [c.execute("SELECT %s::int, %s::text", (i, me.who)) for i in range(100)]
        same([g.fetchone() for g in got], [(i, me.who) for i in range(100)])


@case
def pipeline_prepared(me):
    with connect(prepare_threshold=0) as c:
        for _ in range(3):
            with c.pipeline() as p:
                got = [c.execute("SELECT %s::int, %s::text", (i, me.who)) for i in range(30)]
                p.sync()
                got += [c.execute("SELECT %s::text, %s::int", (me.who, i)) for i in range(30)]
            same([g.fetchone() for g in got], [(i, me.who) for i in range(30)] + [(me.who, i) for i in range(30)])


@case
def pipeline_error(me):
    out = []
    for threshold in (None, 0):
        with connect(prepare_threshold=threshold) as c:
            done = []
            try:
                with c.pipeline() as p:
                    done.append(c.execute("SELECT %s::int", (1,)))
                    p.sync()
                    done.append(c.execute("SELECT 1 / %s::int", (0,)))
                    done.append(c.execute("SELECT %s::int", (2,)))
                    p.sync()
                    done.append(c.execute("SELECT %s::int", (3,)))
            except psycopg.Error as e:
                out.append([type(e).__name__, str(e)])
            same(done[0].fetchone(), (1,))
            same(c.execute("SELECT 4 + %s", (me.number,)).fetchone(), (4 + me.number,))
    return out


@case
def pipeline_transactions(me):
    with connect(autocommit=False) as c:
        with c.pipeline():
            for i in range(5):
                with c.transaction():
                    c.execute("DELETE FROM items WHERE who = %s", (me.who,))
                    c.execute("INSERT INTO items VALUES (%s, %s)", (me.who, i))
        c.commit()
        return c.execute("SELECT n FROM items WHERE who = %s", (me.who,)).fetchall()


@case
def transactions(me):
    out = []
    with connect(autocommit=False) as c:
        c.execute("DELETE FROM items WHERE who = %s", (me.who,))
        c.execute("INSERT INTO items VALUES (%s, 1)", (me.who,))
        out.append(c.info.transaction_status.name)
        c.commit()
        out.append(c.info.transaction_status.name)
        c.execute("INSERT INTO items VALUES (%s, 2)", (me.who,))
        c.rollback()
        try:
            with c.transaction():
                c.execute("INSERT INTO items VALUES (%s, 3)", (me.who,))
                try:
                    with c.transaction():
                        c.execute("INSERT INTO items VALUES (%s, 4)", (me.who,))
                        c.execute("SELECT 1 / 0")
                except psycopg.errors.DivisionByZero:
                    out.append(c.info.transaction_status.name)
                c.execute("INSERT INTO items VALUES (%s, 5)", (me.who,))
        finally:
            out.append(c.info.transaction_status.name)
        fails(psycopg.errors.DivisionByZero, c.execute, "SELECT 1 / 0")
        out.append(c.info.transaction_status.name)
        out.append(str(fails(psycopg.errors.InFailedSqlTransaction, c.execute, "SELECT 1")))
        c.rollback()
        out.append(c.execute("SELECT array_agg(n ORDER BY n) FROM items WHERE who = %s", (me.who,)).fetchone())
        c.rollback()
        for level in (psycopg.IsolationLevel.SERIALIZABLE, psycopg.IsolationLevel.REPEATABLE_READ):
            c.isolation_level = level
            out.append(c.execute("SHOW transaction_isolation").fetchone())
            c.rollback()
        c.isolation_level = None
        c.read_only = True
        out.append(fails(psycopg.errors.ReadOnlySqlTransaction, c.execute, "INSERT INTO items VALUES ('x', 1)").sqlstate)
        c.rollback()
        c.read_only = None
        with c.cursor() as cur:
            cur.execute("CREATE TEMP TABLE t(a int) ON COMMIT DROP")
            cur.execute("INSERT INTO t VALUES (7)")
            out.append(cur.execute("SELECT a FROM t").fetchone())
        c.commit()
    return out


@case
def locks_between_users(me):
    """All add to one row in their own transactions: nothing is lost, and everybody gets their turn."""
    with connect(autocommit=False) as c:
        for _ in range(5):
            c.execute("UPDATE counter SET n = n + 1 WHERE name = %s", (f"psycopg3/{MODE}",))
            c.execute("SELECT pg_sleep(0)")
            c.commit()


@case
def server_side_cursor(me):
    out = []
    with connect(autocommit=False) as c:
        with c.cursor(name="big") as cur:
            cur.itersize = 100
            cur.execute("SELECT n, %s::text FROM generate_series(1, 1000) n", (me.who,))
            rows = list(cur)
            same(len(rows), 1000)
            same({r[1] for r in rows}, {me.who})
            out.append(sum(r[0] for r in rows))
        with c.cursor(name="scrolls", scrollable=True, binary=True, row_factory=dict_row) as cur:
            cur.execute("SELECT n FROM generate_series(1, 50) n")
            out.append(cur.fetchmany(3))
            cur.scroll(10)
            out.append(cur.fetchone())
            cur.scroll(0, "absolute")
            out.append(cur.fetchone())
            out.append(len(cur.fetchall()))
        c.commit()
        cur = c.cursor(name="gone")
        cur.execute("SELECT 1")
        c.commit()
        out.append(fails(psycopg.errors.InvalidCursorName, cur.fetchone).sqlstate)
    return out


@case
def streaming(me):
    """Single-row mode."""
    with connect(prepare_threshold=0) as c:
        out = []
        for r in c.cursor().stream("SELECT n, repeat('x', 1000) FROM generate_series(1, %s) n", (500,)):
            out.append(r[0])
        same(out, list(range(1, 501)))
        e = fails(psycopg.errors.DivisionByZero, lambda: list(c.cursor().stream("SELECT 1 / (n - 20) FROM generate_series(1, 30) n")))
        return e.sqlstate


@case
def large_result(me):
    with connect() as c:
        rows = c.execute("SELECT n, repeat('y', 100 + n %% 7) FROM generate_series(1, 4000) n WHERE n > %s", (0,)).fetchall()
        same(len(rows), 4000)
        one = c.execute("SELECT repeat('z', 300000)").fetchone()[0]
        same(len(one), 300000)
        echo = "ü" * 200000
        same(c.execute("SELECT %s::text", (echo,)).fetchone()[0], echo)
        return sum(len(r[1]) for r in rows)


@case
def copy_in(me):
    with connect(autocommit=False) as c:
        cur = c.cursor()
        cur.execute("DELETE FROM items WHERE who = %s", (me.who,))
        with cur.copy("COPY items FROM STDIN") as copy:
            for i in range(2000):
                copy.write_row((me.who, i, None if i % 3 else f"tab\there {i}\\"))
        out = [cur.rowcount, cur.statusmessage]
        with cur.copy("COPY items FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["text", "int4", "text"])
            for i in range(2000, 2500):
                copy.write_row((me.who, i, "b"))
        out += [cur.rowcount, cur.statusmessage]
        with cur.copy("COPY items FROM STDIN (FORMAT csv)") as copy:
            copy.write(f'"{me.who}",3000,"big {"x" * 100000}"\n')
        c.commit()
        out.append(cur.execute("SELECT count(*), sum(n), sum(length(t)) FROM items WHERE who = %s", (me.who,)).fetchone())
        c.commit()
        return out


@case
def copy_out(me):
    with connect() as c:
        cur = c.cursor()
        with cur.copy("COPY (SELECT n, CASE WHEN n % 2 = 0 THEN 'even\tone' END FROM generate_series(1, 3000) n) TO STDOUT") as copy:
            rows = list(copy.rows())
        same(len(rows), 3000)
        same(rows[:2], [("1", None), ("2", "even\tone")])
        with cur.copy("COPY (SELECT n, 'b' FROM generate_series(1, 1000) n) TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            rows = list(copy.rows())
        same(rows, [(i, "b") for i in range(1, 1001)])
        with cur.copy("COPY (SELECT n FROM generate_series(1, 10) n WHERE n > %s) TO STDOUT", (5,)) as copy:
            data = b"".join(bytes(b) for b in copy)
        return [cur.statusmessage, data]


@case
def copy_errors(me):
    out = []
    with connect() as c:
        cur = c.cursor()

        def give_up():
            with cur.copy("COPY items FROM STDIN") as copy:
                copy.write_row((me.who, 1, "x"))
                raise RuntimeError("changed my mind")
        e = fails((RuntimeError, psycopg.errors.QueryCanceled), give_up)
        out.append([type(e).__name__, str(e), c.info.transaction_status.name])

        def wrong_data():
            with cur.copy("COPY items FROM STDIN") as copy:
                for i in range(1000):
                    copy.write(f"{me.who}\tnot a number\tx\n")
        e = fails(psycopg.errors.InvalidTextRepresentation, wrong_data)
        out.append([e.sqlstate, e.diag.message_primary])

        def too_late():
            with cur.copy("COPY items FROM STDIN") as copy:
                copy.write(f"{me.who}\t{10**6}\tx\n")
        e = fails(psycopg.errors.CheckViolation, too_late)
        out.append([e.sqlstate, e.diag.constraint_name])

        def no_table():
            with cur.copy("COPY nowhere FROM STDIN"):
                pass
        out.append(fails(psycopg.errors.UndefinedTable, no_table).sqlstate)

        def out_fails():
            with cur.copy("COPY (SELECT 1 / (n - 500) FROM generate_series(1, 1000) n) TO STDOUT") as copy:
                for _ in copy:
                    pass
        out.append(fails(psycopg.errors.DivisionByZero, out_fails).sqlstate)
        out.append(cur.execute("SELECT count(*) FROM items WHERE who = %s AND t = 'x'", (me.who,)).fetchone())
    return out


@case
def cancel(me):
    with connect() as c:
        out = [run_and_cancel(c, lambda: c.execute("SELECT say_and_sleep('now', 30)"), c.cancel)]
        out.append(c.execute("SELECT 1").fetchone())
        out.append(c.info.transaction_status.name)
        return out


@case
def cancel_prepared_in_transaction(me):
    with connect(autocommit=False, prepare_threshold=0) as c:
        out = [run_and_cancel(c, lambda: c.execute("SELECT say_and_sleep(%s, %s)", ("now", 30.0)), c.cancel)]
        out.append(c.info.transaction_status.name)
        c.rollback()
        out.append(c.execute("SELECT %s::int", (5,)).fetchone())
        c.rollback()
        return out


@case
def errors(me):
    with connect() as c:
        out = []
        for sql in ("SELEC", "SELECT * FROM nowhere", "SELECT 1/0", "SELECT fail('told')", "INSERT INTO items VALUES ('x', 1000000)",
                    "SELECT 'x'::int", "SELECT nothing()", "SELECT 1; SELECT 1/0; SELECT 2", "DO $$ BEGIN RAISE 'own' USING "
                    "ERRCODE = 'XX123', HINT = 'a hint', DETAIL = 'a detail', COLUMN = 'c', TABLE = 't', SCHEMA = 's', DATATYPE = 'd', "
                    "CONSTRAINT = 'k'; END $$"):
            e = fails(psycopg.Error, c.execute, sql)
            d = e.diag
            out.append([type(e).__name__, d.severity, d.severity_nonlocalized, d.sqlstate, d.message_primary, d.message_detail,
                        d.message_hint, d.statement_position, d.context, d.schema_name, d.table_name, d.column_name,
                        d.datatype_name, d.constraint_name, d.source_file, d.source_function])
            same(c.execute("SELECT %s", (me.who,)).fetchone(), (me.who,))
        return out


@case
def notices(me):
    with connect() as c:
        seen = []
        c.add_notice_handler(lambda d: seen.append([d.severity, d.sqlstate, d.message_primary, d.message_hint, d.message_detail]))
        c.execute("SELECT shout('hear')")
        c.execute("DO $$ BEGIN RAISE WARNING 'w' USING HINT = 'h'; RAISE INFO 'i'; RAISE DEBUG 'd'; END $$")
        c.execute("CREATE TABLE IF NOT EXISTS items(a int)")
        c.execute("COMMIT")
        for i in range(50):
            c.execute("SELECT shout(%s)", (f"{me.number}-{i}",))
        same([s[2] for s in seen[-50:]], [f"{me.number}-{i}" for i in range(50)])
        return seen[:-50]


@case
def results_of_several_statements(me):
    with connect() as c:
        cur = c.execute("SELECT 1 AS a; SELECT 2, 3 AS b; CREATE TEMP TABLE t(a int) ON COMMIT DROP; SELECT 'end'")
        out = []
        while True:
            out.append([cur.statusmessage, cur.fetchall() if cur.description else None])
            if not cur.nextset():
                return out


@case
def parameters_stay_with_the_client(me):
    zones = ["Asia/Tokyo", "Europe/Paris", "America/New_York", "UTC"]
    with connect() as c:
        mine = zones[me.number % 4]
        c.execute("SELECT set_config('TimeZone', %s, false)", (mine,))
        c.execute("SET DateStyle = 'SQL, DMY'")
        for _ in range(20):
            same(c.execute("SHOW TimeZone").fetchone(), (mine,))
            same(c.execute("SELECT '2020-01-31'::date::text").fetchone(), ("31/01/2020",))
        same(c.info.parameter_status("TimeZone"), mine)
        return c.info.parameter_status("DateStyle")


@case
def libpq_calls(me):
    """What libpq offers beyond what psycopg uses: statements with names of one's own, Describe, nonblocking pipelines."""
    g = pq.PGconn.connect(DSN.encode())
    same(g.status, pq.ConnStatus.OK)
    out = []

    def shown(r):
        return [r.status, r.command_status, [[r.get_value(i, j) for j in range(r.nfields)] for i in range(r.ntuples)],
                r.error_field(pq.DiagnosticField.SQLSTATE)]

    r = g.prepare(b"mine", b"SELECT $1::int + 1 AS up, $2::text", [23, 25])
    out.append(shown(r))
    out.append(shown(g.exec_prepared(b"mine", [b"41", b"x"])))
    r = g.describe_prepared(b"mine")
    out.append([r.status, [r.param_type(i) for i in range(r.nparams)], [(r.fname(i), r.ftype(i)) for i in range(r.nfields)]])
    out.append(shown(g.prepare(b"mine", b"SELECT 2")))
    out.append(shown(g.exec_prepared(b"nobody", [])))
    out.append(shown(g.describe_prepared(b"nobody")))
    out.append(shown(g.prepare(b"", b"SELECT $1::int * 2")))
    out.append(shown(g.exec_prepared(b"", [b"21"])))
    out.append(shown(g.exec_(b"BEGIN")))
    out.append(shown(g.exec_(b"DECLARE cur CURSOR FOR SELECT n, 'x' FROM generate_series(1, 3) n")))
    r = g.describe_portal(b"cur")
    out.append([r.status, [(r.fname(i), r.ftype(i)) for i in range(r.nfields)]])
    out.append(shown(g.exec_(b"FETCH 2 FROM cur")))
    out.append(shown(g.exec_(b"COMMIT")))
    out.append(shown(g.exec_params(b"SELECT $1, $2::bytea", [b"a", b"\x00\xff"], None, [0, 1], 1)))
    g.enter_pipeline_mode()
    for i in range(5):
        g.send_query_prepared(b"mine", [str(i).encode(), b"p"])
    g.send_prepare(b"second", b"SELECT $1::text")
    g.send_describe_prepared(b"second")
    g.send_query_prepared(b"second", [b"q"])
    g.send_query_params(b"SELECT 1/$1::int", [b"0"])
    g.send_query_prepared(b"mine", [b"9", b"skipped"])
    g.pipeline_sync()
    g.send_query_prepared(b"second", [b"after"])
    g.pipeline_sync()
    syncs = 0
    while syncs < 2:
        r = g.get_result()
        if r is None:
            continue
        out.append(shown(r))
        syncs += r.status == pq.ExecStatus.PIPELINE_SYNC
    g.exit_pipeline_mode()
    out.append(shown(g.exec_(b"DEALLOCATE mine")))
    out.append(shown(g.prepare(b"mine", b"SELECT 'again'")))
    out.append(shown(g.exec_prepared(b"mine", [])))
    g.finish()
    return out


@case
async def asynchronous(me):
    c = await psycopg.AsyncConnection.connect(DSN, autocommit=True, prepare_threshold=1)
    async with c:
        for i in range(10):
            same(await (await c.execute("SELECT %s::int, %s::text", (i, me.who))).fetchone(), (i, me.who))
        async with c.pipeline():
            got = [await c.execute("SELECT %s::int, %s::text", (i, me.who)) for i in range(20)]
        same([await g.fetchone() for g in got], [(i, me.who) for i in range(20)])
        began = asyncio.Event()
        loop = asyncio.get_running_loop()
        c.add_notice_handler(lambda d: loop.call_soon_threadsafe(began.set))
        task = asyncio.create_task(c.execute("SELECT say_and_sleep('now', 30)"))
        await asyncio.wait_for(began.wait(), 30)
        await loop.run_in_executor(None, c.cancel)
        try:
            await task
            raise AssertionError("not cancelled")
        except psycopg.errors.QueryCanceled as e:
            code = e.sqlstate
        async with c.transaction():
            async with c.cursor(name="x") as cur:
                await cur.execute("SELECT generate_series(1, 300)")
                n = 0
                async for r in cur:
                    n += r[0]
        return [code, n]


@case
def many_short_connections(me):
    for i in range(5):
        with connect(prepare_threshold=0) as c:
            same(c.execute("SELECT %s::int, %s::text", (i, me.who)).fetchone(), (i, me.who))


@case
def wrong_password(me):
    e = fails(psycopg.OperationalError, connect, dsn=DSN.replace(f"password={PASSWORD}", "password=wrong"))
    assert "authentication failed" in str(e), e


@case
def idle_between(me):
    """A statement is prepared, others use the servers meanwhile, and it still is."""
    with connect(prepare_threshold=0) as c:
        same(c.execute("SELECT %s::int * 3", (me.number,)).fetchone(), (me.number * 3,))
        time.sleep(0.2)
        same(c.execute("SELECT %s::int * 3", (me.number,)).fetchone(), (me.number * 3,))


main("psycopg3")
