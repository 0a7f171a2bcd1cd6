/*
 * doomed.c - portals that end a statement of the client's when they are executed.
 */
#include "session/doomed.h"

#include "base/mem.h"
#include "proto/frontend.h"
#include "server/owed.h"
#include "session/dealloc.h"
#include "session/dummy.h"
#include "session/ensure.h"

#include <string.h>

#define DOOMED_MAX 16 /* portals at a time; those beyond go as they are, and PostgreSQL knows no such name */

struct doomed_portal {
	uint64_t portal; /* a hash of its name */
	uint32_t batch;	 /* of its Bind */
	char name[DEALLOC_NAME_SIZE];
};

struct doomed {
	struct stmt *stand_in; /* a reference: of what was bound last */
	unsigned count;
	struct doomed_portal at[DOOMED_MAX];
	char gone[DEALLOC_NAME_SIZE]; /* was not there when it was to be ended */
};

struct statements_name *doomed_find(const struct client *c, const uint8_t *text, size_t n)
{
	bool may_be = n > 0 && (text[0] <= ' ' || text[0] == '-' || text[0] == '/' || (text[0] | 0x20) == 'd');
	const uint8_t *nul = may_be ? memchr(text, 0, n < DEALLOC_TEXT_MAX ? n : DEALLOC_TEXT_MAX) : NULL;
	char name[DEALLOC_NAME_SIZE];
	struct statements_name *found;

	if (c->statements == NULL || nul == NULL || !dealloc_parse((const char *)text, (size_t)(nul - text), name))
		return NULL;
	found = statements_find(c->statements, name, strlen(name));
	if (found == NULL || (found->now == NULL && !statements_is_uncertain(found, c->lease.server->expect.batch)))
		return NULL;
	return found;
}

static uint64_t doomed_hash(const uint8_t *portal, size_t n)
{
	return hash_bytes((const uint64_t[2]){0, 0}, portal, n);
}

static struct doomed_portal *doomed_look(const struct statements *st, const uint8_t *portal, size_t n)
{
	uint64_t hash = st->doomed != NULL ? doomed_hash(portal, n) : 0;

	for (unsigned i = 0; st->doomed != NULL && i < st->doomed->count; i++)
		if (st->doomed->at[i].portal == hash)
			return &st->doomed->at[i];
	return NULL;
}

void doomed_close(struct statements *st, const uint8_t *portal, size_t n)
{
	struct doomed_portal *p = doomed_look(st, portal, n);

	if (p != NULL)
		*p = st->doomed->at[--st->doomed->count];
}

void doomed_end(struct statements *st)
{
	if (st->doomed == NULL)
		return;
	stmt_unref(st->doomed->stand_in);
	stmt_discharge(st->store, sizeof(*st->doomed));
	mem_free(st->doomed);
	st->doomed = NULL;
}

/* stmt in our words, with the same parameters */
static enum stmt_answer doomed_stand_in(struct statements *st, const struct stmt *stmt)
{
	static const char text[] = "DEALLOCATE " DUMMY_GONE;
	size_t own = strnlen((const char *)stmt->body, stmt->len - 1) + 1;
	struct stmt *stand_in;
	enum stmt_answer answer;
	struct buf body;

	buf_init(&body, 0);
	(void)buf_append_cstr(&body, text);
	(void)buf_append(&body, stmt->body + own, stmt->len - own);
	answer = body.bad ? STMT_NO_MEMORY : stmt_intern(st->store, body.data, body.len, &stand_in);
	buf_fini(&body);
	if (answer == STMT_OK) {
		stmt_unref(st->doomed->stand_in);
		st->doomed->stand_in = stand_in;
	}
	return answer;
}

static enum stmt_answer doomed_begin(struct statements *st, const struct stmt *stmt)
{
	if (st->doomed == NULL) {
		if (!stmt_charge(st->store, sizeof(*st->doomed)))
			return STMT_FULL;
		st->doomed = mem_try_zalloc(sizeof(*st->doomed));
		if (st->doomed == NULL) {
			stmt_discharge(st->store, sizeof(*st->doomed));
			return STMT_NO_MEMORY;
		}
	}
	return doomed_stand_in(st, stmt);
}

