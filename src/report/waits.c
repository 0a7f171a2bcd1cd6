/*
 * waits.c - the long queries of each second, and what PostgreSQL says of them.
 */
#include "report/waits.h"

#include "base/mem.h"
#include "report/gather.h"

#include <string.h>

#define WAITS_TICK_US (UINT64_C(1) * 1000000)
#define WAITS_WISH_US (UINT64_C(5) * 1000000)
#define WAITS_KEEP_US (UINT64_C(60) * 1000000) /* a place that has nothing to ask */

struct waits {
	struct loop *control;
	struct worker **workers;
	unsigned n;
	struct lookup *lookup;
	const struct conf *(*conf)(void *owner);
	void *owner;
	struct timeout tick;
	struct longlist *parts;
	bool is_looking;
	uint64_t wish, wish_until;
	uint64_t threshold; /* the wish as the workers see it; constant while is_looking */
	struct dlist places;
};

void waits_care(struct waits *w, uint64_t threshold_us)
{
	uint64_t now = loop_now(w->control);

	if (now > w->wish_until || threshold_us < w->wish)
		w->wish = threshold_us;
	w->wish_until = now + WAITS_WISH_US;
}

const struct waitplace_row *waits_find(const struct waits *w, const struct machine *machine, uint32_t pid, uint64_t since)
{
	const struct waitplace_row *row;

	for (const struct dlist *it = w->places.next; it != &w->places; it = it->next) {
		const struct waitplace *place = container_of(it, struct waitplace, link);

		if (machine_is_same(&place->machine, machine) && (row = waitplace_find(place, pid, since)) != NULL)
			return row;
	}
	return NULL;
}

static struct waitplace *waits_place(struct waits *w, const struct longlist_item *item)
{
	struct waitplace *place;

	DLIST_EACH(it, &w->places) {
		place = container_of(it, struct waitplace, link);
		if (machine_is_same(&place->machine, &item->machine) && strcmp(place->database, item->share->database) == 0)
			return place;
	}
	place = waitplace_new(w->control, w->workers, w->n, item->share->database, &item->machine);
	dlist_push_back(&w->places, &place->link);
	return place;
}

static void waits_collect(struct waits *w, struct longlist *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct waitplace *place = waits_place(w, &list->item[i]);

		place->used_at = loop_now(w->control);
		if (!waitplace_is_busy(place))
			waitplace_add(place, &list->item[i]);
	}
	longlist_fini(list);
}

static void waits_joined(void *arg)
{
	struct waits *w = arg;
	const struct conf *conf = w->conf(w->owner);

	DLIST_EACH(it, &w->places) {
		struct waitplace *place = container_of(it, struct waitplace, link);

		if (!waitplace_is_busy(place))
			waitplace_clear(place);
	}
	for (unsigned i = 0; i < w->n; i++)
		waits_collect(w, &w->parts[i]);
	DLIST_EACH(it, &w->places) {
		struct waitplace *place = container_of(it, struct waitplace, link);

		if (waitplace_is_busy(place))
			continue;
		waitplace_ask(place, w->lookup, conf);
		if (!waitplace_is_busy(place) && loop_now(w->control) - place->used_at > WAITS_KEEP_US)
			waitplace_free(place);
	}
	w->is_looking = false;
}

static void waits_part(struct worker *worker, unsigned i, void *arg)
{
	struct waits *w = arg;

	longlist_take(worker, w->threshold, &w->parts[i]);
}

static bool waits_is_wanted(const struct conf *conf)
{
	if (conf->set.monitor_user[0] != '\0')
		return true;
	for (size_t i = 0; i < conf->databases; i++)
		if (conf->database[i].monitor_user != NULL && conf->database[i].monitor_user[0] != '\0')
			return true;
	return false;
}

static void waits_on_tick(struct timeout *t)
{
	static const struct gather_ops ops = {.part = waits_part, .joined = waits_joined};
	struct waits *w = container_of(t, struct waits, tick);

	loop_arm(w->control, &w->tick, WAITS_TICK_US);
	if (w->is_looking || !waits_is_wanted(w->conf(w->owner)))
		return;
	if (loop_now(w->control) > w->wish_until)
		w->wish = UINT64_MAX;
	w->threshold = w->wish;
	w->is_looking = true;
	gather_start(w->control, w->workers, w->n, &ops, w);
}

struct waits *waits_new(struct loop *control, struct worker **workers, unsigned n, struct lookup *lookup,
			const struct conf *(*conf)(void *owner), void *owner)
{
	struct waits *w = mem_zalloc(sizeof(*w));

	w->control = control;
	w->workers = workers;
	w->n = n;
	w->lookup = lookup;
	w->conf = conf;
	w->owner = owner;
	w->wish = UINT64_MAX;
	w->parts = mem_zalloc(n * sizeof(*w->parts));
	dlist_init(&w->places);
	timeout_init(&w->tick, waits_on_tick);
	if (lookup != NULL)
		loop_arm(control, &w->tick, WAITS_TICK_US);
	return w;
}

void waits_free(struct waits *w)
{
	timeout_disarm(&w->tick);
	DLIST_EACH(it, &w->places)
		waitplace_free(container_of(it, struct waitplace, link));
	for (unsigned i = 0; i < w->n; i++)
		longlist_fini(&w->parts[i]);
	mem_free(w->parts);
	mem_free(w);
}
