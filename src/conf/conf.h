/*
 * conf.h - the configuration as an immutable, reference-counted snapshot.
 *
 * Built by the control thread, read by every thread; nothing in it changes after
 * conf_load has given it, so all pointers and strings in it are good as long as
 * the reader holds a reference.  Times are microseconds, sizes bytes, strings
 * never NULL unless said.  The rows of options.def are the only place where an
 * option is declared.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/check.h"
#include "base/secret.h"
#include "conf/conf_report.h"

#define CONF_UNSET     INT64_MIN /* an override that is not set */
#define CONF_TIME_MAX  315360000 /* seconds: ten years */
#define CONF_COUNT_MAX 2147483647
#define CONF_AUTH_QUERY                                                                   \
	"SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END " \
	"FROM pg_authid WHERE rolname=$1 AND rolcanlogin"

enum conf_profile { CONF_PROFILE_FYNIXPOOL, CONF_PROFILE_PGBOUNCER };
enum conf_pool_mode { CONF_POOL_SESSION, CONF_POOL_TRANSACTION, CONF_POOL_STATEMENT };
enum conf_auth_type {
	CONF_AUTH_ANY,
	CONF_AUTH_TRUST,
	CONF_AUTH_PLAIN,
	CONF_AUTH_MD5,
	CONF_AUTH_CERT,
	CONF_AUTH_HBA,
	CONF_AUTH_LDAP,
	CONF_AUTH_PAM,
	CONF_AUTH_PEER,
	CONF_AUTH_SCRAM,
};
enum conf_action { CONF_ACTION_LOG, CONF_ACTION_CANCEL, CONF_ACTION_TERMINATE };
enum conf_tls_mode {
	CONF_TLS_DISABLE,
	CONF_TLS_ALLOW,
	CONF_TLS_PREFER,
	CONF_TLS_REQUIRE,
	CONF_TLS_VERIFY_CA,
	CONF_TLS_VERIFY_FULL,
};
enum conf_log_format { CONF_LOG_PLAIN, CONF_LOG_JSON };
enum conf_attach { CONF_ATTACH_FIRST_QUERY, CONF_ATTACH_LOGIN };
enum conf_io_engine { CONF_ENGINE_AUTO, CONF_ENGINE_LIBEV, CONF_ENGINE_URING };
enum conf_protocol { CONF_PROTOCOL_3_0, CONF_PROTOCOL_3_2 };
enum conf_weak_auth { CONF_WEAK_AUTH_REFUSE, CONF_WEAK_AUTH_LOCAL, CONF_WEAK_AUTH_ALLOW };
enum conf_binding { CONF_BINDING_DISABLE, CONF_BINDING_PREFER, CONF_BINDING_REQUIRE };
enum conf_negotiation { CONF_NEGOTIATION_POSTGRES, CONF_NEGOTIATION_DIRECT };
enum conf_hosts { CONF_HOSTS_ROUND_ROBIN, CONF_HOSTS_DISABLE };

/* C type of a member by type of row: global, and as an override with an unset form */
#define CONF_C_BOOL   bool
#define CONF_C_INT    int64_t
#define CONF_C_OCTAL  int64_t
#define CONF_C_TIME   uint64_t
#define CONF_C_MSEC   uint64_t
#define CONF_C_SIZE   uint64_t
#define CONF_C_STR    const char *
#define CONF_C_SECRET struct secret
#define CONF_C_MODE   int /* enum conf_pool_mode */
#define CONF_C_AUTH   int /* enum conf_auth_type */
#define CONF_C_ACTION int /* enum conf_action */
#define CONF_C_TLS    int /* enum conf_tls_mode */
#define CONF_C_LOGFMT int /* enum conf_log_format */
#define CONF_C_ATTACH int /* enum conf_attach */
#define CONF_C_NEGOTIATION int /* enum conf_negotiation */
#define CONF_C_WEAKAUTH int /* enum conf_weak_auth */
#define CONF_C_BINDING int /* enum conf_binding */
#define CONF_C_ENGINE int /* enum conf_io_engine */
#define CONF_C_PROTOCOL int /* enum conf_protocol */
#define CONF_O_INT    int64_t
#define CONF_O_TIME   int64_t
#define CONF_O_MODE   int64_t
#define CONF_O_ACTION int64_t
#define CONF_O_HOSTS  int64_t
#define CONF_O_TLS    int64_t
#define CONF_O_NEGOTIATION int64_t
#define CONF_O_WEAKAUTH int64_t
#define CONF_O_BINDING int64_t
#define CONF_O_STR    const char *
#define CONF_O_SECRET struct secret

