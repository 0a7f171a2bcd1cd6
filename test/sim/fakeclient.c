/*
 * fakeclient.c - fake clients and their oracle.
 */
#include "fakeclient.h"

#include "fakepg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fclients fclients;
struct nsock *(*fakeclient_connect)(void);

static void client_on_ready(struct nsock *s);
static void client_on_wake(struct sim_event *e);
static void client_on_look(struct sim_event *e);
static void client_pump(struct fclient *c);

void fakeclient_start(const struct fakeclient_manners *manners)
{
	memset(&fclients, 0, sizeof(fclients));
	fclients.manners = *manners;
}

static uint32_t up_to(uint32_t n)
{
	return n > 0 ? sim_rnd(n) : 0;
}

void fakeclient_add(uint64_t delay)
{
	const struct fakeclient_manners *m = &fclients.manners;
	struct fclient *c = calloc(1, sizeof(*c));

	CHECK(c != NULL && fclients.count < CLIENTS);
	c->id = fclients.count;
	fclients.client[fclients.count++] = c;
	snprintf(c->name, sizeof(c->name), "c%u", c->id);
	snprintf(c->user, sizeof(c->user), "u%u", sim_rnd(m->users));
	snprintf(c->db, sizeof(c->db), "d%u", sim_rnd(m->dbs));
	pgm_init(&c->model);
	c->model.is_mute = true;
	if (m->has_parameters && sim_one_in(2)) {
		snprintf(c->app, sizeof(c->app), "app-%u", c->id);
		memcpy(c->model.app, c->app, sizeof(c->app));
		memcpy(c->model.app_base, c->app, sizeof(c->app));
	}
	c->wake.fire = client_on_wake;
	c->wake.is_background = true;
	c->look.fire = client_on_look;
	c->batches_left = 1 + sim_rnd(m->batches);
	c->will_die = m->die_one_in > 0 && sim_one_in(m->die_one_in);
	if (c->will_die)
		c->die_at = 1 + (sim_one_in(4) ? sim_rnd(60) : sim_rnd(1500));
	c->is_evil = m->evil_one_in > 0 && sim_one_in(m->evil_one_in);
	sim_after(&c->wake, delay);
}

static void client_free(struct fclient *c)
{
	sim_cancel(&c->wake);
	sim_cancel(&c->look);
	for (unsigned i = 0; i < CLIENT_STEPS; i++)
		bytes_free(&c->step[i].msgs);
	bytes_free(&c->in);
	bytes_free(&c->out);
	bytes_free(&c->sent);
	pgm_fini(&c->model);
	free(c->stmt_before.at);
	free(c);
}

void fakeclient_finish(void)
{
	for (unsigned i = 0; i < fclients.count; i++)
		client_free(fclients.client[i]);
	fclients.count = 0;
}

/* --- excuses --- */

static struct fclient *client_by_name(const char *name)
{
	unsigned id = name[0] == 'c' ? (unsigned)strtoul(name + 1, NULL, 10) : CLIENTS;

	return id < fclients.count ? fclients.client[id] : NULL;
}

void fakeclient_excuse(const char *owner, const char *why)
{
	struct fclient *c;

	if (owner == NULL) {
		for (unsigned i = 0; i < fclients.count; i++) {
			fclients.client[i]->is_excused_for_good = true;
			fclients.client[i]->excuse = why;
		}
		return;
	}
	c = client_by_name(owner);
	if (c == NULL)
		return;
	c->is_excused = true;
	c->excuse = why;
	sim_trace("client %s is excused: %s", c->name, why);
}

void fakeclient_excuse_for_good(const char *owner, const char *why)
{
	struct fclient *c = client_by_name(owner);

	if (c == NULL)
		return;
	c->is_excused_for_good = true;
	c->excuse = why;
}

bool fakeclient_may_cancel(const char *owner)
{
	struct fclient *c = client_by_name(owner);

	if (c == NULL)
		return false;
	if (c->state == FCLIENT_GONE || c->state == FCLIENT_LEAVING || c->is_broken || c->is_excused ||
	    c->is_excused_for_good)
		return true;
	if (c->cancel_credit == 0)
		return false;
	c->cancel_credit--;
	return true;
}

/* --- the oracle --- */

