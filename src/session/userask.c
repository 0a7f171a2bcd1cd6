/*
 * userask.c - one question about a user, put to a server.
 */
#include "session/userask.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "pool/askpool.h"
#include "pool/lease.h"
#include "proto/errfields.h"
#include "proto/frontend.h"
#include "proto/resultset.h"
#include "session/worker.h"

#include <stdio.h>
#include <string.h>

#define USERASK_DEADLINE_US (60 * CLOCK_US_PER_SEC) /* where logins have none */
#define USERASK_TRIES 3				    /* servers that are gone before anything was said to them */

/* itself included; a member of a member is a member */
static const char userask_roles_sql[] =
	"WITH RECURSIVE r(id) AS ("
	"SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) $1 "
	"UNION SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN r ON m.member OPERATOR(pg_catalog.=) r.id) "
	"SELECT p.rolname FROM pg_catalog.pg_roles p JOIN r ON p.oid OPERATOR(pg_catalog.=) r.id";

struct userask {
	struct worker *worker;
	struct dlist link; /* of worker->asks */
	struct lease lease;
	struct timeout deadline;
	struct usercache_ticket *ticket;
	enum useranswer_kind kind;
	char *user, *sql, *place;
	struct buf reply;
	bool is_long;	/* too much to be kept */
	bool is_absent; /* no user can have such a name */
	unsigned tries;
	struct usercache_failure failure; /* the server has refused; message[0] '\0': it has not */
};

/* The servers do not know us by their rider: what looks at riders takes them for clients. */
static struct userask *userask_of(const struct server *s)
{
	struct worker *w = worker_of(s->loop);

	DLIST_EACH(it, &w->asks_riding)
	{
		struct userask *a = container_of(it, struct userask, link);

		if (a->lease.server == s)
			return a;
	}
	CHECK(false);
	return NULL;
}

/* Takes answer. */
static void userask_finish(struct userask *a, struct useranswer *answer)
{
	struct worker *w = a->worker;
	bool keep = w->home.conf->set.auth_query_ttl > 0;

	if (answer == NULL)
		log_write(LOG_ERROR, a->place, "%s of user \"%.128s\" could not be looked up: %s",
			  a->kind == USERANSWER_ROLES ? "the roles" : "the secret", a->user, a->failure.message);
	timeout_disarm(&a->deadline);
	dlist_remove(&a->link);
	usercache_answer(w->home.hub->users_found, a->ticket, answer, keep, &a->failure);
	buf_wipe(&a->reply);
	mem_free(a->user);
	mem_free(a->sql);
	mem_free(a->place);
	mem_free(a);
}

static FX_PRINTF(2, 3) void userask_fail(struct userask *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(a->failure.message, sizeof(a->failure.message), fmt, ap) < 0)
		a->failure.message[0] = '\0';
	va_end(ap);
	userask_finish(a, NULL);
}

static struct useranswer *userask_read_roles(struct userask *a, struct resultset *r)
{
	struct useranswer *answer = NULL;
	struct buf names;

	buf_init(&names, USERASK_REPLY_MAX);
	while (resultset_next(r))
		if (r->columns == 1 && r->cell[0].text != NULL) {
			(void)buf_append(&names, r->cell[0].text, r->cell[0].n);
			(void)buf_append_u8(&names, 0);
		}
	if (!r->is_bad && r->columns == 1 && !names.bad)
		answer = useranswer_names((const char *)names.data, names.len);
	else
		(void)str_copy(a->failure.message, sizeof(a->failure.message), "an answer that cannot be understood");
	buf_fini(&names);
	return answer;
}

/* one row; whatever is odd about it is an error, and nobody gets in */
static struct useranswer *userask_read_row(struct userask *a, const struct resultset *r)
{
	const struct resultset_cell *name = &r->cell[0], *secret = &r->cell[1];
	struct useranswer *answer;
	const char *error = NULL;

	/* a function with OUT columns says so when it has found nobody */
	if (name->text == NULL && secret->text == NULL)
		return useranswer_none();
	if (name->text == NULL) {
		(void)str_copy(a->failure.message, sizeof(a->failure.message), "auth_query response contained null user name");
		return NULL;
	}
	if (secret->text != NULL && (secret->n > USERASK_SECRET_MAX || memchr(secret->text, 0, secret->n) != NULL)) {
		(void)str_copy(a->failure.message, sizeof(a->failure.message), "auth_query response contained a secret that is too long");
		return NULL;
	}
	/* PostgreSQL cuts long names off; and nobody may come in as another than he said */
	if (name->n != strlen(a->user) || memcmp(name->text, a->user, name->n) != 0) {
		log_write(LOG_WARNING, a->place, "auth_query for user \"%.128s\" gave another one: \"%.*s\"", a->user,
			  (int)(name->n < 128 ? name->n : 128), name->text);
		return useranswer_none();
	}
	answer = useranswer_secret(secret->text, secret->text != NULL ? secret->n : 0, &error);
	if (error != NULL)
		log_write(LOG_WARNING, a->place, "the secret of user \"%.128s\" cannot be used: %s", a->user, error);
	return answer;
}

