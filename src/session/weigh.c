/*
 * weigh.c - what a worker and all it owns weighs.
 */
#include "session/weigh.h"

#include "net/ioweight.h"
#include "server/serverweight.h"
#include "session/entry_impl.h"
#include "session/statements.h"
#include "session/varset.h"
#include "session/worker.h"

static void weigh_vars(const struct client *c, struct weight *to)
{
	const struct varset *v;

	if (c->vars == NULL)
		return;
	v = varset_of(c);
	weight_object(to, WEIGHT_PARAMETERS, v);
	weight_buf(to, WEIGHT_PARAMETERS, &v->now.pairs);
	weight_buf(to, WEIGHT_PARAMETERS, &v->start.pairs);
	weight_buf(to, WEIGHT_PARAMETERS, &v->known.pairs);
	weight_buf(to, WEIGHT_PARAMETERS, &v->unsaid);
	weight_block(to, WEIGHT_PARAMETERS, v->pending_name);
}

static void weigh_statements(const struct statements *st, struct weight *to)
{
	struct hash_iter it = {0};
	struct hash_node *node;

	if (st == NULL)
		return;
	weight_block(to, WEIGHT_STATEMENTS, st);
	weight_block(to, WEIGHT_STATEMENTS, st->names.slot);
	weight_block(to, WEIGHT_STATEMENTS, st->ops);
	weight_block(to, WEIGHT_STATEMENTS, st->failed);
	weight_block(to, WEIGHT_STATEMENTS, st->doomed);
	weight_buf(to, WEIGHT_STATEMENTS, &st->part);
	weight_buf(to, WEIGHT_STATEMENTS, &st->origin);
	weight_buf(to, WEIGHT_STATEMENTS, &st->held);
	while ((node = hash_map_next(&st->names, &it)) != NULL) {
		weight_block(to, WEIGHT_STATEMENTS, node);
		weight_object(to, WEIGHT_STATEMENTS, node->value);
	}
}

/* the console goes on with it */
static void weigh_login(const struct login *l, bool is_console, struct weight *to)
{
	enum weight_purpose purpose = is_console ? WEIGHT_CLIENTS : WEIGHT_LOGINS;

	if (l == NULL)
		return;
	weight_bytes(to, purpose, !is_console, 0);
	weight_block(to, purpose, l);
	weight_buf(to, purpose, &l->in);
	weight_block(to, purpose, l->auth);
	weight_block(to, purpose, l->witness);
	weight_block(to, purpose, l->find);
	weight_block(to, purpose, l->reckon);
	weight_block(to, purpose, l->user);
	weight_block(to, purpose, l->database);
}

static void weigh_client(const struct client *c, struct weight *to)
{
	weight_object(to, WEIGHT_CLIENTS, c);
	weight_block(to, WEIGHT_CLIENTS, c->identity);
	weight_block(to, WEIGHT_CLIENTS, c->application_name);
	if (c->owns_limits)
		weight_block(to, WEIGHT_CLIENTS, c->limits);
	weigh_login(c->login, client_is_console(c->state), to);
	weigh_vars(c, to);
	weigh_statements(c->statements, to);
	ioweight_conn(&c->conn, WEIGHT_CLIENTS, to);
}

static void weigh_servers(const struct dlist *list, bool is_idle, struct weigh *to)
{
	for (const struct dlist *it = list->next; it != list; it = it->next) {
		struct weight one = {0};

		serverweight_add(container_of(it, struct server, link), &one);
		weight_add(&to->all, &one);
		if (!is_idle)
			continue;
		weight_add(&to->idle_servers, &one);
		to->servers++;
	}
}

static void weigh_pool(const struct pool *pool, struct weigh *to)
{
	weight_object(&to->all, WEIGHT_POOLS, pool);
	weigh_servers(&pool->idle, true, to);
	weigh_servers(&pool->active, false, to);
	weigh_servers(&pool->busy, false, to);
	weigh_servers(&pool->opening, false, to);
	weigh_servers(&pool->closing, false, to);
}

void weigh_worker(struct worker *w, struct weigh *to)
{
	DLIST_EACH(it, &w->clients) {
		const struct client *c = container_of(it, struct client, link);
		struct weight one = {0};

		weigh_client(c, &one);
		weight_add(&to->all, &one);
		if (c->state != CLIENT_IDLE)
			continue;
		weight_add(&to->idle_clients, &one);
		to->clients++;
	}
	DLIST_EACH(it, &w->home.pools)
	weigh_pool(container_of(it, struct pool, link), to);
	/* what finds the clients grows with their number */
	weight_block(&to->all, WEIGHT_CLIENTS, w->handles.slot);
	weight_block(&to->all, WEIGHT_CLIENTS, w->keyring.slot);
	weight_bytes(&to->all, WEIGHT_WORKERS, 1, sizeof(*w));
	for (unsigned i = 0; i < w->spare_count; i++)
		weight_object(&to->all, WEIGHT_SPARES, w->spares[i].data);
	ioweight_loop(&w->loop, &to->all);
}
