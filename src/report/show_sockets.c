/*
 * show_sockets.c - SHOW CLIENTS, SERVERS, SOCKETS and ACTIVE_SOCKETS, as PgBouncer has them.
 *
 * On each worker's thread, from what it owns.  ptr and link name the two ends of a lease by their ids.
 */
#include "auth/identity.h"
#include "base/clock.h"
#include "net/tls.h"
#include "report/show.h"
#include "session/replica.h"
#include "session/statements.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
#define SHOW_SOCKETS_COLUMNS \
	{"type", REPLY_TEXT}, {"user", REPLY_TEXT}, {"database", REPLY_TEXT}, {"replication", REPLY_TEXT}, \
	{"state", REPLY_TEXT}, {"addr", REPLY_TEXT}, {"port", REPLY_INT4}, {"local_addr", REPLY_TEXT}, \
	{"local_port", REPLY_INT4}, {"connect_time", REPLY_TEXT}, {"request_time", REPLY_TEXT}, {"wait", REPLY_INT4}, \
	{"wait_us", REPLY_INT4}, {"close_needed", REPLY_INT4}, {"ptr", REPLY_TEXT}, {"link", REPLY_TEXT}, \
	{"remote_pid", REPLY_INT4}, {"tls", REPLY_TEXT}, {"application_name", REPLY_TEXT}, \
	{"prepared_statements", REPLY_INT4}, {"id", REPLY_INT4}
/* clang-format on */

static const struct reply_column show_clients_columns[] = {SHOW_SOCKETS_COLUMNS};

static const struct reply_column show_sockets_columns[] = {
	SHOW_SOCKETS_COLUMNS,
	{"recv_pos", REPLY_INT4},
	{"pkt_pos", REPLY_INT4},
	{"pkt_remain", REPLY_INT4},
	{"send_pos", REPLY_INT4},
	{"send_remain", REPLY_INT4},
	{"pkt_avail", REPLY_INT4},
	{"send_avail", REPLY_INT4},
};

struct show_socket {
	const struct conn *conn;
	const char *type, *user, *database, *replication, *state, *application_name;
	struct addr remote, local;
	uint16_t unix_port; /* what PgBouncer shows as the ports of a Unix socket */
	uint64_t connected_wall, request_since, wait, id, link;
	uint32_t pid, prepared;
	bool close_needed;
	uint32_t unread, message_left; /* bytes */
	size_t unsent;
};

static void show_socket_addr(const struct addr *a, uint16_t unix_port, struct rowset *out)
{
	char text[ADDR_TEXT_MAX];

	addr_format(a, text, sizeof(text));
	rowset_text(out, text);
	rowset_uint(out, a->family == ADDR_UNIX ? unix_port : a->port);
}

static void show_socket_ptr(uint64_t id, struct rowset *out)
{
	if (id == 0)
		rowset_text(out, "");
	else
		rowset_format(out, "0x%llx", (unsigned long long)id);
}

static void show_socket_row(struct worker *w, const struct show_socket *s, bool whole, struct rowset *out)
{
	uint64_t now = loop_now(&w->loop);
	char tls[TLS_TEXT_MAX];

	rowset_text(out, s->type);
	rowset_text(out, s->user);
	rowset_text(out, s->database);
	rowset_text(out, s->replication);
	rowset_text(out, s->state);
	show_socket_addr(&s->remote, s->unix_port, out);
	show_socket_addr(&s->local, s->unix_port, out);
	rowset_time(out, s->connected_wall);
	rowset_time(
		out, s->request_since > 0 ? clock_wall_us() - (now - s->request_since) : s->connected_wall);
	rowset_uint(out, s->wait / 1000000);
	rowset_uint(out, s->wait % 1000000);
	rowset_int(out, s->close_needed);
	show_socket_ptr(s->id, out);
	show_socket_ptr(s->link, out);
	rowset_uint(out, s->pid);
	tls_describe(s->conn, tls, sizeof(tls));
	rowset_text(out, tls);
	rowset_text(out, s->application_name != NULL ? s->application_name : "");
	rowset_uint(out, s->prepared);
	rowset_uint(out, s->id);
	if (!whole)
		return;
	rowset_uint(out, s->unread);
	rowset_int(out, 0);
	rowset_uint(out, s->message_left);
	rowset_int(out, 0);
	rowset_uint(out, s->unsent);
	rowset_uint(out, s->unread);
	rowset_uint(out, s->unsent);
}

