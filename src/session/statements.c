/*
 * statements.c - the prepared statements of one client.
 */
#include "session/statements.h"

#include "base/mem.h"
#include "server/rowshape.h"
#include "session/doomed.h"

#include <string.h>

#define STATEMENTS_NODE 64 /* what the map needs for a name, about */

struct statements_op {
	struct statements_name *name;
	struct stmt *stmt; /* a reference, or NULL: closed */
	bool is_clash;
	bool is_describe;
};

struct statements *statements_new(struct stmt_store *store)
{
	struct statements *st;

	if (!stmt_charge(store, sizeof(*st)))
		return NULL;
	st = mem_try_zalloc(sizeof(*st));
	if (st == NULL) {
		stmt_discharge(store, sizeof(*st));
		return NULL;
	}
	st->store = store;
	st->record_no = 1;
	hash_map_init(&st->names);
	buf_init(&st->part, 0);
	buf_init(&st->origin, STATEMENTS_ORIGIN_MAX);
	buf_init(&st->held, 0);
	return st;
}

static size_t statements_cost(const struct statements_name *name)
{
	return sizeof(*name) + 2 * name->len + STATEMENTS_NODE;
}

static void statements_free_name(struct statements *st, struct statements_name *name)
{
	if (st->bound == name)
		st->bound = NULL;
	if (st->described == name)
		st->described = NULL;
	(void)hash_map_take(&st->names, name->text, name->len);
	stmt_unref(name->now);
	stmt_unref(name->sure);
	stmt_discharge(st->store, statements_cost(name));
	mem_free(name);
}

void statements_free(struct statements *st)
{
	struct hash_iter it = {.slot = 0};
	struct hash_node *node;

	if (st == NULL)
		return;
	statements_undo(st);
	node = hash_map_next(&st->names, &it);
	while (node != NULL) {
		struct statements_name *name = node->value;

		node = hash_map_next(&st->names, &it);
		statements_free_name(st, name);
	}
	hash_map_fini(&st->names);
	mem_free(st->failed);
	stmt_unref(st->unnamed);
	stmt_unref(st->former);
	stmt_discharge(st->store, st->part.len);
	buf_fini(&st->part);
	buf_fini(&st->origin);
	buf_fini(&st->held);
	mem_free(st->ops);
	stmt_discharge(st->store, sizeof(*st));
	mem_free(st);
}

unsigned statements_count(const struct statements *st)
{
	return st != NULL ? (unsigned)st->names.count : 0;
}

struct statements_name *statements_find(const struct statements *st, const char *name, size_t n)
{
	return hash_map_get(&st->names, name, n);
}

static struct statements_name *statements_make(struct statements *st, const char *text, size_t n,
					       enum stmt_answer *answer)
{
	struct statements_name *name = mem_try_zalloc(sizeof(*name) + n + 1);

	*answer = STMT_NO_MEMORY;
	if (name == NULL)
		return NULL;
	name->len = n;
	name->serial = ++st->serials != 0 ? st->serials : ++st->serials;
	memcpy(name->text, text, n);
	if (!stmt_charge(st->store, statements_cost(name))) {
		*answer = STMT_FULL;
	} else if (hash_map_try_add(&st->names, text, n, name) < 0) {
		stmt_discharge(st->store, statements_cost(name));
	} else {
		*answer = STMT_OK;
		return name;
	}
	mem_free(name);
	return NULL;
}

static bool statements_push(struct statements *st, struct statements_op op)
{
	if (st->op_count == st->op_cap) {
		uint32_t cap = st->op_cap != 0 ? st->op_cap * 2 : 4;
		struct statements_op *ops = mem_try_alloc(cap * sizeof(*ops));

		if (ops == NULL)
			return false;
		for (uint32_t i = 0; i < st->op_count; i++)
			ops[i] = st->ops[(st->op_head + i) & (st->op_cap - 1)];
		mem_free(st->ops);
		st->ops = ops;
		st->op_cap = cap;
		st->op_head = 0;
	}
	st->ops[(st->op_head + st->op_count) & (st->op_cap - 1)] = op;
	st->op_count++;
	if (op.name != NULL)
		op.name->pending++;
	return true;
}

enum stmt_answer statements_set(struct statements *st, const char *text, size_t n, struct stmt *stmt, uint32_t batch)
{
	struct statements_name *name = statements_find(st, text, n);
	enum stmt_answer answer;

