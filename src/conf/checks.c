/*
 * checks.c - what no single row can tell.
 */
#include "conf/checks.h"

#include "base/argwords.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conf/hba.h"
#include "conf/ident.h"
#include "conf/option_value.h"
#include "conf/requireauth.h"
#include "conf/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "config.h"

struct checks_place {
	const char *file;
	int line;
};

static struct checks_place checks_place(const struct conf *c, const char *name)
{
	size_t row = (size_t)(option_find(OPTION_GLOBAL, name) - option_at(OPTION_GLOBAL, 0));
	const struct item *it = c->state->said[row];

	return (struct checks_place){it ? it->file : NULL, it ? it->line : 0};
}

/* Ignoring these would leave a door open that the operator believes shut. */
static void checks_unsupported(const struct conf *c, struct conf_report *report)
{
	struct checks_place at = checks_place(c, "auth_type");

	switch (c->set.auth_type) {
	case CONF_AUTH_ANY:
	case CONF_AUTH_TRUST:
	case CONF_AUTH_PLAIN:
	case CONF_AUTH_MD5:
	case CONF_AUTH_SCRAM:
	case CONF_AUTH_HBA:
	case CONF_AUTH_PEER:
	case CONF_AUTH_CERT:
		break;
	case CONF_AUTH_PAM:
#ifndef HAVE_PAM
		conf_report_error(report, at.file, at.line, "auth_type = pam is not supported: fynixpool was built without PAM");
#endif
		break;
	case CONF_AUTH_LDAP:
#ifndef HAVE_LDAP
		conf_report_error(report, at.file, at.line, "auth_type = ldap is not supported: fynixpool was built without LDAP");
#else
		if (c->ldap == NULL)
			conf_report_error(report, at.file, at.line, "auth_type = ldap needs auth_ldap_options");
#endif
		break;
	default:
		conf_report_error(report, at.file, at.line, "auth_type = %s is not supported yet",
			value_word_name(VALUE_WORDS_AUTH, c->set.auth_type));
	}
}

/* Settings of TLS that cannot be meant together. */
static void checks_tls(const struct conf *c, struct conf_report *report)
{
	const struct conf_settings *set = &c->set;
	struct checks_place at = checks_place(c, "client_tls_sslmode");

	if (set->client_tls_sslmode != CONF_TLS_DISABLE &&
	    (set->client_tls_cert_file[0] == '\0' || set->client_tls_key_file[0] == '\0'))
		conf_report_error(report, at.file, at.line,
			"client_tls_sslmode = %s needs client_tls_cert_file and client_tls_key_file",
			value_word_name(VALUE_WORDS_TLS, set->client_tls_sslmode));
	if (set->client_tls_sslmode >= CONF_TLS_VERIFY_CA && set->client_tls_ca_file[0] == '\0')
		conf_report_error(report, at.file, at.line, "client_tls_sslmode = %s needs client_tls_ca_file",
			value_word_name(VALUE_WORDS_TLS, set->client_tls_sslmode));
	if (set->auth_type == CONF_AUTH_CERT && set->client_tls_sslmode < CONF_TLS_VERIFY_CA) {
		at = checks_place(c, "auth_type");
		conf_report_error(report, at.file, at.line,
			"auth_type = cert needs client_tls_sslmode = verify-ca or verify-full");
	}
	if (set->server_tls_negotiation == CONF_NEGOTIATION_DIRECT && set->server_tls_sslmode < CONF_TLS_REQUIRE) {
		at = checks_place(c, "server_tls_negotiation");
		conf_report_error(report, at.file, at.line,
			"server_tls_negotiation = direct needs server_tls_sslmode = require, verify-ca or verify-full");
	}
}

static void checks_pam_dir(const struct conf *c, struct conf_report *report)
{
#ifndef HAVE_PAM_START_CONFDIR
	struct checks_place at = checks_place(c, "auth_pam_dir");

	if (c->set.auth_pam_dir[0] != '\0')
		conf_report_error(report, at.file, at.line,
			"auth_pam_dir is not supported: the PAM library that fynixpool was built with cannot do that");
#else
	(void)c;
	(void)report;
#endif
}

