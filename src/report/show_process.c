/*
 * show_process.c - the process itself: SHOW LISTS, CONFIG, MEM, STATE, VERSION, and the tables that have no rows here.
 */
#include "auth/identity.h"
#include "base/mem.h"
#include "net/resolve.h"
#include "report/show.h"
#include "report/version.h"

#include <string.h>

static const struct reply_column show_lists_columns[] = {{"list", REPLY_TEXT}, {"items", REPLY_INT4}};

static void show_lists_row(const char *name, size_t items, struct rowset *out)
{
	rowset_text(out, name);
	rowset_uint(out, items);
}

static void show_lists_fill(const struct report_view *view, struct rowset *out)
{
	size_t databases = 1, servers = 0, twins = 0;
	struct resolve_stats dns = {0};
	struct hub_counts counts;

	for (size_t i = 0; i < view->conf->databases; i++)
		databases += !view->conf->database[i].is_auto;
	for (size_t i = 0; i < view->sample->count; i++)
		servers += view->sample->pool[i].servers;
	for (size_t i = 1; i < view->sample->count; i++)
		twins += sample_is_twin(&view->sample->pool[i - 1], &view->sample->pool[i]);
	hub_count(view->hub, &counts);
	if (view->hub->resolver != NULL)
		resolve_get_stats(view->hub->resolver, &dns);
	show_lists_row("databases", databases, out);
	show_lists_row("users", show_names_users_count(view), out);
	show_lists_row("peers", view->conf->peers, out);
	show_lists_row("pools", view->sample->count - twins + 1, out);
	show_lists_row("peer_pools", 0, out);
	show_lists_row("free_clients", 0, out);
	show_lists_row("used_clients", counts.clients, out);
	show_lists_row("login_clients", counts.logins, out);
	show_lists_row("free_servers", 0, out);
	show_lists_row("used_servers", servers, out);
	show_lists_row("dns_names", dns.names, out);
	show_lists_row("dns_zones", 0, out);
	show_lists_row("dns_queries", dns.pending, out);
	show_lists_row("dns_pending", 0, out);
}

const struct report_table show_process_lists = {
	.name = "LISTS",
	.role = IDENTITY_STATS,
	.column = show_lists_columns,
	.columns = ARRAY_LEN(show_lists_columns),
	.fill = show_lists_fill,
};

static const struct reply_column show_config_columns[] = {
	{"key", REPLY_TEXT}, {"value", REPLY_TEXT}, {"default", REPLY_TEXT}, {"changeable", REPLY_TEXT}};

static void show_config_row(void *arg, const struct conf_option_view *row)
{
	struct rowset *out = arg;

	rowset_text(out, row->name);
	rowset_text(out, row->value);
	rowset_text(out, row->default_text);
	rowset_text(out, row->is_reloadable ? "yes" : "no");
}

static void show_config_fill(const struct report_view *view, struct rowset *out)
{
	conf_each_option(view->conf, show_config_row, out);
}

const struct report_table show_process_config = {
	.name = "CONFIG",
	.role = IDENTITY_STATS,
	.column = show_config_columns,
	.columns = ARRAY_LEN(show_config_columns),
	.fill = show_config_fill,
	.is_local = true,
};

static const struct reply_column show_mem_columns[] = {{"name", REPLY_TEXT}, {"size", REPLY_INT4},
	{"used", REPLY_INT4}, {"free", REPLY_INT4}, {"memtotal", REPLY_INT4}};

static void show_mem_fill(const struct report_view *view FX_UNUSED, struct rowset *out)
{
	for (int kind = 0; kind < MEM_KIND_COUNT; kind++) {
		struct mem_usage u;

		mem_usage_get((enum mem_kind)kind, &u);
		rowset_text(out, u.name);
		rowset_uint(out, u.size);
		rowset_uint(out, u.used);
		rowset_uint(out, 0);
		rowset_uint(out, u.bytes);
	}
}

const struct report_table show_process_mem = {
	.name = "MEM",
	.role = IDENTITY_STATS,
	.column = show_mem_columns,
	.columns = ARRAY_LEN(show_mem_columns),
	.fill = show_mem_fill,
	.is_local = true,
};

