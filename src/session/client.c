/*
 * client.c - the life of a client, and its one way out.
 *
 * On the client's worker.  client_enter is the only writer of state; everything
 * a client holds is given back by client_let_go, whatever the reason.
 */
#include "session/client.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/tls.h"
#include "pool/plan.h"
#include "proto/reply.h"
#include "session/deadline.h"
#include "session/entry.h"
#include "session/keyring.h"
#include "session/record.h"
#include "session/relay.h"
#include "session/request.h"
#include "session/seat.h"
#include "session/secured.h"
#include "session/statements.h"
#include "session/strangers.h"
#include "session/vars.h"
#include "session/worker.h"

#include <stdio.h>
#include <string.h>

#define CS(id) (1u << CLIENT_##id)
static const unsigned client_entries[CLIENT_STATE_COUNT] = {
#define CLIENT_STATE(id, word, from) [CLIENT_##id] = from,
#include "session/client_state.def"
#undef CLIENT_STATE
};
#undef CS

static const char *const client_words[CLIENT_STATE_COUNT] = {
#define CLIENT_STATE(id, word, from) [CLIENT_##id] = word,
#include "session/client_state.def"
#undef CLIENT_STATE
};

static const struct client_reason {
	const char *bouncer, *own;
	enum log_level level;
	const char *text;
} client_reasons[CLIENT_END_COUNT] = {
#define CLIENT_END(id, bouncer, own, level, text) [CLIENT_END_##id] = {bouncer, own, LOG_##level, text},
#include "session/client_end.def"
#undef CLIENT_END
};

const char *client_state_word(enum client_state state)
{
	return client_words[state];
}

const char *client_end_text(enum client_end end)
{
	return client_reasons[end].text;
}

bool client_may_enter(enum client_state from, enum client_state to)
{
	return (client_entries[to] & (1u << from)) != 0;
}

const char *client_sqlstate(const struct client *c, enum client_end end)
{
	const struct client_reason *r = &client_reasons[end];

	return c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER ? r->bouncer : r->own;
}

void client_known(struct client *c)
{
	tls_forget(&c->conn, false);
	c->conn.is_private = false;
	strangers_leave(c->worker->home.hub->strangers, c->place);
	c->place = 0;
}

void client_enter(struct client *c, enum client_state state)
{
	bool was_login = c->state == CLIENT_STARTUP || c->state == CLIENT_AUTH;

	CHECK(client_may_enter((enum client_state)c->state, state));
	c->worker->console_clients += (unsigned)client_is_console(state) - (unsigned)client_is_console(c->state);
	c->state = (uint8_t)state;
	if (state == CLIENT_WELCOME || state == CLIENT_CONSOLE)
		client_known(c);
	if (was_login && (state == CLIENT_STARTUP || state == CLIENT_AUTH || state == CLIENT_WELCOME))
		return; /* one deadline over the whole login */
	deadline_arm(c);
}

void client_context(const struct client *c, char *out, size_t size)
{
	const char *db = c->identity != NULL ? identity_database(c->identity) : "(nodb)";
	const char *user = c->identity != NULL ? identity_user(c->identity) : "(nouser)";
	char addr[ADDR_TEXT_MAX];
	const char *end = out + size;

	addr_format(&c->peer, addr, sizeof(addr));
	out = str_put_hex(str_put(out, end, "C-0x"), end, c->id);
	out = str_put_most(str_put(out, end, ": "), end, db, 64);
	out = str_put_most(str_put(out, end, "/"), end, user, 64);
	out = str_put(str_put(out, end, "@"), end, addr);
	(void)str_put_u64(str_put(out, end, ":"), end, c->peer.port);
}

void client_log(const struct client *c, enum log_level level, const char *fmt, ...)
{
	char context[256];
	va_list ap;

	if (!log_is_on(level))
		return;
	client_context(c, context, sizeof(context));
	va_start(ap, fmt);
	log_vwrite(level, context, level == LOG_LOG, fmt, ap);
	va_end(ap);
}

/* an error is owed whether there is memory for it or not */
static void client_put_error(struct client *c, const char *severity, const char *sqlstate, const char *message)
{
	static const uint8_t error[] = "E\0\0\0\51SERROR\0VERROR\0C53200\0Mout of memory\0";
	static const uint8_t fatal[] = "E\0\0\0\51SFATAL\0VFATAL\0C53200\0Mout of memory\0";
	struct buf out;

	buf_init(&out, 0);
	if (reply_error(&out, severity, sqlstate, message) == 0)
		conn_send(&c->conn, out.data, out.len, NULL);
	else
		conn_send(&c->conn, strcmp(severity, "ERROR") == 0 ? error : fatal, sizeof(error), NULL);
	buf_fini(&out);
}

