/*
 * show_stats.c - SHOW STATS, STATS_TOTALS, STATS_AVERAGES and TOTALS in PgBouncer 1.25's layout.
 *
 * One list of counters; its order and its names in each table are PgBouncer's, inconsistent as they are.
 */
#include "auth/identity.h"
#include "report/show.h"

#include <string.h>

/* COUNTED(counter, name after total_ and avg_ in STATS, avg name there, STATS_TOTALS, STATS_AVERAGES, TOTALS) */
#define SHOW_STATS_COUNTED                                                                              \
	COUNTED(server_assignment_count, "server_assignment_count", "server_assignment_count",          \
		"server_assignment_count", "server_assignment_count", "server_assignment_count")        \
	COUNTED(xact_count, "xact_count", "xact_count", "xact_count", "xact_count", "xact_count")       \
	COUNTED(query_count, "query_count", "query_count", "query_count", "query_count", "query_count") \
	COUNTED(bytes_received, "received", "recv", "bytes_received", "bytes_received", "client_bytes") \
	COUNTED(bytes_sent, "sent", "sent", "bytes_sent", "bytes_sent", "server_bytes")                 \
	COUNTED(xact_time, "xact_time", "xact_time", "xact_time", "xact_time", "xact_time")             \
	COUNTED(query_time, "query_time", "query_time", "query_time", "query_time", "query_time")       \
	COUNTED(wait_time, "wait_time", "wait_time", "wait_time", "wait_time", "wait_time")             \
	COUNTED(client_parse_count, "client_parse_count", "client_parse_count", "client_parse_count",   \
		"avg_client_parse_count", "ps_client_parse_count")                                      \
	COUNTED(server_parse_count, "server_parse_count", "server_parse_count", "server_parse_count",   \
		"avg_server_parse_count", "ps_server_parse_count")                                      \
	COUNTED(bind_count, "bind_count", "bind_count", "bind_count", "avg_bind_count", "ps_bind_count")

static const struct reply_column show_stats_columns[] = {{"database", REPLY_TEXT},
#define COUNTED(id, stats, avg, totals, averages, one) {"total_" stats, REPLY_NUMERIC},
	SHOW_STATS_COUNTED
#undef COUNTED
#define COUNTED(id, stats, avg, totals, averages, one) {"avg_" avg, REPLY_NUMERIC},
		SHOW_STATS_COUNTED
#undef COUNTED
};

static const struct reply_column show_stats_totals_columns[] = {{"database", REPLY_TEXT},
#define COUNTED(id, stats, avg, totals, averages, one) {totals, REPLY_NUMERIC},
	SHOW_STATS_COUNTED
#undef COUNTED
};

static const struct reply_column show_stats_averages_columns[] = {{"database", REPLY_TEXT},
#define COUNTED(id, stats, avg, totals, averages, one) {averages, REPLY_NUMERIC},
	SHOW_STATS_COUNTED
#undef COUNTED
};

static const struct reply_column show_totals_columns[] = {{"name", REPLY_TEXT}, {"value", REPLY_NUMERIC}};

enum { SHOW_TOTALS = 1, SHOW_AVERAGES = 2 };

static void show_stats_cells(const struct stats *s, struct rowset *out)
{
#define COUNTED(id, stats, avg, totals, averages, one) rowset_uint(out, s->id);
	SHOW_STATS_COUNTED
#undef COUNTED
}

static void show_stats_row(const struct report_view *view, const char *database, const struct stats *total,
	const struct stats *period, unsigned what, struct rowset *out)
{
	struct stats avg;

	rowset_text(out, database);
	if (what & SHOW_TOTALS)
		show_stats_cells(total, out);
	monitor_average(view->monitor, period, &avg);
	if (what & SHOW_AVERAGES)
		show_stats_cells(&avg, out);
}

/* the sample is sorted by database: its pools are neighbours */
static void show_stats_rows(const struct report_view *view, unsigned what, struct rowset *out)
{
	const struct sample *now = view->sample;
	struct stats total, period = {0};

	for (size_t i = 0; i < now->count;) {
		const char *database = now->pool[i].share->database;

		memset(&total, 0, sizeof(total));
		memset(&period, 0, sizeof(period));
		for (; i < now->count && strcmp(now->pool[i].share->database, database) == 0; i++) {
			stats_add(&total, &now->pool[i].stats);
			monitor_period(view->monitor, now->pool[i].share, &period);
		}
		show_stats_row(view, database, &total, &period, what, out);
	}
	memset(&period, 0, sizeof(period));
	monitor_period(view->monitor, NULL, &period);
	show_stats_row(view, REPORT_CONSOLE_DATABASE, &view->console, &period, what, out);
}

static void show_stats_fill(const struct report_view *view, struct rowset *out)
{
	show_stats_rows(view, SHOW_TOTALS | SHOW_AVERAGES, out);
}

static void show_stats_totals_fill(const struct report_view *view, struct rowset *out)
{
	show_stats_rows(view, SHOW_TOTALS, out);
}

static void show_stats_averages_fill(const struct report_view *view, struct rowset *out)
{
	show_stats_rows(view, SHOW_AVERAGES, out);
}

static void show_totals_fill(const struct report_view *view, struct rowset *out)
{
	struct stats total = view->console, period = {0}, avg;

	monitor_period(view->monitor, NULL, &period);
	for (size_t i = 0; i < view->sample->count; i++) {
		stats_add(&total, &view->sample->pool[i].stats);
		monitor_period(view->monitor, view->sample->pool[i].share, &period);
	}
	monitor_average(view->monitor, &period, &avg);
#define COUNTED(id, stats, avg_name, totals, averages, one) \
	rowset_text(out, "total_" one);                     \
	rowset_uint(out, total.id);
	SHOW_STATS_COUNTED
#undef COUNTED
#define COUNTED(id, stats, avg_name, totals, averages, one) \
	rowset_text(out, "avg_" one);                       \
	rowset_uint(out, avg.id);
	SHOW_STATS_COUNTED
#undef COUNTED
}

const struct report_table show_stats_table = {
	.name = "STATS",
	.role = IDENTITY_STATS,
	.column = show_stats_columns,
	.columns = ARRAY_LEN(show_stats_columns),
	.fill = show_stats_fill,
};

const struct report_table show_stats_totals_table = {
	.name = "STATS_TOTALS",
	.role = IDENTITY_STATS,
	.column = show_stats_totals_columns,
	.columns = ARRAY_LEN(show_stats_totals_columns),
	.fill = show_stats_totals_fill,
};

const struct report_table show_stats_averages_table = {
	.name = "STATS_AVERAGES",
	.role = IDENTITY_STATS,
	.column = show_stats_averages_columns,
	.columns = ARRAY_LEN(show_stats_averages_columns),
	.fill = show_stats_averages_fill,
};

const struct report_table show_stats_sums_table = {
	.name = "TOTALS",
	.role = IDENTITY_STATS,
	.column = show_totals_columns,
	.columns = ARRAY_LEN(show_totals_columns),
	.fill = show_totals_fill,
};