/* Would the server say anything before it is told more? */
static bool client_is_owed(struct fclient *c)
{
	struct pgm copy;
	struct bytes sent = c->sent;
	bool owed = false;

	if (bytes_left(&c->model.out) > 0 || (pgm_is_busy(&c->model) && !c->model.is_copying))
		return true;
	pgm_fork(&copy, &c->model);
	for (;;) {
		const uint8_t *body;
		uint32_t len;
		char type;

		if (bytes_left(&copy.out) > 0 || (pgm_is_busy(&copy) && !copy.is_copying)) {
			owed = true;
			break;
		}
		/* the copy shares the bytes, and only reads them */
		if (!bytes_next(&sent, &type, &body, &len))
			break;
		pgm_message(&copy, type, body, len);
	}
	pgm_fini(&copy);
	return owed;
}

/* an answer leaves only at a flush: what is owed without one is not waited for */
static bool client_is_flushed(struct fclient *c)
{
	const uint8_t *p = bytes_at(&c->sent);
	uint32_t left = bytes_left(&c->sent);
	bool flushed = true;

	/* the last message sent decides, as far as the scripts go */
	while (left >= 5) {
		uint32_t n = bytes_get_u32(p + 1) + 1;

		flushed = strchr("QSHFdcf", p[0]) != NULL;
		p += n;
		left -= n;
	}
	return flushed;
}

bool fakeclient_is_answered(struct fclient *c)
{
	return !client_is_owed(c);
}

bool fakeclient_is_waiting(struct fclient *c)
{
	return c->state == FCLIENT_RUN && !c->is_broken && bytes_left(&c->out) == 0 && client_is_flushed(c) &&
	       client_is_owed(c);
}

static bool client_is_cancel_error(char type, const uint8_t *body, uint32_t len)
{
	static const char text[] = "canceling statement due to user request";

	return type == 'E' && memmem(body, len, text, sizeof(text) - 1) != NULL;
}

/* makes the model say the next thing; false: it has nothing to say */
static bool client_expect(struct fclient *c, bool cancelled)
{
	struct pgm *m = &c->model;
	const uint8_t *body;
	uint32_t len;
	char type;

	while (bytes_left(&m->out) == 0) {
		if (pgm_is_busy(m) && !m->is_copying) {
			bool hit = cancelled && c->cancel_errors < c->cancels_sent;

			c->cancel_errors += hit;
			pgm_run(m, hit ? PGM_CANCELLED : PGM_DONE);
			continue;
		}
		if (!bytes_next(&c->sent, &type, &body, &len))
			return false;
		/* noticed at a message; a Sync on the way is ignored first */
		if (m->is_copying && cancelled && c->cancel_errors < c->cancels_sent &&
		    (strchr("SH", type) == NULL || bytes_left(&c->sent) == 0)) {
			m->has_ignored_sync = m->has_ignored_sync || type == 'S';
			c->cancel_errors++;
			pgm_cancel_copy(m);
		} else {
			c->current = type;
			memcpy(c->var_before, m->var, sizeof(m->var));
			memcpy(c->app_before, m->app, sizeof(m->app));
			pgm_set_copy(&c->stmt_before, &m->stmt);
			pgm_message(m, type, body, len);
		}
		bytes_skip(&c->sent, 0);
	}
	return true;
}

/* what is optional may be left out in such a world */
static bool client_lacks_memory(const struct fclient *c)
{
	return c->is_excused_for_good && strcmp(c->excuse, "no memory") == 0;
}

/* Whose plan is stale is the server's to say; where it can be hidden from the client it must be. */
static void client_note_stale(struct fclient *c, char type, const uint8_t *body, uint32_t len)
{
	if (type != 'E' || pgm_schema == 0 || memmem(body, len, PGM_STALE, strlen(PGM_STALE)) == NULL)
		return;
	if (c->hides && c->schema_at == pgm_schema && !client_lacks_memory(c))
		sim_fail("I9: client %s is told of a plan that could have been made anew", c->name);
	c->model.is_stale = true;
}

void fakeclient_refuse(const char *owner, const char *text)
{
	struct fclient *c = client_by_name(owner);

	if (c == NULL)
		return;
	snprintf(c->refused[c->refused_count++ % CLIENT_REFUSED], PGM_TEXT, "%s", text);
	sim_trace("client %s: '%s' can't be prepared now", c->name, text);
}

/* PostgreSQL describes a statement without rows in a failed transaction, too; but it does not prepare one, and where
 * it is missing that is what was done first. */
