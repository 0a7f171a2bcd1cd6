// postgres.js: named statements in a pipeline, by default.

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import postgres from 'postgres'
import { Case, database, fails, host, main, mode, password, port, same, sessionCase, told, user } from './common.mjs'

async function connected(f, more) {
	const sql = postgres({ host, port, username: user, password, database, max: 1, connect_timeout: 20, onnotice: () => {}, ...more })
	try {
		return await f(sql)
	} finally {
		await sql.end({ timeout: 10 })
	}
}

Case('connecting', (me) =>
	connected(async (sql) => {
		same((await sql`SHOW application_name`)[0].application_name, `app-${me.number}`)
		return ['server_version', 'client_encoding', 'DateStyle', 'TimeZone', 'is_superuser'].map((n) => sql.parameters[n])
	}, { connection: { application_name: `app-${me.number}` } }))

const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
async function types(sql) {
	const day = new Date('2020-02-29T12:34:56.789Z')
	let r
	await sql`SELECT 'it has read the types of arrays'`
	for (let i = 0; i < 3; i++) {
		r = await sql`SELECT ${-5}::int AS i, ${'9223372036854775807'}::bigint AS b, ${'12345678901234567890.0123456789'}::numeric AS n, ${0.1}::float8 AS f,
			${'ü€𝄞\'\\"%'}::text AS t, ${bytes}::bytea AS y, ${day}::timestamptz AS z, ${sql.json({ a: [1, null] })}::json AS j,
			${sql.json({ b: 1.5 })}::jsonb AS k, ${sql.array([1, 2, 3])}::int[] AS a, ${sql.array(['x', 'y"z', ''])}::text[] AS s,
			${'00000000-0000-0000-0000-000000000007'}::uuid AS u, ${true}::bool AS o, ${null}::text AS x, ${'happy'}::mood AS e`
		same(Object.values(r[0]), [-5, '9223372036854775807', '12345678901234567890.0123456789', 0.1, 'ü€𝄞\'\\"%', bytes, day, { a: [1, null] }, { b: 1.5 },
			[1, 2, 3], ['x', 'y"z', ''], '00000000-0000-0000-0000-000000000007', true, null, 'happy'])
	}
	return [r.columns.map((c) => [c.name, c.type]), r.command, r.count, r[0]]
}

Case('types', () => connected(types))
Case('types_unprepared', () => connected(types, { prepare: false }))
Case('types_of_ones_own', () => connected(async (sql) => (await sql`SELECT ARRAY['sad', 'ok']::mood[] AS m, ROW(1, 'x')::pair AS p`)[0], { fetch_types: true }))

Case('prepare', (me) =>
	connected(async (sql) => {
		for (let i = 0; i < 20; i++) {
			same([...(await sql`SELECT ${i}::int + ${me.number}::int AS n, ${me.who} AS w`)], [{ n: i + me.number, w: me.who }])
			same((await sql`SELECT ${me.who}::text || 'x' AS w`)[0].w, me.who + 'x')
		}
	}))

Case('prepare_many', (me) =>
	connected(async (sql) => {
		for (let round = 0; round < 2; round++)
			for (let i = 0; i < 60; i++)
				same((await sql.unsafe(`SELECT $1::int + ${i} + ${me.number} AS n`, [round], { prepare: true }))[0].n, round + i + me.number)
	}))

Case('prepare_a_wrong_one', (me) =>
	connected(async (sql) => {
		const out = []
		for (let i = 0; i < 3; i++) {
			out.push(told(await fails(() => sql`SELECT * FROM nowhere WHERE a = ${i}`)))
			out.push(told(await fails(() => sql`SELECT 1 / ${0}::int`)))
			same((await sql`SELECT ${me.who} AS w`)[0].w, me.who)
		}
		return out
	}))

Case('pipeline', (me) =>
	connected(async (sql) => {
		for (let round = 0; round < 3; round++) {
			const got = await Promise.all(Array.from({ length: 100 }, (_, i) => (i % 2 ? sql`SELECT ${i}::int AS n, ${me.who} AS w` : sql`SELECT ${me.who} AS w, ${i}::int AS n`)))
			same(got.map((r) => [r[0].n, r[0].w]), Array.from({ length: 100 }, (_, i) => [i, me.who]))
		}
	}))

