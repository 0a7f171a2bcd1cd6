/*
 * fakepg.c - a fake PostgreSQL server.
 */
#include "fakepg.h"

#include "pooler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROTOCOL_CANCEL 80877102u
#define PROTOCOL_SSL 80877103u
#define PROTOCOL_GSS 80877104u

struct fakepg fakepg;

static void backend_on_ready(struct nsock *s);
static void backend_on_work(struct sim_event *e);
static void backend_on_exit(struct sim_event *e);
static void fakepg_on_lost(const struct nsock *to, const uint8_t *data, uint32_t n);

void fakepg_start(const struct fakepg_manners *manners)
{
	memset(&fakepg, 0, sizeof(fakepg));
	fakepg.manners = *manners;
	fakepg.next_pid = 100;
	pgm_schema = 0;
	net_sim_on_lost = fakepg_on_lost;
}

static void backend_free(struct backend *b)
{
	for (unsigned i = 0; i < fakepg.count; i++)
		if (fakepg.backend[i] == b) {
			fakepg.backend[i] = fakepg.backend[--fakepg.count];
			break;
		}
	sim_cancel(&b->work);
	sim_cancel(&b->exit);
	bytes_free(&b->in);
	pgm_fini(&b->m);
	free(b);
}

void fakepg_finish(void)
{
	while (fakepg.count > 0)
		backend_free(fakepg.backend[0]);
}

static struct backend *backend_new(struct nsock *s)
{
	struct backend *b = calloc(1, sizeof(*b));

	CHECK(b != NULL && fakepg.count < BACKENDS);
	fakepg.backend[fakepg.count++] = b;
	b->sock = s;
	b->pid = fakepg.next_pid++;
	b->key = (uint32_t)rnd_next(&sim.rnd);
	b->work.fire = backend_on_work;
	b->exit.fire = backend_on_exit;
	pgm_init(&b->m);
	s->owner = b;
	s->on_ready = backend_on_ready;
	sim_trace("backend %u is at the other end of %d", b->pid, s->peer->fd);
	return b;
}

/* --- limits, as the server counts --- */

static void fakepg_count(const struct backend *b)
{
	const struct fakepg_manners *m = &fakepg.manners;
	unsigned pool = 0, db = 0, user = 0;

	for (unsigned i = 0; i < fakepg.count; i++) {
		const struct backend *o = fakepg.backend[i];
		bool same_db = strcmp(o->db, b->db) == 0, same_user = strcmp(o->user, b->user) == 0;

		if (!o->has_slot || o->is_cut)
			continue;
		pool += same_db && same_user;
		db += same_db;
		user += same_user;
	}
	if (m->limit_pool > 0 && pool > m->limit_pool)
		sim_fail("%u connections of %s/%s, the pool's limit is %u", pool, b->db, b->user, m->limit_pool);
	if (m->limit_db > 0 && db > m->limit_db)
		sim_fail("%u connections to database %s, its limit is %u", db, b->db, m->limit_db);
	if (m->limit_user > 0 && user > m->limit_user)
		sim_fail("%u connections of user %s, the limit is %u", user, b->user, m->limit_user);
}

static void backend_take_slot(struct backend *b)
{
	b->has_slot = true;
	if (++fakepg.slots > fakepg.slots_seen)
		fakepg.slots_seen = fakepg.slots;
	fakepg_count(b);
}

static void backend_drop_slot(struct backend *b)
{
	if (b->has_slot)
		fakepg.slots--;
	b->has_slot = false;
}

/* --- the end of a backend --- */

static uint32_t up_to(uint32_t n)
{
	return n > 0 ? sim_rnd(n) : 0;
}

static void backend_excuse_bytes(const uint8_t *data, uint32_t n, const char *why)
{
	char text[513], owner[16];

	/* what lies in pieces can't be told apart: anybody's */
	for (uint32_t i = 0; i + 2 < n; i++) {
		if (data[i] != '<' || data[i + 1] != 'c')
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)(n - i < 32 ? n - i : 32), (const char *)data + i);
		pgm_owner(text, owner);
		fakeclient_excuse(owner[0] != '\0' ? owner : NULL, why);
	}
}

