/*
 * envvars.c - the environment as the lowest layer of the configuration.
 */
#include "conf/envvars.h"

#include "base/secret.h"
#include "base/str.h"
#include "conf/dburl.h"
#include "conf/option.h"
#include "conf/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *envvars_get(const char *name)
{
	const char *text = getenv(name);

	return text != NULL && text[0] != '\0' ? text : NULL;
}

static void envvars_add_option(struct items *l, const char *variable, const char *key, const char *text)
{
	/* -1 is SQLAlchemy's "never recycle"; ten years are the longest time we take */
	if (strcmp(variable, "DB_POOL_RECYCLE") == 0 && strcmp(text, "-1") == 0)
		text = "3650d";
	/* -1 is SQLAlchemy's "no limit" */
	if (strcmp(variable, "DB_MAX_OVERFLOW") == 0 && strcmp(text, "-1") == 0)
		text = "2147483647";
	items_add(l, ITEMS_GLOBAL, key, text, variable, 0);
}

static void envvars_add_prefixed(struct items *l)
{
	const struct option *o;

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		char name[96] = "FYNIXPOOL_";
		size_t at = strlen(name);
		const char *text;

		for (const char *p = o->name; *p != '\0' && at + 1 < sizeof(name); p++)
			name[at++] = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
		name[at] = '\0';
		text = envvars_get(name);
		if (text != NULL)
			items_add(l, ITEMS_GLOBAL, o->name, text, name, 0);
	}
}

/* key='value' with quotes doubled */
static void envvars_pair(struct buf *b, const char *key, const char *value)
{
	if (value[0] == '\0')
		return;
	buf_printf(b, "%s='", key);
	for (; *value != '\0'; value++) {
		if (*value == '\'')
			buf_append_u8(b, '\'');
		buf_append_u8(b, (uint8_t)*value);
	}
	buf_append_str(b, "' ");
}

/* What keeps us from using the URL, or NULL. */
static const char *envvars_url_problem(const char *text, struct dburl *url)
{
	const char *error;
	int mode;

	if (dburl_parse(text, url, &error) < 0)
		return error;
	if (url->dbname[0] == '\0')
		return "it names neither a database nor a user";
	if (url->sslmode[0] != '\0' && value_word(VALUE_WORDS_TLS, url->sslmode, &mode) < 0)
		return "its sslmode is none of disable, allow, prefer, require, verify-ca, verify-full";
	return NULL;
}

static void envvars_add_url(struct items *l, const char *text, bool has_file, struct conf_report *report)
{
	struct dburl url;
	const char *problem = envvars_url_problem(text, &url);
	struct buf line;

	if (problem != NULL && has_file) {
		conf_report_warning(report, "DATABASE_URL", 0, "ignored: %s", problem);
	} else if (problem != NULL) {
		conf_report_error(report, "DATABASE_URL", 0, "%s", problem);
	} else {
		if (url.ignored[0] != '\0')
			conf_report_warning(
				report, "DATABASE_URL", 0, "parameters ignored: %.200s", url.ignored);
		buf_init(&line, 0);
		envvars_pair(&line, "host", url.host);
		envvars_pair(&line, "port", url.port);
		envvars_pair(&line, "user", url.user);
		envvars_pair(&line, "password", url.password);
		envvars_pair(&line, "application_name", url.application_name);
		envvars_pair(&line, "server_tls_sslmode", url.sslmode);
		items_add(l, ITEMS_DATABASES, url.dbname, buf_text(&line), "DATABASE_URL", 0);
		/* clients log in with the credentials that they would have used without us */
		if (url.user[0] != '\0')
			items_add(l, ITEMS_SECRETS, url.user, url.password, "DATABASE_URL", 0);
		buf_wipe(&line);
	}
	secret_wipe(&url, sizeof(url));
}

void envvars_add(struct items *l, bool has_file, struct conf_report *report)
{
	static const struct {
		const char *variable, *key;
	} plain[] = {
		{"DB_POOL_SIZE", "default_pool_size"},
		{"DB_MAX_OVERFLOW", "max_overflow"},
		{"DB_POOL_RECYCLE", "server_lifetime"},
		{"DB_POOL_PRE_PING", "pool_pre_ping"},
		{"DB_POOL_TIMEOUT", "query_wait_timeout"},
	};
	const char *text;

	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		text = envvars_get(plain[i].variable);
		if (text != NULL)
			envvars_add_option(l, plain[i].variable, plain[i].key, text);
	}
	text = envvars_get("DATABASE_URL");
	if (text != NULL)
		envvars_add_url(l, text, has_file, report);
	envvars_add_prefixed(l);
}
