/*
 * slots.c - handles.
 */
#include "base/slots.h"

#include "base/mem.h"

#define SLOTS_NONE UINT32_MAX

struct slot {
	void *p;
	uint32_t gen;
	uint32_t next_free;
};

void slots_init(struct slots *t)
{
	*t = (struct slots){.free = SLOTS_NONE};
}

void slots_fini(struct slots *t)
{
	mem_free(t->slot);
	slots_init(t);
}

uint64_t slots_add(struct slots *t, void *p)
{
	uint32_t i;

	if (t->free != SLOTS_NONE) {
		i = t->free;
		t->free = t->slot[i].next_free;
	} else {
		if (t->count == t->cap) {
			uint32_t cap = t->cap ? t->cap * 2 : 64;
			struct slot *slot;

			if (t->cap >= UINT32_MAX / 4)
				return 0;
			slot = mem_try_realloc(t->slot, cap * sizeof(*slot));
			if (slot == NULL)
				return 0;
			t->slot = slot;
			t->cap = cap;
		}
		i = t->count++;
		t->slot[i].gen = 0;
	}
	if (++t->slot[i].gen == 0)
		t->slot[i].gen = 1;
	t->slot[i].p = p;
	t->used++;
	return (uint64_t)t->slot[i].gen << 32 | i;
}

void *slots_get(const struct slots *t, uint64_t handle)
{
	uint32_t i = (uint32_t)handle;

	if (i >= t->count || t->slot[i].gen != (uint32_t)(handle >> 32))
		return NULL;
	return t->slot[i].p;
}

void slots_remove(struct slots *t, uint64_t handle)
{
	uint32_t i = (uint32_t)handle;

	CHECK(slots_get(t, handle) != NULL);
	t->slot[i].p = NULL;
	t->slot[i].next_free = t->free;
	t->free = i;
	t->used--;
}
