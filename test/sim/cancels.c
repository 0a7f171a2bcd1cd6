/*
 * cancels.c - every order of a cancel against finish, close, crash and timeout, for two clients and one server.
 *
 * Nothing is left to chance here.  Whatever can happen next is a gate: a client's step, a statement's end, the three
 * moments of a cancel request on its way to the server (connected, seen, closed), the server's death, a timeout.  One
 * gate is opened, everything that follows from it happens, then the next; when none is left it begins anew with
 * another order, until all orders have been seen.  A seed says which steps there are: see cancels_shape.
 *
 * The oracle knows requests, not only clients: what PostgreSQL gets is a cancel for the statement that runs, whose
 * client asked for that very one to be cancelled, or has left.
 */
#include "cancels.h"

#include "bytes.h"
#include "engine_sim.h"
#include "fakepg.h"
#include "pooler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANCEL_CODE 80877102u
#define PROTOCOL_3_2 0x30002u
#define WAYS 8	      /* cancel requests on their way at once */
#define DEPTH 64      /* gates in one order */
#define REQUESTS 4
#define TIMEOUT_MS 1000

/* --- what may happen --- */

enum step {
	STEP_A_CANCELS,
	STEP_A_CANCELS_AGAIN,
	STEP_A_ASKS_AGAIN,
	STEP_A_LEAVES,
	STEP_B_ASKS,
	STEP_B_CANCELS,
	STEP_B_LEAVES,
	STEP_SERVER_DIES,
	STEP_QUERY_TIMEOUT,
	STEP_CANCEL_TIMEOUT,
	STEPS,
	GATE_FINISH = STEPS, /* the statement that runs ends */
	GATE_CONNECTED,	     /* + number of the way: */
	GATE_SEEN = GATE_CONNECTED + WAYS,
	GATE_CLOSED = GATE_SEEN + WAYS,
	GATES = GATE_CLOSED + WAYS
};

static const char *const step_names[STEPS] = {
	"A cancels", "A cancels again", "A asks again", "A leaves",	 "B asks",
	"B cancels", "B leaves",	"server dies",	"query timeout", "cancel timeout",
};

static struct {
	unsigned steps; /* bits of enum step */
	unsigned workers;
	bool is_session;
} shape;

/* --- the state of one order --- */

struct party {
	char name;
	struct nsock *sock; /* NULL: gone */
	struct bytes in;
	uint32_t pid, key_len;
	uint8_t key[256];
	bool is_in, has_left, may_fail;
	unsigned asked, answered;
	bool wish[REQUESTS + 1]; /* a cancel was sent while this one was the newest and not answered */
	bool late;		 /* a cancel for an earlier request of its own was seen when it ran another one */
	bool got_error;
};

struct way { /* a cancel request on its way */
	struct nsock *sock; /* the server's end; NULL: free */
	struct nsock *dialled;
	struct bytes in;
	bool is_connected, has_come, was_seen;
	uint32_t pid; /* of the server that it is for, when it has come */
	struct party *victim;
};

static struct {
	struct party a, b, late;
	struct nsock *backend;
	struct bytes in;
	uint32_t pid;
	bool is_ready;
	char running[24]; /* "": nothing */
	struct party *runner;
	struct way way[WAYS];
	unsigned used; /* steps taken */
	unsigned killed, timeouts;
} w;

static struct {
	uint8_t choice[DEPTH], count[DEPTH];
	unsigned depth;
	unsigned long orders, seen_hits, refused;
} tree;

static void settle(void)
{
	while (!sim_is_quiet())
		(void)sim_step();
}

static void pass(uint64_t us)
{
	uint64_t until = sim.now + us;

	while (sim.count > 0 && sim.heap[0]->at <= until)
		(void)sim_step();
	settle();
}

static struct party *party_of(const char *statement)
{
	return statement[0] == 'A' ? &w.a : statement[0] == 'B' ? &w.b : statement[0] == 'C' ? &w.late : NULL;
}

static unsigned number_of(const char *statement)
{
	return (unsigned)(statement[1] - '0');
}

