/*
 * rewrite.c - messages of a client that go to its server in other words.
 *
 * The order in each function: look, then write down what is to come (the lists of
 * statements.h and prepared.h, the expectation queue), then send.  A failure
 * half-way ends the client, so nothing is ever left half noted.
 */
#include "session/rewrite.h"

#include "proto/frontend.h"
#include "server/owed.h"
#include "server/rowshape.h"
#include "session/dealloc.h"
#include "session/doomed.h"
#include "session/dummy.h"
#include "session/ensure.h"
#include "session/record.h"
#include "session/shape.h"
#include "session/unnamed.h"

#include <string.h>

#define REWRITE_NAME_MAX 1024 /* PostgreSQL looks at the first 63 bytes of a name */

enum rewrite_verdict rewrite_fail(struct client *c, enum stmt_answer answer)
{
	if (answer == STMT_FULL)
		client_fail(c, CLIENT_END_NO_MEMORY,
			    "prepared statements need more memory than max_statement_memory allows");
	else
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
	return REWRITE_END;
}

bool rewrite_prepare(struct client *c)
{
	if (c->statements == NULL)
		c->statements = statements_new(c->worker->home.hub->statements);
	if (c->statements == NULL)
		(void)rewrite_fail(c, STMT_FULL);
	return c->statements != NULL;
}

/* where a C string ends within n bytes; NULL: not yet */
static const uint8_t *rewrite_nul(const uint8_t *p, size_t n)
{
	return n > 0 ? memchr(p, 0, n) : NULL;
}

bool rewrite_has_enough(const struct client *c, uint8_t type, uint32_t len, const uint8_t *body, size_t have)
{
	const uint8_t *nul;

	if (have >= len)
		return true;
	switch (type) {
	case FE_PARSE:
		return have > 0 && body[0] == '\0' && (c->statements == NULL || c->statements->untold == 0);
	case FE_BIND:
		nul = rewrite_nul(body, have);
		return have > 2 * REWRITE_NAME_MAX ||
		       (nul != NULL && rewrite_nul(nul + 1, (size_t)(body + have - nul - 1)) != NULL);
	case FE_QUERY:
		return len > DEALLOC_TEXT_MAX;
	case FE_EXECUTE:
		return false;
	default:
		return have > 0 && body[0] == 'P' && (c->statements == NULL || c->statements->doomed == NULL);
	}
}

bool rewrite_keep_part(struct client *c, uint8_t type, size_t len, const uint8_t *p, size_t n)
{
	struct statements *st = c->statements;
	size_t due = type == FE_BIND ? n : len - st->part.len; /* of Bind only the names are kept */

	if (n == 0)
		return true;
	/* what will not fit is refused before it has come: it would keep others out until then */
	if (due > stmt_store_room(st->store) || !stmt_charge(st->store, n)) {
		(void)rewrite_fail(c, STMT_FULL);
		return false;
	}
	if (buf_append(&st->part, p, n) == 0)
		return true;
	stmt_discharge(st->store, n);
	(void)rewrite_fail(c, STMT_NO_MEMORY);
	return false;
}

void rewrite_drop_part(struct client *c)
{
	struct statements *st = c->statements;

	stmt_discharge(st->store, st->part.len);
	buf_fini(&st->part);
}

static enum rewrite_verdict rewrite_parse_new(struct client *c, struct server *s, const uint8_t *text, size_t text_len,
					      struct stmt *stmt)
{
	struct prepared_entry *e = prepared_find(&s->prepared, stmt->id);
	enum stmt_answer answer;
	bool ok;

	if (e != NULL && prepared_is_uncertain(e, s->expect.batch)) {
		stmt_unref(stmt);
		return REWRITE_STALL;
	}
	/* in a failed transaction PostgreSQL decides by the text whether Parse is allowed */
	if (e != NULL && e->is_wanted && (ensure_is_old(c, e) || server_may_have_failed(s)) && !ensure_closed(s, e)) {
		stmt_unref(stmt);
		return REWRITE_END;
	}
	answer = statements_set(c->statements, (const char *)text, text_len, stmt, s->expect.batch);
	if (answer != STMT_OK)
		return rewrite_fail(c, answer);
	server_note_text(s, stmt->body, strnlen((const char *)stmt->body, stmt->len));
	if (e != NULL && e->is_wanted) {
		prepared_touch(&s->prepared, e);
		ok = ensure_parsed_again(s, EXPECT_TOLD | EXPECT_PARSED);
	} else {
		ok = ensure_parse(c, s, stmt, EXPECT_NOTED | EXPECT_TOLD);
	}
	return ok ? REWRITE_SENT : REWRITE_END;
}