static bool client_is_refused(struct fclient *c, char type, const uint8_t *body, uint32_t len)
{
	struct pgm *m = &c->model;

	if (type != 'E' || *bytes_at(&m->out) != 't' || m->tx != 'E' || memmem(body, len, "C25P02", 6) == NULL)
		return false;
	for (unsigned i = 0; i < CLIENT_REFUSED; i++) {
		if (c->refused[i][0] == '\0' || strcmp(c->refused[i], m->described) != 0)
			continue;
		c->refused[i][0] = '\0';
		bytes_skip(&m->out, bytes_left(&m->out));
		m->is_skipping = true;
		return true;
	}
	return false;
}

/* What a skipped Parse was to replace is there for PostgreSQL; a pooler may have forgotten it. */
static void client_note_unnamed(struct fclient *c, char type, const uint8_t *body, uint32_t len)
{
	static const char text[] = "unnamed prepared statement does not exist";

	if (type == 'E' && c->model.is_unsure && memmem(body, len, text, strlen(text)) != NULL)
		pgm_forget_unnamed(&c->model);
}

static void client_show(char *to, size_t size, char type, const uint8_t *body, uint32_t len)
{
	size_t n = (size_t)snprintf(to, size, "%c ", type);

	for (uint32_t i = 0; i < len && n + 2 < size; i++)
		to[n++] = body[i] >= 32 && body[i] < 127 ? (char)body[i] : '.';
	to[n] = '\0';
}

static void client_look_for_others(struct fclient *c, const uint8_t *body, uint32_t len)
{
	for (uint32_t i = 0; i + 2 < len; i++) {
		char text[24], owner[16];

		if (body[i] != '<' || body[i + 1] != 'c')
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)(len - i < 20 ? len - i : 20), (const char *)body + i);
		pgm_owner(text, owner);
		if (owner[0] != '\0' && strcmp(owner, c->name) != 0)
			sim_fail("I4: client %s got a byte of %s: %s", c->name, owner, text);
	}
}

static bool client_has_excuse(const struct fclient *c)
{
	if (!c->is_excused && !c->is_excused_for_good)
		fakepg_review();
	return c->is_excused || c->is_excused_for_good;
}

/* The request that was under way, or was to begin, ends with an error: what is left of it is skipped, and then all
 * is as if it had never been.  The end of the connection may follow instead. */
static void client_abandon(struct fclient *c, bool has_expected)
{
	struct pgm *m = &c->model;
	bool is_running = has_expected || m->is_copying;

	if (c->gives_up)
		c->step_at = c->step_count;
	bytes_skip(&m->out, bytes_left(&m->out));
	m->todo_at = m->todo_count = 0;
	m->is_copying = false;
	m->tx = 'I';
	memcpy(m->var, c->var_before, sizeof(m->var));
	memcpy(m->app, c->app_before, sizeof(m->app));
	/* the end of a Query that dropped statements is what did not come: it may have been done */
	if (c->current == 'Q' && c->stmt_before.count != m->stmt.count)
		c->is_vague = true;
	pgm_set_copy(&m->stmt, &c->stmt_before);
	m->portal.count = 0;
	if (m->is_extended && c->current != 'S') {
		m->is_skipping = true;
	} else if (is_running) {
		/* Query, FunctionCall, Sync: their ReadyForQuery is still owed */
		static const uint8_t ready[] = {'Z', 0, 0, 0, 5, 'I'};

		m->is_skipping = false;
		bytes_put(&m->out, ready, sizeof(ready));
	} else {
		c->is_broken = true; /* nothing was asked: only the end can follow */
	}
}

/* what arrived is not what the server would say */
static void client_deviation(struct fclient *c, char type, const uint8_t *body, uint32_t len, bool has_expected)
{
	char got[160], want[160] = "nothing";

	client_show(got, sizeof(got), type, body, len);
	if (has_expected) {
		struct bytes out = c->model.out;
		const uint8_t *b = NULL;
		uint32_t n = 0;
		char t = 0;

		bytes_next(&out, &t, &b, &n);
		client_show(want, sizeof(want), t, b, n);
	}
	if (type == 'E' && client_is_cancel_error(type, body, len) && c->cancel_errors < c->cancels_sent &&
	    c->model.tx == 'I') {
		/* cancelled while it waited for a server: the request is refused as a whole */
		c->cancel_errors++;
		fclients.cancelled_waiting++;
	} else if (type != 'E' || !client_has_excuse(c)) {
		sim_fail("I3: client %s got: %s; expected: %s", c->name, got, want);
	} else {
		sim_trace("client %s: excused error (%s): %s", c->name, c->excuse, got);
		fclients.errors_excused++;
	}
	c->was_refused = true;
	c->model.is_stale = false; /* this was all there was to it */
	client_abandon(c, has_expected);
}