static void send_all(struct nsock *s, struct bytes *out)
{
	int n = net_sim_write(s, bytes_at(out), bytes_left(out));

	CHECK(n < 0 || (uint32_t)n == bytes_left(out));
	bytes_free(out);
}

/* --- the server --- */

static void backend_say(char type, const char *text, const char *code)
{
	struct bytes out = {0};
	uint32_t at;

	if (code != NULL) {
		at = bytes_begin(&out, 'E');
		for (const char *const *f = (const char *const[]){"SERROR", "VERROR", code, text, NULL}; *f != NULL; f++)
			bytes_str(&out, *f);
		bytes_u8(&out, 0);
		bytes_end(&out, at);
	} else if (text != NULL) {
		bytes_msg_str(&out, type, text);
	} else {
		bytes_msg(&out, type);
	}
	at = bytes_begin(&out, 'Z');
	bytes_u8(&out, 'I');
	bytes_end(&out, at);
	w.running[0] = '\0';
	w.runner = NULL;
	send_all(w.backend, &out);
}

static void backend_greet(void)
{
	static const char *const param[][2] = {
		{"server_version", "18.1"},   {"server_encoding", "UTF8"},	     {"client_encoding", "UTF8"},
		{"DateStyle", "ISO, MDY"},    {"TimeZone", "UTC"},		     {"IntervalStyle", "postgres"},
		{"application_name", ""},     {"standard_conforming_strings", "on"}, {"integer_datetimes", "on"},
		{"session_authorization", "u"},
	};
	struct bytes out = {0};
	uint32_t at = bytes_begin(&out, 'R');

	bytes_u32(&out, 0);
	bytes_end(&out, at);
	for (unsigned i = 0; i < ARRAY_LEN(param); i++) {
		at = bytes_begin(&out, 'S');
		bytes_str(&out, param[i][0]);
		bytes_str(&out, param[i][1]);
		bytes_end(&out, at);
	}
	at = bytes_begin(&out, 'K');
	bytes_u32(&out, w.pid);
	for (unsigned i = 0; i < 32; i++)
		bytes_u8(&out, (uint8_t)(w.pid + i));
	bytes_end(&out, at);
	at = bytes_begin(&out, 'Z');
	bytes_u8(&out, 'I');
	bytes_end(&out, at);
	send_all(w.backend, &out);
	w.is_ready = true;
}

static void backend_run(const char *sql)
{
	struct party *p = party_of(sql);

	CHECK(w.running[0] == '\0');
	if (sql[0] == '\0') {
		backend_say('I', NULL, NULL);
		return;
	}
	snprintf(w.running, sizeof(w.running), "%s", sql);
	w.runner = p;
	sim_trace("server runs %s", sql);
	/* hold rule: nothing on its way that somebody else asked for */
	for (unsigned i = 0; i < WAYS; i++)
		if (w.way[i].pid == w.pid && w.way[i].victim != p)
			sim_fail("%s runs while a cancel of %c is on its way to the same server", sql, w.way[i].victim->name);
}

static void backend_input(struct nsock *s, struct bytes *in)
{
	uint8_t room[512];
	uint32_t n;

	while ((n = net_sim_read(s, room, sizeof(room))) > 0)
		bytes_put(in, room, n);
}

static void backend_on_ready(struct nsock *s)
{
	const uint8_t *body;
	uint32_t len;
	char type;

	if (s != w.backend)
		return;
	backend_input(s, &w.in);
	if (!w.is_ready && bytes_left(&w.in) >= 8 && bytes_left(&w.in) >= bytes_get_u32(bytes_at(&w.in))) {
		bytes_skip(&w.in, bytes_get_u32(bytes_at(&w.in)));
		backend_greet();
	}
	while (w.is_ready && bytes_next(&w.in, &type, &body, &len)) {
		if (type == 'Q')
			backend_run((const char *)body);
		else if (type != 'X')
			sim_fail("the server got a message %c", type);
		bytes_skip(&w.in, 0);
	}
	if (s->is_eof || s->is_reset) {
		w.backend = NULL;
		w.running[0] = '\0';
		net_sim_close(s);
	}
}

/* --- cancel requests on their way --- */

static void way_end(struct way *y)
{
	struct nsock *s = y->sock;

	bytes_free(&y->in);
	*y = (struct way){.sock = NULL};
	net_sim_close(s);
}

