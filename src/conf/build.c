/*
 * build.c - from a list of items to a snapshot.
 */
#include "conf/build.h"

#include "base/mem.h"
#include "conf/checks.h"
#include "conf/conf_entry.h"
#include "conf/option_value.h"

#include <stdatomic.h>
#include <string.h>

static void build_profile(struct conf *c, struct conf_report *report)
{
	const struct items *l = &c->state->items;

	if (l->fynixpool_line > 0 && l->pgbouncer_line > 0)
		conf_report_error(report, l->pgbouncer_file, l->pgbouncer_line,
			"[pgbouncer] cannot be used together with [fynixpool] (%s:%d)", l->fynixpool_file,
			l->fynixpool_line);
	c->profile = l->pgbouncer_line > 0 ? CONF_PROFILE_PGBOUNCER : CONF_PROFILE_FYNIXPOOL;
}

static void build_defaults(struct conf *c)
{
	const struct option *o;
	char error[OPTION_VALUE_ERROR_MAX];

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		const char *text = o->default_text[c->profile];

		CHECK(i < CONF_OPTIONS_MAX);
		if (text == NULL)
			text = o->type == OPTION_STR || o->type == OPTION_SECRET ? "" : "0";
		CHECK(option_value_set(o, &c->set, text, error) == 0);
	}
}

static size_t build_row(const struct option *o)
{
	return (size_t)(o - option_at(OPTION_GLOBAL, 0));
}

static void build_global(struct conf *c, const struct item *it, struct conf_report *report)
{
	const struct option *o = option_find(OPTION_GLOBAL, it->key);
	char error[OPTION_VALUE_ERROR_MAX];
	const char *near;

	if (o == NULL) {
		near = option_nearest(OPTION_GLOBAL, it->key);
		conf_report_error(report, it->file, it->line, "unknown setting \"%.64s\"%s%s%s", it->key,
			near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	} else if (option_value_set(o, &c->set, it->value, error) < 0) {
		conf_report_error(report, it->file, it->line, "%s", error);
	} else {
		c->state->said[build_row(o)] = it;
	}
}

static void build_items(struct conf *c, struct conf_report *report)
{
	const struct items *l = &c->state->items;

	for (size_t i = 0; i < l->count; i++) {
		const struct item *it = &l->item[i];

		switch (it->section) {
		case ITEMS_GLOBAL:
			build_global(c, it, report);
			break;
		case ITEMS_DATABASES:
			conf_entry_add_database(c, it, report);
			break;
		case ITEMS_USERS:
			conf_entry_add_user(c, it, report);
			break;
		case ITEMS_PEERS:
			conf_entry_add_peer(c, it, report);
			break;
		case ITEMS_SECRETS:
			break;
		}
	}
	c->database = c->state->database;
	c->user = c->state->user;
	c->peer = c->state->peer;
}

static const struct item *build_said(const struct conf *c, const char *name)
{
	return c->state->said[build_row(option_find(OPTION_GLOBAL, name))];
}

/* Two names for one thing: what was said counts for what was not. */
static void build_links(struct conf *c)
{
	const struct item *ours = build_said(c, "pre_ping_idle");
	const struct item *theirs = build_said(c, "server_check_delay");

	/* of two, the later one (SET comes after the file) */
	if (theirs != NULL && (ours == NULL || ours < theirs))
		c->set.pre_ping_idle = c->set.server_check_delay;
	else
		c->set.server_check_delay = c->set.pre_ping_idle;
	if (c->set.server_check_query[0] == '\0' && build_said(c, "pool_pre_ping") == NULL)
		c->set.pool_pre_ping = false;
}

static void build_keep_start_settings(
	struct conf *c, const struct build_source *source, struct conf_report *report)
{
	const struct option *o;

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		const struct item *it = c->state->said[i];

		if (o->is_reloadable || option_value_is_equal(o, &c->set, &source->old->set))
			continue;
		if (!source->keep_secrets)
			conf_report_warning(report, it ? it->file : NULL, it ? it->line : 0,
				"%s takes effect at the next start only", o->name);
		option_value_copy(o, &c->set, &source->old->set);
		if (o->type == OPTION_STR) {
			const char **text = (const char **)(void *)((char *)&c->set + o->offset);

			*text = strpool_addz(&c->state->pool, *text);
		}
	}
}

static void build_read_secrets(struct conf *c, const struct build_source *source, struct conf_report *report)
{
	const struct items *l = &c->state->items;
	const struct item *it = build_said(c, "auth_file");
	const char *file = it ? it->file : NULL;
	int line = it ? it->line : 0;
	char error[512];

	c->state->secrets = userlist_new();
	for (size_t i = 0; i < l->count; i++) {
		if (l->item[i].section == ITEMS_SECRETS)
			userlist_put(c->state->secrets, l->item[i].key, l->item[i].value);
	}
	if (c->set.auth_file[0] == '\0' ||
		userlist_read(c->state->secrets, c->set.auth_file, report, error, sizeof(error)))
		return;
	if (source->is_first && c->profile == CONF_PROFILE_PGBOUNCER)
		conf_report_warning(report, file, line, "auth_file: %s", error);
	else
		conf_report_error(report, file, line, "auth_file: %s", error);
}

