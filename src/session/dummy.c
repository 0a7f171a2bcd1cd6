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

/* A Sync of ours in the middle of a batch would end the client's transaction there, and what an error has made the server
 * ignore; so there an error of ours is the Query's. */
static bool dummy_note_query(struct client *c, struct server *s, const struct statements_name *name, bool is_amid)
{
	uint8_t flags = is_amid ? EXPECT_OURS | EXPECT_TOLD : EXPECT_OURS;
	enum stmt_answer answer = STMT_OK;

	for (unsigned i = 0; i < 2 && is_amid && answer == STMT_OK; i++)
		answer = statements_clash(c->statements, NULL, s->expect.batch);
	if (answer == STMT_OK)
		answer = statements_set(c->statements, name->text, name->len, NULL, s->expect.batch);
	if (answer != STMT_OK) {
		(void)rewrite_fail(c, answer);
		return false;
	}
	return server_note_flagged(s, FE_CLOSE, flags) >= 0 && server_note_flagged(s, FE_PARSE, flags) >= 0 &&
	       (is_amid || server_note_ours(s, FE_SYNC)) &&
	       server_note_flagged(s, FE_QUERY, EXPECT_TOLD) >= 0;
}

enum rewrite_verdict dummy_deallocate(struct client *c, struct server *s, const struct statements_name *name)
{
	/* a Query has ended the batch as far as we count, but not if something in front of it fails */
	bool is_amid = s->expect.in_batch || s->expect.count > 0;
	struct buf out;

	if (!dummy_note_query(c, s, name, is_amid))
		return REWRITE_END;
	buf_init(&out, 0);
	(void)frontend_close(&out, 'S', DUMMY_GONE);
	(void)frontend_parse(&out, DUMMY_GONE, "");
	if (!is_amid)
		(void)frontend_sync(&out);
	(void)frontend_query(&out, "DEALLOCATE " DUMMY_GONE);
	return ensure_send(s, &out) ? REWRITE_SENT : REWRITE_END;
}