	if (name == NULL)
		name = statements_make(st, text, n, &answer);
	if (name == NULL) {
		stmt_unref(stmt);
		return answer;
	}
	if (!statements_push(st, (struct statements_op){.name = name, .stmt = stmt})) {
		if (name->pending == 0 && name->now == NULL)
			statements_free_name(st, name);
		stmt_unref(stmt);
		return STMT_NO_MEMORY;
	}
	stmt_unref(name->now);
	name->now = stmt != NULL ? stmt_ref(stmt) : NULL;
	if (stmt != NULL)
		name->was = stmt->id;
	name->shape = ROWSHAPE_UNKNOWN;
	name->batch = batch;
	return STMT_OK;
}

enum stmt_answer statements_clash(struct statements *st, struct statements_name *name, uint32_t batch)
{
	if (!statements_push(st, (struct statements_op){.name = name, .is_clash = true}))
		return STMT_NO_MEMORY;
	if (name != NULL)
		name->batch = batch;
	return STMT_OK;
}

enum stmt_answer statements_describe(struct statements *st, struct statements_name *name)
{
	if (!statements_push(st, (struct statements_op){.name = name, .is_clash = true, .is_describe = true}))
		return STMT_NO_MEMORY;
	name->describing++;
	return STMT_OK;
}

void statements_tell_shape(struct statements *st, uint64_t shape)
{
	if (st->described != NULL)
		st->described->shape = shape;
	st->described = NULL;
}

static void statements_replace(struct stmt **place, struct stmt *with)
{
	struct stmt *old = *place;

	*place = with != NULL ? stmt_ref(with) : NULL;
	stmt_unref(old);
}

static void statements_note_failure(struct statements *st, const struct statements_name *name)
{
	mem_free(st->failed);
	st->failed = mem_try_alloc(name->len + 1);
	if (st->failed != NULL)
		memcpy(st->failed, name->text, name->len + 1);
}

void statements_ended(struct statements *st, enum expect_outcome outcome)
{
	struct statements_op op;

	CHECK(st->op_count > 0);
	op = st->ops[st->op_head];
	st->op_head = (st->op_head + 1) & (st->op_cap - 1);
	st->op_count--;
	if (op.name == NULL)
		return;
	op.name->pending--;
	op.name->describing -= op.is_describe;
	if (op.is_describe && outcome == EXPECT_DONE)
		st->described = op.name;
	if (outcome == EXPECT_DONE && !op.is_clash) {
		op.name->shape = ROWSHAPE_UNKNOWN;
		if (op.name->first_use != st->record_no)
			op.name->first_use = 0;
		statements_replace(&op.name->sure, op.stmt);
	}
	if (outcome == EXPECT_FAILED)
		statements_note_failure(st, op.name);
	stmt_unref(op.stmt);
	if (op.name->pending > 0)
		return;
	if (op.name->now != op.name->sure)
		statements_replace(&op.name->now, op.name->sure);
	if (op.name->now != NULL)
		return;
	/* the error that it was skipped for, or a description, may be about what the name stood for */
	if (op.is_describe || outcome == EXPECT_SKIPPED)
		st->has_ghosts = true;
	else
		statements_free_name(st, op.name);
}

void statements_undo(struct statements *st)
{
	bool was_new = st->is_unnamed_new;

	while (st->op_count > 0)
		statements_ended(st, EXPECT_SKIPPED);
	st->has_fresh = false;
	st->described = NULL;
	statements_tidy(st);
	st->is_unnamed_new = was_new;
}

void statements_forget_all(struct statements *st)
{
	struct hash_iter it = {.slot = 0};
	struct hash_node *node;

	stmt_unref(st->unnamed);
	st->unnamed = NULL;
	st->is_aliased = false;
	while ((node = hash_map_next(&st->names, &it)) != NULL) {
		struct statements_name *name = node->value;

		statements_replace(&name->sure, NULL);
		if (name->pending == 0)
			statements_replace(&name->now, NULL);
	}
	st->has_ghosts = true;
}

void statements_tidy(struct statements *st)
{
	struct hash_iter it = {.slot = 0};
	struct hash_node *node;

	st->is_unnamed_new = false;
	doomed_end(st);
	if (!st->has_ghosts)
		return;
	st->has_ghosts = false;
	node = hash_map_next(&st->names, &it);
	while (node != NULL) {
		struct statements_name *name = node->value;

		node = hash_map_next(&st->names, &it);
		if (name->now == NULL && name->pending == 0)
			statements_free_name(st, name);
	}
}

const char *statements_name_of(const struct statements *st, struct stmt_id id, uint32_t serial)
{
	const struct statements_name *found = NULL;
	struct hash_iter it = {.slot = 0};
	struct hash_node *node;

	while ((node = hash_map_next(&st->names, &it)) != NULL) {
		const struct statements_name *name = node->value;

		if (name->serial == serial)
			return name->text;
		if (stmt_id_is_equal(name->was, id))
			found = name;
	}
	return found != NULL ? found->text : NULL;
}