static void build_secrets(struct conf *c, const struct build_source *source, struct conf_report *report)
{
	if (source->keep_secrets && strcmp(source->old->set.auth_file, c->set.auth_file) == 0)
		c->state->secrets = userlist_ref(source->old->state->secrets);
	else
		build_read_secrets(c, source, report);
	c->secret = c->state->secrets->secret;
	c->secrets = c->state->secrets->count;
	c->has_seconds = c->state->secrets->has_seconds;
}

static struct ident *build_read_maps(struct conf *c, bool is_lenient, struct conf_report *report)
{
	const struct item *it = build_said(c, "auth_ident_file");
	struct ident *maps;
	char error[512];

	if (c->set.auth_ident_file[0] == '\0')
		return NULL;
	maps = ident_read(c->set.auth_ident_file, is_lenient, report, error, sizeof(error));
	if (maps == NULL)
		conf_report_error(report, it ? it->file : NULL, it ? it->line : 0, "auth_ident_file: %s", error);
	return maps;
}

static void build_ldap(struct conf *c, struct conf_report *report)
{
	const struct item *it = build_said(c, "auth_ldap_options");
	const char *text = (const char *)c->set.auth_ldap_options.data;
	char error[LDAPOPTS_ERROR_MAX];

	if (text == NULL || text[0] == '\0')
		return;
	c->state->ldap = ldaptext_parse(text, error);
	if (c->state->ldap == NULL)
		conf_report_error(report, it ? it->file : NULL, it ? it->line : 0, "auth_ldap_options: %s", error);
	c->ldap = c->state->ldap;
}

/* A line with ldap and nothing behind it means what auth_ldap_options says. */
static void build_check_ldap(const struct conf *c, struct conf_report *report)
{
	for (size_t i = 0; c->ldap == NULL && c->state->hba != NULL && i < c->state->hba->rules; i++) {
		const struct hba_rule *rule = &c->state->hba->rule[i];

		if (rule->method == HBA_METHOD_LDAP && rule->ldap == NULL)
			conf_report_error(report, rule->file, rule->line,
				"the method ldap has no options here, and auth_ldap_options is not set");
	}
}

/* In [fynixpool] a bad line is an error, as in PostgreSQL; in [pgbouncer], where PgBouncer would go on without the line, it
 * rejects. */
static void build_read_rules(struct conf *c, struct conf_report *report)
{
	const struct item *it = build_said(c, "auth_hba_file");
	bool is_lenient = c->profile == CONF_PROFILE_PGBOUNCER;
	struct ident *maps = build_read_maps(c, is_lenient, report);
	char error[512] = "auth_type hba needs a file of rules";

	if (c->set.auth_hba_file[0] != '\0')
		c->state->hba = hba_read(c->set.auth_hba_file, maps, is_lenient, report, error, sizeof(error));
	ident_unref(maps);
	if (c->state->hba == NULL)
		conf_report_error(report, it ? it->file : NULL, it ? it->line : 0, "auth_hba_file: %s", error);
}

static void build_rules(struct conf *c, const struct build_source *source, struct conf_report *report)
{
	const struct conf *old = source->old;

	if (c->set.auth_type != CONF_AUTH_HBA)
		return;
	if (source->keep_secrets && old->state->hba != NULL &&
		strcmp(old->set.auth_hba_file, c->set.auth_hba_file) == 0 &&
		strcmp(old->set.auth_ident_file, c->set.auth_ident_file) == 0)
		c->state->hba = hba_ref(old->state->hba);
	else
		build_read_rules(c, report);
	c->hba = c->state->hba;
	build_check_ldap(c, report);
}

struct conf *build_conf(struct items *items, const struct build_source *source, struct conf_report *report)
{
	struct conf *c = mem_zalloc(sizeof(*c));
	struct conf_state *st = mem_zalloc(sizeof(*st));
	int errors = report->error_count;

	c->state = st;
	atomic_init(&st->refs, 1);
	st->items = *items;
	*items = (struct items){.count = 0};
	st->from_file = source->conffile != NULL;
	st->overrides = source->overrides;
	if (st->overrides.user != NULL)
		st->overrides.user = strpool_addz(&st->pool, st->overrides.user);
	hash_map_init(&st->by_database);
	hash_map_init(&st->by_user);

	build_profile(c, report);
	build_defaults(c);
	build_items(c, report);
	if (build_said(c, "conffile") == NULL && source->conffile != NULL)
		c->set.conffile = strpool_addz(&st->pool, source->conffile);
	build_links(c);
	if (source->old != NULL)
		build_keep_start_settings(c, source, report);
	build_secrets(c, source, report);
	build_ldap(c, report);
	build_rules(c, source, report);
	if (report->error_count == errors)
		checks_run(c, source->keep_secrets, report);
	if (report->error_count != errors) {
		build_free(c);
		return NULL;
	}
	return c;
}

void build_free(struct conf *c)
{
	struct conf_state *st = c->state;

	if (c->tls != NULL)
		c->tls_free(c->tls);
	for (size_t i = 0; i < c->databases; i++) {
		secret_drop(&st->database[i].password);
		secret_drop(&st->database[i].monitor_password);
	}
	secret_drop(&c->set.monitor_password);
	secret_drop(&c->set.auth_ldap_options);
	ldapopts_free(st->ldap);
	mem_free(st->database);
	mem_free(st->user);
	mem_free(st->peer);
	hash_map_fini(&st->by_database);
	hash_map_fini(&st->by_user);
	userlist_unref(st->secrets);
	hba_unref(st->hba);
	strpool_fini(&st->pool);
	items_fini(&st->items);
	mem_free(st);
	mem_free(c);
}
