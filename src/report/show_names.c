/*
 * show_names.c - SHOW DATABASES, USERS and PEERS, as PgBouncer has them.
 */
#include "auth/identity.h"
#include "base/hash.h"
#include "base/mem.h"
#include "conf/value.h"
#include "report/show.h"

#include <stdlib.h>
#include <string.h>

static const struct reply_column show_databases_columns[] = {
	{"name", REPLY_TEXT},
	{"host", REPLY_TEXT},
	{"port", REPLY_INT4},
	{"database", REPLY_TEXT},
	{"force_user", REPLY_TEXT},
	{"pool_size", REPLY_INT4},
	{"min_pool_size", REPLY_INT4},
	{"reserve_pool_size", REPLY_INT4},
	{"server_lifetime", REPLY_INT4},
	{"pool_mode", REPLY_TEXT},
	{"load_balance_hosts", REPLY_TEXT},
	{"max_connections", REPLY_INT4},
	{"current_connections", REPLY_INT4},
	{"max_client_connections", REPLY_INT4},
	{"current_client_connections", REPLY_INT4},
	{"paused", REPLY_INT4},
	{"disabled", REPLY_INT4},
};

static const char *show_mode(int64_t mode)
{
	return mode == CONF_UNSET ? NULL : value_word_name(VALUE_WORDS_MODE, (int)mode);
}

/* name: the entry's, or what was asked for when db is the entry * */
static void show_database_row(
	const struct report_view *view, const struct conf_database *db, const char *name, struct rowset *out)
{
	struct conf_limits l;
	unsigned servers, clients;

	conf_resolve(view->conf, db, NULL, &l);
	hub_tally_database(view->hub, name, &servers, &clients);
	rowset_text(out, name);
	rowset_text(out, db->host[0] != '\0' ? db->host : NULL);
	rowset_int(out, db->port);
	rowset_text(out, db->dbname[0] != '\0' ? db->dbname : name);
	rowset_text(out, db->force_user);
	rowset_int(out, l.pool_size);
	rowset_int(out, l.min_pool_size);
	rowset_int(out, l.reserve_pool_size);
	rowset_uint(out, l.server_lifetime / 1000000);
	rowset_text(out, show_mode(db->pool_mode));
	rowset_text(out, show_pools_hosts(db));
	rowset_int(out, l.max_db_connections);
	rowset_uint(out, servers);
	rowset_int(out, l.max_db_client_connections);
	rowset_uint(out, clients);
	rowset_int(out, hub_is_paused(view->hub, name));
	rowset_int(out, hub_is_disabled(view->hub, name));
}

static void show_console_row(const struct report_view *view, struct rowset *out)
{
	rowset_text(out, REPORT_CONSOLE_DATABASE);
	rowset_null(out);
	rowset_int(out, view->conf->set.listen_port);
	rowset_text(out, REPORT_CONSOLE_DATABASE);
	rowset_text(out, REPORT_CONSOLE_DATABASE);
	rowset_int(out, 2);
	rowset_int(out, 0);
	rowset_int(out, 0);
	rowset_uint(out, view->conf->set.server_lifetime / 1000000);
	rowset_text(out, value_word_name(VALUE_WORDS_MODE, CONF_POOL_STATEMENT));
	rowset_null(out);
	rowset_int(out, 0);
	rowset_int(out, 0);
	rowset_int(out, 0);
	rowset_uint(out, view->sample->console_clients);
	rowset_int(out, 0);
	rowset_int(out, 0);
}

/* databases that came into being through the entry *; the sample is sorted, so equal names are neighbours */
static void show_auto_databases(const struct report_view *view, struct rowset *out)
{
	const char *last = NULL;

	for (size_t i = 0; i < view->sample->count; i++) {
		const char *name = view->sample->pool[i].share->database;
		const struct conf_database *db = conf_find_database(view->conf, name);

		if (db != NULL && db->is_auto && (last == NULL || strcmp(last, name) != 0))
			show_database_row(view, db, name, out);
		last = name;
	}
}

static void show_databases_fill(const struct report_view *view, struct rowset *out)
{
	for (size_t i = 0; i < view->conf->databases; i++) {
		const struct conf_database *db = &view->conf->database[i];

		/* a name that stands twice counts once, with its last line */
		if (!db->is_auto && conf_find_database(view->conf, db->name) == db)
			show_database_row(view, db, db->name, out);
	}
	show_auto_databases(view, out);
	show_console_row(view, out);
}

const struct report_table show_names_databases = {
	.name = "DATABASES",
	.role = IDENTITY_STATS,
	.column = show_databases_columns,
	.columns = ARRAY_LEN(show_databases_columns),
	.fill = show_databases_fill,
};