static bool checks_has_lookups(const struct conf *c)
{
	bool has = c->set.auth_user[0] != '\0';

	for (size_t i = 0; !has && i < c->databases; i++)
		has = c->database[i].auth_user != NULL && c->database[i].auth_user[0] != '\0';
	return has;
}

static void checks_auth_query(
	const char *query, const char *where, const char *file, int line, struct conf_report *report)
{
	if (query[0] != '\0' && strstr(query, "$1") == NULL)
		conf_report_warning(report, file, line, "%sauth_query has no $1: it cannot ask for one user", where);
}

static void checks_lookups(const struct conf *c, bool errors_only, struct conf_report *report)
{
	struct checks_place at = checks_place(c, "auth_dbname");
	char where[160];

	if (conf_is_console(c->set.auth_dbname))
		conf_report_error(report, at.file, at.line, "cannot use the reserved \"%s\" database as an auth_dbname",
			c->set.auth_dbname);
	if (errors_only)
		return;
	at = checks_place(c, "auth_query");
	if (checks_has_lookups(c))
		checks_auth_query(c->set.auth_query, "", at.file, at.line, report);
	for (size_t i = 0; i < c->databases; i++) {
		const struct conf_database *db = &c->database[i];

		snprintf(where, sizeof(where), "[databases] entry \"%.64s\": ", db->name);
		if (db->auth_query != NULL)
			checks_auth_query(db->auth_query, where, db->file, db->line, report);
		if (db->auth_dbname != NULL && conf_is_console(db->auth_dbname))
			conf_report_warning(report, db->file, db->line,
				"%scannot use the reserved \"%s\" database as an auth_dbname", where, db->auth_dbname);
	}
}

/* A line that would need to know who belongs to a role, and nobody to ask. */
static void checks_roles(const struct conf *c, struct conf_report *report)
{
	const struct hba *hba = c->hba;

	if (hba == NULL || !hba->needs_roles || checks_has_lookups(c))
		return;
	for (size_t i = 0; i < hba->rules; i++)
		if (hba_rule_needs_roles(&hba->rule[i]))
			conf_report_warning(report, hba->rule[i].file, hba->rule[i].line,
				"+role and samerole need auth_user, to ask who belongs to a role: without it the line "
				"rejects whomever it may mean");
	if (hba->maps != NULL && hba->maps->needs_roles)
		conf_report_warning(report, c->set.auth_ident_file, 0,
			"+role needs auth_user, to ask who belongs to a role: without it a line with it permits nothing");
}

static void checks_whole_seconds(
	const struct conf *c, const char *name, uint64_t us, struct conf_report *report)
{
	struct checks_place at = checks_place(c, name);

	if (us % CLOCK_US_PER_SEC != 0)
		conf_report_error(report, at.file, at.line, "%s must be whole seconds", name);
}

static void checks_listeners(const struct conf *c, struct conf_report *report)
{
	struct checks_place at = checks_place(c, "unix_socket_dir");
	/* room for "/.s.PGSQL.65535" and the NUL */
	size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - strlen("/.s.PGSQL.65535") - 1;

	if (c->set.listen_addr[0] == '\0' && c->set.unix_socket_dir[0] == '\0')
		conf_report_error(report, at.file, at.line,
			"listen_addr and unix_socket_dir are both empty: nobody could connect");
	if (strlen(c->set.unix_socket_dir) > max)
		conf_report_error(report, at.file, at.line, "unix_socket_dir is longer than %zu bytes", max);
}