static void way_on_ready(struct nsock *s)
{
	struct way *y = s->owner;
	const uint8_t *p;

	backend_input(s, &y->in);
	if (!y->has_come && bytes_left(&y->in) >= 4 && bytes_left(&y->in) >= bytes_get_u32(bytes_at(&y->in))) {
		p = bytes_at(&y->in);
		y->has_come = true;
		if (!y->is_connected || bytes_get_u32(p) != 44 || bytes_left(&y->in) != 44 || bytes_get_u32(p + 4) != CANCEL_CODE)
			sim_fail("a malformed cancel request");
		if (bytes_get_u32(p + 8) != w.pid || w.backend == NULL)
			sim_fail("a cancel request for a server that is gone");
		for (unsigned i = 0; i < 32; i++)
			if (p[12 + i] != (uint8_t)(w.pid + i))
				sim_fail("a cancel request with a wrong key");
		if (w.runner == NULL)
			sim_fail("I5: a cancel request comes while '%s' runs", w.running);
		if (!w.runner->has_left && !w.runner->may_fail && !w.runner->wish[number_of(w.running)])
			sim_fail("I5: a cancel request for %s, which nobody wants cancelled", w.running);
		y->victim = w.runner;
		y->pid = w.pid;
		for (unsigned i = 0; i < WAYS; i++)
			if (&w.way[i] != y && w.way[i].pid == w.pid)
				sim_fail("two cancel requests under way to one server");
	}
	if (s->is_eof || s->is_reset)
		way_end(y);
}

static void way_seen(struct way *y)
{
	y->was_seen = true;
	if (y->pid != w.pid || w.running[0] == '\0')
		return;
	if (w.runner != y->victim)
		sim_fail("I5: a cancel request of %c hits '%s'", y->victim->name, w.running);
	sim_trace("cancel hits %s", w.running);
	tree.seen_hits++;
	w.runner->late = true;
	backend_say(0, "Mcanceling statement due to user request", "C57014");
}

static struct nsock *cancels_dial(const struct addr *to FX_UNUSED, const char *path FX_UNUSED, int *err FX_UNUSED);

static void dial_on_connected(struct sim_event *e)
{
	struct nsock *s = container_of(e, struct nsock, connected);

	s->connect_err = 0;
	if (s->on_ready != NULL)
		s->on_ready(s);
}

static struct nsock *cancels_dial(const struct addr *to FX_UNUSED, const char *path FX_UNUSED, int *err FX_UNUSED)
{
	struct nsock *ours, *theirs;

	net_sim_pair(&theirs, &ours, "pooler", "server");
	theirs->connected.fire = dial_on_connected;
	if (w.backend == NULL) {
		w.backend = ours;
		w.is_ready = false;
		w.pid++;
		bytes_free(&w.in);
		ours->on_ready = backend_on_ready;
		sim_after(&theirs->connected, 1);
		return theirs;
	}
	for (unsigned i = 0; i < WAYS; i++) {
		if (w.way[i].sock != NULL)
			continue;
		w.way[i] = (struct way){.sock = ours, .dialled = theirs};
		ours->owner = &w.way[i];
		ours->on_ready = way_on_ready;
		return theirs;
	}
	sim_fail("too many cancel requests under way");
}

/* --- the clients --- */

static void party_gone(struct party *p)
{
	struct nsock *s = p->sock;

	p->sock = NULL;
	s->on_ready = NULL;
	net_sim_close(s);
}

static void party_error(struct party *p, const char *body, uint32_t len)
{
	bool is_cancel = memmem(body, len, "C57014", 6) != NULL, is_fatal = memmem(body, len, "SFATAL", 6) != NULL;

	sim_trace("%c gets an error %.60s", p->name, body);
	if (p->got_error)
		sim_fail("%c gets two errors", p->name);
	p->got_error = !is_fatal;
	if (p->may_fail || w.killed > 0)
		return;
	if (!is_cancel || is_fatal)
		sim_fail("%c gets an error for no reason: %s", p->name, body);
	if (p->asked == p->answered || (!p->wish[p->asked] && !p->late))
		sim_fail("%c%u was cancelled, and nobody wanted that", p->name, p->asked);
}

