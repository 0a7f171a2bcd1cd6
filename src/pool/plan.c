/*
 * plan.c - from the configuration to the target of a pool's servers.
 */
#include "pool/plan.h"

#include "base/clock.h"
#include "base/log.h"
#include "auth/rotation.h"
#include "auth/scramkey.h"
#include "auth/serverauth.h"
#include "base/mem.h"
#include "conf/requireauth.h"
#include "pool/tlsset.h"

#include <stdio.h>
#include <string.h>

#define PLAN_PASSWORD_US (15 * CLOCK_US_PER_SEC)

static char *plan_dup(const char *s)
{
	return s != NULL && s[0] != '\0' ? mem_strdup(s) : NULL;
}

static char *plan_path(const struct conf *conf, const char *host, uint16_t port)
{
	const char *dir = host;
	size_t size;
	char *path;

	if (host[0] == '\0')
		/* PgBouncer looks where it listens itself; PostgreSQL's own default on Debian is the better guess */
		dir = conf->profile == CONF_PROFILE_PGBOUNCER && conf->set.unix_socket_dir[0] != '\0'
			      ? conf->set.unix_socket_dir
			      : "/var/run/postgresql";
	else if (host[0] != '/' && host[0] != '@')
		return NULL;
	size = strlen(dir) + 32;
	path = mem_alloc(size);
	snprintf(path, size, "%s/.s.PGSQL.%u", dir, port);
	return path;
}

static void plan_credential(struct target *t, const struct conf *conf, const struct conf_database *db)
{
	const struct conf_secret own = {.has_secret = db->password.data != NULL, .secret = db->password};
	struct credential pair[2];
	const char *error = NULL;

	if (rotation_read(own.has_secret ? &own : conf_find_secret(conf, t->user), pair, &error) < 0)
		log_write(LOG_WARNING, t->name, "stored secret cannot be used: %s", error);
	t->secret_from = own.has_secret ? "password= of the database" : conf_find_secret(conf, t->user) != NULL ? "auth_file" : NULL;
	t->credential = pair[0];
	t->second = pair[1];
}

/* The password that is somewhere else, if it is. */
static void plan_source(struct target *t, const struct conf *conf, const struct conf_database *db)
{
	const struct conf_user *user = conf_find_user(conf, t->user);
	struct passsource_spec spec = {
		.file = db->password_file,
		.command = db->password_command,
		.name = t->name,
		.user = t->user,
		.database = t->dbname,
		.host = db->host,
		.ttl = conf->set.password_ttl,
	};

	if (db->password.data != NULL)
		return;
	if (user != NULL && spec.file == NULL && spec.command == NULL) {
		spec.file = user->password_file;
		spec.command = user->password_command;
	}
	if (spec.file == NULL && spec.command == NULL)
		return;
	if (user != NULL && user->password_ttl != CONF_UNSET)
		spec.ttl = (uint64_t)user->password_ttl;
	else if (db->password_ttl != CONF_UNSET)
		spec.ttl = (uint64_t)db->password_ttl;
	/* earlier than the server's own deadline, so that the reason is told */
	spec.deadline = conf->set.server_connect_timeout > 0 ? conf->set.server_connect_timeout / 4 * 3 : PLAN_PASSWORD_US;
	t->secret_from = spec.file != NULL ? "password_file" : "password_command";
	t->source = passsource_new(&spec);
}

static void plan_hosts(struct target *t, const struct conf *conf, const char *list)
{
	do {
		size_t n = strcspn(list, ",");
		struct target_host *host = &t->host[t->hosts++];

		host->name = mem_strndup(list, n);
		host->path = plan_path(conf, host->name, t->port);
		list += n;
	} while (*list++ == ',' && t->hosts < TARGET_HOSTS);
}

struct listener_tuning plan_tuning(const struct conf_settings *set)
{
	return (struct listener_tuning){
		.keepalive = set->tcp_keepalive,
		.keepcnt = (int)set->tcp_keepcnt,
		.keepidle = (int)(set->tcp_keepidle / 1000000),
		.keepintvl = (int)(set->tcp_keepintvl / 1000000),
		.user_timeout_ms = (int)(set->tcp_user_timeout / 1000),
		.socket_buffer = (int)set->tcp_socket_buffer,
	};
}

static void plan_tls(struct target *t, const struct conf *conf, const struct conf_database *db)
{
	static const uint8_t modes[] = {
		[CONF_TLS_DISABLE] = TARGET_TLS_DISABLE,     [CONF_TLS_ALLOW] = TARGET_TLS_ALLOW,
		[CONF_TLS_PREFER] = TARGET_TLS_PREFER,	     [CONF_TLS_REQUIRE] = TARGET_TLS_REQUIRE,
		[CONF_TLS_VERIFY_CA] = TARGET_TLS_VERIFY_CA, [CONF_TLS_VERIFY_FULL] = TARGET_TLS_VERIFY_FULL,
	};
	struct tlsctx *tls = tlsset_server(conf, db);

	t->tls_mode = tls != NULL ? modes[tlsset_mode(conf, db)] : TARGET_TLS_DISABLE;
	t->tls = tls != NULL ? tlsctx_ref(tls) : NULL;
	t->is_tls_direct = tlsset_negotiation(conf, db) == CONF_NEGOTIATION_DIRECT;
}

