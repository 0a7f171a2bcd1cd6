/*
 * test_tables.c - every table there is: its columns, its role, and that it can be found.
 *
 * PgBouncer's tables are written down here once more, by hand, in its 1.25 layout: tools read
 * them by name, by number and by position.
 */
#include "auth/identity.h"
#include "report/report.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <string.h>

#define SOCKET                                                                                             \
	"type t, user t, database t, replication t, state t, addr t, port i, local_addr t, local_port i, " \
	"connect_time t, request_time t, wait i, wait_us i, close_needed i, ptr t, link t, remote_pid i, " \
	"tls t, "                                                                                          \
	"application_name t, prepared_statements i, id i"
#define ELEVEN(p) p "server_assignment_count N, " p "xact_count N, " p "query_count N, "

static const struct {
	const char *name, *columns;
} layouts[] = {
	{"POOLS", "database t, user t, cl_active i, cl_waiting i, cl_active_cancel_req i, "
		  "cl_waiting_cancel_req i, "
		  "sv_active i, sv_active_cancel i, sv_being_canceled i, sv_idle i, sv_used i, sv_tested i, "
		  "sv_login i, "
		  "maxwait i, maxwait_us i, pool_mode t, load_balance_hosts t"},
	{"CLIENTS", SOCKET},
	{"SERVERS", SOCKET},
	{"SOCKETS", SOCKET ", recv_pos i, pkt_pos i, pkt_remain i, send_pos i, send_remain i, pkt_avail i, "
			   "send_avail i"},
	{"ACTIVE_SOCKETS", SOCKET ", recv_pos i, pkt_pos i, pkt_remain i, send_pos i, send_remain i, "
				  "pkt_avail i, send_avail i"},
	{"DATABASES",
		"name t, host t, port i, database t, force_user t, pool_size i, min_pool_size i, "
		"reserve_pool_size i, server_lifetime i, pool_mode t, load_balance_hosts t, max_connections "
		"i, "
		"current_connections i, max_client_connections i, current_client_connections i, paused i, "
		"disabled i"},
	{"USERS", "name t, pool_size t, reserve_pool_size t, pool_mode t, max_user_connections i, "
		  "current_connections i, max_user_client_connections i, current_client_connections i"},
	{"STATS",
		"database t, " ELEVEN("total_") "total_received N, total_sent N, total_xact_time N, "
						"total_query_time N, total_wait_time N, "
						"total_client_parse_count N, total_server_parse_count N, "
						"total_bind_count N, " ELEVEN(
							"avg_") "avg_recv N, avg_sent N, avg_xact_time N, "
								"avg_query_time N, "
								"avg_wait_time N, avg_client_parse_count N, "
								"avg_server_parse_count N, avg_bind_count N"},
	{"STATS_TOTALS", "database t, " ELEVEN(
				 "") "bytes_received N, bytes_sent N, xact_time N, query_time N, "
				     "wait_time N, client_parse_count N, server_parse_count N, bind_count N"},
	{"STATS_AVERAGES",
		"database t, " ELEVEN("") "bytes_received N, bytes_sent N, xact_time N, query_time N, "
					  "wait_time N, avg_client_parse_count N, avg_server_parse_count N, "
					  "avg_bind_count N"},
	{"TOTALS", "name t, value N"},
	{"LISTS", "list t, items i"},
	{"CONFIG", "key t, value t, default t, changeable t"},
	{"MEM", "name t, size i, used i, free i, memtotal i"},
	{"STATE", "key t, value t"},
	{"VERSION", "version t"},
	{"PEERS", "peer_id i, host t, port i, pool_size i"},
	{"PEER_POOLS",
		"peer_id i, cl_active_cancel_req i, cl_waiting_cancel_req i, sv_active_cancel i, sv_login i"},
	{"DNS_HOSTS", "hostname t, ttl q, addrs t"},
	{"DNS_ZONES", "zonename t, serial q, count i"},
	{"FDS", "fd i, task t, user t, database t, addr t, port i, cancel q, link i, client_encoding t, "
		"std_strings t, "
		"datestyle t, timezone t, password t, scram_client_key b, scram_server_key b"},
};

static void print_layout(const struct report_table *t, char *out, size_t size)
{
	static const char letters[REPLY_TYPE_COUNT] = {[REPLY_TEXT] = 't',
		[REPLY_INT4] = 'i',
		[REPLY_INT8] = 'q',
		[REPLY_NUMERIC] = 'N',
		[REPLY_BYTEA] = 'b',
		[REPLY_BOOL] = 'B',
		[REPLY_FLOAT8] = 'f'};
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < t->columns; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s %c", i > 0 ? ", " : "", t->column[i].name,
			letters[t->column[i].type]);
	ck_assert_uint_lt(at, size);
}

START_TEST(pgbouncers_tables_have_its_columns)
{
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
		const struct report_table *t = report_find(layouts[i].name);
		char text[4096];

		ck_assert_msg(t != NULL, "no table %s", layouts[i].name);
		print_layout(t, text, sizeof(text));
		ck_assert_str_eq(text, layouts[i].columns);
	}
	ck_assert_uint_eq(report_find("stats")->columns, 23);
}
END_TEST

START_TEST(every_table_is_whole)
{
	const struct report_table *t;
	size_t at = 0, n = 0, known = 0;

	while ((t = report_next(&at)) != NULL) {
		n++;
		ck_assert_msg(report_find(t->name) == t, "%s", t->name);
		ck_assert(t->columns > 0 && t->column != NULL);
		ck_assert_msg((t->rows != NULL) != (t->fill != NULL), "%s", t->name);
		ck_assert(!t->is_local || t->fill != NULL);
		/* who may see it is said, and only file descriptors, keys and who is looked up are for administrators */
		ck_assert_uint_eq(t->role, strcmp(t->name, "FDS") == 0 || strcmp(t->name, "AUTH_CACHE") == 0 ? IDENTITY_ADMIN : IDENTITY_STATS);
		for (size_t i = 0; i < t->columns; i++)
			for (size_t k = 0; k < i; k++)
				ck_assert_str_ne(t->column[i].name, t->column[k].name);
		for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
			known += strcmp(layouts[i].name, t->name) == 0;
	}
	ck_assert_uint_eq(known, ARRAY_LEN(layouts));
	ck_assert_uint_eq(n, ARRAY_LEN(layouts) + 9); /* HEALTH, LONG_QUERIES, WORKERS, POOLS_EXTENDED, LOGINS, LOGIN_ADDRESSES, AUTH_CACHE,
						       AUTH_LOOKUPS, MEM_EXTENDED */
	ck_assert_ptr_nonnull(report_find("Health"));
	ck_assert_ptr_nonnull(report_find("long_queries"));
	ck_assert_ptr_nonnull(report_find("POOLS_EXTENDED"));
	ck_assert_ptr_null(report_find("POOL"));
	ck_assert_ptr_null(report_find(""));
}
END_TEST

SUITE_MAIN("tables", pgbouncers_tables_have_its_columns, every_table_is_whole)
