/*
 * varreset.c - RESET, SET [LOCAL] ... TO DEFAULT and DISCARD ALL fall back to what the client gave at startup.
 */
#include "session/varreset.h"

#include "base/mem.h"
#include "base/str.h"
#include "proto/reply.h"
#include "server/cancel.h"
#include "server/owed.h"
#include "session/vars.h"
#include "session/varset.h"
#include "session/varsql.h"

#include <string.h>

#define VARRESET_REPEATS 3

/* What the text of the statement says that was reset. */
static enum varsql_reset varreset_read(const struct server *s, char *name)
{
	if (s->text == NULL || s->text_len >= s->text_size || owed_ready(&s->expect) != 1)
		return VARSQL_RESET_UNKNOWN;
	return varsql_read_reset(s->text, s->text_len, name);
}

/* Until the end of the transaction: nothing changes for what comes after it. */
static void varreset_begin_local(struct client *c, struct server *s, const char *name)
{
	struct varset *v = varset_of(c);

	if (v->pending != VARSET_PENDING_NONE || params_get(&v->start, name) == NULL)
		return;
	v->pending_name = mem_strdup(name);
	v->pending = VARSET_PENDING_LOCAL;
	s->holds_ready = true;
}

static void varreset_begin(struct client *c, struct server *s, enum varsql_reset what, const char *name)
{
	struct varset *v = varset_of(c);

	if (what == VARSQL_RESET_ALL) {
		v->pending = VARSET_PENDING_ALL;
	} else if (what == VARSQL_RESET_ONE && v->pending == VARSET_PENDING_NONE) {
		if (params_get(&v->start, name) == NULL)
			return;
		v->pending_name = mem_strdup(name);
		v->pending = VARSET_PENDING_ONE;
	} else if (v->pending != VARSET_PENDING_ALL &&
		   !(what == VARSQL_RESET_ONE && v->pending == VARSET_PENDING_ONE &&
		     str_is_equal_nocase(v->pending_name, name))) {
		v->pending = VARSET_PENDING_SOME;
	}
	s->vars_hash = UINT64_MAX;
	s->is_loose_stale = true;
	/* what we have to say about it belongs before the ReadyForQuery */
	s->holds_ready = true;
}

void varreset_on_tag(struct client *c, struct server *s, const char *tag)
{
	char name[VARSQL_NAME_SIZE];
	enum varsql_reset what;

	if (c->vars == NULL || varset_of(c)->start.pairs.len == 0)
		return;
	if (strcmp(tag, "DISCARD ALL") == 0) {
		varreset_begin(c, s, VARSQL_RESET_ALL, NULL);
	} else if (strcmp(tag, "RESET") == 0) {
		what = varreset_read(s, name);
		varreset_begin(c, s, what, name);
	} else if (strcmp(tag, "SET") == 0) {
		/* SET x TO DEFAULT; any other SET is the client's wish */
		what = varreset_read(s, name);
		if (what == VARSQL_RESET_ONE)
			varreset_begin(c, s, what, name);
		else if (what == VARSQL_RESET_LOCAL)
			varreset_begin_local(c, s, name);
	}
}

/* Is name to go back to its startup value? */
static bool varreset_is_pending(const struct varset *v, const struct server *s, const char *name)
{
	const char *have, *base;

	switch (v->pending) {
	case VARSET_PENDING_NONE:
		return false;
	case VARSET_PENDING_LOCAL:
	case VARSET_PENDING_ONE:
		return str_is_equal_nocase(v->pending_name, name);
	case VARSET_PENDING_SOME:
		/* the client may have changed it to what it is now; but not if that is what RESET would have made of it */
		have = params_get(&s->params, name);
		base = params_get(&s->base, name);
		return have == NULL || base == NULL || strcmp(have, base) == 0;
	default:
		return true;
	}
}

bool varreset_hushes(const struct client *c, const struct server *s, const char *name)
{
	const struct varset *v;

	if (FX_LIKELY(c->vars == NULL))
		return false;
	v = varset_of(c);
	return v->pending != VARSET_PENDING_NONE && params_get(&v->start, name) != NULL &&
	       varreset_is_pending(v, s, name);
}

bool varreset_note(struct client *c, const struct server *s, const char *name)
{
	const char *known;
	struct varset *v;

	if (FX_LIKELY(!varreset_hushes(c, s, name)))
		return true;
	v = varset_of(c);
	known = params_get(&v->now, name);
	return known == NULL || params_get(&v->known, name) != NULL || params_set(&v->known, name, known) == 0;
}

/* value holds now; was: the server's before */
static void varreset_tell(const struct varset *v, struct buf *told, const char *name, const char *value, const char *was)
{
	const char *known = params_get(&v->known, name);

	if (strcmp(known != NULL ? known : was, value) != 0)
		(void)reply_parameter(told, name, value);
}