void client_send_error(struct client *c, const char *severity, const char *sqlstate, const char *message)
{
	client_put_error(c, severity, sqlstate, message);
	if (c->worker->home.conf->set.log_pooler_errors && strcmp(severity, "ERROR") == 0 &&
	    log_limit_allows(&c->worker->noise, loop_now(c->conn.loop), 20))
		client_log(c, LOG_WARNING, "pooler error: %s", message);
}

/* whether a message of the client has been sent to its server in part */
static bool client_is_mid_message(const struct client *c)
{
	return c->left > 0 && c->is_forwarding;
}

void client_let_go(struct client *c)
{
	struct lease *l = &c->lease;
	bool reset = c->pool_mode == CONF_POOL_SESSION || c->worker->home.conf->set.server_reset_query_always;

	if (l->state == LEASE_QUEUED || l->state == LEASE_TESTING || l->state == LEASE_SOLO) {
		lease_leave(l);
	} else if (l->state == LEASE_HELD) {
		if (l->server->state != SERVER_ACTIVE)
			lease_give_unused(l);
		else if (server_is_quiet(l->server) && !client_is_mid_message(c))
			lease_return(l, reset);
		else
			lease_abandon(l, client_is_mid_message(c), reset);
	}
}

static void client_destroy(struct loop_grave *grave)
{
	struct client *c = container_of(grave, struct client, grave);

	mem_object_free(MEM_CLIENT, c, sizeof(*c));
}

static void client_log_end(const struct client *c, enum client_end end, const char *text)
{
	const struct conf_settings *set = &c->worker->home.conf->set;
	enum log_level level = client_reasons[end].level;

	if (level == LOG_LOG && !set->log_disconnections)
		return;
	if (level == LOG_WARNING && !set->log_pooler_errors)
		return;
	/* what nobody has proved to be allowed to cause is limited */
	if (c->identity == NULL && !log_limit_allows(&c->worker->noise, loop_now(c->conn.loop), 20))
		return;
	client_log(c, level, "closing because: %s (age=%us)", text,
		   (unsigned)((clock_wall_us() - c->connected_wall) / 1000000));
}

/* everything but the socket */
static void client_give_back(struct client *c)
{
	client_let_go(c);
	if (c->is_keyed)
		keyring_leave(c);
	if (c->state == CLIENT_COMMAND)
		c->worker->console->on_cancel(c->worker, c->handle, true);
	if (c->login != NULL) {
		seat_leave(c);
		entry_free(c);
	}
	if (c->statements != NULL) {
		record_end(c);
		statements_free(c->statements);
		c->statements = NULL;
	}
	if (c->pool != NULL) {
		c->pool->clients--;
		c->pool = NULL;
	}
}

void client_close(struct client *c, enum client_end end)
{
	struct worker *w = c->worker;

	if (c->state == CLIENT_GONE)
		return;
	if (c->state != CLIENT_CLOSING) {
		client_log_end(c, end, client_reasons[end].text);
		client_give_back(c);
	}
	client_enter(c, CLIENT_GONE);
	timeout_disarm(&c->deadline);
	conn_close(&c->conn);
	dlist_remove(&c->link);
	slots_remove(&w->handles, c->handle);
	atomic_fetch_sub_explicit(&w->load, 1, memory_order_relaxed);
	hub_give_client(w->home.hub, !c->is_counted, c->has_seat);
	client_known(c);
	if (c->is_counted)
		hub_give_login(w->home.hub, identity_database(c->identity), identity_user(c->identity));
	if (c->owns_limits)
		mem_free(c->limits);
	mem_free(c->application_name);
	vars_free(c);
	identity_unref(c->identity);
	c->identity = NULL;
	loop_defer_free(&w->loop, &c->grave, client_destroy);
}

/* the error is queued: let the client take it, and its own last bytes be read, or it may never see it */
static void client_begin_closing(struct client *c, enum client_end end)
{
	c->end = (uint8_t)end;
	client_give_back(c);
	client_enter(c, CLIENT_CLOSING);
	conn_resume(&c->conn);
	conn_shutdown(&c->conn);
	if (c->conn.has_ended)
		conn_notify_empty(&c->conn); /* no end will tell when it has them */
}

