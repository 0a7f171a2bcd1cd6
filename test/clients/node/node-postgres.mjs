// node-postgres (pg), with its cursors and its COPY streams.

import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import Copy from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import { Case, database, fails, host, main, mode, password, port, same, sessionCase, told, user } from './common.mjs'

const config = { host, port, user, password, database, connectionTimeoutMillis: 20000 }

async function connect(more) {
	const c = new pg.Client({ ...config, ...more })
	c.on('error', () => {})
	await c.connect()
	return c
}

async function connected(f, more) {
	const c = await connect(more)
	try {
		return await f(c)
	} finally {
		await c.end()
	}
}

const value = async (c, sql, args) => Object.values((await c.query(sql, args)).rows[0])[0]

Case('connecting', async (me) => {
	const seen = {}
	const c = new pg.Client({ ...config, application_name: `app-${me.number}` })
	c.connection?.on('parameterStatus', (m) => (seen[m.parameterName] = m.parameterValue))
	await c.connect()
	same(await value(c, 'SHOW application_name'), `app-${me.number}`)
	same(seen.application_name, `app-${me.number}`)
	await c.end()
	return ['client_encoding', 'DateStyle', 'TimeZone', 'server_version', 'integer_datetimes', 'is_superuser'].map((n) => seen[n])
})

const TYPED = `SELECT $1::int AS i, $2::bigint AS b, $3::numeric AS n, $4::float8 AS f, $5::text AS t, $6::bytea AS y, $7::timestamptz AS z,
 $8::json AS j, $9::jsonb AS k, $10::int[] AS a, $11::text[] AS s, $12::uuid AS u, $13::bool AS o, $14::text AS x, $15::mood AS e, $16::date::text AS d`
const GIVEN = [-5, '9223372036854775807', '12345678901234567890.0123456789', 0.1, 'ü€𝄞\'\\"%', Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
	new Date('2020-02-29T12:34:56.789Z'), '{"a": [1, null]}', { b: { c: 1.5 } }, [1, null, 3], ['x', 'y"z', '', null],
	'00000000-0000-0000-0000-000000000007', true, null, 'happy', '0001-01-01']
const SEEN = GIVEN.map((value, i) => (i === 7 ? { a: [1, null] } : value))

Case('types', () =>
	connected(async (c) => {
		let r
		for (let i = 0; i < 3; i++) {
			r = await c.query(TYPED, GIVEN)
			same(Object.values(r.rows[0]), SEEN)
		}
		return [r.fields.map((f) => [f.name, f.dataTypeID, f.dataTypeSize, f.format]), r.command, r.rowCount, r.rows[0]]
	}))

Case('types_prepared', () =>
	connected(async (c) => {
		let r
		for (let i = 0; i < 5; i++) {
			r = await c.query({ name: 'typed', text: TYPED, values: GIVEN })
			same(Object.values(r.rows[0]), SEEN)
		}
		return r.fields.map((f) => [f.name, f.dataTypeID])
	}))

Case('types_binary', () =>
	connected((c) =>
		c.query({ text: 'SELECT $1::int AS i, $2::text AS t, $3::bool AS b, NULL::int AS n', values: [7, 'ü', true], binary: true, rowMode: 'array' })
			.then((r) => [r.rows, r.fields.map((f) => f.format)])))

Case('prepare', (me) =>
	connected(async (c) => {
		for (let i = 0; i < 20; i++) {
			same(Object.values((await c.query({ name: 'add', text: 'SELECT $1::int + $2::int AS n, $3::text AS w', values: [i, me.number, me.who] })).rows[0]),
				[i + me.number, me.who])
			// the same name in every client, a different text in each
			same(await value(c, { name: 'mine', text: `SELECT $1::int * ${me.number} AS n`, values: [i] }), i * me.number)
		}
		const e = await fails(() => c.query({ name: 'mine', text: 'SELECT 2', values: [] }))
		return e.message
	}))

Case('prepare_a_wrong_one', (me) =>
	connected(async (c) => {
		const out = []
		for (let i = 0; i < 3; i++) {
			out.push(told(await fails(() => c.query({ name: 'wrong', text: 'SELECT * FROM nowhere WHERE a = $1', values: [i] }))))
			out.push(told(await fails(() => c.query({ name: 'fails', text: 'SELECT 1 / $1::int', values: [0] }))))
			same(await value(c, { name: 'good', text: 'SELECT $1::text', values: [me.who] }), me.who)
		}
		return out
	}))

Case('prepare_many', (me) =>
	connected(async (c) => {
		for (let round = 0; round < 2; round++)
			for (let i = 0; i < 60; i++)
				same(await value(c, { name: `s${i}`, text: `SELECT $1::int + ${i} + ${me.number} AS n`, values: [round] }), round + i + me.number)
	}))

Case('batch', (me) =>
	connected(async (c) => {
		// queued by the client, without waiting in between
		const got = await Promise.all(Array.from({ length: 100 }, (_, i) => value(c, 'SELECT $1::text', [`${me.number}-${i}`])))
		same(got, Array.from({ length: 100 }, (_, i) => `${me.number}-${i}`))
		const mixed = await Promise.allSettled([value(c, 'SELECT 1'), value(c, 'SELECT 1/$1::int', [0]), value(c, 'SELECT 3'), value(c, 'SELECT 1/0'), value(c, 'SELECT 5')])
		return mixed.map((m) => m.value ?? m.reason.code)
	}))