static enum rewrite_verdict rewrite_parse(struct client *c, struct server *s, const uint8_t *body, size_t len,
					  size_t have, struct rewrite_unnamed *unnamed)
{
	const uint8_t *nul = rewrite_nul(body, have);
	struct statements_name *name;
	enum stmt_answer answer;
	struct stmt *stmt;
	bool is_taken;
	size_t rest;

	if (nul == NULL)
		return REWRITE_PLAIN; /* the server will say what is wrong with it */
	rest = (size_t)(body + len - nul - 1);
	if (c->statements != NULL && c->statements->untold > 0) {
		/* it was told that this one is there; what uses it sees to that */
		c->statements->untold--;
		return nul > body ? REWRITE_SENT : unnamed_again(c, nul + 1, rest);
	}
	if (nul == body) {
		if (have == len && c->worker->home.conf->set.reuse_unnamed_statements) {
			enum rewrite_verdict verdict = unnamed_reuse(c, s, nul + 1, rest);

			if (verdict != REWRITE_PLAIN)
				return verdict;
		}
		unnamed_drop(c, unnamed);
		c->has_unnamed = true;
		expect_watch(&s->expect);
		if (have == len)
			*unnamed = (struct rewrite_unnamed){nul + 1, rest, s->expect.pushed};
		if (unnamed->body != NULL && c->statements != NULL && body == c->statements->part.data)
			unnamed_keep(c, unnamed); /* what came in pieces does not lie in the slice */
		if (have < len)
			c->is_teeing = c->statements != NULL ||
				       (c->statements = statements_new(c->worker->home.hub->statements)) != NULL;
		if (c->is_teeing)
			c->statements->unnamed_at = s->expect.pushed;
		return REWRITE_PLAIN;
	}
	name = statements_find(c->statements, (const char *)body, (size_t)(nul - body));
	if (name != NULL && statements_is_uncertain(name, s->expect.batch))
		return REWRITE_STALL;
	is_taken = name != NULL && name->now != NULL;
	/* what runs may be a DEALLOCATE ALL; a COPY waits for this message, which ends it */
	if (is_taken && !s->expect.in_copy && owed_ready(&s->expect) > 0)
		return REWRITE_STALL;
	c->pool->stats.client_parse_count++;
	if (is_taken)
		return dummy_parse_again(c, s, name, nul + 1, rest);
	answer = stmt_intern(c->worker->home.hub->statements, nul + 1, rest, &stmt);
	if (answer != STMT_OK)
		return rewrite_fail(c, answer);
	record_catch_up(c);
	return rewrite_parse_new(c, s, body, (size_t)(nul - body), stmt);
}

/* The statement that these bytes name, and the name if it has one; NULL: none of ours. */
static enum rewrite_verdict rewrite_look_up(const struct client *c, const uint8_t *at, size_t n,
					    struct statements_name **found, struct stmt **stmt)
{
	struct statements_name *name;

	*found = NULL;
	*stmt = n == 0 ? c->statements->unnamed : NULL;
	if (n == 0)
		return REWRITE_SENT;
	name = statements_find(c->statements, (const char *)at, n);
	if (name != NULL && statements_is_uncertain(name, c->lease.server->expect.batch))
		return REWRITE_STALL;
	*found = name;
	*stmt = name != NULL ? name->now : NULL;
	return *stmt != NULL ? REWRITE_SENT : REWRITE_PLAIN;
}