static const struct reply_column show_state_columns[] = {{"key", REPLY_TEXT}, {"value", REPLY_TEXT}};

static void show_state_fill(const struct report_view *view, struct rowset *out)
{
	bool is_paused = hub_is_paused(view->hub, NULL);

	rowset_text(out, "active");
	rowset_text(out, is_paused ? "no" : "yes");
	rowset_text(out, "paused");
	rowset_text(out, is_paused ? "yes" : "no");
	rowset_text(out, "suspended");
	rowset_text(out, "no");
}

const struct report_table show_process_state = {
	.name = "STATE",
	.role = IDENTITY_STATS,
	.column = show_state_columns,
	.columns = ARRAY_LEN(show_state_columns),
	.fill = show_state_fill,
	.is_local = true,
};

static const struct reply_column show_version_columns[] = {{"version", REPLY_TEXT}};

static void show_version_fill(const struct report_view *view, struct rowset *out)
{
	rowset_text(out, version_text(view->conf->profile));
}

const struct report_table show_process_version = {
	.name = "VERSION",
	.role = IDENTITY_STATS,
	.column = show_version_columns,
	.columns = ARRAY_LEN(show_version_columns),
	.fill = show_version_fill,
	.is_local = true,
};

/* Tables that exporters ask for and that have no rows: we hand over no file descriptors, and watch no zones. */
static void show_nothing(const struct report_view *view FX_UNUSED, struct rowset *out FX_UNUSED)
{
}

static const struct reply_column show_fds_columns[] = {
	{"fd", REPLY_INT4},
	{"task", REPLY_TEXT},
	{"user", REPLY_TEXT},
	{"database", REPLY_TEXT},
	{"addr", REPLY_TEXT},
	{"port", REPLY_INT4},
	{"cancel", REPLY_INT8},
	{"link", REPLY_INT4},
	{"client_encoding", REPLY_TEXT},
	{"std_strings", REPLY_TEXT},
	{"datestyle", REPLY_TEXT},
	{"timezone", REPLY_TEXT},
	{"password", REPLY_TEXT},
	{"scram_client_key", REPLY_BYTEA},
	{"scram_server_key", REPLY_BYTEA},
};

const struct report_table show_process_fds = {
	.name = "FDS",
	.role = IDENTITY_ADMIN,
	.column = show_fds_columns,
	.columns = ARRAY_LEN(show_fds_columns),
	.fill = show_nothing,
	.is_local = true,
};

static const struct reply_column show_dns_hosts_columns[] = {
	{"hostname", REPLY_TEXT}, {"ttl", REPLY_INT8}, {"addrs", REPLY_TEXT}};

static void show_dns_host(void *arg, const char *host, uint64_t ttl, const struct addr *list, unsigned n)
{
	struct rowset *out = arg;
	char text[RESOLVE_ADDRS * (ADDR_TEXT_MAX + 1)] = "";
	size_t at = 0;

	for (unsigned i = 0; i < n && i < RESOLVE_ADDRS; i++) {
		if (i > 0)
			text[at++] = ',';
		addr_format(&list[i], text + at, sizeof(text) - at);
		at += strlen(text + at);
	}
	rowset_text(out, host);
	rowset_uint(out, ttl / 1000000);
	rowset_text(out, text);
}

static void show_dns_hosts_fill(const struct report_view *view, struct rowset *out)
{
	if (view->hub->resolver != NULL)
		resolve_each(view->hub->resolver, show_dns_host, out);
}

const struct report_table show_process_dns_hosts = {
	.name = "DNS_HOSTS",
	.role = IDENTITY_STATS,
	.column = show_dns_hosts_columns,
	.columns = ARRAY_LEN(show_dns_hosts_columns),
	.fill = show_dns_hosts_fill,
	.is_local = true,
};

static const struct reply_column show_dns_zones_columns[] = {
	{"zonename", REPLY_TEXT}, {"serial", REPLY_INT8}, {"count", REPLY_INT4}};

const struct report_table show_process_dns_zones = {
	.name = "DNS_ZONES",
	.role = IDENTITY_STATS,
	.column = show_dns_zones_columns,
	.columns = ARRAY_LEN(show_dns_zones_columns),
	.fill = show_nothing,
	.is_local = true,
};
