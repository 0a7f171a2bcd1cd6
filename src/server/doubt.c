/*
 * doubt.c - finding out how many ReadyForQuery a server still owes.
 */
#include "server/doubt.h"

#include "proto/frontend.h"

/* CloseComplete can't be taken for an answer to anything else, and the Close of what is not there changes nothing */
static bool doubt_probe(struct server *s)
{
	struct buf out;

	if (expect_probe(&s->expect) < 0) {
		server_close(s, SERVER_END_NO_MEMORY);
		return false;
	}
	buf_init(&out, 0);
	(void)frontend_close(&out, 'S', "fx_none");
	(void)frontend_sync(&out);
	return server_say(s, &out) == 0;
}

bool doubt_may_ask(const struct server *s)
{
	/* a cancel under way would hit the question; its end leads here again */
	return expect_wants_probe(&s->expect) && dlist_is_empty(&s->cancels);
}

void doubt_ask(struct server *s)
{
	if (doubt_may_ask(s))
		(void)doubt_probe(s);
}

/* Would the server ignore the client's next message?  That can't be asked before it has got a Sync. */
static bool doubt_rouse(struct server *s)
{
	struct buf out;

	if (expect_rouse(&s->expect) < 0) {
		server_close(s, SERVER_END_NO_MEMORY);
		return false;
	}
	buf_init(&out, 0);
	(void)frontend_sync(&out);
	return server_say(s, &out) == 0;
}

static bool doubt_flush(struct server *s)
{
	struct buf out;

	(void)server_note_ours(s, FE_FLUSH);
	buf_init(&out, 0);
	(void)frontend_flush(&out);
	return server_say(s, &out) == 0;
}

bool doubt_wait(struct server *s)
{
	s->is_throttled = true;
	if (doubt_may_ask(s))
		return doubt_probe(s);
	if (expect_wants_rouse(&s->expect))
		return doubt_rouse(s);
	if (expect_wants_flush(&s->expect))
		return doubt_flush(s);
	return true;
}