/* whoever has something under way here may lose it */
static void backend_excuse(struct backend *b, const char *why)
{
	const struct pgm *m = &b->m;
	const struct nsock *s = b->sock;
	bool has_input = bytes_left(&b->in) > 0 || (s != NULL && (s->len > 0 || s->coming_bytes > 0));
	bool has_output = bytes_left(&m->out) > 0 || (s != NULL && (s->peer->coming_bytes > 0 || s->peer->len > 0));
	bool is_ridden = fakepg.manners.is_session || m->is_odd || m->tx != 'I' || m->is_extended || m->is_copying ||
			 b->is_working || pgm_is_busy(m) || has_output;

	if (is_ridden)
		fakeclient_excuse(b->owner[0] == '\0' || b->has_anonymous ? NULL : b->owner, why);
	if (has_output && b->owner[0] != '\0')
		fakeclient_excuse_for_good(b->owner, why);
	/* pieces of messages, messages without a token: anybody's */
	if (has_input)
		fakeclient_excuse(NULL, why);
}

/* written by the pooler, and nobody was there any more */
static void fakepg_on_lost(const struct nsock *to, const uint8_t *data, uint32_t n)
{
	static const uint8_t terminate[] = {'X', 0, 0, 0, 4};

	if (strcmp(to->name, "backend") != 0 || (n == 5 && memcmp(data, terminate, 5) == 0))
		return;
	backend_excuse_bytes(data, n, "its request was lost on the way");
	fakeclient_excuse(NULL, "a request was lost on the way");
}

static void backend_close(struct backend *b)
{
	struct nsock *s = b->sock;

	b->sock = NULL;
	if (s == NULL)
		return;
	s->on_ready = NULL;
	if (s->is_reset)
		net_sim_abort(s);
	else
		net_sim_close(s);
}

static void backend_on_exit(struct sim_event *e)
{
	struct backend *b = container_of(e, struct backend, exit);

	sim_trace("backend %u exits", b->pid);
	if (b->says_farewell)
		backend_excuse(b, "its server was terminated");
	/* the slot first, then the socket: as PostgreSQL does */
	backend_drop_slot(b);
	backend_close(b);
	backend_free(b);
}

static void backend_exit(struct backend *b, const char *why)
{
	if (b->state == BACKEND_EXITING)
		return;
	sim_trace("backend %u is leaving: %s", b->pid, why);
	b->state = BACKEND_EXITING;
	b->is_working = false;
	sim_cancel(&b->work);
	sim_after(&b->exit, up_to(fakepg.manners.exit_us));
}

/* --- output --- */

/* false: it does not fit, or the peer is gone */
static bool backend_flush(struct backend *b)
{
	struct bytes *out = &b->m.out;

	b->is_blocked = false;
	while (bytes_left(out) > 0 && b->sock != NULL) {
		int n = net_sim_write(b->sock, bytes_at(out), bytes_left(out));

		if (n < 0) {
			bytes_skip(out, bytes_left(out));
			backend_exit(b, "could not send data to client");
			return false;
		}
		if (n == 0) {
			/* what has begun to leave leaves whole */
			b->is_blocked = b->m.wants_flush = true;
			return false;
		}
		bytes_skip(out, (uint32_t)n);
	}
	b->m.wants_flush = false;
	return true;
}

static void backend_fatal(struct backend *b, const char *code, const char *text)
{
	b->says_farewell = true;
	pgm_report(&b->m.out, 'E', "FATAL", code, text);
	backend_flush(b);
	backend_exit(b, text);
}

static void backend_async(struct backend *b)
{
	uint32_t at;

	if (b->state != BACKEND_READY || b->is_blocked)
		return;
	b->has_spoken_async = true;
	if (sim_one_in(2)) {
		pgm_report(&b->m.out, 'N', "NOTICE", "00000", "async");
	} else {
		at = bytes_begin(&b->m.out, 'S');
		bytes_str(&b->m.out, "in_hot_standby");
		bytes_str(&b->m.out, sim_one_in(2) ? "on" : "off");
		bytes_end(&b->m.out, at);
	}
	if (sim_one_in(2))
		backend_flush(b);
}

