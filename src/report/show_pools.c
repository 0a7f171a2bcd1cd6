/*
 * show_pools.c - SHOW POOLS as PgBouncer has it, SHOW POOLS_EXTENDED with what it does not show, SHOW PEER_POOLS.
 */
#include "auth/identity.h"
#include "conf/value.h"
#include "report/show.h"

#include <string.h>

static const struct reply_column show_pools_columns[] = {
	{"database", REPLY_TEXT},
	{"user", REPLY_TEXT},
	{"cl_active", REPLY_INT4},
	{"cl_waiting", REPLY_INT4},
	{"cl_active_cancel_req", REPLY_INT4},
	{"cl_waiting_cancel_req", REPLY_INT4},
	{"sv_active", REPLY_INT4},
	{"sv_active_cancel", REPLY_INT4},
	{"sv_being_canceled", REPLY_INT4},
	{"sv_idle", REPLY_INT4},
	{"sv_used", REPLY_INT4},
	{"sv_tested", REPLY_INT4},
	{"sv_login", REPLY_INT4},
	{"maxwait", REPLY_INT4},
	{"maxwait_us", REPLY_INT4},
	{"pool_mode", REPLY_TEXT},
	{"load_balance_hosts", REPLY_TEXT},
};

const char *show_pools_hosts(const struct conf_database *db)
{
	if (db == NULL || strchr(db->host, ',') == NULL)
		return NULL;
	return db->load_balance_hosts == CONF_HOSTS_DISABLE ? "disable" : "round-robin";
}

static void show_pools_row(const struct report_view *view, const struct sample_pool *p, struct rowset *out)
{
	rowset_text(out, p->share->database);
	rowset_text(out, p->share->user);
	rowset_uint(out, p->clients - p->waiting);
	rowset_uint(out, p->waiting);
	rowset_uint(out, p->cancels);
	rowset_uint(out, p->cancels_waiting);
	rowset_uint(out, p->active);
	rowset_uint(out, p->cancels);
	rowset_uint(out, p->being_canceled);
	rowset_uint(out, p->idle);
	rowset_uint(out, 0); /* sv_used: an idle server that is due for a ping is idle all the same */
	rowset_uint(out, p->tested);
	rowset_uint(out, p->opening);
	rowset_uint(out, p->oldest_wait / 1000000);
	rowset_uint(out, p->oldest_wait % 1000000);
	rowset_text(out, value_word_name(VALUE_WORDS_MODE, p->limits.pool_mode));
	rowset_text(out, show_pools_hosts(conf_find_database(view->conf, p->share->database)));
}

static void show_pools_fill(const struct report_view *view, struct rowset *out)
{
	for (size_t i = 0; i < view->sample->count; i++) {
		const struct sample_pool *p = &view->sample->pool[i];
		struct sample_pool both;

		/* the servers of auth_query and those of clients of the same name: one pool to PgBouncer */
		if (i + 1 < view->sample->count && sample_is_twin(p, p + 1)) {
			both = *p;
			sample_fold(&both, p + 1);
			p = &both;
			i++;
		}
		show_pools_row(view, p, out);
	}
	rowset_text(out, REPORT_CONSOLE_DATABASE);
	rowset_text(out, REPORT_CONSOLE_DATABASE);
	rowset_uint(out, view->sample->console_clients);
	for (unsigned i = 3; i < 15; i++)
		rowset_uint(out, 0);
	rowset_text(out, value_word_name(VALUE_WORDS_MODE, CONF_POOL_STATEMENT));
	rowset_null(out);
}

const struct report_table show_pools_table = {
	.name = "POOLS",
	.role = IDENTITY_STATS,
	.column = show_pools_columns,
	.columns = ARRAY_LEN(show_pools_columns),
	.fill = show_pools_fill,
};

static const struct reply_column show_pools_extended_columns[] = {
	{"database", REPLY_TEXT}, {"user", REPLY_TEXT}, {"pool_mode", REPLY_TEXT}, {"pool_size", REPLY_INT4},
	{"max_overflow", REPLY_INT4}, {"reserve_pool_size", REPLY_INT4}, {"min_pool_size", REPLY_INT4},
	{"max_db_connections", REPLY_INT4}, {"max_user_connections", REPLY_INT4}, {"servers", REPLY_INT4},
	{"servers_in_use", REPLY_INT4}, {"servers_idle", REPLY_INT4}, {"servers_opening", REPLY_INT4},
	{"servers_closing", REPLY_INT4}, {"servers_outdated", REPLY_INT4},
	{"overflow_in_use", REPLY_INT4}, /* open beyond pool_size */
	{"clients", REPLY_INT4}, {"clients_waiting", REPLY_INT4}, {"oldest_wait_us", REPLY_INT8},
	{"reuse_percent", REPLY_NUMERIC}, /* since the start: checkouts that needed no new connection */
	{"reuse_percent_recent", REPLY_NUMERIC}, /* in the last stats_period */
	{"assignments", REPLY_NUMERIC}, {"waits", REPLY_NUMERIC}, {"wait_time_us", REPLY_NUMERIC},
	{"wait_timeouts", REPLY_NUMERIC},
	{"handovers", REPLY_NUMERIC}, /* servers that went to another worker's client */
	{"servers_opened", REPLY_NUMERIC}, {"servers_closed", REPLY_NUMERIC},
	{"connect_failures", REPLY_NUMERIC}, {"login_failures", REPLY_NUMERIC}, {"pings", REPLY_NUMERIC},
	{"ping_failures", REPLY_NUMERIC}, {"query_timeouts", REPLY_NUMERIC},
	{"idle_transaction_timeouts", REPLY_NUMERIC}, {"errors", REPLY_NUMERIC}, {"cancels", REPLY_NUMERIC},
	{"long_queries", REPLY_NUMERIC}, {"long_query_actions", REPLY_NUMERIC}, {"paused", REPLY_INT4},
	{"disabled", REPLY_INT4},
	{"last_failure", REPLY_TEXT}, /* why no server can be had; null: none is missing */
};

