/*
 * prepared.c - which statements one server connection has.
 */
#include "server/prepared.h"

#include "base/mem.h"
#include "base/weight.h"
#include "server/rowshape.h"

#define PREPARED_SEEN 128

struct prepared_op {
	struct prepared_entry *entry;
	enum prepared_kind kind;
	uint32_t user;
};

void prepared_init(struct prepared *p)
{
	*p = (struct prepared){.slots = 0};
	dlist_init(&p->lru);
}

static void prepared_free_entry(struct prepared *p, struct prepared_entry *entry)
{
	struct prepared_entry **link = &p->slot[entry->id.word[0] & (p->slots - 1)];

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	dlist_remove(&entry->lru);
	p->entries--;
	mem_object_free(MEM_PREPARED, entry, sizeof(*entry));
}

void prepared_fini(struct prepared *p)
{
	for (uint32_t i = 0; i < p->slots; i++)
		while (p->slot[i] != NULL)
			prepared_free_entry(p, p->slot[i]);
	mem_free(p->slot);
	mem_free(p->ops);
	mem_free(p->seen);
	prepared_init(p);
}

static struct prepared_entry *prepared_look(const struct prepared *p, struct stmt_id id)
{
	struct prepared_entry *entry;

	if (p->slots == 0)
		return NULL;
	entry = p->slot[id.word[0] & (p->slots - 1)];
	while (entry != NULL && !stmt_id_is_equal(entry->id, id))
		entry = entry->next;
	return entry;
}

struct prepared_entry *prepared_find(const struct prepared *p, struct stmt_id id)
{
	struct prepared_entry *entry = prepared_look(p, id);

	return entry != NULL && (entry->is_wanted || entry->changing > 0) ? entry : NULL;
}

void prepared_touch(struct prepared *p, struct prepared_entry *entry)
{
	dlist_remove(&entry->lru);
	dlist_push_back(&p->lru, &entry->lru);
}

struct prepared_entry *prepared_oldest(const struct prepared *p)
{
	return p->count > 0 ? container_of(p->lru.next, struct prepared_entry, lru) : NULL;
}

static void prepared_want(struct prepared *p, struct prepared_entry *entry, bool wanted)
{
	if (entry->is_wanted == wanted)
		return;
	entry->is_wanted = wanted;
	if (wanted) {
		p->count++;
		dlist_push_back(&p->lru, &entry->lru);
	} else {
		p->count--;
		dlist_remove(&entry->lru);
	}
}

static bool prepared_grow(struct prepared *p)
{
	uint32_t slots = p->slots != 0 ? p->slots * 2 : 16;
	struct prepared_entry **slot = mem_try_zalloc(slots * sizeof(*slot));

	if (slot == NULL)
		return p->slots != 0;
	for (uint32_t i = 0; i < p->slots; i++) {
		struct prepared_entry *entry = p->slot[i];

		while (entry != NULL) {
			struct prepared_entry *next = entry->next;

			entry->next = slot[entry->id.word[0] & (slots - 1)];
			slot[entry->id.word[0] & (slots - 1)] = entry;
			entry = next;
		}
	}
	mem_free(p->slot);
	p->slot = slot;
	p->slots = slots;
	return true;
}

static struct prepared_entry *prepared_make(struct prepared *p, struct stmt_id id)
{
	struct prepared_entry *entry, **link;

