/*
 * dial.c - from a host of the configuration to a connection under way.
 *
 * The server's worker.  Names are looked up by the resolver's helpers.
 */
#include "server/dial.h"

#include "net/tls.h"
#include "proto/wire.h"
#include "server/login.h"
#include "server/secure.h"

#include <stdio.h>

static const struct conn_ops dial_conn_ops;

static void dial_connect(struct server *s, const struct addr *to)
{
	s->remote = *to;
	server_enter(s, SERVER_CONNECTING);
	conn_connect(&s->conn, s->loop, to, s->host->path, &dial_conn_ops);
}

static void dial_fail(struct server *s, const char *why)
{
	server_set_failure(s, SERVER_END_TLS_FAILED, "08001", "%s", why);
	server_lost(s, SERVER_END_TLS_FAILED);
}

static void dial_next(struct server *s, enum secure_next next, const char *why)
{
	switch (next) {
	case SECURE_GO:
		s->conn.ops = &server_conn_ops;
		login_begin(s);
		break;
	case SECURE_WAITS:
		break;
	case SECURE_FAILS:
		dial_fail(s, why);
		break;
	}
}

static void dial_on_connected(struct conn *c)
{
	struct server *s = container_of(c, struct server, conn);
	const char *why = "";
	enum secure_next next = secure_begin(c, s->target, s->host, s->wants_tls, &why);

	dial_next(s, next, why);
}

static size_t dial_on_bytes(struct conn *c, struct chunk *chunk FX_UNUSED, const uint8_t *data, size_t n)
{
	struct server *s = container_of(c, struct server, conn);
	const char *why = "";
	enum secure_next next = secure_answer(c, s->target, s->host, data, n, &why);

	dial_next(s, next, why);
	return n;
}

static void dial_on_secured(struct conn *c)
{
	dial_next(container_of(c, struct server, conn), SECURE_GO, "");
}

bool dial_other_way(struct server *s)
{
	uint8_t mode = s->target->tls_mode;

	if (s->has_switched || (mode != TARGET_TLS_ALLOW && mode != TARGET_TLS_PREFER) || s->host->path != NULL)
		return false;
	s->has_switched = true;
	s->wants_tls = !s->wants_tls;
	return true;
}

static void dial_on_closed(struct conn *c, enum conn_end end, int err)
{
	struct server *s = container_of(c, struct server, conn);
	char why[TLS_ERROR_MAX + 32];

	switch (end) {
	case CONN_END_CONNECT:
		server_conn_ops.on_closed(c, end, err);
		break;
	case CONN_END_TLS:
		snprintf(why, sizeof(why), "TLS handshake failed: %.*s", TLS_ERROR_MAX, tls_error(c));
		/* with allow and prefer nothing was promised */
		if (dial_other_way(s)) {
			server_log(s, LOG_LOG, "%s; going on in the clear", why);
			conn_close(c);
			dial_again(s);
		} else {
			dial_fail(s, why);
		}
		break;
	case CONN_END_EOF:
	case CONN_END_RESET:
		dial_fail(s, "server closed the connection while TLS was agreed upon");
		break;
	}
}

static void dial_on_drained(struct conn *c FX_UNUSED)
{
}

static const struct conn_ops dial_conn_ops = {
	.on_bytes = dial_on_bytes,
	.on_drained = dial_on_drained,
	.on_closed = dial_on_closed,
	.on_connected = dial_on_connected,
	.on_secured = dial_on_secured,
};

void dial_again(struct server *s)
{
	struct addr to = s->remote;

	dial_connect(s, &to);
}

static void dial_on_answer(struct resolve_ask *ask, const struct addr *list, unsigned n, const char *error)
{
	struct server *s = container_of(ask, struct server, resolve);

	if (n > 0) {
		/* of several addresses each new connection takes another one */
		dial_connect(s, &list[s->target->next_host / s->target->hosts % n]);
		return;
	}
	server_set_failure(s, SERVER_END_LOOKUP_FAILED, "08001", "server DNS lookup failed: %s", error);
	server_lost(s, SERVER_END_LOOKUP_FAILED);
}

/* The address is known, or is asked for. */
static void dial_where(struct server *s)
{
	struct addr to = {.family = ADDR_UNIX, .port = s->target->port};

	if (s->host->path != NULL || addr_parse(&to, s->host->name, s->target->port)) {
		dial_connect(s, &to);
		return;
	}
	if (s->state != SERVER_RESOLVING)
		server_enter(s, SERVER_RESOLVING);
	s->resolve.port = s->target->port;
	s->resolve.on_answer = dial_on_answer;
	CHECK(s->resolver != NULL);
	resolve_ask(s->resolver, s->loop, s->host->name, &s->resolve);
}

static void dial_no_password(struct server *s, const char *error)
{
	server_set_failure(s, SERVER_END_NO_PASSWORD, "08001", "no password for the server: %s", error);
	server_lost(s, SERVER_END_NO_PASSWORD);
}

static void dial_on_password(void *arg, const char *error)
{
	struct server *s = arg;

	if (error[0] != '\0')
		dial_no_password(s, error);
	else
		dial_where(s);
}

void dial_start(struct server *s, struct resolver *resolver, struct errands *errands)
{
	char error[PASSSOURCE_ERROR_MAX];

	s->resolver = resolver;
	s->errands = errands;
	s->wants_tls = s->target->tls_mode >= TARGET_TLS_PREFER;
	if (s->target->source == NULL) {
		dial_where(s);
		return;
	}
	server_enter(s, SERVER_RESOLVING);
	if (passsource_ask(s->target->source, errands, s->loop, 0, dial_on_password, s, &s->asked, error) == PASSSOURCE_READY)
		dial_on_password(s, error);
}

/* It was refused: is there another one now, or a second? */
static void dial_on_other_password(void *arg, const char *error FX_UNUSED)
{
	struct server *s = arg;
	struct credential pair[2];
	bool has_second, has_changed = passsource_read(s->target->source, pair) != s->pass_generation;

	has_second = pair[1].kind != CREDENTIAL_NONE;
	credential_fini(&pair[0]);
	credential_fini(&pair[1]);
	if (!has_changed && !has_second) {
		/* the server's own words are there */
		server_lost(s, SERVER_END_LOGIN_FAILED);
		return;
	}
	s->failure = (struct server_failure){.end = SERVER_END_NONE};
	s->is_second = !has_changed && !s->is_second;
	server_log(s, LOG_LOG, "trying %s password of user \"%.64s\"", has_changed ? "the new" : "the other", s->target->user);
	dial_again(s);
}

void dial_other_password(struct server *s)
{
	char error[PASSSOURCE_ERROR_MAX];

	server_enter(s, SERVER_RESOLVING);
	if (passsource_ask(s->target->source, s->errands, s->loop, s->pass_generation, dial_on_other_password, s, &s->asked, error) ==
	    PASSSOURCE_READY)
		dial_on_other_password(s, error);
}
