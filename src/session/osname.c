/*
 * osname.c - the name of a client's user in the operating system.
 */
#include "session/osname.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/errand.h"
#include "session/admit.h"
#include "session/entry_impl.h"
#include "session/worker.h"

#define OSNAME_USER_US (60 * CLOCK_US_PER_SEC)

/* What the system is asked: the name of a uid. */
struct osname_question {
	struct errand errand;
	struct client *client; /* its worker's; NULL: it has gone */
	struct osname_memory *memory;
	uid_t uid;
	char name[OSUSER_MAX]; /* "": there is none */
};

static void osname_remember(struct osname_memory *m, uid_t uid, const char *name, uint64_t now)
{
	size_t at = 0;

	for (size_t i = 0; i < OSNAME_USERS; i++)
		if (m->user[i].until < m->user[at].until)
			at = i;
	m->user[at].uid = uid;
	m->user[at].until = now + OSNAME_USER_US;
	(void)str_copy(m->user[at].name, sizeof(m->user[at].name), name);
}

const char *osname_recall(const struct osname_memory *m, uid_t uid, uint64_t now)
{
	for (size_t i = 0; i < OSNAME_USERS; i++)
		if (m->user[i].uid == uid && m->user[i].until > now)
			return m->user[i].name;
	return NULL;
}

static void osname_work(struct errand *e)
{
	struct osname_question *q = container_of(e, struct osname_question, errand);

	if (!osuser_name(q->uid, q->name))
		q->name[0] = '\0';
}

static void osname_drop(struct errand *e)
{
	mem_free(container_of(e, struct osname_question, errand));
}

static void osname_done(struct errand *e)
{
	struct osname_question *q = container_of(e, struct osname_question, errand);
	struct client *c = q->client;

	osname_remember(q->memory, q->uid, q->name, loop_now(e->loop));
	mem_free(q);
	if (c == NULL)
		return;
	c->login->question = NULL;
	if (c->state != CLIENT_AUTH)
		return;
	conn_resume(&c->conn);
	admit_again(c);
}

void osname_forget(struct login *l)
{
	if (l->question != NULL)
		l->question->client = NULL;
	l->question = NULL;
}

int osname_ask(struct client *c, uid_t uid)
{
	struct osname_memory *m = &c->worker->osnames;
	struct errands *errands = c->worker->home.hub->errands;
	struct osname_question *q;
	int rc = 1;

	if (osname_recall(m, uid, loop_now(c->conn.loop)) != NULL)
		return 0;
	q = mem_try_zalloc(sizeof(*q));
	if (q == NULL)
		return -1;
	q->errand.work = osname_work;
	q->errand.done = osname_done;
	q->errand.drop = osname_drop;
	q->uid = uid;
	q->memory = m;
	if (errands == NULL) {
		osname_work(&q->errand);
		osname_remember(m, uid, q->name, loop_now(c->conn.loop));
		rc = 0;
	} else if (!errand_give(errands, c->conn.loop, &q->errand)) {
		rc = -1;
	}
	if (rc <= 0) {
		mem_free(q);
		return rc;
	}
	/* it comes home by mail, not before this turn is over */
	q->client = c;
	c->login->question = q;
	conn_pause(&c->conn, ENTRY_KEEP);
	return 1;
}