Case('pipeline_mode', (me) =>
	connected(async (c) => {
		for (let round = 0; round < 3; round++) {
			const got = await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 2 ? value(c, { name: `p${i % 7}`, text: `SELECT ${i % 7} + $1::int`, values: [i] }) : value(c, 'SELECT $1::int', [i]))))
			same(got, Array.from({ length: 60 }, (_, i) => (i % 2 ? i + (i % 7) : i)))
		}
		const mixed = await Promise.allSettled([
			value(c, 'SELECT $1::text', [me.who]), value(c, 'SELECT 1/$1::int', [0]), value(c, { name: 'w', text: 'SELECT * FROM nowhere' }),
			value(c, { name: 'p1', text: 'SELECT 1 + $1::int', values: [2] }), value(c, 'SELECT 5')])
		same(mixed[0].value, me.who)
		return mixed.slice(1).map((m) => m.value ?? m.reason.code)
	}, { pipeline: true }))

Case('transactions', (me) =>
	connected(async (c) => {
		const out = []
		await c.query('DELETE FROM items WHERE who = $1', [me.who])
		await c.query('BEGIN')
		await c.query('INSERT INTO items VALUES ($1, 1)', [me.who])
		await c.query('SAVEPOINT s')
		out.push(told(await fails(() => c.query('INSERT INTO items VALUES ($1, $2)', [me.who, 10 ** 6]))).slice(1, 3))
		out.push(told(await fails(() => c.query('SELECT 1'))).slice(1, 3))
		await c.query('ROLLBACK TO s')
		await c.query('INSERT INTO items VALUES ($1, 2)', [me.who])
		out.push((await c.query('COMMIT')).command)
		await c.query('BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY')
		out.push(await value(c, 'SHOW transaction_isolation'))
		await fails(() => c.query("INSERT INTO items VALUES ('x', 1)"))
		out.push((await c.query('COMMIT')).command)
		await c.query('BEGIN')
		await c.query('INSERT INTO items VALUES ($1, 3)', [me.who])
		out.push((await c.query('ROLLBACK')).command)
		out.push(await value(c, 'SELECT array_agg(n ORDER BY n) FROM items WHERE who = $1', [me.who]))
		return out
	}))

Case('cursors', (me) =>
	connected(async (c) => {
		const cursor = c.query(new Cursor('SELECT n, $1::text AS w FROM generate_series(1, 1000) n', [me.who]))
		let n = 0
		for (;;) {
			const rows = await cursor.read(70)
			if (!rows.length) break
			for (const r of rows) {
				same(r.w, me.who)
				n += r.n
			}
		}
		await cursor.close()
		const early = c.query(new Cursor('SELECT generate_series(1, 1000000) AS n'))
		const first = await early.read(5)
		await early.close()
		const failing = c.query(new Cursor('SELECT 1 / (n - 50) AS n FROM generate_series(1, 100) n'))
		const some = (await failing.read(10)).length
		const e = await fails(() => failing.read(100))
		return [n, first, some, e.code, await value(c, "SELECT 'after'")]
	}))

Case('copy_in', (me) =>
	connected(async (c) => {
		await c.query('DELETE FROM items WHERE who = $1', [me.who])
		const into = c.query(Copy.from('COPY items FROM STDIN'))
		await pipeline(Readable.from((function* () {
			for (let i = 0; i < 5000; i++) yield `${me.who}\t${i}\t${i % 3 ? 'text' : '\\N'}\n`
		})()), into)
		const out = [into.rowCount]
		const bad = c.query(Copy.from('COPY items FROM STDIN'))
		out.push((await fails(() => pipeline(Readable.from([`${me.who}\tx\tx\n`]), bad))).code)
		const late = c.query(Copy.from('COPY items FROM STDIN'))
		out.push((await fails(() => pipeline(Readable.from([`${me.who}\t1000000\tx\n`]), late))).constraint)
		const given_up = c.query(Copy.from('COPY items FROM STDIN'))
		const ended = once(c, 'drain')
		given_up.on('error', () => {})
		given_up.write(`${me.who}\t1\tx\n`)
		given_up.destroy(new Error('given up'))
		await ended
		out.push(await value(c, 'SELECT count(*) FROM items WHERE who = $1', [me.who]))
		return out
	}))

Case('copy_out', () =>
	connected(async (c) => {
		const out = []
		let text = ''
		const from = c.query(Copy.to("COPY (SELECT n, repeat('x', 50) FROM generate_series(1, 5000) n) TO STDOUT"))
		for await (const chunk of from) text += chunk
		out.push(text.length, text.split('\n').length, from.rowCount)
		const failing = c.query(Copy.to('COPY (SELECT 1 / (n - 3000) FROM generate_series(1, 5000) n) TO STDOUT'))
		out.push((await fails(async () => {
			for await (const _ of failing);
		})).code)
		out.push(await value(c, "SELECT 'after'"))
		return out
	}))