static void party_message(struct party *p, char type, const uint8_t *body, uint32_t len)
{
	char want[8];

	switch (type) {
	case 'K':
		p->pid = bytes_get_u32(body);
		p->key_len = len - 4;
		memcpy(p->key, body + 4, p->key_len);
		break;
	case 'Z':
		if (!p->is_in) {
			p->is_in = true;
			break;
		}
		if (p->asked == p->answered)
			sim_fail("%c got an answer to nothing", p->name);
		p->answered++;
		p->got_error = p->late = false;
		break;
	case 'C':
		snprintf(want, sizeof(want), "%c%u", p->name, p->answered + 1);
		if (strcmp((const char *)body, want) != 0 || p->asked == p->answered || p->got_error)
			sim_fail("%c got %s, waits for %s", p->name, (const char *)body, want);
		break;
	case 'E':
		party_error(p, (const char *)body, len);
		break;
	default:
		break;
	}
}

static void party_on_ready(struct nsock *s)
{
	struct party *p = s->owner;
	const uint8_t *body;
	uint32_t len;
	char type;

	backend_input(s, &p->in);
	while (bytes_next(&p->in, &type, &body, &len)) {
		party_message(p, type, body, len);
		bytes_skip(&p->in, 0);
	}
	if (s->is_eof || s->is_reset) {
		if (!p->may_fail && w.killed == 0)
			sim_fail("%c was disconnected", p->name);
		p->has_left = true;
		party_gone(p);
	}
}

static void party_enter(struct party *p, char name)
{
	struct bytes out = {0};
	uint32_t at = bytes_begin(&out, 0);

	p->name = name;
	p->sock = pooler_connect();
	p->sock->owner = p;
	p->sock->on_ready = party_on_ready;
	bytes_u32(&out, PROTOCOL_3_2);
	for (const char *const *f = (const char *const[]){"user", "u0", "database", "d0", NULL}; *f != NULL; f++)
		bytes_str(&out, *f);
	bytes_u8(&out, 0);
	bytes_end(&out, at);
	send_all(p->sock, &out);
	settle();
	if (!p->is_in || p->key_len != 32)
		sim_fail("%c could not log in", name);
}

static void party_ask(struct party *p)
{
	struct bytes out = {0};
	char text[8];

	p->asked++;
	CHECK(p->asked <= REQUESTS);
	snprintf(text, sizeof(text), "%c%u", p->name, p->asked);
	bytes_msg_str(&out, 'Q', text);
	send_all(p->sock, &out);
}

static void cancel_on_ready(struct nsock *s)
{
	if (s->is_eof || s->is_reset) {
		s->on_ready = NULL;
		net_sim_close(s);
	}
}

static void party_cancel(struct party *p)
{
	struct bytes out = {0};
	uint32_t at = bytes_begin(&out, 0);
	struct nsock *s = pooler_connect();

	if (p->asked > p->answered)
		p->wish[p->asked] = true;
	bytes_u32(&out, CANCEL_CODE);
	bytes_u32(&out, p->pid);
	for (uint32_t i = 0; i < p->key_len; i++)
		bytes_u8(&out, p->key[i]);
	bytes_end(&out, at);
	s->on_ready = cancel_on_ready;
	send_all(s, &out);
}

static void party_leave(struct party *p)
{
	p->has_left = true;
	party_gone(p);
}

/* --- gates --- */

static bool party_may_ask(const struct party *p)
{
	return p->sock != NULL && p->asked == p->answered;
}

static bool step_is_open(enum step step)
{
	switch (step) {
	case STEP_A_CANCELS:
		return w.a.sock != NULL || w.a.has_left;
	case STEP_A_CANCELS_AGAIN:
		return (w.used & 1u << STEP_A_CANCELS) != 0;
	case STEP_A_ASKS_AGAIN:
		return party_may_ask(&w.a);
	case STEP_A_LEAVES:
		return w.a.sock != NULL;
	case STEP_B_ASKS:
		return party_may_ask(&w.b);
	case STEP_B_CANCELS:
		return w.b.asked > 0;
	case STEP_B_LEAVES:
		return w.b.sock != NULL;
	case STEP_SERVER_DIES:
		return w.backend != NULL && w.is_ready;
	default:
		return true;
	}
}

