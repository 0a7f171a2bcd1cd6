/*
 * dial.c - from a host of the configuration to a connection under way.
 *
 * The server's worker.  Names are looked up by the resolver's helpers.
 */
#include "server/dial.h"

#include "proto/wire.h"

static void dial_connect(struct server *s, const struct addr *to)
{
	s->remote = *to;
	server_enter(s, SERVER_CONNECTING);
	conn_connect(&s->conn, s->loop, to, s->host->path, &server_conn_ops);
}

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

void dial_start(struct server *s, struct resolver *resolver)
{
	struct addr to = {.family = ADDR_UNIX, .port = s->target->port};

	if (s->host->path != NULL || addr_parse(&to, s->host->name, s->target->port)) {
		dial_connect(s, &to);
		return;
	}
	server_enter(s, SERVER_RESOLVING);
	s->resolve.port = s->target->port;
	s->resolve.on_answer = dial_on_answer;
	CHECK(resolver != NULL);
	resolve_ask(resolver, s->loop, s->host->name, &s->resolve);
}
