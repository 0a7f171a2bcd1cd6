/*
 * unnamed.c - the unnamed prepared statement of a client.
 */
#include "session/unnamed.h"

#include "proto/frontend.h"
#include "session/ensure.h"
#include "session/record.h"

#include <string.h>

#define UNNAMED_TEE_MAX ((size_t)1024 * 1024)

void unnamed_keep(struct client *c, struct rewrite_unnamed *unnamed)
{
	const uint8_t *body = unnamed->body;
	struct stmt_store *store = c->worker->home.hub->statements;

	unnamed->body = NULL;
	if (body == NULL || (c->lease.state == LEASE_HELD && expect_watched(&c->lease.server->expect) == EXPECT_BADLY))
		return;
	if (c->statements == NULL)
		c->statements = statements_new(store);
	/* without memory for it the statement is lost with this server, and PostgreSQL says so if it is used again */
	if (c->statements == NULL || stmt_intern(store, body, unnamed->len, &c->statements->unnamed) != STMT_OK)
		return;
	c->statements->is_unnamed_new = true;
	c->statements->unnamed_at = unnamed->at;
}

void unnamed_on_error(struct client *c, const struct server *s)
{
	const struct expect *e = &s->expect;
	uint32_t at = c->statements->unnamed_at - e->failed_at, skipped = e->pushed - e->count - e->failed_at;
	/* how far it reaches can't be told where a COPY has taken Syncs in */
	bool is_hit = e->doubt > 0 || e->is_ambiguous ? (int32_t)at >= 0 : at < skipped;

	if (c->statements->is_unnamed_new && is_hit)
		unnamed_drop(c, &(struct rewrite_unnamed){.body = NULL});
}

void unnamed_tee(struct client *c, const uint8_t *p, size_t n)
{
	struct statements *st = c->statements;
	bool fits = st->part.len + n <= UNNAMED_TEE_MAX && stmt_charge(st->store, n);

	if (fits && buf_append(&st->part, p, n) < 0) {
		stmt_discharge(st->store, n);
		fits = false;
	}
	if (fits && n < c->left)
		return;
	c->is_teeing = false;
	/* the first byte ends the empty name */
	if (fits)
		unnamed_keep(c, &(struct rewrite_unnamed){st->part.data + 1, st->part.len - 1, st->unnamed_at});
	rewrite_drop_part(c);
}

/* What it was when the request began is needed if that has to be said anew. */
static void unnamed_lay_down(struct statements *st)
{
	if (st->is_recording && !st->has_former) {
		st->former = st->unnamed;
		st->was_aliased = st->is_aliased;
		st->has_former = true;
	} else {
		stmt_unref(st->unnamed);
	}
	st->unnamed = NULL;
}

void unnamed_settle(struct statements *st)
{
	stmt_unref(st->former);
	st->former = NULL;
	st->has_former = false;
}

void unnamed_rewind(struct statements *st)
{
	if (!st->has_former)
		return;
	stmt_unref(st->unnamed);
	st->unnamed = st->former;
	st->is_aliased = st->was_aliased;
	st->former = NULL;
	st->has_former = false;
}

void unnamed_drop(struct client *c, struct rewrite_unnamed *unnamed)
{
	unnamed->body = NULL;
	if (c->statements == NULL)
		return;
	unnamed_lay_down(c->statements);
	c->statements->is_aliased = false;
}

/* the client's unnamed statement is this one; false: no memory for that */
static bool unnamed_set(struct client *c, struct stmt_id id, const uint8_t *rest, size_t n)
{
	struct stmt_store *store = c->worker->home.hub->statements;
	struct statements *st = c->statements;

	if (st == NULL)
		st = c->statements = statements_new(store);
	if (st == NULL)
		return false;
	st->unnamed_use = 0;
	if (st->unnamed != NULL && stmt_id_is_equal(st->unnamed->id, id)) {
		st->is_aliased = true;
		return true;
	}
	unnamed_lay_down(st);
	st->is_aliased = stmt_intern(store, rest, n, &st->unnamed) == STMT_OK;
	return st->is_aliased;
}

enum rewrite_verdict unnamed_again(struct client *c, const uint8_t *rest, size_t n)
{
	if (!unnamed_set(c, stmt_id_of(c->worker->home.hub->statements, rest, n), rest, n))
		return rewrite_fail(c, STMT_NO_MEMORY);
	return REWRITE_SENT;
}

enum rewrite_verdict unnamed_reuse(struct client *c, struct server *s, const uint8_t *rest, size_t n)
{
	struct stmt_id id = stmt_id_of(c->worker->home.hub->statements, rest, n);
	struct prepared_entry *e = prepared_find(&s->prepared, id);

	/* in a failed transaction PostgreSQL decides by the text whether Parse is allowed */
	if (server_may_have_failed(s) || (e != NULL && (!e->is_wanted || ensure_is_old(c, e))))
		return REWRITE_PLAIN;
	if (e != NULL && prepared_is_uncertain(e, s->expect.batch))
		return REWRITE_PLAIN;
	if ((e == NULL && !prepared_was_seen(&s->prepared, id)) || !unnamed_set(c, id, rest, n))
		return REWRITE_PLAIN;
	record_catch_up(c);
	server_note_text(s, rest, strnlen((const char *)rest, n));
	if (e == NULL)
		return ensure_parse(c, s, c->statements->unnamed, EXPECT_NOTED) ? REWRITE_SENT : REWRITE_END;
	prepared_touch(&s->prepared, e);
	return ensure_parsed_again(s, EXPECT_PARSED) ? REWRITE_SENT : REWRITE_END;
}

enum rewrite_verdict unnamed_use(struct client *c, struct server *s, struct rewrite_unnamed *unnamed)
{
	struct statements *st;
	struct buf out;

	if (c->has_unnamed && expect_watched(&s->expect) == EXPECT_UNKNOWN)
		return REWRITE_STALL;
	unnamed->body = NULL;
	if (rewrite_has_unnamed(c))
		return REWRITE_PLAIN;
	record_catch_up(c);
	st = c->statements;
	c->has_unnamed = c->is_rewritten = true;
	expect_watch(&s->expect);
	buf_init(&out, 0);
	if (st != NULL && st->unnamed != NULL) {
		if (statements_clash(st, NULL, s->expect.batch) != STMT_OK)
			return rewrite_fail(c, STMT_NO_MEMORY);
		if (server_note_flagged(s, FE_PARSE, EXPECT_OURS | EXPECT_TOLD) < 0)
			return REWRITE_END;
		ensure_put_parse(&out, "", st->unnamed->body, st->unnamed->len);
		server_note_text(s, st->unnamed->body, strnlen((const char *)st->unnamed->body, st->unnamed->len));
	} else {
		/* what another client has left there is not for this one */
		if (!server_note_ours(s, FE_CLOSE))
			return REWRITE_END;
		(void)frontend_close(&out, 'S', "");
	}
	return ensure_send(s, &out) ? REWRITE_PLAIN : REWRITE_END;
}
