/*
 * admin.c - the console's ends: what the workers call, and what the process calls.
 */
#include "admin/command.h"

#include "auth/identity.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/version.h"
#include "session/orders.h"

#include <stdio.h>
#include <string.h>

/* a command, or the end of one, on its way from the worker */
struct admin_mail {
	struct mail mail;
	struct admin *admin;
	struct worker *worker;
	uint64_t client;
	unsigned roles;
	bool is_gone;
	char who[96];
	size_t n;
	char text[];
};

static void admin_deliver_command(struct loop *loop, struct mail *mail)
{
	struct admin_mail *m = container_of(mail, struct admin_mail, mail);
	struct command *c = mem_zalloc(sizeof(*c));

	c->admin = m->admin;
	c->worker = m->worker;
	c->client = m->client;
	c->roles = m->roles;
	(void)str_copy(c->who, sizeof(c->who), m->who);
	c->began = loop_now(loop);
	timeout_init(&c->poll, NULL);
	dlist_init(&c->link);
	dlist_push_back(&m->admin->open, &c->link);
	command_begin(c, m->text, m->n);
	mem_free(m);
}

static void admin_deliver_cancel(struct loop *loop FX_UNUSED, struct mail *mail)
{
	struct admin_mail *m = container_of(mail, struct admin_mail, mail);

	DLIST_EACH(it, &m->admin->open)
	{
		struct command *c = container_of(it, struct command, link);

		if (c->worker != m->worker || c->client != m->client)
			continue;
		c->is_canceled = true;
		c->is_gone = c->is_gone || m->is_gone;
		if (c->on_cancel != NULL)
			c->on_cancel(c);
		break;
	}
	mem_free(m);
}

static void admin_on_command(
	struct worker *w, uint64_t client, const struct identity *who, const char *text, size_t n)
{
	struct admin *a = w->console_owner;
	struct admin_mail *m = mem_alloc(sizeof(*m) + n);
	const struct client *c = worker_client(w, client);
	char addr[ADDR_TEXT_MAX] = "?";

	if (c != NULL)
		addr_format(&c->peer, addr, sizeof(addr));
	*m = (struct admin_mail){
		.admin = a, .worker = w, .client = client, .roles = identity_roles(who), .n = n};
	snprintf(m->who, sizeof(m->who), "%.40s@%.50s", identity_user(who), addr);
	memcpy(m->text, text, n);
	loop_post(a->control, &m->mail, admin_deliver_command);
}

static void admin_on_cancel(struct worker *w, uint64_t client, bool is_gone)
{
	struct admin *a = w->console_owner;
	struct admin_mail *m = mem_alloc(sizeof(*m));

	*m = (struct admin_mail){.admin = a, .worker = w, .client = client, .is_gone = is_gone};
	loop_post(a->control, &m->mail, admin_deliver_cancel);
}

static void admin_greet(struct worker *w, struct buf *out)
{
	struct admin *a = w->console_owner;

	atomic_fetch_add_explicit(&a->logins, 1, memory_order_relaxed);
	(void)reply_parameter(out, "server_version", version_greeting(w->home.conf->profile));
	(void)reply_parameter(out, "client_encoding", "UTF8");
	(void)reply_parameter(out, "server_encoding", "UTF8");
	(void)reply_parameter(out, "DateStyle", "ISO");
	(void)reply_parameter(out, "TimeZone", "GMT");
	(void)reply_parameter(out, "standard_conforming_strings", "on");
	(void)reply_parameter(out, "is_superuser", "on");
}

const struct worker_console admin_console = {
	.on_command = admin_on_command,
	.on_cancel = admin_on_cancel,
	.greet = admin_greet,
};

void admin_console_stats(struct admin *a, struct stats *out)
{
	*out = a->console;
	out->client_login_count = atomic_load_explicit(&a->logins, memory_order_relaxed);
}

static const struct conf *admin_monitor_conf(void *owner)
{
	return admin_conf(owner);
}

static void admin_monitor_console(void *owner, struct stats *out)
{
	struct stats console;

	admin_console_stats(owner, &console);
	stats_add(out, &console);
}

static const struct monitor_ops admin_monitor_ops = {
	.conf = admin_monitor_conf, .console = admin_monitor_console};

struct admin *admin_new(struct loop *control, struct hub *hub, struct worker **workers,
	const struct admin_ops *ops, void *app)
{
	struct admin *a = mem_zalloc(sizeof(*a));

	a->control = control;
	a->hub = hub;
	a->workers = workers;
	a->n = hub->workers;
	a->ops = ops;
	a->app = app;
	dlist_init(&a->open);
	for (unsigned i = 0; i < a->n; i++)
		workers[i]->console_owner = a;
	a->monitor = monitor_new(control, workers, a->n, &admin_monitor_ops, a);
	a->waits = waits_new(control, workers, a->n, hub->lookup, admin_monitor_conf, a);
	return a;
}

void admin_free(struct admin *a)
{
	DLIST_EACH(it, &a->open)
	command_free(container_of(it, struct command, link));
	waits_free(a->waits);
	monitor_free(a->monitor);
	mem_free(a);
}

/* an order to all workers that nobody waits for */
struct admin_order {
	void (*give)(struct worker *w, const char *database);
	char *database; /* NULL: all */
};

static void admin_order_part(struct worker *w, unsigned i FX_UNUSED, void *arg)
{
	const struct admin_order *order = arg;

	order->give(w, order->database);
}

static void admin_order_joined(void *arg)
{
	struct admin_order *order = arg;

	mem_free(order->database);
	mem_free(order);
}

static const struct gather_ops admin_order_ops = {.part = admin_order_part, .joined = admin_order_joined};

static void admin_order(
	struct admin *a, void (*give)(struct worker *w, const char *database), const char *database)
{
	struct admin_order *order = mem_zalloc(sizeof(*order));

	order->give = give;
	order->database = database != NULL ? mem_strdup(database) : NULL;
	gather_start(a->control, a->workers, a->n, &admin_order_ops, order);
}

void admin_order_pause(struct admin *a, const char *database)
{
	admin_order(a, orders_pause, database);
}

void admin_order_resume(struct admin *a, const char *database)
{
	admin_order(a, orders_resume, database);
}

void admin_pause_all(struct admin *a)
{
	if (hub_pause(a->hub, NULL, true))
		admin_order_pause(a, NULL);
}

void admin_resume_all(struct admin *a)
{
	if (hub_pause(a->hub, NULL, false))
		admin_order_resume(a, NULL);
}

void admin_reloaded(struct admin *a FX_UNUSED)
{
	/* everything that shows settings asks for the snapshot in force each time */
}