static struct useranswer *userask_read_secret(struct userask *a, struct resultset *r)
{
	struct useranswer *answer = NULL;

	if (r->columns != 2) {
		snprintf(a->failure.message, sizeof(a->failure.message),
			 "auth_query response has %u columns: expected a name and a secret", r->columns);
		return NULL;
	}
	if (!resultset_next(r))
		answer = r->is_bad ? NULL : useranswer_none();
	else
		answer = userask_read_row(a, r);
	if (answer != NULL && resultset_next(r)) {
		useranswer_unref(answer);
		answer = NULL;
		(void)str_copy(a->failure.message, sizeof(a->failure.message), "auth_query response has more than one row");
	}
	if (answer != NULL && r->is_bad) {
		useranswer_unref(answer);
		answer = NULL;
	}
	if (answer == NULL && a->failure.message[0] == '\0')
		(void)str_copy(a->failure.message, sizeof(a->failure.message), "an answer that cannot be understood");
	return answer;
}

static struct useranswer *userask_read(struct userask *a)
{
	struct resultset r;

	if (a->is_absent)
		return a->kind == USERANSWER_ROLES ? useranswer_names(NULL, 0) : useranswer_none();
	if (a->failure.message[0] != '\0')
		return NULL;
	if (a->is_long || a->reply.bad) {
		(void)str_copy(a->failure.message, sizeof(a->failure.message), "the answer is too large");
		return NULL;
	}
	resultset_begin(&r, a->reply.data, a->reply.len);
	return a->kind == USERANSWER_ROLES ? userask_read_roles(a, &r) : userask_read_secret(a, &r);
}

static void userask_on_quiet(struct server *s)
{
	struct userask *a = userask_of(s);

	/* whatever the statement has left behind goes */
	lease_return(&a->lease, true);
	userask_finish(a, userask_read(a));
}

static void userask_on_reply(struct server *s, struct chunk *chunk FX_UNUSED, const uint8_t *data, size_t n)
{
	struct userask *a = userask_of(s);

	if (!a->is_long && buf_append(&a->reply, data, n) < 0)
		a->is_long = true;
}

/* all is answered and it does not rest: the statement has begun a transaction, or a COPY */
static void userask_on_settled(struct server *s)
{
	struct userask *a = userask_of(s);

	/* half a ReadyForQuery has been counted already */
	if (s->expect.count > 0 || s->reader.left > 0 || s->reader.have > 0 || conn_out_pending(&s->conn) > 0)
		return;
	lease_abandon(&a->lease, false, true);
	userask_fail(a, "auth_query did not come to its end");
}

static bool userask_on_special(struct server *s, uint8_t type, const uint8_t *body, size_t n)
{
	struct userask *a = userask_of(s);
	struct errfields e;

	if (type != 'E')
		return true;
	errfields_parse(body, n, &e);
	/* bytes that are no text in the server's encoding are no role's name */
	if (strcmp(e.sqlstate, "22021") == 0 || strcmp(e.sqlstate, "22P05") == 0)
		a->is_absent = true;
	else
		(void)str_copy(a->failure.message, sizeof(a->failure.message), e.message);
	return true;
}

static void userask_ride(struct userask *a);

static void userask_on_lost(struct server *s, enum server_end why, bool has_told FX_UNUSED)
{
	struct userask *a = userask_of(s);
	bool is_unsaid = conn_written(&s->conn) == s->request_mark;

	lease_lost(&a->lease);
	dlist_remove(&a->link);
	dlist_push_back(&a->worker->asks, &a->link);
	buf_reset(&a->reply);
	if (is_unsaid && ++a->tries < USERASK_TRIES && why != SERVER_END_SHUTDOWN) {
		userask_ride(a);
		return;
	}
	a->failure.is_server = true;
	userask_fail(a, "%s", s->failure.message[0] != '\0' ? s->failure.message : server_end_text(why));
}

static void userask_on_nothing(struct server *s FX_UNUSED)
{
}

static void userask_on_ready(struct server *s FX_UNUSED, char status FX_UNUSED)
{
}

static void userask_on_parameter(struct server *s FX_UNUSED, const char *name FX_UNUSED, const char *value FX_UNUSED)
{
}

static void userask_on_told(struct server *s FX_UNUSED, enum expect_outcome outcome FX_UNUSED)
{
}

static void userask_on_tag(struct server *s FX_UNUSED, const char *tag FX_UNUSED)
{
}

static void userask_on_shape(struct server *s FX_UNUSED, uint64_t shape FX_UNUSED)
{
}

static void userask_on_ours_failed(struct server *s FX_UNUSED, const char *sqlstate FX_UNUSED,
				   const char *message FX_UNUSED)
{
}

