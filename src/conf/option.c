/*
 * option.c - the rows of options.def at run time.
 */
#include "conf/option.h"

#include "base/str.h"
#include "conf/value.h"

#include <stdio.h>
#include <string.h>

#define OPTION_ORIGIN_PGB    false
#define OPTION_ORIGIN_OWN    true
#define OPTION_RELOAD_RELOAD true
#define OPTION_RELOAD_START  false
#define OPTION_EFFECT_NOW    true
#define OPTION_EFFECT_LATER  false

static const struct option option_globals[] = {
#define CONF_OPTION(id, t, origin, own, pgb, lo, hi, where, when, effect, alias, text) \
	{.name = #id,                                                                  \
		.table = OPTION_GLOBAL,                                                \
		.type = OPTION_##t,                                                    \
		.default_text = {own, pgb},                                            \
		.min = lo,                                                             \
		.max = hi,                                                             \
		.scope = #where,                                                       \
		.is_own = OPTION_ORIGIN_##origin,                                      \
		.is_reloadable = OPTION_RELOAD_##when,                                 \
		.is_effective = OPTION_EFFECT_##effect,                                \
		.aliases = alias,                                                      \
		.help = text,                                                          \
		.offset = offsetof(struct conf_settings, id)},
#define CONF_DATABASE_KEY(...)
#define CONF_USER_KEY(...)
#include "conf/options.def"
#undef CONF_OPTION
#undef CONF_DATABASE_KEY
#undef CONF_USER_KEY
};

static const struct option option_databases[] = {
#define CONF_OPTION(...)
#define CONF_DATABASE_KEY(id, key, t, lo, hi, effect, alias, text) \
	{.name = key,                                              \
		.table = OPTION_DATABASE,                          \
		.type = OPTION_##t,                                \
		.min = lo,                                         \
		.max = hi,                                         \
		.scope = "D",                                      \
		.is_reloadable = true,                             \
		.is_effective = OPTION_EFFECT_##effect,            \
		.aliases = alias,                                  \
		.help = text,                                      \
		.offset = offsetof(struct conf_database, id)},
#define CONF_USER_KEY(...)
#include "conf/options.def"
#undef CONF_OPTION
#undef CONF_DATABASE_KEY
#undef CONF_USER_KEY
};

static const struct option option_users[] = {
#define CONF_OPTION(...)
#define CONF_DATABASE_KEY(...)
#define CONF_USER_KEY(id, key, t, lo, hi, effect, alias, text) \
	{.name = key,                                          \
		.table = OPTION_USER,                          \
		.type = OPTION_##t,                            \
		.min = lo,                                     \
		.max = hi,                                     \
		.scope = "U",                                  \
		.is_reloadable = true,                         \
		.is_effective = OPTION_EFFECT_##effect,        \
		.aliases = alias,                              \
		.help = text,                                  \
		.offset = offsetof(struct conf_user, id)},
#include "conf/options.def"
#undef CONF_OPTION
#undef CONF_DATABASE_KEY
#undef CONF_USER_KEY
};

const struct option *option_at(enum option_table table, size_t i)
{
	switch (table) {
	case OPTION_GLOBAL:
		return i < ARRAY_LEN(option_globals) ? &option_globals[i] : NULL;
	case OPTION_DATABASE:
		return i < ARRAY_LEN(option_databases) ? &option_databases[i] : NULL;
	case OPTION_USER:
		return i < ARRAY_LEN(option_users) ? &option_users[i] : NULL;
	}
	return NULL;
}

const struct option *option_find(enum option_table table, const char *name)
{
	const struct option *o;

	for (size_t i = 0; (o = option_at(table, i)) != NULL; i++) {
		if (strcmp(o->name, name) == 0 || str_list_has(o->aliases, name))
			return o;
	}
	return NULL;
}

static size_t option_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t option_distance(const char *a, const char *b)
{
	size_t an = strnlen(a, 63), bn = strnlen(b, 63);
	size_t row[3][64];

	/* rows of the usual table: now, one and two before */
	for (size_t j = 0; j <= bn; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= an; i++) {
		size_t *now = row[i % 3], *old = row[(i + 2) % 3], *older = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= bn; j++) {
			now[j] = option_min(old[j] + 1, now[j - 1] + 1);
			now[j] = option_min(now[j], old[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = option_min(now[j], older[j - 2] + 1);
		}
	}
	return row[an % 3][bn];
}

const char *option_nearest(enum option_table table, const char *name)
{
	size_t best = strlen(name) / 3 + 1; /* further away is not a misspelling */
	const struct option *o;
	const char *found = NULL;

	for (size_t i = 0; (o = option_at(table, i)) != NULL; i++) {
		char alias[64];
		size_t d = option_distance(name, o->name);

		if (d <= best && (found == NULL || d < best)) {
			best = d;
			found = o->name;
		}
		if (o->aliases[0] != '\0' && str_copy(alias, sizeof(alias), o->aliases) &&
			option_distance(name, alias) < best) {
			best = option_distance(name, alias);
			found = o->aliases; /* one alias at most, so the list is the name */
		}
	}
	return found;
}

const char *option_type_name(enum option_type type)
{
	switch (type) {
	case OPTION_BOOL:
		return "boolean";
	case OPTION_INT:
		return "integer";
	case OPTION_OCTAL:
		return "file mode";
	case OPTION_TIME:
		return "seconds";
	case OPTION_MSEC:
		return "milliseconds";
	case OPTION_SIZE:
		return "bytes";
	case OPTION_STR:
	case OPTION_SECRET:
		return "text";
	default:
		return "word";
	}
}
