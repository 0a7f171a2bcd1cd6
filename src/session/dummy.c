/*
 * dummy.c - statements of ours without a meaning, in place of the client's.
 */
#include "session/dummy.h"

#include "proto/frontend.h"
#include "session/ensure.h"

enum rewrite_verdict dummy_parse_again(struct client *c, struct server *s, struct statements_name *name,
				       const uint8_t *rest, size_t n)
{
	enum stmt_answer answer;
	struct buf out;

	answer = statements_clash(c->statements, name, s->expect.batch);
	if (answer != STMT_OK)
		return rewrite_fail(c, answer);
	if (!server_note_ours(s, FE_CLOSE) || !server_note_ours(s, FE_PARSE))
		return REWRITE_END;
	if (server_note_flagged(s, FE_PARSE, EXPECT_TOLD) < 0)
		return REWRITE_END;
	buf_init(&out, 0);
	(void)frontend_close(&out, 'S', DUMMY_CLASH);
	(void)frontend_parse(&out, DUMMY_CLASH, "");
	ensure_put_parse(&out, DUMMY_CLASH, rest, n);
	return ensure_send(s, &out) ? REWRITE_SENT : REWRITE_END;
}

/* A Sync of ours in the middle of a batch would end the client's transaction there; so an error of ours is the Query's. */
static bool dummy_note_query(struct client *c, struct server *s, const struct statements_name *name)
{
	uint8_t flags = s->expect.in_batch ? EXPECT_OURS | EXPECT_TOLD : EXPECT_OURS;
	enum stmt_answer answer = STMT_OK;

	for (unsigned i = 0; i < 2 && s->expect.in_batch && answer == STMT_OK; i++)
		answer = statements_clash(c->statements, NULL, s->expect.batch);
	if (answer == STMT_OK)
		answer = statements_set(c->statements, name->text, name->len, NULL, s->expect.batch);
	if (answer != STMT_OK) {
		(void)rewrite_fail(c, answer);
		return false;
	}
	return server_note_flagged(s, FE_CLOSE, flags) >= 0 && server_note_flagged(s, FE_PARSE, flags) >= 0 &&
	       ((flags & EXPECT_TOLD) || server_note_ours(s, FE_SYNC)) &&
	       server_note_flagged(s, FE_QUERY, EXPECT_TOLD) >= 0;
}

enum rewrite_verdict dummy_deallocate(struct client *c, struct server *s, const struct statements_name *name)
{
	bool is_in_batch = s->expect.in_batch;
	struct buf out;

	if (!dummy_note_query(c, s, name))
		return REWRITE_END;
	buf_init(&out, 0);
	(void)frontend_close(&out, 'S', DUMMY_GONE);
	(void)frontend_parse(&out, DUMMY_GONE, "");
	if (!is_in_batch)
		(void)frontend_sync(&out);
	(void)frontend_query(&out, "DEALLOCATE " DUMMY_GONE);
	return ensure_send(s, &out) ? REWRITE_SENT : REWRITE_END;
}