/* The global settings, one member per row: set.default_pool_size, set.max_overflow, set.pool_mode ... */
struct conf_settings {
#define CONF_OPTION(id, type, ...) CONF_C_##type id;
#define CONF_DATABASE_KEY(...)
#define CONF_USER_KEY(...)
#include "conf/options.def"
#undef CONF_OPTION
#undef CONF_DATABASE_KEY
#undef CONF_USER_KEY
};

/* A line of [databases].  Numeric keys are CONF_UNSET when not set.  Strings that are not set are
 * NULL, except dbname (the entry's name; "" for the entry *, which means: the name that the client
 * asked for) and host ("": Unix socket). */
struct conf_database {
	const char *name;
	bool is_auto; /* the entry * */
	const char *file;
	int line; /* where it stands; 0: environment */
#define CONF_OPTION(...)
#define CONF_DATABASE_KEY(id, key, type, ...) CONF_O_##type id;
#define CONF_USER_KEY(...)
#include "conf/options.def"
#undef CONF_OPTION
#undef CONF_DATABASE_KEY
#undef CONF_USER_KEY
};
/* port is 5432 when not set, never CONF_UNSET.  force_user: the key user. */

/* A line of [users].  Numeric keys are CONF_UNSET when not set. */
struct conf_user {
	const char *name;
	const char *file;
	int line;
#define CONF_OPTION(...)
#define CONF_DATABASE_KEY(...)
#define CONF_USER_KEY(id, key, type, ...) CONF_O_##type id;
#include "conf/options.def"
#undef CONF_OPTION
#undef CONF_DATABASE_KEY
#undef CONF_USER_KEY
};

/* A line of [peers]; read and kept, nothing acts on it yet. */
struct conf_peer {
	int64_t id;
	const char *host;
	int64_t port;
	int64_t pool_size; /* CONF_UNSET */
};

/* A line of auth_file.  The secret is raw text: a password, "md5...", "SCRAM-SHA-256$..."; auth
 * interprets it. */
struct conf_secret {
	const char *user;
	bool has_secret; /* false for "user" "" */
	struct secret secret;
	struct secret second; /* as good as the first; data NULL: none */
};

struct conf_state; /* how it was made; private to conf */
struct hba;
struct ldapopts;

struct conf {
	enum conf_profile profile;
	struct conf_settings set;
	const struct conf_database *database; /* in the order of the file */
	size_t databases;
	const struct conf_user *user;
	size_t users;
	const struct conf_peer *peer;
	size_t peers;
	const struct conf_secret *secret; /* in the order of auth_file */
	size_t secrets;
	bool has_seconds; /* some have two */
	const struct ldapopts *ldap; /* auth_ldap_options; NULL: not set */
	const struct hba *hba; /* auth_hba_file with auth_ident_file; NULL unless auth_type is hba */
	/* What is made of it before anybody else sees it: the files that its TLS settings name, read and checked
	 * (tlsset.h).  NULL: nothing. */
	void *tls;
	void (*tls_free)(void *tls);
	struct conf_state *state;
	size_t bytes; /* of the heap that it takes; without tls */
};

/* Everything that holds for one (database, user).  Counts: 0 = no limit (min_pool_size, max_overflow,
 * reserve_pool_size: 0 = none).  Times: 0 = off, with PgBouncer's exceptions (server_lifetime 0 = one
 * use). */