static void checks_not_in_effect(const struct conf *c, struct conf_report *report)
{
	const struct option *o;
	char value[64], standard[64], error[OPTION_VALUE_ERROR_MAX];
	struct conf_settings defaults = {.verbose = 0};

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		const struct item *it = c->state->said[i];
		const char *text = o->default_text[c->profile];

		if (o->is_effective || it == NULL)
			continue;
		if (text == NULL)
			text = o->type == OPTION_STR || o->type == OPTION_SECRET ? "" : "0";
		CHECK(option_value_set(o, &defaults, text, error) == 0);
		if (strcmp(option_value_print(o, &c->set, value, sizeof(value)),
			    option_value_print(o, &defaults, standard, sizeof(standard))) != 0)
			conf_report_warning(
				report, it->file, it->line, "%s is accepted, but not in effect yet", o->name);
	}
}

/* libpq, which the monitoring login uses, logs in with passwords only. */
static void checks_monitor_secret(
	const struct secret *s, const char *file, int line, const char *where, struct conf_report *report)
{
	const char *text = (const char *)s->data;

	if (text != NULL && (strncmp(text, "SCRAM-SHA-256$", 14) == 0 ||
				    (strncmp(text, "md5", 3) == 0 && s->len == 35)))
		conf_report_error(report, file, line,
			"%smonitor_password is a stored secret; the password itself is needed", where);
}

static void checks_monitor(const struct conf *c, struct conf_report *report)
{
	struct checks_place at = checks_place(c, "monitor_user");
	struct checks_place password = checks_place(c, "monitor_password");
	bool is_wanted = c->set.monitor_user[0] != '\0';
	char where[160];

	checks_monitor_secret(&c->set.monitor_password, password.file, password.line, "", report);
	for (size_t i = 0; i < c->databases; i++) {
		const struct conf_database *db = &c->database[i];
		bool is_own = db->monitor_user != NULL && db->monitor_user[0] != '\0';

		snprintf(where, sizeof(where), "[databases] entry \"%.64s\": ", db->name);
		checks_monitor_secret(&db->monitor_password, db->file, db->line, where, report);
		if (db->monitor_password.data != NULL && !is_own)
			conf_report_error(report, db->file, db->line,
				"%smonitor_password has no effect without monitor_user in the same entry", where);
		if (is_own && !is_wanted)
			at = (struct checks_place){db->file, db->line};
		is_wanted = is_wanted || is_own;
	}
#ifndef HAVE_LIBPQ
	if (is_wanted)
		conf_report_error(report, at.file, at.line,
			"monitor_user is not supported: fynixpool was built without libpq");
#else
	(void)at;
#endif
}

/* What we ask of servers at login, for everybody (db NULL) or for one entry. */
static void checks_proofs(const struct conf *c, const struct conf_database *db, struct conf_report *report)
{
	const struct conf_settings *set = &c->set;
	int64_t tls = db != NULL && db->server_tls_sslmode != CONF_UNSET ? db->server_tls_sslmode : set->server_tls_sslmode;
	int64_t binding = db != NULL && db->server_channel_binding != CONF_UNSET ? db->server_channel_binding
										   : set->server_channel_binding;
	const char *text = db != NULL ? db->server_require_auth : set->server_require_auth;
	struct checks_place at = checks_place(c, "server_require_auth");
	char error[REQUIREAUTH_ERROR_MAX], where[160] = "";
	unsigned may;

	if (db != NULL) {
		at = (struct checks_place){db->file, db->line};
		snprintf(where, sizeof(where), "[databases] entry \"%.64s\": ", db->name);
	}
	if (text != NULL && requireauth_parse(text, &may, error) < 0)
		conf_report_error(report, at.file, at.line, "%s%s", where, error);
	if (db == NULL)
		at = checks_place(c, "server_channel_binding");
	if (binding == CONF_BINDING_REQUIRE && tls == CONF_TLS_DISABLE)
		conf_report_error(report, at.file, at.line, "%schannel_binding = require needs TLS, which is disabled", where);
}

