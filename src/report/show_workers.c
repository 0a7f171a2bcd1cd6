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
}

const struct report_table show_workers_table = {
	.name = "WORKERS",
	.role = IDENTITY_STATS,
	.column = show_workers_columns,
	.columns = ARRAY_LEN(show_workers_columns),
	.rows = show_workers_rows,
};
