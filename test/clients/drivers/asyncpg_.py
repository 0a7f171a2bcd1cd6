"""asyncpg: everything is a named prepared statement in binary, with a cache of its own."""

import asyncio
import datetime
import decimal
import io
import uuid

import asyncpg

from common import DATABASE, HOST, MODE, PASSWORD, PORT, USER, case, main, same


async def connect(**kw):
    args = dict(host=HOST, port=PORT, user=USER, password=PASSWORD, database=DATABASE, ssl=False, timeout=20, command_timeout=60)
    args.update(kw)
    return await asyncpg.connect(**args)


async def fails(kind, awaitable):
    try:
        got = await awaitable
    except kind as e:
        return e
    raise AssertionError(f"gave {got!r} instead of {kind}")


@case
async def connecting(me):
    c = await connect(server_settings={"application_name": f"app-{me.number}"})
    same(await c.fetchval("SHOW application_name"), f"app-{me.number}")
    s = c.get_settings()
    out = [str(c.get_server_version()), s.server_encoding, s.client_encoding, s.DateStyle, s.TimeZone, s.is_superuser,
           c.is_in_transaction(), c.is_closed()]
    await c.close()
    return out + [c.is_closed()]


@case
async def types(me):
    c = await connect()
    want = [-5, 2**63 - 1, decimal.Decimal("12345678901234567890.0123456789"), 0.1, "ü€𝄞'\\\"%", bytes(range(256)),
            datetime.datetime(2020, 2, 29, 12, 34, 56, 789012, datetime.timezone.utc), datetime.date(1, 1, 1),
            datetime.timedelta(days=-3, seconds=4), '{"a": [1, null]}', [1, None, 3], ["x", 'y"z', "", None], uuid.UUID(int=7), True, None,
            "happy", (1, "one"), [[1, 2], [3, 4]]]
    sql = ("SELECT $1::int a, $2::bigint, $3::numeric, $4::float8, $5::text, $6::bytea, $7::timestamptz, $8::date, $9::interval,"
           " $10::jsonb, $11::int[], $12::text[], $13::uuid, $14::bool, $15::text, $16::mood, $17::pair, $18::int[][]")
    for _ in range(3):
        row = await c.fetchrow(sql, *want)
        same([tuple(v) if isinstance(v, asyncpg.Record) else v for v in row], want)
    st = await c.prepare(sql)
    out = [[(a.name, a.type.name, a.type.schema) for a in st.get_attributes()], [t.name for t in st.get_parameters()]]
    r = await c.fetchrow("SELECT 'a'::char, '1.2.3.4'::inet, '[1,5)'::int4range, 'x=>1'::text, B'101'::bit(3), '(1,2)'::point, 5::money::text")
    out.append([str(v) for v in r])
    await c.close()
    return out


@case
async def prepare(me):
    c = await connect()
    st = await c.prepare("SELECT $1::int + $2::int, $3::text")
    for i in range(20):
        same(tuple(await st.fetchrow(i, me.number, me.who)), (i + me.number, me.who))
    other = await c.prepare("SELECT $1::text || 'x'")
    for i in range(10):
        same(await other.fetchval(str(i)), f"{i}x")
        same(await st.fetchval(i, 1, ""), i + 1)
    out = [st.get_query(), st.get_statusmsg(), [t.name for t in st.get_parameters()]]
    out.append((await st.explain(1, 2, "x"))[0]["Plan"]["Node Type"])
    e = await fails(asyncpg.PostgresError, c.prepare("SELECT * FROM nowhere WHERE a = $1"))
    out.append([e.sqlstate, str(e)])
    same(await st.fetchval(1, 2, ""), 3)
    await c.close()
    return out


@case
async def statement_cache(me):
    """Its own cache is small: it closes statements and prepares them again."""
    c = await connect(statement_cache_size=3)
    for round_ in range(3):
        for i in range(10):
            same(await c.fetchval(f"SELECT $1::int + {i}", round_), round_ + i)
    await c.close()
    c = await connect(statement_cache_size=0)
    for i in range(10):
        same(await c.fetchval("SELECT $1::int", i), i)
    await c.close()


@case
async def executemany(me):
    c = await connect()
    await c.execute("DELETE FROM items WHERE who = $1", me.who)
    await c.executemany("INSERT INTO items VALUES ($1, $2, $3)", [(me.who, i, f"t{i}") for i in range(300)])
    out = [tuple(await c.fetchrow("SELECT count(*), sum(n) FROM items WHERE who = $1", me.who))]
    e = await fails(asyncpg.CheckViolationError, c.executemany("INSERT INTO items VALUES ($1, $2)", [(me.who, 5), (me.who, 10**6), (me.who, 6)]))
    out += [e.sqlstate, e.constraint_name, e.table_name]
    out.append(await c.fetchval("SELECT count(*) FROM items WHERE who = $1", me.who))
    await c.close()
    return out