static void client_reply(struct fclient *c, char type, const uint8_t *body, uint32_t len)
{
	const uint8_t *p;
	uint32_t n;
	bool has;

	client_look_for_others(c, body, len);
	if (sim.is_verbose) {
		char text[100];

		client_show(text, sizeof(text), type, body, len);
		sim_trace("client %s <- %s", c->name, text);
	}
	if (c->is_broken)
		return;
	if (type == 'S' || type == 'A' || (type == 'N' && (memmem(body, len, "async", 5) != NULL || memmem(body, len, "being queued", 12) != NULL))) {
		c->hides = false; /* something has been said */
		return;
	}
	client_note_stale(c, type, body, len);
	client_note_unnamed(c, type, body, len);
	has = client_expect(c, client_is_cancel_error(type, body, len));
	p = bytes_at(&c->model.out);
	/* without memory an error is passed on as it came, with our name in its text */
	if (has && type == 'E' && p[0] == 'E' && client_lacks_memory(c) && len > 20 && bytes_get_u32(p + 1) > 24 &&
	    memcmp(p + 5, body, 20) == 0) {
		bytes_skip(&c->model.out, bytes_get_u32(p + 1) + 1);
		return;
	}
	if (has && client_is_refused(c, type, body, len))
		return;
	if (has) {
		n = bytes_get_u32(p + 1) + 1;
		if (n == len + 5 && p[0] == (uint8_t)type && memcmp(p + 5, body, len) == 0) {
			bytes_skip(&c->model.out, n);
			c->replies++;
			fclients.replies++;
			if (type == 'Z' && body[0] == 'I' && !client_is_owed(c) && !c->model.is_odd &&
			    !fakepg.manners.is_session)
				c->is_excused = false;
			return;
		}
	}
	client_deviation(c, type, body, len, has);
}

/* --- login --- */

static void client_login(struct fclient *c, char type, const uint8_t *body, uint32_t len)
{
	switch (type) {
	case 'R':
		if (bytes_get_u32(body) == 3)
			bytes_msg_str(&c->out, 'p', "secret");
		break;
	case 'S':
		/* the last one counts */
		if (strcmp((const char *)body, "application_name") == 0)
			snprintf(c->app_before, sizeof(c->app_before), "%s", (const char *)body + 17);
		break;
	case 'N':
		break;
	case 'K':
		c->pid = bytes_get_u32(body);
		c->key = bytes_get_u32(body + 4);
		c->has_key = len == 8;
		break;
	case 'Z':
		if (len != 1 || body[0] != 'I')
			sim_fail("client %s: odd ReadyForQuery at login", c->name);
		if (strcmp(c->app_before, c->app) != 0 && !client_lacks_memory(c))
			sim_fail("I3: client %s is told that its application_name is '%s', it is '%s'", c->name,
				 c->app_before, c->app);
		c->state = FCLIENT_RUN;
		sim_trace("client %s is logged in", c->name);
		break;
	case 'E':
		if (!client_has_excuse(c)) {
			char text[160];

			client_show(text, sizeof(text), type, body, len);
			sim_fail("I3: client %s cannot log in: %s", c->name, text);
		}
		c->is_broken = true;
		break;
	default:
		sim_fail("client %s: message %c during login", c->name, type);
	}
}

static void client_begin(struct fclient *c)
{
	uint32_t at = bytes_begin(&c->out, 0);

	bytes_u32(&c->out, 3 << 16);
	bytes_str(&c->out, "user");
	bytes_str(&c->out, c->user);
	bytes_str(&c->out, "database");
	bytes_str(&c->out, c->db);
	if (c->app[0] != '\0') {
		bytes_str(&c->out, "application_name");
		bytes_str(&c->out, c->app);
	}
	bytes_u8(&c->out, 0);
	bytes_end(&c->out, at);
	c->state = FCLIENT_LOGIN;
}

/* --- the end --- */

