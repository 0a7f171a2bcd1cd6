/*
 * show_long.c - SHOW LONG_QUERIES [seconds].
 *
 * On each worker's thread.  Whoever is no admin sees query texts without their literals.
 */
#include "auth/identity.h"
#include "report/show.h"
#include "session/watch.h"

#include <stdio.h>

#define SHOW_TEXT_MAX 8192

static const struct reply_column show_long_queries_columns[] = {
	{"client_id", REPLY_INT8},
	{"server_pid", REPLY_INT4},
	{"database", REPLY_TEXT},
	{"user", REPLY_TEXT},
	{"application_name", REPLY_TEXT},
	{"client_addr", REPLY_TEXT},
	{"state", REPLY_TEXT},        /* active, idle in transaction */
	{"query_age", REPLY_NUMERIC}, /* seconds in this state */
	{"xact_age", REPLY_NUMERIC},  /* seconds since the transaction began */
	{"query", REPLY_TEXT},
};

static void show_long_query(
	const struct report_ask *ask, const struct server *s, uint64_t now, struct rowset *out)
{
	uint64_t query = 0, xact = 0, threshold;
	enum watch_state state = watch_look(s, &query, &xact);
	char addr[ADDR_TEXT_MAX], text[SHOW_TEXT_MAX];
	const struct client *c = s->rider;

	if (state == WATCH_NONE)
		return;
	threshold = ask->has_number ? (uint64_t)(ask->number * 1e6) : c->limits->long_query_time;
	if ((threshold == 0 && !ask->has_number) || now - query < threshold)
		return;
	addr_format(&c->peer, addr, sizeof(addr));
	watch_text(
		s, !ask->is_admin || c->worker->home.conf->set.query_text_hide_literals, text, sizeof(text));
	rowset_uint(out, c->id);
	rowset_uint(out, s->pid);
	rowset_text(out, identity_database(c->identity));
	rowset_text(out, identity_user(c->identity));
	rowset_text(out, c->application_name != NULL ? c->application_name : "");
	rowset_format(out, c->peer.family == ADDR_UNIX ? "%s" : "%s:%u", addr, c->peer.port);
	rowset_text(out, state == WATCH_ACTIVE ? "active" : "idle in transaction");
	rowset_format(out, "%.3f", (double)(now - query) / 1e6);
	rowset_format(out, "%.3f", xact > 0 && now > xact ? (double)(now - xact) / 1e6 : 0.0);
	rowset_text(out, text);
}

static void show_long_queries_rows(struct worker *w, const struct report_ask *ask, struct rowset *out)
{
	DLIST_EACH(it, &w->home.pools)
	{
		const struct pool *pool = container_of(it, struct pool, link);

		for (const struct dlist *at = pool->active.next; at != &pool->active; at = at->next)
			show_long_query(ask, container_of(at, struct server, link), loop_now(&w->loop), out);
	}
}

const struct report_table show_long_queries = {
	.name = "LONG_QUERIES",
	.role = IDENTITY_STATS,
	.column = show_long_queries_columns,
	.columns = ARRAY_LEN(show_long_queries_columns),
	.rows = show_long_queries_rows,
	.takes_number = true,
};
