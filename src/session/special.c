/*
 * special.c - answers of a server that may have to be said to the client in other words.
 */
#include "session/special.h"

#include "proto/errfields.h"
#include "proto/wire.h"
#include "server/owed.h"
#include "session/doomed.h"
#include "session/dummy.h"
#include "session/record.h"
#include "session/relay.h"
#include "session/rewrite.h"
#include "session/shape.h"
#include "session/unnamed.h"
#include "session/varreset.h"

#include <string.h>

#define SPECIAL_RETRIES 3 /* a table may change more than once */

/* The error as it came, with another sentence; changed: as PostgreSQL says that a result is not what it was. */
static bool special_say(struct client *c, const uint8_t *body, size_t n, const char *sentence, bool changed)
{
	const uint8_t *p = body, *end = body + n;
	struct buf out;
	bool ok;
	size_t at;

	buf_init(&out, 0);
	at = wire_begin(&out, BE_ERROR_RESPONSE);
	while (p < end && *p != '\0') {
		const uint8_t *nul = memchr(p, 0, (size_t)(end - p));

		if (nul == NULL)
			break;
		if (*p == 'M') {
			(void)buf_append_u8(&out, 'M');
			(void)buf_append_cstr(&out, sentence);
		} else if (changed && *p == 'C') {
			(void)buf_append_cstr(&out, "C0A000");
		} else if (changed && *p == 'R') {
			(void)buf_append_cstr(&out, "RRevalidateCachedQuery");
		} else if (!changed || (*p != 'F' && *p != 'L')) {
			(void)buf_append(&out, p, (size_t)(nul + 1 - p));
		}
		p = nul + 1;
	}
	(void)buf_append_u8(&out, 0);
	ok = wire_end(&out, at) == 0;
	if (ok) {
		special_release(c);
		conn_send(&c->conn, out.data, out.len, NULL);
		c->has_answered = true;
	}
	buf_fini(&out);
	return ok;
}

/* Our name for a statement in this text, and the client's for the same; NULL: none. */
static const char *special_name(const struct client *c, const struct server *s, const char *text, const char **at,
				size_t *len)
{
	struct stmt_id id;
	const char *name;

	if (stmt_find_name(text, at, &id)) {
		*len = STMT_NAME_LEN;
		name = statements_name_of(c->statements, id, s->prepared.failed_user);
		return name == NULL && s->prepared.failed_user == 0 ? "" : name; /* the unnamed one */
	}
	*at = strstr(text, DUMMY_CLASH);
	*len = strlen(DUMMY_CLASH);
	if (*at != NULL)
		return c->statements->failed;
	*at = strstr(text, DUMMY_GONE);
	*len = strlen(DUMMY_GONE);
	return *at != NULL ? doomed_name(c->statements) : NULL;
}

static bool special_rename(struct client *c, const struct server *s, const uint8_t *body, size_t n, const char *message)
{
	const char *name, *at;
	struct buf text;
	size_t len;
	bool said;

	name = special_name(c, s, message, &at, &len);
	if (name == NULL)
		return false;
	buf_init(&text, 0);
	(void)buf_append(&text, message, (size_t)(at - message));
	(void)buf_append_str(&text, name);
	(void)buf_append_str(&text, at + len);
	said = !text.bad && special_say(c, body, n, buf_text(&text), false);
	buf_fini(&text);
	return said;
}

/* Nothing has been executed, nothing been answered, and all there is lies in the record: a failed Bind in front.  And
 * the client asks what the rows look like, or (is_plan) has never known: one that goes by an older description must hear
 * that it is out of date. */
static bool special_may_retry(const struct client *c, const struct server *s, bool is_plan)
{
	return record_is_whole(c) && c->statements->retries < SPECIAL_RETRIES &&
	       (c->statements->describes >= c->statements->binds || (is_plan && c->statements->old_binds == 0)) && s->status == TRANSACTION_IDLE && c->left == 0 &&
	       c->have == 0 && !c->is_stalled && owed_is_one_request(&s->expect);
}

static void special_begin_retry(struct client *c, struct server *s)
{
	c->statements->is_retrying = true;
	s->hides_ready = true;
	/* what the client says next must not come before what is said anew */
	conn_pause(&c->conn, RELAY_KEEP);
}

