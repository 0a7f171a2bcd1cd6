/*
 * conf.c - the life of a snapshot, and what holds for one (database, user).
 */
#include "conf/conf.h"

#include "base/mem.h"
#include "conf/build.h"
#include "conf/checks.h"
#include "conf/envvars.h"
#include "conf/option.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct conf *conf_ref(struct conf *c)
{
	atomic_fetch_add_explicit(&c->state->refs, 1, memory_order_relaxed);
	return c;
}

void conf_unref(struct conf *c)
{
	if (c != NULL && atomic_fetch_sub_explicit(&c->state->refs, 1, memory_order_acq_rel) == 1)
		build_free(c);
}

/* what it has taken of the heap since charge */
static struct conf *conf_weighed(struct conf *c, const size_t *bytes, size_t *former)
{
	(void)mem_charge(former);
	if (c != NULL)
		c->bytes = *bytes;
	return c;
}

/* path: the same file as source->conffile, as the operator wrote it */
static struct conf *conf_read(
	const char *path, const struct build_source *source, struct conf_report *report)
{
	size_t bytes = 0, *former = mem_charge(&bytes);
	struct items items = {.count = 0};
	char verbose[16];

	envvars_add(&items, path != NULL, report);
	if (path != NULL)
		items_read_file(&items, path, report);
	if (source->overrides.user != NULL)
		items_add(&items, ITEMS_GLOBAL, "user", source->overrides.user, "command line", 0);
	if (source->overrides.verbose > 0) {
		snprintf(verbose, sizeof(verbose), "%d",
			source->overrides.verbose > 3 ? 3 : source->overrides.verbose);
		items_add(&items, ITEMS_GLOBAL, "verbose", verbose, "command line", 0);
	}
	return conf_weighed(build_conf(&items, source, report), &bytes, former);
}

/* Problems while reading (a broken line, a missing include) are in the report before the building starts. */
static struct conf *conf_give(struct conf *c, int errors, const struct conf_report *report)
{
	if (report->error_count == errors)
		return c;
	conf_unref(c);
	return NULL;
}

/* RELOAD must find the file from wherever the process has gone to by then. */
static const char *conf_absolute(const char *path, char out[PATH_MAX])
{
	char here[PATH_MAX];

	if (path == NULL || path[0] == '/' || getcwd(here, sizeof(here)) == NULL ||
		snprintf(out, PATH_MAX, "%s/%s", here, path) >= PATH_MAX)
		return path;
	return out;
}

struct conf *conf_load(const char *path, const struct conf_overrides *overrides, struct conf_report *report)
{
	char absolute[PATH_MAX];
	struct build_source source = {.conffile = conf_absolute(path, absolute), .is_first = true};
	int errors = report->error_count;

	if (overrides != NULL)
		source.overrides = *overrides;
	return conf_give(conf_read(path, &source, report), errors, report);
}

struct conf *conf_reload(const struct conf *old, struct conf_report *report)
{
	struct build_source source = {
		.conffile = old->set.conffile[0] != '\0' ? old->set.conffile : NULL,
		.overrides = old->state->overrides,
		.old = old,
	};
	int errors = report->error_count;

	return conf_give(conf_read(source.conffile, &source, report), errors, report);
}

struct conf *conf_with_set(const struct conf *old, const char *key, const char *value, bool at_runtime,
	struct conf_report *report)
{
	struct build_source source = {
		.conffile = old->set.conffile[0] != '\0' ? old->set.conffile : NULL,
		.overrides = old->state->overrides,
		.old = at_runtime ? old : NULL,
		.keep_secrets = at_runtime,
	};
	const struct option *o = option_find(OPTION_GLOBAL, key);
	struct items items = {.count = 0};
	size_t bytes = 0, *former;

	if (o != NULL && at_runtime && !o->is_reloadable) {
		conf_report_error(report, NULL, 0,
			"%s cannot be changed while running; change it in the file and restart", o->name);
		return NULL;
	}
	if (o != NULL)
		key = o->name; /* so that the next SET finds this one, whichever name it uses */
	former = mem_charge(&bytes);
	items_add_all_but(&items, &old->state->items, key);
	items_add(&items, ITEMS_GLOBAL, key, value, NULL, 0);
	return conf_weighed(build_conf(&items, &source, report), &bytes, former);
}

