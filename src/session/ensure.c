/*
 * ensure.c - that a server has a statement, and no more of them than it may.
 */
#include "session/ensure.h"

#include "proto/frontend.h"
#include "server/doubt.h"
#include "server/owed.h"
#include "server/rowshape.h"

bool ensure_send(struct server *s, struct buf *out)
{
	return server_say(s, out) == 0;
}

void ensure_put_parse(struct buf *out, const char *name, const void *rest, size_t n)
{
	size_t at = wire_begin(out, FE_PARSE);

	(void)buf_append_cstr(out, name);
	(void)buf_append(out, rest, n);
	(void)wire_end(out, at);
}

bool ensure_closed(struct server *s, struct prepared_entry *entry)
{
	char name[STMT_NAME_LEN + 1];
	struct buf out;

	stmt_name(entry->id, name);
	if (prepared_drop(&s->prepared, entry, s->expect.batch) < 0) {
		server_close(s, SERVER_END_NO_MEMORY);
		return false;
	}
	if (server_note_flagged(s, FE_CLOSE, EXPECT_OURS | EXPECT_NOTED) < 0)
		return false;
	buf_init(&out, 0);
	(void)frontend_close(&out, 'S', name);
	return ensure_send(s, &out);
}

/* room for one more statement on this server */
static bool ensure_room(const struct client *c, struct server *s)
{
	uint32_t most = (uint32_t)c->worker->home.conf->set.max_prepared_statements;

	while (s->prepared.count >= most)
		if (!ensure_closed(s, prepared_oldest(&s->prepared)))
			return false;
	return true;
}

bool ensure_is_old(const struct client *c, const struct prepared_entry *entry)
{
	return entry->is_stale || entry->changes != stmt_store_changes(c->worker->home.hub->statements);
}

bool ensure_parse(struct client *c, struct server *s, const struct stmt *stmt, uint8_t flags)
{
	struct buf out;

	if (!ensure_room(c, s))
		return false;
	if (prepared_add(&s->prepared, stmt->id, s->expect.batch) < 0) {
		server_close(s, SERVER_END_NO_MEMORY);
		return false;
	}
	prepared_find(&s->prepared, stmt->id)->changes = stmt_store_changes(c->worker->home.hub->statements);
	if (server_note_flagged(s, FE_PARSE, flags) < 0)
		return false;
	c->pool->stats.server_parse_count++;
	buf_init(&out, 0);
	ensure_put_parse(&out, stmt->name, stmt->body, stmt->len);
	return ensure_send(s, &out);
}

/* Parse and Describe of ours, and what makes the server answer them: nothing of the client's follows before that. */
static enum rewrite_verdict ensure_shape(struct client *c, struct server *s, const struct stmt *stmt)
{
	struct prepared_entry *e;
	struct buf out;

	c->is_rewritten = true; /* the Bind itself is still to come: what lies there unsent is not its client's */
	if (!ensure_parse(c, s, stmt, EXPECT_OURS | EXPECT_NOTED))
		return REWRITE_END;
	e = prepared_find(&s->prepared, stmt->id);
	if (prepared_describe(&s->prepared, e, 0) < 0) {
		server_close(s, SERVER_END_NO_MEMORY);
		return REWRITE_END;
	}
	if (server_note_flagged(s, FE_DESCRIBE, EXPECT_OURS | EXPECT_NOTED) < 0)
		return REWRITE_END;
	buf_init(&out, 0);
	(void)frontend_describe(&out, 'S', stmt->name);
	if (!ensure_send(s, &out) || !doubt_wait(s))
		return REWRITE_END;
	c->statements->fresh = stmt->id;
	c->statements->has_fresh = true;
	return REWRITE_STALL;
}

/* Can it be asked for now, and does it matter?  Where the transaction may be a failed one PostgreSQL answers by the text. */
static enum rewrite_verdict ensure_may_ask(struct server *s)
{
	if (s->expect.in_copy)
		return REWRITE_PLAIN;
	if (owed_any_ready(&s->expect))
		return doubt_wait(s) ? REWRITE_STALL : REWRITE_END;
	return s->status == TRANSACTION_FAILED ? REWRITE_PLAIN : REWRITE_SENT;
}

enum rewrite_verdict ensure_there(struct client *c, struct server *s, struct stmt *stmt, uint64_t shape,
				  struct prepared_entry **entry)
{
	struct prepared_entry *e = prepared_find(&s->prepared, stmt->id);
	enum rewrite_verdict verdict;
	bool is_there, is_stale;

	if (e != NULL && prepared_is_uncertain(e, s->expect.batch))
		return REWRITE_STALL;
	/* a request that is said anew must not find another one that is out of date: by then it has been answered */
	is_stale = e != NULL && (e->is_stale || (c->statements->retries > 0 && ensure_is_old(c, e)));
	is_there = e != NULL && e->is_wanted && !is_stale;
	if (shape != ROWSHAPE_UNKNOWN && !(is_there && e->shape == shape)) {
		if (is_there && prepared_awaits_shape(&s->prepared, e))
			return doubt_wait(s) ? REWRITE_STALL : REWRITE_END;
		*entry = NULL;
		/* the answer is there, and is another one; where it is not (evicted, and parsed since) it is asked for again */
		if (is_there && e->shape != ROWSHAPE_UNKNOWN && c->statements->has_fresh &&
		    stmt_id_is_equal(c->statements->fresh, stmt->id))
			return REWRITE_SENT;
		verdict = ensure_may_ask(s);
		if (verdict == REWRITE_SENT)
			return e != NULL && e->is_wanted && !ensure_closed(s, e) ? REWRITE_END : ensure_shape(c, s, stmt);
		if (verdict != REWRITE_PLAIN)
			return verdict;
	}
	if (e != NULL && e->is_wanted && is_stale && !ensure_closed(s, e))
		return REWRITE_END;
	if (e == NULL || !e->is_wanted) {
		if (!ensure_parse(c, s, stmt, EXPECT_OURS | EXPECT_NOTED))
			return REWRITE_END;
		e = prepared_find(&s->prepared, stmt->id);
	} else {
		prepared_touch(&s->prepared, e);
	}
	*entry = e;
	return REWRITE_SENT;
}

bool ensure_parsed_again(struct server *s, uint8_t flags)
{
	struct buf out;

	if (server_note_flagged(s, FE_CLOSE, flags) < 0)
		return false;
	buf_init(&out, 0);
	(void)frontend_close(&out, 'S', "fx_none");
	return ensure_send(s, &out);
}