/* whom it lets in need not be in auth_file */
static bool checks_asks_elsewhere(const struct conf *c)
{
	return c->set.auth_type == CONF_AUTH_ANY || c->set.auth_type == CONF_AUTH_PAM || c->set.auth_type == CONF_AUTH_LDAP ||
	       (c->hba != NULL && c->hba->asks_outside);
}

/* Where an entry's password for servers comes from; kind is "databases" or "users". */
static void checks_source(const char *file, const char *command, bool has_other, const char *kind, const char *name,
	const char *at, int line, struct conf_report *report)
{
	const char *wrong;

	if ((file != NULL) + (command != NULL) + has_other > 1)
		conf_report_error(report, at, line,
			"[%s] entry \"%s\": of password, password_file and password_command only one can be meant", kind, name);
	if (file != NULL && file[0] == '\0')
		conf_report_error(report, at, line, "[%s] entry \"%s\": password_file is empty", kind, name);
	if (command == NULL)
		return;
	mem_free(argwords_new(command, &wrong));
	if (wrong != NULL)
		conf_report_error(report, at, line, "[%s] entry \"%s\": password_command: %s", kind, name, wrong);
}

static void checks_sources(const struct conf *c, struct conf_report *report)
{
	for (size_t i = 0; i < c->databases; i++) {
		const struct conf_database *db = &c->database[i];

		checks_source(db->password_file, db->password_command, db->password.data != NULL, "databases", db->name, db->file,
			db->line, report);
		if ((db->password_file != NULL || db->password_command != NULL) && db->force_user == NULL)
			conf_report_error(report, db->file, db->line,
				"[databases] entry \"%s\": password_file and password_command need user=: it is that user's password",
				db->name);
	}
	for (size_t i = 0; i < c->users; i++) {
		const struct conf_user *u = &c->user[i];

		checks_source(u->password_file, u->password_command, false, "users", u->name, u->file, u->line, report);
	}
}

static void checks_warnings(const struct conf *c, struct conf_report *report)
{
	const struct items *l = &c->state->items;
	struct checks_place at;

	if (c->databases == 0)
		conf_report_warning(report, c->set.conffile, 0,
			"[databases] is empty: clients can reach the console only");
	for (size_t i = 0; i < l->count; i++) {
		if (l->item[i].section == ITEMS_PEERS) {
			conf_report_warning(report, l->item[i].file, l->item[i].line,
				"[peers] is accepted, but not in effect yet");
			break;
		}
	}
	if (c->secrets == 0 && !checks_asks_elsewhere(c) && !checks_has_lookups(c)) {
		at = checks_place(c, "auth_file");
		conf_report_warning(report, at.file ? at.file : c->set.conffile, at.line,
			"auth_file names no user: nobody can log in");
	}
	if (c->set.default_pool_size > 0 && c->set.min_pool_size > c->set.default_pool_size) {
		at = checks_place(c, "min_pool_size");
		conf_report_warning(report, at.file, at.line,
			"min_pool_size is greater than default_pool_size (%" PRId64 "), which counts",
			c->set.default_pool_size);
	}
}

const char *checks_where(const struct conf *c, const char *key, int *line)
{
	struct checks_place at = checks_place(c, key);

	*line = at.line;
	return at.file;
}

void checks_run(const struct conf *c, bool errors_only, struct conf_report *report)
{
	checks_unsupported(c, report);
	checks_tls(c, report);
	checks_pam_dir(c, report);
	checks_listeners(c, report);
	checks_whole_seconds(c, "tcp_keepidle", c->set.tcp_keepidle, report);
	checks_whole_seconds(c, "tcp_keepintvl", c->set.tcp_keepintvl, report);
	checks_monitor(c, report);
	checks_sources(c, report);
	checks_proofs(c, NULL, report);
	for (size_t i = 0; i < c->databases; i++)
		checks_proofs(c, &c->database[i], report);
	checks_lookups(c, errors_only, report);
	if (errors_only)
		return;
	checks_roles(c, report);
	checks_not_in_effect(c, report);
	checks_warnings(c, report);
}