static void show_pools_reuse(const struct stats *s, struct rowset *out)
{
	uint64_t all = s->server_assignment_count, fresh = s->servers_opened;

	/* servers that were opened for min_pool_size, or to replace aged ones, have not been waited for: no harm */
	if (all == 0)
		rowset_null(out);
	else
		rowset_format(out, "%.2f", fresh >= all ? 0.0 : 100.0 * (double)(all - fresh) / (double)all);
}

static void show_pools_extended_counts(
	const struct report_view *view, const struct sample_pool *p, struct rowset *out)
{
	const struct stats *s = &p->stats;
	struct stats recent = {0};

	monitor_period(view->monitor, p->share, &recent);
	show_pools_reuse(s, out);
	show_pools_reuse(&recent, out);
	rowset_uint(out, s->server_assignment_count);
	rowset_uint(out, s->wait_count);
	rowset_uint(out, s->wait_time);
	rowset_uint(out, s->wait_timeouts);
	rowset_uint(out, s->handovers);
	rowset_uint(out, s->servers_opened);
	rowset_uint(out, s->servers_closed);
	rowset_uint(out, s->connect_failures);
	rowset_uint(out, s->login_failures);
	rowset_uint(out, s->pings);
	rowset_uint(out, s->ping_failures);
	rowset_uint(out, s->query_timeouts);
	rowset_uint(out, s->idle_transaction_timeouts);
	rowset_uint(out, s->errors);
	rowset_uint(out, s->cancels);
	rowset_uint(out, s->long_queries);
	rowset_uint(out, s->long_actions);
}

static void show_pools_extended_row(
	const struct report_view *view, const struct sample_pool *p, struct rowset *out)
{
	const struct conf_limits *l = &p->limits;
	bool is_over = l->pool_size > 0 && p->servers > (uint64_t)l->pool_size;

	rowset_text(out, p->share->database);
	rowset_text(out, p->share->user);
	rowset_text(out, value_word_name(VALUE_WORDS_MODE, l->pool_mode));
	rowset_int(out, l->pool_size);
	rowset_int(out, l->max_overflow);
	rowset_int(out, l->reserve_pool_size);
	rowset_int(out, l->min_pool_size);
	rowset_int(out, l->max_db_connections);
	rowset_int(out, l->max_user_connections);
	rowset_uint(out, p->servers);
	rowset_uint(out, p->active + p->tested + p->being_canceled);
	rowset_uint(out, p->idle);
	rowset_uint(out, p->opening);
	rowset_uint(out, p->closing);
	rowset_uint(out, p->outdated);
	rowset_uint(out, is_over ? p->servers - (uint64_t)l->pool_size : 0);
	rowset_uint(out, p->clients);
	rowset_uint(out, p->waiting);
	rowset_uint(out, p->oldest_wait);
	show_pools_extended_counts(view, p, out);
	rowset_int(out, p->is_paused);
	rowset_int(out, p->is_disabled);
	rowset_text(out, p->is_failing ? p->failure : NULL);
}

static void show_pools_extended_fill(const struct report_view *view, struct rowset *out)
{
	for (size_t i = 0; i < view->sample->count; i++)
		show_pools_extended_row(view, &view->sample->pool[i], out);
}

const struct report_table show_pools_extended_table = {
	.name = "POOLS_EXTENDED",
	.role = IDENTITY_STATS,
	.column = show_pools_extended_columns,
	.columns = ARRAY_LEN(show_pools_extended_columns),
	.fill = show_pools_extended_fill,
};

static const struct reply_column show_peer_pools_columns[] = {
	{"peer_id", REPLY_INT4},
	{"cl_active_cancel_req", REPLY_INT4},
	{"cl_waiting_cancel_req", REPLY_INT4},
	{"sv_active_cancel", REPLY_INT4},
	{"sv_login", REPLY_INT4},
};

/* cancel requests are not passed on to peers: none has a pool */
static void show_peer_pools_fill(const struct report_view *view FX_UNUSED, struct rowset *out FX_UNUSED)
{
}

const struct report_table show_pools_peers_table = {
	.name = "PEER_POOLS",
	.role = IDENTITY_STATS,
	.column = show_peer_pools_columns,
	.columns = ARRAY_LEN(show_peer_pools_columns),
	.fill = show_peer_pools_fill,
	.is_local = true,
};