/* Sends what stands before the statement's name, and the name; *used: how far that was in the client's words. */
static enum rewrite_verdict rewrite_use(struct client *c, uint8_t type, uint32_t len, const uint8_t *body,
					const uint8_t *name_at, const uint8_t *nul, size_t *used)
{
	struct server *s = c->lease.server;
	size_t before = (size_t)(name_at - body);
	struct prepared_entry *entry = NULL;
	struct statements_name *name;
	enum rewrite_verdict verdict;
	struct stmt *stmt, *bound;
	uint32_t length;
	const char *to;
	uint8_t out[WIRE_HEADER_LEN + REWRITE_NAME_MAX + STMT_NAME_LEN + 1];

	if (before > REWRITE_NAME_MAX)
		return REWRITE_PLAIN;
	verdict = rewrite_look_up(c, name_at, (size_t)(nul - name_at), &name, &stmt);
	if (verdict != REWRITE_SENT)
		return verdict;
	bound = type == FE_BIND ? doomed_bind(c, stmt, body, before - 1) : stmt;
	if (bound == NULL)
		return REWRITE_END;
	verdict = ensure_there(c, s, bound, type == FE_BIND && bound == stmt ? shape_wanted(c, name) : ROWSHAPE_UNKNOWN,
			       &entry);
	if (verdict != REWRITE_SENT)
		return verdict;
	if (!shape_note_use(c, type, name, entry))
		return REWRITE_END;
	shape_note_first(c, type, name);
	if (type == FE_BIND && bound == stmt && entry != NULL)
		shape_bound(c, name, entry, body, before - 1);
	to = entry != NULL ? bound->name : SHAPE_CHANGED;
	server_note_text(s, stmt->body, strnlen((const char *)stmt->body, stmt->len));
	length = len + 4 - (uint32_t)(nul - name_at) + (uint32_t)strlen(to);
	out[0] = type;
	out[1] = (uint8_t)(length >> 24);
	out[2] = (uint8_t)(length >> 16);
	out[3] = (uint8_t)(length >> 8);
	out[4] = (uint8_t)length;
	memcpy(out + WIRE_HEADER_LEN, body, before);
	memcpy(out + WIRE_HEADER_LEN + before, to, strlen(to) + 1);
	server_send(s, out, WIRE_HEADER_LEN + before + strlen(to) + 1, NULL);
	*used = (size_t)(nul + 1 - body);
	return REWRITE_SENT;
}

static bool rewrite_is_aliased(const struct client *c)
{
	return c->statements != NULL && c->statements->is_aliased;
}

/* Is the unnamed statement DEALLOCATE of a name of the client's?  Then it is bound by our words, for which it is kept. */
static bool rewrite_unnamed_dooms(struct client *c, struct rewrite_unnamed *unnamed)
{
	struct statements *st = c->statements;

	if (unnamed->body != NULL) {
		if (doomed_find(c, unnamed->body, unnamed->len) == NULL)
			return false;
		unnamed_keep(c, unnamed);
		return st->unnamed != NULL;
	}
	return st->unnamed != NULL && doomed_find(c, st->unnamed->body, st->unnamed->len) != NULL;
}

static enum rewrite_verdict rewrite_bind(struct client *c, uint32_t len, const uint8_t *body, size_t have,
					 struct rewrite_unnamed *unnamed, size_t *used)
{
	const uint8_t *portal = rewrite_nul(body, have);
	const uint8_t *nul = portal != NULL ? rewrite_nul(portal + 1, (size_t)(body + have - portal - 1)) : NULL;
	enum rewrite_verdict verdict;

	if (c->statements != NULL)
		c->statements->bound = NULL; /* this is about another portal now, or another statement */
	if (nul == NULL)
		return REWRITE_PLAIN;
	if (c->statements != NULL && c->statements->doomed != NULL)
		doomed_close(c->statements, body, (size_t)(portal - body));
	if (nul == portal + 1 && !rewrite_is_aliased(c)) {
		bool dooms = c->statements != NULL && rewrite_unnamed_dooms(c, unnamed);

		verdict = unnamed_use(c, c->lease.server, unnamed);
		if (!dooms || verdict != REWRITE_PLAIN || c->statements->unnamed == NULL)
			return verdict;
	}
	if (c->statements == NULL)
		return REWRITE_PLAIN;
	verdict = rewrite_use(c, FE_BIND, len, body, portal + 1, nul, used);
	if (verdict == REWRITE_SENT)
		c->pool->stats.bind_count++;
	return verdict;
}

static enum rewrite_verdict rewrite_close_name(struct client *c, const uint8_t *at, const uint8_t *nul,
					       struct rewrite_unnamed *unnamed)
{
	struct server *s = c->lease.server;
	struct statements_name *name;
	enum stmt_answer answer;
	struct buf out;

