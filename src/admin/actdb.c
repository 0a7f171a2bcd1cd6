/*
 * actdb.c - commands on databases: DISABLE, ENABLE, RECONNECT, WAIT_CLOSE, KILL.
 */
#include "admin/actdb.h"

#include "base/clock.h"
#include "base/mem.h"
#include "session/orders.h"

#include <string.h>

#define ACTDB_POLL_MS 100

bool actdb_resolve(struct command *c)
{
	const char *name = c->line.arg[0];

	if (c->line.args == 0)
		return true;
	if (strcmp(name, "pgbouncer") == 0 || strcmp(name, "fynixpool") == 0) {
		command_fail(c, "cannot %s admin db: %s", c->verb->word, name);
		return false;
	}
	if (name[0] == '\0' || conf_find_database(admin_conf(c->admin), name) == NULL) {
		command_fail(c, "no such database: %s", name);
		return false;
	}
	c->database = name;
	return true;
}

bool actdb_is_stopping(struct command *c)
{
	if (!c->admin->ops->is_stopping(c->admin->app))
		return false;
	command_fail(c, "pooler is shutting down");
	return true;
}

struct actdb_shares {
	const char *database;
	struct share **share;
	size_t count, cap;
};

static void actdb_add_share(struct share *share, void *arg)
{
	struct actdb_shares *s = arg;

	if (s->database != NULL && strcmp(share->database, s->database) != 0)
		return;
	if (s->count == s->cap) {
		s->cap = s->cap > 0 ? s->cap * 2 : 16;
		s->share = mem_realloc(s->share, s->cap * sizeof(struct share *));
	}
	s->share[s->count++] = share;
}

unsigned actdb_servers(struct hub *hub, const char *database)
{
	struct actdb_shares s = {.database = database};
	unsigned n = 0;

	/* shares live as long as the hub; their locks may not be taken under its lock */
	hub_each_share(hub, actdb_add_share, &s);
	for (size_t i = 0; i < s.count; i++) {
		unsigned servers = share_servers(s.share[i]), connecting;

		lock_take(&s.share[i]->lock);
		connecting = s.share[i]->connecting;
		lock_drop(&s.share[i]->lock);
		n += servers > connecting ? servers - connecting : 0;
	}
	mem_free(s.share);
	return n;
}

void actdb_suspend(struct command *c)
{
	command_fail(c,
		"SUSPEND is not supported: there is no take-over by a new process; PAUSE holds all queries");
}

void actdb_disable(struct command *c)
{
	if (!actdb_resolve(c))
		return;
	(void)hub_disable(c->admin->hub, c->database, true);
	command_done(c);
}

void actdb_enable(struct command *c)
{
	if (!actdb_resolve(c))
		return;
	(void)hub_disable(c->admin->hub, c->database, false);
	command_done(c);
}

/* RECONNECT goes round twice: a server that was on its way from one worker to another during the first round has arrived
 * when the second comes. */
static void actdb_reconnect_part(struct worker *w, unsigned i FX_UNUSED, void *arg)
{
	const struct command *c = arg;

	orders_reconnect(w, c->database, c->since);
}

static void actdb_reconnect_joined(void *arg);

static const struct gather_ops actdb_reconnect_ops = {
	.part = actdb_reconnect_part, .joined = actdb_reconnect_joined};

static void actdb_reconnect_joined(void *arg)
{
	struct command *c = arg;

	if (++c->round < 2)
		command_gather(c, &actdb_reconnect_ops);
	else
		command_done(c);
}

void actdb_reconnect(struct command *c)
{
	if (!actdb_resolve(c))
		return;
	c->since = clock_mono_us();
	command_gather(c, &actdb_reconnect_ops);
}

static void actdb_close_part(struct worker *w, unsigned i, void *arg)
{
	struct command *c = arg;

	c->found[i] = orders_outdated(w, c->database);
}

static void actdb_close_again(struct timeout *t);

static void actdb_close_joined(void *arg)
{
	struct command *c = arg;
	unsigned left = 0;

	for (unsigned i = 0; i < c->admin->n; i++)
		left += c->found[i];
	if (left == 0)
		command_done(c);
	else if (c->is_canceled)
		command_fail_as(c, "57014", "canceling statement due to user request", NULL);
	else
		command_poll(c, ACTDB_POLL_MS, actdb_close_again);
}

static const struct gather_ops actdb_close_ops = {.part = actdb_close_part, .joined = actdb_close_joined};

static void actdb_close_again(struct timeout *t)
{
	command_gather(COMMAND_OF_POLL(t), &actdb_close_ops);
}

void actdb_wait_close(struct command *c)
{
	if (!actdb_resolve(c))
		return;
	c->found = mem_zalloc(c->admin->n * sizeof(c->found[0]));
	command_gather(c, &actdb_close_ops);
}

static void actdb_kill_part(struct worker *w, unsigned i FX_UNUSED, void *arg)
{
	const struct command *c = arg;

	orders_kill(w, c->database);
}

static void actdb_kill_joined(void *arg)
{
	command_done(arg);
}

static const struct gather_ops actdb_kill_ops = {.part = actdb_kill_part, .joined = actdb_kill_joined};

void actdb_kill(struct command *c)
{
	if (!actdb_resolve(c) || actdb_is_stopping(c))
		return;
	/* nobody gets a server until RESUME */
	(void)hub_pause(c->admin->hub, c->database, true);
	command_gather(c, &actdb_kill_ops);
}