void client_finish(struct client *c, enum client_end end)
{
	if (c->state == CLIENT_CLOSING || c->state == CLIENT_GONE)
		return;
	client_log_end(c, end, client_reasons[end].text);
	client_begin_closing(c, end);
}

void client_fail_as(struct client *c, enum client_end end, const char *sqlstate, const char *message)
{
	if (c->state == CLIENT_CLOSING || c->state == CLIENT_GONE)
		return;
	client_log_end(c, end, message);
	if (sqlstate[0] != '\0' && !(c->lease.state == LEASE_HELD && server_is_mid_reply(c->lease.server)))
		client_put_error(c, "FATAL", sqlstate, message);
	client_begin_closing(c, end);
}

void client_fail(struct client *c, enum client_end end, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (fmt == NULL) {
		client_fail_as(c, end, client_sqlstate(c, end), client_reasons[end].text);
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	client_fail_as(c, end, client_sqlstate(c, end), text);
}

static size_t client_on_bytes(struct conn *conn, struct chunk *chunk, const uint8_t *data, size_t n)
{
	struct client *c = client_of(conn);

	switch (c->state) {
	case CLIENT_STARTUP:
	case CLIENT_AUTH:
		return entry_on_bytes(c, chunk, data, n);
	case CLIENT_CLOSING:
	case CLIENT_CANCEL:
		if (c->identity == NULL)
			conn_wipe(data, n);
		return n; /* nothing it says matters any more */
	default:
		return relay_on_bytes(c, chunk, data, n);
	}
}

static void client_on_drained(struct conn *conn)
{
	struct client *c = client_of(conn);

	if (c->state == CLIENT_CLOSING && conn->has_ended) {
		client_close(c, (enum client_end)c->end);
		return;
	}
	if (c->lease.state == LEASE_HELD)
		conn_resume(&c->lease.server->conn);
}

static void client_on_closed(struct conn *conn, enum conn_end end, int err FX_UNUSED)
{
	struct client *c = client_of(conn);

	if (c->is_leaving && end == CONN_END_EOF && c->state == CLIENT_RUNNING)
		return; /* it may still read; the rider ends it */
	if (end == CONN_END_TLS)
		secured_failed(c);
	else if (c->state == CLIENT_STARTUP && end == CONN_END_EOF && entry_is_untouched(c))
		client_close(c, CLIENT_END_SILENT);
	else
		client_close(c, end == CONN_END_EOF ? CLIENT_END_EOF : CLIENT_END_RESET);
}

static const struct conn_ops client_conn_ops = {
	.on_bytes = client_on_bytes,
	.on_drained = client_on_drained,
	.on_closed = client_on_closed,
	.on_secured = secured_on_secured,
};

static void client_tune(const struct client *c)
{
	const struct listener_tuning tuning = plan_tuning(&c->worker->home.conf->set);

	if ((c->peer.family == ADDR_IPV4 || c->peer.family == ADDR_IPV6) &&
	    !listener_is_tuned(&tuning, &c->worker->home.hub->tuning))
		listener_tune(c->conn.fd, &tuning);
}

void client_new(struct worker *w, int fd, const struct addr *peer, uint16_t place, enum hub_answer refused)
{
	struct client *c = mem_object_new(MEM_CLIENT, sizeof(*c));

	if (c == NULL || (c->handle = slots_add(&w->handles, c)) == 0 ||
	    conn_open(&c->conn, &w->loop, fd, &client_conn_ops) < 0) {
		/* conn_open has closed fd when it failed; nobody else owns it otherwise */
		if (c == NULL || c->handle == 0)
			listener_refuse(fd);
		else
			slots_remove(&w->handles, c->handle);
		mem_object_free(MEM_CLIENT, c, sizeof(*c));
		hub_give_client(w->home.hub, true, refused == HUB_OK);
		strangers_leave(w->home.hub->strangers, place);
		atomic_fetch_sub_explicit(&w->load, 1, memory_order_relaxed);
		return;
	}
	c->conn.is_private = true;
	c->worker = w;
	c->peer = *peer;
	c->place = place;
	c->has_seat = refused == HUB_OK;
	lease_init(&c->lease, &request_lease_ops);
	dlist_init(&c->link);
	c->id = hub_next_id(w->home.hub);
	c->connected_wall = clock_wall_us();
	dlist_push_back(&w->clients, &c->link);
	timeout_init(&c->deadline, deadline_on_due);
	client_tune(c);
	entry_begin(c);
}