/* --- cancel requests --- */

/* a statement that only a pooler says */
static bool backend_is_ours(const char *text)
{
	return strncmp(text, "ROLLBACK", 8) == 0 || strncmp(text, "DISCARD", 7) == 0 ||
	       strncmp(text, "SELECT", 6) == 0 || strncmp(text, "SET", 3) == 0 || strncmp(text, "RESET", 5) == 0;
}

/* Who was served last: by its application_name, where it has one; not everything that is said tells. */
static void backend_last(const struct backend *b, char *owner, size_t size)
{
	unsigned n;

	if (sscanf(b->m.app, "app-%u", &n) == 1)
		snprintf(owner, size, "c%u", n);
	else
		snprintf(owner, size, "%s", b->owner);
}

static void backend_hit(struct backend *b)
{
	char owner[16];

	/* an empty statement is over before it can be interrupted */
	if (b->state == BACKEND_READY && b->is_working && pgm_is_busy(&b->m) &&
	    b->m.todo[b->m.todo_at][0] != '\0') {
		pgm_owner(b->m.todo[b->m.todo_at], owner);
		/* some name nobody; when nobody rides, whose it was has left */
		if (owner[0] == '\0')
			snprintf(owner, sizeof(owner), "%s", pooler_rider(b->pid));
		sim_trace("cancel hits backend %u in '%s'", b->pid, b->m.todo[b->m.todo_at]);
		/* what the pooler says after a client is cancelled only by the pooler itself */
		if (owner[0] == '\0' && backend_is_ours(b->m.todo[b->m.todo_at]) && !pooler_is_closing(b->pid))
			backend_last(b, owner, sizeof(owner));
		if (owner[0] != '\0' && !fakeclient_may_cancel(owner))
			sim_fail("I5: a cancel request hit '%s' on backend %u, whose client asked for none",
				 b->m.todo[b->m.todo_at], b->pid);
		fakepg.cancels_hit++;
		b->is_working = b->is_sleeping = false;
		sim_cancel(&b->work);
		b->work.is_background = false;
		pgm_run(&b->m, PGM_CANCELLED);
		sim_after(&b->work, 1);
	} else if (b->state == BACKEND_READY && b->m.is_copying) {
		if (!fakeclient_may_cancel(b->owner))
			sim_fail("I5: a cancel request hit the COPY of %s on backend %u", b->owner, b->pid);
		fakepg.cancels_hit++;
		b->has_cancel = true;
		sim_trace("cancel hits backend %u in COPY", b->pid);
	} else {
		fakepg.cancels_missed++;
		sim_trace("cancel finds backend %u idle", b->pid);
	}
}

static void fakepg_cancel(uint32_t pid, uint32_t key)
{
	for (unsigned i = 0; i < fakepg.count; i++) {
		struct backend *b = fakepg.backend[i];

		if (b->pid == pid && b->key == key && b->has_slot) {
			backend_hit(b);
			return;
		}
	}
	sim_trace("cancel for nobody (%u)", pid);
}

/* --- login --- */

static void backend_welcome(struct backend *b)
{
	const char *param[][2] = {
		{"server_version", "15.4"},	{"server_encoding", "UTF8"}, {"client_encoding", "UTF8"},
		{"application_name", ""},	{"DateStyle", "ISO, MDY"},   {"TimeZone", "UTC"},
		{"integer_datetimes", "on"},	{"standard_conforming_strings", "on"},
		{"IntervalStyle", "postgres"},	{"is_superuser", "off"},     {"session_authorization", "u"},
	};
	struct bytes *out = &b->m.out;
	uint32_t at = bytes_begin(out, 'R');

	param[3][1] = b->m.app;
	bytes_u32(out, 0);
	bytes_end(out, at);
	for (unsigned i = 0; i < ARRAY_LEN(param); i++) {
		at = bytes_begin(out, 'S');
		bytes_str(out, param[i][0]);
		bytes_str(out, param[i][1]);
		bytes_end(out, at);
	}
	at = bytes_begin(out, 'K');
	bytes_u32(out, b->pid);
	bytes_u32(out, b->key);
	bytes_end(out, at);
	at = bytes_begin(out, 'Z');
	bytes_u8(out, 'I');
	bytes_end(out, at);
	b->m.wants_flush = true;
	b->state = BACKEND_READY;
	fakepg.logins++;
	sim_trace("backend %u: %s/%s logged in (%u slots)", b->pid, b->db, b->user, fakepg.slots);
}