	if (nul == at) {
		unnamed_drop(c, unnamed);
		return REWRITE_PLAIN;
	}
	name = statements_find(c->statements, (const char *)at, (size_t)(nul - at));
	if (name != NULL && statements_is_uncertain(name, s->expect.batch))
		return REWRITE_STALL;
	if (name == NULL || name->now == NULL)
		return REWRITE_PLAIN;
	/* the server knows nothing of this name, and answers as it must: others may use the statement */
	buf_init(&out, 0);
	(void)frontend_close(&out, 'S', name->text);
	answer = statements_set(c->statements, (const char *)at, (size_t)(nul - at), NULL, s->expect.batch);
	if (answer != STMT_OK) {
		buf_fini(&out);
		return rewrite_fail(c, answer);
	}
	if (server_note_flagged(s, FE_CLOSE, EXPECT_TOLD) < 0) {
		buf_fini(&out);
		return REWRITE_END;
	}
	return ensure_send(s, &out) ? REWRITE_SENT : REWRITE_END;
}

/* Describe or Close */
static enum rewrite_verdict rewrite_short(struct client *c, uint8_t type, uint32_t len, const uint8_t *body, size_t have,
					  struct rewrite_unnamed *unnamed, size_t *used)
{
	const uint8_t *nul;

	if (type == FE_DESCRIBE && len >= 2 && body[0] == 'P' && len == have) {
		*used = len;
		return shape_describe_portal(c, body, len);
	}
	if (type == FE_CLOSE && len >= 2 && body[0] == 'P' && len == have && c->statements->doomed != NULL)
		doomed_close(c->statements, body + 1, len - 2);
	if (len < 2 || body[0] != 'S')
		return REWRITE_PLAIN;
	nul = rewrite_nul(body + 1, len - 1);
	if (nul == NULL || nul + 1 != body + len)
		return REWRITE_PLAIN;
	*used = len;
	if (type == FE_CLOSE)
		return rewrite_close_name(c, body + 1, nul, unnamed);
	if (nul == body + 1 && !rewrite_is_aliased(c))
		return rewrite_has_unnamed(c) ? REWRITE_PLAIN : unnamed_use(c, c->lease.server, unnamed);
	return c->statements != NULL ? rewrite_use(c, type, len, body, body + 1, nul, used) : REWRITE_PLAIN;
}

static enum rewrite_verdict rewrite_query(struct client *c, uint32_t len, const uint8_t *body, size_t have,
					  struct rewrite_unnamed *unnamed)
{
	struct server *s = c->lease.server;
	struct statements_name *name;

	unnamed_drop(c, unnamed);
	if (s->expect.in_copy)
		return REWRITE_PLAIN;
	name = have == len ? doomed_find(c, body, have) : NULL;
	if (name == NULL)
		return REWRITE_PLAIN;
	if (statements_is_uncertain(name, s->expect.batch))
		return REWRITE_STALL;
	return dummy_deallocate(c, s, name);
}

static enum rewrite_verdict rewrite_by_type(struct client *c, uint8_t type, uint32_t len, const uint8_t *body, size_t have,
					    struct rewrite_unnamed *unnamed, size_t *used)
{
	switch (type) {
	case FE_PARSE:
		return rewrite_parse(c, c->lease.server, body, len, have, unnamed);
	case FE_BIND:
		return rewrite_bind(c, len, body, have, unnamed, used);
	case FE_QUERY:
		return rewrite_query(c, len, body, have, unnamed);
	case FE_EXECUTE:
		return doomed_execute(c, body, len);
	default:
		return rewrite_short(c, type, len, body, have, unnamed, used);
	}
}

enum rewrite_verdict rewrite_message(struct client *c, uint8_t type, uint32_t len, const uint8_t *body, size_t have,
				     struct rewrite_unnamed *unnamed, size_t *used)
{
	enum rewrite_verdict verdict = REWRITE_PLAIN;

	*used = len;
	if (!c->lease.server->expect.is_skipping)
		verdict = rewrite_by_type(c, type, len, body, have, unnamed, used);
	if (c->statements != NULL && verdict != REWRITE_STALL) {
		c->statements->binds += type == FE_BIND;
		c->statements->describes += type == FE_DESCRIBE;
	}
	return verdict;
}