/* The rows are not those that the client was told of. */
static bool special_changed(struct client *c, struct server *s, const uint8_t *body, size_t n)
{
	stmt_store_outdate(c->worker->home.hub->statements);
	if (!special_may_retry(c, s, true))
		return special_say(c, body, n, "cached plan must not change result type", true);
	special_begin_retry(c, s);
	return true;
}

static bool special_error(struct client *c, struct server *s, const uint8_t *body, size_t n)
{
	bool had_failed = s->prepared.has_failed, is_plan, is_gone;
	struct errfields e;

	s->prepared.has_failed = false;
	if (!had_failed)
		s->prepared.failed_user = 0;
	if (c->statements != NULL)
		unnamed_on_error(c, s);
	if (c->statements == NULL || !rewrite_is_on(c))
		return false;
	errfields_parse(body, n, &e);
	is_plan = strcmp(e.sqlstate, "0A000") == 0 && e.routine != NULL && strcmp(e.routine, "RevalidateCachedQuery") == 0;
	is_gone = strcmp(e.sqlstate, "26000") == 0;
	if (is_plan)
		stmt_store_outdate(c->worker->home.hub->statements);
	if (is_gone && strstr(e.message, SHAPE_CHANGED) != NULL)
		return special_changed(c, s, body, n);
	if (had_failed && (is_plan || is_gone)) {
		s->prepared.has_failed = true;
		prepared_spoil(&s->prepared, is_gone);
		s->prepared.has_failed = false;
		if (special_may_retry(c, s, is_plan)) {
			special_begin_retry(c, s);
			return true;
		}
	}
	return strstr(e.message, "fx_") != NULL && special_rename(c, s, body, n, e.message);
}

/* A client knows its own pid only: the one of its BackendKeyData. */
static bool special_notification(struct client *c, const struct server *s, const uint8_t *body, size_t n)
{
	struct buf out;
	uint32_t pid;
	bool ok;
	size_t at;

	if (n < 4 || c->cancel_pid == s->pid)
		return false;
	pid = (uint32_t)body[0] << 24 | (uint32_t)body[1] << 16 | (uint32_t)body[2] << 8 | body[3];
	if (pid != s->pid)
		return false;
	buf_init(&out, 0);
	at = wire_begin(&out, BE_NOTIFICATION_RESPONSE);
	(void)buf_append_u32(&out, c->cancel_pid);
	(void)buf_append(&out, body + 4, n - 4);
	ok = wire_end(&out, at) == 0;
	if (ok)
		conn_send(&c->conn, out.data, out.len, NULL);
	buf_fini(&out);
	return ok;
}

void special_release(struct client *c)
{
	struct statements *st = c->statements;

	if (st == NULL || st->held.len == 0)
		return;
	conn_send(&c->conn, st->held.data, st->held.len, NULL);
	c->pool->stats.bytes_sent += st->held.len;
	buf_reset(&st->held);
}

/* PostgreSQL tells the parameters of a statement before it finds that its rows are others now. */
static bool special_hold(struct client *c, const uint8_t *body, size_t n)
{
	size_t at;

	if (!record_is_whole(c))
		return false;
	at = wire_begin(&c->statements->held, BE_PARAMETER_DESCRIPTION);
	(void)buf_append(&c->statements->held, body, n);
	if (wire_end(&c->statements->held, at) == 0)
		return true;
	buf_reset(&c->statements->held);
	return false;
}

bool special_on_message(struct client *c, struct server *s, uint8_t type, const uint8_t *body, size_t n)
{
	switch (type) {
	case BE_ERROR_RESPONSE:
		return special_error(c, s, body, n);
	case BE_NOTIFICATION_RESPONSE:
		return special_notification(c, s, body, n);
	case BE_PARAMETER_DESCRIPTION:
		return special_hold(c, body, n);
	default:
		return varreset_hushes(c, s, (const char *)body);
	}
}

bool special_retry(struct client *c, struct server *s)
{
	if (c->statements == NULL || !c->statements->is_retrying)
		return false;
	c->statements->is_retrying = false;
	s->hides_ready = false;
	conn_pause(&c->conn, RELAY_KEEP);
	if (record_repeat(c) < 0) {
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
		return true;
	}
	s->request_mark = conn_written(&s->conn);
	conn_resume(&c->conn);
	return true;
}