static void backend_read_options(struct backend *b, const char *p, const char *end)
{
	while (p < end && *p != '\0') {
		const char *value = p + strlen(p) + 1;

		if (strcmp(p, "user") == 0)
			snprintf(b->user, sizeof(b->user), "%s", value);
		if (strcmp(p, "application_name") == 0)
			snprintf(b->m.app_base, sizeof(b->m.app_base), "%s", value);
		if (strcmp(p, "database") == 0)
			snprintf(b->db, sizeof(b->db), "%s", value);
		p = value + strlen(value) + 1;
	}
}

static void backend_begin(struct backend *b, const uint8_t *body, uint32_t len)
{
	uint32_t at;

	backend_read_options(b, (const char *)body, (const char *)body + len);
	memcpy(b->m.app, b->m.app_base, sizeof(b->m.app));
	if (fakepg.slots >= fakepg.manners.max_connections) {
		if (fakepg.manners.limit_pool > 0)
			sim_fail("the server's last slot is taken: more connections than the budget");
		backend_fatal(b, "53300", "sorry, too many clients already");
		return;
	}
	backend_take_slot(b);
	if (fakepg.manners.reject_one_in > 0 && sim_one_in(fakepg.manners.reject_one_in)) {
		fakeclient_excuse(NULL, "login rejected");
		backend_fatal(b, "28000", "login rejected");
		return;
	}
	if (fakepg.manners.wants_password) {
		at = bytes_begin(&b->m.out, 'R');
		bytes_u32(&b->m.out, 3);
		bytes_end(&b->m.out, at);
		b->m.wants_flush = true;
		b->state = BACKEND_PASSWORD;
		return;
	}
	backend_welcome(b);
}

/* the untyped packet before login; false: not all there */
static bool backend_startup(struct backend *b)
{
	const uint8_t *p = bytes_at(&b->in);
	uint32_t n, code;

	if (bytes_left(&b->in) < 8)
		return false;
	n = bytes_get_u32(p);
	code = bytes_get_u32(p + 4);
	if (n < 8 || n > 10000) {
		b->m.garbage = "a startup packet of impossible length";
		return false;
	}
	if (bytes_left(&b->in) < n)
		return false;
	if (code == PROTOCOL_SSL || code == PROTOCOL_GSS) {
		bytes_u8(&b->m.out, 'N');
		b->m.wants_flush = true;
	} else if (code == PROTOCOL_CANCEL) {
		fakepg_cancel(bytes_get_u32(p + 8), bytes_get_u32(p + 12));
		backend_exit(b, "cancel request is done");
	} else {
		backend_begin(b, p + 8, n - 8);
	}
	bytes_skip(&b->in, n);
	return true;
}

/* --- work --- */

/* the owner changed: what the former one did must be over in every respect */
static void backend_new_rider(struct backend *b, const char *owner)
{
	const struct pgm *m = &b->m;
	const struct nsock *peer = b->sock->peer;

	sim_trace("backend %u: now %s (was %s)", b->pid, owner, b->owner);
	if (b->owner[0] != '\0') {
		if (m->tx != 'I')
			sim_fail("I1: %s rides on backend %u in %s's transaction", owner, b->pid, b->owner);
		if (!b->was_clean)
			sim_fail("I2: %s rides on backend %u, %s left something open", owner, b->pid, b->owner);
		if (!b->has_spoken_async && !b->has_anonymous && (bytes_left(&m->out) > 0 || peer->coming_bytes > 0 || peer->len > 0))
			sim_fail("I2: %s rides on backend %u before %s's replies were read", owner, b->pid,
				 b->owner);
		if (m->var[0] != '\0')
			sim_fail("I2: %s rides on backend %u with %s's session state", owner, b->pid, b->owner);
	}
	b->has_spoken_async = b->has_anonymous = b->m.is_odd = false;
	snprintf(b->owner, sizeof(b->owner), "%s", owner);
}

