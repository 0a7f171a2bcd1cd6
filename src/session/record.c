/*
 * record.c - the client's own bytes of a request, while the request may have to be said anew.
 */
#include "session/record.h"

#include "session/statements.h"
#include "session/unnamed.h"
#include "session/worker.h"

static void record_open(struct client *c)
{
	struct statements *st = c->statements;
	struct worker *w = c->worker;

	if (st->origin.cap == 0 && w->spare_count > 0)
		st->origin = w->spares[--w->spare_count];
	buf_reset(&st->origin);
	unnamed_settle(st);
	st->is_recording = st->is_whole = true;
	st->record_no += st->record_no == UINT32_MAX ? 2 : 1;
}

/* what was read of a message that is put together */
static void record_add_begun(struct client *c)
{
	record_add(c, c->hdr, c->have);
	record_add(c, c->statements->part.data, c->statements->part.len);
}

void record_begin(struct client *c)
{
	struct statements *st = c->statements;

	if (st == NULL)
		return;
	record_open(c);
	st->binds = st->describes = st->old_binds = 0;
	st->told = st->untold = 0;
	buf_fini(&st->held);
	buf_init(&st->held, 0);
	st->has_fresh = false;
	c->is_rewritten = st->is_retrying = false;
	st->retries = 0;
	record_add_begun(c);
}

void record_catch_up(struct client *c)
{
	struct server *s = c->lease.server;
	struct statements *st;

	if (c->is_rewritten || c->has_answered || conn_written(&s->conn) != s->request_mark)
		return;
	if (c->statements == NULL)
		c->statements = statements_new(c->worker->home.hub->statements);
	st = c->statements;
	if (st == NULL || st->is_recording)
		return;
	record_open(c);
	/* nothing is written: it lies in the server's queue, behind what we said ourselves to set the client's parameters */
	if (conn_copy_out(&s->conn, &st->origin) < 0) {
		record_end(c);
		return;
	}
	buf_consume(&st->origin, s->ours_unsent);
	record_add_begun(c);
}

void record_add(struct client *c, const uint8_t *p, size_t n)
{
	struct statements *st = c->statements;

	if (n == 0 || st == NULL || !st->is_recording)
		return;
	if (c->has_answered || buf_append(&st->origin, p, n) < 0)
		record_end(c);
}

void record_end(struct client *c)
{
	struct statements *st = c->statements;
	struct worker *w = c->worker;

	if (st == NULL)
		return;
	st->is_recording = st->is_whole = false;
	unnamed_settle(st);
	if (st->origin.cap == 0)
		return;
	if (w->spare_count < WORKER_SPARES && st->origin.cap <= WORKER_SPARE_MAX)
		w->spares[w->spare_count++] = st->origin;
	else
		buf_fini(&st->origin);
	buf_init(&st->origin, STATEMENTS_ORIGIN_MAX);
}

bool record_is_whole(const struct client *c)
{
	return c->statements != NULL && c->statements->is_whole && !c->has_answered;
}

int record_rewind(struct client *c)
{
	struct statements *st = c->statements;

	if (conn_unread(&c->conn, st->origin.data, st->origin.len) < 0)
		return -1;
	statements_undo(st);
	unnamed_rewind(st);
	stmt_discharge(st->store, st->part.len);
	buf_fini(&st->part);
	record_end(c);
	c->have = 0;
	c->left = 0;
	c->is_teeing = false;
	return 0;
}

int record_repeat(struct client *c)
{
	struct statements *st = c->statements;
	uint32_t no = st->record_no, told = st->told;
	uint8_t retries = st->retries;

	if (record_rewind(c) < 0)
		return -1;
	record_begin(c);
	st->retries = (uint8_t)(retries + 1);
	st->record_no = no;
	st->told = st->untold = told;
	return 0;
}

bool record_tell_parsed(struct client *c)
{
	if (!record_is_whole(c))
		return false;
	c->statements->told++;
	return true;
}
