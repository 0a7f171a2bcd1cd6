/*
 * watch.c - long queries, idle transactions and transactions beyond their time.
 *
 * No tick while the worker rests: nobody has a server then.
 */
#include "session/watch.h"

#include "base/str.h"
#include "session/cancelreq.h"
#include "session/worker.h"

#include <string.h>

#define WATCH_TICK_US (UINT64_C(500) * 1000)

enum watch_state watch_look(const struct server *s, uint64_t *query_since, uint64_t *xact_since)
{
	const struct client *c = s->rider;

	if (c == NULL)
		return WATCH_NONE;
	*xact_since = s->xact_since;
	/* what it waited for a server is not the query's time, nor are the requests before it in a pipeline */
	*query_since = c->request_since > s->request_since ? c->request_since : s->request_since;
	if (c->state == CLIENT_RUNNING)
		return WATCH_ACTIVE;
	return c->state == CLIENT_INXACT ? WATCH_IDLE_IN_TRANSACTION : WATCH_NONE;
}

static bool watch_is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80);
}

/* Past the end of a literal that begins at p, or p when none does. */
static const char *watch_literal(const char *text, const char *p, const char *end)
{
	const char *q = p + 1;

	if (*p == '\'') {
		while (q < end && *q != '\'')
			q += *q == '\\' && q + 1 < end ? 2 : 1;
		return q < end ? q + 1 : end;
	}
	if (*p >= '0' && *p <= '9' && (p == text || !watch_is_word(p[-1]))) {
		while (q < end && ((*q >= '0' && *q <= '9') || *q == '.'))
			q++;
		return q;
	}
	if (*p == '$') {
		size_t tag;

		while (q < end && watch_is_word(*q))
			q++;
		if (q >= end || *q != '$')
			return p;
		tag = (size_t)(q + 1 - p);
		for (q++; q + tag <= end; q++)
			if (memcmp(q, p, tag) == 0)
				return q + tag;
		return end;
	}
	return p;
}

void watch_text(const struct server *s, bool hide, char *out, size_t size)
{
	const char *p = s->text, *end = p + s->text_len;
	size_t at = 0;

	out[0] = '\0';
	if (p == NULL || size < 8)
		return;
	if (!hide) {
		str_escape(out, size, p, s->text_len);
		return;
	}
	while (p < end && at + 5 < size) {
		const char *q = watch_literal(s->text, p, end);

		if (q > p) {
			out[at++] = '?';
			out[at] = '\0';
			p = q;
		} else {
			str_escape(out + at, size - at, p, 1);
			at += strlen(out + at);
			p++;
		}
	}
}

static void watch_act(struct client *c, const struct conf_limits *l)
{
	switch (l->long_query_action) {
	case CONF_ACTION_CANCEL:
		c->pool->stats.long_actions++;
		if (c->state == CLIENT_RUNNING)
			(void)cancelreq_cancel(c, NULL, NULL);
		break;
	case CONF_ACTION_TERMINATE:
		c->pool->stats.long_actions++;
		client_fail(c, CLIENT_END_LONG_QUERY, NULL);
		break;
	default:
		break;
	}
}

/* once per crossing: since is what makes this one different from the next */
static void watch_long(struct client *c, struct server *s, uint64_t since, uint64_t now, const char *what)
{
	char text[1200];

	if (s->long_told == since)
		return;
	s->long_told = since;
	c->pool->stats.long_queries++;
	watch_text(s, c->worker->home.conf->set.query_text_hide_literals, text, sizeof(text));
	client_log(c, LOG_WARNING, "long query: %s for %.1f s, application=%s, server pid=%u: %s", what,
		   (double)(now - since) / 1e6, c->application_name != NULL ? c->application_name : "", s->pid, text);
	watch_act(c, c->limits);
}

bool watch_fast_close(struct client *c)
{
	const struct server *s = c->lease.server;

	/* in the other modes it is closed when it comes back */
	if (!s->is_outdated || c->pool_mode != CONF_POOL_SESSION || !c->worker->home.conf->set.server_fast_close ||
	    !server_is_quiet(s))
		return false;
	client_fail(c, CLIENT_END_OUTDATED, NULL);
	return true;
}

static void watch_server(struct server *s, uint64_t now)
{
	struct client *c = s->rider;
	uint64_t query = 0, xact = 0;
	enum watch_state state = watch_look(s, &query, &xact);
	const struct conf_limits *l;

	if (state == WATCH_NONE) {
		if (c != NULL && c->state == CLIENT_LINKED)
			(void)watch_fast_close(c);
		return;
	}
	l = c->limits;
	if (l->transaction_timeout > 0 && xact > 0 && now - xact >= l->transaction_timeout) {
		client_fail(c, CLIENT_END_TRANSACTION_TIMEOUT, NULL);
		return;
	}
	if (l->long_query_time > 0 && now - query >= l->long_query_time)
		watch_long(c, s, query, now, state == WATCH_ACTIVE ? "active" : "idle in transaction");
}

static void watch_on_tick(struct timeout *t)
{
	struct worker *w = container_of(t, struct worker, watch);
	uint64_t now = loop_now(&w->loop);

	DLIST_EACH(it, &w->home.pools) {
		struct pool *pool = container_of(it, struct pool, link);

		DLIST_EACH(at, &pool->active)
			watch_server(container_of(at, struct server, link), now);
	}
	if (!atomic_load_explicit(&w->home.is_resting, memory_order_relaxed))
		loop_arm(&w->loop, &w->watch, WATCH_TICK_US);
}

static void watch_on_stir(struct home *home)
{
	struct worker *w = container_of(home, struct worker, home);

	if (!timeout_is_armed(&w->watch))
		loop_arm(&w->loop, &w->watch, WATCH_TICK_US);
}

void watch_start(struct worker *w)
{
	timeout_init(&w->watch, watch_on_tick);
	w->home.on_stir = watch_on_stir;
	loop_arm(&w->loop, &w->watch, WATCH_TICK_US);
}
