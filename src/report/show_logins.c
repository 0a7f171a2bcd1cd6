/*
 * show_logins.c - SHOW LOGINS: what has become of connections before they had logged in;
 * SHOW LOGIN_ADDRESSES: where they come from.
 */
#include "auth/identity.h"
#include "report/show.h"
#include "session/porch.h"
#include "session/strangers.h"

#include <string.h>

static const struct reply_column show_logins_columns[] = {
	{"connected", REPLY_INT4}, /* now, not logged in */
	{"max_connected", REPLY_INT4}, /* as the settings are; null: no limit but max_client_conn */
	{"max_of_address", REPLY_INT4},
	{"refused", REPLY_INT8}, /* from here on: since the start */
	{"refused_of_address", REPLY_INT8},
	{"failed", REPLY_INT8},
	{"delayed", REPLY_INT8},
	{"delayed_us", REPLY_INT8},
	{"timed_out", REPLY_INT8},
	{"unfollowed", REPLY_INT8},
	{"stalled", REPLY_INT8},
};

static void show_logins_limit(unsigned limit, struct rowset *out)
{
	if (limit > 0)
		rowset_uint(out, limit);
	else
		rowset_null(out);
}

static void show_logins_fill(const struct report_view *view, struct rowset *out)
{
	static const enum strangers_counter order[] = {
		STRANGERS_REFUSED_ALL, STRANGERS_REFUSED_ADDRESS, STRANGERS_FAILED, STRANGERS_DELAYED,
		STRANGERS_DELAYED_US, STRANGERS_TIMED_OUT, STRANGERS_UNFOLLOWED, STRANGERS_UNSEATED,
	};
	struct hub_counts counts;

	hub_count(view->hub, &counts);
	rowset_uint(out, counts.logins);
	show_logins_limit(porch_max(&view->conf->set), out);
	show_logins_limit(porch_max_of_address(&view->conf->set), out);
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		rowset_uint(out, strangers_counted(view->hub->strangers, order[i]));
}

const struct report_table show_logins_table = {
	.name = "LOGINS",
	.role = IDENTITY_STATS,
	.column = show_logins_columns,
	.columns = ARRAY_LEN(show_logins_columns),
	.fill = show_logins_fill,
	.is_local = true,
};

static const struct reply_column show_addresses_columns[] = {
	{"address", REPLY_TEXT}, /* IPv6: its /64; unix: the uid */
	{"connected", REPLY_INT4}, /* now, not logged in */
	{"failures", REPLY_INT4}, /* wrong passwords that are remembered */
};

static void show_addresses_row(const struct strangers_row *row, struct rowset *out)
{
	char text[ADDR_TEXT_MAX];
	uint32_t uid;

	addr_format(&row->from, text, sizeof(text));
	memcpy(&uid, row->from.ip, sizeof(uid));
	if (row->from.family == ADDR_UNIX)
		rowset_format(out, "uid %u", uid);
	else
		rowset_format(out, "%s%s", text, row->from.family == ADDR_IPV6 ? "/64" : "");
	rowset_uint(out, row->connected);
	rowset_uint(out, row->failures);
}

static void show_addresses_fill(const struct report_view *view, struct rowset *out)
{
	struct strangers_row row[32];
	size_t at = 0, n;

	while ((n = strangers_read(view->hub->strangers, &at, row, ARRAY_LEN(row), view->now)) > 0)
		for (size_t i = 0; i < n; i++)
			show_addresses_row(&row[i], out);
}

const struct report_table show_logins_addresses = {
	.name = "LOGIN_ADDRESSES",
	.role = IDENTITY_STATS,
	.column = show_addresses_columns,
	.columns = ARRAY_LEN(show_addresses_columns),
	.fill = show_addresses_fill,
	.is_local = true,
};
