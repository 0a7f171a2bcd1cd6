// What the drivers in JavaScript share: cases, many users at a time, one line of JSON for each case.
// See drivers/common.py, which does the same.

export const { CLIENT_HOST: host, CLIENT_USER: user, CLIENT_PASSWORD: password, CLIENT_DATABASE: database, CLIENT_MODE: mode } =
	process.env
export const port = Number(process.env.CLIENT_PORT)
const users = Number(process.env.CLIENT_USERS)

const cases = new Map()

export function Case(name, f) {
	cases.set(name, f)
}

export const sessionCase = Case

// As JSON: the same value gives the same text in every run.
function plain(x) {
	if (x === undefined || x === null) return null
	if (Buffer.isBuffer(x) || x instanceof Uint8Array) return 'bytes:' + Buffer.from(x).toString('hex')
	if (x instanceof Date) return 'date:' + x.toISOString()
	if (typeof x === 'bigint') return 'bigint:' + x
	if (Array.isArray(x)) return Array.from(x, plain)
	if (typeof x === 'object') return Object.fromEntries(Object.entries(x).map(([k, v]) => [k, plain(v)]))
	return x
}

export function same(got, want) {
	const [a, b] = [JSON.stringify(plain(got)), JSON.stringify(plain(want))]
	if (a !== b) throw new Error(`got ${a.slice(0, 300)}, not ${b.slice(0, 300)}`)
}

// f must fail; gives the error.
export async function fails(f) {
	let got
	try {
		got = await f()
	} catch (e) {
		return e
	}
	throw new Error(`gave ${JSON.stringify(plain(got))?.slice(0, 300)} instead of an error`)
}

// What a server said, without what differs from version to version.
export function told(e) {
	if (!e.code || !e.severity) throw e
	return [e.severity, e.code, e.message, e.detail, e.hint, e.position, e.where, e.table ?? e.table_name, e.constraint ?? e.constraint_name]
}

export const sleep = (ms) => new Promise((r) => setTimeout(r, ms))

function say(what) {
	process.stdout.write(JSON.stringify(what) + '\n')
}

export async function main(client) {
	process.on('unhandledRejection', (e) => {
		process.stderr.write(`unhandled: ${e?.stack}\n`)
		process.exit(3)
	})
	for (const name of process.argv.slice(2)) {
		say({ start: name })
		const began = Date.now()
		const values = []
		const errors = []
		await Promise.all(
			Array.from({ length: users }, async (_, u) => {
				try {
					values[u] = plain(await cases.get(name)({ number: u, who: `${client}/${name}/${mode}/${u}` }))
				} catch (e) {
					errors.push(`user ${u}: ${e?.stack ?? e}\n${JSON.stringify(e)}`.slice(0, 3000))
				}
			})
		)
		if (!errors.length) {
			const u = values.findIndex((v) => JSON.stringify(v) !== JSON.stringify(values[0]))
			if (u >= 0) {
				errors.push(`user 0 and user ${u} have different values\n${JSON.stringify(values[0])}\n${JSON.stringify(values[u])}`.slice(0, 3000))
			}
		}
		say({ case: name, value: values[0] ?? null, errors, seconds: (Date.now() - began) / 1000 })
	}
	process.exit(0)
}