Case('pipeline_error', (me) =>
	connected(async (sql) => {
		const got = await Promise.allSettled([sql`SELECT ${me.who} AS w`, sql`SELECT 1 / ${0}::int`, sql`SELECT ${2}::int AS n`, sql`SELECT * FROM nowhere`,
			sql.unsafe('SELECT 1; SELECT 1/0'), sql`SELECT ${3}::int AS n`])
		same(got[0].value[0].w, me.who)
		return got.slice(1).map((g) => g.value?.[0].n ?? g.reason.code)
	}))

Case('insert_many', (me) =>
	connected(async (sql) => {
		await sql`DELETE FROM items WHERE who = ${me.who}`
		const rows = Array.from({ length: 500 }, (_, n) => ({ who: me.who, n, t: `t${n}` }))
		const r = await sql`INSERT INTO items ${sql(rows)} RETURNING n`
		const some = await sql`SELECT n FROM items WHERE who = ${me.who} AND n IN ${sql([1, 2, 3, 1000])} ORDER BY n`
		return [r.count, r.length, [...some]]
	}))

Case('transactions', (me) =>
	connected(async (sql) => {
		const out = []
		await sql`DELETE FROM items WHERE who = ${me.who}`
		await sql.begin(async (sql) => {
			await sql`INSERT INTO items VALUES (${me.who}, 1)`
			const e = await fails(() => sql.savepoint(async (sql) => {
				await sql`INSERT INTO items VALUES (${me.who}, 2)`
				await sql`SELECT 1/0`
			}))
			out.push(e.code)
			await sql`INSERT INTO items VALUES (${me.who}, 3)`
		})
		out.push((await fails(() => sql.begin('isolation level serializable', async (sql) => {
			out.push((await sql`SHOW transaction_isolation`)[0].transaction_isolation)
			await sql`INSERT INTO items VALUES (${me.who}, 4)`
			throw new Error('changed my mind')
		}))).message)
		out.push(told(await fails(() => sql.begin('read only', (sql) => sql`INSERT INTO items VALUES ('x', 1)`))).slice(0, 3))
		// all of a transaction in one pipeline
		out.push((await sql.begin((sql) => [sql`INSERT INTO items VALUES (${me.who}, 5)`, sql`SELECT count(*)::int AS n FROM items WHERE who = ${me.who}`]))[1][0].n)
		out.push((await sql`SELECT array_agg(n ORDER BY n) AS all FROM items WHERE who = ${me.who}`)[0].all)
		return out
	}))

Case('cursors', (me) =>
	connected(async (sql) => {
		let [n, rounds] = [0, 0]
		await sql`SELECT n, ${me.who} AS w FROM generate_series(1, 1000) n`.cursor(70, async (rows) => {
			rounds++
			for (const r of rows) {
				same(r.w, me.who)
				n += r.n
			}
		})
		const some = []
		for await (const [r] of sql`SELECT generate_series(1, 1000) AS n`.cursor()) {
			some.push(r.n)
			if (some.length === 5) break
		}
		let each = 0
		await sql`SELECT generate_series(1, 500) AS n`.forEach((r) => (each += r.n))
		same((await sql`SELECT ${me.who} AS w`)[0].w, me.who)
		const e = await fails(() => sql`SELECT 1 / (n - 50) AS n FROM generate_series(1, 100) n`.cursor(10, async () => {}))
		return [n, rounds, some, each, e.code]
	}))

Case('copy', (me) =>
	connected(async (sql) => {
		await sql`DELETE FROM items WHERE who = ${me.who}`
		const into = await sql`COPY items FROM STDIN`.writable()
		await pipeline(Readable.from((function* () {
			for (let i = 0; i < 3000; i++) yield `${me.who}\t${i}\tx\n`
		})()), into)
		let text = ''
		// short: this client stops reading when its stream is full, and then never goes on (against PostgreSQL, too)
		const from = await sql`COPY (SELECT n, repeat('x', 50) FROM generate_series(1, 200) n) TO STDOUT`.readable()
		for await (const chunk of from) text += chunk
		return [text.length, (await sql`SELECT count(*)::int AS n FROM items WHERE who = ${me.who}`)[0].n]
	}))

Case('cancel', (me) => {
	let began
	const running = new Promise((r) => (began = r))
	return connected(async (sql) => {
		const query = sql`SELECT say_and_sleep(${me.who}, 30)`
		const over = fails(() => query)
		await running
		query.cancel()
		return [told(await over).slice(0, 3), (await sql`SELECT 'after' AS w`)[0].w]
	}, { onnotice: () => began() })
})