@case
async def transactions(me):
    c = await connect()
    out = []
    await c.execute("DELETE FROM items WHERE who = $1", me.who)
    async with c.transaction():
        await c.execute("INSERT INTO items VALUES ($1, 1)", me.who)
        try:
            async with c.transaction():
                await c.execute("INSERT INTO items VALUES ($1, 2)", me.who)
                await c.execute("SELECT 1/0")
        except asyncpg.DivisionByZeroError as e:
            out.append(e.sqlstate)
        out.append(c.is_in_transaction())
        await c.execute("INSERT INTO items VALUES ($1, 3)", me.who)
    try:
        async with c.transaction(isolation="serializable"):
            out.append(await c.fetchval("SHOW transaction_isolation"))
            await c.execute("INSERT INTO items VALUES ($1, 4)", me.who)
            raise KeyError
    except KeyError:
        pass
    out.append(c.is_in_transaction())
    t = c.transaction(readonly=True, deferrable=True, isolation="serializable")
    await t.start()
    out.append((await fails(asyncpg.ReadOnlySQLTransactionError, c.execute("INSERT INTO items VALUES ('x', 1)"))).sqlstate)
    out.append((await fails(asyncpg.InFailedSQLTransactionError, c.fetchval("SELECT 1"))).sqlstate)
    await t.rollback()
    out.append(await c.fetchval("SELECT array_agg(n ORDER BY n) FROM items WHERE who = $1", me.who))
    await c.close()
    return out


@case
async def cursors(me):
    """A named portal that is suspended again and again, while other statements go in between."""
    c = await connect()
    out = []
    async with c.transaction():
        n = 0
        async for r in c.cursor("SELECT n, $1::text FROM generate_series(1, 500) n", me.who, prefetch=37):
            same(r[1], me.who)
            n += r[0]
        out.append(n)
        cur = await c.cursor("SELECT generate_series(1, 100)")
        out.append([r[0] for r in await cur.fetch(3)])
        same(await c.fetchval("SELECT $1::text", me.who), me.who)
        await cur.forward(10)
        out.append((await cur.fetchrow())[0])
        out.append(len(await cur.fetch(1000)))
    out.append((await fails(asyncpg.NoActiveSQLTransactionError, open_cursor(c))).sqlstate)
    await c.close()
    return out


async def open_cursor(c):
    await c.cursor("SELECT 1")


@case
async def copy(me):
    c = await connect()
    await c.execute("DELETE FROM items WHERE who = $1", me.who)
    out = [await c.copy_records_to_table("items", records=[(me.who, i, None if i % 2 else "ü\t") for i in range(3000)])]
    src = io.BytesIO("".join(f"{me.who},{i},csv\n" for i in range(3000, 4000)).encode())
    out.append(await c.copy_to_table("items", source=src, format="csv"))
    f = io.BytesIO()
    out.append(await c.copy_from_query("SELECT n, t FROM items WHERE who = $1 ORDER BY n", me.who, output=f))
    lines = f.getvalue().split(b"\n")
    same(len(lines), 4001)
    out += [lines[0], lines[3500]]
    f = io.BytesIO()
    out.append(await c.copy_from_table("numbered", output=f, format="binary"))
    e = await fails(asyncpg.CheckViolationError, c.copy_records_to_table("items", records=[(me.who, 1, "x"), (me.who, 10**6, "x")]))
    out.append(e.sqlstate)

    async def bad():
        yield b"x,1,y\n"
        raise ValueError("no more")
    e = await fails(Exception, c.copy_to_table("items", source=bad(), format="csv"))
    out.append([type(e).__name__])
    e = await fails(asyncpg.DivisionByZeroError, c.copy_from_query("SELECT 1/(n-500) FROM generate_series(1, 900) n", output=io.BytesIO()))
    out.append(e.sqlstate)
    out.append(await c.fetchval("SELECT count(*) FROM items WHERE who = $1", me.who))
    await c.close()
    return out


@case
async def cancel(me):
    """A timeout and a cancelled task both send a CancelRequest."""
    c = await connect()
    out = []
    t = c.transaction()
    await t.start()
    out.append(await c.fetchval("SELECT 'has a server'"))
    e = await fails((asyncio.TimeoutError, asyncpg.QueryCanceledError), c.fetch("SELECT pg_sleep(30)", timeout=0.2))
    out.append(type(e).__name__)
    out.append((await fails(asyncpg.InFailedSQLTransactionError, c.fetch("SELECT 1"))).sqlstate)
    await t.rollback()
    out.append(await c.fetchval("SELECT 'goes on'"))
    await c.close()
    return out


@case
async def cancelled_task(me):
    c = await connect()
    began = asyncio.Event()
    c.add_log_listener(lambda c, m: began.set())
    task = asyncio.create_task(c.fetch("SELECT say_and_sleep($1, $2)", "now", 30.0))
    await asyncio.wait_for(began.wait(), 30)
    task.cancel()
    e = await fails(asyncio.CancelledError, task)
    out = [type(e).__name__, await c.fetchval("SELECT $1::int", 7), c.is_in_transaction()]
    await c.close()
    return out