static bool show_client_is_console(const struct client *c)
{
	return c->state == CLIENT_CONSOLE || c->state == CLIENT_COMMAND;
}

static const char *show_client_state(const struct client *c)
{
	/* one that waits for its welcome waits for a server */
	return client_state_word(c->state == CLIENT_WELCOME ? CLIENT_WAITING : (enum client_state)c->state);
}

static void show_client(
	struct worker *w, const struct client *c, const char *state, bool whole, struct rowset *out)
{
	bool waits = c->state == CLIENT_WAITING || c->state == CLIENT_WELCOME || c->state == CLIENT_ATTACHING;
	struct show_socket s = {
		.conn = &c->conn,
		.type = "C",
		.user = c->identity != NULL ? identity_user(c->identity) : NULL,
		.database = c->identity != NULL ? identity_database(c->identity) : NULL,
		.replication = replica_word(c->replication),
		.state = state,
		.application_name = c->application_name,
		.remote = c->peer,
		.unix_port = (uint16_t)w->home.conf->set.listen_port,
		.connected_wall = c->connected_wall,
		.request_since = c->request_since,
		.wait = waits && c->lease.since > 0 ? loop_now(&w->loop) - c->lease.since : 0,
		.id = c->id,
		.link = c->lease.state == LEASE_HELD ? c->lease.server->id : 0,
		.prepared = statements_count(c->statements),
		.unread = conn_kept_bytes(&c->conn),
		.message_left = c->left,
		.unsent = conn_out_pending(&c->conn),
	};

	if (show_client_is_console(c))
		s.database = REPORT_CONSOLE_DATABASE;
	if (!addr_of_socket(&s.local, c->conn.fd))
		s.local = (struct addr){.family = c->peer.family};
	show_socket_row(w, &s, whole, out);
}

static const char *show_server_state(const struct server *s)
{
	if (s->place == POOL_PLACE_OPENING)
		return "new";
	if (s->place == POOL_PLACE_BUSY && !dlist_is_empty(&s->cancels))
		return "being_canceled";
	if (s->place == POOL_PLACE_BUSY)
		return "tested"; /* PgBouncer's word for a ping and for the reset query */
	return server_state_word((enum server_state)s->state);
}

static const char *show_server_replication(const struct server *s)
{
	if (s->target->replication == NULL)
		return "none";
	return strcmp(s->target->replication, "database") == 0 ? "logical" : "physical";
}

static void show_server(struct worker *w, const struct pool *pool, const struct server *s, const char *state,
	bool whole, struct rowset *out)
{
	const struct client *c = s->rider_ops != NULL ? s->rider : NULL;
	struct show_socket row = {
		.conn = &s->conn,
		.type = "S",
		.user = pool->share->user,
		.database = pool->share->database,
		.replication = show_server_replication(s),
		.state = state,
		.application_name = params_get(&s->params, "application_name"),
		.remote = s->remote,
		.local = s->local,
		.unix_port = s->target->port,
		.connected_wall = s->connected_wall,
		.request_since = s->request_since,
		.id = s->id,
		.link = c != NULL ? c->id : 0,
		.pid = s->pid,
		.close_needed = s->is_outdated,
		.prepared = s->prepared.count,
		.unread = conn_kept_bytes(&s->conn),
		.message_left = s->reader.left,
		.unsent = conn_out_pending(&s->conn),
	};

	if (row.local.family == ADDR_NONE)
		(void)addr_of_socket(&row.local, s->conn.fd);
	show_socket_row(w, &row, whole, out);
}