static void client_gone(struct fclient *c)
{
	c->state = FCLIENT_GONE;
	c->sock = NULL;
	sim_cancel(&c->wake);
	sim_cancel(&c->look);
	fclients.gone++;
}

static void client_die(struct fclient *c)
{
	struct nsock *s = c->sock;

	sim_trace("client %s dies after %llu bytes", c->name, (unsigned long long)c->out_total);
	fclients.deaths++;
	if (sim_one_in(4)) {
		/* closes its half and goes on reading */
		c->state = FCLIENT_LEAVING;
		c->is_broken = true;
		net_sim_shutdown(s);
		return;
	}
	s->on_ready = NULL;
	if (sim_one_in(3))
		net_sim_abort(s);
	else
		net_sim_close(s);
	client_gone(c);
}

static void client_on_end(struct fclient *c)
{
	struct nsock *s = c->sock;

	sim_trace("client %s: connection ended (%s)", c->name, s->is_reset ? "reset" : "EOF");
	if (c->state != FCLIENT_LEAVING && !client_has_excuse(c))
		sim_fail("I3: client %s was disconnected without a reason", c->name);
	s->on_ready = NULL;
	net_sim_close(s);
	client_gone(c);
}

/* --- cancel requests --- */

struct fcancel {
	struct nsock *sock;
	unsigned client;
	struct bytes out;
};

static void cancel_on_ready(struct nsock *s)
{
	struct fcancel *f = s->owner;

	while (bytes_left(&f->out) > 0) {
		int n = net_sim_write(s, bytes_at(&f->out), bytes_left(&f->out));

		if (n <= 0)
			break;
		bytes_skip(&f->out, (uint32_t)n);
	}
	/* it may be too late, or there may be no memory for it; that there are many clients is no reason, unless it stalls itself */
	if (s->len > 0 && (s->buf[0] != 'E' || !fclients.client[f->client]->is_excused_for_good ||
			   (strcmp(fclients.client[f->client]->excuse, "max_client_conn") == 0 &&
				   memmem(s->buf, s->len, "login stalled", 13) == NULL)))
		sim_fail("a cancel request was answered with %u bytes", s->len);
	if (!s->is_eof && !s->is_reset)
		return;
	s->on_ready = NULL;
	net_sim_close(s);
	bytes_free(&f->out);
	free(f);
	fclients.cancels_open--;
}

static void client_cancel(struct fclient *c)
{
	struct fcancel *f = calloc(1, sizeof(*f));
	uint32_t at;

	CHECK(f != NULL);
	at = bytes_begin(&f->out, 0);
	bytes_u32(&f->out, 80877102);
	bytes_u32(&f->out, c->pid);
	bytes_u32(&f->out, c->key);
	bytes_end(&f->out, at);
	f->client = c->id;
	f->sock = fakeclient_connect();
	f->sock->owner = f;
	f->sock->on_ready = cancel_on_ready;
	fclients.cancels_open++;
	fclients.cancels_sent++;
	c->cancel_credit++;
	c->cancels_sent++;
	sim_trace("client %s sends a cancel request", c->name);
	cancel_on_ready(f->sock);
}

/* --- saying --- */

static void client_write(struct fclient *c)
{
	while (bytes_left(&c->out) > 0 && c->sock != NULL && !c->sock->said_eof) {
		uint32_t n = bytes_left(&c->out);
		int put;

		if (n > 1 && sim_one_in(3))
			n = 1 + sim_rnd(n);
		if (c->die_at > 0 && c->out_total + n > c->die_at)
			n = (uint32_t)(c->die_at - c->out_total);
		if (c->hides)
			n = bytes_left(&c->out);
		put = n > 0 ? net_sim_write(c->sock, bytes_at(&c->out), n) : 0;
		if (put < 0)
			return; /* reading tells */
		c->out_total += (uint32_t)put;
		bytes_skip(&c->out, (uint32_t)put);
		if (c->die_at > 0 && c->out_total >= c->die_at) {
			client_die(c);
			return;
		}
		if (put == 0)
			return;
	}
}