Case('cancel', (me) =>
	connected(async (c) => {
		const out = []
		for (let round = 0; round < 2; round++) {
			const began = once(c, 'notice')
			const query = new pg.Query('SELECT say_and_sleep($1, 30)', [me.who])
			const over = new Promise((resolve) => query.on('error', resolve))
			c.query(query)
			await began
			new pg.Client(config).cancel(c, query)
			out.push(told(await over).slice(0, 3))
		}
		out.push(await value(c, "SELECT 'after'"))
		return out
	}))

Case('errors', (me) =>
	connected(async (c) => {
		const out = []
		for (const sql of ['SELEC', 'SELECT * FROM nowhere', "SELECT fail('told')", "INSERT INTO items VALUES ('x', 1000000)", 'SELECT 1; SELECT 1/0; SELECT 2', "SELECT 'x'::int"]) {
			out.push(told(await fails(() => c.query(sql))))
			same(await value(c, 'SELECT $1::text', [me.who]), me.who)
		}
		out.push(told(await fails(() => c.query('SELECT $1::int', ['text']))))
		out.push(told(await fails(() => c.query('SELECT $1::int, $2::int', [1]))))
		return out
	}))

Case('notices', (me) =>
	connected(async (c) => {
		const seen = []
		c.on('notice', (n) => seen.push([n.severity, n.code, n.message, n.hint]))
		await c.query("SELECT shout('one'); SELECT shout('two')")
		await c.query("DO $$ BEGIN RAISE WARNING 'w' USING HINT = 'h'; RAISE INFO 'i'; END $$")
		for (let i = 0; i < 20; i++) await c.query('SELECT shout($1)', [`${me.number}-${i}`])
		same(seen.slice(-20).map((s) => s[2]), Array.from({ length: 20 }, (_, i) => `${me.number}-${i}`))
		return seen.slice(0, -20)
	}))

Case('several_results', () =>
	connected(async (c) => {
		const r = await c.query("SELECT 1 AS a; SELECT 2 AS b, 3 AS c; CREATE TEMP TABLE t(a int) ON COMMIT DROP; SELECT 'end' AS e")
		const empty = await c.query('')
		return [r.map((x) => [x.command, x.rowCount, x.rows]), empty.rows, empty.command]
	}))

Case('large', () =>
	connected(async (c) => {
		const rows = (await c.query("SELECT n, repeat('y', 100) AS t FROM generate_series(1, 5000) n")).rows
		const echo = 'ü'.repeat(200000)
		same(await value(c, 'SELECT $1::text', [echo]), echo)
		return rows.reduce((n, r) => n + r.t.length, 0)
	}))

Case('pool', async (me) => {
	const pool = new pg.Pool({ ...config, max: 3, application_name: `pool-${me.number}` })
	pool.on('error', () => {})
	await Promise.all(Array.from({ length: 20 }, async (_, i) => {
		const c = await pool.connect()
		try {
			await c.query('BEGIN')
			same(await value(c, { name: 'n', text: 'SELECT $1::int + 1', values: [i] }), i + 1)
			same(await value(c, 'SHOW application_name'), `pool-${me.number}`)
			await c.query('COMMIT')
		} finally {
			c.release()
		}
	}))
	await pool.end()
})

Case('startup_settings', (me) =>
	connected(async (c) => {
		let out
		for (let i = 0; i < 5; i++) {
			same(await value(c, "SELECT current_setting('my.own')"), `v${me.number}`)
			out = [await value(c, 'SELECT place FROM where_am_i')]
			for (const n of ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'client_min_messages']) out.push(await value(c, `SHOW ${n}`))
		}
		return out
	}, {
		statement_timeout: 12345, lock_timeout: 4321, idle_in_transaction_session_timeout: 60000,
		options: `-c search_path=other -c client_min_messages=warning -c my.own=v${me.number}`,
	}))

Case('parameters_stay_with_the_client', (me) =>
	connected(async (c) => {
		const zone = ['Asia/Tokyo', 'Europe/Paris', 'UTC'][me.number % 3]
		await c.query(`SET TimeZone = '${zone}'`)
		for (let i = 0; i < 15; i++) same(await value(c, 'SHOW TimeZone'), zone)
	}))

sessionCase('listen', (me) =>
	connected(async (c) => {
		await c.query(`LISTEN node_${me.number}`)
		const heard = once(c, 'notification')
		await c.query(`NOTIFY node_${me.number}, 'hello'`)
		const [n] = await heard
		same(n.processId, c.processID)
		return n.payload
	}))

Case('wrong_password', async () => {
	const e = await fails(() => connect({ password: 'wrong' }))
	return [e.severity, e.code]
})

Case('locks_between_users', () =>
	connected(async (c) => {
		for (let i = 0; i < 5; i++) {
			await c.query('BEGIN')
			await c.query('UPDATE counter SET n = n + 1 WHERE name = $1', [`node-postgres/${mode}`])
			await c.query('COMMIT')
		}
	}))

await main('node-postgres')
