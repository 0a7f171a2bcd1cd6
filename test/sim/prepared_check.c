/*
 * prepared_check.c - what must hold of prepared statements.
 */
#include "prepared_check.h"

#include "fakeclient.h"
#include "fakepg.h"

#include "session/dummy.h"
#include "session/worker.h"

#include <string.h>

#define PEAKS 1024

/* operations that were on their way since a server had no more than it may */
static uint32_t peak[PEAKS];

void prepared_check_start(void)
{
	memset(peak, 0, sizeof(peak));
}

void prepared_check_turn(const struct worker *w, unsigned max)
{
	DLIST_EACH(it, &w->clients) {
		const struct server *s = container_of(it, struct client, link)->lease.server;
		uint32_t *p;

		if (s == NULL)
			continue;
		p = &peak[s->pid % PEAKS];
		if (s->prepared.count <= max)
			*p = 0;
		if (s->prepared.op_count > *p)
			*p = s->prepared.op_count;
		if (s->prepared.count > max + *p)
			sim_fail("I9: backend %u has %u statements, %u are allowed and %u were unanswered", s->pid,
				 s->prepared.count, max, *p);
	}
}

/* name, text and types of the Parse that makes this statement */
static struct stmt_id id_of(const struct stmt_store *store, const struct pgm_named *n)
{
	struct bytes b = {.data = NULL};
	struct stmt_id id;

	bytes_str(&b, n->text[0] == ' ' ? "" : n->text);
	bytes_u16(&b, (uint16_t)n->types);
	for (unsigned i = 0; i < n->types; i++)
		bytes_u32(&b, n->type[i]);
	id = stmt_id_of(store, b.data, b.len);
	bytes_free(&b);
	return id;
}

static const struct backend *backend_of(uint32_t pid)
{
	for (unsigned i = 0; i < fakepg.count; i++)
		if (fakepg.backend[i]->pid == pid)
			return fakepg.backend[i];
	return NULL;
}

static void check_server(const struct stmt_store *store, const struct server *s)
{
	const struct backend *b = backend_of(s->pid);
	unsigned there = 0;

	if (b == NULL || b->state != BACKEND_READY || b->is_cut || b->sock->is_deaf || s->prepared.op_count > 0 ||
	    !fakepg_is_free(b) || bytes_left(&b->m.out) > 0 || b->sock->peer->coming_bytes > 0 || b->sock->peer->len > 0)
		return;
	for (unsigned i = 0; i < b->m.stmt.count; i++) {
		const struct pgm_named *n = &b->m.stmt.at[i];
		struct stmt_id id = id_of(store, n);
		const struct prepared_entry *e;
		char name[STMT_NAME_LEN + 1];

		if (strncmp(n->name, "fx_", 3) != 0 || strcmp(n->name, DUMMY_CLASH) == 0 ||
		    strcmp(n->name, DUMMY_GONE) == 0)
			continue;
		stmt_name(id, name);
		if (strcmp(name, n->name) != 0)
			sim_fail("I9: '%s' is prepared on backend %u as %s, and should be %s", n->text, b->pid,
				 n->name, name);
		e = prepared_find(&s->prepared, id);
		if (e == NULL || !e->is_there)
			sim_fail("I9: backend %u has %s ('%s'), and nobody knows", b->pid, name, n->text);
		there++;
	}
	if (there != s->prepared.count)
		sim_fail("I9: backend %u has %u statements, we believe in %u", b->pid, there, s->prepared.count);
}

static void check_client(const struct stmt_store *store, const struct client *c)
{
	struct fclient *f = fakeclient_by_port(c->peer.port);
	unsigned known = 0;

	if (f == NULL || f->state != FCLIENT_RUN || f->is_broken || f->is_vague || bytes_left(&f->sent) > 0 ||
	    !fakeclient_is_answered(f) || c->state != CLIENT_IDLE)
		return;
	for (unsigned i = 0; i < f->model.stmt.count; i++) {
		const struct pgm_named *n = &f->model.stmt.at[i];
		const struct statements_name *name;

		if (n->name[0] == '\0')
			continue;
		known++;
		name = c->statements != NULL ? statements_find(c->statements, n->name, strlen(n->name)) : NULL;
		if (name == NULL || name->now == NULL || !stmt_id_is_equal(name->now->id, id_of(store, n)))
			sim_fail("I9: client %s has prepared %s as '%s', and the pooler %s", f->name, n->name, n->text,
				 name == NULL || name->now == NULL ? "knows nothing of it" :
								     (const char *)name->now->body);
	}
	if (statements_count(c->statements) != known)
		sim_fail("I9: client %s has %u statements, the pooler believes in %u", f->name, known,
			 statements_count(c->statements));
}

void prepared_check_rest(const struct worker *workers, unsigned n)
{
	const struct stmt_store *store = workers[0].home.hub->statements;

	for (unsigned i = 0; i < n; i++) {
		DLIST_EACH(it, &workers[i].home.pools)
			DLIST_EACH(at, &container_of(it, struct pool, link)->idle)
				check_server(store, container_of(at, struct server, link));
		DLIST_EACH(it, &workers[i].clients) {
			const struct client *c = container_of(it, struct client, link);

			if (c->pool_mode != CONF_POOL_SESSION)
				check_client(store, c);
		}
	}
}