struct conf_limits {
	int64_t pool_size;
	int64_t max_overflow;
	int64_t min_pool_size;
	int64_t reserve_pool_size;
	int64_t max_db_connections;
	int64_t max_user_connections;
	int64_t max_db_client_connections;
	int64_t max_user_client_connections;
	int pool_mode;
	int long_query_action;
	uint64_t overflow_linger;
	uint64_t reserve_pool_timeout;
	uint64_t server_lifetime;
	uint64_t server_idle_timeout;
	uint64_t query_wait_timeout;
	uint64_t query_wait_notify;
	uint64_t query_timeout;
	uint64_t transaction_timeout;
	uint64_t idle_transaction_timeout;
	uint64_t client_idle_timeout;
	uint64_t long_query_time;
};

/* What the command line said; it wins over the file, at RELOAD too. */
struct conf_overrides {
	const char *user; /* NULL: not given */
	int verbose;      /* 0: not given */
};

/* Control thread.  Reads the file (NULL: the environment alone), its includes, auth_file and the
 * environment.  NULL when there is any error; report then holds every problem found, and may hold
 * warnings in any case.  Gives one reference. */
struct conf *conf_load(
	const char *path, const struct conf_overrides *overrides, struct conf_report *report) FX_MUST_USE;

/* Control thread, for RELOAD: reads old->set.conffile anew.  Settings that need a restart keep old's
 * value, with a warning where the file has another one.  SETs of the console are forgotten.  NULL on
 * error: old stays in force. */
struct conf *conf_reload(const struct conf *old, struct conf_report *report) FX_MUST_USE;

/* Control thread, for the console's SET: a copy of old with one global setting changed; lasts until
 * the next RELOAD. at_runtime refuses settings that need a restart. */
struct conf *conf_with_set(const struct conf *old, const char *key, const char *value, bool at_runtime,
	struct conf_report *report) FX_MUST_USE;

/* Any thread. */
struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf *c); /* NULL is fine; the last one wipes and frees */

/* Any thread, a hash look-up each.  The entry of that exact name, else the entry * (is_auto), else NULL. */
const struct conf_database *conf_find_database(const struct conf *c, const char *name);
const struct conf_user *conf_find_user(const struct conf *c, const char *name);
const struct conf_secret *conf_find_secret(const struct conf *c, const char *user);
/* "pgbouncer", "fynixpool" */
bool conf_is_console(const char *database);

/* How a user is looked up who is not in auth_file: strings of the snapshot. */
struct conf_lookup {
	const char *database; /* the name to find the entry by */
	const char *user, *query;
};

/* Any thread.  For a client of that database; NULL: of the console, or of one that is not there.  false: nobody is looked
 * up.  out->database is NULL when no database is named for it. */
bool conf_find_lookup(const struct conf *c, const char *database, struct conf_lookup *out);

/* Any thread.  user > database > global.  db or user may be NULL.  Where db forces a user, the limits
 * of servers (sizes, mode, max_user_connections) are those of the forced user, the limits of clients
 * those of user. */
void conf_resolve(
	const struct conf *c, const struct conf_database *db, const char *user, struct conf_limits *out);

/* Any thread.  What a ping or check sends: NULL = no check, "" = an empty query. */
const char *conf_check_query(const struct conf *c);

/* Any thread, for RELOAD: would a server connection made for a do for b as well (dbname, host, port,
 * user, password, startup parameters, connect_query)?  false: the servers are outdated and to be
 * replaced when free. */
bool conf_database_is_same_target(const struct conf_database *a, const struct conf_database *b);

/* Any thread.  Where a global setting was made; NULL and 0: nowhere. */
const char *conf_place(const struct conf *c, const char *key, int *line);

/* One row of SHOW CONFIG and of the manual; lent until the callback returns. */
struct conf_option_view {
	const char *name;
	const char *value;        /* as PgBouncer prints it; NULL: not set */
	const char *default_text; /* of the profile; NULL: not set */
	const char *type;         /* "integer", "time" ... */
	const char *scope;        /* "G", "GD", "GU", "GDU" */
	const char *help;
	bool is_reloadable, is_own, is_effective;
};

/* Any thread.  All rows of SHOW CONFIG in its order: with profile pgbouncer exactly PgBouncer's, with
 * profile fynixpool ours as well, sorted in. */
void conf_each_option(
	const struct conf *c, void (*fn)(void *arg, const struct conf_option_view *row), void *arg);

#endif