static void client_rage(struct fclient *c)
{
	static const struct {
		const char *bytes;
		unsigned n;
	} garbage[] = {
		{"Q\0\0\0\3", 5},	{"Q\x7f\xff\xff\xffselect", 11}, {"z\0\0\0\4", 5},     {"\0\0\0\0\0", 5},
		{"Q\x80\0\0\0", 5}, {"E\0\1\0\0", 5},		       {"p\0\0\0\5x", 6},    {"Q\0\0", 3},
		{"B\0\0\xff\xff", 5}, {"d\0\0\0\xff" "x", 6}, {"R\0\0\0\4", 5},
	};
	unsigned i = sim_rnd(ARRAY_LEN(garbage));

	sim_trace("client %s sends garbage %u", c->name, i);
	bytes_put(&c->out, garbage[i].bytes, garbage[i].n);
	c->state = FCLIENT_LEAVING;
	c->is_broken = true;
	client_write(c);
	sim_after(&c->wake, 1 + up_to(20000));
}

static void client_leave(struct fclient *c)
{
	struct nsock *s = c->sock;

	if (c->is_evil) {
		client_rage(c);
		return;
	}
	if (c->will_die) {
		client_die(c);
		return;
	}
	sim_trace("client %s leaves", c->name);
	bytes_msg(&c->out, 'X');
	c->state = FCLIENT_LEAVING;
	c->is_broken = true;
	client_write(c);
	if (c->state != FCLIENT_GONE && bytes_left(&c->out) == 0 && sim_one_in(2)) {
		s->on_ready = NULL;
		net_sim_close(s);
		client_gone(c);
	}
}

static void client_think(struct fclient *c)
{
	if (!sim_is_queued(&c->wake))
		sim_after(&c->wake, 1 + up_to(fclients.manners.think_us));
}

/* says the next steps, as far as they need not wait */
static void client_pump(struct fclient *c)
{
	const struct fakeclient_manners *m = &fclients.manners;

	while (c->state == FCLIENT_RUN && !c->is_broken) {
		struct client_step *s = &c->step[c->step_at];

		if (c->step_at == c->step_count) {
			if (!fakeclient_is_answered(c) && !(m->pipeline_one_in > 0 && sim_one_in(m->pipeline_one_in)))
				break;
			client_think(c);
			break;
		}
		if (s->waits && !fakeclient_is_answered(c))
			break;
		if (s->pauses && !c->has_paused) {
			c->has_paused = true;
			client_think(c);
			break;
		}
		c->has_paused = false;
		/* seen whole by the pooler, before anything of it is answered; and no cancel request keeps it on the server
		 * where the one before was answered */
		c->hides = m->hides_plans && s->hides && c->cancels_sent == 0 && !c->was_refused && bytes_left(&c->out) == 0 && c->model.tx == 'I' && fakeclient_is_answered(c) &&
			   sim.weather.max_segment > 1000 && sim.weather.max_read > 1000 && sim.weather.window > 1000;
		c->schema_at = pgm_schema;
		bytes_put(&c->out, s->msgs.data, s->msgs.len);
		bytes_put(&c->sent, s->msgs.data, s->msgs.len);
		c->step_at++;
		/* leaves at the end of what it has to say now, rather than in the middle */
		if (c->will_die && c->die_at > c->out_total && sim_one_in(8))
			c->die_at = c->out_total + bytes_left(&c->out);
		if (c->has_key && m->cancel_one_in > 0 && sim_one_in(m->cancel_one_in)) {
			c->wants_cancel = true;
			if (!sim_is_queued(&c->wake))
				sim_after(&c->wake, up_to(m->sleep_us * 2));
		}
	}
	if (c->sock != NULL && c->state != FCLIENT_GONE)
		client_write(c);
}

static void client_connect(struct fclient *c)
{
	uint32_t at;

	c->sock = fakeclient_connect();
	c->sock->owner = c;
	c->sock->on_ready = client_on_ready;
	sim_trace("client %s connects as %s to %s", c->name, c->user, c->db);
	if (fclients.manners.dawdle_us > 0 && sim_one_in(2)) {
		c->state = FCLIENT_LOGIN;
		c->is_dawdling = true;
		sim_after(&c->wake, 1 + up_to(fclients.manners.dawdle_us));
		return;
	}
	if (sim_one_in(4)) {
		at = bytes_begin(&c->out, 0);
		bytes_u32(&c->out, sim_one_in(2) ? 80877103 : 80877104);
		bytes_end(&c->out, at);
		c->state = FCLIENT_SSL;
	} else {
		client_begin(c);
	}
	client_write(c);
}

