"""psycopg2: simple queries only, named cursors, COPY, asynchronous connections."""

import datetime
import decimal
import io
import select
import threading
import time
import uuid

import psycopg2
import psycopg2.errorcodes
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
from psycopg2.extensions import (ISOLATION_LEVEL_AUTOCOMMIT, ISOLATION_LEVEL_REPEATABLE_READ, ISOLATION_LEVEL_SERIALIZABLE)

from common import DATABASE, HOST, MODE, PASSWORD, PORT, USER, case, fails, main, same

psycopg2.extras.register_uuid()


def connect(autocommit=False, **kw):
    args = dict(host=HOST, port=PORT, user=USER, password=PASSWORD, dbname=DATABASE, sslmode="disable", connect_timeout=20)
    args.update(kw)
    c = psycopg2.connect(**args)
    if autocommit:
        c.autocommit = True
    return c


def one(cur, sql, args=None):
    cur.execute(sql, args)
    return cur.fetchone()


@case
def connecting(me):
    c = connect(application_name=f"app-{me.number}")
    with c.cursor() as cur:
        same(one(cur, "SHOW application_name"), (f"app-{me.number}",))
    out = [c.server_version, c.encoding, c.protocol_version, c.status, c.get_transaction_status(), c.info.ssl_in_use,
           [c.get_parameter_status(n) for n in ("DateStyle", "TimeZone", "server_encoding", "standard_conforming_strings")]]
    c.close()
    return out + [c.closed]


@case
def types(me):
    c = connect()
    cur = c.cursor()
    want = (-5, 2**63 - 1, decimal.Decimal("12345678901234567890.0123456789"), 0.1, "ü€𝄞'\\\"%", bytes(range(256)),
            datetime.datetime(2020, 2, 29, 12, 34, 56, 789012, datetime.timezone.utc), datetime.date(1, 1, 1),
            datetime.timedelta(days=-3, seconds=4), {"a": [1, None, "ü"]}, [1, None, 3], ["x", 'y"z', "", None], uuid.UUID(int=7), True, None)
    args = list(want)
    args[9] = psycopg2.extras.Json(want[9])
    cur.execute("SELECT %s::int, %s::bigint, %s::numeric, %s::float8, %s::text, %s::bytea, %s::timestamptz, %s::date, %s::interval,"
                " %s::jsonb, %s::int[], %s::text[], %s::uuid, %s::bool, %s::text", args)
    row = cur.fetchone()
    row = row[:5] + (bytes(row[5]),) + row[6:]
    same(row, want)
    out = [[(d.name, d.type_code, d.internal_size) for d in cur.description], row]
    cur = c.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
    out.append(dict(one(cur, "SELECT 1 AS a, NULL AS b, 'sad'::mood AS m, ROW(1, 'x')::pair AS p")))
    c.close()
    return out


@case
def batches(me):
    c = connect()
    cur = c.cursor()
    cur.execute("DELETE FROM items WHERE who = %s", (me.who,))
    cur.executemany("INSERT INTO items VALUES (%s, %s, %s)", [(me.who, i, "m") for i in range(20)])
    psycopg2.extras.execute_batch(cur, "INSERT INTO items VALUES (%s, %s, %s)", [(me.who, i, "b") for i in range(20, 300)], page_size=50)
    rows = psycopg2.extras.execute_values(cur, "INSERT INTO items VALUES %s RETURNING n", [(me.who, i, "v") for i in range(300, 900)],
                                          page_size=200, fetch=True)
    same([r[0] for r in rows], list(range(300, 900)))
    c.commit()
    out = one(cur, "SELECT count(*), sum(n), min(t), max(t) FROM items WHERE who = %s", (me.who,))
    c.rollback()
    c.close()
    return out


@case
def transactions(me):
    out = []
    c = connect()
    with c, c.cursor() as cur:
        cur.execute("DELETE FROM items WHERE who = %s", (me.who,))
        cur.execute("INSERT INTO items VALUES (%s, 1)", (me.who,))
        out.append(c.get_transaction_status())
    out.append(c.get_transaction_status())

    def failing():
        with c, c.cursor() as cur:
            cur.execute("INSERT INTO items VALUES (%s, 2)", (me.who,))
            cur.execute("SELECT 1/0")
    out.append(fails(psycopg2.errors.DivisionByZero, failing).pgcode)
    out.append(c.get_transaction_status())
    cur = c.cursor()
    cur.execute("INSERT INTO items VALUES (%s, 3)", (me.who,))
    cur.execute("SAVEPOINT s")
    fails(psycopg2.errors.UndefinedTable, cur.execute, "SELECT * FROM nowhere")
    out.append(c.get_transaction_status())
    fails(psycopg2.errors.InFailedSqlTransaction, cur.execute, "SELECT 1")
    cur.execute("ROLLBACK TO s")
    cur.execute("INSERT INTO items VALUES (%s, 4)", (me.who,))
    c.commit()
    out.append(one(cur, "SELECT array_agg(n ORDER BY n) FROM items WHERE who = %s", (me.who,)))
    c.rollback()
    for level in (ISOLATION_LEVEL_SERIALIZABLE, ISOLATION_LEVEL_REPEATABLE_READ):
        c.set_isolation_level(level)
        out.append(one(cur, "SHOW transaction_isolation"))
        c.rollback()
    c.set_session(isolation_level="DEFAULT", readonly=True)
    out.append(fails(psycopg2.errors.ReadOnlySqlTransaction, cur.execute, "INSERT INTO items VALUES ('x', 1)").pgcode)
    c.rollback()
    c.set_session(readonly="DEFAULT")
    c.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
    out.append(one(cur, "SELECT 'auto'"))
    out.append(c.get_transaction_status())
    c.close()
    return out


