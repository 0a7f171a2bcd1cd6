/*
 * items.c - what was said, before it means anything.
 */
#include "conf/items.h"

#include "base/mem.h"
#include "conf/ini.h"
#include "conf/option.h"

#include <string.h>

struct items_reader {
	struct items *list;
	struct conf_report *report;
	const char *file; /* of the item before, in the pool */
};

void items_fini(struct items *l)
{
	strpool_fini(&l->pool);
	mem_free(l->item);
	*l = (struct items){.count = 0};
}

static struct item *items_grow(struct items *l)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->item = mem_realloc(l->item, l->cap * sizeof(*l->item));
	}
	return &l->item[l->count++];
}

void items_add(struct items *l, enum items_section section, const char *key, const char *value,
	const char *file, int line)
{
	*items_grow(l) = (struct item){
		.section = section,
		.key = strpool_addz(&l->pool, key),
		.value = strpool_addz(&l->pool, value),
		.file = file != NULL ? strpool_addz(&l->pool, file) : NULL,
		.line = line,
	};
}

bool items_is_set(const struct item *it)
{
	return it->section == ITEMS_GLOBAL && it->file == NULL;
}

void items_add_all_but(struct items *l, const struct items *from, const char *set_key)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct item *it = &from->item[i];

		if (items_is_set(it) && strcmp(it->key, set_key) == 0)
			continue;
		items_add(l, it->section, it->key, it->value, it->file, it->line);
	}
	l->fynixpool_line = from->fynixpool_line;
	l->pgbouncer_line = from->pgbouncer_line;
	l->fynixpool_file = from->fynixpool_file ? strpool_addz(&l->pool, from->fynixpool_file) : NULL;
	l->pgbouncer_file = from->pgbouncer_file ? strpool_addz(&l->pool, from->pgbouncer_file) : NULL;
}

static void items_unknown_section(struct items_reader *r, const struct ini_item *it)
{
	static const char *const names[] = {"fynixpool", "pgbouncer", "databases", "users", "peers"};
	const char *best = NULL;
	size_t distance = 4;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (option_distance(it->section, names[i]) < distance) {
			distance = option_distance(it->section, names[i]);
			best = names[i];
		}
	}
	if (best != NULL)
		conf_report_error(r->report, it->file, it->section_line,
			"unknown section [%s]; did you mean [%s]?", it->section, best);
	else
		conf_report_error(r->report, it->file, it->section_line,
			"unknown section [%s]; known are [fynixpool], [pgbouncer], [databases], [users], "
			"[peers]",
			it->section);
}

static void items_on_item(void *arg, const struct ini_item *it)
{
	struct items_reader *r = arg;
	struct items *l = r->list;
	enum items_section section = ITEMS_GLOBAL;

	if (r->file == NULL || strcmp(r->file, it->file) != 0)
		r->file = strpool_addz(&l->pool, it->file);
	if (strcmp(it->section, "fynixpool") == 0) {
		l->fynixpool_line = it->section_line;
		l->fynixpool_file = r->file;
	} else if (strcmp(it->section, "pgbouncer") == 0) {
		l->pgbouncer_line = it->section_line;
		l->pgbouncer_file = r->file;
	} else if (strcmp(it->section, "databases") == 0) {
		section = ITEMS_DATABASES;
	} else if (strcmp(it->section, "users") == 0) {
		section = ITEMS_USERS;
	} else if (strcmp(it->section, "peers") == 0) {
		section = ITEMS_PEERS;
	} else {
		if (it->key == NULL)
			items_unknown_section(r, it);
		return;
	}
	if (it->key == NULL)
		return;
	items_add(l, section, it->key, it->value, NULL, it->line);
	l->item[l->count - 1].file = r->file;
}

void items_read_file(struct items *l, const char *path, struct conf_report *report)
{
	struct items_reader r = {.list = l, .report = report};

	ini_read(path, items_on_item, &r, report);
}

void items_read_bytes(struct items *l, const void *p, size_t n, const char *name, struct conf_report *report)
{
	struct items_reader r = {.list = l, .report = report};

	ini_read_bytes(p, n, name, items_on_item, &r, report);
}
