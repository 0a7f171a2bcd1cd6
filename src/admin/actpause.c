/*
 * actpause.c - PAUSE answers when no server is left; RESUME.
 *
 * Pausing is a fact of the hub; the workers are told to close what idles, and what
 * comes back later is closed because its share is paused.
 */
#include "admin/actdb.h"

#include "session/orders.h"

#define ACTPAUSE_POLL_MS 50

static void actpause_undo(struct command *c)
{
	if (hub_pause(c->admin->hub, c->database, false))
		admin_order_resume(c->admin, c->database);
}

/* Ctrl-C on a console that waits is RESUME, and so is its going away */
static void actpause_on_cancel(struct command *c)
{
	actpause_undo(c);
	command_fail_as(c, "57014", "canceling statement due to user request", NULL);
}

static void actpause_look(struct timeout *t)
{
	struct command *c = COMMAND_OF_POLL(t);

	if (!hub_is_paused(c->admin->hub, c->database))
		command_fail(c, "PAUSE was ended by RESUME");
	else if (actdb_servers(c->admin->hub, c->database) == 0)
		command_done(c);
	else
		command_poll(c, ACTPAUSE_POLL_MS, actpause_look);
}

static void actpause_part(struct worker *w, unsigned i FX_UNUSED, void *arg)
{
	const struct command *c = arg;

	orders_pause(w, c->database);
}

static void actpause_joined(void *arg)
{
	struct command *c = arg;

	if (c->is_canceled) {
		actpause_on_cancel(c);
		return;
	}
	c->on_cancel = actpause_on_cancel;
	actpause_look(&c->poll);
}

static const struct gather_ops actpause_ops = {.part = actpause_part, .joined = actpause_joined};

void actpause_run(struct command *c)
{
	if (!actdb_resolve(c) || actdb_is_stopping(c))
		return;
	if (!hub_pause(c->admin->hub, c->database, true)) {
		command_fail(c, "already suspended/paused");
		return;
	}
	command_gather(c, &actpause_ops);
}

static void actpause_resume_part(struct worker *w, unsigned i FX_UNUSED, void *arg)
{
	const struct command *c = arg;

	orders_resume(w, c->database);
}

static void actpause_resume_joined(void *arg)
{
	command_done(arg);
}

static const struct gather_ops actpause_resume_ops = {
	.part = actpause_resume_part, .joined = actpause_resume_joined};

void actpause_resume(struct command *c)
{
	if (!actdb_resolve(c) || actdb_is_stopping(c))
		return;
	if (!hub_pause(c->admin->hub, c->database, false)) {
		if (c->database != NULL)
			command_fail(c, "database %s is not paused", c->database);
		else
			command_fail(c, "pooler is not paused/suspended");
		return;
	}
	command_gather(c, &actpause_resume_ops);
}