@case
def named_cursor(me):
    c = connect()
    cur = c.cursor("mine")
    cur.itersize = 70
    cur.execute("SELECT n, %s FROM generate_series(1, 1000) n", (me.who,))
    rows = list(cur)
    same([r[0] for r in rows], list(range(1, 1001)))
    same({r[1] for r in rows}, {me.who})
    cur.close()
    cur = c.cursor("scrolls", scrollable=True)
    cur.execute("SELECT generate_series(1, 50)")
    out = [cur.fetchmany(3)]
    cur.scroll(10)
    out.append(cur.fetchone())
    cur.scroll(-5)
    out.append(cur.fetchone())
    c.commit()
    out.append(fails(psycopg2.Error, cur.fetchone).pgcode)
    c.close()
    return out


@case
def copy(me):
    c = connect()
    cur = c.cursor()
    cur.execute("DELETE FROM items WHERE who = %s", (me.who,))
    cur.copy_from(io.StringIO("".join(f"{me.who}\t{i}\tx\n" for i in range(3000))), "items")
    out = [cur.rowcount, cur.statusmessage]
    cur.copy_expert("COPY items FROM STDIN (FORMAT csv, HEADER)", io.StringIO("who,n,t\n" + "".join(f'"{me.who}",{i},"a,b"\n' for i in range(3000, 4000))))
    out += [cur.rowcount, cur.statusmessage]
    c.commit()
    f = io.StringIO()
    cur.copy_expert(f"COPY (SELECT n, t FROM items WHERE who = '{me.who}' ORDER BY n) TO STDOUT", f)
    lines = f.getvalue().splitlines()
    same(len(lines), 4000)
    out += [lines[0], lines[-1], cur.rowcount]
    c.rollback()
    e = fails(psycopg2.errors.InvalidTextRepresentation, cur.copy_from, io.StringIO(f"{me.who}\t1\tx\n{me.who}\tno\tx\n"), "items")
    out += [e.pgcode, e.diag.message_primary]
    c.rollback()

    class Bad(io.StringIO):
        def read(self, n=-1):
            raise ValueError("bad file")
    e = fails(psycopg2.Error, cur.copy_from, Bad(), "items")
    out += [e.pgcode]
    c.rollback()
    out.append(fails(psycopg2.errors.DivisionByZero, cur.copy_expert, "COPY (SELECT 1/(n-500) FROM generate_series(1, 900) n) TO STDOUT", io.StringIO()).pgcode)
    c.rollback()
    out.append(one(cur, "SELECT count(*) FROM items WHERE who = %s", (me.who,)))
    c.close()
    return out


@case
def cancel(me):
    c = connect()
    cur = c.cursor()
    one(cur, "SELECT 'has a server'")
    over = threading.Event()

    def again():
        while not over.wait(0.2):
            c.cancel()
    t = threading.Thread(target=again)
    t.start()
    e = fails(psycopg2.errors.QueryCanceled, cur.execute, "SELECT pg_sleep(30)")
    over.set()
    t.join()
    out = [e.pgcode, e.diag.message_primary, c.get_transaction_status()]
    c.rollback()
    out.append(one(cur, "SELECT 1"))
    c.close()
    return out


@case
def errors(me):
    c = connect(autocommit=True)
    cur = c.cursor()
    out = []
    for sql in ("SELEC", "SELECT * FROM nowhere", "SELECT fail('told')", "INSERT INTO items VALUES ('x', 1000000)", "SELECT 1; SELECT 1/0; SELECT 2",
                "SELECT E'\\xff'", "SELECT repeat('x', 2000000000)"):
        e = fails(psycopg2.Error, cur.execute, sql)
        d = e.diag
        out.append([type(e).__name__, e.pgcode, d.severity, d.message_primary, d.message_detail, d.message_hint, d.context,
                    d.statement_position, d.table_name, d.constraint_name, str(e)])
        same(one(cur, "SELECT %s", (me.who,)), (me.who,))
    c.close()
    return out


@case
def notices(me):
    c = connect(autocommit=True)
    cur = c.cursor()
    cur.execute("SELECT shout('one'); SELECT shout('two')")
    cur.execute("DO $$ BEGIN RAISE WARNING 'w' USING HINT = 'h'; END $$")
    out = list(c.notices)
    del c.notices[:]
    for i in range(40):
        cur.execute("SELECT shout(%s)", (f"{me.number}-{i}",))
    same(list(c.notices), [f"NOTICE:  {me.number}-{i}\n" for i in range(40)][-50:])
    c.close()
    return out


