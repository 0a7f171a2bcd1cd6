/*
 * show_health.c - SHOW HEALTH: score, status, components and advice of every pool and of all of them.
 */
#include "auth/identity.h"
#include "report/show.h"

static const struct reply_column show_health_columns[] = {
	{"database", REPLY_TEXT}, /* null: all pools together */
	{"user", REPLY_TEXT},
	{"score", REPLY_INT4}, /* null: paused */
	{"status", REPLY_TEXT},
#define HEALTH_COMPONENT(id, name) {name, REPLY_INT4},
#include "pool/health.def"
#undef HEALTH_COMPONENT
	{"advice", REPLY_TEXT},
};

static void show_health_row(
	const char *database, const char *user, const struct health *h, struct rowset *out)
{
	rowset_text(out, database);
	rowset_text(out, user);
	if (h->score < 0)
		rowset_null(out);
	else
		rowset_int(out, h->score);
	rowset_text(out, health_status_word(h->status));
	for (unsigned i = 0; i < HEALTH_COMPONENT_COUNT; i++)
		rowset_int(out, h->component[i]);
	rowset_text(out, h->sentence);
}

static void show_health_fill(const struct report_view *view, struct rowset *out)
{
	struct health h;

	monitor_overall(view->monitor, view->sample, &h);
	show_health_row(NULL, NULL, &h, out);
	for (size_t i = 0; i < view->sample->count; i++) {
		const struct sample_pool *p = &view->sample->pool[i];

		monitor_health(view->monitor, p, &h);
		show_health_row(p->share->database, p->share->user, &h, out);
	}
}

const struct report_table show_health_table = {
	.name = "HEALTH",
	.role = IDENTITY_STATS,
	.column = show_health_columns,
	.columns = ARRAY_LEN(show_health_columns),
	.fill = show_health_fill,
};
