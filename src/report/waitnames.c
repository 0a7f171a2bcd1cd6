/*
 * waitnames.c - which of our clients ride the servers with these process ids.
 */
#include "report/waitnames.h"

#include "base/mem.h"
#include "report/gather.h"

#include <stdio.h>

struct waitnames *waitnames_new(const struct machine *machine, void (*done)(void *arg, struct waitnames *names), void *arg)
{
	struct waitnames *names = mem_zalloc(sizeof(*names));

	names->machine = *machine;
	names->done = done;
	names->arg = arg;
	return names;
}

void waitnames_free(struct waitnames *names)
{
	mem_free(names);
}

void waitnames_add(struct waitnames *names, uint32_t pid)
{
	for (unsigned i = 0; i < names->n; i++)
		if (names->one[i].pid == pid)
			return;
	if (names->n < WAITNAMES_MAX)
		names->one[names->n++].pid = pid;
}

static void waitnames_tell(struct waitnames_one *one, const struct client *c)
{
	char addr[ADDR_TEXT_MAX];

	if (atomic_exchange_explicit(&one->is_taken, true, memory_order_relaxed))
		return;
	addr_format(&c->peer, addr, sizeof(addr));
	snprintf(one->text, sizeof(one->text), c->peer.family == ADDR_UNIX ? "C-%llu %.100s@%s" : "C-%llu %.100s@%s:%u",
		 (unsigned long long)c->id, identity_user(c->identity), addr, c->peer.port);
}

static void waitnames_look(struct waitnames *names, const struct server *s)
{
	struct machine machine;

	for (unsigned i = 0; i < names->n; i++) {
		if (names->one[i].pid != s->pid)
			continue;
		machine_of(s, &machine);
		if (s->rider != NULL && machine_is_same(&machine, &names->machine))
			waitnames_tell(&names->one[i], s->rider);
		return;
	}
}

static void waitnames_part(struct worker *w, unsigned i FX_UNUSED, void *arg)
{
	DLIST_EACH(it, &w->home.pools) {
		const struct pool *pool = container_of(it, struct pool, link);

		for (const struct dlist *at = pool->active.next; at != &pool->active; at = at->next)
			waitnames_look(arg, container_of(at, struct server, link));
	}
}

static void waitnames_joined(void *arg)
{
	struct waitnames *names = arg;

	names->done(names->arg, names);
}

void waitnames_start(struct waitnames *names, struct loop *control, struct worker **workers, unsigned n)
{
	static const struct gather_ops ops = {.part = waitnames_part, .joined = waitnames_joined};

	gather_start(control, workers, n, &ops, names);
}

const char *waitnames_get(void *arg, uint32_t pid)
{
	const struct waitnames *names = arg;

	for (unsigned i = 0; i < names->n; i++)
		if (names->one[i].pid == pid)
			return names->one[i].text[0] != '\0' ? names->one[i].text : NULL;
	return NULL;
}
