/*
 * show_long.c - SHOW LONG_QUERIES [seconds].
 *
 * Rows come from the workers; what PostgreSQL knows of them (waits.h) is added on the
 * control thread.  Whoever is no admin sees query texts without their literals.
 */
#include "auth/identity.h"
#include "report/show.h"
#include "session/watch.h"

#include <stdio.h>
#include <string.h>

#define SHOW_TEXT_MAX 8192

static const struct reply_column show_long_queries_columns[] = {
	{"client_id", REPLY_INT8},
	{"server_pid", REPLY_INT4},
	{"database", REPLY_TEXT},
	{"user", REPLY_TEXT},
	{"application_name", REPLY_TEXT},
	{"client_addr", REPLY_TEXT},
	{"state", REPLY_TEXT},        /* active, idle in transaction, waiting for lock */
	{"query_age", REPLY_NUMERIC}, /* seconds in this state */
	{"xact_age", REPLY_NUMERIC},  /* seconds since the transaction began */
	{"query", REPLY_TEXT},
	/* by the monitoring login; NULL: not known */
	{"waiting_for_lock", REPLY_BOOL},
	{"wait_event_type", REPLY_TEXT},
	{"wait_event", REPLY_TEXT},
	{"blocked_by", REPLY_TEXT},
};

/* what the workers put in front of each row: what finds it in waits.h */
enum show_hidden { SHOW_SINCE, SHOW_PID, SHOW_WHERE, SHOW_PORT, SHOW_IS_UNIX, SHOW_HIDDEN };

#define SHOW_STATE  6  /* the column state */
#define SHOW_SHARED 10 /* columns that the workers fill */

static void show_long_hidden(const struct server *s, uint64_t since, struct rowset *out)
{
	struct machine machine;

	machine_of(s, &machine);
	rowset_uint(out, since);
	rowset_uint(out, s->pid);
	rowset_text(out, machine.where);
	rowset_uint(out, machine.port);
	rowset_uint(out, machine.is_unix);
}

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
	show_long_hidden(s, query, out);
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

static const struct waitplace_row *show_long_known(const struct report_view *view, const struct rowset_cell *cell)
{
	struct machine machine = {
		.port = (uint16_t)cell[SHOW_PORT].natural, .is_unix = cell[SHOW_IS_UNIX].natural != 0};

	snprintf(machine.where, sizeof(machine.where), "%s", cell[SHOW_WHERE].text);
	return waits_find(view->waits, &machine, (uint32_t)cell[SHOW_PID].natural, cell[SHOW_SINCE].natural);
}

static void show_long_cell(const struct rowset_cell *cell, struct rowset *out)
{
	if (cell->kind == ROWSET_UINT)
		rowset_uint(out, cell->natural);
	else
		rowset_text(out, cell->text);
}

static void show_long_row(const struct report_view *view, const struct rowset_cell *cell, struct rowset *out)
{
	const struct waitplace_row *known = show_long_known(view, cell);
	bool is_locked = known != NULL && known->row.is_locked;

	for (size_t i = 0; i < SHOW_SHARED; i++) {
		if (i == SHOW_STATE && is_locked)
			rowset_text(out, "waiting for lock");
		else
			show_long_cell(&cell[SHOW_HIDDEN + i], out);
	}
	if (known == NULL) {
		for (size_t i = SHOW_SHARED; i < ARRAY_LEN(show_long_queries_columns); i++)
			rowset_null(out);
		return;
	}
	rowset_text(out, is_locked ? "t" : "f");
	rowset_text(out, known->row.type[0] != '\0' ? known->row.type : NULL);
	rowset_text(out, known->row.event[0] != '\0' ? known->row.event : NULL);
	rowset_text(out, is_locked && known->blocked_by[0] != '\0' ? known->blocked_by : NULL);
}

static void show_long_queries_finish(const struct report_view *view, const struct rowset *parts, struct rowset *out)
{
	struct rowset_cell cell[SHOW_HIDDEN + SHOW_SHARED];
	size_t at = 0, n = 0;

	/* whoever wants to see younger ones than usual will want to know what they wait for, too */
	if (view->ask.has_number)
		waits_care(view->waits, (uint64_t)(view->ask.number * 1e6));
	while (rowset_next(parts, &at, &cell[n])) {
		if (++n < ARRAY_LEN(cell))
			continue;
		show_long_row(view, cell, out);
		n = 0;
	}
	out->cells.bad = out->cells.bad || parts->cells.bad;
}

const struct report_table show_long_queries = {
	.name = "LONG_QUERIES",
	.role = IDENTITY_STATS,
	.column = show_long_queries_columns,
	.columns = ARRAY_LEN(show_long_queries_columns),
	.rows = show_long_queries_rows,
	.finish = show_long_queries_finish,
	.part_columns = SHOW_HIDDEN + SHOW_SHARED,
	.takes_number = true,
};