@case
def prepared_by_sql_in_a_transaction(me):
    c = connect()
    cur = c.cursor()
    out = []
    for i in range(5):
        cur.execute(f"PREPARE mine_{me.number} (int) AS SELECT $1 + {me.number}")
        same(one(cur, f"EXECUTE mine_{me.number} (%s)", (i,)), (i + me.number,))
        cur.execute(f"DEALLOCATE mine_{me.number}")
        out.append(cur.statusmessage)
        c.commit()
    c.close()
    return out


@case(session=True)
def prepared_by_sql(me):
    c = connect(autocommit=True)
    cur = c.cursor()
    cur.execute("PREPARE mine (int) AS SELECT $1 * 2")
    for i in range(5):
        same(one(cur, "EXECUTE mine (%s)", (i,)), (2 * i,))
    cur.execute("DEALLOCATE ALL")
    out = fails(psycopg2.Error, cur.execute, "EXECUTE mine (1)").pgcode
    c.close()
    return out


@case(session=True)
def temporary_tables(me):
    c = connect(autocommit=True)
    cur = c.cursor()
    cur.execute("CREATE TEMP TABLE mine AS SELECT %s AS who", (me.who,))
    same(one(cur, "SELECT who FROM mine"), (me.who,))
    cur.execute("DISCARD ALL")
    out = [cur.statusmessage, one(cur, "SELECT to_regclass('mine')")]
    c.close()
    return out


@case(session=True)
def notifications(me):
    """The pid is the one the client knows as its own."""
    c = connect(autocommit=True)
    cur = c.cursor()
    cur.execute(f"LISTEN ch_{me.number}")
    cur.execute(f"NOTIFY ch_{me.number}, 'hello'")
    c.poll()
    out = [(n.payload, n.pid == c.get_backend_pid()) for n in c.notifies]
    same(one(cur, "SELECT pg_backend_pid()"), (c.get_backend_pid(),))
    c.close()
    return out


@case
def parameters_stay_with_the_client(me):
    c = connect(autocommit=True, options=f"-c IntervalStyle=iso_8601 -c TimeZone={['Asia/Tokyo', 'UTC'][me.number % 2]}")
    cur = c.cursor()
    c.set_client_encoding("LATIN1" if me.number % 2 else "UTF8")
    for _ in range(15):
        same(one(cur, "SELECT 'äé'"), ("äé",))
        same(one(cur, "SHOW client_encoding"), ("LATIN1" if me.number % 2 else "UTF8",))
        same(one(cur, "SELECT '1 day 2 hours'::interval::text"), ("P1DT2H",))
        same(one(cur, "SHOW TimeZone"), (["Asia/Tokyo", "UTC"][me.number % 2],))
    out = [c.get_parameter_status("IntervalStyle")]
    c.close()
    return out


def wait(c):
    while True:
        state = c.poll()
        if state == psycopg2.extensions.POLL_OK:
            return
        if state == psycopg2.extensions.POLL_READ:
            select.select([c.fileno()], [], [], 10)
        else:
            select.select([], [c.fileno()], [], 10)


@case
def asynchronous(me):
    c = psycopg2.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, dbname=DATABASE, sslmode="disable", async_=True)
    wait(c)
    cur = c.cursor()
    out = []
    for i in range(10):
        cur.execute("SELECT %s, %s", (i, me.who))
        wait(c)
        same(cur.fetchone(), (i, me.who))
    cur.execute("SELECT 1/0")
    out.append(fails(psycopg2.errors.DivisionByZero, wait, c).pgcode)
    cur.execute("SELECT generate_series(1, 5000)")
    wait(c)
    out.append(sum(r[0] for r in cur))
    c.close()
    return out


@case
def large_objects(me):
    """They speak FunctionCall."""
    c = connect()
    data = bytes(range(256)) * 300
    o = c.lobject(mode="wb")
    oid = o.oid
    o.write(data)
    o.seek(100)
    out = [o.tell()]
    o.close()
    c.commit()
    o = c.lobject(oid, "rb")
    same(o.read(), data)
    o.seek(-10, 2)
    out.append(o.read())
    o.close()
    c.commit()
    c.lobject(oid, "w").unlink()
    c.commit()
    e = fails(psycopg2.Error, c.lobject, oid, "rb")
    out.append(str(e).replace(str(oid), "OID"))
    c.rollback()
    with c.cursor() as cur:
        out.append(one(cur, "SELECT 1"))
    c.close()
    return out


@case
def pooled(me):
    """Connections come and go; threads share none."""
    for i in range(6):
        c = connect()
        with c.cursor() as cur:
            same(one(cur, "SELECT %s, %s", (i, me.who)), (i, me.who))
        c.rollback() if i % 2 else c.commit()
        c.close()
        time.sleep(0.005)


@case
def locks_between_users(me):
    c = connect()
    cur = c.cursor()
    for _ in range(5):
        cur.execute("UPDATE counter SET n = n + 1 WHERE name = %s", (f"psycopg2/{MODE}",))
        c.commit()
    c.close()


main("psycopg2")