struct stmt *doomed_bind(struct client *c, struct stmt *stmt, const uint8_t *portal, size_t n)
{
	struct statements_name *name = doomed_find(c, stmt->body, stmt->len);
	struct statements *st = c->statements;
	enum stmt_answer answer;
	struct doomed_portal *p;

	if (FX_UNLIKELY(st->doomed != NULL))
		doomed_close(st, portal, n);
	if (FX_LIKELY(name == NULL))
		return stmt;
	answer = doomed_begin(st, stmt);
	if (answer != STMT_OK) {
		(void)rewrite_fail(c, answer);
		return NULL;
	}
	if (st->doomed->count == DOOMED_MAX)
		return stmt;
	p = &st->doomed->at[st->doomed->count++];
	p->portal = doomed_hash(portal, n);
	p->batch = c->lease.server->expect.batch;
	memcpy(p->name, name->text, name->len + 1); /* it was found by a name of that size */
	return st->doomed->stand_in;
}

/* [Close] and, where there is something to end, [Parse] of a name that can be ended; an error of theirs is the Execute's */
static bool doomed_note(struct client *c, struct server *s, const char *name, bool is_live)
{
	struct statements *st = c->statements;
	uint32_t batch = s->expect.batch;

	if (statements_clash(st, NULL, batch) != STMT_OK || (is_live && statements_clash(st, NULL, batch) != STMT_OK) ||
	    (is_live && statements_set(st, name, strlen(name), NULL, batch) != STMT_OK)) {
		(void)rewrite_fail(c, STMT_NO_MEMORY);
		return false;
	}
	return server_note_flagged(s, FE_CLOSE, EXPECT_OURS | EXPECT_TOLD) >= 0 &&
	       (!is_live || server_note_flagged(s, FE_PARSE, EXPECT_OURS | EXPECT_TOLD) >= 0) &&
	       server_note_flagged(s, FE_EXECUTE, is_live ? EXPECT_TOLD : 0) >= 0;
}

enum rewrite_verdict doomed_execute(struct client *c, const uint8_t *body, size_t len)
{
	struct server *s = c->lease.server;
	struct statements *st = c->statements;
	const uint8_t *nul = len > 0 ? memchr(body, 0, len) : NULL;
	const struct doomed_portal *p = nul != NULL ? doomed_look(st, body, (size_t)(nul - body)) : NULL;
	const struct statements_name *name;
	struct buf out;
	bool is_live;
	size_t at;

	if (p == NULL || s->expect.in_copy)
		return REWRITE_PLAIN;
	/* its transaction may have ended, and it with that */
	if (p->batch != s->expect.batch && owed_ready(&s->expect) > 0)
		return REWRITE_STALL;
	name = statements_find(st, p->name, strlen(p->name));
	if (name != NULL && statements_is_uncertain(name, s->expect.batch))
		return REWRITE_STALL;
	is_live = name != NULL && name->now != NULL;
	if (!is_live)
		memcpy(st->doomed->gone, p->name, sizeof(p->name));
	if (!doomed_note(c, s, p->name, is_live))
		return REWRITE_END;
	buf_init(&out, 0);
	(void)frontend_close(&out, 'S', DUMMY_GONE);
	if (is_live)
		(void)frontend_parse(&out, DUMMY_GONE, "");
	at = wire_begin(&out, FE_EXECUTE);
	(void)buf_append(&out, body, len);
	(void)wire_end(&out, at);
	return ensure_send(s, &out) ? REWRITE_SENT : REWRITE_END;
}

const char *doomed_name(const struct statements *st)
{
	return st->doomed != NULL && st->doomed->gone[0] != '\0' ? st->doomed->gone : NULL;
}