static void client_on_wake(struct sim_event *e)
{
	struct fclient *c = container_of(e, struct fclient, wake);

	if (c->state == FCLIENT_NEW) {
		client_connect(c);
		return;
	}
	if (c->is_dawdling) {
		c->is_dawdling = false;
		if (c->state == FCLIENT_LOGIN) {
			client_begin(c);
			client_write(c);
		}
		return;
	}
	if (c->is_evil && c->state == FCLIENT_LEAVING) {
		client_die(c);
		return;
	}
	if (c->state != FCLIENT_RUN || c->is_broken)
		return;
	if (c->wants_cancel) {
		c->wants_cancel = false;
		client_cancel(c);
	}
	if (c->has_paused && c->will_die && bytes_left(&c->out) == 0 && sim_one_in(2)) {
		client_die(c);
		return;
	}
	if (c->step_at == c->step_count) {
		if (c->batches_left == 0 || c->is_vague) {
			if (fakeclient_is_answered(c))
				client_leave(c);
			return;
		}
		c->batches_left--;
		fclients.requests++;
		client_script(c);
	}
	client_pump(c);
}

void fakeclient_describe(void)
{
	static const char *const word[] = {"new", "ssl", "login", "run", "leaving", "gone"};

	fprintf(stderr, "%u cancel requests open\n", fclients.cancels_open);
	for (unsigned i = 0; i < fclients.count; i++) {
		struct fclient *c = fclients.client[i];

		if (c->state == FCLIENT_GONE)
			continue;
		fprintf(stderr,
			"client %s: %s, step %u of %u, %u batches to come, out %u, sent %u, in %u, %s%s%s, excuse %s\n",
			c->name, word[c->state], c->step_at, c->step_count, c->batches_left, bytes_left(&c->out),
			bytes_left(&c->sent), bytes_left(&c->in), client_is_owed(c) ? "owed" : "not owed",
			c->is_broken ? ", broken" : "", c->sock != NULL && c->sock->is_blocked ? ", blocked" : "",
			client_has_excuse(c) ? c->excuse : "none");
	}
}

struct fclient *fakeclient_by_port(uint16_t port)
{
	for (unsigned i = 0; i < fclients.count; i++) {
		struct fclient *c = fclients.client[i];

		if (c->sock != NULL && (uint16_t)(c->sock->peer->fd & 0xFFFF) == port)
			return c;
	}
	return NULL;
}

void fakeclient_credit(struct fclient *c)
{
	c->cancel_credit++;
	c->cancels_sent++;
}

/* --- hearing --- */

static void client_take(struct fclient *c)
{
	const uint8_t *body;
	uint32_t len;
	char type;

	if (c->state == FCLIENT_SSL && bytes_left(&c->in) > 0) {
		if (*bytes_at(&c->in) == 'E' && client_has_excuse(c)) {
			c->state = FCLIENT_LOGIN;
			client_take(c);
			return;
		}
		if (*bytes_at(&c->in) != 'N')
			sim_fail("client %s: the answer to SSLRequest is 0x%02x", c->name, *bytes_at(&c->in));
		bytes_skip(&c->in, 1);
		client_begin(c);
	}
	while (bytes_next(&c->in, &type, &body, &len)) {
		if (type < 'A' && (type < '1' || type > '3'))
			sim_fail("I3: client %s got a message of type 0x%02x", c->name, (unsigned char)type);
		if (c->state == FCLIENT_LOGIN)
			client_login(c, type, body, len);
		else
			client_reply(c, type, body, len);
		bytes_skip(&c->in, 0);
	}
}

static void client_on_look(struct sim_event *e)
{
	struct fclient *c = container_of(e, struct fclient, look);
	uint8_t room[8192];
	uint32_t n;

	if (c->sock == NULL)
		return;
	n = net_sim_read(c->sock, room, sim_one_in(3) ? 1 + sim_rnd(64) : (uint32_t)sizeof(room));
	bytes_put(&c->in, room, n);
	if (n > 0)
		client_take(c);
	if (c->sock->len > 0) {
		sim_after(&c->look, 1 + up_to(fclients.manners.lazy_us));
	} else if (c->sock->is_eof || c->sock->is_reset) {
		client_on_end(c);
		return;
	}
	if (c->state == FCLIENT_RUN)
		client_pump(c);
	else
		client_write(c);
}

static void client_on_ready(struct nsock *s)
{
	struct fclient *c = s->owner;

	if (!sim_is_queued(&c->look))
		sim_after(&c->look, 1 + up_to(fclients.manners.lazy_us));
}