static const struct server_rider_ops userask_rider_ops = {
	.on_reply = userask_on_reply,
	.on_parsed = userask_on_nothing,
	.on_ready = userask_on_ready,
	.on_settled = userask_on_settled,
	.on_quiet = userask_on_quiet,
	.on_parameter = userask_on_parameter,
	.on_told = userask_on_told,
	.on_tag = userask_on_tag,
	.on_shape = userask_on_shape,
	.on_special = userask_on_special,
	.on_ours_failed = userask_on_ours_failed,
	.on_room = userask_on_nothing,
	.on_lost = userask_on_lost,
};

/* the name is a bound parameter, nothing else of a client's is said */
static bool userask_say(struct userask *a, struct server *s)
{
	static const uint8_t types[] = {FE_PARSE, FE_BIND, FE_DESCRIBE, FE_EXECUTE, FE_SYNC};
	const char *const values[] = {a->user};
	struct buf out;
	bool ok;

	buf_init(&out, 0);
	ok = frontend_ask(&out, a->kind == USERANSWER_ROLES ? userask_roles_sql : a->sql, values, 1) == 0;
	for (size_t i = 0; ok && i < ARRAY_LEN(types); i++)
		ok = server_note(s, types[i]);
	if (ok)
		server_send(s, out.data, out.len, NULL);
	buf_fini(&out);
	return ok;
}

static void userask_granted(struct userask *a)
{
	struct server *s = a->lease.server;

	dlist_remove(&a->link);
	dlist_push_back(&a->worker->asks_riding, &a->link);
	/* an answer that nobody keeps is for those who were there when it was asked for */
	if (a->worker->home.conf->set.auth_query_ttl == 0)
		usercache_sent(a->worker->home.hub->users_found, a->ticket);
	server_ride(s, &userask_rider_ops, NULL);
	/* without memory the server has ended, and we with it */
	(void)userask_say(a, s);
}

static void userask_on_granted(struct lease *l)
{
	userask_granted(container_of(l, struct userask, lease));
}

static void userask_on_refused(struct lease *l, const struct server_failure *why)
{
	struct userask *a = container_of(l, struct userask, lease);

	a->failure.is_server = true;
	userask_fail(a, "%s", why->message);
}

static const struct lease_ops userask_lease_ops = {
	.on_granted = userask_on_granted,
	.on_refused = userask_on_refused,
};

/* from the top: a server of the pool, when there is one */
static void userask_ride(struct userask *a)
{
	struct home *home = &a->worker->home;
	struct pool *pool = a->lease.pool;
	struct server_failure why;

	switch (lease_ask(&a->lease, pool, loop_now(home->loop), &why)) {
	case LEASE_GRANTED:
		userask_granted(a);
		break;
	case LEASE_REFUSED:
		userask_on_refused(&a->lease, &why);
		break;
	case LEASE_WAITS:
		break;
	}
}

static void userask_on_deadline(struct timeout *t)
{
	struct userask *a = container_of(t, struct userask, deadline);

	if (a->lease.state == LEASE_HELD)
		lease_abandon(&a->lease, conn_out_pending(&a->lease.server->conn) > 0, true);
	else
		lease_leave(&a->lease);
	a->failure.is_server = true;
	userask_fail(a, "no answer in time");
}

void userask_start(struct worker *w, const struct conf_lookup *lookup, enum useranswer_kind kind, const char *user,
		   struct usercache_ticket *ticket)
{
	struct userask *a = mem_zalloc(sizeof(*a));
	uint64_t limit = w->home.conf->set.client_login_timeout;
	size_t size = strlen(lookup->database) + strlen(lookup->user) + 2;

	a->worker = w;
	a->ticket = ticket;
	a->kind = kind;
	a->user = mem_strdup(user);
	a->sql = mem_strdup(lookup->query);
	a->place = mem_alloc(size);
	snprintf(a->place, size, "%s/%s", lookup->database, lookup->user);
	buf_init(&a->reply, USERASK_REPLY_MAX);
	dlist_init(&a->link);
	dlist_push_back(&w->asks, &a->link);
	lease_init(&a->lease, &userask_lease_ops);
	timeout_init(&a->deadline, userask_on_deadline);
	loop_arm(&w->loop, &a->deadline, limit > 0 ? limit : USERASK_DEADLINE_US);
	a->lease.pool = askpool_get(&w->home, lookup->database, lookup->user);
	if (a->lease.pool == NULL)
		userask_fail(a, "authentication database \"%.128s\" is not configured", lookup->database);
	else
		userask_ride(a);
}

void userask_end_all(struct worker *w)
{
	struct dlist *node;

	while ((node = dlist_first(&w->asks)) != NULL || (node = dlist_first(&w->asks_riding)) != NULL) {
		struct userask *a = container_of(node, struct userask, link);

		if (a->lease.state == LEASE_HELD)
			lease_close_server(&a->lease, SERVER_END_SHUTDOWN);
		else
			lease_leave(&a->lease);
		userask_fail(a, "shutting down");
	}
}
