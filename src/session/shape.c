/*
 * shape.c - what a client has been told about the rows of its statements.
 */
#include "session/shape.h"

#include "server/rowshape.h"
#include "session/ensure.h"

uint64_t shape_wanted(const struct client *c, const struct statements_name *name)
{
	/* who asks anew in this batch, or whose request is said anew, does not go by what it was told before */
	if (name == NULL || name->describing > 0 || c->statements->retries > 0)
		return ROWSHAPE_UNKNOWN;
	return name->shape;
}

static uint64_t shape_portal(const struct client *c, const uint8_t *portal, size_t n)
{
	return hash_bytes((const uint64_t[2]){c->worker->vars_seed[0], c->id}, portal, n);
}

void shape_bound(struct client *c, struct statements_name *name, const struct prepared_entry *entry,
		 const uint8_t *portal, size_t n)
{
	struct statements *st = c->statements;

	st->bound = NULL;
	if (FX_LIKELY(name == NULL || (name->shape != ROWSHAPE_UNKNOWN && name->shape == entry->shape)))
		return;
	st->bound = name;
	st->bound_portal = shape_portal(c, portal, n);
	st->bound_batch = c->lease.server->expect.batch;
}

/* whose error it is if there is one */
static uint32_t shape_serial(const struct statements_name *name)
{
	return name != NULL ? name->serial : 0;
}

/* the client and the server hear of the answer */
static bool shape_note_describe(struct client *c, struct statements_name *name, struct prepared_entry *entry)
{
	/* the server's list comes last: nothing may be left there that is not sent, for it outlives the client */
	if ((name == NULL || statements_describe(c->statements, name) == STMT_OK) &&
	    prepared_describe(&c->lease.server->prepared, entry, shape_serial(name)) == 0)
		return true;
	(void)rewrite_fail(c, STMT_NO_MEMORY);
	return false;
}

bool shape_note_use(struct client *c, uint8_t type, struct statements_name *name, struct prepared_entry *entry)
{
	struct server *s = c->lease.server;
	uint8_t flags = EXPECT_NOTED;

	if (entry == NULL) {
		flags = 0;
	} else if (type == FE_DESCRIBE) {
		if (!shape_note_describe(c, name, entry))
			return false;
		flags |= name != NULL ? EXPECT_TOLD : 0;
	} else if (prepared_use(&s->prepared, entry, shape_serial(name)) < 0) {
		(void)rewrite_fail(c, STMT_NO_MEMORY);
		return false;
	}
	return server_note_flagged(s, type, flags) >= 0;
}

void shape_note_first(struct client *c, uint8_t type, struct statements_name *name)
{
	struct statements *st = c->statements;
	uint32_t *first = name != NULL ? &name->first_use : &st->unnamed_use;
	bool is_new = *first == 0 || *first == st->record_no;

	if (type == FE_BIND && (!is_new || (name != NULL && name->shape != ROWSHAPE_UNKNOWN)))
		st->old_binds++;
	/* what is told of a named one is kept in its shape */
	if (is_new && (type == FE_BIND || name == NULL))
		*first = st->record_no;
}

enum rewrite_verdict shape_describe_portal(struct client *c, const uint8_t *body, size_t len)
{
	struct statements *st = c->statements;
	struct server *s = c->lease.server;
	struct prepared_entry *entry;
	struct buf out;
	size_t at;

	if (st == NULL || st->bound == NULL || st->bound->now == NULL || st->bound_batch != s->expect.batch ||
	    len < 2 || body[len - 1] != '\0' || shape_portal(c, body + 1, len - 2) != st->bound_portal)
		return REWRITE_PLAIN;
	entry = prepared_find(&s->prepared, st->bound->now->id);
	if (entry == NULL || !entry->is_wanted)
		return REWRITE_PLAIN;
	if (!shape_note_describe(c, st->bound, entry) ||
	    server_note_flagged(s, FE_DESCRIBE, EXPECT_NOTED | EXPECT_TOLD) < 0)
		return REWRITE_END;
	st->bound = NULL;
	buf_init(&out, 0);
	at = wire_begin(&out, FE_DESCRIBE);
	(void)buf_append(&out, body, len);
	(void)wire_end(&out, at);
	return ensure_send(s, &out) ? REWRITE_SENT : REWRITE_END;
}
