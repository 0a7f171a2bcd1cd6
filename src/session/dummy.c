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

/* [Close fx_gone] [Parse fx_gone]: a statement that can be deallocated in place of one that other clients use */
static bool dummy_put_gone(struct server *s, struct buf *out, bool sync)
{
	if (!server_note_ours(s, FE_CLOSE) || !server_note_ours(s, FE_PARSE) || (sync && !server_note_ours(s, FE_SYNC)))
		return false;
	(void)frontend_close(out, 'S', DUMMY_GONE);
	(void)frontend_parse(out, DUMMY_GONE, "");
	if (sync)
		(void)frontend_sync(out);
	return true;
}

enum rewrite_verdict dummy_deallocate(struct client *c, struct server *s, uint8_t type,
				      const struct statements_name *name, const uint8_t *rest, size_t n)
{
	enum stmt_answer answer;
	struct buf out;
	size_t at;

	answer = statements_set(c->statements, name->text, name->len, NULL, s->expect.batch);
	if (answer != STMT_OK)
		return rewrite_fail(c, answer);
	buf_init(&out, 0);
	if (!dummy_put_gone(s, &out, type == FE_QUERY)) {
		buf_fini(&out);
		return REWRITE_END;
	}
	if (server_note_flagged(s, type, EXPECT_TOLD) < 0) {
		buf_fini(&out);
		return REWRITE_END;
	}
	at = wire_begin(&out, (char)type);
	if (type == FE_PARSE)
		(void)buf_append_cstr(&out, "");
	(void)buf_append_cstr(&out, "DEALLOCATE " DUMMY_GONE);
	(void)buf_append(&out, rest, n);
	(void)wire_end(&out, at);
	return ensure_send(s, &out) ? REWRITE_SENT : REWRITE_END;
}