static bool show_client_is_in(const struct client *c)
{
	return c->state != CLIENT_CLOSING && c->state != CLIENT_GONE && c->identity != NULL;
}

static void show_clients_rows(struct worker *w, const struct report_ask *ask FX_UNUSED, struct rowset *out)
{
	DLIST_EACH(it, &w->clients)
	{
		const struct client *c = container_of(it, struct client, link);

		if (show_client_is_in(c))
			show_client(w, c, show_client_state(c), false, out);
	}
}

enum { SHOW_SERVERS, SHOW_SOCKETS, SHOW_ACTIVE };

static void show_server_list(
	struct worker *w, const struct pool *pool, const struct dlist *list, int what, struct rowset *out)
{
	for (const struct dlist *it = list->next; it != list; it = it->next) {
		const struct server *s = container_of(it, struct server, link);
		const char *word = show_server_state(s);
		char state[32];

		if (what == SHOW_SERVERS) {
			show_server(w, pool, s, word, false, out);
			continue;
		}
		snprintf(state, sizeof(state), "sv_%s", s->place == POOL_PLACE_OPENING ? "login" : word);
		show_server(w, pool, s, state, true, out);
	}
}

static void show_server_lists(struct worker *w, int what, struct rowset *out)
{
	DLIST_EACH(it, &w->home.pools)
	{
		const struct pool *pool = container_of(it, struct pool, link);

		show_server_list(w, pool, &pool->active, what, out);
		if (what == SHOW_ACTIVE)
			continue;
		show_server_list(w, pool, &pool->busy, what, out);
		show_server_list(w, pool, &pool->idle, what, out);
		show_server_list(w, pool, &pool->opening, what, out);
	}
}

static void show_servers_rows(struct worker *w, const struct report_ask *ask FX_UNUSED, struct rowset *out)
{
	show_server_lists(w, SHOW_SERVERS, out);
}

static void show_client_sockets(struct worker *w, bool only_active, struct rowset *out)
{
	DLIST_EACH(it, &w->clients)
	{
		const struct client *c = container_of(it, struct client, link);
		const char *state = show_client_is_in(c) ? show_client_state(c) : "login";
		char word[32];

		if (c->state == CLIENT_CLOSING || c->state == CLIENT_GONE ||
			(only_active && c->lease.state != LEASE_HELD && c->state != CLIENT_COMMAND))
			continue;
		/* PgBouncer's sockets know no idle clients: they are all active */
		snprintf(word, sizeof(word), "cl_%s", strcmp(state, "idle") == 0 ? "active" : state);
		show_client(w, c, word, true, out);
	}
}

static void show_sockets_rows(struct worker *w, const struct report_ask *ask FX_UNUSED, struct rowset *out)
{
	show_client_sockets(w, false, out);
	show_server_lists(w, SHOW_SOCKETS, out);
}

static void show_active_sockets_rows(
	struct worker *w, const struct report_ask *ask FX_UNUSED, struct rowset *out)
{
	show_client_sockets(w, true, out);
	show_server_lists(w, SHOW_ACTIVE, out);
}

const struct report_table show_sockets_clients = {
	.name = "CLIENTS",
	.role = IDENTITY_STATS,
	.column = show_clients_columns,
	.columns = ARRAY_LEN(show_clients_columns),
	.rows = show_clients_rows,
};

const struct report_table show_sockets_servers = {
	.name = "SERVERS",
	.role = IDENTITY_STATS,
	.column = show_clients_columns,
	.columns = ARRAY_LEN(show_clients_columns),
	.rows = show_servers_rows,
};

const struct report_table show_sockets_all = {
	.name = "SOCKETS",
	.role = IDENTITY_STATS,
	.column = show_sockets_columns,
	.columns = ARRAY_LEN(show_sockets_columns),
	.rows = show_sockets_rows,
};

const struct report_table show_sockets_active = {
	.name = "ACTIVE_SOCKETS",
	.role = IDENTITY_STATS,
	.column = show_sockets_columns,
	.columns = ARRAY_LEN(show_sockets_columns),
	.rows = show_active_sockets_rows,
};
