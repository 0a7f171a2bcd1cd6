/*
 * replica.c - clients of the replication protocol.
 */
#include "session/replica.h"

#include "base/mem.h"
#include "pool/plan.h"
#include "pool/solo.h"
#include "session/welcome.h"
#include "session/entry_impl.h"
#include "session/worker.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *replica_word(unsigned replication)
{
	switch (replication) {
	case STARTUP_REPLICATION_PHYSICAL:
		return "physical";
	case STARTUP_REPLICATION_LOGICAL:
		return "logical";
	default:
		return "none";
	}
}

static bool replica_keep(struct params *p, const struct startup *s)
{
	const char *name, *value;
	size_t it = 0;

	while (startup_next(s, &it, &name, &value))
		if (params_set(p, name, value) < 0)
			return false;
	return s->options == NULL || params_set(p, "options", s->options) == 0;
}

bool replica_take(struct client *c, const struct startup *s)
{
	struct login *l = c->login;
	enum startup_replication what = startup_replication(s);
	char text[128];

	if (what == STARTUP_REPLICATION_INVALID) {
		snprintf(text, sizeof(text), "invalid value for parameter \"replication\": \"%.60s\"", s->replication);
		client_fail_as(c, CLIENT_END_STARTUP, "22023", text);
		return false;
	}
	l->extra = mem_alloc(sizeof(*l->extra));
	params_init(l->extra);
	if (!replica_keep(l->extra, s)) {
		client_fail(c, CLIENT_END_STARTUP, "too many startup parameters");
		return false;
	}
	l->replication = mem_strdup(s->replication);
	c->replication = what & 3;
	if (s->application_name != NULL)
		c->application_name = mem_strdup(s->application_name);
	return true;
}

void replica_limits(struct conf_limits *l)
{
	l->query_timeout = l->transaction_timeout = l->idle_transaction_timeout = 0;
	l->client_idle_timeout = l->long_query_time = 0;
}

/* a value of [databases] that the client has given itself */
static void replica_override(const struct params *extra, const char *name, char **value)
{
	if (params_get(extra, name) == NULL)
		return;
	mem_free(*value);
	*value = NULL;
}

static struct target *replica_target(struct client *c)
{
	struct share *share = c->pool->share;
	const struct conf *conf = c->worker->home.conf;
	const struct conf_database *db = conf_find_database(conf, share->database);
	struct login *l = c->login;
	struct target *t;

	if (db == NULL)
		return NULL;
	t = plan_target(conf, db, share->database, share->user);
	lock_take(&share->lock);
	if (share->target != NULL) {
		credential_fini(&t->credential);
		credential_copy(&t->credential, &share->target->credential);
		(void)atomic_fetch_add(&share->target->next_host, 1);
		target_inherit(t, share->target);
	}
	lock_drop(&share->lock);
	replica_override(l->extra, "client_encoding", &t->client_encoding);
	replica_override(l->extra, "datestyle", &t->datestyle);
	replica_override(l->extra, "timezone", &t->timezone);
	replica_override(l->extra, "application_name", &t->application_name);
	if (c->replication == STARTUP_REPLICATION_PHYSICAL) {
		/* no SQL there */
		mem_free(t->connect_query);
		t->connect_query = NULL;
	}
	t->extra = l->extra;
	l->extra = NULL;
	t->replication = l->replication;
	l->replication = NULL;
	return t;
}

static void replica_on_granted(struct lease *l)
{
	welcome_attach(container_of(l, struct client, lease));
}

static void replica_on_refused(struct lease *l, const struct server_failure *why)
{
	struct client *c = container_of(l, struct client, lease);

	/* PgBouncer's client learns no more than this; the log has the reason */
	if (c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER && why->end == SERVER_END_LOGIN_FAILED)
		client_fail(c, CLIENT_END_NO_SERVER, "login failed");
	else
		welcome_no_server(c, why);
}

static const struct lease_ops replica_lease_ops = {
	.on_granted = replica_on_granted,
	.on_refused = replica_on_refused,
};

void replica_begin(struct client *c)
{
	struct target *t = replica_target(c);

	client_enter(c, CLIENT_WELCOME);
	if (t == NULL) {
		client_fail(c, CLIENT_END_NO_DATABASE, NULL);
		return;
	}
	client_enter(c, CLIENT_ATTACHING);
	conn_pause(&c->conn, ENTRY_KEEP);
	c->pool_mode = CONF_POOL_SESSION;
	c->lease.ops = &replica_lease_ops;
	solo_ask(&c->lease, c->pool, t);
}