@case
async def errors(me):
    c = await connect()
    out = []
    for sql in ("SELEC", "SELECT * FROM nowhere", "SELECT fail('told')", "INSERT INTO items VALUES ('x', 1000000)", "SELECT 1; SELECT 1/0",
                "SELECT 'x'::int", "SELECT 1/0"):
        for f in (c.execute, c.fetch):
            e = await fails(asyncpg.PostgresError, f(sql))
            out.append([type(e).__name__, e.sqlstate, str(e), e.severity, e.detail, e.hint, e.position, e.constraint_name, e.context])
            same(await c.fetchval("SELECT $1::text", me.who), me.who)
    e = await fails(asyncpg.DataError, c.fetchval("SELECT $1::int", "text"))
    out.append(str(e))
    await c.close()
    return out


@case
async def notices(me):
    c = await connect()
    seen = []
    c.add_log_listener(lambda c, m: seen.append([type(m).__name__, m.severity, m.sqlstate, m.message]))
    await c.execute("SELECT shout('one'); SELECT shout('two')")
    await c.execute("DO $$ BEGIN RAISE WARNING 'w'; RAISE INFO 'i'; END $$")
    for i in range(20):
        await c.fetchval("SELECT shout($1)", f"{me.number}-{i}")
    await asyncio.sleep(0.01)
    same([s[3] for s in seen[-20:]], [f"{me.number}-{i}" for i in range(20)])
    await c.close()
    return seen[:-20]


@case
async def pool(me):
    """asyncpg's own pool on top: it resets a connection with several statements each time it comes back."""
    async with asyncpg.create_pool(host=HOST, port=PORT, user=USER, password=PASSWORD, database=DATABASE, ssl=False, min_size=1,
                                   max_size=3, server_settings={"application_name": f"pool-{me.number}", "TimeZone": "Asia/Tokyo"}) as p:
        async def one(i):
            async with p.acquire() as c:
                async with c.transaction():
                    same(await c.fetchval("SELECT $1::int + $2::int", i, me.number), i + me.number)
                    same(await c.fetchval("SHOW TimeZone"), "Asia/Tokyo")
                    await c.execute("SET TimeZone = 'Europe/Paris'")
                    same(await c.fetchval("SHOW application_name"), f"pool-{me.number}")
        await asyncio.gather(*[one(i) for i in range(8)])


@case
async def startup_settings(me):
    """The ones people really set there."""
    c = await connect(server_settings={"search_path": "other", "statement_timeout": "12345", "jit": "off", "lock_timeout": "4321",
                                       "idle_in_transaction_session_timeout": "60000", "my.own": f"v{me.number}"})
    out = []
    for _ in range(5):
        same(await c.fetchval("SELECT current_setting('my.own')"), f"v{me.number}")
        out = [await c.fetchval("SELECT place FROM where_am_i"), await c.fetchval("SHOW statement_timeout"), await c.fetchval("SHOW jit"),
               await c.fetchval("SHOW lock_timeout")]
    await c.execute("RESET ALL")
    same(await c.fetchval("SELECT current_setting('my.own')"), f"v{me.number}")
    out += [await c.fetchval("SELECT place FROM where_am_i"), await c.fetchval("SHOW statement_timeout")]
    await c.close()
    return out


@case(session=True)
async def listen(me):
    c = await connect()
    got = asyncio.get_running_loop().create_future()
    await c.add_listener(f"a_{me.number}", lambda c, pid, channel, payload: got.set_result((pid, payload)))
    await c.execute(f"NOTIFY a_{me.number}, 'hello'")
    pid, payload = await asyncio.wait_for(got, 20)
    same(pid, c.get_server_pid())
    await c.close()
    return payload


@case
async def changed_plan(me):
    """A table changes under a prepared statement: asyncpg repairs it once outside of a transaction, PostgreSQL's error is passed on inside."""
    t = f"changing_asyncpg_{MODE}_{me.number}"
    a, b = await connect(), await connect()
    await b.execute(f"DROP TABLE IF EXISTS {t}; CREATE TABLE {t} AS SELECT 1 AS a")
    out = [list((await a.fetchrow(f"SELECT * FROM {t}")).items())]
    await b.execute(f"ALTER TABLE {t} ADD b text DEFAULT 'new'")
    r = await a.fetchrow(f"SELECT * FROM {t}")
    out.append(list(r.items()))
    await b.execute(f"DROP TABLE {t}")
    await a.close()
    await b.close()
    return out


@case
async def locks_between_users(me):
    c = await connect()
    for _ in range(5):
        async with c.transaction():
            await c.execute("UPDATE counter SET n = n + 1 WHERE name = $1", f"asyncpg/{MODE}")
    await c.close()


main("asyncpg")