/* Does a message of this type tell whose it is, or at least that it is somebody's? */
static bool backend_tells(const struct backend *b, char type, const uint8_t *body, uint32_t len)
{
	if (type == 'S')
		return !b->m.is_extended;
	/* a named statement may be anybody's, and the unnamed one may be closed for whoever comes next */
	if (type == 'D' || type == 'C')
		return (len > 2 && body[0] == 'S' && body[1] != '\0') || (type == 'C' && !b->m.is_extended);
	/* of a portal that nobody has made */
	if (type == 'E')
		return !b->m.is_extended;
	return strchr("QPdFB", type) != NULL;
}

static void backend_look(struct backend *b, char type, const uint8_t *body, uint32_t len)
{
	char text[PGM_TEXT + 32], owner[16];
	uint32_t n = len < sizeof(text) - 1 ? len : (uint32_t)sizeof(text) - 1;

	memcpy(text, body, n);
	for (uint32_t i = 0; i < n; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	text[n] = '\0';
	pgm_owner(text, owner);
	if (owner[0] == '\0')
		b->has_anonymous = b->has_anonymous || type != 'B';
	else if (strcmp(owner, b->owner) != 0)
		backend_new_rider(b, owner);
	if (owner[0] != '\0')
		b->was_clean = false;
}

/* a Parse of the pooler's in a failed transaction */
static void backend_parse(struct backend *b, const uint8_t *body, uint32_t len)
{
	bool is_ours = b->m.tx == 'E' && !b->m.is_skipping && len > 3 && memcmp(body, "fx_", 3) == 0;

	pgm_message(&b->m, 'P', body, len);
	if (is_ours && b->m.is_skipping)
		fakeclient_refuse(b->owner, (const char *)body + strlen((const char *)body) + 1);
}

/* one message, or its first step; false: nothing to do */
static bool backend_message(struct backend *b)
{
	const uint8_t *body;
	uint32_t len;
	char type;

	if (b->state == BACKEND_STARTUP)
		return backend_startup(b);
	if (!bytes_next(&b->in, &type, &body, &len))
		return false;
	sim_trace("backend %u gets %c(%u) %.*s", b->pid, type, len, type == 'Q' ? (int)len : 0, (const char *)body);
	if (b->state == BACKEND_PASSWORD) {
		backend_welcome(b);
	} else if (b->has_cancel && b->m.is_copying) {
		b->has_cancel = false;
		b->m.has_ignored_sync = b->m.has_ignored_sync || type == 'S';
		pgm_cancel_copy(&b->m);
	} else {
		b->was_clean = b->was_clean || !(b->m.is_copying || b->m.is_skipping || b->m.is_extended);
		if (backend_tells(b, type, body, len))
			backend_look(b, type, body, len);
		if (type == 'P')
			backend_parse(b, body, len);
		else
			pgm_message(&b->m, type, body, len);
	}
	bytes_skip(&b->in, 0);
	if (b->m.garbage != NULL)
		sim_fail("backend %u got %s (%c)", b->pid, b->m.garbage, type);
	return true;
}

static void backend_start_statement(struct backend *b)
{
	uint32_t us = pgm_sleep(&b->m);

	b->is_working = true;
	b->is_sleeping = us > 0;
	b->work.is_background = us > 0;
	fakepg.statements++;
	sim_after(&b->work, us + 1 + up_to(fakepg.manners.exec_us));
}

static void backend_read(struct backend *b)
{
	uint8_t room[4096];
	uint32_t n = net_sim_read(b->sock, room, sizeof(room));

	bytes_put(&b->in, room, n);
}

/* the stream ended in the middle of a message: whoever ends it must not have put a farewell into that */
static void backend_check_end(const struct backend *b)
{
	static const uint8_t terminate[] = {'X', 0, 0, 0, 4};

	if (b->state == BACKEND_READY && bytes_left(&b->in) > 5 && b->sock->is_eof &&
	    memcmp(b->in.data + b->in.len - 5, terminate, 5) == 0)
		sim_fail("backend %u got Terminate in the middle of a message", b->pid);
}

static void backend_step(struct backend *b)
{
	struct pgm *m = &b->m;

	if (b->is_working) {
		b->is_working = b->is_sleeping = false;
		pgm_run(m, PGM_DONE);
		if (m->garbage != NULL)
			sim_fail("backend %u got %s", b->pid, m->garbage);
	}
	if ((m->wants_flush || bytes_left(&m->out) > 8192 || sim_one_in(fakepg.manners.flush_one_in)) && !backend_flush(b))
		return;
	if (!m->is_copying && pgm_is_busy(m)) {
		backend_start_statement(b);
		return;
	}
	if (bytes_left(&b->in) == 0 || b->state == BACKEND_STARTUP)
		backend_read(b);
	if (backend_message(b)) {
		if (b->m.is_over)
			backend_exit(b, "Terminate");
		if (b->state != BACKEND_EXITING)
			sim_after(&b->work, 1 + up_to(fakepg.manners.exec_us / 8));
		return;
	}
	if (b->sock->len > 0) {
		backend_read(b);
		sim_after(&b->work, 1);
	} else if (b->sock->is_eof || b->sock->is_reset) {
		backend_check_end(b);
		backend_exit(b, b->sock->is_reset ? "connection reset" : "unexpected EOF");
	} else if (m->wants_flush) {
		sim_after(&b->work, 1);
	}
}

static void backend_on_work(struct sim_event *e)
{
	struct backend *b = container_of(e, struct backend, work);

	b->work.is_background = false;
	backend_step(b);
	if (b->state == BACKEND_READY && fakepg.manners.async_one_in > 0 && sim_one_in(fakepg.manners.async_one_in))
		backend_async(b);
}

static void backend_on_ready(struct nsock *s)
{
	struct backend *b = s->owner;

	if (b->state == BACKEND_EXITING || b->is_working || sim_is_queued(&b->work))
		return;
	sim_after(&b->work, 1 + up_to(fakepg.manners.exec_us / 4));
}

/* --- connections --- */

static void fakepg_on_connected(struct sim_event *e)
{
	struct nsock *s = container_of(e, struct nsock, connected);

	s->connect_err = s->name[0] == 'r' ? ECONNREFUSED : 0;
	if (s->on_ready != NULL)
		s->on_ready(s);
}

struct nsock *fakepg_dial(int *err)
{
	const struct fakepg_manners *m = &fakepg.manners;
	struct nsock *a, *b;

	if (fakepg.is_down || (m->refuse_one_in > 0 && sim_one_in(m->refuse_one_in))) {
		fakeclient_excuse(NULL, "connection refused");
		sim_trace("connection refused");
		if (sim_one_in(2)) {
			*err = ECONNREFUSED;
			return NULL;
		}
		a = net_sim_lonely("refused");
	} else if (m->hole_one_in > 0 && sim_one_in(m->hole_one_in)) {
		fakeclient_excuse(NULL, "black hole");
		sim_trace("connection into a black hole");
		return net_sim_lonely("hole");
	} else {
		net_sim_pair(&a, &b, "pooler", "backend");
		backend_new(b);
	}
	a->connected.fire = fakepg_on_connected;
	sim_after(&a->connected, 1 + up_to(m->login_us));
	return a;
}

struct nsock *fakepg_direct(void)
{
	struct nsock *a, *b;

	net_sim_pair(&a, &b, "client", "backend");
	backend_new(b);
	return a;
}

/* --- faults --- */

static void backend_crash(struct backend *b)
{
	backend_excuse(b, "its server crashed");
	backend_drop_slot(b);
	if (b->sock != NULL) {
		struct nsock *s = b->sock;

		b->sock = NULL;
		net_sim_abort(s);
	}
	backend_free(b);
}

void fakepg_fault(enum fakepg_fault kind, bool idle_only)
{
	struct backend *b;

	if (fakepg.count == 0)
		return;
	b = fakepg.backend[sim_rnd(fakepg.count)];
	if (b->state != BACKEND_READY || (idle_only && !fakepg_is_free(b)))
		return;
	sim_trace("fault %d to backend %u (owner %s)", kind, b->pid, b->owner);
	fakepg.kills += kind != FAULT_ASYNC;
	switch (kind) {
	case FAULT_TERMINATE:
		backend_excuse(b, "its server was terminated");
		backend_fatal(b, "57P01", "terminating connection due to administrator command");
		break;
	case FAULT_CRASH:
		backend_crash(b);
		break;
	case FAULT_CUT:
		backend_excuse(b, "its server's network was cut");
		b->is_cut = true;
		net_sim_cut(b->sock);
		break;
	case FAULT_ASYNC:
		backend_async(b);
		break;
	}
}

void fakepg_hush(uint32_t pid)
{
	for (unsigned i = 0; i < fakepg.count; i++) {
		struct backend *b = fakepg.backend[i];

		if (b->pid != pid || b->state != BACKEND_READY)
			continue;
		sim_trace("backend %u: the line goes dead", pid);
		fakepg.kills++;
		b->is_cut = true;
		b->state = BACKEND_EXITING;
		sim_cancel(&b->work);
		net_sim_hush(b->sock);
		b->exit.is_background = true;
		sim_after(&b->exit, 60000000);
	}
}

void fakepg_down(void)
{
	sim_trace("PostgreSQL goes down");
	fakepg.is_down = true;
	for (unsigned i = fakepg.count; i-- > 0;) {
		struct backend *b = fakepg.backend[i];

		backend_excuse(b, "PostgreSQL went down");
		if (b->state == BACKEND_READY && sim_one_in(2))
			backend_fatal(b, "57P01", "terminating connection due to administrator command");
		else
			backend_crash(b);
	}
	fakeclient_excuse(NULL, "PostgreSQL went down");
}

void fakepg_up(void)
{
	sim_trace("PostgreSQL is up again");
	fakepg.is_down = false;
}

void fakepg_peace(void)
{
	fakepg.is_down = false;
	fakepg.manners.refuse_one_in = fakepg.manners.hole_one_in = fakepg.manners.reject_one_in = 0;
	fakepg.manners.async_one_in = 0;
}

void fakepg_review(void)
{
	for (unsigned i = 0; i < fakepg.count; i++) {
		struct backend *b = fakepg.backend[i];

		if (b->says_farewell || b->is_cut)
			backend_excuse(b, "its server is leaving");
	}
	net_sim_review();
}

bool fakepg_is_free(const struct backend *b)
{
	return b->state == BACKEND_READY && b->m.tx == 'I' && !b->m.is_extended && !b->m.is_copying &&
	       !b->is_working && !pgm_is_busy(&b->m) && bytes_left(&b->in) == 0 && b->sock->len == 0 &&
	       b->sock->coming_bytes == 0;
}

bool fakepg_works_for(const struct backend *b, const char *owner)
{
	return b->state == BACKEND_READY && strcmp(b->owner, owner) == 0 && !fakepg_is_free(b);
}

void fakepg_describe(void)
{
	static const char *const word[] = {"startup", "password", "ready", "exiting"};

	for (unsigned i = 0; i < fakepg.count; i++) {
		const struct backend *b = fakepg.backend[i];

		fprintf(stderr, "backend %u: %s, %s/%s, owner %s, tx %c%s%s%s%s%s%s%s%s, in %u+%u, out %u\n", b->pid,
			word[b->state], b->db, b->user, b->owner, b->m.tx, b->has_slot ? ", slot" : "",
			b->is_working ? ", working" : "", b->is_sleeping ? ", sleeping" : "",
			b->m.is_copying ? ", copying" : "", b->m.is_skipping ? ", skipping" : "",
			b->m.is_extended ? ", in a batch" : "", b->is_blocked ? ", blocked" : "",
			b->is_cut ? ", cut" : "", bytes_left(&b->in), b->sock != NULL ? b->sock->len : 0,
			bytes_left(&b->m.out));
	}
}