	if (p->entries >= p->slots && !prepared_grow(p))
		return NULL;
	entry = mem_object_new(MEM_PREPARED, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	entry->id = id;
	dlist_init(&entry->lru);
	link = &p->slot[id.word[0] & (p->slots - 1)];
	entry->next = *link;
	*link = entry;
	p->entries++;
	return entry;
}

static int prepared_push(struct prepared *p, struct prepared_entry *entry, enum prepared_kind kind, uint32_t user)
{
	if (p->op_count == p->op_cap) {
		uint32_t cap = p->op_cap != 0 ? p->op_cap * 2 : 8;
		struct prepared_op *ops = mem_try_alloc(cap * sizeof(*ops));

		if (ops == NULL)
			return -1;
		for (uint32_t i = 0; i < p->op_count; i++)
			ops[i] = p->ops[(p->op_head + i) & (p->op_cap - 1)];
		mem_free(p->ops);
		p->ops = ops;
		p->op_cap = cap;
		p->op_head = 0;
	}
	p->ops[(p->op_head + p->op_count) & (p->op_cap - 1)] = (struct prepared_op){entry, kind, user};
	p->op_count++;
	entry->pending++;
	return 0;
}

int prepared_add(struct prepared *p, struct stmt_id id, uint32_t batch)
{
	struct prepared_entry *entry = prepared_look(p, id);
	bool is_new = entry == NULL;

	if (is_new)
		entry = prepared_make(p, id);
	if (entry == NULL)
		return -1;
	if (prepared_push(p, entry, PREPARED_PARSE, 0) < 0) {
		if (is_new)
			prepared_free_entry(p, entry);
		return -1;
	}
	entry->changing++;
	entry->is_stale = false;
	entry->shape = ROWSHAPE_UNKNOWN;
	entry->batch = batch;
	prepared_want(p, entry, true);
	return 0;
}

int prepared_drop(struct prepared *p, struct prepared_entry *entry, uint32_t batch)
{
	if (prepared_push(p, entry, PREPARED_CLOSE, 0) < 0)
		return -1;
	entry->changing++;
	entry->batch = batch;
	prepared_want(p, entry, false);
	return 0;
}

int prepared_use(struct prepared *p, struct prepared_entry *entry, uint32_t user)
{
	return prepared_push(p, entry, PREPARED_USE, user);
}

int prepared_describe(struct prepared *p, struct prepared_entry *entry, uint32_t user)
{
	if (prepared_push(p, entry, PREPARED_DESCRIBE, user) < 0)
		return -1;
	entry->describing++;
	return 0;
}

static void prepared_tidy(struct prepared *p, struct prepared_entry *entry)
{
	if (entry->pending == 0 && !entry->is_there)
		prepared_free_entry(p, entry);
}

void prepared_ended(struct prepared *p, enum expect_outcome outcome)
{
	struct prepared_op op;

	CHECK(p->op_count > 0);
	op = p->ops[p->op_head];
	p->op_head = (p->op_head + 1) & (p->op_cap - 1);
	p->op_count--;
	op.entry->pending--;
	if (outcome == EXPECT_FAILED) {
		p->has_failed = true;
		p->failed = op.entry->id;
		p->failed_user = op.user;
	}
	if (op.kind == PREPARED_DESCRIBE) {
		op.entry->describing--;
		p->has_described = outcome == EXPECT_DONE;
		p->described = op.entry->id;
	} else if (op.kind != PREPARED_USE) {
		if (outcome == EXPECT_DONE)
			op.entry->is_there = op.kind == PREPARED_PARSE;
		if (--op.entry->changing == 0)
			prepared_want(p, op.entry, op.entry->is_there);
	}
	prepared_tidy(p, op.entry);
}

void prepared_tell_shape(struct prepared *p, uint64_t shape)
{
	struct prepared_entry *entry = p->has_described ? prepared_look(p, p->described) : NULL;

	p->has_described = false;
	/* a Parse that was sent since makes it another statement */
	if (entry != NULL && entry->changing == 0)
		entry->shape = shape;
}

void prepared_spoil(struct prepared *p, bool gone)
{
	struct prepared_entry *entry = p->has_failed ? prepared_look(p, p->failed) : NULL;

	if (entry == NULL || !entry->is_there)
		return;
	entry->is_stale = true;
	if (!gone || entry->changing > 0)
		return;
	entry->is_there = false;
	prepared_want(p, entry, false);
	prepared_tidy(p, entry);
}

bool prepared_was_seen(struct prepared *p, struct stmt_id id)
{
	uint64_t *place;
	bool was_seen;

	if (p->seen == NULL)
		p->seen = mem_try_zalloc(PREPARED_SEEN * sizeof(*p->seen));
	if (p->seen == NULL)
		return false;
	place = &p->seen[id.word[0] % PREPARED_SEEN];
	was_seen = *place == id.word[1];
	*place = id.word[1];
	return was_seen;
}

void prepared_forget_all(struct prepared *p)
{
	for (uint32_t i = 0; i < p->slots; i++) {
		struct prepared_entry *entry = p->slot[i], *next;

		for (; entry != NULL; entry = next) {
			next = entry->next;
			entry->is_there = false;
			if (entry->changing == 0)
				prepared_want(p, entry, false);
			prepared_tidy(p, entry);
		}
	}
}

void prepared_weigh(const struct prepared *p, struct weight *to)
{
	weight_block(to, WEIGHT_STATEMENTS, p->slot);
	weight_block(to, WEIGHT_STATEMENTS, p->ops);
	weight_block(to, WEIGHT_STATEMENTS, p->seen);
	for (uint32_t i = 0; i < p->slots; i++)
		for (const struct prepared_entry *entry = p->slot[i]; entry != NULL; entry = entry->next)
			weight_object(to, WEIGHT_STATEMENTS, entry);
}
