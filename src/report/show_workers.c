/*
 * show_workers.c - SHOW WORKERS: the threads that move data.
 */
#include "auth/identity.h"
#include "report/show.h"
#include "session/worker.h"

static const struct reply_column show_workers_columns[] = {
	{"worker", REPLY_INT4},
	{"engine", REPLY_TEXT},
	{"clients", REPLY_INT4},
	{"servers", REPLY_INT4},
	{"turns", REPLY_INT8}, /* of its loop: how often it has waited */
	{"longest_turn_us", REPLY_INT8}, /* since the start, see net/longturn.h */
	{"longest_turn_events", REPLY_INT4},
	{"recent_turn_us", REPLY_INT8}, /* the longest of this stats_period and the one before */
	{"recent_turn_events", REPLY_INT4},
	{"kernel_tls", REPLY_INT8}, /* connections of which the kernel was given what goes out, since the start */
};

static unsigned show_workers_count(struct dlist *list)
{
	unsigned n = 0;

	DLIST_EACH(it, list)
		n++;
	return n;
}

static void show_workers_rows(struct worker *w, const struct report_ask *ask FX_UNUSED, struct rowset *out)
{
	struct longturns *turns = &w->loop.longturns;
	struct longturn recent = longturn_recent(turns, loop_now(&w->loop));
	unsigned servers = 0;

	DLIST_EACH(it, &w->home.pools) {
		struct pool *pool = container_of(it, struct pool, link);

		servers += show_workers_count(&pool->opening) + show_workers_count(&pool->idle) +
			   show_workers_count(&pool->active) + show_workers_count(&pool->busy) +
			   show_workers_count(&pool->closing);
	}
	rowset_uint(out, w->loop.index);
	rowset_text(out, w->loop.engine->name);
	rowset_uint(out, show_workers_count(&w->clients));
	rowset_uint(out, servers);
	rowset_uint(out, w->loop.turns);
	rowset_uint(out, turns->ever.us);
	rowset_uint(out, turns->ever.events);
	rowset_uint(out, recent.us);
	rowset_uint(out, recent.events);
	rowset_uint(out, w->loop.kernel_tls);
}

const struct report_table show_workers_table = {
	.name = "WORKERS",
	.role = IDENTITY_STATS,
	.column = show_workers_columns,
	.columns = ARRAY_LEN(show_workers_columns),
	.rows = show_workers_rows,
};