Case('errors', (me) =>
	connected(async (sql) => {
		const out = []
		for (const text of ['SELEC', 'SELECT * FROM nowhere', "SELECT fail('told')", "INSERT INTO items VALUES ('x', 1000000)", 'SELECT 1; SELECT 1/0; SELECT 2', "SELECT 'x'::int"]) {
			out.push(told(await fails(() => sql.unsafe(text))))
			same((await sql`SELECT ${me.who} AS w`)[0].w, me.who)
		}
		out.push(told(await fails(() => sql`SELECT ${'text'}::int`)))
		return out
	}))

Case('notices', (me) => {
	const seen = []
	return connected(async (sql) => {
		await sql.unsafe("SELECT shout('one'); SELECT shout('two')")
		await sql.unsafe("DO $$ BEGIN RAISE WARNING 'w' USING HINT = 'h'; RAISE INFO 'i'; END $$")
		for (let i = 0; i < 20; i++) await sql`SELECT shout(${`${me.number}-${i}`})`
		same(seen.slice(-20).map((s) => s[2]), Array.from({ length: 20 }, (_, i) => `${me.number}-${i}`))
		return seen.slice(0, -20)
	}, { onnotice: (n) => seen.push([n.severity, n.code, n.message, n.hint]) })
})

Case('describe', () =>
	connected(async (sql) => {
		const d = await sql`SELECT ${1}::int AS a, ${'x'}::text AS b FROM items`.describe()
		return [d.types, d.columns.map((c) => [c.name, c.type]), (await sql`SELECT 'after' AS w`)[0].w]
	}))

Case('several_results', () =>
	connected(async (sql) => {
		const r = await sql`SELECT 1 AS a; SELECT 2 AS b; SELECT 'end' AS e`.simple()
		return r.map((x) => [x.command, x.count, [...x]])
	}))

Case('large', () =>
	connected(async (sql) => {
		const echo = 'ü'.repeat(200000)
		same((await sql`SELECT ${echo}::text AS t`)[0].t, echo)
		return (await sql`SELECT n, repeat('y', 100) AS t FROM generate_series(1, 5000) n`).reduce((n, r) => n + r.t.length, 0)
	}))

Case('pool', (me) =>
	connected(async (sql) => {
		await Promise.all(Array.from({ length: 30 }, async (_, i) => {
			if (i % 3) return same((await sql`SELECT ${i}::int + 1 AS n`)[0].n, i + 1)
			await sql.begin(async (sql) => {
				same((await sql`SELECT ${i}::int + 1 AS n`)[0].n, i + 1)
				same((await sql`SHOW application_name`)[0].application_name, `pool-${me.number}`)
			})
		}))
		const own = await sql.reserve()
		same((await own`SELECT ${me.who} AS w`)[0].w, me.who)
		own.release()
	}, { max: 3, connection: { application_name: `pool-${me.number}` } }))

Case('startup_settings', (me) =>
	connected(async (sql) => {
		let out
		for (let i = 0; i < 5; i++) {
			same((await sql`SELECT current_setting('my.own') AS v`)[0].v, `v${me.number}`)
			out = [(await sql`SELECT place FROM where_am_i`)[0].place]
			for (const n of ['statement_timeout', 'lock_timeout', 'client_min_messages']) out.push((await sql.unsafe(`SHOW ${n}`))[0][n])
		}
		return out
	}, { connection: { search_path: 'other', statement_timeout: 12345, lock_timeout: 4321, client_min_messages: 'warning', 'my.own': `v${me.number}` } }))

Case('changed_plan', (me) =>
	connected(async (sql) => {
		// its own retry prepares anew under another name
		const t = sql(`changing_js_${mode}_${me.number}`)
		await sql`DROP TABLE IF EXISTS ${t}`
		await sql`CREATE TABLE ${t} AS SELECT 1 AS a`
		const out = [[...(await sql`SELECT * FROM ${t}`)]]
		await sql`ALTER TABLE ${t} ADD b text DEFAULT 'new'`
		out.push([...(await sql`SELECT * FROM ${t}`)])
		await sql`DROP TABLE ${t}`
		return out
	}))

sessionCase('listen', (me) =>
	connected(async (sql) => {
		let heard
		const hearing = new Promise((r) => (heard = r))
		await sql.listen(`js_${me.number}`, heard)
		await sql.notify(`js_${me.number}`, 'hello')
		return await hearing
	}))

Case('locks_between_users', () =>
	connected(async (sql) => {
		for (let i = 0; i < 5; i++) await sql.begin((sql) => sql`UPDATE counter SET n = n + 1 WHERE name = ${`postgres.js/${mode}`}`)
	}))

await main('postgres.js')
