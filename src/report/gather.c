/*
 * gather.c - broadcast and join.
 *
 * The last part to finish posts the join; the count is the only thing shared.
 */
#include "report/gather.h"

#include "base/mem.h"

#include <stdatomic.h>

struct gather {
	struct mail mail;
	struct loop *control;
	const struct gather_ops *ops;
	void *arg;
	_Atomic unsigned left;
};

static void gather_joined(struct loop *loop FX_UNUSED, struct mail *mail)
{
	struct gather *g = container_of(mail, struct gather, mail);

	g->ops->joined(g->arg);
	mem_free(g);
}

static void gather_run(struct worker *w, void *arg)
{
	struct gather *g = arg;

	g->ops->part(w, w->home.index, g->arg);
	if (atomic_fetch_sub_explicit(&g->left, 1, memory_order_acq_rel) == 1)
		loop_post(g->control, &g->mail, gather_joined);
}

void gather_start(
	struct loop *control, struct worker **workers, unsigned n, const struct gather_ops *ops, void *arg)
{
	struct gather *g = mem_zalloc(sizeof(*g));

	g->control = control;
	g->ops = ops;
	g->arg = arg;
	atomic_init(&g->left, n);
	if (n == 0)
		loop_post(control, &g->mail, gather_joined);
	for (unsigned i = 0; i < n; i++)
		worker_call(workers[i], gather_run, g);
}