/* What a server may ask for, and what it is told then. */
static void plan_proofs(struct target *t, const struct conf *conf, const struct conf_database *db)
{
	static const uint8_t weak[] = {
		[CONF_WEAK_AUTH_REFUSE] = TARGET_WEAK_AUTH_REFUSE,
		[CONF_WEAK_AUTH_LOCAL] = TARGET_WEAK_AUTH_LOCAL,
		[CONF_WEAK_AUTH_ALLOW] = TARGET_WEAK_AUTH_ALLOW,
	};
	static const uint8_t binding[] = {
		[CONF_BINDING_DISABLE] = SERVERAUTH_BINDING_DISABLE,
		[CONF_BINDING_PREFER] = SERVERAUTH_BINDING_PREFER,
		[CONF_BINDING_REQUIRE] = SERVERAUTH_BINDING_REQUIRE,
	};
	const struct conf_settings *set = &conf->set;
	const char *require = db->server_require_auth != NULL ? db->server_require_auth : set->server_require_auth;
	char error[REQUIREAUTH_ERROR_MAX];
	unsigned may;

	t->weak_auth = weak[db->server_weak_auth != CONF_UNSET ? db->server_weak_auth : set->server_weak_auth];
	t->binding_mode = binding[db->server_channel_binding != CONF_UNSET ? db->server_channel_binding
									   : set->server_channel_binding];
	t->require_auth = plan_dup(require);
	/* checked when the configuration was loaded */
	CHECK(requireauth_parse(require, &may, error) == 0);
	t->may_ask = ((may & REQUIREAUTH_NONE) != 0 ? SERVERAUTH_MAY_TRUST : 0) |
		     ((may & REQUIREAUTH_PASSWORD) != 0 ? SERVERAUTH_MAY_CLEARTEXT : 0) |
		     ((may & REQUIREAUTH_MD5) != 0 ? SERVERAUTH_MAY_MD5 : 0) |
		     ((may & REQUIREAUTH_SCRAM) != 0 ? SERVERAUTH_MAY_SCRAM : 0);
}

struct target *plan_target(const struct conf *conf, const struct conf_database *db, const char *database,
			   const char *user)
{
	const struct conf_settings *set = &conf->set;
	struct target *t = target_new();
	const char *check;
	size_t size;

	t->port = (uint16_t)db->port;
	plan_hosts(t, conf, db->host != NULL ? db->host : "");
	t->dbname = mem_strdup(db->dbname != NULL && db->dbname[0] != '\0' ? db->dbname : database);
	t->user = mem_strdup(user);
	size = strlen(database) + strlen(user) + 2;
	t->name = mem_alloc(size);
	snprintf(t->name, size, "%s/%s", database, user);
	plan_tls(t, conf, db);
	plan_source(t, conf, db);
	if (t->source == NULL)
		plan_credential(t, conf, db);
	plan_proofs(t, conf, db);
	t->client_encoding = plan_dup(db->client_encoding);
	t->datestyle = plan_dup(db->datestyle);
	t->timezone = plan_dup(db->timezone);
	t->application_name = plan_dup(db->application_name);
	t->connect_query = plan_dup(db->connect_query);
	check = conf_check_query(conf);
	t->check_query = check != NULL ? mem_strdup(check) : NULL;
	t->reset_query = mem_strdup(set->server_reset_query);
	t->max_packet_size = set->max_packet_size;
	t->connect_timeout = set->server_connect_timeout;
	t->clean_timeout = set->server_clean_timeout;
	t->cancel_timeout = set->cancel_wait_timeout;
	t->is_firm = db->load_balance_hosts == CONF_HOSTS_DISABLE;
	t->newest_minor = set->server_protocol == CONF_PROTOCOL_3_2 ? 2 : 0;
	t->tuning = plan_tuning(set);
	return t;
}

static bool plan_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool plan_same_hosts(const struct target *a, const struct target *b)
{
	if (a->hosts != b->hosts)
		return false;
	for (unsigned i = 0; i < a->hosts; i++)
		if (!plan_same_text(a->host[i].name, b->host[i].name) ||
		    !plan_same_text(a->host[i].path, b->host[i].path))
			return false;
	return true;
}

static bool plan_same_proofs(const struct target *a, const struct target *b)
{
	return a->may_ask == b->may_ask && a->weak_auth == b->weak_auth && a->binding_mode == b->binding_mode;
}

bool plan_is_same_place(const struct target *a, const struct target *b)
{
	return plan_same_proofs(a, b) && a->tls == b->tls && a->tls_mode == b->tls_mode && a->is_tls_direct == b->is_tls_direct &&
	       a->port == b->port && plan_same_hosts(a, b) && a->is_firm == b->is_firm && plan_same_text(a->dbname, b->dbname) &&
	       plan_same_text(a->user, b->user) && credential_is_equal(&a->credential, &b->credential) &&
	       credential_is_equal(&a->second, &b->second) && passsource_is_same(a->source, b->source);
}

bool plan_is_same(const struct target *a, const struct target *b)
{
	return a == b ||
	       (plan_is_same_place(a, b) && plan_same_text(a->client_encoding, b->client_encoding) &&
		plan_same_text(a->datestyle, b->datestyle) && plan_same_text(a->timezone, b->timezone) &&
		plan_same_text(a->application_name, b->application_name) &&
		plan_same_text(a->connect_query, b->connect_query));
}

void plan_take_keys(struct target *t, const struct credential_keys *keys)
{
	uint8_t stored[CREDENTIAL_KEY_LEN];

	scramkey_stored(keys->client_key, stored);
	if (t->second.kind == CREDENTIAL_SCRAM &&
	    secret_is_equal(t->second.stored_key, sizeof(stored), stored, sizeof(stored)))
		t->second_keys = *keys;
	else
		t->keys = *keys;
}

bool plan_knows_keys(const struct target *t, const struct credential_keys *keys)
{
	const struct credential_keys *known[] = {&t->keys, &t->second_keys};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i]->is_set && secret_is_equal(known[i]->client_key, CREDENTIAL_KEY_LEN, keys->client_key, CREDENTIAL_KEY_LEN))
			return true;
	return false;
}