const char *conf_check_query(const struct conf *c)
{
	if (!c->set.pool_pre_ping)
		return NULL;
	return strcmp(c->set.server_check_query, "<empty>") == 0 ? "" : c->set.server_check_query;
}

static int64_t conf_pick(int64_t first, int64_t second, int64_t global)
{
	return first != CONF_UNSET ? first : second != CONF_UNSET ? second : global;
}

static uint64_t conf_pick_time(int64_t first, int64_t second, uint64_t global)
{
	return (uint64_t)conf_pick(first, second, (int64_t)global);
}

#define CONF_OF(entry, member) ((entry) != NULL ? (entry)->member : CONF_UNSET)

void conf_resolve(
	const struct conf *c, const struct conf_database *db, const char *user, struct conf_limits *out)
{
	const struct conf_settings *set = &c->set;
	const char *pool_user = db != NULL && db->force_user != NULL ? db->force_user : user;
	const struct conf_user *u = user != NULL ? conf_find_user(c, user) : NULL;
	const struct conf_user *p = pool_user != NULL ? conf_find_user(c, pool_user) : NULL;

/* global under the same name; w: whose entry of [users] counts */
#define CONF_PICK(w, d, key)   conf_pick(CONF_OF(w, key), d, set->key)
#define CONF_PICK_TIME(w, key) conf_pick_time(CONF_OF(w, key), CONF_OF(db, key), set->key)
	*out = (struct conf_limits){
		.pool_size = conf_pick(CONF_OF(p, pool_size), CONF_OF(db, pool_size), set->default_pool_size),
		.max_overflow = CONF_PICK(p, CONF_OF(db, max_overflow), max_overflow),
		.min_pool_size = CONF_PICK(p, CONF_OF(db, min_pool_size), min_pool_size),
		.reserve_pool_size = CONF_PICK(p, CONF_OF(db, reserve_pool_size), reserve_pool_size),
		.max_db_connections =
			conf_pick(CONF_UNSET, CONF_OF(db, max_db_connections), set->max_db_connections),
		.max_user_connections = CONF_PICK(p, CONF_UNSET, max_user_connections),
		.max_db_client_connections = conf_pick(
			CONF_UNSET, CONF_OF(db, max_db_client_connections), set->max_db_client_connections),
		.max_user_client_connections = CONF_PICK(u, CONF_UNSET, max_user_client_connections),
		.pool_mode = (int)CONF_PICK(p, CONF_OF(db, pool_mode), pool_mode),
		.long_query_action = (int)CONF_PICK(u, CONF_OF(db, long_query_action), long_query_action),
		.overflow_linger =
			conf_pick_time(CONF_UNSET, CONF_OF(db, overflow_linger), set->overflow_linger),
		.reserve_pool_timeout = set->reserve_pool_timeout,
		.server_lifetime =
			conf_pick_time(CONF_UNSET, CONF_OF(db, server_lifetime), set->server_lifetime),
		.server_idle_timeout = set->server_idle_timeout,
		.query_wait_timeout = CONF_PICK_TIME(u, query_wait_timeout),
		.query_wait_notify = CONF_PICK_TIME(u, query_wait_notify),
		.query_timeout = CONF_PICK_TIME(u, query_timeout),
		.transaction_timeout = CONF_PICK_TIME(u, transaction_timeout),
		.idle_transaction_timeout = CONF_PICK_TIME(u, idle_transaction_timeout),
		.client_idle_timeout = CONF_PICK_TIME(u, client_idle_timeout),
		.long_query_time = CONF_PICK_TIME(u, long_query_time),
	};
#undef CONF_PICK
#undef CONF_PICK_TIME
}

const char *conf_place(const struct conf *c, const char *key, int *line)
{
	return checks_where(c, key, line);
}

bool conf_is_console(const char *database)
{
	return strcmp(database, "fynixpool") == 0 || strcmp(database, "pgbouncer") == 0;
}