static bool varreset_restore(struct client *c, struct server *s, struct buf *sql, struct buf *told)
{
	struct varset *v = varset_of(c);
	enum varsql_where where = s->status != TRANSACTION_IDLE ? VARSQL_IN_BLOCK : VARSQL_AT_REST;
	bool is_local = v->pending == VARSET_PENDING_LOCAL;
	const char *name, *value;
	size_t it = 0;

	if (params_copy(&s->was_loose, &s->loose) < 0)
		return false;
	while (params_next(&v->start, &it, &name, &value)) {
		const char *have = params_get(&s->params, name);

		if (!varreset_is_pending(v, s, name)) {
			/* changed once more after the RESET */
			if (have != NULL)
				varreset_tell(v, told, name, have, have);
			continue;
		}
		/* what is not reported is the same as ever when the transaction is over */
		if ((have != NULL || !is_local) && !varset_put(c, name, value))
			return false;
		if (have == NULL && !is_local && params_set(&s->loose, name, value) < 0)
			return false;
		if (have != NULL)
			varreset_tell(v, told, name, value, have);
		if (have != NULL && strcmp(have, value) == 0)
			continue;
		varsql_set(sql, name, value, have != NULL ? vars_encoding(s, c->vars) : NULL,
			   is_local ? VARSQL_LOCAL : where);
		if (str_is_equal_nocase(name, "application_name")) {
			mem_free(c->application_name);
			c->application_name = mem_strdup(value);
		}
	}
	return !sql->bad && !told->bad;
}

bool varreset_may_repeat(struct client *c, const struct server *s, const char *sqlstate)
{
	/* only where nothing of the client's has come behind it */
	return strcmp(sqlstate, "57014") == 0 && c->vars != NULL && c->has_answered && s->status == TRANSACTION_IDLE &&
	       s->expect.count == 1 && !s->expect.in_batch && c->left == 0 && varset_of(c)->repeats++ < VARRESET_REPEATS;
}

static void varreset_end(struct client *c, struct server *s)
{
	struct varset *v = varset_of(c);

	v->pending = VARSET_PENDING_NONE;
	v->repeats = 0;
	mem_free(v->pending_name);
	v->pending_name = NULL;
	params_fini(&v->known);
	params_init(&v->known);
	s->holds_ready = c->pool_mode == CONF_POOL_STATEMENT;
}

/* sql: NULL when there was no memory for it */
static bool varreset_say(struct client *c, struct server *s, struct buf *sql, bool is_local)
{
	if (sql == NULL || vars_say(s, sql) < 0) {
		s->vars_hash = UINT64_MAX;
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
		return false;
	}
	if (!is_local)
		s->is_loose_stale = false;
	if (!s->is_loose_stale)
		s->vars_hash = c->vars_hash;
	return true;
}

bool varreset_must_wait(const struct client *c, const struct server *s)
{
	return c->is_unsaid && cancel_may_hit(s);
}

void varreset_drop(struct client *c)
{
	struct varset *v = varset_of(c);

	c->is_unsaid = false;
	buf_fini(&v->unsaid);
	buf_init(&v->unsaid, 0);
}

/* A transaction block that our SET had made fail could not be mended. */
static void varreset_put_off(struct client *c, struct server *s, struct buf *sql, bool is_local)
{
	struct varset *v = varset_of(c);

	buf_fini(&v->unsaid);
	v->unsaid = *sql;
	v->is_unsaid_local = is_local;
	buf_init(sql, 0);
	c->is_unsaid = true;
	/* if nothing comes of it any more, whoever is next begins anew */
	s->vars_hash = UINT64_MAX;
}

bool varreset_catch_up(struct client *c, struct server *s)
{
	struct varset *v = varset_of(c);
	bool ok = varreset_say(c, s, &v->unsaid, v->is_unsaid_local);

	varreset_drop(c);
	return ok;
}

void varreset_on_ready(struct client *c, struct server *s, char status)
{
	struct buf sql, told;
	struct varset *v;
	bool is_local, ok;

	if (FX_LIKELY(!s->is_loose_stale && !s->holds_ready) || c->vars == NULL)
		return;
	v = varset_of(c);
	is_local = v->pending == VARSET_PENDING_LOCAL;
	/* not in a block, or in one that has failed: PostgreSQL has left it alone */
	if (is_local && status != TRANSACTION_OPEN)
		varreset_end(c, s);
	/* a failed block will be rolled back, and the RESET with it; in the middle of a pipeline nothing can be put */
	if (v->pending == VARSET_PENDING_NONE || status == TRANSACTION_FAILED || !expect_is_quiet(&s->expect) ||
	    (c->left > 0 && c->is_forwarding))
		return;
	buf_init(&sql, PARAMS_MAX * 8);
	buf_init(&told, PARAMS_MAX * 2);
	ok = varreset_restore(c, s, &sql, &told);
	if (ok && sql.len > 0 && cancel_may_hit(s))
		varreset_put_off(c, s, &sql, is_local);
	else
		ok = varreset_say(c, s, ok ? &sql : NULL, is_local);
	if (ok) {
		conn_send(&c->conn, told.data, told.len, NULL);
		varreset_end(c, s);
	}
	buf_fini(&sql);
	buf_fini(&told);
}
