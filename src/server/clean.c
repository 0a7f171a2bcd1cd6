/*
 * clean.c - ping, and bringing an abandoned server to rest.
 *
 * Cleaning goes: end an open COPY, end the batch with a Sync, cancel what runs,
 * wait until nothing is owed, ROLLBACK if a transaction is open, the reset query
 * if asked for, and then the server is the owner's again.  One deadline covers
 * it all; past it the server is closed.
 */
#include "server/clean.h"

#include "base/str.h"
#include "proto/frontend.h"
#include "server/cancel.h"
#include "server/doubt.h"
#include "server/owed.h"

enum { CLEAN_DRAIN, CLEAN_ROLLBACK, CLEAN_RESET, CLEAN_PING };

static void clean_query(struct server *s, const char *sql)
{
	struct buf out;

	buf_init(&out, 0);
	(void)frontend_query(&out, sql);
	if (server_note(s, FE_QUERY))
		(void)server_say(s, &out);
	else
		buf_fini(&out);
}

void clean_ping(struct server *s, uint64_t timeout)
{
	server_enter(s, SERVER_TESTING);
	s->clean_step = CLEAN_PING;
	s->is_odd = false;
	loop_arm(s->loop, &s->deadline, timeout);
	clean_query(s, s->target->check_query != NULL ? s->target->check_query : "");
}

/* Ends a COPY that waits for data, and a batch that waits for its Sync. */
static void clean_end_request(struct server *s)
{
	struct buf out;

	buf_init(&out, 0);
	if (s->expect.in_copy) {
		(void)frontend_copy_fail(&out, "client disconnected");
		if (!server_note(s, FE_COPY_FAIL)) {
			buf_fini(&out);
			return;
		}
	}
	/* a Sync alone would commit what the batch has done so far; without it PostgreSQL would have rolled it back */
	if (s->expect.in_batch && !s->expect.is_skipping) {
		(void)frontend_bind(&out, "", "fx_none", NULL, 0);
		if (!server_note(s, FE_BIND)) {
			buf_fini(&out);
			return;
		}
	}
	if (s->expect.in_batch || s->expect.is_skipping) {
		(void)frontend_sync(&out);
		if (!server_note(s, FE_SYNC)) {
			buf_fini(&out);
			return;
		}
	}
	if (out.len > 0)
		(void)server_say(s, &out);
	else
		buf_fini(&out);
}

/* what the client began and will not end */
static void clean_finish_request(struct server *s)
{
	bool was_copy = s->expect.in_copy;

	clean_end_request(s);
	if (s->state == SERVER_CLEANING && !was_copy && owed_may_cancel(&s->expect))
		(void)cancel_start(s, NULL, NULL);
}

void clean_begin(struct server *s, bool reset)
{
	s->rider_ops = NULL;
	s->rider = NULL;
	s->is_throttled = false;
	s->wants_reset = reset;
	server_enter(s, SERVER_CLEANING);
	s->clean_step = CLEAN_DRAIN;
	conn_resume(&s->conn);
	clean_finish_request(s);
	/* also when nothing is owed: the next step is taken from the loop, never from inside this call */
	if (s->state == SERVER_CLEANING)
		conn_notify_empty(&s->conn);
}

static bool clean_is_at_rest(struct server *s)
{
	if (!expect_is_quiet(&s->expect) || s->reader.left > 0 || s->reader.have > 0 ||
	    !dlist_is_empty(&s->cancels))
		return false;
	if (conn_out_pending(&s->conn) == 0)
		return true;
	conn_notify_empty(&s->conn);
	return false;
}

static void clean_done(struct server *s)
{
	s->request_since = s->xact_since = 0;
	server_enter(s, SERVER_IDLE);
	s->owner_ops->on_rested(s);
}

static void clean_reset_done(struct server *s)
{
	s->vars_hash = UINT64_MAX;
	if (str_is_equal_nocase(s->target->reset_query, "DISCARD ALL")) {
		params_clear(&s->loose);
		s->is_loose_stale = false;
	} else {
		/* the query is the operator's: nobody knows what it leaves of the parameters that are not reported */
		s->is_loose_stale = true;
	}
	clean_done(s);
}

void clean_settled(struct server *s)
{
	/* a COPY of the client's may begin only now: nobody will feed it, and a cancel does not reach it */
	if (s->expect.in_copy)
		clean_end_request(s);
	if (s->state != SERVER_CLEANING && s->state != SERVER_TESTING)
		return;
	if (s->expect.is_ambiguous || s->has_spoken) {
		server_close(s, SERVER_END_UNCLEAN);
		return;
	}
	doubt_ask(s);
	if (!clean_is_at_rest(s))
		return;
	switch (s->clean_step) {
	case CLEAN_DRAIN:
		s->request_since = s->xact_since = 0;
		if (s->status != TRANSACTION_IDLE) {
			s->clean_step = CLEAN_ROLLBACK;
			clean_query(s, "ROLLBACK");
			return;
		}
		/* fall through */
	case CLEAN_ROLLBACK:
		if (s->status != TRANSACTION_IDLE) {
			server_close(s, SERVER_END_CLEAN_FAILED);
			return;
		}
		if (s->wants_reset && s->target->reset_query[0] != '\0') {
			s->clean_step = CLEAN_RESET;
			s->is_odd = false;
			clean_query(s, s->target->reset_query);
			return;
		}
		clean_done(s);
		return;
	case CLEAN_RESET:
		/* reader sets is_odd for an error while nobody rides */
		if (s->is_odd || s->status != TRANSACTION_IDLE)
			server_close(s, SERVER_END_CLEAN_FAILED);
		else
			clean_reset_done(s);
		return;
	default:
		if (s->is_odd || s->status != TRANSACTION_IDLE)
			server_close(s, SERVER_END_PING_FAILED);
		else
			clean_done(s);
		return;
	}
}