static bool gate_is_open(unsigned gate)
{
	const struct way *y = &w.way[(gate - GATE_CONNECTED) % WAYS];

	if (gate < STEPS)
		return (shape.steps & ~w.used & 1u << gate) != 0 && step_is_open((enum step)gate);
	if (gate == GATE_FINISH)
		return w.running[0] != '\0';
	if (y->sock == NULL)
		return false;
	if (gate < GATE_SEEN)
		return !y->is_connected;
	if (gate < GATE_CLOSED)
		return y->has_come && !y->was_seen;
	return y->was_seen;
}

static void server_dies(void)
{
	struct nsock *s = w.backend;

	w.killed++;
	w.backend = NULL;
	w.running[0] = '\0';
	w.runner = NULL;
	net_sim_abort(s);
}

static void step_take(enum step step)
{
	w.used |= 1u << step;
	switch (step) {
	case STEP_A_CANCELS:
	case STEP_A_CANCELS_AGAIN:
		party_cancel(&w.a);
		break;
	case STEP_A_ASKS_AGAIN:
		party_ask(&w.a);
		break;
	case STEP_A_LEAVES:
		party_leave(&w.a);
		break;
	case STEP_B_ASKS:
		party_ask(&w.b);
		break;
	case STEP_B_CANCELS:
		party_cancel(&w.b);
		break;
	case STEP_B_LEAVES:
		party_leave(&w.b);
		break;
	case STEP_SERVER_DIES:
		server_dies();
		break;
	case STEP_QUERY_TIMEOUT:
		w.a.may_fail = w.b.may_fail = true;
		pass((uint64_t)TIMEOUT_MS * 1500);
		break;
	case STEP_CANCEL_TIMEOUT:
		/* a server whose cancel did not come to its end is closed when its work is done: it may be a new one that B gets */
		pass(UINT64_C(11) * 1000000);
		break;
	default:
		break;
	}
}

static void gate_pass(unsigned gate)
{
	struct way *y = &w.way[(gate - GATE_CONNECTED) % WAYS];

	if (gate < STEPS) {
		sim_trace("-- %s", step_names[gate]);
		step_take((enum step)gate);
	} else if (gate == GATE_FINISH) {
		char text[24];

		memcpy(text, w.running, sizeof(text));
		sim_trace("-- %s ends", text);
		backend_say('C', text, NULL);
	} else if (gate < GATE_SEEN) {
		sim_trace("-- cancel %u is connected", gate - GATE_CONNECTED);
		y->is_connected = true;
		sim_after(&y->dialled->connected, 0);
	} else if (gate < GATE_CLOSED) {
		sim_trace("-- cancel %u is seen", gate - GATE_SEEN);
		way_seen(y);
	} else {
		sim_trace("-- cancel %u is closed", gate - GATE_CLOSED);
		way_end(y);
	}
	settle();
}

/* opens one gate, which one is up to the tree; false: none is left */
static bool gate_next(void)
{
	unsigned open[GATES], n = 0;

	for (unsigned g = 0; g < GATES; g++)
		if (gate_is_open(g))
			open[n++] = g;
	if (n == 0)
		return false;
	if (tree.depth == DEPTH)
		sim_fail("there is no end to it");
	tree.count[tree.depth] = (uint8_t)n;
	gate_pass(open[tree.choice[tree.depth++]]);
	return true;
}

/* the next order; false: all have been */
static bool tree_advance(void)
{
	while (tree.depth > 0 && tree.choice[tree.depth - 1] + 1 >= tree.count[tree.depth - 1])
		tree.depth--;
	if (tree.depth == 0)
		return false;
	tree.choice[tree.depth - 1]++;
	memset(tree.choice + tree.depth, 0, DEPTH - tree.depth);
	return true;
}

/* --- one order from its beginning to its end --- */

static void party_check(const struct party *p)
{
	if (p->sock != NULL && p->asked != p->answered)
		sim_fail("%c%u is never answered", p->name, p->asked);
}