static const struct reply_column show_users_columns[] = {
	{"name", REPLY_TEXT},
	{"pool_size", REPLY_TEXT},
	{"reserve_pool_size", REPLY_TEXT},
	{"pool_mode", REPLY_TEXT},
	{"max_user_connections", REPLY_INT4},
	{"current_connections", REPLY_INT4},
	{"max_user_client_connections", REPLY_INT4},
	{"current_client_connections", REPLY_INT4},
};

/* Everybody once: of auth_file, of [users], and who has logged in.  Who has only tried is not among them. */
struct show_users {
	struct hash_map seen;
	char **name;
	size_t count, cap;
};

static void show_users_add(struct show_users *u, const char *name)
{
	size_t n = strlen(name);

	if (hash_map_get(&u->seen, name, n) != NULL)
		return;
	if (u->count == u->cap) {
		u->cap = u->cap > 0 ? u->cap * 2 : 64;
		u->name = mem_realloc(u->name, u->cap * sizeof(u->name[0]));
	}
	u->name[u->count] = mem_strdup(name);
	(void)hash_map_put(&u->seen, name, n, u->name[u->count++]);
}

static void show_users_on_tally(const struct hub_tally *user, void *arg)
{
	show_users_add(arg, user->name);
}

static void show_users_init(struct show_users *u, const struct report_view *view)
{
	*u = (struct show_users){.count = 0};
	hash_map_init(&u->seen);
	for (size_t i = 0; i < view->conf->secrets; i++)
		show_users_add(u, view->conf->secret[i].user);
	for (size_t i = 0; i < view->conf->users; i++)
		show_users_add(u, view->conf->user[i].name);
	hub_each_user(view->hub, show_users_on_tally, u);
}

static void show_users_fini(struct show_users *u)
{
	for (size_t i = 0; i < u->count; i++)
		mem_free(u->name[i]);
	mem_free(u->name);
	hash_map_fini(&u->seen);
}

size_t show_names_users_count(const struct report_view *view)
{
	struct show_users u;
	size_t n;

	show_users_init(&u, view);
	n = u.count;
	show_users_fini(&u);
	return n;
}

static void show_user_size(int64_t size, struct rowset *out)
{
	if (size == CONF_UNSET)
		rowset_text(out, "");
	else
		rowset_format(out, "%9lld", (long long)size);
}

static void show_user_row(const struct report_view *view, const char *name, struct rowset *out)
{
	const struct conf_user *user = conf_find_user(view->conf, name);
	unsigned servers, clients;
	struct conf_limits l;

	conf_resolve(view->conf, NULL, name, &l);
	hub_tally_user(view->hub, name, &servers, &clients);
	rowset_text(out, name);
	show_user_size(user != NULL ? user->pool_size : CONF_UNSET, out);
	show_user_size(user != NULL ? user->reserve_pool_size : CONF_UNSET, out);
	rowset_text(out, user != NULL ? show_mode(user->pool_mode) : NULL);
	rowset_int(out, l.max_user_connections);
	rowset_uint(out, servers);
	rowset_int(out, l.max_user_client_connections);
	rowset_uint(out, clients);
}

static int show_users_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_users_fill(const struct report_view *view, struct rowset *out)
{
	struct show_users u;

	show_users_init(&u, view);
	if (u.count > 1)
		qsort(u.name, u.count, sizeof(u.name[0]), show_users_compare);
	for (size_t i = 0; i < u.count; i++)
		show_user_row(view, u.name[i], out);
	show_users_fini(&u);
}

const struct report_table show_names_users = {
	.name = "USERS",
	.role = IDENTITY_STATS,
	.column = show_users_columns,
	.columns = ARRAY_LEN(show_users_columns),
	.fill = show_users_fill,
	.is_local = true,
};

static const struct reply_column show_peers_columns[] = {
	{"peer_id", REPLY_INT4},
	{"host", REPLY_TEXT},
	{"port", REPLY_INT4},
	{"pool_size", REPLY_INT4},
};

static void show_peers_fill(const struct report_view *view, struct rowset *out)
{
	for (size_t i = 0; i < view->conf->peers; i++) {
		const struct conf_peer *p = &view->conf->peer[i];

		rowset_int(out, p->id);
		rowset_text(out, p->host);
		rowset_int(out, p->port);
		rowset_int(
			out, p->pool_size != CONF_UNSET ? p->pool_size : view->conf->set.default_pool_size);
	}
}

const struct report_table show_names_peers = {
	.name = "PEERS",
	.role = IDENTITY_STATS,
	.column = show_peers_columns,
	.columns = ARRAY_LEN(show_peers_columns),
	.fill = show_peers_fill,
	.is_local = true,
};
