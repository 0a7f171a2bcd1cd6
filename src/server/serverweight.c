/*
 * serverweight.c - what a server connection weighs.
 */
#include "server/serverweight.h"

#include "net/ioweight.h"
#include "server/server.h"

void serverweight_add(const struct server *s, struct weight *to)
{
	weight_object(to, WEIGHT_SERVERS, s);
	if (s->expect.ring != s->expect.here)
		weight_block(to, WEIGHT_SERVERS, s->expect.ring);
	weight_bytes(to, WEIGHT_SERVERS, 0, s->key.data != NULL ? s->key.len + 1 : 0); /* not of the heap */
	weight_block(to, WEIGHT_SERVERS, s->text);
	weight_buf(to, WEIGHT_SERVERS, &s->reader.whole);
	weight_object(to, WEIGHT_LOGINS, s->auth);
	weight_object(to, WEIGHT_LOGINS, s->deriving);
	weight_buf(to, WEIGHT_PARAMETERS, &s->params.pairs);
	weight_buf(to, WEIGHT_PARAMETERS, &s->base.pairs);
	weight_buf(to, WEIGHT_PARAMETERS, &s->loose.pairs);
	weight_buf(to, WEIGHT_PARAMETERS, &s->was_loose.pairs);
	prepared_weigh(&s->prepared, to);
	ioweight_conn(&s->conn, WEIGHT_SERVERS, to);
}