static void party_fini(struct party *p)
{
	if (p->sock != NULL)
		party_gone(p);
	bytes_free(&p->in);
}

static void cancels_order(uint64_t seed, bool verbose)
{
	const struct pooler_manners manners = {
		.workers = shape.workers,
		.mode = shape.is_session ? "session" : "transaction",
		.pool_size = 1,
		.max_clients = 100,
		.attaches_late = true,
		.linger_ms = 5000,
		.lifetime_ms = 3600000,
		.ping_idle_ms = 3600000,
		.retry_ms = 10,
		.connect_timeout_s = 100,
		.query_ms = shape.steps & 1u << STEP_QUERY_TIMEOUT ? TIMEOUT_MS : 0,
	};
	const struct fakepg_manners nobody = {.max_connections = BACKENDS};

	sim_start(seed, verbose);
	net_sim_start();
	fakepg_start(&nobody);
	net_sim_on_lost = NULL;
	sim.weather = (struct sim_weather){.window = 65536, .max_segment = 65536, .max_read = 65536, .rst_drops_data = true};
	memset(&w, 0, sizeof(w));
	tree.depth = 0;
	engine_sim_dial = cancels_dial;
	pooler_start(&manners, 1, 1);
	engine_sim_after_turn = NULL;
	settle();
	party_enter(&w.a, 'A');
	if (!shape.is_session)
		party_enter(&w.b, 'B');
	party_ask(&w.a);
	settle();
	if (strcmp(w.running, "A1") != 0)
		sim_fail("A1 does not run");
	if (shape.is_session)
		party_enter(&w.b, 'B');
	while (gate_next())
		;
	party_check(&w.a);
	if (!shape.is_session || w.a.sock == NULL)
		party_check(&w.b);
	/* and the server, or its successor, is there for others */
	if (w.a.sock != NULL)
		party_leave(&w.a);
	settle();
	while (w.running[0] != '\0' || w.b.sock != NULL) {
		if (w.running[0] != '\0')
			gate_pass(GATE_FINISH);
		else if (w.b.asked == w.b.answered)
			party_leave(&w.b), settle();
		else
			sim_fail("%c%u is never answered", w.b.name, w.b.asked);
	}
	party_enter(&w.late, 'C');
	party_ask(&w.late);
	settle();
	while (w.running[0] != '\0')
		gate_pass(GATE_FINISH);
	party_check(&w.late);
	party_fini(&w.a);
	party_fini(&w.b);
	party_fini(&w.late);
	settle();
	while (w.running[0] != '\0')
		gate_pass(GATE_FINISH);
	pooler_stop();
	settle();
	pooler_finish();
	bytes_free(&w.in);
	if (net_sim_finish() > 0)
		sim_fail("a socket was never closed");
	fakepg_finish();
	sim_finish();
}

/* Up to three steps beside A's cancel, fewer first, in either mode, with the clients on one worker or on two. */
static bool cancels_shape(uint64_t seed)
{
	uint64_t n = seed / 4;

	shape.workers = 1 + (unsigned)(seed & 1);
	shape.is_session = seed & 2;
	for (unsigned i = 0; i < 4u << STEPS; i++) {
		unsigned steps = i & ((1u << STEPS) - 1);

		if (!(steps & 1u << STEP_A_CANCELS) || (unsigned)__builtin_popcount(steps) != 1 + (i >> STEPS))
			continue;
		/* steps that can never be taken */
		if ((steps & (1u << STEP_B_CANCELS)) && !(steps & 1u << STEP_B_ASKS))
			continue;
		if ((steps & 1u << STEP_QUERY_TIMEOUT) && (steps & 1u << STEP_CANCEL_TIMEOUT))
			continue;
		if (n-- == 0) {
			shape.steps = steps;
			return true;
		}
	}
	return false;
}

void cancels_run(uint64_t seed, bool verbose, struct world_counts *counts)
{
	memset(&tree, 0, sizeof(tree));
	if (!cancels_shape(seed))
		return;
	do {
		cancels_order(seed, verbose);
		tree.orders++;
		counts->steps += sim.steps;
	} while (tree_advance());
	counts->seeds++;
	counts->orders += tree.orders;
	counts->cancels_hit += tree.seen_hits;
}
